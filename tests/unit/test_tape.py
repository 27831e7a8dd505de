"""A tape tells the same turn again, and nothing that signs or opens anything is written."""

from __future__ import annotations

import gzip
import os
import pickle
import stat
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from contract.streams import load
from hypothesis import given
from hypothesis import strategies as st

from dify_notebook.errors import DifyError, TapeError, TapeGone
from dify_notebook.tape import Header, RunStore, StoredEntries, Tape, entries, redact, run_store
from dify_notebook.tape.entries import Entries
from dify_notebook.turn.fold import fold_all
from dify_notebook.wire.decoder import decode
from dify_notebook.wire.events import StreamEnd
from dify_notebook.wire.sse import Frame, Splitter


def taped(case: str) -> Tape:
    tape = Tape(Header(query="q", user="u"))
    splitter = Splitter()
    for at, chunk in load()[case].chunks:
        tape.entries.extend((at, frame) for frame in splitter.feed(chunk))
    return tape


@pytest.mark.parametrize("case", ["1.12.1/chat-messages__richflow-streaming", "1.12.1/chat-messages__agent-chat-speak",
                                  "examples/chat_basic", "1.12.1/chat-messages-ping__agent-chat-slow-start"])  # fmt: skip
def test_a_saved_tape_tells_the_same_turn(case: str, tmp_path: Path) -> None:
    tape = taped(case)
    path = tape.save(tmp_path / "one.tape.gz")
    loaded = Tape.load(path)
    assert loaded.header == tape.header
    turn = loaded.replay()
    live = fold_all([*(decode(frame, at) for at, frame in tape.entries), StreamEnd()])
    assert (turn.answer, turn.status, turn.source) == (live.answer, live.status, "tape")
    assert turn.nodes is not None
    assert live.nodes is not None
    assert [node.status for node in turn.nodes] == [node.status for node in live.nodes]
    assert turn.query == "q"
    assert len(turn.events or ()) == len(tape.entries)
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_events_are_a_lazy_view() -> None:
    tape = taped("examples/chat_basic")
    assert type(tape.events[-1]).__name__ == "TtsMessageEnd"
    assert len(tape.events[:2]) == 2
    assert [type(event).__name__ for event in tape.events][0] == "Message"


SECRETS = [
    b"/files/x?timestamp=1&nonce=SECRET&sign=SECRET",
    b"https://s3/x?X-Amz-Signature=SECRET&X-Amz-Credential=SECRET",
    b'{"url":"http://h/f.png?sign=SECRET="}',
    b"Authorization: Bearer SECRETSECRET",
    b"app-SECRETSECRETSECRETSECRET",
]


@pytest.mark.parametrize("data", SECRETS)
def test_secrets_are_taken_out_before_the_first_byte(data: bytes, tmp_path: Path) -> None:
    assert b"SECRET" not in redact(data)
    tape = Tape(Header(query=data.decode()))
    tape.entries.append((0.0, ("", msgspec.json.encode({"event": "message", "answer": data.decode()}))))
    path = tape.save(tmp_path / "t.gz")
    assert b"SECRET" not in gzip.decompress(path.read_bytes())


def test_bytes_that_are_no_text_survive(tmp_path: Path) -> None:
    told: list[tuple[float, Frame]] = [(0.1, ("", b"\xff\xfe")), (0.2, ("ping", None))]
    assert kept(told, tmp_path) == told


def kept(told: list[tuple[float, Frame]], directory: Path) -> list[tuple[float, Frame]]:
    """Entries after they lay on a disk, in a stored file and in a running answer's, which must agree."""
    tape, spooled = Tape(), Tape(spool=lambda: directory, limit=0)
    for at, frame in told:
        tape.append(at, frame)
        spooled.append(at, frame)
    loaded = list(Tape.load(tape.save(directory / "kept.gz")).entries)
    assert list(spooled.entries) == loaded
    return loaded


@pytest.mark.parametrize("data", [b"base64:", b"base64:aGk=", b"base64:no base64!", b"base64:\xff", b"text", b""])
def test_a_text_that_begins_as_a_mark_survives(data: bytes, tmp_path: Path) -> None:
    assert kept([(0.0, ("", data))], tmp_path) == [(0.0, ("", data))]


@given(st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary() | st.text().map(lambda t: f"base64:{t}".encode("utf-8", "replace")))))
def test_every_frame_survives(frames: list[Frame]) -> None:
    with TemporaryDirectory() as place:
        told = [(0.5, frame) for frame in frames]
        clean = [(at, (redact(name), None if data is None else redact(data))) for at, (name, data) in told]
        assert kept(told, Path(place)) == clean


def test_a_tape_of_an_earlier_version_opens(tmp_path: Path) -> None:
    lines = [b'{"query":"q"}', b'[0.1,"","base64://4="]', b'[0.2,"","base64:no base64!"]', b'[0.3,"ping",null]']
    (tmp_path / "old.gz").write_bytes(gzip.compress(b"\n".join(lines) + b"\n"))
    old = Tape.load(tmp_path / "old.gz")
    assert list(old.entries) == [(0.1, ("", b"\xff\xfe")), (0.2, ("", b"base64:no base64!")), (0.3, ("ping", None))]


#: Packed text with some bytes of it turned over.
BROKEN = bytes(byte ^ (0x55 if 20 < at < 40 else 0) for at, byte in enumerate(gzip.compress(b"{}\n" * 50 + b"xyz" * 50)))


@pytest.mark.parametrize("content", [b"", b"hello", gzip.compress(b""), gzip.compress(b"{}\n{"), gzip.compress(b"no"),
                                     BROKEN])
def test_what_is_no_tape_says_so(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no tape") as caught:
        Tape.load(path)
    assert isinstance(caught.value, DifyError)
    assert str(path) in caught.value.message


@pytest.mark.parametrize("line", [b"[1]", b'["x","",""]', b"[0.1,null,null]", b'[0.1,"","base64:!","base64"]', b"{}",
                                  b'[0.1,"","x","no form"]', b"[" * 100_000, b"[0.1,1e999999,null]", b"\xff"])
def test_a_line_that_is_none_says_so(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.gz"
    path.write_bytes(gzip.compress(b"{}\n" + line + b"\n"))
    with pytest.raises(TapeError, match="no tape"):
        Tape.load(path)


def test_only_regular_files_are_tapes(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        Tape.load(tmp_path / "missing")
    if os.name == "posix":
        os.mkfifo(tmp_path / "pipe")  # nobody writes into it: to wait for that would be for ever
        for path in (tmp_path, tmp_path / "pipe", Path(os.devnull)):
            with pytest.raises(TapeError, match="no regular file") as caught:
                Tape.load(path)
            assert str(path) in caught.value.message
    environment = Path("/proc/self/status")
    if environment.exists():
        with pytest.raises(TapeError, match="no tape"):
            Tape.load(environment)


def test_a_tape_is_as_long_as_is_allowed(tmp_path: Path) -> None:
    tape = Tape()
    tape.entries.extend((0.0, ("", b"x" * 100)) for _ in range(100))
    path = tape.save(tmp_path / "t.gz")
    size = len(gzip.decompress(path.read_bytes())) + 101 * 150
    assert len(Tape.load(path, limit=size).entries) == 100
    with pytest.raises(TapeError, match=f"{path}.*{size - 1} bytes") as caught:
        Tape.load(path, limit=size - 1)
    assert "limit=" in caught.value.hint


MEASURE = """
import resource, sys
from dify_notebook.errors import TapeError
from dify_notebook.tape import Tape
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    Tape.load(sys.argv[1], limit=50_000_000)
except TapeError as error:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error.message)
"""


@pytest.mark.parametrize("line", [b"0" * 9_999, b'[0,"",""]', b'[0,"","' + b"0" * 300_000_000 + b'"]'],
                         ids=["rubbish", "many", "one"])
def test_a_small_file_that_unpacks_to_much_takes_no_memory(line: bytes, tmp_path: Path) -> None:
    """300 MB of zeros, and of the shortest entries, in a few hundred kB: read as a stream, to the bound and no further."""
    pytest.importorskip("resource")
    path = tmp_path / "t.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"{}\n")
        for _ in range(max(1, 300_000_000 // (len(line) + 1) // 1_000)):
            file.write((line + b"\n") * min(1_000, 1 + 300_000_000 // len(line)) if len(line) < 100_000 else line)
    done = subprocess.run([sys.executable, "-c", MEASURE, path], capture_output=True, text=True, timeout=120, check=True)
    kilobytes, _, message = done.stdout.partition(" ")
    assert str(path) in message
    assert int(kilobytes) < 200_000


def test_the_store_is_private_bounded_and_can_be_switched_off(tmp_path: Path) -> None:
    now = [1_000_000_000.0]
    store = RunStore(tmp_path / "runs", max_bytes=3_000, max_age=1e12, clock=lambda: now[0])
    tape = taped("examples/chat_basic")
    for number in range(20):
        now[0] += 1
        store.add(tape, f"../m {number}")
    assert stat.S_IMODE(store.directory.stat().st_mode) == 0o700
    assert 1 <= len(store.paths()) < 20
    assert sum(path.stat().st_size for path in store.paths()) <= 3_000
    assert "m19" in store.paths()[-1].name  # the newest stay
    assert all(path.parent == store.directory for path in store.paths())
    store.enabled = False
    before = store.paths()
    assert store.add(tape, "x") is None
    assert store.paths() == before
    store.enabled = True
    assert store.add(tape, "y") is not None


def test_old_runs_go_within_a_minute(tmp_path: Path) -> None:
    now = [time.time()]
    store = RunStore(tmp_path, max_age=100, clock=lambda: now[0])
    old = store.add(taped("examples/chat_basic"), "old")
    assert old is not None
    os.utime(old, (1, 1))
    now[0] += 61
    store.add(taped("examples/chat_basic"), "new")
    assert [path.name.split("-", 1)[1] for path in store.paths()] == ["new.tape.gz"]


def test_a_tape_that_is_kept_does_not_look_through_all_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, scandir = [], os.scandir

    def look(path: Path) -> Any:
        looks.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", look)
    tape, now = taped("examples/chat_basic"), [1_000_000_000.0]
    one = RunStore(tmp_path / "one", max_age=1e12).add(tape, "m")
    assert one is not None
    size = one.stat().st_size
    store = RunStore(tmp_path / "runs", max_bytes=100 * size, max_age=1e12, clock=lambda: now[0])
    for number in range(300):
        now[0] += 0.01
        store.add(tape, f"m{number}")
        assert len(os.listdir(store.directory)) <= 100
    assert len([path for path in looks if path == store.directory]) < 60
    other = RunStore(store.directory, max_bytes=100 * size, max_age=1e12, clock=lambda: now[0] + 1)
    for number in range(50):  # another kernel
        other.add(tape, f"o{number}")
    now[0] += 61
    store.add(tape, "last")
    assert len(store.paths()) <= 100
    assert store.paths()[-1].name.endswith("-last.tape.gz")


def test_a_tape_that_fills_the_store_alone_is_kept(tmp_path: Path) -> None:
    tape = taped("examples/chat_basic")
    one = RunStore(tmp_path / "one").add(tape, "m")
    assert one is not None
    store = RunStore(tmp_path / "runs", max_bytes=one.stat().st_size, clock=time.time)
    store.add(tape, "a")
    assert store.add(tape, "b") is not None
    assert len(store.paths()) == 1


def test_the_users_store_remembers_its_last_look() -> None:
    assert run_store() is run_store()


def test_two_runs_without_a_message_in_one_second_are_two(tmp_path: Path) -> None:
    store = RunStore(tmp_path, clock=lambda: 1_000_000_000.0, max_age=1e12)
    store.add(taped("examples/chat_basic"), "run")
    store.add(taped("examples/chat_agent"), "run")
    assert len(store.paths()) == 2


def test_a_long_tape_goes_to_a_private_file_redacted(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    short, long = Tape(), Tape(spool=store.spool, limit=10_000)
    frames: list[Frame] = [
        ("", b'{"event":"message","answer":"%d","x":"' % n + SECRETS[n % len(SECRETS)].replace(b'"', b"'") + b'"}')
        for n in range(500)
    ]  # fmt: skip
    frames[7] = ("ping", None)
    frames[8] = ("", b"\xff\xfe")
    for number, frame in enumerate(frames):
        short.entries.append((number / 10, frame))
        long.entries.append((number / 10, frame))
    assert (short.entries.spooled, long.entries.spooled) == (False, True)
    assert store.paths() == []  # not among the runs that are kept
    assert b"SECRETSECRET" not in b"".join(data or b"" for _, (_, data) in long.entries)
    assert len(long.entries) == len(long.events) == 500
    cleaned = [(at, (name, None if data is None else redact(data))) for at, (name, data) in short.entries]
    assert list(long.entries) == cleaned
    assert long.entries[-1] == cleaned[-1]
    assert long.entries[63:66] == cleaned[63:66]
    assert long.entries[130] == cleaned[130]
    with pytest.raises(IndexError):
        long.entries[500]
    loaded = Tape.load(long.save(tmp_path / "long.tape.gz"))
    assert list(loaded.entries) == cleaned
    assert loaded.replay().answer == long.replay().answer


def test_on_a_full_disk_the_rest_of_a_long_tape_stays_in_memory(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    store = RunStore(tmp_path / "runs")
    tape = Tape(spool=store.spool, limit=5_000)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    told = [(number / 10, ("", b'{"event":"message","answer":"%d"}' % number)) for number in range(400)]
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, usual[1]))
    try:
        for entry in told:
            tape.entries.append(entry)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert tape.entries.spooled
    assert list(tape.entries) == told
    assert len(tape.entries) == len(told)
    assert [tape.entries[n] for n in (0, 63, 64, 100, 399, -1)] == [told[n] for n in (0, 63, 64, 100, 399, -1)]
    assert tape.entries[90:250] == told[90:250]
    assert list(Tape.load(tape.save(tmp_path / "t.gz")).entries) == told


def test_a_tape_that_is_left_at_pythons_end_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Entries()
    for name in [one for one in vars(entries) if not one.startswith("__")]:
        monkeypatch.setitem(vars(entries), name, None)  # as it is when modules are taken down
    held.__del__()


def test_where_keeping_is_off_a_long_tape_stays_in_memory(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    store.enabled = False
    tape = Tape(spool=store.spool, limit=100)
    tape.entries.extend((0.0, ("", b"x" * 50)) for _ in range(10))
    assert not tape.entries.spooled
    assert len(tape.entries) == 10
    assert sorted(path.name for path in store.directory.iterdir()) == ["off"]


def test_a_stored_run_reads_from_its_file(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    tape, long = taped("examples/chat_basic"), Tape(spool=store.spool, limit=1_000)
    for entry in tape.entries:
        long.append(*entry)
    assert long.entries.spooled
    told, answer = list(tape.entries), tape.replay().answer
    for one in (tape, long):
        taken = one.events  # whoever holds them goes on
        path = store.add(one, "m")
        assert path is not None
        one.stored(path)
        assert isinstance(one.entries, StoredEntries)
        assert list(one.entries) == told
        assert (one.entries[0], one.entries[-1], one.entries[1:3]) == (told[0], told[-1], told[1:3])
        assert len(one.events) == len(taken) == len(told)
        assert one.replay().answer == answer
        assert pickle.loads(pickle.dumps(one)).replay().answer == answer
        again = Tape.load(one.save(tmp_path / "own.gz"))
        assert list(again.entries) == told
        with pytest.raises(IndexError):
            one.events[len(told)]
        with pytest.raises(TapeError, match="has ended"):
            one.append(1.0, ("", b""))


def test_a_long_stored_run_is_not_held(tmp_path: Path) -> None:
    tape = Tape()
    told: list[tuple[float, Frame]] = [(n / 10, ("", b"%06d" % n + b"x" * 100_000)) for n in range(50)]
    tape.entries.extend(told)
    tape.stored(tape.save(tmp_path / "t.gz"))
    assert [tape.entries[n] for n in (0, 49, -1, -50)] == [told[0], told[49], told[49], told[0]]
    assert (tape.entries[5:9], tape.entries[::-20], tape.entries[60:]) == (told[5:9], told[::-20], [])
    assert StoredEntries._cached is None or StoredEntries._cached[0] != tmp_path / "t.gz"
    for wrong in (50, -51):
        with pytest.raises(IndexError):
            tape.entries[wrong]


def test_events_that_are_gone_say_so(tmp_path: Path) -> None:
    tape, other = taped("examples/chat_basic"), taped("examples/chat_basic")
    path = tape.save(tmp_path / "t.gz")
    tape.stored(path)
    reading = iter(tape.entries)
    next(reading)
    path.unlink()
    if os.name == "posix":
        assert len(list(reading)) == len(other.entries) - 1  # what is being read is read to its end
    other.forget("the events are gone: nobody kept them")
    for one in (tape, other, pickle.loads(pickle.dumps(tape))):
        for look in (len, list, lambda events: events[0], lambda events: events[:1]):
            with pytest.raises(TapeGone, match="the events are gone"):
                look(one.events)
        assert "the events are gone" in repr(one.events)
        assert "the events are gone" in repr(one)
        with pytest.raises(TapeGone):
            one.save(tmp_path / "none.gz")
        assert not (tmp_path / "none.gz").exists()
    assert str(path) in repr(tape)
