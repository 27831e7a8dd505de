"""How often a panel's answer is drawn while a cell keeps the kernel's own thread busy.

    python -m benchmarks.bench_busy [seconds]      (in tests/; 2 unless told)

A line for each of five questions to the embedded guide: drawings a second, and what the slowest of them took by the
clock and of its thread's own time. The difference is what it waited for the busy thread and for other processes;
drawing rests three times as long as its own time.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from support.kernels import kernel

from dify_notebook import local

OPEN = """
import os, time
from dify_notebook import ChatPanel, Dify
from dify_notebook.panel.channel import TurnChannel
drawn, blocks = [], TurnChannel.blocks

def timed(*args):
    clock, own = time.perf_counter(), time.thread_time()
    try:
        return blocks(*args)
    finally:
        drawn.append((time.perf_counter() - clock, time.thread_time() - own))

TurnChannel.blocks = timed
panel = ChatPanel(Dify(os.environ["TEST_KEY"], os.environ["TEST_URL"], user="bench"))
panel
"""
BUSY = """
drawn.clear()
question, end = panel.ask("How do I stop a running answer?"), time.monotonic() + {seconds}
while time.monotonic() < end:
    pass
clock, own = max(drawn, default=(0, 0))
print(f"{{len(drawn) / {seconds}:8.1f}} a second   slowest {{1000 * clock:7.1f}} ms, own {{1000 * own:5.1f}} ms")
"""


def main(seconds: float) -> None:
    """Print what was measured."""
    with tempfile.TemporaryDirectory() as name, local.serve(data_dir=Path(name) / "server", pace=1) as server:
        told = {"TEST_KEY": server.api_key("guide"), "TEST_URL": server.base_url, "DIFY_NOTEBOOK_LIVE": "widget"}
        with kernel(Path(name), **told) as running:
            for code in (OPEN, *[f"{BUSY.format(seconds=seconds)}question.result()"] * 5):
                outputs = running.run(code)
                assert outputs.error is None, outputs.traceback
                print(outputs.streams["stdout"], end="")


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else 2)
