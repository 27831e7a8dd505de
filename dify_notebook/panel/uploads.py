"""Files on their way from the browser through the kernel to the server."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ..app import file_rules as rules
from ..errors import InputError
from ..i18n import t
from ..net.files import mime_of
from ..printable import one_line
from . import commands as c
from . import messages as m
from .app import attachment
from .store import PanelStore, problem_of

MAX_BYTES = 200 * 1024 * 1024
"""Bytes of one file at most, where the server names no limit."""
REPORT_EVERY = 0.1
"""Seconds between two reports of how far an upload is."""

Report = Callable[[m.Progress], None]
FieldOf = Callable[[str, str], Mapping[str, Any] | None]
"""Gives what is told of a field that takes files, by the id of a waiting form and the field's name."""


class Uploads:
    """The uploads of one panel. Used on the portal's loop."""

    def __init__(self, store: PanelStore, report: Report, field_of: FieldOf) -> None:
        self._store = store
        self._report = report
        self._field_of = field_of
        self._receiving: dict[str, tuple[c.Upload, bytearray]] = {}
        self._cancelled: set[str] = set()

    async def begin(self, request: c.Upload, content: bytes | None) -> None:
        """Check what is announced; with its content, upload it.

        Raises:
            InputError: the app does not take it.
            DifyError: the server refused it.
        """
        try:
            self._check(request)
        except InputError as error:
            self._report_error(request, 0, error)
            raise
        if content is not None and (content or request.size == 0):
            await self._send(request, bytes(content))
        else:
            self._receiving[request.upload] = (request, bytearray())

    async def part(self, part: c.UploadPart, content: bytes) -> None:
        """Take the next piece; upload the whole with the last one.

        Raises:
            InputError: it is not the next piece, or more than was announced.
            DifyError: the server refused the file.
        """
        receiving = self._receiving.get(part.upload)
        if receiving is None:
            raise InputError(t("panel.no_upload"), code="file")
        request, received = receiving
        whole = len(received) + len(content)
        if part.offset != len(received) or whole > request.size or (part.last and whole != request.size):
            del self._receiving[part.upload]
            error = InputError(t("panel.upload_broken", name=_name(request)), code="file")
            self._report_error(request, len(received), error)
            raise error
        received += content
        if part.last:
            del self._receiving[part.upload]
            await self._send(request, bytes(received))

    def cancel(self, upload: str) -> None:
        """Take it no further; what lies on the server already stays there unused."""
        if self._receiving.pop(upload, None) is None:
            self._cancelled.add(upload)
        self._store.uploaded.pop(upload, None)

    def _check(self, request: c.Upload) -> None:
        name, mime = _name(request), request.type or None
        if request.size < 0 or request.size > MAX_BYTES:
            raise InputError(t("panel.upload_size", name=name, limit=MAX_BYTES // (1024 * 1024)), code="file_too_large")
        app = self._store.state.app
        if app is None:
            return
        parameters = app.parameters
        rules.check_size(name, mime, request.size, parameters)
        location = t("net.place_files")
        taken: Mapping[str, Any] | None = parameters.file_upload
        if request.field is not None:
            location = t("net.place_input", name=request.field)
            taken = self._field(request, request.field)
            if taken is None or not rules.is_file(taken):
                raise InputError(t("panel.input.unknown", name=request.field, known="–"), code="input")
        rules.check_kind(name, mime, taken, location)

    def _field(self, request: c.Upload, name: str) -> Mapping[str, Any] | None:
        """The field that it is for: of a run's form, or of the app's."""
        if request.form is not None:
            return self._field_of(request.form, name)
        app = self._store.state.app
        controls = app.parameters.controls if app is not None else []
        return next((control for control in controls if control.get("variable") == name), None)

    async def _send(self, request: c.Upload, content: bytes) -> None:
        last = [0.0]

        def progress(sent: int, total: int | None) -> None:
            now = time.monotonic()
            if now - last[0] >= REPORT_EVERY:
                last[0] = now
                self._report(m.Progress(upload=request.upload, sent=min(sent, request.size), total=request.size))

        try:
            uploaded = await self._store.client.files.upload(
                io.BytesIO(content),
                name=_name(request),
                mime_type=request.type or mime_of(_name(request)),
                progress=progress,
                check=False,
            )
        except Exception as error:
            self._report_error(request, 0, error)
            raise
        if request.upload in self._cancelled:
            self._cancelled.discard(request.upload)
            return
        shown = attachment(request.upload, _name(request), request.type, request.size, content)
        self._store.uploaded[request.upload] = (uploaded, shown)
        self._report(m.Progress(upload=request.upload, sent=request.size, total=request.size, file=shown))

    def _report_error(self, request: c.Upload, sent: int, error: BaseException) -> None:
        self._report(m.Progress(upload=request.upload, sent=sent, total=max(0, request.size), error=problem_of(error)))


def _name(request: c.Upload) -> str:
    """The last part of the name that the browser gave."""
    return one_line(request.name.replace("\\", "/").rpartition("/")[2], 200) or "file"


def references(store: PanelStore, ids: list[str]) -> tuple[list[object], list[m.Attachment]]:
    """What a question names, and what is shown of it, for these upload ids.

    Raises:
        InputError: one of them is none, or there are more than the app takes.
    """
    uploads = [store.upload(id) for id in ids]
    app = store.state.app
    taken = app.parameters.file_upload if app else None
    rules.check_count(len(uploads), (taken or {}).get("number_limits"), t("net.place_files"))
    return [item for item, _ in uploads], [msgspec.structs.replace(shown) for _, shown in uploads]
