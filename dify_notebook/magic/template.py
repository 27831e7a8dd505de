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
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NoReturn

import msgspec

from ..app.origin import Filled
from ..app.values import Unfit, to_text
from ..errors import InputError
from ..i18n import t
from .namespace import normalized_name, unbound_message

LIMIT = 200_000
"""Characters of the whole text, values included, unless told otherwise."""


class TemplateError(InputError):
    """A `{{ … }}` cannot be filled; says which and where."""


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
    text: str, namespace: Mapping[str, Any], *, limit: int = LIMIT, first_line: int = 1, where: str = ""
) -> str:
    """The text with every `{{ … }}` replaced by its value.

    Args:
        namespace: the variables; it is only read, and only at the names that occur.
        limit: longest result in characters.
        first_line: number of the text's first line, for the places that errors name.
        where: what the text is, such as `-i city`, for errors; empty for the cell's text.

    >>> expand("Weather in {{ city }}: {{ days[0] }}?", {"city": "Lyon", "days": [1, 2]})
    'Weather in Lyon: 1?'

    Raises:
        TemplateError: a name is not defined, a value does not fit into text, or the whole is too long.
    """
    try:
        return _fill(split_text(text), namespace, limit)
    except _Problem as problem:
        raise _placed(problem, text, first_line, where) from None


def pieces(text: str, namespace: Mapping[str, Any], *, where: str = "") -> list[str | Filled]:
    """The pieces of which `expand` makes the text: those as typed, and the values between them.

    Raises:
        TemplateError: a name is not defined.
    """
    try:
        found: list[str | Filled] = []
        for part in split_text(text):
            if isinstance(part, Placeholder):
                found.append(Filled(part.source, _follow(part, namespace)))
            elif part:
                found.append(part)
        return found
    except _Problem as problem:
        raise _placed(problem, text, 1, where) from None


def _placed(problem: _Problem, text: str, first_line: int, where: str) -> TemplateError:
    line = text.count("\n", 0, problem.offset) + first_line
    column = problem.offset - (text.rfind("\n", 0, problem.offset) + 1) + 1
    key = "magic.template.in" if where else "magic.template.at"
    place = t(key, where=where, line=line, column=column)
    return TemplateError(f"{place}: {problem.message}", code="template", hint=problem.hint)


def resolve(source: str, namespace: Mapping[str, Any]) -> Any:
    """The object that a path such as `config.inputs["a"]` names, outside of any text.

    Raises:
        TemplateError: it is no such path, or does not lead to anything.
    """
    try:
        place, end = _path(source, 0, 0)
        if source[end:].strip():
            _stop(0, "magic.template.syntax", source=source)
        return _follow(place, namespace)
    except _Problem as problem:
        raise TemplateError(problem.message, code="template", hint=problem.hint) from None


def places(text: str) -> list[Placeholder]:
    """The places that `expand` would fill, in order."""
    try:
        return [part for part in split_text(text) if isinstance(part, Placeholder)]
    except _Problem as problem:
        raise TemplateError(problem.message, code="template", hint=problem.hint) from None


def split_text(text: str) -> list[str | Placeholder]:
    """The text in pieces: literal ones as they will be sent, and the places between them."""
    parts: list[str | Placeholder] = []
    done = 0
    while True:
        match = _OPEN.search(text, done)
        if match is None:
            parts.append(text[done:])
            return parts
        parts.append(text[done : match.start()])
        done = match.end()
        opening = match[0]
        if opening.startswith("\\"):
            parts.append("{{")
        elif opening != "{{":
            parts.append(opening)
        else:
            place, done = _path(text, match.end(), match.start())
            close = _CLOSE.match(text, done)
            if close is None:
                _no_close(text, place, done)
            parts.append(place)
            done = close.end()


class _Problem(Exception):
    """Something at an offset; `expand` turns it into an error that names line and column."""

    def __init__(self, offset: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.offset, self.message, self.hint = offset, message, hint


def _path(text: str, start: int, offset: int) -> tuple[Placeholder, int]:
    """The path that begins at `start`, and where it ends."""
    match = _NAME.match(text, start)
    name = "" if match is None else normalized_name(match[1])
    if match is None or not name.isidentifier():
        _stop(offset, "magic.template.syntax", source=_excerpt(text, start))
    at = match.end()
    steps: list[tuple[str, str | int]] = []
    while True:
        if attribute := _ATTRIBUTE.match(text, at):
            steps.append(("attribute", normalized_name(attribute[1])))
            at = attribute.end()
        elif index := _INDEX.match(text, at):
            steps.append(("index", int(index[1]) if index[1] else _string(index[2], offset)))
            at = index.end()
        else:
            return Placeholder(text[match.start(1) : at], name, tuple(steps), offset), at


def _string(literal: str, offset: int) -> str:
    try:
        return str(ast.literal_eval(literal))
    except (SyntaxError, ValueError):
        _stop(offset, "magic.template.syntax", source=literal)


def _no_close(text: str, place: Placeholder, at: int) -> NoReturn:
    if _CALL.match(text, at):
        _stop(place.offset, "magic.template.call", source=place.source)
    rest = text[at:].partition("\n")[0]
    if "}}" not in rest:
        _stop(place.offset, "magic.template.open", source=place.source)
    _stop(place.offset, "magic.template.syntax", source=_excerpt(text, place.offset + 2))


def _excerpt(text: str, start: int) -> str:
    """What stands between the braces, for an error: to the closing ones, or 40 characters."""
    return text[start : start + 200].partition("\n")[0].partition("}}")[0].strip()[:40]


def _fill(parts: list[str | Placeholder], namespace: Mapping[str, Any], limit: int) -> str:
    filled: list[str] = []
    left = limit - sum(len(part) for part in parts if isinstance(part, str))
    if left < 0:
        _stop(0, "magic.template.text_too_long", length=limit - left, limit=limit)
    for part in parts:
        if isinstance(part, str):
            filled.append(part)
            continue
        value = _follow(part, namespace)
        try:
            text = to_text(value, left)
        except Unfit as unfit:
            spot = part.source + unfit.path
            values = {"type": type(unfit.value).__name__, "limit": limit, **unfit.values}
            _stop(part.offset, f"magic.value.{unfit.reason}", source=spot, **values)
        left -= len(text)
        filled.append(text)
    return "".join(filled)


def _follow(place: Placeholder, namespace: Mapping[str, Any]) -> Any:
    """The value of a path. Runs no more code than attribute access and indexing do."""
    if place.name.startswith("__") and place.name.strip("_"):
        _stop(place.offset, "magic.template.private", source=place.source, name=place.name)
    if told := unbound_message(place.name, namespace):
        raise _Problem(place.offset, told, t("magic.template.hint"))
    if place.name not in namespace:
        known = [name for name in namespace if isinstance(name, str) and not name.startswith("_")]
        close = get_close_matches(place.name, known, n=1, cutoff=0.6)
        guess = t("magic.did_you_mean", name=close[0]) if close else ""
        _stop(place.offset, "magic.template.undefined", name=place.name, suggestion=guess)
    value = namespace[place.name]
    walked = place.name
    for kind, key in place.steps:
        step = f".{key}" if kind == "attribute" else f"[{key!r}]"
        if kind == "attribute" and str(key).startswith("_"):
            _stop(place.offset, "magic.template.private", source=place.source, name=key)
        try:
            value = getattr(value, str(key)) if kind == "attribute" else value[key]
        except Exception as error:  # properties and __getitem__ are anyone's code
            _stop(
                place.offset,
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


def _stop(offset: int, key: str, /, **values: object) -> NoReturn:
    hint = t("magic.value.hint") if key.startswith("magic.value.") else t("magic.template.hint")
    raise _Problem(offset, t(key, **values), hint)
