"""The pytest plugin, used as others use it: in a test run of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
    return {"dialect": "0.15", "ping_interval": 0.5}
"""
CHANGED = """
def test_it_is_older(dify_server):
    import urllib.request, urllib.error, pytest
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(dify_server.base_url + "/site")
    assert caught.value.code == 404
    assert caught.value.headers["X-Version"] == "0.15.3"
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


def test_options_are_overridden_by_a_fixture(tmp_path: Path) -> None:
    assert "1 passed" in run(tmp_path, OPTIONS, CHANGED)
