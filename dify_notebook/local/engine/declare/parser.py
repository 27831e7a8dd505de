"""Nodes out of a declaration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ...store.paused import TIMEOUT
from ...store.serializers import fits, type_of
from ..graph.graph import Graph
from ..graph.node import FAIL_BRANCH, SOURCE, Names, Node, NodeType
from ..nodes.basic import (
    NO_VALUE,
    OPERATIONS,
    Assignment,
    Case,
    Code,
    Constant,
    HttpRequest,
    IfElse,
    Start,
    TemplateTransform,
    VariableAggregator,
    VariableAssigner,
)
from ..nodes.containers import MAX_PARALLEL, MAX_ROUNDS, Iteration, Loop, LoopVariable, OnError
from ..nodes.ends import Answer
from ..nodes.human import HumanInput
from ..nodes.model import KnowledgeRetrieval, Llm, QuestionClass, QuestionClassifier
from ..pausing import HUMAN_INPUT
from ..template import Selector, Template, WrongTemplate, parse_selector
from .ends import end_of
from .human import human_of
from .reader import TableReader
from .scope import FLOW_KINDS, Scope, conditions_of, selector_of, template

TITLES = {
    "start": "Start",
    "answer": "Answer",
    "end": "End",
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
    "human-input": "Human Input",
}
TYPES = tuple(TITLES)
_ENDS = tuple(kind.end for kind in FLOW_KINDS.values())
VALUE_TYPES = (
    "string", "number", "integer", "float", "boolean", "object", "array[string]", "array[number]",
    "array[object]", "array[any]",
)  # fmt: skip
MAX_DEPTH = 3
"""Containers within containers."""

_Followers = dict[str, tuple[str, ...]]


def graph_of(tables: list[TableReader], scope: Scope, whole: TableReader) -> Graph:
    """The graph of an app.

    Raises:
        DeclarationError: see `Graph.of` and `Graph.check_values`; also when there is not one start, or no end.
    """
    starts = [table for table in tables if table.peek("type") == "start"]
    if len(starts) != 1:
        whole.fail("local.declare.one_start", "nodes", found=len(starts))
    name = starts[0].peek("id")
    scope = replace(scope, start=name if isinstance(name, str) else "start")
    graph = Graph.of(node_of(table, scope) for table in tables)
    if not any(node.type == scope.kind.end for node in graph.nodes.values()):
        whole.fail(f"local.declare.no_{scope.kind.end}", "nodes")
    for root in graph.roots:
        if root != scope.start:
            graph.nodes[root].declaration.fail("local.declare.unreached", id=root)
    if scope.start not in graph.roots:
        graph.nodes[scope.start].declaration.fail("local.declare.before_start", id=scope.start)
    visible: dict[str, Names] = {
        "sys": frozenset(scope.kind.system),
        "conversation": frozenset(scope.variables),
    }
    graph.check_values(visible)
    return graph


def node_of(table: TableReader, scope: Scope) -> Node:
    """One node. Raises: DeclarationError."""
    type_ = table.choice("type", TYPES)
    name = table.word("id", type_ if type_ in ("start", *_ENDS) else None)
    if not name.replace("-", "_").replace("_", "a").isalnum() or not name.isascii() or name in ("sys", "conversation"):
        table.fail("local.declare.name", "id", name=name)
    title = table.text("title", TITLES[type_], maximum=200)
    table.text("description", "", maximum=2000)
    if type_ in _ENDS and type_ != scope.kind.end:
        table.fail(f"local.declare.only_{scope.kind.end}", "type", type=type_)
    if scope.depth and type_ in ("start", *_ENDS, HUMAN_INPUT):
        table.fail("local.declare.not_inside", "type", type=type_)
    followers: _Followers = {}
    work = _READERS[type_](_NodeReader(table, scope, name, title, followers))
    follow = table.texts("next")
    if work.handles() is None:
        if follow:
            followers[SOURCE] = follow
    elif follow:
        table.fail("local.declare.branch_next", "next", handles=", ".join(work.handles() or ()))
    on_error, default, max_retries, retry_interval = _errors(table, work, followers)
    table.done()
    return Node(name, type_, title, work, followers, table, on_error, default, max_retries, retry_interval)


def _errors(table: TableReader, work: NodeType, followers: _Followers) -> tuple[str | None, dict[str, Any], int, float]:
    """What happens when the node fails."""
    on_error = table.choice("on_error", ("stop", FAIL_BRANCH, "default-value"), "stop")
    default = table.mapping("default")
    fail = table.texts("fail")
    retry = table.table("retry")
    max_retries, retry_interval = 0, 0.0
    if retry is not None:
        max_retries = retry.integer("times", None, 1, 10)
        retry_interval = retry.number("interval", 0.1, 0, 60)
        retry.done()
    if isinstance(work, HumanInput) and (on_error != "stop" or retry is not None):
        table.fail("local.declare.human_errors", "on_error")
    if work.container and (on_error != "stop" or retry is not None):
        table.fail("local.declare.box_errors", "on_error")
    if (on_error == FAIL_BRANCH) != bool(fail):
        table.fail("local.declare.fail_branch", "fail")
    if on_error != "default-value" and default:
        table.fail("local.declare.default", "default")
    if fail:
        followers[FAIL_BRANCH] = fail
    names = work.outputs()
    for name in default:
        if names is not None and name not in names:
            table.fail("local.declare.no_output", "default", name=name, id="", known=", ".join(sorted(names)))
    return None if on_error == "stop" else on_error, default, max_retries, retry_interval


class _NodeReader:
    """A node's table with what it may refer to."""

    def __init__(self, table: TableReader, scope: Scope, name: str, title: str, followers: _Followers) -> None:
        self.table = table
        self.scope = scope
        self.name = name
        self.title = title
        self.followers = followers

    def template(self, name: str, default: str | None = None, *, loops: bool = False) -> Template:
        return template(self.table, name, self.scope, self.table.text(name, default), loops=loops)

    def optional_template(self, name: str) -> Template | None:
        return self.template(name) if self.table.has(name) else None

    def selector(self, name: str) -> Selector:
        return selector_of(self.table, name, self.scope, self.table.text(name))

    def templates(self, name: str) -> dict[str, Template]:
        texts = self.table.mapping(name)
        return {key: template(self.table, f"{name}.{key}", self.scope, str(text)) for key, text in texts.items()}


def _start(reader: _NodeReader) -> NodeType:
    return Start(reader.scope.inputs)


def _answer(reader: _NodeReader) -> NodeType:
    return Answer(reader.template("answer"))


def _llm(reader: _NodeReader) -> NodeType:
    table = reader.table
    context = reader.selector("context") if table.has("context") else None
    options = {name: maximum for name, maximum in (("temperature", 2.0), ("top_p", 1.0)) if table.has(name)}
    settings: dict[str, Any] = {name: table.number(name, None, 0, maximum) for name, maximum in options.items()}
    if table.has("max_tokens"):
        settings["max_tokens"] = table.integer("max_tokens", None, 1, 1_000_000)
    model = reader.scope.model
    return Llm(
        replace(model, options={**model.options, **settings}),
        reader.optional_template("system"),
        reader.template("user", reader.scope.kind.question),
        context,
        table.flag("memory", False),
        table.choice("reasoning_format", ("tagged", "separated"), "tagged") == "separated",
    )


def _classifier(reader: _NodeReader) -> NodeType:
    table = reader.table
    classes = []
    for entry in table.tables("classes", named="id"):
        name = entry.word("id")
        classes.append(QuestionClass(name, entry.word("name", name)))
        _branch(reader, name, entry)
        entry.done()
    if len(classes) < 2:
        table.fail("local.declare.classes", "classes")
    query = reader.template("query", reader.scope.kind.question)
    return QuestionClassifier(reader.scope.model, query, tuple(classes), reader.optional_template("instruction"))


def _retrieval(reader: _NodeReader) -> NodeType:
    table, known = reader.table, reader.scope.knowledge
    names = table.choices("knowledge", known, known)
    if not names:
        table.fail("local.declare.no_knowledge", "knowledge")
    query = reader.template("query", reader.scope.kind.question)
    top_k, score_threshold = table.integer("top_k", 4, 1, 20), table.number("score", 0.0, 0, 1)
    return KnowledgeRetrieval(tuple(known[name] for name in names), query, top_k, score_threshold)


def _if_else(reader: _NodeReader) -> NodeType:
    cases = []
    for at, entry in enumerate(reader.table.tables("cases", named="id"), start=1):
        name = entry.word("id", f"case-{at}")
        if name in reader.followers or name == "false":
            entry.fail("local.declare.twice", "id", id=name)
        logic, conditions = conditions_of(entry, "when", reader.scope)
        if not conditions:
            entry.fail("local.declare.missing", "when")
        cases.append(Case(name, logic, conditions))
        _branch(reader, name, entry)
        entry.done()
    if not cases:
        reader.table.fail("local.declare.missing", "cases")
    otherwise = reader.table.texts("else")
    if otherwise:
        reader.followers["false"] = otherwise
    return IfElse(tuple(cases))


def _branch(reader: _NodeReader, handle: str, table: TableReader) -> None:
    follow = table.texts("next")
    if handle in reader.followers:
        table.fail("local.declare.twice", "id", id=handle)
    reader.followers[handle] = follow


def _transform(reader: _NodeReader) -> NodeType:
    variables = {
        key: selector_of(reader.table, f"variables.{key}", reader.scope, str(name))
        for key, name in reader.table.mapping("variables").items()
    }
    inner = replace(reader.scope, inputs=reader.scope.inputs - set(variables))
    text = reader.table.text("template")
    return TemplateTransform(template(reader.table, "template", inner, text, loops=True), variables)


def _assigner(reader: _NodeReader) -> NodeType:
    items = []
    for entry in reader.table.tables("set", named="variable"):
        target = selector_of(entry, "variable", reader.scope, entry.text("variable"))
        value_type = _type_of_target(entry, target, reader.scope)
        operation = entry.choice("operation", OPERATIONS, "over-write")
        source = selector_of(entry, "from", reader.scope, entry.text("from")) if entry.has("from") else None
        value = entry.take("value")
        if operation not in NO_VALUE and (value is None) == (source is None):
            entry.fail("local.declare.one_value")
        assignment = Assignment(target, value_type, operation, value, source)
        if source is None and operation in ("over-write", "set") and not fits(value, value_type):
            entry.fail("local.declare.type", "value", wanted=value_type, found=type_of(value))
        items.append(assignment)
        entry.done()
    if not items:
        reader.table.fail("local.declare.missing", "set")
    return VariableAssigner(reader.title, tuple(items))


def _type_of_target(table: TableReader, target: Selector, scope: Scope) -> str:
    if len(target) == 2 and target[0] == "conversation" and target[1] in scope.variables:
        return scope.variables[target[1]].value_type
    if len(target) == 2 and target[1] in scope.loop_variables.get(target[0], {}):
        return scope.loop_variables[target[0]][target[1]]
    known = [f"conversation.{name}" for name in scope.variables]
    known += [f"{loop}.{name}" for loop, names in scope.loop_variables.items() for name in names]
    table.fail("local.declare.target", "variable", name=".".join(target), known=", ".join(known) or "–")


def _aggregator(reader: _NodeReader) -> NodeType:
    names = reader.table.texts("variables", None)
    return VariableAggregator(tuple(selector_of(reader.table, "variables", reader.scope, name) for name in names))


def _code(reader: _NodeReader) -> NodeType:
    table, functions = reader.table, reader.scope.functions
    name = table.text("function")
    function = functions.get(name)
    if function is None:
        table.fail("local.declare.function", "function", name=name, known=", ".join(functions.names()) or "–")
    inputs: dict[str, Selector | Template | Constant] = {}
    for key, text in table.mapping("inputs").items():
        if not isinstance(text, str):
            inputs[key] = Constant(text)
            continue
        try:
            # A name alone keeps the value's type; anything else is a text.
            named = "." in text or text.strip().startswith("{{")
            inputs[key] = reader.scope.resolve(parse_selector(text)) if named else Constant(text)
        except WrongTemplate:
            inputs[key] = template(table, f"inputs.{key}", reader.scope, text)
    outputs = table.texts("outputs") if table.has("outputs") else None
    seconds = table.number("timeout", 30, 0.01, 600)
    return Code(function, inputs, None if outputs is None else frozenset(outputs), seconds)


def _http(reader: _NodeReader) -> NodeType:
    table = reader.table
    method = table.choice("method", ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"), "GET")
    return HttpRequest(
        method,
        reader.template("url"),
        reader.templates("headers"),
        reader.templates("params"),
        reader.optional_template("body"),
        table.number("timeout", 15, 0.05, 120),
        table.flag("fail_on_status", True),
    )


def _inside(reader: _NodeReader, scope: Scope) -> Graph:
    if scope.depth > MAX_DEPTH:
        reader.table.fail("local.declare.deep", "nodes", most=MAX_DEPTH)
    tables = reader.table.tables("nodes", named="id")
    if not tables:
        reader.table.fail("local.declare.missing", "nodes")
    return Graph.of(node_of(table, scope) for table in tables)


def _iteration(reader: _NodeReader) -> NodeType:
    table = reader.table
    over = reader.selector("over")
    parallel = table.integer("parallel", 1, 1, MAX_PARALLEL)
    strategies: tuple[OnError, ...] = ("terminated", "continue-on-error", "remove-abnormal-output")
    on_item_error = table.choice("on_item_error", strategies, "terminated")
    inside = _inside(reader, replace(reader.scope, depth=reader.scope.depth + 1))
    output = reader.selector("output")
    return Iteration(reader.title, over, output, inside, parallel, on_item_error)


def _loop(reader: _NodeReader) -> NodeType:
    table = reader.table
    rounds = table.integer("count", None, 1, MAX_ROUNDS)
    variables = []
    for entry in table.tables("variables", named="name"):
        kind = entry.choice("type", VALUE_TYPES)
        source = selector_of(entry, "from", reader.scope, entry.text("from")) if entry.has("from") else None
        value = entry.take("value")
        if source is None and not fits(value, kind):
            entry.fail("local.declare.type", "value", wanted=kind, found=type_of(value))
        variables.append(LoopVariable(entry.word("name"), kind, value, source))
        entry.done()
    types = {entry.name: entry.value_type for entry in variables}
    scope = replace(
        reader.scope, depth=reader.scope.depth + 1, loop_variables={**reader.scope.loop_variables, reader.name: types}
    )
    inside = _inside(reader, scope)
    logic, until = conditions_of(table, "until", scope)
    return Loop(reader.title, rounds, tuple(variables), until, logic, inside)


def _human(reader: _NodeReader) -> NodeType:
    work = human_of(reader.table, reader.scope, lambda handle, table: _branch(reader, handle, table))
    if late := reader.table.texts("on_timeout"):
        reader.followers[TIMEOUT] = late
    return work


_READERS: dict[str, Callable[[_NodeReader], NodeType]] = {
    "start": _start,
    "answer": _answer,
    "end": lambda reader: end_of(reader.table, reader.scope),
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
    "human-input": _human,
}
