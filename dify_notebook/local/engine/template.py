"""Texts with placeholders in them: `{{ llm.text }}`, Dify's `{{#llm.text#}}`, and `{% for x in list %}…{% endfor %}`.

Placeholders are looked up in dicts and lists, and nothing else happens: no attribute, no call, no expression.
So a template can be taken from anyone, and what it needs is known before it runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .file_values import is_file, link

Selector = tuple[str, ...]
Lookup = Callable[[Selector], Any]
Resolve = Callable[[Selector], Selector]

_NAME = r"[A-Za-z_0-9][\w-]*"
_PATH = rf"{_NAME}(?:\.{_NAME})*"
_TAG = re.compile(
    rf"\{{\{{(?P<dify>\#)?\s*(?P<path>{_PATH})\s*(?(dify)\#)\}}\}}"
    rf"|\{{%-?\s*for\s+(?P<name>[A-Za-z_]\w*)\s+in\s+(?P<list>{_PATH})\s*-?%\}}"
    r"|(?P<end>\{%-?\s*endfor\s*-?%\})"
    r"|(?P<wrong>\{\{|\{%)"
)
_SELECTOR = re.compile(_PATH)


class WrongTemplate(ValueError):
    """A template that cannot be read; the message says where and why."""


@dataclass(frozen=True)
class Placeholder:
    """Where a value is put in."""

    selector: Selector


@dataclass(frozen=True)
class Each:
    """A part that is repeated for each element of a list."""

    name: str
    selector: Selector
    body: tuple[Part, ...]


Part = str | Placeholder | Each


@dataclass(frozen=True)
class Template:
    """A text that was read."""

    parts: tuple[Part, ...]

    def needs(self) -> Iterator[Selector]:
        """Selectors that it looks up, those of its own loops left out."""
        yield from _needs(self.parts, frozenset())

    def mapped(self, resolve: Resolve) -> Template:
        """This with its selectors replaced, those of its own loops left alone."""
        return Template(_mapped(self.parts, resolve, frozenset()))

    def render(self, look_up: Lookup, show: Callable[[Any], str]) -> str:
        """The text. `show` turns a value into text."""
        return "".join(self.pieces(look_up, show))

    def pieces(self, look_up: Lookup, show: Callable[[Any], str]) -> Iterator[str]:
        """The text piece by piece, so that who reads it can stop; each round of a loop gives one at least."""
        return _rendered(self.parts, look_up, show)


def parse_template(text: str, *, loops: bool = False) -> Template:
    """Read a template.

    Raises:
        WrongTemplate: a tag is not closed, or not of the few that there are.
    """
    stack: list[tuple[str, Selector, list[Part]]] = []
    parts: list[Part] = []
    end = 0
    for tag in _TAG.finditer(text):
        if tag.start() > end:
            parts.append(text[end : tag.start()])
        end = tag.end()
        if tag["wrong"]:
            shown = text[tag.start() : tag.start() + 30].split("\n")[0]
            raise WrongTemplate(f"{shown!r} is neither {{{{ name }}}} nor a for or endfor")
        if tag["path"]:
            parts.append(Placeholder(tuple(tag["path"].split("."))))
        elif not loops:
            raise WrongTemplate(f"{tag.group()!r}: loops are for template-transform nodes only")
        elif tag["name"]:
            stack.append((tag["name"], tuple(tag["list"].split(".")), parts))
            parts = []
        else:
            if not stack:
                raise WrongTemplate("an endfor without its for")
            name, selector, outer = stack.pop()
            outer.append(Each(name, selector, tuple(parts)))
            parts = outer
    if stack:
        raise WrongTemplate(f"the loop over {'.'.join(stack[-1][1])} has no endfor")
    if end < len(text):
        parts.append(text[end:])
    return Template(tuple(parts))


def parse_selector(text: str) -> Selector:
    """A selector such as `llm.text` or Dify's `{{#llm.text#}}`. Raises: WrongTemplate."""
    bare = text.strip().removeprefix("{{").removesuffix("}}").strip().strip("#").strip()
    if not _SELECTOR.fullmatch(bare):
        raise WrongTemplate(f"{text!r} is no name of a value such as sys.query or node.output")
    return tuple(bare.split("."))


def shown(value: Any) -> str:
    """A value as text in a prompt or a template."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def shown_in_answer(value: Any) -> str:
    """A value as text in an answer, where a list becomes a list."""
    if isinstance(value, list):
        return "\n".join(f"- {shown(item) if item is not None else None}" for item in value)
    return shown(value)


def shown_in_output(value: Any) -> str:
    """A value as a workflow app streams it: objects over several lines, lists as lists, files as links."""
    if is_file(value):
        return link(value)
    if isinstance(value, list):
        if value and all(is_file(item) for item in value):
            return "\n".join(link(item) for item in value)
        return "\n".join(f"- {item}" for item in value)  # of an object what Python says, as Dify has it
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, indent=2)
    return "" if value is None else str(value)


def _needs(parts: tuple[Part, ...], local: frozenset[str]) -> Iterator[Selector]:
    for part in parts:
        if isinstance(part, Placeholder):
            if part.selector[0] not in local:
                yield part.selector
        elif isinstance(part, Each):
            if part.selector[0] not in local:
                yield part.selector
            yield from _needs(part.body, local | {part.name})


def _mapped(parts: tuple[Part, ...], resolve: Resolve, local: frozenset[str]) -> tuple[Part, ...]:
    mapped: list[Part] = []
    for part in parts:
        if isinstance(part, Placeholder):
            mapped.append(part if part.selector[0] in local else Placeholder(resolve(part.selector)))
        elif isinstance(part, Each):
            source = part.selector if part.selector[0] in local else resolve(part.selector)
            mapped.append(Each(part.name, source, _mapped(part.body, resolve, local | {part.name})))
        else:
            mapped.append(part)
    return tuple(mapped)


def _rendered(parts: tuple[Part, ...], look_up: Lookup, show: Callable[[Any], str]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, str):
            yield part
        elif isinstance(part, Placeholder):
            yield show(look_up(part.selector))
        else:
            elements = look_up(part.selector)
            for element in elements if isinstance(elements, list) else []:
                yield ""
                yield from _rendered(part.body, _with(part.name, element, look_up), show)


def _with(name: str, element: Any, look_up: Lookup) -> Lookup:
    return lambda selector: walk(element, selector[1:]) if selector[0] == name else look_up(selector)


def walk(value: Any, path: Selector) -> Any:
    """What lies at a path inside dicts and lists; None where there is nothing."""
    for name in path:
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdigit():
            value = value[int(name)] if int(name) < len(value) else None
        else:
            return None
    return value
