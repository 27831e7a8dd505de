"""What lies on the disk: names that a server gives, files that are no files, and what a server says of times."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.raw_server import Connection, Request, serving

from dify_notebook import AsyncDify
from dify_notebook.errors import DifyError, InputError, ServerError
from dify_notebook.net.doctor import clock
from dify_notebook.net.files import download_name, new_file, open_file, safe_name
from dify_notebook.net.retry import RetryBudget, http_date, seconds_of
from dify_notebook.turn.state import MessageFile

pytestmark = pytest.mark.anyio

# -- names -------------------------------------------------------------------------------

NAMES = [
    ("report.csv", "report.csv"),
    ("長" * 300 + ".pdf", "長" * 65 + ".pdf"),
    ("😀" * 300 + ".png", "😀" * 49 + ".png"),
    ("e\u0301" * 300 + ".txt", "e\u0301" * 65 + "e.txt"),
    ("a" * 300, "a" * 200),
    ("a." + "b" * 300, "a." + "b" * 198),  # no ending is so long
    ("../../etc/passwd", "passwd"),
    ("..\\..\\boot.ini", "boot.ini"),
    ("/", ""), ("..", ""), (" . ", ""), ("\u202e\u200b\x07", ""), ("", ""),
    (".bashrc", "bashrc"), ("name. . ", "name"), ("  spaced  .txt", "spaced.txt"),
    ("gpj.\u202eexe", "gpj.exe"), ("a\x00b\x1b[31m\r\nc.txt", "ab[31mc.txt"),
    ("CON", "_CON"), ("nul.txt", "_nul.txt"), ("COM1.log", "_COM1.log"), ("lpt\u00b9", "_lpt\u00b9"),
    ("console.txt", "console.txt"), ("com10.txt", "com10.txt"),
    ('a<b>c:d"e|f?g*.txt', "a_b_c_d_e_f_g_.txt"),
    ("a.txt:stream", "a.txt_stream"),
]  # fmt: skip


@pytest.mark.parametrize(("told", "plain"), NAMES)
def test_a_name_as_it_may_lie_on_a_disk(told: str, plain: str) -> None:
    assert safe_name(told) == plain


@given(st.text(max_size=400) | st.text(alphabet="長😀./\\ \u202e:", max_size=400))
def test_a_plain_name_is_short_and_means_nothing_but_itself(told: str) -> None:
    name = safe_name(told)
    assert len(name.encode()) <= 200
    assert safe_name(name) == name
    assert name.isprintable()
    assert not set(name) & set('/\\<>:"|?*')
    assert name == name.strip(" .")


@given(st.text(max_size=300), st.text(max_size=40))
def test_there_is_always_a_name(disposition: str, fallback: str) -> None:
    for told in (disposition, f'attachment; filename="{disposition}"', f"attachment; filename*=UTF-8''{disposition}"):
        name = download_name(told, fallback)
        assert name
        assert safe_name(name) == name


def test_a_name_fits_however_many_have_it(tmp_path: Path) -> None:
    made = []
    for _ in range(12):
        path, file = new_file(tmp_path, safe_name("長" * 300 + ".pdf"))
        file.close()
        made.append(path.name)
    assert len(set(made)) == 12
    assert all(name.endswith(".pdf") for name in made)
    assert made[11].endswith("(12).pdf")


@pytest.mark.parametrize("where", ["header", "message", "url"])
@pytest.mark.parametrize("name", ["長" * 80 + ".pdf", "..", "..\\..\\x\\", "con", "\u202egnp.exe"])
async def test_a_download_is_written_whatever_its_name(name: str, where: str, tmp_path: Path) -> None:
    quoted = "".join(f"%{byte:02X}" for byte in name.encode())

    def script(request: Request, connection: Connection) -> None:
        extra = f"Content-Disposition: attachment; filename*=UTF-8''{quoted}\r\n" if where == "header" else ""
        connection.reply("200 OK", b"content", "text/plain", extra=extra)

    told = MessageFile(url=f"/files/{quoted if where == 'url' else 'x'}", name=name if where == "message" else None)
    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            paths = [await dify.files.download(told, to=tmp_path) for _ in range(3)]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    for path in paths:
        assert isinstance(path, Path)
        assert path.read_bytes() == b"content"


async def test_a_place_that_takes_no_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Path.open

    def opening(fails: bool) -> Any:
        def opened(path: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
            if mode != "xb":
                return usual(path, mode, *args, **options)
            if fails:
                raise OSError(28, "No space left on device")
            return open("/dev/full", "wb", buffering=0)

        return opened

    def script(request: Request, connection: Connection) -> None:
        connection.reply("200 OK", b"content", "text/plain")

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            monkeypatch.setattr(Path, "open", opening(True))
            with pytest.raises(DifyError) as caught:
                await dify.files.download(MessageFile(url="/files/a.txt"), to=tmp_path)
            assert caught.value.message == f"{tmp_path / 'a.txt'} cannot be written: No space left on device"
            if Path("/dev/full").exists():
                monkeypatch.setattr(Path, "open", opening(False))
                with pytest.raises(DifyError, match=r"a.txt cannot be written"):
                    await dify.files.download(MessageFile(url="/files/a.txt"), to=tmp_path)


# -- files that are no files -----------------------------------------------------------------


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


@pytest.mark.skipif(os.name == "nt", reason="Windows has neither pipes nor devices in the file system")
async def test_only_regular_files_are_sent(pipe: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    made_up = [Path(name) for name in ("/proc/self/status", "/proc/meminfo", "/dev/zero", "/dev/null")]
    with serving(lambda request, connection: connection.reply("201 Created", {"id": "1"})) as server:
        async with AsyncDify("app-x", server.url, "me") as dify:
            for path in [pipe, tmp_path, *(path for path in made_up if path.exists())]:
                for send in (dify.files.upload, dify.audio.to_text):
                    with pytest.raises(InputError, match=f"{path} is no regular file"):
                        await send(path)
            assert server.requests == []
            assert (await dify.files.upload(tmp_path / "empty")).id == "1"


@pytest.mark.parametrize("path", ["a\0b", "x" * 5_000, "~nobody-has-this-name/x"])
def test_no_name_of_a_file_is_told_as_such(path: str) -> None:
    with pytest.raises(InputError) as caught, open_file(path, None):
        pass
    assert caught.value.code == "file"


@pytest.fixture
def unreadable(tmp_path: Path) -> Iterator[Path]:
    """A file without the right to read it. Root may read everything: as long as this lasts it is somebody else."""
    if not hasattr(os, "geteuid"):
        pytest.skip("Windows knows no such modes")
    path = tmp_path / "secret"
    path.write_text("x")
    path.chmod(stat.S_IWUSR)
    user = os.geteuid()
    os.seteuid(65_534 if user == 0 else user)
    try:
        yield path
    finally:
        os.seteuid(user)


def test_a_file_that_may_not_be_read_is_named(unreadable: Path) -> None:
    with pytest.raises(InputError, match="secret cannot be read: Permission denied"), open_file(unreadable, None):
        pass


# -- times -----------------------------------------------------------------------------------

TIMES = [
    ("Fri, 31 Dec 9999 23:59:59 GMT", True), ("Fri, 31 Dec 9999 23:59:59 -2300", False),
    ("Fri, 31 Dec 99999 23:59:59 GMT", False), ("Mon, 01 Jan 0001 00:00:00 +1200", True),
    ("Fri, 31 Dec " + "9" * 400 + " 23:59:59 GMT", False), ("Fri, 31 Dec 2026 99:99:99 GMT", False),
    ("9" * 400, True), ("1e999", True), ("-1e999", True), ("inf", True), ("-5", True), ("1e-999", True),
    ("nan", False), ("", False), ("soon", False), ("明天", False), ("\udcff", False), (",", False), ("Fri,", False),
]  # fmt: skip


@pytest.mark.parametrize(("told", "is_one"), TIMES)
def test_a_retry_after_of_any_kind(told: str, is_one: bool) -> None:
    seconds = seconds_of(told)
    assert (seconds is not None) == is_one
    assert seconds is None or seconds >= 0
    wait = RetryBudget(20, clock=lambda: 0.0).after_status(503, told)
    assert wait is None or 0 < wait < 20
    assert clock(told, datetime.now(UTC))[0].kind.startswith("clock")


@given(st.text(max_size=200) | st.from_regex(r"[A-Z][a-z]{2}, -?[0-9]{1,30} [A-Z][a-z]{2} -?[0-9]{1,30} [0-9:]+ \S+"))
@example("Fri, 31 Dec 2026 23:59:59 +" + "9" * 30)
def test_no_date_of_a_server_raises(told: str) -> None:
    then = http_date(told)
    assert then is None or then.utcoffset() is not None
    seconds = seconds_of(told)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("told", ["Fri, 31 Dec 99999 23:59:59 GMT", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
async def test_a_call_ends_whatever_the_server_says_of_later(told: str) -> None:
    tries = threading.Semaphore(0)

    def script(request: Request, connection: Connection) -> None:
        tries.release()
        connection.reply("503 X", {"code": "unavailable", "message": "later"}, extra=f"Retry-After: {told}\r\n")

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me", retry=0.5) as dify:
            with pytest.raises(ServerError, match="later"):
                await dify.app.info()
    assert tries.acquire(blocking=False)


@pytest.mark.parametrize("place", ["http://[", "//", "http://h:99999999/", "\x80\xff", "javascript:x", "x:y", "http://xn--0.example/", ":http://--]"])
async def test_a_redirect_to_no_address_is_an_error_of_ours(place: str) -> None:
    def script(request: Request, connection: Connection) -> None:
        head = f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {place}\r\n\r\n"
        connection.send(head.encode("latin-1"))

    with serving(script) as server:
        async with AsyncDify("app-x", server.url, "me", retry=0) as dify:
            for ask in (dify.app.info, lambda: dify.chat.send("hi"), lambda: dify.files.from_url(server.url)):
                with pytest.raises(DifyError):
                    await ask()
            assert (await dify.files.fetch(MessageFile(url="/files/a"))).data_error
            assert (await dify._pools.current()).limiter.active == 0
