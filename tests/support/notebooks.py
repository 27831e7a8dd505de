"""Runs notebooks as `nbclient` and `jupyter nbconvert --execute` do, with the checkout's package."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dify_notebook

SECONDS = 120
"""Longest wait for one cell."""


def execute(notebook: Any, folder: Path, **environment: str) -> Any:
    """Run every cell in place and give the notebook, widget state stored; a cell that raises, raises here.

    The kernel works in that folder and keeps its data and history below it.
    """
    from nbclient import NotebookClient

    root = str(Path(dify_notebook.__file__).parents[1])
    env = dict(os.environ)
    env.update(
        IPYTHONDIR=str(folder / "ipython"),
        PYTHONPATH=os.pathsep.join(part for part in (root, env.get("PYTHONPATH", "")) if part),
        **environment,
    )
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        store_widget_state=True,
        resources={"metadata": {"path": str(folder)}},
    )
    return client.execute(env=env)


def outputs(cell: Any) -> list[dict[str, Any]]:
    """The mime bundles that a cell left, in order."""
    return [dict(output["data"]) for output in cell.get("outputs", []) if "data" in output]


def printed(cell: Any) -> str:
    """What a cell wrote to stdout."""
    texts = (
        o["text"] for o in cell.get("outputs", []) if o["output_type"] == "stream" and o["name"] == "stdout"
    )
    return "".join(texts)
