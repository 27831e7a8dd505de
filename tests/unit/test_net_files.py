"""Files go up as multipart, and pictures come down from the server's own origin alone."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from support.raw_server import Connection, Request, serving

from dify_notebook import AsyncDify
from dify_notebook.config import clean_base_url
from dify_notebook.errors import APIError, DifyError, InputError
from dify_notebook.net.files import kind_of, remote
from dify_notebook.panel.presenter import file_name
from dify_notebook.turn.state import MessageFile

pytestmark = pytest.mark.anyio
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 100


def upload(request: Request, connection: Connection) -> None:
    connection.reply("201 Created", {"id": "f-1", "name": "a.png", "mime_type": "image/png", "size": 3, "new": 1})


@pytest.mark.parametrize("how", ["path", "bytes", "file"])
async def test_upload(how: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    file: Any = {"path": path, "bytes": PNG, "file": io.BytesIO(PNG)}[how]
    with serving(upload) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            found = await dify.files.upload(file, name=None if how == "path" else "a.png")
    request = server.requests[0]
    assert request.path == "/v1/files/upload"
    assert request.headers["content-type"].startswith("multipart/form-data")
    assert PNG in request.body
    assert b'filename="a.png"' in request.body
    assert b"image/png" in request.body
    assert b'name="user"\r\n\r\nme' in request.body
    assert (found.id, found.extra) == ("f-1", {"new": 1})


@pytest.mark.parametrize("file", ["no/such/file", ".", 3.5])
async def test_what_is_no_file_is_told_before_sending(file: Any) -> None:
    with serving(upload) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            with pytest.raises(InputError):
                await dify.files.upload(file)
        assert server.requests == []


async def test_a_refused_upload() -> None:
    answer = {"code": "file_too_large", "message": "File size exceeded. {message}", "status": 413}
    with serving(lambda request, connection: connection.reply("413 X", answer)) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            with pytest.raises(APIError) as caught:
                await dify.files.upload(b"x")
    assert caught.value.code == "file_too_large"
    assert "too large" in caught.value.hint


async def test_a_question_uploads_paths_and_names_urls(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)

    def script(request: Request, connection: Connection) -> None:
        if request.path.endswith("/upload"):
            upload(request, connection)
        else:
            connection.head()
            connection.event(event="message_end", metadata={}, message_id="m", conversation_id="c", task_id="t")
            connection.end()

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            await dify.chat.send("look", files=[path, "https://example.com/x.pdf?a=1", {"type": "custom", "id": 1}])
    assert server.requests[1].json["files"] == [
        {"type": "image", "transfer_method": "local_file", "upload_file_id": "f-1"},
        {"type": "document", "transfer_method": "remote_url", "url": "https://example.com/x.pdf?a=1"},
        {"type": "custom", "id": 1},
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.png", "image"), ("a.mp3", "audio"), ("a.mp4", "video"), ("a.PDF", "document"), ("a.csv", "document"),
     ("a.xyz", "custom"), ("a", "custom")],
)  # fmt: skip
def test_kinds_by_name(name: str, kind: str) -> None:
    import mimetypes

    assert kind_of(name, mimetypes.guess_type(name)[0]) == kind
    assert remote(f"https://h/{name}?x=1")["type"] == kind


async def test_pictures_come_from_the_servers_own_origin_without_the_key() -> None:
    with serving(lambda request, connection: connection.reply("200 OK", PNG, "image/png")) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            own = await dify.files.fetch(MessageFile(id="1", type="image", url="/files/1?sign=s"))
            absolute = await dify.files.fetch(MessageFile(type="image", url=server.url + "/files/2"))
            large = await dify.files.fetch(MessageFile(type="image", url="/files/3"), limit=10)
    assert own.data == absolute.data == PNG
    assert (large.data, bool(large.data_error)) == (None, True)
    assert all("authorization" not in request.headers for request in server.requests)


#: Addresses that a server can write and nobody can visit.
NOWHERE = ["http://[bad/x.png", "http://host:abc/x.png", "http://host:99999/x", "//", "http://", "http://xn--/", "http://\0/",
           "http://" + "a" * 300 + ".example/x", "http://a b/c", "http://\ud83d.example/"]  # fmt: skip


@pytest.mark.parametrize("url", NOWHERE)
async def test_an_address_that_is_none_spoils_nothing(url: str) -> None:
    """`fetch` raises nothing, whatever a server calls the address of a file; the others raise our errors."""
    file = MessageFile(id="1", type="image", url=url)
    async with AsyncDify("app-x", "http://127.0.0.1:9/v1", "u", retry=0) as dify:
        assert (await dify.files.fetch(file)).data_error
        with pytest.raises(DifyError):
            await dify.files.download(file)
        with pytest.raises(DifyError):
            await dify.files.from_url(url)
    assert isinstance(file_name(file), str)


@pytest.mark.parametrize("url", [url for url in NOWHERE if "xn--" not in url])
def test_an_address_that_is_none_is_no_server(url: str) -> None:
    with pytest.raises(DifyError):
        clean_base_url(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x.png", "https://evil.example/x.png", "file:///etc/passwd",
                                 "ftp://127.0.0.1/x", "//evil.example/x.png", "javascript:1"])  # fmt: skip
async def test_pictures_from_elsewhere_are_not_fetched(url: str) -> None:
    with serving(upload) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            file = await dify.files.fetch(MessageFile(type="image", url=url))
        assert server.requests == []
    assert file.data is None
    assert file.data_error
    assert "not fetched" in file.data_error


async def test_another_host_that_was_named_is_allowed() -> None:
    with serving(lambda request, connection: connection.reply("200 OK", PNG, "image/png")) as files:
        host = files.url.split("/")[2]
        async with AsyncDify("app-x", "http://127.0.0.1:9", "me", files_hosts=[host]) as dify:
            file = await dify.files.fetch(MessageFile(type="image", url=files.url + "/x.png"))
    assert file.data == PNG


async def test_redirects_of_pictures_are_not_followed() -> None:
    extra = "Location: http://127.0.0.1:9/x\r\n"
    with serving(lambda request, connection: connection.reply("302 Found", b"", "text/html", extra)) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            file = await dify.files.fetch(MessageFile(type="image", url="/x"))
        assert len(server.requests) == 1
    assert file.data is None
    assert "302" in (file.data_error or "")
