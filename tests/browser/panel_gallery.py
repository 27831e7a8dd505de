"""An agent whose answer brings a picture, a table and a recording: what the embedded server's apps never send."""

from __future__ import annotations

import contextlib
import struct
import uuid
import zlib
from collections.abc import Iterator
from typing import Any

from browser.panel_world import tone
from support.raw_server import Connection, RawServer, Request

KEY = "app-" + "g4Lr" * 6
TABLE = b"leg,minutes\nbus,25\nferry,50\n"
SIGNED = "timestamp=1764000000&nonce=9f&sign=SIGNATURE-OF-THE-SERVER"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def chart(width: int = 240, height: int = 96) -> bytes:
    """A bar chart, as PNG."""
    bars = [30, 52, 44, 75, 61, 88]
    rows = []
    for y in range(height):
        row = bytearray(b"\0")
        for x in range(width):
            bar, at = divmod(x, width // len(bars))
            inside = 6 <= at < width // len(bars) - 6 and height - y <= bars[bar]
            row += b"\x3b\x6e\xc8" if inside else b"\xf2\xf5\xfa"
        rows.append(bytes(row))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(b"".join(rows)))
        + _chunk(b"IEND", b"")
    )


class Gallery:
    """The script of a `RawServer`."""

    def __init__(self) -> None:
        self.files = {"chart.png": chart(), "legs.csv": TABLE, "call.wav": tone(), "icon.png": chart(24, 24)}
        self.fetched: list[tuple[str, str]] = []
        """(file, Authorization header) of each download."""
        self.base = ""

    def __call__(self, request: Request, connection: Connection) -> None:
        path = request.path.partition("?")[0]
        if path.startswith("/files/tools/"):
            name = path.rpartition("/")[2]
            self.fetched.append((name, request.headers.get("authorization", "")))
            if SIGNED not in request.path:
                connection.reply("403 FORBIDDEN", {"code": "forbidden", "message": "no"})
                return
            connection.reply("200 OK", self.files[name], kind="application/octet-stream")
            return
        told = {
            "/v1/info": {"name": "gallery", "description": "Shows things.", "mode": "agent-chat", "tags": []},
            "/v1/parameters": {"user_input_form": [], "opening_statement": ""},
            "/v1/site": {"title": "Gallery", "icon": "🖼", "icon_type": "emoji", "icon_background": "#E4F2EA"},
            "/v1/meta": {"tool_icons": {
                "weather": {"content": "⛅", "background": "#FEF7C3"},
                "draw": self._url("icon.png"),
            }},
            "/v1/conversations": {"limit": 20, "has_more": False, "data": []},
        }  # fmt: skip
        if request.headers.get("authorization") != f"Bearer {KEY}":
            connection.reply("401 Unauthorized", {"code": "unauthorized", "message": "Access token is invalid"})
        elif path in told:
            connection.reply("200 OK", told[path], extra="X-Version: 1.12.1\r\n")
        elif path == "/v1/chat-messages":
            self._answer(request.json, connection)
        else:
            connection.reply("404 NOT FOUND", {"code": "not_found", "message": path})

    def _url(self, name: str) -> str:
        return f"{self.base}/files/tools/{name}?{SIGNED}"

    def _answer(self, body: dict[str, Any], connection: Connection) -> None:
        ids = {
            "task_id": str(uuid.uuid4()),
            "message_id": str(uuid.uuid4()),
            "conversation_id": body["conversation_id"] or str(uuid.uuid4()),
        }
        connection.head()
        tools = [("weather", '{"city": "Bergen"}', '{"high": 9, "sky": "rain"}'), ("draw", '{"what": "legs"}', "drawn")]
        for at, (tool, given, got) in enumerate(tools, 1):
            thought = {
                "event": "agent_thought", "id": f"t{at}", "position": at, "thought": f"I ask {tool}.", "tool": tool,
                "tool_input": given, "tool_labels": {tool: {"en_US": tool.title(), "zh_Hans": tool}},
            }  # fmt: skip
            connection.event(**thought, observation="", **ids)
            connection.event(**thought, observation=got, **ids)
        connection.event(event="agent_message", answer="Here is the **chart** of your legs.", **ids)
        for name, kind in [("chart.png", "image"), ("legs.csv", "document"), ("call.wav", "audio")]:
            file = {"id": str(uuid.uuid4()), "type": kind, "belongs_to": "assistant", "url": self._url(name)}
            connection.event(event="message_file", **file, **ids)
        usage = {"total_tokens": 321, "total_price": "0.0016", "currency": "USD", "latency": 1.2}
        source = {
            "position": 1, "dataset_name": "Coast", "document_name": "harbours.pdf", "score": 0.91,
            "content": "The north quay is closed on Sundays.",
        }  # fmt: skip
        connection.event(event="message_end", metadata={"usage": usage, "retriever_resources": [source]}, **ids)
        connection.end()


@contextlib.contextmanager
def gallery() -> Iterator[tuple[Gallery, str]]:
    """The app and the address of its server, until the end of the block."""
    script = Gallery()
    server = RawServer(script)
    script.base = server.url.removesuffix("/v1")
    try:
        yield script, server.url
    finally:
        server.close()
        assert server.errors == []
