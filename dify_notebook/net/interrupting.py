"""Interrupt of a cell that awaits: it is obeyed at once, the server is told, and it is said in one line.

ipykernel (7.4) turns an Interrupt into a cancelling by a callback that its signal handler puts on the kernel's loop;
a loop that sleeps does not hear of it before something else wakes it, which may be seconds. In a terminal IPython
(9.18) leaves the task where it waits: nothing of it runs any more, and the server goes on answering. And both show
every frame of the libraries below.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from typing import Any

from ..i18n import t
from ..turn.state import Turn

LOOK_UP = 0.2
"""Seconds that a kernel's loop may sleep while an answer comes."""


class Interrupts:
    """Sees to Interrupts of one answer's task, from `begin` to `end`; only where IPython runs it in the main thread."""

    def __init__(self) -> None:
        self._looking: asyncio.Task[None] | None = None
        self._task: asyncio.Task[Any] | None = None
        self._came = False

    def begin(self) -> None:
        """From now on."""
        if threading.current_thread() is not threading.main_thread():
            return
        if "ipykernel" in sys.modules:
            self._looking = asyncio.create_task(_look_up())
        elif "IPython" in sys.modules and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._task, self._loop = asyncio.current_task(), asyncio.get_running_loop()
            signal.signal(signal.SIGINT, self._interrupted)

    def end(self) -> None:
        """No longer."""
        if self._looking is not None:
            self._looking.cancel()
        if self._task is not None and signal.getsignal(signal.SIGINT) == self._interrupted:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _interrupted(self, *_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second one is as ever
        self._came = True
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)

    def told(self, cancelled: asyncio.CancelledError, turn: Turn) -> BaseException:
        """What the cancelling means to whoever awaits. It has what had come of the answer (`.turn`), and in IPython
        one line instead of a traceback."""
        means: Any = KeyboardInterrupt() if self._came else cancelled
        hand_over(turn, means)
        if means is not cancelled:
            means.__context__ = None
        return means  # type: ignore[no-any-return]  # attributes of nobody's class were set


def hand_over(turn: Turn, means: Any) -> None:
    """Give what had come of an answer (`.turn`) to the exception that its asker sees; in IPython that is one line."""
    means.turn = turn
    means._render_traceback_ = lambda: [f"{type(means).__name__}: {t('net.cancelled')}"]


async def _look_up() -> None:
    while True:
        await asyncio.sleep(LOOK_UP)
