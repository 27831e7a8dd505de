"""The help names every option and every line, in both languages, and its examples are real."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from string import Formatter
from typing import get_args

import pytest

from dify_notebook.i18n import Language
from dify_notebook.magic.complete import SUBCOMMANDS
from dify_notebook.magic.help import EXAMPLES, help_text
from dify_notebook.magic.line import _COMMANDS
from dify_notebook.magic.parse import OPTIONS, parse_line


@pytest.mark.parametrize("lang", get_args(Language))
def test_every_option_and_line_is_explained(lang: Language) -> None:
    text = help_text(lang)
    for option in OPTIONS:
        for name in option.names:
            assert re.search(rf"(?<!\S){re.escape(name)}[\s,]", text), name
    for name in SUBCOMMANDS:
        assert f"%dify {name}" in text
    assert "{{ city }}" in text
    assert "{{{{" not in text


def test_examples_are_valid_lines() -> None:
    for code, _ in EXAMPLES:
        first = code.splitlines()[0]
        parse_line(first.removeprefix("%%dify"))


def test_every_line_that_is_offered_exists() -> None:
    assert set(_COMMANDS) == set(SUBCOMMANDS)


def test_languages_have_the_same_sentences_and_fields() -> None:
    """A sentence or a field that one language lacks would fail only for those who read it."""

    def fields(text: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(text) if name is not None}

    folder = files("dify_notebook.i18n")
    english, chinese = (
        json.loads((folder / f"magic.{lang}.json").read_text(encoding="utf-8")) for lang in get_args(Language)
    )
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert fields(text) == fields(chinese[key]), key
        assert not re.search(r"\s$", text), key
