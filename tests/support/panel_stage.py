"""A panel's renderer without threads and without a server: recorded streams go in, messages come out.

`fixture()` makes what js/test/fixtures/panel.json.gz holds; `python tests/support/panel_stage.py` writes it.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from contract.streams import Recording, load

from dify_notebook.live.protocol import Packed, unpack
from dify_notebook.panel.app import PanelApp
from dify_notebook.panel.renderer import Renderer
from dify_notebook.panel.state import Item, PanelState
from dify_notebook.turn.fold import Builder
from dify_notebook.turn.state import Turn
from dify_notebook.views.diff import from_wire, to_wire
from dify_notebook.wire.decoder import decode
from dify_notebook.wire.events import Disconnected, Sent, StreamEnd
from dify_notebook.wire.sse import Splitter

FIXTURE = Path(__file__).parents[2] / "js" / "test" / "fixtures" / "panel.json.gz"
CASES = [
    "examples/advanced_chat_workflow",
    "examples/chat_agent",
    "0.15.3/chat-messages-moderation__mod-chat-output-blocked-streaming",
    "1.12.1/chat-messages__plain-chat-think",
    "1.12.1/chat-messages__agentflow-toolerr-streaming",
    "1.12.1/chat-messages-tts__tts-flow-streaming",
]
"""What the browser's tests read: a workflow, an agent, a moderated, a thinking, a failing and a speaking one."""
STEP = 0.045
"""Seconds between two events, just more than the renderer's pause."""
NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def turns_of(recording: Recording) -> Iterator[Turn]:
    """The turn after each event of a recorded stream, up to its end."""
    builder, splitter = Builder(), Splitter()
    builder.apply(Sent(query="What is it?"))
    yield builder.turn()
    at = 0.0
    for _, chunk in recording.chunks:
        for frame in splitter.feed(chunk):
            at += STEP
            builder.apply(decode(frame, at))
            yield builder.turn()
    end = StreamEnd if recording.whole else Disconnected
    builder.apply(end(at=at + STEP, rest=splitter.rest()))
    yield builder.turn()


class PlayedRun:
    """A run as the renderer sees it."""

    def __init__(self) -> None:
        self.turn = Turn(query="What is it?")
        self.now = 0.0

    def watch(self, event: Any) -> None:
        """Nobody waits: the stage says when to draw."""


class Stage:
    """One panel. `round()` draws; `sent` has what went to the browser."""

    def __init__(self) -> None:
        app = PanelApp(name="Recorded", mode="advanced-chat", description="A recording.")
        client = SimpleNamespace(user="reader", settings=SimpleNamespace(source="arguments", host="dify.example"))
        self.controller = SimpleNamespace(state=PanelState(app=app), client=client, watch=lambda event: lambda: None)
        self.sent: list[dict[str, Any]] = []
        self.buffers: list[list[bytes]] = []
        controller: Any = self.controller
        self.renderer = Renderer(
            controller, self._send, lang="en", height=640, wall_clock=lambda: NOON, clock=lambda: 0.0
        )

    def _send(self, message: Any, buffers: list[bytes]) -> None:
        numbered = msgspec.structs.replace(message, n=len(self.sent) + 1)
        self.sent.append(msgspec.to_builtins(numbered))
        self.buffers.append(buffers)

    def play(self, recording: Recording) -> Iterator[Turn]:
        """Draw every step of a recorded answer as the last item of the state."""
        run, key = PlayedRun(), f"t{len(self.controller.state.items) + 1}"
        before = self.controller.state.items
        for turn in turns_of(recording):
            run.turn, run.now = turn, run.now + STEP
            over = turn.status != "running"
            item = Item(key=key, query="What is it?", asked_at=NOON, **({"turn": turn} if over else {"run": run}))
            shown = self.controller.state.items[len(before) :]
            if over or not shown or shown[0].run is None:  # a run that paused may go on in the same stream
                self.controller.state = msgspec.structs.replace(self.controller.state, items=(*before, item))
            self.renderer.round()
            yield turn

    def views(self) -> dict[int, Any]:
        """The blocks of each view as they are, in the form of the wire."""
        blocks = {}
        for channel in self.renderer._channels.values():
            root = channel.channel.differ.root
            assert root is not None
            blocks[channel.view] = to_wire(root)
        return blocks


def fixture() -> dict[str, Any]:
    """All messages of a panel in which the CASES were asked one after another, and what the browser must have."""
    stage = Stage()
    stage.renderer.hello(1, "en")
    recordings = load()
    steps = []
    for case in CASES:
        for _ in stage.play(recordings[case]):
            pass
        steps.append({"case": case, "after": len(stage.sent), "views": stage.views()})
    return {
        "about": "Messages of one panel; after so many of them the views must be these.",
        "messages": stage.sent,
        "steps": steps,
    }


def plain(content: Any) -> Any:
    """The fixture with its patches unpacked: how zlib packs them differs between machines."""
    content = json.loads(json.dumps(content))
    for message in content["messages"]:
        if "packed" in message.get("patch", {}):
            message["patch"] = msgspec.to_builtins(unpack(msgspec.convert(message["patch"], Packed)))
    return content


def read() -> Any:
    """The fixture as it lies there."""
    return json.loads(gzip.decompress(FIXTURE.read_bytes()))


def write() -> None:
    FIXTURE.write_bytes(
        gzip.compress(json.dumps(fixture(), ensure_ascii=False, separators=(",", ":")).encode(), 9, mtime=0)
    )


if __name__ == "__main__":
    write()
    print(f"{FIXTURE}: {FIXTURE.stat().st_size} bytes")

__all__ = ["CASES", "FIXTURE", "Stage", "fixture", "from_wire", "plain", "read", "turns_of", "write"]
