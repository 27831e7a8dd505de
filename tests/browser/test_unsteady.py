"""What becomes of a browser's test that fails: shown by runs of pytest on tests that need no browser."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

seen = []

@pytest.fixture(scope="session")
def shared():
    yield seen
    print("shared ends")

@pytest.fixture
def own():
    seen.append("own")
    yield

@pytest.mark.browser
def test_{name}(shared, own):
    seen.append("run")
    print("what was printed")
    assert {holds}, "no window came"

def test_other(shared):
    seen.append("other")
"""
FIRST_ONLY = 'seen in (["own", "run", "other", "own", "run"], ["own", "run", "own", "run"])'


def run(directory: Path, name: str, holds: str, *options: str) -> tuple[int, list[str]]:
    """Its exit code and the lines of its output, without what Python warns of."""
    (directory / "test_it.py").write_text(TESTS.format(name=name, holds=holds))
    (directory / "pytest.ini").write_text("[pytest]\nmarkers = browser\n")
    command = [sys.executable, "-m", "pytest", "-p", "support.unsteady", "-p", "no:cacheprovider", *options]
    environment = {"PYTHONPATH": str(Path(__file__).parents[1]), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout.splitlines()


def letters(lines: list[str]) -> str:
    """Those of the progress; older versions of pytest write how far it is between them."""
    return re.sub(r"\[ *\d+%\]|\s", "", lines[0])


@pytest.mark.parametrize("only", [[], ["-k", "once"]], ids=["among others", "the last of all"])
def test_a_failure_that_does_not_come_again_is_told_by_name_in_the_last_lines(tmp_path: Path, only: list[str]) -> None:
    code, lines = run(tmp_path, "once", FIRST_ONLY, "-x", "-q", *only)
    assert code == 0, lines
    assert lines[-2].startswith("UNSTEADY test_it.py::test_once: failed among the others, passed alone (")
    assert "no window came" in lines[-2]
    assert "1 unsteady" in lines[-1]
    assert "failed" not in lines[-1]
    assert not any("AssertionError" in line for line in lines[:-2]), "the first failure is one line"
    assert letters(lines) == ("RU" if only else "R.U")


def test_two_failures_are_one_and_both_are_shown(tmp_path: Path) -> None:
    code, lines = run(tmp_path, "twice", "seen.count('run') > 2", "-q")
    assert code == 1
    assert letters(lines) == "R.F"
    assert "1 failed, 1 passed" in lines[-1]
    assert not any("UNSTEADY" in line for line in lines)
    text = "\n".join(lines)
    assert text.count("E       AssertionError: no window came") == 2
    assert "the first failure" in text


def test_a_test_that_passes_runs_once_and_nothing_is_told(tmp_path: Path) -> None:
    code, lines = run(tmp_path, "well", "seen.count('run') == 1", "-q")
    assert (code, letters(lines)) == (0, "..")
    assert not any("UNSTEADY" in line for line in lines)


def test_what_is_run_again_is_in_the_report_for_machines(tmp_path: Path) -> None:
    code, _ = run(tmp_path, "once", FIRST_ONLY, "--junitxml=told.xml")
    told = (tmp_path / "told.xml").read_text()
    assert code == 0
    assert 'property name="unsteady"' in told
    assert 'failures="0"' in told
