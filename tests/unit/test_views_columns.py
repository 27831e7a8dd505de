"""Several answers beside each other: what is shown of them in every form, and that no text gets out of its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from html import unescape
from typing import Any

import msgspec
import pytest
from markdown_it import MarkdownIt
from unit import views_examples as examples
from unit.test_views_hostile import ODD, problems
from unit.views_hostile import HOSTILE, hostile_run, hostile_turn, hostile_values

from dify_notebook.turn.price import price_of
from dify_notebook.turn.state import Node, Timing, Turn, Usage, Workflow
from dify_notebook.views import limits
from dify_notebook.views.answer_table import Cell, Table, TableRow, Total, short, totals
from dify_notebook.views.block import Block
from dify_notebook.views.columns import Entry, Page, compared, laid_out, letter, measures
from dify_notebook.views.columns_page import ColumnsView
from dify_notebook.views.columns_saved import bundle, html
from dify_notebook.views.columns_stream import ColumnsStream
from dify_notebook.views.html import serialize
from dify_notebook.views.words import Words

EN = Words("en")


def said(answer: str, **more: Any) -> Turn:
    """An answer that ended well."""
    usage = Usage(total_tokens=12, total_price=Decimal("0.0012"), currency="USD")
    timing = Timing(total=1.2, first_token=0.3)
    return Turn(
        query="q", answer=answer, status="succeeded", end="message_end", usage=usage, timing=timing, **more
    )


def page(*answers: str, **more: Any) -> Page:
    """One row, an entry for each answer; a, b, c are the apps."""
    entries = [Entry(chr(ord("a") + at), said(answer)) for at, answer in enumerate(answers)]
    return Page(rows=[entries], **more)


# -- forms ---------------------------------------------------------------------------------


def test_all_of_it_as_text() -> None:
    shown = Page(
        rows=[[
            Entry("support", said("The **quick** fox.")),
            Entry("draft", said("The **slow** fox."), "tone: formal"),
            Entry("third", error="No connection."),
        ]],
        query="What is a fox?",
        inputs={"length": 3},
        note="Budget: 2 USD",
    )  # fmt: skip
    assert bundle(shown, "en")["text/plain"] == (
        "3 of 3 answers\n\n"
        "Budget: 2 USD\nAsked:\n  What is a fox?\nInputs\n  length: 3\n\n"
        "== A \u00b7 support ==\nThe **quick** fox.\n\n"
        "== B \u00b7 draft ==\ntone: formal\nThe **slow** fox.\n\n"
        "== C \u00b7 third ==\nNo connection.\n\n"
        "Status: A \u2713 Done \u00b7 B \u2713 Done \u00b7 C \u2715 Failed\n"
        "Tokens: A 12 \u00b7 B 12 \u00b7 C \u2013\n"
        "Price: A $0.0012 \u00b7 B $0.0012 \u00b7 C \u2013\n"
        "Seconds: A 1.20 \u00b7 B 1.20 \u00b7 C \u2013\n"
        "First text after (s): A 0.30 \u00b7 B 0.30 \u00b7 C \u2013\n\n"
        "B against A: [-only in A-] {+only in B+}\n  The **[-quick-]{+slow+}** fox."
    )


def test_saved_it_is_one_table_that_needs_no_styles() -> None:
    saved = bundle(page("A red *fox*.", "A blue *fox*.", query="Why?"), "en")["text/html"]
    bare = re.sub(r' (?:style|class)="[^"]*"', "", saved)
    assert bare.count("<table>") == 1
    heads = re.findall(r'<th scope="(\w+)">(.*?)</th>', bare)
    assert heads == [
        ("col", "Name"), ("col", "A \u00b7 a"), ("col", "B \u00b7 b"), ("row", "Status"), ("row", "Tokens"), ("row", "Price"),
        ("row", "Seconds"), ("row", "First text after (s)"), ("row", "Answer"), ("row", "Differences"),
    ]  # fmt: skip
    rows = re.findall(r"<tr>(.*?)</tr>", bare)
    assert all(len(re.findall("<t[hd][ >]", row)) == 3 for row in rows)
    assert "<p>A red <em>fox</em>.</p>" in rows[-2]
    assert "A <del>red</del><ins>blue</ins> *fox*." in rows[-1]
    assert bare.index("Why?") < bare.index("<table>")


def test_what_only_one_of_them_was_given_stands_with_it() -> None:
    shown = Page(rows=[[Entry("a", said("x")), Entry("b", said("y"), "tone: formal")]])
    for form in bundle(shown, "en").values():
        assert "tone: formal" in form
    assert "tone: formal" in serialize(ColumnsView("en").blocks(shown))


def test_repeats_are_rows_and_each_has_its_own_first() -> None:
    shown = Page(rows=[[Entry("a", said("one")), Entry("b", said("two"))], [Entry("a", said("two")), Entry("b", said("two"))]])
    rows = laid_out(shown, EN)
    assert [row.heading for row in rows] == ["Repeat 1", "Repeat 2"]
    first, second = compared(rows, EN)
    assert first[0] is None
    assert first[1] is not None
    assert [piece.text for piece in first[1].pieces] == ["one", "two"]
    assert second[1] is not None
    assert (second[1].pieces, second[1].note) == ([], "The same as A.")


def test_repeats_of_one_app_stand_beside_each_other() -> None:
    shown = Page(rows=[[Entry("a", said(f"answer {at}"))] for at in range(3)])
    [row] = laid_out(shown, EN)
    assert [entry.heading for entry in row.entries] == [f"a \u00b7 Repeat {at}" for at in (1, 2, 3)]
    assert [one and one.letters for one in compared([row], EN)[0]] == [None, ("A", "B"), ("A", "C")]


@pytest.mark.parametrize(
    ("count", "sizes"), [(1, [1]), (4, [4]), (5, [3, 2]), (6, [3, 3]), (9, [3, 3, 3]), (30, [4] * 7 + [2])]
)
def test_more_than_fit_beside_each_other_go_on_below(count: int, sizes: list[int]) -> None:
    rows = laid_out(Page(rows=[[Entry(f"v{at}", said("x")) for at in range(count)]]), EN)
    assert [len(row.entries) for row in rows] == sizes
    assert [mark for row in rows for mark in row.letters] == [letter(at) for at in range(count)]
    assert [row.first for row in rows] == [True] + [False] * (len(sizes) - 1)
    against = [one.letters[0] for line in compared(rows, EN) for one in line if one is not None]
    assert against == ["A"] * (count - 1), "those below are compared with the first of all"


def test_the_first_that_has_an_answer_is_what_the_others_are_compared_with() -> None:
    shown = Page(rows=[[Entry("a", error="no"), Entry("b", said("x y")), Entry("c", Turn(answer="x")), Entry("d", said("x z"))]])
    [line] = compared(laid_out(shown, EN), EN)
    assert [one and one.letters for one in line] == [None, None, None, ("B", "D")]


def test_answers_are_compared_as_they_are_read() -> None:
    """A line break that is written as HTML is one; markup is no text."""
    shown = page("one<br>two", "one\ntwo")
    assert "The same as A." in bundle(shown, "en")["text/plain"]


def test_runs_are_compared_by_their_outputs() -> None:
    def run(label: str) -> Turn:
        flow = Workflow(id="w", status="succeeded", outputs={"label": label, "sure": 0.9}, total_tokens=7)
        return Turn(status="succeeded", end="message_end", app_mode="workflow", workflow=flow)

    shown = Page(rows=[[Entry("a", run("good")), Entry("b", run("bad"))]])
    text = bundle(shown, "en")["text/plain"]
    assert "label: [-good-]{+bad+}" in text
    assert "Tokens: A 7 \u00b7 B 7" in text


@pytest.mark.parametrize("make", [examples.chat, examples.agent, examples.chatflow, examples.troubled, examples.workflow,
                                  examples.completion])  # fmt: skip
def test_every_kind_of_turn_can_stand_there(make: Callable[[], Turn]) -> None:
    shown = Page(rows=[[Entry("a", make()), Entry("b", said("x"))]])
    for lang in ("en", "zh-Hans"):
        forms = bundle(shown, lang)
        assert problems(forms["text/html"]) == []
        assert problems(html(shown, lang)) == []
        assert all(forms.values())


# -- facts ---------------------------------------------------------------------------------


def test_a_price_is_the_sum_of_the_nodes_or_missing() -> None:
    node = Node(id="n", total_tokens=3, total_price=Decimal("0.01"), currency="USD")
    other = msgspec.structs.replace(node, id="m", total_price=Decimal("0.02"))
    whole = Turn(status="succeeded", nodes=(node, other))
    part = msgspec.structs.replace(whole, nodes=(node, msgspec.structs.replace(other, total_price=None)))
    assert price_of(whole) == (Decimal("0.03"), "USD")
    assert price_of(part) == (None, None)
    rows = {row[0]: row[1:] for row in measures([Entry("a", whole), Entry("b", part)], EN)}
    assert rows["Price"] == ["$0.03", "\u2013"]


def test_seconds_and_the_first_text_are_of_one_clock() -> None:
    flow = Workflow(id="run", elapsed=0.01, total_steps=5)
    seen = Turn(status="succeeded", workflow=flow, timing=Timing(total=0.05, first_token=0.02))
    rows = {row[0]: row[1:] for row in measures([Entry("a", seen), Entry("b", Turn(workflow=flow))], EN)}
    assert rows["Seconds"] == ["0.05", "0.01"], "without a clock of this side the server's counts"
    assert rows["First text after (s)"] == ["0.02", "\u2013"]


def test_what_none_of_them_tells_is_no_row() -> None:
    rows = measures([Entry("a", Turn(status="stopped")), Entry("b")], EN)
    assert rows == [["Status", "\u25a0 Stopped", "\u00b7 Waiting for its turn"]]


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        (Page(rows=[[Entry("a"), Entry("b", said("x"))]]), "running"),
        (Page(rows=[[Entry("a", Turn())]]), "running"),
        (Page(rows=[[Entry("a"), Entry("b", said("x"))]], ended=True), "succeeded"),
        (Page(rows=[[Entry("a", said("x")), Entry("b", error="no")]]), "succeeded"),
        (Page(rows=[[Entry("a", said("x"))]], done=3, asked=5), "running"),
        (Page(rows=[], done=5, asked=5), "succeeded"),
    ],
    ids=["one waits", "one runs", "stopped before one", "all ended", "more to come", "a table is done"],
)
def test_whether_more_may_come(shown: Page, status: str) -> None:
    assert shown.status == status


# -- while they come -------------------------------------------------------------------------


def entry_of(root: Block, at: int) -> Block:
    [row] = [child for child in root.children if child.key == "row-0"]
    return row.children[at]


def test_what_stands_still_is_the_same_block() -> None:
    view = ColumnsView("en")
    long = "\n\n".join(f"Paragraph {at}." for at in range(20))
    blocks = []
    for answer in ("x", "x y"):
        root = view.blocks(Page(rows=[[Entry("a", Turn(answer=long)), Entry("b", Turn(answer=answer))]]))
        turn = next(child for child in entry_of(root, 0).children if child.key == "turn")
        blocks.append(next(slot for slot in turn.children if slot.key == "answer").children)
    assert all(one is other for one, other in zip(*blocks, strict=True))


def test_how_far_the_answers_of_a_table_are() -> None:
    shown = Page(rows=[[Entry("a", said("the last"))]], done=50, asked=200)
    live = serialize(ColumnsView("en").blocks(shown))
    assert "50 of 200 answers" in live
    assert "width:25%" in live


def test_in_a_terminal_they_come_one_after_another() -> None:
    stream = ColumnsStream("en")
    out = stream.feed(Page(rows=[[Entry("a", Turn(answer="One ")), Entry("b", Turn(answer="Four "))]], query="Why?"))
    assert "One" in out
    assert "Four" not in out
    assert out.index("Why?") < out.index("== A \u00b7 a ==")
    out = stream.feed(Page(rows=[[Entry("a", Turn(answer="One two ")), Entry("b", said("Four five."))]]))
    assert out == "two "
    ended = Page(rows=[[Entry("a", said("One two three.")), Entry("b", said("Four five."))]])
    out = stream.feed(ended)
    assert "three." in out
    assert "Four five." in out
    out = stream.end(ended)
    assert "Four five." not in out, "nothing is printed twice"
    assert "[-One two three-]{+Four five+}." in out


def test_in_a_terminal_what_was_not_asked_is_said_at_the_end() -> None:
    stream = ColumnsStream("en")
    shown = Page(rows=[[Entry("a", Turn(answer="One ")), Entry("b"), Entry("c", error="No connection.")]])
    assert "Waiting" not in stream.feed(shown)
    out = stream.end(msgspec.structs.replace(shown, ended=True))
    assert "== B \u00b7 b ==\nWaiting for its turn\n" in out
    assert "== C \u00b7 c ==\nNo connection.\n" in out


def test_in_a_terminal_a_table_tells_how_far_it_is_now_and_then() -> None:
    stream = ColumnsStream("en")
    lines = [stream.feed(Page(rows=[], done=done, asked=200)) for done in range(201)]
    assert [line.strip() for line in lines if line.strip()] == [f"{at} of 200 answers" for at in range(20, 201, 20)]
    assert "\nQuestion 0?\n  v1: First line" in stream.end(TABLE)


# -- bounds ------------------------------------------------------------------------------------


def test_long_answers_are_cut_and_say_so() -> None:
    long = "word " * 200_000
    shown = page(*(f"{long}{at}" for at in range(6)), query="q" * 100_000)
    forms = bundle(shown, "en")
    forms["live"] = serialize(ColumnsView("en").blocks(shown))
    for form in forms.values():
        assert len(form) < 6 * 2 * limits.COLUMN_TEXT + 40_000
        assert "the first 20,000 of 1,000,001 characters are shown" in form


def test_more_answers_than_are_shown_are_counted() -> None:
    shown = Page(rows=[[Entry("a", said(f"[{row}]")), Entry("b", said("x"))] for row in range(40)])
    forms = bundle(shown, "en")
    for form in forms.values():
        assert "20 more are not shown here. All of them are in sweep.results." in form
    assert "[29]" in forms["text/plain"]
    assert "[30]" not in forms["text/plain"]


# -- a table of many questions -----------------------------------------------------------------

TABLE = Table(
    ["v1", "v2"],
    [TableRow(f"Question {at}?", [Cell("First line\nsecond " + "x" * 500), Cell("No money", "failed")]) for at in range(30)],
    100,
    [Total(100, 98, 1_234, {"USD": Decimal("1.5"), "EUR": Decimal("0.25")}, 2, 1.5, 0.25), Total(100, 0)],
    note="Stopped: the budget is spent.",
    query="{{ row.question }}",
)


def test_a_table_has_a_row_for_each_question_and_facts_at_its_foot() -> None:
    forms = bundle(TABLE, "en")
    bare = re.sub(r' (?:style|class)="[^"]*"', "", forms["text/html"])
    rows = re.findall(r"<tr>(.*?)</tr>", bare)
    assert len(rows) == 1 + limits.TABLE_ROWS + 5
    assert re.findall("<td>(.*?)</td>", rows[1])[1] == "\u2715 Failed: No money"
    assert totals(TABLE, EN) == [
        ["Succeeded", "98 of 100", "0 of 100"],
        ["Tokens, all", "1,234", "\u2013"],
        ["Price, all", "$1.50 \u00b7 \u20ac0.25 \u00b7 2 without a price", "\u2013"],
        ["Time, median", "1.50 s", "\u2013"],
        ["First text after, median", "0.25 s", "\u2013"],
    ]
    for form in forms.values():
        assert "80 more are not shown here. All of them are in sweep.results." in form
        assert "the budget is spent" in form
        assert "{{ row.question }}" in form
        assert len(form) < 30_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a\nb", "a b"), ("x" * 400, "x" * 279 + "\u2026"), ("", ""), ("y" * 5_000, "y" * 279 + "\u2026")],
    ids=["lines", "long", "nothing", "very long"],
)
def test_an_answer_in_short(text: str, expected: str) -> None:
    assert short(Cell(text)) == expected


# -- hostile -----------------------------------------------------------------------------------


def hostile_page(text: str) -> Page:
    entries = [
        Entry(text, hostile_turn(text), text, error=text),
        Entry(text, hostile_run(text), text),
        Entry(text, said(text)),
        Entry(text, said(f"{text} {text[::-1]}")),
        Entry(text, None, text, error=text),
        Entry(text, hostile_turn(text, "running")),
    ]
    return Page(rows=[entries, entries[2:4]], query=text, inputs=hostile_values(text), headings=[text, text], note=text)


def hostile_table(text: str) -> Table:
    row = TableRow(text, [Cell(text), Cell(text, text)])
    return Table([text, text], [row], 9, [Total(1, 1, 1, {text: Decimal(1)})] * 2, note=text, query=text)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_form_lets_hostile_text_out(text: str) -> None:
    from markdown_it import MarkdownIt

    shown, table = hostile_page(text), hostile_table(text)
    live = serialize(ColumnsView("en").blocks(shown))
    assert problems(live) == []
    stream = ColumnsStream("en")
    printed = stream.feed(shown) + stream.end(shown)
    for forms in (bundle(shown, "en"), bundle(table, "en")):
        assert problems(forms["text/html"]) == []
        for form in (*forms.values(), live, printed):
            assert "signed.example" not in form
            assert not ODD.search(form.replace("\n", ""))
            form.encode("utf-8")
        rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(forms["text/markdown"])
        tags = set(re.findall(r"<([a-zA-Z][a-zA-Z0-9]*)", rendered))
        assert tags <= {"p", "em", "strong", "code", "pre", "ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th",
                        "td", "hr", "blockquote", "br", "h1", "h2", "h3"}  # fmt: skip
        assert not re.search(r"<[^>]*\son\w+=", rendered)


@pytest.mark.parametrize("text", ["one\n\n![b](https://evil.example/b.png)\n", "```\na\n \t\n![b](x)\n\n\n\n# c\n```\n\nd"])
def test_the_saved_html_stays_html_in_a_markdown_file(text: str) -> None:
    """As `nbconvert --to markdown` writes it: a blank line would end it, and what follows be read as markdown."""
    saved = bundle(page(text, text + "more", query=text), "en")["text/html"]
    tokens = MarkdownIt("commonmark").parse(f"before\n\n{saved}\n\nafter\n")
    assert [token.type for token in tokens if token.level == 0].count("html_block") == 1
    assert [token.content for token in tokens if token.type == "inline"] == ["before", "after"]
    assert unescape(saved).count(text.strip("\n").split("\n")[0]) >= 1


def test_tables_of_a_page_have_names_of_their_own() -> None:
    rows = [[Entry("a", said("x")), Entry("b", said("y"))] for _ in range(3)]
    names = re.findall(r'role="group" aria-label="([^"]*)"', bundle(Page(rows=rows), "en")["text/html"])
    assert names == [f"Repeat {n}, A \u00b7 a, B \u00b7 b" for n in (1, 2, 3)]


def test_in_a_terminal_a_title_stands_above_each_answer_and_no_second_one() -> None:
    asked = said("hi", app="Support")
    text = ColumnsStream("en").end(Page(rows=[[Entry("a", asked), Entry("b", asked)]], query="q", ended=True))
    assert "== A \u00b7 a ==\nhi" in text
    assert "== B \u00b7 b ==\nhi" in text


@pytest.mark.parametrize(
    ("entries", "sign"),
    [
        ([Entry("a", said("x")), Entry("b", said("y"))], "\u2713"),
        ([Entry("a", said("x")), Entry("b", error="No connection.")], "\u2713"),
        ([Entry("a", said("x")), Entry("b", msgspec.structs.replace(said("y"), status="stopped"))], "\u25a0"),
        ([Entry("a", said("x")), Entry("b", not_asked=True)], "\u25a0"),
        ([Entry("a", error="No connection."), Entry("b", error="No connection.")], "\u2715"),
    ],
    ids=["well", "one_failed", "one_stopped", "one_not_asked", "all_failed"],
)
def test_the_sign_above_says_how_it_went(entries: list[Entry], sign: str) -> None:
    shown = bundle(Page(rows=[entries], ended=True), "en")["text/html"]
    head = re.search(r"([\u2713\u25a0\u2715])(?:<[^>]*>|\s)*\d of 2 answers", shown)
    assert head is not None
    assert head[1] == sign
