"""Code with its words in colours, once it is complete."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from .html import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 100_000
"""Characters; longer code stays plain, so that no frame waits for it."""
MIN_CHUNK = 1_200
"""Characters after which the next line end closes a chunk of code."""
MAX_CHUNK = 2_400
"""Characters after which a chunk is closed inside a line."""

_NAME = re.compile(r"[A-Za-z0-9_+#.-]{1,30}")
_CLASSES = (
    ("Comment", "dn-hc"),
    ("Keyword", "dn-hk"),
    ("Literal.String", "dn-hs"),
    ("Literal.Number", "dn-hn"),
    ("Name.Function", "dn-hf"),
    ("Name.Class", "dn-hf"),
    ("Name.Decorator", "dn-hf"),
    ("Name.Builtin", "dn-hb"),
    ("Name.Constant", "dn-hb"),
    ("Name.Tag", "dn-hk"),
    ("Name.Attribute", "dn-hf"),
    ("Operator.Word", "dn-hk"),
    ("Generic.Inserted", "dn-hs"),
    ("Generic.Deleted", "dn-hk"),
    ("Generic.Heading", "dn-hf"),
)


def language(info: str) -> str:
    """Name of the language behind a fence, "" where none can be read."""
    words = info.split()
    match = _NAME.match(words[0].strip("{}").lstrip(".")) if words else None
    return match.group().lower() if match else ""


def chunks(code: str) -> list[str]:
    """The code in chunks whose ends depend on nothing that comes later."""
    parts = []
    at, size = 0, len(code)
    while (end := chunk_end(code, at)) is not None and end < size:
        parts.append(code[at:end])
        at = end
    parts.append(code[at:])
    return parts


def chunk_end(code: str, at: int) -> int | None:
    """Where the chunk that begins at `at` ends; None while that is open."""
    line = code.find("\n", at + MIN_CHUNK, at + MAX_CHUNK)
    if line >= 0:
        return line + 1
    return at + MAX_CHUNK if len(code) >= at + MAX_CHUNK else None


def highlight(code: str, name: str) -> list[str] | None:
    """The chunks of complete code as HTML with classes; None where it stays plain."""
    if not name or len(code) > LIMIT:
        return None
    lexer = _lexer(name)
    if lexer is None:
        return None
    tokens = _merged(lexer.get_tokens_unprocessed(code))
    out: list[str] = []
    for chunk in chunks(code):
        out.append(_chunk(tokens, len(chunk)))
    return out


class _Tokens:
    """Tokens as (class, text), which can be taken by length."""

    def __init__(self, tokens: Iterator[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.remainder: tuple[str, str] | None = None

    def take(self, size: int) -> Iterator[tuple[str, str]]:
        while size > 0:
            token = self.remainder or next(self.tokens, None)
            self.remainder = None
            if token is None:
                return
            name, text = token
            if len(text) > size:
                self.remainder = (name, text[size:])
                text = text[:size]
            size -= len(text)
            yield name, text


def _chunk(tokens: _Tokens, size: int) -> str:
    return "".join(
        f'<span class="{name}">{escape(text)}</span>' if name else escape(text)
        for name, text in tokens.take(size)
    )


def _merged(tokens: Any) -> _Tokens:
    def run() -> Iterator[tuple[str, str]]:
        last = ""
        texts: list[str] = []
        for _, kind, text in tokens:
            name = "" if text.isspace() else _class(kind)
            if name != last and texts:
                yield last, "".join(texts)
                texts = []
            last = name
            texts.append(text)
        if texts:
            yield last, "".join(texts)

    return _Tokens(run())


@cache
def _class(kind: Any) -> str:
    words = str(kind).removeprefix("Token.")
    for prefix, name in _CLASSES:
        if words == prefix or words.startswith(prefix + "."):
            return name
    return ""


@cache
def _lexer(name: str) -> Any:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        # The code is taken as it is: positions in it have to stay.
        return get_lexer_by_name(name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
