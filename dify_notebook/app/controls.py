"""One value in the type that its control wants: the same from every entry point. Pure.

A value that says nothing (None; "" for a number, checkbox or JSON; no file) is as if it were not given, but ""
is a text like any other: a server takes it, also for a required one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from ..wire.kinds import FILE_CONTROLS, TEXT_CONTROLS
from . import stored_files
from .files import FileInput, Picked, holds_file, server_files, sources_of
from .invalid import InvalidInput
from .origin import Origin, Value
from .values import Unserializable, to_builtins, to_text, unwrap

TRUE = ("true", "yes", "y", "on", "1", "是")
FALSE = ("false", "no", "n", "off", "0", "否")
TEXTS = (*TEXT_CONTROLS, "external_data_tool", "api")
_DIGITS = 308
"""Digits before the point that a number may have: as many as a float can hold."""


def fitted(name: str, control: Mapping[str, Any], given: Value, picked: Picked | None = None) -> Any:
    """The value as it is sent; None when it says nothing, or cannot go back to the server.

    Raises:
        InvalidInput: the control does not take it.
    """
    kind, value = control.get("type"), given.value
    if value is None:
        return None
    if kind in FILE_CONTROLS:
        return _files(name, control, given, picked)
    if not given.origin.own and stored_files.is_file(value):
        return None
    value = _unwrapped(name, control, value)
    if kind == "number":
        return _number(name, control, value)
    if kind == "checkbox":
        return _checkbox(name, control, value)
    if kind in ("json", "json_object"):
        return _object(name, control, value)
    if kind not in TEXTS:  # a kind that a newer server may have
        return free(name, given, control)
    text = _text(name, control, value)
    if kind == "select":
        return _select(name, control, text, typed=given.origin is Origin.LINE)
    longest = limit_of(control)
    if longest is not None and longest < len(text):
        raise InvalidInput("too_long", name, control, length=len(text), limit=longest)
    return text


def counted(name: str, control: Mapping[str, Any], files: FileInput) -> FileInput:
    """The same files, if the app takes so many.

    Raises:
        InvalidInput: it does not.
    """
    count = len(files.sources)
    if not files.many and count != 1:
        raise InvalidInput("one_file", name, control, count=count, limit=1)
    if files.limit is not None and files.limit < count:
        raise InvalidInput("files", name, control, count=count, limit=files.limit)
    return files


def free(name: str, given: Value, control: Mapping[str, Any] | None = None) -> Any:
    """An input of which it is not known what the app wants of it.

    Raises:
        InvalidInput: it has no form as JSON.
    """
    if given.origin is Origin.PYTHON and holds_file(given.value):
        return FileInput(_sources(name, control or {}, given, None), isinstance(given.value, list | tuple))
    return _builtins(name, control or {}, given.value)


def is_required(control: Mapping[str, Any]) -> bool:
    """Whether the app needs it from whoever asks; what a tool of the server's fills in is not."""
    return bool(control.get("required")) and control.get("type") not in ("external_data_tool", "api")


def options_of(control: Mapping[str, Any]) -> list[str]:
    """What a select offers; none where the form says something else in their place."""
    options = control.get("options")
    return [str(option) for option in options] if isinstance(options, list | tuple) else []


def limit_of(control: Mapping[str, Any]) -> int | None:
    """`max_length`: of characters, or of files; None where it says nothing."""
    limit = control.get("max_length")
    return limit if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0 else None


def _files(name: str, control: Mapping[str, Any], given: Value, picked: Picked | None) -> Any:
    many = control.get("type") == "file-list"
    if not given.origin.own:
        return server_files(given.value, many=many)
    if isinstance(given.value, str | list | tuple) and not given.value and given.origin is not Origin.LINE:
        return None
    sources = _sources(name, control, given, picked)
    files = counted(name, control, FileInput(sources, many, limit_of(control) if many else 1))
    if all(isinstance(source, dict) for source in files.sources):  # named already: there is nothing to upload
        return _builtins(name, control, files.given)
    return files


def _sources(name: str, control: Mapping[str, Any], given: Value, picked: Picked | None) -> tuple[Any, ...]:
    try:
        return sources_of(given, picked)
    except InvalidInput as invalid:
        raise InvalidInput(invalid.reason, name, control, **invalid.values) from None


def _select(name: str, control: Mapping[str, Any], text: str, *, typed: bool) -> str | None:
    options = options_of(control)
    if not options or text in options:
        return text
    if text == "" and not typed:
        return None
    raise InvalidInput("select", name, control, text=text, options=options)


def _number(name: str, control: Mapping[str, Any], value: Any) -> int | float | None:
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        try:
            value = Decimal(text)
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite() or value.adjusted() >= _DIGITS:
            raise InvalidInput("number", name, control, text=text[:80])
    plain = _builtins(name, control, value)
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        raise InvalidInput("number", name, control, text=type(value).__name__)
    if isinstance(plain, int) and abs(plain) >= 10**_DIGITS:
        raise InvalidInput("number", name, control, text=f"{str(plain)[:20]}…")
    return plain


def _checkbox(name: str, control: Mapping[str, Any], value: Any) -> bool | None:
    plain = value.strip().lower() if isinstance(value, str) else _builtins(name, control, value)
    if plain == "":
        return None
    if isinstance(plain, bool):
        return plain
    if plain in TRUE or (isinstance(plain, int | float) and plain == 1):
        return True
    if plain in FALSE or (isinstance(plain, int | float) and plain == 0):
        return False
    raise InvalidInput("checkbox", name, control, text=str(plain)[:80])


def _object(name: str, control: Mapping[str, Any], value: Any) -> Any:
    problem = ""
    if isinstance(value, str):
        if not value.strip():
            return None
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            problem = str(error)
    plain = None if problem else _builtins(name, control, value)
    if not isinstance(plain, dict):
        raise InvalidInput("json", name, control, problem=problem or type(value).__name__)
    return plain


def _unwrapped(name: str, control: Mapping[str, Any], value: Any) -> Any:
    try:
        value = unwrap(value)
        return str.__str__(value) if isinstance(value, str) else value
    except Unserializable as unfit:
        raise InvalidInput("unfit", name, control, unfit=unfit) from None


def _text(name: str, control: Mapping[str, Any], value: Any) -> str:
    try:
        return to_text(value, strict=True)
    except Unserializable as unfit:
        raise InvalidInput("unfit", name, control, unfit=unfit) from None


def _builtins(name: str, control: Mapping[str, Any], value: Any) -> Any:
    try:
        return to_builtins(value)
    except Unserializable as unfit:
        raise InvalidInput("unfit", name, control, unfit=unfit) from None
