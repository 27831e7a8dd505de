"""Every recorded refusal and blocking answer, served over a socket, is what a person would call it."""

from __future__ import annotations

import pytest
from contract.expected_errors import EXPECTED_BLOCKING, EXPECTED_ERRORS
from contract.streams import Recording, load_plain
from support.raw_server import Connection, Request, Script, serving

from dify_notebook import AsyncDify
from dify_notebook import errors as er

pytestmark = pytest.mark.anyio


def replay(recording: Recording) -> Script:
    def script(request: Request, connection: Connection) -> None:
        kind = recording.header("content-type") or ""
        connection.reply(f"{recording.status} X", recording.body, kind)

    return script


@pytest.mark.parametrize("case", sorted(EXPECTED_ERRORS))
async def test_refusals(case: str) -> None:
    expected = EXPECTED_ERRORS[case]
    with serving(replay(load_plain()[case])) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            with pytest.raises(er.DifyError) as caught:
                await dify.chat.send("hi", response_mode="blocking")
    error = caught.value
    assert type(error) is getattr(er, expected.kind)
    assert error.status == expected.status
    if expected.code is not None:
        assert error.code == expected.code
        assert error.message.startswith(expected.said)
    else:  # no JSON: the code is ours
        assert error.code in ("", "not_json")


@pytest.mark.parametrize("case", sorted(EXPECTED_BLOCKING))
async def test_blocking_answers(case: str) -> None:
    expected = EXPECTED_BLOCKING[case]
    with serving(replay(load_plain()[case])) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            turn = await dify.chat.send("hi", response_mode="blocking")
    assert (turn.answer, turn.reasoning) == (expected.answer, expected.reasoning)
    assert turn.status == "succeeded"
    assert (turn.message_id or "").startswith(expected.ids.split()[0].replace("-", ""))
