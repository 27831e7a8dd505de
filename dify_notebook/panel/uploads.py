"""Files on their way from the browser through the kernel to the server."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import msgspec

from ..app import limits as rules
from ..errors import InputError
from ..i18n import t
from ..net.files import mime_of
from ..printable import one_line
from . import commands as c
from . import messages as m
from .facts import attachment
from .store import Store, problem_of

MOST = 200 * 1024 * 1024
"""Bytes of one file at most, where the server names no limit."""
TOLD_EVERY = 0.1
"""Seconds between two reports of how far an upload is."""

Report = Callable[[m.Progress], None]


class Uploads:
    """The uploads of one panel. Used on the portal's loop."""

    def __init__(self, board: Store, report: Report) -> None:
        self._board = board
        self._report = report
        self._coming: dict[str, tuple[c.Upload, bytearray]] = {}
        self._cancelled: set[str] = set()

    async def begin(self, asked: c.Upload, content: bytes | None) -> None:
        """Check what is announced; with its content, upload it.

        Raises:
            InputError: the app does not take it.
            DifyError: the server refused it.
        """
        try:
            self._check(asked)
        except InputError as error:
            self._tell(asked, 0, error)
            raise
        if content is not None and (content or asked.size == 0):
            await self._send(asked, bytes(content))
        else:
            self._coming[asked.upload] = (asked, bytearray())

    async def part(self, part: c.UploadPart, content: bytes) -> None:
        """Take the next piece; upload the whole with the last one.

        Raises:
            InputError: it is not the next piece, or more than was announced.
            DifyError: the server refused the file.
        """
        found = self._coming.get(part.upload)
        if found is None:
            raise InputError(t("panel.no_upload"), code="file")
        asked, held = found
        whole = len(held) + len(content)
        if part.offset != len(held) or whole > asked.size or (part.last and whole != asked.size):
            del self._coming[part.upload]
            error = InputError(t("panel.upload_broken", name=_name(asked)), code="file")
            self._tell(asked, len(held), error)
            raise error
        held += content
        if part.last:
            del self._coming[part.upload]
            await self._send(asked, bytes(held))

    def cancel(self, upload: str) -> None:
        """Take it no further; what lies on the server already stays there unused."""
        if self._coming.pop(upload, None) is None:
            self._cancelled.add(upload)
        self._board.uploaded.pop(upload, None)

    def _check(self, asked: c.Upload) -> None:
        name, mime = _name(asked), asked.type or None
        if asked.size < 0 or asked.size > MOST:
            raise InputError(t("panel.upload_size", name=name, limit=MOST // (1024 * 1024)), code="file_too_large")
        facts = self._board.scene.facts
        if facts is None:
            return
        told = facts.parameters
        rules.check_size(name, mime, asked.size, told)
        place = t("net.place_files")
        taken = told.file_upload
        if asked.field is not None:
            place = t("net.place_input", name=asked.field)
            taken = next((one for one in told.controls if one.get("variable") == asked.field), None)
            if taken is None or not rules.is_file(taken):
                raise InputError(t("panel.input.unknown", name=asked.field, known="–"), code="input")
        rules.check_kind(name, mime, taken, place)

    async def _send(self, asked: c.Upload, content: bytes) -> None:
        last = [0.0]

        def progress(sent: int, total: int | None) -> None:
            now = time.monotonic()
            if now - last[0] >= TOLD_EVERY:
                last[0] = now
                self._report(m.Progress(upload=asked.upload, sent=min(sent, asked.size), total=asked.size))

        try:
            uploaded = await self._board.client.files.upload(
                io.BytesIO(content),
                name=_name(asked),
                mime_type=asked.type or mime_of(_name(asked)),
                progress=progress,
                check=False,
            )
        except Exception as error:
            self._tell(asked, 0, error)
            raise
        if asked.upload in self._cancelled:
            self._cancelled.discard(asked.upload)
            return
        shown = attachment(asked.upload, _name(asked), asked.type, asked.size, content)
        self._board.uploaded[asked.upload] = (uploaded, shown)
        self._report(m.Progress(upload=asked.upload, sent=asked.size, total=asked.size, file=shown))

    def _tell(self, asked: c.Upload, sent: int, error: BaseException) -> None:
        self._report(m.Progress(upload=asked.upload, sent=sent, total=max(0, asked.size), error=problem_of(error)))


def _name(asked: c.Upload) -> str:
    """The last part of the name that the browser gave."""
    return one_line(asked.name.replace("\\", "/").rpartition("/")[2], 200) or "file"


def references(board: Store, ids: list[str]) -> tuple[list[object], list[m.Attachment]]:
    """What a question names, and what is shown of it, for these upload ids.

    Raises:
        InputError: one of them is none, or there are more than the app takes.
    """
    found = [board.upload(id) for id in ids]
    facts = board.scene.facts
    taken = facts.parameters.file_upload if facts else None
    rules.check_count(len(found), (taken or {}).get("number_limits"), t("net.place_files"))
    return [one for one, _ in found], [msgspec.structs.replace(shown) for _, shown in found]
