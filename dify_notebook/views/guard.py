"""Text as it may stand in markdown that others render: in prose, in a field, in code.

What is taken for a tag, an image, a fence or a link elsewhere is written as character references, which every
reader of markdown shows as the characters that they stand for.
"""

from __future__ import annotations

import re

from .clean import one_line
from .inline import formula

WEB = r"(?:https?://|mailto:)"
"""How an address begins that a link may have."""

_FIELD = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
    | {sign: f"&#{ord(sign)};" for sign in "`[]|$\\"}
    | {sign: f"\\{sign}" for sign in "*_#!~"}
)
_BARE = re.compile(r"(?i)(https?|ftp)://|www\.")
_LINE_START = re.compile(r"^(\d*)([-+=:.)])")
_LINE_ENDS = re.compile("[\u2028\u2029]")
_RUNS = re.compile(r"`+")
_WORD = re.compile(r"\S*")

_SIGN = re.compile(r"(?i)[`\\<$]|!\[|\](?:\(|:)|~{3,}|(?:https?|ftp)://|www\.")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_ADDRESS = rf"{WEB}[^\s<>`$|\\\[\]]*"
_AUTOLINK = re.compile(rf"(?i)<{_ADDRESS}>")
_TARGET = re.compile(
    rf"(?i)\]\([ \t]*(?:<{_ADDRESS}>|{WEB}[^\s<>`$|\\\[\]()\"']*)(?:[ \t]+\"[^\"<>`$|\\\[\]\n]*\")?[ \t]*\)"
)
_LEADS = re.compile(rf"(?i)\s*<?{WEB}")
_END = re.compile(r"\\\\[\])]|\\end\{[a-z]*\*?\}")
_BEGIN = re.compile(r"\\begin\{([a-z]*\*?)\}")
_UNCLEAR = re.compile(r"[<`\\$]|!\[|\]\(|~{3}")
"""What cannot stand in an address and be guarded as well."""
_AMBIGUOUS = re.compile(r"[`$\[\]|\\]")
"""What a span of code may not hold if others have to see the same span."""
_REACHING = re.compile(r"`{3}|~{3}|\]\(|!\[|\$\$|\\begin\{|\\\\\[")
"""What would be more than text wherever a span is none."""


def escaped(text: str) -> str:
    """A line of text that markdown shows as it is, in a table's cell too; addresses in it become no links."""
    return _LINE_START.sub(r"\1\\\2", _shown(text))


def _shown(text: str) -> str:
    return _BARE.sub(lambda found: _unlinked(found.group()), text.translate(_FIELD))


def _unlinked(begin: str) -> str:
    """The beginning of an address of which no reader makes a link."""
    return begin.replace(":", "&#58;").replace(".", "&#46;")


def as_title(text: str) -> str:
    """One line of text in which markdown and HTML mean nothing."""
    return escaped(one_line(text, 400))


def fenced(text: str, language: str = "") -> str:
    """Code in a fence that nothing inside it can close."""
    longest = max((len(run.group()) for run in _RUNS.finditer(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{_LINE_ENDS.sub(chr(10), text)}\n{fence}"


def guarded(text: str) -> str:
    """The inside of a paragraph, a heading or a cell without what reaches further than text."""
    return _Guard(text).out()


class _Guard:
    """Reads one leaf from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.parts: list[str | tuple[str, str]] = []
        """Text as it goes out, and code spans as (backticks, code)."""
        self.unclear = False
        """Whether a formula of signs that only some know could swallow a span."""
        self.runs: dict[int, list[int]] = {}
        """Where runs of so many backticks stand, the last first."""
        for run in reversed(list(_RUNS.finditer(text))):
            self.runs.setdefault(len(run.group()), []).append(run.start())
        self.ends = {found.group(): found.start() for found in _END.finditer(text)}
        """Where each sign that ends a formula stands last."""
        self.word = (0, -1)
        """Where the present word ends, and the last place in it that an address cannot hold."""
        self.after = 0
        """Where to go on behind the formula that was written."""

    def out(self) -> str:
        at = 0
        while found := _SIGN.search(self.text, at):
            self.parts.append(self.text[at : found.start()])
            at = self._sign(found.group(), found.start())
        self.parts.append(self.text[at:])
        plain = self._ambiguous()
        return "".join(one if isinstance(one, str) else _span(*one, plain=plain) for one in self.parts)

    def _ambiguous(self) -> bool:
        """Whether others could take for text what is a span here: marks or dollars would pair otherwise."""
        spans = [at for at, one in enumerate(self.parts) if isinstance(one, tuple)]
        dollars = [at for at, one in enumerate(self.parts) if isinstance(one, str) and "$" in one]
        return (
            self.unclear
            or any(_AMBIGUOUS.search(self.parts[at][1]) for at in spans)
            or any(dollars[0] < at < dollars[-1] for at in spans if dollars)
        )

    def _sign(self, sign: str, at: int) -> int:
        """Write what begins here, and say where to go on."""
        text, parts = self.text, self.parts
        first = sign[0]
        if first == "`":
            return self._code(at)
        if first == "\\":
            return self._backslash(at)
        if first == "$":
            return self._dollar(at)
        if first == "<":
            if link := _AUTOLINK.match(text, at):
                parts.append(link.group())
                return link.end()
            parts.append("&lt;" if _TAG.match(text, at) else "<")
            return at + 1
        if sign == "![":
            parts.append("!&#91;")
        elif sign == "](":
            if target := _TARGET.match(text, at):
                parts.append(target.group())
                return target.end()
            parts.append("]&#40;")
        elif sign == "]:":
            parts.append(sign if _LEADS.match(text, at + 2) else "]&#58;")
        elif first == "~":
            parts.append("&#126;" * len(sign))
        else:
            parts.append(_unlinked(sign) if self._unclear(at) else sign)
        return at + len(sign)

    def _code(self, at: int) -> int:
        run = _RUNS.match(self.text, at)
        assert run is not None
        size = len(run.group())
        places = self.runs.get(size, [])
        while places and places[-1] <= at:
            places.pop()
        if not places:
            self.parts.append("&#96;" * size)
            return run.end()
        code = self.text[run.end() : places[-1]].replace("\n", " ")
        self.parts.append((run.group(), code))
        return places[-1] + size

    def _unclear(self, at: int) -> bool:
        """Whether the address that begins here runs into something that has to be guarded."""
        if at >= self.word[0]:
            word = _WORD.match(self.text, at)
            assert word is not None
            last = -1
            for found in _UNCLEAR.finditer(self.text, at, word.end()):
                last = found.start()
            self.word = (word.end(), last)
        return self.word[1] > at

    def _backslash(self, at: int) -> int:
        text, parts = self.text, self.parts
        two = text[at : at + 2]
        if two in ("\\(", "\\[") and self._formula(at):
            return self.after
        if two == "\\\\" and (begun := text[at + 2 : at + 3]) in ("(", "["):
            closed = self._closed("\\\\)" if begun == "(" else "\\\\]", at)
            parts.append(two if closed else f"{two}&#{ord(begun)};")
            return at + 2 if closed else at + 3
        if begin := _BEGIN.match(text, at):
            closed = self._closed(f"\\end{{{begin.group(1)}}}", at)
            parts.append(begin.group() if closed else begin.group().replace("{", "&#123;"))
            return begin.end()
        if two == "\\`":
            parts.append("&#96;")
        elif two == "\\<":
            parts.append("&lt;")
        else:
            parts.append(two)
        return at + 2

    def _closed(self, end: str, at: int) -> bool:
        """Whether what begins here is a formula to some; what stands in it is then no code to them."""
        closed = self.ends.get(end, -1) > at
        self.unclear = self.unclear or closed
        return closed

    def _dollar(self, at: int) -> int:
        if self._formula(at):
            return self.after
        self.parts.append("&#36;" if self.text[at : at + 2] == "$$" else "$")
        return at + 1

    def _formula(self, at: int) -> bool:
        """Write the formula that begins here, if there is one, and one for others too."""
        found = formula(self.text, at, len(self.text))
        if found is None:
            return False
        begin, end = at + found.marks, found.end - found.marks
        tex = self.text[begin:end]
        if re.search(r"[`$]|~{3}|\\\\[\[(]", tex) or tex.endswith("\\") or not _balanced(tex):
            return False
        self.parts.append(f"{self.text[at:begin]}{inert(tex)}{self.text[end : found.end]}")
        self.after = found.end
        return True


def inert(tex: str) -> str:
    """The same formula with a blank more, and no tag, image or link for those who know no formulas."""
    for sign, apart in (("](", "] ("), ("![", "! ["), ("]:", "] :")):
        tex = tex.replace(sign, apart)
    return _TAG.sub("< ", tex)


def _balanced(tex: str) -> bool:
    ends = {found.group(): found.start() for found in _END.finditer(tex)}
    return all(ends.get(f"\\end{{{begin.group(1)}}}", -1) > begin.start() for begin in _BEGIN.finditer(tex))


def _span(marks: str, code: str, *, plain: bool) -> str:
    """A span of code in the shortest marks that its inside allows, or as text."""
    if _REACHING.search(code) or (plain and _TAG.search(code)):
        return f"&#96;{_shown(code.strip())}&#96;"
    runs = {len(run.group()) for run in _RUNS.finditer(code)}
    size = next(n for n in (1, 2, 3) if n not in runs)
    return f"{'`' * size}{code}{'`' * size}"
