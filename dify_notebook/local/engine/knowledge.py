"""Text files as a knowledge base: cut into passages, searched by words. No embedding, no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ..text import well_formed
from .app import fixed_id
from .search.ranking import Index
from .search.resources import Segment, retriever_resources
from .search.sections import Section, cut, paragraphs
from .search.words import language_of

PASSAGE = 1000
"""Characters of a passage, about; a paragraph is not cut unless it is longer by itself."""
MAX_FILE = 5_000_000
MAX_FILES = 1000


@dataclass(frozen=True)
class Knowledge:
    """One knowledge base: a name and text files."""

    name: str
    texts: tuple[tuple[str, str], ...]
    """(name of a file, its text)."""

    @cached_property
    def index(self) -> Index:
        """Made when first searched."""
        return Index([section for name, text in self.texts for section in passages(name, text)])

    def segment_of(self, passage: Section) -> Segment:
        """What Dify calls a passage: each file is a document."""
        return Segment(
            dataset_id=fixed_id("knowledge", self.name),
            dataset_name=self.name,
            document_id=fixed_id("knowledge", self.name, passage.file),
            document_name=passage.file,
            segment_id=fixed_id("knowledge", self.name, passage.file, passage.text),
        )


def passages(file: str, text: str) -> list[Section]:
    """Cut a text at its headings, where it has any, and at paragraphs."""
    language = language_of(text[:2000])
    headed = cut(language, file, text)
    # What stands before the first heading belongs to no section.
    whole = headed or [Section(language, file, 0, file, file, text)]
    if headed and (before := text.split("\n#", 1)[0].strip()) and not before.startswith("#"):
        whole = [Section(language, file, 0, file, file, before), *headed]
    cuts: list[Section] = []
    for section in whole:
        for piece in _pieces(section.text):
            cuts.append(Section(language, file, len(cuts), section.page, section.title, piece))
    return cuts


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    for block in paragraphs(text):
        for start in range(0, len(block), 2 * PASSAGE):
            part = block[start : start + 2 * PASSAGE]
            if pieces and len(pieces[-1]) + len(part) + 2 <= PASSAGE:
                pieces[-1] += "\n\n" + part
            else:
                pieces.append(part)
    return pieces


def search(
    known: Sequence[Knowledge],
    query: str,
    top_k: int,
    score_threshold: float,
    source: Literal["api", "workflow"],
) -> list[dict[str, Any]]:
    """The best passages as `retriever_resources`, best first.

    Args:
        top_k: passages at most.
        score_threshold: score, from 0 to 1, below which a passage is left out.
    """
    resources: list[dict[str, Any]] = []
    for base in known:
        resources += retriever_resources(base.index.search(query, top_k), source, base.segment_of)
    good = (passage for passage in resources if passage["score"] >= score_threshold)
    best = sorted(good, key=lambda passage: -passage["score"])[:top_k]
    return [{**passage, "position": position} for position, passage in enumerate(best, start=1)]


def read_files(patterns: Iterable[str], beside: Path) -> list[tuple[str, str]]:
    """Text files that patterns such as `facts/*.md` name, relative to a directory.

    Raises:
        ValueError: in words for people; nothing is there, or something else than text.
    """
    texts: dict[Path, str] = {}
    for pattern in patterns:
        path = Path(pattern).expanduser()
        if path.is_absolute():
            files = [path] if path.is_file() else sorted(path.glob("*")) if path.is_dir() else []
        else:
            if ".." in path.parts:
                raise ValueError(f"{pattern}: a path upward is not taken; give the absolute one")
            files = sorted(beside.glob(pattern)) if pattern else []
        files = [file for file in files if file.is_file()]
        if not files:
            raise ValueError(f"{pattern}: no such file beside {beside}")
        for file in files:
            if len(texts) >= MAX_FILES or file.stat().st_size > MAX_FILE:
                raise ValueError(f"{file.name}: at most {MAX_FILES} files of {MAX_FILE:,} bytes each")
            try:
                texts[file] = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as problem:
                raise ValueError(f"{file.name} is not a text in UTF-8 ({problem.__class__.__name__})") from None
    return [(well_formed(file.name), text) for file, text in texts.items()]
