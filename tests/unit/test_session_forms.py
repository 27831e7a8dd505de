"""A session goes on with a run that paused: answered by Python, by a view, twice, at once, by somebody else."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.human_app import KEY, HumanApp, human

from dify_notebook import AsyncDify, Dify, Session
from dify_notebook.errors import APIError, ConfigError, DifyError, InputError
from dify_notebook.frames.tapes import Tapes
from dify_notebook.net.forms import linked, refused
from dify_notebook.session import Run
from dify_notebook.tape import Tape, run_store
from dify_notebook.turn.forms import Form
from dify_notebook.turn.state import Turn


class Talk:
    def __init__(self, app: HumanApp, url: str) -> None:
        self.app, self.url = app, url
        self.session = Session(Dify(KEY, url, "anna"))

    def paused(self, query: str = "ask may I") -> Turn:
        turn = self.session.ask(query).result(10)
        assert turn.status == "paused"
        return turn


@pytest.fixture
def talk() -> Iterator[Talk]:
    app, server = human()
    try:
        yield Talk(app, server.url)
    finally:
        server.close()
    assert not server.errors


def test_a_form_is_answered_and_the_turn_stands_in_its_place(talk: Talk) -> None:
    turn = talk.paused()
    talk.session.ask("hello").result(10)
    after: Turn = turn.forms[0].submit(action="approve", inputs={"kind": "y"})
    assert (after.status, after.answer) == ("succeeded", "Draft. [ask: approve] Done.")
    assert (after.forms[0].status, after.forms[0].action) == ("filled", "approve")
    assert after.forms[0].inputs == {"note": "my note", "kind": "y"}
    assert talk.app.submissions == [{"inputs": {"note": "my note", "kind": "y"}, "action": "approve", "user": "anna"}]
    assert [one.status for one in talk.session.turns] == ["succeeded", "succeeded"]
    assert talk.session.turns[0] is after
    assert (after.turn_number, after.app) == (turn.turn_number, turn.app)
    assert talk.session.conversation_id == talk.session.turns[1].conversation_id


def test_the_times_of_a_run_that_went_on_are_in_order(talk: Talk) -> None:
    turn = talk.paused()
    after: Turn = turn.forms[0].submit(action="approve", inputs={"kind": "y"})
    assert turn.timing is not None
    assert after.timing is not None
    assert after.timing.opened == turn.timing.opened
    known = [after.timing.opened, after.timing.first_event, after.timing.first_token, after.timing.total]
    assert None not in known
    assert known == sorted(known, key=lambda time: time or 0.0)


def test_listeners_see_the_run_that_goes_on(talk: Talk) -> None:
    turn = talk.paused()
    seen: list[tuple[Turn | None, bool]] = []
    talk.session.subscribe(lambda run, ended: seen.append((run.resumes, ended)))
    run: Run = talk.session.submit(turn.forms[0], action="reject", inputs={"kind": "x"}).result(10)
    assert run.resumes is turn
    assert run.outcome().answer == "Draft. [ask: reject] Done."
    assert seen == [(turn, False), (turn, True)]


def test_a_run_may_pause_again_and_again(talk: Talk) -> None:
    turn = talk.paused("twice please")
    second: Turn = turn.forms[0].submit(action="approve", inputs={"kind": "x"})
    assert [form.status for form in second.forms] == ["filled", "waiting"]
    assert second.status == "paused"
    third: Turn = second.forms[1].submit(action="reject", inputs={"kind": "x"})
    assert third.answer == "Draft. [ask: approve] [again: reject] Done."
    assert [form.action for form in third.forms] == ["approve", "reject"]
    assert list(talk.session.turns) == [third]


def test_two_forms_at_once_are_each_on_its_own(talk: Talk) -> None:
    turn = talk.paused("both please")
    left, right = turn.forms
    between: Turn = right.submit(action="reject", inputs={"kind": "x"})
    assert {form.node_id: form.status for form in between.forms} == {"left": "waiting", "right": "filled"}
    goes_on: list[Turn | None] = []
    talk.session.subscribe(lambda run, ended: goes_on.append(run.resumes))
    after: Turn = left.submit(action="approve", inputs={"kind": "x"})  # of the first turn, which knows less
    assert goes_on[0] is between
    assert after.answer == "Draft. [right: reject] [left: approve] Done."
    assert {form.node_id: form.action for form in after.forms} == {"left": "approve", "right": "reject"}


def test_two_forms_submitted_at_the_same_time_end_in_one_run(talk: Talk) -> None:
    turn = talk.paused("both please")
    futures = [talk.session.submit(form, action="approve", inputs={"kind": "x"}) for form in turn.forms]
    ends = [future.result(10).outcome() for future in futures]
    assert {end.status for end in ends} == {"succeeded"}
    assert len(talk.app.submissions) == 2
    assert [one.status for one in talk.session.turns] == ["succeeded"]


def test_a_run_that_ends_at_a_pause_that_is_over_goes_on_by_itself(talk: Talk) -> None:
    """The second form is taken when the state has been told in which it still waits."""
    turn = talk.paused("both please")
    left, right = turn.forms
    answer: dict[str, Any] = {"action": "approve", "inputs": {"kind": "x"}}
    talk.app.meanwhile = lambda: talk.session.call(talk.session.client.forms.submit(right, **answer))
    run = talk.session.submit(left, **answer).result(10)
    assert run.result(10).status == "paused"
    assert run.next is not None
    ended = run.outcome()
    assert (ended.status, {form.action for form in ended.forms}) == ("succeeded", {"approve"})
    assert [one.status for one in talk.session.turns] == ["succeeded"]


def test_a_form_is_sent_once_however_often_it_is_pressed(talk: Talk) -> None:
    turn = talk.paused()
    talk.app.hold = threading.Event()
    first = talk.session.submit(turn.forms[0], action="approve", inputs={"kind": "x"})
    again = talk.session.submit(turn.forms[0], action="reject", inputs={"kind": "x"})
    with pytest.raises(InputError, match="being submitted"):
        again.result(10)
    talk.app.hold.set()
    assert first.result(10).outcome().forms[0].action == "approve"
    with pytest.raises(InputError, match="answered already"):
        turn.forms[0].submit(action="approve", inputs={"kind": "x"})
    assert talk.app.posts == 1


def test_what_somebody_else_answered_is_said_and_shown(talk: Talk) -> None:
    turn = talk.paused()
    begun: concurrent.futures.Future[Run] = concurrent.futures.Future()
    talk.session.subscribe(lambda run, ended: None if ended else begun.set_result(run))
    Dify(KEY, talk.url, "boris").forms.submit(turn.forms[0], action="reject", inputs={"kind": "y"})
    with pytest.raises(APIError) as caught:
        turn.forms[0].submit(action="approve", inputs={"kind": "y"})
    assert "by somebody else" in refused(caught.value)
    with pytest.raises(InputError, match="answered already"):
        turn.forms[0].submit(action="approve", inputs={"kind": "y"})
    assert talk.app.posts == 2
    after = begun.result(10).outcome()
    assert (after.status, after.answer) == ("succeeded", "Draft. [ask: reject] Done.")
    assert after.forms[0].status == "filled"


def test_what_the_server_does_not_take_leaves_the_form_waiting(talk: Talk) -> None:
    turn = talk.paused()
    with pytest.raises(InputError, match="kind"):
        turn.forms[0].submit(action="approve")
    with pytest.raises(InputError, match="no action"):
        turn.forms[0].submit(action="maybe", inputs={"kind": "x"})
    assert talk.app.posts == 0
    plain = Dify(KEY, talk.url, "anna").forms
    token = turn.forms[0].token
    assert token is not None
    with pytest.raises(APIError) as caught:
        plain.submit(token, action="approve", inputs={"kind": "zz"})
    assert "Invalid value for select input 'kind'" in refused(caught.value)
    assert turn.forms[0].submit(action="approve", inputs={"kind": "x"}).status == "succeeded"


def test_an_expired_form_is_told_before_anything_is_sent() -> None:
    app, server = human(seconds=-5)
    try:
        turn = Talk(app, server.url).paused()
        with pytest.raises(InputError, match="expired at"):
            turn.forms[0].submit(action="approve", inputs={"kind": "x"})
        assert app.posts == 0
    finally:
        server.close()


def test_a_run_that_cannot_be_read_on_still_waits_with_its_form_answered(talk: Talk) -> None:
    turn = talk.paused()
    talk.app.lost = True
    with pytest.raises(DifyError):
        turn.forms[0].submit(action="approve", inputs={"kind": "x"})
    [still] = talk.session.turns
    assert (still.status, still.answer, still.error) == ("paused", "Draft. ", None)
    assert [(form.status, form.action) for form in still.forms] == [("filled", "approve")]
    assert talk.session.running is None
    talk.app.lost = False
    assert talk.session.resume(still).outcome().answer == "Draft. [ask: approve] Done."


def test_a_form_of_a_turn_that_was_had_elsewhere(talk: Talk) -> None:
    turn = talk.paused()
    other = Session(Dify(KEY, talk.url, "anna"))
    run = other.submit(turn.forms[0], action="approve", inputs={"kind": "x"}, turn=turn).result(10)
    assert run.resumes is turn
    assert run.outcome().answer == "Draft. [ask: approve] Done."


def test_a_run_is_gone_on_with_by_its_id(talk: Talk) -> None:
    turn = talk.paused()
    assert turn.workflow_run_id is not None
    other = Session(Dify(KEY, talk.url, "anna"))
    told = other.resume(turn.workflow_run_id, keep=True).outcome()
    assert (told.status, told.answer) == ("paused", "Draft. ")
    assert other.conversation_id == turn.conversation_id
    assert told.forms[0].submit(action="approve", inputs={"kind": "x"}).status == "succeeded"


def test_no_token_is_kept_anywhere(talk: Talk, caplog: pytest.LogCaptureFixture) -> None:
    turn = talk.paused("twice please")
    second: Turn = turn.forms[0].submit(action="approve", inputs={"kind": "x"})
    texts = [repr(turn), repr(second), repr(talk.session), repr(second.forms[1].link), caplog.text]
    texts += [str(second.tape.entries[index]) for index in range(len(second.tape.entries))] if second.tape else []
    assert len(talk.app.tokens) == 2
    assert not [token for token in talk.app.tokens for text in texts if token in text]


def test_each_code_is_said_in_words() -> None:
    for code, words in {
        "human_input_form_submitted": "answered already",
        "human_input_form_expired": "expired",
        "human_input_form_not_found": "does not know",
        "invalid_form_data": "does not take these values: why",
        "other": "why",
    }.items():
        assert words in refused(APIError("why", code=code, status=412))


def test_what_was_chosen_is_known_though_the_run_does_not_tell_it() -> None:
    """Of two forms that are submitted at once, the run that goes on was opened before the other was taken."""
    told = {"1": {"action": "approve", "inputs": {"kind": "x"}}, "2": {"action": "never", "inputs": {}}, "3": {}}
    forms = (
        Form(id="1", status="filled"),
        Form(id="2", status="filled", action="reject", inputs={"kind": "y"}),
        Form(id="3", status="filled"),
        Form(id="4", status="waiting"),
    )
    turn = linked(Turn(forms=forms), "link", told)
    assert [(form.action, form.inputs, form.link) for form in turn.forms] == [
        ("approve", {"kind": "x"}, None),
        ("reject", {"kind": "y"}, None),
        (None, None, None),
        (None, None, "link"),
    ]


def test_the_whole_run_is_kept_behind_its_beginning(talk: Talk) -> None:
    turn = talk.paused("twice please")
    second: Turn = turn.forms[0].submit(action="approve", inputs={"kind": "x"})
    third: Turn = second.forms[1].submit(action="approve", inputs={"kind": "x"})
    assert third.message_id is not None
    paths = [path for path in run_store().paths() if third.message_id in path.name]
    assert [Tape.load(path).header.status for path in paths] == ["paused", "paused", "succeeded"]
    assert Tape.load(paths[-1]).replay().answer == third.answer
    usage = Tapes().usage(third.message_id)
    assert usage is not None
    assert usage.total_tokens == 7


def test_a_turn_that_is_kept_by_reference_is_renewed_too(talk: Talk) -> None:
    talk.session = Session(Dify(KEY, talk.url, "anna"), keep=2)
    turn = talk.paused("twice please")
    for number in range(4):
        talk.session.ask(f"hello {number}").result(10)
    assert not isinstance(talk.session.turns._held[0], Turn)
    for form in (0, 1):
        turn = turn.forms[form].submit(action="approve", inputs={"kind": "x"})
        assert not isinstance(talk.session.turns._held[0], Turn)
        assert (talk.session.turns[0].status, talk.session.turns[0].answer) == (turn.status, turn.answer)
    assert turn.answer == "Draft. [ask: approve] [again: approve] Done."
    assert len(talk.session.turns) == 5


def test_nothing_is_sent_where_it_is_unclear_what_is_recorded(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = talk.paused()
    with monkeypatch.context() as patch:
        patch.setenv("DIFY_NOTEBOOK_RUNS", "perhaps")
        with pytest.raises(ConfigError):
            turn.forms[0].submit(action="approve", inputs={"kind": "x"})
    assert talk.app.posts == 0
    assert turn.forms[0].submit(action="approve", inputs={"kind": "x"}).status == "succeeded"


@pytest.mark.anyio
async def test_leaving_a_run_that_was_answered_here_stops_it_also_where_nothing_new_was_told(talk: Talk) -> None:
    async with AsyncDify(KEY, talk.url, "anna") as dify:
        turn = await dify.chat.send("ask slowly")
        await dify.forms.submit(turn.forms[0], action="approve", inputs={"kind": "x"})
        [run] = talk.app.runs.values()
        while not run.slow:
            await asyncio.sleep(0.01)
        async with dify.chat.resume(turn) as stream:
            async for _ in stream:
                if "Thinking" in stream.turn.answer:
                    break
    assert (talk.app.stops, run.finished) == (1, True)


def test_a_session_asks_an_earlier_version_of_a_chatflow(talk: Talk) -> None:
    version = "9f1c0c2e-5a4b-4b6e-8f7d-0c1d2e3f4a5b"
    for workflow_id in (None, version):
        turn = talk.session.ask("hello", workflow_id=workflow_id).result(10)
        assert turn.status == "succeeded"
    assert [body.get("workflow_id") for body in talk.app.questions] == [None, version]
