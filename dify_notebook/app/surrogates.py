"""Characters that came as two halves (surrogates), made one. Pure."""

from __future__ import annotations

from typing import Any

from .invalid import InvalidInput


def join_surrogates(value: Any, path: str) -> Any:
    """The same with whole characters only: two halves that stand together are one. What is no JSON stays as it is.

    Raises:
        InvalidInput: half a character stands alone, which no server can be sent.
    """
    if isinstance(value, list):
        return [join_surrogates(item, f"{path}[{at}]") for at, item in enumerate(value)]
    if isinstance(value, dict):
        return {join_surrogates(key, path): join_surrogates(item, f"{path}[{key!r}]") for key, item in value.items()}
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
    raise InvalidInput("half", ascii(path)[1:-1])
