"""What a question with inputs asks the server before: the form, once, and never at the question's cost."""

from __future__ import annotations

import asyncio
import threading
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.provenance import TALK, App
from support.raw_server import Connection, RawServer, Request, serving

from dify_notebook import AsyncDify
from dify_notebook.errors import ConnectError, InputError
from dify_notebook.net import app_cache

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def paths(server: RawServer) -> list[str]:
    return [request.path.partition("?")[0].removeprefix("/v1") for request in server.requests]


async def test_the_form_is_asked_for_once_for_all_users_and_not_without_inputs() -> None:
    app = App("number")
    with serving(app) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            await dify.chat.send("hi")
            assert paths(server) == ["/chat-messages"]
            for one in (dify, dify, dify.as_user("other")):
                await one.chat.send("hi", inputs={"v": "7"})
    assert paths(server) == ["/chat-messages", "/parameters", *["/chat-messages"] * 3]
    assert [question["inputs"] for question in app.questions] == [{}, {"v": 7}, {"v": 7}, {"v": 7}]


async def test_who_asked_for_the_form_before_is_not_asked_again() -> None:
    with serving(App("number")) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            await dify.app.parameters()
            await dify.chat.send("hi", inputs={"v": "7"})
    assert paths(server) == ["/parameters", "/chat-messages"]


@pytest.mark.parametrize(
    ("status", "again"), [("404 NOT FOUND", 1), ("403 FORBIDDEN", 1), ("503 SERVICE UNAVAILABLE", 2), ("429 TOO MANY REQUESTS", 2)]
)
async def test_without_a_form_the_server_checks_and_a_lasting_no_is_remembered(status: str, again: int) -> None:
    app = App("number")

    def script(request: Request, connection: Connection) -> None:
        if "/parameters" in request.path:
            return connection.reply(status, {"code": "no", "message": "no"})
        app(request, connection)

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            for _ in range(2):
                await dify.chat.send("hi", inputs={"v": "7", "d": Decimal("1.5")})
    assert paths(server).count("/parameters") == again
    assert [question["inputs"] for question in app.questions] == [{"v": "7", "d": 1.5}] * 2


async def test_a_form_that_does_not_come_holds_no_question_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_cache, "LEARN_SECONDS", 0.5)
    app, asked, release = App("number"), [], threading.Event()

    def script(request: Request, connection: Connection) -> None:
        if "/parameters" in request.path:
            asked.append(request.path)
            release.wait(20)
        else:
            app(request, connection)

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            for _ in range(2):
                assert (await dify.chat.send("hi", inputs={"v": 7})).status == "succeeded"
        release.set()
    assert len(asked) == 1


async def test_questions_that_begin_together_ask_for_the_form_once() -> None:
    app = App("number")
    with serving(app) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            await asyncio.gather(*[dify.chat.send("hi", inputs={"v": "7"}) for _ in range(9)])
    assert paths(server).count("/parameters") == 1
    assert [question["inputs"] for question in app.questions] == [{"v": 7}] * 9


@pytest.mark.parametrize("mode", ["streaming", "blocking"])
async def test_of_a_short_time_the_form_takes_a_part_and_the_question_the_rest(mode: Any) -> None:
    app, release = App("number"), threading.Event()

    def script(request: Request, connection: Connection) -> None:
        if "/parameters" in request.path:
            release.wait(20)
        app(request, connection)

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            turn = await dify.chat.send("hi", inputs={"v": "7"}, timeout=2, response_mode=mode)
        release.set()
    assert turn.status == "succeeded"
    assert app.questions[0]["inputs"] == {"v": "7"}


@pytest.mark.parametrize(("path", "asked"), [("/parameters", {"inputs": {"v": 7}}), ("/files/upload", {"files": [b"x"]})])
async def test_what_is_stopped_before_it_was_asked_is_never_asked(path: str, asked: dict[str, Any]) -> None:
    app, release = App("number"), threading.Event()

    def script(request: Request, connection: Connection) -> None:
        if path in request.path:
            release.wait(20)
        app(request, connection)

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            stream = dify.chat.stream("hi", **asked)
            entering = asyncio.ensure_future(stream.__aenter__())
            assert await asyncio.to_thread(server.wait_for, 1)
            assert not await stream.stop()
            await entering
            assert [event async for event in stream] == []
            await stream.__aexit__(None, None, None)
        release.set()
    assert (stream.turn.status, stream.turn.query) == ("stopped", "hi")
    assert paths(server) == [path]


async def test_a_server_that_is_not_there_is_told_by_the_question() -> None:
    with serving(App("number")) as server:
        url = server.url
    async with AsyncDify("app-x", url, "me", retry=60) as dify:
        with pytest.raises(ConnectError) as caught:
            await dify.chat.send("hi", inputs={"v": 7})
    assert caught.value.attempted == "POST /chat-messages"


async def test_what_no_app_takes_is_told_before_anything_is_sent() -> None:
    refused: list[tuple[Any, str]] = [
        ({"v": object()}, "input v is a object"), ({"v": [{"k": float("nan")}]}, r"v\[0\]\['k'\] is a float without a value .* give None"), ({"v": b"x".hex}, "builtin"),
        ({1: "x"}, "int"), ({"v": {"k": "\ud800"}}, "half a character"), ("v=1", "str"), ([("v", 1)], "list"),
    ]  # fmt: skip
    with serving(App("number")) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            for given, says in refused:
                with pytest.raises(InputError, match=says):
                    dify.chat.stream("hi", inputs=given)
                with pytest.raises(InputError, match=says):
                    await dify.chat.send("hi", inputs=given)
    assert server.requests == []


async def test_the_server_s_own_rules_stay_the_server_s() -> None:
    """An input that the form does not have, and a required one that is not named: on later turns some servers let it."""
    app = App("text-input", required=True)
    with serving(app) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            turn = await dify.chat.send("hi", inputs={"other": 7}, conversation_id=TALK)
    assert app.questions[0]["inputs"] == {"other": 7}
    assert turn.inputs == {"other": 7}


async def test_a_turn_keeps_what_was_sent_and_not_what_became_of_it() -> None:
    given: dict[str, Any] = {"v": [1, 2], "n": {"k": [1]}}
    app = App("later")
    with serving(app) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            turn = await dify.chat.send("hi", inputs=given)
    given["v"].append(3)
    given["n"]["k"].clear()
    assert turn.inputs == app.questions[0]["inputs"] == {"v": [1, 2], "n": {"k": [1]}}


async def test_what_is_changed_before_the_question_leaves_changes_nothing() -> None:
    given: dict[str, Any] = {"v": [1, {"k": [2]}], "n": {"k": [1]}}
    app = App("later")
    with serving(app) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            stream = dify.chat.stream("hi", inputs=given)
            given["v"][1]["k"].append(3)
            given["n"].clear()
            async with stream:
                turn = await stream.read()
    assert turn.inputs == app.questions[0]["inputs"] == {"v": [1, {"k": [2]}], "n": {"k": [1]}}


async def test_a_path_is_a_file_where_the_app_takes_one_and_text_where_it_takes_text(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("x")
    for kind, uploads in (("file", 1), ("text-input", 0), ("unheard-of", 1)):
        app = App(kind)
        with serving(app) as server:
            async with AsyncDify("app-x", server.url, "me") as dify:
                await dify.chat.send("hi", inputs={"v": path})
        assert len(app.uploads) == uploads
        assert uploads or app.questions[0]["inputs"] == {"v": str(path)}


class Loud(str, Enum):  # noqa: UP042  (the older way, which prints itself otherwise)
    HI = "hi"


@pytest.mark.parametrize("query", [np.str_("hi"), Loud.HI])
async def test_a_question_is_any_kind_of_text_and_is_sent_as_its_characters(query: str) -> None:
    app = App("number")
    with serving(app) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            turn = await dify.chat.send(query)
    assert (app.questions[0]["query"], turn.query, type(turn.query)) == ("hi", "hi", str)


@pytest.mark.parametrize("query", [None, 5, b"hi", ["hi"]])
async def test_a_question_that_is_no_text_is_refused_by_its_type(query: Any) -> None:
    async with AsyncDify("app-x", "http://127.0.0.1:9", "me") as dify:
        with pytest.raises(InputError, match=type(query).__name__) as caught:
            await dify.chat.send(query)
    assert caught.value.code == "query"
