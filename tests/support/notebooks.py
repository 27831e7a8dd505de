"""Runs notebooks as `nbclient` and `jupyter nbconvert --execute` do, with the checkout's package."""

from __future__ import annotations

import os
import time
from pathlib import Path
from queue import Empty
from typing import Any

from support.kernels import sockets

import dify_notebook

SECONDS = 120
"""Longest wait for one cell."""


def execute(notebook: Any, folder: Path, **environment: str) -> Any:
    """Run every cell in place and give the notebook, widget state stored; a cell that raises, raises here.

    The kernel works in that folder and keeps its data and history below it.
    """
    from nbclient import NotebookClient
    from traitlets.config import Config

    root = str(Path(dify_notebook.__file__).parents[1])
    env = dict(os.environ)
    env.update(
        IPYTHONDIR=str(folder / "ipython"),
        PYTHONPATH=os.pathsep.join(part for part in (root, env.get("PYTHONPATH", "")) if part),
        **environment,
    )
    with sockets() as traits:
        client: Any = NotebookClient(
            notebook,
            config=Config(KernelManager=traits),
            timeout=SECONDS,
            on_cell_start=lambda **_: look_again(client.kc.shell_channel),
            kernel_name="python3",
            store_widget_state=True,
            resources={"metadata": {"path": str(folder)}},
        )
        return client.execute(env=env)


def look_again(channel: Any) -> None:
    """Let its `get_msg` look each second whether a message is there.

    nbclient 0.11 sends the state of an `Output` widget on the channel on which it waits for a cell's reply, and pyzmq
    may then miss that the reply has come: it is found only when the cell's whole time is up.
    """
    if hasattr(channel, "once"):
        return
    channel.once = once = channel.get_msg

    async def get_msg(timeout: float | None = None) -> Any:
        end = time.monotonic() + (SECONDS if timeout is None else timeout)
        while True:
            try:
                return await once(timeout=min(1.0, max(0.0, end - time.monotonic())))
            except Empty:
                if time.monotonic() >= end:
                    raise

    channel.get_msg = get_msg


def outputs(cell: Any) -> list[dict[str, Any]]:
    """The mime bundles that a cell left, in order."""
    return [dict(output["data"]) for output in cell.get("outputs", []) if "data" in output]


def printed(cell: Any) -> str:
    """What a cell wrote to stdout."""
    texts = (
        o["text"] for o in cell.get("outputs", []) if o["output_type"] == "stream" and o["name"] == "stdout"
    )
    return "".join(texts)
