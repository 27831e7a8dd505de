"""Every recorded exchange with workflow and completion apps, asked again: runs, completions, what is kept of them, stops, refusals.

Each version's of its dialect; what is compared is what `test_local_replay` compares: status, fields and types, order of
events; and how a run ended, with the names and types of its outputs. `NOT_HERE` names what cannot be said here, `DIFFERS` what is answered otherwise, each with its reason.
"""

from __future__ import annotations

import json
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import httpx
import pytest
from contract import replay_runs
from contract.replay import events
from contract.run_stage import RunReplay, RunStage, app_of, apps, is_other, results
from contract.streams import Recording
from contract.test_local_replay import DIALECTS, everything, reason
from contract.workflow_apps import Gate
from local_helpers import Sounds
from support.fake_model import FakeModel
from support.loopback import Web, closed_origin

from dify_notebook import local
from dify_notebook.local.engine.template import shown_in_output

GATE = Gate()
SIZES = {"1.16.1": 29, "1.12.1": 389, "0.15.3": 371}
NOT_HERE = {
    "workflows-run__agent-*": "an agent node of a plugin",
    "*__file-extract-*": "a document-extractor node",
    "*__sysfiles-wf-file": "a document-extractor node",
    "*__rich*": "a tool node of a plugin",
    "meta__wf-rich": "a tool node of a plugin",
    "workflows-logs__app-wf-agent": "an agent node of a plugin",
    "workflows-logs__app-wf-rich": "a tool node of a plugin",
    "*__by-id-v1-*": "an app has one version here",
    "*__stopped-parallel": "a stop while branches run at once, which is chance",
    "*__stopped-llm": "a run of which nothing else was recorded",
    "*__llm-slowstart12": "a model that waits for 12 seconds",
    "parameters__wf-mod": "moderation of a workflow app, which does nothing",
}
_ANY = {
    "workflows-run__tts-*": "sound begins there before all is said",
    "*__err-json-array": "a body that is no object is a 500 there",
    "*__err-long-user": "a long user is a 500 there",
}
_AT_ONCE = "branches that run at once are told there, and of several ends the outputs of the last one"
DIFFERS: dict[str, dict[str, str]] = {
    "1.16.1": {},
    "1.12.1": {
        **_ANY,
        "workflows-logs__by-account": "there are no accounts here",
        "workflows-run-detail__stopped-iteration-*": "of the stopped runs these alone do not stay running there",
    },
    "0.15.3": {
        **_ANY,
        "workflows-run__concurrent-?": _AT_ONCE,
        "workflows-run__parallel-two-ends-*": _AT_ONCE,
        "workflows-run__fail-llmdef-streaming": "a text in place of a model's comes there after the last node",
    },
}


def recorded(version: str) -> dict[str, Recording]:
    return {case: one for case, one in everything(version).items() if is_other(case)}


@pytest.mark.slow
@pytest.mark.parametrize("version", DIALECTS)
def test_recorded_runs(tmp_path: Path, version: str) -> None:
    told = recorded(version)
    assert len(told) == SIZES[version]
    said_here = {case: one for case, one in told.items() if reason(case, NOT_HERE) is None}
    different: dict[str, list[str]] = {}
    with Web() as web, FakeModel(replay_runs.model) as model:
        nothing = closed_origin()
        made = apps(web.origin, nothing, GATE, model.url)
        names = [app.name for app in made]
        with local.serve(
            data_dir=tmp_path, pace=0, dialect=DIALECTS[version], apps=made, speech=Sounds(), allow=[web.origin, nothing]
        ) as server:
            stage = RunStage(server, f"{web.origin}/x.png", names, GATE, told)
            for case, one in said_here.items():
                if found := RunReplay(stage, one, app_of(case, names)).differences():
                    different[case] = found
            stage.close()
    known = DIFFERS[version]
    unexplained = {case: found for case, found in different.items() if reason(case, known) is None}
    assert unexplained == {}, "\n".join(f"{case}: {found}" for case, found in unexplained.items())
    for pattern in known:
        assert any(fnmatchcase(case, pattern) for case in different), f"{pattern} is answered alike by now"
    same = len(said_here) - len(different)
    print(f"\n{version}: {len(told)} recorded, {len(said_here)} can be said here, {same} are answered alike")
    assert same >= 0.9 * len(said_here)


def test_the_tables_have_no_line_too_many() -> None:
    every = {case for version in DIALECTS for case in recorded(version)}
    for pattern in NOT_HERE:
        assert any(fnmatchcase(case, pattern) for case in every), pattern


@pytest.mark.parametrize(
    ("case", "app"),
    [
        ("workflows-run__fail-after-streaming", "wf-fail"),
        ("workflows-run-detail__fail-after-streaming", "wf-fail"),
        ("workflows-run-detail__llm", "wf-llm"),
        ("workflows-run__wrong-mode-agent-chat-blocking", "agent-chat"),
        ("workflows-logs__app-wf-slow", "wf-slow"),
        ("completion-messages__wrong-mode-wf-llm", "wf-llm"),
        ("completion-feedback__like", "completion"),
        ("info__comp-form", "comp-form"),
        ("wrong-app__workflow-chat", "workflow-116"),
        ("chat-messages__wrong-mode-wf-llm", "wf-llm"),
        ("chat-messages__workflow-id-bogus", None),
        ("chat-messages__chatflow-streaming", None),
        ("workflow-events__humanflow-finished", None),
    ],
)
def test_the_app_that_was_asked(case: str, app: str | None) -> None:
    assert is_other(case) == (app is not None)
    assert app is None or app_of(case, ("wf-llm", "wf-slow", "comp-form", "completion", "workflow")) == app


RUN = {"workflow_id": "w", "status": "succeeded", "outputs": {"text": "a", "n": 1}}


@pytest.mark.parametrize(
    ("body", "alike"),
    [
        (RUN, True),
        ({**RUN, "outputs": {"text": "b", "n": 2.5}}, True),
        ({**RUN, "status": "failed"}, False),
        ({**RUN, "outputs": {"text": "a"}}, False),
        ({**RUN, "outputs": {"text": "a", "n": "1"}}, False),
        ({**RUN, "outputs": json.dumps(RUN["outputs"])}, False),
    ],
)
def test_results_are_held_against_each_other(body: dict[str, Any], alike: bool) -> None:
    told = next(one for one in recorded("1.16.1").values() if one.status == 200)
    for shaped in (lambda run: run, lambda run: {"task_id": "t", "data": run}):
        one = replace(told, chunks=[(0.0, json.dumps(shaped(RUN)).encode())], ended="last-chunk")
        answer = httpx.Response(200, json=shaped(body))
        assert (list(results(one, answer)) == []) == alike


def test_outputs_are_streamed_as_recorded() -> None:
    """The text of a run is its outputs as this server would show them, in every recording with one end and a text of
    each of them: since 1.12 all are streamed."""
    held = 0
    for version in ("1.12.1", "1.16.1"):
        for case, one in recorded(version).items():
            told = [event for event in events(one.body) if "data" in event]
            ends = [event["data"] for event in told if event["event"] == "node_finished" and event["data"]["node_type"] == "end"]
            if len(ends) != 1 or told[-1]["event"] not in ("workflow_finished", "tts_message"):
                continue
            text = "".join(event["data"]["text"] for event in told if event["event"] == "text_chunk")
            assert text == "\n".join(shown_in_output(value) for value in ends[0]["outputs"].values()), case
            held += 1
    assert held > 20
