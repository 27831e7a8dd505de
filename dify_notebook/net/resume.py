"""A run that is followed again after its connection was lost: what is new, and what was heard before.

Newer Dify servers tell a run once more from its beginning, or its state so far, or only what is
still to come; nothing in an event says which. So it is decided here, from what came:

- Events of nodes, iterations, loops and forms have ids: one that was heard before is dropped.
- A stream that opens with `workflow_started` tells what was before. Its text is held back while it
  repeats ours; what goes beyond ours is new. Text that turns out to differ from ours is new as a whole.
- A stream that opens otherwise goes on: all of its text is new.
- The end of the run tells its whole answer: what we have is compared with it and mended.

Where neither the repeated text nor the run's end proves the answer whole, nothing is guessed: no
text is said twice, and the turn says that a part may be missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterator
from typing import TYPE_CHECKING, Any

from ..i18n import t
from ..wire import events as ev

if TYPE_CHECKING:
    from ..turn.state import Turn


class _Repeated:
    """Text that may repeat what we have, held back until that is clear."""

    def __init__(self, expected: str) -> None:
        self.expected = expected
        self.position = 0
        """How much of it was repeated."""
        self.open = True
        """Whether it still repeats what we have."""
        self.proven = False
        """Whether it repeated all of what we have."""

    @property
    def repeated(self) -> str:
        """What was repeated so far."""
        return self.expected[: self.position]

    def feed(self, text: str) -> str:
        """The new part, if there is one."""
        if not self.open:
            return text
        if self.expected.startswith(text, self.position):
            self.position += len(text)
            self.proven = self.position == len(self.expected)
            return ""
        self.open = False
        rest = self.expected[self.position :]
        self.proven = text.startswith(rest)
        return text[len(rest) :] if self.proven else self.repeated + text


class Resume:
    """Takes the events of one stream after another, and gives those that are new."""

    def __init__(self) -> None:
        self._seen: Counter[Hashable] = Counter()
        self._unrepeated: Counter[Hashable] = Counter()
        self._text = ""
        self._new_text: list[str] = []  # since we follow
        self._answer: _Repeated | None = None
        self._reasoning: _Repeated | None = None
        self._started = False
        self._settled = True
        self._answered: frozenset[str] = frozenset()

    def begin(self, turn: Turn, answered: Collection[str]) -> None:
        """The run of that turn is read on, by whoever did not read its beginning.

        Args:
            answered: ids of forms that were submitted: a server that has not noticed yet still waits for them.
        """
        self._answered = frozenset(answered)
        if turn.workflow is not None:
            self.record(ev.WorkflowStarted(workflow_run_id=turn.workflow_run_id, data={"id": turn.workflow.id}))
        for node in turn.nodes or ():
            if node.kind == "node":
                self.record(ev.NodeStarted(data={"id": node.id}))
                if node.status not in ("running", "paused", "unknown"):
                    self.record(ev.NodeFinished(data={"id": node.id}))
        self.restart(turn.answer_raw, turn.reasoning_chunks)

    def record(self, event: ev.Event) -> None:
        """An event of the first connection."""
        name = event.identity()
        if name is not None:
            self._seen[name] += 1

    def restart(self, text: str, reasoning: str) -> None:
        """Another connection begins; this is what we have."""
        self._unrepeated = self._seen.copy()
        self._text, self._new_text = text, []
        self._answer, self._reasoning = _Repeated(text), _Repeated(reasoning)
        self._started = self._settled = False

    def new_events(self, event: ev.Event) -> list[ev.Event]:
        """What this event of a followed run says that is new; nothing, or some events."""
        assert self._answer is not None
        assert self._reasoning is not None
        if isinstance(event, ev.Ping):
            return [event]
        if not self._started:
            self._started = True
            if not isinstance(event, ev.WorkflowStarted):  # it goes on where the server is now
                self._answer.open = self._reasoning.open = False
                self._unrepeated.clear()
        if isinstance(event, (ev.WorkflowPaused, ev.HumanInputRequired)):
            return [] if self._answered.intersection(_forms_of(event)) else [event]  # it brings the forms' tokens anew
        name = event.identity()
        if name is not None:
            if self._unrepeated[name] > 0:
                self._unrepeated[name] -= 1
                return self._settle(event) if isinstance(event, ev.WorkflowFinished) else []
            self._seen[name] += 1
        if isinstance(event, ev.MessageReplace):
            return self._replace(event)
        if event.answer_text is not None or event.reasoning_text is not None:
            return [*self._new_reasoning(event), *self._new_answer(event)]
        if isinstance(event, (ev.WorkflowFinished, ev.MessageEnd, ev.Error)):
            return [*self._settle(event), event]
        return [event]

    def finish(self, at: float) -> list[ev.Event]:
        """What is to be said when the stream has ended, before its end is told."""
        return self._settle(ev.StreamEnd(at=at))

    def _new_reasoning(self, event: ev.Event) -> list[ev.Event]:
        assert self._reasoning is not None
        new = self._reasoning.feed(event.reasoning_text) if event.reasoning_text is not None else ""
        return [_part_of(ev.ReasoningChunk, event, reasoning=new)] if new else []

    def _new_answer(self, event: ev.Event) -> list[ev.Event]:
        assert self._answer is not None
        return self._emit(self._answer.feed(event.answer_text), event) if event.answer_text is not None else []

    def _emit(self, text: str, event: ev.Event) -> list[ev.Event]:
        if not text:
            return []
        self._new_text.append(text)
        return [_part_of(ev.Message, event, answer=text)]

    def _replace(self, event: ev.MessageReplace) -> list[ev.Event]:
        """A snapshot gives the text so far in this form."""
        assert self._answer is not None
        text = event.answer or ""
        if self._answer.open and not self._answer.position:
            if not text:  # a server that keeps no text before the end has none to tell; ours stands
                return []
            return self._emit(self._answer.feed(text), event) if self._agrees(text) else self._replaced(event)
        return self._replaced(event)

    def _agrees(self, text: str) -> bool:
        return bool(text) and (text.startswith(self._text) or self._text.startswith(text))

    def _replaced(self, event: ev.MessageReplace) -> list[ev.Event]:
        assert self._answer is not None
        self._answer.open, self._answer.proven, self._answer.position = False, True, 0
        self._text, self._new_text = event.answer or "", []
        return [event]

    def _settle(self, event: ev.Event) -> list[ev.Event]:
        """Compare with the whole answer where the end of the run tells it; say so where nothing is proven."""
        assert self._answer is not None
        if self._settled:
            return []
        self._settled = True
        answer = None
        if isinstance(event, ev.WorkflowFinished) and isinstance((event.data or {}).get("outputs"), dict):
            answer = (event.data or {})["outputs"].get("answer")
        new_text = "".join(self._new_text)
        if isinstance(answer, str) and answer.startswith(self._text) and answer.endswith(new_text):
            if answer == self._text + new_text:
                return []
            return [ev.Resumed(at=event.at, whole=True, answer=answer)]
        if self._answer.proven:
            return []
        return [ev.Resumed(at=event.at, whole=False, message=t("net.follow_gap"))]


def _forms_of(event: ev.WorkflowPaused | ev.HumanInputRequired) -> Iterator[str]:
    """Ids of the forms that it waits for."""
    data = event.data or {}
    reasons = data.get("reasons") if isinstance(event, ev.WorkflowPaused) else [data]
    for reason in reasons if isinstance(reasons, list) else ():
        if isinstance(reason, dict):
            yield str(reason.get("form_id"))


def _part_of(kind: type[ev.Event], event: ev.Event, **fields: Any) -> ev.Event:
    """The new part of what an event says, as an event of that kind."""
    fields |= {name: getattr(event, name, None) for name in _COMMON_FIELDS if name in kind.__struct_fields__}
    return kind(**fields)


_COMMON_FIELDS = (*ev.ChatEvent.__struct_fields__, "workflow_run_id")
