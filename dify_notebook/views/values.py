"""The values that a run takes and gives: what each of them is to a reader, as blocks, markdown and lines of text.

Of whatever size a value is, no more of it is looked at than is shown (`limits.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..printable import one_line, shown
from ..turn.convert import file_value
from ..turn.reasoning import split_reasoning
from ..turn.state import MessageFile
from . import facts, limits
from .block import Block
from .canonical import canonical
from .guard import escaped, fenced
from .html import element, escape
from .markdown import MarkdownRenderer
from .parts import file_block, span
from .terminal import terminal_text
from .words import LIMIT, Words, truncated
from .written import aligned, number_text, prune

_WRITTEN = 1_000
"""Characters of lists and objects in a terminal."""
_PREVIEW = 90
_WIDE, _NARROW = 120, 24
"""Characters of a table's lines in a terminal; of the cells of a wider one, which are cut."""


class Reading(NamedTuple):
    """How values are read."""

    words: Words
    where: str
    """What holds all of them: turn.outputs."""
    files: Mapping[str, MessageFile] = {}
    """The files of the turn, which may have been fetched, by `facts.file_key`."""
    plain: bool = False
    """Whether a text is shown as it is written, not as markdown: a person's own words."""

    def value(self, value: Any) -> Shown:
        """What the value is to a reader."""
        if value is None or isinstance(value, bool | int | float):
            return Word(self, value)
        if isinstance(value, str | list | tuple | Mapping) and not value:
            return Word(self, value)
        if isinstance(value, str):
            return (Plain if self.plain else Text)(self, value)
        if isinstance(value, list | tuple):
            return self._listed(value)
        return Files(self, [value]) if file_value(value) else Json(self, value)

    def _listed(self, items: Sequence[Any]) -> Shown:
        first = items[: limits.ROWS]
        if all(file_value(item) for item in first):
            return Files(self, items)
        if all(isinstance(item, Mapping) and item and _is_flat(item.values()) for item in first):
            return Records(self, items)
        if all(isinstance(item, list | tuple) and item and _is_flat(item) for item in first):
            return Lists(self, items)
        return Json(self, items)

    def file(self, value: Any) -> MessageFile:
        """The file that a value is, with its content where that was fetched."""
        file = file_value(value)
        assert file is not None
        return self.files.get(facts.file_key(file), file)

    def cell(self, value: Any) -> str:
        """A value that holds no others, on a line."""
        if isinstance(value, str):
            return one_line(value, limits.CELL)
        if file_value(value):
            return one_line(facts.file_title(self.file(value), self.words), limits.CELL)
        return "\u2014" if value is None else number_text(value)


def _is_flat(values: Iterable[Any]) -> bool:
    """Whether none of the first values holds others."""
    head = [value for value, _ in zip(values, range(limits.VALUE_ITEMS), strict=False)]
    return all(not isinstance(value, Mapping | list | tuple) or file_value(value) for value in head)


class Shown:
    """One value in every form."""

    small = False
    """Whether it fits on the line of its name."""

    def __init__(self, reading: Reading, value: Any) -> None:
        self.reading, self.words, self.value = reading, reading.words, value

    def blocks(self) -> list[Block]:
        """What stands in its place on a page."""
        raise NotImplementedError

    def document(self) -> str:
        """Markdown; of a small one what stands in a table's cell."""
        raise NotImplementedError

    def lines(self) -> list[str]:
        """Text for a terminal; a small one is one line."""
        raise NotImplementedError

    def _partly(self) -> str:
        return self.words("part", where=self.reading.where)


class Word(Shown):
    """A number, true, false, or nothing."""

    small = True

    def _text(self) -> str:
        if self.value is None:
            return "\u2014"
        if isinstance(self.value, bool | int | float):
            return number_text(self.value)
        kind = "text" if isinstance(self.value, str) else "object" if isinstance(self.value, Mapping) else "list"
        return self.words(f"empty.{kind}")

    def blocks(self) -> list[Block]:
        if self.value is None:
            attrs = {"class": "dn-quiet", "role": "img", "aria-label": self.words("empty.null")}
            return [Block("value", "span", attrs, escape(self._text()))]
        kind = "dn-number" if isinstance(self.value, bool | int | float) else "dn-quiet"
        return [Block("value", "span", {"class": kind}, escape(self._text()))]

    def document(self) -> str:
        return self._text()  # nothing in it means anything in markdown

    def lines(self) -> list[str]:
        return [self._text()]


class Text(Shown):
    """Text that is read as markdown, without a model's reasoning."""

    limit = limits.VALUE_TEXT

    def __init__(self, reading: Reading, value: str) -> None:
        super().__init__(reading, value)
        text, self.note = truncated(value, self.words, self.limit)
        self.text = split_reasoning(text)[0]
        self.small = len(self.text) <= limits.CELL and "\n" not in self.text

    def blocks(self) -> list[Block]:
        inner = MarkdownRenderer().update(self.text, ended=True)
        return [Block("text", "div", {"class": "dn-answer dn-text"}, "", inner), *notes(self.note)]

    def document(self) -> str:
        if self.small:
            return escaped(one_line(self.text))
        quoted = "\n".join(f"> {line}" if line else ">" for line in canonical(self.text).strip("\r\n").splitlines())
        return "\n\n".join(text for text in (quoted, escaped(self.note)) if text)

    def lines(self) -> list[str]:
        lines = shown(terminal_text(self.text)).strip("\n").split("\n")
        return [*lines, self.note] if self.note else lines


class Plain(Text):
    """Text as a person wrote it."""

    limit = LIMIT

    def blocks(self) -> list[Block]:
        kind = "dn-plain" if self.small else "dn-val"
        return [Block("text", "div", {"class": kind}, escape(shown(self.text))), *notes(self.note)]

    def document(self) -> str:
        if self.small:
            return escaped(one_line(self.text))
        return fenced(shown(self.text), "text") + (f"\n\n{escaped(self.note)}" if self.note else "")

    def lines(self) -> list[str]:
        lines = shown(self.text).split("\n")
        return [*lines, self.note] if self.note else lines


class Json(Shown):
    """A list or an object, folded."""

    def __init__(self, reading: Reading, value: Any) -> None:
        super().__init__(reading, value)
        pruned, whole = prune(value, self._name)
        self.pruned = pruned
        self.text, cut = truncated(shown(json.dumps(pruned, indent=2, ensure_ascii=False)), self.words)
        self.note = self._partly() if cut or not whole else ""
        key = "fields" if isinstance(value, Mapping) else "items"
        self.count = self.words.count(key, len(value)) if hasattr(value, "__len__") else ""
        self.small = len(self._line()) < _PREVIEW and not self.note

    def _name(self, file: MessageFile) -> str:
        return facts.file_title(self.reading.files.get(facts.file_key(file), file), self.words)

    def _line(self) -> str:
        return one_line(json.dumps(self.pruned, ensure_ascii=False), _PREVIEW)

    def blocks(self) -> list[Block]:
        summary = escape(self.count) + " " + span("dn-quiet", self._line())
        inner = (Block("text", "div", {"class": "dn-val"}, escape(self.text)), *notes(self.note))
        parts = (
            Block("summary", "summary", {"class": "dn-ios"}, summary),
            Block("body", "div", {}, "", inner),
        )
        return [Block("json", "details", {"class": "dn-io"}, "", parts)]

    def document(self) -> str:
        if self.small:
            return escaped(self._line())
        return "\n\n".join(text for text in (fenced(self.text, "json"), escaped(self.note)) if text)

    def lines(self) -> list[str]:
        if self.small:
            return [self._line()]
        text, cut = truncated(self.text, self.words, _WRITTEN)
        lines = text.split("\n")
        return [*lines, self._partly()] if cut or self.note else lines


class Files(Shown):
    """One file, or some."""

    def __init__(self, reading: Reading, value: Sequence[Any]) -> None:
        super().__init__(reading, value)
        self.small = len(value) == 1
        self.files = [reading.file(item) for item in value[: limits.ROWS] if file_value(item)]
        self.note = self.words.omitted(len(value), limits.ROWS, reading.where)

    def blocks(self) -> list[Block]:
        return [file_block(file, at, self.words) for at, file in enumerate(self.files)] + notes(self.note)

    def document(self) -> str:
        titles = [escaped(line) for line in self.lines()]
        return titles[0] if self.small else "\n".join(f"- {title}" for title in titles)

    def lines(self) -> list[str]:
        titles = [facts.file_title(file, self.words) for file in self.files]
        return [*titles, self.note] if self.note else titles


class Records(Shown):
    """A list of objects that hold no others, as a table."""

    def __init__(self, reading: Reading, value: Sequence[Any]) -> None:
        super().__init__(reading, value)
        names, rows, hidden = self._read(value[: limits.ROWS])
        self.rows = [[reading.cell(item) if item is not _MISSING else "" for item in row] for row in rows]
        wide = max(len(row) for row in rows)
        self.numeric = [all(_is_number(row[at]) for row in rows if at < len(row)) for at in range(wide)]
        self.heads = [one_line(str(name), 60) for name in names]
        self.count = self.words.count("rows", len(value))
        notes = (
            self.words.omitted(len(value), limits.ROWS, reading.where),
            self.words.count("more_columns", hidden, where=reading.where) if hidden > 0 else "",
        )
        self.notes = [note for note in notes if note]

    def _read(self, rows: Sequence[Any]) -> tuple[list[Any], list[list[Any]], int]:
        """The names of the columns, the rows, and how many columns are left out."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        kept = names[: limits.COLUMNS]
        return kept, [[row.get(name, _MISSING) for name in kept] for row in rows], len(names) - len(kept)

    def blocks(self) -> list[Block]:
        sides = ["dn-right" if numeric else "" for numeric in self.numeric]
        out = []
        if self.heads:
            cells = "".join(
                element("th", {"class": f"dn-th {side}".strip(), "scope": "col"}, escape(name))
                for name, side in zip(self.heads, sides, strict=True)
            )
            out.append(Block("head", "thead", {}, "", (Block("row", "tr", {"class": "dn-tr"}, cells),)))
        rows = []
        for at, row in enumerate(self.rows):
            pairs = zip(row, sides, strict=False)
            cells = "".join(element("td", {"class": f"dn-td {side}".strip()}, escape(text)) for text, side in pairs)
            rows.append(Block(str(at), "tr", {"class": "dn-tr"}, cells))
        out.append(Block("rows", "tbody", {}, "", tuple(rows)))
        table = Block("table", "table", {"class": "dn-table dn-rows", "aria-label": self.count}, "", tuple(out))
        return [
            Block("count", "div", {"class": "dn-quiet"}, escape(self.count)),
            Block("scroll", "div", {"class": "dn-scroll"}, "", (table,)),
            *notes(*self.notes),
        ]

    def document(self) -> str:
        heads = self.heads or [""] * len(self.numeric)
        sides = ["--:" if numeric else "---" for numeric in self.numeric]
        lines = [_row(map(escaped, heads)), f"|{'|'.join(sides)}|"]
        for row in self.rows:
            cells = [cell if at else escaped(cell) for cell, at in zip(row, self.numeric, strict=False)]
            lines.append(_row([*cells, *[""] * (len(heads) - len(row))]))
        return "\n\n".join(["\n".join(lines), *map(escaped, self.notes)])

    def lines(self) -> list[str]:
        rows = ([self.heads] if self.heads else []) + self.rows
        lines = aligned(rows, self.numeric)
        if max(map(len, lines)) > _WIDE:
            lines = aligned([[one_line(cell, _NARROW) for cell in row] for row in rows], self.numeric)
        return [self.count, *(f"  {line}" for line in lines), *self.notes]


class Lists(Records):
    """A list of lists that hold no others, as a table without a head."""

    def _read(self, rows: Sequence[Any]) -> tuple[list[Any], list[list[Any]], int]:
        hidden = max(0, max(len(row) for row in rows) - limits.COLUMNS)
        return [], [list(row[: limits.COLUMNS]) for row in rows], hidden


_MISSING = object()


def _is_number(value: object) -> bool:
    return value is None or value is _MISSING or (isinstance(value, int | float) and not isinstance(value, bool))


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def notes(*texts: str) -> list[Block]:
    """Quiet lines of what is not shown."""
    named = enumerate(text for text in texts if text)
    return [Block(f"cut{at}", "div", {"class": "dn-note-cut"}, escape(note)) for at, note in named]
