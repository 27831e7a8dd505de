"""toolbox: an agent that really calls tools. Rules read the question; no model, no invented thoughts."""

from __future__ import annotations

import json
from typing import Any

from ...i18n import t
from ..engine.app import App
from ..engine.forms import FileRules
from ..engine.run import STEP_PAUSE, Run, Upload
from ..engine.search.sections import Language
from ..engine.search.words import language_of
from ..engine.thought import Thought
from ..engine.tools import arithmetic, clock, tables, text_stats
from ..store.store import Row
from .looking import looked_at, remark
from .tool_calls import TABLE_NAMES, TEXT_NAMES, Call, calls

_NAMES = {
    "calculator": ("计算器", "Calculator", "Calculadora", "電卓"),
    "current_time": ("当前时间", "Current time", "Hora atual", "現在時刻"),
    "convert_time": ("时区换算", "Convert time", "Converter hora", "時刻の変換"),
    "text_statistics": ("文本统计", "Text statistics", "Estatísticas de texto", "テキスト統計"),
    "csv_summary": ("CSV 概要", "CSV summary", "Resumo de CSV", "CSVの要約"),
}
LABELS = {
    tool: dict(zip(("zh_Hans", "en_US", "pt_BR", "ja_JP"), said, strict=True))
    for tool, said in _NAMES.items()
}


class ToolFailed(Exception):
    """A tool could not do what was asked; the message goes into the answer."""


def use(call: Call, uploads: dict[str, Upload]) -> dict[str, Any]:
    """Really call a tool.

    Raises:
        ToolFailed: it cannot be done.
    """
    arguments = call.arguments
    try:
        match call.tool:
            case "calculator":
                return {"result": arithmetic.show(arithmetic.evaluate(arguments["expression"]))}
            case "current_time":
                return clock.now_in(arguments["timezone"])
            case "convert_time":
                hour, _, minute = arguments["time"].partition(":")
                return clock.convert(int(hour), int(minute), arguments["from"], arguments["to"])
            case "text_statistics":
                text = arguments["text"] if "text" in arguments else _read(uploads[arguments["file"]])
                return text_stats.statistics(text)
            case "csv_summary":
                upload = uploads[arguments["file"]]
                return tables.summary(upload.path, upload.name)
    except (arithmetic.NotComputable, tables.NotATable, ValueError, OSError) as error:
        raise ToolFailed(str(error)) from error
    raise ToolFailed(f"there is no tool called {call.tool}")


def _read(upload: Upload) -> str:
    if upload.size > text_stats.MAX_LENGTH * 4:
        raise ToolFailed("the file is too large")
    return upload.path.read_bytes().decode("utf-8", "replace")


async def answer(run: Run) -> None:
    """Find the tools that the question asks for, call them one by one, and tell what they gave."""
    question = run.query
    uploads = {upload.name: upload for upload in run.uploads}

    def read() -> tuple[Language, list[Call]]:
        run.meter.read(question)
        return language_of(looked_at(question)), calls(question, list(uploads))

    (lang, requested), _ = await run.work(read)
    paragraphs: list[str] = []
    for position, call in enumerate(requested, start=1):
        paragraphs.append(await _round(run, position, call, uploads, lang))
        await run.pause(STEP_PAUSE)
    if not requested:
        paragraphs.append(t("local.toolbox.nothing", lang))
    paragraphs += remark(question, lang)
    await _conclude(run, len(requested) + 1, "\n\n".join(paragraphs))


async def _round(run: Run, position: int, call: Call, uploads: dict[str, Upload], lang: Language) -> str:
    """One tool: the thought comes three times, empty, with the call, and with what was seen."""
    thought = Thought(run, position)
    await run.pause(STEP_PAUSE)
    tool_input = json.dumps({call.tool: call.arguments}, ensure_ascii=False)
    thought.send(tool=call.tool, tool_labels={call.tool: LABELS[call.tool]}, tool_input=tool_input)

    def observe() -> tuple[dict[str, Any], str]:
        run.meter.wrote(tool_input)
        try:
            result = use(call, uploads)
            text = _sentence(call, result, lang)
        except ToolFailed as failure:
            result = {"error": str(failure)}
            text = t("local.toolbox.failed", lang, tool=_label(call.tool, lang), error=str(failure))
        return result, text

    (result, sentence), _ = await run.work(observe)
    observation = json.dumps({call.tool: result}, ensure_ascii=False)
    run.meter.read(observation)
    await run.pause(STEP_PAUSE)
    thought.send(observation=observation)
    return sentence


async def _conclude(run: Run, position: int, text: str) -> None:
    thought = Thought(run, position)
    await run.say(text)
    thought.send(thought=text)


def _label(tool: str, lang: Language) -> str:
    return LABELS[tool]["zh_Hans" if lang == "zh-Hans" else "en_US"]


def _sentence(call: Call, result: dict[str, Any], lang: Language) -> str:
    """What a tool gave, for a reader."""
    match call.tool:
        case "calculator":
            return f"`{call.arguments['expression']}` = **{result['result']}**"
        case "current_time":
            return t("local.toolbox.now", lang, **_day(result, lang))
        case "convert_time":
            return t("local.toolbox.converted", lang, **_day(result, lang))
        case "text_statistics":
            return _counted(call, result, lang)
        case _:
            return _table(result, lang)


_DAYS = {
    "Monday": "星期一", "Tuesday": "星期二", "Wednesday": "星期三", "Thursday": "星期四", "Friday": "星期五",
    "Saturday": "星期六", "Sunday": "星期日",
}  # fmt: skip


def _day(result: dict[str, Any], lang: Language) -> dict[str, Any]:
    return {**result, "weekday": _DAYS[result["weekday"]] if lang == "zh-Hans" else result["weekday"]}


def _counted(call: Call, result: dict[str, Any], lang: Language) -> str:
    what = call.arguments.get("file") or t("local.toolbox.your_text", lang)
    names = ("characters", "words", "chinese_characters", "sentences", "lines")
    rows = [f"| {t(f'local.toolbox.{name}', lang)} | {result[name]:,} |" for name in names]
    lines = [t("local.toolbox.counted", lang, what=what), "", *_head(lang, "count_of", "count"), *rows]
    return "\n".join(lines)


def _table(result: dict[str, Any], lang: Language) -> str:
    """Columns as a table; numbers to six significant digits."""
    lines = [
        t(
            "local.toolbox.table",
            lang,
            file=result["file"],
            rows=f"{result['rows']:,}",
            columns=len(result["columns"]),
        ),
        "",
        *_head(lang, "column", "type", "missing", "distinct", "min", "mean", "max"),
    ]
    for column in result["columns"]:
        numbers = [format(column[name], ".6g") if name in column else "" for name in ("min", "mean", "max")]
        kind = t(f"local.toolbox.type_{column['type']}", lang)
        name = str(column["name"]).replace("|", "\\|")
        cells = [name, kind, f"{column['missing']:,}", f"{column['distinct']:,}", *numbers]
        lines.append("| " + " | ".join(cells) + " |")
    if result["uneven_rows"]:
        lines += ["", t("local.toolbox.uneven", lang, rows=result["uneven_rows"])]
    return "\n".join(lines)


def _head(lang: Language, *names: str) -> list[str]:
    titles = [t(f"local.toolbox.{name}", lang) for name in names]
    return ["| " + " | ".join(titles) + " |", "|" + " --- |" * len(titles)]


def suggest(message: Row) -> list[str]:
    """One question for each tool that was not used."""
    lang = language_of(looked_at(message["query"]))
    used = {thought["tool"] for thought in message["thoughts"]}
    offered = ("calculator", "current_time", "convert_time", "text_statistics")
    return [t(f"local.toolbox.try_{tool}", lang) for tool in offered if tool not in used][:3]


TOOLBOX = App(
    name="toolbox",
    mode="agent-chat",
    description="Calls real tools: arithmetic, time zones, text statistics, CSV summary. No language model.",
    icon="🧰",
    opening="I compute, tell the time elsewhere, count texts and summarise CSV files, several at once.",
    suggested_questions=(
        "What is 17% of 2,340, and what time is it in Tokyo?",
        "How many words are in “To be, or not to be: that is the question.”?",
        "北京时间下午3点是纽约几点？",
    ),
    answer=answer,
    suggest=suggest,
    icons={
        "calculator": "🧮",
        "current_time": "🕰️",
        "convert_time": "🌐",
        "text_statistics": "📏",
        "csv_summary": "📊",
    },
    files=FileRules(types=("document",), extensions=(*TABLE_NAMES, *TEXT_NAMES), limit=3),
)
