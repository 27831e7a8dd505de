"""Markdown that grows, as blocks: only what is open is rendered again.

`MarkdownRenderer.update(text)` is called with a longer and longer text. The lines are read
once (`lines.py`); closed nodes keep their very `Block`; of the open one only its open
piece is rendered: the last stretch of a fence, the last item, the last row, the last
sentences of a paragraph. What it gives depends on the text alone, never on the
steps in which it came.

Two things reach back: a list that turns loose renders its items again, and a
link definition that arrives late renders again what mentions it.

A paragraph is cut into pieces of some sentences where nothing is open (emphasis,
code, brackets, math), at the latest after `MAX_PIECE` characters; there, and only there, a
mark that stays open for so long does not reach beyond.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, cast

from ..printable import glyphs
from ..redact import redact
from . import code as codes
from .block import Block
from .html import escape
from .inline import SENTENCE, math, render
from .lines import Node, Parser, split_row
from .pictures import MARK, Pictures
from .references import Reference, definitions, labels
from .stream_redactor import StreamRedactor

MIN_PIECE = 600
"""Characters before a paragraph is cut."""
MAX_PIECE = 2_400
"""Characters after which a paragraph is cut though something is open in it."""

_CUT = re.compile(SENTENCE + r"(?=\S)")
_SPACE = re.compile(r"\s(?=\S)")
_GROWING = 3
"""Characters of a mark at a text's end that stands for more and more, and of what closes it: not of a closed piece."""

_OPEN_PICTURE = re.compile(rf"\]\({MARK}.$")
_TASK = re.compile(r"\[([ xX])\][ \t]+(?=\S)")


class Piece(NamedTuple):
    """A closed stretch of a leaf."""

    size: int
    """Characters of the leaf's text that it covers."""
    source: str
    """These, and what had to stand behind them for the stretch to be closed."""
    block: Block


class MarkdownRenderer:
    """Renders one text while it grows.

    >>> renderer = MarkdownRenderer()
    >>> [block.tag for block in renderer.update("# Hi\\n\\nSome *te")]
    ['h1', 'p']
    >>> renderer.update("# Hi\\n\\nSome *text*")[1].html
    'Some <em>text</em>'
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._text = ""
        self._ended = False
        self._pending = ""
        self._secrets = StreamRedactor()
        self._pictures = Pictures()
        self._parser = Parser()
        self._references: dict[str, Reference] = {}
        self._known: tuple[Block, ...] = ()
        # Pieces of a long line that is not complete yet: its node lives for one frame only.
        self._drafts: dict[str, list[object]] = {}

    def update(self, text: str, *, ended: bool = False) -> tuple[Block, ...]:
        """The blocks of the whole text. A text that does not go on from the last one starts afresh.

        Args:
            ended: whether nothing more comes, so that data at the very end is whole.
        """
        same = len(text) == len(self._text)
        if not text.startswith(self._text) or (self._ended and not (same and ended)):
            self._reset()
        elif same and ended == self._ended:
            return self._known
        self._ended = ended
        fresh = self._pictures.take(glyphs(text[len(self._text) :]), ended=ended)
        self._text = text
        rest = self._pictures.rest(ended=ended)
        self._take(self._pending + fresh, ended=not rest)
        pending = self._pending + rest
        if not ended and _OPEN_PICTURE.search(pending, max(0, len(pending) - 4)):
            pending += ")"  # it is known to be a picture, and stands in its place while it comes
        parser = self._parser
        counts = [len(node.children) - 1 for node in parser.open_nodes[:-1]]
        tip = parser.open_nodes[-1]
        counts.append(len(tip.children))
        settled = {id(node): count for node, count in zip(parser.open_nodes, counts, strict=True)}
        if pending:
            parser = parser.fork()
            settled = {id(node): count for node, count in zip(parser.open_nodes, counts, strict=True)}
            parser.read(self._secrets.line(pending).rstrip("\r"))
            leaf = parser.last
            if id(leaf) not in settled:
                leaf.memo = self._drafts.setdefault(leaf.kind, [])
        self._refer(parser)
        self._known = _Frame(settled, self._references, self._pictures).children(parser.doc, False)
        return self._known

    def _take(self, buffer: str, *, ended: bool) -> None:
        """Read the complete lines; what is left waits for its end.

        Args:
            ended: whether the text ends here, as far as it is known.
        """
        if "\r" in buffer:
            # A CR at the end may be half of a CRLF.
            held = ended and buffer.endswith("\r")
            buffer = buffer[: len(buffer) - held].replace("\r\n", "\n").replace("\r", "\n") + "\r" * held
        *lines, self._pending = buffer.split("\n")
        for line in lines:
            self._parser.read(redact(line))
        if lines:
            self._secrets = StreamRedactor()
        tip = self._parser.open_nodes[-1]
        if lines and not tip.memo and tip.kind in ("p", "fence"):
            tip.memo = self._drafts.pop(tip.kind, [])

    def _refer(self, parser: Parser) -> None:
        """Note all link definitions; drop what mentions one that is new or another now."""
        references = parser.references
        tip = parser.open_nodes[-1]
        if tip.kind == "p" and tip.lines and tip.lines[0].startswith("["):
            defined, _ = definitions("\n".join(tip.lines))
            if defined:
                references = references.copy()
                for label, reference in defined:
                    references.setdefault(label, reference)
        if references != self._references:
            changed = {
                label
                for label in references.keys() | self._references.keys()
                if references.get(label) != self._references.get(label)
            }
            _forget(self._parser.doc, changed)
            self._drafts.clear()
            self._references = dict(references)


def _kept_size(text: str, memo: list[Piece]) -> int:
    """Forget the pieces that are no more of this text; gives where the others end."""
    at, known = 0, 0
    while known < len(memo) and text.startswith(memo[known].source, at):
        at += memo[known].size
        known += 1
    del memo[known:]
    return at


def _forget(node: Node, changed: set[str]) -> bool:
    """Drop what was rendered of every leaf that mentions a label, and of all that hold it."""
    touched = False
    for child in node.children:
        touched = _forget(child, changed) or touched
    if node.lines and node.kind in ("p", "h", "row", "table"):
        if node.labels is None or node.cache == {}:
            node.labels = labels("\n".join(node.lines))
        touched = touched or not node.labels.isdisjoint(changed)
    if touched:
        node.cache.clear()
        node.done.clear()
        node.memo.clear()
    return touched


class _Frame:
    """One rendering of the tree, which takes over what earlier ones closed."""

    def __init__(self, settled: dict[int, int], references: dict[str, Reference], pictures: Pictures) -> None:
        self.settled = settled
        """Of open nodes: how many of their children are closed for good."""
        self.references = references
        self.pictures = pictures

    def children(self, node: Node, tight: bool) -> tuple[Block, ...]:
        count = self.settled.get(id(node), 0)
        done: Sequence[Block] = ()
        if count:
            blocks = cast("list[Block]", node.done.setdefault(tight, []))
            for at in range(len(blocks), count):
                blocks.append(self.closed(node.children[at], str(at), tight))
            done = blocks[:count]
        rest = [
            self.block(child, str(at), tight)
            for at, child in enumerate(node.children[count:], count)
            if child.kind != "p" or self._words(child)  # nothing but definitions is shown as nothing
        ]
        return (*done, *rest)

    def closed(self, node: Node, key: str, tight: bool) -> Block:
        block = node.cache.get(tight)
        if block is None:
            block = node.cache[tight] = self.block(node, key, tight)
        return cast(Block, block)

    def block(self, node: Node, key: str, tight: bool) -> Block:
        if tight in node.cache:
            return cast(Block, node.cache[tight])
        return _RENDERERS[node.kind](self, node, key, tight)

    # --- leaves of text

    def _words(self, node: Node) -> str:
        text = "\n".join(node.lines)
        if text.startswith("[") and node.kind == "p":
            text = definitions(text)[1]
        text = text.strip(" \t\n")
        if node.mark == "first" and (box := _TASK.match(text)):
            text = ("\u2610 " if box.group(1) == " " else "\u2611 ") + text[box.end() :]
        return text

    def _prose(self, text: str, node: Node) -> tuple[str, tuple[Block, ...]]:
        """The inside of a leaf: html while it is short, else closed pieces and an open one."""
        memo = cast("list[Piece]", node.memo)
        last = self._pieces(text, memo)
        if not memo:
            return last.html, ()
        return "", (*(piece.block for piece in memo), last)

    def _pieces(self, text: str, memo: list[Piece]) -> Block:
        """Bring the closed pieces of a text up to date, and give the open one."""
        at = _kept_size(text, memo)
        while (cut := self._cut(text, at)) is not None:
            end, read_to, html = cut
            memo.append(Piece(end - at, text[at:read_to], Block(str(len(memo)), "span", {}, html)))
            at = end
        return Block(str(len(memo)), "span", {}, render(text[at:], self.references, self.pictures).html)

    def _cut(self, text: str, at: int) -> tuple[int, int, str] | None:
        """Where the piece that begins at `at` ends, up to where that had to be read, and its html."""
        if len(text) <= at + MIN_PIECE:
            return None
        search_from = at + MIN_PIECE
        while (match := _CUT.search(text, search_from, at + MAX_PIECE + 1)) is not None:
            inlines = render(text[at : match.end()], self.references, self.pictures)
            if not inlines.open:
                return match.end(), match.end() + 1, inlines.html
            search_from = max(match.end(), match.start() + 200)
        if len(text) <= at + MAX_PIECE + _GROWING:
            return None
        end = at + MAX_PIECE
        for match in _SPACE.finditer(text, at + max(MIN_PIECE, MAX_PIECE - 200), at + MAX_PIECE):
            end = match.end()
        end -= text[end - 1] == MARK
        return end, at + MAX_PIECE + 1, render(text[at:end], self.references, self.pictures).html

    def paragraph(self, node: Node, key: str, tight: bool) -> Block:
        html, pieces = self._prose(self._words(node), node)
        return Block(key, "div" if tight else "p", {} if tight else {"class": "dn-p"}, html, pieces)

    def heading(self, node: Node, key: str, tight: bool) -> Block:
        html, pieces = self._prose(self._words(node), node)
        return Block(key, f"h{node.level}", {"class": f"dn-h dn-h{node.level}"}, html, pieces)

    def rule(self, node: Node, key: str, tight: bool) -> Block:
        return Block(key, "hr", {"class": "dn-rule"})

    # --- leaves of lines

    def fence(self, node: Node, key: str, tight: bool) -> Block:
        text = self.pictures.replace_marks("\n".join(node.lines))
        if node.kind == "code":
            text = text.rstrip(" \t\n")
        name = codes.language(node.info)
        parts = codes.highlight(text, name) if node.terminated else None
        inner: Sequence[Block]
        if parts is None:
            inner = self._plain(text, node)
        else:
            inner = [Block(str(at), "span", {}, html) for at, html in enumerate(parts)]
        return Block(
            key,
            "pre",
            {"class": "dn-pre"},
            "",
            (Block("code", "code", {"class": "dn-prec"}, "", tuple(inner)),),
        )

    def _plain(self, text: str, node: Node) -> list[Block]:
        memo = cast("list[Piece]", node.memo)
        at = _kept_size(text, memo)
        while (end := codes.chunk_end(text, at)) is not None and end < len(text):
            memo.append(
                Piece(end - at, text[at : end + 1], Block(str(len(memo)), "span", {}, escape(text[at:end])))
            )
            at = end
        return [*(piece.block for piece in memo), Block(str(len(memo)), "span", {}, escape(text[at:]))]

    def formula(self, node: Node, key: str, tight: bool) -> Block:
        tex = self.pictures.replace_marks("\n".join(node.lines))
        return Block(key, "div", {"class": "dn-display"}, math(tex.strip(), display=True))

    # --- what holds others

    def quote(self, node: Node, key: str, tight: bool) -> Block:
        return Block(key, "blockquote", {"class": "dn-quote"}, "", self.children(node, False))

    def list_(self, node: Node, key: str, tight: bool) -> Block:
        attrs = {"class": "dn-list"}
        if node.mark in ".)":
            if node.info not in ("", "1"):
                attrs["start"] = str(int(node.info))
            return Block(key, "ol", attrs, "", self.children(node, not node.loose))
        return Block(key, "ul", attrs, "", self.children(node, not node.loose))

    def item(self, node: Node, key: str, tight: bool) -> Block:
        attrs = {"class": "dn-li"}
        first = node.children[0] if node.children else None
        if tight and first is not None and len(node.children) == 1 and first.kind == "p":
            inner = self.block(first, "0", True)
            return Block(key, "li", attrs, inner.html, inner.children)
        return Block(key, "li", attrs, "", self.children(node, tight))

    def table(self, node: Node, key: str, tight: bool) -> Block:
        head = Block("head", "thead", {}, "", (self._row(node, node, "th", "0"),))
        count = self.settled.get(id(node))
        if count is None:
            rows = tuple(self._row(row, node, "td", str(at)) for at, row in enumerate(node.children))
        else:
            done = cast("list[Block]", node.done.setdefault(False, []))
            for at in range(len(done), count):
                done.append(self._row(node.children[at], node, "td", str(at)))
            rest = [
                self._row(row, node, "td", str(at)) for at, row in enumerate(node.children[count:], count)
            ]
            rows = (*done, *rest)
        parts = (head, Block("body", "tbody", {}, "", rows)) if rows else (head,)
        inner = Block("table", "table", {"class": "dn-table dn-rows"}, "", parts)
        return Block(key, "div", {"class": "dn-scroll"}, "", (inner,))

    def _row(self, row: Node, table: Node, tag: str, key: str) -> Block:
        cells = split_row(row.lines[0])
        count = len(table.aligns)
        cells = cells[:count] + [""] * (count - len(cells))
        html = []
        memos = cast("list[list[Piece]]", row.memo if tag == "td" else [])
        memos += [[] for _ in range(count - len(memos))]
        for cell, align, memo in zip(cells, table.aligns, memos, strict=False):
            name = f"dn-{tag} dn-{align}" if align else f"dn-{tag}"
            last = self._pieces(cell, memo)
            inner = "".join(piece.block.html for piece in memo) + last.html
            html.append(f'<{tag} class="{name}">{inner}</{tag}>')
        return Block(key, "tr", {"class": "dn-tr"}, "".join(html))


_RENDERERS = {
    "p": _Frame.paragraph,
    "h": _Frame.heading,
    "rule": _Frame.rule,
    "fence": _Frame.fence,
    "code": _Frame.fence,
    "math": _Frame.formula,
    "quote": _Frame.quote,
    "list": _Frame.list_,
    "item": _Frame.item,
    "table": _Frame.table,
}
