"""Each line of QUIRKS.md, read off the recorded bytes; nothing of the package is asked."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from contract.exchanges import load_exchanges
from contract.replay import events
from contract.streams import Recording, load, load_plain

QUIRKS = Path(__file__).with_name("QUIRKS.md").read_text(encoding="utf-8")
RECORDED, ELSEWHERE = QUIRKS.split("## Not in these recordings")
PING = b"event: ping\n\n"


@cache
def stream(case: str) -> list[dict[str, Any]]:
    return events(load()[case].body)


def new(what: str) -> list[dict[str, Any]]:
    return stream(f"1.16.1/{what}")


def names(found: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in found]


def of(found: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [event for event in found if event["event"] == name]


def only(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (event,) = of(found, name)
    return event


def exchange(case: str) -> Recording:
    return load_exchanges().get(case) or load_plain()[case]


def answer(case: str) -> Any:
    return json.loads(exchange(case).body)


def messages(what: str, version: str = "1.16.1") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer(f"{version}/messages__{what}")["data"]
    return found


def refusal(case: str) -> tuple[int, str]:
    return exchange(case).status, answer(case)["code"]


def of_version(version: str) -> dict[str, list[dict[str, Any]]]:
    return {case: stream(case) for case in load() if case.startswith(f"{version}/")}


def is_run(found: list[dict[str, Any]]) -> bool:
    return any(event["event"] in {"workflow_started", "workflow_finished", "node_started"} for event in found)


# A stream and its end


def test_order_of_the_end() -> None:
    first = {"0.15.3": "workflow_finished", "1.12.1": "workflow_finished", "1.16.1": "message_end"}
    for version, name in first.items():
        both = [
            [it for it in names(found) if it in {"message_end", "workflow_finished"}]
            for found in of_version(version).values()
        ]
        both = [ends for ends in both if len(set(ends)) == 2]
        assert len(both) > 15
        assert all(ends[0] == name for ends in both), version


def test_ping_first() -> None:
    begun = {
        case: (is_run(found), load()[case].body.startswith(PING))
        for case, found in of_version("1.16.1").items()
        if "/chat-messages" in case
    }
    assert {True, False} == {run for run, _ in begun.values()}
    assert [case for case, (run, ping) in begun.items() if run != ping] == []


def test_end_of_a_failed_run() -> None:
    ended = 0
    for case, found in of_version("1.16.1").items():
        finished = of(found, "workflow_finished")
        if finished and finished[0]["data"]["status"] in {"failed", "stopped"}:
            ended += 1
            assert names(found)[-1] == "workflow_finished", case
            assert not {"error", "message_end"} & set(names(found)), case
    assert ended > 10
    assert names(new("chat-messages-llm-errors__plain-chat-server"))[-1] == "error"


def test_no_sound_after_a_run() -> None:
    assert names(new("chat-messages__ttsflow-words-6"))[-1] == "workflow_finished"
    assert not [name for name in names(new("chat-messages__ttsflow-words-6")) if name.startswith("tts")]
    chat = names(new("chat-messages__tts-chat-words-6"))
    assert chat[-1] == "tts_message_end"
    assert "tts_message" in chat[chat.index("message_end") :]


@pytest.mark.parametrize("what", ["chatflow-empty-query", "fileflow-no-must", "fileflow-file-string"])
def test_run_that_never_began(what: str) -> None:
    found = new(f"chat-messages-errors__{what}")
    assert names(found) == ["workflow_started", "workflow_finished"]
    for event in found:
        assert not event.keys() & {"message_id", "conversation_id"}
        assert event["task_id"] == event["workflow_run_id"] == event["data"]["id"]
    data = found[1]["data"]
    assert (data["status"], data["created_by"], data["outputs"], data["exceptions_count"]) == ("failed", {}, None, 1)


def test_refused_before_a_run() -> None:
    for what in ("null-query", "missing-query", "inputs-null"):
        assert refusal(f"1.16.1/chat-messages-errors__chatflow-{what}") == (400, "invalid_param")
    assert refusal("1.16.1/chat-messages-errors__chatflow-unknown-conversation") == (404, "not_found")


def test_checkbox_takes_a_text() -> None:
    case = "1.16.1/chat-messages-errors__fileflow-flag-text"
    assert load()[case].request.json["inputs"]["flag"] == "yes"
    assert only(stream(case), "workflow_started")["data"]["inputs"]["flag"] is True


def test_steps_are_those_at_the_top() -> None:
    seen = {}
    for version in ("1.12.1", "1.16.1"):
        for case, found in of_version(version).items():
            begun = [event["data"] for event in of(found, "node_started")]
            containers = of(found, "iteration_started") + of(found, "loop_started")
            finished = of(found, "workflow_finished")
            if containers and finished:
                top = [node for node in begun if not node["iteration_id"] and not node["loop_id"]]
                seen[case] = (len(begun), finished[0]["data"]["total_steps"])
                assert seen[case][1] == len(top) + len(containers), case
    assert len(seen) > 6
    assert seen["1.16.1/chat-messages__richflow-please-words-5"] == (13, 10)


def test_rounds_of_a_loop() -> None:
    rounds = {}
    for what in ("loopall-go", "richflow-short-one"):
        data = only(new(f"chat-messages__{what}"), "loop_completed")["data"]
        between = len(of(new(f"chat-messages__{what}"), "loop_next"))
        rounds[what] = (between, len(data["execution_metadata"]["loop_duration_map"]), data["steps"])
    assert rounds == {"loopall-go": (2, 3, 3), "richflow-short-one": (1, 2, 3)}


def test_answer_of_a_failed_run() -> None:
    found = new("chat-messages__failflow-go")
    part = only(found, "workflow_finished")["data"]["outputs"]["answer"]
    streamed = "".join(event["answer"] for event in of(found, "message"))
    assert streamed.startswith(part)
    assert len(streamed) > len(part) > 0
    assert [message["answer"] for message in messages("failflow-default")] == [""]


# Texts, files and usage


def test_reason_of_a_replacement() -> None:
    reasons: dict[tuple[str, bool, bool], set[str | None]] = {}
    for case in load():
        for event in of(stream(case), "message_replace"):
            kind = (case.partition("/")[0], is_run(stream(case)), "/workflow-events__" in case)
            reasons.setdefault(kind, set()).add(event.get("reason"))
    assert {kind: value for kind, value in reasons.items() if kind[0] != "examples"} == {
        ("0.15.3", False, False): {None},
        ("0.15.3", True, False): {None},
        ("1.12.1", False, False): {""},
        ("1.12.1", True, False): {"output_moderation"},
        ("1.16.1", False, False): {""},
        ("1.16.1", True, False): {"output_moderation"},
        ("1.16.1", True, True): {""},
    }


def test_reasoning_is_stripped() -> None:
    found = new("chat-messages__thinkflow-hi")
    streamed = "".join(event["data"]["reasoning"] for event in of(found, "reasoning_chunk"))
    (kept,) = only(found, "message_end")["metadata"]["reasoning"].values()
    assert kept == streamed.strip() != streamed
    for what in ("basic-chat-md", "agent-chat-plain"):
        assert only(new(f"chat-messages__{what}"), "message_end")["metadata"]["reasoning"] == {}


def test_files_of_a_chat() -> None:
    assert only(new("chat-messages__basic-chat-md"), "message_end")["files"] == []
    ends = [
        event["files"]
        for case, found in of_version("1.12.1").items()
        if "__basic-chat-" in case
        for event in of(found, "message_end")
    ]
    assert len(ends) > 3
    assert set(map(str, ends)) == {"None"}


def test_related_id_of_a_file() -> None:
    (of_chat,) = only(new("chat-messages-files__basic-chat-file-local"), "message_end")["files"]
    assert of_chat["upload_file_id"] in of_chat["url"]
    assert of_chat["related_id"] not in of_chat["url"]
    for of_flow in only(new("chat-messages-files__fileflow-files"), "message_end")["files"]:
        assert of_flow["related_id"] in of_flow["url"]
        assert of_flow["id"] is None


def test_files_of_an_answer() -> None:
    found = new("chat-messages-files__fileflow-files")
    for files in (only(found, "message_end")["files"], only(found, "workflow_finished")["data"]["files"]):
        assert len(files) == 2
        assert len({file["related_id"] for file in files}) == 1
    (message,) = messages("fileflow-with-file")
    assert [file["belongs_to"] for file in message["message_files"]] == ["user", "assistant", "assistant"]


def test_times_in_usage() -> None:
    def times(case: str) -> list[float | str | None]:
        usage = only(stream(case), "message_end")["metadata"]["usage"]
        return [usage.get(key, "missing") for key in ("time_to_first_token", "time_to_generate")]

    first, whole = times("1.16.1/chat-messages__basic-chat-md")
    assert first == 0.0
    assert isinstance(whole, float)
    assert whole > 0
    assert times("1.12.1/chat-messages-errors__basic-chat-null-conversation") == [None, None]
    for what in ("chat-messages__mod-chat-a-secret", "chat-messages-new-agent__roster-agent-tool"):
        assert times(f"1.16.1/{what}") == ["missing", "missing"]


def test_errors_of_plugins() -> None:
    of_chat = only(new("chat-messages-llm-errors__plain-chat-other"), "error")
    of_flow = only(new("chat-messages-llm-errors__chatflow-other"), "workflow_finished")["data"]["error"]
    raised = json.loads(of_chat["message"])
    assert of_chat["code"] == "invalid_param"
    assert raised.keys() == {"error_type", "message", "args"}
    assert re.match(r"req_id: \w+ PluginInvokeError: ", of_flow)
    assert json.loads(of_flow.partition("PluginInvokeError: ")[2]) == raised


def test_rate_limit_has_a_code() -> None:
    error = only(new("chat-messages-llm-errors__plain-chat-rate"), "error")
    assert (error["code"], error["status"]) == ("rate_limit_error", 429)
    older = [
        event
        for version in ("0.15.3", "1.12.1")
        for found in of_version(version).values()
        for event in of(found, "error")
    ]
    assert older
    assert not [event for event in older if event["code"] == "rate_limit_error" or event["status"] == 429]


# A New Agent app


def test_closing_message_of_an_agent() -> None:
    found = new("chat-messages-new-agent__roster-agent-tool")
    said = [event["answer"] for event in of(found, "agent_message")]
    assert len(said) == 2
    (stored,) = messages("roster-agent-tool")
    assert only(found, "message")["answer"] == said[-1].rstrip() == stored["answer"] != said[-1]


def test_step_that_speaks() -> None:
    found = new("chat-messages-new-agent__roster-agent-tool")
    (stored,) = messages("roster-agent-tool")
    spoken = {thought["id"]: thought["answer"] for thought in stored["agent_thoughts"] if thought["answer"]}
    assert list(spoken.values()) == [event["answer"] for event in of(found, "agent_message")]
    on_the_wire = [event for event in of(found, "agent_thought") if event["id"] in spoken]
    assert {event["id"] for event in on_the_wire} == spoken.keys()
    assert all(event["thought"] == "" and "answer" not in event for event in on_the_wire)


def test_input_of_a_tool() -> None:
    (stored,) = messages("roster-agent-tool")
    (call,) = [thought for thought in stored["agent_thoughts"] if thought["tool"]]
    assert call["tool"] not in json.loads(call["tool_input"])
    assert call["observation"] == "12:00"
    (older,) = messages("agent-react-what", "1.12.1")
    (call, *_) = [thought for thought in older["agent_thoughts"] if thought["tool"]]
    assert list(json.loads(call["tool_input"])) == list(json.loads(call["observation"])) == [call["tool"]]


def test_agent_is_not_quite_a_chat() -> None:
    for what in ("info", "meta", "site", "conversations"):
        assert exchange(f"1.16.1/new-agent__newagent-{what}").status == 200
    assert refusal("1.16.1/new-agent__newagent-parameters") == (400, "app_unavailable")
    assert refusal("1.16.1/conversation-variables__roster-agent-list") == (400, "not_chat_app")


# A run that waits for a person


def test_outputs_of_a_pause() -> None:
    seen = [
        ("/workflow-events__" in case, event["data"]["outputs"])
        for case, found in of_version("1.16.1").items()
        for event in of(found, "workflow_paused")
    ]
    assert len(seen) > 8
    assert all(outputs == {} for again, outputs in seen if not again)
    assert all(outputs["answer"] for again, outputs in seen if again)


def test_nodes_told_again() -> None:
    found = new("workflow-events__humanflow-resumed-snapshot")
    pause = names(found).index("workflow_paused")
    state = [event["data"] for event in found[:pause] if event["event"] == "node_finished"]
    live = [event["data"] for event in found[pause:] if event["event"] == "node_finished"]
    assert [node["index"] for node in state] == [1, 2, 3, 4]
    assert all(node["inputs"] is None and node["outputs"] is None for node in state)
    assert [node["node_id"] for node in state if node["status"] == "paused"] == ["ask"]
    assert {node["index"] for node in live} == {1}
    assert live[0]["outputs"]["__action_id"] == "approve"


def test_task_of_a_state() -> None:
    started = only(new("workflow-events__slowflow-rejoin-snapshot"), "workflow_started")
    assert started["task_id"] == started["workflow_run_id"]
    waiting = of(new("workflow-events__humanflow-resumed-snapshot"), "workflow_started")[0]
    assert waiting["task_id"] == only(new("chat-messages__humanflow-pause"), "workflow_started")["task_id"]
    assert waiting["task_id"] != waiting["workflow_run_id"]


def test_events_of_an_ended_run() -> None:
    for what in ("humanflow-finished", "humanflow-rejected"):
        (event,) = new(f"workflow-events__{what}")
        assert event["event"] == "workflow_finished"
        assert not event.keys() & {"message_id", "conversation_id"}
        assert event["task_id"] == event["workflow_run_id"]


def test_stream_that_does_not_close() -> None:
    recording = load()["1.16.1/workflow-events__humanflow-resumed-plain"]
    assert "include_state_snapshot" not in recording.request.path
    (end,) = [seconds for seconds, chunk in recording.chunks if b'"workflow_finished"' in chunk]
    behind = [chunk for seconds, chunk in recording.chunks if seconds > end]
    assert set(behind) == {PING}
    assert recording.chunks[-1][0] - end > 280
    assert recording.ended == "last-chunk"


def test_stop_while_waiting() -> None:
    found = new("workflow-events__humanflow-stopped-while-paused")
    assert names(found)[-2:] == ["human_input_required", "workflow_paused"]


def test_form_by_its_token() -> None:
    form = answer("1.16.1/human-input__humanflow-get")
    asked = only(new("chat-messages__humanflow-pause"), "human_input_required")["data"]
    assert not form.keys() & {"form_id", "workflow_run_id", "node_id", "node_title", "actions"}
    assert form["user_actions"] == asked["actions"]
    assert answer("1.16.1/human-input__humanflow-submit") == {}


def test_submitted_by_another() -> None:
    first, again = (exchange(f"1.16.1/human-input__humanflow-submit{what}") for what in ("", "-again"))
    assert first.request.path == again.request.path
    assert first.request.json["user"] == again.request.json["user"]
    assert refusal("1.16.1/human-input__humanflow-submit-again") == (412, "human_input_form_submitted")
    assert "by another user" in json.loads(again.body)["message"]


def test_anybody_submits() -> None:
    submitted = exchange("1.16.1/human-input__humanflow-submit-other-user")
    assert (submitted.status, submitted.request.json["user"]) == (200, "somebody")


def test_refusal_repeats_the_token() -> None:
    case = "1.16.1/human-input__plain-chat-get-other-app"
    token = exchange(case).request.path.rpartition("/")[2]
    assert refusal(case) == (404, "not_found")
    assert answer(case)["message"].startswith("Form not found.")
    assert token in answer(case)["message"]


def test_forms_in_the_history() -> None:
    def form(what: str) -> dict[str, Any]:
        (extra,) = messages(what)[-1]["extra_contents"]
        assert not any("created_at" in part or "submitted_at" in part for part in (extra, extra["form_definition"]))
        found: dict[str, Any] = extra
        return found

    waits, answered = form("humanflow-paused"), form("humanflow-rejected")
    assert (waits["submitted"], answered["submitted"]) == (False, True)
    assert waits["form_definition"]["form_token"]
    assert answered["form_definition"]["form_token"] is None
    assert not any(key.endswith("_at") for key in answered["form_submission_data"])


def test_runs_that_are_not_there() -> None:
    refused = {what: refusal(f"1.16.1/workflow-events__{what}") for what in (
        "humanflow-malformed-run", "humanflow-unknown-run", "humanflow-other-user", "plain-chat-events"
    )}  # fmt: skip
    assert refused == {
        "humanflow-malformed-run": (500, "unknown"),
        "humanflow-unknown-run": (404, "not_found"),
        "humanflow-other-user": (404, "not_found"),
        "plain-chat-events": (400, "not_workflow_app"),
    }


# Lists and other operations


def test_usage_in_the_history() -> None:
    def usage(what: str) -> tuple[int, str, bool]:
        (message,) = messages(what)
        return message["total_tokens"], message["total_price"], message["provider_response_latency"] > 0

    assert usage("failflow-default") == usage("plain-chat-after-leaving") == (0, "0E-7", False)
    assert only(new("chat-messages__failflow-go"), "workflow_finished")["data"]["total_tokens"] > 0
    assert usage("plain-chat-after-stop") == usage("slowflow-after-stop") == (0, "0E-7", True)


def test_stopped_agent() -> None:
    (message,) = messages("agent-chat-after-stop")
    assert message["answer"] == message["agent_thoughts"][0]["thought"] == ""
    (older,) = messages("agent-chat-after-stop", "1.12.1")
    assert older["answer"]


def test_stop_by_a_stranger() -> None:
    for what in ("slowflow-other-user", "plain-chat-other-user"):
        assert answer(f"1.16.1/stop__{what}") == {"result": "success"}
    run = new("chat-messages-stop__slowflow-stopped-by-other")
    assert only(run, "workflow_finished")["data"]["status"] == "stopped"
    chat = load()["1.16.1/chat-messages-stop__plain-chat-stopped-by-other"]
    words = int(re.findall(r"\[\[words:(\d+)\]\]", chat.request.json["query"])[0])
    said = "".join(event["answer"] for event in of(events(chat.body), "message"))
    assert len(said.split()) == words


def test_delete_again() -> None:
    for what in ("1.16.1/delete__plain-chat-again", "1.16.1/delete__plain-chat-other", "0.15.3/delete__plain-chat-again"):
        assert refusal(what) == (404, "not_found")
    for what in ("again", "other-user"):
        assert exchange(f"1.12.1/delete__plain-chat-{what}").status == 204


def test_variables_by_name() -> None:
    for version in ("1.12.1", "1.16.1"):
        assert exchange(f"{version}/conversation-variables__chatflow-by-name").status == 500


def test_variables_in_python() -> None:
    listed = answer("1.16.1/conversation-variables__chatflow-list")["data"]
    values = {it["value_type"]: it["value"] for it in listed}
    for kind, value in (("array[string]", ["a"]), ("object", {"k": 1})):
        assert ast.literal_eval(values[kind]) == value
        with pytest.raises(ValueError, match="Expecting"):
            json.loads(values[kind])


def test_speech_that_is_off() -> None:
    assert refusal("1.16.1/audio-to-text__plain-chat-off") == (400, "speech_to_text_disabled")
    assert refusal("1.16.1/text-to-audio__plain-chat-off") == (400, "invalid_param")


def test_end_users() -> None:
    assert refusal("1.16.1/end-users__chatflow-unknown") == (404, "end_user_not_found")
    for case in ("1.16.1/end-users__chatflow-malformed", "1.12.1/end-users__bogus"):
        assert exchange(case).status == 404
        assert (exchange(case).header("content-type") or "").startswith("text/html")


def test_name_of_a_conversation() -> None:
    titled, failed = answer("1.16.1/conversations__chatflow-limit-2")["data"]
    assert titled["name"] == "A generated title"
    assert "[[fail:server]]" in failed["name"]  # the question, which makes the model fail
    (fresh,) = answer("1.16.1/conversations__basic-chat-name-1")["data"]
    assert fresh["name"].endswith("fresh")


# The document


def test_each_line_has_its_test_and_its_version() -> None:
    from contract import test_quirks_runs as runs  # which takes its helpers of here

    lines = re.split(r"^- ", RECORDED, flags=re.MULTILINE)[1:]
    tests = [name for line in lines for name in re.findall(r"\(`([a-z_]+)`", line)]
    here = {name.removeprefix("test_") for name in (*globals(), *vars(runs)) if name.startswith("test_")}
    assert len(tests) == len(set(tests)) == len(lines)
    assert set(tests) == here - {"each_line_has_its_test_and_its_version"}
    version = r"(0\.15\.3|1\.12\.1|1\.16\.1)"
    assert all(re.match(rf"{version}(, {version})*( and {version})?: ", line) for line in lines)
    told = re.split(r"^- ", ELSEWHERE, flags=re.MULTILINE)[1:]
    assert all(re.match(r"1\.\d\d(\.\d)?( and newer)? \((sources|seen)\): ", line) for line in told)
