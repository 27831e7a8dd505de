"""Apps that someone declared, in a TOML file, a Python file or as a dict, turned into apps of the server.

A Python file binds `app` (a dict of the same form) or `apps` (a list of them); functions that it registers
with `local.tool`, or puts into the list `tools` itself, can be called by agents and code nodes.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
import tomllib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import InvalidOperation
from pathlib import Path
from typing import Any

from ....errors import DifyError
from ....i18n import t
from ....paths import expand
from ....wire.kinds import AGENT, CHATFLOW, COMPLETION, OTHER_MODES, TEXT_CONTROLS, WORKFLOW, AppMode
from ...store.store import Row
from ..agent import Agent
from ..app import App, Variable
from ..chat import Prompt, chat, completion
from ..forms import Control
from ..functions import REGISTERED, Function, Functions, describe
from ..graph.chatflow import chatflow
from ..knowledge import Knowledge, read_files
from ..models.choice import Wanted, choose, prices
from ..models.model import Model
from ..run import Run
from ..template import Template, WrongTemplate, parse_template
from ..tools.builtin import BUILTIN
from .parser import graph_of
from .parts import control_of, files_of, moderation_of, variable_of, voice_of
from .reader import DeclarationError, TableReader
from .scope import FLOW_KINDS, Scope

Source = App | str | os.PathLike[str] | Mapping[str, Any]
"""What `serve(apps=[...])` takes: an app, a file, or a declaration as a dict."""
Answers = Callable[[Run], Awaitable[None]]


def resolve(sources: Source | Iterable[Source], default: Wanted | None = None) -> tuple[App, ...]:
    """Apps out of their sources.

    Args:
        default: the model of apps that name none of their own.

    Raises:
        DeclarationError: a declaration is wrong; the message names file, path and what to do.
    """
    apps: list[App] = []
    for source in [sources] if isinstance(sources, App | str | os.PathLike | Mapping) else sources:
        apps += _resolve(source, default or Wanted())
    seen: set[str] = set()
    for app in apps:
        if app.name in seen:
            raise DeclarationError(t("local.declare.two_apps", name=app.name))
        seen.add(app.name)
    return tuple(apps)


def _resolve(source: Source, default: Wanted) -> list[App]:
    if isinstance(source, App):
        return [source]
    if isinstance(source, Mapping):
        return [_app(source, "", Path.cwd(), default)]
    path = expand(source, argument="apps")
    if not path.is_file():
        raise DeclarationError(t("local.declare.no_file", path=path))
    # As for a program, modules beside it can be imported: by a Python file, and for tools named `module:function`.
    if (beside := str(path.resolve().parent)) not in sys.path:
        sys.path.append(beside)
    if path.suffix.lower() == ".toml":
        return [_app(_toml(path), path.name, path.resolve().parent, default)]
    if path.suffix.lower() == ".py":
        return [_app(declared, path.name, path.resolve().parent, default) for declared in _python(path)]
    raise DeclarationError(t("local.declare.suffix", path=path))


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as problem:
        raise DeclarationError(f"{path.name}: {t('local.declare.toml', problem=problem)}") from None


def _python(path: Path) -> list[Any]:
    """A Python file is run: it is the user's own program, like any that they start."""
    try:
        names = runpy.run_path(str(path))
    except DifyError:
        raise
    except Exception as problem:
        text = f"{type(problem).__name__}: {problem}"
        raise DeclarationError(f"{path.name}: {t('local.declare.python', problem=text)}") from problem
    apps = names.get("apps", [names["app"]] if "app" in names else None)
    if not isinstance(apps, list | tuple) or not apps:
        raise DeclarationError(f"{path.name}: {t('local.declare.no_app')}")
    return list(apps)


def _app(values: Any, file: str, beside: Path, default: Wanted) -> App:
    """One app. Raises: DeclarationError."""
    named = values.get("name") if isinstance(values, Mapping) else None
    table = TableReader(values, file or (f"app {named}" if named else "app"), "")
    mode = table.choice("mode", _ANSWERS)
    name = table.word("name", Path(file).stem if file else None)
    form = tuple(control_of(entry) for entry in table.tables("form", named="variable"))
    _distinct(table, "form", [control.variable for control in form])
    variables = tuple(variable_of(entry) for entry in table.tables("variables", named="name"))
    _distinct(table, "variables", [variable.name for variable in variables])
    functions = _functions(table)
    knowledge = _knowledge(table, beside)
    model = _model(table, default, beside)
    if mode != CHATFLOW and variables:
        table.fail("local.declare.only_flow", "variables")
    if mode in OTHER_MODES:
        for unused in ("opening_statement", "suggested_questions", "follow_up_questions"):
            if table.has(unused):
                table.fail("local.declare.only_chat", unused)
    if mode == WORKFLOW and table.has("moderation"):
        table.fail("local.declare.no_moderation", "moderation")
    answer = _ANSWERS[mode](_Parts(table, mode, form, variables, functions, knowledge, model))
    suggested = table.texts("suggested_questions")
    follow = table.texts("follow_up_questions")
    app = App(
        name=name,
        mode=mode,
        description=table.text("description", "", maximum=2000),
        icon=table.text("icon", "🤖", maximum=10),
        opening=table.text("opening_statement", "", maximum=10_000),
        suggested_questions=suggested,
        answer=answer,
        suggest=_suggester(follow),
        form=form,
        files=files_of(table.table("files")),
        variables=variables,
        suggests=bool(follow),
        voice=voice_of(table.table("voice")),
        hears=table.flag("speech_to_text", False),
        moderation=moderation_of(table.table("moderation")),
        at_once=table.integer("at_once", 0, 0, 512),
    )
    table.done()
    return app


def _suggester(questions: tuple[str, ...]) -> Callable[[Row], list[str]]:
    def suggest(message: Row) -> list[str]:
        return [question for question in questions if question != message["query"]][:3]

    return suggest


@dataclass(frozen=True)
class _Parts:
    """What was read of a declaration, for what answers."""

    table: TableReader
    mode: AppMode
    form: tuple[Control, ...]
    variables: tuple[Variable, ...]
    functions: Functions
    knowledge: Mapping[str, Knowledge]
    model: Model


def _flow(parts: _Parts) -> Answers:
    """A chatflow, or a workflow app."""
    for name in ("prompt", "tools"):
        if parts.table.has(name):
            parts.table.fail("local.declare.not_in_flow", name)
    scope = Scope(
        inputs=frozenset(control.variable for control in parts.form),
        variables={variable.name: variable for variable in parts.variables},
        model=parts.model,
        functions=parts.functions,
        knowledge=parts.knowledge,
        kind=FLOW_KINDS[parts.mode],
    )
    graph = graph_of(parts.table.tables("nodes", named="id"), scope, parts.table)
    return chatflow(graph, parts.model.prices)


def _chat(parts: _Parts) -> Answers:
    _only_agent(parts.table)
    return chat(_spoken(parts, ("query", "user_id")), parts.model)


def _agent(parts: _Parts) -> Answers:
    table, prompt = parts.table, _spoken(parts, ("query", "user_id"))
    tools = tuple(_tool(table, source, parts.functions) for source in _list(table, "tools"))
    bounds = table.table("agent") or TableReader({}, table.file, "agent")
    agent = Agent(
        prompt,
        parts.model,
        tools,
        rounds=bounds.integer("rounds", 5, 1, 50),
        tool_timeout=bounds.number("tool_timeout", 30, 0.01, 600),
        timeout=bounds.number("timeout", 300, 0.1, 3600),
    )
    bounds.done()
    return agent.answer()


def _completion(parts: _Parts) -> Answers:
    _only_agent(parts.table)
    if not parts.table.has("prompt"):
        parts.table.fail("local.declare.missing", "prompt")
    prompt = _spoken(parts, ("user_id",))
    return completion(prompt, parts.model)


_ANSWERS: Mapping[AppMode, Callable[[_Parts], Answers]] = {
    "chat": _chat,
    AGENT: _agent,
    CHATFLOW: _flow,
    WORKFLOW: _flow,
    COMPLETION: _completion,
}
"""What a declared app can be, and what makes its answer."""


def _only_agent(table: TableReader) -> None:
    for name in ("tools", "agent"):
        if table.has(name):
            table.fail("local.declare.only_agent", name)


def _spoken(parts: _Parts, system: tuple[str, ...]) -> Prompt:
    """The prompt of an app without nodes, with what it looks things up in.

    Args:
        system: system variables that it may have.
    """
    table, knowledge = parts.table, tuple(parts.knowledge.values())
    if table.has("nodes"):
        table.fail("local.declare.only_nodes", "nodes")
    template = _prompt(table, parts.form, system)
    search = table.table("search") or TableReader({}, table.file, "search")
    top_k, score_threshold = search.integer("top_k", 4, 1, 20), search.number("score", 0.0, 0, 1)
    about = None
    if knowledge and "query" not in system:  # there is no question: an input says what is looked up
        about = search.choice("query", [control.variable for control in parts.form if control.kind in TEXT_CONTROLS])
    search.done()
    return Prompt(template, knowledge, top_k, score_threshold, about)


def _prompt(table: TableReader, form: tuple[Control, ...], system: tuple[str, ...]) -> Template | None:
    if not table.has("prompt"):
        return None
    try:
        template = parse_template(table.text("prompt"))
    except WrongTemplate as problem:
        table.fail("local.declare.template", "prompt", problem=str(problem))
    known = {control.variable for control in form}
    for selector in template.needs():
        if selector[0] not in known and selector not in [("sys", name) for name in system]:
            names = ", ".join([*sorted(known), *(f"sys.{name}" for name in system)])
            table.fail("local.declare.no_value", "prompt", name=".".join(selector), known=names, hint="")
    return template


def _list(table: TableReader, name: str) -> list[Any]:
    value = table.take(name, [])
    if not isinstance(value, list | tuple):
        table.fail("local.declare.type", name, wanted="list", found=type(value).__name__)
    return list(value)


def _functions(table: TableReader) -> Functions:
    """What code nodes may call: built-in functions, registered ones, and those the app lists."""
    functions = Functions({function.name: function for function in (*BUILTIN, *REGISTERED)})
    for source in _list(table, "functions"):
        functions.add(_tool(table, source, functions))
    return functions


def _tool(table: TableReader, source: Any, known: Functions) -> Function:
    """A function by its name, by `module:name`, or itself."""
    if isinstance(source, Function):
        return source
    if callable(source):
        return _described(table, source)
    if not isinstance(source, str):
        table.fail("local.declare.type", "tools", wanted="function or name", found=type(source).__name__)
    function = known.get(source)
    if function is not None:
        return function
    module, colon, name = source.partition(":")
    if not colon:
        table.fail("local.declare.function", "tools", name=source, known=", ".join(known.names()))
    try:
        call = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as problem:
        table.fail("local.declare.import", "tools", name=source, problem=str(problem))
    return _described(table, call)


def _described(table: TableReader, call: Any) -> Function:
    try:
        return describe(call)
    except (DifyError, TypeError, ValueError) as problem:
        # The last two: what has no signature, or is no function at all.
        table.fail("local.declare.not_a_tool", "tools", problem=str(problem))


def _knowledge(table: TableReader, beside: Path) -> dict[str, Knowledge]:
    known: dict[str, Knowledge] = {}
    for entry in table.tables("knowledge", named="name"):
        name = entry.word("name")
        if name in known:
            entry.fail("local.declare.twice", "name", id=name)
        try:
            texts = read_files(entry.texts("files", None), beside)
        except ValueError as problem:
            entry.fail("local.declare.files", "files", problem=str(problem))
        known[name] = Knowledge(name, tuple(texts))
        entry.done()
    return known


def _model(table: TableReader, default: Wanted, beside: Path) -> Model:
    own = table.table("model")
    wanted = default
    if own is not None:
        declared = {name: own.take(name) for name in ("price_in", "price_out") if own.has(name)}
        try:
            costs = prices(declared)
        except (ValueError, InvalidOperation):
            own.fail("local.declare.price", "price_in")
        wanted = Wanted(
            url=own.text("url", "") or None,
            name=own.text("name", "") or None,
            key_env=own.text("key_env", "") or None,
            timeout=own.number("timeout", 60, 0.05, 600),
            options=own.mapping("options"),
            prices=costs,
            vision=own.flag("vision", False),
        ).over(default)
        own.done()
    try:
        return choose(wanted, beside)
    except DifyError as problem:
        raise DeclarationError(f"{table.file}: model: {problem}") from None


def _distinct(table: TableReader, path: str, names: list[str]) -> None:
    for at, name in enumerate(names):
        if name in names[:at]:
            table.fail("local.declare.twice", path, id=name)
