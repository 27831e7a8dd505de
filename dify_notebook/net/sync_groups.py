"""The groups of calls of `Dify`: each call is that of `AsyncDify`, run on the portal's loop."""

from __future__ import annotations

import builtins
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from .portal import portal

if TYPE_CHECKING:
    from ..turn.state import MessageFile
    from ..wire import models
    from ..wire.calls import SortBy
    from . import files as fl
    from .client import AsyncDify
    from .files import FileInput
    from .pages import AsyncPages, Item

M = TypeVar("M", bound="Item")
P = TypeVar("P")


class Group:
    """A group of calls of one client."""

    def __init__(self, dify: AsyncDify) -> None:
        self._dify = dify


class Pages(Generic[M]):
    """A list that fetches its pages as it is read."""

    def __init__(self, pages: AsyncPages[M]) -> None:
        self._pages = pages

    def __iter__(self) -> Iterator[M]:
        return _pulled(aiter(self._pages))

    def to_list(self, limit: int | None = None) -> list[M]:
        """Everything, or the first `limit` items."""
        return portal().call(self._pages.to_list(limit))

    def to_frame(self, limit: int | None = None) -> Any:
        """Everything, or the first `limit` items, as a pandas DataFrame with the columns of `frames.SCHEMA`."""
        return portal().call(self._pages.to_frame(limit))


def _pulled(items: AsyncIterator[P]) -> Iterator[P]:
    """What an async iterator gives, one crossing to the portal for each."""
    end: Any = object()

    async def one() -> Any:
        return await anext(items, end)

    while (item := portal().call(one())) is not end:
        yield item


class Conversations(Group):
    """`conversations.list`."""

    def list(
        self, *, sort_by: SortBy = "-updated_at", page_size: int = 100, user: str | None = None
    ) -> Pages[models.Conversation]:
        """The user's conversations, by default the last used first."""
        return Pages(self._dify.conversations.list(sort_by=sort_by, page_size=page_size, user=user))

    def rename(
        self,
        conversation_id: str,
        name: str | None = None,
        *,
        auto_generate: bool = False,
        user: str | None = None,
    ) -> models.Conversation:
        """Give a conversation another name, or let the server find one."""
        return portal().call(
            self._dify.conversations.rename(conversation_id, name, auto_generate=auto_generate, user=user)
        )

    def delete(self, conversation_id: str, *, user: str | None = None) -> None:
        """Delete a conversation for good."""
        portal().call(self._dify.conversations.delete(conversation_id, user=user))

    def variables(
        self,
        conversation_id: str,
        *,
        variable_name: str | None = None,
        page_size: int = 100,
        user: str | None = None,
    ) -> Pages[models.ConversationVariable]:
        """The conversation variables of a chatflow (Dify 1.x)."""
        return Pages(
            self._dify.conversations.variables(
                conversation_id, variable_name=variable_name, page_size=page_size, user=user
            )
        )

    def set_variable(
        self, conversation_id: str, variable_id: str, value: Any, *, user: str | None = None
    ) -> models.ConversationVariable:
        """Set a conversation variable; the value's type must be the variable's."""
        return portal().call(self._dify.conversations.set_variable(conversation_id, variable_id, value, user=user))


class Messages(Group):
    """`messages.list`."""

    def list(
        self,
        conversation_id: str,
        *,
        order: Literal["asc", "desc"] = "desc",
        page_size: int = 100,
        user: str | None = None,
    ) -> Pages[models.StoredMessage]:
        """The messages of a conversation, by default the newest first. See `AsyncMessages.list`."""
        return Pages(self._dify.messages.list(conversation_id, order=order, page_size=page_size, user=user))

    def suggested(self, message_id: str, *, user: str | None = None) -> builtins.list[str]:
        """Questions that could come next, where the app suggests some."""
        return portal().call(self._dify.messages.suggested(message_id, user=user))

    def feedback(
        self,
        message_id: str,
        rating: Literal["like", "dislike"] | None,
        *,
        content: str | None = None,
        user: str | None = None,
    ) -> None:
        """Rate an answer; None takes the rating back. See `AsyncMessages.feedback`."""
        portal().call(self._dify.messages.feedback(message_id, rating, content=content, user=user))


class Files(Group):
    """Files: `upload`, `download`, and the pictures of an answer."""

    def download(
        self,
        file: str | MessageFile | Mapping[str, Any],
        *,
        to: str | os.PathLike[str] | None = None,
        limit: int = 1_000_000_000,
        user: str | None = None,
    ) -> bytes | Path:
        """The content of a file that a message uses, or where it was written. See `AsyncFiles.download`."""
        return portal().call(self._dify.files.download(file, to=to, limit=limit, user=user))

    def upload(
        self,
        file: fl.FileLike,
        *,
        name: str | None = None,
        mime_type: str | None = None,
        user: str | None = None,
        progress: fl.Progress | None = None,
        check: bool | None = None,
    ) -> models.UploadedFile:
        """Put a file on the server, to be named in a question. See `AsyncFiles.upload`."""
        return portal().call(
            self._dify.files.upload(
                file, name=name, mime_type=mime_type, user=user, progress=progress, check=check
            )
        )

    def from_url(
        self,
        url: str,
        *,
        name: str | None = None,
        limit: int = 100_000_000,
        user: str | None = None,
        progress: fl.Progress | None = None,
    ) -> models.UploadedFile:
        """Download a file here, without the key, and put it on the server. See `AsyncFiles.from_url`."""
        return portal().call(self._dify.files.from_url(url, name=name, limit=limit, user=user, progress=progress))

    def inputs(self, inputs: Mapping[str, Any], *, user: str | None = None) -> dict[str, Any]:
        """Inputs with the files among them uploaded and named. See `AsyncFiles.inputs`."""
        return portal().call(self._dify.files.inputs(inputs, user=user))

    def fetch(self, file: MessageFile, *, limit: int = 10_000_000) -> MessageFile:
        """The file with its content, or with the reason why not. See `AsyncFiles.fetch`."""
        return portal().call(self._dify.files.fetch(file, limit=limit))

    def references(
        self,
        files: Sequence[FileInput],
        *,
        user: str | None = None,
        progress: fl.Progress | None = None,
        check: bool | None = None,
    ) -> builtins.list[dict[str, Any]]:
        """What a question says of these files; those that lie here are uploaded."""
        return portal().call(self._dify.files.references(files, user=user, progress=progress, check=check))


class Audio(Group):
    """Speech: `to_text`, `from_text`, `stream_from_text`."""

    def to_text(
        self, file: fl.FileLike, *, name: str | None = None, mime_type: str | None = None, user: str | None = None
    ) -> str:
        """What is said in a sound file. See `AsyncAudio.to_text`."""
        return portal().call(self._dify.audio.to_text(file, name=name, mime_type=mime_type, user=user))

    def from_text(
        self,
        text: str | None = None,
        *,
        message_id: str | None = None,
        voice: str | None = None,
        user: str | None = None,
    ) -> bytes:
        """A text, or the answer of a message, as sound."""
        return portal().call(self._dify.audio.from_text(text, message_id=message_id, voice=voice, user=user))

    def stream_from_text(
        self,
        text: str | None = None,
        *,
        message_id: str | None = None,
        voice: str | None = None,
        user: str | None = None,
    ) -> Iterator[bytes]:
        """As `from_text`, in pieces as they come."""
        return _pulled(self._dify.audio.stream_from_text(text, message_id=message_id, voice=voice, user=user))


class App(Group):
    """What the app is: `app.info`, `app.parameters`, `app.meta`, `app.site`."""

    def info(self) -> models.AppInfo:
        """Name, description and mode of the app."""
        return portal().call(self._dify.app.info())

    def parameters(self, *, user: str | None = None) -> models.Parameters:
        """The app's input form, opening statement and file rules."""
        return portal().call(self._dify.app.parameters(user=user))

    def meta(self, *, user: str | None = None) -> models.AppMeta:
        """The icons of the app's tools."""
        return portal().call(self._dify.app.meta(user=user))

    def site(self) -> models.Site:
        """How the app's web page looks (Dify 1.x)."""
        return portal().call(self._dify.app.site())

    def feedbacks(self, *, page_size: int = 100) -> Pages[models.Feedback]:
        """All ratings of the app's answers, by every user (Dify 1.x)."""
        return Pages(self._dify.app.feedbacks(page_size=page_size))


class Annotations(Group):
    """Answers that people wrote: `list`, `create`, `update`, `delete`, and the automatic reply with them."""

    def list(self, *, keyword: str | None = None, page_size: int = 100) -> Pages[models.Annotation]:
        """The app's annotations."""
        return Pages(self._dify.annotations.list(keyword=keyword, page_size=page_size))

    def create(self, question: str, answer: str) -> models.Annotation:
        """Write an annotation."""
        return portal().call(self._dify.annotations.create(question, answer))

    def update(self, annotation_id: str, question: str, answer: str) -> models.Annotation:
        """Write an annotation anew."""
        return portal().call(self._dify.annotations.update(annotation_id, question, answer))

    def delete(self, annotation_id: str) -> None:
        """Delete an annotation."""
        portal().call(self._dify.annotations.delete(annotation_id))

    def enable_reply(
        self, *, score_threshold: float = 0.9, embedding_provider_name: str, embedding_model_name: str
    ) -> models.Job:
        """Let matching annotations answer; a job of the server's. See `AsyncAnnotations.enable_reply`."""
        return portal().call(
            self._dify.annotations.enable_reply(
                score_threshold=score_threshold,
                embedding_provider_name=embedding_provider_name,
                embedding_model_name=embedding_model_name,
            )
        )

    def disable_reply(self) -> models.Job:
        """Stop annotations from answering; a job of the server's."""
        return portal().call(self._dify.annotations.disable_reply())

    def reply_status(self, action: str, job_id: str) -> models.Job:
        """How far such a job is."""
        return portal().call(self._dify.annotations.reply_status(action, job_id))


class EndUsers(Group):
    """The app's users: `get`."""

    def get(self, end_user_id: str) -> models.EndUser:
        """An end user by id (newer than Dify 1.12)."""
        return portal().call(self._dify.end_users.get(end_user_id))
