"""The pipeline's work for one item: measure it, and hold it against every passage of the documentation."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cache

from ..engine.search.sections import Section
from ..engine.search.words import terms
from ..engine.tools.text_stats import statistics
from ..tokens import count
from .documentation import LANGUAGES, sections


@dataclass(frozen=True)
class Measured:
    """What an item is, in numbers."""

    item: str
    characters: int
    words: int
    digest: str
    """The first eight characters of its SHA-256: the same item gives the same everywhere."""


@dataclass(frozen=True)
class Match:
    """The passage that an item resembles most."""

    section: Section | None
    similarity: float
    """From 0 to 1: share of the item's three-letter groups and terms that stand in the passage."""
    compared: int
    """Passages looked at."""


def measure(item: str) -> Measured:
    counted = statistics(item)
    words = int(counted["words"]) + int(counted["chinese_characters"])
    return Measured(item, int(counted["characters"]), words, hashlib.sha256(item.encode()).hexdigest()[:8])


def closest(item: str) -> Match:
    """Compare an item with every passage in both languages.

    Nothing is prepared beforehand on purpose: the work is the same for each item, so two items
    take twice as long as one, and what a timeline shows is true.
    """
    wanted, words = groups(item), set(terms(item))
    best: tuple[float, Section | None] = (0.0, None)
    compared = 0
    for language in LANGUAGES:
        for section in sections(language):
            compared += 1
            text = f"{section.page}\n{section.title}\n{section.text}"
            there = groups(text)
            shared = sum(min(number, there[group]) for group, number in wanted.items())
            common = len(words & set(terms(text))) / len(words) if words else 0.0
            similarity = 0.5 * shared / max(sum(wanted.values()), 1) + 0.5 * common
            if words & set(terms(section.title)):
                similarity += 0.1
            if similarity > best[0]:
                best = (similarity, section)
    return Match(best[1], round(min(best[0], 1.0), 4), compared)


def groups(text: str) -> Counter[str]:
    """How often each group of three neighbouring characters stands in a text, upper and lower case alike."""
    folded = " ".join(text.lower().split())
    return Counter(folded[at : at + 3] for at in range(max(len(folded) - 2, 1)))


@cache
def library_tokens() -> int:
    """Tokens of all passages: what comparing one item reads."""
    return sum(count(section.text) for language in LANGUAGES for section in sections(language))
