"""A browser for a chat panel, without a browser: it keeps what the real one keeps, and fails on a gap."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import comm
import msgspec
import pytest

from dify_notebook import ChatPanel
from dify_notebook.live.protocol import Packed, Patch, unpack
from dify_notebook.turn.state import Turn
from dify_notebook.views.block import Block
from dify_notebook.views.diff import apply
from dify_notebook.views.html import serialize

SECONDS = 60.0
"""Longest wait; a test that reaches it has failed."""


class Browser:
    """One page that shows the panel."""

    def __init__(self, panel: ChatPanel) -> None:
        self.panel = panel
        self.changed = threading.Condition()
        self.log: list[dict[str, Any]] = []
        """Every message, in order."""
        self.n: int | None = None
        """The number of the last message that was taken in; None before the first picture."""
        self.texts: dict[str, str] = {}
        self.lang = ""
        self.parts: dict[str, Any] = {}
        self.turns: list[dict[str, Any]] = []
        self.views: dict[int, tuple[int, Block]] = {}
        self.heard: set[int] = set()
        self.replies: dict[int, tuple[dict[str, Any], list[bytes]]] = {}
        self.progress: dict[str, dict[str, Any]] = {}
        self.sounds: list[tuple[dict[str, Any], bytes]] = []
        self.failures: list[str] = []
        self._ids = itertools.count(1_000)

    # -- what the kernel sends

    def take(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        with self.changed:
            self.log.append(content)
            try:
                self._take(content, buffers)
            except Exception as error:
                self.failures.append(f"{content.get('kind')}: {error!r}")
            self.changed.notify_all()

    def _take(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        kind = content["kind"]
        if kind == "texts":
            self.n, self.texts, self.lang = content["n"], content["texts"], content["lang"]
            return
        if kind == "heard":
            self.heard.add(content["id"])
        if kind == "reply":
            self.replies[content["id"]] = (content, buffers)
        if self.n is None:
            return
        if content["n"] != self.n + 1:
            self.failures.append(f"a gap: {self.n} then {content['n']}")
        self.n = content["n"]
        if kind == "state":
            self.parts[content["part"]] = content["value"]
        elif kind == "turns":
            self.turns = [*content["items"], *(self.turns if content["where"] == "older" else ())]
        elif kind == "turn":
            keys = [turn["key"] for turn in self.turns]
            if content["item"]["key"] in keys:
                self.turns[keys.index(content["item"]["key"])] = content["item"]
            else:
                self.turns.append(content["item"])
        elif kind == "patch":
            self._patch(content["patch"])
        elif kind == "progress":
            self.progress[content["upload"]] = content
        elif kind == "sound":
            self.sounds.append((content, buffers[0]))

    def _patch(self, content: dict[str, Any]) -> None:
        message = msgspec.convert(content, Packed) if "packed" in content else msgspec.convert(content, Patch)
        patch = unpack(message)
        seq, root = self.views.get(patch.view, (0, None))
        base = patch.seq - 1 if patch.base is None else patch.base
        if base != 0 and not base <= seq <= patch.seq:
            self.failures.append(f"view {patch.view}: a patch for {base} on {seq}")
            return
        self.views[patch.view] = (patch.seq, apply(root, patch.ops))

    # -- what the browser does

    def send(self, what: str, buffers: list[bytes] | None = None, **arguments: Any) -> int:
        """Send a command as the kernel gets it; gives its id."""
        number = next(self._ids)
        fields = {name.rstrip("_"): value for name, value in arguments.items()}
        content = {"kind": "do", "id": number, "what": what, **fields}
        self.panel._handle_msg(
            {"content": {"data": {"method": "custom", "content": content}}, "buffers": buffers or []}
        )
        assert number in self.heard, "a command is heard at once"
        return number

    def do(self, what: str, buffers: list[bytes] | None = None, **arguments: Any) -> tuple[Any, list[bytes]]:
        """Send a command and wait for its good end; gives its value and buffers."""
        reply, attached = self.reply(self.send(what, buffers, **arguments))
        assert reply["ok"], reply
        return reply["value"], attached

    def refused(self, what: str, buffers: list[bytes] | None = None, **arguments: Any) -> str:
        """Send a command and wait for its bad end; gives the message."""
        reply, _ = self.reply(self.send(what, buffers, **arguments))
        assert not reply["ok"], reply
        return str(reply["error"]["message"])

    def reply(self, number: int) -> tuple[dict[str, Any], list[bytes]]:
        self.until(lambda: number in self.replies, f"a reply to {number}")
        return self.replies[number]

    def hello(self, *lang: str) -> None:
        self.do("hello", lang=list(lang) or ["en"], have=0)

    def ask(self, query: str, inputs: dict[str, Any] | None = None, files: list[str] | None = None) -> None:
        self.do("ask", query=query, inputs=inputs or {}, files=files or [])

    def until(self, happened: Callable[[], object], what: str = "") -> None:
        """Wait until it is so."""
        with self.changed:
            if not self.changed.wait_for(happened, SECONDS):
                raise AssertionError(f"it did not come: {what}; {self.parts.get('status')} {self.failures}")

    def ended(self, count: int) -> None:
        """Wait until that many turns are on show and none runs."""
        self.until(
            lambda: (
                len(self.turns) == count
                and all(turn["status"] != "running" and self._drawn(turn["view"]) for turn in self.turns)
                and self.parts["status"]["running"] is None
            ),
            f"{count} ended turns",
        )

    @property
    def turn(self) -> Turn:
        """The last turn, as Python has it."""
        turn = self.panel.turn
        assert turn is not None
        return turn

    def _drawn(self, view: int) -> bool:
        """Whether the blocks of the ended answer have come."""
        return view in self.views and self.views[view][1].attrs["class"] == "dn"

    def html(self, at: int = -1) -> str:
        """The answer of a turn, as the page shows it; "" while there is nothing."""
        view = self.turns[at]["view"]
        return serialize(self.views[view][1]) if view in self.views else ""

    @property
    def everything(self) -> str:
        """All that was sent, packed patches unpacked."""
        out = []
        for content in self.log:
            patch = content.get("patch") or {}
            shown = msgspec.to_builtins(unpack(msgspec.convert(patch, Packed))) if "packed" in patch else content
            out.append(msgspec.json.encode(shown).decode())
        return "\n".join(out)


class Wire(comm.base_comm.BaseComm):
    """Comms that lead to the test's browsers."""

    browsers: dict[str, list[Browser]] = {}
    opened: list[Any] = []

    def publish_msg(self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **_: Any) -> None:
        if msg_type == "comm_open":
            Wire.opened.append(data)
        if msg_type == "comm_msg" and data.get("method") == "custom":
            for browser in Wire.browsers.get(self.comm_id, ()):
                browser.take(data["content"], [bytes(one) for one in buffers or ()])


@contextmanager
def wired() -> Iterator[None]:
    """Every widget's comm leads to `show`n browsers, not to a kernel."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comm, "create_comm", Wire)
        patch.setenv("DIFY_NOTEBOOK_LIVE", "widget")
        Wire.browsers, Wire.opened = {}, []
        yield


def show(panel: ChatPanel, *lang: str) -> Browser:
    """A page that shows the panel, said hello and got everything."""
    browser = Browser(panel)
    Wire.browsers.setdefault(panel.model_id, []).append(browser)
    browser.hello(*lang)
    return browser
