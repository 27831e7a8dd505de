"""pipeline: a chatflow whose branches and times come from its work.

Three kinds of question go three ways: a list of items is worked through one by one (compare), a
question is looked up (lookup), and anything else is told what the pipeline does (help).
"""

from __future__ import annotations

import re
from typing import Any, Literal

from ...i18n import t
from ..engine.app import App, Variable
from ..engine.forms import Control
from ..engine.run import STEP_PAUSE, Run
from ..engine.search.ranking import index
from ..engine.search.resources import node_result, retriever_resources
from ..engine.search.sections import Language, paragraphs
from ..engine.search.words import is_chinese, terms
from ..engine.workflow import NodeFailed, Outcome, Workflow
from ..store.store import Row
from ..tokens import Meter
from .guide import look_up
from .looking import looked_at, remark
from .matching import closest, library_tokens, measure

Kind = Literal["compare", "lookup", "help"]
CLASSES: dict[Kind, str] = {"compare": "A list of items", "lookup": "A question", "help": "Anything else"}
MAX_ITEMS = 50
MAX_ITEM = 500
"""Characters of an item."""

_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)、])\s*")
_ASKS = re.compile(
    r"[?？]|^\s*(what|how|why|when|where|which|who|can|does|do|is|are|explain|describe|show|tell)\b|"
    r"怎么|怎样|如何|什么|为什么|哪|吗|能否|是否|介绍|说明|解释",
    re.IGNORECASE,
)


def items_of(query: str, given: str | None) -> list[str]:
    """The items: those of the input if any, else lines of the question, else what stands between commas."""
    source = given if given and given.strip() else query
    body = source if source is given else re.sub(r"^[^\n:：]{0,80}[:：]\s*", "", source, count=1)
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) < 2:
        lines = re.split(r"[,，、;；]", body)
        if len(lines) > 1:
            lines[-1:] = re.split(r"(?<!\s)\s++(?:and|or)\s+|和|以及", lines[-1])
    items = [_BULLET.sub("", line).strip(" \t。.") for line in lines]
    return [item for item in items if item]


def classify(query: str, given: str | None) -> tuple[Kind, list[str]]:
    """The kind of a question, and its items where it is a list."""
    items = items_of(query, given)
    if given and given.strip():
        return "compare", items
    if len(items) >= 2 and not (
        _ASKS.search(query) and "\n" not in query.strip() and ":" not in query and "：" not in query
    ):
        return "compare", items
    if terms(query, question=True) and (_ASKS.search(query) or index(_language(query)).search(query, 1)):
        return "lookup", []
    return "help", []


async def answer(run: Run) -> None:
    """Run the workflow."""
    lang = _language(run.query)
    given = run.inputs.get("items")
    flow = Workflow(run, run.inputs)
    flow.start()
    started = {**flow.inputs, "sys.conversation_id": run.conversation_id}
    await flow.node(
        "start", "start", t("local.pipeline.start", lang), lambda: Outcome(started, inputs=started)
    )
    await run.pause(STEP_PAUSE)

    found: list[str] = []
    kind: Kind = "help"

    def sort_out() -> Outcome:
        nonlocal kind, found
        kind, found = classify(looked_at(run.query), given)
        meter = Meter()
        meter.read(run.query + (given or ""))
        meter.wrote(kind)
        outputs = {"class_name": CLASSES[kind], "class_id": kind, "usage": meter.usage(0.0)}
        return Outcome(outputs, {"query": run.query}, {"items_found": len(found)}, meter)

    await flow.node("classify", "question-classifier", t("local.pipeline.classify", lang), sort_out)
    await run.pause(STEP_PAUSE)
    run.variables["questions"] = int(run.variables["questions"]) + 1
    run.variables["last_kind"] = kind
    if kind == "compare":
        run.variables["last_items"] = found[:MAX_ITEMS]
        text = await _compare(run, flow, found, lang)
        node = "answer_compare"
    elif kind == "lookup":
        text = await _lookup(run, flow, lang)
        node = "answer_lookup"
    else:
        text = t("local.pipeline.help", lang)
        node = "answer_help"
    text = "\n\n".join([text, *remark(run.query, lang)])
    await run.say(text, ["template", "output"] if kind != "help" else [node, "answer"])
    outputs = {"answer": run.answer, "files": []}
    await flow.node(node, "answer", t("local.pipeline.answer", lang), lambda: Outcome(outputs))
    flow.answered(run.answer)
    flow.tokens = run.meter.total


async def _compare(run: Run, flow: Workflow, items: list[str], lang: Language) -> str:
    """Look for what all items have in common, then work through them one by one."""
    await _retrieve(run, flow, " ".join(items), lang)
    await run.pause(STEP_PAUSE)
    iteration = flow.iteration("each_item", t("local.pipeline.each", lang), items)

    async def body(at: int, item: str) -> dict[str, Any]:
        def measured() -> Outcome:
            if at >= MAX_ITEMS:
                raise NodeFailed(t("local.pipeline.too_many", lang, most=MAX_ITEMS))
            if len(item) > MAX_ITEM:
                raise NodeFailed(t("local.pipeline.too_long", lang, number=at + 1, most=MAX_ITEM))
            told = measure(item)
            outputs = {"characters": told.characters, "words": told.words, "digest": told.digest}
            return Outcome(outputs, {"item": item, "index": at})

        def compared() -> Outcome:
            match = closest(item)
            meter = Meter(prompt=library_tokens())
            meter.read(item)
            name = match.section.name if match.section else ""
            outputs = {"passage": name, "similarity": match.similarity, "compared": match.compared}
            return Outcome(outputs, {"item": item, "index": at}, meter=meter)

        size = await flow.node(
            "measure", "code", t("local.pipeline.measure", lang), measured, iteration="each_item", index=at
        )
        match = await flow.node(
            "match", "code", t("local.pipeline.match", lang), compared, iteration="each_item", index=at
        )
        return {"item": item, **size.outputs, **match.outputs}

    rows = await iteration.each(body)
    await run.pause(STEP_PAUSE)
    return await _template(run, flow, lang, lambda style: _report(rows, style, lang), {"rows": rows})


async def _lookup(run: Run, flow: Workflow, lang: Language) -> str:
    """Retrieve, and quote the best passage."""
    await _retrieve(run, flow, run.query, lang)
    await run.pause(STEP_PAUSE)
    passages = [(str(one["document_name"]), str(one["content"])) for one in run.resources]

    def render(style: str) -> str:
        if not passages:
            return t("local.pipeline.no_passage", lang)
        if style == "table":
            rows = [f"| {name} | {_first(text)} |" for name, text in passages]
            return "\n".join(
                [
                    f"| {t('local.pipeline.passage', lang)} | {t('local.pipeline.says', lang)} |",
                    "| --- | --- |",
                    *rows,
                ]
            )
        name, text = passages[0]
        return "\n\n".join([t("local.pipeline.found", lang, passage=name), *paragraphs(text)[:3]])

    return await _template(run, flow, lang, render, {"passages": [name for name, _ in passages]})


async def _retrieve(run: Run, flow: Workflow, query: str, lang: Language) -> None:
    earlier = [looked_at(str(row["query"])) for row in run.history]

    def search() -> Outcome:
        findings = look_up(looked_at(query), earlier)
        hits = findings.hits if findings.found else ()
        run.resources = retriever_resources(hits, "workflow")
        meter = Meter()
        meter.read(query)
        for hit in hits:
            meter.read(hit.section.text)
        return Outcome({"result": node_result(run.resources)}, {"query": query}, meter=meter)

    await flow.node("retrieve", "knowledge-retrieval", t("local.pipeline.retrieve", lang), search)


async def _template(run: Run, flow: Workflow, lang: Language, render: Any, inputs: dict[str, Any]) -> str:
    style = run.inputs.get("style") or "list"
    outcome = await flow.node(
        "template",
        "template-transform",
        t("local.pipeline.template", lang),
        lambda: Outcome({"output": render(style)}, {**inputs, "style": style}),
    )
    await run.pause(STEP_PAUSE)
    return str(outcome.outputs["output"])


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
    return "zh-Hans" if is_chinese(looked_at(text)) else "en"


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
