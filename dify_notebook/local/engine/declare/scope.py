"""What a node's declaration may refer to, and the values in it: templates, selectors, conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ....wire.kinds import CHATFLOW, WORKFLOW, AppMode
from ..app import Variable
from ..functions import Functions
from ..graph.graph import OF_EVERY_RUN, OF_MESSAGES, OF_RUNS
from ..knowledge import Knowledge
from ..models.model import Model
from ..nodes.conditions import ALIASES, NEEDS_NO_VALUE, OPERATORS, Condition, Logic
from ..template import Selector, Template, WrongTemplate, parse_selector, parse_template
from .reader import TableReader


@dataclass(frozen=True)
class FlowKind:
    """What apps with nodes of one mode have, and others do not."""

    end: str
    """Type of the nodes that give what a run comes to."""
    system: tuple[str, ...]
    """Names of system variables."""
    question: str | None
    """What nodes ask that name nothing."""


FLOW_KINDS: Mapping[AppMode, FlowKind] = {
    CHATFLOW: FlowKind("answer", OF_EVERY_RUN + OF_MESSAGES, "{{ sys.query }}"),
    WORKFLOW: FlowKind("end", OF_EVERY_RUN + OF_RUNS, None),
}


@dataclass(frozen=True)
class Scope:
    """What the nodes of an app may refer to."""

    inputs: frozenset[str]
    variables: Mapping[str, Variable]
    model: Model
    functions: Functions
    knowledge: Mapping[str, Knowledge]
    kind: FlowKind
    start: str = "start"
    loop_variables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Loop -> its variables -> their types."""
    depth: int = 0

    def resolve(self, name: Selector) -> Selector:
        """An input may be named without the node that it comes from."""
        return (self.start, *name) if name[0] in self.inputs else name


def template(table: TableReader, name: str, scope: Scope, text: str, *, loops: bool = False) -> Template:
    """A template whose bare inputs are given their owner. Raises: DeclarationError."""
    try:
        parsed = parse_template(text, loops=loops)
    except WrongTemplate as problem:
        table.fail("local.declare.template", name, problem=str(problem))
    return parsed.mapped(scope.resolve)


def selector_of(table: TableReader, name: str, scope: Scope, text: str) -> Selector:
    """Raises: DeclarationError."""
    try:
        return scope.resolve(parse_selector(text))
    except WrongTemplate as problem:
        table.fail("local.declare.template", name, problem=str(problem))


def conditions_of(table: TableReader, name: str, scope: Scope) -> tuple[Logic, tuple[Condition, ...]]:
    """Conditions, and whether all of them must hold or any. Raises: DeclarationError."""
    either: tuple[Logic, ...] = ("and", "or")
    logic = table.choice("logic", either, "and")
    conditions = []
    for entry in table.tables(name):
        source = selector_of(entry, "value_of", scope, entry.text("value_of"))
        operator = entry.choice("is", OPERATORS)
        operator = ALIASES.get(operator, operator)
        value: Any = entry.take("value", "" if operator in NEEDS_NO_VALUE else None)
        if value is None:
            entry.fail("local.declare.missing", "value")
        if isinstance(value, bool):
            value = "true" if value else "false"
        conditions.append(Condition(source, operator, template(entry, "value", scope, str(value))))
        entry.done()
    return logic, tuple(conditions)
