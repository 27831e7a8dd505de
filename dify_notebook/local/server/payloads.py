"""What requests say, checked: bodies and query strings into values, or an `ApiError` in Dify's words."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from python_multipart.exceptions import MultipartParseError
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from ..api_error import ApiError, invalid
from ..text import media_type

MAX_USER = 255
MAX_FILES = 10


def wrong(model: str, field: str, problem: str, kind: str) -> ApiError:
    """Dify hands on what its validation library says; only the field should be read out of it."""
    location = f"\n{field}\n" if field else "\n"
    return invalid(f"1 validation error for {model}{location}  {problem} [type={kind}]")


@asynccontextmanager
async def uploaded(request: Request, code: str, message: str) -> AsyncIterator[FormData]:
    """The parts of a request that brings a file.

    Args:
        code, message: what is said where it is no multipart at all.

    Raises:
        ApiError: 400, it is none, or a damaged one.
    """
    kind = media_type(request.headers.get("content-type"))
    if kind != "multipart/form-data":
        raise ApiError(400, code, message)
    try:
        async with request.form(max_files=MAX_FILES, max_fields=100) as form:
            # A charset of the sender's choice may give texts that cannot be written down.
            for name, value in form.multi_items():
                f"{name}{value if isinstance(value, str) else value.filename}".encode()
            yield form
    except UnicodeError:
        raise ApiError(400, "bad_request", "A text of the form cannot be read.") from None
    except (MultiPartException, MultipartParseError) as error:  # older versions of starlette hand the second one on
        raise ApiError(400, "bad_request", str(error)) from None


async def json_body(request: Request) -> dict[str, Any]:
    """The JSON object of a request.

    Raises:
        ApiError: 415 for another content type, 400 for what is not a JSON object.
    """
    kind = media_type(request.headers.get("content-type"))
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise ApiError(
            415,
            "unsupported_media_type",
            "Did not attempt to load JSON data because the request Content-Type was not 'application/json'.",
        )
    bad = ApiError(400, "bad_request", "The request body is not valid JSON.")
    try:
        body = json.loads(await request.body(), parse_constant=_no_constant)
        # A lone surrogate is legal in JSON and cannot be written as UTF-8 later on, nor as JSON what no float holds.
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise bad from None
    if not isinstance(body, dict):
        raise ApiError(400, "bad_request", "The request body is not a JSON object.")
    return body


def _no_constant(name: str) -> float:
    raise ValueError(name)


def user_of(source: Mapping[str, Any], *, default: str | None = None) -> str:
    """The end user that a request names.

    Raises:
        ApiError: none is named and there is no default, or the name is too long.
    """
    user = source.get("user")
    if isinstance(user, int) and not isinstance(user, bool):
        user = str(user)
    if user is None or user == "":
        if default is None:
            raise invalid("Arg user must be provided.")
        return default
    if not isinstance(user, str):
        raise invalid("user must be a string")
    if len(user) > MAX_USER:
        raise invalid(f"user must be at most {MAX_USER} characters")
    return user


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID in the usual form of five groups."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def query_uuid(request: Request, name: str, model: str) -> str | None:
    """A UUID out of the query string; None when it is absent or empty. Raises: ApiError."""
    text = request.query_params.get(name, "")
    if text and not is_uuid(text):
        raise wrong(model, name, "Value error, must be a valid UUID", "value_error")
    return text.lower() or None


def query_limit(request: Request, model: str) -> int:
    """`limit` of most lists, from 1 to 100; 20 when it is not given. Raises: ApiError."""
    return query_integer(request, "limit", model, default=20, maximum=100)


def query_integer(request: Request, name: str, model: str, *, default: int, maximum: int | None = None) -> int:
    """A whole number from 1, of the query string. Raises: ApiError."""
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        number = int(text)
    except ValueError:
        problem = "Input should be a valid integer, unable to parse string as an integer"
        raise wrong(model, name, problem, "int_parsing") from None
    if number < 1:
        raise wrong(model, name, "Input should be greater than or equal to 1", "greater_than_equal")
    if maximum is None:
        return min(number, 2**31)
    if number > maximum:
        raise wrong(model, name, f"Input should be less than or equal to {maximum}", "less_than_equal")
    return number


def query_number(request: Request, name: str, default: int) -> int:
    """A number of the query string where nonsense counts as not given, as for annotations."""
    try:
        number = int(request.query_params.get(name, default))
    except ValueError:
        return default
    return number if abs(number) < 2**31 else default


SORTS = ("created_at", "-created_at", "updated_at", "-updated_at")


def query_sort(request: Request) -> str:
    """`sort_by` of the list of conversations. Raises: ApiError."""
    sort = request.query_params.get("sort_by", "-updated_at")
    if sort not in SORTS:
        problem = "Input should be 'created_at', '-created_at', 'updated_at' or '-updated_at'"
        raise wrong("ConversationListQuery", "sort_by", problem, "literal_error")
    return sort


def required_conversation(request: Request) -> str | None:
    """`conversation_id` of the list of messages; None for an empty one. Raises: ApiError."""
    if "conversation_id" not in request.query_params:
        raise wrong("MessageListQuery", "conversation_id", "Field required", "missing")
    return query_uuid(request, "conversation_id", "MessageListQuery")


_YES = ("true", "yes", "on", "1", "t", "y")


def new_name(body: dict[str, Any], *, older: bool = False) -> str | None:
    """The name that a conversation shall get; None to have one generated.

    Args:
        older: take what Dify 0.15 takes: numbers, and blank names.

    Raises:
        ApiError: 400.
    """
    model = "ConversationRenamePayload"
    name = body.get("name")
    generate = body.get("auto_generate")
    if generate in (True, 1) or (isinstance(generate, str) and generate.lower() in _YES):
        return None
    if older and name is not None:
        name = str(name)
    if name is not None and not isinstance(name, str):
        raise wrong(model, "name", "Input should be a valid string", "string_type")
    if name is None or not (name.strip() or older):
        raise wrong(model, "", "Value error, name is required when auto_generate is false", "value_error")
    if len(name) > 255:
        raise wrong(model, "name", "String should have at most 255 characters", "string_too_long")
    return name


def rating(body: dict[str, Any]) -> tuple[str | None, str | None]:
    """Rating and comment of a feedback. Raises: ApiError."""
    value, content = body.get("rating"), body.get("content")
    if value not in (None, "like", "dislike"):
        raise wrong("MessageFeedbackPayload", "rating", "Input should be 'like' or 'dislike'", "literal_error")
    if content is not None and not isinstance(content, str):
        raise wrong("MessageFeedbackPayload", "content", "Input should be a valid string", "string_type")
    return value, content


def form_submission(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Action and inputs of an answer to a form. Raises: ApiError."""
    model = "HumanInputFormSubmitPayload"
    if "inputs" not in body:
        raise wrong(model, "inputs", "Field required", "missing")
    if not isinstance(body["inputs"], dict):
        raise wrong(model, "inputs", "Input should be a valid dictionary", "dict_type")
    return text_of(body, "action", model), body["inputs"]


def annotation_pair(body: dict[str, Any]) -> tuple[str, str]:
    """Question and answer of an annotation. Raises: ApiError."""
    return text_of(body, "question", "AnnotationCreatePayload"), text_of(body, "answer", "AnnotationCreatePayload")


def annotation_settings(body: dict[str, Any]) -> tuple[float, str, str]:
    """Threshold, provider and model of annotation answers. Raises: ApiError."""
    model = "AnnotationReplyActionPayload"
    if "score_threshold" not in body:
        raise wrong(model, "score_threshold", "Field required", "missing")
    threshold = body["score_threshold"]
    if isinstance(threshold, bool) or not isinstance(threshold, int | float):
        raise wrong(model, "score_threshold", "Input should be a valid number", "float_type")
    provider = text_of(body, "embedding_provider_name", model)
    return float(threshold), provider, text_of(body, "embedding_model_name", model)


def text_of(body: dict[str, Any], field: str, model: str) -> str:
    if field not in body:
        raise wrong(model, field, "Field required", "missing")
    value = body[field]
    if not isinstance(value, str):
        raise wrong(model, field, "Input should be a valid string", "string_type")
    return value


@dataclass(frozen=True)
class SpeechRequest:
    """The body of POST /text-to-audio."""

    text: str | None
    message_id: str | None
    voice: str | None


def speech_request(body: dict[str, Any]) -> SpeechRequest:
    """Raises: ApiError."""
    values: dict[str, str | None] = {}
    for name in ("text", "message_id", "voice"):
        value = body.get(name)
        if value is not None and not isinstance(value, str):
            raise wrong("TextToAudioPayload", name, "Input should be a valid string", "string_type")
        values[name] = value
    streaming = body.get("streaming")
    if streaming is not None and not isinstance(streaming, bool):
        raise wrong("TextToAudioPayload", "streaming", "Input should be a valid boolean", "bool_type")
    return SpeechRequest(values["text"], values["message_id"] or None, values["voice"])
