"""Data in the place of an address (`data:image/png;base64,…`, RFC 2397): a picture, or a word; never its letters.

`bounded` is for text that is shown as it is. `Pictures` is for markdown that grows: it puts a mark of two characters
in the place of each, so that no parser ever reads the letters, and knows what the mark stands for.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from typing import Final, NamedTuple
from urllib.parse import unquote

from . import limits

SHORT: Final = 100
"""Characters of data that are shown as they are."""
MARK: Final = "\ufdd0"
"""Begins a mark. It is no character, so `glyphs` has taken it out of every text before."""

_FIRST = 0xE000
COMING: Final = MARK + chr(_FIRST)
"""The mark at a text's end that stands for more and more, as long as letters come."""

_MOST = 6_000
_TYPE = r"[a-z]{1,20}\\?/[a-z0-9.+-]{1,80}"
_START = r"(?:(?<![a-z0-9])|(?<=\\[nrt]))"  # behind an escape of JSON's too
_HEAD = re.compile(
    rf"(?i){_START}data:(?=[a-z;])({_TYPE})?(?:;(?!base64,)[a-z0-9=._+-]{{1,80}}){{0,5}}(;base64)?,"
)
_BEGUN = re.compile(rf"(?i){_START}d(?:a(?:t(?:a(?::[a-z0-9=._+;/\\-]{{0,500}})?)?)?)?$")
_LONGEST_HEAD = 600
# The last two: signs of what was damaged on its way, which are no end.
_BASE64 = re.compile(r"[A-Za-z0-9+/=_%\\-]*+(?:[\u26a0\ufffd]++[A-Za-z0-9+/=_%\\-]*+)*+")
_OTHER = re.compile(r"[A-Za-z0-9%._!$&:@?=+,;/#-]*+")
_URL_SAFE = str.maketrans("-_", "+/")
_MARKS = re.compile(f"{MARK}(.?)", re.DOTALL)


class Data(NamedTuple):
    """What stands in the place of an address."""

    kind: str
    """The type that it says it is: image/png; "" where it says none."""
    told: str
    """As text: short ones as they came, of long ones the beginning and the size."""
    size: int
    """Bytes, as far as the letters that have come tell."""
    source: str = ""
    """The address of the picture that it is, written anew; "" for all that is shown as words."""

    def named(self) -> str:
        """Type and size."""
        return f"{self.kind or 'data'} \u00b7 {size(self.size)}"


def size(count: int) -> str:
    """Bytes for people: 900 B, 12 kB, 3.4 MB."""
    if count < 1_000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1_000:.0f} kB"
    return f"{count / 1_000_000:.1f} MB"


def bounded(text: str) -> str:
    """The text with a word in the place of long data.

    >>> bounded("see data:image/png;base64," + "A" * 4_000 + ".")
    'see data:image/png;base64,… (3 kB).'
    """
    if "ata:" not in text and "ATA:" not in text:
        return text
    out, at = [], 0
    while found := _HEAD.search(text, at):
        end = _run(found, text, found.end())
        out += [text[at : found.start()], _data(found, text[found.end() : end]).told]
        at = end
    return "".join([*out, text[at:]])


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
        self._last: Data | None = None  # what the text has ended with

    def take(self, fresh: str) -> str:
        """What of the text is decided: with marks in the place of data."""
        out, at = [], 0
        if self._head is not None:
            at = _run(self._head, fresh, 0)
            self._letters.append(fresh[:at])
            self._count += at
            if at == len(fresh):
                return ""
            out.append(self._close())
            text = fresh
        else:
            text, at = self._before + self._held + fresh, len(self._before)
        self._held = ""
        while found := _HEAD.search(text, at):
            out.append(text[at : found.start()])
            at = _run(found, text, found.end())
            self._head, self._letters, self._count = found, [text[found.end() : at]], at - found.end()
            if at == len(text):
                return "".join(out)
            out.append(self._close())
        begun = _BEGUN.search(text, max(at, len(text) - _LONGEST_HEAD))
        cut = begun.start() if begun else len(text)
        self._held, self._before = text[cut:], text[:cut][-2:]
        return "".join([*out, text[at:cut]])

    def rest(self, *, ended: bool = False) -> str:
        """The end of the text as it has to be shown now: for good where it has ended, else though more may come."""
        if self._head is None:
            return self._held
        if ended:
            self._last = self._made(self._head, "".join(self._letters))
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
            return _counted(self._head, self._count)
        if at == len(self._known) + 1:
            return self._last
        return self._known[at - 1] if 0 < at <= len(self._known) else None

    def told(self, text: str) -> str:
        """The text with words in the place of the marks."""
        return _MARKS.sub(self._told, text) if MARK in text else text

    def _told(self, found: re.Match[str]) -> str:
        data = self.find(found[0])
        return f"\ufffd{found[1]}" if data is None else data.told

    def _close(self) -> str:
        assert self._head is not None
        data = self._made(self._head, "".join(self._letters))
        self._head, self._letters = None, []
        if len(self._known) == _MOST:
            return data.told
        self._shown += data.size if data.source else 0
        self._known.append(data)
        return MARK + chr(_FIRST + len(self._known))

    def _made(self, head: re.Match[str], letters: str) -> Data:
        data = _data(head, letters)
        if data.kind.startswith("image/") and data.size <= limits.PICTURE_BYTES:
            source = picture_source(_decoded(letters))
            if source and self._shown + data.size <= limits.PICTURES_BYTES:
                return data._replace(source=source)
        return data


def _run(head: re.Match[str], text: str, at: int) -> int:
    """Where the letters that begin there end."""
    found = (_BASE64 if head[2] else _OTHER).match(text, at)
    assert found is not None  # it matches nothing too
    return found.end()


def _data(head: re.Match[str], letters: str) -> Data:
    data = _counted(head, len(letters.rstrip("=")))
    return data if len(letters) > SHORT else data._replace(told=head[0] + letters)


def _counted(head: re.Match[str], letters: int) -> Data:
    """Of so many letters without the signs that fill up base64."""
    count = letters * 3 // 4 if head[2] else letters
    return Data((head[1] or "").replace("\\", "").lower(), f"{head[0]}\u2026 ({size(count)})", count)


def _decoded(letters: str) -> bytes:
    """The bytes of base64, of that for addresses too; none where a letter of it is another."""
    plain = unquote(letters).replace("\\/", "/").translate(_URL_SAFE).rstrip("=")
    try:
        return b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        return b""
