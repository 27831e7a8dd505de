"""Fixtures of the panel's tests: a server with their apps, and pages that are looked at for gaps when they close."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from local_helpers import Sounds
from support.panel_apps import Gate, apps
from support.panels import Browser, show, wired

from dify_notebook import ChatPanel, Dify, local
from dify_notebook.local.server.process import LocalServer

__all__ = ["gate", "opened", "server", "wire"]

Opener = Callable[..., Browser]


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, gate: Gate) -> Iterator[LocalServer]:
    directory = tmp_path_factory.mktemp("panel")
    with local.serve(data_dir=directory, pace=0, apps=apps(gate), speech=Sounds(), faults=True) as running:
        yield running
        gate.open.set()


@pytest.fixture(autouse=True)
def wire() -> Iterator[None]:
    with wired():
        yield


@pytest.fixture
def opened(server: LocalServer, request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Opens a panel for an app, each test as a user of its own; gives the page that shows it."""
    browsers: list[Browser] = []

    def open_panel(app: str = "desk", **more: Any) -> Browser:
        user = f"u-{request.node.name}"[:200]
        given = more.pop("session", None) or Dify(server.api_key(app), server.base_url, user=user)
        page = show(ChatPanel(given, **more))
        browsers.append(page)
        page.until(lambda: "app" in page.parts, "the app")
        return page

    yield open_panel
    for page in browsers:
        page.panel.close()
    assert [failure for page in browsers for failure in page.failures] == []
