"""What a cell shows of a sweep: its answers in columns while they come, or a table of many. Asks no server."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
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
    from ..sweep.engine import Ended
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
        self.outcomes: dict[str, Outcome] = {}
        self._streams: dict[str, ChatStream] = {}
        self._newest: deque[Case] = deque(maxlen=NEWEST)
        self._refusals: Mapping[str, str] = {}
        """Why nothing more was asked of an app, by its name."""

    def note(self, case: Case, outcome: Outcome) -> None:
        """A case ended."""
        self.outcomes[case.id] = outcome
        self._newest.append(case)

    def look(self, running: Running) -> None:
        """Keep the streams of what runs now. Of a table only these."""
        now = {case.id: stream for case, stream in running.running}
        if self._beside.table:
            shown = {case.id for case in list(self._newest)}
            self._streams = {id: stream for id, stream in self._streams.items() if id in shown} | now
            for case, _ in running.running:
                if case.id not in shown and len(shown) < NEWEST:
                    self._newest.append(case)
                    shown.add(case.id)
        else:
            self._streams.update(now)

    def page(self) -> Page:
        """All answers as they are now; of a table the newest."""
        if self._beside.table:
            cases = self._beside.sweep._job.cases or ()
            newest = {case.id: case for case in list(self._newest)}
            entries = [self._entry(case, several=True) for case in newest.values()]
            return Page(rows=[entries], done=len(self.outcomes), asked=len(cases), note=self._note())
        return self._whole_page(self._note())

    def end(self, running: Running | None, ended: Ended | None) -> Page | Table:
        """What stays in the notebook."""
        note = self._note()
        if ended is not None:
            self._refusals = ended.refusals
        if running is not None:
            done = line(running.progress, ended=True)
            why = ending(ended, running.progress) if ended is not None else t("magic.beside.stopped")
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
        return Entry(heading=name, note=self._alone(name), error=problem.message if problem is not None else "")

    def _entry(self, case: Case, several: bool = False) -> Entry:
        stream, outcome, name = self._streams.get(case.id), self.outcomes.get(case.id), case.variant.target
        heading = f"{name} \u00b7 {one_line(question(case), 80)}" if several else name
        turn = self.turn(case)
        error = ""
        if turn is None and outcome is not None:
            error = outcome.error or outcome.error_code or "?"
        elif turn is None:
            error = self._refusals.get(name, "")
        now = stream.now if stream is not None and outcome is None else 0.0
        return Entry(heading=heading, turn=turn, note="" if several else self._alone(name), now=now, error=error)

    def turn(self, case: Case) -> Turn | None:
        """The case's turn as it is now; None where none came."""
        stream, outcome = self._streams.get(case.id), self.outcomes.get(case.id)
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
        found = sorted(blocks.values(), key=lambda block: min(places.get(label, 0) for label in block[0].labels))
        columns = [(name, repeat) for name in names for repeat in range(shown)]
        rows = [self._row(block, columns) for block in found[: limits.TABLE_ROWS]]
        return Table(
            variants=[name if shown == 1 else f"{name} \u00b7 {repeat + 1}" for name, repeat in columns],
            rows=rows,
            count=len(found),
            totals=[self._total(cases, name, repeat if every else None) for name, repeat in columns],
            note=note,
        )

    def _row(self, block: list[Case], columns: list[tuple[str, int]]) -> TableRow:
        by_place = {(case.variant.target, case.repeat): case for case in block}
        cells = [self._cell(place[0], by_place.get(place)) for place in columns]
        text = next((question(case) for case in block if case.messages[0].query), question(block[0]))
        return TableRow(one_line(text, 400), cells)

    def _cell(self, name: str, case: Case | None) -> Cell:
        outcome = self.outcomes.get(case.id) if case is not None else None
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

    def _total(self, cases: list[Case], name: str, repeat: int | None) -> Total:
        own = [case for case in cases if case.variant.target == name and repeat in (None, case.repeat)]
        outcomes = [self.outcomes[case.id] for case in own if case.id in self.outcomes]
        answers = [answer for outcome in outcomes for answer in outcome.answers]
        tokens = [answer.total_tokens for answer in answers if answer.total_tokens is not None]
        prices: dict[str, Decimal] = {}
        for answer in answers:
            if answer.price is not None and answer.currency is not None:
                prices[answer.currency] = prices.get(answer.currency, Decimal(0)) + answer.price
        well = [answer for answer in answers if answer.status == "succeeded"]
        times = [answer.seconds for answer in well if answer.seconds is not None]
        firsts = [answer.first_token for answer in well if answer.first_token is not None]
        return Total(
            asked=len(own),
            succeeded=sum(outcome.state == "succeeded" for outcome in outcomes),
            total_tokens=sum(tokens) if tokens else None,
            prices=prices,
            unpriced=sum(answer.price is None for answer in answers),
            seconds=median(times) if times else None,
            first_token=median(firsts) if firsts else None,
        )


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
