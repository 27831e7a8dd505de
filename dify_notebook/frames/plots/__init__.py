"""Charts of histories, turns and nodes, on Altair (extra `plot`).

    history.plot.activity() .tokens() .cost() .latency() .ratings() .tools()
    history.plot.runs()                                 of a workflow app
    turn.plot.timeline()
    frames.plots.nodes(frames.nodes(turns), by=None)

Each gives a `Plot`, which shows itself in a notebook without a network. Everything is added up in pandas first,
so a chart of a million messages is as small as one of a thousand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .aggregate import Every
from .plot import Plot

if TYPE_CHECKING:
    import pandas as pd

    from ...turn.state import Turn
    from ..history import History

__all__ = ["Every", "HistoryPlots", "Plot", "TurnPlots", "nodes"]


class HistoryPlots:
    """`history.plot`: charts of a history, each a `Plot`, of its tables `messages`, `thoughts` and `workflow_runs`.

    All but `tools` take `every` (hour, day, week, month or year; None chooses one) and `zone` (an IANA name such as
    `"Europe/Berlin"`), in which days begin. `plot.data` is the table that is drawn, with a row for each mark.

    Raises (all of them):
        InputError: nothing in the history has what is to be drawn, or an argument cannot be.
        ConfigError: the extra `plot` is not installed.
    """

    def __init__(self, history: History) -> None:
        self._history = history

    def activity(self, every: Every | None = None, *, by: str | None = "status", zone: str = "UTC") -> Plot:
        """How many messages there were in each period.

        Args:
            by: a column of `messages` to stack them by, such as status, user, rating or model; None for none.
        """
        from . import messages

        return messages.activity(self._history.messages, every, by=by, zone=zone)

    def tokens(self, every: Every | None = None, *, zone: str = "UTC") -> Plot:
        """Tokens of prompts and of answers in each period, of the messages that have them."""
        from . import messages

        return messages.tokens(self._history.messages, every, zone=zone)

    def cost(self, every: Every | None = None, *, zone: str = "UTC") -> Plot:
        """What the messages of each period cost; a chart for each currency, which are never added."""
        from . import messages

        return messages.cost(self._history.messages, every, zone=zone)

    def latency(self, every: Every | None = None, *, zone: str = "UTC") -> Plot:
        """Seconds that answers took: median, middle half and 90th percentile of each period."""
        from . import messages

        return messages.latency(self._history.messages, every, zone=zone)

    def ratings(self, every: Every | None = None, *, share: bool = False, zone: str = "UTC") -> Plot:
        """Likes and dislikes of the messages of each period.

        Args:
            share: draw their shares instead of their numbers.
        """
        from . import messages

        return messages.ratings(self._history.messages, every, share=share, zone=zone)

    def tools(self, *, most: int = 20) -> Plot:
        """How often an agent called each tool.

        Args:
            most: bars at most; less frequent tools share the last one.
        """
        from . import messages

        return messages.tools(self._history.thoughts, most=most)

    def runs(
        self,
        every: Every | None = None,
        *,
        by: str | None = "status",
        seconds: bool = False,
        zone: str = "UTC",
    ) -> Plot:
        """How many runs of a workflow app there were in each period.

        Args:
            by: a column of `workflow_runs` to stack them by, such as status, user or version; None for none.
            seconds: draw how long they took instead: median, middle half and 90th percentile of each period.
        """
        from . import messages

        return messages.runs(self._history.workflow_runs, every, by=by, seconds=seconds, zone=zone)

    def __repr__(self) -> str:
        return "history.plot: activity(), tokens(), cost(), latency(), ratings(), tools(), runs()"


class TurnPlots:
    """`turn.plot`: charts of one turn."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    def timeline(self) -> Plot:
        """When the waiting, the answer, each workflow node and each tool call began and ended.

        Seconds since the question was sent, of a live run or its tape.

        Raises:
            InputError: no times are known, as for what comes from the history.
            ConfigError: the extra `plot` is not installed.
        """
        from . import runs

        return runs.timeline(self._turn)

    def __repr__(self) -> str:
        return "turn.plot: timeline()"


def nodes(nodes: pd.DataFrame, *, by: str | None = None) -> Plot:
    """How long each workflow node takes over many runs (s, or ms): median, middle half and 90th percentile.

    frames.plots.nodes(frames.nodes(turns))                       # nodes of one app in many runs
    frames.plots.nodes(table.assign(day=...), by="day")           # groups of runs beside each other

    Args:
        nodes: as `frames.nodes(turns)` returns it; rows without `elapsed` are left out.
        by: a column that tells groups of runs apart: one of the table's, or one that you added.

    Raises:
        InputError: no node has a time, or there is no such column.
        ConfigError: the extra `plot` is not installed.
    """
    from . import runs

    return runs.nodes(nodes, by=by)
