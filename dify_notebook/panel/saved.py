"""What stays of a panel in the notebook: its conversation as html, markdown and plain text. Pure."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from .. import transcript, views
from ..i18n import Language, t
from ..printable import one_line, shown
from ..turn.state import Turn
from ..views import Block
from ..views.guard import as_title
from ..views.html import element, escape, serialize
from ..views.style import inline_styles
from ..views.words import host, number
from . import presenter
from .history import without_user_files
from .state import Item, PanelState

BUDGET = 300_000
"""Characters of html that the notebook keeps; the oldest turns are left out first."""
TURN_BUDGET = 200_000
"""Characters of html of one turn, above which its pictures are left out."""


class SavedTurn(NamedTuple):
    """One turn in its three forms."""

    html: str
    text: str
    turn: Turn


class Transcript:
    """Makes the saved form again and again; turns that stay the same are made once."""

    def __init__(self, css_class: str = "") -> None:
        """`css_class` is a class that the html can be found by."""
        self._class = css_class
        self._cache: dict[str, tuple[Item, Language, SavedTurn]] = {}

    def bundle(self, state: PanelState, lang: Language) -> dict[str, str]:
        """The conversation by mime type. Answers that still run are left out."""
        items = [item for item in state.items if item.turn is not None]
        saved: list[SavedTurn] = []
        size = 0
        for item in reversed(items):
            turn = self._saved_turn(item, lang)
            size += len(turn.html)
            if saved and size > BUDGET:
                break
            saved.append(turn)
        saved.reverse()
        self._cache = {item.key: self._cache[item.key] for item in items[len(items) - len(saved) :]}
        omitted = len(items) - len(saved)
        left_out = "panel.saved.earlier" if state.offers.conversations else "panel.saved.earlier_runs"
        earlier = t(left_out, lang, n=number(omitted)) if omitted or state.older else ""
        if state.older and not omitted:
            earlier = t("panel.saved.older", lang)
        title = presenter.title(state, lang)
        facts = self._facts(state, title, lang)
        again = t("panel.saved.again", lang)
        return {
            "text/html": self._html(title, facts, earlier, again, saved),
            "text/markdown": self._markdown(title, facts, earlier, saved, lang),
            "text/plain": "\n\n".join(
                [f"{title} · {facts}", *([earlier] if earlier else []), *(turn.text for turn in saved)]
            ),
        }

    def _facts(self, state: PanelState, title: str, lang: Language) -> str:
        app = state.app.name if state.app else ""
        server = next((host(item.turn.server) for item in state.items if item.turn and item.turn.server), "")
        totals = presenter.totals(state, lang) or t("panel.saved.empty", lang)
        return " · ".join(part for part in (app, server, totals) if part and part != title)

    def _html(self, title: str, facts: str, earlier: str, again: str, turns: list[SavedTurn]) -> str:
        head = element("span", {"class": "dn-title"}, escape(title)) + element(
            "span", {"class": "dn-quiet"}, escape(f" · {facts}")
        )
        blocks = [Block("head", "div", {"class": "dn-head"}, head)]
        if earlier:
            blocks.append(Block("earlier", "div", {"class": "dn-quiet"}, escape(earlier)))
        top = "".join(serialize(block, inline_styles) for block in blocks)
        foot = serialize(Block("again", "div", {"class": "dn-head dn-quiet"}, escape(again)), inline_styles)
        body = top + "".join(turn.html for turn in turns) + foot
        names = f"mathjax_ignore dn-talk {self._class}".strip()
        opening, closing = serialize(Block("talk", "div", {"class": names}), inline_styles).split("></", 1)
        return f"{opening}>{body}</{closing}"

    def _markdown(self, title: str, facts: str, earlier: str, turns: list[SavedTurn], lang: Language) -> str:
        text = transcript.as_markdown([saved.turn for saved in turns], title, lang=lang)
        head, _, rest = text.partition("\n\n")
        intro = "\n\n".join(as_title(line) for line in (facts, earlier) if line)
        return f"{head}\n\n{intro}\n\n{rest}"

    def _saved_turn(self, item: Item, lang: Language) -> SavedTurn:
        cached = self._cache.get(item.key)
        if cached is None or cached[0] is not item or cached[1] != lang:
            cached = self._cache[item.key] = (item, lang, _save(item, lang))
        return cached[2]


def _save(item: Item, lang: Language) -> SavedTurn:
    assert item.turn is not None
    turn = msgspec.structs.replace(  # what is the same for all stands above them
        without_user_files(item.turn), suggested=None, app=None, server=None, turn_number=None, conversation_name=None,
        placing=None,
    )
    html = views.html(turn, lang)
    if len(html) > TURN_BUDGET and turn.files:
        files = tuple(msgspec.structs.replace(file, data=None) for file in turn.files)
        turn = msgspec.structs.replace(turn, files=files)
        html = views.html(turn, lang)
    names = [one_line(file.name, 200) for file in item.attachments]
    question = escape(shown(item.query))
    if names:
        question += element("div", {"class": "dn-quiet"}, escape("⎘ " + ", ".join(names)))
    bubble = serialize(Block("ask", "div", {"class": "dn-ask"}, question), inline_styles) if question else ""
    named = [f"⎘ {', '.join(names)}"] if names else []
    asked = [f"{t('panel.saved.you', lang)}: {shown(item.query)}"] if item.query else []
    lead = "\n".join([*asked, *named])
    return SavedTurn(bubble + html, f"{lead}\n\n{views.text(turn, lang)}".lstrip("\n"), turn)
