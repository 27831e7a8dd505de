"""A canary: a key that is given in every way, meets every failure, and stands in nothing that was written."""

from __future__ import annotations

import gzip
import itertools
import re
import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from support import notebooks
from support.raw_server import Connection, RawServer, Request, serving

KEYS = {"usual": "app-canaryQx7Tn2Vb9Kd4Ws6Zr", "unusual": "app-canary.Qx7/Tn2+Vb9"}
"""The form that Dify's keys have, which patterns can find, and one that no pattern knows."""

SETUP = """
import logging, os, sys
handler = logging.StreamHandler(sys.stdout)
logging.basicConfig(level=logging.DEBUG, handlers=[handler, logging.FileHandler("log.txt")], force=True)
for name in ("dify_notebook", "httpx", "httpcore"):
    logging.getLogger(name).setLevel(logging.DEBUG)
%xmode Verbose
%load_ext dify_notebook
from dify_notebook import AsyncDify, Dify, DifyError, Session
def given():
    with open("key.txt") as file:
        return file.read()
url, nobody = os.environ["TEST_URL"], os.environ["TEST_NOBODY"]
"""
REPRS = """
import copy, pprint
from dify_notebook.config import resolve
things = [dify, dify.settings, dify.settings.api_key, dify.as_async, dify.chat, dify.files, dify.app]
things += [Session(dify), resolve(), turn, turn.tape, turn.events, list(turn.events), turn.tape.header]
for thing in things:
    print(repr(thing), str(thing), f"{thing}")
    pprint.pprint(getattr(thing, "__dict__", None))
print(vars(dify.as_async._pools), copy.copy(dify.settings), copy.deepcopy(dify.settings))
print("%s %r" % (dify.settings.api_key, dify.settings.api_key))
turn
"""
PANEL = """
panel.ask("fine").result()
print(panel, vars(panel), vars(panel._controller), panel.get_state().keys(), panel.export(), panel.export("cells"))
panel.rate("like")
"""
BY_HAND = """
import pickle
try:
    pickle.dumps(dify.settings)
except TypeError as error:
    print("not pickled:", error)
"""


def cells() -> list[str]:
    """The whole notebook; cells that fail are meant to."""
    found = [SETUP, "dify = Dify(given(), url, user='me')\nturn = dify.chat.send('fine')", REPRS, BY_HAND]
    found += [
        "%dify",
        "%%dify\nfine",
        "%%dify dify -o kept\nfine",
        "%dify use dify",
        "%dify runs",
        "%%dify --dry-run\nfine",
    ]
    found += ["from dify_notebook import ChatPanel\npanel = ChatPanel(dify)\npanel", PANEL]
    for failure in FAILURES:
        found += [f"panel.ask({failure!r}).result()"]
        found += [
            f"%%dify\n{failure}",
            f"dify.chat.send({failure!r})",
            f"await AsyncDify().chat.send({failure!r})",
        ]
        found += [f"with dify.chat.stream({failure!r}) as s:\n    told = list(s)\nprint(told, s.turn)\ns.turn"]
    found += [
        "Dify(given(), nobody, user='me').chat.send('nobody is there')",
        "await AsyncDify(given(), nobody, user='me').app.info()",
        "Dify(given(), 'ftp://example.com')",
        "Dify(given(), 'http://user:password@example.com')",
        "AsyncDify(given(), url, user='')",
        "Dify(given() + '\\n\\n\u2028', url)",
        "dify.files.upload('/no/such/file')",
        "dify.chat.send('fine', inputs={'a': object()})",
    ]
    return found


_numbers = itertools.count(1)


def ids() -> dict[str, str]:
    """A message of its own, in the one conversation."""
    return {"message_id": f"m{next(_numbers)}", "conversation_id": "c", "task_id": "t"}


def refused(connection: Connection, _: Request) -> None:
    connection.reply(
        "401 UNAUTHORIZED", {"code": "unauthorized", "message": "Access token is invalid", "status": 401}
    )


def html(connection: Connection, _: Request) -> None:
    connection.reply("502 Bad Gateway", b"<html><h1>Bad gateway</h1></html>", kind="text/html")


def said(connection: Connection, _: Request) -> None:
    connection.head()
    connection.event(event="message", **ids(), answer="so far ")
    connection.event(event="error", status=400, code="invalid_param", message="the model said no")
    connection.end()


def lost(connection: Connection, _: Request) -> None:
    connection.head()
    connection.event(event="message", **ids(), answer="so far ")
    connection.reset()


def damaged(connection: Connection, _: Request) -> None:
    connection.head()
    connection.chunk(b"data: {not json\n\n")
    connection.end()


def redirected(connection: Connection, _: Request) -> None:
    connection.reply("302 Found", b"", extra="Location: http://127.0.0.1:1/v1/chat-messages\r\n")


FAILURES = {
    "a refused key": refused,
    "a page instead of an answer": html,
    "an error in the stream": said,
    "a lost connection": lost,
    "a damaged line": damaged,
    "a redirect": redirected,
}


def answer(request: Request, connection: Connection) -> None:
    path = request.path.partition("?")[0]
    if path.endswith("/parameters"):
        connection.reply("200 OK", {"user_input_form": []})
    elif path.endswith("/info"):
        connection.reply("200 OK", {"name": "Canary", "mode": "chat"})
    elif request.method != "POST":
        connection.reply("404 Not Found", {"code": "not_found", "message": "nothing here", "status": 404})
    elif failure := FAILURES.get(request.json.get("query", "")):
        failure(connection, request)
    else:
        connection.head()
        fields = ids()
        connection.event(event="message", **fields, answer="All is fine.")
        connection.event(event="message_end", **fields, metadata={})
        connection.end()


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Ran:
    """The folder of one run: notebook, log, tapes; and the server that saw the key."""

    def __init__(self, key: str, folder: Path, server: RawServer) -> None:
        self.key = key
        self.folder = folder
        self.notebook: Any = new_notebook(cells=[new_code_cell(cell.strip("\n")) for cell in cells()])
        for cell in self.notebook.cells:
            cell.metadata["tags"] = ["raises-exception"]
        (folder / "key.txt").write_text(key)
        notebooks.execute(
            self.notebook,
            folder,
            DIFY_API_KEY=key,
            DIFY_BASE_URL=server.url,
            DIFY_NOTEBOOK_DATA_DIR=str(folder / "data"),
            DIFY_NOTEBOOK_LANG="en",
            TEST_URL=server.url,
            TEST_NOBODY=f"http://127.0.0.1:{free_port()}",
        )
        (folder / "key.txt").unlink()
        nbformat.write(self.notebook, folder / "ran.ipynb")

    def errors(self) -> list[str]:
        """The names of the exceptions that reached the notebook."""
        return [
            output.ename
            for cell in self.notebook.cells
            for output in cell.outputs
            if output.output_type == "error"
        ]


@pytest.fixture(scope="module", params=KEYS)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    folder = tmp_path_factory.mktemp(request.param)
    with serving(answer) as server:
        done = Ran(KEYS[request.param], folder, server)
        keys = {asked.headers.get("authorization") for asked in server.requests}
        assert keys == {f"Bearer {done.key}"}, "the canary must have flown"
        yield done


def test_no_file_that_was_written_holds_the_key(ran: Ran) -> None:
    """The saved notebook with outputs, tracebacks and widget state; the log; the tapes; IPython's history."""
    files = [path for path in sorted(ran.folder.rglob("*")) if path.is_file()]
    found = []
    for path in files:
        raw = path.read_bytes()
        text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        found += [f"{path.name}: {place}" for place in places(text, ran.key)]
    if found:  # not a bare assert: pytest would print the whole files
        pytest.fail("\n".join(found))
    names = {path.name for path in files}
    assert {"ran.ipynb", "log.txt", "user"} <= names
    assert len([name for name in names if name.endswith(".tape.gz")]) >= 3
    assert "send_request_headers" in (ran.folder / "log.txt").read_text(), "the log is not the verbose one"


def test_the_failures_happened_and_were_shown(ran: Ran) -> None:
    """Otherwise the canary would prove nothing."""
    names = ran.errors()
    for wanted in (
        "AuthenticationError",
        "ServerError",
        "TurnFailed",
        "TurnIncomplete",
        "ConnectError",
        "ConfigError",
    ):
        assert wanted in names, wanted
    verbose = [
        output for cell in ran.notebook.cells for output in cell.outputs if output.output_type == "error"
    ]
    assert any(
        "self = " in line for output in verbose for line in plain("\n".join(output.traceback)).splitlines()
    ), "not the verbose mode"
    first = notebooks.printed(ran.notebook.cells[1]) + str(ran.notebook.cells[1].outputs)
    assert "Traceback" not in first


def places(text: bytes, key: str) -> list[str]:
    """What stands around each occurrence of the key."""
    parts = text.split(key.encode())
    return [
        plain(before[-200:].decode("utf-8", "replace"))
        + "<KEY>"
        + plain(after[:60].decode("utf-8", "replace"))
        for before, after in pairwise(parts)
    ]


def plain(text: str) -> str:
    """Without the colours of the terminal, as they are and as JSON writes them."""
    return re.sub(r"(\x1b|\\u001b)\[[0-9;]*m", "", text)
