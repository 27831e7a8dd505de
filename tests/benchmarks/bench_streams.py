"""What many open answers in one client cost, against one, in the same run.

    python tests/benchmarks/bench_streams.py [--streams 64] [--events 2000] [--rounds 5]

A server in a process of its own sends to every stream one event per HTTP chunk over loopback, some events
a write. Ways take turns; each figure is the median of the rounds, in CPU time of this process per event,
with the opening of all connections in it. The aim: 64 streams at most 1.1 times one. `paced` is the
same with a wait of 5 ms between the writes, so that every stream wakes for each: there one stream and 64
are compared with a bare httpx client that does the same.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Coroutine
from typing import Any

import httpx

from dify_notebook import AsyncDify

AIM = 1.1
BURST = 20
IDS = {
    "task_id": "0f3d6a34-7b7a-4d31-9a2e-0a8c6f0c8a11",
    "message_id": "5c1f5fb1-8ad5-4f0c-b4d7-4b8f6b1b9f22",
    "conversation_id": "9b4a1a87-2f0b-4c44-8d8b-6b1fd4a0a333",
    "created_at": 1795252161,
}


def chunk(**data: Any) -> bytes:
    event = b"data: " + json.dumps({**IDS, **data}).encode() + b"\n\n"
    return f"{len(event):x}\r\n".encode() + event + b"\r\n"


def serve(port: Any) -> None:
    """Answer POSTs with as many events as the path says, /<events>/<milliseconds between writes>/..."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    burst = chunk(event="message", answer="word ") * BURST
    last = chunk(event="message_end", metadata={}) + b"0\r\n\r\n"

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                told = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(told.split(b"content-length:")[1].split(b"\r\n")[0]))
                _, events, pause, *_ = told.split(b" ")[1].decode().split("/")
                writer.write(head)
                for _ in range(int(events) // BURST):
                    writer.write(burst)
                    await writer.drain()
                    if int(pause):
                        await asyncio.sleep(int(pause) / 1000)
                writer.write(last)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(client, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


async def ours(base: str, streams: int) -> int:
    async def one(dify: AsyncDify) -> int:
        count = 0
        async with dify.chat.stream("q") as stream:
            async for _ in stream:
                count += 1
        assert stream.turn.status == "succeeded", stream.turn
        return count

    async with AsyncDify("app-x", base, "u", connections=max(streams, 8)) as dify:
        return sum(await asyncio.gather(*(one(dify) for _ in range(streams))))


async def bare(base: str, streams: int) -> int:
    async def one(client: httpx.AsyncClient) -> int:
        count = 0
        async with client.stream("POST", f"{base}/chat-messages", json={}) as response:
            async for _ in response.aiter_bytes():
                count += 1
        return count

    async with httpx.AsyncClient(trust_env=False) as client:
        return sum(await asyncio.gather(*(one(client) for _ in range(streams))))


def measure(way: Callable[[str, int], Coroutine[Any, Any, int]], base: str, streams: int) -> float:
    """CPU microseconds per event."""
    gc.collect()
    begin = time.process_time()
    count = asyncio.run(way(base, streams))
    return (time.process_time() - begin) / count * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--events", type=int, default=2_000, help="of each stream; the one has as many in all")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    os.environ["DIFY_NOTEBOOK_RUNS"] = "off"
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("fork").Process(target=serve, args=(there,), daemon=True)
    server.start()
    port = here.recv()
    try:
        for pause in (0, 5):
            many = f"http://127.0.0.1:{port}/{given.events}/{pause}/v1"
            one = many if pause else f"http://127.0.0.1:{port}/{given.events * given.streams // 4}/{pause}/v1"
            figures: dict[str, list[float]] = {}
            for _ in range(given.rounds):
                for name, way in (("a client's", ours), ("bare httpx", bare)):
                    figures.setdefault(f"{name} one stream", []).append(measure(way, one, 1))
                    figures.setdefault(f"{name} {given.streams}", []).append(measure(way, many, given.streams))
            print("paced" if pause else "as fast as it goes")
            for name in ("a client's", "bare httpx"):
                single, several = (statistics.median(figures[f"{name} {n}"]) for n in ("one stream", given.streams))
                times = several / single
                verdict = "" if pause or name != "a client's" else "ok" if times <= AIM else "MISSED"
                told = f"1: {single:6.1f} µs/event  {given.streams}: {several:6.1f}  {times:5.2f} x {verdict}"
                print(f"  {name:12} {told}", flush=True)
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
