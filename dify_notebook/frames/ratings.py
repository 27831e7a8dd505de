"""Ratings: one of each person for a message, and the message says the same as the table of ratings.

Dify keeps one rating of a message for its user, and one for the console. A rating that was taken back and given again
has another id, a message tells its rating without one, the console without a time: they are one all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from . import dataframes
from .merging import COLUMN_GROUPS, Version, merge_versions, rank, ranked
from .schema import FEEDBACKS, SCHEMA

GENERATED_ID = "made_id"
"""Of a telling without an id: the one that stands for it where no other telling has one."""


def merge_ratings(told: Iterable[Version]) -> list[dict[str, Any]]:
    """The table `feedbacks`, a row for each rating that is given now.

    Args:
        told: rows of that table, as often as they were told; one without a rating says that it was taken back.
    """
    sides: dict[tuple[str, str], dict[str, list[Version]]] = {}
    for version in told:
        row = version.row
        person = str(row.get("end_user_id") or row.get("account_id") or "")
        side = (str(row["message_id"]), str(row.get("from_source") or "user"))
        sides.setdefault(side, {}).setdefault(person, []).append(version)
    made = []
    for people in sides.values():
        nameless = people.pop("", [])
        if nameless and people:
            newest = max(people, key=lambda person: max(map(rank, people[person])))
            people[newest] += nameless
        made += [_merge_one(versions) for versions in (people.values() if people else (nameless,))]
    return [row for row in made if row["rating"]]


def _merge_one(versions: list[Version]) -> dict[str, Any]:
    if len(versions) == 1:
        row = dict(versions[0].row)
    else:
        row = merge_versions(versions, COLUMN_GROUPS["feedbacks"])
        row["rating"] = ranked(versions)[0].row.get("rating")
    if not row.get("feedback_id"):
        row["feedback_id"] = row.get(GENERATED_ID)
    return {name: row.get(name) for name in FEEDBACKS.names}


def user_ratings(feedbacks: pd.DataFrame) -> dict[str, str]:
    """What users think of messages now: the rating that was changed last."""
    theirs = feedbacks[feedbacks["from_source"].astype("string").fillna("user").eq("user").to_numpy("bool")]
    when = theirs["updated_at"].fillna(theirs["created_at"])
    theirs = theirs.loc[when.sort_values(kind="stable", na_position="first").index]
    ratings = theirs["rating"].astype("object").where(theirs["rating"].notna(), None)
    return dict(zip(theirs["message_id"], ratings, strict=True))


def with_ratings(messages: pd.DataFrame, ratings: Mapping[str, str | None]) -> pd.DataFrame:
    """Messages with these ratings, and no others."""
    words = [ratings.get(key) for key in messages["message_id"]]
    return messages.assign(rating=dataframes.array(SCHEMA["messages"]["rating"], words, len(messages)))


def with_feedbacks(messages: pd.DataFrame, feedbacks: pd.DataFrame) -> pd.DataFrame:
    """Messages with the ratings that their users gave, as the table of ratings tells them."""
    return with_ratings(messages, user_ratings(feedbacks))


def update_feedbacks(before: pd.DataFrame, after: pd.DataFrame, replaced: set[str], *, listed: bool) -> pd.DataFrame:
    """The ratings of an earlier fetch with those of a later one.

    Args:
        replaced: conversations that were fetched again.
        listed: whether the server listed all its ratings. Otherwise the messages told them, without id, comment and
            the console's: what is known of these stays as long as the rating is the same.
    """
    again = before["conversation_id"].isin(replaced).to_numpy("bool")
    if listed:
        stays = ~again & before["feedback_id"].isna().to_numpy("bool")
        stays &= ~before["message_id"].isin(after["message_id"]).to_numpy("bool")
        return dataframes.concat(FEEDBACKS, [before[stays], after], ordered=True)
    now = user_ratings(after)
    of_user = before["from_source"].astype("string").fillna("user").eq("user").to_numpy("bool")
    same = pd.Series(
        [now.get(key) == rating for key, rating in zip(before["message_id"], before["rating"], strict=True)],
        dtype="bool",
    ).to_numpy("bool")
    stays = ~again | ~of_user | same
    kept = before[stays]
    known = kept["message_id"][kept["from_source"].astype("string").fillna("user").eq("user").to_numpy("bool")]
    rest = after[~after["message_id"].isin(known).to_numpy("bool")]
    return dataframes.concat(FEEDBACKS, [kept, rest], ordered=True)
