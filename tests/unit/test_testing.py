"""The pytest plugin, used as others use it: in a test run of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = """
pytest_plugins = ["dify_notebook.testing"]
"""
TESTS = """
import pytest

def test_the_server_answers(dify_server, dify_client):
    assert dify_server.base_url.startswith("http://127.0.0.1:")
    assert dify_client.chat.send("How do I send a file?").answer

def test_users_do_not_meet(dify_client):
    assert dify_client.conversations.list().to_list() == []

def test_a_fault(dify_server, dify_client):
    dify_server.faults.once("error=1")
    with pytest.raises(Exception, match="fault"):
        dify_client.chat.send("How do I send a file?")
"""
OPTIONS = """
import pytest
pytest_plugins = ["dify_notebook.testing"]

@pytest.fixture(scope="session")
def dify_server_options():
    return {"dialect": "DIALECT", "ping_interval": 0.5}
"""
CHANGED = """
def test_its_version(dify_server):
    import urllib.request, urllib.error, pytest
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(dify_server.base_url + "/site")
    assert caught.value.code == CODE
    assert caught.value.headers["X-Version"] == "VERSION"
"""


def run(where: Path, conftest: str, tests: str) -> str:
    (where / "conftest.py").write_text(conftest)
    (where / "test_it.py").write_text(tests)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(where), str(where)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=where,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_one_line_gives_the_fixtures(tmp_path: Path) -> None:
    assert "3 passed" in run(tmp_path, CONFTEST, TESTS)


@pytest.mark.parametrize(
    ("dialect", "version", "code"), [("1.16", "1.16.1", 401), ("1.12", "1.12.1", 401), ("0.15", "0.15.3", 404)]
)
def test_options_are_overridden_by_a_fixture(tmp_path: Path, dialect: str, version: str, code: int) -> None:
    tests = CHANGED.replace("VERSION", version).replace("CODE", str(code))
    assert "1 passed" in run(tmp_path, OPTIONS.replace("DIALECT", dialect), tests)
