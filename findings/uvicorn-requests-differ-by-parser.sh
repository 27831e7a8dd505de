#!/usr/bin/env bash
# uvicorn 0.54.0 (h11 0.16.0, httptools 0.9.0): two kinds of valid requests are answered one way if httptools is
# installed and another way if it is not.
#
# Expected: one behaviour, since `http="auto"` takes httptools where it finds it. A server has to take a target in
# absolute form (RFC 9112, 3.2.2), and must not send Transfer-Encoding to a client of HTTP/1.0 (6.1), which cannot read
# it.
# Seen: for `GET http://host/path` httptools gives the app the path `/path`, h11 the whole address as the path, so that
# routes are not found; without a path (`http://host`) h11 does the same and httptools answers 400. A streamed answer to
# HTTP/1.0 has no length: h11 sends the body as it is and closes, httptools sends it in chunks, so that their lengths
# stand in the text. Reported as Kludex/uvicorn#3097, open, for the addresses; the chunks were told of in #1360, closed.
#
# Who meets it: who has a server behind a gateway that passes absolute addresses on, or clients of HTTP/1.0, and
# installs `uvicorn[standard]`, or anything else that needs httptools, beside it. The cure is to name the parser, so
# that an installation does not choose: `http="h11"` reads both versions of HTTP, `"httptools"` both forms of targets
# that have a path.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check uvicorn==0.54.0 h11==0.16.0 httptools==0.9.0
env/bin/python -I - <<'END'
import asyncio
import socket
from importlib.metadata import version

import uvicorn

REQUESTS = {
    "origin": b"GET /path?a=1 HTTP/1.1\r\nHost: files.example\r\nConnection: close\r\n\r\n",
    "absolute": b"GET http://files.example/path?a=1 HTTP/1.1\r\nHost: files.example\r\nConnection: close\r\n\r\n",
    "no path": b"GET http://files.example HTTP/1.1\r\nHost: files.example\r\nConnection: close\r\n\r\n",
    "HTTP/1.0": b"GET /path HTTP/1.0\r\n\r\n",
}


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": scope["path"].encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b"|end", "more_body": False})


async def answers(parser):
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=parser, lifespan="off", log_level="critical"))
    serving = asyncio.create_task(server.serve([listening]))
    seen = {}
    for name, request in REQUESTS.items():
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(request)
        async with asyncio.timeout(30):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        chunked = b"transfer-encoding: chunked" in head.lower()
        seen[name] = (int(head.split()[1]), chunked, body.decode())
        print(f"{parser:10} {name:9}", *seen[name][:2], repr(seen[name][2]))
    server.should_exit = True
    await serving
    return seen


def chunks(*texts):
    return "".join(f"{len(text):x}\r\n{text}\r\n" for text in (*texts, ""))


print(*(f"{name} {version(name)}" for name in ("uvicorn", "h11", "httptools")), sep=", ")
assert asyncio.run(answers("h11")) == {
    "origin": (200, True, chunks("/path", "|end")),
    "absolute": (200, True, chunks("http://files.example/path", "|end")),
    "no path": (200, True, chunks("http://files.example", "|end")),
    "HTTP/1.0": (200, False, "/path|end"),
}, "uvicorn or h11 has changed"
assert asyncio.run(answers("httptools")) == {
    "origin": (200, True, chunks("/path", "|end")),
    "absolute": (200, True, chunks("/path", "|end")),
    "no path": (400, False, "Invalid HTTP request received."),
    "HTTP/1.0": (200, True, chunks("/path", "|end")),
}, "uvicorn or httptools has changed"
END
