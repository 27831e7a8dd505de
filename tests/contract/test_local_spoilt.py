"""What each fault makes of a stream, piece by piece: of the apps and of a tape, in each dialect, streaming and blocking."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from local_helpers import Client

from dify_notebook import local
from dify_notebook.local.options import DIALECTS
from dify_notebook.local.server.process import LocalServer
from dify_notebook.tape import Tape
from dify_notebook.wire.sse import Frame, encode

QUERIES = {"guide": "怎样上传文件？", "toolbox": "What is 17% of 2,340? 你好", "pipeline": "超时、引用、密钥"}
ENDS = ("message_end", "error", "workflow_finished")
_ID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NUMBER = re.compile(rb'("(?:[a-z]+_at|elapsed_time|latency|duration|sequence_number|time_to_[a-z_]+)": ?)[\d.e-]+')
_TIMES = re.compile(rb'("iteration_duration_map": ?)\{[^}]*\}')


def recorded(**fields: Any) -> bytes:
    head = {"task_id": "t", "message_id": "m", "conversation_id": "c", "created_at": 0}
    return json.dumps({**fields, **head}, ensure_ascii=False).encode()


FRAMES: list[Frame] = [
    ("", recorded(event="message", answer="你好")),
    ("ping", None),
    ("", json.dumps({"event": "message", "answer": "escaped 中"}).encode()),
    ("", '{"event": "message", "answer": "broken 中'.encode()),
    ("error", '{"a": "named 中"}'.encode()),
    ("", b"[1, 2]"),
    ("", b"\xff\xfe"),
    ("", '{"event": "message",\n "answer": "two 行"}'.encode()),
    ("", b'{"no": "event"}'),
    ("", recorded(event="workflow_finished", data={})),
    ("", recorded(event="message_end", metadata={})),
]


@pytest.fixture(scope="module", params=DIALECTS)
def answering(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with local.serve(data_dir=tmp_path_factory.mktemp("a"), pace=0, faults=True, dialect=request.param) as server:
        yield server


@pytest.fixture(scope="module", params=DIALECTS)
def playing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    tape, where = Tape(), tmp_path_factory.mktemp("p")
    for frame in FRAMES:
        tape.append(0.0, frame)
    with local.serve(data_dir=where, play=tape, speed=0, faults=True, dialect=request.param) as server:
        yield server


class Answer:
    """The pieces of one answer, as they were sent, without what differs from one run to the next."""

    def __init__(self, server: LocalServer, app: str, fault: str = "", mode: str = "streaming") -> None:
        content = json.dumps(Client(server).body(QUERIES[app], response_mode=mode)).encode()
        lines = [
            "POST /v1/chat-messages HTTP/1.1", "Host: 127.0.0.1", "Connection: close",
            f"Authorization: Bearer {server.api_key(app)}", "Content-Type: application/json",
            f"Content-Length: {len(content)}", *([f"X-Dify-Fault: {fault}"] if fault else []),
        ]  # fmt: skip
        received = b""
        with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=10) as connection:
            connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
            while piece := connection.recv(65536):
                received += piece
        self.whole = received.endswith(b"0\r\n\r\n")
        self.body: list[bytes] = []
        """Pieces as they came: one a chunk, or all that is no stream."""
        head, _, rest = received.partition(b"\r\n\r\n")
        if b"transfer-encoding: chunked" not in head.lower():
            self.body, rest = [rest], b""
        while rest and not rest.startswith(b"0\r\n"):
            size, _, rest = rest.partition(b"\r\n")
            self.body.append(rest[: int(size, 16)])
            rest = rest[int(size, 16) + 2 :]
        ids: dict[bytes, bytes] = {}
        self.pieces = [self._same(piece, ids) for piece in self.body]

    def _same(self, piece: bytes, ids: dict[bytes, bytes]) -> bytes:
        piece = _ID.sub(lambda match: ids.setdefault(match[0], b"id%d" % len(ids)), piece)
        return _TIMES.sub(rb"\g<1>{}", _NUMBER.sub(rb"\g<1>0", piece))


def event_in(piece: bytes) -> dict[str, Any] | None:
    """The event of a piece, if it is one."""
    lines = piece.removesuffix(b"\n\n").split(b"\n")
    if not all(line.startswith(b"data: ") for line in lines):
        return None
    try:
        event = json.loads(b"\n".join(line[6:] for line in lines))
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def own(event: dict[str, Any], name: str, **fields: Any) -> bytes:
    """An event that a fault adds beside another."""
    head = {key: event.get(key) for key in ("conversation_id", "message_id", "created_at")}
    content = json.dumps({"event": name, **head, **fields}, ensure_ascii=False, separators=(",", ":"))
    return b"data: " + content.encode() + b"\n\n"


def each(change: Callable[[dict[str, Any], int, bytes], list[bytes]]) -> Callable[[list[bytes]], list[bytes]]:
    """What changes one event, of a number from 1, as what changes the pieces of a stream."""

    def changed(pieces: list[bytes]) -> list[bytes]:
        out, number = [], 0
        for piece in pieces:
            event = event_in(piece)
            number += event is not None
            out += [piece] if event is None else change(event, number, piece)
        return out

    return changed


def failed(pieces: list[bytes], after: int) -> list[bytes]:
    told = [(at, event) for at, piece in enumerate(pieces) if (event := event_in(piece)) is not None]
    at, event = told[after]
    text = "asked for by a fault"
    return [*pieces[:at], own(event, "error", code="internal_server_error", status=500, message=text)]


def replaced(event: dict[str, Any], number: int, piece: bytes) -> list[bytes]:
    more = {"task_id": event.get("task_id"), "answer": "replaced by a fault", "reason": ""}
    return [own(event, "message_replace", **more), piece] if event.get("event") == "message_end" else [piece]


CHANGES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "latency=0.01": list,
    "stall=0.1": list,
    "no_end": each(lambda event, number, piece: [] if event.get("event") in ENDS else [piece]),
    "duplicate": each(lambda event, number, piece: [piece, piece]),
    "unknown": each(lambda event, number, piece: [own(event, "event_of_tomorrow", data={"number": number}), piece]),
    "replace": each(replaced),
    "error=0": lambda pieces: failed(pieces, 0),
    "error=2": lambda pieces: failed(pieces, 2),
    "stall=0.1, duplicate": each(lambda event, number, piece: [piece, piece]),
    "error=1, duplicate": lambda pieces: failed(each(lambda event, number, piece: [piece, piece])(pieces), 2),
}


def check(server: LocalServer, app: str) -> None:
    plain = Answer(server, app)
    assert plain.whole
    for fault, change in CHANGES.items():
        answer = Answer(server, app, fault)
        assert answer.pieces == change(plain.pieces), fault
        assert answer.whole, fault
    for limit in (0, 200, 500):
        lost = Answer(server, app, f"drop={limit}")
        assert (sum(map(len, lost.body)), lost.whole) == (limit, False)
        assert lost.pieces[:-1] == plain.pieces[: max(len(lost.pieces) - 1, 0)]


@pytest.mark.parametrize("app", QUERIES)
def test_the_streams_of_apps(answering: LocalServer, app: str) -> None:
    check(answering, app)


def test_what_is_played_stays_as_it_is_but_for_the_fault(playing: LocalServer) -> None:
    assert Answer(playing, "guide").body == [encode(frame) for frame in FRAMES]
    check(playing, "guide")


def test_a_cut_counts_events_and_looks_at_all_bytes(playing: LocalServer) -> None:
    """The third event holds no character beyond ASCII, what is damaged behind it does."""
    pieces = [encode(frame) for frame in FRAMES]
    assert Answer(playing, "guide", "cut=0").body == [pieces[0][: pieces[0].index("你".encode()) + 1]]
    lost = Answer(playing, "guide", "cut=1")
    assert (lost.body[:3], lost.whole) == (pieces[:3], False)
    assert lost.body[3:] == [pieces[3][: pieces[3].index("中".encode()) + 1]]
    lost = Answer(playing, "guide", "stall=0.1, cut=2")
    assert lost.body == [*pieces[:7], pieces[7][: pieces[7].index("行".encode()) + 1]]


@pytest.mark.parametrize("app", ["guide", "pipeline"])
def test_a_blocking_answer_has_no_events_to_change(answering: LocalServer, app: str) -> None:
    plain = Answer(answering, app, mode="blocking")
    for fault in ("no_end, duplicate, unknown, replace, error=0", "cut=0"):
        assert Answer(answering, app, fault, "blocking").pieces == plain.pieces, fault
    assert Answer(answering, app, "drop=20", "blocking").body == [plain.body[0][:20]]


def test_an_answer_is_kept_whole_when_only_its_client_heard_an_error(tmp_path: Path) -> None:
    with local.serve(data_dir=tmp_path, pace=0.05, faults="error=2") as server, Client(server) as client:
        events = client.ask(QUERIES["guide"])
        assert [event["event"] for event in events] == ["message", "message", "error"]
        conversation = events[0]["conversation_id"]
        for _ in client.stream("And again?", conversation_id=conversation):
            pass
        stop = 2_000
        while (message := client.messages(conversation)[0])["status"] != "normal" or not message["answer"]:
            stop -= 1
            assert stop, message
        assert message["error"] is None


def test_a_connection_drops_also_when_its_stall_ends_before_the_answer(tmp_path: Path) -> None:
    with local.serve(data_dir=tmp_path, pace=0.1, faults=True) as server:
        lost = Answer(server, "guide", "stall=0.05, drop=10")
    assert (sum(map(len, lost.body)), lost.whole) == (10, False)
