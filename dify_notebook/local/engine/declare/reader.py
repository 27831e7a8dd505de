"""Reading a declaration so that each mistake is told with its file, its path in there and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, TypeVar

from ....errors import DifyError
from ....i18n import t

Choice = TypeVar("Choice", bound=str)


class DeclarationError(DifyError):
    """A declared app cannot be used as it is written."""


class TableReader:
    """Reads one table of a declaration: values are taken out by name, and what is left over is a mistake.

    Args:
        path: where the table stands in its file, such as `nodes[2] (llm).retry`; for errors.
    """

    def __init__(self, values: Any, file: str, path: str) -> None:
        self.file = file
        self.path = path
        if not isinstance(values, Mapping):
            self.fail("local.declare.no_table", found=_kind(values))
        self._values = dict(values)
        self._known: list[str] = []

    def fail(self, key: str, name: str = "", /, **values: object) -> NoReturn:
        """Raise the error of that sentence, with file and path in front."""
        path = f"{self.path}.{name}" if name and self.path else name or self.path
        raise DeclarationError(": ".join(part for part in (self.file, path, t(key, **values)) if part))

    def has(self, name: str) -> bool:
        """Whether a value is there; asking makes the name a known one."""
        self._known.append(name)
        return name in self._values

    def peek(self, name: str) -> Any:
        """A value that stays where it is; None where there is none."""
        return self._values.get(name)

    def take(self, name: str, default: Any = None) -> Any:
        """A value as it is."""
        self._known.append(name)
        return self._values.pop(name, default)

    def text(self, name: str, default: str | None = None, *, maximum: int = 100_000) -> str:
        """A text; required when there is no default."""
        value = self.take(name, default)
        if value is None:
            self.fail("local.declare.missing", name)
        if not isinstance(value, str):
            self.fail("local.declare.type", name, wanted="text", found=_kind(value))
        if len(value) > maximum:
            self.fail("local.declare.long", name, most=maximum)
        return value

    def word(self, name: str, default: str | None = None) -> str:
        """A text that is not empty."""
        value = self.text(name, default, maximum=200)
        if not value.strip():
            self.fail("local.declare.empty", name)
        return value

    def choice(self, name: str, choices: Iterable[Choice], default: str | None = None) -> Choice:
        """One of several texts."""
        return self._known_one(name, self.text(name, default), choices)

    def choices(self, name: str, choices: Iterable[Choice], default: Iterable[str] | None = ()) -> tuple[Choice, ...]:
        """A list of some of several texts; one text alone is a list of one."""
        choices = tuple(choices)
        return tuple(self._known_one(name, value, choices) for value in self.texts(name, default))

    def flag(self, name: str, default: bool) -> bool:
        value = self.take(name, default)
        if not isinstance(value, bool):
            self.fail("local.declare.type", name, wanted="true/false", found=_kind(value))
        return value

    def number(self, name: str, default: float | None, minimum: float, maximum: float) -> float:
        """A number between two others, ends included; required when the default is None."""
        value = self.take(name, default)
        if value is None:
            self.fail("local.declare.missing", name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail("local.declare.type", name, wanted="number", found=_kind(value))
        if not minimum <= value <= maximum:
            self.fail("local.declare.range", name, least=f"{minimum:g}", most=f"{maximum:g}")
        return float(value)

    def integer(self, name: str, default: int | None, minimum: int, maximum: int) -> int:
        value = self.number(name, default, minimum, maximum)
        if value != int(value):
            self.fail("local.declare.type", name, wanted="integer", found=str(value))
        return int(value)

    def texts(self, name: str, default: Iterable[str] | None = ()) -> tuple[str, ...]:
        """A list of texts; one text alone is a list of one."""
        value = self.take(name, None if default is None else list(default))
        if value is None:
            self.fail("local.declare.missing", name)
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            self.fail("local.declare.type", name, wanted="list of texts", found=_kind(value))
        return tuple(value)

    def table(self, name: str) -> TableReader | None:
        """A table inside, or None where there is none."""
        value = self.take(name)
        return None if value is None else TableReader(value, self.file, self._below(name))

    def tables(self, name: str, *, named: str = "") -> list[TableReader]:
        """Tables in a list. `named` is the field that tells them apart in errors."""
        value = self.take(name, [])
        if not isinstance(value, list | tuple):
            self.fail("local.declare.type", name, wanted="list of tables", found=_kind(value))
        readers = []
        for index, element in enumerate(value):
            label = element.get(named) if named and isinstance(element, Mapping) else None
            path = f"{name}[{index}]" if not isinstance(label, str) else f"{name}[{index}] ({label})"
            readers.append(TableReader(element, self.file, self._below(path)))
        return readers

    def mapping(self, name: str) -> dict[str, Any]:
        """A table inside whose names are free."""
        value = self.take(name, {})
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            self.fail("local.declare.type", name, wanted="table", found=_kind(value))
        return dict(value)

    def done(self) -> None:
        """Nothing more is known: what is left is a mistake, most often of spelling."""
        for name in self._values:
            known = ", ".join(sorted(set(self._known)))
            self.fail("local.declare.unknown", name, known=known, hint=hint(name, self._known))

    def _known_one(self, name: str, value: str, choices: Iterable[Choice]) -> Choice:
        known = {str(choice): choice for choice in choices}
        if value not in known:
            self.fail("local.declare.choice", name, value=value, choices=", ".join(known), hint=hint(value, known))
        return known[value]

    def _below(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name


def hint(word: str, known: Iterable[str]) -> str:
    """Which of the known words was perhaps meant, for the end of an error; nothing where none is near."""
    near = difflib.get_close_matches(word, list(known), 1)
    return t("local.declare.near", near=near[0]) if near else ""


def _kind(value: Any) -> str:
    """What a value is, in words that fit TOML and Python alike."""
    kinds = {bool: "true/false", int: "number", float: "number", str: "text", type(None): "nothing"}
    if isinstance(value, Mapping):
        return "table"
    if isinstance(value, list | tuple):
        return "list"
    return kinds.get(type(value), type(value).__name__)
