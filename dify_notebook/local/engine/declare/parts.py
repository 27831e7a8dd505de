"""The parts of a declaration that all kinds of apps share: input form, variables, files, voice, moderation."""

from __future__ import annotations

from typing import Any

from ....wire.kinds import CONTROLS, FILE_CONTROLS, FILE_KINDS
from ...api_error import ApiError
from ...store.serializers import fits, type_of
from ..app import Moderation, Variable, Voice
from ..forms import Control, FileRules
from .parser import VALUE_TYPES
from .reader import TableReader


def control_of(table: TableReader) -> Control:
    kinds = (*CONTROLS, "json")
    name_of_kind = table.choice("type", kinds)
    kind: Any = "json_object" if name_of_kind == "json" else name_of_kind
    name = table.word("variable")
    if not name.isidentifier():
        table.fail("local.declare.name", "variable", name=name)
    options = table.texts("options")
    if kind == "select" and not options:
        table.fail("local.declare.missing", "options")
    files = None
    if kind in FILE_CONTROLS:
        extensions = _extensions(table, "allowed_file_extensions")
        types = _file_types(table, "allowed_file_types")
        methods = _methods(table, "allowed_file_upload_methods")
        files = FileRules(types, extensions, 1, methods)
    longest = {"paragraph": 10_000, "file-list": 5}.get(kind, 48)
    control = Control(
        kind,
        name,
        table.text("label", name, maximum=200),
        table.flag("required", False),
        table.integer("max_length", longest, 1, 1_000_000),
        options,
        table.take("default"),
        files,
    )
    if control.default is not None:
        try:
            control.check(control.default)
        except ApiError as problem:
            table.fail("local.declare.wrong_default", "default", problem=problem.message)
    table.done()
    return control


def variable_of(table: TableReader) -> Variable:
    name = table.word("name")
    if not name.isidentifier():
        table.fail("local.declare.name", "name", name=name)
    kind = table.choice("type", VALUE_TYPES)
    empty: Any = [] if kind.startswith("array") else {"string": "", "object": {}, "boolean": False}.get(kind, 0)
    value = table.take("value", empty)
    if not fits(value, kind) and not (kind == "array[any]" and isinstance(value, list)):
        table.fail("local.declare.type", "value", wanted=kind, found=type_of(value))
    variable = Variable(name, kind, value, table.text("description", "", maximum=1000))
    table.done()
    return variable


def files_of(table: TableReader | None) -> FileRules | None:
    if table is None:
        return None
    rules = FileRules(
        _file_types(table, "types"),
        _extensions(table, "extensions"),
        table.integer("limit", 3, 1, 10),
        _methods(table, "methods"),
    )
    table.done()
    return rules


def _file_types(table: TableReader, name: str) -> tuple[str, ...]:
    return table.choices(name, FILE_KINDS, ("document",))


def _extensions(table: TableReader, name: str) -> tuple[str, ...]:
    return tuple("." + extension.lower().lstrip(".") for extension in table.texts(name))


def _methods(table: TableReader, name: str) -> tuple[str, ...]:
    return table.choices(name, ("local_file", "remote_url"), ("local_file",))


def voice_of(table: TableReader | None) -> Voice | None:
    if table is None:
        return None
    voice = Voice(table.text("name", ""), table.text("language", "en-US"), table.flag("auto_play", False))
    table.done()
    return voice


def moderation_of(table: TableReader | None) -> Moderation | None:
    if table is None:
        return None
    words = table.texts("words", None)
    question, answer = table.text("question", ""), table.text("answer", "")
    table.done()
    return Moderation(words, question or None, answer or None)
