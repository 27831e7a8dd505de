"""Splits a magic's line into words as a shell would, with the place of each.

Quotes group and can stand inside a word; a backslash protects a space, a quote or
another backslash and is otherwise an ordinary character, so that `C:\\data\\x.csv`
needs no quotes. Dollars, braces, `#`, `*` and `~` are ordinary characters here.
"""

from __future__ import annotations

import msgspec


class Word(msgspec.Struct, frozen=True):
    """One word of the line, without its quotes."""

    text: str
    start: int
    """Where it begins in the line, in characters."""
    end: int
    quote: str = ""
    """The quote that was still open at the end of the line, if any."""


def split(line: str) -> list[Word]:
    """The words of a line. An unclosed quote runs to the end and is told in `Word.quote`.

    >>> [word.text for word in split("-i 'city=New York' -f C:\\\\data\\\\x.csv")]
    ['-i', 'city=New York', '-f', 'C:\\\\data\\\\x.csv']
    """
    words: list[Word] = []
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
            continue
        word = _word(line, at)
        words.append(word)
        at = word.end
    return words


def _word(line: str, start: int) -> Word:
    at, quote, kept = start, "", []
    while at < len(line):
        char = line[at]
        after = line[at + 1] if at + 1 < len(line) else ""
        if char == "\\" and _is_protected(after, quote):
            kept.append(after)
            at += 2
            continue
        if quote:
            if char == quote:
                quote = ""
            else:
                kept.append(char)
        elif char in "'\"":
            quote = char
        elif char.isspace():
            break
        else:
            kept.append(char)
        at += 1
    return Word("".join(kept), start, at, quote)


def _is_protected(char: str, quote: str) -> bool:
    """Whether a backslash before this character is a protection and not itself meant."""
    if quote == "'":
        return False
    if quote == '"':
        return char in ('"', "\\")
    return char != "" and (char in "'\"\\" or char.isspace())
