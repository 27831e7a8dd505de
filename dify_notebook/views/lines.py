"""The block structure of markdown, read line by line.

A line is read once. What is open (the way from the document down to the last
paragraph, list item, fence ...) lies on `Parser.open_nodes`; all else is closed and never
changes again, but for two things that markdown decides late: whether a list is
loose, and where `[a reference]` leads. So a growing text costs as much as its
new lines, however long it is.

A line that is not complete yet is read into a `fork`, which copies the open nodes
only and is thrown away.
"""

from __future__ import annotations

import re
from typing import Literal

from .references import Reference, definitions

_ATX = re.compile(r"(#{1,6})(?:[ \t]+|$)")
_FENCE = re.compile(r"(`{3,})[^`]*$|(~{3,})")
_FENCE_END = re.compile(r"(`{3,}|~{3,})[ \t]*$")
_SETEXT = re.compile(r"(=+|-+)[ \t]*$")
_RULE = re.compile(r"(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$")
_ITEM = re.compile(r"(?:([*+-])|(\d{1,9})([.)]))(?=[ \t]|$)")
_ALIGNS = re.compile(r"\|?[ \t]*+:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)*+\|?[ \t]*+$")
_BLANKS = re.compile(r"[ \t]*")

MAX_DEPTH = 40
"""Nodes inside each other; deeper quotes and lists are text."""

_CONTAINERS = frozenset({"doc", "quote", "item"})
_RAW = frozenset({"code", "fence", "math"})


class Node:
    """One block of markdown. Fields that its kind does not use keep their first value."""

    __slots__ = (
        "aligns", "terminated", "cache", "children", "done", "end", "indent", "info", "kind", "labels",
        "level", "lines", "loose", "mark", "memo", "width",
    )  # fmt: skip

    def __init__(self, kind: str, line: int) -> None:
        self.kind = kind
        """doc, quote, list, item, p, h, code, fence, math, rule, table or row."""
        self.end = line
        """Last line that belongs to it (its children's last lines come on top)."""
        self.children: list[Node] = []
        self.lines: list[str] = []
        self.info = ""
        """What stands behind a fence; the number that an ordered list starts with; `text` in a paragraph that
        is known to hold more than definitions."""
        self.mark = ""
        """`-`, `+`, `*`, `.` or `)` of a list; the fence or the end sign of math; `first` for the
        paragraph that an item begins with."""
        self.level = 0
        """Of a heading, 1 to 6."""
        self.indent = 0
        """Columns that the lines of a fence may lose."""
        self.width = 0
        """Columns that continue a list item."""
        self.loose = False
        self.terminated = False
        """Whether the end of a fence or of math has come."""
        self.aligns: tuple[str, ...] = ()
        # Kept for the renderer, shared by all forks: what was made of closed content.
        self.cache: dict[bool, object] = {}
        self.done: dict[bool, list[object]] = {}
        self.memo: list[object] = []
        self.labels: frozenset[str] | None = None

    def copy(self) -> Node:
        """A node that may grow without the first one noticing; what was rendered is shared."""
        twin = Node.__new__(Node)
        for name in Node.__slots__:
            setattr(twin, name, getattr(self, name))
        twin.children = self.children.copy()
        twin.lines = self.lines.copy()
        return twin

    def last_line(self) -> int:
        """Last line of it and of all that it holds."""
        line = self.end
        node = self
        while node.children:
            node = node.children[-1]
            line = max(line, node.end)
        return line


class Cursor:
    """A place in a line, which knows its column (tabs stop every four)."""

    __slots__ = ("blank", "column", "indent", "next", "pos", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.column = 0
        self.look()

    def look(self) -> None:
        """Find the next character that is no blank, and how many columns away it is."""
        column = self.column
        match = _BLANKS.match(self.text, self.pos)
        assert match is not None
        for number, blanks in enumerate(match.group().split("\t")):
            column += (4 - column % 4 if number else 0) + len(blanks)
        self.next = match.end()
        self.indent = column - self.column
        self.blank = self.next == len(self.text)

    def skip(self, columns: int) -> None:
        """Go on by so many columns of blanks; a tab that is cut becomes blanks."""
        while columns > 0 and self.pos < len(self.text):
            if self.text[self.pos] == "\t":
                width = 4 - self.column % 4
                if width > columns:
                    self.text = self.text[: self.pos] + " " * width + self.text[self.pos + 1 :]
                    continue
                self.column += width
                columns -= width
            else:
                self.column += 1
                columns -= 1
            self.pos += 1
        self.look()

    def take(self, characters: int) -> None:
        """Go on behind the blanks and so many characters."""
        self.column += self.indent + characters
        self.pos = self.next + characters
        self.look()

    def rest(self) -> str:
        return self.text[self.pos :]

    def words(self) -> str:
        """The rest without the blanks before it."""
        return self.text[self.next :]


class Parser:
    """Reads lines into a tree of nodes."""

    def __init__(self) -> None:
        self.doc = Node("doc", 0)
        self.open_nodes = [self.doc]
        self.line = 0
        self.references: dict[str, Reference] = {}
        self.last = self.doc
        """The node that took the last text."""

    def fork(self) -> Parser:
        """A parser in the same state, whose further lines this one does not see."""
        twin = Parser.__new__(Parser)
        twin.line = self.line
        twin.references = self.references.copy()
        twin.open_nodes = [node.copy() for node in self.open_nodes]
        for parent, child in zip(twin.open_nodes, twin.open_nodes[1:], strict=False):
            parent.children[-1] = child
        twin.doc = twin.last = twin.open_nodes[0]
        return twin

    def read(self, text: str) -> None:
        """Take one line, without its end."""
        self.line += 1
        cursor = Cursor(text)
        depth = self._continued(cursor)
        if depth == 0:
            return
        node = self.open_nodes[depth - 1]
        if node.kind in _RAW:
            self.last = node
            node.lines.append(cursor.rest())
            if not cursor.blank or node.kind != "code":
                node.end = self.line
            return
        while not cursor.blank:
            opened = self._start(cursor, depth)
            if opened == "leaf":
                return
            if opened is None:
                break
            depth = len(self.open_nodes)
        self._text(cursor, depth)

    def finish(self) -> None:
        """Nothing more comes: close what is open."""
        self._close(1)

    # --- which of the open nodes go on

    def _continued(self, cursor: Cursor) -> int:
        """How many of the open nodes this line continues; 0 when it was an end sign and is used up."""
        depth = 1
        for node in self.open_nodes[1:]:
            kind = node.kind
            if kind == "quote":
                if cursor.blank or cursor.indent > 3 or cursor.text[cursor.next] != ">":
                    break
                self._into_quote(cursor)
                node.end = self.line
            elif kind == "item":
                if cursor.blank:
                    if not node.children:
                        break
                elif cursor.indent >= node.width:
                    cursor.skip(node.width)
                else:
                    break
            elif kind in ("p", "table"):
                if cursor.blank:
                    break
            elif kind == "fence":
                if cursor.indent < 4:
                    end = _FENCE_END.match(cursor.text, cursor.next)
                    if end and end.group(1).startswith(node.mark):
                        return self._terminate(node, depth)
                cursor.skip(min(node.indent, cursor.indent))
            elif kind == "math":
                words = cursor.words().rstrip(" \t")
                if words.endswith(node.mark):
                    if words != node.mark:
                        node.lines.append(words[: -len(node.mark)].rstrip(" \t"))
                    return self._terminate(node, depth)
            elif kind == "code":
                if cursor.indent > 3:
                    cursor.skip(4)
                elif not cursor.blank:
                    break
                else:
                    cursor.skip(cursor.indent)
            depth += 1
        return depth

    def _terminate(self, node: Node, depth: int) -> int:
        node.terminated = True
        node.end = self.line
        self._close(depth)
        return 0

    @staticmethod
    def _into_quote(cursor: Cursor) -> None:
        cursor.take(1)
        if cursor.indent:
            cursor.skip(1)

    # --- what begins here

    def _start(self, cursor: Cursor, depth: int) -> Literal["leaf", "container"] | None:
        """Open what begins at the cursor; None when it is only text."""
        container = self.open_nodes[depth - 1]
        if cursor.indent > 3:
            if self.open_nodes[-1].kind == "p":
                return None
            cursor.skip(4)
            self._open("code", depth).lines.append(cursor.rest())
            return "leaf"
        words = cursor.words()
        character = words[0]
        if character == ">" and depth < MAX_DEPTH:
            self._into_quote(cursor)
            self._open("quote", depth)
            return "container"
        if character == "#" and (match := _ATX.match(words)):
            node = self._open("h", depth)
            node.level = len(match.group(1))
            node.lines.append(_heading(words[match.end() :]))
            self.open_nodes.pop()
            return "leaf"
        if character in "`~" and (match := _FENCE.match(words)):
            node = self._open("fence", depth)
            node.mark = match.group(1) or match.group(2)
            node.info = words[len(node.mark) :].strip()
            node.indent = cursor.indent
            return "leaf"
        if character in "$\\" and self._math(words.rstrip(" \t"), depth):
            return "leaf"
        if container.kind == "p":
            if character in "|:-" and "|" in words and self._table(words, depth):
                return "leaf"
            if character in "=-" and (match := _SETEXT.match(words)) and self._underlined(container, match):
                return "leaf"
        if character in "*-_" and _RULE.match(words):
            self._open("rule", depth)
            self.open_nodes.pop()
            return "leaf"
        if depth < MAX_DEPTH and (match := _ITEM.match(words)) is not None and self._item(match, cursor, depth):
            return "container"
        return None

    def _math(self, words: str, depth: int) -> bool:
        """A formula on lines of its own: `$$` or `\\[` alone, or with its end on the same line."""
        begin = words[:2]
        if begin not in ("$$", "\\["):
            return False
        end = "$$" if begin == "$$" else "\\]"
        inner = words[2:].strip(" \t")
        if inner and (not inner.endswith(end) or end in inner[:-2] or not inner[:-2].strip(" \t")):
            return False
        node = self._open("math", depth)
        node.mark = end
        if inner:
            node.lines.append(inner[:-2].strip(" \t"))
            node.terminated = True
            self.open_nodes.pop()
        return True

    def _underlined(self, paragraph: Node, match: re.Match[str]) -> bool:
        """A paragraph becomes a heading, if more than link definitions is in it."""
        self._define(paragraph)
        if not paragraph.lines:
            # All of it were definitions: the line under them is text, in the same place.
            return False
        paragraph.kind = "h"
        paragraph.level = 1 if match.group(1)[0] == "=" else 2
        paragraph.end = self.line
        self.open_nodes.pop()
        return True

    def _table(self, words: str, depth: int) -> bool:
        """The last line of a paragraph becomes the head of a table, if this line is the rule under it."""
        paragraph = self.open_nodes[depth - 1]
        head = paragraph.lines[-1]
        if "|" not in head or words[:2] in ("- ", "-\t") or not _ALIGNS.match(words):
            return False
        rules = split_row(words)
        if len(split_row(head)) != len(rules):
            return False
        paragraph.lines.pop()
        if paragraph.lines:
            paragraph.end = self.line - 2
            self._close(depth - 1)
        else:
            self.open_nodes.pop()
            self.open_nodes[-1].children.pop()
        table = Node("table", self.line)
        table.aligns = tuple(_ALIGN[rule.startswith(":"), rule.endswith(":")] for rule in rules)
        table.lines = [head]
        self.open_nodes[-1].children.append(table)
        self.open_nodes.append(table)
        return True

    def _item(self, match: re.Match[str], cursor: Cursor, depth: int) -> bool:
        container = self.open_nodes[depth - 1]
        marker = match.group(0)
        if container.kind == "p" and (
            not cursor.text[cursor.next + len(marker) :].strip(" \t")
            or (match.group(2) and int(match.group(2)) != 1)
        ):
            return False
        mark = match.group(1) or match.group(3)
        indent = cursor.indent
        cursor.take(len(marker))
        width = indent + len(marker) + (1 if cursor.blank or cursor.indent > 4 else cursor.indent)
        if not cursor.blank:
            cursor.skip(1 if cursor.indent > 4 else cursor.indent)
        if container.kind != "list" or container.mark != mark:
            node = self._open("list", depth)
            node.mark = mark
            node.info = match.group(2) or ""
            depth = len(self.open_nodes)
        self._open("item", depth).width = width
        return True

    # --- text, opening, closing

    def _text(self, cursor: Cursor, depth: int) -> None:
        tip = self.open_nodes[-1]
        if depth < len(self.open_nodes) and not cursor.blank and tip.kind == "p":
            self._add(tip, cursor.words())  # a lazy line: it goes on with the paragraph all the same
            return
        self._close(depth)
        if cursor.blank:
            return
        node = self.open_nodes[-1]
        if node.kind == "table":
            row = self.last = Node("row", self.line)
            row.lines.append(cursor.words())
            node.children.append(row)
            node.end = self.line
        else:
            if node.kind != "p":
                node = self._open("p", depth)
                parent = self.open_nodes[-2]
                if parent.kind == "item" and len(parent.children) == 1:
                    node.mark = "first"
            self._add(node, cursor.words())

    def _add(self, paragraph: Node, words: str) -> None:
        if words[0] == "[" and paragraph.lines and not paragraph.info:
            # No title of a definition begins so: where all lines are definitions, they are complete.
            self._define(paragraph, whole=True)
            paragraph.info = "text" if paragraph.lines else ""
        paragraph.lines.append(words)
        paragraph.end = self.line
        self.last = paragraph

    def _open(self, kind: str, depth: int) -> Node:
        while not (self.open_nodes[depth - 1].kind in _CONTAINERS and kind != "item") and not (
            self.open_nodes[depth - 1].kind == "list" and kind == "item"
        ):
            depth -= 1
        self._close(depth)
        parent = self.open_nodes[-1]
        if (
            parent.children
            and parent.kind in ("item", "list")
            and parent.children[-1].last_line() < self.line - 1
        ):
            (parent if parent.kind == "list" else self.open_nodes[-2]).loose = True
        node = self.last = Node(kind, self.line)
        parent.children.append(node)
        self.open_nodes.append(node)
        return node

    def _close(self, depth: int) -> None:
        while len(self.open_nodes) > depth:
            node = self.open_nodes.pop()
            if node.kind == "p":
                self._define(node)
                if not node.lines:
                    self.open_nodes[-1].children.pop()

    def _define(self, paragraph: Node, *, whole: bool = False) -> None:
        """Take the link definitions at the beginning of a paragraph out of it; or all of it, or nothing."""
        if paragraph.lines and paragraph.lines[0].startswith("["):
            defined, rest = definitions("\n".join(paragraph.lines))
            if whole and rest:
                return
            for label, reference in defined:
                self.references.setdefault(label, reference)
            if defined:
                paragraph.lines = rest.split("\n") if rest else []


_ALIGN = {(False, False): "", (True, False): "left", (False, True): "right", (True, True): "center"}


def split_row(line: str) -> list[str]:
    r"""The cells of a table's row; `\|` is a stroke inside a cell."""
    line = line.strip()
    if line.startswith("|"):
        line = line[1:]
    if line.endswith("|") and not line.endswith("\\|"):
        line = line[:-1]
    # The reader of an answer makes control characters visible first, so none can stand in it.
    return [cell.strip().replace("\0", "|") for cell in line.replace("\\|", "\0").split("|")]


def _heading(text: str) -> str:
    """The words of a heading, without the marks that may stand behind them."""
    text = text.strip(" \t")
    bare = text.rstrip("#")
    return bare.rstrip(" \t") if not bare or bare[-1] in " \t" else text
