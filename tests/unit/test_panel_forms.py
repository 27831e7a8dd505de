"""Forms of runs that wait, in a panel: shown, answered, read on in the same message, over a real socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.asking_app import KEY, AskingApp, asking
from support.panels import Browser, show, wired

from dify_notebook import ChatPanel, Dify, Session
from dify_notebook.turn.state import Turn


class Desk:
    """A server that asks, and pages that show panels of it."""

    def __init__(self, app: AskingApp, url: str) -> None:
        self.app, self.url = app, url
        self.pages: list[Browser] = []

    def session(self, user: str = "anna") -> Session:
        return Session(Dify(KEY, self.url, user=user))

    def page(self, session: Session | None = None, lang: str = "en") -> Browser:
        page = show(ChatPanel(session=session or self.session()), lang)
        self.pages.append(page)
        page.until(lambda: "app" in page.parts, "the app")
        return page

    def asked(self, query: str, **more: Any) -> Browser:
        page = self.page(**more)
        page.ask(query)
        page.ended(1)
        return page


@pytest.fixture
def desk() -> Iterator[Desk]:
    app, server = asking()
    made = Desk(app, server.url)
    with wired():
        yield made
        for page in made.pages:
            page.panel.close()
    app.released.set()
    server.close()
    assert not server.errors
    assert [failure for page in made.pages for failure in page.failures] == []
    told = "\n".join(page.everything for page in made.pages)
    assert [token for token in app.tokens if token in told] == [], "a token went to a browser"


def form(page: Browser, at: int = 0, of: int = -1) -> dict[str, Any]:
    """A form of a turn, as the page has it."""
    found: dict[str, Any] = page.turns[of]["forms"][at]
    return found


def submit(page: Browser, action: str = "0", at: int = 0, of: int = -1, **inputs: Any) -> None:
    """Press a button of a form: `n0="text"` for its first field."""
    page.do("submit", **order(page, action, at, of, **inputs))


def order(page: Browser, action: str = "0", at: int = 0, of: int = -1, **inputs: Any) -> dict[str, Any]:
    given = {name.removeprefix("n"): value for name, value in inputs.items()}
    return {"key": page.turns[of]["key"], "form": form(page, at, of)["place"], "action": action, "inputs": given}


def succeeded(page: Browser) -> None:
    """Wait until the first turn has come to its good end."""
    page.until(lambda: page.turns[0]["status"] == "succeeded" and "Done." in page.html(0), "the end")


def test_a_run_that_asks_shows_its_form(desk: Desk) -> None:
    page = desk.asked("ask may I")
    [turn] = page.turns
    assert (turn["status"], page.parts["status"]["running"]) == ("paused", None), "nothing runs: there is no stop button"
    told = form(page)
    assert (told["title"], told["status"], told["error"]) == ("First", "waiting", "")
    assert [action["title"] for action in told["actions"]] == ["Approve", "Reject"]
    fields = [part["field"] for part in told["parts"] if part["field"]]
    assert [(field["label"], field["control"], field["value"]) for field in fields] == [
        ("note", "area", "my note"),
        ("kind", "choice", ""),
    ]
    assert "<b>" not in str(told["parts"]), "what an app says is text"
    assert turn["say"] == "The run waits for your answer: First"
    assert turn["can"] == {
        "retry": False, "take_up": False, "read_on": True, "regenerate": True, "rate": False, "annotate": False, "speak": False,
    }  # fmt: skip
    assert "not running" not in page.refused("stop")
    assert desk.app.stops == []


def test_the_answer_goes_on_in_the_same_message(desk: Desk) -> None:
    page = desk.asked("ask hold may I")
    key, view = page.turns[0]["key"], page.turns[0]["view"]
    submit(page, n0="a <b> note", n1="1")
    page.until(lambda: "First: approve" in page.html(), "what comes after the answer")
    assert (page.turns[0]["status"], page.parts["status"]["running"]) == ("running", key)
    assert page.turns[0]["forms"] == []
    desk.app.gate.set()
    page.ended(1)
    [turn] = page.turns
    assert (turn["key"], turn["view"], turn["status"], turn["can"]["read_on"]) == (key, view, "succeeded", False)
    assert "Draft." in page.html()
    assert "Done." in page.html()
    [(_, body)] = desk.app.submissions
    assert (body["action"], body["inputs"]) == ("approve", {"note": "a <b> note", "kind": "y"})
    [kept] = page.panel.session.turns
    assert kept is page.turn
    assert (kept.status, kept.forms[0].status, kept.forms[0].action) == ("succeeded", "filled", "approve")
    assert page.panel.conversation_id == kept.conversation_id


def test_a_run_that_went_on_is_stopped_like_any_other(desk: Desk) -> None:
    page = desk.asked("ask hold may I")
    submit(page, n1="0")
    page.until(lambda: "First: approve" in page.html(), "what comes after the answer")
    page.do("stop")
    page.until(lambda: page.turns[0]["status"] == "stopped", "its end")
    page.until(lambda: page.parts["status"]["running"] is None, "the stop's end")
    assert page.parts["status"] == {"running": None, "stopping": False, "connected": True, "error": None}
    assert desk.app.stops == [desk.app.runs[0].task]
    assert "First: approve" in page.html()
    assert "Done." not in page.html()


def test_it_may_ask_again(desk: Desk) -> None:
    page = desk.asked("twice please")
    submit(page, "1", n1="0")
    page.until(lambda: [each["title"] for each in page.turns[0]["forms"]] == ["Second"], "the second form")
    page.ended(1)
    assert page.turns[0]["status"] == "paused"
    submit(page, n0="fine")
    succeeded(page)
    assert [(title, body["action"], body["inputs"]) for title, body in desk.app.submissions] == [
        ("First", "reject", {"note": "my note", "kind": "x"}),
        ("Second", "approve", {"note": "fine"}),
    ]
    assert [form.status for form in page.turn.forms] == ["filled", "filled"]


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_at_once_each_is_answered_by_itself(desk: Desk, first: int) -> None:
    page = desk.asked("two of you")
    assert [each["title"] for each in page.turns[0]["forms"]] == ["Left", "Right"]
    submit(page, at=first, n0="one")
    page.until(lambda: len(page.turns[0]["forms"]) == 1 and page.turns[0]["status"] == "paused", "the other one")
    submit(page, n0="two")
    succeeded(page)
    assert sorted(body["inputs"]["note"] for _, body in desk.app.submissions) == ["one", "two"]


def test_two_at_once_are_answered_without_waiting_for_the_first(desk: Desk) -> None:
    page = desk.asked("two of you")
    orders = [order(page, at=0, n0="one"), order(page, at=1, n0="two")]
    for number in [page.send("submit", **each) for each in orders]:
        reply, _ = page.reply(number)
        assert reply["ok"], reply
    succeeded(page)
    assert "Done." in page.html()
    assert len(desk.app.submissions) == 2


def test_nothing_is_sent_twice(desk: Desk) -> None:
    """By two browsers of one panel, by two panels, or by a double click."""
    session = desk.session()
    page, other = desk.asked("ask hold", session=session), desk.page(session)
    other.until(lambda: bool(other.turns and other.turns[0]["forms"]), "the form in the other panel")
    orders = [(page, order(page, n1="0")), (page, order(page, n1="0")), (other, order(other, "1", n1="0"))]
    replies = [each.reply(number)[0] for each, number in [(each, each.send("submit", **sent)) for each, sent in orders]]
    assert [reply["ok"] for reply in replies] == [True, False, False]
    assert len(desk.app.submissions) == 1
    desk.app.gate.set()
    for each in (page, other):
        succeeded(each)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"n0": "refuse", "n1": "0"}, "Invalid value"),
        ({"n0": "fine"}, "kind"),
    ],
)
def test_what_does_not_fit_is_told_in_the_form(desk: Desk, inputs: dict[str, Any], words: str) -> None:
    page = desk.asked("ask may I")
    assert words in page.refused("submit", **order(page, **inputs)) + form(page)["error"]
    assert words in form(page)["error"]
    assert (form(page)["status"], page.turns[0]["status"]) == ("waiting", "paused")
    submit(page, n0="better", n1="0")
    succeeded(page)


def test_what_is_no_answer_changes_nothing(desk: Desk) -> None:
    page = desk.asked("ask may I")
    sent = order(page, n1="0")
    for changed in ({"form": "dn-kept-form-none"}, {"action": "7"}, {"inputs": {"9": "x"}}, {"key": "t99"}):
        assert page.refused("submit", **{**sent, **changed})
    assert desk.app.submissions == []
    assert page.turns[0]["status"] == "paused"
    submit(page, n1="0")


def test_somebody_else_was_faster(desk: Desk) -> None:
    page = desk.asked("ask may I")
    desk.app.answer_elsewhere("First", "reject", note="theirs", kind="x")
    assert "already" in page.refused("submit", **order(page, n1="0"))
    page.until(lambda: page.turns[0]["status"] == "succeeded", "how it went on")
    assert "First: reject, theirs" in page.html()
    assert len(desk.app.submissions) == 1


def test_a_form_that_has_expired_is_not_sent(desk: Desk) -> None:
    page = desk.asked("late you are")
    assert form(page)["status"] == "expired"
    assert "expired" in page.refused("submit", **order(page, n1="0"))
    assert desk.app.submissions == []


def test_how_it_went_on_elsewhere_is_read_when_asked_for(desk: Desk) -> None:
    page = desk.asked("ask may I")
    page.do("read_on", key=page.turns[0]["key"])
    page.until(lambda: page.turns[0]["status"] == "paused" and page.parts["status"]["running"] is None, "still paused")
    assert len(page.turns[0]["forms"]) == 1
    desk.app.answer_elsewhere("First", note="theirs", kind="x")
    page.do("read_on", key=page.turns[0]["key"])
    succeeded(page)
    assert "reach" not in page.refused("read_on", key=page.turns[0]["key"])


def test_an_answer_that_cannot_be_read_on_is_not_lost(desk: Desk) -> None:
    page = desk.asked("ask may I")
    desk.app.refuse_events = 1
    submit(page, n1="0")
    page.until(lambda: page.parts["status"]["error"], "the problem")
    assert "could not be read" in page.parts["status"]["error"]["message"]
    page.ended(1)
    [turn] = page.turns
    assert (turn["status"], turn["forms"], turn["can"]["read_on"]) == ("paused", [], True)
    assert "Draft." in page.html()
    desk.app.form("First").noticed = True
    page.do("read_on", key=turn["key"])
    succeeded(page)
    assert len(desk.app.submissions) == 1


def test_a_run_whose_connection_was_lost_is_read_on(desk: Desk) -> None:
    desk.app.refuse_events = 1
    page = desk.asked("cut me off")
    [turn] = page.turns
    assert (turn["status"], turn["can"]["read_on"], turn["can"]["retry"]) == ("incomplete", True, True)
    page.do("read_on", key=turn["key"])
    succeeded(page)
    assert "Half." in page.html()
    assert len(page.turns) == 1


def test_another_question_may_be_asked_meanwhile(desk: Desk) -> None:
    page = desk.asked("ask may I")
    page.ask("what else")
    page.ended(2)
    assert [turn["status"] for turn in page.turns] == ["paused", "succeeded"]
    submit(page, of=0, n1="0")
    page.until(lambda: [turn["status"] for turn in page.turns] == ["succeeded", "succeeded"], "the first one's end")
    assert [turn["query"] for turn in page.turns] == ["ask may I", "what else"], "each in its own place"
    assert page.parts["status"]["running"] is None
    assert len({turn.conversation_id for turn in page.panel.turns}) == 1


def test_a_question_behind_a_run_that_asks_waits_for_it(desk: Desk) -> None:
    page = desk.asked("twice hold on")
    submit(page, n1="0")
    page.until(lambda: page.parts["status"]["running"], "the run")
    page.ask("behind")
    desk.app.gate.set()
    page.until(lambda: page.turns[0]["forms"] and page.turns[0]["status"] == "paused", "the second form")
    assert [each["query"] for each in page.parts["queue"]] == ["behind"]
    page.until(lambda: "still wait" in (page.parts["status"]["error"] or {}).get("message", ""), "why it waits")
    submit(page, n0="x")
    page.ended(2)
    assert [turn["query"] for turn in page.turns] == ["twice hold on", "behind"]


def test_python_and_panel_see_the_same(desk: Desk) -> None:
    page = desk.page()
    heard: list[str] = []
    page.panel.on_turn(lambda turn: heard.append(turn.status))
    question = page.panel.ask("twice please")
    turn = question.result(10)
    assert turn.status == "paused"
    page.ended(1)
    after: Turn = turn.forms[0].submit(action="approve", inputs={"kind": "x"})
    assert (after.status, [each.status for each in after.forms]) == ("paused", ["filled", "waiting"])
    page.until(lambda: [each["title"] for each in page.turns[0]["forms"]] == ["Second"], "the second form")
    submit(page, n0="by hand")
    succeeded(page)
    page.until(lambda: heard == ["paused", "paused", "succeeded"], "each end")
    assert [each.status for each in page.panel.session.turns] == ["succeeded"]


def test_a_page_that_comes_late_gets_the_form(desk: Desk) -> None:
    session = desk.session()
    page = desk.asked("ask may I", session=session)
    again = desk.page(session, "zh")
    again.until(lambda: bool(again.turns and again.turns[0]["forms"]), "the form")
    assert form(again)["labels"]["lang"] == "zh-Hans"
    assert again.turns[0]["say"] == "运行在等待你的回答：First"
    submit(again, n1="0")
    for each in (page, again):
        succeeded(each)


def test_a_file_is_uploaded_as_one_of_a_question(desk: Desk) -> None:
    page = desk.asked("file please")
    place = form(page)["place"]
    upload = {"upload": "u1", "name": "paper.txt", "type": "text/plain", "size": 3, "form": place}
    page.do("upload", [b"abc"], field="0", **upload)
    assert page.progress["u1"]["file"]["name"] == "paper.txt"
    refused = page.refused("upload", [b"abc"], field="0", **{**upload, "upload": "u2", "name": "a.mp3", "type": "audio/mpeg"})
    assert "a.mp3" in refused
    assert page.refused("upload", [b"abc"], field="4", **{**upload, "upload": "u3"})
    submit(page, n0=["u1"])
    succeeded(page)
    [(_, body)] = desk.app.submissions
    assert body["inputs"]["paper"]["transfer_method"] == "local_file"
    assert desk.app.uploads == ["paper.txt"]


def test_an_answer_out_of_sight_goes_on(desk: Desk) -> None:
    page = desk.asked("ask hold may I")
    submit(page, n1="0")
    page.until(lambda: "First: approve" in page.html(), "what comes after the answer")
    conversation = page.parts["conversation"]["id"]
    page.do("new")
    page.until(lambda: page.turns == [], "an empty panel")
    done = threading.Event()
    page.panel.on_turn(lambda turn: done.set())
    desk.app.gate.set()
    assert done.wait(10)
    assert page.panel.conversation_id is None, "the panel stays where it is"
    page.do("open", conversation=conversation)
    page.ended(1)
    assert "Done." in page.html()


def test_a_conversation_that_is_opened_while_its_run_goes_on_shows_it_in_its_place(desk: Desk) -> None:
    page = desk.asked("ask hold may I")
    page.ask("and then")
    page.ended(2)
    submit(page, of=0, n1="0")
    page.until(lambda: page.turns[0]["status"] == "running", "the run")
    conversation = page.parts["conversation"]["id"]
    page.do("new")
    page.do("open", conversation=conversation)
    page.until(lambda: [turn["query"] for turn in page.turns] == ["ask hold may I", "and then"], "both, in order")
    desk.app.gate.set()
    page.until(lambda: page.turns[0]["status"] == "succeeded" and "Done." in page.html(0), "the end")
