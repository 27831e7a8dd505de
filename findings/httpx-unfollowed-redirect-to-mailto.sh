#!/usr/bin/env bash
# httpx 0.28.1: an answer whose redirect is not even followed is lost, and not as an httpx.HTTPError.
#
# Expected: `Location` is a URI reference of any scheme (RFC 9110, 10.2.2), so `mailto:` is valid there. httpx does
# not follow redirects unless told to (its compatibility guide, "Redirects"), so the 302 comes back and the caller
# reads the header. Should httpx dislike the address all the same, it is an httpx.HTTPError: its documentation has
# that class for whoever issues a request, and its changelog (0.14.1) RemoteProtocolError for an invalid Location.
# Seen: the redirect's request is built in any case, for `response.next_request`, and for an absolute address
# without a host that fails with httpx.InvalidURL. That is no HTTPError, and status and headers are gone.
# Reported as encode/httpx#3706, open.
#
# Who meets it: notebooks whose Dify stands behind a gateway that answers with a redirect to a mail address or to
# an application's own scheme, such as that of a sign-in program.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check httpx==0.28.1
env/bin/python -I - <<'END'
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx

PLACES = {
    "/relative": "/login",
    "/elsewhere": "https://files.example/report.pdf",
    "/mail": "mailto:help@files.example",
    "/program": "signin:start",
}


class Gateway(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(302)
        self.send_header("Location", PLACES[self.path])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


server = HTTPServer(("127.0.0.1", 0), Gateway)
threading.Thread(target=server.serve_forever, daemon=True).start()
seen = {}
print("httpx", httpx.__version__)
with httpx.Client(trust_env=False, follow_redirects=False) as client:
    for path, place in PLACES.items():
        try:
            response = client.get(f"http://127.0.0.1:{server.server_port}{path}")
            seen[path] = f"{response.status_code} {response.headers['location']}"
        except Exception as problem:
            kind = "an" if isinstance(problem, httpx.HTTPError) else "no"
            seen[path] = f"{type(problem).__name__}, {kind} HTTPError: {problem}"
        print(f"{place:34}", seen[path])
server.shutdown()
lost = "InvalidURL, no HTTPError: For absolute URLs, path must be empty or begin with '/'"
assert seen == {
    "/relative": "302 /login",
    "/elsewhere": "302 https://files.example/report.pdf",
    "/mail": lost,
    "/program": lost,
}, "httpx has changed"
END
