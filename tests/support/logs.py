"""The logs of an app as a server keeps them: several users, pages by whole seconds, ties in any order."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.raw_server import Connection, Request

Row = dict[str, Any]
NIL = "00000000-0000-0000-0000-000000000000"


def message(id: str, conversation: str, second: int, **more: Any) -> Row:
    """A message as Dify 1.12 tells it."""
    return {
        "id": id,
        "conversation_id": conversation,
        "parent_message_id": NIL,
        "inputs": {},
        "query": f"Question {id}?",
        "answer": f"Answer {id}.",
        "message_files": [],
        "feedback": None,
        "retriever_resources": [],
        "created_at": second,
        "agent_thoughts": [],
        "status": "normal",
        "error": None,
        **more,
    }


class Logs:
    """The script of a `RawServer`.

    Like Dify, it compares whole seconds with `<`, so what shares its second with a page's end is not on
    the next page; items of one second come in another order on every call.
    """

    def __init__(self, mode: str | None = "chat", *, old: bool = False, seed: int = 0) -> None:
        self.mode = mode
        self.old = old
        """Whether it is Dify 0.15: no lists of ratings, annotations and variables."""
        self.conversations: dict[str, Row] = {}
        self.users: dict[str, str] = {}
        """Conversation -> user."""
        self.messages: dict[str, list[Row]] = {}
        self.feedbacks: list[Row] = []
        self.annotations: list[Row] = []
        self.variables: dict[str, list[Row]] = {}
        self.end_users: dict[str, str] = {}
        self.asked: list[str] = []
        """Paths with queries, in the order of their answers."""
        self.before: Callable[[str], None] = lambda path: None
        """Called with each request's path before it is answered; may change the logs or wait."""
        self.refuse: Callable[[str, dict[str, str]], tuple[str, Row] | None] = lambda path, query: None
        """Gives status line and body of a refusal."""
        self._random = random.Random(seed)
        self._lock = threading.RLock()

    def begin(self, id: str, user: str, second: int, **more: Any) -> None:
        """A new conversation."""
        self.users[id] = user
        self.messages.setdefault(id, [])
        self.conversations[id] = {
            "id": id,
            "name": f"Talk {id}",
            "inputs": {},
            "status": "normal",
            "introduction": "",
            "created_at": second,
            "updated_at": second,
            **more,
        }

    def say(self, conversation: str, id: str, second: int, **more: Any) -> None:
        """One more message, which bumps its conversation."""
        with self._lock:
            self.messages[conversation].append(message(id, conversation, second, **more))
            row = self.conversations[conversation]
            row["updated_at"] = max(row["updated_at"], second)

    def ids(self, user: str | None = None) -> set[str]:
        """The ids of all messages, or of a user's."""
        return {row["id"] for key, rows in self.messages.items() for row in rows if user in (None, self.users[key])}

    def count(self, path: str) -> int:
        """How often that path was asked for."""
        return sum(urlsplit(asked).path == "/v1" + path for asked in self.asked)

    def __call__(self, request: Request, connection: Connection) -> None:
        url = urlsplit(request.path)
        path = url.path.removeprefix("/v1")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.before(path)
        refused = self.refuse(path, query)
        if refused:
            connection.reply(*refused)
            return
        with self._lock:
            self.asked.append(request.path)
            found = self._answer(path, query)
        if found is None:
            connection.reply("404 NOT FOUND", b"<!doctype html><title>404</title>", kind="text/html; charset=utf-8")
        elif "code" in found:
            connection.reply(f"{found['status']} NO", found)
        else:
            connection.reply("200 OK", found)

    def _answer(self, path: str, query: dict[str, str]) -> Row | None:
        limit = int(query.get("limit", "20"))
        if path == "/info":
            return {"name": "Logs", "description": "", "tags": [], **({"mode": self.mode} if self.mode else {})}
        if path == "/conversations":
            rows = [row for id, row in self.conversations.items() if self.users[id] == query["user"]]
            return self._page(rows, "updated_at", query.get("last_id"), limit)
        if path == "/messages":
            id = query["conversation_id"]
            if self.users.get(id) != query["user"]:
                return {"code": "not_found", "message": "Conversation Not Exists.", "status": 404}
            page = self._page(self.messages[id], "created_at", query.get("first_id"), limit)
            page["data"].reverse()
            return page
        if self.old:
            return None
        if path.endswith("/variables"):
            return {"data": self.variables.get(path.split("/")[2], []), "has_more": False, "limit": limit}
        if path.startswith("/end-users/"):
            name = self.end_users.get(path.split("/")[2])
            return None if name is None else {"id": path.split("/")[2], "session_id": name}
        if path in ("/app/feedbacks", "/apps/annotations"):
            rows = self.feedbacks if path == "/app/feedbacks" else self.annotations
            start = (int(query.get("page", "1")) - 1) * limit
            return {"data": rows[start : start + limit]}
        return None

    def _page(self, rows: list[Row], field: str, at: str | None, limit: int) -> Row:
        shuffled = self._random.sample(rows, len(rows))
        left = sorted(shuffled, key=lambda row: row[field], reverse=True)
        if at:
            edge = next(row[field] for row in rows if row["id"] == at)
            left = [row for row in left if row[field] < edge]
        return {"data": [dict(row) for row in left[:limit]], "has_more": len(left) > limit, "limit": limit}
