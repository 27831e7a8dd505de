"""A server that repeats the key wherever it can: nothing of a sweep has it, neither what is shown nor what is written."""

from __future__ import annotations

import gzip
import json
import logging
import pickle
import traceback
from pathlib import Path

import pytest
from support.raw_server import Connection, Request, serving

from dify_notebook import Dify, Sweep
from dify_notebook.errors import DifyError

KEYS = ("gateway.secret-7781", "app-" + "k3Yz" * 6)
"""One that looks like a key, and one that looks like any text."""


class Echo:
    """The script of a `RawServer` whose app answers in one of several ways, always with the key."""

    def __init__(self, way: str, key: str) -> None:
        self.way, self.key = way, key

    def __call__(self, request: Request, connection: Connection) -> None:
        path, key = request.path.removeprefix("/v1").partition("?")[0], self.key
        if path == "/info":
            connection.reply("200 OK", {"name": key, "mode": "chat"})
        elif path == "/parameters":
            connection.reply("200 OK", {"user_input_form": [], "opening_statement": key})
        elif path != "/chat-messages":
            connection.reply("404 NOT FOUND", {"code": key, "message": key})
        elif self.way == "unauthorized":
            connection.reply("401 UNAUTHORIZED", {"code": "unauthorized", "message": f"not {key}"})
        elif self.way == "refused":
            connection.reply("400 BAD REQUEST", {"code": key, "message": f"not {key}"})
        else:
            self._stream(connection)

    def _stream(self, connection: Connection) -> None:
        key, ids = self.key, {name: f"{name[0]}-{self.key}" for name in ("task_id", "message_id", "conversation_id")}
        connection.head()
        pieces = (f"x{key[:7]}", key[7:]) if self.way == "pieces" else (f"It is {key}",)
        for piece in pieces:
            connection.event(event="message", answer=piece, **ids)
        if self.way == "failed":
            connection.event(event="error", code=key, status=400, message=f"not {key}", **ids)
        else:
            usage = {"total_tokens": 1, "total_price": "1", "currency": key}
            connection.event(event="message_end", metadata={"usage": usage}, **ids)
        connection.end()


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("way", ["whole", "pieces", "failed", "refused", "unauthorized"])
@pytest.mark.parametrize("budget", [None, "2 USD"])
def test_a_key_that_is_repeated(
    way: str, key: str, budget: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    found: dict[str, str] = {}
    with serving(Echo(way, key)) as server:
        dify = Dify(key, server.url)
        sweep = Sweep({"app": dify}, [{"q": "one"}, {"q": "two"}], "{{ q }}", store=tmp_path / "s")
        try:
            sweep.run(budget=budget, progress=True)
        except DifyError as problem:
            found["traceback"] = "".join(traceback.format_exception(problem))
        found |= {"repr": repr(sweep), "shown": json.dumps(sweep._repr_mimebundle_())}
        found |= {"plan": json.dumps(sweep.plan()._repr_mimebundle_()), "results": sweep.results.to_csv()}
        found |= {"cases": repr(sweep.cases), "outcomes": repr(sweep.outcomes), "targets": repr(sweep._job.targets)}
        found["pickle"] = pickle.dumps(sweep.outcomes).decode("latin-1")
    for value in (sweep, sweep._job.targets):
        with pytest.raises(TypeError):
            pickle.dumps(value)
    files = [path for path in (tmp_path / "s").rglob("*") if path.is_file() and path.suffix != ".gz"]
    found |= {path.name: path.read_bytes().decode("latin-1") for path in files}
    if way != "pieces":  # a tape keeps each piece as it came
        found |= {path.name: gzip.decompress(path.read_bytes()).decode() for path in tmp_path.rglob("*.gz")}
    printed = capsys.readouterr()
    found |= {"log": caplog.text, "stdout": printed.out, "stderr": printed.err}
    assert "records.jsonl" in found
    assert [name for name, text in found.items() if key in text] == []
