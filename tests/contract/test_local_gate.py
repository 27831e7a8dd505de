"""What stands before every route of the embedded server: keys, addresses, methods, hosts, sizes of bodies."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from local_helpers import NOWHERE, Client, told

from dify_notebook.local.options import Dialect
from dify_notebook.local.server import guard
from dify_notebook.local.server.process import LocalServer

AUTH = [
    ("none", None, "must be provided"),
    ("no scheme", "KEY", "must be provided"),
    ("basic", "Basic KEY", "scheme must be 'Bearer'"),
    ("empty", "Bearer", "must be provided"),
    ("wrong", "Bearer app-" + "a" * 24, "invalid"),
    ("dataset key", "Bearer dataset-aaaaaaaaaaaaaaaaaaaaaaaa", "invalid"),
    ("bytes", "Bearer \u00e9", "invalid"),
]
ROUTES = [
    ("POST", "/chat-messages"),
    ("POST", "/chat-messages/x/stop"),
    ("POST", "/files/upload"),
    ("GET", f"/files/{NOWHERE}/preview"),
    ("GET", "/messages"),
    ("GET", f"/messages/{NOWHERE}/suggested"),
    ("POST", f"/messages/{NOWHERE}/feedbacks"),
    ("GET", "/conversations"),
    ("DELETE", f"/conversations/{NOWHERE}"),
    ("POST", f"/conversations/{NOWHERE}/name"),
    ("GET", f"/conversations/{NOWHERE}/variables"),
    ("PUT", f"/conversations/{NOWHERE}/variables/{NOWHERE}"),
    ("GET", "/info"),
    ("GET", "/parameters"),
    ("GET", "/meta"),
    ("GET", "/site"),
]


@pytest.mark.parametrize(("header", "part"), [case[1:] for case in AUTH], ids=[case[0] for case in AUTH])
def test_wrong_keys(server: LocalServer, dialect: Dialect, header: str | None, part: str) -> None:
    headers: dict[bytes, bytes] = {}
    if header is not None:
        headers[b"Authorization"] = header.replace("KEY", server.api_key("guide")).encode("latin-1")
    response = httpx.get(f"{server.base_url}/info", headers=headers)
    status, code, message = told(response)
    assert (status, code) == (401, "unauthorized")
    assert part in message
    scheme = None if dialect == "0.15" else 'Bearer realm="api"'
    assert response.headers.get("www-authenticate") == scheme


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_wants_a_key(server: LocalServer, dialect: Dialect, method: str, path: str) -> None:
    if dialect == "0.15" and path.endswith(("/preview", "/site", "/variables", f"/variables/{NOWHERE}")):
        return  # see test_local_older.py
    assert told(httpx.request(method, server.base_url + path))[:2] == (401, "unauthorized")


def test_bearer_in_lower_case_works(server: LocalServer) -> None:
    headers = {"Authorization": f"bearer {server.api_key('guide')}"}
    assert httpx.get(f"{server.base_url}/info", headers=headers).status_code == 200


UNKNOWN = [
    "/nope",
    "/parameters/",
    "/messages/nope/suggested",
    "/conversations/nope/name",
    "/files/nope/preview",
    "/",
]


@pytest.mark.parametrize("path", UNKNOWN)
def test_unknown_addresses_are_html(guide: Client, dialect: Dialect, path: str) -> None:
    if (dialect, path) == ("0.15", "/"):
        return  # which welcomes there
    response = guide.http.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "text/html; charset=utf-8"


def test_other_methods(guide: Client) -> None:
    assert told(guide.http.get("/chat-messages"))[:2] == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:1", 200),
        ("LOCALHOST:8000", 200),
        ("[::1]:9", 200),
        ("[::1]", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("127.0.0.1@evil.example", 403),
        ("localhost:evil", 403),
        ("0.0.0.0", 403),
        ("", 403),
    ],
)
def test_host_must_be_this_machine(guide: Client, host: str, status: int) -> None:
    """A web page that points a name of its own at 127.0.0.1 must not reach the server."""
    assert guide.http.get("/info", headers={"Host": host}).status_code == status


def test_no_cors(guide: Client) -> None:
    response = guide.http.get("/info", headers={"Origin": "https://evil.example"})
    assert not [name for name in response.headers if name.startswith("access-control")]
    assert guide.http.options("/info", headers={"Origin": "https://evil.example"}).status_code == 405


def test_root_says_what_it_is(server: LocalServer) -> None:
    body = httpx.get(server.url).json()
    assert body["apps"] == ["guide", "pipeline", "tally", "toolbox"]
    assert "proof" not in body


BODIES = [
    ("no content type", b"{}", None, 415, "unsupported_media_type"),
    ("form", b"query=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
    ("empty", b"", "application/json", 400, "bad_request"),
    ("not JSON", b"{nope", "application/json", 400, "bad_request"),
    ("an array", b"[]", "application/json", 400, "bad_request"),
    ("NaN", b'{"query": NaN}', "application/json", 400, "bad_request"),
    ("no float", b'{"query": "a", "inputs": {"n": 1e999}}', "application/json", 400, "bad_request"),
    ("not UTF-8", b'{"query": "\xff"}', "application/json", 400, "bad_request"),
    ("half a surrogate pair", b'{"query": "\\ud800"}', "application/json", 400, "bad_request"),
    ("very deep", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "application/json", 400, "bad_request"),
]


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"), [case[1:] for case in BODIES], ids=[c[0] for c in BODIES]
)
def test_bodies(guide: Client, content: bytes, kind: str | None, status: int, code: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    response = guide.http.post("/chat-messages", content=content, headers=headers)
    assert told(response)[:2] == (status, code)


@pytest.mark.parametrize("told_length", [True, False], ids=["told", "chunked"])
def test_bodies_are_bounded(guide: Client, told_length: bool) -> None:
    block = b" " * 1024 * 1024
    many = [block] * (guard.MAX_BODY // len(block) + 1)
    content: Any = b"".join(many) if told_length else iter(many)
    response = guide.http.post(
        "/chat-messages", content=content, headers={"Content-Type": "application/json"}
    )
    assert told(response)[:2] == (413, "file_too_large")
