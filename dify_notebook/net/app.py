"""The app itself: what it is, its annotations, its end users."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ..errors import APIError
from ..wire import calls, models
from ..wire.calls import Call
from ..wire.kinds import COMPLETION, WORKFLOW
from .pages import AsyncPages, PageBudget, numbered
from .resource import Resource


class AsyncApp(Resource):
    """What the app is: `info`, `mode`, `parameters`, `meta`, `site`, `feedbacks`."""

    async def info(self) -> models.AppInfo:
        """Name, description and mode of the app."""
        info = await self._dify._send(calls.app_info())
        self._dify._cache.update(info=info, **({"mode": info.mode} if info.mode else {}))
        return info

    async def mode(self) -> str | None:
        """What the app is: chat, agent-chat, advanced-chat (a chatflow), agent, workflow or completion.

        Dify 0.15 does not say it: there it is found, once, by asking for conversations and, where the app holds none,
        for a run that is not there, and None stands for any app that holds conversations.

        Raises:
            DifyError: the server refused that for another reason, or could not be reached.
        """
        mode = (await self.info()).mode or self._dify._cache.app.mode  # no app becomes one of another mode
        if mode is None:
            mode = await self._probed_mode()
            self._dify._cache.update(mode=mode)
        return mode or None

    async def _probed_mode(self) -> str:
        """By which calls are refused; "" for an app that holds conversations."""
        if not await self._refused(calls.list_conversations(user=self._dify.user, limit=1), "not_chat_app"):
            return ""
        refused = await self._refused(calls.workflow_run_detail(str(UUID(int=0))), "not_workflow_app")
        return COMPLETION if refused else WORKFLOW

    async def _refused(self, call: Call[Any], code: str) -> bool:
        """Whether apps of this mode do not have that call. Raises: `DifyError`, it was refused for another reason."""
        try:
            await self._dify._send(call)
        except APIError as problem:
            if problem.code != code:
                raise
            return True
        return False

    async def parameters(self, *, user: str | None = None) -> models.Parameters:
        """The app's input form, opening statement and file rules. Files are checked by these from then on."""
        parameters = await self._dify._send(calls.app_parameters(user=self._dify.user_or(user)))
        self._dify._cache.update(parameters=parameters)
        self._dify._cache.checks_files = True
        return parameters

    async def meta(self, *, user: str | None = None) -> models.AppMeta:
        """The icons of the app's tools."""
        meta = await self._dify._send(calls.app_meta(user=self._dify.user_or(user)))
        self._dify._cache.update(meta=meta)
        return meta

    async def site(self) -> models.Site:
        """How the app's web page looks (Dify 1.x)."""
        site = await self._dify._send(calls.app_site())
        self._dify._cache.update(site=site)
        return site

    def feedbacks(self, *, page_size: int = 100) -> AsyncPages[models.Feedback]:
        """All ratings of the app's answers, by every user (Dify 1.x); `page_size` may be 101 here."""
        return _numbered(
            self._dify,
            lambda page: calls.app_feedbacks(page=page, limit=page_size),
            page_size,
            "feedbacks",
            "app.feedbacks",
        )


def _numbered(dify: Any, call: Any, page_size: int, table: str, what: str) -> AsyncPages[Any]:
    """A list whose pages have numbers. Some tell `has_more`, for others a full page means more."""
    call(1)  # tells mistakes now
    budget = PageBudget(dify.bounds.pages)

    async def fetch(number: int) -> Any:
        if number == 1:
            budget.reset()
        page = await dify._send(call(number), on_size=budget)
        return page.data, page.has_more if page.has_more is not None else len(page.data) >= page_size

    return numbered(fetch, what=what, max_items=dify.bounds.items, table=table)


class AsyncAnnotations(Resource):
    """Answers that people wrote: `list`, `create`, `update`, `delete`, and the automatic reply with them."""

    def list(self, *, keyword: str | None = None, page_size: int = 100) -> AsyncPages[models.Annotation]:
        """The app's annotations (Dify 1.x), those with the `keyword` in question or answer alone if one is given."""
        return _numbered(
            self._dify,
            lambda page: calls.list_annotations(page=page, limit=page_size, keyword=keyword),
            page_size,
            "annotations",
            "annotations.list",
        )

    async def create(self, question: str, answer: str) -> models.Annotation:
        """Write an annotation: the `answer` to give to questions like `question`.

        Returns:
            The annotation with its id.

        Raises:
            InputError: one of them is empty.
        """
        return await self._dify._send(calls.create_annotation(question, answer))

    async def update(self, annotation_id: str, question: str, answer: str) -> models.Annotation:
        """Write the annotation `annotation_id` anew, with `question` and `answer` as for `create`.

        Raises:
            InputError: question or answer is empty.
            NotFoundError: there is no such annotation.
        """
        return await self._dify._send(calls.update_annotation(annotation_id, question, answer))

    async def delete(self, annotation_id: str) -> None:
        """Delete the annotation `annotation_id`.

        Raises:
            NotFoundError: there is no such annotation.
        """
        await self._dify._send(calls.delete_annotation(annotation_id))

    async def enable_reply(
        self, *, score_threshold: float = 0.9, embedding_provider_name: str, embedding_model_name: str
    ) -> models.Job:
        """Let matching annotations answer; a job of the server's, see `reply_status`.

        Args:
            score_threshold: how alike a question must be, 0 to 1.
            embedding_provider_name, embedding_model_name: the model that compares questions, by the server's names.

        Returns:
            The job: its `job_id` and `job_status`.

        Raises:
            InputError: the threshold is another number.
        """
        return await self._dify._send(
            calls.annotation_reply(
                "enable",
                score_threshold=score_threshold,
                embedding_provider_name=embedding_provider_name,
                embedding_model_name=embedding_model_name,
            )
        )

    async def disable_reply(self) -> models.Job:
        """Stop annotations from answering; a job of the server's, see `reply_status`."""
        return await self._dify._send(calls.annotation_reply("disable"))

    async def reply_status(self, action: str, job_id: str) -> models.Job:
        """How far a job of `enable_reply` or `disable_reply` is: its `job_status` is waiting, completed or error.

        Args:
            action: "enable" or "disable", as the job does.
            job_id: as the job's `job_id` has it.

        Raises:
            InputError: `action` is another.
            APIError: the server knows no such job.
        """
        return await self._dify._send(calls.annotation_reply_status(action, job_id))


class AsyncEndUsers(Resource):
    """The app's users: `get`."""

    async def get(self, end_user_id: str) -> models.EndUser:
        """The end user `end_user_id`, which feedbacks name as `from_end_user_id` (newer than Dify 1.12).

        Raises:
            NotFoundError: there is no such user, or the server does not have this route.
        """
        return await self._dify._send(calls.end_user(end_user_id))
