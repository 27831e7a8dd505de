"""Text as it may stand in markdown that others render: in prose, in a field, in code.

What is taken for a tag, an image, a fence or a link elsewhere is written as character references, which every
reader of markdown shows as the characters that they stand for.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..printable import one_line
from .addresses import address_end
from .flanking import Side, commonmark_flanks, flanks, side
from .inline import LINE_BREAK, formula

WEB = r"(?:https?://|mailto:)"
"""How an address begins that a link may have."""

_FIELD = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
    | {char: f"&#{ord(char)};" for char in "`[]|$\\"}
    | {char: f"\\{char}" for char in "*_#!~"}
)
_BARE = re.compile(r"(?i)(https?|ftp)://|www\.")
_LINE_START = re.compile(r"^(\d*)([-+=:.)])")
_LINE_ENDS = re.compile("[\u2028\u2029]")
_RUNS = re.compile(r"`+")
_WORD = re.compile(r"[^ \t\n\r\f\v]*")  # other blanks are part of an address to some
_MARKED = re.compile(r"\*|~~|(?<![^\W_])_|_(?![^\W_])")
"""What means emphasis to those who look for addresses last."""
_LABEL = str.maketrans({char: f"&#{ord(char)};" for char in "*_~"})
_GOES_ON = tuple("|{}")
"""Signs of ASCII that are part of an address to some."""

_RUN = re.compile(r"\*+|~~")
_INSIDE = re.compile(r"_++(?=[^\W_])")
_REFERENCE = Side(space=False, punctuation=True, cjk=False, strict_punctuation=True)
"""What others see of a character that is written as a reference: a semicolon, or an ampersand."""
_LINE_BREAKS = re.compile(rf"(?:{LINE_BREAK.pattern})++")
_SIGN = re.compile(r"(?i)[`\\<$]|!?\[|\](?:\(|:)?|\*+|~{2,}|(?:https?|ftp)://|www\.")
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
_ABROAD = re.compile(r"[^\x00-\x7f]")
_AMBIGUOUS = re.compile(r"[`$\[\]|\\]")
"""What a span of code may not hold if others have to see the same span."""
_REACHING = re.compile(r"`{3}|~{3}|\]\(|!\[|\$\$|\\begin\{|\\\\\[")
"""What would be more than text wherever a span is none."""


def escaped(text: str) -> str:
    """A line of text that markdown shows as it is, in a table's cell too; addresses in it become no links."""
    return _LINE_START.sub(r"\1\\\2", _shown(text))


def _shown(text: str) -> str:
    return _BARE.sub(lambda match: _unlinked(match.group()), text.translate(_FIELD))


def _reference(character: str) -> str:
    return f"&#{ord(character)};"


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


def guarded(text: str, line_break: str = "\\\n") -> str:
    """The inside of a paragraph, a heading or a cell without what reaches further than text.

    Args:
        line_break: how a `<br>` is written there.
    """
    return _Guard(text, line_break).out()


class _Linked(NamedTuple):
    """A bare address as a link that all see."""

    text: str
    end: int


class _Guard:
    """Reads one leaf from left to right."""

    def __init__(self, text: str, line_break: str) -> None:
        self.text = text
        self.line_break = line_break
        self.referred = -1
        """Behind which character, written as a reference, the text goes on."""
        self.opened: set[str] = set()
        """The marks of emphasis of which there was a run."""
        self.bracket = False
        """Whether a bracket is open, so that this may be the text of a link."""
        self.parts: list[str | tuple[str, str]] = []
        """Text as it goes out, and code spans as (backticks, code)."""
        self.unclear = False
        """Whether a formula of signs that only some know could swallow a span."""
        self.runs: dict[int, list[int]] = {}
        """Where runs of so many backticks stand, the last first."""
        for run in reversed(list(_RUNS.finditer(text))):
            self.runs.setdefault(len(run.group()), []).append(run.start())
        self.ends = {match.group(): match.start() for match in _END.finditer(text)}
        """Where each sign that ends a formula stands last."""
        self.word = (0, -1, -1)
        """Where the present word ends; the last places in it that an address cannot hold, and that are not ASCII."""
        self.after = 0
        """Where to go on behind the formula that was written."""

    def out(self) -> str:
        at = 0
        while match := _SIGN.search(self.text, at):
            self.parts.append(self.text[at : match.start()])
            at = self._write_marker(match.group(), match.start())
        self.parts.append(self.text[at:])
        plain = self._ambiguous()
        return "".join(part if isinstance(part, str) else _span(*part, plain=plain) for part in self.parts)

    def _ambiguous(self) -> bool:
        """Whether others could take for text what is a span here: marks or dollars would pair otherwise."""
        spans = [at for at, part in enumerate(self.parts) if isinstance(part, tuple)]
        dollars = [at for at, part in enumerate(self.parts) if isinstance(part, str) and "$" in part]
        return (
            self.unclear
            or any(_AMBIGUOUS.search(self.parts[at][1]) for at in spans)
            or any(dollars[0] < at < dollars[-1] for at in spans if dollars)
        )

    def _write_marker(self, marker: str, at: int) -> int:
        """Write what begins here, and say where to go on."""
        text, parts = self.text, self.parts
        first = marker[0]
        if first == "`":
            return self._code(at)
        if first == "\\":
            return self._backslash(at)
        if first == "$":
            return self._dollar(at)
        if first == "*" or marker == "~~":
            return self._emphasis(marker, at)
        if marker in ("[", "]"):
            self.bracket = marker == "["
            parts.append(marker)
            return at + 1
        if first == "<":
            if line_breaks := _LINE_BREAKS.match(text, at):
                count = line_breaks[0].count("<") if line_breaks.end() < len(text) else 0
                parts.append(self.line_break * count)
                return line_breaks.end()
            if link := _AUTOLINK.match(text, at):
                parts.append(link.group())
                return link.end()
            parts.append("&lt;" if _TAG.match(text, at) else "<")
            return at + 1
        self.bracket = self.bracket and first != "]"
        if marker == "![":
            parts.append("!&#91;")
        elif marker == "](":
            if target := _TARGET.match(text, at):
                parts.append(target.group())
                return target.end()
            parts.append("]&#40;")
        elif marker == "]:":
            parts.append(marker if _LEADS.match(text, at + 2) else "]&#58;")
        elif first == "~":
            parts.append("&#126;" * len(marker))
        else:
            return self._bare(marker, at)
        return at + len(marker)

    def _bare(self, begin: str, at: int) -> int:
        if linked := self._linked(at):
            self.parts.append(linked.text)
            self.referred = linked.end
            return linked.end
        self.parts.append(_unlinked(begin) if self._unclear(at) else begin)
        return at + len(begin)

    def _linked(self, at: int) -> _Linked | None:
        """The bare address at a place as a link, where others would not see its end, or something else in it."""
        end = None if self.bracket else address_end(self.text, at, len(self.text))
        if end is None or not self._ends_unseen(at, end):
            return None
        address = self.text[at:end]
        has_scheme = "://" in address[:8]
        link = _AUTOLINK.fullmatch(f"<{address}>" if has_scheme else f"<http://{address}>")
        label = address.translate(_LABEL)
        return _Linked(link[0] if has_scheme else f"[{label}]({link[0]})", end) if link else None

    def _ends_unseen(self, at: int, end: int) -> bool:
        self._scan_word(at)
        text = self.text
        return (
            max(self.word[1:]) >= end
            or text.startswith(_GOES_ON, end)
            or not text[max(0, at - 1) : at].isascii()
            or _MARKED.search(text, at, end) is not None
        )

    def _emphasis(self, run: str, at: int) -> int:
        """Marks beside writing without blanks: CommonMark's readers have to see punctuation on the outer side too."""
        end = at + len(run)
        self.parts.append(run)
        surroundings = self.text[max(0, at - 1) : end + 5]
        if self.referred != at and surroundings.isascii() and self.text[end : end + 1] not in tuple("hHwW"):
            self.opened.add(run[0])
            return end
        before, after = self._needs(at, end, referred=self.referred == at)
        self.opened.add(run[0])
        if before:
            self._refer_to_last(self.text[at - 1])
        if after:
            self.parts.append(_reference(self.text[end]))
            self.referred = end + 1
            if match := _INSIDE.match(self.text, end + 1):
                self.parts.append(match[0].replace("_", "&#95;"))
                return match.end()
            return end + 1
        return end

    def _needs(self, at: int, end: int, *, referred: bool = False, ahead: bool = True) -> tuple[bool, bool]:
        """Whether the character before a run, and that behind it, has to be written as a reference to it.

        Args:
            referred: whether that before it is already.
            ahead: whether to look if the run behind the next character needs one there.
        """
        text = self.text
        before, after = side(text, at - 1, -1, len(text)), side(text, end, 1, len(text))
        run = _RUN.match(text, end + 1) if ahead else None
        punctual = self._linked(end) is not None or (run and self._needs(run.start(), run.end(), ahead=False)[0])
        if not (before.cjk or after.cjk or referred or punctual):
            return False, False
        meant = flanks(before, after, alone=end - at == 1)
        strict = commonmark_flanks(_REFERENCE if referred else before, _REFERENCE if punctual else after)
        opens = meant.opens and not strict.opens and text.find(text[at], end) >= 0
        closes = meant.closes and not strict.closes and not punctual and text[at] in self.opened
        return opens, closes

    def _refer_to_last(self, character: str) -> None:
        """Write the last character before the run as a reference to it."""
        at = len(self.parts) - 2
        while at > 0 and not self.parts[at]:
            at -= 1
        part = self.parts[at]
        if isinstance(part, str) and part.endswith(character):
            prefix = part[:-1]
            if prefix == "\\":
                prefix = "&#92;"
            elif prefix.rstrip("_")[-1:].isalnum():
                prefix = prefix.rstrip("_") + "&#95;" * (len(prefix) - len(prefix.rstrip("_")))
            self.parts[at] = prefix + _reference(character)

    def _code(self, at: int) -> int:
        run = _RUNS.match(self.text, at)
        assert run is not None
        size = len(run.group())
        positions = self.runs.get(size, [])
        while positions and positions[-1] <= at:
            positions.pop()
        if not positions:
            self.parts.append("&#96;" * size)
            return run.end()
        code = self.text[run.end() : positions[-1]].replace("\n", " ")
        self.parts.append((run.group(), code))
        return positions[-1] + size

    def _unclear(self, at: int) -> bool:
        """Whether the address that begins here runs into something that has to be guarded."""
        self._scan_word(at)
        return self.word[1] > at

    def _scan_word(self, at: int) -> None:
        """Read the word, unless it is the one that was read last."""
        if at >= self.word[0]:
            word = _WORD.match(self.text, at)
            assert word is not None
            last = [-1, -1]
            for index, pattern in enumerate((_UNCLEAR, _ABROAD)):
                for match in pattern.finditer(self.text, at, word.end()):
                    last[index] = match.start()
            self.word = (word.end(), last[0], last[1])

    def _backslash(self, at: int) -> int:
        text, parts = self.text, self.parts
        two = text[at : at + 2]
        if two in ("\\(", "\\[") and self._formula(at):
            return self.after
        if two == "\\\\" and (bracket := text[at + 2 : at + 3]) in ("(", "["):
            closed = self._closed("\\\\)" if bracket == "(" else "\\\\]", at)
            parts.append(two if closed else f"{two}&#{ord(bracket)};")
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
        result = formula(self.text, at, len(self.text))
        if result is None:
            return False
        begin, end = at + result.marks, result.end - result.marks
        tex = self.text[begin:end]
        if re.search(r"[`$]|~{3}|\\\\[\[(]", tex) or tex.endswith("\\") or not _balanced(tex):
            return False
        self.parts.append(f"{self.text[at:begin]}{inert(tex)}{self.text[end : result.end]}")
        self.after = result.end
        return True


def inert(tex: str) -> str:
    """The same formula with a blank more, and no tag, image or link for those who know no formulas."""
    for marker, apart in (("](", "] ("), ("![", "! ["), ("]:", "] :")):
        tex = tex.replace(marker, apart)
    return _TAG.sub("< ", tex)


def _balanced(tex: str) -> bool:
    ends = {match.group(): match.start() for match in _END.finditer(tex)}
    return all(ends.get(f"\\end{{{begin.group(1)}}}", -1) > begin.start() for begin in _BEGIN.finditer(tex))


def _span(marks: str, code: str, *, plain: bool) -> str:
    """A span of code in the shortest marks that its inside allows, or as text."""
    if _REACHING.search(code) or (plain and _TAG.search(code)):
        return f"&#96;{_shown(code.strip())}&#96;"
    runs = {len(run.group()) for run in _RUNS.finditer(code)}
    size = next(n for n in (1, 2, 3) if n not in runs)
    return f"{'`' * size}{code}{'`' * size}"
