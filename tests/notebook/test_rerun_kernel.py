"""Running a cell again: in a kernel with cell ids as JupyterLab sends them, without, by code; nbclient; a terminal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import notebooks
from support.kernels import Kernel, Outputs, kernel, kernel_environment
from support.raw_server import RawServer
from support.scripted_app import KEY, ScriptedApp, scripted

from dify_notebook import local
from dify_notebook.local.options import Dialect


class Book:
    """A kernel of its own conversations, and the app that it asks."""

    def __init__(self, kernel: Kernel, app: ScriptedApp) -> None:
        self.kernel, self.app = kernel, app

    def cell(self, id: str | None, text: str, line: str = "", **options: Any) -> tuple[Outputs, list[dict[str, Any]]]:
        """Run a `%%dify` cell with that id; its outputs and the questions that it sent."""
        return self.code(id, f"%%dify {line}\n{text}", **options)

    def code(self, id: str | None, code: str, **options: Any) -> tuple[Outputs, list[dict[str, Any]]]:
        before = len(self.app.questions)
        outputs = self.kernel.run(code, cell_id=id, **options)
        return outputs, self.app.questions[before:]

    def asked(self, id: str | None, text: str, line: str = "", **options: Any) -> tuple[str, str]:
        """Run a cell that asks one question well; its header, and the conversation that it was asked in."""
        outputs, [sent] = self.cell(id, text, line, **options)
        assert outputs.error is None, outputs.traceback
        return head(outputs), sent["conversation_id"]


def head(outputs: Outputs) -> str:
    """The first line of what the cell left, without app and server; the same in each form."""
    [bundle] = outputs.displays
    line = str(bundle["text/plain"]).splitlines()[0]
    shown = re.sub(r"<[^>]+>", "", bundle["text/html"])
    title = line.rpartition(" · Scripted")[0]
    assert title in shown
    assert title.split(" ·")[0] in bundle["text/markdown"]
    return title


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kernel, ScriptedApp, RawServer]]:
    app, server = scripted()
    directory = tmp_path_factory.mktemp("kernel")
    try:
        with kernel(directory, DIFY_API_KEY=KEY, DIFY_BASE_URL=server.url, DIFY_USER="anna") as running:
            assert running.run("%load_ext dify_notebook\nimport dify_notebook").error is None
            yield running, app, server
    finally:
        app.released.set()
        server.close()


@pytest.fixture
def book(served: tuple[Kernel, ScriptedApp, RawServer]) -> Book:
    running, app, _ = served
    running.run("%dify new\n%dify mode continue")
    return Book(running, app)


def current(book: Book) -> str:
    return book.kernel.value("dify_notebook.last.conversation_id").strip("'")


def test_run_all_twice_reads_the_same(book: Book) -> None:
    once = [book.asked(f"all-{n}", f"question {n}") for n in (1, 2, 3)]
    first = current(book)
    twice = [book.asked(f"all-{n}", f"question {n}") for n in (1, 2, 3)]
    second = current(book)
    assert once == [("New conversation", ""), ("Turn 2", first), ("Turn 3", first)]
    assert [where for _, where in twice] == ["", second, second]
    assert twice[0][0].startswith("New conversation: this cell was turn 1 of the last one")
    assert [title for title, _ in twice[1:]] == ["Turn 2", "Turn 3"]
    told = [message["query"] for message in book.app.messages[second]]
    assert told == [message["query"] for message in book.app.messages[first]]


def test_the_first_conversation_that_begins_by_itself_says_how_that_is_switched_off(tmp_path: Path) -> None:
    app, server = scripted()
    try:
        with kernel(tmp_path, DIFY_API_KEY=KEY, DIFY_BASE_URL=server.url, DIFY_USER="anna") as running:
            book = Book(running, app)
            running.run("%load_ext dify_notebook\nimport dify_notebook")
            assert book.asked("one", "a")[0] == "New conversation"
            told = book.asked("one", "b, edited")[0]
            assert told == (
                "New conversation: this cell was turn 1 of the last one · %dify mode append adds it to the old one"
            )
            assert book.asked("one", "c")[0] == "New conversation: this cell was turn 1 of the last one"
            assert "append" in running.run("%dify mode append").streams["stdout"]
            title, where = book.asked("one", "d")
            assert (title, where) == ("Turn 2 · appended: this cell was asked here before", current(book))
            running.run("%unload_ext dify_notebook")
    finally:
        server.close()


def test_a_later_cell_is_refused_and_nothing_is_sent(book: Book, tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("x")
    for number in (1, 2, 3):
        book.asked(f"refused-{number}", f"question {number}")
    here = current(book)
    for body in ("question 2", "edited"):
        outputs, sent = book.cell("refused-2", body, f"-f {path}")
        assert sent == []
        assert outputs.displays == []
        for word in ("turn 2 of 3", "the turn before it", "7 tokens, $0.001", "--again", "--new", "--append"):
            assert word in outputs.traceback
        assert len(outputs.traceback.splitlines()) == 6
    outputs, sent = book.cell("refused-3", "x")
    assert sent == []
    assert "14 tokens, $0.002" in outputs.traceback
    title, where = book.asked("refused-2", "edited", "--append")
    assert (title, where) == ("Turn 4 · appended: this cell was asked here before", here)
    assert book.asked("refused-2", "x", "--new") == ("New conversation", "")
    outputs, sent = book.cell("refused-1", "x", f"-c {here}")
    assert sent == []
    assert "-c names holds this cell already, as turn 1 of 4" in outputs.traceback


def test_again_asks_the_turns_before_it_in_a_new_conversation(book: Book) -> None:
    for number in (1, 2, 3):
        book.asked(f"again-{number}", f"question {number}", f"-o turn{number}")
    before = current(book)
    shown: list[str] = []

    def during(outputs: Outputs, message: dict[str, Any]) -> None:
        shown.append(json.dumps(message["content"], default=str))

    outputs, sent = book.cell("again-3", "differently", "--again -o turn3", during=during)
    assert outputs.error is None, outputs.traceback
    assert head(outputs) == "Turn 3 · replayed: turns 1 to 2 asked again"
    after = current(book)
    assert [one["query"] for one in sent] == ["question 1", "question 2", "differently"]
    assert [one["conversation_id"] for one in sent] == ["", after, after]
    assert after != before
    assert book.kernel.value("(turn1.query, turn2.query, turn3.query)") == "('question 1', 'question 2', 'differently')"
    assert any("again" in one and "of 3" in one for one in shown), "how far it is was shown"
    title, where = book.asked("again-4", "more")
    assert (title, where) == ("Turn 4", after), "it is the current one"
    outputs, sent = book.cell("again-2", "x")
    assert sent == []
    assert "turn 2 of 4" in outputs.traceback, "the turns that were asked again are cells of it"
    assert book.asked("again-1", "x")[0].startswith("New conversation")
    assert book.asked("again-1", "y", "--again")[0].startswith("New conversation")


def test_mode_replay_does_so_by_itself_and_a_dry_run_shows_it(book: Book) -> None:
    book.kernel.run("%dify mode replay")
    for number in (1, 2):
        book.asked(f"replay-{number}", f"question {number}")
    outputs, sent = book.cell("replay-2", "x", "--dry-run")
    assert sent == []
    described = json.loads(outputs.streams["stdout"])
    assert [one["json"]["query"] for one in described] == ["question 1", "x"]
    assert [one["json"]["conversation_id"] for one in described] == ["", "(the new conversation)"]
    outputs, sent = book.cell("replay-2", "x")
    assert [one["query"] for one in sent] == ["question 1", "x"]
    assert head(outputs) == "Turn 2 · replayed: turn 1 asked again"


def test_a_replay_stops_at_the_first_that_fails_and_nothing_is_lost(book: Book) -> None:
    book.asked("stop-1", "question 1")
    here = current(book)
    failed, _ = book.cell("stop-2", "fail now", "-o kept")
    assert failed.error is not None
    book.asked("stop-3", "question 3", "-o kept")
    outputs, sent = book.cell("stop-3", "x", "--again -o kept")
    assert [one["query"] for one in sent] == ["question 1", "fail now"]
    assert outputs.error is not None
    assert "Turn 2 of 3 was not asked again to its end" in outputs.streams["stderr"]
    assert book.kernel.value("kept.query") == "'question 3'"
    assert head(outputs) == "Asking turn 2 of 3 again"
    title, where = book.asked("stop-4", "more")
    assert (title, where) == ("Turn 4", here)


def test_a_cell_that_is_refused_behind_its_replay_leaves_the_conversation_before(book: Book) -> None:
    book.asked("behind-1", "question 1")
    here = current(book)
    book.asked("behind-2", "question 2")
    outputs, sent = book.cell("behind-2", "refuse this", "--again")
    assert [one["query"] for one in sent] == ["question 1", "refuse this"]
    assert outputs.error is not None
    assert "Turn 2 of 2 was not asked again to its end. The conversation before is" in outputs.streams["stderr"]
    assert book.asked("behind-3", "more") == ("Turn 3", here)


def test_a_cell_with_again_goes_on_with_what_began_since(book: Book) -> None:
    """Run All in a live kernel, with --again left in a cell, is what it is in a fresh one."""
    for _ in range(2):
        book.asked("left-1", "question 1")
        here = current(book)
        assert book.asked("left-2", "question 2", "--again") == ("Turn 2", here)


def test_an_interrupt_stops_a_replay(book: Book) -> None:
    book.asked("cut-1", "question 1")
    here = current(book)
    partials = book.app.partials

    def interrupt(outputs: Outputs, message: dict[str, Any]) -> None:
        nonlocal partials
        if book.app.partials > partials and message["msg_type"] == "comm_msg":
            partials = 10_000
            book.kernel.interrupt()

    outputs, [sent] = book.cell("cut-2", "slow one", during=interrupt)
    assert outputs.error is not None
    outputs, sent2 = book.cell("cut-2", "x")
    assert (sent["conversation_id"], sent2) == (here, []), "a stopped one is held"
    book.asked("cut-3", "question 3")
    stops, partials = len(book.app.stops), book.app.partials
    outputs, asked = book.cell("cut-3", "x", "--again", during=interrupt)
    assert [one["query"] for one in asked] == ["question 1", "slow one"]
    assert outputs.error is not None
    assert outputs.error["ename"] == "KeyboardInterrupt"
    assert len(book.app.stops) == stops + 1
    assert "Turn 2 of 3" in outputs.streams["stderr"]
    assert book.asked("cut-4", "more")[1] == here


def test_what_the_server_did_not_take_is_not_held(book: Book) -> None:
    book.asked("refuse-1", "question 1")
    here = current(book)
    outputs, [_] = book.cell("refuse-2", "refuse this")
    assert outputs.error is not None
    assert book.asked("refuse-2", "better") == ("Turn 2", here)
    assert book.cell("refuse-2", "x")[1] == []


def test_a_cell_that_asks_aside_stands_in_that_conversation(book: Book) -> None:
    book.asked("once-1", "question 1")
    here = current(book)
    assert book.asked("once-2", "aside", "--once") == ("Turn 2", here)
    assert book.cell("once-2", "aside", "--once")[1] == []


def test_below_another_magic_a_cell_is_one_too(book: Book) -> None:
    for magic in ("%%time", "%%capture kept"):
        book.kernel.run("%dify new")
        name = magic.split()[0]
        _, [first] = book.code(name, f"{magic}\n%%dify\nquestion")
        _, [second] = book.code(name, f"{magic}\n%%dify\nquestion")
        assert (first["conversation_id"], second["conversation_id"]) == ("", "")


def test_code_that_asks_is_appended_and_the_header_says_so(book: Book) -> None:
    loop = "for n in range(3):\n    get_ipython().run_cell_magic('dify', '-o answer', f'question {n}')"
    outputs, sent = book.code("loop", loop)
    here = current(book)
    assert [one["conversation_id"] for one in sent] == ["", here, here]
    heads = [str(bundle["text/plain"]).splitlines()[0] for bundle in outputs.displays]
    assert heads[0].startswith("New conversation · Scripted")
    assert heads[1].startswith("Turn 2 · appended: asked by code, not by a cell of its own")
    _, sent = book.code("loop", loop)
    assert {one["conversation_id"] for one in sent} == {here}
    _, sent = book.code("function", "def ask():\n    get_ipython().run_cell('%%dify\\nhello')\nask(); ask()")
    assert [one["conversation_id"] for one in sent] == [here, here]
    for _ in range(2):
        _, sent = book.code("literally", "get_ipython().run_cell_magic('dify', '', 'hello')")
        assert [one["conversation_id"] for one in sent] == [here]
    _, sent = book.code("twice", "%%timeit -n 1 -r 2\n%%dify\nhello")
    assert [one["conversation_id"] for one in sent] == [here, here]


def test_without_ids_cells_are_appended_and_the_header_says_so(book: Book) -> None:
    assert book.asked(None, "the first") == ("New conversation", "")
    here = current(book)
    for turn in (2, 3):
        title, where = book.asked(None, "the first")
        assert (title, where) == (f"Turn {turn} · appended: no cell id here", here)
    outputs, sent = book.cell(None, "the first", "--again")
    assert [one["conversation_id"] for one in sent] == [""], outputs.traceback


def test_status_and_mode_explain_where_a_cell_asks(book: Book) -> None:
    book.kernel.run("%dify mode append")
    explained = book.kernel.run("%dify mode").streams["stdout"].splitlines()
    assert [line[:2] for line in explained] == ["  ", "  ", "  ", "* ", "Wh"]
    assert "append: each cell is asked at the end" in book.kernel.run("%dify").streams["stdout"]


def test_in_a_terminal_lines_are_appended_and_again_asks_the_turns_before(tmp_path: Path) -> None:
    app, server = scripted()
    cells = ["%%dify\\nquestion 1", "%%dify\\nquestion 2", "%%dify\\nquestion 2", "%%dify --again\\nquestion 2"]
    calls = [f"get_ipython().run_cell('{cell}')" for cell in ["%load_ext dify_notebook", *cells]]
    code = ";".join(calls)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "IPython", "--no-banner", "--colors=nocolor", "-c", code],
            env=kernel_environment(tmp_path, DIFY_API_KEY=KEY, DIFY_BASE_URL=server.url),
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
    finally:
        app.released.set()
        server.close()
    heads = [line.partition(" · Scripted")[0] for line in done.stdout.splitlines() if " · Scripted" in line]
    assert heads == [
        "New conversation",
        "Turn 2 · appended: no cell id here",
        "Turn 3 · appended: no cell id here",
        "Asking turn 1 of 2 again",
        "Turn 2 · replayed: turn 1 asked again",
    ], done.stdout + done.stderr
    asked = [(one["query"], bool(one["conversation_id"])) for one in app.questions]
    assert asked[3:] == [("question 1", False), ("question 2", True)]


def test_an_executed_notebook_appends_and_its_headers_say_so(tmp_path: Path) -> None:
    """nbclient sends no cell ids, though the file has some."""
    nbformat = pytest.importorskip("nbformat")
    app, server = scripted()
    notebook = nbformat.v4.new_notebook()
    sources = ["%load_ext dify_notebook", *(f"%%dify\nquestion {number}" for number in (1, 2, 2))]
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    try:
        folder = tmp_path / "book"
        folder.mkdir()
        data = {"DIFY_NOTEBOOK_DATA_DIR": str(tmp_path / "data"), "DIFY_NOTEBOOK_LANG": "en"}
        notebooks.execute(notebook, folder, DIFY_API_KEY=KEY, DIFY_BASE_URL=server.url, DIFY_USER="anna", **data)
    finally:
        app.released.set()
        server.close()
    heads = [notebooks.outputs(cell)[0]["text/plain"].partition(" · Scripted")[0] for cell in notebook.cells[1:]]
    appended = "appended: no cell id here"
    assert heads == ["New conversation", f"Turn 2 · {appended}", f"Turn 3 · {appended}"]


@pytest.mark.parametrize("dialect", ["1.16", "1.12", "0.15"])
def test_files_and_forms_of_the_turns_before(dialect: Dialect, tmp_path: Path) -> None:
    """Against the embedded server: an upload is named again and not sent again; what asks a person is refused."""
    (tmp_path / "sales.csv").write_text("city,price\nLyon,3\nNice,4\n")
    data = tmp_path / "data"
    served = local.serve(data_dir=data / "local", pace=0, dialect=dialect)
    with served as server, kernel(tmp_path, DIFY_NOTEBOOK_DATA_DIR=str(data), DIFY_USER="anna") as running:
        made = f"c = dify_notebook.Dify('{server.api_key('toolbox')}', '{server.base_url}', user='anna')"
        asks = f"p = dify_notebook.Dify('{server.api_key('pipeline')}', '{server.base_url}', user='anna')"
        running.run(f"%load_ext dify_notebook\nimport dify_notebook\n{made}\n{asks}")
        running.run(f"%%dify c -f {tmp_path / 'sales.csv'}\nSummarise the file.", cell_id="file")
        running.run("c.chat.send('What is 2+2?', conversation_id=dify_notebook.last.conversation_id)", cell_id="python")
        running.run("%%dify c\nWhat is 3+3?", cell_id="sum")
        (tmp_path / "sales.csv").unlink()
        outputs = running.run("%%dify c --again\nWhat is 4+4?", cell_id="sum")
        assert outputs.error is None, outputs.traceback
        listed = "c.messages.list(dify_notebook.last.conversation_id, order='asc')"
        kept = running.value(f"[(m.query, len(m.message_files or [])) for m in {listed}]")
        assert kept == "[('Summarise the file.', 1), ('What is 2+2?', 0), ('What is 4+4?', 0)]"
        assert "2 rows" in running.value(f"next(iter({listed})).answer"), "the file was read"
        if dialect != "1.16":
            return
        running.run("%%dify p\napprove: ten percent off", cell_id="asks")
        running.run("%%dify p\nCompare files and keys.", cell_id="after")
        outputs = running.run("%%dify p --again\nCompare files and keys.", cell_id="after")
        assert "Turn 1 of 2 cannot be asked again: its run asks a person" in outputs.traceback
