"""What a run gives × everything that shows or keeps it: no signature, no key and no token of a form."""

from __future__ import annotations

import copy
import gzip
import json
import pickle
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from IPython.core.ultratb import VerboseTB
from IPython.lib.pretty import pretty
from support.hostile_run import OUTPUTS, RUN, SECRETS, HostileRun, file, link
from support.raw_server import serving

from dify_notebook import Dify, DifyError, Session, Turn, frames
from dify_notebook.errors import ServerError
from dify_notebook.turn import state
from dify_notebook.turn.stored_run import turn_from_run

World = SimpleNamespace


@pytest.fixture
def world() -> Iterator[World]:
    app = HostileRun()
    with serving(app) as server, Dify("app-x", server.url, "me") as dify:
        yield World(app=app, dify=dify)


def picture(number: int) -> dict[str, Any]:
    return {**file(f"{number}"), "type": "image", "filename": f"{number}.png", "url": f"/files/{number}.png?sign=x"}


def leaked(written: str | bytes) -> list[str]:
    data = written.encode() if isinstance(written, str) else written
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    return [secret for secret in SECRETS if secret.encode() in data]


def of_turn(turn: Turn) -> Iterator[tuple[str, str | bytes]]:
    """All that shows or keeps a turn."""
    assert turn.workflow is not None
    values = [turn, turn.workflow, turn.outputs, turn.workflow.outputs, turn.workflow.inputs, turn.nodes, turn.files]
    values += [value for node in turn.nodes or () for value in (node, node.inputs, node.process_data, node.outputs)]
    for value in values:
        yield "repr", repr(value)
        yield "str", str(value)
        yield "pretty", pretty(value)
    yield "pickle", pickle.dumps([turn, turn.outputs, turn.events and list(turn.events)])
    yield "bundle", json.dumps(turn._repr_mimebundle_())
    for name in ("turns", "nodes", "files", "events"):
        yield name, getattr(frames, name)([turn]).to_json(date_format="iso")
    other = msgspec.structs.replace(turn, workflow=None, answer="another", nodes=None)
    compared = frames.compare(turn, other)
    yield "comparison", repr(compared) + json.dumps(compared._repr_mimebundle_())
    yield "comparison's pickle", pickle.dumps(compared)
    for name in ("nodes", "inputs", "outputs", "summary"):
        yield name, getattr(compared, name).to_json()


@pytest.mark.parametrize("mode", ["streaming", "blocking"])
def test_a_turn_shows_and_keeps_none(world: World, mode: Any) -> None:
    turn = world.dify.workflows.run({"text": "x"}, response_mode=mode)
    assert turn.outputs["markdown"] == OUTPUTS["markdown"]  # the program may fetch it
    assert [name for name, written in of_turn(turn) if leaked(written)] == []


def test_what_the_server_keeps_shows_none(world: World) -> None:
    run = world.dify.workflows.get(RUN)
    assert run.outputs["markdown"] == OUTPUTS["markdown"]
    logs = world.dify.workflows.logs()
    shown = [value for one in (run, run.inputs, run.outputs, logs.to_list()) for value in (repr(one), pretty(one))]
    kept: list[str | bytes] = [pickle.dumps([run, logs.to_list()]), logs.to_frame().to_json(date_format="iso")]
    assert [leaked(written) for written in [*shown, *kept]] == [[]] * len([*shown, *kept])
    assert [name for name, written in of_turn(turn_from_run(run)) if leaked(written)] == []


def test_no_history_has_any(world: World, tmp_path: Path) -> None:
    history = world.dify.history(details=True)
    assert history.workflow_runs["outputs"].notna().all()
    written: list[str | bytes] = [history.workflow_runs.to_json(date_format="iso"), pickle.dumps(history)]
    back = world.dify.history(details=True, to=tmp_path / "kept").workflow_runs
    written += [back.to_json(date_format="iso"), *(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())]
    assert [leaked(one) for one in written] == [[]] * len(written)


def test_no_tape_has_any(world: World, tmp_path: Path) -> None:
    session = Session(world.dify)
    session.ask(inputs={"text": "x"}).result(10)
    tape = session.turns[-1].tape
    tape.save(tmp_path / "x.tape.gz")
    written: list[str | bytes] = [repr(session), repr(session.turns), pickle.dumps(tape), (tmp_path / "x.tape.gz").read_bytes()]
    assert [leaked(one) for one in written] == [[]] * len(written)


def test_no_error_tells_any(world: World) -> None:
    world.app.status = "failed"
    with pytest.raises(DifyError) as caught:
        world.dify.workflows.run({"text": "x"})
    verbose = VerboseTB().text(caught.type, caught.value, caught.tb)
    written: list[str | bytes] = [verbose, *traceback.format_exception(caught.value), repr(caught.value), pickle.dumps(caught.value)]
    assert [leaked(one) for one in written] == [[]] * len(written)
    assert sys.exc_info()[0] is None


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_a_copy_is_equal(world: World, way: Any) -> None:
    turn = world.dify.workflows.run({"text": "x"})
    back = way(turn)
    assert back == turn
    assert turn == back
    assert not back != turn  # noqa: SIM202
    assert not back.outputs != turn.outputs  # noqa: SIM202
    assert hash(back) == hash(turn)
    assert back.outputs == turn.outputs
    other = {**OUTPUTS, "markdown": OUTPUTS["markdown"].replace("/e/", "/other/")}
    assert back != msgspec.structs.replace(turn, workflow=msgspec.structs.replace(turn.workflow, outputs=other))
    assert back != msgspec.structs.replace(turn, answer=link("other"))


@pytest.mark.parametrize("other", [[file("a")], {"nested": file("b")}, [[file("b")]], "text", 5, None])
def test_files_beside_anything_else_can_be_compared(other: Any) -> None:
    turns = [Turn(workflow=state.Workflow(id="r", outputs={"x": [1, value]})) for value in ({"f": [file("a")]}, other)]
    shown = json.dumps(frames.compare(*turns)._repr_mimebundle_())
    assert "a.txt" in shown
    assert leaked(shown) == []


# -- an answer about another run -----------------------------------------------------------------


def test_the_answer_about_another_run_is_an_error(world: World) -> None:
    world.app.detail_id = "99999999-2222-4333-8444-555555555555"
    with pytest.raises(ServerError, match="another run"):
        world.dify.workflows.get(RUN)
    history = world.dify.history(details=True)
    assert history.workflow_runs["workflow_run_id"].tolist() == [RUN]
    assert history.workflow_runs["outputs"].isna().all()
    assert [(failure.what, failure.id) for failure in history.failures] == [("run", RUN)]


@pytest.mark.parametrize("written", [RUN.upper(), RUN.replace("-", "")])
def test_a_run_is_found_by_its_id_written_in_another_way(world: World, written: str) -> None:
    world.app.detail_id = RUN
    assert world.dify.workflows.get(written).id == RUN


def test_a_lost_run_does_not_end_as_another(world: World) -> None:
    world.app.cut = True
    assert world.dify.workflows.run({"text": "x"}).outputs["key"] == OUTPUTS["key"]
    world.app.detail_id = "99999999-2222-4333-8444-555555555555"
    with pytest.raises(DifyError) as caught:
        world.dify.workflows.run({"text": "x"})
    assert caught.value.turn is not None
    assert caught.value.turn.outputs is None


# -- how much ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "bytes_", "fetched"), [(30, 10_000_000, range(10, 18)), (130, 10**9, range(100, 101))])
def test_of_many_pictures_the_first_are_fetched(
    world: World, count: int, bytes_: int, fetched: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dify_notebook.net.background.PICTURES_BYTES", bytes_)
    monkeypatch.setattr("dify_notebook.net.background.PICTURE_SECONDS", 60)
    world.app.outputs = {"pictures": [picture(number) for number in range(count)]}
    turn = Session(world.dify).ask(inputs={"text": "x"}).result(60)
    pictures = (turn.outputs or {})["pictures"]
    with_data = [found for found in pictures if found.data is not None]
    assert len(with_data) in fetched
    left_out = [found.data_error for found in pictures if found.data is None]
    assert len(left_out) == count - len(with_data)
    assert all("not fetched" in why for why in left_out)


@pytest.mark.parametrize("depth", [150, 250, 600, 900])
@pytest.mark.parametrize("as_text", [True, False])
def test_what_is_nested_deep_can_be_shown_and_kept(world: World, depth: int, as_text: bool) -> None:
    value: Any = SECRETS[1]
    for _ in range(depth):
        value = {"form_token": [value]} if depth % 2 else [value]
    world.app.outputs = {"deep": value}
    world.app.writes_text = as_text
    run = world.dify.workflows.get(RUN)
    assert isinstance(run.outputs, dict) == (depth < 200)
    assert pickle.loads(pickle.dumps(run)) == run
    turn = turn_from_run(run)
    for written in (repr(run), pretty(run.outputs), repr(turn.outputs), json.dumps(turn._repr_mimebundle_())):
        assert written
    assert frames.turns([turn])["outputs"].notna().all()
