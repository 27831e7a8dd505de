"""A conversation as one text: markdown, or a notebook whose cells ask the questions again."""

from __future__ import annotations

import json
import re
import secrets
import shlex
from collections.abc import Sequence
from typing import Any

from .i18n import Language
from .turn.state import Turn
from .views.guard import as_title
from .views.saved import markdown
from .views.transcript import markdown as as_markdown
from .views.transcript import quoted

__all__ = ["as_cell", "as_markdown", "as_notebook"]

_ONE_LINE = re.compile(r"[^\x00-\x1f\x7f\x85\u2028\u2029]*")


def as_notebook(turns: Sequence[Turn], title: str, *, lang: Language | None = None) -> str:
    """The conversation as a notebook: a question as a cell that asks it again, an answer as a text cell."""
    cells: list[dict[str, Any]] = [_cell("markdown", f"# {as_title(title)}")]
    cells.append(_cell("code", "%load_ext dify_notebook"))
    for turn in turns:
        cells.append(_cell("code", as_cell(turn)))
        cells.append(_cell("markdown", quoted(markdown(turn, lang))))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    book = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, ensure_ascii=False, indent=1) + "\n"


def as_cell(turn: Turn, profile: str = "") -> str:
    """The question as a `%%dify` cell that asks it again, with its inputs but for files; braces in it mean nothing."""
    words = ["%%dify", *([profile] if profile else []), "--no-vars"]
    for name, value in (turn.inputs or {}).items():
        if value in (None, "") or name.startswith("sys.") or _holds_files(value):
            continue
        text = f"{name}={value}" if isinstance(value, str) and _ONE_LINE.fullmatch(value) else f"{name}:={value!r}"
        words += ["-i", shlex.quote(text)]
    return f"{' '.join(words)}\n{turn.query or ''}"


def _holds_files(value: Any) -> bool:
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and bool({"transfer_method", "dify_model_identity"} & set(first))


def _cell(kind: str, source: str) -> dict[str, Any]:
    cell = {"cell_type": kind, "id": secrets.token_hex(4), "metadata": {}, "source": source.splitlines(True)}
    return {**cell, "execution_count": None, "outputs": []} if kind == "code" else cell
