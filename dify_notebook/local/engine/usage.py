"""What an answer took: tokens, money, and seconds to its first text and from there on."""

from __future__ import annotations

from typing import Any

from ..tokens import Meter, nothing_used


def usage_of(
    meter: Meter, elapsed: float, first_token: float | None, *, nothing: bool, ready: bool
) -> dict[str, Any]:
    """Dify's `usage` object of a run that has ended.

    Args:
        elapsed: seconds since the question.
        first_token: seconds from the question to the first text; None where there was none.
        nothing: whether nothing is counted.
        ready: whether the text of a chat was ready, which has no times of a model.
    """
    first = None if first_token is None else round(first_token, 3)
    generate = None if first is None else round(elapsed - first, 3)
    if not nothing and not meter.idle:
        latency = round(elapsed, 6) if meter.latency is None else round(meter.latency, 3)
        return meter.usage(latency, first, generate)
    usage = nothing_used(first, generate)
    if ready:
        del usage["time_to_first_token"], usage["time_to_generate"]
    return usage
