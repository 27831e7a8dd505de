"""A Dify app in bad weather: what becomes of each question is drawn at random, and written down."""

from __future__ import annotations

import random
import threading
import uuid
from collections import defaultdict
from collections.abc import Sequence
from email.utils import formatdate
from typing import Any

from support.raw_server import Connection, Request

#: Fates of questions that surely were not taken: they may be asked again at once.
BUSY = ("429", "429 soon", "429 date", "429 past", "429 negative", "429 words", "400")
#: Fates of questions that were taken, or may have been.
LOST = ("500", "502", "503", "reset", "hang up", "cut", "no end", "error", "refused")
#: Fates that are an answer.
ANSWERED = ("well", "json", "annotation", "replaced")

_AFTER = {
    "429": "", "429 soon": "0.01", "429 past": formatdate(0, usegmt=True), "429 negative": "-5", "429 words": "soon",
    "429 ages": "9" * 40,
}  # fmt: skip


class Storm:
    """The script of a `RawServer`, for a chat app without a form.

    Args:
        seed: of the weather.
        fates: what may become of a question; one that stands there twice comes twice as often.
    """

    def __init__(self, seed: int, fates: Sequence[str] = BUSY + LOST + ANSWERED) -> None:
        self.fates = list(fates)
        self.seen: dict[str, list[str]] = defaultdict(list)
        """What became of each question, in the order in which it came."""
        self.later: tuple[int, str] | None = None
        """After so many questions this fate is every other one's."""
        self.users: set[str] = set()
        self.uploads = 0
        self.uploading = threading.Event()
        """While cleared, uploads wait."""
        self.uploading.set()
        self._chance = random.Random(seed)
        self._lock = threading.Lock()

    def __call__(self, request: Request, connection: Connection) -> None:
        path = request.path.removeprefix("/v1").partition("?")[0]
        if path == "/info":
            connection.reply("200 OK", {"name": "Storm", "description": "", "mode": "chat"})
        elif path == "/parameters":
            connection.reply("200 OK", {"user_input_form": []})
        elif path == "/files/upload":
            self.uploads += 1
            self.uploading.wait(30)
            file = {"id": str(uuid.uuid4()), "name": "a.txt", "size": 1, "extension": "txt", "mime_type": "text/plain"}
            connection.reply("201 CREATED", {**file, "created_by": "x", "created_at": 1_700_000_000})
        elif path == "/chat-messages":
            with self._lock:
                fate = self._chance.choice(self.fates)
                if self.later is not None and sum(map(len, self.seen.values())) >= self.later[0]:
                    fate = self.later[1]
                self.seen[request.json["query"]].append(fate)
                self.users.add(request.json["user"])
            self._answer(request.json, fate, connection)
        else:
            connection.reply("404 NOT FOUND", {"code": "not_found", "message": path})

    def _answer(self, body: dict[str, Any], fate: str, connection: Connection) -> None:
        if fate.startswith("429"):
            after = formatdate(usegmt=True) if fate == "429 date" else _AFTER[fate]
            said = {"code": "too_many_requests", "message": "Later.", "status": 429}
            connection.reply("429 TOO MANY REQUESTS", said, extra=f"Retry-After: {after}\r\n" if after else "")
        elif fate == "401":
            withdrawn = {"code": "unauthorized", "message": "Access token is invalid", "status": 401}
            connection.reply("401 UNAUTHORIZED", withdrawn)
        elif fate in ("400", "refused"):
            why = "Too many requests. Please try again later." if fate == "400" else "That cannot be asked."
            connection.reply("400 BAD REQUEST", {"code": "invalid_param", "message": why, "status": 400})
        elif fate in ("500", "503"):
            connection.reply(f"{fate} NO", {"code": "internal_server_error", "message": "No.", "status": int(fate)})
        elif fate == "502":
            connection.reply("502 BAD GATEWAY", b"<html>Bad gateway</html>", "text/html")
        elif fate == "reset":
            connection.reset()
        elif fate == "hang up":
            connection.close()
        else:
            self._stream(body, fate, connection)

    def _stream(self, body: dict[str, Any], fate: str, connection: Connection) -> None:
        message, talk = str(uuid.uuid4()), body["conversation_id"] or str(uuid.uuid4())
        ids = {"task_id": message, "message_id": message, "conversation_id": talk}
        metadata: dict[str, Any] = {"usage": {"total_tokens": 7, "total_price": "0.001", "currency": "USD"}}
        answer = f"You said: {body['query']}"
        if fate == "json":
            connection.reply("200 OK", {"event": "message", "answer": answer, "metadata": metadata, **ids})
            return
        if fate == "annotation":
            metadata["annotation_reply"] = {"id": message, "account": {"id": message, "name": "A"}}
        connection.head()
        connection.event(event="message", answer=answer[:5], **ids)
        if fate == "cut":
            connection.reset()
        if fate == "error":
            code = "completion_request_error"
            connection.event(event="error", code=code, status=400, message="No.", message_id=message)
        elif fate != "no end":
            connection.event(event="message", answer=answer[5:], **ids)
            if fate == "replaced":
                connection.event(event="message_replace", answer="Moderated.", reason="output_moderation", **ids)
            connection.event(event="message_end", metadata=metadata, **ids)
        connection.end()
