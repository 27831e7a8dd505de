"""Ratings: one of each person for a message, and `messages.rating` agrees with the table `feedbacks`.

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
"""The key of an id for a version without one, where no other version has one."""


def merge_ratings(candidates: Iterable[Version]) -> list[dict[str, Any]]:
    """The table `feedbacks`, a row for each rating that is given now.

    Args:
        candidates: rows of that table, in any number of versions; one without a rating says that it was withdrawn.
    """
    groups: dict[tuple[str, str], dict[str, list[Version]]] = {}
    for version in candidates:
        row = version.row
        person = str(row.get("end_user_id") or row.get("account_id") or "")
        group = (str(row["message_id"]), str(row.get("from_source") or "user"))
        groups.setdefault(group, {}).setdefault(person, []).append(version)
    rows = []
    for people in groups.values():
        nameless = people.pop("", [])
        if nameless and people:
            newest = max(people, key=lambda person: max(map(rank, people[person])))
            people[newest] += nameless
        rows += [_merge_one(versions) for versions in (people.values() if people else (nameless,))]
    return [row for row in rows if row["rating"]]


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
    """Message_id -> the rating of its user that was changed last."""
    rows = feedbacks[_from_users(feedbacks)]
    when = rows["updated_at"].fillna(rows["created_at"])
    rows = rows.loc[when.sort_values(kind="stable", na_position="first").index]
    ratings = rows["rating"].astype("object").where(rows["rating"].notna(), None)
    return dict(zip(rows["message_id"], ratings, strict=True))


def _from_users(feedbacks: pd.DataFrame) -> Any:
    """The mask of the ratings that end users gave."""
    return feedbacks["from_source"].astype("string").fillna("user").eq("user").to_numpy("bool")


def with_ratings(messages: pd.DataFrame, ratings: Mapping[str, str | None]) -> pd.DataFrame:
    """Messages with these ratings, and no others."""
    words = [ratings.get(key) for key in messages["message_id"]]
    return messages.assign(rating=dataframes.array(SCHEMA["messages"]["rating"], words, len(messages)))


def with_feedbacks(messages: pd.DataFrame, feedbacks: pd.DataFrame) -> pd.DataFrame:
    """Messages with the ratings of their users in the table `feedbacks`."""
    return with_ratings(messages, user_ratings(feedbacks))


def update_feedbacks(before: pd.DataFrame, after: pd.DataFrame, replaced: set[str], *, listed: bool) -> pd.DataFrame:
    """The ratings of an earlier fetch with those of a later one.

    Args:
        replaced: conversations that were fetched again.
        listed: whether the server listed all its ratings. Otherwise they come from messages, without id, comment and
            the console's: what is known of these stays as long as the rating is the same.
    """
    refetched = before["conversation_id"].isin(replaced).to_numpy("bool")
    if listed:
        keep = ~refetched & before["feedback_id"].isna().to_numpy("bool")
        keep &= ~before["message_id"].isin(after["message_id"]).to_numpy("bool")
        return dataframes.concat(FEEDBACKS, [before[keep], after], ordered=True)
    current = user_ratings(after)
    same = pd.Series(
        [current.get(key) == rating for key, rating in zip(before["message_id"], before["rating"], strict=True)],
        dtype="bool",
    ).to_numpy("bool")
    keep = ~refetched | ~_from_users(before) | same
    kept_rows = before[keep]
    rated_ids = kept_rows["message_id"][_from_users(kept_rows)]
    others = after[~after["message_id"].isin(rated_ids).to_numpy("bool")]
    return dataframes.concat(FEEDBACKS, [kept_rows, others], ordered=True)
