"""Lists of the API's words are said once: nothing else in the package or its tests writes one of them again."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import dify_notebook
from dify_notebook.i18n import Language, sentences
from dify_notebook.turn.state import CUT, End, NodeStatus, Status
from dify_notebook.wire.kinds import AppMode, ControlKind, FileKind

PACKAGE = Path(dify_notebook.__file__).parent
TESTS = Path(__file__).parents[1]
LAWS: dict[str, frozenset[str]] = {
    name: frozenset(get_args(law))
    for name, law in {
        "turn statuses": Status, "ends": End, "node statuses": NodeStatus,
        "app modes": AppMode, "controls": ControlKind, "kinds of files": FileKind,
    }.items()
}  # fmt: skip
HOMES = {"turn/state.py", "wire/kinds.py"}
MODES = set(get_args(AppMode)) - {"chat", "workflow"}
"""Words that mean nothing but a mode."""

ALLOWED: dict[tuple[str, str], str] = {
    ("address.py", "app modes"): "parts of a web page's address, which are words of their own",
    ("errors.py", "turn statuses"): "what is no error, in a room that knows no turns",
    ("errors.py", "node statuses"): "the same list",
    ("local/engine/forms.py", "controls"): "those without a longest length",
    ("local/server/routes/workflows.py", "turn statuses"): "what the log of runs can be asked for",
    ("local/server/routes/workflows.py", "node statuses"): "the same list",
    ("panel/presenter.py", "turn statuses"): "what can be asked again with one click",
    ("sweep/records.py", "node statuses"): "what a case comes to, which may be one of many turns",
    ("contract/test_local_apps.py", "controls"): "the form of one app, in its order",
    ("unit/test_form_hostile.py", "controls"): "controls beside one that nobody knows",
    ("unit/test_panel_talk.py", "controls"): "the form of one app, in its order",
}
"""Where three words of a law stand together because they are another law, each with its reason."""


def lists_of(source: str) -> Iterator[tuple[int, str]]:
    """(line, law) of each tuple, list, set, Literal and `case` that repeats three words of a law."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Tuple | ast.List | ast.Set | ast.MatchOr):
            parts = node.patterns if isinstance(node, ast.MatchOr) else node.elts
            values = [one.value if isinstance(one, ast.MatchValue) else one for one in parts]
            words = {one.value for one in values if isinstance(one, ast.Constant) and isinstance(one.value, str)}
            yield from ((node.lineno, name) for name, law in LAWS.items() if len(words & law) >= 3)


def modes_of(source: str) -> Iterator[int]:
    """Lines that compare with the name of a mode instead of its constant."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare | ast.MatchValue):
            sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else [node.value]
            parts = [part for side in sides for part in ast.walk(side)]
            if any(isinstance(part, ast.Constant) and part.value in MODES for part in parts):
                yield node.lineno


def files(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(root.rglob("*.py")):
        yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def test_no_list_is_written_again() -> None:
    used, again = set(), []
    for root in (PACKAGE, TESTS):
        for name, source in files(root):
            for line, law in lists_of(source):
                if (name, law) in ALLOWED:
                    used.add((name, law))
                elif name not in HOMES:
                    again.append(f"{name}:{line} repeats {law}")
    assert again == []
    assert set(ALLOWED) - used == set(), "reasons that nobody needs any more"


def test_modes_are_compared_by_their_constants() -> None:
    found = [f"{name}:{line}" for name, source in files(PACKAGE) if name not in HOMES for line in modes_of(source)]
    assert found == []


@pytest.mark.parametrize(
    ("source", "laws"),
    [
        ('x: Literal["image", "audio", "video"]', ["kinds of files"]),
        ('["text-input", 3, "select", "file"]', ["controls"]),
        ('{"chat", "workflow", "completion"}', ["app modes"]),
        ('("succeeded", "failed", "stopped")', ["turn statuses", "node statuses"]),
        ('match told:\n    case "succeeded" | "failed" | "paused":\n        pass', ["turn statuses", "node statuses"]),
        ('("eof", "error")', []),
    ],
)
def test_the_guard_sees_a_list(source: str, laws: list[str]) -> None:
    assert [law for _, law in lists_of(source)] == laws


@pytest.mark.parametrize("source", ['mode == "agent-chat"', 'mode in ("completion", "x")', '"advanced-chat" != app.mode'])
def test_the_guard_sees_a_mode(source: str) -> None:
    assert list(modes_of(source)) == [1]


def test_the_guard_sees_a_mode_in_a_match() -> None:
    assert list(modes_of('match mode:\n    case "agent-chat" | "chat":\n        pass')) == [2]


@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        ("live.say.", LAWS["turn statuses"] - {"running"}),
        ("live.run.", LAWS["turn statuses"] - {"running"}),
        ("views.status.", LAWS["turn statuses"] | LAWS["node statuses"]),
        ("views.end.", CUT),
        ("views.told.", CUT),
        ("net.end.", LAWS["ends"]),
        ("panel.ui.status.", LAWS["turn statuses"]),
        ("panel.kind.", LAWS["kinds of files"]),
        ("magic.app_mode.", LAWS["app modes"]),
    ],
)
def test_each_word_has_its_sentence(prefix: str, words: frozenset[str], language: Language) -> None:
    assert [word for word in sorted(words) if prefix + word not in sentences(language)] == []
