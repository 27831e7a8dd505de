"""Who wrote a value: every source of an input, every control of a form, every door. The server counts the files.

Zero that nobody named, and exactly one where the user did.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.provenance import CONTENT, KINDS, TALK, App, World, counted, texts_of

from dify_notebook import AsyncDify, transcript
from dify_notebook.errors import DifyError, InputError
from dify_notebook.turn.state import Turn
from dify_notebook.wire.kinds import FILE_CONTROLS, TEXT_CONTROLS

kinds = pytest.mark.parametrize("kind", KINDS)
texts_and_kinds = pytest.mark.parametrize(
    ("kind", "form"),
    [(kind, form) for kind in KINDS for form in ("path", "pattern", "home") if kind in FILE_CONTROLS or form == "path"],
)


@pytest.fixture(autouse=True)
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return texts_of(tmp_path)


def nothing_went(world: World) -> None:
    assert world.app.uploads == []
    assert world.leaks() == 0


# -- a cell

CELLS: dict[str, Callable[[str], tuple[str, dict[str, Any]]]] = {
    "dict": lambda t: ("--inputs d", {"d": {"v": t}}),
    "list in a dict": lambda t: ("--inputs d", {"d": {"v": [t]}}),
    "row of a table": lambda t: ("--inputs rows[0]", {"rows": [{"v": t}]}),
    "JSON on the line": lambda t: (f"--inputs '{json.dumps({'v': t})}'", {}),
    "expression": lambda t: ("-i v:=t", {"t": t}),
    "template": lambda t: ("-i 'v={{ t }}'", {"t": t}),
    "template of a directory": lambda t: ("-i 'v={{ t }}/secret.txt'", {"t": str(Path(t).parent)}),
    "template of a turn": lambda t: ("-i 'v={{ answer }}'", {"answer": Turn(answer=t)}),
    "-f template": lambda t: ("-f '{{ t }}'", {"t": t}),
    "-f template of a directory": lambda t: ("-f '{{ t }}/secret.txt'", {"t": str(Path(t).parent)}),
    "-f template of a turn": lambda t: ("-f '{{ answer }}'", {"answer": Turn(answer=t)}),
    "exported": lambda t: (exported({"v": t}), {}),
    "exported name": lambda t: (exported({"v:": f"__import__('pathlib').Path({t!r}).expanduser()"}), {}),
}


def exported(inputs: dict[str, Any]) -> str:
    return transcript.as_cell(Turn(query="q", inputs=inputs)).removeprefix("%%dify")


@pytest.mark.parametrize("source", CELLS)
@texts_and_kinds
def test_no_text_of_a_cell_but_a_typed_one_names_a_file(source: str, form: str, kind: str, texts: dict[str, str]) -> None:
    with counted(App(kind)) as world:
        cell, names = CELLS[source](texts[form])
        refused = world.cell(cell, **names)
        if refused:
            assert world.app.questions == []
        else:
            world.cell("", **names)  # a later turn takes the inputs along
        if kind in FILE_CONTROLS and "name" not in source:
            assert "pathlib.Path" in refused
        nothing_went(world)


@pytest.mark.parametrize("source", ["required", "optional", "stored", "stored list"])
@texts_and_kinds
def test_nothing_that_the_server_told_a_cell_names_a_file(source: str, form: str, kind: str, texts: dict[str, str]) -> None:
    told: Any = [texts[form]] if source == "stored list" else texts[form]
    app = App(kind, stored=told) if "stored" in source else App(kind, default=told, required=source == "required")
    with counted(app) as world:
        refused = world.cell(f"-c {TALK}" if "stored" in source else "")
        world.cell("")
        if kind in FILE_CONTROLS:
            assert ("needs v" in refused) == (source == "required")
            assert [one["inputs"] for one in app.questions] == ([] if refused else [{}, {}])
        nothing_went(world)


def test_what_is_left_out_is_said(texts: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with counted(App("file", stored=texts["path"])) as world:
        assert world.cell(f"-c {TALK}") == ""
        assert "Left out: v." in capsys.readouterr().err
        assert world.cell("--dry-run --new") == ""


TOLD = [
    ("file", {"type": "document", "transfer_method": "local_file", "upload_file_id": "up-9"}),
    ("file", {"type": "document", "transfer_method": "remote_url", "url": "https://h.example/a.pdf"}),
    ("file-list", [{"type": "document", "transfer_method": "local_file", "upload_file_id": "up-9"}]),
]


@pytest.mark.parametrize(("kind", "told"), TOLD)
@pytest.mark.parametrize("source", ["required", "stored"])
def test_what_the_api_takes_goes_back_as_it_came(kind: str, told: Any, source: str) -> None:
    app = App(kind, stored=told) if source == "stored" else App(kind, default=told, required=True)
    with counted(app) as world:
        assert world.cell(f"-c {TALK}" if source == "stored" else "") == ""
        assert app.questions[0]["inputs"] == {"v": told}
        nothing_went(world)


NAMED: dict[str, Callable[[Path], tuple[str, dict[str, Any]]]] = {
    "path": lambda p: (f"-i v={p}", {}),
    "pattern": lambda p: ("-i v=*.txt", {}),
    "home": lambda p: ("-i v=~/secret.txt", {}),
    "-f path": lambda p: (f"-f {p}", {}),
    "-f pattern": lambda p: ("-f *.txt", {}),
    "-f home": lambda p: ("-f ~/secret.txt", {}),
    "-f without variables": lambda p: ("--no-vars -f secret.txt", {}),
    "expression": lambda p: ("-i v:=p", {"p": p}),
    "expression of bytes": lambda p: ("-i v:=p.read_bytes()", {"p": p}),
    "expression of an open file": lambda p: ("-i v:=file", {"file": io.BytesIO(CONTENT)}),
    "dict": lambda p: ("--inputs d", {"d": {"v": p}}),
    "dict with bytes": lambda p: ("--inputs d", {"d": {"v": CONTENT}}),
    "list in a dict": lambda p: ("--inputs d", {"d": {"v": [p]}}),
    "template": lambda p: ("-i 'v={{ p }}'", {"p": p}),
    "template of a directory": lambda p: ("-i 'v={{ p.parent }}/secret.txt'", {"p": p}),
    "template of a directory with a pattern": lambda p: ("-i 'v={{ p.parent }}/*.txt'", {"p": p}),
    "-f template": lambda p: ("-f '{{ p }}'", {"p": p}),
    "-f template of bytes": lambda p: ("-f '{{ data }}'", {"data": CONTENT}),
}


@pytest.mark.parametrize("source", NAMED)
@pytest.mark.parametrize("kind", FILE_CONTROLS)
def test_a_cell_sends_the_file_that_its_user_names(source: str, kind: str, tmp_path: Path) -> None:
    with counted(App(kind)) as world:
        cell, names = NAMED[source](tmp_path / "secret.txt")
        assert world.cell(f"--dry-run {cell}", **names) == ""
        nothing_went(world)
        assert world.cell(cell, **names) == ""
        assert (len(world.app.uploads), world.leaks()) == (1, 1)
        assert world.cell("", **names) == ""
        assert len(world.app.uploads) == 1, "a later turn names it again and uploads nothing"


def test_a_directory_of_a_variable_is_no_pattern(tmp_path: Path) -> None:
    odd = tmp_path / "[s]*"
    odd.mkdir()
    (odd / "mine.csv").write_bytes(b"mine")
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "other.csv").write_bytes(CONTENT)
    with counted(App("file-list")) as world:
        assert world.cell("-i 'v={{ odd }}/*.csv'", odd=odd) == ""
        assert world.app.uploads == ["mine.csv"]


@pytest.mark.parametrize("year", [2024, "2024", True, 20.24], ids=repr)
def test_a_whole_number_may_stand_in_a_typed_path(year: Any, tmp_path: Path) -> None:
    for name in ("2024.csv", "True.csv", "20.24.csv"):
        (tmp_path / name).write_bytes(CONTENT)
    with counted(App("file")) as world:
        refused = world.cell("-f './{{ year }}.csv'", year=year)
        assert bool(refused) == (year != 2024)
        assert "year = pathlib.Path" in refused or not refused
        assert world.app.uploads == ([] if refused else ["2024.csv"])


@pytest.mark.parametrize("cell", ["-i v=https://h.example/a.pdf", "-i v:=u", "--inputs d", "-i 'v={{ u }}'"])
def test_an_address_of_the_user_s_is_named_to_the_server(cell: str) -> None:
    address = "https://h.example/a.pdf"
    with counted(App("file")) as world:
        assert world.cell(cell, u=address, d={"v": address}) == ""
        sent = {"type": "document", "transfer_method": "remote_url", "url": address}
        assert world.app.questions[0]["inputs"] == {"v": sent}
        nothing_went(world)


# -- Python


async def ask(world: World, door: str, inputs: dict[str, Any]) -> None:
    if door == "sync":
        world.dify.chat.send("hi", inputs=inputs)
    elif door == "sync stream":
        with world.dify.chat.stream("hi", inputs=inputs) as stream:
            list(stream)
    else:
        dify: AsyncDify = world.dify.as_async
        mode: Any = "blocking" if door == "async blocking" else "streaming"
        await dify.chat.send("hi", inputs=inputs, response_mode=mode)


doors = pytest.mark.parametrize("door", ["async", "async blocking", "sync", "sync stream"])


@pytest.mark.anyio
@pytest.mark.parametrize("known", ["asked before", "asked by the question", "not told"])
@texts_and_kinds
@doors
async def test_no_text_from_python_names_a_file(door: str, kind: str, form: str, known: str, texts: dict[str, str]) -> None:
    with counted(App(kind)) as world:
        world.app.tells = known != "not told"
        if known == "asked before":
            world.dify.app.parameters()
        for value in (texts[form], [texts[form]]):
            if world.app.tells and kind not in TEXT_CONTROLS:
                with pytest.raises(InputError) as caught:
                    await ask(world, door, {"v": value})
                assert ("pathlib.Path" in caught.value.hint) == (kind in FILE_CONTROLS)
                assert world.app.questions == []
            else:
                await ask(world, door, {"v": value})
                sent = json.dumps(value) if world.app.tells and isinstance(value, list) else value
                assert world.app.questions[-1]["inputs"] == {"v": sent}
        nothing_went(world)


@pytest.mark.anyio
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("how", ["path", "bytes", "open", "list"])
@pytest.mark.parametrize("kind", FILE_CONTROLS)
@doors
async def test_python_sends_the_file_that_its_user_gives(door: str, kind: str, how: str, known: bool, tmp_path: Path) -> None:
    path = tmp_path / "secret.txt"
    value: Any = {"path": path, "bytes": CONTENT, "open": io.BytesIO(CONTENT), "list": [path]}[how]
    with counted(App(kind)) as world:
        if known:
            world.dify.app.parameters()
        await ask(world, door, {"v": value})
        assert (len(world.app.uploads), world.leaks()) == (1, 1)


# -- the panel


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("source", ["required", "optional", "conversation", "message", "form", "python"])
@texts_and_kinds
def test_no_text_of_a_panel_names_a_file(
    source: str, kind: str, form: str, known: bool, texts: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = texts[form]
    stored = source in ("conversation", "message")
    app = App(kind, stored=text if stored else None, default=text if source in ("required", "optional") else "",
              required=source == "required")  # fmt: skip
    with counted(app) as world:
        if not known:
            world.dify.app.parameters()  # the client knows the form, the panel does not
        with world.panel(monkeypatch, known=known) as page:
            if stored:
                page.do("open", conversation=TALK)
                page.until(lambda: page.turns, "the stored turn")
            if source == "python":
                settled(lambda: page.panel.ask("q", inputs={"v": text}).result(20))
                page.until(lambda: not page.panel.turns or page.turn.status != "running", "the end")
            else:
                if source == "message":
                    sent = page.send("regenerate", key=page.turns[0]["key"])
                else:
                    sent = page.send("ask", query="q", inputs={"v": text} if source == "form" else {}, files=[])
                if page.reply(sent)[0]["ok"]:
                    page.ended(2 if stored else 1)
            if not known and kind in FILE_CONTROLS and source in ("form", "python"):
                error = page.turn.error
                assert page.turn.status == "failed"
                assert error is not None
                assert "pathlib.Path" in error.message
        nothing_went(world)
        if not known and source not in ("form", "python"):
            assert [one["inputs"] for one in app.questions] == [{}], "only what the user gave"


def settled(work: Callable[[], object]) -> None:
    """Whether it was asked or refused, it has ended."""
    try:
        work()
    except DifyError:
        return


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("kind", FILE_CONTROLS)
def test_a_panel_sends_the_file_that_python_gives(
    kind: str, known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with counted(App(kind)) as world, world.panel(monkeypatch, known=known) as page:
        assert page.panel.ask("q", inputs={"v": tmp_path / "secret.txt"}).result(20).status == "succeeded"
        assert (len(world.app.uploads), world.leaks()) == (1, 1)


@pytest.mark.parametrize("kind", FILE_CONTROLS)
def test_a_panel_sends_the_file_that_was_picked(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with counted(App(kind)) as world, world.panel(monkeypatch, known=True) as page:
        page.do("upload", [CONTENT], upload="one", name="a.txt", type="text/plain", size=len(CONTENT), field="v")
        page.ask("q", {"v": "one" if kind == "file" else ["one"]})
        page.ended(1)
        [asked] = world.app.questions
        assert json.dumps(asked["inputs"]).count('"up-1"') == 1
        page.do("regenerate", key=page.turns[0]["key"])
        page.ended(2)
        assert (len(world.app.uploads), world.leaks()) == (1, 1)


def test_a_panel_says_what_of_a_stored_question_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"dify_model_identity": "__dify__file__", "related_id": "up-9", "transfer_method": "local_file"}
    with counted(App("file", stored=kept)) as world, world.panel(monkeypatch, known=True) as page:
        page.do("open", conversation=TALK)
        page.until(lambda: page.turns, "the stored turn")
        page.do("regenerate", key=page.turns[0]["key"])
        page.ended(2)
        page.until(lambda: "Left out: V." in json.dumps(page.parts["status"]), "the word about it")
        assert world.app.questions[0]["inputs"] == {}


def test_a_panel_whose_server_does_not_tell_its_form_leaves_the_inputs_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    app = App("number")
    app.tells = False
    with counted(app) as world, world.panel(monkeypatch, known=True) as page:
        assert page.panel.ask("q", inputs={"v": "7"}).result(20).status == "succeeded"
        assert app.questions[0]["inputs"] == {"v": "7"}


# -- exports


@kinds
def test_an_exported_conversation_carries_no_file_and_asks_as_before(kind: str, texts: dict[str, str]) -> None:
    """What the server stored comes back as data, whichever kind of control the app has now."""
    turn = Turn(query="q", answer="a", inputs={"v": texts["path"]})
    [cell] = [
        "".join(one["source"])
        for one in json.loads(transcript.as_notebook([turn], "t"))["cells"]
        if one["cell_type"] == "code" and one["source"][0].startswith("%%dify")
    ]
    with counted(App(kind)) as world:
        refused = world.cell(cell)
        assert bool(refused) == (kind not in TEXT_CONTROLS)
        nothing_went(world)
