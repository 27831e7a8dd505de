"""A browser's test that fails is run once more, alone and after all others; one that then passes is told by name.

A browser, a server and a kernel on a busy machine fail now and then where nothing is wrong. Such a test must neither
stop those who changed something else nor go unseen: the last lines name it as UNSTEADY. A second failure is a failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

FIRST = pytest.StashKey[str]()
"""In an item that is to run once more: what its first failure said."""
AGAIN = "again"
"""Outcome of a report that is shown as `R` and counted as nothing."""


def second(item: pytest.Item) -> bool:
    """Whether this test has failed once, and now runs alone."""
    return FIRST in item.stash


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Hold the first failure back, and put the test behind all others."""
    if item.get_closest_marker("browser") is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    failed = next((report for report in reports if report.failed), None)
    for report in reports:
        if second(item):
            report.sections.append(("the first failure", item.stash[FIRST]))
            if failed is None:
                report.user_properties.append(("unsteady", _line(item.stash[FIRST])))
        elif report is failed:
            report.outcome = AGAIN  # type: ignore[assignment]  # a word of our own, which counts as nothing
        elif failed is not None and report.failed:
            continue  # its clean-up, after the failure that is held back already
        item.ihook.pytest_runtest_logreport(report=report)
    if failed is not None and not second(item):
        item.stash[FIRST] = failed.longreprtext
        item.session.items.append(item)  # which pytest's loop over them comes to at its end
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _line(told: str) -> str:
    """The line of a failure that says what it was."""
    lines = [line for line in told.splitlines() if line.strip()]
    return next((line[1:].strip() for line in lines if line.startswith("E ")), lines[-1] if lines else "")[:200]


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """The letters and words of both, and a count of the unsteady in the last line."""
    if report.outcome == AGAIN:
        return "", "R", "AGAIN"
    told = any(name == "unsteady" for name, _ in getattr(report, "user_properties", ()))
    if told and (report.when == "call" or report.skipped):
        return "unsteady", "U", "UNSTEADY"
    return None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any) -> Iterator[None]:
    """One line for each, behind all that others have to say."""
    yield
    for report in terminalreporter.stats.get("unsteady", ()):
        why = dict(report.user_properties)["unsteady"]
        how = f"failed among the others, {report.outcome} alone ({why})"
        terminalreporter.write_line(f"UNSTEADY {report.nodeid}: {how}")
