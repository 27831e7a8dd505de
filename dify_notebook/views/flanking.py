"""Whether a run of `*` or `~` may begin or end emphasis beside Chinese, Japanese and Korean.

CommonMark asks what stands on both sides of a run: a stop inside and a letter outside mean that it ends nothing. That
is right where words stand apart. Where they do not, `**注意：**请` would show its stars, and the next run would make
bold what lies between. So the rule of the proposal "CommonMark CJK-friendly" (github.com/tats-u/markdown-cjk-friendly)
holds: full-width punctuation counts as a letter, and other punctuation may stand between a run and a letter of these
scripts. Signs that all scripts share (“ ” … —) are full-width where a letter of these stands behind them. Where no such
letter stands beside a run, it is read as CommonMark says. A star alone is a sign of formulas and names of files too
(`单价*(1+税率)*数量`, `删除*.log和*.tmp`): the rule lets it begin emphasis between two characters of these scripts.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple
from unicodedata import category, east_asian_width

_CHAIN = 4
"""Signs in a row that all scripts share (……”) up to the letter that says whose they are."""

_NEUTRAL = (range(0x1160, 0x1200), range(0xD7B0, 0xD800))
"""Letters of Hangul that UAX 11 calls neutral: the later parts of syllables that are written in parts."""


class Side(NamedTuple):
    """What stands on one side of a run."""

    space: bool
    """White space, or the end of the text."""
    punctuation: bool
    """Punctuation or a symbol, as CommonMark 0.31 sees it."""
    cjk: bool
    """Of Chinese, Japanese or Korean writing."""
    strict_punctuation: bool
    """Punctuation alone, which is all that versions before 0.31 see."""


class Flanks(NamedTuple):
    """What a run may do."""

    opens: bool
    closes: bool


_END = Side(True, False, False, False)


def side(text: str, at: int, step: int, limit: int) -> Side:
    """The side of a run: the character at `at`, and where need be those behind it in the direction of `step`."""
    if not 0 <= at < limit:
        return _END
    character = text[at]
    if character < "\x80":
        return Side(character.isspace(), category(character)[0] in "PS", False, category(character)[0] in "PS")
    if step < 0 and at and _selects(character) and is_cjk(text[at - 1]):
        character = text[at - 1]
    kind = category(character)
    cjk = is_cjk(character)
    if not cjk and kind[0] == "P" and east_asian_width(character) == "A":
        cjk = _of_cjk(text, at, step, limit)
    return Side(kind == "Zs", kind[0] in "PS", cjk, kind[0] == "P")


def flanks(before: Side, after: Side, *, alone: bool = False) -> Flanks:
    """What the run between them may do.

    Args:
        alone: whether the run is a star alone.
    """
    punctuation_before, punctuation_after = before.punctuation and not before.cjk, after.punctuation and not after.cjk
    opens = not after.space and (not punctuation_after or before.space or before.punctuation or before.cjk)
    if alone and not (before.cjk and after.cjk):  # as CommonMark says
        opens = not after.space and (not after.punctuation or before.space or before.punctuation)
    return Flanks(opens, not before.space and (not punctuation_before or after.space or after.punctuation or after.cjk))


def commonmark_flanks(before: Side, after: Side) -> Flanks:
    """What it may do in the eyes of all readers that follow CommonMark, whichever version."""
    newer = flanks(before._replace(cjk=False), after._replace(cjk=False))
    older = flanks(
        before._replace(cjk=False, punctuation=before.strict_punctuation),
        after._replace(cjk=False, punctuation=after.strict_punctuation),
    )
    return Flanks(newer.opens and older.opens, newer.closes and older.closes)


@lru_cache(maxsize=4_096)
def is_cjk(character: str) -> bool:
    """Whether a character is of these scripts: wide, full or half in width (UAX 11), and no emoji; "" is not."""
    if not character or character < "\x80":
        return False
    code = ord(character)
    if east_asian_width(character) not in "WFH":
        return any(code in block for block in _NEUTRAL)
    if category(character) in ("So", "Sk"):
        return 0x2E80 <= code < 0x1F000 or 0x1F200 <= code < 0x1F300
    return True


def _selects(character: str) -> bool:
    """Whether it only says how the character before it looks."""
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def _of_cjk(text: str, at: int, step: int, limit: int) -> bool:
    for index in range(at + step, at + step * _CHAIN, step):
        if not 0 <= index < limit or text[index] < "\x80":
            return False
        if is_cjk(text[index]):
            return True
        if category(text[index])[0] != "P":
            return False
    return False
