"""Takes a model's reasoning out of its answer, wherever the stream was cut.

Three forms exist: `<think>…</think>` (Dify 1.x passes on what the model wrote), the
`<details style=…><summary> Thinking... </summary>…</details>` that Dify 0.15 makes of
it, and `reasoning_chunk` events, which never get here. Inside code the tags are text.
"""

from __future__ import annotations

import re

_THINK = "<think>"
_DETAILS = (
    '<details style="color:gray;background-color: #f8f8f8;padding: 8px;border-radius: 4px;" open> '
    "<summary> Thinking... </summary>"
)
_FENCE = re.compile(r" {0,3}(```|~~~)")
_BREAKS, _BLANKS = re.compile(r"[\r\n]*"), re.compile(r"\s*")


class ReasoningSplitter:
    """Fed with pieces of text, keeps what is answer apart from what is reasoning; in time linear in the text."""

    __slots__ = ("_closing", "_code", "_pending", "_skip_newlines", "_visible", "answer", "reasoning")

    def __init__(self) -> None:
        self.answer: list[str] = []
        self.reasoning: list[str] = []
        self._pending = ""  # what may turn out to be the beginning of a tag
        self._closing = ""  # the closing tag that we are waiting for, inside reasoning
        self._code = _Code()  # of the visible text
        self._skip_newlines = False
        self._visible = False  # whether there was more than blanks

    def feed(self, text: str) -> None:
        """Take the next piece, cut anywhere."""
        if not self._pending and not self._closing and not self._skip_newlines and "<" not in text:
            self._show(text)  # the usual case
            return
        text = self._pending + text
        self._pending = ""
        at = 0
        while at < len(text):
            at = self._inside(text, at) if self._closing else self._outside(text, at)

    def end(self) -> None:
        """Nothing follows: what was held back is text."""
        pending, self._pending = self._pending, ""
        if self._closing:
            self.reasoning.append(pending)
        else:
            self._show(pending)

    def _inside(self, text: str, at: int) -> int:
        """Take the reasoning that begins at `at`; the place behind it."""
        end = text.find(self._closing, at)
        if end >= 0:
            self.reasoning.append(text[at:end])
            at = end + len(self._closing)
            self._closing = ""
            self._skip_newlines = True
            return at
        size = len(text) - _overlap(text, at, self._closing)
        self.reasoning.append(text[at:size])
        self._pending = text[size:]
        return len(text)

    def _outside(self, text: str, at: int) -> int:
        """Take the answer that begins at `at`; the place behind it."""
        if self._skip_newlines:
            match = (_BREAKS if self._visible else _BLANKS).match(text, at)
            at = match.end() if match else at
            if at == len(text):
                return at
            self._skip_newlines = False
        begin = at
        while (start := text.find("<", at)) >= 0:
            at = start + 1
            tag = next((tag for tag in (_THINK, _DETAILS) if text.startswith(tag, start)), "")
            if tag:
                self._show(text[begin:start])
                begin = start
                if not self._code.open:
                    if self.reasoning:
                        self.reasoning.append("\n\n")
                    self._closing = "</think>" if tag == _THINK else "</details>"
                    return start + len(tag)
            elif len(text) - start < len(_DETAILS):  # the beginning of a tag can stand at the end alone
                cut = text[start:]
                if any(tag.startswith(cut) for tag in (_THINK, _DETAILS)):
                    self._show(text[begin:start])
                    self._pending = cut
                    return len(text)
        self._show(text[begin:])
        return len(text)

    def _show(self, text: str) -> None:
        if not text:
            return
        self.answer.append(text)
        self._visible = self._visible or not text.isspace()
        self._code.feed(text)


class _Code:
    """Whether what follows a text stands in a fence, or in a code span of its line.

    Of the open line it keeps what that takes, and not the line, which may be the whole answer.
    """

    __slots__ = ("_ends_in_tick", "_fence", "_head", "_odd", "_shape")

    def __init__(self) -> None:
        self._fence = ""
        self._begin()

    def _begin(self) -> None:
        self._head = ""  # its first characters, where a fence may stand
        self._shape = ""  # blanks, marks and blanks, one for each run; "x" when there is anything else
        self._odd = False  # whether it has an odd number of backticks
        self._ends_in_tick = False  # whether it ends with one

    @property
    def open(self) -> bool:
        """Whether what follows is code, or stands right behind a backtick."""
        return bool(self._fence) or self._ends_in_tick or self._odd

    def feed(self, text: str) -> None:
        """Take the next piece, cut anywhere."""
        if "\n" not in text:
            self._more(text)
            return
        first, _, rest = text.partition("\n")
        whole, _, last = rest.rpartition("\n")
        self._more(first)
        self._end_line()
        if "```" in whole or "~~~" in whole:
            for line in whole.split("\n"):
                self._more(line)
                self._end_line()
        self._more(last)

    def _end_line(self) -> None:
        match = _FENCE.match(self._head)
        if match and not self._fence:
            self._fence = match[1]
        elif match and match[1] == self._fence and self._shape != "x":
            self._fence = ""
        self._begin()

    def _more(self, text: str) -> None:
        if not text:
            return
        if len(self._head) < 6:  # three blanks and three marks
            self._head = (self._head + text)[:6]
        self._ends_in_tick = text[-1] == "`"
        if self._ends_in_tick or "`" in text:
            self._odd ^= text.count("`") % 2 == 1
        if self._shape != "x":
            line = self._shape + text
            marks = line.strip()
            ends = (line[:1].isspace(), bool(marks) and line[-1].isspace())
            self._shape = "x" if marks.strip("`~") else " " * ends[0] + marks[:1] + " " * ends[1]


def _overlap(text: str, begin: int, tag: str) -> int:
    """Length of the longest end of `text`, from `begin` on, that begins `tag`."""
    for size in range(min(len(tag) - 1, len(text) - begin), 0, -1):
        if text.endswith(tag[:size]):
            return size
    return 0


def split_reasoning(text: str) -> tuple[str, str]:
    """(answer, reasoning) of a whole text.

    >>> split_reasoning("<think>\\nhm\\n</think>\\nYes.")
    ('Yes.', 'hm')
    """
    if "<" not in text:  # one character is found much faster
        return text, ""
    splitter = ReasoningSplitter()
    splitter.feed(text)
    splitter.end()
    return "".join(splitter.answer), "".join(splitter.reasoning).strip()
