"""Everything that can go wrong, as one tree.

DifyError
├── ConfigError            where key and server come from is unclear or wrong
├── InputError             refused before anything was sent
├── TapeError              a tape cannot be read: it is none, or too long; a ValueError too
│   └── TapeGone               its events are kept nowhere any more
├── APIError               the server answered with an error
│   ├── AuthenticationError    401, 403: key missing, wrong, or app without API access
│   ├── NotFoundError          404
│   ├── RateLimitError         429, or Dify's 400 for too many requests at once
│   └── ServerError            500 and above, and answers that are no Dify's
│       └── EndlessList            a list goes on beyond its bound; `.items` has what came
├── ConnectError           no answer, or none that can be read
│   └── TimeoutException       nothing came in time
└── TurnFailed             the answer itself ended badly; `.turn` has what came
    └── TurnIncomplete         it ended without its end: lost, timed out, stopped halfway
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .error_bodies import error_of, readable
from .i18n import current_language, sentences, t
from .printable import MESSAGE, one_line, shown, visible

if TYPE_CHECKING:
    from .turn.state import Turn


class DifyError(Exception):
    """What was attempted, what the server said, and what to try next.

    The attributes are as they came. `str`, `repr` and so tracebacks and log lines are harmless for terminals:
    control characters and direction overrides are visible signs, a message is cut at `printable.MESSAGE` characters
    (4,000), and its further lines are indented, so that none passes for one of ours.

    Attributes:
        status: HTTP status, or the status inside a stream's error event; None when nothing came.
        code: Dify's `code`, such as `invalid_param`, or one of ours.
        message: what the server said, or what is wrong.
        request_id: the server's id of the request, where it gave one.
        hint: one line of what to do, in the user's language; may be empty.
        attempted: what was tried, such as `POST /chat-messages`; may be empty.
        turn: what had come of the answer, where there was one.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        status: int | None = None,
        request_id: str | None = None,
        hint: str = "",
        attempted: str = "",
        turn: Turn | None = None,
    ) -> None:
        from .redact import redact

        message, attempted = redact(message), redact(attempted)  # a server may repeat a signed address
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.request_id = request_id
        self.hint = hint or hint_for(code, message, status)
        self.attempted = attempted
        self.turn = turn

    def __str__(self) -> str:
        facts = [str(self.status) if self.status else "", one_line(self.code)]
        summary = " ".join(fact for fact in facts if fact)
        head = f"{one_line(self.attempted)}: " if self.attempted else ""
        lines = [f"{head}{summary + ': ' if summary else ''}{said_by(readable(self.message))}"]
        if self.request_id:
            lines.append(f"request id: {one_line(self.request_id)}")
        if self.hint:
            lines.append(shown(self.hint, MESSAGE))
        return "\n".join(lines)

    def __repr__(self) -> str:
        return shown(super().__repr__(), MESSAGE)


def said_by(message: str) -> str:
    """What a server said, for a terminal: harmless, bounded, and its further lines indented."""
    return "\n    ".join(visible(message, MESSAGE).splitlines())


class ConfigError(DifyError):
    """Where key and server come from is unclear or wrong."""


class InputError(DifyError):
    """A value was refused before anything was sent."""


class TapeError(DifyError, ValueError):
    """A file is no tape, or a longer one than was allowed."""


class TapeGone(TapeError):
    """The events of a run are kept nowhere any more."""


class APIError(DifyError):
    """The server answered with an error."""


class AuthenticationError(APIError):
    """The key is missing or wrong, or the app's API is switched off."""


class NotFoundError(APIError):
    """There is no such conversation, message, file or route for this key and user."""


class RateLimitError(APIError):
    """Too many requests, in time or at once.

    Attributes:
        retry_after: seconds that the server asks to be left alone; None where it did not say.
    """

    retry_after: float | None = None


class ServerError(APIError):
    """The server failed, or what answered is no Dify."""


class EndlessList(ServerError):
    """A list goes on beyond its bound.

    Attributes:
        items: what had come.
    """

    items: Sequence[Any] = ()


class ConnectError(DifyError):
    """The server could not be reached, or its answer could not be read to the end."""


class TimeoutException(ConnectError):
    """Nothing came in time."""


ConnectionFailed = ConnectError  # the names of 0.1.0
TimedOut = TimeoutException


class TurnFailed(DifyError):
    """The answer ended in an error; `.turn` holds what came before it."""


class TurnIncomplete(TurnFailed):
    """The answer ended without its end; `.turn` holds what came before."""


def hint_for(code: str, message: str, status: int | None) -> str:
    """One line of what to do, by the code and by the words that Dify is known to use."""
    known = sentences(current_language())
    lowered = message.lower()
    if code == "not_json" and status:  # a page, not Dify's word: what it means is in the status
        key = "hint.blocked" if status in (401, 403) else f"hint.{status}"
        return known.get(key, known["hint.not_json"])
    for words, key in _BY_WORDS:
        if all(word in lowered for word in words.split(" … ")):
            return known[key]
    names = (status, code) if code in _GENERAL else (code, status)
    for name in names:
        if name and f"hint.{name}" in known:
            return known[f"hint.{name}"]
    return ""


_GENERAL = ("invalid_param", "bad_request")
"""Codes that say no more than that something is wrong."""

_BY_WORDS = (
    ("in input form", "hint.inputs"),  # since Dify 1.13 a chatflow's run says so, not its answer to the request
    ("query is required", "hint.query"),
    ("run failed:", "hint.run_failed"),
    ("too many requests. please try again later", "hint.too_many_requests"),
    ("conversation not exists", "hint.conversation"),
    ("message not exists", "hint.message"),
    ("does not support blocking mode", "hint.agent_blocking"),
    ("only supports streaming", "hint.agent_blocking"),
    ("workflow not published", "hint.unpublished"),
    ("has no bound agent", "hint.agent_not_published"),
    ("workflow run not found", "hint.unknown_run"),
    ("workflow not found with id", "hint.unknown_version"),
    ("form not found", "hint.human_input_form_not_found"),
    ("provider … does not exist", "hint.provider"),
    ("arg user must be provided", "hint.user"),
    ("speech to text is not enabled", "hint.speech_off"),
    ("tts is not enabled", "hint.sound_off"),
    ("suggested questions is disabled", "hint.suggested_off"),
    ("reached maximum retries … for url", "hint.remote_file"),
    ("invalid upload file", "hint.upload_id"),
    ("file validation failed", "hint.unsupported_file_type"),
    ("rating cannot be none", "hint.no_rating"),
    ('"error_type" … "message"', "hint.completion_request_error"),  # what a model's plugin raised
)
"""What messages say, in lower case; the parts around " … " stand anywhere in them. The first that fits counts."""


def from_response(attempted: str, status: int, content_type: str, body: bytes, request_id: str | None) -> APIError:
    """The error that an HTTP answer of 400 and above means, whatever its form."""
    import msgspec

    code, message, content_type = "", "", content_type.lower()
    data: Any = None
    if "json" in content_type or body.lstrip()[:1] == b"{":  # gateways lose the type
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            data = msgspec.json.decode(body)
    if isinstance(data, dict):
        code = str(data.get("code") or "")
        message = str(data.get("message") or "")
        if data.get("params"):
            message = f"{message} ({data['params']})" if message else str(data["params"])
        if not message and (error := error_of(data)) is not None:  # a gateway's
            code, message = str(error["code"] or ""), error["message"]
        if code and not message:
            message = t("net.no_reason")
    if not message:
        if "html" in content_type:
            code = code or "not_json"
            message = t("net.html_answer", status=status)
        else:
            message = body[:200].decode("utf-8", "replace").strip() or t("net.empty_answer", status=status)
    kind: type[APIError] = APIError
    if status in (401, 403):
        kind = AuthenticationError
    elif status == 404:
        kind = NotFoundError
    elif status == 429 or "too many requests" in message.lower():
        kind = RateLimitError
    elif status >= 500:
        kind = ServerError
    return kind(message, code=code, status=status, request_id=request_id, attempted=attempted)


_ATTEMPTED = {"workflow": "workflow run", "completion": "completion"}
"""What was attempted, by the mode of an app that does not chat."""


def raise_for_turn(turn: Turn) -> None:
    """Raise what the end of a turn means; nothing for one that came to its end."""
    if turn.status in ("succeeded", "partial_succeeded", "stopped", "paused", "running"):
        return
    from .redact import redact

    error = turn.error  # verbose tracebacks show what stands here
    code = error.code if error else turn.end or "incomplete"
    message = redact(error.message) if error else t(f"net.end.{turn.end or 'eof'}")
    kind = TurnFailed if turn.status == "failed" else TurnIncomplete
    alone = turn.workflow_run_id and not turn.message_id  # a workflow app's run
    raise kind(
        message,
        code=code,
        status=error.status if error else None,
        turn=turn,
        hint=t("hint.lost_run") if alone and turn.end in ("disconnected", "eof") else "",
        attempted="workflow run" if alone else _ATTEMPTED.get(turn.app_mode or "", "chat"),
    )
