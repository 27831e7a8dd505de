"""Adds kinds of events, with a text, with reasoning and with both, and tells what becomes of them: run it alone.

Each is what AGENTS.md asks for and no more: a struct, and its meaning in the fold.
"""

from __future__ import annotations

import json
from typing import Any

from support.raw_server import Connection, Request, serving

from dify_notebook import Dify
from dify_notebook.frames.turn_rows import event_rows
from dify_notebook.live.protocol import unpack
from dify_notebook.live.view import LiveView
from dify_notebook.turn import fold
from dify_notebook.turn.state import Turn
from dify_notebook.wire import events as ev


class Whisper(ev.ChatEvent, tag="whisper"):
    """A piece of the answer, where no other event has it."""

    ANSWER = ("data.words",)
    data: dict[str, Any] | None = None


class Musing(ev.ChatEvent, tag="musing"):
    """A piece of the reasoning."""

    REASONING = ("musing",)
    musing: str | None = None


class Aside(ev.ChatEvent, tag="aside"):
    """A piece of both."""

    ANSWER, REASONING = ("said",), ("thought",)
    said: str | None = None
    thought: str | None = None


class Noted(ev.Message):
    """Somebody's own form of an event that there is."""

    note: str | None = None


class Counted(ev.Event, tag=5):
    """Somebody's own struct, which is no event of the wire."""


fold.MEANINGS |= dict.fromkeys((Whisper, Musing, Aside), fold.Builder._text)

RUN = {"task_id": "t", "message_id": "m", "conversation_id": "c", "workflow_run_id": "run"}
STARTED = {"event": "workflow_started", "data": {"id": "run", "inputs": {}}, **RUN}
FINISHED = {"event": "workflow_finished", "data": {"id": "run", "status": "succeeded", "outputs": {}}, **RUN}


def whisper(words: str) -> dict[str, Any]:
    return {"event": "whisper", "data": {"words": words}, **RUN}


def musing(words: str) -> dict[str, Any]:
    return {"event": "musing", "musing": words, **RUN}


ASIDE = {"event": "aside", "said": "two", "thought": "Ah.", **RUN}
HEARD = [STARTED, musing("Why? "), whisper("One "), whisper("\ud83d"), whisper("\ude00 ")]
"""The connection is lost behind a character that two events share."""
PLAIN = {"event": "message", "answer": "!", **RUN}
AGAIN = [*HEARD, ASIDE, {"event": "murmur", "data": {}, **RUN}, PLAIN, whisper("."), FINISHED]
"""It is followed from the beginning; one event of it is nowhere written down."""


def script(request: Request, connection: Connection) -> None:
    follows = request.method == "GET"
    connection.head()
    for event in AGAIN if follows else HEARD:
        connection.event(**event)
    connection.end() if follows else connection.close()


def shown(turn: Turn) -> str:
    """The live view of a turn, as the browser gets it."""
    view = LiveView("en")
    view.update(turn, 1.0)
    return json.dumps([unpack(one).ops for one in view.snapshot()], ensure_ascii=False)  # type: ignore[arg-type]


def told() -> dict[str, Any]:
    with serving(script) as server, Dify("app-x", server.url, "me") as dify:
        turn = dify.chat.send("hi")
    events = event_rows([turn])
    return {
        "kinds": [type(event).__name__ for event in turn.tape.events],
        "answer": turn.answer,
        "reasoning": turn.reasoning_chunks,
        "end": [turn.status, turn.complete],
        "warnings": [[one.code, one.message] for one in turn.warnings if one.code != "followed"],
        "replayed": turn.tape.replay().answer,
        "texts": events["text"],
        "shown": [piece in shown(turn) for piece in ("One \U0001f600 two!.", "Why? Ah.")],
    }


if __name__ == "__main__":
    print(json.dumps(told()))
