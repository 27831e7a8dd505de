r"""Puts notebook variables into a text: `{{ name }}`, with attributes and indexes.

    {{ city }}   {{ order.items[0]["price"] }}   {{ table }}   {{ rows[-1] }}

One pass: what a value contains is never expanded again. There are no calls, filters or
arithmetic; the value is prepared in Python and named here. Left alone are single braces,
`{{#…#}}` (Dify's own) and, as a literal `{{`, whatever follows a backslash: `\{{`. In a
run of more than two braces the last two open, so `{{{ x }}}` is the value in braces.

Pure: the variables come as a mapping, nothing is printed and nothing is sent.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, NoReturn

import msgspec

from ..errors import InputError
from ..i18n import t
from .namespace import normalized_name, unbound_message
from .origin import Filled
from .values import Unserializable, to_text

LIMIT = 200_000
"""Characters of the whole text, values included, unless told otherwise."""


class TemplateError(InputError):
    """A `{{ … }}` cannot be filled; the message has which, line and column."""


class Placeholder(msgspec.Struct, frozen=True):
    """One `{{ … }}`: a name, and the attributes and indexes that follow it."""

    source: str
    """As written between the braces, without the blanks around it."""
    name: str
    steps: tuple[tuple[str, str | int], ...]
    """("attribute", name) or ("index", key), in order."""
    offset: int
    """Of the opening braces in the text, in characters."""


_OPEN = re.compile(r"\\\{\{|\{\{#[^{}\n]*#\}\}|\{\{(?!\{)")
_NAME = re.compile(r"\s*((?:[^\W\d]|[^\x00-\x7f\s])(?:\w|[^\x00-\x7f\s])*+)")
_ATTRIBUTE = re.compile(r"\s*\.\s*((?:[^\W\d]|[^\x00-\x7f\s])(?:\w|[^\x00-\x7f\s])*+)")
_INDEX = re.compile(r"""\s*\[\s*(?:(-?\d+)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))\s*\]""")
_CLOSE = re.compile(r"\s*\}\}")
_CALL = re.compile(r"\s*\(")


def expand(
    text: str, namespace: Mapping[str, Any], *, limit: int = LIMIT, first_line: int = 1, label: str = ""
) -> str:
    """The text with every `{{ … }}` replaced by its value.

    Args:
        namespace: the variables; it is only read, and only at the names that occur.
        limit: longest result in characters.
        first_line: number of the text's first line, for the places that errors name.
        label: what the text is, such as `-i city`, for errors; empty for the cell's text.

    >>> expand("Weather in {{ city }}: {{ days[0] }}?", {"city": "Lyon", "days": [1, 2]})
    'Weather in Lyon: 1?'

    Raises:
        TemplateError: a name is not defined, a value does not fit into text, or the whole is too long.
    """
    try:
        return _fill(split_text(text), namespace, limit)
    except _TemplateFailure as problem:
        raise _located(problem, text, first_line, label) from None


class Template:
    """A text that is filled many times: it is read once.

    Attributes:
        text: as written.
        placeholders: what is filled, in order.
    """

    def __init__(self, text: str, *, label: str = "") -> None:
        """Raises `TemplateError`: what stands between the braces is no name. The label says in errors what it is."""
        self.text, self._label = text, label
        try:
            self._parts = split_text(text)
        except _TemplateFailure as problem:
            raise _located(problem, text, 1, label) from None

    @property
    def placeholders(self) -> list[Placeholder]:
        return [part for part in self._parts if isinstance(part, Placeholder)]

    @property
    def alone(self) -> Placeholder | None:
        """The one placeholder of which the text consists; None where it has more, or others."""
        parts = [part for part in self._parts if part]
        return parts[0] if len(parts) == 1 and isinstance(parts[0], Placeholder) else None

    def renamed(self, rename: Callable[[Placeholder], Placeholder]) -> Template:
        """The same text with other names in its placeholders."""
        made = copy.copy(self)
        made._parts = [rename(part) if isinstance(part, Placeholder) else part for part in self._parts]
        return made

    def fill(self, namespace: Mapping[str, Any], *, limit: int = LIMIT) -> str:
        """The text with these values, as `expand` makes it, which also says what is raised."""
        try:
            return _fill(self._parts, namespace, limit)
        except _TemplateFailure as problem:
            raise _located(problem, self.text, 1, self._label) from None

    def value(self, namespace: Mapping[str, Any]) -> Any:
        """The value itself of a placeholder that stands `alone`; raises `TemplateError` where it leads to nothing."""
        placeholder = self.alone
        assert placeholder is not None
        try:
            return _lookup(placeholder, namespace)
        except _TemplateFailure as problem:
            raise _located(problem, self.text, 1, self._label) from None


def literals_and_values(text: str, namespace: Mapping[str, Any], *, label: str = "") -> list[str | Filled]:
    """The parts of which `expand` makes the text: literal text, and the values between.

    Raises:
        TemplateError: a name is not defined.
    """
    try:
        parts: list[str | Filled] = []
        for part in split_text(text):
            if isinstance(part, Placeholder):
                parts.append(Filled(part.source, _lookup(part, namespace)))
            elif part:
                parts.append(part)
        return parts
    except _TemplateFailure as problem:
        raise _located(problem, text, 1, label) from None


def _located(problem: _TemplateFailure, text: str, first_line: int, label: str) -> TemplateError:
    line = text.count("\n", 0, problem.offset) + first_line
    column = problem.offset - (text.rfind("\n", 0, problem.offset) + 1) + 1
    key = "magic.template.in" if label else "magic.template.at"
    location = t(key, where=label, line=line, column=column)
    return TemplateError(f"{location}: {problem.message}", code="template", hint=problem.hint)


def resolve(source: str, namespace: Mapping[str, Any]) -> Any:
    """The object that a path such as `config.inputs["a"]` names, outside of any text.

    Raises:
        TemplateError: it is no such path, or does not lead to anything.
    """
    try:
        placeholder, end = _parse_path(source, 0, 0)
        if source[end:].strip():
            _fail(0, "magic.template.syntax", source=source)
        return _lookup(placeholder, namespace)
    except _TemplateFailure as problem:
        raise TemplateError(problem.message, code="template", hint=problem.hint) from None


def placeholders(text: str) -> list[Placeholder]:
    """The placeholders that `expand` would fill, in order."""
    try:
        return [part for part in split_text(text) if isinstance(part, Placeholder)]
    except _TemplateFailure as problem:
        raise TemplateError(problem.message, code="template", hint=problem.hint) from None


def split_text(text: str) -> list[str | Placeholder]:
    """The text in parts: literal text as it will be sent, and the placeholders between."""
    parts: list[str | Placeholder] = []
    position = 0
    while True:
        match = _OPEN.search(text, position)
        if match is None:
            parts.append(text[position:])
            return parts
        parts.append(text[position : match.start()])
        position = match.end()
        opening = match[0]
        if opening.startswith("\\"):
            parts.append("{{")
        elif opening != "{{":
            parts.append(opening)
        else:
            placeholder, position = _parse_path(text, match.end(), match.start())
            close = _CLOSE.match(text, position)
            if close is None:
                _fail_unclosed(text, placeholder, position)
            parts.append(placeholder)
            position = close.end()


class _TemplateFailure(Exception):
    """Something at an offset; `expand` turns it into an error that names line and column."""

    def __init__(self, offset: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.offset, self.message, self.hint = offset, message, hint


def _parse_path(text: str, start: int, offset: int) -> tuple[Placeholder, int]:
    """The path that begins at `start`, and where it ends."""
    match = _NAME.match(text, start)
    name = "" if match is None else normalized_name(match[1])
    if match is None or not name.isidentifier():
        _fail(offset, "magic.template.syntax", source=_excerpt(text, start))
    position = match.end()
    steps: list[tuple[str, str | int]] = []
    while True:
        if attribute := _ATTRIBUTE.match(text, position):
            steps.append(("attribute", normalized_name(attribute[1])))
            position = attribute.end()
        elif index := _INDEX.match(text, position):
            steps.append(("index", int(index[1]) if index[1] else _string(index[2], offset)))
            position = index.end()
        else:
            return Placeholder(text[match.start(1) : position], name, tuple(steps), offset), position


def _string(literal: str, offset: int) -> str:
    try:
        return str(ast.literal_eval(literal))
    except (SyntaxError, ValueError):
        _fail(offset, "magic.template.syntax", source=literal)


def _fail_unclosed(text: str, placeholder: Placeholder, position: int) -> NoReturn:
    if _CALL.match(text, position):
        _fail(placeholder.offset, "magic.template.call", source=placeholder.source)
    rest = text[position:].partition("\n")[0]
    if "}}" not in rest:
        _fail(placeholder.offset, "magic.template.open", source=placeholder.source)
    _fail(placeholder.offset, "magic.template.syntax", source=_excerpt(text, placeholder.offset + 2))


def _excerpt(text: str, start: int) -> str:
    """What stands between the braces, for an error: to the closing ones, or 40 characters."""
    return text[start : start + 200].partition("\n")[0].partition("}}")[0].strip()[:40]


def _fill(parts: list[str | Placeholder], namespace: Mapping[str, Any], limit: int) -> str:
    texts: list[str] = []
    remaining = limit - sum(len(part) for part in parts if isinstance(part, str))
    if remaining < 0:
        _fail(0, "magic.template.text_too_long", length=limit - remaining, limit=limit)
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        value = _lookup(part, namespace)
        try:
            text = to_text(value, remaining)
        except Unserializable as unfit:
            source = part.source + unfit.path
            values = {"type": type(unfit.value).__name__, "limit": limit, **unfit.values}
            _fail(part.offset, f"magic.value.{unfit.reason}", source=source, **values)
        remaining -= len(text)
        texts.append(text)
    return "".join(texts)


def _lookup(placeholder: Placeholder, namespace: Mapping[str, Any]) -> Any:
    """The value of a path. Runs no more code than attribute access and indexing do."""
    if placeholder.name.startswith("__") and placeholder.name.strip("_"):
        _fail(placeholder.offset, "magic.template.private", source=placeholder.source, name=placeholder.name)
    if message := unbound_message(placeholder.name, namespace):
        raise _TemplateFailure(placeholder.offset, message, t("magic.template.hint"))
    if placeholder.name not in namespace:
        known = [name for name in namespace if isinstance(name, str) and not name.startswith("_")]
        close = get_close_matches(placeholder.name, known, n=1, cutoff=0.6)
        guess = t("magic.did_you_mean", name=close[0]) if close else ""
        _fail(placeholder.offset, "magic.template.undefined", name=placeholder.name, suggestion=guess)
    value = namespace[placeholder.name]
    walked = placeholder.name
    for kind, key in placeholder.steps:
        step = f".{key}" if kind == "attribute" else f"[{key!r}]"
        if kind == "attribute" and str(key).startswith("_"):
            _fail(placeholder.offset, "magic.template.private", source=placeholder.source, name=key)
        try:
            value = getattr(value, str(key)) if kind == "attribute" else value[key]
        except Exception as error:  # properties and __getitem__ are anyone's code
            _fail(
                placeholder.offset,
                "magic.template.as_index" if _meant_index(kind, key, value) else "magic.template.step",
                source=walked + step,
                walked=walked,
                key=key,
                type=type(value).__name__,
                problem=_reason(error),
            )
        walked += step
    return value


def _meant_index(kind: str, key: str | int, value: Any) -> bool:
    return kind == "attribute" and isinstance(value, Mapping) and key in value


def _reason(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


def _fail(offset: int, key: str, /, **values: object) -> NoReturn:
    hint = t("magic.value.hint") if key.startswith("magic.value.") else t("magic.template.hint")
    raise _TemplateFailure(offset, t(key, **values), hint)
