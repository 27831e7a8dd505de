"""The pictures that an answer's text itself holds (`data:image/png;base64,…`).

In markdown that grows, a mark of two characters stands in the place of data, so that no parser ever reads its letters;
what the mark stands for is shown as the picture that it is, or as a word.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from typing import Final
from urllib.parse import unquote

from ..data_uri import BEGUN, HEAD, LONGEST_HEAD, SHORT, UNDECIDED, Data, counted, fold, made, run
from . import limits

MARK: Final = "\ufdd0"
"""Begins a mark. It is no character, so `glyphs` has taken it out of every text before."""

_FIRST = 0xE000
COMING: Final = MARK + chr(_FIRST)
"""The mark at a text's end that stands for more and more, as long as letters come."""

_MAX_PICTURES = 6_000
_URL_SAFE = str.maketrans("-_", "+/")
_MARKS = re.compile(f"{MARK}(.?)", re.DOTALL)


def picture_type(data: bytes | None) -> str:
    """The type of an image by its first bytes; "" for all that is not png, jpeg, gif or webp."""
    if not data:
        return ""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return ""


def picture_source(data: bytes | None) -> str:
    """A picture as an address; "" for what is none that is shown."""
    kind = picture_type(data)
    return f"data:{kind};base64,{b64encode(data).decode('ascii')}" if kind and data else ""


class Pictures:
    """The data of one text that grows. What it gives depends on the text alone, and each letter is read once."""

    def __init__(self) -> None:
        self._known: list[Data] = []
        self._shown = 0
        self._before = ""  # the last two characters that were given
        self._held = ""  # what may be the beginning of one
        self._head: re.Match[str] | None = None
        self._letters: list[str] = []
        self._count = 0
        self._line = 0  # letters of the present line
        self._last: Data | None = None  # what the text has ended with

    def take(self, fresh: str, *, ended: bool = False) -> str:
        """The text that is decided (all of it where it has ended), with marks in the place of data."""
        out, at = [], 0
        if self._head is not None:
            text = self._held + fresh
            at = self._read(text, 0, ended)
            if at < 0:
                return ""
            out.append(self._close())
        else:
            text, at = self._before + self._held + fresh, len(self._before)
        self._held = ""
        while match := HEAD.search(text, at):
            out.append(text[at : match.start()])
            self._head, self._letters, self._count, self._line = match, [], 0, 0
            at = self._read(text, match.end(), ended)
            if at < 0:
                return "".join(out)
            out.append(self._close())
        beginning = BEGUN.search(text, max(at, len(text) - LONGEST_HEAD))
        cut = beginning.start() if beginning else len(text)
        self._held, self._before = text[cut:], text[:cut][-2:]
        return "".join([*out, text[at:cut]])

    def _read(self, text: str, at: int, ended: bool) -> int:
        """Take the letters that stand there; where they end, or -1 where more may come."""
        assert self._head is not None
        while True:
            end = run(self._head, text, at, begin=self._count == 0)
            self._letters.append(text[at:end])
            self._count += end - at
            self._line += end - at
            folded = fold(self._head, text, end, self._line, ended=ended) if end < len(text) else UNDECIDED
            if folded is None:
                return end
            if folded == UNDECIDED:
                self._held = text[end:]
                return -1
            at, self._line = folded, 0

    def rest(self, *, ended: bool = False) -> str:
        """The end of the text as it has to be shown now: for good where it has ended, else though more may come."""
        if self._head is None:
            return self._held
        if ended:
            self._last = self._make_data(self._head, "".join(self._letters))
            return MARK + chr(_FIRST + len(self._known) + 1)
        if self._count > SHORT:
            return COMING
        return self._head[0] + "".join(self._letters)

    def find(self, address: str) -> Data | None:
        """What a mark stands for, where the address is one."""
        if len(address) != 2 or address[0] != MARK:
            return None
        at = ord(address[1]) - _FIRST
        if at == 0 and self._head is not None:
            return counted(self._head, self._count)
        if at == len(self._known) + 1:
            return self._last
        return self._known[at - 1] if 0 < at <= len(self._known) else None

    def replace_marks(self, text: str) -> str:
        """The text with words in the place of the marks."""
        return _MARKS.sub(self._replacement, text) if MARK in text else text

    def _replacement(self, match: re.Match[str]) -> str:
        data = self.find(match[0])
        return f"\ufffd{match[1]}" if data is None else data.text

    def _close(self) -> str:
        assert self._head is not None
        data = self._make_data(self._head, "".join(self._letters))
        self._head, self._letters = None, []
        if len(self._known) == _MAX_PICTURES:
            return data.text
        self._shown += data.size if data.source else 0
        self._known.append(data)
        return MARK + chr(_FIRST + len(self._known))

    def _make_data(self, head: re.Match[str], letters: str) -> Data:
        data = made(head, letters)
        if data.kind.startswith("image/") and data.size <= limits.PICTURE_BYTES:
            source = picture_source(_decoded(letters))
            if source and self._shown + data.size <= limits.PICTURES_BYTES:
                return data._replace(source=source)
        return data


def _decoded(letters: str) -> bytes:
    """The bytes of base64, of that for addresses too; none where a letter of it is another."""
    plain = "".join(unquote(letters).replace("\\n", "").replace("\\/", "/").split()).translate(_URL_SAFE).rstrip("=")
    try:
        return b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        return b""
