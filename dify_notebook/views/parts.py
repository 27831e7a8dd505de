"""The parts of the picture of a turn, from top to bottom, as blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from ..printable import one_line, shown
from ..turn.state import AgentLog, MessageFile, Node, Thought, Turn
from . import facts, limits, timeline
from .block import Block
from .code import stretches
from .html import element, escape
from .pictures import picture_source
from .words import Words, cut, empty, pretty

T = TypeVar("T")

_COLOURS = {
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
        self._made: dict[object, tuple[tuple[object, ...], Any]] = {}

    def get(self, key: object, values: tuple[object, ...], make: Callable[..., T], *args: object) -> T:
        """What `make(*args)` gave for these values, or gives now. All that matters has to be in `values`."""
        known = self._made.get(key)
        if known is not None and all(a is b or a == b for a, b in zip(known[0], values, strict=True)):
            made: T = known[1]
            return made
        made = make(*args)
        self._made[key] = (values, made)
        return made


def span(name: str, text: str) -> str:
    """A piece of a line."""
    return element("span", {"class": name}, escape(text))


def sign(status: str) -> str:
    """The sign of a status, in its colour; the word always stands beside it."""
    colour = _COLOURS.get(status)
    name = f"dn-sign dn-g{colour}" if colour else "dn-sign"
    return element("span", {"class": name, "aria-hidden": "true"}, facts.STATUS_SIGNS.get(status, "\u00b7"))


def section(key: str, summary: str, body: Iterable[Block], *, opened: bool = False) -> Block:
    """Something that folds."""
    attrs = {"class": "dn-sec"} | ({"open": ""} if opened else {})
    parts = (
        Block("summary", "summary", {"class": "dn-sum"}, summary),
        Block("body", "div", {"class": "dn-body"}, "", tuple(body)),
    )
    return Block(key, "details", attrs, "", parts)


def caption(label: str, rest: str = "", name: str = "dn-cap") -> str:
    """The line of something that folds: a label, in small capitals unless it is a name, and quiet words."""
    return span(name, label) + (" " + span("dn-quiet", rest) if rest else "")


def field(key: str, label: str, value: Any, words: Words, tools: tuple[str, ...] = ()) -> list[Block]:
    """A labelled value, long ones cut."""
    text, note = cut(pretty(value, tools), words)
    out = [
        Block(f"{key}-label", "div", {"class": "dn-field"}, escape(label)),
        Block(key, "pre", {"class": "dn-val"}, escape(text)),
    ]
    if note:
        out.append(Block(f"{key}-cut", "div", {"class": "dn-note-cut"}, escape(note)))
    return out


def rest(turn: Turn, words: Words, place: str) -> list[Block]:
    """The line about what is not shown, if there is anything."""
    told = facts.rests(turn, words)[place]
    return [Block("rest", "div", {"class": "dn-note-cut"}, escape(told))] if told else []


# --- head and foot


def header(turn: Turn, words: Words, now: float) -> list[Block]:
    title = facts.title(turn, words)
    place = " \u00b7 ".join(facts.place(turn))
    out = []
    line = span("dn-title", title) if title else ""
    if place:
        line += span("dn-meta", (" \u00b7 " if title else "") + place)
    if line:
        out.append(Block("title", "span", {}, line))
    wait = facts.waiting(turn, words, now)
    if wait:
        lead = element("span", {}, " \u00b7 ") if line else ""
        out.append(Block("wait", "span", {"class": "dn-wait"}, lead + sign("running") + escape(wait)))
    return out


def footer(turn: Turn, words: Words, now: float) -> list[Block]:
    out = []
    if turn.suggested:
        items = "".join(f"<li>{escape(one_line(text, 300))}</li>" for text in turn.suggested[: limits.SUGGESTED])
        if told := facts.rests(turn, words)["suggested"]:
            items += f"<li>{escape(told)}</li>"
        list_ = element("ul", {"class": "dn-list"}, items)
        out.append(Block("suggested", "div", {"class": "dn-more"}, caption(words("suggested")) + list_))
    if turn.status == "running" and not facts.begun(turn):
        return out  # the header counts the seconds
    measures = facts.measures(turn, words, now)
    line = sign(turn.status) + " " + span("dn-state", facts.ended_word(turn, words))
    line += span("dn-quiet", "".join(f" \u00b7 {text}" for text in measures))
    whole = [
        words(key, id=one_line(identity, 80))
        for key, identity in (("conversation", turn.conversation_id), ("task", turn.task_id))
        if identity
    ]
    out.append(Block("line", "div", {"title": " \u00b7 ".join(whole)} if whole else {}, line))
    return out


def notice(turn: Turn, words: Words) -> list[Block]:
    out = []
    for at, one in enumerate(facts.notices(turn, words)):
        name, status = {"error": ("dn-nbad", "failed"), "warning": ("dn-nwarm", "incomplete")}.get(
            one.kind, ("", "")
        )
        lead = sign(status) + " " if status else ""
        parts = [Block("text", "div", {}, lead + element("strong", {}, escape(one.text)))]
        if one.detail:
            text, note = cut(one.detail, words, 2_000)
            parts.append(Block("detail", "div", {"class": "dn-plain"}, escape(text)))
            if note:
                parts.append(Block("cut", "div", {"class": "dn-note-cut"}, escape(note)))
        role = {"role": "alert"} if one.kind == "error" else {}
        out.append(Block(str(at), "div", {"class": f"dn-note {name}".strip(), **role}, "", tuple(parts)))
    return out


# --- what the agent did


def thoughts(turn: Turn, words: Words, memo: Memo, icons: Mapping[str, str] | None = None) -> list[Block]:
    out = []
    for at, thought in enumerate(facts.steps(turn)):
        running = facts.step_running(thought, turn)
        out.append(memo.get(("thought", at), (thought, running), _thought, thought, at, running, words, icons or {}))
    return out + rest(turn, words, "thoughts")


def icon(name: str, icons: Mapping[str, str]) -> str:
    """The picture of a tool: an image as a data URI, or a sign; "" where it has none."""
    told = icons.get(name, "")
    if told.startswith("data:"):
        return element("img", {"class": "dn-icon", "src": told, "alt": ""})
    return element("span", {"class": "dn-icon", "aria-hidden": "true"}, escape(told)) if told else ""


def _thought(thought: Thought, at: int, running: bool, words: Words, icons: Mapping[str, str]) -> Block:
    rest = words("working") if running else ""
    if not running and thought.observation:
        rest = one_line(pretty(thought.observation, thought.tools), 90)
    line = (sign("running") + " " if running else "") + "".join(icon(name, icons) for name in thought.tools[:5])
    line += caption(facts.step_title(thought, at, words), rest, "dn-name")
    body = []
    if thought.thought.strip():
        body += [Block("thought", "div", {"class": "dn-plain"}, escape(shown(thought.thought.strip())))]
    if not empty(thought.tool_input.strip()):
        body += field("input", words("input"), thought.tool_input, words, thought.tools)
    if not empty(thought.observation.strip()):
        body += field("observation", words("observation"), thought.observation, words, thought.tools)
    elif running:
        body.append(Block("running", "div", {"class": "dn-quiet"}, escape(words("working"))))
    return section(str(at), line, body)


def reasoning(turn: Turn, words: Words, memo: Memo) -> list[Block]:
    text = shown(turn.reasoning)
    if not text.strip():
        return []
    parts = stretches(text)
    blocks = [memo.get(("reasoning", at), (part,), _stretch, at, part) for at, part in enumerate(parts)]
    thinking = turn.status == "running" and not turn.answer
    line = (sign("running") + " " if thinking else "") + caption(words("reasoning"))
    return [section("reasoning", line, (Block("text", "div", {"class": "dn-plain"}, "", tuple(blocks)),))]


def _stretch(at: int, text: str) -> Block:
    return Block(str(at), "span", {}, escape(text))


def logs(turn: Turn, words: Words, memo: Memo) -> list[Block]:
    if not turn.logs:
        return []
    rows = []
    for at, (depth, entry) in enumerate(facts.log_tree(turn.logs)):
        # What stands still is made once; the tree is flat here and indented by depth.
        rows.append(memo.get(("log", entry.id), (at, depth, entry), _log, entry, at, depth, words))
    rows += rest(turn, words, "logs")
    return [section("logs", caption(words("logs"), words.count("entries", len(turn.logs))), rows)]


def _log(entry: AgentLog, at: int, depth: int, words: Words) -> Block:
    status = {"start": "running", "success": "succeeded", "error": "failed"}.get(entry.status, "unknown")
    facts_ = [words.known(f"status.{status}", entry.status)]
    if entry.started_at is not None and entry.finished_at is not None and status != "running":
        facts_.append(words.seconds(entry.finished_at - entry.started_at))
    line = sign(status) + " " + span("dn-name", one_line(entry.label, 100) or words("step_nameless"))
    line += span("dn-quiet", " \u00b7 " + " \u00b7 ".join(facts_))
    body = []
    if entry.error:
        body += field("error", words("error"), entry.error, words)
    if not empty(entry.data):
        body += field("data", words("data"), entry.data, words)
    style = {"style": f"margin-left:{depth * 14}px"}
    if not body:
        return Block(str(at), "div", style, line)
    parts = (
        Block("summary", "summary", {"class": "dn-ios"}, line),
        Block("body", "div", {}, "", tuple(body)),
    )
    return Block(str(at), "details", style, "", parts)


# --- the timeline


def nodes(turn: Turn, words: Words, now: float, memo: Memo) -> list[Block]:
    if not turn.nodes:
        return []
    width = timeline.scale(turn, now)
    grouped = timeline.groups(turn)
    head = "".join(
        element("th", {"class": f"dn-tlh {name}".strip()}, escape(words(label)))
        for name, label in (
            ("dn-c1", "col.step"),
            ("", "col.time"),
            ("dn-c3", "col.status"),
            ("dn-c4", "col.seconds"),
        )
    ) + element("th", {"class": "dn-tlh dn-c5"}, escape(words("col.tokens")))
    bodies = [
        Block(
            str(rows[0].at),
            "tbody",
            {},
            "",
            tuple(_row(row, turn, words, now, width, memo) for row in rows),
        )
        for rows in grouped
    ]
    table = Block("table", "table", {"class": "dn-tl"}, "", (
        Block("head", "thead", {}, "", (Block("row", "tr", {"class": "dn-tlr"}, head),)),
        *bodies,
    ))  # fmt: skip
    more = rest(turn, words, "nodes")
    running = turn.status == "running"
    line = (sign("running") + " " if running else "") + caption(
        words("workflow"), timeline.summary(turn, words)
    )
    if not running:
        line += element("span", {"class": "dn-mini", "aria-hidden": "true"}, "".join(
            element("span", {"class": _bar_class(status), "style": f"margin-left:{gap:g}%;width:{wide:g}%"})
            for status, gap, wide in timeline.overview(turn, now)
        ))  # fmt: skip
    opened = running or turn.status in ("failed", "partial_succeeded")
    return [section("nodes", line, (table, *more), opened=opened)]


def _bar_class(status: str) -> str:
    colour = _COLOURS.get(status)
    return f"dn-bar dn-{colour}" if colour else "dn-bar"


def _row(row: timeline.Row, turn: Turn, words: Words, now: float, width: float, memo: Memo) -> Block:
    node = row.node
    if node is None:
        cell = element(
            "td", {"class": "dn-tlc dn-quiet", "colspan": "5"}, escape(words.count("more_steps", row.more))
        )
        return Block(f"more{row.depth}-{row.more}", "tr", {"class": "dn-tlr"}, cell)
    status = timeline.state(node, turn)
    length = timeline.length(node, turn, words, now)
    place = timeline.bar(node, turn, now, width)
    return memo.get(
        ("row", row.at),
        (node, row.depth, status, length, place),
        _node,
        row,
        node,
        status,
        length,
        place,
        words,
        memo,
    )


def _node(
    row: timeline.Row,
    node: Node,
    status: str,
    length: str,
    place: tuple[float, float] | None,
    words: Words,
    memo: Memo,
) -> Block:
    name = memo.get(("name", row.at), (node, row.depth), _name, row, node, words)
    word = words.known(f"status.{status}", status)
    bar: tuple[Block, ...] = ()
    if place is not None:
        attrs = {
            "class": _bar_class(status),
            "style": f"margin-left:{place[0]:g}%;width:{place[1]:g}%",
        }
        label = words("bar", name=timeline.name(node, words), status=word, time=length or words("no_time"))
        track = {
            "class": "dn-track",
            "role": "img",
            "aria-label": label,
            "title": f"{word} \u00b7 {length}".strip(" \u00b7"),
        }
        bar = (Block("track", "div", track, "", (Block("bar", "div", attrs),)),)
    tokens = f"{node.total_tokens:,}" if node.total_tokens else ""
    cells = (
        name,
        Block("time", "td", {"class": "dn-tlc"}, "", bar),
        Block("status", "td", {"class": "dn-tlc"}, sign(status) + " " + escape(word)),
        Block("seconds", "td", {"class": "dn-tln"}, escape(length)),
        Block("tokens", "td", {"class": "dn-tln dn-tle"}, tokens),
    )
    return Block(str(row.at), "tr", {"class": "dn-tlr"}, "", cells)


def _name(row: timeline.Row, node: Node, words: Words) -> Block:
    title, kind = timeline.name(node, words), timeline.kind(node, words)
    quiet = [
        text
        for text in (kind if kind.lower() != title.lower() else "", *timeline.remarks(node, words))
        if text
    ]
    lead = "\u21b3 " if row.depth else ""
    line = (
        escape(lead)
        + span("dn-name", title)
        + (span("dn-quiet", " " + " \u00b7 ".join(quiet)) if quiet else "")
    )
    attrs = {"class": "dn-tlc"} | ({"style": f"padding-left:{row.depth * 16}px"} if row.depth else {})
    body: list[Block] = []
    if node.error:
        body += field("error", words("error"), node.error, words)
    for retry in node.retries[: limits.RETRIES]:
        told = one_line(retry.error or "", 300)
        text = words("retry", n=retry.index) + (f"{words.colon}{told}" if told else "")
        body.append(Block(f"retry{len(body)}", "div", {"class": "dn-quiet"}, escape(text)))
    if more := words.rest(len(node.retries), limits.RETRIES, "turn.nodes"):
        body.append(Block("retries", "div", {"class": "dn-quiet"}, escape(more)))
    if not empty(node.inputs):
        body += field("inputs", words("inputs"), node.inputs, words)
    if not empty(node.outputs):
        body += field("outputs", words("outputs"), node.outputs, words)
    if not body:
        return Block("name", "td", attrs, line)
    parts = (
        Block("summary", "summary", {"class": "dn-ios"}, line),
        Block("body", "div", {"class": "dn-iob"}, "", tuple(body)),
    )
    return Block("name", "td", attrs, "", (Block("io", "details", {"class": "dn-io"}, "", parts),))


# --- what belongs to the answer


def files(turn: Turn, words: Words, memo: Memo) -> list[Block]:
    out = []
    for at, file in enumerate((turn.files or ())[: limits.FILES]):
        out.append(memo.get(("file", at), (file,), _file, file, at, words))
    out += rest(turn, words, "files")
    if turn.audio is not None and turn.audio.chunks:
        size = sum(len(chunk) for chunk in turn.audio.chunks) * 3 // 4
        key = "audio" if turn.audio.complete else "audio_part"
        out.append(
            Block("audio", "div", {"class": "dn-file"}, escape("\u266b " + words(key, size=words.size(size))))
        )
    return out


def _file(file: MessageFile, at: int, words: Words) -> Block:
    label = facts.file_title(file, words)
    line = Block("line", "div", {"class": "dn-quiet"}, escape(label))
    source = picture_source(file.data)
    if not source:
        return Block(str(at), "div", {"class": "dn-file"}, "", (line,))
    alt = one_line(file.name or "", 100) or words("image")
    image = Block("image", "img", {"class": "dn-pic", "src": source, "alt": alt})
    return Block(str(at), "div", {"class": "dn-file"}, "", (image, line))


def citations(turn: Turn, words: Words) -> list[Block]:
    cited = facts.sources(turn)
    if not cited:
        return []
    names = list(dict.fromkeys(one_line(one.document_name or "", 50) for one in cited if one.document_name))
    told = ", ".join(names[:3]) + (f" +{len(names) - 3}" if len(names) > 3 else "")
    body = []
    for at, one in enumerate(cited):
        line = escape(facts.source_title(one, at, words))
        if not one.content.strip():
            body.append(Block(str(at), "div", {"class": "dn-src"}, line))
            continue
        text, note = cut(shown(one.content.strip()), words)
        parts = [
            Block("summary", "summary", {"class": "dn-ios"}, line),
            Block("text", "div", {"class": "dn-val"}, escape(text)),
        ]
        if note:
            parts.append(Block("cut", "div", {"class": "dn-note-cut"}, escape(note)))
        body.append(Block(str(at), "details", {"class": "dn-src"}, "", tuple(parts)))
    body += rest(turn, words, "citations")
    return [section("citations", caption(words("sources", n=len(turn.citations or ())), told), body)]
