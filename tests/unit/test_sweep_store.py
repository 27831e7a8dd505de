"""The records of a sweep: what ended is kept whatever happens to the process, what is damaged is left out."""

from __future__ import annotations

import errno
import os
import random
import socket
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import filelock
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dify_notebook
from dify_notebook import Turn
from dify_notebook.errors import DifyError, InputError, TapeError, TapeGone
from dify_notebook.sweep.records import LARGEST, Answer, Checked, Outcome
from dify_notebook.sweep.store import hold, lines
from dify_notebook.sweep.store.header import RECORDS
from dify_notebook.sweep.store.store import Store
from dify_notebook.tape import Header, Tape

VERSION_1 = b"""\
{"t":"sweep","version":1,"id":"0123456789ab","salt":"00ff","created_at":1774000000.5}
{"t":"app","target":"guide","hash":"h1","at":1774000001.0}
{"t":"begin","case":"a","at":1774000001.5}
{"t":"end","case":"a","state":"failed","error_code":"rate_limit","error":"later","began":1774000001.5,"ended":1774000002.0}
{"t":"begin","case":"b","at":1774000002.5}
{"t":"end","case":"a","state":"succeeded","answers":[{"status":"succeeded","end":"message_end","query":"Where?",\
"answer":"Oslo \xe6\x8c\xaa\xe5\xa8\x81","total_tokens":12,"price":"0.0012","currency":"USD","message_id":"m1","tape":"a-1-1"}],\
"conversation_id":"c1","user":"sweep-0123456789ab","began":1774000003.0,"ended":1774000004.0}
{"t":"forget","conversation_id":"c1","at":1774000009.0}
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(dify_notebook.__file__).parents[1])}


def succeeded(case: str, answer: str = "yes", **more: Any) -> Outcome:
    return Outcome(case=case, state="succeeded", answers=[Answer(status="succeeded", answer=answer, **more)])


def child(code: str, path: Path, **more: Any) -> subprocess.Popen[str]:
    """A Python that runs this, with the directory as its argument."""
    return subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, **more,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> str:
    """Kill it, and give what it still had to say."""
    assert process.stdout is not None
    assert process.stdin is not None
    process.kill()
    rest = process.stdout.read()
    process.wait(20)
    process.stdout.close()
    process.stdin.close()
    return rest


def written(path: Path) -> Store:
    """A store with five lines: its header, an end, two begun, an end."""
    store = Store.open(path)
    with store.locked():
        store.begin("a", 1.0)
        store.end(succeeded("a", "挪威"))
        store.begin("b", 2.0)
        store.end(Outcome(case="b", state="failed", error_code="e"))
    return store


# -- what is kept -------------------------------------------------------------------------


def test_what_was_written_is_read(tmp_path: Path) -> None:
    store = written(tmp_path / "runs" / "tone")
    store.check(Checked(target="t", hash="h", at=3.0))
    store.forgotten("c1", 4.0)
    again = Store.open(tmp_path / "runs" / "tone")
    assert again.header == store.header
    assert (len(again.id), again.damaged) == (12, 0)
    for one in (store, again):
        assert dict(one.outcomes) == {
            "a": succeeded("a", "挪威"), "b": Outcome(case="b", state="failed", error_code="e"),
        }  # fmt: skip
        assert [one.state(case) for case in ("a", "b", "c")] == ["succeeded", "failed", "not_run"]
        assert one.checks == [Checked(target="t", hash="h", at=3.0)]
        assert one.deleted == {"c1"}
    assert "nobody" not in again.outcomes
    with pytest.raises(KeyError):
        again.outcomes["nobody"]


@pytest.mark.parametrize("in_memory", [False, True])
def test_the_last_try_counts_and_all_cost(tmp_path: Path, in_memory: bool) -> None:
    store = Store.open(None if in_memory else tmp_path)
    tries = [
        Outcome(case="a", state="failed", error="once"),
        succeeded("b"),
        succeeded("a", price=Decimal("0.10"), currency="USD"),
    ]
    with store.locked():
        for outcome in tries:
            store.begin(outcome.case, 1.0)
            assert store.end(outcome) == outcome
    assert store.outcomes["a"].answers[0].price == Decimal("0.10")
    assert store.history("a") == [tries[0], tries[2]]
    assert store.history("nobody") == []
    assert list(store.spent) == store.spent[:] == tries
    assert (len(store.spent), store.spent[-1]) == (3, tries[2])
    assert store.state("a") == "succeeded"


@pytest.mark.parametrize("in_memory", [False, True])
def test_unknown_is_what_began_and_is_not_under_way(tmp_path: Path, in_memory: bool) -> None:
    store = Store.open(None if in_memory else tmp_path)
    with store.locked():
        store.end(succeeded("done"))
        for case in ("done", "new"):
            store.begin(case, 1.0)
        assert (store.unknown, store.under_way, store.state("new")) == (set(), {"done", "new"}, "not_run")
    assert (store.unknown, store.under_way) == ({"new"}, set())
    assert store.state("done") == "succeeded"  # an answer that is there stays one
    with store.locked():
        assert store.state("new") == "unknown"
        store.begin("new", 2.0)
        assert store.state("new") == "not_run"
        store.end(Outcome(case="new", state="failed"))
    assert (store.unknown, store.state("new")) == (set(), "failed")


def test_a_file_of_the_first_version(tmp_path: Path) -> None:
    (tmp_path / RECORDS).write_bytes(VERSION_1)
    store = Store.open(tmp_path)
    assert (store.id, store.salt, store.header.created_at) == ("0123456789ab", "00ff", 1774000000.5)
    assert (store.damaged, store.unknown, store.deleted) == (0, {"b"}, {"c1"})
    assert [outcome.state for outcome in store.history("a")] == ["failed", "succeeded"]
    (answer,) = store.outcomes["a"].answers
    assert (answer.answer, answer.price, answer.currency, answer.tape) == ("Oslo 挪威", Decimal("0.0012"), "USD", "a-1-1")
    with store.locked():
        store.end(succeeded("b"))
    assert (tmp_path / RECORDS).read_bytes().startswith(VERSION_1)
    assert Store.open(tmp_path).unknown == set()


def test_no_key_is_written(tmp_path: Path) -> None:
    key, token = "app-abcdefghijklmnopqrst", "form-secret"
    store = Store.open(tmp_path)
    with store.locked():
        kept = store.end(Outcome(
            case="a", state="failed", error=f"{key} is wrong, see https://x.example/f?sign={key}",
            answers=[Answer(status="failed", answer=f'{{"form_token": "{token}"}}', outputs={"form_token": token, "k": key})],
        ))  # fmt: skip
    text = (tmp_path / RECORDS).read_text("utf-8")
    assert key not in text
    assert token not in text
    assert store.outcomes["a"] == kept
    assert kept.answers[0].outputs == {"form_token": None, "k": "app-***"}


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.text(st.characters(categories=["Cs"]), max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(st.characters()), JSON, st.decimals(0, LARGEST, places=12))
@settings(max_examples=60, deadline=None)
def test_any_text_and_any_outputs_are_a_line(answer: str, outputs: Any, price: Decimal) -> None:
    store = Store.open(None)
    kept = store.end(Outcome(case="a", state="succeeded", answers=[
        Answer(status="succeeded", answer=answer, outputs=outputs, price=price),
    ]))  # fmt: skip
    assert store.outcomes["a"] == kept
    assert kept.answers[0].price == price
    if answer.isalnum():
        assert kept.answers[0].answer == answer


def test_what_can_be_no_line_still_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dify_notebook.sweep.store.record_lines.LINE_BYTES", 10_000)
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    store = Store.open(tmp_path)
    with store.locked():
        long = store.end(succeeded("long", "x" * 20_000, total_tokens=7, price=Decimal(2), currency="USD", tape="t"))
        nested = store.end(succeeded("deep", outputs=deep, total_tokens=8))
    for outcome, tokens in ((long, 7), (nested, 8)):
        assert (outcome.state, outcome.error_code) == ("failed", "not_kept")
        assert outcome.answers[0].total_tokens == tokens
    assert (long.answers[0].price, long.answers[0].tape, long.answers[0].answer) == (Decimal(2), "t", "")
    again = Store.open(tmp_path)
    assert (again.damaged, again.outcomes["long"], again.outcomes["deep"]) == (0, long, nested)


# -- what is damaged ----------------------------------------------------------------------


def test_every_point_where_a_file_may_be_torn(tmp_path: Path) -> None:
    whole = (written(tmp_path / "whole").path or tmp_path) / RECORDS
    data = whole.read_bytes()
    assert data.count(b"\n") == 5
    for size in range(len(data) + 1):
        directory = tmp_path / "torn"
        directory.mkdir()
        (directory / RECORDS).write_bytes(data[:size])
        ends = [kept.split(b'"case":"')[1][:1].decode() for kept in data[:size].split(b"\n")[:-1] if b'"end"' in kept]
        store = Store.open(directory)
        if b"\n" in data[:size]:
            assert store.header == Store.open(tmp_path / "whole").header
        assert list(store.outcomes) == ends
        with store.locked():
            store.end(succeeded("later"))
        whole_line = any(data[:size].endswith(line) and line for line in data.splitlines())
        for one in (store, Store.open(directory)):
            assert one.outcomes["later"] == succeeded("later")
            assert set(ends) <= set(one.outcomes)
            is_torn = b"\n" in data[:size] and data[size - 1 : size] != b"\n" and not whole_line
            assert one.damaged == is_torn
        for path in directory.iterdir():
            path.unlink()
        directory.rmdir()


@given(st.lists(st.binary(max_size=30).filter(lambda data: b"\n" not in data), max_size=4), st.binary(max_size=20))
@settings(max_examples=40, deadline=None)
def test_damaged_lines_are_left_out(damage: list[bytes], tail: bytes) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, RECORDS)
        path.write_bytes(VERSION_1 + b"".join(line + b"\n" for line in damage) + tail.replace(b"\n", b""))
        path.chmod(0o600)
        store = Store.open(scratch)
        assert store.damaged == sum(1 for line in damage if line)
        with store.locked():
            store.end(succeeded("z"))
        assert set(Store.open(scratch).outcomes) == {"a", "z"}


def test_a_line_that_is_too_long_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LINE_BYTES", 500)
    store = written(tmp_path)
    with open(tmp_path / RECORDS, "ab") as file:
        file.write(b'{"t":"end","case":"long","state":"failed","error":"' + b"x" * 2_000 + b'"}\n')
    with store.locked():
        store.end(succeeded("after"))
    again = Store.open(tmp_path)
    assert (store.damaged, again.damaged) == (1, 1)
    assert list(again.outcomes) == list(store.outcomes) == ["a", "b", "after"]


@pytest.mark.parametrize(
    ("first", "says"),
    [
        (b'{"t":"sweep","version":1,"id":3}\n', "first line"),
        (b"\x00\x01\n", "first line"),
        (b"half a file of something else", "first line"),
        (b'{"t":"sweep","version":2,"id":{},"new":1}\n', "version 2"),
    ],
)
def test_a_header_that_cannot_be_read_is_refused(tmp_path: Path, first: bytes, says: str) -> None:
    (tmp_path / RECORDS).write_bytes(first + VERSION_1.partition(b"\n")[2])
    before = (tmp_path / RECORDS).read_bytes()
    with pytest.raises(InputError, match=says) as caught:
        Store.open(tmp_path)
    assert "store=" in caught.value.hint
    assert (tmp_path / RECORDS).read_bytes() == before


def test_records_that_were_replaced_meanwhile(tmp_path: Path) -> None:
    store = written(tmp_path)
    (tmp_path / RECORDS).write_bytes(VERSION_1)
    with pytest.raises(DifyError, match="no longer"):
        store.outcomes["a"]


# -- directories --------------------------------------------------------------------------


def test_something_else_is_there(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    (tmp_path / "folder" / RECORDS).mkdir(parents=True)
    for path in (tmp_path, tmp_path / "photo.jpg", tmp_path / "folder", tmp_path / "photo.jpg" / "x"):
        with pytest.raises(DifyError, match=r"something else|Not a directory"):
            Store.open(path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "photo.jpg"]


def test_reading_only(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no records"):
        Store.open(tmp_path / "none", read_only=True)
    assert not (tmp_path / "none").exists()
    written(tmp_path / "some")
    before = sorted((tmp_path / "some").iterdir())
    store = Store.open(tmp_path / "some", read_only=True)
    assert list(store.outcomes) == ["a", "b"]
    with pytest.raises(InputError, match="read only"):
        store.begin("c", 1.0)
    assert sorted((tmp_path / "some").iterdir()) == before


def test_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "else").mkdir()
    store, home = Store.open("runs/tone"), Store.open("~/mine")
    assert (store.path, home.path) == (tmp_path / "runs" / "tone", tmp_path / "mine")
    monkeypatch.chdir(tmp_path / "else")
    with store.locked():
        store.end(succeeded("a"))
        name = store.keep_tape("a", 1, 0, tape_of("hi"), Turn(query="q"))
    assert list((tmp_path / "else").iterdir()) == []
    assert name is not None
    assert len(store.tape(name).events) == 2
    with pytest.raises(InputError):
        Store.open("")
    if os.name == "posix":
        paths = [tmp_path / "runs" / "tone", *(tmp_path / "runs" / "tone").rglob("*")]
        assert [path.name for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


@pytest.mark.skipif(os.name != "posix", reason="a limit on the size of files")
def test_a_disk_that_is_full_leaves_whole_lines(tmp_path: Path) -> None:
    """The limit on a file's size cuts a write short as a full disk does."""
    code = """
import resource, sys
from dify_notebook.errors import DifyError
from dify_notebook.sweep.store.header import RECORDS
from dify_notebook.sweep.records import Answer, Outcome
from dify_notebook.sweep.store.store import Store
store = Store.open(sys.argv[1])
def end(case, size):
    store.end(Outcome(case=case, state="succeeded", answers=[Answer(status="succeeded", answer="x" * size)]))
with store.locked():
    end("a", 10)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))
    try:
        end("b", 2_000)
    except DifyError as problem:
        print(problem.code, problem.hint)
    end("c", 10)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    end("d", 2_000)
print(list(store.outcomes), store.damaged)
"""
    output, _ = child(code, tmp_path).communicate(timeout=60)
    assert output.startswith("store ")
    assert output.splitlines()[-1] == "['a', 'c', 'd'] 0"
    again = Store.open(tmp_path)
    assert (list(again.outcomes), again.damaged) == (["a", "c", "d"], 0)


# -- several processes --------------------------------------------------------------------

WRITER = """
import sys
from dify_notebook.sweep.store.header import RECORDS
from dify_notebook.sweep.records import Answer, Outcome
from dify_notebook.sweep.store.store import Store
store = Store.open(sys.argv[1])
first = len(store.spent)
with store.locked():
    for number in range(first, first + 1_000_000):
        case = f"case-{number}"
        store.begin(case, 1.0)
        answers = [Answer(status="succeeded", answer="word " * (number % 700), price="0.1", currency="USD")]
        store.end(Outcome(case=case, state="succeeded", answers=answers))
        print(case, flush=True)
"""


def test_kill_at_random_moments(tmp_path: Path) -> None:
    chance = random.Random(20261130)
    ended: list[str] = []
    for _ in range(3):
        process = child(WRITER, tmp_path)
        assert process.stdout is not None
        ended += [process.stdout.readline().strip() for _ in range(chance.randrange(1, 400))]
        ended += [line for line in finish(process).splitlines(keepends=True) if line.endswith("\n")]
        store = Store.open(tmp_path)
        assert [case.strip() for case in ended if case.strip() not in store.outcomes] == []
        assert len(store.unknown) <= 1
        assert store.under_way == set()
        for outcome in store.spent:
            assert len(outcome.answers[0].answer) == 5 * (int(outcome.case[5:]) % 700)
        assert store.damaged <= 3


def test_one_writes_and_others_read(tmp_path: Path) -> None:
    process = child(WRITER, tmp_path)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        store = Store.open(tmp_path)
        with pytest.raises(InputError, match=str(process.pid)) as caught, store.locked():
            pass
        assert socket.gethostname() in caught.value.message
        with pytest.raises(InputError):
            store.begin("mine", 1.0)
        for _ in range(30):
            before = len(store.outcomes)
            process.stdout.readline()
            store.refresh()
            assert store.outcomes["case-0"].state == "succeeded"
            assert before <= len(store.outcomes)
            assert (store.damaged, store.unknown) == (0, set())
            assert len(store.under_way) <= 1
            assert store.spent[-1].case == f"case-{len(store.spent) - 1}"
    finally:
        finish(process)
    with store.locked():  # a process that is gone is no obstacle
        assert store.under_way == set()
        store.end(succeeded("mine"))


def test_the_same_process_does_not_run_it_twice(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    with store.locked():
        with pytest.raises(InputError, match="already running"), store.locked():
            pass
        with pytest.raises(InputError, match=str(os.getpid())), Store.open(tmp_path).locked():
            pass
        store.begin("a", 1.0)
    with store.locked():
        pass



def test_threads_write_whole_lines(tmp_path: Path) -> None:
    store = Store.open(tmp_path)

    def write(number: int) -> None:
        store.begin(f"case-{number}", 1.0)
        store.end(succeeded(f"case-{number}", str(number)))

    with store.locked(), ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(400)))
    for one in (store, Store.open(tmp_path)):
        assert {case: outcome.answers[0].answer for case, outcome in one.outcomes.items()} == {
            f"case-{number}": str(number) for number in range(400)
        }
        assert (one.damaged, one.unknown) == (0, set())


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any, *_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    store = Store.open(tmp_path)
    with store.locked():
        store.begin("a", 1.0)
        other = Store.open(tmp_path)
        assert other.under_way == {"a"}
        with pytest.raises(InputError, match=str(os.getpid())) as caught, other.locked():
            pass
        assert "delete lock.soft" in caught.value.hint
    with other.locked():
        assert other.unknown == {"a"}


def test_a_holder_that_somebody_forged_is_harmless(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    with store.locked():
        forged = {"pid": 1, "host": "\x1b[31m" + "h" * 500, "since": 1e300, "size": 0}
        (tmp_path / hold.HOLDER).write_bytes(msgspec.json.encode(forged))
        with pytest.raises(InputError) as caught, Store.open(tmp_path).locked():
            pass
        assert "\x1b" not in caught.value.message
        assert len(caught.value.message) < 500
        (tmp_path / hold.HOLDER).write_bytes(b"{")
        with pytest.raises(InputError, match="Another process"), Store.open(tmp_path).locked():
            pass


# -- tapes --------------------------------------------------------------------------------


def tape_of(text: str) -> Tape:
    tape = Tape(Header(query="q", conversation_id="c1"))
    event = {"event": "message", "answer": text, "message_id": "m1", "conversation_id": "c1", "task_id": "t"}
    end = {"event": "message_end", "message_id": "m1", "conversation_id": "c1", "task_id": "t"}
    for at, body in ((0.1, event), (0.2, end)):
        tape.append(at, ("", msgspec.json.encode(body)))
    return tape


@pytest.mark.parametrize("in_memory", [False, True])
def test_an_answer_is_told_anew_by_its_tape(
    tmp_path: Path, in_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFY_NOTEBOOK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("DIFY_NOTEBOOK_RUNS", "off")
    store = Store.open(None if in_memory else tmp_path / "store")
    tape = tape_of("hello")
    name = store.keep_tape("a" * 64, 1, 0, tape, Turn(query="q", message_id="m1"))
    turn = store.turn(Answer(status="succeeded", tape=name))
    assert (turn.query, turn.answer, turn.status, turn.source) == ("q", "hello", "succeeded", "tape")
    assert tape.header.message_id == "m1"
    assert not (tmp_path / "data" / "runs").exists()
    if not in_memory:  # what was named is kept, whatever the setting says
        assert Store.open(tmp_path / "store").turn(Answer(status="succeeded", tape=name)).answer == "hello"
        assert len(list((tmp_path / "store" / "tapes").iterdir())) == 1
    assert store.keep_tape("a", 1, 0, Tape(), Turn()) is None
    for answer in (Answer(status="failed"), Answer(status="failed", tape="none")):
        with pytest.raises(TapeGone):
            store.turn(answer)


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "", "a.b", "a\n", "x" * 200, "\x1b[31m"])
def test_a_name_in_a_record_leads_nowhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(TapeError) as caught:
        Store.open(tmp_path).tape(name)
    assert "\x1b" not in caught.value.message


def test_a_tape_that_cannot_be_kept_costs_no_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store.open(tmp_path)
    (tmp_path / "tapes").touch()
    assert store.keep_tape("a", 1, 0, tape_of("x"), Turn()) is None
    assert str(tmp_path / "tapes") in caplog.text
