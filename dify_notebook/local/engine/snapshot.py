"""Where a run stands, in the events with which a stream begins that follows it (`include_state_snapshot`).

As Dify does it: of nodes there are no inputs and outputs, a container is told as a plain node, and of the answer what
is stored so far, which is nothing before the first pause.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..store.store import Row
from .listeners import Event
from .pausing import Waiting, paused_data, required


def snapshot(head: Mapping[str, Any], workflow: Row, answer: str | None) -> list[Event]:
    """What was told up to now.

    Args:
        head: task_id, conversation_id, message_id and created_at of the events; of a workflow app task_id alone.
        workflow: `WorkflowEvents.row()`.
        answer: None for a workflow app, which has no message.
    """
    started = {
        "id": workflow["id"],
        "workflow_id": workflow["workflow_id"],
        "inputs": workflow["inputs"],
        "created_at": workflow["created_at"],
        "reason": "initial",
    }
    run = workflow["id"]
    events: list[Event] = [{"event": "workflow_started", **head, "workflow_run_id": run, "data": started}]
    if answer is not None:
        events.append({"event": "message_replace", **head, "answer": answer, "reason": ""})
    for index, node in enumerate(workflow["nodes"], start=1):
        for event, data in _node(index, node):
            events.append({"event": event, **head, "workflow_run_id": run, "data": data})
    return events


def paused_snapshot(
    head: Mapping[str, Any], state: Row, answer: str | None, forms: list[Waiting], tokens: list[str]
) -> list[Event]:
    """That of a run that waits.

    Args:
        state: as `Paused` had it.
        forms: those that still wait.
    """
    run = state["workflow"]["id"]
    events = snapshot(head, state["workflow"], answer)
    events += [
        {"event": "human_input_required", **head, "workflow_run_id": run, "data": required(form, token)}
        for form, token in zip(forms, tokens, strict=True)
    ]
    outputs = {"answer": answer, "files": {"value_type": "array[file]", "value": []}} if answer else {}
    data = {**paused_data(state["paused"], forms, tokens), "outputs": outputs, "elapsed_time": 0.0}
    return [*events, {"event": "workflow_paused", **head, "workflow_run_id": run, "data": data}]


def _node(index: int, node: Row) -> list[tuple[str, Row]]:
    common = {
        "id": node["id"],
        "node_id": node["node_id"],
        "node_type": node["node_type"],
        "title": node["title"],
        "index": index,
        "predecessor_node_id": None,
        "inputs": None,
        "created_at": node["created_at"],
        "iteration_id": node["iteration_id"],
        "loop_id": node["loop_id"],
    }
    events = [("node_started", {**common, "extras": {}})]
    if node["status"] is not None:
        finished = {
            **common,
            "process_data": None,
            "outputs": None,
            "status": node["status"],
            "error": node["error"],
            "elapsed_time": node["elapsed_time"],
            "execution_metadata": None,
            "finished_at": node["finished_at"],
            "files": [],
        }
        events.append(("node_finished", finished))
    return events
