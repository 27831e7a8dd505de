"""`Sweep` from end to end: what the servers see equals what had to be asked, and nothing finished is paid twice."""

from __future__ import annotations

import inspect
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from local_helpers import Client
from support.raw_server import RawServer
from support.scripted_app import KEY, ScriptedApp, scripted

import dify_notebook
from dify_notebook import Dify, Sweep, local
from dify_notebook.errors import AuthenticationError, DifyError, InputError
from dify_notebook.local.options import Dialect
from dify_notebook.local.server.process import LocalServer
from dify_notebook.sweep.case import Case
from dify_notebook.sweep.records import Outcome


@pytest.fixture
def app() -> Iterator[tuple[ScriptedApp, RawServer]]:
    script, server = scripted()
    yield script, server
    script.released.set()
    server.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with local.serve(data_dir=tmp_path_factory.mktemp("sweep"), pace=0) as running:
        yield running


def client(server: RawServer) -> Dify:
    return Dify(api_key=KEY, base_url=server.url, retry=0)


def table(*questions: str) -> pd.DataFrame:
    return pd.DataFrame({"question": list(questions)})


def asked(script: ScriptedApp) -> list[str]:
    return [body["query"] for body in script.questions]


def states(sweep: Sweep) -> dict[str, int]:
    return {str(name): int(count) for name, count in sweep.results["state"].value_counts().items() if count}


def test_every_case_has_a_conversation_of_its_own_under_the_sweeps_user(app: tuple[ScriptedApp, RawServer]) -> None:
    script, server = app
    sweep = Sweep({"v1": client(server)}, table("one", "two"), ["{{ question }}", "and then?"], repeats=2)
    assert script.questions == []
    sweep.run(progress=False)
    assert Counter(asked(script)) == {"one": 2, "two": 2, "and then?": 4}
    assert {body["user"] for body in script.questions} == {f"sweep-{sweep.id}"}
    first = [body for body in script.questions if body["conversation_id"] == ""]
    later = [body["conversation_id"] for body in script.questions if body["conversation_id"]]
    assert len(first) == 4
    assert len(set(later)) == 4
    assert {body["auto_generate_name"] for body in script.questions} == {False}
    results = sweep.results
    assert list(results["turn"]) == [1, 2] * 4
    assert set(results["conversation_id"]) == set(later)
    turn = sweep.turn(results["case"].iloc[0], 2)
    assert turn.query == "and then?"
    assert turn.answer == "You said: **and then?**"


def test_a_sweep_that_is_run_again_is_answered_from_the_store(
    app: tuple[ScriptedApp, RawServer], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script, server = app
    questions = [f"q{number}" for number in range(8)]
    options: dict[str, Any] = {"query": "{{ question }}", "store": tmp_path / "tone"}
    first = Sweep({"v1": client(server)}, table(*questions), **options)
    first.run(limit=3, progress=True)
    assert len(script.questions) == 3
    assert "cases left for another run: 5" in capsys.readouterr().err

    other = table(*reversed(questions)).assign(more=1)  # order, other columns and names are no part of a case
    second = Sweep({"renamed": client(server)}, other, **options)
    second.run(progress=True)
    assert Counter(asked(script)) == dict.fromkeys(questions, 1)
    assert "3 from the store, 5 asked" in capsys.readouterr().err
    assert second.user == first.user
    second.run(progress=False)
    second.extend(2, progress=False)
    assert Counter(asked(script)) == dict.fromkeys(questions, 2)
    second.extend(3, limit=4, progress=False)
    assert len(script.questions) == 20
    assert states(second) == {"succeeded": 20, "not_run": 4}
    second.run(progress=False)
    assert Counter(asked(script)) == dict.fromkeys(questions, 3)


def test_what_failed_is_a_row_and_is_asked_again(app: tuple[ScriptedApp, RawServer]) -> None:
    script, server = app
    sweep = Sweep(client(server), table("fine", "refuse me", "fail me", "cut me"), "{{ question }}")
    sweep.run(progress=False)
    assert len(script.questions) == 4
    results = sweep.results.set_index("query", drop=False)
    assert states(sweep) == {"succeeded": 1, "failed": 3}
    assert set(results["error"].dropna()) >= {"That cannot be asked.", "No tokens."}
    shown = sweep._repr_mimebundle_()["text/plain"]
    assert "1 of 4 succeeded" in shown
    assert "3 failed" in shown
    assert "asks what is missing or failed: 3" in shown
    sweep.run(again=None, progress=False)
    assert len(script.questions) == 4
    sweep.run(progress=False)
    assert Counter(asked(script)) == {"fine": 1, "refuse me": 2, "fail me": 2, "cut me": 2}
    assert len(sweep.outcomes) == 4


@pytest.mark.parametrize(("budget", "unit"), [("5 calls", "calls"), ("0.005 USD", "USD"), ("35 tokens", "tokens")])
def test_a_budget_is_for_the_whole_sweep(
    app: tuple[ScriptedApp, RawServer], tmp_path: Path, capsys: pytest.CaptureFixture[str], budget: str, unit: str
) -> None:
    """Each answer costs one call, 7 tokens and 0.001 USD."""
    script, server = app
    options: dict[str, Any] = {
        "over": table(*(f"q{number}" for number in range(12))), "query": "{{ question }}", "store": tmp_path / "s",
    }  # fmt: skip
    Sweep(client(server), **options).run(limit=2, progress=False)
    sweep = Sweep(client(server), **options)
    sweep.run(budget=budget, progress=True)
    assert len(script.questions) == 5
    said = capsys.readouterr().err
    assert "The budget ended it; cases left: 7." in said
    assert f"of {budget.partition(' ')[0]} {unit}" in said
    sweep.run(progress=False)  # the same budget still holds
    assert len(script.questions) == 5
    sweep.run(budget=f"{float(budget.split()[0]) * 2:g} {unit}", progress=False)
    assert len(script.questions) == 10
    plan = sweep.plan()
    assert plan.limit is not None
    assert plan.spent == plan.limit.amount


def test_a_budget_that_the_app_cannot_be_measured_by_is_refused(app: tuple[ScriptedApp, RawServer]) -> None:
    """One answer tells that; nothing is sent after it."""
    script, server = app
    sweep = Sweep(client(server), table("a", "b", "c", "d"), "{{ question }}")
    with pytest.raises(InputError, match="USD"):
        sweep.run(budget="2 EUR", progress=False)
    assert len(script.questions) == 1
    with pytest.raises(InputError, match="USD"):
        sweep.run(budget="2 EUR", progress=False)
    assert len(script.questions) == 1


def test_what_an_app_told_before_is_known_to_a_budget(app: tuple[ScriptedApp, RawServer]) -> None:
    """Any answer through the client tells the currency: then not even one question is asked in vain."""
    script, server = app
    dify = client(server)
    dify.chat.send("What do you cost?")
    with pytest.raises(InputError, match="USD"):
        Sweep(dify, table("a", "b"), "{{ question }}").run(budget="2 EUR", progress=False)
    assert len(script.questions) == 1


def test_what_concerns_every_case_is_raised(app: tuple[ScriptedApp, RawServer]) -> None:
    script, server = app
    wrong = Dify(api_key="app-" + "w" * 24, base_url=server.url, retry=0)
    with pytest.raises(AuthenticationError):
        Sweep(wrong, table("a"), "{{ question }}").run(progress=False)
    gone = Dify(api_key=KEY, base_url="http://127.0.0.1:9/v1", retry=0)
    with pytest.raises(DifyError):
        Sweep(gone, table("a"), "{{ question }}").run(progress=False)
    assert script.questions == []


def test_two_runs_at_once_are_refused(
    app: tuple[ScriptedApp, RawServer], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script, server = app
    options: dict[str, Any] = {"over": table("slow one"), "query": "{{ question }}", "store": tmp_path / "s"}
    sweep = Sweep(client(server), **options)
    run = sweep.start()
    while script.partials < 1:
        assert not run.wait(0.02)
    [(case, stream)] = run.running
    assert isinstance(case, Case)
    assert stream.turn.query == "slow one"
    other = Sweep(client(server), **options)
    for refused in (sweep, other):
        with pytest.raises(InputError) as caught:
            refused.run(progress=True)
        assert capsys.readouterr().err == ""
        assert caught.value.code.startswith("sweep")
        with pytest.raises(InputError):
            refused.forget()
    assert states(other) == {"not_run": 1}  # reading needs no lock
    assert "Being asked now: 1." in other._repr_mimebundle_()["text/plain"]
    sweep.stop()
    ended = run.result()
    assert ended.reason == "stopped"
    assert len(script.stops) == 1
    outcome = sweep.outcomes[case.id]
    assert (outcome.state, outcome.error_code) == ("failed", "stopped")
    assert outcome.answers[0].answer == "partial answer"


def test_an_interrupt_stops_what_runs_and_keeps_what_came(
    app: tuple[ScriptedApp, RawServer], capsys: pytest.CaptureFixture[str]
) -> None:
    script, server = app
    sweep = Sweep(client(server), table("fine", "slow one", "slow two"), "{{ question }}", concurrency=3)

    def interrupt() -> None:
        while script.partials < 2 or len(script.questions) < 3 or sweep._job.progress.asked < 1:
            threading.Event().wait(0.01)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        sweep.run(progress=True)
    thread.join(10)
    assert len(script.stops) == 2
    assert "Interrupted" in capsys.readouterr().err
    assert states(sweep) == {"succeeded": 1, "failed": 2}
    assert sweep.store.unknown == set()


def test_a_run_can_be_stopped_before_it_begins_to_ask(app: tuple[ScriptedApp, RawServer]) -> None:
    script, server = app
    script.held.clear()
    sweep = Sweep(client(server), table("a", "b"), "{{ question }}")
    run = sweep.start()
    assert server.wait_for(1)
    sweep.stop()
    script.held.set()
    assert run.result().reason == "stopped"
    assert script.questions == []


def test_an_interrupt_before_anything_is_asked_ends_it_at_once(
    app: tuple[ScriptedApp, RawServer], capsys: pytest.CaptureFixture[str]
) -> None:
    script, server = app
    script.held.clear()  # no form comes
    sweep = Sweep(client(server), table("a"), "{{ question }}")

    def interrupt() -> None:
        server.wait_for(1)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        sweep.run(progress=True)
    thread.join(10)
    assert capsys.readouterr().err == ""
    script.held.set()
    assert script.questions == []
    sweep.run(progress=False)  # its lock is free
    assert len(script.questions) == 1


def test_each_case_that_ends_is_noticed(app: tuple[ScriptedApp, RawServer]) -> None:
    _, server = app
    seen: list[tuple[Case, Outcome]] = []
    sweep = Sweep(client(server), table("a", "b"), "{{ question }}")
    run = sweep.start(on_outcome=lambda case, outcome: seen.append((case, outcome)))
    run.result()
    assert sorted(case.id for case, _ in seen) == sorted(case.id for case in sweep.cases)
    assert run.done
    assert run.progress.succeeded == 2


@pytest.mark.parametrize("kind", ["pandas", "polars", "dicts"])
def test_what_becomes_of_the_table_later_changes_nothing(kind: str, app: tuple[ScriptedApp, RawServer]) -> None:
    script, server = app
    df: Any = table("one", "two")
    if kind == "dicts":
        df = df.to_dict("records")
    elif kind == "polars":
        df = pytest.importorskip("polars").DataFrame(df.to_dict("list"))
    sweep = Sweep(client(server), df, "{{ question }}")

    def change(text: str) -> None:
        if kind == "pandas":
            df.loc[0, "question"] = text
        elif kind == "polars":
            df[0, "question"] = text
        else:
            df[0]["question"] = text
            df.append({"question": text})

    change("before it runs")
    sweep.run(progress=False)
    change("before it is extended")
    sweep.extend(2, progress=False)
    assert Counter(asked(script)) == {"one": 2, "two": 2}


def test_an_extension_that_is_refused_leaves_all_as_it_was(app: tuple[ScriptedApp, RawServer]) -> None:
    script, server = app
    sweep = Sweep(client(server), table(*(f"q{number}" for number in range(2_000))), "{{ question }}")
    sweep.run(limit=1, progress=False)
    with pytest.raises(InputError, match="2,000,000 cases"):
        sweep.extend(1_000, progress=False)
    assert states(sweep) == {"succeeded": 1, "not_run": 1_999}
    sweep.extend(2, limit=1, progress=False)
    assert len(script.questions) == 2


def test_a_turn_is_found_by_the_beginning_of_its_case(app: tuple[ScriptedApp, RawServer]) -> None:
    _, server = app
    sweep = Sweep(client(server), table("a", "b"), "{{ question }}")
    sweep.run(limit=1, progress=False)
    done = next(case for case in sweep.cases if sweep.store.state(case.id) == "succeeded")
    missing = next(case for case in sweep.cases if case.id != done.id)
    assert sweep.turn(done.id[:20]).query == sweep.turn(done).query == done.messages[0].query
    for case, turn, said in [
        (missing.id, 1, "no answer so far"), (done.id, 2, "has no turn 2"), ("zz", 1, "No case"), ("", 1, "No case"),
        (0, 1, "No case of this sweep begins with 0"),
    ]:  # fmt: skip
        with pytest.raises(InputError, match=said):
            sweep.turn(case, turn)  # type: ignore[arg-type]  # a number among them


# -- the embedded server ----------------------------------------------------------------


def seen_by(server: LocalServer, app: str, user: str) -> list[str]:
    """Every question that the server has kept of a user."""
    with Client(server, app, user) as http:
        found, last = [], ""
        while True:
            query = {"limit": 100, **({"last_id": last} if last else {})}
            page = http.get("/conversations", **query).json()
            for conversation in page["data"]:
                found += [message["query"] for message in http.messages(conversation["id"])]
            if not page["has_more"]:
                return found
            last = page["data"][-1]["id"]


def example(docstring: str | None) -> str:
    """The lines of code in a docstring, with which its second part begins."""
    lines = inspect.cleandoc(docstring or "").split("\n\n", 1)[1].splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith(("from ", "import ")))
    last = max(at for at, line in enumerate(lines) if line.startswith(("sweep.", "out[")))
    return "\n".join(lines[first : last + 1])


@pytest.mark.parametrize("thing", [Sweep, Dify.map])
def test_the_examples_run(thing: Any, server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = Dify(api_key=server.api_key("guide"), base_url=server.base_url)
    monkeypatch.setattr(Dify, "local", lambda app: guide)
    names: dict[str, Any] = {"Dify": Dify}
    exec(example(thing.__doc__), names)
    if "sweep" in names:
        assert states(names["sweep"]) == {"succeeded": 6}
    else:
        assert names["out"]["error"].isna().all()


def test_two_apps_are_asked_and_forgotten(server: LocalServer) -> None:
    apps = {
        name: Dify(api_key=server.api_key(name), base_url=server.base_url, user="notebook")
        for name in ("guide", "toolbox")
    }
    apps["guide"].chat.send("mine")
    sweep = Sweep(apps, [{"q": "What is a profile?"}, {"q": "2 + 3"}], "{{ q }}", repeats=2)
    plan = sweep.plan()
    assert "8" in plan._repr_mimebundle_()["text/plain"]
    sweep.run(progress=False)
    for name in apps:
        assert Counter(seen_by(server, name, sweep.user)) == {"What is a profile?": 2, "2 + 3": 2}
    results = sweep.results
    assert Counter(zip(results["app"], results["state"], strict=True)) == {
        ("guide", "succeeded"): 4, ("toolbox", "succeeded"): 4,
    }  # fmt: skip
    assert set(sweep.thoughts["case"]) <= set(results["case"])
    assert list(sweep.rates["of"]) == [4, 4]
    assert list(sweep.rates["yes"]) == [4, 4]
    report = sweep.forget()
    assert (report.deleted, report.failed, report.elsewhere, report.runs) == (8, {}, 0, 0)
    for name in apps:
        assert seen_by(server, name, sweep.user) == []
    assert seen_by(server, "guide", "notebook") == ["mine"]
    assert sweep.forget().deleted == 0
    assert states(sweep) == {"succeeded": 8}  # the store keeps what was answered


def test_a_server_with_faults_sees_what_had_to_be_asked(tmp_path: Path) -> None:
    """What was refused for being too much is asked again at once; what failed, or may have arrived, by the next run."""
    with local.serve(data_dir=tmp_path / "local", pace=0) as server:
        for fault in ("429=0.01", "500=1", "drop=200", "no_end=1", "error=1"):
            server.faults.once(fault)
        guide = Dify(api_key=server.api_key("guide"), base_url=server.base_url)
        rows = [{"q": f"question {number}"} for number in range(8)]
        sweep = Sweep(guide, rows, "{{ q }}", store=tmp_path / "s", concurrency=1)
        sweep.run(progress=False)
        first = Counter(seen_by(server, "guide", sweep.user))
        ended = {case.messages[0].query: sweep.outcomes[case.id] for case in sweep.cases}
        failed = [query for query, outcome in ended.items() if outcome.state == "failed"]
        (refused,) = [query for query in ended if query not in first]
        assert (ended[refused].state, ended[refused].error_code) == ("failed", "internal_server_error")
        assert len(failed) >= 2
        assert set(first.values()) == {1}
        sweep.run(progress=False)
        assert states(sweep) == {"succeeded": 8}
        assert Counter(seen_by(server, "guide", sweep.user)) == first + Counter(failed)


def test_what_another_user_began_is_not_called_gone(server: LocalServer, tmp_path: Path) -> None:
    guide = Dify(api_key=server.api_key("guide"), base_url=server.base_url)
    sweep = Sweep({"guide": guide}, [{"q": "a"}, {"q": "b"}], "{{ q }}", store=tmp_path / "s")
    sweep.run(progress=False)
    report = Sweep({"guide": guide}, [{"q": "a"}, {"q": "b"}], "{{ q }}", store=tmp_path / "s", user="somebody").forget()
    assert (report.deleted, report.elsewhere) == (0, 2)
    assert len(seen_by(server, "guide", sweep.user)) == 2
    assert sweep.forget().deleted == 2
    assert seen_by(server, "guide", sweep.user) == []


@pytest.mark.parametrize("dialect", ["1.12", "0.15"])
def test_older_servers(dialect: Dialect, tmp_path: Path) -> None:
    with local.serve(data_dir=tmp_path / "local", pace=0, dialect=dialect) as server:
        guide = Dify(api_key=server.api_key("guide"), base_url=server.base_url)
        sweep = Sweep({"guide": guide}, [{"q": "a"}, {"q": "b"}], "{{ q }}", repeats=2, store=tmp_path / "s")
        sweep.run(budget="1 USD", progress=False)
        assert states(sweep) == {"succeeded": 4}
        assert Counter(seen_by(server, "guide", sweep.user)) == {"a": 2, "b": 2}
        assert sweep.forget().deleted == 4
        tally = Dify(api_key=server.api_key("tally"), base_url=server.base_url)
        runs = Sweep({"tally": tally}, [{"b": "x"}], inputs={"text": "b"})
        runs.run(progress=False)
        assert states(runs) == {"succeeded": 1}
        assert "apps without conversations: 1" in repr(runs.forget())


CHILD = """
import json, sys
from dify_notebook import Dify, Sweep
server, key, store, count = sys.argv[1:]
rows = [{"q": f"question {number}"} for number in range(int(count))]
sweep = Sweep({"app": Dify(api_key=key, base_url=server)}, rows, "{{ q }}", store=store, concurrency=4)
print(sweep.user, flush=True)
sweep.run(progress=False)
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_kill_at_random_moments_loses_nothing_and_pays_nothing_twice(server: LocalServer, tmp_path: Path) -> None:
    chance, count, store = random.Random(15), 60, tmp_path / "killed"
    environment = {**os.environ, "PYTHONPATH": str(Path(dify_notebook.__file__).parents[1]), "PYTHONWARNINGS": "ignore"}
    arguments = [server.base_url, server.api_key("guide"), str(store), str(count)]
    for _ in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE, text=True, env=environment
        ) as child:
            assert child.stdout is not None
            user = child.stdout.readline().strip()
            # The moment is the test: anywhere in its run.
            threading.Event().wait(chance.uniform(0.1, 0.6))
            child.kill()
    rows = [{"q": f"question {number}"} for number in range(count)]
    dify = Dify(api_key=server.api_key("guide"), base_url=server.base_url)
    sweep = Sweep({"app": dify}, rows, "{{ q }}", store=store, concurrency=4)
    assert sweep.user == user
    before = {str(case.messages[0].query): sweep.store.state(case.id) for case in sweep.cases}
    sweep.run(progress=False)
    requests = Counter(seen_by(server, "guide", user))
    for query, state in before.items():
        if state == "unknown":
            assert requests[query] <= 1, "it may have arrived, and was asked again"
        else:
            assert requests[query] == 1, f"{query} was {state}"
    unknown = [query for query, state in before.items() if state == "unknown"]
    assert states(sweep) == Counter(succeeded=count - len(unknown), **({"unknown": len(unknown)} if unknown else {}))
    sweep.run(again="unknown", progress=False)
    assert states(sweep) == {"succeeded": count}
    more = Counter(seen_by(server, "guide", user)) - requests
    assert more == dict.fromkeys(unknown, 1)
    begun = [json.loads(line) for line in (store / "records.jsonl").read_text("utf-8").splitlines() if line]
    assert sum(line["t"] == "end" for line in begun) == count
    print(f"\n4 kills: {len(unknown)} of {count} unknown, {Counter(before.values())}")
