"""What a cell shows of a sweep: its answers in columns while they come, or a table of many. Asks no server."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from ..errors import DifyError
from ..i18n import t
from ..printable import one_line
from ..sweep.case import Case
from ..sweep.progress import line
from ..sweep.records import Answer, Outcome
from ..sweep.running import ending
from ..turn.state import Timing, Turn, TurnError, Usage
from ..views import limits
from ..views.answer_table import Cell, Table, TableRow, Total
from ..views.columns import Entry, Page
from .beside_rows import LABEL

if TYPE_CHECKING:
    from ..net.stream import ChatStream
    from ..sweep.asking.engine import Ended
    from ..sweep.running import Running
    from .beside import Beside

NEWEST = 6
"""Answers that are shown while a table is made."""
ACROSS = 6
"""Columns of a table that show every repeat; of more only the first repeat is shown."""
_OPEN = ("running", "paused")


class Watched:
    """What is seen of a sweep while it runs: the turns as they come, and how each case ended.

    `note` is called on the thread that asks; everything else on the cell's.
    """

    def __init__(self, beside: Beside) -> None:
        self._beside = beside
        self.done = self.succeeded = 0
        self.failure: Outcome | None = None
        """The first that failed."""
        self._outcomes: dict[str, Outcome] = {}
        """How cases ended; of a table those that are shown, the store has the others."""
        self._streams: dict[str, ChatStream] = {}
        self._newest: deque[Case] = deque(maxlen=NEWEST)
        self._lock = threading.Lock()
        self._over = False
        self._refusals: Mapping[str, str] = {}
        """Why nothing more was asked of an app, by its name."""

    def note(self, case: Case, outcome: Outcome) -> None:
        """A case ended."""
        self.done += 1
        if outcome.state == "succeeded":
            self.succeeded += 1
        elif self.failure is None:
            self.failure = outcome
        with self._lock:
            self._show_newest(case)
            self._outcomes[case.id] = outcome
            if self._beside.table:
                kept = {each.id for each in self._newest}
                self._outcomes = {id: each for id, each in self._outcomes.items() if id in kept}

    def look(self, running: Running) -> None:
        """Keep the streams of what runs now. Of a table only these."""
        now = running.running
        with self._lock:
            if self._beside.table:
                for case, _ in now[:NEWEST]:
                    self._show_newest(case)
                shown = {case.id for case in self._newest}
                self._streams = {id: stream for id, stream in self._streams.items() if id in shown}
            self._streams.update({case.id: stream for case, stream in now})

    def _show_newest(self, case: Case) -> None:
        if all(case.id != shown.id for shown in self._newest):
            self._newest.append(case)

    def page(self) -> Page:
        """All answers as they are now; of a table the newest."""
        if self._beside.table:
            cases = self._beside.sweep._job.cases or ()
            with self._lock:
                newest = list(self._newest)
            entries = [self._entry(case, several=True) for case in newest]
            return Page(rows=[entries], done=self.done, asked=len(cases), note=self._note())
        return self._whole_page(self._note())

    def end(self, running: Running | None, ended: Ended | None) -> Page | Table:
        """What stays in the notebook."""
        note, self._over = self._note(), True
        if ended is not None:
            self._refusals = ended.refusals
        if running is not None:
            done = line(running.progress, ended=True)
            why = ending(ended, running.progress) if ended is not None else ""
            note = " \u00b7 ".join(part for part in (done, why, note) if part)
        if self._beside.table:
            return self._table(note)
        return replace(self._whole_page(note), ended=True)

    # -- columns

    def _whole_page(self, note: str) -> Page:
        rows: dict[int, dict[str, Entry]] = {}
        for case in self._beside.sweep._job.cases or ():
            rows.setdefault(case.repeat, {})[case.variant.target] = self._entry(case)
        names = self._beside.names
        every = [rows[repeat] for repeat in sorted(rows)] or [{}]
        entries = [[row.get(name) or self._absent(name) for name in names] for row in every]
        return Page(rows=entries, query=self._beside.asked.text, inputs=self._beside.shared, note=note)

    def _absent(self, name: str) -> Entry:
        """The place of an app that is not asked, or not yet."""
        problem = self._beside.failed.get(name)
        error = problem.message if problem is not None else ""
        return Entry(heading=name, note=self._alone(name), error=error, not_asked=self._over)

    def _entry(self, case: Case, several: bool = False) -> Entry:
        stream, outcome, name = self._streams.get(case.id), self._outcomes.get(case.id), case.variant.target
        heading = f"{name} \u00b7 {one_line(question(case), 80)}" if several else name
        turn = self.turn(case)
        error = ""
        if turn is None and outcome is not None:
            error = outcome.error or outcome.error_code or "?"
        elif turn is None:
            error = self._refusals.get(name, "")
        now = stream.now if stream is not None and outcome is None else 0.0
        note = "" if several else self._alone(name)
        return Entry(heading=heading, turn=turn, note=note, now=now, error=error, not_asked=self._over)

    def turn(self, case: Case) -> Turn | None:
        """The case's turn as it is now; None where none came."""
        stream, outcome = self._streams.get(case.id), self._outcomes.get(case.id)
        turn = stream.seen()[1] if stream is not None else None
        if outcome is None or (turn is not None and turn.status not in _OPEN):
            return turn
        if not outcome.answers:  # left before its stream ended
            return turn and replace(turn, status="stopped", end="stopped", stop_confirmed=False)
        try:
            return self._beside.sweep._job.store.turn(outcome.answers[-1])
        except DifyError:  # no records of runs are kept, or they are gone: what was written down of it remains
            return turn_of(outcome.answers[-1])

    def _alone(self, name: str) -> str:
        given = self._beside.alone(name)
        return t("magic.beside.alone", inputs=listed(given)) if given else ""

    def _note(self) -> str:
        """Inputs of a table that not every app takes; of columns each says it itself."""
        if not self._beside.table:
            return ""
        found = []
        for name in self._beside.asked.inputs:
            if apps := self._beside.only(name):
                found.append(t("magic.beside.only", name=one_line(name, 80), apps=one_line(", ".join(apps), 200)))
        return " ".join(found)

    # -- tables

    def _table(self, note: str) -> Table:
        cases = list(self._beside.sweep._job.cases or ())
        names = self._beside.names
        repeats = max((case.repeat for case in cases), default=0) + 1
        every = repeats == 1 or repeats * len(names) <= ACROSS
        shown = repeats if every else 1
        if not every:
            note += " \u00b7 " + t("magic.beside.first_repeat", repeats=repeats)
        places = {row[LABEL]: number for number, row in reversed(list(enumerate(self._beside.asked.over)))}
        blocks: dict[str, list[Case]] = {}
        for case in cases:
            blocks.setdefault(case.question, []).append(case)
        columns = [(name, repeat) for name in names for repeat in range(shown)]
        outcomes = self._beside.sweep.store.outcomes

        def place(block: list[Case]) -> tuple[bool, int]:
            """What was asked stands first: questions are asked in another order than that of the rows."""
            asked = any(case.id in outcomes for case in block)
            return not asked, min(places.get(label, 0) for label in block[0].labels)

        found = sorted(blocks.values(), key=place)
        rows = [self._row(block, columns, outcomes) for block in found[: limits.TABLE_ROWS]]
        totals = totals_of(cases, outcomes, every)
        return Table(
            variants=[name if shown == 1 else f"{name} \u00b7 {repeat + 1}" for name, repeat in columns],
            rows=rows,
            count=len(found),
            query=self._beside.asked.template,
            totals=[totals.get((name, repeat), Sum()).total() for name, repeat in columns],
            note=note,
        )

    def _row(
        self, block: list[Case], columns: list[tuple[str, int]], outcomes: Mapping[str, Outcome]
    ) -> TableRow:
        by_place = {(case.variant.target, case.repeat): case for case in block}
        cells = [self._cell(place[0], by_place.get(place), outcomes) for place in columns]
        text = next((question(case) for case in block if case.messages[0].query), question(block[0]))
        return TableRow(one_line(text, 400), cells)

    def _cell(self, name: str, case: Case | None, outcomes: Mapping[str, Outcome]) -> Cell:
        outcome = outcomes.get(case.id) if case is not None else None
        if name in self._beside.failed:
            return Cell(self._beside.failed[name].message, "failed")
        if outcome is None:
            return Cell(self._refusals.get(name, ""), "not_run")
        answer = outcome.answers[-1] if outcome.answers else None
        if outcome.state == "failed":
            status = answer.status if answer is not None and answer.status != "succeeded" else "failed"
            problem = outcome.error or (answer.error if answer is not None else None)
            return Cell(problem or (answer.answer if answer is not None else "") or outcome.error_code or "", status)
        return Cell(text_of(answer) if answer is not None else "")


class Sum:
    """What the answers of a column come to."""

    def __init__(self) -> None:
        self.asked = self.succeeded = self.unpriced = 0
        self.tokens: list[int] = []
        self.prices: dict[str, Decimal] = {}
        self.seconds: list[float] = []
        self.firsts: list[float] = []

    def add(self, outcome: Outcome) -> None:
        """One more that ended."""
        self.succeeded += outcome.state == "succeeded"
        for answer in outcome.answers:
            if answer.total_tokens is not None:
                self.tokens.append(answer.total_tokens)
            if answer.price is None or answer.currency is None:
                self.unpriced += 1
            else:
                self.prices[answer.currency] = self.prices.get(answer.currency, Decimal(0)) + answer.price
            if outcome.state == "succeeded" and answer.seconds is not None:
                self.seconds.append(answer.seconds)
            if outcome.state == "succeeded" and answer.first_token is not None:
                self.firsts.append(answer.first_token)

    def total(self) -> Total:
        """All of it."""
        return Total(
            asked=self.asked,
            succeeded=self.succeeded,
            total_tokens=sum(self.tokens) if self.tokens else None,
            prices=self.prices,
            unpriced=self.unpriced,
            seconds=median(self.seconds) if self.seconds else None,
            first_token=median(self.firsts) if self.firsts else None,
        )


def totals_of(
    cases: Iterable[Case], outcomes: Mapping[str, Outcome], every: bool
) -> dict[tuple[str, int], Sum]:
    """By app and repeat; by the first repeat alone where a column holds all of them."""
    totals: dict[tuple[str, int], Sum] = {}
    places: dict[str, tuple[str, int]] = {}
    for case in cases:
        place = places[case.id] = (case.variant.target, case.repeat if every else 0)
        totals.setdefault(place, Sum()).asked += 1
    for id, outcome in outcomes.items():
        if id in places:
            totals[places[id]].add(outcome)
    return totals


def question(case: Case) -> str:
    """What a case asks, in a line."""
    message = case.messages[0]
    return message.query if message.query is not None else listed(message.inputs)


def listed(inputs: Mapping[str, Any]) -> str:
    """Inputs in a line."""
    return ", ".join(f"{one_line(name, 80)}={one_line(str(value), 120)}" for name, value in inputs.items())


def text_of(answer: Answer) -> str:
    """What an answer says; of a run its outputs."""
    if answer.answer or not isinstance(answer.outputs, Mapping):
        return answer.answer
    return listed(answer.outputs)


def turn_of(answer: Answer) -> Turn:
    """A turn with what was written down of it."""
    failed = answer.error or answer.error_code
    error = TurnError(code=answer.error_code or "", message=answer.error or "") if failed else None
    return Turn(
        query=answer.query,
        answer=text_of(answer),
        status=answer.status,  # type: ignore[arg-type]  # it was a turn's
        end=answer.end,  # type: ignore[arg-type]
        error=error,
        usage=Usage(
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            total_tokens=answer.total_tokens,
            total_price=answer.price,
            currency=answer.currency,
        ),
        timing=Timing(first_token=answer.first_token, total=answer.seconds),
        message_id=answer.message_id,
        workflow_run_id=answer.workflow_run_id,
    )
