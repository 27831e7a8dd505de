"""How a failed or interrupted cell looks: one friendly line, no traceback, and Run All stops.

IPython asks an exception for `_render_traceback_` before it formats one. The exception keeps
its own class, so `except DifyError` around `run_cell_magic` works as anywhere else.
"""

from __future__ import annotations

import sys
from typing import TypeVar

from ..console import fitting
from ..errors import APIError, ConnectError, DifyError, TurnFailed, said_by
from ..i18n import t
from ..printable import MESSAGE, one_line, visible
from ..redact import redact

E = TypeVar("E", bound=BaseException)


def without_traceback(error: E) -> E:
    """The same exception, which IPython will show as one friendly paragraph, without its traceback."""
    lines = _lines(error)
    # IPython prints them, and raises where the terminal lacks a character.
    error._render_traceback_ = lambda: [fitting(line, sys.stdout) for line in lines]  # type: ignore[attr-defined]  # IPython looks for it
    # What it came from is of no use in a cell, and may hold an ExceptionGroup, for which
    # IPython would print the whole traceback after all.
    error.__cause__ = None
    error.__context__ = None
    return error


def keyboard_interrupt(sent: bool) -> KeyboardInterrupt:
    """What ends an interrupted cell, so that Run All stops there."""
    return interrupt("magic.interrupted" if sent else "magic.interrupted_before")


def interrupt(key: str) -> KeyboardInterrupt:
    """The same with that sentence."""
    return without_traceback(KeyboardInterrupt(t(key)))


def _lines(error: BaseException) -> list[str]:
    if not isinstance(error, DifyError):
        return [f"{type(error).__name__}: {said_by(str(error))}"]
    # The code matters where it is the server's; ours only repeat what the sentence says.
    from_server = error.status is not None or isinstance(error, APIError | ConnectError | TurnFailed)
    facts = " ".join(one_line(str(fact)) for fact in (error.status, error.code) if fact) if from_server else ""
    lines = [f"✗ {said_by(error.message)}" + (f" [{facts}]" if facts else "")]
    if error.hint:
        lines.append(f"  {visible(error.hint, MESSAGE)}")
    if error.request_id:
        lines.append(f"  request id: {one_line(error.request_id)}")
    return [redact(line) for line in lines]
