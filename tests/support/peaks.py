"""What one call costs in memory: run in a process of its own, which tells its peak.

    python -m support.peaks CALL URL        with tests/ on the path

The memory of the process that serves is so not counted, nor what tests before have taken.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

#: Of the calls below: so small that whatever is held beside them shows.
BOUNDS = {"line": 2_000_000, "body": 4_000_000, "error": 1_000_000, "items": 1_000}
FILE = 3_000_000

CALLS: dict[str, Callable[[Any], Awaitable[Any]]] = {}


def call(work: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    CALLS[work.__name__] = work
    return work


@call
async def info(dify: Any) -> Any:
    return await dify.app.info()


@call
async def stream(dify: Any) -> Any:
    async with dify.chat.stream("hi") as answer:
        return await answer.read()


@call
async def blocking(dify: Any) -> Any:
    return await dify.chat.send("hi", response_mode="blocking")


@call
async def download(dify: Any) -> Any:
    return await dify.files.download("1", limit=FILE)


@call
async def download_to(dify: Any) -> Any:
    with tempfile.TemporaryDirectory() as place:
        try:
            return await dify.files.download("1", to=place, limit=FILE)
        except Exception:
            assert os.listdir(place) == []  # no half of a file
            raise


@call
async def fetch(dify: Any) -> Any:
    from dify_notebook.turn.state import MessageFile

    found = await dify.files.fetch(MessageFile(url="/files/1"), limit=FILE)
    return {"data": found.data, "problem": found.data_error}


@call
async def from_url(dify: Any) -> Any:
    return await dify.files.from_url(dify.base_url + "/files/1", limit=FILE)


@call
async def speech(dify: Any) -> Any:
    return await dify.audio.from_text("hello")


@call
async def run_blocking(dify: Any) -> Any:
    return await dify.workflows.run({}, response_mode="blocking")


@call
async def kept_run(dify: Any) -> Any:
    return await dify.workflows.get("r")


@call
async def details(dify: Any) -> Any:
    """The history of runs with their inputs and outputs, onto the disk."""
    with tempfile.TemporaryDirectory() as place:
        history = await dify.history(details=True, to=Path(place, "history"))
        return {"complete": history.facts.complete, "mode": history.facts.app_mode}


@call
async def doctor(dify: Any) -> Any:
    from dify_notebook.net.doctor import examine

    return [finding.kind for finding in await examine(dify)]


def peak() -> int:
    """Bytes that this process has held at most."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage counts what the process was forked from
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    told = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return told if sys.platform == "darwin" else told * 1024


async def main(name: str, url: str) -> dict[str, Any]:
    from dify_notebook import AsyncDify, Bounds, DifyError

    warm, _, address = url.partition(" ")
    async with AsyncDify("app-x", address, "me", bounds=Bounds(**BOUNDS), retry=0) as dify:
        async with AsyncDify("app-x", warm, "me") as other:
            await CALLS[name](other)  # imports and caches are not what is measured
        before = peak()
        told: dict[str, Any] = {}
        try:
            found = await CALLS[name](dify)
            told["found"] = found if isinstance(found, (dict, list)) else None
            if hasattr(found, "status"):
                error = found.error and {"code": found.error.code, "message": found.error.message}
                told["turn"] = {"status": found.status, "end": found.end, "answer": found.answer, "error": error}
        except DifyError as problem:
            told["error"] = {"kind": type(problem).__name__, "code": problem.code, "message": problem.message}
        return {**told, "grown": peak() - before}


def measured(name: str, warm: str, url: str) -> dict[str, Any]:
    """What the call came to in a process of its own, and how much that grew (`grown`, bytes)."""
    tests = str(Path(__file__).parents[1])
    path = os.pathsep.join([tests, str(Path(tests).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "support.peaks", name, f"{warm} {url}"],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    import asyncio

    print(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2]))))
