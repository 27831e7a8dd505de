#!/usr/bin/env bash
# papermill 2.7.0: `-p NAME VALUE` makes a number of many a text, and one of every value that is `inf` or `nan` to Python:
# the id 8237e912 is inf in the notebook.
#
# Expected: the text, or at least a number only where the value is written as one. `--help` says of -p "Parameters to
# pass to the parameters cell", the page on the command line that -r is for raw strings; of which others become numbers
# neither says a word. The cell that names the defaults has a text there, and `-y` follows YAML, where 8237e912 is a text.
# Seen: whatever `int()` takes is an int, then whatever `float()` takes a float. So `007` is 7, `1_000` is 1000, `1.50` is
# 1.5, `+4930` is 4930, and a short id of digits with one `e` in it is inf, or a huge number: of ids of eight hexadecimal
# digits about one in 70. `Infinity`, `nan` too; `true` and `null` stay texts, `True` and `None` do not. What the
# default's type is does not count, asked for since 2017 in nteract/papermill#55, open. The cure is `-r`, or `-y 'id: "…"'`.
#
# Who meets it: who runs a notebook every night with inputs for a workflow on the command line: part of an id, a version
# number (1.10 is 1.1), a customer's number. The run succeeds, with another input.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export IPYTHONDIR=$work/ipython
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check papermill==2.7.0
cat >seen.py <<'END'
import ast
import json
import subprocess
import sys
from importlib.metadata import version
from itertools import product

CASES = {
    "8237e912": "float('inf')", "12e34567": "float('inf')", "7e52": "7e+52", "007": "7", "1_000": "1000", "1.10": "1.1",
    "+4930": "4930", "Infinity": "float('inf')", "nan": "float('nan')", "true": '"true"', "True": "True",
    "null": '"null"', "None": "None", "0x10": '"0x10"', "8237f912": '"8237f912"',
}  # fmt: skip
parameters = {"cell_type": "code", "source": 'value = ""', "outputs": [], "execution_count": None,
              "metadata": {"tags": ["parameters"]}, "id": "first"}  # fmt: skip
kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
with open("in.ipynb", "w") as file:
    json.dump({"cells": [parameters], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}, file)


def injected(option, *value):
    """What the cell that papermill puts into the notebook says."""
    command = [sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb", "--prepare-only", option, *value]
    subprocess.run(command, check=True, capture_output=True)
    with open("out.ipynb") as file:
        cells = json.load(file)["cells"]
    (cell,) = (cell for cell in cells if "injected-parameters" in cell["metadata"].get("tags", ()))
    return "".join(cell["source"]).split("value = ")[1].strip()


print("papermill", version("papermill"))
for text, meant in CASES.items():
    said = injected("-p", "value", text)
    print(f"{text:10} {said}")
    assert said == meant, "papermill has changed"
for text in ("8237e912", "007"):
    assert ast.literal_eval(injected("-r", "value", text)) == text, "there is no cure"
assert ast.literal_eval(injected("-y", "value: 8237e912")) == "8237e912", "YAML has changed"
END
env/bin/python -I seen.py
