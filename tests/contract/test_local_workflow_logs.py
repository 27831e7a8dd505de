"""The log of a workflow app, in each dialect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from contract.workflow_stage import serving, user
from local_helpers import SINCE_1, Client, told

from dify_notebook.local.options import Dialect
from dify_notebook.local.server.process import LocalServer


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory, dialect: Dialect) -> Iterator[tuple[LocalServer, list[str]]]:
    """A server whose app has three runs, by two users; the newest failed."""
    with serving(tmp_path_factory.mktemp("logged"), dialect) as running:
        runs = []
        for name, text in (("ann", "alpha 你好"), ("ann", "beta 100%"), ("bob", "slow down")):
            with Client(running, "plain", name) as client:
                body = {"inputs": {"q": text}, "user": name, "response_mode": "blocking"}
                runs.append(client.post("/workflows/run", body).json()["workflow_run_id"])
        yield running, runs


def ids(page: dict[str, Any]) -> list[str]:
    return [item["workflow_run"]["id"] for item in page["data"]]


def test_the_log(logged: tuple[LocalServer, list[str]], dialect: Dialect) -> None:
    server, (first, second, third) = logged
    with user(server, "plain") as client:
        page = client.logs()
        assert list(page) == ["page", "limit", "total", "has_more", "data"]
        assert (page["page"], page["limit"], page["total"], page["has_more"]) == (1, 20, 3, False)
        assert ids(page) == [third, second, first]
        item = page["data"][0]
        run = [
            "id", "version", "status", "triggered_from", "error", "elapsed_time", "total_tokens", "total_steps",
            "created_at", "finished_at", "exceptions_count",
        ]  # fmt: skip
        fields = [
            "id", "workflow_run", "details", "created_from", "created_by_role", "created_by_account",
            "created_by_end_user", "created_at",
        ]  # fmt: skip
        older = dialect == "0.15"
        assert list(item["workflow_run"]) == [name for name in run if not (older and name == "triggered_from")]
        assert list(item) == [name for name in fields if not (older and name == "details")]
        assert (item["created_from"], item["created_by_role"], item["created_by_account"]) == ("service-api", "end_user", None)
        who = item["created_by_end_user"]
        assert list(who) == ["id", "type", "is_anonymous", "session_id"]
        assert (who["type"], who["session_id"]) == ("service_api" if older else "service-api", "bob")
        # Pages.
        assert [ids(client.logs(limit=2, page=number)) for number in (1, 2, 99)] == [[third, second], [first], []]
        assert [client.logs(limit=2, page=number)["has_more"] for number in (1, 2, 99)] == [True, False, False]


FOUND: list[tuple[dict[str, str], list[int]]] = [
    ({"keyword": ""}, [2, 1, 0]),
    ({"keyword": "BETA"}, [1]),
    ({"keyword": "bob"}, [2]),
    ({"keyword": "You said: alpha"}, [0]),
    ({"keyword": "nothing like it"}, []),
    ({"keyword": "_"}, [2, 1, 0]),
    ({"status": "failed"}, [2]),
    ({"status": "succeeded"}, [1, 0]),
    ({"status": "stopped"}, []),
    ({"keyword": "ann", "status": "failed"}, []),
    ({"user": "nobody", "foo": "1"}, [2, 1, 0]),
]
SINCE = [
    ({"created_at__before": "2020-01-01T00:00:00Z"}, []),
    ({"created_at__before": "2100-01-01T00:00:00+08:00"}, [2, 1, 0]),
    ({"created_at__after": "2020-01-01"}, [2, 1, 0]),
    ({"created_at__after": "2100-01-01T00:00:00"}, []),
    ({"created_at__before": ""}, [2, 1, 0]),
    ({"created_by_end_user_session_id": "ann"}, [1, 0]),
    ({"created_by_end_user_session_id": "zzz"}, []),
]


@pytest.mark.parametrize(("query", "found"), [*FOUND, *SINCE])
def test_what_the_log_finds(
    logged: tuple[LocalServer, list[str]], dialect: Dialect, query: dict[str, str], found: list[int]
) -> None:
    """What Dify 0.15 does not know, it leaves unread."""
    server, runs = logged
    expected = [2, 1, 0] if dialect == "0.15" and (query, found) in SINCE else found
    with user(server, "plain") as client:
        page = client.logs(**query)
        assert (ids(page), page["total"]) == ([runs[at] for at in expected], len(expected))


def test_what_the_log_finds_in_other_languages(logged: tuple[LocalServer, list[str]], dialect: Dialect) -> None:
    """What is looked at is escaped, and newer ones look for what is not; a per cent sign is nothing but that."""
    server, runs = logged
    with user(server, "plain") as client:
        assert ids(client.logs(keyword="你好")) == ([runs[0]] if dialect == "0.15" else [])
        assert ids(client.logs(keyword="100%")) == [runs[1]]
        assert ids(client.logs(keyword=runs[0])) == [runs[0]]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"page": "0"}, "page"), ({"page": "abc"}, "page"), ({"page": ""}, "page"), ({"page": "100000"}, "page"),
        ({"limit": "0"}, "limit"), ({"limit": "101"}, "limit"), ({"limit": "-1"}, "limit"), ({"limit": "abc"}, "limit"),
        ({"status": "running"}, "status"), ({"status": "partial-succeeded"}, "status"), ({"status": ""}, "status"),
    ],
)  # fmt: skip
def test_what_the_log_refuses(
    logged: tuple[LocalServer, list[str]], dialect: Dialect, query: dict[str, str], field: str
) -> None:
    server, _ = logged
    with user(server, "plain") as client:
        status, code, message = told(client.http.get("/workflows/logs", params=query))
        assert (status, code) == (400, "invalid_param")
        assert message.startswith(f"{field}: " if dialect == "0.15" else f"1 validation error for WorkflowLogQuery\n{field}\n")


@SINCE_1
@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("created_at__before=1700000000", 400, "invalid_param"),
        ("created_at__before=yesterday", 400, "invalid_param"),
        ("created_at__after=2030-01-01T00:00:00+08:00", 400, "invalid_param"),
        ("created_by_account=no@example.com", 400, "invalid_param"),
        ("created_by_end_user_session_id=ann&keyword=beta", 500, "unknown"),
    ],
)
def test_what_newer_logs_refuse(logged: tuple[LocalServer, list[str]], query: str, status: int, code: str) -> None:
    server, _ = logged
    with user(server, "plain") as client:
        assert told(client.http.get(f"/workflows/logs?{query}"))[:2] == (status, code)
