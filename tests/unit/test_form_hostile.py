"""What an app says of its form may be JSON of any shape: it is read as far as it makes sense, and breaks no door."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.provenance import App, counted

from dify_notebook.app import file_rules as rules
from dify_notebook.errors import InputError
from dify_notebook.magic.complete import candidates_from
from dify_notebook.magic.line import run_line
from dify_notebook.panel.app import field_of, file_rules, sizes
from dify_notebook.wire.models import Parameters, read

LEAF = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5))
ANY = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2))
FILES = ("allowed_file_types", "allowed_file_extensions", "allowed_file_upload_methods", "number_limits", "fileUploadConfig")
LIMITS = ANY | st.fixed_dictionaries({}, optional={"file_size_limit": ANY, "image_file_size_limit": ANY})
IMAGE = ANY | st.fixed_dictionaries({"enabled": ANY, "transfer_methods": ANY, "number_limits": ANY})


def parts(*names: str) -> dict[str, st.SearchStrategy[Any]]:
    return dict.fromkeys(names, ANY)


CONTROL = st.fixed_dictionaries(
    {"variable": st.just("v"), "type": st.sampled_from(["file", "file-list", "select", "number", "json", "other"])},
    optional=parts("label", "required", "default", "options", "max_length", *FILES[:3]),
)
TOLD = st.fixed_dictionaries(
    {
        "user_input_form": st.lists(st.builds(lambda one: {one["type"]: one}, CONTROL), max_size=2),
        "file_upload": st.fixed_dictionaries({"enabled": st.just(True)}, optional={**parts(*FILES), "image": IMAGE}),
        "system_parameters": LIMITS,
    }
)


@settings(max_examples=300)
@given(TOLD)
@example({"user_input_form": [{"select": {"variable": "v", "options": 5}}]})
@example({"file_upload": {"enabled": True, "fileUploadConfig": []}, "system_parameters": {"file_size_limit": 1e308}})
def test_what_an_app_asks_for_is_read_as_far_as_it_makes_sense(told: dict[str, Any]) -> None:
    parameters = read(Parameters, told)
    shown = [field_of(control, parameters, "en") for control in parameters.controls]
    assert msgspec.json.encode([shown, file_rules(parameters, "en"), sizes(parameters)])
    assert len(candidates_from({}, [], parameters.controls).inputs) == len(shown)
    checks: list[Callable[[], None]] = [
        lambda: rules.check_anywhere("a.txt", None, parameters),
        lambda: rules.check_size("a.txt", None, 5, parameters),
        *(partial(rules.check_kind, "a.txt", None, one, "there") for one in parameters.controls),
    ]
    for check in checks:
        with suppress(InputError):
            check()


def test_options_that_are_no_list_leave_the_apps_table_and_the_cell_usable() -> None:
    app = App("select")
    app.form[0]["select"]["options"] = 5
    with counted(app) as world:
        said = run_line("use c", world.magics.state, {"c": world.dify})
        assert "-i v=" in run_line("apps", world.magics.state, {"c": world.dify}), said
        assert world.cell("%%dify -i v=x") == ""
    assert app.questions[0]["inputs"] == {"v": "x"}
