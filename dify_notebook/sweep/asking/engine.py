"""Asking many cases at once: in order, no more than the server takes and the budget allows, each written down."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from ...errors import DifyError, InputError, RateLimitError
from ...i18n import t
from ...logs import logger
from ...net.interrupting import Interrupts
from ...net.limiter import check_connections
from ...net.retry import check_seconds
from ...net.stream import STOP_SECONDS, ChatStream
from ...printable import MESSAGE, one_line
from ..case import Case, Target
from ..records import Checked, Outcome
from .ends import Ended as Ended
from .ends import ends_target
from .keeping import Keeping
from .one_case import Asking
from .pace import Retries, is_down
from .queue import Queue
from .sites import App, Slot, apps_of

if TYPE_CHECKING:
    from ...net.client import AsyncDify
    from .protocols import Ledger, Records

log = logger()

#: Seconds after a stop at which whatever still runs is left; each answer gives up before, by itself.
LEAVE_SECONDS = STOP_SECONDS + 1.0

#: Cases for each that may be asked at once, of which the last are not written down yet.
BEHIND = 4


class Engine:
    """Asks the cases of one run; its loop is whichever runs `run`.

    Args:
        targets: by name, each with a client of the sweep's user. They are asked over connections of the engine's own.
        store: where everything is written down, before and after it is asked. Its methods are called in one thread
            of the engine's own.
        ledger: the budget; None where there is none.
        concurrency: cases under way to one server at once, at most, 1 to 128; see `pace.Pace`.
        timeout: seconds for each turn; None is no limit.
        clock: seconds since 1970.
        retries: how often a question that surely did not arrive is asked again.
        chance: numbers from 0 to 1, for waits.
        fingerprint: gives the hash of what an app is now, see `identity.fingerprint`; None checks nothing.

    Raises:
        InputError: `concurrency` or `timeout` is another number.
    """

    def __init__(
        self,
        targets: Mapping[str, Target],
        store: Records,
        *,
        ledger: Ledger | None = None,
        concurrency: int = 8,
        timeout: float | None = None,
        clock: Callable[[], float] = time.time,
        retries: Retries = Retries(),  # noqa: B008  # frozen
        chance: Callable[[], float] = random.random,
        fingerprint: Callable[[AsyncDify], Awaitable[str]] | None = None,
    ) -> None:
        self.targets = dict(targets)
        self.on_outcome: Callable[[Case, Outcome], None] | None = None
        """Called on the loop with each case that ended, once that is written down."""
        self._store, self._ledger, self._clock = store, ledger, clock
        self._concurrency, self._timeout = check_connections(concurrency), check_seconds(timeout)
        self._retries, self._chance, self._fingerprint = retries, chance, fingerprint
        self._under: dict[str, Asking] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def running(self) -> list[tuple[Case, ChatStream]]:
        """What is asked just now, for any thread; `stream.seen()` has the turn."""
        return [(asking.case, asking.stream) for asking in list(self._under.values()) if asking.stream is not None]

    def stop(self) -> None:
        """Begin nothing more, and stop what runs on the server, which takes 3 s at most; from any thread. Nothing where
        it does not run."""
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # it was closed meanwhile
                loop.call_soon_threadsafe(self._begin_stop)

    async def run(self, cases: Sequence[Case]) -> Ended:
        """Ask all of them. What fails is an outcome and raises nothing.

        Cancelled, it stops as `stop` does, and is then cancelled. Cancelled a second time it leaves at once; cases
        that it had begun have no end then.

        Raises:
            InputError: it runs already, or a case is of no target.
            OSError: the store cannot be written. Or what `on_outcome` raises. Both stop the run first.
        """
        if self._loop is not None:
            raise InputError(t("sweep.engine.running"), code="running")
        for case in cases:
            if case.variant.target not in self.targets:
                known = ", ".join(self.targets) or "–"
                raise InputError(t("sweep.engine.no_target", name=case.variant.target, known=known), code="target")
        self._loop = asyncio.get_running_loop()
        self._begin(cases)
        interrupts = Interrupts()
        interrupts.begin()
        try:
            await self._drive()
            if self._cancelled is None and self._problem is None and not self._stopping:
                await self._check_again()
        finally:
            interrupts.end()
            await self._close()
        if self._problem is not None:
            raise self._problem
        if self._cancelled is not None:
            raise KeyboardInterrupt if interrupts.interrupted else self._cancelled
        total = sum(self._ended.values())
        reason: Literal["budget", "stopped"] | None = None
        if self._stopping or self._over:
            reason = "stopped" if self._stopping else "budget"
        return Ended(
            succeeded=self._ended["succeeded"],
            failed=self._ended["failed"],
            not_run=len(cases) - total,
            reason=reason,
            refusals=dict(self._refusals),
        )

    def _begin(self, cases: Sequence[Case]) -> None:
        self._queue = Queue(cases)
        self._wake = asyncio.Event()
        self._stopping = self._over = False
        self._cancelled: BaseException | None = None
        self._problem: BaseException | None = None
        self._refusals: dict[str, str] = {}
        self._ended = {"succeeded": 0, "failed": 0}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stops: set[asyncio.Task[bool]] = set()
        self._looks: set[asyncio.Task[None]] = set()
        self._leave_at: float | None = None
        self._keeping = Keeping(self._store)
        self._apps = apps_of(cases, self.targets, self._concurrency)
        self._sites = list({id(app.site): app.site for app in self._apps.values()}.values())

    async def _close(self) -> None:
        for app in self._apps.values():
            await app.client.aclose()
        self._keeping.close()
        self._loop = None

    # -- what begins when ------------------------------------------------------------

    async def _drive(self) -> None:
        assert self._loop is not None
        while True:
            self._wake.clear()
            now = self._loop.time()  # one for both: what is ready between two looks at the clock would wait for ever
            if not self._stopping:
                self._start(now)
            if not self._tasks and (self._stopping or self._over or not self._queue):
                break
            times = [site.next_time(now) for site in self._sites] + [self._leave_at]
            try:
                async with asyncio.timeout_at(min((at for at in times if at is not None), default=None)):
                    await self._wake.wait()
            except TimeoutError:
                if self._leave_at is not None and self._loop.time() >= self._leave_at:
                    await self._leave()
            except asyncio.CancelledError as cancelled:
                if self._cancelled is not None:
                    await self._leave()
                    raise
                self._cancelled = cancelled
                self._begin_stop()
        if self._stops:
            await asyncio.wait(self._stops, timeout=STOP_SECONDS)

    async def _leave(self) -> None:
        """Let go of what still runs."""
        left: set[asyncio.Task[None] | asyncio.Task[bool]] = {*self._tasks, *self._stops}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=STOP_SECONDS)

    def _start(self, now: float) -> None:
        """Begin what may begin now: questions that were refused first, then new cases."""
        for site in self._sites:
            site.admit(now)
        while (case := self._next(now)) is not None:
            app = self._apps[case.variant.target]
            self._queue.take(case.variant.target)
            if not app.taken:
                app.first = case
            slot = Slot(app.site.pace.enter())
            task = asyncio.create_task(self._ask(case, app, slot))
            self._tasks.add(task)
            task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._wake.set()

    def _next(self, now: float) -> Case | None:
        """The first case that may begin; the ledger has reserved for it."""
        if len(self._tasks) >= BEHIND * self._concurrency:  # the disk does not follow
            return None
        held = later = False
        for case in self._queue.heads():
            app = self._apps[case.variant.target]
            if (not app.taken and app.first is not None) or not app.site.pace.has_room(now):
                later = True
                continue
            if self._ledger is None:
                return case
            why = self._ledger.refuses(case)
            if why is not None:
                self._refuse(app, why)
                continue
            answer = self._ledger.ask(case)
            if answer == "go":
                return case
            held = True
            if answer == "over":  # what is under way may cost less than is reserved: asked again when it has ended
                break
        if held and not later and not self._tasks:  # nothing will end that it could wait for
            self._over = True
        return None

    def _refuse(self, app: App, why: str) -> None:
        self._refusals.setdefault(app.target.name, one_line(why, MESSAGE))
        self._queue.drop(app.target.name)
        self._wake.set()

    # -- one case --------------------------------------------------------------------

    async def _ask(self, case: Case, app: App, slot: Slot) -> None:
        outcome: Outcome | None = None
        try:
            if await self._check(app) and not self._stopping and app.target.name not in self._refusals:
                asking = self._under[case.id] = self._asking(case, app, slot)
                outcome = await asking.outcome()
        except asyncio.CancelledError as cancelled:
            if not self._stopping:  # not by this run: all of it ends
                self._cancelled = self._cancelled or cancelled
                self._begin_stop()
            raise
        except BaseException as problem:
            self._fails(problem)
        finally:
            self._under.pop(case.id, None)
            self._free(app, slot)
            if app.first is case:
                app.first = None
            try:
                self._settle(case, outcome)
            except BaseException as problem:
                self._fails(problem)

    def _fails(self, problem: BaseException) -> None:
        """The store, the budget or the caller failed: `run` raises it, once all has ended."""
        self._problem = self._problem or problem
        self._begin_stop()

    def _asking(self, case: Case, app: App, slot: Slot) -> Asking:
        def over() -> None:
            self._learn(app, slot, asking)
            self._free(app, slot)

        asking = Asking(
            case,
            app.target,
            app.client,
            self._keeping,
            timeout=self._timeout,
            clock=self._clock,
            taken=lambda: self._taken(app),
            over=over,
            again=lambda error, tries: self._again(app, slot, error, tries),
            stopping=lambda: self._stopping,
        )
        return asking

    def _learn(self, app: App, slot: Slot, asking: Asking) -> None:
        """What an end says of its app, before the next case takes its place."""
        assert self._loop is not None
        failure, error, site, retries = asking.failure, asking.error, app.site, self._retries
        if failure is None:
            app.answered = True
            return
        ends = ends_target(failure, error, taken=app.taken, answered=app.answered, obeyed=retries.obeyed)
        if is_down(error) and site.is_down(slot.ticket or 0, self._loop.time(), retries, self._chance()):
            ends = True
        if ends:
            self._refuse(app, failure.message)

    def _settle(self, case: Case, outcome: Outcome | None) -> None:
        """Book what it cost; None where it was not asked, or has no end."""
        if self._ledger is not None:
            self._ledger.settle(case, outcome)
        if outcome is None:
            return
        self._ended[outcome.state] += 1
        if self.on_outcome is not None:
            self.on_outcome(case, outcome)

    def _free(self, app: App, slot: Slot) -> None:
        """Give its place among those that are asked to another."""
        if slot.ticket is not None:
            slot.ticket = None
            app.site.pace.leave()
            self._wake.set()

    def _taken(self, app: App) -> None:
        """The server took a question of that app."""
        app.site.pace.taken()
        app.site.downs = 0
        app.taken = True
        self._wake.set()

    async def _again(self, app: App, slot: Slot, error: DifyError, tries: int) -> bool:
        """Wait until a question that surely did not arrive may be asked again; False where it may not."""
        assert self._loop is not None
        now, retry_after = self._loop.time(), getattr(error, "retry_after", None)
        wait = self._retries.wait(tries, retry_after, self._chance())
        if isinstance(error, RateLimitError):
            app.site.pace.refused(slot.ticket or 0, now, None if wait is None else retry_after)
        if wait is None or self._stopping:
            return False
        self._free(app, slot)
        go: asyncio.Future[bool] = self._loop.create_future()
        entry = (now + wait, go, slot)
        app.site.waiting.append(entry)
        self._wake.set()
        try:
            return await go
        finally:
            if entry in app.site.waiting:
                app.site.waiting.remove(entry)

    # -- stopping --------------------------------------------------------------------

    def _begin_stop(self) -> None:
        if self._loop is None or self._stopping:
            return
        self._stopping = True
        self._leave_at = self._loop.time() + LEAVE_SECONDS
        for asking in self._under.values():
            if asking.stream is not None:
                self._stops.add(asyncio.create_task(asking.stream.stop()))
        for look in self._looks:
            look.cancel()
        for site in self._sites:
            site.give_up()
        self._wake.set()

    # -- what an app is ---------------------------------------------------------------

    async def _check(self, app: App) -> bool:
        """Write down what the app is before its first case; False where it cannot be asked."""
        if self._fingerprint is None or app.checked:
            return True
        app.checked = True
        look = asyncio.create_task(self._write_check(app))  # its own, so that a stop can end it
        self._looks.add(look)
        try:
            await asyncio.wait([look])
        finally:
            look.cancel()
            self._looks.discard(look)
        if look.cancelled():
            return False
        problem = look.exception()
        if isinstance(problem, DifyError):
            self._refuse(app, problem.message)
        elif problem is not None:
            raise problem
        return problem is None

    async def _write_check(self, app: App) -> None:
        assert self._fingerprint is not None
        found = await self._fingerprint(app.client)
        await self._keeping.check(Checked(target=app.target.identity, hash=found, at=self._clock()))

    async def _check_again(self) -> None:
        """And after its last."""
        apps = [app for app in self._apps.values() if app.checked and app.target.name not in self._refusals]
        problems = await asyncio.gather(*(self._write_check(app) for app in apps), return_exceptions=True)
        for problem in problems:
            if isinstance(problem, DifyError):  # the answers are there; that it is the same app is not known
                log.warning("what the app is after its last case is not known: %s", problem.code)
            elif isinstance(problem, BaseException):
                raise problem
