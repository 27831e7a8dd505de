"""What is only kept is never in the way: whatever the disk, the home and the clock do, the question is asked."""

from __future__ import annotations

import errno
import json
import locale
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.raw_server import Connection, Request, serving

import dify_notebook
from dify_notebook import Dify, DifyError, Session, config, i18n, local, logs
from dify_notebook.errors import ConfigError, TapeGone
from dify_notebook.local.server import process as local_server
from dify_notebook.magic.line import recording_notice, run_line
from dify_notebook.magic.state import State
from dify_notebook.private import data_dir
from dify_notebook.tape import RunStore, Tape, run_store
from dify_notebook.tape import entries as tape_entries
from dify_notebook.tape.store import runs_wanted

ID = "11111111-1111-4111-8111-111111111111"


@pytest.fixture(autouse=True)
def nothing_said_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_said", set())


def chat(request: Request, connection: Connection) -> None:
    if request.method == "GET":
        known = {"/v1/info": {"name": "x", "mode": "chat"}, "/v1/parameters": {"user_input_form": []}}
        return connection.reply("200 OK", known.get(request.path.partition("?")[0], {}))
    ids = {"message_id": ID, "conversation_id": ID, "task_id": "t"}
    connection.head()
    for word in ("one ", "two ", "three"):
        connection.event(event="message", answer=word, **ids)
    connection.event(event="message_end", metadata={}, **ids)
    connection.end()


def asked(*, store: RunStore | None = None, user: str | None = "me", times: int = 1) -> Any:
    with serving(chat) as server, Dify("app-x", server.url, user) as dify:
        session = Session(dify, store=store)
        return [session.ask("hi").result(20) for _ in range(times)][-1]


def fails(code: int) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(code, os.strerror(code))

    return fail


# -- directories -----------------------------------------------------------------------


def is_a_file(root: Path) -> Path:
    (root / "file").write_text("")
    return root / "file"


def is_below_a_file(root: Path) -> Path:
    return is_a_file(root) / "below"


def is_nobodys(root: Path) -> Path:
    return Path("~nobody-of-that-name/data")


@pytest.mark.parametrize("place", [is_a_file, is_below_a_file, is_nobodys])
def test_a_data_directory_that_cannot_be_is_told_once_and_the_question_asked(
    place: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    where = str(place(tmp_path))
    monkeypatch.setenv("DIFY_NOTEBOOK_DATA_DIR", where)
    monkeypatch.setattr(local_server, "_temporary", [])
    turn = asked(user=None, times=2)
    assert (turn.answer, turn.status) == ("one two three", "succeeded")
    assert turn.user == config.stored_user(), "one name for as long as Python runs"
    assert len(turn.events) == 4
    assert caplog.text.count("could not be kept") == 1
    assert caplog.text.count("name made up") == 1
    assert recording_notice() is None
    assert run_store().paths() == []
    for _ in range(2):
        seat = State().app_session("guide", None, {})
        assert seat.session.ask("What are the apps?").result(30).status == "succeeded"
    assert caplog.text.count("last until Python ends") == 1


def test_a_relative_data_directory_where_the_working_directory_is_gone_is_no_matter(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DIFY_NOTEBOOK_DATA_DIR", "nowhere/to/be/found")
    monkeypatch.setattr(os, "getcwd", fails(errno.ENOENT))
    assert asked().status == "succeeded"
    assert caplog.text.count("could not be kept") == 1


@pytest.mark.parametrize(
    "problem",
    [sqlite3.OperationalError("unable to open database file"), sqlite3.OperationalError("database or disk is full"),
     sqlite3.OperationalError("attempt to write a readonly database"), OSError(errno.EROFS, "read-only")],
)  # fmt: skip
def test_an_embedded_server_without_a_place_of_its_own_takes_another(
    problem: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(local_server, "_temporary", [])
    start = local_server.LocalServer.__init__

    def fails_at_home(self: Any, directory: Any, *more: Any) -> None:
        if directory.root.is_relative_to(data_dir()):
            raise problem
        start(self, directory, *more)

    monkeypatch.setattr(local_server.LocalServer, "__init__", fails_at_home)
    with Dify.local() as dify, Dify.local() as again:
        assert dify.base_url == again.base_url
        assert dify.chat.send("What are the apps?").status == "succeeded"
    assert caplog.text.count("last until Python ends") == 1
    with pytest.raises(DifyError):  # one that somebody names is meant
        local.serve(data_dir=data_dir() / "mine")
    monkeypatch.setattr(local_server, "_temporary", [])
    monkeypatch.setattr(tempfile, "TemporaryDirectory", fails(errno.ENOENT))
    with pytest.raises(DifyError, match=re.escape(str(problem))):
        Dify.local()


def test_a_locale_that_python_does_not_know_is_no_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> Any:
        raise ValueError("unknown locale: UTF-8")

    for name in ("DIFY_NOTEBOOK_LANG", "LC_ALL", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(locale, "getlocale", unknown)
    assert i18n.current_language() == "en"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("call", ["open", "replace", "scandir", "mkdir"])
def test_a_disk_that_fails_at_any_call_keeps_no_answer_away(
    call: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore(tmp_path / "runs")
    kept = asked(store=store)
    assert len(store.paths()) == 1
    (tmp_path / "runs").rename(tmp_path / "before")
    with serving(chat) as server, Dify("app-x", server.url, "me") as dify:
        session = Session(dify, store=store)
        with monkeypatch.context() as broken:
            broken.setattr(os, call, fails(code))
            turn = session.ask("hi").result(20)
        again = session.ask("hi").result(20)
    assert (turn.answer, turn.status, turn.complete) == (kept.answer, "succeeded", True)
    assert [type(one) for one in turn.events or ()] == [type(one) for one in again.events or ()] != []


def test_a_full_disk_leaves_no_half_tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    import gzip

    store = RunStore(tmp_path / "runs")
    monkeypatch.setattr(gzip.GzipFile, "write", fails(errno.ENOSPC))
    turn = asked(store=store, times=3)
    assert len(turn.events) == 4, "they stay in memory"
    assert list((tmp_path / "runs").iterdir()) == []
    assert caplog.text.count("could not be kept") == 1


@pytest.mark.parametrize("problem", [OSError(errno.ENOSPC, "full"), ValueError("closed file"), MemoryError()])
def test_a_tape_that_fails_while_the_answer_comes_is_let_go(
    problem: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    append, count = tape_entries.Entries.append, [0]

    def second(self: Any, entry: Any) -> None:
        count[0] += 1
        if count[0] == 2:
            raise problem
        append(self, entry)

    monkeypatch.setattr(tape_entries.Entries, "append", second)
    turn = asked()
    assert (turn.answer, turn.status, turn.complete) == ("one two three", "succeeded", True)
    with pytest.raises(TapeGone, match="could not be held"):
        len(turn.events)
    assert caplog.text.count("could not be held") == 1


def test_a_long_tape_without_a_place_for_temporary_files_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape_entries, "SPOOL_BYTES", 1)
    monkeypatch.setattr(Tape.__init__, "__kwdefaults__", {"spool": None, "limit": 1})
    monkeypatch.setattr(tempfile, "TemporaryFile", fails(errno.ENOENT))
    assert len(asked().events) == 4


@pytest.mark.parametrize("now", [-1.0, 0.0, 4_102_444_800.0, 1e18, float("nan")])
def test_a_clock_that_is_wrong_is_no_matter(now: float, tmp_path: Path) -> None:
    turn = asked(store=RunStore(tmp_path / "runs", clock=lambda: now))
    assert (turn.answer, len(turn.events)) == ("one two three", 4)


def test_a_clock_that_runs_backwards_is_no_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    left = [2e9]

    def earlier() -> float:
        left[0] -= 86_400.0
        return left[0]

    monkeypatch.setattr(time, "time", earlier)
    turn = asked(times=3)
    assert (turn.status, turn.answer) == ("succeeded", "one two three")
    assert turn.timing is None or (turn.timing.total or 0) < 86_400


def test_others_things_in_the_store_are_no_matter(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    (runs / "20200101T000000-x.tape.gz").mkdir(parents=True)
    (runs / "20210101T000000-y.tape.gz").write_bytes(b"no tape")
    (runs / "20220101T000000-z.tape.gz").symlink_to(tmp_path / "nowhere")
    store = RunStore(runs)
    assert asked(store=store).tape.entries.path in store.paths()


# -- the setting -----------------------------------------------------------------------


@pytest.mark.parametrize("value", ["off", "OFF", " no ", "0", "false", '"off"'])
def test_runs_are_not_kept_where_that_is_said_in_any_word(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFY_NOTEBOOK_RUNS", value)
    assert asked().status == "succeeded"
    assert run_store().paths() == []


@pytest.mark.parametrize("value", ["", "on", "Yes", "1", "true"])
def test_runs_are_kept_else(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFY_NOTEBOOK_RUNS", value)
    asked()
    assert len(run_store().paths()) == 1


@pytest.mark.parametrize("value", ["of", "none", "2"])
def test_a_mistyped_setting_is_named_before_anything_is_sent(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFY_NOTEBOOK_RUNS", value)
    with pytest.raises(ConfigError, match=f"DIFY_NOTEBOOK_RUNS is '{value}'; it may be on or off"):
        runs_wanted()
    with serving(chat) as server, Dify("app-x", server.url, "me") as dify:
        with pytest.raises(ConfigError, match="DIFY_NOTEBOOK_RUNS"):
            Session(dify).ask("hi")
        assert server.requests == []
    assert recording_notice() is None
    with pytest.raises(ConfigError, match="DIFY_NOTEBOOK_RUNS"):
        run_line("runs", State(), {})


# -- interpreters of their own ---------------------------------------------------------

SCRIPT = """
import json, sys, warnings
from dify_notebook import Dify, Session
with Dify("app-x", sys.argv[1]) as dify:
    turn = Session(dify).ask("hi").result(20)
    cell = Session(dify)
    said = {"answer": turn.answer, "user": dify.user}
warn = Dify("app-x", "http://dify.example", "me")
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "dify_notebook")
shell.user_ns["d"] = Dify("app-x", sys.argv[1])
shell.run_cell_magic("dify", "d --quiet -o found", "hi")
said["cell"] = shell.user_ns["found"].answer
print("SAID" + json.dumps(said))
"""
ODD: list[dict[str, str | None]] = [
    {"HOME": None, "XDG_DATA_HOME": "{tmp}/data", "XDG_CONFIG_HOME": "{tmp}/config"},
    {"HOME": "/dev/null"},
    {"XDG_DATA_HOME": "~/data", "XDG_CONFIG_HOME": "relative"},
    {"XDG_DATA_HOME": "/dev/null/x", "XDG_CONFIG_HOME": "/dev/null/y"},
    {"PYTHONWARNINGS": "error::UserWarning"},
    {"PYTHONUTF8": "0", "LC_ALL": "C", "LANG": "C"},
    {"LC_ALL": "no_SUCH.thing", "LANG": "xx", "LC_CTYPE": "UTF-8", "TZ": "No/Where"},
    {"DIFY_NOTEBOOK_LANG": None, "LC_ALL": None, "LANG": None, "LC_CTYPE": "UTF-8", "TZ": ":::"},
    {"IPYTHONDIR": "/dev/null/ipython", "TMPDIR": "/nowhere"},
]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_odd_surroundings_keep_no_question_away(odd: dict[str, str | None], tmp_path: Path) -> None:
    mine = {"HOME": str(tmp_path), "PYTHONPATH": str(Path(dify_notebook.__file__).parents[1]), "IPYTHONDIR": str(tmp_path)}
    outer = {name: value for name, value in os.environ.items() if not name.startswith(("DIFY_", "XDG_", "LC_", "LANG"))}
    given = {**outer, **mine, **odd}
    environ = {name: value.replace("{tmp}", str(tmp_path)) for name, value in given.items() if value is not None}
    with serving(chat) as server:
        command = [sys.executable, "-c", SCRIPT, server.url]
        ran = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    out = ran.stdout.decode("utf-8", "replace")
    assert "SAID" in out, out + ran.stderr.decode("utf-8", "replace")
    said = json.loads(out.partition("SAID")[2])
    assert (said["answer"], said["cell"]) == ("one two three", "one two three")
    assert said["user"].startswith("notebook-")
    assert ran.stderr.count(b"could not be kept") <= 1
    assert not (tmp_path / "~").exists(), "a home that is not known is no directory of that name"


