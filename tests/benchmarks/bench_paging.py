"""How fast conversations and their messages are paged, by number of connections.

    python tests/benchmarks/bench_paging.py            # 200 conversations, under a minute
    python tests/benchmarks/bench_paging.py --full     # 2,000 conversations of 50 messages

A server in a process of its own answers after 20 ms. The yardstick is one keep-alive connection with the
same decoder and the same page size; the aim at 8 and 16 connections is 0.75 times their number. What no
number of connections can pass is the time that this process needs for the bytes alone: the ceiling, measured
with the same requests and no latency. `pools` compares one client of n connections with clients of a few.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).parents[2]))

from dify_notebook import AsyncDify
from dify_notebook.net import transport
from dify_notebook.net.limiter import gather_bounded

MESSAGES = 50
AIM = 0.75


def serve(conversations: int, latency: float, port: Any) -> None:
    """The server's process: bodies are made before the first request."""
    pages: dict[bytes, bytes] = {}

    def body(data: list[dict[str, Any]], more: bool) -> bytes:
        raw = json.dumps({"data": data, "has_more": more, "limit": 100}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
        return head.encode() + raw

    listed = [
        {"id": f"{n}", "name": f"Talk {n}", "inputs": {}, "status": "normal", "created_at": 10**9 - n,
         "updated_at": 10**9 - n} for n in range(conversations)
    ]  # fmt: skip
    messages: list[dict[str, Any]] = [
        {"id": f"m{n}", "conversation_id": "c", "inputs": {}, "query": f"Question {n}?", "answer": "An answer. " * 40,
         "message_files": [], "feedback": None, "retriever_resources": [], "agent_thoughts": [],
         "created_at": 10**9 + n, "status": "normal", "error": None} for n in range(MESSAGES)
    ]  # fmt: skip
    log = body(messages, False)

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                url = urlsplit(head.split(b" ", 2)[1].decode())
                if latency:
                    await asyncio.sleep(latency)
                if url.path.endswith("/messages"):
                    writer.write(log)
                else:
                    last = parse_qs(url.query).get("last_id", [""])[0].encode()
                    if last not in pages:
                        start = int(last) + 1 if last else 0
                        pages[last] = body(listed[start : start + 100], start + 100 < conversations)
                    writer.write(pages[last])
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(client, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


async def everything(url: str, connections: int, kind: str | None) -> float:
    """Seconds for all messages of all conversations."""
    options: dict[str, Any] = {"transport": kind}
    async with AsyncDify("app-x", url, "me", connections=connections, **options) as dify:
        begun = time.perf_counter()
        counts = await gather_bounded(
            lambda one: dify.messages.list(one.id).to_list(), dify.conversations.list(), concurrency=connections
        )
        taken = time.perf_counter() - begun
    assert all(len(found) == MESSAGES for found in counts)
    return taken


def started(conversations: int, latency: float) -> tuple[multiprocessing.Process, str]:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(conversations, latency, there), daemon=True)
    process.start()
    return process, f"http://127.0.0.1:{here.recv()}/v1"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="2,000 conversations instead of 200")
    parser.add_argument("--pools", action="store_true", help="also one client of n connections")
    chosen = parser.parse_args()
    count = 2_000 if chosen.full else 200
    kinds: list[str | None] = [None]
    try:
        import httpx_aiohttp  # noqa: F401

        kinds.append("aiohttp")
    except ImportError:
        pass
    slow, url = started(count, 0.02)
    quick, direct = started(count, 0.0)
    try:
        for kind in kinds:
            cpu = time.process_time()
            asyncio.run(everything(direct, 1, kind))
            cpu = time.process_time() - cpu
            base = asyncio.run(everything(url, 1, kind))
            print(f"{kind or 'httpx'}: {count} conversations x {MESSAGES} messages, 1 connection {base:.2f} s")
            print(f"  ceiling: {cpu:.2f} s of CPU for the bytes alone, so {base / cpu:.1f} times at most")
            for connections in (8, 16, 32):
                for pool in (transport.POOL, connections) if chosen.pools else (transport.POOL,):
                    usual, transport.POOL = transport.POOL, pool
                    taken = min(asyncio.run(everything(url, connections, kind)) for _ in range(2))
                    transport.POOL = usual
                    times = base / taken
                    verdict = "" if connections > 16 else "ok" if times >= AIM * connections else "MISSED"
                    head = f"  {connections:2} connections in pools of {pool:2}"
                    print(f"{head}: {taken:6.2f} s, {times:5.1f} times {verdict}", flush=True)
    finally:
        for process in (slow, quick):
            process.terminate()
            process.join(5)


if __name__ == "__main__":
    main()
