"""What people have from elsewhere: real layouts of Dify's exports, as the same tables, or a clear error."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dify_notebook import Dify, History, local
from dify_notebook.errors import InputError
from dify_notebook.frames import dataframes
from dify_notebook.frames.readers.inserts import InsertParser
from dify_notebook.frames.schema import HISTORY, SCHEMA
from dify_notebook.local.simulate.dumping import DumpError

CONVERSATION = "5f2e36b0-0d0c-4a63-9b7e-0a1c8d6f1e01"
USER = "8a0f7b2c-63b1-4f7f-9c35-cf1b1d5d0a02"
APP = "0f0c1c58-9d2d-4f1b-8a77-3f6f7c0a5503"
FIRST, SECOND = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"

METADATA = {
    "annotation_reply": None,
    "retriever_resources": [
        {"position": 1, "dataset_id": "d", "dataset_name": "Handbook", "document_id": "o", "document_name": "refunds.md", "segment_id": "s", "score": 0.8, "content": "30 days"}
    ],
    "usage": {"prompt_tokens": 7, "prompt_price": "0.0000070", "completion_tokens": 3, "completion_price": "0.0000060", "total_tokens": 10, "total_price": "0.0000130", "currency": "USD", "latency": 1.25, "time_to_first_token": 0.5},
}

# One question as the table `messages` of Dify 1.12 has it, and one that failed.
MESSAGES: list[dict[str, Any]] = [
    {
        "id": FIRST, "app_id": APP, "model_provider": "openai", "model_id": "gpt-4o", "override_model_configs": None,
        "conversation_id": CONVERSATION, "inputs": '{"city": "Köln"}', "query": "Refund?\tA\\B", "message": "[]",
        "message_tokens": "7", "message_unit_price": "0.0010", "answer": "<think>\nhm\n</think>\nIn 30 days,\nsee\u2028[1]", "answer_tokens": "3",
        "answer_unit_price": "0.0020", "provider_response_latency": "1.25", "total_price": "0.0000130", "currency": "USD",
        "from_source": "api", "from_end_user_id": USER, "from_account_id": None, "created_at": "2026-07-01 12:00:00.25",
        "updated_at": "2026-07-01 12:00:02", "agent_based": "f", "message_price_unit": "0.001", "answer_price_unit": "0.001",
        "workflow_run_id": None, "status": "normal", "error": None, "message_metadata": json.dumps(METADATA),
        "invoke_from": "service-api", "parent_message_id": "00000000-0000-0000-0000-000000000000",
    },
    {
        "id": SECOND, "app_id": APP, "model_provider": None, "model_id": None, "override_model_configs": None,
        "conversation_id": CONVERSATION, "inputs": "{}", "query": "还有呢？", "message": "[]", "message_tokens": "0",
        "message_unit_price": "0", "answer": "", "answer_tokens": "0", "answer_unit_price": "0",
        "provider_response_latency": "0", "total_price": None, "currency": "USD", "from_source": "api",
        "from_end_user_id": USER, "from_account_id": None, "created_at": "2026-07-01 12:01:00", "updated_at": "2026-07-01 12:01:00",
        "agent_based": "f", "message_price_unit": "0", "answer_price_unit": "0", "workflow_run_id": None, "status": "error",
        "error": "overloaded", "message_metadata": None, "invoke_from": "service-api", "parent_message_id": FIRST,
    },
]
CONVERSATIONS = [
    {
        "id": CONVERSATION, "app_id": APP, "mode": "chat", "name": "Refund", "inputs": "{}", "introduction": "Hi",
        "status": "normal", "from_source": "api", "from_end_user_id": USER, "from_account_id": None,
        "created_at": "2026-07-01 12:00:00", "updated_at": "2026-07-01 12:01:00", "is_deleted": "f", "dialogue_count": "2",
    }
]
END_USERS = [{"id": USER, "tenant_id": "t", "app_id": APP, "type": "service_api", "external_user_id": "anna", "name": None, "is_anonymous": "f", "session_id": "anna", "created_at": "2026-07-01 11:59:59", "updated_at": "2026-07-01 11:59:59"}]
FEEDBACKS = [
    {"id": "f1", "app_id": APP, "conversation_id": CONVERSATION, "message_id": FIRST, "rating": "dislike", "content": "too late", "from_source": "user", "from_end_user_id": USER, "from_account_id": None, "created_at": "2026-07-01 12:00:30", "updated_at": "2026-07-01 12:00:30"},
    {"id": "f2", "app_id": APP, "conversation_id": CONVERSATION, "message_id": FIRST, "rating": "like", "content": None, "from_source": "admin", "from_end_user_id": None, "from_account_id": "acc", "created_at": "2026-07-02 09:00:00", "updated_at": "2026-07-02 09:00:00"},
]
THOUGHTS = [
    {"id": "t1", "message_id": FIRST, "message_chain_id": None, "position": "1", "thought": "", "tool": "add;now", "tool_input": '{"add": {"a": 1}, "now": {}}', "observation": '{"add": "2", "now": "12:00"}', "tool_labels_str": '{"add": {"en_US": "Add"}}', "created_at": "2026-07-01 12:00:01"},
]
ANNOTATIONS = [{"id": "a1", "app_id": APP, "conversation_id": None, "message_id": None, "content": "Ask sales", "account_id": "acc", "created_at": "2026-07-03 00:00:00", "updated_at": "2026-07-03 00:00:00", "question": "Refund?", "hit_count": "4"}]
TABLES = {
    "messages": MESSAGES, "conversations": CONVERSATIONS, "end_users": END_USERS, "message_feedbacks": FEEDBACKS,
    "message_agent_thoughts": THOUGHTS, "message_annotations": ANNOTATIONS,
}  # fmt: skip


def as_csv(rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def as_lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def as_dump(tables: dict[str, list[dict[str, Any]]]) -> str:
    """What pg_dump writes: COPY blocks among much else."""

    def cell(value: Any) -> str:
        if value is None:
            return "\\N"
        return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")

    parts = ["--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n", "CREATE TABLE public.messages (id uuid);\n"]
    parts.append("COPY public.accounts (id, name, password) FROM stdin;\n1\tme\tsecret\n\\.\n\n")
    for name, rows in tables.items():
        parts.append(f"COPY public.{name} ({', '.join(rows[0])}) FROM stdin;\n")
        parts += ["\t".join(cell(value) for value in row.values()) + "\n" for row in rows]
        parts.append("\\.\n\n")
    return "".join(parts)


def as_inserts(tables: dict[str, list[dict[str, Any]]], form: str) -> str:
    """What `pg_dump --inserts`, `--column-inserts`, `--rows-per-insert` and mysqldump write."""

    def quoted(value: Any) -> str:
        if value is None:
            return "NULL"
        text = str(value)
        if form != "mysql":
            return text if text.isascii() and text.isdigit() else "'" + text.replace("'", "''") + "'"
        for sign, letter in (("\\", "\\"), ("'", "'"), ('"', '"'), ("\n", "n"), ("\r", "r"), ("\0", "0"), ("\x1a", "Z")):
            text = text.replace(sign, "\\" + letter)
        return f"'{text}'"

    mysql = form == "mysql"
    parts = ["-- MySQL dump 10.13\n/*!40101 SET NAMES utf8mb4 */;\n" if mysql else "--\n-- PostgreSQL database dump\n--\n\nSET x = 0;\n"]
    for name, rows in {"accounts": [{"id": "1", "password": "it's; INSERT INTO"}], **tables}.items():
        place = f"`{name}`" if mysql else f"public.{name}"
        columns = [f"  `{column}` varchar(255) DEFAULT ''" if mysql else f"    {column} character varying" for column in rows[0]]
        more = ["  PRIMARY KEY (`id`),", "  KEY `x_idx` (`id`)"] if mysql else ["    CONSTRAINT x CHECK (true)"]
        parts.append(f"CREATE TABLE {place} (\n" + "".join(line + ",\n" for line in columns) + "\n".join(more) + "\n);\n\n")
        tuples = ["(" + ", ".join(map(quoted, row.values())) + ")" for row in rows]
        named = f" ({', '.join(rows[0])})" if form == "columns" else ""
        if form in ("plain", "columns"):
            parts += [f"INSERT INTO {place}{named} VALUES {one};\n" for one in tuples]
        else:
            parts.append(f"INSERT INTO {place} VALUES" + ("\n\t" if form == "several" else " ") + ",\n".join(tuples) + ";\n")
    return "".join(parts)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def check(history: History) -> None:
    """What every form of the same tables has to come to."""
    (refund, failed) = history.messages.to_dict("records")
    assert (refund["message_id"], refund["query"]) == (FIRST, "Refund?\tA\\B")
    assert refund["answer"].strip() == "In 30 days,\nsee\u2028[1]"
    assert refund["reasoning"].strip() == "hm"
    assert refund["user"] == failed["user"] == "anna"
    assert refund["created_at"] == pd.Timestamp("2026-07-01 12:00:00.25", tz="UTC")
    assert (refund["prompt_tokens"], refund["completion_tokens"], refund["total_tokens"]) == (7, 3, 10)
    assert (refund["latency"], refund["time_to_first_token"], refund["total_price"]) == (1.25, 0.5, 0.000013)
    assert (refund["currency"], refund["model"], refund["usage_from"]) == ("USD", "gpt-4o", "export")
    assert refund["rating"] == "dislike", "the user's, not the administrator's"
    assert json.loads(refund["inputs"]) == {"city": "Köln"}
    assert pd.isna(refund["parent_message_id"])
    assert (failed["status"], failed["error"], failed["answer"]) == ("error", "overloaded", "")
    assert failed["parent_message_id"] == FIRST
    assert history.conversations[["conversation_id", "user", "name", "introduction"]].values.tolist() == [
        [CONVERSATION, "anna", "Refund", "Hi"]
    ]
    assert history.feedbacks[["feedback_id", "rating", "from_source", "user"]].astype("object").where(
        history.feedbacks[["feedback_id", "rating", "from_source", "user"]].notna(), None
    ).values.tolist() == [["f1", "dislike", "user", "anna"], ["f2", "like", "admin", None]]
    assert history.thoughts[["tool", "input", "output"]].values.tolist() == [
        ["add", '{"a":1}', "2"], ["now", "{}", "12:00"],
    ]  # fmt: skip
    assert history.citations[["document_name", "score", "content"]].values.tolist() == [["refunds.md", 0.8, "30 days"]]
    assert history.annotations[["question", "answer", "hit_count"]].values.tolist() == [["Refund?", "Ask sales", 4]]
    assert history.users == {"anna": "export"}
    for table in HISTORY:
        assert tuple(history.table(table.name).columns) == table.names


# -- the forms ---------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, -1], ids=["as named", "backwards"])
@pytest.mark.parametrize(("form", "ending"), [(as_csv, "csv"), (as_lines, "jsonl")])
def test_tables_of_the_database(tmp_path: Path, form: Any, ending: str, order: int) -> None:
    paths = [write(tmp_path, f"{name}.{ending}", form(rows)) for name, rows in TABLES.items()]
    check(History.from_export(*paths[::order]))


def test_a_folder_and_names_do_not_matter(tmp_path: Path) -> None:
    for at, rows in enumerate(TABLES.values()):
        write(tmp_path, f"export-{at}.csv", "\ufeff" + as_csv(rows))
    write(tmp_path, "notes.txt", "not an export")
    check(History.from_export(tmp_path))


@pytest.mark.parametrize("packed", [False, True])
def test_a_dump(tmp_path: Path, packed: bool) -> None:
    text = as_dump(TABLES)
    path = tmp_path / ("dump.sql.gz" if packed else "dump.sql")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    check(History.from_export(path))


@pytest.mark.parametrize("form", ["plain", "columns", "several", "mysql"])
def test_a_dump_of_inserts(tmp_path: Path, form: str) -> None:
    check(History.from_export(write(tmp_path, "dump.sql", as_inserts(TABLES, form))))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(["');", "\\'", "'\n);\n", ";\n", ""]), min_size=1))
@pytest.mark.parametrize("form", ["plain", "columns", "several", "mysql"])
def test_any_text_comes_back_out_of_inserts(form: str, texts: list[str]) -> None:
    told = as_inserts({"messages": [{"id": f"m{at}", "query": text} for at, text in enumerate(texts)]}, form)
    lines = io.StringIO(told, newline="")
    inserts, found = InsertParser(), []
    for line in lines:
        if inserts.begins(line):
            found += [row for table, row in inserts.read(line, lines) if table == "messages"]
    assert [row and row["query"] for row in found] == texts


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters(tmp_path: Path, delimiter: str) -> None:
    text = io.StringIO()
    names = ["id", "conversation_id", "query", "answer", "created_at"]
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([names, ["m", "c", "a, b; c", "d", 1782907200]])
    (row,) = History.from_export(write(tmp_path, "m.csv", text.getvalue())).messages.to_dict("records")
    assert (row["query"], row["created_at"]) == ("a, b; c", pd.Timestamp("2026-07-01 12:00", tz="UTC"))


def console_message() -> dict[str, Any]:
    """As the console's chat-messages answers."""
    row = {name: MESSAGES[0][name] for name in ("id", "conversation_id", "query", "answer", "status", "error", "from_source", "from_end_user_id")}
    return {
        **row, "inputs": {"city": "Köln"}, "message": [], "message_tokens": 7, "answer_tokens": 3, "provider_response_latency": 1.25,
        "from_account_id": None, "created_at": 1782907200, "annotation": None, "message_files": [], "metadata": METADATA,
        "workflow_run_id": None, "parent_message_id": None,
        "feedbacks": [{"rating": "like", "content": "ok", "from_source": "user", "from_end_user_id": USER, "from_account": None}],
        "agent_thoughts": [{"id": "t", "message_id": FIRST, "position": 1, "thought": "x", "tool": "", "tool_labels": {}, "tool_input": "", "observation": "", "created_at": 1782907201, "files": []}],
    }  # fmt: skip


def test_what_the_console_answers(tmp_path: Path) -> None:
    page = {"limit": 10, "has_more": False, "data": [console_message()]}
    conversations = {
        "page": 1, "limit": 10, "total": 1, "has_more": False,
        "data": [{"id": CONVERSATION, "status": "normal", "from_source": "api", "from_end_user_id": USER, "from_end_user_session_id": "anna", "from_account_id": None, "name": "Refund", "summary": "Refund?", "read_at": None, "created_at": 1782907200, "updated_at": 1782907260, "annotated": False, "message_count": 1}],
    }  # fmt: skip
    write(tmp_path, "messages.json", json.dumps([page, {**page, "data": []}]))
    write(tmp_path, "conversations.json", json.dumps(conversations))
    history = History.from_export(tmp_path)
    (row,) = history.messages.to_dict("records")
    assert (row["user"], row["rating"], row["latency"], row["total_price"]) == ("anna", "like", 1.25, 0.000013)
    assert history.conversations["name"].tolist() == ["Refund"]
    assert history.feedbacks[["rating", "content"]].values.tolist() == [["like", "ok"]]
    assert len(history.thoughts) == len(history.citations) == 1
    again = History.from_export(tmp_path)
    assert again.feedbacks["feedback_id"].tolist() == history.feedbacks["feedback_id"].tolist()


def test_the_console_s_export_of_feedback(tmp_path: Path) -> None:
    row = {
        "feedback_id": "f1", "app_name": "Shop", "app_id": APP, "conversation_id": CONVERSATION, "conversation_name": "Refund",
        "message_id": FIRST, "user_query": "Refund?", "ai_response": "In 30 days", "feedback_rating": "👎",
        "feedback_rating_raw": "dislike", "feedback_comment": "too late", "feedback_source": "user",
        "feedback_date": "2026-07-01 12:00:30", "message_date": "2026-07-01 12:00:00", "from_account_name": "",
        "from_end_user_id": USER, "has_comment": "Yes",
    }  # fmt: skip
    as_json = {"export_info": {"app_id": APP, "total_records": 1}, "feedback_data": [row]}
    for path in (write(tmp_path, "a.csv", as_csv([row])), write(tmp_path, "b.json", json.dumps(as_json))):
        history = History.from_export(path)
        assert history.messages[["query", "answer", "rating"]].values.tolist() == [["Refund?", "In 30 days", "dislike"]]
        assert history.feedbacks["content"].tolist() == ["too late"]
        assert any("first 500 signs" in note for note in history.notes)


def test_the_log_export_has_ids_made_of_its_rows(tmp_path: Path) -> None:
    row = {"end_user_id": USER, "account_id": "", "app_id": APP, "conversation_id": CONVERSATION, "query": "q", "answer": "a", "message_tokens": 5, "answer_tokens": 2, "total_price": "0.1", "currency": "EUR", "created_at": "2026-07-01 12:00:00", "message_metadata": "", "user_rating": "like", "admin_rating": ""}
    path = write(tmp_path, "log.csv", as_csv([row, {**row, "query": "q2", "created_at": "2026-07-01 12:05:00"}]))
    history, again = History.from_export(path), History.from_export(path)
    assert history.messages["message_id"].nunique() == 2
    assert history.messages["message_id"].tolist() == again.messages["message_id"].tolist()
    assert history.messages[["total_tokens", "currency", "rating"]].values.tolist() == [[7, "EUR", "like"]] * 2
    (conversation,) = history.conversations.to_dict("records")
    assert conversation["updated_at"] == pd.Timestamp("2026-07-01 12:05", tz="UTC")
    assert any("no ids" in note for note in history.notes)
    assert any("whose conversations" in note for note in history.notes)


def test_pages_of_the_api(tmp_path: Path) -> None:
    """People who saved the API's own answers can read them too."""
    with local.serve(data_dir=tmp_path / "server", pace=0) as server:
        dify = Dify(base_url=server.base_url, api_key=server.api_key("guide"), user="anna")
        turn = dify.chat.send("How do I set a timeout?")
        import httpx

        head = {"Authorization": f"Bearer {server.api_key('guide')}"}
        pages = {
            path: httpx.get(f"{server.base_url}/{path}", headers=head, params={"user": "anna", "conversation_id": turn.conversation_id}).text
            for path in ("messages", "conversations")
        }
    for name, text in pages.items():
        write(tmp_path, f"{name}.json", text)
    history = History.from_export(tmp_path / "messages.json", tmp_path / "conversations.json")
    assert history.messages["answer"].tolist() == [turn.answer]
    assert len(history.citations) == len(turn.citations or ())


def test_deleted_conversations_stay_away(tmp_path: Path) -> None:
    gone = [{**CONVERSATIONS[0], "is_deleted": "t"}]
    history = History.from_export(
        write(tmp_path, "m.csv", as_csv(MESSAGES)), write(tmp_path, "c.csv", as_csv(gone))
    )
    assert len(history.messages) == len(history.conversations) == 0
    assert any("1 conversations that their users deleted" in note for note in history.notes)


def test_duplicates_are_read_once(tmp_path: Path) -> None:
    path = write(tmp_path, "m.csv", as_csv(MESSAGES))
    assert len(History.from_export(path, path).messages) == 2


def test_the_table_counts_more_than_an_export_that_cuts_answers(tmp_path: Path) -> None:
    cut = {
        "feedback_id": "f9", "app_id": APP, "conversation_id": CONVERSATION, "message_id": FIRST, "user_query": "Refund?",
        "ai_response": "In 3...", "feedback_rating": "👎", "feedback_rating_raw": "dislike", "feedback_source": "user",
        "message_date": "2026-07-01 12:00:00",
    }  # fmt: skip
    first, second = write(tmp_path, "f.csv", as_csv([cut])), write(tmp_path, "m.csv", as_csv(MESSAGES))
    history = History.from_export(first, second)
    assert history.messages["message_id"].tolist() == [FIRST, SECOND]
    assert "In 30 days" in history.messages["answer"][0]
    assert history.messages["rating"][0] == "dislike"


def test_rows_stand_in_the_order_of_every_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Built in pieces, so that a large dump fits; the pieces must not show."""
    monkeypatch.setattr("dify_notebook.frames.readers.builder.CHUNK_ROWS", 3)
    names = [(f"m{number}", f"c{number % 4}", 1782907200 + 60 * ((number * 7) % 20)) for number in range(20)]
    rows = [{"id": id, "conversation_id": one, "query": "q", "answer": "a", "created_at": at} for id, one, at in names]
    found = History.from_export(write(tmp_path, "m.csv", as_csv(rows)))
    expected = [id for id, _, _ in sorted(names, key=lambda row: (row[2], row[1]))]
    assert found.messages["message_id"].tolist() == expected
    for name, table in found.tables.items():
        pd.testing.assert_frame_equal(table, dataframes.concat(SCHEMA[name], [table], ordered=True))
    assert found.conversations["updated_at"].is_monotonic_decreasing
    assert found.messages.index.tolist() == list(range(20))
    spans = found.messages.groupby("conversation_id")["created_at"].agg(["min", "max"])
    told = found.conversations.set_index("conversation_id").sort_index()
    assert told["created_at"].tolist() == spans["min"].tolist()
    assert told["updated_at"].tolist() == spans["max"].tolist()


def test_messages_of_one_second_stay_in_the_order_of_the_file(tmp_path: Path) -> None:
    rows = [{"id": f"m{number}", "conversation_id": "c", "query": "q", "answer": "a", "created_at": 1782907200 + number // 4} for number in range(12)]
    found = History.from_export(write(tmp_path, "m.csv", as_csv(rows)))
    assert found.messages["message_id"].tolist() == [row["id"] for row in rows]


def test_several_apps_are_told_apart(tmp_path: Path) -> None:
    other = [{**MESSAGES[0], "id": "x", "app_id": "other", "conversation_id": "y"}]
    path = write(tmp_path, "dump.sql", as_dump({"messages": MESSAGES + other}))
    with pytest.raises(InputError, match=rf"several apps.*{APP} \(2\), other \(1\)"):
        History.from_export(path)
    assert History.from_export(path, app="other").messages["message_id"].tolist() == ["x"]
    with pytest.raises(InputError, match="no messages of the app nothing"):
        History.from_export(path, app="nothing")


def with_nan(rows: list[dict[str, Any]]) -> str:
    return json.dumps([{name: float("nan") if value is None else value for name, value in row.items()} for row in rows])


def with_null(rows: list[dict[str, Any]]) -> str:
    return as_csv([{name: "NULL" if value is None else value for name, value in row.items()} for row in rows])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.json", with_nan(MESSAGES)),
        ("m.csv", with_null(MESSAGES)),
        ("m.csv", as_csv([{name.upper(): value for name, value in row.items()} for row in MESSAGES])),
        ("m.csv", as_csv(MESSAGES).encode("utf-16")),
    ],
    ids=["NaN of Python", "NULL", "names in capitals", "Unicode text of Excel"],
)
def test_what_other_tools_make_of_it(tmp_path: Path, name: str, content: str | bytes) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (refund, failed) = History.from_export(tmp_path / name).messages.to_dict("records")
    assert (refund["model"], refund["total_tokens"], refund["total_price"]) == ("gpt-4o", 10, 0.000013)
    assert pd.isna(refund["error"])
    assert pd.isna(failed["model"])
    assert pd.isna(failed["total_price"])
    assert failed["query"] == "还有呢？"


def test_a_text_may_be_null_and_half_an_emoji(tmp_path: Path) -> None:
    told = write(tmp_path, "m.csv", as_csv([{**MESSAGES[0], "query": "NULL", "answer": "\\N"}]))
    assert History.from_export(told).messages[["query", "answer"]].values.tolist() == [["NULL", "\\N"]]
    half = write(tmp_path, "m.json", json.dumps([{**MESSAGES[0], "answer": "half \ud83d, whole \U0001f600"}]))
    assert History.from_export(half).messages["answer"].tolist() == ["half \ufffd, whole \U0001f600"]


@pytest.mark.parametrize("value", ["1,234", "inf", "five", "1e30"])
def test_what_is_no_number_is_said(tmp_path: Path, value: str) -> None:
    with pytest.raises(InputError, match=f"message_tokens is {value}, which is no number"):
        History.from_export(write(tmp_path, "m.csv", as_csv([{**MESSAGES[0], "message_tokens": value}])))


# -- what the embedded server writes ------------------------------------------------------------


def test_a_dump_of_the_embedded_server_says_what_its_api_says(tmp_path: Path) -> None:
    told = local.seed(tmp_path / "server", conversations=60)
    with local.serve(data_dir=tmp_path / "server", pace=0) as server:
        written = local.dump(tmp_path / "out", tmp_path / "server", app="toolbox")
        dify = Dify(base_url=server.base_url, api_key=server.api_key("toolbox"), user="x")
        asked = dify.history(users=list(told.users), progress=False)
        with pytest.raises(DumpError, match="no conversations of an app called shop; it has those of guide, pipeline, tally, toolbox"):
            local.dump(tmp_path / "out", tmp_path / "server", app="shop")
    assert set(written) >= {"messages", "conversations", "end_users"}
    read = History.from_export(tmp_path / "out")
    assert len(read.messages) > 5
    only_exports = {"usage_from", "prompt_price", "completion_price", "time_to_first_token"}
    for name, key in (("messages", ["message_id"]), ("conversations", ["conversation_id"]), ("thoughts", ["thought_id", "call"])):
        left, right = (
            history.table(name).sort_values(key, ignore_index=True).drop(columns=["name"], errors="ignore")
            for history in (asked, read)
        )
        shared = [column for column in left if column not in only_exports]
        pd.testing.assert_frame_equal(left[shared], right[shared], check_categorical=False)
    assert read.messages["latency"].gt(0).mean() > 0.9
    assert read.messages["currency"].eq("USD").all()


# -- what cannot be read --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("orders.csv", b"order,amount\n1,2\n", r"orders.csv:2 has the columns order, amount: that is no export.*nearest"),
        ("short.csv", b"id,conversation_id,query,answer\n1,2\n", r"short.csv:2 has another number of cells than the 4"),
        ("quote.csv", b'id,conversation_id,query,answer\n1,2,"x,y\n', "no CSV that can be read"),
        ("empty.csv", b"\n", "is empty"),
        ("x.json", b'{"data": [1]}', r"x.json\[1\] is int"),
        ("y.json", b"{", "no JSON"),
        ("z.jsonl", b'{"id":"1","conversation_id":"c","query":"q","answer":"a"}\n{oops\n', "z.jsonl:2 is no JSON"),
        ("latin.csv", b"id,conversation_id,query,answer\n1,2,K\xf6ln,x\n", "is not UTF-8"),
        ("dump.sql", b"PGDMP\x01", r"pg_restore -t messages.*-f dump.sql"),
        ("all.zip", b"PK\x03\x04", "zip archive"),
        ("i.sql", b"INSERT INTO messages VALUES (1);\n", "--column-inserts"),
        ("j.sql", b"INSERT INTO messages (id, query) VALUES (1);\n", r"j.sql:1.*messages"),
        ("k.sql", b"--\nINSERT INTO messages (id) VALUES ('1", r"k.sql:2.*cut off"),
        ("s.sql", b"--\nCREATE TABLE messages (id uuid);\n", "holds no rows"),
        ("cut.sql", b"COPY public.messages (id) FROM stdin;\n1\n", "ends within the table messages"),
        ("t.csv", b"id,conversation_id,query,answer,created_at\n1,2,3,4,soon\n", "t.csv:2: soon is no time"),
        ("n.csv", b"id,conversation_id,query,answer,message_tokens\n1,2,3,4,many\n", "message_tokens is many, which is no number"),
        ("m.csv", b'id,conversation_id,query,answer,inputs\n1,2,3,4,{oops\n', "should hold JSON"),
        ("bad.gz", b"\x1f\x8b\x08\x00broken", "cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        History.from_export(path)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file .*nowhere.csv"):
        History.from_export(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="holds no file"):
        History.from_export(tmp_path)
    with pytest.raises(InputError, match="at least one file"):
        History.from_export()
    header = write(tmp_path, "header.csv", as_csv(MESSAGES).splitlines()[0] + "\n")
    with pytest.raises(InputError, match="has no rows"):
        History.from_export(header)
