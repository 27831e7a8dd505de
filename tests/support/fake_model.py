"""A model on loopback that says what it was told to: an OpenAI-compatible endpoint on a real socket."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dify_notebook.wire.sse import MEDIA_TYPE, encode

Body = dict[str, Any]
Script = Callable[[Body], "Said"]


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # the default of 5 refuses some of many that come at once


class Said:
    """One scripted answer: status, and chunks (objects, or bytes to be sent as they are)."""

    def __init__(
        self,
        chunks: Iterable[Any] = (),
        *,
        status: int = 200,
        body: Any = None,
        done: bool = True,
        pause: float = 0.0,
        kind: str = MEDIA_TYPE,
    ) -> None:
        self.chunks = chunks
        self.status = status
        self.body = body
        self.done = done
        self.pause = pause
        """Seconds before each chunk."""
        self.kind = kind


def delta(**what: Any) -> dict[str, Any]:
    """A chunk."""
    return {"choices": [{"index": 0, "delta": what, "finish_reason": None}]}


def end(reason: str = "stop") -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}


def usage(prompt: int, completion: int) -> dict[str, Any]:
    total = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {"choices": [], "usage": total}


def words(text: str, prompt: int = 11, completion: int = 7, **how: Any) -> Said:
    """A whole answer, a chunk for each word."""
    pieces = [word if at == 0 else f" {word}" for at, word in enumerate(text.split(" "))]
    first = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
    told = [first, *(delta(content=piece) for piece in pieces), end(), usage(prompt, completion)]
    return Said(told, **how)


def calls(*wanted: tuple[str, str], text: str = "") -> Said:
    """An answer that calls functions: (name, arguments as JSON), the arguments cut in two."""
    told: list[Any] = [delta(content=text)] if text else []
    for index, (name, arguments) in enumerate(wanted):
        half = len(arguments) // 2
        head = {"index": index, "id": f"call-{index}", "type": "function", "function": {"name": name, "arguments": ""}}
        told.append(delta(tool_calls=[head]))
        told.append(delta(tool_calls=[{"index": index, "function": {"arguments": arguments[:half]}}]))
        told.append(delta(tool_calls=[{"index": index, "function": {"arguments": arguments[half:]}}]))
    return Said([*told, end("tool_calls"), usage(20, 10)])


def always(said: Said) -> Script:
    """A model that says the same to everybody."""
    return lambda body: said


class FakeModel:
    """Serves until it is closed. `asked` holds the bodies that came, `headers` their headers."""

    def __init__(self, script: Script | None = None) -> None:
        self.script: Script = script or (lambda body: words(f"You said: {body['messages'][-1]['content']}"))
        self.asked: list[Body] = []
        self.headers: list[dict[str, str]] = []
        self.hung_up = threading.Event()
        """Set when a client went away in the middle of an answer."""
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                body = json.loads(raw)
                model.asked.append(body)
                model.headers.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
                try:
                    self._say(model.script(body))
                except OSError:
                    model.hung_up.set()
                self.close_connection = True

            def _say(self, said: Said) -> None:
                self.send_response(said.status)
                if said.body is not None:
                    content = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                    return
                self.send_header("Content-Type", said.kind)
                self.send_header("Connection", "close")
                self.end_headers()
                for chunk in said.chunks:
                    if said.pause:
                        time.sleep(said.pause)
                    raw = chunk if isinstance(chunk, bytes) else encode(("", json.dumps(chunk).encode()))
                    self.wfile.write(raw)
                    self.wfile.flush()
                if said.done:
                    self.wfile.write(encode(("", b"[DONE]")))

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> FakeModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
