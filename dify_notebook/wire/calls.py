"""Each endpoint of the Service API once: how it is called and what comes back.

A `Call` is a value; `net` sends it. Values that the API documents limit are checked
here, so that a mistake is told before anything is sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Generic, Literal, TypeVar, get_args
from urllib.parse import quote

import msgspec

from ..errors import InputError
from ..i18n import t
from ..redact import redact
from ..secret import Secret
from . import models
from .kinds import LoggedStatus

T = TypeVar("T")
SortBy = Literal["created_at", "-created_at", "updated_at", "-updated_at"]


class Call(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One request, ready to be sent."""

    method: Literal["GET", "POST", "PUT", "DELETE", "PATCH"]
    path: str
    """Below the base URL, with everything escaped."""
    result: type[T]
    """What the answer's JSON is read as; `bytes` of a content that stays as it is."""
    params: Mapping[str, str] = {}
    body: Mapping[str, Any] | None = None
    """Sent as JSON."""
    idempotent: bool = False
    """Whether it may be sent again after a failure."""
    asks: bool = False
    """Whether it asks the app: then some servers stream the answer whatever was asked for."""
    secret: Secret | None = None
    """Stands in the path, and is taken out of what is answered."""
    absent_in: str = ""
    """Which Difys have no such route, where older ones have none: `Dify 0.15`."""

    @property
    def attempted(self) -> str:
        """What to call it in an error message; a path may hold the token of a form."""
        return redact(f"{self.method} {self.path}")

    def __repr__(self) -> str:
        return f"<Call {self.attempted}>"


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(t("net.one_of", name=name, value=repr(value), allowed=", ".join(allowed)), code=name)


def check_limit(limit: int, maximum: int = 100) -> int:
    """Page sizes run from 1 to 100, those of feedbacks to 101 (API document)."""
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= maximum:
        raise InputError(t("net.bad_limit", value=repr(limit), most=maximum), code="limit")
    return limit


def check_text(name: str, value: object) -> None:
    """Refuse what is no text, and text with half a character in it, which no server can be sent."""
    if not isinstance(value, str):
        raise InputError(t("net.no_text", name=name, kind=type(value).__name__), code=name)
    if not _is_encodable(value):
        raise InputError(t("net.half_character", name=name), code=name)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def segment(name: str, value: str) -> str:
    """One path segment, escaped; refuses what would mean another path."""
    if not isinstance(value, str) or not value.strip() or value in (".", "..") or not _is_encodable(value):
        raise InputError(t("net.bad_id", name=name, value=repr(value)), code=name)
    return quote(value, safe="")


def encoded(body: Mapping[str, Any]) -> bytes:
    """A body as it is sent.

    Raises:
        InputError: something in it cannot be written as JSON.
    """
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        problem = str(error)
    raise InputError(t("net.no_json", problem=problem), code="body")


def chat_messages(
    query: str,
    *,
    user: str,
    inputs: Mapping[str, Any] | None = None,
    conversation_id: str | None = None,
    files: list[dict[str, Any]] | None = None,
    response_mode: Literal["streaming", "blocking"] = "streaming",
    auto_generate_name: bool = True,
    workflow_id: str | None = None,
) -> Call[models.ChatCompletion]:
    """POST /chat-messages."""
    if not isinstance(query, str):
        raise InputError(t("net.bad_query", kind=type(query).__name__), code="query")
    check_text("query", query)
    if conversation_id is not None and not isinstance(conversation_id, str):
        raise InputError(t("net.bad_id", name="conversation_id", value=repr(conversation_id)), code="conversation_id")
    one_of("response_mode", response_mode, ("streaming", "blocking"))
    if inputs is not None and not isinstance(inputs, Mapping):
        raise InputError(t("net.bad_inputs", kind=type(inputs).__name__), code="inputs")
    body: dict[str, Any] = {
        "query": query,
        "inputs": dict(inputs or {}),
        "response_mode": response_mode,
        "user": user,
        "conversation_id": conversation_id or "",
        "auto_generate_name": auto_generate_name,
    }
    if files:
        body["files"] = files
    if workflow_id is not None:
        segment("workflow_id", workflow_id)
        body["workflow_id"] = workflow_id
    return Call(method="POST", path="/chat-messages", body=body, result=models.ChatCompletion, asks=True)


def completion_messages(
    *,
    user: str,
    inputs: Mapping[str, Any] | None = None,
    files: list[dict[str, Any]] | None = None,
    response_mode: Literal["streaming", "blocking"] = "streaming",
) -> Call[models.ChatCompletion]:
    """POST /completion-messages. A `query` beside the inputs would replace the filled prompt: none is sent."""
    body = _asked(inputs, files, response_mode, user)
    return Call(method="POST", path="/completion-messages", body=body, result=models.ChatCompletion, asks=True)


def workflow_run(
    *,
    user: str,
    inputs: Mapping[str, Any] | None = None,
    files: list[dict[str, Any]] | None = None,
    response_mode: Literal["streaming", "blocking"] = "streaming",
    workflow_id: str | None = None,
) -> Call[models.WorkflowAnswer]:
    """POST /workflows/run, or /workflows/{workflow_id}/run for one of its published versions (Dify 1.x)."""
    body = _asked(inputs, files, response_mode, user)
    path = "/workflows/run" if workflow_id is None else f"/workflows/{segment('workflow_id', workflow_id)}/run"
    absent = "" if workflow_id is None else "Dify 0.15"
    return Call(method="POST", path=path, body=body, result=models.WorkflowAnswer, asks=True, absent_in=absent)


def _asked(
    inputs: Mapping[str, Any] | None, files: list[dict[str, Any]] | None, response_mode: str, user: str
) -> dict[str, Any]:
    one_of("response_mode", response_mode, ("streaming", "blocking"))
    if inputs is not None and not isinstance(inputs, Mapping):
        raise InputError(t("net.bad_inputs", kind=type(inputs).__name__), code="inputs")
    body: dict[str, Any] = {"inputs": dict(inputs or {}), "response_mode": response_mode, "user": user}
    if files:
        body["files"] = files
    return body


Stop = Callable[..., Call[models.Result]]
"""How a task is stopped: `stop(task_id, user=user)`."""


def _stop(path: str, task_id: str, user: str) -> Call[models.Result]:
    path = f"/{path}/{segment('task_id', task_id)}/stop"
    return Call(method="POST", path=path, body={"user": user}, result=models.Result, idempotent=True)


def stop_chat_message(task_id: str, *, user: str) -> Call[models.Result]:
    """POST /chat-messages/{task_id}/stop. Dify says success to anything: see `ChatStream.stop`."""
    return _stop("chat-messages", task_id, user)


def stop_completion(task_id: str, *, user: str) -> Call[models.Result]:
    """POST /completion-messages/{task_id}/stop."""
    return _stop("completion-messages", task_id, user)


def stop_workflow(task_id: str, *, user: str) -> Call[models.Result]:
    """POST /workflows/tasks/{task_id}/stop. Dify 1.12 asks neither whose task it is nor of which app."""
    return _stop("workflows/tasks", task_id, user)


def workflow_run_detail(workflow_run_id: str) -> Call[models.WorkflowRun]:
    """GET /workflows/run/{workflow_run_id}. A run that is not there is answered with 200 and nulls."""
    path = f"/workflows/run/{segment('workflow_run_id', workflow_run_id)}"
    return Call(method="GET", path=path, result=models.WorkflowRun, idempotent=True)


def workflow_logs(filters: Mapping[str, str | None], *, page: int = 1, limit: int = 20) -> Call[models.WorkflowLogPage]:
    """GET /workflows/logs.

    Args:
        filters: `keyword`, `status`, and since Dify 1.x `created_at__before`, `created_at__after` (ISO 8601),
            `created_by_end_user_session_id`, `created_by_account`; older ones ignore these in silence.
    """
    params = {"page": str(page), "limit": str(check_limit(limit))}
    if filters.get("status") is not None:
        one_of("status", filters["status"], get_args(LoggedStatus))
    for name, value in filters.items():
        if value is not None:
            check_text(name, value)
            params[name] = value
    return Call(method="GET", path="/workflows/logs", params=params, result=models.WorkflowLogPage, idempotent=True)


def follow_run(workflow_run_id: str, *, user: str, continue_on_pause: bool = False) -> Call[bytes]:
    """GET /workflow/{workflow_run_id}/events (Dify 1.13 and newer): the events of a run, again as a stream.

    Args:
        continue_on_pause: whether the stream stays open where the run waits for a person.
    """
    path = f"/workflow/{segment('workflow_run_id', workflow_run_id)}/events"
    params = {"user": user, "include_state_snapshot": "true"}
    if continue_on_pause:
        params["continue_on_pause"] = "true"
    absent = "Dify 0.15 to 1.12"
    return Call(method="GET", path=path, params=params, result=bytes, idempotent=True, absent_in=absent)


def _form_path(form_token: Secret) -> str:
    with suppress(InputError):  # which shows what is no segment
        return f"/form/human_input/{segment('form_token', form_token.reveal())}"
    raise InputError(t("net.bad_id", name="form_token", value=str(form_token)), code="form_token")


def get_form(form_token: Secret) -> Call[models.HumanInputForm]:
    """GET /form/human_input/{form_token} (Dify 1.14 and newer)."""
    path = _form_path(form_token)
    return Call(method="GET", path=path, result=models.HumanInputForm, idempotent=True, secret=form_token)


def submit_form(form_token: Secret, *, action: str, inputs: Mapping[str, Any], user: str) -> Call[models.Result]:
    """POST /form/human_input/{form_token} (Dify 1.14 and newer). Done twice it is refused, so it is sent once."""
    check_text("action", action)
    path = _form_path(form_token)
    body = {"inputs": dict(inputs), "action": action, "user": user}
    return Call(method="POST", path=path, body=body, result=models.Result, secret=form_token)


def list_conversations(
    *, user: str, last_id: str | None = None, limit: int = 20, sort_by: SortBy = "-updated_at"
) -> Call[models.ConversationPage]:
    """GET /conversations."""
    one_of("sort_by", sort_by, ("created_at", "-created_at", "updated_at", "-updated_at"))
    params = {"user": user, "limit": str(check_limit(limit)), "sort_by": sort_by}
    if last_id:
        params["last_id"] = last_id
    return Call(method="GET", path="/conversations", params=params, result=models.ConversationPage, idempotent=True)


def list_messages(
    conversation_id: str, *, user: str, first_id: str | None = None, limit: int = 20
) -> Call[models.MessagePage]:
    """GET /messages: the newest page first, ascending within the page."""
    segment("conversation_id", conversation_id)
    params = {"user": user, "conversation_id": conversation_id, "limit": str(check_limit(limit))}
    if first_id:
        params["first_id"] = first_id
    return Call(method="GET", path="/messages", params=params, result=models.MessagePage, idempotent=True)


def list_message_rows(
    conversation_id: str, *, user: str, first_id: str | None = None, limit: int = 20
) -> Call[models.MessagePage]:
    """GET /messages, read for tables."""
    call: Call[Any] = list_messages(conversation_id, user=user, first_id=first_id, limit=limit)
    return msgspec.structs.replace(call, result=models.MessageRows)


def app_info() -> Call[models.AppInfo]:
    """GET /info."""
    return Call(method="GET", path="/info", result=models.AppInfo, idempotent=True)


def app_parameters(*, user: str) -> Call[models.Parameters]:
    """GET /parameters."""
    return Call(method="GET", path="/parameters", params={"user": user}, result=models.Parameters, idempotent=True)


def app_meta(*, user: str) -> Call[models.AppMeta]:
    """GET /meta."""
    return Call(method="GET", path="/meta", params={"user": user}, result=models.AppMeta, idempotent=True)


def app_site() -> Call[models.Site]:
    """GET /site (Dify 1.x)."""
    return Call(method="GET", path="/site", result=models.Site, idempotent=True)


def upload_file(*, user: str) -> Call[models.UploadedFile]:
    """POST /files/upload; the file itself travels as multipart beside this."""
    return Call(method="POST", path="/files/upload", body={"user": user}, result=models.UploadedFile)


def suggested_questions(message_id: str, *, user: str) -> Call[models.Suggested]:
    """GET /messages/{message_id}/suggested."""
    path = f"/messages/{segment('message_id', message_id)}/suggested"
    return Call(method="GET", path=path, params={"user": user}, result=models.Suggested, idempotent=True)


def message_feedback(
    message_id: str, *, rating: Literal["like", "dislike"] | None, content: str | None, user: str
) -> Call[models.Result]:
    """POST /messages/{message_id}/feedbacks; a rating of None takes it back."""
    if rating is not None:
        one_of("rating", rating, ("like", "dislike"))
    path = f"/messages/{segment('message_id', message_id)}/feedbacks"
    body: dict[str, Any] = {"rating": rating, "user": user}
    if content is not None:
        check_text("content", content)
        body["content"] = content
    return Call(method="POST", path=path, body=body, result=models.Result)


def app_feedbacks(*, page: int = 1, limit: int = 20) -> Call[models.FeedbackPage]:
    """GET /app/feedbacks (Dify 1.x)."""
    params = {"page": str(page), "limit": str(check_limit(limit, 101))}
    return Call(method="GET", path="/app/feedbacks", params=params, result=models.FeedbackPage, idempotent=True)


def rename_conversation(
    conversation_id: str, *, name: str | None, auto_generate: bool, user: str
) -> Call[models.Conversation]:
    """POST /conversations/{conversation_id}/name."""
    path = f"/conversations/{segment('conversation_id', conversation_id)}/name"
    if name is not None:
        check_text("name", name)
    if not auto_generate and (name is None or not name.strip()):
        raise InputError(t("net.no_name"), code="name")
    if name is not None and len(name) > 255:
        raise InputError(t("net.long_name", length=len(name)), code="name")
    body: dict[str, Any] = {"auto_generate": auto_generate, "user": user}
    if name is not None:
        body["name"] = name
    return Call(method="POST", path=path, body=body, result=models.Conversation)


def delete_conversation(conversation_id: str, *, user: str) -> Call[models.Result]:
    """DELETE /conversations/{conversation_id}; answered by 204, or by 200 on Dify 0.15."""
    path = f"/conversations/{segment('conversation_id', conversation_id)}"
    return Call(method="DELETE", path=path, body={"user": user}, result=models.Result)


def list_variables(
    conversation_id: str, *, user: str, last_id: str | None = None, limit: int = 20
) -> Call[models.VariablePage]:
    """GET /conversations/{conversation_id}/variables (Dify 1.x)."""
    path = f"/conversations/{segment('conversation_id', conversation_id)}/variables"
    params = {"user": user, "limit": str(check_limit(limit))}
    if last_id:
        params["last_id"] = last_id
    return Call(method="GET", path=path, params=params, result=models.VariablePage, idempotent=True)


def set_variable(
    conversation_id: str, variable_id: str, *, value: Any, user: str
) -> Call[models.ConversationVariable]:
    """PUT /conversations/{conversation_id}/variables/{variable_id} (Dify 1.x)."""
    conversation = f"/conversations/{segment('conversation_id', conversation_id)}"
    path = f"{conversation}/variables/{segment('variable_id', variable_id)}"
    body = {"value": value, "user": user}
    return Call(method="PUT", path=path, body=body, result=models.ConversationVariable, idempotent=True)


def preview_file(file_id: str, *, user: str) -> Call[bytes]:
    """GET /files/{file_id}/preview (Dify 1.x)."""
    path = f"/files/{segment('file_id', file_id)}/preview"
    return Call(method="GET", path=path, params={"user": user, "as_attachment": "true"}, result=bytes, idempotent=True)


def audio_to_text(*, user: str) -> Call[models.Spoken]:
    """POST /audio-to-text; the sound travels as multipart beside this."""
    return Call(method="POST", path="/audio-to-text", body={"user": user}, result=models.Spoken)


def text_to_audio(
    *, text: str | None, message_id: str | None, voice: str | None, user: str
) -> Call[bytes]:
    """POST /text-to-audio."""
    if not (text or message_id):
        raise InputError(t("net.nothing_to_say"), code="text")
    values = {"text": text, "message_id": message_id, "voice": voice}
    for name, value in values.items():
        if value is not None:
            check_text(name, value)
    body = {**{name: value for name, value in values.items() if value is not None}, "user": user, "streaming": True}
    return Call(method="POST", path="/text-to-audio", body=body, result=bytes)


def list_annotations(*, page: int = 1, limit: int = 20, keyword: str | None = None) -> Call[models.AnnotationPage]:
    """GET /apps/annotations (Dify 1.x)."""
    params = {"page": str(page), "limit": str(check_limit(limit))}
    if keyword:
        check_text("keyword", keyword)
        params["keyword"] = keyword
    return Call(method="GET", path="/apps/annotations", params=params, result=models.AnnotationPage, idempotent=True)


def _annotation(question: str, answer: str) -> dict[str, Any]:
    for name, value in (("question", question), ("answer", answer)):
        if not isinstance(value, str) or not value.strip():
            raise InputError(t("net.empty_annotation", name=name), code=name)
    return {"question": question, "answer": answer}


def create_annotation(question: str, answer: str) -> Call[models.Annotation]:
    """POST /apps/annotations (Dify 1.x)."""
    body = _annotation(question, answer)
    return Call(method="POST", path="/apps/annotations", body=body, result=models.Annotation)


def update_annotation(annotation_id: str, question: str, answer: str) -> Call[models.Annotation]:
    """PUT /apps/annotations/{annotation_id} (Dify 1.x)."""
    path = f"/apps/annotations/{segment('annotation_id', annotation_id)}"
    body = _annotation(question, answer)
    return Call(method="PUT", path=path, body=body, result=models.Annotation, idempotent=True)


def delete_annotation(annotation_id: str) -> Call[models.Result]:
    """DELETE /apps/annotations/{annotation_id} (Dify 1.x)."""
    path = f"/apps/annotations/{segment('annotation_id', annotation_id)}"
    return Call(method="DELETE", path=path, result=models.Result)


def annotation_reply(action: str, **settings: Any) -> Call[models.Job]:
    """POST /apps/annotation-reply/{action} (Dify 1.x). Dify 1.12 wants the settings to disable it, too."""
    one_of("action", action, ("enable", "disable"))
    threshold = settings.get("score_threshold", 0.9)
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not 0 <= threshold <= 1:
        raise InputError(t("net.bad_threshold", value=repr(threshold)), code="score_threshold")
    names = ("embedding_provider_name", "embedding_model_name")
    body = {"score_threshold": threshold, **{name: settings.get(name, "") for name in names}}
    return Call(method="POST", path=f"/apps/annotation-reply/{action}", body=body, result=models.Job)


def annotation_reply_status(action: str, job_id: str) -> Call[models.Job]:
    """GET /apps/annotation-reply/{action}/status/{job_id} (Dify 1.x)."""
    one_of("action", action, ("enable", "disable"))
    path = f"/apps/annotation-reply/{action}/status/{segment('job_id', job_id)}"
    return Call(method="GET", path=path, result=models.Job, idempotent=True)


def end_user(end_user_id: str) -> Call[models.EndUser]:
    """GET /end-users/{end_user_id} (newer than Dify 1.12)."""
    path = f"/end-users/{segment('end_user_id', end_user_id)}"
    return Call(method="GET", path=path, result=models.EndUser, idempotent=True)
