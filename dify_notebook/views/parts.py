"""The slots of a turn, from top to bottom, as blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from ..printable import one_line, shown
from ..turn.state import AgentLog, MessageFile, Thought, Turn
from . import facts, forms, limits
from .block import Block
from .code import chunks
from .html import element, escape
from .pictures import picture_source
from .words import Words, is_empty, pretty, truncated

T = TypeVar("T")

COLOURS = {
    "running": "run",
    "succeeded": "ok",
    "partial_succeeded": "warm",
    "failed": "bad",
    "exception": "warm",
    "retry": "warm",
    "incomplete": "warm",
}


class Memo:
    """Keeps what was made from values, as long as the values stay the same."""

    def __init__(self) -> None:
        self._results: dict[object, tuple[tuple[object, ...], Any]] = {}

    def get(self, key: object, values: tuple[object, ...], make: Callable[..., T], *args: object) -> T:
        """The result of `make(*args)`, cached while `values` stay equal: all that it depends on has to be in them."""
        cached = self._results.get(key)
        if cached is not None and all(a is b or a == b for a, b in zip(cached[0], values, strict=True)):
            result: T = cached[1]
            return result
        result = make(*args)
        self._results[key] = (values, result)
        return result


def span(name: str, text: str) -> str:
    """A piece of a line."""
    return element("span", {"class": name}, escape(text))


def status_symbol(status: str) -> str:
    """The symbol of a status, in its colour; the word always stands beside it."""
    colour = COLOURS.get(status)
    name = f"dn-sign dn-g{colour}" if colour else "dn-sign"
    return element("span", {"class": name, "aria-hidden": "true"}, facts.STATUS_SYMBOLS.get(status, "\u00b7"))


def section(key: str, summary: str, body: Iterable[Block], *, opened: bool = False) -> Block:
    """Something that folds."""
    attrs = {"class": "dn-sec"} | ({"open": ""} if opened else {})
    parts = (
        Block("summary", "summary", {"class": "dn-sum"}, summary),
        Block("body", "div", {"class": "dn-body"}, "", tuple(body)),
    )
    return Block(key, "details", attrs, "", parts)


def caption(label: str, details: str = "", name: str = "dn-cap") -> str:
    """The line of something that folds: a label, in small capitals unless it is a name, and quiet words."""
    return span(name, label) + (" " + span("dn-quiet", details) if details else "")


def field(key: str, label: str, value: Any, words: Words, tools: tuple[str, ...] = ()) -> list[Block]:
    """A labelled value, long ones cut."""
    text, note = truncated(pretty(value, tools), words)
    out = [
        Block(f"{key}-label", "div", {"class": "dn-field"}, escape(label)),
        Block(key, "pre", {"class": "dn-val"}, escape(text)),
    ]
    if note:
        out.append(Block(f"{key}-cut", "div", {"class": "dn-note-cut"}, escape(note)))
    return out


def omitted_blocks(turn: Turn, words: Words, section: str) -> list[Block]:
    """The line about what is not shown, if there is anything."""
    text = facts.omitted(turn, words)[section]
    return [Block("rest", "div", {"class": "dn-note-cut"}, escape(text))] if text else []


# --- head and foot


def header(turn: Turn, words: Words, now: float) -> list[Block]:
    title = facts.title(turn, words)
    server = " \u00b7 ".join(facts.app_and_server(turn))
    out = []
    line = span("dn-title", title) if title else ""
    if server:
        line += span("dn-meta", (" \u00b7 " if title else "") + server)
    if line:
        out.append(Block("title", "span", {}, line))
    if later := forms.went_on(turn, words):
        separator = element("span", {}, " \u00b7 ") if line else ""
        out.append(Block("later", "span", {}, separator + span("dn-name", later)))
    wait = facts.waiting(turn, words, now)
    if wait:
        separator = element("span", {}, " \u00b7 ") if out else ""
        out.append(Block("wait", "span", {"class": "dn-wait"}, separator + status_symbol("running") + escape(wait)))
    return out


def footer(turn: Turn, words: Words, now: float) -> list[Block]:
    out = []
    if turn.suggested:
        items = "".join(f"<li>{escape(one_line(text, 300))}</li>" for text in turn.suggested[: limits.SUGGESTED])
        if omitted := facts.omitted(turn, words)["suggested"]:
            items += f"<li>{escape(omitted)}</li>"
        list_ = element("ul", {"class": "dn-list"}, items)
        out.append(Block("suggested", "div", {"class": "dn-more"}, caption(words("suggested")) + list_))
    if turn.status == "running" and not facts.has_content(turn):
        return out  # the header counts the seconds
    measures = facts.metrics(turn, words, now)
    line = status_symbol(turn.status) + " " + span("dn-state", facts.status_text(turn, words))
    line += span("dn-quiet", "".join(f" \u00b7 {text}" for text in measures))
    ids = [
        words(key, id=one_line(identity, 80))
        for key, identity in facts.identities(turn).items()
    ]
    out.append(Block("line", "div", {"title": " \u00b7 ".join(ids)} if ids else {}, line))
    return out


def notice(turn: Turn, words: Words) -> list[Block]:
    out = []
    for index, item in enumerate(facts.notices(turn, words)):
        name, status = {"error": ("dn-nbad", "failed"), "warning": ("dn-nwarm", "incomplete")}.get(
            item.kind, ("", "")
        )
        lead = status_symbol(status) + " " if status else ""
        parts = [Block("text", "div", {}, lead + element("strong", {}, escape(item.text)))]
        if item.detail:
            text, note = truncated(item.detail, words, 2_000)
            parts.append(Block("detail", "div", {"class": "dn-plain"}, escape(text)))
            if note:
                parts.append(Block("cut", "div", {"class": "dn-note-cut"}, escape(note)))
        role = {"role": "alert"} if item.kind == "error" else {}
        out.append(Block(str(index), "div", {"class": f"dn-note {name}".strip(), **role}, "", tuple(parts)))
    return out


# --- what the agent did


def thoughts(turn: Turn, words: Words, memo: Memo, icons: Mapping[str, str] | None = None) -> list[Block]:
    out = []
    for index, thought in enumerate(facts.steps(turn)):
        running = facts.step_running(thought, turn)
        key, values = ("thought", index), (thought, running)
        out.append(memo.get(key, values, _thought, thought, index, running, words, icons or {}))
    return out + omitted_blocks(turn, words, "thoughts")


def icon(name: str, icons: Mapping[str, str]) -> str:
    """The icon of a tool: an image as a data URI, or an emoji; "" where it has none."""
    picture = icons.get(name, "")
    if picture.startswith("data:"):
        return element("img", {"class": "dn-icon", "src": picture, "alt": ""})
    return element("span", {"class": "dn-icon", "aria-hidden": "true"}, escape(picture)) if picture else ""


def _thought(thought: Thought, index: int, running: bool, words: Words, icons: Mapping[str, str]) -> Block:
    summary = words("working") if running else ""
    if not running and thought.observation:
        summary = one_line(pretty(thought.observation, thought.tools), 90)
    line = status_symbol("running") + " " if running else ""
    line += "".join(icon(name, icons) for name in thought.tools[:5])
    line += caption(facts.step_title(thought, index, words), summary, "dn-name")
    body = []
    if text := facts.step_text(thought):
        body += [Block("thought", "div", {"class": "dn-plain"}, escape(shown(text)))]
    if not is_empty(thought.tool_input.strip()):
        body += field("input", words("input"), thought.tool_input, words, thought.tools)
    if not is_empty(thought.observation.strip()):
        body += field("observation", words("observation"), thought.observation, words, thought.tools)
    elif running:
        body.append(Block("running", "div", {"class": "dn-quiet"}, escape(words("working"))))
    return section(str(index), line, body)


def reasoning(turn: Turn, words: Words, memo: Memo) -> list[Block]:
    text = shown(turn.reasoning)
    if not text.strip():
        return []
    parts = chunks(text)
    blocks = [memo.get(("reasoning", index), (part,), _chunk, index, part) for index, part in enumerate(parts)]
    thinking = turn.status == "running" and not turn.answer
    line = (status_symbol("running") + " " if thinking else "") + caption(words("reasoning"))
    return [section("reasoning", line, (Block("text", "div", {"class": "dn-plain"}, "", tuple(blocks)),))]


def _chunk(index: int, text: str) -> Block:
    return Block(str(index), "span", {}, escape(text))


def logs(turn: Turn, words: Words, memo: Memo) -> list[Block]:
    if not turn.logs:
        return []
    rows = []
    for index, (depth, entry) in enumerate(facts.log_tree(turn.logs)):
        # What stands still is made once; the tree is flat here and indented by depth.
        rows.append(memo.get(("log", entry.id), (index, depth, entry), _log, entry, index, depth, words))
    rows += omitted_blocks(turn, words, "logs")
    return [section("logs", caption(words("logs"), words.count("entries", len(turn.logs))), rows)]


def _log(entry: AgentLog, index: int, depth: int, words: Words) -> Block:
    status = {"start": "running", "success": "succeeded", "error": "failed"}.get(entry.status, "unknown")
    facts_ = [words.known(f"status.{status}", entry.status)]
    if entry.started_at is not None and entry.finished_at is not None and status != "running":
        facts_.append(words.seconds(entry.finished_at - entry.started_at))
    line = status_symbol(status) + " " + span("dn-name", one_line(entry.label, 100) or words("step_nameless"))
    line += span("dn-quiet", " \u00b7 " + " \u00b7 ".join(facts_))
    body = []
    if entry.error:
        body += field("error", words("error"), entry.error, words)
    if not is_empty(entry.data):
        body += field("data", words("data"), entry.data, words)
    style = {"style": f"margin-left:{depth * 14}px"}
    if not body:
        return Block(str(index), "div", style, line)
    parts = (
        Block("summary", "summary", {"class": "dn-ios"}, line),
        Block("body", "div", {}, "", tuple(body)),
    )
    return Block(str(index), "details", style, "", parts)


# --- what belongs to the answer


def files(turn: Turn, words: Words, memo: Memo) -> list[Block]:
    out = []
    for index, file in enumerate((turn.files or ())[: limits.FILES]):
        out.append(memo.get(("file", index), (file,), file_block, file, index, words))
    out += omitted_blocks(turn, words, "files")
    if turn.audio is not None and turn.audio.chunks:
        size = sum(len(chunk) for chunk in turn.audio.chunks) * 3 // 4
        key = "audio" if turn.audio.complete else "audio_part"
        out.append(
            Block("audio", "div", {"class": "dn-file"}, escape("\u266b " + words(key, size=words.size(size))))
        )
    return out


def file_block(file: MessageFile, index: int, words: Words) -> Block:
    """A file, with its picture where its content was fetched and is one."""
    label = facts.file_title(file, words)
    line = Block("line", "div", {"class": "dn-quiet"}, escape(label))
    source = picture_source(file.data)
    if not source:
        return Block(str(index), "div", {"class": "dn-file"}, "", (line,))
    alt = one_line(file.name or "", 100) or words("image")
    image = Block("image", "img", {"class": "dn-pic", "src": source, "alt": alt})
    return Block(str(index), "div", {"class": "dn-file"}, "", (image, line))


def citations(turn: Turn, words: Words) -> list[Block]:
    cited = facts.sources(turn)
    if not cited:
        return []
    names = list(dict.fromkeys(one_line(each.document_name, 50) for each in cited if each.document_name))
    documents = ", ".join(names[:3]) + (f" +{len(names) - 3}" if len(names) > 3 else "")
    body = []
    for index, citation in enumerate(cited):
        line = escape(facts.source_title(citation, index, words))
        if not citation.content.strip():
            body.append(Block(str(index), "div", {"class": "dn-src"}, line))
            continue
        text, note = truncated(shown(citation.content.strip()), words)
        parts = [
            Block("summary", "summary", {"class": "dn-ios"}, line),
            Block("text", "div", {"class": "dn-val"}, escape(text)),
        ]
        if note:
            parts.append(Block("cut", "div", {"class": "dn-note-cut"}, escape(note)))
        body.append(Block(str(index), "details", {"class": "dn-src"}, "", tuple(parts)))
    body += omitted_blocks(turn, words, "citations")
    return [section("citations", caption(words("sources", n=len(turn.citations or ())), documents), body)]
