"""`%%dify` of a workflow app and a completion app in a real kernel: outputs as values, Interrupt, empty cells."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import pytest
from browser.conftest import KERNELS
from browser.harness import overlay
from support.kernels import Kernel, Outputs, kernel
from support.scripted_flow import FLOW_KEY, TEXT_KEY, ScriptedFlow, scripted_flow

import dify_notebook

DOCS = Path(dify_notebook.__file__).parent / "docs"
WIDGET = "application/vnd.jupyter.widget-view+json"
SETUP = """%load_ext dify_notebook
import os, dify_notebook, pandas as pd
from dify_notebook import Dify
counter = Dify(os.environ["FLOW"], os.environ["AT"], "anna")
poet = Dify(os.environ["TEXT"], os.environ["AT"], "anna")
rows = pd.DataFrame({"text": ["one", "two"], "n": [1, None], "note": ["a", "b"]})"""


class Book:
    """A kernel whose variables `counter` and `poet` are clients of the two apps."""

    def __init__(self, running: Kernel, app: ScriptedFlow) -> None:
        self.kernel, self.app = running, app
        self.seen: list[Outputs] = []

    def run(self, code: str, **options: Any) -> Outputs:
        self.seen.append(self.kernel.run(code, **options))
        return self.seen[-1]

    def asked(self, code: str, **options: Any) -> tuple[Outputs, str, dict[str, Any]]:
        """Run a cell that asks once; its outputs, the path and the inputs."""
        before = len(self.app.runs)
        outputs = self.run(code, **options)
        assert len(self.app.runs) == before + 1, outputs.everything + outputs.traceback
        path, body = self.app.runs[-1]
        return outputs, path, body["inputs"]


@contextmanager
def opened(directory: Path, **environment: str) -> Iterator[Book]:
    app, server = scripted_flow()
    try:
        with kernel(directory, FLOW=FLOW_KEY, TEXT=TEXT_KEY, AT=server.url, **environment) as running:
            made = Book(running, app)
            loaded = made.run(SETUP)
            assert loaded.error is None, loaded.traceback
            yield made
    finally:
        app.released.set()
        server.close()
    for outputs in made.seen:
        assert FLOW_KEY not in outputs.everything
        assert TEXT_KEY not in outputs.everything


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    with opened(tmp_path_factory.mktemp("kernel")) as made:
        yield made


def text_of(outputs: Outputs) -> str:
    """The text of the one display that a cell left, which must be the saved form."""
    assert len(outputs.displays) == 1, outputs.everything + outputs.traceback
    [bundle] = outputs.displays
    assert WIDGET not in bundle
    return str(bundle["text/plain"])


def test_the_outputs_are_values_in_the_next_cell(book: Book) -> None:
    outputs, path, inputs = book.asked("%%dify counter -i lang=de -o result\nred, green, red\n")
    assert (path, inputs) == ("/workflows/run", {"text": "red, green, red", "lang": "de"})
    said = text_of(outputs)
    assert "Count" in said
    assert "new conversation" not in said
    assert outputs.error is None
    number = outputs.reply["execution_count"]
    assert book.kernel.value(f"result is dify_notebook.last is Out[{number}] is _{number}") == "True"
    assert book.kernel.value("result.outputs['table'][0]['count'] + result.outputs['count']") == "5"
    assert book.kernel.value("(result.status, result.answer)") == "('succeeded', '**red, green, red**')"
    assert book.kernel.value("len(pd.DataFrame(result.outputs['table']))") == "2"


def test_a_completion_is_asked_with_its_inputs_alone(book: Book) -> None:
    outputs, path, inputs = book.asked("%%dify poet -o poem\nautumn")
    assert (path, inputs) == ("/completion-messages", {"text": "autumn"})
    assert "query" not in book.app.runs[-1][1]
    assert "conversation_id" not in book.app.runs[-1][1]
    assert "A poem on autumn" in text_of(outputs)
    assert book.kernel.value("(poem.answer, poem.app_mode)") == "('A poem on autumn', 'completion')"


def test_a_cell_may_be_its_line_alone(book: Book) -> None:
    for body in ("", "\n", "\n\n"):
        _, _, inputs = book.asked(f"%%dify counter -i text=alone{body}")
        assert inputs == {"text": "alone"}
    _, _, inputs = book.asked("%%capture kept\n%%dify counter -i text=within")
    assert inputs == {"text": "within"}
    lost = book.run("%%dify counter")
    assert "This app needs text: write it below" in lost.traceback


def test_rows_of_a_table_and_what_is_left_out(book: Book) -> None:
    book.run("row = rows.iloc[[1]]")
    outputs, _, inputs = book.asked("%%dify counter --inputs row")
    assert inputs == {"text": "two"}
    assert outputs.streams["stderr"] == (
        "Left out: note. The row has these columns, and the app does not ask for them.\n"
    )
    before = len(book.app.runs)
    asks = "get_ipython().run_cell_magic('dify', 'counter --quiet --inputs row', '\\n')"
    outputs = book.run(f"for row in rows.itertuples(index=False):\n    {asks}")
    assert (outputs.error, outputs.everything.count("Left out")) == (None, 0)
    assert [body["inputs"] for _, body in book.app.runs[before:]] == [{"text": "one", "n": 1.0}, {"text": "two"}]


def test_a_cell_that_is_all_inputs(book: Book) -> None:
    _, _, inputs = book.asked("%%dify counter --as-inputs\ntext = \"{{ rows.text[0] }} and more\"\nn = 3")
    assert inputs == {"text": "one and more", "n": 3}
    _, _, inputs = book.asked('%%dify counter --as-inputs -i n=4\n{"text": "a", "n": 3}')
    assert inputs == {"text": "a", "n": 4}


def test_a_dry_run_sends_nothing(book: Book) -> None:
    before = len(book.app.runs)
    outputs = book.run("row = rows.iloc[[0]]")
    outputs = book.run("%%dify counter --dry-run --inputs row -i lang=de")
    shown = json.loads(outputs.streams["stdout"])
    assert shown["url"].endswith("/v1/workflows/run")
    assert shown["json"] == {
        "inputs": {"text": "one", "n": 1.0, "lang": "de"}, "response_mode": "streaming", "user": "anna"
    }  # fmt: skip
    assert "Left out: note" in outputs.streams["stderr"]
    assert len(book.app.runs) == before


def test_interrupt_stops_the_run_on_the_server_and_keeps_what_came(book: Book) -> None:
    partials, done = book.app.partials, list[int]()

    def during(outputs: Outputs, message: dict[str, Any]) -> None:
        if not done and book.app.partials > partials and message["msg_type"] == "comm_msg":
            done.append(1)
            book.kernel.interrupt()

    outputs, _, _ = book.asked("%%dify counter -o part\nslow one", during=during)
    assert outputs.error is not None
    assert outputs.error["ename"] == "KeyboardInterrupt"
    assert book.app.stops[-1].startswith("/workflows/tasks/")
    assert book.kernel.value("(part.status, part.answer, part.stop_confirmed)") == "('stopped', 'counting ', True)"
    again, _, _ = book.asked("%%dify counter\nagain")
    assert again.error is None


WAYS = [*zip(KERNELS, ("widget", "html", "text"), strict=True), (KERNELS[0], "off")]


@pytest.mark.parametrize(("version", "live"), WAYS)
def test_every_kernel_and_every_way_to_show_it_keep_the_same(tmp_path: Path, version: str, live: str) -> None:
    """The outputs as values, what Interrupt leaves, and a cell after it; nothing that runs stays in the notebook."""
    checkout = str(Path(dify_notebook.__file__).parents[1])
    path = [] if version == metadata.version("ipykernel") else [str(overlay(version))]
    with opened(tmp_path, DIFY_NOTEBOOK_LIVE=live, PYTHONPATH=os.pathsep.join([*path, checkout])) as book:
        assert book.kernel.value("__import__('ipykernel').__version__") == repr(version)
        kept, _, _ = book.asked("%%dify counter -o result\nred, green, red\n")
        assert kept.error is None, kept.traceback
        said = kept.streams["stdout"] if live == "text" else text_of(kept)
        assert "Outputs" in said
        assert book.kernel.value("result.outputs['table'][0]['count'] + result.outputs['count']") == "5"
        begun = book.app.partials

        def stop() -> None:
            while book.app.partials == begun:
                sleep(0.05)
            book.kernel.interrupt()

        interrupter = Thread(target=stop, daemon=True)  # with "off" the kernel says nothing before the end
        interrupter.start()
        left, _, _ = book.asked("%%dify counter -o part\nslow one")
        interrupter.join(10)
        assert left.error is not None
        assert left.error["ename"] == "KeyboardInterrupt"
        assert left.displays or live == "text"
        assert book.kernel.value("(part.status, part.stop_confirmed)") == "('stopped', True)"
        alone, _, inputs = book.asked("%%dify counter -i text=alone")
        assert (alone.error, inputs) == (None, {"text": "alone"})


def test_a_run_that_failed_is_one_line_and_its_turn_is_kept(book: Book) -> None:
    outputs, _, _ = book.asked("%%dify counter -o broken\nfail now")
    assert "Nothing to count." in outputs.traceback
    assert "Traceback" not in outputs.traceback
    assert book.kernel.value("(broken.status, broken.outputs)") in ("('failed', {})", "('failed', None)")


def test_the_same_cell_runs_again_as_it_is(book: Book) -> None:
    for _ in range(2):
        outputs, _, inputs = book.asked("%%dify counter\nsame", cell_id="cell-1")
        assert (outputs.error, inputs) == (None, {"text": "same"})
    refused = book.run("%%dify counter --again\nsame", cell_id="cell-1")
    assert "--again is about conversations, and Counter (a workflow app) holds none" in refused.traceback


def test_tab_knows_the_inputs(book: Book) -> None:
    book.run("%%dify counter --dry-run\nx")
    assert book.kernel.complete("%%dify counter --text ")["matches"] == ["text", "lang", "n"]
    assert "rows" not in book.kernel.complete("%%dify counter --inputs ro")["matches"]
    assert "row" in book.kernel.complete("%%dify counter --inputs ro")["matches"]


def test_what_the_documents_show_runs(tmp_path: Path) -> None:
    """Every cell of the page on workflows, in both languages, against the embedded server."""
    setup = """%load_ext dify_notebook
import pandas as pd
from dify_notebook import Dify
notes, table = "red apples\\ngreen pears", pd.DataFrame({"text": ["a", "b"], "score": [1, 2]})
first, second = (Dify.local("tally").workflows.run({"text": text}) for text in table.text)"""
    with kernel(tmp_path) as running:
        assert running.run(setup).error is None
        for page in sorted(DOCS.glob("*/21-workflows.md")):
            cells = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
            assert len(cells) > 6
            for cell in cells:
                outputs = running.run(cell)
                assert outputs.error is None, (page.parent.name, cell, outputs.traceback)
        counts = "[(row['class'], row['count']) for row in result.outputs['table']]"
        assert running.value(counts) == "[('other', 2), ('bug', 0), ('delivery', 0)]"
        assert running.value("[turn.outputs['rows'] for turn in turns]") == "[1, 1]"
