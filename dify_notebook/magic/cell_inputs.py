"""The inputs that a `%%dify` cell gives: on its line, by a variable, as its text. Nothing is asked of a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import msgspec

from ..app.controls import is_required
from ..app.entry_points import suggestion
from ..app.files import holds_file
from ..app.known import KnownApp
from ..app.namespace import unbound_message
from ..app.origin import Filled, Origin, Value, values
from ..app.tables import cells_of, is_row
from ..app.template import expand, literals_and_values, resolve
from ..app.text_input import text_candidates, texts_of
from ..app.values import is_missing
from ..errors import InputError
from ..i18n import t
from ..redact import redact
from ..wire.kinds import FILE_CONTROLS
from .objects import object_of, read_json
from .parse import Arguments, Assignment


class Given(msgspec.Struct, frozen=True):
    """The inputs of a cell, each with its origin."""

    values: dict[str, Value]
    row: tuple[str, ...] = ()
    """Those that are columns of a table's row, which may have others than the app asks for."""

    def chosen(self, app: KnownApp) -> tuple[dict[str, Value], tuple[str, ...]]:
        """What of it the app asks for, and the columns of a row that it does not.

        Raises:
            InputError: it asks for none of a row's columns.
        """
        if not self.row or not app.whole:
            return {n: v for n, v in self.values.items() if n not in self.row or v.value is not None}, ()
        left_out = tuple(name for name in self.row if name not in app.controls)
        if len(left_out) == len(self.row):
            names, known = (", ".join(each) or "–" for each in (self.row[:20], app.controls))
            raise InputError(t("magic.inputs_other_row", names=names, known=known), code="inputs")
        return {name: value for name, value in self.values.items() if name not in left_out}, left_out


def inputs_given(arguments: Arguments, namespace: dict[str, Any], body: str = "") -> Given:
    """The inputs that the line and, with `--as-inputs`, the cell give; expressions are evaluated in `namespace`.

    Raises:
        InputError: something cannot be read, or is not there.
    """
    inputs, row = _from_variable(arguments, namespace)
    if arguments.as_inputs:
        for name, value in object_of(body).items():
            inputs[name] = Value(_filled(value, name, arguments, namespace), Origin.PYTHON)
    for assignment in arguments.inputs:
        name = assignment.name
        row = tuple(column for column in row if column != name)
        if assignment.expression:
            inputs[name] = Value(_evaluate(assignment, namespace), Origin.PYTHON)
        else:
            inputs[name] = expanded(assignment.text, arguments, namespace, f"-i {name}")
    return Given(inputs, row)


def _from_variable(arguments: Arguments, namespace: dict[str, Any]) -> tuple[dict[str, Value], tuple[str, ...]]:
    """What `--inputs` names: a dict, or a row. What is missing in a row (NaN, NaT, NA) is not given."""
    given: Any = arguments.inputs_from or {}
    row = False
    if isinstance(given, str):
        given = resolve(given, namespace)
        row = is_row(given)
        if isinstance(given, str):
            given = _of_text(given, str(arguments.inputs_from))
        elif row:
            given = cells_of(given)
        elif not isinstance(given, Mapping):
            rows = len(given) if type(given).__name__ == "DataFrame" else None
            key = "magic.inputs_no_dict" if rows is None else "magic.inputs_rows"
            known = {"name": arguments.inputs_from, "type": type(given).__name__, "rows": rows}
            raise InputError(t(key, **known), code="inputs")
    named = {str(name): None if row and is_missing(value) else value for name, value in given.items()}
    return values(named, Origin.PYTHON), tuple(named) if row else ()


def _of_text(text: str, name: str) -> dict[str, Any]:
    problem = ""
    try:
        return read_json(text)
    except (ValueError, RecursionError) as error:
        problem = str(error)
    raise InputError(t("magic.inputs_text", name=name, problem=problem), code="inputs")


def expanded(text: str, arguments: Arguments, namespace: Mapping[str, Any], label: str) -> Value:
    """A text of the line with its placeholders filled, and its origin."""
    if arguments.no_vars:
        return Value(text, Origin.LINE)
    parts = literals_and_values(text, namespace, label=label)
    if len(parts) == 1 and isinstance(parts[0], Filled) and holds_file(parts[0].value):
        return Value(parts[0].value, Origin.PYTHON)
    has_values = any(isinstance(part, Filled) for part in parts)
    return Value(expand(text, namespace, label=label), Origin.TEMPLATE if has_values else Origin.LINE, tuple(parts))


def _filled(value: Any, place: str, arguments: Arguments, namespace: Mapping[str, Any]) -> Any:
    """A value of the cell with the placeholders in its texts filled; its texts are data, and no paths."""
    if isinstance(value, str):
        return expanded(value, arguments, namespace, place).value
    if isinstance(value, list):
        return [_filled(item, f"{place}[{index}]", arguments, namespace) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return {name: _filled(item, f"{place}.{name}", arguments, namespace) for name, item in value.items()}
    return value


def _evaluate(assignment: Assignment, namespace: dict[str, Any]) -> Any:
    problem = ""
    try:
        # The user's own code in the user's own kernel, as in any cell.
        return eval(compile(assignment.text, f"<-i {assignment.name}>", "eval"), namespace)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        if isinstance(error, NameError) and (message := unbound_message(error.name or "", namespace)):
            problem = message.rstrip(".。")
    text = t("magic.expression_failed", name=assignment.name, text=assignment.text, problem=problem)
    raise InputError(text, code="inputs")


def text_given(
    text: str, named: str | None, inputs: Mapping[str, Value], app: KnownApp
) -> dict[str, Value]:
    """The cell's text as the input that it is; nothing for an empty cell.

    Args:
        named: what `--text` says.
        inputs: the others that are given.

    Raises:
        InputError: it is not clear which one it is, it is given twice, or the app needs it.
    """
    texts = text_candidates(app)
    if named is not None:
        _check_named(named, app)
    elif len(texts) == 1:
        named = texts[0]
    elif text:
        _refuse("magic.text.many" if texts else "magic.text.none" if app.whole else "magic.text.untold", texts)
    else:
        return {}
    value = inputs.get(named)
    if text and value is not None and value.value is not None:
        _refuse("magic.text.twice", texts, name=named)
    control = app.controls.get(named, {})
    if not text and value is None and is_required(control) and control.get("default") in (None, ""):
        _refuse("magic.text.empty", texts, name=named)
    return {named: Value(text, Origin.LINE)} if text else {}


def _check_named(name: str, app: KnownApp) -> None:
    control, texts = app.controls.get(name), texts_of(app)
    if control is None and app.whole:
        _refuse("magic.text.unknown", texts, name=name, suggestion=suggestion(name, list(app.controls)))
    if control is not None and control.get("type") in FILE_CONTROLS:
        _refuse("magic.text.file", texts, name=name)


def _refuse(key: str, texts: list[str], /, **values: object) -> NoReturn:
    example = texts[0] if texts else "NAME"
    message = t(key, names=", ".join(texts) or "–", example=example, **values)
    raise InputError(redact(message), code="text", hint=t("magic.value.hint"))
