"""A client whose requests somebody else paces: connections of its own, and no slowing down by itself."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from support.raw_server import Connection, Request, serving

from dify_notebook import AsyncDify
from dify_notebook.errors import RateLimitError

pytestmark = pytest.mark.anyio


class Refusing:
    def __init__(self, status: str, extra: str) -> None:
        self.status, self.extra = status, extra

    def __call__(self, request: Request, connection: Connection) -> None:
        said = {"code": "x", "message": "Too many requests. Please try again later."}
        connection.reply(self.status, said, extra=self.extra)


@pytest.mark.parametrize(
    ("status", "extra", "seconds"),
    [
        ("429 TOO MANY", "Retry-After: 2.5\r\n", 2.5),
        ("429 TOO MANY", "", None),
        ("400 BAD REQUEST", "Retry-After: 1\r\n", 1.0),
        ("429 TOO MANY", "Retry-After: soon\r\n", None),
    ],
)
async def test_a_refusal_says_how_long_the_server_wants_peace(status: str, extra: str, seconds: float | None) -> None:
    with serving(Refusing(status, extra)) as server:
        async with AsyncDify("app-x", server.url, "me", connections=8) as dify:
            paced = dify._paced(40)
            for client, allowed in ((dify, 4), (paced, 40)):
                with pytest.raises(RateLimitError) as refused:
                    await client.chat.send("hi")
                assert refused.value.retry_after == seconds
                assert (await client._pools.current()).limiter.allowed == allowed
            await paced.aclose()


class Lent(httpx.MockTransport):
    closed = False

    async def aclose(self) -> None:
        self.closed = True


async def test_it_has_the_same_user_app_and_knowledge_and_other_connections() -> None:
    transport = Lent(lambda request: httpx.Response(200, json={"name": "Bot", "mode": "chat"}))
    async with AsyncDify("app-x", "http://127.0.0.1:9/v1", "me", transport=transport) as dify:
        paced = dify._paced(3)
        await paced.app.info()
        assert (paced.user, paced.base_url) == (dify.user, dify.base_url)
        assert dify.app_info is not None
        assert (await paced._pools.current()) is not (await dify._pools.current())
        assert (await paced._pools.current()).limiter.limit == 3
        await paced.aclose()
        assert not transport.closed  # it is the client's
        await asyncio.gather(dify.app.info(), paced.app.info())
    assert transport.closed


async def test_a_transport_that_answers_at_once_keeps_no_permits() -> None:
    """As tests have one of httpx's; it was stuck when as many questions had been asked as may be under way."""
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"data": [], "has_more": False}))
    async with AsyncDify("app-x", "http://127.0.0.1:9/v1", "me", transport=transport) as dify:
        limiter = (await dify._pools.current()).limiter
        for _ in range(limiter.limit + 2):
            async with asyncio.timeout(30):
                assert await dify.conversations.list().to_list() == []
