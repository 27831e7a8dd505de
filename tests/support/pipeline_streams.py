"""What the pipeline app tells and stores for a table of questions, over a documentation of three sections.

`python tests/support/pipeline_streams.py` writes it anew, where it is meant to change; the test compares.
"""

from __future__ import annotations

import asyncio
import json
import lzma
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

from dify_notebook.local.apps import documentation, matching, pipeline
from dify_notebook.local.engine.run import STEP_PAUSE, Run
from dify_notebook.local.engine.search.sections import Language, Section
from dify_notebook.local.simulate.items import Change

Event = dict[str, Any]
FIXTURE = Path(__file__).parent.parent / "unit" / "pipeline_streams.json.xz"
OLDER = FIXTURE.with_name("pipeline_streams_112.json.xz")
"""What it told when Dify 1.12 was the newest; never written again."""
MAX_ITEMS = 3
HEAD = ("conversation_id", "message_id", "created_at", "task_id")
TIMES = {"created_at", "finished_at", "elapsed_time", "latency", "time_to_first_token", "time_to_generate"}
RANDOM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
SECTIONS: dict[Language, tuple[Section, ...]] = {
    "en": (
        Section("en", "a.md", 0, "Times", "Timeouts", "Set `timeout=30` to wait longer.\n\nSeconds are meant."),
        Section("en", "b.md", 0, "Files", "Files", "A file is sent first, then named in the question."),
    ),
    "zh-Hans": (Section("zh-Hans", "a.md", 0, "时间", "超时", "用 `timeout=30` 等待更久。"),),
}


class Case(NamedTuple):
    query: str
    inputs: dict[str, str] = {}
    stop: tuple[str, str | None, int] | None = None
    """Event, node and which one of these it is that the user stops at."""
    earlier: str = ""
    files: int = 0


CASES: dict[str, Case] = {
    "list": Case("timeouts, files"),
    "list in Chinese": Case("超时、文件和密钥"),
    "list as a table": Case("- one | two\n- files", {"style": "table"}),
    "question": Case("How do I set a timeout?"),
    "question in Chinese": Case("怎样等待超时？"),
    "question, answered as a table": Case("How do I send a file?", {"style": "table"}),
    "question about nothing": Case("What is xyzzyplugh?"),
    "question that goes on": Case("and in Chinese?", earlier="How do I set a timeout?"),
    "question with more than is read": Case("How do I set a timeout? " + "word " * 4500),
    "anything else": Case("xyzzy"),
    "anything else in Chinese": Case("嗯"),
    "input": Case("compare these", {"items": "files\n\nkeys"}, files=1),
    "blank input": Case("xyzzy", {"items": "  "}),
    "nothing between the commas": Case("", {"items": ", ,"}),
    "item that is too long": Case("fine, " + "x" * 501),
    "item that is too long in Chinese": Case("很好、" + "长" * 501),
    "too many items": Case("a\nb\nc\nd\ne"),
    "more items than a declared iteration takes": Case("\n".join(f"i{number}" for number in range(1001))),
    "stopped at the start": Case("a, b", stop=("workflow_started", None, 1)),
    "stopped after the classifier": Case("a, b", stop=("node_finished", "classify", 1)),
    "stopped in a search": Case("How do I set a timeout?", stop=("node_started", "retrieve", 1)),
    "stopped before the items": Case("a, b", stop=("iteration_started", None, 1)),
    "stopped between two nodes of an item": Case("a, b", stop=("node_finished", "measure", 2)),
    "stopped between two items": Case("a, b", stop=("node_finished", "match", 1)),
    "stopped after the items": Case("a, b", stop=("iteration_completed", None, 1)),
    "stopped in the answer": Case("a, b", stop=("message", None, 4)),
    "stopped in the help": Case("xyzzy", stop=("message", None, 4)),
    "stopped at the answer's node": Case("xyzzy", stop=("node_started", "answer_help", 1)),
    "stopped too late": Case("xyzzy", stop=("node_finished", "answer_help", 1)),
}


@contextmanager
def small_documentation() -> Iterator[None]:
    """Three sections instead of the real ones, and few items; so a word more in the documents changes nothing here."""
    documentation.index.cache_clear()
    matching.library_tokens.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documentation, "sections", SECTIONS.__getitem__)
        patch.setattr(matching, "sections", SECTIONS.__getitem__)
        patch.setattr(pipeline, "MAX_ITEMS", MAX_ITEMS)
        yield
    documentation.index.cache_clear()
    matching.library_tokens.cache_clear()


class Listener:
    """Stands for the queue of a run's events and for the store; stops the run at one of its events."""

    def __init__(self, stop: tuple[str, str | None, int] | None) -> None:
        self.events: list[Event] = []
        self.nodes: list[Event] = []
        self.finished: Event = {}
        self.run: Run | None = None
        self._stop = stop
        self._seen = 0

    def put_nowait(self, event: Event | None) -> None:
        if event is None:
            return
        self.events.append(json.loads(json.dumps(event)))  # as it is now: a run may go on to change what it told
        node = event.get("data", {}).get("node_id")
        if self._stop and self._stop[0] == event["event"] and self._stop[1] in (None, node):
            self._seen += 1
            if self._seen == self._stop[2] and self.run is not None:
                self.run.stop()

    def write_partial(self, message: str, answer: str) -> None:
        """Said so far."""

    def write_node(self, message: str, data: Event) -> None:
        self.nodes.append(json.loads(json.dumps(data)))

    def write_run(self, message: str, run: Event) -> None:
        """It begins."""

    async def finish(self, message: str, **kept: Any) -> None:
        self.finished = json.loads(json.dumps(kept))


class WatchedRun(Run):
    """Tells its pauses between steps as events too."""

    async def pause(self, seconds: float) -> None:
        if seconds == STEP_PAUSE and isinstance(self.events, Listener):
            self.events.events.append({"event": "pause"})
        await super().pause(seconds)


async def _ask(case: Case) -> Listener:
    listener = Listener(case.stop)
    run = listener.run = WatchedRun(
        app=pipeline.PIPELINE,
        store=cast(Any, listener),
        user="someone",
        end_user="end-user",
        conversation={"id": "conversation", "dialogue_count": 2},
        message_id="message",
        query=case.query,
        inputs={"items": None, "style": None, **case.inputs},
        history=[{"query": case.earlier}] if case.earlier else [],
        uploads=(),
        variables={"questions": 3, "last_kind": "", "last_items": []},
        pace=0,
        auto_name=True,
        events=cast(Any, listener),
        files=[{"id": f"file-{number}"} for number in range(case.files)],
    )
    await run.drive()
    return listener


def told(case: Case, change: Change | None = None) -> Event:
    """One question's events and what is stored of it, without times, each random id by its number.

    Args:
        change: what changes the events.
    """
    listener = asyncio.run(_ask(case))
    ids: dict[str, str] = {}
    events = [_plain(event, ids) for event in _changed(listener.events, change)]
    ended = [event["data"] for event in events if event["event"] in ("node_finished", "iteration_completed")]
    return {
        "heads": sorted({json.dumps([one.get(name) for name in HEAD]) for one in events if one["event"] != "pause"}),
        "events": list(_short(events)),
        "nodes are stored as told": [_plain(node, ids) for node in listener.nodes] == ended,
        "stored": _plain(listener.finished, ids),
    }


def _changed(events: list[Event], change: Change | None) -> Iterator[Event]:
    if change is None:
        yield from events
        return
    for event in [*events, None]:
        out = [event] if event == {"event": "pause"} else change(event)
        yield from (item for item in out if isinstance(item, dict))


def _plain(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: 0 if key in TIMES and one is not None
            else dict.fromkeys(one, 0) if key == "iteration_duration_map"
            else _plain(one, ids)
            for key, one in value.items()
        }  # fmt: skip
    if isinstance(value, list):
        return [_plain(one, ids) for one in value]
    if not isinstance(value, str):
        return value
    return RANDOM.sub(lambda match: ids.setdefault(match.group(), f"<{len(ids)}>"), value)


def _short(events: list[Event]) -> Iterator[Any]:
    """Without what all events have in front; pieces of a text in a row."""
    pieces: list[str] = []
    for event, following in zip(events, [*events[1:], {}], strict=True):
        if event["event"] != "message":
            yield {name: value for name, value in event.items() if name not in HEAD}
            continue
        pieces.append(event["answer"])
        if [following.get(name) for name in ("event", "from_variable_selector")] != [
            "message", event["from_variable_selector"],
        ]:  # fmt: skip
            yield {"text": "|".join(pieces), "of": event["from_variable_selector"], "fields": sorted(event)}
            pieces = []


def recorded(fixture: Path = FIXTURE) -> Event:
    """What a fixture holds: case -> see `told`."""
    return cast(Event, json.loads(lzma.decompress(fixture.read_bytes())))


def main() -> None:
    with small_documentation():
        cases = {name: told(case) for name, case in CASES.items()}
    FIXTURE.write_bytes(lzma.compress(json.dumps(cases).encode()))


if __name__ == "__main__":
    main()
