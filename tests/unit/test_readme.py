"""What the README says is so: its code runs, its lines are the only ones, and no option is left out."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from support import notebooks

import dify_notebook
from dify_notebook.magic.complete import SUBCOMMANDS
from dify_notebook.magic.parse import OPTIONS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "dify_notebook"


def documents(language: str = "en") -> str:
    pages = sorted((PACKAGE / "docs" / language).glob("*.md"))
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)


def fences(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def line(name: str) -> str:
    """The command under the comment with that name, as `.ci/run` finds it."""
    (found,) = re.findall(rf"^<!-- line: {name} -->\n```bash\n(.+)\n```$", README, flags=re.MULTILINE)
    return str(found)


# -- the two lines ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["try", "test"])
def test_a_line_makes_its_own_environment(name: str) -> None:
    """It is the first thing that somebody types, in a checkout where nothing has been done yet."""
    steps = [shlex.split(step) for step in line(name).split("&&")]
    extra = {"try": "lab", "test": "test"}[name]
    assert steps[0] == ["python3", "-m", "venv", ".venv"]
    assert steps[1] == [".venv/bin/pip", "install", "-q", "-e", f".[{extra}]"]
    assert [step[0].startswith(".venv/bin/") for step in steps[1:]] == [True, True]


def test_each_task_has_one_recipe() -> None:
    """Two ways to run the tests drift apart, and one of them is then wrong."""
    agents = (ROOT / "AGENTS.md").read_text(encoding="utf-8")
    commands = [*"\n".join(fences(README + agents, "bash")).splitlines()]
    assert [command for command in commands if command.endswith("-m pytest")] == [line("test")]
    assert [command for command in commands if "jupyter lab" in command] == [line("try")]


def test_ci_calls_the_line_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "<!-- line: test -->" in script
    assert line("test") not in script, "it takes the line from the README, it does not repeat it"


def test_the_picture_is_there_and_light() -> None:
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)
    assert pictures
    for picture in pictures:
        assert 5_000 < (ROOT / picture).stat().st_size < 150_000


def test_relative_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


# -- the code --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """All Python of the README, each block a cell, run in one kernel from top to bottom."""
    from nbformat.v4 import new_code_cell, new_notebook

    folder = tmp_path_factory.mktemp("readme")
    cells = [new_code_cell(block.rstrip("\n")) for block in fences(README, "python")]
    environment = {"DIFY_NOTEBOOK_DATA_DIR": str(folder / "data"), "DIFY_NOTEBOOK_LANG": "en"}
    return notebooks.execute(new_notebook(cells=cells), folder, **environment)


def test_every_block_runs(ran: Any) -> None:
    assert len(ran.cells) >= 8
    assert [output for cell in ran.cells for output in cell.outputs if output.output_type == "error"] == []


def test_every_cell_magic_leaves_an_answer(ran: Any) -> None:
    asked = [cell for cell in ran.cells if cell.source.startswith("%%dify")]
    assert len(asked) == 6
    texts = []
    for cell in asked:
        (bundle,) = notebooks.outputs(cell)
        assert set(bundle) == {"text/html", "text/markdown", "text/plain"}
        assert len(bundle["text/plain"]) > 40
        texts.append(bundle["text/plain"])
    assert ["Approved, now" in text for text in texts].count(True) == 1, "a form that is answered goes on in its cell"


def test_the_blocks_print_what_the_text_around_them_says(ran: Any) -> None:
    told = "".join(notebooks.printed(cell) for cell in ran.cells)
    for expected in ("calculator", "404", "not_found", "WorkflowStarted", "iteration", "succeeded"):
        assert expected.lower() in told.lower(), expected


def test_a_sweep_and_a_map_find_what_they_ask(ran: Any) -> None:
    """They raise nothing where a question fails: what is in their tables says whether it was answered."""

    def value(word: str) -> str:
        (cell,) = (cell for cell in ran.cells if word in cell.source)
        return str(notebooks.outputs(cell)[-1]["text/plain"])

    seconds = re.findall(r"^(\d?) +(plain|short) +\d+\.\d+$", value("Sweep("), flags=re.MULTILINE)
    assert [prompt for _, prompt in seconds] == ["plain", "short"] * 2
    assert re.findall(r"^(ann|bob) .* (\d) +<NA>$", value(".map("), flags=re.MULTILINE) == [("ann", "2"), ("bob", "1")]


# -- nothing left out ------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_every_option_is_documented(language: str) -> None:
    """In the README by its long name, and in the documentation that the guide searches."""
    text = documents(language)
    for option in OPTIONS:
        assert re.search(rf"`{option.names[0]}[ `=]", text), option.names
        assert any(re.search(rf"`{name}[ `=]", README) for name in option.names), option.names


@pytest.mark.parametrize("command", sorted(SUBCOMMANDS))
def test_every_command_of_the_line_magic_is_documented(command: str) -> None:
    assert f"`%dify {command}" in documents() + README


@pytest.mark.parametrize("name", [name for name in dify_notebook.__all__ if not name.startswith("__")])
def test_every_public_name_is_documented(name: str) -> None:
    if name in ("load_ipython_extension", "unload_ipython_extension"):
        name = {"l": "%load_ext dify_notebook", "u": "%unload_ext dify_notebook"}[name[0]]
    assert re.search(rf"\b{name}\b" if name[0] != "%" else name, documents() + README)


def settings() -> list[str]:
    """Every environment variable of ours that the code names."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    return sorted(set(re.findall(r"[\"'](DIFY_[A-Z_]+)[\"']", code)))


@pytest.mark.parametrize("name", settings())
def test_every_setting_is_documented(name: str) -> None:
    assert name in README + documents()
