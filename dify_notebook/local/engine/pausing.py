"""A run that waits for a person: what is told then, and what it takes to go on, also after the server has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..store.paused import NewForm, PausedRuns
from ..store.store import Row

if TYPE_CHECKING:
    from .run import Run

HUMAN_INPUT = "human-input"
"""The type of node that asks."""


class Paused(Exception):
    """Nothing is left to do but what a person decides; raised by the app.

    Args:
        state: the graph's, as JSON can say it.
        forms: all that it waits for, in order.
        data: what `workflow_paused` says, but for the reasons.
    """

    def __init__(self, state: Row, forms: Sequence[Waiting], data: Mapping[str, Any]) -> None:
        super().__init__("the run waits for a person")
        self.state = state
        self.forms = tuple(forms)
        self.data = dict(data)


@dataclass(frozen=True)
class Waiting:
    """A node that waits, with its form."""

    node: str
    definition: Row
    """As events and messages tell it, but for the token."""
    created_at: int
    expires_at: float
    """Seconds since 1970."""

    @property
    def id(self) -> str:
        """Of the form, and of the node's run."""
        return str(self.definition["form_id"])

    def row(self) -> Row:
        return {
            "node": self.node,
            "definition": self.definition,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
        }

    @classmethod
    def of(cls, row: Row) -> Waiting:
        return cls(row["node"], row["definition"], row["created_at"], row["expires_at"])


@dataclass(frozen=True)
class Resumption:
    """With what a run goes on."""

    state: Row
    """As `Paused` had it."""
    answers: Mapping[str, Row]
    """Node -> its form's definition, and the action and inputs that were chosen."""

    @property
    def waiting(self) -> dict[str, Waiting]:
        """Nodes that waited, those that were answered among them."""
        return {row["node"]: Waiting.of(row) for row in self.state["waiting"]}


def required(form: Waiting, token: str) -> Row:
    """What `human_input_required` says."""
    return {**form.definition, "form_token": token, "approval_channels": ["console"]}


def reason(form: Waiting, token: str) -> Row:
    """A reason of `workflow_paused`."""
    row = {name: value for name, value in required(form, token).items() if name != "display_in_ui"}
    return {"TYPE": "human_input_required", **row}


def paused_data(data: Mapping[str, Any], forms: Sequence[Waiting], tokens: Sequence[str]) -> Row:
    """What `workflow_paused` says."""
    reasons = [reason(form, token) for form, token in zip(forms, tokens, strict=True)]
    return {**data, "paused_nodes": [form.node for form in forms], "reasons": reasons, "status": "paused"}


async def keep(run: Run, pauses: PausedRuns, pause: Paused, *, name: str | None, variables: Row) -> None:
    """Commit what the run has said, what it waits for and all that it takes to go on.

    Args:
        name: what its conversation is called from now on; None leaves that alone.
        variables: conversation variables that it changed.
    """
    known = set() if run.resumption is None else {form.id for form in run.resumption.waiting.values()}
    await pauses.pause(
        run.message_id,
        state=_state(run, pause),
        forms=[NewForm(w.id, w.node, w.definition, w.expires_at) for w in pause.forms if w.id not in known],
        answer=run.answer,
        usage=run.usage,
        resources=run.resources,
        workflow_run={**pause.data, "id": pause.data["workflow_run_id"]},
        name=name,
        variables=variables,
    )


def _state(run: Run, pause: Paused) -> Row:
    return {
        **pause.state,
        "paused": pause.data,
        "task_id": run.task_id,
        "created_at": run.created_at,
        "user": run.user,
        "end_user": run.end_user,
        "files": list(run.files),
        "uploads": [[u.name, u.extension, u.mime_type, u.size, u.path.name] for u in run.uploads],
        "meter": [run.meter.prompt, run.meter.completion, run.meter.latency],
        "resources": run.resources,
        "reasoning": run.reasoning,
        "spent": run.elapsed,
        "first_token": run.first_token,
    }
