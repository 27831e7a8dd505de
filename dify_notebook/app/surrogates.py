"""Characters that came as two halves (surrogates), made one. Pure."""

from __future__ import annotations

from typing import Any

from .misfit import Misfit


def joined(value: Any, place: str) -> Any:
    """The same with whole characters only: two halves that stand together are one. What is no JSON stays as it is.

    Raises:
        Misfit: half a character stands alone, which no server can be sent.
    """
    if isinstance(value, list):
        return [joined(one, f"{place}[{at}]") for at, one in enumerate(value)]
    if isinstance(value, dict):
        return {joined(key, place): joined(one, f"{place}[{key!r}]") for key, one in value.items()}
    if not isinstance(value, str):
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        pass
    else:
        return value
    try:
        return value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        pass
    raise Misfit("half", ascii(place)[1:-1])
