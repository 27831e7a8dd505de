"""What a history costs: fetching it, making tables of it, writing it as Parquet.

    python tests/benchmarks/bench_history.py                 # all three, smaller
    python tests/benchmarks/bench_history.py --full          # 2,000 conversations; 100,000 and 1,000,000 messages
    python tests/benchmarks/bench_history.py fetch --profile

fetch: 2,000 conversations of 50 messages from a server in a process of its own that answers after 20 ms,
with `concurrency=16`, against a for loop over one keep-alive connection of httpx in the same run. Aim: 12 times.
tables: 100,000 messages as the server tells them (decoded JSON) to the table `messages`, against
`pd.DataFrame(list_of_dicts)` of the same columns. Aim: at most 1.3 times the CPU, and less memory.
parquet: 1,000,000 messages through the client into a directory; the process may hold 500 MB at most.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).parents[2]))

import httpx

from dify_notebook import AsyncDify, Dify

MESSAGES = 50
NIL = "00000000-0000-0000-0000-000000000000"


def message(conversation: int, number: int) -> dict[str, Any]:
    """A message as Dify 1.12 tells it."""
    return {
        "id": f"{conversation:08x}-0000-4000-8000-{number:012x}",
        "conversation_id": f"{conversation:08x}-0000-4000-8000-000000000000",
        "parent_message_id": NIL,
        "inputs": {},
        "query": f"Question {number} of conversation {conversation}?",
        "answer": f"An answer to {number}. " + "It says a little. " * 25,
        "feedback": {"rating": "like"} if number % 10 == 0 else None,
        "retriever_resources": [],
        "created_at": 1_760_000_000 + conversation * 900 + number * 10,
        "agent_thoughts": [],
        "message_files": [],
        "status": "normal",
        "error": None,
    }


def serve(conversations: int, latency: float, port: Any) -> None:
    """The server's process. Bodies are made once."""
    made: dict[bytes, bytes] = {}

    def body(data: list[dict[str, Any]], more: bool = False) -> bytes:
        raw = json.dumps({"data": data, "has_more": more, "limit": 100}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
        return head.encode() + raw

    def listed(number: int) -> dict[str, Any]:
        return {
            "id": f"{number:08x}-0000-4000-8000-000000000000",
            "name": f"Talk {number}",
            "inputs": {},
            "status": "normal",
            "introduction": "",
            "created_at": 1_760_000_000 + number * 900,
            "updated_at": 1_760_000_600 + number * 900,
        }

    # One body for all: what is measured is the client; only the ids differ.
    log = body([message(0xABCDEF01, number) for number in range(MESSAGES)])

    def answer(target: str) -> bytes:
        url = urlsplit(target)
        query = parse_qs(url.query)
        if url.path.endswith("/messages"):
            return log.replace(b"abcdef01", query["conversation_id"][0][:8].encode())
        if url.path.endswith("/conversations"):
            last = query.get("last_id", [""])[0]
            start = int(last[:8], 16) - 1 if last else conversations - 1
            page = [listed(number) for number in range(start, max(-1, start - 100), -1)]
            return body(page, start - 100 >= 0)
        if url.path.endswith("/info"):
            raw = b'{"name":"Bench","mode":"chat"}'
            return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(raw) + raw
        return body([])

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                target = head.split(b" ", 2)[1]
                if latency:
                    await asyncio.sleep(latency)
                writer.write(made.get(target) or answer(target.decode()))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(client, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


class Server:
    """The server, as a context."""

    def __init__(self, conversations: int, latency: float) -> None:
        here, there = multiprocessing.get_context("spawn").Pipe()
        self._process = multiprocessing.get_context("spawn").Process(
            target=serve, args=(conversations, latency, there), daemon=True
        )
        self._process.start()
        self.url = f"http://127.0.0.1:{here.recv()}/v1"

    def __enter__(self) -> str:
        return self.url

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join(5)


# -- fetch -------------------------------------------------------------------------------


def for_loop(url: str, count: int) -> float:
    """Seconds of the loop that anybody would write: one connection, page after page, a list of dicts."""
    begun = time.perf_counter()
    rows: list[dict[str, Any]] = []
    with httpx.Client(base_url=url, headers={"Authorization": "Bearer app-x"}, timeout=60) as client:
        last = ""
        conversations: list[dict[str, Any]] = []
        while True:
            params = {"user": "me", "limit": "100", **({"last_id": last} if last else {})}
            page = client.get("/conversations", params=params).json()
            conversations += page["data"]
            if not page["has_more"]:
                break
            last = conversations[-1]["id"]
        for one in conversations:
            asked = {"user": "me", "limit": "100", "conversation_id": one["id"]}
            rows += client.get("/messages", params=asked).json()["data"]
    import pandas as pd

    pd.DataFrame(rows)
    assert len(rows) == count * MESSAGES
    return time.perf_counter() - begun


def ours(url: str, count: int, kind: Any) -> tuple[float, float]:
    """Seconds, and seconds of CPU, of `history(concurrency=16)` on a new client."""
    begun, cpu = time.perf_counter(), time.process_time()
    with Dify("app-x", url, "me", transport=kind) as dify:
        history = dify.history(concurrency=16)
    taken = time.perf_counter() - begun, time.process_time() - cpu
    assert len(history.messages) == count * MESSAGES, (history, history.failures)
    assert history.facts.complete
    return taken


def fetch(full: bool) -> None:
    count = 2_000 if full else 200
    import pandas  # noqa: F401  both sides need it

    kinds: list[Any] = [None]
    try:
        import httpx_aiohttp  # noqa: F401

        kinds.append("aiohttp")
    except ImportError:
        pass
    with Server(count, 0.02) as url:
        ours(url, count, None)  # imports
        loop = for_loop(url, count)
        print(f"fetch: {count} conversations x {MESSAGES} messages at 20 ms; for loop {loop:.2f} s")
        for kind in kinds:
            taken, cpu = min(ours(url, count, kind) for _ in range(3))
            times = loop / taken
            verdict = "ok" if times >= 12 else "MISSED (aim: 12)"
            said = f"{taken:.2f} s (CPU {cpu:.2f} s), {times:.1f} times {verdict}"
            print(f"  history(concurrency=16), {kind or 'httpx'}: {said}")


def profiled() -> None:
    import cProfile
    import pstats

    with Server(1_000, 0.0) as url:

        async def one() -> None:
            async with AsyncDify("app-x", url, "me") as dify:
                await dify.history(concurrency=16)

        asyncio.run(one())
        profile = cProfile.Profile()
        profile.enable()
        asyncio.run(one())
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)


# -- tables ------------------------------------------------------------------------------


def cpu_of(work: Callable[[], object], times: int = 5) -> float:
    best = float("inf")
    for _ in range(times):
        gc.collect()
        begun = time.process_time()
        kept = work()
        best = min(best, time.process_time() - begun)
        del kept
    return best


def memory_of(work: str, count: int) -> tuple[float, float]:
    """MB at the peak and MB that stay beyond what imports take; in a process of its own, Arrow's memory included."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_memory, args=(work, count, there))
    process.start()
    found: tuple[float, float] = here.recv()
    process.join()
    return found


def _memory(work: str, count: int, told: Any) -> None:
    TABLE_WORK[work](pages_of(1_000))  # imports, and what allocators keep
    pages = pages_of(count)
    gc.collect()
    before = resident()
    peak, over = [before], threading.Event()

    def watch() -> None:
        while not over.wait(0.002):
            peak[0] = max(peak[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    kept = TABLE_WORK[work](pages)
    gc.collect()
    stays = resident()
    over.set()
    watcher.join()
    del kept
    told.send(((max(peak[0], stays) - before) / 1e6, (stays - before) / 1e6))


def resident() -> int:
    """Bytes that this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def pages_of(count: int) -> list[bytes]:
    return [
        json.dumps({"data": [message(page, number) for number in range(100)], "has_more": False}).encode()
        for page in range(count // 100)
    ]


COLUMNS = ("id", "conversation_id", "created_at", "status", "error", "query", "answer")


def flat(item: dict[str, Any]) -> dict[str, Any]:
    """A row of the same columns, as one would write it."""
    return {
        **{name: item[name] for name in COLUMNS},
        "rating": (item["feedback"] or {}).get("rating"),
        "inputs": json.dumps(item["inputs"]),
    }


def as_dicts(pages: list[bytes]) -> Any:
    import pandas as pd

    return pd.DataFrame([flat(item) for page in pages for item in json.loads(page)["data"]])


def as_lean(pages: list[bytes]) -> Any:
    """What a history does with its pages."""
    from dify_notebook.frames.item_rows import message_rows
    from dify_notebook.frames.memory import MemorySink
    from dify_notebook.wire import models

    held = MemorySink()
    for page in pages:
        held.take("messages", message_rows(models.decode(models.MessageRows, page).data, user="me"))
    return held.table("messages")


TABLE_WORK: dict[str, Callable[[list[bytes]], Any]] = {"dicts": as_dicts, "lean": as_lean}


def tables(full: bool) -> None:
    import pandas as pd

    from dify_notebook.frames import dataframes
    from dify_notebook.frames.item_rows import message_rows
    from dify_notebook.frames.memory import MemorySink
    from dify_notebook.frames.schema import MESSAGES as TABLE
    from dify_notebook.wire import models

    def sorted_table(many: list[Any]) -> Any:
        held = MemorySink()
        for page in many:
            held.take("messages", message_rows(page, user="me"))
        return held.table("messages")

    count = 100_000 if full else 20_000
    pages = pages_of(count)
    rows = [flat(item) for page in pages for item in json.loads(page)["data"]]
    items = [models.decode(models.MessageRows, page).data for page in pages]
    a = cpu_of(lambda: pd.DataFrame(rows))
    b = cpu_of(lambda: dataframes.from_batches(TABLE, [message_rows(page, user="me") for page in items]))
    c = cpu_of(lambda: sorted_table(items))
    verdict = "ok" if b <= 1.3 * a else "MISSED (aim: 1.3)"
    said = f"{a:.2f} s of CPU, ours {b:.2f} s, {b / a:.2f} times {verdict}"
    print(f"tables: {count:,} messages that were read: {said}")
    print(f"  sorted by time as well, as a history is: {c:.2f} s, {c / a:.2f} times")
    rows, items = [], []
    a, b = cpu_of(lambda: as_dicts(pages)), cpu_of(lambda: as_lean(pages))
    print(f"  from the bytes of the pages: {a:.2f} s, ours {b:.2f} s, {b / a:.2f} times")
    if Path("/proc/self/statm").exists():
        (peak_a, stay_a), (peak_b, stay_b) = memory_of("dicts", count), memory_of("lean", count)
        verdict = "ok" if peak_b < peak_a and stay_b < stay_a else "MISSED (aim: less)"
        said = f"{peak_a:.0f} MB, ours {peak_b:.0f}; kept {stay_a:.0f} MB, ours {stay_b:.0f} {verdict}"
        print(f"  memory at the peak {said}")


# -- parquet -----------------------------------------------------------------------------


def parquet(full: bool) -> None:
    """In a process of its own, whose memory is then its own too."""
    count = 20_000 if full else 2_000
    with Server(count, 0.0) as url, tempfile.TemporaryDirectory() as folder:
        here, there = multiprocessing.get_context("spawn").Pipe()
        process = multiprocessing.get_context("spawn").Process(target=written, args=(url, folder, there))
        process.start()
        seconds, rows, peak = here.recv()
        process.join()
        size = sum(path.stat().st_size for path in Path(folder).rglob("*.parquet"))
        files = len(list(Path(folder).rglob("*.parquet")))
    verdict = "ok" if peak <= 500 else "MISSED (aim: 500 MB)"
    said = f"{seconds:.1f} s, {files} files of {size / 1e6:.1f} MB, at the peak {peak:.0f} MB {verdict}"
    print(f"parquet: {rows:,} messages in {said}")


def written(url: str, folder: str, told: Any) -> None:
    import pyarrow.parquet as pq

    begun = time.perf_counter()
    with Dify("app-x", url, "me") as dify:
        history = dify.history(to=Path(folder) / "log", concurrency=16)
    seconds = time.perf_counter() - begun
    assert history.facts.complete
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    rows = sum(pq.ParquetFile(path).metadata.num_rows for path in Path(folder).rglob("messages/**/*.parquet"))
    told.send((seconds, rows, peak))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[[], "fetch", "tables", "parquet"])
    parser.add_argument("--full", action="store_true", help="the sizes of the aims")
    parser.add_argument("--profile", action="store_true", help="where a fetch spends its time")
    chosen = parser.parse_args()
    if chosen.profile:
        profiled()
        return
    for work in (fetch, tables, parquet):
        if not chosen.what or work.__name__ in chosen.what:
            work(chosen.full)


if __name__ == "__main__":
    main()
