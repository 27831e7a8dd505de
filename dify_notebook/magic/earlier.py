"""The turns of a conversation before a cell's own: what they took, and what asking them again takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from ..app.stored_files import again
from ..errors import InputError, NotFoundError
from ..i18n import t
from ..printable import one_line
from ..turn.state import Turn
from ..turn.stored import turn_from_stored
from ..views.words import number, price
from .held import Place
from .state import AppSession, without_nulls

CURRENCIES = 5
"""Currencies that a sentence names."""


class Before(msgspec.Struct, frozen=True):
    """A conversation up to a cell's turn."""

    turns: tuple[Turn, ...]
    """Those before it, oldest first."""
    count: int
    """How many the conversation has in all."""

    @property
    def number(self) -> int:
        """Which turn the cell's is, from 1."""
        return len(self.turns) + 1


class Step(msgspec.Struct, frozen=True):
    """A turn as it is asked again."""

    message_id: str
    query: str
    inputs: dict[str, Any]
    """As they were sent; their files as references of what the server keeps."""
    files: tuple[Any, ...]
    """References, too."""
    workflow_id: str | None


def before(app_session: AppSession, place: Place) -> Before:
    """What stands in front of a cell's turn: whoever asked it, so the server's list is read.

    A turn that was had here is told by that, as far as it knows more.

    Raises:
        InputError: the server no longer has the cell's turn.
        DifyError: the server refused the list.
    """
    try:
        messages = app_session.client.messages.list(place.conversation_id, order="asc")
        listed = app_session.session.call(messages.to_list())
    except NotFoundError:  # the conversation was deleted
        listed = []
    at = next((index for index, message in enumerate(listed) if message.id == place.message_id), None)
    if at is None:
        raise InputError(t("magic.held.gone", id=one_line(place.conversation_id)), code="held")
    here = {turn.message_id: turn for turn in app_session.session.turns.of(place.conversation_id)}
    stored = (turn_from_stored(message, user=app_session.settings.user) for message in listed[:at])
    return Before(tuple(_more_of(turn, here.get(turn.message_id)) for turn in stored), len(listed))


def _more_of(stored: Turn, here: Turn | None) -> Turn:
    if here is None:
        return stored
    forms = stored.forms or here.forms
    inputs = stored.inputs if here.inputs is None else here.inputs
    return msgspec.structs.replace(stored, inputs=inputs, usage=here.usage or stored.usage, forms=forms)


def cost(turns: Sequence[Turn]) -> str:
    """What the turns took, as far as they tell: tokens, and the price in each currency."""
    usages = [turn.usage for turn in turns if turn.usage is not None and turn.usage.total_tokens is not None]
    if not usages:
        return t("magic.held.not_told")
    prices: dict[str, Decimal] = {}
    priced = [usage for usage in usages if usage.total_price is not None]
    for usage in priced:
        currency = one_line(usage.currency or "", 12)
        prices[currency] = prices.get(currency, Decimal(0)) + (usage.total_price or 0)
    parts = [t("magic.held.tokens", count=number(sum(usage.total_tokens or 0 for usage in usages)))]
    parts += [price(amount, currency) for currency, amount in list(prices.items())[:CURRENCIES]]
    if not prices:
        parts.append(t("magic.held.no_price"))
    elif len(priced) < len(usages):
        parts[-1] = t("magic.held.priced", price=parts[-1], told=len(priced), count=len(usages))
    text = parts[0]
    for part in parts[1:]:
        text = t("magic.held.and", first=text, second=part)
    return text if len(usages) == len(turns) else t("magic.held.partly", text=text, told=len(usages), count=len(turns))


def steps(app_session: AppSession, place: Place, found: Before) -> tuple[Step, ...]:
    """The turns before the cell's own, as they can be asked again.

    Raises:
        InputError: one of them cannot be, and why.
    """
    return tuple(
        _step(app_session, place, turn, index, found.number) for index, turn in enumerate(found.turns, 1)
    )


def _step(app_session: AppSession, place: Place, turn: Turn, index: int, of: int) -> Step:
    if turn.forms or turn.status == "paused":
        raise _cannot(index, of, t("magic.held.asks_person"))
    problem = ""
    try:
        inputs = {name: _named_again(value) for name, value in without_nulls(turn.inputs).items()}
        files = tuple(again(file) for file in turn.files or () if file.belongs_to == "user")
    except InputError as error:
        problem = error.message
    if problem:
        raise _cannot(index, of, problem)
    held = app_session.held.turn(place.conversation_id, turn.message_id or "")
    return Step(turn.message_id or "", turn.query or "", inputs, files, held.workflow_id if held else None)


def _named_again(value: Any) -> Any:
    """An input with its files as a question names them."""
    if isinstance(value, list | tuple):
        return [again(item) for item in value]
    return again(value)


def _cannot(index: int, of: int, problem: str) -> InputError:
    return InputError(t("magic.held.cannot", n=index, of=of, problem=problem), code="held", hint=t("magic.held.hint"))


def refusal(app_session: AppSession, place: Place, *, named: bool) -> InputError:
    """Why a cell that the conversation holds is not asked there again, and what can be done.

    Args:
        named: whether `-c` names the conversation.

    Raises:
        DifyError: as for `before`.
    """
    found = before(app_session, place)
    place_of_turn: Mapping[str, object] = {"n": found.number, "of": found.count}
    if named:
        return InputError(t("magic.held.named", **place_of_turn), code="held", hint=t("magic.held.named_hint"))
    many = "one" if len(found.turns) == 1 else "many"
    again_costs = t(f"magic.held.again.{many}", count=len(found.turns), cost=cost(found.turns))
    ways = "\n".join([t("magic.held.ways"), again_costs, t("magic.held.new"), t("magic.held.append")])
    return InputError(t("magic.held.later", **place_of_turn), code="held", hint=ways)
