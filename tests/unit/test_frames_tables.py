"""Rows of turns and of what lists give: tool calls taken apart, addresses unsigned, nothing else changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from contract import streams
from hypothesis import given
from hypothesis import strategies as st

from dify_notebook import AsyncDify, Dify, Tape, Turn, frames, local
from dify_notebook.frames import dataframes, item_rows, texts, toolcalls
from dify_notebook.redact import without_query
from dify_notebook.tape import Header, run_store
from dify_notebook.turn import state as ts
from dify_notebook.turn.stored import turn_from_stored
from dify_notebook.wire import models

# -- tool calls ------------------------------------------------------------------------------

CALLS: list[tuple[str, str, Any, Any, list[tuple[Any, Any, Any]]]] = [
    ("none", "", "", "", [(None, None, None)]),
    ("none, with the end of a chain of thought", "", '{"Final Answer": "Hi"}', "", [(None, None, None)]),
    ("keyed by the tool", "add", '{"add": {"a": 1}}', '{"add": "2"}', [("add", '{"a":1}', "2")]),
    ("the arguments alone", "add", '{"a": 1, "b": [2]}', "2", [("add", '{"a":1,"b":[2]}', "2")]),
    ("plain text", "search", "cats; dogs", "found 3", [("search", "cats; dogs", "found 3")]),
    ("broken JSON", "add", '{"add": {"a": ', "", [("add", '{"add": {"a": ', None)]),
    ("not text at all", "add", {"add": {"a": 1}}, {"add": {"sum": 2}}, [("add", '{"a":1}', '{"sum":2}')]),
    ("text that is keyed", "search", '{"search": "cats"}', '{"search": "3"}', [("search", "cats", "3")]),
    (
        "two",
        "add;now",
        '{"now": {}, "add": {"a": 1}}',
        '{"add": "2", "now": "12:00"}',
        [("add", '{"a":1}', "2"), ("now", "{}", "12:00")],
    ),
    ("two, one unsaid", "add;now", '{"add": {"a": 1}}', "", [("add", '{"a":1}', None), ("now", None, None)]),
    ("two, not told apart", "add;now", '{"a": 1}', "2 and 12:00", [("add", None, None), ("now", None, None)]),
    ("two as a list", "add;now", '[{"a": 1}, {}]', '["2", "12:00"]', [("add", '{"a":1}', "2"), ("now", "{}", "12:00")]),
    ("the same twice", "add;add", '{"add": {"a": 2}}', '{"add": "4"}', [("add", None, None), ("add", '{"a":2}', "4")]),
    ("stray separators", ";add;", '{"add": {}}', "", [("add", "{}", None)]),
    ("null", "add", None, None, [("add", None, None)]),
    ("null for the tool", "add", '{"add": null}', '{"add": null}', [("add", None, None)]),
    ("a list", "rank", "[3, 1]", "[1, 3]", [("rank", "[3,1]", "[1,3]")]),
    ("a number", "rank", "3", "1", [("rank", "3", "1")]),
]


@pytest.mark.parametrize(("tool", "given_", "gave", "wanted"), [row[1:] for row in CALLS], ids=[row[0] for row in CALLS])
def test_tool_calls_are_taken_apart(tool: str, given_: Any, gave: Any, wanted: list[tuple[Any, Any, Any]]) -> None:
    found = toolcalls.tool_calls(tool, given_, gave)
    assert [(name, taken, back) for name, _, taken, back in found] == wanted


@given(tool=st.text("ab;", max_size=6), told=st.one_of(st.none(), st.text(max_size=20), st.dictionaries(st.sampled_from("ab"), st.text(max_size=3))), as_text=st.booleans())  # fmt: skip
def test_any_tool_call_gives_a_row_for_each_tool(tool: str, told: Any, as_text: bool) -> None:
    if as_text and isinstance(told, dict):
        told = json.dumps(told)
    rows = toolcalls.tool_calls(tool, told, told)
    names: list[str | None] = [name for name in tool.split(";") if name]
    assert [row[0] for row in rows] == (names or [None])
    for _, _, taken, back in rows:
        assert taken == back


def test_labels_are_english_where_there_is_one() -> None:
    labels = {"add": {"en_US": "Add", "zh_Hans": "加"}, "now": {"ja_JP": "今"}, "x": "X", "y": None}
    found = toolcalls.tool_calls("add;now;x;y;z", "", "", labels)
    assert [label for _, label, _, _ in found] == ["Add", "今", "X", None, None]


def test_a_live_thought_and_a_stored_one_give_the_same_row() -> None:
    told = {"id": "t", "position": 1, "thought": "hm", "tool": "a;b", "tool_input": '{"a": {}, "b": {"x": 1}}',
            "observation": '{"a": "1", "b": "2"}', "tool_labels": {"a": {"en_US": "A"}}, "created_at": 1_795_252_306}  # fmt: skip
    stored = models.read(models.StoredMessage, {"id": "m", "conversation_id": "c", "agent_thoughts": [told]})
    thought = ts.Thought(**{**told, "created_at": datetime.fromtimestamp(told["created_at"], UTC)}, started_at=0.5)  # type: ignore[arg-type]
    live = frames.thoughts(Turn(message_id="m", conversation_id="c", thoughts=(thought,)))
    past = _thoughts(stored)
    assert live["started"].tolist() == [0.5, 0.5]
    same = [column for column in live.columns if column not in ("started", "finished")]
    pd.testing.assert_frame_equal(live[same], past[same])


def test_what_belongs_to_a_stored_message_and_to_its_turn_gives_the_same_rows() -> None:
    told = {
        "agent_thoughts": [{"thought": "hm"}, {"thought": "so", "tool": "add", "tool_input": {"a": 1}}],
        "retriever_resources": [{"position": 1, "document_id": "d", "word_count": 3, "content": "x"}],
        "message_files": [
            {"id": "f", "type": "image", "belongs_to": "user", "transfer_method": "local_file", "upload_file_id": "u"},
            {"id": "g", "transfer_method": "tool_file", "url": "http://h/g.png?sign=1"},
        ],
    }
    stored = models.read(models.StoredMessage, {"id": "m", "conversation_id": "c", **told})
    blocks = item_rows.message_batches([stored, models.StoredMessage(id="n")], user="ann")
    turn = turn_from_stored(stored, user="ann")
    assert [one.id for one in turn.thoughts or ()] == blocks["thoughts"]["thought_id"] == ["0", "1"]
    for name in ("thoughts", "citations", "files"):
        made = dataframes.from_columns(frames.SCHEMA[name], blocks[name])
        pd.testing.assert_frame_equal(made, getattr(frames, name)(turn))
    assert blocks["files"]["upload_file_id"] == ["u", None]
    assert blocks["files"]["transfer_method"] == ["local_file", "tool_file"]
    assert blocks["messages"]["message_id"] == ["m", "n"]
    assert set(item_rows.message_batches([models.StoredMessage(id="n")])) == {"messages"}


def _thoughts(item: models.StoredMessage) -> pd.DataFrame:
    return dataframes.from_columns(frames.SCHEMA["thoughts"], item_rows.message_batches([item])["thoughts"])


# -- texts and addresses ------------------------------------------------------------------------

SIGNED = [
    ("/files/a?timestamp=1&nonce=ab12&sign=x%3D", "/files/a?timestamp=1&nonce=-&sign=-"),
    ("![p](http://h/f.png?sign=ab-c_d%3D)!", "![p](http://h/f.png?sign=-)!"),
    ('"url":"/f?a=1\\u0026sign=abc"', '"url":"/f?a=1\\u0026sign=-"'),
    ("https://s3/x?X-Amz-Credential=K/1&X-Amz-Signature=9f", "https://s3/x?X-Amz-Credential=-&X-Amz-Signature=-"),
    ("https://gcs/x?X-Goog-Signature=9f&a=b", "https://gcs/x?X-Goog-Signature=-&a=b"),
    ("https://blob/x?sv=1&SIG=zz", "https://blob/x?sv=1&SIG=-"),
    ("https://h/x?token=abc next", "https://h/x?token=- next"),
]
KEPT = ["design=blue", "sign=1 in a sum", "a=b", "f(x, sign=-1)", "x&y=z", "", "token = 5", "1 = 1? yes"]


@pytest.mark.parametrize(("text", "wanted"), SIGNED)
def test_what_signs_a_link_is_taken_out(text: str, wanted: str) -> None:
    assert texts.clean(text) == wanted
    item = models.read(models.StoredMessage, {"id": "m", "query": text, "answer": text, "inputs": {"u": text}})
    (row,) = frames.messages([item]).to_dict("records")
    assert (row["query"], row["answer"]) == (wanted, wanted)
    assert json.loads(row["inputs"]) == {"u": wanted}


@pytest.mark.parametrize("text", KEPT)
def test_what_people_write_is_left_alone(text: str) -> None:
    assert texts.clean(text) == text


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("http://h:1/a.png?sign=1#x", "http://h:1/a.png"),
        ("https://me:pw@h/a.png", "https://h/a.png"),
        ("/files/a/preview?sign=1", "/files/a/preview"),
        ("data:image/png;base64,AAAA", None),
        ("javascript:alert(1)", None),
        ("http://[", None),
        ("", None),
        (None, None),
    ],
)
def test_addresses_lose_their_query(url: str | None, wanted: str | None) -> None:
    assert without_query(url) == wanted


# -- of turns ------------------------------------------------------------------------------------


def test_a_turn_is_one_row() -> None:
    turn = Turn(
        query="q?sign=1",
        answer="A",
        reasoning="R",
        status="failed",
        end="error",
        error=ts.TurnError("bad", "at /f?sign=2"),
        usage=ts.Usage(prompt_tokens=1, total_price=Decimal("0.0000010"), currency="USD", latency=0.5),
        timing=ts.Timing(opened=0.1, first_token=0.2, total=1.0),
        warnings=(ts.Warning_("damaged", "x"),),
        message_id="m",
        conversation_id="c",
        inputs={"city": "Köln"},
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        feedback="like",
    )
    (row,) = frames.turns(turn).to_dict("records")
    there = {name: value for name, value in row.items() if not pd.isna(value)}
    assert there == {
        "message_id": "m", "conversation_id": "c", "created_at": pd.Timestamp("2026-01-01", tz="UTC"), "status": "failed",
        "end": "error", "complete": False, "rating": "like", "prompt_tokens": 1, "total_price": 1e-06, "currency": "USD",
        "latency": 0.5, "opened": 0.1, "first_token": 0.2, "total": 1.0, "warning_count": 1, "source": "stream",
        "error_code": "bad", "error": "at /f?sign=-", "query": "q?sign=-", "answer": "A", "reasoning": "R",
        "inputs": '{"city":"Köln"}',
    }  # fmt: skip


@pytest.mark.parametrize("name", ["turns", "nodes", "thoughts", "citations", "files", "events"])
def test_no_turns_give_an_empty_table(name: str) -> None:
    make = getattr(frames, name)
    pd.testing.assert_frame_equal(make([]), frames.empty(name))
    if name != "turns":
        pd.testing.assert_frame_equal(make(Turn()), frames.empty(name))


def folded() -> list[Turn]:
    """The turns of all recorded streams, with their tapes."""
    found = []
    for case, recording in streams.load().items():
        from dify_notebook.wire.sse import Splitter

        splitter, tape = Splitter(), Tape(Header(query=case))
        for at, chunk in recording.chunks:
            tape.entries.extend((at, frame) for frame in splitter.feed(chunk))
        found.append(tape.replay())
    return found


def test_every_recorded_stream_becomes_rows() -> None:
    turns = folded()
    assert len(frames.turns(turns)) == len(turns) > 100
    nodes = frames.nodes(turns)
    assert len(nodes) == sum(len(turn.nodes or ()) for turn in turns)
    for turn in turns:
        mine = nodes[(nodes["message_id"] == turn.message_id).fillna(False)] if turn.message_id else nodes.iloc[:0]
        if len(mine) and len(mine) == len(turn.nodes or ()):
            assert mine["title"].tolist() == [node.title for node in turn.nodes or ()]
    thoughts = frames.thoughts(turns)
    assert len(thoughts) == sum(max(1, len(thought.tools)) for turn in turns for thought in turn.thoughts or ())
    assert len(frames.citations(turns)) == sum(len(turn.citations or ()) for turn in turns)
    assert len(frames.files(turns)) == sum(len(turn.files or ()) for turn in turns)
    events = frames.events(turns)
    assert len(events) == sum(len(turn.events or ()) for turn in turns)
    text = "".join(frame.astype("string").fillna("").to_csv() for frame in (nodes, thoughts, events, frames.turns(turns)))
    assert "&sign=" not in text.replace("&sign=-", "")


def test_events_hold_the_pieces_of_the_answer() -> None:
    turn = next(turn for turn in folded() if turn.answer and not turn.replaced and turn.answer == turn.answer_raw
                and not turn.thoughts)  # fmt: skip
    events = turn.events_frame()
    assert "".join(events["text"].dropna()) == turn.answer
    assert events["position"].tolist() == list(range(len(events)))
    assert events["at"].is_monotonic_increasing
    assert set(events["event"]) >= {"message", "message_end"}


def test_events_tell_their_node() -> None:
    told = [
        {"event": "node_started", "data": {"id": "run of it", "node_id": "llm"}},
        {"event": "reasoning_chunk", "data": {"node_id": "llm", "reasoning": "Hm.", "is_final": False}},
        {"event": "message", "answer": "x", "from_variable_selector": ["answer", "text"]},
        {"event": "message", "answer": "y", "from_variable_selector": []},
        {"event": "node_finished", "data": {"node_id": 5}},
        {"event": "workflow_finished", "data": {}},
    ]
    tape = Tape()
    tape.entries.extend((0.1, ("", json.dumps(event).encode())) for event in told)
    events = frames.events(tape.replay())
    assert dataframes.to_list(events["node_id"]) == ["llm", "llm", "answer", None, None, None]


def test_pings_and_unknown_events_have_rows() -> None:
    tape = Tape()
    tape.entries.extend([(0.1, ("ping", None)), (0.2, ("", b'{"event":"brand_new","x":1}')), (0.3, ("", b"{broken"))])
    events = frames.events(tape.replay())
    assert events["event"].tolist() == ["ping", "brand_new", "unknown"]
    assert events["size"].tolist() == [0, 27, 7]
    assert pd.isna(events["data"].iloc[0])
    assert events["data"].iloc[2] == "{broken"


# -- of lists --------------------------------------------------------------------------------------


def test_every_list_has_to_frame_with_the_schema() -> None:
    with local.serve(pace=0) as server, Dify(server.api_key("pipeline"), server.base_url, "me") as dify:
        turn = dify.chat.send("files, keys", auto_generate_name=False)
        dify.messages.feedback(str(turn.message_id), "like", content="fine")
        dify.annotations.create("q", "a")
        assert turn.conversation_id
        found = {
            "conversations": dify.conversations.list().to_frame(),
            "messages": dify.messages.list(turn.conversation_id).to_frame(),
            "variables": dify.conversations.variables(turn.conversation_id).to_frame(),
            "feedbacks": dify.app.feedbacks().to_frame(),
            "annotations": dify.annotations.list().to_frame(),
        }
        for name, frame in found.items():
            assert len(frame), name
            assert frame.dtypes.astype(str).to_dict() == frames.empty(name).dtypes.astype(str).to_dict()
        assert found["messages"]["message_id"].tolist() == [turn.message_id]
        assert found["messages"]["user"].tolist() == ["me"]
        assert set(found["variables"]["conversation_id"]) == {turn.conversation_id}
        assert len(dify.conversations.variables(turn.conversation_id).to_frame(limit=1)) == 1
        assert len(dify.messages.list(turn.conversation_id, order="asc").to_frame(limit=0)) == 0
        history = dify.history()
        nodes = turn.nodes_frame()
        joined = history.messages.merge(nodes, on="message_id", suffixes=("", "_node"))
        assert len(joined) == len(nodes) > 3
        assert turn.thoughts_frame().empty


@pytest.mark.anyio
async def test_awaited_lists_have_it_too() -> None:
    with local.serve(pace=0) as server:
        async with AsyncDify(server.api_key("guide"), server.base_url, "me") as dify:
            await dify.chat.send("hello")
            frame = await dify.conversations.list().to_frame()
    assert frame["user"].tolist() == ["me"]


# -- of this machine's store -----------------------------------------------------------------------


def test_runs_are_listed_and_replayed() -> None:
    from dify_notebook import Session

    with local.serve(pace=0) as server, Dify(server.api_key("pipeline"), server.base_url, "me") as dify:
        session = Session(dify)
        turns = [session.ask(query).result(30) for query in ("one, two", "three")]
        history = dify.history()
    runs = frames.runs()
    assert sorted(runs["message_id"]) == sorted(str(turn.message_id) for turn in turns)
    assert runs["conversation_id"].nunique() == 1
    assert runs["user"].tolist() == ["me", "me"]
    assert runs["status"].tolist() == ["succeeded", "succeeded"]
    assert (runs["size"] > 100).all()
    assert runs["created_at"].notna().all()
    nodes = frames.nodes(frames.replay(runs))
    live = frames.nodes(turns)
    key = ["message_id", "position"]
    left, right = (frame.sort_values(key, ignore_index=True) for frame in (nodes, live))
    pd.testing.assert_frame_equal(left.drop(columns=["started", "finished"]), right.drop(columns=["started", "finished"]))
    assert (left["started"] - right["started"]).abs().max() < 0.001, "times of a tape are kept to 0.1 ms"
    (picked,) = frames.replay([str(runs["run_id"].iloc[0])])
    assert picked.source == "tape"
    assert history.messages["usage_from"].tolist() == ["server", "server"]
    assert history.messages["total_tokens"].tolist() == [turn.usage and turn.usage.total_tokens for turn in turns]


def keep(created: str, message: str = "m", **header: Any) -> None:
    tape = Tape(Header(created_at=created, **header))
    data = json.dumps({"event": "message", "message_id": message, "conversation_id": "c", "answer": "x"}).encode()
    tape.entries.append((0.1, ("", data)))
    run_store().add(tape, message)


def test_runs_of_one_second_stand_in_their_order() -> None:
    for part in ("300", "100", "200"):
        keep(f"2026-01-01T12:00:00.{part}+00:00", f"m{part}")
    assert frames.runs()["message_id"].tolist() == ["m100", "m200", "m300"]


def test_runs_of_a_span_of_time() -> None:
    for day in ("01", "02", "03"):
        keep(f"2026-01-{day}T12:00:00+00:00", f"m{day}")
    keep("", "when")
    found = frames.runs(since="2026-01-02T12:00:00Z", until="2026-01-03T12:00:00Z")
    assert found["message_id"].tolist() == ["m02"]
    assert found["conversation_id"].tolist() == ["c"]
    assert len(frames.runs()) == 4


def test_the_run_of_a_workflow_app_joins_its_tape() -> None:
    tape = Tape(Header(created_at="2026-01-01T12:00:00+00:00"))
    ids = {"task_id": "t", "workflow_run_id": "r"}
    events: list[dict[str, Any]] = [
        {"event": "workflow_started", **ids, "data": {"id": "r", "workflow_id": "w", "inputs": {"text": "x"}}},
        {"event": "node_started", **ids, "data": {"id": "n", "node_id": "code", "node_type": "code", "title": "Code"}},
        {"event": "node_finished", **ids, "data": {"id": "n", "node_id": "code", "node_type": "code", "title": "Code", "status": "succeeded", "elapsed_time": 0.5}},
        {"event": "workflow_finished", **ids, "data": {"id": "r", "workflow_id": "w", "status": "succeeded", "outputs": {"n": 1, "text": "one"}, "elapsed_time": 0.75, "total_tokens": 4, "total_steps": 1}},
    ]  # fmt: skip
    tape.entries.extend((0.1 * at, ("", json.dumps(event).encode())) for at, event in enumerate(events))
    run_store().add(tape, "r")
    (row,) = frames.runs()[["message_id", "workflow_run_id"]].astype("object").values.tolist()
    assert row[1] == "r"
    assert pd.isna(row[0])
    turns, nodes = frames.turns(frames.replay()), frames.nodes(frames.replay())
    assert turns[["workflow_run_id", "status", "outputs"]].values.tolist() == [["r", "succeeded", '{"n":1,"text":"one"}']]
    assert nodes[["workflow_run_id", "node_id", "elapsed"]].values.tolist() == [["r", "code", 0.5]]
    (turn,) = frames.replay()
    assert frames.compare(turn, turn).nodes["only_in"].isna().all()


def test_what_is_no_tape_is_left_out_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    keep("2026-01-01T12:00:00+00:00")
    (run_store().directory / "20260101T000000-broken.tape.gz").write_bytes(b"not gzip")
    assert len(frames.runs()) == 1
    assert "broken" in caplog.text


def test_a_run_that_is_not_there_is_refused() -> None:
    from dify_notebook.errors import InputError

    with pytest.raises(InputError, match="no run nonsense"):
        frames.replay(["nonsense"])




def test_many_calls_of_one_thought_hold_what_they_have_in_common_once() -> None:
    """The raw texts are as long as the calls are many: in each row they would be the square of it."""
    for count, held in ((toolcalls.REPEATED_CALLS, toolcalls.REPEATED_CALLS), (toolcalls.REPEATED_CALLS + 1, 1)):
        names = [f"t{at}" for at in range(count)]
        told = {name: at for at, name in enumerate(names)}
        rows = toolcalls.call_rows({"thought": "hm"}, ";".join(names), told, told, {"t0": {"en_US": "T"}})
        assert [(row["call"], row["tool"], row["input"], row["output"]) for row in rows] == [
            (at, f"t{at}", str(at), str(at)) for at in range(count)
        ]
        for column in ("thought", "tools_raw", "input_raw", "output_raw"):
            assert sum(row[column] is not None for row in rows) == held
            assert rows[0][column] is not None
        assert rows[0]["tool_label"] == "T"
