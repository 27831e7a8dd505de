"""The source of a cell as it was typed.

IPython takes what looks like its own prompts, and Python's, out of a cell before a magic sees it, wherever a line
begins so; and it ends the magic's line at characters that end no line of a cell. The event `pre_run_cell` has the
cell as typed, before each run.
"""

from __future__ import annotations

import ast
import inspect
import re
import threading
from collections.abc import Iterator
from itertools import islice
from typing import Any

_LINE = re.compile(r"(?P<indent>[^\S\r\n]*)(?P<text>[^\r\n]*)(?:\r\n|\r|\n|\Z)")
_CALL = "get_ipython().run_cell_magic"
_MAX_MAGICS = 8
"""Magics of a cell that are looked at, one below the other: those in front of ours run what follows as a cell."""


class RunningCell:
    """A cell that runs, as it was typed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.called = False
        """Whether it has called the magic itself."""


class Running(threading.local):
    """The cells that run on a thread: the outermost first.

    A magic such as `%%capture` runs a cell of its own in the one that it stands in.
    """

    cells: tuple[RunningCell, ...] = ()


class EmptyBody:
    """Lets IPython run a cell that is the magic's line alone, which it takes for a mistake: an empty line is added."""

    has_side_effects = True
    """IPython asks no such transformer whether what is typed in a terminal is complete: more lines may follow there."""

    def __init__(self, magic: str) -> None:
        self._magic = f"%%{magic}"

    def __call__(self, lines: list[str]) -> list[str]:
        alone = len(lines) == 1 and lines[0].split(maxsplit=1)[:1] == [self._magic]
        return [lines[0].rstrip("\n") + "\n", "\n"] if alone else lines


class CellSources:
    """What was typed in the cells that are running."""

    def __init__(self, shell: Any, magic: str) -> None:
        self._shell, self._magic = shell, magic
        self._running = Running()
        self._empty_body = EmptyBody(magic)
        self._listeners = {"pre_run_cell": self._pre_run_cell, "post_run_cell": self._post_run_cell}

    def register(self) -> None:
        """Listen to the shell's cells."""
        self._shell.input_transformers_cleanup.append(self._empty_body)
        for event, listener in self._listeners.items():
            self._shell.events.register(event, listener)

    def unregister(self) -> None:
        """Listen no longer."""
        if self._empty_body in self._shell.input_transformers_cleanup:
            self._shell.input_transformers_cleanup.remove(self._empty_body)
        for event, listener in self._listeners.items():
            if listener in self._shell.events.callbacks[event]:
                self._shell.events.unregister(event, listener)

    def _pre_run_cell(self, info: Any) -> None:
        self._running.cells = (
            *self._running.cells[: max(0, _depth() - 1)],
            RunningCell(str(info.raw_cell or "")),
        )

    def _post_run_cell(self, result: Any) -> None:
        self._running.cells = self._running.cells[: _depth()]

    def as_typed(self, line: str, body: str) -> tuple[str, str]:
        """The magic's line and body as typed in the cell that IPython made into these; else they themselves.

        Code that calls the magic has handed over what it meant, and a cell that was pasted with its prompts, the
        magic's line too, means what stands behind them.
        """
        for cell in self._running.cells:
            for times, text in enumerate(islice(_cells_in(cell.text), _MAX_MAGICS), 1):
                parts = self._parts(text)
                if parts is not None and self._transformed(text, times) == (line, body):
                    return parts
        return line, body

    def is_own(self, line: str, body: str) -> bool:
        """Whether the cell that runs is this call of the magic, also below other magics, and has made none before.

        Code that calls the magic, in a loop or a function, is no cell of it.
        """
        if not self._running.cells or self._running.cells[0].called:
            return False
        cell = self._running.cells[0]
        if cell.text.lstrip().startswith(_CALL):
            return False
        texts = enumerate(islice(_cells_in(cell.text), _MAX_MAGICS), 1)
        cell.called = any(self._transformed(text, times) == (line, body) for times, text in texts)
        return cell.called

    def _transformed(self, text: str, times: int) -> tuple[str, str] | None:
        """The line and the body that IPython hands over after it made a call of the cell so many times.

        A cell in front of which other magics stand is gone through by each of them.
        """
        transformed = None
        for _ in range(times):
            call = _magic_call(self._shell.transform_cell(text))
            if call is None or call[0] != self._magic:
                return None
            _, line, body = call
            transformed = (line, body)
            text = f"%%{self._magic} {line}\n{body}"
        return transformed

    def _parts(self, text: str) -> tuple[str, str] | None:
        """Line and body of a cell that begins with the magic, without the indentation that its line has."""
        first = _LINE.match(text)
        magic = f"%%{self._magic}"
        if first is None or first["text"].split(" ")[0].rstrip() != magic:
            return None
        body = text[first.end() :]
        if first["indent"]:
            body = "".join(line.removeprefix(first["indent"]) for line in body.splitlines(keepends=True))
        return first["text"].removeprefix(magic).removeprefix(" ").rstrip(), body


def _depth() -> int:
    """How many cells run inside each other on this stack. A cell that was broken off may have no `post_run_cell`."""
    depth, frame = 0, inspect.currentframe()
    while frame is not None:
        depth += frame.f_code.co_name == "run_cell_async"
        frame = frame.f_back
    return depth


def _magic_call(code: str) -> tuple[str, str, str] | None:
    """Name, line and body of a call of a cell magic; None where the code is anything but that one call."""
    if not code.startswith(_CALL):
        return None
    try:
        magic, line, body = ast.literal_eval(code.removeprefix(_CALL).strip())
    except (SyntaxError, TypeError, ValueError):  # a transformer of the user's made something of it
        return None
    return magic, line, body


def _cells_in(cell: str) -> Iterator[str]:
    """What is left of a cell without the blank lines and the magics in front, once for each."""
    position = 0
    while position < len(cell):
        line = _LINE.match(cell, position)
        assert line is not None  # it matches everywhere
        if line["text"]:
            yield cell[position:]
            if not line["text"].startswith("%%"):
                return
        position = line.end()
