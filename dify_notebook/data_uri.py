"""Data in the place of an address (`data:image/png;base64,…`, RFC 2397): as text it is a word, never its letters."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

SHORT: Final = 100
"""Characters of data that are shown as they are."""

_TYPE = r"[a-z]{1,20}\\?/[a-z0-9.+-]{1,80}"
_START = r"(?:(?<![a-z0-9])|(?<=\\[nrt]))"  # behind an escape of JSON's too
HEAD = re.compile(
    rf"(?i){_START}data:(?=[a-z;])({_TYPE})?(?:;(?!base64,)[a-z0-9=._+-]{{1,80}}){{0,5}}(;base64)?,"
)
"""What stands before its letters: (type)(base64)."""
BEGUN = re.compile(rf"(?i){_START}d(?:a(?:t(?:a(?::[a-z0-9=._+;/\\-]{{0,500}})?)?)?)?$")
"""What may become one with more of the text."""
LONGEST_HEAD: Final = 600
"""Characters of a head at most, and more."""
# The last two: signs of what was damaged on its way, which are no end.
_BASE64 = re.compile(r"[A-Za-z0-9+/=_%\\-]*+(?:[\u26a0\ufffd]++[A-Za-z0-9+/=_%\\-]*+)*+")
_LINES = (64, 76)
"""Letters of the lines in which programs write base64 (RFC 7468, RFC 2045)."""
_FOLD = re.compile(r"\r?\n[ \t]{0,12}")
_LINE = re.compile(r"[A-Za-z0-9+/_-]{0,77}={0,2}")
_LAST_LINE = 20
"""Letters of a last line that nothing else shows to be one: more than a word has."""
UNDECIDED: Final = -1
"""Only more of the text will tell."""
_OTHER = re.compile(r"[A-Za-z0-9%._!$&:@?=+,;/#-]*+")


class Data(NamedTuple):
    """What stands in the place of an address."""

    kind: str
    """The type that it says it is: image/png; "" where it says none."""
    text: str
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
    parts, position = [], 0
    while match := HEAD.search(text, position):
        end = _whole(match, text, match.end())
        parts += [text[position : match.start()], made(match, text[match.end() : end]).text]
        position = end
    return "".join([*parts, text[position:]])


def run(head: re.Match[str], text: str, at: int, *, begin: bool = True) -> int:
    """Where the letters that stand there end.

    Args:
        begin: whether they are the first behind the head.
    """
    if begin and head[2] and text[at : at + 1] == " ":
        at += 1  # some write one behind the comma
    match = (_BASE64 if head[2] else _OTHER).match(text, at)
    assert match is not None  # it matches nothing too
    return match.end()


def fold(head: re.Match[str], text: str, at: int, line: int, *, ended: bool) -> int | None:
    """Where the letters go on behind the end of a line, in base64 that is written in lines.

    Args:
        at: where they ended.
        line: letters of that line.
        ended: whether nothing comes behind the text.

    Returns:
        the place; None where they do not go on; `UNDECIDED`.
    """
    if line not in _LINES or not head[2]:
        return None
    match = _FOLD.match(text, at)
    if match is None:
        return UNDECIDED if not ended and text[at:] == "\r" else None
    start = match.end()
    more = _LINE.match(text, start)
    assert more is not None  # it matches nothing too
    if more.end() == len(text) and not ended and len(more[0]) <= line:
        return UNDECIDED
    behind = text[more.end() : more.end() + 1]
    goes_on = len(more[0]) == line and not behind.isalnum()
    is_last = 0 < len(more[0]) < line and (
        behind in tuple(")\"'`<>]}") or (not behind.strip() and (more[0].endswith("=") or len(more[0]) >= _LAST_LINE))
    )
    return start if goes_on or is_last else None


def _whole(head: re.Match[str], text: str, at: int) -> int:
    """Where all the letters end that stand there."""
    end = run(head, text, at)
    while (next_line := fold(head, text, end, end - at, ended=True)) is not None:
        at, end = next_line, run(head, text, next_line, begin=False)
    return end


def made(head: re.Match[str], letters: str) -> Data:
    data = counted(head, len("".join(letters.split()).rstrip("=")))
    return data if len(letters) > SHORT else data._replace(text=head[0] + letters)


def counted(head: re.Match[str], letters: int) -> Data:
    """Of so many letters without the signs that fill up base64."""
    count = letters * 3 // 4 if head[2] else letters
    return Data((head[1] or "").replace("\\", "").lower(), f"{head[0]}\u2026 ({size(count)})", count)


