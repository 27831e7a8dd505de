"""The kinds of outcome that the table of exchanges tells: what a line can say.

Each kind holds the facts that a person would check on the value, not the whole value. Ids are told
by their first four characters (a pair of them: first and last item), times as ISO 8601 in UTC,
of the first item where there are several.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Refused:
    """An error: what the exception should say."""

    status: int
    code: str | None
    """Dify's code; None where what answered was no Dify, or no error of Dify's."""
    said: str = ""
    """How the server's message begins."""
    kind: str = "APIError"
    """Name of the exception's class."""


@dataclass(frozen=True)
class Done:
    """It was done, and there is nothing more to tell."""

    status: int = 200
    """200 with {"result": "success"}, or 204 with nothing."""


@dataclass(frozen=True)
class Conversations:
    """A page of conversations, in the order of the wire."""

    count: int
    ids: str = ""
    more: bool = False
    created: str = ""
    updated: str = ""
    names: dict[int, str] = field(default_factory=dict)
    """By position; the others are called TITLE."""
    inputs: dict[str, Any] = field(default_factory=dict)
    """Of the first, without those that are null."""
    introduction: str = ""
    """Of the first: the opening statement, filled in."""


@dataclass(frozen=True)
class Conversation:
    """One conversation, as a rename answers it."""

    id: str
    name: str
    created: str
    updated: str
    inputs: dict[str, Any] = field(default_factory=dict)
    introduction: str = ""


@dataclass(frozen=True)
class Messages:
    """A page of messages, in the order of the wire: oldest first."""

    count: int
    ids: str = ""
    more: bool = False
    created: str = ""
    query: str = ""
    """Of the first."""
    lengths: tuple[int, ...] = ()
    """Characters of each answer."""
    failed: dict[int, str] = field(default_factory=dict)
    """By position, how the error begins."""
    ratings: str = ""
    """One character a message: + like, - dislike, . none; empty where no message has any."""
    tools: tuple[str, ...] = ()
    """One for each thought of an agent, empty for a thought without a tool."""
    thoughts: tuple[int, ...] = ()
    """Characters of each thought."""
    files: tuple[str, ...] = ()
    """Type, way and size in bytes of each file, all of them the user's; - for a size not known."""
    citations: tuple[str, ...] = ()
    """Document and score."""
    paused: tuple[int, ...] = ()
    """Positions of those that wait for a person; the status of all others is normal, but for the failed."""


@dataclass(frozen=True)
class MessageCounts:
    """A page of messages of the long log, by counts."""

    count: int
    ids: str = ""
    more: bool = False
    empty: int = 0
    """Messages without an answer."""
    failed: int = 0
    """Messages with an error; every one of them is also empty."""
    thoughts: int = 0
    files: int = 0
    citations: int = 0
    ratings: str = ""
    """+ like, - dislike, in order, of those that have one."""


@dataclass(frozen=True)
class Suggested:
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Variables:
    """A page of conversation variables: type and value, the value as it is meant."""

    values: dict[str, tuple[str, Any]]
    more: bool = False
    created: str = ""
    updated: str = ""
    """Of the first; an empty page has neither."""


@dataclass(frozen=True)
class Variable:
    id: str
    """Last four characters: the first are the same for all of them."""
    name: str
    type: str
    value: Any
    updated: str


@dataclass(frozen=True)
class Upload:
    id: str
    name: str
    size: int
    extension: str
    mime_type: str
    created_by: str
    created: str
    source_url: bool = False
    """Whether a signed address came with it."""


@dataclass(frozen=True)
class Content:
    """Bytes of a file or of speech."""

    length: int
    starts: bytes
    mime_type: str
    name: str | None = None
    """What Content-Disposition proposes."""


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Info:
    name: str
    description: str
    mode: str | None = None
    author: str | None = None


@dataclass(frozen=True)
class Meta:
    icons: dict[str, str] = field(default_factory=dict)
    """Tool and the path of its icon's URL."""


@dataclass(frozen=True)
class Site:
    """All recorded sites are alike but for the title."""

    title: str
    icon: str = "🤖"
    icon_background: str = "#FFEAD5"
    language: str = "en-US"
    workflow_steps: bool = True


@dataclass(frozen=True)
class Parameters:
    """What an app takes. The limits are the same in all recordings: 15 MB, image 10, audio 50, video 100."""

    opening: str | None = ""
    """None where the app tells null."""
    suggested: tuple[str, ...] = ()
    form: str = ""
    """Name:type of each input, with ! where it must be given and /n for a max_length told."""
    on: str = "citations"
    """What is enabled, of: suggest speech tts citations annotations files images."""
    files: str = ""
    """Where files may be sent: how many, and of which types; a dot before an extension."""
    voice: str | None = ""
    """Of text to speech; None where the app does not tell one."""


@dataclass(frozen=True)
class Feedbacks:
    count: int
    ids: str
    rating: str
    content: str
    created: str


@dataclass(frozen=True)
class Annotations:
    """A page of annotations."""

    count: int
    ids: str = ""
    more: bool = False
    total: int = 0
    questions: tuple[str, ...] = ()
    created: str = ""


@dataclass(frozen=True)
class Annotation:
    id: str
    question: str
    answer: str
    hits: int
    created: str


@dataclass(frozen=True)
class Job:
    """The switching on or off of annotated replies."""

    id: str
    status: str
    error: str = ""
    """How the error begins."""


@dataclass(frozen=True)
class Form:
    """What a paused run asks a person."""

    content: str
    fields: str = ""
    """name:type of each, with =default and /options."""
    actions: str = ""
    """id/style of each."""
    expires: str = ""


@dataclass(frozen=True)
class RunDetail:
    """A run as the server keeps it."""

    id: str
    status: str
    created: str
    steps: int
    tokens: int
    inputs: dict[str, Any] = field(default_factory=dict)
    """Those of the app that were given: see `brief`."""
    outputs: dict[str, Any] | None = field(default_factory=dict)
    """In the same way; None where it tells none."""
    error: str = ""
    """How it begins."""
    finished: str = ""


@dataclass(frozen=True)
class Logs:
    """A page of the log of runs, in the order of the wire: the newest first."""

    count: int
    ids: str = ""
    statuses: str = ""
    """A letter each: succeeded, failed, partial-succeeded, running, x for stopped."""
    tokens: int = 0
    """Of all of them."""
    created: str = ""
    """Of the first line."""
    more: bool = False
    users: str = "golden-user"
    """Who asked for them, in order."""
    exceptions: int = 0
    """Of all of them."""
    total: int = 0
    """Where the page is empty, and the log is not."""


@dataclass(frozen=True)
class Ran:
    """The answer of a run in one piece."""

    id: str
    status: str
    outputs: dict[str, Any] | None


def brief(value: Any) -> Any:
    """A value of a run: short texts and numbers as they are, else what it is and how much of it."""
    if isinstance(value, str):
        return value if len(value) <= 24 else f"{len(value)} characters"
    if isinstance(value, list):
        return f"{len(value)} items"
    if isinstance(value, dict):
        return "a file" if value.get("dify_model_identity") else f"{len(value)} fields"
    return value


@dataclass(frozen=True)
class Json:
    """What a raw request finds, where no operation would ask."""

    status: int
    facts: dict[str, Any]


Outcome = (
    Refused | Done | Conversations | Conversation | Messages | MessageCounts | Suggested | Variables
    | Variable | Upload | Content | Text | Info | Meta | Site | Parameters | Feedbacks | Annotations
    | Annotation | Job | Form | RunDetail | Logs | Ran | Json
)  # fmt: skip


@dataclass(frozen=True)
class Expected:
    """One exchange."""

    case: str
    call: str | None
    """The operation that makes this request; None where none does, for the reason in `why`. The
    outcome is then what the operation of the same route would make of such an answer."""
    outcome: Outcome
    why: str = ""
    refuses: bool = False
    """The operation must refuse these values itself, with an InputError and without sending."""


TITLE = "Stub chat title 🤖"
"""What the servers' stand-in for a model calls every conversation."""

# Errors that occur often.
NO_ROUTE = Refused(404, None, "", "NotFoundError")
"""An HTML page: no such route, or an id in the path that is no UUID."""
NO_CONVERSATION = Refused(404, "not_found", "Conversation Not Exists.", "NotFoundError")
NO_MESSAGE = Refused(404, "not_found", "Message Not Exists.", "NotFoundError")
BAD_KEY = Refused(401, "unauthorized", "Access token is invalid", "AuthenticationError")
BAD_HEADER = Refused(401, "unauthorized", "Authorization header must be provided", "AuthenticationError")
DISABLED = Refused(403, "forbidden", "The app's API service has been disabled.", "AuthenticationError")
NOT_CHAT = Refused(400, "not_chat_app", "Please check if your app mode matches the right API route.")
UNAVAILABLE = Refused(400, "app_unavailable", "App unavailable, please check your app configurations.")
NO_USER = Refused(400, "invalid_param", "Arg user must be provided.")
NOT_JSON = Refused(415, "unsupported_media_type", "Did not attempt to load JSON data")
NO_PART = Refused(400, "bad_request_key_error", "The browser (or proxy) sent a request")
CRASHED = Refused(500, "unknown", "Internal Server Error", "ServerError")
CRASHED_OTHERWISE = Refused(500, "internal_server_error", "The server encountered an internal", "ServerError")
NOTHING_TO_REVOKE = Refused(400, "invalid_param", "rating cannot be None when feedback not exists")
NO_SUGGESTIONS = Refused(400, "bad_request", "Suggested Questions Is Disabled.")
NO_SPEECH_TO_TEXT = Refused(400, "invalid_param", "Speech to text is not enabled")
NO_TEXT_TO_SPEECH = Refused(400, "invalid_param", "TTS is not enabled")


def invalid(said: str) -> Refused:
    """400 `invalid_param`."""
    return Refused(400, "invalid_param", said)
