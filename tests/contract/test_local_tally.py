"""tally over HTTP: streamed and blocking, in each dialect, with a file that came and one that can be fetched."""

from __future__ import annotations

import csv
import io
import os
import pickle
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from contract.workflow_stage import User, last, outputs_of, user

from dify_notebook import Dify, Session, local
from dify_notebook.local.apps.tally_rows import MAX_BYTES, MAX_ROWS
from dify_notebook.local.options import DIALECTS
from dify_notebook.local.server.process import LocalServer

TEXT = "name,price\nThe app crashes,3\nmoney back,4.5\n"
CLASSES = "bug=crash; refund=money"


@pytest.fixture(scope="module", params=DIALECTS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with local.serve(data_dir=tmp_path_factory.mktemp("tally"), pace=0, dialect=request.param) as server:
        yield server


@pytest.fixture
def client(server: LocalServer) -> Iterator[User]:
    with user(server, "tally") as client:
        yield client


def fetched(file: dict[str, Any]) -> list[dict[str, str]]:
    """What a file value's address gives, without a key."""
    response = httpx.get(file.get("url") or file["remote_url"])
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(response.content.decode())))


def test_streamed_and_blocking_are_the_same(client: User) -> None:
    streamed = last(client.run(text=TEXT, classes=CLASSES))
    answered = client.blocking(text=TEXT, classes=CLASSES).json()["data"]
    assert streamed["status"] == answered["status"] == "succeeded"
    for outputs in (streamed["outputs"], answered["outputs"]):
        assert [(row["class"], row["count"]) for row in outputs["table"]] == [("bug", 1), ("refund", 1)]
        assert outputs["rows"] == 2
        assert fetched(outputs["file"]) == [
            {"name": "The app crashes", "price": "3", "class": "bug"}, {"name": "money back", "price": "4.5", "class": "refund"},
        ]  # fmt: skip
        outputs.pop("file")
    assert streamed["outputs"] == answered["outputs"]


def test_the_stored_run_has_a_file_that_can_be_fetched(client: User) -> None:
    run = last(client.run(text=TEXT))["id"]
    assert len(fetched(outputs_of(client.detail(run))["file"])) == 2


def test_a_file_that_was_uploaded(client: User) -> None:
    content = "\ufeffname;price\r\n\"two\r\nlines\";1,5\r\nb;2\r\n".encode()
    uploaded = client.upload("prices.csv", content, "text/csv").json()
    file = {"type": "document", "transfer_method": "local_file", "upload_file_id": uploaded["id"]}
    outputs = last(client.run(file=file))["outputs"]
    assert outputs["numbers"] == {"price": {"count": 2, "sum": 3.5, "mean": 1.75, "min": 1.5, "max": 2}}
    assert outputs["items"][0]["name"] == "two\r\nlines"


def test_a_row_that_takes_itself_for_a_file(client: User) -> None:
    """It stays what was given, and no file is opened by it."""
    kept = client.upload("a.csv", b"a,b\n1,2\n", "text/csv").json()["id"]
    text = f"dify_model_identity,related_id,size,url\n__dify__file__,{kept},8,x\n__dify__file__,,,\n"
    ended = last(client.run(text=text, classes=CLASSES))
    stored = outputs_of(client.detail(ended["id"]))
    assert [row["url"] for row in stored["items"]] == ["x", ""]
    assert stored["items"] == ended["outputs"]["items"]


def test_too_much_is_told_by_the_run(client: User) -> None:
    ended = last(client.run(text="x\n" * (MAX_ROWS + 1)))
    assert (ended["status"], ended["error"]) == (
        "failed", "there are 501 rows, and at most 500 are taken; split them into several runs",
    )  # fmt: skip
    uploaded = client.upload("big.csv", os.urandom(8).hex().encode() * (MAX_BYTES // 8), "text/csv").json()
    file = {"type": "document", "transfer_method": "local_file", "upload_file_id": uploaded["id"]}
    assert "128 KB" in last(client.run(file=file))["error"]


def test_a_file_of_another_kind_is_refused(client: User) -> None:
    uploaded = client.upload("a.png", b"\x89PNG", "image/png").json()
    file = {"type": "image", "transfer_method": "local_file", "upload_file_id": uploaded["id"]}
    assert client.blocking(file=file).status_code == 400


def test_what_it_tells_of_itself(client: User) -> None:
    form = client.http.get("/parameters").json()["user_input_form"]
    assert [(next(iter(entry)), next(iter(entry.values()))["variable"]) for entry in form] == [
        ("paragraph", "text"), ("file", "file"), ("text-input", "classes"),
    ]  # fmt: skip


def test_the_file_of_a_run_is_read_by_the_next(server: LocalServer) -> None:
    """As the turn has it, also a pickled one, and as the server keeps the run; with and without a session."""
    with Dify(server.api_key("tally"), server.base_url, "me") as dify:
        turn = dify.workflows.run({"text": TEXT})
        kept = dify.workflows.get(turn.workflow_run_id or "")
        pickled = pickle.loads(pickle.dumps(turn))
        for outputs in (turn.outputs, pickled.outputs, kept.outputs):
            inputs = {"text": "", "file": (outputs or {})["file"]}
            for again in (dify.workflows.run(inputs), Session(dify).ask(inputs=inputs).outcome()):
                assert again.outputs is not None
                assert again.outputs["rows"] == 2
