"""The embedded server against the description of the API: no status and no field that is not in it.

`openapi.json` is the interface alone: operations, parameters, statuses, schemas and, as `x-codes`,
the codes of the errors. Schemathesis makes requests that the description allows; ids that must exist
are put in for half of them. `MORE_EXAMPLES=200` looks longer.
"""

from __future__ import annotations

import copy
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, get_args
from urllib.parse import unquote

import pytest
from contract import workflow_apps
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from local_helpers import Client, Sounds, events_of
from support.fake_model import FakeModel, words

from dify_notebook import local
from dify_notebook.local.engine.app import App, Variable, Voice
from dify_notebook.local.engine.forms import FileRules
from dify_notebook.local.engine.run import Run
from dify_notebook.local.options import Dialect
from dify_notebook.local.server.process import LocalServer

schemathesis = pytest.importorskip("schemathesis")
openapi_checks = pytest.importorskip("schemathesis.specs.openapi.checks")

EXAMPLES = int(os.environ.get("MORE_EXAMPLES", "40"))
RAW: dict[str, Any] = json.loads(Path(__file__).with_name("openapi.json").read_text())
NOWHERE = "00000000-0000-4000-8000-000000000000"

ERROR = {"description": "", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
ADDED = {
    # What real servers answer to requests that the description allows, beside what it tells.
    ("post", "/messages/{message_id}/feedbacks"): {"400": "taking back a feedback that is not there"},
    ("post", "/chat-messages/{task_id}/stop"): {"400": "an empty user is none"},
    ("get", "/messages/{message_id}/suggested"): {"400": "an empty user is none"},
    ("post", "/files/upload"): {"400": "a user that is too long"},
    ("delete", "/conversations/{conversation_id}"): {"415": "no body at all, although none is required"},
}


ASKING = ("/chat-messages", "/completion-messages", "/workflows/run", "/workflows/{workflow_id}/run")


def described() -> dict[str, Any]:
    raw = copy.deepcopy(RAW)
    for (method, path), statuses in ADDED.items():
        for status in statuses:
            raw["paths"][path][method]["responses"].setdefault(status, ERROR)
    # A file that is shown in place comes in its own type; the description has only that of a download.
    preview = raw["paths"]["/files/{file_id}/preview"]["get"]["responses"]["200"]
    preview["content"] = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    # Speech of a message that is not there is 200 with `null`.
    raw["paths"]["/text-to-audio"]["post"]["responses"]["200"]["content"]["application/json"] = {
        "schema": {"enum": [None]}
    }
    # A stream is described as one text. Its events are held against recorded ones in test_local_replay.py.
    for path in ASKING:
        asked = raw["paths"][path]["post"]["responses"]["200"]["content"]
        asked["text/event-stream"]["schema"] = {"type": "object", "required": ["data"]}
    for path, kind in (("/files/upload", "text/plain"), ("/audio-to-text", "audio/mp3")):
        body = raw["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]
        body["encoding"] = {"file": {"contentType": kind}}
    return raw


def older(dialect: Dialect) -> dict[str, Any]:
    """The part on runs and completions as Dify 1.12 and 0.15 recorded it."""
    raw = described()
    raw["paths"] = {path: one for path, one in raw["paths"].items() if path.startswith(("/workflows/", "/completion-"))}
    schemas = raw["components"]["schemas"]
    text = {"type": "string", "nullable": True}
    detail = schemas["WorkflowRunDetail"]["properties"]
    for field in detail.values():
        field["nullable"] = True  # a run that is not there is one of nulls
    detail["outputs"] = text
    if dialect == "0.15":
        detail["created_at"] = detail["finished_at"] = text
        schemas["Error"] |= {"required": ["code", "message"]}  # those of parameters name the field in place of a status
        item = schemas["WorkflowLogItem"]
        for table, name in ((item, "details"), (item["properties"]["workflow_run"], "triggered_from")):
            table["required"].remove(name)
            del table["properties"][name]
        del raw["paths"]["/workflows/{workflow_id}/run"]
    return raw


WELL = {200, 201, 204}
SCHEMA = schemathesis.openapi.from_dict(described())
OLDER: dict[Dialect, Any] = {
    dialect: schemathesis.openapi.from_dict(older(dialect)) for dialect in get_args(Dialect) if dialect != "1.16"
}

CHECKS = [
    schemathesis.checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
]
OPERATIONS = [f"{method.upper()} {path}" for path, found in RAW["paths"].items() for method in found]


def test_there_are_all_operations() -> None:
    assert len(OPERATIONS) == 33
    assert [found.ok().label for found in SCHEMA.get_all_operations()] == OPERATIONS


async def echo(run: Run) -> None:
    run.meter.read(run.query)
    run.variables["asked"] = run.query
    await run.say(f"You said: {run.query}")


EVERYTHING = App(
    name="everything",
    mode="chat",
    description="has all that can be switched on",
    icon="🤖",
    opening="",
    suggested_questions=(),
    answer=echo,
    suggest=lambda message: ["And then?"],
    files=FileRules(("image", "document"), (), 3),
    variables=(Variable("asked", "string", "", ""),),
    hears=True,
    voice=Voice("alloy"),
)


FITTING: dict[str, dict[str, Any]] = {
    # What runs an app, by its name.
    "tally": {"text": "a crash\na refund"}, "plain": {"q": "hi"}, "completion": {"query": "hi"},
}  # fmt: skip
ABOUT = ("GET /info", "GET /parameters", "GET /meta", "GET /site", "POST /files/upload")
"""Operations of apps of every mode."""


def apps_of(label: str) -> tuple[str, ...]:
    """The apps that are asked in this way."""
    if " /workflows/" in label:
        return ("tally", "plain")
    if " /completion-" in label:
        return ("completion",)
    if "/feedbacks" in label and label.startswith("POST"):
        return ("everything", "completion")
    return ("everything", *FITTING) if label in ABOUT else ("everything",)


ASKED = [(label, app) for label in OPERATIONS for app in apps_of(label)]


@contextmanager
def serving(where: Path, dialect: Dialect = "1.16") -> Iterator[LocalServer]:
    declared = [workflow_apps.plain(), workflow_apps.completion()]
    with (
        FakeModel(lambda body: words("I say so.")) as model,
        local.serve(
            data_dir=where, pace=0, apps=[EVERYTHING, *declared], speech=Sounds(), model_url=model.url, model="m",
            dialect=dialect,
        ) as running,
    ):  # fmt: skip
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with serving(tmp_path_factory.mktemp("openapi")) as running:
        yield running


@pytest.fixture(scope="module", params=OLDER)
def earlier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalServer, Any]]:
    with serving(tmp_path_factory.mktemp("earlier"), request.param) as running:
        yield running, OLDER[request.param]


@cache
def client_of(server: LocalServer, app: str) -> Client:
    return Client(server, app, "known-user")


def ran(server: LocalServer, app: str) -> dict[str, str]:
    """The same of an app that holds no conversations."""
    client = client_of(server, app)
    body = {"inputs": FITTING[app], "user": client.user, "response_mode": "streaming"}
    completes = app == "completion"
    answer = client.post("/completion-messages" if completes else "/workflows/run", body)
    first = next(events_of(iter([answer.content])))
    if completes:
        return {"user": client.user, "task_id": first["task_id"], "message_id": first["message_id"]}
    return {
        "user": client.user,
        "task_id": first["task_id"],
        "workflow_run_id": first["workflow_run_id"],
        "workflow_id": first["data"]["workflow_id"],
    }


def known(server: LocalServer, app: str) -> dict[str, str]:
    """Fresh things by the name of the parameter that names them."""
    if app in FITTING:
        return ran(server, app)
    client = client_of(server, app)
    events = client.ask("hello", files=[])
    conversation, message = events[0]["conversation_id"], events[0]["message_id"]
    upload = client.upload("a.txt", b"x", "text/plain").json()
    used = [{"type": "document", "transfer_method": "local_file", "upload_file_id": upload["id"]}]
    client.ask("with a file", files=used)
    settings = {"score_threshold": 0.9, "embedding_provider_name": "p", "embedding_model_name": "m"}
    return {
        "conversation_id": conversation,
        "message_id": message,
        "task_id": events[0]["task_id"],
        "file_id": upload["id"],
        "end_user_id": upload["created_by"],
        "annotation_id": client.post("/apps/annotations", {"question": "q", "answer": "a"}).json()["id"],
        "job_id": client.post("/apps/annotation-reply/disable", settings).json()["job_id"],
        "variable_id": client.get(f"/conversations/{conversation}/variables").json()["data"][0]["id"],
        "first_id": message,
        "last_id": conversation,
        "user": client.user,
    }


@pytest.mark.parametrize(("label", "app"), ASKED)
def test_operation(server: LocalServer, label: str, app: str) -> None:
    hold(server, SCHEMA.find_operation_by_label(label), label, app)


@pytest.mark.parametrize(("label", "app"), [(label, app) for label, app in ASKED if " /workflows/" in label or " /compl" in label])
def test_operation_of_earlier_versions(earlier: tuple[LocalServer, Any], label: str, app: str) -> None:
    server, schema = earlier
    if label not in {found.ok().label for found in schema.get_all_operations()}:
        with Client(server, app) as client:
            method, path = label.split()
            response = client.http.request(method, path.replace("{workflow_id}", NOWHERE), json={"inputs": {}, "user": "u"})
        assert (response.status_code, response.headers["content-type"]) == (404, "text/html; charset=utf-8")
        return
    hold(server, schema.find_operation_by_label(label), label, app)


def hold(server: LocalServer, operation: Any, label: str, app: str) -> None:
    """Requests that an operation's description allows, made up, and their answers held against it."""
    ids = {} if label.startswith("DELETE") else known(server, app)
    headers = {"Authorization": f"Bearer {server.api_key(app)}"}
    seen: set[int] = set()

    def check(case: Any, real: bool, fitting: bool) -> None:
        there = (ids or known(server, app)) if real else {}
        if real and fitting and label.startswith("DELETE /conversations"):
            case.body = {"user": there["user"]}
        for name in case.path_parameters or {}:
            if name in there:
                case.path_parameters[name] = there[name]
            elif name == "task_id":  # a line's end in a path is no route's
                if not unquote(str(case.path_parameters[name])).isprintable():
                    case.path_parameters[name] = "none"
            elif name.endswith("_id"):
                # A text that is no UUID gives a page of HTML; that is in the tests of routes.
                case.path_parameters[name] = str(uuid.uuid4())
        for part in (case.query, case.body):
            if isinstance(part, dict):
                for name in ("conversation_id", "message_id", "first_id", "last_id"):
                    if name in part and name in there:
                        part[name] = there[name]
                if real:
                    part["user"] = there["user"]
                if fitting and "value" in part:
                    part["value"] = "a text"
                if fitting and "rating" in part:
                    part["rating"] = "like"
                if fitting and "inputs" in part and app in FITTING:
                    part |= {"inputs": FITTING[app], "files": [], "user": "known-user"}
                if "keyword" in part and "created_by_end_user_session_id" in part:
                    del part["keyword"]  # both are a 500, as recorded
        response = case.call(base_url=server.base_url, headers=headers, timeout=20)
        seen.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    made_up = {
        "case": operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE),
        "real": st.booleans(),
        "fitting": st.booleans(),
    }
    for examples in (EXAMPLES, 10 * EXAMPLES):  # more, where none came through: which are made up is Hypothesis' affair
        kept = settings(
            max_examples=examples, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        kept(given(**made_up)(check))()
        if seen & WELL:
            break
    print(f"\n{label}: {sorted(seen)}")
    documented = {int(status) for status in operation.definition.raw["responses"]}
    assert seen <= documented
    assert seen & WELL, "no example came through"


def test_every_error_code_of_the_routes_is_in_the_description() -> None:
    """Codes that the description gives for what this server can meet; others belong to real models."""
    told = {
        code
        for found in RAW["paths"].values()
        for operation in found.values()
        for response in operation["responses"].values()
        for code in response.get("x-codes", ())
    }
    sources = "".join(
        path.read_text() for path in Path(local.__file__).parent.rglob("*.py") if path.name != "faults.py"
    )
    of_models = {
        "conversation_completed", "provider_quota_exceeded", "model_currently_not_support", "rate_limit_error",
        # 400 for the modes of the other two kinds of apps; all apps here are for chat.
        "not_chat_app",
    }  # fmt: skip
    missing = {code for code in told - of_models if f'"{code}"' not in sources}
    assert missing == set()
