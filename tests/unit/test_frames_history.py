"""`dify.history()` loses and repeats nothing, says what it cannot find, and keeps what it has; `update` mends the rest."""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.logs import Logs, message
from support.raw_server import Connection, Request, serving

from dify_notebook import AsyncDify, Bounds, Dify, DifyError, History, Tape, frames
from dify_notebook.errors import InputError, NotFoundError
from dify_notebook.frames import collector
from dify_notebook.frames.progress import Progress
from dify_notebook.frames.schema import HISTORY
from dify_notebook.tape import Header, run_store

LONG_AGO = 1_700_000_000
Where = Callable[[], dict[str, Any]]


@pytest.fixture(params=["memory", "parquet"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Where:
    """Gives the argument that says where a history goes: nothing, or a new directory each time."""
    count = iter(range(1_000))
    return lambda: {"to": tmp_path / str(next(count))} if request.param == "parquet" else {}


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "PAGE", 5)


def some_logs(**options: Any) -> Logs:
    """Two users with conversations of one to nine messages."""
    logs = Logs(**options)
    for number in range(8):
        id = f"c{number}"
        logs.begin(id, "ann" if number % 3 else "bob", LONG_AGO + number * 1_000)
        for place in range(number + 1):
            logs.say(id, f"{id}-m{place}", LONG_AGO + number * 1_000 + place * 10)
    return logs


def sound(history: History, messages: set[str]) -> None:
    """Exactly those messages, nothing twice, and every key leads somewhere."""
    assert set(history.messages["message_id"]) == messages
    conversations = set(history.conversations["conversation_id"])
    assert set(history.messages["conversation_id"]) <= conversations
    for table in HISTORY:
        frame = history.table(table.name)
        assert not frame.duplicated(list(table.key)).any(), table.name
        assert list(frame.columns) == list(table.names)
        assert isinstance(frame.index, pd.RangeIndex)


# -- what comes --------------------------------------------------------------------------


def test_this_clients_user_alone_and_it_says_so(where: Where) -> None:
    logs = some_logs()
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**where())
    sound(history, logs.ids("ann"))
    assert set(history.messages["user"]) == {"ann"}
    assert history.users == {"ann": "client"}
    assert history.facts.app == "Logs"
    assert history.facts.complete
    assert [note for note in history.notes if "'ann'" in note and "find_users" in note]


def test_several_users(where: Where) -> None:
    logs = some_logs()
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(["bob", "ann", "nobody"], **where())
    sound(history, logs.ids())
    owners = dict(zip(history.conversations["conversation_id"], history.conversations["user"], strict=True))
    assert owners == logs.users
    assert history.users == {"bob": "given", "ann": "given", "nobody": "given"}


async def collected(url: str, **asked: Any) -> History:
    async with AsyncDify("app-x", url, "ann") as dify:
        return await dify.history(**asked)


def test_awaited_it_is_the_same() -> None:
    logs = some_logs()
    with serving(logs) as server:
        with Dify("app-x", server.url, "ann") as dify:
            plain = dify.history()
        awaited = asyncio.run(collected(server.url))
    for name, frame in plain.tables.items():
        pd.testing.assert_frame_equal(frame, awaited.table(name))


def test_order_does_not_depend_on_who_answers_first(where: Where) -> None:
    logs = some_logs()
    turn = iter(range(10_000))
    logs.before = lambda path: time.sleep(0.004 * (next(turn) % 3))  # answers overtake each other
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        one, other = dify.history(["ann", "bob"], **where()), dify.history(["bob", "ann"], **where())
    for name, frame in one.tables.items():
        pd.testing.assert_frame_equal(frame, other.table(name))
    assert one.messages["created_at"].is_monotonic_increasing
    assert one.conversations["updated_at"].is_monotonic_decreasing


def test_an_empty_history_has_all_columns(where: Where) -> None:
    with serving(Logs()) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**where())
    for table in HISTORY:
        pd.testing.assert_frame_equal(history.table(table.name), frames.empty(table.name))


def test_certain_conversations(where: Where) -> None:
    logs = some_logs()
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(conversations=["c5", "c0", "c2"], **where())
    assert set(history.conversations["conversation_id"]) == {"c5", "c2"}
    (failure,) = history.failures
    assert failure.id == "c0"  # bob's
    assert "users=" in failure.error
    assert logs.count("/messages") == 2


@pytest.mark.parametrize(
    ("since", "until"), [(0, 0), (3_020, 0), (0, 5_030), (2_000, 4_010), (3_025, 3_026), (99_999, 0)]
)
def test_a_span_of_time(since: int, until: int, where: Where, small_pages: None) -> None:
    logs = some_logs()
    asked: dict[str, Any] = {}
    if since:
        asked["since"] = datetime.fromtimestamp(LONG_AGO + since, UTC)
    if until:
        asked["until"] = datetime.fromtimestamp(LONG_AGO + until, UTC).isoformat()
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(["ann", "bob"], **asked, **where())
    wanted = {
        row["id"]
        for rows in logs.messages.values()
        for row in rows
        if LONG_AGO + since <= row["created_at"] < LONG_AGO + (until or 10**9)
    }
    sound(history, wanted if since or until else logs.ids())


def test_what_is_older_than_since_is_hardly_asked_for(small_pages: None) -> None:
    logs = Logs()
    for number in range(40):
        logs.begin(f"c{number:02}", "ann", LONG_AGO + number * 100_000)
        for place in range(12):
            logs.say(f"c{number:02}", f"{number}-{place}", LONG_AGO + number * 100_000 + place)
    since = datetime.fromtimestamp(LONG_AGO + 39 * 100_000 + 6, UTC)
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(since=since)
    assert len(history.messages) == 6
    assert logs.count("/conversations") == 1
    assert logs.count("/messages") <= 2


def test_a_date_without_zone_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        from dify_notebook.frames.times import moment

        found = moment("2026-01-01", "since")
        assert found is not None
        assert found.astimezone(UTC) == datetime(2025, 12, 31, 16, tzinfo=UTC)
        assert moment(pd.Timestamp("2026-01-01"), "since") == found
        assert moment(found.date(), "since") == found
        assert moment("2026-01-01T00:00:00Z", "since") == datetime(2026, 1, 1, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"since": "soon"}, "since"),
        ({"since": pd.NaT}, "since"),
        ({"until": float("nan")}, "until"),
        ({"until": 12}, "until"),
        ({"since": "2026-02-01", "until": "2026-01-01"}, "since"),
        ({"users": []}, "users"),
        ({"users": [""]}, "user"),
        ({"concurrency": 0}, "connections"),
        ({"concurrency": 64}, "connections"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_sent(asked: dict[str, Any], code: str) -> None:
    logs = some_logs()
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify, pytest.raises(InputError) as caught:
        dify.history(**asked)
    assert caught.value.code == code
    assert logs.asked == []


def test_concurrency_is_what_was_asked_for() -> None:
    """Also beyond the client's own connections, and only as long as it lasts."""
    logs = some_logs()
    for number in range(8, 40):
        logs.begin(f"c{number}", "ann", LONG_AGO + number)
    under_way, most, lock, all_there = [0], [0], threading.Lock(), threading.Event()

    def before(path: str) -> None:
        if path != "/messages":
            return
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
            if under_way[0] == 12:
                all_there.set()
        all_there.wait(5)
        with lock:
            under_way[0] -= 1

    logs.before = before
    with serving(logs) as server, Dify("app-x", server.url, "ann", connections=3) as dify:
        history = dify.history(concurrency=12)
    assert all_there.is_set()
    assert most[0] == 12
    sound(history, logs.ids("ann"))


# -- ties and what happens meanwhile --------------------------------------------------------


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Logs, list[tuple[int, str, int]]]:
    """Logs in which seconds tie, and what is said while they are read: after so many answers, where, how many."""
    logs = Logs(seed=draw(st.integers(0, 9_999)), mode=draw(st.sampled_from(["chat", "advanced-chat", None])))
    second = LONG_AGO
    for number in range(draw(st.integers(0, 14))):
        # Up to four conversations in one second, up to four messages in one: fewer than a page of five.
        second += draw(st.sampled_from([0, 1, 100])) if number % 4 else 100
        id = f"c{number}"
        logs.begin(id, draw(st.sampled_from(["ann", "bob"])), second)
        at, ties = second, 0
        for place in range(draw(st.integers(0, 17))):
            step = draw(st.sampled_from([0, 0, 1, 5]))
            ties = ties + 1 if step == 0 else 0
            at, ties = (at + 1, 0) if ties > 2 else (at + step, ties)
            logs.messages[id].append({**message_of(id, place), "created_at": at})
        if draw(st.booleans()):
            logs.variables[id] = [
                {"id": f"v{place}", "name": f"n{place}", "value_type": "number", "value": str(place)}
                for place in range(draw(st.integers(0, 3)))
            ]
    inserts = draw(
        st.lists(st.tuples(st.integers(0, 30), st.sampled_from([f"c{n}" for n in range(16)]), st.integers(1, 3)), max_size=6)
    )
    return logs, inserts


def message_of(id: str, place: int) -> dict[str, Any]:
    return message(f"{id}-m{place}", id, 0)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(world=worlds(), concurrency=st.sampled_from([1, 4, 16]), parquet=st.booleans())
def test_rows_in_are_rows_out(
    world: tuple[Logs, list[tuple[int, str, int]]],
    concurrency: int,
    parquet: bool,
    tmp_path_factory: pytest.TempPathFactory,
    small_pages: None,
) -> None:
    """Whatever ties and whatever is said meanwhile: nothing that was there is lost, nothing is twice; and an
    update brings the rest, until both are the same."""
    logs, inserts = world
    before_it_began = logs.ids()
    answers, now, lock = [0], int(time.time()), threading.Lock()

    def talk(path: str) -> None:
        with lock:
            answers[0] += 1
            for after, id, count in inserts:
                if after == answers[0]:
                    if id not in logs.conversations:
                        logs.begin(id, "ann", now)
                    for place in range(count):
                        logs.say(id, f"{id}-new{after}-{place}-{len(logs.messages[id])}", now + place)

    logs.before = talk
    asked: dict[str, Any] = {"users": ["ann", "bob"], "concurrency": concurrency}
    if parquet:
        asked["to"] = tmp_path_factory.mktemp("history") / "log"
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**asked)
        assert before_it_began <= set(history.messages["message_id"]) <= logs.ids()
        sound(history, set(history.messages["message_id"]))
        assert history.failures == ()
        logs.before = lambda path: None
        for id in list(logs.conversations)[:2]:
            logs.say(id, f"{id}-later", now + 100)
        history = dify.update(history)
        sound(history, logs.ids())
        again = dify.history(["ann", "bob"])
    for name in ("conversations", "messages", "variables"):
        left, right = (
            frame.table(name).sort_values(list(frames.SCHEMA[name].key), ignore_index=True) for frame in (history, again)
        )
        pd.testing.assert_frame_equal(left, right)
    if logs.mode != "chat":
        assert len(history.variables) == sum(len(rows) for rows in logs.variables.values())


def test_a_page_within_one_second_is_noted_with_its_conversation(small_pages: None) -> None:
    logs = Logs()
    logs.begin("c", "ann", LONG_AGO)
    for place in range(12):
        logs.say("c", f"m{place:02}", LONG_AGO)
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history()
    assert [note for note in history.notes if note.startswith("c: ") and "one second" in note]


def test_conversations_within_one_second_are_noted_with_their_user(small_pages: None) -> None:
    logs = Logs()
    for number in range(9):
        logs.begin(f"c{number}", "ann", LONG_AGO)
        logs.say(f"c{number}", f"m{number}", LONG_AGO)
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify, warnings.catch_warnings():
        warnings.simplefilter("error")
        history = dify.history()
    assert [note for note in history.notes if note.startswith("ann: conversations.list") and "one second" in note]


# -- what goes wrong ---------------------------------------------------------------------------


def refusing(*conversations: str) -> Callable[[str, dict[str, str]], tuple[str, dict[str, Any]] | None]:
    def refuse(path: str, query: dict[str, str]) -> tuple[str, dict[str, Any]] | None:
        if path == "/messages" and query.get("conversation_id") in conversations:
            return "400 BAD REQUEST", {"code": "invalid_param", "message": "broken here", "status": 400}
        return None

    return refuse


def test_what_fails_for_one_conversation_is_told_and_the_rest_is_there(where: Where) -> None:
    logs = some_logs()
    logs.refuse = refusing("c4")
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**where())
        (failure,) = history.failures
        assert (failure.what, failure.id, failure.user) == ("conversation", "c4", "ann")
        assert "broken here" in failure.error
        assert not history.facts.complete
        sound(history, {id for id in logs.ids("ann") if not id.startswith("c4")})
        logs.refuse = lambda path, query: None
        asked = len(logs.asked)
        history = dify.update(history)
        sound(history, logs.ids("ann"))
        assert history.failures == ()
        assert sum("/messages" in path for path in logs.asked[asked:]) == 1


def test_a_failure_on_the_second_page_keeps_the_first(where: Where, small_pages: None) -> None:
    logs = some_logs()

    def refuse(path: str, query: dict[str, str]) -> tuple[str, dict[str, Any]] | None:
        return refusing("c7")(path, query) if "first_id" in query else None

    logs.refuse = refuse
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(conversations="c7", **where())
        assert len(history.messages) == 5
        assert [failure.id for failure in history.failures] == ["c7"]
        logs.refuse = lambda path, query: None
        history = dify.update(history)
    sound(history, {id for id in logs.ids("ann") if id.startswith("c7")})


def test_an_update_that_fails_takes_nothing_away(where: Where) -> None:
    logs = some_logs()
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**where())
        before = logs.ids("ann")
        logs.say("c4", "c4-new", int(time.time()))
        logs.refuse = refusing("c4")
        history = dify.update(history)
        sound(history, before)
        assert [failure.id for failure in history.failures] == ["c4"]
        logs.refuse = lambda path, query: None
        history = dify.update(history)
    sound(history, logs.ids("ann"))
    assert history.facts.complete


def test_where_nothing_can_be_listed_it_is_raised() -> None:
    logs = some_logs()
    logs.refuse = lambda path, query: ("401 NO", {"code": "unauthorized", "message": "Access token is invalid"})
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify, pytest.raises(DifyError) as caught:
        dify.history(["ann", "bob"])
    assert caught.value.code == "unauthorized"


def test_one_users_list_that_fails_is_told() -> None:
    logs = some_logs()

    def refuse(path: str, query: dict[str, str]) -> tuple[str, dict[str, Any]] | None:
        if path == "/conversations" and query["user"] == "bob":
            return "400 BAD REQUEST", {"code": "invalid_param", "message": "not bob"}
        return None

    logs.refuse = refuse
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(["ann", "bob"])
    sound(history, logs.ids("ann"))
    assert [(failure.what, failure.user) for failure in history.failures] == [("conversations", "bob")]


def held_at(logs: Logs, count: int) -> tuple[threading.Event, threading.Event]:
    """Answers to /messages wait from the so-maniest on; (they do, they need not any more)."""
    waiting, released, seen, lock = threading.Event(), threading.Event(), [0], threading.Lock()

    def before(path: str) -> None:
        if path != "/messages":
            return
        with lock:
            seen[0] += 1
            held = seen[0] > count
        if held:
            waiting.set()
            released.wait(10)

    logs.before = before
    return waiting, released


def test_cancelled_it_keeps_what_is_there(where: Where) -> None:
    logs = some_logs()
    waiting, released = held_at(logs, 3)

    async def cancelled(url: str) -> History:
        async with AsyncDify("app-x", url, "ann") as dify:
            collecting = dify.history(concurrency=1, **where())
            task = asyncio.ensure_future(collecting)
            await asyncio.to_thread(waiting.wait, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return collecting.history

    with serving(logs) as server:
        history = asyncio.run(cancelled(server.url))
        released.set()
        logs.before = lambda path: None
        assert len(history.conversations) == 3
        assert not history.facts.complete
        assert [note for note in history.notes if "interrupted" in note]
        sound(history, {id for id in logs.ids() if id[:2] in set(history.conversations["conversation_id"])})
        with Dify("app-x", server.url, "ann") as dify:
            history = dify.update(history)
    sound(history, logs.ids("ann"))
    assert history.facts.complete


def test_interrupted_it_gives_back_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """An Interrupt of the notebook: the cell's assignment still happens."""
    from dify_notebook.frames import fetch

    logs = some_logs()
    waiting, released = held_at(logs, 2)

    def interrupted(future: Any, timeout: float | None = None) -> Any:
        assert waiting.wait(10)
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "wait", interrupted)
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(concurrency=1)
        released.set()
    assert len(history.conversations) == 2
    assert not history.facts.complete


# -- updates -------------------------------------------------------------------------------------


def test_an_update_asks_for_what_changed_alone(where: Where, small_pages: None) -> None:
    logs = Logs()
    for number in range(40):
        logs.begin(f"c{number:02}", "ann", LONG_AGO + number * 100)
        logs.say(f"c{number:02}", f"m{number:02}", LONG_AGO + number * 100)
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**where())
        now = int(time.time()) - 7_200
        logs.say("c03", "m03-2", now)
        logs.begin("new", "ann", now)
        logs.say("new", "new-1", now)
        logs.conversations["c05"].update(name="Another name", updated_at=now + 1)
        logs.asked.clear()
        newer = dify.update(history)
        sound(newer, logs.ids())
        assert logs.count("/messages") == 3
        assert logs.count("/conversations") == 2  # sorted by the last use: the second page is as it was
        names = dict(zip(newer.conversations["conversation_id"], newer.conversations["name"], strict=True))
        assert names["c05"] == "Another name"
        logs.asked.clear()
        dify.update(newer)
        assert logs.count("/messages") == 0


def test_what_was_used_just_before_the_fetch_is_fetched_again() -> None:
    """A whole second may hold a message that came after it was read."""
    logs = some_logs()
    now = int(time.time())
    logs.begin("c9", "ann", now)
    logs.say("c9", "one", now)
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history()
        logs.say("c9", "two", now)  # the conversation's updated_at is the same
        sound(dify.update(history), logs.ids("ann"))


def test_what_was_deleted_on_the_server_stays(where: Where) -> None:
    logs = some_logs()
    there = logs.ids("ann")
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**where())
        del logs.conversations["c4"]
        sound(dify.update(history), there)


def test_another_servers_history_is_not_updated() -> None:
    with serving(some_logs()) as one, serving(some_logs()) as other:
        with Dify("app-x", one.url, "ann") as dify:
            history = dify.history()
        with Dify("app-x", other.url, "ann") as dify, pytest.raises(InputError, match=one.url):
            dify.update(history)


# -- ratings, annotations, variables -----------------------------------------------------------


def rate(logs: Logs, message: str, rating: str | None, source: str = "user", **more: Any) -> None:
    """As the server does: on the message for its user, and in the app's list."""
    logs.feedbacks = [
        row for row in logs.feedbacks if (row["message_id"], row["from_source"]) != (message, source)
    ]
    (found,) = [row for rows in logs.messages.values() for row in rows if row["id"] == message]
    if source == "user":
        found["feedback"] = rating and {"rating": rating}
    if rating:
        logs.feedbacks.insert(
            0,
            {
                "id": f"f-{message}-{source}",
                "app_id": "a",
                "conversation_id": found["conversation_id"],
                "message_id": message,
                "rating": rating,
                "content": "because",
                "from_source": source,
                "from_end_user_id": f"e-{logs.users[found['conversation_id']]}" if source == "user" else None,
                "from_account_id": None if source == "user" else "boss",
                "created_at": "2026-01-02T03:04:05",
                "updated_at": "2026-01-02T03:04:05",
                **more,
            },
        )


def ratings(history: History) -> dict[tuple[str, str], tuple[str, Any]]:
    found = history.feedbacks
    return {
        (row["message_id"], row["from_source"]): (row["rating"], None if pd.isna(row["user"]) else row["user"])
        for row in found.to_dict("records")
    }


def told(history: History) -> dict[str, str]:
    found = history.messages
    return dict(found.loc[found["rating"].notna(), ["message_id", "rating"]].astype("string").to_numpy().tolist())


def test_ratings_of_these_conversations(where: Where) -> None:
    logs = some_logs()
    rate(logs, "c4-m0", "like")
    rate(logs, "c4-m0", "dislike", source="admin")
    rate(logs, "c0-m0", "like")  # bob's
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**where())
        assert ratings(history) == {("c4-m0", "user"): ("like", "ann"), ("c4-m0", "admin"): ("dislike", None)}
        assert told(history) == {"c4-m0": "like"}
        assert history.feedbacks["content"].tolist() == ["because", "because"]
        assert [note for note in history.notes if note.startswith("1 ratings")]
        # Rating moves no conversation: the update learns it from the list.
        rate(logs, "c4-m0", "dislike")
        rate(logs, "c5-m1", "like")
        rate(logs, "c4-m0", None, source="admin")
        history = dify.update(history)
        assert ratings(history) == {("c4-m0", "user"): ("dislike", "ann"), ("c5-m1", "user"): ("like", "ann")}
        assert told(history) == {"c4-m0": "dislike", "c5-m1": "like"}
        rate(logs, "c4-m0", None)
        history = dify.update(history)
        assert told(history) == {"c5-m1": "like"}


def test_ratings_of_a_server_that_lists_none(where: Where) -> None:
    logs = some_logs(mode=None, old=True)
    rate(logs, "c4-m0", "like")
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**where())
        assert ratings(history) == {("c4-m0", "user"): ("like", "ann")}
        assert history.feedbacks["feedback_id"].isna().all()
        assert {note for note in history.notes if "0.15" in note}
        assert history.failures == ()
        rate(logs, "c5-m0", "dislike")
        logs.say("c5", "c5-new", int(time.time()))
        history = dify.update(history)
    assert ratings(history) == {("c4-m0", "user"): ("like", "ann"), ("c5-m0", "user"): ("dislike", "ann")}
    assert logs.count("/conversations/c5/variables") <= 2  # each time asked until it is known that there are none


def test_annotations_are_the_apps(where: Where) -> None:
    logs = some_logs()
    logs.annotations = [{"id": f"a{n}", "question": f"Q{n}", "answer": "A", "hit_count": n, "created_at": LONG_AGO + n}
                        for n in range(130)]  # fmt: skip
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**where())
        assert history.annotations["hit_count"].tolist() == list(range(130))
        del logs.annotations[100:]
        history = dify.update(history)
    assert len(history.annotations) == 100


def test_variables_are_asked_for_where_there_are_some(where: Where) -> None:
    logs = some_logs(mode="advanced-chat")
    logs.variables["c4"] = [{"id": "v", "name": "items", "value_type": "array[string]", "value": "['a', None, True]"}]
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**where())
    assert history.variables[["conversation_id", "user", "name", "value"]].to_numpy().tolist() == [
        ["c4", "ann", "items", '["a",null,true]']
    ]
    chat = some_logs(mode="chat")
    with serving(chat) as server, Dify("app-x", server.url, "ann") as dify:
        dify.history()
    assert not [path for path in chat.asked if "variables" in path]


def tape_of(message_id: str, server: str = "http://127.0.0.1:9/v1", user: str = "ann") -> None:
    tape = Tape(Header(created_at="2026-01-01T00:00:00+00:00", server=server, user=user, query="q"))
    usage = b'{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,"total_price":"0.25","currency":"EUR","latency":1.5}'
    tape.entries.append((0.5, ("", b'{"event":"message","message_id":"%s","answer":"hi"}' % message_id.encode())))
    end = b'{"event":"message_end","message_id":"%s","metadata":{"usage":%s}}' % (message_id.encode(), usage)
    tape.entries.append((1.0, ("", end)))
    run_store().add(tape, message_id)


def test_tokens_come_from_the_tapes_of_this_machine(where: Where) -> None:
    logs = some_logs()
    tape_of("c4-m2")
    tape_of("elsewhere")
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**where())
    (row,) = history.messages[history.messages["total_tokens"].notna()].to_dict("records")
    assert (row["message_id"], row["total_tokens"], row["total_price"], row["currency"], row["latency"]) == (
        "c4-m2", 12, 0.25, "EUR", 1.5)  # fmt: skip
    assert row["usage_from"] == "run"


def test_an_update_keeps_what_a_tape_told_that_is_gone(where: Where) -> None:
    """Tapes are swept after a while; the conversation goes on."""
    logs = some_logs()
    tape_of("c4-m2")
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**where())
        for path in run_store().paths():
            path.unlink()
        tape_of("c4-late")
        logs.say("c4", "c4-late", int(time.time()))
        history = dify.update(history)
    sound(history, logs.ids("ann"))
    told = history.messages[history.messages["total_tokens"].notna()].set_index("message_id")
    assert sorted(told.index) == ["c4-late", "c4-m2"]
    assert told["currency"].tolist() == ["EUR", "EUR"]
    assert told["usage_from"].astype(str).tolist() == ["run", "run"]
    assert str(history.messages["usage_from"].dtype) == "category"


def test_an_update_of_an_export_keeps_what_the_api_never_tells(where: Where, tmp_path: Path) -> None:
    logs = some_logs()
    rows = [
        f'{{"id":"{id}","conversation_id":"{id[:2]}","query":"q","answer":"old","created_at":"2023-11-15 10:00:00.5",'
        f'"message_tokens":3,"answer_tokens":4,"model_id":"gpt-4o","parent_message_id":"p","user":"ann"}}'
        for id in sorted(logs.ids("ann"))
    ]
    (tmp_path / "messages.jsonl").write_text("\n".join(rows))
    history = History.from_export(tmp_path / "messages.jsonl")
    if "to" in (place := where()):
        history = History.read(history.to_parquet(place["to"]))
    logs.say("c4", "c4-late", int(time.time()))
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.update(history)
    sound(history, logs.ids("ann"))
    told = history.messages.set_index("message_id")
    assert told.loc["c4-m1", "answer"] == "Answer c4-m1."
    assert told.loc["c4-m1", ["total_tokens", "model", "parent_message_id", "usage_from"]].tolist() == [7, "gpt-4o", "p", "export"]
    assert pd.isna(told.loc["c4-late", "total_tokens"])
    assert told["model"].notna().sum() == len(rows)


# -- users -------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False], ids=["newer server", "1.12"])
def test_users_are_found_in_three_places_and_it_says_who_cannot_be(known: bool) -> None:
    logs = some_logs()
    rate(logs, "c0-m0", "like")
    rate(logs, "c4-m0", "like")
    if known:
        logs.end_users = {"e-bob": "bob", "e-ann": "ann"}
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        tape_of("m", server.url, "carl")
        tape_of("n", "http://elsewhere/v1", "dora")
        users: Any = dify.find_users()
        assert users == {"ann": "client", "carl": "runs", **({"bob": "feedbacks"} if known else {})}
        assert [note for note in users.notes if "cannot be found" in note]
        assert bool([note for note in users.notes if note.startswith("2 users")]) is not known
        assert logs.count("/end-users/e-bob") + logs.count("/end-users/e-ann") == (2 if known else 1)
        history = dify.history(users)
    assert history.users == users
    sound(history, logs.ids() if known else logs.ids("ann"))


def test_a_server_without_ratings_finds_users_too() -> None:
    logs = some_logs(old=True)
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        users: Any = dify.find_users()
    assert users == {"ann": "client"}
    assert any("0.15" in note for note in users.notes)


# -- what is told meanwhile ---------------------------------------------------------------------


def test_progress_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from dify_notebook.frames import progress_bar

    logs = some_logs()
    _, released = held_at(logs, 3)
    line = progress_bar.line

    def seen(state: Any, **how: Any) -> str:
        text = line(state, **how)
        if text.startswith("3/5"):
            released.set()
        return text

    monkeypatch.setattr(progress_bar, "SECONDS", 0.0)
    monkeypatch.setattr(progress_bar, "line", seen)
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        dify.history(concurrency=1, progress=True)
        shown = capsys.readouterr().err.split("\r")
        dify.history(concurrency=1)  # nobody looks: this is no terminal
    assert capsys.readouterr().err == ""
    assert any("3/5 conversations" in line and "s left" in line for line in shown)
    assert any(line.startswith("[############--------] 3/5") for line in shown)
    assert shown[-1].startswith("5 conversations, 24 messages in ")
    assert shown[-1].endswith("\n")
    assert "\n" not in "".join(shown[:-1])


@pytest.mark.parametrize(
    ("done", "listed", "known", "room", "drawn"),
    [
        (0, 10, True, 99, "[--------------------] "),
        (3, 10, True, 13, "[###-------] "),
        (10, 10, True, 8, "[#####] "),
        (5, 10, True, 7, ""),
        (5, 10, False, 99, ""),
        (0, 0, True, 99, ""),
    ],
)
def test_a_bar_where_it_fits(done: int, listed: int, known: bool, room: int, drawn: str) -> None:
    from dify_notebook.frames import progress_bar

    state = Progress()
    state.conversations, state.listed, state.all_listed = done, listed, known
    assert progress_bar.bar(state, room) == drawn
    assert len(drawn) <= room


def test_a_repr_says_what_is_missing_without_key_or_text() -> None:
    logs = some_logs()
    with serving(logs) as server, Dify("app-secretsecret", server.url, "ann") as dify:
        history = dify.history()
    first, *rest = repr(history).splitlines()
    assert first == (
        "<History conversations 5, messages 24>"
    )
    assert rest == list(history.notes)
    assert "'ann'" in rest[0]
    with pytest.raises(KeyError):
        history.table("nonsense")


def test_the_servers_404_is_still_an_error_elsewhere() -> None:
    with serving(Logs(old=True)) as server, Dify("app-x", server.url, "ann") as dify, pytest.raises(NotFoundError):
        dify.app.feedbacks().to_list()




# -- a server that never ends ------------------------------------------------------------------


def for_ever(request: Request, connection: Connection) -> None:
    """Every list goes on for ever, each page with new items."""
    url = httpx.URL(request.path)
    path, told = url.path.removeprefix("/v1"), url.params
    last = int((told.get("last_id") or told.get("first_id") or "1000000").rpartition("-")[2])
    ids = [last - n for n in range(1, 11)]
    data: list[dict[str, Any]] = []
    if path == "/info":
        connection.reply("200 OK", {"name": "a", "mode": "advanced-chat"})
        return
    if path == "/conversations":
        data = [{"id": f"c-{n}", "name": "n", "created_at": n, "updated_at": n} for n in ids]
    elif path == "/messages":
        of = told["conversation_id"]
        data = [{"id": f"{of}-{n}", "query": "q", "answer": "a", "created_at": n} for n in reversed(ids)]
    elif path.endswith("/variables"):
        data = [{"id": f"v-{n}", "name": "n", "value_type": "number", "value": "1"} for n in ids]
    else:  # by page: feedbacks, annotations
        data = [{"id": f"{told['page']}-{n}", "rating": "like", "question": "q", "answer": "a"} for n in range(10)]
    connection.reply("200 OK", {"data": data, "has_more": True})


@pytest.mark.parametrize("parquet", [False, True])
def test_lists_that_never_end_are_failures_and_what_came_is_kept(tmp_path: Path, parquet: bool) -> None:
    options: dict[str, Any] = {"to": tmp_path / "log"} if parquet else {}
    with serving(for_ever) as server, Dify("app-x", server.url, "ann", bounds=Bounds(items=25)) as dify:
        history = dify.history(**options)
    assert not history.facts.complete
    failed = Counter(failure.what for failure in history.failures)
    assert failed == {"conversations": 1, "conversation": 25, "feedbacks": 1, "annotations": 1}
    assert all("25 items" in failure.error for failure in history.failures)
    assert len(history.conversations) == 25
    assert len(history.messages) == 25 * 25
    assert len(history.annotations) == 25


def test_pages_that_are_larger_than_is_taken_are_failures_and_what_came_is_kept() -> None:
    with serving(for_ever) as server, Dify("app-x", server.url, "ann", bounds=Bounds(pages=2_500)) as dify:
        history = dify.history(concurrency=1)
    assert {failure.what for failure in history.failures} == {"conversations", "conversation", "feedbacks", "annotations"}
    assert all("2,500 bytes" in failure.error for failure in history.failures)
    assert len(history.messages) > len(history.conversations) > 10


def test_variables_that_never_end_are_kept(tmp_path: Path) -> None:
    def script(request: Request, connection: Connection) -> None:
        path = httpx.URL(request.path).path
        if path.endswith(("/conversations", "/messages")):
            data = [{"id": "1", "name": "n", "query": "q", "answer": "a", "created_at": 9, "updated_at": 9}]
            connection.reply("200 OK", {"data": data, "has_more": False})
        else:
            for_ever(request, connection)

    with serving(script) as server, Dify("app-x", server.url, "ann", bounds=Bounds(items=25)) as dify:
        history = dify.history()
    assert len(history.variables) == 25
    assert len(history.messages) == 1
    assert "conversation" in {failure.what for failure in history.failures}


def test_what_came_before_a_list_of_conversations_failed_is_kept() -> None:
    def script(request: Request, connection: Connection) -> None:
        url = httpx.URL(request.path)
        if url.path.endswith("/conversations") and url.params.get("last_id"):
            connection.reply("500 X", {"code": "unknown", "message": "broken"})
        elif url.path.endswith("/messages"):
            connection.reply("200 OK", {"data": [], "has_more": False})
        else:
            for_ever(request, connection)

    with serving(script) as server, Dify("app-x", server.url, "ann", retry=0, bounds=Bounds(items=25)) as dify:
        history = dify.history()
    assert len(history.conversations) == 10
    assert "broken" in next(failure.error for failure in history.failures if failure.what == "conversations")
