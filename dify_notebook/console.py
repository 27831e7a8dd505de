"""Text on its way to a console: what its encoding lacks is replaced, and a console that is gone stops nobody.

A Windows console, a pipe or a log may know GBK, cp1252 or ASCII only; stdout may be None, closed, a pipe whose reader
has left, or some other program's object. What is said there is never worth an exception in the cell that says it.
"""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from contextlib import suppress
from typing import Any, Literal

from .logs import warn_once


def fitting(text: str, stream: Any) -> str:
    """The text with a question mark for each character that the stream's encoding lacks.

    A stream that sees to that itself (`errors` is not "strict") or that takes any text gets it as it is.

    >>> import io
    >>> fitting("3 × 4 → 12", io.TextIOWrapper(io.BytesIO(), "cp1252"))
    '3 × 4 ? 12'
    """
    encoding = getattr(stream, "encoding", None)
    if not isinstance(encoding, str) or getattr(stream, "errors", None) not in (None, "strict"):
        return text
    try:
        return text.encode(encoding, "replace").decode(encoding)
    except (LookupError, UnicodeError):  # no encoding of text
        return text


def displayed(bundle: dict[str, str]) -> dict[str, str]:
    """Texts by mime type, the plain one as a terminal's IPython may print it: it prints what is displayed as it is."""
    return bundle | {"text/plain": fitting(bundle["text/plain"], sys.stdout)}


def is_terminal(stream: Any) -> bool:
    """Whether somebody looks at it; not at a closed one, nor at an object that does not know."""
    try:
        return bool(stream.isatty())
    except (AttributeError, OSError, ValueError):
        return False


def write(text: str, stream: Any = None) -> None:
    """Write it and flush. `stream` is `sys.stdout` by default.

    Raises:
        OSError, ValueError: the stream is broken, closed or None; or whatever a stream of somebody's raises.
    """
    stream = sys.stdout if stream is None else stream
    if stream is None:
        raise ValueError("there is no stdout")
    try:
        stream.write(fitting(text, stream))
    except UnicodeEncodeError:  # it did not tell its encoding, or told another
        stream.write(text.encode("ascii", "replace").decode("ascii"))
    if (flush := getattr(stream, "flush", None)) is not None:
        flush()


def watched() -> Any:
    """Where somebody looks: the cell's output in a kernel, else a terminal; None where nobody does."""
    if type(sys.stdout).__name__ == "OutStream":  # ipykernel's
        return sys.stdout
    if is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb":
        return sys.stderr
    return None


class StatusLine:
    """A line that is written again and again over itself; plain text, so that it needs no widget.

    Args:
        stream: None writes nothing.
        of: what it tells, for the log where it cannot be written.
    """

    def __init__(self, stream: Any, of: str) -> None:
        self.stream = stream
        self._of = of
        self._length = 0

    def write(self, text: str, end: str = "") -> None:
        """Write it over what was written before. What it tells of is worth more than the line: nothing is raised."""
        if self.stream is None:
            return
        blank = " " * max(0, self._length - len(text))
        self._length = 0 if end else len(text)
        try:
            write(f"\r{text}{blank}{end}", self.stream)
        except Exception as problem:
            self.stream = None
            complain(f"{self._of} cannot be written", problem)

    @property
    def room(self) -> int:
        """Characters that fit into a line; one that wraps could not be written over."""
        if is_terminal(self.stream):
            return shutil.get_terminal_size().columns - 1
        return 120


def say(text: str, to: Literal["stdout", "stderr"] = "stdout") -> bool:
    """Print a line, or several; where that is not possible, the log says so once.

    Returns:
        Whether it was printed.
    """
    stream = getattr(sys, to)
    try:
        if stream is None:
            raise ValueError(f"there is no {to}")
        write(text + "\n", stream)
    except Exception as problem:
        complain(f"nothing can be written to {to}", problem)
        return False
    return True


def warn(text: str, category: type[Warning] = UserWarning, stacklevel: int = 1) -> None:
    """`warnings.warn`, also where stderr is closed or narrow: `warnings` passes over an OSError of it only.

    Raises:
        Warning: the filters make errors of warnings.
    """
    try:
        warnings.warn(text, category, stacklevel=stacklevel + 1)
    except Warning:
        raise
    except Exception as problem:
        complain(f"a warning could not be shown ({text})", problem)


def complain(what: str, problem: BaseException) -> None:
    """Log a warning, once for each kind of problem; a log that cannot be written either is left alone."""
    kind = f"{what}: {type(problem).__name__}"
    with suppress(Exception):  # `logging` writes its own troubles to stderr, and raises when that is closed
        warn_once(kind, f"{kind}: {problem}")
