"""The data directory of an embedded server: what lies in it, and who may read it (only its user)."""

from __future__ import annotations

import json
import os
import secrets
import string
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import DifyError
from ...logs import logger
from ...paths import expand
from ...private import data_dir, make_private, private_directory, write_private
from .damage import damaged_keys

log = logger("dify_notebook.local")


class LocalServerError(DifyError):
    """The embedded server cannot be started or reached."""


def default_directory() -> Path:
    """This user's directory; `DIFY_NOTEBOOK_DATA_DIR` moves its base.

    Raises:
        ConfigError, OSError: see `data_dir`.
    """
    return data_dir() / "local"


@dataclass(frozen=True)
class Keys:
    """The secrets of a directory. Its repr shows none."""

    apps: dict[str, str]
    signing: str

    def __repr__(self) -> str:
        return f"Keys(apps={sorted(self.apps)})"

    def app_of(self, key: str) -> str | None:
        """Name of the app that a key opens; compared without telling by time how much of it is right."""
        app = None
        for name, known in self.apps.items():
            if secrets.compare_digest(known.encode(), key.encode("utf-8", "replace")):
                app = name
        return app


@dataclass(frozen=True)
class Directory:
    """Paths inside a data directory. All names are ours; none is made from what a user sent."""

    root: Path

    @property
    def lock(self) -> Path:
        return self.root / "server.lock"

    @property
    def server(self) -> Path:
        return self.root / "server.json"

    @property
    def keys(self) -> Path:
        return self.root / "keys.json"

    @property
    def database(self) -> Path:
        return self.root / "store.sqlite3"

    @property
    def port(self) -> Path:
        return self.root / "port"

    @property
    def files(self) -> Path:
        return self.root / "files"

    @classmethod
    def open(cls, path: str | os.PathLike[str] | None) -> Directory:
        """Make the directory if need be (mode 0700), and what it holds.

        Raises:
            ConfigError: another account owns it.
            OSError: it cannot be made or written.
        """
        root = expand(path, argument="data_dir") if path is not None else default_directory()
        directory = cls(private_directory(root).resolve())
        private_directory(directory.files)
        for file in (directory.keys, directory.server, directory.port, directory.lock):
            make_private(file)
        return directory

    def sweep(self) -> None:
        """Drop what is left of uploads that were cut off by the end of a process; only for who holds the lock."""
        for part in self.files.glob("*.part"):
            part.unlink(missing_ok=True)

    def delete_files(self, names: Iterable[str]) -> None:
        """Delete files that no row speaks of any more; one that cannot be deleted is no reason to stop."""
        for name in names:
            try:
                (self.files / name).unlink(missing_ok=True)
            except OSError as error:
                log.warning("a file of a forgotten run could not be deleted: %s", error)

    def read_keys(self) -> Keys:
        """The keys of this directory: that for signing, made on first use, and those of the apps that were served.

        Made under an exclusive name first and then linked into place: of two processes that make
        keys at the same moment, one wins and both read the winner's.

        Raises:
            LocalServerError: the file is damaged.
            OSError: it cannot be read or written.
        """
        try:
            return _keys(self.keys)
        except FileNotFoundError:
            _write_new(self.keys, {"apps": {}, "signing": secrets.token_urlsafe(32)})
            return _keys(self.keys)

    def keys_for(self, apps: Iterable[str]) -> Keys:
        """The keys, with one for each of these apps too; only for who holds the directory's lock."""
        keys = self.read_keys()
        new = {name: new_key() for name in apps if name not in keys.apps}
        if new:
            content = {"apps": {**keys.apps, **new}, "signing": keys.signing}
            write_private(self.keys, json.dumps(content, indent=1), last=True)
            keys = _keys(self.keys)
        return keys

    def read_server(self) -> dict[str, Any] | None:
        """What server.json says (`url`, `pid`, `nonce`), or None where there is none that can be read."""
        try:
            content = json.loads(self.server.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        types = {"url": str, "pid": int, "nonce": str}
        valid = isinstance(content, dict) and all(isinstance(content.get(name), kind) for name, kind in types.items())
        return content if valid else None

    def last_port(self) -> int | None:
        """The port of the last server here, also after it ended in order; None where there was none."""
        try:
            port = int(self.port.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        return port if 0 < port < 65536 else None

    def write_port(self, port: int) -> None:
        """Remember the port, so that the next server can have the same address; as `write_server` does."""
        write_private(self.port, str(port))

    def write_server(self, url: str, nonce: str) -> None:
        """Say who serves this directory; written aside and moved into place, so never half read."""
        write_private(self.server, json.dumps({"url": url, "pid": os.getpid(), "nonce": nonce}))


def new_key() -> str:
    """A fresh key in the form that Dify's have."""
    letters = string.ascii_letters + string.digits
    return "app-" + "".join(secrets.choice(letters) for _ in range(24))


def _keys(path: Path) -> Keys:
    """Raises: LocalServerError, for a file that is damaged; OSError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        apps, signing = dict(content["apps"]), content["signing"]
        if not all(isinstance(text, str) and text for text in (*apps, *apps.values(), signing)):
            raise ValueError("a key is no text")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise LocalServerError(damaged_keys(path, error), code="data_dir") from None
    return Keys(apps=apps, signing=signing)


def _write_new(path: Path, content: object) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix="keys-", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)
        except FileExistsError:
            return
        except OSError:
            # A file system without hard links: a plain move, where the last of two makers wins.
            if not path.exists():
                os.replace(name, path)
    finally:
        if os.path.exists(name):
            os.unlink(name)
