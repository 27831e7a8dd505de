"""What the embedded server costs: its start, the wait for a first event, a stop, and many streams at once.

    python tests/benchmarks/bench_local.py [--streams 50] [--tokens 2000] [--rate 0]
    python tests/benchmarks/bench_local.py --streams 200 --tokens 500 --rate 50

The server runs in a process of its own; its CPU time and memory are read from there. The client is
plain sockets, so that what is measured is the server. With `--rate` each stream gives that many tokens
a second, and `late` is how far behind that pace the slowest stream ended; without, as many as it can.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


async def tokens(run: Any) -> None:
    """As many tokens as the question says, at the pace that it says: `<tokens> <a second>`."""
    count, rate = map(int, run.query.split())
    start = asyncio.get_running_loop().time()
    for number in range(count):
        if rate:
            wait = start + number / rate - asyncio.get_running_loop().time()
            await asyncio.sleep(max(wait, 0))
        elif number % 20 == 0:
            await asyncio.sleep(0)
        run.delta(f" word{number}")


def serve(directory: str) -> None:
    """The server's process: say where it is, then, asked by a line, what it has cost."""
    from dify_notebook import local
    from dify_notebook.local.engine.app import App

    bench = App(
        name="bench", mode="chat", description="", icon="", opening="", suggested_questions=(), answer=tokens,
        suggest=lambda message: [],
    )  # fmt: skip
    with local.serve(data_dir=directory, pace=0, apps=[bench]) as server:
        keys = {"bench": server.api_key("bench"), "guide": server.api_key("guide")}
        port = int(server.url.rpartition(":")[2])
        print(json.dumps({"port": port, "keys": keys}), flush=True)
        for _ in sys.stdin:
            used = resource.getrusage(resource.RUSAGE_SELF)
            cost = {"cpu": used.ru_utime + used.ru_stime, "rss": used.ru_maxrss / 1024}
            print(json.dumps(cost), flush=True)


class Served:
    """A server in another process."""

    def __init__(self, directory: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", directory],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        self.port: int = told["port"]
        self.keys: dict[str, str] = told["keys"]

    def cost(self) -> dict[str, float]:
        """CPU seconds and megabytes at most, so far."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        found: dict[str, float] = json.loads(self.process.stdout.readline())
        return found

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)


async def ask(served: Served, app: str, query: str, user: str) -> tuple[float, float, int, bool]:
    """Seconds to the first event and to the end, events, and whether it ended well."""
    content = json.dumps(
        {"query": query, "inputs": {}, "user": user, "response_mode": "streaming"}, ensure_ascii=True
    ).encode()
    head = (
        f"POST /v1/chat-messages HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Authorization: Bearer {served.keys[app]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    ).encode()
    start = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=2**22)
    writer.write(head + content)
    first, events, rest = 0.0, 0, b""
    while piece := await reader.read(2**16):
        events += piece.count(b"data: {")
        if events and not first:
            first = time.perf_counter() - start
        rest = (rest + piece)[-4096:]
    writer.close()
    await writer.wait_closed()
    return first, time.perf_counter() - start, events, b'"message_end"' in rest and rest.endswith(b"0\r\n\r\n")


class Posted:
    """A request on a connection of its own, and what answers it."""

    async def send(self, served: Served, path: str, content: object) -> None:
        body = json.dumps(content).encode()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", served.port, limit=2**22)
        self.writer.write(
            f"POST /v1{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            f"Authorization: Bearer {served.keys['bench']}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode() + body
        )

    async def end(self) -> bytes:
        """The rest of what answers it, until the end."""
        rest = await self.reader.read()
        self.writer.close()
        return rest


async def stopped(served: Served) -> tuple[float, float]:
    """Seconds from a stop to the end of its stream, and those that a stop of nothing takes to be answered."""
    user = {"user": "stopper"}
    stream, stop, nothing = Posted(), Posted(), Posted()
    question = {"query": "3000 50", "inputs": {}, "response_mode": "streaming", **user}
    await stream.send(served, "/chat-messages", question)
    while not (found := re.search(rb'"task_id":"([^"]+)"', line := await stream.reader.readline())):
        assert line, "the stream ended"
    for _ in range(10):
        await stream.reader.readline()
    start = time.perf_counter()
    await stop.send(served, f"/chat-messages/{found[1].decode()}/stop", user)
    assert b"message_end" in await stream.end()
    took = time.perf_counter() - start
    await stop.end()
    start = time.perf_counter()
    await nothing.send(served, "/chat-messages/none/stop", user)
    await nothing.end()
    return took, time.perf_counter() - start


def started() -> tuple[float, float]:
    """Milliseconds to import the package's `local`, and to have a server that answers, in a fresh process."""
    code = (
        "import time; t=time.perf_counter(); from dify_notebook import local; i=time.perf_counter()-t;"
        "import tempfile; t=time.perf_counter(); s=local.serve(data_dir=tempfile.mkdtemp());"
        "print(i*1000, (time.perf_counter()-t)*1000); s.close()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    first, second = map(float, ran.stdout.split())
    return first, second


async def measure(served: Served, streams: int, count: int, rate: int) -> None:
    firsts = []
    for number in range(20):
        first, _, _, whole = await ask(served, "guide", "hi", f"first-{number}")
        assert whole
        firsts.append(first * 1000)
    print(f"first event of an idle server: median {statistics.median(firsts):.1f} ms, worst {max(firsts):.1f}")
    stops, replies = zip(*[await stopped(served) for _ in range(20)], strict=True)
    print(f"end of a stream after its stop: median {1000 * statistics.median(stops):.1f} ms,", end=" ")
    print(f"worst {1000 * max(stops):.1f}; a stop of nothing is answered in {1000 * statistics.median(replies):.1f}")
    before = served.cost()
    start = time.perf_counter()
    results = await asyncio.gather(
        *(ask(served, "bench", f"{count} {rate}", f"user-{number}") for number in range(streams)),
        return_exceptions=True,
    )
    took = time.perf_counter() - start
    after = served.cost()
    good = [one for one in results if not isinstance(one, BaseException) and one[3] and one[2] >= count]
    errors = streams - len(good)
    events = sum(one[2] for one in good)
    cpu = after["cpu"] - before["cpu"]
    print(f"{streams} streams of {count} tokens" + (f" at {rate} a second" if rate else "") + f": {took:.1f} s")
    print(f"  errors {errors}, events {events} ({events / took:,.0f} a second)")
    print(f"  server CPU {cpu:.1f} s, {1e6 * cpu / max(events, 1):.0f} µs an event, {after['rss']:.0f} MB at most")
    waits = sorted(1000 * one[0] for one in good)
    if waits:
        at = int(0.95 * (len(waits) - 1))
        print(f"  first event: median {statistics.median(waits):.0f} ms, 95 % {waits[at]:.0f} ms")
    if rate and good:
        print(f"  late: {max(one[1] for one in good) - (count - 1) / rate:.2f} s")
    if errors:
        raise SystemExit(f"{errors} streams went wrong")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--tokens", type=int, default=2000)
    parser.add_argument("--rate", type=int, default=0, help="tokens a second of each stream; 0 is all it can")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
        return
    times = [started() for _ in range(5)]
    print(f"import {statistics.median(one[0] for one in times):.0f} ms,", end=" ")
    print(f"start {statistics.median(one[1] for one in times):.0f} ms (medians of 5)")
    with tempfile.TemporaryDirectory() as directory:
        served = Served(directory)
        try:
            asyncio.run(measure(served, given.streams, given.tokens, given.rate))
        finally:
            served.close()


if __name__ == "__main__":
    main()
