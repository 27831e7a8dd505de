"""Types of nodes that give what a run comes to: the answer of a chatflow, the outputs of a workflow app."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..graph.node import Names, NodeContext, NodeType
from ..graph.result import NodeRunResult
from ..template import Part, Placeholder, Selector, Template, shown_in_answer, shown_in_output


@dataclass(frozen=True)
class Answer(NodeType):
    """A part of the answer; what it says is sent by `AnswerStream` as soon as it is known."""

    template: Template

    async def run(self, context: NodeContext) -> NodeRunResult:
        text = self.template.render(context.pool.get, shown_in_answer)
        return NodeRunResult({"answer": text, "files": []})

    def needs(self) -> Iterable[Selector]:
        return self.template.needs()

    def outputs(self) -> Names:
        return frozenset({"answer", "files"})

    def answer(self) -> Template:
        return self.template


@dataclass(frozen=True)
class End(NodeType):
    """end: values of other nodes under the names that the run gives them; their text is sent by `AnswerStream`."""

    values: Mapping[str, Selector]

    async def run(self, context: NodeContext) -> NodeRunResult:
        outputs = {name: context.pool.get(selector) for name, selector in self.values.items()}
        return NodeRunResult(outputs, dict(outputs))

    def needs(self) -> Iterable[Selector]:
        return self.values.values()

    def outputs(self) -> Names:
        return frozenset(self.values)

    def answer(self) -> Template:
        return Template(tuple(self._parts()))

    def _parts(self) -> Iterator[Part]:
        for at, selector in enumerate(self.values.values()):
            if at:
                yield "\n"
            yield Placeholder(selector)

    def shows(self, value: Any) -> str:
        return shown_in_output(value)
