"""Where a session is talked to: the running answer, the questions behind it, the conversation on show.

All panels of a session have one controller.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

from ..app.entry_points import PANEL
from ..app.known import Fitted
from ..app.origin import Origin, Value, values
from ..errors import DifyError, InputError
from ..i18n import t
from ..session import Run, Session
from ..turn.state import Turn, TurnError
from . import messages as m
from .app import fetch_app
from .forms import Forms
from .history import MessageReader, item_of
from .listing import Deletions, after_turn, list_conversations
from .runs import Runs
from .state import Item, QueuedQuestion
from .store import PanelStore, problem_of, replace

HOLDING = ("failed", "paused")
"""Ends of an answer behind which questions wait on."""
LEARN_SECONDS = 15.0
"""How long a question waits for the app's form, without which its inputs cannot be checked here."""


class Controller(PanelStore):
    """What the panels of one session have in common; `Controller.of(session)` gives it."""

    _making = threading.Lock()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._sending: tuple[QueuedQuestion, Item | None, tuple[QueuedQuestion, ...]] | None = None
        """What is being sent: the question, the item that it replaces, what waits behind it out of sight."""
        self._questions: dict[str, Future[Run]] = {}
        self._background: dict[Run, tuple[Item, tuple[QueuedQuestion, ...]]] = {}
        """Answers that run in conversations which are not on show, and what waits behind each."""
        self._reader: MessageReader | None = None
        self._learning: Future[None] | None = None
        self.deletions = Deletions(self)
        self.forms = Forms(self)
        self.runs = Runs(self)
        session.subscribe(self._on_run)

    @classmethod
    def of(cls, session: Session) -> Controller:
        """The session's controller, made when first asked for."""
        with cls._making:
            controller = session.shared.get("panel")
            if not isinstance(controller, cls):
                controller = session.shared["panel"] = cls(session)
                controller._begin()
            return controller

    # -- beginning

    def _begin(self) -> None:
        """Show what the session has; read on where it has a conversation that began elsewhere."""
        turns = self.session.turns.of(self.session.conversation_id)
        if self.session.conversation_id is not None:
            self.state = replace(self.state, items=tuple(self.item_with(turn) for turn in turns))
            if not turns or turns[0].turn_number != 1:
                self.start(self._load(MessageReader(self.client, self.session.conversation_id)))
        if (run := self.session.running) is not None:
            self._on_run(run, False)
        self.learn()

    def learn(self) -> Future[None]:
        """Ask the server what the app is, unless that is known or being asked."""
        with self._lock:
            if self._learning is None or (self._learning.done() and self.state.app is None):
                self._learning = self.start(self._learn())
            return self._learning

    async def _learn(self) -> None:
        self.set_state(problem=None)
        await self.refresh_client()
        known = await self.session.learn("parameters", "mode", "site", "meta", again=True)
        app = await fetch_app(known, self.client)
        stated = {name: control.get("default") for name, control in known.controls.items()}
        defaults = values({name: value for name, value in stated.items() if value not in ("", [])}, Origin.SERVER)
        first = self.state.app is None
        self.update_state(lambda state: replace(state, app=app, problem=None, inputs={**defaults, **state.inputs}))
        if first and not app.offers.conversations:
            self.runs.begin()
        await list_conversations(self, "", more=False)

    # -- asking

    def ask(
        self,
        query: str | None,
        inputs: Mapping[str, Value] | None = None,
        files: Sequence[Any] = (),
        attachments: Sequence[m.Attachment] = (),
    ) -> tuple[str, Future[Run]]:
        """Ask, or wait behind what runs. Gives the waiting question's id, and its run as soon as it has one.

        An app that holds no conversations is run with what is given alone: nothing of an earlier run goes with it.

        Raises:
            InputError: something would be refused or ignored by the server; nothing was sent.
        """
        talks = self.state.offers.conversations
        if talks and not (query or "").strip() and (self.state.app or query is not None):
            raise InputError(t("panel.empty"), code="query")
        with self._lock:
            fitted = self._fitted(inputs or {}, self.state.inputs if talks else {})
            waiting = self._queued(query or "", fitted.given, files, attachments)
            future = self._questions[waiting.id] = Future()
            if self.state.running is None and not self.state.queue:
                self._send(waiting)  # raises what is wrong with it
            else:
                self.set_state(queue=(*self.state.queue, waiting))
                self._next()
            self._report_dropped(fitted)
        return waiting.id, future

    def _fitted(self, inputs: Mapping[str, Value], earlier: Mapping[str, Value]) -> Fitted:
        """The inputs as they are sent: what is given now, and what the form shows.

        While the form is not known only what was given here is sent, now or before.
        """
        later, filled = self.state.conversation_id is not None, self.state.app is not None
        return self.session.fit(
            PANEL, inputs, earlier, later=later, filled=filled, picked=lambda id: self.upload(id)[0]
        )

    def _send(
        self,
        waiting: QueuedQuestion,
        instead: Item | None = None,
        conversation_id: str | None = "",
        behind: tuple[QueuedQuestion, ...] = (),
    ) -> None:
        """Send a question; with a conversation's id, out of sight. The lock is held."""
        future = self._questions.pop(waiting.id, None)
        self._sending = (waiting, instead, behind)
        try:
            run = self.session.ask(
                waiting.query or None,
                inputs=waiting.inputs,
                files=list(waiting.files) or None,
                conversation_id=conversation_id,
                keep=conversation_id == "",
            )
        except BaseException as error:
            if future is not None:
                future.set_exception(error)
            raise
        finally:
            self._sending = None
        if future is not None:
            future.set_result(run)

    def _next(self) -> None:
        """Send what waits first, if nothing runs."""
        while True:
            with self._lock:
                if self.state.running is not None or not self.state.queue:
                    return
                waiting = self.state.queue[0]
                self.set_state(queue=self.state.queue[1:])
                try:
                    return self._send(waiting)
                except DifyError as error:
                    self.set_state(problem=problem_of(error))

    def unqueue(self, id: str) -> None:
        """Take a waiting question back."""
        with self._lock:
            self.set_state(queue=tuple(question for question in self.state.queue if question.id != id))
            if future := self._questions.pop(id, None):
                future.cancel()

    def ask_again(self, key: str, *, instead: bool) -> None:
        """Ask the question of an item once more; `instead` puts the new answer in its place.

        Raises:
            InputError: there is no such item, or an answer is running.
        """
        with self._lock:
            item = self.item(key)
            if self.state.running is not None:
                raise InputError(t("panel.running"), code="running")
            fitted = self._inputs_again(item)
            waiting = self._queued(item.query, fitted.given, item.files, item.attachments)
            self._send(waiting, item if instead else None)
            self._report_dropped(fitted)

    def _inputs_again(self, item: Item) -> Fitted:
        """What it was asked with; of a stored question the server may give less than it needs."""
        if item.turn is None or not (item.turn.source == "history" or item.earlier):
            return Fitted(dict(item.given))
        if self.state.app is None:
            return self._fitted({}, self.state.inputs)
        if not self.state.offers.conversations:
            return self._fitted({}, values(self.runs.given(item), Origin.SERVER))
        return self._fitted({}, {**self.state.inputs, **values(item.inputs, Origin.SERVER)})

    def stop(self) -> Future[bool] | None:
        """Stop the running answer; None when nothing runs."""
        item = self.state.running
        if item is None or item.run is None:
            return None
        self.set_state(stopping=True)
        return item.run.stop()

    # -- what the session tells

    def _on_run(self, run: Run, ended: bool) -> None:
        if ended:
            self._ended(run)
            return
        with self._lock:
            if run.resumes is not None:
                return self.forms.begun(run, run.resumes)
            waiting, instead, behind = self._sending or (None, None, ())
            talks = self.state.offers.conversations
            if waiting is None and not run.keep and talks:
                return  # somebody asked beside the conversation
            if not run.keep and talks:
                self._background[run] = (self._item_of(run, waiting, None), behind)
                return
            if run.target != self.state.conversation_id:
                self._switch(run.target)
            item = self._item_of(run, waiting, instead)
            items = self.state.items
            if instead is not None and items and items[-1].key == instead.key:
                items = items[:-1]
            others = (other for other in items if other is not instead)
            self.set_state(items=(*others, item), shown=None, offer=None, problem=None)

    def hide(self, item: Item) -> None:
        """Keep a running answer of a conversation that is not on show. The lock is held."""
        assert item.run is not None
        self._background[item.run] = (item, ())

    def _item_of(self, run: Run, waiting: QueuedQuestion | None, instead: Item | None) -> Item:
        last = self.state.items[-1] if self.state.items else None
        replaced = instead if instead is not None and last is not None and last.key == instead.key else None
        return Item(
            key=self.new_key() if replaced is None else replaced.key,
            attempt=0 if replaced is None else replaced.attempt + 1,
            query=run.query,
            run=run,
            inputs=waiting.inputs if waiting else {},
            files=waiting.files if waiting else (),
            attachments=waiting.attachments if waiting else (),
            asked_at=datetime.now(UTC),
        )

    def _ended(self, run: Run) -> None:
        """An answer has ended, and the session has put it away. Runs in a worker thread."""
        try:
            turn = run.turn
        except Exception as error:
            message = problem_of(error).message
            turn = Turn(query=run.query, status="failed", error=TurnError(code="internal", message=message))
        with self._lock:
            hidden, behind = self._background.pop(run, (None, ()))
            shown = next((item for item in self.state.items if item.run is run), None)
            if shown is not None:
                self._put_ended(shown, run, turn)
                if turn.status in HOLDING and self.state.queue:
                    # They were meant to follow an answer; whether without it is for whoever asked to say.
                    key = "panel.queue_paused" if turn.status == "paused" else "panel.queue_waits"
                    self.set_state(problem=m.Problem(t(key), t(f"{key}.hint")))
        problems = [problem for listener in self._listeners if (problem := listener.notify(turn)) is not None]
        if behind:
            self._ask_in_background(behind, turn.conversation_id)
        elif shown is not None and turn.status not in HOLDING:
            self._next()
        if problems:  # shown after the next question, which takes earlier problems away
            self.set_state(problem=problems[-1])
        if shown is not None or hidden is not None:
            self.start(after_turn(self, turn))

    def _ask_in_background(self, behind: tuple[QueuedQuestion, ...], conversation_id: str | None) -> None:
        """Send what waited behind an answer out of sight, in its conversation."""
        with self._lock:
            try:
                if conversation_id is not None:
                    return self._send(behind[0], None, conversation_id, behind[1:])
                queries = " · ".join(question.query[:80] for question in behind)
                problem = m.Problem(t("panel.not_asked", queries=queries))
            except DifyError as error:
                problem = problem_of(error)
            for question in behind:  # their conversation did not come to be, or takes no more
                if future := self._questions.pop(question.id, None):
                    future.cancel()
            self.set_state(problem=problem)

    def _put_ended(self, item: Item, run: Run, turn: Turn) -> None:
        ended = self.forms.ended(item, run, turn)
        state = self.state
        given = values(item.plain_inputs if run.resumes is None else {}, Origin.EARLIER)
        kept = state.inputs if state.offers.conversations or not given else {}
        self.set_state(
            items=tuple(ended if other is item else other for other in state.items),
            conversation_id=turn.conversation_id or state.conversation_id,
            inputs={**kept, **given},
            stopping=False,
        )

    # -- which conversation

    def _switch(self, conversation_id: str | None, name: str = "", inputs: Mapping[str, Value] | None = None) -> None:
        """Show another conversation, still empty. Answers that run go on out of sight. The lock is held."""
        state = self.state
        for index, item in enumerate(item for item in state.items if item.run is not None):
            assert item.run is not None
            item.run.keep = False
            self._background[item.run] = (item, state.queue if index == 0 else ())
        self._reader = None
        self.set_state(
            conversation_id=conversation_id,
            name=name,
            inputs=dict(inputs or {}) if conversation_id else state.inputs,
            items=(),
            queue=(),
            older=False,
            loading=False,
            stopping=False,
            variables=None,
            offer=None,
            problem=None,
        )

    def new(self) -> None:
        """The next question begins a new conversation."""
        with self._lock:
            self.session.new()
            self._switch(None)

    async def open(self, conversation_id: str) -> None:
        """Show that conversation and go on with it; or that run.

        Raises:
            DifyError: the server has no such one, or cannot be reached.
        """
        if not self.state.offers.conversations:
            return await self.runs.open(conversation_id)
        with self._lock:
            if conversation_id == self.state.conversation_id and self.state.items:
                return
            listed = next((item for item in self.state.listing.items if item.id == conversation_id), None)
            self.session.conversation_id = conversation_id
            stored = values(listed.inputs if listed else None, Origin.SERVER)
            self._switch(conversation_id, listed.name if listed else "", stored)
        await self._load(MessageReader(self.client, conversation_id))

    async def older(self) -> None:
        """Load the turns before the first."""
        if self._reader is not None and self.state.older and not self.state.loading:
            await self._load(self._reader)

    async def _load(self, reader: MessageReader) -> None:
        self._reader = reader
        self.set_state(loading=True)
        try:
            known = frozenset(item.turn.message_id for item in self.state.items if item.turn and item.turn.message_id)
            messages, older = await reader.more(known)
            app = self.state.app.name if self.state.app else None
            loaded = [item_of(message, self.new_key(), self.client, app) for message in messages]
            with self._lock:
                if self._reader is not reader:  # another one was opened meanwhile
                    return
                running = self._bring_back(reader.conversation_id)
                stored = {item.now.message_id for item in loaded}
                by_id = {item.now.message_id: item for item in running}
                items = tuple(by_id.get(item.now.message_id, item) for item in loaded)
                new = (item for item in running if item.now.message_id not in stored)
                inputs = self.state.inputs or values(loaded[-1].inputs if loaded else None, Origin.SERVER)
                self.set_state(items=(*items, *self.state.items, *new), older=older, loading=False, inputs=inputs)
        except BaseException:
            if self._reader is reader:
                self.set_state(loading=False)
            raise

    def _bring_back(self, conversation_id: str) -> list[Item]:
        """Answers of this conversation that still run. The lock is held."""
        items = []
        for run, (item, behind) in list(self._background.items()):
            if conversation_id in (run.target, run.turn.conversation_id):
                del self._background[run]
                run.keep = True
                items.append(item)
                self.set_state(queue=(*self.state.queue, *behind))
        return items
