"""A declared chat or completion app: a prompt, perhaps text files to look things up in, and a model that answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .knowledge import Knowledge, search
from .messages import earlier_messages, user_message
from .models.model import Message, Model, ModelFailed, Reply
from .run import Run, RunFailed
from .template import Template, shown, walk


@dataclass(frozen=True)
class Prompt:
    """What stands before the conversation in the messages to a chat or agent app's model, or is a completion's."""

    template: Template | None
    knowledge: tuple[Knowledge, ...] = ()
    top_k: int = 4
    """Passages at most."""
    score_threshold: float = 0.0
    """Score, from 0 to 1, below which a passage is left out."""
    about: str | None = None
    """The input that is looked up; None looks up the question."""

    async def messages(self, run: Run, model: Model) -> list[dict[str, Any]]:
        """The prompt with the inputs filled in and what was looked up, earlier messages, the question."""
        messages, _ = await run.work(self._messages, run, model)
        return messages

    async def completed(self, run: Run, model: Model) -> list[dict[str, Any]]:
        """The one message of a completion: the prompt with the inputs filled in, or what was sent in its place."""
        messages, _ = await run.work(self._completed, run, model)
        return messages

    def _messages(self, run: Run, model: Model) -> list[dict[str, Any]]:
        messages = self._system([self._filled(run), *self._passages(run, run.query)])
        return [*messages, *earlier_messages(run), user_message(run, run.query, vision=model.vision)]

    def _completed(self, run: Run, model: Model) -> list[dict[str, Any]]:
        about = run.inputs.get(self.about) if self.about else ""
        messages = self._system(self._passages(run, shown(about)))
        return [*messages, user_message(run, run.query or self._filled(run), vision=model.vision)]

    def _filled(self, run: Run) -> str:
        values = {**run.inputs, "sys": {"query": run.query, "user_id": run.user}}
        return "" if self.template is None else self.template.render(lambda selector: walk(values, selector), shown)

    def _passages(self, run: Run, query: str) -> list[str]:
        """What was found for a question; it is told of the run."""
        if not self.knowledge:
            return []
        run.resources = search(self.knowledge, query, self.top_k, self.score_threshold, "api")
        return [_context(run.resources)]

    def _system(self, texts: list[str]) -> list[dict[str, Any]]:
        system = "\n\n".join(text for text in texts if text.strip())
        return [{"role": "system", "content": system}] if system else []


def _context(resources: Sequence[dict[str, Any]]) -> str:
    """Passages for the model to answer from."""
    if not resources:
        return ""
    passages = "\n\n".join(
        f'<passage source="{passage["document_name"]}">\n{passage["content"]}\n</passage>' for passage in resources
    )
    return (
        "Use these passages where they help to answer, and say that you do not know where they do not:\n\n" + passages
    )


def chat(prompt: Prompt, model: Model) -> Callable[[Run], Awaitable[None]]:
    """What answers a question to a chat app."""
    return _spoken(prompt.messages, model)


def completion(prompt: Prompt, model: Model) -> Callable[[Run], Awaitable[None]]:
    """What answers for a completion app."""
    return _spoken(prompt.completed, model)


def _spoken(
    messages: Callable[[Run, Model], Awaitable[list[dict[str, Any]]]], model: Model
) -> Callable[[Run], Awaitable[None]]:
    async def talk(run: Run) -> None:
        await speak(run, model, await messages(run, model))

    async def answer(run: Run) -> None:
        run.meter = model.prices.meter()
        await run.unless_stopped(talk(run))

    return answer


async def speak(
    run: Run, model: Model, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()
) -> Reply:
    """Ask a model whose words are the answer, as they come.

    Raises:
        RunFailed: the model could not be asked, refused, or broke off.
        Stopped: by the user.
    """
    try:
        reply = await model.ask(messages, run.delta, tools=tools)
    except ModelFailed as problem:
        raise RunFailed(str(problem), problem.code) from None
    run.meter.add(reply.meter)
    run.delta("")  # the last piece of the real one is empty too
    return reply
