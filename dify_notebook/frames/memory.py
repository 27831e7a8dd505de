"""A fetch in memory, and its merge with an earlier one."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from . import dataframes, merging, ratings, usage
from .item_rows import Batch
from .schema import BEYOND_API, HISTORY, SCHEMA

BUFFER_ROWS = 10_000
"""Rows of a table that wait as Python objects; then they become arrays, which take a third of the memory."""


class MemorySink:
    """The sink of a fetch that stays in memory."""

    def __init__(self) -> None:
        self._batches: dict[str, list[Batch]] = {}
        self._rows: dict[str, int] = {}
        self._frames: dict[str, list[pd.DataFrame]] = {}

    async def add(self, table: str, batch: Batch) -> None:
        self.take(table, batch)

    def take(self, table: str, batch: Batch) -> None:
        """Add a batch to a table."""
        self._batches.setdefault(table, []).append(batch)
        self._rows[table] = self._rows.get(table, 0) + len(next(iter(batch.values())))
        if self._rows[table] >= BUFFER_ROWS:
            self._to_frame(table)

    def _to_frame(self, table: str) -> None:
        batches = self._batches.pop(table, [])
        self._rows[table] = 0
        if batches:
            self._frames.setdefault(table, []).append(dataframes.from_batches(SCHEMA[table], batches))

    async def finish(self) -> None:
        """Nothing is left to do."""

    def table(self, name: str) -> pd.DataFrame:
        """One table so far, in order."""
        self._to_frame(name)
        frame = dataframes.concat(SCHEMA[name], self._frames.pop(name, []), ordered=True)
        self._frames[name] = [frame]
        return frame

    def tables(self) -> dict[str, pd.DataFrame]:
        """All tables so far."""
        return {table.name: self.table(table.name) for table in HISTORY}


def merge_fetches(
    old: Mapping[str, pd.DataFrame],
    new: Mapping[str, pd.DataFrame],
    replaced: set[str],
    *,
    has_ratings: bool,
    has_annotations: bool,
) -> dict[str, pd.DataFrame]:
    """The tables of an earlier fetch with those of a later one.

    Args:
        replaced: conversations whose old rows go; of others nothing new is taken.
        has_ratings: whether the server listed all its ratings.
        has_annotations: whether it listed all its annotations.
    """
    tables = {}
    for table in HISTORY:
        before, after = old[table.name], new[table.name]
        if table.name == "annotations":
            tables["annotations"] = after if has_annotations else before
            continue
        if table.name == "workflow_runs":
            tables[table.name] = merge_runs(before, after)
            continue
        if table.name == "feedbacks":
            tables["feedbacks"] = ratings.update_feedbacks(before, after, replaced, listed=has_ratings)
            continue
        stays = ~before["conversation_id"].isin(replaced)
        after = after[after["conversation_id"].isin(replaced).to_numpy("bool")]
        if table.name == "messages":
            after = with_usage(after, before)
        parts = [merging.Part(before[stays.to_numpy("bool")]), merging.Part(after, merging.LIVE, file=1)]
        tables[table.name] = merging.merge(table, parts)
    if has_ratings:
        tables["messages"] = ratings.with_feedbacks(tables["messages"], tables["feedbacks"])
    return tables


def merge_runs(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """The runs of an earlier fetch with those of a later one; what that one does not tell of a run stays."""
    return merging.merge(SCHEMA["workflow_runs"], [merging.Part(before), merging.Part(after, merging.LIVE, file=1)])


def with_usage(messages: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
    """Messages that were fetched again, with what an earlier table knows of them beyond the API."""
    earlier = earlier[earlier["message_id"].isin(messages["message_id"]).to_numpy("bool")]
    earlier = earlier[earlier[list(BEYOND_API)].notna().any(axis=1)].drop_duplicates("message_id", keep="last")
    names = list(BEYOND_API)
    positions = pd.Index(earlier["message_id"]).get_indexer(messages["message_id"])
    rows = (positions >= 0).nonzero()[0]
    adds = messages[names].isna().to_numpy()[rows] & earlier[names].notna().to_numpy()[positions[rows]]
    is_zero = messages["total_tokens"].eq(0).fillna(False).to_numpy("bool")[rows]
    is_counted = earlier["total_tokens"].gt(0).fillna(False).to_numpy("bool")[positions[rows]]
    rows = rows[adds.any(axis=1) | (is_zero & is_counted)]
    if not len(rows):
        return messages
    columns = {name: dataframes.to_list(messages[name]) for name in names}
    for row, known in zip(rows, dataframes.to_dicts(earlier[names].iloc[positions[rows]]), strict=True):
        for name, value in usage.with_known({name: columns[name][row] for name in names}, known).items():
            columns[name][row] = value
    table = SCHEMA["messages"]
    return messages.assign(**{name: dataframes.array(table[name], columns[name], len(messages)) for name in names})
