"""The recordings are there, whole, harmless, and each has its line in a table."""

from __future__ import annotations

import re

import pytest
from contract import streams
from contract.expected_errors import BLOCKING, ERRORS, EXPECTED_BLOCKING, EXPECTED_ERRORS
from contract.expected_streams import EXPECTED, TABLE

SECRETS = re.compile(
    rb"(?:app|dataset|sk|key)-[A-Za-z0-9]{12,}"  # keys of Dify and of model providers
    rb"|bearer\s+(?!realm)[A-Za-z0-9._~+/-]{12,}"
    rb"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"  # JSON web tokens
    rb"|(?i:set-cookie|authorization):",
    re.IGNORECASE,
)


def test_every_stream_has_one_line_in_the_table() -> None:
    assert len(TABLE) == len(EXPECTED) == len(streams.load()) == 438
    assert EXPECTED.keys() == streams.load().keys()


def test_every_plain_exchange_has_one_line_in_a_table() -> None:
    assert len(BLOCKING) + len(ERRORS) == len(EXPECTED_BLOCKING) + len(EXPECTED_ERRORS) == 258
    assert EXPECTED_BLOCKING.keys() | EXPECTED_ERRORS.keys() == streams.load_plain().keys()
    assert {case for case, it in streams.load_plain().items() if it.status == 200} == EXPECTED_BLOCKING.keys()
    assert {case: it.status for case, it in streams.load_plain().items() if it.status != 200} == {
        case: row.status for case, row in EXPECTED_ERRORS.items()
    }


def test_streams_are_what_they_say() -> None:
    for case, recording in streams.load().items():
        assert recording.case == case
        assert recording.status == 200, case
        assert (recording.header("content-type") or "").startswith("text/event-stream"), case
        assert recording.chunks, case
        assert all(chunk for _, chunk in recording.chunks), case
        times = [seconds for seconds, _ in recording.chunks]
        assert times == sorted(times), case
        assert times[0] >= 0, case
        assert recording.body.startswith((b"data: ", b"event: ping\n\n")), case
        assert recording.body.endswith(b"\n\n"), case


def test_how_bodies_ended() -> None:
    early = {case: it.ended for case, it in streams.load().items() if not it.whole}
    assert len(early) == 20
    assert [case for case, ended in early.items() if ended == "eof-mid-chunked"] == [
        "0.15.3/chat-messages-crash__worker-killed-mid-stream"
    ]
    assert {case for case, row in EXPECTED.items() if row.end == "disconnected"} == early.keys()


def test_requests_are_those_of_the_case() -> None:
    asked = streams.load()["1.12.1/chat-messages__chatflow-streaming"].request
    assert (asked.method, asked.path) == ("POST", "/v1/chat-messages")
    assert asked.json["query"] == 'Hello there 你好 "quote" <b> \\n'
    assert streams.load()["examples/chat_basic"].request.body is None


def test_loading_is_done_once() -> None:
    assert streams.load() is streams.load()


@pytest.mark.parametrize("kind", [streams.load, streams.load_plain, streams.load_blocking])
def test_no_key_in_the_recordings(kind: object) -> None:
    assert callable(kind)
    for case, recording in kind().items():
        parts = [recording.body, recording.request.body or b""]
        parts += [f"{name}: {value}".encode() for name, value in recording.headers]
        for part in parts:
            found = SECRETS.search(part)
            assert found is None, f"{case}: {found and found.group()!r}"


@pytest.mark.parametrize(
    "text",
    [
        '"api_key": "' + "app-" + "q7Zk3" * 5 + '"',
        "Authorization: Basic abc",
        "Bearer " + "a1B2c3" * 4,
        "eyJ" + "hbGciOi" * 3 + "." + "eyJzdWIi" * 3,
    ],
)
def test_the_pattern_knows_a_key(text: str) -> None:
    assert SECRETS.search(text.encode())
