"""Runs that wait for a person: answered, followed to their end, and lost on the way."""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from contract import streams
from support.followed_run import Event, Run, Server, events_of
from support.raw_server import RawServer, serving
from unit.test_net_drops import codes, forms, places, untimed

from dify_notebook import AsyncDify, Bounds, Dify
from dify_notebook.errors import APIError, DifyError, InputError, NotFoundError
from dify_notebook.net import forms as forms_module
from dify_notebook.net import stream as stream_module
from dify_notebook.turn.state import Turn

pytestmark = pytest.mark.anyio

ANSWER: dict[str, Any] = {"action": "approve", "inputs": {"note": "a <b> note", "kind": "y"}}
WHOLE = "Draft: word0 word1 word2 word3\nApproved with a <b> note y: word0 word1 word2 word3 word4"
USAGE = {"message_tokens": 20, "answer_tokens": 9, "total_tokens": 29, "total_price": "0.000038", "currency": "USD"}
TOKENS = [f"FormTokenFormToken000{number}" for number in range(10)]


def stream_events(case: str) -> list[Event]:
    """As recorded, but for the time at which its forms expire."""
    events = events_of(streams.load()[f"1.16.1/{case}"].body)
    for event in events:
        data = event.get("data") or {}
        for form in (data, *(data.get("reasons") or ())):
            if "expiration_time" in form:
                form["expiration_time"] = 4_000_000_000
    return events


def recorded(**told: Any) -> tuple[Run, int]:
    """The run that asked and was answered, and where it paused."""
    before = stream_events("chat-messages__humanflow-pause")
    after = stream_events("workflow-events__humanflow-resumed-snapshot")
    number = next(number for number, event in enumerate(after, 1) if event["event"] == "workflow_paused")
    return Run([*before, *after[number:]], **{"answer": WHOLE, "usage": USAGE, **told}), len(before)


def resumption(run: list[Event], form: Event, said: str, then: list[Event]) -> list[Event]:
    """What a server tells once that form was answered, with `said` as the text behind it."""
    started = next(event for event in run if event["event"] == "workflow_started")
    node = next(event for event in run if (event.get("data") or {}).get("id") == form["form_id"])
    message = {name: started[name] for name in ("conversation_id", "message_id", "created_at", "task_id")}
    outputs = {"__action_id": form["actions"][0]["id"], "__rendered_content": "rendered"}
    ended = {**node["data"], "inputs": {}, "outputs": outputs, "status": "succeeded", "process_data": {}}
    return [
        {**started, "data": {**started["data"], "reason": "resumption"}},
        node,
        {"event": "message", **message, "answer": said},
        {**node, "event": "node_finished", "data": ended},
        *then,
    ]


def ending(run: list[Event], answer: str) -> list[Event]:
    started = next(event for event in run if event["event"] == "workflow_started")
    ids = {name: started[name] for name in ("conversation_id", "message_id", "created_at", "task_id", "workflow_run_id")}
    data = {"id": started["workflow_run_id"], "status": "succeeded", "outputs": {"answer": answer}}
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    return [
        {"event": "message_end", **ids, "metadata": {"usage": usage}},
        {"event": "workflow_finished", **ids, "data": data},
    ]


@pytest.fixture
def human() -> Iterator[tuple[Server, RawServer, int]]:
    run, pause = recorded()
    server = Server(run, at=[pause])
    with serving(server) as raw:
        yield server, raw, pause


async def asked(dify: AsyncDify) -> Turn:
    turn = await dify.chat.send("may I")
    assert turn.status == "paused"
    return turn


async def resumed(dify: AsyncDify, turn: Turn | str, **options: Any) -> Turn:
    async with dify.chat.resume(turn, **options) as stream:
        return await stream.read()


def check(turn: Turn) -> None:
    assert (turn.answer, turn.status, turn.complete) == (WHOLE, "succeeded", True)
    assert [(form.status, form.action, dict(form.inputs or {})) for form in turn.forms] == [
        ("filled", "approve", ANSWER["inputs"])
    ]
    assert [node.status for node in turn.nodes or ()] == ["succeeded"] * 6
    assert turn.usage is not None
    assert turn.usage.total_tokens == 29
    assert turn.task_id == "82e450e5-4773-4e69-8f4c-e7cc857969bf"


async def test_an_answered_run_goes_on_in_one_turn(human: tuple[Server, RawServer, int]) -> None:
    server, raw, _ = human
    async with AsyncDify("app-x", raw.url, "me") as dify:
        paused = await asked(dify)
        turn = await paused.forms[0].submit(**ANSWER)
        check(turn)
        assert codes(turn) == set()
        times = [at for at, _ in turn.tape.entries]
        assert times == sorted(times), "one clock from the question on"
        assert server.submitted == [(TOKENS[4], {**ANSWER, "user": "me"})]
        assert untimed(turn.tape.replay()) == {**untimed(turn), "inputs": None}
        assert [request.path.partition("?")[0].split("/")[2] for request in raw.requests] == [
            "chat-messages", "form", "workflow",
        ]  # fmt: skip
        with pytest.raises(InputError, match="answered"):
            await paused.forms[0].submit(**ANSWER)
        with pytest.raises(InputError):
            await turn.forms[0].submit(**ANSWER)
        assert len(raw.requests) == 3, "nothing is sent twice"


def test_without_await(human: tuple[Server, RawServer, int]) -> None:
    _, raw, _ = human
    with Dify("app-x", raw.url, "me") as dify:
        paused = dify.chat.send("may I")
        assert dify.forms.get(paused.forms[0]).fields == paused.forms[0].fields
        turn = paused.forms[0].submit(**ANSWER)
        check(turn)
        with dify.chat.resume(turn) as stream:
            assert stream.read().answer == WHOLE


@pytest.mark.parametrize("missed", [0, 3, 99])
async def test_the_stream_that_goes_on_may_be_lost_at_every_event(
    human: tuple[Server, RawServer, int], missed: int
) -> None:
    server, raw, pause = human
    state, total = len(server.run.state(pause)), len(server.run.events)
    async with AsyncDify("app-x", raw.url, "me") as dify:
        for told in range(state + total - pause):
            dify._answered.clear()
            server.at, server.stops = [pause], [None]
            paused = await asked(dify)
            reached = pause + max(told - state, 0)
            server.at, server.stops = [pause, min(reached + missed, total)], [told, None]
            turn = await paused.forms[0].submit(**ANSWER)
            assert (turn.answer, turn.status) == (WHOLE, "succeeded"), told
            assert forms(turn) in (forms_of_whole(), forms_untold(paused)), told
            assert len(places(turn)) == 6 or "nodes" in codes(turn), told
            assert turn.usage is not None
            assert turn.usage.total_tokens == 29, told
            assert untimed(turn.tape.replay()) == {**untimed(turn), "inputs": None}, told
            assert codes(turn) <= {"followed", "nodes"}, told


def forms_of_whole() -> list[Any]:
    content = "# Please check\n\nQuestion: may I\n\nNote: a <b> note\n\nKind: y"
    return [("003f41a8-f2a0-451a-947d-9538cbe2fc73", "filled", "approve", content)]


def forms_untold(paused: Turn) -> list[Any]:
    """As this client answered it, where the server did not say what became of it."""
    return [(form.id, "filled", "approve", form.content) for form in paused.forms]


@pytest.mark.parametrize(("first", "second"), [(2, 9), (4, 6), (9, 9), (12, 25), (20, 40)])
async def test_two_losses_in_one_run(first: int, second: int) -> None:
    run = Run(stream_events("chat-messages__richflow-please-words-5"), answer="", usage=USAGE)
    text = "".join(event["answer"] for event in run.events if event["event"] == "message")
    run.answer = text
    server = Server(run, cut=first, at=[first + 1, first + second], stops=[len(run.state(first + 1)) + second - 2, None])
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify, dify.chat.stream("hi") as stream:
            turn = await stream.read()
    assert (turn.answer, turn.status, codes(turn) >= {"followed"}) == (text, "succeeded", True)
    assert len({node.id for node in turn.nodes or ()}) == 15
    assert [node.id for node in turn.nodes or () if node.node_id == "it"] == ["it"]
    assert {node.round for node in turn.nodes or () if node.parent == "it"} == {0, 1, 2}


@pytest.mark.parametrize("told", range(6))
async def test_a_loss_while_the_state_is_told(told: int) -> None:
    events = stream_events("chat-messages__richflow-please-words-5")
    run = Run(events, answer="".join(event["answer"] for event in events if event["event"] == "message"), usage=USAGE)
    server = Server(run, cut=8, at=[12, 12], stops=[told, None])
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify, dify.chat.stream("hi") as stream:
            turn = await stream.read()
    assert (turn.answer, turn.status) == (run.answer, "succeeded")
    assert len(turn.nodes or ()) == 15
    assert [request.method for request in raw.requests] == ["POST", "GET", "GET", "GET"]


# -- what became of it meanwhile ----------------------------------------------------------------


async def test_it_waits_still(human: tuple[Server, RawServer, int]) -> None:
    server, raw, _ = human
    async with AsyncDify("app-x", raw.url, "me") as dify:
        paused = pickle.loads(pickle.dumps(await asked(dify)))
        assert paused.forms[0].token is None
        turn = await resumed(dify, paused)
        assert (turn.status, turn.answer, forms(turn)) == ("paused", paused.answer, forms(paused))
        token = turn.forms[0].token
        assert token is not None
        assert token.reveal() == TOKENS[4]
        assert places(turn) == places(paused)
        assert server.stopped == []


@pytest.mark.parametrize("submitted", [True, False])
async def test_it_was_answered_elsewhere_or_has_expired(submitted: bool) -> None:
    told = {"action_id": "reject", "submitted_data": {"note": "n", "kind": "x"}, "rendered_content": "Asked"}
    form = {"form_id": "003f41a8-f2a0-451a-947d-9538cbe2fc73", "form_token": None}
    content = {"type": "human_input", "submitted": submitted, "form_definition": form}
    run, pause = recorded(forms=[{**content, "form_submission_data": told if submitted else None}])
    server = Server(run, at=[len(run.events)])
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            paused = await asked(dify)
            turn = await resumed(dify, paused)
    assert (turn.answer, turn.status, turn.complete, codes(turn)) == (WHOLE, "succeeded", True, {"nodes"})
    assert turn.usage is not None
    closed = turn.forms[0]
    if submitted:
        assert (closed.status, closed.action, closed.inputs, closed.content) == (
            "filled", "reject", told["submitted_data"], "Asked",
        )  # fmt: skip
    else:
        assert (closed.status, closed.action, closed.inputs) == ("timeout", None, None)
    assert untimed(turn.tape.replay()) == {**untimed(turn), "inputs": None}


async def test_it_was_answered_elsewhere_and_works_still() -> None:
    told = {"action_id": "reject", "submitted_data": {"note": "n", "kind": "x"}, "rendered_content": "Asked"}
    form = {"form_id": "003f41a8-f2a0-451a-947d-9538cbe2fc73", "form_token": None}
    run, pause = recorded(forms=[{"submitted": True, "form_definition": form, "form_submission_data": told}])
    ended = next(number for number in range(pause, len(run.events)) if run.events[number]["event"] == "node_finished")
    server = Server(run, at=[ended + 1])
    server.submitted.append((TOKENS[4], None))
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            turn = await resumed(dify, await asked(dify))
    assert (turn.answer, turn.status, codes(turn)) == (WHOLE, "succeeded", {"nodes"})
    assert (turn.forms[0].status, turn.forms[0].action, turn.forms[0].content) == ("filled", "reject", "Asked")
    assert len(turn.nodes or ()) == 6


async def test_a_run_that_ended_long_ago_without_a_history_is_told_with_a_warning() -> None:
    run, _ = recorded()
    server = Server(run, at=[len(run.events)])
    server.messages = False
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            turn = await resumed(dify, await asked(dify))
            by_id = await resumed(dify, run.id)
    assert (turn.answer, turn.status, codes(turn)) == (WHOLE, "succeeded", {"nodes", "unmoderated"})
    assert (by_id.answer, by_id.status, by_id.workflow_run_id) == (WHOLE, "succeeded", run.id)
    assert codes(by_id) == {"nodes", "unmoderated"}


async def test_a_run_is_read_by_its_id(human: tuple[Server, RawServer, int]) -> None:
    server, raw, pause = human
    async with AsyncDify("app-x", raw.url, "me") as dify:
        turn = await resumed(dify, server.run.id)
        assert (turn.status, turn.answer, turn.user) == ("paused", "Draft: word0 word1 word2 word3\n", "me")
        again = await turn.forms[0].submit(**ANSWER)
        assert (again.answer, again.status) == (WHOLE, "succeeded")
        with pytest.raises(NotFoundError):
            await resumed(dify, "another")
        with pytest.raises(InputError):
            dify.chat.resume(Turn(status="succeeded"))


# -- more than one form ---------------------------------------------------------------------------


async def test_one_form_after_another() -> None:
    before = stream_events("chat-messages__twohumans-pause")
    first = next(event for event in before if event["event"] == "human_input_required")
    second = {**first, "data": {**first["data"], "form_id": "second", "node_id": "two", "form_token": "SecondFormToken"}}
    node = next(event for event in before if (event.get("data") or {}).get("id") == first["data"]["form_id"])
    node = {**node, "data": {**node["data"], "id": "second", "node_id": "two"}}
    paused = next(event for event in before if event["event"] == "workflow_paused")
    reasons = [{**paused["data"]["reasons"][0], "form_id": "second", "form_token": "SecondFormToken"}]
    asks = [node, second, {**paused, "data": {**paused["data"], "reasons": reasons, "paused_nodes": ["two"]}}]
    middle = [*before, *resumption(before, first["data"], "One. ", asks)]
    events = [*middle, *resumption(middle, second["data"], "Two.", ending(before, "One. Two."))]
    server = Server(Run(events, answer="One. Two.", usage=USAGE), at=[len(before), len(middle)])
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            turn = await asked(dify)
            answer = {field.name: field.options[0] if field.options else "x" for field in turn.forms[0].fields}
            then = await turn.forms[0].submit(action=turn.forms[0].actions[0].id, inputs=answer)
            assert (then.status, then.answer, [form.status for form in then.forms]) == (
                "paused", "One. ", ["filled", "waiting"],
            )  # fmt: skip
            last = await then.forms[1].submit(action=then.forms[1].actions[0].id, inputs=answer)
            assert (last.status, last.answer, [form.status for form in last.forms]) == (
                "succeeded", "One. Two.", ["filled", "filled"],
            )  # fmt: skip
            assert untimed(last.tape.replay()) == {**untimed(last), "inputs": None}
    assert [token for token, _ in server.submitted] == [TOKENS[6], "SecondFormToken"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_two_forms_at_once(order: tuple[int, int]) -> None:
    before = stream_events("chat-messages__brancha-go")
    asked_events = [event for event in before if event["event"] == "human_input_required"]
    paused = next(event for event in before if event["event"] == "workflow_paused")
    one, other = (asked_events[number] for number in order)
    left = [reason for reason in paused["data"]["reasons"] if reason["form_id"] == other["data"]["form_id"]]
    asks = [other, {**paused, "data": {**paused["data"], "reasons": left}}]
    middle = [*before, *resumption(before, one["data"], "L", asks)]
    events = [*middle, *resumption(middle, other["data"], "R", ending(before, "LR"))]
    server = Server(Run(events, answer="LR", usage=USAGE), at=[len(before), len(middle)])
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            turn = await asked(dify)
            assert [form.status for form in turn.forms] == ["waiting", "waiting"]
            then = await turn.forms[order[0]].submit(action="approve")
            assert (then.status, then.answer) == ("paused", "L")
            assert {form.id: form.status for form in then.forms} == {
                one["data"]["form_id"]: "filled", other["data"]["form_id"]: "waiting",
            }  # fmt: skip
            last = await then.forms[order[1]].submit(action="approve")
            assert (last.status, last.answer) == ("succeeded", "LR")
            assert {form.status for form in last.forms} == {"filled"}


# -- its time -------------------------------------------------------------------------------------


async def test_leaving_stops_no_run_that_waits(human: tuple[Server, RawServer, int]) -> None:
    server, raw, pause = human
    server.stops = [2]
    async with AsyncDify("app-x", raw.url, "me") as dify:
        paused = await asked(dify)
        async with dify.chat.resume(paused) as stream:
            assert stream.task_id == "82e450e5-4773-4e69-8f4c-e7cc857969bf"
        assert (stream.turn.end, server.stopped) == ("cancelled", [])
        server.stops = [None]
        await dify.forms.submit(paused.forms[0], **ANSWER)
        async with dify.chat.resume(paused) as stream:
            async for _ in stream:
                if "Approved" in stream.turn.answer:
                    break
        assert server.stopped == [paused.task_id]


def pinging(server: Server, told: Sequence[Event] = ()) -> Any:
    """The same, but what follows a run says nothing but pings, behind what is told first."""

    def script(request: Any, connection: Any) -> None:
        if not request.path.startswith("/v1/workflow/"):
            server(request, connection)
            return
        connection.head()
        for event in told:
            connection.event(**event)
        while not connection.wait_until_left(0.05):
            connection.chunk(b"event: ping\n\n")

    return script


async def test_a_server_that_pings_for_ever_is_left(human: tuple[Server, RawServer, int]) -> None:
    server, _, _ = human
    with serving(pinging(server)) as raw:
        async with AsyncDify("app-x", raw.url, "me", bounds=Bounds(silence=1)) as dify:
            paused = await asked(dify)
            turn = await resumed(dify, paused)
            assert (turn.status, turn.end, turn.complete) == ("incomplete", "disconnected", False)
            assert turn.error is not None
            assert (turn.error.code, "1 s" in turn.error.message) == ("silence", True)
            assert untimed(turn.tape.replay()) == {**untimed(turn), "inputs": None}
            over = await resumed(dify, paused, timeout=0.2)
            assert (over.status, over.end, over.stop_confirmed) == ("incomplete", "timed_out", True)
            async with dify.chat.resume(paused) as stream:
                reading = asyncio.ensure_future(stream.read())
                await asyncio.sleep(0)
                assert await stream.stop()
                turn = await reading
            assert (turn.status, turn.end, turn.stop_confirmed) == ("stopped", "stopped", True)
            assert set(server.stopped) == {paused.task_id}


async def test_a_first_stream_that_pings_for_ever_is_left() -> None:
    def script(request: Any, connection: Any) -> None:
        connection.head()
        while not connection.wait_until_left(0.05):
            connection.chunk(b"event: ping\n\n")

    with serving(script) as raw:
        async with AsyncDify("app-x", raw.url, "me", bounds=Bounds(silence=1)) as dify, dify.chat.stream("hi") as stream:
            turn = await stream.read()
    assert (turn.status, turn.end, turn.error and turn.error.code) == ("incomplete", "disconnected", "silence")


async def test_a_stop_never_goes_to_the_runs_id(
    human: tuple[Server, RawServer, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run's state has it where the task's id belongs."""
    server, _, _ = human
    monkeypatch.setattr(stream_module, "STOP_SECONDS", 0.3)
    with serving(pinging(server, server.run.state(6))) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            for run, task in ((server.run.id, []), (await asked(dify), [server.run.task])):
                async with dify.chat.resume(run) as stream:
                    reading = asyncio.ensure_future(stream.read())
                    while stream.version < 3:
                        await asyncio.sleep(0.01)
                    assert await stream.stop() == bool(task)
                    await reading
                assert server.stopped == task


async def test_an_interrupt_leaves_the_turn_and_does_not_stop_a_run_that_waits(
    human: tuple[Server, RawServer, int],
) -> None:
    server, _, _ = human
    with serving(pinging(server)) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            paused = await asked(dify)
            reading = asyncio.ensure_future(resumed(dify, paused))
            while len(raw.requests) < 2:
                await asyncio.sleep(0.01)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await reading
    turn = caught.value.turn  # type: ignore[attr-defined]
    assert (turn.answer, turn.end, server.stopped) == (paused.answer, "cancelled", [])


async def test_who_takes_time_for_what_came_loses_nothing(human: tuple[Server, RawServer, int]) -> None:
    _, raw, _ = human
    async with AsyncDify("app-x", raw.url, "me", bounds=Bounds(silence=1)) as dify, dify.chat.stream("hi") as stream:
        async for event in stream:
            if event.answer_text == "Draft: ":
                await asyncio.sleep(1.5)
    assert stream.turn.status == "paused"


# -- the token ------------------------------------------------------------------------------------


async def test_after_pickling_the_server_tells_the_token_again(human: tuple[Server, RawServer, int]) -> None:
    server, raw, _ = human
    async with AsyncDify("app-x", raw.url, "me") as dify:
        paused = pickle.loads(pickle.dumps(await asked(dify)))
        with pytest.raises(InputError, match="forms.submit"):
            paused.forms[0].submit(**ANSWER)
        form = await dify.forms.get(paused.forms[0])
        assert (form.id, form.fields, form.actions) == (
            paused.forms[0].id, paused.forms[0].fields, paused.forms[0].actions,
        )  # fmt: skip
        await dify.forms.submit(paused.forms[0], **ANSWER)
        assert server.submitted == [(TOKENS[4], {**ANSWER, "user": "me"})]
        check(await resumed(dify, paused))


async def test_a_form_of_a_run_that_goes_on_has_no_token(
    human: tuple[Server, RawServer, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, _, _ = human
    monkeypatch.setattr(forms_module, "ASK_SECONDS", 0.3)
    with serving(pinging(server)) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            paused = pickle.loads(pickle.dumps(await asked(dify)))
            with pytest.raises(InputError, match="token"):
                await dify.forms.get(paused.forms[0])


REFUSALS = [
    ("412 Precondition Failed", "human_input_form_submitted", APIError),
    ("400 Bad Request", "invalid_form_data", APIError),
    ("404 Not Found", "human_input_form_not_found", NotFoundError),
]


@pytest.mark.parametrize(("status", "code", "kind"), REFUSALS, ids=[code for _, code, _ in REFUSALS])
async def test_the_token_is_nowhere(
    human: tuple[Server, RawServer, int],
    status: str,
    code: str,
    kind: type[DifyError],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Any,
) -> None:
    server, raw, _ = human
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "dify_notebook"):
        caplog.set_level(logging.DEBUG, logger=name)
    path = f"/v1/form/human_input/{TOKENS[4]}"
    body = {"code": code, "message": f"No: {path} ({TOKENS[4]})", "status": int(status[:3])}
    server.refusal = (status, body)
    async with AsyncDify("app-x", raw.url, "me") as dify:
        paused = await asked(dify)
        with pytest.raises(kind) as caught:
            await paused.forms[0].submit(**ANSWER)
        server.refusal = None
        dify._answered.clear()  # one that was submitted elsewhere is remembered
        await dify.forms.get(paused.forms[0])
        turn = await paused.forms[0].submit(**ANSWER)
        turn.tape.save(tmp_path / "run.tape.gz")
    import gzip
    import traceback

    problem = caught.value
    assert problem.code == code
    places_of_it = [
        caplog.text,
        gzip.decompress((tmp_path / "run.tape.gz").read_bytes()).decode(),
        str(list(turn.tape.entries)) + str(list(paused.tape.entries)),
        pickle.dumps([turn, paused]).decode("latin-1"),
        "".join(traceback.format_exception(problem)) + repr(problem) + str(vars(problem)),
        repr([turn, paused, *paused.forms, *turn.forms, paused.forms[0].token, dify]),
        str(list(paused.tape.events)),
    ]
    assert len(caplog.records) > 3
    assert [number for number, text in enumerate(places_of_it) if TOKENS[4] in text] == []


async def test_a_run_whose_end_was_missed_is_found_in_the_history() -> None:
    """The message's end was heard, and not the run's: servers before Dify 1.13.1 tell that first."""
    events = stream_events("chat-messages__multianswer-go")
    text = "".join(event["answer"] for event in events if event["event"] == "message")
    run = Run(events[:-1], answer=text, usage=USAGE)
    server = Server(run, cut=5, at=[12])
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            async with dify.chat.stream("hi") as stream:
                turn = await stream.read()
            server.messages = False
            async with dify.chat.stream("hi") as stream:
                lost = await stream.read()
    assert (turn.answer, turn.status, turn.complete, len(turn.nodes or ())) == (text, "succeeded", True, 5)
    assert (lost.complete, "gap" in codes(lost)) == (False, True)


async def test_the_history_of_a_form_that_waits_tells_its_token_to_nobody() -> None:
    form = {"form_id": "003f41a8-f2a0-451a-947d-9538cbe2fc73", "form_token": TOKENS[4]}
    run, pause = recorded(forms=[{"submitted": False, "form_definition": form, "form_submission_data": None}])
    server = Server(run, cut=6, at=[pause])
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            turn = await asked(dify)
            assert turn.answer == "Draft: word0 word1 word2 word3\n"
            assert [request.path.partition("?")[0] for request in raw.requests][-1] == "/v1/messages"
            told = [repr(turn), str(list(turn.tape.entries)), str(list(turn.tape.events)), str(pickle.dumps(turn))]
            assert [text for text in told if TOKENS[4] in text] == []
            token = turn.forms[0].token
            assert token is not None
            assert token.reveal() == TOKENS[4]


@pytest.mark.parametrize("history", [True, False])
@pytest.mark.parametrize("replaced", [True, False])
async def test_a_moderated_answer_stays_moderated(replaced: bool, history: bool) -> None:
    """Without a history what was replaced stays; what nobody heard of is said to be unmoderated."""
    events = stream_events("chat-messages__modflow-words-12")
    run = Run(events, answer="Not that answer.", usage=USAGE)
    at = [event["event"] for event in events].index("message_replace")
    server = Server(run, cut=at + replaced, at=[len(events)])
    server.messages = history
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify, dify.chat.stream("hi") as stream:
            turn = await stream.read()
    said = "".join(event["answer"] for event in events if event["event"] == "message")
    assert turn.answer == ("Not that answer." if replaced or history else said)
    assert turn.replaced == (replaced or history)
    assert codes(turn) & {"gap", "unmoderated"} == (set() if history else {"gap"} if replaced else {"unmoderated"})
    assert turn.status == "succeeded"


@pytest.mark.parametrize("by_id", [True, False])
async def test_a_run_that_is_read_on_hears_no_other(human: tuple[Server, RawServer, int], by_id: bool) -> None:
    server, _, _ = human
    other = {"workflow_run_id": "another", "message_id": "another", "task_id": "another", "conversation_id": "another"}
    told = [{**event, **{name: value for name, value in other.items() if name in event}} for event in server.run.events]
    with serving(pinging(server, told)) as raw:
        async with AsyncDify("app-x", raw.url, "me", bounds=Bounds(silence=1)) as dify:
            paused = await asked(dify)
            turn = await resumed(dify, server.run.id if by_id else paused)
    assert (turn.answer, turn.end) == ("" if by_id else paused.answer, "disconnected")
    assert (turn.error and turn.error.code, turn.workflow_run_id == "another") == ("silence", False)


async def test_a_run_whose_reading_on_was_refused_is_read_on_by_what_was_left(human: tuple[Server, RawServer, int]) -> None:
    """Its form is answered by then, and the server may not have noticed yet."""
    server, _, pause = human
    refused: list[Any] = []

    def script(request: Any, connection: Any) -> None:
        if request.path.startswith("/v1/workflow/") and not refused:
            refused.append(request)
            connection.reply("503 No", {"code": "internal", "message": "no", "status": 503})
        else:
            server(request, connection)

    with serving(script) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            paused = await asked(dify)
            with pytest.raises(DifyError) as caught:
                await paused.forms[0].submit(**ANSWER)
            left = caught.value.turn
            assert left is not None
            assert left.forms[0].status == "filled"
            assert server.at == [pause]
            check(await resumed(dify, left))
