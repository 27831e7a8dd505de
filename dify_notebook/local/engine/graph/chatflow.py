"""A chatflow: its graph, run once for each question."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..models.model import Prices
from ..run import Run, RunFailed
from .events import WorkflowEvents
from .graph import Graph
from .graph_run import GraphRun
from .variable_pool import VariablePool


def chatflow(graph: Graph, prices: Prices) -> Callable[[Run], Awaitable[None]]:
    """What answers a question to a declared app with this graph."""

    async def answer(run: Run) -> None:
        run.meter = prices.meter()
        run.meter.latency = 0.0
        # Models and other servers may take their time: they are cancelled when the user stops.
        await run.unless_stopped(run_graph(run, graph))

    return answer


async def run_graph(run: Run, graph: Graph) -> None:
    """Answer a question by a graph.

    Raises:
        RunFailed: a node failed, and the run with it.
        Stopped: by the user, when a node tells something, pauses or works in a thread.
    """
    events = WorkflowEvents(run)
    system = {name.removeprefix("sys."): value for name, value in events.inputs.items() if name.startswith("sys.")}
    pool = VariablePool()
    pool.put("sys", {**system, "conversation_id": run.conversation_id})
    pool.put("conversation", run.variables)
    events.start()
    try:
        await GraphRun(run, events, graph, pool).execute()
    except RunFailed:
        events.failures += 1
        raise
    events.answered(run.answer)
