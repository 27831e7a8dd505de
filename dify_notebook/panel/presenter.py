"""The scene in words: the values that the browser gets, in one language. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any, cast

from ..app import stored
from ..app.known import KnownApp
from ..i18n import Language, sentences, t
from ..printable import one_line, shown
from ..redact import redact
from ..turn.state import MessageFile, Turn
from ..views import facts as told
from ..views import timeline
from ..views.words import Words, last_part, number, price
from ..wire.models import ConversationVariable
from . import commands as c
from . import messages as m
from .facts import in_field
from .state import Item, PanelState

LONGEST = 20_000
"""Characters of a variable's value that are told."""


def texts(lang: Language) -> dict[str, str]:
    """All labels of the browser, by their names there."""
    return {key.removeprefix("panel.ui."): text for key, text in sentences(lang).items() if key.startswith("panel.ui.")}


def when(time: datetime | None, now: datetime, lang: Language) -> str:
    """A moment in few words, in the kernel's time zone; "" for None."""
    if time is None:
        return ""
    local, today = time.astimezone(), now.astimezone()
    clock = local.strftime("%H:%M")
    if local.date() == today.date():
        return clock
    if local.date() == (today - timedelta(days=1)).date():
        return t("panel.yesterday", lang, time=clock)
    if local.year == today.year:
        return t("panel.day", lang, day=local.day, month=t(f"panel.month.{local.month}", lang))
    return local.strftime("%Y-%m-%d")


# -- states


def conversation(scene: PanelState, lang: Language, now: datetime) -> m.Conversation:
    """The conversation on show."""
    frozen = None
    app = scene.facts.app if scene.facts is not None else KnownApp()
    controls = app.controls
    if app.old and scene.conversation_id and controls:
        frozen = t("panel.frozen", lang, version=app.version)
    offer = scene.offer
    notice, resume = None, None
    if offer is not None:
        name = one_line(offer.name, 80) or t("panel.unnamed", lang)
        notice = t("panel.offer", lang, name=name, when=when(offer.updated_at or offer.created_at, now, lang))
        resume = m.Resume(offer.id, name)
    return m.Conversation(
        id=scene.conversation_id,
        name=one_line(scene.name, 200) or t("panel.unnamed" if scene.conversation_id else "panel.new", lang),
        inputs={
            name: in_field(controls.get(name, {}), one.value) for name, one in scene.inputs.items() if _shown(one.value)
        },
        frozen=frozen,
        older=scene.older,
        loading=scene.loading,
        totals=totals(scene, lang),
        notice=notice,
        resume=resume,
    )


def _shown(value: Any) -> bool:
    """Whether a form can show it: not files, nor what is no JSON."""
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    first = value[0] if isinstance(value, list) and value else value
    named = isinstance(first, dict) and {"transfer_method", "upload_file_id"} & set(first)
    return not named and not stored.is_file(value)


def totals(scene: PanelState, lang: Language) -> str:
    """Turns, tokens, price and time of what is on show and has ended; "" for nothing."""
    turns = [item.turn for item in scene.items if item.turn is not None]
    if not turns:
        return ""
    words = Words(lang)
    parts = [t("panel.turns.one", lang) if len(turns) == 1 else t("panel.turns", lang, n=number(len(turns)))]
    tokens = sum(turn.usage.total_tokens or 0 for turn in turns if turn.usage)
    if tokens:
        parts.append(words("tokens", n=number(tokens)))
    sums: dict[str | None, Decimal] = {}
    for turn in turns:
        if turn.usage and turn.usage.total_price:
            sums[turn.usage.currency] = sums.get(turn.usage.currency, Decimal(0)) + turn.usage.total_price
    parts += [price(amount, currency) for currency, amount in sums.items()]
    seconds = sum(turn.timing.total or 0.0 for turn in turns if turn.timing)
    if seconds:
        parts.append(words.seconds(seconds))
    return " · ".join(parts)


def conversations(scene: PanelState, lang: Language, now: datetime) -> m.Conversations:
    """The list."""
    listing = scene.listing
    last = listing.hidden[-1] if listing.hidden else None
    unnamed = t("panel.unnamed", lang)
    return m.Conversations(
        items=[
            m.Listed(
                id=one.id,
                name=one_line(one.name, 200) or unnamed,
                when=when(one.updated_at or one.created_at, now, lang),
                current=one.id == scene.conversation_id,
            )
            for one in listing.items
        ],
        more=listing.more,
        loading=listing.loading,
        search=listing.search,
        deleted=None if last is None else m.Deleted(last.id, one_line(last.name, 200) or unnamed),
    )


def variables(scene: PanelState) -> m.Variables | None:
    """The conversation's variables, where they were asked for."""
    if scene.variables is None:
        return None
    return m.Variables([_variable(one) for one in scene.variables])


def _variable(one: ConversationVariable) -> m.Variable:
    secret = one.value_type == "secret"
    value = "" if secret else redact(json.dumps(one.parsed, ensure_ascii=False, default=str))[:LONGEST]
    return m.Variable(
        id=one.id,
        name=one_line(one.name, 120),
        type=one_line(one.value_type, 40),
        value=value,
        description=one_line(one.description or "", 400),
    )


def status(scene: PanelState) -> m.Status:
    """How the panel is."""
    running = scene.running
    return m.Status(
        running=running.key if running else None,
        stopping=scene.stopping and running is not None,
        connected=scene.facts is not None,
        error=scene.problem,
    )


# -- turns


def meta(item: Item, turn: Turn, view: int, scene: PanelState, lang: Language, now: datetime) -> m.TurnMeta:
    """What belongs to a question and its answer besides the blocks of the answer."""
    facts = scene.facts
    ended = not turn.running
    kept = ended and turn.message_id is not None
    speech = (facts.parameters.text_to_speech or {}) if facts else {}
    badly = turn.status in ("failed", "incomplete", "stopped")
    return m.TurnMeta(
        key=item.key,
        view=view,
        query=shown(item.query),
        files=list(item.attachments),
        status=turn.status,
        message_id=turn.message_id,
        rating=cast("m.Rating | None", turn.feedback if turn.feedback in ("like", "dislike") else None),
        comment=item.comment,
        annotated=item.annotated,
        can=m.Can(
            retry=ended and badly,
            regenerate=ended and not badly,
            rate=kept and turn.status != "failed",
            annotate=kept and bool(facts and facts.annotations) and bool(turn.answer),
            speak=kept and bool(speech.get("enabled")) and bool(turn.answer),
        ),
        suggested=[one_line(one, 300) for one in (turn.suggested or ())[:10]],
        downloads=[
            m.Download(str(at), file_name(file), file.type or "custom", _size(file))
            for at, file in enumerate(turn.files or ())
            if file.belongs_to != "user" and (file.url or file.id)
        ],
        audio=turn.audio is not None and bool(turn.audio.chunks),
        when=when(item.asked_at or turn.created_at, now, lang),
        facts=measures(turn, lang) if ended else "",
        nodes=nodes(turn, lang),
        say=None if turn.source == "history" else t(_news(turn), lang),
    )


def file_name(file: MessageFile) -> str:
    """What a file of an answer is called: as the server names it, else by the last part of its address."""
    told = one_line(file.name or "", 200)
    last = last_part(file.url or "")
    return told or (last if "." in last.strip(".") else "file")


def _size(file: Any) -> int | None:
    return len(file.data) if file.data is not None else cast("int | None", file.size)


def _news(turn: Turn) -> str:
    if turn.status != "running":
        return f"live.say.{turn.status}"
    return "live.say.answering" if turn.answer else "live.say.waiting"


def measures(turn: Turn, lang: Language) -> str:
    """Tokens, price and time of one answer."""
    words, usage = Words(lang), turn.usage
    parts = []
    if usage is not None and usage.total_tokens:
        parts.append(words("tokens", n=number(usage.total_tokens)))
    if usage is not None and usage.total_price:
        parts.append(price(usage.total_price, usage.currency))
    if turn.timing is not None and turn.timing.total is not None:
        parts.append(words.seconds(turn.timing.total))
    elif usage is not None and usage.latency:
        parts.append(words.seconds(usage.latency))
    return " · ".join(parts)


def nodes(turn: Turn, lang: Language) -> list[m.NodeLine]:
    """The steps that have more to tell than their line."""
    words = Words(lang)
    return [
        m.NodeLine(node.id, timeline.name(node, words))
        for node in turn.nodes or ()
        if node.inputs or node.outputs or node.process_data or node.error
    ][:200]


CUT_TEXT = 8_000
"""Characters of one text in a node's details."""
CUT_ITEMS = 200
"""Items of one list or object."""
CUT_ALL = 100_000
"""Characters of all details of a node together, about."""


def details(turn: Turn, id: str, lang: Language) -> c.NodeValue | None:
    """What a step got and gave, long values cut; None where there is no such step."""
    node = next((one for one in turn.nodes or () if one.id == id), None)
    if node is None:
        return None
    words, left = Words(lang), [CUT_ALL]
    return c.NodeValue(
        title=timeline.name(node, words),
        status=node.status,
        inputs=cut(node.inputs, left, lang),
        process_data=cut(node.process_data, left, lang),
        outputs=cut(node.outputs, left, lang),
        error=shown(node.error) if node.error else None,
    )


def cut(value: Any, left: list[int], lang: Language, depth: int = 0) -> Any:
    """The JSON value with long texts, lists and depths cut, each cut told in its place, links unsigned.

    Args:
        left: [characters that may still be used], counted down.
    """
    if isinstance(value, str):
        text = shown(value)
        limit = max(0, min(CUT_TEXT, left[0]))
        left[0] -= min(len(text), limit)
        return text if len(text) <= limit else text[:limit] + t("panel.cut", lang, n=number(len(text) - limit))
    if isinstance(value, Mapping | list | tuple):
        size = len(value)
        if depth > 12 or (left[0] <= 0 and size):
            return t("panel.cut_items", lang, n=number(size))
        beyond = size - CUT_ITEMS
        if isinstance(value, Mapping):
            kept = {
                one_line(str(key), 200): cut(one, left, lang, depth + 1) for key, one in list(value.items())[:CUT_ITEMS]
            }
            return {**kept, "…": t("panel.cut_items", lang, n=number(beyond))} if beyond > 0 else kept
        some = [cut(one, left, lang, depth + 1) for one in value[:CUT_ITEMS]]
        return [*some, t("panel.cut_items", lang, n=number(beyond))] if beyond > 0 else some
    left[0] -= 8
    plain = value is None or (isinstance(value, int | float) and (isinstance(value, int) or isfinite(value)))
    return value if plain else shown(str(value))


def title(scene: PanelState, lang: Language) -> str:
    """What an export of the conversation is called."""
    named = one_line(scene.name, 120) or (scene.facts.name if scene.facts else "")
    return named or t("panel.unnamed", lang)


def running_word(turn: Turn, lang: Language, now: float) -> str:
    """What is said while nothing has come of an answer; "" after that."""
    return told.waiting(turn, Words(lang), now)
