"""Files: progress, the app's rules, inputs that are files, and downloads by signed URLs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from support.raw_server import Connection, Request, serving

from dify_notebook import AsyncDify, Dify
from dify_notebook.errors import InputError, NotFoundError
from dify_notebook.turn.state import MessageFile
from dify_notebook.wire.models import UploadedFile

pytestmark = pytest.mark.anyio

FORM = [
    {"file": {"variable": "doc", "type": "file", "allowed_file_types": ["document"]}},
    {"file-list": {"variable": "docs", "type": "file-list", "max_length": 2, "allowed_file_types": ["image", "custom"],
                   "allowed_file_extensions": [".XYZ"]}},
    {"text-input": {"variable": "city"}},
]  # fmt: skip
PARAMETERS = {
    "user_input_form": FORM,
    "file_upload": {"enabled": True, "allowed_file_types": ["image"], "number_limits": 2},
    "system_parameters": {"image_file_size_limit": 1, "file_size_limit": 2},
}


def app(request: Request, connection: Connection) -> None:
    path = request.path.partition("?")[0]
    if path.endswith("/parameters"):
        connection.reply("200 OK", PARAMETERS)
    elif path.endswith("/upload"):
        name = request.body.partition(b'filename="')[2].partition(b'"')[0].decode()
        connection.reply("201 Created", {"id": f"up-{name}", "name": name, "mime_type": None})
    elif path.endswith("/preview"):
        connection.reply("404 NOT FOUND", b"<html>not found</html>", "text/html")
    elif path == "/files/9":
        connection.reply("200 OK", b"content", "image/png")
    elif path.endswith("/elsewhere"):
        named = 'Content-Disposition: attachment; filename="../report.csv"\r\n'
        connection.reply("200 OK", b"a,b\n", "text/csv", named)
    elif path.endswith("/chat-messages"):
        connection.head()
        connection.event(event="message_end", metadata={}, message_id="m", conversation_id="c", task_id="t")
        connection.end()
    else:
        connection.reply("404 Not Found", {"code": "not_found", "message": "no", "status": 404})


def paths(server: Any) -> list[str]:
    return [request.path.partition("?")[0].removeprefix("/v1") for request in server.requests]


@pytest.mark.parametrize("how", ["path", "bytes", "file"])
async def test_an_upload_tells_how_far_it_is(how: str, tmp_path: Path) -> None:
    data = bytes(range(256)) * 2_000
    path = tmp_path / "a.bin"
    path.write_bytes(data)
    told: list[tuple[int, int | None]] = []
    with serving(app) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            file: Any = {"path": path, "bytes": data, "file": io.BytesIO(data)}[how]
            await dify.files.upload(file, name="a.bin", progress=lambda sent, total: told.append((sent, total)))
    assert data in server.requests[0].body
    assert int(server.requests[0].headers["content-length"]) == len(server.requests[0].body)
    assert told[-1] == (len(data), len(data))
    assert [sent for sent, _ in told] == sorted(sent for sent, _ in told)
    assert len(told) > 2


def test_progress_of_the_plain_client() -> None:
    told: list[int] = []
    with serving(app) as server, Dify("app-x", server.url, "me") as dify:
        dify.files.upload(b"x" * 200_000, name="a", progress=lambda sent, total: told.append(sent))
    assert told[-1] == 200_000


@pytest.mark.parametrize(("name", "size", "code"), [
    ("a.png", 1_100_000, "file_too_large"), ("a.pdf", 2_200_000, "file_too_large"), ("a.mp3", 5, "file_type"),
    ("a.png", 1_000_000, None), ("a.pdf", 2_000_000, None), ("a.xyz", 5, None), ("a.abc", 5, "file_type"),
])  # fmt: skip
async def test_what_the_app_does_not_take_is_told_before_sending(name: str, size: int, code: str | None) -> None:
    with serving(app) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            await dify.app.parameters()
            asked = len(server.requests)
            if code is None:
                await dify.files.upload(b"x" * size, name=name)
                assert paths(server)[asked:] == ["/files/upload"]
                return
            with pytest.raises(InputError) as caught:
                await dify.files.upload(b"x" * size, name=name)
            assert caught.value.code == code
            assert len(server.requests) == asked
            await dify.files.upload(b"x" * size, name=name, check=False)


async def test_the_check_costs_no_request_unless_asked_for_and_then_one() -> None:
    with serving(app) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            await dify.files.upload(b"x", name="a.mp3")
            assert paths(server) == ["/files/upload"]
            for _ in range(3):
                with pytest.raises(InputError):
                    await dify.as_user("other").files.upload(b"x", name="a.mp3", check=True)
            assert paths(server) == ["/files/upload", "/parameters"]


async def test_types_and_number_of_a_question_s_files() -> None:
    with serving(app) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            await dify.app.parameters()
            with pytest.raises(InputError, match="3 files"):
                await dify.chat.send("hi", files=["https://h/a.png"] * 3)
            path = Path(__file__)
            with pytest.raises(InputError, match="takes image"):
                await dify.chat.send("hi", files=[path])
            assert paths(server) == ["/parameters"]


async def test_files_in_inputs_are_uploaded_and_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x")
    known = UploadedFile(id="u-1", name="b.png", mime_type="image/png")
    inputs: dict[str, Any] = {"doc": path, "docs": [known, b"raw"], "city": "Paris", "list": ["a", 1], "none": None, "empty": []}
    with serving(app) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            turn = await dify.chat.send("hi", inputs=inputs)
    sent = server.requests[-1].json["inputs"]
    assert sent == {
        "doc": {"type": "document", "transfer_method": "local_file", "upload_file_id": "up-a.csv"},
        "docs": [{"type": "image", "transfer_method": "local_file", "upload_file_id": "u-1"},
                 {"type": "custom", "transfer_method": "local_file", "upload_file_id": "up-file"}],
        "city": "Paris", "list": ["a", 1], "none": None, "empty": [],
    }  # fmt: skip
    assert "files" not in server.requests[-1].json
    assert turn.inputs == sent
    assert inputs["doc"] is path


async def test_a_text_is_an_address_or_refused_where_the_form_asks_for_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_text("x")
    with serving(app) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            await dify.app.parameters()
            taken = {"type": "image", "transfer_method": "local_file", "upload_file_id": "u-1"}
            inputs: dict[str, Any] = {"doc": path, "docs": ["https://h/a.png", taken], "city": "https://h/b.png"}
            await dify.chat.send("hi", inputs=inputs)
            sent = server.requests[-1].json["inputs"]
            assert sent["doc"]["upload_file_id"] == "up-a.pdf"
            assert sent["docs"] == [{"type": "image", "transfer_method": "remote_url", "url": "https://h/a.png"}, taken]
            assert sent["city"] == "https://h/b.png"
            before = len(server.requests)
            texts: list[dict[str, Any]] = [{"doc": str(path)}, {"docs": [str(path)]}, {"docs": [path, str(path)]}]
            lost = tmp_path / "lost.pdf"
            files: list[dict[str, Any]] = [
                {"doc": tmp_path / "a.png"}, {"docs": ["https://h/a.png"] * 3}, {"docs": [b"x"], "doc": lost},
            ]  # fmt: skip
            for inputs in texts:
                with pytest.raises(InputError, match=r"never taken for the path") as caught:
                    await dify.chat.send("hi", inputs=inputs)
                assert "pathlib.Path" in caught.value.hint
            for inputs in files:
                with pytest.raises(InputError):
                    await dify.chat.send("hi", inputs=inputs)
            assert len(server.requests) == before, "nothing is uploaded before all of it was looked at"


async def test_a_url_is_downloaded_only_when_asked_and_without_the_key() -> None:
    with serving(app) as other, serving(app) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            url = other.url.removesuffix("/v1") + "/elsewhere"
            found = await dify.files.from_url(url)
            assert (found.name, paths(server), paths(other)) == ("report.csv", ["/files/upload"], ["/elsewhere"])
            assert "authorization" not in other.requests[0].headers
            assert b"a,b\n" in server.requests[0].body
            with pytest.raises(InputError, match="more than"):
                await dify.files.from_url(url, limit=2)
            with pytest.raises(NotFoundError):
                await dify.files.from_url(other.url + "/no")
            with pytest.raises(InputError):
                await dify.files.from_url("/etc/passwd")
            assert (await dify._pools.current()).limiter.active == 0


@pytest.mark.parametrize("file", [
    MessageFile(id="9", type="image", url="/files/9?sign=s"),
    {"id": "9", "url": "/files/9?sign=s", "filename": "p.png"},
])  # fmt: skip
async def test_a_file_is_downloaded_by_its_signed_url(file: Any, tmp_path: Path) -> None:
    with serving(app) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            assert await dify.files.download(file) == b"content"
            path = await dify.files.download(file, to=tmp_path)
            assert isinstance(path, Path)
            assert path.read_bytes() == b"content"
            assert path.parent == tmp_path
            assert all("authorization" not in request.headers for request in server.requests)
            assert "sign" not in path.name
            with pytest.raises(NotFoundError, match="MessageFile") as caught:
                await dify.files.download("9")
            assert caught.value.code == "no_preview"
            for url in ("https://evil.example/x", "file:///etc/passwd"):
                with pytest.raises(InputError, match="another host"):
                    await dify.files.download(MessageFile(url=url))
            with pytest.raises(InputError):
                await dify.files.download(MessageFile())


async def test_half_a_download_leaves_no_file(tmp_path: Path) -> None:
    from dify_notebook.errors import ConnectError

    def script(request: Request, connection: Connection) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        connection.close()

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            for file in ("id-1", MessageFile(url="/f")):
                with pytest.raises(ConnectError):
                    await dify.files.download(file, to=tmp_path)
    assert list(tmp_path.iterdir()) == []
