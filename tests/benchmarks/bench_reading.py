"""What reading a stream costs, against a bare `aiter_bytes` in the same run.

    python tests/benchmarks/bench_reading.py [--events 20000] [--rounds 7]

A server in a process of its own sends one event per HTTP chunk over loopback. Ways of
reading take turns; each figure is the median of the rounds, in CPU time of this process
per event. `decode` is splitter and typed events; `whole` is what `chat.stream` does:
decode, fold, tape, and every event handed over. httpx-sse with json stands beside.
Aims: decode at most 1.3 times bare, whole at most 2.0 times, and time per event at
100,000 events at most 1.5 times that at 1,000.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import socket
import statistics
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import httpx_sse

from dify_notebook import AsyncDify, Session
from dify_notebook.tape import RunStore
from dify_notebook.wire.decoder import decode
from dify_notebook.wire.sse import Splitter

IDS = {
    "task_id": "0f3d6a34-7b7a-4d31-9a2e-0a8c6f0c8a11",
    "message_id": "5c1f5fb1-8ad5-4f0c-b4d7-4b8f6b1b9f22",
    "conversation_id": "9b4a1a87-2f0b-4c44-8d8b-6b1fd4a0a333",
    "created_at": 1795252161,
    "id": "5c1f5fb1-8ad5-4f0c-b4d7-4b8f6b1b9f22",
    "from_variable_selector": None,
}


def serve(listener: socket.socket) -> None:
    """Answer POSTs with as many message events as the query's path says: /v1/<events>/<words>/..."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        file = sock.makefile("rb")
        while line := file.readline():
            path = line.split()[1].decode()
            length = 0
            while (header := file.readline().strip()) != b"":
                if header.lower().startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
            file.read(length)
            _, count, text, *_ = path.split("/")
            word = {"ascii": "word ", "chinese": "你好"}[text]
            event = b"data: " + json.dumps({"event": "message", **IDS, "answer": word}, ensure_ascii=False).encode()
            event += b"\n\n"
            last = b"data: " + json.dumps({"event": "message_end", **IDS, "metadata": {}}).encode() + b"\n\n"
            chunk = f"{len(event):x}\r\n".encode() + event + b"\r\n"
            sock.sendall(head)
            # A few events a write, so that the reader and not the sender is what is measured;
            # each is an HTTP chunk of its own all the same.
            burst = chunk * 20
            for _ in range(int(count) // 20):
                sock.sendall(burst)
            sock.sendall(f"{len(last):x}\r\n".encode() + last + b"\r\n0\r\n\r\n")
        sock.close()


async def bare(base: str) -> int:
    count = 0
    url = f"{base}/chat-messages"
    async with httpx.AsyncClient(trust_env=False) as client, client.stream("POST", url, json={}) as r:
        async for _ in r.aiter_bytes():
            count += 1
    return count


async def decoding(base: str) -> int:
    count = 0
    splitter = Splitter()
    url = f"{base}/chat-messages"
    async with httpx.AsyncClient(trust_env=False) as client, client.stream("POST", url, json={}) as r:
        async for chunk in r.aiter_bytes():
            for frame in splitter.feed(chunk):
                decode(frame, 0.0)
                count += 1
    return count


async def sse_json(base: str) -> int:
    count = 0
    url = f"{base}/chat-messages"
    async with (
        httpx.AsyncClient(trust_env=False) as client,
        httpx_sse.aconnect_sse(client, "POST", url, json={}) as source,
    ):
        async for event in source.aiter_sse():
            json.loads(event.data)
            count += 1
    return count


async def whole(base: str) -> int:
    count = 0
    async with AsyncDify("app-x", base, "u") as dify, dify.chat.stream("q") as stream:
        async for _ in stream:
            count += 1
    assert stream.turn.status == "succeeded", stream.turn
    return count


async def session(base: str) -> int:
    """What a cell costs: as `whole`, in the portal's thread, with whoever watches it woken each time."""
    run = Session(AsyncDify("app-x", base, "u"), store=RunStore(Path("unused"))).ask("q")
    turn = await asyncio.to_thread(run.result)
    assert turn.status == "succeeded", turn
    assert run.tape is not None
    return len(run.tape.entries)


WAYS: dict[str, Callable[[str], Coroutine[Any, Any, int]]] = {
    "bare aiter_bytes": bare,
    "decode": decoding,
    "whole (decode, fold, tape, hand over)": whole,
    "a session's run": session,
    "httpx-sse + json": sse_json,
}


def measure(way: Callable[[str], Coroutine[Any, Any, int]], base: str, events: int) -> float:
    """CPU microseconds per event."""
    gc.collect()
    begin = time.process_time()
    count = asyncio.run(way(base))
    spent = time.process_time() - begin
    assert count >= events, (count, events)
    return spent / events * 1e6


def table(port: int, events: int, text: str, rounds: int) -> dict[str, float]:
    base = f"http://127.0.0.1:{port}/{events}/{text}/v1"
    figures: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, way in WAYS.items():
            figures[name].append(measure(way, base, events))
    return {name: statistics.median(values) for name, values in figures.items()}


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    os.environ["DIFY_NOTEBOOK_RUNS"] = "off"
    listener = socket.create_server(("127.0.0.1", 0))
    server = multiprocessing.get_context("fork").Process(target=serve, args=(listener,), daemon=True)
    server.start()
    port = listener.getsockname()[1]
    try:
        for text in ("ascii", "chinese"):
            figures = table(port, given.events, text, given.rounds)
            print(f"\n{text}, {given.events:,} events, median of {given.rounds} rounds")
            for name, value in figures.items():
                print(f"  {name:40} {value:7.1f} µs/event  {value / figures['bare aiter_bytes']:5.2f} x bare")
        for text in ("ascii", "chinese"):
            print(f"\nwhole, {text}: µs per event by length")
            lengths: dict[int, list[float]] = {}
            for _ in range(3):
                for events in (1_000, 10_000, 100_000):
                    base = f"http://127.0.0.1:{port}/{events}/{text}/v1"
                    lengths.setdefault(events, []).append(measure(whole, base, events))
            least = statistics.median(lengths[1_000])
            for events, values in lengths.items():
                value = statistics.median(values)
                print(f"  {events:9,} events {value:7.1f} µs/event  {value / least:5.2f} x that at 1,000")
    finally:
        server.terminate()
        server.join()
    return {}


if __name__ == "__main__":
    main()
