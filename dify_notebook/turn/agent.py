"""The steps of an agent and the entries of agent nodes' logs, as they are told: each again under its id as it grows."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from ..wire import events as ev
from .convert import as_dict, as_int, as_text, as_time
from .state import AgentLog, Thought, Turn
from .texts import same_text


class Agent:
    """Part of a turn in the making: its thoughts and logs by id, in the order in which they were first told."""

    def __init__(self, turn: Turn) -> None:
        self._thoughts = {item.id: item for item in turn.thoughts or ()}
        self._speaking = {item.id: item.offset for item in turn.thoughts or () if item.offset is not None}
        """The steps since the agent closed last, and where each began in the answer."""
        self._logs = {item.id: item for item in turn.logs or ()}

    def thoughts(self) -> tuple[Thought, ...]:
        """The steps as they are now."""
        return tuple(self._thoughts.values())

    def logs(self) -> tuple[AgentLog, ...]:
        """The entries as they are now."""
        return tuple(self._logs.values())

    def think(self, event: ev.AgentThought, offset: int) -> None:
        """A step, or more of one.

        Args:
            offset: characters of the answer before it.
        """
        key, position = event.id or as_text(event.position), as_int(event.position)
        files = event.message_files if isinstance(event.message_files, list) else ()
        old = self._thoughts.get(key)
        self._thoughts[key] = Thought(
            id=key,
            position=position if position is not None else (old.position if old else None),
            thought=event.thought or (old.thought if old else ""),
            tool=event.tool or (old.tool if old else ""),
            tool_input=as_text(event.tool_input) or (old.tool_input if old else ""),
            observation=as_text(event.observation) or (old.observation if old else ""),
            tool_labels=as_dict(event.tool_labels) or (old.tool_labels if old else None),
            message_files=tuple(str(f) for f in files if f) or (old.message_files if old else ()),
            created_at=as_time(event.created_at) or (old.created_at if old else None),
            started_at=old.started_at if old else event.at,
            finished_at=event.at,
            answer=old.answer if old else "",
            offset=old.offset if old else offset,
        )
        if old is None:
            self._speaking[key] = offset

    def close(self, text: str, answer: str, at: float) -> None:
        """The agent closes with its answer. What it had said before that is kept, each part by the step that said it.

        Args:
            text: all that it said while it worked.
            answer: the one that counts; where it stands at the end of that text, no step has it.
            at: seconds since sent.
        """
        text = text[: _beginning_of(answer, text, self._speaking.values())]
        if not self._speaking and text.strip():  # no step was told
            key = str(len(self._thoughts))
            self._thoughts[key] = Thought(id=key, started_at=at, finished_at=at)
            self._speaking[key] = 0
        starts, start = list(self._speaking.values()), 0
        for key, end in zip(self._speaking, [*starts[1:], len(text)], strict=False):
            said = text[start:end]
            step = self._thoughts[key]
            self._thoughts[key] = msgspec.structs.replace(step, answer=said if said.strip() else "", offset=None)
            start = max(start, end)
        self._speaking.clear()

    def log(self, event: ev.AgentLog) -> None:
        """An entry, or more of one."""
        data = event.data or {}
        key = str(data.get("id") or data.get("message_id") or len(self._logs))
        old = self._logs.get(key)
        status = str(data.get("status") or "")
        self._logs[key] = AgentLog(
            id=key,
            label=str(data.get("label") or (old.label if old else "")),
            node_id=as_text(data.get("node_id") or data.get("node_execution_id")) or (old.node_id if old else None),
            parent_id=as_text(data.get("parent_id")) or (old.parent_id if old else None),
            status=status or (old.status if old else ""),
            error=as_text(data.get("error")) or None,
            data=data.get("data") if data.get("data") is not None else (old.data if old else None),
            metadata=as_dict(data.get("metadata")) or (old.metadata if old else None),
            started_at=old.started_at if old else event.at,
            finished_at=None if status in ("start", "") else event.at,
        )


def _beginning_of(answer: str, text: str, steps: Collection[int]) -> int:
    """Where in the text the answer begins that stands at its end, blanks apart; the text's length where it does not.

    Args:
        steps: where steps begin in the text.
    """
    closing, said = answer.strip(), text.rstrip()
    start = len(said) - len(closing)
    if closing and said.endswith(closing) and (start == 0 or start in steps or said[start - 1].isspace()):
        return start
    last = max((step for step in steps if step < len(said)), default=0)
    return last if same_text(text[last:], answer) else len(text)
