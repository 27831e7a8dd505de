"""What is known of an app: asked once, side by side, shared by a client's users; and what an old server would ignore."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.raw_server import Connection, RawServer, Request, serving

from dify_notebook import AsyncDify, Session
from dify_notebook.app.entry_points import CELL, PANEL, EntryPoint
from dify_notebook.app.invalid import InvalidInput
from dify_notebook.app.known import KnownApp, check
from dify_notebook.app.origin import Origin, Value, values
from dify_notebook.errors import AuthenticationError, InputError
from dify_notebook.i18n import t
from dify_notebook.net.app_cache import Part, learn, learn_form
from dify_notebook.wire.models import Parameters

PARTS: tuple[Part, ...] = ("parameters", "info", "site", "meta")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def parts(server: RawServer) -> list[str]:
    return sorted(request.path.partition("?")[0].removeprefix("/v1/") for request in server.requests)


def telling(refused: dict[str, str], before: Callable[[], object] = lambda: None) -> Callable[[Request, Connection], None]:
    """An app that refuses parts of what it is asked, each with a status."""

    def script(request: Request, connection: Connection) -> None:
        before()
        status = next((status for part, status in refused.items() if f"/{part}" in request.path), "200 OK")
        connection.reply(status, {"name": "An app", "code": "no", "message": "no"}, extra="X-Version: 1.12.1\r\n")

    return script


@pytest.mark.anyio
async def test_all_is_asked_for_side_by_side_and_once_for_all_users() -> None:
    here = threading.Barrier(len(PARTS))
    with serving(telling({}, lambda: here.wait(20))) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            app = await learn(dify, *PARTS)
            assert await learn(dify.as_user("other"), *PARTS) is app
            session = Session(dify)
            assert session.app == KnownApp()
            assert await session.learn(*PARTS) is session.app is app
            assert parts(server) == sorted(PARTS)
            await session.learn(*PARTS, again=True)
    assert parts(server) == sorted([*PARTS, *PARTS])
    assert app.info is not None
    assert (app.info.name, app.version) == ("An app", "1.12.1")


@pytest.mark.anyio
async def test_what_a_server_does_not_know_is_none_and_not_asked_for_again() -> None:
    with serving(telling({"site": "404 NOT FOUND", "parameters": "400 BAD REQUEST"})) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            session = Session(dify)
            for _ in range(2):
                app = await session.learn(*PARTS)
            assert await learn_form(dify, None) is app
    assert (app.site, app.parameters, app.whole, app.controls) == (None, None, False, {})
    assert app.info is not None
    assert parts(server) == sorted(PARTS)


@pytest.mark.anyio
async def test_what_would_fail_a_question_is_raised_and_asked_for_again() -> None:
    refused = {"info": "401 UNAUTHORIZED"}
    with serving(telling(refused)) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            with pytest.raises(AuthenticationError):
                await learn(dify, "parameters", "info")
            refused.clear()
            assert (await learn(dify, "parameters", "info")).info is not None
    assert parts(server) == ["info", "info", "parameters"]


@pytest.mark.anyio
async def test_after_a_failure_that_may_pass_the_next_question_asks_again_and_no_cell() -> None:
    refused = {"parameters": "503 SERVICE UNAVAILABLE"}
    with serving(telling(refused)) as server:
        async with AsyncDify("app-x", server.url, "me", retry=0) as dify:
            session = Session(dify)
            assert (await session.learn("parameters")).parameters is None
            refused.clear()
            assert (await session.learn("parameters")).parameters is None
            assert (await learn_form(dify, None)).parameters is not None
    assert parts(server) == ["parameters"] * 2


@pytest.mark.anyio
@pytest.mark.parametrize("status", ["404 NOT FOUND", "401 UNAUTHORIZED", "503 SERVICE UNAVAILABLE"])
async def test_what_a_question_or_a_panel_asked_for_in_vain_a_cell_asks_for_itself(status: str) -> None:
    refused = {"parameters": status}
    with serving(telling(refused)) as server:
        async with AsyncDify("app-x", server.url, "me", retry=0) as dify:
            assert (await learn_form(dify, None)).parameters is None
            if not status.startswith("401"):
                assert (await Session(dify).learn("parameters")).parameters is None
            refused.clear()
            cell = Session(dify)
            assert (await cell.learn("parameters")).parameters is not None
            other = Session(AsyncDify("app-y", server.url, "me", retry=0))
            refused["parameters"] = status
            cell.client = other.client
            for _ in range(2):
                with suppress(AuthenticationError):
                    assert (await cell.learn("parameters")).parameters is None
    again = 2 if status.startswith("401") else 1
    assert len(server.requests) == (2 if status.startswith("401") else 3) + again


@pytest.mark.anyio
@pytest.mark.parametrize("cell", [True, False], ids=["by a cell", "with check=True"])
async def test_files_are_checked_once_the_rules_are_asked_for_whoever_learned_the_form(tmp_path: Path, cell: bool) -> None:
    form = {"file_upload": {"enabled": True, "allowed_file_types": ["document"]}}
    file = tmp_path / "a.txt"
    file.write_text("a")

    def script(request: Request, connection: Connection) -> None:
        upload = {"id": "u", "name": "a.txt", "mime_type": "text/plain"}
        connection.reply("200 OK", upload if request.method == "POST" else form)

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            await learn_form(dify, None)
            await dify.files.upload(b"a", name="a.png")
            if cell:
                await Session(dify).learn("parameters")
            else:
                await dify.files.upload(file, check=True)
            with pytest.raises(InputError) as caught:
                await dify.files.upload(b"a", name="a.png")
    assert caught.value.code == "file_type"
    assert sum("/parameters" in request.path for request in server.requests) == 1


def test_a_list_that_some_control_may_take_as_text_is_left_to_the_form() -> None:
    check({"a": [Path("a.txt"), "b"]})
    with pytest.raises(InvalidInput):
        check({"a": [Path("a.txt"), object()]})
    app = KnownApp(parameters=Parameters(user_input_form=[{"paragraph": {"variable": "a"}}]))
    assert app.fit({"a": Value([Path("a.txt"), "b"], Origin.PYTHON)}).inputs == {"a": '["a.txt", "b"]'}


FORM = Parameters(user_input_form=[{"text-input": {"variable": "a"}}, {"number": {"variable": "n"}}])
OLD: list[tuple[str | None, bool, dict[str, Any], bool]] = [
    ("0.15.3", True, {"a": "other"}, True), ("0.15.3", True, {"a": "x", "n": 1}, True), ("0.15.3", True, {"a": "x"}, False),
    ("0.15.3", True, {}, False), ("0.15.3", True, {"n": None}, False), ("0.15.3", False, {"a": "other"}, False),
    ("1.12.1", True, {"a": "other"}, False), (None, True, {"a": "other"}, False),
]  # fmt: skip


@pytest.mark.parametrize("door", [CELL, PANEL], ids=["cell", "panel"])
@pytest.mark.parametrize(("version", "later", "given", "refused"), OLD)
def test_a_server_that_keeps_the_first_inputs_is_given_no_others(
    door: EntryPoint, version: str | None, later: bool, given: dict[str, Any], refused: bool
) -> None:
    session = Session(AsyncDify("app-x", "http://127.0.0.1:9", "me"))
    session.app = KnownApp(parameters=FORM, version=version)
    before = {"a": Value("x", Origin.EARLIER)}
    if refused:
        with pytest.raises(InputError, match=r"0\.15\.3") as caught:
            session.fit(door, values(given, Origin.PYTHON), before, later=later)
        assert (caught.value.code, caught.value.hint) == ("inputs", t("hint.inputs"))
        return
    sent = session.fit(door, values(given, Origin.PYTHON), before, later=later).inputs
    assert sent == {name: value for name, value in {"a": "x", **given}.items() if value is not None}


@pytest.mark.parametrize("known", [True, False])
def test_a_name_that_is_no_text_is_refused_like_one_that_the_form_has_not(known: bool) -> None:
    session = Session(AsyncDify("app-x", "http://127.0.0.1:9", "me"))
    session.app = KnownApp(parameters=FORM if known else None)
    inputs: dict[Any, Any] = {1: "x"}
    with pytest.raises(InputError):
        session.ask("hi", inputs=session.fit(PANEL, values(inputs, Origin.PYTHON)).given)


def test_a_control_that_is_not_given_has_its_default_only_where_people_see_the_form() -> None:
    app = KnownApp(parameters=Parameters(user_input_form=[{"text-input": {"variable": "a", "default": "d"}}]))
    assert app.fit({}).inputs == {}
    assert app.fit({}, filled=True).inputs == {"a": "d"}
    assert app.fit({}, {"a": Value("b", Origin.EARLIER)}, filled=True).inputs == {"a": "b"}
