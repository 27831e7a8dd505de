"""Types of nodes that need no model: start, template, if-else, assigner, aggregator, code, http-request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from .... import redact
from ...store.serializers import fits, type_of
from ..fetch import FetchFailed, Refused, fetch, request_target, shown_url
from ..functions import Function, FunctionFailed, as_json
from ..graph.graph import OF_EVERY_RUN, OF_MESSAGES
from ..graph.node import Names, NodeContext, NodeType
from ..graph.result import NodeFailed, NodeRunResult
from ..template import Selector, Template, shown, walk
from .conditions import CannotCompare, Condition, Logic, decided, results

MAX_TEMPLATE = 400_000
"""Characters that a template may become."""
MAX_PIECES = 1_000_000
"""Texts, values and rounds of loops that it may be made of."""


@dataclass(frozen=True)
class Start(NodeType):
    """Where a run begins; puts out the inputs."""

    variables: frozenset[str]

    async def run(self, context: NodeContext) -> NodeRunResult:
        run = context.run
        variables = {name: run.inputs.get(name) for name in self.variables}
        inputs = dict(run.inputs)
        if run.conversation is not None:
            inputs = {**context.events.inputs, "sys.conversation_id": run.conversation_id}
        return NodeRunResult(inputs, inputs, variables=variables)

    def outputs(self) -> Names:
        return self.variables | {f"sys.{name}" for name in (*OF_EVERY_RUN, *OF_MESSAGES)}


@dataclass(frozen=True)
class TemplateTransform(NodeType):
    """template-transform: a text out of a template and its variables."""

    template: Template
    variables: Mapping[str, Selector]

    async def run(self, context: NodeContext) -> NodeRunResult:
        values = {name: context.pool.get(selector) for name, selector in self.variables.items()}

        def look_up(selector: Selector) -> Any:
            if selector[0] in values:
                return walk(values[selector[0]], selector[1:])
            return context.pool.get(selector)

        def render() -> str:
            made, size = list[str](), 0
            for piece in self.template.pieces(look_up, shown):
                made.append(piece)
                size += len(piece)
                if size > MAX_TEMPLATE or len(made) > MAX_PIECES:  # before the whole is made
                    problem = f"Output length exceeds maximum length {MAX_TEMPLATE}"
                    raise NodeFailed(problem, "TemplateTransformError")
            return "".join(made)

        text, _ = await context.run.work(render)
        return NodeRunResult({"output": text}, values)

    def needs(self) -> Iterable[Selector]:
        yield from self.variables.values()
        yield from (selector for selector in self.template.needs() if selector[0] not in self.variables)

    def outputs(self) -> Names:
        return frozenset({"output"})


@dataclass(frozen=True)
class Case:
    """One branch of an if-else."""

    id: str
    logic: Logic
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class IfElse(NodeType):
    """The first case that holds decides; `false` is the handle when none does."""

    cases: tuple[Case, ...]
    branches = True

    async def run(self, context: NodeContext) -> NodeRunResult:
        checked: list[dict[str, Any]] = []
        inputs: list[dict[str, Any]] = []
        chosen = "false"
        for case in self.cases:
            inputs = [condition.as_input(context.pool) for condition in case.conditions]
            try:
                held = results(case.conditions, case.logic, context.pool)
            except CannotCompare as problem:
                raise NodeFailed(str(problem), "ValueError", {"condition_results": checked}) from None
            holds = decided(held, case.logic)
            group = {
                "case_id": case.id,
                "logical_operator": case.logic,
                "conditions": [condition.group(context.pool) for condition in case.conditions],
            }
            checked.append({"group": group, "results": held, "final_result": holds})
            if holds:
                chosen = case.id
                break
        outputs = {"result": chosen != "false", "selected_case_id": chosen}
        return NodeRunResult(outputs, {"conditions": inputs}, {"condition_results": checked}, edge_source_handle=chosen)

    def needs(self) -> Iterable[Selector]:
        for case in self.cases:
            for condition in case.conditions:
                yield condition.selector
                yield from condition.value.needs()

    def outputs(self) -> Names:
        return frozenset({"result", "selected_case_id"})

    def handles(self) -> Iterable[str]:
        return [*(case.id for case in self.cases), "false"]


@dataclass(frozen=True)
class VariableAggregator(NodeType):
    """variable-aggregator: the first of several values that is there, after branches that exclude each other."""

    variables: tuple[Selector, ...]

    async def run(self, context: NodeContext) -> NodeRunResult:
        for selector in self.variables:
            value = context.pool.get(selector)
            if value is not None:
                return NodeRunResult({"output": value}, {".".join(selector): value})
        return NodeRunResult({"output": None})

    def needs(self) -> Iterable[Selector]:
        return self.variables

    def outputs(self) -> Names:
        return frozenset({"output"})


OPERATIONS = (
    "over-write", "set", "clear", "append", "extend", "remove-first", "remove-last", "+=", "-=", "*=", "/=",
)  # fmt: skip
NO_VALUE = ("clear", "remove-first", "remove-last")
_CLEARED: Mapping[str, Any] = {"string": "", "number": 0, "integer": 0, "float": 0.0, "boolean": False, "object": {}}


@dataclass(frozen=True)
class Assignment:
    """One change of a conversation or loop variable."""

    target: Selector
    value_type: str
    operation: str
    value: Any = None
    source: Selector | None = None
    """Where the value comes from; None for a constant."""

    def as_input(self) -> dict[str, Any]:
        """As the node's inputs tell it."""
        return {
            "variable_selector": list(self.target),
            "input_type": "variable" if self.source else "constant",
            "operation": self.operation,
            "value": list(self.source) if self.source else self.value,
        }

    def result(self, old: Any, value: Any) -> Any:
        """What the variable becomes. Raises: ValueError, in words for people."""
        match self.operation:
            case "over-write" | "set":
                new = value
            case "clear":
                new = [] if self.value_type.startswith("array") else _CLEARED.get(self.value_type)
            case "append":
                new = [*_list(old), value]
            case "extend":
                new = [*_list(old), *_list(value)]
            case "remove-first":
                new = _list(old)[1:]
            case "remove-last":
                new = _list(old)[:-1]
            case operation:
                new = _calculated(old, operation, value)
        if not fits(new, self.value_type) and self.value_type not in ("array[any]", "any"):
            raise ValueError(f"{'.'.join(self.target)} is {self.value_type} and cannot become {type_of(new)}")
        return new


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"a list is wanted, and {type_of(value)} was found")
    return value


def _calculated(old: Any, operation: str, value: Any) -> int | float:
    for operand in (old, value):
        if isinstance(operand, bool) or not isinstance(operand, int | float):
            raise ValueError(f"{operation} is for numbers, and {type_of(operand)} was found")
    try:
        result: int | float = {
            "+=": lambda: old + value,
            "-=": lambda: old - value,
            "*=": lambda: old * value,
            "/=": lambda: old / value,
        }[operation]()
    except (ZeroDivisionError, OverflowError) as problem:
        raise ValueError(str(problem)) from None
    return result


@dataclass(frozen=True)
class VariableAssigner(NodeType):
    """assigner: changes variables, without code."""

    title: str
    items: tuple[Assignment, ...]

    async def run(self, context: NodeContext) -> NodeRunResult:
        inputs = {
            "title": self.title,
            "desc": "",
            "version": "2",
            "error_strategy": None,
            "default_value": None,
            "retry_config": {"max_retries": 0, "retry_interval": 0, "retry_enabled": False},
            "items": [item.as_input() for item in self.items],
        }
        new: dict[Selector, Any] = {}
        for item in self.items:
            old = new.get(item.target, context.pool.get(item.target))
            value = context.pool.get(item.source) if item.source else item.value
            try:
                new[item.target] = item.result(old, value)
            except ValueError as problem:
                raise NodeFailed(str(problem), "VariableOperatorNodeError") from None
        for target, value in new.items():
            context.pool.set(target, value)
        updated = [
            {"name": target[1], "selector": list(target), "value_type": type_of(value), "new_value": value}
            for target, value in new.items()
        ]
        process = {target[1]: value for target, value in new.items()}
        return NodeRunResult({}, inputs, {**process, "__updated_variables": updated})

    def needs(self) -> Iterable[Selector]:
        for item in self.items:
            yield item.target
            if item.source:
                yield item.source

    def writes(self) -> Iterable[Selector]:
        return [item.target for item in self.items]


@dataclass(frozen=True)
class Constant:
    """A value that stands in the declaration."""

    value: Any


@dataclass(frozen=True)
class Code(NodeType):
    """code: calls a Python function that was registered; there is no source text in a declaration."""

    function: Function
    inputs: Mapping[str, Selector | Template | Constant]
    names: frozenset[str] | None
    seconds: float

    async def run(self, context: NodeContext) -> NodeRunResult:
        values = {name: _value(context, source) for name, source in self.inputs.items()}
        try:
            value = as_json(await self.function.use(values, self.seconds))
        except (FunctionFailed, ValueError) as problem:
            raise NodeFailed(str(problem), "CodeNodeError") from None
        outputs = value if isinstance(value, dict) else {"result": value}
        missing = (self.names or frozenset()) - set(outputs)
        if missing:
            raise NodeFailed(f"Output {sorted(missing)[0]} is missing", "OutputValidationError")
        return NodeRunResult(outputs, values)

    def needs(self) -> Iterable[Selector]:
        for source in self.inputs.values():
            if isinstance(source, Template):
                yield from source.needs()
            elif not isinstance(source, Constant):
                yield source

    def outputs(self) -> Names:
        return self.names


def _value(context: NodeContext, source: Selector | Template | Constant) -> Any:
    if isinstance(source, Constant):
        return source.value
    return context.render(source) if isinstance(source, Template) else context.pool.get(source)


@dataclass(frozen=True)
class HttpRequest(NodeType):
    """http-request: to addresses on the server's allow-list and no others."""

    method: str
    url: Template
    headers: Mapping[str, Template]
    params: Mapping[str, Template]
    body: Template | None
    seconds: float
    statuses: bool
    """Whether a status of 400 and above is a failure."""

    async def run(self, context: NodeContext) -> NodeRunResult:
        url = context.render(self.url).strip()
        if self.params:
            query = urlencode({name: context.render(value) for name, value in self.params.items()})
            url += ("&" if "?" in url else "?") + query
        headers = {name: context.render(value) for name, value in self.headers.items()}
        if any("\n" in text or "\r" in text for text in [*headers, *headers.values()]):
            raise NodeFailed("a header holds a line break", "HttpRequestNodeError")
        body = None if self.body is None else context.render(self.body).encode()
        try:
            process = {"request": _request(self.method, url, headers, body)}
        except ValueError:
            raise NodeFailed("that is no address", "HttpRequestNodeError") from None
        try:
            answer = await fetch(
                url,
                allow=context.run.allow,
                method=self.method,
                headers=headers,
                body=body,
                limit=1_000_000,
                timeout=self.seconds,
            )
        except Refused as problem:
            raise NodeFailed(f"{problem}; start the server with --allow", "HttpRequestNodeError", process) from None
        except FetchFailed as problem:
            raise NodeFailed(str(problem), "HttpRequestNodeError", process) from None
        if self.statuses and answer.status >= 400:
            raise NodeFailed(f"Status {answer.status} for URL {shown_url(url)}", "HttpResponseCodeError", process)
        outputs = {
            "status_code": answer.status,
            "body": answer.text,
            "headers": answer.headers,
            "files": [],
        }
        return NodeRunResult(outputs, {}, process)

    def needs(self) -> Iterable[Selector]:
        for template in (self.url, *self.headers.values(), *self.params.values(), self.body):
            if template is not None:
                yield from template.needs()

    def outputs(self) -> Names:
        return frozenset({"status_code", "body", "headers", "files"})


def _request(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> str:
    """The request as process data shows it, without what may be a key."""
    lines = [f"{method} {request_target(url)} HTTP/1.1", f"Host: {redact.without_login(urlsplit(url).netloc)}"]
    lines += [f"{name}: {redact.header(name, value)}" for name, value in headers.items()]
    return "\r\n".join(lines) + "\r\n\r\n" + (body or b"")[:10_000].decode("utf-8", "replace")
