"""Detects the encoding of a file, or that it is no text, by its first bytes."""

from __future__ import annotations

import codecs
import io

SAMPLE = 1 << 20
"""Bytes that the detection reads."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # it begins as UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
FILE_SIGNATURES = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "sheet"),
    (b"BZh", "packed"),
    (b"\xfd7zXZ\x00", "packed"),
    (b"\x28\xb5\x2f\xfd", "packed"),
    (b"7z\xbc\xaf\x27\x1c", "packed"),
    (b"Rar!", "packed"),
    (b"SQLite format 3\x00", "sqlite"),
    (b"%PDF", "pdf"),
)
"""Magic numbers of files that are no text, and what they are."""
_SHEETS = (b"[Content_Types].xml", b"_rels/", b"xl/", b"docProps/", b"mimetype")
"""Names of the first file within a zip archive that is a spreadsheet."""


def is_encoding(name: object) -> bool:
    """Whether it is the name of an encoding in which Python reads text."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=name)  # type: ignore[arg-type]  # what is no text is a TypeError
    except (LookupError, ValueError, TypeError):
        return False
    return True


def detect_encoding(sample: bytes) -> str | None:
    """The encoding of a text by its beginning; None where it is not certain.

    By its byte order mark; UTF-8; UTF-16 without a mark, where the first character is ASCII; and GB 18030 (with GBK and
    GB 2312), where nearly all that is not ASCII is Chinese as it is commonly written.
    """
    for mark, name in _BOMS:
        if sample.startswith(mark):
            return name
    if len(sample) > 3 and bool(sample[0]) != bool(sample[1]) and sample[0:2] != sample[2:4]:
        name = "utf-16-le" if sample[0] else "utf-16-be"
        if _decodes(sample, name):
            return name
    if _decodes(sample, "utf-8"):
        return "utf-8"
    return "gb18030" if _is_chinese(sample) else None


def unsupported_type(sample: bytes) -> str | None:
    """The type of a file that is not read (`zip`, `sheet`, `packed`, `sqlite`, `pdf`, `html`) or None."""
    if sample.startswith(b"PK"):
        return "sheet" if sample[30:].startswith(_SHEETS) else "zip"
    for beginning, kind in FILE_SIGNATURES:
        if sample.startswith(beginning):
            return kind
    start = sample[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return "html" if start.startswith((b"<!doctype", b"<html", b"<table", b"<?xml", b"<meta", b"<head")) else None


def _decodes(sample: bytes, encoding: str) -> bool:
    """Whether it is text in that encoding; its last character may be cut off."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _is_chinese(sample: bytes) -> bool:
    """Whether GB 18030 makes Chinese of it, and not the characters that bytes of other encodings come out as.

    Of the Chinese characters at least four in five are of GB 2312's first level (rows 16 to 55, the common ones):
    Western letters come out as rare ones. One in ten lies beyond row 40, where Korean has none. Japanese has kana.
    """
    if not _decodes(sample, "gb18030") or _is_mixed(sample):
        return False
    text = codecs.getincrementaldecoder("gb18030")().decode(sample)
    if any("\u3041" <= char <= "\u30fa" for char in text):
        return False
    characters = [char for char in text if "\u3400" <= char <= "\u9fff" or "\ue000" <= char <= "\uf8ff"]
    rows = [char.encode("gb18030")[:2] for char in characters]
    common = sum(0xB0 <= row[0] <= 0xD7 and row[1] >= 0xA1 for row in rows)
    behind = sum(0xC9 <= row[0] <= 0xD7 and row[1] >= 0xA1 for row in rows)
    return len(rows) >= 2 and common * 5 >= len(rows) * 4 and behind * 10 >= len(rows)


def _is_mixed(sample: bytes) -> bool:
    """Whether one in ten of the lines that are not ASCII is UTF-8, as in concatenated files."""
    lines = [line for line in sample.splitlines() if not line.isascii()]
    return 10 * sum(_decodes(line, "utf-8") for line in lines) >= len(lines)
