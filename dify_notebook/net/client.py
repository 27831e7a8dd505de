"""`AsyncDify`: one app of one Dify server, for `await` and `async for`."""

from __future__ import annotations

import copy
import os
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import httpx

from ..errors import ConfigError
from ..i18n import t
from ..printable import MESSAGE, one_line
from ..secret import Secret
from .base_client import BaseClient
from .defaults import CONNECTIONS, RETRY_SECONDS

if TYPE_CHECKING:
    from ..config import Settings
    from ..frames.fetch import Collecting, Users
    from ..frames.history import History
    from ..sweep.mapping import MapRun
    from ..wire import models
    from .app import AsyncAnnotations, AsyncApp, AsyncEndUsers
    from .audio import AsyncAudio
    from .bounds import Bounds
    from .chat import AsyncChat
    from .completion import AsyncCompletion
    from .forms import AsyncForms
    from .lists import AsyncConversations, AsyncMessages
    from .uploads import AsyncFiles
    from .workflows import AsyncWorkflows


class AsyncDify(BaseClient):
    """One app of one Dify server.

    It is configuration plus one connection pool for each running loop, made on first use
    and closed with the loop, so one client serves `await` in a notebook, several
    `asyncio.run` and forked children.

    async with AsyncDify(api_key="app-...", base_url="https://dify.example.com") as dify:
        turn = await dify.chat.send("hi")

    Args:
        api_key: the app's key. Without key, server and profile they come from the profile that
            `DIFY_PROFILE` names, else from `DIFY_API_KEY` and `DIFY_BASE_URL`.
        base_url: the server, with or without `/v1`; Dify Cloud when only a key is given.
        user: whose conversations these are, 1 to 255 characters; `DIFY_USER`, else a name
            that was made up once for this machine.
        headers: further headers for every request to this server (a gateway's, say). They go where the
            key goes and nowhere else: not with a redirect to another origin, not to the host of a file.
        verify: whose certificates are trusted: a file or a directory of them, a context, or True for those that the
            environment's variables name (see `net.certificates`), else certifi's. False trusts everybody.
        timeout: seconds, or an `httpx.Timeout`; by default connect 10, read 60, and pool 60: so long
            a request waits while no other ends, see `connections`.
        transport: an httpx transport instead of the ordinary one, or "aiohttp" for the faster one
            of the extra `fast`.
        connections: how many requests may be under way to the server at once, 1 to 128; halved
            while the server says that there are too many. A stream holds one until it ends. Short
            calls find up to 4 beside them. Whoever opens one stream too many waits, and gets an
            `InputError` once none has ended for the pool's time, or at once where all that are open
            are its own.
        retry: seconds that an idempotent call may take with all its repetitions, after failed
            connections, 429 and 5xx; 0 repeats nothing. A chat message is never sent twice. At most 1.5
            of them go by while a server that never answered cannot be reached.
        files_hosts: hosts besides the server's own from which images of an answer may be
            fetched (where the server's FILES_URL names another one), as `host` or `host:port`.
        bounds: how much is taken from the server, see `Bounds`.
        profile: the name of a profile that `%dify connect` made. Not looked at where a key or a
            server is given.

    Raises:
        ConfigError: no source gives both key and server, one of these is none, or `headers`, `verify` or
            `transport` cannot be used.
        InputError: `user` is empty, too long or no text, `timeout` is no positive number of seconds, or
            `connections` another number.

    In every call `user` is another user than the client's for that call alone, 1 to 255 characters, and `page_size`
    how many items one request of a list fetches, 1 to 100. A call may raise, besides what its own text names:

    - `InputError`: an argument cannot be sent; nothing was. Also where no connection comes free, see `connections`.
    - `ConfigError`: a variable of the environment names no proxy or no certificates.
    - `AuthenticationError` (401, 403), `NotFoundError` (404), `RateLimitError` (429), `ServerError` (500 and above,
      and what is no Dify's answer), `APIError` (any other refusal).
    - `ConnectError`: the server cannot be reached; its `TimeoutException` where it did not answer in time.
    """

    chat: AsyncChat
    conversations: AsyncConversations
    messages: AsyncMessages
    files: AsyncFiles
    audio: AsyncAudio
    app: AsyncApp
    annotations: AsyncAnnotations
    end_users: AsyncEndUsers
    forms: AsyncForms
    workflows: AsyncWorkflows
    completion: AsyncCompletion

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
        api_key = Secret.hide(api_key)
        hidden, base_url = Secret(base_url) if isinstance(base_url, str) else base_url, None  # it may be a key, too
        headers = Secret.hide_all(headers)
        from ..address import hide_key  # an Interrupt may end an import, so keys are hidden before

        base_url = hide_key(hidden)
        from ..config import resolve

        settings = resolve(api_key, base_url, user, profile=profile)
        if settings is None:
            raise ConfigError(t("net.no_source"), code="api_key")
        self._start(
            settings,
            headers=headers,
            verify=verify,
            timeout=timeout,
            transport=transport,
            connections=connections,
            retry=retry,
            files_hosts=files_hosts,
            bounds=bounds,
        )

    def _start(
        self,
        settings: Settings,
        *,
        retry: float = RETRY_SECONDS,
        files_hosts: Sequence[str] = (),
        bounds: Bounds | None = None,
        **options: Any,
    ) -> None:
        from .app_cache import AppCache
        from .bounds import Bounds
        from .transport import LoopPools

        self._settings = settings
        self._retry_seconds = retry
        self._files_hosts = frozenset(files_hosts)
        self._bounds = bounds or Bounds()
        defaulted = {"headers": None, "verify": True, "timeout": None, "transport": None, **options}
        self._pools = LoopPools(settings, **defaulted)
        self._cache = AppCache()
        self._answered: OrderedDict[str, dict[str, Any]] = OrderedDict()  # forms by id: see `AsyncForms.submit`
        self._submitting: dict[str | Secret, object] = {}  # forms that are on their way, by id, or by token
        self._group()

    def _group(self) -> None:
        from .app import AsyncAnnotations, AsyncApp, AsyncEndUsers
        from .audio import AsyncAudio
        from .chat import AsyncChat
        from .completion import AsyncCompletion
        from .forms import AsyncForms
        from .lists import AsyncConversations, AsyncMessages
        from .uploads import AsyncFiles
        from .workflows import AsyncWorkflows

        self.chat = AsyncChat(self)
        self.conversations = AsyncConversations(self)
        self.messages = AsyncMessages(self)
        self.files = AsyncFiles(self)
        self.audio = AsyncAudio(self)
        self.app = AsyncApp(self)
        self.annotations = AsyncAnnotations(self)
        self.end_users = AsyncEndUsers(self)
        self.forms = AsyncForms(self)
        self.workflows = AsyncWorkflows(self)
        self.completion = AsyncCompletion(self)

    @classmethod
    def from_settings(cls, settings: Settings, **options: Any) -> AsyncDify:
        """A client for settings that were resolved already, such as another client's `settings`.

        Args:
            options: headers, verify, timeout, transport, connections, retry, files_hosts and bounds, as for
                `AsyncDify`, which also says what is raised.
        """
        dify = cls.__new__(cls)
        dify._start(settings, **options)
        return dify

    @classmethod
    def local(cls, app: str = "guide", user: str | None = None) -> AsyncDify:
        """A client of the embedded server, which is started when it does not run yet.

        Args:
            app: guide (chat), toolbox (agent), pipeline (chatflow) or tally (workflow).
            user: whose conversations these are; None as for `AsyncDify`.

        Raises:
            LocalServerError: it cannot be started, its directory cannot be used, or it has no such app.
            InputError: the user is empty or longer than 255 characters.
        """
        from .. import local as embedded
        from ..config import Settings, user_of

        server = embedded.ensure()
        key = Secret(server.api_key(app))
        settings = Settings(base_url=server.base_url, api_key=key, user=user_of(user), source="local", app=app)
        return cls.from_settings(settings)

    def __repr__(self) -> str:
        if "_settings" not in vars(self):  # a traceback may show one that did not come to be
            return f"<{type(self).__name__}>"
        return one_line(f"<{type(self).__name__} {self._settings.base_url} user={self._settings.user!r}>", MESSAGE)

    @property
    def settings(self) -> Settings:
        """Server, user and where they came from; the key hides itself."""
        return self._settings

    @property
    def user(self) -> str:
        """Whose conversations these are, 1 to 255 characters."""
        return self._settings.user

    @property
    def base_url(self) -> str:
        """The API's root on the server; ends in /v1."""
        return self._settings.base_url

    @property
    def bounds(self) -> Bounds:
        """How much is taken from the server, in bytes and items."""
        return self._bounds

    @property
    def server_version(self) -> str | None:
        """The server's version, such as `1.12.1` (its header `X-Version`); None before the first answer, or untold."""
        return self._cache.app.version

    @property
    def app_info(self) -> models.AppInfo | None:
        """What `/info` said; None until `app.info()` asked."""
        return self._cache.app.info

    def __deepcopy__(self, memo: object) -> AsyncDify:
        """Itself: connections are not copied."""
        return self

    def as_user(self, user: str) -> AsyncDify:
        """A client of the same app for another user, with the same connections and what is known of the server.

        Closing one closes the connections of both; both stay usable.

        Raises:
            InputError: the user is empty or longer than 255 characters.
        """
        import msgspec

        from ..config import check_user

        other = copy.copy(self)
        other._settings = msgspec.structs.replace(self._settings, user=check_user(user))
        other._group()
        return other

    def _paced(self, connections: int) -> AsyncDify:
        """A client of the same app with so many connections of its own; whoever uses it paces the requests."""
        other = copy.copy(self)
        other._pools = self._pools.paced(connections)
        other._group()
        return other

    async def __aenter__(self) -> AsyncDify:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the running loop's connections. The client stays usable."""
        await self._pools.aclose()

    @asynccontextmanager
    async def at_most(self, connections: int) -> AsyncIterator[None]:
        """Within this, up to so many requests may be under way to the server, where that is more than usual.

        Args:
            connections: requests at once.
        """
        limiter = (await self._pools.current()).limiter
        with limiter.raised_to(connections):
            yield

    def user_or(self, user: str | None) -> str:
        """A user given for one call, checked, or the client's own."""
        from ..config import check_user

        return self.user if user is None else check_user(user)

    # -- logs as tables --------------------------------------------------------------

    def history(
        self,
        users: Mapping[str, str] | Sequence[str] | str | None = None,
        conversations: Sequence[str] | str | None = None,
        since: Any = None,
        until: Any = None,
        concurrency: int = CONNECTIONS,
        *,
        details: bool = False,
        to: str | os.PathLike[str] | None = None,
        progress: bool | None = None,
    ) -> Collecting:
        """The logs of an app as tables: `history = await dify.history(since="2026-01-01")`.

        Of a workflow app these are its runs (`history.workflow_runs`), by everyone unless `users` names some. Of a
        completion app the server lists nothing but ratings; what was asked from this machine is in its tapes.

        What is awaited has `.history`, too: what has come so far, after an interruption as well.

        Args:
            users: whose conversations; None is this client's user alone, since the server lists them for one user at
                a time. `find_users()` finds more.
            conversations: ids, if only some are wanted.
            since: messages, or runs that began, from then on. A date, a datetime, pandas' Timestamp or Period, numpy's
                datetime64; a timedelta, for so long ago; seconds since 1970; or text, such as "2026-01-31T12:00",
                "yesterday", "7 days". What has no zone is local.
            until: messages before then; likewise.
            concurrency: how many requests at once, 1 to 32; more than the client's `connections` while this lasts.
            details: ask for inputs and outputs of a workflow app's runs too, with one request for each.
            to: write Parquet into this directory as pages arrive, with little memory (extra `parquet`); the
                history's tables are then read when they are looked at.
            progress: tell how far it is; None does so where somebody looks: in a terminal and in a notebook.

        Raises:
            InputError: an argument cannot be meant; nothing was sent.
            DifyError: no user's conversations could be listed. What fails for single conversations stands in
                `history.failures`, and the rest is there.
        """
        from ..frames import fetch

        return fetch.history(
            self, users, conversations, since, until, concurrency, details=details, to=to, progress=progress
        )

    def update(
        self,
        history: History | str | os.PathLike[str],
        concurrency: int = CONNECTIONS,
        *,
        progress: bool | None = None,
    ) -> Collecting:
        """A history with what is new or changed since: `history = await dify.update(history)`.

        Conversations that were used, renamed or begun since then, or in which a message is paused, are fetched again
        as a whole, and all ratings and annotations; of a workflow app runs that are new, or were not over. What was
        deleted on the server stays. One that lies in a directory is changed there.

        Args:
            history: it, or the directory where it lies.
            concurrency, progress: as for `history`.

        Raises:
            InputError: it is another server's, or `concurrency` is no number from 1 to 32.
            DifyError: as for `history`.
        """
        from ..frames import fetch

        return fetch.update(self, history, concurrency, progress=progress)

    def map(
        self,
        df: Any,
        query: str | Sequence[str] | None = None,
        inputs: Mapping[str, Any] | None = None,
        outputs: str | Sequence[str] | Mapping[str, str] | None = None,
        files: Any = None,
        concurrency: int = CONNECTIONS,
        *,
        store: str | os.PathLike[str] | None = None,
        budget: Any = None,
        timeout: float | None = None,
        progress: bool | None = None,
    ) -> MapRun:
        """Ask every row of a table, and get the table with the answers as columns.

        import pandas as pd
        df = pd.DataFrame({"body": ["Where is my parcel?", "I want my money back."]})
        out = await AsyncDify.local("guide").map(df, query="Answer in one sentence: {{ body }}")
        out[["body", "answer", "error"]]

        What comes back has the same index, rows and columns as `df`, then the outputs, then `error`: the reason where
        a row has no answer, missing where all went well. A row that fails raises nothing: `error` is its code and what
        was said (`invalid_param: ...`); `not_run: ...` where the run stopped before it, `unknown: ...` where it may
        have been asked and nobody knows how it ended, `no_output: ...` where an answer lacks what `outputs` names.
        Equal rows are asked once. Each is asked in a conversation of its own under a user of the map's own. The
        engine is that of `Sweep`.

        What is awaited has `.frame`, too: what has come so far, after an interruption as well.

        Args:
            df: a DataFrame of pandas, or of polars (a pandas one comes back), a list of dicts, or a list of texts,
                which is the column `text` and, for apps that chat, the question.
            query: a text with `{{ column }}` or `{{ row.column }}`; a list of texts is a script of several turns, of
                which the last one answers. None for apps that take inputs alone.
            inputs: by name: the name of a column is that column (`{"text": "body"}`), a text with braces is filled
                from the row, every other value is itself.
            outputs: which outputs become columns: names, or a dict from the column's name to the output's
                (`{"reply": "answer"}`). None is everything: of a workflow app all its outputs by name
                (`output_NAME` where `df` has that column), else `answer`. Of apps that answer in text `answer` is the
                whole text, and every other name a key of the JSON object that the text is, alone or as one block of
                code.
            files: as for `chat.send`, or the name of a column of `Path`, bytes and references. A text in a table is
                never a path.
            concurrency: rows at once, 1 to 128. It begins with few, and halves while the server says that there are
                too many.
            store: a directory where everything is written down as it comes: the same map goes on there, and asks
                only what is missing or failed. None keeps it in memory.
            budget: for the whole store: "2 USD", "50000 tokens", "100 calls" or a number of calls; see `Sweep.run`.
            timeout: seconds that one turn may take; None waits as long as the client does.
            progress: tell how far it is; None does so where somebody looks: in a terminal and in a notebook.

        Raises:
            InputError: an argument cannot be meant, `df` has a column of an output's name or one called `error`, a row
                does not fit the app's form, or an app reports nothing in the unit of the budget.
            DifyError: what concerns every row: no server, a key that is refused, a store that runs already.
        """
        from ..sweep import mapping

        return mapping.map_rows(
            self, df, query, inputs, outputs, files, concurrency,
            store=store, budget=budget, timeout=timeout, progress=progress,
        )  # fmt: skip

    async def find_users(self) -> Users:
        """Users whose conversations could be asked for: a dict of names, each with where it was found.

        The server lists no users. Found are this client's (`client`), those who asked from this machine (`runs`, by
        the local store of runs), and those who rated an answer, where the server tells their names (`feedbacks`,
        newer than Dify 1.12). `.notes` of what comes back says who cannot be found, and why; a refusal of the server
        is such a note and raises nothing.
        """
        from ..frames import fetch

        return await fetch.find_users(self)
