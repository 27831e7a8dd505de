"""The answers of a map as columns: which ones, and what each row has. Pure but for pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from .. import console
from ..errors import InputError
from ..frames.texts import clean
from ..i18n import t
from ..printable import one_line
from .records import Answer, Outcome, State

if TYPE_CHECKING:
    import pandas as pd

EXACT = 2**53
"""Up to this a float keeps all whole numbers."""
ERROR = "error"
"""The column of reasons."""
ANSWER = "answer"
"""The output of apps that answer in text: all of it."""
_MOST = 100
"""Outputs that become columns where none were named: a server may give each row others."""
_FENCE = "```"
_LENGTH = 500
"""Characters of a reason."""


class Columns(msgspec.Struct, frozen=True):
    """The columns that a map adds: name -> the output that it is. None: what there is."""

    outputs: Mapping[str, str] | None = None


class Row(msgspec.Struct):
    """What one question came to."""

    values: dict[str, Any]
    """By output."""
    error: str | None = None


def columns(outputs: Any, taken: Sequence[str]) -> Columns:
    """What `outputs=` says.

    Args:
        taken: names of the table's own columns.

    Raises:
        InputError: it is no name or names, or the table has a column of such a name.
    """
    if outputs is None:
        names: Mapping[str, str] | None = None
    elif isinstance(outputs, str):
        names = {outputs: outputs}
    elif isinstance(outputs, Mapping):
        names = dict(outputs)
    elif isinstance(outputs, list | tuple):
        names = {name: name for name in outputs if isinstance(name, str)}
        if len(names) != len(outputs):
            raise InputError(t("sweep.map.outputs", value=one_line(repr(outputs), 80)), code="outputs")
    else:
        raise InputError(t("sweep.map.outputs", value=one_line(repr(outputs), 80)), code="outputs")
    if names is not None:
        if not names or not all(isinstance(text, str) and text for pair in names.items() for text in pair):
            raise InputError(t("sweep.map.outputs", value=one_line(repr(outputs), 80)), code="outputs")
        if ERROR in names:
            raise InputError(t("sweep.map.error_taken", name=ERROR), code="outputs", hint=t("sweep.map.rename_hint"))
    for name in [*(names or ()), ERROR]:
        if name in taken:
            said = t("sweep.map.taken", name=one_line(name, 80))
            hint = t("sweep.map.error_hint" if name == ERROR else "sweep.map.rename_hint")
            raise InputError(said, code="outputs", hint=hint)
    return Columns(names)


def row_of(
    state: State, outcome: Outcome | None, wanted: Columns, *, is_run: bool, not_run: str
) -> Row:
    """What a case gives its rows.

    Args:
        is_run: whether the app gives outputs by name instead of an answer.
        not_run: why cases were not asked, in words.
    """
    if state == "unknown":
        return Row({}, f"unknown: {t('sweep.map.unknown')}")
    if state == "not_run" or outcome is None:
        return Row({}, f"not_run: {not_run}")
    answer = outcome.answers[-1] if outcome.answers else None
    if state == "failed" or answer is None:
        code = outcome.error_code or (answer.error_code if answer is not None else None) or "failed"
        said = outcome.error or (answer.error if answer is not None else None) or ""
        return Row({}, one_line(f"{code}: {said}" if said else code, _LENGTH))
    found = answer.outputs if is_run and isinstance(answer.outputs, dict) else {}
    names = list(wanted.outputs.values()) if wanted.outputs is not None else list(found) if is_run else [ANSWER]
    if not is_run:
        found = texts_of(answer, names)
    values = {name: _cleaned(found[name]) for name in names if name in found}
    missing = [name for name in names if name not in found]
    if not missing:
        return Row(values)
    there = ", ".join(one_line(str(name), 40) for name in found if is_run or name != ANSWER)
    key = "no_output" if is_run else "no_json" if not there else "no_key"
    said = t(f"sweep.map.{key}", name=one_line(missing[0], 80), there=there or "-")
    return Row(values, one_line(f"no_output: {said}", _LENGTH))


def texts_of(answer: Answer, names: Sequence[str]) -> dict[str, Any]:
    """What a text gives: itself as `answer`, and the keys of the JSON object that it is."""
    found: dict[str, Any] = {}
    if any(name != ANSWER for name in names):
        found.update(json_object(answer.answer))
    return found | {ANSWER: answer.answer}


def json_object(text: str) -> dict[str, Any]:
    """The JSON object that a text is, alone or as one block of code; nothing where it is none.

    >>> json_object('```json\\n{"label": "complaint"}\\n```')
    {'label': 'complaint'}
    """
    text = text.strip()
    if text.startswith(_FENCE) and text.endswith(_FENCE) and len(text) > 2 * len(_FENCE):
        text = text[len(_FENCE) : -len(_FENCE)].partition("\n")[2].strip()
    if not text.startswith("{"):
        return {}
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _cleaned(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value


def added(
    rows: Sequence[Row], wanted: Columns, taken: Sequence[str], index: Any, *, is_run: bool
) -> dict[str, pd.Series[Any]]:
    """The new columns, in order; `error` is the last.

    Outputs that were not named and whose name the table has become `output_NAME`.
    """
    names = wanted.outputs
    if names is None:
        known = [ANSWER] if not is_run else list(dict.fromkeys(name for row in rows for name in row.values))
        names = {}
        if len(known) > _MOST:
            console.warn(t("sweep.map.many_outputs", count=f"{len(known):,}", most=_MOST), stacklevel=4)
        for name in known[:_MOST]:
            names[_free(name, {*taken, ERROR, *names})] = name
    columns = {name: series([row.values.get(output) for row in rows], index) for name, output in names.items()}
    return columns | {ERROR: series([row.error for row in rows], index, "string")}


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name = f"output_{name}"
    return name


def series(values: list[Any], index: Any, dtype: str | None = None) -> pd.Series[Any]:
    """A column with the dtype of the tables of `frames` that holds all values, missing ones missing; else objects."""
    import pandas as pd

    return pd.Series(values, index=index, dtype=dtype or dtype_of(values))


def dtype_of(values: Sequence[Any]) -> Any:
    """string, boolean, Int64, float64, or object where they are of several kinds, structures or too large.

    Whole numbers beside others are floats where a float keeps all their digits.
    """
    kinds = {type(value) for value in values if value is not None}
    if not kinds or kinds == {str}:
        return "string"
    if kinds == {bool}:
        return "boolean"
    if kinds == {int}:
        fits = all(-(2**63) <= value < 2**63 for value in values if value is not None)
        return "Int64" if fits else object
    exact = all(abs(value) <= EXACT for value in values if type(value) is int)
    return "float64" if kinds <= {int, float} and exact else object
