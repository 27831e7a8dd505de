"""Declarations: what is wrong is told with file, place and what to do; what is right becomes an app."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dify_notebook import local
from dify_notebook.local.apps.guide import GUIDE
from dify_notebook.local.engine.declare.apps import resolve
from dify_notebook.local.engine.declare.reader import DeclarationError
from dify_notebook.local.engine.functions import REGISTERED
from dify_notebook.local.engine.models.choice import Wanted

Declared = dict[str, Any]
START: Declared = {"type": "start", "next": "answer"}
ANSWER: Declared = {"type": "answer", "answer": "hi"}


def flow(*nodes: Declared, **more: Any) -> Declared:
    return {"name": "f", "mode": "advanced-chat", "nodes": list(nodes), **more}


def chat(**more: Any) -> Declared:
    return {"name": "c", "mode": "chat", **more}


def between(**node: Any) -> Declared:
    """A flow with one node in the middle."""
    return flow({"type": "start", "next": "x"}, {"id": "x", "next": "answer", **node}, ANSWER)


def box(*inside: Declared, **more: Any) -> Declared:
    given = {"over": "start.docs", "output": "t.output", **more}
    form = [{"type": "json", "variable": "docs"}]
    return {**between(type="iteration", nodes=list(inside), **given), "form": form}


def human(**more: Any) -> Declared:
    """A flow that asks a person in the middle."""
    node = {
        "type": "human-input",
        "form_content": "{{ sys.query }}",
        "inputs": [{"name": "note"}],
        "actions": [{"id": "yes", "next": "answer"}],
        **more,
    }
    return flow({"type": "start", "next": "x"}, {"id": "x", **node}, ANSWER)


def workflow(*nodes: Declared, **more: Any) -> Declared:
    return {"name": "w", "mode": "workflow", "nodes": list(nodes), **more}


def ends(**outputs: Any) -> Declared:
    """A workflow whose only end has these outputs."""
    form = [{"type": "text-input", "variable": "text"}]
    return workflow({"type": "start", "next": "end"}, {"type": "end", "outputs": outputs}, form=form)


def completion(**more: Any) -> Declared:
    form = [{"type": "paragraph", "variable": "query"}]
    return {"name": "c", "mode": "completion", "prompt": "{{ query }}", "form": form, **more}


TEMPLATE: Declared = {"id": "t", "type": "template-transform", "template": "{{x.item}}"}

WRONG: list[tuple[Declared, str]] = [
    ({"name": "x"}, "app x: mode: it is missing"),
    (chat(mode="chatt"), "did you mean chat?"),
    (chat(prompt=3), "prompt: text is wanted, and number was found"),
    (chat(promt="x"), r"promt: nothing of that name is known here; did you mean prompt\?"),
    (chat(prompt="{{ city }}"), "prompt: city: nothing of that name is known here"),
    (chat(prompt="{{ city"), "prompt: '{{ city' is neither"),
    (chat(prompt="{% for x in y %}"), "loops are for template-transform"),
    (chat(form=[{"type": "textinput", "variable": "x"}]), r"form\[0\] \(x\).type: textinput is none of text-input.*did you mean text-input"),
    (chat(form=[{"type": "select", "variable": "x"}]), r"form\[0\] \(x\).options: it is missing"),
    (chat(form=[{"type": "number", "variable": "a b"}]), "a b is no good name"),
    (chat(form=[{"type": "number", "variable": "a"}] * 2), "form: a is there twice"),
    (chat(form=[{"type": "number", "variable": "a", "default": "x"}]), "default: it does not fit: a in input form"),
    (chat(form=[{"type": "text-input", "variable": "a", "max_length": 0}]), "max_length: it must lie between 1 and"),
    (chat(form={"a": 1}), "form: list of tables is wanted, and table was found"),
    (chat(form=["a"]), r"form\[0\]: a table is wanted here, and text was found"),
    (chat(tools=["add"]), "tools: this is for mode = \"agent-chat\" only"),
    (chat(nodes=[]), "nodes: this is for mode = \"advanced-chat\" or \"workflow\" only"),
    (chat(variables=[{"name": "a", "type": "string"}]), "variables: this is for mode"),
    (chat(files={"types": ["film"]}), "files.types: film is none of image"),
    (chat(files={"types": ["image", "vidio"]}), r"files.types: vidio is none of image.*did you mean video\?"),
    (chat(files={"methods": ["fax"]}), "files.methods: fax is none of local_file"),
    (chat(knowledge=[{"name": "k", "files": "no/*.txt"}]), r"knowledge\[0\] \(k\).files: no/\*.txt: no such file"),
    (chat(knowledge=[{"name": "k", "files": "../x"}]), "a path upward is not taken"),
    (chat(model={"price_in": -1}), "model.price_in: a price is a number of US dollars"),
    (chat(model={"name": "x"}), "model: where the model x answers is not said"),
    (chat(model={"name": "no.gguf"}), "there is no model file .*no.gguf"),
    (chat(model={"url": "ftp://x", "name": "m"}), "no address of a model"),
    (chat(model={"url": "http://u:p@x/v1", "name": "m"}), "no password"),
    (chat(model={"url": "http://x/v1"}), "--model NAME"),
    ({"name": "a", "mode": "agent"}, "mode: agent is none of chat, agent-chat, advanced-chat"),
    ({"name": "a", "mode": "agent-chat", "tools": ["nothing"]}, "tools: there is no function nothing .known: calculator"),
    ({"name": "a", "mode": "agent-chat", "tools": ["no.such:thing"]}, "no.such:thing cannot be imported"),
    ({"name": "a", "mode": "agent-chat", "tools": ["math:sqrt"]}, "tools: sqrt: the argument x has no name"),
    ({"name": "a", "mode": "agent-chat", "tools": ["math:pi"]}, "tools: .*pi.* is not a callable|cannot be told"),
    ({"name": "a", "mode": "agent-chat", "tools": [3]}, "tools: function or name is wanted, and int was found"),
    ({"name": "a", "mode": "agent-chat", "agent": {"rounds": 0}}, "agent.rounds: it must lie between 1 and 50"),
    (flow(), "nodes: there must be one node of type start, and 0 were found"),
    (flow(START, START, ANSWER), "and 2 were found"),
    (flow({"type": "start"}), "no node of type answer"),
    (flow(START, ANSWER, prompt="x"), "prompt: in a chatflow or workflow this belongs into its nodes"),
    (flow({"type": "start", "next": "answr"}, ANSWER), r"nodes\[0\].next: there is no node answr; did you mean answer\?"),
    (flow(START, ANSWER, ANSWER), r"nodes\[2\].id: answer is there twice"),
    (flow(START, ANSWER, {"id": "b", "type": "answer", "answer": "x"}), "no way leads to the node b"),
    (flow({"type": "start", "next": "answer"}, {**ANSWER, "next": "start"}), "lead in a circle: (start → answer → start|answer → start → answer)"),
    (between(type="magic"), r"nodes\[1\] \(x\).type: magic is none of start"),
    (between(type="llm", user="{{ nobody.text }}"), r"nodes\[1\] \(x\): nobody.text: nothing of that name"),
    (between(type="llm", user="{{ answer.answer }}"), "the node answer does not run before this one"),
    (between(type="llm", user="{{ start.nothing }}"), "start.nothing: start has no such value"),
    (between(type="llm", user="{{ sys.qury }}"), "sys.qury: sys has no such value .it has: app_id"),
    (between(type="llm", temperature=9), "temperature: it must lie between 0 and 2"),
    (between(type="llm", id="a b"), "a b is no good name"),
    (between(type="llm", on_error="fail-branch"), "fail: on_error"),
    (between(type="llm", default={"text": "x"}), "a default is for"),
    (between(type="llm", on_error="default-value", default={"txt": "x"}), "has no such value"),
    (between(type="llm", retry={"times": 99}), "retry.times: it must lie between 1 and 10"),
    (between(type="if-else"), "x.*.cases: it is missing|next: this kind of node goes on by its branches"),
    (between(type="question-classifier", classes=[{"id": "a"}]), "at least two classes"),
    (between(type="knowledge-retrieval"), r"the app has no \[\[knowledge\]\]"),
    (between(type="code", function="nothing"), "there is no function nothing"),
    (between(type="assigner", set=[{"variable": "conversation.a", "value": 1}]), "conversation.a cannot be changed"),
    (between(type="assigner", set=[]), "set: it is missing"),
    (between(type="loop", count=3), "nodes: it is missing"),
    (between(type="loop", count=101, nodes=[]), "count: it must lie between 1 and 100"),
    (box(), "nodes: it is missing"),
    (box({"id": "t", "type": "answer", "answer": "x"}), "an?.*answer cannot stand inside"),
    (box(TEMPLATE, output="t.text"), "t.text: t has no such value"),
    (box({**TEMPLATE, "template": "{{x.thing}}"}), "x.thing: x has no such value .it has: index, item"),
    (box({**TEMPLATE, "template": "{{x.item}}", "next": "gone"}), "there is no node gone"),
    (box(TEMPLATE, on_error="default-value"), "has no error strategy of its own"),
    (box(TEMPLATE, parallel=99), "parallel: it must lie between 1 and 10"),
    (
        flow(
            {"type": "start", "next": "s"},
            {"id": "s", "type": "if-else", "cases": [{"when": [{"value_of": "sys.query", "is": "like", "value": "x"}], "next": "answer"}]},
            ANSWER,
        ),
        "is: like is none of contains",
    ),
    (
        flow(START, ANSWER, variables=[{"name": "n", "type": "number", "value": "x"}]),
        r"variables\[0\] \(n\).value: number is wanted, and string was found",
    ),
    (
        {
            **between(type="assigner", set=[{"variable": "conversation.n", "value": "x"}]),
            "variables": [{"name": "n", "type": "number"}],
        },
        "value: number is wanted, and string was found",
    ),
    (
        {
            **between(type="assigner", set=[{"variable": "conversation.n", "value": 1, "from": "sys.query"}]),
            "variables": [{"name": "n", "type": "number"}],
        },
        "either value or from",
    ),
    (human(form_content="{{#$output.not#}}"), r"form_content: the form has no field not .*did you mean note\?"),
    (human(form_content="{{ nobody.text }}"), "x.*nobody.text: nothing of that name is known here"),
    (human(actions=[]), r"nodes\[1\] \(x\).actions: it is missing"),
    (human(actions=[{"id": "a", "style": "loud"}]), "style: .*loud"),
    (human(actions=[{"id": "a", "next": "answer"}, {"id": "a"}]), r"actions\[1\] \(a\).id"),
    (human(actions=[{"id": f"a{at}"} for at in range(21)]), "actions: more than 20"),
    (human(inputs=[{"name": "note"}, {"name": "note"}]), r"inputs\[1\] \(note\).name"),
    (human(inputs=[{"name": "__action_id"}]), "name: .*__action_id"),
    (human(inputs=[{"name": "n", "type": "select"}]), "options: it is missing"),
    (human(inputs=[{"name": "n", "type": "number"}]), "type: .*number"),
    (human(inputs=[{"name": "n", "default": "d", "from": "sys.query"}]), r"inputs\[0\] \(n\)"),
    (human(inputs=[{"name": "n", "from": "sys.nothing"}]), "sys.nothing"),
    (human(timeout=0), "timeout"),
    (human(on_timeout="nowhere"), "nowhere"),
    (human(next="answer"), "next"),
    (human(on_error="fail-branch", fail="answer"), "on_error: a human-input has no error strategy"),
    (box({"id": "t", "type": "human-input"}), "a human-input cannot stand inside"),
    (workflow({"type": "start"}), "nodes: there is no node of type end"),
    (workflow(START, ANSWER), r"nodes\[1\].type: a node of type answer is for mode = \"advanced-chat\" only; .* outputs of nodes of type end"),
    (flow(START, ANSWER, {"type": "end"}), r"nodes\[2\].type: a node of type end is for mode = \"workflow\" only"),
    (ends(t="sys.query"), r"nodes\[1\]: sys.query: sys has no such value .it has: app_id, files, timestamp, user_id"),
    (ends(t="nobody.text"), r"nodes\[1\]: nobody.text: nothing of that name"),
    (ends(t="conversation.n"), "conversation.n: conversation has no such value"),
    (ends(t="so {{ text }}!"), "outputs.t: 'so {{ text }}!' is no name of a value"),
    (ends(t=3), "outputs.t: text is wanted, and integer was found"),
    (ends(**{"a b": "text"}), "outputs.a b: a b is no good name"),
    ({**ends(t="text"), "opening_statement": "Hi"}, "opening_statement: this is for apps that hold conversations only"),
    ({**ends(t="text"), "variables": [{"name": "n", "type": "number"}]}, "variables: this is for mode = \"advanced-chat\""),
    ({**ends(t="text"), "moderation": {"words": ["x"]}}, "moderation: Dify does not look at this in a workflow"),
    ({**ends(t="text"), "prompt": "x"}, "prompt: in a chatflow or workflow this belongs into its nodes"),
    (workflow({"type": "start", "next": "x"}, {"id": "x", "type": "llm", "next": "end"}, {"type": "end"}), r"nodes\[1\] \(x\).user: it is missing"),
    ({"name": "c", "mode": "completion"}, "prompt: it is missing"),
    (completion(prompt="{{ sys.query }}"), r"prompt: sys.query: nothing of that name is known here .*known: query, sys.user_id"),
    (completion(nodes=[]), "nodes: this is for mode"),
    (completion(tools=["add"]), "tools: this is for mode = \"agent-chat\" only"),
    (completion(follow_up_questions="More?"), "follow_up_questions: this is for apps that hold conversations only"),
    (completion(search={"query": "query"}), "search.query: nothing of that name is known here"),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "told"), WRONG, ids=[str(at) for at in range(len(WRONG))])
def test_what_is_wrong_is_told(declared: Declared, told: str) -> None:
    with pytest.raises(DeclarationError, match=told) as caught:
        resolve([declared])
    assert str(caught.value).startswith("app ")


def test_files_are_named_in_errors(tmp_path: Path) -> None:
    def written(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    for path, told in (
        (tmp_path / "no.toml", "no.toml: there is no such file"),
        (written("a.txt", ""), "a.txt: an app is declared in a .toml or .py file"),
        (written("a.toml", "mode = ,"), r"^a.toml: this is not TOML: .*line 1"),
        (
            written("b.toml", 'mode = "chat"\n[[form]]\ntype = "number"\n'),
            r"^b.toml: form\[0\].variable: it is missing",
        ),
        (written("a.py", "1/0"), "^a.py: the file could not be run: ZeroDivisionError"),
        (written("b.py", "x = 1"), "^b.py: it must bind app"),
        (written("c.py", "apps = [{'mode': 'chat', 'nmae': 'x'}]"), r"^c.py: nmae: .*did you mean name\?"),
    ):
        with pytest.raises(DeclarationError, match=told):
            resolve([path])


def test_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFY_NOTEBOOK_LANG", "zh")
    with pytest.raises(DeclarationError, match="prompt: 应为 text，实际是 number"):
        resolve([chat(prompt=3)])


def test_what_is_right(tmp_path: Path) -> None:
    (tmp_path / "facts.txt").write_text("A fact.", encoding="utf-8")
    path = tmp_path / "helper.toml"
    path.write_text(
        """
mode = "agent-chat"
description = "Helps."
icon = "🛟"
opening_statement = "Hi {{who}}"
suggested_questions = ["One?"]
follow_up_questions = "More?"
prompt = "Help {{ who }}."
tools = ["calculator", "statistics:mean"]

[agent]
rounds = 3

[model]
url = "http://127.0.0.1:1/v1/"
name = "m"
price_in = 0.1

[[form]]
type = "text-input"
variable = "who"
label = "Who"
required = true

[[knowledge]]
name = "facts"
files = ["*.txt"]

[files]
types = ["image"]
extensions = ["PNG", ".jpg"]
""",
        encoding="utf-8",
    )
    (app,) = resolve(path)
    assert (app.name, app.mode, app.description, app.icon) == ("helper", "agent-chat", "Helps.", "🛟")
    assert app.introduction({"who": "Ann"}) == "Hi Ann"
    assert app.suggest({"query": "x"}) == ["More?"]
    assert app.suggest({"query": "More?"}) == []
    assert app.form[0].as_parameter() == {
        "text-input": {
            "variable": "who",
            "label": "Who",
            "type": "text-input",
            "required": True,
            "max_length": 48,
            "options": [],
        }
    }
    assert app.files is not None
    assert app.files.extensions == (".png", ".jpg")


def test_python_files_and_registered_functions(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from dify_notebook import local\n"
        "@local.tool\n"
        "def only_here(a: int) -> int:\n"
        "    return a\n"
        "app = {'mode': 'agent-chat', 'tools': ['only_here', lambda_ ] if False else ['only_here']}\n",
        encoding="utf-8",
    )
    (app,) = resolve([str(path)])
    assert app.name == "mine"
    assert REGISTERED.get("only_here") is not None


def test_apps_of_python_go_through_and_names_are_unique() -> None:
    assert resolve(GUIDE) == (GUIDE,)
    assert resolve([]) == ()
    with pytest.raises(DeclarationError, match="two apps are called c"):
        resolve([chat(), chat()])


@pytest.mark.parametrize(
    ("own", "default", "url", "name"),
    [
        (Wanted(), Wanted(url="http://a/v1", name="m"), "http://a/v1", "m"),
        (Wanted(name="n"), Wanted(url="http://a/v1", name="m"), "http://a/v1", "n"),
        (Wanted(url="http://b/v1", name="n"), Wanted(url="http://a/v1", name="m"), "http://b/v1", "n"),
        (Wanted(name="x.gguf"), Wanted(url="http://a/v1", name="m"), None, "x.gguf"),
    ],
)
def test_an_apps_own_model_comes_first(own: Wanted, default: Wanted, url: str | None, name: str) -> None:
    found = own.over(default)
    assert (found.url, found.name) == (url, name)


def test_a_key_for_one_address_is_not_taken_to_another() -> None:
    default = Wanted(url="http://a/v1", name="m", key_env="A_KEY")
    assert Wanted(url="http://b/v1", name="n").over(default).key_env is None
    assert Wanted(name="n").over(default).key_env == "A_KEY"


def test_the_decorator_is_there_when_asked_for() -> None:
    decorator: Callable[..., Any] = local.tool
    assert callable(decorator)
    with pytest.raises(AttributeError, match="tol"):
        _ = local.tol


def test_a_declaration_has_no_place_for_a_key() -> None:
    """A key stands in the environment only; a declaration has no place for one."""
    with pytest.raises(DeclarationError, match="model.key: nothing of that name is known here"):
        resolve([chat(model={"url": "http://x/v1", "name": "m", "key": "sk-secret"})])


def test_modules_beside_a_declaration_can_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As beside any program; wherever the server is started."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "shop_stock.py").write_text('def stock(article: str) -> int:\n    """How many."""\n    return 3\n')
    (tmp_path / "shop.toml").write_text('mode = "agent-chat"\ntools = ["shop_stock:stock"]\n')
    (tmp_path / "shop_flow.py").write_text(
        'from shop_stock import stock\napp = {"name": "shop-2", "mode": "agent-chat", "tools": [stock]}\n'
    )
    try:
        apps = resolve([tmp_path / "shop.toml", tmp_path / "shop_flow.py"])
    finally:
        sys.modules.pop("shop_stock", None)
    assert [app.name for app in apps] == ["shop", "shop-2"]
    assert sys.path.count(str(tmp_path.resolve())) == 1
