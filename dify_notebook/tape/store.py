"""Where the tapes of this machine's runs are kept."""

from __future__ import annotations

import os
import re
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, DifyError
from ..i18n import t
from ..logs import warn_once
from ..paths import expand, unquoted
from ..private import data_dir

if TYPE_CHECKING:
    from . import Tape
_SUFFIX = ".tape.gz"
_STAMP = len("20260314T120000-")

#: Seconds after which the tapes are looked at again: other kernels add some, and some are too old by then.
LOOK_SECONDS = 60.0
#: What stays of `max_bytes` once it was passed, so that not every tape passes it again.
ROOM = 0.95


class RunStore:
    """The tapes of this machine's runs: a private directory, bounded in size and age."""

    def __init__(
        self,
        directory: Path,
        *,
        max_bytes: int = 500_000_000,
        max_age: float = 30 * 86_400,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.directory = expand(directory, argument="directory").absolute()
        self.max_bytes = max_bytes
        """Of all tapes, packed; the oldest go first. Other kernels' count within a minute."""
        self.max_age = max_age
        """Seconds since a tape was written; a minute more at most."""
        self._clock = clock
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._bytes = 0  # of all tapes: those of the last look, and what was added here since

    @property
    def enabled(self) -> bool:
        """Whether runs are kept; `%dify runs off` and DIFY_NOTEBOOK_RUNS=off say no.

        Raises:
            ConfigError: `DIFY_NOTEBOOK_RUNS` is a word that says neither.
        """
        return runs_wanted() and not self._off_file.exists()

    @enabled.setter
    def enabled(self, on: bool) -> None:
        self._make()
        if on:
            self._off_file.unlink(missing_ok=True)
        else:
            self._off_file.touch()

    @property
    def _off_file(self) -> Path:
        return self.directory / "off"

    def _make(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(OSError):  # some file systems have no modes
            self.directory.chmod(0o700)

    def spool(self) -> Path | None:
        """Where a long tape may lie while it is written; None when keeping is switched off."""
        if not self.enabled:
            return None
        self._make()
        return self.directory

    def add(self, tape: Tape, name: str) -> Path | None:
        """Keep a tape, unless keeping is switched off; drops the oldest where there are too many.

        Returns:
            Where it lies; None where it is not kept, as when it alone is larger than the store may be.

        Raises:
            OSError: the directory cannot be written, or the disk is full; then nothing of it is left there.
        """
        if not self.enabled:
            return None
        self._make()
        second = self._clock()
        safe = _safe(name)
        path = self._path(second, safe)
        while safe != "run" and path.exists():  # a run that paused and went on within a second: the whole comes later
            second += 1
            path = self._path(second, safe)
        if path.exists():  # two runs without a message in one second
            path = self._path(second, f"{safe}-{secrets.token_hex(3)}")
        try:
            tape.save(path)
        except BaseException:
            with suppress(OSError):  # half a tape would look like a damaged one
                path.unlink(missing_ok=True)
            raise
        with suppress(OSError):  # it is kept, whatever became of the others
            self._added(path.stat().st_size)
        return path if path.exists() else None

    def _path(self, second: float, name: str) -> Path:
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(second))
        return self.directory / f"{stamp}-{name}{_SUFFIX}"

    def paths(self) -> list[Path]:
        """The tapes, oldest first."""
        return sorted(self.directory.glob(f"*{_SUFFIX}"))

    @staticmethod
    def name(path: Path) -> str:
        """A tape's own name."""
        return path.name.removesuffix(_SUFFIX)

    def of(self, name: str) -> Path | None:
        """The newest tape that was kept under that name, or under a name of its own."""
        names = {_safe(name), name}
        for path in reversed(self.paths()):
            own = self.name(path)
            if own in names or own[_STAMP:] in names:
                return path
        return None

    def _added(self, size: int) -> None:
        """Let the oldest go where one more of `size` bytes makes too many. Of thousands a look takes long: there is one
        where the bound may be passed, and where the last was long ago."""
        now = self._clock()
        with self._lock:
            self._bytes += size
            if self._bytes <= self.max_bytes and 0 <= now - self._looked < LOOK_SECONDS:
                return
            self._looked, self._bytes = now, self._prune(now)

    def _prune(self, now: float) -> int:
        """Let go what is too much or too old. Gives the bytes of what is left."""
        with os.scandir(self.directory) as entries:
            names = sorted((entry.name for entry in entries if entry.name.endswith(_SUFFIX)), reverse=True)
        tapes = []
        for name in names:
            with suppress(OSError):  # pruned by another kernel meanwhile
                tapes.append((self.directory / name, os.stat(self.directory / name)))
        passed = sum(info.st_size for _, info in tapes) > self.max_bytes
        total = left = 0
        for path, info in tapes:
            # The newest one may fill it alone.
            limit = self.max_bytes * ROOM if passed and total else self.max_bytes
            total, left = total + info.st_size, left + info.st_size
            if total > limit or now - info.st_mtime > self.max_age:
                with suppress(OSError):  # read by somebody (on Windows), or on a disk that fails
                    os.unlink(path)
                    left -= info.st_size
        return left


class NullStore(RunStore):
    """In the place of a store that cannot be: nothing is kept, and nothing is there.

    Args:
        problem: why; raised for who would switch it on or off.
    """

    def __init__(self, directory: Path, problem: Exception) -> None:
        try:
            super().__init__(directory)
        except OSError:  # a relative one, where the directory that Python is in was deleted
            super().__init__(Path(os.sep, directory))
        self._problem = problem

    @property
    def enabled(self) -> bool:
        """Never."""
        return False

    @enabled.setter
    def enabled(self, on: bool) -> None:
        raise self._problem

    def paths(self) -> list[Path]:
        """None."""
        return []


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "", name)[:40] or "run"


_ANSWERS = {"": True, "on": True, "1": True, "yes": True, "true": True}
_ANSWERS |= {"off": False, "0": False, "no": False, "false": False}


def runs_wanted() -> bool:
    """What `DIFY_NOTEBOOK_RUNS` says.

    Raises:
        ConfigError: it is a word that says neither; whoever wants nothing kept must not be misunderstood.
    """
    value = os.environ.get("DIFY_NOTEBOOK_RUNS", "")
    wanted = _ANSWERS.get(unquoted(value).lower())
    if wanted is None:
        raise ConfigError(t("tape.bad_setting", value=repr(value)), code="runs")
    return wanted


_stores: dict[Path, RunStore] = {}


def run_store() -> RunStore:
    """The store of this user's runs; one that keeps nothing where there can be no directory of ours, which a line of
    the log says once."""
    directory = Path("runs")
    try:
        directory = data_dir(make=False) / directory
        data_dir()
        return _stores.setdefault(directory, RunStore(directory))
    except (OSError, ValueError, ConfigError) as problem:
        not_kept(problem)
        return NullStore(directory, problem)


def not_kept(problem: Exception, directory: Path | None = None) -> None:
    """Say that runs are not kept, and why: once for each cause, and not with every run's own name."""
    reason = problem.message if isinstance(problem, DifyError) else str(problem) or type(problem).__name__
    if isinstance(problem, OSError) and problem.strerror and directory is not None:
        reason = f"{problem.strerror}: {directory}"
    warn_once(f"runs {reason}", t("tape.not_kept", problem=reason))
