"""How a cell's request is asked, and what is remembered of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..session import Run
from ..turn.state import Placing, Turn
from .cell import Request
from .earlier import Step
from .held import Cell
from .parse import Arguments
from .replay import Ask, Replay
from .state import AppSession


class Asking:
    """A request on its way.

    Args:
        cell: what its cell is known by.
        inputs: as they are sent, with their files uploaded.
    """

    def __init__(
        self, app_session: AppSession, request: Request, cell: Cell, inputs: Mapping[str, Any], arguments: Arguments
    ) -> None:
        self._app_session, self._request, self._cell = app_session, request, cell
        self._inputs, self._arguments = inputs, arguments
        self.placing: Placing | None = None
        """What the turn says of how it came to stand where it stands."""
        self._replay: Replay | None = None

    def start(self) -> Run | Replay:
        """Ask it; first, where turns are asked again before it, the first of these.

        Raises:
            DifyError: it cannot be sent.
        """
        if not self._request.steps:
            return self._own(self._request.conversation_id)
        steps: Sequence[Ask] = [self._ask_of(step) for step in self._request.steps]
        self._replay = Replay([*steps, self._own], self._keep_step)
        return self._replay

    @property
    def interrupted_at(self) -> int | None:
        """Which turn was not asked again to its end; None where the server keeps the cell's own."""
        replay = self._replay
        return None if replay is None or (replay.complete and replay.turn.message_id) else replay.number

    def _own(self, conversation_id: str | None) -> Run:
        request, app_session = self._request, self._app_session
        conversation = app_session.conversations.get(conversation_id or "")
        return app_session.session.ask(
            request.query,
            inputs=self._inputs,
            files=request.files,
            conversation_id=conversation_id,
            keep=not self._arguments.once,
            timeout=self._arguments.timeout,
            conversation_name=conversation.name if conversation else None,
            workflow_id=request.workflow_id,
            placing=self.placing,
        )

    def _ask_of(self, step: Step) -> Ask:
        def ask(conversation_id: str | None) -> Run:
            return self._app_session.session.ask(
                step.query,
                inputs=step.inputs,
                files=step.files,
                conversation_id=conversation_id,
                keep=False,  # the cells go on with the conversation before until all of this one is there
                timeout=self._arguments.timeout,
                workflow_id=step.workflow_id,
                placing=Placing("asking", len(self._request.steps) + 1),
            )

        return ask

    def _keep_step(self, index: int, turn: Turn) -> None:
        """A turn was asked again: its cell stands in the new conversation too."""
        place, step = self._request.decision.place, self._request.steps[index]
        held = self._app_session.held
        earlier = held.turn(place.conversation_id, step.message_id) if place is not None else None
        if turn.conversation_id:
            self._app_session.remember(turn.conversation_id, step.inputs)
            if turn.message_id:
                cell = ("other", step.message_id) if earlier is None else earlier.cell
                held.add(
                    cell, turn.conversation_id, turn.message_id, began=index == 0, workflow_id=step.workflow_id
                )

    def keep(self, turn: Turn) -> None:
        """Remember what came of it: a turn is held once the server keeps it."""
        if self.interrupted_at is not None or not turn.conversation_id:
            return
        self._app_session.remember(turn.conversation_id, self._inputs)
        if turn.message_id and self._request.query is not None:
            began = self._request.conversation_id is None and self._replay is None
            self._app_session.held.add(
                self._cell,
                turn.conversation_id,
                turn.message_id,
                began=began,
                workflow_id=self._request.workflow_id,
            )
