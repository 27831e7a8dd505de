"""Where keys may lie: in a keyring that answers, in a file that only the user can read, or in memory.

Keys are filed under profile and server together, so that a profile whose address is changed
by hand does not take its key to another server.
"""

from __future__ import annotations

import hashlib
import os
import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

from .console import warn
from .errors import ConfigError
from .i18n import t
from .printable import MESSAGE, one_line
from .private import config_dir, write_private
from .secret import Secret

T = TypeVar("T")
Storage = Literal["keyring", "file", "memory"]
SERVICE = "dify_notebook"
KEYRING_SECONDS = 2.0
"""A keyring that waits for somebody to unlock it must not hold up a notebook."""

_memory: dict[str, Secret] = {}


class _NoAnswer(Exception):
    """The keyring failed or did not answer. Carries no more than a name: its own error may hold the key."""


def account(profile: str, base_url: str) -> str:
    """Under what a profile's key is filed."""
    return f"{profile} {base_url}"


def keyring_answers() -> bool:
    """Whether there is a keyring that keeps keys hidden and answers within `KEYRING_SECONDS`."""

    def probe() -> bool:
        import keyring

        backend = keyring.get_keyring()
        if _is_insecure(backend):
            return False
        backend.get_password(SERVICE, "probe")
        return True

    try:
        return _call_in_thread(probe)
    except _NoAnswer:
        return False


def _is_insecure(backend: Any) -> bool:
    """Backends that keep nothing, or keep it readable; a chain with one of them may use just that one."""
    inner = getattr(backend, "backends", None)
    if inner is not None and any(_is_insecure(inner_backend) for inner_backend in inner):
        return True
    kind = type(backend)
    name = f"{kind.__module__}.{kind.__qualname__}".lower()
    return any(word in name for word in ("null", "fail", "plaintext", "plain_text"))


def store(account: str, key: Secret, storage: Storage) -> None:
    """Keep the key there.

    Raises:
        ConfigError: it does not take it.
    """
    if storage == "memory":
        _memory[account] = key
        return
    if storage == "file":
        path = key_path(account)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.chmod(path.parent, 0o700)
        write_private(path, key.reveal() + "\n")
        return

    def put() -> None:
        import keyring

        keyring.get_keyring().set_password(SERVICE, account, key.reveal())

    problem = ""
    try:
        _call_in_thread(put)
    except _NoAnswer as raised:
        problem = str(raised)
    if problem:
        raise ConfigError(t("net.keyring", problem=problem), code="keyring")


def load(account: str, storage: str, environ: Mapping[str, str]) -> Secret | None:
    """The key that lies there, or None.

    Args:
        storage: keyring, file, memory or env:NAME.

    Raises:
        ConfigError: the keyring does not answer, or the file cannot be read.
    """
    if storage.startswith("env:"):
        return Secret.hide(environ.get(storage[4:]) or None)
    if storage == "memory":
        return _memory.get(account)
    if storage == "file":
        return _read_file(key_path(account))

    def get() -> Secret | None:
        import keyring

        backend = keyring.get_keyring()
        return None if _is_insecure(backend) else Secret.hide(backend.get_password(SERVICE, account))

    try:
        return _call_in_thread(get)
    except _NoAnswer as raised:
        problem = str(raised)
    raise ConfigError(t("net.keyring", problem=problem), code="keyring")


def remove(account: str, storage: str) -> bool:
    """Take the key away; False when the keyring did not let it go. A variable stays as it is."""
    _memory.pop(account, None)
    if storage == "file":
        key_path(account).unlink(missing_ok=True)
    elif storage == "keyring":

        def drop() -> None:
            import keyring

            backend = keyring.get_keyring()
            if backend.get_password(SERVICE, account) is not None:
                backend.delete_password(SERVICE, account)

        try:
            _call_in_thread(drop)
        except _NoAnswer:
            return False
    return True


def keys_dir() -> Path:
    """Where the files with keys lie; it need not exist."""
    return config_dir() / "keys"


def key_path(account: str) -> Path:
    """The file for one key. Its name tells nothing."""
    return keys_dir() / hashlib.sha256(account.encode()).hexdigest()[:32]


def _read_file(path: Path) -> Secret | None:
    problem = ""
    try:
        key = Secret.hide(path.read_text(encoding="utf-8"))
        if os.name == "posix" and path.stat().st_mode & 0o077:
            os.chmod(path, 0o600)
            warn(one_line(t("net.key_file_open", path=path), MESSAGE), UserWarning, stacklevel=4)
        return key
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as raised:
        problem = type(raised).__name__
    raise ConfigError(t("net.key_file", path=path, problem=problem), code="api_key")


def _call_in_thread(call: Callable[[], T]) -> T:
    """What it gives, from a thread that is left alone when it does not answer in time.

    Raises:
        _NoAnswer: it failed or did not answer. Nothing of its own error hangs on that.
    """
    answers: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((True, call()))
        except BaseException as raised:  # whatever a backend raises is an answer of no use
            answers.put((False, type(raised).__name__))

    threading.Thread(target=run, name="dify_notebook keyring", daemon=True).start()
    succeeded = False
    answer: Any = f"{KEYRING_SECONDS:g} s"
    with suppress(queue.Empty):
        succeeded, answer = answers.get(timeout=KEYRING_SECONDS)
    if not succeeded:
        raise _NoAnswer(answer)
    return answer  # type: ignore[no-any-return]  # what `call` gave
