#!/usr/bin/env bash
# IPython 9.18.1: `%notebook` writes what `%%capture` caught, and hid, as the output of the next cell.
#
# Expected: each cell of the written notebook has the outputs that it showed, which is what ipython/ipython#14780 added
# to the magic. What was caught was shown nowhere, and the update of a display takes the place of what was there, as in
# a notebook that Jupyter saves.
# Seen: the counter of cells is raised before a cell runs. Whoever runs code within a cell, as %%capture does, is taken
# for the cell to come: printed text is filed under its number. So the captured text stands below a cell that printed
# nothing, and text of `run_cell` in a cell stands twice, there and one cell later. What `display` shows is counted back
# by one and lands in the right cell, but each update of a display is one more output there. `%%time` is all right.
# `get_ipython().execution_count` is therefore one too high within a cell, where `displayhook.prompt_count` is right.
#
# Who meets it: who saves a session in a terminal as a notebook: an answer that was caught since it was long or private
# is in the file, below another question; an answer that was shown as it grew is there once for each step.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check ipython==9.18.1 nbformat==5.11.1
export IPYTHONDIR=$work/ipython
env/bin/python -I - <<'END'
import json

import IPython
from IPython.core.interactiveshell import InteractiveShell

CELLS = (
    ("%%capture kept\nprint('caught')", []),
    ("x = 1", ["caught\n"]),
    ("shell.run_cell('print(7)');", ["7\n"]),
    ("x = 2", ["7\n"]),
    ("%%capture kept\ndisplay('caught')", []),
    ("x = 3", []),
    ("%%time\nx = print('timed')", ["timed\n"]),
    ("x = 4", []),
    ("shown = display(1, display_id=True); shown.update(2); shown.update(3)", ["1", "2", "3"]),
    ("counts = get_ipython().execution_count, get_ipython().displayhook.prompt_count", []),
)
shell = InteractiveShell.instance()
shell.user_ns["shell"] = shell
print("IPython", IPython.__version__)
for text, _ in CELLS:
    assert shell.run_cell(text, store_history=True).success
shell.run_cell("%notebook session.ipynb", store_history=True)


def said(output):
    """The text of an output, without the times of %%time."""
    text = "".join(output["text"] if "text" in output else output["data"]["text/plain"])
    return text.split("CPU times")[0]


with open("session.ipynb") as file:
    cells = json.load(file)["cells"]
for number, ((text, expected), cell) in enumerate(zip(CELLS, cells), start=1):
    seen = [said(output) for output in cell["outputs"]]
    print(f"[{number}] {text!r}: {seen}")
    assert ("".join(cell["source"]), cell["execution_count"]) == (text, number), "other cells than were run"
    assert seen == expected, "IPython has changed"
print("counter and number of the last cell:", *shell.user_ns["counts"])
assert shell.user_ns["counts"] == (len(CELLS) + 1, len(CELLS)), "IPython counts otherwise"
END
