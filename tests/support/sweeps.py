"""What the tests of sweeps share: cases of texts, and a server that takes only so many questions at once."""

from __future__ import annotations

import threading
import time
import uuid
from typing import Any

from support.raw_server import Connection, Request

from dify_notebook import AsyncDify
from dify_notebook.sweep.case import Case, Message, Target, Variant


def case_of(*queries: str | None, target: str = "app", **inputs: Any) -> Case:
    """A case whose id is what it asks; of several queries it is a script."""
    messages = tuple(Message(query=query, inputs=inputs) for query in queries)
    name = f"{target}-{'-'.join(str(query) for query in queries)}-{inputs}"
    clean = "".join(sign if sign.isalnum() else "-" for sign in name)
    return Case(id=clean, question=str(queries[0]), variant=Variant(target=target), repeat=0, messages=messages)


def target_of(client: AsyncDify, name: str = "app") -> dict[str, Target]:
    return {name: Target(name=name, client=client, identity=f"identity of {name}")}


class CrowdedApp:
    """The script of a `RawServer`: it refuses what is more than `room` at once, as Dify does, and answers the rest.

    Args:
        room: questions at once.
        status: of a refusal: 429 or Dify's 400.
        seconds: that an answer takes.
    """

    def __init__(self, room: int, status: int = 429, seconds: float = 0.005) -> None:
        self.room, self.status, self.seconds = room, status, seconds
        self.answered: list[str] = []
        """Questions that were taken, in order."""
        self.refused: list[str] = []
        self._lock = threading.Lock()
        self._open = 0

    def __call__(self, request: Request, connection: Connection) -> None:
        if not request.path.endswith("/chat-messages"):
            connection.reply("404 NOT FOUND", {"code": "not_found", "message": request.path})
            return
        query = request.json["query"]
        with self._lock:
            takes = self._open < self.room
            self._open += takes
            (self.answered if takes else self.refused).append(query)
        if not takes:
            message = "Too many requests. Please try again later. The current maximum concurrent requests allowed is 3."
            said = {"code": "invalid_param", "message": message}
            words = {429: "429 TOO MANY REQUESTS", 400: "400 BAD REQUEST"}[self.status]
            connection.reply(words, said, extra="Retry-After: 0.001\r\n" if self.status == 429 else "")
            return
        try:
            time.sleep(self.seconds)
            ids = {"task_id": uuid.uuid4().hex, "message_id": uuid.uuid4().hex, "conversation_id": uuid.uuid4().hex}
            connection.head()
            connection.event(event="message", answer=query, **ids)
        finally:
            with self._lock:
                self._open -= 1
        connection.event(event="message_end", metadata={"usage": {"total_tokens": 7}}, **ids)
        connection.end()
