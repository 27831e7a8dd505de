"""Containers in containers: each inner node has its own round and its own parent, and nothing merges."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from contract.streams import load
from support.linear import MOST, growth
from support.nested import Box, Way, stream

from dify_notebook.turn.fold import fold, fold_all
from dify_notebook.turn.state import Node, Turn
from dify_notebook.views.timeline import groups
from dify_notebook.wire import events as ev
from dify_notebook.wire.decoder import decode
from dify_notebook.wire.sse import frames

IN_ORDER = {
    "loop in iteration": Box("iteration", "it", (Box("loop", "lp", ("a", "b")), "c")),
    "iteration in loop": Box("loop", "lp", ("c", Box("iteration", "it", ("a",), rounds=3))),
    "iteration in iteration": Box("iteration", "outer", (Box("iteration", "inner", ("a", "b")), "c")),
    "loop in loop": Box("loop", "outer", ("c", Box("loop", "inner", ("a", "b"))), rounds=3),
    "three deep": Box("iteration", "it", (Box("loop", "lp", (Box("iteration", "deep", ("a", "b")), "c")), "d")),
    "three loops": Box("loop", "one", (Box("loop", "two", (Box("loop", "three", ("a",)),)),)),
    "two beside each other": Box("loop", "lp", (Box("iteration", "x", ("a",)), Box("iteration", "y", ("a", "b")))),
}
ONE_OF_A_KIND = ("loop in iteration", "iteration in loop", "two beside each other")
ASKED = [
    (name, outer, names)
    for name in IN_ORDER
    for outer in (True, False)
    for names in ("all", "dify")
    # Otherwise nothing tells that they lie in one another.
    if outer or name in ONE_OF_A_KIND or (names == "dify" and name != "three loops")
]
SIDE_BY_SIDE = {
    "loop": Box("iteration", "it", (Box("loop", "lp", ("a", "b")), "c"), rounds=3, parallel=True),
    "iteration": Box("iteration", "outer", (Box("iteration", "inner", ("a",), rounds=3), "c"), parallel=True),
    "both": Box("iteration", "outer", (Box("iteration", "inner", ("a", "b"), rounds=3, parallel=True),), rounds=3, parallel=True),
    "inner alone": Box("loop", "lp", (Box("iteration", "it", ("a", "b"), rounds=3, parallel=True), "c")),
    "three deep": Box("iteration", "it", (Box("loop", "lp", (Box("iteration", "deep", ("a",), parallel=True),)),), parallel=True),
}


def lies(node: Node, turn: Turn, *, runs: bool) -> str:
    """Where a node ran, spelled as in its outputs; without the numbers of the runs, where they have none of their own."""
    by = {one.id: one for one in turn.nodes or ()}
    told = []
    while node.parent is not None:
        outer = by[node.parent]
        told.append(f"{outer.id if runs else outer.node_id}.{node.round}")
        node = outer
    return "/".join(reversed(told))


def plain(path: str) -> str:
    return "/".join(f"{part.rpartition('-')[0]}.{part.rpartition('.')[2]}" for part in path.split("/") if part)


def seen(turn: Turn, *, runs: bool) -> list[tuple[str, str]]:
    """(where it ran, where its outputs say that it did) of all that ended, containers too."""
    found = []
    for node in turn.nodes or ():
        assert node.status in ("succeeded", "failed"), node
        path = node.outputs["path"]
        found.append((lies(node, turn, runs=runs), path if runs else plain(path)))
    return found


def run_of_each(turn: Turn) -> Counter[tuple[str | None, int | None, str]]:
    return Counter((node.parent, node.round, node.node_id) for node in turn.nodes or ())


@pytest.mark.parametrize("ids", ["own", "node", "none"])
@pytest.mark.parametrize(("name", "outer", "names"), ASKED)
def test_one_after_another(name: str, ids: str, outer: bool, names: str) -> None:
    events = stream(IN_ORDER[name], Way(ids, outer, names))
    turn = fold_all(events)
    assert len(turn.nodes or ()) == sum(isinstance(one, ev.NodeStarted | ev.LoopStarted | ev.IterationStarted) for one in events)
    assert all(ran == told for ran, told in seen(turn, runs=ids == "own"))
    assert set(run_of_each(turn).values()) == {1}
    assert sum(len(node.retries) for node in turn.nodes or ()) == sum(isinstance(one, ev.NodeRetry) for one in events)
    assert turn.warnings == ()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("name", "way"),
    [(name, Way("own", names="run")) for name in SIDE_BY_SIDE]
    + [(name, Way(ids)) for name in ("loop", "inner alone") for ids in ("own", "node", "none")],
    ids=str,
)
def test_side_by_side(name: str, way: Way, seed: int) -> None:
    """In whatever order the rounds go on."""
    ids = way.ids
    events = stream(SIDE_BY_SIDE[name], way, seed)
    turn = fold_all(events)
    assert len(turn.nodes or ()) == sum(isinstance(one, ev.NodeStarted | ev.LoopStarted | ev.IterationStarted) for one in events)
    assert all(ran == told for ran, told in seen(turn, runs=ids == "own"))
    assert set(run_of_each(turn).values()) == {1}
    rounds = {node.node_id: {one.index for one in node.rounds} for node in turn.nodes or () if node.kind != "node"}
    assert all(found == set(range(len(found))) and len(found) > 1 for found in rounds.values())
    one_by_one = Turn()
    for event in events:
        one_by_one = fold(one_by_one, event)
    assert one_by_one.nodes == turn.nodes


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("names", ["all", "inner", "dify"])
@pytest.mark.parametrize("name", SIDE_BY_SIDE)
def test_where_little_is_told_nothing_merges(name: str, names: str, seed: int) -> None:
    """Containers with the node's id that do not say where they lie, and nodes that name one container alone."""
    events = stream(SIDE_BY_SIDE[name], Way("node", outer=False, names=names), seed)
    turn = fold_all(events)
    assert len(turn.nodes or ()) == sum(isinstance(one, ev.NodeStarted | ev.LoopStarted | ev.IterationStarted) for one in events)
    ended = [node.outputs for node in turn.nodes or ()]
    assert len({str(one) for one in ended}) == len(ended), "each ends with its own outputs"
    inner = [node for node in turn.nodes or () if node.kind == "node"]
    assert all(node.parent is not None for node in inner)
    assert all(str(node.round) == node.outputs["path"].rpartition(".")[2] for node in inner)


def test_a_timeline_nests_as_they_ran() -> None:
    box = IN_ORDER["three deep"]
    (rows,) = groups(fold_all(stream(box, Way("node", outer=False))))
    shown = [(row.depth, row.node.node_id) for row in rows if row.node is not None]
    round_of_loop = [(2, "deep"), *[(3, "a"), (3, "b")] * 2, (2, "c")]
    round_of_it = [(1, "lp"), *round_of_loop * 2, (1, "d")]
    assert shown == [(0, "it"), *round_of_it * 2]


def test_rounds_that_begin_while_others_run_are_not_taken_for_them() -> None:
    """Not all announced before: the second begins while the first one's loop runs."""
    def at(kind: Any, number: int, **more: Any) -> ev.Event:
        own = {"id": "lp", "node_id": "lp", "iteration_id": "it", "execution_metadata": {"iteration_id": "it", "iteration_index": number}}
        return kind(data={**own, **more})  # type: ignore[no-any-return]

    def inner(kind: Any, number: int, **more: Any) -> ev.Event:
        meta = {"iteration_id": "it", "iteration_index": number, "loop_id": "lp", "loop_index": 0}
        return kind(data={"id": f"n{number}", "node_id": "n", "loop_id": "lp", "execution_metadata": meta, **more})  # type: ignore[no-any-return]

    turn = fold_all([
        ev.IterationStarted(data={"id": "it", "node_id": "it"}),
        ev.IterationNext(data={"node_id": "it", "index": 0}), at(ev.LoopStarted, 0),
        ev.IterationNext(data={"node_id": "it", "index": 1}), at(ev.LoopStarted, 1),
        inner(ev.NodeStarted, 1), inner(ev.NodeStarted, 0), inner(ev.NodeFinished, 0), inner(ev.NodeFinished, 1),
        at(ev.LoopCompleted, 1, outputs=1), at(ev.LoopCompleted, 0, outputs=0),
    ])  # fmt: skip
    assert [(one.id, one.parent, one.round, one.outputs) for one in turn.nodes or ()] == [
        ("it", None, None, None), ("lp", "it", 0, 0), ("lp#2", "it", 1, 1), ("n1", "lp#2", 0, None), ("n0", "lp", 0, None),
    ]  # fmt: skip


@pytest.mark.parametrize("version", ["0.15.3", "1.12.1"])
def test_a_recorded_parallel_iteration_tells_each_round(version: str) -> None:
    """The old server names a round when it is over, the newer one where a node ends."""
    body = load()[f"{version}/chat-messages__iterfail-parallel-streaming"].body
    turn = fold_all([decode(frame) for frame in frames([body])])
    box = next(node for node in turn.nodes or () if node.kind == "iteration")
    ran = {node.inputs["p"]: (node.parent, node.round) for node in turn.nodes or () if node.node_id == "codeb"}
    assert ran == {"/ok1": (box.id, 0), "/status/500": (box.id, 1), "/ok2": (box.id, 2)}
    assert box.parallel


def test_a_node_that_never_ends_has_no_round_that_nobody_told() -> None:
    turn = fold_all([
        ev.IterationStarted(data={"node_id": "it", "metadata": {"iteration_length": 2}}),
        *(ev.IterationNext(data={"node_id": "it", "index": index}) for index in range(2)),
        *(ev.NodeStarted(data={"id": f"r{n}", "node_id": "n", "iteration_id": "it"}) for n in range(2)),
    ])  # fmt: skip
    assert [(one.id, one.parent, one.round) for one in turn.nodes or ()] == [("it", None, None), ("r0", "it", None), ("r1", "it", None)]


@pytest.mark.parametrize("way", [Way("node", outer=False, names="dify"), Way("own"), Way("none")], ids=str)
def test_their_streams_take_time_linear_in_them(way: Way) -> None:
    def many(n: int) -> list[ev.Event]:
        return stream(Box("iteration", "it", (Box("loop", "lp", ("a",)),), rounds=n, parallel=True), way)

    assert growth(many, fold_all, 100) <= MOST


def test_any_order_of_their_events_is_taken() -> None:
    """Events lost and out of order: nothing is raised, and what the law folds is what the builder folds."""
    rng = random.Random(3)
    for seed in range(60):
        box = rng.choice([*IN_ORDER.values(), *SIDE_BY_SIDE.values()])
        events = stream(box, Way(rng.choice(["own", "node", "none"]), rng.random() < 0.5, rng.choice(["all", "dify", "inner"])), seed)
        events = rng.sample(events, rng.randrange(1, len(events)))
        turn = fold_all(events)
        parents = {node.id: node.parent for node in turn.nodes or ()}
        for node in parents:
            way: list[str | None] = [node]
            while way[-1] is not None:
                assert len(way) <= len(parents) + 1, "no run lies in itself"
                way.append(parents.get(way[-1]))
