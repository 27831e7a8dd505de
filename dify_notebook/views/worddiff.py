"""What one text has that another has not: word by word, in Chinese character by character, white space apart.

Bounded: texts of many words are compared line by line, and those of many lines, or without a line in common, are told
apart by their first difference alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

from . import limits
from .flanking import is_cjk

Kind = Literal["same", "gone", "new"]

_TOKEN = re.compile(r"(\w+|[^\w\s])|\s+")
_SMALL = 3
"""Letters of words that are the same between two changes, up to which they are taken as a part of these."""
_CONTEXT = 120
"""Characters of what is the same that are shown on either side of a change."""
_READABLE = 100
"""Letters of a text up to which its differences are read at a glance, however many they are."""
_LONG_WORD = 30
"""Letters of a word that is not cut where what is the same is left out."""
_SIGNS = {" ": "\u2423", "\t": "\u2192", "\n": "\u21b5\n", "\r": "\u240d"}
"""What stands for white space where that is all that has changed."""


class Piece(NamedTuple):
    """A stretch of text."""

    kind: Kind
    """same in both; gone, which only the first has; new, which only the second has."""
    text: str


class WordDiff(NamedTuple):
    """How one text differs from another.

    The pieces that are the same or gone are the first text, those that are the same or new the second.
    """

    pieces: tuple[Piece, ...]
    by: Literal["words", "lines", "nothing"]
    """What was compared; nothing where the texts are too long, or have not even a line in common."""

    @property
    def same(self) -> bool:
        """Whether the texts are one."""
        return all(piece.kind == "same" for piece in self.pieces)

    @property
    def unlike(self) -> bool:
        """Whether longer texts have less than a fifth of the shorter one's letters in common: the words that happen to
        stand in both tell nothing then."""
        letters = {"same": 0, "gone": 0, "new": 0}
        for kind, text in self.pieces:
            letters[kind] += sum(map(str.isalnum, text))
        shorter = letters["same"] + min(letters["gone"], letters["new"])
        return shorter > _READABLE and 5 * letters["same"] < shorter


def compare(a: str, b: str) -> WordDiff:
    """What b has in the place of what a has.

    >>> [(piece.kind, piece.text) for piece in compare("a red door", "a green door").pieces]
    [('same', 'a '), ('gone', 'red'), ('new', 'green'), ('same', ' door')]
    """
    if a == b:
        return WordDiff(_joined([Piece("same", a)]), "words")
    if max(len(a), len(b)) <= limits.DIFF_TEXT:
        first, second = _words(a), _words(b)
        if max(len(first), len(second)) <= limits.DIFF_WORDS:
            return WordDiff(_legible(_joined(_by_words(first, second))), "words")
    first, second = _lines(a), _lines(b)
    if max(len(first), len(second)) <= limits.DIFF_WORDS:
        pieces = _joined(_by_words(first, second))
        if any(piece.kind == "same" and piece.text.strip() for piece in pieces):
            return WordDiff(pieces, "lines")
    return WordDiff(_joined([Piece("gone", a), Piece("new", b)]), "nothing")


_Token = tuple[str, str]
"""A word and the white space behind it."""


def _words(text: str) -> list[_Token]:
    """The words; white space at the beginning is that of an empty one."""
    out: list[_Token] = []
    for match in _TOKEN.finditer(text):
        word = match.group(1)
        if word is None:
            out.append((out.pop()[0] if out else "", match.group()))
        else:
            out += [(part, "") for part in _split(word)]
    return out


def _split(word: str) -> Iterator[str]:
    """Letters of Chinese, Japanese and Korean apart, others in one."""
    if word.isascii():
        yield word
        return
    begin = 0
    for at, character in enumerate(word):
        if is_cjk(character):
            if begin < at:
                yield word[begin:at]
            yield character
            begin = at + 1
    if begin < len(word):
        yield word[begin:]


def _lines(text: str) -> list[_Token]:
    return [(line, "") for line in text.split("\n")][:1] + [("\n" + line, "") for line in text.split("\n")[1:]]


def _by_words(a: Sequence[_Token], b: Sequence[_Token]) -> Iterator[Piece]:
    matcher = SequenceMatcher(None, [word for word, _ in a], [word for word, _ in b])
    for kind, a_begin, a_end, b_begin, b_end in matcher.get_opcodes():
        if kind == "equal":
            for (word, gap), (_, other) in zip(a[a_begin:a_end], b[b_begin:b_end], strict=True):
                yield Piece("same", word)
                yield from _changed(gap, other)
        else:
            yield from _changed(_text(a[a_begin:a_end]), _text(b[b_begin:b_end]))


def _text(tokens: Iterable[_Token]) -> str:
    return "".join(word + gap for word, gap in tokens)


def _changed(gone: str, new: str) -> Iterator[Piece]:
    """One in the place of the other; white space that both end with is the same."""
    if gone == new:
        yield Piece("same", gone)
        return
    end = 0
    while end < min(len(gone), len(new)) and gone[-1 - end] == new[-1 - end] and gone[-1 - end].isspace():
        end += 1
    yield Piece("gone", gone[: len(gone) - end])
    yield Piece("new", new[: len(new) - end])
    yield Piece("same", gone[len(gone) - end :])


def _joined(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Neighbours of a kind in one; of a change first what is gone."""
    out: list[Piece] = []
    changed: dict[Kind, list[str]] = {"gone": [], "new": []}
    same: list[str] = []

    def close_change() -> None:
        for kind, texts in changed.items():
            if texts:
                out.append(Piece(kind, "".join(texts)))
                texts.clear()

    for piece in pieces:
        if not piece.text:
            continue
        if piece.kind == "same":
            close_change()
            same.append(piece.text)
            continue
        if same:
            out.append(Piece("same", "".join(same)))
            same.clear()
        changed[piece.kind].append(piece.text)
    close_change()
    return (*out, Piece("same", "".join(same))) if same else tuple(out)


def _legible(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """The same without single short words that happen to stand between two long changes."""
    out: list[Piece] = []
    for at, piece in enumerate(pieces):
        small = piece.kind == "same" and len(piece.text.strip()) <= _SMALL and "\n" not in piece.text
        if small and _long(pieces[max(0, at - 2) : at]) and _long(pieces[at + 1 : at + 3]):
            out += [Piece("gone", piece.text), Piece("new", piece.text)]
        else:
            out.append(piece)
    return _joined(out)


def _long(change: Sequence[Piece]) -> bool:
    """Whether words stand in the place of words."""
    texts = [piece.text for piece in change if piece.kind != "same"]
    return len(texts) == 2 and all(len(text.split()) > 1 for text in texts)


def shortened(pieces: Sequence[Piece]) -> list[Piece]:
    """What is to be read of a comparison: of what is the same only the neighbourhood of changes, and changes of white
    space as signs."""
    out: list[Piece] = []
    for at, piece in enumerate(pieces):
        text = piece.text
        if piece.kind != "same":
            out.append(Piece(piece.kind, text if text.strip() else "".join(_SIGNS.get(one, one) for one in text)))
            continue
        before = "" if at == 0 else text[: _gap(text, _CONTEXT, -1)]
        behind = "" if at == len(pieces) - 1 else text[_gap(text, len(text) - _CONTEXT, 1) :]
        long = len(text) > len(before) + len(behind) + 20
        out.append(Piece("same", f"{before} \u2026 {behind}" if long else text))
    return out


def _gap(text: str, at: int, step: int) -> int:
    """The end of a word next to a place, in that direction; the place itself where none is near.

    A place outside of the text is its beginning or its end.
    """
    if not 0 < at < len(text):
        return max(0, min(at, len(text)))
    for place in range(at, at + step * _LONG_WORD, step):
        if 0 < place < len(text) and not (text[place - 1].isalnum() and text[place].isalnum()):
            return place
    return at
