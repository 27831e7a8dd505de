"""The turns of a session: the newest as they are, those before by reference to their tapes."""

from __future__ import annotations

from collections.abc import Iterable, MutableSequence
from pathlib import Path
from typing import Any, NamedTuple, overload

import msgspec

from ..errors import TapeError
from ..turn.state import Turn
from .reading import StoredEntries

_FIELDS = (
    "message_id", "conversation_id", "app", "app_mode", "turn_number", "conversation_name", "feedback", "user",
    "workflow_run_id", "placing",
)  # fmt: skip
"""What a turn keeps beside its tape."""


class Kept(NamedTuple):
    """A turn that is read from its tape when it is asked for."""

    path: Path
    fields: tuple[Any, ...]
    """As in `_FIELDS`; one that was pickled by an earlier version has fewer."""

    @property
    def conversation_id(self) -> str | None:
        id: str | None = self.fields[1]
        return id

    @property
    def message_id(self) -> str | None:
        id: str | None = self.fields[0]
        return id

    @property
    def workflow_run_id(self) -> str | None:
        id: str | None = dict(zip(_FIELDS, self.fields, strict=False)).get("workflow_run_id")
        return id

    def turn(self) -> Turn:
        """The turn, told anew.

        Raises:
            TapeGone: the store has let its tape go.
            TapeError: the file is damaged.
        """
        from . import Tape

        fields = {name: value for name, value in zip(_FIELDS, self.fields, strict=False) if value is not None}
        return msgspec.structs.replace(Tape.at(self.path).replay(), **fields)


class Turns(MutableSequence[Turn]):
    """Turns, oldest first, as a list.

    Args:
        keep: how many of the newest are held as they are. One that is older, and whose tape is in the store, is read
            from there when it is asked for: `source` is tape then, what the tape cannot know (`inputs`,
            fetched images) is None or absent, and once the store has let the tape go it is a `TapeGone`.
            None holds them all.
    """

    def __init__(self, keep: int | None = None, turns: Iterable[Turn] = ()) -> None:
        self._keep = keep
        self._held: list[Turn | Kept] = list(turns)

    def __len__(self) -> int:
        return len(self._held)

    @overload
    def __getitem__(self, index: int) -> Turn: ...
    @overload
    def __getitem__(self, index: slice) -> list[Turn]: ...
    def __getitem__(self, index: int | slice) -> Turn | list[Turn]:
        if isinstance(index, slice):
            return [_turn(item) for item in self._held[index]]
        return _turn(self._held[index])

    def __setitem__(self, index: Any, value: Any) -> None:
        self._held[index] = value

    def __delitem__(self, index: int | slice) -> None:
        del self._held[index]

    def insert(self, index: int, value: Turn) -> None:
        """As of a list. What is no more among the newest is kept by reference from now on, where it can be."""
        self._held.insert(index, value)
        older = len(self._held) - 1 - (self._keep or len(self._held))
        if older >= 0:
            self._held[older] = _without_content(self._held[older])

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, list | Turns) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __repr__(self) -> str:
        return f"<{len(self)} turns>"

    def put(self, turn: Turn) -> bool:
        """Put this in place of the turn with the same message (of a workflow app's, which has none, the same run);
        one that is kept by reference learns of its rating, and, where its run went on, of the tape that has the whole.

        Returns:
            Whether there is one.
        """
        found = False
        for index, item in enumerate(self._held):
            if _is_same(item, turn):
                if isinstance(item, Turn) or turn.tape is not None:
                    self._held[index] = turn if isinstance(item, Turn) else _without_content(turn)
                else:
                    self._held[index] = item._replace(fields=_fields_of(turn))
                found = True
        return found

    def of_run(self, workflow_run_id: str) -> Turn | None:
        """The newest turn of that run, of those that are held as they are."""
        for item in reversed(self._held):
            if isinstance(item, Turn) and item.workflow_run_id == workflow_run_id:
                return item
        return None

    def of(self, conversation_id: str | None) -> list[Turn]:
        """Those of a conversation that can still be told."""
        turns = []
        for item in self._held:
            if item.conversation_id == conversation_id:
                try:
                    turns.append(_turn(item))
                except TapeError:  # the server's history has it
                    continue
        return turns


def _is_same(item: Turn | Kept, turn: Turn) -> bool:
    if turn.message_id or item.message_id:
        return item.message_id == turn.message_id
    return bool(turn.workflow_run_id) and item.workflow_run_id == turn.workflow_run_id


def _turn(item: Turn | Kept) -> Turn:
    return item.turn() if isinstance(item, Kept) else item


def _fields_of(turn: Turn) -> tuple[Any, ...]:
    return tuple(getattr(turn, name) for name in _FIELDS)


def _without_content(item: Turn | Kept) -> Turn | Kept:
    if isinstance(item, Kept) or item.tape is None or not isinstance(item.tape.entries, StoredEntries):
        return item
    return Kept(item.tape.entries.path, _fields_of(item))
