"""Running a cell again: the law as a table, and what a refusal and a replay are made of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cells import CITY, FIRST, SECOND, Notebook, Server

from dify_notebook.errors import InputError
from dify_notebook.magic.held import MODES, Asks, Cell, Decision, Held, Mode, Origin, Place, decide
from dify_notebook.magic.parse import LineError, parse_line
from dify_notebook.turn.forms import Form
from dify_notebook.turn.state import MessageFile, Turn, Usage
from dify_notebook.views.words import Words

A, B = "conversation-a", "conversation-b"
ONE: Cell = ("id", "cell-1")
TWO: Cell = ("id", "cell-2")
OTHER: Cell = ("id", "cell-3")
AS_ONE, AS_TWO = Place(A, "m1", True), Place(A, "m2", False)


def held() -> Held:
    """Conversation A, which cell 1 began and cell 2 went on with, and B, which began elsewhere and has cell 2 too."""
    found = Held()
    found.add(ONE, A, "m1", began=True)
    found.add(TWO, B, "m8", began=False)
    found.add(TWO, A, "m2", began=False)
    return found


NONE = Asks()
TABLE: list[tuple[str, Cell, Origin, Asks, str | None, Mode, Decision]] = [
    ("no_conversation", ONE, "cell", NONE, None, "continue", Decision("begin")),
    ("not_held", OTHER, "cell", NONE, A, "continue", Decision("continue", A)),
    ("not_held_replay", OTHER, "cell", NONE, A, "replay", Decision("continue", A)),
    ("not_held_append", OTHER, "cell", NONE, A, "append", Decision("continue", A)),
    ("not_held_fresh", OTHER, "cell", NONE, A, "fresh", Decision("begin")),
    ("held_elsewhere", ONE, "cell", NONE, B, "continue", Decision("continue", B)),
    ("first", ONE, "cell", NONE, A, "continue", Decision("begin_again", A, AS_ONE)),
    ("first_replay", ONE, "cell", NONE, A, "replay", Decision("begin_again", A, AS_ONE)),
    ("first_append", ONE, "cell", NONE, A, "append", Decision("append", A, AS_ONE, "held")),
    ("first_fresh", ONE, "cell", NONE, A, "fresh", Decision("begin")),
    ("later", TWO, "cell", NONE, A, "continue", Decision("refuse", A, AS_TWO)),
    ("later_replay", TWO, "cell", NONE, A, "replay", Decision("replay", A, AS_TWO)),
    ("later_append", TWO, "cell", NONE, A, "append", Decision("append", A, AS_TWO, "held")),
    ("later_fresh", TWO, "cell", NONE, A, "fresh", Decision("begin")),
    ("later_of_a_listed_one", TWO, "cell", NONE, B, "continue", Decision("refuse", B, Place(B, "m8", False))),
    ("again_first", ONE, "cell", Asks(again=True), A, "continue", Decision("begin_again", A, AS_ONE)),
    ("again_later", TWO, "cell", Asks(again=True), A, "continue", Decision("replay", A, AS_TWO)),
    ("again_later_append", TWO, "cell", Asks(again=True), A, "append", Decision("replay", A, AS_TWO)),
    ("again_later_fresh", TWO, "cell", Asks(again=True), A, "fresh", Decision("replay", A, AS_TWO)),
    ("again_from_elsewhere", ONE, "cell", Asks(again=True), B, "continue", Decision("continue", B)),
    ("again_from_elsewhere_append", ONE, "cell", Asks(again=True), B, "append", Decision("continue", B)),
    ("again_from_elsewhere_fresh", ONE, "cell", Asks(again=True), B, "fresh", Decision("begin_again", A, AS_ONE)),
    ("again_after_new", TWO, "cell", Asks(again=True), None, "continue", Decision("replay", A, AS_TWO)),
    ("again_never_run", OTHER, "cell", Asks(again=True), A, "continue", Decision("continue", A)),
    ("new", ONE, "cell", Asks(new=True), A, "continue", Decision("begin")),
    ("new_later", TWO, "cell", Asks(new=True), A, "append", Decision("begin")),
    ("append_first", ONE, "cell", Asks(append=True), A, "continue", Decision("append", A, AS_ONE, "held")),
    ("append_later", TWO, "cell", Asks(append=True), A, "replay", Decision("append", A, AS_TWO, "held")),
    ("append_not_held", OTHER, "cell", Asks(append=True), A, "continue", Decision("continue", A)),
    ("append_fresh", OTHER, "cell", Asks(append=True), A, "fresh", Decision("continue", A)),
    ("append_nowhere", ONE, "cell", Asks(append=True), None, "continue", Decision("begin")),
    ("named_not_held", ONE, "cell", Asks(named=B), A, "continue", Decision("continue", B)),
    ("named_fresh", ONE, "cell", Asks(named=B), A, "fresh", Decision("continue", B)),
    ("named_first", ONE, "cell", Asks(named=A), B, "continue", Decision("refuse", A, AS_ONE, named=True)),
    ("named_later", TWO, "cell", Asks(named=A), None, "replay", Decision("refuse", A, AS_TWO, named=True)),
    ("named_held_fresh", TWO, "cell", Asks(named=A), None, "fresh", Decision("refuse", A, AS_TWO, named=True)),
    ("named_append", ONE, "cell", Asks(named=A, append=True), B, "continue", Decision("append", A, AS_ONE, "held")),
    ("named_append_mode", ONE, "cell", Asks(named=A), B, "append", Decision("append", A, AS_ONE, "held")),
    ("no_id", ONE, "no_id", NONE, A, "continue", Decision("append", A, None, "no_id")),
    ("no_id_replay", TWO, "no_id", NONE, A, "replay", Decision("append", A, None, "no_id")),
    ("no_id_fresh", TWO, "no_id", NONE, A, "fresh", Decision("begin")),
    ("no_id_append", TWO, "no_id", NONE, A, "append", Decision("continue", A)),
    ("no_id_nowhere", TWO, "no_id", NONE, None, "continue", Decision("begin")),
    ("no_id_named", TWO, "no_id", Asks(named=A), None, "continue", Decision("continue", A)),
    ("no_id_again", TWO, "no_id", Asks(again=True), A, "continue", Decision("replay", A, AS_TWO)),
    ("called", ONE, "called", NONE, A, "continue", Decision("append", A, None, "called")),
]


@pytest.mark.parametrize(
    ("cell", "origin", "asks", "current", "mode", "wanted"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_where_a_cell_asks(
    cell: Cell, origin: Origin, asks: Asks, current: str | None, mode: Mode, wanted: Decision
) -> None:
    assert decide(cell, origin, asks, current, mode, held()) == wanted


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=30))
def test_no_conversation_holds_a_cell_twice(runs: list[tuple[str, bool]]) -> None:
    """Whatever is run in whatever order, with or without --new; a refused one is not asked."""
    held, current = Held(), None
    conversations: dict[str, list[str]] = {}
    for number, (name, new) in enumerate(runs):
        cell: Cell = ("id", name)
        decision = decide(cell, "cell", Asks(new=new), current, "continue", held)
        if decision.action == "refuse":
            assert current is not None
            assert name in conversations[current][1:]
            continue
        began = decision.action != "continue"
        current = f"c{number}" if began else decision.conversation_id
        assert current is not None
        held.add(cell, current, f"m{number}", began=began)
        conversations.setdefault(current, []).append(name)
    assert all(len(set(cells)) == len(cells) for cells in conversations.values())


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=8, unique=True))
def test_all_cells_once_more_are_what_they_were(names: list[str]) -> None:
    """Run All in a live kernel: one conversation more, with the same cells in the same order, whichever say --again."""
    held, current, seen = Held(), None, []
    for number, name in enumerate([*names, *names]):
        decision = decide(("id", name), "cell", Asks(again=name in "bd"), current, "continue", held)
        began = decision.action in ("begin", "begin_again")
        current = f"c{number}" if began else decision.conversation_id
        assert current is not None
        held.add(("id", name), current, f"m{number}", began=began)
        seen.append(began)
    assert seen[: len(names)] == seen[len(names) :] == [True] + [False] * (len(names) - 1)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--new -c x", ["--new", "-c"]),
        ("--new --again", ["--new", "--again"]),
        ("--new --append", ["--new", "--append"]),
        ("--again --append", ["--again", "--append"]),
        ("--again -c x", ["--again", "-c"]),
    ],
)
def test_options_that_contradict_each_other(line: str, words: list[str]) -> None:
    with pytest.raises(LineError) as raised:
        parse_line(line)
    assert all(word in raised.value.message for word in words)


def test_append_goes_with_a_conversation_and_once() -> None:
    arguments = parse_line("-c x --append --once")
    assert (arguments.conversation, arguments.append, arguments.once) == ("x", True, True)


# -- a refusal


def talk(*usages: Usage | None, **names: Any) -> Notebook:
    """A notebook with a conversation of one cell more than usages; cell k is `cell-k`."""
    book = Notebook(Server(), **names)
    for number in range(1, len(usages) + 2):
        book.ran(book.prepare("", f"question {number}", f"cell-{number}"), FIRST)
    turns = book.app_session.session.turns
    turns.extend(Turn(conversation_id=FIRST, message_id=f"m{index}", usage=one) for index, one in enumerate(usages))
    return book


def told(tokens: int, price: str | None = None, currency: str | None = None) -> Usage:
    from decimal import Decimal

    return Usage(total_tokens=tokens, total_price=None if price is None else Decimal(price), currency=currency)


@pytest.mark.parametrize(
    ("usages", "words"),
    [
        ([None], ["turn 2 of 2", "the turn before it", "tokens and price not told"]),
        ([told(7, "0.001", "USD")], ["that turn, last time: 7 tokens, $0.001)"]),
        ([told(1000, "0.1", "USD"), told(500, "0.2", "USD")], ["turn 3 of 3", "the 2 turns", "1,500 tokens, $0.30)"]),
        ([told(1, "1", "USD"), told(2, "2", "RMB")], ["3 tokens, $1", "2"]),
        ([told(5), None], ["5 tokens, price not told; told by 1 of 2"]),
        ([told(5, "1", "USD"), told(6)], ["11 tokens, $1 (price told by 1 of 2))"]),
    ],
)
def test_a_refusal_says_which_turn_it_is_and_what_asking_again_costs(
    usages: list[Usage | None], words: list[str]
) -> None:
    book = talk(*usages)
    with pytest.raises(InputError) as raised:
        book.prepare("", "edited", f"cell-{len(usages) + 1}")
    text = f"{raised.value.message} {raised.value.hint}"
    for word in [*words, "--again", "--new", "--append", "Nothing was sent"]:
        assert word in text
    assert "/files/upload" not in book.server.asked
    assert "/chat-messages" not in book.server.asked


def test_a_refusal_of_a_named_conversation_offers_no_other() -> None:
    book = talk(None)
    with pytest.raises(InputError) as raised:
        book.prepare(f"-c {FIRST}", "hi", "cell-1")
    assert "turn 1 of 2" in raised.value.message
    assert "--append" in (raised.value.hint or "")
    assert "--again" not in (raised.value.hint or "")
    assert book.prepare(f"-c {FIRST} --append", "hi", "cell-1").conversation_id == FIRST
    assert book.prepare(f"-c {SECOND}", "hi", "cell-1").conversation_id == SECOND


def test_turns_of_others_in_the_conversation_count() -> None:
    """The panel or Python asked between the cells."""
    book = talk(None)
    book.server.messages[FIRST].insert(
        1, {"id": "python", "query": "between", "inputs": {}, "conversation_id": FIRST, "answer": "Yes."}
    )
    with pytest.raises(InputError, match="turn 3 of 3"):
        book.prepare("", "x", "cell-2")
    steps = book.prepare("--again", "x", "cell-2").steps
    assert [(step.query, step.workflow_id) for step in steps] == [("question 1", None), ("between", None)]


# -- what is asked again


def test_a_replay_asks_what_was_asked() -> None:
    book = Notebook(Server(form=CITY))
    book.server.mode = "advanced-chat"
    workflow = "22222222-2222-4222-8222-222222222222"
    book.ran(book.prepare(f"-i city=Lyon --workflow-id {workflow}", "one", "cell-1"), FIRST)
    book.ran(book.prepare("", "two", "cell-2"), FIRST)
    upload = "33333333-3333-4333-8333-333333333333"
    url = f"https://dify.example/files/{upload}/file-preview?sign=x"
    stored = {"type": "image", "belongs_to": "user", "transfer_method": "local_file", "url": url, "id": "f1"}
    book.server.messages[FIRST][0]["message_files"] = [stored, {**stored, "belongs_to": "assistant"}]
    book.server.messages[FIRST][0]["inputs"]["doc"] = None
    request = book.prepare("--again", "two", "cell-2")
    assert request.conversation_id is None
    assert request.inputs == {"city": "Lyon"}, "the later turn takes them along"
    [step] = request.steps
    assert (step.query, step.inputs, step.workflow_id) == ("one", {"city": "Lyon"}, workflow)
    assert step.files == ({"type": "image", "transfer_method": "local_file", "upload_file_id": upload},)


@pytest.mark.parametrize("mode", MODES)
def test_a_first_turn_begins_again_in_the_modes_that_say_so(mode: Mode) -> None:
    book = talk(None)
    book.state.mode = mode
    request = book.prepare("", "x", "cell-1")
    wanted = {"continue": "begin_again", "replay": "begin_again", "fresh": "begin", "append": "append"}
    assert (request.decision.action, request.conversation_id) == (wanted[mode], FIRST if mode == "append" else None)


def test_what_cannot_be_asked_again_is_refused_with_the_reason() -> None:
    book = talk(None, None)
    form = {"type": "human_input", "form_definition": {"form_id": "f", "inputs": []}, "submitted": True}
    book.server.messages[FIRST][1]["extra_contents"] = [form]
    with pytest.raises(InputError, match="Turn 2 of 3 cannot be asked again: its run asks a person"):
        book.prepare("--again", "x", "cell-3")
    book.server.messages[FIRST][1].update(extra_contents=None, status="paused")
    with pytest.raises(InputError, match="Turn 2 of 3"):
        book.prepare("--again", "x", "cell-3")
    lost = {"type": "document", "belongs_to": "user", "filename": "a.pdf"}
    book.server.messages[FIRST][1].update(status="normal", message_files=[lost])
    with pytest.raises(InputError, match=r"Turn 2 of 3 cannot be asked again: .*a\.pdf"):
        book.prepare("--again", "x", "cell-3")
    assert len(book.prepare("--again", "x", "cell-2").steps) == 1, "what stands before it can"
    book.server.messages[FIRST] = []
    with pytest.raises(InputError, match="no longer has"):
        book.prepare("--again", "x", "cell-3")
    book.server.refuse["/messages"] = (404, "not_found")
    for line in ("", "--again"):
        with pytest.raises(InputError, match="no longer has this cell's turn"):
            book.prepare(line, "x", "cell-3")


def test_a_replayed_cell_takes_the_inputs_of_the_turn_before_it() -> None:
    """Not those that came behind it."""
    book = Notebook(Server(form=CITY))
    for number, line in enumerate(("-i city=Lyon", "", "-i city=Nice"), 1):
        book.ran(book.prepare(line, f"question {number}", f"cell-{number}"), FIRST)
    assert book.prepare("--again", "x", "cell-2").inputs == {"city": "Lyon"}
    assert book.prepare("--again", "x", "cell-3").inputs == {"city": "Lyon"}
    assert book.prepare("--again -i city=Brest", "x", "cell-2").inputs == {"city": "Brest"}


def test_forms_that_were_answered_here_are_known_though_the_server_does_not_tell() -> None:
    book = talk(None)
    turns = book.app_session.session.turns
    turns[0] = Turn(conversation_id=FIRST, message_id="m0", forms=(Form(id="f"),))
    with pytest.raises(InputError, match="asks a person"):
        book.prepare("--again", "x", "cell-2")


def test_files_of_a_turn_that_was_had_here_come_from_the_server() -> None:
    book = talk(None)
    book.app_session.session.turns[0] = Turn(
        conversation_id=FIRST, message_id="m0", inputs={"a": "here"}, files=(MessageFile(belongs_to="assistant"),)
    )
    [step] = book.prepare("--again", "x", "cell-2").steps
    assert (step.inputs, step.files) == ({"a": "here"}, ())


def test_words_of_the_header() -> None:
    from dify_notebook.turn.state import Placing
    from dify_notebook.views.facts import title

    words = Words("en")
    told = {
        Placing("began_again"): "New conversation: this cell was turn 1 of the last one",
        Placing("asking", 6): "Asking turn 4 of 6 again",
        Placing("replayed"): "Turn 4 · replayed: turns 1 to 3 asked again",
        Placing("no_id"): "Turn 4 · appended: no cell id here",
    }
    assert {one: title(Turn(turn_number=4, placing=one), words) for one in told} == told
    first = title(Turn(turn_number=1, placing=Placing("began_again", first=True)), words)
    assert first.endswith("%dify mode append adds it to the old one")
    assert title(Turn(turn_number=2, placing=Placing("replayed")), words) == "Turn 2 · replayed: turn 1 asked again"
