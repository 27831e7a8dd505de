"""What a run asks a person, in every form of its turn: waiting, answered, too late; in both languages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from markdown_it import MarkdownIt

from dify_notebook import views
from dify_notebook.turn.forms import Form, answered, as_form
from dify_notebook.turn.state import Turn
from dify_notebook.views import limits
from dify_notebook.views.form_place import form_place

DATA: dict[str, Any] = {
    "form_id": "f-1",
    "node_id": "ask",
    "node_title": "Ask a person",
    "form_content": "# Please check\n\nNote: {{#$output.note#}}, {{#$output.other#}}",
    "inputs": [
        {"output_variable_name": "note", "type": "paragraph", "default": {"type": "constant", "value": "my note"}},
        {
            "output_variable_name": "kind",
            "type": "select",
            "option_source": {"type": "constant", "value": ["it's", "y"]},
        },
        {"output_variable_name": "papers", "type": "file-list"},
    ],
    "actions": [
        {"id": "approve", "title": "Approve it", "button_style": "primary"},
        {"id": "reject", "title": "Reject it"},
    ],
    "form_token": "t0k3n" * 4,
    "expiration_time": 1795977777,
}


class Held:
    """A link whose turn a variable holds."""

    def __init__(self, variable: str | None) -> None:
        self.variable = variable


def waiting(variable: str | None = "answer", **more: Any) -> Turn:
    form = msgspec.structs.replace(as_form(DATA, workflow_run_id="r"), link=Held(variable), **more)
    return Turn(status="paused", end="paused", answer="Draft.", forms=(form,))


def texts(turn: Turn, lang: Any = "en") -> dict[str, str]:
    stream = views.TextStream(lang)
    return {**views.bundle(turn, lang), "terminal": stream.feed(turn) + stream.end(turn)}


def html_text(text: str) -> str:
    import html

    return html.unescape(text)


@pytest.mark.parametrize("kind", ["text/html", "text/markdown", "text/plain", "terminal"])
def test_a_form_that_waits_says_all_that_is_needed_to_answer_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    said = html_text(texts(waiting())[kind])
    for part in (
        "Ask a person", "waits for an answer", "Please check", "Note: [note], {{#$output.other#}}",
        "text · default: my note", "choice · one of: it's, y · required", "files · required",
        "Approve it", "Reject it", "2026-11-",
        """answer.forms[0].submit(action='approve', inputs={'kind': "it's", 'papers': [open("…", "rb")]})""",
        "%dify resume",
    ):  # fmt: skip
        assert part in said, part
    assert DATA["form_token"] not in repr(texts(waiting()))


@pytest.mark.parametrize(
    ("turn", "line"),
    [
        (waiting("dify_notebook.last"), "import dify_notebook\ndify_notebook.last.forms[0].submit("),
        (waiting(None), "turn.forms[0].submit("),
        (waiting("", workflow_run_id="run-1"), "%dify resume run-1"),
        (Turn(status="paused", forms=(as_form(DATA),)), "dify.forms.submit(turn.forms[0], action="),
    ],
)
def test_the_line_of_python_names_what_holds_the_turn(turn: Turn, line: str) -> None:
    assert line in views.markdown(turn, "en")
    assert line in html_text(views.html(turn, "en"))


def test_the_line_of_python_is_python_whatever_the_server_calls_things() -> None:
    data = {**DATA, "inputs": [{"output_variable_name": "a'\"b\\", "type": "text-input"}], "actions": [{"id": "x'); y("}]}
    [form] = (as_form(data),)
    from dify_notebook.views.forms import python

    called: list[dict[str, Any]] = []

    class Forms:
        def submit(self, form: Form, **given: Any) -> None:
            called.append(given)

    class Dify:
        forms = Forms()

    eval(python(form, 0), {"dify": Dify(), "turn": Turn(forms=(form,))})
    assert called == [{"action": "x'); y(", "inputs": {"a'\"b\\": "…"}}]


def test_the_line_of_python_is_bounded_and_holds_no_key() -> None:
    key = "app-" + "k3Y9" * 6
    form = as_form({**DATA, "actions": [{"id": key}, {"id": "x" * 9_000}]})
    assert key not in "".join(texts(Turn(status="paused", forms=(form,))).values())
    form = as_form({**DATA, "actions": [{"id": "x" * 9_000}]})
    assert all(said.count("x" * 2_500) == 0 for said in texts(Turn(status="paused", forms=(form,))).values())


@pytest.mark.parametrize("kind", ["text/html", "text/markdown", "text/plain", "terminal"])
def test_an_answered_form_says_what_was_chosen_and_submitted(kind: str) -> None:
    outputs = {
        "__action_id": "reject", "note": "no", "kind": "y", "papers": [{"filename": "a.pdf"}, {"filename": "b.pdf"}],
        "__rendered_content": "# Please check\n\nNote: no, {{#$output.other#}}",
    }  # fmt: skip
    form = answered(waiting().forms[0], outputs)
    said = html_text(texts(Turn(status="succeeded", answer="Draft. Done.", forms=(form,)))[kind])
    parts = ("went on later, after its form was answered", "answered: Reject it", "Note: no", "kind", "a.pdf, b.pdf")
    assert [part for part in parts if part not in said] == []
    assert "submit(" not in said
    assert form_place(form) not in said


def test_what_was_submitted_stands_in_the_text_before_the_server_renders_it() -> None:
    form = msgspec.structs.replace(
        waiting().forms[0], status="filled", action="approve", inputs={"note": "<b>*mine*</b>", "kind": "y"}
    )
    turn = Turn(status="running", forms=(form,))
    assert "Note: <b>*mine*</b>" in views.text(turn, "en")
    assert "Note: &lt;b&gt;*mine*&lt;/b&gt;" in views.html(turn, "en")
    assert "<em>" not in MarkdownIt("commonmark").render(views.markdown(turn, "en").partition("Note:")[2])


def test_what_was_submitted_is_listed_where_its_place_is_not_shown() -> None:
    data = {**DATA, "form_content": "x" * limits.FORM_TEXT + " {{#$output.note#}}"}
    form = msgspec.structs.replace(as_form(data), status="filled", action="approve", inputs={"note": "it is mine"})
    assert "it is mine" in views.text(Turn(status="running", forms=(form,)), "en")


def test_no_line_names_a_run_that_is_not_known() -> None:
    form = msgspec.structs.replace(as_form(DATA), link=Held(""))
    said = views.text(Turn(status="paused", end="paused", forms=(form,)), "en")
    assert "None" not in said
    assert "forms[0].submit(" in said


def test_a_form_that_nobody_answered_in_time() -> None:
    turn = Turn(status="succeeded", forms=(msgspec.structs.replace(waiting().forms[0], status="timeout"),))
    said = views.text(turn, "en")
    assert "Ask a person · not answered in time" in said
    assert "went on later, after its form had expired" in said
    assert "submit(" not in said


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sets the zone of this machine's clock."""

    def put(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield put
    monkeypatch.undo()
    time.tzset()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system has no tzset")
@pytest.mark.parametrize(
    ("name", "expires", "told"),
    [
        ("UTC", 1_800_000_000, "2027-01-15 08:00:00 UTC."),
        ("CST-8", 1_800_000_000, "2027-01-15 16:00:00 UTC+08:00."),
        ("XYZ3:30", 1_800_000_000, "2027-01-15 04:30:00 UTC-03:30."),
        ("CST-8", 253_402_300_799, "9999-12-31 23:59:59 UTC."),  # the clock of that zone does not reach so far
        ("EST5", -62_135_596_800, "1-01-01 00:00:00 UTC."),
    ],
)
def test_until_when_it_can_be_answered_with_its_zone(zone: Callable[[str], None], name: str, expires: int, told: str) -> None:
    zone(name)
    form = waiting().forms[0]
    form = msgspec.structs.replace(form, data={**form.data, "expiration_time": expires})
    bundle = views.bundle(Turn(status="paused", forms=(form,)), "en")
    assert set(bundle) == {"text/html", "text/markdown", "text/plain"}
    assert told in bundle["text/plain"]
    assert told in bundle["text/html"]


def test_chinese() -> None:
    said = views.text(waiting(), "zh-Hans")
    for part in ("等待处理", "字段：", "操作：", "用 Python 处理：", "选项 · 可选：it's, y · 必填", "之前处理"):
        assert part in said, part
    done = Turn(status="succeeded", forms=(answered(waiting().forms[0], {"__action_id": "approve"}),))
    assert "表单处理后继续运行" in views.text(done, "zh-Hans")


def test_the_place_of_a_waiting_form_is_found_by_its_class() -> None:
    turn = waiting()
    place = form_place(turn.forms[0])
    assert f'<section class="{place}" style="' in views.html(turn, "en")
    [slot] = [slot for slot in views.TurnView("en").blocks(turn).children if slot.key == "forms"]
    assert slot.children[0].attrs["class"] == f"dn-form {place}"


def test_a_paused_turn_whose_form_was_answered_says_how_to_read_on() -> None:
    form = msgspec.structs.replace(waiting().forms[0], status="filled", action="approve")
    assert "%dify resume" in views.text(Turn(status="paused", forms=(form,)), "en")


def test_a_terminal_goes_on_where_it_is() -> None:
    turn = waiting()
    stream = views.TextStream("en")
    assert "Draft." in stream.feed(turn) + stream.end(turn)
    later = stream.go_on()
    assert later == "The run goes on\n"
    done = Turn(status="succeeded", answer="Draft. Done.", forms=(answered(turn.forms[0], {"__action_id": "approve"}),))
    more = stream.feed(done) + stream.end(done)
    assert " Done." in more
    assert "Draft." not in more
    assert "answered: Approve it" in more


def test_more_than_is_shown_is_counted() -> None:
    form = as_form({**DATA, "form_content": "x" * 50_000}, workflow_run_id="r")
    turn = Turn(status="paused", forms=(form,) * (limits.FORMS + 3))
    assert "turn.forms" in views.text(turn, "en")
    assert len(views.text(waiting(content="x" * 50_000), "en")) < limits.FORM_TEXT + 3_000
