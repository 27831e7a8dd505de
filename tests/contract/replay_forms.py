"""Runs that ask a person or are followed, made anew in the state in which a recorded request found them."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from contract.replay_apps_116 import LEFT
from local_helpers import Client

from dify_notebook.local.server.process import LocalServer

OWNER = "golden-user"
"""Who asked all of them."""
NAMES = ("humanflow", "brancha", "twohumans")
FILLED = {"note": "a <b> note", "kind": "y"}
FOLLOWED = "slowflow"


@dataclass(frozen=True)
class Asked:
    """A run by its ids and its forms' tokens."""

    run: str
    conversation: str
    message: str
    tokens: tuple[str, ...]


class Asking:
    """Runs of one server. Each request gets one of its own.

    Args:
        app: that was asked; any other than those that ask means humanflow's.
        what: the request's name, which tells how far the run had come.
    """

    def __init__(self, server: LocalServer, app: str, what: str) -> None:
        self._server = server
        self._app = app if app in (*NAMES, FOLLOWED) else NAMES[0]
        self._what = what
        self._client = Client(server, self._app, OWNER)
        self._over = threading.Event()

    @contextlib.contextmanager
    def run(self) -> Iterator[Asked]:
        """It has come as far as it had; where its form was submitted while it was followed, so it is here."""
        with self._client, ThreadPoolExecutor(1) as beside:
            asked = self._asked()
            if any(word in self._what for word in ("rejected", "finished", "after-one", "again")):
                self._submit(asked, "reject" if "rejected" in self._what else "approve")
                # The state of a run is told at its end, or once it waits again.
                self._client.get(f"/workflow/{asked.run}/events", include_state_snapshot="true")
            later = beside.submit(self._submit_once_followed, asked) if "resumed" in self._what else None
            try:
                yield asked
            finally:
                self._over.set()
            if later is not None:
                later.result()

    def _asked(self) -> Asked:
        told = []
        for event in self._client.stream(LEFT if self._app == FOLLOWED else "may I"):
            told.append(event)
            if LEFT in str(event.get("answer")):
                break  # and is left
        tokens = [event["data"]["form_token"] for event in told if event["event"] == "human_input_required"]
        first = told[0]
        return Asked(first["workflow_run_id"], first["conversation_id"], first["message_id"], tuple(tokens))

    def _submit(self, asked: Asked, action: str) -> None:
        body = {"inputs": FILLED if self._app == NAMES[0] else {}, "action": action, "user": OWNER}
        answer = self._client.post(f"/form/human_input/{asked.tokens[0]}", body)
        assert answer.status_code == 200, json.dumps(answer.json())

    def _submit_once_followed(self, asked: Asked) -> None:
        while not self._over.wait(0.005):
            if asked.message in self._server._runs.listeners._of:
                self._submit(asked, "approve")
                return
