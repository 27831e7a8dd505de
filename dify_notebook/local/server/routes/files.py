"""Uploads, and getting them back."""

from __future__ import annotations

import asyncio
import os
import shutil
import uuid
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from ....wire.kinds import size_limit
from ...api_error import ApiError, invalid
from ...engine.app import FILE_LIMITS, MEGABYTE, fixed_id
from ...responses import VERSION_HEADERS, html_not_found, reply
from ...store import serializers
from ...store.store import DEFAULT_USER, NotFound, Row
from ...store.uploads import Uploads
from ...text import media_type
from ..context import app_of, context_of, signer_of
from ..payloads import uploaded, user_of

# What a browser may show in place; anything else is only handed over as a download.
_INLINE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "text/plain"})


async def upload(request: Request) -> Response:
    """POST /files/upload."""
    app = app_of(request)
    async with uploaded(request, "no_file_uploaded", "Please upload your file.") as form:
        return await _take(request, app.name, form)


async def _take(request: Request, app: str, form: Any) -> Response:
    context = context_of(request)
    parts = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise ApiError(400, "no_file_uploaded", "Please upload your file.")
    if len(parts) > 1:
        raise ApiError(400, "too_many_files", "Only one file is allowed.")
    if not file.content_type:
        raise ApiError(415, "unsupported_file_type", "File type not allowed.")
    # A quote travels as %22, and Dify's server (Werkzeug) takes it back.
    name = (file.filename or "").replace("%22", '"')
    if not name:
        raise ApiError(400, "filename_not_exists_error", "The specified filename does not exist.")
    if any(character in name for character in '/\\:*?"<>|') or any(ord(character) < 32 for character in name):
        raise invalid("Filename contains invalid characters")
    user = user_of(form, default=DEFAULT_USER)
    stem, dot, extension = name.rpartition(".")
    extension = extension.lower() if dot and stem else ""
    size = await asyncio.to_thread(_size, file.file)
    if size > _limit(file.content_type):
        raise ApiError(413, "file_too_large", "File size exceeded.")
    if len(name) > 200:
        name = f"{stem[:200].rstrip()}.{extension}" if extension else name[:200]
    row = await Uploads(context.store).add(
        context.directory.files / str(uuid.uuid4()),
        lambda target: shutil.copyfileobj(file.file, target),
        app=app,
        session=user,
        name=name,
        extension=extension,
        mime_type=file.content_type,
        size=size,
    )
    return reply(serializers.upload(row, signer_of(request).url, fixed_id("tenant")), 201)


async def signed(request: Request) -> Response:
    """GET /files/{file}/file-preview: whoever has a good URL needs no key."""
    context = context_of(request)
    key, query = str(request.path_params["file"]), request.query_params
    if not context.signer.verify(key, query.get("timestamp", ""), query.get("nonce", ""), query.get("sign", "")):
        raise ApiError(403, "file_access_denied", "This address is not valid, or no longer.")
    try:
        row = await Uploads(context.store).find(key)
    except NotFound:
        return html_not_found()
    return _give(context.directory.files / row["id"], row, attachment=query.get("as_attachment") == "true")


async def preview(request: Request) -> Response:
    """GET /files/{file}/preview: an upload that a message of the app uses."""
    app, context = app_of(request), context_of(request)
    try:
        row = await Uploads(context.store).in_message(str(request.path_params["file"]), app.name)
    except NotFound:
        raise ApiError(404, "file_not_found", "File not found in message context") from None
    attachment = request.query_params.get("as_attachment", "").lower() in ("true", "1")
    return _give(context.directory.files / row["id"], row, attachment=attachment)


def _give(path: Path, row: Row, *, attachment: bool) -> Response:
    kind = row["mime_type"]
    download = attachment or media_type(kind) not in _INLINE_TYPES
    headers = {
        **VERSION_HEADERS,
        "Cache-Control": "private, max-age=3600",
        # The bytes are a stranger's and this origin is ours: no guessing of types, no scripts.
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    if download:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(row['name'], safe='')}"
    return FileResponse(path, headers=headers, media_type="application/octet-stream" if attachment else kind)


def _limit(mime_type: str) -> int:
    return FILE_LIMITS[size_limit(mime_type.partition("/")[0])] * MEGABYTE


def _size(file: BinaryIO) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size
