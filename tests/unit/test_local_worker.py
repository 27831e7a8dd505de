"""The store's threads: a job is done, or refused; never forgotten. And what is said is what is kept."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import pytest

from dify_notebook.local.engine.run import Run
from dify_notebook.local.engine.stopping import Stopped
from dify_notebook.local.engine.telling import telling_of
from dify_notebook.local.store.worker import Worker


def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path / "x.sqlite3", name="test", journal="wal")


def test_a_job_that_comes_while_the_worker_closes_is_done_or_refused(tmp_path: Path) -> None:
    for round_ in range(30):
        (tmp_path / str(round_)).mkdir()
        one = worker(tmp_path / str(round_))
        futures: list[Future[int]] = []
        refused: list[str] = []
        together = threading.Barrier(5)

        def press(one: Worker = one, futures: list[Future[int]] = futures, refused: list[str] = refused) -> None:
            together.wait()  # noqa: B023  # of this round, which waits for its threads
            for number in range(200):
                try:
                    futures.append(one.submit(lambda db, number=number: number))  # type: ignore[misc]
                except RuntimeError as error:
                    refused.append(str(error))
                    return

        threads = [threading.Thread(target=press) for _ in range(4)]
        for thread in threads:
            thread.start()
        together.wait()
        one.close()
        for thread in threads:
            thread.join()
        assert wait(futures, timeout=10).not_done == set()
        assert set(refused) <= {"the store is closed"}


def test_a_job_between_the_question_and_the_queue_is_refused(tmp_path: Path) -> None:
    """The order that the race above seldom has: closed after it was asked, before it was queued."""
    one = worker(tmp_path)
    queue, closed = one._jobs, threading.Event()

    class Late:
        """Lets the worker be closed, if that is possible here, before a job gets into the queue."""

        def put(self, item: object) -> None:
            if item is not None and not closed.is_set():
                closed.set()
                closer = threading.Thread(target=one.close)
                closer.start()
                closer.join(0.5)
            queue.put(item)  # type: ignore[arg-type]

        def get(self) -> object:
            return queue.get()

    one._jobs = Late()  # type: ignore[assignment]
    try:
        future = one.submit(lambda db: 7)
    except RuntimeError:
        return
    assert future.result(10) == 7
    one.close()


def test_a_transaction_that_cannot_be_taken_back_ends_its_job_and_not_the_thread(tmp_path: Path) -> None:
    one = worker(tmp_path)
    real = one.connection

    class Broken:
        in_transaction = True

        def execute(self, statement: str) -> object:
            if statement == "ROLLBACK":
                raise sqlite3.OperationalError("disk I/O error")
            return real.execute(statement)

        def close(self) -> None:
            real.close()

    one.connection = Broken()  # type: ignore[assignment]

    def fails(db: sqlite3.Connection) -> None:
        raise LookupError("the job's own")

    with pytest.raises(LookupError):
        one.submit(fails).result(10)
    one.connection = real
    real.execute("ROLLBACK")
    assert one.submit(lambda db: 1).result(10) == 1
    one.close()


@pytest.mark.anyio
@pytest.mark.parametrize("agent", [False, True], ids=["chat", "agent-chat"])
async def test_a_piece_that_a_stop_kept_from_being_said_is_not_kept(agent: bool) -> None:
    run: Any = Run.__new__(Run)
    run._text, run.first_token, run.message_id = ["said "], 0.0, "m"
    run.telling = telling_of("agent-chat" if agent else "chat")
    run._stopping = asyncio.get_running_loop().create_future()
    run._stopping.set_result(None)
    with pytest.raises(Stopped):
        run.delta("unsaid")
    assert run.answer == "said "
