"""Fits what the form was filled with to what the app asks for, before anything is sent. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from ..errors import InputError
from ..i18n import Language, t

Uploaded = Callable[[str], Any]
"""From an upload's id to the uploaded file; raises InputError for an unknown one."""


def fit(
    form: Sequence[Mapping[str, Any]], given: Mapping[str, Any], uploaded: Uploaded, lang: Language | None = None
) -> dict[str, Any]:
    """The inputs as they will be sent, each in the type that its control wants.

    What the form does not know is refused, not dropped: the server would ignore it in silence.

    Args:
        form: controls as `Parameters.controls` gives them.
        given: by variable; files are ids of uploads, or anything that the client takes as a file.

    Raises:
        InputError: a value does not fit, is unknown, or a required one is missing.
    """
    controls = {str(control["variable"]): control for control in form if control.get("variable")}
    unknown = [name for name in given if name not in controls]
    if unknown:
        _refuse("panel.input.unknown", lang, name=unknown[0], known=", ".join(controls) or "–")
    fitted: dict[str, Any] = {}
    missing = []
    for name, control in controls.items():
        value = given.get(name)
        if value is None or value == "" or value == []:
            value = control.get("default")
            value = None if value == "" else value
        if value is not None:
            value = _one(name, control, value, uploaded, lang)
        if value is not None:
            fitted[name] = value
        elif control.get("required"):
            missing.append(str(control.get("label") or name))
    if missing:
        _refuse("panel.input.missing", lang, names=", ".join(missing))
    return fitted


def _one(name: str, control: Mapping[str, Any], value: Any, uploaded: Uploaded, lang: Language | None) -> Any:
    kind, label = control.get("type"), str(control.get("label") or name)
    if kind == "number":
        return _number(label, value, lang)
    if kind == "checkbox":
        if not isinstance(value, bool) and str(value).lower() not in ("true", "false"):
            _refuse("panel.input.checkbox", lang, name=label)
        return value if isinstance(value, bool) else str(value).lower() == "true"
    if kind in ("json", "json_object"):
        return _object(label, value, lang)
    if kind in ("file", "file-list"):
        items = [
            uploaded(one) if isinstance(one, str) else one for one in (value if isinstance(value, list) else [value])
        ]
        longest = control.get("max_length") if kind == "file-list" else 1
        if isinstance(longest, int) and 0 < longest < len(items):
            _refuse("panel.input.files", lang, name=label, limit=longest)
        return items if kind == "file-list" else items[0]
    text = value if isinstance(value, str) else str(value)
    options = [str(option) for option in control.get("options") or ()]
    if kind == "select" and options and text not in options:
        _refuse("panel.input.select", lang, name=label, options=", ".join(options))
    longest = control.get("max_length")
    if kind != "select" and isinstance(longest, int) and not isinstance(longest, bool) and 0 < longest < len(text):
        _refuse("panel.input.too_long", lang, name=label, length=len(text), limit=longest)
    return text


def _number(label: str, value: Any, lang: Language | None) -> int | float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = str(value).strip()
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if number == number and abs(number) != float("inf"):
            return number
    _refuse("panel.input.number", lang, name=label)


def _object(label: str, value: Any, lang: Language | None) -> Any:
    problem = ""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            problem = str(error)
    if not problem and not isinstance(value, dict):
        problem = type(value).__name__
    if problem:
        _refuse("panel.input.json", lang, name=label, problem=problem)
    return value


def sendable(inputs: Mapping[str, Any] | None) -> dict[str, Any]:
    """The inputs of a stored conversation that can be sent again: files come back in a form of the server's own."""
    kept = {}
    for name, value in (inputs or {}).items():
        first = value[0] if isinstance(value, list) and value else value
        if value is not None and not (isinstance(first, dict) and "dify_model_identity" in first):
            kept[name] = value
    return kept


def _refuse(key: str, lang: Language | None, /, **values: object) -> NoReturn:
    raise InputError(t(key, lang, **values), code="input", hint=t("panel.input.hint", lang))
