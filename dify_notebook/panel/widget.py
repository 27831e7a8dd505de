"""`ChatPanel`: a conversation with an app, or the runs of one, in the notebook.

The kernel owns the conversation; the widget carries messages, and its traits hold nothing of it.
Import this module late: anywidget takes a while to load.
"""

from __future__ import annotations

import concurrent.futures
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.resources import files as package_files
from typing import TYPE_CHECKING, Any, Literal

import anywidget
import msgspec
import traitlets

from .. import views
from ..app.origin import Origin, values
from ..errors import InputError
from ..i18n import Language, current_language, t
from ..live import check_environment
from ..net.client import AsyncDify
from ..net.files import FileInput
from ..net.portal import portal
from ..net.sync import Dify
from ..session import Session
from ..turn.state import Turn
from ..wire.models import Annotation
from . import commands, handlers
from . import messages as m
from .app import attachments_of
from .controller import LEARN_SECONDS, Controller
from .lifetime import clean_up_after, hold, hold_comm_weakly, release, views_changed, weak_callback
from .output import PanelOutput, watched
from .question import Question
from .renderer import Renderer
from .source import session_of
from .state import Item

if TYPE_CHECKING:
    import pandas as pd


class Rated(msgspec.Struct, frozen=True):
    """How an answer was judged here."""

    rating: str | None
    """like or dislike; None where there is only an annotation."""
    comment: str | None
    """What was said with the rating in this panel; the server shows it in `app.feedbacks` alone."""
    annotated: bool
    """Whether an annotation was made of it here."""


SETTLE_SECONDS = 10.0
"""What putting an answer away may take that has ended."""


class ChatPanel(anywidget.AnyWidget):
    """A chat with an app, in the notebook: show it as the last line of a cell. A workflow or completion app, which
    holds no conversations, is run there: it shows the app's form, the run and its outputs, and the runs before.

    The conversation belongs to Python: what is typed in the panel is in `panel.turns`, and what
    `panel.ask` asks is seen in the panel. Panels on one session show the same. A panel lives as long as a
    page shows it or a name holds it.

    Args:
        dify: a `Dify` or `AsyncDify`, or a `Session`. Without one, `DIFY_API_KEY` or `DIFY_PROFILE`
            decide, and without these the guide of the embedded server answers.
        conversation_id: go on with that conversation.
        session: a session whose conversation is shown, instead of `dify`.
        lang: "en" or "zh-Hans"; the browser's language by default.
        height: of the panel, in CSS pixels.

    Raises:
        InputError: `dify` is none of these, or `height` is no number from 200 to 4000.
        ConfigError: the environment's key and server are unclear, or `DIFY_NOTEBOOK_LIVE` or `DIFY_NOTEBOOK_LANG`
            holds what it may not.

    panel = ChatPanel(dify)
    panel                                     # shows it
    panel.ask("What is new?").result().answer
    """

    _esm = package_files(__package__).joinpath("static/panel.js").read_text(encoding="utf-8")
    css = traitlets.Unicode().tag(sync=True)
    _initialized = False

    def __init__(
        self,
        dify: Dify | AsyncDify | Session | None = None,
        *,
        conversation_id: str | None = None,
        session: Session | None = None,
        lang: Language | None = None,
        height: int = 640,
    ) -> None:
        if isinstance(height, bool) or not isinstance(height, int) or not 200 <= height <= 4000:
            raise InputError(t("panel.bad_height", value=repr(height)), code="height")
        if lang not in (None, "en", "zh-Hans"):
            raise InputError(t("panel.bad_lang", value=repr(lang)), code="lang")
        check_environment()
        self._session = session_of(dify, session)
        if conversation_id is not None and not self._session.turns:
            self._session.conversation_id = conversation_id
        self._lang = lang
        self._number = 0
        self._send_lock = threading.Lock()
        self._controller = Controller.of(self._session)
        saved_class = f"dn-kept-{secrets.token_hex(6)}"
        self._renderer = Renderer(
            self._controller,
            weak_callback(self._send_message),
            lang=lang or current_language(),
            height=height,
            saved_class=saved_class,
        )
        self._handlers = handlers.Handlers(
            self._controller, self._send_message, self._renderer.reply, self._hello, lambda: self._renderer.lang
        )
        self._output = PanelOutput(self, self._controller, lambda: self._renderer.lang, saved_class)
        self._renderer.after_drawing(weak_callback(self._output.update))
        super().__init__(css=views.css(), _view_count=0)  # from 0 on, browsers count their views of it
        self._initialized = True
        self._cleanup = clean_up_after(self, self._renderer.close)
        self.on_msg(self._on_message)
        self._renderer.start()
        if conversation_id is not None and self._controller.state.conversation_id != conversation_id:
            self.show(conversation_id)

    def __repr__(self) -> str:
        return f"<ChatPanel {self._session!r}>"

    # -- the conversation, for Python

    @property
    def session(self) -> Session:
        """Who holds the conversation; other panels and cells may use it too."""
        return self._session

    @property
    def conversation_id(self) -> str | None:
        """The conversation on show; None before its first answer."""
        return self._controller.state.conversation_id

    @property
    def turns(self) -> list[Turn]:
        """The turns on show, oldest first, the last may still be running; of an app that is run all that is here."""
        return [item.now for item in self._controller.state.items]

    @property
    def turn(self) -> Turn | None:
        """The last turn, or the run on show, as it is now; None before the first."""
        current = self._controller.state.current
        return None if current is None else current.now

    @property
    def ratings(self) -> dict[str, Rated]:
        """How answers were judged, by message id: those with a rating or an annotation."""
        ratings = {}
        for item in self._controller.state.items:
            turn = item.turn
            if turn is not None and turn.message_id and (turn.feedback or item.annotated):
                ratings[turn.message_id] = Rated(turn.feedback, item.comment, item.annotated)
        return ratings

    def ask(
        self,
        query: str | None = None,
        *,
        inputs: Mapping[str, Any] | None = None,
        files: Sequence[FileInput] = (),
    ) -> Question:
        """Ask in this conversation, and go on at once; the panel shows it. Behind a running answer it waits.

        Args:
            query: the question; None for a workflow or completion app, whose text is an input (see `run`).
            inputs: values for the app's form; what is not given stays as it was last, and of an app that is run has
                its default. For a file a `pathlib.Path`, bytes, an open or an uploaded file: a text is never taken for
                a path.
            files: paths, URLs, bytes or uploaded files.

        Returns:
            The question: `.turn` while the answer comes, `.result(timeout)` waits for its end.

        Raises:
            InputError: something would be refused or ignored by the server; nothing was sent.
        """
        if self._controller.state.app is None:  # the form is needed to check the inputs; without it the server does
            concurrent.futures.wait([self._controller.learn()], timeout=LEARN_SECONDS)
        id, future = self._controller.ask(query, values(inputs, Origin.PYTHON), tuple(files), attachments_of(files))
        return Question(self._controller, id, query or "", future, self._renderer.settle)

    def run(self, inputs: Mapping[str, Any] | None = None, *, files: Sequence[FileInput] = ()) -> Question:
        """Run a workflow or completion app with these inputs, and go on at once; arguments and errors as for `ask`."""
        return self.ask(inputs=inputs, files=files)

    def stop(self) -> bool:
        """Stop the running answer, which ends within about 3 s.

        Returns:
            Whether one was running.
        """
        return self._controller.stop() is not None

    def on_turn(self, callback: Callable[[Turn], object]) -> Callable[[], None]:
        """Call back with each turn of this session that has ended, or waits for a person, on a worker thread.

        What the callback prints stands under the cell that called `on_turn`; what it raises is said there
        and in the panel, and the conversation goes on.

        Returns:
            What ends it.
        """
        return self._controller.on_turn(callback)

    def rate(
        self, rating: Literal["like", "dislike"] | None, comment: str | None = None, *, turn: Turn | None = None
    ) -> None:
        """Rate an answer, and wait for the server's reply.

        Args:
            rating: None takes the rating back.
            comment: kept by the server with the rating.
            turn: one of `turns`; the last one that has ended by default.

        Raises:
            InputError: there is no such answer, or `rating` is none of these.
            DifyError: the server refused.
        """
        if rating not in (None, "like", "dislike"):
            raise InputError(t("panel.bad_rating", value=repr(rating)), code="rating")
        portal().call(handlers.rate(self._controller, self._item(turn), rating, comment))

    def annotate(
        self, *, question: str | None = None, answer: str | None = None, turn: Turn | None = None
    ) -> Annotation:
        """Make an annotation of an answer: the question is answered so from now on.

        Args:
            question: the turn's own by default.
            answer: the turn's own by default.
            turn: one of `turns`; the last one that has ended by default.

        Returns:
            The annotation as the server stored it.

        Raises:
            InputError: there is no such answer, or one of the texts is empty.
            DifyError: the server refused.
        """
        item = self._item(turn)
        if question is None:
            question = item.query
        if answer is None:
            answer = item.turn.answer if item.turn else ""
        annotation: Annotation = portal().call(handlers.annotate(self._controller, item, question, answer))
        return annotation

    def new(self) -> None:
        """The next question begins a new conversation. What runs goes on, out of sight.

        Raises:
            InputError: the app holds no conversations.
        """
        if not self._controller.state.offers.conversations:
            raise InputError(t("panel.not_offered"), code="mode")
        self._controller.new()

    def show(self, conversation_id: str) -> None:
        """Show another conversation, of this app and user, and go on with it; or the run of that id.

        Raises:
            DifyError: the server has no such one, or cannot be reached.
        """
        portal().call(self._controller.open(conversation_id))

    def to_frame(self) -> pd.DataFrame:
        """The turns on show as a pandas DataFrame, one a row, oldest first; `frames.turns` says the columns.

        Raises:
            ImportError: pandas is not installed.
        """
        from .. import frames

        return frames.turns(self.turns)

    def export(self, as_: Literal["markdown", "cells"] = "markdown") -> str:
        """The whole conversation as one text, turns that are not loaded included (at most 1,000).

        Args:
            as_: "markdown", or "cells": the JSON of a notebook (.ipynb) whose cells ask the questions again.

        Raises:
            InputError: `as_` is neither.
            DifyError: the server refused to give the earlier turns.
        """
        if as_ not in ("markdown", "cells"):
            raise InputError(t("panel.bad_export", value=repr(as_)), code="export")
        return portal().call(handlers.export(self._controller, as_, self._renderer.lang))[1]

    def _item(self, turn: Turn | None) -> Item:
        for item in self._controller.state.items:
            if item.run is not None and item.now.status != "running":  # seen to its end, and being put away
                with suppress(TimeoutError):
                    item.run.result(SETTLE_SECONDS)
        items = [item for item in self._controller.state.items if item.turn is not None]
        if turn is not None:
            items = [
                item
                for item in items
                if item.turn is turn or (turn.message_id and item.now.message_id == turn.message_id)
            ]
        if not items:
            raise InputError(t("panel.no_turn"), code="turn")
        return items[-1]

    # -- the widget

    def open(self) -> None:
        """Open the comm to the browser, once it is to be shown; not where nobody watches, so that no widget state is
        saved there."""
        if self._initialized and self.comm is None and watched():
            super().open()
            hold_comm_weakly(self, self._cleanup)

    def __del__(self) -> None:
        """Nothing: what is left of it is ended elsewhere (see `lifetime`)."""

    @property
    def model_id(self) -> str:
        """The id of its comm, which is opened where there is none yet: somebody is about to show it."""
        self.open()
        comm_id: str = self.comm.comm_id
        return comm_id

    @traitlets.observe("_view_count")
    def _viewed(self, change: Any) -> None:
        if self._initialized:
            views_changed(self, change["new"])

    def close(self) -> None:
        """End the panel: what it shows becomes the saved conversation. The session stays usable."""
        renderer = getattr(self, "_renderer", None)
        if renderer is not None and not renderer.closed:
            self._controller.deletions.flush()
            renderer.close()
            self._output.close(self._controller.state)
        release(self)
        if self.comm is not None:
            self.layout.close()  # a widget of its own, which ipywidgets made for ours
        super().close()

    def view(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The widget as a mime bundle, and the metadata of its display that some frontends want."""
        return self._repr_mimebundle_() or ({}, {})

    def _ipython_display_(self, **_: object) -> None:
        self._output.show()
        if self._output.shown:
            hold(self)

    def _send_message(self, message: m.Numbered, buffers: Sequence[bytes] = ()) -> None:
        """Send a message to every browser that shows this panel; any thread may."""
        with self._send_lock:
            self._number += 1
            numbered = msgspec.structs.replace(message, n=self._number)
            self.send(msgspec.to_builtins(numbered), list(buffers) or None)

    def _hello(self, command: int, lang: Language | None) -> None:
        self._renderer.hello(command, lang if self._lang is None else None)

    def _on_message(self, _: object, content: object, buffers: Sequence[Any]) -> None:
        """Take a command, on whatever thread the kernel reads them: say so, hand it on, return."""
        command = commands.read(content)
        if command is not None:
            self._send_message(m.Heard(id=command.id))
            portal().submit(self._handlers.run(command, [bytes(buffer) for buffer in buffers or ()]))
        elif isinstance(content, dict) and isinstance(content.get("id"), int):  # of a newer bundle, or broken
            self._send_message(m.Heard(id=content["id"]))
            problem = m.Problem(t("panel.unknown_command", self._renderer.lang))
            self._send_message(m.Reply(id=content["id"], ok=False, error=problem))
