"""What a data directory holds after uploads that failed, questions that nobody answers, and users who only ask."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import socket
import sqlite3
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from local_helpers import NOWHERE, Client, answer_of

from dify_notebook import local
from dify_notebook.local.engine.run import Run
from dify_notebook.local.engine.runs import Runs
from dify_notebook.local.server import LocalServer, LocalServerError
from dify_notebook.local.store import uploads as kept_uploads
from dify_notebook.local.store.annotations import Annotations
from dify_notebook.local.store.store import Store


def rows(server: LocalServer, table: str) -> int:
    def job(db: sqlite3.Connection) -> int:
        return int(db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])

    return server._store.reader.submit(job).result(10)


def states(server: LocalServer) -> list[tuple[str, str | None]]:
    def job(db: sqlite3.Connection) -> list[tuple[str, str | None]]:
        return [tuple(row) for row in db.execute("SELECT state, error FROM messages ORDER BY seq")]

    server._store.writer.submit(lambda db: None).result(10)  # what was posted before is done
    return server._store.reader.submit(job).result(10)


def files(server: LocalServer) -> list[str]:
    return sorted(path.name for path in server.directory.files.iterdir())


@pytest.fixture
def own(tmp_path: Path) -> Iterator[LocalServer]:
    with local.serve(data_dir=tmp_path / "own", pace=0) as running:
        yield running


# -- uploads that fail -----------------------------------------------------------------

BOUNDARY = b"cut-here"


def part(content: bytes) -> bytes:
    head = b'Content-Disposition: form-data; name="file"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\n'
    user = b'Content-Disposition: form-data; name="user"\r\n\r\nuploader\r\n'
    return b"--" + BOUNDARY + b"\r\n" + user + b"--" + BOUNDARY + b"\r\n" + head + content


def send(server: LocalServer, body: bytes, length: int, *, hang_up: bool) -> bytes:
    """A POST to /files/upload in raw bytes; gives what came back."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    head = (
        f"POST /v1/files/upload HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n"
        f"Authorization: Bearer {server.api_key('toolbox')}\r\nContent-Length: {length}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY.decode()}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=20) as plug:
        plug.sendall(head.encode() + body)
        if hang_up:
            return b""
        said = b""
        while piece := plug.recv(65536):
            said += piece
        return said


END = b"\r\n--" + BOUNDARY + b"--\r\n"
BIG = b"x" * (15 * 1024 * 1024 + 1)
CUT: dict[str, tuple[bytes, int, bool, bytes]] = {
    "the client hangs up in a part": (part(b"a,b\n" * 1000), 1_000_000, True, b""),
    "it hangs up after 3 MB": (part(b"x" * 3_000_000), 9_000_000, True, b""),
    "the file is too large": (part(BIG) + END, len(part(BIG) + END), False, b"413"),
    "the body says that it is too large": (part(b"x"), 400_000_000, True, b""),
    "it is no multipart": (b"nothing of the kind", 19, False, b"400"),
    "its end is missing": (part(b"a,b\n"), len(part(b"a,b\n")), False, b"400"),
}


@pytest.mark.parametrize("case", CUT)
def test_an_upload_that_fails_leaves_no_file_and_no_row(
    own: LocalServer, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    body, length, hang_up, status = CUT[case]
    said = send(own, body, length, hang_up=hang_up)
    assert said.startswith(b"HTTP/1.1 " + status) if status else said == b""
    with Client(own, "toolbox") as client:
        assert client.upload("good.csv", b"a,b\n1,2\n").status_code == 201, "others go on"
    assert len(files(own)) == rows(own, "files") == 1
    assert rows(own, "end_users") == 1
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_an_upload_that_cannot_be_written_leaves_nothing(own: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dify_notebook.local.store.uploads.os.fsync", full)
    with Client(own, "toolbox") as client:
        assert client.upload("a.csv", b"a,b\n").status_code == 500
    assert (files(own), rows(own, "files"), rows(own, "end_users")) == ([], 0, 0)


def test_an_upload_whose_row_cannot_be_written_leaves_nothing(own: LocalServer) -> None:
    block = "CREATE TRIGGER no BEFORE INSERT ON files BEGIN SELECT RAISE(ABORT, 'no'); END"
    own._store.writer.submit(lambda db: db.execute(block)).result(10)
    with Client(own, "toolbox") as client:
        assert client.upload("a.csv", b"a,b\n").status_code == 500
    assert (files(own), rows(own, "files"), rows(own, "end_users")) == ([], 0, 0)


def test_an_upload_whose_request_ends_meanwhile_leaves_nothing(own: LocalServer) -> None:
    begun, go, written = threading.Event(), threading.Event(), threading.Event()

    def write(target: Any) -> None:
        begun.set()
        assert go.wait(20)
        target.write(b"late")
        written.set()

    async def cancelled() -> None:
        path = own.directory.files / NOWHERE
        told = {"app": "toolbox", "session": "s", "name": "a", "extension": "", "mime_type": "text/csv", "size": 4}
        task = asyncio.ensure_future(kept_uploads.Uploads(own._store).add(path, write, **told))  # type: ignore[arg-type]
        await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        await asyncio.wait({task})
        go.set()
        await asyncio.to_thread(written.wait, 20)

    asyncio.run(cancelled())
    end = time.monotonic() + 10
    while files(own) and time.monotonic() < end:
        time.sleep(0.01)
    assert (files(own), rows(own, "files")) == ([], 0)


def test_what_a_killed_process_left_of_an_upload_goes_at_the_next_start(tmp_path: Path) -> None:
    with local.serve(data_dir=tmp_path, pace=0) as server, Client(server, "toolbox") as client:
        key = client.upload("a.csv", b"a,b\n").json()["id"]
    (tmp_path / "files" / f"{NOWHERE}.part").write_bytes(b"half of it")
    with local.serve(data_dir=tmp_path, pace=0) as server:
        assert files(server) == [key]


# -- users who only ask ----------------------------------------------------------------


def test_users_who_only_ask_make_no_rows(own: LocalServer) -> None:
    with Client(own, "guide", "known") as client:
        client.ask("hello")
        conversation = client.get("/conversations").json()["data"][0]["id"]
        message = client.messages(conversation)[0]["id"]
    before = rows(own, "end_users")
    for number in range(20):
        with Client(own, "guide", f"stranger-{number}") as client:
            assert client.get("/conversations").json()["data"] == []
            for path in ("/messages", f"/conversations/{conversation}/variables", f"/messages/{message}/suggested"):
                assert client.get(path, conversation_id=conversation).status_code == 404
            assert client.post(f"/conversations/{conversation}/name", {"user": client.user, "name": "x"}).is_error
            assert client.post(f"/messages/{message}/feedbacks", {"user": client.user, "rating": "like"}).is_error
            assert client.post("/chat-messages", client.body("hi", conversation_id=conversation)).status_code == 404
    assert rows(own, "end_users") == before == 1


# -- messages that nothing answers -----------------------------------------------------


def test_a_message_whose_run_cannot_be_made_does_not_stay_running(
    own: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: Annotations, app: str, question: str) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(Annotations, "match", broken)
    with Client(own, "guide") as client:
        assert client.post("/chat-messages", client.body("hello")).status_code == 500
    assert [state for state, _ in states(own)] == ["failed"]


@pytest.mark.parametrize("when", ["while it is written down", "after that"])
def test_a_request_that_ends_before_its_run_starts_leaves_no_running_message(
    own: LocalServer, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    real, seen = Store.begin, threading.Event()

    async def begin(self: Store, **fields: Any) -> Any:
        task = asyncio.current_task()
        assert task is not None
        writing = asyncio.ensure_future(real(self, **fields))
        await (asyncio.sleep(0) if when.startswith("while") else asyncio.wait({writing}))
        task.cancel()
        seen.set()
        return writing.result() if writing.done() else await writing

    monkeypatch.setattr(Store, "begin", begin)
    with Client(own, "guide") as client, pytest.raises(httpx.HTTPError):  # the connection is cut
        client.post("/chat-messages", client.body("hello")).raise_for_status()
    assert seen.is_set()
    assert "running" not in [state for state, _ in states(own)]


def test_a_run_that_is_ended_before_it_begins_is_told_and_marked(
    own: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Runs.start

    def start(self: Runs, run: Run) -> asyncio.Task[None]:
        task = real(self, run)
        task.cancel()
        return task

    monkeypatch.setattr(Runs, "start", start)
    with Client(own, "guide") as client:
        assert [event["event"] for event in client.ask("hello")] == ["error"]
        assert client.post("/chat-messages", client.body("hello", response_mode="blocking")).status_code == 500
    assert [state for state, _ in states(own)] == ["failed", "failed"]


def test_a_server_that_ends_takes_no_more_runs(own: LocalServer) -> None:
    loop = own._loop
    assert loop is not None
    asyncio.run_coroutine_threadsafe(own._runs.close(), loop).result(10)
    with Client(own, "guide") as client:
        assert client.post("/chat-messages", client.body("hello")).status_code == 500
    assert [state for state, _ in states(own)] == ["failed"]


def test_an_answer_that_cannot_be_stored_is_an_error_and_does_not_stay_running(
    own: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: Store, message: str, **fields: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Store, "finish", broken)
    with Client(own, "guide") as client:
        last = client.ask("hello")[-1]
    assert (last["event"], last["code"]) == ("error", "internal_server_error")
    assert [state for state, _ in states(own)] == ["failed"]


# -- modes -----------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_all_files_are_private_from_the_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal: str
) -> None:
    """Looked at whenever SQLite or the server could have made one."""
    monkeypatch.setattr("dify_notebook.local.store.store.journal_mode", lambda _: journal)
    seen: dict[str, set[int]] = {}
    done = threading.Event()

    def look() -> None:
        for path in [*tmp_path.iterdir(), *(tmp_path / "files").glob("*")]:
            try:
                seen.setdefault(path.name, set()).add(stat.S_IMODE(path.stat().st_mode))
            except FileNotFoundError:
                continue

    def watch() -> None:
        while not done.is_set():
            if (tmp_path / "files").exists():
                look()
            time.sleep(0.0005)

    before = os.umask(0)
    watching = threading.Thread(target=watch)
    watching.start()
    try:
        with local.serve(data_dir=tmp_path, pace=0) as server, Client(server, "toolbox") as client:
            for _ in range(10):
                client.ask("What is 6*7?")
            key = client.upload("a.csv", b"a,b\n1,2\n").json()["id"]
            # In the middle of a transaction the file beside the database is there in either journal.
            def within(db: sqlite3.Connection) -> None:
                db.execute("UPDATE messages SET answer = answer")
                look()

            server._store.writer.submit(within).result(10)
    finally:
        done.set()
        watching.join()
        os.umask(before)
    beside = {"store.sqlite3-wal", "store.sqlite3-shm"} if journal == "wal" else {"store.sqlite3-journal"}
    assert {"store.sqlite3", "server.lock", "server.json", "port", "keys.json", key} | beside <= set(seen)
    assert {name: modes for name, modes in seen.items() if modes - {0o600} and name != "files"} == {}
    assert seen["files"] == {0o700}


# -- damage ----------------------------------------------------------------------------


def commands(text: str) -> list[str]:
    return re.findall(r"`([^`]*)`", text)


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A data directory that was used and whose server has ended; its name needs quotes in a shell."""
    path = tmp_path / "it's mine"
    with local.serve(data_dir=path, pace=0) as server, Client(server, "guide") as client:
        for _ in range(30):
            client.ask("How do I stop a cell?")
    return path


DAMAGED_KEYS = {
    "empty": b"",
    "cut": b'{"apps": {"guide": "app-',
    "no object": b"[1, 2]",
    "no keys": b'{"apps": {"guide": 7}, "signing": "x"}',
    "no text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("case", DAMAGED_KEYS)
def test_damaged_keys_are_named_and_the_command_mends_it(left: Path, case: str) -> None:
    path = left / "keys.json"
    path.write_bytes(DAMAGED_KEYS[case])
    uses: tuple[Callable[[], object], ...] = (lambda: local.serve(data_dir=left), lambda: local.ensure(left))
    for use in uses:
        with pytest.raises(LocalServerError) as told:
            use()
        assert str(path) in str(told.value)
    assert path.read_bytes() == DAMAGED_KEYS[case], "nothing is mended by itself"
    (command,) = commands(str(told.value))
    subprocess.run(command, shell=True, check=True)
    with local.serve(data_dir=left, pace=0) as server:
        assert server.api_key("guide").startswith("app-")


def test_a_database_that_is_none_is_named_and_the_command_mends_it(left: Path) -> None:
    path = left / "store.sqlite3"
    path.write_bytes(b"this is no database\n" * 500)
    with pytest.raises(LocalServerError) as told:
        local.serve(data_dir=left)
    assert str(path) in str(told.value)
    recover, away = commands(str(told.value))
    assert shlex.split(recover)[:2] == ["sqlite3", str(path)]
    subprocess.run(away, shell=True, check=True)
    with local.serve(data_dir=left, pace=0) as server, Client(server, "guide") as client:
        assert answer_of(client.ask("How do I stop a cell?"))
    assert (left / "store.sqlite3.damaged").read_bytes().startswith(b"this is no database")


def test_a_damaged_page_that_a_request_meets_is_named(left: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = left / "store.sqlite3"
    with sqlite3.connect(path) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'conversations'").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    db.close()
    with open(path, "r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 64)
    with local.serve(data_dir=left, pace=0) as server, Client(server, "guide") as client:
        refused = client.get("/conversations")
        told = refused.json()
        assert (refused.status_code, told["code"], "damaged" in told["message"]) == (500, "internal_server_error", True)
        assert client.get("/info").status_code == 200, "the rest goes on"
        assert json.dumps(told).count(str(path)) == 0, "paths are for the log"
    said = next(text for record in caplog.records if ".recover" in (text := record.getMessage()))
    assert str(path) in said
    damaged = path.read_bytes()
    if shutil.which("sqlite3"):
        subprocess.run(commands(said)[0], shell=True, check=True)
        with local.serve(data_dir=left, pace=0) as server, Client(server, "guide") as client:
            assert client.get("/conversations").status_code == 200
            assert answer_of(client.ask("How do I stop a cell?"))
        assert path.with_name("store.sqlite3.damaged").read_bytes() == damaged, "the damaged file is kept"


# -- requests --------------------------------------------------------------------------


def test_the_bytes_of_headers_have_a_bound(own: LocalServer) -> None:
    host, _, port = own.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as plug:
        plug.sendall(b"GET /v1/info HTTP/1.1\r\nHost: " + host.encode() + b"\r\nX-Long: " + b"a" * 40_000)
        said = b""
        while piece := plug.recv(65536):
            said += piece
    assert said.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"query":' * 50_000])
def test_json_that_is_nested_too_deeply_is_refused(own: LocalServer, body: bytes) -> None:
    with Client(own, "guide") as client:
        refused = client.http.post("/chat-messages", content=body, headers={"Content-Type": "application/json"})
        assert refused.status_code == 400
        assert client.get("/info").status_code == 200


@pytest.mark.parametrize("name", ["server.lock", "store.sqlite3", "keys.json", "port", "files"])
def test_what_has_the_name_of_a_file_of_ours_is_named(tmp_path: Path, name: str) -> None:
    if name == "files":
        (tmp_path / name).touch()
    else:
        (tmp_path / name).mkdir()
    with pytest.raises(LocalServerError, match=re.escape(str(tmp_path / name))):
        local.serve(data_dir=tmp_path)


def test_a_directory_whose_name_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalServerError):
        local.serve(data_dir=f"{tmp_path}/a\0b")
