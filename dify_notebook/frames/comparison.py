"""`Comparison`: two turns beside each other, as tables and to be looked at."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..console import displayed
from ..errors import InputError
from ..i18n import t
from ..printable import one_line
from ..turn import comparing
from ..turn.state import Turn
from .item_rows import batch_of
from .schema import Column as C
from .schema import Table
from .texts import as_json, clean

if TYPE_CHECKING:
    import pandas as pd

NODES = Table(
    "comparison.nodes",
    "One row for each run of a node, those of both turns that stand in the same place in one row.",
    ("node_id", "parent", "round", "run"),
    (
        C("node_id", "string", "The node in the app's graph.", False),
        C("round", "Int64", "Which round of the iteration or loop, from 0, where known."),
        C("run", "Int64", "Which run of the node there, from 0.", False),
        C("title", "string", "The node's name for people.", False),
        C("node_type", "string", "llm, code, answer and so on.", False),
        C("only_in", "category", "The turn that alone has it; missing where both do.", categories=("a", "b")),
        C("status_a", "string", "How it went in a."),
        C("status_b", "string", "How it went in b."),
        C("elapsed_a", "float64", "How long it ran in a: as the server told, else as seen here.", unit="s"),
        C("elapsed_b", "float64", "How long it ran in b.", unit="s"),
        C("elapsed_delta", "float64", "b - a.", unit="s"),
        C("tokens_a", "Int64", "Tokens in a, as told.", unit="tokens"),
        C("tokens_b", "Int64", "Tokens in b.", unit="tokens"),
        C("tokens_delta", "Int64", "b - a.", unit="tokens"),
        C(
            "inputs_differ",
            "boolean",
            "Whether it was given something else, the prompts of a model included; missing where only one turn has it.",
        ),
        C("outputs_differ", "boolean", "Whether it gave something else; likewise."),
        C("parent", "string", "`node_id` of the iteration or loop that it ran in."),
    ),
)
VALUES = Table(
    "comparison.values",
    "One row for each value that differs.",
    ("name",),
    (
        C("name", "string", "Its name.", False),
        C("a", "string", "The value in a; missing where a has none.", unit="JSON"),
        C("b", "string", "The value in b.", unit="JSON"),
        C(
            "place",
            "string",
            "Where they differ first, such as `items[2].text:3:1`: indices from 0, line and column of texts from 1; "
            "missing where the values as a whole differ.",
        ),
    ),
)


class Comparison:
    """Two turns beside each other: `frames.compare(a, b)`. In a notebook: tables and two timelines on one scale.

    What differs in every run is not counted as a difference: ids of runs and uploads, signatures of links, how long a
    model took (that stands in `nodes` and `summary`).
    """

    def __init__(self, a: Turn, b: Turn) -> None:
        self.a = a
        self.b = b

    @cached_property
    def nodes(self) -> pd.DataFrame:
        """The runs of the nodes of both: node_id, round, run, title, node_type, only_in, and of a and b status,
        elapsed (s), tokens and their deltas (b - a), inputs_differ, outputs_differ; parent.

        A run answers to another by where it stands: its node id, the container and the round, and which of the runs
        there it was.
        """
        ids = [{node.id: node.node_id for node in turn.nodes or ()} for turn in (self.a, self.b)]
        return _frame(NODES, [_node_row(pair, *ids) for pair in comparing.node_pairs(self.a, self.b)])

    @cached_property
    def inputs(self) -> pd.DataFrame:
        """The inputs that differ, and the question where it does: name, the values of a and b as JSON text,
        and the place where they differ first."""
        return _values(comparing.inputs(self.a), comparing.inputs(self.b))

    @cached_property
    def outputs(self) -> pd.DataFrame:
        """The outputs that differ, of what has no run the answer: name, the values of a and b as JSON text,
        and the place where they differ first."""
        return _values(comparing.outputs(self.a), comparing.outputs(self.b))

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Columns a, b and delta (b - a); rows status, seconds, first_token (s), total_tokens, total_price, currency,
        steps. Prices of different currencies have no delta."""
        import pandas as pd

        rows = comparing.measures(self.a, self.b)
        return pd.DataFrame(
            {
                "a": pd.Series([_plain(row.a) for row in rows], dtype="object"),
                "b": pd.Series([_plain(row.b) for row in rows], dtype="object"),
                "delta": pd.Series([row.delta for row in rows], dtype="float64"),
            }
        ).set_index(pd.Index([row.name for row in rows], dtype="object"))

    def __repr__(self) -> str:
        pairs = comparing.node_pairs(self.a, self.b)
        alone = sum(pair.only_in is not None for pair in pairs)
        lines = f"{len(pairs):,} nodes, {alone:,} in one alone" if pairs else "no nodes"
        return f"<Comparison {one_line(self.a.status)} / {one_line(self.b.status)}, {lines}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from ..views import comparison

        return displayed(comparison.bundle(self.a, self.b))


def compare(a: Turn, b: Turn) -> Comparison:
    """See `frames.compare`."""
    for name, turn in (("a", a), ("b", b)):
        if not isinstance(turn, Turn):
            raise InputError(t("frames.no_turn", name=name, type=type(turn).__name__), code=name)
    return Comparison(a, b)


def _node_row(pair: comparing.NodePair, ids_a: dict[str, str], ids_b: dict[str, str]) -> dict[str, Any]:
    node, a, b = pair.node, pair.a, pair.b
    seconds = [None if one is None else comparing.seconds(one) for one in (a, b)]
    tokens = [None if one is None else one.total_tokens for one in (a, b)]
    tokens_delta = comparing.delta(*tokens)
    parent = node.parent
    return {
        "node_id": clean(pair.node_id) or "",
        "round": pair.round,
        "run": pair.run,
        "title": clean(node.title) or "",
        "node_type": clean(node.node_type) or "",
        "only_in": pair.only_in,
        "status_a": a and a.status,
        "status_b": b and b.status,
        "elapsed_a": seconds[0],
        "elapsed_b": seconds[1],
        "elapsed_delta": comparing.delta(*seconds),
        "tokens_a": tokens[0],
        "tokens_b": tokens[1],
        "tokens_delta": None if tokens_delta is None else int(tokens_delta),
        "inputs_differ": pair.inputs_differ,
        "outputs_differ": pair.outputs_differ,
        "parent": None if parent is None else clean((ids_a if a is not None else ids_b).get(parent)),
    }


def _values(a: dict[str, Any], b: dict[str, Any]) -> pd.DataFrame:
    return _frame(
        VALUES,
        [
            {
                "name": clean(found.name),
                "a": _json(found.a) if found.in_a else None,
                "b": _json(found.b) if found.in_b else None,
                "place": clean(str(found.place)) or None,
            }
            for found in comparing.differences(a, b)
        ],
    )


def _plain(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value


def _json(value: Any) -> str:
    text = as_json(value)
    return "null" if text is None else text


def _frame(table: Table, rows: list[dict[str, Any]]) -> pd.DataFrame:
    from .dataframes import from_columns

    return from_columns(table, batch_of(rows))
