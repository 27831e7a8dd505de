#!/usr/bin/env bash
# httpx 0.28.1, requests 2.34.2 (urllib3 2.8.0) and aiohttp 3.14.5 towards Starlette 1.10.0 (python-multipart 0.0.34)
# and Werkzeug 3.1.9: the name of an uploaded file arrives as another one, and as which hangs on the client and the
# server.
#
# Expected: the name. RFC 7578 (4.2) leaves it to the form's encoding, and the HTML standard ("multipart/form-data
# encoding algorithm") writes a quote as %22, line breaks alike, and all else as it is, thus also a backslash and a
# percent sign.
# Seen: a quote travels as %22 from all three; Werkzeug takes it back, and so also where the name had %22 to begin with,
# Starlette does not. aiohttp writes everything but letters, digits and a few signs in percents, which no server takes
# back: `ä b.txt` arrives as `%C3%A4%20b.txt`. A backslash is doubled by httpx and sent as it is by requests; Werkzeug
# reads backslashes as escapes and so loses the ones of requests. Starlette reads a name as a Windows path where it
# begins like one, and keeps what follows the last backslash. The cure for aiohttp is `FormData(quote_fields=False)`,
# which all these names come through but those that the server itself reads otherwise.
#
# Who meets it: who compares the name that a server tells of a file with the one it was sent under, or looks a file up
# by it: after a change of the HTTP client the same file goes by another name. Dify's server is one of Werkzeug.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check httpx==0.28.1 requests==2.34.2 urllib3==2.8.0 aiohttp==3.14.5 \
    starlette==1.10.0 python-multipart==0.0.34 werkzeug==3.1.9
env/bin/python -I - <<'END'
import asyncio
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from io import BytesIO

import aiohttp
import httpx
import requests
import starlette.requests
import werkzeug.wrappers

uploads = []


class Keeper(BaseHTTPRequestHandler):
    """Keeps what a client sends, for both servers' readers."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        uploads.append((self.headers["Content-Type"], body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


keeper = HTTPServer(("127.0.0.1", 0), Keeper)
threading.Thread(target=keeper.serve_forever, daemon=True).start()
ADDRESS = f"http://127.0.0.1:{keeper.server_port}/"


def by_httpx(name):
    httpx.post(ADDRESS, files={"file": (name, b"content")}, trust_env=False)


def by_requests(name):
    with requests.Session() as session:
        session.trust_env = False
        session.post(ADDRESS, files={"file": (name, b"content")})


def by_aiohttp(name, **options):
    async def send():
        form = aiohttp.FormData(**options)
        form.add_field("file", b"content", filename=name)
        async with aiohttp.ClientSession() as session, session.post(ADDRESS, data=form):
            pass

    asyncio.run(send())


def in_starlette(kind, body):
    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def read():
        scope = {"type": "http", "method": "POST", "headers": [(b"content-type", kind.encode())]}
        async with starlette.requests.Request(scope, receive).form() as form:
            return form["file"].filename

    return asyncio.run(read())


def in_werkzeug(kind, body):
    environ = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body))}
    return werkzeug.wrappers.Request(environ | {"wsgi.input": BytesIO(body)}).files["file"].filename


SAME = "as it was"
CASES = {
    'a"b.txt': (("a%22b.txt", SAME), ("a%22b.txt", SAME), ("a%22b.txt", SAME)),
    "a%22b.txt": ((SAME, 'a"b.txt'), (SAME, 'a"b.txt'), ("a%2522b.txt",) * 2),
    "ä b.txt": ((SAME, SAME), (SAME, SAME), ("%C3%A4%20b.txt",) * 2),
    "100%.txt": ((SAME, SAME), (SAME, SAME), ("100%25.txt",) * 2),
    "a\\b.txt": ((SAME, SAME), (SAME, "ab.txt"), ("a%5Cb.txt",) * 2),
    "C:\\a\\b.txt": (("b.txt", SAME), ("b.txt", "C:ab.txt"), ("C%3A%5Ca%5Cb.txt",) * 2),
    "a;b's.txt": ((SAME, SAME), (SAME, SAME), ("a%3Bb%27s.txt",) * 2),
}
print(*(f"{name} {version(name)}" for name in ("httpx", "requests", "urllib3", "aiohttp")), sep=", ")
print(*(f"{name} {version(name)}" for name in ("starlette", "python-multipart", "werkzeug")), sep=", ")
for name, expected in CASES.items():
    print(name)
    for send, wanted in zip((by_httpx, by_requests, by_aiohttp), expected, strict=True):
        send(name)
        arrived = in_starlette(*uploads[-1]), in_werkzeug(*uploads[-1])
        print(f"    {send.__name__:12} Starlette: {arrived[0]:18} Werkzeug: {arrived[1]}")
        assert arrived == tuple(name if want == SAME else want for want in wanted), f"{send.__name__} has changed"
for name in CASES:
    by_aiohttp(name, quote_fields=False)
    arrived = in_starlette(*uploads[-1]), in_werkzeug(*uploads[-1])
    print(f"{name:12} quote_fields=False: Starlette: {arrived[0]:18} Werkzeug: {arrived[1]}")
    wanted = ("b.txt" if name.startswith("C:") else name), name.replace("%22", '"')
    assert arrived == wanted, "there is another cure for aiohttp"
keeper.shutdown()
END
