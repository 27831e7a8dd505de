"""A question on its way: its inputs are typed by the app's form, its files uploaded, then it is streamed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ..app.entry_points import PYTHON, as_input_error
from ..app.known import check
from ..app.origin import Origin, values
from ..errors import ConnectError, InputError, raise_for_turn
from ..i18n import t
from ..turn.fold import Builder
from ..wire import events as ev
from ..wire.calls import Call
from .app_cache import learn_form
from .files import FileInput
from .forms import Link, linked
from .portal import on_portal
from .responses import blocking_events, is_event_stream, streamed_events
from .retry import check_seconds
from .stream import ChatStream
from .thread import current_owner
from .ways import CHAT, Way

if TYPE_CHECKING:
    import httpx

    from ..turn.state import Turn
    from .client import AsyncDify

ResponseMode = Literal["streaming", "blocking"]


def question(
    dify: AsyncDify,
    call: Callable[[str], Call[Any]],
    *,
    inputs: Mapping[str, Any] | None,
    files: Sequence[FileInput] | None,
    user: str | None,
    timeout: float | None,
    way: Way,
    **facts: Any,
) -> Question:
    """What asks the app in that call; a mistake in the arguments is told here and not on entering.

    Args:
        call: makes the request for a user, with neither inputs nor files in it.
        way: of the app's mode.
        facts: what else the turn says of it, fields of `Sent`.

    Raises:
        InputError: an argument cannot be sent.
    """
    name, limit = dify.user_or(user), check_seconds(timeout)
    if inputs is not None and not isinstance(inputs, Mapping):
        raise InputError(t("net.bad_inputs", kind=type(inputs).__name__), code="inputs")
    own_inputs = _copied(inputs or {})
    as_input_error(PYTHON, check, own_inputs)
    request, known = call(name), dify._cache.app
    facts.setdefault("app_mode", known.mode or None)
    sent = ev.Sent(
        user=name, server=dify.base_url, app=known.info.name if known.info else dify.settings.app, **facts
    )
    return Question(dify, request, sent, own_inputs, list(files or ()), timeout=limit, way=way)


class Question(ChatStream):
    """A stream whose files are uploaded when it is entered.

    Args:
        call: the question, with neither inputs nor files in it.
        inputs, files: as they were given.
        way: of the app's mode.
    """

    def __init__(
        self,
        dify: AsyncDify,
        call: Call[Any],
        sent: ev.Sent,
        inputs: dict[str, Any],
        files: list[FileInput],
        *,
        timeout: float | None,
        way: Way = CHAT,
    ) -> None:
        super().__init__(dify, call, sent, timeout=timeout, way=way)
        self._inputs = inputs
        """The inputs as they were given: what becomes of them may depend on the app's form."""
        self._files = files
        self._entered = False

    async def __aenter__(self) -> ChatStream:
        await self._prepare_in_time()
        return await super().__aenter__()

    async def _prepare_in_time(self) -> None:
        """Prepare, no longer than the whole turn may take, and no longer once it is stopped; `_spent` says how long."""
        started = time.monotonic()
        # A task of its own, so that a stop can end it without touching the caller.
        self._opening = asyncio.ensure_future(self._prepare())
        try:
            async with asyncio.timeout(self._timeout) as limit:
                await self._opening
        except TimeoutError:
            if not limit.expired():
                raise
        except asyncio.CancelledError:
            if self._end_reason is None:
                raise
        self._spent = time.monotonic() - started

    async def _prepare(self) -> None:
        """Once only: a question is never sent twice, and no answer is added to another."""
        if self._entered:
            raise InputError(t("net.stream_used"), code="stream")
        self._entered = True
        body = dict(self._call.body or {})
        if self._inputs:
            inputs = values(self._inputs, Origin.PYTHON)
            app = await learn_form(self._dify, self._sent.user, self._timeout)
            body["inputs"] = as_input_error(PYTHON, app.fit, inputs, whole=False).given
        self._sent.inputs = body["inputs"] = await self._dify.files.inputs(body["inputs"], user=self._sent.user)
        if self._files:
            body["files"] = await self._dify.files.references(self._files, user=self._sent.user)
        self._call = msgspec.structs.replace(self._call, body=body)

    async def answer(self, response_mode: ResponseMode) -> Turn:
        """The whole turn. Raises: `DifyError`, what a failed one means."""
        if response_mode == "blocking":
            return await self.blocking()
        async with self:
            await self.read()
        turn = self.turn
        raise_for_turn(turn)
        return turn

    async def blocking(self) -> Turn:
        """The answer in one piece."""
        await self._prepare_in_time()
        builder = Builder()
        started = time.monotonic()
        builder.apply(self._sent)
        owner, remaining, answer = current_owner(), self._remaining, None
        with suppress(TimeoutError):
            async with asyncio.timeout(remaining):
                if remaining is None or remaining > 0:
                    answer = await self._fetched(owner)
        at = time.monotonic() - started
        if answer is None:
            builder.apply(ev.DeadlineExceeded(at=at, seconds=self._timeout or 0.0))
            return self._blocking(builder)
        body, response = answer
        events: list[ev.Event] | None = None
        with suppress(ValueError):
            events = streamed_events(body, at) if is_event_stream(response) else blocking_events(body, at)
        if events is None:
            raise await self._dify._error_of(response, body, self._call)
        for event in (ev.Opened(at=at), *events):
            builder.apply(event)
        return self._blocking(builder)

    async def _fetched(self, owner: object | None) -> tuple[bytes, httpx.Response]:
        try:
            return await self._dify._fetch(self._call, owner=owner)
        except ConnectError as problem:  # also out of time: a run was asked for all the same
            if self._way.keeps_runs and problem.code in ("connection", "timeout"):
                problem.hint = t("hint.lost_blocking")
            raise

    def _blocking(self, builder: Builder) -> Turn:
        answer = msgspec.structs.replace(builder.turn(), source="blocking")
        link = Link(self._dify, lambda: answer, plain=on_portal())
        turn = linked(answer, link, self._dify._answered)
        raise_for_turn(turn)
        return turn


def _copied(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs as they are now: whoever changes a list or dict of them later changes no question still to be sent."""
    copies: dict[int, Any] = {}

    def copied(value: Any) -> Any:
        if type(value) not in (dict, list):
            return value
        if id(value) not in copies:
            duplicate = copies[id(value)] = type(value)()
            if type(value) is dict:
                duplicate.update((key, copied(item)) for key, item in value.items())
            else:
                duplicate.extend(copied(item) for item in value)
        return copies[id(value)]

    try:
        return {name: copied(value) for name, value in inputs.items()}
    except RecursionError:  # nested too deeply, which is refused
        return dict(inputs)
