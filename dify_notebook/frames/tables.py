"""What the API says and what turns hold, as columns of plain values. Pure: no pandas, no I/O.

A block is a dict from a column's name (see `schema`) to its values, all of one length; a column that is
not in it is missing in every row. Times are whole microseconds since 1970 in UTC. Nothing signed gets
into a block: addresses and texts come without the parts of a query that sign it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec

from ..tape import redact
from ..turn.convert import as_citation, as_file, as_int, as_text, as_time
from ..turn.reasoning import split_reasoning
from ..turn.state import Citation, MessageFile, Turn, Usage
from ..wire import events as ev
from ..wire import models

Block = dict[str, list[Any]]

NIL = "00000000-0000-0000-0000-000000000000"
"""What Dify writes where there is no parent message."""

_SIGNS = re.compile(
    r"((?:[?&;]|\\u0026)(?:sign|signature|sig|nonce|token|[A-Za-z]+-(?:Amz|Goog)-[A-Za-z-]+|X-[A-Za-z]+-Signature)=)"
    r"[^&\"'\s\\)>\]]+",
    re.IGNORECASE,
)


def clean(text: str | None) -> str | None:
    """A text in which no address is signed any more.

    >>> clean("see /files/x?timestamp=1&nonce=ab&sign=cd%3D or a=b")
    'see /files/x?timestamp=1&nonce=-&sign=- or a=b'
    """
    return _SIGNS.sub(r"\1-", text) if text and "=" in text else text


def without_query(url: str | None) -> str | None:
    """An address without its query and without a password; None for what is none, such as data.

    >>> without_query("https://me:pw@host:8/a.png?sign=1")
    'https://host:8/a.png'
    """
    if not url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https", ""):
        return None
    place = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{place}{parts.path}" if place else parts.path or None


def as_json(value: Any) -> str | None:
    """JSON text of a value, without signatures; None for None."""
    if value is None:
        return None
    if value == {}:  # the usual inputs
        return "{}"
    return clean(msgspec.json.encode(value).decode())


def as_microseconds(value: Any) -> int | None:
    """A time as whole microseconds since 1970; seconds, milliseconds, ISO text and datetimes are read."""
    if type(value) is datetime and value.tzinfo is UTC:  # the usual case: what the client reads
        return round(value.timestamp() * 1_000_000)
    time = as_time(value)
    return None if time is None else round(time.timestamp() * 1_000_000)


def from_microseconds(value: int) -> datetime:
    """The aware time that many microseconds after 1970."""
    return datetime.fromtimestamp(value / 1_000_000, UTC)


def _word(value: object) -> str | None:
    """A word of the server's for a category or an id; None for none."""
    return as_text(value) or None


def _block(rows: Sequence[Mapping[str, Any]]) -> Block:
    """Rows as a block."""
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


# -- of what the API gives ---------------------------------------------------------------


class Stored(Protocol):
    """A stored message, whoever read it."""

    @property
    def id(self) -> str: ...
    @property
    def conversation_id(self) -> str | None: ...
    @property
    def parent_message_id(self) -> str | None: ...
    @property
    def inputs(self) -> dict[str, Any] | None: ...
    @property
    def query(self) -> str: ...
    @property
    def answer(self) -> str: ...
    @property
    def status(self) -> str | None: ...
    @property
    def error(self) -> str | None: ...
    @property
    def feedback(self) -> dict[str, Any] | None: ...
    @property
    def created_at(self) -> Any: ...
    @property
    def agent_thoughts(self) -> list[dict[str, Any]] | None: ...
    @property
    def retriever_resources(self) -> list[dict[str, Any]] | None: ...
    @property
    def message_files(self) -> list[dict[str, Any]] | None: ...


def conversation_rows(items: Sequence[models.Conversation], *, user: str | None = None) -> Block:
    """The table `conversations`."""
    return {
        "conversation_id": [item.id for item in items],
        "user": [user] * len(items),
        "created_at": [as_microseconds(item.created_at) for item in items],
        "updated_at": [as_microseconds(item.updated_at) for item in items],
        "status": [_word(item.status) for item in items],
        "name": [item.name or "" for item in items],
        "introduction": [clean(item.introduction) for item in items],
        "inputs": [as_json(item.inputs) for item in items],
    }


def message_rows(items: Sequence[Stored], *, user: str | None = None) -> Block:
    """The table `messages`, with the columns that the API knows."""
    # A page at a time where that is as good: this runs for every message of every history.
    answers = [item.answer or "" for item in items]
    times = [item.created_at for item in items]
    block: Block = {
        "message_id": [item.id for item in items],
        "conversation_id": [item.conversation_id for item in items],
        "user": [user] * len(items),
        "created_at": [
            round(time.timestamp() * 1_000_000) if type(time) is datetime else as_microseconds(time) for time in times
        ],
        "status": [item.status for item in items],
        "query": _cleaned([item.query or "" for item in items]),
        "inputs": ["{}" if item.inputs == {} else as_json(item.inputs) for item in items],
    }
    feedbacks = [item.feedback for item in items]
    if any(feedbacks):
        block["rating"] = [_word(told.get("rating")) if told else None for told in feedbacks]
    errors = [item.error for item in items]
    if any(errors):
        block["error"] = [clean(error) or None for error in errors]
    parents = [item.parent_message_id for item in items]
    if set(parents) - {NIL, "", None}:
        block["parent_message_id"] = [None if parent in (NIL, "") else parent for parent in parents]
    whole = "".join(answers)
    if "<" in whole and ("<think>" in whole or "<details style" in whole):  # one character is found much faster
        parted = [split_reasoning(answer) if "<" in answer else (answer, "") for answer in answers]
        answers = [answer for answer, _ in parted]
        block["reasoning"] = [clean(reasoning) or None for _, reasoning in parted]
    block["answer"] = _cleaned(answers)
    return block


def _cleaned(texts: list[str]) -> list[str]:
    """Texts in which no address is signed; looked at one by one only if one may be."""
    return [clean(text) or "" for text in texts] if "=" in "".join(texts) else texts


def thought_rows(items: Sequence[Stored], *, user: str | None = None) -> Block:
    """The table `thoughts` of stored messages."""
    rows: list[dict[str, Any]] = []
    for item in items:
        for told in item.agent_thoughts or ():
            base = {
                "thought_id": as_text(told.get("id")),
                "message_id": item.id,
                "conversation_id": item.conversation_id,
                "user": user,
                "position": as_int(told.get("position")),
                "created_at": as_microseconds(told.get("created_at")),
                "thought": clean(as_text(told.get("thought"))),
            }
            tool, labels = as_text(told.get("tool")), told.get("tool_labels")
            rows += _with_calls(base, tool, told.get("tool_input"), told.get("observation"), labels)
    return _block(rows)


def citation_rows(items: Sequence[Stored], *, user: str | None = None) -> Block:
    """The table `citations` of stored messages."""
    return _block(
        [
            {
                "message_id": item.id,
                "conversation_id": item.conversation_id,
                "user": user,
                **_citation(as_citation(told)),
            }
            for item in items
            for told in item.retriever_resources or ()
        ]
    )


def file_rows(items: Sequence[Stored], *, user: str | None = None) -> Block:
    """The table `files` of stored messages."""
    return _block(
        [
            {
                "message_id": item.id,
                "conversation_id": item.conversation_id,
                "user": user,
                **_file(as_file(told)),
                "upload_file_id": _word(told.get("upload_file_id")),
                "transfer_method": _word(told.get("transfer_method")),
            }
            for item in items
            for told in item.message_files or ()
        ]
    )


def variable_rows(
    items: Sequence[models.ConversationVariable], *, conversation_id: str, user: str | None = None
) -> Block:
    """The table `variables` of one conversation."""
    return {
        "conversation_id": [conversation_id] * len(items),
        "user": [user] * len(items),
        "variable_id": [item.id for item in items],
        "name": [item.name for item in items],
        "value_type": [item.value_type or None for item in items],
        "created_at": [as_microseconds(item.created_at) for item in items],
        "updated_at": [as_microseconds(item.updated_at) for item in items],
        "value": [_json_of(item.parsed) for item in items],
        "value_raw": [None if item.value is None else clean(as_text(item.value)) for item in items],
        "description": [item.description for item in items],
    }


def _json_of(value: Any) -> str | None:
    """JSON text of a value that a Python repr may have held; what JSON cannot say, as its repr."""
    try:
        return as_json(value)
    except (TypeError, ValueError, OverflowError):
        return as_json(repr(value))


def feedback_rows(items: Sequence[models.Feedback]) -> Block:
    """The table `feedbacks`; the users are not told."""
    return {
        "feedback_id": [item.id for item in items],
        "message_id": [item.message_id or "" for item in items],
        "conversation_id": [item.conversation_id for item in items],
        "rating": [_word(item.rating) for item in items],
        "from_source": [_word(item.from_source) for item in items],
        "end_user_id": [item.from_end_user_id for item in items],
        "account_id": [item.from_account_id for item in items],
        "created_at": [as_microseconds(item.created_at) for item in items],
        "updated_at": [as_microseconds(item.updated_at) for item in items],
        "content": [clean(item.content) or None for item in items],
    }


def annotation_rows(items: Sequence[models.Annotation]) -> Block:
    """The table `annotations`."""
    return {
        "annotation_id": [item.id for item in items],
        "created_at": [as_microseconds(item.created_at) for item in items],
        "hit_count": [item.hit_count for item in items],
        "question": [clean(item.question) for item in items],
        "answer": [clean(item.answer) for item in items],
    }


ITEM_ROWS: dict[str, Callable[..., Block]] = {
    "conversations": conversation_rows,
    "messages": message_rows,
    "variables": variable_rows,
    "feedbacks": feedback_rows,
    "annotations": annotation_rows,
}
"""Table -> what makes it of the items of a list."""

MESSAGE_ROWS: dict[str, Callable[..., Block]] = {
    "messages": message_rows,
    "thoughts": thought_rows,
    "citations": citation_rows,
    "files": file_rows,
}
"""Table -> what makes it of stored messages."""


# -- tool calls ----------------------------------------------------------------------------


def tool_calls(
    tool: str, tool_input: Any, observation: Any, labels: Any = None
) -> list[tuple[str | None, str | None, str | None, str | None]]:
    """The calls of one thought: (tool, label, input, output) each; one without a tool where none was called.

    Several tools are joined by `;`. Input and observation are JSON by the tool's name, or, for a
    single tool, its arguments or its text alone. Where a tool was called twice, one value stands for
    both and belongs to the last call; what cannot be told apart is missing, and is in the raw columns.

    >>> tool_calls("add;now", '{"add": {"a": 1}, "now": {}}', '{"add": "1", "now": "12:00"}')
    [('add', None, '{"a":1}', '1'), ('now', None, '{}', '12:00')]
    >>> tool_calls("add", '{"a": 1}', "1")
    [('add', None, '{"a":1}', '1')]
    """
    names = [name for name in tool.split(";") if name]
    if not names:
        return [(None, None, None, None)]
    given, gave = _by_call(names, tool_input), _by_call(names, observation)
    return [(name, _label(labels, name), given[at], gave[at]) for at, name in enumerate(names)]


def _by_call(names: list[str], told: Any) -> list[str | None]:
    """What was told of each call, in their order."""
    data = told
    if isinstance(told, str):
        try:
            data = msgspec.json.decode(told) if told.lstrip()[:1] in ("{", "[") else told
        except (msgspec.DecodeError, RecursionError):
            data = told
    if data is None or data == "":
        return [None] * len(names)
    if isinstance(data, dict) and any(name in data for name in names):
        last = {name: at for at, name in enumerate(names)}
        return [_plain(data[name]) if name in data and last[name] == at else None for at, name in enumerate(names)]
    if len(names) == 1:
        return [_plain(data)]
    if isinstance(data, list) and len(data) == len(names):
        return [_plain(item) for item in data]
    return [None] * len(names)


def _plain(value: Any) -> str | None:
    return clean(value) if isinstance(value, str) else as_json(value)


def _label(labels: Any, name: str) -> str | None:
    told = labels.get(name) if isinstance(labels, Mapping) else None
    if isinstance(told, Mapping):
        told = told.get("en_US") or next(iter(told.values()), None)
    return _word(told)


def _with_calls(
    base: dict[str, Any], tool: str, tool_input: Any, observation: Any, labels: Any
) -> list[dict[str, Any]]:
    raw = {
        "tools_raw": tool or None,
        "input_raw": clean(as_text(tool_input)) or None,
        "output_raw": clean(as_text(observation)) or None,
    }
    return [
        {**base, "call": at, "tool": name, "tool_label": label, "input": given, "output": gave, **raw}
        for at, (name, label, given, gave) in enumerate(tool_calls(tool, tool_input, observation, labels))
    ]


# -- of turns --------------------------------------------------------------------------------


def usage_values(usage: Usage | None) -> dict[str, Any]:
    """Tokens, prices and times of a usage, as columns."""
    if usage is None:
        return dict.fromkeys(Usage.__struct_fields__)
    values = {name: getattr(usage, name) for name in Usage.__struct_fields__}
    for name in ("prompt_price", "completion_price", "total_price"):
        values[name] = None if values[name] is None else float(values[name])
    return values


def turn_rows(turns: Sequence[Turn]) -> Block:
    """The table `turns`."""
    rows = []
    for turn in turns:
        timing = turn.timing
        rows.append(
            {
                "message_id": turn.message_id,
                "conversation_id": turn.conversation_id,
                "user": turn.user,
                "created_at": as_microseconds(turn.created_at),
                "status": turn.status,
                "end": turn.end,
                "complete": turn.complete,
                "rating": turn.feedback,
                **usage_values(turn.usage),
                "opened": timing and timing.opened,
                "first_event": timing and timing.first_event,
                "first_token": timing and timing.first_token,
                "total": timing and timing.total,
                "turn_number": turn.turn_number,
                "node_count": len(turn.nodes or ()) if turn.nodes or turn.workflow_run_id else None,
                "warning_count": len(turn.warnings),
                "app": turn.app,
                "app_mode": turn.app_mode,
                "server": turn.server,
                "source": turn.source,
                "workflow_run_id": turn.workflow_run_id,
                "error_code": turn.error and turn.error.code,
                "error": turn.error and clean(turn.error.message),
                "query": clean(turn.query),
                "answer": clean(turn.answer),
                "reasoning": clean(turn.reasoning) or None,
                "inputs": as_json(turn.inputs),
            }
        )
    return _block(rows)


def _ids(turn: Turn) -> dict[str, Any]:
    return {"message_id": turn.message_id, "conversation_id": turn.conversation_id}


def node_rows(turns: Sequence[Turn]) -> Block:
    """The table `nodes`."""
    return _block(
        [
            {
                **_ids(turn),
                "workflow_run_id": turn.workflow_run_id,
                "position": position,
                "node_id": node.node_id,
                "node_run_id": node.id,
                "node_type": node.node_type,
                "title": node.title,
                "kind": node.kind,
                "status": node.status,
                "started": node.started_at,
                "finished": node.finished_at,
                "elapsed": node.elapsed,
                "total_tokens": node.total_tokens,
                "total_price": None if node.total_price is None else float(node.total_price),
                "currency": node.currency,
                "retry_count": len(node.retries),
                "round_count": None if node.kind == "node" else len(node.rounds),
                "parent": node.parent,
                "round": node.round,
                "parallel_id": node.parallel_id,
                "error": clean(node.error),
                "inputs": as_json(node.inputs),
                "process_data": as_json(node.process_data),
                "outputs": as_json(node.outputs),
            }
            for turn in turns
            for position, node in enumerate(turn.nodes or ())
        ]
    )


def turn_thought_rows(turns: Sequence[Turn]) -> Block:
    """The table `thoughts` of turns."""
    rows: list[dict[str, Any]] = []
    for turn in turns:
        for thought in turn.thoughts or ():
            base = {
                "thought_id": thought.id,
                **_ids(turn),
                "user": turn.user,
                "position": thought.position,
                "created_at": as_microseconds(thought.created_at),
                "started": thought.started_at,
                "finished": thought.finished_at,
                "thought": clean(thought.thought),
            }
            rows += _with_calls(base, thought.tool, thought.tool_input, thought.observation, thought.tool_labels)
    return _block(rows)


def turn_citation_rows(turns: Sequence[Turn]) -> Block:
    """The table `citations` of turns."""
    return _block(
        [{**_ids(turn), "user": turn.user, **_citation(found)} for turn in turns for found in turn.citations or ()]
    )


def turn_file_rows(turns: Sequence[Turn]) -> Block:
    """The table `files` of turns."""
    return _block([{**_ids(turn), "user": turn.user, **_file(found)} for turn in turns for found in turn.files or ()])


def event_rows(turns: Sequence[Turn]) -> Block:
    """The table `events`; turns without a tape have none."""
    rows: list[dict[str, Any]] = []
    for turn in turns:
        if turn.tape is None:
            continue
        for position, (at, (name, data)) in enumerate(turn.tape.entries):
            event = ev.decode((name, data), at)
            told = event.name if isinstance(event, ev.Unknown) else str(event.__struct_config__.tag)
            # A file with a text is text: one version of Dify streams so (see turn/fold.py).
            text = event.answer if isinstance(event, (ev.Message, ev.AgentMessage, ev.MessageFile)) else None
            rows.append(
                {
                    "message_id": turn.message_id,
                    "position": position,
                    "at": at,
                    "event": told or "unknown",
                    "text": clean(text),
                    "size": len(data or b""),
                    "data": None if data is None else redact(data).decode(errors="replace"),
                }
            )
    return _block(rows)


TURN_ROWS: dict[str, Callable[[Sequence[Turn]], Block]] = {
    "turns": turn_rows,
    "nodes": node_rows,
    "thoughts": turn_thought_rows,
    "citations": turn_citation_rows,
    "files": turn_file_rows,
    "events": event_rows,
}
"""Table -> what makes it of turns."""


# -- what both have ----------------------------------------------------------------------------


def _citation(found: Citation) -> dict[str, Any]:
    extra = found.extra or {}
    return {
        "position": found.position,
        "score": found.score,
        "dataset_id": found.dataset_id,
        "dataset_name": found.dataset_name,
        "document_id": found.document_id,
        "document_name": found.document_name,
        "segment_id": found.segment_id,
        "segment_position": as_int(extra.get("segment_position")),
        "hit_count": as_int(extra.get("hit_count")),
        "word_count": as_int(extra.get("word_count")),
        "data_source_type": _word(extra.get("data_source_type")),
        "content": clean(found.content),
    }


def _file(found: MessageFile) -> dict[str, Any]:
    return {
        "file_id": found.id,
        "upload_file_id": None,
        "type": found.type or None,
        "belongs_to": found.belongs_to or None,
        "transfer_method": None,
        "name": found.name,
        "mime_type": found.mime_type,
        "size": found.size,
        "url": without_query(found.url),
    }


def joined(blocks: Iterable[Block]) -> Block:
    """Blocks of one table, one behind the other."""
    parts = [block for block in blocks if block]
    sizes = [len(next(iter(block.values()))) for block in parts]
    found: Block = {}
    for name in {name: None for block in parts for name in block}:
        values: list[Any] = []
        for block, size in zip(parts, sizes, strict=True):
            values += block.get(name) or [None] * size
        found[name] = values
    return found
