r"""Splits a magic's line into words as a shell would, with the position of each.

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
    """The words of a line. An unclosed quote runs to the end and stands in `Word.quote`.

    >>> [word.text for word in split("-i 'city=New York' -f C:\\\\data\\\\x.csv")]
    ['-i', 'city=New York', '-f', 'C:\\\\data\\\\x.csv']
    """
    words: list[Word] = []
    position = 0
    while position < len(line):
        if line[position].isspace():
            position += 1
            continue
        word = _word(line, position)
        words.append(word)
        position = word.end
    return words


def _word(line: str, start: int) -> Word:
    position, quote, characters = start, "", []
    windows = _begins_path(line, start)
    while position < len(line):
        character = line[position]
        after = line[position + 1] if position + 1 < len(line) else ""
        protected = _is_blank_of_path(line, position, quote) if windows else _is_protected(after, quote)
        if character == "\\" and protected:
            characters.append(after)
            position += 2
            continue
        if quote:
            if character == quote:
                quote = ""
            else:
                characters.append(character)
        elif character in "'\"":
            quote = character
        elif character.isspace():
            break
        else:
            characters.append(character)
        position += 1
    return Word("".join(characters), start, position, quote)


def _begins_path(line: str, start: int) -> bool:
    """Whether the value of the word that starts there begins as a path of Windows does."""
    prefix = _VALUE.match(line, start)
    return any(_WINDOWS.match(line, position) for position in {start, prefix.end() if prefix else start})


def _is_blank_of_path(line: str, position: int, quote: str) -> bool:
    """Whether the backslash there protects a blank in a path of Windows."""
    return not quote and line[position + 1 : position + 2].isspace() and _OPTION.match(line, position + 1) is None


def _is_protected(character: str, quote: str) -> bool:
    """Whether a backslash before this character is a protection and not itself meant."""
    if quote == "'":
        return False
    if quote == '"':
        return character in ('"', "\\")
    return character != "" and (character in "'\"\\" or character.isspace())
