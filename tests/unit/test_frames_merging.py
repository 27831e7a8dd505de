"""Files that overlap come to one truth, whatever their form and order; and what was saved of a history comes back."""

from __future__ import annotations

import io
import itertools
import json
import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from support.linear import MOST, growth
from support.logs import Logs
from support.raw_server import serving

from dify_notebook import Dify, History, frames
from dify_notebook.errors import InputError
from dify_notebook.frames import dataframes, merging, ratings
from dify_notebook.frames.merging import Part, Version, merge_versions
from dify_notebook.frames.readers.layouts import NA_VALUES
from dify_notebook.frames.schema import HISTORY, SCHEMA, Column, Table

Rows = list[dict[str, Any]]
M, C = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
NOON, LATER = "2026-07-01 12:00:00", "2026-07-02 08:00:00"
MESSAGE: dict[str, Any] = {"id": M, "conversation_id": C, "query": "q", "answer": "a", "created_at": NOON}
FEEDBACK: dict[str, Any] = {"id": "f", "message_id": M, "conversation_id": C, "rating": "like", "from_source": "user", "content": None, "created_at": NOON, "updated_at": NOON}
EVERY: dict[str, Rows] = {
    "messages": [{**MESSAGE, "updated_at": NOON, "from_end_user_id": "e", "message_tokens": 5, "answer_tokens": 6}],
    "conversations": [{"id": C, "name": "n", "inputs": "{}", "created_at": NOON, "updated_at": NOON, "from_end_user_id": "e"}],
    "end_users": [{"id": "e", "session_id": "anna", "type": "service_api"}],
    "message_feedbacks": [{**FEEDBACK, "from_end_user_id": "e"}],
    "message_agent_thoughts": [{"id": "t", "message_id": M, "position": 1, "thought": "hm", "tool": "add;now", "tool_input": "{}", "observation": "", "created_at": NOON}],
    "message_files": [{"id": "x", "message_id": M, "type": "image", "transfer_method": "remote_url", "url": "http://h/y.png", "belongs_to": "user"}],
    "dataset_retriever_resources": [
        {"id": f"r{at}", "message_id": M, "position": 1, "dataset_id": "d", "segment_id": segment, "score": 0.5, "content": "c"}
        for at, segment in enumerate("st")
    ],
    "message_annotations": [{"id": "a", "question": "q?", "content": "a!", "hit_count": 3, "created_at": NOON}],
    "human_input_forms": [
        {"id": "o", "workflow_run_id": "r", "node_id": "ask", "form_definition": '{"node_title": "Ask"}', "rendered_content": "May I?",
         "status": "submitted", "selected_action_id": "yes", "submitted_data": '{"note": "ok"}', "created_at": NOON, "submitted_at": LATER,
         "expiration_time": LATER},
    ],
    "execution_extra_contents": [{"id": "p", "message_id": M, "form_id": "o", "type": "human_input", "workflow_run_id": "r"}],
    "workflow_runs": [
        {"id": "w", "workflow_id": "f", "type": kind, "triggered_from": "app-run", "version": NOON, "graph": "{}", "inputs": '{"text": "x"}',
         "status": "succeeded", "outputs": '{"n": 1}', "elapsed_time": 0.5, "total_tokens": 7, "total_steps": 3, "created_by_role": "end_user",
         "created_by": "e", "created_at": NOON, "finished_at": LATER, "exceptions_count": 0} | extra
        for kind, extra in (("workflow", {}), ("chat", {"id": "of a message"}))
    ],
    "workflow_app_logs": [{"id": "l", "workflow_id": "f", "workflow_run_id": "w", "created_from": "service-api", "created_by_role": "end_user", "created_by": "e", "created_at": NOON}],
}  # fmt: skip
COUNTS = {"messages": 1, "conversations": 1, "thoughts": 2, "citations": 2, "files": 1, "forms": 1, "feedbacks": 1, "annotations": 1, "variables": 0, "workflow_runs": 1}


def as_csv(rows: Rows) -> bytes:
    text: str = pd.DataFrame(rows, dtype="object").to_csv(index=False)
    return text.encode()


def as_lines(rows: Rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_parquet(rows: Rows) -> bytes:
    out = io.BytesIO()
    pd.DataFrame(rows).to_parquet(out)
    return out.getvalue()


def as_dump(tables: dict[str, Rows]) -> bytes:
    parts = []
    for name, rows in tables.items():
        parts.append(f"COPY public.{name} ({', '.join(rows[0])}) FROM stdin;\n")
        parts += ["\t".join("\\N" if value is None else str(value) for value in row.values()) + "\n" for row in rows]
        parts.append("\\.\n\n")
    return "".join(["--\n\n", *parts]).encode()


FORMS: dict[str, Callable[[Rows], bytes]] = {"csv": as_csv, "jsonl": as_lines, "parquet": as_parquet}


def write(folder: Path, name: str, form: str, tables: dict[str, Rows]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    told = {"dump.sql": as_dump(tables)} if form == "sql" else {f"{table}.{form}": FORMS[form](rows) for table, rows in tables.items()}
    for ending, data in told.items():
        (folder / f"{name}-{ending}").write_bytes(data)
    return [folder / f"{name}-{ending}" for ending in told]


def save(folder: Path, name: str, history: History) -> list[Path]:
    """What people do with a history."""
    folder.mkdir(exist_ok=True)
    for table, frame in history.tables.items():
        frame.to_csv(folder / f"{name}-{table}.csv", index=False)
    return [folder / f"{name}-{table}.csv" for table in history.tables]


def counts(history: History) -> dict[str, int]:
    return {name: len(table) for name, table in history.tables.items()}


def agree(history: History) -> None:
    """Messages and the table of ratings say the same."""
    told = ratings.user_ratings(history.feedbacks)
    assert {key: word for key, word in zip(history.messages["message_id"], dataframes.to_list(history.messages["rating"]), strict=True) if word} == told


# -- one row for each thing ----------------------------------------------------------------------


@pytest.mark.parametrize(("one", "other"), [*itertools.combinations(["csv", "jsonl", "sql", "parquet", "saved"], 2), ("csv", "csv"), ("saved", "saved")])
def test_two_forms_of_the_same_give_one_row_each(tmp_path: Path, one: str, other: str) -> None:
    paths = []
    for name, form in (("first", one), ("second", other)):
        saved = form == "saved"
        told = write(tmp_path / name, name, "csv" if saved else form, EVERY)
        paths.append(save(tmp_path / "saved", name, History.from_export(*told)) if saved else told)
    alone, both = History.from_export(*paths[0]), History.from_export(*paths[1], *paths[0])
    assert counts(alone) == counts(both) == COUNTS
    for name in ("messages", "conversations", "feedbacks", "annotations", "citations", "forms"):
        pd.testing.assert_frame_equal(alone.table(name), both.table(name))
    assert both.messages["user"].tolist() == both.feedbacks["user"].tolist() == ["anna"]
    agree(both)


def test_rows_without_an_id_are_counted(tmp_path: Path) -> None:
    """The same passage may be cited twice; two files that say so do not make it four."""
    cited = [{name: value for name, value in EVERY["dataset_retriever_resources"][0].items() if name != "id"}] * 2
    paths = [*write(tmp_path, "jan", "csv", {**EVERY, "dataset_retriever_resources": cited}), *write(tmp_path, "feb", "csv", {"dataset_retriever_resources": [*cited, *cited[:1]]})]
    history = History.from_export(*paths)
    assert len(history.citations) == 3
    again = History.from_export(*save(tmp_path / "x", "x", history), *save(tmp_path / "y", "y", history), *paths)
    assert len(again.citations) == 3


def test_a_log_without_ids_is_of_the_messages_that_say_the_same(tmp_path: Path) -> None:
    log = {"conversation_id": C, "query": "q", "answer": "a", "created_at": 1782907200, "user_rating": "dislike", "admin_rating": ""}
    paths = [*write(tmp_path, "log", "jsonl", {"log": [log, {**log, "answer": "b"}]}), *write(tmp_path, "log", "csv", {"log": [{**log, "created_at": NOON}]})]
    alone = History.from_export(*paths)
    assert alone.messages["answer"].tolist() == ["a", "b"], "seconds and text are the same time"
    assert any("no ids" in note for note in alone.notes)
    both = History.from_export(*paths[1:], *write(tmp_path, "m", "csv", {"messages": [MESSAGE]}))
    assert both.messages[["message_id", "rating"]].values.tolist() == [[M, "dislike"]]
    assert not any("no ids" in note for note in both.notes)
    agree(both)


# -- the newer one counts ------------------------------------------------------------------------


NEWER: list[tuple[str, str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # table of the history, layout, older row, newer row, what is expected
    ("messages", "messages", {**MESSAGE, "answer": "a long beginning", "updated_at": NOON}, {**MESSAGE, "answer": "end", "updated_at": LATER}, {"answer": "end"}),
    ("messages", "messages", {**MESSAGE, "model_id": "x", "updated_at": NOON}, {**MESSAGE, "model_id": None, "updated_at": LATER}, {"model": "x"}),
    ("messages", "messages", {**MESSAGE, "status": "error", "error": "late", "updated_at": NOON}, {**MESSAGE, "status": "normal", "error": None, "updated_at": LATER}, {"status": "normal", "error": None}),
    ("messages", "messages", {**MESSAGE, "total_price": "2", "currency": "USD", "updated_at": NOON}, {**MESSAGE, "total_price": "3", "currency": None, "updated_at": LATER}, {"total_price": 3.0, "currency": None}),
    ("messages", "messages", MESSAGE, {**MESSAGE, "answer": "b", "updated_at": NOON}, {"answer": "b"}),
    ("messages", "messages", {**MESSAGE, "answer": "half"}, {**MESSAGE, "answer": "half and the rest"}, {"answer": "half and the rest"}),
    ("conversations", "conversations", {**EVERY["conversations"][0], "name": "New chat"}, {**EVERY["conversations"][0], "name": "x", "updated_at": LATER}, {"name": "x"}),
    ("annotations", "message_annotations", {**EVERY["message_annotations"][0], "content": "a longer text", "updated_at": NOON}, {**EVERY["message_annotations"][0], "updated_at": LATER}, {"answer": "a!"}),
    ("feedbacks", "message_feedbacks", FEEDBACK, {**FEEDBACK, "rating": "dislike", "updated_at": LATER}, {"rating": "dislike"}),
    ("feedbacks", "message_feedbacks", {**FEEDBACK, "content": "good"}, {**FEEDBACK, "updated_at": LATER}, {"rating": "like", "content": "good"}),
    ("feedbacks", "message_feedbacks", {**FEEDBACK, "content": "good"}, {**FEEDBACK, "rating": "dislike", "updated_at": LATER}, {"rating": "dislike", "content": None}),
    ("feedbacks", "message_feedbacks", FEEDBACK, {**FEEDBACK, "id": "g", "rating": "dislike", "updated_at": LATER}, {"feedback_id": "g", "rating": "dislike"}),
]  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(("table", "layout", "older", "newer", "expected"), NEWER)
def test_the_newer_row_counts_and_an_empty_cell_wipes_nothing(
    tmp_path: Path, form: str, table: str, layout: str, older: dict[str, Any], newer: dict[str, Any], expected: dict[str, Any]
) -> None:
    paths = [path for name, row in (("1", older), ("2", newer)) for path in write(tmp_path, name, form, {layout: [row]})]
    for some in (paths, paths[::-1]):
        history = History.from_export(*some)
        (row,) = dataframes.to_dicts(history.table(table))
        assert {name: row[name] for name in expected} == expected
    swapped = write(tmp_path, "1", form, {layout: [newer]}) + write(tmp_path, "2", form, {layout: [older]})
    assert dataframes.to_dicts(History.from_export(*swapped).table(table)) == [row], "names of files do not matter"


@pytest.mark.parametrize(
    ("newer", "left"),
    [
        ({"message_feedbacks": [{**FEEDBACK, "rating": "", "updated_at": LATER}]}, None),
        ({"messages": [{**MESSAGE, "updated_at": LATER, "feedback": None}]}, None),
        ({"messages": [{**MESSAGE, "updated_at": LATER, "feedbacks": []}]}, None),
        ({"messages": [{**MESSAGE, "updated_at": LATER, "feedbacks": [{"rating": "dislike", "from_source": "user"}]}]}, "dislike"),
        ({"messages": [{**MESSAGE, "updated_at": LATER, "feedbacks": [{"rating": "dislike", "from_source": "admin"}]}]}, None),
        ({"messages": [{**MESSAGE, "feedback": None}]}, "like"),  # does not say when
        ({"messages": [{**MESSAGE, "feedback": {"rating": "dislike"}}]}, "like"),
    ],
)  # fmt: skip
def test_a_rating_that_was_taken_back(tmp_path: Path, newer: dict[str, Rows], left: str | None) -> None:
    older = write(tmp_path, "1", "csv", {"messages": [MESSAGE], "message_feedbacks": [FEEDBACK]})
    for paths in itertools.permutations(older + write(tmp_path, "2", "jsonl", newer)):
        history = History.from_export(*paths)
        assert dataframes.to_list(history.messages["rating"]) == [left]
        agree(history)


def test_what_a_message_tells_of_its_rating_stands_in_the_table_too(tmp_path: Path) -> None:
    history = History.from_export(*write(tmp_path, "m", "jsonl", {"messages": [{**MESSAGE, "feedback": {"rating": "like"}}]}))
    assert history.feedbacks[["message_id", "rating", "from_source"]].values.tolist() == [[M, "like", "user"]]
    assert history.feedbacks["feedback_id"].isna().all()
    agree(history)


def test_two_people_who_rate_one_message_are_two(tmp_path: Path) -> None:
    rows = [{**FEEDBACK, "id": who, "from_end_user_id": who, "rating": rating, "updated_at": when} for who, rating, when in (("e1", "like", LATER), ("e2", "dislike", NOON))]
    told = {**MESSAGE, "feedback": {"rating": "like"}}
    history = History.from_export(*write(tmp_path, "f", "jsonl", {"message_feedbacks": rows, "messages": [told]}))
    assert sorted(history.feedbacks["feedback_id"]) == ["e1", "e2"]
    assert history.messages["rating"].tolist() == ["like"]
    agree(history)


def test_a_thing_that_tells_more_in_one_form_keeps_it(tmp_path: Path) -> None:
    """The API tells labels and no tokens, the database tokens and the upload."""
    api = {
        **MESSAGE, "created_at": 1782907200, "message_files": [{"id": "x", "type": "image", "url": "http://h/y.png", "mime_type": "image/png", "belongs_to": "user"}],
        "agent_thoughts": [{"id": "t", "position": 1, "thought": "hm", "tool": "add", "tool_labels": {"add": {"en_US": "Add"}}}],
    }  # fmt: skip
    tables = {**EVERY, "message_agent_thoughts": [{**EVERY["message_agent_thoughts"][0], "tool": "add"}], "message_files": [{**EVERY["message_files"][0], "upload_file_id": "u"}]}
    history = History.from_export(*write(tmp_path, "db", "csv", tables), *write(tmp_path, "api", "jsonl", {"messages": [api]}))
    assert history.messages["total_tokens"].tolist() == [11]
    assert history.thoughts[["tool_label", "thought"]].values.tolist() == [["Add", "hm"]]
    assert history.files[["mime_type", "upload_file_id"]].values.tolist() == [["image/png", "u"]]


# -- the law ---------------------------------------------------------------------------------------


CELLS = st.none() | st.sampled_from(["", "a", "b", "longer"]) | st.integers(0, 3)
VERSIONS = st.lists(
    st.builds(Version, st.dictionaries(st.sampled_from("wxyz"), CELLS), st.none() | st.integers(-2, 2), st.integers(0, 2)),
    min_size=1, max_size=5,
)  # fmt: skip


@given(VERSIONS, st.randoms())
@example([Version({"x": "comment"}, 2), Version({"w": "like"}, 1)], random.Random(1))
def test_the_law_does_not_know_what_came_first(versions: list[Version], chance: Any) -> None:
    shuffled = versions * 2
    chance.shuffle(shuffled)
    together = (("w", "x"),)
    row = merge_versions(versions, together)
    assert merge_versions(shuffled, together) == row
    for name in {name for version in versions for name in version.row} - {"x"}:
        said = [version.row[name] for version in versions if merging.has_value(version.row.get(name))]
        assert row[name] in said if said else not merging.has_value(row[name])
    assert any(version.row.get("w") == row.get("w") and (version.row.get("x") or None) == (row.get("x") or None) for version in versions)


def state(changes: int, key: int) -> dict[str, Any]:
    """A conversation after so many changes."""
    at = 1_782_907_200_000_000 + changes * 1_000_000
    return {"conversation_id": f"c{key}", "user": "u", "created_at": at - changes, "updated_at": at, "status": "normal", "name": f"{key}" * (9 - changes), "introduction": f"{changes}", "inputs": "{}"}


def table_of(states: dict[int, int]) -> pd.DataFrame:
    rows = [state(changes, key) for key, changes in states.items()]
    return dataframes.from_columns(SCHEMA["conversations"], {name: [row[name] for row in rows] for name in SCHEMA["conversations"].names} if rows else {})


STATES = st.dictionaries(st.integers(0, 4), st.integers(0, 8))


@given(STATES, STATES, STATES)
@settings(max_examples=20)
def test_merging_is_a_union_that_keeps_the_newest(a: dict[int, int], b: dict[int, int], c: dict[int, int]) -> None:
    def merge(*parts: pd.DataFrame) -> pd.DataFrame:
        return merging.merge(SCHEMA["conversations"], [Part(part) for part in parts])

    x, y, z = map(table_of, (a, b, c))
    newest = {key: max(states[key] for states in (a, b, c) if key in states) for key in a | b | c}
    expected = dataframes.concat(SCHEMA["conversations"], [table_of(newest)], ordered=True)
    for found in (merge(x, y, z), merge(z, y, x), merge(merge(x, y), z), merge(x, merge(y, z)), merge(expected, expected)):
        pd.testing.assert_frame_equal(found, expected)


def test_merging_is_linear() -> None:
    def make(size: int) -> list[Part]:
        rows = range(size)
        block: dict[str, list[Any]] = {"message_id": [f"m{at}" for at in rows], "query": ["q"] * size, "conversation_id": [f"c{at % 50}" for at in rows], "created_at": list(rows)}
        return [Part(dataframes.from_columns(SCHEMA["messages"], block | {"answer": [word] * size})) for word in ("half", "whole one")]

    assert growth(make, lambda parts: merging.merge(SCHEMA["messages"], parts), 500) <= MOST


# -- what was saved of a history -------------------------------------------------------------------


WORDS = ["", "007", "1e5", "NA", "NULL", "null", "NaN", "true", "-", "=1+1", "'=1", " x ", "a,b;c\td", 'say "hi"', "two\nlines", "a\r\nb", "é \U0001f600 中文", "<think>x</think>", "\\N", "0.10", "2026-07-01"]
TEXTS = st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
MICROSECONDS = st.datetimes(datetime(2002, 1, 1), datetime(2100, 1, 1)).map(lambda time: int((time.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)))


def cells(column: Column) -> st.SearchStrategy[Any]:
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "string": TEXTS, "Int64": st.integers(0, 10**17), "float64": st.floats(0, 1e9).map(lambda value: round(value, 12)),
        "timestamp": MICROSECONDS, "category": st.sampled_from([*column.categories, "other"]),
        "boolean": st.booleans(),
    }  # fmt: skip
    kind = st.just("http://h/a.png") if column.name == "url" else TEXTS.map(json.dumps) if column.unit == "JSON" else kinds[column.dtype]
    kind = kind.filter(lambda text: text not in NA_VALUES) if column.name.endswith("_id") else kind
    return kind | st.none() if column.nullable else kind


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Any history whose tables agree with each other."""
    made: dict[str, pd.DataFrame] = {}
    for table in HISTORY:
        size = draw(st.integers(0 if table.name != "conversations" else 1, 3))
        block = {column.name: draw(st.lists(cells(column), min_size=size, max_size=size)) for column in table.columns}
        for name in ("message_id", "conversation_id"):
            if name in block:
                block[name] = [f"{name[0]}{at}" for at in range(size)] if table.key == (name,) else [f"{name[0]}0"] * size
        if "user" in block:
            block["user"] = ["007"] * size
        for name in ("annotation_id", "feedback_id", "variable_id", "thought_id", "file_id", "form_id"):
            if name in block:
                block[name] = [f"{name[0]}-{at}" for at in range(size)]
        if table.name == "workflow_runs":
            block["workflow_run_id"] = [f"w-{at}" for at in range(size)]
        made[table.name] = dataframes.from_columns(table, block)
    said = made["feedbacks"].assign(message_id=[f"m{at}" for at in range(len(made["feedbacks"]))], from_source="user")
    made["feedbacks"] = said[said["rating"].isin(["like", "dislike"])]
    made["messages"] = made["messages"].assign(conversation_id="c0")
    found = History(made)
    made = found.tables | {"messages": ratings.with_feedbacks(found.messages, found.feedbacks)}
    return History({name: dataframes.concat(SCHEMA[name], [frame], ordered=True) for name, frame in made.items()})


SAVED: dict[str, Callable[[pd.DataFrame, Path], object]] = {
    "csv": lambda table, path: table.to_csv(path.with_suffix(".csv"), index=False),
    "csv with numbers of rows": lambda table, path: table.to_csv(path.with_suffix(".csv")),
    "lines": lambda table, path: table.to_json(path.with_suffix(".jsonl"), orient="records", lines=True, date_format="iso", date_unit="us", double_precision=15),
    "lines with numbers for times": lambda table, path: table.to_json(path.with_suffix(".jsonl"), orient="records", lines=True, date_format="epoch", date_unit="us", double_precision=15),
    "rows of JSON by their numbers": lambda table, path: table.to_json(path.with_suffix(".json"), orient="index", date_format="iso", date_unit="us", double_precision=15),
    "cells of JSON apart from their names": lambda table, path: table.to_json(path.with_suffix(".json"), orient="split", date_format="iso", date_unit="us", double_precision=15),
    "columns of JSON": lambda table, path: table.to_json(path.with_suffix(".json"), date_format="iso", date_unit="us", double_precision=15),
    "parquet": lambda table, path: table.to_parquet(path.with_suffix(".parquet")),
}  # fmt: skip


def expected_of(form: str, table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """In CSV a missing text and an empty one look alike."""
    if not form.startswith("csv"):
        return frame
    empty = [column.name for column in table.columns if column.dtype == "string" and column.nullable]
    return frame.assign(**{name: frame[name].mask(frame[name].eq("").fillna(False)) for name in empty})


@pytest.mark.parametrize("form", SAVED)
@given(history=histories(), twice=st.booleans())
@settings(max_examples=8, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_a_history_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, form: str, history: History, twice: bool
) -> None:
    folder = tmp_path_factory.mktemp("saved")
    for name, frame in history.tables.items():
        if len(frame) or "lines" not in form:  # a table without rows has no lines, which is an empty file
            SAVED[form](frame, folder / name)
    found = History.from_export(*([folder, *sorted(folder.iterdir(), reverse=True)] if twice else [folder]))
    for table in HISTORY:
        expected = expected_of(form, table, history.table(table.name))
        pd.testing.assert_frame_equal(found.table(table.name), expected, check_categorical=False, rtol=1e-12, atol=1e-14)


def test_a_directory_of_parquet_comes_back_too(tmp_path: Path) -> None:
    history = History.from_export(*write(tmp_path / "csv", "x", "csv", EVERY))
    history.to_parquet(tmp_path / "exports" / "log")
    found = History.from_export(tmp_path / "exports", tmp_path / "csv")
    for name, frame in history.tables.items():
        pd.testing.assert_frame_equal(found.table(name), frame)
    assert found.users == {"anna": "export"}
    part = next((tmp_path / "exports" / "log" / "messages").rglob("*.parquet"))
    part.write_bytes(part.read_bytes()[:40])
    with pytest.raises(InputError, match=part.name):
        History.from_export(tmp_path / "exports")


def test_a_part_of_the_columns_is_enough_and_turns_are_messages(tmp_path: Path) -> None:
    history = History.from_export(*write(tmp_path, "x", "csv", EVERY))
    history.messages[["message_id", "query", "answer", "rating"]].to_csv(tmp_path / "few.csv")
    found = History.from_export(tmp_path / "few.csv")
    assert found.messages[["message_id", "rating"]].values.tolist() == [[M, "like"]]
    both = History.from_export(tmp_path / "few.csv", *write(tmp_path, "x", "csv", EVERY))
    pd.testing.assert_frame_equal(both.messages, history.messages)
    dataframes.from_columns(SCHEMA["turns"], {"message_id": ["m", "n"], "status": ["succeeded", "failed"], "total_tokens": [3, None], "complete": [True, True], "warning_count": [0, 0], "answer": ["a", ""], "query": ["q", "r"]}).to_csv(tmp_path / "turns.csv")
    turns = History.from_export(tmp_path / "turns.csv").messages
    assert turns["status"].tolist() == ["normal", "error"]
    assert dataframes.to_list(turns["usage_from"]) == ["run", None]


def test_a_sheet_with_quotes_for_its_formulas_keeps_ids_and_numbers(tmp_path: Path) -> None:
    told = {"messages": [{**EVERY["messages"][0], "query": "=1+1", "answer": "-x"}]}
    history = History.from_export(*write(tmp_path, "x", "csv", told))
    frames.safe_for_spreadsheets(history.messages).to_csv(tmp_path / "sheet.csv", index=False)
    found = History.from_export(tmp_path / "sheet.csv").messages
    assert found[["query", "answer"]].values.tolist() == [["'=1+1", "'-x"]], "nothing tells which quotes were put there"
    same = [name for name in found if name not in ("query", "answer")]
    pd.testing.assert_frame_equal(found[same], history.messages[same])


@pytest.mark.parametrize(
    ("name", "rows", "said"),
    [
        ("messages", {"message_id": [None], "query": ["q"], "answer": ["a"]}, r"messages.*message_id"),
        ("messages", {"message_id": ["m"], "query": ["q"], "answer": ["a"], "created_at": ["soon"]}, "soon"),
        ("messages", {"message_id": ["m"], "query": ["q"], "answer": ["a"], "total_tokens": ["many"]}, "many"),
    ],
)
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_what_of_it_cannot_be_read_is_said(tmp_path: Path, form: str, name: str, rows: dict[str, list[Any]], said: str) -> None:
    path = tmp_path / f"{name}.{form}"
    SAVED[form](pd.DataFrame(rows), path)
    with pytest.raises(InputError, match=said):
        History.from_export(path)


@pytest.mark.parametrize("word", ["NaN", "NULL", "<NA>", "None"])
def test_a_word_for_nothing_in_a_saved_table_is_nothing(tmp_path: Path, word: str) -> None:
    history = History.from_export(*write(tmp_path, "x", "csv", {"messages": [{**MESSAGE, "query": word}]}))
    for name, frame in history.tables.items():
        frame.to_csv(tmp_path / f"own-{name}.csv", na_rep=word)
    found = History.from_export(*tmp_path.glob("own-*.csv"))
    for name, frame in history.tables.items():
        pd.testing.assert_frame_equal(found.table(name), frame, check_categorical=False)
    assert found.users == {}


@pytest.mark.parametrize("word", ["nan", "None", "<NA>", "NaT", "NULL"])
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_word_for_nothing_is_no_id_and_no_number(tmp_path: Path, form: str, word: str) -> None:
    names = ("parent_message_id", "from_end_user_id", "updated_at", "message_tokens", "total_price", "currency", "error", "message_metadata", "rating")
    (tmp_path / f"m.{form}").write_bytes(FORMS[form]([{**MESSAGE, "answer": word, **dict.fromkeys(names, word)}]))
    (row,) = dataframes.to_dicts(History.from_export(tmp_path / f"m.{form}").messages)
    assert {name: value for name, value in row.items() if value is not None} == {
        "message_id": M, "conversation_id": C, "created_at": row["created_at"], "status": "normal", "query": "q", "answer": word,
    }  # fmt: skip


INTO = "INSERT INTO messages (id, conversation_id, query, answer, message_tokens) VALUES "
STATEMENTS = {
    "two in a line": f"{INTO}('m', 'c', 'q', 'a', 5); {INTO}('n', 'c', 'q', 'a', NULL);\n",
    "a remark behind": f"{INTO}('m', 'c', 'q', 'a', 5); -- one\n{INTO}('n', 'c', 'q', 'a', NULL);\n",
    "casts": f"{INTO}('m'::uuid, 'c'::character varying, 'q', 'a', 5::int), ('n', 'c', 'q', 'a', NULL::int);\n",
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_statements_of_many_programs(tmp_path: Path, name: str) -> None:
    (tmp_path / "dump.sql").write_text(STATEMENTS[name])
    found = History.from_export(tmp_path / "dump.sql").messages
    assert found[["message_id", "query", "answer"]].values.tolist() == [["m", "q", "a"], ["n", "q", "a"]]
    assert dataframes.to_list(found["prompt_tokens"]) == [5, None]


def test_an_escaped_text_is_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "dump.sql").write_text(INTO + r"('m', 'c', E'one\ntwo\\''', 'a\n', 5);" + "\n")
    (said,) = History.from_export(tmp_path / "dump.sql").messages[["query", "answer"]].values.tolist()
    assert said == ["one\ntwo\\'", r"a\n"]


def test_numbers_in_json_may_be_ids_and_texts(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_bytes(as_lines([{**MESSAGE, "id": 7, "parent_message_id": 6, "query": 0, "answer": True}]))
    (row,) = dataframes.to_dicts(History.from_export(tmp_path / "m.json").messages)
    assert [row[name] for name in ("message_id", "parent_message_id", "query", "answer")] == ["7", "6", "0", "true"]


def test_what_belongs_to_messages_that_are_not_there_is_noted(tmp_path: Path) -> None:
    alone = write(tmp_path, "x", "csv", {"message_agent_thoughts": EVERY["message_agent_thoughts"]})
    assert any("message_agent_thoughts (1)" in note for note in History.from_export(*alone).notes)
    deleted = {**EVERY, "conversations": [{**EVERY["conversations"][0], "is_deleted": "t"}]}
    for tables in (EVERY, deleted):
        assert not any("message_agent_thoughts (1)" in note for note in History.from_export(*write(tmp_path, "y", "csv", tables)).notes)


@pytest.mark.parametrize("rating", ["Like", " like ", "LIKE"])
def test_ids_and_ratings_that_are_written_otherwise_are_the_same(tmp_path: Path, rating: str) -> None:
    plain, other = "abcdef01-1111-4111-8111-111111111111", '="ABCDEF01-1111-4111-8111-111111111111"'
    written = {"messages": [{**MESSAGE, "id": other}], "message_feedbacks": [{**FEEDBACK, "message_id": other.lower(), "rating": rating}]}
    found = History.from_export(*write(tmp_path, "x", "csv", written), *write(tmp_path, "y", "jsonl", {"messages": [{**MESSAGE, "id": plain}]}))
    assert found.messages[["message_id", "rating"]].values.tolist() == [[plain, "like"]]


def test_messages_joined_with_their_ratings_are_the_table_of_messages(tmp_path: Path) -> None:
    rows = [{**EVERY["messages"][0], "id": id, "message_id": rated, "rating": rated and "like"} for id, rated in (("m", "m"), ("n", None))]
    found = History.from_export(*write(tmp_path, "x", "csv", {"messages": rows})).messages
    assert found["message_id"].tolist() == ["m", "n"]
    assert found["total_tokens"].tolist() == [11, 11]
    assert dataframes.to_list(found["rating"]) == ["like", None]


@pytest.mark.parametrize("time", [45356.588, 45356, 0, -5, 10**22, True, [1]])
def test_a_number_in_a_saved_table_that_is_no_time_is_refused(tmp_path: Path, time: Any) -> None:
    path = tmp_path / "messages.jsonl"
    path.write_text(json.dumps({"message_id": "m", "query": "q", "answer": "a", "created_at": time}))
    with pytest.raises(InputError, match=r"messages\.jsonl.*created_at"):
        History.from_export(path)


def test_a_log_of_ours_without_ids_keeps_tokens(tmp_path: Path) -> None:
    row = {**EVERY["messages"][0], "provider_response_latency": 1.5, "total_price": 0.1, "currency": "USD", "model_id": "m"}
    history = History.from_export(*write(tmp_path, "x", "csv", {"messages": [row]}))
    history.messages.drop(columns="message_id").to_csv(tmp_path / "log.csv")
    again = History.from_export(tmp_path / "log.csv")
    same = ["prompt_tokens", "completion_tokens", "total_tokens", "total_price", "currency", "latency", "model"]
    pd.testing.assert_frame_equal(again.messages[same], history.messages[same])
    history.messages[["conversation_id", "query", "answer", "created_at", "total_tokens"]].to_csv(tmp_path / "log.csv")
    assert History.from_export(tmp_path / "log.csv").messages["total_tokens"].tolist() == [11]


PARQUET: dict[str, dict[str, Any]] = {
    "ids of bytes": {"id": [uuid.UUID(M).bytes], "conversation_id": [uuid.UUID(C).bytes]},
    "texts of bytes": {"id": [M.encode()], "query": [b"q"]},
    "nanoseconds": {"created_at": pd.to_datetime([NOON]).astype("datetime64[ns]")},
    "a zone": {"created_at": pd.to_datetime([NOON + "Z"]).tz_convert("Asia/Kathmandu")},
    "padded names": {"Created At ": [1782907200]},
}  # fmt: skip


@pytest.mark.parametrize("name", PARQUET)
def test_what_programs_write_in_parquet_is_read_as_meant(tmp_path: Path, name: str) -> None:
    columns = {key: [value] for key, value in MESSAGE.items()} | PARQUET[name]
    if name == "padded names":
        del columns["created_at"]
    pd.DataFrame(columns).to_parquet(tmp_path / "m.parquet")
    expected = History.from_export(*write(tmp_path, "x", "csv", {"messages": [MESSAGE]})).messages
    pd.testing.assert_frame_equal(History.from_export(tmp_path / "m.parquet").messages, expected)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"created_at": [1782907200]}, None), ({"created_at": [NOON]}, None), ({"total_tokens": [11.0]}, None),
        ({"total_price": ["0.5"]}, None), ({"created_at": [46204.5]}, r":1: .*46204\.5"), ({"total_tokens": [1.5]}, r":1: total_tokens"),
        ({"message_id": [12.0]}, r":1: message_id"), ({"message_id": ["1.2E+20"]}, r":1: message_id"),
    ],
)  # fmt: skip
def test_a_saved_table_in_parquet_with_other_types_is_read_cell_by_cell(tmp_path: Path, changed: dict[str, list[Any]], said: str | None) -> None:
    row = {**EVERY["messages"][0], "total_price": 0.5, "currency": "USD"}
    table = History.from_export(*write(tmp_path, "x", "csv", {"messages": [row]})).messages
    pd.concat([table.assign(**changed), pd.DataFrame({"message_id": [None]})]).to_parquet(tmp_path / "own.parquet")
    if said is None:
        pd.testing.assert_frame_equal(History.from_export(tmp_path / "own.parquet").messages, table)
        return
    with pytest.raises(InputError, match=said):
        History.from_export(tmp_path / "own.parquet")


def test_a_column_that_stands_twice_in_parquet_is_refused(tmp_path: Path) -> None:
    pd.DataFrame([{**MESSAGE, "ID": "other"}]).to_parquet(tmp_path / "m.parquet")
    with pytest.raises(InputError, match=r"m\.parquet.*id"):
        History.from_export(tmp_path / "m.parquet")


@pytest.mark.parametrize("change", [str.upper, lambda name: f" {name} ", lambda name: name.replace("_", " ").title()])
def test_names_of_columns_in_json_may_be_written_otherwise(tmp_path: Path, change: Callable[[str], str]) -> None:
    (tmp_path / "m.json").write_bytes(as_lines([{change(name): value for name, value in MESSAGE.items()}]))
    assert History.from_export(tmp_path / "m.json").messages["message_id"].tolist() == [M]


def test_a_saved_table_shows_no_keys_and_signatures(tmp_path: Path) -> None:
    link = "see http://h/files/x?timestamp=1&nonce=ab&sign=cd"
    for form in ("csv", "parquet"):
        SAVED[form](pd.DataFrame({"message_id": ["m"], "query": [link], "answer": ["a"]}), tmp_path / f"messages.{form}")
        (query,) = History.from_export(tmp_path / f"messages.{form}").messages["query"]
        assert "cd" not in query
        assert query.startswith("see http://h/files/x")


# -- exports and a server --------------------------------------------------------------------------


def test_an_export_is_brought_up_to_date(tmp_path: Path) -> None:
    """What the server tells now is newer than every export, and what it does not tell stays."""
    logs = Logs()
    logs.begin("c", "anna", 1782907200)
    logs.say("c", "m0", 1782907200)
    logs.say("c", "m1", 1782907300)
    rows = [{**MESSAGE, "id": id, "conversation_id": conversation, "updated_at": LATER, "from_end_user_id": "e", "message_tokens": 5, "answer_tokens": 6} for id, conversation in (("m0", "c"), ("gone", "old"), ("m1", None))]
    said = [{**FEEDBACK, "id": id, "message_id": message, "conversation_id": "c", "rating": "like"} for id, message in (("f0", "m0"), ("f1", "m1"))]
    paths = write(tmp_path, "x", "jsonl", {"messages": rows, "end_users": EVERY["end_users"], "message_feedbacks": said})
    before = History.from_export(*paths)
    logs.feedbacks = [{**FEEDBACK, "id": "f0", "message_id": "m0", "conversation_id": "c", "rating": "dislike", "created_at": "2026-07-01T12:00:00", "updated_at": "2026-07-09T12:00:00"}]
    with serving(logs) as server, Dify("app-x", server.url, "anna") as dify:
        found = dify.update(before, progress=False)
    assert sorted(found.messages["message_id"]) == ["gone", "m0", "m1"]
    told = found.messages.set_index("message_id")
    assert told["answer"]["m0"] != "a"
    assert told["total_tokens"].to_dict() == {"gone": 11, "m0": 11, "m1": 11}
    assert found.feedbacks[["feedback_id", "rating"]].values.tolist() == [["f0", "dislike"]]
    assert dataframes.to_list(told["rating"].loc[["gone", "m0", "m1"]]) == [None, "dislike", None]
    agree(found)


def test_a_server_that_lists_no_ratings_takes_no_comments_away(tmp_path: Path) -> None:
    logs = Logs(mode=None, old=True)
    logs.begin("c", "anna", 1782907200)
    for at, rating in enumerate(("like", "dislike", None)):
        logs.say("c", f"m{at}", 1782907200 + at)
        logs.messages["c"][-1]["feedback"] = rating and {"rating": rating}
    rows = [{**MESSAGE, "id": f"m{at}", "conversation_id": "c", "from_end_user_id": "e"} for at in range(3)]
    said = [{**FEEDBACK, "id": f"f{at}", "message_id": f"m{at}", "conversation_id": "c", "content": "why"} for at in range(3)]
    said.append({**said[0], "id": "boss", "from_source": "admin", "rating": "dislike"})
    before = History.from_export(*write(tmp_path, "x", "jsonl", {"messages": rows, "end_users": EVERY["end_users"], "message_feedbacks": said}))
    with serving(logs) as server, Dify("app-x", server.url, "anna") as dify:
        found = dify.update(before, progress=False)
    told = {(row["message_id"], row["from_source"]): (row["rating"], row["content"]) for row in dataframes.to_dicts(found.feedbacks)}
    assert told == {("m0", "user"): ("like", "why"), ("m0", "admin"): ("dislike", "why"), ("m1", "user"): ("dislike", None)}
    agree(found)


# -- frames ------------------------------------------------------------------------------------------


def test_datetimes_and_whole_microseconds_are_the_same_time() -> None:
    time = datetime(2026, 7, 1, 12, 0, 0, 250_001, tzinfo=UTC)
    whole = int((time - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))
    made = dataframes.from_columns(SCHEMA["annotations"], {"annotation_id": list("abcd"), "created_at": [time, whole, pd.Timestamp(time), None]})
    assert dataframes.to_list(made["created_at"]) == [whole, whole, whole, None]


def test_words_of_any_kind_become_categories_that_can_be_united() -> None:
    table = SCHEMA["messages"]
    made = dataframes.from_columns(table, {"message_id": ["m"], "rating": ["like"], "query": ["q"], "answer": ["a"]})
    other = made.assign(rating=pd.Categorical(["like"], categories=pd.Index(["like", "dislike"], dtype="object")))
    assert dataframes.concat(table, [dataframes.conform(table, other), made])["rating"].tolist() == ["like", "like"]
