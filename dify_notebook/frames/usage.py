"""Tokens, prices and latency of a message that several sources know: its server, this machine's tapes, an export."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..turn.state import Usage
from .schema import BEYOND_API

COLUMNS = (*Usage.__struct_fields__, "usage_from")
_PARTS_OF_PRICE = ("prompt_price", "completion_price")
_OTHERS = tuple(name for name in BEYOND_API if name not in COLUMNS)


def with_known(reported: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The columns `BEYOND_API` of a message: as told, and what was not told as it is known from elsewhere.

    Usage is that of one source, which `usage_from` names. To what a server told is added what none tells: the time
    to the first token, and the prices of prompt and answer if they are parts of the same price. Dify keeps 0 tokens
    of a message where it did not count them: then the other source counts more, if it knows of some, for that price.

    Args:
        reported: the columns of a row; those that are missing are None.
        known: the same of another source, which counts less.
    """
    values = {name: reported.get(name) for name in BEYOND_API}
    uncounted = values["total_tokens"] == 0 and values["total_price"] in (None, 0, known.get("total_price"))
    if uncounted and known.get("total_tokens"):
        values.update({name: known.get(name) for name in COLUMNS})
    if values["usage_from"] is None:
        added: Iterable[str] = COLUMNS
    else:
        same = (values["total_price"], values["currency"]) == (known.get("total_price"), known.get("currency"))
        added = ("time_to_first_token", *(_PARTS_OF_PRICE if same else ()))
    for name in (*added, *_OTHERS):
        if values[name] is None:
            values[name] = known.get(name)
    return values
