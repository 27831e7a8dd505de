r"""`{{ name }}` in a cell: what it becomes, what is left alone, what is refused before sending."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections import OrderedDict, namedtuple
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dify_notebook import config
from dify_notebook.app.template import LIMIT, Placeholder, Template, TemplateError, expand, placeholders, resolve
from dify_notebook.turn.state import Turn


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    y: float


class Struct(msgspec.Struct):
    name: str
    when: date


Pair = namedtuple("Pair", "a b")
LOOP: list[Any] = []
LOOP.append(LOOP)


class Spy:
    """Fails where anything but plain attribute access happens."""

    value = "seen"

    @property
    def broken(self) -> str:
        raise ValueError("no such thing today")

    def method(self) -> str:
        return "called"


NAMES: dict[str, Any] = {
    "city": "Lyon",
    "n": 7,
    "yes": True,
    "pi": 3.25,
    "none": None,
    "nan": float("nan"),
    "inf": float("inf"),
    "words": ["a", "ü", None, float("nan")],
    "nans": np.array([float("nan")]),
    "pair": (1, 2),
    "set": {3, 1, 2},
    "config": {"city": "Köln", "rows": [{"x": 1}, {"x": "{{ city }}"}], 3: "three", "a b": 1},
    "ordered": OrderedDict(b=1, a=2),
    "day": date(2026, 11, 21),
    "moment": datetime(2026, 11, 21, 9, 5, tzinfo=UTC),
    "clock": time(9, 5),
    "span": timedelta(hours=1, seconds=1),
    "price": Decimal("10.50"),
    "tiny": Decimal("0E-7"),
    "path": Path("data/x.csv"),
    "uuid": UUID(int=1),
    "red": Colour.RED,
    "point": Point(1, 2.5),
    "struct": Struct("s", date(2026, 1, 2)),
    "named": Pair(1, "b"),
    "answer": Turn(query="q", answer="forty-two", status="succeeded"),
    "failed": Turn(query="q", answer="", status="failed"),
    "spy": Spy(),
    "raw": b"bytes",
    "stream": iter([1]),
    "function": len,
    "module": json,
    "object": object(),
    "loop": LOOP,
    "huge": 10**5000,
    "keyed": {(1, 2): 3},
    "twice": {1: "a", "1": "b"},
    "space": SimpleNamespace(name="n", _hidden="h", items=[10, 20]),
    "secret": config.Secret("app-" + "S" * 24),
    "braces": "{{ city }} \\{{ n }}",
    "城市": "巴黎",
    "नाम": "Anna",
    "café": "Procope",
}

FILLED = [
    ("plain", "{{ city }}", "Lyon"),
    ("no_blanks", "{{city}}", "Lyon"),
    ("many_blanks", "{{  city\t}}", "Lyon"),
    ("closed_on_the_next_line", "{{ city\n}}", "Lyon"),
    ("in_text", "Is it {{ n }} °C in {{ city }}?", "Is it 7 °C in Lyon?"),
    ("unicode_name", "{{ 城市 }}", "巴黎"),
    ("letters_with_marks", "{{ नाम }}", "Anna"),
    ("wide_letters", "{{ ｃｉｔｙ }} {{ ｓｐａｃｅ.ｎａｍｅ }}", "Lyon n"),
    ("accents_apart", "{{ cafe\u0301 }}", "Procope"),
    ("bool", "{{ yes }}", "true"),
    ("float", "{{ pi }}", "3.25"),
    ("list", "{{ words }}", '["a", "ü", null, null]'),
    ("an array of one", "{{ nans }}", "[null]"),
    ("tuple", "{{ pair }}", "[1, 2]"),
    ("set_sorted", "{{ set }}", "[1, 2, 3]"),
    ("dict", "{{ ordered }}", '{"b": 1, "a": 2}'),
    ("attribute", "{{ space.name }}", "n"),
    ("attribute_index", "{{ space.items[-1] }}", "20"),
    ("key_double", '{{ config["city"] }}', "Köln"),
    ("key_single", "{{ config['a b'] }}", "1"),
    ("key_integer", "{{ config[3] }}", "three"),
    ("deep", '{{ config["rows"][0]["x"] }}', "1"),
    ("blanks_between", '{{ config [ "rows" ] [ 0 ] . keys }}', None),
    ("one_pass", '{{ config["rows"][1]["x"] }} {{ braces }}', "{{ city }} {{ city }} \\{{ n }}"),
    ("date", "{{ day }}", "2026-11-21"),
    ("datetime", "{{ moment }}", "2026-11-21T09:05:00+00:00"),
    ("time", "{{ clock }}", "09:05:00"),
    ("timedelta", "{{ span }}", "PT3601S"),
    ("decimal", "{{ price }}", "10.50"),
    ("decimal_tiny", "{{ tiny }}", "0.0000000"),
    ("path", "{{ path }}", str(Path("data/x.csv"))),
    ("uuid", "{{ uuid }}", "00000000-0000-0000-0000-000000000001"),
    ("enum", "{{ red }}", "red"),
    ("dataclass", "{{ point }}", '{"x": 1, "y": 2.5}'),
    ("struct", "{{ struct }}", '{"name": "s", "when": "2026-01-02"}'),
    ("namedtuple", "{{ named }}", '{"a": 1, "b": "b"}'),
    ("turn", "Say it shorter: {{ answer }}", "Say it shorter: forty-two"),
    ("turn_field", "{{ answer.query }}", "q"),
    ("property", "{{ path.name }}", "x.csv"),
    ("single_braces", '{"a": {"b": 1}} $x$ {city}', '{"a": {"b": 1}} $x$ {city}'),
    ("closing_only", "a }} b", "a }} b"),
    ("escaped", r"\{{ city }}", "{{ city }}"),
    ("escaped_then_filled", r"\{{ {{ city }} }}", "{{ Lyon }}"),
    ("dify_own", "{{#context#}} {{#1711.text#}} {{ n }}", "{{#context#}} {{#1711.text#}} 7"),
    ("braces_around", '{"n": {{ n }}} {{{ n }}}', '{"n": 7} {7}'),
    ("adjacent", "{{ n }}{{ n }}", "77"),
    ("backslash_elsewhere", r"\n \{ \\frac{a}{b}", r"\n \{ \\frac{a}{b}"),
]


@pytest.mark.parametrize(("text", "expected"), [pytest.param(c[1], c[2], id=c[0]) for c in FILLED])
def test_filled(text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(TemplateError):
            expand(text, NAMES)
    else:
        assert expand(text, NAMES) == expected


REFUSED = [
    ("undefined", "{{ cty }}", ["no variable cty", "Did you mean city?"]),
    ("builtins_are_not_variables", "{{ print }}", ["no variable print"]),
    ("call", "{{ len(x) }}", ["len", "call"]),
    ("method_call", "{{ spy.method() }}", ["spy.method", "call"]),
    ("method", "{{ spy.method }}", ["spy.method", "method"]),
    ("sign_behind_a_name", "{{ city。 }}", ["city。"]),
    ("filter", "{{ city | upper }}", ["city | upper"]),
    ("arithmetic", "{{ n + 1 }}", ["n + 1"]),
    ("empty", "{{ }}", ["not a variable"]),
    ("handlebars", "{{#if x}}", ["#if x"]),
    ("not_closed", "a {{ city", ["not closed"]),
    ("two_words_on_two_lines", "{{ city\nn }}", ["not closed"]),
    ("private_attribute", "{{ space._hidden }}", ["_hidden", "private"]),
    ("dunder", "{{ city.__class__ }}", ["__class__", "private"]),
    ("dunder_name", "{{ __name__ }}", ["private"]),
    ("slice", "{{ words[0:1] }}", ["words[0:1]"]),
    ("missing_attribute", "{{ space.nothing }}", ["space.nothing", "AttributeError"]),
    ("missing_key", '{{ config["x"] }}', ["config['x']", "KeyError"]),
    ("attribute_of_dict", "{{ config.city }}", ['write config["city"]']),
    ("out_of_range", "{{ words[9] }}", ["words[9]", "IndexError"]),
    ("broken_property", "{{ spy.broken }}", ["spy.broken", "no such thing today"]),
    ("none", "{{ none }}", ["none", "NoneType"]),
    ("nan", "{{ nan }}", ["nan", "float"]),
    ("infinite", "{{ inf }}", ["infinite"]),
    ("bytes", "{{ raw }}", ["raw", "bytes", "-f"]),
    ("iterator", "{{ stream }}", ["only once"]),
    ("function", "{{ function }}", ["function"]),
    ("module", "{{ module }}", ["module"]),
    ("object", "{{ object }}", ["object", "-f"]),
    ("cycle", "{{ loop }}", ["loop[0]", "itself"]),
    ("huge", "{{ huge }}", ["huge", "digits"]),
    ("tuple_key", "{{ keyed }}", ["tuple"]),
    ("same_key", "{{ twice }}", ["two keys"]),
    ("failed_turn", "{{ failed }}", ["no answer", "failed"]),
    ("secret", "{{ secret }}", ["secret"]),
]


@pytest.mark.parametrize(("text", "says"), [pytest.param(c[1], c[2], id=c[0]) for c in REFUSED])
def test_refused(text: str, says: list[str]) -> None:
    """Each refusal names the variable, says why, and where."""
    with pytest.raises(TemplateError) as caught:
        expand(text, NAMES, first_line=2)
    error = caught.value
    assert "Line 2, column " in error.message
    assert "Nothing was sent" in error.hint
    assert "S" * 24 not in str(error)
    for words in says:
        assert words in str(error)


def test_place_is_line_and_column() -> None:
    with pytest.raises(TemplateError, match="Line 4, column 5"):
        expand("one\ntwo\nthr {{ nothing }}", {}, first_line=2)
    with pytest.raises(TemplateError, match="In -i city, column 3"):
        expand("a {{ nothing }}", {}, label="-i city")


def test_too_long_names_the_variable() -> None:
    with pytest.raises(TemplateError, match=r"big.*too long.*200,000"):
        expand("{{ big }}", {"big": "x" * (LIMIT + 1)})
    with pytest.raises(TemplateError, match=r"Line 1, column 9.*b makes"):
        expand("{{ a }} {{ b }}", {"a": "x" * 60, "b": "x" * 60}, limit=100)
    with pytest.raises(TemplateError, match=r"text has 101 characters"):
        expand("x" * 101, {}, limit=100)
    assert len(expand("{{ big }}", {"big": "x" * LIMIT})) == LIMIT


def test_something_huge_is_refused_early() -> None:
    """Ten thousand million numbers are refused without being written out first."""
    with pytest.raises(TemplateError, match="too long"):
        expand("{{ big }}", {"big": range(10**10)})


def test_places_tells_what_would_be_filled() -> None:
    assert [place.source for place in placeholders(r"{{ a.b[0] }} \{{ c }} {{#d#}} {{e}}")] == ["a.b[0]", "e"]


def test_resolve_gives_the_object_itself() -> None:
    assert resolve('config["rows"]', NAMES) is NAMES["config"]["rows"]
    for wrong in ("config[", "config()", "", "nothing", "space._hidden"):
        with pytest.raises(TemplateError):
            resolve(wrong, NAMES)


@given(st.text(alphabet=st.characters(blacklist_characters="{")))
def test_text_without_braces_is_unchanged(text: str) -> None:
    assert expand(text, {}) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(st.lists(JSON, max_size=5) | st.dictionaries(st.text(), JSON, max_size=5))
def test_json_comes_back(value: Any) -> None:
    assert json.loads(expand("{{ value }}", {"value": value})) == value


@given(st.text(), st.text())
def test_values_are_not_expanded_again(before: str, value: str) -> None:
    before = before.replace("{", "")
    assert expand(before.replace("\\", "") + " {{ value }}", {"value": value}).endswith(" " + value)


@given(st.text())
def test_filled_or_refused(text: str) -> None:
    """Whatever is written: a text or a TemplateError, never another exception."""
    with suppress(TemplateError):
        expand(text, NAMES)


# -- a text that is filled many times ------------------------------------------------------


def test_a_template_is_read_once_and_filled_as_expand_fills() -> None:
    template = Template('In {{ city }}, {{ days[0]["n"] }} \\{{ left }} {{#alone#}}')
    for city in ("Lyon", "Kyoto"):
        variables = {"city": city, "days": [{"n": 2}]}
        assert template.fill(variables) == expand(template.text, variables) == "In " + city + ", 2 {{ left }} {{#alone#}}"
    assert [each.source for each in template.placeholders] == ["city", 'days[0]["n"]']


def test_a_placeholder_alone_gives_the_value_itself() -> None:
    value = object()
    template = Template("{{ thing.a }}")
    assert template.alone is not None
    assert template.value({"thing": type("Thing", (), {"a": value})()}) is value
    assert Template(" {{ thing }}").alone is None
    assert Template("{{ a }}{{ b }}").alone is None


def test_a_template_with_other_names_leaves_the_first_as_it_is() -> None:
    template = Template("{{ row.city }}")
    renamed = template.renamed(lambda each: Placeholder(each.source, "city", each.steps[1:], each.offset))
    assert renamed.fill({"city": "Lyon"}) == "Lyon"
    with pytest.raises(TemplateError, match="row"):
        template.fill({"city": "Lyon"})


def test_a_template_says_which_text_it_is_where_something_is_wrong() -> None:
    with pytest.raises(TemplateError, match="the query"):
        Template("{{ city", label="the query")
    for ask in (Template("a {{ city }}", label="the query").fill, Template("{{ city }}", label="the query").value):
        with pytest.raises(TemplateError, match=r"(?s)the query.*city"):
            ask({})
