"""JSON as servers write it: NaN and Infinity are read as null, and what is no character as U+FFFD; the rest strictly.

A gateway that cuts bytes where it should cut characters leaves bytes that are no UTF-8, half an emoji (`\\ud83d`
alone), an escape that is none, or a control character as it is. Each costs itself: the text around it is read.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from math import isfinite
from typing import Any

import msgspec

MAX_DEPTH = 200
"""Lists and objects that may lie in one another; what is deeper no one means, and not everything can walk it."""

BAD = "\ufffd"
"""Stands for what is no character."""
_CESU_8 = re.compile(rb"\xed([\xa0-\xbf][\x80-\xbf])")  # halves of characters as bytes, as CESU-8 has them
_ESCAPES = re.compile(
    r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})'  # those of JSON
    r"|(\\(?:u[0-9a-fA-F\ufffd]{0,4}|\ufffd)?"  # what is left of one that was damaged
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f])"  # controls other than white space, which JSON has as escapes alone
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_CUT_BYTES = re.compile(  # bytes of a character that was cut where a text ends or begins
    rb'(?<!\\)((?:\\\\)*+)([\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})(?=")'
    rb'|(?<=")([\x80-\xbf]{1,3})'
)
_ESCAPED_BYTES = re.compile("(?<![\ud800-\udbff])[\udc80-\udcf4]+")


def loads(data: bytes) -> Any:
    """The value that JSON tells.

    Raises:
        ValueError: it is no JSON (`msgspec.DecodeError` is one).
        RecursionError: it is nested deeper than anyone means.
    """
    return read(data)[0]


def read(data: bytes) -> tuple[Any, int]:
    """The value that JSON tells, and how many of its characters were none; raises as `loads` does."""
    try:
        return msgspec.json.decode(data), 0
    except ValueError as problem:
        try:
            value, bad = raw_loads(data)
        except ValueError:
            raise problem from None
    value, halves = replace_surrogates(value)
    return value, bad + halves


def strict(data: bytes) -> bytes:
    """The same JSON as anyone reads it; what is no JSON stays as it is."""
    try:
        msgspec.json.decode(data)
    except ValueError:
        with suppress(ValueError, RecursionError):
            return msgspec.json.encode(loads(data))
    except RecursionError:
        pass  # whoever reads it says so
    return data


def raw_loads(data: bytes) -> tuple[Any, int]:
    """The value that JSON tells, with half characters where the escapes of one stand alone; and how much was no text.

    It takes several times as long as `msgspec.json.decode`, and is for what that refuses. Bytes of a character that was
    cut at an end of a text are told as Python's `surrogateescape` does it.

    Returns:
        the value, and the number of U+FFFD in it that stand for what came otherwise (halves are not counted).

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is nested deeper than anyone means.
    """
    text = _CUT_BYTES.sub(_as_escapes, _CESU_8.sub(_as_escape, data)).decode("utf-8", "replace")
    bad = text.count(BAD) - data.count(BAD.encode())
    text, mended = _without_bad_escapes(text)
    value = json.loads(text, strict=False, parse_constant=lambda _: None, parse_float=_finite_float)
    return value, bad + mended


def _finite_float(text: str) -> float | None:
    number = float(text)
    return number if isfinite(number) else None


def _as_escape(match: re.Match[bytes]) -> bytes:
    high, low = match[1]
    return b"\\u%04x" % (0xD000 | (high & 0x3F) << 6 | low & 0x3F)


def _as_escapes(match: re.Match[bytes]) -> bytes:
    lead, cut = match[1] or b"", match[2] or match[3]
    return lead + b"".join(b"\\udc%02x" % byte for byte in cut)


def _as_text(match: re.Match[str]) -> str:
    return match[0].encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _without_bad_escapes(text: str) -> tuple[str, int]:
    mended = 0

    def mend(match: re.Match[str]) -> str:
        nonlocal mended
        if match[1] is None:
            return match[0]
        mended += BAD not in match[1]  # that one is counted
        return BAD

    return _ESCAPES.sub(mend, text), mended


def without_surrogates(value: Any) -> Any:
    """JSON in which all text can be encoded: half a character, which Python's `json` lets pass, is U+FFFD."""
    return replace_surrogates(value)[0]


def replace_surrogates(value: Any) -> tuple[Any, int]:
    """JSON in which all text can be encoded, and how many halves of characters U+FFFD replaced."""
    if isinstance(value, str):
        if not _SURROGATE.search(value):
            return value, 0
        whole = _ESCAPED_BYTES.sub(_as_text, value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return whole, whole.count(BAD) - value.count(BAD)
    if isinstance(value, list):
        items = [replace_surrogates(item) for item in value]
        return [item for item, _ in items], sum(bad for _, bad in items)
    if isinstance(value, dict):
        pairs = [(replace_surrogates(name), replace_surrogates(item)) for name, item in value.items()]
        return {name[0]: item[0] for name, item in pairs}, sum(name[1] + item[1] for name, item in pairs)
    return value, 0


def check_depth(value: Any) -> Any:
    """The value itself, when it is nested no deeper than `MAX_DEPTH`.

    Raises:
        RecursionError: it is.
    """
    if not is_shallow(value):
        raise RecursionError(f"lists and objects lie more than {MAX_DEPTH} deep in one another")
    return value


def is_shallow(value: Any) -> bool:
    """Whether it is nested no deeper than `MAX_DEPTH`."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        if not level:
            break
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
    return not level
