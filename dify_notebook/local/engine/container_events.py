"""A node with others inside (an iteration or a loop), as the client and the store are told of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..tokens import Meter

if TYPE_CHECKING:
    from .workflow import Workflow


class Box:
    """Tells a box's events; it has the node's id for its own, and no node_started or node_finished."""

    def __init__(self, teller: Workflow, node: str, kind: str, title: str, inputs: dict[str, Any], size: int) -> None:
        self._teller = teller
        self._kind = kind
        self._inputs = inputs
        self._size = size
        self._created = int(time.time())
        self._begun = time.perf_counter()
        self._head = {"id": node, "node_id": node, "node_type": kind, "title": title}
        meter = teller.run.meter
        self._before = (meter.prompt, meter.completion)
        self.durations: dict[str, float] = {}
        """Seconds of each round that was finished."""
        self._tell(
            "started",
            created_at=self._created,
            extras={},
            metadata={f"{kind}_length": size},
            inputs=inputs,
            inputs_truncated=False,
        )

    def next(self, index: int) -> None:
        more: dict[str, Any] = {"pre_loop_output": {}} if self._kind == "loop" else {}
        self._tell("next", index=index, created_at=int(time.time()), **more, extras={})

    def completed(
        self,
        status: str,
        outputs: dict[str, Any],
        metadata: Mapping[str, Any] | None = None,
        *,
        seconds: float | None = None,
    ) -> None:
        """Tell that it has ended, and keep it. `seconds` are what it took; None: since it began."""
        run = self._teller.run
        spent = Meter(
            run.meter.prompt - self._before[0],
            run.meter.completion - self._before[1],
            run.meter.unit_in,
            run.meter.unit_out,
        )
        told = {
            "outputs": outputs,
            "outputs_truncated": False,
            "created_at": self._created,
            "extras": {},
            "inputs": self._inputs,
            "inputs_truncated": False,
            "status": status,
            "error": None,
            "elapsed_time": round(time.perf_counter() - self._begun if seconds is None else seconds, 6),
            "total_tokens": spent.total,
            "execution_metadata": {
                "total_tokens": spent.total,
                "total_price": spent.price if spent.total else "0.0",
                "currency": "USD",
                **(metadata or {}),
                f"{self._kind}_duration_map": dict(self.durations),
            },
            "finished_at": int(time.time()),
            "steps": self._size,
        }
        self._tell("completed", **told)
        run.store.write_node(run.message_id, {**self._head, **told})

    def _tell(self, what: str, **data: Any) -> None:
        self._teller.emit(f"{self._kind}_{what}", {**self._head, **data})
