"""The texts about a turn, in the reader's language; `parts`, `plain` and `document` lay them out.

The live view, the saved page, markdown and plain text all take their sentences from
here, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..error_bodies import readable
from ..printable import one_line, shown
from ..redact import redact
from ..turn.state import CUT, WELL, AgentLog, Citation, MessageFile, Thought, Turn
from ..wire.kinds import OTHER_MODES, WORKFLOW
from . import limits, timeline
from .diff import common_prefix
from .words import Words, host, number, price, short

WARNING_SYMBOL = "\u26a0"

STATUS_SYMBOLS = {
    "running": "\u25cf",
    "succeeded": "\u2713",
    "partial_succeeded": "\u2713",
    "failed": "\u2715",
    "exception": "\u26a0",
    "retry": "\u21bb",
    "stopped": "\u25a0",
    "paused": "\u2016",
    "incomplete": "\u26a0",
    "unknown": "?",
    "unfinished": "\u2013",
}


def is_run(turn: Turn) -> bool:
    """Whether a workflow app ran: nodes and outputs are what it gives, and nobody talks with it."""
    return turn.app_mode == WORKFLOW


def is_alone(turn: Turn) -> bool:
    """Whether the turn belongs to no conversation, since its app holds none."""
    return turn.app_mode in OTHER_MODES


class Notice(NamedTuple):
    """Something that the reader has to know."""

    kind: str
    """error, warning or info."""
    text: str
    detail: str = ""
    """More lines, as they came; may be empty."""


def title(turn: Turn, words: Words) -> str:
    """Which turn of which conversation this is, and how it came to stand there; "" where nobody knows."""
    if is_alone(turn):
        return ""
    if is_asked_again(turn):
        return words("asking", n=turn.turn_number, of=turn.placing.turns if turn.placing else None)
    return " \u00b7 ".join(text for text in (_number(turn, words), _placing(turn, words)) if text)


def is_asked_again(turn: Turn) -> bool:
    """Whether it is one of the turns that are asked again before a cell's own."""
    return turn.placing is not None and turn.placing.kind == "asking"


def _number(turn: Turn, words: Words) -> str:
    name = one_line(turn.conversation_name or "", 80)
    if turn.placing is not None and turn.placing.kind == "began_again":
        return words("began_again")
    if turn.turn_number == 1 or (
        turn.turn_number is None and not turn.conversation_id and turn.status == "running"
    ):
        return words("new_conversation")
    if turn.turn_number is not None:
        return words("turn_of", n=turn.turn_number, name=name) if name else words("turn", n=turn.turn_number)
    return name


def _placing(turn: Turn, words: Words) -> str:
    """What is to be said of how it came to stand there."""
    placing = turn.placing
    if placing is None or placing.kind == "asking":
        return ""
    if placing.kind == "began_again":
        return words("began_again.off") if placing.first else ""
    if placing.kind == "replayed":
        return words.count("placing.replayed", (turn.turn_number or 1) - 1)
    return words(f"placing.{placing.kind}")


def app_and_server(turn: Turn) -> list[str]:
    """App and server."""
    return [text for text in (one_line(turn.app or "", 60), host(turn.server) if turn.server else "") if text]


def has_content(turn: Turn) -> bool:
    """Whether anything can be seen of the answer."""
    outputs = turn.workflow.outputs if turn.workflow is not None else None
    return bool(
        turn.answer or turn.reasoning or turn.thoughts or turn.nodes or turn.files or turn.logs or outputs
    )


def waiting(turn: Turn, words: Words, now: float) -> str:
    """The text while nothing of the answer has come; "" after that."""
    if turn.status != "running" or has_content(turn):
        return ""
    return words("waiting", time=words.count_up(now))


def status_text(turn: Turn, words: Words) -> str:
    """The status of the turn, in a word or two."""
    if turn.status == "incomplete" and turn.end in CUT:
        return words(f"end.{turn.end}")
    return words.known(f"status.{turn.status}", turn.status)


def notices(turn: Turn, words: Words) -> list[Notice]:
    """Errors, warnings and what else is not as one would think."""
    out = []
    if turn.error is not None:
        code = one_line(turn.error.code, 80)
        status = f"({turn.error.status})" if turn.error.status else ""
        detail = shown(readable(turn.error.message)).strip()
        named = " ".join(part for part in (code, status) if part)  # the history tells neither
        heading = words("error") + (words.colon + named if named else "")
        out.append(Notice("error", _failed_at(turn, words) or heading, detail))
    if turn.end == "stopped" or turn.status == "stopped":
        key = {True: "stopped.confirmed", False: "stopped.unconfirmed", None: "stopped.server"}[
            turn.stop_confirmed
        ]
        out.append(Notice("info", words(key)))
    elif turn.end in CUT and turn.status not in WELL:  # workflow apps have no other end than their run's
        text = words(f"told.run.{turn.end}" if is_run(turn) else f"told.{turn.end}")
        if turn.end in ("timed_out", "cancelled") and turn.stop_confirmed is not None:
            text += " " + words("stop.confirmed" if turn.stop_confirmed else "stop.unconfirmed")
        out.append(Notice("warning", text))
    workflow_error = turn.workflow.error if turn.workflow is not None else None
    if turn.status in ("failed", "partial_succeeded") and workflow_error and turn.error is None:
        heading = _failed_at(turn, words) or words("workflow_error")
        out.append(Notice("error", heading, shown(readable(workflow_error)).strip()))
    if turn.status == "partial_succeeded":
        out.append(Notice("warning", words("partial"), _recovered(turn, words)))
    if turn.replaced:
        out.append(Notice("warning", words("replaced")))
    if turn.annotation is not None:
        out.append(Notice("info", words("annotation")))
    if turn.status == "paused":
        waits = not turn.forms or any(form.status == "waiting" for form in turn.forms)
        call = "dify.workflows.resume(turn)" if is_run(turn) else "dify.chat.resume(turn)"
        out.append(Notice("warning", words("paused") if waits else words("answered", call=call)))
    return out + _warnings(turn, words)


def _failed_at(turn: Turn, words: Words) -> str:
    """At which step a workflow app's run failed; "" of all else, and where no step says it."""
    if turn.status != "failed" or not is_run(turn) or (turn.error and turn.error.code != "workflow_failed"):
        return ""
    failed = next((node for node in reversed(turn.nodes or ()) if node.status == "failed"), None)
    return "" if failed is None else words("failed_at", step=timeline.name(failed, words))


def _recovered(turn: Turn, words: Words) -> str:
    """The first steps of a workflow app's run that failed without an end to it, and why."""
    if not is_run(turn):
        return ""
    nodes = [node for node in turn.nodes or () if node.status in ("exception", "failed")]
    lines = [
        timeline.name(node, words) + (words.colon + one_line(readable(node.error)) if node.error else "")
        for node in nodes[: limits.WARNINGS]
    ]
    omitted = words.omitted(len(nodes), limits.WARNINGS, "turn.nodes_frame()")
    return "\n".join([*lines, *([omitted] if omitted else [])])


def _warnings(turn: Turn, words: Words) -> list[Notice]:
    out = []
    damaged = [warning for warning in turn.warnings if warning.code == "damaged"]
    if damaged:
        raw = "\n".join(shown(warning.raw or warning.message) for warning in damaged[: limits.DAMAGED])
        if hidden := words.omitted(len(damaged), limits.DAMAGED, "turn.warnings"):
            raw += f"\n{hidden}"
        out.append(Notice("warning", words("damaged", n=len(damaged), mark=WARNING_SYMBOL), raw))
    if unread := sum(warning.code == "character" for warning in turn.warnings):
        out.append(Notice("info", words("characters", n=unread)))
    others = [warning for warning in turn.warnings if warning.code not in ("damaged", "character")]
    for warning in others[: limits.WARNINGS]:
        head = words.known(f"warning.{warning.code}", warning.code)
        out.append(Notice("warning", head, one_line(f"{warning.message} {warning.raw or ''}", 400)))
    if hidden := words.omitted(len(others), limits.WARNINGS, "turn.warnings"):
        out.append(Notice("warning", hidden))
    return out


def metrics(turn: Turn, words: Words, now: float) -> list[str]:
    """The facts in the footer of a turn: tokens, price, times, server, ids."""
    out = _tokens(turn, words)
    usage, timing = turn.usage, turn.timing
    if usage is not None and usage.total_price is not None and (usage.total_price or usage.total_tokens):
        out.append(price(usage.total_price, usage.currency))
    first = timing.first_token if timing is not None else None
    if first is None and usage is not None:
        first = usage.time_to_first_token
    if first is not None:
        out.append(words("first_token", time=words.seconds(first)))
    if turn.status == "running":
        out.append(words.count_up(now))
    elif timing is not None and timing.total is not None:
        out.append(words("total", time=words.seconds(timing.total)))
    elif usage is not None and usage.latency:
        out.append(words("total", time=words.seconds(usage.latency)))
    if turn.server:
        out.append(host(turn.server))
    if is_run(turn) and turn.workflow is not None and turn.workflow.total_steps is not None:
        out.append(words.count("steps", turn.workflow.total_steps))
    out += [
        words(key, id=short(identity))
        for key, identity in identities(turn).items()
        if key != "task" or turn.status != "succeeded"
    ]
    if turn.feedback:
        out.append(words.known(f"feedback.{turn.feedback}", turn.feedback))
    return out


def identities(turn: Turn) -> dict[str, str]:
    """The ids that a reader may need whole, by their sentence."""
    flow = turn.workflow if is_run(turn) else None
    ids = {
        "conversation": None if is_alone(turn) else turn.conversation_id,
        "run": turn.workflow_run_id if flow is not None else None,
        "version": flow.workflow_id if flow is not None else None,
        "task": turn.task_id,
    }
    return {key: identity for key, identity in ids.items() if identity}


def _tokens(turn: Turn, words: Words) -> list[str]:
    """How many tokens a turn took; nothing where that is not known.

    A server keeps 0 of a message whose tokens it did not count: its run failed, or was stopped.
    """
    usage, flow = turn.usage, turn.workflow
    counted = usage.total_tokens if usage is not None else None
    of_run = flow.total_tokens if flow is not None else None
    if usage is not None and counted is not None and (counted or (not of_run and turn.source != "history")):
        text = words("tokens", n=number(counted))
        if usage.prompt_tokens is not None and usage.completion_tokens is not None:
            text += " " + words("in_out", i=number(usage.prompt_tokens), o=number(usage.completion_tokens))
        return [text]
    return [] if of_run is None else [words("tokens", n=number(of_run))]


def omitted(turn: Turn, words: Words) -> dict[str, str]:
    """The sentence about what the views leave out of a turn's items, by field; "" where all are shown."""
    return {
        "nodes": words.omitted(len(turn.nodes or ()), limits.NODES, "turn.nodes_frame()"),
        "thoughts": words.omitted(len(turn.thoughts or ()), limits.THOUGHTS, "turn.thoughts_frame()"),
        "logs": words.omitted(len(turn.logs or ()), limits.LOGS, "turn.logs"),
        "files": words.omitted(len(turn.files or ()), limits.FILES, "turn.files"),
        "citations": words.omitted(len(turn.citations or ()), limits.CITATIONS, "turn.citations"),
        "suggested": words.omitted(len(turn.suggested or ()), limits.SUGGESTED, "turn.suggested"),
    }


def steps(turn: Turn) -> list[Thought]:
    """The agent's first steps worth showing: a closing thought that repeats the answer is not."""
    return [
        thought
        for thought in (turn.thoughts or ())[: limits.THOUGHTS]
        if thought.tool
        or thought.observation
        or ((text := step_text(thought)) and text not in turn.answer)
    ]


def step_text(thought: Thought) -> str:
    """What the agent thought in a step and what it said, as it came."""
    return "\n\n".join(text for text in (thought.thought.strip(), thought.answer.strip()) if text)


def step_title(thought: Thought, index: int, words: Words) -> str:
    """Number and tools of a step, with the label that the app gives a tool."""
    return words("step", n=index + 1, what=step_tools(thought, words))


def step_tools(thought: Thought, words: Words) -> str:
    """The tools of a step; that it is a thought where it called none."""
    names = [_labelled(name, thought.tool_labels, words) for name in thought.tools[: limits.TOOLS]]
    if len(thought.tools) > limits.TOOLS:
        names.append(f"+{len(thought.tools) - limits.TOOLS}")
    return ", ".join(names) or words("thought")


def _labelled(name: str, labels: Mapping[str, object] | None, words: Words) -> str:
    label = (labels or {}).get(name)
    if isinstance(label, Mapping):
        wanted = "zh_Hans" if words.lang == "zh-Hans" else "en_US"
        label = label.get(wanted) or label.get("en_US") or next(iter(label.values()), None)
    clean = one_line(name, 60)
    if isinstance(label, str) and label and label != name:
        return f"{one_line(label, 60)} ({clean})"
    return clean


def step_running(thought: Thought, turn: Turn) -> bool:
    """Whether a tool works at this moment: the last step, called and not answered yet."""
    last_thought = turn.thoughts[-1] if turn.thoughts else None
    return turn.status == "running" and thought is last_thought and bool(thought.tool) and not thought.observation


def sources(turn: Turn) -> list[Citation]:
    """The first passages in the order of their numbers."""
    cited = list(turn.citations or ())
    cited.sort(key=lambda each: each.position if each.position is not None else len(cited) + 1)
    return cited[: limits.CITATIONS]


def source_title(citation: Citation, index: int, words: Words) -> str:
    """Number, document, data set and score of a passage."""
    parts = [one_line(citation.document_name or citation.document_id or words("document"), 100)]
    if citation.dataset_name:
        parts.append(one_line(citation.dataset_name, 60))
    if citation.score is not None:
        parts.append(words("score", n=f"{citation.score:.2f}"))
    return f"[{citation.position if citation.position is not None else index + 1}] " + " \u00b7 ".join(parts)


def file_key(file: MessageFile) -> str:
    """What tells a file from others of its turn: its id, or its address where it lies elsewhere and has none."""
    return file.id or f"{file.name} {redact(file.url or '')}"


def file_title(file: MessageFile, words: Words) -> str:
    """Name, type and size of a file, and why it is not shown. Never its address."""
    parts = [one_line(file.name or "", 100) or words("file")]
    kind = one_line(file.mime_type or file.type or "", 60)
    if kind:
        parts.append(kind)
    size = len(file.data) if file.data is not None else file.size
    if size is not None and size >= 0:
        parts.append(words.size(size))
    if file.belongs_to == "user":
        parts.append(words("file_sent"))
    if file.data_error:
        parts.append(one_line(file.data_error, 200))
    return " \u00b7 ".join(parts)


def log_tree(logs: Sequence[AgentLog]) -> list[tuple[int, AgentLog]]:
    """The beginning of an agent's log as (depth, entry), each below its parent; an unknown parent is none."""
    logs = logs[: limits.LOGS]
    ids = {entry.id for entry in logs}
    children: dict[str | None, list[AgentLog]] = {}
    for entry in logs:
        parent = entry.parent_id if entry.parent_id in ids and entry.parent_id != entry.id else None
        children.setdefault(parent, []).append(entry)
    out: list[tuple[int, AgentLog]] = []
    seen: set[str] = set()
    stack = [(0, entry) for entry in reversed(children.get(None, []))]
    while stack:
        depth, entry = stack.pop()
        if entry.id in seen:
            continue
        seen.add(entry.id)
        out.append((depth, entry))
        stack += [(min(depth + 1, 8), child) for child in reversed(children.get(entry.id, []))]
    # Entries whose parents go round in a circle belong to nobody above.
    out += [(0, entry) for entry in logs if entry.id not in seen]
    return out


def marked_answer(turn: Turn) -> str:
    """The answer, with a warning symbol wherever a line of the stream was damaged."""
    offsets = [w.offset for w in turn.warnings if w.code == "damaged" and w.offset is not None][: limits.MARKS]
    answer = turn.answer
    for offset in sorted(set(_answer_offsets(turn, offsets)), reverse=True):
        answer = _mark(answer, offset)
    return answer


def _answer_offsets(turn: Turn, offsets: list[int]) -> list[int]:
    """Offsets in `answer_raw` as offsets in `answer`, which lacks the reasoning."""
    raw, answer = turn.answer_raw, turn.answer
    if raw == answer or not raw:
        return [min(offset, len(answer)) for offset in offsets]
    if raw.endswith(answer):
        return [max(0, min(len(answer), offset - (len(raw) - len(answer)))) for offset in offsets]
    same = common_prefix(raw, answer)
    common_end = common_prefix(raw[::-1], answer[same:][::-1])
    out = []
    for offset in offsets:
        from_end = len(raw) - offset
        ends = len(answer) - from_end if 0 <= from_end <= common_end else same
        out.append(offset if offset <= same else ends)
    return out


def _mark(answer: str, offset: int) -> str:
    """Put the symbol where it changes no line's meaning: not before a line's first character."""
    head = answer[:offset]
    bare = head.rstrip("\n")
    if head and bare == head:
        return f"{head}{WARNING_SYMBOL}{answer[offset:]}"
    last = bare.rpartition("\n")[2].strip()
    if bare and not last.startswith(("```", "~~~", "|", "$$", "\\[", "\\]", "---", "===", "***")):
        return f"{bare} {WARNING_SYMBOL}{answer[len(bare) :]}"
    return f"{head}{WARNING_SYMBOL}\n{answer[offset:]}"
