"""For notebooks in the panel's tests: clients for the apps that the test serves, whose keys no cell names."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from dify_notebook import ChatPanel, Dify

TOLD = Path(os.environ["DIFY_NOTEBOOK_DATA_DIR"]) / "panel-tests.json"


def dify(app: str, user: str) -> Dify:
    """A client for that app."""
    told = json.loads(TOLD.read_text())
    return Dify(told["keys"][app], told["url"], user=user)


def chat(app: str, user: str, **more: object) -> ChatPanel:
    """A panel for that app."""
    return ChatPanel(dify(app, user), **more)  # type: ignore[arg-type]


def busy(until: str, seconds: float = 120) -> None:
    """Keep the kernel's main thread at work until that file is there."""
    print("begun", flush=True)
    end = time.monotonic() + seconds
    while not os.path.exists(until):
        for _ in range(100_000):
            pass
        assert time.monotonic() < end, "nobody made the file"
    print("free")


def environment(app: str, user: str) -> None:
    """Let `Dify()` be a client for that app, as a reader's own environment does it."""
    told = json.loads(TOLD.read_text())
    os.environ.update(DIFY_API_KEY=told["keys"][app], DIFY_BASE_URL=told["url"], DIFY_USER=user)
