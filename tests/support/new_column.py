"""A package whose messages and conversations have the column `from_source`; see `unit/test_frames_column.py`.

    python new_column.py URL DIRECTORY      # prints what the column says, by what was read
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import dify_notebook
from dify_notebook import Dify, History
from dify_notebook.frames.schema import CONVERSATIONS, MESSAGES, as_markdown


def told(table: Any) -> dict[str, str | None]:
    """Message, or conversation, -> what the column says."""
    said = table["from_source"].astype("object").where(table["from_source"].notna(), None)
    return dict(zip(table[table.columns[0]], said, strict=True))


def main(url: str, place: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for form in ("csv", "json", "parquet"):
        found[f"a saved table without it, {form}"] = told(History.from_export(place / f"before.{form}").messages)
    before = History.read(place / "before")
    found["a directory without it"] = told(before.messages)
    found["a directory without it, as an export"] = told(History.from_export(place / "before").messages)
    found["the database"] = told(History.from_export(place / "database.csv").messages)
    with Dify("app-x", url, "ann") as dify:
        found["a list"] = told(dify.messages.list("c0").to_frame())
        fetched = dify.history()
        found["a history"] = told(fetched.messages)
        found["a directory"] = told(dify.history(to=place / "after").messages)
        found["an update in memory"] = told(dify.update(History(before.tables, before.facts)).messages)
        found["an update on the disk"] = told(dify.update(place / "before").messages)
        found["a list of conversations"] = told(dify.conversations.list().to_frame())
    found["conversations of an update"] = told(History.read(place / "before").conversations)
    exported = History.from_export(place / "database.csv", place / "conversations.csv")
    found["the database's conversations"] = told(exported.conversations)
    fetched.messages.to_csv(place / "after.csv", index=False)
    fetched.messages.to_json(place / "after.json", orient="records", date_format="iso")
    fetched.messages.to_parquet(place / "after.parquet")
    for form in ("csv", "json", "parquet"):
        found[f"a saved table, {form}"] = told(History.from_export(place / f"after.{form}").messages)
        both = History.from_export(place / f"before.{form}", place / f"after.{form}")
        found[f"both tables, {form}"] = told(both.messages)
    text = Path(dify_notebook.__file__).with_name("docs").joinpath("en", "18-history.md").read_text("utf-8")
    found["documented"] = [as_markdown(table) in text for table in (MESSAGES, CONVERSATIONS)]
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
