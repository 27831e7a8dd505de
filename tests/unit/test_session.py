"""A session holds a conversation; a run streams beside whoever looks at it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.raw_server import Connection, Request, serving

from dify_notebook import Dify, Session
from dify_notebook.errors import AuthenticationError, InputError, TapeGone
from dify_notebook.tape import RunStore, Tape, keeper, run_store


class Chat:
    """A server that keeps conversations, and waits where it is told to."""

    def __init__(self, wait: bool = False) -> None:
        self.release = threading.Event()
        self.wait = wait
        self.count = 0

    def __call__(self, request: Request, connection: Connection) -> None:
        if request.path.endswith("/stop"):
            self.release.set()
            connection.reply("200 OK", {"result": "success"})
            return
        self.count += 1
        conversation = request.json["conversation_id"] or f"c-{self.count}"
        ids = {"task_id": "t", "message_id": f"m-{self.count}", "conversation_id": conversation}
        connection.head()
        connection.event(event="message", answer="one ", **ids)
        if self.wait:
            assert self.release.wait(10)
        connection.event(event="message", answer=request.json["query"], **ids)
        connection.event(event="message_end", metadata={}, **ids)
        connection.end()


def session(url: str, **more: Any) -> Session:
    return Session(Dify("app-x", url, "u"), **more)


def test_turns_go_on_in_the_conversation_and_are_counted() -> None:
    with serving(Chat()) as server:
        talk = session(server.url)
        first, second = talk.ask("a").result(10), talk.ask("b").result(10)
        assert (first.conversation_id, second.conversation_id) == ("c-1", "c-1")
        assert (first.turn_number, second.turn_number) == (1, 2)
        once = talk.ask("c", conversation_id=None, keep=False).result(10)
        assert (once.conversation_id, once.turn_number, talk.conversation_id) == ("c-3", 1, "c-1")
        talk.new()
        assert talk.ask("d").result(10).conversation_id == "c-4"
        assert talk.ask("e", conversation_id="from-elsewhere").result(10).turn_number is None
        assert [turn.query for turn in talk.turns] == ["a", "b", "c", "d", "e"]
        assert talk.running is None


def test_a_run_can_be_watched_while_it_goes_on() -> None:
    chat = Chat(wait=True)
    with serving(chat) as server:
        run = session(server.url).ask("x")
        while not run.turn.answer:
            assert run.wait(10)
        assert (run.turn.answer, run.turn.status, run.done) == ("one ", "running", False)
        assert run.turn is run.turn  # nothing is built anew while nothing changes
        assert run.now > 0
        chat.release.set()
        assert run.result(10).answer == "one x"
        assert run.done
        assert run.wait(0)


def test_a_run_is_stopped_from_another_thread() -> None:
    with serving(Chat(wait=True)) as server:
        run = session(server.url).ask("x")
        while not run.turn.answer:
            assert run.wait(10)
        assert run.stop().result(10) is True
        turn = run.result(10)
        assert (turn.status, turn.stop_confirmed) == ("stopped", True)


def test_a_refusal_is_kept_and_can_be_raised() -> None:
    answer = {"code": "unauthorized", "message": "Access token is invalid", "status": 401}
    with serving(lambda request, connection: connection.reply("401 Unauthorized", answer)) as server:
        run = session(server.url).ask("x")
        turn = run.result(10)
        assert turn.error is not None
        assert (turn.status, turn.error.code) == ("failed", "unauthorized")
        with pytest.raises(AuthenticationError) as caught:
            run.raise_for_status()
        assert caught.value.turn is turn


def test_a_question_that_is_refused_before_it_is_sent_has_failed(tmp_path: Path) -> None:
    with serving(Chat()) as server:
        talk = session(server.url)
        turn = talk.ask("x", files=[tmp_path / "none.txt"]).result(10)
        assert server.requests == []
    assert turn.error is not None
    assert (turn.query, turn.status, turn.error.code) == ("x", "failed", "file")
    assert "none.txt" in turn.error.message
    assert [one.status for one in talk.turns] == ["failed"]


def test_mistakes_are_told_where_they_are_made() -> None:
    with serving(Chat()) as server, pytest.raises(InputError):
        session(server.url).ask(3)  # type: ignore[arg-type]  # a mistake on purpose


def test_every_run_leaves_a_tape() -> None:
    with serving(Chat()) as server:
        session(server.url).ask("x").result(10)
    tape = Tape.load(run_store().paths()[-1])
    assert (tape.header.query, tape.header.message_id, tape.header.status) == ("x", "m-1", "succeeded")
    assert tape.replay().answer == "one x"


def test_a_store_that_cannot_be_written_does_not_lose_the_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with serving(Chat()) as server:
        turn = session(server.url, store=RunStore(blocked / "runs")).ask("x").result(10)
    assert turn.answer == "one x"
    assert "could not be kept" in caplog.text


def test_listeners_are_told_of_each_run_and_none_can_break_it() -> None:
    with serving(Chat()) as server:
        talk = session(server.url)
        told: list[tuple[str, bool, int]] = []
        talk.subscribe(lambda run, ended: 1 / 0)
        end = talk.subscribe(lambda run, ended: told.append((run.query, ended, len(talk.turns))))
        talk.ask("a").result(10)
        end()
        talk.ask("b").result(10)
        assert told == [("a", False, 0), ("a", True, 1)]


def test_several_watch_one_run() -> None:
    chat = Chat(wait=True)
    with serving(chat) as server:
        talk = session(server.url)
        run = talk.ask("x")
        watchers = [threading.Event(), threading.Event()]
        for event in watchers:
            run.watch(event)
        while not run.turn.answer:
            assert all(event.wait(10) for event in watchers)
            for event in watchers:
                event.clear()
        assert talk.stop() is not None
        run.result(10)
        assert all(event.wait(10) for event in watchers)
        assert talk.stop() is None


def test_one_picture_that_does_not_come_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dify_notebook.net.background.PICTURE_SECONDS", 0.5)
    over = threading.Event()

    def script(request: Request, connection: Connection) -> None:
        if request.path == "/slow.png":
            over.wait(10)
        elif request.method == "GET":
            connection.reply("200 OK", b"\x89PNG", "image/png")
        else:
            ids = {"task_id": "t", "message_id": "m", "conversation_id": "c"}
            connection.head()
            for name in ("one.png", "slow.png", "two.png"):
                connection.event(event="message_file", type="image", id=name, url=f"/{name}", **ids)
            connection.event(event="message_end", metadata={}, **ids)
            connection.end()

    with serving(script) as server:
        files = session(server.url).ask("q").result(10).files or ()
        over.set()
    assert [(file.id, file.data) for file in files] == [("one.png", b"\x89PNG"), ("slow.png", None), ("two.png", b"\x89PNG")]
    assert "127.0.0.1" in (files[1].data_error or "")


def test_a_picture_that_cannot_be_fetched_costs_nobody_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no picture")

    def script(request: Request, connection: Connection) -> None:
        ids = {"task_id": "t", "message_id": "m", "conversation_id": "c"}
        connection.head()
        connection.event(event="message", answer="See: ", **ids)
        connection.event(event="message_file", type="image", id="one.png", url="/one.png", **ids)
        connection.event(event="message_end", metadata={}, **ids)
        connection.end()

    with serving(script) as server:
        talk = session(server.url)
        monkeypatch.setattr(talk.client.files, "fetch", fails)
        turn = talk.ask("q").result(10)
    assert (turn.answer, turn.status) == ("See: ", "succeeded")
    assert [file.data_error for file in turn.files or ()] == ["RuntimeError: no picture"]


def test_a_run_that_is_let_go_does_not_move_the_session() -> None:
    chat = Chat(wait=True)
    with serving(chat) as server:
        talk = session(server.url)
        run = talk.ask("x")
        run.keep = False
        chat.release.set()
        assert run.result(10).conversation_id == "c-1"
        assert talk.conversation_id is None


def test_a_rated_turn_takes_the_place_of_the_unrated() -> None:
    import msgspec

    with serving(Chat()) as server:
        talk = session(server.url)
        first, second = talk.ask("a").result(10), talk.ask("b").result(10)
        talk.replace(msgspec.structs.replace(first, feedback="like"))
        assert [turn.feedback for turn in talk.turns] == ["like", None]
        assert talk.turns[1] is second


def test_the_oldest_turns_are_read_from_their_tapes(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    with serving(Chat()) as server:
        talk = session(server.url, store=store, keep=3)
        had = [talk.ask(f"q{number}").result(10) for number in range(5)]
    assert [turn.query for turn in talk.turns] == ["q0", "q1", "q2", "q3", "q4"]
    assert [turn.source for turn in talk.turns] == ["tape", "tape", "stream", "stream", "stream"]
    assert talk.turns[-1] is had[-1]
    first = talk.turns[0]
    assert (first.answer, first.turn_number, first.message_id) == ("one q0", 1, "m-1")
    assert len(first.events or ()) == len(had[0].events or ()) == 3
    talk.replace(msgspec.structs.replace(first, feedback="like"))
    assert [turn.feedback for turn in talk.turns] == ["like", None, None, None, None]
    store.paths()[1].unlink()
    with pytest.raises(TapeGone, match="the events are gone"):
        talk.turns[1]
    assert had[1].answer == "one q1"
    assert [turn.query for turn in talk.turns.of("c-1")] == ["q0", "q2", "q3", "q4"]
    assert len(talk.turns) == 5
    del talk.turns[:2]
    assert talk.turns == had[2:]


def test_without_a_store_the_newest_events_stay_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "UNSTORED", 2)
    store = RunStore(tmp_path / "runs")
    store.enabled = False
    with serving(Chat()) as server:
        talk = session(server.url, store=store, keep=3)
        had = [talk.ask(f"q{number}").result(10) for number in range(5)]
    assert talk.turns == had  # nothing else has them
    assert [turn.answer for turn in had] == [f"one q{number}" for number in range(5)]
    assert [len(turn.events or ()) for turn in had[3:]] == [3, 3]
    for turn in had[:3]:
        with pytest.raises(TapeGone, match="not stored, and only the newest 2"):
            len(turn.events or ())
        assert "gone" in repr(turn.events)


def test_without_a_store_long_events_go_earlier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "UNSTORED_BYTES", 1)
    store = RunStore(tmp_path / "runs")
    store.enabled = False
    with serving(Chat()) as server:
        talk = session(server.url, store=store)
        had = [talk.ask(f"q{number}").result(10) for number in range(2)]
    assert ["gone" in repr(turn.events) for turn in had] == [True, False]
