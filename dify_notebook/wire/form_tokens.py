"""What a server says and nobody else is to have: the token of a form is a `Secret` in memory, and in no pickle; no more
than what signs an address."""

from __future__ import annotations

import re
from typing import Any, cast

from ..redact import redact
from ..secret import Secret

_SHORT = 40
_PLAIN = re.compile("[A-Za-z_]*+")
"""Texts of which redacting takes nothing: names and words, which are most."""


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
    """Decoded JSON with None for each `Secret`, its texts redacted: a copy, but for the parts that have none."""
    if isinstance(value, str):
        if len(value) < _SHORT and _PLAIN.fullmatch(value):
            return value
        clean = redact(value)
        return value if clean == value else clean
    if isinstance(value, Secret):
        return None
    if isinstance(value, dict):
        items = {without_secrets(key): without_secrets(item) for key, item in value.items()}
        if all(key in items and items[key] is item for key, item in value.items()):
            return value
        return Values(items) if isinstance(value, Values) else items
    if isinstance(value, list):
        parts = [without_secrets(item) for item in value]
        return parts if any(part is not item for part, item in zip(parts, value, strict=True)) else value
    return value


class Values(dict[str, Any]):
    """Values by name as a server said them: a dict that shows neither signatures nor keys, nor a pickle of it."""

    def __repr__(self) -> str:
        return dict.__repr__(without_secrets(self))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.pretty(dict(without_secrets(self)))

    def __eq__(self, other: object) -> bool:
        """Two are equal that differ in nothing but what is not shown."""
        if dict.__eq__(self, other) is True:
            return True
        return isinstance(other, dict) and dict.__eq__(without_secrets(self), without_secrets(other)) is True

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # as of every dict

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(without_secrets(self)),)


def values(value: Any) -> Any:
    """An object of JSON as `Values`; all else stays."""
    return Values(value) if type(value) is dict else value


class Pickled:
    """Mixin for structs: a pickle has None for each `Secret`, and redacted texts."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild, arguments, *_ = cast(tuple[Any, ...], super().__reduce__())
        return rebuild, tuple(map(without_secrets, arguments))
