"""An export from anywhere: regular files alone, no more than a bound of them, and always an error that names the place."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.linear import MOST, growth
from unit.test_frames_readers import MESSAGES, TABLES, as_csv, as_dump, as_inserts, as_lines, check

from dify_notebook import History
from dify_notebook.errors import InputError
from dify_notebook.frames.readers.inserts import InsertParser
from dify_notebook.wire.loose import MAX_DEPTH, check_depth

ROW = "id,conversation_id,query,answer\n1,c,q,a\n"


# -- regular files -----------------------------------------------------------------------------


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def nothing(path: Path) -> None:
    path.write_bytes(b"")


def of_the_kernel(path: Path) -> None:
    path.symlink_to("/proc/self/status")


def folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such files")
@pytest.mark.parametrize("within", [False, True], ids=["named", "in a folder"])
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (pipe, "is a pipe, no file"),
        (listening, "is a socket, no file"),
        (link_to_a_device, "is a device, no file"),
        (nothing, "is empty, or no file on a disk"),
        (of_the_kernel, "is empty, or no file on a disk"),
        (folder, "is a folder, no file"),
    ],
)
def test_only_regular_files_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], said: str, within: bool
) -> None:
    if make is of_the_kernel and not Path("/proc/self/status").exists():
        pytest.skip("this system has no /proc")
    monkeypatch.chdir(tmp_path)  # a socket's name must be short
    make(Path("x.csv"))
    if make is folder and not within:
        said = "holds no file"
    with pytest.raises(InputError, match=rf"x\.csv.*{said}"):
        History.from_export("." if within else "x.csv")


def test_a_name_that_no_file_can_have_is_said(tmp_path: Path) -> None:
    for name in ("x" * 5_000, "a\0b"):
        with pytest.raises(InputError) as caught:
            History.from_export(tmp_path / name)
        assert re.search("no file|no path|cannot be read", caught.value.message)


# -- how much ------------------------------------------------------------------------------------


def written(path: Path, text: str, packed: bool) -> Path:
    path = path.with_name(path.name + ".gz" * packed)
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_no_more_than_the_limit_is_taken(tmp_path: Path, packed: bool) -> None:
    path = written(tmp_path / "m.csv", as_csv([{**MESSAGES[0], "id": f"m{at}"} for at in range(500)]), packed)
    with pytest.raises(InputError, match=r"m\.csv.*more than the 400,000 bytes.*limit=4_000_000$"):
        History.from_export(path, limit=400_000)
    assert len(History.from_export(path, limit=4_000_000).messages) == 500


def test_the_limit_is_of_all_files_together(tmp_path: Path) -> None:
    paths = [written(tmp_path / f"{at}.csv", as_csv(MESSAGES * 50), packed=False) for at in range(4)]
    size = paths[0].stat().st_size
    with pytest.raises(InputError, match=r"[123]\.csv"):
        History.from_export(*paths, limit=12 * size)
    assert len(History.from_export(paths[0], limit=12 * size).messages) == 2


def test_rows_count_with_what_they_need_in_memory(tmp_path: Path) -> None:
    short = "id,conversation_id,query,answer\n" + "".join(f"{at},,,\n" for at in range(1_000))
    path = written(tmp_path / "m.csv", short, packed=False)
    with pytest.raises(InputError, match=r"m\.csv:\d+: this is more than the 400,000 bytes"):
        History.from_export(path, limit=400_000)


@pytest.mark.parametrize(
    ("name", "head", "said"),
    [
        ("m.csv", "", r"m\.csv\.gz:1 is longer than 62,500 characters.*limit=10_000_000"),
        ("m.csv", ROW, r"m\.csv\.gz:3 is longer"),
        ("m.csv", ROW + '1,c,q,"', r"m\.csv\.gz:3 is longer"),
        (
            "m.jsonl",
            '{"id": "1", "conversation_id": "c", "query": "q", "answer": "a"}\n{"x": "',
            r"m\.jsonl\.gz:2 is long",
        ),
        ("m.json", "[\n", r"m\.json\.gz is longer"),
        ("d.sql", "--\nCOPY messages (id) FROM stdin;\n", r"d\.sql\.gz:3 is longer"),
        ("d.sql", "--\nINSERT INTO messages (id) VALUES ('", r"d\.sql\.gz:2 is longer"),
    ],
)
def test_a_line_and_a_document_have_a_bound(tmp_path: Path, name: str, head: str, said: str) -> None:
    path = written(tmp_path / name, head + "0" * 70_000, packed=True)
    with pytest.raises(InputError, match=said):
        History.from_export(path, limit=1_000_000)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.csv", ROW + '2,c,"' + "x\n" * 40_000 + '",a\n'),
        ("m.sql", "--\nINSERT INTO messages (id, conversation_id, query, answer) VALUES ('" + "x\n" * 40_000 + "');\n"),
    ],
)
def test_a_cell_of_many_lines_has_the_bound_too(tmp_path: Path, name: str, text: str) -> None:
    path = written(tmp_path / name, text, packed=False)
    with pytest.raises(InputError, match=rf"{name}:\d+ is (no CSV .*field larger|longer than 62,500)"):
        History.from_export(path, limit=1_000_000)


@pytest.mark.parametrize("limit", [0, -1, 2.5, True, "4 GB"])
def test_a_limit_that_is_none_is_said(limit: Any) -> None:
    with pytest.raises(InputError, match="a whole number above 0; it was"):
        History.from_export("m.csv", limit=limit)


CHILD = """
import resource, sys
from dify_notebook import History
from dify_notebook.errors import InputError
from dify_notebook.frames import empty
empty("messages")
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
try:
    History.from_export(sys.argv[1], limit=int(sys.argv[2]))
except InputError as error:
    print(peak() - before, error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="peaks are measured otherwise there")
@pytest.mark.parametrize("content", ["zeros", "rows"])
def test_a_small_file_that_unpacks_to_much_takes_little_memory(tmp_path: Path, content: str) -> None:
    path = tmp_path / "m.csv.gz"
    megabyte = b"0" * 1_000_000 if content == "zeros" else (ROW * 25_000).encode()
    path.write_bytes(200 * gzip.compress(megabyte, compresslevel=1))
    told = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), "20000000"], capture_output=True, text=True, check=True
    ).stdout
    kilobytes, _, error = told.partition(" ")
    if sys.platform == "darwin":
        kilobytes = str(int(kilobytes) // 1024)
    assert "limit=200_000_000" in error
    assert int(kilobytes) < 80_000


def problem_of(path: Path) -> str | None:
    """What is said of a file; None when it is read."""
    try:
        History.from_export(path)
    except InputError as error:
        return str(error)
    return None


# -- damage --------------------------------------------------------------------------------------


def test_a_packed_file_that_is_damaged_anywhere_is_said(tmp_path: Path) -> None:
    packed = gzip.compress(as_csv(MESSAGES).encode())
    path = tmp_path / "m.csv.gz"
    failed = 0
    for place in range(2, len(packed), 3):
        for damaged in (packed[:place], packed[:place] + bytes([packed[place] ^ 0x55]) + packed[place + 1 :]):
            path.write_bytes(damaged)
            problem = problem_of(path)
            if problem is not None:
                assert "m.csv" in problem
                failed += 1
    assert failed > len(packed) // 3


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("m.json", '[\n{"id": 1},\n{"id" 2}]', r"m\.json is no JSON.*line 3"),
        ("m.jsonl", '\n\n{"id": "1", "conversation_id": "c", "query": "q", "answer": "a", "answer_tokens": "many"}\n', r"m\.jsonl\[1\]"),
        ("m.jsonl", as_lines(MESSAGES) + "[5]\n", r"m\.jsonl:3\[1\] is int"),
        ("m.csv", 'id,conversation_id,query,answer\n1,c,q,"a"b\n', r"m\.csv:2 is no CSV"),
        ("m.json", "[" * 5_000 + "]" * 5_000, r"m\.json is no JSON"),
        ("m.json", json.dumps([{**MESSAGES[0], "inputs": json.loads("[" * 250 + "]" * 250)}]), "more than 200 deep"),
        ("m.csv", as_csv([{**MESSAGES[0], "inputs": "[" * 250 + "]" * 250}]), r"m\.csv:\d+.*more than 200 deep"),
        ("m.csv", "x" * 9_000 + ",y\n1,2\n", r"m\.csv:2 has the columns x{40}, y:"),
    ],
)
def test_the_place_of_the_damage_is_named(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        History.from_export(tmp_path / name)


def test_json_lines_are_read_one_by_one(tmp_path: Path) -> None:
    """A file of lines has the bound of a line, not of a document."""
    path = tmp_path / "m.jsonl"
    path.write_text("\n" + as_lines([{**MESSAGES[0], "id": f"m{at}"} for at in range(100)]), encoding="utf-8")
    limit = 10 * path.stat().st_size
    assert path.stat().st_size > limit // 16
    assert len(History.from_export(path, limit=limit).messages) == 100


def test_nested_values() -> None:
    value: Any = []
    for _ in range(MAX_DEPTH - 1):
        value = [value, {}, 1]
    assert check_depth(value) is value
    assert check_depth("text") == "text"
    with pytest.raises(RecursionError, match="200 deep"):
        check_depth({"one": value})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["1e400", "[]", '{"a": 1}', "9" * 5_000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "rating", "position", "usage", "x"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
MORE = {
    "message_files": [{"id": "1", "message_id": MESSAGES[0]["id"], "type": "image", "transfer_method": "x", "url": "/a", "position": 1}],
    "resources": [{"id": "1", "message_id": MESSAGES[0]["id"], "dataset_id": "d", "segment_id": "s", "score": 1, "position": "2"}],
    "console": [{"id": "c", "from_source": "api", "created_at": 5, "message_count": 5, "summary": "x", "introduction": "i", "status": "s"}],
    "feedbacks": [{**MESSAGES[0], "feedbacks": [], "agent_thoughts": [], "message_files": [], "retriever_resources": [], "metadata": {}, "feedback": {}}],
}  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_a_cell_is_read_or_named(tmp_path: Path, data: st.DataObject) -> None:
    tables = {**TABLES, **MORE}
    name = data.draw(st.sampled_from(list(tables)))
    column = data.draw(st.sampled_from(list(tables[name][0])))
    row = {**tables[name][0], column: data.draw(JSON)}
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(row) + "\n" + as_lines(MESSAGES), encoding="utf-8", errors="replace")
    problem = problem_of(path)
    assert problem is None or "x.jsonl" in problem or "several apps" in problem


# -- time ----------------------------------------------------------------------------------------

HOSTILE: dict[str, Callable[[int], str]] = {
    "a name of words": lambda n: "INSERT INTO " + "a" * n,
    "a schema and blanks": lambda n: "INSERT INTO a.b" + " " * n,
    "columns that do not end": lambda n: "INSERT INTO a (" + "b, " * n,
    "blanks behind the columns": lambda n: "INSERT INTO a (b)" + " " * n,
    "an override that does not end": lambda n: "INSERT INTO a OVERRIDING " + "b" * n,
    "a text that does not end": lambda n: "INSERT INTO a (b) VALUES ('" + "''" * n,
    "texts that do not end, one after the other": lambda n: "INSERT INTO a (b) VALUES " + "('x''" * n,
    "charsets of MySQL": lambda n: "INSERT INTO `a` (`b`) VALUES (" + "_utf8 " * n,
    "one charset of MySQL": lambda n: "INSERT INTO `a` (`b`) VALUES (_" + "a" * n + " " * n,
    "escapes of MySQL": lambda n: "INSERT INTO `a` (`b`) VALUES ('" + "\\'" * n,
    "blanks among the values": lambda n: "INSERT INTO a (b) VALUES (" + " " * n + ";",
    "words among the values": lambda n: "INSERT INTO a (b) VALUES (" + "E" * n,
    "a table with blanks": lambda n: "CREATE TABLE a (" + " " * n + "x",
    "a table and its columns": lambda n: "CREATE TABLE a (\n" + " " * n + "(\n" + "`" + "b" * n,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_damaged_statements_are_read_in_time_linear_in_them(name: str) -> None:
    def read(text: str) -> None:
        lines: Iterator[str] = iter(text.splitlines(keepends=True))
        for _ in InsertParser().read(next(lines), lines):
            pass

    assert growth(HOSTILE[name], read, 60_000) <= MOST


@pytest.mark.parametrize(
    "head", ["COPY ", 'COPY "a".', "COPY a (", "COPY a (b) FROM stdin;", "COPY a (b) FROM stdin; x "]
)
def test_damaged_copies_are_read_in_time_linear_in_them(tmp_path: Path, head: str) -> None:
    from dify_notebook.frames.readers.formats import _COPY

    for piece in ("a", " ", '"', ") FROM stdin;", "a."):
        assert growth(lambda n, piece=piece: head + piece * n + "!", _COPY.match, 60_000) <= MOST  # type: ignore[misc]


# -- what was read is read ---------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "jsonl", "json", "dump", "inserts"])
def test_what_is_whole_is_read_in_any_order_and_packed(tmp_path: Path, form: str) -> None:
    names = list(TABLES)
    random.Random(7).shuffle(names)
    forms: dict[str, Callable[[str], str]] = {
        "csv": lambda name: as_csv(TABLES[name]),
        "jsonl": lambda name: as_lines(TABLES[name]),
        "json": lambda name: json.dumps({"data": TABLES[name]}, indent=1),
        "dump": lambda name: as_dump({name: TABLES[name]}),
        "inserts": lambda name: as_inserts({name: TABLES[name]}, "mysql"),
    }
    check(History.from_export(*(written(tmp_path / name, forms[form](name), packed=True) for name in names)))
