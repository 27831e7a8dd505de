"""What is said of a form, and of one that is answered too late."""

from __future__ import annotations

import pytest

from dify_notebook.errors import InputError
from dify_notebook.secret import Secret
from dify_notebook.turn.forms import Form, FormStatus

DATA = {
    "node_title": "Approval",
    "form_content": "x" * 5_000,
    "inputs": [{"output_variable_name": name} for name in ("note", "kind")],
    "actions": [{"id": "approve"}, {"id": "reject"}],
}


def test_a_form_in_a_line() -> None:
    form = Form(id="f", data=DATA, token=Secret("a-form-token"))
    assert repr(form) == "<Form waiting 'Approval' actions=approve, reject fields=note, kind>"
    assert repr(Form(id="f", status="filled")) == "<Form filled 'f'>"


def test_the_line_is_short_and_harmless_whatever_the_app_is() -> None:
    evil = "\x1b[31m\n" + "a" * 5_000
    many = [{"output_variable_name": f"{evil}{at}", "id": f"{evil}{at}"} for at in range(100)]
    line = repr(Form(id="f", data={"node_title": evil, "inputs": many, "actions": many}))
    assert line.isprintable()
    assert len(line) < 800


@pytest.mark.parametrize(("status", "words"), [("filled", "answered already"), ("timeout", "time for this form is over")])
def test_one_that_waits_no_more_says_so_and_what_to_do(status: FormStatus, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        Form(id="f", data=DATA, status=status).submit(action="approve", inputs={"note": "n", "kind": "k"})
    assert "%dify resume" in (caught.value.hint or "")
