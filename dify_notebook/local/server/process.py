"""One server for each data directory: started in a thread here, or found in another process."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import errno
import http.client
import os
import secrets
import socket
import sqlite3
import tempfile
import threading
import time
from collections.abc import Coroutine, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from ...console import warn
from ...errors import ConfigError, DifyError, InputError
from ...i18n import t
from ...logs import logger, say_once
from ...printable import one_line
from ..faults import FaultPlan
from ..options import Options
from ..store.damage import damaged_store, is_damage
from ..store.directory import APP_NAMES, Directory, Keys
from ..store.directory import LocalServerError as LocalServerError
from ..store.lock import DirectoryLock
from ..threads import in_thread

if TYPE_CHECKING:
    from ..store.store import Store

log = logger("dify_notebook.local")

CONNECTIONS = 1024
"""Open at once."""
_DISK = frozenset(
    (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST, errno.ENOENT)
)
_PATIENCE = 10.0
"""Seconds to wait for another process that has the directory and does not answer yet."""


class Server:
    """An embedded server that answers, whichever process runs it."""

    def __init__(self, url: str, directory: Directory, keys: Keys) -> None:
        self.url = url
        """Scheme, host and port."""
        self.directory = directory
        self._keys = keys

    @property
    def base_url(self) -> str:
        """What a client needs; ends in /v1."""
        return f"{self.url}/v1"

    @property
    def data_dir(self) -> Path:
        """Where it keeps its things."""
        return self.directory.root

    @property
    def apps(self) -> tuple[str, ...]:
        """Names of its apps."""
        return tuple(self._keys.apps)

    def api_key(self, app: str = "guide") -> str:
        """The key of one of its apps: guide, toolbox, pipeline, or one that was given to `serve()`.

        Raises:
            LocalServerError: no such app.
        """
        try:
            return self._keys.apps[app]
        except KeyError:
            raise LocalServerError(t("local.no_app", app=app, apps=", ".join(self._keys.apps))) from None

    def close(self) -> None:
        """Nothing to do: another process runs it, and this one only found it."""

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url} data_dir={str(self.data_dir)!r}>"


def run_to_end(work: Coroutine[Any, Any, None]) -> None:
    """As `asyncio.run`, which at its end starts a thread to wait for its workers: since Python 3.12 that raises
    where the interpreter itself is ending, and that is when a script's server ends."""
    loop = asyncio.new_event_loop()
    # Looking up a name waits for another machine, see threads.py; the loop would do it in its pool.
    loop.getaddrinfo = partial(in_thread, socket.getaddrinfo)  # type: ignore[method-assign,call-arg]
    workers = concurrent.futures.ThreadPoolExecutor(thread_name_prefix="dify_notebook.local")
    loop.set_default_executor(workers)
    try:
        loop.run_until_complete(work)
    finally:
        try:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            workers.shutdown()
            loop.close()


class LocalServer(Server):
    """A server that this process runs, in a thread that dies with it."""

    def __init__(self, directory: Directory, lock: DirectoryLock, options: Options) -> None:
        from ..engine.run import Runs
        from ..store.store import Store

        # A wrong fault is told before anything is opened.
        self.faults = FaultPlan.of(options.faults)
        """Faults for the next question: `server.faults.once("drop=100")`; see faults.py."""
        served = [*APP_NAMES, *(app.name for app in options.apps)]
        kept = directory.keys_for(served)
        directory.sweep()
        # The directory also keeps the keys of apps that were served from it before.
        keys = Keys({name: kept.apps[name] for name in dict.fromkeys(served)}, kept.signing)
        self._lock = lock
        self._owner = os.getpid()
        self._socket = _listen(options, directory)
        host, number = self._socket.getsockname()[:2]
        # Who listens everywhere is reached at 127.0.0.1 too.
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
        super().__init__(f"http://{shown}:{number}", directory, keys)
        self._nonce = secrets.token_urlsafe(24)
        self._ready = threading.Event()
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runs = Runs()
        try:
            self._store = Store(directory)
        except BaseException:
            self._socket.close()
            raise
        self._uvicorn = self._build(options)
        self._thread = threading.Thread(target=self._run, name="dify_notebook-local", daemon=True)

    def start(self) -> None:
        """Begin to answer; returns when it does.

        Raises:
            LocalServerError: it does not come up.
        """
        self._thread.start()
        self._ready.wait(_PATIENCE)
        if self._failure is not None or not self._ready.is_set():
            self.close()
            raise LocalServerError(t("local.not_started", reason=self._failure or "timeout"))
        self.directory.write_server(self.url, self._nonce)
        self.directory.write_port(self._socket.getsockname()[1])

    def close(self) -> None:
        """End it; running answers are written down as far as they got. May be repeated, also in a fork."""
        if self._owner != os.getpid():
            return
        with _guard:
            if _own.get(self.data_dir) is self:
                del _own[self.data_dir]
        self._end_runs()
        self._uvicorn.should_exit = True
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_PATIENCE)
        self._store.close()
        self._socket.close()
        told = self.directory.read_server()
        if told is not None and told["nonce"] == self._nonce:
            self.directory.server.unlink(missing_ok=True)
        self._lock.release()

    def __enter__(self) -> LocalServer:
        return self

    @property
    def alive(self) -> bool:
        """Whether its thread runs, in this process."""
        return self._owner == os.getpid() and self._thread.is_alive()

    def join(self, timeout: float | None = None) -> None:
        """Wait until it ends.

        Not by joining the thread: up to Python 3.12 a Ctrl+C in that leaves a thread that runs marked as ended.
        """
        self._ended.wait(timeout)

    def _build(self, options: Options) -> Any:
        import uvicorn

        from ..apps.catalog import APPS
        from ..engine.speech import find_speech
        from ..simulate.playback import Player
        from .application import application
        from .context import Context
        from .signing import Signer

        context = Context(
            directory=self.directory,
            keys=self._keys,
            store=self._store,
            runs=self._runs,
            signer=Signer(self._keys.signing, self.url),
            apps=APPS | {app.name: app for app in options.apps},
            options=options,
            faults=self.faults,
            player=Player(options.play, options.speed) if options.play else None,
            speech=options.speech or find_speech(),
            nonce=self._nonce,
        )
        config = uvicorn.Config(
            application(context),
            log_config=None,
            access_log=False,
            lifespan="on",
            loop="asyncio",
            ws="none",
            # h11 has a bound on the bytes of headers (16 KB); others that uvicorn may find installed have none.
            http="h11",
            # Connections and requests at once; more hear 503.
            limit_concurrency=CONNECTIONS,
            server_header=False,
            timeout_graceful_shutdown=1,
            # A client may come back to a kept connection later than uvicorn's five seconds.
            timeout_keep_alive=75,
        )
        return uvicorn.Server(config)

    def _end_runs(self) -> None:
        """Streams end by themselves once their runs do; uvicorn would cut them off, and complain."""
        if self._loop is None or not self.alive:
            return
        with contextlib.suppress(concurrent.futures.TimeoutError, RuntimeError):
            # RuntimeError: the loop closed meanwhile, and the runs with it.
            asyncio.run_coroutine_threadsafe(self._runs.close(), self._loop).result(_PATIENCE)

    def _run(self) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            serving = asyncio.ensure_future(self._uvicorn.serve(sockets=[self._socket]))
            while not self._uvicorn.started and not serving.done():
                await asyncio.sleep(0.001)
            self._ready.set()
            await serving

        try:
            run_to_end(main())
        except BaseException as error:  # told by whoever started the thread
            self._failure = error
            log.error("the embedded server ended badly", exc_info=error)
        finally:
            self._ready.set()
            self._ended.set()

    def _forked(self) -> None:
        """In a child: this is the parent's. Its socket must not stay open here, its database untouched."""
        self._store.leave_to_parent()
        self._socket.close()


_own: dict[Path, LocalServer] = {}
"""Servers of this process, by directory: the lock between processes does not see two in one."""
_guard = threading.RLock()


def serve(data_dir: str | os.PathLike[str] | None, options: Options) -> LocalServer:
    """See `dify_notebook.local.serve`."""
    try:
        options.check()
    except ValueError as error:
        raise LocalServerError(str(error)) from None
    if options.host.strip("[]") not in ("127.0.0.1", "localhost", "::1"):
        warn(t("local.exposed", host=one_line(options.host)), stacklevel=3)
    directory = _open(data_dir)
    with _guard:
        started = _start(directory, options)
    if started is None:
        told = directory.read_server() or {"pid": "?", "url": "?"}
        raise LocalServerError(t("local.taken", path=directory.root, pid=told["pid"], url=told["url"]))
    return started


_aside: list[tempfile.TemporaryDirectory[str]] = []
"""The directory of this process's own, where the user's cannot be used."""


def ensure(data_dir: str | os.PathLike[str] | None = None) -> Server:
    """See `dify_notebook.local.ensure`."""
    if data_dir is not None:
        return _ensure(data_dir)
    if not _aside:
        try:
            return _ensure(None)
        except LocalServerError as error:
            if not _unwritable(error):
                raise
            problem = error
        try:
            _aside.append(tempfile.TemporaryDirectory(prefix="dify_notebook-", ignore_cleanup_errors=True))
        except OSError:  # nowhere at all
            raise problem from None
        say_once("local", t("local.aside", problem=problem.message))
    return _ensure(_aside[0].name)


def _unwritable(error: LocalServerError) -> bool:
    """Whether it is the disk that does not let us, and no damage, no other account and no other process."""
    cause = error.__cause__
    full = isinstance(cause, sqlite3.OperationalError) and not is_damage(cause)
    return full or error.code == "no_path" or (isinstance(cause, OSError) and cause.errno in _DISK)


def _ensure(data_dir: str | os.PathLike[str] | None) -> Server:
    directory = _open(data_dir)
    own = _own.get(directory.root)
    if own is not None and own.alive:
        return own
    end = time.monotonic() + _PATIENCE
    while True:
        told = directory.read_server()
        if told is not None and told["pid"] != os.getpid() and _answers(told["url"], told["nonce"]):
            return Server(told["url"], directory, directory.read_keys())
        with _guard:
            own = _own.get(directory.root)
            if own is not None and own.alive:
                return own
            started = _start(directory, Options())
        if started is not None:
            return started
        if time.monotonic() > end:
            told = told or {"pid": "?", "url": "?"}
            raise LocalServerError(t("local.silent", path=directory.root, pid=told["pid"], url=told["url"]))
        time.sleep(0.05)


@contextlib.contextmanager
def store_of(data_dir: str | os.PathLike[str] | None) -> Iterator[tuple[Directory, Store]]:
    """A data directory and its store, for work that is no request.

    It is the store of this process's server where one runs there, else one that is opened for as long as this lasts.

    Raises:
        LocalServerError: another process serves the directory, or it cannot be used.
    """
    from ..store.schema import NewerStore
    from ..store.store import Store

    directory = _open(data_dir)
    with _guard:
        own = _own.get(directory.root)
        if own is not None and own.alive:
            yield directory, own._store
            return
        lock = DirectoryLock(directory.lock)
        if not _acquired(lock):
            told = directory.read_server() or {"pid": "?", "url": "?"}
            raise LocalServerError(t("local.taken", path=directory.root, pid=told["pid"], url=told["url"]))
        try:
            store = Store(directory)
        except (OSError, sqlite3.Error, NewerStore) as error:
            lock.release()
            raise _not_started(directory, error) from error
        try:
            yield directory, store
        finally:
            store.close()
            lock.release()


def _start(directory: Directory, options: Options) -> LocalServer | None:
    """A server of this process, or None when the directory is taken."""
    own = _own.get(directory.root)
    if own is not None:
        if own.alive:
            return None
        own.close()
    lock = DirectoryLock(directory.lock)
    if not _acquired(lock):
        return None
    try:
        server = LocalServer(directory, lock, options)
        server.start()
    except BaseException as error:
        lock.release()
        if isinstance(error, DifyError) or not isinstance(error, Exception):
            raise
        raise _not_started(directory, error) from error
    _own[directory.root] = server
    return server


def _acquired(lock: DirectoryLock) -> bool:
    try:
        return lock.acquire()
    except OSError as error:  # something else has its name, or it cannot be opened
        raise LocalServerError(t("local.no_directory", reason=error), code="data_dir") from error


def _not_started(directory: Directory, error: Exception) -> LocalServerError:
    if is_damage(error):
        return LocalServerError(damaged_store(directory.database, error), code="data_dir")
    where = f"{directory.database}: " if isinstance(error, sqlite3.Error) else ""
    return LocalServerError(t("local.not_started", reason=f"{where}{error}"))


def _open(data_dir: str | os.PathLike[str] | None) -> Directory:
    try:
        return Directory.open(data_dir)
    except (ConfigError, InputError) as error:
        raise LocalServerError(error.message, code=error.code) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in its name
        raise LocalServerError(t("local.no_directory", reason=error)) from error


def _listen(options: Options, directory: Directory) -> socket.socket:
    """A listening socket. With port 0 the last port is tried first, so that addresses in use stay good."""
    wanted = [options.port]
    if options.port == 0 and (last := directory.last_port()):
        wanted.insert(0, last)
    host = options.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for number in wanted:
        # The protocol by name: only then does asyncio switch off Nagle's algorithm, which would hold back
        # the second piece of each answer on a kept connection for 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            if os.name == "posix":
                # On Windows this option would let a second server share the port.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, number))
            listener.listen(256)
            return listener
        except OSError:
            listener.close()
            if number == wanted[-1]:
                raise
    raise AssertionError("a port was tried")


def _answers(url: str, nonce: str) -> bool:
    """Whether the server at an address is alive and the one that wrote server.json."""
    from .challenge import proof

    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname is None or parts.port is None:
        return False
    challenge = secrets.token_urlsafe(16)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=2)
    try:
        connection.request("GET", "/?" + urlencode({"challenge": challenge}))
        response = connection.getresponse()
        return response.status == 200 and proof(nonce, challenge).encode() in response.read(65536)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _after_fork() -> None:
    global _guard
    _guard = threading.RLock()
    for server in _own.values():
        server._forked()
    _own.clear()


def _at_exit() -> None:
    for server in list(_own.values()):
        server.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
