"""A package whose messages have the column `from_source`, at work; see `unit/test_frames_column.py`.

    python new_column.py URL DIRECTORY      # prints what the column says, by what was read
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import dify_notebook
from dify_notebook import Dify, History
from dify_notebook.frames.schema import MESSAGES, as_markdown


def told(table: Any) -> dict[str, str | None]:
    """Message -> what the column says."""
    said = table["from_source"].astype("object").where(table["from_source"].notna(), None)
    return dict(zip(table["message_id"], said, strict=True))


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
    fetched.messages.to_csv(place / "after.csv", index=False)
    fetched.messages.to_json(place / "after.json", orient="records", date_format="iso")
    fetched.messages.to_parquet(place / "after.parquet")
    for form in ("csv", "json", "parquet"):
        found[f"a saved table, {form}"] = told(History.from_export(place / f"after.{form}").messages)
        both = History.from_export(place / f"before.{form}", place / f"after.{form}")
        found[f"both tables, {form}"] = told(both.messages)
    docs = Path(dify_notebook.__file__).parent / "docs"
    found["documented"] = as_markdown(MESSAGES) in (docs / "en" / "18-history.md").read_text("utf-8")
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
