"""Forms of runs that wait, as a browser gets them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from ..i18n import Language, t
from ..live.forms import form_state
from ..live.protocol import FormState
from ..turn.forms import Form
from ..turn.state import Turn
from .state import Item
from .store import replace


def waiting_forms(turn: Turn) -> tuple[Form, ...]:
    """The forms that the turn waits for."""
    return tuple(form for form in turn.forms if form.status == "waiting")


def can_read_on(item: Item) -> bool:
    """Whether more of the answer may have come at the server, which nobody here reads."""
    turn = item.turn
    return turn is not None and bool(turn.workflow_run_id) and turn.status in ("paused", "incomplete")


class FormStates:
    """What one browser was told of forms. Those of an item are made anew when one of them changes alone: their time
    counts from then on."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[tuple[Any, ...], list[FormState]]] = {}

    def clear(self) -> None:
        """Whoever asks has nothing."""
        self._made.clear()

    def of(self, item: Item, turn: Turn, lang: Language, now: datetime) -> list[FormState]:
        """The forms that the item's turn waits for."""
        forms = waiting_forms(turn)
        if not forms:
            self._made.pop(item.key, None)
            return []
        source = (forms, item.submitting, item.refused, lang)
        made = self._made.get(item.key)
        if made is None or made[0] != source:
            made = self._made[item.key] = (source, [_state(item, form, lang, now) for form in forms])
        return made[1]


def _state(item: Item, form: Form, lang: Language, now: datetime) -> FormState:
    sending: Literal["sending"] | None = "sending" if form.id in item.submitting else None
    error = item.refused.get(form.id, "")
    state = form_state(form, lang, now=now.timestamp(), status=sending, error=error, uploads=True)
    labels = replace(state.labels, expired=t("panel.form.expired", lang), gone=t("panel.form.gone", lang))
    return replace(state, labels=labels)
