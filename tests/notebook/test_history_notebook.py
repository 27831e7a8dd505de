"""The notebook on histories as `jupyter execute` runs it: the finding, and what is left in the file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from support import notebooks

PATH = Path(__file__).parents[2] / "notebooks" / "history.ipynb"
VEGA = "application/vnd.vegalite.v5+json"
CHARTS = ("activity", "ratings", "latency", "cost", "tools", "nodes", "timeline")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("history")
    notebook = nbformat.read(PATH, 4)
    environment = {"DIFY_NOTEBOOK_DATA_DIR": str(folder / "data"), "DIFY_NOTEBOOK_LANG": "en", "TMPDIR": str(folder)}
    notebooks.execute(notebook, folder, **environment)
    notebook.folder = str(folder)
    return notebook


def test_the_line_leaves_a_history_in_a_kernel(tmp_path: Path) -> None:
    """`%dify history` after a question of this very kernel; the server tells its tokens."""
    sources = (
        "%load_ext dify_notebook",
        "%%dify guide --quiet\nWhat is a tape?",
        "%dify history",
        "history.messages.loc[0, ['query', 'usage_from']].tolist()",
    )
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    environment = {"DIFY_NOTEBOOK_DATA_DIR": str(tmp_path / "data"), "DIFY_NOTEBOOK_LANG": "en"}
    notebooks.execute(notebook, tmp_path, **environment)
    assert "history: messages 1, conversations 1, users 1." in notebooks.printed(notebook.cells[2])
    assert notebooks.outputs(notebook.cells[3])[0]["text/plain"] == "['What is a tape?', 'server']"


def cell(notebook: Any, name: str) -> Any:
    (found,) = [cell for cell in notebook.cells if cell.id == name]
    return found


def test_it_is_stored_without_outputs() -> None:
    cells = nbformat.read(PATH, 4).cells
    assert [cell.id for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []


def test_it_fetches_a_few_thousand_conversations(ran: Any) -> None:
    assert "Wrote 3,000 conversations" in notebooks.printed(cell(ran, "setup"))
    table = notebooks.outputs(cell(ran, "fetch"))[-1]["text/plain"]
    counts = {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, flags=re.MULTILINE)}
    assert counts["conversations"] > 1500
    assert counts["messages"] > counts["conversations"]
    assert counts["citations"] > counts["messages"]


@pytest.mark.parametrize("name", CHARTS)
def test_charts_need_no_network_now_or_later(ran: Any, name: str) -> None:
    (bundle,) = notebooks.outputs(cell(ran, name))
    assert set(bundle) == {VEGA, "image/png", "text/plain"}
    assert "text/html" not in bundle
    assert len(json.dumps(bundle)) < 160_000


def test_the_finding_is_there_and_said(ran: Any) -> None:
    said = notebooks.printed(cell(ran, "finding"))
    told = r"Since 19 July (\d+)% .* Of (\d+) ratings of these answers (\d+)% are dislikes"
    found = re.search(told, said, flags=re.S)
    assert found, said
    share, ratings, dislikes = map(int, found.groups())
    assert 15 < share < 30, "the text says one in five"
    assert ratings > 50
    assert dislikes > 70
    assert "refund" in notebooks.outputs(cell(ran, "which"))[0]["text/plain"]
    (transcript,) = notebooks.outputs(cell(ran, "conversation"))
    assert set(transcript) == {"text/html", "text/markdown", "text/plain"}
    assert re.search("refund|退款", transcript["text/html"])  # of several of the same length pandas chooses
    worst = notebooks.outputs(cell(ran, "bad-day"))[0]["text/plain"].splitlines()[2]
    assert worst.startswith("2026-06-17"), "the text says a Wednesday in June"


def test_duckdb_and_polars_read_the_same(ran: Any) -> None:
    months = notebooks.outputs(cell(ran, "duckdb"))[0]["text/plain"]
    rows = re.findall(r"(2026-\d\d) +(\d+) +(\d+) +(\d+)", months)
    assert [row[0] for row in rows] == [f"2026-{month:02}" for month in range(4, 10)]
    table = notebooks.outputs(cell(ran, "fetch"))[-1]["text/plain"]
    messages = re.search(r"^messages +(\d+)$", table, flags=re.MULTILINE)
    assert messages
    assert sum(int(row[1]) for row in rows) == int(messages[1])
    assert "dislikes" in notebooks.outputs(cell(ran, "polars"))[0]["text/plain"]
    assert "1 message more; anna asked last" in notebooks.printed(cell(ran, "update"))


def test_an_exported_page_has_the_charts(ran: Any) -> None:
    import nbconvert

    exporter: Any = nbconvert.HTMLExporter
    body, _ = exporter().from_notebook_node(ran)
    assert body.count("data:image/png;base64") >= len(CHARTS)
    told, _ = exporter(template_name="classic").from_notebook_node(ran)
    assert 'alt="Messages over time: ' in told, "what the picture shows, for those who do not see it"


def test_no_key_is_in_the_file(ran: Any) -> None:
    (keys,) = Path(ran.folder).rglob("keys.json")
    told = json.loads(keys.read_text())
    text = nbformat.writes(ran)
    assert [key for key in [*told["apps"].values(), told["signing"]] if key in text] == []
