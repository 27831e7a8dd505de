"""pipeline: a chatflow whose branches and times come from its work.

Four kinds of question take four branches: a list of items is worked through one by one (compare), a question is
looked up (lookup), what begins with "approve:" waits for a person (approve), and anything else gets what the
pipeline does (help).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, Literal

from ...i18n import t
from ..engine.app import App, Variable
from ..engine.declare.reader import TableReader
from ..engine.forms import Control
from ..engine.graph.chatflow import run_graph
from ..engine.graph.graph import Graph
from ..engine.graph.node import SOURCE, Node, NodeContext, NodeType
from ..engine.graph.result import NodeFailed, NodeRunResult
from ..engine.nodes.basic import Start
from ..engine.nodes.containers import Iteration
from ..engine.nodes.human import Action, Field, HumanInput
from ..engine.nodes.python import Python
from ..engine.pausing import HUMAN_INPUT
from ..engine.run import STEP_PAUSE, Run
from ..engine.search.resources import node_result, retriever_resources
from ..engine.search.sections import Language, paragraphs
from ..engine.search.words import language_of, terms
from ..engine.template import Placeholder, Selector, Template
from ..store.paused import TIMEOUT
from ..store.store import Row
from ..text import without_bullet
from ..tokens import Meter
from .documentation import index, segment_of
from .guide import look_up
from .looking import looked_at, remark
from .matching import closest, library_tokens, measure

Kind = Literal["compare", "lookup", "approve", "help"]
CLASSES: dict[Kind, str] = {
    "compare": "A list of items",
    "lookup": "A question",
    "approve": "An approval",
    "help": "Anything else",
}
MAX_ITEMS = 50
MAX_ITEM = 500
"""Characters of an item."""

_APPROVE = re.compile(r"\A\s*+(?:please\s++)?(?:approve|批准|请批准|审批)\s*+[:：]\s*+", re.IGNORECASE)
_ASKS = re.compile(
    r"[?？]|^\s*(what|how|why|when|where|which|who|can|does|do|is|are|explain|describe|show|tell)\b|"
    r"怎么|怎样|如何|什么|为什么|哪|吗|能否|是否|介绍|说明|解释",
    re.IGNORECASE,
)


def items_of(query: str, listed: str | None) -> list[str]:
    """The items: those of the input `listed` if any, else lines of the question, else the texts between commas."""
    source = listed if listed and listed.strip() else query
    body = source if source is listed else re.sub(r"^[^\n:：]{0,80}[:：]\s*", "", source, count=1)
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) < 2:
        lines = re.split(r"[,，、;；]", body)
        if len(lines) > 1:
            lines[-1:] = re.split(r"(?<!\s)\s++(?:and|or)\s+|和|以及", lines[-1])
    items = [without_bullet(line).strip(" \t。.") for line in lines]
    return [item for item in items if item]


def classify(query: str, listed: str | None) -> tuple[Kind, list[str]]:
    """The kind of a question, and its items where it is a list."""
    items = items_of(query, listed)
    if listed and listed.strip():
        return "compare", items
    if _APPROVE.match(query):
        return "approve", []
    if len(items) >= 2 and not (
        _ASKS.search(query) and "\n" not in query.strip() and ":" not in query and "：" not in query
    ):
        return "compare", items
    if terms(query, question=True) and (_ASKS.search(query) or index(_language(query)).search(query, 1)):
        return "lookup", []
    return "help", []


async def answer(run: Run) -> None:
    """Run the workflow."""
    await run_graph(run, _graph(_language(run.query)))


@cache
def _graph(lang: Language) -> Graph:
    """The nodes, titled in the language of the question. Each handle is a kind of question where they part."""

    def node(
        name: str,
        node_type: str,
        title: str,
        work: NodeType,
        followers: Mapping[str, tuple[str, ...]],
        prepare: Callable[[NodeContext], Awaitable[None]] | None = _rest,
    ) -> Node:
        declaration = TableReader({}, "pipeline", name)
        return Node(
            name, node_type, t(f"local.pipeline.{title}", lang), work, followers, declaration, prepare=prepare
        )

    # The time between two nodes of an item is their own: nobody waits there.
    item = [
        node("measure", "code", "measure", Python(_measure), {SOURCE: ("match",)}, None),
        node("match", "code", "match", Python(_match), {}, None),
    ]
    each = Iteration(
        t("local.pipeline.each", lang),
        over=("classify", "items"),
        output=("match", "row"),
        inside=Graph.of(item),
        limit=sys.maxsize,  # the first item too many is what fails
        pause=STEP_PAUSE,
    )
    branches = {"compare": ("retrieve",), "lookup": ("retrieve",), "approve": ("ask",), "help": ("answer_help",)}
    decisions = {"approve": ("answer_approve",), "reject": ("answer_reject",), TIMEOUT: ("answer_timeout",)}
    nodes = [
        node("start", "start", "start", Start(frozenset({"items", "style"})), {SOURCE: ("classify",)}, None),
        node("classify", "question-classifier", "classify", Python(_classify), branches),
        node(
            "retrieve", "knowledge-retrieval", "retrieve", Python(_retrieve),
            {"compare": ("each_item",), "lookup": ("template",)}, _begin_branch,
        ),
        node("each_item", "iteration", "each", each, {SOURCE: ("template",)}),
        node(
            "template", "template-transform", "template", Python(_template),
            {"compare": ("answer_compare",), "lookup": ("answer_lookup",)},
        ),
        node("answer_compare", "answer", "answer", Python(_answered), {}, _say_report),
        node("answer_lookup", "answer", "answer", Python(_answered), {}, _say_report),
        node("answer_help", "answer", "answer", Python(_answered), {}, _say_help),
        node("ask", HUMAN_INPUT, "ask", _approval(lang), decisions, _begin_branch),
        *(node(name, "answer", "answer", Python(_answered), {}, _say_decision) for (name,) in decisions.values()),
    ]  # fmt: skip
    return Graph.of(nodes)


def _approval(lang: Language) -> HumanInput:
    """The form of a question that a person decides."""
    before, _, after = t("local.pipeline.ask_content", lang, subject="{subject}").partition("{subject}")
    choices = (t("local.pipeline.now", lang), t("local.pipeline.later", lang))
    return HumanInput(
        Template((before, Placeholder(("classify", "subject")), after)),
        (Field("note", "paragraph", t("local.pipeline.ask_note", lang)), Field("when", "select", options=choices)),
        (
            Action("approve", t("local.pipeline.approve", lang), "primary"),
            Action("reject", t("local.pipeline.reject", lang)),
        ),
        timeout=3 * 86_400.0,
    )


# -- before a node ---------------------------------------------------------------------------------


async def _rest(context: NodeContext) -> None:
    """A pause, so that someone can watch; it lies between nodes."""
    await context.run.pause(STEP_PAUSE)


async def _begin_branch(context: NodeContext) -> None:
    """After the classifier: remember what it found in the conversation."""
    await _rest(context)
    kind, pool = _kind(context), context.pool
    if context.run.resumption is not None:  # it was said before the run waited
        return
    pool.set(("conversation", "questions"), int(pool.get(("conversation", "questions"))) + 1)
    pool.set(("conversation", "last_kind"), kind)
    if kind == "compare":
        pool.set(("conversation", "last_items"), pool.get(("classify", "items"))[:MAX_ITEMS])


async def _say_report(context: NodeContext) -> None:
    await _rest(context)
    await _say(context.run, str(context.pool.get(("template", "output"))), ("template", "output"))


async def _say_decision(context: NodeContext) -> None:
    await _rest(context)
    key, values = context.node_id.removeprefix("answer_"), context.pool.get(("ask",))
    subject = context.pool.get(("classify", "subject"))
    text = t(f"local.pipeline.decision_{key}", _language(context.run.query), **{"subject": subject, **values})
    await _say(context.run, text, (context.node_id, "answer"))


async def _say_help(context: NodeContext) -> None:
    await _begin_branch(context)
    await _say(context.run, t("local.pipeline.help", _language(context.run.query)), (context.node_id, "answer"))


async def _say(run: Run, text: str, selector: Selector) -> None:
    await run.say("\n\n".join([text, *remark(run.query, _language(run.query))]), selector)


# -- the work of the nodes -------------------------------------------------------------------------


def _kind(context: NodeContext) -> str:
    return str(context.pool.get(("classify", "class_id")))


def _classify(context: NodeContext) -> NodeRunResult:
    query, listed = context.run.query, context.run.inputs.get("items")
    kind, items = classify(looked_at(query), listed)
    meter = Meter()
    meter.read(query + (listed or ""))
    meter.wrote(kind)
    outputs = {"class_name": CLASSES[kind], "class_id": kind, "usage": meter.usage(0.0)}
    process = {"items_found": len(items)}
    variables = {**outputs, "items": items, "subject": _APPROVE.sub("", looked_at(query), count=1)}
    return NodeRunResult(outputs, {"query": query}, process, meter, edge_source_handle=kind, variables=variables)


def _retrieve(context: NodeContext) -> NodeRunResult:
    """What the documentation says to the question, or to all items together."""
    run, kind = context.run, _kind(context)
    query = run.query if kind == "lookup" else " ".join(context.pool.get(("classify", "items")))
    findings = look_up(looked_at(query), [looked_at(str(row["query"])) for row in run.history])
    hits = findings.hits if findings.found else ()
    run.resources = retriever_resources(hits, "workflow", segment_of)
    meter = Meter()
    meter.read(query)
    for hit in hits:
        meter.read(hit.section.text)
    result = {"result": node_result(run.resources)}
    return NodeRunResult(result, {"query": query}, meter=meter, edge_source_handle=kind)


def _measure(context: NodeContext) -> NodeRunResult:
    item, index = context.pool.get(("each_item", "item")), context.pool.get(("each_item", "index"))
    lang = _language(context.run.query)
    if index >= MAX_ITEMS:
        raise NodeFailed(t("local.pipeline.too_many", lang, most=MAX_ITEMS), "CodeNodeError")
    if len(item) > MAX_ITEM:
        problem = t("local.pipeline.too_long", lang, number=index + 1, most=MAX_ITEM)
        raise NodeFailed(problem, "CodeNodeError")
    measured = measure(item)
    outputs = {"characters": measured.characters, "words": measured.words, "digest": measured.digest}
    return NodeRunResult(outputs, {"item": item, "index": index})


def _match(context: NodeContext) -> NodeRunResult:
    item, index = context.pool.get(("each_item", "item")), context.pool.get(("each_item", "index"))
    match = closest(item)
    meter = Meter(prompt=library_tokens())
    meter.read(item)
    name = match.section.name if match.section else ""
    outputs = {"passage": name, "similarity": match.similarity, "compared": match.compared}
    row = {"item": item, **context.pool.get(("measure",)), **outputs}
    return NodeRunResult(outputs, {"item": item, "index": index}, meter=meter, variables={**outputs, "row": row})


def _template(context: NodeContext) -> NodeRunResult:
    """The report on the items, or the best passage."""
    lang, kind = _language(context.run.query), _kind(context)
    style = context.run.inputs.get("style") or "list"
    if kind == "compare":
        rows = context.pool.get(("each_item", "output"))
        inputs, text = {"rows": rows}, _report(rows, style, lang)
    else:
        passages = [(str(passage["document_name"]), str(passage["content"])) for passage in context.run.resources]
        inputs, text = {"passages": [name for name, _ in passages]}, _quote(passages, style, lang)
    return NodeRunResult({"output": text}, {**inputs, "style": style}, edge_source_handle=kind)


def _answered(context: NodeContext) -> NodeRunResult:
    """What was said before this node."""
    return NodeRunResult({"answer": context.run.answer, "files": []})


def _quote(passages: list[tuple[str, str]], style: str, lang: Language) -> str:
    """The best passage; as a table, the beginning of each."""
    if not passages:
        return t("local.pipeline.no_passage", lang)
    if style == "table":
        head = f"| {t('local.pipeline.passage', lang)} | {t('local.pipeline.says', lang)} |"
        return "\n".join([head, "| --- | --- |", *(f"| {name} | {_first(text)} |" for name, text in passages)])
    name, text = passages[0]
    return "\n\n".join([t("local.pipeline.found", lang, passage=name), *paragraphs(text)[:3]])


def _report(rows: list[dict[str, Any]], style: str, lang: Language) -> str:
    head = t("local.pipeline.done", lang, items=len(rows), compared=sum(row["compared"] for row in rows))
    if style == "table":
        names = ("item", "words", "digest", "passage", "similarity")
        titles = " | ".join(t(f"local.pipeline.{name}", lang) for name in names)
        lines = [f"| {titles} |", "|" + " --- |" * len(names)]
        for row in rows:
            cells = [str(row[name]).replace("|", "\\|") for name in names[:-1]]
            lines.append(f"| {' | '.join(cells)} | {row['similarity']:.2f} |")
        return head + "\n\n" + "\n".join(lines)
    lines = [
        t(
            "local.pipeline.line",
            lang,
            item=row["item"],
            words=row["words"],
            passage=row["passage"] or "–",
            similarity=f"{row['similarity']:.2f}",
        )
        for row in rows
    ]
    return head + "\n\n" + "\n".join(f"- {line}" for line in lines)


def _first(text: str) -> str:
    blocks = [block for block in paragraphs(text) if not block.startswith(("```", "|"))]
    return " ".join((blocks or [""])[0].split()).replace("|", "\\|")[:200]


def _language(text: str) -> Language:
    return language_of(looked_at(text))


def suggest(message: Row) -> list[str]:
    """One question of each kind."""
    lang = _language(message["query"])
    return [t(f"local.pipeline.try_{kind}", lang) for kind in ("compare", "lookup", "help")]


PIPELINE = App(
    name="pipeline",
    mode="advanced-chat",
    description="A chatflow: classifier, retrieval, iteration, template. Real work, no language model.",
    icon="🔀",
    opening="Send me a list (lines or commas), which I work through, or a question, which I look up.",
    suggested_questions=(
        "streaming, files, conversations, keys",
        "How do I set a timeout?",
        "会话、文件、超时",
    ),
    answer=answer,
    suggest=suggest,
    form=(
        Control("paragraph", "items", "Items, one a line", max_length=20_000),
        Control("select", "style", "Style of the answer", options=("list", "table")),
    ),
    variables=(
        Variable("questions", "number", 0, "Questions asked in this conversation"),
        Variable("last_kind", "string", "", "The way that the last question took"),
        Variable("last_items", "array[string]", [], "The items of the last list"),
    ),
)
