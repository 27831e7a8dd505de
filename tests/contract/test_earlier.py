"""What earlier versions left on a disk is read, and goes on: data directories, tapes, profiles, histories, pickles.

`support/earlier.py` made the archives, each with its own version, and says what is in them.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
from support import earlier

from dify_notebook import Dify, History, errors, frames, local

pytest.importorskip("pyarrow")  # an extra
ARCHIVES = sorted((Path(__file__).parent / "earlier").glob("*.tar.xz"))
BEFORE_RUNS = ("0.1.0.tar.xz", "0.1.0-2.tar.xz")
"""Those of the time when no app but those that chat was known."""
BEFORE_SWEEPS = (*BEFORE_RUNS, "0.1.0-3.tar.xz")


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name.removesuffix(".tar.xz"))
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home as that version left it."""
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    for path in tmp_path.rglob("*"):  # nobody else may look into ours
        path.chmod(0o700 if path.is_dir() else 0o600)
    for name, value in earlier.home(tmp_path).items():
        monkeypatch.setenv(name, value)
    return tmp_path


def differences(then: Any, now: Any, place: str = "") -> Iterator[str]:
    """Where something that was told is not told any more; what is new is no difference."""
    if isinstance(then, dict) and isinstance(now, dict):
        for name, value in then.items():
            if name not in now:
                yield f"{place}/{name} is gone"
            else:
                yield from differences(value, now[name], f"{place}/{name}")
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for at, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from differences(one, other, f"{place}/{at}")
    elif then != now:
        yield f"{place} was {then!r}, is {now!r}"


def test_all_that_is_kept_tells_what_it_told(kept: Path) -> None:
    then = json.loads((kept / "told.json").read_text(encoding="utf-8"))
    assert list(differences(then, earlier.told(kept))) == []


def test_there_is_something_of_each_kind(kept: Path) -> None:
    """An archive that lost its content would agree with itself."""
    then = json.loads((kept / "told.json").read_text(encoding="utf-8"))
    assert {app: len(then["apps"][app]["conversations"]) for app in earlier.APPS} == {"guide": 2, "toolbox": 2, "pipeline": 1}
    (file,) = [file for talk in then["apps"]["toolbox"]["conversations"] for message in talk[-1] for file in message["files"]]
    assert file == ["ferries.csv", earlier.TABLE.decode()]
    assert then["apps"]["guide"]["annotations"] == [["Is it free?", "Yes, under Apache 2.0.", 0]]
    assert [run["query"] for run in then["runs"][-3:]] == [f"recorded {number}" for number in range(3)]
    assert {run["status"] for run in then["runs"]} == {"succeeded", "failed"}
    assert any(run["nodes"] for run in then["runs"])
    assert any(run["thoughts"] for run in then["runs"])
    assert then["profiles"]["support"][:3] == ["https://dify.example/v1", "desk", "app-support"]
    assert then["profiles"]["团队"][2:] == ["app-team", {"X-Team": "red\tand blue"}]
    assert all(then["fetched"][name] for name in ("messages", "conversations", "citations", "feedbacks", "annotations"))
    assert all(then["written"][name] for name in ("messages", "conversations", "thoughts", "files"))


@pytest.mark.parametrize("kept", [path for path in ARCHIVES if path.name not in BEFORE_RUNS], indirect=True)
def test_there_are_runs_of_every_kind(kept: Path) -> None:
    then = json.loads((kept / "told.json").read_text(encoding="utf-8"))
    failed, of_a_file, of_a_text = then["workflow_runs"]
    assert [run["status"] for run in (failed, of_a_file, of_a_text)] == ["failed", "succeeded", "succeeded"]
    assert (of_a_file["given"], of_a_text["text"]) == ("ferries.csv", "应用崩溃\n我要退款")
    assert of_a_text["file"] == "item,class\r\n应用崩溃,崩溃\r\n我要退款,退款\r\n"
    assert failed["error"]
    assert [row["status"] for row in then["ran"]["workflow_runs"]].count("succeeded") == 2
    assert all(run["nodes"] for run in then["runs"] if run["query"] is None)


@pytest.mark.skipif(os.name != "posix", reason="some hold a path")
@pytest.mark.parametrize("kept", [path for path in ARCHIVES if path.name != "0.1.0.tar.xz"], indirect=True)
def test_pickles_have_every_class_under_the_name_of_then(kept: Path) -> None:
    """Public names that are others now are aliases."""
    names = json.loads((kept / "pickles" / "names.json").read_text(encoding="utf-8"))
    values = {path.stem: earlier.unpickled(path) for path in earlier.pickles(kept)}
    assert {name: [resolve_name(one) for one in ones] for name, ones in names.items()} == {
        name: [type(value) for value in held] for name, held in values.items()
    }


@pytest.mark.skipif(os.name != "posix", reason="some hold a path")
@pytest.mark.parametrize("kept", [path for path in ARCHIVES if path.name == "0.1.0-2.tar.xz"], indirect=True)
def test_pickles_of_the_first_names(kept: Path) -> None:
    names = json.loads((kept / "pickles" / "names.json").read_text(encoding="utf-8"))
    values = {path.stem: earlier.unpickled(path) for path in earlier.pickles(kept)}
    assert {*sum(names.values(), [])} >= {
        *(f"dify_notebook.wire.events:{name}" for name in ("StopAsked", "Refused", "Eof", "Lost", "Followed", "OutOfTime")),
        *(f"dify_notebook.errors:{name}" for name in ("ConnectionFailed", "TimedOut", "TurnIncomplete")),
        "dify_notebook.net.bounds:Bounds", "dify_notebook.wire.models:StoredMessage",
    }  # fmt: skip
    tags = {event.__struct_config__.tag for event in values["events"]}
    assert tags >= {f"§{tag}" for tag in ("sent", "opened", "stop_asked", "refused", "eof", "lost", "followed", "out_of_time", "cancelled")}
    assert "§stray" in {frame[0] for _, frame in values["turns"][0].tape.entries}
    history, turns, events = values["places"]
    assert (repr(turns), repr(events)) == ("<2 turns>", "<18 events>")
    assert turns[1].query == "recorded 2"
    with pytest.raises(errors.TapeGone):  # its tape lay on another machine
        turns[0]
    assert history.facts == History.read(kept / "fetched").facts


def test_conversations_go_on_and_histories_are_brought_up_to_date(kept: Path) -> None:
    then = json.loads((kept / "told.json").read_text(encoding="utf-8"))
    guide = then["apps"]["guide"]
    id, name = guide["conversations"][-1][:2]
    facts = json.loads((kept / "fetched" / "history.json").read_text(encoding="utf-8"))
    with local.serve(pace=0) as server, Dify(guide["key"], server.base_url, user=earlier.USER) as dify:
        turn = dify.chat.send("And how do I see tapes?", conversation_id=id)
        assert (turn.status, turn.conversation_id) == ("succeeded", id)
        # Its port may be another process's today.
        facts["facts"]["server"] = server.base_url
        (kept / "fetched" / "history.json").write_text(json.dumps(facts), encoding="utf-8")
        history = dify.update(kept / "fetched")
    before = {row["message_id"] for row in then["fetched"]["messages"]}
    assert set(history.messages["message_id"]) == {*before, turn.message_id}
    assert set(History.read(kept / "fetched").messages["message_id"]) == {*before, turn.message_id}
    assert name in set(history.conversations["name"])


def test_profiles_and_runs_go_on(kept: Path) -> None:
    from dify_notebook.profiles import Profile, profiles, save
    from dify_notebook.tape import run_store

    old = profiles()
    save(Profile(name="new", base_url="https://other.example/v1"))
    assert {**old, "new": profiles()["new"]} == profiles()
    runs = frames.runs()
    for path in run_store().paths():  # no older than a day: the store lets go of those of a month ago
        os.utime(path)
    (turn, *_) = frames.replay()
    assert run_store().add(turn.tape, "again") is not None
    assert set(runs["run_id"]) < set(frames.runs()["run_id"])


@pytest.mark.parametrize("kept", [path for path in ARCHIVES if path.name not in BEFORE_SWEEPS], indirect=True)
def test_sweeps_go_on(kept: Path) -> None:
    goes_on(kept / "swept")


def test_a_sweep_is_packed_whole(tmp_path: Path) -> None:
    """As the next archive will have it."""
    earlier.sweep(tmp_path / "made" / "swept")
    earlier.pack(tmp_path / "made", tmp_path / "x.tar.xz")
    with tarfile.open(tmp_path / "x.tar.xz") as archive:
        archive.extractall(tmp_path / "read", filter="data")
    then = earlier.swept(tmp_path / "made" / "swept")
    assert earlier.swept(tmp_path / "read" / "swept") == then
    assert [then["states"][case] for case in ("case0", "case8")] == ["succeeded", "failed"]
    assert then["states"]["case9"] == "unknown"
    assert (len(then["tries"]["case0"]), len(then["turns"])) == (2, 3)
    assert all(turn["answer"] for turn in then["turns"].values())
    assert (then["deleted"], [check["hash"] for check in then["checks"]]) == (["c9"], ["h1"])
    goes_on(tmp_path / "read" / "swept")


def goes_on(path: Path) -> None:
    """The store of a sweep takes the end of the case that has none, and all the rest stays."""
    from dify_notebook.sweep.records import Outcome
    from dify_notebook.sweep.store.store import Store

    then = earlier.swept(path)
    store = Store.open(path)
    assert store.unknown == {"case9"}
    with store.locked():
        store.end(Outcome(case="case9", state="succeeded"))
    now = earlier.swept(path)
    assert (now["states"].pop("case9"), then["states"].pop("case9")) == ("succeeded", "unknown")
    assert now["states"] == then["states"]
    assert now["turns"] == then["turns"]
    assert now["damaged"] == 1  # the line that was torn
