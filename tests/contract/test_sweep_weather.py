"""Sweeps in bad weather: what the server saw is what had to be asked, whatever became of each question."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.raw_server import serving
from support.storms import ANSWERED, BUSY, LOST, Storm

from dify_notebook import Dify, Sweep
from dify_notebook.errors import DifyError
from dify_notebook.sweep.asking.engine import Engine
from dify_notebook.sweep.asking.pace import Retries

KEY = "app-" + "s" * 24


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Engine.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "retries", Retries(first=0.001, longest=0.01))


@pytest.mark.parametrize(("seed", "count", "at_once", "budget"), [(5, 30, 16, None), (7, 12, 4, 26), (10, 6, 1, 60)])
def test_no_answer_is_paid_twice_and_none_is_lost(
    seed: int, count: int, at_once: int, budget: int | None, tmp_path: Path
) -> None:
    storm = Storm(seed, BUSY + LOST + ANSWERED)
    limit = None if budget is None else f"{budget} calls"
    with serving(storm) as server:
        dify = Dify(api_key=KEY, base_url=server.url, retry=0)
        rows = [{"q": f"question {number}"} for number in range(count)]
        for _ in range(5):
            before = {query: len(fates) for query, fates in storm.seen.items()}
            sweep = Sweep(dify, rows, "{{ q }}", store=tmp_path / "s", concurrency=at_once)
            sweep.run(budget=limit, progress=False)
            for query, fates in storm.seen.items():
                new = fates[before.get(query, 0) :]
                assert set(new[:-1]) <= set(BUSY), f"{query} was asked again though it may have arrived: {new}"
                assert not set(fates[:-1]) & set(ANSWERED), f"{query} was answered and asked again: {fates}"
            for case in sweep.cases:
                fates = storm.seen.get(str(case.messages[0].query), [])
                expected = "not_run" if not fates else "succeeded" if fates[-1] in ANSWERED else "failed"
                assert sweep.store.state(case.id) == expected, fates
            taken = sum(fate not in (*BUSY, "refused") for fates in storm.seen.values() for fate in fates)
            assert taken == sum(len(outcome.answers) for outcome in sweep.store.spent)
            assert budget is None or taken <= budget
    assert len(storm.seen) == count
    assert storm.users == {sweep.user}


@pytest.mark.parametrize("way", ["stop", "timeout"])
def test_what_ends_while_its_files_are_uploaded_was_no_call(way: str) -> None:
    storm = Storm(0, ["well"])
    storm.uploading.clear()
    with serving(storm) as server:
        dify = Dify(api_key=KEY, base_url=server.url, retry=0)
        sweep = Sweep(
            dify, [{"q": "one", "file": b"x"}], "{{ q }}", files="file", timeout=0.2 if way == "timeout" else None
        )
        run = sweep.start(budget="1 call")
        if way == "stop":
            while not storm.uploads:
                assert not run.wait(0.01)
            sweep.stop()
        assert run.result().failed == 1
        storm.uploading.set()
        [outcome] = sweep.outcomes.values()
        assert outcome.error_code == ("stopped" if way == "stop" else "timed_out")
        assert outcome.answers == []
        assert not storm.seen
        sweep.run(progress=False)
        assert list(sweep.results["state"]) == ["succeeded"]
    assert dict(storm.seen) == {"one": ["well"]}


@pytest.mark.parametrize("fate", ["401", "429 ages"])
def test_what_ends_an_app_in_the_middle_ends_it_at_once(fate: str) -> None:
    storm = Storm(0, ["well"])
    storm.later = 20, fate
    with serving(storm) as server:
        dify = Dify(api_key=KEY, base_url=server.url, retry=0)
        sweep = Sweep(dify, [{"q": f"question {number}"} for number in range(60)], "{{ q }}", concurrency=4)
        with pytest.raises(DifyError, match="asked nothing more"):
            sweep.run(progress=False)
        failed = sum(fates == [fate] for fates in storm.seen.values())
        assert 1 <= failed <= 4  # those that were under way
        assert len(storm.seen) == 20 + failed
        counts = sweep.results["state"].value_counts()
        assert (counts["succeeded"], counts["failed"], counts["not_run"]) == (20, failed, 40 - failed)
        storm.later = None
        sweep.run(progress=False)
    assert sorted(fates[-1] for fates in storm.seen.values()) == ["well"] * 60


def test_a_gateway_without_a_server_fails_few_cases_and_ends_the_run() -> None:
    """As while a server is started again: the cases that are left are not asked one after another in vain."""
    storm = Storm(0, ["well"])
    storm.later = 20, "502"
    with serving(storm) as server:
        dify = Dify(api_key=KEY, base_url=server.url, retry=0)
        sweep = Sweep(dify, [{"q": f"question {number}"} for number in range(90)], "{{ q }}", concurrency=4)
        with pytest.raises(DifyError, match="asked nothing more"):
            sweep.run(progress=False)
        failed = sum(fates == ["502"] for fates in storm.seen.values())
        assert Retries().tries <= failed <= Retries().tries + 4
        counts = sweep.results["state"].value_counts()
        assert (counts["succeeded"], counts["failed"], counts["not_run"]) == (20, failed, 70 - failed)
        storm.later = None
        sweep.run(progress=False)
    assert sorted(fates[-1] for fates in storm.seen.values()) == ["well"] * 90
