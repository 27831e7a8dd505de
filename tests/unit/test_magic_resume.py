"""Which run `%dify resume` means, and what a terminal shows of one that pauses and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.human_app import KEY, HumanApp, human
from support.scripted_flow import FLOW_KEY, scripted_flow
from support.shells import shell

import dify_notebook
from dify_notebook import AsyncDify, Dify
from dify_notebook.errors import InputError
from dify_notebook.live.widget import WAITING_KEPT
from dify_notebook.magic.resume import can_go_on, find
from dify_notebook.magic.state import PAUSED, AppSession, State
from dify_notebook.tape import run_store
from dify_notebook.turn.state import Turn


@pytest.fixture
def served() -> Iterator[tuple[HumanApp, str]]:
    app, server = human()
    yield app, server.url
    server.close()
    assert not server.errors


def app_session(url: str, user: str = "anna", label: str = "environment") -> AppSession:
    return AppSession(AsyncDify(KEY, url, user), label)


def asked(url: str, query: str = "ask me", user: str = "anna") -> Turn:
    return app_session(url, user).session.ask(query).result(10)


def test_the_last_run_of_this_kernel_that_waits(served: tuple[HumanApp, str]) -> None:
    mine = app_session(served[1])
    first, _, last = (mine.session.ask(query).result(10) for query in ("ask 1", "hello", "ask 2"))
    found = find(mine, None, {})
    assert found is not None
    assert found.run is last
    last.forms[0].submit(action="approve", inputs={"kind": "x"})
    found = find(mine, None, {})
    assert found is not None
    assert found.run is first
    first.forms[0].submit(action="approve", inputs={"kind": "x"})
    assert find(mine, None, {}) is None


def test_the_last_kept_run_of_this_user_of_this_app_on_this_server(served: tuple[HumanApp, str]) -> None:
    _, url = served
    turn = asked(url)
    found = find(app_session(url), None, {})
    assert found is not None
    assert isinstance(found.run, Turn)
    assert (found.run.workflow_run_id, found.run.query) == (turn.workflow_run_id, "ask me")
    assert (found.run.status, found.run.answer, found.run.source) == ("paused", "Draft. ", "stream")
    assert found.run.forms[0].token is None
    assert find(app_session(url, "boris"), None, {}) is None
    assert find(app_session(url.replace("127.0.0.1", "localhost")), None, {}) is None


def test_a_kept_run_that_ended_since_or_is_damaged_is_none(served: tuple[HumanApp, str]) -> None:
    _, url = served
    asked(url).forms[0].submit(action="approve", inputs={"kind": "x"})
    assert len(run_store().paths()) == 2
    asked(url, "hello")
    assert find(app_session(url), None, {}) is None
    asked(url)
    newest = max(run_store().paths(), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes()[:40])
    assert find(app_session(url), None, {}) is None


def test_a_run_of_a_workflow_app_is_known_by_its_own_id() -> None:
    app, server = scripted_flow()
    try:

        def started_again() -> AppSession:
            return AppSession(AsyncDify(FLOW_KEY, server.url, "anna"), "environment")

        first, last = (started_again().session.ask(inputs={"text": f"cut {n}"}).result(30) for n in (1, 2))
        assert (first.message_id, last.message_id, last.status) == (None, None, "incomplete")
        for turn in (last, first):
            kernel = started_again()
            found = find(kernel, None, {})
            assert found is not None
            assert isinstance(found.run, Turn)
            assert found.run.workflow_run_id == turn.workflow_run_id
            app.follows = True
            assert kernel.session.resume(found.run, keep=True).result(30).outputs == {"report": "late"}
        assert find(started_again(), None, {}) is None
    finally:
        server.close()


@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        (Turn(status="paused", workflow_run_id="r"), True),
        (Turn(status="paused"), False),
        (Turn(status="incomplete", end="disconnected", workflow_run_id="r"), True),
        (Turn(status="incomplete", end="eof", workflow_run_id="r"), True),
        (Turn(status="incomplete", end="disconnected"), False),
        (Turn(status="stopped", end="stopped", workflow_run_id="r"), False),
        (Turn(status="failed", end="error", workflow_run_id="r"), False),
        (Turn(status="succeeded", workflow_run_id="r"), False),
    ],
)
def test_what_can_go_on(turn: Turn, expected: bool) -> None:
    assert can_go_on(turn) is expected


def test_a_variable_or_an_id(served: tuple[HumanApp, str]) -> None:
    mine = app_session(served[1])
    turn = mine.session.ask("ask me").result(10)
    assert turn.workflow_run_id is not None
    found = find(mine, "answer", {"answer": turn})
    assert found is not None
    assert (found.run, found.name) == (turn, "answer")
    found = find(mine, turn.workflow_run_id, {})
    assert found is not None
    assert (found.run, found.name) == (turn, None)
    unknown = "0" * 8 + "-0000" * 3 + "-" + "0" * 12
    found = find(mine, unknown, {})
    assert found is not None
    assert found.run == unknown
    for text, words in (("x", "is neither"), ("answer", "turn without a run")):
        with pytest.raises(InputError, match=words):
            find(mine, text, {"answer": msgspec.structs.replace(turn, workflow_run_id=None)})


def test_a_run_is_gone_on_with_by_whoever_asked_it(served: tuple[HumanApp, str]) -> None:
    mine, state = app_session(served[1]), State()
    bobs = AppSession(AsyncDify(KEY, served[1], "bob"), "bob")
    state.app_sessions = {("1", "", "anna"): mine, ("2", "", "bob"): bobs}
    turn = bobs.session.ask("ask me").result(10)
    for text, name in (("answer", "answer"), (str(turn.workflow_run_id), None)):
        found = find(mine, text, {"answer": turn}, state)
        assert found is not None
        assert (found.app_session, found.run, found.name) == (bobs, turn, name)


def test_a_turn_of_another_server_is_not_asked_for_here(served: tuple[HumanApp, str]) -> None:
    app, url = served
    turn = Dify(KEY, url, "anna").chat.send("ask me")
    found = find(app_session(url), "answer", {"answer": turn})
    assert found is not None
    assert found.run is turn
    other, server = human()
    try:
        with pytest.raises(InputError, match="another app or server") as caught:
            find(app_session(server.url), "answer", {"answer": turn})
    finally:
        server.close()
    assert url in str(caught.value)
    assert other.runs == {}


def test_a_turn_of_another_user_is_asked_for_as_that_one(
    served: tuple[HumanApp, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("API_KEY", KEY), ("BASE_URL", served[1]), ("USER", "anna")):
        monkeypatch.setenv(f"DIFY_{name}", value)
    state = State()
    turn = Dify(KEY, served[1], "bob").chat.send("ask me")
    found = find(state.app_session(None, None, {}), "answer", {"answer": turn}, state)
    assert found is not None
    assert found.app_session.settings.user == "bob"


def test_cells_that_have_ended_take_no_room_from_those_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cell:
        closed = False

        def close(self) -> None:
            self.closed = True

    monkeypatch.setattr("dify_notebook.magic.state.PAUSED", 3)
    state, cells = State(), [Cell() for _ in range(7)]
    paused: Any = state
    for cell in cells[:5]:
        paused.keep_paused(cell)
        if cell is not cells[0]:
            cell.close()
    assert not cells[0].closed
    for cell in cells[5:]:
        paused.keep_paused(cell)
    assert list(paused.paused) == [cells[0], *cells[5:]]
    assert PAUSED >= WAITING_KEPT  # a form in a browser has its cell


def test_a_terminal_prints_on_what_waited_and_what_is_resumed_once(
    served: tuple[HumanApp, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, url = served
    for name, value in (("API_KEY", KEY), ("BASE_URL", url), ("USER", "anna"), ("NOTEBOOK_LANG", "en")):
        monkeypatch.setenv(f"DIFY_{name}", value)
    monkeypatch.setattr(dify_notebook, "last", None, raising=False)
    with shell(monkeypatch, tmp_path) as terminal:
        terminal.run("%load_ext dify_notebook")
        try:
            terminal.run("%%dify -o answer\nask me")
            assert "answer.forms[0].submit(" in capsys.readouterr().out
            terminal.run("%dify resume")
            said = capsys.readouterr().out
            assert said.count("waits for an answer") == 1
            terminal.run("import dify_notebook")
            terminal.run('turn = dify_notebook.last.forms[0].submit(action="approve", inputs={"kind": "x"})')
            said = capsys.readouterr().out
            assert said.startswith("The run goes on\n[ask: approve] Done.")
            assert said.count("Done.") == 1
            assert terminal.shell.user_ns["answer"] is terminal.shell.user_ns["turn"] is dify_notebook.last
        finally:
            terminal.run("%unload_ext dify_notebook")


def test_an_app_that_is_not_in_force_is_gone_on_with_too(
    served: tuple[HumanApp, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, url = served
    monkeypatch.setenv("DIFY_NOTEBOOK_LANG", "en")
    with shell(monkeypatch, tmp_path) as terminal:
        names = terminal.shell.user_ns
        names["anna"], names["boris"] = AsyncDify(KEY, url, "anna"), AsyncDify(KEY, url, "boris")
        terminal.run("%load_ext dify_notebook")
        try:
            terminal.run("%dify use boris")
            terminal.run("%%dify anna -o answer\nask me")
            capsys.readouterr()
            terminal.run("%dify resume")
            assert "no run of this app (boris) waits" in capsys.readouterr().out
            terminal.run("%dify resume answer")
            assert names["answer"].user == "anna"
            terminal.run('answer = answer.forms[0].submit(action="approve", inputs={"kind": "x"})')
            assert names["answer"].status == "succeeded"
        finally:
            terminal.run("%unload_ext dify_notebook")
