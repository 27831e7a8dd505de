"""How numbers, times, prices and values are written, in the reader's language."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import unquote, urlsplit

from ..data_uri import size
from ..i18n import Language, current_language, t
from ..printable import one_line, shown

LIMIT = 4_000
"""Characters of a value that are shown; what is longer is cut, and the cut is told."""

_CURRENCY_SYMBOLS = {"USD": "$", "EUR": "\u20ac", "GBP": "\u00a3", "CNY": "\u00a5", "RMB": "\u00a5"}


class Words:
    """The package's sentences in one language, and numbers as that language writes them."""

    def __init__(self, lang: Language | None = None) -> None:
        self.lang: Language = lang or current_language()
        self.colon = "：" if self.lang == "zh-Hans" else ": "
        """Between a word and what it is about."""

    def __call__(self, key: str, **values: object) -> str:
        return t(f"views.{key}", self.lang, **values)

    def count(self, key: str, n: int, **values: object) -> str:
        """The sentence with a number, in the singular for one where the language has one."""
        from ..i18n import sentences

        singular = f"{key}.one"
        if n == 1 and f"views.{singular}" in sentences(self.lang):
            return self(singular, **values)
        return self(key, n=number(n), **values)

    def omitted(self, count: int, limit: int, attribute: str) -> str:
        """The sentence about what a view leaves out of so many things, and what holds all; "" where it shows them."""
        return self.count("rest", count - limit, where=attribute) if count > limit else ""

    def known(self, key: str, otherwise: str) -> str:
        """The sentence of that key, or the words as they came, cleaned, where we have none."""
        from ..i18n import sentences

        sentence = sentences(self.lang).get(f"views.{key}")
        return one_line(otherwise, 60) if sentence is None else sentence

    def seconds(self, value: float) -> str:
        """A length of time: 0.42 s, 12.3 s, 2 min 05 s."""
        if value < 0:
            value = 0.0
        if value < 9.995:
            return self("seconds", n=f"{value:.2f}")
        if value < 59.95:
            return self("seconds", n=f"{value:.1f}")
        minutes, remainder = divmod(round(value), 60)
        return self("minutes", m=minutes, s=f"{remainder:02d}")

    def count_up(self, value: float) -> str:
        """Whole seconds, for times that still run."""
        elapsed = max(0, int(value))
        if elapsed < 60:
            return self("seconds", n=elapsed)
        return self("minutes", m=elapsed // 60, s=f"{elapsed % 60:02d}")

    def size(self, count: int) -> str:
        """Bytes for people: 900 B, 12 kB, 3.4 MB."""
        return size(count)


def number(value: int) -> str:
    """1204 as 1,204."""
    return f"{value:,}"


def price(value: Decimal, currency: str | None) -> str:
    """The exact amount, without an exponent or needless zeros: $0.00214."""
    digits = f"{value:f}"
    if "." in digits:
        digits = digits.rstrip("0")
        whole, _, part = digits.partition(".")
        digits = f"{whole}.{part.ljust(2, '0')}" if part else whole
    symbol = _CURRENCY_SYMBOLS.get((currency or "").upper())
    if symbol:
        return f"-{symbol}{digits[1:]}" if digits.startswith("-") else f"{symbol}{digits}"
    return f"{digits} {one_line(currency, 12)}" if currency else digits


def host(server: str) -> str:
    """The machine in an address, without what could lie in user name, path or query."""
    try:
        parts = urlsplit(server if "//" in server else f"//{server}")
        name = parts.hostname or ""
        port = parts.port
    except ValueError:
        return one_line(server, 60)
    name = f"[{name}]" if ":" in name else name
    return one_line(f"{name}:{port}" if port else name, 80)


def short(identity: str) -> str:
    """The beginning of an id, enough to tell two apart."""
    clean = one_line(identity, 60)
    return clean if len(clean) <= 12 else clean[:8]


def pretty(value: Any, tools: Sequence[str] = ()) -> str:
    """A value as text: JSON (also as text, also inside a tool's name) indented, text as it is; links unsigned."""
    if isinstance(value, str):
        stripped = value.strip()
        if stripped[:1] in ("{", "["):
            try:
                value = json.loads(stripped)
            except (ValueError, RecursionError):
                return shown(value)
        else:
            return shown(value)
    if len(tools) == 1 and isinstance(value, Mapping) and list(value) == [tools[0]]:
        return pretty(value[tools[0]])
    try:
        return shown(json.dumps(value, indent=2, ensure_ascii=False, default=str))
    except (TypeError, ValueError, RecursionError):
        return shown(str(value))


def truncated(text: str, words: Words, limit: int = LIMIT) -> tuple[str, str]:
    """The beginning of a long text, and a sentence that tells of the rest ("" where there is none)."""
    if len(text) <= limit:
        return text, ""
    return text[:limit], words("cut", shown=number(limit), all=number(len(text)))


def is_empty(value: Any) -> bool:
    """Whether there is nothing to show: None, an empty text, list or object."""
    return value is None or (isinstance(value, str | Mapping | Sequence) and not value)


def last_part(url: str) -> str:
    """What an address calls its file: the last part of its path, empty where it has none."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return ""
    return one_line(unquote(path).rpartition("/")[2], 200)
