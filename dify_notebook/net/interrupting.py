"""Interrupt of a cell that awaits: it is obeyed at once, and told in one line.

ipykernel (7.4) turns an Interrupt into a cancelling by a callback that its signal handler puts on the kernel's loop;
a loop that sleeps does not hear of it before something else wakes it, which may be seconds. And IPython shows the
`CancelledError` with every frame of the libraries below.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

from ..i18n import t
from ..turn.state import Turn

LOOK_UP = 0.2
"""Seconds that a kernel's loop may sleep while an answer comes."""


def look_up() -> asyncio.Task[None] | None:
    """What keeps this loop from sleeping for long, until it is cancelled; None where no kernel runs on it."""
    if "ipykernel" not in sys.modules or threading.current_thread() is not threading.main_thread():
        return None

    async def looking() -> None:
        while True:
            await asyncio.sleep(LOOK_UP)

    return asyncio.create_task(looking())


def tell(problem: BaseException, turn: Turn) -> None:
    """Give a cancelling what had come of the answer (`.turn`), and one line in IPython instead of a traceback."""
    told: Any = problem
    told.turn = turn
    told._render_traceback_ = lambda: [f"{type(problem).__name__}: {t('net.cancelled')}"]
