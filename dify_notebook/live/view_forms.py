"""The forms of one view: what a browser is told of them, and what happens to an answer."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Callable

from .. import console
from ..i18n import Language, t
from ..printable import one_line
from ..turn.forms import Form
from ..turn.state import Turn
from ..views.form_place import form_place
from .fallback import OnSubmit
from .forms import Status, form_answer, form_state
from .protocol import Forms, Submit

ERROR = 600
"""Characters that are shown of why an answer was refused, at most."""


class ViewForms:
    """The forms of the turn that a view shows. Any thread may call anything here.

    Args:
        view: the view's number.
        on_submit: takes an answer; None where nobody does, and no form is shown then.
        send: gives a message to every browser.
    """

    def __init__(
        self,
        view: int,
        lang: Language,
        on_submit: OnSubmit | None,
        send: Callable[[Forms], object],
    ) -> None:
        self._view, self._lang, self._on_submit, self._send = view, lang, on_submit, send
        self._lock = threading.RLock()
        self._forms: tuple[Form, ...] = ()
        self._sending: dict[str, concurrent.futures.Future[str]] = {}
        """By place: answers on their way, and those that were taken."""
        self._errors: dict[str, str] = {}
        self._running = False

    @property
    def waiting(self) -> bool:
        """Whether there is a form to be answered."""
        return bool(self._forms)

    def ask(self, turn: Turn) -> bool:
        """The turn has ended for now: whether it waits for an answer."""
        forms = turn.forms if turn.status == "paused" and self._on_submit is not None else ()
        with self._lock:
            self._running = False
            self._forms = tuple(form for form in forms if form.status == "waiting")
            places = {form_place(form) for form in self._forms}
            # Taken, and it waits all the same: it may be answered again, as the server decides.
            kept = [place for place, sent in self._sending.items() if place in places and not sent.done()]
            self._sending = {place: self._sending[place] for place in kept}
            self._errors = {place: error for place, error in self._errors.items() if place in places}
        return self.waiting

    def go_on(self) -> None:
        """The run goes on, with those that still wait."""
        with self._lock:
            self._running = True

    def message(self) -> Forms:
        """All of them as they are now."""
        with self._lock:
            states = []
            for form in self._forms:
                place = form_place(form)
                status: Status | None = "sending" if place in self._sending else None
                error = self._errors.get(place, "")
                states.append(form_state(form, self._lang, now=time.time(), status=status, error=error))
            return Forms(self._view, states, self._running)

    def submit(self, submit: Submit) -> None:
        """A browser sent an answer: it goes on its way, once, and every browser is told."""
        with self._lock:
            form = next((form for form in self._forms if form_place(form) == submit.form), None)
            if form is not None and submit.form not in self._sending and self._on_submit is not None:
                self._begin(form, submit, self._on_submit)
        self._tell()

    def _begin(self, form: Form, submit: Submit, on_submit: OnSubmit) -> None:
        self._errors.pop(submit.form, None)
        try:
            action, inputs = form_answer(form, submit.action, submit.inputs)
            sent = on_submit(form.id, action, inputs)
        except Exception as problem:
            self._errors[submit.form] = self._unsent(problem)
            return
        self._sending[submit.form] = sent
        sent.add_done_callback(lambda done: self._ended(submit.form, done))

    def _ended(self, place: str, sent: concurrent.futures.Future[str]) -> None:
        """The answer was taken or refused. One that was taken stays on its way until the run goes on or ends."""
        problem = None if sent.cancelled() else sent.exception()
        refused = self._unsent(problem) if sent.cancelled() or problem else sent.result()
        if not refused:
            return
        with self._lock:
            self._errors[place] = one_line(refused, ERROR)
            self._sending.pop(place, None)
        self._tell()

    def _tell(self) -> None:
        with self._lock:  # nothing newer is sent before it
            self._send(self.message())

    def _unsent(self, problem: BaseException | None) -> str:
        if problem is not None:
            console.complain("the answer to a form was not sent", problem)
        return t("live.form.unsent", self._lang, problem=one_line(str(problem or ""), ERROR))
