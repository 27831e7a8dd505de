"""A workflow app whose every value carries what nobody else is to have: signatures, keys, tokens of forms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from support.raw_server import Connection, Request

SIGNATURE = "SiGnAtUrEcAnArY"
TOKEN = "FoRmToKeNcAnArY1234567"
KEY = "app-canaryQx7Tn2Vb9Kd4Ws6Zr"
SECRETS = (SIGNATURE, TOKEN, KEY)
RUN = "11111111-2222-4333-8444-555555555555"


def link(name: str) -> str:
    return f"http://host.example/files/{name}/file-preview?timestamp=1&nonce={SIGNATURE}&sign={SIGNATURE}%3D"


def file(name: str) -> dict[str, Any]:
    facts = {"filename": f"{name}.txt", "extension": ".txt", "mime_type": "text/plain", "size": 3, "type": "document"}
    ids = {"id": None, "related_id": name, "tenant_id": "t", "transfer_method": "tool_file", "remote_url": None}
    return {"dify_model_identity": "__dify__file__", **facts, **ids, "url": link(name)}


OUTPUTS: dict[str, Any] = {
    "file": file("a"),
    "files": [file("b"), file("c")],
    "nested": {"deep": [{"file": file("d")}]},
    "markdown": f"![p]({link('e')}) and {link('f')}",
    "json": json.dumps({"url": link("g")}),
    "key": KEY,
    "form_token": TOKEN,
    "raw": {"url": link("h"), "form_token": TOKEN},
    f"name?sign={SIGNATURE}": 1,
}


class HostileRun:
    """The script of a `RawServer`."""

    def __init__(self) -> None:
        self.status = "succeeded"
        self.outputs: Any = OUTPUTS
        self.detail_id: str | None = None
        """Of which run the server tells when it is asked for any."""
        self.writes_text = True
        """Whether it tells outputs as JSON text, as Dify 1.12 does."""
        self.cut = False
        """Whether the connection is lost before the end of the run."""

    def __call__(self, request: Request, connection: Connection) -> None:
        path = urlsplit(request.path).path.removeprefix("/v1")
        if path == "/info":
            connection.reply("200 OK", {"name": "A", "mode": "workflow"}, extra="X-Version: 1.12.1\r\n")
        elif path == "/parameters":
            connection.reply("200 OK", {"user_input_form": [{"paragraph": {"variable": "text", "label": "T"}}]})
        elif path == "/workflows/run" and request.json["response_mode"] == "blocking":
            connection.reply("200 OK", {"task_id": "t", "workflow_run_id": RUN, "data": self._end()})
        elif path == "/workflows/run":
            connection.head()
            for event in self._events():
                if self.cut and event["event"] == "workflow_finished":
                    connection.close()
                connection.event(**event)
            connection.end()
        elif path == "/workflows/logs":
            connection.reply("200 OK", {"data": [self._line()], "has_more": False})
        elif path.startswith("/files/"):
            connection.reply("200 OK", b"x" * 1_000_000, kind="image/png")
        elif path.startswith("/workflows/run/"):
            inputs = json.dumps({"text": "x", "paper": file("in")})
            values = {"inputs": inputs, "outputs": json.dumps(self.outputs) if self.writes_text else self.outputs}
            id = self.detail_id or path.rpartition("/")[2]
            connection.reply("200 OK", {**self._end(), **values, "id": id})
        else:
            connection.reply("404 NOT FOUND", {"code": "not_found", "message": f"no {link('x')}"})

    def _end(self) -> dict[str, Any]:
        error = None if self.status == "succeeded" else f"bad {link('err')}"
        facts = {"elapsed_time": 1, "total_tokens": 1, "total_steps": 1, "created_at": 1, "finished_at": 2}
        return {"id": RUN, "workflow_id": "w", "status": self.status, "outputs": self.outputs, "error": error, **facts}

    def _line(self) -> dict[str, Any]:
        words = {name: f"w?sign={SIGNATURE}" for name in ("version", "triggered_from", "status")}
        user = {"session_id": "me", "type": link("user")}
        by = {"created_from": f"w?sign={SIGNATURE}", "created_by_role": link("role"), "created_by_end_user": user}
        return {"id": "l1", "workflow_run": {**self._end(), **words}, "details": OUTPUTS, "created_at": 2, **by}

    def _events(self) -> Iterator[dict[str, Any]]:
        ids = {"task_id": "t", "workflow_run_id": RUN}
        node = {"id": "n1", "node_id": "n", "node_type": "code", "title": f"T ?sign={SIGNATURE}", "index": 1}
        inputs = {"text": "x", "paper": file("in")}
        yield {"event": "workflow_started", **ids, "data": {"id": RUN, "workflow_id": "w", "inputs": inputs}}
        yield {"event": "node_started", **ids, "data": {**node, "inputs": OUTPUTS}}
        yield {"event": "text_chunk", **ids, "data": {"text": f"see {link('z')} "}}
        values = {"inputs": OUTPUTS, "process_data": OUTPUTS, "outputs": OUTPUTS, "execution_metadata": {"x": OUTPUTS}}
        yield {"event": "node_finished", **ids, "data": {**node, **values, "status": "succeeded", "elapsed_time": 0.1}}
        yield {"event": "workflow_finished", **ids, "data": {**self._end(), "files": [file("a")]}}
