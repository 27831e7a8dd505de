"""One server for each data directory: started in a thread here, or found in another process."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import errno
import os
import secrets
import socket
import sqlite3
import tempfile
import threading
import time
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...console import warn
from ...errors import DifyError
from ...i18n import t
from ...logs import logger, warn_once, without_tokens
from ...printable import one_line
from ..faults import FaultPlan
from ..options import Options
from ..store import registry
from ..store.damage import is_damage
from ..store.directory import Directory, Keys, LocalServerError
from ..store.lock import DirectoryLock
from ..store.paused import FormTokens, PausedRuns
from ..store.store import Store
from ..threads import in_thread
from .server import Server, answers

if TYPE_CHECKING:
    import uvicorn

log = logger("dify_notebook.local")
logger("uvicorn.asgi")  # at the level TRACE it writes down each request, with its path and headers
without_tokens("uvicorn.access")  # a second lock: `Connection` writes no access log, and a form's token is in a path

CONNECTIONS = 1024
"""Open at once."""
_DISK = frozenset(
    (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST, errno.ENOENT)
)
_TIMEOUT = 10.0
"""Seconds to wait for another process that has the directory and does not answer yet."""


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
        from ..apps.catalog import APPS
        from ..engine.runs import Runs

        # A wrong fault is told before anything is opened.
        self.faults = FaultPlan.of(options.faults)
        """Faults for the next question: `server.faults.once("drop=100")`; see faults.py."""
        served = [*APPS, *(app.name for app in options.apps)]
        stored = directory.keys_for(served)
        directory.sweep()
        # The directory also keeps the keys of apps that were served from it before.
        keys = Keys({name: stored.apps[name] for name in dict.fromkeys(served)}, stored.signing)
        self._lock = lock
        self._owner = os.getpid()
        self._socket = _listen(options, directory)
        host, number = self._socket.getsockname()[:2]
        # Who listens everywhere is reached at 127.0.0.1 too.
        reached_at = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
        super().__init__(f"http://{reached_at}:{number}", directory, keys)
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
        self._ready.wait(_TIMEOUT)
        if self._failure is not None or not self._ready.is_set():
            self.close()
            raise LocalServerError(t("local.not_started", reason=self._failure or "timeout"))
        self.directory.write_server(self.url, self._nonce)
        self.directory.write_port(self._socket.getsockname()[1])

    def close(self) -> None:
        """End it; running answers are written down as far as they got. May be repeated, also in a fork."""
        if self._owner != os.getpid():
            return
        with registry.guard:
            if _servers.get(self.data_dir) is self:
                del _servers[self.data_dir]
            registry.remove(self._store)
        self._end_runs()
        self._uvicorn.should_exit = True
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_TIMEOUT)
        self._store.close()
        self._socket.close()
        published = self.directory.read_server()
        if published is not None and published["nonce"] == self._nonce:
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

    def _build(self, options: Options) -> uvicorn.Server:
        import uvicorn

        from ..apps.catalog import APPS
        from ..engine.speech import find_speech
        from ..simulate.playback import Player
        from .application import application
        from .connection import Connection
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
            pauses=PausedRuns(self._store, FormTokens(self._keys.signing)),
            nonce=self._nonce,
        )
        config = uvicorn.Config(
            application(context),
            log_config=None,
            lifespan="on",
            loop="asyncio",
            ws="none",
            # h11 has a bound on the bytes of headers (16 KB); others that uvicorn may find installed have none.
            http=Connection,
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
            asyncio.run_coroutine_threadsafe(self._runs.close(), self._loop).result(_TIMEOUT)

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


_servers: dict[Path, LocalServer] = {}
"""Servers of this process, by directory; `registry.guard` guards it."""


def serve(data_dir: str | os.PathLike[str] | None, options: Options) -> LocalServer:
    """See `dify_notebook.local.serve`."""
    try:
        options.check()
    except ValueError as error:
        raise LocalServerError(str(error)) from None
    if not options.loopback:
        warn(t("local.exposed", host=one_line(options.host)), stacklevel=3)
    directory = registry.open_directory(data_dir)
    with registry.guard:
        started = _start(directory, options)
    if started is None:
        raise registry.taken(directory)
    return started


_temporary: list[tempfile.TemporaryDirectory[str]] = []
"""The directory of this process's own, where the user's cannot be used."""


def ensure(data_dir: str | os.PathLike[str] | None = None) -> Server:
    """See `dify_notebook.local.ensure`."""
    if data_dir is not None:
        return _ensure(data_dir)
    if not _temporary:
        try:
            return _ensure(None)
        except LocalServerError as error:
            if not _unwritable(error):
                raise
            problem = error
        try:
            _temporary.append(tempfile.TemporaryDirectory(prefix="dify_notebook-", ignore_cleanup_errors=True))
        except OSError:  # nowhere at all
            raise problem from None
        warn_once("local", t("local.aside", problem=problem.message))
    return _ensure(_temporary[0].name)


def _unwritable(error: LocalServerError) -> bool:
    """Whether it is the disk that does not let us, and no damage, no other account and no other process."""
    cause = error.__cause__
    full = isinstance(cause, sqlite3.OperationalError) and not is_damage(cause)
    return full or error.code == "no_path" or (isinstance(cause, OSError) and cause.errno in _DISK)


def _ensure(data_dir: str | os.PathLike[str] | None) -> Server:
    directory = registry.open_directory(data_dir)
    server = _servers.get(directory.root)
    if server is not None and server.alive:
        return server
    end = time.monotonic() + _TIMEOUT
    while True:
        published = directory.read_server()
        if published is not None and published["pid"] != os.getpid() and answers(published["url"], published["nonce"]):
            return Server(published["url"], directory, directory.read_keys())
        with registry.guard:
            server = _servers.get(directory.root)
            if server is not None and server.alive:
                return server
            started = _start(directory, Options())
        if started is not None:
            return started
        if time.monotonic() > end:
            published = published or {"pid": "?", "url": "?"}
            raise LocalServerError(t("local.silent", path=directory.root, pid=published["pid"], url=published["url"]))
        time.sleep(0.05)


def _start(directory: Directory, options: Options) -> LocalServer | None:
    """A server of this process, or None when the directory is taken."""
    server = _servers.get(directory.root)
    if server is not None:
        if server.alive:
            return None
        server.close()
    lock = registry.lock_of(directory)
    if lock is None:
        return None
    try:
        server = LocalServer(directory, lock, options)
        server.start()
    except BaseException as error:
        lock.release()
        if isinstance(error, DifyError) or not isinstance(error, Exception):
            raise
        raise registry.not_started(directory, error) from error
    _servers[directory.root] = server
    registry.add(directory, server._store)
    return server


def _listen(options: Options, directory: Directory) -> socket.socket:
    """A listening socket. With port 0 the last port is tried first, so that addresses in use stay good."""
    ports = [options.port]
    if options.port == 0 and (last := directory.last_port()):
        ports.insert(0, last)
    host = options.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in ports:
        # The protocol by name: only then does asyncio switch off Nagle's algorithm, which would hold back
        # the second piece of each answer on a kept connection for 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            if os.name == "posix":
                # On Windows this option would let a second server share the port.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(256)
            return listener
        except OSError:
            listener.close()
            if port == ports[-1]:
                raise
    raise AssertionError("a port was tried")


def _after_fork() -> None:
    for server in _servers.values():
        server._forked()
    _servers.clear()


def _at_exit() -> None:
    for server in list(_servers.values()):
        server.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
