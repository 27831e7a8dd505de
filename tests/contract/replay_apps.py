"""The apps that the recorded servers had, as far as they can be said here.

Behind the recordings stood a stand-in for a model that repeats the question, and fails where the
question tells it to. These do the same; what is compared is how the server says it, not the words.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

from dify_notebook.local.engine.app import App, Moderation, Variable, Voice
from dify_notebook.local.engine.forms import Control, FileRules
from dify_notebook.local.engine.graph.events import WorkflowEvents
from dify_notebook.local.engine.graph.result import NodeRunResult
from dify_notebook.local.engine.run import Run, RunFailed
from dify_notebook.local.store.store import Row
from dify_notebook.local.tokens import Meter

FORM = (
    Control("text-input", "city", "City", required=True, max_length=12),
    Control("paragraph", "bio", "Bio", max_length=100),
    Control("select", "tone", "Tone", options=("formal", "casual")),
    Control("number", "age", "Age", max_length=3),
)
FILES = FileRules(("image", "document"), (), 3, ("local_file", "remote_url"))
FAILING = ("HTTP401", "HTTP500", "RATELIMIT")
PASSAGE = {
    "position": 1, "dataset_id": str(uuid.uuid4()), "dataset_name": "D", "document_id": str(uuid.uuid4()),
    "document_name": "doc.txt", "data_source_type": "upload_file", "segment_id": str(uuid.uuid4()),
    "retriever_from": "api", "score": 0.5, "hit_count": 1, "word_count": 3, "segment_position": 1,
    "index_node_hash": "h", "content": "text", "page": None, "doc_metadata": None, "title": None,
    "files": None, "summary": None,
}  # fmt: skip


def fail_as_asked(run: Run, code: str = "completion_request_error") -> None:
    if any(word in run.query.upper().replace(" ", "") for word in FAILING):
        raise RunFailed("[stub] the model said no", code)


async def talk(run: Run) -> None:
    fail_as_asked(run)
    run.meter.read(run.query)
    if "LONG" in run.query:
        run.delta("word0")
        await run.unless_stopped(asyncio.sleep(3 if run.app.at_once else 0.1))
    # A model gives pieces and, last, an empty one.
    await run.say("" if "EMPTY" in run.query else f"You said: {run.query}")
    run.delta("")
    if "MIDFAIL" in run.query:
        raise RunFailed("[stub] gone in the middle")


async def look_up(run: Run) -> None:
    run.resources = [dict(PASSAGE)]
    await talk(run)


def thought(run: Run, position: int, text: str, tool: str = "", observation: str = "") -> dict[str, Any]:
    told = {
        "id": str(uuid.uuid4()), "position": position, "thought": text, "observation": observation,
        "tool": tool, "tool_labels": {tool: {"en_US": tool}} if tool else {},
        "tool_input": json.dumps({tool: {}}) if tool else "", "message_files": [],
    }  # fmt: skip
    run.emit("agent_thought", **told)
    run.store.write_thought(run.message_id, told)
    return told


async def agent(run: Run) -> None:
    """Function calling: a thought and text for each round."""
    fail_as_asked(run)
    run.meter.read(run.query)
    uses = "NOTOOL" not in run.query
    if "MIDFAIL" in run.query:
        thought(run, 1, "")
        await run.say("The begin")
        raise RunFailed("[stub] gone in the middle")
    if uses:
        thought(run, 1, "Let me use a tool.")
        await run.say("Let me use a tool.")
        thought(run, 1, "Let me use a tool.", "webscraper", json.dumps({"webscraper": "42"}))
        await run.say("The tool said 42.")
        thought(run, 2, "The tool said 42.")
    else:
        thought(run, 1, "")
        await run.say("You said it.")
        thought(run, 1, "You said it.")


async def reason(run: Run) -> None:
    """ReAct: no closing thought where a tool was used."""
    thought(run, 1, "I should calculate.")
    await run.say("I should calculate.")
    if "what" in run.query:
        thought(run, 1, "I should calculate.", "calculator", json.dumps({"calculator": "42"}))
        await run.say("The answer is 42.")


def model(run: Run) -> NodeRunResult:
    meter = Meter()
    meter.read(run.query)
    meter.wrote(run.query)
    usage = meter.usage(0.1)
    data = {
        "model_mode": "chat", "prompts": [], "usage": usage, "finish_reason": "stop",
        "model_provider": "stub", "model_name": "stub",
    }  # fmt: skip
    return NodeRunResult({"text": run.query, "usage": usage}, {}, data, meter)


async def node(events: WorkflowEvents, name: str, kind: str, title: str, result: NodeRunResult) -> None:
    await events.run.pause(0)
    events.node(name, kind, title).finish(result, 0.0, status="succeeded")


def begin(run: Run) -> WorkflowEvents:
    events = WorkflowEvents(run)
    events.start()
    return events


async def start(events: WorkflowEvents) -> None:
    inputs = dict(events.inputs)
    await node(events, "start", "start", "Start", NodeRunResult(inputs, inputs))


async def end(events: WorkflowEvents, name: str) -> None:
    answer = events.run.answer
    await node(events, name, "answer", "Answer", NodeRunResult({"answer": answer, "files": []}))
    events.answered(answer)


async def flow(run: Run) -> None:
    """start, assigner, if-else, then llm or template, then answer."""
    events = begin(run)
    await start(events)
    run.variables["counter"] = (run.variables.get("counter") or 0) + 1
    await node(events, "assign", "assigner", "Variable Assigner", NodeRunResult({}))
    await node(events, "route", "if-else", "IF/ELSE", NodeRunResult({"result": False}))
    if "template" in run.query:
        await node(events, "tmpl", "template-transform", "Template", NodeRunResult({"output": run.query}))
        await run.say(f"T: {run.query}", ["tmpl", "output"])
    else:
        await ask(run, events)
    await end(events, "ans_llm")


async def ask(run: Run, events: WorkflowEvents) -> None:
    await run.say("Reply: ", ["ans_llm", "answer"])
    fails = any(word in run.query for word in FAILING)
    if not fails:
        await run.say(run.query, ["llm", "text"])
    if fails or "MIDFAIL" in run.query:
        error = "[stub] the model said no"
        events.node("llm", "llm", "LLM").finish(NodeRunResult({}), 0.0, status="failed", error=error)
        events.failures += 1
        raise RunFailed(f"Run failed: {error}", "invalid_param")
    await node(events, "llm", "llm", "LLM", model(run))


async def small_flow(run: Run) -> None:
    """start, llm, answer."""
    events = begin(run)
    await start(events)
    if run.app.name == "ragflow":
        run.resources = [{**PASSAGE, "retriever_from": "workflow"}]
        await node(events, "kb", "knowledge-retrieval", "Knowledge", NodeRunResult({"result": [dict(PASSAGE)]}))
    await run.say(f"You said: {run.query}", ["llm", "text"])
    await node(events, "llm", "llm", "LLM", model(run))
    await end(events, "ans")


def questions(message: Row) -> list[str]:
    return ["What is 2+2?", "Tell me more"]


def app(name: str, mode: Any, answer: Any, **more: Any) -> App:
    known = {
        "description": f"the recorded app {name}", "icon": "🤖", "opening": "", "suggested_questions": (),
        "suggest": questions, "suggests": False,
    }  # fmt: skip
    return App(name=name, mode=mode, answer=answer, **{**known, **more})


VARIABLES = (
    Variable("counter", "number", 0, "turn counter"),
    Variable("last_q", "string", "", "last query"),
    Variable("history", "array[string]", [], "list"),
    Variable("profile", "object", {}, "an object"),
)


class Both(Moderation):
    """What may not be asked and what may not be said are different words, as in the recorded apps."""

    def caught(self, text: str) -> bool:
        return "forbidden" in text or "You said: hello" in text


BOTH = Both((), "INPUT BLOCKED 你好", "OUTPUT BLOCKED 你好")

APPS = (
    app(
        "basic-chat", "chat", talk, opening="Hello from {{city}}, how can I help?", form=FORM, files=FILES,
        suggested_questions=("What is Dify?",), suggests=True, hears=True, voice=Voice("alloy"),
    ),
    app("plain-chat", "chat", talk),
    app("agent-chat", "agent-chat", agent, files=FILES, suggests=True, hears=True, voice=Voice("alloy")),
    app("agent-cot", "agent-chat", reason),
    app("agent-react", "agent-chat", agent, voice=Voice("alloy")),
    app("rag-chat", "chat", look_up),
    app("ragflow", "advanced-chat", small_flow),
    app(
        "chatflow", "advanced-chat", flow, opening="Flow opening", form=(*FORM, Control(
            "file", "doc", "Doc", files=FILES)), files=FILES, suggests=True, variables=VARIABLES,
    ),
    app("mod-chat", "chat", talk, moderation=BOTH),
    app("mod-flow", "advanced-chat", small_flow, moderation=BOTH),
    app("tts-chat", "chat", talk, voice=Voice("alloy", auto_play=True)),
    app("tts-flow", "advanced-chat", small_flow, voice=Voice("alloy", auto_play=True)),
    app("limited", "chat", talk, at_once=1),
    app("disabled-api", "chat", talk, closed="disabled"),
    app("unpublished", "advanced-chat", small_flow, closed="unpublished"),
    # Of these, only what does not ask a question is held against the recordings.
    app("agentflow", "advanced-chat", small_flow),
    app("no-model", "chat", talk),
    app("ghost-provider", "chat", talk),
)  # fmt: skip
DECLARED = ("failflow", "iterfail", "richflow", "multianswer")
"""Made of declared nodes; see declared_apps.py."""
NAMES = (*DECLARED, *(one.name for one in APPS))
INPUTS = {"basic-chat": {"city": "Paris"}, "chatflow": {"city": "Paris"}}
"""What a question to an app has to bring."""
