"""Apps that are run in a panel: the form, the run, its outputs, and the runs before, as a browser sees them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from support.fake_model import FakeModel, words
from support.panel_apps import Gate
from support.panel_fixtures import Opener, gate, opened, wire
from support.panels import Browser, show
from support.run_apps import run_apps

from dify_notebook import ChatPanel, Dify, Session, Turn, local
from dify_notebook.errors import ConnectError, InputError, NotFoundError
from dify_notebook.local.server.process import LocalServer
from dify_notebook.panel.offers import OFFERS
from dify_notebook.wire.kinds import AppMode

__all__ = ["gate", "opened", "wire"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, gate: Gate) -> Iterator[LocalServer]:
    directory = tmp_path_factory.mktemp("runs")
    with FakeModel(lambda body: words("Dear Ann.")) as model:
        options: dict[str, Any] = {"model_url": model.url, "model": "stub", "pace": 0, "apps": run_apps(gate)}
        with local.serve(data_dir=directory, **options) as running:
            yield running
            gate.open.set()


@pytest.fixture(autouse=True)
def tapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store of this test's own."""
    monkeypatch.setenv("DIFY_NOTEBOOK_DATA_DIR", str(tmp_path / "data"))


def run(page: Browser, **inputs: object) -> None:
    """Press Run, and wait for the end of it."""
    before = page.turns[0]["key"] if page.turns else None
    page.do("ask", query="", inputs=inputs, files=[])
    page.until(lambda: page.turns and page.turns[0]["key"] != before, "another run")
    page.ended(1)


def listed(page: Browser) -> list[dict[str, object]]:
    items: list[dict[str, object]] = page.parts["conversations"]["items"]
    return items


def own(page: Browser) -> list[dict[str, object]]:
    """Lines of runs that are here; the log has those of every user."""
    return [line for line in listed(page) if str(line["id"]).startswith("t")]


def test_every_mode_is_offered_something() -> None:
    assert set(OFFERS) == set(get_args(AppMode))


def test_the_app_says_that_it_is_run(opened: Opener) -> None:
    page = opened("words")
    app = page.parts["app"]
    assert app["mode"] == "workflow"
    assert app["offers"] == {
        "asks": "run", "history": "runs", "conversations": False, "suggestions": False, "annotations": False,
        "variables": False,
    }  # fmt: skip
    assert {field["name"]: field["control"] for field in app["form"]} == {
        "text": "paragraph", "style": "select", "most": "number", "polite": "checkbox", "extra": "json", "paper": "file",
    }  # fmt: skip
    assert not app["annotations"]


def test_a_run_is_shown_with_what_it_gave(opened: Opener) -> None:
    page = opened("words")
    run(page, text="a b a", style="short", most=3, polite=True, extra={"k": [1]})
    [turn] = page.turns
    assert (turn["query"], turn["title"], turn["status"]) == ("", "a b a · short · 3", "succeeded")
    assert turn["can"] == {
        "retry": False, "take_up": True, "read_on": False, "regenerate": True, "rate": False, "annotate": False,
        "speak": True,
    }  # fmt: skip
    html = page.html()
    assert "<strong>3</strong> words" in html
    assert html.index("Say it") < html.index("<strong>3</strong>"), "outputs come last"
    assert page.turn.outputs is not None
    assert page.turn.outputs["table"] == [{"word": "a", "times": 2}, {"word": "b", "times": 1}]
    assert page.turn.inputs is not None
    assert page.turn.inputs["extra"] == {"k": [1]}
    page.until(lambda: len(own(page)) == 1, "the list")
    [line] = own(page)
    assert (line["name"], line["current"], line["status"]) == ("a b a · short · 3", True, "succeeded")
    assert page.parts["conversation"]["totals"].startswith("1 run")
    assert page.parts["conversation"]["inputs"]["text"] == "a b a"


def test_one_run_is_shown_at_a_time_and_others_are_opened(opened: Opener) -> None:
    page = opened("words")
    run(page, text="one")
    run(page, text="one two")
    assert [line["name"] for line in own(page)] == ["one two", "one"]
    assert len(page.turns) == 1
    page.do("open", conversation=own(page)[1]["id"])
    assert page.turns[0]["title"] == "one"
    assert [line["current"] for line in own(page)] == [False, True]
    assert page.turn.outputs
    assert page.turn.outputs["number"] == 1
    assert len(page.panel.turns) == 2
    run(page, text="x y z")
    assert page.turns[0]["title"] == "x y z", "a run that begins is shown"


def test_runs_of_python_and_of_the_session_are_there(opened: Opener, server: LocalServer) -> None:
    session = Session(Dify(server.api_key("words"), server.base_url, user="sessions"))
    session.ask(inputs={"text": "from a cell"}).result(30)
    page = opened("words", session=session)
    page.until(lambda: len(page.turns) == 1 and own(page), "the session's run")
    assert page.turns[0]["title"] == "from a cell"
    session.ask(inputs={"text": "another cell"}, keep=False).result(30)
    page.until(lambda: page.turns[0]["title"] == "another cell", "a run beside the panel")
    turn = page.panel.run({"text": "of Python"}).result(30)
    assert turn.outputs
    assert turn.outputs["number"] == 2
    page.until(lambda: page.turns[0]["title"] == "of Python", "Python's")
    assert page.panel.ask(inputs={"text": "a b c"}).result(30).answer == "**3** words"
    page.until(lambda: len(own(page)) == 4, "four runs")
    with pytest.raises(InputError, match="input"):
        page.panel.ask("a question")
    with pytest.raises(InputError):
        page.panel.new()


def test_inputs_are_checked_before_anything_is_sent_and_each_run_stands_alone(opened: Opener) -> None:
    page = opened("words")
    assert "Text" in page.refused("ask", query="", inputs={}, files=[])
    assert "short, long" in page.refused("ask", query="", inputs={"text": "x", "style": "odd"}, files=[])
    assert page.turns == []
    run(page, text="x", style="long")
    run(page, text="y")
    assert (page.turn.inputs or {}).get("style") is None, "nothing of an earlier run goes with it"
    assert page.parts["conversation"]["inputs"] == {"text": "y"}


@pytest.mark.parametrize("what", ["new", "rename", "delete", "undo", "annotate"])
def test_what_makes_no_sense_is_refused(opened: Opener, what: str) -> None:
    page = opened("words")
    given: dict[str, Any] = {"rename": {"conversation": "x", "name": "y"}, "delete": {"conversation": "x"}, "undo": {"conversation": "x"},
             "annotate": {"key": "t1", "question": "q", "answer": "a"}}  # fmt: skip
    assert "do not have that" in page.refused(what, **given.get(what, {}))


def test_a_run_is_stopped(opened: Opener, gate: Gate) -> None:
    gate.open.clear()
    page = opened("slow")
    page.do("ask", query="", inputs={"q": "x"}, files=[])
    page.until(lambda: page.parts["status"]["running"], "the run")
    page.until(lambda: listed(page) and listed(page)[0]["status"] == "running", "it in the list")
    page.do("stop")
    page.ended(1)
    gate.open.set()
    assert page.turns[0]["status"] == "stopped"
    assert page.turns[0]["say"] == "The run was stopped"
    assert page.turns[0]["can"]["retry"]


def test_a_run_that_fails_can_be_tried_again(opened: Opener) -> None:
    page = opened("words")
    run(page, text="boom")
    assert page.turns[0]["status"] == "failed"
    assert "boom was said" in page.html()
    page.do("retry", key=page.turns[0]["key"])
    page.until(lambda: page.parts["status"]["running"] is None and len(page.panel.session.turns) == 2, "the second")
    page.ended(1)
    assert len(page.panel.turns) == 1, "in its place"


def test_the_servers_log_and_the_tapes_of_this_machine(opened: Opener, server: LocalServer) -> None:
    user = "of-the-log"
    earlier = Session(Dify(server.api_key("words"), server.base_url, user=user))
    turn = earlier.ask(inputs={"text": "long ago", "style": "long"}).result(30)
    other = Dify(server.api_key("words"), server.base_url, user="somebody")
    foreign = other.workflows.run({"text": "theirs"})
    page = opened("words", session=Session(Dify(server.api_key("words"), server.base_url, user=user)))
    page.until(lambda: len(listed(page)) >= 2, "the log")
    lines = {line["id"]: line for line in listed(page)}
    assert "somebody" in str(lines[foreign.workflow_run_id]["facts"])
    assert user not in str(lines[turn.workflow_run_id]["facts"])
    assert page.turns == []

    page.do("open", conversation=turn.workflow_run_id)
    assert page.turns[0]["title"] == "long ago · long"
    [current] = [line for line in listed(page) if line["current"]]
    assert current["when"], "its time, by which the list is in order"
    assert str(current["when"]) in str(lines[turn.workflow_run_id]["name"])
    assert "Say it" in page.html(), "the timeline is of its tape"
    assert page.turn.source == "tape"
    assert page.turn.app_mode == "workflow"
    page.do("regenerate", key=page.turns[0]["key"])
    page.until(lambda: page.turn.source == "stream" and page.parts["status"]["running"] is None, "the same again")
    assert (page.turn.inputs or {})["text"] == "long ago"
    before = len(listed(page))
    page.do("open", conversation=foreign.workflow_run_id)
    shown = page.turn
    assert shown.source == "history"
    assert page.turn.outputs
    assert page.turn.outputs["number"] == 1
    assert "Say it" not in page.html()
    assert len(listed(page)) == before, "what was opened stands where it was"

    page.do("conversations", search="long ago", more=False)
    assert {line["name"] for line in listed(page)} == {"long ago · long"}
    page.do("conversations", search="", more=False)
    page.do("take_up", key=page.turns[0]["key"])
    assert page.parts["conversation"]["inputs"] == {"text": "theirs"}
    assert page.refused("open", conversation="../../etc/passwd")
    with pytest.raises(NotFoundError):
        page.panel.show("00000000-0000-0000-0000-000000000000")


def test_inputs_are_taken_up_again_with_their_files(opened: Opener) -> None:
    page = opened("words")
    page.do("upload", [b"some words"], upload="u1", name="paper.txt", type="text/plain", size=10, field="paper")
    file = page.progress["u1"]["file"]
    run(page, text="with a file", paper=file["id"])
    assert [download["name"] for download in page.turns[0]["downloads"]] == ["paper.txt"]
    key = page.turns[0]["key"]
    run(page, text="without")
    value, _ = page.do("take_up", key=key)
    assert page.parts["conversation"]["inputs"] == {"text": "with a file"}
    [attachment] = value["files"]["paper"]
    assert (attachment["name"], value["left"]) == ("paper.txt", "")
    run(page, text="once more", paper=attachment["id"])
    assert page.turn.outputs
    assert page.turn.outputs["paper"].name == "paper.txt"
    id, _ = page.do("file", key=page.turns[0]["key"], file=page.turns[0]["downloads"][0]["id"])
    assert id["name"] == "paper.txt"

    # One that is opened from the log: the server tells of the file, and takes it again from who sent it.
    run_id = page.turn.workflow_run_id
    again = opened("words", session=Session(page.panel.session.client))
    again.do("open", conversation=run_id)
    value, _ = again.do("take_up", key=again.turns[0]["key"])
    assert [each["name"] for each in value["files"]["paper"]] == ["paper.txt"]
    again.do("regenerate", key=again.turns[0]["key"])
    again.until(lambda: again.turn.source == "stream" and again.parts["status"]["running"] is None, "the same again")
    assert again.turn.outputs
    assert again.turn.outputs["paper"].name == "paper.txt"
    run(again, text="and again", paper=value["files"]["paper"][0]["id"])
    assert again.turns[0]["status"] == "succeeded"


def test_a_completion_is_run_rated_and_remembered_by_this_machine(opened: Opener, server: LocalServer) -> None:
    page = opened("letter")
    assert page.parts["app"]["offers"]["history"] == "here"
    run(page, query="rain", to="Ann")
    assert page.turns[0]["title"] == "rain · Ann"
    assert "Dear Ann." in page.html()
    assert page.turns[0]["can"]["rate"]
    page.do("rate", key=page.turns[0]["key"], rating="like", comment="good")
    assert page.turn.feedback == "like"
    message = page.turn.message_id
    again = opened("letter", session=Session(page.panel.session.client))
    again.until(lambda: listed(again), "the tape")
    assert [line["id"] for line in listed(again)] == [message]
    again.do("open", conversation=message)
    assert "Dear Ann." in again.html()
    assert not again.turns[0]["can"]["regenerate"], "what it was given stands on no tape"
    assert not again.turns[0]["can"]["take_up"]
    assert again.refused("open", conversation="nowhere")


@pytest.mark.parametrize("dialect", ["0.15", "1.12"])
def test_runs_of_older_servers(tmp_path: Path, gate: Gate, dialect: Any) -> None:
    apps = [app for app in run_apps(gate) if app["name"] == "words"]
    with local.serve(data_dir=tmp_path / dialect, pace=0, apps=apps, dialect=dialect) as server:
        elsewhere = Dify(server.api_key("words"), server.base_url, user="somebody").workflows.run({"text": "a b"})
        page = show(ChatPanel(Dify(server.api_key("words"), server.base_url, user="u")))
        page.until(lambda: "app" in page.parts and listed(page), "the app and its log")
        assert page.parts["app"]["mode"] == "workflow"
        page.do("open", conversation=elsewhere.workflow_run_id)
        assert page.turn.outputs
        assert (page.turn.source, page.turn.outputs["number"]) == ("history", 2)
        run(page, text="a b c", polite=True)
        assert page.turn.outputs["number"] == 3
        page.do("conversations", search="a b c", more=False)
        assert [line["name"] for line in listed(page)] == ["a b c"]
        page.panel.close()
    assert page.failures == []


def test_a_server_that_is_not_there_is_named(opened: Opener) -> None:
    with pytest.raises(ConnectError):
        ChatPanel(Dify("app-" + "x" * 24, "http://127.0.0.1:9/v1", user="u")).run({"text": "x"})


def test_what_apps_and_people_say_is_harmless_and_bounded(opened: Opener, server: LocalServer) -> None:
    evil = "<img src=x onerror=alert(1)>\u202e\x1b[31m" + "y" * 200_000
    Dify(server.api_key("words"), server.base_url, user="\u202e<b>evil</b>" + "z" * 100).workflows.run({"text": "theirs"})
    page = opened("words")
    run(page, text="ok")
    turn = Turn(inputs={"text": evil, "deep": [[["x" * 100_000]]]}, status="succeeded", workflow_run_id="\u202e../x")
    page.panel.session.turns.append(turn)
    other = opened("words", session=Session(page.panel.session.client))
    other.panel.session.turns.append(turn)
    other.panel._controller.runs.begin()
    other.until(lambda: own(other), "it in the list")
    for line in listed(other):
        assert len(str(line)) < 500
        assert "\u202e" not in str(line["name"]) + str(line["facts"])
        assert "\x1b" not in str(line["name"])
    assert len(other.turns[0]["title"]) <= 100
    assert "<img" not in other.html()


def test_a_run_that_waits_is_answered_and_goes_on(opened: Opener) -> None:
    page = opened("checked")
    page.do("ask", query="", inputs={"q": "this"}, files=[])
    page.until(lambda: page.turns and page.turns[0]["status"] == "paused" and page.turns[0]["forms"], "its form")
    [form] = page.turns[0]["forms"]
    key, view = page.turns[0]["key"], page.turns[0]["view"]
    page.do("submit", key=key, form=form["place"], action="0", inputs={"0": "fine"})
    page.ended(1)
    [turn] = page.turns
    assert (turn["key"], turn["view"], turn["status"]) == (key, view, "succeeded")
    assert page.turn.outputs == {"note": "fine"}
    assert len(page.panel.session.turns) == 1
    assert [line["status"] for line in own(page)] == ["succeeded"]


def test_what_stays_in_the_notebook(opened: Opener) -> None:
    page = opened("words")
    run(page, text="a <b>b</b>")
    bundle = page.panel._output._transcript.bundle(page.panel._controller.state, "en")
    assert "1 run" in bundle["text/plain"]
    for text in bundle.values():
        assert "words" in text
        assert "<b>b</b>" not in text or text is bundle["text/plain"] or "`" in text
    assert "a &lt;b&gt;b&lt;/b&gt;" in bundle["text/html"]
