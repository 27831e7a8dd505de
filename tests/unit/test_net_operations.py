"""Every operation: what is sent, what the answer is read as, what is refused before sending."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.raw_server import Connection, Request, Script, serving

from dify_notebook import AsyncDify, Dify
from dify_notebook.errors import APIError, AuthenticationError, ConfigError, InputError, NotFoundError, ServerError

pytestmark = pytest.mark.anyio

WHEN = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
STAMP = 1_700_000_000
ID = "5c1f5fb1-8ad5-4f0c-b4d7-4b8f6b1b9f22"

#: (name, call, method, path with query, JSON sent, status, answer, what is made of it)
OPERATIONS: list[tuple[Any, ...]] = [
    ("rename", lambda d: d.conversations.rename("c/1", "Trip"), "POST", "/v1/conversations/c%2F1/name",
     {"name": "Trip", "auto_generate": False, "user": "u"}, "200 OK",
     {"id": "c1", "name": "Trip", "created_at": STAMP, "new": 1},
     lambda r: (r.id, r.name, r.created_at, r.extra) == ("c1", "Trip", WHEN, {"new": 1})),
    ("rename on old servers", lambda d: d.conversations.rename("c", auto_generate=True), "POST",
     "/v1/conversations/c/name", {"auto_generate": True, "user": "u"}, "200 OK", {"result": "success"},
     lambda r: (r.id, r.name) == ("c", "")),
    ("delete, 204", lambda d: d.conversations.delete("c"), "DELETE", "/v1/conversations/c", {"user": "u"},
     "204 No Content", b"", lambda r: r is None),
    ("delete, 200", lambda d: d.conversations.delete("c"), "DELETE", "/v1/conversations/c", {"user": "u"},
     "200 OK", {"result": "success"}, lambda r: r is None),
    ("set_variable", lambda d: d.conversations.set_variable("c", "v", [1]), "PUT", "/v1/conversations/c/variables/v",
     {"value": [1], "user": "u"}, "200 OK", {"id": "v", "name": "n", "value_type": "array[number]", "value": "[1]"},
     lambda r: r.parsed == [1]),
    ("suggested", lambda d: d.messages.suggested("m"), "GET", "/v1/messages/m/suggested?user=u", None, "200 OK",
     {"result": "success", "data": ["a?", "b?"]}, lambda r: r == ["a?", "b?"]),
    ("feedback", lambda d: d.messages.feedback("m", "like", content="good"), "POST", "/v1/messages/m/feedbacks",
     {"rating": "like", "user": "u", "content": "good"}, "200 OK", {"result": "success"}, lambda r: r is None),
    ("feedback revoked", lambda d: d.messages.feedback("m", None), "POST", "/v1/messages/m/feedbacks",
     {"rating": None, "user": "u"}, "200 OK", {"result": "success"}, lambda r: r is None),
    ("info", lambda d: d.app.info(), "GET", "/v1/info", None, "200 OK",
     {"name": "A", "description": "", "tags": [], "mode": "chat"}, lambda r: (r.name, r.mode) == ("A", "chat")),
    ("info on old servers", lambda d: d.app.info(), "GET", "/v1/info", None, "200 OK",
     {"name": "A", "description": None, "tags": []}, lambda r: r.mode is None),
    ("parameters", lambda d: d.app.parameters(), "GET", "/v1/parameters?user=u", None, "200 OK",
     {"opening_statement": None, "user_input_form": [{"text-input": {"variable": "city", "required": True}}]},
     lambda r: r.controls == [{"type": "text-input", "variable": "city", "required": True}]),
    ("meta", lambda d: d.app.meta(), "GET", "/v1/meta?user=u", None, "200 OK", {"tool_icons": {"t": "http://i"}},
     lambda r: r.tool_icons == {"t": "http://i"}),
    ("site", lambda d: d.app.site(), "GET", "/v1/site", None, "200 OK", {"title": "T", "copyright": None},
     lambda r: (r.title, r.extra) == ("T", {"copyright": None})),
    ("create an annotation", lambda d: d.annotations.create("q", "a"), "POST", "/v1/apps/annotations",
     {"question": "q", "answer": "a"}, "201 Created",
     {"id": ID, "question": "q", "answer": "a", "hit_count": 0, "created_at": STAMP},
     lambda r: (r.id, r.hit_count, r.created_at) == (ID, 0, WHEN)),
    ("update an annotation", lambda d: d.annotations.update(ID, "q", "a"), "PUT", f"/v1/apps/annotations/{ID}",
     {"question": "q", "answer": "a"}, "200 OK", {"id": ID}, lambda r: r.id == ID),
    ("delete an annotation", lambda d: d.annotations.delete(ID), "DELETE", f"/v1/apps/annotations/{ID}", None,
     "204 No Content", b"", lambda r: r is None),
    ("enable the reply", lambda d: d.annotations.enable_reply(embedding_provider_name="p", embedding_model_name="m"),
     "POST", "/v1/apps/annotation-reply/enable",
     {"score_threshold": 0.9, "embedding_provider_name": "p", "embedding_model_name": "m"}, "200 OK",
     {"job_id": ID, "job_status": "waiting"}, lambda r: (r.job_id, r.job_status) == (ID, "waiting")),
    ("the job's status", lambda d: d.annotations.reply_status("enable", ID), "GET",
     f"/v1/apps/annotation-reply/enable/status/{ID}", None, "200 OK",
     {"job_id": ID, "job_status": "error", "error_msg": "no"}, lambda r: (r.job_status, r.error_msg) == ("error", "no")),
    ("an end user", lambda d: d.end_users.get(ID), "GET", f"/v1/end-users/{ID}", None, "200 OK",
     {"id": ID, "session_id": "u", "created_at": "2023-11-14T22:13:20"},
     lambda r: (r.session_id, r.created_at) == ("u", WHEN)),
    ("stop", lambda d: d.chat.stop("t"), "POST", "/v1/chat-messages/t/stop", {"user": "u"}, "200 OK",
     {"result": "success"}, lambda r: r is True),
    ("sound from text", lambda d: d.audio.from_text("hi", voice="v"), "POST", "/v1/text-to-audio",
     {"text": "hi", "voice": "v", "user": "u", "streaming": True}, "200 OK", ("audio/mpeg", b"\xff\xfb12"),
     lambda r: r == b"\xff\xfb12"),
    ("a file", lambda d: d.files.download(ID), "GET", f"/v1/files/{ID}/preview?user=u&as_attachment=true", None,
     "200 OK", ("image/png", b"\x89PNG"), lambda r: r == b"\x89PNG"),
]  # fmt: skip


def answering(status: str, answer: Any) -> Script:
    def script(request: Request, connection: Connection) -> None:
        kind, body = answer if isinstance(answer, tuple) else ("application/json", answer)
        connection.reply(status, body, kind)

    return script


@pytest.mark.parametrize("row", OPERATIONS, ids=[row[0] for row in OPERATIONS])
async def test_operation(row: tuple[Any, ...]) -> None:
    _, call, method, path, sent, status, answer, check = row
    with serving(answering(status, answer)) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            result = await call(dify)
    request = server.requests[0]
    assert (request.method, request.path) == (method, path)
    assert (request.json if request.body else None) == sent
    assert check(result), result


REFUSED = [
    ("a path in an id", lambda d: d.conversations.delete("..")),
    ("an empty id", lambda d: d.messages.suggested(" ")),
    ("no name", lambda d: d.conversations.rename("c")),
    ("a blank name", lambda d: d.conversations.rename("c", "  ")),
    ("a long name", lambda d: d.conversations.rename("c", "n" * 256)),
    ("a rating of its own", lambda d: d.messages.feedback("m", "meh")),
    ("an action of its own", lambda d: d.annotations.reply_status("frobnicate", "j")),
    ("a threshold beyond 1", lambda d: d.annotations.enable_reply(
        score_threshold=1.5, embedding_provider_name="p", embedding_model_name="m")),
    ("an empty annotation", lambda d: d.annotations.create("q", " ")),
    ("nothing to say", lambda d: d.audio.from_text()),
    ("another user of nothing", lambda d: d.app.parameters(user="")),
    ("a directory that is none", lambda d: d.files.download("f", to="no/such/directory")),
    ("not a number", lambda d: d.chat.send("q", inputs={"x": [{"y": float("nan")}]})),
    ("a key that is no text", lambda d: d.chat.send("q", inputs={(1, 2): 1})),
    ("half a character in the question", lambda d: d.chat.send(HALF)),
    ("half a character in an input", lambda d: d.chat.send("q", inputs={"x": HALF})),
    ("half a character in an input's name", lambda d: d.chat.send("q", inputs={HALF: 1})),
    ("half a character in a user", lambda d: d.chat.send("q", user=HALF)),
    ("half a character in an id", lambda d: d.messages.feedback(HALF, "like")),
    ("half a character in a name", lambda d: d.conversations.rename("c", HALF)),
    ("half a character in an annotation", lambda d: d.annotations.create(HALF, "x")),
    ("a conversation that is a number", lambda d: d.chat.send("q", conversation_id=5)),
    ("a version that is a number", lambda d: d.chat.send("q", workflow_id=5)),
    ("a version without a name", lambda d: d.chat.send("q", workflow_id="")),
    ("half a character in a version", lambda d: d.chat.send("q", workflow_id=HALF)),
    ("a timeout that is a text", lambda d: d.chat.send("q", timeout="5")),
    ("a variable's value that is no JSON", lambda d: d.conversations.set_variable("c", "v", object())),
    ("a variable's value that is no number", lambda d: d.conversations.set_variable("c", "v", float("inf"))),
    ("a name that is a number", lambda d: d.conversations.rename("c", 5)),
    ("a comment that is a number", lambda d: d.messages.feedback("m", "like", content=5)),
    ("a keyword that is a number", lambda d: d.annotations.list(keyword=5).to_list()),
    ("a text that is a number", lambda d: d.audio.from_text(5)),
    ("a file that is open as text", lambda d: d.files.upload(io.StringIO("x"))),
    ("a download of nothing", lambda d: d.files.download(None)),
]  # fmt: skip
HALF = "half \ud83d"


async def test_a_file_s_name_that_is_no_text_is_made_one() -> None:
    """File systems allow bytes that are no characters."""
    with serving(answering("201 Created", {"id": "f"})) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            await dify.files.upload(b"x", name="caf\udce9.txt")
    assert b'filename="caf?.txt"' in server.requests[0].body


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "你好", 5])
async def test_a_header_that_cannot_be_sent_is_told_at_once(value: Any) -> None:
    with pytest.raises(ConfigError, match="'X-Mine'"):
        AsyncDify("app-x", "http://127.0.0.1:9", "u", headers={"X-Mine": value})


@pytest.mark.parametrize(("kind", "sound"), [("Audio/MPEG", True), ("application/octet-stream", True), ("", True),
                                             ("text/html", False), ("Application/JSON", False)])  # fmt: skip
async def test_sound_is_what_is_no_text(kind: str, sound: bool) -> None:
    with serving(answering("200 OK", (kind, b"null"))) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            if sound:
                assert await dify.audio.from_text("hi") == b"null"
                return
            with pytest.raises(APIError) as caught:
                await dify.audio.from_text("hi")
    assert caught.value.code == "not_audio"


@pytest.mark.parametrize("call", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
async def test_refused_before_sending(call: Callable[[AsyncDify], Any]) -> None:
    with serving(answering("200 OK", {})) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            with pytest.raises(InputError):
                await call(dify)
        assert server.requests == []


@pytest.mark.parametrize("limit", [0, 102, -1, True, 2.5])
@pytest.mark.parametrize("which", ["conversations", "messages", "variables", "feedbacks", "annotations"])
def test_page_sizes(which: str, limit: Any) -> None:
    dify = AsyncDify("app-x", "http://127.0.0.1:9", "u")
    lists: dict[str, Callable[[], object]] = {
        "conversations": lambda: dify.conversations.list(page_size=limit),
        "messages": lambda: dify.messages.list("c", page_size=limit),
        "variables": lambda: dify.conversations.variables("c", page_size=limit),
        "feedbacks": lambda: dify.app.feedbacks(page_size=limit),
        "annotations": lambda: dify.annotations.list(page_size=limit),
    }
    with pytest.raises(InputError, match="1 to 10"):
        lists[which]()


# -- lists -----------------------------------------------------------------------------


def listing(items: list[dict[str, Any]], *, repeat: bool = False) -> Script:
    """A server that pages through items by last_id (or first_id, newest first)."""

    def script(request: Request, connection: Connection) -> None:
        from urllib.parse import parse_qs, urlsplit

        query = {k: v[0] for k, v in parse_qs(urlsplit(request.path).query).items()}
        limit = int(query["limit"])
        ids = [item["id"] for item in items]
        if "/messages" in request.path:
            end = ids.index(query["first_id"]) if "first_id" in query else len(items)
            page, more = items[max(0, end - limit) : end], end - limit > 0
        else:
            start = 0 if repeat or "last_id" not in query else ids.index(query["last_id"]) + 1
            page, more = items[start : start + limit], repeat or start + limit < len(items)
        connection.reply("200 OK", {"data": page, "has_more": more, "limit": limit})

    return script


MANY = [{"id": f"i{number}", "name": f"n{number}"} for number in range(7)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
async def test_lists_page_by_themselves(size: int) -> None:
    with serving(listing(MANY)) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            found = [item.id async for item in dify.conversations.list(page_size=size)]
            some = await dify.conversations.list(page_size=size).to_list(limit=3)
            newest = [item.id async for item in dify.messages.list("c", page_size=size)]
            oldest = await dify.messages.list("c", page_size=size, order="asc").to_list()
        plain = Dify.wrap(dify)
        assert [item.id for item in plain.conversations.list(page_size=size)] == found
    ids = [item["id"] for item in MANY]
    assert found == ids
    assert [item.id for item in some] == ids[:3]
    assert newest == ids[::-1]
    assert [item.id for item in oldest] == ids


async def test_lists_fetch_no_more_than_is_read() -> None:
    with serving(listing(MANY)) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            async for _ in dify.conversations.list(page_size=2):
                break
        assert len(server.requests) == 1


async def test_a_server_that_repeats_a_page_does_not_hold_us() -> None:
    with serving(listing(MANY, repeat=True)) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            found = await dify.conversations.list(page_size=2).to_list()
    assert [item.id for item in found] == ["i0", "i1"]


@pytest.mark.parametrize(
    ("kind", "value", "parsed"),
    [
        ("string", "42", "42"), ("number", "42", 42), ("number", "4.5", 4.5), ("object", '{"k": "v"}', {"k": "v"}),
        ("object", "{'k': 'v', 'n': None}", {"k": "v", "n": None}), ("array[string]", "['a', 'b']", ["a", "b"]),
        ("array[string]", ["a"], ["a"]), ("boolean", "True", True), ("object", "not one", "not one"),
        ("number", None, None),
    ],
)  # fmt: skip
def test_variables_are_read_as_what_they_are(kind: str, value: Any, parsed: Any) -> None:
    from dify_notebook.wire.models import ConversationVariable

    assert ConversationVariable(id="v", value_type=kind, value=value).parsed == parsed


# -- sound and files -------------------------------------------------------------------


async def test_text_from_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(b"ID3")
    with serving(answering("200 OK", {"text": "hello"})) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            assert await dify.audio.to_text(path) == "hello"
    assert b"audio/mp3" in server.requests[0].body  # Dify 1.12 refuses audio/mpeg


async def test_no_sound_for_an_unknown_message() -> None:
    with serving(answering("200 OK", ("application/json", b"null"))) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            with pytest.raises(APIError) as caught:
                await dify.audio.from_text(message_id="m")
    assert caught.value.code == "not_audio"


@pytest.mark.parametrize(
    ("disposition", "name"),
    [("attachment; filename*=UTF-8''a%20b.png", "a b.png"), ('attachment; filename="../../etc/passwd"', "passwd"),
     ("attachment; filename*=UTF-8''..%2F..%2Fx", "x"), ('attachment; filename="C:\\x\\y.txt"', "y.txt"),
     ("", "the-id"), ('attachment; filename=".."', "the-id")],
)  # fmt: skip
async def test_downloads_take_the_base_name_and_overwrite_nothing(disposition: str, name: str, tmp_path: Path) -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.reply("200 OK", b"data", "text/plain", f"Content-Disposition: {disposition}\r\n" if disposition else "")

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            first = await dify.files.download("the-id", to=tmp_path)
            second = await dify.files.download("the-id", to=tmp_path)
    assert first == tmp_path / name
    assert isinstance(first, Path)
    assert isinstance(second, Path)
    assert first.read_bytes() == b"data"
    assert second != first
    assert second.parent == tmp_path
    assert {path.name for path in tmp_path.iterdir()} == {first.name, second.name}


async def test_a_file_that_is_not_there() -> None:
    with serving(answering("404 Not Found", {"code": "file_not_found", "message": "no", "status": 404})) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            with pytest.raises(NotFoundError):
                await dify.files.download("f")


# -- trying again ------------------------------------------------------------------------


class Flaky:
    """Fails a few times, then answers."""

    def __init__(self, *failures: str) -> None:
        self.failures = list(failures)

    def __call__(self, request: Request, connection: Connection) -> None:
        if self.failures:
            how = self.failures.pop(0)
            if how == "close":
                connection.close()
            status, _, after = how.partition(";")
            connection.reply(status, {"code": "x", "message": "x"}, extra=f"Retry-After: {after}\r\n" if after else "")
            return
        connection.reply("200 OK", {"name": "A"})


@pytest.mark.parametrize("failures", [("close",), ("500 X", "502 X"), ("429 X;0", "close", "503 X")])
async def test_reads_are_tried_again(failures: tuple[str, ...]) -> None:
    with serving(Flaky(*failures)) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            assert (await dify.app.info()).name == "A"
        assert len(server.requests) == len(failures) + 1


async def test_patience_ends() -> None:
    with serving(Flaky("429 X;3600")) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            with pytest.raises(Exception, match="429"):
                await dify.app.info()
        assert len(server.requests) == 1


async def test_no_patience_was_asked_for() -> None:
    with serving(Flaky("500 X")) as server:
        async with AsyncDify("app-x", server.url, "u", retry=0) as dify:
            with pytest.raises(ServerError):
                await dify.app.info()


@pytest.mark.parametrize("call", [lambda d: d.messages.feedback("m", "like"), lambda d: d.annotations.create("q", "a"),
                                  lambda d: d.conversations.delete("c"), lambda d: d.chat.send("q")])  # fmt: skip
async def test_what_changes_something_is_sent_once(call: Callable[[AsyncDify], Any]) -> None:
    with serving(Flaky("500 X")) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            with pytest.raises(ServerError):
                await call(dify)
        assert len(server.requests) == 1


def test_waits_grow_with_jitter_and_obey_the_server() -> None:
    from dify_notebook.net.retry import RetryBudget, seconds_of

    now = [0.0]
    budget = RetryBudget(100, clock=lambda: now[0], chance=lambda: 1.0)
    assert [budget.after_failure() for _ in range(6)] == [0.3, 0.6, 1.2, 2.4, 4.8, 8.0]
    assert budget.after_status(429, "7") == 7
    assert budget.after_status(404, None) is None
    now[0] = 99.9
    assert budget.after_failure() is None
    assert seconds_of("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert seconds_of("soon") is None


def test_a_retry_after_of_nothing_does_not_hammer() -> None:
    from dify_notebook.net.retry import RetryBudget

    now = 0.0
    for told in ("0", "0.001", "-5"):
        budget = RetryBudget(20, clock=lambda: now)
        assert all((budget.after_status(429, told) or 0) >= 0.1 for _ in range(2_000))


@pytest.mark.parametrize("status", ["200 OK", "204 No Content"])
async def test_nothing_is_no_answer_to_a_question(status: str) -> None:
    with serving(answering(status, b"")) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            for ask in (dify.app.info, dify.app.parameters):
                with pytest.raises(ServerError) as caught:
                    await ask()
                assert caught.value.code == "unreadable"
            await dify.conversations.delete("c")


async def test_dify_s_error_under_200_is_an_error() -> None:
    body = {"code": "unauthorized", "message": "Access token is invalid", "status": 401}
    with serving(answering("200 OK", body)) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            with pytest.raises(AuthenticationError) as caught:
                await dify.app.info()
    assert (caught.value.status, caught.value.code) == (401, "unauthorized")


async def test_another_user_over_the_same_connections() -> None:
    with serving(answering("200 OK", {"data": ["a"]})) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            other = dify.as_user("v")
            await other.messages.suggested("m")
            await dify.messages.suggested("m")
    assert [request.path.rpartition("=")[2] for request in server.requests] == ["v", "u"]
    assert (other.user, dify.user, other._pools is dify._pools) == ("v", "u", True)
    with pytest.raises(InputError):
        dify.as_user("")


def test_a_python_repr_is_read_up_to_a_length_and_json_of_any() -> None:
    from dify_notebook.wire.models import ConversationVariable

    long = ", ".join("1" for _ in range(60_000))
    assert ConversationVariable(id="v", value_type="array[number]", value=f"[{long}]").parsed == [1] * 60_000
    told = f"('a', {long})"
    assert ConversationVariable(id="v", value_type="array[number]", value=told).parsed == told
