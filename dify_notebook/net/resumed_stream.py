"""A stream that goes on with a run: one that paused, or one whose connection was lost."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import DifyError, InputError, TapeError
from ..i18n import t
from ..tape import Header
from ..turn.state import Turn
from ..wire import events as ev
from ..wire.calls import Call, follow_run
from .retry import check_seconds
from .shared_builder import SharedBuilder
from .stream import ChatStream
from .ways import CHAT, Way, way_of

if TYPE_CHECKING:
    import httpx

    from .client import AsyncDify


def resumed(
    dify: AsyncDify, run: Turn | str, *, user: str | None, timeout: float | None, way: Way
) -> ResumedStream:
    """What reads on in a run. Raises: `InputError`, the turn has none."""
    turn = None if isinstance(run, str) else run
    run_id = run if isinstance(run, str) else run.workflow_run_id
    if not run_id:
        raise InputError(t("forms.no_run"), code="run")
    name = dify.user_or(user or (turn.user if turn else None))
    return ResumedStream(dify, run_id, turn, user=name, timeout=check_seconds(timeout), way=way)


def resume(dify: AsyncDify, run: Turn | str, *, user: str | None = None, timeout: float | None = None) -> ResumedStream:
    """The same in the way of the app that the run is of: as the turn says, else as is known of the client's app."""
    known = None if isinstance(run, str) else run.app_mode
    return resumed(dify, run, user=user, timeout=timeout, way=way_of(known or dify._cache.app.mode))


class ResumedStream(ChatStream):
    """The events of a run from now on; its turn is the whole of it.

    Args:
        dify: the client.
        run: the run's id.
        turn: what is known of it; None where that is its id alone.
        user: who asked the question.
        timeout: seconds.
        way: of the app's mode.
    """

    def __init__(
        self,
        dify: AsyncDify,
        run: str,
        turn: Turn | None,
        *,
        user: str,
        timeout: float | None = None,
        way: Way = CHAT,
    ) -> None:
        call = self._follow_call(run, user)
        sent = ev.Sent(user=user, server=dify.base_url, app=dify.settings.app, app_mode=dify._cache.app.mode or None)
        super().__init__(dify, call, sent, timeout=timeout, way=way)
        self._known = turn
        self._run = run
        self._builder = SharedBuilder(turn and msgspec.structs.replace(turn, tape=None))
        self._answered = {key: dify._answered[key] for key in _asked(turn, dify) if key in dify._answered}

    def _follow_call(self, run: str, user: str | None = None) -> Call[Any]:
        # Where a form was submitted, the run may still be told to wait for it.
        return follow_run(run, user=user or self._sent.user or "", continue_on_pause=True)

    @property
    def _stops_on_leaving(self) -> bool:
        """A run that waits is not ours to stop: nobody has told it to go on, this client by a form or another one."""
        run = self._reader.followed
        return run is not None and (run.goes_on or bool(self._answered))

    def _begin(self) -> None:
        turn = self._known
        if turn is None:
            self._apply(self._sent)
        if self.tape is not None:
            self.tape.header = Header(
                created_at=turn.created_at.isoformat() if turn and turn.created_at else "",
                query=turn.query if turn else None,
                server=self._sent.server,
                app=(turn and turn.app) or self._sent.app,
                user=self._sent.user,
                app_mode=(turn and turn.app_mode) or self._sent.app_mode,
            )
        if turn is not None:
            self._copy_tape(turn)
            # One clock from the question on, also over days.
            spent = turn.timing.total or 0.0 if turn.timing else 0.0
            if turn.created_at is not None:
                spent = max(spent, (datetime.now(UTC) - turn.created_at).total_seconds())
            self._t0 = time.monotonic() - spent
        self._reader.resume(self._builder.turn(), self._run, self._answered)
        self._tell(ev.Continued(at=self.now, answered=self._answered))

    async def _read_other(self, response: httpx.Response) -> DifyError | None:
        """Where no run is told again, what the server keeps of it is read."""
        problem = await super()._read_other(response)
        if problem is None or (problem.status, problem.code) != (404, "not_json"):
            return problem
        await response.aclose()
        self._response = None
        for part, event in await self._kept_end(self._run):
            self._record(part, event)
        if self._builder.status == "running":
            return problem
        await self._settle()
        self._tell(ev.StreamEnd(at=self.now))
        return None

    def _copy_tape(self, turn: Turn) -> None:
        """What came before stands before what comes."""
        if self.tape is None or turn.tape is None:
            return
        try:
            for at, frame in turn.tape.entries:
                self.tape.append(at, frame)
        except TapeError as gone:
            self.tape.forget(gone.message)


def _asked(turn: Turn | None, dify: AsyncDify) -> list[str]:
    """Ids of the forms that a server may still wait for, though this client has submitted them."""
    if turn is None:
        return list(dify._answered)
    over = turn.workflow is not None and turn.workflow.status not in ("running", "paused")
    return [form.id for form in turn.forms if form.status == "waiting" or not over]
