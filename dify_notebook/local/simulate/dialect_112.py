"""Answers and events as Dify 1.12 gives them, made from those of 1.16.

The older chatflow tells the end of its run before the end of its message, an error behind both, and nothing of a run
that never began, or of what a model thought.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .items import Event, Item

_OF_MESSAGES = (
    "message_tokens", "answer_tokens", "total_tokens", "total_price", "currency", "provider_response_latency",
    "extra_contents",
)  # fmt: skip
MESSAGES = ("/v1/chat-messages", "/v1/completion-messages")
"""Where a message is asked for."""
_TIMES = ("time_to_first_token", "time_to_generate")
_HELD = ("message_replace", "message_end")


def answer(path: str, status: int, content: dict[str, Any], *, flow: bool) -> tuple[int, dict[str, Any]]:
    """Status and content of a JSON response. Args: flow: whether the app is a chatflow."""
    if status >= 400:
        return _error(status, content)
    if path == "/v1/messages":
        return status, {**content, "data": [_message(row) for row in content["data"]]}
    if path in MESSAGES:
        return status, {**content, "metadata": metadata(content["metadata"], flow=flow)}
    if path == "/v1/site":
        return status, _without(content, "input_placeholder")
    if path == "/v1/files/upload":
        return status, _without(content, "reference")
    return status, content


def metadata(content: dict[str, Any], *, flow: bool) -> dict[str, Any]:
    """What there is always, and the times of a chatflow's model alone."""
    changed = {"annotation_reply": None, **_without(content, "reasoning")}
    if not flow:
        changed["usage"] = {**changed["usage"], **dict.fromkeys(_TIMES)}
    return changed


def _without(content: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in names}


def _error(status: int, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    code = content.get("code")
    if code == "speech_to_text_disabled":
        return status, {**content, "code": "invalid_param", "message": "Speech to text is not enabled"}
    if code == "rate_limit_error":
        return 400, {**content, "code": "completion_request_error", "status": 400}
    return status, content


def _message(row: dict[str, Any]) -> dict[str, Any]:
    thoughts = [_without(thought, "answer") for thought in row["agent_thoughts"]]
    status = "error" if row["status"] == "error" else "normal"
    return {**_without(row, *_OF_MESSAGES), "agent_thoughts": thoughts, "status": status}


class Stream:
    """A `Change`: the events of one stream in the older form and order."""

    def __init__(self, *, flow: bool) -> None:
        """Args: flow: whether the app is a chatflow."""
        self._flow = flow
        self._running = False
        """Whether a chatflow's run has begun and its end is still to come."""
        self._held: list[Event] = []
        """What stands before that end in the newer order, and behind it in the older one."""

    def __call__(self, item: Item) -> Iterator[Item]:
        if not isinstance(item, dict):
            yield from self._rest()
            yield item
            return
        event = self._older(item)
        if event is None:
            return
        if self._running and event["event"] in _HELD:
            self._held.append(event)
            return
        yield event
        if event["event"] == "workflow_started":
            self._running = True
        elif event["event"] == "workflow_finished":
            yield from self._rest()

    def _rest(self) -> Iterator[Event]:
        self._running = False
        yield from self._held
        self._held = []

    def _older(self, event: Event) -> Event | None:
        """The event; None for one that is not told, as of a run that never began."""
        name = event["event"]
        if name == "reasoning_chunk":
            return None
        if name in ("workflow_started", "workflow_finished"):
            if "message_id" not in event:
                return None
            data = _without(event["data"], "reason")
            if data.get("status") == "stopped":
                data["error"] = "Stopped by user."
            return {**event, "data": data}
        if name == "message":
            return {**event, "from_variable_selector": event["from_variable_selector"] or None}
        if name == "message_end":
            changed = metadata(event["metadata"], flow=self._flow)
            return {**event, "metadata": changed, "files": event["files"] if self._flow else None}
        if name == "error":
            return _error(event["status"], event)[1]
        return event
