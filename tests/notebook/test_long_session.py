"""A kernel that asks a thousand questions holds no more than one that asked a hundred."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.raw_server import Connection, Request, serving

from dify_notebook.tape import RunStore

CHILD = """
import gc, json, os, sys
from IPython.core.interactiveshell import InteractiveShell
from dify_notebook import Dify
from dify_notebook.turn.state import Turn
from dify_notebook.tape import Entries

url, cells, long = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
shell = InteractiveShell.instance()
shell.history_manager.enabled = False
shell.run_line_magic("load_ext", "dify_notebook")
shell.user_ns["app"] = Dify("app-x", url, "u")

def look():
    gc.collect()
    resident = int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    held = [one for one in gc.get_objects() if type(one) is Entries]
    turns = [one for one in gc.get_objects() if isinstance(one, Turn)]
    return {"files": len(os.listdir("/proc/self/fd")), "resident": resident, "tapes": len(held), "turns": len(turns)}

seen = []
for number in range(cells + long):
    if number == cells:
        seen.append(look())
    query = ("long %d" if number >= cells else "%d") % number
    shell.run_cell_magic("dify", "app --quiet", query)
    shell.user_ns["_oh"].clear()  # `Out` is the user's
    if number == 99:
        seen.append(look())
seen.append(look())
print(json.dumps(seen))
"""


def answer(request: Request, connection: Connection) -> None:
    """A short answer of a hundred events, or one of more than a tape holds in memory."""
    if request.method == "GET":
        connection.reply("404 Not Found", {"code": "not_found", "message": "no"})
        return
    query = request.json["query"]
    ids = {"task_id": "t", "message_id": f"m-{query}", "conversation_id": "c"}
    piece, count = ("x" * 20_000, 250) if query.startswith("long") else ("x" * 50, 100)
    events: list[dict[str, object]] = [{"event": "message", "answer": piece, **ids}] * count
    events.append({"event": "message_end", "metadata": {}, **ids})
    told = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    connection.reply("200 OK", told, kind="text/event-stream")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files where Linux lists them")
@pytest.mark.parametrize("off", [False, True], ids=["stored", "runs off"])
def test_a_thousand_cells_hold_what_a_hundred_held(off: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFY_NOTEBOOK_DATA_DIR", str(tmp_path))
    if off:
        monkeypatch.setenv("DIFY_NOTEBOOK_RUNS", "off")
    with serving(answer) as server:
        done = subprocess.run(
            [sys.executable, "-c", CHILD, server.url, "1000", "10"], capture_output=True, text=True, timeout=300
        )
    assert done.returncode == 0, done.stderr
    hundred, thousand, more = json.loads(done.stdout.splitlines()[-1])
    assert thousand["files"] <= hundred["files"] + 2
    assert more["files"] <= hundred["files"] + 2
    if off:
        assert thousand["tapes"] == hundred["tapes"] <= 51
        assert thousand["resident"] <= hundred["resident"] + 20_000_000  # the fields of 900 turns, 5 kB of text each
    else:
        assert more["tapes"] <= 1
        assert max(hundred["turns"], thousand["turns"]) <= 52
        assert thousand["resident"] <= hundred["resident"] + 8_000_000
        assert len(RunStore(tmp_path / "runs").paths()) == 1_010
