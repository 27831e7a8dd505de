"""The state in words: the values that the browser gets, in one language. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any, cast

from ..app import stored_files
from ..app.known import KnownApp
from ..i18n import Language, sentences, t
from ..live.protocol import FormState
from ..live.spoken import status_key
from ..printable import one_line, shown
from ..redact import redact
from ..turn.state import MessageFile, Turn
from ..views import timeline
from ..views.facts import waiting
from ..views.words import Words, last_part, number, price
from ..wire.models import ConversationVariable
from . import commands as c
from . import messages as m
from . import run_lines
from .app import in_field
from .form_states import can_read_on, waiting_forms
from .state import Item, PanelState
from .when import when

VALUE_LIMIT = 20_000
"""Characters of a variable's value, at most."""


def texts(lang: Language) -> dict[str, str]:
    """All labels of the browser, by their names there."""
    return {key.removeprefix("panel.ui."): text for key, text in sentences(lang).items() if key.startswith("panel.ui.")}


# -- states


def conversation(state: PanelState, lang: Language, now: datetime) -> m.Conversation:
    """The conversation on show."""
    frozen = None
    known = state.app.known if state.app is not None else KnownApp()
    controls = known.controls
    if known.old and state.conversation_id and controls:
        frozen = t("panel.frozen", lang, version=known.version)
    offer = state.offer
    notice, resume = None, None
    if offer is not None:
        name = one_line(offer.name, 80) or t("panel.unnamed", lang)
        notice = t("panel.offer", lang, name=name, when=when(offer.updated_at or offer.created_at, now, lang))
        resume = m.Resume(offer.id, name)
    return m.Conversation(
        id=state.conversation_id,
        name=one_line(state.name, 200) or t("panel.unnamed" if state.conversation_id else "panel.new", lang),
        inputs={
            name: in_field(controls.get(name, {}), value.value)
            for name, value in state.inputs.items()
            if _shown(value.value)
        },
        frozen=frozen,
        older=state.older,
        loading=state.loading,
        totals=totals(state, lang),
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
    names_upload = isinstance(first, dict) and {"transfer_method", "upload_file_id"} & set(first)
    return not names_upload and not stored_files.is_file(value)


def totals(state: PanelState, lang: Language) -> str:
    """Turns, tokens, price and time of what is on show and has ended; "" for nothing."""
    turns = [item.turn for item in state.items if item.turn is not None]
    if not turns:
        return ""
    words = Words(lang)
    key = "panel.turns" if state.offers.conversations else "panel.runs"
    parts = [t(f"{key}.one", lang) if len(turns) == 1 else t(key, lang, n=number(len(turns)))]
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


def conversations(state: PanelState, lang: Language, now: datetime, user: str) -> m.Conversations:
    """The list; `user` is whose panel it is."""
    listing = state.listing
    unnamed = t("panel.unnamed", lang)
    hidden = listing.hidden[-1] if listing.hidden else None
    deleted = None if hidden is None else m.Deleted(hidden.id, one_line(hidden.name, 200) or unnamed)
    talks = state.offers.conversations
    return m.Conversations(
        items=_listed(state, lang, now) if talks else run_lines.lines(state, user, lang, now),
        more=listing.more,
        loading=listing.loading,
        search=listing.search,
        deleted=deleted,
    )


def _listed(state: PanelState, lang: Language, now: datetime) -> list[m.Listed]:
    return [
        m.Listed(
            id=item.id,
            name=one_line(item.name, 200) or t("panel.unnamed", lang),
            when=when(item.updated_at or item.created_at, now, lang),
            current=item.id == state.conversation_id,
            status="",
            facts="",
        )
        for item in state.listing.items
    ]


def queue(state: PanelState, lang: Language) -> list[m.Queued]:
    """What waits, by its question or by what it is to be run with."""
    return [
        m.Queued(waiting.id, waiting.query or run_lines.run_title(waiting.inputs, lang) or t("panel.run", lang))
        for waiting in state.queue
    ]


def variables(state: PanelState) -> m.Variables | None:
    """The conversation's variables, where they were asked for."""
    if state.variables is None:
        return None
    return m.Variables([_variable(variable) for variable in state.variables])


def _variable(variable: ConversationVariable) -> m.Variable:
    secret = variable.value_type == "secret"
    value = "" if secret else redact(json.dumps(variable.parsed, ensure_ascii=False, default=str))[:VALUE_LIMIT]
    return m.Variable(
        id=variable.id,
        name=one_line(variable.name, 120),
        type=one_line(variable.value_type, 40),
        value=value,
        description=one_line(variable.description or "", 400),
    )


def status(state: PanelState) -> m.Status:
    """How the panel is."""
    running = state.running
    return m.Status(
        running=running.key if running else None,
        stopping=state.stopping and running is not None,
        connected=state.app is not None,
        error=state.problem,
    )


# -- turns


def meta(
    item: Item,
    turn: Turn,
    view: int,
    state: PanelState,
    lang: Language,
    now: datetime,
    forms: Sequence[FormState] = (),
) -> m.TurnMeta:
    """What belongs to a question and its answer besides the blocks of the answer."""
    app = state.app
    ended = not turn.running
    is_over = ended and turn.status != "paused"
    is_stored = is_over and turn.message_id is not None
    runs = not state.offers.conversations
    speech = (app.parameters.text_to_speech or {}) if app else {}
    # What a completion was given stands on no tape.
    can_be_asked = not runs or bool(item.given) or not item.earlier
    unsuccessful = turn.status in ("failed", "incomplete", "stopped")
    return m.TurnMeta(
        key=item.key,
        view=view,
        query=shown(item.query),
        title=run_lines.title(item, lang, now),
        files=list(item.attachments),
        status=turn.status,
        message_id=turn.message_id,
        rating=cast("m.Rating | None", turn.feedback if turn.feedback in ("like", "dislike") else None),
        comment=item.comment,
        annotated=item.annotated,
        can=m.Can(
            retry=ended and unsuccessful and can_be_asked,
            take_up=runs and bool(item.given),
            read_on=can_read_on(item),
            regenerate=ended and not unsuccessful and can_be_asked,
            rate=is_stored and turn.status != "failed",
            annotate=is_stored and bool(app and app.annotations) and bool(turn.answer),
            speak=(is_over if runs else is_stored) and bool(speech.get("enabled")) and bool(turn.answer),
        ),
        suggested=[one_line(question, 300) for question in (turn.suggested or ())[:10]],
        downloads=[
            m.Download(str(index), file_name(file), file.type or "custom", _size(file))
            for index, file in enumerate(answer_files(turn))
            if file.belongs_to != "user" and (file.url or file.id)
        ],
        audio=turn.audio is not None and bool(turn.audio.chunks),
        when=when(item.asked_at or turn.created_at, now, lang),
        facts=measures(turn, lang) if ended else "",
        nodes=nodes(turn, lang),
        say=None if turn.source == "history" else _say(turn, lang),
        forms=list(forms),
    )


def answer_files(turn: Turn) -> list[MessageFile]:
    """The files that a turn has, and those among its outputs; a browser knows each by its place here."""
    return run_lines.files_of(turn.files or (), turn.outputs)


def file_name(file: MessageFile) -> str:
    """What a file of an answer is called: as the server names it, else by the last part of its address."""
    name = one_line(file.name or "", 200)
    last = last_part(file.url or "")
    return name or (last if "." in last.strip(".") else "file")


def _size(file: Any) -> int | None:
    return len(file.data) if file.data is not None else cast("int | None", file.size)


def _say(turn: Turn, lang: Language) -> str:
    asks = [one_line(form.title or form.id, 80) for form in waiting_forms(turn)]
    if turn.status == "paused" and asks:
        return t("panel.say.asks", lang, names=t("panel.and", lang).join(asks[:5]))
    return t(status_key(turn), lang)


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


TEXT_LIMIT = 8_000
"""Characters of one text in a node's details."""
ITEMS_LIMIT = 200
"""Items of one list or object."""
DETAILS_LIMIT = 100_000
"""Characters of all details of a node together, about."""


def details(turn: Turn, id: str, lang: Language) -> c.NodeValue | None:
    """What a step got and gave, long values cut; None where there is no such step."""
    node = next((node for node in turn.nodes or () if node.id == id), None)
    if node is None:
        return None
    words, budget = Words(lang), [DETAILS_LIMIT]
    return c.NodeValue(
        title=timeline.name(node, words),
        status=node.status,
        inputs=cut(node.inputs, budget, lang),
        process_data=cut(node.process_data, budget, lang),
        outputs=cut(node.outputs, budget, lang),
        error=shown(node.error) if node.error else None,
    )


def cut(value: Any, budget: list[int], lang: Language, depth: int = 0) -> Any:
    """The JSON value with long texts, lists and depths cut, each cut said in its place, links unsigned.

    Args:
        budget: [characters that may still be used], counted down.
    """
    if isinstance(value, str):
        text = shown(value)
        limit = max(0, min(TEXT_LIMIT, budget[0]))
        budget[0] -= min(len(text), limit)
        return text if len(text) <= limit else text[:limit] + t("panel.cut", lang, n=number(len(text) - limit))
    if isinstance(value, Mapping | list | tuple):
        size = len(value)
        if depth > 12 or (budget[0] <= 0 and size):
            return t("panel.cut_items", lang, n=number(size))
        beyond = size - ITEMS_LIMIT
        if isinstance(value, Mapping):
            items = list(value.items())[:ITEMS_LIMIT]
            fields = {one_line(str(key), 200): cut(item, budget, lang, depth + 1) for key, item in items}
            return {**fields, "…": t("panel.cut_items", lang, n=number(beyond))} if beyond > 0 else fields
        elements = [cut(item, budget, lang, depth + 1) for item in value[:ITEMS_LIMIT]]
        return [*elements, t("panel.cut_items", lang, n=number(beyond))] if beyond > 0 else elements
    budget[0] -= 8
    is_plain = value is None or (isinstance(value, int | float) and (isinstance(value, int) or isfinite(value)))
    return value if is_plain else shown(str(value))


def title(state: PanelState, lang: Language) -> str:
    """What an export is called: as its conversation, else as the app, as long as that is not known as what it is."""
    name = one_line(state.name, 120) or (state.app.name if state.app else "")
    return name or t("panel.unnamed" if state.conversation_id else "panel.title", lang)


def waiting_text(turn: Turn, lang: Language, now: float) -> str:
    """What is said while nothing has come of an answer; "" after that."""
    return waiting(turn, Words(lang), now)
