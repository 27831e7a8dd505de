"""Forms of a paused turn in a notebook: what a browser is told, what it answers, and that no key is among it."""

from __future__ import annotations

import concurrent.futures
import re
from collections.abc import Iterator, Mapping
from typing import Any

import comm
import ipywidgets
import msgspec
import pytest

from dify_notebook import live, views
from dify_notebook.i18n import sentences
from dify_notebook.live import outputs
from dify_notebook.live.forms import form_answer, form_state
from dify_notebook.live.protocol import FormState, Hello, Packed, Stop, Submit, read, unpack
from dify_notebook.live.view import LiveView
from dify_notebook.live.widget import WAITING_KEPT, LiveWidget
from dify_notebook.turn.forms import Form, as_form
from dify_notebook.turn.state import Timing, Turn
from dify_notebook.views.diff import to_wire
from dify_notebook.views.form_place import form_place

WIDGET = "application/vnd.jupyter.widget-view+json"
TOKEN = "ft-a-token-that-nobody-may-see"
NOW = 1_800_000_000.0


def field(name: str, kind: str = "paragraph", **more: Any) -> dict[str, Any]:
    return {"output_variable_name": name, "type": kind, **more}


def constant(value: Any) -> dict[str, Any]:
    return {"type": "constant", "value": value}


def form(key: str = "f1", *fields: dict[str, Any], **data: Any) -> Form:
    told = {
        "form_id": key,
        "node_title": "Ask a person",
        "form_content": "May I?",
        "inputs": list(fields),
        "actions": [{"id": "yes", "title": "Yes", "button_style": "primary"}, {"id": "no", "title": "No"}],
        "form_token": TOKEN,
        "expiration_time": NOW + 60,
        **data,
    }
    return as_form(told, workflow_run_id="run-1", user="ann")


def state(asked: Form, **more: Any) -> FormState:
    return form_state(asked, "en", now=NOW, **more)


# --- what a browser is told


def test_a_form_is_cut_where_its_fields_stand() -> None:
    asked = form(
        "f1",
        field("note"),
        field("left"),
        form_content="# Hi\n\nNote: {{#$output.note#}}\n\nAgain {{#$output.note#}} and {{#$output.nobody#}}.",
    )
    told = [([block[1:] for block in part.blocks], part.field and part.field.label) for part in state(asked).parts]
    assert told[0][0][0][:1] == ["h1"]
    assert told[0][1] == "note"
    assert told[1][0][0][2] == "Again  and ."
    assert told[2] == ([], "left")


@pytest.mark.parametrize(
    ("asked", "control", "value", "options"),
    [
        (field("a"), "area", "", []),
        (field("a", "text-input", default=constant("x")), "line", "x", []),
        (field("a", "text-input", default=constant("x\r\ny")), "area", "x\ny", []),
        (field("a", "number", default=constant(3)), "line", "3", []),
        (field("a", "a-kind-of-tomorrow"), "line", "", []),
        (field("a", "select", option_source=constant(["x", ""]), default=constant("")), "choice", "", ["x", "(empty)"]),
        (field("a", "select", option_source=constant(["x", "y"]), default=constant("y")), "choice", "1", ["x", "y"]),
        (field("a", "select", option_source=constant(["x"]), default=constant("gone")), "choice", "", ["x"]),
        (field("a", "select"), "line", "", []),
        (field("a", "file", default=constant({"filename": "a.pdf", "url": "http://x/?sign=1"})), "file", "a.pdf", []),
        (field("a", "file-list", default=constant([{"name": "b"}, {"filename": "c"}, 3])), "file", "b, c", []),
        (field("a", "paragraph", default=constant("\u202eevil")), "area", "\u27e8U+202E\u27e9evil", []),
        (field("a", "paragraph", default=constant("half \ud83d")), "area", "half \ufffd", []),
    ],
)
def test_a_field_is_of_its_kind_and_holds_its_default(
    asked: dict[str, Any], control: str, value: str, options: list[str]
) -> None:
    [part] = state(form("f1", asked, form_content="")).parts
    assert part.field is not None
    assert (part.field.control, part.field.value, part.field.options) == (control, value, options)


def test_a_file_is_told_to_be_given_from_python_where_a_browser_cannot_send_it() -> None:
    asked = form("f1", field("proof", "file"), form_content="")
    [cell], [panel] = state(asked).parts, state(asked, uploads=True).parts
    assert cell.field is not None
    assert "'proof'" in cell.field.note
    assert panel.field is not None
    assert panel.field.note == ""


@pytest.mark.parametrize(
    ("asked", "more", "status", "left"),
    [
        (form(), {}, "waiting", 60.0),
        (form(), {"status": "sending"}, "sending", 60.0),
        (form(expiration_time=NOW - 1), {}, "expired", -1.0),
        (form(expiration_time=None), {}, "waiting", None),
        (msgspec.structs.replace(form(), status="timeout"), {}, "expired", 60.0),
        (msgspec.structs.replace(form(), status="filled"), {"status": "sending"}, "done", 60.0),
    ],
)
def test_how_a_form_stands(asked: Form, more: dict[str, Any], status: str, left: float | None) -> None:
    told = state(asked, **more)
    assert (told.status, told.left) == (status, left)


def test_what_a_server_calls_things_and_its_token_stay_in_the_kernel() -> None:
    asked = form("id-<script>", field("note"), actions=[{"id": "\ud800<x>", "title": "Go", "button_style": "evil"}])
    told = state(asked)
    text = msgspec.json.encode(told).decode()
    assert TOKEN not in text
    assert "script" not in text
    assert [(action.id, action.title, action.style) for action in told.actions] == [("0", "Go", "default")]
    assert told.place == form_place(asked)
    assert told.place.isascii()


def test_the_place_of_a_form_that_waits_stays_in_the_saved_output_and_in_the_live_blocks() -> None:
    waits, done = form("f1"), msgspec.structs.replace(form("f2"), status="filled")
    turn = Turn(query="q", status="paused", end="paused", forms=(waits, done))
    html = views.html(turn, "en")
    assert f'<section class="{form_place(waits)}"' in html
    assert form_place(done) not in html
    blocks = str(to_wire(views.TurnView("en").blocks(turn)))
    assert form_place(waits) in blocks
    assert form_place(done) not in blocks


def test_a_place_is_a_class_whatever_a_server_calls_its_forms() -> None:
    for key in ('" onclick="x', "a b", "\ud800", "", "x" * 10_000):
        assert re.fullmatch(r"dn-kept-form-[0-9a-f]{16}", form_place(Form(id=key)))
    assert form_place(Form(id="a", workflow_run_id="b")) != form_place(Form(id="a"))


def test_content_is_harmless_blocks() -> None:
    told = state(form(form_content="<img src=x onerror=alert(1)> [go](javascript:alert(1))"))
    [part] = told.parts
    assert "<img" not in str(part.blocks)
    assert "href" not in str(part.blocks)


@pytest.mark.parametrize("lang", ["en", "zh-Hans"])
def test_sentences_of_the_browser_hold_what_it_puts_in(lang: Any) -> None:
    labels = form_state(form(), lang, now=NOW).labels
    assert labels.lang == lang
    assert "{time}" in labels.expires
    assert "{name}" in labels.missing
    assert labels.gone == sentences(lang)["live.form.gone"]


# --- what it answers

ASKED = form(
    "f1",
    field("note", default=constant("my note")),
    field("kind", "select", option_source=constant(["x", "y"])),
    field("count", "number", default=constant(3)),
    field("proof", "file", default=constant({"filename": "a.pdf"})),
    field("free"),
)


@pytest.mark.parametrize(
    ("action", "inputs", "expected"),
    [
        ("0", {}, ("yes", {})),
        ("1", {"0": "mine", "1": "1", "4": ""}, ("no", {"note": "mine", "kind": "y", "free": ""})),
        ("0", {"0": "my note", "2": "3", "3": "a.pdf"}, ("yes", {})),  # as it stood: the default itself counts
        ("0", {"2": "4", "3": "/etc/passwd"}, ("yes", {"count": "4"})),  # a text names no file
        ("0", {"3": {"id": 7}}, ("yes", {"proof": {"id": 7}})),
    ],
)
def test_an_answer_is_read_back(action: str, inputs: dict[str, Any], expected: tuple[str, dict[str, Any]]) -> None:
    assert form_answer(ASKED, action, inputs) == expected


@pytest.mark.parametrize(
    ("action", "inputs"),
    [("2", {}), ("-1", {}), ("yes", {}), ("", {}), ("9" * 5_000, {}), ("\u0661", {}), ("0", {"9": ""}), ("0", {"1": "7"})],
)
def test_nonsense_is_no_answer(action: str, inputs: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="no such button, field or option"):
        form_answer(ASKED, action, inputs)


# --- a view whose turn waits


class Wire(comm.base_comm.BaseComm):
    """A comm that remembers what was sent over it."""

    log: list[tuple[str, Any]] = []

    def publish_msg(self, msg_type: str, data: Any = None, *_: Any, **__: Any) -> None:
        if msg_type == "comm_msg" and data.get("method") == "custom":
            Wire.log.append(("message", data["content"]))


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, Any]]]:
    """Everything that leaves the kernel, in order."""
    Wire.log = []
    monkeypatch.setattr(comm, "create_comm", Wire)
    monkeypatch.setattr(outputs, "display", lambda data, **kw: Wire.log.append(("display", data)))
    monkeypatch.setattr(outputs, "update_display", lambda data, **kw: Wire.log.append(("update", data)))
    yield Wire.log
    live.close()


def content(sent: Any) -> Any:
    """A message as the browser reads it."""
    return msgspec.to_builtins(unpack(Packed(**sent))) if "packed" in sent else sent


def kinds(wire: list[tuple[str, Any]]) -> list[str]:
    """One word for each thing that left since it was asked last."""
    found = [content(data).get("kind", "patch") if kind == "message" else kind for kind, data in wire]
    wire.clear()
    return found


def told(wire: list[tuple[str, Any]]) -> list[Any]:
    """The forms that the browser was told of, each time; and forget what left."""
    found = [data["forms"] for kind, data in wire if kind == "message" and data.get("kind") == "forms"]
    wire.clear()
    return found


def hear(message: Submit | Hello | Stop) -> None:
    """As if the browser had sent this."""
    content = msgspec.to_builtins(message)
    LiveWidget.current()._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


class Desk:
    """What takes answers, one after another."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Mapping[str, Any]]] = []
        self.taken: list[concurrent.futures.Future[str]] = []

    def __call__(self, key: str, action: str, inputs: Mapping[str, Any]) -> concurrent.futures.Future[str]:
        self.asked.append((key, action, inputs))
        self.taken.append(concurrent.futures.Future())
        return self.taken[-1]


def paused(*forms: Form) -> Turn:
    return Turn(query="q", answer="So far", status="paused", end="paused", forms=forms)


def ended() -> Turn:
    return Turn(query="q", answer="The end.", status="succeeded", end="message_end", timing=Timing(total=9.0))


def asking(desk: Desk, *forms: Form) -> LiveView:
    view = LiveView("en", on_submit=desk)
    view.show()
    view.finish(paused(*forms))
    return view


def submit(view: LiveView, asked: Form, action: str = "0", **inputs: str) -> None:
    hear(Submit(view.number, form_place(asked), action, inputs))


def test_a_paused_turn_leaves_its_saved_form_and_tells_of_what_waits(wire: list[tuple[str, Any]]) -> None:
    view = asking(Desk(), form(), msgspec.structs.replace(form("f2"), status="filled"))
    left = [data for kind, data in wire if kind == "update"]
    assert [set(data) for data in left] == [{"text/html", "text/markdown", "text/plain"}], "no widget is kept"
    [said] = [content(data)["say"] for kind, data in wire if kind == "message" and content(data).get("say")]
    assert said == "A form waits for your answer"
    last = wire[-1][1]
    assert (last["kind"], last["view"], last["running"]) == ("forms", view.number, False)
    assert [each["place"] for each in last["forms"]] == [form_place(form())]


def test_a_saved_form_is_renewed_and_waits_on(wire: list[tuple[str, Any]]) -> None:
    asked, desk = form("f1", field("note")), Desk()
    view = asking(desk, asked)
    wire.clear()
    view.renew(msgspec.structs.replace(paused(asked), answer="Said otherwise."))
    assert "Said otherwise." in wire[0][1]["text/plain"]
    assert kinds(wire) == ["update", "forms"]
    submit(view, asked)
    assert len(desk.asked) == 1


def test_a_paused_turn_that_nobody_can_answer_here_ends(wire: list[tuple[str, Any]]) -> None:
    view = LiveView("en")
    view.show()
    view.finish(paused(form()))
    assert kinds(wire)[-1] == "close"


def test_an_answer_goes_its_way_once_and_the_run_goes_on_in_place(wire: list[tuple[str, Any]]) -> None:
    desk, one, two = Desk(), form("f1"), form("f2", field("note"))
    view = asking(desk, one, two)
    told(wire)
    submit(view, one)
    submit(view, one, "1")
    assert [[each["status"] for each in forms] for forms in told(wire)] == [["sending", "waiting"]] * 2
    assert desk.asked == [("f1", "yes", {})]
    desk.taken[0].set_result("")
    assert kinds(wire) == []
    view.go_on()
    assert kinds(wire) == ["patch", "forms", "update"]
    answered = msgspec.structs.replace(one, status="filled")
    running = msgspec.structs.replace(paused(answered, two), status="running", end=None, answer="So far, so good")
    view.update(running, 60.0)
    submit(view, two, **{"0": "hi"})
    hear(Hello(None, 0))
    assert kinds(wire) == ["patch", "forms", "patch", "forms"]
    assert desk.asked[1:] == [("f2", "yes", {"note": "hi"})]
    view.finish(paused(answered, two))
    [states] = told(wire)
    assert [each["status"] for each in states] == ["sending"], "the second answer is on its way"
    desk.taken[1].set_result("")
    view.go_on(blocking=True)
    assert content(wire[0][1])["open"]["blocking"] is True
    kinds(wire)
    view.finish(ended())
    assert kinds(wire) == ["patch", "update", "close"]
    submit(view, two)
    assert kinds(wire) == ["close"]


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ("Somebody was faster.", "Somebody was faster."),
        ("two\nlines", "two lines"),
        (RuntimeError("a mistake"), "The answer could not be sent: a mistake"),
    ],
)
def test_a_refusal_is_told_and_the_form_waits_again(wire: list[tuple[str, Any]], outcome: Any, error: str) -> None:
    desk = Desk()
    view = asking(desk, form())
    submit(view, form())
    told(wire)
    if isinstance(outcome, str):
        desk.taken[0].set_result(outcome)
    else:
        desk.taken[0].set_exception(outcome)
    [[state]] = told(wire)
    assert (state["status"], state["error"]) == ("waiting", error)
    submit(view, form(), "1")
    [[state]] = told(wire)
    assert (state["status"], state["error"]) == ("sending", "")
    assert len(desk.asked) == 2


def test_a_form_that_waits_though_its_answer_was_taken_can_be_answered_again(wire: list[tuple[str, Any]]) -> None:
    desk = Desk()
    view = asking(desk, form())
    submit(view, form())
    desk.taken[0].set_result("")
    view.go_on()
    told(wire)
    view.finish(paused(form()))
    [[state]] = told(wire)
    assert state["status"] == "waiting"


def test_nonsense_from_a_browser_is_told_and_not_passed_on(wire: list[tuple[str, Any]]) -> None:
    desk = Desk()
    view = asking(desk, form())
    told(wire)
    submit(view, form(), "17")
    submit(view, form("another"))
    assert desk.asked == []
    first, second = told(wire)
    assert "could not be sent" in first[0]["error"]
    assert first[0]["status"] == second[0]["status"] == "waiting"


def test_a_browser_that_comes_late_gets_every_form(wire: list[tuple[str, Any]]) -> None:
    views = [asking(Desk(), form(f"f{number}")) for number in range(3)]
    kinds(wire)
    hear(Hello(None, 0))
    assert [states[0]["place"] for states in told(wire)] == [form_place(form(f"f{number}")) for number in range(3)]
    hear(Hello(views[1].number, 0))
    assert kinds(wire) == ["forms"]
    hear(Hello(views[1].number, 9))  # it still shows the view, whose replacement was lost
    assert kinds(wire) == ["update", "forms"]


def test_as_many_views_wait_as_are_kept(wire: list[tuple[str, Any]]) -> None:
    desk = Desk()
    views = [asking(desk, form(f"f{number}")) for number in range(WAITING_KEPT + 1)]
    assert (wire[-2][1]["kind"], wire[-2][1]["view"]) == ("close", views[0].number)
    submit(views[0], form("f0"))
    submit(views[1], form("f1"))
    assert [key for key, _, _ in desk.asked] == ["f1"]


def test_no_token_leaves_the_kernel(wire: list[tuple[str, Any]]) -> None:
    desk = Desk()
    view = asking(desk, form("f1", field("note")))
    submit(view, form("f1"))
    hear(Hello(None, 0))
    view.go_on()
    view.finish(paused(form("f1", field("note"))))
    state = ipywidgets.Widget.get_manager_state()["state"]
    everything = repr([content(data) if kind == "message" else data for kind, data in wire]) + repr(state)
    assert "Ask a person" in everything
    assert TOKEN not in everything


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            {"kind": "submit", "view": 1, "form": "f", "action": "0", "inputs": {"0": "x"}},
            Submit(1, "f", "0", {"0": "x"}),
        ),
        ({"kind": "submit", "view": 1, "form": "f", "action": "0", "inputs": {"0": {"path": "/"}}}, None),
        ({"kind": "submit", "view": 1, "form": "f", "action": 0, "inputs": {}}, None),
    ],
)
def test_what_a_form_sends(content: object, expected: object) -> None:
    assert read(content) == expected
