"""Runs of an app that holds no conversations: those had here, those that are opened from the list, their inputs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..app import stored_files
from ..app.origin import Origin, values
from ..errors import NotFoundError, TapeError
from ..i18n import t
from ..net.files import kind_of
from ..printable import one_line
from ..tape import Tape
from ..turn.state import Turn
from ..turn.stored_run import turn_from_run
from ..wire.kinds import FILE_CONTROLS
from . import commands as c
from . import messages as m
from .app import attachments_of
from .readers import is_server_of
from .state import Item, PanelState
from .store import replace

if TYPE_CHECKING:
    from .controller import Controller


def ids_of(item: Item) -> set[str]:
    """What a line in the list may know it by."""
    turn = item.now
    return {id for id in (item.key, turn.workflow_run_id, turn.message_id) if id}


class Runs:
    """The runs of a session's panels, where its app is run."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    def begin(self) -> None:
        """Show what the session had before there was a panel."""
        shown = {id for item in self._controller.state.items for id in ids_of(item)}
        earlier = []
        for turn in self._controller.session.turns.of(None):
            item = replace(self._controller.item_with(turn), earlier=True)
            if not shown & ids_of(item) and all(turn is not other.turn for other in self._controller.state.items):
                earlier.append(item)
        self._controller.update_state(lambda state: replace(state, items=(*earlier, *state.items)))

    async def open(self, id: str) -> None:
        """Show the run of that line: one that is here, else as server and tapes tell it.

        Raises:
            DifyError: the server has no such run, or cannot be reached.
        """
        controller = self._controller
        item = next((item for item in controller.state.items if id in ids_of(item)), None)
        if item is None:
            line = next((run for run in controller.state.listing.runs if run.id == id), None)
            turn = await self._stored(id, line.user if line else None)
            item = Item(
                key=controller.new_key(), query="", turn=turn, inputs=turn.inputs or {}, earlier=True,
                asked_at=turn.created_at or (line.created_at if line else None),  # no tape has the server's time
            )  # fmt: skip
            controller.update_state(lambda state: _with(state, item))
        controller.set_state(shown=item.key, problem=None)

    async def _stored(self, id: str, user: str | None) -> Turn:
        """A run that was not had here: nodes and times are of its tape, where this machine has it."""
        controller = self._controller
        client, app = controller.client, controller.state.app
        taped = await asyncio.to_thread(self._taped, id)
        if app is None or app.offers.history != "runs":
            if taped is None:
                raise NotFoundError(t("panel.no_turn"), code="turn")
            return taped
        run = await client.workflows.get(id)
        stored = turn_from_run(run, user=user, server=client.base_url, app=app.name)
        return stored if taped is None else replace(taped, inputs=stored.inputs, created_at=stored.created_at)

    def _taped(self, id: str) -> Turn | None:
        store = self._controller.session.store
        path = store.of(id)
        if path is None:
            return None
        with suppress(OSError, TapeError):  # pruned meanwhile, or damaged
            turn = Tape.at(path).replay()
            is_meant = id in (turn.workflow_run_id, turn.message_id, store.name(path))
            return turn if is_meant and is_server_of(self._controller.client, turn.server) else None
        return None

    def given(self, item: Item) -> dict[str, Any]:
        """The inputs of a run that was not asked here, its files named as a run may name them, where they can be."""
        own = self._is_own(item)

        def named(value: Any) -> Any:
            if isinstance(value, list | tuple):
                return [named(each) for each in value]
            stored = own and isinstance(value, Mapping) and stored_files.is_file(value)
            return (stored_files.reference(value) or value) if stored else value

        return {name: named(value) for name, value in item.given.items()}

    def _is_own(self, item: Item) -> bool:
        """Whether this user asked it: a server takes no file of somebody else's."""
        return item.now.user in (None, self._controller.client.user)

    def take_up(self, key: str) -> c.TakenValue:
        """Put the inputs of a run into the form, and say which files can go again, and what cannot.

        Raises:
            InputError: it is not on show any more.
        """
        controller = self._controller
        item = controller.item(key)
        controls = controller.session.app.controls
        files: dict[str, list[m.Attachment]] = {}
        plain: dict[str, Any] = {}
        left = []
        for name, value in item.given.items():
            control = controls.get(name)
            if value is None or value == "" or value == []:
                continue
            if control is not None and control.get("type") in FILE_CONTROLS:
                found = [self._again(each, item) for each in (value if isinstance(value, list | tuple) else [value])]
                files[name] = [each for each in found if each is not None]
                if len(files[name]) < len(found):
                    left.append(one_line(str(control.get("label") or name), 80))
            elif control is None or stored_files.is_file(value):
                left.append(one_line(name, 80))
            else:
                plain[name] = value
        if item.files:  # beside the inputs: they go again where the run is done again, and not into another
            left += [file.name for file in item.attachments]
        controller.set_state(inputs=values(plain, Origin.EARLIER))
        return c.TakenValue(files, t("panel.run.left", names=t("panel.and").join(left)) if left else "")

    def _again(self, file: Any, item: Item) -> m.Attachment | None:
        """A file of a run as one that was uploaded; None where it cannot be named again."""
        known = next((id for id, (value, _) in self._controller.uploaded.items() if value is file), None)
        if known is not None:
            return self._controller.uploaded[known][1]
        if hasattr(file, "read"):  # an open file, which was read
            return None
        if isinstance(file, Mapping):
            own = self._is_own(item)
            reference = file if stored_files.is_reference(file) else stored_files.reference(file) if own else None
            if reference is None:
                return None
            name = str(file.get("filename") or file.get("name") or "") or t("panel.run.file")
            mime, size = str(file.get("mime_type") or ""), file.get("size")
            kind = str(file.get("type") or kind_of(name, mime))
            shown = m.Attachment("", one_line(name, 200), kind, size if isinstance(size, int) else None, None)
            file = dict(reference)
        else:
            [shown] = attachments_of([file])
        id = f"again-{self._controller.new_key()}"
        attachment = replace(shown, id=id)
        self._controller.uploaded[id] = (file, attachment)
        return attachment


def _with(state: PanelState, item: Item) -> PanelState:
    """The item among the others, by its time, so that the newest stays the last."""
    at = len(state.items)
    while at and item.asked_at and (before := state.items[at - 1].asked_at) and before > item.asked_at:
        at -= 1
    return replace(state, items=(*state.items[:at], item, *state.items[at:]))
