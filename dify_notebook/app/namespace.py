"""Variables by name, as one frame of code sees them. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from ..i18n import t


class Namespace(dict[str, Any]):
    """The variables that a frame sees, by name: its own, then those of what encloses it."""

    def __init__(self, outer: Mapping[str, Any], notebook: Mapping[str, Any]) -> None:
        super().__init__(outer)
        self.notebook = notebook
        """The notebook's own variables."""
        self.unbound: dict[str, str] = {}
        """Names that mean a function's variable which has no value at hand, and that function's name."""

    def add_function(self, bound: tuple[str, ...], values: Mapping[str, Any], function: str) -> None:
        """Let a function's variables shadow those of the scopes around it; one without a value is unbound."""
        for name in bound:
            if name in values:
                self[name] = values[name]
                self.unbound.pop(name, None)
            else:
                self.pop(name, None)
                self.unbound[name] = function

    def expose_globals(self, names: set[str], outside: Mapping[str, Any]) -> None:
        """Give these names the values that they have outside of all functions."""
        for name in names:
            self.unbound.pop(name, None)
            if name in outside:
                self[name] = outside[name]


def notebook_namespace(namespace: Mapping[str, Any]) -> Mapping[str, Any]:
    """The notebook's own variables, whichever frame the namespace is of."""
    return namespace.notebook if isinstance(namespace, Namespace) else namespace


def normalized_name(name: str) -> str:
    """A name as Python knows it: letters in another form, such as wide ones, are the plain ones."""
    return unicodedata.normalize("NFKC", name)


def unbound_message(name: str, namespace: Mapping[str, Any]) -> str:
    """The sentence that the name is a function's variable without a value; empty where it has one, or is none."""
    function = namespace.unbound.get(name) if isinstance(namespace, Namespace) else None
    return "" if function is None else t("magic.name.unbound", name=name, function=function)
