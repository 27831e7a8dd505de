"""What a live cell costs: bytes on the wire and CPU in the kernel, for five texts of 45 kB.

    python -m benchmarks.bench_live [tokens ...]      (in tests/; 1000 10000 50000 unless told)

A token is 4.5 characters and comes each 5 ms, on a made-up clock; drawing is timed on
the real one, because the view draws more seldom when drawing is slow. Messages are
counted as the kernel packs them, with headers and all.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
from jupyter_client.session import Session

from dify_notebook.live.view import LiveView
from dify_notebook.turn.state import Node, Timing, Turn

RATE = 200
"""Tokens a second."""
TOKEN = 4.5
"""Characters in a token, so that 10,000 are 45 kB."""


def _mixed(part: int) -> str:
    return (
        f"## Section {part}\n\nA paragraph with *emphasis*, `code`, [a link](https://example.org/{part}) and "
        f"一些中文 😀, long enough to wrap. It says that $x_{part} = {part}$ and goes on for a while.\n\n"
        f"- first point {part}\n- second point with **weight**\n\n"
        f"| name | value |\n|---|--:|\n| a{part} | {part} |\n| b{part} | {2 * part} |\n\n"
        f"```python\ndef f{part}(x: int) -> int:\n    return x + {part}\n```\n\n"
    )


def text(kind: str, length: int) -> str:
    """About that many characters of one kind: mixed, fence, list, table or paragraph."""
    head, piece = {
        "mixed": ("", _mixed),
        "fence": ("```python\n", lambda n: f"value_{n} = compute({n}, 'text {n}')  # remark {n}\n"),
        "list": ("", lambda n: f"- item {n} with *some* words and `code_{n}` in it\n"),
        "table": (
            "| n | name | remark |\n|--:|---|---|\n",
            lambda n: f"| {n} | name {n} | *remark* number {n} |\n",
        ),
        "paragraph": ("", lambda n: f"Sentence {n} goes on *without* end and `never` breaks. "),
    }[kind]
    parts, size, number = [head], len(head), 0
    while size < length:
        parts.append(piece(number))
        size += len(parts[-1])
        number += 1
    return "".join(parts)[:length]


KINDS = ("mixed", "fence", "list", "table", "paragraph")


class Meter:
    """Stands for the widget and the cell, and weighs what they would send."""

    def __init__(self) -> None:
        self.session = Session(key=b"k")
        self.parent = self.session.msg("execute_request", {})["header"]
        self.bytes = 0
        self.live = 0
        """Bytes of the live view's own messages; the rest is the saved form that is left behind."""
        self.messages = 0

    def weigh(self, kind: str, content: Any) -> None:
        message = self.session.msg(kind, content, parent=self.parent)
        self.bytes += sum(len(part) for part in self.session.serialize(message, ident=b"comm-" + b"0" * 32))
        self.messages += 1

    def send_message(self, message: Any) -> None:
        data = {"method": "custom", "content": msgspec.to_builtins(message)}
        before = self.bytes
        self.weigh("comm_msg", {"data": data, "comm_id": "0" * 32})
        self.live += self.bytes - before

    def replace(self, bundle: dict[str, Any]) -> None:
        self.weigh(
            "update_display_data", {"data": bundle, "metadata": {}, "transient": {"display_id": "0" * 32}}
        )

    def open_view(self, view: object) -> None: ...

    close_view = open_view


def run(kind: str, tokens: int, clock: Callable[[], float] = time.perf_counter) -> dict[str, float]:
    """Stream one text; give bytes, messages, CPU seconds and the longest time between two drawings."""
    whole = text(kind, int(tokens * TOKEN))
    meter = Meter()
    view = LiveView("en", clock=clock)
    view._widget = view._output = meter  # type: ignore[assignment]  # it takes what either is sent
    begin = Timing(opened=0.0, first_event=0.0, first_token=0.0)
    turn = Turn(query="q", timing=begin, nodes=(Node(id="n", title="Writer", started_at=0.0),))
    cpu = time.process_time()
    slowest = last = 0.0
    for token in range(1, tokens + 1):
        now = token / RATE
        if view.channel.wait(now) > 0:
            continue
        view.update(msgspec.structs.replace(turn, answer=whole[: int(token * TOKEN)]), now)
        slowest, last = max(slowest, now - last), now
    end = msgspec.structs.replace(begin, total=tokens / RATE)
    view.finish(
        msgspec.structs.replace(turn, answer=whole, status="succeeded", end="message_end", timing=end)
    )
    cost = time.process_time() - cpu
    return {
        "bytes": meter.bytes,
        "live": meter.live,
        "messages": meter.messages,
        "cpu": cost,
        "slowest": slowest,
    }


def main(sizes: list[int]) -> None:
    """Print one line for each text and size."""
    print("text        tokens  live MB  left MB  B/token  messages   CPU s  ms/token   gap s")
    for kind in KINDS:
        for tokens in sizes:
            found = run(kind, tokens)
            live, left = found["live"], found["bytes"] - found["live"]
            print(
                f"{kind:10} {tokens:7} {live / 1e6:8.3f} {left / 1e6:8.3f} {live / tokens:8.0f} "
                f"{found['messages']:9.0f} "
                f"{found['cpu']:7.2f} {1000 * found['cpu'] / tokens:9.3f} {found['slowest']:7.2f}"
            )


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [1000, 10_000, 50_000])
