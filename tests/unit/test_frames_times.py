"""`since` and `until`: the instant that was meant, in whatever form it is given, or an error that names the argument."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import pytz
from dateutil import tz as dateutil_tz
from hypothesis import given
from hypothesis import strategies as st
from support.logs import Logs
from support.raw_server import serving

from dify_notebook import Dify, frames
from dify_notebook.errors import InputError
from dify_notebook.frames.times import moment, time_range

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BERLIN, KOLKATA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")
TWICE = datetime(2025, 10, 26, 2, 30)  # when clocks in Berlin go back


@pytest.fixture(autouse=True, scope="module")
def shanghai() -> Iterator[None]:
    """Local time is eight hours ahead, so that what is local shows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Asia/Shanghai")
        time.tzset()
        yield
    time.tzset()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


VALUES: list[tuple[Any, datetime]] = [
    # of Python
    (NOON, NOON),
    (datetime(2026, 1, 1, 20), NOON),
    (date(2026, 1, 1), at("2025-12-31T16:00")),
    (datetime(2026, 1, 1, 17, 30, tzinfo=KOLKATA), NOON),
    (datetime(2026, 1, 1, 17, 45, tzinfo=dateutil_tz.gettz("Asia/Kathmandu")), NOON),
    (pytz.timezone("Asia/Kolkata").localize(datetime(2026, 1, 1, 17, 30)), NOON),
    (datetime(2026, 1, 1, 17, 30, tzinfo=pytz.timezone("Asia/Kolkata")), NOON),
    (TWICE.replace(tzinfo=BERLIN), at("2025-10-26T00:30")),
    (TWICE.replace(tzinfo=BERLIN, fold=1), at("2025-10-26T01:30")),
    (TWICE.replace(tzinfo=dateutil_tz.gettz("Europe/Berlin"), fold=1), at("2025-10-26T01:30")),
    (pytz.timezone("Europe/Berlin").localize(TWICE, is_dst=False), at("2025-10-26T01:30")),
    (timedelta(days=7), at("2025-12-25T12:00")),
    # of pandas and numpy
    (pd.Timestamp("2026-01-01 20:00"), NOON),
    (pd.Timestamp(TWICE, tz="UTC").tz_convert(BERLIN), at("2025-10-26T02:30")),
    (pd.Timestamp("2025-10-26 01:30", tz="UTC").tz_convert(BERLIN), at("2025-10-26T01:30")),
    (pd.Timestamp("2300-01-01", tz="UTC").as_unit("s"), at("2300-01-01")),
    (pd.Period("2026-01", "M"), at("2025-12-31T16:00")),
    (pd.Timedelta("36h"), at("2025-12-31T00:00")),
    (np.timedelta64(2, "W"), at("2025-12-18T12:00")),
    (np.datetime64("2026"), at("2025-12-31T16:00")),
    (np.datetime64("2026-01-01T20"), NOON),
    # numbers
    (1767268800, NOON),
    (1767268800.5, at("2026-01-01T12:00:00.5")),
    (np.int64(1767268800), NOON),
    (Decimal("1767268800.123456"), at("2026-01-01T12:00:00.123456")),
    (1767268800_250, at("2026-01-01T12:00:00.25")),
    (1767268800_123456, at("2026-01-01T12:00:00.123456")),
    (1767268800_000000_001, at("2026-01-01T12:00:00.000001")),
    # text
    ("2026-01-01", at("2025-12-31T16:00")),
    (" 2026-01-01T12:00:00Z ", NOON),
    ("2026-01-01T12:00:00.000000001Z", at("2026-01-01T12:00:00.000001")),
    ("20260101T120000,5Z", at("2026-01-01T12:00:00.5")),
    ("2026-01-01 12:00:00 UTC", NOON),
    ("2026-01-01 07:00-05", NOON),
    ("2026-01-01 17:45:00 +0545", NOON),
    ("2026/1/1 20:00", NOON),
    ("2026.01.01", at("2025-12-31T16:00")),
    ("2026-W01-4", at("2025-12-31T16:00")),
    ("2026年1月1日 20:00", NOON),
    ("2026年1月1日20时00分01秒", at("2026-01-01T12:00:01")),
    ("２０２６－０１－０１", at("2025-12-31T16:00")),
    ("1767268800", NOON),
    ("now", NOON),
    ("today", at("2025-12-31T16:00")),
    ("Yesterday", at("2025-12-30T16:00")),
    ("tomorrow", at("2026-01-01T16:00")),
    ("7 days", at("2025-12-25T12:00")),
    ("the last 7 days", at("2025-12-25T12:00")),
    ("2 weeks ago", at("2025-12-18T12:00")),
    ("an hour", at("2026-01-01T11:00")),
    ("90min", at("2026-01-01T10:30")),
    ("10 months", at("2025-03-01T12:00")),
    ("1 year", at("2025-01-01T12:00")),
    ("昨天", at("2025-12-30T16:00")),
    ("7天", at("2025-12-25T12:00")),
    ("最近7天", at("2025-12-25T12:00")),
    ("两周前", at("2025-12-18T12:00")),
    ("3个小时前", at("2026-01-01T09:00")),
    ("１０个月", at("2025-03-01T12:00")),
]  # fmt: skip


@pytest.mark.parametrize(("value", "meant"), VALUES, ids=[repr(value)[:60] for value, _ in VALUES])
def test_the_instant_that_is_meant(value: Any, meant: datetime) -> None:
    found = moment(value, "since", NOON)
    assert found == meant
    assert found is not None
    assert type(found) is datetime
    assert isinstance(found.tzinfo, timezone), "one offset: within a zone of several Python compares what clocks show"


def test_a_month_before_a_longer_one_ends_with_it() -> None:
    assert moment("1 month ago", "since", at("2026-03-31T02:00")) == at("2026-02-28T02:00")
    assert moment(None, "until") is None


@pytest.mark.parametrize(
    "value",
    [
        "", "  ", "soon", "2026-13-01", "2026-01-01 25:00", "2026-01-01Z", "12", "-1767268800", "999999999 years",
        "3/5/2026", "05.03.2026", "last month", "30m", "3月", "2026",
        pd.NaT, pd.NA, np.datetime64("NaT"), np.timedelta64("NaT"), np.datetime64(99_999, "Y"), np.timedelta64(1, "M"),
        float("nan"), float("inf"), Decimal("NaN"), Decimal("sNaN"), True, np.True_, 0, 12, 20260101, 1j,
        timedelta(days=-1), timedelta.max, datetime.max.replace(tzinfo=ZoneInfo("America/New_York")),
        b"2026-01-01", ["2026-01-01"], pd.Series(["2026-01-01"]), object(),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_what_is_no_time_or_several_is_refused_by_name(value: Any) -> None:
    with pytest.raises(InputError, match=r"(?s)until is .*: give a date or a time") as caught:
        moment(value, "until", NOON)
    assert caught.value.code == "until"


ZONES: list[tzinfo] = [UTC, BERLIN, KOLKATA, ZoneInfo("Asia/Kathmandu"), ZoneInfo("Australia/Adelaide"), ZoneInfo("America/St_Johns")]
TIMES = st.datetimes(datetime(1980, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))


@given(TIMES, st.sampled_from(ZONES), st.integers(0, 999), st.sampled_from(["s", "ms", "us", "ns"]))
def test_the_zone_and_the_resolution_change_nothing(time: datetime, zone: tzinfo, more: int, unit: Any) -> None:
    """And of nanoseconds nothing is lost: what is told in microseconds is before or behind as it was."""
    assert moment(time.astimezone(zone), "since") == time
    assert moment(time.astimezone(zone).isoformat(), "since") == time
    stamp = (pd.Timestamp(time).as_unit("ns") + pd.Timedelta(more, "ns")).tz_convert(zone).as_unit(unit)
    here = np.datetime64(stamp.tz_convert("Asia/Shanghai").tz_localize(None).to_datetime64())
    for given_as in (stamp, stamp.isoformat(), here):
        found = moment(given_as, "since")
        assert found is not None
        for near in (found - timedelta(microseconds=1), found, found + timedelta(microseconds=1)):
            assert (pd.Timestamp(near) >= stamp) == (near >= found)


@given(TIMES)
def test_seconds_since_1970_in_every_unit(time: datetime) -> None:
    if time.year > 2001:
        whole = round(Decimal(str(time.timestamp())) * 1_000_000)
        time = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=whole)
        for number in (Decimal(whole) / 1_000_000, Decimal(whole) / 1_000, whole, whole * 1_000, str(whole)):
            assert moment(number, "since") == time


def test_a_span_begins_before_it_ends_also_where_an_hour_comes_twice() -> None:
    first, second = TWICE.replace(tzinfo=BERLIN), TWICE.replace(minute=10, tzinfo=BERLIN, fold=1)
    assert time_range(first, second) == (at("2025-10-26T00:30"), at("2025-10-26T01:10"))
    for since, until in ((second, first), ("yesterday", "2 days"), ("7 days", "1 week")):
        with pytest.raises(InputError, match=r"since \(.*\) is not before until"):
            time_range(since, until)
    with pytest.raises(InputError, match="is not before until"):
        frames.runs("2026-02-01", "2026-01-01")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"since": pd.Timestamp("2023-11-14 22:13:20.000000001", tz="UTC").tz_convert("Asia/Kathmandu")}, 2),
        ({"until": pd.Timestamp("2023-11-14 22:13:20.000000001", tz="UTC").tz_convert("Asia/Kolkata")}, 1),
        ({"since": np.datetime64("2023-11-15T06:23:20.000000001")}, 1),
        ({"until": "2023/11/15 6:23:20"}, 1),
        ({"since": 1_700_000_600}, 1),
        ({"since": "yesterday"}, 0),
    ],
)
def test_the_history_has_the_messages_of_that_time(asked: dict[str, Any], found: int) -> None:
    logs = Logs()
    logs.begin("c", "ann", 1_700_000_000)
    for place in range(2):
        logs.say("c", f"m{place}", 1_700_000_000 + 600 * place)
    with serving(logs) as server, Dify("app-x", server.url, "ann") as dify:
        history = dify.history(**asked, progress=False)
    assert len(history.messages) == found
