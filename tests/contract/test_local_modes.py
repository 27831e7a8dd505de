"""Every route with the key of an app of every mode: answered, or refused as recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from contract import declared_apps, workflow_apps
from contract.exchanges import load_exchanges
from contract.run_stage import app_of
from contract.streams import Recording
from contract.test_local_replay import DIALECTS
from local_helpers import NOWHERE, Client
from support.fake_model import FakeModel, words

from dify_notebook import local
from dify_notebook.local.options import Dialect
from dify_notebook.local.server.process import LocalServer
from dify_notebook.wire.kinds import CHAT_MODES, NEW_AGENT, OTHER_MODES

MODES = (*(mode for mode in CHAT_MODES if mode != NEW_AGENT), *OTHER_MODES)
"""Without that of New Agent, which cannot be declared."""
CODES = {"n": "not_chat_app", "w": "not_workflow_app", "u": "app_unavailable"}
"""What refuses a key; `.` is a route for it, `-` one that this version lacks."""
ASK = {"inputs": {"q": "x", "query": "x"}, "query": "x", "user": "u"}
WHO = {"user": "u"}
TABLE: dict[tuple[str, str], tuple[Any, str]] = {
    # Method and route -> body, and a letter for each of MODES.
    ("POST", "/chat-messages"): (ASK, "...nn"),
    ("POST", "/chat-messages/*/stop"): (WHO, "...nn"),
    ("GET", "/conversations"): (None, "...nn"),
    ("GET", "/messages"): (None, "...nn"),
    ("GET", "/messages/*/suggested"): (None, "...nn"),
    ("POST", "/conversations/*/name"): ({"user": "u", "name": "x"}, "...nn"),
    ("DELETE", "/conversations/*"): (WHO, "...nn"),
    ("GET", "/conversations/*/variables"): (None, "...nn"),
    ("PUT", "/conversations/*/variables/*"): ({"user": "u", "value": "x"}, "...nn"),
    ("POST", "/workflows/run"): (ASK, "www.w"),
    ("POST", "/workflows/*/run"): (ASK, "www.w"),
    ("POST", "/workflows/tasks/*/stop"): (WHO, "www.w"),
    ("GET", "/workflows/run/*"): (None, "ww..w"),
    ("GET", "/workflows/logs"): (None, "....."),
    ("POST", "/completion-messages"): (ASK, "uuuu."),
    ("POST", "/completion-messages/*/stop"): (WHO, "uuuu."),
    ("POST", "/messages/*/feedbacks"): ({"user": "u", "rating": "like"}, "....."),
    ("POST", "/text-to-audio"): ({"user": "u", "text": "x"}, "....."),
    ("GET", "/info"): (None, "....."),
    ("GET", "/parameters"): (None, "....."),
    ("GET", "/meta"): (None, "....."),
    ("GET", "/site"): (None, "....."),
    ("GET", "/app/feedbacks"): (None, "....."),
    ("GET", "/apps/annotations"): (None, "....."),
}
IN_015: dict[tuple[str, str], str] = {
    ("GET", "/conversations/*/variables"): "-----",
    ("PUT", "/conversations/*/variables/*"): "-----",
    ("POST", "/workflows/*/run"): "-----",
    ("GET", "/workflows/run/*"): "www.w",
    ("GET", "/site"): "-----",
    ("GET", "/app/feedbacks"): "-----",
    ("GET", "/apps/annotations"): "-----",
}
NAMED = {"plain-chat": "chat", "basic-chat": "chat", "agent-chat": "agent-chat", "chatflow": "advanced-chat"}
"""The recorded apps whose names do not begin with their mode."""
RECORDED = re.compile(r"wrong-mode|wrong-app|chat-stop-on-|workflow-stop-on-|-own-(run|message)|completion-app$")


def letter(route: tuple[str, str], mode: str, version: str) -> str:
    letters = IN_015.get(route) if version.startswith("0.15") else None
    return (letters or TABLE[route][1])[MODES.index(mode)]


@pytest.fixture(scope="module", params=DIALECTS.values())
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalServer, Dialect]]:
    dialect: Dialect = request.param
    declared = [
        workflow_apps.chat(), declared_apps.agent(), workflow_apps.flow(), workflow_apps.plain(), workflow_apps.completion(),
    ]  # fmt: skip
    apps = [{**app, "name": app["mode"]} for app in declared]
    with (
        FakeModel(lambda body: words("I say so.")) as model,
        local.serve(
            data_dir=tmp_path_factory.mktemp("modes"), pace=0, dialect=dialect, apps=apps, model_url=model.url, model="m"
        ) as server,
    ):
        yield server, dialect


@pytest.mark.parametrize("mode", MODES)
def test_every_route(served: tuple[LocalServer, Dialect], mode: str) -> None:
    server, dialect = served
    with Client(server, mode, "u") as client:
        found = {route: answered(client, route) for route in TABLE}
    assert found == {route: letter(route, mode, dialect) for route in TABLE}


def answered(client: Client, route: tuple[str, str]) -> str:
    """Its letter."""
    method, path = route
    body = TABLE[route][0]
    asked = path.replace("*", NOWHERE) + ("" if body else f"?user=u&conversation_id={NOWHERE}")
    response = client.http.request(method, asked, json=body)
    kind = response.headers["content-type"].partition(";")[0]
    if kind != "application/json":
        return "." if response.status_code == 200 else {404: "-"}[response.status_code]
    said = response.json()
    code = said.get("code") if isinstance(said, dict) else None
    refusal = next((mark for mark, known in CODES.items() if known == code), ".")
    assert (response.status_code == 400) or refusal == ".", (route, response.text)
    assert response.status_code < 500, (route, response.text)
    return refusal


def recorded() -> dict[str, tuple[Recording, tuple[str, str], str]]:
    """The recorded exchanges with a key of the wrong mode: each with its route and the app's mode."""
    found = {}
    for case, one in load_exchanges().items():
        what = case.partition("/")[2]
        if RECORDED.search(what):
            found[case] = (one, route_of(one), mode_of(what))
    return found


def route_of(one: Recording) -> tuple[str, str]:
    path = urlsplit(one.request.path).path.removeprefix("/v1")
    return next(
        (method, route) for method, route in TABLE
        if method == one.request.method and re.fullmatch(route.replace("*", "[^/]{20,}"), path)
    )  # fmt: skip


def mode_of(what: str) -> str:
    app = app_of(what, ("completion", "workflow", "wf-llm", *NAMED))
    return NAMED.get(app) or ("workflow" if app.startswith(("wf-", "workflow")) else "completion")


def test_the_table_is_as_recorded() -> None:
    every = recorded()
    for case, (one, route, mode) in every.items():
        said = json.loads(one.body) if (one.header("content-type") or "").startswith("application/json") else {}
        told = next((mark for mark, code in CODES.items() if code == said.get("code")), "." if said or one.status == 200 else "-")
        assert letter(route, mode, case) == told, case
    asked = {route for _, route, _ in every.values()}
    assert len(every) > 70
    assert len(asked) > 12
    assert {mode for *_, mode in every.values()} == set(MODES)
