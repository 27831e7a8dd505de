"""A history in a directory, as Parquet that pandas, DuckDB and polars read.

    history.json                                  what it is of (`Facts`), and the version of this form
    messages/month=2026-01/part-<time>-1.parquet  by the month that they were asked in (UTC)
    conversations/part-<time>-1.parquet           the other tables

A conversation's own row is written after everything that belongs to it: what has no row yet was not
fetched to its end, and the next update fetches it again. An update writes into a staging directory, takes the old
rows of what changed out of the files, and only then moves the new ones there; stopped in between, the next one
fetches what is missing. Whoever writes holds a lock: two updates at once would lose each other's rows.
"""

from .directory import NAME, Directory
from .files import need_pyarrow, open_parquet
from .writer import Writer

__all__ = ["NAME", "Directory", "Writer", "need_pyarrow", "open_parquet"]

Directory.__module__ = __name__  # pickles of histories name it so, also those that 0.1.0 opens
