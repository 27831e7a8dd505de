"""Declared apps on a real socket: prompts, models and their failures, agents, variables, inputs, files, nodes."""

from __future__ import annotations

import gc
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local_helpers import Client, Event, answer_of, end_of, failure, names, ran
from support.fake_model import Body, FakeModel, Said, always, calls, delta, end, usage, words
from support.loopback import closed_origin

from dify_notebook import Dify, DifyError, local
from dify_notebook.local.server.process import LocalServer

Declared = dict[str, Any]


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModel]:
    with FakeModel() as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(model: FakeModel) -> None:
    model.script = lambda body: words(f"You said: {body['messages'][-1]['content']}")
    model.asked.clear()
    model.headers.clear()
    model.hung_up.clear()


def add(a: int, b: int = 2) -> int:
    """Add two numbers."""
    return a + b


def broken(text: str) -> str:
    """Never works."""
    raise LookupError(f"nothing about {text}")


_release = threading.Event()


def stuck() -> str:
    """Does not end by itself."""
    _release.wait(30)
    return "late"


@local.tool(name="double", description="Twice a text.")
async def twice(text: str) -> str:
    return text * 2


FORM = [
    {"type": "text-input", "variable": "city", "required": True, "max_length": 12},
    {"type": "paragraph", "variable": "bio", "max_length": 100},
    {"type": "select", "variable": "tone", "options": ["formal", "casual"], "default": "formal"},
    {"type": "number", "variable": "age"},
    {"type": "checkbox", "variable": "polite"},
    {"type": "json", "variable": "extra"},
    {"type": "file", "variable": "doc", "allowed_file_types": ["document"], "allowed_file_extensions": ["txt"]},
    {"type": "file-list", "variable": "docs", "max_length": 2, "allowed_file_types": ["document"]},
]
PROMPTED: Declared = {
    "name": "prompted",
    "mode": "chat",
    "prompt": "You live in {{ city }} and are {{tone}}. {{#sys.user_id#}}",
    "opening_statement": "Hello from {{city}}!",
    "form": FORM,
    "model": {"price_in": 0.15, "price_out": 0.6, "options": {"temperature": 0.2}},
    "files": {"types": ["document", "image"], "limit": 2},
    "follow_up_questions": ["Why?", "And then?"],
}
PLAIN: Declared = {"name": "plain", "mode": "chat"}
AGENT: Declared = {
    "name": "agent",
    "mode": "agent-chat",
    "tools": [add, broken, stuck, "double", "calculator"],
    "agent": {"rounds": 2, "tool_timeout": 0.2},
}
VARIABLES: Declared = {
    "name": "variables",
    "mode": "advanced-chat",
    "variables": [
        {"name": "count", "type": "number", "value": 0, "description": "Questions"},
        {"name": "asked", "type": "array[string]"},
    ],
    "nodes": [
        {"type": "start", "next": "note"},
        {"id": "note", "type": "assigner", "next": "answer", "set": [
            {"variable": "conversation.count", "operation": "+=", "value": 1},
            {"variable": "conversation.asked", "operation": "append", "from": "sys.query"},
        ]},
        {"type": "answer", "answer": "{{conversation.count}}: {{conversation.asked}}"},
    ],
}  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def released() -> Iterator[None]:
    """The thread that hangs in `stuck` ends with the tests."""
    yield
    _release.set()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, model: FakeModel) -> Iterator[LocalServer]:
    with local.serve(
        data_dir=tmp_path_factory.mktemp("apps"),
        pace=0,
        apps=[PROMPTED, PLAIN, AGENT, VARIABLES],
        model_url=model.url,
        model="stub",
    ) as running:
        yield running


def serve_flow(tmp_path: Path, nodes: list[Declared], *, allow: tuple[str, ...] = (), **more: Any) -> LocalServer:
    app = {"name": "flow", "mode": "advanced-chat", "nodes": nodes, **more}
    return local.serve(data_dir=tmp_path / "data", pace=0, apps=[app], allow=allow, **MODEL)


MODEL: dict[str, Any] = {}


@pytest.fixture(autouse=True, scope="module")
def model_of_flows(model: FakeModel) -> Iterator[None]:
    MODEL.update(model_url=model.url, model="stub")
    yield
    MODEL.clear()


# -- prompts -----------------------------------------------------------------------------------


def test_the_model_is_asked_with_prompt_and_memory(server: LocalServer, model: FakeModel) -> None:
    client = Client(server, "prompted", "ann")
    first = client.ask("one", inputs={"city": "Paris"})
    assert answer_of(first) == "You said: one"
    client.ask("two", inputs={"city": "Oslo", "tone": "casual"}, conversation_id=first[0]["conversation_id"])
    asked = model.asked[-1]
    assert asked["messages"] == [
        {"role": "system", "content": "You live in Oslo and are casual. ann"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "You said: one"},
        {"role": "user", "content": "two"},
    ]
    assert (asked["model"], asked["stream"], asked["temperature"]) == ("stub", True, 0.2)
    assert asked["stream_options"] == {"include_usage": True}
    assert model.asked[0]["messages"][0]["content"].endswith("are formal. ann"), "a default fills in"


def test_usage_and_prices_are_the_models(server: LocalServer, model: FakeModel) -> None:
    model.script = lambda body: words("a b c", prompt=1000, completion=500)
    told = Client(server, "prompted").ask("x", inputs={"city": "x"})[-1]["metadata"]["usage"]
    assert (told["prompt_tokens"], told["completion_tokens"], told["total_tokens"]) == (1000, 500, 1500)
    assert (told["prompt_price"], told["completion_price"]) == ("0.1500000", "0.3000000")
    assert (told["total_price"], told["prompt_unit_price"]) == ("0.4500000", "0.15")


def test_latency_is_measured(server: LocalServer, model: FakeModel) -> None:
    model.script = lambda body: words("a b c d", pause=0.05)
    told = Client(server, "plain").ask("x")[-1]["metadata"]["usage"]
    assert 0.25 < told["latency"] < 3


def test_without_usage_our_own_unit_counts(server: LocalServer, model: FakeModel) -> None:
    model.script = lambda body: Said([delta(content="four small words here"), end()])
    told = Client(server, "plain").ask("x")[-1]["metadata"]["usage"]
    assert told["completion_tokens"] == 4
    assert told["prompt_tokens"] > 0


def test_a_model_that_does_not_stream(server: LocalServer, model: FakeModel) -> None:
    whole = {"choices": [{"message": {"content": "all at once"}, "finish_reason": "stop"}]}
    model.script = lambda body: Said(body=whole)
    assert answer_of(Client(server, "plain").ask("x")) == "all at once"


def test_blocking_mode_and_the_package_client(server: LocalServer) -> None:
    client = Client(server, "plain")
    whole = client.post("/chat-messages", client.body("hi", response_mode="blocking")).json()
    assert (whole["answer"], whole["mode"]) == ("You said: hi", "chat")
    assert whole["metadata"]["usage"]["total_tokens"] == 18
    turn = Dify(server.api_key("plain"), server.base_url, user="u").chat.send("hi 你好 🎉")
    assert turn.answer == "You said: hi 你好 🎉"
    assert turn.usage is not None
    assert turn.usage.total_tokens == 18


def test_information_about_the_app(server: LocalServer) -> None:
    client = Client(server, "prompted")
    assert client.get("/info").json()["mode"] == "chat"
    told = client.get("/parameters").json()
    assert [next(iter(one)) for one in told["user_input_form"]] == [
        "text-input", "paragraph", "select", "number", "checkbox", "json_object", "file", "file-list",
    ]  # fmt: skip
    assert told["user_input_form"][6]["file"]["allowed_file_extensions"] == [".TXT"]
    assert told["file_upload"]["number_limits"] == 2
    events = client.ask("x", inputs={"city": "Rome"})
    conversation = events[0]["conversation_id"]
    listed = client.get("/conversations").json()["data"][0]
    assert listed["introduction"] == "Hello from Rome!"
    suggested = client.get(f"/messages/{events[0]['message_id']}/suggested").json()
    assert suggested["data"] == ["Why?", "And then?"]
    assert client.messages(conversation)[0]["answer"] == "You said: x"


def test_attached_texts_and_images(server: LocalServer, model: FakeModel) -> None:
    client = Client(server, "prompted")
    key = client.upload("notes.txt", "Freedonia is small. 你好".encode(), "text/plain").json()["id"]
    file = {"type": "document", "transfer_method": "local_file", "upload_file_id": key}
    client.ask("sum up", inputs={"city": "x"}, files=[file])
    assert model.asked[-1]["messages"][-1]["content"] == "sum up\n\n[notes.txt]\nFreedonia is small. 你好"


# -- inputs (as 1.12.1 checks them) ------------------------------------------------------------

GOOD = [
    {"city": ""},
    {"city": "123456789012"},
    {"city": "x", "age": ""},
    {"city": "x", "age": "12"},
    {"city": "x", "age": 3.5},
    {"city": "x", "polite": True, "extra": {"a": [1]}},
    {"city": "x", "unknown": object.__name__},
]
BAD = [
    ({}, "city is required in input form"),
    ({"city": None}, "city is required in input form"),
    ({"city": "1234567890123"}, "city in input form must be less than 12 characters"),
    ({"city": ["x"]}, "(type 'text-input') city in input form must be a string"),
    ({"city": "x", "bio": "b" * 101}, "bio in input form must be less than 100 characters"),
    ({"city": "x", "tone": ""}, "tone in input form must be one of the following: ['formal', 'casual']"),
    ({"city": "x", "age": "old"}, "age in input form must be a valid number"),
    ({"city": "x", "age": "1e999"}, "(type 'number') age in input form must be a number"),
    ({"city": "x", "polite": "perhaps"}, "(type 'checkbox') polite in input form must be a boolean"),
    ({"city": "x", "extra": [1]}, "extra in input form must be a JSON object"),
    ({"city": "x", "doc": "a.txt"}, "doc in input form must be a file"),
    ({"city": "x", "docs": {}}, "docs in input form must be a list of files"),
    ({"city": "x", "docs": [{}, {}, {}]}, "docs in input form must be less than 2 files"),
]


@pytest.mark.parametrize("inputs", GOOD, ids=str)
def test_inputs_that_fit(server: LocalServer, inputs: dict[str, Any]) -> None:
    assert answer_of(Client(server, "prompted").ask("hi", inputs=inputs)) == "You said: hi"


@pytest.mark.parametrize(("inputs", "message"), BAD, ids=[str(one[1]) for one in BAD])
def test_inputs_that_do_not(server: LocalServer, inputs: dict[str, Any], message: str) -> None:
    client = Client(server, "prompted")
    for mode in ("streaming", "blocking"):
        reply = client.post("/chat-messages", client.body("hi", inputs=inputs, response_mode=mode))
        assert reply.status_code == 400
        assert reply.json() == {"code": "invalid_param", "message": message, "status": 400}


def test_inputs_are_checked_on_every_turn(server: LocalServer) -> None:
    client = Client(server, "prompted")
    conversation = client.ask("hi", inputs={"city": "x"})[0]["conversation_id"]
    reply = client.post("/chat-messages", client.body("again", inputs={}, conversation_id=conversation))
    assert (reply.status_code, reply.json()["message"]) == (400, "city is required in input form")


def test_files_as_inputs(server: LocalServer) -> None:
    client = Client(server, "prompted")
    key = client.upload("a.txt", b"text", "text/plain").json()["id"]
    other = client.upload("a.csv", b"text", "text/csv").json()["id"]
    good = {"type": "document", "transfer_method": "local_file", "upload_file_id": key}
    client.ask("hi", inputs={"city": "x", "doc": good, "docs": [good, {**good, "upload_file_id": other}]})
    kept = client.get("/conversations").json()["data"][0]["inputs"]
    assert kept["doc"]["dify_model_identity"] == "__dify__file__"
    assert (kept["doc"]["related_id"], kept["doc"]["filename"], kept["doc"]["size"]) == (key, "a.txt", 4)
    assert [one["extension"] for one in kept["docs"]] == [".txt", ".csv"]
    wrong = client.post(
        "/chat-messages", client.body("hi", inputs={"city": "x", "doc": {**good, "upload_file_id": other}})
    )
    assert wrong.json()["message"] == "File validation failed for file: a.csv"


# -- models that fail --------------------------------------------------------------------------

FAILURES = [
    (Said(status=429, body={"error": {"message": "slow down"}}), "slow down"),
    (Said(status=500, body={"error": "boom"}), "boom"),
    (Said(status=500, body=b"<html>"), "status 500"),
    (Said(status=404, body={"detail": "no such model"}), "^no such model$"),
    (Said(status=400, body={"object": "error", "message": "too long"}), "^too long$"),
    (Said(), "broke off"),
    (Said(status=401, body={"error": {"message": "bad key sk-very-secret"}}), "bad key \\*\\*\\*"),
    (Said(status=302, body=b""), "status 302"),
    (Said([delta(content="half")], done=False), "broke off"),
    (Said([delta(content="half"), b"data: {nonsense\n\n"]), "not JSON"),
    (Said([delta(content="half"), {"choices": "no"}]), "cannot be read"),
    (Said([delta(content="half"), {"error": {"message": "gave up"}}]), "gave up"),
    (Said([delta(content=["half"])]), "cannot be read"),
    (Said([b"data: " + b"x" * 1_100_000 + b"\n\n"]), "too long"),
]


@pytest.mark.parametrize(("said", "message"), FAILURES, ids=[one[1] for one in FAILURES])
def test_failures_of_the_model_are_error_events(
    tmp_path: Path, model: FakeModel, said: Said, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFY_NOTEBOOK_MODEL_KEY", "sk-very-secret")
    model.script = lambda body: said
    with local.serve(data_dir=tmp_path, pace=0, apps=[PLAIN], **MODEL) as one:
        events = Client(one, "plain").ask("hi")
        stored = Client(one, "plain").messages(events[-1]["conversation_id"])[0]
    assert model.headers[-1]["authorization"] == "Bearer sk-very-secret"
    error = events[-1]
    told = ("rate_limit_error", 429) if said.status == 429 else ("completion_request_error", 400)
    assert (error["event"], error["code"], error["status"]) == ("error", *told)
    assert "task_id" not in error
    assert re.search(message, error["message"])
    assert (stored["status"], stored["answer"]) == ("error", "")
    assert "very-secret" not in json.dumps(events)


def test_a_model_that_says_done_and_not_why(server: LocalServer, model: FakeModel) -> None:
    model.script = always(Said([delta(reasoning="Hm."), delta(content="whole")]))
    events = Client(server, "plain").ask("hi")
    assert (answer_of(events), events[-1]["event"]) == ("<think>\nHm.\n</think>\nwhole", "message_end")


def test_nothing_listens(tmp_path: Path) -> None:
    with local.serve(data_dir=tmp_path, pace=0, apps=[PLAIN], model_url=closed_origin() + "/v1", model="m") as one:
        assert "cannot be reached" in Client(one, "plain").ask("hi")[-1]["message"]


def test_a_silent_model_times_out(tmp_path: Path, model: FakeModel) -> None:
    model.script = lambda body: words("late", pause=5)
    app = {**PLAIN, "model": {"timeout": 0.1}}
    with local.serve(data_dir=tmp_path, pace=0, apps=[app], **MODEL) as one:
        error = Client(one, "plain").ask("hi")[-1]
    assert error["message"] == "The model did not answer within 0.1 s"


def test_an_app_without_a_model_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dify_notebook.local.engine.models.gguf.installed", lambda: False)
    with local.serve(data_dir=tmp_path, pace=0, apps=[PLAIN]) as one:
        assert "--model-url" in Client(one, "plain").ask("hi")[-1]["message"]


def test_the_key_comes_from_the_named_variable(
    tmp_path: Path, model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-general")
    monkeypatch.setenv("MY_KEY", "sk-own")
    own = {**PLAIN, "name": "own", "model": {"key_env": "MY_KEY"}}
    with local.serve(data_dir=tmp_path, pace=0, apps=[PLAIN, own], **MODEL) as one:
        Client(one, "plain").ask("hi")
        Client(one, "own").ask("hi")
    assert [headers["authorization"] for headers in model.headers] == ["Bearer sk-general", "Bearer sk-own"]
    assert {headers["path"] for headers in model.headers} == {"/v1/chat/completions"}


@pytest.mark.parametrize("app", ["plain", "agent", "flow"])
def test_stop_hangs_up_at_once(tmp_path: Path, model: FakeModel, app: str) -> None:
    """The partial answer is kept, and the model is not left talking to nobody."""
    model.script = lambda body: words(" ".join(["word"] * 400), pause=0.02)
    flow = {
        "name": "flow",
        "mode": "advanced-chat",
        "nodes": [
            {"type": "start", "next": "llm"},
            {"id": "llm", "type": "llm", "next": "answer"},
            {"type": "answer", "answer": "{{llm.text}}"},
        ],
    }
    with local.serve(data_dir=tmp_path, pace=0, apps=[PLAIN, AGENT, flow], **MODEL) as one:
        client, other = Client(one, app), Client(one, app)
        other.get("/info")
        events: list[Event] = []
        asked = False
        for event in client.stream("go"):
            events.append(event)
            if not asked and len(answer_of(events)) > 30:
                asked = True
                other.post(f"/chat-messages/{event['task_id']}/stop", {"user": client.user})
        assert answer_of(events).count("word") < 400, "not when all was said"
        if app == "flow":
            assert ran(events)["status"] == "stopped"
        else:
            assert end_of(events)["metadata"]["usage"]["total_tokens"] == 0
        stored = client.messages(events[0]["conversation_id"])[0]
        assert stored["answer"] == answer_of(events)
        assert model.hung_up.wait(20)


def test_many_conversations_at_once(server: LocalServer, model: FakeModel) -> None:
    """More than the loop's pool of threads has: none waits for another."""
    together = threading.Barrier(30, timeout=20)

    def script(body: Body) -> Said:
        together.wait()
        return words(f"to {body['messages'][-1]['content']} a b c")

    model.script = script
    found: dict[int, str] = {}

    def ask(number: int) -> None:
        found[number] = answer_of(Client(server, "plain", f"u{number}").ask(str(number)))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == {number: f"to {number} a b c" for number in range(30)}


# -- agents ------------------------------------------------------------------------------------


def thoughts(events: list[Event]) -> list[list[Event]]:
    """Thoughts by id, each with all its states."""
    found: dict[str, list[Event]] = {}
    for event in events:
        if event["event"] == "agent_thought":
            found.setdefault(event["id"], []).append(event)
    return list(found.values())


def test_agents_call_functions(server: LocalServer, model: FakeModel) -> None:
    rounds = iter([
        calls(("add", '{"a": 40}'), ("double", '{"text": "ab"}'), text="Let me see. "),
        words("It is 42."),
    ])  # fmt: skip
    model.script = lambda body: next(rounds)
    client = Client(server, "agent")
    events = client.ask("what is 40 + 2?")
    first, last = thoughts(events)
    assert [one["tool"] for one in first] == ["", "add;double", "add;double"]
    assert json.loads(first[1]["tool_input"]) == {"add": {"a": 40}, "double": {"text": "ab"}}
    assert json.loads(first[2]["observation"]) == {"add": "42", "double": "abab"}
    assert first[2]["thought"] == "Let me see. "
    assert last[-1]["thought"] == "It is 42."
    assert answer_of(events) == "Let me see. It is 42."
    offered = {one["function"]["name"]: one["function"] for one in model.asked[0]["tools"]}
    assert set(offered) == {"add", "broken", "stuck", "double", "calculator"}
    assert offered["add"]["description"] == "Add two numbers."
    assert offered["add"]["parameters"] == {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer", "default": 2}},
        "required": ["a"],
    }
    back = model.asked[1]["messages"]
    assert [one["role"] for one in back[-3:]] == ["assistant", "tool", "tool"]
    assert back[-2] == {"role": "tool", "tool_call_id": "call-0", "content": "42"}
    assert events[-1]["metadata"]["usage"]["total_tokens"] == 30 + 18
    stored = client.messages(events[0]["conversation_id"])[0]["agent_thoughts"]
    assert [one["tool"] for one in stored] == ["add;double", ""]


@pytest.mark.parametrize(
    ("name", "arguments", "seen"),
    [
        ("broken", '{"text": "x"}', "tool invoke error: LookupError: nothing about x"),
        ("broken", "{}", "tool invoke error: broken: missing a required argument: 'text'"),
        ("add", "[1]", "tool invoke error: the arguments are not a JSON object: [1]"),
        ("add", "{not", "tool invoke error: the arguments are not a JSON object: {not"),
        ("add", '{"a": "x"}', 'tool invoke error: TypeError: can only concatenate str (not "int") to str'),
        ("stuck", "{}", "tool invoke error: stuck did not end within 0.2 s"),
        ("gone", "{}", "there is not a tool named gone"),
        ("calculator", '{"expression": "0.17 * 2340"}', "397.8"),
        ("double", '{"text": "half a sign: \\ud83d"}', "half a sign: \ufffdhalf a sign: \ufffd"),
    ],
)
def test_what_goes_wrong_in_a_tool_is_seen(
    server: LocalServer, model: FakeModel, name: str, arguments: str, seen: str
) -> None:
    rounds = iter([calls((name, arguments)), words("I see.")])
    model.script = lambda body: next(rounds)
    events = Client(server, "agent").ask("go")
    assert json.loads(thoughts(events)[0][-1]["observation"]) == {name: seen}
    assert answer_of(events) == "I see."
    assert model.asked[-1]["messages"][-1]["content"] == seen


def test_rounds_are_bounded(server: LocalServer, model: FakeModel) -> None:
    """A model that never stops calling gets no tools in the last round."""
    model.script = lambda body: calls(("add", '{"a": 1}')) if body.get("tools") else words("Enough.")
    events = Client(server, "agent").ask("go")
    assert [bool(body.get("tools")) for body in model.asked] == [True, True, False]
    assert answer_of(events) == "Enough."
    assert [one[-1]["position"] for one in thoughts(events)] == [1, 2, 3]


def test_the_time_of_an_agent_is_bounded(tmp_path: Path, model: FakeModel) -> None:
    model.script = lambda body: words("a b c d e f g h", pause=0.2)
    app = {**AGENT, "agent": {"timeout": 0.3}}
    with local.serve(data_dir=tmp_path, pace=0, apps=[app], **MODEL) as one:
        error = Client(one, "agent").ask("go")[-1]
    assert error["message"] == "The agent did not come to an end within 0.3 s"


# -- conversation variables --------------------------------------------------------------------


def test_variables_are_changed_read_and_set(server: LocalServer) -> None:
    client = Client(server, "variables")
    first = client.ask("one")
    assert answer_of(first) == "1: - one"
    conversation = first[0]["conversation_id"]
    path = f"/conversations/{conversation}/variables"
    kept = {one["name"]: one for one in client.get(path).json()["data"]}
    assert (kept["count"]["value"], kept["count"]["value_type"]) == ("1", "number")
    assert kept["asked"]["value_type"] == "array[string]"
    changed = client.http.put(f"{path}/{kept['count']['id']}", json={"user": client.user, "value": 41})
    assert changed.status_code == 200
    wrong = client.http.put(f"{path}/{kept['count']['id']}", json={"user": client.user, "value": "x"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "bad_request")
    assert answer_of(client.ask("two", conversation_id=conversation)) == "42: - one\n- two"
    assert answer_of(client.ask("other")) == "1: - other", "each conversation has its own"


def test_what_was_set_meanwhile_stays(tmp_path: Path) -> None:
    """A variable that a run leaves alone is not written back; one that it changed is kept, though the run fails."""
    asked, go = threading.Event(), threading.Event()

    def wait() -> str:
        asked.set()
        assert go.wait(5)
        raise LookupError("no")

    nodes: list[Declared] = [
        {"type": "start", "next": "note"},
        {"id": "note", "type": "assigner", "next": "wait",
         "set": [{"variable": "conversation.count", "operation": "+=", "value": 1}]},
        {"id": "wait", "type": "code", "function": "wait", "next": "answer"},
        {"type": "answer", "answer": "x"},
    ]  # fmt: skip
    variables = VARIABLES["variables"]
    with serve_flow(tmp_path, nodes, functions=[wait], variables=variables) as one, Client(one, "flow") as client:
        stream = client.stream("go")
        conversation = next(stream)["conversation_id"]
        path = f"/conversations/{conversation}/variables"
        kept = {row["name"]: row for row in client.get(path).json()["data"]}
        assert asked.wait(5)
        body = {"user": client.user, "value": ["from outside"]}
        assert client.http.put(f"{path}/{kept['asked']['id']}", json=body).status_code == 200
        go.set()
        assert failure(list(stream)) == "Run failed: LookupError: no"
        found = {row["name"]: row["value"] for row in client.get(path).json()["data"]}
        assert found == {"count": "1", "asked": '["from outside"]'}


def test_a_flow_sees_the_files_of_the_question(tmp_path: Path) -> None:
    nodes: list[Declared] = [
        {"type": "start", "next": "each"},
        {"id": "each", "type": "iteration", "over": "sys.files", "output": "name.output", "next": "answer",
         "nodes": [{"id": "name", "type": "template-transform", "template": "{{ each.item.filename }}"}]},
        {"type": "answer", "answer": "{{ each.output }}"},
    ]  # fmt: skip
    with serve_flow(tmp_path, nodes, files={"types": ["document"]}) as one, Client(one, "flow") as client:
        key = client.upload("表 1.csv", b"a,b\n").json()["id"]
        used = [{"type": "document", "transfer_method": "local_file", "upload_file_id": key}]
        events = client.ask("go", files=used)
        assert answer_of(events) == "- 表 1.csv"
        told = events[0]["data"]["inputs"]["sys.files"][0]
        assert (told["related_id"], told["extension"], told["size"]) == (key, ".csv", 4)
        assert client.http.get(told["url"]).content == b"a,b\n"


def test_apps_and_conversations_survive_a_restart(tmp_path: Path) -> None:
    with local.serve(data_dir=tmp_path, pace=0, apps=[VARIABLES]) as one:
        key = one.api_key("variables")
        conversation = Client(one, "variables").ask("one")[0]["conversation_id"]
        assert "variables" in one.apps
    with local.serve(data_dir=tmp_path, pace=0, apps=[VARIABLES]) as one:
        assert one.api_key("variables") == key
        assert answer_of(Client(one, "variables").ask("two", conversation_id=conversation)) == "2: - one\n- two"
    with local.serve(data_dir=tmp_path, pace=0) as one:
        reply = Client(one).http.get("/info", headers={"Authorization": f"Bearer {key}"})
        assert reply.status_code == 401
        assert one.apps == ("guide", "toolbox", "pipeline", "tally")


# -- nodes -------------------------------------------------------------------------------------


def outputs(events: list[Event]) -> dict[str, dict[str, Any]]:
    return {event["data"]["node_id"]: event["data"]["outputs"] for event in events if event["event"] == "node_finished"}


def test_the_classifier_asks_the_model_and_branches_meet_again(tmp_path: Path, model: FakeModel) -> None:
    nodes: list[Declared] = [
        {"type": "start", "next": "sort"},
        {"id": "sort", "type": "question-classifier", "classes": [
            {"id": "weather", "name": "About the weather", "next": "sun"},
            {"id": "other", "name": "Anything else", "next": "no"},
        ]},
        {"id": "sun", "type": "template-transform", "template": "It is sunny.", "next": "one"},
        {"id": "no", "type": "template-transform", "template": "I do not know.", "next": "one"},
        {"id": "one", "type": "variable-aggregator", "variables": ["sun.output", "no.output"], "next": "answer"},
        {"type": "answer", "answer": "{{one.output}}"},
    ]  # fmt: skip
    with serve_flow(tmp_path, nodes) as one:
        for said, class_id, answer in (
            ('{"category_id": "other"}', "other", "I do not know."),
            ("It is about the weather, I think.", "weather", "It is sunny."),
            ('```json\n{"category_id": "weather"}\n```', "weather", "It is sunny."),
            ("???", "weather", "It is sunny."),
        ):
            model.script = always(words(said))
            events = Client(one, "flow").ask("hm")
            assert outputs(events)["sort"]["class_id"] == class_id
            assert answer_of(events) == answer
            assert end_of(events)["metadata"]["usage"]["total_tokens"] == 18


def test_knowledge_feeds_a_model(tmp_path: Path, model: FakeModel) -> None:
    facts = tmp_path / "facts.md"
    facts.write_text("# Capitals\n\nThe capital of Freedonia is Fredville.\n\n# Food\n\nThey eat soup.\n")
    nodes: list[Declared] = [
        {"type": "start", "next": "look"},
        {"id": "look", "type": "knowledge-retrieval", "top_k": 1, "next": "llm"},
        {"id": "llm", "type": "llm", "system": "Know: {{ context }}", "context": "look.result", "next": "answer"},
        {"type": "answer", "answer": "{{llm.text}}"},
    ]
    with serve_flow(tmp_path, nodes, knowledge=[{"name": "facts", "files": str(facts)}]) as one:
        events = Client(one, "flow").ask("capital of Freedonia?")
    assert model.asked[0]["messages"][0]["content"] == "Know: The capital of Freedonia is Fredville."
    (source,) = end_of(events)["metadata"]["retriever_resources"]
    assert (source["document_name"], source["position"]) == ("facts.md", 1)
    assert source["word_count"] > 0
    (found,) = outputs(events)["look"]["result"]
    assert found["metadata"]["_source"] == "knowledge"


def test_branches_run_at_the_same_time(tmp_path: Path, model: FakeModel) -> None:
    meeting = threading.Barrier(3, timeout=5)

    def meet(name: str) -> dict[str, str]:
        meeting.wait()
        return {"r": name}

    nodes: list[Declared] = [{"type": "start", "next": ["a", "b", "c"]}]
    nodes += [
        {"id": name, "type": "code", "function": "meet", "inputs": {"name": name}, "outputs": ["r"], "next": "answer"}
        for name in "abc"
    ]
    nodes.append({"type": "answer", "answer": "{{a.r}}{{b.r}}{{c.r}}"})
    with serve_flow(tmp_path, nodes, functions=[meet]) as one:
        assert answer_of(Client(one, "flow").ask("go")) == "abc"


def test_branches_that_fail_at_the_same_time_fail_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of the second failure asyncio would complain, long after."""
    nodes: list[Declared] = [{"type": "start", "next": ["a", "b", "c"]}]
    nodes += [{"id": name, "type": "http-request", "url": f"http://127.0.0.1/{name}", "next": "answer"} for name in "abc"]
    nodes.append({"type": "answer", "answer": "x"})
    with serve_flow(tmp_path, nodes) as one:
        events = Client(one, "flow").ask("go")
    assert failure(events)
    gc.collect()
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []


def test_items_run_at_the_same_time_and_stay_in_order(tmp_path: Path) -> None:
    order: list[str] = []
    turn = threading.Condition()

    def last_first(item: str) -> dict[str, str]:
        """The last item ends first."""
        with turn:
            assert turn.wait_for(lambda: len(order) == 3 - int(item), timeout=5)
            order.append(item)
            turn.notify_all()
        return {"r": item}

    inner = [{"id": "work", "type": "code", "function": "last_first", "inputs": {"item": "each.item"}}]
    nodes: list[Declared] = [
        {"type": "start", "next": "cut"},
        {"id": "cut", "type": "code", "function": "split_text", "inputs": {"text": "sys.query"}, "next": "each"},
        {"id": "each", "type": "iteration", "over": "cut.items", "output": "work.r", "parallel": 3, "nodes": inner,
         "next": "answer"},
        {"type": "answer", "answer": "{{each.output}}"},
    ]  # fmt: skip
    with serve_flow(tmp_path, nodes, functions=[last_first]) as one:
        events = Client(one, "flow").ask("1,2,3")
    assert answer_of(events) == "- 1\n- 2\n- 3"
    assert order == ["3", "2", "1"]
    kinds = [event["event"] for event in events]
    assert kinds.count("iteration_next") == 3
    assert kinds.index("node_started", kinds.index("iteration_started")) > kinds.index("iteration_next") + 2


def test_loops_end_by_condition_or_count(tmp_path: Path) -> None:
    def loop(**more: Any) -> list[Declared]:
        step = {"id": "step", "type": "assigner", "set": [{"variable": "loop.n", "operation": "*=", "value": 2}]}
        return [
            {"type": "start", "next": "loop"},
            {"id": "loop", "type": "loop", "count": 5, "nodes": [step], "next": "answer",
             "variables": [{"name": "n", "type": "number", "value": 1}], **more},
            {"type": "answer", "answer": "{{loop.n}} after {{loop.loop_round}}"},
        ]  # fmt: skip

    until = {"until": [{"value_of": "loop.n", "is": ">", "value": "{{sys.query}}"}]}
    for more, query, answer, reason in (
        ({}, "x", "32 after 5", "loop_completed"),
        (until, "6", "8 after 3", "loop_break"),
    ):
        with serve_flow(tmp_path, loop(**more)) as one:
            events = Client(one, "flow").ask(query)
            assert answer_of(events) == answer
            (done,) = [event["data"] for event in events if event["event"] == "loop_completed"]
            assert done["execution_metadata"]["completed_reason"] == reason
    with serve_flow(tmp_path, loop(**until)) as one:
        events = Client(one, "flow").ask("many")
        assert "is no number" in failure(events)
        assert [event["data"]["status"] for event in events if event["event"] == "loop_completed"] == ["failed"]


def test_a_retry_that_helps(tmp_path: Path) -> None:
    tries: list[int] = []

    def third() -> dict[str, int]:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("not yet")
        return {"n": len(tries)}

    nodes: list[Declared] = [
        {"type": "start", "next": "try"},
        {"id": "try", "type": "code", "function": "third", "retry": {"times": 3, "interval": 0}, "next": "answer"},
        {"type": "answer", "answer": "{{try.n}}"},
    ]
    with serve_flow(tmp_path, nodes, functions=[third]) as one:
        events = Client(one, "flow").ask("go")
    assert answer_of(events) == "3"
    told = [event["data"] for event in events if event["event"] == "node_retry"]
    assert [(one["retry_index"], one["error"]) for one in told] == [(1, "OSError: not yet"), (2, "OSError: not yet")]
    started = next(
        event["data"] for event in events if event["event"] == "node_started" and event["data"]["node_id"] == "try"
    )
    assert {one["id"] for one in told} == {started["id"]}


@pytest.mark.parametrize(
    ("more", "answer", "status"),
    [
        ({"retry": {"times": 2, "interval": 0}}, "whole answer", "succeeded"),
        ({"on_error": "default-value", "default": {"text": "sorry"}}, "sorry", "partial-succeeded"),
        ({"on_error": "fail-branch", "fail": "other"}, "other: broke off", "partial-succeeded"),
    ],
)
def test_a_text_that_may_be_made_anew_is_said_once(
    tmp_path: Path, model: FakeModel, more: dict[str, Any], answer: str, status: str
) -> None:
    """Half of the first try must not stand before the second."""
    said = iter([Said([delta(content="half "), {"error": "broke off"}]), words("whole answer")])
    model.script = lambda body: next(said)
    nodes: list[Declared] = [
        {"type": "start", "next": "llm"},
        {"id": "llm", "type": "llm", "next": "answer", **more},
        {"type": "answer", "answer": "{{llm.text}}"},
    ]
    if "fail" in more:
        nodes.append({"id": "other", "type": "answer", "answer": "other: {{llm.error_message}}"})
    with serve_flow(tmp_path, nodes) as one:
        events = Client(one, "flow").ask("go")
    assert answer_of(events) == answer
    assert ran(events)["status"] == status
    assert ran(events)["outputs"]["answer"] == answer


def test_searches_at_the_same_time_are_numbered_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(f"The moon is {name}.", encoding="utf-8")
    known = [{"name": name, "files": str(tmp_path / f"{name}.txt")} for name in ("a", "b")]
    nodes: list[Declared] = [{"type": "start", "next": ["a", "b"]}]
    nodes += [{"id": name, "type": "knowledge-retrieval", "knowledge": name, "next": "answer"} for name in ("a", "b")]
    nodes.append({"type": "answer", "answer": "{{a.result.0.content}} {{b.result.0.content}}"})
    with serve_flow(tmp_path, nodes, knowledge=known) as one:
        events = Client(one, "flow").ask("moon")
    assert answer_of(events) == "The moon is a. The moon is b."
    resources = end_of(events)["metadata"]["retriever_resources"]
    assert sorted(one["position"] for one in resources) == [1, 2]


def test_what_is_no_list_cannot_be_worked_through(tmp_path: Path) -> None:
    nodes: list[Declared] = [
        {"type": "start", "next": "each"},
        {"id": "each", "type": "iteration", "over": "sys.query", "output": "t.output", "next": "answer",
         "nodes": [{"id": "t", "type": "template-transform", "template": "{{each.item}}"}]},
        {"type": "answer", "answer": "{{each.output}}"},
    ]  # fmt: skip
    with serve_flow(tmp_path, nodes) as one:
        events = Client(one, "flow").ask("go")
    assert names(events)[-3:] == ["iteration_started", "iteration_completed", "workflow_finished"]
    assert failure(events) == "Run failed: sys.query is not a list"


def test_the_stream_makes_a_turn(tmp_path: Path) -> None:
    """The package's own client understands what is sent: nodes, boxes, usage."""
    nodes: list[Declared] = [
        {"type": "start", "next": "cut"},
        {"id": "cut", "type": "code", "function": "split_text", "inputs": {"text": "sys.query"}, "next": "each"},
        {"id": "each", "type": "iteration", "over": "cut.items", "output": "llm.text", "next": "answer",
         "nodes": [{"id": "llm", "type": "llm", "user": "{{each.item}}"}]},
        {"type": "answer", "answer": "{{each.output}}"},
    ]  # fmt: skip
    with serve_flow(tmp_path, nodes) as one:
        turn = Dify(one.api_key("flow"), one.base_url, user="u").chat.send("a, b")
    assert turn.answer == "- You said: a\n- You said: b"
    assert turn.complete
    assert [node.node_id for node in turn.nodes or ()].count("llm") == 2
    assert turn.usage is not None
    assert turn.usage.total_tokens == 36


# -- serving -----------------------------------------------------------------------------------


def test_a_wrong_declaration_starts_nothing(tmp_path: Path) -> None:
    with pytest.raises(DifyError, match="mode: chta is none of chat, agent-chat, advanced-chat, workflow, completion; did you mean chat"):
        local.serve(data_dir=tmp_path, apps=[{"name": "x", "mode": "chta"}])
    with local.serve(data_dir=tmp_path, pace=0) as one:
        assert one.apps == ("guide", "toolbox", "pipeline", "tally")


def test_the_command_line_takes_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dify_notebook.local.__main__ import main

    assert main(["--data-dir", str(tmp_path), "--app", str(tmp_path / "no.toml")]) == 1
    assert "no.toml: there is no such file" in capsys.readouterr().err
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('mode = "chat"\nprompt = "{{ who }}"\n')
    assert main(["--data-dir", str(tmp_path), "--app", str(wrong)]) == 1
    assert "wrong.toml: prompt: who: nothing of that name is known here" in capsys.readouterr().err
    good = tmp_path / "good.toml"
    good.write_text('mode = "chat"\n')
    assert main(["--data-dir", str(tmp_path), "--app", str(good), "--model-url", "http://127.0.0.1:9"]) == 1
    assert "--model NAME" in capsys.readouterr().err


EXAMPLES = Path(__file__).parents[2] / "notebooks" / "apps"


def test_the_example_of_a_prompt_app(tmp_path: Path, model: FakeModel) -> None:
    with local.serve(data_dir=tmp_path, pace=0, apps=EXAMPLES / "translator.toml", **MODEL) as one:
        client = Client(one, "translator")
        assert answer_of(client.ask("Good morning", inputs={"language": "French"})) == "You said: Good morning"
    assert "into French, in a neutral tone" in model.asked[0]["messages"][0]["content"]


def test_the_example_of_a_chatflow(tmp_path: Path, model: FakeModel) -> None:
    with local.serve(data_dir=tmp_path, pace=0, apps=[EXAMPLES / "frontdesk.toml"], **MODEL) as one:
        client = Client(one, "frontdesk")
        events = client.ask("2 coffees\n- tea")
        assert answer_of(events) == "Noted. Your orders so far:\n\n- 2 coffees\n- tea"
        assert model.asked == []
        more = client.ask("cake\nmilk", conversation_id=events[0]["conversation_id"])
        assert answer_of(more).endswith("- 2 coffees\n- tea\n- cake\n- milk")
        events = client.ask("When is breakfast?")
        assert "Breakfast is served from 7" in model.asked[0]["messages"][0]["content"]
        assert end_of(events)["metadata"]["retriever_resources"][0]["document_name"] == "handbook.md"
        model.script = lambda body: Said(status=500, body={"error": "down"})
        assert "(down)" in answer_of(client.ask("When is breakfast?"))


def test_usage_of_a_flow_that_asked_no_model(server: LocalServer) -> None:
    told = end_of(Client(server, "variables").ask("x"))["metadata"]["usage"]
    assert (told["total_tokens"], told["total_price"], told["latency"]) == (0, "0.0", 0.0)


def test_reasoning_of_a_model_is_said_and_not_told_to_it_again(server: LocalServer, model: FakeModel) -> None:
    model.script = always(Said([delta(reasoning_content="Hm."), delta(content="Yes."), end(), usage(3, 4)]))
    with Client(server, "plain") as client:
        events = client.ask("one")
        assert answer_of(events) == "<think>\nHm.\n</think>\nYes."
        client.ask("two", conversation_id=events[0]["conversation_id"])
        assert [one["content"] for one in model.asked[-1]["messages"]] == ["one", "Yes.", "two"]
        assert client.messages(events[0]["conversation_id"])[0]["answer"] == answer_of(events)


def test_a_chunk_with_usage_may_stand_beside_text(server: LocalServer, model: FakeModel) -> None:
    chunk = {**delta(content="x"), "usage": usage(3, 4)["usage"]}
    model.script = lambda body: Said(
        [b": a comment\n\n", b"event: x\r\ndata:" + json.dumps(chunk).encode() + b"\r\n\r\n", end()]
    )
    events = Client(server, "plain").ask("x")
    assert answer_of(events) == "x"
    assert events[-1]["metadata"]["usage"]["total_tokens"] == 7
