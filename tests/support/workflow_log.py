"""A workflow app's log as a server keeps it: what Dify 0.15, 1.12 and 1.16 answer, after recordings of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.raw_server import Connection, Request

Row = dict[str, Any]
_FACTS = ("status", "error", "elapsed_time", "total_tokens", "total_steps")


class WorkflowLog:
    """The script of a `RawServer`.

    Args:
        version: of the Dify; 0.15 tells no mode, filters nothing, lists a run once it is over.
        mode: workflow or completion.
    """

    def __init__(self, version: str = "1.12.1", mode: str = "workflow") -> None:
        self.version = version
        self.mode = mode
        self.tells_version = True
        """Whether its answers name the version, which a gateway may take away."""
        self.runs: dict[str, Row] = {}
        self.feedbacks: list[Row] = []
        self.asked: list[str] = []
        """Paths with queries, in the order of their answers."""
        self.gone: set[str] = set()
        """Runs that are listed, and are not there when they are asked for."""
        self.refuse: Callable[[str, dict[str, str]], tuple[str, Row] | None] = lambda path, query: None
        """Gives status line and body of a refusal."""
        self._lock = threading.Lock()

    @property
    def old(self) -> bool:
        return self.version.startswith("0.15")

    def add(self, id: str, second: int, user: str = "ann", status: str = "succeeded", **more: Any) -> None:
        """One more run, or another state of one."""
        over = status not in ("running", "paused")
        self.runs[id] = {
            "user": user, "status": status, "created_at": second, "finished_at": second + 2 if over else None,
            "elapsed_time": 1.5 if over else 0.0, "total_tokens": 12 if over else 0, "total_steps": 3 if over else 0,
            "error": None, "exceptions_count": 0, "inputs": {"text": f"in {id}", "sys.workflow_run_id": id},
            "outputs": {"n": second} if over else {}, "account": None, **more,
        }  # fmt: skip

    def count(self, path: str) -> int:
        """How often a path that begins so was asked for."""
        return sum(urlsplit(asked).path.startswith("/v1" + path) for asked in self.asked)

    def __call__(self, request: Request, connection: Connection) -> None:
        url = urlsplit(request.path)
        path = url.path.removeprefix("/v1")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        refused = self.refuse(path, query)
        with self._lock:
            self.asked.append(request.path)
            status, found = refused or self._answer(path, query)
        connection.reply(status, found, extra=f"X-Version: {self.version}\r\n" if self.tells_version else "")

    def _answer(self, path: str, query: dict[str, str]) -> tuple[str, Row]:
        if path == "/info":
            return "200 OK", {"name": "Flow", "description": "", "tags": []} | ({} if self.old else {"mode": self.mode})
        if path == "/app/feedbacks" and not self.old:
            return "200 OK", {"data": self.feedbacks if query.get("page", "1") == "1" else []}
        if path == "/apps/annotations" and not self.old:
            return "200 OK", {"data": []}
        if path == "/conversations":
            return _refusal("not_chat_app")
        if self.mode != "workflow":
            return _refusal("not_workflow_app") if path.startswith("/workflows") else _refusal("not_found", 404)
        if path == "/workflows/logs":
            return self._logs(query)
        if path.startswith("/workflows/run/"):
            return "200 OK", self._detail(path.rpartition("/")[2])
        return _refusal("not_found", 404)

    def _logs(self, query: dict[str, str]) -> tuple[str, Row]:
        if not self.old and "keyword" in query and "created_by_end_user_session_id" in query:
            return _refusal("unknown", 500)
        rows = [(self._logged(run), id) for id, run in self.runs.items() if not self.old or run["finished_at"]]
        if not self.old:
            after, before = (_seconds(query.get(f"created_at__{name}")) for name in ("after", "before"))
            rows = [
                (at, id)
                for at, id in rows
                if (after is None or at >= after)
                and (before is None or at <= before)
                and query.get("created_by_end_user_session_id") in (None, self.runs[id]["user"])
            ]
        rows.sort(reverse=True)
        page, limit = int(query.get("page", "1")), int(query.get("limit", "20"))
        shown = rows[(page - 1) * limit : page * limit]
        counts = {"page": page, "limit": limit, "total": len(rows), "has_more": page * limit < len(rows)}
        return "200 OK", {**counts, "data": [self._line(id) for _, id in shown]}

    def _logged(self, run: Row) -> int:
        return int(run["finished_at"] if self.old else run["created_at"])

    def _line(self, id: str) -> Row:
        run = self.runs[id]
        told = {name: run[name] for name in (*_FACTS, "created_at", "finished_at", "exceptions_count")}
        newer: Row = {} if self.old else {"triggered_from": "app-run"}
        kind = "service_api" if self.old else "service-api"
        user = {"id": f"of {run['user']}", "type": kind, "is_anonymous": False, "session_id": run["user"]}
        return {
            "id": f"log of {id}",
            "workflow_run": {"id": id, "version": "2026-11-21 10:19:25.893227", **told, **newer},
            **({} if self.old else {"details": None}),
            "created_from": "service-api",
            "created_by_role": "account" if run["account"] else "end_user",
            "created_by_account": run["account"] and {"id": "acc", "name": run["account"], "email": "x@example.com"},
            "created_by_end_user": None if run["account"] else user,
            "created_at": self._logged(run),
        }  # fmt: skip

    def _detail(self, id: str) -> Row:
        run = self.runs.get(id)
        if run is None or id in self.gone:  # 200, with nulls
            return dict.fromkeys(("id", "workflow_id", *_FACTS, "inputs", "outputs", "created_at", "finished_at"))
        outputs = run["outputs"] if self.version.startswith("1.16") else json.dumps(run["outputs"])
        times = {name: run[name] for name in ("created_at", "finished_at")}
        if self.old:
            times = {name: at and _mail_time(at) for name, at in times.items()}
        facts = {name: run[name] for name in _FACTS}
        values = {"inputs": json.dumps(run["inputs"]), "outputs": outputs}
        return {"id": id, "workflow_id": "flow", **facts, **values, **times}


def _mail_time(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%a, %d %b %Y %H:%M:%S -0000")


def _seconds(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()


def _refusal(code: str, status: int = 400) -> tuple[str, Row]:
    return f"{status} NO", {"code": code, "message": code, "status": status}
