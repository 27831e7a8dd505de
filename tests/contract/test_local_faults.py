"""Faults on demand, over real sockets: what the package's own client makes of each."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from local_helpers import Client, answer_of, events_of, names

from dify_notebook import AsyncDify, Dify, Turn, local
from dify_notebook.errors import DifyError, RateLimitError, ServerError, TurnIncomplete
from dify_notebook.local import faults
from dify_notebook.local.server import LocalServer, LocalServerError
from dify_notebook.wire.events import Ping

QUERY = "怎样上传文件？"
"""Its answer is Chinese: beyond ASCII from its first word on."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    where = tmp_path_factory.mktemp("faults")
    with local.serve(data_dir=where, pace=0, faults=True, ping_interval=0.1) as running:
        yield running


@pytest.fixture
def dify(server: LocalServer) -> Iterator[Dify]:
    with Dify(server.api_key("guide"), server.base_url, user="tester") as client:
        yield client


def turn_of(dify: Dify, query: str = QUERY, **more: Any) -> Turn:
    """The turn of a stream, however it ends."""
    with dify.chat.stream(query, **more) as stream:
        for _ in stream:
            pass
    return stream.turn


def raw(server: LocalServer, fault: str, **body: Any) -> bytes:
    """All bytes of an answer, up to where the connection ends."""
    content = json.dumps({**Client(server).body(QUERY), **body}).encode()
    head = (
        f"POST /v1/chat-messages HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Authorization: Bearer {server.api_key('guide')}\r\nContent-Type: application/json\r\n"
        f"X-Dify-Fault: {fault}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head.encode() + content)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


def body_of(answer: bytes) -> bytes:
    """The body out of its chunks; what is cut off ends it."""
    rest = answer.partition(b"\r\n\r\n")[2]
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        if not size or (length := int(size, 16)) == 0:
            break
        body += rest[:length]
        rest = rest[length + 2 :]
    return body


@pytest.mark.parametrize("fault", ["drop=0", "drop=200", "cut=2", "ping=1"])
def test_what_was_asked_for_is_no_news(server: LocalServer, caplog: pytest.LogCaptureFixture, fault: str) -> None:
    """A lost connection is not logged as the server's failure, with a traceback in everybody's tests."""
    answer = raw(server, fault)
    assert answer.startswith(b"HTTP/1.1 200")
    assert not answer.endswith(b"0\r\n\r\n"), "its end was told"
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_without_a_fault_all_is_well(dify: Dify) -> None:
    turn = turn_of(dify)
    assert (turn.status, turn.end, turn.complete) == ("succeeded", "message_end", True)


@pytest.mark.parametrize("at", [0, 1, 200, 1000])
def test_a_connection_that_drops_after_n_bytes(server: LocalServer, dify: Dify, at: int) -> None:
    received = raw(server, f"drop={at}")
    assert received.startswith(b"HTTP/1.1 200 OK")
    assert len(body_of(received)) == at
    assert not received.endswith(b"0\r\n\r\n")
    server.faults.once(f"drop={at}")
    turn = turn_of(dify)
    assert (turn.status, turn.end, turn.complete) == ("incomplete", "disconnected", False)
    assert turn.query == QUERY


def test_a_cut_inside_a_character_loses_only_that_event(server: LocalServer, dify: Dify) -> None:
    body = body_of(raw(server, "cut=3"))
    with pytest.raises(UnicodeDecodeError, match="unexpected end of data"):
        body.decode()
    server.faults.once("cut=3")
    turn = turn_of(dify)
    assert (turn.end, turn.complete) == ("disconnected", False)
    whole = [part for part in body.split(b"\n\n")[:-1]]
    assert turn.answer == "".join(json.loads(part[6:])["answer"] for part in whole)
    assert "�" not in turn.answer


def test_pings_and_nothing_else(server: LocalServer, dify: Dify) -> None:
    assert body_of(raw(server, "ping=3")) == b"event: ping\n\n" * 3
    server.faults.once("ping=3")
    turn = turn_of(dify)
    assert (turn.answer, turn.end, turn.message_id) == ("", "disconnected", None)
    assert turn.timing is not None
    assert turn.timing.first_event is None or turn.timing.first_token is None


def test_pings_until_the_client_has_had_enough(server: LocalServer, dify: Dify) -> None:
    server.faults.once("ping=100")
    with pytest.raises(TurnIncomplete) as caught:
        dify.chat.send(QUERY, timeout=0.5)
    assert caught.value.turn is not None
    assert caught.value.turn.end == "timed_out"


def test_an_error_event_after_two_events(server: LocalServer, dify: Dify) -> None:
    server.faults.once("error=2")
    turn = turn_of(dify)
    assert (turn.status, turn.end) == ("failed", "error")
    assert turn.answer != ""
    assert turn.error is not None
    assert (turn.error.code, turn.error.status) == ("internal_server_error", 500)


def test_too_many_requests_says_when_to_come_back(server: LocalServer, dify: Dify) -> None:
    server.faults.once("429=7")
    with pytest.raises(RateLimitError) as caught:
        dify.chat.send(QUERY)
    assert (caught.value.status, caught.value.code) == (429, "too_many_requests")
    reply = Client(server).http.get("/info", headers={"X-Dify-Fault": "429=7"})
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "7")


@pytest.mark.parametrize(("fault", "status", "kind"), [("500", 500, "application/json"), ("502", 502, "text/html")])
def test_refusals_of_the_server_and_of_a_proxy(
    server: LocalServer, dify: Dify, fault: str, status: int, kind: str
) -> None:
    server.faults.once(fault)
    with pytest.raises(ServerError) as caught:
        dify.chat.send(QUERY)
    assert caught.value.status == status
    reply = Client(server).http.get("/info", headers={"X-Dify-Fault": fault})
    assert (reply.status_code, reply.headers["content-type"].partition(";")[0]) == (status, kind)


def test_a_stream_without_a_last_event_is_not_complete(server: LocalServer, dify: Dify) -> None:
    received = raw(server, "no_end")
    assert received.endswith(b"0\r\n\r\n"), "the connection ends in order; only the event is missing"
    server.faults.once("no_end")
    turn = turn_of(dify)
    assert (turn.status, turn.end, turn.complete) == ("incomplete", "eof", False)
    assert turn.answer


def test_duplicated_events_are_on_the_wire_twice(server: LocalServer) -> None:
    events = list(events_of(iter([body_of(raw(server, "duplicate"))])))
    assert events[::2] == events[1::2]
    assert answer_of(events[::2]) != ""


def test_a_duplicated_thought_is_one_thought(server: LocalServer) -> None:
    with Dify(server.api_key("toolbox"), server.base_url, user="tester") as dify:
        once = turn_of(dify, "What is 6*7?")
        server.faults.once("duplicate")
        twice = turn_of(dify, "What is 6*7?")
    assert twice.end == "message_end"
    assert len(twice.thoughts or ()) == len(once.thoughts or ()) > 0


def test_unknown_events_change_nothing(server: LocalServer, dify: Dify) -> None:
    plain = turn_of(dify)
    server.faults.once("unknown")
    turn = turn_of(dify)
    assert (turn.answer, turn.end) == (plain.answer, "message_end")
    # Pings come by the clock.
    told, doubled = ([one for one in each.events or () if type(one) is not Ping] for each in (plain, turn))
    assert told
    assert len(doubled) == 2 * len(told)


def test_a_replaced_answer(server: LocalServer, dify: Dify) -> None:
    server.faults.once("replace")
    turn = turn_of(dify)
    assert (turn.answer, turn.end) == ("replaced by a fault", "message_end")


def test_latency_and_stalled_headers(server: LocalServer, dify: Dify) -> None:
    for fault in ("latency=0.4", "stall=0.4"):
        server.faults.once(fault)
        turn = turn_of(dify)
        assert turn.end == "message_end"
        assert turn.timing is not None
        assert turn.timing.opened is not None
        assert turn.timing.opened >= 0.4, fault


def test_stalled_headers_hold_back_the_pings_too(server: LocalServer) -> None:
    start = time.monotonic()
    received = raw(server, "stall=0.35")
    assert time.monotonic() - start >= 0.35
    assert received.endswith(b"0\r\n\r\n")
    assert names(list(events_of(iter([body_of(received)]))))[-1] == "message_end"


@pytest.mark.anyio
async def test_the_async_client_sees_the_same(server: LocalServer) -> None:
    server.faults.once("drop=300")
    dify = AsyncDify(server.api_key("guide"), server.base_url, user="tester")
    async with dify, dify.chat.stream(QUERY) as stream:
        async for _ in stream:
            pass
    assert stream.turn.end == "disconnected"


def test_what_was_spoilt_is_kept_whole(server: LocalServer) -> None:
    """The client that hears all but the last event lost nothing; the server has the answer."""
    client = Client(server, "guide", "spoilt")
    with client.http.stream(
        "POST", "/chat-messages", json=client.body(QUERY), headers={"X-Dify-Fault": "no_end"}
    ) as response:
        events = list(events_of(response.iter_bytes()))
    assert client.messages(events[0]["conversation_id"])[0]["answer"] == answer_of(events)


def test_one_shot_faults_come_in_order_and_are_used_up(server: LocalServer, dify: Dify) -> None:
    server.faults.once("500")
    server.faults.once("error=1")
    with pytest.raises(ServerError):
        dify.chat.send(QUERY)
    assert turn_of(dify).end == "error"
    assert turn_of(dify).end == "message_end"


def test_faults_for_every_question_and_for_no_other_route(tmp_path: Path) -> None:
    with local.serve(data_dir=tmp_path, pace=0, faults="no_end, duplicate") as server:
        client = Client(server)
        for _ in range(2):
            events = client.ask(QUERY)
            assert "message_end" not in names(events)
            assert events[0] == events[1]
        assert client.get("/info").status_code == 200


def test_the_header_means_nothing_unless_faults_are_on(tmp_path: Path) -> None:
    with local.serve(data_dir=tmp_path, pace=0) as server:
        reply = Client(server).http.get("/info", headers={"X-Dify-Fault": "500"})
        assert reply.status_code == 200


def test_what_is_no_fault(server: LocalServer, tmp_path: Path) -> None:
    reply = Client(server).http.get("/info", headers={"X-Dify-Fault": "explode"})
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_param")
    for text in ("explode", "drop=many", "latency=1e9", "latency=nan", "drop=-1", "ping=0", ""):
        with pytest.raises(ValueError, match="fault"):
            faults.parse(text)
    with pytest.raises(LocalServerError, match="explode"):
        local.serve(data_dir=tmp_path, faults="explode")
    with local.serve(data_dir=tmp_path, pace=0) as later:  # the directory was let go of
        assert later.alive


def test_a_client_that_waits_too_little_for_headers(server: LocalServer) -> None:
    client = Client(server)
    with pytest.raises(httpx.ReadTimeout):
        client.http.post("/chat-messages", json=client.body(QUERY), headers={"X-Dify-Fault": "stall=5"}, timeout=0.3)


def test_errors_are_dify_errors(server: LocalServer, dify: Dify) -> None:
    server.faults.once("drop=100")
    with pytest.raises(DifyError) as caught:
        dify.chat.send(QUERY)
    assert caught.value.turn is not None
