"""A run that is followed again after its connection was lost: what is new, and what was heard before.

Newer Dify servers tell a run once more from its beginning, or its state so far, or only what is
still to come; nothing in an event says which. So it is decided here, from what came:

- What is new of nodes, iterations and loops: `run_nodes.py`. Forms have ids: one that was answered is dropped.
- A stream that opens with `workflow_started` tells what was before. Its text is held back while it
  repeats ours; what goes beyond ours is new. Text that turns out to differ from ours is new as a whole.
- A `message_replace` before any text is a state: the text so far (Dify 1.16 keeps none before the end, so it is
  empty, or what stood there at the last pause). What comes behind it is new.
- A stream that opens otherwise goes on: all of its text is new.
- The end of the run tells its whole answer, before moderation: what we have is compared with it and mended (the
  reasoning, which the message's end tells, by the fold, as for every stream). The server's history (`/messages`) has
  what users may see, so it wins; it is looked up where the run ended while nobody listened, or where its end does not
  say what we have.
- What names another run, or another message, is none of this one's.

Where nothing proves the answer whole, nothing is guessed: no text is said twice, and the turn says that a part may
be missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterator
from typing import TYPE_CHECKING, Any

from ..i18n import t
from ..wire import events as ev
from .run_nodes import RunNodes

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
    """Takes the events of one stream after another, and gives those that are new.

    Args:
        alone: whether the run has no message: a workflow app's. Its end tells what it gave by name, which its text is
            taken from; no history knows more of it, and nothing moderates it.
    """

    def __init__(self, *, alone: bool = False) -> None:
        self._alone = alone
        self._nodes = RunNodes()
        self._seen: Counter[Hashable] = Counter()
        self._unrepeated: Counter[Hashable] = Counter()
        self._text = ""
        self._new_text: list[str] = []  # since we follow
        self._answer: _Repeated | None = None
        self._reasoning: _Repeated | None = None
        self._started = False
        self._answered: frozenset[str] = frozenset()
        self._moderated = False  # the text was replaced for good
        self._message_ended = False
        self._reasons = False  # the reasoning has not told its end
        self._run: str | None = None
        self._message: str | None = None
        self._foreign = False  # what came last was of another run
        self._over: ev.WorkflowFinished | ev.WorkflowPaused | None = None
        self._lost = False
        self._error = False
        self._ended_before = False  # the message's end had come before this connection
        self._closed_form = False  # a form was closed, and how was not told
        self.goes_on = False
        """Whether anything was heard that a run that waits does not say."""

    def begin(self, turn: Turn, run: str, answered: Collection[str]) -> None:
        """The run of that turn is read on, by whoever did not read its beginning.

        Args:
            run: its id.
            answered: ids of forms that were submitted: a server that has not noticed yet still waits for them.
        """
        self._answered = frozenset(answered)
        if turn.workflow is not None:
            self.record(ev.WorkflowStarted(workflow_run_id=turn.workflow_run_id, data={"id": turn.workflow.id}))
        self._nodes.begin(turn)
        self._moderated = turn.replaced
        self._message_ended = turn.end == "message_end"
        self.restart(turn, lost=turn.status != "paused")
        self._run = run

    def record(self, event: ev.Event) -> None:
        """An event of the first connection."""
        name = event.identity()
        if name is not None:
            self._seen[name] += 1
            self._nodes.record(event)
        if type(event) in _NOTED:
            self._note(event)

    def _note(self, event: ev.Event) -> None:
        """What of an event tells how whole the texts are."""
        if isinstance(event, ev.ReasoningChunk):
            self._reasons = (event.data or {}).get("is_final") is False
        elif isinstance(event, ev.MessageReplace):
            self._moderated = True
        elif isinstance(event, ev.MessageEnd):
            self._message_ended = True
        elif isinstance(event, (ev.WorkflowFinished, ev.WorkflowPaused)):
            self._over = event
        elif isinstance(event, ev.Error):
            self._error = True
        elif isinstance(event, ev.NodeFinished):
            data = event.data or {}
            if data.get("node_type") == "human-input" and data.get("status") == "succeeded":
                self._closed_form = self._closed_form or data.get("outputs") is None

    def restart(self, turn: Turn, *, lost: bool = True) -> None:
        """Another connection begins.

        Args:
            turn: what we have.
            lost: whether there was one before, so that what came between them was not heard.
        """
        self._lost = self._lost or lost
        self._unrepeated = self._seen.copy()
        self._nodes.restart()
        self._run, self._message, self._foreign = turn.workflow_run_id or self._run, turn.message_id, False
        self._text, self._new_text = turn.answer_raw, []
        self._answer, self._reasoning = _Repeated(turn.answer_raw), _Repeated(turn.reasoning_chunks)
        self._started, self._ended_before = False, self._message_ended
        if isinstance(self._over, ev.WorkflowPaused):
            self._over = None

    def new_events(self, event: ev.Event) -> list[ev.Event]:
        """What this event of a followed run says that is new; nothing, or some events."""
        assert self._answer is not None
        assert self._reasoning is not None
        if isinstance(event, ev.Ping):
            return [event]
        if self._is_foreign(event):
            return []
        if not self._started:
            self._started = True
            if not isinstance(event, ev.WorkflowStarted):  # it goes on where the server is now
                self._answer.open = self._reasoning.open = False
                self._unrepeated.clear()
        if isinstance(event, (ev.WorkflowPaused, ev.HumanInputRequired)):
            if self._answered.intersection(_forms_of(event)):
                return []
            self._note(event)
            return [event]  # it brings the forms' tokens anew
        if self._is_state(event):
            return self._state(event)
        if isinstance(event, (ev.NodeStarted, ev.NodeFinished)) and _own_id(event):
            news = self._nodes.news(event)
        elif (name := event.identity()) is not None:
            if isinstance(event, ev.WorkflowStarted) and self._seen[name]:
                self.goes_on = self.goes_on or (event.data or {}).get("reason") == "resumption"
                return []
            if self._unrepeated[name] > 0:
                self._unrepeated[name] -= 1
                return []
            self._seen[name] += 1
            news = self._nodes.news(event) if isinstance(event, ev.WorkflowEvent) else [event]
        elif event.answer_text is not None or event.reasoning_text is not None:
            news = [*self._more_reasoning(event), *self._more_answer(event)]
        else:
            news = [event]
        for new in news:
            self._take(new)
        return news

    def _is_foreign(self, event: ev.Event) -> bool:
        """Whether it is of another run, by the id that it names; what names none is of the run that was told last."""
        run, message = getattr(event, "workflow_run_id", None), getattr(event, "message_id", None)
        if run and self._run:
            self._foreign = run.casefold() != self._run.casefold()  # ids that people write
        elif message and self._message and not isinstance(event, (ev.TtsMessage, ev.TtsMessageEnd)):
            self._foreign = message != self._message  # speech can have ids of its own
        return self._foreign

    def _take(self, event: ev.Event) -> None:
        """An event that is new."""
        self._note(event)
        self.goes_on = self.goes_on or not isinstance(event, (ev.WorkflowStarted, ev.NodeStarted, ev.NodeFinished))
        if isinstance(event, ev.MessageReplace):
            self._replaced(event.answer or "")

    def _more_reasoning(self, event: ev.Event) -> list[ev.Event]:
        assert self._reasoning is not None
        text = event.reasoning_text
        if text is None:
            return []
        whole = not self._reasoning.open
        new = self._reasoning.feed(text)
        if whole:
            return [event]
        data = {**(getattr(event, "data", None) or {}), "reasoning": new}
        return [_part_of(ev.ReasoningChunk, event, data=data)] if new else []

    def _more_answer(self, event: ev.Event) -> list[ev.Event]:
        assert self._answer is not None
        text = event.answer_text
        if text is None:
            return []
        whole = not self._answer.open
        new = self._answer.feed(text)
        self._new_text.append(new)
        if whole:
            return [event]
        if isinstance(event, ev.TextChunk):
            return [_part_of(ev.TextChunk, event, data={**(event.data or {}), "text": new})] if new else []
        return [_part_of(ev.Message, event, answer=new)] if new else []

    def _is_state(self, event: ev.Event) -> bool:
        """Whether it tells the text so far, and not that another takes its place."""
        assert self._answer is not None
        if not isinstance(event, ev.MessageReplace) or event.reason:
            return False
        return self._answer.open and not self._answer.position

    def _state(self, event: ev.Event) -> list[ev.Event]:
        assert isinstance(event, ev.MessageReplace)
        assert self._answer is not None
        assert self._reasoning is not None
        self._answer.open = self._reasoning.open = False
        text = event.answer or ""
        if len(text) < len(self._text) and self._text.startswith(text):  # also where it is empty: ours stands
            return []
        if text.startswith(self._text):
            self._answer.proven = bool(text)  # before the first pause none is kept
            new = text[len(self._text) :]
            self._new_text.append(new)
            return [_part_of(ev.Message, event, answer=new)] if new else []
        if self._moderated:
            return []
        self._replaced(text)
        return [ev.Resumed(at=event.at, whole=True, answer=text)]

    def _replaced(self, text: str) -> None:
        assert self._answer is not None
        self._answer.open, self._answer.proven, self._answer.position = False, True, 0
        self._text, self._new_text = text, []

    # -- the end -----------------------------------------------------------------------------

    @property
    def _have(self) -> str:
        return self._text + "".join(self._new_text)

    @property
    def reported_answer(self) -> str | None:
        """The answer as the run's end or pause tells it, before moderation: whole, unless the run failed."""
        outputs = (self._over.data or {}).get("outputs") if self._over is not None else None
        answer = outputs.get("answer") if isinstance(outputs, dict) else None
        return answer if isinstance(answer, str) else None

    @property
    def has_text(self) -> bool:
        """Whether the run said anything."""
        return bool(self.reported_answer or self._have)

    @property
    def _tells_all(self) -> bool:
        """Whether that is all that was said."""
        data = (self._over.data or {}) if self._over is not None else {}
        return self.reported_answer is not None and data.get("status") not in ("failed", "stopped")

    @property
    def finished(self) -> bool:
        """Whether the run's end was told."""
        return isinstance(self._over, ev.WorkflowFinished)

    @property
    def wants_message(self) -> bool:
        """Whether the server's history may know more of the message than was told."""
        if self._answer is None or self._alone or not (self._over or self._message_ended):
            return False
        if self._lost and not self._ended_before:  # a moderated answer may have taken the place of ours meanwhile
            return True
        return (self.finished and not self._message_ended) or self._closed_form or not self._is_whole()

    def _is_whole(self) -> bool:
        assert self._answer is not None
        if self._ended_before:
            return True
        if self._moderated:
            return self._message_ended
        return self.reported_answer == self._have if self._tells_all else self._answer.proven

    def finish(self, at: float, stored: ev.Stored | None = None) -> list[ev.Event]:
        """What is to be said when the stream has ended, before its end is told.

        Args:
            stored: the message as the server's history has it, where it was wanted and is to be had.
        """
        if self._answer is None or not (self._over or self._message_ended):
            gap = ev.Resumed(at=at, whole=False, message=t("net.follow_gap"))
            return [gap] if self._error and self._lost else []
        events = self._missing_reasoning(at)
        if self._lacks_nodes():
            events.append(ev.Resumed(at=at, code="nodes", message=t("net.nodes_missing")))
        if self._alone:
            return events + self._missing_text(at)
        if stored is None:
            return events + self._mended_answer(at)
        if stored.answer is None:  # a run that failed or was stopped may keep less than it said
            return [*events, *(self._mended_answer(at) if self.has_text else ()), stored]
        stored.replaced = self._tells_all and stored.answer != self.reported_answer
        self._replaced(stored.answer)
        return [*events, stored]

    def _lacks_nodes(self) -> bool:
        if self._nodes.missing or (self._nodes.open and not isinstance(self._over, ev.WorkflowPaused)):
            return True
        steps = (self._over.data or {}).get("total_steps") if self._over is not None else None
        return self.finished and not self._message_ended and isinstance(steps, int) and steps > self._nodes.steps

    def _mended_answer(self, at: float) -> list[ev.Event]:
        unmoderated = ev.Resumed(at=at, code="unmoderated", message=t("net.unmoderated"))
        reported = self.reported_answer
        if self._is_whole():
            return [unmoderated] if self.finished and not self._message_ended and reported else []
        if self._moderated or not reported or not self._tells_all:
            more = reported if reported and reported.startswith(self._have) and not self._moderated else None
            return [ev.Resumed(at=at, whole=False, answer=more, message=t("net.follow_gap"))]
        fits = reported.startswith(self._text) and reported.endswith("".join(self._new_text))
        self._replaced(reported)
        mended = ev.Resumed(at=at, whole=True, answer=reported)
        return [mended] if fits and self._message_ended else [mended, unmoderated]

    def _missing_text(self, at: float) -> list[ev.Event]:
        """Of a run without a message: where its end tells no outputs, what was said meanwhile stands nowhere."""
        outputs = (self._over.data or {}).get("outputs") if self._over is not None else None
        if outputs or not self.finished or not self._lost:
            return []
        return [ev.Resumed(at=at, whole=False, message=t("net.follow_gap"))]

    def _missing_reasoning(self, at: float) -> list[ev.Event]:
        untold = self._reasons and self.finished and not self._message_ended
        return [ev.Resumed(at=at, whole=False, message=t("net.reasoning_gap"))] if untold else []


_NOTED = frozenset((
    ev.ReasoningChunk, ev.MessageReplace, ev.MessageEnd, ev.WorkflowFinished, ev.WorkflowPaused, ev.NodeFinished,
    ev.Error,
))  # fmt: skip


def _own_id(event: ev.WorkflowEvent) -> bool:
    data = event.data or {}
    return bool(data.get("id")) and data["id"] != data.get("node_id")


def _forms_of(event: ev.WorkflowPaused | ev.HumanInputRequired) -> Iterator[str]:
    """Ids of the forms that it waits for."""
    data = event.data or {}
    reasons = data.get("reasons") if isinstance(event, ev.WorkflowPaused) else [data]
    for reason in reasons if isinstance(reasons, list) else ():
        if isinstance(reason, dict):
            yield str(reason.get("form_id"))


def _part_of(kind: type[ev.Event], event: ev.Event, **fields: Any) -> ev.Event:
    """The new part of what an event says, as an event of that kind."""
    names = (name for name in _COMMON_FIELDS if name in kind.__struct_fields__)
    common: dict[str, Any] = {name: getattr(event, name, None) for name in names}
    return kind(**common | fields)


_COMMON_FIELDS = (*ev.ChatEvent.__struct_fields__, "workflow_run_id", "from_variable_selector")
