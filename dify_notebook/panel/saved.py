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
from ..views.style import inline
from ..views.words import host, number
from . import presenter
from .history import without_user_files
from .state import Item, PanelState

BUDGET = 300_000
"""Characters of html that the notebook keeps; the oldest turns are left out first."""
TURN_BUDGET = 200_000
"""Characters of html of one turn, above which its pictures are left out."""


class Kept(NamedTuple):
    """One turn in its three forms."""

    html: str
    text: str
    turn: Turn


class Transcript:
    """Makes the saved form again and again; turns that stay the same are made once."""

    def __init__(self, kept: str = "") -> None:
        """`kept` is a class that the html can be found by."""
        self._class = kept
        self._made: dict[str, tuple[Item, Language, Kept]] = {}

    def bundle(self, scene: PanelState, lang: Language) -> dict[str, str]:
        """The conversation by mime type. Answers that still run are left out."""
        items = [item for item in scene.items if item.turn is not None]
        kept: list[Kept] = []
        size = 0
        for item in reversed(items):
            one = self._kept(item, lang)
            size += len(one.html)
            if kept and size > BUDGET:
                break
            kept.append(one)
        kept.reverse()
        self._made = {item.key: self._made[item.key] for item in items[len(items) - len(kept) :]}
        left = len(items) - len(kept)
        earlier = t("panel.saved.earlier", lang, n=number(left)) if left or scene.older else ""
        if scene.older and not left:
            earlier = t("panel.saved.older", lang)
        title, facts = presenter.title(scene, lang), self._facts(scene, lang)
        again = t("panel.saved.again", lang)
        return {
            "text/html": self._html(title, facts, earlier, again, kept),
            "text/markdown": self._markdown(title, facts, earlier, kept, lang),
            "text/plain": "\n\n".join(
                [f"{title} · {facts}", *([earlier] if earlier else []), *(one.text for one in kept)]
            ),
        }

    def _facts(self, scene: PanelState, lang: Language) -> str:
        app = scene.facts.name if scene.facts else ""
        server = next((host(item.turn.server) for item in scene.items if item.turn and item.turn.server), "")
        told = presenter.totals(scene, lang) or t("panel.saved.empty", lang)
        return " · ".join(one for one in (app, server, told) if one)

    def _html(self, title: str, facts: str, earlier: str, again: str, kept: list[Kept]) -> str:
        head = element("span", {"class": "dn-title"}, escape(title)) + element(
            "span", {"class": "dn-quiet"}, escape(f" · {facts}")
        )
        blocks = [Block("head", "div", {"class": "dn-head"}, head)]
        if earlier:
            blocks.append(Block("earlier", "div", {"class": "dn-quiet"}, escape(earlier)))
        top = "".join(serialize(block, inline) for block in blocks)
        foot = serialize(Block("again", "div", {"class": "dn-head dn-quiet"}, escape(again)), inline)
        body = top + "".join(one.html for one in kept) + foot
        names = f"mathjax_ignore dn-talk {self._class}".strip()
        opening, closing = serialize(Block("talk", "div", {"class": names}), inline).split("></", 1)
        return f"{opening}>{body}</{closing}"

    def _markdown(self, title: str, facts: str, earlier: str, kept: list[Kept], lang: Language) -> str:
        text = transcript.as_markdown([one.turn for one in kept], title, lang=lang)
        head, _, rest = text.partition("\n\n")
        told = "\n\n".join(as_title(one) for one in (facts, earlier) if one)
        return f"{head}\n\n{told}\n\n{rest}"

    def _kept(self, item: Item, lang: Language) -> Kept:
        made = self._made.get(item.key)
        if made is None or made[0] is not item or made[1] != lang:
            made = self._made[item.key] = (item, lang, _keep(item, lang))
        return made[2]


def _keep(item: Item, lang: Language) -> Kept:
    assert item.turn is not None
    turn = msgspec.structs.replace(  # what is the same for all stands above them
        without_user_files(item.turn), suggested=None, app=None, server=None, turn_number=None, conversation_name=None
    )
    html = views.html(turn, lang)
    if len(html) > TURN_BUDGET and turn.files:
        turn = msgspec.structs.replace(turn, files=tuple(msgspec.structs.replace(one, data=None) for one in turn.files))
        html = views.html(turn, lang)
    names = [one_line(one.name, 200) for one in item.attachments]
    asked = escape(shown(item.query))
    if names:
        asked += element("div", {"class": "dn-quiet"}, escape("⎘ " + ", ".join(names)))
    bubble = serialize(Block("ask", "div", {"class": "dn-ask"}, asked), inline)
    lead = t("panel.saved.you", lang)
    files = f"\n⎘ {', '.join(names)}" if names else ""
    return Kept(bubble + html, f"{lead}: {shown(item.query)}{files}\n\n{views.text(turn, lang)}", turn)
