"""Variables by name, as they are seen from one place in the code. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from ..i18n import t


class Names(dict[str, Any]):
    """The variables that are seen from a place in the code, by name."""

    def __init__(self, further_out: Mapping[str, Any], notebook: Mapping[str, Any]) -> None:
        super().__init__(further_out)
        self.notebook = notebook
        """The notebook's own variables."""
        self.unbound: dict[str, str] = {}
        """Names that mean a function's variable which has no value at hand, and that function's name."""

    def lay(self, bound: tuple[str, ...], values: Mapping[str, Any], function: str) -> None:
        """Lay a function's variables over what is further out."""
        for name in bound:
            if name in values:
                self[name] = values[name]
                self.unbound.pop(name, None)
            else:
                self.pop(name, None)
                self.unbound[name] = function

    def let_through(self, names: set[str], outside: Mapping[str, Any]) -> None:
        """Give these the values that they have outside of all functions."""
        for name in names:
            self.unbound.pop(name, None)
            if name in outside:
                self[name] = outside[name]


def notebook_of(names: Mapping[str, Any]) -> Mapping[str, Any]:
    """The notebook's variables, wherever these names are seen from."""
    return names.notebook if isinstance(names, Names) else names


def plain_name(name: str) -> str:
    """A name as Python knows it: letters in another form, such as wide ones, are the plain ones."""
    return unicodedata.normalize("NFKC", name)


def why_unbound(name: str, names: Mapping[str, Any]) -> str:
    """That the name means a function's variable without a value; empty where it means none."""
    function = names.unbound.get(name) if isinstance(names, Names) else None
    return "" if function is None else t("magic.name.unbound", name=name, function=function)
