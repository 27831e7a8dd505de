"""Turns as batches of columns; see `item_rows`. Pure: no pandas, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..redact import redact
from ..turn.state import Turn, Usage
from ..wire import events as ev
from ..wire.decoder import decode
from ..wire.surrogates import Surrogates
from .item_rows import PART_ROWS, Batch, batch_of, message_ids
from .texts import as_json, as_microseconds, clean


def usage_values(usage: Usage | None) -> dict[str, Any]:
    """Tokens, prices and times of a usage, as columns."""
    if usage is None:
        return dict.fromkeys(Usage.__struct_fields__)
    values = {name: getattr(usage, name) for name in Usage.__struct_fields__}
    for name in ("prompt_price", "completion_price", "total_price"):
        values[name] = None if values[name] is None else float(values[name])
    values["currency"] = clean(usage.currency)
    return values


def turn_rows(turns: Sequence[Turn]) -> Batch:
    """The table `turns`."""
    rows = []
    for turn in turns:
        timing = turn.timing
        rows.append(
            {
                **message_ids(turn),
                "user": turn.user,
                "created_at": as_microseconds(turn.created_at),
                "status": turn.status,
                "end": turn.end,
                "complete": turn.complete,
                "rating": turn.feedback,
                **usage_values(turn.usage),
                "opened": timing and timing.opened,
                "first_event": timing and timing.first_event,
                "first_token": timing and timing.first_token,
                "total": timing and timing.total,
                "turn_number": turn.turn_number,
                "node_count": len(turn.nodes or ()) if turn.nodes or turn.workflow_run_id else None,
                "warning_count": len(turn.warnings),
                "app": turn.app,
                "app_mode": turn.app_mode,
                "server": turn.server,
                "source": turn.source,
                "workflow_run_id": turn.workflow_run_id,
                "error_code": turn.error and clean(turn.error.code),
                "error": turn.error and clean(turn.error.message),
                "query": clean(turn.query),
                "answer": clean(turn.answer),
                "reasoning": clean(turn.reasoning) or None,
                "inputs": as_json(turn.inputs),
                "outputs": as_json(turn.workflow.outputs) if turn.workflow is not None else None,
            }
        )
    return batch_of(rows)


def node_rows(turns: Sequence[Turn]) -> Batch:
    """The table `nodes`."""
    return batch_of(
        [
            {
                **message_ids(turn),
                "workflow_run_id": turn.workflow_run_id,
                "position": position,
                "node_id": node.node_id,
                "node_run_id": node.id,
                "node_type": clean(node.node_type),
                "title": clean(node.title),
                "kind": node.kind,
                "status": node.status,
                "started": node.started_at,
                "finished": node.finished_at,
                "elapsed": node.elapsed,
                "total_tokens": node.total_tokens,
                "total_price": None if node.total_price is None else float(node.total_price),
                "currency": clean(node.currency),
                "retry_count": len(node.retries),
                "round_count": None if node.kind == "node" else len(node.rounds),
                "parent": node.parent,
                "round": node.round,
                "parallel_id": node.parallel_id,
                "error": clean(node.error),
                "inputs": as_json(node.inputs),
                "process_data": as_json(node.process_data),
                "outputs": as_json(node.outputs),
            }
            for turn in turns
            for position, node in enumerate(turn.nodes or ())
        ]
    )


def event_rows(turns: Sequence[Turn]) -> Batch:
    """The table `events`; turns without a tape have none."""
    rows: list[dict[str, Any]] = []
    for turn in turns:
        if turn.tape is None:
            continue
        surrogates = Surrogates()
        for position, (at, (name, data)) in enumerate(turn.tape.entries):
            event = decode((name, data), at, surrogates)
            event_name = event.name if isinstance(event, ev.Unknown) else str(event.__struct_config__.tag)
            rows.append(
                {
                    "message_id": turn.message_id,
                    "position": position,
                    "at": at,
                    "event": clean(event_name) or "unknown",
                    "node_id": event.node_id,
                    "text": clean(event.answer_text),
                    "size": len(data or b""),
                    "data": None if data is None else redact(data).decode(errors="replace"),
                }
            )
    return batch_of(rows)


TURN_ROWS: dict[str, Callable[[Sequence[Turn]], Batch]] = {
    "turns": turn_rows,
    "nodes": node_rows,
    **PART_ROWS,
    "events": event_rows,
}
"""Table -> the function that makes it of turns."""
