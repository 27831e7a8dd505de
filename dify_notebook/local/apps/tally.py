"""tally: a workflow app that sorts the rows of a CSV, or the lines of a list, into classes, and computes.

Real work without a model: what a run gives is the same for the same input.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from ...i18n import t
from ..engine.app import App
from ..engine.declare.reader import TableReader
from ..engine.file_values import Upload
from ..engine.forms import Control, FileRules
from ..engine.graph.chatflow import run_graph
from ..engine.graph.graph import Graph
from ..engine.graph.node import SOURCE, Node, NodeContext, NodeType
from ..engine.graph.result import NodeFailed, NodeRunResult
from ..engine.nodes.basic import Start
from ..engine.nodes.containers import Iteration
from ..engine.nodes.ends import End
from ..engine.nodes.python import Python
from ..engine.run import STEP_PAUSE, Run
from ..engine.search.sections import Language
from ..engine.search.words import language_of
from .tally_rows import (
    CLASS,
    MAX_BYTES,
    Class,
    Rows,
    Wrong,
    as_csv,
    class_of,
    classes_of,
    decoded,
    numbers,
    read,
    shared_words,
    table,
)

ROUND_PAUSE = 0.02
"""Seconds between two rows, at pace 1."""
LISTED = 20
"""Rows at most that the report shows."""
FILE = "tally.csv"
_LOOKED_AT = 20_000


async def answer(run: Run) -> None:
    """Run the workflow."""
    language, _ = await run.work(_language, run)
    await run_graph(run, _graph(language))


@cache
def _graph(lang: Language) -> Graph:
    """The nodes, titled in the language of what was given."""

    def node(
        name: str,
        node_type: str,
        work: NodeType,
        following: tuple[str, ...],
        prepare: Callable[[NodeContext], Awaitable[None]] | None = _rest,
    ) -> Node:
        followers: Mapping[str, tuple[str, ...]] = {SOURCE: following} if following else {}
        declaration = TableReader({}, "tally", name)
        return Node(name, node_type, t(f"local.tally.{name}", lang), work, followers, declaration, prepare=prepare)

    each = Iteration(
        t("local.tally.each", lang),
        over=("read", "rows"),
        output=("match", "row"),
        inside=Graph.of([node("match", "code", Python(partial(_match, lang)), (), None)]),
        limit=sys.maxsize,  # reading says what is too much
        pause=ROUND_PAUSE,
        counted=False,
    )
    results = {
        "rows": ("count", "rows"),
        "numbers": ("count", "numbers"),
        "table": ("count", "table"),
        "items": ("each", "output"),
        "report": ("report", "output"),
        "file": ("write", "file"),
    }
    nodes = [
        node("start", "start", Start(frozenset({"text", "file", "classes"})), ("read",), None),
        node("read", "code", Python(partial(_read, lang)), ("choose",)),
        node("choose", "code", Python(partial(_choose, lang)), ("each",)),
        node("each", "iteration", each, ("count",)),
        node("count", "code", Python(_count), ("report", "write")),
        node("report", "template-transform", Python(partial(_report, lang)), ("end",)),
        node("write", "tool", _Write(lang), ("end",)),
        node("end", "end", End(results), ()),
    ]
    return Graph.of(nodes)


async def _rest(context: NodeContext) -> None:
    """A pause, so that someone can watch; it lies between nodes."""
    await context.run.pause(STEP_PAUSE)


# -- the work of the nodes -------------------------------------------------------------------------


def _read(lang: Language, context: NodeContext) -> NodeRunResult:
    run = context.run
    text, upload = run.inputs.get("text") or "", _upload(run)
    try:
        rows = read(text) if text.strip() else Rows((), ())
        if upload is not None:
            with upload.path.open("rb") as file:
                rows = rows + read(decoded(file.read(MAX_BYTES + 1)), table=True)
        if not rows.rows:
            raise Wrong("nothing")
    except Wrong as problem:
        raise _failed(problem, lang) from None
    outputs = {"columns": list(rows.columns), "rows": [dict(row) for row in rows.rows]}
    inputs = {"text": text, "file": run.inputs.get("file")}
    return NodeRunResult(outputs, inputs, variables={**outputs, "read": rows})


def _choose(lang: Language, context: NodeContext) -> NodeRunResult:
    """The classes that were given, else those that the rows have in common."""
    written = context.run.inputs.get("classes") or ""
    rows: Rows = context.pool.get(("read", "read"))
    try:
        classes = classes_of(written) or shared_words(rows.rows)
    except Wrong as problem:
        raise _failed(problem, lang) from None
    outputs = {"classes": [{"name": known.name, "words": list(known.words)} for known in classes]}
    return NodeRunResult(outputs, {"classes": written}, variables={**outputs, "chosen": classes})


def _match(lang: Language, context: NodeContext) -> NodeRunResult:
    row, index = context.pool.get(("each", "item")), context.pool.get(("each", "index"))
    chosen: tuple[Class, ...] = context.pool.get(("choose", "chosen"))
    outputs = {CLASS: class_of(row, chosen) or t("local.tally.other", lang)}
    return NodeRunResult(outputs, {"row": row, "index": index}, variables={"row": {**outputs, **row}})


def _count(context: NodeContext) -> NodeRunResult:
    items, rows = context.pool.get(("each", "output")), context.pool.get(("read", "read"))
    names = [known.name for known in context.pool.get(("choose", "chosen"))]
    outputs = {"rows": len(items), "numbers": numbers(rows), "table": table(items, names)}
    return NodeRunResult(outputs, {"items": items})


def _report(lang: Language, context: NodeContext) -> NodeRunResult:
    counted, items = context.pool.get(("count",)), context.pool.get(("each", "output"))
    columns: list[str] = context.pool.get(("read", "columns"))
    text = "\n\n".join(_paragraphs(counted, items, columns, lang))
    return NodeRunResult({"output": text}, counted)


@dataclass(frozen=True)
class _Write(NodeType):
    """Writes the rows with their classes into a file that the server keeps."""

    lang: Language

    async def run(self, context: NodeContext) -> NodeRunResult:
        run, items = context.run, context.pool.get(("each", "output"))
        if run.keep_file is None:
            raise NodeFailed(t("local.tally.no_file", self.lang), "ToolFileError")
        content, _ = await run.work(as_csv, items, context.pool.get(("read", "columns")))
        file = await run.keep_file(FILE, content, "text/csv")
        return NodeRunResult({"file": file}, {"name": FILE, "rows": len(items)})


def _paragraphs(
    counted: Mapping[str, Any], items: list[dict[str, str]], columns: list[str], lang: Language
) -> list[str]:
    said = [f"## {t('local.tally.title', lang)}", t("local.tally.done", lang, rows=counted["rows"])]
    head = [t(f"local.tally.{name}", lang) for name in (CLASS, "number", "share")]
    said.append(_markdown(head, [[row[CLASS], row["count"], f"{row['share']:.0%}"] for row in counted["table"]]))
    if counted["numbers"]:
        names = ("count", "sum", "mean", "min", "max")
        titles = [t(f"local.tally.{name}", lang) for name in ("column", "number", "sum", "mean", "min", "max")]
        rows = [[column, *(known[name] for name in names)] for column, known in counted["numbers"].items()]
        said += [f"### {t('local.tally.numbers', lang)}", _markdown(titles, rows)]
    said.append(f"### {t('local.tally.rows', lang)}")
    said.append(_markdown([t(f"local.tally.{CLASS}", lang), *columns], [
        [item[CLASS], *(item.get(column, "") for column in columns)] for item in items[:LISTED]
    ]))  # fmt: skip
    if len(items) > LISTED:
        said.append(t("local.tally.more", lang, more=len(items) - LISTED, file=FILE))
    return said


def _markdown(head: list[str], rows: list[list[Any]]) -> str:
    def line(cells: list[Any]) -> str:
        return "| " + " | ".join(" ".join(str(cell).split()).replace("|", "\\|")[:200] for cell in cells) + " |"

    return "\n".join([line(head), "|" + " --- |" * len(head), *map(line, rows)])


# -- what was given --------------------------------------------------------------------------------


def _upload(run: Run) -> Upload | None:
    """The file among the inputs."""
    value = run.inputs.get("file")
    if value is None:
        return None
    return {upload.id: upload for upload in run.uploads}[value["related_id"]]


def _language(run: Run) -> Language:
    """That of the text and the classes; where there is neither, of the file."""
    written = f"{run.inputs.get('text') or ''} {run.inputs.get('classes') or ''}"[:_LOOKED_AT]
    upload = None if written.strip() else _upload(run)
    if upload is not None:
        with upload.path.open("rb") as file:
            written = file.read(4096).decode("utf-8", "ignore")
    return language_of(written)


def _failed(problem: Wrong, lang: Language) -> NodeFailed:
    return NodeFailed(t(problem.key, lang, **problem.values), "CodeNodeError")


TALLY = App(
    name="tally",
    mode="workflow",
    description="A workflow: sorts the rows of a CSV or a list into classes, and computes. No language model.",
    icon="🧮",
    opening="",
    suggested_questions=(),
    answer=answer,
    suggest=lambda message: [],
    form=(
        Control("paragraph", "text", "A CSV, or a list with an item on each line", max_length=MAX_BYTES),
        Control("file", "file", "A CSV file", files=FileRules(("document",), (".csv", ".tsv", ".txt"))),
        Control("text-input", "classes", "Classes, such as: bug=crash|error; refund=money|refund", max_length=2000),
    ),
    suggests=False,
)
