"""The token of a form, with which anybody may answer it: a `Secret` in memory, and in no pickle."""

from __future__ import annotations

from typing import Any, cast

from ..secret import Secret


def hide_tokens(value: Any) -> None:
    """Put a `Secret` in the place of each `form_token` in decoded JSON; what is no text opens nothing, and goes."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if "form_token" in item and not isinstance(token := item["form_token"], Secret):
                item["form_token"] = Secret(token) if isinstance(token, str) and token else None
            stack += item.values()
        elif isinstance(item, list):
            stack += item


def without_secrets(value: Any) -> Any:
    """Decoded JSON with None for each `Secret`: a copy, but for the parts that have none."""
    if isinstance(value, Secret):
        return None
    if isinstance(value, dict):
        items = {key: without_secrets(item) for key, item in value.items()}
        return items if any(items[key] is not value[key] for key in items) else value
    if isinstance(value, list):
        parts = [without_secrets(item) for item in value]
        return parts if any(part is not item for part, item in zip(parts, value, strict=True)) else value
    return value


class Pickled:
    """Mixin for structs: a pickle has None for each `Secret`."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild, arguments, *_ = cast(tuple[Any, ...], super().__reduce__())
        return rebuild, tuple(map(without_secrets, arguments))
