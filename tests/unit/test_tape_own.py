"""What happened on this side of the wire lies on a tape in a form that no server can send."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dify_notebook.tape import Tape
from dify_notebook.turn.fold import fold_all
from dify_notebook.wire import events as ev
from dify_notebook.wire.decoder import decode, own_frame
from dify_notebook.wire.sse import Splitter

OWN: list[ev.Event] = [
    ev.Continued(answered={"form": {"action": "yes", "inputs": {"note": "你好"}}}),
    ev.StopRequested(confirmed=True),
    ev.Disconnected(code="silence", message="left", rest=b"data: {\xff"),
    ev.DeadlineExceeded(seconds=2.5),
    ev.Cancelled(),
    ev.Resumed(whole=False, message="gap", code="gap", answer="a"),
    ev.Stored(answer="moderated", usage={"total_tokens": 3}, forms=[{"form_id": "1"}], replaced=True),
]


def test_each_is_read_again_from_a_disk(tmp_path: Path) -> None:
    assert {type(event) for event in OWN} == set(ev.own_events())
    tape = Tape()
    for number, event in enumerate(OWN):
        event.at = float(number)
        tape.append(event.at, own_frame(event))
    assert list(Tape.load(tape.save(tmp_path / "x.tape.gz")).events) == OWN == list(tape.events)


NAMES = [b"\n\xc2\xa7", b"\r\xc2\xa7", b"\\n\xc2\xa7", b"\xc2\xa7", "\u2028§".encode(), "\x85§".encode(), b"\x0b\xc2\xa7", b"\x1c\xc2\xa7"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("event", OWN, ids=lambda event: type(event).__name__)
def test_no_server_can_say_so(event: ev.Event, name: bytes) -> None:
    data = msgspec.json.encode(event)
    splitter = Splitter()
    frames = splitter.feed(b"event: " + name + b"\ndata: " + data + b"\n\n")
    frames += splitter.feed(b"data: " + data + b"\n\n" + b"event:" + name + b"\n" + data + b"\n\n")
    assert frames
    assert not isinstance([decode(frame) for frame in frames][0], ev.own_events())
    assert {type(decode(frame)) for frame in frames} & set(ev.own_events()) == set()


@given(st.binary(max_size=60))
def test_no_frame_of_a_stream_has_that_name(data: bytes) -> None:
    for chunk in (data, b"event: " + data, b"event: \n\xc2\xa7" + data):
        assert all(name != ev.OURS for name, _ in Splitter().feed(chunk + b"\n\ndata: {}\n\n"))


@pytest.mark.parametrize("data", [b"", b"{", b"{}", b'{"event": "message", "answer": "x"}', b'{"event": "\xc2\xa7new"}', b"[" * 5_000])
def test_one_that_cannot_be_read_is_damaged(data: bytes) -> None:
    (event,) = [decode((ev.OURS, data), 2.0)]
    assert isinstance(event, ev.Unknown)
    assert (event.damaged, event.raw, event.at) == (True, data, 2.0)
    assert fold_all([event]).warnings[0].code == "damaged"
