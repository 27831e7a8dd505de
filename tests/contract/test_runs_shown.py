"""Every recorded run of a workflow app is shown: its outputs by name, once, without a signed link, live and left behind."""

from __future__ import annotations

import re
from typing import Any

import pytest
from contract.expected_runs import RUNS
from contract.streams import load
from contract.test_streams_table import events_of
from unit.test_views_hostile import problems

from dify_notebook import views
from dify_notebook.turn.fold import Builder
from dify_notebook.turn.state import Turn
from dify_notebook.views.block import Block
from dify_notebook.views.diff import Differ, apply
from dify_notebook.views.outputs import apart, has_answer, reported
from dify_notebook.views.words import Words
from dify_notebook.wire.kinds import WORKFLOW

CASES = sorted(run.case for run in RUNS)
SIGNED = re.compile(r"(?i)[?&](?:sign|signature|nonce)=(?!-)")


def turns(case: str) -> list[Turn]:
    """The turn after each event."""
    builder = Builder(Turn(app_mode=WORKFLOW))
    out = []
    for event in events_of(load()[case]):
        builder.apply(event)
        out.append(builder.turn())
    return out


def names(block: Block) -> list[str]:
    """What stands at the heads of rows."""
    own = [block.html] if block.attrs.get("scope") == "row" else []
    return own + [name for child in block.children for name in names(child)]


def outputs_only(turn: Turn) -> bool:
    """Whether every file of the recorded runs stands among their outputs, and nowhere else."""
    return not turn.files or apart(turn).files == ()


@pytest.mark.parametrize("case", CASES)
def test_a_run_is_drawn_as_it_comes_and_as_it_ended(case: str) -> None:
    view, differ = views.TurnView("en"), Differ()
    stream = views.TextStream("en")
    drawn: Block | None = None
    printed = ""
    told = turns(case)
    for at, turn in enumerate(told):
        root = view.blocks(turn, at / 10)
        drawn = apply(drawn, differ.patch(root) or [])
        assert drawn == root
        printed += stream.feed(turn, at / 10) if turn.running else ""
    turn = told[-1]
    printed += stream.end(turn)
    assert drawn == views.TurnView("en").blocks(turn, (len(told) - 1) / 10)
    slot = next(child for child in root.children if child.key == "outputs")
    assert names(slot) == list(reported(turn))
    assert outputs_only(turn)
    forms = views.bundle(turn, "en")
    assert problems(forms["text/html"]) == []
    for text in (*forms.values(), printed):
        assert not SIGNED.search(text)
        assert "New conversation" not in text
        for name in reported(turn):
            assert name.replace("_", "") in text.replace("\\_", "_").replace("_", "")


@pytest.mark.parametrize("case", [case for case in CASES if "blocking" not in case])
def test_what_a_run_gave_is_shown_once_and_nothing_that_it_said_is_lost(case: str) -> None:
    turn: Any = turns(case)[-1]
    texts = [value for value in (turn.outputs or {}).values() if isinstance(value, str) and len(value.split()) > 6]
    plain = views.text(turn, "en")
    outputs = plain.partition(f"\n{Words('en')('workflow')} (")[2]
    for text in set(texts):
        first = max(text.split("\n"), key=len).strip()
        if "<think>" not in text and len(text) < 4_000:
            assert outputs.count(first) <= sum(other.count(first) for other in texts), first
    if turn.answer_raw and not reported(turn):
        assert has_answer(turn)
