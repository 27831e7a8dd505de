"""Two turns beside each other: which run of a node answers to which, and what of their values differs. Pure.

A run of a node is told by where it stands: its node id, the container and the round in which it ran, and which of
the runs there it was. Run ids are no help, since every run has its own. Linear in the nodes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import zip_longest
from typing import Any, NamedTuple

from ..redact import may_hold_a_secret, redact, without_query
from .convert import FILE_IDENTITY
from .state import Node, Turn

_OF_ONE_RUN = frozenset({"sys.workflow_run_id", "sys.timestamp", "sys.conversation_id"})
"""Variables that say which run it is: they are never the same."""
_MEASURED = frozenset({"latency", "time_to_first_token", "time_to_generate"})
"""Parts of a model's usage that measure time."""
_FILE_FACTS = ("type", "filename", "extension", "mime_type", "size")
_FILE_LINK = re.compile(r"/files/[^\s?#]{1,200}+\?timestamp=\d{1,20}+&nonce=-&sign=-")
"""A link to a file of Dify's in a text, once it is redacted: which upload it was, and when it was signed."""

Stand = tuple[int | None, str, int | None, int]
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

    @property
    def inputs_differ(self) -> bool | None:
        """Whether the two were given something else, prompts of a model included; None where only one is there."""
        if self.a is None or self.b is None:
            return None
        return first_difference(given(self.a), given(self.b)) is not None

    @property
    def outputs_differ(self) -> bool | None:
        """Whether the two gave something else; likewise."""
        if self.a is None or self.b is None:
            return None
        return first_difference(self.a.outputs, self.b.outputs) is not None


class Difference(NamedTuple):
    """A value that two turns have not in common."""

    name: str
    a: Any
    b: Any
    in_a: bool
    in_b: bool
    place: Place
    """Where they differ first."""


class Measure(NamedTuple):
    """A fact of two turns."""

    name: str
    a: Any
    b: Any
    delta: float | None
    """b - a, where both are numbers of one unit."""


def node_pairs(a: Turn, b: Turn) -> list[NodePair]:
    """The runs of the nodes of both, in the order of a; what only b has stands behind what it followed there."""
    places: dict[Stand, int] = {}
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


def _by_place(nodes: Iterable[Node], places: dict[Stand, int]) -> dict[int, Node]:
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

ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "ABSENT"})()
"""In the place of what one of two values does not have."""

_STEP = 4_096
"""Characters of two texts that are compared at once."""

Step = str | int
"""The name, or the index, of what a value holds."""


class Place(NamedTuple):
    """Where two values differ first, and what stands there."""

    path: tuple[Step, ...]
    a: Any
    b: Any

    @property
    def offset(self) -> int | None:
        """The first character that differs, of two texts."""
        if not isinstance(self.a, str) or not isinstance(self.b, str):
            return None
        a, b = self.a, self.b
        steps = range(0, min(len(a), len(b)), _STEP)
        begin = next((at for at in steps if a[at : at + _STEP] != b[at : at + _STEP]), len(steps) * _STEP)
        pairs = zip(a[begin : begin + _STEP], b[begin : begin + _STEP], strict=False)
        return next((begin + at for at, (one, other) in enumerate(pairs) if one != other), min(len(a), len(b)))

    @property
    def line_and_column(self) -> tuple[int, int] | None:
        """Of that character in both, from 1."""
        if (offset := self.offset) is None:
            return None
        return self.a.count("\n", 0, offset) + 1, offset - self.a.rfind("\n", 0, offset)

    def __str__(self) -> str:
        """`items[2].text:3:1`: names, indices from 0, and in texts line and column from 1."""
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)
        return ":".join([path.removeprefix("."), *map(str, self.line_and_column or ())]).removeprefix(":")


def first_difference(a: Any, b: Any) -> Place | None:
    """Where two values differ first; None where they do not.

    What differs in every run is no difference: signatures, ids and addresses of files, how long a model took. However
    deep they are; linear in what they hold.
    """
    waiting: list[tuple[Any, Any, Any]] = [(None, a, b)]
    while waiting:
        path, a, b = waiting.pop()
        a, b = _essence(a), _essence(b)
        if isinstance(a, dict) and isinstance(b, dict):
            steps: Iterable[Step] = [*a, *(name for name in b if name not in a)]
            inside = [((path, step), a.get(step, ABSENT), b.get(step, ABSENT)) for step in steps]
        elif isinstance(a, list) and isinstance(b, list):
            both = enumerate(zip_longest(a, b, fillvalue=ABSENT))
            inside = [((path, step), *pair) for step, pair in both]
        elif a is b or (isinstance(a, bool) == isinstance(b, bool) and a == b):  # true is not 1
            continue
        else:
            return Place(_steps(path), a, b)
        waiting += reversed(inside)
    return None


def _steps(path: Any) -> tuple[Step, ...]:
    steps = []
    while path is not None:
        path, step = path
        steps.append(step)
    return tuple(reversed(steps))


def _essence(value: Any) -> Any:
    """A value without what differs in every run; what it holds stays."""
    if isinstance(value, str):
        return _FILE_LINK.sub("/files/-", redact(value)) if may_hold_a_secret(value) else value
    if isinstance(value, Mapping):
        if value.get("dify_model_identity") == FILE_IDENTITY:
            facts = {name: value[name] for name in _FILE_FACTS if value.get(name) is not None}
            elsewhere = value.get("transfer_method") == "remote_url"  # there the address says which file it is
            return facts | ({"url": without_query(str(value.get("remote_url") or ""))} if elsewhere else {})
        left_out = _MEASURED if "total_tokens" in value else _OF_ONE_RUN
        return {str(name): one for name, one in value.items() if name not in left_out}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return list(value)
    return value


def given(node: Node) -> tuple[Any, Any]:
    """What a run of a node was given: its inputs, and of a model the prompts made of them."""
    data = node.process_data
    return node.inputs, data.get("prompts") if isinstance(data, Mapping) else None


def inputs(turn: Turn) -> dict[str, Any]:
    """What a turn was asked: its inputs, as its run tells them (with files by name), and its question.

    An input that is null is one that was not given.
    """
    values = {str(name): value for name, value in (turn.inputs or {}).items()}
    if turn.workflow is not None and isinstance(turn.workflow.inputs, Mapping):
        values |= {str(name): value for name, value in turn.workflow.inputs.items()}
    asked = {} if turn.query is None or "query" in values else {"query": turn.query}
    own = {name: value for name, value in values.items() if value is not None and not name.startswith("sys.")}
    return own | asked


def outputs(turn: Turn) -> dict[str, Any]:
    """What a turn gave: the outputs of its run by name, else its answer."""
    values = turn.workflow.outputs if turn.workflow is not None else None
    if isinstance(values, Mapping):
        return {str(name): value for name, value in values.items()}
    return {"answer": turn.answer} if turn.answer else {}


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    """The values by name that are not the same, those of a first."""
    names = [*a, *(name for name in b if name not in a)]
    pairs = ((name, a.get(name, ABSENT), b.get(name, ABSENT)) for name in names)
    found = ((name, first_difference(one, other)) for name, one, other in pairs)
    return [
        Difference(name, a.get(name), b.get(name), name in a, name in b, place) for name, place in found if place
    ]


# -- the whole -----------------------------------------------------------------------------


def measures(a: Turn, b: Turn) -> list[Measure]:
    """Status, seconds, first_token (s), total_tokens, total_price with currency, steps: of both, and b - a."""
    first, second = facts(a), facts(b)
    same_money = first["currency"] == second["currency"] or None in (first["currency"], second["currency"])
    rows = []
    for name in first:
        one, other = first[name], second[name]
        is_number = name not in ("status", "currency") and (name != "total_price" or same_money)
        rows.append(Measure(name, one, other, delta(one, other) if is_number else None))
    return rows


def facts(turn: Turn) -> dict[str, Any]:
    """What is measured of a turn, by name, as `measures` has it."""
    flow, timing, usage = turn.workflow, turn.timing, turn.usage
    lasted = timing.total if timing is not None else None  # by the clock of first_token
    if lasted is None and flow is not None:
        lasted = flow.elapsed
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
        "steps": steps if steps is not None else len(turn.nodes or ()) or None,
    }
