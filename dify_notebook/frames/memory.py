"""A history that is gathered in memory, and put together with what an earlier fetch had."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from . import dataframes, merging, ratings
from .facts import Facts
from .item_rows import Batch
from .schema import BEYOND_API, HISTORY, SCHEMA

#: Rows of a table that wait as Python's objects; then they become arrays, which hold a third of the memory.
BUFFER_ROWS = 10_000


class MemorySink:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Batch]] = {}
        self._rows: dict[str, int] = {}
        self._frames: dict[str, list[pd.DataFrame]] = {}

    async def add(self, table: str, block: Batch) -> None:
        """Take a block."""
        self.take(table, block)

    def take(self, table: str, block: Batch) -> None:
        """Take a block."""
        self._waiting.setdefault(table, []).append(block)
        self._rows[table] = self._rows.get(table, 0) + len(next(iter(block.values())))
        if self._rows[table] >= BUFFER_ROWS:
            self._compact(table)

    def _compact(self, table: str) -> None:
        blocks = self._waiting.pop(table, [])
        self._rows[table] = 0
        if blocks:
            self._frames.setdefault(table, []).append(dataframes.from_batches(SCHEMA[table], blocks))

    async def finish(self, facts: Facts) -> None:
        """Nothing is left to do."""

    def table(self, name: str) -> pd.DataFrame:
        """One table so far, in order."""
        self._compact(name)
        found = dataframes.concat(SCHEMA[name], self._frames.pop(name, []), ordered=True)
        self._frames[name] = [found]
        return found

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
    found = {}
    for table in HISTORY:
        before, after = old[table.name], new[table.name]
        if table.name == "annotations":
            found["annotations"] = after if has_annotations else before
            continue
        if table.name == "feedbacks":
            found["feedbacks"] = ratings.update_feedbacks(before, after, replaced, listed=has_ratings)
            continue
        stays = ~before["conversation_id"].isin(replaced)
        after = after[after["conversation_id"].isin(replaced).to_numpy("bool")]
        if table.name == "messages":
            after = with_usage(after, before)
        parts = [merging.Part(before[stays.to_numpy("bool")]), merging.Part(after, merging.LIVE, file=1)]
        found[table.name] = merging.merge(table, parts)
    if has_ratings:
        found["messages"] = ratings.with_feedbacks(found["messages"], found["feedbacks"])
    return found


def with_usage(messages: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
    """Messages that were fetched again, with what an earlier table knows of them beyond the API."""
    earlier = earlier[earlier[list(BEYOND_API)].notna().any(axis=1)].drop_duplicates("message_id", keep="last")
    places = pd.Index(earlier["message_id"]).get_indexer(messages["message_id"])
    fill = (places >= 0) & messages["usage_from"].isna().to_numpy("bool")
    if not fill.any():
        return messages
    made = {}
    for name in BEYOND_API:
        values, told = (list(one.astype("object").where(one.notna(), None)) for one in (messages[name], earlier[name]))
        for at in fill.nonzero()[0]:
            values[at] = told[places[at]] if values[at] is None else values[at]
        made[name] = dataframes.array(SCHEMA["messages"][name], values, len(messages))
    return messages.assign(**made)
