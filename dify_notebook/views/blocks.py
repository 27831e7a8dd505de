"""A turn as a tree of blocks, in fixed slots."""

from __future__ import annotations

from collections.abc import Mapping

from ..i18n import Language
from ..turn.state import Turn
from . import forms, outputs, parts, timeline_table
from .block import Block
from .markdown import MarkdownRenderer
from .parts import Memo
from .words import Words

SLOTS = (
    "header",
    "inputs",
    "timeline",
    "thoughts",
    "reasoning",
    "logs",
    "answer",
    "outputs",
    "forms",
    "files",
    "citations",
    "notice",
    "footer",
)
"""The places of a view, from top to bottom. They always exist; an empty one shows nothing."""

_CLASSES = {"header": "dn-slot dn-head", "answer": "dn-slot dn-answer", "footer": "dn-slot dn-foot"}


class TurnView:
    """Draws one turn again and again while it grows.

    What it draws depends on the turn, the time and the language alone; it remembers
    earlier drawings only to be fast, and to give closed blocks back as the same objects.
    """

    def __init__(self, lang: Language | None = None, icons: Mapping[str, str] | None = None) -> None:
        """`icons` are those of tools, by name: an emoji, or an image as a data URI."""
        self._words = Words(lang)
        self._icons = dict(icons or {})
        self._renderer = MarkdownRenderer()
        self._memo = Memo()

    def blocks(self, turn: Turn, now: float = 0.0) -> Block:
        """The tree at this moment.

        Args:
            now: seconds since the question was sent; matters while the turn runs.
        """
        words, memo = self._words, self._memo
        slots = {
            "header": parts.header(turn, words, now),
            "inputs": outputs.inputs(turn, words, memo),
            "timeline": timeline_table.blocks(turn, words, now, memo),
            "thoughts": parts.thoughts(turn, words, memo, self._icons),
            "reasoning": parts.reasoning(turn, words, memo),
            "logs": parts.logs(turn, words, memo),
            "answer": self._renderer.update(outputs.answer(turn), ended=turn.status != "running"),
            "outputs": outputs.blocks(turn, words, memo),
            "forms": forms.blocks(turn, words, memo),
            "files": parts.files(outputs.apart(turn), words, memo),
            "citations": memo.get("citations", (turn.citations,), parts.citations, turn, words),
            "notice": parts.notice(turn, words),
            "footer": parts.footer(turn, words, now),
        }
        children = tuple(
            Block(
                name,
                "div",
                {"class": _CLASSES.get(name, "dn-slot") if slots[name] else "dn-slot"},
                "",
                tuple(slots[name]),
            )
            for name in SLOTS
        )
        return Block(
            "turn", "div", {"class": "dn dn-live" if turn.status == "running" else "dn"}, "", children
        )
