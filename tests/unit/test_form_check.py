"""What does not fit a run's form is refused before anything is sent, in words about that form, not about the app's inputs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dify_notebook.errors import InputError
from dify_notebook.i18n import sentences
from dify_notebook.net.forms import refused
from dify_notebook.turn.forms import Form, as_form

FORM: Form = as_form(
    {
        "form_id": "form-1",
        "node_title": "Approval",
        "inputs": [
            {"output_variable_name": "note", "type": "paragraph", "default": {"type": "constant", "value": "fine"}},
            {"output_variable_name": "when", "type": "select", "option_source": {"type": "constant", "value": ["now"]}},
        ],
        "actions": [{"id": "approve", "title": "Approve"}],
    }
)
WRONG: list[tuple[Any, str]] = [
    ({}, "when"),
    ({"when": "never"}, "'never'"),
    ({"when": "now", "who": "me"}, "who"),
    (["now"], "list"),
]


@pytest.mark.parametrize("lang", ["en", "zh-Hans"])
@pytest.mark.parametrize(("inputs", "named"), WRONG, ids=[named for _, named in WRONG])
def test_values_that_do_not_fit_have_the_hint_of_forms(
    inputs: Any, named: str, lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFY_NOTEBOOK_LANG", lang)
    with pytest.raises(InputError) as caught:
        FORM.check("approve", inputs)
    assert named in caught.value.message
    assert (caught.value.code, caught.value.hint) == ("form_inputs", sentences(lang)["hint.form_inputs"])
    assert "%dify apps" not in refused(caught.value)


def test_an_action_that_the_form_does_not_have_is_named_with_those_it_has() -> None:
    with pytest.raises(InputError, match=r"'accept'.* approve") as caught:
        FORM.check("accept", {"when": "now"})
    assert "inputs" not in caught.value.hint


def test_a_value_that_is_left_out_is_the_default() -> None:
    assert FORM.check("approve", {"when": "now"}) == {"when": "now", "note": "fine"}


@pytest.mark.parametrize(("status", "key"), [("filled", "forms.answered"), ("timeout", "forms.timeout")])
def test_a_form_that_waits_no_more_says_so_and_not_that_it_was_never_asked(status: str, key: str) -> None:
    closed = msgspec.structs.replace(FORM, status=status)  # its client is let go with it
    with pytest.raises(InputError) as caught:
        closed.submit(action="approve", inputs={"when": "now"})
    assert caught.value.message == sentences("en")[key]


def test_a_form_of_a_turn_that_was_read_names_what_submits_it() -> None:
    with pytest.raises(InputError, match=r"dify\.forms\.submit"):
        FORM.submit(action="approve", inputs={"when": "now"})
