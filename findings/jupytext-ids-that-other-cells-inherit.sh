#!/usr/bin/env bash
# jupytext 1.19.6: in a notebook that is paired with a script, the id and the outputs of a cell go to another cell when
# the script is edited: a new question above an edited one has the old one's id, and its answer below it.
#
# Expected: a cell's id stays with it, or it gets a new one. Ids are there to find a cell again "across notebooks'
# mutation" (JEP 62, "Problem"); jupytext says of them that `--sync` preserves them (jupytext/jupytext#736), and its FAQ
# that input cells are combined with the matching output cells. While the text is the same, so it is, also after moves.
# Seen: a script has no ids. A cell whose text is found in the notebook gets the id and outputs of that one; each other
# one gets those of the next cell in order that is left over, be their texts ever so different. So a cell in front of
# edited ones has the id of the first, the first that of the second, and the last a new one. Where one was deleted and
# the next one edited, that has the deleted one's. Of a split cell the second half is the old one. So it is meant, for
# outputs of code whose names were changed (jupytext/jupytext#474); of ids nothing is said there, nor when it happens.
#
# Who meets it: who edits the script in another editor, or lets a program do so, and loads the notebook again beside a
# kernel that goes on: what is known there by cell id (caches, whether a cell was run) is another cell's, and a saved
# answer stands below a question that was never asked. The cure: sync after each change, new cells first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export JUPYTER_CONFIG_DIR=$work/config JUPYTER_DATA_DIR=$work/data JUPYTER_NO_CONFIG=1
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check jupytext==1.19.6 nbformat==5.11.1
cat >seen.py <<'END'
import json
import os
import subprocess
import sys
from importlib.metadata import version

FIRST, SECOND, REST = "ask('first question')", "ask('second question')", "x = 1"
BEFORE = {"aaa": FIRST, "bbb": SECOND, "ccc": REST}


def edited(text):
    return text.replace("question", "problem").replace("1", "2")


CASES = {  # the script's cells, and whose id each has then: None is a new one
    "nothing": ([FIRST, SECOND, REST], ["aaa", "bbb", "ccc"]),
    "moved": ([SECOND, FIRST, REST], ["bbb", "aaa", "ccc"]),
    "all edited": ([edited(FIRST), edited(SECOND), edited(REST)], ["aaa", "bbb", "ccc"]),
    "one more": (["ask('new')", FIRST, SECOND, REST], [None, "aaa", "bbb", "ccc"]),
    "one more, first edited": (["ask('new')", edited(FIRST), SECOND, REST], ["aaa", None, "bbb", "ccc"]),
    "one more, all edited": (["ask('new')", edited(FIRST), edited(SECOND), edited(REST)], ["aaa", "bbb", "ccc", None]),
    "one less, next edited": ([edited(SECOND), REST], ["aaa", "ccc"]),
    "moved and edited": ([edited(SECOND), edited(FIRST), REST], ["aaa", "bbb", "ccc"]),
    "split": (["ask('first", "question')", SECOND, REST], [None, "aaa", "bbb", "ccc"]),
}


def sync(name):
    subprocess.run([sys.executable, "-m", "jupytext", "--sync", name], check=True, capture_output=True)


def after(*changes):
    """The id of each cell once the script was given these cells, one change after another, and its output's cell."""
    cells = [
        {"cell_type": "code", "id": key, "source": text, "metadata": {}, "execution_count": 1,
         "outputs": [{"output_type": "stream", "name": "stdout", "text": f"answer of {key}"}]}
        for key, text in BEFORE.items()
    ]  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "jupytext": {"formats": "ipynb,py:percent"}}
    with open("paired.ipynb", "w") as file:
        json.dump({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}, file)
    sync("paired.ipynb")
    for texts in changes:
        with open("paired.py") as file:
            head = file.read().split("# %%")[0]
        with open("paired.py", "w") as file:
            file.write(head + "\n".join(f"# %%\n{text}\n" for text in texts))
        later = os.stat("paired.ipynb").st_mtime + 5  # the script is the newer one
        os.utime("paired.py", (later, later))
        sync("paired.py")
        with open("paired.ipynb") as file:
            cells = json.load(file)["cells"]
        assert ["".join(cell["source"]) for cell in cells] == texts, "the script's cells did not arrive"
    ids = [cell["id"] if cell["id"] in BEFORE else None for cell in cells]
    outputs = ["".join("".join(output["text"]) for output in cell["outputs"]) for cell in cells]
    assert outputs == [f"answer of {key}" if key else "" for key in ids], "outputs go elsewhere than ids"
    return ids


print("jupytext", version("jupytext"))
for name, (texts, meant) in CASES.items():
    ids = after(texts)
    print(f"{name}:", *(f"  {key or 'new'}  {text}" for key, text in zip(ids, texts, strict=True)), sep="\n")
    assert ids == meant, "jupytext has changed"
one_by_one = after(["ask('new')", FIRST, SECOND, REST], ["ask('new')", edited(FIRST), edited(SECOND), edited(REST)])
assert one_by_one == [None, "aaa", "bbb", "ccc"], "there is no cure"
END
env/bin/python -I seen.py
