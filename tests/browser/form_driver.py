"""For notebooks in tests: runs that ask a person, made up, through the live view and without any server."""

from __future__ import annotations

import concurrent.futures
import os
import threading
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from dify_notebook.live import View, open_view
from dify_notebook.turn.forms import Form, as_form
from dify_notebook.turn.state import Timing, Turn

TOKEN = "ft-a-token-that-nobody-may-see"
APPROVE = {"id": "approve", "title": "Approve", "button_style": "primary"}
REJECT = {"id": "reject", "title": "Reject", "button_style": "default"}
LATER = {"id": "later", "title": "Ask me later", "button_style": "ghost"}
ESCALATE = {"id": "escalate", "title": "Escalate", "button_style": "accent"}


def form(number: int = 1, *, expires: float | None = 3600, files: bool = False) -> Form:
    """A form with two fields, and one more for a file."""
    inputs: list[dict[str, Any]] = [
        {"output_variable_name": "note", "type": "paragraph", "default": {"type": "constant", "value": "my note"}},
        {
            "output_variable_name": "kind",
            "type": "select",
            "option_source": {"type": "constant", "value": ["news", "essay"]},
        },
    ]
    if files:
        inputs.append({"output_variable_name": "proof", "type": "file"})
    data = {
        "form_id": f"form-{number}",
        "node_id": f"ask-{number}",
        "node_title": f"Question {number}",
        "form_content": f"# Please check {number}\n\nMay this be **published**?\n\nNote: {{{{#$output.note#}}}}\n\n"
        "Kind:\n\n{{#$output.kind#}}\n\nThank you.",
        "inputs": inputs,
        "actions": [APPROVE, REJECT, ESCALATE, LATER],
        "form_token": TOKEN,
        "expiration_time": None if expires is None else time.time() + expires,
    }
    return as_form(data, workflow_run_id="run-1", user="ann")


class Desk:
    """A run that asks these forms, all of one list at once, and the next list when they are answered.

    `refusals` are given in turn for the first answers. `answers` are those that were taken. While the file `hold`
    exists, what goes on streams.
    """

    def __init__(self, *rounds: list[Form], refusals: list[str] | None = None, hold: str = "", take: float = 0) -> None:
        self.rounds, self.refusals, self.hold, self.take = list(rounds), refusals or [], hold, take
        self.answers: list[tuple[str, str, dict[str, Any]]] = []
        timing = Timing(opened=0.0)
        self.turn = Turn(query="Write it, please", answer="A draft. ", workflow_run_id="run-1", timing=timing)
        self.begun = time.monotonic()
        self.view: View = open_view(on_submit=self.submit)

    def ask(self, **found: Any) -> None:
        """Show it until its first pause."""
        self.view.show()
        self.view.update(self.turn, 0.0)
        self.pause()

    def pause(self) -> None:
        """Leave the turn with the next forms, and those that wait still."""
        asked = tuple(self.rounds.pop(0)) if self.rounds and not self._waiting() else ()
        forms = self.turn.forms + asked
        self.turn = msgspec.structs.replace(self.turn, forms=forms, status="paused", end="paused")
        if not self._waiting():
            timing = Timing(opened=0.0, total=self._now())
            self.turn = msgspec.structs.replace(self.turn, status="succeeded", end="message_end", timing=timing)
        self.view.finish(self.turn)

    def submit(self, key: str, action: str, inputs: Mapping[str, Any]) -> concurrent.futures.Future[str]:
        """As a session takes it: at once, and the run goes on by itself."""
        taken: concurrent.futures.Future[str] = concurrent.futures.Future()
        threading.Thread(target=self._submit, args=(taken, key, action, dict(inputs)), daemon=True).start()
        return taken

    def _submit(self, taken: concurrent.futures.Future[str], key: str, action: str, inputs: dict[str, Any]) -> None:
        time.sleep(self.take)
        if self.refusals:
            taken.set_result(self.refusals.pop(0))
            return
        self.answers.append((key, action, inputs))
        taken.set_result("")
        forms = tuple(
            msgspec.structs.replace(each, status="filled", action=action, inputs=inputs) if each.id == key else each
            for each in self.turn.forms
        )
        answer = self.turn.answer + f"{key} was answered: {action}. "
        self.turn = msgspec.structs.replace(self.turn, forms=forms, status="running", end=None, answer=answer)
        self.view.go_on()
        for _ in range(1_000):
            self.view.update(self.turn, self._now())
            if not os.path.exists(self.hold):
                break
            time.sleep(0.05)
        self.pause()

    def _waiting(self) -> bool:
        return any(each.status == "waiting" for each in self.turn.forms)

    def _now(self) -> float:
        return time.monotonic() - self.begun
