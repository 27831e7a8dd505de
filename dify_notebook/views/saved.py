"""What stays in the notebook: html, markdown and plain text of a turn, in one bundle."""

from __future__ import annotations

from ..i18n import Language, t
from ..printable import one_line, shown
from ..turn.state import Turn
from .block import Block
from .blocks import TurnView
from .document import document
from .html import serialize
from .plain import plain_text
from .style import inline_styles
from .words import Words


def html(turn: Turn, lang: Language | None = None, now: float = 0.0) -> str:
    """The saved form: styles inside the elements, and readable where they are stripped.

    `mathjax_ignore` keeps dollar signs from becoming formulas; what is one says so itself.
    `now` matters for a turn that still runs only: seconds since it was sent.
    """
    root = TurnView(lang).blocks(turn, now)
    slots = tuple(slot for slot in root.children if slot.children)
    return serialize(Block(root.key, "div", {"class": "mathjax_ignore dn"}, "", slots), inline_styles)


def markdown(turn: Turn, lang: Language | None = None) -> str:
    """The turn as markdown: the answer, then what led to it."""
    return document(turn, Words(lang))


def text(turn: Turn, lang: Language | None = None) -> str:
    """The turn as plain text for a terminal, without control characters."""
    return plain_text(turn, Words(lang))


def bundle(turn: Turn, lang: Language | None = None) -> dict[str, str]:
    """All three forms by mime type, as a notebook's output keeps them.

    A form that cannot be drawn is left out; the text says so, and has the answer in any case.
    """
    forms: dict[str, str] = {}
    problem: Exception | None = None
    for kind, draw in (("text/html", html), ("text/markdown", markdown), ("text/plain", text)):
        try:
            forms[kind] = draw(turn, lang)
        except Exception as raised:  # a mistake of ours must not cost anyone the answer
            problem = raised
    if problem is not None:
        note = t("views.not_drawn", lang, problem=one_line(f"{type(problem).__name__}: {problem}"))
        forms["text/plain"] = f"{forms.get('text/plain') or shown(turn.answer)}\n\n{note}"
    return forms
