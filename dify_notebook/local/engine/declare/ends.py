"""end nodes out of a declaration."""

from __future__ import annotations

from ...store.serializers import type_of
from ..nodes.ends import End
from .reader import TableReader
from .scope import Scope, selector_of


def end_of(table: TableReader, scope: Scope) -> End:
    """Raises: DeclarationError."""
    values = {}
    for name, text in table.mapping("outputs").items():
        place = f"outputs.{name}"
        if not name.isidentifier():
            table.fail("local.declare.name", place, name=name)
        if not isinstance(text, str):
            table.fail("local.declare.type", place, wanted="text", found=type_of(text))
        values[name] = selector_of(table, place, scope, text)
    return End(values)
