"""Turns, messages and whole histories as pandas tables.

    frames.turns([turn, ...])         one row for each turn; `messages` of a history join by message_id
    frames.nodes(turns)               the workflow nodes of one turn or of many, to be compared
    frames.thoughts / citations / files / forms / events(turns)
    frames.compare(a, b)              two turns beside each other: nodes, inputs and outputs that differ, timelines
    frames.runs()                     the tapes in this machine's store;  frames.replay(runs) their turns
    frames.conversations / messages / variables / feedbacks / annotations / workflow_runs(items)   what the client's
                                      lists give
    frames.plots.nodes(frames.nodes(turns))   charts beside those of `history.plot` and `turn.plot`
    frames.safe_for_spreadsheets(table)   the table for Excel and the like: no text of it is calculated there
    frames.SCHEMA                     every table with its columns

Every DataFrame has all columns of its table in `SCHEMA`, in that order and with those dtypes, an empty one too; the
rows stand in the order of what was given. pandas is imported with the first table, not before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .schema import HISTORY, SCHEMA, Column, Table

if TYPE_CHECKING:
    import pandas as pd

    from ..tape import RunStore
    from ..turn.state import Turn
    from ..wire import models
    from .comparison import Comparison
    from .history import History

__all__ = [
    "HISTORY",
    "SCHEMA",
    "Column",
    "Comparison",
    "History",
    "Table",
    "annotations",
    "citations",
    "compare",
    "conversations",
    "empty",
    "events",
    "feedbacks",
    "files",
    "forms",
    "messages",
    "nodes",
    "plots",
    "replay",
    "runs",
    "safe_for_spreadsheets",
    "thoughts",
    "turns",
    "variables",
    "workflow_runs",
]


def __getattr__(name: str) -> Any:
    if name == "History":
        from .history import History

        return History
    if name == "Comparison":
        from .comparison import Comparison

        return Comparison
    if name == "plots":
        from importlib import import_module

        return import_module(".plots", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def empty(table: str) -> pd.DataFrame:
    """A DataFrame without rows, with all columns and dtypes of the table.

    Args:
        table: its name, such as "messages".

    Raises:
        KeyError: there is no such table.
    """
    from .dataframes import from_columns

    return from_columns(SCHEMA[table], {})


def safe_for_spreadsheets(frame: pd.DataFrame) -> pd.DataFrame:
    """The same table for Excel, LibreOffice or Google Sheets: nothing in it is calculated there.

        frames.safe_for_spreadsheets(history.messages).to_csv("messages.csv", index=False)

    What people asked and models answered may begin as a formula does. A quote goes before each text, name of a
    column or label of a row that begins with `=`, `+`, `-` or `@`, blanks before them included, or with a tab or a
    line break. Numbers and times stay what they are. The table is for looking at: what reads it back has the quotes.

    Returns:
        A copy of the same shape.
    """
    from .spreadsheet import safe

    return safe(frame)


# -- of turns --------------------------------------------------------------------------


def turns(turns: Turn | Iterable[Turn]) -> pd.DataFrame:
    """One row for each turn (table `turns`): status, usage and times, in seconds since the question was sent."""
    return _of_turns("turns", turns)


def nodes(turns: Turn | Iterable[Turn]) -> pd.DataFrame:
    """One row for each run of a workflow node (table `nodes`), out of the events of live runs and tapes; else empty."""
    return _of_turns("nodes", turns)


def thoughts(turns: Turn | Iterable[Turn]) -> pd.DataFrame:
    """One row for each tool call of an agent, and for each thought without one (table `thoughts`)."""
    return _of_turns("thoughts", turns)


def citations(turns: Turn | Iterable[Turn]) -> pd.DataFrame:
    """One row for each passage that an answer rests on (table `citations`)."""
    return _of_turns("citations", turns)


def files(turns: Turn | Iterable[Turn]) -> pd.DataFrame:
    """One row for each file of a message (table `files`), with its size in bytes."""
    return _of_turns("files", turns)


def forms(turns: Turn | Iterable[Turn]) -> pd.DataFrame:
    """One row for each form that a run asked people to answer (table `forms`), without its token."""
    return _of_turns("forms", turns)


def events(turns: Turn | Iterable[Turn]) -> pd.DataFrame:
    """One row for each event of the stream (table `events`), pings included; empty where no tape was kept."""
    return _of_turns("events", turns)


def compare(a: Turn, b: Turn) -> Comparison:
    """Two turns beside each other, of any apps, live or out of tapes.

        comparison = frames.compare(before, after)
        comparison.nodes[comparison.nodes["outputs_differ"].fillna(False)]

    Args:
        a, b: the turns; what is called delta is b - a.

    Returns:
        A `Comparison`: DataFrames `nodes`, `inputs`, `outputs`, `summary`. In a notebook it shows them, and both
        timelines above each other on one scale.

    Raises:
        InputError: one of them is no Turn.
    """
    from .comparison import compare

    return compare(a, b)


# -- of what the client's lists give ---------------------------------------------------


def conversations(items: Iterable[models.Conversation], *, user: str | None = None) -> pd.DataFrame:
    """One row for each conversation (table `conversations`), of `dify.conversations.list()`.

    Args:
        user: whose they are, for the column of that name; the API does not tell.
    """
    return _of_items("conversations", items, user=user)


def messages(items: Iterable[models.StoredMessage], *, user: str | None = None) -> pd.DataFrame:
    """One row for each stored message (table `messages`), of `dify.messages.list(conversation_id)`.

    Args:
        user: whose they are, for the column of that name; the API does not tell.
    """
    return _of_items("messages", items, user=user)


def variables(
    items: Iterable[models.ConversationVariable], *, conversation_id: str, user: str | None = None
) -> pd.DataFrame:
    """One row for each variable of a conversation (table `variables`).

    Args:
        conversation_id: whose variables they are; the API does not tell.
        user: whose conversation it is, likewise.
    """
    return _of_items("variables", items, user=user, conversation_id=conversation_id)


def feedbacks(items: Iterable[models.Feedback]) -> pd.DataFrame:
    """One row for each rating (table `feedbacks`), of `dify.app.feedbacks()`."""
    return _of_items("feedbacks", items)


def annotations(items: Iterable[models.Annotation]) -> pd.DataFrame:  # type: ignore[no-redef]  # __future__ has that name
    """One row for each annotation (table `annotations`), of `dify.annotations.list()`."""
    return _of_items("annotations", items)


def workflow_runs(items: Iterable[models.WorkflowLog]) -> pd.DataFrame:
    """One row for each run of a workflow app (table `workflow_runs`), of `dify.workflows.logs()`."""
    from .dataframes import from_columns
    from .run_rows import run_rows

    return from_columns(SCHEMA["workflow_runs"], run_rows(list(items)))


# -- of this machine's store -----------------------------------------------------------


def runs(
    since: Any = None,
    until: Any = None,
    *,
    store: RunStore | None = None,
) -> pd.DataFrame:
    """One row for each tape in the local store (table `runs`); joins a history by message_id.

    Every `%%dify` cell and every panel leaves one, unless `%dify runs off` says otherwise. The
    tapes hold what the API never gives again: events, and nodes with their times, tokens and prices.

    Args:
        since: from then on, as for `dify.history`: a time, a date, a timedelta, "7 days"; without a zone it is local.
        until: before then; likewise.
        store: another store than this user's.

    Returns:
        Oldest first; of each tape only the beginning is read.

    Raises:
        InputError: one of them is no time, or `since` is not before `until`.
    """
    from .dataframes import from_columns
    from .tapes import run_rows

    return from_columns(SCHEMA["runs"], run_rows(since, until, store))


def replay(runs: pd.DataFrame | Iterable[str] | None = None, *, store: RunStore | None = None) -> Iterator[Turn]:
    """The turns of tapes, one after the other: `frames.nodes(frames.replay(frames.runs()))`.

    Args:
        runs: rows of `frames.runs()`, or run ids; None means all, oldest first.
        store: another store than this user's.

    Returns:
        An iterator; each tape is read when its turn is asked for.

    Raises:
        InputError: there is no such tape.
    """
    from .tapes import replay

    return replay(runs, store)


# -- how ---------------------------------------------------------------------------------


def _of_turns(name: str, turns: Turn | Iterable[Turn]) -> pd.DataFrame:
    from ..turn.state import Turn
    from .dataframes import from_columns
    from .turn_rows import TURN_ROWS

    items = [turns] if isinstance(turns, Turn) else list(turns)
    return from_columns(SCHEMA[name], TURN_ROWS[name](items))


def _of_items(name: str, items: Iterable[Any], **of: Any) -> pd.DataFrame:
    from .dataframes import from_columns
    from .item_rows import ITEM_ROWS

    return from_columns(SCHEMA[name], ITEM_ROWS[name](list(items), **of))
