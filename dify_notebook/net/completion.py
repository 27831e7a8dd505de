"""Asking a completion app: its prompt is filled with inputs and answered once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..wire import calls
from ..wire.kinds import COMPLETION
from .files import FileInput
from .question import Question, ResponseMode, question
from .resource import Resource
from .stream import ChatStream
from .ways import way_of

if TYPE_CHECKING:
    from ..turn.state import Turn


class AsyncCompletion(Resource):
    """Texts of a completion app: `send`, `stream`, `stop`."""

    async def send(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        files: Sequence[FileInput] | None = None,
        user: str | None = None,
        response_mode: ResponseMode = "streaming",
        timeout: float | None = None,
    ) -> Turn:
        """Have the app's prompt filled with the inputs and answered; the whole turn.

        The text is an input of the app (in Dify's template `query`). The turn's `message_id` is all by which it can
        be rated later: the server tells of completions nothing again.

        Args:
            inputs, files, response_mode, timeout: as for `chat.send`.

        Raises:
            TurnFailed: the answer ended in an error, or before its end (`TurnIncomplete`); `.turn` has what came.
            InputError: an argument or a file cannot be sent, or the app's form does not take an input.
            DifyError: the server refused it or could not be reached; while streaming `.turn` is the failed turn.
        """
        return await self._question(inputs, files, user, response_mode, timeout).answer(response_mode)

    def stream(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        files: Sequence[FileInput] | None = None,
        user: str | None = None,
        timeout: float | None = None,
    ) -> ChatStream:
        """The same, with the events as they come: `async with dify.completion.stream({"query": "hi"}) as stream`.

        Arguments (`inputs`, `files`, `timeout`) as for `send`. Nothing is sent before the stream is entered, once.

        Raises:
            InputError: an argument cannot be sent. What entering the stream raises: see `ChatStream`.
        """
        return self._question(inputs, files, user, "streaming", timeout)

    def _question(
        self,
        inputs: Mapping[str, Any] | None,
        files: Sequence[FileInput] | None,
        user: str | None,
        response_mode: ResponseMode,
        timeout: float | None,
    ) -> Question:
        return question(
            self._dify,
            lambda name: calls.completion_messages(user=name, response_mode=response_mode),
            inputs=inputs,
            files=files,
            user=user,
            timeout=timeout,
            way=way_of(COMPLETION),
            app_mode=COMPLETION,
        )

    async def stop(self, task_id: str, *, user: str | None = None) -> bool:
        """Stop a running task.

        Args:
            task_id: Dify's id of the task, as `stream.task_id` and `turn.task_id` have it.
            user: who asked for it: for another one Dify says yes and goes on.

        Returns:
            Whether the server says that it stopped. Dify says so of tasks that it does not know, too.
        """
        answer = await self._dify._send(calls.stop_completion(task_id, user=self._dify.user_or(user)), bypass=True)
        return answer.result == "success"
