"""Texts in markdown, cut at their headings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "zh-Hans"]

_HEADING = re.compile(r"^(#{1,3})\s++(\S.*)$")
_FENCE = re.compile(r"^\s*(```|~~~)")


@dataclass(frozen=True)
class Section:
    """One heading with the text up to the next one."""

    language: Language
    file: str
    """Name of the file, such as `files.md`; the same in every language."""
    number: int
    """Place in its file; the same section has the same place in every language."""
    page: str
    """Title of its page."""
    title: str
    text: str
    """Markdown, without the heading."""

    @property
    def key(self) -> str:
        """The same in every language: `files.md#2`."""
        return f"{self.file}#{self.number}"

    @property
    def name(self) -> str:
        """Where it stands, for a reader."""
        return self.title if self.title == self.page else f"{self.page} › {self.title}"


def cut(language: Language, file: str, text: str) -> list[Section]:
    """Cut one page at its headings; a `#` inside a code fence is none."""
    page, title, lines = "", "", list[str]()
    result: list[Section] = []
    fenced = False

    def close() -> None:
        body = "\n".join(lines).strip()
        if title and body:
            result.append(Section(language, file, len(result), page, title, body))

    for line in text.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        match = None if fenced else _HEADING.match(line)
        if match is None:
            lines.append(line)
            continue
        close()
        lines = []
        title = match.group(2).rstrip()
        if len(match.group(1)) == 1:
            page = title
    close()
    return result


def paragraphs(text: str) -> list[str]:
    """Blocks of a markdown text between blank lines; a code fence is one block with all that is in it."""
    blocks: list[list[str]] = [[]]
    fenced = False
    for line in text.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        if not line.strip() and not fenced:
            if blocks[-1]:
                blocks.append([])
        else:
            blocks[-1].append(line)
    return ["\n".join(block) for block in blocks if block]
