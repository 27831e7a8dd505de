"""What a run that waits for a person asks, and how it is answered (Dify 1.14 and newer)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from ..app.stored_files import again
from ..errors import APIError, ConnectError, DifyError, InputError, ServerError
from ..i18n import moment, t
from ..printable import MESSAGE, one_line
from ..secret import Secret
from ..turn.forms import Form, as_form, no_more
from ..wire import calls
from ..wire import events as ev
from ..wire.kinds import FILE_CONTROLS
from ..wire.models import UploadedFile
from .bodies import iter_decoded
from .checks import check_attachments
from .event_reader import EventReader
from .exceptions import bare
from .files import is_url
from .portal import portal
from .resource import Resource

if TYPE_CHECKING:
    from ..turn.state import Turn
    from .client import AsyncDify

ASK_SECONDS = 5.0
"""Seconds in which a server says what a run waits for; it begins with that."""
REMEMBERED = 1_000
"""Forms of which a client remembers that they were submitted, by it or, as the server said, by somebody else."""
SUBMITTED = "human_input_form_submitted"
_REFUSED = {
    SUBMITTED: "forms.refused.submitted",
    "human_input_form_expired": "forms.refused.expired",
    "human_input_form_not_found": "forms.refused.unknown",
    "not_found": "forms.refused.unknown",
    "invalid_form_data": "forms.refused.invalid",
}


def refused(problem: DifyError) -> str:
    """Why a form was not taken, in the reader's language: one line, for whoever filled it in."""
    if key := _REFUSED.get(problem.code or ""):
        return one_line(t(key, problem=problem.message), MESSAGE)
    return one_line(" ".join(part for part in (problem.message, problem.hint) if part), MESSAGE)


def _hidden(form: Form | str | Secret) -> Form | Secret:
    """A form or a token, which no verbose traceback shows from here on."""
    return Secret(form) if isinstance(form, str) else form


class AsyncForms(Resource):
    """Forms of runs that wait for a person: `get`, `submit`."""

    async def get(self, form: Form | str | Secret) -> Form:
        """A form as the server has it now, by its token.

        Args:
            form: one of `turn.forms`, or a token. Of a form without a token, as pickled ones are, the server is asked
                for it first, which tells it to who asked the question.

        Raises:
            NotFoundError: this app has no such form.
            APIError: it was submitted (`human_input_form_submitted`) or has expired (`human_input_form_expired`).
            InputError: the server tells no token of it any more.
        """
        form = _hidden(form)
        token = await self._token(form)
        answer = await self._dify._send(calls.get_form(token))
        known = form if isinstance(form, Form) else Form(id="")
        data = {
            **(known.data if isinstance(known.data, dict) else {}),
            "form_id": known.id,
            "form_content": answer.form_content,
            "inputs": answer.inputs,
            "actions": answer.user_actions,
            "resolved_default_values": answer.resolved_default_values,
            "expiration_time": answer.expiration_time and answer.expiration_time.timestamp(),
            "form_token": token,
        }
        return as_form(data, workflow_run_id=known.workflow_run_id, user=known.user)

    async def submit(
        self,
        form: Form | str | Secret,
        *,
        action: str,
        inputs: Mapping[str, Any] | None = None,
        user: str | None = None,
    ) -> None:
        """Answer a form; its run goes on at the server, and `chat.resume` reads how. It is never sent twice.

        Args:
            form: one of `turn.forms`, or a token, of which nothing is checked here.
            action: the id of one of its actions.
            inputs: a value for each of its fields; one that is left out has its default. Where a field is a file:
                what `files` of a question takes, which is uploaded.
            user: who answers, by default the client's; it need not be who asked.

        Raises:
            InputError: it does not fit the form, has expired, or was answered already as far as is known here, or is
                being submitted; nothing was sent.
            APIError: the server refused it: `human_input_form_submitted`, `human_input_form_expired`,
                `invalid_form_data`.
            ConnectError: no answer came. Whether it was taken is not known, and it is not sent again by itself.
        """
        form, name = _hidden(form), self._dify.user_or(user)
        with self._once(form):
            if isinstance(form, Form):
                sent, given = await self._with_files(form, form.check(action, inputs), name)
            else:
                sent = given = await self._dify.files.inputs(inputs or {}, user=name)
            call = calls.submit_form(await self._token(form), action=action, inputs=sent, user=name)
            try:
                await self._dify._send(call)
            except APIError as problem:
                if problem.code == SUBMITTED:  # by whomever: its run goes on
                    self._remember(form, {})
                if isinstance(problem, ServerError):
                    problem.hint = t("forms.unsure")
                raise
            except ConnectError as problem:
                if problem.code in ("connection", "timeout"):  # else nothing arrived
                    problem.hint = t("forms.unsure")
                raise
            self._remember(form, {"action": action, "inputs": given})

    async def _with_files(
        self, form: Form, given: Mapping[str, Any], user: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The values as they are sent, with files as the API names them; and the same with the files' own names."""
        kinds = {field.name: field.type for field in form.fields if field.type in FILE_CONTROLS}
        files = {
            name: list(value) if kinds[name] == "file-list" and isinstance(value, (list, tuple)) else [value]
            for name, value in given.items()
            if name in kinds and value is not None
        }
        files = {name: [again(file) for file in listed] for name, listed in files.items()}
        check_attachments([file for listed in files.values() for file in listed], None)
        texts = {name: value for name, value in given.items() if name not in files and isinstance(value, str)}
        others = {name: value for name, value in given.items() if name not in files and name not in texts}
        sent = {**texts, **await self._dify.files.inputs(others, user=user)}
        shown = dict(sent)
        for name, listed in files.items():
            named, known = await self._uploaded(listed, user)
            sent[name], shown[name] = (named, known) if kinds[name] == "file-list" else (named[0], known[0])
        return sent, shown

    async def _uploaded(self, files: list[Any], user: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """What is sent of the files of a field, and the same with their names."""
        api, sent = self._dify.files, []
        for file in files:
            here = not isinstance(file, (Mapping, UploadedFile)) and not is_url(file)
            sent.append(await api.upload(file, user=user, check=False) if here else file)
        named = await api.references(sent, user=user, check=False)
        names = [file.name if isinstance(file, UploadedFile) else "" for file in sent]
        return named, [{**one, "filename": name} if name else one for one, name in zip(named, names, strict=True)]

    @contextmanager
    def _once(self, form: Form | Secret) -> Iterator[None]:
        """While a form is submitted; two at once, of any threads, would both be sent."""
        if isinstance(form, Form):
            self._check_open(form)
        key: str | Secret = form.id if isinstance(form, Form) else form
        mine = object()
        if self._dify._submitting.setdefault(key, mine) is not mine:
            raise InputError(t("forms.submitting"), code="form")
        try:
            yield
        finally:
            del self._dify._submitting[key]

    def _check_open(self, form: Form) -> None:
        if form.status != "waiting" or form.id in self._dify._answered:
            raise no_more("filled" if form.status == "waiting" else form.status)
        if form.expires_at is not None and form.expires_at <= datetime.now(UTC):
            raise InputError(t("forms.expired", time=moment(form.expires_at)), code="form_closed")

    def _remember(self, form: Form | Secret, answer: dict[str, Any]) -> None:
        if isinstance(form, Form):
            self._dify._answered[form.id] = answer
            while len(self._dify._answered) > REMEMBERED:
                self._dify._answered.popitem(last=False)

    async def _token(self, form: Form | Secret) -> Secret:
        if isinstance(form, Secret):
            return form
        if form.token is not None:
            return form.token
        if form.workflow_run_id:
            # A run that does not wait is told of as long as it takes, with pings alone perhaps.
            with suppress(TimeoutError):
                forms = self._asked(form.workflow_run_id, form.user)
                async with asyncio.timeout(ASK_SECONDS), aclosing(forms):
                    async for waiting in forms:
                        if waiting.id == form.id and waiting.token is not None:
                            return waiting.token
        raise InputError(t("forms.no_token"), code="form")

    async def _asked(self, run: str, user: str | None) -> AsyncGenerator[Form, None]:
        """The forms that the run waits for, as the server tells them to who asked the question."""
        dify = self._dify
        reader = EventReader(dify.bounds, dify.settings.api_key)
        try:
            async with dify._streamed(calls.follow_run(run, user=dify.user_or(user))) as response:
                async for chunk in iter_decoded(response):
                    for frame in reader.split(chunk):
                        for _, event in reader.read(frame, 0.0):
                            if isinstance(event, ev.HumanInputRequired):
                                yield as_form(event.data or {})
                            elif isinstance(event, (ev.WorkflowPaused, ev.WorkflowFinished)) or event.answer_text:
                                return
                    if reader.exceeded:
                        return
        except asyncio.CancelledError as cancelled:
            chunk, frame = b"", ("", None)
            raise bare(cancelled) from None


class Link:
    """What the forms of a turn are submitted through: the client that asked, and in its way.

    Args:
        dify: the client.
        turn: gives the turn that waits.
        plain: whether whoever asked does not await.
    """

    def __init__(self, dify: AsyncDify, turn: Any, *, plain: bool) -> None:
        self._dify = dify
        self._turn = turn
        self._plain = plain

    def __repr__(self) -> str:
        return f"<Link {self._dify!r}>"

    def submit(self, form: Form, action: str, inputs: Mapping[str, Any]) -> Any:
        """Answer the form; the turn at the end of its run, or at its next pause."""
        work = self._submitted(form, action, inputs)
        return portal().call(work) if self._plain else work

    async def _submitted(self, form: Form, action: str, inputs: Mapping[str, Any]) -> Turn:
        await self._dify.forms.submit(form, action=action, inputs=inputs)
        from .resumed_stream import resume  # which makes a stream, and that gives its turn this link

        async with resume(self._dify, self._turn()) as stream:
            await stream.read()
        return stream.turn


def linked(turn: Turn, link: Any, answered: Mapping[str, Mapping[str, Any]]) -> Turn:
    """The turn with forms that know how they are submitted.

    Args:
        answered: what this client submitted, by form: a run that goes on tells only later, or never, what that was.
    """
    forms = []
    for form in turn.forms:
        known = answered.get(form.id, {}) if form.status == "filled" and form.action is None else {}
        action, inputs = known.get("action"), known.get("inputs") if form.inputs is None else form.inputs
        link_ = link if form.status == "waiting" else None
        forms.append(msgspec.structs.replace(form, link=link_, action=action or form.action, inputs=inputs))
    return msgspec.structs.replace(turn, forms=tuple(forms))
