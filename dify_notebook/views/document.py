"""A turn as markdown: for what shows markdown, and for people who convert notebooks to it.

The answer is markdown already and stays it, written plainly (`canonical.py`): raw HTML, images (they would be
fetched) and links that lead elsewhere than to the web or to mail show as text. What came in other fields is
escaped, so that it cannot leave its place, and what is code stands in fences at the left margin.
"""

from __future__ import annotations

from ..error_bodies import readable
from ..printable import one_line, shown
from ..turn.state import Thought, Turn
from . import facts, forms, limits, outputs, plain, timeline
from .canonical import canonical
from .guard import escaped, fenced
from .words import Words, pretty, truncated


def document(turn: Turn, words: Words) -> str:
    """The whole turn."""
    parts = []
    head = plain.head_line(turn, words)
    if head:
        parts.append(f"*{escaped(head)}*")
    parts.append(canonical(outputs.answer(turn)).strip("\n"))
    parts += [*outputs.document(turn, words), *outputs.inputs_document(turn, words)]
    parts += forms.document(turn, words)
    for item in facts.notices(turn, words):
        detail = f"\n\n{_quoted(fenced(truncated(item.detail, words, 2_000)[0]))}" if item.detail else ""
        parts.append(f"> **{escaped(item.text)}**" + ("\n>" + detail[1:] if detail else ""))
    parts.append("\n".join(f"- {escaped(line.strip())}" for line in plain.file_lines(turn, words)))
    if turn.nodes:
        summary = escaped(timeline.summary(turn, words))
        parts.append(f"**{words('workflow')}** \u00b7 {summary}\n\n{_table(turn, words)}")
    steps, omitted = facts.steps(turn), facts.omitted(turn, words)
    if steps or omitted["thoughts"]:
        parts.append(f"**{words('thoughts')}**")
        parts += [_step(thought, index, words) for index, thought in enumerate(steps)]
        parts.append(escaped(omitted["thoughts"]))
    if turn.reasoning.strip():
        reasoning, note = truncated(shown(turn.reasoning.strip()), words)
        parts.append(
            f"**{words('reasoning')}**\n\n{fenced(reasoning, 'text')}" + (f"\n\n{escaped(note)}" if note else "")
        )
    if turn.logs:
        parts.append(f"**{words('logs')}**\n\n{fenced(chr(10).join(plain.log_lines(turn, words)), 'text')}")
    if turn.citations:
        lines = [
            f"- {escaped(facts.source_title(item, index, words))}" for index, item in enumerate(facts.sources(turn))
        ]
        lines += _more(omitted["citations"])
        parts.append(f"**{words('sources', n=len(turn.citations))}**\n\n" + "\n".join(lines))
    if turn.suggested:
        lines = [f"- {escaped(one_line(text, 300))}" for text in turn.suggested[: limits.SUGGESTED]]
        lines += _more(omitted["suggested"])
        parts.append(f"**{words('suggested')}**\n\n" + "\n".join(lines))
    parts.append(f"---\n\n{escaped(plain.foot_line(turn, words))}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _more(omitted: str) -> list[str]:
    return [f"- {escaped(omitted)}"] if omitted else []


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
            indent = "\u2003" * row.depth + ("\u21b3 " if row.depth else "")
            if node is None:
                lines.append(f"| {indent}{words.count('more_steps', row.hidden)} | | | | |")
                continue
            status = timeline.node_status(node, turn)
            kind = " \u00b7 ".join([timeline.kind(node, words), *timeline.counters(node, words)])
            word = f"{facts.STATUS_SYMBOLS.get(status, '?')} {words.known(f'status.{status}', status)}"
            error = f"{words.colon}{escaped(one_line(readable(node.error), 200))}" if node.error else ""
            tokens = f"{node.total_tokens:,}" if node.total_tokens else ""
            duration = timeline.duration(node, turn, words, 0.0)
            title = indent + escaped(timeline.name(node, words))
            lines.append(f"| {title} | {escaped(kind)} | {escaped(word)}{error} | {duration} | {tokens} |")
    if omitted := facts.omitted(turn, words)["nodes"]:
        lines.append(f"| {escaped(omitted)} | | | | |")
    return "\n".join(lines)


def _step(thought: Thought, index: int, words: Words) -> str:
    parts = [f"**{index + 1}.** {escaped(facts.step_tools(thought, words))}"]
    if text := facts.step_text(thought):
        parts.append(escaped(one_line(text, 600)))
    for label, value in ((words("input"), thought.tool_input), (words("observation"), thought.observation)):
        if value.strip():
            text, note = truncated(pretty(value, thought.tools), words, 2_000)
            parts.append(f"{escaped(label)}{' (' + escaped(note) + ')' if note else ''}{words.colon.rstrip()}")
            parts.append(fenced(shown(text), "text"))
    return "\n\n".join(parts)
