#!/usr/bin/env bash
# jupyter_client 8.10.0 (ipykernel 7.4.0, nbclient 0.11.0): what a cell displays as JSON, or a widget is told, is another
# value if orjson happens to be installed: NaN is null and no longer "nan", and 2**64 arrives as a float.
#
# Expected: one message. orjson is there for speed, as the pull request that brought it has it (jupyter/jupyter_client#1064);
# no other JSON of Python is to be had by installing a package. JSON knows no NaN, and sets no limit to whole numbers.
# Seen: the default of `Session.packer` is orjson where it can be imported, in the kernel and in its client, each by
# itself. Without it NaN and the infinities become the texts "nan" and "inf", with a UserWarning (#708); with it null,
# without any, as orjson does with them. What json cannot write is refused without it (ValueError) and written with it:
# a UUID, a time of day, a dataclass, an Enum. A number beyond 64 bits orjson cannot write, so json is asked, and writes it
# right; but orjson reads it on the other side, as a float: in the saved notebook 18446744073709551616 is 1.8446744073709552e+19.
# The cure is `c.Session.packer = c.Session.unpacker = "json"`, or values that both write alike.
#
# Who meets it: who displays outputs of a workflow (averages of nothing, ids of 20 digits) or gives them to a widget, on
# two machines, of which one has a package that requires orjson.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export IPYTHONDIR=$work/ipython JUPYTER_DATA_DIR=$work/data JUPYTER_CONFIG_DIR=$work/config JUPYTER_RUNTIME_DIR=$work/run
cat >seen.py <<'END'
import datetime
import importlib.util
import uuid
import warnings

import ipykernel
import jupyter_client
import nbclient
import nbformat
from jupyter_client.session import Session

ORJSON = importlib.util.find_spec("orjson") is not None
CELL = """from IPython.display import display
display({"application/json": {"mean": float("nan"), "most": float("inf"), "rows": [float("nan")]}}, raw=True)
display({"application/json": {"id": 2**64, "small": 2**63}}, raw=True)"""
print(f"jupyter_client {jupyter_client.__version__}, ipykernel {ipykernel.__version__}, nbclient {nbclient.__version__},"
      f" {'with' if ORJSON else 'without'} orjson")  # fmt: skip
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
notebook = nbformat.from_dict(nbclient.NotebookClient(notebook, kernel_name="python3").execute())
shown = [dict(output["data"]["application/json"]) for output in notebook.cells[0].outputs if "data" in output]
print(*shown, sep="\n")
no_number = {"mean": None, "most": None, "rows": [None]}
assert shown[0] == (no_number if ORJSON else {"mean": "nan", "most": "inf", "rows": ["nan"]}), "NaN has changed"
assert shown[1]["small"] == 2**63 and type(shown[1]["small"]) is int
assert type(shown[1]["id"]) is (float if ORJSON else int), "long numbers have changed"
session = Session()
for name, value in {"time": datetime.time(7, 30), "uuid": uuid.UUID(int=5)}.items():
    with warnings.catch_warnings(action="ignore"):
        try:
            said = session.pack({name: value}).decode()
        except ValueError as problem:
            said = f"ValueError: {problem}"
    print(said)
    assert said.startswith("ValueError") != ORJSON, f"{name} has changed"
session = Session(packer="json", unpacker="json")
assert session.unpack(session.pack({"id": 2**64})) == {"id": 2**64}, "there is no cure"
END
for orjson in "" orjson==3.13.0; do
    python3 -m venv "env$orjson"
    # shellcheck disable=SC2086
    "env$orjson/bin/pip" install --quiet --disable-pip-version-check jupyter_client==8.10.0 ipykernel==7.4.0 nbclient==0.11.0 $orjson
    "env$orjson/bin/python" -I seen.py 2>warnings.txt || { cat warnings.txt >&2; exit 1; }
done
