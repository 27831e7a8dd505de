"""A loopback server that does exactly what a script says, byte for byte.

A script is a function (request, connection) -> None that runs in the connection's own
thread: it may send, wait for an event of the test, and hang up as rudely as it likes.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from dify_notebook.wire.sse import MEDIA_TYPE, encode


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Connection:
    sock: socket.socket
    gone: threading.Event = field(default_factory=threading.Event)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def head(self, status: str = "200 OK", kind: str = f"{MEDIA_TYPE}; charset=utf-8", extra: str = "") -> None:
        self.send(
            f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n{extra}\r\n".encode()
        )

    def chunk(self, data: bytes) -> None:
        self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def event(self, **data: Any) -> None:
        self.chunk(encode(("", json.dumps(data).encode())))

    def end(self) -> None:
        self.send(b"0\r\n\r\n")

    def reply(self, status: str, data: Any, kind: str = "application/json", extra: str = "") -> None:
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send(
            f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body
        )

    def reset(self) -> None:
        """Hang up so that the other side sees a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.sock.detach())
        raise OSError

    def close(self) -> None:
        """Hang up politely, in the middle of whatever was said."""
        self.sock.shutdown(socket.SHUT_RDWR)
        raise OSError

    def wait_until_left(self, timeout: float = 10.0) -> bool:
        """Wait until the other side hangs up."""
        self.sock.settimeout(timeout)
        try:
            return self.sock.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True


Script = Callable[[Request, Connection], None]


class RawServer:
    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.arrived = threading.Condition()
        self.errors: list[BaseException] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self._threads: list[threading.Thread] = []
        self._socks: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else what is sent in pieces waits for 40 ms
            self._socks.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        file = sock.makefile("rb")
        try:
            while True:
                line = file.readline().decode()
                if not line.strip():
                    return
                method, path, _ = line.split()
                headers = {}
                while (raw := file.readline().decode().strip()) != "":
                    name, _, value = raw.partition(":")
                    headers[name.lower()] = value.strip()
                body = file.read(int(headers.get("content-length", 0)))
                if "chunked" in headers.get("transfer-encoding", ""):
                    while size := int(file.readline(), 16):
                        body += file.read(size)
                        file.readline()
                    file.readline()
                request = Request(method, path, headers, body)
                with self.arrived:
                    self.requests.append(request)
                    self.arrived.notify_all()
                self.script(request, Connection(sock))
        except OSError:
            return  # the client went, or the script hung up
        except BaseException as problem:
            self.errors.append(problem)
        finally:
            with suppress(OSError):
                sock.close()

    def wait_for(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until so many requests have come."""
        with self.arrived:
            return self.arrived.wait_for(lambda: len(self.requests) >= count, timeout)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        self._thread.join(5)
        for sock in self._socks:
            with suppress(OSError):
                sock.close()


@contextmanager
def serving(script: Script) -> Iterator[RawServer]:
    server = RawServer(script)
    try:
        yield server
    finally:
        server.close()
        assert not server.errors, server.errors
