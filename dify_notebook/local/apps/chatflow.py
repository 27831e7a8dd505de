"""A declared chatflow: its graph, run once for each question."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..engine.flow import Course, Flow
from ..engine.graph import Graph
from ..engine.pool import Pool
from ..engine.speaking import Speaker
from ..models.model import Prices
from ..run import Run
from .workflow import Workflow


def chatflow(graph: Graph, prices: Prices) -> Callable[[Run], Awaitable[None]]:
    """What answers a question to an app with this graph."""

    async def answer(run: Run) -> None:
        run.meter = prices.meter()
        run.meter.latency = 0.0
        teller = Workflow(run, run.inputs)
        pool = Pool()
        pool.put("sys", _system(run, teller))
        pool.put("conversation", run.variables)

        def speaker(course: Course) -> Speaker:
            return Speaker(run, course)

        teller.start()
        await run.heed(Flow(run, teller, graph, speaker).execute(pool))
        teller.answered(run.answer)

    return answer


def _system(run: Run, teller: Workflow) -> dict[str, object]:
    known = {name.removeprefix("sys."): value for name, value in teller.inputs.items() if name.startswith("sys.")}
    return {**known, "conversation_id": run.conversation_id}
