"""The tapes of a sweep's answers: in the directory that the user named, else among this user's runs."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from ...errors import TapeError, TapeGone
from ...i18n import t
from ...printable import one_line
from ...private import private_directory
from ...tape import Tape
from ...tape.keeper import TapeKeeper, complete
from ...tape.store import not_kept
from ...turn.state import Turn

_NAME = re.compile(r"[A-Za-z0-9-]{1,120}\Z")
_SUFFIX = ".tape.gz"


class DirectoryTapes:
    """In a directory of the sweep's own. They are kept whatever `%dify runs` says: the user named the directory.

    Args:
        directory: made when the first is kept.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made = False

    def spool(self) -> Path | None:
        """Where a long tape may lie while it is written."""
        return private_directory(self._directory)

    def keep(self, name: str, tape: Tape, turn: Turn) -> str | None:
        """Write it down, and read it from there from now on; None where that cannot be, which a line of the log says.

        Raises:
            TapeError: that can be no name.
        """
        path = self._path(name)
        try:
            if not tape.entries:
                return None
            complete(tape, turn)
            if not self._made:  # not for each: it asks the system thrice
                private_directory(self._directory)
                self._made = True
            tape.save(path)
        except TapeGone:  # it failed while the answer came, and that was said
            return None
        except Exception as problem:  # whatever a disk does: the answer is there
            with suppress(OSError):
                path.unlink(missing_ok=True)
            not_kept(problem, self._directory)
            return None
        tape.stored(path)
        return name

    def tape(self, name: str) -> Tape:
        """That tape, read with each look.

        Raises:
            TapeGone: it is not there.
            TapeError: it is damaged, or that can be no name.
        """
        return Tape.at(self._path(name))

    def _path(self, name: str) -> Path:
        if not _NAME.match(name):  # it stands in a file that others may have written
            raise TapeError(t("sweep.store.no_tape_name", name=one_line(repr(name), 100)), code="tape")
        return self._directory / f"{name}{_SUFFIX}"


class RunTapes:
    """Among this user's runs, as `%dify runs` says; those that are not stored stay in memory for a while."""

    def __init__(self) -> None:
        self._keeper = TapeKeeper()
        self._tapes: dict[str, Tape] = {}

    def spool(self) -> Path | None:
        """Where a long tape may lie while it is written."""
        return self._keeper.spool()

    def keep(self, name: str, tape: Tape, turn: Turn) -> str | None:
        """Give it to the keeper; None where there is nothing to keep."""
        with suppress(TapeGone):
            if tape.entries:
                self._keeper.keep(tape, turn)
                self._tapes[name] = tape
                return name
        return None

    def tape(self, name: str) -> Tape:
        """That tape.

        Raises:
            TapeGone: it is kept nowhere any more.
        """
        try:
            return self._tapes[name]
        except KeyError:
            raise TapeGone(t("sweep.store.no_tape"), code="tape_gone") from None
