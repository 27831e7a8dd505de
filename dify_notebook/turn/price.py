"""What a turn cost. Pure."""

from __future__ import annotations

from decimal import Decimal

from .state import Turn


def price_of(turn: Turn) -> tuple[Decimal | None, str | None]:
    """What a turn cost, and in which currency: as its end tells, else the sum over its nodes.

    None where any part of it that used tokens told no price, or they told several currencies.
    """
    usage = turn.usage
    if usage is not None and usage.total_price is not None:
        return usage.total_price, usage.currency
    nodes = [node for node in turn.nodes or () if node.total_tokens or node.total_price is not None]
    currencies = {node.currency for node in nodes}
    if not nodes or len(currencies) != 1 or any(node.total_price is None for node in nodes):
        return None, None
    return sum((node.total_price or Decimal(0) for node in nodes), Decimal(0)), currencies.pop()
