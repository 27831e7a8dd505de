"""Running a workflow app, and what the server keeps of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from datetime import time as Time
from typing import TYPE_CHECKING, Any

from ..errors import InputError, NotFoundError, ServerError
from ..i18n import t
from ..wire import calls, models
from ..wire.kinds import WORKFLOW, LoggedStatus
from .files import FileInput
from .pages import AsyncPages, PageBudget, numbered
from .question import Question, ResponseMode, question
from .resource import Resource
from .resumed_stream import resumed
from .stored_run import is_of
from .stream import ChatStream
from .ways import way_of

if TYPE_CHECKING:
    from ..turn.state import Turn


class AsyncWorkflows(Resource):
    """Runs of a workflow app: `run`, `stream`, `resume`, `stop`, `get`, `logs`."""

    async def run(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        files: Sequence[FileInput] | None = None,
        user: str | None = None,
        response_mode: ResponseMode = "streaming",
        timeout: float | None = None,
        workflow_id: str | None = None,
    ) -> Turn:
        """Run the workflow, and return the whole turn: `turn.outputs` is what it gave, by name.

        It streams; `response_mode="blocking"` asks for the outputs in one piece, without its nodes.

        Args:
            inputs: values for its variables, as for `chat.send`.
            files: files beside the inputs (`sys.files`), as for `chat.send`.
            response_mode: "streaming", or "blocking" for one JSON answer.
            timeout: seconds for the whole run, uploads included; None is no limit. Then it is stopped.
            workflow_id: the published version that is to run; None is the one published last. Dify 1.x.

        Raises:
            TurnFailed: the run failed, or was cut off before its end (`TurnIncomplete`); `.turn` has what came.
            InputError: an argument or a file cannot be sent, or the app's form does not take an input.
            NotFoundError: the app has no such version.
            DifyError: the server refused it or could not be reached; while streaming `.turn` is the failed turn.
        """
        return await self._question(inputs, files, user, response_mode, timeout, workflow_id).answer(response_mode)

    def stream(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        files: Sequence[FileInput] | None = None,
        user: str | None = None,
        timeout: float | None = None,
        workflow_id: str | None = None,
    ) -> ChatStream:
        """Run it, and give the events as they come: `async with dify.workflows.stream({"text": "hi"}) as stream`.

        Arguments (`inputs`, `files`, `timeout`, `workflow_id`) as for `run`. Nothing is sent before the stream is
        entered, once.

        Raises:
            InputError: an argument cannot be sent. What entering the stream raises: see `ChatStream`.
        """
        return self._question(inputs, files, user, "streaming", timeout, workflow_id)

    def _question(
        self,
        inputs: Mapping[str, Any] | None,
        files: Sequence[FileInput] | None,
        user: str | None,
        response_mode: ResponseMode,
        timeout: float | None,
        workflow_id: str | None,
    ) -> Question:
        return question(
            self._dify,
            lambda name: calls.workflow_run(user=name, response_mode=response_mode, workflow_id=workflow_id),
            inputs=inputs,
            files=files,
            user=user,
            timeout=timeout,
            way=way_of(WORKFLOW),
            app_mode=WORKFLOW,
        )

    def resume(self, run: Turn | str, *, user: str | None = None, timeout: float | None = None) -> ChatStream:
        """Read on in a run that paused, or whose connection was lost (Dify 1.13 and newer), as `chat.resume` does.

        Args:
            run: the turn, also a pickled one or one of a tape; or the id of its run, `turn.workflow_run_id`.
            user: who started the run; for another one there is no such run.
            timeout: seconds, as for `run`.

        Raises:
            InputError: the turn has no run. What entering the stream raises: see `ChatStream`.
        """
        return resumed(self._dify, run, user=user, timeout=timeout, way=way_of(WORKFLOW))

    async def stop(self, task_id: str, *, user: str | None = None) -> bool:
        """Stop a running task.

        Args:
            task_id: Dify's id of the task, as `stream.task_id` and `turn.task_id` have it.
            user: who started it: for another one Dify 0.15 says yes and goes on.

        Returns:
            Whether the server says that it stopped. Dify says so of tasks that it does not know, too.
        """
        answer = await self._dify._send(calls.stop_workflow(task_id, user=self._dify.user_or(user)), bypass=True)
        return answer.result == "success"

    async def get(self, workflow_run_id: str) -> models.WorkflowRun:
        """What the server keeps of the run `workflow_run_id`, by whomever it was started.

        Dify 1.12 tells of most runs that were stopped that they are running.

        Raises:
            NotFoundError: there is no such run of this app.
            ServerError: the answer is about another run.
        """
        call = calls.workflow_run_detail(workflow_run_id)
        run = await self._dify._send(call)
        if run.id is None:
            raise NotFoundError(
                t("net.no_run"), code="not_found", status=200, hint=t("hint.unknown_run"), attempted=call.attempted
            )
        if not is_of(run, workflow_run_id):
            raise ServerError(t("net.other_run"), code="other_run", status=200, attempted=call.attempted)
        return run

    def logs(
        self,
        *,
        keyword: str | None = None,
        status: LoggedStatus | None = None,
        created_at__before: str | date | None = None,
        created_at__after: str | date | None = None,
        created_by_end_user_session_id: str | None = None,
        created_by_account: str | None = None,
        page_size: int = 100,
    ) -> AsyncPages[models.WorkflowLog]:
        """The app's runs, by every user, the newest first; without inputs and outputs: see `get`.

        Args:
            keyword: in inputs, outputs, the user or the run's id. Dify 1.12 finds no Chinese.
            status: runs that ended so.
            created_at__before, created_at__after: times (also pandas') or days, which begin at midnight, as text in
                ISO 8601 or as they are; one without a zone is this machine's. These and what follows: Dify 1.x.
            created_by_end_user_session_id: the user that runs were started with.
            created_by_account: the mail address of a member of the workspace.

        Raises:
            InputError: the status is another, or a text is no time; when the first page is had: Dify 0.15 has none of
                the newer filters, and would give runs that were not asked for.
        """
        filters = {
            "keyword": keyword,
            "status": status,
            "created_at__before": _as_iso("created_at__before", created_at__before),
            "created_at__after": _as_iso("created_at__after", created_at__after),
            "created_by_end_user_session_id": created_by_end_user_session_id,
            "created_by_account": created_by_account,
        }
        dify, budget = self._dify, PageBudget(self._dify.bounds.pages)
        calls.workflow_logs(filters, limit=page_size)  # tells mistakes now
        newer = [name for name, value in filters.items() if value is not None and name.startswith("created_")]

        async def fetch(number: int) -> tuple[list[models.WorkflowLog], bool]:
            if number == 1:
                budget.reset()
            page = await dify._send(calls.workflow_logs(filters, page=number, limit=page_size), on_size=budget)
            if newer and dify._cache.app.old:
                raise InputError(t("net.old_filters", names=", ".join(newer)), code=newer[0])
            return page.data, page.has_more if page.has_more is not None else len(page.data) >= page_size

        return numbered(fetch, what="workflows.logs", max_items=dify.bounds.items, table="workflow_runs")


def _as_iso(name: str, time: str | date | None) -> str | None:
    """A time as the server reads it. Raises: `InputError`, it is none."""
    if time is None:
        return None
    try:
        moment = datetime.fromisoformat(time) if isinstance(time, str) else time
        if not isinstance(moment, datetime):
            return datetime.combine(moment, Time()).astimezone().isoformat()
        if moment.tzinfo is None:  # one of pandas has no place of its own to go by
            moment = datetime.combine(moment.date(), moment.time()).astimezone()
        return moment.isoformat()
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise InputError(t("net.bad_time", name=name, value=repr(time)), code=name) from None
