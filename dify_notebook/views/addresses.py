"""Where a bare address of the web begins and ends in a text.

As GitHub's markdown has it ("autolinks (extended)"), with these differences: an address ends before a sign that
RFC 3986 has in none (a backtick, a quotation mark), before punctuation and symbols outside of ASCII (，。）」”), and
before the first letter of Chinese, Japanese or Korean unless its host begins with one, since text goes on there without
a blank. Addresses of mail are none, and one with a user's name or a password is none either.
"""

from __future__ import annotations

import re

BEHIND_FIRST = (
    r"(?<![0-9A-Za-z\u00c0-\u024f/@.+-][hHwW])(?:(?<=[hH])[tT]{2}[pP][sS]?://|(?<=[wW])[wW]{2}\.)(?=\w)"
)
"""Where an address may begin: what stands behind its first letter, which is one of `hHwW`."""

_BEGIN = re.compile(f"[hHwW]{BEHIND_FIRST}")
_CJK = (
    r"[\u1100-\u11ff\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef"
    r"\U0001b000-\U0003ffff]"
)
_NATIVE = re.compile(rf"(?i:www\.)?{_CJK}")


def _host(lookbehind: str) -> str:
    """A host that neither goes on nor is a user's name; `lookbehind` stands behind each of its letters."""
    name = rf"(?:[\w-]{lookbehind}){{1,63}}+"
    return rf"{name}(?:\.{name}){{0,20}}+(?![\w@]{lookbehind})(?!:[^/?#@\s]{{0,300}}@)"


def _path(lookbehind: str) -> str:
    character = rf"(?:[\w!#$%&'()*+,\-./:;=?@~\u0300-\u036f]{lookbehind}|\[(?![^\[\]\s]{{0,200}}\]\()|\](?!\())"
    return rf"(?:[/?#:]{character}*+)?"  # not into a link that follows


_HOST, _PATH = re.compile(_host(f"(?<!{_CJK})")), re.compile(_path(f"(?<!{_CJK})"))
_NATIVE_HOST, _NATIVE_PATH = re.compile(_host("")), re.compile(_path(""))
MAX_LENGTH = 2_000
"""Characters of an address; what goes on for longer is text."""

_STOPS = "?!.,:*_~'\""
_OPENERS = {")": "(", "]": "["}
_REFERENCE = re.compile(r"&[0-9A-Za-z]{1,31};")


def address_end(text: str, at: int, limit: int) -> int | None:
    """The end of the address that begins at `at`; None where none does."""
    match = _BEGIN.match(text, at, limit)
    if match is None:
        return None
    start = match.end()
    bound = min(limit, at + MAX_LENGTH)
    native = _NATIVE.match(text, start, limit) is not None
    host = (_NATIVE_HOST if native else _HOST).match(text, start, bound)
    if host is None or "_" in "".join(host[0].split(".")[-2:]):
        return None
    path = (_NATIVE_PATH if native else _PATH).match(text, host.end(), bound)
    assert path is not None  # it matches nothing too
    if path.end() == bound < limit:
        return None
    end = _trimmed(text, start, path.end())
    return end if end > start else None


def _trimmed(text: str, start: int, end: int) -> int:
    """Without what is the sentence's at the end: its stops, quotes and brackets, and a character reference."""
    unmatched = {
        close: text.count(close, start, end) - text.count(begin, start, end) for close, begin in _OPENERS.items()
    }
    while end > start:
        last = text[end - 1]
        if last in _STOPS:
            end -= 1
        elif unmatched.get(last, 0) > 0:
            unmatched[last] -= 1
            end -= 1
        elif last == ";":
            reference = text.rfind("&", max(start, end - 33), end)
            end = reference if reference >= 0 and _REFERENCE.fullmatch(text, reference, end) else end - 1
        else:
            break
    return end
