"""Directories that only their user can enter, and what is said where that cannot be."""

from __future__ import annotations

import logging
import os
import re
import shlex
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dify_notebook import private
from dify_notebook.errors import ConfigError
from dify_notebook.local import ensure
from dify_notebook.local.server import LocalServerError
from dify_notebook.local.store.directory import Directory
from dify_notebook.private import data_dir, private_directory, private_opener, write_private

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private, "_logged", set())


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_a_new_directory_and_what_is_written_are_private_whatever_the_umask(tmp_path: Path) -> None:
    made = private_directory(tmp_path / "a" / "b")
    assert mode(made) == 0o700
    write_private(made / "x.json", "{}")
    assert mode(made / "x.json") == 0o600
    directory = Directory.open(tmp_path / "local")
    directory.write_port(5001)
    directory.read_keys()
    directory.write_server("http://127.0.0.1:1", "n")
    assert {path.name: oct(mode(path)) for path in directory.root.iterdir()} == {
        "files": "0o700",
        "keys.json": "0o600",
        "port": "0o600",
        "server.json": "0o600",
    }


@pytest.mark.usefixtures("open_umask")
@pytest.mark.parametrize("mode_", ["w", "x", "a", "wb", "xb"])
def test_a_file_is_private_from_its_first_moment(mode_: str, tmp_path: Path) -> None:
    with open(tmp_path / "x", mode_, opener=private_opener):
        assert mode(tmp_path / "x") == 0o600


@pytest.mark.usefixtures("open_umask")
def test_the_base_of_the_data_directories_is_private_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uses: tuple[Callable[[], object], ...] = (data_dir, lambda: Directory.open(None))
    for at, use in enumerate(uses):
        base = tmp_path / f"base{at}"
        monkeypatch.setenv("DIFY_NOTEBOOK_DATA_DIR", str(base))
        use()
        assert mode(base) == 0o700


def test_an_existing_directory_is_closed_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o755)
    for _ in range(3):
        private_directory(tmp_path)
    assert mode(tmp_path) == 0o700
    assert [str(tmp_path) in record.getMessage() and "0700" in record.getMessage() for record in caplog.records] == [
        True
    ]


def test_where_modes_do_nothing_it_is_said_once_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Some network shares take chmod and change nothing, others refuse it."""
    tmp_path.chmod(0o755)

    def refused(path: Path, to: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    for way in (lambda path, to: None, refused):
        monkeypatch.setattr(private, "_logged", set())
        caplog.clear()
        monkeypatch.setattr(Path, "chmod", way)
        for _ in range(3):
            assert private_directory(tmp_path) == tmp_path
        (said,) = caplog.records
        assert "stays so" in said.getMessage()


def test_shared_directories_and_the_home_are_left_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shared, home = tmp_path / "shared", tmp_path / "home"
    for one, bits in ((shared, 0o1777), (home, 0o755)):
        one.mkdir()
        one.chmod(bits)
    monkeypatch.setenv("HOME", str(home))
    private_directory(shared)
    private_directory(home)
    assert (mode(shared), mode(home)) == (0o1777, 0o755)
    assert len(caplog.records) == 2


def test_a_directory_of_another_account_is_refused_with_the_command_that_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "it's $HOME here"
    path.mkdir()
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
        monkeypatch.setattr(private, "_maps_owners", lambda path, owner: False)
    (path / "theirs").touch()
    monkeypatch.setenv("DIFY_NOTEBOOK_DATA_DIR", str(path))
    uses: list[tuple[Callable[[], object], type[Exception]]] = [
        (lambda: private_directory(path), ConfigError),
        (data_dir, ConfigError),
        (lambda: ensure(path), LocalServerError),
        (ensure, LocalServerError),
    ]
    for use, kind in uses:
        with pytest.raises(kind) as refused:
            use()
        found = re.search(r"`([^`]*)`", str(refused.value))
        assert found is not None
        words = shlex.split(found[1])
        assert words[:3] == ["sudo", "chown", "-R"]
        assert words[-1] == str(path)
    assert [one.name for one in path.iterdir()] == ["theirs"], "nothing was written into it"


def test_a_share_that_gives_one_owner_to_everything_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """We look like another account there, and so does what we make."""
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert private_directory(tmp_path / "share") == private_directory(tmp_path / "share")
    assert list((tmp_path / "share").iterdir()) == []


def test_a_file_that_cannot_be_moved_into_place_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "port").mkdir()
    (tmp_path / "port" / "x").touch()
    with pytest.raises(IsADirectoryError):
        write_private(tmp_path / "port", "1")
    assert [one.name for one in tmp_path.iterdir()] == ["port"]


def test_what_an_earlier_version_left_readable_is_closed(tmp_path: Path) -> None:
    first = Directory.open(tmp_path)
    keys = first.read_keys()
    first.write_port(5001)
    for name in ("keys.json", "port"):
        (tmp_path / name).chmod(0o644)
    again = Directory.open(tmp_path)
    assert again.read_keys() == keys
    assert again.last_port() == 5001
    assert {mode(tmp_path / name) for name in ("keys.json", "port")} == {0o600}


def test_its_log_is_ours(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tmp_path.chmod(0o777)
    with caplog.at_level(logging.WARNING, logger="dify_notebook"):
        private_directory(tmp_path)
    assert {record.name for record in caplog.records} == {"dify_notebook"}
