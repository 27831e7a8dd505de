"""Every recorded exchange with Dify, asked again: status, code, kind, fields, types, order of events.

Each version's of its dialect. Not in words: behind the recordings stood a stand-in for a model. Two tables name what is not the same: `NOT_HERE`, where the recorded app or machine
cannot be said on this server, and `DIFFERS`, where it could and is answered otherwise, each with its reason. Both must be exact: a difference that is not in
the table fails, and so does a line in the table that is none any more.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from contract import declared_apps, replay_apps, replay_apps_116
from contract.exchanges import load_exchanges
from contract.expected_replay import DIFFERS, NOT_HERE
from contract.replay import PIXEL, Replay, Stage, compare_streams, compare_values
from contract.run_stage import is_other
from contract.streams import Recording, load, load_blocking, load_plain
from local_helpers import Sounds
from support.fake_model import FakeModel, Said, words
from support.loopback import Web, closed_origin

from dify_notebook import local
from dify_notebook.local.engine import listeners
from dify_notebook.local.options import Dialect

DIALECTS: dict[str, Dialect] = {"1.16.1": "1.16", "1.12.1": "1.12", "0.15.3": "0.15"}
SIZES = {"1.16.1": 237, "1.12.1": 1047, "0.15.3": 634}


def everything(version: str) -> dict[str, Recording]:
    every = {**load(), **load_blocking(), **load_plain(), **load_exchanges()}
    return {name.removeprefix(f"{version}/"): one for name, one in every.items() if name.startswith(f"{version}/")}


def recorded(version: str) -> dict[str, Recording]:
    """Those of apps that hold conversations; `test_local_runs_replay.py` has the others."""
    return {case: one for case, one in everything(version).items() if not is_other(case)}


def reason(case: str, table: dict[str, str]) -> str | None:
    return next((why for pattern, why in table.items() if fnmatchcase(case, pattern)), None)


class Picture(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(PIXEL)))
        self.end_headers()
        self.wfile.write(PIXEL)

    def log_message(self, *args: object) -> None:
        """Nothing on stderr."""


def _echo(body: dict[str, Any]) -> Said:
    return words(str(body["messages"][-1]["content"]))


def _declared(web: str, nothing: str) -> list[dict[str, Any]]:
    declared = [
        declared_apps.failflow(web, nothing), declared_apps.iterfail(web), declared_apps.richflow(web),
        declared_apps.multianswer(web),
    ]  # fmt: skip
    failing = declared[0]["nodes"]
    assert failing.pop()["id"] == "plain"
    failing += [
        {"id": "plain", "type": "http-request", "url": f"{nothing}/plain", "next": "ans_plain"},
        {"id": "ans_plain", "type": "answer", "answer": "{{ plain.body }}"},
    ]
    return declared


@contextlib.contextmanager
def staged(where: Path, dialect: Dialect) -> Iterator[Stage]:
    """A server with the recorded apps, and what they ask of others."""
    pictures = HTTPServer(("127.0.0.1", 0), Picture)
    thread = threading.Thread(target=pictures.serve_forever, daemon=True)
    thread.start()
    origin = f"http://127.0.0.1:{pictures.server_port}"
    newest = dialect == "1.16"
    with Web() as web, FakeModel(replay_apps_116.model if newest else _echo) as model:
        nothing = closed_origin()
        apps = replay_apps_116 if newest else replay_apps
        declared = [*replay_apps_116.declared(), declared_apps.plain()] if newest else _declared(web.origin, nothing)
        with local.serve(
            data_dir=where,
            pace=0,
            dialect=dialect,
            apps=[*apps.APPS, *declared],
            speech=Sounds(),
            allow=[origin, web.origin, nothing],
            model_url=model.url,
            model="stub",
        ) as server:
            stage = Stage(server, f"{origin}/x.png", apps.NAMES, apps.INPUTS)
            yield stage
            stage.close()
    pictures.shutdown()
    pictures.server_close()
    thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("version", DIALECTS)
def test_recorded_exchanges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(listeners, "LINGER", 0.0)  # the recorder left at the end
    told = recorded(version)
    assert len(told) == SIZES[version]
    said_here = {case: one for case, one in told.items() if reason(case, NOT_HERE[version]) is None}
    different: dict[str, list[str]] = {}
    with staged(tmp_path, DIALECTS[version]) as stage:
        for case, one in said_here.items():
            if found := Replay(stage, one).differences():
                different[case] = found
    known = DIFFERS[version]
    unexplained = {case: found for case, found in different.items() if reason(case, known) is None}
    assert unexplained == {}, "\n".join(f"{case}: {found}" for case, found in unexplained.items())
    for pattern in known:
        assert any(fnmatchcase(case, pattern) for case in different), f"{pattern} is answered alike by now"
    same = len(said_here) - len(different)
    plain = [case for case in said_here if not case.startswith("history-export")]
    alike = len([case for case in plain if case not in different])
    print(f"\n{alike} of {len(plain)} are alike without the long exports of lists, which are many of a kind")
    print(f"{version}: {len(told)} recorded, {len(said_here)} can be said here, {same} are answered alike")
    for case in sorted(different):
        print(f"  {case}: {reason(case, known)}")
    assert same >= 0.9 * len(said_here)
    assert alike >= 0.9 * len(plain)


@pytest.mark.parametrize("version", DIALECTS)
def test_the_tables_have_no_line_too_many(version: str) -> None:
    told = recorded(version)
    for table in (NOT_HERE[version], DIFFERS[version]):
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
