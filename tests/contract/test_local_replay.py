"""Every recorded exchange with Dify 1.12.1, asked again: status, code, kind, fields, types, order of events.

Not in words: behind the recordings stood a stand-in for a model. Two tables name what is not the same:
`NOT_HERE`, where the recorded app or machine cannot be said on this server, and `DIFFERS`, where it
could and is answered otherwise, each with its reason. Both must be exact: a difference that is not in
the table fails, and so does a line in the table that is none any more.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from contract import declared_apps
from contract.exchanges import load_exchanges
from contract.replay import PIXEL, Replay, Stage, compare_streams, compare_values
from contract.replay_apps import APPS
from contract.streams import Recording, load, load_plain
from local_helpers import Sounds
from support.fake_model import FakeModel, words
from support.loopback import Web, closed_origin

from dify_notebook import local

NOT_HERE = {
    # An app of a kind that the chat API is not about.
    "*__completion*": "a completion app",
    "*__workflow*": "a workflow app",
    "*__wrong-mode-completion": "a completion app",
    "*__wrong-mode-workflow": "a workflow app",
    "workflows-run__ok-streaming": "a workflow app",
    # Nodes that run foreign code, or belong to plugins.
    "*__failflow-code-*ing": "a node with code of its own",
    "chat-messages__richflow-streaming": "a tool node of a plugin",
    "chat-messages__agentflow-*": "an agent node of a plugin",
    "messages__agentflow-toolerr": "an agent node of a plugin",
    # What a proxy says of a server that is down, or for itself.
    "nginx__upstream-down-502*": "a proxy without its server",
    "nginx__outside-v1-404": "a proxy's own page",
    "nginx__upload-16MB-413": "a proxy's own limit",
    "health__ok": "not of the Service API",
    # The recorder stopped or left in the middle; the tests of streams do that with clocks.
    "chat-messages-stop__chatflow-stopped-by-same-user": "a stop in the middle",
}
DIFFERS = {
    # 1.12.1 crashes with a 500, or says something else than its documents: here it is as documented.
    "annotation-reply__*-frobnicate": "any other action is a 500 there",
    "audio-to-text__basic-chat-no-file": "another code than the documented no_audio_uploaded",
    "audio-to-text__basic-chat-webm": "a documented type is refused there",
    "chat-messages-errors__*-json-array": "a body that is no object is a 500 there",
    "chat-messages-errors__basic-chat-long-user": "a long user is a 500 there",
    "conversation-variables__*-by-name*": "variable_name is a 500 there",
    "conversation-variables__*-last_id-bogus": "400 without a message there, 404 in the documents",
    "delete__*-again": "204 for anything there, 404 in the documents",
    "delete__*-bogus": "204 for anything there, 404 in the documents",
    "delete__*-no-user": "204 for anything there, 404 in the documents",
    "delete__*-other-user*": "another user's conversation is deleted there",
    "end-users__bogus": "the route is not in 1.12.1; the documents have end_user_not_found",
    "rename__*-long": "a long name is a 500 there",
    "suggested__*-after-delete": "a 500 there",
    # Where this server is stricter on purpose.
    "chat-messages-errors__*-file-remote-no-url": "a file without an address is accepted there",
    "text-to-audio__*-bad-voice": "a named voice speaks there although speech is off",
    "text-to-audio__*-voice": "a named voice speaks there although speech is off",
    "root__bare-404": "this server has a page of its own outside /v1",
    # What the recorded app's stored settings lack.
    "parameters__ghost-provider": "no voice and language in the stored settings",
    "parameters__no-model": "no voice and language in the stored settings",
}


def recorded() -> dict[str, Recording]:
    every = {**load(), **load_plain(), **load_exchanges()}
    return {name.removeprefix("1.12.1/"): one for name, one in every.items() if name.startswith("1.12.1/")}


def reason(case: str, table: dict[str, str]) -> str | None:
    return next((why for pattern, why in table.items() if fnmatchcase(case, pattern)), None)


class Picture(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(PIXEL)))
        self.end_headers()
        self.wfile.write(PIXEL)

    def log_message(self, *args: object) -> None:
        """Nothing on stderr."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    pictures = HTTPServer(("127.0.0.1", 0), Picture)
    thread = threading.Thread(target=pictures.serve_forever, daemon=True)
    thread.start()
    origin = f"http://127.0.0.1:{pictures.server_port}"
    where = tmp_path_factory.mktemp("replay")
    with Web() as web, FakeModel(lambda body: words(str(body["messages"][-1]["content"]))) as model:
        nothing = closed_origin()
        declared = [
            declared_apps.failflow(web.origin, nothing), declared_apps.iterfail(web.origin),
            declared_apps.richflow(web.origin), declared_apps.multianswer(web.origin),
        ]  # fmt: skip
        failing = declared[0]["nodes"]
        assert failing.pop()["id"] == "plain"
        failing += [
            {"id": "plain", "type": "http-request", "url": f"{nothing}/plain", "next": "ans_plain"},
            {"id": "ans_plain", "type": "answer", "answer": "{{ plain.body }}"},
        ]
        with local.serve(
            data_dir=where,
            pace=0,
            apps=[*APPS, *declared],
            speech=Sounds(),
            allow=[origin, web.origin, nothing],
            model_url=model.url,
            model="stub",
        ) as server:
            stage = Stage(server, f"{origin}/x.png")
            yield stage
            stage.close()
    pictures.shutdown()
    pictures.server_close()
    thread.join()


@pytest.mark.slow
def test_recorded_exchanges(stage: Stage) -> None:
    told = recorded()
    assert len(told) == 1065
    said_here = {case: one for case, one in told.items() if reason(case, NOT_HERE) is None}
    different: dict[str, list[str]] = {}
    for case, one in said_here.items():
        if found := Replay(stage, one).differences():
            different[case] = found
    unexplained = {case: found for case, found in different.items() if reason(case, DIFFERS) is None}
    assert unexplained == {}, "\n".join(f"{case}: {found}" for case, found in unexplained.items())
    for pattern in DIFFERS:
        assert any(fnmatchcase(case, pattern) for case in different), f"{pattern} is answered alike by now"
    same = len(said_here) - len(different)
    plain = [case for case in said_here if not case.startswith("history-export")]
    alike = len([case for case in plain if case not in different])
    print(f"\n{alike} of {len(plain)} are alike without the long exports of lists, which are many of a kind")
    print(f"{len(told)} recorded, {len(said_here)} can be said here, {same} are answered alike")
    for case in sorted(different):
        print(f"  {case}: {reason(case, DIFFERS)}")
    assert same >= 0.8 * len(said_here)
    assert alike >= 0.8 * len(plain)


def test_the_tables_have_no_line_too_many() -> None:
    told = recorded()
    for table in (NOT_HERE, DIFFERS):
        for pattern in table:
            assert any(fnmatchcase(case, pattern) for case in told), pattern


TOLD = {"id": "x", "count": 1, "tags": [{"a": 1, "b": None}], "inputs": {"free": 1}, "on": True}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (TOLD, []),
        ({**TOLD, "inputs": {}, "count": 2.5, "id": None, "tags": []}, []),
        ({**TOLD, "count": "1"}, [".count is string, was number"]),
        ({**TOLD, "on": 1}, [".on is number, was boolean"]),
        ({name: one for name, one in TOLD.items() if name != "id"}, [".id is missing"]),
        ({**TOLD, "more": 1}, [".more is new"]),
        ({**TOLD, "tags": [{"a": 1}]}, [".tags[].b is missing"]),
        ({**TOLD, "code": "not_found"}, ["code None -> not_found", ".code is new"]),
    ],
)
def test_values_are_held_against_each_other(answer: Any, found: list[str]) -> None:
    assert list(compare_values(TOLD, answer)) == found


def test_streams_are_held_against_each_other() -> None:
    def stream(*events: dict[str, Any]) -> bytes:
        return b"event: ping\n\n" + b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in events)

    text, end = {"event": "message", "answer": "a"}, {"event": "message_end", "id": "x"}
    assert list(compare_streams(stream(text, text, end), stream(text, end), whole=True)) == []
    assert list(compare_streams(stream(text, end), stream(text), whole=False)) == []
    for answer in (stream(text), stream(end, text), stream(text, end, {"event": "other"})):
        assert any("order" in one for one in compare_streams(stream(text, end), answer, whole=True))
    assert list(compare_streams(stream(text, end), stream({**text, "new": 1}, end), whole=True)) == [
        "message.new is new"
    ]
