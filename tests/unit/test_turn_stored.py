"""A stored message as the turn that it was: of every recorded page."""

from __future__ import annotations

import msgspec
import pytest
from contract.exchanges import load_exchanges

from dify_notebook.turn.stored import turn_from_stored
from dify_notebook.wire.models import MessagePage, StoredMessage, read


def pages() -> list[str]:
    return sorted(
        case
        for case, one in load_exchanges().items()
        if one.request.method == "GET" and one.request.path.startswith("/v1/messages?") and one.status == 200
    )


@pytest.mark.parametrize("case", pages())
def test_every_recorded_message_is_a_turn(case: str) -> None:
    for message in read(MessagePage, msgspec.json.decode(load_exchanges()[case].body)).data:
        turn = turn_from_stored(message, user="u", server="http://h/v1", app="A")
        assert (turn.query, turn.answer_raw, turn.message_id) == (message.query, message.answer, message.id)
        assert turn.source == "history"
        assert turn.status == ("failed" if message.status == "error" or message.error else "succeeded")
        assert (turn.nodes, turn.usage, turn.timing) == (None, None, None), "the server keeps none of these"
        assert [one.content for one in turn.citations or ()] == [
            one.get("content") or "" for one in message.retriever_resources or ()
        ]
        assert len(turn.thoughts or ()) == len(message.agent_thoughts or ())
        assert [one.belongs_to for one in turn.files or ()] == [
            one.get("belongs_to") or "assistant" for one in message.message_files or ()
        ]


def test_reasoning_rating_and_errors_are_kept_apart() -> None:
    told = {"id": "m", "answer": "<think>\nhm\n</think>\nYes.", "feedback": {"rating": "like"}, "query": "q"}
    turn = turn_from_stored(read(StoredMessage, told))
    assert (turn.answer, turn.reasoning, turn.feedback) == ("Yes.", "hm", "like")
    failed = turn_from_stored(read(StoredMessage, {"id": "m", "status": "error", "error": "no quota"}))
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error.message == "no quota"
