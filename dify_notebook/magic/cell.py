"""One `%%dify` cell as a request: what it would send, and its files uploaded."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from ..app.controls import counted
from ..app.entry_points import CELL, as_input_error
from ..app.files import FileInput, Pattern, holds_file, sources_of
from ..app.known import Fitted, KnownApp
from ..app.origin import Filled, Origin, Value, values
from ..errors import ConfigError, InputError
from ..i18n import t
from ..net import files as net_files
from ..net.checks import check_attachments, check_input
from ..printable import one_line
from ..wire import calls
from ..wire.kinds import OTHER_MODES
from ..wire.models import UploadedFile
from .namespace import unbound_message
from .parse import Arguments, Assignment
from .split import split
from .state import AppSession, State
from .template import expand, literals_and_values, resolve


class ChatRequest(msgspec.Struct, kw_only=True):
    """What a cell sends to `/chat-messages`, complete."""

    query: str
    inputs: dict[str, Any]
    """Fitted to the app's form; files are `FileInput` with paths that exist, not uploaded yet."""
    files: list[Any]
    """Paths that exist, what else the client takes as a file, and references to what the server fetches."""
    conversation_id: str | None
    """None begins a new conversation."""
    again: bool = False
    """Whether it is asked at the end of a conversation that has gone on since its first run."""
    dropped: tuple[str, ...] = ()
    """Inputs that the server told of and does not take back: files in a form of its own."""


def build_request(
    arguments: Arguments,
    body: str,
    app_session: AppSession,
    state: State,
    namespace: dict[str, Any],
    cell: tuple[str, ...],
) -> ChatRequest:
    """The request of the cell. Nothing of it has been sent; the app's form may have been fetched.

    Args:
        namespace: the notebook's variables; expressions are evaluated in them.
        cell: what the cell is recognised by, for `--again`.

    Raises:
        DifyError: something does not fit, and why.
    """
    fill = {} if arguments.no_vars else namespace
    query = _without_blank_ends(body if arguments.no_vars else expand(body, fill, first_line=2))
    if not query:
        raise InputError(t("magic.empty"), code="query")
    values = input_values(arguments, namespace)
    files: list[Any] = []
    for text in arguments.files:
        source = _expanded(text, arguments, namespace, "-f")
        files += find_files(as_input_error(replace(CELL, place=f"-f {text}"), sources_of, source))
    session = app_session.session
    app = session.call(session.learn())
    _check_mode(app, app_session)
    conversation_id, again = _conversation(arguments, app_session, state, namespace, cell)
    conversation = app_session.conversations.get(conversation_id or "")
    earlier = {} if conversation is None else conversation.values
    fitted = session.fit(CELL, values, earlier, later=conversation_id is not None)
    inputs = fitted.inputs
    check_attachments(files, app.parameters)
    for name, value in inputs.items():
        if isinstance(value, FileInput):
            control = app.controls.get(name, {})
            file = replace(value, sources=tuple(find_files(value.sources)))
            inputs[name] = as_input_error(CELL, counted, name, control, file)
            check_input(name, file.sources, control, app.parameters)
    return ChatRequest(
        query=query, inputs=inputs, files=files, conversation_id=conversation_id, again=again, dropped=fitted.dropped
    )


def _check_mode(app: KnownApp, app_session: AppSession) -> None:
    """Tell of a key whose app holds no conversations, as `%dify connect` does. Dify 0.15 does not say what it is."""
    mode = app.info.mode if app.info is not None else None
    if mode in OTHER_MODES:
        name = one_line((app.info and app.info.name) or app_session.label, 80)
        raise ConfigError(t("magic.other_app", app=name, mode=t(f"magic.app_mode.{mode}")), code="mode")


def _without_blank_ends(text: str) -> str:
    """The text without the blank lines in front and the blanks behind; its first line keeps its indentation."""
    blank = len(text) - len(text.lstrip())
    return text[text.rfind("\n", 0, blank) + 1 :].rstrip()


def _expanded(text: str, arguments: Arguments, namespace: Mapping[str, Any], label: str) -> Value:
    """A text of the line with its placeholders filled, and its origin."""
    if arguments.no_vars:
        return Value(text, Origin.LINE)
    parts = literals_and_values(text, namespace, label=label)
    if len(parts) == 1 and isinstance(parts[0], Filled) and holds_file(parts[0].value):
        return Value(parts[0].value, Origin.PYTHON)
    has_values = any(isinstance(part, Filled) for part in parts)
    return Value(expand(text, namespace, label=label), Origin.TEMPLATE if has_values else Origin.LINE, tuple(parts))


def input_values(arguments: Arguments, namespace: dict[str, Any]) -> dict[str, Value]:
    """The inputs that a line gives, each with its origin; expressions are evaluated in `namespace`."""
    mapping: Any = arguments.inputs_from or {}
    if isinstance(mapping, str):
        mapping = resolve(mapping, namespace)
        if not isinstance(mapping, Mapping):
            kind = type(mapping).__name__
            raise InputError(t("magic.inputs_no_dict", name=arguments.inputs_from, type=kind), code="inputs")
    inputs = values({str(name): value for name, value in mapping.items()}, Origin.PYTHON)
    for assignment in arguments.inputs:
        if assignment.expression:
            inputs[assignment.name] = Value(_evaluate(assignment, namespace), Origin.PYTHON)
        else:
            inputs[assignment.name] = _expanded(assignment.text, arguments, namespace, f"-i {assignment.name}")
    return inputs


def _evaluate(assignment: Assignment, namespace: dict[str, Any]) -> Any:
    problem = ""
    try:
        # The user's own code in the user's own kernel, as in any cell.
        return eval(compile(assignment.text, f"<-i {assignment.name}>", "eval"), namespace)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        if isinstance(error, NameError) and (message := unbound_message(error.name or "", namespace)):
            problem = message.rstrip(".。")
    text = t("magic.expression_failed", name=assignment.name, text=assignment.text, problem=problem)
    raise InputError(text, code="inputs")


def find_files(sources: Sequence[Any]) -> list[Any]:
    """The same files, with what the user typed resolved to the paths that it names.

    Raises:
        InputError: there is none, or it is a directory.
    """
    files: list[Any] = []
    for source in sources:
        if isinstance(source, Pattern):
            files += _matching_paths(source.text)
        elif isinstance(source, os.PathLike):
            files.append(net_files.check_file(source))
        else:
            files.append(source)
    return files


def _matching_paths(text: str) -> list[Path]:
    """The files that a typed path or pattern names."""
    path = Path(os.path.expanduser(text))
    if path.is_dir():
        raise InputError(t("magic.file.directory", path=text, pattern=os.path.join(text, "*")), code="file")
    if path.exists():
        return [path]
    matches = sorted(match for match in glob.glob(str(path), recursive=True) if os.path.isfile(match))
    if not matches:
        directory = os.getcwd().replace(os.path.expanduser("~"), "~", 1)
        raise InputError(t("magic.file.none", path=text, where=directory), code="file")
    return [Path(match).absolute() if match.startswith("~") else Path(match) for match in matches]


def cell_key(
    app_session: AppSession, line: str, body: str, cell_id: str | None, *, terminal: bool = False
) -> tuple[str, ...]:
    """What a cell, or a terminal's line, is recognised by: its id where the frontend gives one, else its text."""
    server = "local" if app_session.settings.source == "local" else app_session.settings.base_url
    prefix = (server, app_session.label, app_session.settings.user)
    if cell_id:
        return (*prefix, "id", cell_id)
    words = [word.text for word in split(line) if word.text != "--again"]
    return (*prefix, "line" if terminal else "text", hashlib.sha256("\0".join([*words, "", body]).encode()).hexdigest())


def _conversation(
    arguments: Arguments, app_session: AppSession, state: State, namespace: Mapping[str, Any], cell: tuple[str, ...]
) -> tuple[str | None, bool]:
    """The id of the conversation to ask in (None: a new one), and whether it has gone on since the cell's first run."""
    if arguments.new:
        return None, False
    if arguments.again and (key := state.start_key(cell)) is not None:
        start = state.starts[key]
        return start, start is not None
    if arguments.conversation is not None:
        return app_session.find(arguments.conversation, namespace), False
    return (None if state.mode == "fresh" else app_session.session.conversation_id), False


def describe_request(request: ChatRequest, app_session: AppSession, timeout: float | None) -> dict[str, Any]:
    """Exactly what would be sent, for `--dry-run`: everything but the key."""
    files = [_file_reference(source) for source in request.files]
    inputs: dict[str, Any] = {}
    for name, value in request.inputs.items():
        if isinstance(value, FileInput):
            references = [_file_reference(source) for source in value.sources]
            inputs[name] = references if value.many else references[0]
        else:
            inputs[name] = value
    call = calls.chat_messages(
        request.query,
        user=app_session.settings.user,
        inputs=inputs,
        conversation_id=request.conversation_id,
        files=files or None,
    )
    url = app_session.settings.base_url + call.path
    description: dict[str, Any] = {"method": call.method, "url": url, "json": call.body}
    if timeout is not None:
        description["timeout"] = timeout
    return description


def _file_reference(source: Any) -> dict[str, Any]:
    """How the request will name a file that is not uploaded yet; its content is not read."""
    if isinstance(source, dict):
        return source
    if isinstance(source, UploadedFile):
        return dict(net_files.reference(source))
    with net_files.open_file(source, None) as (name, content):
        size = net_files.size_of(content)
    upload_note = t("magic.dry_run.upload", name=name, size="?" if size is None else f"{size:,}")
    kind = net_files.kind_of(name, net_files.mime_of(name))
    return {"type": kind, "transfer_method": "local_file", "upload_file_id": upload_note}


def upload_inputs(request: ChatRequest, app_session: AppSession) -> dict[str, Any]:
    """The inputs as they are sent, with their files uploaded."""
    return app_session.session.call(app_session.client.files.inputs(Fitted(request.inputs).given))
