"""What Dify 1.16 tells of messages, in histories: tokens and prices beside those of tapes and exports, and forms."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.linear import MOST, growth
from support.logs import Logs, message
from support.raw_server import serving

from dify_notebook import Dify, History, Tape, Turn, frames
from dify_notebook.frames import collector, dataframes, item_rows, usage
from dify_notebook.frames.schema import BEYOND_API
from dify_notebook.secret import Secret
from dify_notebook.tape import Header, run_store
from dify_notebook.turn.state import Form
from dify_notebook.wire.models import StoredMessage, read

LONG_AGO = 1_700_000_000
TOKEN = "SecretTokenOfAForm0001"
SERVER: dict[str, Any] = {"message_tokens": 9, "answer_tokens": 4, "total_tokens": 13, "total_price": "0.2500000", "currency": "EUR",
          "provider_response_latency": 2.5}  # fmt: skip
FIELD = {"output_variable_name": "note", "type": "paragraph", "default": {"type": "constant", "value": "my note"}}
ASKED: dict[str, Any] = {
    "form_id": "f1", "node_id": "ask", "node_title": "Ask", "form_content": "May I? {{#$output.note#}}", "inputs": [FIELD],
    "actions": [{"id": "yes", "title": "Yes, do", "button_style": "primary"}, {"id": "no", "title": "No"}],
    "resolved_default_values": {}, "expiration_time": 1_795_977_777,
}  # fmt: skip
ANSWER = {"node_id": "ask", "node_title": "Ask", "rendered_content": "May I? ok", "action_id": "yes", "action_text": "Yes, do",
          "submitted_data": {"note": "ok"}}  # fmt: skip
Where = Callable[[], dict[str, Any]]


@pytest.fixture(params=["memory", "parquet"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Where:
    """Gives the argument that says where a history goes: nothing, or a new directory each time."""
    count = iter(range(1_000))
    return lambda: {"to": tmp_path / str(next(count))} if request.param == "parquet" else {}


def waiting() -> dict[str, Any]:
    form = {**ASKED, "form_token": TOKEN}
    content = {"type": "human_input", "workflow_run_id": "r1", "submitted": False, "form_definition": form, "form_submission_data": None}
    return {"status": "paused", "extra_contents": [content], **SERVER}


def ended() -> dict[str, Any]:
    form = {**ASKED, "form_token": None}
    content = {"type": "human_input", "workflow_run_id": "r1", "submitted": True, "form_definition": form, "form_submission_data": ANSWER}
    return {"status": "normal", "answer": "Done.", "extra_contents": [content], **SERVER, "total_tokens": 30}


def flow(count: int = 1, **last: Any) -> Logs:
    """So many conversations of a chatflow, each with a message; the first one's is as given."""
    logs = Logs(mode="advanced-chat")
    for number in range(count):
        logs.begin(f"c{number:02}", "ann", LONG_AGO + number * 100)
        logs.say(f"c{number:02}", f"m{number:02}", LONG_AGO + number * 100, **(last if number == 0 else {}))
    return logs


def tape_of(message_id: str, **of: Any) -> None:
    """A run's tape, whose usage is as a stream tells it."""
    told = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12, "prompt_price": "0.05", "completion_price": "0.2",
            "total_price": "0.25", "currency": "EUR", "latency": 1.5, "time_to_first_token": 0.5} | of  # fmt: skip
    tape = Tape(Header(created_at="2026-01-01T00:00:00+00:00", server="http://127.0.0.1:9/v1", user="ann", query="q"))
    tape.append(0.5, ("", json.dumps({"event": "message", "message_id": message_id, "answer": "hi"}).encode()))
    end = {"event": "message_end", "message_id": message_id, "metadata": {"usage": told}}
    tape.append(1.0, ("", json.dumps(end).encode()))
    run_store().add(tape, message_id)


def usage_of(history: History, message_id: str) -> dict[str, Any]:
    """What is not missing of the columns of usage."""
    row = history.messages.set_index("message_id").loc[message_id, list(usage.COLUMNS)]
    return {str(name): value for name, value in row.items() if not pd.isna(value)}


OF_SERVER = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13, "total_price": 0.25, "currency": "EUR", "latency": 2.5, "usage_from": "server"}
PARTS = {"prompt_price": 0.05, "completion_price": 0.2}


# -- tokens, prices and latency ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tape", "wanted"),
    [
        (None, OF_SERVER),
        ({}, {**OF_SERVER, **PARTS, "time_to_first_token": 0.5}),
        ({"total_price": "0.3"}, {**OF_SERVER, "time_to_first_token": 0.5}),
        ({"currency": "USD"}, {**OF_SERVER, "time_to_first_token": 0.5}),
    ],
    ids=["no tape", "of the same price", "of another price", "in another currency"],
)
def test_the_server_counts_more_than_a_tape_which_adds_what_no_server_tells(where: Where, tape: Any, wanted: Any) -> None:
    logs = flow(**SERVER)
    if tape is not None:
        tape_of("m00", **tape)
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        assert usage_of(dify.history(**where()), "m00") == wanted


def test_servers_that_tell_none_and_servers_that_tell_some_share_a_page(where: Where) -> None:
    logs = flow()
    logs.say("c00", "told", LONG_AGO + 1, **SERVER)
    logs.say("c00", "half", LONG_AGO + 2, total_tokens=5, total_price=0.5)
    logs.say("c00", "tape", LONG_AGO + 3)
    logs.say("c00", "nothing counted", LONG_AGO + 4, **dict.fromkeys(SERVER, 0))
    tape_of("tape")
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**where())
    assert usage_of(history, "m00") == {}
    assert usage_of(history, "told") == OF_SERVER
    assert usage_of(history, "half") == {"total_tokens": 5, "total_price": 0.5, "usage_from": "server"}
    assert usage_of(history, "tape")["usage_from"] == "run"
    assert usage_of(history, "nothing counted")["total_tokens"] == 0


@pytest.mark.parametrize(
    ("name", "told", "wanted"),
    [
        ("message_tokens", "1" + "0" * 30, None),
        ("message_tokens", "-1", None),
        ("message_tokens", '"7"', 7),
        ("message_tokens", "7.0", 7),
        ("message_tokens", '"many"', None),
        ("total_price", "0.5", 0.5),
        ("total_price", '"NaN"', None),
        ("total_price", '"1e999999"', None),
        ("total_price", "[1]", None),
        ("currency", "5", "5"),
        ("provider_response_latency", '"soon"', None),
        ("provider_response_latency", "1e999", None),
        ("extra_contents", '"none"', None),
        ("extra_contents", "[null, 5]", None),
    ],
)
def test_an_odd_number_of_one_message_takes_nothing_else_with_it(name: str, told: str, wanted: Any) -> None:
    columns = {"message_tokens": "prompt_tokens", "provider_response_latency": "latency"}

    class Odd(Logs):
        def __call__(self, request: Any, connection: Any) -> None:
            if not request.path.startswith("/v1/messages"):
                super().__call__(request, connection)
                return
            plain = json.dumps({**message("m", "c00", LONG_AGO), "total_tokens": 1})
            body = f'{{"data":[{plain[:-1]},"{name}":{told}}}],"has_more":false,"limit":100}}'
            connection.reply("200 OK", body.encode())

    logs = Odd(mode="chat")
    logs.begin("c00", "ann", LONG_AGO)
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history()
    assert history.facts.complete
    (row,) = dataframes.to_dicts(history.messages)
    assert (row["query"], row["total_tokens"]) == ("Question m?", 1)
    assert row.get(columns.get(name, name)) == wanted
    assert len(history.forms) == 0


def test_a_list_of_messages_tells_them_too() -> None:
    with serving(flow(**waiting())) as server, Dify("app-x", server.url, "ann") as dify:
        table = dify.messages.list("c00").to_frame()
    assert usage_of(History({"messages": table}), "m00") == OF_SERVER
    assert table["status"].tolist() == ["paused"]


ROW = dict.fromkeys(BEYOND_API)


@pytest.mark.parametrize(
    ("told", "known", "wanted"),
    [
        ({}, {"total_tokens": 3, "usage_from": "export", "model": "m"}, {"total_tokens": 3, "usage_from": "export", "model": "m"}),
        ({"total_tokens": 9, "usage_from": "server"}, {"total_tokens": 3, "latency": 1.0, "usage_from": "run", "model": "m", "parent_message_id": "p"},
         {"total_tokens": 9, "usage_from": "server", "model": "m", "parent_message_id": "p"}),
        ({"total_price": 0.5, "currency": "EUR", "usage_from": "server"},
         {"total_price": 0.5, "currency": "EUR", "prompt_price": 0.1, "completion_price": 0.4, "usage_from": "run"},
         {"total_price": 0.5, "currency": "EUR", "prompt_price": 0.1, "completion_price": 0.4, "usage_from": "server"}),
        ({"total_tokens": 0, "usage_from": "server"}, {"total_tokens": 3, "usage_from": "run"}, {"total_tokens": 3, "usage_from": "run"}),
        ({"total_tokens": 0, "total_price": 0.2, "usage_from": "server"}, {"total_tokens": 3, "total_price": 0.3, "usage_from": "run"},
         {"total_tokens": 0, "total_price": 0.2, "usage_from": "server"}),
        ({"total_tokens": 0, "total_price": 0.0, "usage_from": "server"}, {"time_to_first_token": 0.5, "usage_from": "run"},
         {"total_tokens": 0, "total_price": 0.0, "time_to_first_token": 0.5, "usage_from": "server"}),
        ({"parent_message_id": "a"}, {"parent_message_id": "b"}, {"parent_message_id": "a"}),
    ],
)  # fmt: skip
def test_usage_is_of_one_source(told: dict[str, Any], known: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert usage.with_known(told, known) == {**ROW, **wanted}


def test_what_an_export_and_a_run_told_stays_when_the_server_begins_to_tell(where: Where) -> None:
    """As when the server is brought up to date."""
    logs = flow(1)
    tape_of("m00")
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**where())
        assert usage_of(history, "m00")["usage_from"] == "run"
        for path in run_store().paths():
            path.unlink()
        logs.messages["c00"][0].update(SERVER)
        logs.say("c00", "later", int(time.time()), **SERVER)
        history = dify.update(history)
    assert usage_of(history, "m00") == {**OF_SERVER, **PARTS, "time_to_first_token": 0.5}
    assert usage_of(history, "later") == OF_SERVER


def test_tokens_that_the_server_did_not_count_are_those_of_the_run(where: Where) -> None:
    """As of agent nodes: Dify 1.16 keeps their price, and 0 tokens, of which its stream tells 12."""
    kept = {"message_tokens": 0, "answer_tokens": 0, "total_tokens": 0, "total_price": "0.0100000", "currency": "USD", "provider_response_latency": 0.7}
    logs = flow(1, **kept)
    tape_of("m00", prompt_tokens=0, completion_tokens=0, total_price="0.01", currency="USD", prompt_price="0", completion_price="0", latency=0.0)
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**where())
        of_run = usage_of(history, "m00")
        assert (of_run["total_tokens"], of_run["total_price"], of_run["usage_from"]) == (12, 0.01, "run")
        for path in run_store().paths():
            path.unlink()
        logs.say("c00", "later", int(time.time()), **kept)
        history = dify.update(history)
    assert usage_of(history, "m00") == of_run
    assert usage_of(history, "later")["total_tokens"] == 0


# -- forms -----------------------------------------------------------------------------------------------


def row_of(history: History) -> dict[str, Any]:
    (row,) = history.forms.astype(object).to_dict("records")
    return {str(name): value for name, value in row.items() if not pd.isna(value)}


def everything(history: History) -> str:
    return "".join(table.astype("string").fillna("").to_csv() for table in history.tables.values())


def test_a_paused_message_is_brought_up_to_date_when_its_run_has_ended(
    where: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Going on is no new use: its conversation, the one used least lately, is where it was in the list."""
    monkeypatch.setattr(collector, "PAGE", 5)
    logs = flow(40, **waiting())
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**where())
        assert history.messages["status"].tolist() == ["paused", *["normal"] * 39]
        assert (row_of(history)["status"], row_of(history)["submitted"]) == ("waiting", False)
        logs.asked.clear()
        history = dify.update(history)  # nobody answered yet
        assert (logs.count("/messages"), row_of(history)["status"]) == (1, "waiting")
        logs.messages["c00"][0].update(ended())
        history = dify.update(history)
        assert set(history.messages["status"]) == {"normal"}
        row = row_of(history)
        assert (row["status"], row["submitted"], row["action_id"], row["action_text"]) == ("filled", True, "yes", "Yes, do")
        assert (row["rendered_content"], row["inputs"]) == ("May I? ok", '{"note":"ok"}')
        assert usage_of(history, "m00")["total_tokens"] == 30
        logs.asked.clear()
        history = dify.update(history)
        assert (logs.count("/messages"), logs.count("/conversations")) == (0, 1)
    assert len(history.forms) == 1
    assert len(history.messages) == 40


def test_an_update_lists_no_further_than_the_oldest_paused_message(where: Where, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "PAGE", 5)
    logs = flow(40)
    logs.messages["c33"][0].update(waiting())  # on the second page
    logs.begin("bob", "bob", LONG_AGO - 100)
    logs.say("bob", "of-bob", LONG_AGO - 100, **waiting())
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(["ann", "bob"], **where())
        logs.asked.clear()
        dify.update(history)
    listed = [path for path in logs.asked if "/conversations?" in path and "user=ann" in path]
    assert len(listed) == 3  # the third is the first on which all is older
    assert logs.count("/messages") == 2


@pytest.mark.parametrize("kind", ["in memory", "a directory"])
def test_no_token_of_a_form_is_kept(tmp_path: Path, kind: str) -> None:
    logs = flow(2, **waiting(), inputs={"form_token": "SecretTokenOfAnInput01"})
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(to=tmp_path / "kept" if kind == "a directory" else None)
        (stored,) = dify.messages.list("c00").to_list()
        listed = dify.messages.list("c00").to_frame()
    assert len(history.forms) == 1
    assert "SecretToken" not in everything(history) + listed.to_csv() + repr(history) + repr(stored)
    assert b"SecretToken" not in pickle.dumps(history) + pickle.dumps(stored)
    history.to_parquet(tmp_path / "written")
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"SecretToken" not in path.read_bytes(), path
    assert "form_token" not in "".join(row for row in row_of(History.read(tmp_path / "written")).values() if isinstance(row, str))


def test_a_conversation_and_its_export_have_the_forms(tmp_path: Path) -> None:
    logs = flow(1, **waiting())
    logs.say("c00", "m01", LONG_AGO + 1, **ended())
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history()
    for name, table in history.tables.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    for source in (history, History.from_export(tmp_path), History.read(history.to_parquet(tmp_path / "kept"))):
        first, second = source.conversation("c00").turns
        assert (first.status, second.status) == ("paused", "succeeded")
        (form,) = first.forms
        assert (form.status, form.id, form.content, form.token) == ("waiting", "f1", ASKED["form_content"], None)
        assert [field.default for field in form.fields] == ["my note"]
        assert [action.title for action in form.actions] == ["Yes, do", "No"]
        assert form.expires_at is not None
        (answered,) = second.forms
        assert (answered.status, answered.action, answered.inputs, answered.content) == ("filled", "yes", {"note": "ok"}, "May I? ok")
        assert (first.workflow_run_id, first.usage and first.usage.total_tokens) == ("r1", 13)
        pd.testing.assert_frame_equal(frames.forms([first, second]), source.forms, check_categorical=False)


def test_forms_of_live_turns_have_the_same_table() -> None:
    form = Form(id="f", data={**ASKED, "inputs": [{"form_token": Secret(TOKEN)}]}, workflow_run_id="r", content=ASKED["form_content"], token=Secret(TOKEN))
    table = frames.forms(Turn(message_id="m", conversation_id="c", forms=(form,)))
    assert table["status"].tolist() == ["waiting"]
    assert json.loads(table["definition"].iloc[0])["inputs"] == [{"form_token": None}]
    assert table["workflow_run_id"].tolist() == ["r"]
    assert list(table.columns) == list(frames.SCHEMA["forms"].names)
    assert len(frames.forms([])) == len(frames.forms(Turn())) == 0


# -- of databases -----------------------------------------------------------------------------------------


def dumped(**form: Any) -> dict[str, list[dict[str, Any]]]:
    """Tables of a database of Dify 1.16."""
    definition = {"form_content": "May {{#sys.user#}}? {{#$output.note#}}", "inputs": [FIELD], "user_actions": ASKED["actions"],
                  "default_values": {}, "node_title": "Ask", "form_token": TOKEN}  # fmt: skip
    row = {"id": "f1", "created_at": "2026-11-29 17:42:57.5", "updated_at": "2026-11-29 17:43:00", "tenant_id": "t", "app_id": "a",
           "workflow_run_id": "r1", "form_kind": "runtime", "node_id": "ask", "form_definition": json.dumps(definition),
           "rendered_content": "May ann? {{#$output.note#}}", "status": "waiting", "expiration_time": "2026-11-29 18:42:57",
           "selected_action_id": None, "submitted_data": None, "submitted_at": None, "conversation_id": "c"} | form  # fmt: skip
    return {
        "messages": [{"id": "m1", "app_id": "a", "conversation_id": "c", "query": "q", "answer": "x", "status": "paused", "workflow_run_id": "r1",
                      "created_at": "2026-11-29 17:42:57", "updated_at": "2026-11-29 17:42:58", "message_tokens": 3, "answer_tokens": 4}],
        "human_input_forms": [row],
        "execution_extra_contents": [{"id": "e", "created_at": row["created_at"], "type": "human_input", "workflow_run_id": "r1", "message_id": "m1", "form_id": "f1"}],
    }  # fmt: skip


def written(folder: Path, tables: dict[str, list[dict[str, Any]]]) -> History:
    folder.mkdir()
    for name, rows in tables.items():
        pd.DataFrame(rows, dtype="object").to_csv(folder / f"{name}.csv", index=False)
    return History.from_export(folder)


SUBMITTED = {"status": "submitted", "selected_action_id": "yes", "submitted_data": '{"note": "ok"}', "submitted_at": "2026-11-29 17:43:00"}


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        ({}, {"status": "waiting", "submitted": False}),
        (SUBMITTED, {"status": "filled", "submitted": True, "action_id": "yes", "action_text": "Yes, do", "inputs": '{"note":"ok"}',
                     "rendered_content": "May ann? ok", "submitted_at": pd.Timestamp("2026-11-29T17:43:00Z")}),
        ({"status": "timeout"}, {"status": "timeout", "submitted": False}),
        ({"status": "expired"}, {"status": "timeout", "submitted": False}),
    ],
)  # fmt: skip
def test_forms_of_a_database(tmp_path: Path, form: dict[str, Any], wanted: dict[str, Any]) -> None:
    history = written(tmp_path / "dump", dumped(**form))
    row = row_of(history)
    assert TOKEN not in everything(history)
    definition = json.loads(row.pop("definition"))
    assert (definition["user_actions"], "form_token" in definition) == (ASKED["actions"], False)
    assert row == {
        "message_id": "m1", "conversation_id": "c", "workflow_run_id": "r1", "form_id": "f1", "node_id": "ask", "node_title": "Ask",
        "created_at": pd.Timestamp("2026-11-29T17:42:57.5Z"), "expires_at": pd.Timestamp("2026-11-29T18:42:57Z"),
        "content": "May ann? {{#$output.note#}}", **wanted,
    }  # fmt: skip
    assert history.messages["status"].tolist() == ["paused"]
    assert usage_of(history, "m1") == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "usage_from": "export"}


def test_a_form_belongs_to_its_runs_message_and_to_none_with_a_note(tmp_path: Path) -> None:
    tables = dumped()
    del tables["execution_extra_contents"]
    assert row_of(written(tmp_path / "by its run", tables))["message_id"] == "m1"
    tables["human_input_forms"] += [
        {**tables["human_input_forms"][0], "id": "of a workflow app", "workflow_run_id": "r2"},
        {**tables["human_input_forms"][0], "id": "a trial", "form_kind": "delivery_test"},
    ]
    history = written(tmp_path / "two", tables)
    assert history.forms["form_id"].tolist() == ["f1"]
    assert [note for note in history.notes if "human_input_forms (1)" in note]


def test_a_page_of_the_api_that_was_saved_tells_forms_and_tokens(tmp_path: Path) -> None:
    page = {"data": [message("m1", "c", LONG_AGO, **waiting())], "has_more": False, "limit": 20}
    (tmp_path / "page.json").write_text(json.dumps(page))
    history = History.from_export(tmp_path / "page.json")
    assert (row_of(history)["status"], row_of(history)["form_id"]) == ("waiting", "f1")
    assert usage_of(history, "m1") == {**OF_SERVER, "usage_from": "export"}
    assert TOKEN not in everything(history)


def test_the_answered_form_counts_wherever_it_was_read(tmp_path: Path) -> None:
    for name, more in (("before", waiting()), ("after", ended())):
        with serving(flow(1, **more)) as server, Dify("app-x", server.url, "ann") as dify:
            dify.history().forms.to_csv(tmp_path / f"{name}.csv", index=False)
    for names in (("before", "after"), ("after", "before")):
        history = History.from_export(*(tmp_path / f"{name}.csv" for name in names))
        row = row_of(history)
        assert (row["status"], row["submitted"], row["action_id"], row["inputs"]) == ("filled", True, "yes", '{"note":"ok"}')


# -- of earlier versions, and what it costs ----------------------------------------------------------


def test_a_history_without_the_table_is_read_and_brought_up_to_date(tmp_path: Path) -> None:
    logs = flow(3)
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(to=tmp_path / "kept")
        assert not (tmp_path / "kept" / "forms").exists()  # as an earlier version leaves it
        old = pickle.loads(pickle.dumps(dify.history()))
        del old._tables["forms"]
        for earlier in (history, old):
            assert list(earlier.forms.columns) == list(frames.SCHEMA["forms"].names)
            assert len(earlier.forms) == 0
        logs.say("c01", "asked", int(time.time()), **waiting())
        for earlier in (history, old):
            assert row_of(dify.update(earlier))["message_id"] == "asked"


def test_a_history_that_was_pickled_before_its_tables_had_all_columns(tmp_path: Path) -> None:
    logs = flow(1)
    logs.say("c00", "m01", LONG_AGO + 1, agent_thoughts=[{"id": "t", "position": 1, "thought": "Hm.", "tool": "clock", "tool_input": "{}", "observation": "12"}])
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        old = dify.history()
        old._tables["thoughts"] = old.thoughts.drop(columns="answer")
        old._tables["messages"]["usage_from"] = pd.Categorical([None, None], categories=pd.Index(["run", "export"], dtype="string"))
        history = pickle.loads(pickle.dumps(old))
        logs.say("c00", "m02", int(time.time()), **SERVER)
        updated = dify.update(history)
    for one in (history, updated, History.read(history.to_parquet(tmp_path / "kept"))):
        assert list(one.thoughts.columns) == list(frames.SCHEMA["thoughts"].names)
        (thought,) = one.conversation("c00").turns[1].thoughts or ()
        assert (thought.thought, thought.tool, thought.answer) == ("Hm.", "clock", "")
    assert usage_of(updated, "m02") == OF_SERVER


def stored(count: int) -> list[StoredMessage]:
    def told() -> Iterator[StoredMessage]:
        for number in range(count):
            yield read(StoredMessage, message(f"m{number}", "c", LONG_AGO + number, **(ended() if number % 2 else waiting())))

    return list(told())


def test_tables_of_messages_with_forms_grow_with_their_number() -> None:
    assert growth(stored, item_rows.message_batches, 200) < MOST
