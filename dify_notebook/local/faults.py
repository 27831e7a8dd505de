"""Things going wrong on demand, so that tests can see what a client makes of them.

A fault is a word, most with a number: `drop=200`. Several are joined by commas. They come from
`serve(faults=...)` for every question, from `server.faults.once(...)` for the next one, or, where
`faults=` is not False, from the request's header `X-Dify-Fault`, for any route.

    latency=S    wait S seconds before the request is looked at
    stall=S      hold back the headers, pings too, for S seconds, then send what came meanwhile
    drop=N       close the connection after N bytes of the body
    cut=N        close it inside the first character beyond ASCII that comes after N events
    ping=N       send N pings and nothing else, then close the connection
    error=N      after N events an error event, and the end
    no_end=1     leave out message_end, error and workflow_finished
    duplicate=1  send each event twice
    unknown=1    put an event that no one knows before each
    replace=1    a message_replace before message_end, as a moderation would
    429=S        refuse with `Retry-After: S`
    500=1        refuse with an internal error
    502=1        refuse as a proxy does whose server is down: HTML

The question itself is answered and kept as always by `drop`, `cut` and all that change events:
only what reaches the client is spoilt.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

HEADER = "X-Dify-Fault"
KINDS = frozenset((
    "latency", "stall", "drop", "cut", "ping", "error", "no_end", "duplicate", "unknown", "replace", "429", "500",
    "502",
))  # fmt: skip
_LIMIT = 600.0
"""Seconds, or pings."""


def parse(text: str) -> dict[str, float]:
    """Faults out of a text, each with its number.

    >>> parse("drop=200, duplicate")
    {'drop': 200.0, 'duplicate': 1.0}

    Raises:
        ValueError: it names none that exists, or its number is none.
    """
    faults: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.strip().partition("=")
        if name not in KINDS:
            raise ValueError(f"unknown fault {name!r}; there are {', '.join(sorted(KINDS))}")
        try:
            value = float(number) if number else 1.0
        except ValueError:
            raise ValueError(f"the number of fault {name!r} is not one: {number!r}") from None
        minimum = 1.0 if name == "ping" else 0.0
        if not value >= minimum or (name in ("latency", "stall", "ping") and value > _LIMIT):
            raise ValueError(f"fault {name!r} cannot be {number}")
        faults[name] = value
    return faults


@dataclass
class FaultPlan:
    """The faults of one server; may be used from any thread."""

    enabled: bool = False
    """Whether the header is obeyed."""
    always: dict[str, float] = field(default_factory=dict)
    """For every question."""
    _next: deque[dict[str, float]] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, option: bool | tuple[str, ...]) -> FaultPlan:
        """What `serve(faults=...)` asks for. Raises: ValueError."""
        if isinstance(option, bool):
            return cls(enabled=option)
        plan = cls(enabled=True)
        for text in option:
            plan.always |= parse(text)
        return plan

    def once(self, text: str) -> None:
        """Let the next question go wrong; said several times, the next several, in order.

        Args:
            text: faults, such as `"drop=200"` or `"duplicate, unknown"`.

        Raises:
            ValueError: there is no such fault.
        """
        faults = parse(text)
        with self._lock:
            self._next.append(faults)

    def take(self, question: bool, header: str | None) -> dict[str, float]:
        """The faults of a request. Raises: ValueError, for a header that says nonsense."""
        if header is not None and self.enabled:
            return parse(header)
        if not question:
            return {}
        with self._lock:
            return self._next.popleft() if self._next else dict(self.always)


FaultBox = FaultPlan  # the name of 0.1.0
