"""What a view shows: a turn, or several beside each other."""

from __future__ import annotations

from typing import Protocol, TypeVar


class State(Protocol):
    """What every view has to know of what it shows; how that is drawn is the view's own."""

    @property
    def status(self) -> str:
        """running while more may come."""
        ...

    @property
    def answer(self) -> str:
        """The text, for where nothing else can be shown."""
        ...


S = TypeVar("S", bound=State)
Shown = TypeVar("Shown", bound=State, contravariant=True)
