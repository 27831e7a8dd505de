"""Kinds of nodes that ask a model or search texts: llm, question-classifier, knowledge-retrieval."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..text import without_thoughts
from .knowledge import Knowledge, search
from .models.model import Model, ModelFailed, Reply
from .node import Names, NodeFailed, Place, Result, Work
from .prompting import earlier, question
from .search.resources import node_result
from .template import Selector, Template, shown, walk

CONTEXT: Selector = ("context",)


@dataclass(frozen=True)
class Llm(Work):
    """llm: asks the app's model; its text can be sent while it is being made."""

    model: Model
    system: Template | None
    user: Template
    context: Selector | None
    memory: bool
    streams = True

    async def do(self, place: Place) -> Result:
        (context, messages), _ = await place.run.work(self._asked, place)
        told = partial(place.flow.stream, place, "text")
        reply, process = await _ask(self.model, messages, "LLMNodeError", told)
        outputs = {
            "text": reply.text,
            "reasoning_content": "",
            "usage": process["usage"],
            "finish_reason": reply.finish_reason,
        }
        return Result(outputs, {"#context#": context} if self.context else {}, process, reply.meter)

    def _asked(self, place: Place) -> tuple[str, list[dict[str, Any]]]:
        """The context, and what the model is told."""
        context = _context(place.pool.get(self.context)) if self.context else ""

        def look_up(selector: Selector) -> Any:
            return context if selector == CONTEXT else place.pool.get(selector)

        messages: list[dict[str, Any]] = []
        if self.system is not None:
            messages.append({"role": "system", "content": self.system.render(look_up, shown)})
        if self.memory:
            messages += earlier(place.run)
        messages.append(question(place.run, self.user.render(look_up, shown), vision=self.model.vision))
        return context, messages

    def needs(self) -> Iterable[Selector]:
        if self.context:
            yield self.context
        for template in (self.system, self.user):
            if template is not None:
                yield from (one for one in template.needs() if not (self.context and one == CONTEXT))

    def outputs(self) -> Names:
        return frozenset({"text", "reasoning_content", "usage", "finish_reason"})


async def _ask(
    model: Model, messages: list[dict[str, Any]], failure: str, tell: Callable[[str], None] = lambda text: None
) -> tuple[Reply, dict[str, Any]]:
    """What a model says, and the node's process data.

    Raises:
        NodeFailed: of that kind.
    """
    try:
        reply = await model.ask(messages, tell)
    except ModelFailed as problem:
        raise NodeFailed(str(problem), failure) from None
    process = {
        "model_mode": "chat",
        "prompts": [_prompt(message) for message in messages],
        "usage": reply.usage(),
        "finish_reason": reply.finish_reason,
        "model_provider": model.backend.provider,
        "model_name": model.name,
    }
    reply.meter.latency = reply.latency
    return reply, process


def _context(found: Any) -> str:
    if isinstance(found, list):
        return "\n\n".join(shown(walk(one, ("content",))) if isinstance(one, dict) else shown(one) for one in found)
    return shown(found)


def _prompt(message: dict[str, Any]) -> dict[str, Any]:
    content = message["content"]
    if isinstance(content, list):
        content = "\n".join(part["text"] for part in content if part["type"] == "text")
    return {"role": message["role"], "text": content, "files": []}


@dataclass(frozen=True)
class Class:
    """One kind of question."""

    id: str
    name: str


@dataclass(frozen=True)
class Classify(Work):
    """question-classifier: the model says which of some kinds a question is of."""

    model: Model
    query: Template
    classes: tuple[Class, ...]
    instruction: Template | None
    branches = True

    async def do(self, place: Place) -> Result:
        asked = place.fill(self.query)
        kinds = [{"category_id": one.id, "category_name": one.name} for one in self.classes]
        lines = [
            "Decide to which one of these categories the user's text belongs:",
            json.dumps(kinds, ensure_ascii=False),
        ]
        if self.instruction is not None:
            lines.append(place.fill(self.instruction))
        lines.append('Answer with JSON alone, such as {"category_id": "' + self.classes[0].id + '"}.')
        messages = [{"role": "system", "content": "\n".join(lines)}, {"role": "user", "content": asked}]
        reply, process = await _ask(self.model, messages, "QuestionClassifierNodeError")
        chosen = self._chosen(reply)
        outputs = {"class_name": chosen.name, "class_id": chosen.id, "usage": process["usage"]}
        return Result(outputs, {"query": asked}, process, reply.meter, branch=chosen.id)

    def _chosen(self, reply: Reply) -> Class:
        """By id in JSON, else by the id or name that stands in the text; else the first, as Dify has it."""
        text = without_thoughts(reply.text)
        found = re.search(r"\{[^{}]*\}", text)
        try:
            told = json.loads(found.group()) if found else {}
        except ValueError:
            told = {}
        for one in self.classes:
            if str(told.get("category_id")) == one.id or told.get("category_name") == one.name:
                return one
        low = text.casefold()
        for one in self.classes:
            if re.search(rf"(?<!\w){re.escape(one.id.casefold())}(?!\w)", low) or one.name.casefold() in low:
                return one
        return self.classes[0]

    def needs(self) -> Iterable[Selector]:
        yield from self.query.needs()
        if self.instruction is not None:
            yield from self.instruction.needs()

    def outputs(self) -> Names:
        return frozenset({"class_name", "class_id", "usage"})

    def handles(self) -> Iterable[str]:
        return [one.id for one in self.classes]


@dataclass(frozen=True)
class Retrieve(Work):
    """knowledge-retrieval: passages of the app's text files."""

    knowledge: tuple[Knowledge, ...]
    query: Template
    most: int
    least: float

    async def do(self, place: Place) -> Result:
        query = place.fill(self.query)
        found, _ = await place.run.work(search, self.knowledge, query, self.most, self.least, "workflow")
        # Counted on from what others found meanwhile: two of these may run at the same time.
        already = len(place.run.resources)
        resources = [{**one, "position": already + at} for at, one in enumerate(found, start=1)]
        place.run.resources.extend(resources)
        return Result({"result": node_result(resources)}, {"query": query})

    def needs(self) -> Iterable[Selector]:
        return self.query.needs()

    def outputs(self) -> Names:
        return frozenset({"result"})
