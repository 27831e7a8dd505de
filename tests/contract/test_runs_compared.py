"""Recorded runs beside each other: one differs in nothing from itself, and real pairs differ where they do."""

from __future__ import annotations

import re

import pytest
from contract.expected_runs import RUNS
from contract.streams import load
from contract.test_streams_table import events_of
from unit.test_views_hostile import problems

from dify_notebook import Turn, frames
from dify_notebook.turn.fold import Builder
from dify_notebook.views import comparison
from dify_notebook.wire.kinds import WORKFLOW

CASES = sorted(run.case for run in RUNS)
SIGNED = re.compile(r"(?i)[?&](?:sign|signature|nonce)=(?!-)")


def turn_of(case: str) -> Turn:
    builder = Builder(Turn(app_mode=WORKFLOW))
    for event in events_of(load()[case]):
        builder.apply(event)
    return builder.turn()


@pytest.mark.parametrize("case", CASES)
def test_a_run_differs_in_nothing_from_itself(case: str) -> None:
    found = frames.compare(turn_of(case), turn_of(case))
    assert len(found.nodes) == len(found.a.nodes or ())
    assert found.nodes["only_in"].isna().all()
    assert not found.nodes[["inputs_differ", "outputs_differ"]].any(axis=None)
    assert found.nodes["elapsed_delta"].dropna().eq(0).all()
    assert found.inputs.empty
    assert found.outputs.empty
    assert found.summary["delta"].dropna().eq(0).all()


PAIRS: dict[tuple[str, str], tuple[str, list[list[str]], list[list[str]]]] = {
    ("iterfail-continue-streaming", "iterfail-terminate-streaming"): (
        "start route b:mkc b:iterc b:codec[0] b:codec[1] a:mka a:itera a:codea[0] a:codea[1] a:codea[2] a:enda",
        [["q", '"continue"', '"terminate"']],
        [["out", '["/OK1",null,"/OK2"]', ""]],
    ),
    ("llm-hello-streaming", "llm-markdown-streaming"): (
        "start llm end",
        [["q", '"Hello 你好 \\"quote\\" <b>"', '"MARKDOWN"']],
        [["text", '"You said: Hello 你好', '"# Title']],
    ),
    ("stop-iteration-again-0", "stop-iteration-again-2"): ("start mk iter it_tpl[0] it_llm[0] b:it_tpl[1] b:it_llm[1]", [], []),
}  # fmt: skip
"""Two runs of one app -> its nodes in order (in one alone; [round]), the inputs and the beginnings of outputs that differ."""


@pytest.mark.parametrize("version", ["0.15.3", "1.12.1"])
@pytest.mark.parametrize("pair", PAIRS)
def test_two_recorded_runs_of_one_app(version: str, pair: tuple[str, str]) -> None:
    nodes, inputs, outputs = PAIRS[pair]
    found = frames.compare(*(turn_of(f"{version}/workflows-run__{what}") for what in pair))
    rows = found.nodes.astype("object").where(found.nodes.notna(), None).to_dict("records")
    names = [
        (f"{row['only_in']}:" if row["only_in"] else "")
        + row["node_id"]
        + ("" if row["round"] is None else f"[{row['round']}]")
        for row in rows
    ]
    assert " ".join(names) == nodes
    assert found.inputs[["name", "a", "b"]].fillna("").values.tolist() == inputs
    assert found.outputs["name"].tolist() == [name for name, *_ in outputs]
    for row, expected in zip(found.outputs[["name", "a", "b"]].fillna("").values.tolist(), outputs, strict=True):
        assert all(value.startswith(begin) for value, begin in zip(row, expected, strict=True))


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_every_recorded_run_beside_the_next_is_shown_harmless(language: str) -> None:
    for case, following in zip(CASES, CASES[1:], strict=False):
        shown = comparison.bundle(turn_of(case), turn_of(following), language)  # type: ignore[arg-type]
        assert problems(shown["text/html"]) == [], case
        assert not SIGNED.search("".join(shown.values())), case
