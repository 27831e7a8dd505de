"""Every recorded run of a workflow app and every recorded completion that can be declared here, asked again.

Each version's of its dialect; what is compared is what `test_local_replay` compares: status, fields and types, order of
events. `NOT_HERE` names what cannot be said here, `DIFFERS` what is answered otherwise, each with its reason.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from contract import replay_runs
from contract.replay import Replay, Stage, events
from contract.streams import Recording, load, load_blocking
from contract.test_local_replay import DIALECTS, reason
from local_helpers import Sounds
from support.fake_model import FakeModel
from support.loopback import Web, closed_origin

from dify_notebook import local
from dify_notebook.local.engine.template import shown_in_output

ENDPOINTS = ("workflows-run__", "workflows-run-by-id__", "completion-messages__")
SIZES = {"1.16.1": 8, "1.12.1": 112, "0.15.3": 106}
NOT_HERE = {
    "*__agent-*": "an agent node of a plugin",
    "*__file-extract-*": "a document-extractor node",
    "*__sysfiles-wf-file": "a document-extractor node",
    "*__rich-*": "a tool node of a plugin",
    "*__by-id-v?-*": "an app has one version here, with an id of its own",
    "*__workflow-by-id": "an app has one version here, with an id of its own",
    "*__disconnect-*": "the recorder left in the middle",
    "*__stop-*": "a stop in the middle",
    "*__ping-*": "a node that sleeps for 12 seconds",
    "*__http-slow-*": "a node that sleeps",
    "*__llm-slowstart12": "a model that waits for 12 seconds",
    "workflows-run__mod-*": "moderation of a workflow app, which does nothing",
}
_SOUND = {"workflows-run__tts-*": "sound begins there before all is said"}
DIFFERS: dict[str, dict[str, str]] = {
    "1.16.1": {},
    "1.12.1": _SOUND,
    "0.15.3": {
        **_SOUND,
        "workflows-run__concurrent-?": "branches that run at once are told there",
        "workflows-run__parallel-two-ends-streaming": "branches that run at once are told there",
        "workflows-run__fail-llmdef-streaming": "a text in place of a model's comes there after the last node",
    },
}


def recorded(version: str) -> dict[str, Recording]:
    every = {**load(), **load_blocking()}
    mine = {name.removeprefix(f"{version}/"): one for name, one in every.items() if name.startswith(f"{version}/")}
    return {name: one for name, one in mine.items() if name.startswith(ENDPOINTS)}


def app_of(case: str) -> str:
    endpoint, _, what = case.partition("__")
    table = replay_runs.COMPLETIONS if endpoint == "completion-messages" else replay_runs.APPS
    return next(app for pattern, app in table.items() if fnmatchcase(what, pattern))


@pytest.mark.slow
@pytest.mark.parametrize("version", DIALECTS)
def test_recorded_runs(tmp_path: Path, version: str) -> None:
    told = recorded(version)
    assert len(told) == SIZES[version]
    said_here = {case: one for case, one in told.items() if reason(case, NOT_HERE) is None}
    different: dict[str, list[str]] = {}
    with Web() as web, FakeModel(replay_runs.model) as model:
        nothing = closed_origin()
        with local.serve(
            data_dir=tmp_path, pace=0, dialect=DIALECTS[version], apps=replay_runs.declared(web.origin, nothing),
            speech=Sounds(), allow=[web.origin, nothing], model_url=model.url, model="stub",
        ) as server:  # fmt: skip
            stage = Stage(server, f"{web.origin}/x.png", (), {})
            for case, one in said_here.items():
                replay = Replay(stage, one)
                replay.app = app_of(case)
                if found := replay.differences():
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
