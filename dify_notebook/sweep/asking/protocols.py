"""What the engine asks of a store and of a budget. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from ...secret import Secret
from ...tape import Tape
from ...turn.state import Turn
from ..case import Case
from ..records import Checked, Outcome


class Records(Protocol):
    """What the engine asks of a store, see `store.Store`."""

    def begin(self, case_id: str, at: float) -> None: ...
    def end(self, outcome: Outcome, key: Secret | None = None, /) -> Outcome: ...
    def check(self, checked: Checked) -> None: ...
    def history(self, case_id: str) -> Sequence[Outcome]: ...
    def spool(self) -> Path | None: ...
    def keep_tape(
        self, case_id: str, turn_number: int, attempt: int, tape: Tape, turn: Turn, /
    ) -> str | None: ...


class Ledger(Protocol):
    """What the engine asks of a budget, see `budget.Ledger`."""

    def ask(self, case: Case) -> Literal["go", "wait", "over"]: ...
    def settle(self, case: Case, outcome: Outcome | None) -> None: ...
    def refuses(self, case: Case) -> str | None: ...
