"""A summary of a CSV file: its columns, what is in them, and their numbers."""

from __future__ import annotations

import csv
import io
import math
import statistics
from pathlib import Path
from typing import Any

MAX_BYTES = 15 * 1024 * 1024
MAX_ROWS = 200_000
MAX_COLUMNS = 200


class NotATable(ValueError):
    """The file is no table that can be read; the message says why, in English."""


def summary(path: Path, name: str) -> dict[str, Any]:
    """Columns with type, missing and distinct values, and least, mean and largest of numbers.

    Raises:
        NotATable: too large, empty, or not text.
        OSError: the file cannot be read.
    """
    if path.stat().st_size > MAX_BYTES:
        raise NotATable(f"the file is larger than {MAX_BYTES // 1024 // 1024} MB")
    text = _text(path.read_bytes())
    if not text.strip():
        raise NotATable("the file is empty")
    if "\x00" in text:
        raise NotATable("the file is not text")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        header = [title.strip() or f"column {at}" for at, title in enumerate(next(rows), start=1)]
        if len(header) > MAX_COLUMNS:
            raise NotATable(f"the file has more than {MAX_COLUMNS} columns")
        columns: list[list[str]] = [[] for _ in header]
        count = uneven = 0
        for row in rows:
            if not row:
                continue
            count += 1
            if count > MAX_ROWS:
                raise NotATable(f"the file has more than {MAX_ROWS:,} rows")
            uneven += len(row) != len(header)
            for at, column in enumerate(columns):
                column.append(row[at].strip() if at < len(row) else "")
    except csv.Error as error:
        raise NotATable(str(error)) from None
    described = [_column(title, values) for title, values in zip(header, columns, strict=True)]
    return {"file": name, "rows": count, "uneven_rows": uneven, "columns": described}


def _text(raw: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise NotATable("the file is not text")


def _delimiter(text: str) -> str:
    """The character that cuts the first lines into most columns, evenly."""
    lines = [line for line in text.splitlines()[:20] if line.strip()]

    def worth(character: str) -> tuple[int, int]:
        counts = [line.count(character) for line in lines]
        return (min(counts), sum(counts))

    return max((",", "\t", ";", "|"), key=worth)


def _column(title: str, values: list[str]) -> dict[str, Any]:
    present = [value for value in values if value]
    described: dict[str, Any] = {
        "name": title,
        "type": "text",
        "missing": len(values) - len(present),
        "distinct": len(set(present)),
    }
    numbers = [_number(value) for value in present]
    if present and all(number is not None for number in numbers):
        real = [number for number in numbers if number is not None]
        described["type"] = "number"
        described["min"], described["max"] = min(real), max(real)
        described["mean"] = round(statistics.fmean(real), 6)
        described["median"] = round(statistics.median(real), 6)
    return described


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
