"""One server a directory: found, shared between processes, taken over after a death, whole after kill -9."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from local_helpers import Client, answer_of, end_of, failure

from dify_notebook import local
from dify_notebook.local.server import LocalServer, LocalServerError, Server
from dify_notebook.local.server import process as server_module
from dify_notebook.local.store import journal, lock, schema
from dify_notebook.local.store.conversations import Conversations
from dify_notebook.local.store.directory import Directory, default_directory
from dify_notebook.local.store.store import Store

HOLD = """
import sys
from dify_notebook import local
server = {call}
print(server.base_url, server.api_key("guide"), type(server).__name__, flush=True)
sys.stdin.read()
"""
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX processes")


class Other:
    """A server in another process, until its standard input closes."""

    def __init__(self, call: str, cwd: Path) -> None:
        root = str(Path(local.__file__).parents[2])
        environment = {**os.environ, "PYTHONPATH": root, "PYTHONWARNINGS": "ignore"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD.format(call=call)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=cwd,
        )
        assert self.process.stdout is not None
        self.base_url, self.key, self.kind = self.process.stdout.readline().split()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def leave(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)


@pytest.fixture
def others(tmp_path: Path) -> Iterator[Any]:
    started: list[Other] = []

    def start(call: str) -> Other:
        started.append(Other(call, tmp_path))
        return started[-1]

    yield start
    for other in started:
        if other.process.poll() is None:
            other.kill()
        for pipe in (other.process.stdin, other.process.stdout):
            assert pipe is not None
            if not pipe.closed:
                pipe.close()


def test_importing_is_light() -> None:
    code = (
        "import sys; from dify_notebook import local;"
        "heavy = 'uvicorn starlette sqlite3 httpx asyncio platformdirs';"
        "print([name for name in heavy.split() if name in sys.modules])"
    )
    root = str(Path(local.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert ran.stdout.strip() == "[]"


def test_binds_loopback_only(tmp_path: Path) -> None:
    with local.serve(data_dir=tmp_path) as server:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", server.base_url)
        assert server._socket.getsockname()[0] == "127.0.0.1"
    assert not server.alive
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.base_url)


def test_default_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFY_NOTEBOOK_DATA_DIR", str(tmp_path))
    assert default_directory() == tmp_path / "local"
    monkeypatch.delenv("DIFY_NOTEBOOK_DATA_DIR")
    assert default_directory().parts[-2:] == ("dify_notebook", "local")


def test_keys(tmp_path: Path) -> None:
    """Random for each directory, the same after a restart, and for the user's eyes only."""
    with local.serve(data_dir=tmp_path / "a") as server:
        keys = {app: server.api_key(app) for app in server.apps}
        assert sorted(keys) == ["guide", "pipeline", "tally", "toolbox"]
        assert all(re.fullmatch(r"app-[A-Za-z0-9]{24}", key) for key in keys.values())
        assert len(set(keys.values())) == 4
        assert not any(key in f"{server!r}{server._keys!r}{server.directory!r}" for key in keys.values())
        if os.name == "posix":
            assert server.data_dir.stat().st_mode & 0o777 == 0o700
            for name in ("keys.json", "server.json", "store.sqlite3"):
                assert (server.data_dir / name).stat().st_mode & 0o777 == 0o600, name
        with pytest.raises(LocalServerError, match="no app called nope"):
            server.api_key("nope")
    with local.serve(data_dir=tmp_path / "a") as server:
        assert {app: server.api_key(app) for app in server.apps} == keys
    with local.serve(data_dir=tmp_path / "b") as server:
        assert not set(keys.values()) & {server.api_key(app) for app in server.apps}


def test_ensure_starts_once_in_a_process(tmp_path: Path) -> None:
    found: list[Server] = []
    threads = [threading.Thread(target=lambda: found.append(local.ensure(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 8
    assert len({id(server) for server in found}) == 1
    assert isinstance(found[0], LocalServer)
    with pytest.raises(LocalServerError, match="already served"):
        local.serve(data_dir=tmp_path)
    found[0].close()
    again = local.ensure(tmp_path)
    assert again is not found[0]
    assert again.base_url == found[0].base_url, "the port is taken again while it is free"
    again.close()


def test_other_processes_connect(tmp_path: Path, others: Any) -> None:
    other = others(f"local.ensure({str(tmp_path)!r})")
    assert other.kind == "LocalServer"
    mine = local.ensure(tmp_path)
    assert type(mine) is Server
    assert (mine.base_url, mine.api_key("guide")) == (other.base_url, other.key)
    third = others(f"local.ensure({str(tmp_path)!r})")
    assert (third.kind, third.base_url) == ("Server", other.base_url)
    with pytest.raises(LocalServerError, match=f"process {other.process.pid} at {mine.url}"):
        local.serve(data_dir=tmp_path)
    assert answer_of(Client(mine).ask("hi"))
    mine.close()
    assert httpx.get(mine.url).status_code == 200, "closing what was found ends nothing"


def test_two_processes_that_start_at_once_agree(tmp_path: Path, others: Any) -> None:
    started: list[Other] = []
    threads = [
        threading.Thread(target=lambda: started.append(others(f"local.ensure({str(tmp_path)!r})")))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(other.kind for other in started) == ["LocalServer", "Server", "Server"]
    assert len({other.base_url for other in started}) == 1


def test_the_next_one_takes_over(tmp_path: Path, others: Any) -> None:
    other = others(f"local.ensure({str(tmp_path)!r})")
    mine = local.ensure(tmp_path)
    conversation = Client(mine).ask("hi")[0]["conversation_id"]
    other.kill()
    taken = local.ensure(tmp_path)
    assert isinstance(taken, LocalServer)
    assert taken.base_url == mine.base_url, "who holds the old address goes on"
    assert len(Client(taken).messages(conversation)) == 1
    taken.close()


def test_leaving_in_order_leaves_no_address(tmp_path: Path, others: Any) -> None:
    other = others(f"local.ensure({str(tmp_path)!r})")
    other.leave()
    assert not (tmp_path / "server.json").exists()
    assert other.process.returncode == 0


def test_a_stranger_on_the_old_port_is_not_believed(tmp_path: Path) -> None:
    """server.json of a dead server, whose port somebody else has now: no key may be sent there."""
    with local.serve(data_dir=tmp_path / "other") as stranger:
        directory = Directory.open(tmp_path / "mine")
        directory.server.write_text(json.dumps({"url": stranger.url, "pid": 1, "nonce": "not theirs"}))
        mine = local.ensure(tmp_path / "mine")
        assert isinstance(mine, LocalServer)
        assert mine.base_url != stranger.base_url
        mine.close()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"url": 1}', '{"url": "file:///etc", "pid": 1, "nonce": "x"}']
)
def test_a_damaged_server_file_is_no_obstacle(tmp_path: Path, content: str) -> None:
    Directory.open(tmp_path).server.write_text(content)
    with local.ensure(tmp_path) as server:
        assert isinstance(server, LocalServer)


def test_a_silent_owner_is_told(tmp_path: Path, others: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    other = others(f"local.ensure({str(tmp_path)!r})")
    told = json.loads((tmp_path / "server.json").read_text())
    (tmp_path / "server.json").write_text(json.dumps({**told, "nonce": "another"}))
    monkeypatch.setattr(server_module, "_TIMEOUT", 0.3)
    with pytest.raises(LocalServerError, match=f"another process \\({other.process.pid}"):
        local.ensure(tmp_path)


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with local.serve(data_dir=tmp_path / "a") as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(LocalServerError, match="did not start"):
            local.serve(port=port, data_dir=tmp_path / "b")
        with local.serve(data_dir=tmp_path / "b") as second:
            assert second.url != first.url


def test_a_directory_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(LocalServerError, match="data directory"):
        local.ensure(tmp_path / "file")


@posix
def test_a_forked_child_does_not_own_the_server(tmp_path: Path) -> None:
    """It finds the parent's server like any other process, and its end harms nothing."""
    server = local.serve(data_dir=tmp_path, pace=0)
    conversation = Client(server).ask("hi")[0]["conversation_id"]
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            found = local.ensure(tmp_path)
            server.close()
            count = len(Client(found).messages(conversation))
            os.write(writing, f"{type(found).__name__} {found.base_url} {count}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        assert pipe.read() == f"Server {server.base_url} 1"
    assert answer_of(Client(server).ask("hi", conversation_id=conversation))
    server.close()


@posix
def test_a_child_does_not_keep_the_directory_of_a_dead_parent(tmp_path: Path) -> None:
    """The lock and the port are the parent's alone, also when the child lives on."""
    code = f"""
import os, sys
from dify_notebook import local
server = local.serve(data_dir={str(tmp_path)!r})
child = os.fork()
if child == 0:
    sys.stdin.read()
    os._exit(0)
print(server.url, flush=True)
os.kill(os.getpid(), 9)
"""
    root = str(Path(local.__file__).parents[2])
    parent = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    url = parent.stdout.readline().strip()
    parent.wait(10)
    try:
        with local.ensure(tmp_path) as taken:
            assert isinstance(taken, LocalServer)
            assert taken.url == url
    finally:
        parent.stdin.close()
        parent.stdout.close()


# -- what survives -----------------------------------------------------------------------------


def test_conversations_survive_a_restart(tmp_path: Path) -> None:
    with local.serve(data_dir=tmp_path, pace=0) as server:
        client = Client(server, "toolbox")
        key = client.upload("a.csv", b"a\n1\n").json()["id"]
        file = {"type": "document", "transfer_method": "local_file", "upload_file_id": key}
        events = client.ask("Summarise", files=[file])
        conversation = events[0]["conversation_id"]
        before = client.messages(conversation)
        listed = client.get("/conversations").json()
    with local.serve(data_dir=tmp_path, pace=0) as server:
        client = Client(server, "toolbox")
        after = client.messages(conversation)
        for message in (*before, *after):
            url = message["message_files"][0].pop("url")
            assert url.startswith("http://127.0.0.1:")
        assert httpx.get(url).content == b"a\n1\n"
        assert after == before
        assert client.get("/conversations").json() == listed
        client.ask("6*7", conversation_id=conversation)
        assert len(client.messages(conversation)) == 2


def test_node_runs_are_kept(tmp_path: Path) -> None:
    """The API never gives them, the store has them."""
    with local.serve(data_dir=tmp_path, pace=0) as server:
        events = Client(server, "pipeline").ask("alpha, beta")
        kept = asyncio.run(Conversations(server._store).node_runs(events[0]["message_id"]))
    told = [event["data"] for event in events if event["event"] in ("node_finished", "iteration_completed")]
    assert kept == told


@posix
@pytest.mark.parametrize("app", ["guide", "toolbox", "pipeline"])
def test_kill_in_the_middle_of_an_answer(tmp_path: Path, others: Any, app: str) -> None:
    """What was answered before is whole, and the half-written answer is there, marked as what it is."""
    other = others(f"local.serve(data_dir={str(tmp_path)!r}, pace=3)")
    client = Client(local.ensure(tmp_path), app)
    query = {"guide": "hi", "toolbox": "Tell me a joke", "pipeline": "xyzzy"}[app]
    stream = client.stream(query)
    seen: list[dict[str, Any]] = []
    while len(answer_of(seen)) <= 60:
        seen.append(next(stream))
    other.kill()
    with pytest.raises(httpx.HTTPError):
        seen.extend(stream)
    with local.serve(data_dir=tmp_path, pace=0) as server:
        client = Client(server, app)
        conversation = seen[0]["conversation_id"]
        (message,) = client.messages(conversation)
        assert message["status"] == "error"
        assert message["error"].startswith("The server ended while it was answering")
        assert message["answer"]
        assert answer_of(seen).startswith(message["answer"])
        assert end_of(client.ask(query, conversation_id=conversation))
        assert [one["status"] for one in client.messages(conversation)] == ["error", "normal"]


@posix
def test_kill_right_after_the_last_event(tmp_path: Path, others: Any) -> None:
    """An answer whose end was sent is committed: killing the process at that moment cannot lose it."""
    answers: dict[str, str] = {}
    for _ in range(4):
        other = others(f"local.serve(data_dir={str(tmp_path)!r}, pace=0)")
        client = Client(local.ensure(tmp_path))
        events: list[dict[str, Any]] = []
        try:
            for event in client.stream("How do I send a file?"):
                events.append(event)
                if event["event"] == "message_end":
                    os.kill(other.process.pid, signal.SIGKILL)
        except httpx.HTTPError:
            pass  # the last chunk may be lost; the event before it was there
        assert events[-1]["event"] == "message_end"
        answers[events[0]["conversation_id"]] = answer_of(events)
        other.process.wait(10)
    with local.serve(data_dir=tmp_path) as server:
        client = Client(server)
        for conversation, answer in answers.items():
            (message,) = client.messages(conversation)
            assert (message["answer"], message["status"]) == (answer, "normal")


@pytest.mark.parametrize("app", ["guide", "pipeline"])
def test_closing_in_the_middle_of_an_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture, app: str) -> None:
    """The stream says why it ends, what was said is kept, and nothing is logged into the user's face."""
    with local.serve(data_dir=tmp_path, pace=3) as server:
        client = Client(server, app)
        seen: list[dict[str, Any]] = []
        stream = client.stream("hi" if app == "guide" else "xyzzy")
        while len(answer_of(seen)) < 40:
            seen.append(next(stream))
        closing = threading.Thread(target=server.close)
        closing.start()
        seen.extend(stream)
        closing.join(20)
        assert not closing.is_alive()
    assert caplog.records == []
    if app == "pipeline":
        assert failure(seen).startswith("Run failed: The server ended while it was answering")
        assert seen[-1]["event"] == "workflow_finished"
    else:
        assert (seen[-1]["event"], seen[-1]["code"], seen[-1]["status"]) == ("error", "internal_server_error", 500)
    with local.serve(data_dir=tmp_path) as server:
        (message,) = Client(server, app).messages(seen[0]["conversation_id"])
        assert message["status"] == "error"
        assert message["answer"] == answer_of(seen)


def test_closing_in_the_middle_of_a_blocking_answer(tmp_path: Path) -> None:
    with local.serve(data_dir=tmp_path, pace=3) as server:
        client = Client(server)
        found: list[httpx.Response] = []
        body = client.body("hi", response_mode="blocking")
        asking = threading.Thread(target=lambda: found.append(client.post("/chat-messages", body)))
        asking.start()
        while not server._runs._running:
            time.sleep(0.01)
            assert asking.is_alive()
        server.close()
        asking.join(20)
    assert (found[0].status_code, found[0].json()["code"]) == (500, "internal_server_error")


# -- the store ---------------------------------------------------------------------------------


def test_journal_and_version(tmp_path: Path) -> None:
    store = Store(Directory.open(tmp_path))
    found = store.writer.submit(lambda db: db.execute("PRAGMA journal_mode").fetchone()[0]).result()
    assert found == journal.journal_mode(tmp_path)
    version = store.reader.submit(lambda db: db.execute("PRAGMA user_version").fetchone()[0]).result()
    assert version == len(schema.SCRIPTS)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        store.reader.submit(lambda db: db.execute("DELETE FROM messages")).result()
    store.close()
    with pytest.raises(RuntimeError, match="closed"):
        store.reader.submit(lambda db: None)


def test_a_network_directory_has_another_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dify_notebook.local.store.store.journal_mode", lambda _: "delete")
    with local.serve(data_dir=tmp_path, pace=0) as server:
        assert answer_of(Client(server).ask("hi"))
        assert not (tmp_path / "store.sqlite3-wal").exists()


def test_a_later_store_is_refused(tmp_path: Path) -> None:
    local.serve(data_dir=tmp_path).close()
    with sqlite3.connect(tmp_path / "store.sqlite3") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(LocalServerError, match="version 99"):
        local.serve(data_dir=tmp_path)
    assert lock.DirectoryLock(tmp_path / "server.lock").acquire(), "a failed start holds nothing"


def test_migrations_run_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    monkeypatch.setattr(schema, "SCRIPTS", ("CREATE TABLE a (x);",))
    schema.migrate(db)
    monkeypatch.setattr(schema, "SCRIPTS", ("CREATE TABLE a (x);", "CREATE TABLE b (x);"))
    schema.migrate(db)
    schema.migrate(db)
    assert [row[0] for row in db.execute("SELECT name FROM sqlite_master ORDER BY name")] == ["a", "b"]
    monkeypatch.setattr(schema, "SCRIPTS", (*schema.SCRIPTS, "CREATE TABLE c (x); CREATE TABLE a (x);"))
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(db)
    db.execute("ROLLBACK")
    assert db.execute("PRAGMA user_version").fetchone() == (2,)
    assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'c'").fetchone() == (0,)
    db.close()


def test_what_orders_conversations_is_found_without_reading_them_all(tmp_path: Path) -> None:
    """It is asked for with every question; of 60,000 conversations it once took most of the time."""
    store = Store(Directory.open(tmp_path))
    plan = "EXPLAIN QUERY PLAN SELECT COALESCE(MAX(touched), 0) + 1 FROM conversations"
    rows = store.reader.submit(lambda db: db.execute(plan).fetchall()).result()
    assert [row["detail"] for row in rows] == ["SEARCH conversations USING COVERING INDEX conversations_by_touch"]
    store.close()


MOUNTS = """22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:35 / /home rw,relatime shared:2 - nfs4 server:/home rw
41 40 0:36 / /home/me/My\\040disk rw - ext4 /dev/sdb1 rw
42 22 0:37 / /mnt/s rw - fuse.sshfs me@host:/ rw
43 22 0:38 / /var rw - xfs /dev/sdc1 rw
44 22 0:39 / /var rw - cifs //server/var rw
45 22 0:40 / /mnt/团队\\040共享 rw - nfs4 server:/团队 rw
46 22 0:41 / /mnt/盘\u3000乙\x85 rw - cifs //server/b rw
47 22 0:42 / /mnt/a\\134b\\011c rw shared:3 master:4 - 9p share rw
48 22 0:43 / /mnt/\udcff\udcfe rw - nfs server:/x rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/tmp/x", "ext4"),
        ("/home/you", "nfs4"),
        ("/homework", "ext4"),
        ("/home/me/My disk/x", "ext4"),
        ("/mnt/s", "fuse.sshfs"),
        ("/var/lib", "cifs"),
        ("/mnt/团队 共享/我的", "nfs4"),
        ("/mnt/团队", "ext4"),
        ("/mnt/盘\u3000乙\x85/x", "cifs"),
        ("/mnt/a\\b\tc", "9p"),
        ("/mnt/\udcff\udcfe/x", "nfs"),
    ],
)
def test_file_system_of_a_path(path: str, kind: str) -> None:
    assert journal.type_of(path, journal.linux_mounts(MOUNTS)) == kind


def test_mounts_of_macos() -> None:
    told = "/dev/disk3s1 on / (apfs, local, journaled)\n//me@nas/home on /Volumes/My home (smbfs, nodev)\n"
    told += "//nas/b on /Volumes/团队\u2028盘 (2) (smbfs)\n"
    assert journal.bsd_mounts(told) == {"/": "apfs", "/Volumes/My home": "smbfs", "/Volumes/团队\u2028盘 (2)": "smbfs"}


# -- the command -------------------------------------------------------------------------------


def test_a_script_that_ends_with_its_server_running_says_nothing(tmp_path: Path) -> None:
    """An upload goes through a worker thread, which Python 3.12 and later can no longer wait for at the end."""
    script = "from dify_notebook import Dify\nprint(Dify.local().files.upload(b'a,b', name='x.csv').name)"
    env = {**os.environ, "PYTHONPATH": str(Path(local.__file__).parents[2]), "DIFY_NOTEBOOK_DATA_DIR": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, timeout=60)
    assert (ran.returncode, ran.stdout.strip(), ran.stderr) == (0, "x.csv", "")


@posix
@pytest.mark.skipif(os.name != "posix", reason="Windows ends processes otherwise")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl+C", "term"])
def test_a_command_that_is_ended_keeps_what_was_being_said(tmp_path: Path, how: signal.Signals) -> None:
    """The stream is told, half of the answer is kept, nothing is left behind."""
    root = str(Path(local.__file__).parents[2])
    command = [sys.executable, "-m", "dify_notebook.local", "--data-dir", str(tmp_path), "--pace", "5"]
    ran = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert ran.stdout is not None
    while not ran.stdout.readline().startswith("Ctrl+C"):
        assert ran.poll() is None
    with Client(local.ensure(tmp_path)) as client:
        stream = client.stream("How do I stop a cell?")
        first = next(stream)
        ran.send_signal(how)
        last = list(stream)[-1]
    assert (last["event"], last["code"]) == ("error", "internal_server_error")
    ran.communicate(timeout=20)
    assert ran.returncode == 0
    assert not (tmp_path / "server.json").exists()
    with local.serve(data_dir=tmp_path, pace=0) as again, Client(again) as client:
        kept = client.messages(first["conversation_id"])[0]
        assert kept["status"] == "error"
        assert kept["answer"].startswith(first["answer"])


def test_the_command(tmp_path: Path) -> None:
    root = str(Path(local.__file__).parents[2])
    command = [sys.executable, "-m", "dify_notebook.local", "--data-dir", str(tmp_path / "d"), "--pace", "0"]
    ran = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
        # What a shell starts in the background ignores SIGINT, and so would all that comes from it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert ran.stdout is not None
    lines = [ran.stdout.readline().rstrip() for _ in range(7)]
    url = lines[0].removeprefix("Serving ")
    keys = dict(line.split() for line in lines[1:5])
    assert lines[5].endswith(str(tmp_path / "d" / "keys.json"))
    got = httpx.get(f"{url}/info", headers={"Authorization": f"Bearer {keys['pipeline']}"})
    assert got.json()["name"] == "pipeline"
    second = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": root}, timeout=30
    )
    assert second.returncode == 1
    assert f"process {ran.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    ran.send_signal(signal.SIGINT)
    _, errors = ran.communicate(timeout=20)
    assert (ran.returncode, errors) == (0, "")


def test_the_access_log_of_the_process_is_the_users(tmp_path: Path) -> None:
    # uvicorn has one logger for all servers of a process: theirs keeps its handlers, and hears nothing of this one.
    access, written = logging.getLogger("uvicorn.access"), Records()
    before = access.propagate, access.level
    access.propagate = True
    access.setLevel(logging.DEBUG)
    access.addHandler(written)
    try:
        with local.serve(data_dir=tmp_path) as server:
            assert access.propagate
            assert written in access.handlers
            assert httpx.get(f"{server.base_url}/info", trust_env=False).status_code == 401
        assert written.records == []
    finally:
        access.removeHandler(written)
        access.propagate = before[0]
        access.setLevel(before[1])


class Records(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
