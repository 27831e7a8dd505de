"""What the magics remember in one kernel: for each (server, app, user) a conversation."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from ..app.entry_points import suggestion
from ..app.namespace import notebook_namespace
from ..app.origin import Origin, Value, values
from ..config import Secret, Settings, check_user, resolve
from ..errors import InputError
from ..i18n import t
from ..net.client import AsyncDify
from ..net.sync import Dify
from ..printable import one_line
from ..profiles import RESERVED, profiles
from ..session import Session
from ..wire import models
from ..wire.kinds import AppMode
from .complete import SUBCOMMANDS, is_client
from .held import Held, Mode

if TYPE_CHECKING:
    from .cell_view import CellView
    from .resume import Resumption

PAUSED = 200
"""Cells that wait for their runs to go on; more than a browser's forms, which are answered in them."""
MAX_TURNS = 50
"""Turns that a conversation's session holds in memory; those before are read from their tapes."""


class Conversation(msgspec.Struct):
    """A conversation of an app session."""

    id: str
    inputs: dict[str, Any] = {}
    """What it was last asked with: later turns need the required ones again."""
    name: str | None = None
    asked_here: bool = True
    """Whether a question of it was sent from this kernel; else it came from the server's list."""

    @property
    def values(self) -> dict[str, Value]:
        """Its inputs with their origin: sent from here, or of the server's list."""
        origin = Origin.EARLIER if self.asked_here else Origin.SERVER
        return values(self.inputs, origin)


def kind_of_app(mode: str | None) -> str:
    """What an app is, in words."""
    if mode in get_args(AppMode):
        return t(f"magic.app_mode.{mode}")
    return t("magic.app_mode.other", mode=one_line(mode or "?", 40))


class AppSession:
    """One app of one server as one user: the client, its conversation, what is known of the app."""

    def __init__(self, client: AsyncDify, label: str) -> None:
        self.session = Session(client, keep=MAX_TURNS)
        self.label = label
        """How the user names it: guide, or a variable."""
        self.conversations: dict[str, Conversation] = {}
        self.listed: list[str] = []
        """Ids of the conversations as they were last listed: the numbers that people see."""
        self.held = Held()
        """Which cells its conversations hold."""

    @property
    def client(self) -> AsyncDify:
        return self.session.client

    @property
    def settings(self) -> Settings:
        return self.client.settings

    @property
    def name(self) -> str:
        """What its server calls the app, else what the user does."""
        info = self.client.app_info
        return one_line(info.name if info is not None and info.name else self.label, 80)

    @property
    def mode(self) -> str | None:
        """What the app is, as far as it is known."""
        return self.session.app.mode or self.client._cache.app.mode

    @property
    def named_with_kind(self) -> str:
        """The app, and in words what it is."""
        return t("magic.app_of_kind", app=self.name, kind=kind_of_app(self.mode))

    def use_client(self, client: AsyncDify) -> None:
        """Use that client from now on, where it is another one: its certificates or timeouts may differ."""
        if client._pools is not self.client._pools:
            self.session.client = client if client.user == self.settings.user else client.as_user(self.settings.user)

    def remember(self, id: str, inputs: Mapping[str, Any]) -> None:
        """Store the inputs that a question of this conversation was sent with."""
        conversation = self.conversations.setdefault(id, Conversation(id))
        conversation.inputs, conversation.asked_here = dict(inputs), True

    def fetch_conversations(self, limit: int) -> list[models.Conversation]:
        """The newest conversations as the server lists them, `limit` at most; their names and inputs are remembered."""
        listed = self.session.call(self.client.conversations.list().to_list(limit=limit))
        for record in listed:
            new = Conversation(record.id, without_nulls(record.inputs), asked_here=False)
            self.conversations.setdefault(record.id, new).name = record.name or None
        return listed

    def find(self, text: str, namespace: Mapping[str, Any]) -> str:
        """The conversation that `-c` means: a Turn's variable, an id, or the beginning of one.

        Raises:
            InputError: it means none, or more than one.
        """
        from ..turn.state import Turn

        value = namespace.get(text)
        if isinstance(value, Turn):
            if not value.conversation_id:
                raise InputError(t("magic.conversation.turn", name=text), code="conversation")
            return value.conversation_id
        if text in self.conversations:
            return text
        matches = [id for id in self.conversations if id.startswith(text)]
        if not matches or not self.conversations[matches[0]].asked_here:
            self.fetch_conversations(limit=500)
            matches = [id for id in self.conversations if id.startswith(text)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            examples = ", ".join(id[: len(text) + 6] + "…" for id in matches[:4])
            raise InputError(t("magic.conversation.many", text=text, some=examples), code="conversation")
        if len(text) == 36 and text.count("-") == 4:  # a whole id: the server may know more than it lists
            return text
        raise InputError(t("magic.conversation.none", text=text), code="conversation")


def without_nulls(inputs: Mapping[str, Any] | None) -> dict[str, Any]:
    """The inputs of a stored conversation; Dify sends null for every variable that was not given."""
    return {name: value for name, value in (inputs or {}).items() if value is not None}


class State:
    """Everything that the magics of one shell keep between cells."""

    def __init__(self) -> None:
        self.choice: str | None = None
        """What `%dify use` chose; None: the environment's app, else the guide."""
        self.mode: Mode = "continue"
        self.app_sessions: dict[tuple[str, str | Secret, str], AppSession] = {}
        self.beginning_announced = False
        """Whether a conversation has begun by itself, and it was told how that is switched off."""
        self.last_app_session: AppSession | None = None
        self.results: dict[str, Any] = {}
        """What the last line is to leave in variables, by name."""
        self.resumption: Resumption | None = None
        """The run that the last line is to show and go on with."""
        self.paused: deque[CellView] = deque()
        """The cells whose runs wait for a person, the newest last."""

    def keep_paused(self, view: CellView) -> None:
        """That cell is to show its run on when it goes on; of many the oldest are let go."""
        for closed in [paused for paused in self.paused if paused.closed]:
            self.paused.remove(closed)
        self.paused.append(view)
        while len(self.paused) > PAUSED:
            self.paused.popleft().close()

    def app_session(self, name: str | None, user: str | None, namespace: Mapping[str, Any]) -> AppSession:
        """The session of an app, profile or client variable; None takes the chosen one.

        Raises:
            InputError: there is no such app or variable.
            ConfigError: the environment's key and server are unclear.
        """
        if user is not None:
            check_user(user)
        if name is None:  # it was chosen in the notebook, whatever has that name where the cell is asked from
            name, namespace = self.choice, notebook_namespace(namespace)
        value: Any = namespace.get(name) if name else None
        if name and is_client(value):
            client: AsyncDify = value.as_async if isinstance(value, Dify) else value
            app_session = self._remote(client if user is None else client.as_user(user), name)
            app_session.use_client(client)
        elif name in RESERVED:
            app_session = self._local("guide" if name == "local" else str(name), user)
        elif name and name in profiles():
            settings = resolve(profile=name, user=user)
            assert settings is not None  # a profile gives settings or raises
            app_session = self._remote(AsyncDify.from_settings(settings), name)
        elif name:
            raise _unknown_app(name, value, namespace)
        else:
            settings = resolve(user=user)
            if settings is None:
                app_session = self._local("guide", user)
            else:
                app_session = self._remote(AsyncDify.from_settings(settings), settings.profile or "environment")
        self.last_app_session = app_session
        return app_session

    def _remote(self, client: AsyncDify, label: str) -> AppSession:
        settings = client.settings
        key = (settings.base_url, settings.api_key, settings.user)
        app_session = self.app_sessions.get(key)
        if app_session is None:
            app_session = self.app_sessions[key] = AppSession(client, label)
        app_session.label = label
        return app_session

    def _local(self, app: str, user: str | None) -> AppSession:
        client = AsyncDify.local(app, user)
        key = ("local", app, client.user)
        app_session = self.app_sessions.get(key)
        if app_session is None:
            app_session = self.app_sessions[key] = AppSession(client, app)
        elif app_session.settings != client.settings:  # another process serves it now, with the same conversations
            app_session.session.client = client
        return app_session


def _unknown_app(name: str, value: object, namespace: Mapping[str, Any]) -> InputError:
    if value is not None:
        return InputError(t("magic.app.no_client", name=name, type=type(value).__name__), code="app")
    if name in SUBCOMMANDS:
        return InputError(t("magic.app.line", name=name), code="app")
    clients = [key for key, variable in dict(namespace).items() if is_client(variable)]
    known = [*profiles(), *RESERVED, *clients]
    hint = suggestion(name, known)
    return InputError(t("magic.app.unknown", name=name, suggestion=hint, known=", ".join(known)), code="app")
