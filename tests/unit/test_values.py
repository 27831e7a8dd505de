"""What is data behaves as data: it pickles, copies and compares, and no secret goes along."""

from __future__ import annotations

import ast
import base64
import copy
import inspect
import pickle
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from support.raw_server import Connection, Request, serving

from dify_notebook import AsyncDify, Dify, DifyError, History, Turn, errors
from dify_notebook.tape import Header, Tape
from dify_notebook.turn import state
from dify_notebook.turn.value import restored
from dify_notebook.wire import events

KEY = "app-" + "v" * 24
IDS = {"task_id": "t", "message_id": "m1", "conversation_id": "c1"}
SIGNED = "https://dify.example/files/x.png?timestamp=1&nonce=2&sign=SIGNATURE"


def pickled(protocol: int, value: Any) -> Any:
    return pickle.loads(pickle.dumps(value, protocol))


WAYS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle {number}": partial(pickled, number) for number in range(6)},
}


def answer(request: Request, connection: Connection) -> None:
    connection.head()
    connection.event(event="message", answer=f"hi {KEY}", **IDS)
    connection.event(event="message_file", id="f", type="image", belongs_to="assistant", url=SIGNED, **IDS)
    connection.event(event="message_end", metadata={"usage": {"total_price": "0.001", "total_tokens": 2}}, **IDS)
    connection.end()


@pytest.fixture(scope="module")
def asked() -> Turn:
    with serving(answer) as server, Dify(KEY, server.url, "u") as dify:
        return dify.chat.send("q", inputs={"list": [1, {"a": 2}]})


@pytest.mark.parametrize("way", WAYS)
def test_a_turn_comes_back_as_it_was(way: str, asked: Turn) -> None:
    back = WAYS[way](asked)
    assert back == asked
    assert hash(back) == hash(asked)
    assert len({asked, back}) == 1
    assert (back.usage, back.events, len(back.events)) == (asked.usage, back.tape.events, 3)
    assert back.files[0].data is None


@pytest.mark.parametrize("protocol", range(6))
def test_no_secret_is_in_a_pickle(protocol: int, asked: Turn) -> None:
    assert asked.files is not None
    assert asked.files[0].url == SIGNED  # the program may fetch it
    written = pickle.dumps(asked, protocol)
    assert KEY.encode() not in written
    assert b"SIGNATURE" not in written
    assert pickle.loads(written).files[0].url.endswith("sign=-")


def test_what_differs_is_not_equal(asked: Turn) -> None:
    changes: list[dict[str, Any]] = [{"answer": "x"}, {"inputs": {}}, {"tape": None}, {"tape": Tape(Header(query="other"))}]
    for change in changes:
        assert msgspec.structs.replace(asked, **change) != asked
    file = state.MessageFile(id="f", url=SIGNED, size=3)
    assert file == msgspec.structs.replace(file, url=SIGNED.replace("SIGNATURE", "another"))
    assert file != msgspec.structs.replace(file, url="https://dify.example/files/y.png")
    assert file != msgspec.structs.replace(file, size=4)
    assert file != state.Citation()


def test_the_events_of_a_pickle_say_that_they_are_gone_where_they_are(asked: Turn) -> None:
    tape = pickle.loads(pickle.dumps(asked)).tape
    tape.forget("switched off")
    turn = msgspec.structs.replace(asked, tape=tape)
    back = pickle.loads(pickle.dumps(turn))
    assert back == turn
    assert back != asked
    for one in (turn, back):
        assert one.events is not None
        with pytest.raises(errors.TapeGone, match="switched off"):
            list(one.events)


def test_events_copy_and_compare(asked: Turn) -> None:
    assert asked.events is not None
    assert asked.events == copy.deepcopy(asked.events) == WAYS["copy"](asked.events)
    back = pickle.loads(pickle.dumps(asked.events))
    assert [event.at for event in back] == [round(event.at, 4) for event in asked.events]
    assert b"SIGNATURE" not in pickle.dumps(asked.events)


#: A turn as earlier versions pickled it: by the order of the fields.
EARLIER = (
    'c-nnb>vG&Q6yDu52~~hn?v%S}VGF_8<xZfar6F6`R)E?NLpLmrt*p)Z_Stfiz+{F$-n5SZkH8!7n-'
    '|~_codH0kPIC*@{DzKj?SlZ`J`W3o*!=S4U<&Ktu!6ms>~C+P_B~f7Ksdvw$p4h8bEU&EhD;^*~F=S(=D79ErSrV!K~BJo93L;G!>=iN$E=;'
    '^UeaTV_6jLNDgJ<;{nd^PCs(P&66-04H-'
    '_i9Y(HYB6l<CDZ*mr@Et7lR{n07!MVbN0uNPq_=GHiv>XMB;Y^)~!Xy2rk#=!5nA0D>$TifX0*_UAoKMH%sV^CxsDTnZY4T6HcuJ!<r}Tn$;'
    'Aw($=4q9eiB1R4@Z&KZT}YMhF`R23#wYQt4(mCA=PSH$f?rxDKEsRs2Jfx>RhQ-fFA2O{!6JZH1kP8uFdg7V-'
    'Ji8EqU>I+v)jgN&MeJgOcu1MNR-n#-'
    'EO6_VtHvvquFxTjk8ED?b;coc~OV^y1*M17N?(fHKZv_iCS+`rgc%wksfUFUlQn4=uY=v*Re9Z)#kk4()E-c1sSo`!x?Xzz&m!Q)5SX#-'
    'W7PynIX;k%~iawL;OJC!xIP-#?&*0<#uo7k6-'
    'opjq@YUDSRaG@kwpmNb~V_l<qKGY6lBEm_KU0!Y2YN(>>SHJZ89Tijm?<&7mDPRGLGd9^k6LYK70H16(QnFlAUXRCIgeOXyX&c6Wl$1-{_-'
    '3|-?c`bO}&xPDAZa#vw2*^z)7-q0g9dj*q;XNb?uZJz)0_hzdu2EKIWXo{$xbPK+k;A;VKjHQ1+r3rc7{IAlNk#ZSs^&9#-'
    'z`DRU6*dH%3BDEh&Y%`5mu`&P_owS-k`2ow3%zk9iT499E=C1C685lEVN|eOZk1s~md*chwWE*%x+Yy;<_zEOW7sy;(l-1+H&4Gh9-'
    'T~2&d^nG>0)a-p_KU^ws;+y%<sq?9yh#lvkX2rC?#1SxpPK?qzP>*4A+ODk8N(S|9uQeGde`0-jxLcUQQ4S{J4p6z#U1J+a0^RXjzNa&jU-'
    '|k%<~u%LD5WVPGu|EH^23WNy?!Xf((8_2#b8-WQB9d1TtRHW3BXxmX}^CrAadVD4UjMgao3{SS*v^Me'
)  # fmt: skip


def test_a_pickle_of_an_earlier_version_opens() -> None:
    turn = pickle.loads(zlib.decompress(base64.b85decode(EARLIER)))
    assert turn == Turn(
        query="q", inputs={"a": [1]}, answer="hi", answer_raw="hi", status="succeeded", end="message_end",
        complete=True, warnings=(state.Warning_(code="unexpected", message="w", at=0.5),),
        thoughts=(state.Thought(id="t", position=1, thought="x"),),
        nodes=(state.Node(id="n", node_id="n1", rounds=(state.Round(index=0, elapsed=0.25),),
                          retries=(state.Retry(index=1, error="e"),)),),
        files=(state.MessageFile(id="f", type="image", url="https://dify.example/x.png"),),
        citations=(state.Citation(position=1, content="c"),),
        usage=state.Usage(total_tokens=2, total_price=Decimal("0.001"), currency="USD"),
        timing=state.Timing(opened=0.1, total=0.5), workflow=state.Workflow(id="w", status="succeeded"),
        forms=(state.Form(id="o"),), audio=state.Audio(chunks=("aGk=",), complete=True), message_id="m1",
        conversation_id="c1", created_at=datetime(2026, 1, 2, tzinfo=UTC), pings=3, tape=turn.tape,
    )  # fmt: skip
    assert [event.answer for event in turn.events] == ["hi"]


def test_the_token_of_a_form_that_an_earlier_version_pickled_is_a_secret() -> None:
    """It pickled forms and events with all that the server told."""
    told = {"form_id": "f", "form_token": "TOKENTOKENTOKENTOKEN"}
    form = restored(state.Form, {"id": "f", "data": dict(told), "status": "waiting"})
    assert form.token is not None
    assert form.token.reveal() == "TOKENTOKENTOKENTOKEN"
    values = [events.HumanInputRequired(data=dict(told)), events.WorkflowPaused(data={"reasons": [dict(told)]})]
    for value in (form, *values):
        assert "TOKENTOKEN" not in repr(value)
        assert b"TOKENTOKEN" not in pickle.dumps(value)


def test_a_pickle_of_a_later_version_opens_without_what_is_new() -> None:
    build, (kind, fields) = Turn(query="q").__reduce__()
    assert build(kind, {**fields, "of_tomorrow": 1}) == Turn(query="q")


KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DifyError)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_errors_keep_all_that_they_say(kind: type[DifyError], way: str, asked: Turn) -> None:
    error = kind("m", code="c", status=400, request_id="r", hint="h", attempted="POST /x", turn=asked)
    error.add_note("a note")
    back = WAYS[way](error)
    assert (type(back), vars(back), str(back), back.args) == (kind, vars(error), str(error), error.args)


#: Name of 0.1.0 -> name.
EARLIER_NAMES = {
    errors: {"ConnectionFailed": "ConnectError", "TimedOut": "TimeoutException"},
    events: {"StopAsked": "StopRequested", "Refused": "Rejected", "Eof": "StreamEnd", "Lost": "Disconnected",
             "Followed": "Resumed", "OutOfTime": "DeadlineExceeded"},
}  # fmt: skip


@pytest.mark.parametrize("module", EARLIER_NAMES, ids=lambda module: str(module.__name__))
def test_a_name_of_an_earlier_version_is_the_same_class(module: ModuleType) -> None:
    for old, new in EARLIER_NAMES[module].items():
        assert getattr(module, old) is getattr(module, new), old
        assert getattr(module, new).__name__ == new


@pytest.mark.parametrize("module", EARLIER_NAMES, ids=lambda module: str(module.__name__))
def test_a_name_of_an_earlier_version_is_a_type_for_checkers_too(module: ModuleType) -> None:
    """They see a type only where one name stands on each side."""
    lines = {ast.unparse(statement) for statement in ast.parse(inspect.getsource(module)).body}
    assert {f"{old} = {new}" for old, new in EARLIER_NAMES[module].items()} <= lines


def test_errors_are_caught_by_their_names_of_earlier_versions() -> None:
    with Dify(KEY, "http://127.0.0.1:1", "u") as dify, pytest.raises(errors.ConnectionFailed) as caught:
        dify.app.info()
    assert type(caught.value) is errors.ConnectError
    with pytest.raises(errors.TimedOut):
        raise errors.TimeoutException("nothing came")
    assert issubclass(errors.TimedOut, errors.ConnectionFailed)


@pytest.mark.parametrize("client", [Dify, AsyncDify])
def test_a_client_is_no_data_but_may_lie_in_what_is_copied(client: Any) -> None:
    dify = client(KEY, "http://127.0.0.1:1", "u")
    assert copy.deepcopy({"client": dify})["client"] is dify
    with pytest.raises(TypeError, match="where it is used"):
        pickle.dumps(dify)


@pytest.mark.parametrize("way", WAYS)
def test_a_history_comes_back_as_it_was(way: str, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"id": "m", "conversation_id": "c", "query": "q", "answer": "a"}\n')
    held = History.from_export(tmp_path / "log.jsonl")
    pytest.importorskip("pyarrow")
    held.to_parquet(tmp_path / "as-parquet")
    for history in (held, History.read(tmp_path / "as-parquet")):
        back = WAYS[way](history)
        assert (back.facts, back.directory) == (history.facts, history.directory)
        for name, table in history.tables.items():
            assert back.table(name).equals(table), name
