"""One JupyterLab and one browser for all tests here; each test has a notebook of its own."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Generator, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from browser.harness import Notebook, Pages, Server, browser, overlay, require
from support import unsteady
from support.unsteady import pytest_report_teststatus, pytest_runtest_protocol, pytest_terminal_summary

__all__ = ["pytest_report_teststatus", "pytest_runtest_protocol", "pytest_terminal_summary"]

KERNELS = ("6.31.0", "7.3.0", "7.4.0")
"""The ipykernels that differ in whether a busy kernel hears messages; see `live/view.py`."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    require()
    with Server(tmp_path_factory.mktemp("lab")).running() as server:
        yield server


@pytest.fixture(scope="session")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that shows Notebook 7."""
    require()
    with Server(tmp_path_factory.mktemp("seven"), app="notebook").running() as server:
        yield server


@pytest.fixture(params=KERNELS)
def kernel(request: pytest.FixtureRequest, lab: Server) -> str:
    """Name of a kernel of each version, the installed one among them or not."""
    wanted: str = request.param
    if wanted == version("ipykernel"):
        return "python3"
    name = f"ipykernel-{wanted}"
    lab.kernel(name, overlay(wanted))
    return name


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note a failure, whose page is not used again."""
    report = yield
    item.stash[FAILED] = report.failed or item.stash.get(FAILED, False)
    return report


@pytest.fixture(scope="session")
def pages(chromium: Any, lab: Server) -> Iterator[Pages]:
    """JupyterLab's pages that tests leave for the next."""
    made = Pages()
    yield made
    made.close()


_numbers = itertools.count(1)


@pytest.fixture
def notebook(
    request: pytest.FixtureRequest, lab: Server, chromium: Any, pages: Pages
) -> Iterator[Callable[..., Notebook]]:
    """Make a notebook of these cells and open it; its kernel is ended at the end of the test."""
    opened: list[Notebook] = []
    if unsteady.second(request.node):
        pages.close()
    request.node.stash[FAILED] = False

    def make(*cells: str, kernel: str = "python3", file: Path | None = None, **options: Any) -> Notebook:
        """With `file` a copy of that notebook."""
        name = f"notebook-{next(_numbers)}.ipynb"
        if file is not None:
            shutil.copy(file, lab.root / name)
        else:
            lab.write(name, cells, kernel)
        opened.append(Notebook(chromium, lab, name, pages=pages, **options))
        return opened[-1]

    yield make
    for each in opened:
        # Shown where a test failed: what the reader saw, and what the page complained of.
        print(each.name, *(text[-300:] for text in each.outputs()), *each.log[-10:], sep="\n--- ")
        each.shut_down()
        each.close(keep=not request.node.stash[FAILED])
