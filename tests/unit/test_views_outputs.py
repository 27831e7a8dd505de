"""What a run was given and what it gave: each value as what it is, once, harmless and bounded, in every form."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.linear import MOST, growth
from unit import views_examples as examples
from unit.test_views_hostile import ODD, problems
from unit.test_views_turn import shown, slot, words_of
from unit.views_hostile import hostile_run

from dify_notebook import views
from dify_notebook.turn.state import CUT, End, Form, MessageFile, Node, Status, Turn, TurnError, Workflow
from dify_notebook.views import limits, transcript
from dify_notebook.views.block import Block
from dify_notebook.views.diff import Differ, apply
from dify_notebook.views.html import serialize
from dify_notebook.views.outputs import answer
from dify_notebook.views.outputs import given as given_inputs
from dify_notebook.views.written import aligned


def run(outputs: Any, status: Status = "succeeded", **more: Any) -> Turn:
    return Turn(app_mode="workflow", status=status, workflow=Workflow("r", outputs=outputs), **more)


def value(told: Any, form: str) -> str:
    """How one value looks as the second of two outputs."""
    turn = run({"first": 1, "x": told})
    if form == "page":
        return shown(turn, "outputs").partition(" x ")[2]
    if form == "markdown":
        return views.markdown(turn, "en").partition("first | 1 |\n")[2].partition("\n\n---")[0].strip()
    return views.text(turn, "en").partition("first: 1\n  x:")[2].partition("\n\n✓")[0].strip(" \n")


FILE = {
    "dify_model_identity": "__dify__file__", "related_id": "f1", "filename": "a b.csv", "mime_type": "text/csv", "size": 812,
    "type": "document", "url": "https://signed.example/f1?sign=abc", "remote_url": "https://signed.example/f1?sign=abc",
}  # fmt: skip
TABLE = [{"name": "a|b", "n": 1}, {"n": 2.5, "more": None}]
VALUES: dict[str, tuple[Any, str, str, str]] = {
    # what is told: on a page, in markdown, in a terminal
    "number": (42, "42", "| x | 42 |", "42"),
    "large number": (1e30, "1e+30", "| x | 1e+30 |", "1e+30"),
    "huge number": (-(10**3000), "-1" + "0" * 100, "| x | -1" + "0" * 100, "-1" + "0" * 100),
    "larger than can be written": (1 << 90_000, "0x1000", "| x | 0x1000", "0x1000"),
    "no number": (float("nan"), "NaN", "| x | NaN |", "NaN"),
    "infinite": (float("-inf"), "-Infinity", "| x | -Infinity |", "-Infinity"),
    "true": (True, "true", "| x | true |", "true"),
    "nothing": (None, "—", "| x | — |", "—"),
    "empty text": ("", "empty text", "| x | empty text |", "empty text"),
    "empty list": ([], "empty list", "| x | empty list |", "empty list"),
    "empty object": ({}, "empty object", "| x | empty object |", "empty object"),
    "line": ("**yes** | no", "yes | no", r"| x | \*\*yes\*\* &#124; no |", "**yes** | no"),
    "markdown": ("# Head\n\n- *a*", "Head a", "**x**\n\n> # Head\n>\n> - *a*", "# Head\n\n    - *a*"),
    "csv": ("a,b\n1,2\n", "a,b 1,2", "**x**\n\n> a,b\n> 1,2", "a,b\n    1,2"),
    "reasoning": ("<think>hm</think>\nYes.", "Yes.", "| x | Yes. |", "Yes."),
    "list": (["a", 1], '2 items ["a", 1] [ "a", 1 ]', '| x | &#91;"a", 1&#93; |', '["a", 1]'),
    "object": ({"a": {"b": 1}}, '1 field {"a": {"b": 1}} { "a": { "b": 1 } }', '| x | {"a": {"b": 1}} |', '{"a": {"b": 1}}'),
    "table": (
        TABLE,
        "2 rows name n more a|b 1 2.5 —",
        "**x**\n\n| name | n | more |\n|---|--:|--:|\n| a&#124;b | 1 |  |\n|  | 2.5 | — |",
        "2 rows\n      name    n  more\n      a|b     1\n            2.5     —",
    ),
    "lists": (
        [["a", 1], ["b"]],
        "2 rows a 1 b",
        "**x**\n\n|  |  |\n|---|--:|\n| a | 1 |\n| b |  |",
        "2 rows\n      a  1\n      b",
    ),
    "no table": ([{"a": 1}, {"b": [1]}], '2 items [{"a": 1}, {"b": [1]}]', '| x | &#91;{"a": 1}', '[{"a": 1}, {"b": [1]}]'),
    "file": (FILE, "a b.csv · text/csv · 812 B", "| x | a b.csv · text/csv · 812 B |", "a b.csv · text/csv · 812 B"),
    "a file as a value": (MessageFile(id="f1", name="a.csv"), "a.csv", "| x | a.csv |", "a.csv"),
    "files": ([FILE, FILE], "a b.csv · text/csv · 812 B a b.csv", "**x**\n\n- a b.csv · text", "a b.csv · text/csv · 812 B\n    a b"),
    "file in an object": ({"f": FILE}, "1 field", '{"f": "a b.csv · text/csv · 812 B"}', '{"f": "a b.csv · text/csv · 812 B"}'),
    "what is no JSON": (object, "class 'object'", "class 'object'", "class 'object'"),
}  # fmt: skip


@pytest.mark.parametrize("form", ["page", "markdown", "terminal"])
@pytest.mark.parametrize("name", VALUES)
def test_each_value_is_shown_as_what_it_is(name: str, form: str) -> None:
    told, *forms = VALUES[name]
    expected = forms[["page", "markdown", "terminal"].index(form)]
    found = value(told, form).replace("&quot;", '"').replace("&#39;", "'").replace("&lt;", "<")
    assert expected in found
    assert found.startswith(expected) or form == "markdown" or name == "what is no JSON"
    assert "signed.example" not in found


def test_nothing_has_words_for_screen_readers() -> None:
    turn = run({"a": None, "b": None})
    assert '<span class="dn-quiet" role="img" aria-label="no value">—</span>' in serialize(
        slot(views.TurnView("en").blocks(turn), "outputs")
    )
    assert 'aria-label="无值"' in views.html(turn, "zh-Hans")


def test_names_are_heads_of_their_rows() -> None:
    page = serialize(slot(views.TurnView("en").blocks(examples.workflow()), "outputs"))
    assert page.count('scope="row"') == len(examples.OUTPUTS)
    assert page.count('scope="col"') == len(examples.TICKETS[0])


# --- once


def test_a_single_text_is_the_answer_without_a_table() -> None:
    turn = run({"text": "**Yes**"}, answer="**Yes**")
    assert shown(turn, "outputs") == ""
    assert shown(turn, "answer") == "Yes"
    assert views.markdown(turn, "en").startswith("**Yes**")
    assert "text:" not in views.text(turn, "en")


def test_outputs_take_the_place_of_the_text_that_was_streamed() -> None:
    """Of which servers make a text of their own: numbers, lists and signed links in it."""
    running, ended = examples.workflow(5.0), examples.workflow()
    assert "Tickets of the week" in shown(running, "answer", 5.0)
    assert shown(running, "outputs", 5.0) == ""
    assert shown(ended, "answer") == ""
    for text in views.bundle(ended, "en").values():
        assert text.count("Tickets of the week") == 1
    page = views.html(ended, "en")
    assert page.index("Workflow") < page.index("Outputs") < page.index("954 tokens (")


def test_files_among_the_outputs_are_shown_there_alone_and_with_their_content() -> None:
    turn = msgspec.structs.replace(
        examples.workflow(), files=(*(examples.workflow().files or ()), MessageFile(id="other", name="other.pdf"))
    )
    page = views.html(turn, "en")
    assert page.count('<img src="data:image/png') == page.count("shares.png · image/png") == 1
    assert shown(turn, "files") == "other.pdf"
    for text in views.bundle(turn, "en").values():
        assert text.count("shares.png · image/png") == text.count("other.pdf") == 1
        assert "signed.example" not in text
    told = views.TextStream("en").end(turn)
    assert told.count("shares.png") == told.count("other.pdf") == 1


@pytest.mark.parametrize(
    ("outputs", "status", "said"),
    [
        (None, "failed", "The first half"),
        ({}, "stopped", "The first half"),
        ({}, "succeeded", "The first half"),
        ({"n": 1}, "failed", "The first half"),
        ({"n": 1}, "succeeded", ""),
        ({"a": "The first half", "b": "x"}, "failed", ""),
    ],
)
def test_no_text_of_a_run_is_lost(outputs: Any, status: Status, said: str) -> None:
    turn = run(outputs, status, answer="The first half", answer_raw="The first half")
    assert answer(turn) == said
    for text in views.bundle(turn, "en").values():
        assert text.count("The first half") == (1 if said or outputs == {"a": "The first half", "b": "x"} else 0)


def test_a_chatflow_shows_its_answer_and_no_outputs() -> None:
    flow = Workflow("r", outputs={"answer": "Hi", "more": 1}, inputs={"x": 1})
    turn = Turn(app_mode="advanced-chat", answer="Hi", status="succeeded", workflow=flow, conversation_id="c")
    assert shown(turn, "outputs") == shown(turn, "inputs") == ""
    assert shown(turn, "answer") == "Hi"


# --- about the run


def test_the_head_and_foot_of_what_belongs_to_no_conversation() -> None:
    for turn in (examples.workflow(), examples.completion(), examples.workflow(4.2)):
        assert shown(turn, "header") == f"{turn.app} · api.example.org"
    assert shown(Turn(app_mode="workflow", app="A"), "header", 3.0) == "A · ● Waiting… 3 s"
    assert shown(examples.workflow(), "footer") == (
        "✓ Done · 954 tokens (760 in, 194 out) · first token 3.50 s · total 5.50 s · api.example.org · 8 steps · run 1f8f4c2e"
        " · version 6dec7588"
    )
    foot = slot(views.TurnView("en").blocks(examples.workflow()), "footer").children[-1]
    assert "run 1f8f4c2e-7d58-4d3c-9a51-1f6f0c9a7b10 · version 6dec7588-90ab" in foot.attrs["title"]


def test_inputs_are_folded_at_the_top() -> None:
    root = views.TurnView("en").blocks(examples.workflow())
    folded = slot(root, "inputs").children[0]
    assert folded.tag == "details"
    assert "open" not in folded.attrs
    assert shown(examples.completion(), "inputs") == "Inputs query, language query Good morning language de"
    assert shown(examples.chat(), "inputs") == ""


def test_inputs_are_those_that_the_server_read_without_its_own() -> None:
    flow = Workflow("r", inputs={"sys.user_id": "u", "text": "# a", "none": None, "doc": FILE})
    turn = Turn(app_mode="workflow", inputs={"text": "# a", "doc": {"upload_file_id": "f1"}}, workflow=flow)
    assert list(given_inputs(turn)) == ["text", "doc"]
    assert shown(turn, "inputs") == "Inputs text, doc text # a doc a b.csv · text/csv · 812 B"


def node(title: str, status: Any, error: str | None = None) -> Node:
    return Node(id=title, title=title, status=status, error=error, node_type="code")


def test_a_failed_run_says_where_and_keeps_what_came() -> None:
    turn = run(
        None, "failed", answer="So far", nodes=(node("First", "succeeded"), node("Ask the shop", "failed", "timed out")),
        error=TurnError("workflow_failed", "timed out"), end="error",
    )  # fmt: skip
    assert shown(turn, "notice") == "✕ The run failed at the step “Ask the shop” timed out"
    assert shown(turn, "answer") == "So far"
    assert "运行在步骤“Ask the shop”处失败" in views.text(turn, "zh-Hans")


def test_a_run_that_ended_with_failed_steps_names_them() -> None:
    turn = run({"a": 1, "b": 2}, "partial_succeeded", nodes=(node("Fine", "succeeded"), node("Shop", "exception", "503")))
    assert shown(turn, "notice") == "⚠ The run ended, but some of its steps failed. Shop: 503"
    assert "✓ Partly done" in views.text(turn, "en")


def test_a_lost_run_says_how_to_find_its_end() -> None:
    lost = run(None, "incomplete", end="disconnected", workflow_run_id="r")
    assert "dify.workflows.get(turn.workflow_run_id)" in views.text(lost, "en")
    assert "server does not keep it" in views.text(msgspec.structs.replace(lost, app_mode="completion"), "en")


@pytest.mark.parametrize("end", CUT)
def test_a_run_that_was_cut_short_is_no_answer(end: End) -> None:
    assert "answer" not in shown(run(None, "incomplete", end=end), "notice")


def test_a_run_whose_form_was_answered_says_how_it_is_read_on() -> None:
    form = Form(id="f", status="filled")
    waits = run(None, "paused", forms=(form,))
    assert "dify.workflows.resume(turn)" in views.text(waits, "en")
    assert "dify.chat.resume(turn)" in views.text(msgspec.structs.replace(waits, app_mode="advanced-chat"), "en")


def test_the_timeline_of_a_workflow_is_open_unless_it_is_long() -> None:
    short = examples.workflow()
    rounds = [Node(id=f"r{n}", node_id="r", title="Round", status="succeeded") for n in range(limits.OPEN_ROWS)]
    long = msgspec.structs.replace(short, nodes=(*(short.nodes or ()), *rounds))  # the outputs come first to a reader
    chatflow = msgspec.structs.replace(examples.chatflow(), status="succeeded")
    for turn, opened in ((short, True), (long, False), (msgspec.structs.replace(long, status="failed"), True), (chatflow, False)):
        section = slot(views.TurnView("en").blocks(turn), "timeline").children[0]
        assert ("open" in section.attrs) is opened


# --- as it comes


def frames() -> list[tuple[Turn, float]]:
    return [(Turn(app_mode="workflow", inputs={"a": 1}), 0.1)] + [(examples.workflow(n / 10), n / 10) for n in range(3, 56)]


@pytest.mark.parametrize("end", [examples.workflow(), hostile_run("</td><b>"), run({"text": examples.REPORT}, answer=examples.REPORT)])
def test_patches_come_to_what_the_whole_is(end: Turn) -> None:
    view, differ = views.TurnView("en"), Differ()
    drawn: Block | None = None
    for turn, now in [*frames(), (end, 6.0), (end, 6.0)]:
        root = view.blocks(turn, now)
        drawn = apply(drawn, differ.patch(root) or [])
        assert drawn == root == views.TurnView("en").blocks(turn, now)
    assert apply(None, differ.repair(0)) == drawn


def test_a_terminal_reads_each_text_once() -> None:
    stream = views.TextStream("en")
    out = "".join(stream.feed(turn, now) for turn, now in frames())
    out += stream.end(examples.workflow())
    assert out.count("one customer waits") == 1
    assert "report: see the text above" in out
    assert "mean_days: 5.92" in out
    assert "Moderation" not in out


def test_a_terminal_reads_the_answer_anew_where_it_is_another() -> None:
    stream = views.TextStream("en")
    out = stream.feed(run(None, "running", answer="1 draft"), 1.0)
    out += stream.end(run({"text": "The end"}, answer="The end"))
    assert out.startswith("\n1 draft\n\nOutputs\n\nThe end\n")


# --- of any size


def deep(levels: int) -> Any:
    told: Any = "x"
    for _ in range(levels):
        told = {"a": [told]}
    return told


LARGE: dict[str, Any] = {
    "deep": deep(1_000),
    "wide": {f"k{at}": [at] for at in range(100_000)},
    "long": list(range(100_000)),
    "long text in a list": ["x" * 1_000_000],
    "wide rows": [{f"c{at}": at for at in range(5_000)}] * 200,
    "wide lists": [list(range(5_000))] * 200,
    "long text": "word " * 200_000,
    "many wide": [[[[at] * 90] * 90] * 90 for at in range(90)],
    "long name": {"n" * 1_000_000: 1},
}


@pytest.mark.parametrize("name", LARGE)
def test_a_value_of_any_size_is_bounded_and_says_so(name: str) -> None:
    turn = run({"first": 1, "x": LARGE[name]})
    for kind, text in views.bundle(turn, "en").items():
        assert len(text) < 400_000, kind
        assert "not drawn" not in text
        if name != "long name":
            assert re.search(r"shown here|characters are shown", text), kind
    if name != "long text":
        assert "turn.outputs" in views.text(turn, "en")


def test_a_terminal_cuts_the_cells_of_a_wide_table() -> None:
    row = {f"column {at}": "many words " * 10 for at in range(6)}
    lines = views.text(run({"a": [row, row], "b": [{"c": "word " * 20}]}), "en").splitlines()
    assert "      many words many words m…  many words many words m…" in lines[4]
    assert max(map(len, lines)) < 170
    assert any(line.endswith("word " * 19 + "word") for line in lines)


def test_hidden_columns_are_counted() -> None:
    rows = [{f"c{at}": at for at in range(limits.COLUMNS + 1)}]
    assert "1 more column is not shown here" in views.text(run({"a": rows}), "en")
    assert "3 more columns are" in views.text(run({"a": [list(range(limits.COLUMNS + 3)), [1]]}), "en")
    assert "column" not in views.text(run({"a": [list(range(limits.COLUMNS))]}), "en")


@pytest.mark.parametrize(
    "make",
    [
        lambda n: {f"o{at}": {"a": at} for at in range(n)},
        lambda n: {"a": [{"b": at} for at in range(n)], "c": 1},
        lambda n: {"a": {str(at): at for at in range(n)}, "c": 1},
        lambda n: {"a": "*word* " * n, "c": 1},
    ],
    ids=["outputs", "rows", "fields", "words"],
)
def test_what_a_view_costs_does_not_grow_faster_than_its_outputs(make: Any) -> None:
    assert growth(lambda n: run(make(n)), lambda turn: views.bundle(turn, "en"), 25_000) <= MOST


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_whatever_json_tells_is_drawn_harmlessly(outputs: dict[str, Any]) -> None:
    turn = run(outputs)
    forms = views.bundle(turn, "en")
    assert set(forms) == {"text/html", "text/markdown", "text/plain"}
    assert problems(forms["text/html"]) == []
    for text in forms.values():
        assert not ODD.search(text.replace("\n", ""))
    assert all(name in words_of(views.html(turn, "en")) for name in outputs if name.isalnum() and name.isascii() and len(outputs) > 1)


def test_cells_and_names_cannot_leave_their_place_in_markdown() -> None:
    from markdown_it import MarkdownIt

    turn = hostile_run("a | b\n```\n# c")
    html = MarkdownIt("commonmark").enable("table").render(views.markdown(turn, "en"))
    for table in re.findall(r"<table>(.*?)</table>", html, re.DOTALL):
        rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
        assert len({len(re.findall(r"<t[dh]", row)) for row in rows}) == 1


def test_columns_stand_below_each_other_in_any_script() -> None:
    assert aligned([["名称", "n"], ["a", "10"], ["e\u0301x", "1"]], [False, True]) == ["名称   n", "a     10", "e\u0301x     1"]


def test_a_list_of_runs_asks_no_questions() -> None:
    turns = [examples.workflow(), examples.completion(), examples.chat()]
    forms = transcript.bundle(turns, "Runs", lang="en")
    for text in forms.values():
        assert [text.count(word) for word in ("Run 1", "Run 2", "Question 3")] == [1, 1, 1]
        assert "Question 1" not in text
        assert "Answer 2" not in text
    assert "## Run 1\n\n> *Ticket desk" in forms["text/markdown"]
    assert problems(forms["text/html"]) == []
