"""A run panel of a hostile app: nothing that the page gets, keeps or exports holds what nobody else is to have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.hostile_run import RUN, SECRETS, HostileRun
from support.panels import Browser, show, wired
from support.raw_server import serving

from dify_notebook import ChatPanel, Dify, Session


@pytest.fixture
def app() -> HostileRun:
    return HostileRun()


@pytest.fixture
def page(app: HostileRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    monkeypatch.setenv("DIFY_NOTEBOOK_DATA_DIR", str(tmp_path / "data"))
    with wired(), serving(app) as server:
        page = show(ChatPanel(Dify("app-x", server.url, "me")))
        page.until(lambda: "app" in page.parts, "the app")
        yield page
        page.panel.close()
    assert page.failures == []


def written(page: Browser) -> dict[str, str]:
    panel = page.panel
    return {
        "messages": json.dumps(page.log, default=repr),
        "traits": json.dumps(panel.get_state(), default=repr),
        "saved": json.dumps(panel._repr_mimebundle_(), default=repr),
        "export": f"{panel.export()}",
        "cells": f"{panel.export('cells')}",
        "repr": repr(panel),
    }


def leaked(page: Browser) -> list[tuple[str, str]]:
    return [(name, secret) for name, text in written(page).items() for secret in SECRETS if secret in text]


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_a_run_here_and_one_of_the_log(page: Browser, app: HostileRun, status: str) -> None:
    app.status = status
    page.do("ask", query="", inputs={"text": "x"}, files=[])
    page.until(lambda: page.turns, "a run")
    page.ended(1)
    assert leaked(page) == []
    page.until(lambda: page.parts.get("conversations", {}).get("items"), "runs")
    for line in page.parts["conversations"]["items"]:
        page.reply(page.send("open", conversation=line["id"]))
        assert leaked(page) == []


def test_a_run_that_is_another(page: Browser, app: HostileRun) -> None:
    app.detail_id = "99999999-2222-4333-8444-555555555555"
    with pytest.raises(Exception, match="another run"):
        page.panel.show(RUN)
    assert leaked(page) == []


def test_the_tape_of_another_server_is_not_shown(page: Browser, app: HostileRun) -> None:
    private = HostileRun()
    private.outputs = {"diary": "of another server"}
    with serving(private) as elsewhere:
        Session(Dify("app-x", elsewhere.url, "me")).ask(inputs={"text": "x"}).result(10)
    page.panel.show(RUN)
    assert page.turn.workflow_run_id == RUN
    assert page.turn.outputs is not None
    assert set(page.turn.outputs) == set(app.outputs)
    assert page.turn.nodes is None
