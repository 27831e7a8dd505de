"""A Dify app whose answer is decided by the first word of the question; it never hurries by itself."""

from __future__ import annotations

import threading
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.raw_server import Connection, RawServer, Request

KEY = "app-" + "q7Rt" * 6


class ScriptedApp:
    """The script of a `RawServer`.

    silent: nothing at all, not even headers, until its client leaves. slow: a part of the answer, then nothing until it
    is stopped. deaf: the same, but a stop changes nothing. fail: a part, then an error event.
    refuse: HTTP 400. cut: a part, then the connection drops. Everything else: an echo of the
    question in three pieces.
    """

    def __init__(self, key: str = KEY) -> None:
        self.key = key
        self.questions: list[dict[str, Any]] = []
        """Bodies of /chat-messages, in order."""
        self.messages: dict[str, list[dict[str, Any]]] = {}
        """What the server keeps, by conversation, as /messages tells it, oldest first."""
        self.stops: list[dict[str, Any]] = []
        """Bodies of stops, in order."""
        self.partials = 0
        """How many partial answers have been sent so far."""
        self.form: list[dict[str, Any]] = []
        self.released = threading.Event()
        """Set at the end of the tests, so that no script waits for ever."""
        self.held = threading.Event()
        """While cleared, /parameters waits."""
        self.held.set()
        self._stopped: dict[str, threading.Event] = {}

    def __call__(self, request: Request, connection: Connection) -> None:
        path = request.path.removeprefix("/v1").partition("?")[0]
        version = "X-Version: 1.12.1\r\n"
        if request.headers.get("authorization") != f"Bearer {self.key}":
            connection.reply(
                "401 Unauthorized", {"code": "unauthorized", "message": "Access token is invalid"}
            )
        elif path == "/info":
            connection.reply(
                "200 OK", {"name": "Scripted", "description": "An echo.", "mode": "chat"}, extra=version
            )
        elif path == "/parameters":
            self.held.wait(30)
            connection.reply("200 OK", {"user_input_form": self.form}, extra=version)
        elif path.endswith("/stop"):
            self.stops.append(request.json)
            self._stopped.setdefault(path.split("/")[2], threading.Event()).set()
            connection.reply("200 OK", {"result": "success"})
        elif path == "/messages":
            asked = parse_qs(urlsplit(request.path).query)
            kept = self.messages.get(asked["conversation_id"][0], [])
            first = asked.get("first_id", [None])[0]
            until = next((index for index, one in enumerate(kept) if one["id"] == first), len(kept))
            since = max(0, until - int(asked["limit"][0]))
            connection.reply("200 OK", {"data": kept[since:until], "has_more": since > 0}, extra=version)
        elif path == "/chat-messages":
            self.questions.append(request.json)
            self._answer(request.json, connection)
        else:
            connection.reply("404 NOT FOUND", {"code": "not_found", "message": path})

    def _answer(self, body: dict[str, Any], connection: Connection) -> None:
        query = body["query"]
        word = query.split()[0]
        if word == "refuse":
            said = {"code": "invalid_param", "message": "That cannot be asked.", "status": 400}
            connection.reply("400 BAD REQUEST", said)
            return
        task = str(uuid.uuid4())
        ids = {
            "task_id": task,
            "message_id": str(uuid.uuid4()),
            "conversation_id": body["conversation_id"] or str(uuid.uuid4()),
        }
        if word == "silent":
            while not self.released.wait(0.05) and not connection.gone.is_set():
                pass
            return
        connection.head()
        message = {"id": ids["message_id"], "conversation_id": ids["conversation_id"], "query": query}
        self.messages.setdefault(ids["conversation_id"], []).append({**message, "inputs": body["inputs"], "answer": ""})
        if word in ("slow", "deaf", "fail", "cut"):
            connection.event(event="message", answer="partial ", **ids)
            connection.event(event="message", answer="answer", **ids)
            self.partials += 1
        if word in ("slow", "deaf"):
            stopped = self._stopped.setdefault(task, threading.Event())
            while not self.released.is_set() and not connection.gone.is_set():
                if stopped.wait(0.05) and word == "slow":
                    break
        elif word == "fail":
            said = {k: v for k, v in ids.items() if k != "task_id"}
            connection.event(
                event="error", code="completion_request_error", status=400, message="No tokens.", **said
            )
            connection.end()
            return
        elif word == "cut":
            connection.reset()
        else:
            for piece in ("You said: ", "**", f"{query}**"):
                connection.event(event="message", answer=piece, **ids)
        usage = {"total_tokens": 7, "total_price": "0.001", "currency": "USD"}
        connection.event(event="message_end", metadata={"usage": usage}, **ids)
        connection.end()


def scripted(key: str = KEY) -> tuple[ScriptedApp, RawServer]:
    """The app, and the server that plays it."""
    app = ScriptedApp(key)
    return app, RawServer(app)
