"""The token of a form is a key: where a server, a layer below or a traceback might show it."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.raw_server import Connection, Request, serving

from dify_notebook import AsyncDify
from dify_notebook.errors import DifyError, InputError
from dify_notebook.i18n import t
from dify_notebook.net.bounds import Bounds
from dify_notebook.net.event_reader import EventReader
from dify_notebook.redact import redact, without_form_tokens
from dify_notebook.secret import Secret
from dify_notebook.turn.forms import Form
from dify_notebook.wire import calls
from dify_notebook.wire.events import HumanInputRequired

pytestmark = pytest.mark.anyio

TOKEN = "Zk9aQ2mX7pLwR4tVb8NcYd"
KEY = "app-" + "k3Yt" * 6
IDS = {"task_id": "t", "message_id": "m", "conversation_id": "c", "workflow_run_id": "r"}

SPELLED = [
    f"{{'form_token': '{TOKEN}'}}", f"'{{\\'form_token\\': \\'{TOKEN}\\'}}'", f"form_token={TOKEN}", f"form_token: {TOKEN}",
    f"/x?form_token={TOKEN}", f"&quot;form_token&quot;: &quot;{TOKEN}&quot;", f"<form_token>{TOKEN}</form_token>",
    f'{{"form_token": ["{TOKEN}"]}}', f'{{"form\\u005ftoken": "{TOKEN}"}}', f'{{"\\u0066orm_token": "{TOKEN}"}}',
    f'{{"formToken":"{TOKEN}"}}', f'{{"a":"{{\\"form_token\\": \\"x\\\\/{TOKEN}\\"}}"}}',
    f"/v1/form/human_input/ab.{TOKEN}", f"/form/human_input//{TOKEN}", f"%252Fform%252Fhuman_input%252F{TOKEN}",
    f"\\u002fform\\u002fhuman_input\\u002f{TOKEN}", f"see https://dify.test/form/{TOKEN}.",
]  # fmt: skip
CODE = [
    "form_token = form.token", "the form_token: a key", 'd["form_token"]', "/form/registration-of-new-members",
    "def f(form_token=None):", "/form/human_input/{form_token}",
]  # fmt: skip


@pytest.mark.parametrize("text", SPELLED)
def test_the_token_is_found_as_programs_and_pages_write_it(text: str) -> None:
    told = redact(text)
    assert TOKEN not in told
    assert redact(told) == told


@pytest.mark.parametrize("text", CODE)
def test_what_speaks_of_tokens_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "name", ['"form_token"', '"form\\u005ftoken"', '"\\u0066orm_toke\\u006E"'], ids=["plain", "escaped", "escaped twice"]
)
@pytest.mark.parametrize(
    "value", [f'"{TOKEN}"', f'["{TOKEN}"]', f'{{"value": {{"of": "{TOKEN}"}}}}', "98765432109876543210", f'"a\\"{TOKEN}"']
)
@pytest.mark.parametrize(
    "place",
    ['"data": {"reasons": [{%s}]}', '"data": {"outputs": {"deep": [[{%s}]]}}', '"data": {"inputs": {%s}}'],
    ids=["reason", "outputs", "inputs"],
)
def test_an_event_and_its_frame_hold_no_token_whatever_its_name_and_value_are(name: str, value: str, place: str) -> None:
    data = f'{{"event": "workflow_paused", "workflow_run_id": "r", {place % f"{name}: {value}"}}}'
    reader = EventReader(Bounds(), Secret(KEY))
    (frame,) = reader.split(f"data: {data}\n\n".encode())
    ((kept, event),) = reader.read(frame, 0.0)
    assert kept is not None
    assert kept[1] is not None
    assert json.loads(kept[1])["workflow_run_id"] == "r"
    for text in (kept[1].decode(), repr(event), repr(pickle.dumps(event)), repr(getattr(event, "data", None))):
        assert TOKEN not in text
        assert "98765432109876543210" not in text


def test_of_damaged_json_nothing_stays_behind_a_token_of_parts() -> None:
    assert without_form_tokens(f'{{"form_token": ["{TOKEN}", '.encode()) == b'{"form_token": null'


@pytest.mark.parametrize("token", ["..", f" \ud800{TOKEN}", "  "], ids=["dots", "no character", "blank"])
def test_a_token_that_is_no_segment_is_refused_without_being_shown(token: str) -> None:
    made: list[Callable[[Secret], object]] = [
        calls.get_form,
        lambda token: calls.submit_form(token, action="a", inputs={}, user="u"),
    ]
    for call in made:
        with pytest.raises(InputError) as caught:
            call(Secret(token))
        frames = caught.value.with_traceback(caught.tb.tb_next)  # the first is this test's, which knows the token
        shown = "".join(traceback.TracebackException.from_exception(frames, capture_locals=True).format())
        assert TOKEN not in shown + repr(pickle.dumps(caught.value))
        assert repr(token) not in str(caught.value)


def test_a_call_shows_no_token_of_other_letters() -> None:
    call = calls.get_form(Secret(f"ab.c~{TOKEN}/{TOKEN}"))
    assert TOKEN not in call.attempted + repr(call)


def answering(how: str) -> Callable[[Request, Connection], None]:
    def script(request: Request, connection: Connection) -> None:
        token = request.path.rpartition("/")[2]
        escaped = "".join(f"\\u{ord(letter):04x}" for letter in token)
        quoted = "".join(f"%{ord(letter):02x}" for letter in token)
        error = {"code": f"x{token}", "message": f"no {token}", "status": 400}
        match how:
            case "json":
                connection.reply("400 BAD", error, extra=f"X-Trace-Id: {token}\r\n")
            case "json, all is well":
                connection.reply("200 OK", error)
            case "escapes":
                connection.reply("400 BAD", f'{{"code": "x", "status": 400, "message": "no {escaped}"}}'.encode())
            case "percent":
                connection.reply("400 BAD", {**error, "code": "x", "message": f"no {quoted}"})
            case "html":
                connection.reply("200 OK", token.encode(), kind=f"text/html; for={token}")
            case "redirect":
                connection.reply("302 Found", b"", extra=f"Location: http://{token}.dify.test/form/{token}\r\n")
            case "header":
                connection.send(f"HTTP/1.1 200 OK\r\n{token} no header\r\n\r\n".encode())
            case "status":
                connection.send(f"{token} 200\r\n\r\n".encode())
            case "chunk":
                connection.head(kind="application/json")
                connection.send(f"{token}\r\n".encode())
        connection.close()

    return script


HOW = ("json", "json, all is well", "escapes", "percent", "html", "redirect", "header", "status", "chunk")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_no_error_repeats_the_token(how: str, method: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    with serving(answering(how)) as server:
        async with AsyncDify(api_key=KEY, base_url=server.url, user="u", retry=0.1) as dify:
            work = dify.forms.get(TOKEN) if method == "GET" else dify.forms.submit(TOKEN, action="a")
            with pytest.raises(DifyError) as caught:
                await work
    assert any(TOKEN in request.path for request in server.requests)
    for text in shown_of(caught.value):
        assert TOKEN not in text, text[max(0, text.index(TOKEN) - 300) :][:400]
    assert TOKEN not in caplog.text


def shown_of(problem: BaseException | None) -> list[str]:
    """All that Python, pickles and verbose tracebacks show of an exception and of those behind it."""
    texts: list[str] = []
    seen: set[int] = set()
    while problem is not None and id(problem) not in seen:
        seen.add(id(problem))
        shown = traceback.TracebackException.from_exception(problem, capture_locals=True)
        texts += ["".join(shown.format()), repr(problem), repr(problem.args), repr(vars(problem))]
        texts += [repr(pickle.dumps(problem))] if isinstance(problem, DifyError) else []
        problem = problem.__cause__ or problem.__context__
    return texts


def telling(asked: list[bool]) -> Callable[[Request, Connection], None]:
    """A server that tells a token and then nothing more."""

    def script(request: Request, connection: Connection) -> None:
        if request.path.endswith("/stop"):
            connection.reply("200 OK", {"result": "success"})
            return
        if request.path.startswith("/v1/messages"):
            connection.head(kind="application/json")
            connection.chunk(json.dumps({"data": [], "form_token": TOKEN}).encode())
        elif "/form/" not in request.path and "parameters" not in request.path and "info" not in request.path:
            connection.head()
            connection.event(event="workflow_started", **IDS, data={"id": "r"})
            data = {"form_id": "f", "node_id": "n", "form_content": "?", "form_token": TOKEN}
            connection.event(event="human_input_required", **IDS, data=data)
        asked.append(True)
        connection.wait_until_left()

    return script


CANCELLED: list[tuple[str, Callable[[AsyncDify], Awaitable[Any]]]] = [
    ("get", lambda dify: dify.forms.get(TOKEN)),
    ("submit", lambda dify: dify.forms.submit(TOKEN, action="a")),
    ("ask for the token", lambda dify: dify.forms.get(Form(id="other", workflow_run_id="r"))),
    ("resume", lambda dify: dify.chat.resume("r").__aenter__()),
    ("messages", lambda dify: anext(aiter(dify.messages.list("c")))),
]


@pytest.mark.parametrize(("name", "work"), CANCELLED, ids=[name for name, _ in CANCELLED])
async def test_no_frame_of_what_is_cancelled_holds_the_token(
    name: str, work: Callable[[AsyncDify], Awaitable[Any]]
) -> None:
    asked: list[bool] = []
    with serving(telling(asked)) as server:
        async with AsyncDify(api_key=KEY, base_url=server.url, user="u") as dify:

            async def working() -> None:
                made = await work(dify)
                if name == "resume":
                    async for event in made:
                        assert not isinstance(event, HumanInputRequired) or TOKEN not in repr(event)

            task = asyncio.ensure_future(working())
            async with asyncio.timeout(20):
                while not asked:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
    for text in shown_of(caught.value):
        assert TOKEN not in text, text[max(0, text.index(TOKEN) - 300) :][:400]


@pytest.mark.parametrize("how", ["lost", "502 Bad Gateway", "503 Service Unavailable"])
async def test_a_submission_without_an_answer_is_sent_once_and_said_to_be_unsure(how: str) -> None:
    def script(request: Request, connection: Connection) -> None:
        if how == "lost":
            connection.close()
        connection.reply(how, b"<html>gateway</html>", kind="text/html")

    with serving(script) as server:
        async with AsyncDify(api_key=KEY, base_url=server.url, user="u") as dify:
            with pytest.raises(DifyError) as caught:
                await dify.forms.submit(TOKEN, action="a")
    assert [request.method for request in server.requests] == ["POST"]
    assert caught.value.hint == t("forms.unsure")
    assert t("forms.unsure") in str(caught.value)


async def test_a_token_is_not_submitted_twice_at_once() -> None:
    asked: list[bool] = []
    with serving(telling(asked)) as server:
        async with AsyncDify(api_key=KEY, base_url=server.url, user="u") as dify:
            first = asyncio.ensure_future(dify.forms.submit(TOKEN, action="a"))
            async with asyncio.timeout(20):
                while not asked:
                    await asyncio.sleep(0.01)
            with pytest.raises(InputError):
                await dify.forms.submit(Secret(TOKEN), action="b")
            first.cancel()
            await asyncio.wait([first])
        assert sum(request.method == "POST" for request in server.requests) == 1


async def test_no_frame_of_an_answer_that_cannot_be_read_holds_the_token() -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.reply("200 OK", {"data": 7, "limit": "none", "form_token": TOKEN})

    with serving(script) as server:
        async with AsyncDify(api_key=KEY, base_url=server.url, user="u") as dify:
            with pytest.raises(DifyError) as caught:
                await anext(aiter(dify.messages.list("c")))
    for text in shown_of(caught.value):
        assert TOKEN not in text, text[max(0, text.index(TOKEN) - 300) :][:400]


def test_the_embedded_server_traces_no_token(caplog: pytest.LogCaptureFixture) -> None:
    import dify_notebook.local.server.process  # noqa: F401

    path = f"/v1/form/human_input/{TOKEN}"
    scope = {"path": path, "raw_path": path.encode(), "headers": [(b"authorization", f"Bearer {KEY}".encode())]}
    with caplog.at_level(5):
        logging.getLogger("uvicorn.asgi").log(5, "%s - ASGI [%d] Started scope=%s", "127.0.0.1:1", 1, scope)
    assert "Started scope" in caplog.text
    assert TOKEN not in caplog.text
    assert KEY not in caplog.text
