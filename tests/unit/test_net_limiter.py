"""Permits of the limiter: short calls beside open answers, and who waits for ever is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.raw_server import Connection, RawServer, Request, serving

from dify_notebook import AsyncDify, Dify
from dify_notebook.errors import DifyError, InputError
from dify_notebook.net.limiter import MAX_CONNECTIONS, SPARE, AdaptiveLimiter
from dify_notebook.net.stream import ChatStream

pytestmark = pytest.mark.anyio

IDS = {"task_id": "t", "message_id": "m", "conversation_id": "c"}
TRANSPORTS: list[Any] = [None, "aiohttp"]
#: Seconds to wait for a place, where a test waits for that.
SOON = httpx.Timeout(10, pool=0.3)


class Open:
    """A server whose answers stay open until `release`, unless the question says how often to go on."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.guard = threading.Lock()
        self.open = 0
        self.most = 0

    def script(self, request: Request, connection: Connection) -> None:
        if request.path.endswith("/stop"):
            connection.reply("200 OK", {"result": "success"})
        elif "chat-messages" not in request.path:
            connection.reply("200 OK", {"name": "a"})
        else:
            with self.guard:
                self.open += 1
                self.most = max(self.most, self.open)
            connection.head()
            connection.event(event="message", answer="a", **IDS)
            if request.json["query"] != "short":
                self.release.wait(20)
            connection.event(event="message_end", metadata={}, **IDS)
            with self.guard:
                self.open -= 1
            connection.end()


@contextmanager
def answering() -> Iterator[tuple[Open, RawServer]]:
    world = Open()
    with serving(world.script) as server:
        try:
            yield world, server
        finally:
            world.release.set()


@asynccontextmanager
async def opened(dify: AsyncDify, count: int) -> AsyncIterator[list[ChatStream]]:
    """So many answers, all open, all of this task."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(dify.chat.stream("hi")) for _ in range(count)]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("connections", [1, 8])
async def test_short_calls_go_on_beside_open_answers(connections: int, transport: Any) -> None:
    with answering() as (world, server):
        async with AsyncDify("app-x", server.url, "me", connections=connections, transport=transport) as dify:
            async with opened(dify, connections) as streams:
                async with asyncio.timeout(10):
                    names = await asyncio.gather(*(dify.app.info() for _ in range(20)))
                    assert len(names) == 20
                    assert await dify.chat.stop("t") is True
                world.release.set()
                assert [(await stream.read()).status for stream in streams] == ["succeeded"] * connections
            assert (await dify._pools.current()).limiter.active == 0


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_one_answer_too_many_of_one_task_is_told_at_once(transport: Any) -> None:
    with answering() as (world, server):
        client = AsyncDify("app-x", server.url, "me", transport=transport)
        async with client as dify, opened(dify, 8) as streams:
            async with asyncio.timeout(10):
                with pytest.raises(InputError) as caught:
                    async with dify.chat.stream("hi"):
                        pass
                assert caught.value.code == "connections"
                assert "8 answers are open" in caught.value.message
                assert "connections= (up to 128)" in caught.value.message
                assert caught.value.turn is not None
                assert caught.value.turn.status == "failed"
                with pytest.raises(InputError, match="8 answers"):
                    await dify.chat.send("hi", response_mode="blocking")
                with pytest.raises(InputError, match="8 answers"):
                    await dify.audio.from_text("hi")
                world.release.set()
                await streams[0].read()  # one is over: there is room again
                assert (await dify.chat.send("short")).answer == "a"
    assert sum("chat" in request.path for request in server.requests) == 9


def test_the_same_in_plain_python() -> None:
    with answering() as (world, server), Dify("app-x", server.url, "me", connections=3) as dify, ExitStack() as stack:
        streams = [stack.enter_context(dify.chat.stream("hi")) for _ in range(3)]
        assert dify.app.info().name == "a"
        with pytest.raises(InputError, match="3 answers are open"), dify.chat.stream("hi"):
            pass
        with pytest.raises(InputError, match="3 answers are open"):
            dify.chat.send("hi")
        world.release.set()
        assert streams[0].read().answer == "a"
        assert dify.chat.send("short").answer == "a"


def test_what_another_thread_reads_is_waited_for() -> None:
    """All were opened here, and one is read elsewhere: it can end, so this is no deadlock."""
    with answering() as (world, server), Dify("app-x", server.url, "me", connections=2) as dify, ExitStack() as stack:
        kept, given_away = [stack.enter_context(dify.chat.stream("hi")) for _ in range(2)]
        begun = threading.Event()

        def read() -> None:
            for _ in given_away:
                begun.set()

        reader = threading.Thread(target=read)
        reader.start()
        assert begun.wait(10)
        threading.Timer(0.3, world.release.set).start()
        assert dify.chat.send("short").answer == "a"
        reader.join(10)
        assert kept.read().answer == given_away.turn.answer == "a"


async def test_many_tasks_take_turns_and_nobody_is_refused() -> None:
    with answering() as (world, server):
        async with AsyncDify("app-x", server.url, "me", connections=2, timeout=SOON) as dify:
            turns = await asyncio.gather(*(dify.chat.send("short") for _ in range(40)))
    assert {turn.answer for turn in turns} == {"a"}
    assert world.most <= 2


def test_many_at_once_within_one_plain_call_are_no_deadlock() -> None:
    """They run for one thread, and yet each can end by itself."""
    from dify_notebook.net.portal import portal

    with answering() as (_, server), Dify("app-x", server.url, "me", connections=2) as dify:

        async def all_of_them() -> list[Any]:
            return await asyncio.gather(*(dify.as_async.chat.send("short") for _ in range(20)))

        assert len(portal().call(all_of_them())) == 20


async def test_who_waits_while_none_ends_is_told_so() -> None:
    with answering() as (world, server):
        async with AsyncDify("app-x", server.url, "me", connections=2, timeout=SOON) as dify:
            async with opened(dify, 2), asyncio.timeout(10):
                waiting = [asyncio.create_task(dify.chat.send("hi")) for _ in range(3)]
                for task in waiting:
                    with pytest.raises(DifyError, match=r"2 answers are open.*none has ended for 0.3 s.*connections="):
                        await task
                assert (await dify._pools.current()).limiter.active == 2
                world.release.set()
            assert (await dify.chat.send("short")).answer == "a"


async def test_a_waiting_answer_can_be_cancelled_and_runs_out_of_time() -> None:
    with answering() as (world, server):
        async with AsyncDify("app-x", server.url, "me", connections=1) as dify:
            async with opened(dify, 1):
                waiting = asyncio.create_task(dify.chat.send("hi"))
                late = asyncio.create_task(dify.chat.send("hi", timeout=0.2))
                await asyncio.sleep(0.1)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
                with pytest.raises(DifyError) as caught:
                    await late
                assert caught.value.turn is not None
                assert caught.value.turn.end == "timed_out"
                world.release.set()
            assert (await dify._pools.current()).limiter.active == 0


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_128_answers_at_once(transport: Any) -> None:
    with answering() as (world, server):
        client = AsyncDify("app-x", server.url, "me", connections=MAX_CONNECTIONS, transport=transport)
        async with client as dify, opened(dify, MAX_CONNECTIONS) as streams:
            assert (await dify.app.info()).name == "a"
            assert world.most == MAX_CONNECTIONS
            world.release.set()
            turns = await asyncio.gather(*(stream.read() for stream in streams))
    assert {turn.status for turn in turns} == {"succeeded"}


# -- the limiter by itself ------------------------------------------------------------------------


async def step() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@given(
    most=st.integers(1, 6),
    acts=st.lists(st.tuples(st.sampled_from(["answer", "short", "leave", "cancel", "refused"]), st.integers(0, 9))),
)
def test_the_limiter_keeps_its_promises(most: int, acts: list[tuple[str, int]]) -> None:
    """Never more answers than allowed when they come in, never a short call without its spare place, nobody lost."""

    async def play() -> None:
        limiter = AdaptiveLimiter(most)
        tasks: list[asyncio.Task[Any]] = []
        for act, number in acts:
            if act in ("answer", "short"):
                tasks.append(asyncio.create_task(limiter.acquire(object() if act == "answer" else None)))
            elif act == "leave":
                inside = [task for task in tasks if task.done()]
                if inside:
                    task = inside[number % len(inside)]
                    tasks.remove(task)
                    limiter.release(task.result())
            elif act == "cancel":
                outside = [task for task in tasks if not task.done()]
                if outside:
                    task = outside[number % len(outside)]
                    tasks.remove(task)
                    task.cancel()
            else:
                limiter.back_off()
            await step()
            permits = [task.result() for task in tasks if task.done()]
            answers = sum(permit.is_stream for permit in permits)
            short = len(permits) - answers
            waiting_short = sum(not task.done() for task in tasks) - waiting_answers(limiter)
            assert limiter.active == len(permits) <= most + min(SPARE, most)
            assert answers <= most
            assert not waiting_short or short >= min(SPARE, limiter.allowed)
            assert not waiting_answers(limiter) or limiter.active >= limiter.allowed
        for task in tasks:
            if not task.done():
                task.cancel()
        await step()

    def waiting_answers(limiter: AdaptiveLimiter) -> int:
        return len(limiter._waiting[True])

    asyncio.run(play())


async def test_who_came_first_goes_first() -> None:
    limiter = AdaptiveLimiter(1)
    first = await limiter.acquire(object())
    spare = await limiter.acquire()
    order: list[str] = []

    async def one(name: str, owner: object | None) -> None:
        permit = await limiter.acquire(owner)
        order.append(name)
        await asyncio.sleep(0)
        limiter.release(permit)

    tasks = [
        asyncio.create_task(one(name, owner))
        for name, owner in (("a", object()), ("s", None), ("b", object()), ("t", None))
    ]
    await step()
    assert order == []
    limiter.release(spare)
    await asyncio.gather(tasks[1], tasks[3])
    assert order == ["s", "t"]
    limiter.release(first)
    await asyncio.gather(*tasks)
    assert order == ["s", "t", "a", "b"]
    assert limiter.active == 0


async def test_that_a_server_had_too_many_is_told_where_that_is_why() -> None:
    limiter, me = AdaptiveLimiter(4, timeout=0.01), object()
    await limiter.acquire(me)
    await limiter.acquire(me)
    limiter.back_off()
    with pytest.raises(InputError, match="2 may be at once") as caught:
        await limiter.acquire(me)
    assert "2 of 4" in caught.value.message
    full = AdaptiveLimiter(1)
    await full.acquire(me)
    with pytest.raises(InputError) as caught:
        await full.acquire(me)
    assert " of 1 " not in caught.value.message
