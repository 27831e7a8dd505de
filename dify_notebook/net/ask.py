"""Asking an app in the way of its mode: the one place that knows which call that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import InputError
from ..i18n import t
from ..wire.calls import Call
from ..wire.kinds import COMPLETION, WORKFLOW
from .files import FileInput
from .stream import ChatStream

if TYPE_CHECKING:
    from .client import AsyncDify


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """All that can be asked with, whatever the app; see `chat.send`."""

    query: str | None = None
    """None for apps that take their text as an input."""
    inputs: Mapping[str, Any] | None = None
    files: Sequence[FileInput] | None = None
    conversation_id: str | None = None
    timeout: float | None = None
    auto_generate_name: bool = True
    workflow_id: str | None = None


def ask(dify: AsyncDify, asked: Asked) -> ChatStream:
    """The stream that asks, as far as the app's mode is known; an app of which nothing is known is one that chats.

    Raises:
        InputError: apps of that mode are not asked so, or an argument cannot be sent.
    """
    by_inputs = _BY_INPUTS.get(dify._cache.app.mode or "")
    if by_inputs is None:
        if asked.query is None:
            raise InputError(t("net.needs_query"), code="query")
        return dify.chat.stream(
            asked.query,
            inputs=asked.inputs,
            files=asked.files,
            conversation_id=asked.conversation_id,
            timeout=asked.timeout,
            auto_generate_name=asked.auto_generate_name,
            workflow_id=asked.workflow_id,
        )
    if asked.query is not None:
        raise InputError(t("net.text_is_input"), code="query", hint=t("hint.inputs"))
    if asked.conversation_id is not None:
        raise InputError(t("net.no_conversations", name="conversation_id"), code="conversation_id")
    return by_inputs(dify, asked)


def _run(dify: AsyncDify, asked: Asked) -> ChatStream:
    return dify.workflows.stream(asked.inputs, files=asked.files, timeout=asked.timeout, workflow_id=asked.workflow_id)


def _complete(dify: AsyncDify, asked: Asked) -> ChatStream:
    return dify.completion.stream(asked.inputs, files=asked.files, timeout=asked.timeout)


_BY_INPUTS: Mapping[str, Callable[[AsyncDify, Asked], ChatStream]] = {WORKFLOW: _run, COMPLETION: _complete}
"""How apps are asked that hold no conversations."""


def request(dify: AsyncDify, asked: Asked) -> Call[Any]:
    """The request that asks so, with neither inputs nor files in it, for whoever shows what would be sent.

    Raises:
        InputError: as for `ask`.
    """
    return ask(dify, asked)._call
