"""What a sweep has asked and what came of it, line by line: nothing that ended is lost, nothing is paid twice."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ...errors import DifyError, InputError, TapeGone
from ...i18n import t
from ...paths import expand
from ...private import make_private, private_directory
from ...regular import Irregular
from ...secret import Secret
from ...tape import Tape
from ...turn.state import Turn
from ..records import Answer, Begun, Checked, Forgotten, Header, Outcome, Record, State
from .header import RECORDS, TAPES, begin, header_of, new_header, refuse
from .hold import Hold
from .lines import FileLines, MemoryLines
from .record_lines import TooLong, line_of, record_of, without_content
from .tapes import DirectoryTapes, RunTapes
from .tries import Index, Outcomes, Tries


class Store:
    """The records of a sweep, and its tapes.

    In a directory these are `records.jsonl`, one record of `records.py` in each line, which is only added to, a lock
    and `tapes/`. Several tries of one case may be in it: the last counts, and all of them cost.

    A line is handed to the system before the method that writes it returns, so a killed process loses none. The disk
    is waited for at most once a second and at the end of `locked`: a machine that loses its power may lose what came
    after that. A line that was torn off or is damaged is left out and counted.

    Keys and tokens are taken out of every line before it is written.

    Without a directory all of it is in memory, and tapes go where other runs' go, if `%dify runs` and
    `DIFY_NOTEBOOK_RUNS` want them kept. In a directory that the user named they are kept in any case.

    Use `Store.open`.
    """

    def __init__(self, path: Path | None, header: Header, lines: FileLines | MemoryLines, *, read_only: bool = False,
                 clock: Callable[[], float] = time.time) -> None:  # fmt: skip
        self.path = path
        """The directory, absolute; None in memory."""
        self.header = header
        self.damaged = 0
        """Lines that no record could be read of, and that were left out."""
        self.checks: list[Checked] = []
        """What the apps were, oldest first."""
        self.deleted: set[str] = set()
        """Conversations that were deleted on the server."""
        self._lines = lines
        self._hold = Hold(path) if path is not None else None
        self._tapes = DirectoryTapes(path / TAPES) if path is not None else RunTapes()
        self._read_only = read_only
        self._clock = clock
        self._guard = threading.RLock()
        self._writing = False
        self._running_from = sys.maxsize
        """Where the lines begin of which whoever holds the lock now is the author."""
        self._index = Index()
        self._begun: dict[str, int] = {}
        """Cases that were begun and have no end yet -> the place of that line."""

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        read_only: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> Store:
        """The store in a directory, which is made if it is not there.

        Args:
            path: the directory, private (mode 0700) from then on; `~` is the home directory, a relative one stays the
                same when `os.chdir` goes elsewhere. None keeps all in memory.
            read_only: whether nothing is written, nor made.
            clock: seconds since 1970.

        Raises:
            InputError: something else is there, or nothing where it is read only; a later version wrote it; its first
                line is damaged.
            ConfigError: another account owns it.
            DifyError: the disk refuses it.
        """
        if path is None:
            return cls(None, new_header(clock()), MemoryLines(), clock=clock)
        with _disk_errors(str(path)):
            directory = expand(path, argument="store").absolute()
            header = header_of(directory)
            if header is None:
                if read_only:
                    raise InputError(t("sweep.store.nothing", directory=str(directory)), code="store")
                header = begin(directory, clock())
            elif not read_only:
                private_directory(directory)
                make_private(directory / RECORDS)
            store = cls(directory, header, FileLines(directory / RECORDS), read_only=read_only, clock=clock)
            store.refresh()
        return store

    def __repr__(self) -> str:
        return f"<Store {self.id}: {len(self._index.last)} cases, {len(self._index)} tries>"

    @property
    def id(self) -> str:
        """The sweep's: 12 hexadecimal digits."""
        return self.header.id

    @property
    def salt(self) -> str:
        """For hashes of keys."""
        return self.header.salt

    # -- writing ------------------------------------------------------------------------

    @contextmanager
    def locked(self) -> Iterator[Store]:
        """Held while a sweep runs: nobody else writes meanwhile, in this process or another; reading goes on.

        Raises:
            InputError: somebody else holds it (the message says who, and since when), or it is read only.
            DifyError: the disk refuses it.
        """
        if self._read_only:
            raise InputError(t("sweep.store.read_only", directory=str(self.path)), code="store")
        if not self._taken():
            raise InputError(t("sweep.store.running_here", directory=str(self.path or "")), code="sweep_running")
        try:
            with _disk_errors(str(self.path)):
                if self._hold is not None:
                    self._hold.acquire()
                with self._guard:
                    self._lines.begin_writing()
                    self.refresh()
                    self._running_from = self._lines.read_bytes
                    if self._hold is not None:
                        self._hold.tell(self._running_from, self._clock())
            yield self
        finally:
            with _disk_errors(str(self.path)), self._guard:
                self._writing = False
                self._running_from = sys.maxsize
                try:
                    self._lines.end_writing()
                finally:
                    if self._hold is not None:
                        self._hold.release()

    def _taken(self) -> bool:
        with self._guard:
            free, self._writing = not self._writing, True
            return free

    def begin(self, case_id: str, at: float) -> None:
        """A case is going to be sent; `at` is seconds since 1970.

        Raises:
            DifyError: the disk refuses it; then nothing must be sent.
        """
        self._append(Begun(case=case_id, at=at))

    def end(self, outcome: Outcome, key: Secret | None = None) -> Outcome:
        """A case ended.

        Args:
            key: of the app that answered: it is taken out, whatever it looks like.

        Returns:
            What was written: without keys. Of what can be no line (more than 64 MB, or nested too deep) only what
            it cost is written, as failed with the code `not_kept`; its tape has the rest.

        Raises:
            DifyError: the disk refuses it.
        """
        written = self._append(outcome, key)
        assert isinstance(written, Outcome)
        return written

    def check(self, checked: Checked) -> None:
        """What an app is now."""
        self._append(checked)

    def forgotten(self, conversation_id: str, at: float) -> None:
        """A conversation was deleted on the server; `at` is seconds since 1970."""
        self._append(Forgotten(conversation_id=conversation_id, at=at))

    def _append(self, record: Record, key: Secret | None = None) -> Record:
        try:
            line, written = line_of(record, key)
        except (msgspec.DecodeError, RecursionError, TooLong):
            if not isinstance(record, Outcome):
                raise
            line, written = line_of(without_content(record), key)
        with self._guard:
            if self._writing:
                with _disk_errors(str(self.path)):
                    self._take(self._lines.append(line), len(line), written)
                return written
        with self.locked(), _disk_errors(str(self.path)), self._guard:
            self._take(self._lines.append(line), len(line), written)
        return written

    # -- reading ------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read what another process has added, and see whether one is running.

        Raises:
            DifyError: it cannot be read.
        """
        with _disk_errors(str(self.path)), self._guard:
            for place, line in self._lines.unread():
                try:
                    if line is None:
                        raise msgspec.DecodeError
                    if line:  # an empty one ended a torn one
                        self._take(place, len(line), record_of(line))
                except (msgspec.DecodeError, RecursionError):
                    self.damaged += 1
            if not self._writing and self._hold is not None:
                holder = self._hold.holder() if self._hold.is_held() else None
                self._running_from = sys.maxsize if holder is None else holder.size

    def _take(self, place: int, length: int, record: Record) -> None:
        match record:
            case Begun(case=case):
                self._begun[case] = place
            case Outcome(case=case):
                self._begun.pop(case, None)
                self._index.add(case, place, length, record.state == "succeeded")
            case Checked():
                self.checks.append(record)
            case Forgotten(conversation_id=id):
                self.deleted.add(id)
            case Header():
                pass  # the first line

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """The last try of each case that ended, by the case's id; read from the file with each look."""
        return Outcomes(self._index, self._outcomes)

    @property
    def spent(self) -> Sequence[Outcome]:
        """All tries that ended, oldest first; read from the file with each look. All of them cost."""
        return Tries(self._index, self._outcomes)

    def history(self, case_id: str) -> list[Outcome]:
        """All tries of a case that ended, oldest first."""
        with self._guard:
            numbers = self._index.tries(case_id)
        return list(self._outcomes(numbers)) if numbers else []

    def state(self, case_id: str) -> State:
        """What a case comes to. One that is under way now is what it was before; unknown is one that was begun, is
        not under way in whoever holds the lock, and has no end."""
        with self._guard:
            number = self._index.last.get(case_id)
            if number is not None and self._index.succeeded[number]:
                return "succeeded"
            begun = self._begun.get(case_id)
            if begun is not None and begun < self._running_from:
                return "unknown"
            return "not_run" if number is None else "failed"

    @property
    def unknown(self) -> set[str]:
        """Cases that may have been asked, and of which nobody knows how they ended."""
        with self._guard:
            return {case for case in self._begun if self.state(case) == "unknown"}

    @property
    def under_way(self) -> set[str]:
        """Cases that whoever holds the lock, here or elsewhere, is asking."""
        with self._guard:
            return {case for case, place in self._begun.items() if place >= self._running_from}

    def _outcomes(self, numbers: Iterable[int]) -> Iterator[Outcome]:
        places = ((self._index.places[number], self._index.lengths[number]) for number in numbers)
        with _disk_errors(str(self.path)):
            for line in self._lines.read(places):
                try:
                    record = record_of(line)
                except msgspec.DecodeError:
                    record = None
                if not isinstance(record, Outcome):
                    raise DifyError(t("sweep.store.changed", directory=str(self.path)), code="store")
                yield record

    # -- tapes --------------------------------------------------------------------------

    def spool(self) -> Path | None:
        """Where a long tape may lie while it is written; None keeps it in memory.

        Raises:
            ConfigError: `DIFY_NOTEBOOK_RUNS` is no word that it may be.
            OSError: the directory cannot be made.
        """
        return self._tapes.spool()

    def keep_tape(self, case_id: str, turn_number: int, attempt: int, tape: Tape, turn: Turn) -> str | None:
        """Keep the tape of a turn, and read it from there from now on. This packs it: not for an event loop.

        Args:
            turn_number: from 1.
            attempt: how many tries of the case there were before.

        Returns:
            Its name; None where it could not be kept, which a line of the log says.
        """
        return self._tapes.keep(f"{case_id}-{attempt}-{turn_number}", tape, turn)

    def tape(self, name: str) -> Tape:
        """The tape of that name, read with each look.

        Raises:
            TapeGone: it is not kept any more.
            TapeError: it is damaged, or that is no name of one.
        """
        return self._tapes.tape(name)

    def turn(self, answer: Answer) -> Turn:
        """The turn that an answer was, told anew by its tape.

        Raises:
            TapeGone: no tape of it is kept.
            TapeError: it is damaged.
        """
        if answer.tape is None:
            raise TapeGone(t("sweep.store.no_tape"), code="tape_gone")
        return self.tape(answer.tape).replay()


@contextmanager
def _disk_errors(directory: str) -> Iterator[None]:
    """What a disk refuses, as an error that says what to do."""
    try:
        yield
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise DifyError(
            t("sweep.store.disk", directory=directory, problem=reason), code="store", hint=t("sweep.store.disk.hint")
        ) from problem
    except Irregular:
        refuse("not_empty", Path(directory))
