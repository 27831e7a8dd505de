"""A turn as plain text, and the lines that the terminal and the text have in common."""

from __future__ import annotations

from ..error_bodies import readable
from ..printable import one_line, shown
from ..turn.state import Node, Thought, Turn
from . import facts, forms, limits, outputs, timeline
from .terminal import terminal_text
from .words import Words, pretty, truncated


def indented(text: str, by: str = "    ") -> str:
    return "\n".join(by + line if line else line for line in text.split("\n"))


def head_line(turn: Turn, words: Words) -> str:
    """Conversation, app and server; "" where nothing is known."""
    parts = (facts.title(turn, words), *facts.app_and_server(turn), forms.went_on(turn, words))
    return " \u00b7 ".join(text for text in parts if text)


def node_line(node: Node, depth: int, turn: Turn, words: Words, now: float) -> str:
    """One node: symbol, title, kind, status unless it is well, seconds, tokens."""
    status = timeline.node_status(node, turn)
    title, kind = timeline.name(node, words), timeline.kind(node, words)
    parts = [title]
    if kind and kind.lower() != title.lower():
        parts.append(kind)
    parts += timeline.counters(node, words)
    if status != "succeeded":
        parts.append(words.known(f"status.{status}", status))
    duration = timeline.duration(node, turn, words, now)
    if duration:
        parts.append(duration)
    if node.total_tokens:
        parts.append(words("tokens", n=f"{node.total_tokens:,}"))
    line = f"{'  ' * (depth + 1)}{facts.STATUS_SYMBOLS.get(status, '?')} " + " \u00b7 ".join(parts)
    if node.error:
        line += f"\n{'  ' * (depth + 3)}{one_line(readable(node.error), 300)}"
    return line


def node_lines(turn: Turn, words: Words, now: float = 0.0) -> list[str]:
    """The timeline as lines."""
    out = []
    for group in timeline.groups(turn):
        for row in group:
            if row.node is None:
                out.append(f"{'  ' * (row.depth + 1)}{words.count('more_steps', row.hidden)}")
            else:
                out.append(node_line(row.node, row.depth, turn, words, now))
    return out + omitted_lines(turn, words, "nodes")


def omitted_lines(turn: Turn, words: Words, section: str) -> list[str]:
    """The line about what is not shown, if there is anything."""
    text = facts.omitted(turn, words)[section]
    return [f"  {text}"] if text else []


def step_lines(turn: Turn, words: Words) -> list[str]:
    """The steps of an agent."""
    lines = [line for index, step in enumerate(facts.steps(turn)) for line in thought_lines(step, index, words)]
    return lines + omitted_lines(turn, words, "thoughts")


def thought_lines(thought: Thought, index: int, words: Words) -> list[str]:
    """One step of an agent."""
    out = [f"  {facts.step_title(thought, index, words)}"]
    if text := facts.step_text(thought):
        out.append(indented(one_line(text, 600)))
    if thought.tool_input.strip():
        out.append(indented(f"{words('input')}{words.colon}{one_line(pretty(thought.tool_input, thought.tools), 600)}"))
    if thought.observation.strip():
        out.append(indented(f"\u2192 {one_line(pretty(thought.observation, thought.tools), 600)}"))
    return out


def notice_lines(turn: Turn, words: Words) -> list[str]:
    out = []
    for item in facts.notices(turn, words):
        symbol = {"error": "\u2715", "warning": facts.WARNING_SYMBOL}.get(item.kind, "\u00b7")
        out.append(f"{symbol} {item.text}")
        if item.detail:
            text, note = truncated(shown(item.detail), words, 1_000)
            out.append(indented(text + (f" ({note})" if note else "")))
    return out


def file_lines(turn: Turn, words: Words) -> list[str]:
    turn = outputs.apart(turn)
    out = [f"  {facts.file_title(file, words)}" for file in (turn.files or ())[: limits.FILES]]
    out += omitted_lines(turn, words, "files")
    if turn.audio is not None and turn.audio.chunks:
        size = sum(len(chunk) for chunk in turn.audio.chunks) * 3 // 4
        out.append("  " + words("audio" if turn.audio.complete else "audio_part", size=words.size(size)))
    return out


def source_lines(turn: Turn, words: Words) -> list[str]:
    lines = [f"  {facts.source_title(source, index, words)}" for index, source in enumerate(facts.sources(turn))]
    return lines + omitted_lines(turn, words, "citations")


def log_lines(turn: Turn, words: Words) -> list[str]:
    out = []
    for depth, entry in facts.log_tree(turn.logs or ()):
        status = {"start": "running", "success": "succeeded", "error": "failed"}.get(entry.status, "unknown")
        error = f"{words.colon}{one_line(entry.error, 200)}" if entry.error else ""
        out.append(f"{'  ' * (depth + 1)}{facts.STATUS_SYMBOLS[status]} {one_line(entry.label, 100)}{error}")
    return out + omitted_lines(turn, words, "logs")


def suggested_lines(turn: Turn, words: Words) -> list[str]:
    lines = [f"  - {one_line(text, 300)}" for text in (turn.suggested or ())[: limits.SUGGESTED]]
    return lines + omitted_lines(turn, words, "suggested")


def foot_line(turn: Turn, words: Words, now: float = 0.0) -> str:
    return " \u00b7 ".join(
        [
            f"{facts.STATUS_SYMBOLS.get(turn.status, '?')} {facts.status_text(turn, words)}",
            *facts.metrics(turn, words, now),
        ]
    )


def plain_text(turn: Turn, words: Words) -> str:
    """The whole turn."""
    blocks: list[list[str]] = [[head_line(turn, words)], outputs.inputs_lines(turn, words)]
    if turn.nodes:
        blocks.append([f"{words('workflow')} ({timeline.summary(turn, words)})", *node_lines(turn, words)])
    if steps := step_lines(turn, words):
        blocks.append([words("thoughts"), *steps])
    if turn.reasoning.strip():
        text, note = truncated(shown(turn.reasoning.strip()), words, 2_000)
        blocks.append([words("reasoning"), indented(text), *([indented(note)] if note else [])])
    if turn.logs:
        blocks.append([words("logs"), *log_lines(turn, words)])
    blocks.append([shown(terminal_text(outputs.answer(turn))).strip("\n")])
    blocks.append(outputs.lines(turn, words))
    blocks.append(forms.text(turn, words))
    if files := file_lines(turn, words):
        blocks.append([words("files"), *files])
    if turn.citations:
        blocks.append([words("sources", n=len(turn.citations)), *source_lines(turn, words)])
    blocks.append(notice_lines(turn, words))
    if turn.suggested:
        blocks.append([words("suggested"), *suggested_lines(turn, words)])
    blocks.append([foot_line(turn, words)])
    return "\n\n".join("\n".join(lines) for lines in blocks if any(lines))
