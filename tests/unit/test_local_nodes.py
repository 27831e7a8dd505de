"""The parts of a chatflow by themselves: templates, conditions, assignments, graphs, knowledge, functions."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dify_notebook import DifyError
from dify_notebook.local.engine.declare.reader import TableReader
from dify_notebook.local.engine.functions import FunctionFailed, describe
from dify_notebook.local.engine.graph.graph import Graph
from dify_notebook.local.engine.graph.graph_state import GraphState
from dify_notebook.local.engine.graph.node import SOURCE, Node
from dify_notebook.local.engine.graph.result import NodeRunResult
from dify_notebook.local.engine.graph.variable_pool import VariablePool
from dify_notebook.local.engine.knowledge import PASSAGE, Knowledge, passages, read_files, search
from dify_notebook.local.engine.nodes.basic import Assignment
from dify_notebook.local.engine.nodes.conditions import ALIASES, CannotCompare, Condition, decided, results
from dify_notebook.local.engine.nodes.python import Python
from dify_notebook.local.engine.template import (
    WrongTemplate,
    parse_selector,
    parse_template,
    shown,
    shown_in_answer,
    walk,
)
from dify_notebook.local.engine.tools.builtin import BUILTIN

VALUES: dict[str, Any] = {
    "a": {"text": "x", "n": 3, "f": 1.5, "yes": True, "none": None, "list": ["p", {"q": 1}], "empty": []},
    "city": "Paris",
}


def rendered(text: str, **how: Any) -> str:
    return parse_template(text, **how).render(lambda path: walk(VALUES, path), shown)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("", ""),
        ("{{city}}", "Paris"),
        ("{{ a.text }}-{{a.n}}-{{a.f}}", "x-3-1.5"),
        ("{{#a.text#}}", "x"),
        ("{{ a.yes }}{{ a.none }}{{ a.gone }}{{ gone.text }}", "true"),
        ("{{a.list}}", '["p", {"q": 1}]'),
        ("{{a.list.0}}{{a.list.1.q}}{{a.list.7}}", "p1"),
        ("{ {x} } }} {", "{ {x} } }} {"),
        ("{% for one in a.list %}<{{one}}>{% endfor %}", '<p><{"q": 1}>'),
        ("{%- for one in a.empty -%}x{%- endfor -%}!", "!"),
        ("{% for x in a.list %}{% for y in a.list %}{{ y.q }}{{city}};{% endfor %}{% endfor %}", ";1Paris;" .replace(";1Paris;", "Paris;1Paris;Paris;1Paris;")),
        ("{% for x in city %}never{% endfor %}", ""),
    ],
)  # fmt: skip
def test_templates(text: str, result: str) -> None:
    assert rendered(text, loops=True) == result


@pytest.mark.parametrize(
    "text",
    ["{{", "{{ a b }}", "{{ a.text() }}", "{{ a['x'] }}", "{{ 1+1 }}", "{{ a | upper }}", "{% if a %}", "{% endfor %}",
     "{% for x in a.list %}", "{{#a.text}}", "{{ a..b }}", "{{}}"],
)  # fmt: skip
def test_templates_that_cannot_be_read(text: str) -> None:
    with pytest.raises(WrongTemplate):
        parse_template(text, loops=True)


def test_no_attribute_is_ever_looked_up() -> None:
    """The classic way out of a template leads nowhere."""
    assert rendered("{{ a.__class__ }}{{ a.text.__class__.__mro__ }}{{ a.list.__len__ }}") == ""


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        template = parse_template(text, loops=True)
    except WrongTemplate:
        assert "{{" in text or "{%" in text
    else:
        assert isinstance(template.render(lambda path: None, shown), str)
        if "{{" not in text and "{%" not in text:
            assert template.render(lambda path: None, shown) == text


def test_what_a_template_needs() -> None:
    template = parse_template(
        "{{a.b}}{% for x in c.d %}{{x.y}}{{e.f}}{% for z in x.q %}{{z}}{% endfor %}{% endfor %}", loops=True
    )
    assert list(template.needs()) == [("a", "b"), ("c", "d"), ("e", "f")]
    mapped = template.mapped(lambda path: ("start", *path))
    assert list(mapped.needs()) == [("start", "a", "b"), ("start", "c", "d"), ("start", "e", "f")]


def test_selectors() -> None:
    assert parse_selector("sys.query") == parse_selector("{{#sys.query#}}") == parse_selector("{{ sys.query }}") == ("sys", "query")
    for wrong in ("", "a b", "a.", "a.b()"):
        with pytest.raises(WrongTemplate):
            parse_selector(wrong)


def test_lists_in_answers() -> None:
    assert shown_in_answer(["a", None, 1, {"k": "v"}]) == '- a\n- None\n- 1\n- {"k": "v"}'
    assert shown_in_answer([]) == ""
    assert shown_in_answer("text") == "text"


CONDITIONS = [
    ("text", "contains", "ell", True), ("text", "contains", "x", False), ("list", "contains", "a", True),
    ("text", "not contains", "x", True), ("text", "start with", "he", True), ("text", "end with", "lo", True),
    ("text", "is", "hello", True), ("text", "is not", "hello", False), ("text", "in", "a, hello", True),
    ("text", "not in", "a, b", True), ("none", "empty", "", True), ("list", "not empty", "", True),
    ("none", "null", "", True), ("text", "not null", "", True), ("n", "=", "3", True), ("n", "≠", "3", False),
    ("n", ">", "2", True), ("n", "<", "2", False), ("n", "≥", "3.0", True), ("n", "≤", "{{v.n}}", True),
    ("numeric", ">", "9", True),
]  # fmt: skip


@pytest.mark.parametrize(("name", "operator", "value", "holds"), CONDITIONS)
def test_conditions(name: str, operator: str, value: str, holds: bool) -> None:
    pool = VariablePool()
    pool.put("v", {"text": "hello", "list": ["a", 1], "none": None, "n": 3, "numeric": "10"})
    assert Condition(("v", name), operator, parse_template(value)).holds(pool) is holds


def test_conditions_decide_early() -> None:
    pool = VariablePool()
    pool.put("v", {"n": 3})
    yes, no = Condition(("v", "n"), "=", parse_template("3")), Condition(("v", "n"), "=", parse_template("4"))
    assert results((no, yes), "and", pool) == [False]
    assert results((no, yes), "or", pool) == [False, True]
    assert decided([False, True], "or")
    assert not decided([False], "and")
    assert set(ALIASES.values()) <= {"=", "≠", "≥", "≤"}
    with pytest.raises(CannotCompare, match="v.n > x: 3 is no number"):
        Condition(("v", "n"), ">", parse_template("x")).holds(pool)


ASSIGNED = [
    ("number", "+=", 1, 2, 3), ("number", "-=", 5, 2, 3), ("number", "*=", 2, 3, 6), ("number", "/=", 7, 2, 3.5),
    ("string", "over-write", "a", "b", "b"), ("string", "clear", "a", None, ""), ("object", "clear", {"a": 1}, None, {}),
    ("array[string]", "append", ["a"], "b", ["a", "b"]), ("array[string]", "extend", ["a"], ["b", "c"], ["a", "b", "c"]),
    ("array[string]", "remove-first", ["a", "b"], None, ["b"]), ("array[string]", "remove-last", ["a"], None, []),
    ("array[number]", "clear", [1], None, []), ("object", "set", {}, {"k": 1}, {"k": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "operation", "old", "value", "new"), ASSIGNED)
def test_assignments(kind: str, operation: str, old: Any, value: Any, new: Any) -> None:
    assert Assignment(("conversation", "v"), kind, operation).result(old, value) == new


@pytest.mark.parametrize(
    ("kind", "operation", "old", "value", "told"),
    [
        ("number", "+=", 1, "2", r"\+= is for numbers, and string was found"),
        ("number", "+=", True, 2, "boolean was found"),
        ("number", "/=", 1, 0, "division by zero"),
        ("string", "over-write", "a", 1, "conversation.v is string and cannot become integer"),
        ("array[string]", "append", ["a"], 1, "cannot become"),
        ("array[string]", "append", None, "a", "a list is wanted"),
        ("array[string]", "extend", [], "a", "a list is wanted, and string was found"),
        ("object", "set", {}, None, "cannot become none"),
    ],
)
def test_assignments_that_do_not_fit(kind: str, operation: str, old: Any, value: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Assignment(("conversation", "v"), kind, operation).result(old, value)


def test_pools_lie_on_each_other() -> None:
    below = VariablePool()
    below.put("loop", {"n": 1})
    above = VariablePool(below)
    above.put("t", {"output": "x"})
    assert above.get(("loop", "n")) == 1
    above.set(("loop", "n"), 2)
    assert below.get(("loop", "n")) == 2
    assert below.get(("t", "output")) is None
    with pytest.raises(KeyError):
        above.set(("gone", "x"), 1)


# -- knowledge ---------------------------------------------------------------------------------


def test_passages() -> None:
    text = "Before.\n\n# One\n\n" + "word " * 300 + "\n\nshort.\n\n# Two\n\nSecond.\n"
    found = passages("a.md", text)
    assert [section.title for section in found][:1] == ["a.md"]
    assert found[0].text == "Before."
    assert found[-1].text == "Second."
    assert all(len(section.text) <= 2 * PASSAGE for section in found)
    whole = " ".join(section.text for section in found).split()
    assert whole.count("word") == 300, "nothing is lost where it is cut"
    assert passages("empty.txt", "") == []
    long = "x" * (5 * PASSAGE)
    assert "".join(section.text for section in passages("b.txt", long)) == long


def test_searching_several_bases() -> None:
    bases = (
        Knowledge("one", (("a.txt", "The capital of Freedonia is Fredville."), ("b.txt", "Soup is food."))),
        Knowledge("two", (("c.txt", "弗里多尼亚的首都是弗雷德维尔。"),)),
    )
    found = search(bases, "capital of Freedonia", 3, 0.0, "api")
    assert [one["document_name"] for one in found] == ["a.txt"]
    assert found[0]["dataset_name"] == "one"
    assert found[0]["position"] == 1
    assert search(bases, "首都在哪里", 3, 0.0, "workflow")[0]["document_name"] == "c.txt"
    assert search(bases, "capital of Freedonia", 3, 1.1, "api") == []
    assert search(bases, "zebra", 3, 0.0, "api") == []


def test_a_document_is_called_as_its_file() -> None:
    names = ("tea.md", "tea › green.md", "tea › black.md")
    base = Knowledge("teas", tuple((name, f"Tea number {number}.") for number, name in enumerate(names)))
    found = search([base], "Which tea?", 3, 0.0, "api")
    assert sorted(one["document_name"] for one in found) == sorted(names)
    assert len({one["document_id"] for one in found}) == len({one["segment_id"] for one in found}) == 3


def test_reading_files(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.txt").write_text("A", encoding="utf-8")
    (tmp_path / "d" / "b.txt").write_bytes(b"\xff\xfe\x00")
    assert read_files(["d/a*.txt", "d/a.txt"], tmp_path) == [("a.txt", "A")]
    assert read_files([str(tmp_path / "d" / "a.txt")], Path("elsewhere")) == [("a.txt", "A")]
    for pattern, told in (("d/*.txt", "not a text in UTF-8"), ("x/*", "no such file"), ("../*", "path upward")):
        with pytest.raises(ValueError, match=told):
            read_files([pattern], tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are texts")
def test_a_file_whose_name_is_no_text_can_be_told(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("A", encoding="utf-8")
    assert read_files(["*.txt"], tmp_path) == [("caf\ufffd.txt", "A")]


# -- functions ---------------------------------------------------------------------------------


def sample(  # type: ignore[no-untyped-def]  # `anything` has no type on purpose
    text: str,
    count: Annotated[int, "how many"] = 1,
    mode: Literal["a", "b"] = "a",
    tags: list[str] | None = None,
    extra: Optional[dict[str, int]] = None,  # noqa: UP045  # the older spelling is what many have
    either: int | str = 1,
    anything=None,
    **more: Any,
) -> str:
    """Say what it is."""
    return text * count


def test_schemas() -> None:
    function = describe(sample)
    assert (function.name, function.description) == ("sample", "Say what it is.")
    assert function.schema == {
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "count": {"type": "integer", "description": "how many", "default": 1},
            "mode": {"enum": ["a", "b"], "default": "a"},
            "tags": {"type": "array", "items": {"type": "string"}, "default": None},
            "extra": {"type": "object", "default": None},
            "either": {"anyOf": [{"type": "integer"}, {"type": "string"}], "default": 1},
            "anything": {"default": None},
        },
        "required": ["text"],
    }
    assert function.as_tool()["function"]["name"] == "sample"
    assert function.label["zh_Hans"] == "Sample"


def test_functions_that_no_model_can_call() -> None:
    with pytest.raises(DifyError, match="cannot be told to a model"):
        describe(lambda x: x)
    with pytest.raises(DifyError, match="the argument x has no name"):
        describe(lambda *x: x, "f")


def test_calling_functions() -> None:
    async def slow() -> str:
        await asyncio.sleep(10)
        return ""

    def stops() -> str:
        raise StopIteration("odd")

    def phone(call: str, args: int) -> str:
        return f"{call} {args}"

    async def phone_later(call: str) -> str:
        return call

    def opens() -> str:
        raise OSError("no file caf\udce9.txt")  # as Python names one whose name is no UTF-8

    def leaves() -> str:
        sys.exit("no file caf\udce9.txt")

    own = (sample, slow, stops, phone, phone_later, opens, leaves)
    use = {one.name: one for one in (*BUILTIN, *(describe(call) for call in own))}
    assert asyncio.run(use["phone"].use({"call": "Ann", "args": 2})) == "Ann 2"
    assert asyncio.run(use["phone_later"].use({"call": "Ann"})) == "Ann"
    assert asyncio.run(use["sample"].use({"text": "ab", "count": 2})) == "abab"
    assert asyncio.run(use["calculator"].use({"expression": "(1+2)*3"})) == "9"
    assert (
        asyncio.run(use["convert_time"].use({"time": "15:00", "from_timezone": "UTC", "to_timezone": "Asia/Tokyo"}))[
            "time"
        ]
        == "00:00"
    )
    assert asyncio.run(use["current_time"].use({}))["zone"] == "UTC"
    assert asyncio.run(use["split_lines"].use({"text": "- a\n\n2. b"})) == {"items": ["a", "b"]}
    assert asyncio.run(use["join_texts"].use({"items": ["a", "b"], "separator": "-"})) == {"text": "a-b"}
    assert asyncio.run(use["text_statistics"].use({"text": "one two"}))["words"] == 2
    for name, arguments, told in (
        ("slow", {}, "slow did not end within 0.05 s"),
        ("stops", {}, "RuntimeError: StopIteration: odd"),
        ("opens", {}, "OSError: no file caf\ufffd.txt"),
        ("leaves", {}, "leaves: SystemExit: no file caf\ufffd.txt"),
        ("convert_time", {"time": "x", "from_timezone": "UTC", "to_timezone": "UTC"}, "no time such as"),
        ("sample", {"text": "a", "count": None}, "TypeError"),
        ("calculator", {}, "missing a required argument"),
    ):
        with pytest.raises(FunctionFailed, match=told):
            asyncio.run(use[name].use(arguments, 0.05))


# -- how far a graph has come --------------------------------------------------------------------


def graph(**followers: dict[str, str]) -> Graph:
    """Nodes by their names -> handle -> the nodes that follow, by their letters."""
    work = Python(lambda context: NodeRunResult({}))
    return Graph.of(
        Node(name, "code", name, work, {handle: tuple(names) for handle, names in edges.items()}, TableReader({}, "", name))
        for name, edges in followers.items()
    )


DIAMOND = {"a": {"yes": "b", "no": "c"}, "b": {SOURCE: "d"}, "c": {SOURCE: "d"}, "d": {}}
TWO = {"a": {SOURCE: "bc"}, "b": {SOURCE: "d"}, "c": {SOURCE: "d"}, "d": {}}
CHAIN = {"a": {"yes": "b", "no": "e"}, "b": {SOURCE: "c"}, "c": {SOURCE: "d"}, "d": {}, "e": {}}


@pytest.mark.parametrize(
    ("followers", "finished", "begun", "skipped"),
    [
        (DIAMOND, ["a yes", "b source", "d source"], ["b", "d", ""], "c"),
        (DIAMOND, ["a no", "c source"], ["c", "d"], "b"),
        (DIAMOND, ["a other"], [""], "bcd"),
        (TWO, ["a source", "b source", "c source"], ["bc", "", "d"], ""),
        (TWO, ["a source", "c source", "b fail-branch"], ["bc", "", "d"], ""),
        (TWO, ["a source", "b fail-branch", "c fail-branch"], ["bc", "", ""], "d"),
        (CHAIN, ["a no"], ["e"], "bcd"),
    ],
)
def test_a_node_runs_when_all_edges_to_it_are_decided_and_one_is_taken(
    followers: dict[str, dict[str, str]], finished: list[str], begun: list[str], skipped: str
) -> None:
    state = GraphState(graph(**followers))
    assert ["".join(state.finish(*step.split())) for step in finished] == begun
    assert "".join(sorted(state.skipped)) == skipped
    done = {step.split()[0] for step in finished}
    assert {name for name in followers if state.settled(name)} == done | set(skipped)
