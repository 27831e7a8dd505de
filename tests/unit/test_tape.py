"""A tape tells the same turn again, and nothing that signs or opens anything is written."""

from __future__ import annotations

import gzip
import os
import stat
from pathlib import Path

import msgspec
import pytest
from contract.streams import load

from dify_notebook.tape import Header, RunStore, Tape, redact
from dify_notebook.turn.fold import fold_all
from dify_notebook.wire.events import Eof, decode
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
    live = fold_all([*(decode(frame, at) for at, frame in tape.entries), Eof()])
    assert (turn.answer, turn.status, turn.source) == (live.answer, live.status, "tape")
    assert turn.nodes is not None
    assert live.nodes is not None
    assert [node.status for node in turn.nodes] == [node.status for node in live.nodes]
    assert turn.query == "q"
    assert len(turn.events) == len(tape.entries)
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
    tape = Tape()
    tape.entries.extend([(0.1, ("", b"\xff\xfe")), (0.2, ("ping", None))])
    assert list(Tape.load(tape.save(tmp_path / "t.gz")).entries) == list(tape.entries)


#: Packed text with some bytes of it turned over.
BROKEN = bytes(byte ^ (0x55 if 20 < at < 40 else 0) for at, byte in enumerate(gzip.compress(b"{}\n" * 50 + b"xyz" * 50)))


@pytest.mark.parametrize("content", [b"", b"hello", gzip.compress(b""), gzip.compress(b"{}\n{"), gzip.compress(b"no"),
                                     BROKEN])
def test_what_is_no_tape_says_so(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no tape"):
        Tape.load(path)


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


def test_old_runs_go(tmp_path: Path) -> None:
    import time

    store = RunStore(tmp_path, max_age=100, clock=time.time)
    old = store.add(taped("examples/chat_basic"), "old")
    assert old is not None
    os.utime(old, (1, 1))
    store.add(taped("examples/chat_basic"), "new")
    assert [path.name.split("-", 1)[1] for path in store.paths()] == ["new.tape.gz"]


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


def test_where_keeping_is_off_a_long_tape_stays_in_memory(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    store.enabled = False
    tape = Tape(spool=store.spool, limit=100)
    tape.entries.extend((0.0, ("", b"x" * 50)) for _ in range(10))
    assert not tape.entries.spooled
    assert len(tape.entries) == 10
    assert sorted(path.name for path in store.directory.iterdir()) == ["off"]
