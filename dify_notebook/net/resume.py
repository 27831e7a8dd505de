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
from collections.abc import Hashable
from typing import Any

from ..i18n import t
from ..wire import events as ev


class _Repeated:
    """Text that may repeat what we have, held back until that is clear."""

    def __init__(self, had: str) -> None:
        self.had = had
        self.at = 0
        """How much of it was repeated."""
        self.open = True
        """Whether it still repeats what we have."""
        self.proven = False
        """Whether it repeated all of what we have."""

    @property
    def held(self) -> str:
        """What was repeated so far."""
        return self.had[: self.at]

    def feed(self, text: str) -> str:
        """The new part, if there is one."""
        if not self.open:
            return text
        if self.had.startswith(text, self.at):
            self.at += len(text)
            self.proven = self.at == len(self.had)
            return ""
        self.open = False
        left = self.had[self.at :]
        self.proven = text.startswith(left)
        return text[len(left) :] if self.proven else self.held + text


class Resume:
    """Takes the events of one stream after another, and gives those that are new."""

    def __init__(self) -> None:
        self._heard: Counter[Hashable] = Counter()
        self._left: Counter[Hashable] = Counter()
        self._text = ""
        self._said: list[str] = []  # since we follow
        self._answer: _Repeated | None = None
        self._reasoning: _Repeated | None = None
        self._begun = False
        self._settled = True

    @property
    def following(self) -> bool:
        """Whether a lost connection was followed."""
        return self._answer is not None

    def note(self, event: ev.Event) -> None:
        """An event of the first connection."""
        name = event.identity()
        if name is not None:
            self._heard[name] += 1

    def follow(self, text: str, reasoning: str) -> None:
        """Another connection begins; this is what we have."""
        self._left = self._heard.copy()
        self._text, self._said = text, []
        self._answer, self._reasoning = _Repeated(text), _Repeated(reasoning)
        self._begun = self._settled = False

    def take(self, event: ev.Event) -> list[ev.Event]:
        """What this event of a followed run says that is new; nothing, or some events."""
        assert self._answer is not None
        assert self._reasoning is not None
        if isinstance(event, ev.Ping):
            return [event]
        if not self._begun:
            self._begun = True
            if not isinstance(event, ev.WorkflowStarted):  # it goes on where the server is now
                self._answer.open = self._reasoning.open = False
                self._left.clear()
        name = event.identity()
        if name is not None:
            if self._left[name] > 0:
                self._left[name] -= 1
                return self._settle(event) if isinstance(event, ev.WorkflowFinished) else []
            self._heard[name] += 1
        if isinstance(event, ev.MessageReplace):
            return self._replace(event)
        if event.answer_text is not None or event.reasoning_text is not None:
            return [*self._reason(event), *self._answered(event)]
        if isinstance(event, (ev.WorkflowFinished, ev.MessageEnd, ev.Error)):
            return [*self._settle(event), event]
        return [event]

    def end(self, at: float) -> list[ev.Event]:
        """What is to be said when the stream has ended, before its end is told."""
        return self._settle(ev.StreamEnd(at=at))

    def _reason(self, event: ev.Event) -> list[ev.Event]:
        assert self._reasoning is not None
        new = self._reasoning.feed(event.reasoning_text) if event.reasoning_text is not None else ""
        return [_piece(ev.ReasoningChunk, event, reasoning=new)] if new else []

    def _answered(self, event: ev.Event) -> list[ev.Event]:
        assert self._answer is not None
        return self._say(self._answer.feed(event.answer_text), event) if event.answer_text is not None else []

    def _say(self, text: str, event: ev.Event) -> list[ev.Event]:
        if not text:
            return []
        self._said.append(text)
        return [_piece(ev.Message, event, answer=text)]

    def _replace(self, event: ev.MessageReplace) -> list[ev.Event]:
        """A snapshot gives the text so far in this form."""
        assert self._answer is not None
        whole = event.answer or ""
        if self._answer.open and not self._answer.at:
            if not whole:  # a server that keeps no text before the end has none to tell; ours stands
                return []
            return self._say(self._answer.feed(whole), event) if self._agrees(whole) else self._taken(event)
        return self._taken(event)

    def _agrees(self, whole: str) -> bool:
        return bool(whole) and (whole.startswith(self._text) or self._text.startswith(whole))

    def _taken(self, event: ev.MessageReplace) -> list[ev.Event]:
        assert self._answer is not None
        self._answer.open, self._answer.proven, self._answer.at = False, True, 0
        self._text, self._said = event.answer or "", []
        return [event]

    def _settle(self, event: ev.Event) -> list[ev.Event]:
        """Compare with the whole answer where the end of the run tells it; say so where nothing is proven."""
        assert self._answer is not None
        if self._settled:
            return []
        self._settled = True
        told = None
        if isinstance(event, ev.WorkflowFinished) and isinstance((event.data or {}).get("outputs"), dict):
            told = (event.data or {})["outputs"].get("answer")
        said = "".join(self._said)
        if isinstance(told, str) and told.startswith(self._text) and told.endswith(said):
            if told == self._text + said:
                return []
            return [ev.Resumed(at=event.at, whole=True, answer=told)]
        if self._answer.proven:
            return []
        return [ev.Resumed(at=event.at, whole=False, message=t("net.follow_gap"))]


def _piece(kind: type[ev.Event], event: ev.Event, **fields: Any) -> ev.Event:
    """The new part of what an event says, as an event of that kind."""
    fields |= {name: getattr(event, name, None) for name in _KEPT if name in kind.__struct_fields__}
    return kind(**fields)


_KEPT = (*ev.ChatEvent.__struct_fields__, "workflow_run_id")
