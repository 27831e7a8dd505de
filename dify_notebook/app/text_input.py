"""Which input the text of an app without conversations is. Pure."""

from __future__ import annotations

from ..wire.kinds import TEXT_CONTROLS
from .known import KnownApp

QUERY = "query"
"""What Dify calls the text of a completion app unless its author calls it otherwise."""
_AREA = "paragraph"
_TEXTS = tuple(kind for kind in TEXT_CONTROLS if kind != "select")


def texts_of(app: KnownApp) -> list[str]:
    """The names of all its inputs that are texts."""
    return [name for name, control in app.controls.items() if control.get("type") in _TEXTS]


def text_candidates(app: KnownApp) -> list[str]:
    """The inputs that may be meant by the text of an app without conversations: one where that is clear.

    It is the one called `query`, else the only paragraph, else the only text.
    """
    texts = texts_of(app)
    areas = [name for name in texts if app.controls[name].get("type") == _AREA]
    return next((found for found in ([n for n in texts if n == QUERY], areas) if len(found) == 1), texts)
