"""Asking: how a question becomes a stream, or a turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ..app.entry_points import PYTHON, as_input_error
from ..app.known import check
from ..app.origin import Origin, values
from ..errors import InputError, raise_for_turn
from ..i18n import t
from ..turn.fold import Builder
from ..wire import calls
from ..wire import events as ev
from ..wire.calls import Call
from .app_cache import learn_form
from .files import FileInput
from .forms import Link, linked
from .portal import on_portal
from .resource import Resource
from .responses import blocking_events, is_event_stream, streamed_events
from .resumed_stream import ResumedStream
from .retry import check_seconds
from .stream import ChatStream
from .thread import current_owner

if TYPE_CHECKING:
    from ..turn.state import Turn
    from .client import AsyncDify


class AsyncChat(Resource):
    """Questions to the app: `send`, `stream`, `stop`."""

    async def send(
        self,
        query: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        conversation_id: str | None = None,
        files: Sequence[FileInput] | None = None,
        user: str | None = None,
        response_mode: Literal["streaming", "blocking"] = "streaming",
        auto_generate_name: bool = True,
        timeout: float | None = None,
        workflow_id: str | None = None,
    ) -> Turn:
        """Ask, and return the whole turn.

        It streams, also for apps that know no other way; `response_mode="blocking"` asks for
        the answer in one piece (not for agents; servers behind a gateway may give up first).

        Args:
            query: the question; of a str subclass its characters.
            inputs: values for the app's variables, in the type that the app's form wants of each; the form is
                asked for once, before the first question that has inputs. Where it asks for a file, paths
                (`pathlib.Path`), bytes, open and uploaded files are uploaded and named, alone or in a list;
                a text is never the path of a file. While the form is not known values go as JSON, files as
                files: Decimal as a number, dates in ISO 8601, an Enum as its value, a UUID as text.
            conversation_id: continue that conversation; None begins a new one.
            files: paths, URLs, bytes, open files or uploaded files. Paths are uploaded first.
            response_mode: "streaming", or "blocking" for one JSON answer.
            auto_generate_name: let the server name a new conversation, as it does by default. Dify
                1.12 holds back a first turn by one second for it; False spares that second, and the
                conversation is called by its question.
            timeout: seconds for the whole turn, uploads included; None is no limit. Then the answer is stopped, which
                takes 3 s at most, or left at once where its task has no name yet; the turn's end is `timed_out`.
            workflow_id: the published version of a chatflow that is to answer, `turn.workflow.workflow_id` of an
                earlier turn or out of Dify's version history; None is the one published last. Dify 1.12 and newer;
                other apps and Dify 0.15 answer as if it had not been given.

        Raises:
            TurnFailed: the answer ended in an error, or before its end (`TurnIncomplete`: lost, timed out);
                `.turn` has what came.
            InputError: an argument or a file cannot be sent, or the app's form does not take an input.
            NotFoundError: the server has no such conversation of this user, or no such `workflow_id` of this app.
            DifyError: the server refused the question or could not be reached; while streaming `.turn` is the
                failed turn.
        """
        stream = self._stream(
            query, inputs, conversation_id, files, user, response_mode, auto_generate_name, timeout, workflow_id
        )
        if response_mode == "blocking":
            return await stream.blocking()
        async with stream:
            await stream.read()
        turn = stream.turn
        raise_for_turn(turn)
        return turn

    def stream(
        self,
        query: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        conversation_id: str | None = None,
        files: Sequence[FileInput] | None = None,
        user: str | None = None,
        auto_generate_name: bool = True,
        timeout: float | None = None,
        workflow_id: str | None = None,
    ) -> ChatStream:
        """Ask, and give the events as they come: `async with dify.chat.stream("hi") as stream`.

        Arguments (`query`, `inputs`, `conversation_id`, `files`, `auto_generate_name`, `timeout`, `workflow_id`) as
        for `send`.
        Nothing is sent before the stream is entered, once.

        Raises:
            InputError: an argument cannot be sent. What entering the stream raises: see `ChatStream`.
        """
        return self._stream(
            query, inputs, conversation_id, files, user, "streaming", auto_generate_name, timeout, workflow_id
        )

    def _stream(
        self,
        query: str,
        inputs: Mapping[str, Any] | None,
        conversation_id: str | None,
        files: Sequence[FileInput] | None,
        user: str | None,
        response_mode: Literal["streaming", "blocking"],
        auto_generate_name: bool,
        timeout: float | None,
        workflow_id: str | None,
    ) -> _Question:
        dify = self._dify
        name = dify.user_or(user)
        limit = check_seconds(timeout)
        if inputs is not None and not isinstance(inputs, Mapping):
            raise InputError(t("net.bad_inputs", kind=type(inputs).__name__), code="inputs")
        query = str.__str__(query) if isinstance(query, str) else query
        own_inputs = _copied(inputs or {})
        as_input_error(PYTHON, check, own_inputs)
        # Built once with nothing in it, so that a mistake is told here and not on entering.
        call = calls.chat_messages(
            query,
            user=name,
            conversation_id=conversation_id,
            response_mode=response_mode,
            auto_generate_name=auto_generate_name,
            workflow_id=workflow_id,
        )
        info = dify.app_info
        sent = ev.Sent(
            query=query,
            conversation_id=conversation_id or None,
            user=name,
            server=dify.base_url,
            app=info.name if info else dify.settings.app,
            app_mode=info.mode if info else None,
        )
        return _Question(dify, call, sent, own_inputs, list(files or ()), timeout=limit)

    def resume(self, run: Turn | str, *, user: str | None = None, timeout: float | None = None) -> ChatStream:
        """Read on in a chatflow's run that paused, or whose connection was lost (Dify 1.13 and newer).

        `async with dify.chat.resume(turn) as stream`: the stream's turn is the whole of it, from the question on. It
        ends where the run ends, or where it waits for a person: at a form that was not submitted by this client.

        Args:
            run: the turn, also a pickled one or one of a tape; or the id of its run, `turn.workflow_run_id`: then
                what the server still tells of the run is all that the turn has.
            user: who asked the question; for another one there is no such run.
            timeout: seconds, as for `send`.

        Raises:
            InputError: the turn has no run. What entering the stream raises: see `ChatStream`.
        """
        turn = None if isinstance(run, str) else run
        run_id = run if isinstance(run, str) else run.workflow_run_id
        if not run_id:
            raise InputError(t("forms.no_run"), code="run")
        name = self._dify.user_or(user or (turn.user if turn else None))
        return ResumedStream(self._dify, run_id, turn, user=name, timeout=check_seconds(timeout))

    async def stop(self, task_id: str, *, user: str | None = None) -> bool:
        """Stop a running task.

        Args:
            task_id: Dify's id of the task, as `stream.task_id` and `turn.task_id` have it.
            user: who asked the question: for another one Dify says yes and goes on.

        Returns:
            Whether the server says that it stopped. Dify says so of tasks that it does not know, too.
        """
        answer = await self._dify._send(calls.stop_chat_message(task_id, user=self._dify.user_or(user)), bypass=True)
        return answer.result == "success"


class _Question(ChatStream):
    """A stream whose files are uploaded when it is entered."""

    def __init__(
        self,
        dify: AsyncDify,
        call: Call[Any],
        sent: ev.Sent,
        inputs: dict[str, Any],
        files: list[FileInput],
        *,
        timeout: float | None,
    ) -> None:
        super().__init__(dify, call, sent, timeout=timeout)
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
                    answer = await self._dify._fetch(self._call, owner=owner)
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
