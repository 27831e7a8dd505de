"""Recorded answers, given again: a tape for every question, with its own timing or faster."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from ...tape import Tape
from ...wire.events import OURS
from ...wire.loose import loads
from ...wire.sse import Frame
from ..api_error import ApiError, internal_error
from ..engine.telling import BLOCKING_RUN
from .items import Event, Item, Written

_MAX_PAUSE = 600.0
"""Seconds that one pause may take, whatever a tape says."""


class Playback:
    """One tape on its way to one client."""

    def __init__(self, tape: Tape, speed: float) -> None:
        self.events: asyncio.Queue[Item] = asyncio.Queue()
        self._tape = tape
        self._speed = speed
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """End it here."""
        self._stopped.set()

    async def play(self) -> None:
        """Put the frames into the queue at their times."""
        before = 0.0
        for at, frame in self._tape.entries:
            if frame[0] == OURS:  # no server has said that
                continue
            pause = 0.0 if self._speed == 0 else min((at - before) / self._speed, _MAX_PAUSE)
            before = at
            if pause > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), pause)
            if self._stopped.is_set():
                break
            self.events.put_nowait(Written(frame, _event(frame)))
        self.events.put_nowait(None)


class Player:
    """Gives the tapes of a server in turn, and stops those that play."""

    def __init__(self, tapes: Sequence[Tape], speed: float) -> None:
        self._tapes = itertools.cycle(tapes)
        self._speed = speed
        self._playing: dict[str, set[Playback]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> Playback:
        """Begin the next tape."""
        tape = next(self._tapes)
        playing = Playback(tape, self._speed)
        task_id = _task_id(tape)
        self._playing.setdefault(task_id, set()).add(playing)
        task = asyncio.get_running_loop().create_task(playing.play())
        self._tasks.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            self._tasks.discard(done)
            self._playing[task_id].discard(playing)

        task.add_done_callback(ended)
        return playing

    def stop(self, task_id: str) -> None:
        """Stop what plays with this task; of a tape that several hear, all."""
        for playing in list(self._playing.get(task_id, ())):
            playing.stop()

    def blocking_answer(self) -> dict[str, Any]:
        """The next tape as an answer in one piece.

        Raises:
            ApiError: the tape ends in an error, or tells no answer.
        """
        answer: list[str] = []
        body: dict[str, Any] = {}
        for event in _events(next(self._tapes)):
            kind = event.get("event")
            if kind == "workflow_finished" and not event.get("message_id"):  # of a workflow app
                return _blocking_run(event)
            if kind in ("message", "agent_message"):
                answer.append(str(event.get("answer", "")))
            elif kind == "message_replace":
                answer = [str(event.get("answer", ""))]
            elif kind == "error":
                status = event.get("status")
                raise ApiError(
                    status if isinstance(status, int) and 400 <= status < 600 else 400,
                    str(event.get("code", "completion_request_error")),
                    str(event.get("message", "")),
                )
            if event.get("message_id"):
                body |= {name: event.get(name) for name in ("task_id", "message_id", "conversation_id", "created_at")}
            if kind == "message_end":
                body["metadata"] = event.get("metadata") or {}
        if not body:
            raise internal_error("The tape holds no answer.")
        return {"event": "message", "id": body["message_id"], "mode": "chat", **body, "answer": "".join(answer)}


def _blocking_run(event: Event) -> dict[str, Any]:
    """What a blocking client hears of a workflow app's run, of its last event."""
    data = event.get("data")
    known = data if isinstance(data, dict) else {}
    ids = {name: event.get(name) for name in ("task_id", "workflow_run_id")}
    return {**ids, "data": {name: known.get(name) for name in BLOCKING_RUN}}


def _events(tape: Tape) -> Iterator[Event]:
    for _, (name, data) in tape.entries:
        if data is not None and name != OURS:
            try:
                event = loads(data)
            except ValueError:
                continue  # a tape may hold what was cut off; a player of it does not judge
            if isinstance(event, dict):
                yield event


def _event(frame: Frame) -> Event | None:
    """The event in a frame, where anyone can read it."""
    name, data = frame
    if data is not None and name in ("", "message"):
        with contextlib.suppress(ValueError, RecursionError):
            return msgspec.json.decode(data, type=dict[str, Any])
    return None


def _task_id(tape: Tape) -> str:
    return next((str(event["task_id"]) for event in _events(tape) if event.get("task_id")), "")
