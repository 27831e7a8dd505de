"""Full-text search in the messages of a history; see `History.search`."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from ..errors import InputError
from ..i18n import t

if TYPE_CHECKING:
    import pandas as pd

    from .history import History

MARGIN = 60
"""Characters of an excerpt before and after the match."""
COLUMNS = ("message_id", "conversation_id", "user", "created_at", "rating", "found_in", "excerpt", "query", "answer")


def normalized(text: str) -> str:
    """A text without what does not matter in a search: case, and forms of the same character (NFKC).

    >>> normalized("ＡＰＩ Straße")
    'api strasse'
    """
    return (text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold()


def search(history: History, text: str, user: str | None) -> pd.DataFrame:
    """The rows of `messages` that contain the text, with `COLUMNS`; see `History.search`."""
    import pandas as pd

    term = normalized(text).strip() if isinstance(text, str) else ""
    if not term:
        raise InputError(t("history.search.nothing"), code="search")
    messages = history.messages
    if user is not None:
        messages = messages[messages["user"] == user]
    feedbacks = history.feedbacks
    feedbacks = feedbacks[feedbacks["content"].notna()]
    has_any = len(feedbacks) > 0
    comments = feedbacks.groupby("message_id")["content"].agg("\n".join) if has_any else pd.Series(dtype="string")
    columns = {
        "query": messages["query"],
        "answer": messages["answer"],
        "feedback": messages["message_id"].map(comments).astype("string"),
    }
    found_in: dict[int, list[str]] = {}
    excerpts: dict[int, str] = {}
    for name, column in columns.items():
        for row, value in enumerate(column.array):
            if value is pd.NA or term not in (haystack := normalized(value)):
                continue
            found_in.setdefault(row, []).append(name)
            excerpts.setdefault(row, _excerpt(value, haystack, term))
    rows = sorted(found_in)
    matches = messages.iloc[rows].assign(
        found_in=pd.array([", ".join(found_in[row]) for row in rows], dtype="string"),
        excerpt=pd.array([excerpts[row] for row in rows], dtype="string"),
    )
    return matches[list(COLUMNS)].sort_values("created_at", ascending=False, kind="stable", ignore_index=True)


def _excerpt(value: str, haystack: str, term: str) -> str:
    """One line around the match; where normalizing changed lengths, it is only near."""
    at = haystack.index(term)
    start, end = max(0, at - MARGIN), at + len(term) + MARGIN
    inside = " ".join(value[start:end].split())
    return ("…" if start else "") + inside + ("…" if end < len(value) else "")
