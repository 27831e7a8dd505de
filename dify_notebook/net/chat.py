"""Asking: how a question becomes a stream, or a turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..wire import calls
from .files import FileInput
from .question import Question, ResponseMode, question
from .resource import Resource
from .resumed_stream import resume
from .stream import ChatStream
from .ways import CHAT

if TYPE_CHECKING:
    from ..turn.state import Turn


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
        stream = self._question(
            query, inputs, conversation_id, files, user, response_mode, auto_generate_name, timeout, workflow_id
        )
        return await stream.answer(response_mode)

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
        return self._question(
            query, inputs, conversation_id, files, user, "streaming", auto_generate_name, timeout, workflow_id
        )

    def _question(
        self,
        query: str,
        inputs: Mapping[str, Any] | None,
        conversation_id: str | None,
        files: Sequence[FileInput] | None,
        user: str | None,
        response_mode: ResponseMode,
        auto_generate_name: bool,
        timeout: float | None,
        workflow_id: str | None,
    ) -> Question:
        query = str.__str__(query) if isinstance(query, str) else query
        return question(
            self._dify,
            lambda name: calls.chat_messages(
                query,
                user=name,
                conversation_id=conversation_id,
                response_mode=response_mode,
                auto_generate_name=auto_generate_name,
                workflow_id=workflow_id,
            ),
            inputs=inputs,
            files=files,
            user=user,
            timeout=timeout,
            way=CHAT,
            query=query,
            conversation_id=conversation_id or None,
        )

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
        return resume(self._dify, run, user=user, timeout=timeout)

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
