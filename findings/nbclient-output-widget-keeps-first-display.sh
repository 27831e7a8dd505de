#!/usr/bin/env bash
# nbclient 0.11.0 (ipywidgets 8.1.9, ipykernel 7.4.0): within an ipywidgets.Output an update of a display is lost, and
# the executed notebook keeps for good what was shown first.
#
# Expected: `update_display_data` changes each output that bears the id (Jupyter's messaging protocol, "Update Display
# Data"), wherever a front end has it; nbclient's OutputWidget is there to stand in for a front end's.
# Seen: outputs of a cell are updated, also if the display is older than the cell that updates it; those in an Output
# are not, not even by the very next line of the same `with`, and without error. If one id is shown in both places, the
# saved notebook says two different things. The widget stores outputs without their id. ipywidgets/ipywidgets#1844 tells
# the same of front ends, open. What does work is `clear_output(wait=True)` and showing anew, or a widget whose value
# changes.
#
# Who meets it: who runs notebooks by `jupyter execute`, `nbconvert --execute` or papermill, in which a progress bar or
# a growing answer is shown in tabs, `interact` or `with out:`. It stays at its first state, as if the call had hung.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check nbclient==0.11.0 ipywidgets==8.1.9 ipykernel==7.4.0
export IPYTHONDIR=$work/ipython JUPYTER_CONFIG_DIR=$work/config JUPYTER_DATA_DIR=$work/data
export JUPYTER_RUNTIME_DIR=$work/runtime JUPYTER_NO_CONFIG=1
env/bin/python -I - <<'END'
from importlib.metadata import version

from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

CELLS = (
    "import ipywidgets\nhere = display('first', display_id=True)\nhere.update('second')",
    "there = display('first', display_id=True)",
    "there.update('second')",
    "same = ipywidgets.Output()\nwith same:\n    shown = display('first', display_id=True)\n    shown.update('second')",
    "later = ipywidgets.Output()\nwith later:\n    held = display('first', display_id=True)",
    "held.update('second')",
    "both = ipywidgets.Output()\nshown = display('first', display_id='both')\n"
    "with both:\n    display('first', display_id='both')",
    "shown.update('second')",
    "cleared = ipywidgets.Output()\nwith cleared:\n    display('first')\n"
    "    cleared.clear_output(wait=True)\n    display('second')",
    "print(same.model_id, later.model_id, both.model_id, cleared.model_id)",
)


def texts(outputs):
    return [output["data"]["text/plain"].strip("'") for output in outputs]


notebook = new_notebook(cells=[new_code_cell(text) for text in CELLS])
NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
names = notebook.cells.pop()["outputs"][0]["text"].split()
widgets = notebook["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
kept = {name: texts(widgets[id]["state"]["outputs"]) for name, id in zip(("same", "later", "both", "cleared"), names)}
cells = [texts(cell["outputs"]) for cell in notebook.cells]
print(*(f"{name} {version(name)}" for name in ("nbclient", "ipywidgets", "ipykernel")), sep=", ")
print("in cells:  ", cells)
print("in Outputs:", kept)
assert cells == [["second"], ["second"], [], [], [], [], ["second"], [], []], "cells are updated otherwise"
assert kept == {"same": ["first"], "later": ["first"], "both": ["first"], "cleared": ["second"]}, "nbclient has changed"
END
