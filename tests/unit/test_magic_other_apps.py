"""Cells of apps that hold no conversations: the text is an input, and what the line gives beside it."""

from __future__ import annotations

import collections
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars
import pytest
from support.cells import Notebook, Server

from dify_notebook.app.files import FileInput
from dify_notebook.app.modes import TAKES, UNKNOWN, takes
from dify_notebook.errors import InputError
from dify_notebook.i18n import set_language
from dify_notebook.magic import cell as cells
from dify_notebook.magic.cell_inputs import inputs_given
from dify_notebook.magic.line import run_line
from dify_notebook.magic.objects import object_of
from dify_notebook.magic.parse import parse_line
from dify_notebook.magic.state import State
from dify_notebook.net.ask import _BY_INPUTS
from dify_notebook.wire.kinds import CHAT_MODES, COMPLETION, OTHER_MODES, WORKFLOW

VERSION = "5d3f1a52-6b0e-4a5e-9a4e-0d2f1f1c9b7d"


def form(*controls: tuple[str, str, bool], **more: Any) -> list[dict[str, Any]]:
    """Controls as (kind, variable, required)."""
    return [{kind: {"variable": name, "label": name, "required": needed, **more}} for kind, name, needed in controls]


def book(mode: str, *controls: tuple[str, str, bool], version: str = "1.12.1", **names: Any) -> Notebook:
    server = Server(version, form(*controls))
    server.mode = mode
    return Notebook(server, **names)


TRANSLATOR = (("paragraph", "text", True), ("text-input", "lang", False), ("number", "n", False))


@pytest.mark.parametrize("mode", OTHER_MODES)
@pytest.mark.parametrize(
    ("controls", "line", "name"),
    [
        (TRANSLATOR, "", "text"),
        ((*TRANSLATOR, ("text-input", "query", False)), "-i text=x", "query"),
        ((("text-input", "word", True), ("select", "s", False), ("file", "f", False)), "", "word"),
        ((("paragraph", "a", False), ("paragraph", "b", False)), "--text b", "b"),
        ((("text-input", "a", False), ("text-input", "b", False)), "--text=a", "a"),
    ],
)
def test_the_text_goes_into_an_input(mode: str, controls: Any, line: str, name: str) -> None:
    request = book(mode, *controls, town="Lyon").prepare(line, "Hello {{ town }}\n\n")
    assert request.query is None
    assert request.inputs[name] == "Hello Lyon"
    assert request.conversation_id is None


@pytest.mark.parametrize(
    ("controls", "line", "body", "says"),
    [
        ((("paragraph", "a", False), ("paragraph", "b", False)), "", "x", r"any of a, b; .* --text a\."),
        ((("number", "n", False),), "", "x", "no text among its inputs"),
        (TRANSLATOR, "--text langs", "x", r"no input langs, .* Did you mean lang\? Texts it takes: text, lang\."),
        ((*TRANSLATOR, ("file", "doc", False)), "--text doc", "x", r"doc takes a file.* Texts it takes: text, lang\."),
        (TRANSLATOR, "-i text=y", "x", "text is given twice"),
        (TRANSLATOR, "--inputs '{\"text\": \"y\"}'", "x", "text is given twice"),
        (TRANSLATOR, "", " \n", "This app needs text: write it below"),
        (TRANSLATOR, "-i langs=de", "x", "no input langs"),
        (TRANSLATOR, "", "{{ nothing }}", "no variable nothing"),
    ],
)
def test_what_is_not_clear_is_refused(controls: Any, line: str, body: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        book(WORKFLOW, *controls).prepare(line, body)


def test_a_cell_may_be_empty_where_its_text_is_not_needed_or_given() -> None:
    assert book(WORKFLOW, ("number", "n", True)).prepare("-i n=3", "").inputs == {"n": 3}
    assert book(WORKFLOW, ("paragraph", "text", False)).prepare("", "\n").inputs == {}
    assert book(WORKFLOW, *TRANSLATOR).prepare("-i text=x", "").inputs == {"text": "x"}
    many = book(WORKFLOW, ("paragraph", "a", False), ("paragraph", "b", False))
    assert many.prepare("", "").inputs == {}


def test_the_default_of_a_needed_text_serves_an_empty_cell() -> None:
    server = Server(form=form(("paragraph", "text", True), default="from the form"))
    server.mode = WORKFLOW
    assert Notebook(server).prepare("", "").inputs == {"text": "from the form"}


def test_a_form_that_is_not_told_needs_the_name() -> None:
    lost = book(COMPLETION)
    lost.server.refuse["/parameters"] = (404, "not_found")
    with pytest.raises(InputError, match="does not tell which inputs"):
        lost.prepare("", "hello")
    assert lost.prepare("--text query", "hello").inputs == {"query": "hello"}


@pytest.mark.parametrize("mode", [*CHAT_MODES, *OTHER_MODES])
@pytest.mark.parametrize("option", ["-c x", "--new", "--again", "--once", "--text text", "--as-inputs", "--workflow-id x"])
def test_options_that_mean_nothing_to_a_mode_are_refused(mode: str, option: str) -> None:
    name = option.split()[0]
    refused = {
        "--text": mode in CHAT_MODES,
        "--as-inputs": mode in CHAT_MODES,
        "--workflow-id": mode not in ("advanced-chat", WORKFLOW),
    }.get(name, mode in OTHER_MODES)
    notebook = book(mode, *TRANSLATOR[1:], ("paragraph", "text", False))
    if not refused:
        if name != "-c":  # which asks for a conversation that is there
            notebook.prepare(option, "" if name == "--as-inputs" else "hi")
        return
    with pytest.raises(InputError, match=rf"^magic_line: {name} .*Support \(an? ") as caught:
        notebook.prepare(option, "hi")
    assert not any(path.endswith(("/run", "-messages")) for path in notebook.server.asked)
    assert "{" not in str(caught.value)


def test_every_mode_says_what_it_takes() -> None:
    assert set(TAKES) == {*CHAT_MODES, *OTHER_MODES}
    assert [mode for mode in TAKES if not takes(mode).conversations] == list(OTHER_MODES)
    assert set(_BY_INPUTS) == set(OTHER_MODES), "how they are asked"
    assert takes(None) == takes("") == takes("newer") == UNKNOWN


Row = collections.namedtuple("Row", ["text", "lang", "n", "seen"])
FRAME = pd.DataFrame({"text": ["hi"], "lang": [None], "n": [3], "score": [0.5], "seen": [pd.Timestamp("2026-01-01")]})


@pytest.mark.parametrize(
    ("row", "left_out"),
    [
        (FRAME, ("score", "seen")),
        (FRAME.iloc[0], ("score", "seen")),
        (next(FRAME.itertuples(index=False)), ("score", "seen")),
        (polars.DataFrame(FRAME), ("score", "seen")),
        (Row("hi", np.nan, np.int64(3), True), ("seen",)),
    ],
    ids=["frame", "series", "itertuples", "polars", "named tuple"],
)
@pytest.mark.parametrize("mode", [WORKFLOW, "advanced-chat"])
def test_a_row_gives_the_columns_that_the_app_asks_for(mode: str, row: Any, left_out: tuple[str, ...]) -> None:
    request = book(mode, *TRANSLATOR, row=row).prepare("--inputs row", "" if mode == WORKFLOW else "go")
    assert request.inputs == {"text": "hi", "n": 3}
    assert request.left_out == left_out
    assert type(request.inputs["n"]) is int


def test_a_dict_is_strict_about_names_and_what_is_missing() -> None:
    cells_of = {"text": "hi", "n": np.float64(2)}
    assert book(WORKFLOW, *TRANSLATOR, d=cells_of).prepare("--inputs d", "").inputs == {"text": "hi", "n": 2.0}
    for more, says in (({"score": 1}, "no input score"), ({"lang": np.nan}, "lang holds no value")):
        with pytest.raises(InputError, match=says):
            book(WORKFLOW, *TRANSLATOR, d={**cells_of, **more}).prepare("--inputs d", "")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (pd.concat([FRAME, FRAME]), r"one row, and the table v has 2: .* v\.iloc\[\[0\]\]"),
        (FRAME[:0], "the table v has 0"),
        ([1], "v is a list"),
        ('{"text": ', "v is no JSON object"),
        ('["text"]', "holds no object but a list"),
        (pd.Series([1, 2]), r"none of the row's columns \(0, 1\)\. Its inputs: text, lang, n"),
    ],
    ids=str,
)
def test_what_is_no_row_is_refused(value: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        book(WORKFLOW, *TRANSLATOR, v=value).prepare("--inputs v", "")


def test_what_the_line_gives_goes_before_a_row() -> None:
    request = book(WORKFLOW, *TRANSLATOR, row=FRAME).prepare("--inputs row -i n=4 -i lang=de", "")
    assert request.inputs == {"text": "hi", "n": 4, "lang": "de"}
    with pytest.raises(InputError, match="no input score"):  # it was asked for by name
        book(WORKFLOW, *TRANSLATOR, row=FRAME).prepare("--inputs row -i score=4", "")
    assert book(WORKFLOW, *TRANSLATOR, v='{"text": "a"}').prepare("--inputs v", "").inputs == {"text": "a"}


AS_INPUTS = [
    '{"text": "Hi {{ town }}", "n": 2, "data": {"list": ["{{ town }}", 1]}}',
    'text = "Hi {{ town }}"\nn = 2\n[data]\nlist = ["{{ town }}", 1]\n',
]


@pytest.mark.parametrize("body", AS_INPUTS, ids=["JSON", "TOML"])
def test_a_cell_can_be_all_inputs(body: str) -> None:
    controls = (*TRANSLATOR, ("json_object", "data", False))
    request = book(WORKFLOW, *controls, town='L"y').prepare("--as-inputs -i n:=1+4", body)
    assert request.inputs == {"text": 'Hi L"y', "n": 5, "data": {"list": ['L"y', 1]}}
    plain = book(WORKFLOW, *controls).prepare("--as-inputs --no-vars", body)
    assert plain.inputs["text"] == "Hi {{ town }}"


def test_files_of_such_a_cell_are_those_of_variables(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a")
    controls = (("file", "doc", True),)
    request = book(WORKFLOW, *controls, path=path).prepare("--as-inputs", 'doc = "{{ path }}"')
    assert isinstance(request.inputs["doc"], FileInput)
    with pytest.raises(InputError, match="never taken for the path"):
        book(WORKFLOW, *controls).prepare("--as-inputs", json.dumps({"doc": str(path)}))
    linked = book(WORKFLOW, *controls).prepare("--as-inputs", 'doc = "https://example.com/a.csv"')
    assert linked.inputs["doc"]["transfer_method"] == "remote_url"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"text": "a",\n "n" 2}', r"As JSON: .* in line 3, column 6\. As TOML: .* in line 2, column 1\."),
        ("text = hello", r"As JSON: Expecting value in line 2, column 1\. As TOML: Invalid value in line 2, column 8\."),
        ('["a"]', "As JSON: it holds no object but a list. As TOML: it is JSON"),
        ('{"text": "a", "text": "b"}', "text stands there twice"),
        ('{"n": NaN}', "NaN is no JSON"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_cell_that_is_no_object_says_where(body: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        object_of(body)


def test_nothing_is_an_empty_object() -> None:
    assert object_of(" \n") == {}


@pytest.mark.parametrize(
    ("mode", "line", "path", "more"),
    [
        (WORKFLOW, "", "/workflows/run", {}),
        (WORKFLOW, f"--workflow-id {VERSION}", f"/workflows/{VERSION}/run", {}),
        (COMPLETION, "", "/completion-messages", {}),
        (
            "advanced-chat",
            f"--workflow-id {VERSION} -i text=x",
            "/chat-messages",
            {"query": "hello", "conversation_id": "", "auto_generate_name": True, "workflow_id": VERSION},
        ),
    ],
)
def test_a_dry_run_shows_what_would_be_sent(mode: str, line: str, path: str, more: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a,b")
    notebook = book(mode, *TRANSLATOR)
    request = notebook.prepare(f"{line} -f {file}", "hello")
    shown = cells.describe_request(request, notebook.app_session, None)
    assert shown["method"] == "POST"
    assert shown["url"] == "http://127.0.0.1:9/v1" + path
    [reference] = shown["json"].pop("files")
    assert "a.csv" in reference["upload_file_id"]
    text = "x" if more else "hello"
    assert shown["json"] == {"inputs": {"text": text}, "response_mode": "streaming", "user": "anna", **more}
    assert set(notebook.server.asked) == {"/info", "/parameters"}


def test_the_line_says_what_the_app_is_and_how_it_is_asked() -> None:
    notebook = book(WORKFLOW, *TRANSLATOR)
    notebook.state.choice = "c"
    said = run_line("apps", notebook.state, notebook.names)
    assert "    a workflow app\n" in said
    assert "    -i text=…  paragraph · required · the cell's text\n" in said
    assert "    Ask it: %%dify c, and below that line what goes into text\n" in said
    status = run_line("", notebook.state, notebook.names)
    assert "none: a workflow app holds none" in status
    assert "continue:" not in status
    for line in ("new", "conversations"):
        with pytest.raises(InputError, match=rf"%dify {line} is about conversations, and Support \(a workflow app\)"):
            run_line(line, notebook.state, notebook.names)


@pytest.mark.parametrize(
    ("controls", "says"),
    [
        ((("number", "n", True),), "%%dify c -i n=…, with nothing below"),
        ((("paragraph", "a", False), ("paragraph", "b", True)), "%%dify c --text NAME -i b=…, where NAME"),
    ],
)
def test_the_line_says_what_an_unclear_app_needs(controls: Any, says: str) -> None:
    notebook = book(COMPLETION, *controls)
    notebook.state.choice = "c"
    assert says in run_line("apps", notebook.state, notebook.names)


def test_chinese_sentences() -> None:
    set_language("zh-Hans")
    try:
        with pytest.raises(InputError, match="--new 与会话有关，而 Support（工作流应用）没有会话"):
            book(WORKFLOW, *TRANSLATOR).prepare("--new", "x")
    finally:
        set_language(None)


def test_the_embedded_app_is_known_before_it_was_asked() -> None:
    state = State()
    assert "none: a workflow app holds none" in run_line("use tally", state, {})
    with pytest.raises(InputError, match=r"tally \(a workflow app\)"):
        run_line("new", state, {})
    assert "    Ask it: %%dify tally" in run_line("apps", state, {})
    assert "none yet" in run_line("use guide", state, {})


def test_conversations_of_an_app_that_was_not_asked_yet() -> None:
    notebook = book(COMPLETION, *TRANSLATOR)
    notebook.state.choice = "c"
    status = run_line("", notebook.state, notebook.names)
    assert "none yet" in status
    assert "begins one" not in status
    with pytest.raises(InputError, match="conversations is about conversations"):
        run_line("conversations", notebook.state, notebook.names)
    assert "/conversations" not in notebook.server.asked


# -- what values may not do ------------------------------------------------------------------------


@pytest.mark.parametrize("body", ['{"a": "{{ x }}", "b": 1}', 'a = "{{ x }}"\nb = 1', "a = '''{{ x }}'''\nb = 1"])
@pytest.mark.parametrize("value", ['"', '", "b": 2, "c": "', '"\nb = 2\nc = "', "'''\nb = 2\nc = '''", "{{ y }}", "\\"])
def test_a_value_stays_the_value_that_it_is(body: str, value: str) -> None:
    given = inputs_given(parse_line("c --as-inputs"), {"x": value, "y": "no"}, body)
    assert {name: one.value for name, one in given.values.items()} == {"a": value, "b": 1}


@pytest.mark.parametrize("body", ['{"a": %s}', "a = %s"])
@pytest.mark.parametrize("depth", [198, 300, 600, 900, 5_000, 50_000])
def test_inputs_that_are_nested_deeper_than_anyone_means_are_refused(body: str, depth: int) -> None:
    text = body % ("[" * depth + "]" * depth)
    if depth < 200:
        assert inputs_given(parse_line("c --as-inputs"), {}, text).values["a"]
        return
    with pytest.raises(InputError):
        inputs_given(parse_line("c --as-inputs"), {}, text)
