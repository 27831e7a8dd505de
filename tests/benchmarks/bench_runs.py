"""What the runs of a workflow app cost, with inputs and outputs: one call for each run, besides the log.

    python tests/benchmarks/bench_runs.py            # 400 runs
    python tests/benchmarks/bench_runs.py --full     # 2,000 runs

A server in a process of its own answers after 20 ms. `history(details=True, concurrency=16)` against the loop that
anybody would write in the same run: one keep-alive connection of httpx, page after page, run after run. Aim: 10 times.
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

import httpx

from dify_notebook import Dify

LATENCY = 0.02
AIM = 10
OUTPUTS = {"rows": 20, "table": [{"class": f"class {n}", "count": n} for n in range(20)], "report": "A line. " * 100}


def run(number: int) -> dict[str, Any]:
    """A run as Dify 1.12 tells it."""
    at = 1_760_000_000 + number
    facts = {"status": "succeeded", "error": None, "elapsed_time": 1.5, "total_tokens": 12, "total_steps": 5}
    return {"id": f"{number:08x}-0000-4000-8000-000000000000", **facts, "created_at": at, "finished_at": at + 2}


def detail(number: int) -> dict[str, Any]:
    values = {"inputs": json.dumps({"text": f"line {number}"}), "outputs": json.dumps(OUTPUTS)}
    return {**run(number), "workflow_id": "w", **values}


def serve(count: int, port: Any) -> None:
    """The server's process."""

    def answer(target: str) -> dict[str, Any]:
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path.endswith("/info"):
            return {"name": "Bench", "mode": "workflow"}
        if "/workflows/run/" in url.path:
            return detail(int(url.path.rpartition("/")[2][:8], 16))
        if url.path.endswith("/workflows/logs"):
            page, limit = int(query["page"]), int(query["limit"])
            numbers = range(count - 1 - (page - 1) * limit, max(-1, count - 1 - page * limit), -1)
            lines = [
                {"id": f"log {number}", "workflow_run": run(number), "created_at": 1_760_000_000 + number,
                 "created_by_end_user": {"id": "u", "session_id": "me"}} for number in numbers
            ]  # fmt: skip
            return {"page": page, "limit": limit, "total": count, "has_more": page * limit < count, "data": lines}
        return {"data": [], "has_more": False, "page": 1, "limit": 100, "total": 0}

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(LATENCY)
                raw = json.dumps(answer(head.split(b" ", 2)[1].decode())).encode()
                size = b"Content-Length: %d" % len(raw)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%b\r\n\r\n%b" % (size, raw))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(client, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def for_loop(url: str, count: int) -> float:
    """Seconds of the loop over one connection."""
    import pandas as pd

    begun, page = time.perf_counter(), 1
    rows: list[dict[str, Any]] = []
    with httpx.Client(base_url=url, headers={"Authorization": "Bearer app-x"}, timeout=60) as client:
        while True:
            log = client.get("/workflows/logs", params={"page": page, "limit": 100}).json()
            rows += [client.get(f"/workflows/run/{line['workflow_run']['id']}").json() for line in log["data"]]
            if not log["has_more"]:
                break
            page += 1
    assert len(pd.DataFrame(rows)) == count
    return time.perf_counter() - begun


def ours(url: str, count: int) -> tuple[float, float]:
    """Seconds, and seconds of CPU, of the history on a new client."""
    begun, cpu = time.perf_counter(), time.process_time()
    with Dify("app-x", url, "me") as dify:
        history = dify.history(details=True, concurrency=16)
    taken = time.perf_counter() - begun, time.process_time() - cpu
    assert history.workflow_runs["outputs"].notna().sum() == count, (history, history.failures)
    assert history.facts.complete
    return taken


def main(full: bool) -> None:
    count = 2_000 if full else 400
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=serve, args=(count, there), daemon=True)
    process.start()
    try:
        url = f"http://127.0.0.1:{here.recv()}/v1"
        ours(url, count)  # imports
        loop = for_loop(url, count)
        taken, cpu = min(ours(url, count) for _ in range(3))
    finally:
        process.terminate()
        process.join(5)
    times = loop / taken
    verdict = "ok" if times >= AIM else f"MISSED (aim: {AIM})"
    print(f"{count} runs with details at 20 ms; for loop {loop:.2f} s")
    print(f"  history(concurrency=16): {taken:.2f} s (CPU {cpu:.2f} s), {times:.1f} times {verdict}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    main(parser.parse_args().full)
