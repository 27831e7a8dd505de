"""Everything that this version keeps on a disk, packed, so that later ones can show that they read it.

    python tests/support/earlier.py tests/contract/earlier/0.1.0.tar.xz

makes an archive with

    data/       a user's data directory: `local/` of the embedded server (conversations of its three apps that hold
                some, runs of its workflow app, a rating, an annotation, an upload, answers that failed), `runs/` with
                their tapes and recorded ones, `user`
    config/     `profiles.toml`, and a key in a file
    fetched/    the guide's history, written while it was fetched (`history(to=)`)
    written/    the toolbox's by `to_parquet`
    ran/        the workflow app's, with details
    swept/      the store of a sweep: cases that succeeded, failed, were asked twice, and one that has no end; tapes
    pickles/    values that users hold: turns, events of every kind, errors, what the API's lists gave, and in `places`
                a history, a session's turns and a turn's events; `names.json` has the name of each one's class
    told.json   what all of that told when it was made, in the form of `told`

`tests/contract/test_earlier.py` opens each archive of that directory. One is added for a version and never made again;
what it lacks comes with another (`0.1.0-2.tar.xz` has the pickles, and tapes with every form of frame; what those two
lack is what came of runs of workflow apps; what the first three lack is `swept/`).
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

USER = "visitor"
APPS = ("guide", "toolbox", "pipeline")
TABLE = b"city,ferries\nOslo,12\nBergen,30\n"
"""The upload."""
FRAMES = "every form of frame"
"""The question of a tape of those."""
RECORDED = ("1.12.1/chat-messages__richflow-streaming", "1.12.1/chat-messages__agent-chat-speak",
            "0.15.3/chat-messages-stop__plain-chat-stopped-by-same-user")  # fmt: skip


def home(directory: Path) -> dict[str, str]:
    """The variables with which dify_notebook keeps everything below that directory."""
    return {
        "DIFY_NOTEBOOK_DATA_DIR": str(directory / "data"),
        "DIFY_NOTEBOOK_CONFIG_DIR": str(directory / "config"),
        "DIFY_NOTEBOOK_LANG": "en",
    }


# -- what is told -----------------------------------------------------------------------


def told(directory: Path) -> dict[str, Any]:
    """What lies below that directory, as plain values; `home` must be set."""
    from dify_notebook import History, frames, local
    from dify_notebook.config import resolve, stored_user
    from dify_notebook.profiles import profiles

    with local.serve(pace=0) as server:
        apps = {app: _app(server, app) for app in APPS}
        ran = _ran(server)
    places = {name: resolve(profile=name, environ={"TEAM_KEY": "app-team"}) for name in profiles()}
    found: dict[str, Any] = {
        "user": stored_user(),
        "apps": apps,
        "workflow_runs": ran,
        "runs": [_turn(turn) for turn in frames.replay()],
        "runs_table": sorted(table(frames.runs()), key=lambda row: str(row["run_id"])),
        "frames": [_frames_of(turn) for turn in frames.replay() if turn.query == FRAMES],
        # Paths are of one kind of system.
        "pickles": {path.stem: [_fields(value) for value in unpickled(path)]
                    for path in pickles(directory) if path.stem != "places"},
        "profiles": {name: one and _place(one) for name, one in places.items()},
        **{name: {"facts": _facts(History.read(directory / name)), **tables(History.read(directory / name))}
           for name in ("fetched", "written", "ran") if (directory / name).is_dir()},
        **({"swept": swept(directory / "swept")} if (directory / "swept").is_dir() else {}),
    }  # fmt: skip
    return dict(json.loads(json.dumps(found, default=str)))


def swept(path: Path) -> dict[str, Any]:
    """What the store of a sweep holds."""
    from dify_notebook.sweep.store.store import Store

    store = Store.open(path, read_only=True)
    cases = sorted({*store.outcomes, *store.unknown})
    return {
        "header": msgspec.to_builtins(store.header),
        "states": {case: store.state(case) for case in cases},
        "tries": {case: msgspec.to_builtins(store.history(case), enc_hook=str) for case in cases},
        "checks": msgspec.to_builtins(store.checks),
        "deleted": sorted(store.deleted),
        "damaged": store.damaged,
        "turns": {f"{outcome.case} {number}": _turn(store.turn(answer)) for outcome in store.spent
                  for number, answer in enumerate(outcome.answers) if answer.tape},
    }  # fmt: skip


def tables(history: Any) -> dict[str, Any]:
    """The rows of each table of a history."""
    return {name: table(frame) for name, frame in history.tables.items()}


def table(frame: Any) -> Any:
    """Rows as plain values. A signed link is another each time: of links, only whether there is one is told."""
    rows = json.loads(frame.to_json(orient="records", date_format="iso", date_unit="us"))
    return [{name: bool(value) if name == "url" else value for name, value in row.items()} for row in rows]


def pickles(directory: Path) -> list[Path]:
    """The files of values, each a list."""
    return sorted((directory / "pickles").glob("*.pickle"))


def unpickled(path: Path) -> list[Any]:
    """The values of such a file."""
    return list(pickle.loads(path.read_bytes()))


def _fields(value: Any) -> Any:
    """A value as plain JSON, without the name of its class."""
    if isinstance(value, BaseException):
        return {name: str(field) for name, field in vars(value).items()} | {"str": str(value)}
    return msgspec.to_builtins(value, enc_hook=str)


def _frames_of(turn: Any) -> list[Any]:
    entries = [_entry(at, *frame) for at, frame in turn.tape.entries]
    return [entries, msgspec.to_builtins(list(turn.events)), msgspec.to_builtins(turn.warnings)]


def _entry(at: float, name: str, data: bytes | None) -> list[Any]:
    return [at, name, None if data is None else data.decode("utf-8", "backslashreplace")]


def _place(settings: Any) -> list[Any]:
    headers = {name: value.reveal() for name, value in settings.headers}
    return [settings.base_url, settings.user, settings.api_key.reveal(), headers]


def _facts(history: Any) -> list[Any]:
    facts = history.facts
    return [facts.users, facts.app, facts.complete, facts.notes, [failure.what for failure in facts.failures]]


def _app(server: Any, app: str) -> dict[str, Any]:
    from dify_notebook import Dify

    with Dify(server.api_key(app), server.base_url, user=USER) as dify:
        found = []
        for talk in dify.conversations.list().to_list():
            variables = [[one.name, one.value] for one in dify.conversations.variables(talk.id).to_list()]
            messages = [_message(dify, one) for one in dify.messages.list(talk.id).to_list()]
            found.append([talk.id, talk.name, talk.inputs, talk.created_at, variables, messages])
        annotations = [[one.question, one.answer, one.hit_count] for one in dify.annotations.list().to_list()]
        return {"key": server.api_key(app), "conversations": found, "annotations": annotations}


def _ran(server: Any) -> list[Any]:
    """The runs of the workflow app, newest first."""
    from dify_notebook import Dify

    with Dify(server.api_key("tally"), server.base_url, user=USER) as dify:
        found = []
        runs: list[Any] = dify.workflows.logs().to_list()
        for one in runs:
            run = dify.workflows.get(one.workflow_run.id)
            inputs, outputs = run.inputs or {}, dict(run.outputs or {})
            file = outputs.pop("file", None)
            found.append({
                "id": run.id, "status": run.status, "error": run.error, "created_at": run.created_at,
                "finished_at": run.finished_at, "elapsed": run.elapsed_time, "steps": run.total_steps,
                "file": file and bytes(dify.files.download(file)).decode(), "outputs": outputs,
                "text": inputs.get("text"), "given": (inputs.get("file") or {}).get("filename"),
                "session": one.created_by_end_user["session_id"],
            })  # fmt: skip
        return found


def _message(dify: Any, one: Any) -> dict[str, Any]:
    files = one.message_files or ()
    return {
        "id": one.id, "query": one.query, "answer": one.answer, "status": one.status, "error": one.error,
        "inputs": one.inputs, "created_at": one.created_at, "feedback": one.feedback,
        "thoughts": [[step["tool"], step["tool_input"], step["observation"]] for step in one.agent_thoughts or ()],
        "resources": [[part["document_name"], part["content"]] for part in one.retriever_resources or ()],
        "files": [[file["filename"], dify.files.download(file).decode()] for file in files],
    }  # fmt: skip


def _turn(turn: Any) -> dict[str, Any]:
    return {
        "query": turn.query, "answer": turn.answer, "reasoning": turn.reasoning, "status": turn.status, "end": turn.end,
        "ids": [turn.message_id, turn.conversation_id, turn.user], "error": turn.error and turn.error.message,
        "thoughts": [[step.tool, step.tool_input, step.observation] for step in turn.thoughts or ()],
        "nodes": [[node.node_id, node.title, node.status, node.inputs, node.outputs] for node in turn.nodes or ()],
        "files": [[file.type, file.name] for file in turn.files or ()],
        "citations": [part.document_name for part in turn.citations or ()],
        "tokens": turn.usage and turn.usage.total_tokens, "events": len(turn.events or ()),
        "seconds": [turn.timing.first_token, turn.timing.total],
    }  # fmt: skip


# -- making it --------------------------------------------------------------------------


def make(directory: Path) -> None:
    """Fill a directory by the ways that a user has; `home` must be set."""
    from dify_notebook import Dify, local

    with local.serve(pace=0, faults=True) as server:
        for app, questions in _questions().items():
            with Dify(server.api_key(app), server.base_url, user=USER) as dify:
                _ask(dify, questions)
        with Dify(server.api_key("toolbox"), server.base_url, user=USER) as dify:
            _ask(dify, [("What is in this file?", {"files": [_upload(directory)]})])
            dify.history().to_parquet(directory / "written")
        with Dify(server.api_key("tally"), server.base_url, user=USER) as dify:
            _run(dify, [
                {"text": "应用崩溃\n我要退款", "classes": "崩溃; 退款"}, {"file": _upload(directory)}, {"text": " "},
            ])  # fmt: skip
            dify.history(to=directory / "ran", details=True)
        server.faults.once("error=3")
        with Dify(server.api_key("guide"), server.base_url, user=USER) as dify:
            _ask(dify, [("How do I see the cost of a run?", {})])
            first = dify.conversations.list().to_list()[-1]
            dify.conversations.rename(first.id, "Stopping 停止")
            dify.messages.feedback(dify.messages.list(first.id).to_list()[0].id, "like", content="as I meant it")
            dify.annotations.create("Is it free?", "Yes, under Apache 2.0.")
            dify.history(to=directory / "fetched")
    _frames()
    _recorded()
    _profiles()
    sweep(directory / "swept")
    _pickles(directory)


def _upload(directory: Path) -> Path:
    path = directory.parent / "ferries.csv"
    path.write_bytes(TABLE)
    return path


def _questions() -> dict[str, list[tuple[str, dict[str, Any]]]]:
    return {
        "guide": [("How do I stop an answer?", {}), ("And how do I save a table? 怎么保存", {})],
        "toolbox": [("What is 0.17 * (2340 - 12)?", {}), ("What time is it in Tokyo at 14:30 in Berlin?", {})],
        "pipeline": [("Compare: apples, pears, plums", {})],
    }


def _ask(dify: Any, questions: list[tuple[str, dict[str, Any]]]) -> None:
    """One conversation, whose tapes go to the store."""
    from dify_notebook import Session

    session = Session(dify)
    for query, more in questions:
        session.ask(query, **more).result(60)


def _run(dify: Any, all_inputs: list[dict[str, Any]]) -> None:
    """Runs of an app that holds no conversations, whose tapes go to the store."""
    from dify_notebook import Session

    session = Session(dify)
    for inputs in all_inputs:
        session.ask(inputs=inputs).result(60)


def _frames() -> None:
    """A tape of each form of frame: no data, no text, a text that looks like such bytes, JSON without `data:`."""
    from dify_notebook.tape import Header, Tape, run_store

    tape = Tape(Header(query=FRAMES, created_at="2026-03-01T09:00:00+00:00", message_id="frames", status="failed"))
    cut = (b'{"event":"message","answer":"a\xf0\x9f"}', b'{"event":"message","answer":"\x98\x80"}')
    frames: tuple[tuple[str, bytes | None], ...]
    frames = (("ping", None), *(("", data) for data in cut), ("", b"\xff\xfe"), ("", b"base64:aGk="),
              ("brand_new", b"{}"), ("error", b"gave up"),
              ("§stray", b'{"code":"c","message":"in plain JSON"}'))  # fmt: skip
    ours = (event for event in _events() if str(event.__struct_config__.tag).startswith("§"))
    frames += tuple(("", msgspec.json.encode(event)) for event in ours)  # of a run that was followed a tape has some
    for number, frame in enumerate(frames):
        tape.append(number / 4, frame)
    run_store().add(tape, "frames")


def _recorded() -> None:
    """Tapes of real servers' answers, as the cassette of the other tests has them."""
    from dify_notebook.tape import run_store

    for number, tape in enumerate(_recorded_tapes()):
        run_store().add(tape, f"recorded-{number}")


def _recorded_tapes() -> Iterator[Any]:
    from contract.streams import load

    from dify_notebook.tape import Header, Tape
    from dify_notebook.wire.sse import Splitter

    for number, case in enumerate(RECORDED):
        head = Header(query=f"recorded {number}", user=USER, server="https://dify.example/v1", message_id=f"m{number}")
        head.created_at = f"2026-03-0{number + 1}T09:30:00+00:00"
        tape = Tape(head)
        splitter = Splitter()
        for at, chunk in load()[case].chunks:
            for frame in splitter.feed(chunk):
                tape.append(at, frame)
        yield tape


def sweep(path: Path) -> None:
    """The store of a sweep: a case for each of the recorded answers, the first of them after one that failed."""
    from dify_notebook.sweep.records import Checked, Outcome, answer_of
    from dify_notebook.sweep.store.store import Store

    store = Store.open(path, clock=lambda: 1_772_357_400.0)
    with store.locked():
        store.check(Checked(target="guide", hash="h1", at=1_772_357_400.0))
        store.begin("case0", 1_772_357_401.0)
        store.end(Outcome(case="case0", state="failed", error_code="rate_limit", error="later",
                          began=1_772_357_401.0, ended=1_772_357_402.5))  # fmt: skip
        for number, tape in enumerate(_recorded_tapes()):
            case, turn = f"case{number}", tape.replay()
            store.begin(case, 1_772_357_403.0 + number)
            name = store.keep_tape(case, 1, len(store.history(case)), tape, turn)
            store.end(Outcome(
                case=case, state="succeeded" if turn.status == "succeeded" else "failed",
                answers=[answer_of(turn, name)], conversation_id=turn.conversation_id, user=f"sweep-{store.id}",
                began=1_772_357_403.0 + number, ended=1_772_357_403.5 + number,
            ))  # fmt: skip
        store.begin("case8", 1_772_357_409.0)
        store.end(Outcome(case="case8", state="failed", error_code="timed_out", began=1_772_357_409.0))
        store.forgotten("c9", 1_772_357_410.0)
        store.begin("case9", 1_772_357_411.0)
    with open(path / "records.jsonl", "ab") as file:
        file.write(b'{"t":"end","case":"case9","sta')  # as a machine leaves it that lost its power


def _profiles() -> None:
    from dify_notebook import credentials
    from dify_notebook.profiles import Profile, save
    from dify_notebook.secret import Secret

    support = Profile(name="support", base_url="https://dify.example/v1", user="desk", key="file")
    credentials.store(credentials.account("support", support.base_url), Secret("app-support"), "file")
    save(support)
    team = {"X-Team": Secret("red\tand blue")}
    save(Profile(name="团队", base_url="http://127.0.0.1:5001/v1", headers=team, key="env:TEAM_KEY"))


def _pickles(directory: Path) -> None:
    from dify_notebook import Bounds, History

    values: dict[str, list[Any]] = {
        "bounds": [Bounds(line=1_000)], "errors": list(_errors()), "events": list(_events()),
        "models": list(_models()), "turns": _turns(),
        "places": [History.read(directory / "fetched"), _session_turns(), _turns()[0].events],
    }  # fmt: skip
    (directory / "pickles").mkdir()
    for name, held in values.items():
        (directory / "pickles" / f"{name}.pickle").write_bytes(pickle.dumps(held, 4))
    kinds = {name: [type(value) for value in held] for name, held in values.items()}
    names = {name: [f"{kind.__module__}:{kind.__qualname__}" for kind in held] for name, held in kinds.items()}
    (directory / "pickles" / "names.json").write_text(json.dumps(names, indent=1), encoding="utf-8")


def _classes(module: Any, base: type) -> Iterator[Any]:
    kinds = (kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, base))
    yield from dict.fromkeys(kinds)  # an alias is no other


def _errors() -> Iterator[Any]:
    from dify_notebook import DifyError, Turn, errors

    turn = Turn(query="q", answer="a")
    for kind in _classes(errors, DifyError):
        yield kind("m", code="c", status=400, request_id="r", hint="h", attempted="POST /x", turn=turn)


def _events() -> Iterator[Any]:
    """One of each kind, with a value of each type in its fields."""
    from dify_notebook.wire import events

    samples = {
        "dict": {"id": "x"}, "list": [1], "bytes": b"\xff", "str": "text", "int": 3, "float": 0.5, "bool": True,
    }  # fmt: skip
    for kind in _classes(events, events.Event):
        fields = msgspec.structs.fields(kind)
        types = {field.name: str(getattr(field.type, "__name__", field.type)) for field in fields}
        yield kind(**{name: next((value for word, value in samples.items() if word in type_), None)
                      for name, type_ in types.items()})  # fmt: skip


def _models() -> Iterator[Any]:
    from dify_notebook import Dify, local

    with local.serve(pace=0) as server, Dify(server.api_key("toolbox"), server.base_url, user=USER) as dify:
        yield from (dify.app.info(), dify.app.parameters(), dify.app.meta(), dify.app.site())
        for talk in dify.conversations.list().to_list():
            yield talk
            yield from dify.messages.list(talk.id).to_list()
    with local.serve(pace=0) as server, Dify(server.api_key("guide"), server.base_url, user=USER) as dify:
        yield from dify.app.feedbacks().to_list()
        yield from dify.annotations.list().to_list()
    with local.serve(pace=0) as server, Dify(server.api_key("tally"), server.base_url, user=USER) as dify:
        runs: list[Any] = dify.workflows.logs().to_list()
        for one in runs:
            yield from (one, dify.workflows.get(one.workflow_run.id))


def _turns() -> list[Any]:
    """Some with their tapes, and one with all that a turn can hold."""
    from datetime import UTC, datetime
    from decimal import Decimal

    from dify_notebook import frames
    from dify_notebook.turn import state

    return [*list(frames.replay())[-4:], state.Turn(
        query="q", inputs={"a": [1]}, answer="hi", answer_raw="hi", reasoning="so", status="incomplete",
        end="timed_out", stop_confirmed=False, error=state.TurnError(code="c", message="m", status=400),
        warnings=(state.Warning_(code="unexpected", message="w", at=0.5, offset=1, raw="r"),),
        thoughts=(state.Thought(id="t", position=1, thought="x", tool="a;b"),),
        logs=(state.AgentLog(id="l", data=[1]),),
        nodes=(state.Node(id="n", node_id="n1", kind="loop", rounds=(state.Round(index=0, elapsed=0.25),),
                          retries=(state.Retry(index=1, error="e"),)),),
        files=(state.MessageFile(id="f", type="image", url="https://dify.example/x.png", size=3),),
        citations=(state.Citation(position=1, content="c", extra={"k": 1}),), suggested=("a",), feedback="like",
        usage=state.Usage(total_tokens=2, total_price=Decimal("0.001"), currency="USD"),
        timing=state.Timing(opened=0.1, total=0.5), workflow=state.Workflow(id="w", status="succeeded"),
        forms=(state.Form(id="o"),), audio=state.Audio(chunks=("aGk=",), complete=True), annotation={"id": "a"},
        message_id="m1", conversation_id="c1", created_at=datetime(2026, 1, 2, tzinfo=UTC), pings=3, halves=("answer",),
    )]  # fmt: skip


def _session_turns() -> Any:
    """Two, of which the first is a reference to its tape."""
    from dify_notebook.tape import Tape, Turns, run_store

    turns = Turns(1)
    for path in run_store().paths()[-2:]:
        turns.append(Tape.at(path).replay())
    return turns


def pack(directory: Path, target: Path) -> None:
    """Without what belongs to a process that runs."""
    with tarfile.open(target, "w:xz", preset=9) as archive:
        for path in sorted(directory.rglob("*")):
            if path.is_file() and path.name != "lock" and not path.name.endswith((".lock", "-wal", "-shm")):
                archive.add(path, path.relative_to(directory).as_posix(), filter=_nameless)


def _nameless(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def main(target: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch, "home")
        directory.mkdir()
        os.environ.update(home(directory))
        make(directory)
        text = json.dumps(told(directory), ensure_ascii=False, indent=1)
        (directory / "told.json").write_text(text, encoding="utf-8")
        target.parent.mkdir(exist_ok=True)
        pack(directory, target)
        print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1])]
    main(Path(sys.argv[1]))
