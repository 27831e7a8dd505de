"""A store that somebody else wrote, and outputs of a server that means no good."""

from __future__ import annotations

import io
import os
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest
from support.sweeps import case_of

from dify_notebook.errors import DifyError, InputError
from dify_notebook.sweep.budget import Ledger, parse_budget
from dify_notebook.sweep.case import Case
from dify_notebook.sweep.outputs import Columns, Row, added
from dify_notebook.sweep.progress import Progress, line
from dify_notebook.sweep.records import Answer, Outcome
from dify_notebook.sweep.store.header import RECORDS
from dify_notebook.sweep.store.hold import HOLDER
from dify_notebook.sweep.store.store import Store
from dify_notebook.sweep.tables.plan import plan
from dify_notebook.sweep.tables.results import results
from dify_notebook.sweep.tables.summary import summary
from dify_notebook.sweep.tables.summary_view import bundle
from dify_notebook.sweep.variants import variant_key

HEADER = {"t": "sweep", "version": 1, "id": "0123456789ab", "salt": "00ff", "created_at": 1.0}


def store_of(directory: Path, *answers: str, **header: Any) -> Store:
    """A store whose file holds one case `a` with these answers, as they stand in JSON."""
    end = f'{{"t":"end","case":"{case().id}","state":"succeeded","began":1,"ended":2,"answers":[{",".join(answers)}]}}'
    (directory / RECORDS).write_bytes(msgspec.json.encode(HEADER | header) + b"\n" + end.encode() + b"\n")
    return Store.open(directory)


def case() -> Case:
    return case_of("q")


@pytest.mark.parametrize(
    "header",
    [{"id": "../../../etc"}, {"id": ""}, {"id": "a" * 300}, {"id": "0123456789AB"}, {"id": "0123456789ab\n"},
     {"id": "\x1b[2J01234567"}, {"salt": ""}, {"salt": "\x00"}],
)  # fmt: skip
def test_a_sweep_is_called_as_this_program_calls_one(tmp_path: Path, header: dict[str, str]) -> None:
    with pytest.raises(InputError, match="first line") as caught:
        store_of(tmp_path, **header)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "numbers",
    ['"price":"1E-999999"', '"price":"1E+999999"', '"price":"1E+99999999999"', '"price":"NaN"', '"price":"sNaN"',
     '"price":"-Infinity"', '"price":"-5"', f'"price":"0.{"1" * 1_000}"', '"price":1e16'],
)  # fmt: skip
def test_what_can_be_no_price_is_none(tmp_path: Path, numbers: str) -> None:
    store = store_of(tmp_path, f'{{"status":"succeeded","currency":"USD",{numbers}}}')
    assert store.outcomes[case().id].answers[0].price is None
    limit = parse_budget("2 USD")
    ledger = Ledger(limit, store.spent, lambda _: variant_key(case().variant))
    assert (ledger.spent, ledger.missing) == (Decimal(0), 1)
    assert "no price" in (ledger.refuses(case()) or "")
    progress = Progress()
    progress.add(store.outcomes[case().id])
    shown = [line(progress), *bundle(summary([case()], store, {}, limit)).values(), plan([case()], store, limit).bundle()]
    assert all(len(str(text)) < 5_000 for text in shown)
    assert results([case()], store)["price"].isna().all()


def test_counts_and_times_that_can_be_none_are_none(tmp_path: Path) -> None:
    one = '{"status":"succeeded","total_tokens":-7,"prompt_tokens":10000000000000000,"seconds":1e308,"first_token":-1.5}'
    two = f'{{"status":"succeeded","total_tokens":{"9" * 4_000},"completion_tokens":3,"seconds":1e308}}'
    store = store_of(tmp_path, one, two)
    first, second = store.outcomes[case().id].answers
    assert (first.total_tokens, first.prompt_tokens, first.seconds, first.first_token) == (None, None, None, None)
    assert (second.total_tokens, second.completion_tokens, second.seconds) == (None, 3, None)
    assert "-7" not in bundle(summary([case()], store, {}, None))["text/plain"].replace(str(tmp_path), "")
    ledger = Ledger(parse_budget("100 tokens"), store.spent, lambda _: variant_key(case().variant))
    assert (ledger.spent, ledger.missing) == (Decimal(0), 2)


def test_tokens_below_zero_make_no_others_free() -> None:
    store = Store.open(None)
    kept = store.end(Outcome(case="a", state="succeeded", answers=[Answer(status="succeeded", total_tokens=-1_000)]))
    assert kept.answers[0].total_tokens is None


@pytest.mark.skipif(os.name != "posix", reason="pipes in directories are POSIX's")
def test_a_pipe_that_says_who_holds_it_is_not_waited_for(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    with store.locked():
        (tmp_path / HOLDER).unlink()
        os.mkfifo(tmp_path / HOLDER)
        found: list[str] = []

        def look() -> None:
            try:
                with Store.open(tmp_path).locked():
                    pass
            except InputError as problem:
                found.append(problem.code)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        thread.join(30)
        assert found == ["sweep_running"]


def test_what_says_who_holds_it_is_read_to_a_bound(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    with store.locked():
        holder = tmp_path / HOLDER
        holder.write_bytes(holder.read_bytes() + b" " * 10_000_000 + b"x")
        with pytest.raises(InputError, match=str(os.getpid())), Store.open(tmp_path).locked():
            pass


def test_a_lock_is_given_back_where_its_note_cannot_be_written(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    (tmp_path / HOLDER).mkdir()
    with pytest.raises(DifyError), store.locked():
        pass
    (tmp_path / HOLDER).rmdir()
    with Store.open(tmp_path).locked():
        pass


def test_a_line_that_is_written_while_it_is_read_is_left_for_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(tmp_path)
    end = b'{"t":"end","case":"b","state":"succeeded"}\n'

    class Growing(io.BytesIO):
        """A file to which the rest of a line is added between two reads."""

        def readline(self, size: int | None = -1, /) -> bytes:
            piece = super().readline(size)
            if piece and not piece.endswith(b"\n"):
                at = self.tell()
                self.write(end[20:])
                self.seek(at)
            return piece

    whole = (tmp_path / RECORDS).read_bytes()
    monkeypatch.setattr("dify_notebook.sweep.store.lines.open_regular", lambda _: Growing(whole + end[:20]))
    store.refresh()
    monkeypatch.undo()
    assert (store.damaged, list(store.outcomes)) == (0, [case().id])
    with (tmp_path / RECORDS).open("ab") as file:
        file.write(end)
    store.refresh()
    assert (store.damaged, list(store.outcomes)) == (0, [case().id, "b"])


# -- outputs ------------------------------------------------------------------------------


def test_outputs_that_no_table_expects() -> None:
    values = {"self": 1, "index": 2, "": 3, "a\n<b>": 4, "error": 5, "q": 6}
    columns = added([Row(values)], Columns(), ["q"], pd.RangeIndex(1), is_run=True)
    assert list(columns) == ["self", "index", "", "a\n<b>", "output_error", "output_q", "error"]


def test_many_outputs_are_no_thousand_columns() -> None:
    rows = [Row({f"n{row}-{at}": at for at in range(80)}) for row in range(40)]
    with pytest.warns(UserWarning, match="3,200"):
        columns = added(rows, Columns(), ["q"], pd.RangeIndex(40), is_run=True)
    assert len(columns) == 101
