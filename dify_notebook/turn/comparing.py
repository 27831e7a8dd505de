"""Two turns beside each other: which run of a node answers to which, and what of their values differs. Pure.

A run of a node is told by where it stands: its node id, the container and the round in which it ran, and which of
the runs there it was. Run ids are no help, since every run has its own. Linear in the nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from ..redact import may_hold_a_secret, redact
from .convert import FILE_IDENTITY
from .state import Node, Turn

_OF_ONE_RUN = frozenset({"sys.workflow_run_id", "sys.timestamp", "sys.conversation_id"})
"""Variables that say which run it is: they are never the same."""
_MEASURED = frozenset({"latency", "time_to_first_token", "time_to_generate"})
"""Parts of a model's usage that measure time."""
_FILE_FACTS = ("type", "filename", "extension", "mime_type", "size")

Place = tuple[int | None, str, int | None, int]
"""Where a run of a node stands: the place of its container by number, node id, round, which of the runs there."""


class NodePair(NamedTuple):
    """A run of a node in one turn, and what answers to it in the other."""

    node_id: str
    round: int | None
    run: int
    """Which of the runs of the node there, from 0."""
    depth: int
    """In how many containers it lies."""
    a: Node | None
    b: Node | None

    @property
    def node(self) -> Node:
        """One of the two that is there."""
        node = self.a or self.b
        assert node is not None  # a pair is made of a run
        return node

    @property
    def only_in(self) -> str | None:
        """a or b where the other has none."""
        return None if self.a and self.b else "a" if self.a else "b"

    def differs(self, field: str) -> bool | None:
        """Whether that field of the two differs; None where only one has such a run."""
        if self.a is None or self.b is None:
            return None
        return bool(comparable(getattr(self.a, field)) != comparable(getattr(self.b, field)))


class Difference(NamedTuple):
    """A value that two turns have not in common."""

    name: str
    a: Any
    b: Any
    in_a: bool
    in_b: bool


class Measure(NamedTuple):
    """A fact of two turns."""

    name: str
    a: Any
    b: Any
    delta: float | None
    """b - a, where both are numbers of one unit."""


def node_pairs(a: Turn, b: Turn) -> list[NodePair]:
    """The runs of the nodes of both, in the order of a; what only b has stands behind what it followed there."""
    places: dict[Place, int] = {}
    of_a, of_b = _by_place(a.nodes or (), places), _by_place(b.nodes or (), places)
    followers: dict[int | None, list[int]] = {}
    last: int | None = None
    for place in of_b:
        if place in of_a:
            last = place
        else:
            followers.setdefault(last, []).append(place)
    order = list(followers.get(None, ()))
    for place in of_a:
        order += [place, *followers.get(place, ())]
    listed = list(places)
    depths: list[int] = []  # a container is told before what runs in it
    for inside, *_ in listed:
        depths.append(0 if inside is None else depths[inside] + 1)
    return [NodePair(*listed[place][1:], depths[place], of_a.get(place), of_b.get(place)) for place in order]


def _by_place(nodes: Iterable[Node], places: dict[Place, int]) -> dict[int, Node]:
    """The runs by the number of their place; places that are new get the next."""
    found: dict[int, Node] = {}
    by_id: dict[str, int] = {}
    counts: Counter[tuple[int | None, str, int | None]] = Counter()
    for node in nodes:
        there = (by_id.get(node.parent) if node.parent else None, node.node_id or node.node_type, node.round)
        place = places.setdefault((*there, counts[there]), len(places))
        counts[there] += 1
        found[place] = node
        by_id[node.id] = place
    return found


def seconds(node: Node) -> float | None:
    """How long it ran: as the server told, else as seen here."""
    if node.elapsed is not None:
        return node.elapsed
    return None if node.started_at is None or node.finished_at is None else node.finished_at - node.started_at


def delta(a: float | Decimal | None, b: float | Decimal | None) -> float | None:
    """b - a; None where one is not known."""
    return None if a is None or b is None else float(b - a)  # type: ignore[operator]  # both of one kind


# -- values --------------------------------------------------------------------------------


def comparable(value: Any) -> Any:
    """A value without what differs in every run: signatures, ids of uploads, how long a model took."""
    if isinstance(value, str):
        return redact(value) if may_hold_a_secret(value) else value
    if isinstance(value, bool):
        return (bool, value)  # true is not 1
    if isinstance(value, Mapping):
        if value.get("dify_model_identity") == FILE_IDENTITY:
            return (FILE_IDENTITY, *(value.get(name) for name in _FILE_FACTS))
        left_out = _MEASURED if "total_tokens" in value else _OF_ONE_RUN
        return {str(name): comparable(one) for name, one in value.items() if name not in left_out}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [comparable(one) for one in value]
    return value


def inputs(turn: Turn) -> dict[str, Any]:
    """What a turn was asked: its inputs, and its question."""
    given = turn.inputs
    if given is None and turn.workflow is not None and isinstance(turn.workflow.inputs, Mapping):
        given = {name: value for name, value in turn.workflow.inputs.items() if not str(name).startswith("sys.")}
    asked = {} if turn.query is None or "query" in (given or {}) else {"query": turn.query}
    return {**{str(name): value for name, value in (given or {}).items()}, **asked}


def outputs(turn: Turn) -> dict[str, Any]:
    """What a turn gave: the outputs of its run by name, else its answer."""
    values = turn.workflow.outputs if turn.workflow is not None else None
    if isinstance(values, Mapping):
        return {str(name): value for name, value in values.items()}
    return {"answer": turn.answer} if turn.answer else {}


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    """The values by name that are not the same, those of a first."""
    names = [*a, *(name for name in b if name not in a)]
    return [
        Difference(name, a.get(name), b.get(name), name in a, name in b)
        for name in names
        if (name in a) != (name in b) or comparable(a[name]) != comparable(b[name])
    ]


# -- the whole -----------------------------------------------------------------------------


def measures(a: Turn, b: Turn) -> list[Measure]:
    """Status, seconds, first_token (s), total_tokens, total_price with currency, steps: of both, and b - a."""
    first, second = _facts(a), _facts(b)
    same_money = first["currency"] == second["currency"] or None in (first["currency"], second["currency"])
    rows = []
    for name in first:
        one, other = first[name], second[name]
        is_number = name not in ("status", "currency") and (name != "total_price" or same_money)
        rows.append(Measure(name, one, other, delta(one, other) if is_number else None))
    return rows


def _facts(turn: Turn) -> dict[str, Any]:
    flow, timing, usage = turn.workflow, turn.timing, turn.usage
    lasted = flow.elapsed if flow is not None else None
    if lasted is None and timing is not None:
        lasted = timing.total
    if lasted is None and usage is not None:
        lasted = usage.latency
    tokens = usage.total_tokens if usage is not None else None
    if tokens is None and flow is not None:
        tokens = flow.total_tokens
    steps = flow.total_steps if flow is not None else None
    return {
        "status": turn.status,
        "seconds": lasted,
        "first_token": timing.first_token if timing is not None else None,
        "total_tokens": tokens,
        "total_price": usage.total_price if usage is not None else None,
        "currency": usage.currency if usage is not None else None,
        "steps": steps if steps is not None else len(turn.nodes) if turn.nodes is not None else None,
    }
