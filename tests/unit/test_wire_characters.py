"""What is no character costs itself: the text around it, its event and the end of the answer stay, and it is counted."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.linear import MOST, growth
from support.raw_server import Connection, Request, serving

from dify_notebook import Dify
from dify_notebook.errors import DifyError, NotFoundError
from dify_notebook.frames.toolcalls import tool_calls
from dify_notebook.net.resume import Resume
from dify_notebook.tape import Tape
from dify_notebook.turn.fold import Builder, fold, fold_all
from dify_notebook.turn.state import Turn
from dify_notebook.views import facts
from dify_notebook.views.words import Words
from dify_notebook.wire import events as ev
from dify_notebook.wire.decoder import decode
from dify_notebook.wire.loose import loads, read, strict
from dify_notebook.wire.surrogates import Surrogates

BAD = "\ufffd"
EMOJI = "\U0001f600"

READ: list[tuple[str, bytes, Any, int]] = [
    ("a byte that begins nothing", b'"a\xffb"', f"a{BAD}b", 1),
    ("a byte alone at the end", b'"a\xe4"', f"a{BAD}", 1),
    ("two of three bytes", b'"a\xe4\xbd b"', f"a{BAD} b", 1),
    ("three of four bytes at the end", b'"a\xf0\x9f\x98"', f"a{BAD}", 1),
    ("the last byte of a character at the beginning", b'"\xa0b"', f"{BAD}b", 1),
    ("an overlong form of NUL", b'"a\xc0\x80b"', f"a{BAD}{BAD}b", 2),
    ("beyond the last character", b'"\xf5"', BAD, 1),
    ("a pair of halves as bytes", b'"\xed\xa0\xbd\xed\xb8\x80"', EMOJI, 0),
    ("half a pair as bytes", b'"\xed\xa0\xbd."', f"{BAD}.", 1),
    ("half a pair as bytes, the other escaped", b'"\xed\xa0\xbd\\ude00"', EMOJI, 0),
    ("half an emoji", b'"a\\ud83d b"', f"a{BAD} b", 1),
    ("the other half", b'"\\uDE00b"', f"{BAD}b", 1),
    ("halves in the wrong order", b'"\\ude00\\ud83d"', BAD * 2, 2),
    ("half an emoji as a name", b'{"k\\ud83d": {"\\ude00": 1}}', {f"k{BAD}": {BAD: 1}}, 2),
    ("half an emoji deep inside", b'[{"x": ["\\ud83d"]}]', [{"x": [BAD]}], 1),
    ("NUL as it is", b'"a\x00b"', f"a{BAD}b", 1),
    ("NUL as an escape", b'"a\\u0000b"', "a\0b", 0),
    ("escape as it is", b'"\x1b[31m"', f"{BAD}[31m", 1),
    ("white space as it is", b'"a\tb"', "a\tb", 0),
    ("C1 in two bytes", b'"\xc2\x85"', "\x85", 0),
    ("C1 in one byte", b'"a\x85"', f"a{BAD}", 1),
    ("an escape that JSON has not", rb'"C:\Users"', f"C:{BAD}Users", 1),
    ("an escape that is cut", rb'"a\u12"', f"a{BAD}", 1),
    ("an escape with a damaged digit", b'"a\\u4f\xff0b"', f"a{BAD}b", 1),
    ("an escape whose letter is damaged", b'"a\\\xffb"', f"a{BAD}b", 1),
    ("escapes beside it", b'"\\\\\\"\\n\\u4f60\xff"', f'\\"\n\u4f60{BAD}', 1),
    ("the sign itself is a character", b'"\xef\xbf\xbd\\ufffd"', BAD * 2, 0),
    ("and beside one that is none", b'"\xef\xbf\xbd\xff"', BAD * 2, 1),
    ("no number, and half an emoji", b'{"x": NaN, "y": -Infinity, "z": 1e999, "s": "\\ud83d"}',
     {"x": None, "y": None, "z": None, "s": BAD}, 1),
]  # fmt: skip


@pytest.mark.parametrize(("told", "value", "bad"), [row[1:] for row in READ], ids=[row[0] for row in READ])
def test_json_is_read_around_it(told: bytes, value: Any, bad: int) -> None:
    assert read(told) == (value, bad)
    assert loads(told) == value
    assert loads(strict(told)) == value
    json.dumps(loads(told), ensure_ascii=False).encode()  # all of it can be written


@pytest.mark.parametrize(
    "told", [b"", b'{"a": "\xff', b'{"a": \xff}', b'\xff{"a": 1}', b'{"a": "\\ud83d",}', b'"a\xff"b"', b'"\\ud83d\\"', b"{'a': 1}"]
)
def test_what_is_no_json_is_none_with_or_without_it(told: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # which one is the library's
        loads(told)
    assert strict(told) == told


@given(st.recursive(st.text() | st.integers(-5, 5) | st.none(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)))
def test_what_is_in_order_is_read_as_it_is(value: Any) -> None:
    for ascii_only in (True, False):
        assert read(json.dumps(value, ensure_ascii=ascii_only).encode()) == (value, 0)


# -- in events -------------------------------------------------------------------------------

KINDS = ("message", "agent_message", "text_chunk", "reasoning_chunk", "message_file")


def piece(kind: str, text: bytes) -> bytes:
    """An event whose text is these bytes between quotes."""
    inner = {"text_chunk": b'"data": {"text": "%s"}', "reasoning_chunk": b'"data": {"reasoning": "%s"}'}.get(kind, b'"answer": "%s"')
    return b'{"event": "%s", "message_id": "m", %s}' % (kind.encode(), inner % text)


def told_by(kind: str, turn: Turn) -> str:
    return turn.reasoning_chunks if kind == "reasoning_chunk" else turn.answer_raw


def events(*data: bytes) -> list[ev.Event]:
    halves = Surrogates()
    return [decode(("", one), float(at), halves) for at, one in enumerate(data)]


END = b'{"event": "message_end", "metadata": {"usage": {"total_tokens": 3}}}'

PIECES: list[tuple[str, list[bytes], str, int]] = [
    ("halves meet", [b"a\\ud83d", b"\\ude00b"], f"a{EMOJI}b", 0),
    ("with an empty piece between", [b"a\\ud83d", b"", b"\\ude00b"], f"a{EMOJI}b", 0),
    ("as bytes of halves", [b"\xed\xa0\xbd", b"\xed\xb8\x80"], EMOJI, 0),
    ("bytes of a character meet", [b"a\xf0\x9f", b"\x98\x80b"], f"a{EMOJI}b", 0),
    ("each byte in a piece of its own", [b"\xf0", b"\x9f", b"\x98", b"\x80"], EMOJI, 0),
    ("behind a backslash", [b"a\\\\\xf0\x9f", b"\x98\x80b"], f"a\\{EMOJI}b", 0),
    ("behind two", [b"\\\\\\\\\xf0", b"\x9f\x98\x80"], f"\\\\{EMOJI}", 0),
    ("behind an escape that is none", [b"a\\\\\\\xf0", b"b"], f"a\\{BAD}b", 1),
    ("two of three bytes", ["你".encode()[:2], "你".encode()[2:] + b"\xe5\xa5", b"\xbd!"], "你好!", 0),
    ("the next piece is another text", [b"a\\ud83d", b"b"], f"a{BAD}b", 1),
    ("bytes before another text", [b"a\xf0\x9f", b"b"], f"a{BAD}b", 1),
    ("a half after a half", [b"\\ud83d", b"\\ud83d", b"\\ude00"], BAD + EMOJI, 1),
    ("the wrong order", [b"\\ude00", b"\\ud83d", b"x"], f"{BAD}{BAD}x", 2),
    ("nothing comes any more", [b"a\\ud83d"], f"a{BAD}", 1),
    ("nothing comes after bytes", [b"a\xe4\xbd"], f"a{BAD}", 1),
    ("only that", [b"\\ud83d"], BAD, 1),
    ("in the middle", [b"42 EUR \\ud83d for 3", b" and \xff."], f"42 EUR {BAD} for 3 and {BAD}.", 2),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("texts", "whole", "bad"), [row[1:] for row in PIECES], ids=[row[0] for row in PIECES])
def test_pieces_of_a_text(kind: str, texts: list[bytes], whole: str, bad: int) -> None:
    found = [ev.Sent(query="q"), *events(*(piece(kind, text) for text in texts), END), ev.StreamEnd(at=9.0)]
    turn = fold_all(found)
    assert told_by(kind, turn) == whole
    assert [warning.code for warning in turn.warnings] == ["character"] * bad
    assert (turn.status, turn.complete, turn.halves) == ("succeeded", True, ())
    assert turn.usage is not None
    assert turn.usage.total_tokens == 3
    one_by_one = fold(Turn(), found[0])
    for event in found[1:]:
        one_by_one = fold(one_by_one, event)
        assert whole.startswith(told_by(kind, one_by_one))
    assert told_by(kind, one_by_one) == whole


def test_a_text_grows_only() -> None:
    """While the other half may come, the first is not shown: nothing that stood there changes."""
    builder = Builder()
    seen = []
    for event in events(*(piece("message", text) for text in (b"a\\ud83d", b"\\ude00b\\ud83d", b"c"))):
        builder.apply(event)
        seen.append((builder.turn().answer, builder.turn().halves))
    assert seen == [("a", ("answer",)), (f"a{EMOJI}b", ("answer",)), (f"a{EMOJI}b{BAD}c", ())]


@pytest.mark.parametrize(
    ("last", "status"),
    [
        (ev.StreamEnd(), "incomplete"), (ev.Disconnected(), "incomplete"), (ev.Cancelled(), "incomplete"), (ev.DeadlineExceeded(), "incomplete"),
        (ev.Error(code="c"), "failed"), (ev.WorkflowPaused(), "paused"), (ev.MessageEnd(), "succeeded"),
    ],
)  # fmt: skip
def test_whatever_the_end_is_a_half_is_told(last: ev.Event, status: str) -> None:
    turn = fold_all([*events(piece("message", b"a\\ud83d"), piece("reasoning_chunk", b"b\xf0\x9f")), last])
    assert (turn.status, turn.answer, turn.reasoning) == (status, f"a{BAD}", f"b{BAD}")
    assert len(turn.warnings) == 2


def test_halves_of_two_texts_do_not_meet() -> None:
    data = [piece("message", b"a\\ud83d"), piece("reasoning_chunk", b"\\ude00b"), piece("message", b"\\ude00c")]
    turn = fold_all(events(*data, END))
    assert (turn.answer, turn.reasoning) == (f"a{EMOJI}c", f"{BAD}b")


def test_what_is_replaced_waits_for_nothing() -> None:
    data = [piece("message", b"a\\ud83d"), b'{"event": "message_replace", "answer": "no"}', piece("message", b"\\ude00")]
    turn = fold_all(events(*data, END))
    assert turn.answer == f"no{BAD}"


@pytest.mark.parametrize("character", "\U0001f480\U0001f4c2\U0001f4dd\U0001f4e6\U0001f4f1\U0001f4ff\U0002c0c2")
def test_a_second_half_is_no_byte(character: str) -> None:
    """Those from U+DC80 to U+DCFF stand for bytes where they are alone."""
    escaped = json.dumps(character)[1:-1].encode()
    data = [piece("message", b"a" + escaped[:6]), piece("message", escaped[6:]), piece("message", b"b")]
    turn = fold_all(events(*data, END))
    assert (turn.answer_raw, turn.warnings, turn.complete) == (f"a{character}b", (), True)


@given(st.text(min_size=1), st.lists(st.integers(0, 40)))
def test_a_text_that_is_cut_anywhere_is_whole(text: str, cuts: list[int]) -> None:
    """Between the halves of characters, and between their bytes."""
    units = text.encode("utf-16-be", "surrogatepass")
    places = sorted({0, *(min(2 * cut, len(units)) for cut in cuts), len(units)})
    escaped = [units[a:b].decode("utf-16-be", "surrogatepass") for a, b in pairwise(places)]
    raw = text.encode()
    places = sorted({0, *(min(cut, len(raw)) for cut in cuts), len(raw)})
    bytewise = [json.dumps(raw[a:b].decode("latin-1"), ensure_ascii=False)[1:-1] for a, b in pairwise(places)]
    for pieces in ([json.dumps(one)[1:-1].encode() for one in escaped], [one.encode("latin-1") for one in bytewise]):
        turn = fold_all(events(*(piece("message", one) for one in pieces), END))
        assert (turn.answer_raw, turn.warnings, turn.complete) == (text, (), True)


WHERE: list[tuple[str, bytes, Any]] = [
    ("a node's output", b'{"event": "node_finished", "data": {"id": "n", "status": "succeeded", "outputs": {"x\\ud83d": "@"}}}',
     lambda turn: turn.nodes[0].outputs == {f"x{BAD}": BAD} and turn.nodes[0].status == "succeeded"),
    ("a citation", b'{"event": "message_end", "metadata": {"usage": {"total_tokens": 3}, "retriever_resources": [{"content": "@"}]}}',
     lambda turn: turn.usage.total_tokens == 3 and turn.citations[0].content == BAD and turn.end == "message_end"),
    ("a thought", b'{"event": "agent_thought", "id": "t", "thought": "a @", "tool": "x", "observation": "@"}',
     lambda turn: (turn.thoughts[0].thought, turn.thoughts[0].observation) == (f"a {BAD}", BAD)),
    ("an entry of a log", b'{"event": "agent_log", "data": {"id": "l", "label": "@", "data": {"a": ["@"]}}}',
     lambda turn: turn.logs[0].label == BAD and turn.logs[0].data == {"a": [BAD]}),
    ("an error", b'{"event": "error", "code": "c", "message": "@", "status": "no\\ud83d"}',
     lambda turn: (turn.error.code, turn.error.message) == ("c", BAD)),
    ("a field that nobody names", b'{"event": "message", "answer": "x", "new\\ud83d": {"@": 1}}', lambda turn: turn.answer == "x"),
    ("an id", b'{"event": "message", "answer": "x", "task_id": "t@"}', lambda turn: turn.task_id == f"t{BAD}"),
    ("a file's name", b'{"event": "message_file", "id": "f", "url": "/f", "filename": "@.png"}',
     lambda turn: turn.files[0].name == f"{BAD}.png"),
    ("a form", b'{"event": "human_input_required", "data": {"form_id": "f", "form_content": "@"}}',
     lambda turn: turn.forms[0].data["form_content"] == BAD),
]  # fmt: skip


@pytest.mark.parametrize("bad", [b"\\ud83d", b"\xff", b"\\ude00", b"\x01"], ids=ascii)
@pytest.mark.parametrize(("told", "right"), [row[1:] for row in WHERE], ids=[row[0] for row in WHERE])
def test_the_event_stays(told: bytes, right: Any, bad: bytes) -> None:
    data = told.replace(b"@", bad)
    event = decode(("", data))
    assert event.unread == data.count(bad) + (b"\\ud83d" in told) * (bad != b"\\ud83d")
    turn = fold_all([event])
    assert right(turn)
    assert {warning.code for warning in turn.warnings} == {"character"}


@pytest.mark.parametrize("data", [b'{"event": "message", \xff "answer": "x"}', b'{"event": "message", "answer": "\xff}'])
def test_a_line_that_is_no_json_is_kept_as_it_came(data: bytes) -> None:
    (event,) = events(data)
    assert isinstance(event, ev.Unknown)
    assert (event.damaged, event.raw) == (True, data)
    assert not fold_all([event, *events(END)]).complete


def test_an_event_of_the_future_is_no_damaged_one() -> None:
    (event,) = events(b'{"event": "new\xff", "x": "\\ud83d"}')
    assert isinstance(event, ev.Unknown)
    assert (event.name, event.damaged) == (f"new{BAD}", False)


@pytest.mark.parametrize(
    ("streamed", "closing"),
    [
        (b"A long enough \xff answer", b"A long enough \xc3\xa4 answer"),
        (b"A long enough \xc3\xa4 answer", b"A long enough \xff answer"),
        (b"A long enough answe\xff", b"A long enough answer"),
    ],
)
def test_an_answer_that_is_repeated_as_a_whole_is_known_again(streamed: bytes, closing: bytes) -> None:
    """Apps of one kind close so; a damaged character in either does not say the answer twice."""
    once = fold_all(events(piece("agent_message", streamed), END))
    assert fold_all(events(piece("agent_message", streamed), piece("message", closing), END)).answer == once.answer
    other = fold_all(events(piece("agent_message", streamed), piece("message", b"\xff" * 22), END))
    assert (other.answer, [step.answer for step in other.thoughts or ()]) == (BAD * 22, [once.answer])


def test_each_is_told_up_to_a_bound() -> None:
    turn = fold_all(events(*[piece("message", b"\xff" * 300)] * 5, END))
    assert (turn.answer, len(turn.warnings), turn.complete) == (BAD * 1_500, 1_001, True)
    assert turn.warnings[-1].message != turn.warnings[0].message
    assert fold(turn, *events(piece("message", b"\xff"))).warnings == turn.warnings
    notices = facts.notices(turn, Words("en"))
    assert [one.text for one in notices] == ["Characters that could not be read (1001): \ufffd stands for each."]


def test_a_stream_of_such_events_takes_time_linear_in_it() -> None:
    def halves(n: int) -> list[bytes]:
        return [piece("message", b"a\\ud83d")] * n

    assert growth(halves, lambda data: fold_all(events(*data)), 2_000) <= MOST
    assert growth(lambda n: b'"' + b"a\xff\\ud83d\\x" * n + b'"', loads, 4_000) <= MOST


# -- everywhere it comes from ----------------------------------------------------------------


def test_a_tape_tells_the_same_turn(tmp_path: Path) -> None:
    data = [piece("message", b"a\\ud83d"), piece("message", b"\\ude00b\xff\xf0"), piece("message", b"\x9f"), END]
    tape = Tape()
    for at, one in enumerate(data):
        tape.append(float(at), ("", one))
    turn = tape.replay()
    assert turn.answer == f"a{EMOJI}b{BAD}{BAD}"
    loaded = Tape.load(tape.save(tmp_path / "run.tape"))
    assert msgspec.structs.replace(loaded.replay(), tape=tape) == turn
    assert [one.answer for one in loaded.events[:3] if isinstance(one, ev.Message)] == ["a", f"{EMOJI}b{BAD}", ""]
    alone = loaded.events[0]
    assert isinstance(alone, ev.Message)
    assert (alone.answer, alone.half) == (f"a{BAD}", False)
    frame = turn.events_frame()
    assert list(frame["text"])[:2] == ["a", f"{EMOJI}b{BAD}"]


def test_what_is_said_while_a_run_is_followed_is_counted() -> None:
    resume = Resume()
    resume.restart(Turn(answer_raw="a"))
    told = [new for event in events(piece("message", b"b\xff\\ud83d")) for new in resume.new_events(event)]
    assert [(one.unread, one.half) for one in told] == [(1, True)]
    assert fold_all([*told, ev.StreamEnd()]).answer == f"b{BAD}{BAD}"


@pytest.mark.parametrize("mode", ["blocking", "streaming"])
def test_a_blocking_answer_is_read_so_too(mode: Any) -> None:
    body = b'{"event": "message", "answer": "a\\ud83d \xff", "message_id": "m", "metadata": {"usage": {"total_tokens": 3}}}'
    with serving(lambda request, connection: connection.reply("200 OK", body)) as server, Dify("app-x", server.url, "me") as dify:
        turn = dify.chat.send("q", response_mode=mode)
    assert (turn.answer, turn.complete, len(turn.warnings)) == (f"a{BAD} {BAD}", True, 2)
    assert turn.usage is not None


def test_lists_things_and_refusals_are_read_so_too() -> None:
    def script(request: Request, connection: Connection) -> None:
        if "/messages/" in request.path:
            return connection.reply("404 Not Found", b'{"code": "not_found", "message": "no \\ud83d here", "status": 404}')
        if "/info" in request.path:
            return connection.reply("200 OK", b'{"name": "\xff", "description": "\\ud83d"}')
        if "/meta" in request.path:
            return connection.reply("200 OK", b'{"code": "busy", "message": "not \xff now", "status": 503}')
        return connection.reply("200 OK", b'{"data": [{"id": "c", "name": "\xffx\\ude00"}], "has_more": false, "limit": 20}')

    with serving(script) as server, Dify("app-x", server.url, "me", retry=0) as dify:
        assert [one.name for one in dify.conversations.list()] == [f"{BAD}x{BAD}"]
        assert (dify.app.info().name, dify.app.info().description) == (BAD, BAD)
        with pytest.raises(NotFoundError) as refused:
            dify.messages.suggested("m")
        assert (refused.value.code, f"no {BAD} here" in refused.value.message) == ("not_found", True)
        with pytest.raises(DifyError) as busy:
            dify.app.meta()
        assert (busy.value.code, busy.value.status, f"not {BAD} now" in busy.value.message) == ("busy", 503, True)


def test_over_a_socket_events_are_whole_for_whoever_reads_them() -> None:
    def script(request: Request, connection: Connection) -> None:
        connection.head()
        for data in (piece("message", b"a\\ud83d"), piece("message", b"\\ude00b"), piece("message", b"\xe4\xbd"), END):
            connection.chunk(b"data: " + data + b"\n\n")
        connection.end()

    with serving(script) as server, Dify("app-x", server.url, "me") as dify, dify.chat.stream("q") as stream:
        said = [event.answer for event in stream if isinstance(event, ev.Message)]
        turn = stream.turn
    assert said == ["a", f"{EMOJI}b", ""]
    assert (turn.answer, turn.complete, len(turn.warnings)) == (f"a{EMOJI}b{BAD}", True, 1)
    assert turn.tape.replay().answer == turn.answer


def test_calls_are_told_apart_around_it() -> None:
    found = tool_calls("add;now", '{"add": "\\ud83d", "now": {}}', '{"add": "1", "now": "12:00"}')
    assert found == [("add", None, BAD, "1"), ("now", None, "{}", "12:00")]
