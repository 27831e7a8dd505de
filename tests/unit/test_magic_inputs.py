"""Inputs fit the app's form, or are refused by name before anything is sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dify_notebook.errors import InputError
from dify_notebook.magic.inputs import FileInput, fit

FORM: list[dict[str, Any]] = [
    {
        "type": "text-input",
        "variable": "city",
        "label": "City",
        "required": True,
        "max_length": 12,
        "default": "",
    },
    {"type": "paragraph", "variable": "bio", "label": "Bio", "required": False, "max_length": None},
    {
        "type": "select",
        "variable": "tone",
        "label": "Tone",
        "required": False,
        "options": ["formal", "casual"],
    },
    {"type": "number", "variable": "age", "label": "Age", "required": False, "max_length": 3, "default": ""},
    {"type": "checkbox", "variable": "ok", "label": "OK", "required": False},
    {"type": "json_object", "variable": "data", "label": "Data", "required": False},
    {"type": "file", "variable": "doc", "label": "Doc", "required": False},
    {"type": "file-list", "variable": "docs", "label": "Docs", "required": False},
]

FITS = [
    ("text", {"city": "Lyon"}, {"city": "Lyon"}),
    ("text_empty_is_given", {"city": ""}, {"city": ""}),
    ("text_at_the_limit", {"city": "x" * 12}, {"city": "x" * 12}),
    ("text_from_number", {"city": 7}, {"city": "7"}),
    ("text_from_list", {"city": [1, 2]}, {"city": "[1, 2]"}),
    ("no_limit", {"city": "a", "bio": "x" * 999}, {"city": "a", "bio": "x" * 999}),
    ("select", {"city": "a", "tone": "formal"}, {"city": "a", "tone": "formal"}),
    ("number_text", {"city": "a", "age": "42"}, {"city": "a", "age": 42}),
    ("number_text_float", {"city": "a", "age": " 3.5 "}, {"city": "a", "age": 3.5}),
    ("number_text_float_whole", {"city": "a", "age": "3.0"}, {"city": "a", "age": 3.0}),
    ("number", {"city": "a", "age": 3.5}, {"city": "a", "age": 3.5}),
    ("number_decimal", {"city": "a", "age": Decimal("3.5")}, {"city": "a", "age": 3.5}),
    ("number_empty_is_left_out", {"city": "a", "age": ""}, {"city": "a"}),
    ("checkbox_text", {"city": "a", "ok": "Yes"}, {"city": "a", "ok": True}),
    ("checkbox", {"city": "a", "ok": False}, {"city": "a", "ok": False}),
    ("json_text", {"city": "a", "data": '{"k": [1]}'}, {"city": "a", "data": {"k": [1]}}),
    ("json", {"city": "a", "data": {"k": (1,)}}, {"city": "a", "data": {"k": [1]}}),
    ("file", {"city": "a", "doc": "x.csv"}, {"city": "a", "doc": FileInput(("x.csv",), False)}),
    ("files", {"city": "a", "docs": ["x", "y"]}, {"city": "a", "docs": FileInput(("x", "y"), True)}),
    (
        "file_in_server_form",
        {"city": "a", "doc": {"type": "document"}},
        {"city": "a", "doc": {"type": "document"}},
    ),
    ("none_is_not_given", {"city": "a", "bio": None}, {"city": "a"}),
]


@pytest.mark.parametrize(("given", "sent"), [pytest.param(c[1], c[2], id=c[0]) for c in FITS])
def test_fits(given: dict[str, Any], sent: dict[str, Any]) -> None:
    assert fit(FORM, given) == sent


REFUSED = [
    ("missing", {}, ["city (City)", "-i city=…"]),
    ("none_for_required", {"city": None}, ["city"]),
    ("unknown", {"citty": "a"}, ["citty", "Did you mean city?", "tone"]),
    ("too_long", {"city": "x" * 13}, ["13", "12"]),
    ("select", {"city": "a", "tone": "formel"}, ["formal, casual", "Did you mean formal?"]),
    ("select_empty", {"city": "a", "tone": ""}, ["formal, casual"]),
    ("number", {"city": "a", "age": "many"}, ["age", "many"]),
    ("number_nan", {"city": "a", "age": "nan"}, ["age"]),
    ("number_bool", {"city": "a", "age": True}, ["age", "bool"]),
    ("number_list", {"city": "a", "age": [1]}, ["age", "list"]),
    ("checkbox", {"city": "a", "ok": "maybe"}, ["ok", "maybe"]),
    ("json_broken", {"city": "a", "data": "{"}, ["data", "JSON"]),
    ("json_list", {"city": "a", "data": [1]}, ["data", "list"]),
    ("two_files_for_one", {"city": "a", "doc": ["x", "y"]}, ["doc", "2"]),
    ("unfit", {"city": object()}, ["-i city", "object"]),
]


@pytest.mark.parametrize(("given", "says"), [pytest.param(c[1], c[2], id=c[0]) for c in REFUSED])
def test_refused(given: dict[str, Any], says: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        fit(FORM, given)
    for words in says:
        assert words in caught.value.message


def test_default_fills_a_required_one() -> None:
    form = [{"type": "text-input", "variable": "a", "required": True, "default": "d"}]
    assert fit(form, {}) == {"a": "d"}


def test_app_without_inputs_says_so() -> None:
    with pytest.raises(InputError, match=r"takes no inputs.*\{\{ city \}\}"):
        fit([], {"city": "a"})


def test_unknown_form_sends_json() -> None:
    assert fit(None, {"a": "1", "b": (1,), "c": None}) == {"a": "1", "b": [1], "c": None}
