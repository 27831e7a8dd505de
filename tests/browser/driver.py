"""For notebooks in tests: streams a made-up turn through the live view, without any server."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from dify_notebook.live import Mode, open_view
from dify_notebook.turn.state import Node, Timing, Turn


def words(count: int, first: int = 1) -> Iterator[str]:
    """w1 w2 …, a paragraph each 40 words."""
    for number in range(first, first + count):
        yield f"w{number}" + ("\n\n" if number % 40 == 0 else " ")


def until(path: str) -> Iterator[str]:
    """The same, as many as go by before somebody makes that file."""
    return itertools.takewhile(lambda _: not os.path.exists(path), words(1_000_000))


def stream(pieces: Iterable[str], rate: float | None = None, *, mode: Mode | None = None) -> Turn:
    """Show the pieces at so many a second (None: as fast as they come); give the last turn.

    Stop and Interrupt end it as they end a real one.
    """
    stopped = threading.Event()
    view = open_view(on_stop=stopped.set, mode=mode)
    begun = time.monotonic()
    begin = Timing(opened=0.0, first_event=0.0, first_token=0.0)
    node = Node(id="n", node_id="n", node_type="llm", title="Writer", started_at=0.0)
    turn = Turn(query="Count, please", timing=begin, nodes=(node,))
    view.show()
    text: list[str] = []
    try:
        for count, piece in enumerate(pieces, 1):
            now = time.monotonic() - begun
            if rate is not None and now < count / rate:
                stopped.wait(count / rate - now)
                now = time.monotonic() - begun
            if stopped.is_set():
                break
            text.append(piece)
            if rate is None and view.due(now) > 0:
                continue
            turn = msgspec.structs.replace(turn, answer="".join(text))
            view.update(turn, now)
    except KeyboardInterrupt:
        stopped.set()
    turn = msgspec.structs.replace(
        turn,
        answer="".join(text),
        status="stopped" if stopped.is_set() else "succeeded",
        end="stopped" if stopped.is_set() else "message_end",
        complete=not stopped.is_set(),
        nodes=(msgspec.structs.replace(node, status="succeeded", finished_at=now),),
        timing=msgspec.structs.replace(begin, total=time.monotonic() - begun),
    )
    view.finish(turn)
    return turn


def shout(seconds: float, after: float) -> threading.Thread:
    """A neighbour that prints wildly for so long, in a thread of its own, beginning after a while."""

    def run() -> None:
        time.sleep(after)
        end = time.monotonic() + seconds
        for number in itertools.count():
            if time.monotonic() > end:
                return
            print(number, flush=True)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def workflow(end: str, now: float = 4.9) -> Turn:
    """A workflow app's run that stands at that second until somebody makes the file `end`, then ends."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from unit import views_examples

    view = open_view()
    view.show()
    running = views_examples.workflow(now)
    while not os.path.exists(end):
        view.update(running, now)
        time.sleep(0.05)
    turn = views_examples.workflow()
    view.finish(turn)
    return turn
