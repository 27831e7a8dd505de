"""What is wrong with the environment or with the way to the server is said by every way in, in the same words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from support.panels import show, wired
from support.raw_server import Connection, Request, serving

from dify_notebook import AsyncDify, ChatPanel, Dify, DifyError, Session
from dify_notebook.magic.line import run_line
from dify_notebook.magic.state import State

pytestmark = pytest.mark.filterwarnings("ignore:the key travels")
KEY = "app-x"


@pytest.fixture(scope="module")
def shell() -> Iterator[Any]:
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance()
    made.run_line_magic("load_ext", "dify_notebook")
    yield made
    made.run_line_magic("unload_ext", "dify_notebook")
    InteractiveShell.clear_instance()


def said_by(work: Callable[[], object]) -> str:
    with pytest.raises(DifyError) as raised:
        work()
    return str(raised.value)


def by_the_client(url: str, shell: Any) -> str:
    with Dify(KEY, url, "me") as dify:
        return said_by(lambda: dify.chat.send("hi"))


def by_the_async_client(url: str, shell: Any) -> str:
    async def ask() -> None:
        async with AsyncDify(KEY, url, "me") as dify:
            await dify.conversations.list().to_list()

    return said_by(lambda: asyncio.run(ask()))


def by_a_session(url: str, shell: Any) -> str:
    return said_by(lambda: Session(Dify(KEY, url, "me")).ask("hi").raise_for_status())


def by_a_cell(url: str, shell: Any) -> str:
    shell.user_ns["d"] = Dify(KEY, url, "me")
    told = said_by(lambda: shell.run_cell_magic("dify", "d --quiet", "hi"))
    ran = shell.run_cell("%%dify d --quiet\nhi")
    assert isinstance(ran.error_in_exec, DifyError)
    return told


def by_a_line(url: str, shell: Any) -> str:
    shell.user_ns["d"] = Dify(KEY, url, "me")
    shell.run_line_magic("dify", "use d")
    try:
        return said_by(lambda: shell.run_line_magic("dify", "conversations"))
    finally:
        shell.run_line_magic("dify", "use guide")


def by_the_doctor(url: str, shell: Any) -> str:
    state = State()
    names = {"d": Dify(KEY, url, "me")}
    run_line("use d", state, names)
    return run_line("doctor", state, names)


def by_the_panel(url: str, shell: Any) -> str:
    with wired():
        panel = ChatPanel(Dify(KEY, url, "me"))
        page = show(panel)
        try:
            page.until(lambda: (page.parts.get("status") or {}).get("error"), "what is wrong")
            return str(page.parts["status"]["error"]["message"])
        finally:
            panel.close()


WAYS = [by_the_client, by_the_async_client, by_a_session, by_a_cell, by_a_line, by_the_doctor, by_the_panel]
WRONG = [
    ({"HTTP_PROXY": "http://me:secret-word@127.0.0.1:notaport"}, "http://dify.example", "HTTP_PROXY=http://***@127.0.0.1:notaport"),
    ({"all_proxy": "socks4://127.0.0.1:7890"}, "https://dify.example", "all_proxy=socks4://127.0.0.1:7890"),
    ({"HTTPS_PROXY": "socks5://127.0.0.1:9"}, "https://dify.example", "HTTPS_PROXY=socks5://127.0.0.1:9"),
    ({"REQUESTS_CA_BUNDLE": "/nowhere/ca.pem"}, "https://dify.example", "REQUESTS_CA_BUNDLE='/nowhere/ca.pem'"),
    ({}, "http://127.0.0.1:9", "127.0.0.1:9 cannot be reached"),
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("environ", "url", "told"), WRONG, ids=[told for _, _, told in WRONG])
def test_what_is_wrong_is_said(
    environ: dict[str, str], url: str, told: str, way: Any, shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    said = re.sub(r"\s+", " ", way(url, shell))
    assert told in said
    assert "secret-word" not in said


def test_loopback_needs_none_of_it(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.reply("200 OK", {"name": "here", "mode": "chat", "user_input_form": [], "data": [], "has_more": False})

    for environ, _, _ in WRONG:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
    with serving(script) as server:
        assert "here" in by_the_doctor(server.url, shell)


def test_a_client_that_is_made_anew_is_the_one_that_a_cell_asks_with() -> None:
    """It has the same server, key and user, and may trust another certificate."""
    state = State()
    names = {"d": Dify(KEY, "http://127.0.0.1:9", "me")}
    app_session = state.app_session("d", None, names)
    app_session.session.conversation_id = "kept"
    assert state.app_session("d", None, names).client is names["d"].as_async
    names["d"] = Dify(KEY, "http://127.0.0.1:9", "me", verify=False)
    again = state.app_session("d", None, names)
    assert again is app_session, "the conversation goes on"
    assert again.client is names["d"].as_async
    other = state.app_session("d", "you", names)
    assert other.settings.user == "you"
    assert state.app_session("d", "you", names).client is other.client
