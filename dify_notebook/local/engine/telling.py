"""How a run is told to its client, by what its app is: what stands in front of every event, in which event text goes
out, how it ends, and what a blocking client gets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...wire.kinds import AGENT, CHATFLOW, COMPLETION, WORKFLOW, AppMode
from ..store.store import Row
from .ending import metadata_of, tell_end, tell_failure
from .unstarted import NO_END, unstarted, workflow_of

if TYPE_CHECKING:
    from .run import Run, RunFailed

BLOCKING_RUN = (
    "id", "workflow_id", "status", "outputs", "error", "elapsed_time", "total_tokens", "total_steps", "created_at",
    "finished_at",
)  # fmt: skip
"""What a blocking client hears of a workflow app's run."""


class Telling(ABC):
    """What clients of one kind of app hear."""

    @abstractmethod
    def head(self, run: Run) -> Row:
        """What stands in front of every event, but for the task."""

    @abstractmethod
    def text(self, run: Run, piece: str, selector: Sequence[str] | None) -> None:
        """A piece of text, from that node and variable. Raises: Stopped."""

    @abstractmethod
    def end(self, run: Run, ran: Row | None, replaced: str | None) -> None:
        """The last events of a run that ended or was stopped; see `ending.tell_end`."""

    @abstractmethod
    def failure(self, run: Run, error: RunFailed, ran: Row | None = None) -> None:
        """Those of one that failed."""

    @abstractmethod
    def blocking(self, run: Run) -> Row:
        """The body of a blocking answer to a run that has ended or waits."""


class _Chat(Telling):
    """A message in a conversation."""

    event = "message"

    def head(self, run: Run) -> Row:
        return {
            "conversation_id": run.conversation_id,
            "message_id": run.message_id,
            "created_at": run.created_at,
        }

    def text(self, run: Run, piece: str, selector: Sequence[str] | None) -> None:
        chosen = [] if selector is None else list(selector)
        run.emit(self.event, id=run.message_id, answer=piece, from_variable_selector=chosen)

    def end(self, run: Run, ran: Row | None, replaced: str | None) -> None:
        tell_end(run, ran, replaced)

    def failure(self, run: Run, error: RunFailed, ran: Row | None = None) -> None:
        tell_failure(run, error, ran)

    def blocking(self, run: Run) -> Row:
        head = self.head(run)
        created_at = head.pop("created_at")
        said = {
            "event": "message" if run.paused is None else "workflow_paused",
            "task_id": run.task_id,
            "id": run.message_id,
            "message_id": head.pop("message_id"),
            **head,
            "mode": run.app.mode,
            "answer": run.answer,
            "metadata": metadata_of(run),
            "created_at": created_at,
        }
        if run.paused is not None:
            said |= {"workflow_run_id": run.paused["workflow_run_id"], "data": run.paused}
        return said


class _AgentChat(_Chat):
    def text(self, run: Run, piece: str, selector: Sequence[str] | None) -> None:
        run.emit("agent_message", id=run.message_id, answer=piece)


class _Completion(_Chat):
    """A message that no client can find a conversation of."""

    def head(self, run: Run) -> Row:
        return {"message_id": run.message_id, "created_at": run.created_at}


class _Workflow(Telling):
    """A run without a message: its end is `workflow_finished`, of a failure too."""

    def head(self, run: Run) -> Row:
        return {"workflow_run_id": run.message_id}

    def text(self, run: Run, piece: str, selector: Sequence[str] | None) -> None:
        run.emit("text_chunk", data={"text": piece, "from_variable_selector": list(selector or ())})

    def end(self, run: Run, ran: Row | None, replaced: str | None) -> None:
        self._finished(run, ran, NO_END)

    def failure(self, run: Run, error: RunFailed, ran: Row | None = None) -> None:
        if ran is None and run.finish_workflow is not None:
            ran = run.finish_workflow("failed", error.message)
        self._finished(run, ran, error.message)

    def _finished(self, run: Run, ran: Row | None, reason: str) -> None:
        if ran is None:  # it failed before its first node, or could not be begun
            started, ended = unstarted(run.app, reason, task=run.task_id, run=run.message_id)
            run.tell("workflow_started", data=started["data"])
            ran = ended["data"]
        run.finished = ran
        run.tell("workflow_finished", data=ran)

    def blocking(self, run: Run) -> Row:
        paused = run.paused
        if paused is None:
            data = {name: (run.finished or {}).get(name) for name in BLOCKING_RUN}
        else:
            known = {"id": run.message_id, "workflow_id": workflow_of(run.app), "error": None, "finished_at": None}
            data = {name: (known | paused).get(name) for name in BLOCKING_RUN}
            data |= {"paused_nodes": paused["paused_nodes"], "reasons": paused["reasons"]}
        return {"task_id": run.task_id, "workflow_run_id": run.message_id, "data": data}


_CHAT = _Chat()
_TELLING: Mapping[AppMode, Telling] = {
    AGENT: _AgentChat(),
    CHATFLOW: _CHAT,
    COMPLETION: _Completion(),
    WORKFLOW: _Workflow(),
}


def telling_of(mode: AppMode) -> Telling:
    """How runs of such an app are told."""
    return _TELLING.get(mode, _CHAT)
