"""A file that one run gave is an input of the next: named where the server keeps it, never sent from here again."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from contract.exchanges import load_exchanges
from contract.streams import load, load_blocking
from support.raw_server import Connection, Request, serving

from dify_notebook import AsyncDify
from dify_notebook.app.stored_files import reference
from dify_notebook.errors import InputError
from dify_notebook.i18n import t
from dify_notebook.turn.convert import as_file, files_in
from dify_notebook.turn.state import MessageFile
from dify_notebook.wire.decoder import decode
from dify_notebook.wire.sse import Splitter

pytestmark = pytest.mark.anyio

ID = "318697a1-61b6-450e-aa6f-e2815a9d75cd"
OTHER = "df96d662-1ab8-4312-8752-0591721cffe4"
SIGNED = "?timestamp=1795252300&nonce=-&sign=-"
UPLOAD = {"type": "image", "transfer_method": "local_file", "upload_file_id": ID}
MADE = {"type": "image", "transfer_method": "tool_file", "tool_file_id": ID}
WEB = {"type": "image", "transfer_method": "remote_url", "url": "http://web.example/x.png"}

FILES: list[tuple[str, dict[str, Any], dict[str, Any] | None]] = [
    ("an output that was uploaded", {"id": ID, "transfer_method": "local_file"}, UPLOAD),
    ("an output that a tool made", {"id": ID, "transfer_method": "tool_file"}, MADE),
    ("an output of the web", {"transfer_method": "remote_url", "url": WEB["url"]}, WEB),
    (
        "a stored message's, whose own id is no upload's (Dify 0.15)",
        {"id": OTHER, "transfer_method": "local_file", "url": f"http://h/files/{ID}/file-preview{SIGNED}"},
        UPLOAD,
    ),
    (
        "a stored message's with the upload's id (Dify 1.x)",
        {"id": OTHER, "transfer_method": "local_file", "upload_file_id": ID, "url": f"/files/{OTHER}/file-preview"},
        UPLOAD,
    ),
    ("an agent's picture", {"id": OTHER, "url": f"/files/tools/{ID}.png{SIGNED}"}, MADE),
    ("an upload as an event tells of it", {"id": OTHER, "url": f"/files/{ID}/image-preview{SIGNED}"}, UPLOAD),
    ("no way is told", {"id": ID}, None),
    ("an unknown way", {"id": ID, "transfer_method": "datasource_file"}, None),
    ("no address", {"transfer_method": "remote_url", "url": "/x.png"}, None),
    ("a broken address", {"transfer_method": "tool_file", "url": "http://[/files"}, None),
]


@pytest.mark.parametrize(("told", "named"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_a_kept_file_is_named_by_what_the_server_tells(told: dict[str, Any], named: dict[str, Any] | None) -> None:
    file = MessageFile(type="image", name="x.png", **told)
    assert reference(file) == named
    assert reference(pickle.loads(pickle.dumps(file))) == named


def recorded_files() -> list[dict[str, Any]]:
    """Every file that a recorded run tells of."""
    found = []
    for recording in load().values():
        for frame in Splitter().feed(recording.body):
            found += files_in(getattr(decode(frame), "data", None))
    for case, recording in {**load_blocking(), **load_exchanges()}.items():
        if "__" in case and "workflows-run" in case and recording.body.startswith(b"{"):
            found += files_in(json.loads(recording.body))
    return found


def test_every_recorded_file_of_a_run_can_be_named_again() -> None:
    files = recorded_files()
    ways = {file["transfer_method"] for file in files}
    assert len(files) > 100
    assert ways == {"local_file", "remote_url"}
    for file in files:
        named = reference(file)
        assert named == reference(as_file(file))
        where = ("upload_file_id", file["related_id"]) if file["transfer_method"] == "local_file" else ("url", file["url"])
        assert named == {"type": file["type"], "transfer_method": file["transfer_method"], where[0]: where[1]}


CONTROLS = [
    {"file": {"variable": "doc", "label": "Doc", "type": "file"}},
    {"file-list": {"variable": "docs", "label": "Docs", "type": "file-list", "max_length": 5}},
]


class Server:
    """It takes what comes, and keeps it."""

    def __init__(self, form: list[Any]) -> None:
        self.form, self.uploads = form, 0
        self.bodies: list[Any] = []

    def __call__(self, request: Request, connection: Connection) -> None:
        if request.path.startswith("/v1/parameters"):
            return connection.reply("200 OK", {"user_input_form": self.form})
        if request.path.startswith("/v1/files"):
            self.uploads += 1
            return connection.reply("200 OK", {"id": "new", "name": "file", "mime_type": "image/png"})
        self.bodies.append(request.json)
        data = {"id": "r", "status": "succeeded", "outputs": {}}
        return connection.reply("200 OK", {"task_id": "t", "workflow_run_id": "r", "data": data})


KEPT = [
    MessageFile(id=ID, type="image", transfer_method="local_file"),
    {"dify_model_identity": "__dify__file__", "id": None, "related_id": ID, "type": "image", "transfer_method": "local_file"},
]


@pytest.mark.parametrize("form", [[], CONTROLS], ids=["form unknown", "form known"])
@pytest.mark.parametrize("kept", KEPT, ids=["of a turn", "as the server keeps it"])
async def test_it_is_sent_as_an_input_and_beside_the_inputs(kept: Any, form: list[Any]) -> None:
    server = Server(form)
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            await dify.workflows.run({"doc": kept, "docs": [kept, b"more"]}, files=[kept, b"more"])
    [body] = server.bodies
    new = {"type": "image", "transfer_method": "local_file", "upload_file_id": "new"}
    assert body["inputs"] == {"doc": UPLOAD, "docs": [UPLOAD, new]}
    assert body["files"] == [UPLOAD, new]
    assert server.uploads == 2


@pytest.mark.parametrize("form", [[], CONTROLS], ids=["form unknown", "form known"])
async def test_one_that_cannot_be_named_is_refused_with_the_reason(form: list[Any]) -> None:
    lost = MessageFile(id=ID, type="image", name="x.png")
    server = Server(form)
    with serving(server) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            tried: list[Any] = [({"doc": lost}, None), ({"docs": [b"more", lost]}, None), ({}, [b"more", lost])]
            for inputs, files in tried:
                with pytest.raises(InputError) as caught:
                    await dify.workflows.run(inputs, files=files)
                assert caught.value.message == t("net.file_again", name="x.png")
    assert (server.bodies, server.uploads) == ([], 0)
