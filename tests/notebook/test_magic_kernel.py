"""`%%dify` in a real kernel: one output, Interrupt, failures, and nothing left behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.kernels import Kernel, Outputs, kernel, kernel_environment, sockets
from support.raw_server import RawServer
from support.scripted_app import KEY, ScriptedApp, scripted
from traitlets.config import Config

from dify_notebook.magic.help import EXAMPLES

WIDGET = "application/vnd.jupyter.widget-view+json"


class Book:
    """A kernel with the extension loaded, and the app that it asks."""

    def __init__(self, kernel: Kernel, app: ScriptedApp, server: RawServer) -> None:
        self.kernel, self.app, self.server = kernel, app, server
        self.seen: list[Outputs] = []

    def run(self, code: str, **options: Any) -> Outputs:
        outputs = self.kernel.run(code, **options)
        self.seen.append(outputs)
        return outputs

    def asked(self, code: str, **options: Any) -> tuple[Outputs, dict[str, Any]]:
        """Run a cell that asks one question; its outputs and what was sent."""
        before = len(self.app.questions)
        outputs = self.run(code, **options)
        assert len(self.app.questions) == before + 1, outputs.everything
        return outputs, self.app.questions[-1]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    app, server = scripted()
    directory = tmp_path_factory.mktemp("kernel")
    try:
        with kernel(directory, DIFY_API_KEY=KEY, DIFY_BASE_URL=server.url, DIFY_USER="anna") as running:
            made = Book(running, app, server)
            loaded = made.run("%load_ext dify_notebook\nimport dify_notebook, sys")
            assert loaded.error is None, loaded.traceback
            assert "%dify runs off" in loaded.streams["stdout"], "said once, before anything is recorded"
            yield made
    finally:
        app.released.set()
        server.close()
    for outputs in made.seen:
        assert KEY not in outputs.everything, "the key reached an output"


def answer_of(outputs: Outputs) -> str:
    """The text of the one display that a cell left, which must be the saved form."""
    assert len(outputs.displays) == 1, outputs.everything + outputs.traceback
    assert outputs.results == 0
    [bundle] = outputs.displays
    assert WIDGET not in bundle, "the live widget was replaced"
    assert {"text/html", "text/markdown", "text/plain"} <= set(bundle)
    return str(bundle["text/plain"])


def interrupt_once(book: Book) -> Any:
    """Interrupts, once, when a partial answer has been sent and the view is alive."""
    partials = book.app.partials
    done: list[int] = []

    def during(outputs: Outputs, message: dict[str, Any]) -> None:
        if not done and book.app.partials > partials and message["msg_type"] == "comm_msg":
            done.append(1)
            book.kernel.interrupt()

    return during


def test_one_output_and_every_name(book: Book) -> None:
    outputs, sent = book.asked("%%dify -o answer\nhello")
    assert "You said: hello" in re.sub(r"\*", "", answer_of(outputs))
    assert outputs.error is None
    assert sent["user"] == "anna"
    number = outputs.reply["execution_count"]
    assert book.kernel.value(f"answer is dify_notebook.last is Out[{number}] is _{number}") == "True"
    assert book.kernel.value("(answer.status, answer.answer)") == "('succeeded', 'You said: **hello**')"
    assert book.run("_.answer").displays[0]["text/plain"] == "'You said: **hello**'"


def test_a_semicolon_is_text_and_changes_nothing(book: Book) -> None:
    outputs, sent = book.asked("%%dify\nhello;")
    assert "hello;" in answer_of(outputs)
    assert sent["query"] == "hello;"


def test_captured_cell_holds_one_output(book: Book) -> None:
    outputs, _ = book.asked("%%capture kept\n%%dify\nhello")
    assert outputs.displays == []
    assert book.kernel.value("len(kept.outputs)") == "1"
    assert book.kernel.value("sorted(kept.outputs[0].data)") == "['text/html', 'text/markdown', 'text/plain']"
    assert book.kernel.value("kept.stdout + kept.stderr") == "''"
    shown = book.run("kept.show()")
    assert "hello" in answer_of(shown)


def test_quiet_shows_nothing_and_binds(book: Book) -> None:
    outputs, _ = book.asked("%%dify --quiet -o silent\nhush")
    assert (outputs.displays, outputs.streams["stdout"], outputs.error) == ([], "", None)
    assert book.kernel.value("silent.answer") == "'You said: **hush**'"


def test_a_function_asks_with_its_own_variables(book: Book) -> None:
    asks = "get_ipython().run_cell_magic('dify', '-o kept --quiet', 'In {{ city }}?')"
    book.run(f"city = 'NOTEBOOK'\ndef ask(city):\n    {asks}\n    return 'kept' in globals()")
    _, sent = book.asked("within = ask('Lyon')")
    assert sent["query"] == "In Lyon?"
    assert book.kernel.value("(within, kept.query)") == "(True, 'In Lyon?')"
    _, sent = book.asked(f"async def later(city):\n    {asks}\nawait later('Nice')")
    assert sent["query"] == "In Nice?"
    outputs = book.run(f"def lost(city):\n    del city\n    {asks}\nlost('Metz')")
    assert "city is a variable of the function lost" in outputs.traceback
    assert "NOTEBOOK" not in outputs.everything


def test_what_stands_in_the_cell_is_asked(book: Book) -> None:
    body = "Why?\n\n    >>> for n in a:\n    ...     print(n)\n\n!ls\n%%dify\nIn [1]: x?"
    for front in ("", "%%capture kept\n"):
        _, sent = book.asked(f"{front}%%dify --new\n{body}\n\n")
        assert sent["query"] == body


def test_variables_are_filled_and_not_by_ipython(book: Book) -> None:
    """`@no_var_expand`: single braces and dollars reach the question as they stand."""
    book.run("city = 'Lyon'; rows = [1, None]")
    _, sent = book.asked("%%dify\n{city} $city {{ city }} {{ rows }}")
    assert sent["query"] == "{city} $city Lyon [1, null]"


def test_what_is_wrong_is_told_before_anything_is_sent(book: Book) -> None:
    before = len(book.app.questions)
    outputs = book.run("%%dify\nhello {{ nobody }}")
    assert len(book.app.questions) == before
    assert outputs.displays == []
    assert "no variable nobody" in outputs.traceback
    assert "Traceback" not in outputs.traceback
    assert len(outputs.traceback.splitlines()) <= 3
    assert outputs.reply["status"] == "error", "Run All stops"
    assert "Did you mean --timeout" in book.run("%%dify --timeot 3\nx").traceback


def test_dry_run_sends_nothing(book: Book) -> None:
    before = len(book.app.questions)
    outputs = book.run("%%dify --dry-run --new\nhello {{ city }}")
    shown = json.loads(outputs.streams["stdout"])
    assert shown["json"]["query"] == "hello Lyon"
    assert shown["json"]["user"] == "anna"
    assert len(book.app.questions) == before


def test_conversation_goes_on_and_again_begins_anew(book: Book) -> None:
    book.run("%dify new")
    _, first = book.asked("%%dify -o one\nthe first")
    _, second = book.asked("%%dify\nthe second")
    assert first["conversation_id"] == ""
    here = book.kernel.value("one.conversation_id").strip("'")
    assert second["conversation_id"] == here
    _, again = book.asked("%%dify --again -o one\nthe first")
    assert again["conversation_id"] == "", "it began a conversation, so it begins one again"
    began = book.kernel.value("one.conversation_id").strip("'")
    for wanted in ([("the second", began)], [("the first", ""), ("the second", None)]):
        before = len(book.app.questions)
        book.run("%%dify --again\nthe second")
        asked = [(one["query"], one["conversation_id"]) for one in book.app.questions[before:]]
        assert [query for query, _ in asked] == [query for query, _ in wanted]
        assert asked[0][1] == wanted[0][1], "it goes on with what began; once it stands there, the turn before it too"
    _, first = book.asked("%%dify --new\nby id", cell_id="cell-1")
    _, again = book.asked("%%dify --again\nby id, changed", cell_id="cell-1")
    assert again["conversation_id"] == "", "the cell is known by its id"
    book.asked("%%dify -c one\nback")
    here = book.kernel.value("one.conversation_id").strip("'")
    _, once = book.asked("%%dify --new --once\nthe third")
    assert once["conversation_id"] == ""
    _, after = book.asked("%%dify\nthe fourth")
    assert after["conversation_id"] == here, "--once did not become current"


def test_interrupt_stops_keeps_and_lets_the_next_cell_work(book: Book) -> None:
    stops = len(book.app.stops)
    outputs, _ = book.asked("%%dify -o cut --new\nslow one", during=interrupt_once(book))
    assert book.app.stops[stops:] == [{"user": "anna"}], "stopped once, as the user who asked"
    assert "partial answer" in answer_of(outputs)
    assert outputs.error is not None
    assert outputs.error["ename"] == "KeyboardInterrupt"
    assert len(outputs.traceback.splitlines()) == 1
    assert outputs.reply["status"] == "error", "Run All stops"
    told = "(cut.status, cut.end, cut.stop_confirmed, cut.answer, cut is dify_notebook.last)"
    assert book.kernel.value(told) == "('stopped', 'stopped', True, 'partial answer', True)"
    _, sent = book.asked("%%dify\nand now")
    assert sent["conversation_id"] == book.kernel.value("cut.conversation_id").strip("'")


def test_second_interrupt_leaves_at_once(book: Book) -> None:
    partials, stops = book.app.partials, len(book.app.stops)
    count: list[int] = []

    def during(outputs: Outputs, message: dict[str, Any]) -> None:
        """Once when the partial answer was sent, and again when the stop has arrived."""
        due = (book.app.partials > partials, len(book.app.stops) > stops)
        if len(count) < 2 and due[len(count)] and message["msg_type"] == "comm_msg":
            count.append(1)
            book.kernel.interrupt()

    outputs, _ = book.asked("%%dify -o left --new\ndeaf one", during=during)
    assert "partial answer" in answer_of(outputs)
    assert book.kernel.value("(left.status, left.answer)") == "('stopped', 'partial answer')"
    assert book.run("%%dify --new\nnext").error is None


def test_interrupt_before_anything_came(book: Book) -> None:
    """The task has no name yet, so nothing can be stopped on the server, which waits for ever; the cell ends."""
    begun: list[int] = []

    def during(outputs: Outputs, message: dict[str, Any]) -> None:
        if not begun and len(book.app.questions) > before:
            begun.append(1)
            book.kernel.interrupt()

    before = len(book.app.questions)
    outputs, _ = book.asked("%%dify --new -o nothing\nsilent", during=during)
    assert len(outputs.displays) == 1
    assert (
        book.kernel.value("(nothing.status, nothing.stop_confirmed, nothing.answer)")
        == "('stopped', False, '')"
    )
    assert book.run("%%dify --new\nnext").error is None


def test_interrupt_before_the_question_was_sent(book: Book) -> None:
    book.app.held.clear()
    arrived = len(book.server.requests)

    def interrupt() -> None:
        assert book.server.wait_for(arrived + 1)
        book.kernel.interrupt()

    helper = threading.Thread(target=interrupt)
    helper.start()
    before = len(book.app.questions)
    outputs = book.run("%%dify --user someone-new\nhello")
    helper.join()
    book.app.held.set()
    assert outputs.error is not None
    assert outputs.error["ename"] == "KeyboardInterrupt"
    assert "before anything was sent" in outputs.traceback
    assert len(book.app.questions) == before
    assert book.run("%%dify --user someone-new\nhello").error is None


@pytest.mark.parametrize(
    "code",
    [
        "await dify_notebook.AsyncDify().chat.send('slow awaited')",
        "async with dify_notebook.AsyncDify().chat.stream('slow awaited') as stream:\n    async for e in stream: pass",
        "import asyncio\nawait asyncio.gather(dify_notebook.AsyncDify().chat.send('slow awaited'))",
        "dify_notebook.Dify().chat.send('slow plain')",
        "with dify_notebook.Dify().chat.stream('slow plain') as stream:\n    for e in stream: pass",
    ],
)
def test_interrupt_of_a_cell_that_asks_in_python_is_obeyed_at_once_and_told_once(code: str, book: Book) -> None:
    """At once although nothing more comes from the server, which would wake the kernel's loop."""
    stops, partials = len(book.app.stops), book.app.partials

    def interrupt() -> None:
        while book.app.partials == partials:
            time.sleep(0.01)
        time.sleep(0.5)  # so that the loop sleeps
        book.kernel.interrupt()

    helper = threading.Thread(target=interrupt)
    helper.start()
    outputs = book.run(code)
    helper.join()
    assert outputs.error is not None
    assert outputs.error["ename"] == ("CancelledError" if "Async" in code else "KeyboardInterrupt")
    assert outputs.traceback.count("stopped") == len(outputs.traceback.splitlines()) == 1
    assert outputs.streams == {"stdout": "", "stderr": ""}
    assert len(book.app.stops) == stops + 1
    assert book.kernel.value("sys.last_value.turn.answer") == "'partial answer'"
    assert book.run("%%dify --new\nhello").error is None


def test_stop_button_ends_the_cell_without_an_error(book: Book) -> None:
    """What the button does: it stops the run from another thread."""
    book.run(
        "import threading, time\n"
        "def press():\n"
        "    state = get_ipython().magics_manager.registry['DifyMagics'].state\n"
        "    while True:\n"
        "        run = state.last_app_session and state.last_app_session.session.running\n"
        "        if run and run.turn.answer == 'partial answer':\n"
        "            return run.stop()\n"
        "        time.sleep(0.01)\n"
        "threading.Thread(target=press, daemon=True).start()"
    )
    outputs, _ = book.asked("%%dify --new -o stopped\nslow two")
    assert outputs.error is None
    assert "partial answer" in answer_of(outputs)
    assert book.kernel.value("(stopped.status, stopped.stop_confirmed)") == "('stopped', True)"


def test_timeout_is_the_total(book: Book) -> None:
    for seconds in (0.6, 6, 30):  # the part that comes is to come before
        stops = len(book.app.stops)
        outputs, _ = book.asked(f"%%dify --timeout {seconds} --new -o late\nslow three")
        if book.kernel.value("late.answer == 'partial answer'") == "True":
            break
    assert "partial answer" in answer_of(outputs)
    assert book.app.stops[stops:] == [{"user": "anna"}]
    assert book.kernel.value("(late.end, late.answer)") == "('timed_out', 'partial answer')"
    assert outputs.error is not None
    assert "Traceback" not in outputs.traceback


def test_failed_answer_is_shown_bound_and_told_in_one_line(book: Book) -> None:
    outputs, _ = book.asked("%%dify --new -o broken\nfail please")
    assert "partial answer" in answer_of(outputs)
    assert outputs.error is not None
    assert outputs.error["ename"] == "TurnFailed"
    assert "No tokens." in outputs.traceback
    assert "completion_request_error" in outputs.traceback
    assert "Traceback" not in outputs.traceback
    assert (
        book.kernel.value("(broken.status, broken is dify_notebook.last, broken is _)")
        == "('failed', True, True)"
    )
    outputs, _ = book.asked("%%dify --new -o lost\ncut it")
    assert book.kernel.value("(lost.status, lost.end)") == "('incomplete', 'disconnected')"
    assert outputs.error is not None
    assert outputs.error["ename"] == "TurnIncomplete"


def test_refusal_keeps_its_class_for_python(book: Book) -> None:
    outputs, _ = book.asked("%%dify --new\nrefuse me")
    assert "That cannot be asked." in outputs.traceback
    assert "400 invalid_param" in outputs.traceback
    caught = book.run(
        "try:\n"
        "    get_ipython().run_cell_magic('dify', '--new --quiet', 'refuse me')\n"
        "except dify_notebook.DifyError as error:\n"
        "    print(type(error).__name__, error.status, error.code)"
    )
    assert caught.streams["stdout"].strip() == "APIError 400 invalid_param"


def test_key_in_a_cell_is_warned_about(book: Book) -> None:
    outputs = book.run(f"%%dify --dry-run\nmy key is app-{'Zz9' * 8}")
    assert "my key is app-***" in outputs.streams["stdout"]
    said = outputs.streams["stderr"]
    assert f"In[{outputs.reply['execution_count']}]" in said
    assert "history" in said
    assert "Zz9Zz9" not in said


def test_completion_and_help(book: Book) -> None:
    found = book.kernel.complete("%%dify --ti")
    assert found["matches"] == ["--timeout"]
    assert found["cursor_start"] == len("%%dify ")
    assert set(book.kernel.complete("%dify m")["matches"]) == {"mode"}
    book.run("zebra_crossing = 1")
    assert book.kernel.complete("%%dify\nabout {{ zebra_")["matches"] == ["zebra_crossing"]
    assert "%%dify" in book.kernel.complete("%%dif")["matches"]
    for asked in ("%%dify", "%dify"):
        told = book.kernel.inspect(asked)
        assert "--timeout" in told
        assert "{{ city }}" in told
    assert "--timeout" in book.run("%dify help").streams["stdout"]


def test_where_am_i(book: Book) -> None:
    told = book.run("%dify").streams["stdout"]
    for words in ("Scripted", "anna", "DIFY_API_KEY", "127.0.0.1"):
        assert words in told


def test_twenty_cells_use_one_widget_and_leave_twenty_bundles(book: Book) -> None:
    widget = "__import__('sys').modules['dify_notebook.live.widget'].LiveWidget.current().model_id"
    before = book.kernel.value(widget)
    for number in range(20):
        outputs, _ = book.asked(f"%%dify\ncell {number}")
        assert f"cell {number}" in answer_of(outputs)
    assert book.kernel.value(widget) == before


def test_reload_and_unload_leave_nothing_behind(tmp_path: Path) -> None:
    app, server = scripted()
    count = "len(get_ipython().Completer.custom_matchers)"
    magics = "[kind for kind, held in get_ipython().magics_manager.magics.items() if 'dify' in held]"
    try:
        with kernel(tmp_path, DIFY_API_KEY=KEY, DIFY_BASE_URL=server.url) as running:
            before = int(running.value(count))
            running.run("%load_ext dify_notebook\nimport dify_notebook\nmine = dify_notebook.Dify()")
            assert running.value("hasattr(get_ipython().Completer, 'custom_matchers')") == "True"
            assert int(running.value(count)) == before + 1
            running.run("%%dify\nhello")
            reloaded = running.run("%reload_ext dify_notebook")
            assert (reloaded.error, reloaded.streams) == (None, {"stdout": "", "stderr": ""})
            assert int(running.value(count)) == before + 1, "not twice"
            assert running.run("%%dify\nhello again").error is None
            running.run("%unload_ext dify_notebook")
            assert int(running.value(count)) == before
            assert running.value(magics) == "[]"
            assert running.value("'DifyMagics' in get_ipython().magics_manager.registry") == "False"
            assert running.value("mine.chat.send('still here').answer") == "'You said: **still here**'"
            assert "not found" in running.run("%%dify\nhello").streams["stderr"]
            assert running.run("%load_ext dify_notebook").error is None
            assert running.run("%%dify\nhello").error is None
    finally:
        app.released.set()
        server.close()


@pytest.mark.parametrize(
    "again",
    [
        "%reload_ext dify_notebook",
        "%load_ext dify_notebook",
        "%unload_ext dify_notebook\n%load_ext dify_notebook",
        "%unload_ext dify_notebook\n%unload_ext dify_notebook\n%load_ext dify_notebook\n%reload_ext dify_notebook",
    ],
)
def test_loading_again_forgets_nothing(again: str, book: Book) -> None:
    book.run("other = dify_notebook.Dify(user='berta')\n%dify use other")
    book.asked("%%dify -o first --new\nhello")
    book.run("%dify mode fresh")
    before = book.run("%dify").streams["stdout"]
    assert book.run(again).error is None
    try:
        assert book.run("%dify").streams["stdout"] == before
        assert book.kernel.value("dify_notebook.last is first") == "True"
        book.run("%dify mode continue")
        _, sent = book.asked("%%dify\nand now")
        assert sent["user"] == "berta"
        assert sent["conversation_id"] == book.kernel.value("first.conversation_id").strip("'")
    finally:
        book.run("%dify mode continue\nget_ipython().magics_manager.registry['DifyMagics'].state.choice = None")


def test_embedded_apps_answer_without_any_setting(tmp_path: Path) -> None:
    with kernel(tmp_path) as running:
        running.run("%load_ext dify_notebook\nimport dify_notebook")
        told = running.run("%dify")
        assert told.error is None, told.traceback
        assert "embedded" in told.streams["stdout"]
        (tmp_path / "sales.csv").write_text("city,cost\nLyon,3\n")
        running.run("names = ['a', 'b']; city = 'Lyon'; notes = 'red apples'")
        running.run("table = [{'cost': 3, 'question': 'What is a Turn?'}]")
        running.run("import pandas\nrow = pandas.DataFrame({'text': ['a'], 'score': [1]})")
        for code, _ in EXAMPLES:
            shown = running.run(code.replace("--dry-run", "").replace("%%dify", "%%dify --dry-run", 1))
            assert shown.error is None, (code, shown.traceback)
        outputs = running.run("%%dify -o first\nHow do I put a notebook variable into a question?")
        assert outputs.error is None, outputs.traceback
        assert len(answer_of(outputs)) > 40
        assert running.value("bool(first.citations)") == "True"
        running.run("%%dify\nAnd a file?")
        same = "dify_notebook.last.conversation_id == first.conversation_id"
        assert running.value(same) == "True"
        assert running.run("%%dify toolbox -o tool\nWhat is 12 * 12?").error is None
        assert running.value("'144' in tool.answer and bool(tool.thoughts)") == "True"
        assert running.value("tool.conversation_id != first.conversation_id") == "True"
        assert running.run("%%dify toolbox -f sales.csv -o tool\nSummarise this file.").error is None
        assert running.value("'Lyon' in tool.answer or 'cost' in tool.answer") == "True"
        running.run("%dify use pipeline")
        outputs = running.run("%%dify -o flow\nHow do I stop an answer?")
        assert outputs.error is None, outputs.traceback
        assert running.value("bool(flow.nodes)") == "True"


def test_terminal_prints_text(tmp_path: Path) -> None:
    """In IPython without a frontend the answer is plain text, once."""
    app, server = scripted()
    code = (
        "get_ipython().run_line_magic('load_ext', 'dify_notebook')\n"
        "done = get_ipython().run_cell('%%dify\\nhello')"
    )
    environment = kernel_environment(tmp_path, DIFY_API_KEY=KEY, DIFY_BASE_URL=server.url)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "IPython", "--no-banner", "--colors=nocolor", "-c", code],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
    finally:
        app.released.set()
        server.close()
    assert done.stdout.count("hello") == 1, done.stdout + done.stderr
    assert "You said: " in done.stdout
    assert KEY not in done.stdout + done.stderr


def test_executed_notebook_holds_the_answers_and_one_live_view(tmp_path: Path) -> None:
    """nbclient saves the state of every widget that it saw: that must be one, small and without the key."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    app, server = scripted()
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell("%load_ext dify_notebook")]
    notebook.cells += [nbformat.v4.new_code_cell(f"%%dify\nquestion {number}") for number in range(20)]
    notebook.cells += [
        nbformat.v4.new_code_cell("%%dify\nfail here"),
        nbformat.v4.new_code_cell("reached = 1"),
    ]
    environment = kernel_environment(tmp_path, DIFY_API_KEY=KEY, DIFY_BASE_URL=server.url)
    try:
        with sockets() as traits:
            client = nbclient.NotebookClient(
                notebook,
                config=Config(KernelManager=traits),
                timeout=60,
                kernel_name="python3",
                store_widget_state=True,
            )
            with pytest.raises(nbclient.exceptions.CellExecutionError, match=r"No tokens\."):
                client.execute(env=environment, cwd=str(tmp_path))
    finally:
        app.released.set()
        server.close()
    for number, cell in enumerate(notebook.cells[1:21]):
        [output] = cell.outputs
        assert output.output_type == "display_data"
        assert f"question {number}" in output.data["text/plain"]
        assert WIDGET not in output.data
    assert notebook.cells[22].execution_count is None, "Run All stops at a failure"
    text = nbformat.writes(notebook)
    assert KEY not in text
    assert text.count("_esm") <= 1
    assert len(json.dumps(notebook.metadata.get("widgets", {}))) < 40_000
