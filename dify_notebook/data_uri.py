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
_OTHER = re.compile(r"[A-Za-z0-9%._!$&:@?=+,;/#-]*+")


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
    while found := HEAD.search(text, at):
        end = run(found, text, found.end())
        out += [text[at : found.start()], made(found, text[found.end() : end]).told]
        at = end
    return "".join([*out, text[at:]])


def run(head: re.Match[str], text: str, at: int, *, begin: bool = True) -> int:
    """Where the letters that stand there end.

    Args:
        begin: whether they are the first behind the head.
    """
    if begin and head[2] and text[at : at + 1] == " ":
        at += 1  # some write one behind the comma
    found = (_BASE64 if head[2] else _OTHER).match(text, at)
    assert found is not None  # it matches nothing too
    return found.end()


def made(head: re.Match[str], letters: str) -> Data:
    data = counted(head, len(letters.rstrip("=")))
    return data if len(letters) > SHORT else data._replace(told=head[0] + letters)


def counted(head: re.Match[str], letters: int) -> Data:
    """Of so many letters without the signs that fill up base64."""
    count = letters * 3 // 4 if head[2] else letters
    return Data((head[1] or "").replace("\\", "").lower(), f"{head[0]}\u2026 ({size(count)})", count)


