"""This user's directories, those that only they can read, and files that nobody else ever could, not for a moment."""

from __future__ import annotations

import os
import shlex
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from .errors import ConfigError
from .i18n import t
from .logs import logger
from .paths import user_directory

log = logger()
_logged: set[Path] = set()


def data_dir(*, make: bool = True) -> Path:
    """The directory that is ours: runs, the embedded server, the user's name. Mode 0700.

    Args:
        make: whether to make it; else it need not exist.

    Raises:
        ConfigError: another account owns it, or there is no path in `DIFY_NOTEBOOK_DATA_DIR`.
        OSError: it cannot be made.
    """
    directory = user_directory("data")
    return private_directory(directory) if make else directory


def config_dir() -> Path:
    """The user's configuration directory of this package; it need not exist.

    `DIFY_NOTEBOOK_CONFIG_DIR` names another one.

    Raises:
        ConfigError: that is no path, or this account has no home directory.
    """
    return user_directory("config")


def private_directory(path: Path) -> Path:
    """Make a directory that only its user can enter (mode 0700), or make an existing one such.

    One line in the log tells, once for each directory, that an existing one was closed to others, or that it could
    not be: some network shares have no modes, and show all that lies there as one account's, which is no reason to
    refuse them. The home directory and shared ones (with the sticky bit, such as /tmp) are never closed; that is
    told too.

    Raises:
        ConfigError: another account owns it; the message has the command that mends it.
        OSError: it cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        if not path.is_dir():
            raise
    if os.name != "posix":
        return path
    info = os.stat(path)
    if info.st_uid != os.geteuid() and not _maps_owners(path, info.st_uid):
        command = f"sudo chown -R {os.geteuid()} {shlex.quote(str(path.absolute()))}"
        raise ConfigError(t("private.not_yours", path=path, owner=info.st_uid, command=command), code="data_dir")
    if info.st_mode & 0o077:
        _close(path, info.st_mode)
    return path


def _maps_owners(path: Path, owner: int) -> bool:
    """Whether what we make there belongs to that owner too: some network shares give one name to all."""
    try:
        with tempfile.TemporaryFile(dir=path) as probe:
            return os.fstat(probe.fileno()).st_uid == owner
    except OSError:
        return False


def _close(path: Path, mode: int) -> None:
    shared = bool(mode & stat.S_ISVTX) or path.resolve() in (_home(), Path(path.resolve().anchor))
    if not shared:
        with suppress(OSError):  # what came of it is looked at below
            path.chmod(0o700)
    closed = not os.stat(path).st_mode & 0o077
    if path.resolve() not in _logged:
        _logged.add(path.resolve())
        log.warning(t("private.closed" if closed else "private.open", path=path))


def _home() -> Path | None:
    try:
        return Path.home().resolve()
    except RuntimeError:  # an account without a home
        return None


def write_private(path: Path, text: str, *, last: bool = False) -> None:
    """Write a small file (mode 0600) aside and move it into place, so that it is never half read.

    Args:
        last: also make sure of it that it outlives the machine's sudden end.

    Raises:
        OSError: it cannot be written; then nothing of it is left.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem}-", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            if last:
                file.flush()
                os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def private_opener(path: str, flags: int) -> int:
    """`opener` for `open`: a file that is made is this user's alone (mode 0600) from its first moment.

    Raises:
        OSError: it cannot be opened so.
    """
    return os.open(path, flags, 0o600)


def make_private(path: Path) -> None:
    """Make a file that is there unreadable for others; harmless where it is not, or has no modes."""
    with suppress(OSError):
        if stat.S_IMODE(os.stat(path).st_mode) & 0o077:
            os.chmod(path, 0o600)
