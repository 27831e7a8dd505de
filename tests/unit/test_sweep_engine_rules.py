"""The engine with an app that needs no server: whatever a budget says and a server refuses, a run ends, in order."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sweeps import case_of

from dify_notebook.config import Secret, Settings
from dify_notebook.errors import RateLimitError, ServerError
from dify_notebook.sweep.asking import one_case as asking
from dify_notebook.sweep.asking.engine import Engine
from dify_notebook.sweep.asking.pace import Retries
from dify_notebook.sweep.asking.queue import Queue
from dify_notebook.sweep.case import Case, Target
from dify_notebook.sweep.records import Outcome
from dify_notebook.sweep.store.store import Store
from dify_notebook.tape import Tape
from dify_notebook.turn.state import Turn

Word = Literal["go", "wait", "over"]


class Client:
    """In the place of an `AsyncDify`."""

    user = "nobody"

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.settings = Settings(base_url=base_url, api_key=Secret("app-of-a-test"), user=self.user, source="arguments")

    def _paced(self, connections: int) -> Client:
        return self

    async def aclose(self) -> None:
        """Nothing is open."""


class Server:
    """What every question comes to: "ok", "busy" or "broken", in turn."""

    def __init__(self, ends: list[str]) -> None:
        self.ends = ends
        self.asked: list[str] = []
        self.taken: Counter[str] = Counter()
        self.open: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        """At once, by address."""

    def ask(self, client: Any, asked: Any) -> Stream:
        return Stream(self, client.base_url, asked.query)


class Stream:
    """In the place of a `ChatStream`."""

    opened = sent = True

    def __init__(self, server: Server, url: str, query: str) -> None:
        self.server, self.url, self.query, self.tape = server, url, query, Tape()
        self.turn = Turn(query=query)

    async def __aenter__(self) -> Stream:
        server = self.server
        server.asked.append(self.query)
        server.open[self.url] += 1
        server.most |= server.open
        try:
            await asyncio.sleep(0)
            end = server.ends[len(server.asked) % len(server.ends)] if server.ends else "ok"
            if end == "busy":
                raise RateLimitError("Too many requests", status=429)
            if end == "broken":
                raise ServerError("broken", status=500)
        except BaseException:
            server.open[self.url] -= 1
            raise
        server.taken[self.query] += 1
        return self

    async def read(self) -> Turn:
        await asyncio.sleep(0)
        self.turn = Turn(query=self.query, status="succeeded", end="message_end", answer="!", conversation_id="c")
        return self.turn

    async def __aexit__(self, *problem: object) -> None:
        self.server.open[self.url] -= 1

    async def stop(self) -> bool:
        return False


class Moody:
    """A budget that says what it likes, but no more than `limit` times "go"."""

    def __init__(self, words: list[Word], limit: int) -> None:
        self.words, self.limit = words, limit
        self.reserved: set[str] = set()
        self.begun = self.settled = self.asked = 0

    def refuses(self, case: Case) -> str | None:
        return "no" if case.variant.target == "refused" else None

    def ask(self, case: Case) -> Word:
        assert case.id not in self.reserved
        self.asked += 1
        if self.begun >= self.limit:
            return "wait" if self.reserved else "over"
        word = self.words[self.asked % len(self.words)]
        if word == "go":
            self.begun += 1
            self.reserved.add(case.id)
        return word

    def settle(self, case: Case, outcome: Outcome | None) -> None:
        self.reserved.remove(case.id)
        self.settled += 1


@contextmanager
def answered_by(server: Server) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "ask", server.ask)
        yield


def run(cases: list[Case], server: Server, ledger: Moody | None, concurrency: int) -> tuple[Any, Store]:
    targets: dict[str, Any] = {
        name: Target(name=name, client=Client(f"http://{name[-1]}")) for name in ("a1", "b1", "c2", "refused")  # type: ignore[arg-type]
    }
    store = Store.open(None)

    async def ask() -> Any:
        before = asyncio.all_tasks()
        engine = Engine(
            targets, store, ledger=ledger, concurrency=concurrency, retries=Retries(tries=4, first=0.0), chance=lambda: 0
        )
        async with asyncio.timeout(60):  # a run that never ends is what is looked for
            ended = await engine.run(cases)
        await asyncio.sleep(0)  # where ipykernel is loaded, what listens to Interrupts was cancelled just now
        assert asyncio.all_tasks() == before
        assert engine.running == []
        return ended

    with answered_by(server), store.locked():
        return asyncio.run(ask()), store


NAMES = st.sampled_from(["a1", "b1", "c2", "refused"])


@settings(max_examples=60)
@given(
    st.lists(NAMES, max_size=30),
    st.lists(st.sampled_from(["ok", "ok", "busy", "broken"]), max_size=9),
    st.none() | st.tuples(st.lists(st.sampled_from(["go", "wait", "over"]), min_size=1, max_size=6), st.integers(0, 40)),
    st.integers(1, 12),
)
def test_whatever_a_budget_says_a_run_ends_and_nothing_is_asked_twice(
    names: list[str], ends: list[str], mood: tuple[list[Word], int] | None, concurrency: int
) -> None:
    cases = [case_of(f"question {number}", target=name) for number, name in enumerate(names)]
    ledger, server = None if mood is None else Moody(*mood), Server(ends)
    ended, store = run(cases, server, ledger, concurrency)
    assert ended.succeeded + ended.failed + ended.not_run == len(cases)
    assert max(server.taken.values(), default=0) <= 1
    assert set(server.taken) == {o.answers[0].query for o in store.spent if o.state == "succeeded"}
    assert max(server.most.values(), default=0) <= concurrency
    assert not store.unknown
    if ledger is None:
        assert ended.not_run == 0
        assert ended.reason is None
        assert max(Counter(server.asked).values(), default=0) <= 4
    else:
        assert ledger.reserved == set()
        assert ledger.settled == ledger.begun <= ledger.limit
        left = ended.not_run - (names.count("refused") if "refused" in ended.refusals else 0)
        assert (ended.reason == "budget") == (left > 0)


def test_cases_begin_in_their_order() -> None:
    cases = [case_of(f"question {number}", target=("a1", "b1")[number % 2]) for number in range(20)]
    server = Server([])
    run(cases, server, None, 1)
    assert server.asked == [case.messages[0].query for case in cases]


def test_the_first_of_an_app_goes_alone_until_it_is_taken() -> None:
    server = Server(["broken"])
    cases = [case_of(f"question {number}", target="a1") for number in range(5)]
    ended, _ = run(cases, server, None, 8)
    assert (ended.failed, max(server.most.values())) == (5, 1)


@given(st.lists(NAMES, max_size=40), st.data())
def test_a_queue_gives_each_case_once_and_the_first_of_each_target_in_order(names: list[str], data: Any) -> None:
    cases = [case_of(f"question {number}", target=name) for number, name in enumerate(names)]
    queue, left = Queue(cases), list(cases)
    while left:
        assert len(queue) == len(left)
        heads = list(queue.heads())
        firsts = {case.variant.target: case for case in reversed(left)}
        assert heads == sorted(firsts.values(), key=left.index)
        target = data.draw(st.sampled_from(sorted(firsts)))
        if data.draw(st.integers(0, 9)) == 0:
            queue.drop(target)
            left = [case for case in left if case.variant.target != target]
        else:
            assert queue.take(target) is firsts[target]
            left.remove(firsts[target])
    assert list(queue.heads()) == []
    assert len(queue) == 0
