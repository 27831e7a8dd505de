"""The documentation that ships in the package, in English and Chinese, as what the built-in apps search in."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from ..engine.app import fixed_id
from ..engine.search.ranking import Index
from ..engine.search.resources import Segment
from ..engine.search.sections import Language, Section, cut

LANGUAGES: tuple[Language, ...] = ("en", "zh-Hans")
_DATASETS = {"en": "dify_notebook documentation", "zh-Hans": "dify_notebook 文档"}


@cache
def sections(language: Language) -> tuple[Section, ...]:
    """All sections of a language, in the order of their files."""
    folder = files("dify_notebook").joinpath("docs", language)
    result: list[Section] = []
    for page in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if page.name.endswith(".md"):
            result.extend(cut(language, page.name, page.read_text(encoding="utf-8")))
    return tuple(result)


@cache
def index(language: Language) -> Index:
    """The index of a language, made when first asked for."""
    return Index(sections(language))


def segment_of(section: Section) -> Segment:
    """What Dify calls a section: each page is a document, and each language a data set."""
    return Segment(
        dataset_id=fixed_id("dataset", section.language),
        dataset_name=_DATASETS[section.language],
        document_id=fixed_id("document", section.language, section.file),
        document_name=f"{section.language}/{section.file} › {section.title}",
        segment_id=fixed_id("segment", section.language, section.key),
    )
