"""Turns Python values into text for a question, or into JSON for an input; never a repr.

What has no faithful form is refused, so that nothing such as `<object at 0x…>` or an abbreviated
table is ever sent. In a question, a missing value (None, NaN, NaT, NA) inside lists, dicts and tables is
`null` or an empty cell; as a whole value it is refused, since a `None` in a question is nearly always a
mistake. In an input, None is null, and what stands for a number or a time that is missing is refused
wherever it stands, but for the cells of a table.

| value | as text | as JSON |
| --- | --- | --- |
| int, float, NumPy's numbers | as JSON writes them | a number |
| Decimal | its digits | a number, if a double keeps all its digits |
| datetime, date, time, Timestamp, datetime64 | ISO 8601 | the same text |
| timedelta, Timedelta, timedelta64 | ISO 8601 (`PT3601S`) | the same text |
| Enum | its value | its value |
| UUID, Path, Fraction | its text | the same text |
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections import UserString
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
from .invalid import Unserializable as Unserializable
from .tables import csv_of, is_table, module_of

_DIGITS = 4_000
"""Digits of the longest whole number; Python writes no more than 4,300."""

# Types of packages that need not be installed, whose `str` says all that they hold.
_WITH_TEXT = {
    ("numpy", "datetime64"),
    ("pandas", "Period"),
    ("pandas", "Interval"),
}
_BELOW_SECONDS = {"s": 0, "ms": 3, "us": 6, "ns": 9, "ps": 12, "fs": 15, "as": 18}
"""NumPy's units of time, and the digits that they have behind the seconds' point."""


def to_text(value: Any, limit: int = sys.maxsize, *, strict: bool = False) -> str:
    """The value as it goes into a question, or `strict` into an input.

    Strings as they are; numbers, booleans, lists, dicts, sets, dataclasses and models as
    JSON; tables as CSV; dates in ISO form; paths as text; a `Turn` as its answer.

    >>> to_text([1, "à", None])
    '[1, "à", null]'

    Raises:
        Unserializable: it has no faithful form, or that form is longer than `limit` characters.
    """
    value = unwrap(value)
    if is_table(value):
        text = _table(value, limit)
    else:
        plain = _whole(value, limit, strict=strict)
        if plain is None:
            raise Unserializable("missing", value)
        text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, allow_nan=False)
    if len(text) > limit:
        raise Unserializable("too_long", value, length=f"{len(text):,}")
    return text


def to_builtins(value: Any) -> Any:
    """The value in JSON's own types, for an input that is not text (json, checkbox, number); None is null.

    Raises:
        Unserializable: it has no faithful form, or a number or time in it is missing (NaN, NaT, NA).
    """
    value = unwrap(value)
    if is_table(value):
        return _table(value, sys.maxsize)
    return _whole(value, sys.maxsize, as_json=True, strict=True)


def number_of(value: Decimal, path: str = "") -> int | float:
    """The number that JSON carries, equal to the decimal: whole ones are whole.

    >>> number_of(Decimal("1E+3")), number_of(Decimal("10.50"))
    (1000, 10.5)

    Raises:
        Unserializable: it is infinite, has more than 4,000 digits, or digits that a double does not keep.
    """
    if not value.is_finite():
        raise Unserializable("infinite", value, path)
    if value.adjusted() >= _DIGITS:
        raise Unserializable("huge", value, path)
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= 0:
        return int(value)
    number = float(value)
    if math.isfinite(number) and Decimal(repr(number)) == value:
        return number
    if value == value.to_integral_value():
        return int(value)
    raise Unserializable("precision", value, path, kept=repr(number))


def _whole(value: Any, limit: int, *, as_json: bool = False, strict: bool = False) -> Any:
    try:
        return _plain(value, "", _Budget(limit, value, as_json=as_json, strict=strict), frozenset())
    except RecursionError:
        raise Unserializable("deep", value) from None


class _Budget:
    """Stops the conversion of something huge long before it is complete."""

    def __init__(self, limit: int, whole: Any, *, as_json: bool = False, strict: bool = False) -> None:
        self.left, self.whole = limit, whole
        self.as_json = as_json
        """Whether JSON is wanted, and not the words of a text."""
        self.strict = strict
        """Whether a number or a time that is missing is refused, and not null."""

    def spend(self, characters: int) -> None:
        self.left -= characters
        if self.left < 0:
            raise Unserializable("too_long", self.whole, length=_at_least(self.whole))


def _at_least(value: Any) -> str:
    try:
        return f"{len(value):,}+"
    except TypeError:
        return "…"


def unwrap(value: Any, path: str = "") -> Any:
    """A Turn as its answer, an enum's member as its value; everything else itself."""
    if isinstance(value, Turn):
        if not value.answer:
            raise Unserializable("no_answer", value, path, status=value.status)
        return value.answer
    while isinstance(value, Enum):
        value = value.value
    return value


def _plain(value: Any, path: str, budget: _Budget, parents: frozenset[int]) -> Any:
    """The value in JSON's types."""
    value = unwrap(value, path)
    if isinstance(value, str):
        budget.spend(len(value))
        return str.__str__(value)  # of a subclass its characters, whatever it prints
    budget.spend(1)
    if value is None or isinstance(value, bool):
        return value
    if is_missing(value):
        if budget.strict:
            raise Unserializable("missing", value, path)
        return None
    if isinstance(value, int | float | Decimal):
        return _number(value, path, as_json=budget.as_json)
    simple = _simple(value)
    if simple is not None:
        budget.spend(len(simple))
        return simple
    if id(value) in parents:
        raise Unserializable("cycle", value, path)
    inside = parents | {id(value)}
    fields = _fields(value)
    if fields is not None:
        return _object(fields, value, path, budget, inside)
    size = getattr(value, "size", 0) if module_of(value) in ("numpy", "pandas") else 0
    if isinstance(size, int) and size > budget.left:  # before millions of numbers are copied
        raise Unserializable("too_long", budget.whole, length=f"{size:,}+")
    items = _items(value)
    if items is not None:
        return [_plain(item, f"{path}[{i}]", budget, inside) for i, item in enumerate(items)]
    if module_of(value) == "numpy" and hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        scalar = value[()] if hasattr(value, "__array_finalize__") else value
        if type(scalar) is not type(value):  # an array of no dimension: the one thing in it
            return _plain(scalar, path, budget, inside)
        item = value.item()
        # A long double gives itself: Python has no number for it but a decimal.
        return _plain(Decimal(str(item)) if type(item) is type(value) else item, path, budget, inside)
    raise Unserializable(_why(value), value, path)


def _number(value: int | float | Decimal, path: str, *, as_json: bool) -> int | float | str:
    if isinstance(value, int):
        return _integer(value, path)
    if not (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)):
        raise Unserializable("infinite", value, path)
    if isinstance(value, float):
        return float(value)
    if as_json:
        return number_of(value, path)
    return format(value, "f") if -30 < value.adjusted() < 30 else str(value)


def _integer(value: int, path: str) -> int:
    value = int(value)
    if value.bit_length() > 13_000:  # Python refuses to write more than 4,300 digits
        raise Unserializable("huge", value, path)
    return value


def _simple(value: Any) -> str | None:
    """The text of a value that JSON has no type for but that has one accepted form."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        if getattr(value, "nanoseconds", 0):  # of pandas: finer than Python's own
            return str(value.isoformat())  # type: ignore[attr-defined]
        return str(msgspec.to_builtins(timedelta(value.days, value.seconds, value.microseconds)))
    if module_of(value) == "numpy" and type(value).__name__ == "timedelta64":
        return _duration(value)
    if isinstance(value, PurePath | UUID | Fraction | UserString):
        return str(value)
    if (module_of(value), type(value).__name__) in _WITH_TEXT:
        return str(value)
    return None


def _duration(value: Any) -> str | None:
    """A NumPy timedelta64 in ISO 8601; None where its unit has no place there."""
    if isinstance(item := value.item(), timedelta):
        return _simple(item)
    unit, step = sys.modules["numpy"].datetime_data(value.dtype)
    count = int(value.astype("int64")) * int(step)
    sign, count = "-" if count < 0 else "", abs(count)
    if unit in ("Y", "M"):
        return f"{sign}P{count}{unit}"
    digits = _BELOW_SECONDS.get(unit)
    if digits is None:
        return None
    whole, fraction = divmod(count, 10**digits)
    return f"{sign}PT{whole}" + (f".{fraction:0{digits}d}".rstrip("0") if fraction else "") + "S"


def is_missing(value: Any) -> bool:
    """None, NaN, NaT, pandas' NA and NumPy's masked: all are what is not there."""
    if value is None or type(value).__name__ in ("NAType", "MaskedConstant"):
        return True
    if isinstance(value, Decimal):
        return value.is_nan()  # a signalling one cannot even be compared
    if isinstance(value, float | datetime) or (module_of(value) in ("numpy", "pandas") and not _has_items(value)):
        try:
            return bool(value != value)
        except (TypeError, ValueError, ArithmeticError):
            return False
    return False


def _fields(value: Any) -> Mapping[Any, Any] | None:
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
    if module_of(value) == "numpy" and (named := getattr(getattr(value, "dtype", None), "names", None)):
        return None if value.ndim else {name: value[name] for name in named}
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
            raise Unserializable("same_key", whole, path, key=name)
        budget.spend(len(name))
        made[name] = _plain(item, f"{path}[{name!r}]", budget, parents)
    return made


def _key(key: Any, whole: Any, path: str) -> str:
    key = unwrap(key, path)
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int):
        return str(_integer(key, path))
    simple = None if is_missing(key) else _simple(key)
    if isinstance(key, Decimal) and key.is_finite():
        simple = str(_number(key, path, as_json=False))
    if simple is None and module_of(key) == "numpy" and isinstance(getattr(key, "item", lambda: None)(), int):
        simple = str(key.item())
    if simple is None:
        raise Unserializable("key", whole, path, key=type(key).__name__)
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
    if module_of(value) == "collections" and type(value).__name__ == "deque":
        return list(value)
    if type(value).__name__ in ("dict_keys", "dict_values", "dict_items"):
        return list(value)
    if module_of(value) in ("numpy", "pandas") and _has_items(value) and hasattr(value, "tolist"):
        return list(value) if _loses_items(value) else list(value.tolist())
    return None


def _has_items(value: Any) -> bool:
    """Whether it is an array of one dimension or more; what holds one item is still no scalar."""
    return bool(getattr(value, "ndim", 0))


def _loses_items(value: Any) -> bool:
    """Whether `tolist` forgets what an array's items are: it counts nanoseconds, and calls a masked item None."""
    return getattr(getattr(value, "dtype", None), "kind", "") in ("M", "m", "V") or hasattr(value, "mask")


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


def _table(value: Any, limit: int) -> str:
    def cell(item: Any, path: str) -> str:
        plain = _plain(item, path, _Budget(limit, item), frozenset())
        if plain is None:
            return ""
        return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, allow_nan=False)

    return csv_of(value, limit, cell)
