"""BM25 over sections."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .sections import Section
from .words import terms, weighted

_K1 = 1.4
_B = 0.6
_TITLE = 3
"""How often the words of a heading count; those of its page count twice."""


@dataclass(frozen=True)
class Hit:
    """A section that was found."""

    section: Section
    score: float
    """BM25; larger is better, comparable within one search only."""
    coverage: float
    """From 0 to 1: how much of what the question is about (its rarest words most) stands in the section."""


class Index:
    """Sections with their terms counted once."""

    def __init__(self, sections: Sequence[Section]) -> None:
        self.sections = tuple(sections)
        self._counts: list[Counter[str]] = []
        for section in self.sections:
            counted = Counter(terms(section.text))
            for term in terms(section.title):
                counted[term] += _TITLE
            for term in terms(section.page):
                counted[term] += 2
            self._counts.append(counted)
        self._lengths = [sum(counted.values()) for counted in self._counts]
        self._average = sum(self._lengths) / max(len(self._lengths), 1)
        self._spread: Counter[str] = Counter(term for counted in self._counts for term in counted)

    def rarity(self, term: str) -> float:
        """Inverse document frequency; largest for what stands nowhere."""
        n = self._spread[term]
        return math.log(1 + (len(self.sections) - n + 0.5) / (n + 0.5))

    def search(self, query: str | Mapping[str, float], limit: int = 5) -> list[Hit]:
        """The best sections for a question (or weighted terms), best first; without any match, none."""
        weights = weighted(query) if isinstance(query, str) else query
        about = sum(weight * self.rarity(term) for term, weight in weights.items() if weight >= 1)
        hits: list[Hit] = []
        for section, counted, length in zip(self.sections, self._counts, self._lengths, strict=True):
            score = covered = 0.0
            for term, weight in weights.items():
                count = counted[term]
                if count:
                    rarity = self.rarity(term)
                    score += (
                        weight
                        * rarity
                        * count
                        * (_K1 + 1)
                        / (count + _K1 * (1 - _B + _B * length / self._average))
                    )
                    covered += rarity * weight if weight >= 1 else 0.0
            if score:
                hits.append(Hit(section, score, covered / about if about else 0.0))
        return sorted(hits, key=lambda hit: -hit.score)[:limit]
