"""What charts draw, aggregated in pandas first: a few hundred rows, however many messages there are."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from ...errors import InputError
from ...i18n import t

Every = Literal["hour", "day", "week", "month", "year"]
_FREQUENCY: dict[str, str] = {"hour": "h", "day": "D", "week": "W-SUN", "month": "M", "year": "Y"}
"""pandas' periods; a week ends on Sunday."""
MAX_PERIODS = 1500
"""Periods in one chart at most: a bar cannot be thinner than half a pixel."""


MIN_PERIODS = 5
"""Periods that an axis has room for at least."""
BAR_SHARE = 0.92
"""How much of its period a bar takes."""


def with_time(messages: pd.DataFrame, none: str = "history.plot.no_messages") -> pd.DataFrame:
    """The rows whose time is known; `none` is the sentence where there are none.

    Raises:
        InputError: there are none.
    """
    rows = messages[messages["created_at"].notna()]
    if rows.empty:
        raise InputError(t(none), code="plot")
    return rows


def best_period(times: pd.Series) -> Every:
    """A length of period that makes a readable chart of these times."""
    span = (times.max() - times.min()) / pd.Timedelta(days=1)
    return "hour" if span <= 2.5 else "day" if span <= 62 else "week" if span <= 750 else "month"


def periods(times: pd.Series, every: str | None, zone: str) -> tuple[pd.Series, Every]:
    """The period that each time falls into, and how long periods are.

    Args:
        times: aware timestamps.
        every: hour, day, week, month or year; None takes what fits.
        zone: IANA name of the time zone whose days count.

    Raises:
        InputError: no such period or zone, or too many periods.
    """
    chosen = best_period(times) if every is None else every
    if chosen not in _FREQUENCY:
        known = ", ".join(_FREQUENCY)
        raise InputError(t("history.plot.every", every=every, known=known), code="plot")
    try:
        local = times.dt.tz_convert(zone)
    except (KeyError, ValueError, TypeError):
        raise InputError(t("history.plot.zone", zone=zone), code="plot") from None
    values = local.dt.tz_localize(None).dt.to_period(_FREQUENCY[chosen])
    number = (values.max() - values.min()).n + 1
    if number > MAX_PERIODS:
        raise InputError(t("history.plot.too_many", number=f"{number:,}", every=chosen), code="plot")
    return values, chosen  # type: ignore[return-value]  # one of the keys


def time_axis(periods: pd.Series) -> dict[str, Any]:
    """Columns for the time axis: start and end of each period, as text that is read as UTC."""
    start = periods.dt.start_time
    length = periods.dt.end_time - start
    # A sliver is left free, so that neighbours can be told apart.
    end = start + length * BAR_SHARE
    form = "%Y-%m-%dT%H:%M:%SZ"
    return {"start": start.dt.strftime(form), "end": end.dt.strftime(form)}


def axis_domain(table: pd.DataFrame) -> list[int]:
    """The domain of a time axis, in milliseconds since 1970: around all periods, with room for `MIN_PERIODS`.

    Args:
        table: with the columns of `time_axis`.
    """
    start, end = pd.to_datetime(table["start"], utc=True), pd.to_datetime(table["end"], utc=True)
    length = (end - start).max() / BAR_SHARE
    first, last = start.min(), start.max() + length
    spare = max(pd.Timedelta(0), (MIN_PERIODS * length - (last - first)) / 2)
    return [round(time.timestamp() * 1000) for time in (first - spare, last + spare)]


def top_values(values: pd.Series, limit: int, other: str) -> pd.Series:
    """Values as text, with all but the most frequent replaced by one word; missing ones have a word too."""
    texts = values.astype("string").fillna(t("history.plot.none"))
    counts = texts.value_counts()
    if len(counts) <= limit:
        return texts
    frequent = set(counts.index[: limit - 1])
    return texts.where(texts.isin(frequent), other)


def quantiles(groups: Any, column: str) -> pd.DataFrame:
    """Count, median, quartiles and 90th percentile of a column for each group, seconds rounded to ms."""
    table = groups[column].quantile([0.25, 0.5, 0.75, 0.9]).unstack()
    table.columns = ["q25", "median", "q75", "q90"]
    table.insert(0, "count", groups[column].count())
    return table.astype("float64").round(3).assign(count=table["count"].astype("int64"))


def to_json_values(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose values JSON knows: no categories, no nullable dtypes, missing ones as None."""
    columns = {}
    for name in table.columns:
        column = table[name]
        if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_string_dtype(column.dtype):
            columns[name] = column.astype("object").where(column.notna(), None)
        elif pd.api.types.is_integer_dtype(column.dtype):
            columns[name] = column.astype("object" if column.isna().any() else "int64")
        else:
            columns[name] = column.astype("float64").replace([np.inf, -np.inf], np.nan)
    return pd.DataFrame(columns).reset_index(drop=True)
