"""What a node's declaration may refer to, and the values in it: templates, selectors, conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..app import Variable
from ..conditions import ALIASES, NEEDS_NO_VALUE, OPERATORS, Condition, Logic
from ..functions import Functions
from ..knowledge import Knowledge
from ..models.model import Model
from ..template import Selector, Template, WrongTemplate, read, selector
from .table import Table


@dataclass(frozen=True)
class Scope:
    """What the nodes of an app may refer to."""

    inputs: frozenset[str]
    variables: Mapping[str, Variable]
    model: Model
    functions: Functions
    knowledge: Mapping[str, Knowledge]
    start: str = "start"
    counters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Loop -> its variables -> their types."""
    depth: int = 0

    def see(self, found: Selector) -> Selector:
        """An input may be named without the node that it comes from."""
        return (self.start, *found) if found[0] in self.inputs else found


def template(table: Table, name: str, around: Scope, text: str, *, loops: bool = False) -> Template:
    """A template whose bare inputs are given their owner. Raises: DeclarationError."""
    try:
        found = read(text, loops=loops)
    except WrongTemplate as problem:
        table.fail("local.declare.template", name, problem=str(problem))
    return found.mapped(around.see)


def selector_of(table: Table, name: str, around: Scope, text: str) -> Selector:
    """Raises: DeclarationError."""
    try:
        return around.see(selector(text))
    except WrongTemplate as problem:
        table.fail("local.declare.template", name, problem=str(problem))


def conditions_of(table: Table, name: str, around: Scope) -> tuple[Logic, tuple[Condition, ...]]:
    """Conditions, and whether all or one of them must hold. Raises: DeclarationError."""
    logic: Logic = "or" if table.choice("logic", ("and", "or"), "and") == "or" else "and"
    found = []
    for one in table.tables(name):
        chosen = selector_of(one, "value_of", around, one.text("value_of"))
        operator = one.choice("is", OPERATORS)
        operator = ALIASES.get(operator, operator)
        wanted: Any = one.take("value", "" if operator in NEEDS_NO_VALUE else None)
        if wanted is None:
            one.fail("local.declare.missing", "value")
        if isinstance(wanted, bool):
            wanted = "true" if wanted else "false"
        found.append(Condition(chosen, operator, template(one, "value", around, str(wanted))))
        one.done()
    return logic, tuple(found)
