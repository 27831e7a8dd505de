"""Types of nodes that ask a model or search texts: llm, question-classifier, knowledge-retrieval."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...text import without_thoughts
from ..graph.node import Names, NodeContext, NodeType
from ..graph.result import NodeFailed, NodeRunResult
from ..knowledge import Knowledge, search
from ..messages import earlier_messages, user_message
from ..models.model import Model, ModelFailed, Reply
from ..search.resources import node_result
from ..template import Selector, Template, shown, walk
from .reasoning import Reasoning

CONTEXT: Selector = ("context",)


@dataclass(frozen=True)
class Llm(NodeType):
    """llm: asks the app's model; its text can be sent while it is being made."""

    model: Model
    system: Template | None
    user: Template
    context: Selector | None
    memory: bool
    separated: bool = False
    """Whether reasoning is told apart from the text."""

    async def run(self, context: NodeContext) -> NodeRunResult:
        (passages, messages), _ = await context.run.work(self._messages, context)
        tell = partial(context.on_text, "text")
        reasoning = Reasoning(context.run, context.node_id, tell) if self.separated else None
        reply, process = await _ask(self.model, messages, "LLMNodeError", tell if reasoning is None else reasoning.add)
        if reasoning is not None:
            reasoning.finish()
        outputs = {
            "text": reply.text if reasoning is None else reasoning.text,
            "reasoning_content": "" if reasoning is None else reasoning.thought,
            "usage": process["usage"],
            "finish_reason": reply.finish_reason,
        }
        return NodeRunResult(outputs, {"#context#": passages} if self.context else {}, process, reply.meter)

    def _messages(self, context: NodeContext) -> tuple[str, list[dict[str, Any]]]:
        """The passages as text, and what the model is told."""
        passages = _passages(context.pool.get(self.context)) if self.context else ""

        def look_up(selector: Selector) -> Any:
            return passages if selector == CONTEXT else context.pool.get(selector)

        messages: list[dict[str, Any]] = []
        if self.system is not None:
            messages.append({"role": "system", "content": self.system.render(look_up, shown)})
        if self.memory:
            messages += earlier_messages(context.run)
        messages.append(user_message(context.run, self.user.render(look_up, shown), vision=self.model.vision))
        return passages, messages

    def needs(self) -> Iterable[Selector]:
        if self.context:
            yield self.context
        for template in (self.system, self.user):
            if template is not None:
                yield from (needed for needed in template.needs() if not (self.context and needed == CONTEXT))

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


def _passages(value: Any) -> str:
    if isinstance(value, list):
        return "\n\n".join(shown(walk(item, ("content",))) if isinstance(item, dict) else shown(item) for item in value)
    return shown(value)


def _prompt(message: dict[str, Any]) -> dict[str, Any]:
    content = message["content"]
    if isinstance(content, list):
        content = "\n".join(part["text"] for part in content if part["type"] == "text")
    return {"role": message["role"], "text": content, "files": []}


@dataclass(frozen=True)
class QuestionClass:
    """One class of questions."""

    id: str
    name: str


@dataclass(frozen=True)
class QuestionClassifier(NodeType):
    """question-classifier: the model says which of some classes a question is of."""

    model: Model
    query: Template
    classes: tuple[QuestionClass, ...]
    instruction: Template | None
    branches = True

    async def run(self, context: NodeContext) -> NodeRunResult:
        query = context.render(self.query)
        categories = [{"category_id": known.id, "category_name": known.name} for known in self.classes]
        lines = [
            "Decide to which one of these categories the user's text belongs:",
            json.dumps(categories, ensure_ascii=False),
        ]
        if self.instruction is not None:
            lines.append(context.render(self.instruction))
        lines.append('Answer with JSON alone, such as {"category_id": "' + self.classes[0].id + '"}.')
        messages = [{"role": "system", "content": "\n".join(lines)}, {"role": "user", "content": query}]
        reply, process = await _ask(self.model, messages, "QuestionClassifierNodeError")
        chosen = self._chosen(reply)
        outputs = {"class_name": chosen.name, "class_id": chosen.id, "usage": process["usage"]}
        return NodeRunResult(outputs, {"query": query}, process, reply.meter, edge_source_handle=chosen.id)

    def _chosen(self, reply: Reply) -> QuestionClass:
        """By id in JSON, else by the id or name that stands in the text; else the first, as Dify has it."""
        text = without_thoughts(reply.text)
        match = re.search(r"\{[^{}]*\}", text)
        try:
            reply_json = json.loads(match.group()) if match else {}
        except ValueError:
            reply_json = {}
        for known in self.classes:
            if str(reply_json.get("category_id")) == known.id or reply_json.get("category_name") == known.name:
                return known
        low = text.casefold()
        for known in self.classes:
            if re.search(rf"(?<!\w){re.escape(known.id.casefold())}(?!\w)", low) or known.name.casefold() in low:
                return known
        return self.classes[0]

    def needs(self) -> Iterable[Selector]:
        yield from self.query.needs()
        if self.instruction is not None:
            yield from self.instruction.needs()

    def outputs(self) -> Names:
        return frozenset({"class_name", "class_id", "usage"})

    def handles(self) -> Iterable[str]:
        return [known.id for known in self.classes]


@dataclass(frozen=True)
class KnowledgeRetrieval(NodeType):
    """knowledge-retrieval: passages of the app's text files."""

    knowledge: tuple[Knowledge, ...]
    query: Template
    top_k: int
    score_threshold: float
    """From 0 to 1."""

    async def run(self, context: NodeContext) -> NodeRunResult:
        query = context.render(self.query)
        passages, _ = await context.run.work(
            search, self.knowledge, query, self.top_k, self.score_threshold, "workflow"
        )
        # Counted on from what others found meanwhile: two of these may run at the same time.
        already = len(context.run.resources)
        resources = [{**passage, "position": already + at} for at, passage in enumerate(passages, start=1)]
        context.run.resources.extend(resources)
        return NodeRunResult({"result": node_result(resources)}, {"query": query})

    def needs(self) -> Iterable[Selector]:
        return self.query.needs()

    def outputs(self) -> Names:
        return frozenset({"result"})
