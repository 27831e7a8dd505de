"""Files as inputs of a sweep: what a path in a column names is uploaded and sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.raw_server import Connection, Request, serving

from dify_notebook import Dify, Sweep

KEY = "app-" + "f1Le" * 6
_FILE = {"label": "d", "required": False, "allowed_file_types": ["document"],
         "allowed_file_upload_methods": ["local_file"]}  # fmt: skip
FORM = [{"file": {**_FILE, "variable": "doc"}}, {"file-list": {**_FILE, "variable": "docs", "max_length": 3}}]


class Reader:
    """The script of a `RawServer`: an app whose form takes files."""

    def __init__(self) -> None:
        self.uploads = 0
        self.inputs: list[dict[str, Any]] = []

    def __call__(self, request: Request, connection: Connection) -> None:
        path = request.path.removeprefix("/v1").partition("?")[0]
        if path == "/info":
            connection.reply("200 OK", {"name": "Reader", "mode": "chat"})
        elif path == "/parameters":
            connection.reply("200 OK", {"user_input_form": FORM})
        elif path == "/files/upload":
            self.uploads += 1
            connection.reply("201 CREATED", {"id": f"file-{self.uploads}", "name": "a.txt", "size": 3,
                                             "extension": "txt", "mime_type": "text/plain"})  # fmt: skip
        elif path == "/chat-messages":
            self.inputs.append(request.json["inputs"])
            ids = {"task_id": "t", "message_id": "m", "conversation_id": "c"}
            connection.head()
            connection.event(event="message", answer="read", **ids)
            connection.event(event="message_end", metadata={}, **ids)
            connection.end()
        else:
            connection.reply("404 NOT FOUND", {"code": "not_found", "message": path})


def test_files_as_inputs_are_uploaded_and_sent(tmp_path: Path) -> None:
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for path in paths:
        path.write_text(path.name)
    app = Reader()
    with serving(app) as server:
        sweep = Sweep(Dify(KEY, server.url), [{"f": path} for path in paths], "Read it.",
                      inputs={"doc": "f", "docs": "{{ f }}"}, concurrency=1)  # fmt: skip
        sweep.run(progress=False)
        assert [outcome.error for outcome in sweep.outcomes.values()] == [None, None]
    assert len(app.inputs) == 2
    for inputs in app.inputs:
        assert inputs["doc"]["upload_file_id"].startswith("file-")
        assert [file["transfer_method"] for file in inputs["docs"]] == ["local_file"]
