"""What the run of a workflow app came to, read off its end and its nodes: a text to read, and what it spent.

Such an app has no message: the text that it streams is its outputs as the server renders them, which each version does
in a way of its own (Dify 0.15 tells only what models write, none of it beside parallel branches; 1.12 and newer also
numbers, tables and links). So what counts is the outputs themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Context, Decimal
from functools import reduce
from typing import Any, NamedTuple

from ..wire.loose import is_shallow
from .convert import PLACES, as_dict, as_file, as_text, as_usage, map_files
from .reasoning import split_reasoning
from .state import MessageFile, Node, Usage

_EXACT = Context(prec=4 * PLACES)


class Result(NamedTuple):
    """The outputs of a run as a text."""

    answer: str
    reasoning: str
    """What stood in the texts as a model's reasoning."""


def result_of(outputs: Any) -> Result | None:
    """The readable text of a run's outputs; None where there are none.

    It is the texts among them, in their order, with a line between them. Where none is a text: numbers as they are
    written, files by name and the rest as JSON; what is null says nothing.
    """
    if not isinstance(outputs, Mapping) or not outputs:
        return None
    texts = [split_reasoning(value) for value in outputs.values() if isinstance(value, str)]
    if not texts:
        texts = [(_readable(value), "") for value in outputs.values()]
    if len(texts) == 1:
        return Result(*texts[0])
    return Result(*("\n\n".join(part for part in parts if part.strip()) for parts in zip(*texts, strict=True)))


def _readable(value: Any) -> str:
    return as_text(map_files(value, lambda data: _name(as_file(data)))) if is_shallow(value) else ""


def _name(file: MessageFile) -> str:
    return file.name or file.type or (file.id or "")


def usage_of_run(nodes: Iterable[Node], total_tokens: int | None) -> Usage | None:
    """What a run spent: its own total, and the sums of what its nodes tell; None where neither is told.

    A sum is None where one of the nodes that spent tokens does not tell its part (an agent's node says 0 of both in
    Dify 1.12), and prices where the currencies differ. No version tells them for the run as a whole; a model's node
    has them in `outputs.usage` (Dify 0.15 and newer) or `process_data.usage` (1.12 and newer).
    """
    spending = [node for node in nodes if node.kind == "node" and node.total_tokens]
    if total_tokens is None and not spending:
        return None
    parts = [_spent_by(node) for node in spending]
    currencies = {node.currency for node in spending}
    currency = currencies.pop() if len(currencies) == 1 else None
    return Usage(
        prompt_tokens=_sum([part.prompt_tokens for part in parts]),
        completion_tokens=_sum([part.completion_tokens for part in parts]),
        total_tokens=total_tokens,
        prompt_price=_price([part.prompt_price for part in parts]) if currency else None,
        completion_price=_price([part.completion_price for part in parts]) if currency else None,
        total_price=_price([node.total_price for node in spending]) if currency else None,
        currency=currency,
    )


def _spent_by(node: Node) -> Usage:
    places = (as_dict(node.outputs) or {}, as_dict(node.process_data) or {})
    usages = [as_usage(usage) for place in places if (usage := as_dict(place.get("usage")))]
    return next((usage for usage in usages if usage.prompt_tokens or usage.completion_tokens), Usage())


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _price(values: Sequence[Decimal | None]) -> Decimal | None:
    known = [value for value in values if value is not None]
    return reduce(_EXACT.add, known) if known and len(known) == len(values) else None
