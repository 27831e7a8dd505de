"""No regular expression of the package grows faster than the text it is given."""

from __future__ import annotations

import re

import pytest
from support import patterns

EVERYTHING = patterns.everything()


def test_all_patterns_are_found() -> None:
    """A test of nothing would be green too."""
    places = {found.place for found in EVERYTHING}
    assert len(EVERYTHING) > 80
    assert "dify_notebook.local.apps.tool_calls._MATH" in places
    assert any(isinstance(found.pattern.pattern, bytes) for found in EVERYTHING)


@pytest.mark.parametrize("found", EVERYTHING, ids=[found.place for found in EVERYTHING])
def test_a_pattern_is_linear(found: patterns.Found) -> None:
    kind = type(found.pattern.pattern)
    for text in patterns.texts(found.pattern):
        for call in patterns.calls(found):
            slow = patterns.grows(call, kind, text)
            assert slow is None, f"{found.pattern.pattern!r} on {text}: {slow}"


def test_one_that_is_not_linear_is_seen() -> None:
    bad = re.compile(r"x+y")
    found = patterns.Found("here", bad, frozenset({"search"}))
    slow = [patterns.grows(call, str, text) for text in patterns.texts(bad) for call in patterns.calls(found)]
    assert any(slow)
