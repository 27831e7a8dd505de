"""Files as answers of a run's form, given as the files of a question are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dify_notebook import Dify, local
from dify_notebook.errors import InputError
from dify_notebook.turn.state import Turn

APP = {
    "name": "papers",
    "mode": "advanced-chat",
    "nodes": [
        {"type": "start", "next": "ask"},
        {
            "id": "ask", "type": "human-input", "title": "Papers",
            "form_content": "Offer: {{#$output.offer#}}\n\nMore: {{#$output.more#}}",
            "inputs": [
                {"name": "offer", "type": "file", "allowed_file_types": ["document"]},
                {"name": "more", "type": "file-list", "allowed_file_types": ["document"]},
            ],
            "actions": [{"id": "ok", "title": "OK", "next": "end"}],
        },
        {"id": "end", "type": "answer", "answer": "Thanks."},
    ],
}  # fmt: skip


@pytest.fixture
def dify(tmp_path: Path) -> Iterator[Dify]:
    with local.serve(apps=[APP], data_dir=tmp_path / "data", pace=0) as server:
        yield Dify(server.api_key("papers"), server.base_url, user="ann")


@pytest.fixture
def waiting(dify: Dify) -> Turn:
    return dify.chat.send("may I")


def given(turn: Turn, **inputs: Any) -> Turn:
    answered: Turn = turn.forms[0].submit(action="ok", inputs=inputs)
    return answered


def test_paths_open_files_and_uploads_are_files(dify: Dify, waiting: Turn, tmp_path: Path) -> None:
    (tmp_path / "offer.md").write_text("# An offer")
    (tmp_path / "more.md").write_text("# More")
    uploaded = dify.files.upload(tmp_path / "more.md")
    with (tmp_path / "more.md").open("rb") as file:
        turn = given(waiting, offer=str(tmp_path / "offer.md"), more=[tmp_path / "more.md", file, uploaded])
    assert (turn.status, turn.answer) == ("succeeded", "Thanks.")
    assert turn.forms[0].inputs is not None
    assert turn.forms[0].inputs["offer"]["filename"] == "offer.md"
    assert [file["filename"] for file in turn.forms[0].inputs["more"]] == ["more.md"] * 3
    shown = turn._repr_mimebundle_()["text/plain"]
    assert "Offer: offer.md" in shown
    assert "More: more.md, more.md, more.md" in shown


def test_one_file_will_do_for_a_list(waiting: Turn, tmp_path: Path) -> None:
    (tmp_path / "offer.md").write_text("# An offer")
    turn = given(waiting, offer=tmp_path / "offer.md", more=tmp_path / "offer.md")
    assert turn.status == "succeeded"
    assert [file["filename"] for file in (turn.forms[0].inputs or {})["more"]] == ["offer.md"]


def test_what_is_not_there_is_said_before_anything_is_sent(dify: Dify, waiting: Turn, tmp_path: Path) -> None:
    (tmp_path / "offer.md").write_text("# An offer")
    with pytest.raises(InputError, match=r"nowhere\.md"):
        given(waiting, offer=tmp_path / "offer.md", more=[tmp_path / "nowhere.md"])
    assert given(waiting, offer=tmp_path / "offer.md", more=[tmp_path / "offer.md"]).status == "succeeded"
