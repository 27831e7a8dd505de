"""An IPython shell in this process, whose magic `seen` notes what it is given and what its caller sees."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import no_var_expand

from dify_notebook.magic.scope import caller, seen_from
from dify_notebook.magic.typed import Typed


class Shell:
    """A shell, and the calls of its magic `seen`: the variables of each, its line and its body."""

    def __init__(self) -> None:
        InteractiveShell.clear_instance()
        self.shell: Any = InteractiveShell.instance(history_length=0)
        self.shell.history_manager.enabled = False
        self.shell.user_ns["run"] = self.shell.run_cell_magic
        self.typed = Typed(self.shell, "seen")
        self.typed.register()
        self.names: list[dict[str, Any]] = []
        self.texts: list[tuple[str, str]] = []

        @no_var_expand  # type: ignore[untyped-decorator]
        def seen(line: str, cell: str | None = None) -> None:
            self.names.append(seen_from(caller(sys._getframe(1)), self.shell.user_ns))
            self.texts.append(self.typed.of(line, cell or ""))

        self.shell.register_magic_function(seen, "line_cell", "seen")

    def run(self, cell: str) -> None:
        """Run a cell that must not fail."""
        self.shell.run_cell(cell).raise_error()


@contextmanager
def shell() -> Iterator[Shell]:
    """A fresh shell, put away in the end."""
    with tempfile.TemporaryDirectory() as directory:
        InteractiveShell.ipython_dir.default_value = str(Path(directory))
        try:
            yield Shell()
        finally:
            InteractiveShell.clear_instance()
