"""Fits inputs to what the app asks for (the form of `/parameters`): one law for every door. Pure.

The server ignores inputs that it does not know. Here nothing is dropped in silence: what of the user's
would not arrive is refused before sending, and what of the server's is not sent back is named.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from . import stored
from .files import FileInput, Picked, holds_file, sources_of, told_files
from .misfit import Misfit
from .origin import Origin, Value
from .values import Unfit, to_builtins, to_text

TRUE = ("true", "yes", "on", "1")
FALSE = ("false", "no", "off", "0")
FILES = ("file", "file-list")
_DIGITS = 308
"""Digits before the point that a number may have: as many as a float can hold."""


class Fitted(msgspec.Struct, frozen=True):
    """Inputs in the types that the form wants."""

    inputs: dict[str, Any]
    """Files that the user gave are `FileInput`."""
    dropped: tuple[str, ...] = ()
    """Inputs of the server's whose files it does not take in the form in which it told them."""


def controls_of(form: Sequence[Mapping[str, Any]] | None) -> dict[str, Mapping[str, Any]]:
    """The controls of a form by variable."""
    return {str(control["variable"]): control for control in form or () if control.get("variable")}


def fit(
    form: Sequence[Mapping[str, Any]] | None,
    given: Mapping[str, Value],
    *,
    whole: bool = True,
    picked: Picked | None = None,
) -> Fitted:
    """The inputs as they will be sent.

    Args:
        form: controls with `type`, `variable`, `required`, `max_length`, `options`, `default`; None when
            the app's form is not known.
        given: by variable.
        whole: whether those are all the controls that the app has. Of what a form is not known to ask
            for, only what is given now or was sent from here is sent.
        picked: finds the upload that the panel's form names.

    Raises:
        Misfit: a value is not in the form, does not fit, or is missing.
    """
    whole = whole and form is not None
    controls = controls_of(form)
    fitted: dict[str, Any] = {}
    for name, value in given.items():
        if name in controls:
            continue
        if whole:
            raise Misfit("unknown", name, known=list(controls))
        if value.origin is not Origin.SERVER:
            fitted[name] = _free(name, value)
    dropped: list[str] = []
    missing: list[str] = []
    for name, control in controls.items():
        found = given.get(name, Value(None, Origin.SERVER))
        if found.value is None and whole and control.get("required"):
            found = Value(control.get("default"), Origin.SERVER)
            found = Value(None, Origin.SERVER) if found.value == "" else found
        sent = None if found.value is None else _one(name, control, found, picked)
        if sent is not None:
            fitted[name] = sent
            continue
        if not found.origin.own and (stored.is_file(found.value) or (control.get("type") in FILES and found.value)):
            dropped.append(name)
        if whole and control.get("required"):
            missing.append(name)
    if missing:
        raise Misfit("missing", controls=[controls[name] for name in missing])
    return Fitted(fitted, tuple(dropped))


def _free(name: str, value: Value) -> Any:
    """An input of which it is not known what the app wants of it."""
    if value.origin is Origin.PYTHON and holds_file(value.value):
        return FileInput(_sources(name, {}, value, None), isinstance(value.value, list | tuple))
    return _builtins(name, {}, value.value)


def _one(name: str, control: Mapping[str, Any], given: Value, picked: Picked | None) -> Any:
    """The value in the type of its control; None when it says nothing, or cannot go back to the server."""
    kind, value = control.get("type"), given.value
    if kind in FILES:
        many = kind == "file-list"
        if not given.origin.own:
            return told_files(value, many=many)
        return _files(name, control, given, picked, many=many)
    if not given.origin.own and stored.is_file(value):
        return None
    if kind == "number":
        return _number(name, control, value)
    if kind == "checkbox":
        return _checkbox(name, control, value)
    if kind in ("json", "json_object"):
        return _object(name, control, value)
    text = value if isinstance(value, str) else _text(name, control, value)
    if kind == "select":
        return _select(name, control, text, typed=given.origin is Origin.LINE)
    longest = limit_of(control)
    if longest is not None and longest < len(text):
        raise Misfit("too_long", name, control, length=len(text), limit=longest)
    return text


def options_of(control: Mapping[str, Any]) -> list[str]:
    """What a select offers; none where the form says something else in their place."""
    told = control.get("options")
    return [str(option) for option in told] if isinstance(told, list | tuple) else []


def limit_of(control: Mapping[str, Any]) -> int | None:
    """`max_length`: of characters, or of files; None where it says nothing."""
    limit = control.get("max_length")
    return limit if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0 else None


def _files(name: str, control: Mapping[str, Any], given: Value, picked: Picked | None, *, many: bool) -> Any:
    found = FileInput(_sources(name, control, given, picked), many, limit_of(control) if many else 1)
    if not many and len(found.sources) != 1:
        raise Misfit("one_file", name, control, count=len(found.sources), limit=1)
    if found.limit is not None and found.limit < len(found.sources):
        raise Misfit("files", name, control, count=len(found.sources), limit=found.limit)
    if all(isinstance(one, dict) for one in found.sources):  # named already: there is nothing to upload
        return _builtins(name, control, list(found.sources) if many else found.sources[0])
    return found


def _sources(name: str, control: Mapping[str, Any], given: Value, picked: Picked | None) -> tuple[Any, ...]:
    try:
        return sources_of(given, picked)
    except Misfit as misfit:
        raise Misfit(misfit.reason, name, control, **misfit.values) from None


def _select(name: str, control: Mapping[str, Any], text: str, *, typed: bool) -> str | None:
    options = options_of(control)
    if not options or text in options:
        return text
    if text == "" and not typed:
        return None
    raise Misfit("select", name, control, text=text, options=options)


def _number(name: str, control: Mapping[str, Any], value: Any) -> int | float | None:
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or number.adjusted() >= _DIGITS:
            raise Misfit("number", name, control, text=text[:80])
        return int(number) if number == number.to_integral_value() and "." not in text else float(number)
    plain = _builtins(name, control, value)
    if isinstance(value, Decimal):
        return _number(name, control, str(plain))
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        raise Misfit("number", name, control, text=type(value).__name__)
    return plain


def _checkbox(name: str, control: Mapping[str, Any], value: Any) -> bool:
    plain = value.strip().lower() if isinstance(value, str) else _builtins(name, control, value)
    if isinstance(plain, bool):
        return plain
    if str(plain) in TRUE:
        return True
    if str(plain) in FALSE:
        return False
    raise Misfit("checkbox", name, control, text=str(plain)[:80])


def _object(name: str, control: Mapping[str, Any], value: Any) -> Any:
    problem = ""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            problem = str(error)
    plain = None if problem else _builtins(name, control, value)
    if not isinstance(plain, dict):
        raise Misfit("json", name, control, problem=problem or type(value).__name__)
    return plain


def _text(name: str, control: Mapping[str, Any], value: Any) -> str:
    try:
        return to_text(value)
    except Unfit as unfit:
        raise Misfit("unfit", name, control, unfit=unfit) from None


def _builtins(name: str, control: Mapping[str, Any], value: Any) -> Any:
    try:
        return to_builtins(value)
    except Unfit as unfit:
        raise Misfit("unfit", name, control, unfit=unfit) from None
