"""What the browser's commands do. Each is a coroutine on the portal; what it raises becomes its reply."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from .. import transcript
from ..app.origin import Origin, values
from ..data_uri import bounded
from ..errors import InputError
from ..i18n import Language, speaking, t
from ..net.files import mime_of
from ..turn.state import Turn
from ..turn.stored import turn_from_stored
from ..views.pictures import picture_type
from . import commands as c
from . import messages as m
from . import presenter
from .app import sound_mime
from .controller import LEARN_SECONDS, Controller
from .listing import list_conversations, load_variables, rename
from .state import Item
from .store import problem_of, replace
from .uploads import Uploads, references

Result = tuple[Any, list[bytes]]
"""The value of a reply and its buffers."""
NOTHING: Result = (None, [])
EXPORT_LIMIT = 1_000
"""Turns of an export at most."""


_OFFERED: dict[type[c.Command], str] = {
    c.New: "conversations",
    c.Rename: "conversations",
    c.Delete: "conversations",
    c.Undo: "conversations",
    c.Annotate: "annotations",
}
"""Which part of `Offers` a command needs."""


class Handlers:
    """What one panel does for each command."""

    def __init__(
        self,
        controller: Controller,
        send: Callable[[m.Numbered, list[bytes]], None],
        reply: Callable[[m.Reply, list[bytes]], None],
        hello: Callable[[int, Language | None], None],
        language: Callable[[], Language],
    ) -> None:
        self.controller = controller
        self._reply = reply
        self._hello = hello
        self._language = language
        self.uploads = Uploads(controller, lambda progress: send(progress, []), controller.forms.field)
        self._methods: dict[type[c.Command], Callable[[Any, Sequence[bytes]], Awaitable[Result]]] = {
            c.Ask: self._ask,
            c.Stop: self._stop,
            c.Retry: self._retry,
            c.Regenerate: self._regenerate,
            c.TakeUp: self._take_up,
            c.Unqueue: self._unqueue,
            c.Submit: self._submit,
            c.ReadOn: self._read_on,
            c.Rate: self._rate,
            c.Annotate: self._annotate,
            c.ListConversations: self._list,
            c.OpenConversation: self._open,
            c.New: self._new,
            c.Rename: self._rename,
            c.Delete: self._delete,
            c.Undo: self._undo,
            c.Older: self._older,
            c.LoadVariables: self._variables,
            c.SetVariable: self._set_variable,
            c.Upload: self._upload,
            c.UploadPart: self._upload_part,
            c.UploadCancel: self._upload_cancel,
            c.Hear: self._hear,
            c.Speak: self._speak,
            c.AskSound: self._sound,
            c.AskFile: self._file,
            c.AskNode: self._node,
            c.Copy: self._copy,
            c.Export: self._export,
        }

    async def run(self, command: c.FromBrowser, buffers: Sequence[bytes]) -> None:
        """Do what is commanded, and reply. Raises nothing."""
        if isinstance(command, c.Hello):
            if self.controller.state.app is None:
                self.controller.learn()
            self._hello(command.id, language_of(command.lang))
            return
        with speaking(self._language()):  # also what a question that begins in here meets later
            try:
                self._check(command)
                value, attached = await self._methods[type(command)](command, buffers)
            except Exception as error:  # shown in the browser; what is not ours is logged with its traceback
                self._reply(m.Reply(id=command.id, ok=False, error=problem_of(error)), [])
            else:
                self._reply(m.Reply(id=command.id, ok=True, value=value), attached)

    def _check(self, command: c.Command) -> None:
        """What is not offered for apps of this mode is refused here, and no server asked for it."""
        what = _OFFERED.get(type(command))
        if what is not None and not getattr(self.controller.state.offers, what):
            raise InputError(t("panel.not_offered"), code="mode")

    # -- talking

    async def _ask(self, command: c.Ask, __: Sequence[bytes]) -> Result:
        if self.controller.state.app is None:  # the form is needed to check the inputs
            done, _ = await asyncio.wait([asyncio.wrap_future(self.controller.learn())], timeout=LEARN_SECONDS)
            for future in done:
                future.exception()  # the controller shows it; asking will meet it too
        files, attachments = references(self.controller, command.files)
        self.controller.ask(command.query, values(command.inputs, Origin.FORM), files, attachments)
        return NOTHING

    async def _stop(self, _: c.Stop, __: Sequence[bytes]) -> Result:
        if self.controller.stop() is None:
            raise InputError(t("panel.not_running"), code="not_running")
        return NOTHING

    async def _retry(self, command: c.Retry, _: Sequence[bytes]) -> Result:
        self.controller.ask_again(command.key, instead=True)
        return NOTHING

    async def _regenerate(self, command: c.Regenerate, _: Sequence[bytes]) -> Result:
        self.controller.ask_again(command.key, instead=False)
        return NOTHING

    async def _take_up(self, command: c.TakeUp, _: Sequence[bytes]) -> Result:
        return self.controller.runs.take_up(command.key), []

    async def _unqueue(self, command: c.Unqueue, _: Sequence[bytes]) -> Result:
        self.controller.unqueue(command.queue)
        return NOTHING

    async def _submit(self, command: c.Submit, _: Sequence[bytes]) -> Result:
        await self.controller.forms.submit(command.key, command.form, command.action, command.inputs)
        return NOTHING

    async def _read_on(self, command: c.ReadOn, _: Sequence[bytes]) -> Result:
        self.controller.forms.read_on(command.key)
        return NOTHING

    # -- judging

    async def _rate(self, command: c.Rate, _: Sequence[bytes]) -> Result:
        await rate(self.controller, self.controller.item(command.key), command.rating, command.comment)
        return NOTHING

    async def _annotate(self, command: c.Annotate, _: Sequence[bytes]) -> Result:
        await annotate(self.controller, self.controller.item(command.key), command.question, command.answer)
        return NOTHING

    # -- conversations

    async def _list(self, command: c.ListConversations, _: Sequence[bytes]) -> Result:
        await list_conversations(self.controller, command.search, more=command.more)
        return NOTHING

    async def _open(self, command: c.OpenConversation, _: Sequence[bytes]) -> Result:
        await self.controller.open(command.conversation)
        return NOTHING

    async def _new(self, _: c.New, __: Sequence[bytes]) -> Result:
        self.controller.new()
        return NOTHING

    async def _rename(self, command: c.Rename, _: Sequence[bytes]) -> Result:
        await rename(self.controller, command.conversation, command.name)
        return NOTHING

    async def _delete(self, command: c.Delete, _: Sequence[bytes]) -> Result:
        await self.controller.deletions.delete(command.conversation)
        if command.conversation == self.controller.state.conversation_id:
            self.controller.new()
        return NOTHING

    async def _undo(self, command: c.Undo, _: Sequence[bytes]) -> Result:
        self.controller.deletions.undo(command.conversation)
        return NOTHING

    async def _older(self, _: c.Older, __: Sequence[bytes]) -> Result:
        await self.controller.older()
        return NOTHING

    async def _variables(self, _: c.LoadVariables, __: Sequence[bytes]) -> Result:
        await load_variables(self.controller)
        return NOTHING

    async def _set_variable(self, command: c.SetVariable, _: Sequence[bytes]) -> Result:
        conversation = self.controller.state.conversation_id
        if conversation is None:
            raise InputError(t("panel.no_conversation"), code="conversation")
        problem = ""
        try:
            value = json.loads(command.value)
        except (ValueError, RecursionError) as error:
            problem = str(error)
        if problem:
            raise InputError(t("panel.bad_json", problem=problem), code="value")
        await self.controller.client.conversations.set_variable(conversation, command.variable, value)
        await load_variables(self.controller)
        return NOTHING

    # -- files and sound

    async def _upload(self, command: c.Upload, buffers: Sequence[bytes]) -> Result:
        await self.uploads.begin(command, bytes(buffers[0]) if buffers else None)
        return NOTHING

    async def _upload_part(self, command: c.UploadPart, buffers: Sequence[bytes]) -> Result:
        await self.uploads.part(command, bytes(buffers[0]) if buffers else b"")
        return NOTHING

    async def _upload_cancel(self, command: c.UploadCancel, _: Sequence[bytes]) -> Result:
        self.uploads.cancel(command.upload)
        return NOTHING

    async def _hear(self, command: c.Hear, buffers: Sequence[bytes]) -> Result:
        if not buffers or not buffers[0]:
            raise InputError(t("panel.no_voice"), code="audio")
        kind = command.mime.partition(";")[0].strip().lower()
        extension = {"audio/mpeg": "mp3", "audio/mp4": "m4a", "audio/x-wav": "wav"}.get(kind, kind.rpartition("/")[2])
        name = f"voice.{extension if extension.isalnum() else 'webm'}"
        text = await self.controller.client.audio.to_text(bytes(buffers[0]), name=name, mime_type=kind)
        return c.TextValue(text), []

    async def _speak(self, command: c.Speak, _: Sequence[bytes]) -> Result:
        turn = _ended(self.controller.item(command.key))
        sound = await self.controller.client.audio.from_text(
            None if turn.message_id else turn.answer, message_id=turn.message_id
        )
        return c.SoundValue(sound_mime(sound)), [sound]

    async def _sound(self, command: c.AskSound, _: Sequence[bytes]) -> Result:
        audio = self.controller.item(command.key).now.audio
        if audio is None or not audio.chunks:
            raise InputError(t("panel.no_sound"), code="audio")
        return c.SoundValue(sound_mime(audio.data)), [audio.data]

    async def _file(self, command: c.AskFile, _: Sequence[bytes]) -> Result:
        item = self.controller.item(command.key)
        if command.file in self.controller.uploaded:
            uploaded, attachment = self.controller.uploaded[command.file]
            data = await self.controller.client.files.download(uploaded.id)
            return c.FileValue(attachment.name, uploaded.mime_type or "application/octet-stream"), [_bytes(data)]
        files = presenter.answer_files(item.now)
        if not command.file.isdigit() or int(command.file) >= len(files):
            raise InputError(t("panel.no_file"), code="file")
        file = files[int(command.file)]
        data = file.data if file.data is not None else await self.controller.client.files.download(file)
        name = presenter.file_name(file)
        mime = picture_type(_bytes(data)) or file.mime_type or mime_of(name)
        return c.FileValue(name, mime), [_bytes(data)]

    async def _node(self, command: c.AskNode, _: Sequence[bytes]) -> Result:
        node_details = presenter.details(self.controller.item(command.key).now, command.node, self._language())
        if node_details is None:
            raise InputError(t("panel.no_node"), code="node")
        return node_details, []

    # -- taking away

    async def _copy(self, command: c.Copy, _: Sequence[bytes]) -> Result:
        turn = self.controller.item(command.key).now
        if command.as_ == "markdown":
            return c.TextValue(bounded(turn.answer)), []
        settings = self.controller.client.settings
        profile = settings.profile or (settings.app if settings.source == "local" else None)
        return c.TextValue(transcript.as_cell(turn, profile or "")), []

    async def _export(self, command: c.Export, _: Sequence[bytes]) -> Result:
        name, text = await export(self.controller, command.as_, self._language())
        return c.ExportValue(name, text), []


def _bytes(data: Any) -> bytes:
    assert isinstance(data, bytes)  # a download without `to` gives its content
    return data


def _ended(item: Item) -> Turn:
    if item.turn is None:
        raise InputError(t("panel.running"), code="running")
    return item.turn


def language_of(tags: Sequence[str]) -> Language:
    """The first of the browser's languages that the panel speaks; English where it speaks none."""
    for tag in tags:
        if tag.lower().startswith("zh"):
            return "zh-Hans"
        if tag.lower().startswith("en"):
            return "en"
    return "en"


async def rate(controller: Controller, item: Item, rating: m.Rating | None, comment: str | None) -> None:
    """Rate the item's answer; None takes the rating back.

    Raises:
        InputError: the answer has no message on the server.
        DifyError: the server refused.
    """
    turn = _ended(item)
    if turn.message_id is None:
        raise InputError(t("panel.no_message"), code="message")
    if rating is not None or turn.feedback is not None:  # the server refuses to take back what is not there
        await controller.client.messages.feedback(turn.message_id, rating, content=comment)
    now = controller.state.find(item.key)
    if now is None or now.turn is None or now.turn.message_id != turn.message_id:  # left, or asked again meanwhile
        controller.session.replace(replace(turn, feedback=rating))
        return
    rated = replace(now.turn, feedback=rating)  # what came of it meanwhile stays, as the next questions
    controller.session.replace(rated)
    controller.put_item(replace(now, turn=rated, comment=comment if rating else None))


async def annotate(controller: Controller, item: Item, question: str, answer: str) -> Any:
    """Make an annotation of the item: from now on the question is answered so.

    Raises:
        InputError: question or answer is empty.
        DifyError: the server refused.
    """
    if not question.strip() or not answer.strip():
        raise InputError(t("panel.annotation_empty"), code="annotation")
    annotation = await controller.client.annotations.create(question, answer)
    controller.put_item(replace(controller.item(item.key), annotated=True))
    return annotation


async def export(controller: Controller, form: str, lang: Language) -> tuple[str, str]:
    """(file name, text) of the whole conversation, turns that are not loaded included.

    Raises:
        DifyError: the server refused.
    """
    state = controller.state
    shown_turns = [item.now for item in state.items]
    known = {turn.message_id for turn in shown_turns if turn.message_id}
    earlier: list[Turn] = []
    if state.older and state.conversation_id is not None:
        client = controller.client
        messages = await client.messages.list(state.conversation_id).to_list(limit=EXPORT_LIMIT)
        unknown = (message for message in reversed(messages) if message.id not in known)
        earlier = [turn_from_stored(message, server=client.base_url) for message in unknown]
    title = presenter.title(state, lang)
    turns = [msgspec.structs.replace(turn, suggested=None) for turn in (*earlier, *shown_turns)]
    name = "".join(letter if letter.isalnum() or letter in " -_" else "_" for letter in title).strip()[:60] or "chat"
    if form == "markdown":
        return f"{name}.md", transcript.as_markdown(turns, title, lang=lang)
    return f"{name}.ipynb", transcript.as_notebook(turns, title, lang=lang)
