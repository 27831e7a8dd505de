"""Inputs fit the app's form, or are refused by name before anything is sent."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dify_notebook.app.entry_points import CELL, as_input_error
from dify_notebook.app.files import FileInput, Pattern
from dify_notebook.app.known import Fitted, KnownApp
from dify_notebook.app.origin import Origin, Value
from dify_notebook.errors import InputError
from dify_notebook.wire.models import Parameters


def fit(form: list[dict[str, Any]] | None, given: dict[str, Value]) -> Fitted:
    """As a cell has it; `form` is None where the server does not tell it."""
    told = None if form is None else Parameters(user_input_form=[{control["type"]: control} for control in form])
    return as_input_error(CELL, KnownApp(parameters=told).fit, given)


def typed(given: dict[str, Any]) -> dict[str, Value]:
    """Texts as from the line, all else as from Python."""
    return {
        name: value if isinstance(value, Value) else Value(value, Origin.LINE if isinstance(value, str) else Origin.PYTHON) for name, value in given.items()
    }


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

PATH = Path("x.csv")
NOTHING = Value("", Origin.PYTHON)

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
    ("file", {"city": "a", "doc": "x.csv"}, {"city": "a", "doc": FileInput((Pattern("x.csv"),), False, 1)}),
    ("files", {"city": "a", "docs": [PATH, b"y"]}, {"city": "a", "docs": FileInput((PATH, b"y"), True)}),
    (
        "address",
        {"city": "a", "doc": "https://h/a.pdf"},
        {"city": "a", "doc": {"type": "document", "transfer_method": "remote_url", "url": "https://h/a.pdf"}},
    ),
    ("select_without_a_choice", {"city": "a", "tone": NOTHING}, {"city": "a"}),
    (
        "file_in_server_form",
        {"city": "a", "doc": {"type": "document"}},
        {"city": "a", "doc": {"type": "document"}},
    ),
    ("none_is_not_given", {"city": "a", "bio": None}, {"city": "a"}),
]


@pytest.mark.parametrize(("given", "sent"), [pytest.param(c[1], c[2], id=c[0]) for c in FITS])
def test_fits(given: dict[str, Any], sent: dict[str, Any]) -> None:
    assert fit(FORM, typed(given)).inputs == sent


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
    ("two_files_for_one", {"city": "a", "doc": [PATH, PATH]}, ["doc", "2"]),
    ("text_of_a_dict_for_a_file", {"city": "a", "docs": ["x"]}, ["docs", "pathlib.Path", "-i NAME=PATH"]),
    ("number_for_a_file", {"city": "a", "doc": 7}, ["doc", "int"]),
    ("number_beyond_all_bounds", {"city": "a", "age": "1e999999"}, ["age", "1e999999"]),
    ("unfit", {"city": object()}, ["-i city", "object"]),
]


@pytest.mark.parametrize(("given", "says"), [pytest.param(c[1], c[2], id=c[0]) for c in REFUSED])
def test_refused(given: dict[str, Any], says: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        fit(FORM, typed(given))
    for words in says:
        assert words in caught.value.message


def test_default_fills_a_required_one() -> None:
    form = [{"type": "text-input", "variable": "a", "required": True, "default": "d"}]
    assert fit(form, {}).inputs == {"a": "d"}


def test_app_without_inputs_says_so() -> None:
    with pytest.raises(InputError, match=r"takes no inputs.*\{\{ city \}\}"):
        fit([], typed({"city": "a"}))


def test_unknown_form_sends_json() -> None:
    assert fit(None, typed({"a": "1", "b": (1,), "c": None})).inputs == {"a": "1", "b": [1], "c": None}
