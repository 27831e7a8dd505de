"""What a model is to an app: it is asked in the form of `chat/completions` and answers in chunks of that form.

Every back end speaks that one dialect, so that what reads the chunks exists once.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from ...text import THINKS, THOUGHT, well_formed
from ...threads import Exited, in_thread
from ...tokens import Meter, count

Message = dict[str, Any]
Chunk = Mapping[str, Any]

DONE: Chunk = {"done": True}
"""A back end's word that the answer is whole, for models that never say how they came to its end."""
MAX_ANSWER = 2_000_000
"""Characters of one answer; a model that never ends must not fill the memory."""
MAX_CALLS = 128
"""Functions that one answer may want called: each is called in a thread of its own, all at the same time."""
MAX_SECONDS = 600.0
"""Of one answer as a whole."""


class ModelFailed(Exception):
    """The model gave no answer, or half of one. The message is for the user and holds no key.

    Args:
        code: Dify's word for it, of a chat or agent app.
    """

    def __init__(self, message: str, code: str = "completion_request_error") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Prices:
    """US dollars for a thousand tokens."""

    input: Decimal = Decimal(0)
    output: Decimal = Decimal(0)

    def meter(self) -> Meter:
        """A meter that counts at these prices."""
        return Meter(unit_in=self.input, unit_out=self.output)


class Backend(Protocol):
    """Where a model runs."""

    provider: str
    """Told in a node's process data."""

    def chat(self, body: dict[str, Any]) -> AsyncGenerator[Chunk, None]:
        """The chunks of an answer, each as it comes; closed early, the back end is to stop.

        Args:
            body: of a `chat/completions` request.

        Raises:
            ModelFailed: for anything that went wrong.
        """


@dataclass(frozen=True)
class ToolCall:
    """A function that the model wants called."""

    id: str
    name: str
    arguments: str
    """JSON, as the model wrote it; it may be none."""

    def as_message(self) -> dict[str, Any]:
        called = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": called}


@dataclass
class Reply:
    """One whole answer of a model."""

    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    finish_reason: str = "stop"
    meter: Meter = field(default_factory=Meter)
    latency: float = 0.0
    """Seconds from asking to the last chunk."""
    first: float | None = None
    """Seconds from asking to the first text."""

    def usage(self) -> dict[str, object]:
        """Dify's `usage` object."""
        generate = None if self.first is None else round(self.latency - self.first, 3)
        first = None if self.first is None else round(self.first, 3)
        return self.meter.usage(round(self.latency, 3), first, generate)


@dataclass(frozen=True)
class Model:
    """A model with its settings and prices."""

    backend: Backend
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """Sent along with each question: temperature, max_tokens and the like."""
    prices: Prices = Prices()
    vision: bool = False
    """Whether images may be sent."""

    async def ask(
        self,
        messages: Sequence[Message],
        on_text: Callable[[str], None] = lambda text: None,
        *,
        tools: Sequence[Mapping[str, Any]] = (),
    ) -> Reply:
        """Ask, and give each piece of text to `on_text` as it comes.

        Raises:
            ModelFailed: it could not be asked, refused, or broke off.
        """
        body: dict[str, Any] = {
            **self.options,
            "model": self.name,
            "messages": list(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if tools:
            body["tools"] = list(tools)
        reader = _Reader(self, messages, on_text)
        try:
            async with asyncio.timeout(MAX_SECONDS), aclosing(_chunks(self.backend, body)) as chunks:
                async for chunk in chunks:
                    reader.chunk(chunk)
        except TimeoutError:
            raise ModelFailed(f"The model's answer took longer than {MAX_SECONDS:g} s") from None
        # Where the model does not count, that is our work.
        return reader.reply() if reader.usage else await in_thread(reader.reply)


async def _chunks(backend: Backend, body: dict[str, Any]) -> AsyncGenerator[Chunk, None]:
    """What a back end answers; a bug of it is a failed answer. Raises: ModelFailed."""
    try:
        async with aclosing(backend.chat(body)) as chunks:
            async for chunk in chunks:
                yield chunk
    except ModelFailed:
        raise
    except Exited as failure:
        raise ModelFailed(well_formed(f"{failure} in the model's back end")) from failure
    except Exception as failure:
        text = well_formed(str(failure))
        raise ModelFailed(f"{type(failure).__name__} in the model's back end: {text}") from failure


class _Reader:
    """Puts the chunks of one answer together."""

    def __init__(self, model: Model, messages: Sequence[Message], on_text: Callable[[str], None]) -> None:
        self._begun = time.monotonic()
        self._first: float | None = None
        self._model = model
        self._messages = messages
        self._on_text = on_text
        self._text: list[str] = []
        self._characters = codecs.getincrementaldecoder("utf-16-le")("replace")
        self._thinking = False
        self._size = 0
        self._calls: dict[int, dict[str, str]] = {}
        self._finish: str | None = None
        self.usage: tuple[int, int] | None = None
        """Tokens of the question and of the answer, where the model told them."""

    def chunk(self, chunk: Chunk) -> None:
        """Raises: ModelFailed, for an error object or something else than a chunk."""
        try:
            if chunk.get("error") is not None:
                raise ModelFailed(error_text(chunk["error"]))
            usage = chunk.get("usage")
            if usage:
                self.usage = (int(usage["prompt_tokens"]), int(usage["completion_tokens"]))
            for choice in (chunk.get("choices") or [])[:1]:
                self._choice(choice)
            if chunk is DONE and (self._text or self._calls):
                self._end(self._finish or "stop")
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as problem:
            raise ModelFailed(f"The model sent a chunk that cannot be read ({problem!r})") from None

    def _choice(self, choice: Mapping[str, Any]) -> None:
        # A server that does not stream answers with a message in place of deltas.
        delta = choice.get("delta") or choice.get("message") or {}
        # DeepSeek, vLLM and llama.cpp call it the one, Ollama and OpenRouter the other.
        self._say(delta.get("reasoning_content") or delta.get("reasoning"), reasoning=True)
        self._say(delta.get("content"), reasoning=False)
        for place, call in enumerate(delta.get("tool_calls") or []):
            index = call.get("index")
            index = index if isinstance(index, int) else place
            known = self._calls.setdefault(index, {"id": "", "name": "", "arguments": ""})
            if len(self._calls) > MAX_CALLS:
                raise ModelFailed(f"The model wants more than {MAX_CALLS} functions called at once")
            function = call.get("function") or {}
            known["id"] = call.get("id") or known["id"]
            name, arguments = function.get("name") or "", function.get("arguments") or ""
            arguments = arguments if isinstance(arguments, str) else json.dumps(arguments)
            self._grow(len(name) + len(arguments))
            known["name"] += name
            known["arguments"] += arguments
        if choice.get("finish_reason"):
            self._end(well_formed(str(choice["finish_reason"])))

    def _end(self, reason: str) -> None:
        self._finish = reason
        if self._thinking:
            self._write(THOUGHT)
            self._thinking = False

    def _say(self, text: Any, *, reasoning: bool) -> None:
        """A piece of the answer. What a model tells apart as reasoning stands between tags, as Dify has it."""
        if not text:
            return
        if not isinstance(text, str):
            raise TypeError("content is not a text")
        if reasoning != self._thinking:
            text = (THINKS if reasoning else THOUGHT) + text
            self._thinking = reasoning
        self._write(text)

    def _write(self, text: str) -> None:
        # Some cut a character in two, and only the second chunk makes it whole.
        text = self._characters.decode(text.encode("utf-16-le", "surrogatepass"))
        if not text:
            return
        if self._first is None:
            self._first = time.monotonic() - self._begun
        self._grow(len(text))
        self._text.append(text)
        self._on_text(text)

    def _grow(self, characters: int) -> None:
        self._size += characters
        if self._size > MAX_ANSWER:
            raise ModelFailed(f"The model's answer is longer than {MAX_ANSWER:,} characters")

    def reply(self) -> Reply:
        """Raises: ModelFailed, when the answer broke off."""
        if self._finish is None:
            raise ModelFailed("The model's answer broke off before its end")
        text = "".join(self._text)
        calls = [
            ToolCall(call["id"] or f"call_{index}", well_formed(call["name"]), well_formed(call["arguments"]))
            for index, call in sorted(self._calls.items())
        ]
        meter = self._model.prices.meter()
        if self.usage is not None:
            meter.prompt, meter.completion = self.usage
        else:
            # The model does not count, so our own unit has to do.
            meter.prompt = sum(count(json.dumps(message["content"], ensure_ascii=False)) for message in self._messages)
            meter.completion = count(text) + sum(count(call.arguments) for call in calls)
        latency = time.monotonic() - self._begun
        return Reply(text, calls, self._finish, meter, latency, self._first)


def error_text(error: Any) -> str:
    """What an error object of the API says."""
    if isinstance(error, Mapping):
        error = error.get("message") or error.get("code") or json.dumps(dict(error), ensure_ascii=False)
    return " ".join(well_formed(str(error)).split())[:500] or "The model reported an error without a text"
