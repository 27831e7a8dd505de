"""Fits what a user gives to what the app asks for (the form of `/parameters`). Pure.

The server ignores inputs that it does not know and, on some versions, new inputs on later
turns. Here nothing is dropped in silence: what would not arrive is refused before sending.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import msgspec

from ..errors import InputError
from ..i18n import t
from .keys import hide_keys
from .parse import suggestion
from .values import Unfit, to_builtins, to_text

_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_FILES = ("file", "file-list")


class FileInput(msgspec.Struct, frozen=True):
    """An input that is a file: what the user named, to be uploaded when it is sent."""

    sources: tuple[str, ...]
    many: bool
    """Whether the app takes a list."""


def fit(form: Sequence[Mapping[str, Any]] | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs as they will be sent, in the types that the form wants.

    Args:
        form: controls with `type`, `variable`, `required`, `max_length`, `options`, `default`;
            None when the app's form is not known: then every value goes as JSON has it.
        given: by variable; texts (from `NAME=TEXT`) and any Python values.

    Raises:
        InputError: a variable is not in the form, does not fit, or is missing.
    """
    if form is None:
        return {name: _builtins(name, value) for name, value in given.items()}
    controls = {str(control.get("variable")): control for control in form}
    for name in given:
        if name not in controls:
            if not controls:
                _refuse("magic.input.none", name=name)
            guess = suggestion(name, list(controls))
            _refuse("magic.input.unknown", name=name, known=", ".join(controls), suggestion=guess)
    fitted: dict[str, Any] = {}
    missing: list[str] = []
    for name, control in controls.items():
        value = given.get(name)
        if value is None and control.get("required") and control.get("default") not in (None, ""):
            value = control["default"]
        if value is not None:
            value = _fit_one(name, control, value)
        if value is not None:
            fitted[name] = value
        elif control.get("required"):
            missing.append(name)
    if missing:
        wanted = ", ".join(_describe(name, controls[name]) for name in missing)
        example = " ".join(f"-i {name}=…" for name in missing)
        _refuse("magic.input.missing", wanted=wanted, example=example)
    return fitted


def _describe(name: str, control: Mapping[str, Any]) -> str:
    label = control.get("label")
    return f"{name} ({label})" if label and label != name else name


def _fit_one(name: str, control: Mapping[str, Any], value: Any) -> Any:
    """The value in the type of its control; None when it says nothing (an empty number)."""
    kind = control.get("type")
    if kind == "number":
        return _number(name, value)
    if kind == "checkbox":
        return _checkbox(name, value)
    if kind in ("json", "json_object"):
        return _object(name, value)
    if kind in _FILES:
        return _file(name, value, many=kind == "file-list")
    text = value if isinstance(value, str) else _text(name, value)
    if kind == "select":
        options = [str(option) for option in control.get("options") or ()]
        if options and text not in options:
            said = {"text": text[:80], "options": ", ".join(options), "suggestion": suggestion(text, options)}
            _refuse("magic.input.select", name=name, **said)
        return text
    longest = control.get("max_length")
    if isinstance(longest, int) and not isinstance(longest, bool) and 0 < longest < len(text):
        _refuse("magic.input.too_long", name=name, length=len(text), longest=longest)
    return text


def _number(name: str, value: Any) -> int | float | None:
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            _refuse("magic.input.number", name=name, text=text[:80])
        return int(number) if number == number.to_integral_value() and "." not in text else float(number)
    plain = _builtins(name, value)
    if isinstance(value, Decimal):
        return _number(name, str(plain))
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        _refuse("magic.input.number", name=name, text=type(value).__name__)
    return plain


def _checkbox(name: str, value: Any) -> bool:
    plain = value.strip().lower() if isinstance(value, str) else _builtins(name, value)
    if isinstance(plain, bool):
        return plain
    if str(plain) in _TRUE:
        return True
    if str(plain) in _FALSE:
        return False
    _refuse("magic.input.checkbox", name=name, text=str(plain)[:80])


def _object(name: str, value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            _refuse("magic.input.json", name=name, problem=str(error))
    plain = _builtins(name, value)
    if not isinstance(plain, dict):
        _refuse("magic.input.json", name=name, problem=type(value).__name__)
    return plain


def _file(name: str, value: Any, *, many: bool) -> FileInput | Any:
    if isinstance(value, Mapping) or (
        many and isinstance(value, Sequence) and value and all(isinstance(one, Mapping) for one in value)
    ):
        return _builtins(name, value)  # already in the server's own form
    listed = [value] if isinstance(value, str) or not isinstance(value, Sequence) else list(value)
    sources = tuple(_text(name, one) for one in listed)
    if not many and len(sources) != 1:
        _refuse("magic.input.one_file", name=name, count=len(sources))
    return FileInput(sources, many)


def _text(name: str, value: Any) -> str:
    try:
        return to_text(value)
    except Unfit as unfit:
        _unfit(name, unfit)


def _builtins(name: str, value: Any) -> Any:
    try:
        return to_builtins(value)
    except Unfit as unfit:
        _unfit(name, unfit)


def _unfit(name: str, unfit: Unfit) -> NoReturn:
    said = {"type": type(unfit.value).__name__, "limit": 0, "length": "", **unfit.values}
    _refuse(f"magic.value.{unfit.reason}", source=f"-i {name}{unfit.path}", **said)


def _refuse(key: str, /, **values: object) -> NoReturn:
    raise InputError(hide_keys(t(key, **values)), code="input", hint=t("magic.value.hint"))
