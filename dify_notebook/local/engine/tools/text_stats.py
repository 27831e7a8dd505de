"""Counting what is in a text."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Any

MAX_LENGTH = 200_000
"""Characters that are looked at; more is refused."""

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[^\W_\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+(?:['’-][^\W_]+)*")
_SENTENCE = re.compile(r"(?<![.!?])[.!?]++(?=\s|$)|[。！？]+")


def statistics(text: str) -> dict[str, Any]:
    """Characters, words, Chinese characters, sentences, lines and the most frequent words of a text.

    Raises:
        ValueError: the text is too long.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"the text is longer than {MAX_LENGTH:,} characters")
    words = [word.lower() for word in _WORD.findall(text)]
    sentences = len(_SENTENCE.findall(text))
    if text.strip() and not _SENTENCE.search(text.rstrip()[-1:]):
        sentences += 1
    common = Counter(word for word in words if len(word) > 1).most_common(3)
    return {
        "characters": len(text),
        "characters_without_spaces": sum(1 for character in text if not character.isspace()),
        "words": len(words),
        "chinese_characters": len(_HAN.findall(text)),
        "sentences": sentences,
        "lines": text.count("\n") + 1 if text else 0,
        "punctuation": sum(1 for character in text if unicodedata.category(character).startswith("P")),
        "most_frequent": [{"word": word, "count": count} for word, count in common],
    }
