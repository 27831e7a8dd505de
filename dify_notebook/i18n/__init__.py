"""Every sentence that a user sees, in English and in simplified Chinese.

The sentences lie in JSON files beside this one, `*.en.json` and `*.zh-Hans.json`,
one pair for each room; they are merged when the first is asked for.
"""

from __future__ import annotations

import json
import locale
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Literal

Language = Literal["en", "zh-Hans"]

_chosen: Language | None = None
_context_language: ContextVar[Language | None] = ContextVar("dify_notebook_language", default=None)


def set_language(language: Language | None) -> None:
    """Choose the language for this process; None goes back to the environment's."""
    if language not in (None, "en", "zh-Hans"):
        raise ValueError(f"language is {language!r}; use 'en', 'zh-Hans' or None")
    global _chosen
    _chosen = language


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Speak that language in here, and in the tasks that are begun in here: to whom it is said matters."""
    token = _context_language.set(language)
    try:
        yield
    finally:
        _context_language.reset(token)


def current_language() -> Language:
    """The language in force: `speaking`, else chosen, else `DIFY_NOTEBOOK_LANG`, else the locale's, else English."""
    language = _context_language.get() or _chosen
    if language:
        return language
    name = os.environ.get("DIFY_NOTEBOOK_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    if not name:
        try:
            name = locale.getlocale()[0] or ""
        except ValueError:  # LC_CTYPE=UTF-8, say, which macOS gives its terminals
            name = ""
    return "zh-Hans" if name.strip().lower().startswith(_CHINESE) else "en"


_CHINESE = ("zh", "chinese")


def is_language(name: str) -> bool:
    """Whether `DIFY_NOTEBOOK_LANG` may say that: English or Chinese in any spelling of a locale, or nothing."""
    return not name.strip() or name.strip().lower().startswith((*_CHINESE, "en"))


@cache
def sentences(language: Language) -> dict[str, str]:
    """All sentences of a language, by key."""
    result: dict[str, str] = {}
    for entry in sorted(Path(__file__).parent.iterdir()):
        if entry.name.endswith(f".{language}.json"):
            for key, text in json.loads(entry.read_text(encoding="utf-8")).items():
                if key in result:
                    raise ValueError(f"{entry.name}: the key {key!r} stands in two files")
                result[key] = text
    return result


def t(key: str, lang: Language | None = None, /, **values: object) -> str:
    """The sentence of that key, with `{name}` replaced by the values.

    Raises:
        KeyError: no such sentence (keys are code, so this is a mistake in ours).
    """
    return sentences(lang or current_language())[key].format(**values)


def local_time(time: datetime) -> datetime:
    """A moment on this machine's clock; in its own zone where that clock has none, as at the end of the year 9999."""
    try:
        return time.astimezone()
    except (OverflowError, OSError, ValueError):
        return time


def moment(time: datetime) -> str:
    """A moment as both languages write it, with its zone: it may be read elsewhere."""
    local = local_time(time)
    zone = local.strftime("%z")
    return f"{local:%Y-%m-%d %H:%M:%S} UTC" + ("" if zone in ("", "+0000") else f"{zone[:3]}:{zone[3:5]}")
