"""Names for conversations out of their first question, without a model."""

from __future__ import annotations

import re

MAX = 40
"""Characters; a name stands in a narrow list."""

LOOKED_AT = 2000
"""Characters of a question that may give the name."""

_POLITE = re.compile(
    r"^(?:(?:hi|hello|hey|please|could you|can you|would you|tell me|i(?:'d| would) like to know|"
    r"你好|您好|请问|请|麻烦)[\s,.!，。！]*)+",
    re.IGNORECASE,
)


def title(query: str) -> str:
    """A short name for a conversation: its first question without courtesies, cut at a word."""
    text = " ".join(query[:LOOKED_AT].split())
    text = _POLITE.sub("", text) or text
    first = re.split(r"(?<=[?!？！。])|(?<=\.)\s", text, maxsplit=1)[0].strip() or text
    if len(first) > MAX:
        cut = first[:MAX]
        # Cut between words where there are any; Chinese has none to cut between.
        space = cut.rfind(" ")
        first = (cut[:space] if space > MAX // 2 else cut).rstrip(" ,;:，；：") + "…"
    return (first[:1].upper() + first[1:]) if first else "…"
