"""How values stand in the store's columns."""

from __future__ import annotations

import json
import time
from typing import Any

Row = dict[str, Any]


def second() -> int:
    """Now, in whole seconds, as Dify tells times."""
    return int(time.time())


def as_json(value: object) -> str:
    """A value as a column holds it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def as_dify_json(value: object) -> str:
    """A value as Dify keeps and tells it where it is a text: escaped, with blanks."""
    return json.dumps(value)
