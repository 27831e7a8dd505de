"""However much a server sends, a view stays small and quick, and says what it leaves out and where all of it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from dify_notebook import views
from dify_notebook.turn.state import (
    AgentLog,
    Citation,
    Form,
    MessageFile,
    Node,
    Retry,
    Status,
    Thought,
    Turn,
    Warning_,
    Workflow,
)
from dify_notebook.views import limits, timeline
from dify_notebook.views.facts import marked_answer
from dify_notebook.views.html import serialize

N = 9_000


def nodes(count: int) -> tuple[Node, ...]:
    return tuple(Node(id=f"n{at}", title=f"node {at}.", status="succeeded", started_at=at / 10) for at in range(count))


def chained(count: int) -> tuple[Node, ...]:
    """Each inside the one before it."""
    return tuple(Node(id=f"n{at}", title=f"node {at}.", parent=f"n{at - 1}") for at in range(count))


FILE = {"dify_model_identity": "__dify__file__", "related_id": "f", "filename": "f"}


def of_run(outputs: dict[str, Any]) -> Turn:
    return Turn(app_mode="workflow", workflow=Workflow("r", outputs=outputs))


MANY: dict[str, tuple[Callable[[int], Turn], int, str]] = {
    "nodes": (lambda n: Turn(nodes=nodes(n)), limits.NODES, "turn.nodes_frame()"),
    "nodes in each other": (lambda n: Turn(nodes=chained(n)), limits.NODES, "turn.nodes_frame()"),
    "thoughts": (
        lambda n: Turn(thoughts=tuple(Thought(id=f"t{at}", tool="t", observation="o") for at in range(n))),
        limits.THOUGHTS,
        "turn.thoughts_frame()",
    ),
    "logs": (lambda n: Turn(logs=tuple(AgentLog(id=f"l{at}", label="l") for at in range(n))), limits.LOGS, "turn.logs"),
    "files": (lambda n: Turn(files=tuple(MessageFile(name=f"f{at}") for at in range(n))), limits.FILES, "turn.files"),
    "outputs": (lambda n: of_run({f"o{at}": at for at in range(n)}), limits.VALUES, "turn.outputs"),
    "rows of an output": (lambda n: of_run({"t": [{"a": at} for at in range(n)]}), limits.ROWS, "turn.outputs"),
    "lists of an output": (lambda n: of_run({"t": [[at] for at in range(n)]}), limits.ROWS, "turn.outputs"),
    "files of an output": (lambda n: of_run({"t": [FILE] * n}), limits.ROWS, "turn.outputs"),
    "citations": (
        lambda n: Turn(citations=tuple(Citation(position=at, content="c") for at in range(n))),
        limits.CITATIONS,
        "turn.citations",
    ),
    "suggested": (lambda n: Turn(suggested=tuple(f"s{at}" for at in range(n))), limits.SUGGESTED, "turn.suggested"),
    "forms": (lambda n: Turn(forms=tuple(Form(id=f"f{at}") for at in range(n))), limits.FORMS, "turn.forms"),
    "warnings": (
        lambda n: Turn(warnings=tuple(Warning_(code="x", message=f"m{at}") for at in range(n))),
        limits.WARNINGS,
        "turn.warnings",
    ),
    "damaged lines": (
        lambda n: Turn(answer="a" * 99, warnings=tuple(Warning_(code="damaged", message="m", offset=at) for at in range(n))),
        limits.DAMAGED,
        "turn.warnings",
    ),
}


def ended(turn: Turn, status: Status = "succeeded") -> Turn:
    return msgspec.structs.replace(turn, status=status)


FORMS: dict[str, Callable[[Turn], str]] = {
    "live": lambda turn: serialize(views.TurnView("en").blocks(turn, 1.0)),
    "html": lambda turn: views.html(turn, "en"),
    "text": lambda turn: views.text(turn, "en"),
    "markdown": lambda turn: views.markdown(turn, "en").replace("\\_", "_"),
    "stream": lambda turn: views.TextStream("en").end(turn),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", MANY)
def test_what_is_left_out_is_counted_and_its_place_named(kind: str, form: str) -> None:
    make, limit, where = MANY[kind]
    if kind == "suggested" and form == "stream":
        return  # an answer that streams has none yet
    told = f"{N - limit:,} more are not shown here. All of them are in {where}."
    shown = FORMS[form](ended(make(N)))
    assert shown.count(told) == 1
    assert "not shown here" not in FORMS[form](ended(make(limit)))
    assert "1 more is not shown here. All of them are in" in FORMS[form](ended(make(limit + 1)))
    assert len(FORMS[form](ended(make(2 * N)))) < len(shown) + 100


def test_it_is_told_in_chinese_too() -> None:
    turn = ended(Turn(nodes=nodes(N)))
    for shown in views.bundle(turn, "zh-Hans").values():
        assert f"另有 {N - limits.NODES:,} 项未在此显示，全部内容见 turn.nodes" in shown.replace("\\_", "_")


def test_the_first_are_shown_and_all_are_kept() -> None:
    turn = ended(Turn(nodes=nodes(N)))
    text = views.text(turn, "en")
    assert "9,000 steps" in text
    assert f"node {limits.NODES - 1}." in text
    assert f"node {limits.NODES}." not in text
    assert len(turn.nodes or ()) == N


def test_one_node_or_step_cannot_hold_too_much_either() -> None:
    retries = tuple(Retry(index=at, error="e") for at in range(N))
    turn = ended(Turn(nodes=(Node(id="n", retries=retries),), thoughts=(Thought(id="t", tool=";".join("t" * N), observation="o"),)))
    assert views.html(turn, "en").count("Retry ") == limits.RETRIES
    assert f"t, t, +{N - limits.TOOLS:,}".replace(",", "") in views.text(turn, "en").replace(",", "")


def test_marks_of_damage_are_bounded() -> None:
    warnings = tuple(Warning_(code="damaged", message="m", offset=at) for at in range(1, N))
    assert marked_answer(Turn(answer="a" * N, answer_raw="a" * N, warnings=warnings)).count("\u26a0") == limits.MARKS


class Counted(list[int | None]):
    """Counts how often it is asked."""

    asked = 0

    def __getitem__(self, at: Any) -> Any:
        self.asked += 1
        return super().__getitem__(at)


def test_nodes_in_each_other_are_walked_once() -> None:
    """Below the bound as well the cost is that of the nodes."""
    for count in (100, 400):
        for above in (Counted([None, *range(count - 1)]), Counted([*range(1, count), None]), Counted([*range(1, count), 0])):
            assert timeline._in_cycles(above) == [above[count - 1] == 0] * count
            assert above.asked <= 2 * count + 2


@pytest.mark.parametrize(
    ("parents", "tops"),
    [
        ({"a": None, "b": "a", "c": "b"}, ["a"]),
        ({"a": "b", "b": "a", "c": "b"}, ["a", "b", "c"]),
        ({"a": "a", "b": "a"}, ["a", "b"]),
        ({"a": "gone", "b": "a"}, ["a"]),
        ({"c": "b", "b": "a", "a": None}, ["a"]),
    ],
)
def test_a_way_up_that_never_ends_is_none(parents: dict[str, str | None], tops: list[str]) -> None:
    turn = Turn(nodes=tuple(Node(id=name, parent=parent) for name, parent in parents.items()))
    assert [group[0].node.id for group in timeline.groups(turn) if group[0].node] == tops
