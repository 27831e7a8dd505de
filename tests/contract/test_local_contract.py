"""What the embedded server adds up to: annotations, moderation, sound, playback, who may reach it."""

from __future__ import annotations

import base64
import json
import queue
import re
import socket
import sqlite3
import threading
import time
import uuid
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_helpers import NOWHERE, Client, Sounds, answer_of, end_of, events_of, names

from dify_notebook import Dify, local
from dify_notebook.local.engine import fetch as fetching
from dify_notebook.local.engine.app import App, Moderation, Voice
from dify_notebook.local.engine.forms import FileRules
from dify_notebook.local.engine.run import Run
from dify_notebook.local.server import LocalServer, LocalServerError
from dify_notebook.local.server.guard import Guard
from dify_notebook.local.store import schema
from dify_notebook.local.store.annotations import Question, similarity
from dify_notebook.tape import Tape

SETTINGS = {"score_threshold": 0.7, "embedding_provider_name": "none", "embedding_model_name": "none"}


async def echo(run: Run) -> None:
    await run.say(f"You said: {run.query}")


def app(name: str, **more: Any) -> App:
    known: dict[str, Any] = {
        "mode": "chat", "description": "", "icon": "🤖", "opening": "Hello {{city}}", "suggested_questions": (),
        "answer": echo, "suggest": lambda message: [],
    }  # fmt: skip
    return App(name=name, **{**known, **more})


@pytest.fixture(scope="module")
def pictures() -> Iterator[str]:
    """Another server: a picture, a redirect to it, a redirect away, and too much."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            places = {"/here": "/a.png", "/away": "http://127.0.0.1:9/secret", "/round": "/round"}
            if self.path in places:
                self.send_response(302)
                self.send_header("Location", places[self.path])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = b"x" * (16 * 2**20 if self.path == "/huge.png" else 5)
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Nothing on stderr."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, pictures: str) -> Iterator[LocalServer]:
    apps = [
        app("plain"),
        app("moderated", moderation=Moderation(("secret",), "You may not ask that.", "I may not say that.")),
        app("speaking", voice=Voice("alloy", auto_play=True), hears=True),
        app("looking", files=FileRules(("image",), (".png",), 3, ("local_file", "remote_url"))),
        app("narrow", at_once=1, answer=slow),
        app("quiet", suggests=False),
        app("switched-off", closed="disabled"),
    ]
    where = tmp_path_factory.mktemp("contract")
    with local.serve(data_dir=where, pace=0, apps=apps, speech=Sounds(), allow=[pictures]) as running:
        yield running


async def slow(run: Run) -> None:
    run.delta("one")
    await run.unless_stopped(forever())


async def forever() -> None:
    import asyncio

    await asyncio.Event().wait()


@pytest.fixture
def plain(server: LocalServer) -> Client:
    return Client(server, "plain", f"user-{uuid.uuid4()}")


# -- annotations -------------------------------------------------------------------------------


def test_a_matching_annotation_answers_and_is_counted(plain: Client) -> None:
    made = plain.post("/apps/annotations", {"question": "What is the answer?", "answer": "42 你好"})
    assert made.status_code == 201
    assert made.json()["hit_count"] == 0
    key = made.json()["id"]
    assert answer_of(plain.ask("What is the answer?")) == "You said: What is the answer?", "off until enabled"
    job = plain.post("/apps/annotation-reply/enable", SETTINGS).json()
    assert job["job_status"] == "waiting"
    status = plain.http.get(f"/apps/annotation-reply/enable/status/{job['job_id']}").json()
    assert status == {"job_id": job["job_id"], "job_status": "completed", "error_msg": ""}
    try:
        told = plain.get("/parameters").json()["annotation_reply"]
        assert (told["enabled"], told["score_threshold"]) == (True, 0.7)
        for asked in ("What is the answer?", "what is THE answer", "What's the answer?"):
            events = plain.ask(asked)
            assert answer_of(events) == "42 你好", asked
            assert events[-1]["metadata"]["annotation_reply"]["id"] == key
            assert set(events[-1]["metadata"]["annotation_reply"]["account"]) == {"id", "name"}
            assert events[-1]["metadata"]["usage"]["total_tokens"] == 0
        body = plain.body("What is the answer?", response_mode="blocking")
        blocking = plain.post("/chat-messages", body).json()
        assert blocking["metadata"]["annotation_reply"]["id"] == key
        assert plain.messages(events[0]["conversation_id"])[0]["answer"] == "42 你好"
        assert answer_of(plain.ask("How tall is a giraffe?")).startswith("You said")
        listed = plain.http.get("/apps/annotations").json()["data"]
        assert [one["hit_count"] for one in listed if one["id"] == key] == [4]
        other = Client(plain_server(plain), "quiet").ask("What is the answer?")
        assert answer_of(other).startswith("You said"), "another app has its own"
    finally:
        plain.post("/apps/annotation-reply/disable", SETTINGS)
    assert answer_of(plain.ask("What is the answer?")).startswith("You said")
    assert plain.get("/parameters").json()["annotation_reply"] == {"enabled": False}


def plain_server(client: Client) -> LocalServer:
    """The server that a client speaks to."""
    from dify_notebook.local.server.process import _servers

    return next(one for one in _servers.values() if str(client.http.base_url).startswith(one.url))


def test_annotations_are_listed_changed_and_deleted(server: LocalServer) -> None:
    client = Client(server, "guide")
    keys = [
        client.post("/apps/annotations", {"question": f"Q{n} 100%_", "answer": f"A{n}"}).json()["id"] for n in range(5)
    ]
    page = client.http.get("/apps/annotations", params={"limit": 2, "page": 2}).json()
    assert [one["id"] for one in page["data"]] == [keys[2], keys[1]], "newest first"
    assert {name: page[name] for name in ("has_more", "limit", "total", "page")} == {
        "has_more": True, "limit": 2, "total": 5, "page": 2,
    }  # fmt: skip
    assert client.http.get("/apps/annotations", params={"limit": 2, "page": 3}).json()["has_more"] is False
    for keyword, count in (("Q3", 1), ("a4", 1), ("100%_", 5), ("100x_", 0), ("\\", 0)):
        found = client.http.get("/apps/annotations", params={"keyword": keyword}).json()
        assert found["total"] == count, keyword
    for odd in ({"page": "0"}, {"limit": "0"}, {"limit": "abc"}, {"page": "-3"}, {"page": "9" * 30}):
        assert client.http.get("/apps/annotations", params=odd).status_code == 200, odd
    path = f"/apps/annotations/{keys[0]}"
    assert client.http.put(path, json={"question": "new", "answer": ""}).json()["question"] == "new"
    deleted = client.http.delete(path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    for gone in (client.http.delete(path), client.http.put(path, json={"question": "x", "answer": "y"})):
        assert (gone.status_code, gone.json()["code"]) == (404, "not_found")
    other = Client(server, "toolbox")
    assert other.http.delete(f"/apps/annotations/{keys[1]}").status_code == 404
    assert other.http.get("/apps/annotations").json()["total"] == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "question"), ({"question": "q"}, "answer"), ({"question": None, "answer": "a"}, "question")],
)
def test_an_annotation_that_says_too_little(plain: Client, body: dict[str, Any], field: str) -> None:
    reply = plain.post("/apps/annotations", body)
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_param")
    assert f"\n{field}\n" in reply.json()["message"]


def test_jobs_belong_to_their_action_and_app(plain: Client, server: LocalServer) -> None:
    job = plain.post("/apps/annotation-reply/disable", SETTINGS).json()["job_id"]
    for client, action, key in (
        (plain, "enable", job), (plain, "disable", NOWHERE), (Client(server, "guide"), "disable", job),
    ):  # fmt: skip
        reply = client.http.get(f"/apps/annotation-reply/{action}/status/{key}")
        assert (reply.status_code, reply.json()["message"]) == (400, "The job does not exist.")
    assert plain.post("/apps/annotation-reply/frobnicate", SETTINGS).status_code == 400
    assert plain.post("/apps/annotation-reply/enable", {}).status_code == 400
    assert plain.post("/apps/annotation-reply/enable", {**SETTINGS, "score_threshold": "1"}).status_code == 400


def test_similarity() -> None:
    assert similarity("What is Dify?", "  what IS dify ") == 1
    assert similarity("", "") == similarity("?", "!") == 0
    assert similarity("怎样上传文件？", "怎样上传文件") == 1
    assert 0.5 < similarity("How do I stop a cell?", "How do I stop the cell") < 1
    assert similarity("How do I stop a cell?", "What is the capital of France?") < 0.3
    assert similarity("a", "b") == 0


@given(st.text(max_size=30), st.text(max_size=30), st.floats(0, 1))
def test_a_bound_leaves_out_nothing_that_reaches_it(one: str, other: str, least: float) -> None:
    found = similarity(one, other)
    assert found == similarity(other, one)
    bound = Question(one).likeness(other, least)
    assert bound == found or (bound == 0 and found < least)


# -- feedback, end users, names -----------------------------------------------------------------


def test_feedback_of_all_users_of_an_app(server: LocalServer) -> None:
    before = Client(server, "pipeline").http.get("/app/feedbacks").json()["data"]
    assert before == []
    for number in range(3):
        client = Client(server, "pipeline", f"rater-{number}")
        message = client.ask("hello")[0]["message_id"]
        rated = {"rating": "like" if number else "dislike", "content": f"c{number}", "user": client.user}
        assert client.post(f"/messages/{message}/feedbacks", rated).status_code == 200
    found = client.http.get("/app/feedbacks").json()["data"]
    assert [one["content"] for one in found] == ["c2", "c1", "c0"]
    assert found[2]["rating"] == "dislike"
    assert found[0]["message_id"] == message
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found[0]["created_at"])
    second = client.http.get("/app/feedbacks", params={"page": 2, "limit": 2}).json()["data"]
    assert [one["content"] for one in second] == ["c0"]
    for bad in ({"limit": 0}, {"limit": 102}, {"page": 0}, {"limit": "abc"}):
        assert client.http.get("/app/feedbacks", params=bad).status_code == 400, bad
    who = client.http.get(f"/end-users/{found[0]['from_end_user_id']}").json()
    assert (who["session_id"], who["app_id"]) == ("rater-2", found[0]["app_id"])
    for client in (Client(server, "guide"), Client(server, "plain")):
        gone = client.http.get(f"/end-users/{found[0]['from_end_user_id']}")
        assert (gone.status_code, gone.json()["code"]) == (404, "end_user_not_found")


def test_opening_statements_are_filled_in(server: LocalServer, tmp_path: Path) -> None:
    from dify_notebook.local.engine.forms import Control

    asking = app("asking", form=(Control("text-input", "city", "City"),))
    with local.serve(data_dir=tmp_path, pace=0, apps=[asking]) as own:
        client = Client(own, "asking")
        client.ask("hi", inputs={"city": "Paris"})
        assert client.get("/conversations").json()["data"][0]["introduction"] == "Hello Paris"


def test_suggestions_may_be_off(server: LocalServer) -> None:
    client = Client(server, "quiet")
    message = client.ask("hi")[0]["message_id"]
    reply = client.get(f"/messages/{message}/suggested")
    assert (reply.status_code, reply.json()["message"]) == (400, "Suggested Questions Is Disabled.")


def test_an_app_whose_api_is_off(server: LocalServer) -> None:
    reply = Client(server, "switched-off").get("/info")
    assert (reply.status_code, reply.json()["code"]) == (403, "forbidden")


def test_an_app_that_answers_one_at_a_time(server: LocalServer) -> None:
    client = Client(server, "narrow")
    stream = client.stream("hi")
    first = next(stream)
    refused = client.post("/chat-messages", client.body("me too"))
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_param")
    assert refused.json()["message"].startswith("Too many requests.")
    client.post(f"/chat-messages/{first['task_id']}/stop", {"user": client.user})
    assert list(stream)[-1]["event"] == "message_end"


def test_of_many_that_ask_at_the_same_moment_one_is_answered(server: LocalServer) -> None:
    together = threading.Barrier(8)
    tasks: queue.SimpleQueue[tuple[Client, str | None]] = queue.SimpleQueue()

    def ask(number: int) -> None:
        client = Client(server, "narrow", f"user-{number}")
        client.http.get("/info")
        together.wait(10)
        with client.http.stream("POST", "/chat-messages", json=client.body("x")) as answer:
            if answer.status_code == 200:
                told = events_of(answer.iter_bytes())
                tasks.put((client, next(told)["task_id"]))
                assert list(told)[-1]["event"] == "message_end"
            else:
                assert answer.status_code == 400
                tasks.put((client, None))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    found = [tasks.get(timeout=10) for _ in threads]
    for client, task in found:
        if task is not None:
            Client(server, "narrow").post(f"/chat-messages/{task}/stop", {"user": client.user})
    for thread in threads:
        thread.join()
    assert len([task for _, task in found if task]) == 1


# -- moderation and sound -----------------------------------------------------------------------


def test_moderation_of_question_and_answer(server: LocalServer) -> None:
    client = Client(server, "moderated")
    asked = client.ask("tell me the SECRET")
    assert names(asked) == ["message", "message_end"]
    assert answer_of(asked) == "You may not ask that."
    saying = app("saying", moderation=Moderation(("said",), None, "I may not say that."))
    assert saying.parameters()["sensitive_word_avoidance"]["enabled"] is True


def test_an_answer_that_may_not_be_said_is_replaced(tmp_path: Path) -> None:
    saying = app("saying", moderation=Moderation(("you said",), None, "I may not say that."))
    with local.serve(data_dir=tmp_path, pace=0, apps=[saying]) as server:
        client = Client(server, "saying")
        events = client.ask("hello")
        assert names(events) == ["message", "message_replace", "message_end"]
        assert answer_of(events) == "You said: hello", "that was already heard"
        assert (events[-2]["answer"], events[-2]["reason"]) == ("I may not say that.", "")
        assert client.messages(events[0]["conversation_id"])[0]["answer"] == "I may not say that."
        with Dify(server.api_key("saying"), server.base_url, user="u") as dify:
            assert dify.chat.send("hello").answer == "I may not say that."


def test_an_answer_is_spoken_after_its_end(server: LocalServer) -> None:
    events = Client(server, "speaking").ask("hello " * 400)
    assert names(events)[:2] == ["message", "message_end"]
    assert set(names(events)[2:-1]) == {"tts_message"}
    assert (events[-1]["event"], events[-1]["audio"]) == ("tts_message_end", "")
    sound = b"".join(base64.b64decode(one["audio"]) for one in events if one["event"] == "tts_message")
    assert sound == Sounds().speak(answer_of(events), "", "")[0]
    with Dify(server.api_key("speaking"), server.base_url, user="u") as dify:
        assert dify.chat.send("hello").status == "succeeded"


def test_speaking_and_hearing(server: LocalServer) -> None:
    client = Client(server, "speaking")
    spoken = client.post("/text-to-audio", {"text": "你好", "user": "u"})
    assert (spoken.headers["content-type"], spoken.headers["transfer-encoding"]) == ("audio/mpeg", "chunked")
    heard = client.http.post("/audio-to-text", files={"file": ("a.mp3", spoken.content, "audio/mp3")})
    assert heard.json() == {"text": "你好"}
    message = client.ask("hi")[0]["message_id"]
    assert client.post("/text-to-audio", {"message_id": message}).content == b"ID3\x04You said: hi"
    assert client.post("/text-to-audio", {"message_id": NOWHERE}).json() is None
    assert client.post("/text-to-audio", {}).json()["message"] == "Text is required"
    wrong = client.http.post("/audio-to-text", files={"file": ("a.txt", b"x", "text/plain")})
    assert (wrong.status_code, wrong.json()["code"]) == (415, "unsupported_audio_type")
    none = client.http.post("/audio-to-text", files={"other": ("a.mp3", b"x", "audio/mp3")})
    assert (none.status_code, none.json()["code"]) == (400, "no_audio_uploaded")


def test_without_an_engine_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dify_notebook.local.engine.speech.find_speech", lambda: None)
    with local.serve(data_dir=tmp_path, pace=0, apps=[app("mute", voice=Voice(auto_play=True), hears=True)]) as own:
        client = Client(own, "mute")
        spoken = client.post("/text-to-audio", {"text": "x"})
        assert (spoken.status_code, spoken.json()["code"]) == (400, "provider_not_initialize")
        heard = client.http.post("/audio-to-text", files={"file": ("a.mp3", b"x", "audio/mp3")})
        assert (heard.status_code, heard.json()["code"]) == (400, "provider_not_support_speech_to_text")
        assert names(client.ask("hi")) == ["message", "message_end"]
        guide = Client(own, "guide")
        assert guide.post("/text-to-audio", {"text": "x"}).json()["message"] == "TTS is not enabled"
        refused = guide.http.post("/audio-to-text", files={"file": ("a.mp3", b"x", "audio/mp3")})
        assert refused.json()["message"] == "Speech to text is disabled."


# -- what it fetches ----------------------------------------------------------------------------


def test_remote_files_come_from_the_allow_list_only(server: LocalServer, pictures: str) -> None:
    client = Client(server, "looking")

    def ask(url: str) -> httpx.Response:
        files = [{"type": "image", "transfer_method": "remote_url", "url": url}]
        return client.post("/chat-messages", client.body("look", files=files, response_mode="blocking"))

    for path in ("/a.png", "/here"):
        answer = ask(pictures + path)
        assert answer.status_code == 200, answer.text
    told = client.messages(answer.json()["conversation_id"])[0]["message_files"][0]
    assert told["transfer_method"] == "remote_url"
    for url, why in (
        (f"{pictures}/away", "allow-list"),
        (f"{pictures}/round", "redirects"),
        (f"{pictures}/huge.png", "larger"),
        ("http://127.0.0.1:9/a.png", "allow-list"),
        (pictures.replace("127.0.0.1", "localhost") + "/a.png", "allow-list"),
        (pictures.replace("http://", "http://u:p@") + "/a.png", "allow-list"),
        ("file:///etc/passwd", "allow-list"),
        ("http://[", "allow-list"),
    ):
        refused = ask(url)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_param"), url
        assert why in refused.json()["message"], url


def test_origins() -> None:
    allow = ["http://127.0.0.1:8080", "https://example.org"]
    for url in ("http://127.0.0.1:8080/a?b", "https://EXAMPLE.org:443/x"):
        assert fetching.allowed(url, allow), url
    for url in (
        "http://127.0.0.1:8081/", "https://127.0.0.1:8080/", "http://example.org/", "https://example.org.evil.net/",
        "https://example.org@evil.net/", "http://127.0.0.1:8080@evil.net/", "ftp://example.org/", "", "http://",
        "http://127.0.0.1:99999/",
    ):  # fmt: skip
        assert not fetching.allowed(url, allow), url
    assert not fetching.allowed("http://127.0.0.1/", [])


# -- playback ------------------------------------------------------------------------------------


@pytest.fixture
def tape(server: LocalServer, tmp_path: Path) -> Path:
    with Dify(server.api_key("pipeline"), server.base_url, user="taper") as dify:
        turn = dify.chat.send("alpha, beta")
    recorded = turn.tape
    return spread(recorded, 0.5).save(tmp_path / "run.tape.gz")


def spread(recorded: Tape, seconds: float) -> Tape:
    """So long for all of it, whatever this machine took."""
    count = len(recorded.entries)
    even = Tape(recorded.header)
    even.entries.extend((seconds * at / (count - 1), frame) for at, (_, frame) in enumerate(recorded.entries))
    return even


@pytest.mark.parametrize(("seconds", "speed", "least"), [(0.5, 1.0, 0.45), (100.0, 250.0, 0.36), (100.0, 0.0, 0.0)])
def test_a_tape_plays_in_its_own_time_or_faster(
    tape: Path, tmp_path: Path, seconds: float, speed: float, least: float
) -> None:
    played = spread(Tape.load(tape), seconds)
    told = played.replay()
    with local.serve(data_dir=tmp_path / "data", play=played, speed=speed) as server:
        with Dify(server.api_key("guide"), server.base_url, user="other") as dify:
            dify.app.info()  # a connection that is open already
            start = time.monotonic()
            turn = dify.chat.send("anything")
            took = time.monotonic() - start
        assert least <= took < 50, "not in its own time"
        assert turn.events is not None
        assert told.events is not None
        assert (turn.answer, turn.status, len(turn.events)) == (told.answer, "succeeded", len(told.events))
        assert turn.nodes is not None
        assert told.nodes is not None
        assert [node.title for node in turn.nodes] == [node.title for node in told.nodes]
        blocking = Client(server).post("/chat-messages", Client(server).body("x", response_mode="blocking"))
        assert blocking.json()["answer"] == told.answer


def test_tapes_take_turns_and_can_be_stopped(tape: Path, tmp_path: Path) -> None:
    other = Tape()
    ids = {"task_id": "t", "message_id": NOWHERE, "conversation_id": NOWHERE, "created_at": 1}
    for at, event in ((0.0, {"event": "message", "answer": "first"}), (30.0, {"event": "message", "answer": "late"})):
        other.entries.append((at, ("", json.dumps({**event, **ids}).encode())))
    with local.serve(data_dir=tmp_path / "data", play=[other, tape], speed=1) as server:
        client = Client(server)
        stream = client.stream("x")
        assert next(stream)["answer"] == "first"
        client.post("/chat-messages/t/stop", {"user": client.user})
        start = time.monotonic()
        assert list(stream) == []
        assert time.monotonic() - start < 15, "not when the tape's next event was due"
        assert end_of(client.ask("x"))


def test_what_cannot_be_played(tmp_path: Path) -> None:
    bad = tmp_path / "bad.gz"
    bad.write_bytes(b"no tape")
    for play in (bad, tmp_path / "none", Tape()):
        with pytest.raises(LocalServerError):
            local.serve(data_dir=tmp_path / "data", play=play)


# -- who may reach it ----------------------------------------------------------------------------


def test_another_host_is_warned_about(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="every machine"):
        own = local.serve(data_dir=tmp_path, pace=0, host="0.0.0.0")
    with own:
        assert own.base_url.startswith("http://127.0.0.1:")
        client = Client(own)
        assert client.get("/info").status_code == 200
        assert client.http.get("/info", headers={"Host": "192.168.1.7:80"}).status_code == 200
        assert client.http.get("/info", headers={"Host": "evil.example"}).status_code == 403
        # Links have the name under which the server was reached: another machine's 127.0.0.1 is itself.
        file = {"file": ("a.txt", b"x", "text/plain")}
        told = client.http.post("/files/upload", files=file, headers={"Host": "192.168.1.7:80"}).json()["source_url"]
        assert told.startswith("http://192.168.1.7:80/files/")
        assert client.http.get(own.url + told.removeprefix("http://192.168.1.7:80")).content == b"x"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for host in ("127.0.0.1", "LOCALHOST"):
            local.serve(data_dir=tmp_path, pace=0, host=host).close()


@pytest.mark.parametrize(
    ("host", "header", "good"),
    [
        ("127.0.0.1", "localhost:1", True), ("127.0.0.1", "192.168.1.7", False), ("192.168.1.7", "192.168.1.7:5", True),
        ("192.168.1.7", "192.168.1.8", False), ("::", "[fe80::1]:80", True), ("0.0.0.0", "evil.example", False),
        ("box.example", "BOX.example:80", True), ("box.example", "evil.example", False), ("0.0.0.0", "", False),
    ],
)  # fmt: skip
def test_hosts(host: str, header: str, good: bool) -> None:
    async def nothing(*args: Any) -> None: ...

    assert Guard(nothing, host)._answers_to(header) is good


def test_pages_of_others_may_read_only_when_asked_for(tmp_path: Path) -> None:
    asked = {"Origin": "http://127.0.0.1:3000"}
    with local.serve(data_dir=tmp_path, pace=0, cors=["http://127.0.0.1:3000"]) as own:
        client = Client(own)
        assert client.http.get("/info", headers=asked).headers["access-control-allow-origin"] == asked["Origin"]
        other = client.http.get("/info", headers={"Origin": "http://evil.example"})
        assert "access-control-allow-origin" not in other.headers
    with local.serve(data_dir=tmp_path, pace=0) as own:
        assert "access-control-allow-origin" not in Client(own).http.get("/info", headers=asked).headers


@pytest.mark.parametrize("wrong", [{"dialect": "2"}, {"ping_interval": 0}, {"speed": -1}, {"pace": 1000}])
def test_options_that_make_no_sense(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(LocalServerError):
        local.serve(data_dir=tmp_path, **wrong)


# -- migrations ----------------------------------------------------------------------------------


def test_a_file_of_version_1_is_brought_up(tmp_path: Path) -> None:
    """The first version's own script, with rows in it, opened by today's server."""
    with local.serve(data_dir=tmp_path, pace=0):
        pass  # makes the keys
    database = tmp_path / "store.sqlite3"
    for name in ("store.sqlite3", "store.sqlite3-wal", "store.sqlite3-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    old = sqlite3.connect(database)
    old.executescript(f"BEGIN; {schema.SCRIPTS[0]}; PRAGMA user_version = 1; COMMIT;")
    user, conversation, message = (str(uuid.uuid4()) for _ in range(3))
    old.execute("INSERT INTO end_users VALUES (?, 'guide', 'tester', 1)", (user,))
    old.execute(
        "INSERT INTO conversations VALUES (1, ?, 'guide', ?, 'Old', '{}', '', 1, 1, 1, 1)", (conversation, user)
    )
    old.execute(
        "INSERT INTO messages VALUES (1, ?, ?, 'q', '{}', 'an old answer', 'done', NULL, 1, 1, NULL, '[]', NULL)",
        (message, conversation),
    )
    old.commit()
    old.close()
    with local.serve(data_dir=tmp_path, pace=0) as server:
        client = Client(server)
        assert client.messages(conversation)[0]["answer"] == "an old answer"
        assert client.ask("How do I stop a cell?", conversation_id=conversation)[-1]["event"] == "message_end"
        assert client.post("/apps/annotations", {"question": "q", "answer": "a"}).status_code == 201
    opened = sqlite3.connect(database)
    assert opened.execute("PRAGMA user_version").fetchone() == (len(schema.SCRIPTS),)
    opened.close()


# -- speed and the command line ------------------------------------------------------------------


def test_a_kept_connection_does_not_wait(server: LocalServer) -> None:
    """Headers and body are two writes; with Nagle's algorithm on, the second waits for 40 ms, every time."""
    with Client(server) as client:
        client.get("/info")
        plugs = [one.transport.get_extra_info("socket") for one in server._uvicorn.server_state.connections]
        assert plugs
        assert all(plug.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for plug in plugs)


def test_the_command_line_takes_the_options(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import argparse

    from dify_notebook.local.__main__ import main
    from dify_notebook.local.options import DIALECTS, add_arguments, from_arguments

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    line = f"--ping 2 --dialect 0.15 --faults drop=5 --play {tape} --speed 10 --allow http://a --cors http://b"
    options = from_arguments(parser.parse_args(line.split()))
    assert (options.ping_interval, options.dialect, options.faults) == (2.0, "0.15", ("drop=5",))
    assert (len(options.play), options.speed) == (1, 10.0)
    assert (options.allow, options.cors) == (("http://a",), ("http://b",))
    for dialect in DIALECTS:
        assert from_arguments(parser.parse_args(["--dialect", dialect])).dialect == dialect
    assert from_arguments(parser.parse_args([])).dialect == "1.16"
    assert from_arguments(parser.parse_args(["--faults"])).faults is True
    assert from_arguments(parser.parse_args([])).faults is False
    for wrong in (["--speed", "-1"], ["--play", "none.gz"], ["--ping", "0"], ["--dialect", "3"]):
        with pytest.raises(SystemExit):
            main(wrong)
    assert "usage" in capsys.readouterr().err
    no_tape = tape.with_name("no tape.gz")
    no_tape.write_bytes(b"no tape")
    assert main(["--play", str(no_tape)]) == 1
    told = capsys.readouterr().err
    assert "is no tape" in told
    assert "usage" not in told
