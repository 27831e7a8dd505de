"""A history in a directory: dtypes come back, other tools read it, memory stays bounded, nothing breaks halfway."""

from __future__ import annotations

import asyncio
import errno
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.logs import Logs
from support.raw_server import serving

from dify_notebook import AsyncDify, Dify, History, frames
from dify_notebook.errors import AuthenticationError, ConfigError, InputError
from dify_notebook.frames import dataframes, memory
from dify_notebook.frames.facts import Facts, Failure, NotWritten
from dify_notebook.frames.parquet import files as parquet_files
from dify_notebook.frames.parquet import update, writer
from dify_notebook.frames.schema import HISTORY, Column, Table

JANUARY = 1_767_225_600_000_000
WEEK = 7 * 86_400_000_000

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "boolean": st.booleans(),
    "float64": st.floats(allow_nan=False, allow_infinity=True),
    "timestamp": st.integers(JANUARY - 20 * WEEK, JANUARY + 20 * WEEK),
}


def values(column: Column) -> st.SearchStrategy[Any]:
    words = st.sampled_from([*column.categories, "something new", "其他"])
    found = words if column.dtype == "category" else VALUES[column.dtype]
    return st.none() | found if column.nullable else found


@st.composite
def tables(draw: st.DrawFn) -> dict[str, pd.DataFrame]:
    """Tables of any content, each row with a key of its own, in the order of a history."""
    found = {}
    for table in HISTORY:
        rows = draw(st.integers(0, 6))
        columns = {column.name: draw(st.lists(values(column), min_size=rows, max_size=rows)) for column in table.columns}
        for name in table.key:
            if table[name].dtype == "string":
                columns[name] = [f"{name}{number}" for number in range(rows)]
        found[table.name] = dataframes.concat(table, [dataframes.from_columns(table, columns)], ordered=True)
    return found


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=tables())
def test_a_round_trip_keeps_values_and_dtypes(found: dict[str, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> None:
    facts = Facts(users={"ann": "given"}, notes=("noted",), failures=(Failure("conversation", "c", "ann", "why"),))
    place = History(found, facts).to_parquet(tmp_path_factory.mktemp("history") / "log")
    again = History.read(place)
    assert again.facts == facts
    assert again.directory == place
    for table in HISTORY:
        same(table, again.table(table.name), found[table.name])


def same(table: Table, left: pd.DataFrame, right: pd.DataFrame) -> None:
    """Equal in values and dtypes; the categories are those of the schema and those that are used."""
    assert left.dtypes.astype(str).to_dict() == right.dtypes.astype(str).to_dict()
    key = [*table.key, *(name for name in table.names if name not in table.key)]
    for frame in (left, right):
        assert frame.columns.tolist() == list(table.names)
    words = [column.name for column in table.columns if column.dtype == "category"]
    one, other = (frame.astype(dict.fromkeys(words, "string")).sort_values(key, ignore_index=True) for frame in (left, right))
    pd.testing.assert_frame_equal(one, other)
    for name in words:
        assert set(left[name].cat.categories) == set(right[name].cat.categories) or not len(right)


def logs_of(months: int = 4) -> Logs:
    logs = Logs()
    for month in range(months):
        for number in range(3):
            id = f"c{month}{number}"
            logs.begin(id, "ann", 1_767_225_600 + month * 2_678_400)
            for place in range(4):
                logs.say(id, f"{id}-m{place}", 1_767_225_600 + month * 2_678_400 + place * 60)
    return logs


def files(place: Path) -> list[str]:
    return sorted(path.relative_to(place).parent.as_posix() for path in place.rglob("*.parquet"))


def test_messages_lie_by_month(tmp_path: Path) -> None:
    logs = logs_of()
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        dify.history(to=tmp_path / "log")
    assert files(tmp_path / "log") == [
        "conversations",
        "messages/month=2026-01",
        "messages/month=2026-02",
        "messages/month=2026-03",
        "messages/month=2026-04",
    ]
    if os.name == "posix":
        assert (tmp_path / "log").stat().st_mode & 0o077 == 0


def test_duckdb_and_polars_read_it(tmp_path: Path) -> None:
    import duckdb
    import polars

    def rows(query: str) -> list[tuple[Any, ...]]:
        found = duckdb.sql(query)
        assert found is not None
        return found.fetchall()

    place = (tmp_path / "log").as_posix()
    with serving(logs_of()) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(to=place)
    months = rows(
        f"select month, count(*) as n, min(created_at)::varchar from read_parquet('{place}/messages/*/*.parquet', "
        "hive_partitioning=true, union_by_name=true) group by 1 order by 1"
    )
    assert [(month, n) for month, n, _ in months] == [(f"2026-0{month}", 12) for month in range(1, 5)]
    joined = rows(
        f"select count(*) from read_parquet('{place}/messages/*/*.parquet') m "
        f"join read_parquet('{place}/conversations/*.parquet') c using (conversation_id) where total_tokens is null"
    )
    assert joined == [(48,)]
    frame = polars.scan_parquet(f"{place}/messages/**/*.parquet", hive_partitioning=True).collect()
    assert frame.height == 48
    assert frame["created_at"].dtype == polars.Datetime("us", "UTC")
    assert sorted(frame["message_id"]) == sorted(history.messages["message_id"])


def test_little_is_held_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits in memory never grows far beyond the limit, however much comes."""
    most = [0]
    add = writer.Writer.add

    async def watched(self: writer.Writer, table: str, block: Any) -> None:
        await add(self, table, block)
        most[0] = max(most[0], sum(self._sizes.values()))

    monkeypatch.setattr(writer, "BUFFER_SIZE", 6_000)
    monkeypatch.setattr(writer.Writer, "add", watched)
    logs = logs_of(12)
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(to=tmp_path / "log", concurrency=4)
    assert set(history.messages["message_id"]) == logs.ids()
    assert len(files(tmp_path / "log")) > 14
    assert most[0] <= 6_000 + 4 * 3_000, "the limit, and a page of each request under way"


def test_conversations_are_written_behind_what_belongs_to_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A conversation with a row counts as read to its end, so its messages must be on the disk by then."""
    written: set[str] = set()
    piles: list[str] = []
    write = writer.Writer._write

    def watched(self: writer.Writer, table: str, month: str, blocks: Any) -> None:
        ids = {id for block in blocks for id in block["conversation_id"]}
        if table == "conversations":
            assert ids <= written
        write(self, table, month, blocks)
        written.update(ids)
        piles.append(table)

    monkeypatch.setattr(writer, "BUFFER_SIZE", 3_000)
    monkeypatch.setattr(writer.Writer, "_write", watched)
    with serving(logs_of(6)) as server, Dify("app-x", server.url, "ann") as dify:
        dify.history(to=tmp_path / "log")
    assert piles[-1] == "conversations"
    assert len(piles) > 7


@pytest.mark.parametrize("broken", ["merged_feedbacks", "drop_rows", "rename", "set_ratings"])
def test_an_update_that_is_killed_is_mended_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    logs = logs_of()
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(to=tmp_path / "log")
        logs.say("c10", "late-1", 1_790_000_000)
        logs.say("c32", "late-2", 1_790_000_001)
        with monkeypatch.context() as patched:

            class Killed(BaseException):
                pass

            def kill(*_: Any, **__: Any) -> None:
                raise Killed

            if broken == "rename":  # when the new files are put in their place
                rename = os.replace

                def halfway(source: Any, target: Any) -> None:
                    if ".update" in Path(source).parts and ".update" not in Path(target).parts:
                        kill()
                    rename(source, target)

                patched.setattr(os, "replace", halfway)
            else:
                patched.setattr(update, broken, kill)
            with pytest.raises(Killed):
                dify.update(history)
        between = History.read(tmp_path / "log")
        assert not between.facts.complete
        assert len(between.messages) >= 40, "readable all the same"
        history = dify.update(tmp_path / "log")
    assert set(history.messages["message_id"]) == logs.ids()
    assert not history.messages["message_id"].duplicated().any()
    assert not history.conversations["conversation_id"].duplicated().any()
    assert not (tmp_path / "log" / ".update").exists()


def test_a_first_fetch_that_is_killed_is_mended_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written of a conversation without its row is fetched again, and is there once."""
    logs = logs_of()
    monkeypatch.setattr(writer, "BUFFER_SIZE", 4_000)

    class Killed(BaseException):
        pass

    def kill(self: Any) -> None:
        raise Killed

    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        with monkeypatch.context() as patched:
            patched.setattr(writer.Writer, "flush", kill)
            with pytest.raises(Killed):
                dify.history(to=tmp_path / "log")
        between = History.read(tmp_path / "log")
        assert len(between.messages) > 0
        assert len(between.conversations) < 12
        history = dify.update(between)
    assert sorted(history.messages["message_id"]) == sorted(logs.ids())
    assert history.facts.complete


def test_a_directory_that_holds_something_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    logs = logs_of(1)
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        with pytest.raises(InputError, match="not empty"):
            dify.history(to=tmp_path)
        assert logs.asked == []
        dify.history(to=tmp_path / "log")
        logs.asked.clear()
        with pytest.raises(InputError, match="update"):
            dify.history(to=tmp_path / "log")
        assert logs.asked == []
        with pytest.raises(InputError, match="update"):
            History().to_parquet(tmp_path / "log")
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_what_is_no_history_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no history"):
        History.read(tmp_path / "nowhere")
    (tmp_path / "history.json").write_text('{"version": 99, "facts": {}}')
    with pytest.raises(InputError, match="newer version"):
        History.read(tmp_path)
    (tmp_path / "history.json").write_text("{")
    with pytest.raises(InputError, match=r"history\.json"):
        History.read(tmp_path)


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ConfigError, match=r"dify_notebook\[parquet\]"):
        History().to_parquet(tmp_path / "log")
    with pytest.raises(ConfigError, match=r"dify_notebook\[parquet\]"):
        History.read(tmp_path)


def test_a_table_is_read_when_it_is_looked_at(tmp_path: Path) -> None:
    with serving(logs_of(1)) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(to=tmp_path / "log")
    assert repr(history).splitlines()[0] == f"<History in {tmp_path / 'log'}>"
    first = history.messages
    assert history.messages is first
    for path in (tmp_path / "log" / "conversations").glob("*.parquet"):
        path.unlink()
    assert len(history.conversations) == 0


def test_much_is_gathered_in_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory: the same table, however often what waits becomes arrays."""
    monkeypatch.setattr(memory, "BUFFER_ROWS", 5)
    logs = logs_of()
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        often = dify.history()
        monkeypatch.setattr(memory, "BUFFER_ROWS", 10**6)
        once = dify.history()
    for table in HISTORY:
        pd.testing.assert_frame_equal(often.table(table.name), once.table(table.name))
    assert set(often.messages["message_id"]) == logs.ids()
    pd.testing.assert_frame_equal(frames.empty("files"), often.files)


def test_a_disk_that_is_full_is_told_and_nothing_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while listing waits for a hand, and while a long conversation is read."""
    from dify_notebook.frames import collector

    room = [3]
    save = parquet_files.save

    def full(*arguments: Any) -> None:
        room[0] -= 1
        if room[0] < 0:
            raise OSError(28, "No space left on device")
        save(*arguments)

    monkeypatch.setattr(collector, "_QUEUE_SIZE", 1)
    monkeypatch.setattr(collector, "BUFFERED_PAGES", 1)
    monkeypatch.setattr(writer, "BUFFER_SIZE", 2_000)
    logs = logs_of(12)
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        with monkeypatch.context() as patched:
            patched.setattr(parquet_files, "save", full)
            with pytest.raises(NotWritten, match="No space left") as told:
                dify.history(to=tmp_path / "log", concurrency=2)
            assert "dify.update(" in told.value.hint
        between = History.read(tmp_path / "log")
        assert 0 < len(between.messages) < len(logs.ids())
        assert not between.failures
        history = dify.update(tmp_path / "log")
    assert sorted(history.messages["message_id"]) == sorted(logs.ids())


def test_a_disk_that_is_full_at_the_end_of_an_update_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = logs_of()
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(to=tmp_path / "log")
        logs.say("c10", "late", 1_790_000_000)
        with monkeypatch.context() as patched:
            patched.setattr(update, "merged_feedbacks", no_room)
            with pytest.raises(NotWritten, match="No space left"):
                dify.update(history)
        history = dify.update(tmp_path / "log")
    assert sorted(history.messages["message_id"]) == sorted(logs.ids())


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("broken", ["save", "replace"])
def test_what_does_not_fit_leaves_nothing_behind(
    broken: str, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "copy"
    if there:
        place.mkdir()
    with serving(logs_of()) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history()
    with monkeypatch.context() as patched:
        patched.setattr(parquet_files, broken, no_room)
        with pytest.raises(NotWritten, match="No space left") as told:
            history.to_parquet(place)
    assert "Nothing of it is left" in told.value.hint
    assert (list(place.iterdir()) if there else not place.exists()) == ([] if there else True)
    history.to_parquet(place)
    assert len(History.read(place).messages) == len(history.messages)


def no_room(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device")


def test_a_first_fetch_that_nobody_answers_leaves_nothing_behind(tmp_path: Path) -> None:
    logs = logs_of()
    logs.refuse = lambda path, query: ("401 NO", {"code": "unauthorized", "message": "no", "status": 401})
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        with pytest.raises(AuthenticationError):
            dify.history(to=tmp_path / "log")
        assert not (tmp_path / "log").exists()
        logs.refuse = lambda path, query: None
        assert len(dify.history(to=tmp_path / "log").messages) == len(logs.ids())


def test_one_writes_at_a_time(tmp_path: Path) -> None:
    """Two updates at once would lose each other's rows: the second is refused, and goes through afterwards."""
    logs = logs_of()
    place = tmp_path / "log"

    async def both(url: str) -> tuple[History, str]:
        async with AsyncDify("app-x", url, "ann") as dify:
            await dify.history(to=place)
            logs.say("c10", "late", 1_790_000_000)
            first = dify.update(place)
            with pytest.raises(InputError, match="writing") as refused:
                dify.update(place)
            with pytest.raises(InputError, match="already"):
                dify.history(to=place)
            await first
            return await dify.update(place), refused.value.code

    with serving(logs) as server:
        history, code = asyncio.run(both(server.url))
    assert code == "directory"
    assert sorted(history.messages["message_id"]) == sorted(logs.ids())


def test_another_process_that_writes_is_seen(tmp_path: Path) -> None:
    with serving(logs_of()) as server, Dify("app-x", server.url, "ann") as dify:
        dify.history(to=tmp_path / "log")
        code = f"""
import sys
from dify_notebook.frames.parquet import Writer
from pathlib import Path
held = Writer(Path({str(tmp_path / "log")!r}))
held.begin_update()
print("held", flush=True)
sys.stdin.read()
"""
        pipe = subprocess.PIPE
        with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            with pytest.raises(InputError, match="writing"):
                dify.update(tmp_path / "log")
            other.kill()
            other.wait()
        dify.update(tmp_path / "log")


def test_a_file_system_without_locks_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    logs = logs_of()
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(to=tmp_path / "log")
        assert len(history.messages) == len(logs.ids())
        dify.update(tmp_path / "log")


def test_a_directory_that_is_never_written_says_nothing_at_the_end(tmp_path: Path) -> None:
    code = f"""
from dify_notebook import AsyncDify
collecting = AsyncDify("app-x", "http://127.0.0.1:9/v1", "ann").history(to={str(tmp_path / "log")!r})
kept = [collecting]
kept.append(kept)  # still there when Python ends
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert told.stderr == ""


def test_a_cancelled_fetch_is_written_whether_or_not_somebody_asks(tmp_path: Path) -> None:
    """Who awaited it has no name for it; the directory is free at once."""
    logs = logs_of()
    waiting = threading.Event()
    released = threading.Event()
    seen: list[str] = []

    def before(path: str) -> None:
        seen.append(path)
        if seen.count("/messages") > 3:
            waiting.set()
            released.wait(10)

    logs.before = before

    async def cancelled(url: str) -> None:
        async with AsyncDify("app-x", url, "ann") as dify:

            async def fetch() -> None:
                await dify.history(to=tmp_path / "log", concurrency=1)

            task = asyncio.create_task(fetch())
            await asyncio.to_thread(waiting.wait, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with serving(logs) as server:
        asyncio.run(cancelled(server.url))
        released.set()
        assert len(History.read(tmp_path / "log").conversations) == 3
        with Dify("app-x", server.url, "ann") as dify:
            history = dify.update(tmp_path / "log")
    assert sorted(history.messages["message_id"]) == sorted(logs.ids())


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    with serving(logs_of()) as server, Dify("app-x", server.url, "ann") as dify:
        dify.history(to=tmp_path / "log")
    (file,) = (tmp_path / "log" / "conversations").glob("*.parquet")
    file.write_bytes(file.read_bytes()[:100])
    history = History.read(tmp_path / "log")
    with pytest.raises(InputError, match=file.name):
        history.table("conversations")


def test_a_history_that_an_earlier_version_pickled_reads_its_directory(tmp_path: Path) -> None:
    with serving(logs_of()) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(to=tmp_path / "log")
    # What it held to load its tables with: `Directory(path, limit).table`.
    pickled = (
        "c__builtin__\ngetattr\n(cdify_notebook.frames.parquet\nDirectory\n(cpathlib\nPath\n"
        f"(V{tmp_path / 'log'}\ntRL16000000000L\ntRVtable\ntR."
    )
    load = pickle.loads(pickled.encode("raw_unicode_escape"))
    pd.testing.assert_frame_equal(load("messages"), history.messages)


def test_a_pickled_history_names_its_directory_as_earlier_versions_do(tmp_path: Path) -> None:
    """Whoever goes back to one of them opens it there."""
    with serving(logs_of()) as server, Dify("app-x", server.url, "ann") as dify:
        dify.history(to=tmp_path / "log")
    pickled = pickle.dumps(History.read(tmp_path / "log"), 0)
    assert b"cdify_notebook.frames.parquet\nDirectory\n" in pickled
    assert len(pickle.loads(pickled).messages) == len(History.read(tmp_path / "log").messages) > 0
