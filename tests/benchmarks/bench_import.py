"""What importing costs, against `import httpx`, in fresh processes that take turns.

    python tests/benchmarks/bench_import.py [--rounds 15]

Aim: `import dify_notebook` and touching `Dify` and `AsyncDify` at most 1.2 times
`import httpx` (CPU time of the whole process, less that of an empty one).
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys

# As for users: compiled modules are kept.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

PROGRAMS = {
    "nothing": "pass",
    "import httpx": "import httpx",
    "import dify_notebook": "import dify_notebook",
    "dify_notebook.Dify and AsyncDify": "import dify_notebook as d; d.Dify, d.AsyncDify",
}


def cpu_seconds(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    found: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(rounds):
        for name, code in PROGRAMS.items():
            found[name].append(cpu_seconds(code))
    empty = statistics.median(found["nothing"])
    httpx = statistics.median(found["import httpx"]) - empty
    for name, values in found.items():
        spent = statistics.median(values) - empty
        print(f"{name:36} {spent * 1000:7.1f} ms  {spent / httpx:5.2f} x import httpx")


if __name__ == "__main__":
    main()
