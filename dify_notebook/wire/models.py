"""What calls answer: typed where the documents say something, open for the rest.

Every model keeps what it does not name in `extra`. Times are aware, in UTC.
"""

from __future__ import annotations

from ast import literal_eval
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Annotated, Any, TypeVar, cast

import msgspec

from ..printable import BoundedRepr
from ..redact import has_form_token, without_form_tokens
from .form_tokens import Pickled, hide_tokens, values
from .loose import check_depth, is_shallow, loads, without_surrogates

M = TypeVar("M", bound="Model")
#: Characters of a Python repr that are read: Python's own parser takes hundreds of bytes for each.
_LONGEST_REPR = 100_000
Count = Annotated[int, msgspec.Meta(ge=0, lt=10**18)]
"""A number of tokens, which fits into a column of whole numbers."""


class Model(BoundedRepr, Pickled, msgspec.Struct, frozen=True, kw_only=True):
    """Base of all answers."""

    extra: dict[str, Any] = {}
    """Fields that came and are not named here. The token of a form is a `Secret`; a pickle has none."""


def read(kind: type[M], data: Any) -> M:
    """The model from decoded JSON.

    A field that is written in another way than it is known for is left at its default, and what came stands in
    `extra`; only what cannot be missing is an error.

    Raises:
        msgspec.ValidationError: the JSON is not of that form.
    """
    shaped = _shaped(kind, data)
    try:
        return msgspec.convert(shaped, kind, strict=False)
    except msgspec.ValidationError:
        if not isinstance(shaped, dict):
            raise
    return msgspec.convert(_fitted(kind, shaped), kind, strict=False)


def decode(kind: type[M], body: bytes) -> M:
    """The model from JSON as it came.

    Raises:
        ValueError: it is no JSON (`msgspec.DecodeError`), or not of that form (`msgspec.ValidationError`).
    """
    has_tokens = has_form_token(body)
    try:
        if issubclass(kind, MessageRows):
            body = without_form_tokens(body)
            with suppress(ValueError):  # read it the slow way, which takes more, and says better what is wrong
                return cast(M, _rows_decoder().decode(body))
        data = loads(body) if body else {}
        if has_tokens:
            hide_tokens(data)
        return read(kind, data)
    except RecursionError as problem:
        raise msgspec.DecodeError(str(problem)) from None


@cache
def _rows_decoder() -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(MessageRows, strict=False)


@cache
def _names(kind: type[Model]) -> frozenset[str]:
    return frozenset(kind.__struct_fields__) - {"extra"}


def _shaped(kind: type[Model], data: Any) -> Any:
    """JSON as the model wants it: times read, items of lists shaped too, what has no name under `extra`."""
    if not isinstance(data, dict):
        return data
    names, inner = _names(kind), _INNER.get(kind)
    extra: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    for name, value in data.items():
        if name not in names:
            extra[name] = value
        elif name == "created_at" or name == "updated_at" or name == "finished_at":
            try:
                fields[name] = _time(value)
            except (OverflowError, OSError, ValueError):
                fields[name], extra[name] = None, value
        elif inner is not None and name in inner:
            model, many = inner[name], isinstance(value, list)
            fields[name] = [_shaped(model, item) for item in value] if many else _shaped(model, value)
        elif kind is WorkflowRun and name in ("inputs", "outputs"):
            fields[name] = _from_text(value)
        else:
            fields[name] = value
    if extra:
        fields["extra"] = extra
    return fields


def _from_text(value: Any) -> Any:
    """What JSON text says; anything else as it is. What is nested deeper than anyone means is a text."""
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            reported = check_depth(loads(value.encode("utf-8", "replace")))
            hide_tokens(reported)
            return values(reported)
        return value
    return values(value) if is_shallow(value) else msgspec.json.encode(value, enc_hook=lambda _: None).decode()


def _fitted(kind: type[Model], shaped: dict[str, Any]) -> dict[str, Any]:
    """The same, field by field, so that one that cannot be read does not take the others with it."""
    inner = _INNER.get(kind, {})
    extra: dict[str, Any] = dict(shaped.get("extra") or {})
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.name == "extra" or field.name not in shaped:
            continue
        value = shaped[field.name]
        if field.name in inner:
            model = inner[field.name]
            if isinstance(value, dict) and not field.required:
                value = _fitted(model, value)
            elif isinstance(value, list) or (field.required and not value):
                value = [_fitted(model, item) if isinstance(item, dict) else item for item in value or ()]
        forms = [value]
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            forms.append(str(value))  # an id, a name
        if isinstance(value, list) and field.name not in inner:
            forms.append([item for item in value if _fits([item], field.type)])
        for form in forms:
            if _fits(form, field.type):
                fields[field.name] = form
                break
        else:
            if field.required:
                fields[field.name] = value  # and whoever reads it says what is wrong
        if value is not None and fields.get(field.name, ...) != value:
            extra[field.name] = value
    return {**fields, "extra": extra}


def _fits(value: Any, type_: Any) -> bool:
    try:
        msgspec.convert(value, type_, strict=False)
    except msgspec.ValidationError:
        return False
    return True


def _time(value: Any) -> Any:
    """Seconds, milliseconds, ISO text without zone or that of a mail (runs of Dify 0.15), as an aware time in UTC."""
    if type(value) is int and -100_000_000_000 < value < 100_000_000_000:  # the usual case
        return datetime.fromtimestamp(value, UTC)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return datetime.fromtimestamp(value / 1000 if abs(value) > 1e11 else value, UTC)
    if isinstance(value, str) and value:
        with suppress(ValueError):
            return _time(float(value))
        time = datetime.fromisoformat(value) if value[:1].isdigit() else parsedate_to_datetime(value)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    return None


class Result(Model, frozen=True):
    """`{"result": "success"}`."""

    result: str = ""


class ChatCompletion(Model, frozen=True):
    """The answer of /chat-messages in blocking mode."""

    event: str | None = None
    task_id: str | None = None
    id: str | None = None
    message_id: str | None = None
    conversation_id: str | None = None
    mode: str | None = None
    answer: str = ""
    metadata: dict[str, Any] | None = None
    created_at: datetime | None = None


class WorkflowAnswer(Model, frozen=True):
    """The answer of /workflows/run in blocking mode; a failure is told here too, under HTTP 200."""

    task_id: str | None = None
    workflow_run_id: str | None = None
    data: dict[str, Any] | None = None


class WorkflowRun(Model, frozen=True):
    """One run of a workflow, as /workflows/run/{id} tells it."""

    id: str | None = None
    """None where there is no such run (Dify answers 200)."""
    workflow_id: str | None = None
    status: str | None = None
    """running, succeeded, failed, stopped, partial-succeeded or paused. Dify 1.12 leaves stopped ones running."""
    inputs: Any = None
    """A dict; Dify sends it as JSON text, with what the system adds (`sys.…`). JSON text where it is nested more than
    200 deep."""
    outputs: Any = None
    """A dict, or None; likewise. Older Difys send JSON text, `{}` also where it still runs."""
    error: str | None = None
    total_steps: Count | None = None
    total_tokens: Count | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None
    elapsed_time: float | None = None
    """Seconds."""


class WorkflowRunSummary(Model, frozen=True):
    """What the log tells of a run."""

    id: str | None = None
    version: str | None = None
    """Of the workflow: when it was published, as text."""
    status: str | None = None
    triggered_from: str | None = None
    """app-run, and so on (Dify 1.12)."""
    error: str | None = None
    elapsed_time: float | None = None
    """Seconds."""
    total_tokens: Count | None = None
    total_steps: Count | None = None
    exceptions_count: Count | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None


class WorkflowLog(Model, frozen=True):
    """One line of /workflows/logs."""

    id: str
    workflow_run: WorkflowRunSummary | None = None
    details: dict[str, Any] | None = None
    created_from: str | None = None
    created_by_role: str | None = None
    """end_user or account."""
    created_by_account: dict[str, Any] | None = None
    created_by_end_user: dict[str, Any] | None = None
    """`id`, `type`, `is_anonymous` and `session_id`, the user that the run was asked with."""
    created_at: datetime | None = None


class WorkflowLogPage(Model, frozen=True):
    """One page of /workflows/logs, the newest first."""

    data: list[WorkflowLog]
    has_more: bool | None = None
    page: int | None = None
    limit: int | None = None
    total: int | None = None


class UploadedFile(Model, frozen=True):
    """A file that lies on the server, to be named in a question."""

    id: str
    name: str = ""
    size: int | None = None
    """Bytes."""
    extension: str | None = None
    mime_type: str | None = None
    created_by: Any = None
    created_at: datetime | None = None
    reference: str | None = None
    """Dify's own handle of a file, `dify-file-ref:…` (Dify 1.16); None in answers to an upload."""


class Conversation(Model, frozen=True):
    """One conversation of the user."""

    id: str = ""
    name: str = ""
    inputs: dict[str, Any] | None = None
    status: str | None = None
    introduction: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class ConversationPage(Model, frozen=True):
    """One page of /conversations."""

    data: list[Conversation]
    has_more: bool = False
    limit: int | None = None


class StoredMessage(Model, frozen=True):
    """One message as the server keeps it. Node runs are never given again."""

    id: str
    conversation_id: str | None = None
    parent_message_id: str | None = None
    inputs: dict[str, Any] | None = None
    query: str = ""
    answer: str = ""
    status: str | None = None
    """normal, error, or paused: its run waits for people to answer (Dify 1.13)."""
    error: str | None = None
    message_files: list[dict[str, Any]] | None = None
    feedback: dict[str, Any] | None = None
    retriever_resources: list[dict[str, Any]] | None = None
    agent_thoughts: list[dict[str, Any]] | None = None
    created_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    message_tokens: Count | None = None
    """Tokens of the prompt. This and what follows of tokens, price and time is told since Dify 1.16."""
    answer_tokens: Count | None = None
    total_tokens: Count | None = None
    total_price: str | float | None = None
    """As it is written, such as `"0.0000170"`."""
    currency: str | None = None
    provider_response_latency: float | None = None
    """Seconds."""
    extra_contents: list[dict[str, Any]] | None = None
    """What the run asked people: forms and their answers (Dify 1.13); `turn_from_stored` makes `Turn.forms` of them."""


class MessagePage(Model, frozen=True):
    """One page of /messages."""

    data: list[StoredMessage]
    has_more: bool = False
    limit: int | None = None


class MessageRows(MessagePage, frozen=True):
    """The same page for tables: read about twice as fast, without `extra`."""


class AppInfo(Model, frozen=True):
    """/info."""

    name: str = ""
    description: str | None = None
    tags: list[str] | None = None
    mode: str | None = None
    """Absent on Dify 0.15."""
    author_name: str | None = None


class Parameters(Model, frozen=True):
    """/parameters: what the app asks for and allows."""

    opening_statement: str | None = None
    suggested_questions: list[str] | None = None
    suggested_questions_after_answer: dict[str, Any] | None = None
    speech_to_text: dict[str, Any] | None = None
    text_to_speech: dict[str, Any] | None = None
    retriever_resource: dict[str, Any] | None = None
    annotation_reply: dict[str, Any] | None = None
    user_input_form: list[dict[str, Any]] = []
    file_upload: dict[str, Any] | None = None
    system_parameters: dict[str, Any] | None = None

    @property
    def controls(self) -> list[dict[str, Any]]:
        """The input form, flat: each control with its `type` (text-input, paragraph, select, number, ...)."""
        controls = []
        for wrapped in self.user_input_form:
            for kind, control in wrapped.items():
                if isinstance(control, dict):
                    controls.append({"type": kind, **control})
        return controls

    @property
    def form_known(self) -> bool:
        """Whether all of the input form could be read; if not, the app may ask for more than `controls` say."""
        unread = self.extra.get("user_input_form") or ()
        return isinstance(unread, (list, tuple)) and all(isinstance(item, dict) for item in unread if item)


class AppMeta(Model, frozen=True):
    """/meta: the icons of the tools."""

    tool_icons: dict[str, Any] = {}


class Site(Model, frozen=True):
    """/site: how the web app looks."""

    title: str | None = None
    description: str | None = None
    default_language: str | None = None
    icon: str | None = None
    icon_type: str | None = None
    icon_url: str | None = None
    input_placeholder: str | None = None
    """What stands in the empty line for questions (Dify 1.16)."""


class Suggested(Model, frozen=True):
    """Questions that could come next."""

    result: str = ""
    data: list[str] = []


class Feedback(Model, frozen=True):
    """One rating, as the app's owner sees it."""

    id: str
    app_id: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    rating: str | None = None
    """like or dislike."""
    content: str | None = None
    from_source: str | None = None
    """user (an end user) or admin (someone in Dify's console)."""
    from_end_user_id: str | None = None
    from_account_id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class FeedbackPage(Model, frozen=True):
    """One page of /app/feedbacks."""

    data: list[Feedback]
    has_more: bool | None = None


class ConversationVariable(Model, frozen=True):
    """A variable that a chatflow keeps for one conversation."""

    id: str
    name: str = ""
    value_type: str = ""
    """string, number, integer, float, boolean, object, secret or array[...]."""
    value: Any = None
    """As told: Dify 1.12 and 1.16 send text for everything. See `parsed`."""
    description: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def parsed(self) -> Any:
        """The value in its own type: numbers, lists and dicts are read out of JSON, or up to 100 kB a Python repr."""
        if not isinstance(self.value, str) or self.value_type in ("string", "secret", ""):
            return self.value
        readers = (msgspec.json.decode, literal_eval) if len(self.value) <= _LONGEST_REPR else (msgspec.json.decode,)
        for reader in readers:
            try:
                return without_surrogates(reader(self.value))
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
        return self.value


class VariablePage(Model, frozen=True):
    """One page of conversation variables."""

    data: list[ConversationVariable]
    has_more: bool = False
    limit: int | None = None


class Spoken(Model, frozen=True):
    """What was said in a sound file."""

    text: str


class Annotation(Model, frozen=True):
    """An answer that a person wrote for a question."""

    id: str
    question: str | None = None
    answer: str | None = None
    hit_count: int | None = None
    created_at: datetime | None = None


class AnnotationPage(Model, frozen=True):
    """One page of /apps/annotations."""

    data: list[Annotation]
    has_more: bool | None = None
    total: int | None = None
    page: int | None = None
    limit: int | None = None


class Job(Model, frozen=True):
    """Work that the server does by and by."""

    job_id: str
    job_status: str = ""
    """waiting, completed or error."""
    error_msg: str | None = None


class EndUser(Model, frozen=True):
    """A user of the app, as the server knows them."""

    id: str
    tenant_id: str | None = None
    app_id: str | None = None
    type: str | None = None
    external_user_id: str | None = None
    name: str | None = None
    is_anonymous: bool | None = None
    session_id: str | None = None
    """The `user` that questions were asked with."""
    created_at: datetime | None = None
    updated_at: datetime | None = None


class HumanInputForm(Model, frozen=True):
    """A form that a paused run asks a person to fill in (Dify 1.14 and newer)."""

    form_content: str = ""
    """Markdown; `{{#$output.NAME#}}` stands for an input."""
    inputs: list[dict[str, Any]] | None = None
    resolved_default_values: dict[str, Any] | None = None
    user_actions: list[dict[str, Any]] | None = None
    expiration_time: datetime | None = None


_INNER: dict[type[Model], dict[str, type[Model]]] = {
    ConversationPage: {"data": Conversation},
    MessagePage: {"data": StoredMessage},
    MessageRows: {"data": StoredMessage},
    FeedbackPage: {"data": Feedback},
    VariablePage: {"data": ConversationVariable},
    AnnotationPage: {"data": Annotation},
    WorkflowLogPage: {"data": WorkflowLog},
    WorkflowLog: {"workflow_run": WorkflowRunSummary},
}
