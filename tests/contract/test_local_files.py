"""Uploads to the embedded server, files of questions, and getting them back."""

from __future__ import annotations

import os
from typing import Any

import httpx
import pytest
from local_helpers import NOWHERE, SINCE_1, Client, told

from dify_notebook.local.options import Dialect
from dify_notebook.local.server.process import LocalServer

TABLE = b"a,b\n1,2\n"


@SINCE_1
def test_upload_and_signed_url(toolbox: Client, server: LocalServer, dialect: Dialect) -> None:
    response = toolbox.upload("数据 1.csv", TABLE)
    assert response.status_code == 201
    body = response.json()
    assert set(body) == set(
        [
            "id",
            "name",
            "size",
            "extension",
            "mime_type",
            "created_by",
            "created_at",
            "preview_url",
            "source_url",
            "original_url",
            "user_id",
            "tenant_id",
            "conversation_id",
            "file_key",
            *(["reference"] if dialect == "1.16" else []),
        ]
    )
    assert (body["name"], body["size"], body["extension"], body["mime_type"]) == (
        "数据 1.csv",
        8,
        "csv",
        "text/csv",
    )
    stored = server.data_dir / "files" / body["id"]
    assert stored.read_bytes() == TABLE
    if os.name == "posix":
        assert stored.stat().st_mode & 0o777 == 0o600
    url = httpx.URL(body["source_url"])
    got = httpx.get(url)
    assert (got.status_code, got.content) == (200, TABLE)
    assert got.headers["content-disposition"].startswith("attachment")
    assert got.headers["x-content-type-options"] == "nosniff"
    for name, value in (("sign", "x"), ("timestamp", "1"), ("nonce", "0" * 32), ("sign", "é")):
        changed = url.copy_set_param(name, value)
        assert told(httpx.get(changed))[:2] == (403, "file_access_denied")
    other = toolbox.upload("b.csv", b"x").json()["id"]
    assert httpx.get(str(url).replace(body["id"], other)).status_code == 403


def test_signed_urls_age(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    from dify_notebook.local.server import signing

    signer = signing.Signer("secret", "http://127.0.0.1:1")
    query = httpx.URL(signer.url("f")).params
    assert signer.verify("f", query["timestamp"], query["nonce"], query["sign"])
    later = time.time() + signing.LIFETIME + 2
    monkeypatch.setattr(time, "time", lambda: later)
    assert not signer.verify("f", query["timestamp"], query["nonce"], query["sign"])


UPLOADS: list[tuple[str, dict[str, Any], int, str]] = [
    (
        "no file",
        {"data": {"user": "u"}, "files": {"other": ("a", b"x", "text/plain")}},
        400,
        "no_file_uploaded",
    ),
    ("JSON", {"json": {"user": "u"}}, 400, "no_file_uploaded"),
    (
        "two files",
        {"files": [("file", ("a", b"x", "text/plain")), ("file", ("b", b"x", "text/plain"))]},
        400,
        "too_many_files",
    ),
    ("slash in the name", {"files": {"file": ("a/b.png", b"x", "image/png")}}, 400, "invalid_param"),
    ("quote in the name, %22 on its way", {"files": {"file": ("a\"b.png", b"x", "image/png")}}, 400, "invalid_param"),
    ("climbing name", {"files": {"file": ("..\\x.png", b"x", "image/png")}}, 400, "invalid_param"),
    ("image of 11 MB", {"files": {"file": ("a.png", b"x" * 11_000_000, "image/png")}}, 413, "file_too_large"),
    ("text of 16 MB", {"files": {"file": ("a.txt", b"x" * 16_000_000, "text/plain")}}, 413, "file_too_large"),
]


@pytest.mark.parametrize(
    ("request_", "status", "code"), [case[1:] for case in UPLOADS], ids=[c[0] for c in UPLOADS]
)
def test_bad_uploads(
    toolbox: Client, dialect: Dialect, request_: dict[str, Any], status: int, code: str
) -> None:
    if dialect == "0.15" and code == "no_file_uploaded":
        code = "bad_request_key_error"
    assert told(toolbox.http.post("/files/upload", **request_))[:2] == (status, code)


RAW_UPLOADS = [
    (
        "no name",
        'form-data; name="file"; filename=""',
        "Content-Type: image/png\r\n",
        400,
        "filename_not_exists_error",
    ),
    ("no type", 'form-data; name="file"; filename="a.png"', "", 415, "unsupported_file_type"),
]


@pytest.mark.parametrize(
    ("disposition", "kind", "status", "code"),
    [case[1:] for case in RAW_UPLOADS],
    ids=[c[0] for c in RAW_UPLOADS],
)
def test_odd_uploads(toolbox: Client, disposition: str, kind: str, status: int, code: str) -> None:
    content = f"--b\r\nContent-Disposition: {disposition}\r\n{kind}\r\nx\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert told(toolbox.http.post("/files/upload", content=content, headers=headers))[:2] == (status, code)


@pytest.mark.parametrize(("user", "name"), [("u", "caf\\ud83d"), ("caf\\ud83d", "u")])
def test_texts_in_a_charset_of_the_senders_choice(toolbox: Client, user: str, name: str) -> None:
    """What cannot be written down is refused, before a file is kept."""
    content = (
        f'--b\r\nContent-Disposition: form-data; name="user"\r\n\r\n{user}\r\n'
        f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/plain\r\n\r\n'
        "x\r\n--b--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b; charset=raw_unicode_escape"}
    assert told(toolbox.http.post("/files/upload", content=content, headers=headers))[:2] == (400, "bad_request")


@pytest.mark.parametrize(
    ("name", "extension"), [("README", ""), (".env", ""), ("a.TAR.GZ", "gz"), ("x" * 250 + ".csv", "csv")]
)
def test_names_of_uploads(toolbox: Client, name: str, extension: str) -> None:
    body = toolbox.upload(name, b"").json()
    assert body["extension"] == extension
    assert len(body["name"]) <= 205


def named(key: Any, **more: Any) -> list[dict[str, Any]]:
    return [{"type": "document", "transfer_method": "local_file", "upload_file_id": key, **more}]


FILES: list[tuple[str, list[dict[str, Any]], str]] = [
    ("unknown", named(NOWHERE), "Invalid upload file"),
    ("malformed id", named("nope"), "Invalid upload file id format"),
    ("number as id", named(5), "Invalid upload file id format"),
    ("no id", named(None), "Invalid upload file id"),
    ("other way", named(NOWHERE, transfer_method="pigeon"), "No matching enum found for value 'pigeon'"),
    (
        "remote",
        [{"type": "document", "transfer_method": "remote_url", "url": "http://127.0.0.1:9/x.csv"}],
        "remote_url",
    ),
    ("four files", named(NOWHERE) * 4, "exceeds the maximum limit 3"),
]


@pytest.mark.parametrize(("files", "part"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_bad_files(toolbox: Client, files: list[dict[str, Any]], part: str) -> None:
    status, code, message = told(toolbox.post("/chat-messages", toolbox.body("6*7", files=files)))
    assert (status, code) == (400, "invalid_param")
    assert part in message


def test_apps_choose_their_files(toolbox: Client, guide: Client) -> None:
    picture = toolbox.upload("a.png", b"x", "image/png").json()["id"]
    refused = toolbox.post("/chat-messages", toolbox.body("6*7", files=named(picture, type="image")))
    assert told(refused) == (400, "invalid_param", "File validation failed for file: a.png")
    other = guide.upload("a.csv", TABLE).json()["id"]
    assert (
        told(toolbox.post("/chat-messages", toolbox.body("6*7", files=named(other))))[2]
        == "Invalid upload file"
    )
    assert guide.ask("hi", files=named(NOWHERE))[-1]["event"] == "message_end", "takes none and looks at none"


@SINCE_1
def test_preview(toolbox: Client) -> None:
    key = toolbox.upload("表.csv", TABLE).json()["id"]
    path = f"/files/{key}/preview"
    assert told(toolbox.get(path)) == (404, "file_not_found", "File not found in message context")
    toolbox.ask("Summarise", files=named(key))
    shown = toolbox.get(path)
    assert (shown.status_code, shown.content, shown.headers["content-type"]) == (
        200,
        TABLE,
        "text/csv; charset=utf-8",
    )
    saved = toolbox.get(path, as_attachment="true")
    assert saved.headers["content-type"] == "application/octet-stream"
    assert saved.headers["content-disposition"] == "attachment; filename*=UTF-8''%E8%A1%A8.csv"
