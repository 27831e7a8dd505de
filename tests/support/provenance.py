"""An app that counts the files it is given, and the doors through which it is asked: cell, Python, panel."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from support.panels import Browser, show, wired
from support.raw_server import Connection, RawServer, Request, serving

from dify_notebook import ChatPanel, Dify
from dify_notebook.errors import InputError
from dify_notebook.magic.magics import DifyMagics
from dify_notebook.panel.messages import Control

KINDS = get_args(Control)
"""Controls of an app's form."""
TALK = "11111111-aaaa-4aaa-8aaa-000000000001"
"""A conversation that the server keeps."""
CONTENT = b"what lies in the file"


class App:
    """Its form has one control, `v`; its one stored conversation was asked with `stored`."""

    def __init__(self, kind: str, *, default: Any = "", required: bool = False, stored: Any = None) -> None:
        control = {"variable": "v", "label": "V", "default": default, "required": required}
        self.form = [{kind: control}]
        self.stored = stored
        self.uploads: list[str] = []
        self.questions: list[dict[str, Any]] = []
        self.tells = True
        """Whether it says what it asks for; a gateway may pass questions alone."""
        self.site = threading.Event()
        """While it is not set, /site does not answer."""
        self.site.set()

    def __call__(self, request: Request, connection: Connection) -> None:
        path = request.path.removeprefix("/v1").partition("?")[0]
        if path == "/files/upload":
            found = re.search(rb'filename="([^"]*)"', request.body)
            self.uploads.append(found[1].decode() if found else "")
            told: Any = {"id": f"up-{len(self.uploads)}", "name": self.uploads[-1], "mime_type": "text/plain"}
            return connection.reply("201 Created", told)
        if path == "/chat-messages":
            self.questions.append(request.json)
            return self._answer(request.json, connection)
        if path == "/parameters" and not self.tells:
            return connection.reply("404 NOT FOUND", {"code": "not_found", "message": path, "status": 404})
        if path == "/site":
            self.site.wait(20)
        message = {"id": "m", "conversation_id": TALK, "inputs": {"v": self.stored}, "query": "before", "answer": "a"}
        answers: dict[str, Any] = {
            "/parameters": {"user_input_form": self.form},
            "/info": {"name": "Counted", "mode": "chat"},
            "/conversations": {"data": [{"id": TALK, "name": "t", "inputs": {"v": self.stored}}], "has_more": False},
            "/messages": {"data": [message], "has_more": False, "limit": 20},
        }
        found_answer = answers.get(path, {})
        connection.reply("200 OK", found_answer, extra="X-Version: 1.12.1\r\n")

    def _answer(self, body: dict[str, Any], connection: Connection) -> None:
        ids = {"task_id": "t", "message_id": "m2", "conversation_id": body["conversation_id"] or TALK}
        if body["response_mode"] == "blocking":
            whole = {"event": "message", "mode": "chat", "answer": "a", "metadata": {}}
            return connection.reply("200 OK", {**whole, **ids})
        connection.head()
        connection.event(event="message", answer="a", **ids)
        connection.event(event="message_end", metadata={}, **ids)
        connection.end()


class World:
    """One app on a loopback socket."""

    def __init__(self, app: App, server: RawServer) -> None:
        self.app = app
        self.server = server
        self.magics = DifyMagics(None)
        self.dify = Dify("app-" + "x7Qz" * 6, server.url, "me")

    def cell(self, text: str, **names: Any) -> str:
        """Run a `%%dify` cell; gives what was refused, "" where it was asked."""
        line, _, body = text.removeprefix("%%dify").partition("\n")
        shell = SimpleNamespace(
            user_ns={"c": self.dify, **names}, push=names.update, displayhook=SimpleNamespace(update_user_ns=id)
        )
        self.magics.shell = shell
        try:
            asked = f"c {line}" if "--dry-run" in line else f"c --quiet {line}"
            self.magics._ask(asked, body or "hi", shell.user_ns)
        except InputError as error:
            return str(error)
        return ""

    @contextmanager
    def panel(self, monkeypatch: pytest.MonkeyPatch, *, known: bool) -> Iterator[Browser]:
        """A panel's page; without the form where it is not `known`."""
        monkeypatch.setattr("dify_notebook.panel.handlers.LEARN_SECONDS", 0.1)
        monkeypatch.setattr("dify_notebook.panel.widget.LEARN_SECONDS", 0.1)
        if not known:
            self.app.site.clear()
        with wired():
            page = show(ChatPanel(self.dify))
            try:
                if known:
                    page.until(lambda: "app" in page.parts, "the app")
                yield page
            finally:
                self.app.site.set()
                wait([page.panel._controller.learn()], 20)
                page.panel.close()

    def leaks(self) -> int:
        """How often a file's content went to the server."""
        return sum(CONTENT in request.body for request in self.server.requests)


@contextmanager
def counted(app: App) -> Iterator[World]:
    with serving(app) as server:
        world = World(app, server)
        with world.dify:
            yield world


def texts_of(home: Path) -> dict[str, str]:
    """Texts that name a file which is there: as a path, as a pattern, by the home directory."""
    (home / "secret.txt").write_bytes(CONTENT)
    return {"path": str(home / "secret.txt"), "pattern": str(home / "*.txt"), "home": "~/secret.txt"}
