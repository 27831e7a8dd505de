"""A chatflow or a workflow app: its graph, run once for each question."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ...store.store import Row
from ..models.model import Prices
from ..pausing import Paused
from ..run import STEP_PAUSE, Run, RunFailed
from .events import WorkflowEvents
from .graph import Graph
from .graph_run import GraphRun
from .variable_pool import VariablePool


def chatflow(graph: Graph, prices: Prices) -> Callable[[Run], Awaitable[None]]:
    """What answers a question to a declared app with this graph."""

    async def answer(run: Run) -> None:
        spent, run.meter = run.meter, prices.meter()
        run.meter.latency = 0.0
        run.meter.add(spent)  # before the run waited for a person, if it did
        # Models and other servers may take their time: they are cancelled when the user stops.
        await run.unless_stopped(run_graph(run, graph))

    return answer


async def run_graph(run: Run, graph: Graph) -> None:
    """Answer a question by a graph.

    Raises:
        RunFailed: a node failed, and the run with it.
        Paused: nothing is left to do but what a person decides.
        Stopped: by the user, when a node tells something, pauses or works in a thread.
    """
    if run.resumption is not None:
        await _resume(run, graph, run.resumption.state)
        return
    events = WorkflowEvents(run)
    system = {name.removeprefix("sys."): value for name, value in events.inputs.items() if name.startswith("sys.")}
    pool = VariablePool()
    if run.conversation is None:
        pool.put("sys", {**system, "timestamp": run.created_at})
    else:
        pool.put("sys", {**system, "conversation_id": run.conversation_id})
        pool.put("conversation", run.variables)
    events.start()
    await _execute(run, events, GraphRun(run, events, graph, pool))


async def _resume(run: Run, graph: Graph, state: Row) -> None:
    """Go on where the run waited for a person."""
    events = WorkflowEvents(run, state["workflow"])
    pool = VariablePool()
    for owner, values in state["pool"].items():
        pool.put(owner, values)
    if run.conversation is not None:
        pool.put("conversation", run.variables)
    graph_run = GraphRun(run, events, graph, pool)
    missing = [name for name in run.resumption.waiting if name not in graph.nodes] if run.resumption else []
    events.attach()
    await run.pause(STEP_PAUSE)  # who answered has the time to follow it
    events.start("resumption")
    if missing:  # the app was declared anew meanwhile
        events.failures += 1
        raise RunFailed(f"Run failed: the app has no node {missing[0]} any more", "invalid_param")
    graph_run.restore(state)
    await _execute(run, events, graph_run)


async def _execute(run: Run, events: WorkflowEvents, graph_run: GraphRun) -> None:
    try:
        await graph_run.execute()
    except RunFailed:
        events.failures += 1
        raise
    events.come_to()
    if graph_run.waiting:
        forms = list(graph_run.waiting.values())
        raise Paused({**graph_run.row(), "workflow": events.row()}, forms, events.paused())
