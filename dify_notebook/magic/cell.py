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
from ..app.files import FileInput, Pattern, sources_of
from ..app.known import Fitted, KnownApp
from ..app.origin import Origin as ValueOrigin
from ..app.origin import values
from ..app.template import expand
from ..errors import InputError
from ..i18n import t
from ..net import files as net_files
from ..net.ask import Asked
from ..net.ask import request as request_of
from ..net.checks import check_attachments, check_input
from ..wire.models import UploadedFile
from .cell_inputs import expanded, inputs_given, text_given
from .earlier import Step, before, refusal
from .earlier import steps as steps_of
from .held import Asks, Cell, Decision, Origin, decide
from .parse import OPTIONS, Arguments
from .split import split
from .state import AppSession, State


class Request(msgspec.Struct, kw_only=True):
    """What a cell asks with, complete."""

    query: str | None
    """None where the text is one of the inputs."""
    inputs: dict[str, Any]
    """Fitted to the app's form; files are `FileInput` with paths that exist, not uploaded yet."""
    files: list[Any]
    """Paths that exist, what else the client takes as a file, and references to what the server fetches."""
    conversation_id: str | None
    """None begins a new conversation."""
    workflow_id: str | None = None
    """The published version that is asked; None is the newest."""
    decision: Decision = Decision("continue")
    """Why it is asked there."""
    steps: tuple[Step, ...] = ()
    """The turns that are asked again before it, in a new conversation."""
    dropped: tuple[str, ...] = ()
    """Inputs that the server told of and does not take back: files in a form of its own."""
    left_out: tuple[str, ...] = ()
    """Columns of a table's row that the form does not have."""


def build_request(
    arguments: Arguments,
    body: str,
    app_session: AppSession,
    state: State,
    namespace: dict[str, Any],
    cell: Cell,
    origin: Origin,
) -> Request:
    """The request of the cell. Nothing of it has been sent; the app's form may have been fetched.

    Args:
        namespace: the notebook's variables; expressions are evaluated in them.
        cell: what the cell is known by.
        origin: whether it is a cell with an id.

    Raises:
        DifyError: something does not fit, and why.
    """
    text = "" if arguments.as_inputs else body if arguments.no_vars else expand(body, namespace, first_line=2)
    text = without_blank_ends(text)
    files: list[Any] = []
    for name in arguments.files:
        source = expanded(name, arguments, namespace, "-f")
        files += find_files(as_input_error(replace(CELL, place=f"-f {name}"), sources_of, source))
    session = app_session.session
    given = None if arguments.as_inputs else inputs_given(arguments, namespace)
    app = session.call(session.learn())
    _check_options(arguments, app, app_session)
    given = given or inputs_given(arguments, namespace, body)  # which is no question, as is known by now
    if app.takes.conversations and not text:
        raise InputError(t("magic.empty"), code="query")
    inputs, left_out = given.chosen(app)
    if not app.takes.conversations:
        inputs |= text_given(text, arguments.text, inputs, app)
    decision = _decision(arguments, app_session, state, namespace, cell, origin)
    steps, later = _steps(decision, app_session), decision.action in ("continue", "append", "replay")
    conversation = app_session.conversations.get(decision.conversation_id or "") if later else None
    earlier = {} if conversation is None else conversation.values
    if steps:  # what came behind the cell does not stand in front of it this time
        earlier = values(steps[-1].inputs, ValueOrigin.EARLIER)
    fitted = session.fit(CELL, inputs, earlier, later=later)
    check_attachments(files, app.parameters)
    for name, value in fitted.inputs.items():
        if isinstance(value, FileInput):
            control = app.controls.get(name, {})
            file = replace(value, sources=tuple(find_files(value.sources)))
            fitted.inputs[name] = as_input_error(CELL, counted, name, control, file)
            check_input(name, file.sources, control, app.parameters)
    return Request(
        query=text if app.takes.conversations else None,
        inputs=fitted.inputs,
        files=files,
        conversation_id=decision.conversation_id if decision.action in ("continue", "append") else None,
        workflow_id=arguments.workflow_id,
        decision=decision,
        steps=steps,
        dropped=fitted.dropped,
        left_out=left_out,
    )


OF_CONVERSATIONS = ("conversation", "new", "again", "append", "once")
"""Options that mean a conversation, by their fields."""
OF_INPUTS = ("text", "as_inputs")
"""Options that mean the cell's text as an input."""
OF_VERSIONS = ("workflow_id",)


def _check_options(arguments: Arguments, app: KnownApp, app_session: AppSession) -> None:
    """Tell which option means nothing to an app of that mode."""
    refused = {
        "magic.line.no_conversations": () if app.takes.conversations else OF_CONVERSATIONS,
        "magic.line.no_text_input": OF_INPUTS if app.takes.conversations else (),
        "magic.line.no_versions": () if app.takes.versions else OF_VERSIONS,
    }
    for key, fields in refused.items():
        for option in OPTIONS:
            if option.field in fields and getattr(arguments, option.field):
                raise InputError(t(key, option=option.names[0], app=app_session.named_with_kind), code="magic_line")


def without_blank_ends(text: str) -> str:
    """The text without the blank lines in front and the blanks behind; its first line keeps its indentation."""
    blank = len(text) - len(text.lstrip())
    return text[text.rfind("\n", 0, blank) + 1 :].rstrip()


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


def cell_key(line: str, body: str, cell_id: str | None, *, terminal: bool = False) -> Cell:
    """What a cell, or a terminal's line, is known by: its id where the frontend gives one, else its text."""
    if cell_id:
        return ("id", cell_id)
    words = [word.text for word in split(line) if word.text not in ("--again", "--append")]
    return ("line" if terminal else "text", hashlib.sha256("\0".join([*words, "", body]).encode()).hexdigest())


def _decision(
    arguments: Arguments,
    app_session: AppSession,
    state: State,
    namespace: Mapping[str, Any],
    cell: Cell,
    origin: Origin,
) -> Decision:
    """Where the cell asks.

    Raises:
        InputError: `-c` means no conversation.
    """
    named = None if arguments.conversation is None else app_session.find(arguments.conversation, namespace)
    asks = Asks(named=named, new=arguments.new, again=arguments.again, append=arguments.append)
    return decide(cell, origin, asks, app_session.session.conversation_id, state.mode, app_session.held)


def _steps(decision: Decision, app_session: AppSession) -> tuple[Step, ...]:
    """What is asked again before the cell's question.

    Raises:
        InputError: the cell is not asked at all, or a turn cannot be asked again.
    """
    if decision.place is None or decision.action not in ("refuse", "replay"):
        return ()
    if decision.action == "refuse":
        raise refusal(app_session, decision.place, named=decision.named)
    return steps_of(app_session, decision.place, before(app_session, decision.place))


def describe_request(request: Request, app_session: AppSession, timeout: float | None) -> dict[str, Any]:
    """Exactly what would be sent, for `--dry-run`: everything but the key."""
    conversation_id = t("magic.dry_run.conversation") if request.steps else request.conversation_id
    return _described(request, conversation_id, app_session, timeout)


def describe_steps(request: Request, app_session: AppSession, timeout: float | None) -> list[dict[str, Any]]:
    """The same of the turns that are asked again before it."""
    name = t("magic.dry_run.conversation")
    return [
        _described(step, name if index else None, app_session, timeout) for index, step in enumerate(request.steps)
    ]


def _described(
    asked: Request | Step, conversation_id: str | None, app_session: AppSession, timeout: float | None
) -> dict[str, Any]:
    files = [_file_reference(source) for source in asked.files]
    inputs: dict[str, Any] = {}
    for name, value in asked.inputs.items():
        if isinstance(value, FileInput):
            references = [_file_reference(source) for source in value.sources]
            inputs[name] = references if value.many else references[0]
        else:
            inputs[name] = value
    own = Asked(query=asked.query, conversation_id=conversation_id, workflow_id=asked.workflow_id)
    call = request_of(app_session.client, own)
    body = {**(call.body or {}), "inputs": inputs} | ({"files": files} if files else {})
    url = app_session.settings.base_url + call.path
    description: dict[str, Any] = {"method": call.method, "url": url, "json": body}
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


def upload_inputs(request: Request, app_session: AppSession) -> dict[str, Any]:
    """The inputs as they are sent, with their files uploaded."""
    return app_session.session.call(app_session.client.files.inputs(Fitted(request.inputs).given))
