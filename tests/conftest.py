"""Every test runs in an environment of its own: no keys, no user directories, English."""

from __future__ import annotations

import atexit
import gc
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support import needs

# A busy machine is no failure: no example has a time limit.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Directories that nobody has made yet, one for each test: most never look there."""
    below = tmp_path_factory.mktemp("homes")
    return (below / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, homes: Iterator[Path]) -> None:
    """A developer's DIFY_* variables, language and data must not reach a test."""
    home = next(homes)
    for name in list(os.environ):
        if name.startswith("DIFY_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DIFY_NOTEBOOK_DATA_DIR", str(home / "data"))
    monkeypatch.setenv("DIFY_NOTEBOOK_CONFIG_DIR", str(home / "config"))
    monkeypatch.setenv("DIFY_NOTEBOOK_LANG", "en")
    # Nobody's keyring is asked; a test that wants one brings it.
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    if "keyring.core" in sys.modules:
        monkeypatch.setattr("keyring.core._keyring_backend", None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests with the marks `browser` and `node` are skipped without those, and fail with CI=true; see `needs`."""
    needs.require(*(mark for mark in needs.NEEDS if item.get_closest_marker(mark)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browsers last: as long as one is open, Playwright's loop counts as running in this thread."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


def pytest_sessionfinish() -> None:
    """Shells of tests are not put away one by one on leaving: IPython searches all memory for garbage each time."""
    interactive = sys.modules.get("IPython.core.interactiveshell")
    if interactive is not None:
        for shell in [thing for thing in gc.get_objects() if issubclass(type(thing), interactive.InteractiveShell)]:
            atexit.unregister(shell.atexit_operations)
