"""A history that is gathered in memory, and put together with what an earlier fetch had."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from . import build
from .facts import Facts
from .schema import HISTORY, SCHEMA
from .tables import Block


class Memory:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.blocks: dict[str, list[Block]] = {}

    async def add(self, table: str, block: Block) -> None:
        """Take a block."""
        self.blocks.setdefault(table, []).append(block)

    async def finish(self, facts: Facts) -> None:
        """Nothing is left to do."""

    def tables(self) -> dict[str, pd.DataFrame]:
        """All tables so far, in order."""
        return {
            table.name: build.in_order(table, build.of_blocks(table, self.blocks.get(table.name, [])))
            for table in HISTORY
        }


def merged(
    old: Mapping[str, pd.DataFrame],
    new: Mapping[str, pd.DataFrame],
    replaced: set[str],
    *,
    ratings: bool,
    annotations: bool,
) -> dict[str, pd.DataFrame]:
    """The tables of an earlier fetch with those of a later one.

    Args:
        replaced: conversations whose old rows go; of others nothing new is taken.
        ratings: whether the server listed all its ratings.
        annotations: whether it listed all its annotations.
    """
    found = {}
    for table in HISTORY:
        before, after = old[table.name], new[table.name]
        if table.name == "annotations":
            found["annotations"] = after if annotations else before
            continue
        stays = ~before["conversation_id"].isin(replaced)
        if table.name == "feedbacks" and ratings:
            stays &= before["feedback_id"].isna() & ~before["message_id"].isin(after["message_id"])
        if table.name != "feedbacks":
            after = after[after["conversation_id"].isin(replaced).to_numpy("bool")]
        found[table.name] = build.concat(table, [before[stays.to_numpy("bool")], after])
    if ratings:
        found["messages"] = with_ratings(found["messages"], found["feedbacks"])
    return {table.name: build.in_order(table, found[table.name]) for table in HISTORY}


def with_ratings(messages: pd.DataFrame, feedbacks: pd.DataFrame) -> pd.DataFrame:
    """Messages with the ratings that their users gave, as the table of ratings tells them."""
    of_users = feedbacks[(feedbacks["from_source"] == "user").to_numpy("bool")]
    told = of_users.drop_duplicates("message_id", keep="last")
    places = pd.Index(told["message_id"]).get_indexer(messages["message_id"])
    words = [None if place < 0 else told["rating"].iloc[place] for place in places]
    column = SCHEMA["messages"]["rating"]
    return messages.assign(rating=build.array(column, words, len(messages)))
