"""`Dify`: the same as `AsyncDify` for code that does not await.

Every call runs on the portal's loop, in a thread of its own, so it works inside a
notebook whose kernel has a running loop. Signatures are those of the async client
(a test compares them); there is no second implementation of anything.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import httpx

from ..secret import Secret
from .client import AsyncDify
from .defaults import CONNECTIONS, RETRY_SECONDS
from .portal import portal
from .sync_groups import Annotations, App, Audio, Conversations, EndUsers, Files, Group, Messages

if TYPE_CHECKING:
    from ..config import Settings
    from ..frames.history import History
    from ..turn.state import Turn
    from ..wire import models
    from ..wire.events import Event
    from .bounds import Bounds
    from .files import FileInput
    from .stream import ChatStream


class Dify:
    """One app of one Dify server, for plain calls. Arguments as for `AsyncDify`.

    dify = Dify(api_key="app-...", base_url="https://dify.example.com")
    print(dify.chat.send("hi").answer)
    """

    def __init__(
        self,
        api_key: str | Secret | None = None,
        base_url: str | None = None,
        user: str | None = None,
        *,
        headers: Mapping[str, str | Secret] | None = None,
        verify: bool | str | os.PathLike[str] | ssl.SSLContext = True,
        timeout: httpx.Timeout | float | None = None,
        transport: httpx.AsyncBaseTransport | Literal["aiohttp"] | None = None,
        connections: int = CONNECTIONS,
        retry: float = RETRY_SECONDS,
        files_hosts: Sequence[str] = (),
        bounds: Bounds | None = None,
        profile: str | None = None,
    ) -> None:
        from ..address import hide_key

        api_key, base_url, headers = Secret.hide(api_key), hide_key(base_url), Secret.hide_all(headers)
        self._start(
            AsyncDify(
                api_key,
                base_url,
                user,
                headers=headers,
                verify=verify,
                timeout=timeout,
                transport=transport,
                connections=connections,
                retry=retry,
                files_hosts=files_hosts,
                bounds=bounds,
                profile=profile,
            )
        )

    def _start(self, dify: AsyncDify) -> None:
        self.as_async = dify
        """The async client behind this one."""
        self.chat = Chat(dify)
        self.conversations = Conversations(dify)
        self.messages = Messages(dify)
        self.files = Files(dify)
        self.audio = Audio(dify)
        self.app = App(dify)
        self.annotations = Annotations(dify)
        self.end_users = EndUsers(dify)

    @classmethod
    def wrap(cls, dify: AsyncDify) -> Dify:
        """The plain face of an async client."""
        plain = cls.__new__(cls)
        plain._start(dify)
        return plain

    @classmethod
    def from_settings(cls, settings: Settings, **options: Any) -> Dify:
        """A client for settings that were resolved already; options as for `Dify`."""
        return cls.wrap(AsyncDify.from_settings(settings, **options))

    @classmethod
    def local(cls, app: str = "guide", user: str | None = None) -> Dify:
        """A client of the embedded server, which is started when it does not run yet.

        Args:
            app: guide (chat), toolbox (agent) or pipeline (chatflow).
        """
        return cls.wrap(AsyncDify.local(app, user))

    def __repr__(self) -> str:
        if "as_async" not in vars(self):  # a traceback may show one that did not come to be
            return "<Dify>"
        return repr(self.as_async).replace("AsyncDify", "Dify", 1)

    def __deepcopy__(self, memo: object) -> Dify:
        """Itself: connections are not copied."""
        return self

    @property
    def settings(self) -> Settings:
        """Server, user and where they came from; the key hides itself."""
        return self.as_async.settings

    @property
    def user(self) -> str:
        """Whose conversations these are."""
        return self.as_async.user

    @property
    def base_url(self) -> str:
        """The API's root on the server; ends in /v1."""
        return self.as_async.base_url

    @property
    def bounds(self) -> Bounds:
        """How much is taken from the server."""
        return self.as_async.bounds

    @property
    def server_version(self) -> str | None:
        """What the server says of its version (`X-Version`), known after the first answer."""
        return self.as_async.server_version

    @property
    def app_info(self) -> models.AppInfo | None:
        """What `/info` said, once it was asked."""
        return self.as_async.app_info

    def as_user(self, user: str) -> Dify:
        """The same app for another user, with the same connections. See `AsyncDify.as_user`."""
        return Dify.wrap(self.as_async.as_user(user))

    def __enter__(self) -> Dify:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. The client stays usable."""
        portal().call(self.as_async.aclose())

    def user_or(self, user: str | None) -> str:
        """A user given for one call, checked, or the client's own."""
        return self.as_async.user_or(user)

    def history(
        self,
        users: Mapping[str, str] | Sequence[str] | str | None = None,
        conversations: Sequence[str] | str | None = None,
        since: Any = None,
        until: Any = None,
        concurrency: int = CONNECTIONS,
        *,
        to: str | os.PathLike[str] | None = None,
        progress: bool | None = None,
    ) -> History:
        """The logs of conversations as tables: `history = dify.history(since="2026-01-01")`.

        An Interrupt ends it early, and what has come is given back; the notes say so.

        Args:
            users: whose conversations; None is this client's user alone, since the server lists them for one user at
                a time. `find_users()` finds more.
            conversations: ids, if only some are wanted.
            since: messages from then on. A date, a datetime, pandas' Timestamp or Period, numpy's datetime64; a
                timedelta, for so long ago; seconds since 1970; or text, such as "2026-01-31T12:00", "yesterday",
                "7 days". What has no zone is local.
            until: messages before then; likewise.
            concurrency: how many requests at once, 1 to 32; more than the client's `connections` while this lasts.
            to: write Parquet into this directory as pages arrive, with little memory (extra `parquet`); the
                history's tables are then read when they are looked at.
            progress: tell how far it is; None does so where somebody looks: in a terminal and in a notebook.

        Raises:
            InputError: an argument cannot be meant; nothing was sent.
            DifyError: no user's conversations could be listed. What fails for single conversations stands in
                `history.failures`, and the rest is there.
        """
        from .._hooks import history

        return history(  # type: ignore[no-any-return]
            self.as_async, users, conversations, since, until, concurrency, to=to, progress=progress
        ).now()

    def update(
        self,
        history: History | str | os.PathLike[str],
        concurrency: int = CONNECTIONS,
        *,
        progress: bool | None = None,
    ) -> History:
        """A history with what is new or changed since: `history = dify.update(history)`. See `AsyncDify.update`."""
        from .._hooks import update

        return update(self.as_async, history, concurrency, progress=progress).now()  # type: ignore[no-any-return]

    def find_users(self) -> dict[str, str]:
        """Users whose conversations could be asked for. See `AsyncDify.find_users`."""
        return portal().call(self.as_async.find_users())


class Stream:
    """The events of one answer, in order; a context manager and an iterator. See `ChatStream`."""

    def __init__(self, stream: ChatStream) -> None:
        self._stream = stream

    @property
    def turn(self) -> Turn:
        """The turn as it is now."""
        return self._stream.turn

    @property
    def task_id(self) -> str | None:
        """Dify's id of the running task, known with the first event."""
        return self._stream.task_id

    def __enter__(self) -> Stream:
        portal().call(self._stream.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        portal().call(self._stream.__aexit__(kind, problem, trace))
        if isinstance(problem, KeyboardInterrupt):
            from .interrupting import hand_over

            hand_over(self._stream.turn, problem)

    def __iter__(self) -> Iterator[Event]:
        events = self._stream.__aiter__()

        async def some() -> list[Event]:
            """The next event and those that have come with it: one crossing for a burst."""
            found: list[Event] = []
            async for event in events:
                found.append(event)
                if len(found) >= 64 or not self._stream.more_at_hand:
                    break
            return found

        while batch := portal().call(some()):
            yield from batch

    def read(self) -> Turn:
        """Read to the end and give the turn. Raises nothing for what the stream says."""
        return portal().call(self._stream.read())

    def stop(self) -> bool:
        """Ask the server to stop; whether it confirmed. See `ChatStream.stop`."""
        return portal().call(self._stream.stop())


class Chat(Group):
    """Asking: `chat.send`, `chat.stream`, `chat.stop`."""

    def send(
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
        """Ask, and give the whole turn. See `AsyncChat.send`."""
        return portal().call(
            self._dify.chat.send(
                query,
                inputs=inputs,
                conversation_id=conversation_id,
                files=files,
                user=user,
                response_mode=response_mode,
                auto_generate_name=auto_generate_name,
                timeout=timeout,
            )
        )

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
    ) -> Stream:
        """Ask, and give the events as they come: `with dify.chat.stream("hi") as stream`."""
        return Stream(
            self._dify.chat.stream(
                query,
                inputs=inputs,
                conversation_id=conversation_id,
                files=files,
                user=user,
                auto_generate_name=auto_generate_name,
                timeout=timeout,
            )
        )

    def stop(self, task_id: str, *, user: str | None = None) -> bool:
        """Stop a running task; True when the server says that it did. See `AsyncChat.stop`."""
        return portal().call(self._dify.chat.stop(task_id, user=user))
