"""What the embedded server streams: framing, order, and the fields of every event."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from local_helpers import Client, answer_of, end_of, failure, names, ran

from dify_notebook import local
from dify_notebook.local.options import Dialect
from dify_notebook.local.server.process import LocalServer
from dify_notebook.local.store.conversations import Conversations

HEAD = "event conversation_id message_id created_at task_id"
NODE = "id node_id node_type title index predecessor_node_id inputs inputs_truncated created_at"
BOX = "id node_id node_type title created_at extras"

# Fields of each event as Dify 1.16.1 sends them, read off recorded streams.
FIELDS = {
    "message": f"{HEAD} id answer from_variable_selector",
    "agent_message": f"{HEAD} id answer",
    "agent_thought": f"{HEAD} id position thought observation tool tool_labels tool_input message_files",
    "message_end": f"{HEAD} id metadata files",
    "error": "event conversation_id message_id created_at code status message",
    **{
        name: f"{HEAD} workflow_run_id data"
        for name in [
            "workflow_started",
            "node_started",
            "node_finished",
            "iteration_started",
            "iteration_next",
            "iteration_completed",
            "workflow_finished",
        ]
    },
}
DATA = {
    "workflow_started": "id workflow_id inputs created_at reason",
    "node_started": f"{NODE} extras iteration_id loop_id agent_strategy",
    "node_finished": f"{NODE} process_data process_data_truncated outputs outputs_truncated status error "
    "elapsed_time execution_metadata finished_at files iteration_id loop_id",
    "iteration_started": f"{BOX} metadata inputs inputs_truncated",
    "iteration_next": f"{BOX} index",
    "iteration_completed": f"{BOX} outputs outputs_truncated inputs inputs_truncated status error "
    "elapsed_time total_tokens execution_metadata finished_at steps",
    "workflow_finished": "id workflow_id status outputs error elapsed_time total_tokens total_steps "
    "created_by created_at finished_at exceptions_count files",
}
METADATA = "annotation_reply retriever_resources usage reasoning"
USAGE = (
    "prompt_tokens prompt_unit_price prompt_price_unit prompt_price completion_tokens completion_unit_price "
    "completion_price_unit completion_price total_tokens total_price currency latency time_to_first_token "
    "time_to_generate"
)
RESOURCE = (
    "position dataset_id dataset_name document_id document_name data_source_type segment_id "
    "retriever_from score hit_count word_count segment_position index_node_hash content page doc_metadata "
    "title files summary"
)
SYSTEM = "sys.files sys.user_id sys.app_id sys.workflow_id sys.workflow_run_id sys.query sys.dialogue_count"


NEWER = {"reason", "reasoning"}
"""What 1.12 does not tell; of 0.15 see test_local_older.py."""


def check_fields(events: list[dict[str, Any]], dialect: Dialect) -> None:
    newer = set() if dialect == "1.16" else NEWER
    flow = any("workflow_run_id" in event for event in events)
    for event in [] if dialect == "0.15" else events:
        name = event["event"]
        assert set(event) == set(FIELDS[name].split()), name
        if name in DATA:
            assert set(event["data"]) == set(DATA[name].split()) - newer, name
        if name == "message_end":
            absent = {"annotation_reply"} if dialect == "1.16" and not flow else newer
            assert set(event["metadata"]) == set(METADATA.split()) - absent
            assert set(event["metadata"]["usage"]) == set(USAGE.split())
            for resource in event["metadata"]["retriever_resources"]:
                assert set(resource) == set(RESOURCE.split())


def test_chat(server: LocalServer, dialect: Dialect) -> None:
    events = Client(server).ask("How do I send a file with a question?")
    assert names(events) == ["message", "message_end"]
    check_fields(events, dialect)
    assert events[0]["from_variable_selector"] == ([] if dialect == "1.16" else None)
    end = events[-1]
    assert end["id"] == end["message_id"] == events[0]["id"]
    assert end["files"] == ([] if dialect == "1.16" else None)
    resources = end["metadata"]["retriever_resources"]
    assert [one["position"] for one in resources] == [1, 2, 3]
    assert "-f sales.csv" in resources[0]["content"]
    assert "-f sales.csv" in answer_of(events)
    assert len(events) > 50, "small pieces"


def test_usage(server: LocalServer) -> None:
    usage = Client(server).ask("How do I send a file?")[-1]["metadata"]["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert re.fullmatch(r"0\.\d{7}", usage["total_price"])
    assert usage["prompt_price"] == f"{usage['prompt_tokens'] / 1e6:.7f}"
    assert usage["completion_price"] == f"{2 * usage['completion_tokens'] / 1e6:.7f}"
    assert usage["currency"] == "USD"
    assert 0 < usage["latency"] < 5


def test_answers_in_the_language_of_the_question(server: LocalServer) -> None:
    client = Client(server)
    first = client.ask("How do I send a file with a question?")
    second = client.ask("and in Chinese?", conversation_id=first[0]["conversation_id"])
    assert "文件会先上传" in answer_of(second)
    assert "I find nothing" in answer_of(client.ask("What is the capital of France?"))


def test_agent_thoughts_are_upserts(server: LocalServer, dialect: Dialect) -> None:
    events = Client(server, "toolbox").ask("What is 6*7, and what time is it in Tokyo?")
    check_fields(events, dialect)
    thoughts = [event for event in events if event["event"] == "agent_thought"]
    by_id: dict[str, list[dict[str, Any]]] = {}
    for thought in thoughts:
        by_id.setdefault(thought["id"], []).append(thought)
    first, second, last = by_id.values()
    assert [(one["tool"], bool(one["observation"])) for one in first] == [
        ("", False),
        ("calculator", False),
        ("calculator", True),
    ]
    assert json.loads(first[-1]["tool_input"]) == {"calculator": {"expression": "6*7"}}
    assert json.loads(first[-1]["observation"]) == {"calculator": {"result": "42"}}
    assert first[-1]["tool_labels"]["calculator"]["en_US"] == "Calculator"
    assert json.loads(second[-1]["observation"])["current_time"]["zone"] == "Asia/Tokyo"
    assert [one["position"] for one in (first[0], second[0], last[0])] == [1, 2, 3]
    assert last[0]["thought"] == ""
    assert last[-1]["thought"] == answer_of(events)
    assert names(events)[-3:] == ["agent_message", "agent_thought", "message_end"]
    assert "**42**" in answer_of(events)


def test_agent_says_what_it_can_do(server: LocalServer) -> None:
    events = Client(server, "toolbox").ask("Tell me a joke")
    assert "I can" in answer_of(events)
    assert [event["tool"] for event in events if event["event"] == "agent_thought"] == ["", ""]


def test_agent_summarises_an_upload(server: LocalServer) -> None:
    client = Client(server, "toolbox")
    key = client.upload("sales.csv", b"month,units\nJan,10\nFeb,30\n").json()["id"]
    file = {"type": "document", "transfer_method": "local_file", "upload_file_id": key}
    events = client.ask("Summarise this file", files=[file])
    assert "**sales.csv** has 2 rows and 2 columns" in answer_of(events)
    assert "| units | number | 0 | 2 | 10 | 20 | 30 |" in answer_of(events)
    stored = client.messages(events[0]["conversation_id"])[0]
    assert stored["message_files"][0]["filename"] == "sales.csv"
    assert stored["message_files"][0]["belongs_to"] == "user"


WAYS = [
    (
        "alpha, beta, gamma",
        "compare",
        "start classify retrieve each_item measure match measure match measure match template answer_compare",
    ),
    ("How do I set a timeout?", "lookup", "start classify retrieve template answer_lookup"),
    ("xyzzy", "help", "start classify answer_help"),
]


@pytest.mark.parametrize(("query", "kind", "nodes"), WAYS, ids=[way[1] for way in WAYS])
def test_three_kinds_take_three_ways(
    server: LocalServer, dialect: Dialect, query: str, kind: str, nodes: str
) -> None:
    events = Client(server, "pipeline").ask(query)
    check_fields(events, dialect)
    started = [event["data"] for event in events if event["event"] in ("node_started", "iteration_started")]
    assert [node["node_id"] for node in started] == nodes.split()
    finished = {
        event["data"]["node_id"]: event["data"] for event in events if event["event"] == "node_finished"
    }
    assert finished["classify"]["node_type"] == "question-classifier"
    assert finished["classify"]["outputs"]["class_id"] == kind
    assert names(events)[0] == "workflow_started"
    order = ["workflow_finished", "message_end"]
    assert names(events)[-2:] == (order[::-1] if dialect == "1.16" else order)
    assert end_of(events)["files"] == []
    whole = ran(events)
    assert whole["status"] == "succeeded"
    assert whole["outputs"]["answer"] == answer_of(events)
    assert whole["total_steps"] == len(started)
    assert whole["total_tokens"] == end_of(events)["metadata"]["usage"]["total_tokens"]
    inputs = events[0]["data"]["inputs"].keys() - {"sys.conversation_id"}
    assert inputs == {"items", "style", *SYSTEM.split()}


def test_iteration(server: LocalServer, dialect: Dialect) -> None:
    events = Client(server, "pipeline").ask("files, conversations")
    by_name: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        by_name.setdefault(event["event"], []).append(event.get("data", {}))
    told = [one["index"] for one in by_name["iteration_next"]]
    if dialect == "0.15":  # see test_local_older.py
        assert told == [0, 1, 2]
        return
    assert told == [0, 1]
    (started,) = by_name["iteration_started"]
    (completed,) = by_name["iteration_completed"]
    assert started["metadata"] == {"iteration_length": 2}
    assert started["id"] == started["node_id"] == "each_item"
    assert completed["status"] == "succeeded"
    assert completed["steps"] == 2
    assert [row["item"] for row in completed["outputs"]["output"]] == ["files", "conversations"]
    inner = [one for one in by_name["node_finished"] if one["iteration_id"] == "each_item"]
    assert [one["execution_metadata"]["iteration_index"] for one in inner] == [0, 0, 1, 1]
    durations = completed["execution_metadata"]["iteration_duration_map"]
    assert completed["elapsed_time"] == pytest.approx(sum(durations.values()), abs=1e-5)
    assert sum(durations.values()) == pytest.approx(sum(one["elapsed_time"] for one in inner), abs=1e-4)
    assert completed["total_tokens"] == sum(one["execution_metadata"].get("total_tokens", 0) for one in inner)


def iteration_of(server: LocalServer, items: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    events = Client(server, "pipeline").ask("go", inputs={"items": "\n".join(items)})
    (done,) = [event["data"] for event in events if event["event"] == "iteration_completed"]
    return done, end_of(events)["metadata"]["usage"]


def test_twice_the_items_cost_twice_as_much(server: LocalServer) -> None:
    items = [f"item number {n}" for n in range(8)]
    (few, less), (many, more) = iteration_of(server, items[:4]), iteration_of(server, items)
    assert many["total_tokens"] == pytest.approx(2 * few["total_tokens"], rel=0.01)
    assert float(more["total_price"]) > 1.8 * float(less["total_price"])


def test_pauses_lie_outside_node_times(tmp_path: Path) -> None:
    """A slower pace makes the run longer and no node longer."""
    with local.serve(data_dir=tmp_path, pace=0.5) as slow:
        events = Client(slow, "pipeline").ask("alpha, beta")
    nodes = sum(event["data"]["elapsed_time"] for event in events if event["event"] == "node_finished")
    whole = ran(events)["elapsed_time"]
    texts = sum(event["event"] == "message" for event in events)
    assert whole - nodes > 0.5 * (5 * 0.15 + texts * 0.012) * 0.9


def test_inputs_change_the_answer(server: LocalServer) -> None:
    client = Client(server, "pipeline")
    assert "| item |" in answer_of(client.ask("alpha, beta", inputs={"style": "table"}))
    assert "- **alpha**" in answer_of(client.ask("alpha, beta", inputs={"style": "list"}))


def test_a_failing_node_fails_the_run(server: LocalServer, dialect: Dialect) -> None:
    client = Client(server, "pipeline")
    events = client.ask("fine, " + "x" * 501)
    check_fields(events, dialect)
    node, box = [event["data"] for event in events if event["event"] in ("node_finished", "iteration_completed")][-2:]
    if dialect == "0.15":
        node, box = box, node
    whole, message = ran(events), failure(events)
    assert node["status"] == box["status"] == "failed"
    assert whole["exceptions_count"] == 1
    if dialect == "0.15":
        assert node["outputs"] is whole["outputs"] is None
    else:
        assert node["outputs"] == whole["outputs"] == {}
        assert len(box["outputs"]["output"]) == 1
    if dialect == "1.16":
        assert events[-1]["event"] == "workflow_finished"
    else:
        error = events[-1]
        assert (error["event"], error["code"], error["status"]) == ("error", "invalid_param", 400)
    stored = client.messages(events[0]["conversation_id"])[0]
    assert (stored["status"], stored["answer"], stored["error"]) == ("error", "", message)
    again = client.post("/chat-messages", client.body("fine, " + "x" * 501, response_mode="blocking"))
    assert again.status_code == 400
    assert again.json() == {"code": "invalid_param", "message": message, "status": 400}


# -- framing -----------------------------------------------------------------------------------


def raw_stream(server: LocalServer, app: str, query: str, chunks: list[bytes], times: list[float]) -> bytes:
    """One request by hand: gives the header block, and fills in the HTTP chunks with their times."""
    place = urlsplit(server.url)
    body = json.dumps({"query": query, "inputs": {}, "user": "raw", "response_mode": "streaming"}).encode()
    with socket.create_connection((place.hostname, place.port), timeout=20) as raw:
        head = (
            f"POST /v1/chat-messages HTTP/1.1\r\nHost: {place.netloc}\r\n"
            f"Authorization: Bearer {server.api_key(app)}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        start = time.monotonic()
        raw.sendall(head.encode() + body)
        file = raw.makefile("rb")
        headers = b""
        while not headers.endswith(b"\r\n\r\n"):
            headers += file.readline()
        times.append(time.monotonic() - start)
        while size := int(file.readline(), 16):
            chunks.append(file.read(size))
            times.append(time.monotonic() - start)
            assert file.readline() == b"\r\n"
        assert file.readline() == b"\r\n"
        return headers


def test_framing_byte_for_byte(server: LocalServer, dialect: Dialect) -> None:
    """One event a chunk, `data: `, compact JSON in raw UTF-8, a blank line; no [DONE]. Dify 0.15 escapes and spaces."""
    escaped = dialect == "0.15"
    separators = (", ", ": ") if escaped else (",", ":")
    chunks: list[bytes] = []
    headers = raw_stream(server, "guide", "怎样上传文件？", chunks, []).decode().lower()
    assert headers.startswith("http/1.1 200 ok\r\n")
    assert "content-type: text/event-stream; charset=utf-8\r\n" in headers
    assert "transfer-encoding: chunked\r\n" in headers
    assert "access-control-allow-origin" not in headers
    assert "cache-control" not in headers
    for chunk in chunks:
        assert chunk.startswith(b'data: {"event": "' if escaped else b'data: {"event":"')
        assert chunk.endswith(b"}\n\n")
        assert chunk.count(b"\n") == 2
        text = chunk[6:-2].decode()
        assert text == json.dumps(json.loads(text), ensure_ascii=escaped, separators=separators)
    assert any((b"\\u6587" if escaped else "文件".encode()) in chunk for chunk in chunks)


def test_a_chatflow_is_greeted_since_it_has_a_worker_of_its_own(server: LocalServer, dialect: Dialect) -> None:
    """A ping, at once; and nothing behind the end of the run."""
    chunks: list[bytes] = []
    raw_stream(server, "pipeline", "alpha, beta", chunks, [])
    assert (chunks[0] == b"event: ping\n\n") == (dialect == "1.16")
    assert (b"workflow_finished" in chunks[-1]) == (dialect == "1.16")


def test_ping_comes_before_the_first_event_and_carries_the_headers(tmp_path: Path) -> None:
    """A slow app says nothing; the ping is all there is, and headers do not come without it."""
    chunks: list[bytes] = []
    times: list[float] = []
    with local.serve(data_dir=tmp_path, pace=40, ping_interval=0.25) as slow:
        # The first pause before the first word is as long as pace makes a step.
        waiting = threading.Thread(target=raw_stream, args=(slow, "guide", "hi", chunks, times), daemon=True)
        client = Client(slow, "guide", "raw")
        waiting.start()
        while len(chunks) < 4:
            time.sleep(0.02)
            assert waiting.is_alive()
        task = next(json.loads(chunk[6:])["task_id"] for chunk in chunks if chunk.startswith(b"data"))
        client.post(f"/chat-messages/{task}/stop", {"user": "raw"})
        waiting.join(10)
    assert chunks[0] == b"event: ping\n\n"
    pings = [at for chunk, at in zip(chunks, times[1:], strict=True) if chunk == b"event: ping\n\n"]
    assert len(pings) >= 3
    # Not before its time, counted from the beginning: so they do not drift apart either.
    assert all(at > 0.24 * number for number, at in enumerate(pings, start=1))
    assert times[0] <= pings[0]


# -- stop --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def watchable(tmp_path_factory: pytest.TempPathFactory, dialect: Dialect) -> Iterator[LocalServer]:
    with local.serve(data_dir=tmp_path_factory.mktemp("watchable"), pace=1, dialect=dialect) as running:
        yield running


STOPPED = [
    ("guide", "How do I send a file with a question?"),
    ("toolbox", "Tell me a joke"),
    ("pipeline", "\n".join(f"item {n}" for n in range(12))),
]


@pytest.mark.parametrize(("app", "query"), STOPPED, ids=[case[0] for case in STOPPED])
def test_stop(watchable: LocalServer, dialect: Dialect, app: str, query: str) -> None:
    """The stream ends with the stop (bench_local.py measures how soon), and what was said is in the history."""
    client, other = Client(watchable, app), Client(watchable, app)
    other.get("/info")  # a connection that is open already, so that the time measured is the stop's
    events: list[dict[str, Any]] = []
    asked = False
    for event in client.stream(query):
        events.append(event)
        told = event["event"]
        if not asked and (
            told == "node_finished" and event["data"]["iteration_id"] or len(answer_of(events)) > 20
        ):
            asked = True
            # Since 1.13 anyone can stop a chatflow's run.
            user = "somebody" if dialect == "1.16" and app == "pipeline" else client.user
            reply = other.post(f"/chat-messages/{event['task_id']}/stop", {"user": user})
            assert reply.status_code == 200
            assert reply.json() == {"result": "success"}
    assert asked
    if app == "pipeline":
        whole = ran(events)
        told = "Aborted: User requested stop" if dialect == "1.16" else "Stopped by user."
        assert (whole["status"], whole["error"]) == ("stopped", told)
    if app == "pipeline" and dialect == "1.16":
        assert names(events)[-1] == "workflow_finished"
        assert "message_end" not in names(events)
    else:
        assert names(events)[-1] == "message_end"
        usage = events[-1]["metadata"]["usage"]
        assert (usage["total_tokens"], usage["total_price"]) == (0, "0.0")
    stored = client.messages(events[0]["conversation_id"])[0]
    assert stored["answer"] == answer_of(events)
    assert (stored["status"], stored["error"]) == ("normal", None)


def test_only_the_user_who_asked_can_stop(watchable: LocalServer) -> None:
    client = Client(watchable)
    events: list[dict[str, Any]] = []
    for event in client.stream("hi"):
        if not events:
            for path, user in ((event["task_id"], "somebody"), ("bogus", client.user)):
                reply = Client(watchable).post(f"/chat-messages/{path}/stop", {"user": user})
                assert (reply.status_code, reply.json()) == (200, {"result": "success"})
            other = Client(watchable, "toolbox").post(
                f"/chat-messages/{event['task_id']}/stop", {"user": client.user}
            )
            assert other.status_code == 200
        events.append(event)
    assert events[-1]["metadata"]["usage"]["total_tokens"] > 0
    assert answer_of(events).rstrip().endswith("Where do keys come from?")


def finished(server: LocalServer, app: str, user: str, message: str, state: str) -> dict[str, Any]:
    """The row of a message in the store, once it is in this state."""

    async def wait() -> dict[str, Any]:
        end_user = await server._store.end_user(app, user)
        async with asyncio.timeout(10):
            while (row := await Conversations(server._store).message(app, end_user, message))["state"] != state:
                await asyncio.sleep(0.02)
            return row

    return asyncio.run(wait())


def test_a_client_that_goes_away_stops_nothing(watchable: LocalServer) -> None:
    """As with the real one: the run goes on, and its answer is not in the history."""
    client = Client(watchable)
    stream = client.stream("hi")
    conversation = next(stream)["conversation_id"]
    stream.close()
    message = client.messages(conversation)[0]
    row = finished(watchable, "guide", client.user, message["id"], "abandoned")
    assert row["answer"].endswith("Where do keys come from?"), "kept, though not told"
    again = client.messages(conversation)[0]
    assert (again["answer"], again["status"], again["error"]) == ("", "normal", None)


def test_a_chatflow_whose_client_goes_away_is_kept_whole(watchable: LocalServer, dialect: Dialect) -> None:
    """Since 1.13; before, it is as with a chat."""
    client = Client(watchable, "pipeline")
    stream = client.stream("xyzzy")
    conversation = next(stream)["conversation_id"]
    stream.close()
    kept = dialect == "1.16"
    message = client.messages(conversation)[0]["id"]
    row = finished(watchable, "pipeline", client.user, message, "done" if kept else "abandoned")
    again = client.messages(conversation)[0]
    assert (again["answer"], again["status"]) == (row["answer"] if kept else "", "normal")


def test_several_users_at_once(server: LocalServer) -> None:
    """Streams do not mix: each user gets own ids and the own answer."""
    found: dict[int, list[dict[str, Any]]] = {}

    def one(number: int) -> None:
        found[number] = Client(server, "toolbox", f"user-{number}").ask(f"What is {number}*1000?")

    threads = [threading.Thread(target=one, args=(number,)) for number in range(2, 22)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 20
    for number, events in found.items():
        assert f"**{number * 1000}**" in answer_of(events)
        assert len({event["task_id"] for event in events}) == 1
    assert len({events[0]["conversation_id"] for events in found.values()}) == 20
