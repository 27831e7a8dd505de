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
_FENCE = re.compile(r"(?m)^ {0,3}(```|~~~)")


class ReasoningSplitter:
    """Fed with pieces of text, keeps what is answer apart from what is reasoning."""

    __slots__ = ("_closing", "_fence", "_held", "_line", "_skip_newlines", "_visible", "answer", "reasoning")

    def __init__(self) -> None:
        self.answer: list[str] = []
        self.reasoning: list[str] = []
        self._held = ""  # what may turn out to be the beginning of a tag
        self._closing = ""  # the closing tag that we are waiting for, inside reasoning
        self._line = ""  # the visible text since the last line break, for fences and backticks
        self._fence = ""  # the fence that is open in the visible text
        self._skip_newlines = False
        self._visible = False  # whether there was more than blanks

    def feed(self, text: str) -> None:
        """Take the next piece, cut anywhere."""
        if not self._held and not self._closing and not self._skip_newlines and "<" not in text:
            self._show(text)  # the usual case
            return
        text = self._held + text
        self._held = ""
        while text:
            text = self._inside(text) if self._closing else self._outside(text)

    def end(self) -> None:
        """Nothing follows: what was held back is text."""
        held, self._held = self._held, ""
        if self._closing:
            self.reasoning.append(held)
        else:
            self._show(held)

    def _inside(self, text: str) -> str:
        place = text.find(self._closing)
        if place >= 0:
            self.reasoning.append(text[:place])
            text = text[place + len(self._closing) :]
            self._closing = ""
            self._skip_newlines = True
            return text
        keep = _overlap(text, self._closing)
        self.reasoning.append(text[: len(text) - keep])
        self._held = text[len(text) - keep :]
        return ""

    def _outside(self, text: str) -> str:
        if self._skip_newlines:
            text = text.lstrip("\r\n") if self._visible else text.lstrip()
            if not text:
                return ""
            self._skip_newlines = False
        start = 0
        while True:
            place = text.find("<", start)
            if place < 0:
                self._show(text)
                return ""
            tag = next((tag for tag in (_THINK, _DETAILS) if text.startswith(tag, place)), "")
            if tag and not self._in_code(text[:place]):
                self._show(text[:place])
                if self.reasoning:
                    self.reasoning.append("\n\n")
                self._closing = "</think>" if tag == _THINK else "</details>"
                return text[place + len(tag) :]
            if len(text) - place < len(_DETAILS):  # the beginning of a tag can stand at the end alone
                cut = text[place:]
                if any(tag.startswith(cut) for tag in (_THINK, _DETAILS)):
                    self._show(text[:place])
                    self._held = cut
                    return ""
            start = place + 1

    def _in_code(self, before: str) -> bool:
        """Whether what follows `before` stands in a fence, or right behind a backtick."""
        line, fence = self._line, self._fence
        line, fence = _advance(line, fence, before)
        return bool(fence) or line.endswith("`") or line.count("`") % 2 == 1

    def _show(self, text: str) -> None:
        if not text:
            return
        self.answer.append(text)
        self._visible = self._visible or not text.isspace()
        self._line, self._fence = _advance(self._line, self._fence, text)


def _advance(line: str, fence: str, text: str) -> tuple[str, str]:
    """The open line and the open fence after some more text."""
    if "\n" not in text:
        # A line that is neither near a fence nor holds a backtick need not be kept whole.
        line += text
        return (line if len(line) < 4096 else line[:8] + line[-4000:]), fence
    *ended, last = (line + text).split("\n")
    for whole in ended:
        found = _FENCE.match(whole)
        if found and not fence:
            fence = found[1]
        elif found and found[1] == fence and not whole.strip().strip("`~"):
            fence = ""
    return last, fence


def _overlap(text: str, tag: str) -> int:
    """Length of the longest end of `text` that begins `tag`."""
    for size in range(min(len(tag) - 1, len(text)), 0, -1):
        if text.endswith(tag[:size]):
            return size
    return 0


def split_reasoning(text: str) -> tuple[str, str]:
    """(answer, reasoning) of a whole text.

    >>> split_reasoning("<think>\\nhm\\n</think>\\nYes.")
    ('Yes.', 'hm')
    """
    splitter = ReasoningSplitter()
    splitter.feed(text)
    splitter.end()
    return "".join(splitter.answer), "".join(splitter.reasoning).strip()
