"""One `%%dify` cell: what it would send, sending it, and what becomes of the answer."""

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
from ..app.files import FileInput, Pattern, holds_file, sources_of
from ..app.known import Fitted
from ..app.origin import Filled, Origin, Value, values
from ..app.words import CELL, in_words
from ..errors import InputError
from ..i18n import t
from ..net import files as net_files
from ..net.checks import check_attachments, check_input
from ..wire import calls
from ..wire.models import UploadedFile
from .namespace import unbound_message
from .parse import Arguments, Assignment
from .split import split
from .state import AppSession, State
from .template import expand, pieces, resolve


class Question(msgspec.Struct, kw_only=True):
    """Everything that a cell asks, ready to be sent."""

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


def prepare(
    arguments: Arguments,
    body: str,
    app_session: AppSession,
    state: State,
    namespace: dict[str, Any],
    cell: tuple[str, ...],
) -> Question:
    """What the cell asks. Nothing of it has been sent; the app's form may have been asked for.

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
    given = given_by(arguments, namespace)
    files: list[Any] = []
    for text in arguments.files:
        named = _filled(text, arguments, namespace, "-f")
        files += find_files(in_words(replace(CELL, place=f"-f {text}"), sources_of, named))
    session = app_session.session
    app = session.call(session.learn())
    conversation, again = _conversation(arguments, app_session, state, namespace, cell)
    before = app_session.conversations.get(conversation or "")
    known = {} if before is None else before.values
    fitted = session.fit(CELL, given, known, later=conversation is not None)
    inputs = fitted.inputs
    check_attachments(files, app.parameters)
    for name, value in inputs.items():
        if isinstance(value, FileInput):
            control = app.controls.get(name, {})
            found = replace(value, sources=tuple(find_files(value.sources)))
            inputs[name] = in_words(CELL, counted, name, control, found)
            check_input(name, found.sources, control, app.parameters)
    return Question(
        query=query, inputs=inputs, files=files, conversation_id=conversation, again=again, dropped=fitted.dropped
    )


def _without_blank_ends(text: str) -> str:
    """The text without the blank lines in front and the blanks behind; its first line keeps its indentation."""
    blank = len(text) - len(text.lstrip())
    return text[text.rfind("\n", 0, blank) + 1 :].rstrip()


def _filled(text: str, arguments: Arguments, namespace: Mapping[str, Any], where: str) -> Value:
    """What a text of the line says, and whose words those are."""
    if arguments.no_vars:
        return Value(text, Origin.LINE)
    parts = pieces(text, namespace, where=where)
    if len(parts) == 1 and isinstance(parts[0], Filled) and holds_file(parts[0].value):
        return Value(parts[0].value, Origin.PYTHON)
    filled = any(isinstance(part, Filled) for part in parts)
    return Value(expand(text, namespace, where=where), Origin.TEMPLATE if filled else Origin.LINE, tuple(parts))


def given_by(arguments: Arguments, namespace: dict[str, Any]) -> dict[str, Value]:
    """The inputs that a line gives, each with its origin; expressions are evaluated in `namespace`."""
    found: Any = arguments.inputs_from or {}
    if isinstance(found, str):
        found = resolve(found, namespace)
        if not isinstance(found, Mapping):
            kind = type(found).__name__
            raise InputError(t("magic.inputs_no_dict", name=arguments.inputs_from, type=kind), code="inputs")
    given = values({str(name): one for name, one in found.items()}, Origin.PYTHON)
    for one in arguments.inputs:
        if one.expression:
            given[one.name] = Value(_evaluate(one, namespace), Origin.PYTHON)
        else:
            given[one.name] = _filled(one.text, arguments, namespace, f"-i {one.name}")
    return given


def _evaluate(one: Assignment, namespace: dict[str, Any]) -> Any:
    problem = ""
    try:
        # The user's own code in the user's own kernel, as in any cell.
        return eval(compile(one.text, f"<-i {one.name}>", "eval"), namespace)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        if isinstance(error, NameError) and (told := unbound_message(error.name or "", namespace)):
            problem = told.rstrip(".。")
    raise InputError(t("magic.expression_failed", name=one.name, text=one.text, problem=problem), code="inputs")


def find_files(sources: Sequence[Any]) -> list[Any]:
    """The same files, with what the user typed resolved to the paths that it names.

    Raises:
        InputError: there is none, or it is a directory.
    """
    found: list[Any] = []
    for source in sources:
        if isinstance(source, Pattern):
            found += _paths_of(source.text)
        elif isinstance(source, os.PathLike):
            found.append(net_files.check_file(source))
        else:
            found.append(source)
    return found


def _paths_of(text: str) -> list[Path]:
    """The files that a typed path or pattern names."""
    path = Path(os.path.expanduser(text))
    if path.is_dir():
        raise InputError(t("magic.file.directory", path=text, pattern=os.path.join(text, "*")), code="file")
    if path.exists():
        return [path]
    found = sorted(one for one in glob.glob(str(path), recursive=True) if os.path.isfile(one))
    if not found:
        where = os.getcwd().replace(os.path.expanduser("~"), "~", 1)
        raise InputError(t("magic.file.none", path=text, where=where), code="file")
    return [Path(one).absolute() if one.startswith("~") else Path(one) for one in found]


def cell_key(
    app_session: AppSession, line: str, body: str, cell_id: str | None, *, terminal: bool = False
) -> tuple[str, ...]:
    """What a cell, or a terminal's line, is recognised by: its id where the frontend gives one, else its text."""
    server = "local" if app_session.settings.origin == "local" else app_session.settings.base_url
    place = (server, app_session.label, app_session.settings.user)
    if cell_id:
        return (*place, "id", cell_id)
    words = [word.text for word in split(line) if word.text != "--again"]
    return (*place, "line" if terminal else "text", hashlib.sha256("\0".join([*words, "", body]).encode()).hexdigest())


def _conversation(
    arguments: Arguments, app_session: AppSession, state: State, namespace: Mapping[str, Any], cell: tuple[str, ...]
) -> tuple[str | None, bool]:
    """Where the cell asks, and whether that place has gone on since its first run."""
    if arguments.new:
        return None, False
    if arguments.again and (known := state.start_key(cell)) is not None:
        start = state.starts[known]
        return start, start is not None
    if arguments.conversation is not None:
        return app_session.find(arguments.conversation, namespace), False
    return (None if state.mode == "fresh" else app_session.session.conversation_id), False


def describe(question: Question, app_session: AppSession, timeout: float | None) -> dict[str, Any]:
    """Exactly what would be sent, for `--dry-run`: everything but the key."""
    files = [_promised(source) for source in question.files]
    inputs: dict[str, Any] = {}
    for name, value in question.inputs.items():
        if isinstance(value, FileInput):
            promised = [_promised(source) for source in value.sources]
            inputs[name] = promised if value.many else promised[0]
        else:
            inputs[name] = value
    call = calls.chat_messages(
        question.query,
        user=app_session.settings.user,
        inputs=inputs,
        conversation_id=question.conversation_id,
        files=files or None,
    )
    url = app_session.settings.base_url + call.path
    shown: dict[str, Any] = {"method": call.method, "url": url, "json": call.body}
    if timeout is not None:
        shown["timeout"] = timeout
    return shown


def _promised(source: Any) -> dict[str, Any]:
    """How the question will name a file that is not uploaded yet; its content is left alone."""
    if isinstance(source, dict):
        return source
    if isinstance(source, UploadedFile):
        return dict(net_files.reference(source))
    name, content, ours = net_files.open_file(source, None)
    size = net_files.size_of(content)
    if ours:
        content.close()  # type: ignore[union-attr]  # ours is a file
    told = t("magic.dry_run.upload", name=name, size="?" if size is None else f"{size:,}")
    kind = net_files.kind_of(name, net_files.mime_of(name))
    return {"type": kind, "transfer_method": "local_file", "upload_file_id": told}


def uploaded(question: Question, app_session: AppSession) -> dict[str, Any]:
    """The inputs with their files uploaded, as they are sent."""
    return app_session.session.call(app_session.client.files.inputs(Fitted(question.inputs).given))
