"""Files, sound, details and copies in a panel, over a real server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from local_helpers import Sounds
from support.panel_apps import Gate, apps
from support.panel_fixtures import *  # noqa: F403  (fixtures)
from support.panel_fixtures import Opener
from support.panels import Browser, show

from dify_notebook import ChatPanel, Dify, local
from dify_notebook.local.server.process import LocalServer

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)


def upload(page: Browser, name: str, content: bytes, kind: str, field: str | None = None, id: str = "") -> str:
    """Upload a file as the composer does; gives its id."""
    id = id or f"up-{name}"
    page.do("upload", [content], upload=id, name=name, type=kind, size=len(content), field=field)
    return id


def test_a_file_is_uploaded_asked_about_and_downloaded_again(opened: Opener) -> None:
    page = opened()
    picture = upload(page, "dir/one.png", PNG, "image/png")
    progress = page.progress[picture]
    assert (progress["sent"], progress["total"]) == (len(PNG), len(PNG))
    assert progress["file"]["name"] == "one.png"
    assert progress["file"]["type"] == "image"
    assert progress["file"]["thumb"].startswith("data:image/png;base64,")
    page.ask("look", {"city": "Wien"}, [picture])
    page.ended(1)
    [shown] = page.turns[0]["files"]
    assert (shown["id"], shown["name"]) == (picture, "one.png")
    value, [content] = page.do("file", key=page.turns[0]["key"], file=picture)
    assert (value["name"], value["mime"], content) == ("one.png", "image/png", PNG)
    conversation = page.parts["conversation"]["id"]
    page.do("new")
    page.do("open", conversation=conversation)
    page.ended(1)
    [kept] = page.turns[0]["files"]
    value, [content] = page.do("file", key=page.turns[0]["key"], file=kept["id"])
    assert content == PNG
    page.do("regenerate", key=page.turns[0]["key"])
    page.ended(2)
    assert "no such file" in page.refused("file", key=page.turns[0]["key"], file="99")


def test_a_large_file_comes_in_pieces_and_tells_how_far_it_is(opened: Opener) -> None:
    page = opened()
    content = bytes(range(256)) * 4096
    page.do("upload", upload="big", name="big.txt", type="text/plain", size=len(content), field=None)
    half = len(content) // 2
    page.do("upload_part", [content[:half]], upload="big", offset=0, last=False)
    page.do("upload_part", [content[half:]], upload="big", offset=half, last=True)
    assert page.progress["big"]["file"]["size"] == len(content)
    sent = [one["sent"] for one in page.log if one.get("kind") == "progress"]
    assert sent == sorted(sent)
    assert "one piece" in page.refused("upload_part", [b"x"], upload=begin(page, 3), offset=1, last=False)
    assert "one piece" in page.refused("upload_part", [b"x"], upload=begin(page, 3), offset=0, last=True)
    assert "Attach it again" in page.refused("upload_part", [b"x"], upload="nothing", offset=0, last=True)


def begin(page: Browser, size: int) -> str:
    page.do("upload", upload="part", name="a.txt", type="text/plain", size=size, field=None)
    return "part"


def test_the_app_s_rules_are_checked_before_the_file_is_sent(opened: Opener) -> None:
    page = opened()
    wrong = page.refused("upload", [b"x"], upload="a", name="a.mp3", type="audio/mpeg", size=1, field=None)
    assert "a.mp3" in wrong
    assert page.progress["a"]["error"]["message"] == wrong
    large: dict[str, Any] = {"name": "a.png", "type": "image/png", "size": 11 * 1024 * 1024, "field": None}
    assert "10" in page.refused("upload", upload="b", **large)
    assert "paper" in page.refused("upload", [PNG], upload="c", name="a.png", type="image/png", size=9, field="paper")
    assert "nofield" in page.refused(
        "upload", [PNG], upload="d", name="a.png", type="image/png", size=9, field="nofield"
    )
    three = [upload(page, f"{at}.txt", b"x", "text/plain") for at in range(3)]
    assert "2" in page.refused("ask", query="x", inputs={"city": "Bad"}, files=three)
    assert "not uploaded" in page.refused("ask", query="x", inputs={"city": "Bad"}, files=["gone"])
    assert page.turns == []


def test_a_file_of_the_form_goes_with_the_inputs(opened: Opener) -> None:
    page = opened()
    paper = upload(page, "p.txt", b"on paper", "text/plain", field="paper")
    page.ask("x", {"city": "Bad", "paper": paper})
    page.ended(1)
    assert (page.turn.inputs or {})["paper"]["upload_file_id"]
    assert "paper" not in page.parts["conversation"]["inputs"]


def test_a_cancelled_upload_is_none(opened: Opener) -> None:
    page = opened()
    page.do("upload", upload="half", name="a.txt", type="text/plain", size=9, field=None)
    page.do("upload_part", [b"abc"], upload="half", offset=0, last=False)
    page.do("upload_cancel", upload="half")
    assert "Attach it again" in page.refused("upload_part", [b"defghi"], upload="half", offset=3, last=True)


def test_what_the_server_refuses_is_told_at_the_file(opened: Opener, server: LocalServer) -> None:
    page = opened()
    server.faults.once("500=1")
    page.send("ask", query="x", inputs={"city": "Bad"}, files=[])
    page.ended(1)
    assert page.turns[0]["status"] == "failed"
    assert page.turns[0]["can"]["retry"]


def test_speech_both_ways_and_as_it_comes(gate: Gate, tmp_path: Path) -> None:
    """A chatflow speaks by itself behind its answer up to Dify 1.12; what is asked for is spoken by each."""
    with local.serve(data_dir=tmp_path, pace=0, apps=apps(gate), speech=Sounds(), dialect="1.12") as server:
        page = show(ChatPanel(Dify(server.api_key("desk"), server.base_url, user="u")))
        page.until(lambda: "app" in page.parts, "the app")
        page.ask("say it", {"city": "Ahlen"})
        page.ended(1)
        page.until(lambda: page.sounds and page.sounds[-1][0]["last"], "the end of the sound")
        assert b"say it in Ahlen" in b"".join(data for _, data in page.sounds)
        assert {told["mime"] for told, _ in page.sounds} == {"audio/mpeg"}
        key = page.turns[0]["key"]
        assert page.turns[0]["audio"]
        value, [sound] = page.do("sound", key=key)
        assert b"say it in Ahlen" in sound
        assert value == {"mime": "audio/mpeg"}
        value, [sound] = page.do("speak", key=key)
        assert b"say it in Ahlen" in sound
        value, _ = page.do("hear", [b"ID3\x04what I said"], mime="audio/webm;codecs=opus")
        assert value == {"text": "what I said"}
        assert "recorded" in page.refused("hear", [b""], mime="audio/webm")
        count = len(page.sounds)
        page.do("hello", lang=["en"], have=0)
        assert len(page.sounds) == count, "what was spoken is not spoken again"
        page.panel.close()


def test_details_of_a_step_come_when_asked_for(opened: Opener) -> None:
    page = opened()
    page.ask("deep", {"city": "Aue", "extra": {"long": "x" * 10_000, "url": "http://h/f?sign=SECRET&x=1"}})
    page.ended(1)
    turn = page.turns[0]
    titles = {node["title"]: node["id"] for node in turn["nodes"]}
    value, _ = page.do("node", key=turn["key"], node=titles["Say it"])
    assert value["outputs"]["output"] == "deep in Aue"
    assert value["status"] == "succeeded"
    start = next(id for title, id in titles.items() if "tart" in title)
    value, _ = page.do("node", key=turn["key"], node=start)
    assert "more characters" in json.dumps(value)
    assert len(json.dumps(value)) < 30_000
    assert "sign=-" in json.dumps(value)
    assert "SECRET" not in page.html() + json.dumps(value)
    assert "no such step" in page.refused("node", key=turn["key"], node="nowhere")


def test_answers_are_copied_as_markdown_and_as_a_cell(opened: Opener) -> None:
    page = opened()
    page.ask("take {{ it }}", {"city": "Bad Urach", "count": 2})
    page.ended(1)
    key = page.turns[0]["key"]
    value, _ = page.do("copy", key=key, as_="markdown")
    assert value["text"] == "You said: **take {{ it }} in Bad Urach**"
    value, _ = page.do("copy", key=key, as_="cell")
    line, _, body = value["text"].partition("\n")
    assert line == """%%dify --no-vars --inputs '{"city": "Bad Urach", "count": 2}'"""
    assert body == "take {{ it }}"


def test_a_copy_names_the_data_in_an_answer(opened: Opener) -> None:
    page = opened()
    page.ask(f"![a](data:image/png;base64,{'QUJD' * 1_000})", {"city": "Bad Urach"})
    page.ended(1)
    value, _ = page.do("copy", key=page.turns[0]["key"], as_="markdown")
    assert value["text"] == "You said: **![a](data:image/png;base64,\u2026 (3 kB)) in Bad Urach**"


def test_copies_of_a_running_answer_have_what_came(opened: Opener, gate: Gate) -> None:
    gate.open.clear()
    page = opened("held")
    page.ask("one")
    page.until(lambda: page.turns and "First." in page.html(), "the first words")
    value, _ = page.do("copy", key=page.turns[0]["key"], as_="markdown")
    assert value["text"].startswith("First. ")
    assert "running" in page.refused("rate", key=page.turns[0]["key"], rating="like", comment=None)
    gate.open.set()
    page.ended(1)


@pytest.mark.parametrize("name", ["to_frame"])
def test_turns_become_a_table(opened: Opener, name: str) -> None:
    pytest.importorskip("dify_notebook.frames")
    page = opened()
    page.ask("x", {"city": "Bad"})
    page.ended(1)
    assert list(getattr(page.panel, name)()["query"]) == ["x"]
