"""The lines of QUIRKS.md on workflow and completion apps, read off the recorded bytes; see `test_quirks.py`."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from contract.exchanges import load_exchanges
from contract.streams import load, load_blocking
from contract.test_quirks import answer, exchange, names, of, only, refusal, stream

OLDER = ("0.15.3", "1.12.1")


def run(version: str, what: str) -> list[dict[str, Any]]:
    return stream(f"{version}/workflows-run__{what}")


def finished(version: str, what: str) -> dict[str, Any]:
    data: dict[str, Any] = only(run(version, what), "workflow_finished")["data"]
    return data


def detail(version: str, what: str) -> dict[str, Any]:
    kept: dict[str, Any] = answer(f"{version}/workflows-run-detail__{what}")
    return kept


def logged(version: str, what: str) -> dict[str, Any]:
    page: dict[str, Any] = answer(f"{version}/workflows-logs__{what}")
    return page


def text(found: list[dict[str, Any]]) -> str:
    return "".join(event["data"]["text"] for event in of(found, "text_chunk"))


def all_runs() -> dict[str, list[dict[str, Any]]]:
    return {case: stream(case) for case in load() if "/workflows-run" in case}


def test_events_of_a_run() -> None:
    runs = all_runs()
    assert len(runs) > 100
    for case, found in runs.items():
        assert not {"error", "message", "message_end"} & set(names(found)), case
        for event in found:
            told = "audio" if event["event"].startswith("tts_") else "data"
            assert event["event"] == "ping" or event.keys() == {"event", "task_id", "workflow_run_id", told}, case


def test_failed_run_is_no_refusal() -> None:
    outputs: dict[str, list[Any]] = {}
    for case, recorded in load_blocking().items():
        data = json.loads(recorded.body).get("data") or {}
        if data.get("status") == "failed":
            assert recorded.status == 200
            assert data["error"]
            outputs.setdefault(case.split("/")[0], []).append(data["outputs"])
    assert {version: [each for each in told if each] for version, told in outputs.items()} == dict.fromkeys(outputs, [])
    assert {version: type(told[0]) for version, told in outputs.items()} == {
        "0.15.3": type(None), "1.12.1": dict, "1.16.1": dict,
    }  # fmt: skip


def test_failure_of_a_completion_is_an_error() -> None:
    for version in OLDER:
        found = stream(f"{version}/completion-messages__completion-ratelimit-streaming")
        assert names(found)[-1] == "error"
        assert (found[-1]["code"], found[-1]["status"]) == ("completion_request_error", 400)
        assert "task_id" not in found[-1]


def test_text_is_not_the_outputs() -> None:
    for version, more in (("0.15.3", False), ("1.12.1", True)):
        outputs, said = finished(version, "llm-hello-streaming")["outputs"], text(run(version, "llm-hello-streaming"))
        assert said.startswith(outputs["text"])
        assert (said != outputs["text"]) is more  # which adds the usage, as JSON
    assert finished("0.15.3", "form-all-streaming")["outputs"]
    assert text(run("0.15.3", "form-all-streaming")) == ""
    assert text(run("1.12.1", "form-all-streaming"))


def test_ends_in_parallel() -> None:
    assert finished("0.15.3", "parallel-two-ends-streaming")["outputs"].keys() == {"a"}
    assert finished("1.12.1", "parallel-two-ends-streaming")["outputs"].keys() > {"a"}
    assert text(run("0.15.3", "parallel-two-ends-streaming")) == ""


@pytest.mark.parametrize("what", ["stop-iteration", *(f"stop-iteration-again-{at}" for at in range(3))])
def test_stopped_in_an_iteration(what: str) -> None:
    old, new = finished("0.15.3", what), finished("1.12.1", what)
    assert (old["status"], old["error"], old["total_tokens"]) == ("stopped", "Stopped by user.", 0)
    assert (new["status"], new["error"], new["total_tokens"]) == ("failed", "Aborted: User requested stop", 0)
    for version in OLDER:
        ended = [event["data"] for event in of(run(version, what), "node_finished")]
        spent = [((data["execution_metadata"] or {}).get("total_tokens") or 0) for data in ended]
        assert sum(spent) > 0, "of what its nodes told nothing is counted"


def test_stopped_run_goes_on_for_ever() -> None:
    for what in ("stopped-llm", "stopped-code", "stopped-code-12s-later", "stopped-parallel"):
        assert detail("0.15.3", what)["status"] == "stopped"
        kept = detail("1.12.1", what)
        assert (kept["status"], kept["outputs"], kept["finished_at"]) == ("running", "{}", None)
    assert detail("1.12.1", "stopped-iteration-again-0")["status"] == "stopped"


def test_run_whose_client_left() -> None:
    assert detail("1.12.1", "after-disconnect-25s")["status"] == "succeeded"
    assert detail("0.15.3", "after-disconnect-25s")["status"] == "running"


def test_run_that_is_not_there() -> None:
    for version, counted in (("0.15.3", {0}), ("1.12.1", {None})):
        kept = detail(version, "bogus")
        assert {kept.pop("total_steps"), kept.pop("total_tokens")} == counted
        assert set(kept.values()) == {None}
        assert refusal(f"{version}/workflows-run-detail__malformed") == (500, "unknown")
    assert refusal("1.16.1/workflows-run-detail__workflow-unknown") == (404, "not_found")


def test_values_of_a_kept_run() -> None:
    for version in OLDER:
        kept = detail(version, "form-all-blocking")
        assert isinstance(kept["inputs"], str)
        assert isinstance(json.loads(kept["outputs"]), dict)
    kept = detail("1.16.1", "workflow-finished")
    assert isinstance(kept["inputs"], str)
    assert isinstance(kept["outputs"], dict)
    assert detail("0.15.3", "fail-code-blocking")["outputs"] == "{}"
    assert detail("1.12.1", "fail-code-blocking")["outputs"] is None


def test_times_of_a_kept_run() -> None:
    told = detail("0.15.3", "llm")["created_at"]
    assert told.endswith(" -0000")
    assert parsedate_to_datetime(told).tzinfo is None  # a time in UTC, to who knows it
    assert isinstance(detail("1.12.1", "llm")["created_at"], int)


def test_filters_that_are_none() -> None:
    for what in ("by-account-unknown", "by-end-user-unknown", "before-past"):
        assert logged("0.15.3", what)["total"] == logged("0.15.3", "before-future")["total"] > 0
    assert logged("1.12.1", "by-end-user-unknown")["total"] == logged("1.12.1", "before-past")["total"] == 0
    assert refusal("1.12.1/workflows-logs__by-account-unknown")[0] == 400
    assert exchange("1.12.1/workflows-logs__by-end-user-and-keyword").status == 500


def test_keyword_in_chinese() -> None:
    assert logged("0.15.3", "keyword-chinese")["total"] > 0
    assert logged("1.12.1", "keyword-chinese")["total"] == 0


def test_log_of_another_app() -> None:
    for version in OLDER:
        for mode in ("agent-chat", "chatflow", "completion"):
            assert logged(version, f"wrong-mode-{mode}")["total"] == 0


def test_when_a_run_is_logged() -> None:
    late: dict[str, set[bool]] = {}
    for version in OLDER:
        for line in logged(version, "all-limit100-page1")["data"]:
            of_run = line["workflow_run"]
            assert line["created_at"] >= of_run["created_at"]
            if of_run["elapsed_time"] > 2:
                late.setdefault(version, set()).add(line["created_at"] > of_run["created_at"] + 1)
    assert late == {"0.15.3": {True}, "1.12.1": {False}}


def test_exceptions_of_a_failed_run() -> None:
    for what, old, new in (("fail-code", 0, 1), ("fail-retry", 0, 4), ("fail-default", 1, 1)):
        assert finished("0.15.3", f"{what}-streaming")["exceptions_count"] == old
        assert finished("1.12.1", f"{what}-streaming")["exceptions_count"] == new


def test_run_stopped_by_a_stranger() -> None:
    assert finished("0.15.3", "stop-llm-wrong-user")["status"] == "succeeded"
    for what in ("stop-llm-wrong-user", "stop-other-app-key"):
        assert finished("1.12.1", what)["status"] == "stopped"
        assert answer(f"0.15.3/workflows-stop__{what.removeprefix('stop-')}") == {"result": "success"}


def test_usage_of_an_agent_node() -> None:
    ended = [event["data"] for event in of(run("1.12.1", "agent-hello-streaming"), "node_finished")]
    (agent,) = (data for data in ended if data["node_type"] == "agent")
    usage = agent["outputs"]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (0, 0)
    assert agent["execution_metadata"]["total_tokens"] == 18


def test_events_of_a_completion() -> None:
    found = [case for case in load() if "/completion-messages__" in case]
    assert len(found) > 30
    for case in found:
        assert not any("conversation_id" in event for event in stream(case)), case


def test_completion_with_a_file() -> None:
    for version, name in (("0.15.3", "message"), ("1.12.1", "message_file")):
        told = stream(f"{version}/completion-messages__file-local-streaming")
        assert all(event["event"] == name for event in told if event.get("answer"))


def test_query_at_the_top() -> None:
    for version in OLDER:
        case = f"{version}/completion-messages__err-top-level-query-both"
        asked = load()[case].request.json
        said = "".join(event["answer"] for event in of(stream(case), "message"))
        assert asked["query"] in said
        assert asked["inputs"]["query"] not in said


def test_key_of_another_kind() -> None:
    wrong = {
        case: refusal(case)
        for case in load_exchanges()
        if "wrong-mode" in case and "/completion-messages__" in case
    }
    assert len(wrong) > 4
    assert set(wrong.values()) == {(400, "app_unavailable")}
    for version in OLDER:
        assert refusal(f"{version}/workflows-run-detail__wrong-mode-completion") == (400, "not_workflow_app")
        assert refusal(f"{version}/workflows-stop__wrong-mode-chatflow") == (400, "not_workflow_app")
