"""A declared chatflow: its graph, run once for each question."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from .answer_stream import AnswerStream
from .flow import Course, Flow
from .graph import Graph
from .models.model import Prices
from .run import Run
from .variable_pool import VariablePool
from .workflow import Workflow


def chatflow(graph: Graph, prices: Prices) -> Callable[[Run], Awaitable[None]]:
    """What answers a question to an app with this graph."""

    async def answer(run: Run) -> None:
        run.meter = prices.meter()
        run.meter.latency = 0.0
        teller = Workflow(run, run.inputs)
        pool = VariablePool()
        pool.put("sys", _system(run, teller))
        pool.put("conversation", run.variables)

        def speaker(course: Course) -> AnswerStream:
            return AnswerStream(run, course)

        teller.start()
        await run.heed(Flow(run, teller, graph, speaker).execute(pool))
        teller.answered(run.answer)

    return answer


def _system(run: Run, teller: Workflow) -> dict[str, object]:
    known = {name.removeprefix("sys."): value for name, value in teller.inputs.items() if name.startswith("sys.")}
    return {**known, "conversation_id": run.conversation_id}
