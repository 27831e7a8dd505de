"""An answer's markdown written anew, so that every reader of markdown sees the same in it, and no HTML.

Readers disagree: about where code ends, what a formula is, which lines belong to a list. Text that is code to
one is markup to another. So the answer is read once (`lines.py`) and what was understood is written plainly:
blocks apart, markers and fences of one shape, and in prose no sign left that could begin a tag, an image, a
fence, a formula that swallows what follows, or a link to elsewhere than the web and mail. Such signs are
written as character references; a backslash would be lost where a reader makes a link of a bare address.

Code keeps every character. Where it holds something that would be markup outside of code, it has to be code
to all: a block stands at the left margin, outside of lists and quotations, and a span in the line stays a
span only where nothing near it could be read another way; else it is shown as text between its backticks.
Tables stand at the margin, too: to nbconvert (mistune) they are text elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..printable import shown
from . import code as codes
from .guard import WEB, fenced, guarded, inert
from .lines import Node, Parser, split_row

_LINE_ENDS = re.compile("[\u2028\u2029]")
_RISKY = re.compile(r"<[A-Za-z/!?]|`{3}|~{3}|\]\(|!\[|\]:|\$\$|\\begin\{|\\\\[\[(]")
_STRUCTURE = re.compile(
    r"(?=#{1,6}|>|[-+*](?:[ \t]|$)|=+[ \t]*$|(?:[*_][ \t]*){3,}$|[|:-][|: \t-]*$)|(\d{1,9})(?=[.)](?:[ \t]|$))"
)
"""A line's beginning that could be taken for more than text."""
_LABEL = re.compile(r"[\w .,;/+-]{1,200}")
_ADDRESS = re.compile(rf"(?i){WEB}[^\s<>`$|\\\[\]]*")
_TITLE = re.compile(r"[^\"<>`$|\\\[\]\n&]*")


class _Piece(NamedTuple):
    """Some blocks as text; what is `apart` stands at the left margin, whatever it was found in."""

    text: str
    apart: bool = False


def canonical(answer: str) -> str:
    """The answer as markdown in which nothing but code, links to the web and emphasis means anything."""
    parser = Parser()
    for line in _LINE_ENDS.sub("\n", shown(answer)).split("\n"):
        parser.read(line)
    parser.finish()
    pieces = [piece.text for piece in _blocks(parser.doc.children, "\n\n", top=True)]
    pieces += _definitions(parser)
    return "\n\n".join(piece for piece in pieces if piece)


def _definitions(parser: Parser) -> list[str]:
    lines = []
    for label, reference in parser.references.items():
        if _LABEL.fullmatch(label) and _ADDRESS.fullmatch(reference["href"]):
            title = reference["title"]
            suffix = f' "{title}"' if title and _TITLE.fullmatch(title) else ""
            lines.append(f"[{label}]: <{reference['href']}>{suffix}")
    return ["\n".join(lines)] if lines else []


def _blocks(nodes: Sequence[Node], gap: str, *, top: bool = False) -> list[_Piece]:
    """The pieces of some neighbours; those that stand nowhere apart are joined."""
    out: list[_Piece] = []
    texts: list[str] = []
    for node in nodes:
        for piece in _block(node, top):
            if not piece.apart:
                texts.append(piece.text)
                continue
            if texts:
                out.append(_Piece(gap.join(texts)))
                texts = []
            out.append(piece)
    return [*out, _Piece(gap.join(texts))] if texts else out


def _block(node: Node, top: bool) -> list[_Piece]:
    if node.kind == "quote":
        inner = _blocks(node.children, "\n\n")
        return [piece if piece.apart else _Piece(_prefixed(piece.text, "> ", "> ")) for piece in inner] or [_Piece(">")]
    if node.kind == "list":
        return _list(node)
    if node.kind in ("fence", "code"):
        return [_code(node, top)]
    if node.kind == "math":
        return [_math(node, top)]
    if node.kind == "h":
        text = guarded(" ".join(line.strip() for line in node.lines), " ")
        bare = text.rstrip("#")  # those at the end would not be shown
        return [_Piece(f"{'#' * node.level} {bare}{chr(92) * (bare != text)}{text[len(bare) :]}".rstrip())]
    if node.kind == "rule":
        return [_Piece("___")]
    if node.kind == "table":
        return [_Piece(_table(node), apart=True)]
    return [_Piece(_paragraph(node.lines))]


def _paragraph(lines: list[str]) -> str:
    text = guarded("\n".join(lines)).strip(" \t\n")
    return "\n".join(_line(line.lstrip(" \t")) for line in text.split("\n"))


def _line(line: str) -> str:
    """A line of a paragraph, which begins nothing."""
    match = _STRUCTURE.match(line)
    if match is None:
        return line
    number = match.group(1) or ""
    return f"{number}\\{line[len(number) :]}"


def _code(node: Node, top: bool) -> _Piece:
    text = "\n".join(node.lines)
    if node.kind == "code":
        text = text.rstrip(" \t\n")
    return _fence(text, codes.language(node.info), top)


def _fence(text: str, language: str, top: bool) -> _Piece:
    if language.startswith("mermaid") and re.search("[<&]", text):
        language = ""  # some readers put a diagram's source into the page as it is
    return _Piece(fenced(text, language), top or bool(_RISKY.search(text)))


def _math(node: Node, top: bool) -> _Piece:
    """A formula between dollars, the one form that all who know formulas know; else its source."""
    tex = "\n".join(line for line in node.lines if line.strip()).strip()
    if not tex or "$" in tex or "`" in tex or "~~~" in tex or tex.endswith("\\"):
        return _fence("\n".join(node.lines), "tex", top)
    return _Piece(f"$$\n{inert(tex)}\n$$")


def _table(node: Node) -> str:
    count = len(node.aligns)
    rules = {"": "---", "left": ":--", "right": "--:", "center": ":-:"}
    rows = [_row(node.lines[0], count), f"| {' | '.join(rules[align] for align in node.aligns)} |"]
    rows += [_row(row.lines[0], count) for row in node.children]
    return "\n".join(rows)


def _row(line: str, count: int) -> str:
    cells = split_row(line)[:count]
    cells += [""] * (count - len(cells))
    return "| " + " | ".join(guarded(cell, "<br>").replace("|", "\\|") for cell in cells) + " |"


def _list(node: Node) -> list[_Piece]:
    """The items; what stands apart, and what follows it in its item, is below that at the margin."""
    gap = "\n\n" if node.loose else "\n"
    out: list[_Piece] = []
    items: list[str] = []
    for mark, item in zip(_marks(node), node.children, strict=False):
        pieces = _blocks(item.children, gap)
        if pieces and pieces[0].apart:
            pieces.insert(0, _Piece("&nbsp;"))
        items.append(_prefixed(pieces[0].text if pieces else "", f"{mark} ", " " * (len(mark) + 1)))
        if len(pieces) > 1:
            out += [_Piece(gap.join(items)), *pieces[1:]]
            items = []
    return [*out, _Piece(gap.join(items))] if items else out


def _marks(node: Node) -> Iterator[str]:
    number = int(node.info or 1)
    while True:
        yield f"{number}{node.mark}" if node.mark in ".)" else node.mark
        number = min(number + 1, 999_999_999)


def _prefixed(text: str, first: str, others: str) -> str:
    lines = text.split("\n")
    prefixes = [first] + [others] * (len(lines) - 1)
    return "\n".join(prefix + line if line else prefix.rstrip() for prefix, line in zip(prefixes, lines, strict=True))
