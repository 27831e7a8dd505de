"""`AsyncDify`: one app of one Dify server, for `await` and `async for`."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

from ..config import Secret, Settings, check_user, resolve
from ..errors import ConfigError, DifyError, InputError, ServerError, raise_for_turn
from ..i18n import t
from ..turn.fold import Builder
from ..turn.state import MessageFile, Turn
from ..wire import calls, models
from ..wire import events as ev
from ..wire.calls import Call, SortBy
from . import files as fl
from .stream import ChatStream, blocking_events, error_of
from .transport import Pools, as_error, origin

T = TypeVar("T")
M = TypeVar("M")
FileInput = fl.FileLike | models.UploadedFile | Mapping[str, Any]
"""A path, URL, bytes, open file, uploaded file, or the API's own form of a file."""


class AsyncDify:
    """One app of one Dify server.

    It is configuration plus one connection pool for each running loop, made on first use
    and closed with the loop, so one client serves `await` in a notebook, several
    `asyncio.run` and forked children.

    async with AsyncDify(api_key="app-...", base_url="https://dify.example.com") as dify:
        turn = await dify.chat.send("hi")

    Args:
        api_key: the app's key. Without any argument key and server come from `DIFY_API_KEY`
            and `DIFY_BASE_URL`.
        base_url: the server, with or without `/v1`; Dify Cloud when only a key is given.
        user: whose conversations these are, 1 to 255 characters; `DIFY_USER`, else a name
            that was made up once for this machine.
        headers: further headers for every request (a gateway's, say).
        verify: certificates, as httpx takes them.
        timeout: seconds, or an `httpx.Timeout`; by default connect 10, read 60.
        transport: an httpx transport instead of the ordinary one.
        files_hosts: hosts besides the server's own from which images of an answer may be
            fetched (where the server's FILES_URL names another one), as `host` or `host:port`.

    Raises:
        ConfigError: no source gives both key and server.
    """

    def __init__(
        self,
        api_key: str | Secret | None = None,
        base_url: str | None = None,
        user: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        verify: bool | str | ssl.SSLContext = True,
        timeout: httpx.Timeout | float | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        files_hosts: Sequence[str] = (),
    ) -> None:
        settings = resolve(api_key, base_url, user)
        if settings is None:
            raise ConfigError(t("net.no_source"), code="api_key")
        self._start(
            settings, headers=headers, verify=verify, timeout=timeout, transport=transport, files_hosts=files_hosts
        )

    def _start(self, settings: Settings, *, files_hosts: Sequence[str] = (), **options: Any) -> None:
        self._settings = settings
        self._files_hosts = frozenset(files_hosts)
        filled = {"headers": None, "verify": True, "timeout": None, "transport": None, **options}
        self._pools = Pools(settings, **filled)
        self.server_version: str | None = None
        """What the server says of its version (`X-Version`), known after the first answer."""
        self.app_info: models.AppInfo | None = None
        """What `/info` said, once it was asked."""
        self.chat = AsyncChat(self)
        self.conversations = AsyncConversations(self)
        self.messages = AsyncMessages(self)
        self.files = AsyncFiles(self)
        self.app = AsyncApp(self)

    @classmethod
    def from_settings(cls, settings: Settings, **options: Any) -> AsyncDify:
        """A client for settings that were resolved already; options as for `AsyncDify`."""
        dify = cls.__new__(cls)
        dify._start(settings, **options)
        return dify

    @classmethod
    def local(cls, app: str = "guide", user: str | None = None) -> AsyncDify:
        """A client of the embedded server, which is started when it does not run yet.

        Args:
            app: guide (chat), toolbox (agent) or pipeline (chatflow).
        """
        from .._hooks import local_settings

        return cls.from_settings(local_settings(app, user))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._settings.base_url} user={self._settings.user!r}>"

    @property
    def settings(self) -> Settings:
        """Server, user and where they came from; the key hides itself."""
        return self._settings

    @property
    def user(self) -> str:
        """Whose conversations these are."""
        return self._settings.user

    @property
    def base_url(self) -> str:
        return self._settings.base_url

    async def __aenter__(self) -> AsyncDify:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the running loop's connections. The client stays usable."""
        await self._pools.aclose()

    def user_or(self, user: str | None) -> str:
        """A user given for one call, checked, or the client's own."""
        return self.user if user is None else check_user(user)

    # -- sending ---------------------------------------------------------------------

    async def _open(self, call: Call[Any], *, accept: str = "application/json", **content: Any) -> httpx.Response:
        """Send a call and give the response with its body unread. Raises httpx's errors."""
        client = await self._pools.client()
        request = client.build_request(
            call.method,
            self._settings.base_url + call.path,
            params=dict(call.params) or None,
            headers={"Accept": accept},
            **(content or ({"json": call.body} if call.body is not None else {})),
        )
        response = await client.send(request, stream=True)
        self.server_version = response.headers.get("x-version") or self.server_version
        return response

    async def _send(self, call: Call[T], **content: Any) -> T:
        """Send a call and read its answer as the call says.

        Raises:
            DifyError: the server refused it, could not be reached, or is no Dify.
        """
        body, response = await self._fetch(call, **content)
        problem = ""
        try:
            data = msgspec.json.decode(body) if body else {}
            return models.read(call.result, data)  # type: ignore[no-any-return]
        except (msgspec.DecodeError, msgspec.ValidationError, ValueError) as raised:
            problem = str(raised)
        raise ServerError(
            t("net.unreadable", problem=problem),
            code="unreadable",
            status=response.status_code,
            attempted=call.attempted,
        )

    async def _fetch(self, call: Call[Any], **content: Any) -> tuple[bytes, httpx.Response]:
        error: DifyError | None = None
        for attempt in range(2 if call.idempotent else 1):
            error = None
            try:
                response = await self._open(call, **content)
                try:
                    body = await response.aread()
                finally:
                    await response.aclose()
            except (httpx.HTTPError, OSError) as raised:
                error = as_error(raised, call.attempted, self._settings.host)
                # An idle connection that the server had closed: once more, on a fresh one.
                if attempt == 0 and isinstance(raised, httpx.RemoteProtocolError):
                    continue
                break
            kind = response.headers.get("content-type", "")
            if response.status_code >= 300 or (body and "json" not in kind):
                error = error_of(response, body, call)
            break
        if error is not None:
            raise error  # here, and not where it was caught: no frame of httpx hangs on it
        return body, response


class Resource:
    """A group of calls of one client."""

    def __init__(self, dify: AsyncDify) -> None:
        self._dify = dify


class AsyncChat(Resource):
    """Asking: `chat.send`, `chat.stream`, `chat.stop`."""

    async def send(
        self,
        query: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        conversation_id: str | None = None,
        files: Sequence[FileInput] | None = None,
        user: str | None = None,
        response_mode: Literal["streaming", "blocking"] = "streaming",
        auto_generate_name: bool = True,
        timeout: float | None = None,
    ) -> Turn:
        """Ask, and give the whole turn.

        It streams, also for apps that know no other way; `response_mode="blocking"` asks for
        the answer in one piece (not for agents; servers behind a gateway may give up first).

        Args:
            query: the question.
            inputs: values for the app's variables.
            conversation_id: continue that conversation; None begins a new one.
            files: paths, URLs, bytes, open files or uploaded files. Paths are uploaded first.
            user: another user for this call alone.
            auto_generate_name: let the server name a new conversation. Dify 1.12 delays a first
                turn by one second for it.
            timeout: seconds for the whole turn; then it is stopped.

        Raises:
            TurnFailed: the answer ended in an error or before its end; `exc.turn` has what came.
            DifyError: the server refused the question or could not be reached.
        """
        stream = self._stream(
            query, inputs, conversation_id, files, user, response_mode, auto_generate_name, timeout
        )
        if response_mode == "blocking":
            return await stream.blocking()
        async with stream:
            await stream.read()
        turn = stream.turn
        raise_for_turn(turn)
        return turn

    def stream(
        self,
        query: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        conversation_id: str | None = None,
        files: Sequence[FileInput] | None = None,
        user: str | None = None,
        auto_generate_name: bool = True,
        timeout: float | None = None,
    ) -> ChatStream:
        """Ask, and give the events as they come: `async with dify.chat.stream("hi") as stream`.

        Arguments as for `send`. Nothing is sent before the stream is entered.
        """
        return self._stream(query, inputs, conversation_id, files, user, "streaming", auto_generate_name, timeout)

    def _stream(
        self,
        query: str,
        inputs: Mapping[str, Any] | None,
        conversation_id: str | None,
        files: Sequence[FileInput] | None,
        user: str | None,
        response_mode: Literal["streaming", "blocking"],
        auto_generate_name: bool,
        timeout: float | None,
    ) -> _Asking:
        dify = self._dify
        name = dify.user_or(user)
        if timeout is not None and not timeout > 0:
            raise InputError(t("net.bad_timeout", value=repr(timeout)), code="timeout")
        # Built once with nothing in it, so that a mistake is told here and not on entering.
        call = calls.chat_messages(
            query,
            user=name,
            inputs=inputs,
            conversation_id=conversation_id,
            response_mode=response_mode,
            auto_generate_name=auto_generate_name,
        )
        info = dify.app_info
        sent = ev.Sent(
            query=query,
            inputs=dict(inputs or {}),
            conversation_id=conversation_id or None,
            user=name,
            server=dify.base_url,
            app=info.name if info else dify.settings.app,
            app_mode=info.mode if info else None,
        )
        return _Asking(dify, call, sent, list(files or ()), timeout=timeout)

    async def stop(self, task_id: str, *, user: str | None = None) -> bool:
        """Stop a running task; True when the server says that it did.

        It must be the user who asked: for another one Dify says yes and goes on.
        """
        answer = await self._dify._send(calls.stop_chat_message(task_id, user=self._dify.user_or(user)))
        return answer.result == "success"


class _Asking(ChatStream):
    """A stream whose files are uploaded when it is entered."""

    def __init__(
        self, dify: AsyncDify, call: Call[Any], sent: ev.Sent, files: list[FileInput], *, timeout: float | None
    ) -> None:
        super().__init__(dify, call, sent, timeout=timeout)
        self._files = files

    async def __aenter__(self) -> ChatStream:
        await self._prepare()
        return await super().__aenter__()

    async def _prepare(self) -> None:
        if self._files:
            named = await self._dify.files.references(self._files, user=self._sent.user)
            body = {**(self._call.body or {}), "files": named}
            self._call = msgspec.structs.replace(self._call, body=body)

    async def blocking(self) -> Turn:
        """The answer in one piece."""
        await self._prepare()
        builder = Builder()
        loop_time = _clock()
        builder.apply(self._sent)
        body, _ = await self._dify._fetch(self._call)
        at = loop_time()
        try:
            events = blocking_events(body, at)
        except (msgspec.DecodeError, msgspec.ValidationError, AttributeError):
            events = []
        if not events:
            raise ServerError(t("net.unreadable", problem="chat"), code="unreadable", attempted=self._call.attempted)
        for event in (ev.Opened(at=at), *events):
            builder.apply(event)
        return msgspec.structs.replace(builder.turn(), source="blocking")


def _clock() -> Callable[[], float]:
    import time

    start = time.monotonic()
    return lambda: time.monotonic() - start


class AsyncPages(Generic[M]):
    """A list that fetches its pages as it is read: `async for item in ...`."""

    def __init__(self, fetch: Callable[[M | None], Any]) -> None:
        self._fetch = fetch

    async def __aiter__(self) -> AsyncIterator[M]:
        seen: set[str] = set()
        last: M | None = None
        while True:
            items, more, last = await self._fetch(last)
            fresh = [item for item in items if item.id not in seen]
            for item in fresh:
                seen.add(item.id)
                yield item
            if not more or not fresh:  # a server that repeats a page would never end
                return

    async def to_list(self, limit: int | None = None) -> list[M]:
        """Everything, or the first `limit` items."""
        found: list[M] = []
        if limit is not None and limit < 1:
            return found
        async for item in self:
            found.append(item)
            if limit is not None and len(found) >= limit:
                break
        return found


class AsyncConversations(Resource):
    """`conversations.list`."""

    def list(
        self, *, sort_by: SortBy = "-updated_at", page_size: int = 100, user: str | None = None
    ) -> AsyncPages[models.Conversation]:
        """The user's conversations, by default the last used first.

        Args:
            sort_by: created_at, -created_at, updated_at or -updated_at.
            page_size: how many to fetch at once, 1 to 100.
        """
        dify, name = self._dify, self._dify.user_or(user)
        calls.list_conversations(user=name, limit=page_size, sort_by=sort_by)  # tells mistakes now

        async def fetch(last: models.Conversation | None) -> Any:
            page = await dify._send(
                calls.list_conversations(
                    user=name, limit=page_size, sort_by=sort_by, last_id=last.id if last else None
                )
            )
            return page.data, page.has_more, page.data[-1] if page.data else last

        return AsyncPages(fetch)


class AsyncMessages(Resource):
    """`messages.list`."""

    def list(
        self,
        conversation_id: str,
        *,
        order: Literal["asc", "desc"] = "desc",
        page_size: int = 100,
        user: str | None = None,
    ) -> AsyncPages[models.StoredMessage]:
        """The messages of a conversation, by default the newest first.

        Dify pages by whole seconds: messages of the same second at a page's edge are lost by
        the server itself. Pages of 100, the largest, make that rare. `order="asc"` has to
        read everything before it gives the first.
        """
        calls.one_of("order", order, ("asc", "desc"))
        dify, name = self._dify, self._dify.user_or(user)
        calls.list_messages(conversation_id, user=name, limit=page_size)

        async def fetch(last: models.StoredMessage | None) -> Any:
            page = await dify._send(
                calls.list_messages(
                    conversation_id, user=name, limit=page_size, first_id=last.id if last else None
                )
            )
            # A page is the newest that are left, oldest first within the page.
            return page.data[::-1], page.has_more, page.data[0] if page.data else last

        if order == "desc":
            return AsyncPages(fetch)

        async def fetch_all(last: models.StoredMessage | None) -> Any:
            everything = await AsyncPages(fetch).to_list()
            return everything[::-1], False, None

        return AsyncPages(fetch_all)


class AsyncFiles(Resource):
    """`files.upload`."""

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
            client = await self._dify._pools.client()
            response = await client.send(client.build_request("GET", url), stream=True, auth=None)
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


class AsyncApp(Resource):
    """What the app is: `app.info`, `app.parameters`, `app.meta`, `app.site`."""

    async def info(self) -> models.AppInfo:
        """Name, description and mode of the app."""
        found = await self._dify._send(calls.app_info())
        self._dify.app_info = found
        return found

    async def parameters(self, *, user: str | None = None) -> models.Parameters:
        """The app's input form, opening statement and file rules."""
        return await self._dify._send(calls.app_parameters(user=self._dify.user_or(user)))

    async def meta(self, *, user: str | None = None) -> models.AppMeta:
        """The icons of the app's tools."""
        return await self._dify._send(calls.app_meta(user=self._dify.user_or(user)))

    async def site(self) -> models.Site:
        """How the app's web page looks (Dify 1.x)."""
        return await self._dify._send(calls.app_site())
