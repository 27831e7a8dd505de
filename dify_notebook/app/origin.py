"""Who wrote a value. Only the user's own may name a file of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import msgspec


class Origin(Enum):
    """Where an input comes from."""

    LINE = "line"
    """Typed on the line of a cell, letter for letter: for a file a path, a pattern or a URL."""
    TEMPLATE = "template"
    """Typed with `{{ name }}` in it, which notebook variables have filled."""
    PYTHON = "python"
    """A value of the user's Python: a `Path`, bytes or an open file is a file, a text never the path of one."""
    FORM = "form"
    """Filled into the panel's form; for a file the id of an upload."""
    EARLIER = "earlier"
    """Sent from here with an earlier question."""
    SERVER = "server"
    """Told by the server: a default of the form, an input of a stored conversation or message."""

    @property
    def own(self) -> bool:
        """Whether the user gives it with this very question."""
        return self not in (Origin.EARLIER, Origin.SERVER)


class Value(msgspec.Struct, frozen=True):
    """A value with its origin."""

    value: Any
    origin: Origin
    parts: tuple[Any, ...] = ()
    """Of a template: texts as typed (`str`), and the variables' values (`Filled`)."""


def values(inputs: Mapping[str, Any] | None, origin: Origin) -> dict[str, Value]:
    """Inputs that are all of one origin. What the server tells as null was not given."""
    # A name that is no text stays as it is, for whoever asks to refuse.
    named = {_plain(name): Value(value, origin) for name, value in (inputs or {}).items()}
    return {name: value for name, value in named.items() if origin is not Origin.SERVER or value.value is not None}


def _plain(name: Any) -> Any:
    return str.__str__(name) if isinstance(name, str) else name


class Filled(msgspec.Struct, frozen=True):
    """What a variable put in the place of a `{{ name }}`."""

    source: str
    """As written between the braces."""
    value: Any
