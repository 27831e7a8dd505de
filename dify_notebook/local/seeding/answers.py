"""What the built-in apps really answer, gathered once for each thread instead of once for each message.

An answer of a seeded history is the one that the app of this version gives; only ids and times are made up.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from ..apps.catalog import APPS
from ..run import Run
from ..store import Row, Store
from ..tools.clock import NOW
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

    def write_thought(self, message: str, thought: Row) -> None:
        self.thoughts[thought["id"]] = dict(thought)

    def write_node(self, message: str, data: Row) -> None:
        self.nodes.append(data)

    async def finish(self, message: str, **kept: Any) -> None:
        self.kept = kept


def play(threads: list[Thread], now: datetime) -> dict[Thread, tuple[Answer, ...]]:
    """Ask the apps every question of these threads, each in its conversation, as if it were that moment.

    Runs a loop of its own on a thread of its own, so it may be called where one is running.
    """
    from concurrent.futures import ThreadPoolExecutor

    async def ask() -> dict[Thread, tuple[Answer, ...]]:
        NOW.set(now)
        return {thread: await _play(thread) for thread in threads}

    with ThreadPoolExecutor(1, thread_name_prefix="dify_notebook-seed") as pool:
        return pool.submit(lambda: asyncio.run(ask())).result()


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
        kept = listener.kept
        if kept["state"] != "done":
            raise RuntimeError(f"{thread.app} does not answer {question!r}: {kept['error']}")
        variables = dict(kept["variables"])
        answers.append(
            Answer(
                text=kept["answer"],
                usage=kept["usage"],
                resources=tuple(kept["resources"]),
                resources_json=json.dumps(list(kept["resources"]), ensure_ascii=False, separators=(",", ":")),
                thoughts=tuple(listener.thoughts.values()),
                nodes=tuple(listener.nodes),
                workflow_run=kept["workflow_run"],
                variables=variables,
            )
        )
        history.append({"query": question})
    return tuple(answers)
