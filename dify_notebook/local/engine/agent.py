"""A declared agent: its model calls Python functions, round by round, and answers with what they gave.

Each round is a thought that is told three times under one id: empty, with the calls, and with what was seen.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..text import without_thoughts
from .chat import Prompt, speak
from .functions import Function, FunctionExited, FunctionFailed, as_json, as_text
from .models.model import Model, Reply, ToolCall
from .run import Run, RunFailed
from .thought import Thought


@dataclass(frozen=True)
class Agent:
    """An agent's settings."""

    prompt: Prompt
    model: Model
    tools: tuple[Function, ...]
    rounds: int = 5
    """Times that tools may be called; after that the model has to answer."""
    tool_timeout: float = 30.0
    """Seconds for each call of a tool."""
    timeout: float = 300.0
    """Seconds for the whole answer."""

    def answer(self) -> Callable[[Run], Awaitable[None]]:
        """What answers a question to this app."""

        async def answer(run: Run) -> None:
            run.meter = self.model.prices.meter()
            try:
                async with asyncio.timeout(self.timeout):
                    await run.unless_stopped(self._talk(run))
            except TimeoutError:
                raise RunFailed(f"The agent did not come to an end within {self.timeout:g} s") from None

        return answer

    async def _talk(self, run: Run) -> None:
        messages = await self.prompt.messages(run, self.model)
        for position in range(1, self.rounds + 2):
            thought = Thought(run, position)
            # The last round goes without tools, so that it is an answer.
            offered = [tool.as_tool() for tool in self.tools] if position <= self.rounds else []
            reply = await speak(run, self.model, messages, offered)
            if not reply.calls or not offered:
                thought.send(thought=reply.text)
                return
            thought.send(thought=reply.text, **_called(reply.calls, self.tools))
            observations = await self._use(reply.calls)
            thought.send(observation=json.dumps({call.name: text for call, text in observations}, ensure_ascii=False))
            messages += _exchange(reply, observations)

    async def _use(self, calls: Sequence[ToolCall]) -> list[tuple[ToolCall, str]]:
        """Call the tools, those of one round at the same time; what goes wrong is what is seen."""
        return list(zip(calls, await asyncio.gather(*(self._call(call) for call in calls)), strict=True))

    async def _call(self, call: ToolCall) -> str:
        tool = next((tool for tool in self.tools if tool.name == call.name), None)
        if tool is None:
            return f"there is not a tool named {call.name}"
        arguments = _arguments(call)
        if arguments is None:
            return f"tool invoke error: the arguments are not a JSON object: {call.arguments[:200]}"
        try:
            return as_text(await tool.use(arguments, self.tool_timeout))
        except FunctionExited as problem:
            raise RunFailed(str(problem)) from None
        except FunctionFailed as problem:
            return f"tool invoke error: {problem}"


def _arguments(call: ToolCall) -> dict[str, Any] | None:
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        return None
    return as_json(arguments) if isinstance(arguments, dict) else None


def _exchange(reply: Reply, observations: Sequence[tuple[ToolCall, str]]) -> list[dict[str, Any]]:
    """A round as the model gets it back."""
    called = {
        "role": "assistant",
        "content": without_thoughts(reply.text),
        "tool_calls": [call.as_message() for call in reply.calls],
    }
    return [called, *({"role": "tool", "tool_call_id": call.id, "content": text} for call, text in observations)]


def _called(calls: Sequence[ToolCall], tools: Sequence[Function]) -> dict[str, Any]:
    """What a thought tells of calls; several of a round are named in a row, as Dify does."""
    labels = {tool.name: tool.label for tool in tools}
    arguments = {call.name: _arguments(call) or {} for call in calls}
    return {
        "tool": ";".join(call.name for call in calls),
        "tool_labels": {call.name: labels.get(call.name, {}) for call in calls},
        "tool_input": json.dumps(arguments, ensure_ascii=False),
    }
