"""Files on their way up and down."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

from ..errors import InputError
from ..i18n import t
from ..turn.state import MessageFile
from ..wire import calls, models
from . import files as fl
from .files import FileInput
from .resource import Resource
from .transport import as_error, origin


class AsyncFiles(Resource):
    """Files: `upload`, `download`, and the pictures of an answer."""

    async def upload(
        self, file: fl.FileLike, *, name: str | None = None, mime_type: str | None = None, user: str | None = None
    ) -> models.UploadedFile:
        """Put a file on the server, to be named in a question.

        Args:
            file: a path, bytes, or an open binary file.
            name: what to call it; guessed from the path.
            mime_type: guessed from the name.

        Raises:
            InputError: there is no such file.
            DifyError: the server refused it (too large, say).
        """
        call = calls.upload_file(user=self._dify.user_or(user))
        filename, content, ours = fl.open_file(file, name)
        try:
            return await self._dify._send(
                call,
                files={"file": (filename, content, mime_type or fl.mime_of(filename))},
                data=dict(call.body or {}),
            )
        finally:
            if ours:
                with suppress(OSError):
                    content.close()  # type: ignore[union-attr]

    async def fetch(self, file: MessageFile, *, limit: int = 10_000_000) -> MessageFile:
        """The file with its content, or with the reason why it was not fetched.

        Only from the server itself (or `files_hosts`), without the key, without following
        redirects, and at most `limit` bytes. Raises nothing: an answer without its picture is
        an answer.
        """
        host = urlsplit(self._dify.base_url)
        url = urljoin(f"{host.scheme}://{host.netloc}/", file.url or "")
        target = urlsplit(url)
        known = origin(url) == origin(self._dify.base_url) or bool(
            {target.netloc, target.hostname} & self._dify._files_hosts
        )
        if target.scheme not in ("http", "https") or not known:
            return msgspec.structs.replace(file, data_error=t("net.file_elsewhere", host=target.netloc))
        problem, data = "", bytearray()
        try:
            response = await self._dify._get(url)
            try:
                if response.status_code != 200:
                    problem = t("net.file_status", status=response.status_code)
                else:
                    async for chunk in response.aiter_bytes():
                        data += chunk
                        if len(data) > limit:
                            problem = t("net.file_too_large", limit=limit // 1_000_000)
                            break
            finally:
                await response.aclose()
        except (httpx.HTTPError, OSError) as raised:
            problem = as_error(raised, "GET", target.netloc).message
        if problem:
            return msgspec.structs.replace(file, data_error=problem)
        return msgspec.structs.replace(file, data=bytes(data), size=len(data))

    async def references(self, files: Sequence[FileInput], *, user: str | None = None) -> list[dict[str, Any]]:
        """What a question says of these files; those that lie here are uploaded."""
        named: list[dict[str, Any]] = []
        for item in files:
            if isinstance(item, Mapping):
                named.append(dict(item))
            elif isinstance(item, models.UploadedFile):
                named.append(fl.reference(item))
            elif fl.is_url(item):
                named.append(fl.remote(str(item)))
            else:
                named.append(fl.reference(await self.upload(item, user=user)))
        return named

    async def download(
        self, file_id: str, *, to: str | os.PathLike[str] | None = None, user: str | None = None
    ) -> bytes | Path:
        """The content of a file that a message of this app uses (Dify 1.x).

        Args:
            to: a directory to write it into, as it comes. The name is the server's, its last
                part alone; nothing is overwritten.

        Returns:
            The bytes, or with `to` the path that was written.
        """
        call = calls.preview_file(file_id, user=self._dify.user_or(user))
        directory = None if to is None else Path(to).expanduser()
        if directory is not None and not directory.is_dir():
            raise InputError(t("net.no_directory", path=str(directory)), code="to")
        async with self._dify._streamed(call) as response:
            if directory is None:
                return await response.aread()
            path, file = fl.new_file(directory, fl.told_name(response.headers.get("content-disposition"), file_id))
            with file:
                async for chunk in response.aiter_bytes():
                    file.write(chunk)
            return path
