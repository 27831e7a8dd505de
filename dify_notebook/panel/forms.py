"""Forms of runs that wait for a person: how they are answered in a panel, and what follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..app.file_rules import is_file
from ..errors import DifyError, InputError
from ..i18n import t
from ..live.forms import form_answer
from ..net.forms import refused
from ..session import Run
from ..turn.forms import Form
from ..turn.state import Turn
from ..views.form_place import form_place
from ..wire.kinds import FILE_CONTROLS
from . import messages as m
from .form_states import can_read_on, waiting_forms
from .state import Item
from .store import problem_of, replace

if TYPE_CHECKING:
    from .controller import Controller


class Forms:
    """The forms of a session's panels. A browser knows them by their places (`views.form_place`) and by numbers."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    # -- answering

    async def submit(self, key: str, place: str, action: str, inputs: Mapping[str, str | list[str]]) -> None:
        """Answer a form of an item, and read on in its run. Returns when the server has taken it.

        Args:
            action, inputs: by numbers, as the browser has them; of files the ids of uploads.

        Raises:
            InputError: it does not fit, is on its way already, or waits no more.
            DifyError: the server refused it.
        """
        turn, form = self._claim(key, place)
        try:
            chosen, given = self._answer(form, action, inputs)
            submitted = self._controller.session.submit(form, turn=turn, action=chosen, inputs=given)
            run = await asyncio.wrap_future(submitted)
        except Exception as error:
            words = refused(error) if isinstance(error, DifyError) else problem_of(error).message
            self._change(key, lambda item: _refused(item, form.id, words))
            raise
        if run.done:  # before it was known that it is this form's
            self._change(key, lambda item: _without(item, form.id))

    def read_on(self, key: str) -> Run:
        """Read on in the run of an item that waits, or whose connection was lost.

        Raises:
            InputError: there is nothing to be read.
        """
        item = self._controller.item(key)
        if item.run is not None:
            raise InputError(t("panel.running"), code="running")
        if item.turn is None or not can_read_on(item):
            raise InputError(t("forms.no_run"), code="run")
        return self._controller.session.resume(item.turn)

    def field(self, place: str, number: str) -> Mapping[str, Any] | None:
        """What the server tells of a field for files in a waiting form; None where there is none."""
        forms = (form for item in self._controller.state.items for form in waiting_forms(item.now))
        form = next((form for form in forms if form_place(form) == place), None)
        names = {str(index): field.name for index, field in enumerate(form.fields)} if form is not None else {}
        inputs = form.data.get("inputs") if form is not None and isinstance(form.data, dict) else None
        for item in inputs if isinstance(inputs, list) and number in names else ():
            if isinstance(item, dict) and item.get("output_variable_name") == names[number] and is_file(item):
                return item
        return None

    def _claim(self, key: str, place: str) -> tuple[Turn, Form]:
        """The form, which nobody else answers from now on in any panel."""
        found: list[tuple[Turn, Form]] = []

        def claimed(item: Item) -> Item:
            turn = item.now
            form = next((form for form in waiting_forms(turn) if form_place(form) == place), None)
            if form is None:
                raise InputError(t("panel.no_form"), code="form")
            if form.id in item.submitting:
                raise InputError(t("forms.submitting"), code="form")
            found.append((turn, form))
            others = {id: words for id, words in item.refused.items() if id != form.id}
            return replace(item, submitting=(*item.submitting, form.id), refused=others)

        self._change(key, claimed)
        if not found:
            raise InputError(t("panel.no_turn"), code="turn")
        return found[0]

    def _change(self, key: str, change: Callable[[Item], Item]) -> None:
        self._controller.update_state(
            lambda state: replace(state, items=tuple(change(i) if i.key == key else i for i in state.items))
        )

    def _answer(
        self, form: Form, action: str, inputs: Mapping[str, str | list[str]]
    ) -> tuple[str, dict[str, Any]]:
        """What was chosen and typed, under the server's names.

        Raises:
            InputError: this is no answer to the form, or a file of it was not uploaded.
        """
        kinds = {str(index): field.type for index, field in enumerate(form.fields)}
        given: dict[str, Any] = dict(inputs)
        for number, value in inputs.items():
            if kinds.get(number) in FILE_CONTROLS:
                files = [self._controller.upload(id)[0] for id in ([value] if isinstance(value, str) else value)]
                given[number] = files if kinds[number] == "file-list" else next(iter(files), "")
        try:
            return form_answer(form, action, given)
        except ValueError as error:
            raise InputError(t("panel.unknown_command"), code="form") from error

    # -- what the session tells

    def begun(self, run: Run, turn: Turn) -> None:
        """The run of that turn goes on: it is shown in its own place. The controller's lock is held."""
        controller = self._controller
        item = next((item for item in controller.state.items if _shows(item, turn)), None)
        if item is not None:
            controller.put_item(replace(item, run=run, turn=None))
        else:
            controller.hide(Item(key=controller.new_key(), query=turn.query or "", run=run, asked_at=turn.created_at))

    def ended(self, item: Item, run: Run, turn: Turn) -> Item:
        """The item when its run has ended, for now or for good."""
        if run.resumes is not None and run.error is not None:  # the turn is as it was
            problem = problem_of(run.error)
            self._controller.set_state(problem=m.Problem(t("panel.not_read_on", problem=problem.message), problem.hint))
        return replace(item, run=None, turn=turn, submitting=())


def _without(item: Item, form_id: str) -> Item:
    """The form is not on its way any more."""
    return replace(item, submitting=tuple(id for id in item.submitting if id != form_id))


def _refused(item: Item, form_id: str, words: str) -> Item:
    """What went wrong stands in the form."""
    return replace(_without(item, form_id), refused={**item.refused, form_id: words})


def _shows(item: Item, turn: Turn) -> bool:
    """Whether the item shows that turn."""
    known = item.now
    if turn.workflow_run_id is not None and known.workflow_run_id == turn.workflow_run_id:
        return True
    return turn.message_id is not None and known.message_id == turn.message_id
