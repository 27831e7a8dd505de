"""The splitter gives the frames of the torture table, wherever its chunks are cut."""

from __future__ import annotations

import pytest
from contract.torture import CHUNKED, LARGE, SMALL, Torture
from hypothesis import given
from hypothesis import strategies as st

from dify_notebook.wire.sse import PING, Frame, Splitter, encode, frames


def run(chunks: list[bytes]) -> tuple[list[tuple[str, bytes | None]], bytes]:
    splitter = Splitter()
    return [frame for chunk in chunks for frame in splitter.feed(chunk)], splitter.rest()


@pytest.mark.parametrize("case", [*SMALL, *LARGE], ids=lambda case: case.id)
def test_frames_of_the_torture_table(case: Torture) -> None:
    assert run([case.data]) == (case.frames, case.rest)


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.id)
def test_cut_at_every_byte(case: Torture) -> None:
    for place in range(len(case.data) + 1):
        assert run([case.data[:place], case.data[place:]]) == (case.frames, case.rest)
    assert run([case.data[i : i + 1] for i in range(len(case.data))]) == (case.frames, case.rest)


@pytest.mark.parametrize(("chunks", "frames"), [c[1:] for c in CHUNKED], ids=[c[0] for c in CHUNKED])
def test_named_cuts(chunks: list[bytes], frames: list[Frame]) -> None:
    assert run(chunks)[0] == frames


@pytest.mark.parametrize("case", LARGE, ids=lambda case: case.id)
def test_large_events_in_small_chunks(case: Torture) -> None:
    chunks = [case.data[i : i + 997] for i in range(0, len(case.data), 997)]
    assert run(chunks) == (case.frames, case.rest)


@pytest.mark.parametrize("piece", [b'{"code": 1}\n', b'{"code"', b'{"code": 1}\r\n'])
def test_what_is_told_without_data_has_the_same_bound(piece: bytes) -> None:
    splitter = Splitter(limit=100)
    for _ in range(30):
        assert splitter.feed(piece) == []
    assert splitter.too_long
    assert splitter.rest().startswith(b'{"code"')
    assert len(splitter.rest()) <= 120


LINES = st.binary(max_size=20).filter(lambda line: b"\r" not in line and b"\n" not in line)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=8)


@given(st.lists(st.tuples(NAMES, st.none() | st.lists(LINES, min_size=1).map(b"\n".join)), max_size=5))
def test_what_is_written_is_read_as_the_same(told: list[Frame]) -> None:
    """Nameless pings get their name, and `message` is what an event is called that has none."""
    meant = [(name or "ping", data) if data is None else ("" if name == "message" else name, data) for name, data in told]
    assert list(frames([b"".join(map(encode, told))])) == meant


def test_a_ping_is_written_as_dify_does() -> None:
    assert encode(("ping", None)) == encode(("", None)) == PING == b"event: ping\n\n"
    assert encode(("message", b'{"a": 1}')) == encode(("", b'{"a": 1}')) == b'data: {"a": 1}\n\n'
