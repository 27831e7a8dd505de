"""The engine of sweeps over real sockets: what a server saw is what had to be asked, whatever went wrong."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from support.raw_server import Connection, RawServer, Request, serving
from support.scripted_app import KEY, ScriptedApp, scripted
from support.sweeps import CrowdedApp, case_of, target_of

from dify_notebook import AsyncDify, local
from dify_notebook.errors import DifyError, InputError
from dify_notebook.local.server import LocalServer
from dify_notebook.sweep.asking.engine import Engine
from dify_notebook.sweep.asking.pace import Retries
from dify_notebook.sweep.budget import Ledger, Limit
from dify_notebook.sweep.case import Case
from dify_notebook.sweep.records import Outcome
from dify_notebook.sweep.store.store import Store

pytestmark = pytest.mark.anyio

QUICK = Retries(first=0.001, longest=0.01)
USER = "sweep-of-tests"


class Counted(httpx.AsyncHTTPTransport):
    """A transport that knows which questions it sent, and how each was received."""

    def __init__(self) -> None:
        super().__init__(trust_env=False)
        self.asked: list[str] = []
        self.refused: Counter[str] = Counter()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(await request.aread()) if request.method == "POST" and request.content else {}
        response = await super().handle_async_request(request)
        if "query" in body:
            self.asked.append(body["query"])
            self.refused[body["query"]] += response.status_code == 429
        return response


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with local.serve(data_dir=tmp_path_factory.mktemp("sweeps"), pace=0, faults=True) as running:
        yield running


@pytest.fixture
def transport() -> Counted:
    return Counted()


@pytest.fixture
async def dify(server: LocalServer, transport: Counted) -> AsyncIterator[AsyncDify]:
    async with AsyncDify(server.api_key("guide"), server.base_url, USER, transport=transport) as client:
        yield client


@pytest.fixture
def app() -> Iterator[tuple[ScriptedApp, RawServer]]:
    script, running = scripted()
    try:
        yield script, running
    finally:
        script.released.set()
        running.close()
        assert not running.errors, running.errors


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "sweep")
    with opened.locked():
        yield opened


async def until(condition: object) -> None:
    """Wait until it holds; the test's own time limit ends what never does."""
    assert callable(condition)
    while not condition():
        await asyncio.sleep(0.005)


def others() -> set[asyncio.Task[object]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def test_faults_change_no_more_than_their_own_cases(
    server: LocalServer, dify: AsyncDify, transport: Counted, store: Store
) -> None:
    """What is refused for being too many is asked again until it is answered; nothing else is asked twice."""
    cases = [case_of(f"How do I upload file {number}?") for number in range(24)]
    for fault in ("429=0.01", "429=0.01", "500", "drop=300", "error=1", "no_end", "429=0.01", "replace", "duplicate"):
        server.faults.once(fault)
    ended = await Engine(target_of(dify), store, concurrency=6, retries=QUICK).run(cases)
    assert (ended.succeeded, ended.failed, ended.not_run, ended.reason) == (20, 4, 0, None)
    assert sum(transport.refused.values()) == 3
    asked = Counter(transport.asked) - transport.refused
    assert asked == Counter(case.messages[0].query for case in cases)
    outcomes = store.outcomes
    codes = sorted(str(outcomes[case.id].error_code) for case in cases if outcomes[case.id].state == "failed")
    assert codes == ["disconnected", "eof", "internal_server_error", "internal_server_error"]  # the last in its stream
    talks = [outcome.conversation_id for outcome in outcomes.values() if outcome.conversation_id]
    assert len(set(talks)) == len(talks) >= 20
    assert {outcome.user for outcome in outcomes.values()} == {USER}
    for case in cases:
        for answer in outcomes[case.id].answers:
            if answer.tape is not None:
                assert store.turn(answer).answer == answer.answer
    kept = {talk.id for talk in await dify.conversations.list().to_list()}
    assert set(talks) <= kept
    assert not store.unknown


async def test_a_script_is_one_conversation_and_ends_at_the_first_turn_that_fails(
    server: LocalServer, dify: AsyncDify, transport: Counted, store: Store
) -> None:
    whole, broken = case_of("Hello one", "Hello two", "Hello three"), case_of("Hi one", "Hi two", "Hi three")
    engine = Engine(target_of(dify), store, concurrency=1, retries=QUICK)
    ended = await engine.run([whole])
    assert ended.counts == {"succeeded": 1, "failed": 0, "not_run": 0}
    outcome = store.outcomes[whole.id]
    assert [answer.query for answer in outcome.answers] == ["Hello one", "Hello two", "Hello three"]
    talk = await dify.messages.list(str(outcome.conversation_id)).to_list()
    assert sorted(message.query for message in talk) == sorted(str(one.query) for one in whole.messages)
    for fault in ("latency=0", "error=0"):
        server.faults.once(fault)
    await engine.run([broken])
    outcome = store.outcomes[broken.id]
    assert outcome.state == "failed"
    assert [answer.status for answer in outcome.answers] == ["succeeded", "failed"]
    assert transport.asked[3:] == ["Hi one", "Hi two"]
    assert len({answer.tape for answer in outcome.answers}) == 2


async def test_a_workflow_is_asked_by_its_inputs_and_followed_where_its_connection_is_lost(
    server: LocalServer, store: Store
) -> None:
    async with AsyncDify(server.api_key("tally"), server.base_url, USER) as dify:
        form = await dify.app.parameters()
        await dify.app.info()
        names = [control["variable"] for entry in form.user_input_form for control in entry.values()]
        cases = [case_of(None, **{names[0]: f"one two {'three ' * number}"}) for number in range(6)]
        server.faults.once("drop=1500")
        ended = await Engine(target_of(dify), store, concurrency=3, retries=QUICK).run(cases)
    assert ended.succeeded == 6, [outcome.error for outcome in store.outcomes.values()]
    runs = [outcome.answers[0].workflow_run_id for outcome in store.outcomes.values()]
    assert len(set(runs)) == 6
    assert all(outcome.answers[0].outputs for outcome in store.outcomes.values())


@pytest.mark.parametrize("status", [429, 400])
async def test_a_crowded_server_gets_fewer_at_once_and_answers_each_once(status: int, store: Store) -> None:
    script = CrowdedApp(room=3, status=status)
    cases = [case_of(f"question {number}") for number in range(60)]
    with serving(script) as running:
        async with AsyncDify("app-x", running.url, USER) as dify:
            retries = Retries(tries=60, first=0.001, longest=0.02)
            engine = Engine(target_of(dify), store, concurrency=32, retries=retries)
            ended = await engine.run(cases)
    assert ended.succeeded == 60, ended
    assert sorted(script.answered) == sorted(str(case.messages[0].query) for case in cases)
    assert len(script.refused) >= 1
    assert all(len(outcome.answers) == 1 for outcome in store.spent)


async def test_what_is_refused_too_often_fails_and_keeps_nobody_waiting(store: Store) -> None:
    script = CrowdedApp(room=0)
    with serving(script) as running:
        async with AsyncDify("app-x", running.url, USER) as dify:
            retries = Retries(tries=3, first=0.001, longest=0.002)
            ended = await Engine(target_of(dify), store, concurrency=4, retries=retries).run(
                [case_of("one"), case_of("two")]
            )
    assert (ended.failed, ended.not_run) == (2, 0)
    assert Counter(script.refused) == {"one": 3, "two": 3}
    assert all("Too many requests" in str(outcome.error) for outcome in store.spent)
    assert all(outcome.answers == [] for outcome in store.spent)


async def test_a_server_that_wants_peace_for_an_hour_is_left_alone(store: Store) -> None:
    seen = 0

    def script(request: object, connection: object) -> None:
        nonlocal seen
        seen += 1
        connection.reply("429 TOO MANY", {"code": "x", "message": "later"}, extra="Retry-After: 3600\r\n")  # type: ignore[attr-defined]

    with serving(script) as running:
        async with AsyncDify("app-x", running.url, USER) as dify:
            ended = await Engine(target_of(dify), store).run([case_of(str(number)) for number in range(20)])
    assert (seen, ended.failed, ended.not_run) == (1, 1, 19)
    assert "later" in ended.refused


async def test_a_wrong_key_is_said_once(server: LocalServer, store: Store) -> None:
    transport = Counted()
    async with AsyncDify("app-wrong", server.base_url, USER, transport=transport) as dify:
        good = AsyncDify(server.api_key("guide"), server.base_url, USER)
        targets = target_of(dify, "wrong") | target_of(good, "good")
        cases = [case_of(f"Hello {n}", target=name) for n in range(6) for name in ("wrong", "good")]
        ended = await Engine(targets, store, concurrency=8, retries=QUICK).run(cases)
    assert (ended.succeeded, ended.failed, ended.not_run, ended.reason) == (6, 1, 5, None)
    assert list(ended.refusals) == ["wrong"]
    assert ended.refused.startswith("wrong is asked nothing more: ")
    assert len(transport.asked) == 1


async def test_a_server_that_is_not_there_ends_its_target(store: Store) -> None:
    with serving(CrowdedApp(1)) as running:
        url = running.url
    async with AsyncDify("app-x", url, USER) as dify:
        ended = await Engine(target_of(dify), store, retries=Retries(tries=2, first=0.001)).run(
            [case_of(str(number)) for number in range(9)]
        )
    assert (ended.failed, ended.not_run) == (1, 8)
    [outcome] = store.spent
    assert (outcome.error_code, outcome.answers) == ("connect", [])


async def test_a_time_limit_is_each_turns_own(app: tuple[ScriptedApp, RawServer], store: Store) -> None:
    script, running = app
    async with AsyncDify(KEY, running.url, USER) as dify:
        engine = Engine(target_of(dify), store, timeout=0.3)
        ended = await engine.run([case_of("well"), case_of("slow one"), case_of("well again")])
    assert (ended.succeeded, ended.failed) == (2, 1)
    outcome = store.outcomes[case_of("slow one").id]
    assert (outcome.error_code, outcome.answers[0].answer) == ("timed_out", "partial answer")
    assert [body["query"] for body in script.questions].count("slow one") == 1


async def test_a_budget_in_calls_is_what_the_server_sees(app: tuple[ScriptedApp, RawServer], store: Store) -> None:
    script, running = app
    cases = [case_of(f"question {number}") for number in range(12)]
    async with AsyncDify(KEY, running.url, USER) as dify:
        ledger = Ledger(Limit(Decimal(5), "calls"))
        ended = await Engine(target_of(dify), store, ledger=ledger).run(cases)
    assert (ended.succeeded, ended.not_run, ended.reason) == (5, 7, "budget")
    assert len(script.questions) == 5
    assert (int(ledger.spent), int(ledger.reserved), ledger.under_way) == (5, 0, 0)


async def test_a_budget_in_money_begins_with_one(app: tuple[ScriptedApp, RawServer], store: Store) -> None:
    script, running = app
    cases = [case_of(f"question {number}") for number in range(12)]
    async with AsyncDify(KEY, running.url, USER) as dify:
        ledger = Ledger(Limit(Decimal("0.0071"), "USD"))
        ended = await Engine(target_of(dify), store, ledger=ledger).run(cases)
    assert (ended.succeeded, ended.reason, len(script.questions)) == (7, "budget", 7)
    assert ledger.spent == Decimal("0.007")


# -- stopping ----------------------------------------------------------------------------


def slow_cases() -> list[Case]:
    return [case_of(f"slow {number}") for number in range(9)]


@pytest.mark.parametrize("way", ["cancelled", "stop", "stop from a thread"])
async def test_a_stop_tells_the_server_and_keeps_what_came(
    way: str, app: tuple[ScriptedApp, RawServer], store: Store
) -> None:
    script, running = app
    before = others()
    async with AsyncDify(KEY, running.url, USER) as dify:
        engine = Engine(target_of(dify), store, concurrency=3)
        task = asyncio.create_task(engine.run(slow_cases()))
        await until(lambda: script.partials == 3 and len([s for _, s in engine.running if s.turn.answer]) == 3)
        if way == "cancelled":
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            if way == "stop":
                engine.stop()
            else:
                threading.Thread(target=engine.stop).start()
            ended = await task
            assert (ended.succeeded, ended.failed, ended.not_run, ended.reason) == (0, 3, 6, "stopped")
        assert engine.running == []
    assert len(script.questions) == len(script.stops) == 3
    outcomes = list(store.spent)
    assert [(o.state, o.error_code) for o in outcomes] == [("failed", "stopped")] * 3
    assert {o.answers[0].answer for o in outcomes} == {"partial answer"}
    assert not store.unknown
    assert others() <= before


async def test_as_many_stops_go_at_once_as_answers_run(store: Store) -> None:
    """A server that takes its time over each must not have some of them wait until their time is over."""

    class Slow(ScriptedApp):
        all_stops = threading.Barrier(16, timeout=10)

        def __call__(self, request: Request, connection: Connection) -> None:
            if request.path.endswith("/stop"):
                self.all_stops.wait()
            super().__call__(request, connection)

    script = Slow()
    with serving(script) as running:
        async with AsyncDify(KEY, running.url, USER) as dify:
            engine = Engine(target_of(dify), store, concurrency=16)
            task = asyncio.create_task(engine.run([case_of(f"slow {number}") for number in range(16)]))
            await until(lambda: script.partials == 16)
            engine.stop()
            await task
        script.released.set()
        assert len(script.stops) == 16


async def test_a_second_cancelling_leaves_at_once_and_what_was_begun_is_unknown(
    app: tuple[ScriptedApp, RawServer], tmp_path: Path
) -> None:
    script, running = app
    store = Store.open(tmp_path / "left")
    before = others()
    async with AsyncDify(KEY, running.url, USER) as dify:
        engine = Engine(target_of(dify), store, concurrency=3)
        with store.locked():
            task = asyncio.create_task(engine.run([case_of(f"deaf {number}") for number in range(9)]))
            await until(lambda: script.partials == 3)
            task.cancel()
            await until(lambda: len(script.stops) == 3)  # and their streams go on
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert len(store.unknown) == 3
    assert len(script.questions) == 3
    assert others() <= before


async def test_a_stop_ends_those_that_wait_to_be_asked_again(store: Store) -> None:
    script = CrowdedApp(room=0, status=400)
    with serving(script) as running:
        async with AsyncDify("app-x", running.url, USER) as dify:
            engine = Engine(target_of(dify), store, retries=Retries(first=3_000, longest=3_000))
            task = asyncio.create_task(engine.run([case_of("one"), case_of("two")]))
            await until(lambda: script.refused)
            await until(lambda: engine._apps["app"].site.waiting)
            engine.stop()
            ended = await task
    assert (ended.failed, ended.not_run, ended.reason) == (1, 1, "stopped")
    assert [outcome.error_code for outcome in store.spent] == ["stopped"]


# -- what is written down -----------------------------------------------------------------


async def test_what_an_app_is_is_looked_at_before_and_after(app: tuple[ScriptedApp, RawServer], store: Store) -> None:
    _, running = app
    looks = 0

    async def fingerprint(client: AsyncDify) -> str:
        nonlocal looks
        looks += 1
        return f"look {looks} of {client.user}"

    async with AsyncDify(KEY, running.url, USER) as dify:
        engine = Engine(target_of(dify), store, fingerprint=fingerprint)
        await engine.run([case_of(f"question {number}") for number in range(5)])
    checks = [(check.target, check.hash) for check in store.checks]
    assert checks == [("identity of app", f"look {n} of {USER}") for n in (1, 2)]


async def test_an_app_that_cannot_be_looked_at_is_not_asked(app: tuple[ScriptedApp, RawServer], store: Store) -> None:
    script, running = app

    async def fingerprint(client: AsyncDify) -> str:
        raise DifyError("nothing is there")

    async with AsyncDify(KEY, running.url, USER) as dify:
        ended = await Engine(target_of(dify), store, fingerprint=fingerprint).run([case_of("one"), case_of("two")])
    assert (ended.not_run, ended.refusals) == (2, {"app": "nothing is there"})
    assert script.questions == []
    assert not store.unknown


async def test_a_stop_waits_for_no_look_at_an_app(app: tuple[ScriptedApp, RawServer], store: Store) -> None:
    script, running = app
    looking = asyncio.Event()
    before = others()

    async def fingerprint(client: AsyncDify) -> str:
        looking.set()
        await asyncio.Event().wait()  # for ever
        return ""

    async with AsyncDify(KEY, running.url, USER) as dify:
        engine = Engine(target_of(dify), store, fingerprint=fingerprint)
        task = asyncio.create_task(engine.run([case_of("one"), case_of("two")]))
        await looking.wait()
        engine.stop()
        ended = await task
    assert (ended.not_run, ended.reason, script.questions) == (2, "stopped", [])
    assert not store.unknown
    assert others() <= before


class FullDisk(Store):
    """It takes two beginnings, and then nothing."""

    def begin(self, case_id: str, at: float) -> None:
        if len(self._begun) + len(self.spent) >= 2:
            raise DifyError("the disk is full")
        super().begin(case_id, at)


async def test_a_store_that_fails_ends_the_run(app: tuple[ScriptedApp, RawServer], tmp_path: Path) -> None:
    script, running = app
    store = FullDisk.open(tmp_path / "full")
    before = others()
    async with AsyncDify(KEY, running.url, USER) as dify:
        with store.locked(), pytest.raises(DifyError, match="the disk is full"):
            await Engine(target_of(dify), store).run([case_of(f"question {number}") for number in range(9)])
    assert len(script.questions) <= 2
    assert not store.unknown
    assert others() <= before


async def test_who_listens_hears_of_each_and_may_fail(app: tuple[ScriptedApp, RawServer], store: Store) -> None:
    _, running = app
    heard: list[tuple[str, Outcome]] = []
    async with AsyncDify(KEY, running.url, USER) as dify:
        engine = Engine(target_of(dify), store)
        engine.on_outcome = lambda case, outcome: heard.append((case.id, outcome))
        cases = [case_of("one"), case_of("two"), case_of("fail three")]
        await engine.run(cases)
        assert {(name, outcome.state) for name, outcome in heard} == {
            (case.id, store.outcomes[case.id].state) for case in cases
        }
        engine.on_outcome = lambda case, outcome: heard.remove((case.id, outcome))
        with pytest.raises(ValueError, match="not in list"):
            await engine.run([case_of("four")])


async def test_a_run_at_a_time_and_known_targets_alone(app: tuple[ScriptedApp, RawServer], store: Store) -> None:
    script, running = app
    async with AsyncDify(KEY, running.url, USER) as dify:
        engine = Engine(target_of(dify), store)
        with pytest.raises(InputError, match="no target other"):
            await engine.run([case_of("one", target="other")])
        task = asyncio.create_task(engine.run([case_of("slow")]))
        await until(lambda: script.partials)
        with pytest.raises(InputError, match="being run already"):
            await engine.run([case_of("two")])
        engine.stop()
        await task
        assert (await engine.run([case_of("three")])).succeeded == 1
        with pytest.raises(InputError):
            Engine(target_of(dify), store, concurrency=0)
