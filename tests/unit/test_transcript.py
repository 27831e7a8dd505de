"""A turn as a cell that asks it again: what `%%dify` reads back is what was asked."""

from __future__ import annotations

from typing import Any

import pytest

from dify_notebook import transcript
from dify_notebook.magic.parse import parse_line
from dify_notebook.turn.state import Turn

VALUES: list[Any] = [
    "Paris", "Bad Urach", "it's \"quoted\"", "a\nb", "=x", "", None, 3, 2.5, True, {"a": [1, "b c"]}, ["x", "y"], "日本", "$HOME `ls` {{ x }}",
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=[repr(value) for value in VALUES])
def test_inputs_come_back_as_they_were(value: Any) -> None:
    line, _, body = transcript.as_cell(Turn(query="q {{ x }}\nmore", inputs={"v": value}), "guide").partition("\n")
    assert body == "q {{ x }}\nmore"
    arguments = parse_line(line.removeprefix("%%dify"))
    assert arguments.profile == "guide"
    assert arguments.no_vars
    if value in (None, ""):
        assert list(arguments.inputs) == []
    else:
        [one] = arguments.inputs
        assert one.name == "v"
        assert (eval(one.text) if one.expression else one.text) == value


def test_files_and_the_server_s_own_variables_are_left_out() -> None:
    inputs = {
        "sys.query": "x",
        "paper": {"transfer_method": "local_file", "upload_file_id": "i"},
        "papers": [{"dify_model_identity": "__dify__file__"}],
    }
    assert transcript.as_cell(Turn(query="q", inputs=inputs)) == "%%dify --no-vars\nq"
