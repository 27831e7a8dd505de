"""An answer in a terminal while it streams: only ever more text, nothing drawn again."""

from __future__ import annotations

from ..i18n import Language
from ..printable import visible
from ..turn.state import Turn
from . import facts, forms, outputs, plain, timeline
from .stream_redactor import StreamRedactor
from .terminal import TerminalText
from .words import Words

SLOW_NODE = 1.0
"""Seconds that a node runs before a line says that it does."""


class TextStream:
    """The text to print next for a turn that grows.

    Steps are told until the answer begins; those that end later come after it, so
    that the text of the answer stays in one piece.
    """

    def __init__(self, lang: Language | None = None, *, head: bool = True) -> None:
        self._with_head = head
        self._words = Words(lang)
        self._headed = False
        self._head_line = ""
        self._asks_again = False
        """Whether the line at the head tells of a turn that is asked again: another comes for the next."""
        self._printed: set[int] = set()
        self._announced: set[int] = set()
        self._steps = 0
        self._reasoned = False
        self._answer = ""
        self._reading, self._secrets = TerminalText(), StreamRedactor()
        self._line_open = False

    def feed(self, turn: Turn, now: float = 0.0) -> str:
        """What to print next; "" when nothing is new. `now` is in seconds since the question was sent."""
        out = self._head(turn)
        if not turn.answer:
            out += self._new_steps(turn, now, last=False)
        return self._track_line(out + self._answer_delta(turn, last=False))

    def end(self, turn: Turn) -> str:
        """The rest: what is left of the answer, late steps, files, sources, notices, the foot."""
        words = self._words
        out = self._head(turn)
        if not self._answer:
            out += self._new_steps(turn, 0.0, last=True)
        out = self._track_line(out + self._answer_delta(turn, last=True))
        rest = []
        late = self._new_steps(turn, 0.0, last=True).rstrip("\n")
        if late:
            rest.append(late)
        for section in ("nodes", "thoughts"):
            rest += plain.omitted_lines(turn, words, section)
        if given := outputs.lines(turn, words, self._answer):
            rest.append("\n".join(given))
        if turn.logs:
            rest.append("\n".join([words("logs"), *plain.log_lines(turn, words)]))
        if files := plain.file_lines(turn, words):
            rest.append("\n".join([words("files"), *files]))
        if turn.citations:
            rest.append(
                "\n".join([words("sources", n=len(turn.citations)), *plain.source_lines(turn, words)])
            )
        if turn.forms:
            rest.append("\n".join(forms.text(turn, words)))
        notices = plain.notice_lines(turn, words)
        if notices:
            rest.append("\n".join(notices))
        rest.append(plain.foot_line(turn, words))
        line_end = "\n" if self._line_open else ""
        gap = "\n" if self._answer else ""
        return self._track_line(out + line_end + gap + "\n\n".join(rest) + "\n")

    def go_on(self) -> str:
        """What to print where the run of a paused turn goes on, after its end was printed."""
        self._reading, self._secrets = TerminalText(), StreamRedactor()
        line_end = "\n" if self._line_open else ""
        return self._track_line(f"{line_end}{self._words('goes_on')}\n")

    def _track_line(self, text: str) -> str:
        if text:
            self._line_open = not text.endswith("\n")
        return text

    def _head(self, turn: Turn) -> str:
        if not self._with_head or self._headed and not self._asks_again:
            return ""
        line = plain.head_line(turn, self._words)
        if self._headed and line == self._head_line:
            return ""
        self._headed, self._head_line, self._asks_again = True, line, facts.is_asked_again(turn)
        return f"{line}\n" if line else ""

    def _new_steps(self, turn: Turn, now: float, *, last: bool) -> str:
        """Nodes, steps and reasoning that were not printed yet."""
        words = self._words
        out = []
        for group in timeline.groups(turn):
            for row in group:
                node = row.node
                if node is None or row.position in self._printed:
                    continue
                if node.status != "running" or last:
                    self._printed.add(row.position)
                elif (
                    row.position in self._announced
                    or node.kind == "parallel"
                    or node.started_at is None
                    or now - node.started_at < SLOW_NODE
                ):
                    continue
                else:
                    self._announced.add(row.position)
                out.append(plain.node_line(node, row.depth, turn, words, now))
        steps = facts.steps(turn)
        for at in range(self._steps, len(steps)):
            if not steps[at].observation and not last and at == len(steps) - 1:
                break
            self._steps = at + 1
            out += plain.thought_lines(steps[at], at, words)
        if turn.reasoning and not self._reasoned and (turn.answer or last):
            self._reasoned = True
            out.append(f"  {words('reasoned', n=f'{len(turn.reasoning):,}')}")
        return "".join(f"{line}\n" for line in out)

    def _answer_delta(self, turn: Turn, *, last: bool) -> str:
        answer = turn.answer if outputs.has_answer(turn) else self._answer  # the outputs come at the end
        if not last and answer.endswith("\r"):
            answer = answer[:-1]  # it may be half of a line end
        if answer == self._answer:
            return self._more("", last=True) if last else ""
        if answer.startswith(self._answer):
            out = "" if self._answer or not self._headed else "\n"
            out += self._more(answer[len(self._answer) :], last=last)
        else:
            line_end = "\n" if self._line_open else ""
            self._reading, self._secrets = TerminalText(), StreamRedactor()
            text = self._more(answer, last=last)
            heading = f"{facts.WARNING_SYMBOL} {self._words('replaced')}"
            if facts.is_run(turn):  # what it gave at last is not what it said until then
                heading = self._words("outputs")
            out = f"{line_end}\n{heading}\n\n{text}"
        self._answer = answer
        return out

    def _more(self, piece: str, *, last: bool) -> str:
        return visible(self._secrets.take(self._reading.take(piece, last=last), last=last))
