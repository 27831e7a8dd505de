"""One more column of a history is one line in each of the places that AGENTS.md names, and everything has it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from support import new_column
from support.logs import Logs
from support.raw_server import serving

import dify_notebook
from dify_notebook import Dify, History

LONG_AGO = 1_700_000_000
EDITS = {
    "wire/models.py": {
        "    parent_message_id: str | None = None\n": "    from_source: str | None = None\n",
        "    introduction: str | None = None\n": "    from_source: str | None = None\n",
    },
    "frames/schema.py": {
        '        C("error", "string", "Why it failed."),\n': '        C("from_source", "string", "From where it was asked."),\n',
        '        C("name", "string", "Its title.", False),\n': '        C("from_source", "string", "From where it was begun."),\n',
    },
    "frames/item_rows.py": {
        '        "status": [item.status for item in items],\n': '        "from_source": [as_word(item.from_source) for item in items],\n',
        '        "status": [as_word(item.status) for item in items],\n': '        "from_source": [as_word(item.from_source) for item in items],\n',
    },
    "docs/en/18-history.md": {
        "| `error` | string |  | can be | Why it failed. |\n": "| `from_source` | string |  | can be | From where it was asked. |\n",
        "| `name` | string |  |  | Its title. |\n": "| `from_source` | string |  | can be | From where it was begun. |\n",
    },
}
"""File -> lines, each with the one that is written behind it: for a column of messages, and for one of conversations."""


def logs() -> Logs:
    """Two conversations of two messages each, asked from two places."""
    found = Logs()
    for number in range(2):
        found.begin(f"c{number}", "ann", LONG_AGO + 100 * number, from_source="api")
        for place, source in enumerate(("api", "console")):
            found.say(f"c{number}", f"c{number}-m{place}", LONG_AGO + 100 * number + place, from_source=source)
    return found


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A package that has the columns."""
    place = tmp_path / "other"
    package = place / "dify_notebook"
    shutil.copytree(Path(dify_notebook.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, lines in EDITS.items():
        text = (package / name).read_text("utf-8")
        for anchor, line in lines.items():
            assert text.count(anchor) == 1, anchor
            text = text.replace(anchor, anchor + line)
        (package / name).write_text(text, "utf-8")
    return place


def test_a_new_column_is_followed_by_everything(other: Path, tmp_path: Path) -> None:
    server = logs()
    with serving(server) as at, Dify("app-x", at.url, "ann") as dify:
        before = dify.history(to=tmp_path / "before")
        before.messages.to_csv(tmp_path / "before.csv", index=False)
        before.messages.to_json(tmp_path / "before.json", orient="records", date_format="iso")
        before.messages.to_parquet(tmp_path / "before.parquet")
        rows = [row for rows in server.messages.values() for row in rows]
        pd.DataFrame(rows)[["id", "conversation_id", "query", "answer", "created_at", "from_source"]].to_csv(
            tmp_path / "database.csv", index=False
        )
        pd.DataFrame(server.conversations.values()).to_csv(tmp_path / "conversations.csv", index=False)
        server.say("c0", "c0-m2", LONG_AGO + 5, from_source="api")
        command = [sys.executable, new_column.__file__, at.url, str(tmp_path)]
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": str(other)}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        now = dify.history()

    told = {row["id"]: row["from_source"] for row in server.messages["c0"] + server.messages["c1"]}
    first = {key: source for key, source in told.items() if key != "c0-m2"}
    nothing = dict.fromkeys(first)
    mended = {**told, "c1-m0": None, "c1-m1": None}  # that conversation is as it was
    forms = ("csv", "json", "parquet")
    assert found == {
        **{f"a saved table without it, {form}": nothing for form in forms},
        "a directory without it": nothing,
        "a directory without it, as an export": nothing,
        "the database": first,
        "a list": {key: source for key, source in told.items() if key.startswith("c0")},
        "a history": told,
        "a directory": told,
        "an update in memory": mended,
        "an update on the disk": mended,
        **{f"a saved table, {form}": told for form in forms},
        **{f"both tables, {form}": told for form in forms},
        "a list of conversations": {"c0": "api", "c1": "api"},
        "the database's conversations": {"c0": "api", "c1": "api"},
        "conversations of an update": {"c0": "api", "c1": None},
        "documented": [True, True],
    }
    for place in ("before", "after"):  # what has a column more is read by whoever does not know it
        pd.testing.assert_frame_equal(History.read(tmp_path / place).messages, now.messages)
