"""The history of apps that hold no conversations: the runs of a workflow app, what can be known of a completion app."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.logs import Logs
from support.raw_server import serving
from support.workflow_log import WorkflowLog

from dify_notebook import Dify, DifyError, History, frames
from dify_notebook.errors import InputError
from dify_notebook.frames import run_collector
from dify_notebook.frames.schema import SCHEMA
from dify_notebook.magic.history import parse_history_line, summary
from dify_notebook.wire import models

LONG_AGO = 1_700_000_000
VERSIONS = ["0.15.3", "1.12.1", "1.16.1"]
Where = Callable[[], dict[str, Any]]


@pytest.fixture(params=["memory", "parquet"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Where:
    """Gives the argument that says where a history goes: nothing, or a new directory each time."""
    if request.param == "parquet":
        pytest.importorskip("pyarrow")
    count = iter(range(1_000))
    return lambda: {"to": tmp_path / str(next(count))} if request.param == "parquet" else {}


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_collector, "PAGE", 5)


def some_runs(version: str = "1.12.1") -> WorkflowLog:
    """Eighteen runs of three users, a hundred seconds apart."""
    log = WorkflowLog(version)
    for number in range(18):
        log.add(f"r{number:02}", LONG_AGO + 100 * number, ("ann", "bob", "cy")[number % 3])
    return log


def ids(history: History) -> list[str]:
    return list(history.workflow_runs["workflow_run_id"])


def again(history: History, dify: Dify) -> History:
    return dify.update(history if history.directory is None else history.directory)


# -- what comes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_all_runs_of_all_users_oldest_first(version: str, where: Where) -> None:
    log = some_runs(version)
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**where())
    assert ids(history) == sorted(log.runs)
    first = history.workflow_runs.iloc[0]
    assert (first["user"], first["status"], first["elapsed"], first["total_tokens"], first["total_steps"]) == ("ann", "succeeded", 1.5, 12, 3)
    assert first["created_at"] == pd.Timestamp(LONG_AGO, unit="s", tz="UTC")
    assert first["finished_at"] - first["created_at"] == timedelta(seconds=2)
    assert (first["user_role"], first["created_from"], first["version"]) == ("end_user", "service-api", "2026-11-21 10:19:25.893227")
    assert pd.isna(first["triggered_from"]) == (version == "0.15.3")
    assert history.workflow_runs[list(frames.schema.RUN_DETAILS)].isna().all().all()
    assert history.workflow_runs is history.table("workflow_runs")
    assert history.facts.complete
    assert history.facts.app_mode == "workflow"
    assert [note for note in history.notes if "by everyone" in note]
    assert not len(history.messages)
    assert log.count("/messages") == log.count("/app/feedbacks") == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_inputs_and_outputs_are_asked_for_run_by_run(version: str, where: Where) -> None:
    log = some_runs(version)
    log.gone = {"r03"}
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(details=True, **where())
    runs = history.workflow_runs.set_index("workflow_run_id")
    assert json.loads(runs.loc["r07", "inputs"])["text"] == "in r07"
    assert json.loads(runs.loc["r07", "outputs"]) == {"n": LONG_AGO + 700}
    assert runs.loc["r07", "workflow_id"] == "flow"
    assert (runs.loc["r07", "version"], runs.loc["r07", "user"]) == ("2026-11-21 10:19:25.893227", "bob")
    assert runs["inputs"].isna().sum() == 1
    assert pd.isna(runs.loc["r03", "outputs"])
    assert [note for note in history.notes if "r03 is gone" in note]
    assert history.failures == ()
    probes = 1 if version == "0.15.3" else 0  # by which it is found what the app is
    assert log.count("/workflows/run/") == 18 + probes


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("users", [["bob"], ["cy", "ann"], ["nobody"]])
def test_some_users_alone_also_where_the_server_filters_nothing(version: str, users: list[str], where: Where) -> None:
    log = some_runs(version)
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(users, **where())
    assert ids(history) == sorted(id for id, run in log.runs.items() if run["user"] in users)
    assert [note for note in history.notes if "asked for alone" in note]
    assert history.users == dict.fromkeys(users, "given")
    for asked in log.asked:
        assert "keyword" not in asked, "Dify 1.12 fails on both at once"
    if version == "0.15.3":
        assert log.count("/workflows/logs") == 4, "once through all of them"


@pytest.mark.parametrize("users", [["bob"], ["cy", "ann"]])
def test_some_users_of_a_server_that_filters_nothing_and_does_not_say_which_it_is(users: list[str]) -> None:
    log = some_runs("0.15.3")
    log.tells_version = False
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(users, since=LONG_AGO + 200)
    assert ids(history) == sorted(id for id, run in log.runs.items() if run["user"] in users and run["created_at"] >= LONG_AGO + 200)


def test_who_was_found_is_everyone() -> None:
    log = some_runs()
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(dify.find_users())
    assert len(history.workflow_runs) == 18


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("since", "until"), [(300, None), (None, 300), (250, 1_001), (99_999, None), (1_700, 1_701)])
def test_a_span_of_time(version: str, since: int | None, until: int | None, where: Where) -> None:
    log = some_runs(version)
    span: dict[str, Any] = {name: None if at is None else LONG_AGO + at for name, at in (("since", since), ("until", until))}
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**span, **where())
    begin, end = span["since"] or 0, span["until"] or LONG_AGO * 2
    assert ids(history) == sorted(id for id, run in log.runs.items() if begin <= run["created_at"] < end)
    if since == 1_700:
        assert log.count("/workflows/logs") == 1, "what is older is not asked for"


def test_a_run_of_the_console_has_its_accounts_name() -> None:
    log = WorkflowLog()
    log.add("r", LONG_AGO, account="Ada")
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history()
    assert history.workflow_runs[["user", "user_role"]].values.tolist() == [["Ada", "account"]]


def test_no_signed_link_and_no_mail_address_in_the_table() -> None:
    log = WorkflowLog()
    log.add("r", LONG_AGO, account="Ada", error="see http://h/f?sign=cd", outputs={"file": {"url": "http://h/f?timestamp=1&nonce=a&sign=cd%3D"}})
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify:
        table = dify.history(details=True).workflow_runs.to_json(date_format="iso")
    assert "cd" not in table
    assert "example.com" not in table


# -- what fails -----------------------------------------------------------------------------------


def test_a_run_that_cannot_be_read_is_a_failure_and_mended_by_an_update(where: Where) -> None:
    log = some_runs()
    log.refuse = lambda path, query: ("400 NO", {"code": "unknown", "message": "broken", "status": 400}) if path.endswith("/r04") else None
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(details=True, **where())
        assert [(failure.what, failure.id) for failure in history.failures] == [("run", "r04")]
        assert not history.facts.complete
        assert len(history.workflow_runs) == 18
        log.refuse = lambda path, query: None
        history = again(history, dify)
    assert history.failures == ()
    assert history.workflow_runs["inputs"].notna().all()


def test_a_list_that_breaks_off_keeps_what_came(where: Where) -> None:
    log = some_runs()
    log.refuse = lambda path, query: ("400 NO", {"code": "bad", "message": "no", "status": 400}) if query.get("page") == "3" else None
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**where())
        assert ids(history) == sorted(log.runs)[-10:]
        assert [failure.what for failure in history.failures] == ["runs"]
        log.refuse = lambda path, query: None
        assert ids(again(history, dify)) == sorted(log.runs)


def test_a_list_that_cannot_be_read_at_all_is_an_error(where: Where) -> None:
    log = some_runs()
    log.refuse = lambda path, query: ("403 NO", {"code": "forbidden", "message": "no", "status": 403}) if path == "/workflows/logs" else None
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify, pytest.raises(DifyError, match="no"):
        dify.history(**where())


def test_odd_lines_of_a_log_are_no_error() -> None:
    log = WorkflowLog()
    odd = [
        {"id": "a", "workflow_run": None},
        {"id": "b", "workflow_run": {"id": None}},
        {"id": "c", "workflow_run": {"id": "r", "total_tokens": 10**30, "status": "a new word", "elapsed_time": "1.5", "created_at": "x"}, "created_by_end_user": {"session_id": 7}},
    ]  # fmt: skip
    log.refuse = lambda path, query: ("200 OK", {"data": odd, "has_more": False}) if path == "/workflows/logs" else None
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify:
        runs = dify.history().workflow_runs
    assert runs[["workflow_run_id", "user", "status", "elapsed"]].values.tolist() == [["r", "7", "a new word", 1.5]]
    assert runs["total_tokens"].isna().all()


# -- bringing it up to date -------------------------------------------------------------------------


def now() -> int:
    return int(datetime.now(UTC).timestamp())


@pytest.mark.parametrize("details", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
def test_an_update_fetches_what_is_new_and_what_was_not_over(version: str, details: bool, where: Where) -> None:
    log = some_runs(version)
    log.add("slow", now() - 3_000, status="running")
    if version != "0.15.3":  # which has no pauses
        log.add("asks", LONG_AGO - 1, status="paused")
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(details=details, **where())
        log.add("slow", now() - 3_000, finished_at=now())
        if version != "0.15.3":
            log.add("asks", LONG_AGO - 1, outputs={"said": "yes"})
        log.add("new", now(), "bob")
        log.asked.clear()
        history = again(history, dify)
    found = history.workflow_runs.set_index("workflow_run_id")
    assert set(found.index) == set(log.runs)
    assert set(found["status"]) == {"succeeded"}
    assert found["version"].notna().all(), "an answer about one run does not tell it"
    assert found["inputs"].notna().all() == details
    if version != "0.15.3":
        assert not details or json.loads(found.loc["asks", "outputs"]) == {"said": "yes"}
        assert log.count("/workflows/logs") <= 2, "what is over is not asked for again"
        assert log.count("/workflows/run/") == (3 if details else 1)
    assert history.facts.details == details


def test_a_run_that_never_ends_is_not_asked_for_for_ever(where: Where) -> None:
    """Dify 1.12 leaves runs that were stopped at running."""
    log = WorkflowLog()
    log.add("stopped", now() - 90_000, status="running")
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify:
        history = again(dify.history(**where()), dify)
    assert log.count("/workflows/run/") == 0
    assert history.workflow_runs["status"].tolist() == ["running"]


def test_what_was_deleted_on_the_server_stays(where: Where) -> None:
    log = some_runs()
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(details=True, **where())
        del log.runs["r02"]
        history = again(history, dify)
    assert ids(history) == [f"r{number:02}" for number in range(18)]
    assert history.workflow_runs["inputs"].notna().all()


def test_an_update_keeps_to_the_users_that_were_asked_for(where: Where) -> None:
    log = some_runs()
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history("bob", **where())
        log.add("of ann", now())
        log.add("of bob", now(), "bob")
        history = again(history, dify)
    assert set(history.workflow_runs["user"]) == {"bob"}
    assert len(history.workflow_runs) == 7


def test_it_comes_back_from_every_form_in_which_it_was_saved(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    log = some_runs("1.16.1")
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(details=True)
        listed = dify.workflows.logs().to_frame()
    pd.testing.assert_frame_equal(listed.drop(columns=list(frames.schema.RUN_DETAILS))[::-1].reset_index(drop=True), history.workflow_runs.drop(columns=list(frames.schema.RUN_DETAILS)))
    history.to_parquet(tmp_path / "directory")
    pd.testing.assert_frame_equal(History.read(tmp_path / "directory").workflow_runs, history.workflow_runs)
    history.workflow_runs.to_csv(tmp_path / "runs.csv", index=False)
    pd.testing.assert_frame_equal(History.from_export(tmp_path / "runs.csv").workflow_runs, history.workflow_runs)


def test_what_the_api_answered_is_read_as_an_export(tmp_path: Path) -> None:
    log = some_runs()
    _, answer = log._logs({"limit": "100"})
    (tmp_path / "logs.json").write_text(json.dumps(answer), encoding="utf-8")
    runs = History.from_export(tmp_path / "logs.json").workflow_runs
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify:
        pd.testing.assert_frame_equal(runs, dify.history().workflow_runs)


# -- other apps -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_of_a_completion_app_there_are_ratings_and_a_note(version: str, where: Where) -> None:
    log = WorkflowLog(version, "completion")
    log.feedbacks = [{"id": "f", "message_id": "m", "conversation_id": "its own", "rating": "like", "from_source": "user", "created_at": "2026-01-01T00:00:00"}]
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**where())
        history = again(history, dify)
    assert [note for note in history.notes if "completion app" in note and "frames.replay()" in note]
    assert "history.search" not in summary(history, "history"), "there is nothing to search in"
    assert list(history.feedbacks["rating"]) == ([] if version == "0.15.3" else ["like"])
    assert not len(history.workflow_runs)
    assert history.facts.complete


def test_a_chat_has_the_table_without_rows() -> None:
    with serving(Logs()) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history()
    pd.testing.assert_frame_equal(history.workflow_runs, frames.empty("workflow_runs"))


def test_the_line_of_the_magic() -> None:
    assert parse_history_line(["--details", "logs"]).details
    assert not parse_history_line(["--details"]).is_default
    with pytest.raises(InputError, match=r"Did you mean --details"):
        parse_history_line(["--detials"])
    log = some_runs()
    with serving(log) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history()
    said = summary(history, "history")
    assert said.startswith("history: runs 18, users 3.\nFrom 2023-11-14 to 2023-11-14 (UTC).")
    assert "frames.compare" in said


# -- recordings -------------------------------------------------------------------------------------

RECORDED: dict[str, tuple[dict[str, Any], dict[str, Any], list[Any]]] = {
    "0.15.3": (
        {"id": "8e9bb8cf", "workflow_run": {"id": "88d66014", "version": "2026-11-21 10:23:56.424744", "status": "succeeded", "error": None, "elapsed_time": 0.027597391000199423, "total_tokens": 0, "total_steps": 3, "created_at": 1795256785, "finished_at": 1795256785, "exceptions_count": 0}, "created_from": "service-api", "created_by_role": "end_user", "created_by_account": None, "created_by_end_user": {"id": "8308a71c", "type": "service_api", "is_anonymous": False, "session_id": "log-user-\U0001f600"}, "created_at": 1795256786},
        {"id": "88d66014", "workflow_id": "9c6ce01b", "status": "succeeded", "inputs": '{"q": "EMPTY", "docs": null, "sys.files": []}', "outputs": '{"text": ""}', "error": None, "total_steps": 3, "total_tokens": 18, "created_at": "Sat, 21 Nov 2026 10:22:13 -0000", "finished_at": "Sat, 21 Nov 2026 10:22:13 -0000", "elapsed_time": 0.07912147899969568},
        ["88d66014", "log-user-\U0001f600", "2026-11-21T10:22:13+00:00", "succeeded", 0.07912147899969568, 18, 3, None, "9c6ce01b", '{"q":"EMPTY","docs":null,"sys.files":[]}', '{"text":""}'],
    ),
    "1.12.1": (
        {"id": "ecafb8b3", "workflow_run": {"id": "24c80d01", "version": "2026-11-21 10:19:25.893227", "status": "running", "triggered_from": "app-run", "error": None, "elapsed_time": 0.0, "total_tokens": 0, "total_steps": 0, "created_at": 1795256713, "finished_at": None, "exceptions_count": 0}, "details": None, "created_from": "service-api", "created_by_role": "end_user", "created_by_account": None, "created_by_end_user": {"id": "0acb0e49", "type": "service-api", "is_anonymous": False, "session_id": "golden-user"}, "created_at": 1795256713},
        {"id": "24c80d01", "workflow_id": "e2adf9c2", "status": "running", "inputs": '{"q": "sleep"}', "outputs": "{}", "error": None, "total_steps": 0, "total_tokens": 0, "created_at": 1795256713, "finished_at": None, "elapsed_time": 0.0},
        ["24c80d01", "golden-user", "2026-11-21T10:25:13+00:00", "running", 0.0, 0, 0, "app-run", "e2adf9c2", '{"q":"sleep"}', "{}"],
    ),
    "1.16.1": (
        {"id": "ccc7ed54", "workflow_run": {"id": "b4182037", "version": "2026-11-29 17:50:20.1", "status": "succeeded", "triggered_from": "app-run", "error": None, "elapsed_time": 1.026849, "total_tokens": 14, "total_steps": 4, "created_at": 1795974635, "finished_at": 1795974636, "exceptions_count": 0}, "details": None, "created_from": "service-api", "created_by_role": "end_user", "created_by_account": None, "created_by_end_user": {"id": "043784a1", "type": "service-api", "is_anonymous": False, "session_id": "golden-user"}, "created_at": 1795974636},
        {"id": "b4182037", "workflow_id": "2e838be9", "status": "succeeded", "inputs": '{"text": "[[words:5]] hi", "n": null}', "outputs": {"text": "word0 word1", "wrapped": "<word0 word1>"}, "error": None, "total_steps": 4, "total_tokens": 14, "created_at": 1795974635, "finished_at": 1795974636, "elapsed_time": 1.026849},
        ["b4182037", "golden-user", "2026-11-29T17:50:35+00:00", "succeeded", 1.026849, 14, 4, "app-run", "2e838be9", '{"text":"[[words:5]] hi","n":null}', '{"text":"word0 word1","wrapped":"<word0 word1>"}'],
    ),
}  # fmt: skip
"""Version -> a line of the log and a run as they were recorded (ids cut; in 0.15 of two runs), and the row of both."""
SHOWN = ["workflow_run_id", "user", "created_at", "status", "elapsed", "total_tokens", "total_steps", "triggered_from", "workflow_id", "inputs", "outputs"]


@pytest.mark.parametrize("version", VERSIONS)
def test_rows_of_recorded_answers(version: str) -> None:
    line, detail, row = RECORDED[version]
    log, run = models.read(models.WorkflowLog, line), models.read(models.WorkflowRun, detail)
    from dify_notebook.frames.dataframes import from_columns
    from dify_notebook.frames.run_rows import run_rows

    table = from_columns(SCHEMA["workflow_runs"], run_rows([log], {str(run.id): run}))
    found = [None if pd.isna(value) else value.isoformat() if isinstance(value, pd.Timestamp) else value for value in table[SHOWN].iloc[0]]
    assert found == row
    alone = frames.workflow_runs([log])
    assert alone["status"].tolist() == [line["workflow_run"]["status"]]
    assert alone["total_steps"].tolist() == [line["workflow_run"]["total_steps"]]
