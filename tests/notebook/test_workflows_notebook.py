"""The notebook on workflow apps as `nbconvert --execute` runs it, and what is in the file afterwards."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import nbformat
import pytest
from support import notebooks

PATH = Path(__file__).parents[2] / "notebooks" / "workflows.ipynb"
FORMS = {"text/html", "text/markdown", "text/plain"}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Its cells by id, after a run in a kernel of its own."""
    folder = tmp_path_factory.mktemp("workflows")
    notebook = nbformat.read(PATH, 4)
    notebooks.execute(notebook, folder, DIFY_NOTEBOOK_DATA_DIR=str(folder / "data"), DIFY_NOTEBOOK_LANG="en")
    return {
        "folder": folder,
        "text": nbformat.writes(notebook),
        **{cell.id: cell for cell in notebook.cells if cell.cell_type == "code"},
    }


def shown(cell: Any, form: str) -> str:
    """The one output of a cell in that form, as a reader sees it."""
    (output,) = notebooks.outputs(cell)
    assert set(output) == FORMS
    return unescape(re.sub(r"<[^>]+>", "", output[form])).replace("\\", "").replace("\u200b", "")


def value(cell: Any) -> str:
    """What a cell's last line is worth, as text."""
    (output,) = notebooks.outputs(cell)
    return str(output["text/plain"])


def test_it_is_stored_without_outputs() -> None:
    cells = nbformat.read(PATH, 4).cells
    assert [cell.id for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_run_is_its_timeline_and_its_outputs(ran: dict[str, Any], form: str) -> None:
    text = shown(ran["first"], form)
    for wanted in ("Read the rows", "For each row", "8 of 8 rounds", "The export crashes", "tally.csv", "23.375"):
        assert wanted in text, wanted
    if form != "text/markdown":  # there the steps are folded below
        assert text.rindex("Find its class") < text.rindex("tally.csv")


def test_outputs_are_values(ran: dict[str, Any]) -> None:
    assert value(ran["values"]) == "(8, 23.375)"
    counted = value(ran["table"])
    assert re.findall(r"^(bug|other|refund) +(\d+) +(\d+)$", counted, flags=re.MULTILINE) == [
        ("bug", "3", "135"), ("other", "3", "16"), ("refund", "2", "36"),
    ]  # fmt: skip
    assert re.search(r"crashes on large files +42 +bug$", value(ran["file"]), flags=re.MULTILINE)
    assert len(re.findall(r"\bcode +succeeded", value(ran["nodes"]))) == 11
    assert re.search(r"^shop +2\.0 ", value(ran["all-rows"]), flags=re.MULTILINE)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_two_runs_are_compared(ran: dict[str, Any], form: str) -> None:
    text = shown(ran["compared"], form)
    for wanted in ("Steps side by side", "Count and compute", "classes", "invoice=invoice|pay"):
        assert wanted in text, wanted


def test_the_log_has_each_run_with_what_it_gave(ran: dict[str, Any]) -> None:
    lines = value(ran["history"])
    assert len(re.findall(r"^\d+ .*succeeded", lines, flags=re.MULTILINE)) == 5
    assert '{"rows":8,' in lines


def test_no_key_is_in_the_file_or_in_a_tape(ran: dict[str, Any]) -> None:
    import gzip

    keys = json.loads((ran["folder"] / "data" / "local" / "keys.json").read_text())
    secrets = [*keys["apps"].values(), keys["signing"]]
    tapes = list((ran["folder"] / "data" / "runs").glob("*.tape.gz"))
    assert len(tapes) >= 4
    texts = [ran["text"], *(gzip.decompress(tape.read_bytes()).decode() for tape in tapes)]
    assert [key[:6] for key in secrets for text in texts if key in text] == []
    assert [text for text in texts if re.search(r"[?&]sign=[^-&\"\\]", text)] == []
