"""One `%%dify` cell: what it would send, sending it, and what becomes of the answer."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..errors import InputError
from ..i18n import t
from ..net import files as net_files
from ..wire import calls
from .inputs import FileInput, fit
from .keys import hide_keys
from .parse import Arguments, Assignment
from .split import split
from .state import Seat, State
from .template import expand, resolve


class Question(msgspec.Struct, kw_only=True):
    """Everything that a cell asks, ready to be sent."""

    query: str
    inputs: dict[str, Any]
    """Fitted to the app's form; files are `FileInput` with paths that exist, not uploaded yet."""
    files: list[str]
    """Paths that exist, and URLs."""
    conversation_id: str | None
    """None begins a new conversation."""
    again: bool = False
    """Whether it is asked at the end of a conversation that has gone on since its first run."""


def prepare(
    arguments: Arguments, body: str, seat: Seat, state: State, names: dict[str, Any], cell: tuple[str, ...]
) -> Question:
    """What the cell asks. Nothing of it has been sent; the app's form may have been asked for.

    Args:
        names: the notebook's variables; expressions are evaluated in them.
        cell: what the cell is recognised by, for `--again`.

    Raises:
        DifyError: something does not fit, and why.
    """
    fill = {} if arguments.no_vars else names
    query = (body if arguments.no_vars else expand(body, fill, first_line=2)).strip("\n").rstrip()
    if not query.strip():
        raise InputError(t("magic.empty"), code="query")
    given = _given(arguments, names)
    files = [found for text in arguments.files for found in find_files(_filled(text, arguments, names, "-f"))]
    seat.learn()
    conversation, again = _conversation(arguments, seat, state, names, cell)
    before = seat.known.get(conversation or "")
    known = {} if before is None else before.inputs
    if seat.form is not None:
        asked_for = {str(control.get("variable")) for control in seat.form}
        known = {name: value for name, value in known.items() if name in asked_for}
    inputs = fit(seat.form, {**known, **given})
    if conversation is not None and seat.ignores_later_inputs:
        ignored = [name for name in given if name not in known or inputs.get(name) != known[name]]
        if ignored:
            version = seat.client.server_version
            raise InputError(
                t("magic.inputs_ignored", names=", ".join(ignored), version=version), code="inputs"
            )
    for name, value in inputs.items():
        if isinstance(value, FileInput):
            inputs[name] = _found(name, value)
    return Question(query=query, inputs=inputs, files=files, conversation_id=conversation, again=again)


def _filled(text: str, arguments: Arguments, names: Mapping[str, Any], where: str) -> str:
    return text if arguments.no_vars else expand(text, names, where=where)


def _given(arguments: Arguments, names: dict[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if arguments.inputs_from is not None:
        value = resolve(arguments.inputs_from, names)
        if not isinstance(value, Mapping):
            kind = type(value).__name__
            raise InputError(t("magic.inputs_no_dict", name=arguments.inputs_from, type=kind), code="inputs")
        given.update((str(name), one) for name, one in value.items())
    for one in arguments.inputs:
        if one.expression:
            given[one.name] = _evaluate(one, names)
        else:
            given[one.name] = _filled(one.text, arguments, names, f"-i {one.name}")
    return given


def _evaluate(one: Assignment, names: dict[str, Any]) -> Any:
    problem = ""
    try:
        # The user's own code in the user's own kernel, as in any cell.
        return eval(compile(one.text, f"<-i {one.name}>", "eval"), names)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    text = hide_keys(t("magic.expression_failed", name=one.name, text=one.text, problem=problem))
    raise InputError(text, code="inputs")


def find_files(text: str) -> list[str]:
    """The files that a path, a pattern or a URL names.

    Raises:
        InputError: there is none, or it is a directory.
    """
    if net_files.is_url(text):
        return [text]
    path = Path(text).expanduser()
    if path.is_dir():
        raise InputError(t("magic.file.directory", path=text, pattern=os.path.join(text, "*")), code="file")
    if path.exists():
        return [str(path)]
    found = sorted(one for one in glob.glob(str(path), recursive=True) if os.path.isfile(one))
    if not found:
        where = os.getcwd().replace(os.path.expanduser("~"), "~", 1)
        raise InputError(t("magic.file.none", path=text, where=where), code="file")
    return found


def _found(name: str, value: FileInput) -> FileInput:
    """The same input with its patterns resolved to paths."""
    sources = tuple(found for source in value.sources for found in find_files(source))
    if not value.many and len(sources) != 1:
        raise InputError(t("magic.input.one_file", name=name, count=len(sources)), code="inputs")
    return FileInput(sources, value.many)


def cell_key(
    seat: Seat, line: str, body: str, cell_id: str | None, *, terminal: bool = False
) -> tuple[str, ...]:
    """What a cell, or a terminal's line, is recognised by: its id where the frontend gives one, else its text."""
    server = "local" if seat.settings.origin == "local" else seat.settings.base_url
    place = (server, seat.label, seat.settings.user)
    if cell_id:
        return (*place, "id", cell_id)
    words = [word.text for word in split(line) if word.text != "--again"]
    return (*place, "line" if terminal else "text", hashlib.sha256("\0".join([*words, "", body]).encode()).hexdigest())


def _conversation(
    arguments: Arguments, seat: Seat, state: State, names: Mapping[str, Any], cell: tuple[str, ...]
) -> tuple[str | None, bool]:
    """Where the cell asks, and whether that place has gone on since its first run."""
    if arguments.new:
        return None, False
    if arguments.again and (known := state.start_of(cell)) is not None:
        start = state.starts[known]
        return start, start is not None
    if arguments.conversation is not None:
        return seat.find(arguments.conversation, names), False
    return (None if state.mode == "fresh" else seat.session.conversation_id), False


def describe(question: Question, seat: Seat, timeout: float | None) -> dict[str, Any]:
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
        user=seat.settings.user,
        inputs=inputs,
        conversation_id=question.conversation_id,
        files=files or None,
    )
    url = seat.settings.base_url + call.path
    shown: dict[str, Any] = {"method": call.method, "url": url, "json": call.body}
    if timeout is not None:
        shown["timeout"] = timeout
    return shown


def _promised(source: str) -> dict[str, Any]:
    if net_files.is_url(source):
        return dict(net_files.remote(source))
    name = os.path.basename(source)
    size = t("magic.dry_run.upload", name=name, size=f"{os.path.getsize(os.path.expanduser(source)):,}")
    kind = net_files.kind_of(name, net_files.mime_of(name))
    return {"type": kind, "transfer_method": "local_file", "upload_file_id": size}


def uploaded(question: Question, seat: Seat) -> dict[str, Any]:
    """The inputs with their files uploaded, as they are sent."""
    sent: dict[str, Any] = {}
    for name, value in question.inputs.items():
        if isinstance(value, FileInput):
            named = seat.session.call(seat.client.files.references(list(value.sources)))
            sent[name] = named if value.many else named[0]
        else:
            sent[name] = value
    return sent
