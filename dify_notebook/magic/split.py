r"""Splits a magic's line into words as a shell would, with the place of each.

Quotes group and can stand inside a word; a backslash protects a space, a quote or
another backslash and is otherwise an ordinary character, so that `C:\data\x.csv`
needs no quotes. Dollars, braces, `#`, `*` and `~` are ordinary characters here.

A path of Windows is taken as it stands: where a value begins with `C:\`, `\\server\` or `.\`, a backslash protects
nothing but a blank in a name, and none in front of an option, so that a path may end in a backslash.
"""

from __future__ import annotations

import re

import msgspec

_WINDOWS = re.compile(r"""(?:[A-Za-z]:|\\\\[^\\/\s'"]++|\.\.?|~)\\(?![\\\s])""")
"""How a path of Windows begins: with a drive, a server, a dot or a tilde.

Who doubles the backslashes protects them one by one.
"""
_OPTION = re.compile(r"\s+--?[A-Za-z]|\s*\Z")
"""What follows a path that ends: an option, or nothing."""
_VALUE = re.compile(r"""['"]?(?:-[A-Za-z]=?|(?:--)?[^\s'"=\\]*+=)?['"]?""")
"""What may stand in front of a value in its word."""


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
    windows = _begins_path(line, start)
    while at < len(line):
        char = line[at]
        after = line[at + 1] if at + 1 < len(line) else ""
        protected = _is_blank_of_path(line, at, quote) if windows else _is_protected(after, quote)
        if char == "\\" and protected:
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


def _begins_path(line: str, start: int) -> bool:
    """Whether the value of the word that starts there begins as a path of Windows does."""
    before = _VALUE.match(line, start)
    return any(_WINDOWS.match(line, at) for at in {start, before.end() if before else start})


def _is_blank_of_path(line: str, at: int, quote: str) -> bool:
    """Whether the backslash there protects a blank in a path of Windows."""
    return not quote and line[at + 1 : at + 2].isspace() and _OPTION.match(line, at + 1) is None


def _is_protected(char: str, quote: str) -> bool:
    """Whether a backslash before this character is a protection and not itself meant."""
    if quote == "'":
        return False
    if quote == '"':
        return char in ('"', "\\")
    return char != "" and (char in "'\"\\" or char.isspace())
