"""Files on their way up and down."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

import httpx
import msgspec

from ..app import file_rules as rules
from ..app.controls import fitted, free
from ..app.entry_points import PYTHON, as_input_error
from ..app.files import FileInput as ComingFile
from ..app.files import holds_file
from ..app.known import KnownApp
from ..app.origin import Origin, values
from ..app.stored_files import again
from ..errors import APIError, InputError, NotFoundError
from ..i18n import t
from ..paths import expand
from ..wire import calls, models
from . import files as fl
from .bodies import iter_decoded, read
from .bounds import size_text
from .checks import check_attachments, check_input
from .files import FileInput
from .resource import Resource
from .transport import as_error, origin

if TYPE_CHECKING:
    from ..turn.state import MessageFile

#: What asking for an address that someone else wrote can raise; no name of a host is a ValueError.
_NO_ANSWER = (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError)


class AsyncFiles(Resource):
    """Files: `upload`, `from_url`, `download`, and the pictures of an answer."""

    async def upload(
        self,
        file: fl.FileLike,
        *,
        name: str | None = None,
        mime_type: str | None = None,
        user: str | None = None,
        progress: fl.Progress | None = None,
        check: bool | None = None,
    ) -> models.UploadedFile:
        """Put a file on the server, to be named in a question.

        Args:
            file: a path, bytes, or an open binary file.
            name: what to call it; guessed from the path.
            mime_type: guessed from the name.
            progress: called with (bytes sent, all bytes or None) as it goes; on the thread that sends.
            check: whether size and type are checked against the app's `/parameters` first. None
                does so where they were asked for already, so that it costs no request; True asks
                once if need be; False leaves it to the server.

        Raises:
            InputError: there is no such file, or the app does not take it.
            APIError: the server refused it (413: too large, 415: of a type that it does not take).

        Returns:
            The file as the server names it; its `id` stands for it in questions of this user.
        """
        call = calls.upload_file(user=self._dify.user_or(user))
        with fl.open_file(file, name) as (filename, content):
            parameters = await self._rules(check)
            if parameters is not None:
                rules.check_size(filename, mime_type, fl.size_of(content), parameters)
                rules.check_anywhere(filename, mime_type, parameters)
            sent: Any = content if progress is None else fl.ProgressFile(content, progress)
            return await self._dify._send(
                call,
                files={"file": (filename, sent, mime_type or fl.mime_of(filename))},
                data=dict(call.body or {}),
            )

    async def _rules(self, check: bool | None) -> models.Parameters | None:
        """The app's parameters, where the check is wanted and they are known or may be asked for."""
        if check is False:
            return None
        known = self._dify._cache
        if check and known.app.parameters is None:
            await self._dify.app.parameters()
        known.checks_files |= bool(check)
        return known.app.parameters if known.checks_files else None

    async def from_url(
        self,
        url: str,
        *,
        name: str | None = None,
        limit: int = 100_000_000,
        user: str | None = None,
        progress: fl.Progress | None = None,
    ) -> models.UploadedFile:
        """Download a file here, without the key, and put it on the server.

        For addresses that the server itself cannot reach. A URL among the `files` of a question is
        only named to the server, which fetches it.

        Args:
            url: http or https; redirects are followed.
            name: what to call it; else as the address says.
            limit: bytes to take at most.
            progress: of the upload, see `upload`.

        Returns:
            The file as the server names it.

        Raises:
            InputError: it is no http(s) address, or larger than `limit`.
            DifyError: the address or the server refused, or could not be reached.
        """
        if not fl.is_url(url):
            raise InputError(t("net.not_a_url", value=repr(url)), code="file")
        with tempfile.SpooledTemporaryFile(max_size=8_000_000) as spool:
            response = await self._get_external(url, follow_redirects=True)
            try:
                async for part in self._limited(limit, response):
                    _write(spool, part, tempfile.gettempdir())
                kind = response.headers.get("content-type", "").partition(";")[0].strip() or None
                last = unquote(response.url.path).rpartition("/")[2]
                filename = name or fl.download_name(response.headers.get("content-disposition"), last)
            finally:
                await response.aclose()
            spool.seek(0)
            content: Any = spool
            return await self.upload(content, name=filename, mime_type=kind, user=user, progress=progress)

    async def _get_external(self, url: str, **options: Any) -> httpx.Response:
        """The response of an address that is not the API's, unread; errors told as ours."""
        host, error = fl.host_of(url), None
        try:
            response = await self._dify._get(url, **options)
        except _NO_ANSWER as raised:
            error = as_error(raised, "GET", host)
        if error is not None:
            raise error
        if response.status_code != 200:
            await response.aclose()
            error_type = NotFoundError if response.status_code == 404 else APIError
            message = t("net.download_failed", status=response.status_code)
            raise error_type(message, status=response.status_code, attempted=f"GET {host}")
        return response

    async def _parts(self, response: httpx.Response) -> AsyncIterator[bytes]:
        error = None
        try:
            async for part in iter_decoded(response):
                yield part
        except httpx.HTTPError as raised:
            error = as_error(raised, "GET", response.url.host)
        if error is not None:
            raise error

    async def fetch(self, file: MessageFile, *, limit: int = 10_000_000) -> MessageFile:
        """The `file` with its content (`data`, `size`), or with the reason why it was not fetched (`data_error`).

        Only from the server itself (or `files_hosts`), without the key, without following
        redirects, and at most `limit` bytes. Raises nothing: an answer without its picture is
        an answer.
        """
        url, is_trusted = self._resolve(file.url or "")
        if not is_trusted:
            return msgspec.structs.replace(file, data_error=t("net.file_elsewhere", host=fl.host_of(url)))
        problem, data = "", b""
        try:
            response = await self._dify._get(url)
            try:
                if response.status_code != 200:
                    problem = t("net.file_status", status=response.status_code)
                else:
                    data, complete = await read(response, limit)
                    problem = "" if complete else t("net.file_too_large", limit=size_text(limit))
            finally:
                await response.aclose()
        except _NO_ANSWER as raised:
            problem = as_error(raised, "GET", fl.host_of(url)).message
        if problem:
            return msgspec.structs.replace(file, data_error=problem)
        return msgspec.structs.replace(file, data=data, size=len(data))

    def _resolve(self, url: str) -> tuple[str, bool]:
        """A file's URL, whole, and whether it is the server's own (or one of `files_hosts`)."""
        server = urlsplit(self._dify.base_url)
        try:
            absolute = urljoin(f"{server.scheme}://{server.netloc}/", url)
            target, target_origin = urlsplit(absolute), origin(absolute)
        except ValueError:  # no address at all
            return url, False
        is_trusted = target_origin == origin(self._dify.base_url) or bool(
            {target.netloc, target.hostname} & self._dify._files_hosts
        )
        return absolute, is_trusted and target.scheme in ("http", "https")

    async def references(
        self,
        files: Sequence[FileInput],
        *,
        user: str | None = None,
        progress: fl.Progress | None = None,
        check: bool | None = None,
    ) -> list[dict[str, Any]]:
        """What a question says of these files, in their order; those that lie here are uploaded.

        Args:
            files: paths, URLs, bytes, open files, uploaded files, files of a turn, or dicts in the API's own form.
            progress: called for each upload, see `upload`.
            check: number and types against the app's `/parameters`, see `upload`.

        Raises:
            InputError: a file is not there, or the app does not take it, or not so many; nothing was uploaded.
            APIError: the server refused one.
        """
        named = [again(file) for file in files]
        check_attachments(named, await self._rules(check))
        return await self._named(named, user, progress, check)

    async def _named(
        self,
        files: Sequence[fl.NewFile],
        user: str | None,
        progress: fl.Progress | None = None,
        check: bool | None = None,
    ) -> list[dict[str, Any]]:
        named: list[dict[str, Any]] = []
        for item in files:
            if isinstance(item, Mapping):
                named.append(dict(item))
            elif isinstance(item, models.UploadedFile):
                named.append(fl.reference(item))
            elif fl.is_url(item):
                named.append(fl.remote(str(item)))
            else:
                uploaded = await self.upload(item, user=user, progress=progress, check=check)
                named.append(fl.reference(uploaded))
        return named

    async def inputs(self, inputs: Mapping[str, Any], *, user: str | None = None) -> dict[str, Any]:
        """`inputs` with the files among them named as the API names them; those that lie here are uploaded.

        Paths (`pathlib.Path`), bytes, open files and uploaded files are files wherever they stand, also in
        a list. A text is never the path of one. Where the app's form is known and calls the input a file,
        an address is named to the server, which fetches it, and any other text is refused.

        Raises:
            InputError: a file is not there or not taken, or a text stands where the app asks for a file;
                nothing was uploaded.
        """
        app = KnownApp(parameters=await self._rules(None))
        controls = {name: control for name, control in app.controls.items() if rules.is_file(control)}
        result, coming_files = dict(inputs), {}
        for name, value in values(inputs, Origin.PYTHON).items():
            if name in controls:
                sent = as_input_error(PYTHON, fitted, name, controls[name], value)
            elif holds_file(value.value):
                sent = as_input_error(PYTHON, free, name, value)
            else:
                continue
            if isinstance(sent, ComingFile):
                check_input(name, sent.sources, controls.get(name), app.parameters)
                coming_files[name] = sent
            elif sent is not None:
                result[name] = sent
        for name, coming_file in coming_files.items():  # all of them were looked at before the first is sent
            references = await self._named(coming_file.sources, user)
            result[name] = references if coming_file.many else references[0]
        return result

    async def download(
        self,
        file: str | MessageFile | Mapping[str, Any],
        *,
        to: str | os.PathLike[str] | None = None,
        limit: int = 1_000_000_000,
        user: str | None = None,
    ) -> bytes | Path:
        """The content of a file that a message of this app uses.

        Args:
            file: a file's id (Dify 1.x alone can give a file by its id), or the file of a turn or of
                a stored message: those carry a signed URL, which every server knows. It is asked
                for without the key, and only where it lies on the server or on one of `files_hosts`.
            to: a directory to write it into, as it comes. The name is the server's, its last
                part alone, without what a disk would not take, and at most 200 bytes long; nothing
                is overwritten.
            limit: bytes to take at most.

        Returns:
            The bytes, or with `to` the path that was written.

        Raises:
            InputError: there is no such directory or nothing can be written into it, the file lies on
                another host, or it is larger than `limit`.
            NotFoundError: there is no such file, or the server cannot give it by its id.
        """
        directory = None if to is None else expand(to, argument="to")
        if directory is not None and not directory.is_dir():
            raise InputError(t("net.no_directory", path=str(directory)), code="to")
        file_id, url, name = _parts_of(file)
        if url:
            absolute, is_trusted = self._resolve(url)
            if not is_trusted:
                raise InputError(t("net.file_elsewhere", host=fl.host_of(absolute)), code="files_hosts")
            response = await self._get_external(absolute)
            try:
                return await self._save(response, directory, name or unquote(urlsplit(absolute).path), limit)
            finally:
                await response.aclose()
        if not file_id:
            raise InputError(t("net.no_url"), code="file")
        missing = False
        try:
            async with self._dify._streamed(calls.preview_file(file_id, user=self._dify.user_or(user))) as response:
                return await self._save(response, directory, name or file_id, limit)
        except NotFoundError as problem:
            if problem.code != "not_json":
                raise
            missing = True
        assert missing
        raise NotFoundError(t("net.no_preview"), code="no_preview", status=404, attempted="GET /files/…/preview")

    async def _save(self, response: httpx.Response, directory: Path | None, name: str, limit: int) -> bytes | Path:
        if directory is None:
            data = bytearray()
            async for part in self._limited(limit, response):
                data += part
            return bytes(data)
        path, file = fl.new_file(directory, fl.download_name(response.headers.get("content-disposition"), name))
        complete = False
        try:
            with file:
                async for part in self._limited(limit, response):
                    _write(file, part, path)
            complete = True
        finally:
            if not complete:
                path.unlink(missing_ok=True)  # half a file would look like one
        return path

    async def _limited(self, limit: int, response: httpx.Response) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._parts(response):
            size += len(part)
            if size > limit:
                message = t("net.download_too_large", host=response.url.host, limit=size_text(limit))
                raise InputError(message, code="file_too_large")
            yield part


def _write(file: IO[bytes], part: bytes, path: str | os.PathLike[str]) -> None:
    try:
        file.write(part)
    except OSError as raised:
        problem = fl.write_error(path, raised)
    else:
        return
    raise problem


def _parts_of(file: str | MessageFile | Mapping[str, Any]) -> tuple[str, str, str]:
    """(id, URL, name) of a file, however it was told."""
    from ..turn.state import MessageFile

    if isinstance(file, str):
        return file, "", ""
    if isinstance(file, MessageFile):
        return file.id or "", file.url or "", file.name or ""
    if not isinstance(file, Mapping):
        raise InputError(t("net.no_url"), code="file")
    fields = {key: str(file.get(key) or "") for key in ("upload_file_id", "id", "url", "filename")}
    return fields["upload_file_id"] or fields["id"], fields["url"], fields["filename"]
