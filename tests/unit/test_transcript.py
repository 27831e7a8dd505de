"""A turn as a cell that asks it again: what `%%dify` reads back is what was asked, and nothing but data."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from dify_notebook import transcript
from dify_notebook.app.controls import free
from dify_notebook.app.origin import Origin
from dify_notebook.app.stored_files import is_file
from dify_notebook.magic.cell_inputs import inputs_given
from dify_notebook.magic.parse import Arguments, parse_line
from dify_notebook.magic.split import split
from dify_notebook.turn.state import Turn

QUERY = "q {{ x }}\n%%dify --inputs other\n!ls\n-i a:=b"

VALUES: list[Any] = [
    "Paris", "Bad Urach", "it's \"quoted\"", "a\nb", "=x", "", None, 3, 2.5, True, {"a": [1, "b c"]}, ["x", "y"], "日本", "$HOME `ls` {{ x }}",
    "\x00\x1b[2J\x7f\x85\u2028\u2029\r\n", "\ud800", "\\' --timeout 1 '", 10**40, -0.0, [[], {}], {"": None},
]  # fmt: skip
NAMES = [
    "v", "v:", "n:=__import__('os')", "a=b", "--timeout", "-o x", "two words", "", "a\nb", "'", '"', "{{ x }}", "日本", "é", "\u2028", "\\",
]  # fmt: skip


def read(cell: str) -> tuple[Arguments, str]:
    """The cell as IPython hands it to the magic, and the magic reads its line."""
    handed: list[tuple[str, str, str]] = []
    code = TransformerManager().transform_cell(cell)

    class Shell:
        def run_cell_magic(self, name: str, line: str, body: str) -> None:
            handed.append((name, line, body))

    exec(code, {"get_ipython": Shell})
    [(name, line, body)] = handed
    assert name == "dify"
    return parse_line(line), body


@pytest.mark.parametrize("value", VALUES, ids=[ascii(value) for value in VALUES])
def test_inputs_come_back_as_they_were(value: Any) -> None:
    arguments, body = read(transcript.as_cell(Turn(query=QUERY, inputs={"v": value}), "guide"))
    assert arguments == Arguments(profile="guide", no_vars=True, inputs_from={"v": value})
    assert body == QUERY + "\n"


@pytest.mark.parametrize("name", NAMES, ids=[ascii(name) for name in NAMES])
def test_a_name_is_a_name_and_never_an_option_or_an_expression(name: str) -> None:
    arguments, _ = read(transcript.as_cell(Turn(query=QUERY, inputs={name: "print(1)"})))
    assert arguments == Arguments(no_vars=True, inputs_from={name: "print(1)"})


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
TEXTS = st.text(st.characters()) | st.text("'\"\\{}:=- \n\r\t-i\x85\u2028\ud800")
JSON = st.recursive(
    SCALARS | TEXTS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)


@given(
    st.dictionaries(
        TEXTS.filter(lambda name: not name.startswith("sys.")), JSON.filter(lambda value: not is_file(value)), max_size=6
    )
)
@example({"n:": "1 + 1", "'": "'", "--user": "x"})
def test_exported_cells_give_exactly_the_inputs_that_were_stored(inputs: dict[str, Any]) -> None:
    cell = transcript.as_cell(Turn(query="q", inputs=inputs))
    line, _, body = cell.partition("\n")
    assert body == "q"
    assert line.splitlines() == [line]
    assert line.isascii()
    assert line.isprintable()
    assert [word.text for word in split(line)][:3] == ["%%dify", "--no-vars", "--inputs"][: 3 if inputs else 2]
    arguments, body = read(cell)
    assert arguments == Arguments(no_vars=True, inputs_from=inputs or None)
    assert body == "q\n"
    given = inputs_given(arguments, {}).values
    assert {value.origin for value in given.values()} <= {Origin.PYTHON}, "no path of a file, no expression"
    assert {name: free(name, value) for name, value in given.items()} == inputs


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_has_not_is_null(value: float) -> None:
    arguments, _ = read(transcript.as_cell(Turn(query="q", inputs={"a": value, "b": [value], "c": 1})))
    assert arguments.inputs_from == {"a": None, "b": [None], "c": 1}


def test_what_is_no_json_is_left_out() -> None:
    deep: list[Any] = []
    for _ in range(20_000):
        deep = [deep]
    inputs = {"object": object(), "deep": deep, "digits": 10**5_000, "kept": 1}
    arguments, _ = read(transcript.as_cell(Turn(query="q", inputs=inputs)))
    assert arguments.inputs_from == {"kept": 1}


FILES: dict[str, Any] = {
    "paper": {"transfer_method": "local_file", "upload_file_id": "i"},
    "link": {"transfer_method": "remote_url", "url": "https://h/x"},
    "papers": [{"dify_model_identity": "__dify__file__", "url": "https://h/x?sign=s"}],
}


def test_files_and_the_server_s_own_variables_are_left_out() -> None:
    turn = Turn(query="q", inputs={"sys.query": "x", **FILES})
    assert transcript.as_cell(turn) == "%%dify --no-vars\nq"
    said, code = json.loads(transcript.as_notebook([turn], "t"))["cells"][2:4]
    assert code["source"] == ["%%dify --no-vars\n", "q"]
    assert said["cell_type"] == "markdown"
    assert "leaves out 3 of its inputs" in "".join(said["source"])


@pytest.mark.parametrize("profile", ["", "--new", "a b", "a\nb", "'", "a;b", "app-" + "x" * 24])
def test_a_profile_that_the_line_cannot_hold_is_left_out(profile: str) -> None:
    assert transcript.as_cell(Turn(query="q"), profile) == "%%dify --no-vars\nq"


@pytest.mark.parametrize("profile", ["guide", "support-eu", "客服", "2nd.line_b"])
def test_a_cell_asks_the_profile_that_was_asked(profile: str) -> None:
    assert read(transcript.as_cell(Turn(query="q"), profile)) == (Arguments(profile=profile, no_vars=True), "q\n")


def test_half_a_character_can_be_written_into_a_file() -> None:
    text = transcript.as_notebook([Turn(query="half \ud800", answer="x")], "t")
    assert json.loads(text.encode("utf-8"))["cells"][2]["source"] == ["%%dify --no-vars\n", "half \ud800"]
