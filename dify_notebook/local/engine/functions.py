"""Python functions that agents and code nodes may call, and what a model is told about them.

A function is registered under its name; only registered ones can be called, and never source text.
Its parameters are described to the model by its annotations and its docstring.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, overload

from ...errors import DifyError
from ...i18n import t
from ..text import well_formed
from ..threads import Exited, in_own_loop, in_thread

SECONDS = 30.0
"""That a call may take."""
MAX_RESULT = 100_000
"""Characters of a result that a model gets."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_TYPES: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean", dict: "object"}

Called = TypeVar("Called", bound=Callable[..., Any])


class FunctionFailed(Exception):
    """A function raised, took too long, or was called in a way that it cannot be."""

    def __init__(self, text: str) -> None:
        super().__init__(well_formed(text))  # names of files may be in it


class FunctionExited(FunctionFailed):
    """A function wanted to end the process: no result that a model could go on with."""


@dataclass(frozen=True)
class Function:
    """A function with what a model is told about it."""

    name: str
    description: str
    schema: Mapping[str, Any]
    """JSON schema of its arguments."""
    call: Callable[..., Any]

    def as_tool(self) -> dict[str, Any]:
        """For a `chat/completions` request."""
        function = {"name": self.name, "description": self.description, "parameters": dict(self.schema)}
        return {"type": "function", "function": function}

    @property
    def label(self) -> dict[str, str]:
        """As `tool_labels` has it, in Dify's four languages."""
        label = self.name.replace("_", " ").capitalize()
        return dict.fromkeys(("zh_Hans", "en_US", "pt_BR", "ja_JP"), label)

    async def use(self, arguments: Mapping[str, Any], seconds: float = SECONDS) -> Any:
        """Call it with a bound on its time, in a thread of its own; an `async` one on a loop of its own there.

        A plain function that takes longer cannot be ended: it is left to itself, and not waited for.

        Raises:
            FunctionFailed: with a text that the model or the node may tell.
            FunctionExited: it called `sys.exit()` or the like.
        """
        try:
            inspect.signature(self.call).bind(**arguments)
        except TypeError as problem:
            raise FunctionFailed(f"{self.name}: {problem}") from None
        try:
            async with asyncio.timeout(seconds):
                if inspect.iscoroutinefunction(self.call):
                    return await in_own_loop(self.call, **arguments)
                return await in_thread(self.call, **arguments)
        except TimeoutError:
            raise FunctionFailed(f"{self.name} did not end within {seconds:g} s") from None
        except Exited as problem:
            raise FunctionExited(f"{self.name}: {problem}") from problem
        except Exception as problem:  # whatever a user's function raises is told, not hidden
            raise FunctionFailed(f"{type(problem).__name__}: {problem}") from problem


class Functions:
    """Functions by name."""

    def __init__(self, functions: Mapping[str, Function] | None = None) -> None:
        self._functions = dict(functions or {})

    def __iter__(self) -> typing.Iterator[Function]:
        return iter(self._functions.values())

    def get(self, name: str) -> Function | None:
        return self._functions.get(name)

    def names(self) -> list[str]:
        return sorted(self._functions)

    def add(self, function: Function) -> None:
        """The later one of a name takes the earlier's place, as when a cell is run again."""
        self._functions[function.name] = function


REGISTERED = Functions()
"""Those of `local.tool`."""


@overload
def tool(function: Called) -> Called: ...


@overload
def tool(*, name: str | None = None, description: str | None = None) -> Callable[[Called], Called]: ...


def tool(
    function: Called | None = None, *, name: str | None = None, description: str | None = None
) -> Called | Callable[[Called], Called]:
    """Register a Python function, so that declared apps can name it as a tool or in a code node.

    ```python
    @local.tool
    def convert(amount: float, to: str) -> float:
        \"\"\"Convert an amount of euros into another currency.\"\"\"
    ```

    Args:
        name: another name than the function's own.
        description: another text than its docstring.

    Raises:
        DifyError: its name cannot be told to a model, or it takes arguments without names.
    """

    def register(call: Called) -> Called:
        REGISTERED.add(describe(call, name, description))
        return call

    return register if function is None else register(function)


def describe(call: Callable[..., Any], name: str | None = None, description: str | None = None) -> Function:
    """A function and its schema. Raises: DifyError; see `tool`."""
    tool_name = str(name or getattr(call, "__name__", ""))
    if not _NAME.fullmatch(tool_name):
        raise DifyError(t("local.tool.name", name=tool_name))
    try:
        hints = typing.get_type_hints(call, include_extras=True)
    except Exception:  # an annotation that cannot be looked up says nothing, and is no reason to refuse
        hints = {}
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in inspect.signature(call).parameters.values():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            raise DifyError(t("local.tool.arguments", name=tool_name, argument=parameter.name))
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        parameter_schema = schema_of(hints.get(parameter.name, Any))
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        elif _is_json(parameter.default):
            parameter_schema = {**parameter_schema, "default": parameter.default}
        properties[parameter.name] = parameter_schema
    text = description or inspect.getdoc(call) or tool_name
    schema = {"type": "object", "properties": properties, "required": required}
    return Function(tool_name, text, schema, call)


def schema_of(hint: Any) -> dict[str, Any]:
    """The JSON schema of a type; `{}`, which takes anything, for what has none."""
    if hint in _TYPES:
        return {"type": _TYPES[hint]}
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        description = next((entry for entry in inner[1:] if isinstance(entry, str)), None)
        return {**schema_of(inner[0]), **({"description": description} if description else {})}
    if origin is Literal:
        return {"enum": list(inner)}
    if hint in (list, tuple, set) or origin in (list, tuple, set):
        return {"type": "array", "items": schema_of(inner[0]) if inner else {}}
    if origin is dict:
        return {"type": "object"}
    if origin in (typing.Union, types.UnionType):
        members = [entry for entry in inner if entry is not type(None)]
        return schema_of(members[0]) if len(members) == 1 else {"anyOf": [schema_of(entry) for entry in members]}
    return {}


def as_text(value: Any) -> str:
    """A result as the text that a model gets."""
    text = well_formed(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= MAX_RESULT else text[:MAX_RESULT] + "…"


def as_json(value: Any) -> Any:
    """A result as what JSON can say; other objects by their text."""
    return json.loads(well_formed(json.dumps(value, ensure_ascii=False, default=str)))


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
