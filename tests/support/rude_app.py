"""A Dify app that puts texts of one's choice into places of its answers; and what a terminal obeys in a text."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from support.raw_server import Connection, Request

KEY = "app-" + "r5Ue" * 6
CONVERSATION = "11111111-aaaa-4aaa-8aaa-000000000001"
MESSAGE = "22222222-bbbb-4bbb-8bbb-000000000002"

_READING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")

PROBE = (
    "\x1b]0;title\x07\x1b[2J\x9b31m\x1b]52;c;Y2FsYw==\x1b\\ left\roverwritten\x08\x08\x7f bell\x07 nul\x00 \x0b\x0c"
    + "".join(map(chr, range(0x80, 0xA0)))
    + "\u202a\u202b\u202c\u202d\u202egnp.exe\u2066\u2067\u2068\u2069 end\u2028forged\n* forged: line"
)


def obeyed(text: str) -> list[str]:
    """What a terminal would not show but do, of all that stands in the text.

    >>> obeyed("ok\\n\\tfine \\x1b[31m")
    ['U+001B']
    """
    found = {
        sign
        for sign in text
        if (unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t")
        or unicodedata.bidirectional(sign) in _READING
    }
    return [f"U+{ord(sign):04X}" for sign in sorted(found)]


class RudeApp:
    """The script of a `RawServer`.

    Args:
        texts: what stands in which of `PLACES`; everything else is well-behaved.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self.refuses = False
        """Whether everything but /parameters and /info is refused."""

    def _at(self, place: str, usual: Any = "usual") -> Any:
        assert place in PLACES, place
        return self.texts.get(place, usual)

    def __call__(self, request: Request, connection: Connection) -> None:
        path = request.path.removeprefix("/v1").partition("?")[0]
        if self.refuses and path not in ("/info", "/parameters"):
            self._refuse(connection)
            return
        found = self._answer(path)
        if path == "/chat-messages":
            self._stream(connection)
        elif found is None:
            self._refuse(connection, "404 NOT FOUND")
        else:
            connection.reply("200 OK", found)

    def _refuse(self, connection: Connection, status: str = "400 BAD") -> None:
        said = {"code": self._at("code", "invalid_param"), "message": self._at("message"), "status": 400}
        name = self._at("request id", "r-1").replace("\n", " ")
        kept = "".join(sign for sign in name if sign >= " " and sign != "\x7f")[:8_000]  # no header holds the others
        plain = "body" in self.texts
        kind, body = ("text/plain", self._at("body").encode()) if plain else ("application/json", said)
        connection.reply(status, body, kind, extra=f"X-Request-Id: {kept}\r\n")

    def _answer(self, path: str) -> dict[str, Any] | None:
        at = self._at
        control = {"variable": at("input name", "city"), "label": at("input label"), "required": False}
        select = {"select": {**control, "options": [at("input option"), "b"], "type": at("input type")}}
        id, when = at("conversation id", CONVERSATION), 1_700_000_000
        conversation = {"id": id, "name": at("conversation name"), "updated_at": when}
        message = {
            "id": MESSAGE, "conversation_id": CONVERSATION, "query": at("question"), "answer": at("answer"),
            "error": at("stored error"), "status": "error", "created_at": when,
            "message_files": [{"id": "f", "type": "custom", "filename": at("file name"), "url": "/f"}],
            "retriever_resources": [{"document_name": at("document"), "content": at("passage")}],
            "agent_thoughts": [self._thought()],
        }  # fmt: skip
        variable = {"id": "v", "name": at("variable"), "value": at("value"), "value_type": "string"}
        rating = {"id": "g", "content": at("rating"), "rating": "like", "message_id": MESSAGE, "from_end_user_id": "e"}
        form = {"user_input_form": [select], "opening_statement": at("opening")}
        annotation = {"id": "a", "question": at("annotation"), "answer": "x", "hit_count": 1, "created_at": 1}
        listed = {"has_more": False, "limit": 100}
        return {
            "/info": {"name": at("app"), "description": at("description"), "mode": at("mode", "chat")},
            "/parameters": form,
            "/site": {"title": at("site")},
            "/meta": {"tool_icons": {at("icon"): at("icon")}},
            "/conversations": {"data": [conversation], **listed},
            f"/conversations/{CONVERSATION}/variables": {"data": [variable], **listed},
            "/messages": {"data": [message], **listed},
            f"/messages/{MESSAGE}/suggested": {"result": "success", "data": [at("suggestion")]},
            "/app/feedbacks": {"data": [rating]},
            "/apps/annotations": {"data": [annotation], **listed},
            "/end-users/e": {"id": "e", "session_id": at("user"), "name": at("user")},
            "/files/upload": {"id": at("upload id", "u"), "name": at("file name"), "mime_type": at("mime type")},
            "/audio-to-text": {"text": at("spoken")},
        }.get(path)

    def _thought(self) -> dict[str, Any]:
        names = {"thought": "thought", "tool": "tool", "tool_input": "tool input", "observation": "observation"}
        return {"id": "t", "position": 1, **{name: self._at(place) for name, place in names.items()}}

    def _stream(self, connection: Connection) -> None:
        at = self._at
        id, name = at("conversation id", CONVERSATION), at("file name")
        ids = {"task_id": at("task id", "t"), "message_id": MESSAGE, "conversation_id": id}
        run = {"workflow_run_id": "w", **ids}
        node = {"id": "n", "node_id": "n", "node_type": at("node kind", "llm"), "title": at("node")}
        log = {"id": "l", "label": at("log"), "error": at("log error"), "status": "error", "node_id": "n"}
        connection.head()
        say = connection.event
        say(event="workflow_started", data={"id": "w"}, **run)
        say(event="node_started", data=node, **run)
        say(event="node_retry", data={**node, "error": at("retry"), "retry_index": 1}, **run)
        say(event="agent_log", data=log, **run)
        say(event="node_finished", data={**node, "status": "failed", "error": at("node error")}, **run)
        say(event="agent_thought", **self._thought(), **ids)
        say(event=at("event", "new_event"), text=at("event text"), **ids)
        for begin in range(0, len(at("answer")), 4_000):
            say(event="message", answer=at("answer")[begin : begin + 4_000], **ids)
        file = {"type": at("file type", "custom"), "filename": name, "mime_type": at("mime type"), "url": "/f"}
        say(event="message_file", id="f", belongs_to="assistant", **file, **ids)
        cited = [{"document_name": at("document"), "dataset_name": at("dataset"), "content": at("passage")}]
        usage = {"total_tokens": 7, "total_price": "0.1", "currency": at("currency", "USD")}
        say(event="message_end", metadata={"usage": usage, "retriever_resources": cited}, **ids)
        say(event="workflow_finished", data={"id": "w", "status": "failed", "error": at("workflow error")}, **run)
        say(event="error", code=at("code", "x"), message=at("message"), status=400, **ids)
        connection.end()


PLACES = (
    "code", "message", "request id", "body",
    "app", "description", "mode", "input name", "input label", "input option", "input type", "opening", "site", "icon",
    "conversation id", "conversation name", "question", "answer", "stored error", "file name", "document", "passage",
    "tool", "tool input", "thought", "observation", "variable", "value", "rating", "annotation", "user",
    "suggestion", "upload id", "mime type", "spoken", "task id", "node kind", "node", "retry", "log", "log error",
    "node error", "event", "event text", "file type", "dataset", "currency", "workflow error",
)  # fmt: skip
"""Where a server's words stand."""
