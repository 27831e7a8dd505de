#!/usr/bin/env bash
# nbclient 0.11.0 with ipykernel 7.4.0: what a task shows by updating a display is not in the executed notebook, if
# another cell runs by then; with ipykernel 6.31.0 it is.
#
# Expected: `update_display_data` changes each output that bears the id, whoever asked for the code that sent it
# (Jupyter's messaging protocol, "Update Display Data"). nbclient has that: a cell may update what an earlier one shows,
# and so may a thread. One notebook, one nbclient, one result.
# Seen: since version 7 ipykernel keeps the parent of messages in a context variable, and a task, a callback of the loop
# and asyncio.to_thread take along the context of the cell that began them, so that the kernel names the older cell's
# request, which is right. But nbclient drops whatever names another request than that of the cell that runs, without
# looking at the id and without a word. A bare thread has no context and names the cell that runs now; its update is
# taken. The same line in a task is taken if its own cell waits for it.
# ipython/ipykernel#1510, open, is of tasks that do not go on at all, which is another thing: here they do, and send.
#
# Who meets it: who runs notebooks by `jupyter execute`, `nbconvert --execute` or papermill, in which a download, a
# sweep or an answer goes on by create_task while further cells run. The notebook says for good that it has not ended,
# and the next cell has its result. The cure is to update from the cell that waits, as the last line here does.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export IPYTHONDIR=$work/ipython JUPYTER_CONFIG_DIR=$work/config JUPYTER_DATA_DIR=$work/data
export JUPYTER_RUNTIME_DIR=$work/runtime JUPYTER_NO_CONFIG=1
cat >execute.py <<'END'
import json
from importlib.metadata import version

from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

WAYS = {
    "task": ("asyncio.create_task(later(shown))", "await going_on"),
    "callback": (
        "asyncio.get_running_loop().create_future()\ngoing_on.add_done_callback(lambda done: shown.update('second'))",
        "going_on.set_result(None)\nawait asyncio.sleep(0)",
    ),
    "to_thread": ("asyncio.create_task(asyncio.to_thread(wait, shown))", "go.set()\nawait going_on"),
    "thread": ("threading.Thread(target=wait, args=[shown])\ngoing_on.start()", "go.set()\ngoing_on.join()"),
    "own cell": ("asyncio.create_task(later(shown))\nstarted.set()\nawait going_on", "pass"),
    "update": ("asyncio.create_task(asyncio.sleep(0))", "await going_on\nshown.update('second')"),
}
BEFORE = """import asyncio, threading
async def later(shown):
    await started.wait()
    shown.update("second")
def wait(shown):
    go.wait()
    shown.update("second")
"""


def cells(begin, end):
    shown = "shown = display('first', display_id=True)\nstarted, go = asyncio.Event(), threading.Event()\n"
    return new_code_cell(f"{shown}going_on = {begin}"), new_code_cell(f"started.set()\n{end}")


notebook = new_notebook(cells=[new_code_cell(BEFORE)])
for begin, end in WAYS.values():
    notebook.cells += cells(begin, end)
NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
outputs = [[output["data"]["text/plain"].strip("'") for output in cell["outputs"]] for cell in notebook.cells[1:]]
assert all(not output for output in outputs[1::2]), "an update is an output of its own"
seen = {way: output for way, (output,) in zip(WAYS, outputs[::2])}
print("nbclient", version("nbclient"), "ipykernel", version("ipykernel"), json.dumps(seen))
lost = {way for way, text in seen.items() if text == "first"}
if version("ipykernel").startswith("6."):
    assert lost == set(), "ipykernel 6 loses them, too"
else:
    assert lost == {"task", "callback", "to_thread"}, "nbclient or ipykernel has changed"
END
for ipykernel in 6.31.0 7.4.0; do
  python3 -m venv "env-$ipykernel"
  "env-$ipykernel/bin/pip" install --quiet --disable-pip-version-check nbclient==0.11.0 "ipykernel==$ipykernel"
  "env-$ipykernel/bin/python" -I execute.py
done
