"""Every recorded answer in one piece of a workflow or completion app gives the turn that its stream would have given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from contract.expected_blocking import EXPECTED_BLOCKING
from contract.expected_runs import Run
from contract.streams import load_blocking
from contract.test_streams_table import seen, wanted
from support.raw_server import Connection, Request, serving

from dify_notebook import AsyncDify, DifyError
from dify_notebook.net.responses import blocking_events
from dify_notebook.turn.fold import fold_all

pytestmark = pytest.mark.anyio


def test_every_answer_has_one_line() -> None:
    assert EXPECTED_BLOCKING.keys() == load_blocking().keys()
    assert len(EXPECTED_BLOCKING) == 79


@pytest.mark.parametrize("case", sorted(EXPECTED_BLOCKING))
def test_the_turn_is_what_a_person_would_expect(case: str) -> None:
    expected = EXPECTED_BLOCKING[case]
    turn = fold_all(blocking_events(load_blocking()[case].body, 1.0))
    assert seen(turn, expected) == wanted(expected)
    assert turn.app_mode == ("workflow" if isinstance(expected, Run) else "completion")
    assert turn.created_at is not None or isinstance(expected, Run)


ASKS: dict[str, Callable[[AsyncDify], Any]] = {
    "workflows-run": lambda dify: dify.workflows.run(response_mode="blocking"),
    "completion-messages": lambda dify: dify.completion.send(response_mode="blocking"),
}


@pytest.mark.parametrize("case", [case for case in sorted(EXPECTED_BLOCKING) if "0.15" not in case])
async def test_the_client_gives_it_or_says_why_not(case: str) -> None:
    recording, expected = load_blocking()[case], EXPECTED_BLOCKING[case]

    def script(request: Request, connection: Connection) -> None:
        connection.reply("200 OK", recording.body, "application/json")

    ask = ASKS[case.partition("/")[2].partition("__")[0]]
    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            if expected.status == "failed":
                with pytest.raises(DifyError) as caught:
                    await ask(dify)
                assert caught.value.code == expected.error_code
                turn = caught.value.turn
            else:
                turn = await ask(dify)
    assert turn is not None
    assert seen(turn, expected) == wanted(expected)
    assert turn.source == "blocking"
