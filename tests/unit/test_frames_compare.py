"""Two turns beside each other: what answers to what, what differs, and how it is shown."""

from __future__ import annotations

import html
import json
import re
from decimal import Decimal
from typing import Any, get_args

import msgspec
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.linear import MOST, growth

from dify_notebook import Turn, frames
from dify_notebook.errors import InputError
from dify_notebook.frames import comparison
from dify_notebook.turn import comparing
from dify_notebook.turn.state import Node, NodeStatus, Timing, Usage, Workflow
from dify_notebook.views import comparison as view

SENTINEL = "canary&sign=Zm9v"


def node(id: str, node_id: str, **more: Any) -> Node:
    return Node(id=id, node_id=node_id, **{"title": node_id.title(), "node_type": "code", "status": "succeeded", "started_at": 0.1, "finished_at": 0.5, **more})


def turn(*nodes: Node, **more: Any) -> Turn:
    return Turn(**{"status": "succeeded", "nodes": nodes, "workflow_run_id": "run", **more})


BEFORE = turn(
    node("1", "start", inputs={"text": "x", "sys.workflow_run_id": "1", "sys.timestamp": 5}),
    node("2", "each", kind="iteration", node_type="iteration", elapsed=1.0),
    node("3", "ask", parent="2", round=0, total_tokens=5, elapsed=0.25, outputs={"text": "a", "usage": {"total_tokens": 5, "latency": 0.2}}),
    node("4", "ask", parent="2", round=1, total_tokens=6, elapsed=0.5),
    node("5", "old"),
    node("6", "end"),
    query="hi",
    inputs={"lang": "de", "n": 1},
    usage=Usage(total_tokens=11, total_price=Decimal("0.5"), currency="USD"),
    workflow=Workflow(id="run", elapsed=2.0, total_steps=6, outputs={"text": "one", "n": 1, "same": [1]}),
)  # fmt: skip
AFTER = turn(
    node("a", "start", inputs={"text": "x", "sys.workflow_run_id": "a", "sys.timestamp": 6}),
    node("b", "each", kind="iteration", node_type="iteration", elapsed=0.75),
    node("c", "ask", parent="b", round=0, total_tokens=9, elapsed=0.5, outputs={"text": "a", "usage": {"total_tokens": 5, "latency": 0.9}}),
    node("d", "new", status="failed", error="no"),
    node("e", "new"),
    node("f", "end"),
    query="hi",
    inputs={"lang": "fr", "n": 1, "more": None},
    usage=Usage(total_tokens=9, total_price=Decimal("0.75"), currency="USD"),
    workflow=Workflow(id="run", elapsed=1.5, total_steps=6, outputs={"text": "two", "n": True, "same": [1]}),
)  # fmt: skip


def plain(values: pd.Series) -> list[Any]:
    return [None if pd.isna(value) else value for value in values]


def test_runs_of_nodes_are_found_by_where_they_stand() -> None:
    found = frames.compare(BEFORE, AFTER).nodes
    assert found["node_id"].tolist() == ["start", "each", "ask", "new", "new", "ask", "old", "end"]
    assert plain(found["round"]) == [None, None, 0, None, None, 1, None, None]
    assert found["run"].tolist() == [0, 0, 0, 0, 1, 0, 0, 0]
    assert plain(found["only_in"]) == [None, None, None, "b", "b", "a", "a", None]
    assert plain(found["parent"]) == [None, None, "each", None, None, "each", None, None]
    assert plain(found["status_b"])[3:6] == ["failed", "succeeded", None]
    ask = found.iloc[2]
    assert (ask["elapsed_a"], ask["elapsed_b"], ask["elapsed_delta"]) == (0.25, 0.5, 0.25)
    assert (ask["tokens_a"], ask["tokens_b"], ask["tokens_delta"]) == (5, 9, 4)
    assert found.iloc[0]["elapsed_a"] == pytest.approx(0.4), "as seen here, where the server tells none"
    assert plain(found["inputs_differ"]) == [False, False, False, None, None, None, None, False]
    assert plain(found["outputs_differ"])[:3] == [False] * 3, "how long the model took is no difference"
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == {
        column.name: column.dtype for column in comparison.NODES.columns
    }


def test_values_that_differ_by_name() -> None:
    found = frames.compare(BEFORE, AFTER)
    assert [plain(row) for _, row in found.inputs.iterrows()] == [["lang", '"de"', '"fr"', "1:1"]]
    assert [plain(row) for _, row in found.outputs.iterrows()] == [["text", '"one"', '"two"', "1:1"], ["n", "1", "true", None]]
    asked = frames.compare(msgspec.structs.replace(BEFORE, query="ho"), AFTER).inputs
    assert asked["name"].tolist() == ["lang", "query"]


def test_the_summary() -> None:
    found = frames.compare(BEFORE, AFTER).summary
    assert found.index.tolist() == ["status", "seconds", "first_token", "total_tokens", "total_price", "currency", "steps"]
    assert found.loc["seconds"].tolist() == [2.0, 1.5, -0.5]
    assert found.loc["total_tokens"].tolist() == [11, 9, -2.0]
    assert found.loc["total_price"].tolist() == [Decimal("0.5"), Decimal("0.75"), 0.25]
    assert found.loc["status", ["a", "b"]].tolist() == ["succeeded", "succeeded"]
    euros = msgspec.structs.replace(AFTER, usage=Usage(total_price=Decimal(1), currency="EUR"))
    assert pd.isna(frames.compare(BEFORE, euros).summary.loc["total_price", "delta"])


def test_a_chat_has_its_answer_and_its_times() -> None:
    a = Turn(query="q", answer="one", status="succeeded", timing=Timing(total=1.0, first_token=0.5))
    b = Turn(query="q", answer="two", status="succeeded", timing=Timing(total=3.0))
    found = frames.compare(a, b)
    assert not len(found.nodes)
    assert found.inputs.empty
    assert found.outputs.values.tolist() == [["answer", '"one"', '"two"', "1:1"]]
    assert found.summary.loc["seconds", "delta"] == 2.0
    assert "no nodes" in repr(found)
    assert "answer" in found._repr_mimebundle_()["text/plain"]


def test_files_are_the_same_whatever_they_are_signed_with() -> None:
    file = {"dify_model_identity": "__dify__file__", "type": "document", "filename": "t.csv", "size": 5, "related_id": "1", "url": f"http://h/f?{SENTINEL}"}
    other = {**file, "related_id": "2", "url": "http://h/g?sign=x"}
    a, b = ({"file": one, "all": [one]} for one in (file, other))
    assert comparing.differences(a, b) == []
    assert [found.name for found in comparing.differences(a, {"file": {**file, "size": 6}, "all": [file]})] == ["file"]
    assert comparing.differences({"t": f"see http://h/f?{SENTINEL}"}, {"t": "see http://h/f?sign=Zm8v"})[0].name == "t"


def test_links_to_files_in_a_text_are_the_same_whichever_upload_and_signature() -> None:
    """As an Answer node of Dify 1.12 and a tool write them, absolute or not."""
    first = "![dot.png](http://h/files/3c53de2b/file-preview?timestamp=1795256709&nonce=ab&sign=cd) and /files/tools/1.png?timestamp=5&nonce=x&sign=y"
    second = "![dot.png](http://h/files/f659d398/file-preview?timestamp=1795256712&nonce=cd&sign=ef) and /files/tools/2.png?timestamp=6&nonce=z&sign=w"
    assert comparing.differences({"t": first}, {"t": second}) == []
    (found,) = comparing.differences({"t": first}, {"t": second.replace("dot", "dash")})
    assert str(found.place) == "1:4"


def test_a_file_of_another_place_is_told_by_its_address() -> None:
    file = {"dify_model_identity": "__dify__file__", "type": "image", "transfer_method": "remote_url", "remote_url": "https://a/x.png?X-Amz-Date=1"}
    assert comparing.differences({"f": file}, {"f": {**file, "remote_url": "https://a/x.png?X-Amz-Date=2"}}) == []
    (found,) = comparing.differences({"f": file}, {"f": {**file, "remote_url": "https://b/x.png"}})
    assert str(found.place) == "url:1:9"


def test_the_same_file_uploaded_twice_is_the_same_input() -> None:
    """What was sent names the upload alone; the run tells which file it is, and null for what was not given."""

    def asked(upload: str, name: str) -> Turn:
        told = {"dify_model_identity": "__dify__file__", "type": "document", "filename": name, "size": 5, "related_id": upload}
        sent = {"type": "document", "transfer_method": "local_file", "upload_file_id": upload}
        return turn(inputs={"file": sent}, workflow=Workflow(id=upload, inputs={"file": told, "text": None, "sys.workflow_run_id": upload}))

    assert frames.compare(asked("1", "a.csv"), asked("2", "a.csv")).inputs.empty
    found = frames.compare(asked("1", "a.csv"), asked("2", "b.csv"))
    assert found.inputs[["name", "place"]].values.tolist() == [["file", "filename:1:1"]]
    assert "b.csv" in found._repr_mimebundle_()["text/plain"]
    stored = turn(inputs={"file": asked("3", "a.csv").workflow.inputs["file"], "text": None})  # type: ignore[union-attr]
    assert frames.compare(asked("1", "a.csv"), stored).inputs.empty, "a run that is read from the server again"


def test_another_prompt_is_another_input() -> None:
    """The inputs of a model's node are {} on Dify 0.15 and 1.12: its prompts stand beside."""

    def ask(prompt: str, tokens: int) -> Node:
        return node("1", "llm", inputs={}, process_data={"prompts": [{"role": "user", "text": prompt}], "usage": {"total_tokens": tokens}})

    found = [frames.compare(turn(ask("hi", 1)), turn(ask(other, 2))).nodes["inputs_differ"].tolist() for other in ("hi", "ho")]
    assert found == [[False], [True]]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=5,
)

PLACES: list[tuple[Any, Any, str, str]] = [
    ("x", "y", "1:1", ""),
    ("a", "a\n", "1:2", "First difference at line 1, column 2: A 'a' · B 'a\\n'"),
    ("a b", "a\u00a0b", "1:2", "First difference: A 'a b' · B 'a\\xa0b'"),
    ("e\u0301", "\u00e9", "1:1", "First difference: A 'e\\u0301' · B '\\xe9'"),
    ("a\nb\nlong", "a\nb\nlost", "3:3", "First difference at line 3, column 3: A 'a\\nb\\nlong' · B 'a\\nb\\nlost'"),
    ("w " * 3000 + "ends", "w " * 3000 + "ended well " * 9, "1:6004", "First difference at line 1, column 6,004: A …'w w w w w w ends' · B …'w w w w w w ended well ended well ended '…"),
    ([{"n": 1}, {"n": 2}], [{"n": 1}, {"n": 3}], "[1].n", "First difference at [1].n: A 2 · B 3"),
    ({"a": {"b": [1]}}, {"a": {"b": [1, 2]}}, "a.b[1]", "First difference at a.b[1]: A not there · B 2"),
    ({"a": [True]}, {"a": [1]}, "a[0]", "First difference at a[0]: A true · B 1"),
    ([{"t": "x\ny"}], [{"t": "x\nz"}], "[0].t:2:1", "First difference at [0].t, line 2, column 1: A 'x\\ny' · B 'x\\nz'"),
    ([1], "one", "", ""),
    (None, 1, "", ""),
]  # fmt: skip
"""Two values -> where they differ first, and the sentence below them."""


@pytest.mark.parametrize(("a", "b", "where", "sentence"), PLACES)
def test_where_two_values_differ_first(a: Any, b: Any, where: str, sentence: str) -> None:
    one, other = (turn(workflow=Workflow(id="w", outputs={"x": value})) for value in (a, b))
    (place,) = frames.compare(one, other).outputs["place"].tolist()
    assert (None if pd.isna(place) else place) == (where or None)
    shown = view.bundle(one, other, "en")
    if sentence:
        assert sentence in shown["text/plain"]
        assert sentence in html.unescape(shown["text/html"])
    else:
        assert "First difference" not in "".join(shown.values())


@settings(max_examples=50)
@given(st.data())
def test_two_values_differ_where_their_json_does(data: st.DataObject) -> None:
    a, b = data.draw(VALUES), data.draw(VALUES)
    found = comparing.first_difference(a, b)
    assert (found is None) == (json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True))


def test_a_value_may_be_as_deep_as_json_can_be_read() -> None:
    deep: Any = 1
    for _ in range(900):
        deep = {"x": [deep]} if _ % 2 else deep
    one, other = (turn(workflow=Workflow(id="w", outputs={"x": value})) for value in (deep, [deep]))
    assert len(frames.compare(one, other).outputs) == 1
    assert len(view.bundle(one, other)["text/html"]) < 50_000
    assert frames.compare(one, one).outputs.empty


def test_what_is_no_turn_is_refused() -> None:
    with pytest.raises(InputError, match="b is no Turn but dict"):
        frames.compare(BEFORE, {})  # type: ignore[arg-type]


# -- properties -----------------------------------------------------------------------------------

@st.composite
def turns(draw: st.DrawFn) -> Turn:
    """Any turn: containers in containers, rounds, the same node many times."""
    nodes: list[Node] = []
    for index in range(draw(st.integers(0, 8))):
        nodes.append(
            Node(
                id=str(index),
                node_id=draw(st.sampled_from("xyz")),
                parent=draw(st.none() | st.sampled_from([one.id for one in nodes])) if nodes else None,
                round=draw(st.none() | st.integers(0, 2)),
                status=draw(st.sampled_from(get_args(NodeStatus))),
                elapsed=draw(st.none() | st.sampled_from([0.0, 0.5, 2.25])),
                total_tokens=draw(st.none() | st.integers(0, 9)),
                inputs=draw(VALUES),
                outputs=draw(VALUES),
            )
        )
    outputs = draw(st.none() | st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3))
    return turn(*nodes, inputs=draw(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)), workflow=Workflow(id="w", outputs=outputs, elapsed=draw(st.none() | st.sampled_from([1.0, 2.5]))))  # fmt: skip


@given(turns())
def test_a_turn_differs_in_nothing_from_itself(a: Turn) -> None:
    pairs = comparing.node_pairs(a, a)
    assert [pair.a for pair in pairs] == list(a.nodes or ())
    for pair in pairs:
        assert pair.a is pair.b
        assert pair.inputs_differ is pair.outputs_differ is False
    assert comparing.differences(comparing.inputs(a), comparing.inputs(a)) == []
    assert comparing.differences(comparing.outputs(a), comparing.outputs(a)) == []
    assert all(row.delta in (None, 0) for row in comparing.measures(a, a))


@given(turns(), turns())
def test_the_other_way_round_all_is_turned(a: Turn, b: Turn) -> None:
    there, back = comparing.node_pairs(a, b), comparing.node_pairs(b, a)
    assert {(id(pair.a), id(pair.b)) for pair in there} == {(id(pair.b), id(pair.a)) for pair in back}
    assert [pair.a for pair in there if pair.a] == list(a.nodes or ()), "the order of a"
    assert len(there) == len(a.nodes or ()) + len(b.nodes or ()) - sum(pair.only_in is None for pair in there)
    deltas = [row.delta for row in comparing.measures(a, b)]
    assert [None if delta is None else -delta for delta in deltas] == [row.delta for row in comparing.measures(b, a)]
    found, turned = (comparing.differences(comparing.outputs(x), comparing.outputs(y)) for x, y in ((a, b), (b, a)))
    assert {(one.name, one.in_a, one.in_b) for one in found} == {(one.name, one.in_b, one.in_a) for one in turned}


@given(turns(), turns())
@settings(max_examples=25)
def test_the_tables_of_any_two_turns(a: Turn, b: Turn) -> None:
    found = frames.compare(a, b)
    assert not found.nodes.duplicated([*comparison.NODES.key, "title"]).any() or any(one.parent for one in (*a.nodes, *b.nodes))  # type: ignore[misc]
    assert list(found.inputs.columns) == ["name", "a", "b", "place"]
    assert found._repr_mimebundle_().keys() == {"text/html", "text/markdown", "text/plain"}


# -- how it is shown ---------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_all_forms_tell_the_same(language: Any) -> None:
    shown = view.bundle(BEFORE, AFTER, language)
    for form in shown.values():
        for told in ("Start", "Each", "Ask", "New", "Old", "0.25", "0.50", "two", "fr"):
            assert told in form, told
    only = {"en": "only in A", "zh-Hans": "仅 A 有"}[language]
    assert all(only in form for form in shown.values())
    assert shown["text/plain"].splitlines()[0].startswith("A · ")


@pytest.mark.parametrize(("tokens", "columns"), [(5, 8), (None, 5)])
def test_columns_of_tokens_are_there_where_a_step_has_some(tokens: int | None, columns: int) -> None:
    one, other = (turn(node(id, "x", total_tokens=tokens, outputs={"y": id})) for id in "12")
    shown = view.bundle(one, other, "en")
    (row,) = (line for line in shown["text/markdown"].splitlines() if line.startswith("| X |"))
    assert row.count("|") == columns + 1
    assert row.endswith("| outputs |")
    assert ("A tokens" in shown["text/html"]) is (columns == 8)


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_a_turn_that_tells_no_steps_is_not_said_to_lack_them(language: Any) -> None:
    """One that was asked in blocking mode, that is from the log, or of a chat."""
    for other in (msgspec.structs.replace(AFTER, nodes=None), Turn(query="q", answer="one\ntwo", status="succeeded", nodes=())):
        shown = view.bundle(BEFORE, other, language)
        said = {"en": "B does not tell of its steps.", "zh-Hans": "B 没有给出步骤。"}[language]
        for form in shown.values():
            assert said in form.replace("\\", "")
            assert {"en": "only in A", "zh-Hans": "仅 A 有"}[language] not in form
            assert "First difference" not in form, "what one does not have is said once"
    assert frames.compare(BEFORE, Turn(status="succeeded", nodes=())).summary.loc["steps"].tolist()[:2] == [6, None]


def test_both_timelines_are_on_one_scale() -> None:
    short = turn(node("1", "x", started_at=0.0, finished_at=1.0))
    long = turn(node("1", "x", started_at=0.0, finished_at=4.0))
    page = view.bundle(short, long)["text/html"]
    assert re.findall(r'style="[^"]*margin-left:0%;width:([0-9.]+)%', page) == ["25", "25", "100", "100"]


def test_what_is_hostile_is_harmless_and_bounded() -> None:
    evil = f"<img src=x onerror=alert(1)> | `x` \x1b[31m app-{'q7Rt' * 6} http://h/f?{SENTINEL}"
    nodes = [node(str(number), f"{evil}{number}", title=evil, inputs=evil, outputs={"x": evil * 60}) for number in range(700)]
    a = turn(*nodes, inputs={evil + str(number): evil * 60 for number in range(100)}, workflow=Workflow(id="w", outputs={evil: evil}))
    shown = view.bundle(a, turn(node("1", "x"), status="failed"))
    for name, form in shown.items():
        assert "\x1b" not in form
        assert "q7Rt" * 6 not in form
        assert "Zm9v" not in form
        assert len(form) < 6_000_000
        assert "comparison.nodes" in form.replace("\\", ""), name
        assert "comparison.inputs" in form.replace("\\", ""), name
    assert "<img" not in shown["text/html"]


def two(size: int) -> tuple[Turn, Turn]:
    """Turns of so many nodes in rounds, in another order."""
    nodes = [node("c", "c"), *(node(str(number), f"n{number % 7}", parent="c") for number in range(size))]
    return turn(*nodes), turn(nodes[0], *reversed(nodes[1:]))


def test_it_costs_no_more_for_each_node() -> None:
    assert growth(two, lambda both: comparing.node_pairs(*both), 4_000) < MOST
