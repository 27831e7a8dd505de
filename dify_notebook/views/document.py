"""A turn as markdown: for what shows markdown, and for people who convert notebooks to it.

The answer is markdown already and stays it, but for what reaches further than text:
raw HTML, images (they would be fetched) and links that lead elsewhere than to the web
or to mail are written so that they show as text. What came in other fields is
escaped, so that it cannot leave its place.
"""

from __future__ import annotations

import re

from ..turn.state import Turn
from . import facts, plain, timeline
from .clean import one_line, visible
from .lines import Parser
from .words import Words, cut, pretty

_SPECIAL = re.compile(r"([\\`*_\[\]<>#!|~$&])")
_LINE_START = re.compile(r"^(\d*)([-+=:.)])")
_RUNS = re.compile(r"`+")
_TAG = re.compile(r"<(?=[A-Za-z/!?])(?!(?:https?://|mailto:)[^\s<>]*>)")
_OPENS = re.compile(r"<(?=[A-Za-z/!?])")
_IMAGE = re.compile(r"!\[")
_LINK = re.compile(r"\]\((?!\s*<?(?:https?://|mailto:))", re.IGNORECASE)
_DEFINITION = re.compile(
    r"(?m)^([ \t>*+\d.)-]*)\[(?=[^\]\n]*\]:(?!\s*<?(?:https?://|mailto:)))", re.IGNORECASE
)


def escaped(text: str) -> str:
    """A line of text that markdown shows as it is, in a table's cell too."""
    return _LINE_START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", text))


def fenced(text: str, language: str = "") -> str:
    """Code in a fence that nothing inside it can close."""
    longest = max((len(run.group()) for run in _RUNS.finditer(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def harmless(answer: str) -> str:
    """The answer with raw HTML, images and odd links turned into text. Code stays as it is."""
    parser = Parser()
    out: list[str] = []
    prose: list[str] = []

    def flush() -> None:
        if prose:
            out.append(_prose("\n".join(prose)))
            prose.clear()

    for line in visible(answer).split("\n"):
        before = parser.spine[-1]
        size = len(before.lines)
        parser.read(line)
        tip = parser.spine[-1]
        raw = before.kind in ("code", "fence") and (len(before.lines) > size or before.bounded)
        raw = raw or (tip.kind == "code" and len(tip.lines) == 1)
        if raw:
            flush()
            out.append(line)
        elif before.kind == "math" or tip.kind == "math":
            flush()
            out.append(_OPENS.sub("< ", line))  # the same formula, and no tag for those who know no formulas
        elif not line.strip():
            flush()
            out.append(line)
        else:
            prose.append(line)
            if tip is not before or tip.kind not in ("p",):
                # Code marks pair within one block only, so each is looked at by itself.
                last = prose.pop()
                flush()
                prose.append(last)
    flush()
    if parser.spine[-1].kind == "fence" and len(parser.spine) == 2:
        out.append(parser.spine[-1].mark)  # what follows the answer is not part of its code
    return "\n".join(out)


def _prose(text: str) -> str:
    text = _DEFINITION.sub(r"\1\\[", text)
    parts = []
    at = 0
    runs = [run for run in _RUNS.finditer(text) if text[run.start() - 1 : run.start()] != "\\"]
    opened = 0
    while opened < len(runs):
        run = runs[opened]
        closing = next(
            (n for n in range(opened + 1, len(runs)) if len(runs[n].group()) == len(run.group())), None
        )
        if closing is None:
            opened += 1
            continue
        parts.append(_guarded(text[at : run.start()]))
        at = runs[closing].end()
        parts.append(text[run.start() : at])
        opened = closing + 1
    parts.append(_guarded(text[at:]))
    return "".join(parts)


def _guarded(text: str) -> str:
    text = _TAG.sub(r"\\<", text)
    text = _IMAGE.sub(r"!\\[", text)
    return _LINK.sub(r"]\\(", text)


def document(turn: Turn, words: Words) -> str:
    """The whole turn."""
    parts = []
    head = plain.head_line(turn, words)
    if head:
        parts.append(f"*{escaped(head)}*")
    parts.append(harmless(facts.marked_answer(turn)).strip("\n"))
    for one in facts.notices(turn, words):
        detail = f"\n\n{_quoted(fenced(cut(one.detail, words, 2_000)[0]))}" if one.detail else ""
        parts.append(f"> **{escaped(one.text)}**" + ("\n>" + detail[1:] if detail else ""))
    if turn.files or turn.audio is not None:
        parts.append("\n".join(f"- {escaped(line.strip())}" for line in plain.file_lines(turn, words)))
    if turn.nodes:
        summary = escaped(timeline.summary(turn, words))
        parts.append(f"**{words('workflow')}** \u00b7 {summary}\n\n{_table(turn, words)}")
    steps = facts.steps(turn)
    if steps:
        parts.append(
            f"**{words('thoughts')}**\n\n" + "\n".join(_step(turn, at, words) for at in range(len(steps)))
        )
    if turn.reasoning.strip():
        told, note = cut(visible(turn.reasoning.strip()), words)
        parts.append(
            f"**{words('reasoning')}**\n\n{fenced(told, 'text')}" + (f"\n\n{escaped(note)}" if note else "")
        )
    if turn.logs:
        parts.append(f"**{words('logs')}**\n\n{fenced(chr(10).join(plain.log_lines(turn, words)), 'text')}")
    if turn.citations:
        lines = [
            f"- {escaped(facts.source_title(one, at, words))}" for at, one in enumerate(facts.sources(turn))
        ]
        parts.append(f"**{words('sources', n=len(turn.citations))}**\n\n" + "\n".join(lines))
    if turn.suggested:
        lines = [f"- {escaped(one_line(text, 300))}" for text in turn.suggested[:10]]
        parts.append(f"**{words('suggested')}**\n\n" + "\n".join(lines))
    parts.append(f"---\n\n{escaped(plain.foot_line(turn, words))}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.split("\n"))


def _table(turn: Turn, words: Words) -> str:
    columns = ("step", "kind", "status", "seconds", "tokens")
    lines = [
        "| " + " | ".join(words(f"col.{name}") for name in columns) + " |",
        "|---|---|---|--:|--:|",
    ]
    for group in timeline.groups(turn):
        for row in group:
            node = row.node
            lead = "\u2003" * row.depth + ("\u21b3 " if row.depth else "")
            if node is None:
                lines.append(f"| {lead}{words.count('more_steps', row.more)} | | | | |")
                continue
            status = timeline.state(node, turn)
            kind = " \u00b7 ".join([timeline.kind(node, words), *timeline.remarks(node, words)])
            word = f"{facts.STATUS_SIGNS.get(status, '?')} {words.known(f'status.{status}', status)}"
            error = f"{words.colon}{escaped(one_line(node.error, 200))}" if node.error else ""
            tokens = f"{node.total_tokens:,}" if node.total_tokens else ""
            length = timeline.length(node, turn, words, 0.0)
            title = lead + escaped(timeline.name(node, words))
            lines.append(f"| {title} | {escaped(kind)} | {escaped(word)}{error} | {length} | {tokens} |")
    return "\n".join(lines)


def _step(turn: Turn, at: int, words: Words) -> str:
    thought = facts.steps(turn)[at]
    lines = [f"{at + 1}. {escaped(facts.step_tools(thought, words))}"]
    if thought.thought.strip():
        lines.append(f"   {escaped(one_line(thought.thought, 600))}")
    for label, value in ((words("input"), thought.tool_input), (words("observation"), thought.observation)):
        if value.strip():
            shown, note = cut(pretty(value, thought.tools), words, 2_000)
            lines.append(f"\n   {escaped(label)}{' (' + escaped(note) + ')' if note else ''}:\n")
            lines.append(plain.indented(fenced(visible(shown), "text"), "   "))
    return "\n".join(lines) + "\n"
