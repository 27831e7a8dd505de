"""The runs of a seeded history: what people had the workflow app tally sort and compute.

What came out is what the app of this version gives for it; who ran it when, how long it took and which were stopped is
made up, of a number of its own: conversations stay the same whether there are runs beside them or not.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, cast

from ...apps.catalog import APPS
from ...engine.graph.events import ABORTED
from ...engine.run import Run
from ...engine.search.sections import Language
from ...store.run_rows import KEPT, hold_file
from ...store.store import Row, Store, as_json, end_user_of
from ...store.values import as_dify_json
from ...tokens import nothing_used
from .crowd import Calendar, beginnings

APP = "tally"
_SHARE = 5
"""Conversations for each run."""
_MOST = KEPT // 2
_STOPPED = 0.05
_INPUTS: dict[Language, tuple[dict[str, str], ...]] = {
    "en": (
        {
            "text": "App crashes when I open a file\nI want my money back\nWhere is the export?\nError 500 on login\n"
            "Please refund order 1182\nCrash on start",
            "classes": "bug=crash|error; refund=money|refund",
        },
        {
            "text": "city,visits,orders\nOslo,120,14\nBergen,80,9\nOslo,95,11\nTromsø,33,2\nBergen,101,13\n",
            "classes": "north=Tromsø; west=Bergen; east=Oslo",
        },
        {"text": "day;price\nMon;4,5\nTue;5,25\nWed;4,75\nThu;6\n"},
        {"text": "slow search\nslow start\nfast export\nsearch finds nothing\nexport is empty"},
        {"text": "   "},
    ),
    "zh-Hans": (
        {
            "text": "打开文件就崩溃\n我要退款\n登录时报错\n请把钱退给我\n怎么导出\n启动崩溃",
            "classes": "故障=崩溃|报错; 退款=退款|退给",
        },
        {
            "text": "城市,访问,订单\n北京,420,51\n上海,380,47\n北京,395,44\n成都,120,9\n",
            "classes": "北=北京; 南=上海|成都",
        },
        {"text": "搜索太慢\n启动太慢\n导出很快\n搜索没有结果"},
        {"text": "\n\n"},
    ),
}
"""What is given, by who asks; the last of each is nothing, which fails."""


@dataclass
class _Listener:
    """Stands where a run writes down what it does."""

    began: Row = field(default_factory=dict)
    kept: Row = field(default_factory=dict)

    def write_partial(self, message: str, answer: str) -> None:
        """The text comes at the end."""

    def write_run(self, message: str, run: Row) -> None:
        self.began = run

    def write_node(self, message: str, data: Row) -> None:
        """Nobody is told of nodes later."""

    async def finish(self, message: str, **fields: Any) -> None:
        self.kept = fields


@dataclass(frozen=True)
class _Result:
    """What the app really made of some inputs."""

    inputs: Row
    system: Row
    """What went in beside them."""
    answer: str
    finished: Row
    """As `workflow_finished` has it."""
    file: bytes
    """What was written; b"" where it failed."""


class SeededRuns:
    """Runs of tally, all by chance from one seed.

    Args:
        number: of conversations in the history; there are a fifth as many runs, and 5,000 at most.
    """

    def __init__(self, seed: int, calendar: Calendar, number: int) -> None:
        self._chance = random.Random(f"dify_notebook runs {seed}")
        self._calendar = calendar
        self.number = min(max(number // _SHARE, 1), _MOST)
        self._results = _results()
        self.uploads: dict[str, bytes] = {}
        """What lies in the directory of files, by id: one for all runs with the same inputs, as nobody changes one."""

    def insert(self, db: sqlite3.Connection) -> None:
        """Put them into the tables, before whatever is there."""
        begun = sorted(beginnings(self._chance, self._calendar, self.number), key=itemgetter(0))
        first = {table: _below(db, table) - self.number for table in ("conversations", "messages", "workflow_runs")}
        for number, (moment, person) in enumerate(begun):
            at = int(moment.timestamp())
            result = self._chance.choice(self._results[person.lang])
            user = self._user(db, person.session, at)
            run, conversation = self._id(), self._id()
            seconds = round(0.05 * len(result.answer) ** 0.5 * self._chance.lognormvariate(0, 0.4) + 0.01, 6)
            finished = self._finished(db, result, run, user, person.session, at, seconds)
            stopped, failed = finished["status"] == "stopped", finished["status"] == "failed"
            state = "stopped" if stopped else "failed" if failed else "done"
            end = finished["finished_at"]
            db.execute(
                "INSERT INTO conversations (seq, id, app, end_user, name, inputs, introduction, created_at, updated_at,"
                " touched, dialogue_count, alone) VALUES (?, ?, ?, ?, '', ?, '', ?, ?, 0, 1, 1)",
                (first["conversations"] + number, conversation, APP, user, as_json(result.inputs), at, end),
            )
            db.execute(
                "INSERT INTO messages (seq, id, conversation, query, inputs, answer, state, error, created_at,"
                " updated_at, usage, workflow_run) VALUES (?, ?, ?, '', ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    first["messages"] + number, run, conversation, as_json(result.inputs),
                    "" if stopped or failed else result.answer, state, finished["error"], at, end,
                    as_json({**nothing_used(None, None), "latency": finished["elapsed_time"]}), as_json(finished),
                ),
            )  # fmt: skip
            system = {**result.system, "sys.user_id": person.session, "sys.workflow_run_id": run, "sys.timestamp": at}
            db.execute(
                "INSERT INTO workflow_runs (seq, id, message, app, end_user, logged, workflow, status, inputs, outputs,"
                " error, elapsed, tokens, steps, exceptions, created_at, finished_at)"
                " VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    first["workflow_runs"] + number, run, run, APP, user, finished["workflow_id"], finished["status"],
                    as_dify_json({**result.inputs, **system}),
                    as_dify_json(finished["outputs"]) if finished["outputs"] else None, finished["error"],
                    finished["elapsed_time"], finished["total_tokens"], finished["total_steps"],
                    finished["exceptions_count"], at, end,
                ),
            )  # fmt: skip
            for file in finished["files"]:
                hold_file(db, run, file["related_id"])

    def _finished(
        self, db: sqlite3.Connection, result: _Result, run: str, user: str, session: str, at: int, seconds: float
    ) -> Row:
        finished = {**result.finished, "id": run, "created_at": at, "created_by": {"id": user, "user": session}}
        if self._chance.random() < _STOPPED and finished["status"] == "succeeded":
            seconds *= self._chance.uniform(0.2, 0.9)
            steps = self._chance.randint(1, finished["total_steps"] - 1)
            stopped = {"status": "stopped", "outputs": {}, "files": [], "error": ABORTED, "total_steps": steps}
            finished = {**finished, **stopped}
        if finished["outputs"]:
            named = {"related_id": self._file(db, result, user, at), "tenant_id": user}
            file = {**finished["outputs"]["file"], **named}
            finished = {**finished, "outputs": {**finished["outputs"], "file": file}, "files": [file]}
        return {**finished, "elapsed_time": round(seconds, 6), "finished_at": at + int(seconds)}

    def _file(self, db: sqlite3.Connection, result: _Result, user: str, at: int) -> str:
        for key, content in self.uploads.items():
            if content == result.file:
                return key
        key = self._id()
        self.uploads[key] = result.file
        db.execute(
            "INSERT INTO files VALUES (?, ?, ?, ?, 'csv', 'text/csv', ?, ?)",
            (key, APP, user, result.finished["outputs"]["file"]["filename"], len(result.file), at),
        )
        return key

    def _user(self, db: sqlite3.Connection, session: str, at: int) -> str:
        fresh = (self._id(), APP, session, at)
        db.execute("INSERT OR IGNORE INTO end_users VALUES (?, ?, ?, ?)", fresh)
        return end_user_of(db, APP, session)

    def _id(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))


def _below(db: sqlite3.Connection, table: str) -> int:
    (minimum,) = db.execute(f"SELECT MIN(seq) FROM {table}").fetchone()
    return 1 if minimum is None else min(int(minimum), 1)


def _results() -> dict[Language, list[_Result]]:
    """Each of the inputs, run once; on a thread with a loop of its own, so that one may be running here."""
    with ThreadPoolExecutor(1, thread_name_prefix="dify_notebook-seed") as pool:
        return {lang: pool.submit(asyncio.run, _run_all(inputs)).result() for lang, inputs in _INPUTS.items()}


async def _run_all(all_inputs: Iterable[dict[str, str]]) -> list[_Result]:
    return [await _run(inputs) for inputs in all_inputs]


async def _run(given: dict[str, str]) -> _Result:
    app = APPS[APP]
    listener, written = _Listener(), [b""]

    async def keep(name: str, content: bytes, mime_type: str) -> Row:
        written[0] = content
        return {
            "dify_model_identity": "__dify__file__", "id": None, "tenant_id": "", "type": "document",
            "transfer_method": "local_file", "remote_url": "x", "related_id": "", "filename": name, "extension": ".csv",
            "mime_type": mime_type, "size": len(content), "url": "x",
        }  # fmt: skip

    inputs = {control.variable: given.get(control.variable) for control in app.form}
    run = Run(
        app=app, store=cast("Store", listener), user="", end_user="", conversation=None, message_id="", query="",
        inputs=inputs, history=(), uploads=(), variables={}, pace=0, auto_name=False, events=None, keep_file=keep,
    )  # fmt: skip
    await run.drive()
    known = listener.began["inputs"]
    system = {name: value for name, value in known.items() if name.startswith("sys.")}
    return _Result(inputs, system, listener.kept["answer"], listener.kept["workflow_run"], written[0])
