"""How fast a sweep asks many cases, against a loop that asks one after another, in the same run.

    python tests/benchmarks/bench_sweep.py [--cases 3200] [--latency 0.2] [--client]

A bare server in a process of its own begins each answer after 200 ms: one text, then the end. The loop is measured on
100 questions of the client alone (`chat.send`). The aims: 32 at once take at most 1/28 of the loop's time for each
case, 64 at most 1/50, and memory grows by at most 40 kB a case while everything is kept on the disk. The time of a
sweep is that of its whole run: the growing of its pace is in it, and so are the records and tapes. `cpu` is what this
process alone takes for a case; it is the bound that no concurrency passes. On a machine that is busy with other things
all of it misses: `--client` shows beside each what the client alone reaches at the same time, with no pace, no records
and no tapes.

What was reached, Python 3.11 on two cores that the server shares: quiet, on 3,200 cases, 32 at once in 1/29.2 and 64 in
1/52.2, with 1.8 to 2.0 ms of CPU and 4 kB of memory for each. At a load of seven, on 1,600 cases, both miss with 1/24
and 1/30, and so does the client alone with 1/24 and 1/39. Of the CPU the client takes 1.1 to 1.4 ms, about half of that
httpx and its sockets; making the file of a tape takes 0.1 to 0.4 ms on ext4, and six microseconds on tmpfs; the engine
and the records take 0.2 ms. The growing of the pace costs about 0.8 s of a run.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from dify_notebook import AsyncDify
from dify_notebook.sweep.asking.engine import Engine
from dify_notebook.sweep.case import Case, Message, Target, Variant
from dify_notebook.sweep.store.store import Store

AIMS = {32: 28.0, 64: 50.0}
MEMORY = 40_000
LOOP = 100


def serve(port: Any, latency: float) -> None:
    """Answer every POST alike, with ids of its own."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, "total_price": "0.001", "currency": "USD"}

    def chunk(ids: dict[str, str], **data: Any) -> bytes:
        event = b"data: " + json.dumps({**data, **ids}).encode() + b"\n\n"
        return f"{len(event):x}\r\n".encode() + event + b"\r\n"

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                told = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(told.split(b"content-length:")[1].split(b"\r\n")[0]))
                await asyncio.sleep(latency)
                ids = {name: str(uuid.uuid4()) for name in ("task_id", "message_id", "conversation_id")}
                text = chunk(ids, event="message", answer="An answer of some words.")
                last = chunk(ids, event="message_end", metadata={"usage": usage})
                writer.write(head + text + last + b"0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(client, "127.0.0.1", 0, backlog=256)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


async def loop(url: str, count: int) -> float:
    """Seconds for each, one after another."""
    async with AsyncDify("app-x", url, "bench") as dify:
        begun = time.perf_counter()
        for number in range(count):
            await dify.chat.send(f"Question {number}?", auto_generate_name=False)
        return (time.perf_counter() - begun) / count


async def client(url: str, count: int, concurrency: int) -> float:
    """Seconds for each, as many at once, by the client alone."""
    numbers = iter(range(count))

    async def worker(dify: AsyncDify) -> None:
        for number in numbers:
            await dify.chat.send(f"Question {number}?", auto_generate_name=False)

    async with AsyncDify("app-x", url, "bench", connections=concurrency) as dify:
        begun = time.perf_counter()
        await asyncio.gather(*(worker(dify) for _ in range(concurrency)))
        return (time.perf_counter() - begun) / count


def cases_of(count: int) -> list[Case]:
    return [
        Case(
            id=uuid.uuid4().hex,
            question=f"q{number}",
            variant=Variant(target="app"),
            repeat=0,
            messages=(Message(query=f"Question {number}?", inputs={}),),
            labels=(number,),
        )
        for number in range(count)
    ]


async def sweep(url: str, cases: list[Case], concurrency: int, directory: Path) -> tuple[float, float]:
    """Seconds for each, and CPU seconds of this process."""
    store = Store.open(directory)
    async with AsyncDify("app-x", url, "bench") as dify:
        engine = Engine({"app": Target(name="app", client=dify, identity="x")}, store, concurrency=concurrency)
        begun, cpu = time.perf_counter(), time.process_time()
        with store.locked():
            ended = await engine.run(cases)
        taken, cpu = time.perf_counter() - begun, time.process_time() - cpu
    assert ended.succeeded == len(cases), ended
    assert len(store.outcomes) == len(cases)
    return taken / len(cases), cpu / len(cases)


def memory() -> int:
    """Bytes of this process, now; where the system does not tell, the most it ever had."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=3_200)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds until an answer begins")
    parser.add_argument("--client", action="store_true", help="also what the client alone reaches")
    chosen = parser.parse_args()
    os.environ["DIFY_NOTEBOOK_RUNS"] = "off"
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there, chosen.latency), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}/v1"
    try:
        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(sweep(url, cases_of(64), 64, Path(directory, "warm")))
            base = asyncio.run(loop(url, LOOP))
            print(f"one after another: {base * 1e3:.2f} ms a case, on {LOOP}")
            for concurrency, aim in AIMS.items():
                cases = cases_of(chosen.cases)
                gc.collect()
                before = memory()
                taken, cpu = asyncio.run(sweep(url, cases, concurrency, Path(directory, str(concurrency))))
                grown = (memory() - before) / len(cases)
                verdict = "ok" if base / taken >= aim else "MISSED"
                kept = "ok" if grown <= MEMORY else "MISSED"
                times = f"1/{base / taken:.1f} of it (aim 1/{aim:.0f}) {verdict}"
                rest = f"cpu {cpu * 1e3:.2f} ms; memory {grown / 1e3:.1f} kB a case {kept}"
                print(f"{concurrency:2} at once: {taken * 1e3:.2f} ms a case, {times}; {rest}", flush=True)
                if chosen.client:
                    alone = asyncio.run(client(url, chosen.cases, concurrency))
                    print(f"   the client alone: {alone * 1e3:.2f} ms a case, 1/{base / alone:.1f}", flush=True)
    finally:
        server.terminate()
        server.join(5)


if __name__ == "__main__":
    main()
