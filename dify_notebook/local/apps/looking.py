"""How much of a question the built-in apps look at: they read by rules, and a rule reads all that it is given."""

from __future__ import annotations

from ...i18n import t
from ..engine.search.sections import Language

LOOKED_AT = 20_000
"""Characters of a question, from its beginning, that are searched for what to do."""


def looked_at(question: str) -> str:
    """The part of a question that is searched."""
    return question[:LOOKED_AT]


def remark(question: str, language: Language) -> list[str]:
    """What an answer says of a question that was longer, as a paragraph; none for others."""
    return [t("local.looked_at", language, most=f"{LOOKED_AT:,}")] if len(question) > LOOKED_AT else []
