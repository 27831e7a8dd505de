"""Puts the rows of an update, which lie in a staging directory, among those of a history."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa

from .. import dataframes, ratings
from ..memory import merge_runs as merged_runs
from ..memory import with_usage
from ..schema import BEYOND_API, HISTORY, SCHEMA
from . import arrow, files
from .directory import Directory


def apply(
    directory: Directory, staged: Directory, replaced: set[str], *, has_ratings: bool, has_annotations: bool
) -> pd.DataFrame:
    """Take the old rows out and move the new files in; the staging directory goes.

    See `memory.merge_fetches` for the arguments.

    Returns:
        The ratings as they are to be, whose files are gone: they are to be written anew.

    Raises:
        OSError: the disk refuses something; the next update mends it.
        InputError: a file cannot be read.
    """
    feedbacks = merged_feedbacks(directory, staged, replaced, has_ratings=has_ratings)
    usage = known_usage(directory, replaced)
    for path in staged.files("messages"):
        fill_usage(path, usage)
    merge_runs(directory, staged)
    for table in HISTORY:
        if table.name in ("feedbacks", "annotations", "workflow_runs"):
            continue
        for path in staged.files(table.name):
            drop_rows(path, lambda ids: ~ids.isin(replaced))
        for path in directory.files(table.name):
            drop_rows(path, lambda ids: ids.isin(replaced))
    for name in ("feedbacks", "annotations") if has_annotations else ("feedbacks",):
        for path in directory.files(name):
            path.unlink()
    shutil.rmtree(staged.path / "feedbacks", ignore_errors=True)
    # Conversations come last: without its own row a conversation is fetched again.
    for table in sorted(HISTORY, key=lambda table: table.name == "conversations"):
        for path in staged.files(table.name):
            target = directory.path / path.relative_to(staged.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)
    shutil.rmtree(staged.path, ignore_errors=True)
    return feedbacks


def merged_feedbacks(directory: Directory, staged: Directory, replaced: set[str], *, has_ratings: bool) -> pd.DataFrame:
    """The ratings as they are to be."""
    new = staged.table("feedbacks")
    return ratings.update_feedbacks(directory.table("feedbacks"), new, replaced, listed=has_ratings)


def known_usage(directory: Directory, replaced: set[str]) -> pd.DataFrame:
    """What is known beyond the API of messages that were fetched again."""
    names = ["message_id", "conversation_id", *BEYOND_API]
    parts = []
    for path in directory.files("messages"):
        mask = _ids(path, "conversation_id").isin(replaced).to_numpy("bool")
        if mask.any():
            frame = arrow.to_pandas(SCHEMA["messages"], files.read(path, names).filter(pa.array(mask)))
            parts.append(frame[frame[list(BEYOND_API)].notna().any(axis=1)])
    return dataframes.concat(SCHEMA["messages"], parts)


def merge_runs(directory: Directory, staged: Directory) -> None:
    """Staged runs of a workflow app get what the history knows of them beyond that, whose rows go.

    Only the rows of these runs are held.
    """
    table, paths = SCHEMA["workflow_runs"], staged.files("workflow_runs")
    if not paths:
        return
    new = staged.table("workflow_runs")
    ids, parts = new["workflow_run_id"], []
    for path in directory.files("workflow_runs"):
        mask = _ids(path, "workflow_run_id").isin(ids).to_numpy("bool")
        if mask.any():
            parts.append(arrow.to_pandas(table, files.read(path).filter(pa.array(mask))))
    merged = merged_runs(dataframes.concat(table, parts), new)
    files.save(arrow.from_pandas(table, merged), paths[0])
    for path in paths[1:]:
        path.unlink()
    for path in directory.files("workflow_runs"):
        drop_rows(path, lambda found: found.isin(ids), "workflow_run_id")


def drop_rows(path: Path, dropped: Callable[[pd.Series], pd.Series], column: str = "conversation_id") -> None:
    """Write a file without some rows; it is removed when none is left.

    Args:
        dropped: the mask of the rows that go, by their ids.
        column: what these are the ids of.
    """
    mask = dropped(_ids(path, column)).to_numpy("bool")
    if not mask.any():
        return
    if mask.all():
        path.unlink()
    else:
        files.save(files.read(path).filter(pa.array(~mask)), path)


def _ids(path: Path, column: str) -> pd.Series:
    return pd.Series(files.read(path, [column]).column(0).to_pylist(), dtype="object")


def fill_usage(path: Path, earlier: pd.DataFrame) -> None:
    """Write the messages of a file with what is known of them beyond the API, if that is anything."""
    before = arrow.to_pandas(SCHEMA["messages"], files.read(path)) if len(earlier) else None
    after = None if before is None else with_usage(before, earlier)
    if after is not None and after is not before:
        files.save(arrow.from_pandas(SCHEMA["messages"], after), path)


def set_ratings(path: Path, feedbacks: pd.DataFrame) -> None:
    """Write the messages of a file with the ratings that their users gave, if one is another."""
    before = arrow.to_pandas(SCHEMA["messages"], files.read(path))
    after = ratings.with_feedbacks(before, feedbacks)
    if before["rating"].astype("string").fillna("").tolist() != after["rating"].astype("string").fillna("").tolist():
        files.save(arrow.from_pandas(SCHEMA["messages"], after), path)
