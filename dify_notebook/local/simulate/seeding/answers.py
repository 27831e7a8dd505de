"""What the built-in apps really answer, asked once for each thread instead of once for each message.

An answer of a seeded history is the one that the app of this version gives; only ids and times are made up.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from ...apps.catalog import APPS
from ...engine.run import Run
from ...engine.tools.clock import NOW
from ...store.store import Row, Store, as_json
from .threads import Thread


@dataclass(frozen=True)
class Answer:
    """What an app said to one question, and what it did for that."""

    text: str
    usage: Row
    resources: tuple[Row, ...]
    resources_json: str
    """The same as it is stored; written once, since many messages have the same."""
    thoughts: tuple[Row, ...]
    nodes: tuple[Row, ...]
    workflow_run: Row | None
    variables: Row
    """Conversation variables after it."""

    @property
    def found(self) -> bool:
        """Whether the app had something to say: a passage, a tool or a list."""
        return bool(self.resources or self.nodes or any(thought["tool"] for thought in self.thoughts))

    @property
    def tools(self) -> int:
        """Number of tool calls."""
        return sum(1 for thought in self.thoughts if thought["tool"])

    @property
    def items(self) -> int:
        """Number of list items that a pipeline worked through."""
        return sum(len(node["outputs"]["output"]) for node in self.nodes if node["node_type"] == "iteration")


@dataclass
class _Listener:
    """Stands where a run writes down what it does."""

    thoughts: dict[str, Row] = field(default_factory=dict)
    nodes: list[Row] = field(default_factory=list)
    kept: Row = field(default_factory=dict)

    def write_partial(self, message: str, answer: str) -> None:
        """The whole answer comes at the end."""

    def write_run(self, message: str, run: Row) -> None:
        """Its end says all of it."""

    def write_thought(self, message: str, thought: Row) -> None:
        self.thoughts[thought["id"]] = dict(thought)

    def write_node(self, message: str, data: Row) -> None:
        self.nodes.append(data)

    async def finish(self, message: str, **fields: Any) -> None:
        self.kept = fields


class Answers:
    """What the apps say to threads of questions; each thread is asked once, when it is first wanted.

    They answer on a thread with a loop of its own, so this may be used where one is running. A context manager.

    Args:
        now: the moment that it is for the tools.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="dify_notebook-seed")
        self._known: dict[Thread, tuple[Answer, ...]] = {}

    def __enter__(self) -> Answers:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()

    def of(self, thread: Thread) -> tuple[Answer, ...]:
        """An answer for each question of the thread."""
        if thread not in self._known:
            self._known[thread] = self._pool.submit(self._ask, thread).result()
        return self._known[thread]

    def _ask(self, thread: Thread) -> tuple[Answer, ...]:
        token = NOW.set(self._now)
        try:
            return asyncio.run(_play(thread))
        finally:
            NOW.reset(token)


async def _play(thread: Thread) -> tuple[Answer, ...]:
    app = APPS[thread.app]
    variables: Row = {variable.name: variable.value for variable in app.variables}
    history: list[Row] = []
    answers = []
    for number, question in enumerate(thread.questions, start=1):
        listener = _Listener()
        run = Run(
            app=app,
            store=cast("Store", listener),  # a run calls nothing else of it
            user="",
            end_user="",
            conversation={"id": "", "dialogue_count": number},
            message_id="",
            query=question,
            inputs={control.variable: None for control in app.form},
            history=tuple(history),
            uploads=(),
            variables=dict(variables),
            pace=0,
            auto_name=False,
            events=None,
        )
        await run.drive()
        finished = listener.kept
        if finished["state"] != "done":
            raise RuntimeError(f"{thread.app} does not answer {question!r}: {finished['error']}")
        variables = {**variables, **finished["variables"]}
        answers.append(
            Answer(
                text=finished["answer"],
                usage=finished["usage"],
                resources=tuple(finished["resources"]),
                resources_json=as_json(list(finished["resources"])),
                thoughts=tuple(listener.thoughts.values()),
                nodes=tuple(listener.nodes),
                workflow_run=finished["workflow_run"],
                variables=variables,
            )
        )
        history.append({"query": question})
    return tuple(answers)
