"""A cell that asks several times: what it asks with, row by row, and what it shows of what comes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from dify_notebook.app.known import KnownApp
from dify_notebook.app.namespace import Namespace
from dify_notebook.app.tables import Row, cells_of, columns_of, is_row, is_rows
from dify_notebook.errors import DifyError, InputError
from dify_notebook.i18n import speaking
from dify_notebook.magic.beside import Beside, check
from dify_notebook.magic.beside_rows import Asked, ask_with
from dify_notebook.magic.beside_view import Watched, text_of, totals_of, turn_of
from dify_notebook.magic.parse import parse_line
from dify_notebook.sweep.asking.engine import Ended
from dify_notebook.sweep.case import Case, Message, Target, Variant
from dify_notebook.sweep.cases import grid
from dify_notebook.sweep.cases.design import Design
from dify_notebook.sweep.records import Answer, Outcome
from dify_notebook.views import limits
from dify_notebook.wire.models import Parameters

TABLE = pd.DataFrame(
    {"q": ["red", "green"], "my tone": ["a", None], "items": [1, 2]}, index=["x", "y"]
)


def app(*form: tuple[str, str], mode: str = "chat") -> KnownApp:
    """An app whose form has these inputs, by kind and name."""
    return KnownApp(
        parameters=Parameters(user_input_form=[{kind: {"variable": name, "label": name}} for kind, name in form]),
        mode=mode,
    )


CHAT, TONE = app(), app(("text-input", "tone"))
FILE = app(("file", "photo"))
TALLY = app(("paragraph", "text"), ("number", "n"), mode="workflow")


def ask(line: str, body: str = "hi", apps: dict[str, KnownApp] | None = None, **names: Any) -> Asked:
    return ask_with(parse_line(line), body, {"table": TABLE, **names}, apps or {"a": CHAT, "b": TONE})


def rows(asked: Asked) -> list[dict[str, Any]]:
    """The questions without what is not given."""
    return [{name: value for name, value in row.items() if value is not None} for row in asked.over]


def test_without_a_table_there_is_one_question() -> None:
    asked = ask("a b -i 'tone={{ town }}'", "\n Where is {{ town }}? \n", town="Lyon")
    assert rows(asked) == [{"row": 0, "query": " Where is Lyon?", "-i tone": "Lyon"}]
    assert (asked.query, asked.inputs, asked.files) == ("{{ query }}", {"tone": "-i tone"}, None)
    assert (asked.text, asked.first_inputs) == (" Where is Lyon?", {"tone": "Lyon"})


def test_braces_in_a_value_are_text() -> None:
    """What a variable or a cell holds is never filled again."""
    asked = ask("a --over table", "{{ row.q }} {{ town }} \\{{ x }}", town="{{ row.q }}")
    assert [row["query"] for row in asked.over] == ["red {{ row.q }} {{ x }}", "green {{ row.q }} {{ x }}"]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("a b --over table -i 'tone={{ row.q }}!'", ["red!", "green!"]),
        ("a b --over table -i 'tone:=row.q.upper() + town'", ["REDLyon", "GREENLyon"]),
        ("a b --over table -i 'tone={{ row.items }}'", ["1", "2"]),
        ("a b --over table --inputs '{\"tone\": \"q\"}'", ["red", "green"]),
        ("a b --over table --inputs '{\"tone\": \"no column\"}'", ["no column", "no column"]),
        ("a b --over 'tables[\"one\"]' -i 'tone={{ row[\"q\"] }}'", ["red", "green"]),
        ("a b --over dicts -i 'tone={{ row.q }}'", ["red", "green"]),
    ],
)
def test_inputs_by_row(line: str, values: list[str]) -> None:
    dicts = [{"q": "red"}, {"q": "green"}]
    asked = ask(line, town="Lyon", tables={"one": TABLE}, dicts=dicts)
    assert [row["-i tone"] for row in asked.over] == values
    assert [row["row"] for row in asked.over] == ([0, 1] if "dicts" in line else ["x", "y"])


def test_a_whole_row_as_inputs() -> None:
    table = pd.DataFrame({"tone": ["a", None], "note": ["n", "m"]})
    asked = ask("a b --over table --inputs row", table=table)
    assert rows(asked) == [{"row": 0, "query": "hi", "-i tone": "a"}, {"row": 1, "query": "hi"}]
    assert asked.left_out == ("note",)


def test_polars_and_empty_tables() -> None:
    polars = pytest.importorskip("polars")
    asked = ask("a --over frame", "{{ row.q }}", frame=polars.DataFrame({"q": ["red", "green"]}))
    assert [row["query"] for row in asked.over] == ["red", "green"]
    with pytest.raises(InputError):
        ask("a --over frame", "{{ row.q }}", frame=TABLE[:0])


@pytest.mark.parametrize(
    ("line", "body", "says"),
    [
        ("a b --over table", "{{ row.nothing }}", ["Row x of the table", "no column nothing", "q, my tone, items"]),
        ("a b --over table", "{{ row['my tone'] }}", ["Row y of the table"]),
        ("a b --over table", "{{ q }}", ["There is no variable q", "{{ row.q }}"]),
        ("a b --over nothing", "hi", ["nothing"]),
        ("a b --over number", "hi", ["int"]),
        ("a b -i tnoe=1", "hi", ["None of the apps has an input tnoe", "Did you mean tone?"]),
        ("a b --over table -i tnoe=1", "hi", ["Row x", "tnoe"]),
        ("a b --over table", "  ", ["empty"]),
        ("a b --text tone", "hi", ["--text", "a"]),
        ("a b --as-inputs", "tone = 1", ["--as-inputs"]),
        ("a b -f nowhere.png", "hi", ["nowhere.png"]),
    ],
)
def test_what_does_not_fit_names_itself(line: str, body: str, says: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        ask(line, body, number=1)
    for words in says:
        assert words in str(caught.value)


def test_what_is_typed_for_a_file_is_one_and_what_a_table_holds_is_not(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"x")
    names = {"a": CHAT, "b": FILE}
    assert ask(f"a b -i photo={picture}", apps=names).over[0]["-i photo"] == picture
    frame = pd.DataFrame({"photo": [picture]})
    asked = ask("a b --over frame -i 'photo={{ row.photo }}'", apps=names, frame=frame)
    assert asked.over[0]["-i photo"] == picture
    with pytest.raises(InputError, match=r"Row 0.*never taken for a path"):
        ask("a b --over frame -i 'photo={{ row.photo }}'", apps=names, frame=frame.astype(str))


def test_files_of_a_question(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"x")
    frame = pd.DataFrame({"photo": [picture]})
    apps = {"a": KnownApp(parameters=Parameters(file_upload={"enabled": True}), mode="chat")}
    for line in (f"a --repeat 2 -f {picture}", "a --over frame -f '{{ row.photo }}'"):
        asked = ask(line, apps=apps, frame=frame)
        assert (asked.files, asked.over[0]["-f"]) == ("-f", [picture])


def test_apps_that_take_inputs_alone() -> None:
    asked = ask("t --repeat 2 --text text -i n=3", "red", {"t": TALLY})
    assert (asked.query, asked.inputs) == (None, {"n": "-i n", "text": "query"})
    asked = ask("t --over table --as-inputs", 'text = "{{ row.q }}"', {"t": TALLY})
    assert (asked.query, [row["-i text"] for row in asked.over]) == (None, ["red", "green"])
    assert ask("t --repeat 2 -i text=red", "", {"t": TALLY}).query is None


def test_a_row_hides_no_variable_of_the_notebook() -> None:
    """The notebook's `row` is there again, and names without a value stay so."""
    names = {"row": "mine", "table": TABLE}
    ask_with(parse_line("a --over table"), "{{ row.q }}", names, {"a": CHAT})
    assert names["row"] == "mine"
    frame = Namespace({"table": TABLE}, {})
    frame.unbound["city"] = "f"
    with pytest.raises(InputError, match="city is a variable of the function f"):
        ask_with(parse_line("a --over table"), "{{ city }}", frame, {"a": CHAT})


def test_every_column_is_an_attribute_of_a_row() -> None:
    row = Row({"items": 1, "keys": 2, "a b": 3})
    assert (row.items, row.keys, row["a b"], "keys" in row) == (1, 2, 3, True)
    assert is_row(row)
    assert cells_of(row) == {"items": 1, "keys": 2, "a b": 3}
    with pytest.raises(AttributeError, match="no column x; its columns: items, keys, a b"):
        _ = row.x
    assert [is_rows(value) for value in (TABLE, [{"a": 1}], [], [1], TABLE["q"], "a")] == [
        True, True, False, False, False, False,
    ]  # fmt: skip
    assert columns_of([{"a": 1}]) == ("a",)


def test_an_input_goes_to_the_apps_that_have_it() -> None:
    """Of a sweep from Python as of a cell; what no app has is refused."""
    client: Any = None
    names = {"a": TONE, "b": CHAT, "t": TALLY}
    apps = [grid.App(Target(name=name, client=client, identity=name), known) for name, known in names.items()]
    cases = grid.arrange(Design(query="hi", inputs={"tone": "soft", "n": 3}), apps)
    assert {each.variant.target: each.messages[0].inputs for each in cases} == {
        "a": {"tone": "soft"}, "b": {}, "t": {"text": "hi", "n": 3},
    }  # fmt: skip
    with pytest.raises(InputError, match="tnoe"):
        grid.arrange(Design(query="hi", inputs={"tnoe": "soft"}), apps)


# -- what is shown ---------------------------------------------------------------------


def case(app: str, question: str, repeat: int = 0, label: Any = 0) -> Case:
    return Case(
        id=f"{app}{question}{repeat}",
        question=question,
        variant=Variant(target=app),
        repeat=repeat,
        messages=(Message(query=question, inputs={}),),
        labels=(label,),
    )


def ended(case: Case, answer: str = "yes", **facts: Any) -> Outcome:
    facts = {"total_tokens": 7, "price": Decimal("0.5"), "currency": "USD", "seconds": 2.0, **facts}
    return Outcome(case=case.id, state="succeeded", answers=[Answer(status="succeeded", answer=answer, **facts)])


def failed(case: Case, why: str = "no tokens") -> Outcome:
    return Outcome(case=case.id, state="failed", error=why, error_code="code")


class Known:
    """A sweep whose cases have ended."""

    def __init__(self, cases: list[Case], outcomes: list[Outcome]) -> None:
        self.cases = cases
        self.store = SimpleNamespace(outcomes={each.case: each for each in outcomes}, turn=self._turn)
        self._job = self

    def _turn(self, answer: Answer) -> Any:
        raise DifyError("its tape is gone", code="tape")


def watched(cases: list[Case], outcomes: list[Outcome], *, table: bool = False, **fields: Any) -> Watched:
    known = {"a": TONE, "b": CHAT, **fields.pop("apps", {})}
    apps = {name: SimpleNamespace(known=each) for name, each in known.items()}
    labels = dict.fromkeys(label for each in cases for label in each.labels)
    asked = Asked(
        over=[{"row": label} for label in labels],
        query="{{ query }}",
        inputs=fields.pop("inputs", {}),
        files=None,
        text="hi",
        template="{{ row.q }}",
        first_inputs=fields.pop("first", {}),
    )
    problems = {name: DifyError(why, code="gone") for name, why in fields.pop("gone", {}).items()}
    apps = {name: app for name, app in apps.items() if name not in problems}
    beside = Beside(cast(Any, Known(cases, outcomes)), cast(Any, apps), problems, list(known), asked, None, table)
    found = Watched(beside)
    by_id = {each.id: each for each in cases}
    for outcome in outcomes:
        found.note(by_id[outcome.case], outcome)
    return found


def test_columns_are_the_apps_and_rows_the_repeats() -> None:
    cases = [case("b", "hi", 1), case("a", "hi", 1), case("b", "hi", 0), case("a", "hi", 0)]
    seen = watched(cases, [ended(cases[0], "later"), failed(cases[1])], first={"tone": "soft"})
    page = seen.end(None, None)
    assert [[each.heading for each in row] for row in cast(Any, page).rows] == [["a", "b"], ["a", "b"]]
    [[first, _], [second, later]] = cast(Any, page).rows
    assert (first.turn, first.error, first.status) == (None, "", "not_run")
    assert (second.turn, second.error) == (None, "no tokens")
    assert later.turn.answer == "later", "its tape is gone, and what was written down of it remains"
    assert (first.note, later.note) == ("Given to it alone: tone=soft", "")
    assert cast(Any, page).ended
    assert {each.status for row in watched(cases, []).page().rows for each in row} == {"waiting"}


def test_an_app_that_could_not_be_asked_is_a_column() -> None:
    cases = [case("b", "hi")]
    page = cast(Any, watched(cases, [ended(cases[0])], gone={"a": "key refused"}).end(None, None))
    assert [(each.heading, each.error) for each in page.rows[0]] == [("a", "key refused"), ("b", "")]
    table = cast(Any, watched(cases, [ended(cases[0])], gone={"a": "key refused"}, table=True).end(None, None))
    assert [(each.text, each.status) for each in table.rows[0].cells] == [("key refused", "failed"), ("yes", "succeeded")]


def test_a_table_stands_in_the_order_of_its_rows() -> None:
    cases = [case(app, name, label=label) for name, label in (("late", 2), ("early", 1)) for app in "ba"]
    cases = [*cases[2:], *cases[:2]][::-1]
    rows = sorted(cases, key=lambda each: str(each.labels[0]))
    every = watched(rows, [ended(each) for each in cases], table=True)
    assert [row.question for row in cast(Any, every.end(None, None)).rows] == ["early", "late"]
    seen = watched(rows, [ended(cases[0]), failed(cases[1])], table=True)
    table = cast(Any, seen.end(None, None))
    assert table.variants == ["a", "b"]
    assert [row.question for row in table.rows] == ["late", "early"], "what was asked first"
    shown = [(each.text, each.status) for row in table.rows for each in row.cells]
    assert sorted(shown) == [("", "not_run"), ("", "not_run"), ("no tokens", "failed"), ("yes", "succeeded")]
    assert [(total.asked, total.succeeded, total.prices) for total in table.totals] in (
        [(2, 1, {"USD": Decimal("0.5")}), (2, 0, {})],
        [(2, 0, {}), (2, 1, {"USD": Decimal("0.5")})],
    )


def test_a_table_that_was_stopped_shows_first_what_was_asked() -> None:
    cases = [case(app, f"q{row}", label=row) for row in range(50) for app in "ab"]
    asked = [each for each in cases if each.messages[0].query in ("q30", "q40")]
    table = cast(Any, watched(cases, [ended(each) for each in asked], table=True).end(None, None))
    assert [row.question for row in table.rows[:3]] == ["q30", "q40", "q0"]


def test_many_repeats_of_a_table_show_the_first_and_count_all() -> None:
    cases = [case(app, "q", repeat) for app in "ab" for repeat in range(4)]
    table = cast(Any, watched(cases, [ended(each) for each in cases], table=True).end(None, None))
    assert table.variants == ["a", "b"]
    assert [total.asked for total in table.totals] == [4, 4]
    assert "of 4 repeats the first is shown" in table.note
    few = [each for each in cases if each.repeat < 3]
    table = cast(Any, watched(few, [], table=True).end(None, None))
    assert table.variants == [f"{app} · {n}" for app in "ab" for n in (1, 2, 3)]


def test_a_long_table_is_bounded_and_remembers_little() -> None:
    cases = [case("a", f"q{n}", label=n) for n in range(300)]
    seen = watched(cases, [ended(each) for each in cases], table=True)
    assert len(seen._outcomes) < 10
    page = seen.page()
    assert (page.done, page.asked, len(page.rows[0])) == (300, 300, 6)
    table = cast(Any, seen.end(None, None))
    assert (len(table.rows), table.count) == (limits.TABLE_ROWS, 300)
    with speaking("zh-Hans"):
        assert watched(cases, [], table=True, inputs={"tone": "-i tone"}).page().note == "tone 只给 a。"


def test_currencies_are_never_added_and_missing_prices_are_counted() -> None:
    cases = [case("a", name) for name in "uvw"]
    outcomes = [ended(cases[0]), ended(cases[1], currency="EUR"), ended(cases[2], price=None, currency=None)]
    [total] = (each.total() for each in totals_of(cases, {each.case: each for each in outcomes}, True).values())
    assert (total.prices, total.unpriced) == ({"USD": Decimal("0.5"), "EUR": Decimal("0.5")}, 1)
    assert (total.asked, total.succeeded, total.total_tokens, total.seconds) == (3, 3, 21, 2.0)


def test_what_was_written_down_is_a_turn() -> None:
    turn = turn_of(Answer(status="failed", end="error", error_code="e", error="no", query="q", price=Decimal(1)))
    assert (turn.status, turn.query, turn.error and turn.error.message) == ("failed", "q", "no")
    assert text_of(Answer(status="succeeded", outputs={"n": 1, "b": "x"})) == "n=1, b=x"


def test_it_fails_only_where_nothing_succeeded() -> None:
    cases = [case("a", "q"), case("b", "q")]
    over = Ended(failed=2)
    check(watched(cases, [ended(cases[0]), failed(cases[1])]), 2, over)
    with pytest.raises(DifyError, match=r"Nothing succeeded: 2 of 2 .* The first: no tokens") as caught:
        check(watched(cases, [failed(cases[0]), failed(cases[1])]), 2, over)
    assert caught.value.code == "code"
    check(watched(cases, [failed(cases[0])]), 2, Ended(failed=1, reason="stopped"))
    with pytest.raises(InputError, match="budget leaves nothing"):
        check(watched(cases, []), 2, Ended(reason="budget"))
    with pytest.raises(InputError, match="reports no"):
        check(watched(cases, []), 2, Ended(reason="budget", refusals={"a": "it reports no price"}))
