"""Talking in a panel: every command of the browser, over a real server, seen as a browser sees it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.panel_apps import Gate
from support.panel_fixtures import *  # noqa: F403  (fixtures)
from support.panel_fixtures import Opener
from support.panels import show

from dify_notebook import AsyncDify, ChatPanel, Dify, Session
from dify_notebook.errors import InputError
from dify_notebook.local.server.process import LocalServer
from dify_notebook.panel import handlers, readers
from dify_notebook.panel.controller import Controller
from dify_notebook.panel.state import Item
from dify_notebook.panel.store import replace
from dify_notebook.turn.state import Turn


def test_the_app_introduces_itself(opened: Opener) -> None:
    app = opened().parts["app"]
    assert (app["name"], app["mode"], app["icon"]["emoji"]) == ("desk", "advanced-chat", "🗂")
    assert app["suggested"] == ["What is in the form?"]
    assert app["speech_to_text"]
    assert app["text_to_speech"]
    assert app["autoplay"]
    assert app["annotations"]
    assert app["files"]["number"] == 2
    assert ".pdf" in app["files"]["extensions"]
    assert "2 files" in app["files"]["rules"]
    assert app["files"]["sizes"]["image"] == 10 * 1024 * 1024
    opening = str(app["opening"])
    assert "<strong>Hello.</strong>" in opening
    assert "<b>" not in opening
    fields = {field["name"]: field for field in app["form"]}
    assert [field["control"] for field in fields.values()] == [
        "text-input", "select", "number", "checkbox", "json", "file",
    ]  # fmt: skip
    assert (fields["city"]["required"], fields["city"]["max_length"]) == (True, 12)
    assert fields["style"]["options"] == ["short", "long"]
    assert ".txt" in fields["paper"]["accept"]


def test_a_question_is_asked_answered_and_kept(opened: Opener) -> None:
    page = opened()
    page.ask("What now?", {"city": "Paris"})
    page.ended(1)
    turn = page.turns[0]
    assert (turn["query"], turn["status"]) == ("What now?", "succeeded")
    assert "<strong>What now? in Paris</strong>" in page.html()
    assert turn["can"] == {
        "retry": False, "take_up": False, "read_on": False, "regenerate": True, "rate": True, "annotate": True,
        "speak": True,
    }  # fmt: skip
    page.until(lambda: page.turns[0]["suggested"] == ["And then?"], "the next question")
    page.until(lambda: page.parts["conversations"]["items"], "the list")
    [listed] = page.parts["conversations"]["items"]
    assert listed["current"]
    assert page.parts["conversation"]["id"] == listed["id"]
    assert page.parts["conversation"]["inputs"]["city"] == "Paris"
    assert page.parts["conversation"]["totals"].startswith("1 turn")
    assert page.panel.turns[0].answer == "You said: **What now? in Paris**"
    assert page.panel.turn is page.panel.turns[0]
    assert page.panel.session.turns[0].message_id == turn["message_id"]


def test_inputs_are_remembered_and_checked_before_anything_is_sent(opened: Opener) -> None:
    page = opened()
    assert "City" in page.refused("ask", query="x", inputs={}, files=[])
    assert "12" in page.refused("ask", query="x", inputs={"city": "x" * 13}, files=[])
    assert "short, long" in page.refused("ask", query="x", inputs={"city": "x", "style": "odd"}, files=[])
    assert "Count" in page.refused("ask", query="x", inputs={"city": "x", "count": "many"}, files=[])
    assert "Extra" in page.refused("ask", query="x", inputs={"city": "x", "extra": "[1"}, files=[])
    assert "nowhere" in page.refused("ask", query="x", inputs={"nowhere": "x"}, files=[])
    assert "empty" in page.refused("ask", query=" ", inputs={"city": "x"}, files=[])
    assert page.turns == []
    page.ask("one", {"city": "Rome", "count": "3", "formal": "true", "extra": '{"a": 1}'})
    page.ended(1)
    page.ask("two")
    page.ended(2)
    assert "two in Rome" in page.html()
    sent = page.turn.inputs or {}
    assert (sent["extra"], sent["count"]) == ({"a": 1}, 3)


def test_questions_queue_behind_a_running_answer(opened: Opener, gate: Gate) -> None:
    gate.open.clear()
    page = opened("held")
    page.ask("one")
    page.until(lambda: page.parts["status"]["running"] and "First." in page.html(), "the first words")
    page.ask("two")
    page.ask("three")
    page.until(lambda: len(page.parts["queue"]) == 2, "two that wait")
    assert [one["query"] for one in page.parts["queue"]] == ["two", "three"]
    page.do("unqueue", queue=page.parts["queue"][1]["id"])
    question = page.panel.ask("from Python")
    assert question.status == "waiting"
    gate.open.set()
    page.ended(3)
    assert [turn["query"] for turn in page.turns] == ["one", "two", "from Python"]
    assert question.result(10).answer == "First. Second: from Python."
    assert len({turn.conversation_id for turn in page.panel.turns}) == 1
    assert page.parts["queue"] == []


def test_stop_ends_the_answer_and_keeps_what_came(opened: Opener, gate: Gate) -> None:
    gate.open.clear()
    page = opened("held")
    assert "running" in page.refused("stop")
    page.ask("one")
    page.until(lambda: page.turns and "First." in page.html(), "the first words")
    page.do("stop")
    page.ended(1)
    assert page.turns[0]["status"] == "stopped"
    assert page.turns[0]["can"]["retry"]
    assert page.turn.answer.startswith("First. ")
    assert "one" not in page.turn.answer
    gate.open.set()
    page.do("retry", key=page.turns[0]["key"])
    page.until(lambda: page.turns[0]["status"] == "succeeded" and "Second: one." in page.html(), "the other answer")
    assert len(page.turns) == 1
    assert not page.panel.stop()


def test_an_answer_is_given_again_as_a_new_turn(opened: Opener) -> None:
    page = opened()
    page.ask("same", {"city": "Oslo"})
    page.ended(1)
    page.do("regenerate", key=page.turns[0]["key"])
    page.ended(2)
    assert [turn["query"] for turn in page.turns] == ["same", "same"]
    assert page.turns[0]["message_id"] != page.turns[1]["message_id"]


def test_a_failed_answer_says_why_and_can_be_tried_again(opened: Opener, server: LocalServer) -> None:
    page = opened()
    server.faults.once("error=3")
    page.ask("x", {"city": "Bern"})
    page.ended(1)
    assert page.turns[0]["status"] == "failed"
    assert "dn-nbad" in page.html()
    page.do("retry", key=page.turns[0]["key"])
    page.until(lambda: page.turns[0]["status"] == "succeeded" and "dn-nbad" not in page.html(), "success")
    assert len(page.turns) == 1


def test_what_waits_behind_a_failed_answer_is_told_and_follows_the_next(opened: Opener, server: LocalServer) -> None:
    page = opened()
    server.faults.once("latency=1, error=3")
    page.ask("x", {"city": "Bern"})
    page.ask("y", {"city": "Bern"})
    page.until(lambda: page.parts["queue"], "one that waits")
    page.ended(1)
    page.until(lambda: page.parts["status"]["error"], "the notice")
    assert "still wait" in page.parts["status"]["error"]["message"]
    assert [one["query"] for one in page.parts["queue"]] == ["y"]
    page.do("retry", key=page.turns[0]["key"])
    page.ended(2)
    assert [(turn["query"], turn["status"]) for turn in page.turns] == [("x", "succeeded"), ("y", "succeeded")]
    assert page.parts["status"]["error"] is None


def test_rating_comment_and_revoking_are_seen_in_python_and_on_the_server(opened: Opener) -> None:
    page = opened()
    page.ask("x", {"city": "Bonn"})
    page.ended(1)
    key, message = page.turns[0]["key"], page.turns[0]["message_id"]
    page.do("rate", key=key, rating="dislike", comment="too short")
    page.until(lambda: page.turns[0]["rating"] == "dislike", "the rating")
    assert page.turns[0]["comment"] == "too short"
    assert page.turn.feedback == "dislike"
    assert page.panel.session.turns[0].feedback == "dislike"
    assert page.panel.ratings[message].comment == "too short"
    client = page.panel.session.client
    [told] = [one for one in page.panel.session.call(client.app.feedbacks().to_list()) if one.message_id == message]
    assert (told.rating, told.content) == ("dislike", "too short")
    page.panel.rate("like")
    page.until(lambda: page.turns[0]["rating"] == "like", "Python's rating")
    page.do("rate", key=key, rating=None, comment=None)
    page.do("rate", key=key, rating=None, comment=None)
    page.until(lambda: page.turns[0]["rating"] is None, "no rating")
    assert page.panel.ratings == {}


def test_an_annotation_is_made_of_a_turn(opened: Opener) -> None:
    page = opened()
    page.ask("x", {"city": "Kiel"})
    page.ended(1)
    key = page.turns[0]["key"]
    assert "question and an answer" in page.refused("annotate", key=key, question="", answer="y")
    page.do("annotate", key=key, question="panel question", answer="panel answer")
    page.until(lambda: page.turns[0]["annotated"], "the mark")
    kept = page.panel.session.call(page.panel.session.client.annotations.list(keyword="panel question").to_list())
    assert [(one.question, one.answer) for one in kept] == [("panel question", "panel answer")]
    assert page.panel.annotate(question="q2").answer == page.turn.answer
    assert page.panel.ratings[page.turns[0]["message_id"]].annotated


def test_two_panels_show_one_session(opened: Opener) -> None:
    first = opened()
    second = opened(session=first.panel.session)
    first.ask("shared", {"city": "Riga"})
    first.ended(1)
    second.ended(1)
    second.do("rate", key=second.turns[0]["key"], rating="like", comment=None)
    first.until(lambda: first.turns[0]["rating"] == "like", "the other's rating")
    first.panel.session.ask("by the session", inputs={"city": "Riga"})
    first.ended(2)
    second.ended(2)
    assert first.html() == second.html()
    assert "by the session in Riga" in second.html()
    first.panel.close()
    second.ask("alone")
    second.ended(3)


def test_a_session_that_has_talked_is_shown_as_it_is(opened: Opener, server: LocalServer) -> None:
    session = Session(AsyncDify(server.api_key("desk"), server.base_url, user="earlier"))
    session.ask("before", inputs={"city": "Cork"}).result(10)
    page = opened(session=session)
    page.ended(1)
    assert "before in Cork" in page.html()
    assert not page.parts["conversation"]["older"]


def test_python_is_told_of_every_turn_and_a_broken_callback_stops_nothing(
    opened: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    page = opened()
    queries: list[str | None] = []

    def broken(turn: Turn) -> None:
        raise ValueError(f"no use for {turn.query}\nat all")

    line = broken.__code__.co_firstlineno + 1
    ended = page.panel.on_turn(broken)
    end = page.panel.on_turn(lambda turn: queries.append(turn.query))
    page.ask("a", {"city": "Lund"})
    page.ended(1)
    page.panel.ask("b").result(10)
    end()
    # It is said in the panel, and in one line on the log.
    page.until(lambda: "for b" in str(page.parts["status"]["error"]))
    message = f"broken, given to on_turn, failed in line {line}: ValueError: no use for b at all"
    assert message in page.parts["status"]["error"]["message"]
    assert [message in each.getMessage() for each in caplog.records if each.levelname == "ERROR"] == [False, True]
    assert all(each.exc_info is None for each in caplog.records if each.levelname != "DEBUG")
    ended()
    page.panel.ask("c").result(10)
    page.ended(3)
    assert queries == ["a", "b"]
    assert page.parts["status"]["error"] is None

    page.panel.on_turn(lambda: None)  # type: ignore[arg-type, misc]
    page.panel.ask("d").result(10)
    page.until(lambda: "given to on_turn, failed: TypeError" in str(page.parts["status"]["error"]))


def test_what_a_stranger_sends_is_answered_and_harmless(opened: Opener) -> None:
    page = opened()
    assert "versions" in page.refused("dance")
    assert "no such" in page.refused("rate", key="nowhere", rating="like", comment=None)
    page.panel._handle_msg({"content": {"data": {"method": "custom", "content": "stop"}}, "buffers": []})
    page.ask("still here", {"city": "Graz"})
    page.ended(1)


def test_a_browser_that_comes_later_gets_everything(opened: Opener) -> None:
    page = opened()
    page.ask("x", {"city": "Nice"})
    page.ended(1)
    page.until(lambda: page.turns[0]["suggested"], "what follows the turn")
    again = show(page.panel)
    assert (again.turns, again.parts) == (page.turns, page.parts)
    assert again.html() == page.html()
    assert again.texts["send"] == "Send"


def test_the_browser_chooses_the_language_unless_python_has(opened: Opener) -> None:
    page = opened()
    page.ask("x", {"city": "Köln"})
    page.ended(1)
    page.do("hello", lang=["fr", "zh-CN", "en"], have=0)
    assert page.lang == "zh-Hans"
    assert page.texts["send"] == "发送"
    assert page.parts["conversation"]["totals"].startswith("1 轮")
    fixed = opened(lang="en")
    fixed.do("hello", lang=["zh-CN"], have=0)
    assert fixed.lang == "en"


def test_what_cannot_be_shown_is_refused_when_the_panel_is_made(server: LocalServer) -> None:
    dify = Dify(server.api_key("guide"), server.base_url, user="u")
    for given in ({"dify": "app-x"}, {"dify": dify, "session": Session(dify)}, {"dify": dify, "height": 7},
                  {"dify": dify, "lang": "fr"}):  # fmt: skip
        with pytest.raises(InputError):
            ChatPanel(**given)


def test_a_wrong_key_is_told_with_what_to_do(server: LocalServer) -> None:
    panel = ChatPanel(Dify("app-" + "x" * 24, server.base_url, user="u"))
    page = show(panel)
    page.until(lambda: page.parts["status"]["error"], "the error")
    assert not page.parts["status"]["connected"]
    assert page.parts["status"]["error"]["hint"]
    panel.close()


def test_the_list_pages_searches_renames_and_finds_names(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "PAGE", 2)
    page = opened()
    for city in ("Ulm", "Bonn", "Trier"):
        page.do("new")
        page.ask(f"about {city}", {"city": city})
        page.ended(1)
    page.do("conversations", search="", more=False)
    assert len(page.parts["conversations"]["items"]) == 2
    assert page.parts["conversations"]["more"]
    page.do("conversations", search="", more=True)
    names = [one["name"].lower() for one in page.parts["conversations"]["items"]]
    assert sorted(names) == ["about bonn", "about trier", "about ulm"]
    assert not page.parts["conversations"]["more"]
    page.do("conversations", search="ulm", more=False)
    [found] = page.parts["conversations"]["items"]
    page.do("rename", conversation=found["id"], name="Minster")
    page.until(lambda: page.parts["conversations"]["items"][0]["name"] == "Minster", "the new name")
    assert "empty" in page.refused("rename", conversation=found["id"], name=" ")
    page.do("rename", conversation=found["id"], name=None)
    page.until(lambda: page.parts["conversations"]["items"][0]["name"] not in ("", "Minster"), "a found name")


def test_a_long_list_is_read_once_and_searched_to_its_end(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "PAGE", 3)
    monkeypatch.setattr(readers, "SEARCH_LIMIT", 4)
    page = opened()
    client = page.panel.session.client
    for n in range(10):
        page.panel.session.call(client.chat.send(f"about {'Ulm' if n < 2 else 'Bonn'} {n}", inputs={"city": "Ulm"}))
    requests: list[int] = []
    whole = client.conversations.list

    def counted(**given: Any) -> Any:
        requests.append(given["page_size"])
        return whole(**given)

    monkeypatch.setattr(client.conversations, "list", counted)

    def names() -> list[str]:
        return [one["name"].lower() for one in page.parts["conversations"]["items"]]

    page.do("conversations", search="", more=False)
    for shown in (6, 9, 10):
        assert page.parts["conversations"]["more"]
        page.do("conversations", search="", more=True)
        assert len(names()) == len(set(names())) == shown
    assert not page.parts["conversations"]["more"]
    assert len(requests) == 1, "each page once, however far one scrolls"

    # A search looks a while, and goes on when asked to.
    page.do("conversations", search="ulm", more=False)
    assert (names(), page.parts["conversations"]["more"]) == ([], True)
    page.do("conversations", search="ulm", more=True)
    page.do("conversations", search="ulm", more=True)
    assert (names(), page.parts["conversations"]["more"]) == (["about ulm 1", "about ulm 0"], False)

    # What is about to be deleted does not come back with another search.
    [first, _] = page.parts["conversations"]["items"]
    page.do("delete", conversation=first["id"])
    page.do("conversations", search="", more=False)
    page.do("conversations", search="ulm", more=False)
    page.do("conversations", search="ulm", more=True)
    page.do("conversations", search="ulm", more=True)
    assert names() == ["about ulm 0"]

    # A conversation that begins while a search is shown gets its name all the same.
    page.ask("about Trier", {"city": "Trier"})
    page.until(lambda: page.parts["conversation"]["name"].lower() == "about trier", "its name")
    assert names() == ["about ulm 0"]


def test_deleting_waits_for_an_undo(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened()
    page.ask("x", {"city": "Jena"})
    page.ended(1)
    page.until(lambda: page.parts["conversations"]["items"], "the list")
    [listed] = page.parts["conversations"]["items"]
    page.do("delete", conversation=listed["id"])
    page.until(lambda: page.parts["conversations"]["items"] == [], "an empty list")
    assert page.parts["conversations"]["deleted"]["id"] == listed["id"]
    assert page.parts["conversation"]["id"] is None
    page.do("undo", conversation=listed["id"])
    page.until(lambda: page.parts["conversations"]["items"], "the list again")
    assert page.parts["conversations"]["deleted"] is None
    assert "late" in page.refused("undo", conversation=listed["id"])
    page.do("open", conversation=listed["id"])
    page.ended(1)
    Controller.of(page.panel.session).deletions._seconds = 0.05
    page.do("delete", conversation=listed["id"])
    page.until(lambda: page.parts["conversations"]["deleted"] is None, "the end of it")
    client = page.panel.session.client
    assert page.panel.session.call(client.conversations.list().to_list()) == []


def test_a_panel_that_is_closed_deletes_what_waits_for_it(opened: Opener) -> None:
    page = opened()
    page.ask("x", {"city": "Gera"})
    page.ended(1)
    page.until(lambda: page.parts["conversations"]["items"], "the list")
    controller = Controller.of(page.panel.session)
    page.do("delete", conversation=page.parts["conversations"]["items"][0]["id"])
    waiting = list(controller._futures)
    page.panel.close()
    for task in waiting:
        task.result(10)
    assert page.panel.session.call(page.panel.session.client.conversations.list().to_list()) == []


def test_earlier_messages_load_upward_and_the_conversation_goes_on(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened()
    for at in range(3):
        page.ask(f"m{at}", {"city": "Hof"})
        page.ended(at + 1)
    conversation = page.parts["conversation"]["id"]
    later = opened(conversation_id=conversation)
    later.ended(3)
    monkeypatch.setattr("dify_notebook.panel.history.MessageReader.more.__defaults__", (2,))
    page.do("new")
    page.ended(0)
    page.do("open", conversation=conversation)
    page.ended(2)
    assert [turn["query"] for turn in page.turns] == ["m1", "m2"]
    assert page.parts["conversation"]["older"]
    assert page.panel.turns[0].source == "history"
    page.ask("m3")
    page.ended(3)
    before = len(page.log)
    page.do("older")
    page.ended(4)
    assert [turn["query"] for turn in page.turns] == ["m0", "m1", "m2", "m3"]
    # What is put above the reader does not grow there: its blocks come first. And it is there when it is said to be.
    came = [(m["kind"], m.get("part") or m.get("where") or m.get("patch", {}).get("view")) for m in page.log[before:]]
    blocks, turns = came.index(("patch", page.turns[0]["view"])), came.index(("turns", "older"))
    loaded = max(at for at, what in enumerate(came) if what == ("state", "conversation"))
    assert blocks < turns < loaded
    assert not page.parts["conversation"]["older"]
    assert "m0 in Hof" in page.html(0)
    assert {turn.conversation_id for turn in page.panel.turns} == {conversation}
    assert page.panel.export().count("## Question") == 4


def test_an_export_has_what_was_not_loaded(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened()
    for at in range(3):
        page.ask(f"m{at}", {"city": "Hof"})
        page.ended(at + 1)
    conversation = page.parts["conversation"]["id"]
    monkeypatch.setattr("dify_notebook.panel.history.MessageReader.more.__defaults__", (1,))
    page.do("new")
    page.do("open", conversation=conversation)
    page.ended(1)
    value, _ = page.do("export", as_="markdown")
    assert value["name"].endswith(".md")
    assert value["text"].splitlines()[2].startswith("## Question 1")
    assert [f"m{at}" in value["text"] for at in range(3)] == [True] * 3
    value, _ = page.do("export", as_="cells")
    assert value["name"].endswith(".ipynb")
    cells = ["".join(cell["source"]) for cell in json.loads(value["text"])["cells"]]
    asked = [cell for cell in cells if cell.startswith("%%dify")]
    assert [cell.startswith("""%%dify --no-vars --inputs '{"city": "Hof\"""") for cell in asked] == [True] * 3
    assert [cell.partition("\n")[2] for cell in asked] == ["m0", "m1", "m2"]


def test_an_answer_goes_on_out_of_sight_and_is_found_again(opened: Opener, gate: Gate) -> None:
    gate.open.clear()
    page = opened("held")
    page.ask("one")
    page.until(lambda: page.turns and "First." in page.html(), "the first words")
    page.ask("waiting")
    page.until(lambda: page.parts["queue"], "one that waits")
    conversation = page.turn.conversation_id
    page.do("new")
    page.ended(0)
    assert page.parts["queue"] == []
    page.do("open", conversation=conversation)
    page.until(lambda: page.parts["status"]["running"] and page.parts["queue"], "the running answer")
    assert len(page.turns) == 1
    page.do("new")
    gate.open.set()
    page.until(lambda: len(page.panel.session.turns) == 2, "both answers")
    page.ended(0)
    assert page.panel.session.conversation_id is None
    assert {turn.conversation_id for turn in page.panel.session.turns} == {conversation}
    page.do("open", conversation=conversation)
    page.ended(2)


def test_variables_are_shown_and_set(opened: Opener) -> None:
    page = opened()
    page.do("variables")
    assert page.parts["variables"] == {"items": []}
    page.ask("x", {"city": "Suhl"})
    page.ended(1)
    page.do("variables")
    page.until(lambda: len(page.parts["variables"]["items"]) == 2, "two variables")
    held = {one["name"]: one for one in page.parts["variables"]["items"]}
    assert (held["asked"]["value"], held["asked"]["description"]) == ("1", "How often")
    page.do("set_variable", variable=held["names"]["id"], value='["b", "c"]')
    page.until(lambda: '["b", "c"]' in [one["value"] for one in page.parts["variables"]["items"]], "the value")
    assert "JSON" in page.refused("set_variable", variable=held["names"]["id"], value="[b")
    page.ask("y")
    page.ended(2)
    page.until(lambda: "2" in [one["value"] for one in page.parts["variables"]["items"]], "what the turn changed")


def test_errors_come_in_the_browser_s_language(opened: Opener) -> None:
    page = opened()
    page.do("hello", lang=["zh-CN"], have=0)
    assert "请填写" in page.refused("ask", query="x", inputs={}, files=[])
    with pytest.raises(InputError, match="Fill in"):
        page.panel.ask("x")


def test_a_question_waits_for_the_app_s_form(server: LocalServer) -> None:
    """What is asked at once is checked all the same."""
    panel = ChatPanel(Dify(server.api_key("desk"), server.base_url, user="at-once"))
    with pytest.raises(InputError, match="City"):
        panel.ask("x")
    assert panel.ask("x", inputs={"city": "Hamm"}).result(10).status == "succeeded"
    panel.close()


def test_files_that_python_sends_are_seen_in_the_panel(opened: Opener, tmp_path: Path) -> None:
    page = opened()
    (tmp_path / "note.txt").write_text("a note")
    page.panel.ask("x", inputs={"city": "Hamm"}, files=[tmp_path / "note.txt"])
    page.ended(1)
    [shown] = page.turns[0]["files"]
    assert (shown["name"], shown["type"], shown["size"]) == ("note.txt", "document", 6)


def test_questions_behind_a_failure_out_of_sight_are_not_lost_in_silence(
    opened: Opener, gate: Gate, server: LocalServer
) -> None:
    page = opened("held")
    server.faults.once("latency=1,500=1")
    page.ask("one")
    page.until(lambda: page.parts["status"]["running"], "the run")
    waiting = page.panel.ask("the waiting one")
    page.do("new")
    page.until(lambda: page.parts["status"]["error"], "the error")
    assert "the waiting one" in page.parts["status"]["error"]["message"]
    with pytest.raises(InputError, match="taken back"):
        waiting.result(5)


def test_a_question_of_python_can_be_taken_back_or_stopped(opened: Opener, gate: Gate) -> None:
    gate.open.clear()
    page = opened("held")
    first = page.panel.ask("one")
    second = page.panel.ask("two")
    assert (first.done, second.status) == (False, "waiting")
    assert "waiting" in repr(second)
    second.stop()
    page.until(lambda: page.parts["queue"] == [], "an empty queue")
    with pytest.raises(InputError):
        second.result(5)
    with pytest.raises(TimeoutError):
        first.result(0.05)
    page.until(lambda: page.turns and "First." in page.html(), "the first words")
    first.stop()
    assert first.result(10).status == "stopped"
    gate.open.set()


def test_what_is_not_kept_is_not_on_show(opened: Opener) -> None:
    page = opened()
    page.ask("kept", {"city": "Hamm"})
    page.ended(1)
    session = page.panel.session
    session.ask("beside", inputs={"city": "Hamm"}, conversation_id=None, keep=False).result(10)
    session.ask("elsewhere", inputs={"city": "Hamm"}, conversation_id=None).result(10)
    page.until(lambda: [turn["query"] for turn in page.turns] == ["elsewhere"], "the other conversation")
    page.ended(1)
    assert page.parts["conversation"]["id"] == session.conversation_id


def test_the_toolbox_shows_signs_of_its_tools(opened: Opener) -> None:
    page = opened("toolbox")
    page.ask("What is 17% of 2,340?")
    page.ended(1)
    assert "🧮" in page.html()


@pytest.mark.parametrize("meanwhile", ["suggested", "asked again", "left"])
def test_what_comes_while_a_rating_is_sent_stays(meanwhile: str) -> None:
    turn = Turn(query="Q?", status="succeeded", message_id="m1", conversation_id="c")
    item = Item(key="t1", query="Q?", turn=turn)
    in_session: list[Turn] = []
    after = {
        "suggested": replace(item, turn=replace(turn, suggested=("And then?",))),
        "asked again": replace(item, turn=replace(turn, message_id="m2")),
        "left": None,
    }[meanwhile]
    items: dict[str, Item | None] = {"t1": item}

    async def feedback(id: str, rating: str, content: str | None) -> None:
        items["t1"] = after

    controller: Any = SimpleNamespace(
        client=SimpleNamespace(messages=SimpleNamespace(feedback=feedback)),
        state=SimpleNamespace(find=items.get),
        session=SimpleNamespace(replace=in_session.append),
        put_item=lambda new: items.update({new.key: new}),
    )
    asyncio.run(handlers.rate(controller, item, "like", None))
    [kept] = in_session
    assert (kept.message_id, kept.feedback) == ("m1", "like")
    if meanwhile != "suggested":
        assert items["t1"] is after
        return
    shown = items["t1"]
    assert shown is not None
    assert shown.turn == kept
    assert kept.suggested == ("And then?",)
