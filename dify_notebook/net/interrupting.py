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

WAKE_SECONDS = 0.2
"""Seconds that a kernel's loop may sleep while an answer comes."""


class Interrupts:
    """Sees to Interrupts of one answer's task, from `begin` to `end`; only where IPython runs it in the main thread."""

    def __init__(self) -> None:
        self._waking: asyncio.Task[None] | None = None
        self._task: asyncio.Task[Any] | None = None
        self._interrupted_once = False

    def begin(self) -> None:
        """From now on."""
        if threading.current_thread() is not threading.main_thread():
            return
        if "ipykernel" in sys.modules:
            self._waking = asyncio.create_task(_wake_often())
        elif "IPython" in sys.modules and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._task, self._loop = asyncio.current_task(), asyncio.get_running_loop()
            signal.signal(signal.SIGINT, self._interrupted)

    @property
    def interrupted(self) -> bool:
        """Whether the task was cancelled by an Interrupt that was seen to here."""
        return self._interrupted_once

    def end(self) -> None:
        """No longer."""
        if self._waking is not None:
            self._waking.cancel()
        if self._task is not None and signal.getsignal(signal.SIGINT) == self._interrupted:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _interrupted(self, *_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second one is as ever
        self._interrupted_once = True
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)

    def exception_for(self, cancelled: asyncio.CancelledError, turn: Turn) -> BaseException:
        """What the cancelling means to whoever awaits. It has what had come of the answer (`.turn`), and in IPython
        one line instead of a traceback."""
        raised: BaseException = KeyboardInterrupt() if self._interrupted_once else cancelled
        attach_turn(turn, raised)
        if raised is not cancelled:
            raised.__context__ = None
        return raised


def attach_turn(turn: Turn, raised: Any) -> None:
    """Give what had come of an answer (`.turn`) to the exception that its asker sees; in IPython that is one line."""
    raised.turn = turn
    raised._render_traceback_ = lambda: [f"{type(raised).__name__}: {t('net.cancelled')}"]


async def _wake_often() -> None:
    while True:
        await asyncio.sleep(WAKE_SECONDS)
