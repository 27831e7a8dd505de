"""A chatflow that asks a person, in a real kernel: the cell ends, the form is answered later, the output goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.human_app import KEY, HumanApp, human
from support.kernels import Kernel, Outputs, kernel
from support.notebooks import execute, outputs
from support.raw_server import RawServer

SUBMIT = 'submit(action="approve", inputs={"kind": "x"})'
IN_THE_FORM = """
_cells = get_ipython().magics_manager.magics["line"]["dify"].__self__.state.paused
def press(turn, form, action, **inputs):
    return _cells[-1].submit(turn.forms[form].id, action, inputs)
"""
"""What the browser's form calls, called here."""


class Book:
    def __init__(self, kernel: Kernel, app: HumanApp, directory: Path) -> None:
        self.kernel, self.app, self.directory = kernel, app, directory
        self.seen: list[Outputs] = []

    def run(self, code: str, fails: bool = False) -> Outputs:
        seen = self.kernel.run(code)
        self.seen.append(seen)
        assert (seen.error is not None) is fails, seen.traceback
        return seen

    def until(self, expression: str) -> None:
        """Wait until that is true in the kernel, and take what it displayed meanwhile."""
        end = time.monotonic() + 20
        while self.kernel.value(f"bool({expression})") != "True":
            assert time.monotonic() < end, expression
            time.sleep(0.05)
        self.run("pass")


def started(directory: Path, url: str) -> Any:
    return kernel(directory, DIFY_API_KEY=KEY, DIFY_BASE_URL=url, DIFY_USER="anna", DIFY_NOTEBOOK_LIVE="html")


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[HumanApp, RawServer]]:
    app, server = human()
    yield app, server
    server.close()
    assert not server.errors


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory, served: tuple[HumanApp, RawServer]) -> Iterator[Book]:
    app, server = served
    directory = tmp_path_factory.mktemp("kernel")
    with started(directory, server.url) as running:
        made = Book(running, app, directory)
        made.run("%load_ext dify_notebook\nimport dify_notebook\n" + IN_THE_FORM)
        yield made


def text_of(seen: Outputs) -> str:
    [display] = seen.displays
    return str(display["text/plain"])


def test_the_cell_ends_at_the_pause_and_goes_on_where_it_stood(book: Book) -> None:
    asked = book.run("%%dify --new -o answer\nask may I")
    assert "waits for an answer" in text_of(asked)
    assert "answer.forms[0].submit(action='approve', inputs={'kind': 'x'})" in text_of(asked)
    assert "went on later" not in text_of(asked)
    assert book.kernel.value("(answer.status, answer is dify_notebook.last is _)") == "('paused', True)"
    later = book.run(f"paused, turn = answer, answer.forms[0].{SUBMIT}")
    assert later.displays == []
    said = text_of(asked)
    assert "Draft. [ask: approve] Done." in said
    assert "went on later, after its form was answered" in said
    assert "answered: Approve" in said
    assert "submit(" not in said
    assert book.kernel.value("answer is turn is dify_notebook.last and turn is not paused") == "True"
    assert book.kernel.value("turn.status") == "'succeeded'"
    assert book.app.submissions[-1] == {"inputs": {"note": "my note", "kind": "x"}, "action": "approve", "user": "anna"}


def test_a_form_that_is_answered_where_it_stands_leaves_other_names_alone(book: Book) -> None:
    asked = book.run("%%dify --new -o first\nask again")
    other = book.run("%%dify --new -o second\nhello")
    book.run("mine = first\nfirst = 3\nsent = press(mine, 0, 'reject', kind='y')")
    book.until("sent.done() and not _cells[-1]._thread")
    assert book.kernel.value("sent.result()") == "''"
    assert "[ask: reject] Done." in text_of(asked)
    assert "[ask: reject]" not in text_of(other)
    assert book.kernel.value("(first, mine.status, dify_notebook.last is second)") == "(3, 'paused', True)"


def test_one_run_asks_twice(book: Book) -> None:
    asked = book.run("%%dify --new -o answer\ntwice please")
    book.run(f"second = answer.forms[0].{SUBMIT}")
    assert book.kernel.value("(second.status, answer is second)") == "('paused', True)"
    assert "answer.forms[1].submit(" in text_of(asked)
    assert "went on later" in text_of(asked)
    book.run("sent = press(answer, 1, 'reject', kind='x')")
    book.until("answer.status == 'succeeded' and not _cells[-1]._thread")
    assert "[ask: approve] [again: reject] Done." in text_of(asked)


def test_what_is_wrong_is_said_to_whoever_filled_it_in(book: Book) -> None:
    book.run("%%dify --new -o answer\nask me")
    posts = book.app.posts
    for call, words in (
        ("press(answer, 0, 'approve')", "asks for kind"),
        ("press(answer, 0, 'approve', kind='zz')", "cannot be"),
        ("press(answer, 0, 'nothing', kind='x')", "no action"),
        ("_cells[-1].submit('other', 'approve', {})", "does not know this form"),
    ):
        assert words in book.kernel.value(f"{call}.result(10)")
    assert book.app.posts == posts
    book.run(f"answer.forms[0].{SUBMIT}")
    failed = book.run(f"answer = Out[len(Out)] if False else answer\n%dify resume {'0' * 8}", fails=True)
    assert "is neither" in failed.traceback


def test_two_forms_at_once(book: Book) -> None:
    asked = book.run("%%dify --new -o answer\nboth please")
    assert text_of(asked).count("waits for an answer") == 2
    book.run("sent = [press(answer, n, 'approve', kind='x') for n in (0, 1)]")
    book.until("answer.status == 'succeeded' and not _cells[-1]._thread")
    assert book.kernel.value("[one.result() for one in sent]") == "['', '']"
    assert text_of(asked).count("answered: Approve") == 2
    assert "Done." in text_of(asked)


def test_what_could_not_be_read_on_is_said_and_read_later(book: Book) -> None:
    asked = book.run("%%dify --new -o answer\nask me")
    book.app.lost = True
    book.run("sent = press(answer, 0, 'approve', kind='x')")
    book.until("answer.forms[0].status == 'filled' and not _cells[-1]._thread")
    book.app.lost = False
    assert book.kernel.value("(sent.result(), answer.status, answer.error)") == "('', 'paused', None)"
    assert "The run could not be read on" in text_of(asked)
    assert "%dify resume" in text_of(asked)
    again = book.run("%dify resume answer")
    for seen in (asked, again):
        assert "[ask: approve] Done." in text_of(seen)
        assert "could not be read on" not in text_of(seen)
    assert book.kernel.value("answer is dify_notebook.last and answer.status") == "'succeeded'"


def test_an_interrupt_stops_the_run_that_a_cell_waits_for(book: Book) -> None:
    asked = book.run("%%dify --new -o answer\nask slowly")
    done: list[int] = []

    def during(outputs: Outputs, message: dict[str, Any]) -> None:
        if not done and "Thinking" in text_of(asked):
            done.append(1)
            book.kernel.interrupt()

    stopped = book.kernel.run(f"answer.forms[0].{SUBMIT}", during=during)
    assert stopped.error is not None
    assert stopped.error["ename"] == "KeyboardInterrupt"
    book.until("answer.status == 'stopped' and not _cells[-1]._thread")
    assert "Draft. [ask: approve] Thinking." in text_of(asked)
    assert "Stopped" in text_of(asked)


def test_the_stop_button_stops_what_goes_on_and_nothing_else(book: Book) -> None:
    book.run("%%dify --new -o answer\nask slowly")
    stops = book.app.stops
    assert book.kernel.value("_cells[-1].stop()") == "None"
    book.run("sent = press(answer, 0, 'approve', kind='x')")
    book.until("_cells[-1]._run.resumes is not None and 'Thinking' in _cells[-1]._run.turn.answer")
    assert book.kernel.value("_cells[-1].stop().result(10)") == "True"
    book.until("answer.status == 'stopped' and not _cells[-1]._thread")
    assert book.app.stops == stops + 1


def test_in_an_output_widget_the_end_stands_in_place_of_the_pause(book: Book) -> None:
    pytest.importorskip("ipywidgets")
    held = book.run(
        "import ipywidgets\nbox = ipywidgets.Output()\n"
        "with box:\n    get_ipython().run_cell_magic('dify', '--new -o answer', 'ask in a box')"
    )
    assert "waits for an answer" in held.displays[-1]["text/plain"]
    later = book.run(f"turn = answer.forms[0].{SUBMIT}")
    assert later.displays == []
    assert "Draft. [ask: approve] Done." in held.displays[-1]["text/plain"]
    assert "waits for an answer" not in held.displays[-1]["text/plain"]


def test_a_run_of_another_app_goes_on_with_that_app(book: Book) -> None:
    book.run("%%dify --new -o answer\nask me first")
    book.run("%%dify pipeline --new -o other\napprove: the plan")
    assert book.kernel.value("other.status") == "'paused'"
    book.run("%dify use pipeline")
    try:
        book.run("%dify resume answer")
        assert book.run(f"turn = answer.forms[0].{SUBMIT}").error is None
        assert book.kernel.value("(answer is turn, turn.status)") == "(True, 'succeeded')"
        book.run("%dify resume other")
        book.run("turn = other.forms[0].submit(action='approve', inputs={'when': 'now'})")
        assert book.kernel.value("(other is turn, turn.status)") == "(True, 'succeeded')"
    finally:
        book.run("get_ipython().magics_manager.magics['line']['dify'].__self__.state.choice = None")


def test_a_line_to_be_copied_never_means_another_run(book: Book) -> None:
    first = book.run("%%dify --new\nask for the first")
    again = book.run("%%dify --new -o answer\nask for the second")
    run = book.kernel.value("dify_notebook.last.workflow_run_id").strip("'")
    assert "dify_notebook.last.forms" not in text_of(first)
    assert "%dify resume " in text_of(first)
    assert run not in text_of(first)
    assert "answer.forms[0].submit(" in text_of(again)
    book.run("%%dify --new -o answer\nhello")
    assert "answer.forms" not in text_of(again)
    assert f"%dify resume {run}" in text_of(again)
    resumed = book.run(f"%dify resume {run}")
    assert "Question: ask for the second" in text_of(resumed)
    book.run(f"dify_notebook.last.forms[0].{SUBMIT}")
    for seen in (again, resumed):
        assert "Draft. [ask: approve] Done." in text_of(seen)
    assert "waits for an answer" in text_of(first)
    book.run("%dify resume")
    book.run(f"dify_notebook.last.forms[0].{SUBMIT}")
    assert "Draft. [ask: approve] Done." in text_of(first)


def test_quiet_cells_have_their_names_renewed(book: Book) -> None:
    seen = book.run("%%dify --new --quiet -o hushed\nask")
    book.run(f"hushed.forms[0].{SUBMIT}")
    assert book.kernel.value("hushed.status") == "'succeeded'"
    assert seen.displays == []


def test_resume_shows_the_run_in_another_cell_too(book: Book) -> None:
    asked = book.run("%%dify --new -o answer\nask here")
    again = book.run("%dify resume")
    assert "waits for an answer" in text_of(again)
    assert "dify_notebook.last.forms[0].submit(" in text_of(again)
    book.run("sent = press(dify_notebook.last, 0, 'approve', kind='x')")
    book.until("dify_notebook.last.status == 'succeeded' and not any(cell._thread for cell in _cells)")
    for seen in (asked, again):
        assert "[ask: approve] Done." in text_of(seen)
    assert "no run of this app (environment) waits" in book.run("%dify resume").streams["stdout"]


def test_resume_by_a_variable_and_by_an_id(book: Book) -> None:
    book.run("%%dify --new -o answer\nask there")
    book.run("run = answer.workflow_run_id\nkept = answer\ndel answer")
    assert "kept.forms[0].submit(" in text_of(book.run("%dify resume kept"))
    run = book.kernel.value("run").strip("'")
    assert "waits for an answer" in text_of(book.run(f"%dify resume {run}"))
    book.run(f"done = dify_notebook.last.forms[0].{SUBMIT}")
    assert book.kernel.value("done.status") == "'succeeded'"
    refused = book.run("%dify resume nothing", fails=True)
    assert "is neither" in refused.traceback


def test_a_new_kernel_goes_on_with_the_kept_run(book: Book, served: tuple[HumanApp, RawServer]) -> None:
    app, server = served
    book.run("%%dify --new -o answer\nask once more")
    with started(book.directory, server.url) as running:
        new = Book(running, app, book.directory)
        new.run("%load_ext dify_notebook\nimport dify_notebook\n" + IN_THE_FORM)
        shown = new.run("%dify resume")
        assert "waits for an answer" in text_of(shown)
        assert new.kernel.value("dify_notebook.last.query") == "'ask once more'"
        new.run(f"turn = dify_notebook.last.forms[0].{SUBMIT}")
        assert "Draft. [ask: approve] Done." in text_of(shown)
        assert new.run("%%dify -o more\nhello").error is None
        assert new.kernel.value("more.conversation_id == turn.conversation_id") == "True"
        assert "no run of this app (environment) waits" in new.run("%dify resume").streams["stdout"]


def test_run_all_goes_on_and_keeps_what_came_later(tmp_path: Path, served: tuple[HumanApp, RawServer]) -> None:
    nbformat = pytest.importorskip("nbformat")
    app, server = served
    cells = ["%load_ext dify_notebook", "%%dify -o answer\nask for the notebook", f"t = answer.forms[0].{SUBMIT}", "1"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    execute(
        notebook, tmp_path, DIFY_API_KEY=KEY, DIFY_BASE_URL=server.url, DIFY_USER="anna", DIFY_NOTEBOOK_LANG="en",
        DIFY_NOTEBOOK_DATA_DIR=str(tmp_path / "data"),
    )  # fmt: skip
    [shown] = outputs(notebook.cells[1])
    assert "Draft. [ask: approve] Done." in shown["text/markdown"]
    assert "went on later, after its form was answered" in shown["text/markdown"]
    assert sorted(shown) == ["text/html", "text/markdown", "text/plain"]
    text = json.dumps(notebook)
    assert [token for token in app.tokens if token in text] == []


def test_the_live_widget_goes_on_too(book: Book) -> None:
    book.run("import os\nos.environ['DIFY_NOTEBOOK_LIVE'] = 'widget'")
    asked = book.run("%%dify --new -o answer\nboth please")
    assert sorted(asked.displays[0]) == ["text/html", "text/markdown", "text/plain"]
    assert text_of(asked).count("waits for an answer") == 2
    assert asked.comms
    book.run(f"answer.forms[1].{SUBMIT}")
    assert text_of(asked).count("waits for an answer") == 1
    book.run("sent = press(answer, 0, 'reject', kind='x')")
    book.until("answer.status == 'succeeded' and not _cells[-1]._thread")
    assert "Done." in text_of(asked)
    assert sorted(asked.displays[0]) == ["text/html", "text/markdown", "text/plain"]


def test_no_token_lies_anywhere(book: Book) -> None:
    everything = "".join(seen.everything for seen in book.seen)
    assert len(everything) > 50_000
    assert [token for token in book.app.tokens if token in everything] == []
    tokens = [token.encode() for token in book.app.tokens]
    assert len(tokens) > 10
    files = [path for path in book.directory.rglob("*") if path.is_file()]
    assert any(path.name.endswith(".tape.gz") for path in files)
    import gzip

    for path in files:
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # a database's journal comes and goes
            continue
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        assert [token for token in tokens if token in content] == [], path
