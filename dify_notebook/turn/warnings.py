"""What was wrong with a stream, as it is told of a turn in the making."""

from __future__ import annotations

import msgspec

from ..i18n import t
from .state import Turn, Warning_

_RAW_LIMIT = 2_000  # characters of a damaged line that a warning keeps
_RAW_COUNT = 1_000  # warnings that keep any
_CHARACTERS = 1_000  # characters that could not be read and are listed one by one


class Warnings:
    """The warnings of a turn so far."""

    def __init__(self, turn: Turn) -> None:
        self._all = list(turn.warnings)
        self.codes = {warning.code for warning in turn.warnings}
        """Codes that were told so far."""
        self._without_offset = 0  # so many, the first ones, are of a text that was replaced
        self._characters = sum(warning.code == "character" for warning in turn.warnings)

    def all(self) -> tuple[Warning_, ...]:
        """The warnings in order."""
        return tuple(self._all)

    def add(self, code: str, message: str, at: float, offset: int, raw: bytes | str | None = None) -> None:
        """One more.

        Args:
            at: seconds since sent.
            offset: characters of the answer before it.
            raw: what came, of which the beginning is kept.
        """
        if len(self._all) >= _RAW_COUNT:
            raw = None
        elif isinstance(raw, bytes):
            raw = raw[: _RAW_LIMIT * 4].decode("utf-8", "replace")
        message, raw = message[:_RAW_LIMIT], raw[:_RAW_LIMIT] if raw else None
        self._all.append(Warning_(code=code, message=message, at=at, offset=offset, raw=raw))
        self.codes.add(code)

    def unread(self, count: int, at: float, offset: int) -> None:
        """So many characters were none: each is told, up to a bound; then it is told that there were more."""
        before = self._characters
        self._characters = min(before + count, _CHARACTERS + 1)
        for number in range(before, self._characters):
            key = "turn.character" if number < _CHARACTERS else "turn.more_characters"
            self.add("character", t(key), at, offset)

    def forget_offsets(self) -> None:
        """The answer was replaced: those so far have no offset in it."""
        for index in range(self._without_offset, len(self._all)):
            self._all[index] = msgspec.structs.replace(self._all[index], offset=None)
        self._without_offset = len(self._all)
