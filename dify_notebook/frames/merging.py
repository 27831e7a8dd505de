"""One row for each thing, out of several versions of it: which one wins, and what the others add.

The rules, for files as for fetches, whatever order they come in:

- The row with the newer `updated_at` wins. One without that time counts less than any that has it.
- Of equal times, or of none, the better source counts, then the row that says more, then the one with the longer
  texts, then the one whose values sort last. Nothing of this depends on which was read first.
- What the row that counts leaves empty is taken from the others, in that order: an empty cell wipes nothing.
- What belongs together stays together: a comment is taken from a row with the same rating alone, an error from one
  with the same status, a currency from one with the same price.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from . import dataframes
from .schema import Table

LIVE = 9
"""The source rank of a server, fetched now, which is newer than all that was stored."""
_NOW, _NEVER = np.iinfo("int64").max, np.iinfo("int64").min
_HIDDEN = ("#group", "#time", "#source")
_CHUNK = 5_000
"""Things with several rows that are merged as Python objects at a time."""

MERGE_KEYS: Mapping[str, tuple[str, ...]] = {
    "conversations": ("conversation_id",),
    "messages": ("message_id",),
    "thoughts": ("message_id", "thought_id", "call"),
    "citations": ("message_id", "position", "document_id", "segment_id"),
    "files": ("message_id", "file_id"),
    "forms": ("message_id", "form_id"),
    "variables": ("conversation_id", "variable_id"),
    "annotations": ("annotation_id",),
    "workflow_runs": ("workflow_run_id",),
}
"""Table -> merge keys: columns in which two rows of the same thing agree. For feedbacks see `ratings`."""
_ID_COLUMN = {"thoughts": "thought_id", "citations": None, "files": "file_id", "forms": "form_id"}
"""Table -> the id that its rows may lack: without it, the nth row of one file is the nth of another."""
COLUMN_GROUPS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "messages": (
        ("status", "error"),
        ("answer", "reasoning"),
        ("total_tokens", "prompt_tokens", "completion_tokens"),
        ("total_price", "prompt_price", "completion_price", "currency"),
    ),
    "thoughts": (("input_raw", "input"), ("output_raw", "output")),
    "forms": (("status", "submitted", "action_id", "action_text", "submitted_at", "rendered_content", "inputs"),),
    "variables": (("value", "value_raw"),),
    "feedbacks": (("rating", "content"),),
    "workflow_runs": (("status", "error", "finished_at"),),
}
"""Table -> columns that are taken from one row together: from one with the same value in the first."""


class Version(NamedTuple):
    """One row of a thing of which there are several."""

    row: Mapping[str, Any]
    time: int | None = None
    """When it was last changed, in microseconds since 1970."""
    source: int = 0
    """Of equal times the greater counts."""


def has_value(value: Any) -> bool:
    """Whether a cell has a value: None, and empty texts, lists and objects are none."""
    return value is not None and not (isinstance(value, (str, list, dict)) and not value)


def rank(version: Version) -> tuple[Any, ...]:
    """A sort key for the versions of a thing; the greatest wins."""
    filled = [value for value in version.row.values() if has_value(value)]
    texts = sum(len(value) for value in filled if isinstance(value, str))
    items = sorted((name, repr(value)) for name, value in version.row.items())
    return (*_newness(version), len(filled), texts, items)


def _newness(version: Version) -> tuple[Any, ...]:
    """The beginning of `rank`, which is nearly always enough, and quick."""
    return (version.time is not None, version.time or 0, version.source)


def ranked(versions: Sequence[Version]) -> list[Version]:
    """Versions of a thing, the one that wins first."""
    enough = len({_newness(version) for version in versions}) == len(versions)
    return sorted(versions, key=_newness if enough else rank, reverse=True)


def merge_versions(versions: Sequence[Version], together: Sequence[tuple[str, ...]] = ()) -> dict[str, Any]:
    """One row out of several; see the module for the rules."""
    rows = [version.row for version in ranked(versions)]
    merged = dict(rows[0])
    for row in rows[1:]:
        for name, value in row.items():
            if not has_value(merged.get(name)) and (name not in merged or has_value(value)):
                merged[name] = value
    for lead, *others in together:
        agreeing = [row for row in rows if row.get(lead) == merged.get(lead)]
        for name in others:
            if name in merged:
                merged[name] = next((row[name] for row in agreeing if has_value(row.get(name))), agreeing[0].get(name))
    return merged


class Part(NamedTuple):
    """Rows of one table."""

    frame: pd.DataFrame
    source: int | Sequence[int] = 0
    """How much all rows count, of equal times, or each."""
    times: Sequence[int | None] | None = None
    """When each row was last changed; None takes the column `updated_at`, where the table has one."""
    file: int = 0
    """The same for all rows of one file: rows without an id in one file are different things."""


def merge(table: Table, parts: Sequence[Part]) -> pd.DataFrame:
    """The rows of all parts in the order of the schema, one for each thing. Linear in the rows.

    Where none is there twice, this costs a look at the keys.
    """
    parts = [part for part in parts if len(part.frame)]
    if not parts:
        return dataframes.from_columns(table, {})
    frame = dataframes.concat(table, [part.frame for part in parts])
    file = np.repeat([part.file for part in parts], [len(part.frame) for part in parts])
    group = _groups(table, frame, file)
    is_double = pd.Series(group).duplicated(keep=False).to_numpy("bool")
    if is_double.any():
        sources = np.concatenate([np.broadcast_to(part.source, len(part.frame)) for part in parts])
        frame = _merge_duplicates(table, frame, group, is_double, _times_of(table, parts), sources)
    return dataframes.concat(table, [frame], ordered=True)


def _groups(table: Table, frame: pd.DataFrame, file: Any) -> Any:
    """A number for each row: the same for rows of the same thing."""
    names = list(MERGE_KEYS[table.name])
    group = frame.groupby(names, dropna=False, sort=False, observed=True).ngroup()
    if table.name not in _ID_COLUMN:
        return group.to_numpy()
    id_column = _ID_COLUMN[table.name]
    has_id = np.zeros(len(frame), "bool") if id_column is None else frame[id_column].fillna("").ne("").to_numpy("bool")
    count = pd.DataFrame({"group": group, "file": file}).groupby(["group", "file"]).cumcount()
    nth = np.where(has_id, 0, count.to_numpy())
    return pd.DataFrame({"group": group, "nth": nth}).groupby(["group", "nth"], sort=False).ngroup().to_numpy()


def _times_of(table: Table, parts: Sequence[Part]) -> Any:
    """Microseconds for each row; the smallest int64 for those without a time."""
    times = []
    for part in parts:
        if part.times is not None:
            times.append(np.array([_NEVER if time is None else time for time in part.times], "int64"))
        elif part.source == LIVE:
            times.append(np.full(len(part.frame), _NOW))
        elif "updated_at" in table.names:
            times.append(part.frame["updated_at"].dt.tz_localize(None).to_numpy().astype("int64"))  # NaT is the least
        else:
            times.append(np.full(len(part.frame), _NEVER))
    return np.concatenate(times)


def _merge_duplicates(
    table: Table, frame: pd.DataFrame, group: Any, is_double: Any, times: Any, sources: Any
) -> pd.DataFrame:
    """One row for each number of a group, where the first of it stood."""
    values = (group[is_double], times[is_double], sources[is_double])
    duplicates = frame[is_double].assign(**dict(zip(_HIDDEN, values, strict=True)))
    duplicates = duplicates[~duplicates.duplicated().to_numpy("bool")]  # the same file twice is the usual case
    duplicates = duplicates.sort_values("#group", kind="stable")
    numbers = duplicates["#group"].to_numpy()
    begins = np.flatnonzero(np.append(True, numbers[1:] != numbers[:-1]))  # of each group the first row
    ends = np.append(begins[1:], len(duplicates))
    frames = [frame[~is_double]]
    for chunk in range(0, len(begins), _CHUNK):
        part = slice(begins[chunk], ends[min(chunk + _CHUNK, len(ends)) - 1])
        frames.append(dataframes.from_columns(table, _merged_batch(table, duplicates.iloc[part])))
    first_rows = pd.Series(np.arange(len(frame))).groupby(group).min()  # of each group the first row
    order = np.concatenate([np.flatnonzero(~is_double), first_rows.loc[numbers[begins]].to_numpy()])
    return dataframes.concat(table, frames).iloc[np.argsort(order, kind="stable")].reset_index(drop=True)


def _merged_batch(table: Table, duplicates: pd.DataFrame) -> dict[str, list[Any]]:
    """The rows that those of some groups come to, in the order of their numbers."""
    versions: dict[int, list[Version]] = {}
    hidden = [duplicates[name].tolist() for name in _HIDDEN]
    for number, time, source, row in zip(*hidden, dataframes.to_dicts(duplicates[list(table.names)]), strict=True):
        versions.setdefault(number, []).append(Version(row, None if time == _NEVER else time, source))
    together = COLUMN_GROUPS.get(table.name, ())
    merged = [group[0].row if len(group) == 1 else merge_versions(group, together) for group in versions.values()]
    return {name: [row[name] for row in merged] for name in table.names}
