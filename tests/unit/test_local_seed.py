"""A seeded history: the same from the same number, true to the apps, and with something to find in it."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from local_helpers import Client, passages_read_once

from dify_notebook import local
from dify_notebook.local.apps.guide import look_up
from dify_notebook.local.server import LocalServerError
from dify_notebook.local.simulate.seeding import Seeded, SeedError
from dify_notebook.local.simulate.seeding.threads import BILLING, threads

SIZE = 600


@pytest.fixture(scope="module", autouse=True)
def quick_pipeline() -> Iterator[None]:
    with passages_read_once():
        yield


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Seeded]:
    path = tmp_path_factory.mktemp("seeded")
    return path, local.seed(path, conversations=SIZE)


@pytest.fixture
def db(seeded: tuple[Path, Seeded]) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(seeded[0] / "store.sqlite3")
    connection.row_factory = sqlite3.Row
    yield connection
    connection.close()


def rows(db: sqlite3.Connection, sql: str, *values: Any) -> list[Any]:
    return [tuple(row) for row in db.execute(sql, values)]


def test_the_same_number_gives_the_same_history(
    seeded: tuple[Path, Seeded], db: sqlite3.Connection, tmp_path: Path
) -> None:
    again = local.seed(tmp_path / "again", conversations=SIZE)
    assert again == seeded[1]
    other = sqlite3.connect(tmp_path / "again" / "store.sqlite3")
    for table in ("end_users", "conversations", "messages", "thoughts", "node_runs", "feedbacks", "variables", "files", "workflow_runs"):
        sql = f"SELECT * FROM {table} ORDER BY 1, 2"
        left, right = rows(db, sql), [tuple(row) for row in other.execute(sql)]
        assert left == right, table
    other.close()
    local.seed(tmp_path / "other", conversations=20, seed=2)
    third = sqlite3.connect(tmp_path / "other" / "store.sqlite3")
    assert not set(rows(db, "SELECT id FROM messages")) & {tuple(row) for row in third.execute("SELECT id FROM messages")}
    third.close()


def test_what_is_told_is_what_is_there(seeded: tuple[Path, Seeded], db: sqlite3.Connection) -> None:
    told = seeded[1]
    assert told.conversations == SIZE == rows(db, "SELECT COUNT(*) FROM conversations WHERE alone = 0")[0][0]
    assert told.messages == rows(db, "SELECT SUM(dialogue_count) FROM conversations WHERE alone = 0")[0][0]
    in_lists = "SELECT COUNT(*) FROM messages m JOIN conversations c ON c.id = m.conversation WHERE c.alone = 0"
    assert told.messages == rows(db, in_lists)[0][0]
    assert told.runs == SIZE // 5 == rows(db, "SELECT COUNT(*) FROM workflow_runs WHERE logged = 1")[0][0]
    assert rows(db, "SELECT COUNT(*) FROM messages WHERE workflow_run IS NOT NULL") == rows(
        db, "SELECT COUNT(*) FROM workflow_runs"
    )
    assert told.feedbacks == rows(db, "SELECT COUNT(*) FROM feedbacks")[0][0]
    assert 30 <= len(told.users) <= 35
    assert datetime(2026, 4, 1, tzinfo=UTC) <= told.since < told.until < datetime(2026, 10, 1, 1, tzinfo=UTC)
    assert str(told).startswith("Wrote 600 conversations with")
    assert rows(db, "PRAGMA foreign_key_check") == []


def test_rows_stand_in_the_order_of_time(db: sqlite3.Connection) -> None:
    """The store pages by row number, so a row out of place would be a message out of place."""
    for sql in (
        "SELECT m.created_at FROM messages m JOIN conversations c ON c.id = m.conversation WHERE c.alone = 0 ORDER BY m.seq",
        "SELECT created_at FROM conversations WHERE alone = 0 ORDER BY seq",
        "SELECT updated_at FROM conversations WHERE alone = 0 ORDER BY touched",
        "SELECT created_at FROM workflow_runs WHERE logged = 1 ORDER BY seq",
    ):
        times = [row[0] for row in rows(db, sql)]
        assert times == sorted(times), sql
    assert rows(db, "SELECT COUNT(*) FROM messages WHERE updated_at < created_at") == [(0,)]
    ties = "SELECT COUNT(*) FROM messages GROUP BY conversation, created_at HAVING COUNT(*) > 1"
    assert rows(db, ties) == [], "two messages of a conversation in one second: real servers lose such ones"


def test_there_is_something_of_everything(db: sqlite3.Connection) -> None:
    assert {row[0] for row in rows(db, "SELECT DISTINCT app FROM conversations WHERE alone = 0")} == {"guide", "toolbox", "pipeline"}
    assert {row[0] for row in rows(db, "SELECT DISTINCT state FROM messages")} == {
        "done", "stopped", "failed", "abandoned",
    }  # fmt: skip
    tools = {row[0] for row in rows(db, "SELECT DISTINCT tool FROM thoughts WHERE tool != ''")}
    assert tools >= {"calculator", "convert_time", "text_statistics"}
    for table in ("files", "message_files", "node_runs", "variables", "annotations"):
        assert rows(db, f"SELECT COUNT(*) FROM {table}")[0][0] > 3, table
    assert {row[0] for row in rows(db, "SELECT DISTINCT rating FROM feedbacks")} == {"like", "dislike"}
    comments = [row[0] for row in rows(db, "SELECT content FROM feedbacks WHERE content IS NOT NULL")]
    queries = [row[0] for row in rows(db, "SELECT query FROM messages")]
    for texts in (comments, queries):
        chinese = sum(any("\u4e00" <= sign <= "\u9fff" for sign in text) for text in texts)
        assert 0.2 < chinese / len(texts) < 0.7


def test_prices_and_times_fit_each_other(db: sqlite3.Connection) -> None:
    for state, told in rows(db, "SELECT state, usage FROM messages"):
        usage = json.loads(told)
        assert usage["currency"] == "USD"
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        total = float(usage["prompt_price"]) + float(usage["completion_price"])
        assert float(usage["total_price"]) == pytest.approx(total, abs=2e-7)
        assert usage["latency"] > 0 or state == "stopped"


def test_people_dislike_that_nothing_is_found_about_billing(db: sqlite3.Connection) -> None:
    """The pattern: from July on many ask about refunds, of which the documentation says nothing."""
    launch = datetime(2026, 7, 19, tzinfo=UTC).timestamp()
    sql = "SELECT m.resources = '[]' AND m.state = 'done', m.created_at >= ? FROM messages m"
    sql += " JOIN conversations c ON c.id = m.conversation WHERE c.app = 'guide'"
    told = rows(db, sql, launch)
    early = [empty for empty, late in told if not late]
    late = [empty for empty, late in told if late]
    assert sum(early) / len(early) < 0.09
    assert sum(late) / len(late) > 0.15
    rated = "SELECT m.resources = '[]', f.rating FROM feedbacks f JOIN messages m ON m.id = f.message"
    rated += " JOIN conversations c ON c.id = m.conversation WHERE c.app = 'guide' AND m.state = 'done'"
    found = rows(db, rated)
    disliked = {empty: [rating == "dislike" for one, rating in found if one == empty] for empty in (0, 1)}
    assert sum(disliked[1]) / len(disliked[1]) > 3 * sum(disliked[0]) / len(disliked[0])


def test_the_documentation_says_nothing_of_billing() -> None:
    """By the real guide: if this fails, a page speaks of it now, and the question named here needs other words."""
    for thread in threads():
        if thread.topic == BILLING:
            for at, question in enumerate(thread.questions):
                hits = look_up(question, list(thread.questions[:at])).hits
                assert max((hit.coverage for hit in hits), default=0.0) < 0.15, (question, hits[0].section.key)


def test_the_server_tells_it(seeded: tuple[Path, Seeded]) -> None:
    path, told = seeded
    with local.serve(data_dir=path, pace=0) as server:
        with Client(server, "guide", told.users[0]) as guide:
            page = guide.get("/conversations", limit=100).json()
            assert page["data"], "the busiest user has conversations"
            updated = [one["updated_at"] for one in page["data"]]
            assert updated == sorted(updated, reverse=True)
            for one in page["data"][:5]:
                assert guide.messages(one["id"])
            rated = guide.get("/app/feedbacks", limit=20).json()["data"]
            assert rated
            # What is asked now stands after all of it.
            guide.ask("What is dify_notebook?")
            newest = guide.get("/conversations", limit=1).json()["data"][0]
            assert newest["created_at"] > max(updated)
        with pytest.raises(SeedError, match="has messages from 2026-04-01 on"):
            local.seed(path, conversations=5, seed=3)


def test_a_running_server_is_given_a_past(tmp_path: Path) -> None:
    with local.serve(data_dir=tmp_path, pace=0) as server, Client(server, "guide", "anna") as guide:
        now = guide.ask("What is dify_notebook?")[-1]["conversation_id"]
        told = local.seed(tmp_path, conversations=60, until="2026-05-01", days=30)
        assert told.until < datetime(2026, 5, 1, 1, tzinfo=UTC)
        listed = [one["id"] for one in guide.get("/conversations", limit=100).json()["data"]]
        assert listed[0] == now, "the past comes before what is there"
        assert len(listed) > 1
        older = local.seed(tmp_path, conversations=20, until=date(2026, 4, 1), days=14, seed=5)
        assert older.until < told.since
        longer = [one["id"] for one in guide.get("/conversations", limit=100).json()["data"]]
        assert longer[: len(listed)] == listed


def test_uploads_can_be_had(seeded: tuple[Path, Seeded], db: sqlite3.Connection) -> None:
    key, size, session, conversation = rows(
        db,
        "SELECT f.id, f.size, u.session, m.conversation FROM files f JOIN message_files mf ON mf.file = f.id"
        " JOIN messages m ON m.id = mf.message JOIN end_users u ON u.id = f.end_user LIMIT 1",
    )[0]
    with local.serve(data_dir=seeded[0], pace=0) as server, Client(server, "toolbox", session) as toolbox:
        (file,) = [file for one in toolbox.messages(conversation) for file in one["message_files"]][:1]
        assert file["upload_file_id"] == key
        assert len(toolbox.get(f"/files/{key}/preview").content) == size


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"conversations": 0}, "1 to 200,000 conversations, not 0"),
        ({"conversations": True}, "1 to 200,000 conversations"),
        ({"days": 3}, "14 to 3660 days, not 3"),
        ({"until": "soon"}, "soon is no day"),
        ({"until": "2999-01-01"}, "still to come"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(SeedError, match=said):
        local.seed(tmp_path, **arguments)
    assert not (tmp_path / "store.sqlite3").exists()


def test_another_process_has_the_directory(tmp_path: Path) -> None:
    held = subprocess.Popen(
        [sys.executable, "-m", "dify_notebook.local", "--data-dir", str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert held.stdout is not None
        while not held.stdout.readline().startswith("Ctrl+C"):
            assert held.poll() is None
        with pytest.raises(LocalServerError, match="already served by process"):
            local.seed(tmp_path, conversations=5)
    finally:
        held.terminate()
        held.wait(10)
        assert held.stdout is not None
        held.stdout.close()


def test_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dify_notebook.local", "seed", "--data-dir", str(tmp_path), "--conversations", "30"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Wrote 30 conversations with ")
    again = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert again.returncode == 1
    assert "has messages from 2026-04-" in again.stderr


def test_the_runs_of_a_seeded_history(seeded: tuple[Path, Seeded], db: sqlite3.Connection, tmp_path: Path) -> None:
    """They are those that the app of this version makes of the same inputs, by many people, over all of the time."""
    told, path = seeded[1], tmp_path / "mine"
    shutil.copytree(seeded[0], path)
    with local.serve(data_dir=path, pace=0) as server, Client(server, "tally") as client:
        page = client.http.get("/workflows/logs", params={"limit": 100}).json()
        assert (page["total"], len(page["data"])) == (told.runs, 100)
        times = [item["created_at"] for item in page["data"]]
        assert times == sorted(times, reverse=True)
        assert {item["workflow_run"]["status"] for item in page["data"]} >= {"succeeded", "failed"}
        assert len({item["created_by_end_user"]["session_id"] for item in page["data"]}) > 10
        ended = {item["workflow_run"]["status"]: item["workflow_run"]["id"] for item in page["data"]}
        detail = client.get(f"/workflows/run/{ended['succeeded']}").json()
        given = json.loads(detail["inputs"])
        inputs = {name: given[name] for name in ("text", "classes") if given[name]}
        again = client.post("/workflows/run", {"inputs": inputs, "user": "u", "response_mode": "blocking"}).json()["data"]
        names = ("rows", "numbers", "table", "items", "report")
        assert {name: detail["outputs"][name] for name in names} == {name: again["outputs"][name] for name in names}
        assert again["total_steps"] == detail["total_steps"]
        files = [client.http.get(outputs["file"]["url"]).content for outputs in (detail["outputs"], again["outputs"])]
        assert files[0] == files[1] != b""
        failed = client.get(f"/workflows/run/{ended['failed']}").json()
        assert (failed["outputs"], bool(failed["error"])) == ({}, True)
        assert client.get("/conversations").status_code == 400
    assert rows(db, "SELECT COUNT(*) FROM workflow_runs WHERE status = 'stopped'")[0][0] > 0


def test_the_runs_of_a_dump(seeded: tuple[Path, Seeded], db: sqlite3.Connection, tmp_path: Path) -> None:
    """As in Dify's database: a run of a workflow app is no message, and one of a chatflow is in no log."""
    path, told = seeded
    files = local.dump(tmp_path / "tally", path, app="tally")
    tables = {name: list(csv.DictReader(file.open(encoding="utf-8", newline=""))) for name, file in files.items()}
    assert (tables["messages"], tables["conversations"]) == ([], [])
    assert len(tables["workflow_runs"]) == len(tables["workflow_app_logs"]) == told.runs
    assert [row["workflow_run_id"] for row in tables["workflow_app_logs"]] == [row["id"] for row in tables["workflow_runs"]]
    run = next(row for row in tables["workflow_runs"] if row["status"] == "succeeded")
    assert (run["type"], run["triggered_from"], run["created_by_role"]) == ("workflow", "app-run", "end_user")
    assert run["created_by"] in {row["id"] for row in tables["end_users"]}
    assert json.loads(run["outputs"])["rows"] >= 3
    assert datetime.fromisoformat(run["created_at"]) <= datetime.fromisoformat(run["finished_at"])
    pipeline = local.dump(tmp_path / "pipeline", path, app="pipeline")
    messages = list(csv.DictReader(pipeline["messages"].open(encoding="utf-8", newline="")))
    of_messages = {row["id"]: row for row in csv.DictReader(pipeline["workflow_runs"].open(encoding="utf-8", newline=""))}
    assert len(messages) > 10
    assert {row["workflow_run_id"] for row in messages} == {*of_messages}
    assert {row["type"] for row in of_messages.values()} == {"chat"}
    assert list(csv.DictReader(pipeline["workflow_app_logs"].open(encoding="utf-8"))) == []
