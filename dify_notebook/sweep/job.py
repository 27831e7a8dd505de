"""What `Sweep` and `map` share: a design, whom it asks, where it is kept, and one run of it after another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import DifyError, InputError
from .case import Case, Target
from .progress import Progress
from .records import Outcome, State

if TYPE_CHECKING:
    from .asking.engine import Ended, Engine
    from .budget import Ledger, Limit
    from .cases.design import Design
    from .store.store import Store
    from .variants import VariantKey


REFUSED = "refused"
"""The code of an error that every app gave a reason for while it was being asked."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What one run is to do."""

    limit: int | None = None
    """Cases at most."""
    budget: Limit | None = None
    """For the whole sweep."""
    again: tuple[State, ...] = ("failed",)
    """What is asked beside what was never asked."""
    repeats: int | None = None
    """How often from now on in all; then only the new repeats are asked."""


class Job:
    """The cases of a design with their store. One run at a time, on whatever loop awaits it.

    Args:
        apps: as for `Sweep`.
        user: None is the sweep's own, `sweep-<id>`.
    """

    def __init__(
        self,
        apps: Any,
        design: Design,
        store: Store,
        *,
        user: str | None,
        concurrency: int,
        timeout: float | None,
    ) -> None:
        self.store = store
        self.user = user if user is not None else f"sweep-{store.id}"
        self.own_user = user is None
        self.design = design
        self.targets: Mapping[str, Target] = {}
        self.cases: Sequence[Case] | None = None
        """None before they were made. Two may have one id, where two questions or variants send the same."""
        self.engine: Engine | None = None
        """Of the run that is under way, else None."""
        self.ledger: Ledger | None = None
        """Of the last run that had a budget."""
        self.progress = Progress()
        """Of the run that is under way, or of the last one."""
        self._apps = apps
        self._concurrency = concurrency
        self._timeout = timeout
        self._stopping = False

    async def prepare(self) -> Sequence[Case]:
        """All cases in the order in which they are asked. Each app's form is asked for once; nothing else is sent.

        Raises:
            InputError: a column, a template, an input or a file does not fit; named by row and column.
            DifyError: an app cannot be reached, or refuses its key.
        """
        from .cases.apps import targets
        from .cases.grid import cases

        if self.cases is None:
            if not self.targets:
                self.targets = await targets(self._apps, salt=self.store.salt, user=self.user)
            self.cases = await cases(self.design, self.targets)
        return self.cases

    async def _repeat(self, repeats: int) -> None:
        """Repeat so often from now on; where that is refused all stays as it was."""
        before = self.design, self.cases
        self.design, self.cases = msgspec.structs.replace(self.design, repeats=repeats), None
        try:
            await self.prepare()
        except BaseException:
            self.design, self.cases = before
            raise

    def missing(self, again: Collection[State], first_repeat: int = 0) -> list[Case]:
        """The cases that were never asked, and those of the other states, in order.

        Args:
            first_repeat: only repeats from this one on, counted from 0.
        """
        from .cases.grid import distinct

        asked = {"not_run", *again}
        cases = distinct([case for case in self.cases or () if case.repeat >= first_repeat])
        return [case for case in cases if self.store.state(case.id) in asked]

    async def run(
        self,
        request: Request,
        on_outcome: Callable[[Case, Outcome], None] | None = None,
        progress: Progress | None = None,
    ) -> Ended:
        """Ask what is missing, as the request says.

        Args:
            on_outcome: called on this loop's thread with each case that ended.
            progress: counts what comes; None makes one. It is `progress` once the run has begun.

        Raises:
            InputError: it runs already, here or in another process; the budget is one that an app cannot be
                measured by.
            DifyError: what concerns every case: no server, a key that is refused.
        """
        with self.store.locked():
            self._stopping = False
            self.progress = Progress() if progress is None else progress
            try:
                first_repeat = 0
                if request.repeats is not None:
                    first_repeat = self.design.repeats
                    await self._repeat(request.repeats)
                cases = await self.prepare()
                missing = self.missing(request.again, first_repeat)
                return await self._run(cases, missing, request, on_outcome)
            finally:
                self.engine = None
                self.progress.end()

    async def _run(
        self,
        cases: Sequence[Case],
        missing: list[Case],
        request: Request,
        on_outcome: Callable[[Case, Outcome], None] | None,
    ) -> Ended:
        from .asking.engine import Ended, Engine
        from .cases.apps import fingerprint

        pending = within(missing, request.limit)
        kept = sum(self.store.state(id) == "succeeded" for id in {case.id for case in cases})
        self.ledger = self._ledger(cases, request)
        progress = self.progress
        progress.begin(kept=kept, to_ask=len(pending), beyond=len(missing) - len(pending), ledger=self.ledger)
        engine = Engine(
            self.targets,
            self.store,
            ledger=self.ledger,
            concurrency=self._concurrency,
            timeout=self._timeout,
            fingerprint=fingerprint,
        )

        def note(case: Case, outcome: Outcome) -> None:
            progress.add(outcome)
            if on_outcome is not None:
                on_outcome(case, outcome)

        engine.on_outcome = note
        if self._stopping:
            return Ended(not_run=len(pending), reason="stopped")
        self.engine = engine
        ended = await engine.run(pending)
        if ended.refusals and ended.refusals.keys() >= {case.variant.target for case in pending}:
            kind = InputError if self.ledger is not None and _refused(self.ledger, pending) else DifyError
            raise kind(ended.refused, code=REFUSED)
        return ended

    def _ledger(self, cases: Sequence[Case], request: Request) -> Ledger | None:
        from .budget import Ledger
        from .cases.grid import distinct
        from .variants import variant_key

        if request.budget is None:
            return None
        variants = {case.id: case.variant for case in cases}
        keys = {id(variant): variant_key(variant) for variant in variants.values()}
        unknown = self.store.unknown

        def name_of(case: str) -> VariantKey | None:
            return keys[id(variants[case])] if case in variants else None

        lost = [case for case in distinct(cases) if case.id in unknown]
        known = {name: target.client._cache.app.currency for name, target in self.targets.items()}
        return Ledger(request.budget, self.store.spent, name_of, lost, known)

    async def stop(self) -> None:
        """Begin nothing more, and stop what runs; on the loop of the run. Nothing where nothing runs."""
        self._stopping = True
        if self.engine is not None:
            self.engine.stop()


def within(cases: list[Case], limit: int | None) -> list[Case]:
    """Whole questions as long as they fit into a limit; of the first one a part where not even that fits."""
    if limit is None or len(cases) <= limit:
        return cases
    whole = limit
    while whole and cases[whole].question == cases[whole - 1].question:
        whole -= 1
    return cases[: whole or limit]


def _refused(ledger: Ledger, cases: Sequence[Case]) -> bool:
    """Whether it is the budget that no app can be measured by."""
    return all(ledger.refuses(case) for case in cases)
