"""One thread with one SQLite connection, that does what it is given in order."""

from __future__ import annotations

import asyncio
import ctypes
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from ...logs import logger

Result = TypeVar("Result")
log = logger("dify_notebook.local")


class Worker:
    """The store has two of these: the only one that writes, and one that reads beside it."""

    def __init__(self, database: Path, *, name: str, journal: str, readonly: bool = False) -> None:
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[sqlite3.Connection], Any]] | None] = (
            queue.SimpleQueue()
        )
        self._database = database
        self._closed = False
        self._closing = threading.Lock()
        self.connection = sqlite3.connect(database, timeout=10, isolation_level=None, check_same_thread=False)
        self.connection.row_factory = sqlite3.Row
        self.connection.execute("PRAGMA foreign_keys = ON")
        if readonly:
            self.connection.execute("PRAGMA query_only = ON")
        else:
            self.connection.execute(f"PRAGMA journal_mode = {journal}")
            # What was committed survives the death of the process in either journal; FULL would
            # add the death of the machine, at a disk flush for each answer.
            self.connection.execute("PRAGMA synchronous = NORMAL")
        self._thread = threading.Thread(target=self._run, name=f"dify_notebook-{name}", daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[sqlite3.Connection], Result]) -> Future[Result]:
        """Have a job done; a job of the writer is one transaction.

        Raises:
            RuntimeError: the store is closed.
        """
        future: Future[Result] = Future()
        with self._closing:  # nothing comes after the end of the queue, where nobody would do it
            if self._closed:
                raise RuntimeError("the store is closed")
            self._jobs.put((future, job))
        return future

    def post(self, job: Callable[[sqlite3.Connection], Any]) -> None:
        """Have a job done that nobody waits for; should it fail, the log says so.

        Raises:
            RuntimeError: the store is closed.
        """
        self.submit(job).add_done_callback(self._log_failure)

    async def do(self, job: Callable[[sqlite3.Connection], Result]) -> Result:
        """Have a job done and wait for it, without holding up the loop."""
        return await asyncio.wrap_future(self.submit(job))

    def close(self) -> None:
        """Do what is waiting, then close. Harmless when repeated."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join(timeout=10)

    def _log_failure(self, future: Future[Any]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None:
            log.error("something could not be stored in %s: %s", self._database, error, exc_info=error)

    def leave_to_parent(self) -> None:
        """In a forked child: never close a connection of the parent's.

        Closing it here would end the locks that the parent believes in, so the object is kept alive
        past the end of the interpreter.
        """
        self._closing = threading.Lock()  # another thread of the parent's may have held it
        self._closed = True
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.connection))

    def _run(self) -> None:
        while (item := self._jobs.get()) is not None:
            future, job = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                self.connection.execute("BEGIN")
                result = job(self.connection)
                self.connection.execute("COMMIT")
            except BaseException as error:  # handed to whoever waits for the job
                try:
                    if self.connection.in_transaction:
                        self.connection.execute("ROLLBACK")
                except sqlite3.Error as another:  # what went wrong first is told; the thread lives on
                    log.error("a transaction could not be taken back: %s", another)
                future.set_exception(error)
            else:
                future.set_result(result)
        self.connection.close()
