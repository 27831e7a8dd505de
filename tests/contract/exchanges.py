"""Recorded exchanges with real Dify servers, for every operation; of those that ask, the refusals of workflow and
completion apps alone: see `streams.py` for the others.

`exchanges.jsonl.xz` is of the same kind as `streams.jsonl.xz` (see `streams.py`). Bodies that came
with a Content-Length are one chunk, those that came in chunks have the chunks of the wire.

`ended` is `eof` for a 204, which has neither a length nor a body and is whole all the same. The
bodies of the five uploads of more than 10 MB were not kept: their request's body is None.
The tokens of forms, in bodies and paths, were replaced by others, and what signs the addresses of files of runs by `-`.
The headers of the requests are not kept either; where the question is in one of them
(`auth-parameters__*`, `errors__gzip-*`, `files-preview__*-range`, `files-upload__bad-key`,
`nginx__bad-key`), the name of the case tells it.
"""

from __future__ import annotations

import json
import lzma
import re
from base64 import b64decode
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from contract.streams import Recording, Request

FIXTURE = Path(__file__).with_name("exchanges.jsonl.xz")


@cache
def load_exchanges() -> dict[str, Recording]:
    """All exchanges, by case: `<Dify version>/<endpoint>__<app>-<what>`."""
    found: dict[str, Recording] = {}
    with lzma.open(FIXTURE, "rt", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            row = json.loads(line)
            asked = row["request"]
            body = asked["body"]
            found[row["case"]] = Recording(
                case=row["case"],
                request=Request(asked["method"], asked["path"], None if body is None else _bytes(body)),
                status=row["status"],
                headers=[(name, value) for name, value in row["headers"]],
                ended=row["ended"],
                chunks=[(seconds, _bytes(chunk)) for seconds, chunk in row["chunks"]],
            )
    return found


def _bytes(stored: str | dict[str, str]) -> bytes:
    return stored.encode() if isinstance(stored, str) else b64decode(stored["b64"])


def operation(request: Request) -> str | None:
    """The client's operation whose route this is, going by method and path alone; None where
    there is none. What was sent there may still be nothing the client would ever send."""
    path = urlsplit(request.path).path
    for method, pattern, name in _ROUTES:
        if method == request.method and pattern.fullmatch(path):
            return name
    return None


_ROUTES = [
    (method, re.compile("/v1" + path.replace("*", "[^/]+")), name)
    for method, path, name in (
        ("GET", "/conversations", "conversations.list"),
        ("POST", "/conversations/*/name", "conversations.rename"),
        ("DELETE", "/conversations/*", "conversations.delete"),
        ("GET", "/conversations/*/variables", "conversations.variables"),
        ("PUT", "/conversations/*/variables/*", "conversations.set_variable"),
        ("GET", "/messages", "messages.list"),
        ("GET", "/messages/*/suggested", "messages.suggested"),
        ("POST", "/messages/*/feedbacks", "messages.feedback"),
        ("POST", "/chat-messages", "chat.send"),
        ("POST", "/chat-messages/*/stop", "chat.stop"),
        ("POST", "/workflows/run", "workflows.run"),
        ("POST", "/workflows/*/run", "workflows.run"),
        ("POST", "/workflows/tasks/*/stop", "workflows.stop"),
        ("GET", "/workflows/run/*", "workflows.get"),
        ("GET", "/workflows/logs", "workflows.logs"),
        ("POST", "/completion-messages", "completion.send"),
        ("POST", "/completion-messages/*/stop", "completion.stop"),
        ("POST", "/files/upload", "files.upload"),
        ("GET", "/files/*/preview", "files.download"),
        ("POST", "/audio-to-text", "audio.to_text"),
        ("POST", "/text-to-audio", "audio.from_text"),
        ("GET", "/info", "app.info"),
        ("GET", "/parameters", "app.parameters"),
        ("GET", "/meta", "app.meta"),
        ("GET", "/site", "app.site"),
        ("GET", "/app/feedbacks", "app.feedbacks"),
        ("GET", "/apps/annotations", "annotations.list"),
        ("POST", "/apps/annotations", "annotations.create"),
        ("PUT", "/apps/annotations/*", "annotations.update"),
        ("DELETE", "/apps/annotations/*", "annotations.delete"),
        ("POST", "/apps/annotation-reply/enable", "annotations.enable_reply"),
        ("POST", "/apps/annotation-reply/disable", "annotations.disable_reply"),
        ("GET", "/apps/annotation-reply/*/status/*", "annotations.reply_status"),
        ("GET", "/end-users/*", "end_users.get"),
        ("GET", "/form/human_input/*", "forms.get"),
        ("POST", "/form/human_input/*", "forms.submit"),
        ("GET", "/workflow/*/events", "chat.resume"),
    )
]
