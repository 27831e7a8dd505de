"""`Dify`: the same as `AsyncDify` for code that does not await.

Every call runs on the portal's loop, in a thread of its own, so it works inside a
notebook whose kernel has a running loop. There is no second implementation of anything.

Written by tests/support/sync_client.py from the async classes; do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..secret import Secret
from .client import AsyncDify
from .defaults import CONNECTIONS, RETRY_SECONDS
from .portal import portal
from .sync_base import Client, Group, Pages, iterate
from .sync_base import Stream as Stream

if TYPE_CHECKING:
    import builtins
    import os
    import ssl
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path
    from typing import Any, Literal

    import httpx
    import pandas as pd

    from ..config import Settings
    from ..frames.fetch import Users
    from ..frames.history import History
    from ..turn.forms import Form
    from ..turn.state import MessageFile, Turn
    from ..wire import models
    from ..wire.calls import SortBy
    from ..wire.kinds import LoggedStatus
    from . import files as fl
    from .bounds import Bounds
    from .files import FileInput
    from .question import ResponseMode


class Dify(Client):
    """One app of one Dify server, for plain calls.

    dify = Dify(api_key="app-...", base_url="https://dify.example.com")
    print(dify.chat.send("hi").answer)

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
        super()._start(dify)
        self.chat = Chat(dify)
        self.conversations = Conversations(dify)
        self.messages = Messages(dify)
        self.files = Files(dify)
        self.audio = Audio(dify)
        self.app = App(dify)
        self.annotations = Annotations(dify)
        self.end_users = EndUsers(dify)
        self.forms = Forms(dify)
        self.workflows = Workflows(dify)
        self.completion = Completion(dify)

    @classmethod
    def from_settings(cls, settings: Settings, **options: Any) -> Dify:
        """A client for settings that were resolved already, such as another client's `settings`.

        Args:
            options: headers, verify, timeout, transport, connections, retry, files_hosts and bounds, as for
                `Dify`, which also says what is raised.
        """
        return cls.wrap(AsyncDify.from_settings(settings, **options))

    @classmethod
    def local(cls, app: str = "guide", user: str | None = None) -> Dify:
        """A client of the embedded server, which is started when it does not run yet.

        Args:
            app: guide (chat), toolbox (agent), pipeline (chatflow) or tally (workflow).
            user: whose conversations these are; None as for `Dify`.

        Raises:
            LocalServerError: it cannot be started, its directory cannot be used, or it has no such app.
            InputError: the user is empty or longer than 255 characters.
        """
        return cls.wrap(AsyncDify.local(app, user))

    @property
    def settings(self) -> Settings:
        """Server, user and where they came from; the key hides itself."""
        return self.as_async.settings

    @property
    def user(self) -> str:
        """Whose conversations these are, 1 to 255 characters."""
        return self.as_async.user

    @property
    def base_url(self) -> str:
        """The API's root on the server; ends in /v1."""
        return self.as_async.base_url

    @property
    def bounds(self) -> Bounds:
        """How much is taken from the server, in bytes and items."""
        return self.as_async.bounds

    @property
    def server_version(self) -> str | None:
        """The server's version, such as `1.12.1` (its header `X-Version`); None before the first answer, or untold."""
        return self.as_async.server_version

    @property
    def app_info(self) -> models.AppInfo | None:
        """What `/info` said; None until `app.info()` asked."""
        return self.as_async.app_info

    def as_user(self, user: str) -> Dify:
        """A client of the same app for another user, with the same connections and what is known of the server.

        Closing one closes the connections of both; both stay usable.

        Raises:
            InputError: the user is empty or longer than 255 characters.
        """
        return Dify.wrap(self.as_async.as_user(user))

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
        details: bool = False,
        to: str | os.PathLike[str] | None = None,
        progress: bool | None = None,
    ) -> History:
        """The logs of an app as tables: `history = dify.history(since="2026-01-01")`.

        Of a workflow app these are its runs (`history.workflow_runs`), by everyone unless `users` names some. Of a
        completion app the server lists nothing but ratings; what was asked from this machine is in its tapes.

        An Interrupt ends it early, and what has come is given back; the notes say so.

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
        return self.as_async.history(
            users, conversations, since, until, concurrency, details=details, to=to, progress=progress
        ).now()

    def update(
        self,
        history: History | str | os.PathLike[str],
        concurrency: int = CONNECTIONS,
        *,
        progress: bool | None = None,
    ) -> History:
        """A history with what is new or changed since: `history = dify.update(history)`.

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
        return self.as_async.update(history, concurrency, progress=progress).now()

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
    ) -> pd.DataFrame:
        """Ask every row of a table, and get the table with the answers as columns.

        import pandas as pd
        df = pd.DataFrame({"body": ["Where is my parcel?", "I want my money back."]})
        out = Dify.local("guide").map(df, query="Answer in one sentence: {{ body }}")
        out[["body", "answer", "error"]]

        What comes back has the same index, rows and columns as `df`, then the outputs, then `error`: the reason where
        a row has no answer, missing where all went well. A row that fails raises nothing: `error` is its code and what
        was said (`invalid_param: ...`); `not_run: ...` where the run stopped before it, `unknown: ...` where it may
        have been asked and nobody knows how it ended, `no_output: ...` where an answer lacks what `outputs` names.
        Equal rows are asked once. Each is asked in a conversation of its own under a user of the map's own. The
        engine is that of `Sweep`.

        An Interrupt ends it early, and what has come is given back; the other rows say so in `error`.

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
        return self.as_async.map(
            df,
            query,
            inputs,
            outputs,
            files,
            concurrency,
            store=store,
            budget=budget,
            timeout=timeout,
            progress=progress,
        ).now()

    def find_users(self) -> Users:
        """Users whose conversations could be asked for: a dict of names, each with where it was found.

        The server lists no users. Found are this client's (`client`), those who asked from this machine (`runs`, by
        the local store of runs), and those who rated an answer, where the server tells their names (`feedbacks`,
        newer than Dify 1.12). `.notes` of what comes back says who cannot be found, and why; a refusal of the server
        is such a note and raises nothing.
        """
        return portal().call(self.as_async.find_users())


class Chat(Group):
    """Questions to the app: `send`, `stream`, `stop`."""

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
        workflow_id: str | None = None,
    ) -> Turn:
        """Ask, and return the whole turn.

        It streams, also for apps that know no other way; `response_mode="blocking"` asks for
        the answer in one piece (not for agents; servers behind a gateway may give up first).

        Args:
            query: the question; of a str subclass its characters.
            inputs: values for the app's variables, in the type that the app's form wants of each; the form is
                asked for once, before the first question that has inputs. Where it asks for a file, paths
                (`pathlib.Path`), bytes, open and uploaded files are uploaded and named, alone or in a list;
                a text is never the path of a file. While the form is not known values go as JSON, files as
                files: Decimal as a number, dates in ISO 8601, an Enum as its value, a UUID as text.
            conversation_id: continue that conversation; None begins a new one.
            files: paths, URLs, bytes, open files or uploaded files. Paths are uploaded first.
            response_mode: "streaming", or "blocking" for one JSON answer.
            auto_generate_name: let the server name a new conversation, as it does by default. Dify
                1.12 holds back a first turn by one second for it; False spares that second, and the
                conversation is called by its question.
            timeout: seconds for the whole turn, uploads included; None is no limit. Then the answer is stopped, which
                takes 3 s at most, or left at once where its task has no name yet; the turn's end is `timed_out`.
            workflow_id: the published version of a chatflow that is to answer, `turn.workflow.workflow_id` of an
                earlier turn or out of Dify's version history; None is the one published last. Dify 1.12 and newer;
                other apps and Dify 0.15 answer as if it had not been given.

        Raises:
            TurnFailed: the answer ended in an error, or before its end (`TurnIncomplete`: lost, timed out);
                `.turn` has what came.
            InputError: an argument or a file cannot be sent, or the app's form does not take an input.
            NotFoundError: the server has no such conversation of this user, or no such `workflow_id` of this app.
            DifyError: the server refused the question or could not be reached; while streaming `.turn` is the
                failed turn.
        """
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
                workflow_id=workflow_id,
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
        workflow_id: str | None = None,
    ) -> Stream:
        """Ask, and give the events as they come: `with dify.chat.stream("hi") as stream`.

        Arguments (`query`, `inputs`, `conversation_id`, `files`, `auto_generate_name`, `timeout`, `workflow_id`) as
        for `send`.
        Nothing is sent before the stream is entered, once.

        Raises:
            InputError: an argument cannot be sent. What entering the stream raises: see `ChatStream`.
        """
        return Stream(
            self._dify.chat.stream(
                query,
                inputs=inputs,
                conversation_id=conversation_id,
                files=files,
                user=user,
                auto_generate_name=auto_generate_name,
                timeout=timeout,
                workflow_id=workflow_id,
            )
        )

    def resume(self, run: Turn | str, *, user: str | None = None, timeout: float | None = None) -> Stream:
        """Read on in a chatflow's run that paused, or whose connection was lost (Dify 1.13 and newer).

        `with dify.chat.resume(turn) as stream`: the stream's turn is the whole of it, from the question on. It
        ends where the run ends, or where it waits for a person: at a form that was not submitted by this client.

        Args:
            run: the turn, also a pickled one or one of a tape; or the id of its run, `turn.workflow_run_id`: then
                what the server still tells of the run is all that the turn has.
            user: who asked the question; for another one there is no such run.
            timeout: seconds, as for `send`.

        Raises:
            InputError: the turn has no run. What entering the stream raises: see `ChatStream`.
        """
        return Stream(self._dify.chat.resume(run, user=user, timeout=timeout))

    def stop(self, task_id: str, *, user: str | None = None) -> bool:
        """Stop a running task.

        Args:
            task_id: Dify's id of the task, as `stream.task_id` and `turn.task_id` have it.
            user: who asked the question: for another one Dify says yes and goes on.

        Returns:
            Whether the server says that it stopped. Dify says so of tasks that it does not know, too.
        """
        return portal().call(self._dify.chat.stop(task_id, user=user))


class Conversations(Group):
    """The user's conversations: `list`, `rename`, `delete`, `variables`, `set_variable`."""

    def list(
        self, *, sort_by: SortBy = "-updated_at", page_size: int = 100, user: str | None = None
    ) -> Pages[models.Conversation]:
        """The user's conversations, by default the last used first.

        What shares a second with the end of a page is not lost: see `messages.list`. With a list
        that is sorted by the newest first, the front is read again at the end, for what was used
        meanwhile; it then comes last.

        Args:
            sort_by: created_at, -created_at, updated_at or -updated_at.
        """
        return Pages(self._dify.conversations.list(sort_by=sort_by, page_size=page_size, user=user))

    def rename(
        self,
        conversation_id: str,
        name: str | None = None,
        *,
        auto_generate: bool = False,
        user: str | None = None,
    ) -> models.Conversation:
        """Give a conversation another name, or let the server find one.

        Args:
            name: at most 255 characters; None with `auto_generate`.
            auto_generate: let the server's model name it.

        Returns:
            The conversation as the server tells it. Some only say that it went well: then it has `conversation_id`
            and the `name` that was asked for.

        Raises:
            InputError: neither a name nor `auto_generate`, or a longer name.
            NotFoundError: this user has no such conversation.
        """
        return portal().call(
            self._dify.conversations.rename(conversation_id, name, auto_generate=auto_generate, user=user)
        )

    def delete(self, conversation_id: str, *, user: str | None = None) -> None:
        """Delete the conversation `conversation_id` for good.

        Dify 1.12 says yes to any id, and deletes another user's conversation too.

        Raises:
            NotFoundError: this user has no such conversation, as Dify 0.15 and 1.16 say.
        """
        portal().call(self._dify.conversations.delete(conversation_id, user=user))

    def variables(
        self,
        conversation_id: str,
        *,
        variable_name: str | None = None,
        page_size: int = 100,
        user: str | None = None,
    ) -> Pages[models.ConversationVariable]:
        """The variables of the chatflow's conversation `conversation_id` (Dify 1.x), as the server orders them.

        Args:
            variable_name: that one alone. Dify 1.12 and 1.16 fail on their own filter, so it is done here.

        Raises:
            NotFoundError: when it is read: this user has no such conversation.
        """
        return Pages(
            self._dify.conversations.variables(
                conversation_id, variable_name=variable_name, page_size=page_size, user=user
            )
        )

    def set_variable(
        self, conversation_id: str, variable_id: str, value: Any, *, user: str | None = None
    ) -> models.ConversationVariable:
        """Set the variable `variable_id` of the conversation `conversation_id` (Dify 1.x).

        Args:
            value: of the variable's type, as JSON has it.

        Returns:
            The variable as it is now.

        Raises:
            NotFoundError: this user has no such conversation, or it no such variable.
            APIError: the value is of another type.
        """
        return portal().call(self._dify.conversations.set_variable(conversation_id, variable_id, value, user=user))


class Messages(Group):
    """The messages of a conversation: `list`, `suggested`, `feedback`."""

    def list(
        self,
        conversation_id: str,
        *,
        order: Literal["asc", "desc"] = "desc",
        page_size: int = 100,
        user: str | None = None,
    ) -> Pages[models.StoredMessage]:
        """The messages of the conversation `conversation_id`, by default the newest first.

        Dify pages by whole seconds and would lose messages of the same second at a page's edge;
        so the last second of a page is read again with the next one. Only where a whole page lies
        within one second nothing helps: a `PagingWarning` says so.

        Args:
            order: "desc", or "asc", which has to read everything before it gives the first.

        Raises:
            NotFoundError: when it is read: this user has no such conversation.
        """
        return Pages(self._dify.messages.list(conversation_id, order=order, page_size=page_size, user=user))

    def suggested(self, message_id: str, *, user: str | None = None) -> builtins.list[str]:
        """Questions that could come after the message `message_id`; none where the app finds none.

        Raises:
            APIError: the app's settings suggest no questions.
            NotFoundError: there is no such message for this user.
        """
        return portal().call(self._dify.messages.suggested(message_id, user=user))

    def feedback(
        self,
        message_id: str,
        rating: Literal["like", "dislike"] | None,
        *,
        content: str | None = None,
        user: str | None = None,
    ) -> None:
        """Rate the answer of the message `message_id`.

        Args:
            rating: "like" or "dislike"; None takes the rating back.
            content: a comment. The server keeps it, and shows it in `app.feedbacks` alone.

        Raises:
            NotFoundError: there is no such message for this user.
            APIError: there was no rating to take back.
        """
        portal().call(self._dify.messages.feedback(message_id, rating, content=content, user=user))


class Files(Group):
    """Files: `upload`, `from_url`, `download`, and the pictures of an answer."""

    def upload(
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
        return portal().call(
            self._dify.files.upload(file, name=name, mime_type=mime_type, user=user, progress=progress, check=check)
        )

    def from_url(
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
        return portal().call(self._dify.files.from_url(url, name=name, limit=limit, user=user, progress=progress))

    def fetch(self, file: MessageFile, *, limit: int = 10_000_000) -> MessageFile:
        """The `file` with its content (`data`, `size`), or with the reason why it was not fetched (`data_error`).

        Only from the server itself (or `files_hosts`), without the key, without following
        redirects, and at most `limit` bytes. Raises nothing: an answer without its picture is
        an answer.
        """
        return portal().call(self._dify.files.fetch(file, limit=limit))

    def references(
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
        return portal().call(self._dify.files.references(files, user=user, progress=progress, check=check))

    def inputs(self, inputs: Mapping[str, Any], *, user: str | None = None) -> dict[str, Any]:
        """`inputs` with the files among them named as the API names them; those that lie here are uploaded.

        Paths (`pathlib.Path`), bytes, open files and uploaded files are files wherever they stand, also in
        a list. A text is never the path of one. Where the app's form is known and calls the input a file,
        an address is named to the server, which fetches it, and any other text is refused.

        Raises:
            InputError: a file is not there or not taken, or a text stands where the app asks for a file;
                nothing was uploaded.
        """
        return portal().call(self._dify.files.inputs(inputs, user=user))

    def download(
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
        return portal().call(self._dify.files.download(file, to=to, limit=limit, user=user))


class Audio(Group):
    """Speech: `to_text`, `from_text`, `stream_from_text`."""

    def to_text(
        self, file: fl.FileLike, *, name: str | None = None, mime_type: str | None = None, user: str | None = None
    ) -> str:
        """What is said in a sound file (mp3, mp4, mpeg, mpga, m4a, wav, webm; 15 MB at most).

        Args:
            file, name, mime_type: as for `files.upload`.

        Returns:
            The text.

        Raises:
            InputError: there is no such file, or it is none.
            APIError: speech to text is off in the app's settings, or the server refused the file.
        """
        return portal().call(self._dify.audio.to_text(file, name=name, mime_type=mime_type, user=user))

    def from_text(
        self,
        text: str | None = None,
        *,
        message_id: str | None = None,
        voice: str | None = None,
        user: str | None = None,
    ) -> bytes:
        """A text, or the answer of a message, as sound (mp3 unless the server's settings say otherwise).

        Args:
            text: what to say; not needed with a message.
            message_id: of whose answer.
            voice: by the server's name; None is the app's.

        Returns:
            The content of the sound file.

        Raises:
            InputError: neither text nor message.
            APIError: text to speech is off in the app's settings, or there was no sound (`code` is not_audio: of a
                message that the server does not know, say).
            ServerError: it is larger than `Bounds.body`.
        """
        return portal().call(self._dify.audio.from_text(text, message_id=message_id, voice=voice, user=user))

    def stream_from_text(
        self,
        text: str | None = None,
        *,
        message_id: str | None = None,
        voice: str | None = None,
        user: str | None = None,
    ) -> Iterator[bytes]:
        """As `from_text` (with `text`, `message_id`, `voice`), in pieces of bytes as they come, without a bound."""
        return iterate(self._dify.audio.stream_from_text(text, message_id=message_id, voice=voice, user=user))


class App(Group):
    """What the app is: `info`, `mode`, `parameters`, `meta`, `site`, `feedbacks`."""

    def info(self) -> models.AppInfo:
        """Name, description and mode of the app."""
        return portal().call(self._dify.app.info())

    def mode(self) -> str | None:
        """What the app is: chat, agent-chat, advanced-chat (a chatflow), agent, workflow or completion.

        Dify 0.15 does not say it: there it is found, once, by asking for conversations and, where the app holds none,
        for a run that is not there, and None stands for any app that holds conversations.

        Raises:
            DifyError: the server refused that for another reason, or could not be reached.
        """
        return portal().call(self._dify.app.mode())

    def parameters(self, *, user: str | None = None) -> models.Parameters:
        """The app's input form, opening statement and file rules. Files are checked by these from then on."""
        return portal().call(self._dify.app.parameters(user=user))

    def meta(self, *, user: str | None = None) -> models.AppMeta:
        """The icons of the app's tools."""
        return portal().call(self._dify.app.meta(user=user))

    def site(self) -> models.Site:
        """How the app's web page looks (Dify 1.x)."""
        return portal().call(self._dify.app.site())

    def feedbacks(self, *, page_size: int = 100) -> Pages[models.Feedback]:
        """All ratings of the app's answers, by every user (Dify 1.x); `page_size` may be 101 here."""
        return Pages(self._dify.app.feedbacks(page_size=page_size))


class Annotations(Group):
    """Answers that people wrote: `list`, `create`, `update`, `delete`, and the automatic reply with them."""

    def list(self, *, keyword: str | None = None, page_size: int = 100) -> Pages[models.Annotation]:
        """The app's annotations (Dify 1.x), those with the `keyword` in question or answer alone if one is given."""
        return Pages(self._dify.annotations.list(keyword=keyword, page_size=page_size))

    def create(self, question: str, answer: str) -> models.Annotation:
        """Write an annotation: the `answer` to give to questions like `question`.

        Returns:
            The annotation with its id.

        Raises:
            InputError: one of them is empty.
        """
        return portal().call(self._dify.annotations.create(question, answer))

    def update(self, annotation_id: str, question: str, answer: str) -> models.Annotation:
        """Write the annotation `annotation_id` anew, with `question` and `answer` as for `create`.

        Raises:
            InputError: question or answer is empty.
            NotFoundError: there is no such annotation.
        """
        return portal().call(self._dify.annotations.update(annotation_id, question, answer))

    def delete(self, annotation_id: str) -> None:
        """Delete the annotation `annotation_id`.

        Raises:
            NotFoundError: there is no such annotation.
        """
        portal().call(self._dify.annotations.delete(annotation_id))

    def enable_reply(
        self, *, score_threshold: float = 0.9, embedding_provider_name: str, embedding_model_name: str
    ) -> models.Job:
        """Let matching annotations answer; a job of the server's, see `reply_status`.

        Args:
            score_threshold: how alike a question must be, 0 to 1.
            embedding_provider_name, embedding_model_name: the model that compares questions, by the server's names.

        Returns:
            The job: its `job_id` and `job_status`.

        Raises:
            InputError: the threshold is another number.
        """
        return portal().call(
            self._dify.annotations.enable_reply(
                score_threshold=score_threshold,
                embedding_provider_name=embedding_provider_name,
                embedding_model_name=embedding_model_name,
            )
        )

    def disable_reply(self) -> models.Job:
        """Stop annotations from answering; a job of the server's, see `reply_status`."""
        return portal().call(self._dify.annotations.disable_reply())

    def reply_status(self, action: str, job_id: str) -> models.Job:
        """How far a job of `enable_reply` or `disable_reply` is: its `job_status` is waiting, completed or error.

        Args:
            action: "enable" or "disable", as the job does.
            job_id: as the job's `job_id` has it.

        Raises:
            InputError: `action` is another.
            APIError: the server knows no such job.
        """
        return portal().call(self._dify.annotations.reply_status(action, job_id))


class EndUsers(Group):
    """The app's users: `get`."""

    def get(self, end_user_id: str) -> models.EndUser:
        """The end user `end_user_id`, which feedbacks name as `from_end_user_id` (newer than Dify 1.12).

        Raises:
            NotFoundError: there is no such user, or the server does not have this route.
        """
        return portal().call(self._dify.end_users.get(end_user_id))


class Forms(Group):
    """Forms of runs that wait for a person: `get`, `submit`."""

    def get(self, form: Form | str | Secret) -> Form:
        """A form as the server has it now, by its token.

        Args:
            form: one of `turn.forms`, or a token. Of a form without a token, as pickled ones are, the server is asked
                for it first, which tells it to who asked the question.

        Raises:
            NotFoundError: this app has no such form.
            APIError: it was submitted (`human_input_form_submitted`) or has expired (`human_input_form_expired`).
            InputError: the server tells no token of it any more.
        """
        return portal().call(self._dify.forms.get(form))

    def submit(
        self,
        form: Form | str | Secret,
        *,
        action: str,
        inputs: Mapping[str, Any] | None = None,
        user: str | None = None,
    ) -> None:
        """Answer a form; its run goes on at the server, and `chat.resume` reads how. It is never sent twice.

        Args:
            form: one of `turn.forms`, or a token, of which nothing is checked here.
            action: the id of one of its actions.
            inputs: a value for each of its fields; one that is left out has its default. Where a field is a file:
                what `files` of a question takes, which is uploaded.
            user: who answers, by default the client's; it need not be who asked.

        Raises:
            InputError: it does not fit the form, has expired, or was answered already as far as is known here, or is
                being submitted; nothing was sent.
            APIError: the server refused it: `human_input_form_submitted`, `human_input_form_expired`,
                `invalid_form_data`.
            ConnectError: no answer came. Whether it was taken is not known, and it is not sent again by itself.
        """
        portal().call(self._dify.forms.submit(form, action=action, inputs=inputs, user=user))


class Workflows(Group):
    """Runs of a workflow app: `run`, `stream`, `resume`, `stop`, `get`, `logs`."""

    def run(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        files: Sequence[FileInput] | None = None,
        user: str | None = None,
        response_mode: ResponseMode = "streaming",
        timeout: float | None = None,
        workflow_id: str | None = None,
    ) -> Turn:
        """Run the workflow, and return the whole turn: `turn.outputs` is what it gave, by name.

        It streams; `response_mode="blocking"` asks for the outputs in one piece, without its nodes.

        Args:
            inputs: values for its variables, as for `chat.send`.
            files: files beside the inputs (`sys.files`), as for `chat.send`.
            response_mode: "streaming", or "blocking" for one JSON answer.
            timeout: seconds for the whole run, uploads included; None is no limit. Then it is stopped.
            workflow_id: the published version that is to run; None is the one published last. Dify 1.x.

        Raises:
            TurnFailed: the run failed, or was cut off before its end (`TurnIncomplete`); `.turn` has what came.
            InputError: an argument or a file cannot be sent, or the app's form does not take an input.
            NotFoundError: the app has no such version.
            DifyError: the server refused it or could not be reached; while streaming `.turn` is the failed turn.
        """
        return portal().call(
            self._dify.workflows.run(
                inputs, files=files, user=user, response_mode=response_mode, timeout=timeout, workflow_id=workflow_id
            )
        )

    def stream(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        files: Sequence[FileInput] | None = None,
        user: str | None = None,
        timeout: float | None = None,
        workflow_id: str | None = None,
    ) -> Stream:
        """Run it, and give the events as they come: `with dify.workflows.stream({"text": "hi"}) as stream`.

        Arguments (`inputs`, `files`, `timeout`, `workflow_id`) as for `run`. Nothing is sent before the stream is
        entered, once.

        Raises:
            InputError: an argument cannot be sent. What entering the stream raises: see `ChatStream`.
        """
        return Stream(
            self._dify.workflows.stream(inputs, files=files, user=user, timeout=timeout, workflow_id=workflow_id)
        )

    def resume(self, run: Turn | str, *, user: str | None = None, timeout: float | None = None) -> Stream:
        """Read on in a run that paused, or whose connection was lost (Dify 1.13 and newer), as `chat.resume` does.

        Args:
            run: the turn, also a pickled one or one of a tape; or the id of its run, `turn.workflow_run_id`.
            user: who started the run; for another one there is no such run.
            timeout: seconds, as for `run`.

        Raises:
            InputError: the turn has no run. What entering the stream raises: see `ChatStream`.
        """
        return Stream(self._dify.workflows.resume(run, user=user, timeout=timeout))

    def stop(self, task_id: str, *, user: str | None = None) -> bool:
        """Stop a running task.

        Args:
            task_id: Dify's id of the task, as `stream.task_id` and `turn.task_id` have it.
            user: who started it: for another one Dify 0.15 says yes and goes on.

        Returns:
            Whether the server says that it stopped. Dify says so of tasks that it does not know, too.
        """
        return portal().call(self._dify.workflows.stop(task_id, user=user))

    def get(self, workflow_run_id: str) -> models.WorkflowRun:
        """What the server keeps of the run `workflow_run_id`, by whomever it was started.

        Dify 1.12 tells of most runs that were stopped that they are running.

        Raises:
            NotFoundError: there is no such run of this app.
            ServerError: the answer is about another run.
        """
        return portal().call(self._dify.workflows.get(workflow_run_id))

    def logs(
        self,
        *,
        keyword: str | None = None,
        status: LoggedStatus | None = None,
        created_at__before: str | date | None = None,
        created_at__after: str | date | None = None,
        created_by_end_user_session_id: str | None = None,
        created_by_account: str | None = None,
        page_size: int = 100,
    ) -> Pages[models.WorkflowLog]:
        """The app's runs, by every user, the newest first; without inputs and outputs: see `get`.

        Args:
            keyword: in inputs, outputs, the user or the run's id. Dify 1.12 finds no Chinese.
            status: runs that ended so.
            created_at__before, created_at__after: times (also pandas') or days, which begin at midnight, as text in
                ISO 8601 or as they are; one without a zone is this machine's. These and what follows: Dify 1.x.
            created_by_end_user_session_id: the user that runs were started with.
            created_by_account: the mail address of a member of the workspace.

        Raises:
            InputError: the status is another, or a text is no time; when the first page is had: Dify 0.15 has none of
                the newer filters, and would give runs that were not asked for.
        """
        return Pages(
            self._dify.workflows.logs(
                keyword=keyword,
                status=status,
                created_at__before=created_at__before,
                created_at__after=created_at__after,
                created_by_end_user_session_id=created_by_end_user_session_id,
                created_by_account=created_by_account,
                page_size=page_size,
            )
        )


class Completion(Group):
    """Texts of a completion app: `send`, `stream`, `stop`."""

    def send(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        files: Sequence[FileInput] | None = None,
        user: str | None = None,
        response_mode: ResponseMode = "streaming",
        timeout: float | None = None,
    ) -> Turn:
        """Have the app's prompt filled with the inputs and answered; the whole turn.

        The text is an input of the app (in Dify's template `query`). The turn's `message_id` is all by which it can
        be rated later: the server tells of completions nothing again.

        Args:
            inputs, files, response_mode, timeout: as for `chat.send`.

        Raises:
            TurnFailed: the answer ended in an error, or before its end (`TurnIncomplete`); `.turn` has what came.
            InputError: an argument or a file cannot be sent, or the app's form does not take an input.
            DifyError: the server refused it or could not be reached; while streaming `.turn` is the failed turn.
        """
        return portal().call(
            self._dify.completion.send(inputs, files=files, user=user, response_mode=response_mode, timeout=timeout)
        )

    def stream(
        self,
        inputs: Mapping[str, Any] | None = None,
        *,
        files: Sequence[FileInput] | None = None,
        user: str | None = None,
        timeout: float | None = None,
    ) -> Stream:
        """The same, with the events as they come: `with dify.completion.stream({"query": "hi"}) as stream`.

        Arguments (`inputs`, `files`, `timeout`) as for `send`. Nothing is sent before the stream is entered, once.

        Raises:
            InputError: an argument cannot be sent. What entering the stream raises: see `ChatStream`.
        """
        return Stream(self._dify.completion.stream(inputs, files=files, user=user, timeout=timeout))

    def stop(self, task_id: str, *, user: str | None = None) -> bool:
        """Stop a running task.

        Args:
            task_id: Dify's id of the task, as `stream.task_id` and `turn.task_id` have it.
            user: who asked for it: for another one Dify says yes and goes on.

        Returns:
            Whether the server says that it stopped. Dify says so of tasks that it does not know, too.
        """
        return portal().call(self._dify.completion.stop(task_id, user=user))
