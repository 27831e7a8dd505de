"""The stream of events of the embedded server, without a socket."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message

from dify_notebook.local.server.event_stream import EventStream
from dify_notebook.local.simulate.items import Event

pytestmark = pytest.mark.anyio


async def test_a_client_that_goes_away_is_noticed_among_events_that_are_there_at_once() -> None:
    events: asyncio.Queue[Event | None] = asyncio.Queue()
    for number in range(100):
        events.put_nowait({"event": "message", "answer": str(number)})
    sent: list[Message] = []
    left: list[bool] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.disconnect"}

    stream = EventStream(events, 10, lambda: left.append(True))
    await asyncio.wait_for(stream({"type": "http"}, receive, send), 10)
    assert left == [True]
    assert len(sent) < 50
