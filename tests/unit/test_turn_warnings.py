"""What a turn tells of a stream in which something was wrong: in the reader's language, never in the code."""

from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import dify_notebook
from dify_notebook.i18n import Language, set_language, t
from dify_notebook.turn.fold import fold_all
from dify_notebook.wire import events as ev

ROOM = Path(dify_notebook.__file__).parent / "turn"
WORDS = re.compile(r"[A-Za-z]+,? [a-z]{2,}")
MARKUP = "<"
"""What Dify puts around reasoning begins with it."""

TOLD: list[tuple[ev.Event, str, str]] = [
    (ev.Message(answer="\ufffd", unread=1), "character", "turn.character"),
    (ev.Message(answer="\ufffd", unread=1_001), "character", "turn.more_characters"),
    (ev.StreamEnd(rest=b"data: {"), "damaged", "turn.cut"),
    (ev.LoopNext(data={"node_id": "n"}), "unexpected", "turn.no_round"),
    (ev.LoopCompleted(data={"node_id": "n"}), "unexpected", "turn.no_end"),
]


@pytest.fixture
def chinese() -> Iterator[None]:
    set_language("zh-Hans")
    yield
    set_language(None)


@pytest.mark.parametrize(("event", "code", "key"), TOLD)
def test_it_is_told_in_english(event: ev.Event, code: str, key: str) -> None:
    warning = fold_all([event]).warnings[-1]
    assert (warning.code, warning.message) == (code, t(key, "en", node="'n'"))


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize(("event", "code", "key"), TOLD)
def test_it_is_told_in_chinese_under_the_same_code(event: ev.Event, code: str, key: str) -> None:
    warning = fold_all([event]).warnings[-1]
    assert (warning.code, warning.message) == (code, t(key, "zh-Hans", node="'n'"))
    assert re.search(r"[\u4e00-\u9fff]", warning.message)


@pytest.mark.usefixtures("chinese")
def test_what_was_told_stays_as_it_was_told() -> None:
    """A turn goes on, and is kept, with what it said in another language."""
    set_language("en")
    turn = pickle.loads(pickle.dumps(fold_all([ev.LoopNext(data={"node_id": "n"})])))
    set_language("zh-Hans")
    later = fold_all([ev.Message(answer="\ufffd", unread=1)], turn)
    languages: tuple[Language, ...] = ("en", "zh-Hans")
    keys = ("turn.no_round", "turn.character")
    assert [one.message for one in later.warnings] == [t(key, lang, node="'n'") for key, lang in zip(keys, languages, strict=True)]


def sentences_of(source: str) -> list[str]:
    """Texts of several words that may reach a turn: neither documentation nor what is raised."""
    tree = ast.parse(source)
    silent = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for part in ast.walk(node)
    }
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in silent]
    return [text for text in texts if isinstance(text, str) and WORDS.search(text) and not text.startswith(MARKUP)]


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.name)
def test_no_sentence_is_written_in_the_code(path: Path) -> None:
    assert sentences_of(path.read_text(encoding="utf-8")) == []


def test_the_guard_sees_a_sentence() -> None:
    source = '''
def f(warn):
    """It is said here."""
    warn("code", f"the end of {f!r}, which never started", "one")
    raise TypeError("no such thing")
'''
    assert sentences_of(source) == ["the end of ", ", which never started"]
