"""The notebook on experiments as `nbconvert --execute` runs it: what it finds, and that nothing is asked twice."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import nbformat
import pytest
from support import notebooks

PATH = Path(__file__).parents[2] / "notebooks" / "experiments.ipynb"
FORMS = {"text/html", "text/markdown", "text/plain"}


def cells_of(notebook: Any) -> dict[str, Any]:
    return {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}


def run(folder: Path) -> Any:
    notebook = nbformat.read(PATH, 4)
    return notebooks.execute(
        notebook, folder, DIFY_NOTEBOOK_DATA_DIR=str(folder / "data"), DIFY_NOTEBOOK_LANG="en"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the notebook lies, with all that it leaves there."""
    return tmp_path_factory.mktemp("experiments")


@pytest.fixture(scope="module")
def notebook(folder: Path) -> Any:
    """The notebook after a run in a kernel of its own."""
    return run(folder)


@pytest.fixture(scope="module")
def ran(notebook: Any) -> dict[str, Any]:
    """Its cells by id."""
    return cells_of(notebook)


@pytest.fixture(scope="module")
def ran_again(ran: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Its cells after another run beside what the first one left, in another kernel."""
    return cells_of(run(folder))


def shown(cell: Any, form: str) -> str:
    """The one output of a cell in that form, as a reader sees it."""
    (output,) = notebooks.outputs(cell)
    assert set(output) == FORMS
    return unescape(re.sub(r"<[^>]+>", "", output[form])).replace("\\", "").replace("\u200b", "")


def value(cell: Any) -> str:
    """What a cell's last line is worth, as text."""
    (output,) = notebooks.outputs(cell)
    return str(output["text/plain"])


def rows(cell: Any) -> list[list[str]]:
    """The lines of a small table, cut at the blanks between its columns."""
    return [re.split(r" {2,}", line.strip()) for line in value(cell).splitlines()]


def last_line(cell: Any) -> str:
    """How the line that says how far it is stands at the end."""
    return [line for line in re.split(r"[\r\n]+", notebooks.printed(cell)) if "asked" in line][-1]


def test_it_is_stored_without_outputs() -> None:
    cells = nbformat.read(PATH, 4).cells
    assert [cell.id for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_cell_shows_two_versions_beside_each_other(ran: dict[str, Any], form: str) -> None:
    text = shown(ran["first"], form)
    for wanted in ("bold", "careful", "in the cellar", "Price: 2 euros", "B against A"):
        assert wanted in text, wanted


@pytest.mark.parametrize("form", sorted(FORMS))
def test_repeats_stand_below_each_other(ran: dict[str, Any], form: str) -> None:
    text = shown(ran["again"], form)
    for wanted in ("Repeat 1", "Repeat 2", "behind the house", "The handbook does not say."):
        assert wanted in text, wanted


def test_what_a_cell_asked_is_a_table(ran: dict[str, Any]) -> None:
    asked = re.findall(r"(bold|careful) +(\d) +(You find|The handbook does not say)", value(ran["of-twice"]))
    assert sorted(asked) == [
        ("bold", "1", "You find"), ("bold", "2", "You find"),
        ("careful", "1", "The handbook does not say"), ("careful", "2", "The handbook does not say"),
    ]  # fmt: skip


def test_a_pilot_makes_the_plan_know_more(ran: dict[str, Any]) -> None:
    assert "200 cases: 0 are answered from the store, 200 are to ask" in value(ran["plan"])
    assert "not known" in value(ran["plan"])
    assert "10 of 200 succeeded, 190 not run" in value(ran["ten"])
    assert re.findall(r"^(bold|careful) +5 of 100 ", value(ran["ten"]), flags=re.MULTILINE) == ["bold", "careful"]
    assert "10 are answered from the store, 190 are to ask" in value(ran["planned"])
    assert "estimated from 10 cases" in value(ran["planned"])


def test_the_rest_stays_within_its_budget(ran: dict[str, Any]) -> None:
    assert "200 of 200 succeeded" in value(ran["all"])
    assert "200 of 500 calls" in last_line(ran["all"])


def test_each_version_answers_other_kinds_of_questions(ran: dict[str, Any]) -> None:
    assert rows(ran["joined"])[2:] == [
        ["where", "20", "20"],
        ["price", "20", "20"],
        ["both", "0", "20"],
        ["other words", "20", "16"],
        ["not in it", "5", "11"],
    ]
    lost = [row for row in rows(ran["lost"])[1:] if len(row) > 1]  # older pandas names the index on a line of its own
    assert len(lost) == 4
    assert {kind for _, kind, _ in lost} == {"other words"}


def test_the_tapes_say_why(ran: dict[str, Any]) -> None:
    score, passage = re.fullmatch(r"\((0\.\d+),\s+'(.*)'\)", value(ran["turn"]), flags=re.DOTALL).groups()  # type: ignore[union-attr]
    assert float(score) < 0.4
    assert "on the roof" in passage
    counted = re.findall(r"(Knowledge Retrieval|Template) +(\d+) ", value(ran["nodes"]))
    assert counted.count(("Knowledge Retrieval", "100")) == 2
    assert {int(count) for title, count in counted if title == "Template"} == {95, 85}


def test_what_was_asked_is_not_asked_again(ran: dict[str, Any]) -> None:
    assert "200 from the store, 0 asked" in last_line(ran["stored"])
    assert "200 from the store, 200 asked" in last_line(ran["extended"])
    assert "400 of 400 succeeded" in value(ran["extended"])


def test_a_map_gives_the_table_back_with_columns_more(ran: dict[str, Any]) -> None:
    assert "136 asked, 1 failed" in last_line(ran["mapped"])
    before, empty, after = value(ran["mapped"]).splitlines()[1:]
    assert before.startswith("guest 012")
    assert after.startswith("guest 014")
    assert re.search(r"guest 013 +1 +<NA> +workflow_failed: there is nothing to sort", empty)
    counts = {floor: numbers for floor, *numbers in rows(ran["floors"])[2:]}
    assert counts["1"] == ["29", "23", "43", "32"]
    assert list(counts) == ["1", "2", "3", "4"]


def test_another_run_is_answered_from_what_the_first_left(ran: dict[str, Any], ran_again: dict[str, Any]) -> None:
    for cell in ("ten", "all", "stored"):
        assert "200 from the store, 0 asked" in last_line(ran_again[cell]), cell
    assert "400 from the store, 0 asked" in last_line(ran_again["extended"])
    assert "135 from the store, 1 asked, 1 failed" in last_line(ran_again["mapped"])  # what failed is tried again
    for cell in ("joined", "lost", "floors"):
        assert value(ran_again[cell]) == value(ran[cell]), cell


def test_no_key_is_in_the_file_or_in_what_is_kept(notebook: Any, ran: dict[str, Any], folder: Path) -> None:
    import gzip

    keys = json.loads((folder / "runs" / "server" / "keys.json").read_text())
    secrets = [*keys["apps"].values(), keys["signing"]]
    places = [folder / "runs" / "desk", folder / "runs" / "comments", folder / "data"]
    kept = [file for place in places for file in place.rglob("*") if file.is_file()]
    tapes = [gzip.decompress(file.read_bytes()) for file in kept if file.name.endswith(".tape.gz")]
    assert len(tapes) >= 536
    texts = [nbformat.writes(notebook).encode(), *tapes, *(file.read_bytes() for file in kept)]
    assert [key[:6] for key in secrets for text in texts if key.encode() in text] == []
