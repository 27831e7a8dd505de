"""The texts of a turn in the making: the answer, with the reasoning inside it, and the reasoning that comes apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .reasoning import ReasoningSplitter
from .state import Turn

_PIECES = 8_192  # pieces of text that are held apart before they are joined
_REPLACEMENT = "\ufffd"


class Snapshot(NamedTuple):
    """The texts as they are now."""

    answer: str
    raw: str
    inline: str
    """The reasoning that stood in the answer."""
    chunks: str
    by_node: Mapping[str, str] | None


class Texts:
    """Pieces, which are joined when the text is asked for: to add one costs the same however long the text is.

    Args:
        turn: the one that it goes on from.
        ended: whether its text has ended.
    """

    def __init__(self, turn: Turn, *, ended: bool) -> None:
        self._raw: list[str] = [turn.answer_raw] if turn.answer_raw else []
        self.length = len(turn.answer_raw)
        """Characters of the answer as it came."""
        self._chunks: list[str] = [turn.reasoning_chunks] if turn.reasoning_chunks else []
        self._by_node = {node: [text] for node, text in (turn.reasoning_by_node or {}).items()}
        self._splitter = ReasoningSplitter()
        self._splitter.feed(turn.answer_raw)
        self.ended = ended
        if ended:
            self._splitter.end()
        self._pieces = 0
        self.halves = set(turn.halves)
        """Which of them (answer, reasoning) end in half a character, as `Event.half` tells."""

    def say(self, text: str) -> None:
        """More of the answer."""
        self.halves.discard("answer")
        self._raw.append(text)
        self.length += len(text)
        self._splitter.feed(text)
        self._count_piece()

    def reason(self, text: str, node: str | None = None) -> None:
        """More of the reasoning that comes apart.

        Args:
            node: id of the node whose it is, where told.
        """
        self.halves.discard("reasoning")
        self._chunks.append(text)
        if node is not None:
            self._by_node.setdefault(node, []).append(text)
        self._count_piece()

    def complete_reasoning(self, reported: Mapping[str, str]) -> None:
        """Take in what the end tells of each node's whole reasoning, as far as it did not come before."""
        spoken = {node: text for node, text in reported.items() if text.strip()}
        missing = {node: text for node, text in spoken.items() if not self._has_reasoning(node, text)}
        if not missing:
            return
        chunks, named = _join(self._chunks), sum(len(_join(pieces)) for pieces in self._by_node.values())
        if named != len(chunks) and not any(chunks.strip() in text for text in missing.values()):
            self._chunks += ["\n\n", *"\n\n".join(missing.values())]  # of nodes that nobody named
        else:
            self._chunks = []
        self._by_node |= {node: [text] for node, text in missing.items()}
        if not self._chunks:
            self._chunks = ["\n\n".join(_join(pieces).strip() for pieces in self._by_node.values())]

    def _has_reasoning(self, node: str, text: str) -> bool:
        if node in self._by_node and same_text(_join(self._by_node[node]), text):
            return True
        inline = _join(self._splitter.reasoning)
        return any(text.strip() in known or same_text(known, text) for known in (_join(self._chunks), inline))

    def _count_piece(self) -> None:
        self._pieces += 1
        if self._pieces >= _PIECES:  # a text object a token costs ten times the token
            self._pieces = 0
            apart = self._by_node.values()
            for pieces in (self._raw, self._chunks, self._splitter.answer, self._splitter.reasoning, *apart):
                _join(pieces)

    def forget(self) -> None:
        """The answer begins anew."""
        self._raw, self.length, self._splitter = [], 0, ReasoningSplitter()
        self.halves.discard("answer")

    def settle(self) -> int:
        """Nothing completes what ends in half a character: how many texts that were."""
        incomplete = sorted(self.halves)
        for name in incomplete:
            if name == "answer":
                self.say(_REPLACEMENT)
            else:
                chunks = _join(self._chunks)
                last = (node for node, pieces in self._by_node.items() if chunks.endswith(_join(pieces)))
                self.reason(_REPLACEMENT, next(last, None))
        return len(incomplete)

    def end(self) -> None:
        """The answer is whole: what looked like the beginning of a mark is text."""
        self.ended = True
        self._splitter.end()

    def go_on(self) -> None:
        """What looked like the answer's end was a pause."""
        self.ended = False
        self._splitter = ReasoningSplitter()
        self._splitter.feed(_join(self._raw))

    @property
    def raw(self) -> str:
        """The answer as it came."""
        return _join(self._raw)

    def snapshot(self) -> Snapshot:
        """The texts as they are now."""
        inline, chunks = _join(self._splitter.reasoning).strip(), _join(self._chunks)
        answer, raw = _join(self._splitter.answer), _join(self._raw)
        if answer == raw and raw:  # most are: held once
            self._splitter.answer[:], answer = [raw], raw
        by_node = {node: _join(pieces) for node, pieces in self._by_node.items()} or None
        return Snapshot(answer, raw, inline, chunks, by_node)


def same_text(one: str, other: str) -> bool:
    """Whether two texts are the same, blanks around them and a few characters apart that could not be read."""
    one, other = one.strip(), other.strip()
    return one == other or _is_damaged(one, other) or _is_damaged(other, one)


def _is_damaged(text: str, whole: str) -> bool:
    """Whether one text is the other, but for a few characters that could not be read."""
    bad = text.count(_REPLACEMENT)
    if not bad or 16 * bad > len(text) or abs(len(text) - len(whole)) > 8 * bad:
        return False
    *parts, last = text.split(_REPLACEMENT)
    end = 0
    for number, part in enumerate(parts):
        start = whole.find(part, end)
        if start < 0 or (number == 0 and start > 0):
            return False
        end = start + len(part)
    return len(whole) - end >= len(last) and whole.endswith(last)


def _join(pieces: list[str]) -> str:
    """The text of these pieces, which become one."""
    if len(pieces) > 1:
        pieces[:] = ["".join(pieces)]
    return pieces[0] if pieces else ""
