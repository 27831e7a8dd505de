"""Nodes out of a declaration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ...store.serializers import fits, type_of
from ..containers import MAX_PARALLEL, MAX_ROUNDS, Counter, Iteration, Loop
from ..graph import FAILED, ON, SYSTEM, Graph, Node
from ..model_nodes import Class, Classify, Llm, Retrieve
from ..node import Work
from ..node_types import (
    NO_VALUE,
    OPERATIONS,
    Aggregate,
    Answer,
    Assign,
    Assignment,
    Case,
    Code,
    Constant,
    HttpRequest,
    IfElse,
    Start,
    Transform,
)
from ..template import Selector, Template, WrongTemplate, selector
from .scope import Scope, conditions_of, selector_of, template
from .table import Table

TITLES = {
    "start": "Start",
    "answer": "Answer",
    "llm": "LLM",
    "knowledge-retrieval": "Knowledge Retrieval",
    "if-else": "IF/ELSE",
    "question-classifier": "Question Classifier",
    "template-transform": "Template",
    "assigner": "Variable Assigner",
    "variable-aggregator": "Variable Aggregator",
    "code": "Code",
    "http-request": "HTTP Request",
    "iteration": "Iteration",
    "loop": "Loop",
}
TYPES = tuple(TITLES)
VALUE_TYPES = (
    "string", "number", "integer", "float", "boolean", "object", "array[string]", "array[number]",
    "array[object]", "array[any]",
)  # fmt: skip
MAX_DEPTH = 3
"""Boxes within boxes."""

_Ways = dict[str, tuple[str, ...]]


def graph_of(tables: list[Table], around: Scope, whole: Table) -> Graph:
    """The graph of an app.

    Raises:
        DeclarationError: see `Graph.of` and `Graph.check_values`; also when there is not one start, or no answer.
    """
    starts = [one for one in tables if one.peek("type") == "start"]
    if len(starts) != 1:
        whole.fail("local.declare.one_start", "nodes", found=len(starts))
    name = starts[0].peek("id")
    around = replace(around, start=name if isinstance(name, str) else "start")
    graph = Graph.of([node_of(one, around) for one in tables], whole)
    if not any(node.type == "answer" for node in graph.nodes.values()):
        whole.fail("local.declare.no_answer", "nodes")
    for root in graph.roots:
        if root != around.start:
            graph.nodes[root].place.fail("local.declare.unreached", id=root)
    if around.start not in graph.roots:
        graph.nodes[around.start].place.fail("local.declare.before_start", id=around.start)
    seen: dict[str, frozenset[str] | None] = {
        "sys": frozenset(SYSTEM),
        "conversation": frozenset(around.variables),
    }
    graph.check_values(seen)
    return graph


def node_of(table: Table, around: Scope) -> Node:
    """One node. Raises: DeclarationError."""
    type_ = table.choice("type", TYPES)
    name = table.word("id", type_ if type_ in ("start", "answer") else None)
    if not name.replace("-", "_").replace("_", "a").isalnum() or not name.isascii() or name in ("sys", "conversation"):
        table.fail("local.declare.name", "id", name=name)
    title = table.text("title", TITLES[type_], most=200)
    table.text("description", "", most=2000)
    if around.depth and type_ in ("start", "answer"):
        table.fail("local.declare.not_inside", "type", type=type_)
    ways: _Ways = {}
    work = _READERS[type_](_Reader(table, around, name, title, ways))
    follow = table.texts("next")
    if work.handles() is None:
        if follow:
            ways[ON] = follow
    elif follow:
        table.fail("local.declare.branch_next", "next", handles=", ".join(work.handles() or ()))
    on_error, default, tries, interval = _errors(table, work, ways)
    table.done()
    return Node(name, type_, title, work, ways, table, on_error, default, tries, interval)


def _errors(table: Table, work: Work, ways: _Ways) -> tuple[str | None, dict[str, Any], int, float]:
    """What happens when the node fails."""
    on_error = table.choice("on_error", ("stop", FAILED, "default-value"), "stop")
    default = table.mapping("default")
    fail = table.texts("fail")
    retry = table.table("retry")
    tries, interval = 0, 0.0
    if retry is not None:
        tries = retry.integer("times", None, 1, 10)
        interval = retry.number("interval", 0.1, 0, 60)
        retry.done()
    if not work.told and (on_error != "stop" or retry is not None):
        table.fail("local.declare.box_errors", "on_error")
    if (on_error == FAILED) != bool(fail):
        table.fail("local.declare.fail_branch", "fail")
    if on_error != "default-value" and default:
        table.fail("local.declare.default", "default")
    if fail:
        ways[FAILED] = fail
    names = work.outputs()
    for name in default:
        if names is not None and name not in names:
            table.fail("local.declare.no_output", "default", name=name, id="", known=", ".join(sorted(names)))
    return None if on_error == "stop" else on_error, default, tries, interval


class _Reader:
    """A node's table with what it may refer to."""

    def __init__(self, table: Table, around: Scope, name: str, title: str, ways: _Ways) -> None:
        self.table = table
        self.around = around
        self.name = name
        self.title = title
        self.ways = ways

    def template(self, name: str, default: str | None = None, *, loops: bool = False) -> Template:
        return template(self.table, name, self.around, self.table.text(name, default), loops=loops)

    def maybe(self, name: str) -> Template | None:
        return self.template(name) if self.table.has(name) else None

    def selector(self, name: str) -> Selector:
        return selector_of(self.table, name, self.around, self.table.text(name))

    def templates(self, name: str) -> dict[str, Template]:
        found = self.table.mapping(name)
        return {key: template(self.table, f"{name}.{key}", self.around, str(one)) for key, one in found.items()}


def _start(reader: _Reader) -> Work:
    return Start(reader.around.inputs)


def _answer(reader: _Reader) -> Work:
    return Answer(reader.template("answer"))


def _llm(reader: _Reader) -> Work:
    table = reader.table
    context = reader.selector("context") if table.has("context") else None
    options = {name: one for name, one in (("temperature", 2.0), ("top_p", 1.0)) if table.has(name)}
    settings: dict[str, Any] = {name: table.number(name, None, 0, most) for name, most in options.items()}
    if table.has("max_tokens"):
        settings["max_tokens"] = table.integer("max_tokens", None, 1, 1_000_000)
    model = reader.around.model
    return Llm(
        replace(model, options={**model.options, **settings}),
        reader.maybe("system"),
        reader.template("user", "{{ sys.query }}"),
        context,
        table.flag("memory", False),
    )


def _classifier(reader: _Reader) -> Work:
    table = reader.table
    classes = []
    for one in table.tables("classes", named="id"):
        name = one.word("id")
        classes.append(Class(name, one.word("name", name)))
        _way(reader, name, one)
        one.done()
    if len(classes) < 2:
        table.fail("local.declare.classes", "classes")
    query = reader.template("query", "{{ sys.query }}")
    return Classify(reader.around.model, query, tuple(classes), reader.maybe("instruction"))


def _retrieval(reader: _Reader) -> Work:
    table, known = reader.table, reader.around.knowledge
    names = table.texts("knowledge", tuple(known))
    if not names:
        table.fail("local.declare.no_knowledge", "knowledge")
    for name in names:
        if name not in known:
            table.fail("local.declare.choice", "knowledge", value=name, choices=", ".join(known), hint="")
    query = reader.template("query", "{{ sys.query }}")
    most, least = table.integer("top_k", 4, 1, 20), table.number("score", 0.0, 0, 1)
    return Retrieve(tuple(known[name] for name in names), query, most, least)


def _if_else(reader: _Reader) -> Work:
    cases = []
    for at, one in enumerate(reader.table.tables("cases", named="id"), start=1):
        name = one.word("id", f"case-{at}")
        if name in reader.ways or name == "false":
            one.fail("local.declare.twice", "id", id=name)
        logic, conditions = conditions_of(one, "when", reader.around)
        if not conditions:
            one.fail("local.declare.missing", "when")
        cases.append(Case(name, logic, conditions))
        _way(reader, name, one)
        one.done()
    if not cases:
        reader.table.fail("local.declare.missing", "cases")
    otherwise = reader.table.texts("else")
    if otherwise:
        reader.ways["false"] = otherwise
    return IfElse(tuple(cases))


def _way(reader: _Reader, handle: str, table: Table) -> None:
    follow = table.texts("next")
    if handle in reader.ways:
        table.fail("local.declare.twice", "id", id=handle)
    reader.ways[handle] = follow


def _transform(reader: _Reader) -> Work:
    told = reader.table.mapping("variables")
    variables = {
        key: selector_of(reader.table, f"variables.{key}", reader.around, str(one)) for key, one in told.items()
    }
    inner = replace(reader.around, inputs=reader.around.inputs - set(variables))
    text = reader.table.text("template")
    return Transform(template(reader.table, "template", inner, text, loops=True), variables)


def _assigner(reader: _Reader) -> Work:
    items = []
    for one in reader.table.tables("set", named="variable"):
        target = selector_of(one, "variable", reader.around, one.text("variable"))
        value_type = _type_of_target(one, target, reader.around)
        operation = one.choice("operation", OPERATIONS, "over-write")
        source = selector_of(one, "from", reader.around, one.text("from")) if one.has("from") else None
        value = one.take("value")
        if operation not in NO_VALUE and (value is None) == (source is None):
            one.fail("local.declare.one_value")
        assignment = Assignment(target, value_type, operation, value, source)
        if source is None and operation in ("over-write", "set") and not fits(value, value_type):
            one.fail("local.declare.type", "value", wanted=value_type, found=type_of(value))
        items.append(assignment)
        one.done()
    if not items:
        reader.table.fail("local.declare.missing", "set")
    return Assign(reader.title, tuple(items))


def _type_of_target(table: Table, target: Selector, around: Scope) -> str:
    if len(target) == 2 and target[0] == "conversation" and target[1] in around.variables:
        return around.variables[target[1]].value_type
    if len(target) == 2 and target[1] in around.counters.get(target[0], {}):
        return around.counters[target[0]][target[1]]
    known = [f"conversation.{name}" for name in around.variables]
    known += [f"{loop}.{name}" for loop, names in around.counters.items() for name in names]
    table.fail("local.declare.target", "variable", name=".".join(target), known=", ".join(known) or "–")


def _aggregator(reader: _Reader) -> Work:
    names = reader.table.texts("variables", None)
    return Aggregate(tuple(selector_of(reader.table, "variables", reader.around, one) for one in names))


def _code(reader: _Reader) -> Work:
    table, functions = reader.table, reader.around.functions
    name = table.text("function")
    function = functions.get(name)
    if function is None:
        table.fail("local.declare.function", "function", name=name, known=", ".join(functions.names()) or "–")
    told = table.mapping("inputs")
    inputs: dict[str, Selector | Template | Constant] = {}
    for key, text in told.items():
        if not isinstance(text, str):
            inputs[key] = Constant(text)
            continue
        try:
            # A name alone keeps the value's type; anything else is a text.
            named = "." in text or text.strip().startswith("{{")
            inputs[key] = reader.around.see(selector(text)) if named else Constant(text)
        except WrongTemplate:
            inputs[key] = template(table, f"inputs.{key}", reader.around, text)
    outputs = table.texts("outputs") if table.has("outputs") else None
    seconds = table.number("timeout", 30, 0.01, 600)
    return Code(function, inputs, None if outputs is None else frozenset(outputs), seconds)


def _http(reader: _Reader) -> Work:
    table = reader.table
    method = table.choice("method", ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"), "GET")
    return HttpRequest(
        method,
        reader.template("url"),
        reader.templates("headers"),
        reader.templates("params"),
        reader.maybe("body"),
        table.number("timeout", 15, 0.05, 120),
        table.flag("fail_on_status", True),
    )


def _inside(reader: _Reader, around: Scope) -> Graph:
    if around.depth > MAX_DEPTH:
        reader.table.fail("local.declare.deep", "nodes", most=MAX_DEPTH)
    tables = reader.table.tables("nodes", named="id")
    if not tables:
        reader.table.fail("local.declare.missing", "nodes")
    return Graph.of([node_of(one, around) for one in tables], reader.table)


def _iteration(reader: _Reader) -> Work:
    table = reader.table
    over = reader.selector("over")
    parallel = table.integer("parallel", 1, 1, MAX_PARALLEL)
    kinds = ("terminated", "continue-on-error", "remove-abnormal-output")
    on_item_error = table.choice("on_item_error", kinds, "terminated")
    inside = _inside(reader, replace(reader.around, depth=reader.around.depth + 1))
    output = reader.selector("output")
    return Iteration(reader.title, over, output, inside, parallel, on_item_error)  # type: ignore[arg-type]  # one of kinds


def _loop(reader: _Reader) -> Work:
    table = reader.table
    rounds = table.integer("count", None, 1, MAX_ROUNDS)
    variables = []
    for one in table.tables("variables", named="name"):
        kind = one.choice("type", VALUE_TYPES)
        source = selector_of(one, "from", reader.around, one.text("from")) if one.has("from") else None
        value = one.take("value")
        if source is None and not fits(value, kind):
            one.fail("local.declare.type", "value", wanted=kind, found=type_of(value))
        variables.append(Counter(one.word("name"), kind, value, source))
        one.done()
    types = {one.name: one.value_type for one in variables}
    around = replace(
        reader.around, depth=reader.around.depth + 1, counters={**reader.around.counters, reader.name: types}
    )
    inside = _inside(reader, around)
    logic, until = conditions_of(table, "until", around)
    return Loop(reader.title, rounds, tuple(variables), until, logic, inside)


_READERS: dict[str, Callable[[_Reader], Work]] = {
    "start": _start,
    "answer": _answer,
    "llm": _llm,
    "knowledge-retrieval": _retrieval,
    "if-else": _if_else,
    "question-classifier": _classifier,
    "template-transform": _transform,
    "assigner": _assigner,
    "variable-aggregator": _aggregator,
    "code": _code,
    "http-request": _http,
    "iteration": _iteration,
    "loop": _loop,
}
