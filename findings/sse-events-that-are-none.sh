#!/usr/bin/env bash
# httpx-sse 0.4.3 (httpx 0.28.1) and sseclient-py 1.9.0: each hands out events that the standard has none of, and not
# the same ones.
#
# Expected: what a browser's EventSource does (HTML standard, 9.2.6 "Interpreting an event stream"). A block without a
# `data` line is no event; it may set the last id or the time to wait. A block that the stream's end cuts off is
# discarded. The last id stays for the events that follow. A byte order mark at the start is skipped (9.2.5).
# Seen: httpx-sse hands out blocks without data, with "" for data: those of a name alone, such as `event: ping`, on
# which `.json()` raises JSONDecodeError, and those of `id` or `retry` alone under the name `message`. Reported with a
# change as florimondmanca/httpx-sse#36, open. sseclient-py hands out none of these, but the piece before a broken
# connection as if it were whole, and knows no id but that of its own block, so that one in a block of its own is lost.
# Both take the mark for a part of the first field's name and lose that line: the first event's data, or its name, and
# the event then goes by `message`.
#
# Who meets it: who reads answers of Dify, which keeps connections open with `event: ping` without data, and parses each
# event's data as JSON: it goes well for all answers of less than ten seconds. Or who takes half a record for the last
# one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check httpx==0.28.1 httpx-sse==0.4.3 sseclient-py==1.9.0
env/bin/python -I - <<'END'
import json
from importlib.metadata import version

import httpx
from httpx_sse import EventSource
from sseclient import SSEClient

A = ("message", "a", "")
CASES = {
    b"event: ping\n\ndata: a\n\n": ([("ping", "", ""), A], [A]),
    b"retry: 10\n\ndata: a\n\n": ([("message", "", ""), A], [A]),
    b"id: 1\n\ndata: a\n\n": ([("message", "", "1"), ("message", "a", "1")], [A]),
    b"id: 1\ndata: a\n\ndata: b\n\n": (
        [("message", "a", "1"), ("message", "b", "1")],
        [("message", "a", "1"), ("message", "b", "")],
    ),
    b"data: a\n\ndata: b": ([A], [A, ("message", "b", "")]),
    b"\xef\xbb\xbfdata: a\n\ndata: b\n\n": ([("message", "b", "")],) * 2,
    b"\xef\xbb\xbfevent: x\ndata: a\n\n": ([A],) * 2,
    b": nothing\n\ndata: a\n\n": ([A],) * 2,
    b"data\n\n": ([("message", "", "")],) * 2,
}


def by_httpx_sse(stream):
    return EventSource(httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=stream)).iter_sse()


def by_sseclient(stream):
    return SSEClient(iter([stream])).events()


print(*(f"{name} {version(name)}" for name in ("httpx-sse", "httpx", "sseclient-py")), sep=", ")
for stream, expected in CASES.items():
    print(stream)
    for read, wanted in zip((by_httpx_sse, by_sseclient), expected, strict=True):
        seen = [(event.event, event.data, event.id or "") for event in read(stream)]
        print(f"    {read.__name__:13} {seen}")
        assert seen == wanted, f"{read.__name__} has changed"
ping = next(by_httpx_sse(b"event: ping\n\n"))
try:
    raise SystemExit(f"the data of a ping is {ping.json()!r}")
except json.JSONDecodeError as problem:
    print("the data of a ping:", problem)
END
