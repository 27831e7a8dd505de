"""A history's directory that is damaged, or comes from elsewhere: an error that names the file, and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from unit.test_frames_bounds import folder, link_to_a_device, listening, nothing, of_the_kernel, pipe

from dify_notebook import History
from dify_notebook.errors import InputError
from dify_notebook.frames import dataframes
from dify_notebook.frames.facts import Facts
from dify_notebook.frames.parquet import directory, files
from dify_notebook.frames.schema import SCHEMA

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small history; tests run beside it, since a socket's name must be short."""
    rows: dict[str, list[Any]] = {
        "message_id": ["a", "b"], "query": ["x" * 100, "y"], "answer": ["", ""], "created_at": [0, 1],
    }  # fmt: skip
    monkeypatch.chdir(tmp_path)
    return History({"messages": dataframes.from_columns(SCHEMA["messages"], rows)}, Facts(users={"ann": "given"})).to_parquet("log")


def messages(log: Path) -> Path:
    (path,) = (log / "messages").glob("*/*.parquet")
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such files")
@pytest.mark.parametrize("make", [pipe, listening, link_to_a_device, nothing, of_the_kernel, folder])
@pytest.mark.parametrize("name", ["history.json", "messages"])
def test_only_regular_files_are_read(log: Path, make: Callable[[Path], None], name: str) -> None:
    if make is of_the_kernel and not Path("/proc/self/status").exists():
        pytest.skip("this system has no /proc")
    place = log / name if name == "history.json" else messages(log)
    place.unlink()
    make(place)
    with pytest.raises(InputError, match=rf"{place.name} is (a|empty)"):
        _ = History.read(log).messages


@pytest.mark.parametrize(
    "content",
    [b"{", b"\xff", b"[" * 5_000, b'{"version": 1, "facts": {"users": 5}}', b'{"version": 1, "facts": {"users": {"\xff": "x"}}}'],
)  # fmt: skip
def test_facts_that_cannot_be_read_are_named(log: Path, content: bytes) -> None:
    (log / "history.json").write_bytes(content)
    with pytest.raises(InputError, match=r"history\.json is damaged"):
        History.read(log)


def test_facts_have_a_bound(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = (log / "history.json").stat().st_size
    monkeypatch.setattr(directory, "METADATA_LIMIT", size)
    assert History.read(log).users == {"ann": "given"}
    monkeypatch.setattr(directory, "METADATA_LIMIT", size - 1)
    with pytest.raises(InputError, match=rf"history\.json is larger than the {size - 1} bytes"):
        History.read(log)


def changed(path: Path, **columns: Any) -> None:
    """The file with other columns; None takes one away."""
    table = pq.read_table(path, partitioning=None)
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.remove_column(place) if values is None else table.set_column(place, name, values)
    pq.write_table(table, path)


@pytest.mark.parametrize(
    "columns",
    [
        {"query": None},
        {"created_at": None},
        {"query": pa.array([{"a": 1}, {"a": 2}])},
        {"query": pa.array([[1], [2]])},
        {"created_at": pa.array(["soon", "late"])},
        {"total_tokens": pa.array(["many", "few"])},
        {"query": pa.Array.from_buffers(pa.string(), 2, [None, pa.array(["ab", "cd"]).buffers()[1], pa.py_buffer(b"\xff\xfe\xff\xfe")])},
    ],
    ids=["no query", "no time", "an object", "a list", "a text for a time", "a text for a number", "no UTF-8"],
)  # fmt: skip
def test_a_file_of_other_columns_is_named(log: Path, columns: dict[str, Any]) -> None:
    changed(messages(log), **columns)
    history = History.read(log)
    with pytest.raises(InputError, match=messages(log).name):
        _ = history.messages
    assert len(history.conversations) == 0, "the other tables are there"


@pytest.mark.parametrize("content", [b"no parquet", b"PAR1", b"PAR1PAR1"])
def test_a_file_that_is_none_is_named(log: Path, content: bytes) -> None:
    messages(log).write_bytes(content)
    with pytest.raises(InputError, match=rf"{messages(log).name} is damaged"):
        _ = History.read(log).messages


def test_columns_that_others_added_do_not_matter(log: Path) -> None:
    before = History.read(log).messages
    table = pq.read_table(messages(log), partitioning=None)
    pq.write_table(table.append_column("mine", pa.array([1, 2])), messages(log))
    pd.testing.assert_frame_equal(History.read(log).messages, before)


def test_a_table_has_a_bound(log: Path) -> None:
    with pytest.raises(
        InputError, match=rf"{messages(log).name}: the table messages is more than the 100 bytes.*limit=1_000\)"
    ):
        _ = History.read(log, limit=100).messages
    assert len(History.read(log, limit=100_000).messages) == 2


def test_a_table_is_bounded_before_it_is_whole(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows at a time are looked at: a small file can hold very many."""
    monkeypatch.setattr(files, "BATCH_ROWS", 100)
    rows = {"message_id": ["a"] * 5_000, "query": ["x"] * 5_000}
    frame = dataframes.from_columns(SCHEMA["messages"], rows)
    many = History({"messages": frame}).to_parquet("many")
    taken: list[int] = []
    parts = files.read_batches

    def counted(*told: Any) -> Iterator[Any]:
        for part in parts(*told):
            taken.append(len(part))
            yield part

    monkeypatch.setattr(files, "read_batches", counted)
    with pytest.raises(InputError, match="limit"):
        _ = History.read(many, limit=50_000).messages
    assert sum(taken) < 1_000
    taken.clear()
    pd.testing.assert_frame_equal(History.read(many).messages, frame)
    assert len(taken) == 50
