"""Files that a question brings: looked up, fetched, held against the rules of the app."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import unquote, urlsplit

from ...wire.kinds import FILE_CONTROLS, FILE_KINDS, MEDIA_KINDS
from ..api_error import invalid
from ..engine.app import FILE_LIMITS, MEGABYTE, App
from ..engine.fetch import FetchFailed, Refused, fetch
from ..engine.forms import FileRules, as_input
from ..engine.run import Upload
from ..store.store import NotFound, Row
from ..store.uploads import Uploads
from ..text import media_type
from .context import Context
from .payloads import is_uuid
from .questions import Question

_ANY = FileRules(FILE_KINDS, limit=FILE_LIMITS["workflow_file_upload_limit"], methods=("local_file", "remote_url"))
"""What a workflow app takes that says nothing of files: they come as `sys.files`, also where nothing reads them."""


async def question_files(context: Context, app: App, payload: Question) -> list[tuple[Row, Row]]:
    """Files of a question, each with its upload. A chat or completion app that takes none does not look at them.

    Raises:
        ApiError: one of them is unknown or of a kind that the app does not take.
    """
    rules = _ANY if app.files is None and app.is_workflow else app.files
    return [] if rules is None else await checked_files(context, app, payload.user, rules, payload.files)


async def checked_files(
    context: Context, app: App, user: str, rules: FileRules, files: list[dict[str, Any]]
) -> list[tuple[Row, Row]]:
    """Files that a request names, each with its upload. Raises: ApiError, for what the rules do not take."""
    if len(files) > rules.limit:
        raise invalid(f"Number of files exceeds the maximum limit {rules.limit}")
    result: list[tuple[Row, Row]] = []
    for file in files:
        method, kind = file.get("transfer_method"), file.get("type")
        if not method and not context.options.older:
            raise invalid("transfer_method is required in file mapping")
        if method not in ("local_file", "remote_url"):
            raise invalid(f"No matching enum found for value '{method}'")
        if method not in rules.methods:
            raise invalid(f"{method} is not allowed by this app")
        if method == "remote_url":
            row = await _remote(context, app, user, file.get("url"))
        else:
            row = await _uploaded(context, app, file.get("upload_file_id"))
        name = row["name"]
        fits = not rules.extensions or name.lower().endswith(rules.extensions)
        if (kind not in rules.types and kind != "custom") or not fits:
            raise invalid(f"File validation failed for file: {name}")
        reference = {"upload_file_id": row["id"], "type": str(kind), "transfer_method": method}
        if method == "remote_url":
            reference["url"] = file["url"]
        result.append((reference, row))
    return result


async def input_files(
    context: Context, app: App, user: str, inputs: dict[str, Any]
) -> tuple[dict[str, Any], list[Row]]:
    """Inputs with their files looked up, each in the form in which Dify keeps it; and the uploads that these are.

    Raises:
        ApiError: a file is unknown or of a kind that its control does not take.
    """
    result, uploads = dict(inputs), []
    for control in app.form:
        value = inputs[control.variable]
        if control.kind in FILE_CONTROLS and value not in (None, []):
            files = value if isinstance(value, list) else [value]
            rows = await checked_files(context, app, user, control.file_rules, files)
            stored = [as_input(reference, row, context.signer.url) for reference, row in rows]
            result[control.variable] = stored if control.kind == "file-list" else stored[0]
            uploads += [row for _, row in rows]
    return result, uploads


def upload_of(context: Context, row: Row) -> Upload:
    """An upload as an app reads it."""
    path = context.directory.files / row["id"]
    return Upload(row["name"], row["extension"], row["mime_type"], row["size"], path, row["id"])


async def _uploaded(context: Context, app: App, key: object) -> Row:
    if not key:
        raise invalid("Invalid upload file id")
    if not isinstance(key, str) or not is_uuid(key):
        raise invalid("Invalid upload file id format")
    try:
        return await Uploads(context.store).find(key.lower(), app.name)
    except NotFound:
        raise invalid("Invalid upload file") from None


async def _remote(context: Context, app: App, user: str, url: object) -> Row:
    """Fetch a file, keep it as an upload, and give its row. Only what the server's allow-list has."""
    if not url or not isinstance(url, str):
        raise invalid("Invalid file url")
    limit = FILE_LIMITS["file_size_limit"] * MEGABYTE
    try:
        response = await fetch(url, allow=context.options.allow, limit=limit)
    except (Refused, FetchFailed) as error:
        raise invalid(f"Invalid file url: {error}") from None
    if response.status != 200:
        raise invalid(f"Invalid file url: it answered {response.status}")
    name = unquote(urlsplit(response.url).path).rpartition("/")[2][:200] or "file"
    kind = media_type(response.headers.get("content-type")) or "application/octet-stream"
    return await _add(context, app, user, name, response.body, kind)


async def keep_file(
    context: Context, app: App, user: str, message: str, name: str, content: bytes, mime_type: str
) -> Row:
    """Keep a file that a message's run made; gives it in the form in which Dify tells it."""
    row = await _add(context, app, user, name, content, mime_type, message)
    reference = {"type": _kind(mime_type), "transfer_method": "local_file"}
    return {**as_input(reference, row, context.signer.url), "url": context.signer.url(row["id"])}


def _kind(mime_type: str) -> str:
    first = media_type(mime_type).partition("/")[0]
    return first if first in MEDIA_KINDS else "document"


async def _add(
    context: Context, app: App, user: str, name: str, content: bytes, mime_type: str, message: str | None = None
) -> Row:
    dotted = name.rpartition(".")
    return await Uploads(context.store).add(
        context.directory.files / str(uuid.uuid4()),
        lambda target: target.write(content),
        app=app.name,
        session=user,
        name=name,
        extension=dotted[2].lower() if dotted[0] else "",
        mime_type=mime_type,
        size=len(content),
        message=message,
    )
