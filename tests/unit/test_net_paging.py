"""Lists lose and repeat nothing while seconds tie and the list moves, or they say so."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from support.raw_server import Connection, Request, serving

from dify_notebook import AsyncDify, Dify
from dify_notebook.net.limiter import AdaptiveLimiter, gather_bounded
from dify_notebook.net.pages import PagingWarning

pytestmark = pytest.mark.anyio
Row = dict[str, Any]


class Log:
    """A server's list that pages as Dify does: by whole seconds, `<` on the cursor's second, ties in any order."""

    def __init__(self, rows: list[Row], *, between: Callable[[Log], None] | None = None, blind: bool = False) -> None:
        self.rows = rows
        self.between = between
        self.blind = blind
        """Whether has_more forgets ties, as Dify 0.15 does."""
        self.calls = 0

    def __call__(self, request: Request, connection: Connection) -> None:
        url = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        limit = int(query["limit"])
        messages = url.path.endswith("/messages")
        order = "-created_at" if messages else query.get("sort_by", "-updated_at")
        field, down = order.lstrip("-"), order.startswith("-")
        self.calls += 1
        # Ties come in another order on every call.
        rows = sorted(self.rows, key=lambda row: (row[field], hash((row["id"], self.calls))), reverse=down)
        at = query.get("first_id" if messages else "last_id")
        if at:
            edge = next(row[field] for row in self.rows if row["id"] == at)
            rows = [row for row in rows if (row[field] < edge if down else row[field] > edge)]
        page = rows[:limit]
        more = len(rows) > limit
        if self.blind and page:
            more = any((row[field] < page[-1][field]) if down else (row[field] > page[-1][field]) for row in rows)
        connection.reply("200 OK", {"data": page[::-1] if messages else page, "has_more": more, "limit": limit})
        if self.between:
            self.between(self)


def rows(*seconds: int) -> list[Row]:
    return [
        {"id": f"i{number:03}", "created_at": 1_000 + second, "updated_at": 1_000 + second}
        for number, second in enumerate(seconds)
    ]


BURSTS = [number // 5 for number in range(68)]


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("page_size", [7, 10, 20, 34, 68, 100])
@pytest.mark.parametrize("order", ["created_at", "-created_at", "updated_at", "-updated_at", "messages"])
async def test_nothing_is_lost_where_seconds_tie(order: Any, page_size: int, blind: bool) -> None:
    log = Log(rows(*BURSTS), blind=blind)
    with serving(log) as server, warnings.catch_warnings():
        warnings.simplefilter("error", PagingWarning)
        async with AsyncDify("app-x", server.url, "me") as dify:
            found: list[Any]
            if order == "messages":
                found = await dify.messages.list("c", page_size=page_size).to_list()
            else:
                found = await dify.conversations.list(sort_by=order, page_size=page_size).to_list()
    ids = [item.id for item in found]
    assert len(ids) == len(set(ids))
    assert set(ids) == {row["id"] for row in log.rows}
    times: list[Any] = [item.created_at for item in found]
    assert times == sorted(times, reverse=order == "messages" or order.startswith("-"))


@pytest.mark.parametrize("blind", [False, True])
async def test_a_page_within_one_second_is_warned_about(blind: bool) -> None:
    with serving(Log(rows(*[0] * 27, 1, 2), blind=blind)) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            with pytest.warns(PagingWarning, match="within one second \\(1970-01-01T00:16:40"):
                found = await dify.messages.list("c", page_size=10).to_list()
    ids = [item.id for item in found]
    assert len(ids) == len(set(ids)) > 10


def test_the_plain_client_warns_too() -> None:
    log = Log(rows(*[0] * 27))
    with serving(log) as server, Dify("app-x", server.url, "me") as dify, pytest.warns(PagingWarning):
        dify.conversations.list(page_size=10).to_list()


@pytest.mark.parametrize("victim", [0, 9, 10, 15, 39])
async def test_conversations_that_are_used_meanwhile_are_neither_lost_nor_repeated(victim: int) -> None:
    """The one that is used may be the first, a page's edge, the next, or the last of all."""
    newest = sorted(rows(*range(40)), key=lambda row: -row["updated_at"])

    def use(log: Log) -> None:
        if log.calls == 1:
            newest[victim]["updated_at"] = 9_000
            log.rows.append({"id": "new", "created_at": 9_001, "updated_at": 9_001})

    log = Log(newest, between=use)
    with serving(log) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            ids = [item.id async for item in dify.conversations.list(page_size=10)]
    assert len(ids) == len(set(ids))
    assert set(ids) == {row["id"] for row in log.rows}


async def test_messages_that_come_meanwhile_do_not_shift_the_pages() -> None:
    def come(log: Log) -> None:
        log.rows.append({"id": f"new{log.calls}", "created_at": 9_000 + log.calls})

    with serving(Log(rows(*range(40)), between=come)) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            ids = [item.id async for item in dify.messages.list("c", page_size=10)]
    assert ids == [f"i{number:03}" for number in reversed(range(40))]


async def test_a_list_is_read_no_further_than_asked() -> None:
    log = Log(rows(*range(100)))
    with serving(log) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            assert len(await dify.conversations.list(page_size=10).to_list(limit=10)) == 10
    assert log.calls == 1


async def test_variables_that_the_server_withholds_are_warned_about() -> None:
    def script(request: Request, connection: Connection) -> None:
        later = "last_id" in request.path
        data = [] if later else [{"id": str(n), "name": f"v{n}"} for n in range(10)]
        connection.reply("200 OK", {"data": data, "has_more": not later, "limit": 10})

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            with pytest.warns(PagingWarning, match="first 10"):
                assert len(await dify.conversations.variables("c", page_size=10).to_list()) == 10


# -- many at once ------------------------------------------------------------------------


async def test_no_more_than_allowed_are_under_way() -> None:
    limiter, running, most = AdaptiveLimiter(3), 0, 0

    async def work(number: int) -> int:
        nonlocal running, most
        permit = await limiter.acquire()
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        limiter.release(permit)
        return number

    assert await asyncio.gather(*map(work, range(20))) == list(range(20))
    assert (most, limiter.active) == (3, 0)


async def test_a_place_that_is_given_up_is_given_on() -> None:
    limiter = AdaptiveLimiter(1)
    first = await limiter.acquire()
    waiting = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    limiter.release(first)  # given to the second
    await asyncio.sleep(0)
    waiting[1].cancel()  # it has come in already: cancelling is too late or hands it on
    await asyncio.wait(waiting[:2])
    if waiting[1].cancelled():
        await waiting[2]
    else:
        limiter.release(waiting[1].result())
        await waiting[2]
    assert limiter.active == 1


async def test_too_many_halves_once_for_a_burst_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = AdaptiveLimiter(8)
    for _ in range(5):
        limiter.back_off()
    assert limiter.allowed == 4
    monkeypatch.setattr("dify_notebook.net.limiter.BURST_SECONDS", 0.0)
    for _ in range(5):
        limiter.back_off()
    assert limiter.allowed == 1
    for _ in range(8 * 9 * 4):
        limiter.succeeded()
    assert limiter.allowed == 8


@pytest.mark.parametrize(("status", "body"), [
    ("429 Too Many Requests", {"code": "too_many_requests", "message": "slow down"}),
    ("400 Bad Request", {"code": "invalid_param", "message": "Too many requests. Please try again later..."}),
])  # fmt: skip
async def test_the_server_s_words_halve_the_limiter(status: str, body: Row) -> None:
    with serving(lambda request, connection: connection.reply(status, body)) as server:
        async with AsyncDify("app-x", server.url, "me", retry=0, connections=16) as dify:
            with pytest.raises(Exception, match="slow down|Too many"):
                await dify.app.info()
            limiter = (await dify._pools.current()).limiter
            assert (limiter.allowed, limiter.active) == (8, 0)


@pytest.mark.parametrize("connections", [1, 5, 8])
async def test_a_client_opens_no_more_connections_than_told(connections: int) -> None:
    running, most = 0, 0
    guard = threading.Lock()
    together = threading.Event()

    def script(request: Request, connection: Connection) -> None:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
            if running >= connections:
                together.set()
        together.wait(5)
        with guard:
            running -= 1
        connection.reply("200 OK", {"name": "a"})

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me", connections=connections) as dify:
            await gather_bounded(lambda _: dify.app.info(), range(30), concurrency=30)
    assert most == connections


@pytest.mark.parametrize("value", [0, 129, -1, 1.5, True, "8"])
def test_connections_out_of_range_are_refused(value: Any) -> None:
    from dify_notebook.errors import InputError

    with pytest.raises(InputError, match="1 to 128"):
        AsyncDify("app-x", "http://127.0.0.1:9", "me", connections=value)


async def test_bounded_work_keeps_the_order_and_raises_the_first_failure() -> None:
    async def items() -> AsyncIterator[int]:
        for number in range(10):
            yield number

    async def work(number: int) -> int:
        await asyncio.sleep(0.001 * (10 - number))
        return number

    assert await gather_bounded(work, items(), concurrency=4) == list(range(10))
    begun = []

    async def failing(number: int) -> int:
        begun.append(number)
        if number == 2:
            raise ValueError("two")
        await asyncio.sleep(5)
        return number

    with pytest.raises(ValueError, match="two"):
        await gather_bounded(failing, range(100), concurrency=4)
    assert len(begun) <= 4


@pytest.mark.parametrize("which", ["annotations", "feedbacks"])
async def test_two_readers_of_one_list_do_not_turn_each_other_s_pages(which: str) -> None:
    rows = [{"id": str(number)} for number in range(7)]

    def script(request: Request, connection: Connection) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        start, size = (int(query["page"]) - 1) * int(query["limit"]), int(query["limit"])
        connection.reply("200 OK", {"data": rows[start : start + size]})

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "u") as dify:
            items: Any = dify.annotations.list(page_size=2) if which == "annotations" else dify.app.feedbacks(page_size=2)
            found: list[list[str]] = [[], []]
            readers = [aiter(items), aiter(items)]
            for _ in rows:
                for reader, ids in zip(readers, found, strict=True):
                    ids.append((await anext(reader)).id)
            assert found == [[row["id"] for row in rows]] * 2
            assert [item.id for item in await items.to_list()] == found[0], "and once more"
