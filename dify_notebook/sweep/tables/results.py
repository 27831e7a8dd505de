"""What a sweep found, as tables: one row for each turn of each case, and the nodes and thoughts of their answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

from ... import console
from ...errors import TapeError
from ...frames.column import IN_CONVERSATION, OF_TURN, Table
from ...frames.column import Column as C
from ...frames.item_rows import Batch, thought_rows
from ...frames.run_schema import NODES
from ...frames.schema import THOUGHTS
from ...frames.texts import as_microseconds
from ...frames.turn_rows import node_rows
from ...i18n import t
from ...turn.state import Turn
from ..case import Case
from ..records import Answer, Outcome, State
from ..variants import VariantKey, variant_key
from .contamination import Reason, same_answers
from .frame import cell, dtype_of, integer, json_of, plain, text, variant_columns
from .kept import Attempts, Kept

if TYPE_CHECKING:
    import pandas as pd

CASE = C("case", "string", "The case; joins the tables of a sweep.", False)
TURN = C("turn", "Int64", "Which turn of the case, from 1.", False)
FIRST = (
    CASE,
    C("question", "string", "What is asked, whatever the variant and the repeat.", False),
    C("label", "string", "Of the first row that asks it; whole numbers stay such."),
    C("labels", "string", "Of all rows that ask it, where several do.", unit="JSON"),
    C("cluster", "string", "What the question belongs to; likewise."),
)
REST = (
    C("repeat", "Int64", "Which repeat, from 1.", False),
    TURN,
    C(
        "state",
        "category",
        "unknown: it may have been asked, and nobody knows how it ended.",
        False,
        categories=get_args(State),
    ),
    C("query", "string", "The question as it was sent; missing for apps that take inputs only."),
    C("answer", "string", "The answer without the model's reasoning; of a failed one what came of it."),
    C("outputs", "string", "Of workflow apps.", unit="JSON"),
    C("error_code", "string", "Why it failed, as a word."),
    C("error", "string", "Why it failed."),
    C("prompt_tokens", "Int64", "Tokens of the prompt.", unit="tokens"),
    C("completion_tokens", "Int64", "Tokens of the answer.", unit="tokens"),
    C("total_tokens", "Int64", "Tokens in all, as the server added them up.", unit="tokens"),
    C("price", "float64", "Price in all, where reported. Never add different currencies.", unit="currency"),
    C("currency", "string", "What the price is in, as the server writes it."),
    C("seconds", "float64", "From sending it to the end of the answer.", unit="s"),
    C("first_token", "float64", "From sending it to the first text.", unit="s"),
    C(
        "excluded",
        "category",
        "Why the question is left out of comparisons, for all its variants.",
        categories=get_args(Reason),
    ),
    C("annotation", "boolean", "Whether an annotation answered instead of the model."),
    C("moderated", "boolean", "Whether moderation replaced the text."),
    C("same_in_all_repeats", "boolean", "Whether all repeats answered the same; missing where fewer than two did."),
    C("tries", "Int64", "How often the case was asked to an end.", False),
    OF_TURN,
    IN_CONVERSATION,
    C("workflow_run_id", "string", "The run, of apps that have runs."),
    C("workflow_id", "string", "The published version that answered, where reported."),
    C("created_at", "timestamp", "When the case began."),
)
VARIANT = (
    C("app", "string", "The app, as the sweep calls it.", False),
    C("prompt", "string", "The prompt, where there are several."),
)
RESULTS = Table(
    "sweep.results",
    "One row for each turn of each case, those that were not asked too. After `prompt` stands a column for each input "
    "that is varied, under its name (`input_NAME` where another column has it).",
    ("case", "turn"),
    (*FIRST, *VARIANT, *REST),
)
_OF_CASE = (CASE, TURN)
SWEEP_NODES = Table(
    "sweep.nodes", "The nodes that ran for each answer.", ("case", "turn", "position"), (*_OF_CASE, *NODES.columns)
)
SWEEP_THOUGHTS = Table(
    "sweep.thoughts",
    "The tool calls and thoughts of each answer.",
    ("case", "turn", "thought_id", "call"),
    (*_OF_CASE, *THOUGHTS.columns),
)


def results_table(cases: Sequence[Case]) -> Table:
    """The table of these cases: `RESULTS`, with the inputs that they vary and the dtypes of their labels."""
    return _columns(cases)[0]


def _columns(cases: Sequence[Case]) -> tuple[Table, Callable[[Any], dict[str, Any]]]:
    variants, values = variant_columns(cases, RESULTS.names)
    kinds = {
        "label": dtype_of(label for case in cases for label in case.labels),
        "cluster": dtype_of(case.cluster for case in cases),
    }
    first = tuple(C(c.name, kinds.get(c.name, c.dtype), c.doc, c.nullable, c.unit) for c in FIRST)
    varied = tuple(
        C(name, dtype, "An input that is varied.") for name, dtype in variants.items() if name not in ("app", "prompt")
    )
    return Table(RESULTS.name, RESULTS.doc, RESULTS.key, (*first, *VARIANT, *varied, *REST)), values


def results(cases: Sequence[Case], store: Kept, excluded: Mapping[str, str] | None = None) -> pd.DataFrame:
    """One row for each turn of each case, in the order of the cases; see `RESULTS`.

    What was not asked has rows too, and so have the turns of a script that came after the one that failed: their state
    is not_run. Prices are floats here; the store has the exact ones.

    Args:
        excluded: question -> why it is left out of comparisons, of `contaminated`.
    """
    from ...frames.dataframes import from_columns

    attempts = Attempts(cases, store)
    same = same_answers(cases, store, attempts=attempts)
    table, variant_values = _columns(cases)
    label_dtype, cluster_dtype = table["label"].dtype, table["cluster"].dtype
    columns: dict[str, list[Any]] = {name: [] for name in table.names}
    known: dict[int, tuple[VariantKey, dict[str, Any]]] = {}  # cases share their Variant
    for case in cases:
        if id(case.variant) not in known:
            known[id(case.variant)] = variant_key(case.variant), variant_values(case.variant)
        key, of_variant = known[id(case.variant)]
        state = store.state(case.id)
        outcome = attempts.last.get(case.id)
        base = {
            "case": case.id,
            "question": case.question,
            "label": cell(case.labels[0], label_dtype) if case.labels else None,
            "labels": json_of([*map(plain, case.labels)]) if len(case.labels) > 1 else None,
            "cluster": cell(case.cluster, cluster_dtype),
            **of_variant,
            "repeat": case.repeat + 1,
            "excluded": (excluded or {}).get(case.question),
            "same_in_all_repeats": same.get((case.question, key)),
            "tries": attempts.count[case.id],
            "conversation_id": outcome and outcome.conversation_id,
            "created_at": as_microseconds(outcome.began) if outcome and outcome.began else None,
        }
        for number, message in enumerate(case.messages, 1):
            turn_state = state if outcome is None else _turn_state(outcome, number)
            row = {**base, **_answer_values(outcome, number), "turn": number, "state": turn_state}
            row["query"] = row["query"] if row["query"] is not None else text(message.query)
            for name, values in columns.items():
                values.append(row[name])
    return from_columns(table, columns)


def _turn_state(outcome: Outcome, number: int) -> State:
    if number < len(outcome.answers) or (number == len(outcome.answers) and outcome.state == "succeeded"):
        return "succeeded"
    return "failed" if number == max(len(outcome.answers), 1) else "not_run"


_NO_ANSWER = Answer(status="")


def _answer_values(outcome: Outcome | None, number: int) -> dict[str, Any]:
    """The columns that one answer fills."""
    answers = outcome.answers if outcome is not None else []
    there = number <= len(answers)
    answer = answers[number - 1] if there else _NO_ANSWER
    code, error = answer.error_code, answer.error
    if outcome is not None and outcome.state == "failed" and number == max(len(answers), 1):
        code, error = code or outcome.error_code, error or outcome.error
    price = None if answer.price is None else float(answer.price)
    return {
        "query": text(answer.query),
        "answer": text(answer.answer) if there else None,
        "outputs": json_of(answer.outputs),
        "error_code": text(code),
        "error": text(error),
        "prompt_tokens": integer(answer.prompt_tokens),
        "completion_tokens": integer(answer.completion_tokens),
        "total_tokens": integer(answer.total_tokens),
        "price": price if price is not None and math.isfinite(price) else None,
        "currency": text(answer.currency),
        "seconds": answer.seconds,
        "first_token": answer.first_token,
        "annotation": answer.annotation if there else None,
        "moderated": answer.moderated if there else None,
        "message_id": answer.message_id,
        "workflow_run_id": answer.workflow_run_id,
        "workflow_id": answer.workflow_id,
    }


def nodes(cases: Sequence[Case], store: Kept) -> pd.DataFrame:
    """The nodes of each answer: `frames.schema.NODES` with `case` and `turn` in front, read from the kept tapes."""
    return _of_tapes(SWEEP_NODES, node_rows, cases, store)


def thoughts(cases: Sequence[Case], store: Kept) -> pd.DataFrame:
    """The thoughts and tool calls of each answer: `frames.schema.THOUGHTS` with `case` and `turn` in front."""
    return _of_tapes(SWEEP_THOUGHTS, thought_rows, cases, store)


def _of_tapes(
    table: Table, rows_of: Callable[[Sequence[Turn]], Batch], cases: Sequence[Case], store: Kept
) -> pd.DataFrame:
    """Rows of replayed turns, one turn after the other, so that none is held longer than that."""
    from ...frames.dataframes import from_batches

    attempts = Attempts(cases, store)
    batches: list[Batch] = []
    gone = 0
    for id in dict.fromkeys(case.id for case in cases):  # once also where two variants send the same
        outcome = attempts.last.get(id)
        for number, answer in enumerate(outcome.answers if outcome is not None else (), 1):
            try:
                batch = rows_of([store.turn(answer)])
            except TapeError:
                gone += 1
                continue
            if batch:
                length = len(next(iter(batch.values())))
                batches.append({"case": [id] * length, "turn": [number] * length, **batch})
    if gone:
        console.warn(t("sweep.results.gone", count=f"{gone:,}", table=table.name), stacklevel=3)
    return from_batches(table, batches)
