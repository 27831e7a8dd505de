"""What a cell that asks several times asks with: a table of its own, one row for each row of the user's table.

The cell is read once for each row, as if `row` were a variable of the notebook, so that every way of giving a text, an
input or a file works as in a cell that is asked once. What comes of it are values; the sweep reads no templates of it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from ..app.controls import counted, fitted
from ..app.entry_points import CELL, as_input_error, suggestion
from ..app.files import FileInput, sources_of
from ..app.known import KnownApp
from ..app.origin import Value
from ..app.tables import Row
from ..app.template import expand, placeholders, resolve
from ..errors import InputError
from ..i18n import t
from ..net.checks import check_attachments, check_input
from ..printable import one_line
from ..wire.kinds import FILE_CONTROLS
from .cell import find_files, without_blank_ends
from .cell_inputs import expanded, inputs_given
from .parse import Arguments

ROW = "row"
"""The variable that is the table's row."""
LABEL, TEXT, FILES = "row", "query", "-f"
"""Columns of the table that is asked over."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A cell's questions, as the arguments of a `Sweep`."""

    over: list[dict[str, Any]]
    """One row for each question; its cells are data."""
    query: str | None
    inputs: dict[str, str]
    """By name, the column that holds it."""
    files: str | None
    text: str | None
    """The text of the first question."""
    template: str | None
    """The cell's text as it is written."""
    first_inputs: dict[str, Any]
    """The inputs of the first question."""
    left_out: tuple[str, ...] = ()
    """Columns of a row that no app asks for."""


def ask_with(
    arguments: Arguments, body: str, namespace: dict[str, Any], apps: Mapping[str, KnownApp]
) -> Asked:
    """What the cell asks with, row by row. Nothing is sent, and no file is read.

    Args:
        namespace: the notebook's variables; expressions are evaluated in them.
        apps: what is known of each app, by the name on the line.

    Raises:
        InputError: something cannot be read or does not fit; of a table the message names the row.
    """
    rows = rows_of(arguments, namespace)
    takes_text = any(app.takes.conversations for app in apps.values())
    if takes_text and (arguments.text or arguments.as_inputs):
        option = "--text" if arguments.text else "--as-inputs"
        named = next(name for name, app in apps.items() if app.takes.conversations)
        raise InputError(t("magic.line.no_text_input", option=option, app=one_line(named, 80)), code="magic_line")
    if rows[0][1] is not None and not (arguments.as_inputs or arguments.no_vars):
        _check_names(body, namespace, rows[0][1])
    over: list[dict[str, Any]] = []
    names: dict[str, None] = {}
    left_out: dict[str, None] = {}
    variables = namespace if arguments.over is None else copy.copy(namespace)
    for label, row in rows:
        problem: InputError
        if row is not None:
            variables[ROW] = row
        try:
            text, inputs, files, left = _read(arguments, body, variables, apps, row)
            if takes_text and not text:
                raise InputError(t("magic.empty"), code="query")
        except InputError as raised:
            problem = raised
        else:
            names |= dict.fromkeys(inputs)
            left_out |= dict.fromkeys(left)
            over.append({LABEL: label, TEXT: text, FILES: files, **{column_of(name): inputs[name] for name in inputs}})
            continue
        if row is None:
            raise problem
        message = t("magic.beside.row", row=one_line(str(label), 80), problem=problem.message)
        raise InputError(message, code=problem.code, hint=problem.hint)
    given = {name: column_of(name) for name in names}
    texts = any(row[TEXT] for row in over)
    if arguments.text is not None and texts:
        given[arguments.text] = TEXT
    return Asked(
        over=over,
        query=f"{{{{ {TEXT} }}}}" if texts and arguments.text is None else None,
        inputs=given,
        files=FILES if any(row[FILES] for row in over) else None,
        text=over[0][TEXT] or None,
        template=without_blank_ends(body) or None,
        first_inputs={name: over[0].get(column) for name, column in given.items() if column != TEXT},
        left_out=tuple(left_out),
    )


def rows_of(arguments: Arguments, namespace: Mapping[str, Any]) -> list[tuple[Any, Row | None]]:
    """The rows of the table that `--over` names, with their labels; without it the one question.

    Raises:
        InputError: it is no table of rows, or an empty one.
    """
    from ..sweep.cases.rows import table

    if arguments.over is None:
        return [(0, None)]
    found = table(resolve(arguments.over, namespace))
    columns = [found.cells(name) for name in found.columns]
    cells = zip(*columns, strict=True) if columns else iter([()] * found.count)
    return [
        (label, Row(dict(zip(found.columns, values, strict=True))))
        for label, values in zip(found.labels(None), cells, strict=True)
    ]


def _check_names(body: str, namespace: Mapping[str, Any], row: Row) -> None:
    """A column is named through its row; whoever leaves that out is told how."""
    for placeholder in placeholders(body):
        if placeholder.name in row and placeholder.name not in namespace:
            message = t("magic.beside.column", name=placeholder.name)
            raise InputError(message, code="template", hint=t("magic.template.hint"))


def column_of(name: str) -> str:
    """The column of an input; it is the name of a column and of nothing else."""
    return f"-i {name}".replace("{", "(")


def _read(
    arguments: Arguments, body: str, namespace: dict[str, Any], apps: Mapping[str, KnownApp], row: Row | None
) -> tuple[str, dict[str, Any], list[Any] | None, tuple[str, ...]]:
    """The text, inputs and files of one row, and the columns that no app asks for."""
    if row is not None:
        arguments = with_columns(arguments, row)
    text = "" if arguments.as_inputs else body if arguments.no_vars else expand(body, namespace, first_line=2)
    files: list[Any] = []
    for name in arguments.files:
        source = expanded(name, arguments, namespace, "-f")
        files += find_files(as_input_error(replace(CELL, place=f"-f {name}"), sources_of, source))
    for app in apps.values():
        check_attachments(files, app.parameters)
    given = inputs_given(arguments, namespace, body)
    known = {name for app in apps.values() for name in app.controls}
    whole = all(app.whole for app in apps.values())
    left_out = tuple(name for name in given.row if whole and name not in known)
    inputs = {name: value for name, value in given.values.items() if name not in left_out}
    for name in inputs:
        if whole and name not in known:
            guess, listed = suggestion(name, list(known)), ", ".join(sorted(known)) or "–"
            raise InputError(t("magic.beside.unknown_input", name=name, suggestion=guess, known=listed), code="inputs")
    values = {name: value_for(name, value, apps) for name, value in inputs.items()}
    return without_blank_ends(text), values, files or None, left_out


def with_columns(arguments: Arguments, row: Row) -> Arguments:
    """`--inputs` with a JSON object: a text that is the name of a column is that column's cell."""
    given = arguments.inputs_from
    if not isinstance(given, dict):
        return arguments
    named = {name: row[value] if isinstance(value, str) and value in row else value for name, value in given.items()}
    return replace(arguments, inputs_from=named)


def value_for(name: str, value: Value, apps: Mapping[str, KnownApp]) -> Any:
    """A value as the apps' forms are to read it: what was typed for a file is that file.

    Raises:
        InputError: there is no such file, or an app takes no such one.
    """
    for app in apps.values():
        control = app.controls.get(name, {})
        if control.get("type") not in FILE_CONTROLS or value.value is None:
            continue
        files = as_input_error(CELL, fitted, name, control, value)
        if not isinstance(files, FileInput):
            return files
        files = replace(files, sources=tuple(find_files(files.sources)))
        check_input(name, as_input_error(CELL, counted, name, control, files).sources, control, app.parameters)
        return files.given
    return value.value
