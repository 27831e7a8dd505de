"""The apps that the recorded Dify 1.16.1 had, as far as they can be said here.

The stand-in for a model behind those recordings failed where the question told it to.
"""

from __future__ import annotations

import asyncio
from typing import Any

from contract import human_apps
from contract import replay_apps as before
from contract.declared_apps import Declared, check_item
from support.fake_model import Said, delta, end, usage, words

from dify_notebook.local.engine.app import Moderation, Variable, Voice
from dify_notebook.local.engine.forms import Control, FileRules
from dify_notebook.local.engine.functions import Function, describe
from dify_notebook.local.engine.run import Run
from dify_notebook.wire.kinds import MEDIA_KINDS

FILES = FileRules((*MEDIA_KINDS, "document"), (), 3, ("local_file", "remote_url"))
REQUIRED = (
    Control("text-input", "city", "City", required=True, max_length=12),
    Control("select", "style", "Style", options=("a", "b")),
    Control("number", "n", "N"),
    Control("checkbox", "flag", "Flag", default=False),
    Control("paragraph", "p", "P"),
)
FILE_FORM = (
    Control("file", "doc", "doc", files=FileRules(("document", "image"), (), 1, ("local_file", "remote_url"))),
    Control("number", "n", "n"),
    Control("checkbox", "flag", "flag"),
    Control("json_object", "js", "js"),
    Control("text-input", "must", "must", required=True),
)
VARIABLES = (
    Variable("count", "number", 0, ""),
    Variable("items", "array[string]", [], ""),
    Variable("obj", "object", {}, ""),
    Variable("topic", "string", "", "what it is about"),
)
HUMAN_FILES = {"types": [*MEDIA_KINDS, "document"], "methods": ["local_file", "remote_url"]}
FUNCTIONS: list[Function] = [
    describe(lambda: {"items": ["one", "two", "three"], "n": 3}, "split", "Three words and their number."),
    describe(lambda: {"items": ["a", "b", "c", "d"]}, "letters", "Four letters."),
    describe(lambda: {"r": check_item("500")}, "boom", "Fail."),
]


LEFT = "[[words and its reader leaves"
"""A question whose run says itself, then waits until somebody follows it."""


class Secrets(Moderation):
    """What may not be asked, and what may not be said: a long answer."""

    def caught(self, text: str) -> bool:
        return "secret" in text or "You said: [[words:1" in text


SECRETS = Secrets((), "No.", "Not that answer.")


def model(body: dict[str, Any]) -> Said:
    """Fails where it is told to."""
    text = str(body["messages"][-1]["content"])
    if text == "think":
        return Said([delta(reasoning="Hm.\n"), delta(content="Yes"), delta(content="."), end(), usage(3, 2)])
    if "[[fail" not in text:
        return words(text)
    problem = {"error": {"message": "[stub] the model said no"}}
    return Said(status=429 if "fail:rate" in text else 500, body=problem)


async def slow(run: Run) -> None:
    """start, llm, answer; stopped or left in the middle where the recorded one was."""
    events = before.begin(run)
    await run.say("Slow: ", ["ans", "answer"])
    await before.start(events)
    if "[[words" not in run.query:
        await before.node(events, "llm", "llm", "LLM", before.model(run))
        await before.end(events, "ans")
        return
    llm = events.node("llm", "llm", "LLM")
    if run.query == LEFT:
        run.delta(LEFT, ["llm", "text"])
        while run.listeners is not None and run.message_id not in run.listeners._of:
            await asyncio.sleep(0.005)
        await run.say("word1 ", ["llm", "text"])
        llm.finish(before.model(run), 0.0, status="succeeded")
        await before.end(events, "ans")
        return
    await run.say("word0 ", ["llm", "text"])
    run.stop()
    await run.pause(0)


async def file(run: Run) -> None:
    """start, answer."""
    events = before.begin(run)
    await run.say(f"doc={run.inputs['doc']}", ["ans", "answer"])
    await before.start(events)
    await before.end(events, "ans")


async def agent(run: Run) -> None:
    """A round without a tool, then its thought."""
    told = before.thought(run, 1, "")
    await run.say("You said it.")
    run.emit("agent_thought", **{**told, "thought": "You said it."})


def _flow(name: str, nodes: list[Declared], **more: Any) -> Declared:
    start = {"type": "start", "next": nodes[0]["id"]}
    return {"name": name, "mode": "advanced-chat", "functions": FUNCTIONS, "nodes": [start, *nodes], **more}


def _node(name: str, kind: str, **more: Any) -> Declared:
    return {"id": name, "type": kind, **more}


def _llm(name: str, follow: str, **more: Any) -> Declared:
    return _node(name, "llm", system="You are a helper.", user="{{ sys.query }}", next=follow, **more)


def _counting(rounds: int, follow: str | list[str], **more: Any) -> Declared:
    plus = _node("lass", "assigner", set=[{"variable": "loop.i", "operation": "+=", "value": 1}])
    counter = [{"name": "i", "type": "number", "value": 0}]
    return _node("loop", "loop", count=rounds, nodes=[plus], next=follow, variables=counter, **more)


def declared() -> list[Declared]:
    """Chatflows whose nodes are of kinds that are here."""
    a = _llm("a", "ans1")
    first = _node("ans1", "answer", answer="First: {{ a.text }}\n", next="b")
    item = {"x": "it.item", "i": "it.index"}
    round_ = _node("itt", "template-transform", template="item {{ x }} #{{ i }}", variables=item)
    word = _node("itl", "llm", system="You are a helper.", user="{{ it.item }}")
    short = [{"id": "true", "next": "short", "when": [{"value_of": "sys.query", "is": "contains", "value": "short"}]}]
    until = [{"value_of": "loop.i", "is": "≥", "value": 2}]
    joined = ["pa.output", "pb.text"]
    long = "Items: {{ it.output }}\nLoop: {{ loop.i }}\nLeft {{ pa.output }}, right {{ pb.text }}\n\n{{ llm.text }}\nEnd."
    form = [
        {"type": "text-input", "variable": "city", "label": "city"},
        {"type": "select", "variable": "style", "label": "style", "options": ["short", "long"]},
    ]
    return [
        _flow("chatflow", [
            _node("as", "assigner", next="llm", set=[
                {"variable": "conversation.topic", "operation": "over-write", "from": "sys.query"},
            ]),
            _llm("llm", "ans"), _node("ans", "answer", answer="{{ llm.text }}"),
        ], form=form, opening_statement="Hello {{city}}", follow_up_questions=["And now?"], variables=[
            {"name": one.name, "type": one.value_type, "value": one.value} for one in VARIABLES
        ], files={"types": ["image", "document"], "methods": ["local_file", "remote_url"]}),
        _flow("thinkflow", [
            _node("llm", "llm", system="Think.", user="think", reasoning_format="separated", next="ans"),
            _node("ans", "answer", answer="Reply: {{ llm.text }}"),
        ]),
        _flow("branchflow", [_llm("a", "ans"), _node("ans", "answer", answer="{{ a.text }}")]),
        _flow("retryflow", [_llm("a", "ans"), _node("ans", "answer", answer="{{ a.text }}")]),
        _flow("multianswer", [
            a, first, _llm("b", "ans2"), _node("ans2", "answer", answer="Second: {{ b.text }} done"),
        ]),
        _flow("failflow", [
            a, {**first, "next": "boom"},
            _node("boom", "code", function="boom", next="ans2"),
            _node("ans2", "answer", answer="After {{ boom.r }}"),
        ]),
        _flow("loopall", [_counting(3, "ans"), _node("ans", "answer", answer="i={{ loop.i }}")]),
        _flow("paraflow", [
            _node("code", "code", function="letters", outputs=["items"], next="it"),
            _node("it", "iteration", over="code.items", output="itl.text", nodes=[word], parallel=2, next="ans"),
            _node("ans", "answer", answer="{{ it.output }}"),
        ]),
        _flow("richflow", [
            _node("code", "code", function="split", outputs=["items", "n"], next="it"),
            _node("it", "iteration", over="code.items", output="itt.output", nodes=[round_], next="loop"),
            _counting(3, ["pa", "pb"], until=until),
            _node("pa", "template-transform", template="left", next="agg"),
            _llm("pb", "agg"),
            _node("agg", "variable-aggregator", variables=joined, next="if"),
            _node("if", "if-else", cases=short, **{"else": "llm"}),
            _node("short", "answer", answer="Short: {{ agg.output }}"),
            _llm("llm", "ans"), _node("ans", "answer", answer=long),
        ], form=form[:1]),
        *({**one, "files": HUMAN_FILES} for one in (human_apps.humanflow(), human_apps.twohumans(), human_apps.brancha())),
    ]  # fmt: skip


APPS = (
    before.app(
        "basic-chat", "chat", before.talk, opening="Hi, I am a bot.", files=FILES, suggests=True, hears=True,
        voice=Voice("alice"), form=(Control("text-input", "city", "City", max_length=12),),
    ),
    before.app("required-chat", "chat", before.talk, form=REQUIRED, files=FILES),
    before.app("agent-chat", "agent-chat", agent, files=FILES),
    before.app("fileflow", "advanced-chat", file, form=FILE_FORM, files=FILES),
    before.app("slowflow", "advanced-chat", slow),
    before.app("mod-chat", "chat", before.talk, moderation=SECRETS),
    before.app("modflow", "advanced-chat", before.small_flow, moderation=SECRETS),
    before.app("tts-chat", "chat", before.talk, voice=Voice("alice", auto_play=True)),
    before.app("ttsflow", "advanced-chat", before.small_flow, voice=Voice("alice", auto_play=True)),
    before.app("unpublished", "advanced-chat", before.small_flow, closed="unpublished"),
)  # fmt: skip
NAMES = (
    *(one.name for one in APPS), *(one["name"] for one in declared()), "plain-chat",
)  # fmt: skip
INPUTS = {"basic-chat": {"city": "Paris"}, "required-chat": {"city": "Paris"}, "fileflow": {"must": "m"}}
"""What a question to an app has to bring."""
