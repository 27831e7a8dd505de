"""`dify.map()`: a table asked row by row, of apps of every kind."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.fake_model import FakeModel, Said, words
from support.raw_server import Connection, RawServer
from support.scripted_app import KEY, ScriptedApp, scripted

from dify_notebook import AsyncDify, Dify, local
from dify_notebook.errors import AuthenticationError, InputError
from dify_notebook.local.server.process import LocalServer
from dify_notebook.sweep.asking.engine import Engine
from dify_notebook.sweep.asking.pace import Retries


@pytest.fixture
def app() -> Iterator[tuple[ScriptedApp, RawServer]]:
    script, server = scripted()
    yield script, server
    script.released.set()
    server.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with local.serve(data_dir=tmp_path_factory.mktemp("map"), pace=0) as running:
        yield running


def scripted_client(server: RawServer) -> Dify:
    return Dify(api_key=KEY, base_url=server.url, retry=0)


def test_index_order_and_columns_stay_and_equal_rows_are_asked_once(app: tuple[ScriptedApp, RawServer]) -> None:
    script, server = app
    df = pd.DataFrame({"n": [3, 1, 3, 2], "text": ["c", "a", "c", "b"]}, index=["x", "x", "y", "z"])
    before = df.copy()
    out = scripted_client(server).map(df, "{{ text }}", progress=False)
    pd.testing.assert_frame_equal(out[["n", "text"]], before)
    pd.testing.assert_frame_equal(df, before)
    assert list(out.columns) == ["n", "text", "answer", "error"]
    assert list(out["answer"]) == [f"You said: **{text}**" for text in "cacb"]
    assert out["error"].isna().all()
    assert (out["answer"].dtype, out["error"].dtype) == ("string", "string")
    assert Counter(body["query"] for body in script.questions) == {"a": 1, "b": 1, "c": 1}


def test_rows_that_come_to_the_same_question_all_have_its_answer(app: tuple[ScriptedApp, RawServer]) -> None:
    script, server = app
    rows = [{"a": "x", "b": "yz"}, {"a": "xy", "b": "z"}]
    out = scripted_client(server).map(rows, "{{ a }}{{ b }}", progress=False)
    assert list(out["answer"]) == ["You said: **xyz**"] * 2
    assert len(script.questions) == 1


def test_a_server_that_goes_away_in_the_middle_loses_no_answer(
    app: tuple[ScriptedApp, RawServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = Engine.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "retries", Retries(tries=2, first=0.01))
    script, server = app
    dify = scripted_client(server)
    answer = script._answer

    def last(body: dict[str, Any], connection: Connection) -> None:
        answer(body, connection)
        if len(script.questions) == 2:
            for sock in server._socks:
                with suppress(OSError):  # it was closed before
                    sock.shutdown(socket.SHUT_RDWR)
            server.close()

    script._answer = last  # type: ignore[method-assign]
    out = dify.map([f"q{number}" for number in range(5)], concurrency=1, progress=False)
    assert out["answer"].notna().sum() == 2
    assert out["error"].notna().sum() == 3
    codes = Counter(out["error"].dropna().str.partition(":")[0])
    assert codes["connection"] <= 1, codes  # sent before it was seen that nobody listens any more
    assert codes["connection"] + codes["connect"] + codes["not_run"] == 3, codes


def test_a_polars_table_comes_back_as_one_of_pandas(app: tuple[ScriptedApp, RawServer]) -> None:
    polars = pytest.importorskip("polars")
    _, server = app
    out = scripted_client(server).map(polars.DataFrame({"q": ["a", "b"], "n": [1, 2]}), "{{ q }}", progress=False)
    assert isinstance(out, pd.DataFrame)
    assert list(out.columns) == ["q", "n", "answer", "error"]
    assert list(out["n"]) == [1, 2]
    assert list(out["answer"]) == ["You said: **a**", "You said: **b**"]


@pytest.mark.parametrize("library", ["polars", "dicts"])
def test_whole_numbers_and_booleans_with_gaps_stay_what_they_are(
    library: str, app: tuple[ScriptedApp, RawServer]
) -> None:
    _, server = app
    rows = [{"q": "a", "id": 2**53 + 1, "fine": True, "t": "x"}, {"q": "b", "id": None, "fine": None, "t": None}]
    over: Any = rows if library == "dicts" else pytest.importorskip("polars").DataFrame(rows)
    out = scripted_client(server).map(over, "{{ q }}", progress=False)
    assert [str(out[name].dtype) for name in ("id", "fine")] == ["Int64", "boolean"]
    assert out["id"][0] == 2**53 + 1
    assert list(out["t"].isna()) == [False, True]


def test_a_table_that_is_changed_before_it_is_asked_is_asked_as_it_was(app: tuple[ScriptedApp, RawServer]) -> None:
    script, server = app
    df = pd.DataFrame({"q": ["a", "b"]})

    async def changed() -> pd.DataFrame:
        async with AsyncDify(api_key=KEY, base_url=server.url, retry=0) as dify:
            run = dify.map(df, "{{ q }}", progress=False)
            df.loc[0, "q"] = "changed"
            return await run

    out = asyncio.run(changed())
    assert list(out["q"]) == ["a", "b"]
    assert list(out["answer"]) == ["You said: **a**", "You said: **b**"]
    assert sorted(body["query"] for body in script.questions) == ["a", "b"]


def test_failures_are_rows_with_their_reason(app: tuple[ScriptedApp, RawServer]) -> None:
    _, server = app
    rows = [{"q": "fine"}, {"q": "refuse it"}, {"q": "fail it"}, {"q": "fine"}]
    out = scripted_client(server).map(rows, "{{ q }}", outputs={"reply": "answer"}, progress=False)
    assert list(out["reply"].isna()) == [False, True, True, False]
    assert list(out["error"].isna()) == [True, False, False, True]
    assert out["error"][1] == "invalid_param: That cannot be asked."
    assert out["error"][2] == "completion_request_error: No tokens."


def test_where_a_run_stops_rows_say_so(app: tuple[ScriptedApp, RawServer], tmp_path: Path) -> None:
    script, server = app
    texts = [f"q{number}" for number in range(6)]
    dify = scripted_client(server)
    out = dify.map(texts, budget="4 calls", store=tmp_path / "s", progress=False)
    assert list(out.columns) == ["text", "answer", "error"]
    assert out["answer"].notna().sum() == len(script.questions) == 4
    assert out["error"][out["answer"].isna()].str.startswith("not_run: ").tolist() == [True, True]
    out = dify.map(texts, store=tmp_path / "s", progress=False)
    assert out["error"].isna().all()
    assert Counter(body["query"] for body in script.questions) == dict.fromkeys(texts, 1)


@pytest.mark.parametrize("keeps", [False, True])
def test_an_interrupt_gives_back_what_came(
    keeps: bool, app: tuple[ScriptedApp, RawServer], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script, server = app
    store = tmp_path / "runs" if keeps else None

    def interrupt() -> None:
        while script.partials < 1 or len(script.questions) < 2:
            threading.Event().wait(0.01)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    out = scripted_client(server).map(["slow one", "slow two", "fine"], concurrency=2, store=store, progress=True)
    thread.join(10)
    assert ("only with store=" in capsys.readouterr().err) is not keeps
    stopped = out["error"].dropna()
    assert len(stopped) >= 1
    assert all(error.startswith(("stopped: ", "not_run: ")) for error in stopped)
    assert (out["answer"].isna() == out["error"].notna()).all()


def test_a_map_is_awaited_on_the_callers_loop(app: tuple[ScriptedApp, RawServer]) -> None:
    script, server = app

    async def ask() -> pd.DataFrame:
        async with AsyncDify(api_key=KEY, base_url=server.url, retry=0) as dify:
            run = dify.map(["a", "b"], progress=False)
            assert repr(run) == "<MapRun 2 rows, 0 asked>"
            assert list(run.frame["error"].str.partition(":")[0]) == ["not_run", "not_run"]
            out = await run
            assert run.frame.equals(out)
            return out

    out = asyncio.run(ask())
    assert list(out["answer"]) == ["You said: **a**", "You said: **b**"]
    assert len(script.questions) == 2


def test_a_map_that_is_cancelled_keeps_what_came(app: tuple[ScriptedApp, RawServer]) -> None:
    script, server = app

    async def ask() -> pd.DataFrame:
        async with AsyncDify(api_key=KEY, base_url=server.url, retry=0) as dify:
            run = dify.map(["fine", "slow"], progress=False)
            task = asyncio.ensure_future(run._run())
            while script.partials < 1 or not run._job.progress.asked:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return run.frame

    out = asyncio.run(ask())
    assert out["answer"][0] == "You said: **fine**"
    assert out["error"][1].startswith("stopped: ")
    assert len(script.stops) == 1


def test_what_concerns_every_row_is_raised(
    app: tuple[ScriptedApp, RawServer], capsys: pytest.CaptureFixture[str]
) -> None:
    script, server = app

    async def ask() -> None:
        async with AsyncDify(api_key="app-" + "w" * 24, base_url=server.url, retry=0) as dify:
            await dify.map(["a"], progress=True)

    with pytest.raises(AuthenticationError):
        asyncio.run(ask())
    assert capsys.readouterr().err == ""
    with pytest.raises(AuthenticationError):
        Dify(api_key="app-" + "w" * 24, base_url=server.url, retry=0).map(["a"], progress=False)
    assert script.questions == []


def test_a_script_is_answered_by_its_last_turn(app: tuple[ScriptedApp, RawServer]) -> None:
    script, server = app
    out = scripted_client(server).map([{"q": "a"}], ["{{ q }}", "and {{ row.q }}?"], progress=False)
    assert out["answer"][0] == "You said: **and a?**"
    assert len(script.questions) == 2


# -- the embedded server ----------------------------------------------------------------


def test_a_workflows_outputs_are_columns_by_name(server: LocalServer) -> None:
    tally = Dify(api_key=server.api_key("tally"), base_url=server.base_url)
    df = pd.DataFrame({"body": ["a crash\nanother crash", "one refund"], "rows": ["r", "s"]})
    out = tally.map(df, inputs={"text": "body", "classes": "bug=crash; refund=money"}, progress=False)
    assert list(out["rows"]) == ["r", "s"]
    assert list(out["output_rows"]) == [2, 1]
    assert out["output_rows"].dtype == "Int64"
    assert "report" in out
    assert out["error"].isna().all()
    named = tally.map(df, inputs={"text": "body"}, outputs={"count": "rows", "none": "nothing"}, progress=False)
    assert list(named.columns) == ["body", "rows", "count", "none", "error"]
    assert list(named["count"]) == [2, 1]
    assert named["error"].str.startswith("no_output: ").all()


def test_other_outputs_of_a_kept_map_are_not_asked_again(server: LocalServer, tmp_path: Path) -> None:
    df = pd.DataFrame({"body": ["a crash\nanother crash", "one refund"]}, index=["x", "y"])
    kept: dict[str, Any] = {"inputs": {"text": "body"}, "store": tmp_path / "runs", "progress": False}
    asking = Dify(api_key=server.api_key("tally"), base_url=server.base_url)
    assert asking.map(df, outputs=["wors"], **kept)["error"].str.startswith("no_output: ").all()
    tapes = sorted((tmp_path / "runs").rglob("*"))
    assert list(asking.map(df, outputs=["rows"], **kept)["rows"]) == [2, 1]
    assert sorted((tmp_path / "runs").rglob("*")) == tapes


def test_an_input_that_does_not_fit_is_named_before_anything_is_sent(server: LocalServer) -> None:
    tally = Dify(api_key=server.api_key("tally"), base_url=server.base_url)
    with pytest.raises(InputError, match="txet"):
        tally.map([{"body": "x"}], inputs={"txet": "body"}, progress=False)


def said(body: dict[str, Any]) -> Said:
    """A label for what was asked, as JSON where it is about money."""
    asked = str(body["messages"][-1]["content"])
    return words('```json\n{"label": "money", "sure": 0.5}\n```' if "refund" in asked else f"You said: {asked}")


def test_a_completion_apps_answer_is_text_or_the_keys_of_its_json(tmp_path: Path) -> None:
    df = pd.DataFrame({"text": ["a refund", "a crash", "a refund"]})
    declared = {
        "name": "labeller", "mode": "completion", "prompt": "Label {{ query }}",
        "form": [{"type": "paragraph", "variable": "query", "required": True}],
    }  # fmt: skip
    with (
        FakeModel(said) as model,
        local.serve(data_dir=tmp_path, pace=0, apps=[declared], model_url=model.url, model="m") as server,
    ):
        dify = Dify(api_key=server.api_key("labeller"), base_url=server.base_url)
        store = tmp_path / "labels"
        out = dify.map(df, inputs={"query": "text"}, outputs=["label", "sure"], store=store, progress=False)
        assert len(model.asked) == 2
        assert [None if pd.isna(label) else label for label in out["label"]] == ["money", None, "money"]
        assert out["sure"].dtype == "float64"
        assert list(out["error"].isna()) == [True, False, True]
        assert out["error"][1] == "no_output: the answer is no JSON object, so it has no label"
        whole = dify.map(df, inputs={"query": "text"}, store=store, progress=False)
        assert len(model.asked) == 2, "what the store has is not asked again"
        assert whole["answer"][1] == "You said: Label a crash"
