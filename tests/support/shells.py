"""An IPython shell in this process, whose magic `seen` notes what it is given and what its caller sees."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import no_var_expand
from traitlets.config import Config

from dify_notebook.magic.cell_source import CellSources
from dify_notebook.magic.scope import calling_frame, visible_namespace


class Shell:
    """A shell, and the calls of its magic `seen`: the variables of each, its line and its body."""

    def __init__(self) -> None:
        settings = Config()
        settings.HistoryManager.enabled = False
        made: Any = InteractiveShell.instance(config=settings)
        self.shell = made
        self.shell.user_ns["run"] = self.shell.run_cell_magic
        self.typed = CellSources(self.shell, "seen")
        self.typed.register()
        self.names: list[dict[str, Any]] = []
        self.texts: list[tuple[str, str]] = []

        def seen(line: str, cell: str | None = None) -> None:
            self.names.append(visible_namespace(calling_frame(sys._getframe(1)), self.shell.user_ns))
            self.texts.append(self.typed.as_typed(line, cell or ""))

        self.shell.register_magic_function(no_var_expand(seen), "line_cell", "seen")

    def run(self, cell: str) -> None:
        """Run a cell that must not fail."""
        self.shell.run_cell(cell).raise_error()


@contextmanager
def shell(monkeypatch: pytest.MonkeyPatch, directory: Path) -> Iterator[Shell]:
    """A fresh shell with that directory for what it keeps, put away in the end."""
    monkeypatch.setenv("IPYTHONDIR", str(directory))
    InteractiveShell.clear_instance()
    try:
        yield Shell()
    finally:
        InteractiveShell.clear_instance()
