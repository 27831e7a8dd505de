"""Cells that ask several times, in a real kernel: columns, repeats, tables, Interrupt, and what they leave behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.kernels import Kernel, Outputs, kernel, kernel_environment
from support.scripted_app import KEY, ScriptedApp, scripted

import dify_notebook
from dify_notebook import local

DOCS = Path(dify_notebook.__file__).parent / "docs"
OTHER = "app-" + "w4Xe" * 6
WIDGET = "application/vnd.jupyter.widget-view+json"
SETUP = """%load_ext dify_notebook
import os, dify_notebook, pandas as pd
from dify_notebook import Dify
one = Dify(os.environ["ONE"], os.environ["AT_ONE"], "anna")
two = Dify(os.environ["TWO"], os.environ["AT_TWO"], "anna")
gone = Dify(os.environ["TWO"], os.environ["AT_ONE"], "anna")
table = pd.DataFrame({"q": ["red", "green", "red"], "my tone": ["a", "b", "a"]}, index=["x", "y", "z"])
town = 'Lyon'"""


class Book:
    """A kernel whose variables `one` and `two` are clients of two apps; the key of `gone` is refused."""

    def __init__(self, running: Kernel, one: ScriptedApp, two: ScriptedApp) -> None:
        self.kernel, self.one, self.two = running, one, two
        self.seen: list[Outputs] = []

    def run(self, code: str, **options: Any) -> Outputs:
        self.seen.append(self.kernel.run(code, **options))
        return self.seen[-1]

    def asked(self, code: str, **options: Any) -> tuple[Outputs, list[dict[str, Any]], list[dict[str, Any]]]:
        """Run a cell; its outputs, and what each app was asked."""
        first, second = len(self.one.questions), len(self.two.questions)
        outputs = self.run(code, **options)
        return outputs, self.one.questions[first:], self.two.questions[second:]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    (one, at_one), (two, at_two) = scripted(KEY), scripted(OTHER)
    places = {"ONE": KEY, "AT_ONE": at_one.url, "TWO": OTHER, "AT_TWO": at_two.url}
    try:
        with kernel(tmp_path_factory.mktemp("beside"), **places) as running:
            made = Book(running, one, two)
            loaded = made.run(SETUP)
            assert loaded.error is None, loaded.traceback
            yield made
    finally:
        for app, server in ((one, at_one), (two, at_two)):
            app.released.set()
            server.close()
    for outputs in made.seen:
        assert KEY not in outputs.everything, "a key reached an output"
        assert OTHER not in outputs.everything, "a key reached an output"


def saved(outputs: Outputs) -> str:
    """The text of the one display that a cell left, which must be the saved form."""
    assert len(outputs.displays) == 1, outputs.everything + outputs.traceback
    assert outputs.results == 0
    [bundle] = outputs.displays
    assert WIDGET not in bundle, "the live widget was replaced"
    assert {"text/html", "text/markdown", "text/plain"} <= set(bundle)
    for name in ("text/html", "text/markdown"):
        assert bundle[name].strip()
    return str(bundle["text/plain"])


def test_two_apps_stand_side_by_side(book: Book) -> None:
    book.run("%%dify one --quiet\nbefore")
    here = book.kernel.value("dify_notebook.last.conversation_id")
    outputs, [first], [second] = book.asked("%%dify one two -o sweep\nhello")
    assert outputs.error is None, outputs.traceback
    text = saved(outputs)
    assert text.count("You said:") >= 2
    assert "one" in text
    assert "two" in text
    assert first["query"] == second["query"] == "hello"
    assert first["conversation_id"] == second["conversation_id"] == ""
    assert re.fullmatch(r"sweep-[0-9a-f]{12}", first["user"])
    assert first["user"] == second["user"]
    number = outputs.reply["execution_count"]
    assert book.kernel.value(f"type(sweep).__name__, sweep is Out[{number}] is _{number}") == "('Sweep', True)"
    assert book.kernel.value("sorted(sweep.results.app), set(sweep.results.state)") == "(['one', 'two'], {'succeeded'})"
    assert book.kernel.value("sweep.turn(sweep.cases[0]).answer") == "'You said: **hello**'"
    assert book.kernel.value("dify_notebook.last.query") == "'before'", "it stays the turn of a cell that asked once"
    _, [later], [] = book.asked("%%dify one --quiet\nafter")
    assert repr(later["conversation_id"]) == here, "the notebook's conversation went on"


def test_repeats_of_one_app(book: Book) -> None:
    outputs, asked, [] = book.asked("%%dify one --repeat 3 --user berta\nagain")
    text = saved(outputs)
    assert [(each["query"], each["conversation_id"], each["user"]) for each in asked] == [("again", "", "berta")] * 3
    assert text.count("You said:") >= 1
    assert book.kernel.value("_.results['repeat'].tolist()") == "[1, 2, 3]"


def test_a_table_is_asked_row_by_row(book: Book) -> None:
    code = "%%dify one two --over table -o sweep\n{{ row.q }} in {{ town }}, {{ row[\"my tone\"] }}"
    outputs, first, second = book.asked(code)
    assert outputs.error is None, outputs.traceback
    asked = ["green in Lyon, b", "red in Lyon, a"]
    assert sorted(each["query"] for each in first) == sorted(each["query"] for each in second) == asked
    text = saved(outputs)
    assert "red in Lyon" in text
    assert "green in Lyon" in text
    found = book.kernel.value("[(row.labels, row.answer) for row in sweep.results.itertuples() if row.app == 'one']")
    assert "You said: **red in Lyon, a**" in found


def test_an_input_of_one_app_goes_to_that_one(book: Book) -> None:
    book.two.form = [{"text-input": {"variable": "tone", "label": "Tone", "required": True}}]
    try:
        book.run("two = Dify(os.environ['TWO'], os.environ['AT_TWO'], 'anna')")
        outputs, [first], [second] = book.asked("%%dify one two -i 'tone={{ town }}'\nhello")
        assert (first["inputs"], second["inputs"]) == ({}, {"tone": "Lyon"})
        assert "tone=Lyon" in saved(outputs)
        refused, *nothing = book.asked("%%dify one two -i tnoe=x\nhello")
        assert "None of the apps has an input tnoe" in refused.traceback
        assert "tone" in refused.traceback
        assert nothing == [[], []]
        row, *nothing = book.asked("%%dify one two --over table -i 'tone={{ row.tone }}'\nhello")
        assert "Row x of the table" in row.traceback
        assert "my tone" in row.traceback
        assert nothing == [[], []]
    finally:
        book.two.form = []
        book.run("two = Dify(os.environ['TWO'], os.environ['AT_TWO'], 'anna')")


def test_a_failed_app_is_a_column(book: Book) -> None:
    outputs, [first], [] = book.asked("%%dify one gone -o sweep\nhello")
    assert outputs.error is None, outputs.traceback
    text = saved(outputs)
    for words in ("You said:", "Failed", "Access token is invalid"):
        assert words in text, text
    outputs, [_], [_] = book.asked("%%dify one two -o sweep\nrefuse this")
    assert "Nothing succeeded: 2 of 2" in outputs.traceback
    assert book.kernel.value("sorted(sweep.results.state)") == "['failed', 'failed']"
    assert book.run("%%dify one two\nfail now").error is not None


def test_interrupt_stops_all_and_keeps_what_came(book: Book) -> None:
    partials, stops = (book.one.partials, book.two.partials), (len(book.one.stops), len(book.two.stops))
    done: list[int] = []

    def during(outputs: Outputs, message: dict[str, Any]) -> None:
        both = book.one.partials > partials[0] and book.two.partials > partials[1]
        if not done and both and message["msg_type"] == "comm_msg":
            done.append(1)
            book.kernel.interrupt()

    outputs = book.run("%%dify one two -o sweep\nslow one", during=during)
    assert outputs.error is not None
    assert "interrupted" in outputs.traceback
    assert saved(outputs).count("partial answer") >= 2
    assert (len(book.one.stops), len(book.two.stops)) == (stops[0] + 1, stops[1] + 1)
    assert book.kernel.value("sweep.results.error_code.tolist()") == "['stopped', 'stopped']"
    assert book.run("%%dify one two\nhello").error is None


def test_a_budget_ends_it_and_says_so(book: Book) -> None:
    outputs, first, second = book.asked("%%dify one two --repeat 3 --budget 2calls -o sweep\nhello")
    assert outputs.error is None, outputs.traceback
    assert len(first) + len(second) == 2
    assert "2 of 2 calls" in saved(outputs)
    outputs, *nothing = book.asked("%%dify one two --budget 2,5EUR\nhello")
    assert "2.5" in outputs.traceback or "comma" in outputs.traceback
    assert nothing == [[], []]


def test_dry_run_shows_the_first_of_each_and_sends_nothing(book: Book) -> None:
    outputs, *nothing = book.asked("%%dify one two --over table --dry-run --budget '9 calls'\n{{ row.q }}")
    assert nothing == [[], []], outputs.everything
    shown = json.loads(outputs.streams["stdout"])
    assert (shown["questions"], shown["cases"], shown["budget"]) == (2, 4, "9 calls")
    bodies = {name: call["json"] for name, call in shown["first"].items()}
    assert list(bodies) == ["one", "two"]
    assert bodies["one"] == bodies["two"]
    assert bodies["one"]["user"] == shown["user"]
    assert bodies["one"]["conversation_id"] == ""


def test_what_is_no_app_is_told_where_the_question_goes(book: Book) -> None:
    outputs, *nothing = book.asked("%%dify tell me something\n\n")
    assert "There is no app or client variable tell" in outputs.traceback
    assert "the question goes below" in outputs.traceback
    assert nothing == [[], []]


def test_quiet_and_captured(book: Book) -> None:
    outputs, [_], [_] = book.asked("%%dify one two --quiet -o silent\nhush")
    assert (outputs.displays, outputs.streams["stdout"], outputs.error) == ([], "", None)
    outputs = book.run("%%capture kept\n%%dify one two\nhush")
    assert outputs.displays == []
    assert book.kernel.value("[sorted(each.data) for each in kept.outputs]") == (
        "[['text/html', 'text/markdown', 'text/plain']]"
    )


def test_a_terminal_prints_one_answer_after_the_other(tmp_path: Path) -> None:
    (one, at_one), (two, at_two) = scripted(KEY), scripted(OTHER)
    lines = [
        "from dify_notebook import Dify",
        f"one, two = Dify({KEY!r}, {at_one.url!r}, 'anna'), Dify({OTHER!r}, {at_two.url!r}, 'anna')",
        "get_ipython().run_line_magic('load_ext', 'dify_notebook')",
        "done = get_ipython().run_cell('%%dify one two -o sweep\\nhello')",
        "rows = [{'q': 'red'}, {'q': 'green'}]",
        "done = get_ipython().run_cell('%%dify one two --over rows\\n{{ row.q }} apples')",
        "print(type(sweep).__name__, len(sweep.cases))",
    ]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "IPython", "--no-banner", "--colors=nocolor", "-c", "\n".join(lines)],
            env=kernel_environment(tmp_path),
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
    finally:
        for app, server in ((one, at_one), (two, at_two)):
            app.released.set()
            server.close()
    assert done.stdout.count("You said: **hello**") == 2, done.stdout + done.stderr
    assert done.stdout.count("You said: **red apples**") >= 2, done.stdout + done.stderr
    assert "Sweep 2" in done.stdout
    assert KEY not in done.stdout + done.stderr


def test_what_the_documents_show_runs(tmp_path: Path) -> None:
    """Every cell of the page on experiments, in both languages, against the embedded server."""
    data = tmp_path / "data"
    with (
        local.serve(data_dir=data / "local", pace=0),
        kernel(tmp_path, DIFY_NOTEBOOK_DATA_DIR=str(data)) as running,
    ):
        assert running.run("%load_ext dify_notebook").error is None
        ran: set[str] = set()
        for page in sorted(DOCS.glob("*/22-experiments.md")):
            cells = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
            assert len(cells) > 6
            for cell in (cell for cell in cells if cell not in ran):
                ran.add(cell)
                outputs = running.run(cell.rstrip("\n"))
                assert outputs.error is None, (page.parent.name, cell, outputs.traceback)
        assert running.value("sweep.results.state.unique().tolist()") == "['succeeded']"
