"""Turns Python values into text for a question: JSON, CSV, ISO dates; never a repr.

What has no faithful text form is refused, so that nothing such as `<object at 0x…>` or an
abbreviated table is ever sent. Inside lists, dicts and tables a missing value (None, NaN,
NaT, NA) is `null` or an empty cell; as a whole value it is refused, since a `None` in a
question is nearly always a mistake.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from typing import Any
from uuid import UUID

import msgspec

from ..turn.state import Turn

# Types of packages that need not be installed, whose `str` says all that they hold.
_WITH_TEXT = {
    ("numpy", "datetime64"),
    ("numpy", "timedelta64"),
    ("pandas", "Period"),
    ("pandas", "Interval"),
}


class Unfit(Exception):
    """A value that cannot become text.

    Attributes:
        reason: last part of the sentence's key, such as `unsupported` or `too_long`.
        path: where inside the value it is, such as `["rows"][3]`; empty for the value itself.
    """

    def __init__(self, reason: str, value: object, path: str = "", /, **values: object) -> None:
        super().__init__(reason)
        self.reason, self.value, self.path, self.values = reason, value, path, values


def to_text(value: Any, limit: int = sys.maxsize) -> str:
    """The value as it goes into a question.

    Strings as they are; numbers, booleans, lists, dicts, sets, dataclasses and models as
    JSON; tables as CSV; dates in ISO form; paths as text; a `Turn` as its answer.

    >>> to_text([1, "à", None])
    '[1, "à", null]'

    Raises:
        Unfit: it has no faithful form, or that form is longer than `limit` characters.
    """
    value = _unwrap(value, "")
    if _is_table(value):
        text = _table(value, limit)
    else:
        plain = _whole(value, limit)
        if plain is None:
            raise Unfit("missing", value)
        text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, allow_nan=False)
    if len(text) > limit:
        raise Unfit("too_long", value, length=f"{len(text):,}")
    return text


def to_builtins(value: Any) -> Any:
    """The value in JSON's own types, for an input that is not text (json, checkbox, number).

    Raises:
        Unfit: it has no faithful form.
    """
    value = _unwrap(value, "")
    if _is_table(value):
        return _table(value, sys.maxsize)
    return _whole(value, sys.maxsize)


def _whole(value: Any, limit: int) -> Any:
    try:
        return _plain(value, "", _Budget(limit, value), frozenset())
    except RecursionError:
        raise Unfit("deep", value) from None


class _Budget:
    """Stops the conversion of something huge long before it is complete."""

    def __init__(self, limit: int, whole: Any) -> None:
        self.left, self.whole = limit, whole

    def spend(self, characters: int) -> None:
        self.left -= characters
        if self.left < 0:
            raise Unfit("too_long", self.whole, length=_at_least(self.whole))


def _at_least(value: Any) -> str:
    try:
        return f"{len(value):,}+"
    except TypeError:
        return "…"


def _unwrap(value: Any, path: str) -> Any:
    """A Turn as its answer, an enum's member as its value; everything else itself."""
    if isinstance(value, Turn):
        if not value.answer:
            raise Unfit("no_answer", value, path, status=value.status)
        return value.answer
    while isinstance(value, Enum):
        value = value.value
    return value


def _plain(value: Any, path: str, budget: _Budget, parents: frozenset[int]) -> Any:
    """The value in JSON's types."""
    value = _unwrap(value, path)
    if isinstance(value, str):
        budget.spend(len(value))
        return str(value)
    budget.spend(1)
    if value is None or isinstance(value, bool):
        return value
    if _is_missing(value):
        return None
    if isinstance(value, int):
        return _integer(value, path)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Unfit("infinite", value, path)
        return float(value)
    simple = _simple(value)
    if simple is not None:
        budget.spend(len(simple))
        return simple
    if id(value) in parents:
        raise Unfit("cycle", value, path)
    inside = parents | {id(value)}
    fields = _fields(value, path)
    if fields is not None:
        return _object(fields, value, path, budget, inside)
    size = getattr(value, "size", 0) if _module(value) in ("numpy", "pandas") else 0
    if isinstance(size, int) and size > budget.left:  # before millions of numbers are copied
        raise Unfit("too_long", budget.whole, length=f"{size:,}+")
    items = _items(value)
    if items is not None:
        return [_plain(item, f"{path}[{i}]", budget, inside) for i, item in enumerate(items)]
    if _module(value) == "numpy" and hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return _plain(value.item(), path, budget, inside)
    raise Unfit(_why(value), value, path)


def _integer(value: int, path: str) -> int:
    value = int(value)
    if value.bit_length() > 13_000:  # Python refuses to write more than 4,300 digits
        raise Unfit("huge", value, path)
    return value


def _simple(value: Any) -> str | None:
    """The text of a value that JSON has no type for but that has one accepted form."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(msgspec.to_builtins(timedelta(seconds=value.total_seconds())))  # pandas' too
    if isinstance(value, Decimal):
        return format(value, "f") if -30 < value.adjusted() < 30 else str(value)
    if isinstance(value, PurePath | UUID | Fraction):
        return str(value)
    if (_module(value), type(value).__name__) in _WITH_TEXT:
        return str(value)
    return None


def _is_missing(value: Any) -> bool:
    """None, NaN, NaT and pandas' NA: all are what is not there."""
    if value is None or type(value).__name__ == "NAType":
        return True
    if isinstance(value, float | datetime | Decimal) or _module(value) in ("numpy", "pandas"):
        try:
            return bool(value != value)
        except (TypeError, ValueError, ArithmeticError):
            return False
    return False


def _fields(value: Any, path: str) -> Mapping[Any, Any] | None:
    """The parts of something that is a JSON object; None for everything else."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, type):
        return None
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return dict(value._asdict())
    if hasattr(type(value), "model_dump") and hasattr(type(value), "model_fields"):
        return dict(value.model_dump())
    if hasattr(type(value), "__attrs_attrs__"):
        return {field.name: getattr(value, field.name) for field in type(value).__attrs_attrs__}
    return None


def _object(
    fields: Mapping[Any, Any], whole: Any, path: str, budget: _Budget, parents: frozenset[int]
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, item in fields.items():
        name = _key(key, whole, path)
        if name in made:
            raise Unfit("same_key", whole, path, key=name)
        budget.spend(len(name))
        made[name] = _plain(item, f"{path}[{name!r}]", budget, parents)
    return made


def _key(key: Any, whole: Any, path: str) -> str:
    key = _unwrap(key, path)
    if isinstance(key, str):
        return str(key)
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int):
        return str(_integer(key, path))
    simple = None if _is_missing(key) else _simple(key)
    if simple is None and _module(key) == "numpy" and isinstance(getattr(key, "item", lambda: None)(), int):
        simple = str(key.item())
    if simple is None:
        raise Unfit("key", whole, path, key=type(key).__name__)
    return simple


def _items(value: Any) -> Iterable[Any] | None:
    """The items of something that is a JSON list; None for everything else."""
    if isinstance(value, bytes | bytearray | memoryview):
        return None
    if isinstance(value, Set):
        try:
            return sorted(value)  # a set has no order; a sent text should have one
        except TypeError:
            return list(value)
    if isinstance(value, Sequence):
        return value
    if _module(value) == "collections" and type(value).__name__ == "deque":
        return list(value)
    if type(value).__name__ in ("dict_keys", "dict_values", "dict_items"):
        return list(value)
    if _module(value) in ("numpy", "pandas") and getattr(value, "ndim", None) and hasattr(value, "tolist"):
        return list(value.tolist())
    return None


def _module(value: Any) -> str:
    return type(value).__module__.partition(".")[0]


def _why(value: Any) -> str:
    """Which sentence fits a value that is refused."""
    if isinstance(value, bytes | bytearray | memoryview):
        return "bytes"
    if isinstance(value, Iterator):
        return "iterator"
    if callable(value):
        return "callable"
    if type(value).__name__ == "Secret":
        return "secret"
    return "unsupported"


# Tables ---------------------------------------------------------------------------------


def _is_table(value: Any) -> bool:
    return _module(value) in ("pandas", "polars") and type(value).__name__ in ("DataFrame", "Series")


def _table(value: Any, limit: int) -> str:
    """A DataFrame or Series as CSV, every row and column of it, one line each.

    A pandas index is kept unless it merely counts the rows.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    header, rows = (_pandas if _module(value) == "pandas" else _polars)(value)
    writer.writerow(header)
    for number, row in enumerate(rows):
        writer.writerow(_cell(cell, f"[{number}]", limit) for cell in row)
        if out.tell() > limit:
            raise Unfit("too_long", value, length=f"{len(value):,} × {len(header)}")
    return out.getvalue()


def _pandas(value: Any) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    frame = value if type(value).__name__ == "DataFrame" else value.to_frame()
    columns = [_label(column) for column in frame.columns]
    if type(value).__name__ == "Series" and value.name is None:
        columns = ["value"]
    index = frame.index
    plain = type(index).__name__ == "RangeIndex" and index.name is None
    if plain and index.start == 0 and index.step == 1:
        return columns, frame.itertuples(index=False, name=None)
    names = [_label(name) if name is not None else "" for name in index.names]
    if len(names) == 1:
        return names + columns, frame.itertuples(index=True, name=None)
    return names + columns, ((*row[0], *row[1:]) for row in frame.itertuples(index=True, name=None))


def _polars(value: Any) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    frame = value if type(value).__name__ == "DataFrame" else value.to_frame()
    return [column or "value" for column in frame.columns], frame.iter_rows()


def _label(label: Any) -> str:
    return ".".join(_label(part) for part in label) if isinstance(label, tuple) else str(label)


def _cell(value: Any, path: str, limit: int) -> str:
    plain = _plain(value, path, _Budget(limit, value), frozenset())
    if plain is None:
        return ""
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, allow_nan=False)
