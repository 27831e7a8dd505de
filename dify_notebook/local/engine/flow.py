"""Runs a checked graph: each node as soon as those before it are done, several at once where ways part.

A way is taken or not taken; a node runs when all ways to it are decided and one of them is taken, and is
left out when none is. So branches that exclude each other may meet again behind.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .graph import FAILED, ON, Graph, Node
from .node import NodeFailed, Place, Result
from .run import RunFailed
from .variable_pool import VariablePool

if TYPE_CHECKING:
    from .answer_stream import AnswerStream
    from .run import Run
    from .workflow import Workflow


class Flow:
    """One run of a chatflow."""

    def __init__(self, run: Run, teller: Workflow, graph: Graph, speaker: Callable[[Course], AnswerStream]) -> None:
        self.run = run
        self._graph = graph
        self.teller = teller
        self._make_speaker = speaker
        self._speaker: AnswerStream | None = None

    async def execute(self, pool: VariablePool) -> None:
        """Run the whole.

        Raises:
            RunFailed: a node failed and had no way on.
            Stopped: by the user.
        """
        course = Course(self, self._graph, pool)
        self._speaker = self._make_speaker(course)
        try:
            await course.run()
        except RunFailed:
            self.teller.failures += 1
            raise

    def stream(self, place: Place, name: str, text: str) -> None:
        """A piece of a node's text, while it is being made.

        What is made in a box is sent later, whole; and so is what may be made anew, since a text that was
        said cannot be taken back.
        """
        if self._speaker is not None and place.box is None and self._final(place.node):
            self._speaker.heard((place.node, name), text)

    def _final(self, node: str) -> bool:
        made = self._graph.nodes[node]
        return made.tries == 0 and made.on_error != "default-value"

    def moved(self, course: Course) -> None:
        """Something was decided: perhaps more of the answer can be said."""
        if self._speaker is not None and course.box is None:
            self._speaker.speak()


class Course:
    """One passage through a graph: the whole one, or a round of a box."""

    def __init__(
        self,
        flow: Flow,
        graph: Graph,
        pool: VariablePool,
        box: str | None = None,
        kind: str | None = None,
        index: int | None = None,
    ) -> None:
        self.flow = flow
        self.graph = graph
        self.pool = pool
        self.box, self.kind, self.index = box, kind, index
        self.done: set[str] = set()
        self.skipped: set[str] = set()
        self._taken: dict[tuple[str, str, str], bool] = {}
        """(node, handle, following node) of each way that is decided."""
        self._begun: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def taken(self, node: str, handle: str, follower: str) -> bool | None:
        """Whether a way is taken; None while that is not decided."""
        return self._taken.get((node, handle, follower))

    async def run(self) -> None:
        """From the roots to the ends. Raises: RunFailed, Stopped."""
        for root in self.graph.roots:
            self._begin(root)
        try:
            while self._tasks:
                done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                self._tasks -= done
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, name: str) -> None:
        self._tasks.add(asyncio.get_running_loop().create_task(self._node(self.graph.nodes[name])))

    async def _node(self, node: Node) -> None:
        place = Place(self.flow, self.pool, node.id, self.box, self.kind, self.index)
        result = await (self._told(node, place) if node.work.told else self._boxed(node, place))
        self._after(node, result)

    async def _boxed(self, node: Node, place: Place) -> Result:
        """A box tells of itself."""
        if self.box is None:
            self.flow.teller.steps += 1
        try:
            result = await node.work.do(place)
        except NodeFailed as failure:
            raise RunFailed(f"Run failed: {failure}", "invalid_param") from None
        self.pool.put(node.id, result.outputs)
        return result

    async def _told(self, node: Node, place: Place) -> Result:
        """Any other node: start, tries, end."""
        teller = self.flow.teller
        step = teller.open(
            node.id,
            node.type,
            node.title,
            iteration=self.box if self.kind == "iteration" else None,
            loop=self.box if self.kind == "loop" else None,
            index=self.index,
            counted=self.box is None,
        )
        begun = time.perf_counter()
        tried = 0
        while True:
            since = time.perf_counter()
            try:
                result = await node.work.do(place)
                break
            except NodeFailed as failure:
                failed = Result({}, process_data=failure.process_data)
                if tried < node.tries:
                    tried += 1
                    teller.failures += 1
                    teller.steps += 1
                    step.retry(failed, time.perf_counter() - since, str(failure), tried)
                    await asyncio.sleep(node.interval)
                    continue
                seconds = time.perf_counter() - begun
                if node.on_error is None:
                    step.finish(failed, seconds, status="failed", error=str(failure))
                    raise RunFailed(f"Run failed: {failure}", "invalid_param") from None
                teller.exceptions += 1
                told = {"error_message": str(failure), "error_type": failure.kind}
                default = node.default if node.on_error == "default-value" else {}
                failed.outputs = {**default, **told}
                failed.branch = FAILED if node.on_error == FAILED else None
                self.pool.put(node.id, failed.outputs)
                # The real one says no more than this here; the text is in the outputs.
                step.finish(
                    failed,
                    seconds,
                    status="exception",
                    error="Unknown error",
                    metadata={"error_strategy": node.on_error},
                )
                return failed
        if node.type != "start":
            self.pool.put(node.id, result.outputs)
        step.finish(result, time.perf_counter() - begun, status="succeeded", metadata=result.metadata)
        if node.type == "answer":
            self.flow.moved(self)
            teller.answered(self.flow.run.answer)
            teller.partial = True
        return result

    def _after(self, node: Node, result: Result) -> None:
        """Decide the ways on, and go them."""
        self.done.add(node.id)
        chosen = result.branch or ON
        decided = [(handle, follower) for handle, follower in node.edges()]
        for handle, follower in decided:
            self._taken[node.id, handle, follower] = handle == chosen
        for _, follower in decided:
            self._look_at(follower)
        self.flow.moved(self)

    def _look_at(self, name: str) -> None:
        """Run a node, or leave it out, once that is decided."""
        if name in self.skipped or name in self.done:
            return
        ways = [self._taken.get((earlier, handle, name)) for earlier, handle in self.graph.before[name]]
        if any(way is None for way in ways):
            return
        if any(ways):
            if name not in self._begun:
                self._begun.add(name)
                self._begin(name)
            return
        self.skipped.add(name)
        for handle, follower in self.graph.nodes[name].edges():
            self._taken[name, handle, follower] = False
            self._look_at(follower)
