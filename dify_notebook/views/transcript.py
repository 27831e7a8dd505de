"""A conversation as html, markdown and plain text: each question with the turn that came of it.

Questions are text wherever they come from; answers are drawn as every turn is. In markdown both stand in
quotations of their own, so that no text in them can pass for another turn.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..i18n import Language
from ..printable import one_line, shown
from ..turn.state import Turn
from . import facts
from .block import Block
from .blocks import TurnView
from .document import document
from .guard import as_title, fenced
from .html import escape, serialize
from .plain import indented, plain_text
from .style import inline_styles
from .words import Words


def bundle(turns: Sequence[Turn], title: str, about: str = "", *, lang: Language | None = None) -> dict[str, str]:
    """All three forms by mime type.

    Args:
        title: the conversation's name.
        about: one more line: whose it is, and when it was.
    """
    return {
        "text/html": html(turns, title, about, lang=lang),
        "text/markdown": markdown(turns, title, about, lang=lang),
        "text/plain": text(turns, title, about, lang=lang),
    }


def html(turns: Sequence[Turn], title: str, about: str = "", *, lang: Language | None = None) -> str:
    """The saved form, with styles inside the elements."""
    words = Words(lang)
    parts = [_leaf("title", "div", "dn-h dn-h2", one_line(title))]
    if about:
        parts.append(_leaf("about", "div", "dn-meta", one_line(about, 400)))
    for number, turn in enumerate(turns, 1):
        inner = [_leaf("name", "div", "dn-field", _name(turn, number, words))]
        if _asks(turn):
            inner.append(_leaf("text", "div", "dn-plain", shown(turn.query or "")))
        parts.append(Block(f"q{number}", "div", {"class": "dn-note"}, "", tuple(inner)))
        root = TurnView(lang).blocks(turn)
        slots = tuple(slot for slot in root.children if slot.children)
        parts.append(Block(f"a{number}", "section", {"class": "dn-more"}, "", slots))
    return serialize(Block("transcript", "div", {"class": "mathjax_ignore dn"}, "", tuple(parts)), inline_styles)


def markdown(turns: Sequence[Turn], title: str, about: str = "", *, lang: Language | None = None) -> str:
    """One markdown text."""
    words = Words(lang)
    parts = [f"# {as_title(title)}"]
    if about:
        parts.append(f"*{as_title(about)}*")
    for number, turn in enumerate(turns, 1):
        heading = f"## {as_title(_name(turn, number, words))}"
        if _asks(turn):
            parts.append(f"{heading}\n\n{quoted(fenced(shown(turn.query or ''), 'text'))}")
            heading = f"## {as_title(words('transcript.answer', number=number))}"
        parts.append(f"{heading}\n\n{quoted(document(turn, words))}")
    return "\n\n".join(parts) + "\n"


def text(turns: Sequence[Turn], title: str, about: str = "", *, lang: Language | None = None) -> str:
    """Plain text for a terminal, without control characters."""
    words = Words(lang)
    parts = ["\n".join(line for line in (one_line(title), one_line(about, 400)) if line)]
    for number, turn in enumerate(turns, 1):
        heading = _name(turn, number, words)
        if _asks(turn):
            parts.append(f"{heading}\n{indented(shown(turn.query or ''))}")
            heading = words("transcript.answer", number=number)
        parts.append(f"{heading}\n{indented(plain_text(turn, words).rstrip())}")
    return "\n\n".join(parts) + "\n"


def _asks(turn: Turn) -> bool:
    """Whether it has a question; an app without conversations has inputs, which its turns show themselves."""
    return bool(turn.query) or not facts.is_alone(turn)


def _name(turn: Turn, number: int, words: Words) -> str:
    """Question 2 · 2026-07-01 12:00 UTC · disliked"""
    parts = [words("transcript.question" if _asks(turn) else "transcript.run", number=number)]
    if turn.created_at is not None:
        parts.append(f"{turn.created_at:%Y-%m-%d %H:%M %Z}".strip())
    if turn.feedback:
        parts.append(words.known(f"transcript.{turn.feedback}", turn.feedback))
    return " \u00b7 ".join(parts)


def _leaf(key: str, tag: str, kind: str, text: str) -> Block:
    return Block(key, tag, {"class": kind}, escape(text))


def quoted(text: str) -> str:
    """Markdown in a quotation, which nothing in it can leave."""
    return "\n".join(f"> {line}" if line else ">" for line in text.strip("\r\n").splitlines())
