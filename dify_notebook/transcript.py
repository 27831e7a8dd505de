"""A conversation as one text: markdown, or a notebook whose cells ask the questions again."""

from __future__ import annotations

import json
import math
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from .app.stored_files import is_file
from .i18n import Language, t
from .profiles import can_be_asked
from .turn.state import Turn
from .views.guard import as_title
from .views.saved import markdown
from .views.transcript import markdown as as_markdown
from .views.transcript import quoted

__all__ = ["as_cell", "as_markdown", "as_notebook"]

_SURROGATE = re.compile("[\ud800-\udfff]")


def as_notebook(turns: Sequence[Turn], title: str, *, lang: Language | None = None) -> str:
    """The conversation as a notebook: a question as a cell that asks it again, an answer as a text cell."""
    cells: list[dict[str, Any]] = [_cell("markdown", f"# {as_title(title)}")]
    cells.append(_cell("code", "%load_ext dify_notebook"))
    for turn in turns:
        if left_out := _members(turn)[1]:
            cells.append(_cell("markdown", t("views.transcript.left_out", lang, count=left_out)))
        cells.append(_cell("code", as_cell(turn)))
        cells.append(_cell("markdown", quoted(markdown(turn, lang))))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    book = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    text = json.dumps(book, ensure_ascii=False, indent=1) + "\n"
    return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)  # no file can hold them as they are


def as_cell(turn: Turn, profile: str = "") -> str:
    """The question as a `%%dify` cell that asks it again with its inputs; all of them are data.

    They stand as one JSON object in ASCII, so that no name and no value can end the line, become an option
    or an expression; braces in the question mean nothing. Files are left out, what is no JSON too, and a
    number that JSON has not (NaN, infinite) is null. `parse_line` gives exactly these inputs again. Empty
    lines around the question are not kept: no cell sends them.

    Args:
        profile: the app's name on the line; left out where the line cannot hold it.
    """
    words = ["%%dify", *([profile] if can_be_asked(profile) else []), "--no-vars"]
    if members := _members(turn)[0]:
        words += ["--inputs", "'{" + ", ".join(members) + "}'"]
    return f"{' '.join(words)}\n{turn.query or ''}"


def _members(turn: Turn) -> tuple[list[str], int]:
    """The inputs as members of a JSON object, and how many are left out: files, and what is no JSON.

    Those that begin with `sys.` are the server's own.
    """
    inputs = {str(name): value for name, value in (turn.inputs or {}).items()}
    own = {name: value for name, value in inputs.items() if not name.startswith("sys.")}
    members = [member for name, value in own.items() if not is_file(value) and (member := _member(name, value))]
    return members, len(own) - len(members)


def _member(name: str, value: Any) -> str:
    """`"name": value` in ASCII without an apostrophe; "" for what is no JSON."""
    try:
        text = json.dumps({name: _plain(value)}, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return ""
    return text[1:-1].replace("'", "\\u0027").replace("\x7f", "\\u007f")


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _cell(kind: str, source: str) -> dict[str, Any]:
    cell = {"cell_type": kind, "id": secrets.token_hex(4), "metadata": {}, "source": source.splitlines(True)}
    return {**cell, "execution_count": None, "outputs": []} if kind == "code" else cell
