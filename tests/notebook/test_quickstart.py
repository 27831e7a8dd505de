"""The quickstart as `nbconvert --execute` runs it, and what is in the file afterwards."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from support import notebooks
from support.kernels import Outputs, kernel

from dify_notebook import local

PATH = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"
FORMS = {"text/html", "text/markdown", "text/plain"}
WIDGET = "application/vnd.jupyter.widget-view+json"


class Ran:
    """A notebook that was run, and where."""

    def __init__(self, notebook: Any, folder: Path) -> None:
        """Run it against the server of `folder`, which another process than the kernel's runs."""
        self.notebook = notebook
        self.folder = folder
        data = folder / "data"
        with local.serve(data_dir=data / "local", pace=0):
            notebooks.execute(notebook, folder, DIFY_NOTEBOOK_DATA_DIR=str(data), DIFY_NOTEBOOK_LANG="en")
        self.cells = {cell.id: cell for cell in notebook.cells}
        self.text = nbformat.writes(notebook)

    @property
    def asked(self) -> list[Any]:
        """The cells that asked something, without those that only show what they would ask."""
        return [
            c for c in self.notebook.cells if c.source.startswith("%%dify") and "--dry-run" not in c.source
        ]

    def bundle(self, cell_id: str) -> dict[str, Any]:
        """The one thing that a cell shows."""
        (found,) = notebooks.outputs(self.cells[cell_id])
        return found


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return Ran(nbformat.read(PATH, 4), tmp_path_factory.mktemp("quickstart"))


@pytest.fixture(scope="module")
def twenty(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    source = "%%dify --once\nHow do I send file number {}?"
    cells = [new_code_cell("%load_ext dify_notebook"), *(new_code_cell(source.format(n)) for n in range(20))]
    return Ran(new_notebook(cells=cells), tmp_path_factory.mktemp("twenty"))


def test_it_is_stored_without_outputs() -> None:
    """Outputs would show somebody's directory, and hide that a cell does not work any more."""
    cells = nbformat.read(PATH, 4).cells
    assert [cell.id for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []


def test_every_question_leaves_one_output_in_three_forms(quickstart: Ran) -> None:
    assert len(quickstart.asked) >= 6
    for cell in quickstart.asked:
        bundle = quickstart.bundle(cell.id)
        assert set(bundle) == FORMS
        assert all(len(text) > 100 for text in bundle.values())


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ("question", ["Nothing has to be set up to try it", "01-getting-started.md"]),
        ("chinese", ["文件会先上传", "05-files.md"]),
        ("agent", ["397.8", "calculator", "17/100*2340", "Asia/Tokyo"]),
        ("file", ["csv_summary", "sales.csv", "price"]),
        (
            "pipeline",
            ["For each item", "Compare with every passage", "Write the report", "keys and security"],
        ),
        ("asks", ["went on later", "answered: Approve", "ten percent off for new customers", "until May"]),
    ],
)
@pytest.mark.parametrize("form", sorted(FORMS))
def test_an_answer_stands_in_each_form(quickstart: Ran, cell: str, wanted: list[str], form: str) -> None:
    """The answer, an agent's steps with input and observation, a chatflow's nodes."""
    shown = re.sub(r"<[^>]+>", "", quickstart.bundle(cell)[form]).replace("\\", "").replace("\u200b", "")
    assert [text for text in wanted if text not in shown] == []


def test_the_timeline_keeps_its_bars_and_its_times(quickstart: Ran) -> None:
    """As nested blocks with literal widths, since a notebook that is not trusted keeps nothing else."""
    html = quickstart.bundle("pipeline")["text/html"]
    assert len(re.findall(r"width: ?[\d.]+%", html)) >= 10
    assert re.search(r"\d (ms|s)\b", re.sub(r"<[^>]+>", " ", html))


def test_python_cells_print_what_the_turns_hold(quickstart: Ran) -> None:
    assert "397.8" in notebooks.printed(quickstart.cells["turn"])
    table = notebooks.printed(quickstart.cells["node-table"])
    assert len(re.findall(r"^ *\S.* code +succeeded", table, flags=re.MULTILINE)) == 10
    assert notebooks.printed(quickstart.cells["approve"]).startswith("succeeded · Approved, now")
    assert '"inputs"' in notebooks.printed(quickstart.cells["dry-run"])
    assert "MessageEnd" in notebooks.printed(quickstart.cells["async"])


def test_no_widget_is_left_in_an_output(quickstart: Ran, twenty: Ran) -> None:
    """nbconvert prefers the widget, and then shows nothing."""
    for ran in (quickstart, twenty):
        assert WIDGET not in json.dumps([cell.get("outputs") for cell in ran.notebook.cells])


def test_twenty_cells_leave_one_small_bundle(twenty: Ran) -> None:
    state = twenty.notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    with_code = [model for model in state.values() if "_esm" in model["state"]]
    assert len(with_code) == 1
    assert len(json.dumps(state, ensure_ascii=False).encode()) <= 33_000
    assert twenty.text.count("generated from js/") == 1


@pytest.mark.parametrize("exporter", ["HTMLExporter", "MarkdownExporter"])
def test_exports_hold_the_answers(quickstart: Ran, exporter: str) -> None:
    import nbconvert

    body, _ = getattr(nbconvert, exporter)().from_notebook_node(quickstart.notebook)
    shown = re.sub(r"<[^>]+>", "", body)
    for wanted in (
        "Nothing has to be set up to try it",
        "文件会先上传",
        "397.8",
        "Compare with every passage",
    ):
        assert wanted in shown, wanted


def test_no_key_is_in_the_file_or_in_a_tape(quickstart: Ran) -> None:
    import gzip

    local_keys = json.loads((quickstart.folder / "data" / "local" / "keys.json").read_text())
    keys = [*local_keys["apps"].values(), local_keys["signing"]]
    assert len(keys) == 5
    tapes = list((quickstart.folder / "data" / "runs").glob("*.tape.gz"))
    assert len(tapes) >= len(quickstart.asked)
    texts = [quickstart.text, *(gzip.decompress(tape.read_bytes()).decode() for tape in tapes)]
    assert [key[:6] for key in keys for text in texts if key in text] == []


def test_run_all_twice_in_one_kernel_reads_the_same(tmp_path: Path) -> None:
    """With cell ids, as JupyterLab sends them: the same outputs but for ids and times."""
    cells = [cell for cell in nbformat.read(PATH, 4).cells if cell.cell_type == "code"]
    data = tmp_path / "data"
    with (
        local.serve(data_dir=data / "local", pace=0),
        kernel(tmp_path, DIFY_NOTEBOOK_DATA_DIR=str(data), DIFY_USER="anna") as running,
    ):
        runs = [{cell.id: running.run(cell.source, cell_id=cell.id) for cell in cells} for _ in range(2)]
    assert [outputs.traceback for run in runs for outputs in run.values() if outputs.error] == []
    once, twice = ({id: plain(outputs) for id, outputs in run.items()} for run in runs)
    heads = [text.partition(" ·")[0] for text in once.values() if "PLACE OR TIME" in text]
    assert heads.count("New conversation") >= 4
    assert heads.count("Turn 2") == 2
    for run in (once, twice):  # a run that ended before its second stream was opened may come without its last step
        run["asks"] = re.sub(r"\d steps|  \S Answer .*\n", "", run["asks"])
    status = once.pop("where"), twice.pop("where")  # it tells of the conversation that there is by now
    assert [text.count("Conversation") for text in status] == [1, 1]
    assert "already loaded" in twice.pop("load"), "IPython says so"
    once.pop("load")
    assert twice == once


def plain(outputs: Outputs) -> str:
    """What a cell left as text, without what differs each time."""
    texts = [str(bundle.get("text/plain", "")) for bundle in outputs.displays]
    text = "\n".join([*texts, *outputs.streams.values()])
    text = re.sub(r"(conversation |run )?[0-9a-f]{8}(-[0-9a-f-]{27})?\b", "ID", text)
    text = re.sub(r"/tmp\S+|127\.0\.0\.1:\d+|\b\d\d:\d\d(:\d\d)?\b|\d{4}-\d\d-\d\d", "PLACE OR TIME", text)
    return re.sub(r"[\d.]+ (?=s\b)|\d+\.\d\d+|(?<=files/)\S+", "SECONDS ", text)
