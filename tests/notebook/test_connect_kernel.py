"""`%dify connect` in a real kernel, with its questions answered as a frontend answers them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.kernels import SECONDS, kernel
from support.raw_server import Connection, Request, serving

KEY = "app-canaryQx7Tn2Vb9Kd4"


def script(request: Request, connection: Connection) -> None:
    data = {"name": "Support", "mode": "chat", "data": [], "user_input_form": []}
    connection.reply("200 OK", data)


def test_connect_asks_hides_and_leaves_no_key(tmp_path: Path) -> None:
    with serving(script) as server, kernel(tmp_path) as notebook:
        notebook.run("%load_ext dify_notebook")
        nobody = notebook.run("%dify connect support")
        assert "DIFY_API_KEY" in nobody.traceback
        said: list[str] = []
        asked: list[bool] = []
        answers = [server.url, KEY, "y"]

        def answer(message: dict[str, Any]) -> None:
            asked.append(message["content"]["password"])
            notebook.client.input(answers[len(asked) - 1])

        reply = notebook.client.execute_interactive(
            "%xmode Verbose\n%dify connect support",
            allow_stdin=True,
            stdin_hook=answer,
            output_hook=lambda message: said.append(repr(message)),
            timeout=SECONDS,
        )
        assert reply["content"]["status"] == "ok", said
        assert asked == [False, True, False]
        assert any("Connected support" in text for text in said)
        shown = notebook.run("%dify\n%dify apps").everything
        assert "from the profile support" in shown
        assert KEY not in "".join(said) + shown
    holders = [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert [path.parent.name for path in holders] == ["keys"]
