"""The examples in the package's docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import dify_notebook


def names() -> list[str]:
    found = pkgutil.walk_packages(dify_notebook.__path__, "dify_notebook.")
    return ["dify_notebook", *(one.name for one in found if not one.name.endswith("__main__"))]


@pytest.mark.parametrize("name", names())
def test_examples_run(name: str) -> None:
    module = importlib.import_module(name)
    told: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    for case in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        runner.run(case, out=told.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(told)


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = [importlib.import_module(name) for name in names()]
    assert sum(bool(case.examples) for module in modules for case in finder.find(module)) >= 10
