"""Every place where a server's words may stand × everything that prints them: nothing that a terminal obeys.

The places and the server are in `support.rude_app`; what prints is in `PYTHON` (repr, str, text, traceback of what
the client gives) and in `CELLS` (what a cell or a line writes into a terminal).
"""

from __future__ import annotations

import json
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from IPython.core.interactiveshell import InteractiveShell
from support.raw_server import serving
from support.rude_app import CONVERSATION, KEY, MESSAGE, PLACES, PROBE, RudeApp, obeyed

from dify_notebook import Dify, DifyError, Session, Turn, frames, views
from dify_notebook.magic.magics import DRY_RUN, DifyMagics
from dify_notebook.net.pages import PagingWarning, warn_of_paging
from dify_notebook.printable import TEXT, visible
from dify_notebook.redact import redact

World = SimpleNamespace


def inside(value: Any) -> list[Any]:
    """A value and all structs in it, at any depth."""
    found = [value]
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            found += inside(getattr(value, name))
    elif isinstance(value, (list, tuple)):
        for one in value:
            found += inside(one)
    return [one for one in found if not isinstance(one, (str, bytes))]  # fields stay as they came


def shown(value: Any) -> str:
    """All that Python prints of a value: its repr and its str, and of the structs in it. Text has its repr alone."""
    structs = [one for one in inside(value) if isinstance(one, msgspec.Struct) and one is not value]
    said = [repr(value), *([] if isinstance(value, (str, list)) else [str(value)])]
    return "\n".join([*said, *(f"{one!r}\n{one}" for one in structs)])


def raised(call: Callable[[], Any]) -> str:
    """What an error looks like that nobody caught."""
    try:
        call()
    except DifyError as error:
        return "\n".join([str(error), repr(error), *traceback.format_exception(error), shown(error.turn)])
    raise AssertionError("nothing was raised")


def told(call: Callable[[], Any]) -> str:
    """What comes of a call, printed; an error too."""
    got: list[Any] = []
    try:
        got.append(call())
    except DifyError:
        return raised(call)
    return shown(got[0])


def streamed(turn: Turn, events: list[Any]) -> str:
    """The answer in a terminal, its pieces cut at every place."""
    step = 1 if len(turn.answer) < 2_000 else len(turn.answer) // 7
    stream = views.TextStream("en")
    out = ""
    for end in range(0, len(turn.answer) + 1, step):
        out += stream.feed(msgspec.structs.replace(turn, answer=turn.answer[:end], status="running"), 5.0)
    return out + stream.end(turn)


PYTHON: dict[str, Callable[[World], str]] = {
    "print(turn)": lambda w: f"{w.turn}",
    "turn": lambda w: shown(w.turn),
    "turn as text": lambda w: views.text(w.turn, lang="en"),
    "turn as text, in Chinese": lambda w: views.text(w.turn, lang="zh-Hans"),
    "turn in an old notebook": lambda w: w.turn._repr_mimebundle_()["text/plain"],
    "turn in a terminal": lambda w: streamed(w.turn, w.events),
    "turn.raise_for_status()": lambda w: raised(w.turn.raise_for_status),
    "turn.events": lambda w: shown(w.events) + repr(w.turn.events),
    "turn.tape": lambda w: shown(w.turn.tape) + shown(w.turn.tape.header) + shown(list(w.turn.events)),
    "print(dify)": lambda w: shown(w.dify) + shown(w.dify.as_async) + shown(w.dify.settings),
    "session": lambda w: shown(w.session),
    "app.info": lambda w: told(w.dify.app.info),
    "app.parameters": lambda w: told(w.dify.app.parameters),
    "app.meta": lambda w: told(w.dify.app.meta),
    "app.site": lambda w: told(w.dify.app.site),
    "app.feedbacks": lambda w: told(lambda: w.dify.app.feedbacks().to_list()),
    "conversations": lambda w: told(lambda: w.dify.conversations.list().to_list(limit=3)),
    "variables": lambda w: told(lambda: w.dify.conversations.variables(CONVERSATION).to_list(limit=3)),
    "messages": lambda w: told(lambda: w.dify.messages.list(CONVERSATION).to_list(limit=3)),
    "suggested": lambda w: told(lambda: w.dify.messages.suggested(MESSAGE)),
    "annotations": lambda w: told(lambda: w.dify.annotations.list().to_list()),
    "end_users": lambda w: told(lambda: w.dify.end_users.get("e")),
    "upload": lambda w: told(lambda: w.dify.files.upload(b"x", name="x.txt")),
    "to_text": lambda w: told(lambda: w.dify.audio.to_text(b"x", name="x.mp3")),
    "find_users": lambda w: told(w.dify.find_users),
    "history": lambda w: shown(w.history) + shown(w.history.facts) + shown(list(w.history.failures)),
    "history.conversation": lambda w: "".join(told(partial(w.history.conversation, id)) for id in w.ids),
    "no such conversation": lambda w: raised(lambda: w.history.conversation("nothing")),
    "refused": lambda w: "".join(raised(call) for call in refusals(w)),
}

CELLS: dict[str, str] = {
    "%dify": "%dify",
    "apps": "%dify apps",
    "conversations": "%dify conversations",
    "conversation": "%dify conversations 1",
    "doctor": "%dify doctor",
    "doctor --stream": "%dify doctor --stream",
    "runs": "%dify runs",
    "history": "%dify history",
    "history again": "history",
    "dry run": "%%dify --dry-run\nhi",
    "a cell": "%%dify --new\nhi",
    "a quiet cell": "%%dify --new --quiet -o kept\nhi",
    "its turn": "kept",
    "its turn, printed": "print(kept)",
    "a wrong input": "%%dify -i nothing=x\nhi",
    "a client's error": "dify.conversations.rename('x', 'y')",
    "a verbose error": "%xmode Verbose\ndify.conversations.rename('x', 'y')",
    "a list": "dify.conversations.list().to_list(limit=2)",
    "in a dict": "{'one': dify.app.info()}",
    "a panel": "from dify_notebook import ChatPanel\npanel = ChatPanel(dify)\nquestion = panel.ask('hi')\nquestion.result();",
    "its repr": "print(repr(panel), repr(question), panel.session)",
    "its text": "panel",
    "its end": "panel.close()\nprint(panel)",
}


def refusals(world: World) -> Iterator[Callable[[], Any]]:
    """Calls that the server refuses."""
    with world.refusing():
        yield lambda: world.dify.chat.send("hi")
        yield lambda: world.dify.app.feedbacks().to_list()
        yield lambda: world.dify.files.upload(b"x", name="x.txt")
        yield lambda: world.dify.conversations.list().to_list()


ALONE = ("body", "conversation id")
"""These change what else there is to see."""
_OTHERS = [place for place in PLACES if place not in ALONE]
GROUPS = [*((place,) for place in ALONE), *(tuple(_OTHERS[at::12]) for at in range(12))]
"""Places that are tried at once."""


def marked(places: tuple[str, ...], text: str) -> dict[str, str]:
    """That text in each of the places, with the place's own mark before it."""
    return {place: f"Zq{PLACES.index(place)}z{text}" for place in places}


@contextmanager
def world_of(texts: dict[str, str]) -> Iterator[World]:
    """A client, a turn with its events and a history, of an app that has the texts in those places."""
    app = RudeApp(texts)

    @contextmanager
    def refusing() -> Iterator[bool]:
        app.refuses = True
        try:
            yield True
        finally:
            app.refuses = False

    with serving(app) as server, warnings.catch_warnings(), Dify(KEY, server.url, "me", retry=0) as dify:
        warnings.simplefilter("ignore")
        with dify.chat.stream("hi") as stream:
            events = list(stream)
        found = dify.history(progress=False)
        session = Session(dify)
        session.conversation_id = stream.turn.conversation_id
        ids = list(found.conversations["conversation_id"])
        yield World(
            app=app, dify=dify, turn=stream.turn, events=events, history=found, session=session, ids=ids,
            refusing=refusing,
        )  # fmt: skip


def of_python(world: World) -> dict[str, str]:
    return {name: call(world) for name, call in PYTHON.items()}


@pytest.mark.parametrize("places", GROUPS, ids=", ".join)
def test_what_python_prints(places: tuple[str, ...]) -> None:
    with world_of(marked(places, PROBE)) as world:
        said = of_python(world)
    assert {name: signs for name, text in said.items() if (signs := obeyed(text))} == {}
    # So that this is no table of nothing: what stands in each place is printed somewhere.
    everything = "".join(said.values())
    assert [place for place, text in marked(places, "").items() if text not in everything] == []


_READ = {"print(turn)", "turn", "turn as text", "turn as text, in Chinese", "turn in an old notebook", "turn in a terminal"}
WHOLE = {
    "answer": {*_READ, "history.conversation", "turn.events", "turn.tape", "turn.raise_for_status()"},
    "question": {"history.conversation"},
    "suggestion": {"suggested"},
    "spoken": {"to_text"},
}
"""What is there to be read is printed as long as it is, and a plain str is Python's own."""


@pytest.mark.parametrize("places", GROUPS, ids=", ".join)
def test_a_long_text_makes_no_long_output(places: tuple[str, ...]) -> None:
    count = 60_000 if "conversation id" in places else 400_000  # a longer one stands in no URL
    with world_of(marked(places, "x" * count)) as world:
        said = of_python(world)
    whole = {name for place in places for name in WHOLE.get(place, ())}
    assert {name: len(text) for name, text in said.items() if name not in whole and len(text) > 3 * TEXT} == {}


SECRETS = ("Tq9SIGNATURE", "k3YvTq9Wk3YvTq9W")
SIGNED = f" http://h/x?timestamp=1&sign={SECRETS[0]} app-{SECRETS[1]} "


def test_python_prints_no_secret() -> None:
    """A server may repeat a signed link or a key wherever it says something. Plain texts are Python's own to print."""
    with world_of({place: SIGNED for place in PLACES if place not in ALONE}) as world:
        assert SECRETS[0] in world.turn.answer
        said = {**of_python(world), "repr": repr(world.turn)}
        turn, kept = world.turn, world.history
        tables = {
            **{name: getattr(kept, name) for name in ("conversations", "messages", "thoughts", "citations", "files")},
            "turns": frames.turns([turn]), "events": frames.events([turn]), "nodes": turn.nodes_frame(),
        }  # fmt: skip
        said |= {name: table.astype(str).to_csv() for name, table in tables.items()}
    assert {name for name, text in said.items() if any(one in text for one in SECRETS)} == {"suggested", "to_text"}
    assert sum("sign=-" in text and "app-***" in text for text in said.values()) > 20


@pytest.mark.parametrize("secret", ["http://h/x?sign=Tq9.SIG*NATURE=", "http://h/x?a=1&amp;token=Tq9SIGNATURE.", "app-Tq9SIGNATUREabcdefghij",
                                    "Authorization: Basic Tq9SIGNATURE==", "sk-" + "Tq9S" * 200 + "NATURE"])  # fmt: skip
@pytest.mark.parametrize("lead", ["", "so: ", "字" * 3_000, "many words " * 300])
def test_an_answer_that_streams_shows_no_secret(lead: str, secret: str) -> None:
    """In a terminal and in a page, wherever its pieces are cut, and what stands around the secret is there."""
    answer = f"Look.\n{lead}{secret} and on it goes\nThe *end*."
    for begin in range(len(lead), len(lead) + 30):
        cuts = [*range(begin, len(answer), 7), len(answer)]
        stream, view, out = views.TextStream("en"), views.TurnView("en"), ""
        for end in cuts:
            turn = Turn(answer=answer[:end], status="running")
            out += stream.feed(turn)
            live = json.dumps(msgspec.to_builtins(view.blocks(turn)), default=str)
            assert secret.rstrip(".=")[-6:] not in live
        out += stream.end(Turn(answer=answer, status="succeeded", end="message_end"))
        assert secret.rstrip(".=")[-6:] not in out
        assert f"\nLook.\n{redact(lead + secret)[:-1].rstrip('.')}" in out
        assert " and on it goes\nThe *end*." in out


# -- cells ---------------------------------------------------------------------------------------


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Any]:
    """IPython in a terminal, without colours of its own and without a history."""
    from traitlets.config import Config

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    settings = Config()
    settings.HistoryManager.enabled = False
    made: Any = InteractiveShell(config=settings)
    made.run_line_magic("colors", "nocolor")
    magics = DifyMagics(made)
    magics.register()
    made.dify_magics = magics
    yield made
    magics.unregister()


@pytest.mark.parametrize("places", GROUPS, ids=", ".join)
def test_what_a_terminal_gets(places: tuple[str, ...], shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    said: dict[str, str] = {}
    with world_of(marked(places, PROBE)) as world:
        shell.user_ns["dify"] = world.dify
        shell.run_cell("%dify use dify")
        capsys.readouterr()
        for name, cell in CELLS.items():
            shell.run_cell(cell, store_history=False)
            captured = capsys.readouterr()
            said[name] = captured.out + captured.err
        with world.refusing():
            shell.run_cell("%%dify --new\nhi", store_history=False)
            shell.run_cell("%dify conversations", store_history=False)
            shell.run_cell("%dify doctor", store_history=False)
            captured = capsys.readouterr()
            said["refused"] = captured.out + captured.err
        offered = [text for line in LINES for text in completions(shell, line)]
    assert {name: signs for name, text in said.items() if (signs := obeyed(text))} == {}
    assert "NameError" not in "".join(said.values()), "each cell did what it was meant to"
    assert [text for text in offered if obeyed(text) or len(text.splitlines()) > 1] == []
    assert [name for name, text in said.items() if not text and name not in ("its turn", "a quiet cell")] == []
    assert "\n* forged: line" not in "".join(said[name] for name in ("%dify", "apps", "conversations", "conversation"))


def test_a_terminal_gets_no_secret(shell: Any, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    said: dict[str, str] = {}
    with caplog.at_level("DEBUG"), world_of({place: SIGNED for place in PLACES if place not in ALONE}) as world:
        shell.user_ns["dify"] = world.dify
        shell.run_cell("%dify use dify")
        for name, cell in CELLS.items():
            capsys.readouterr()
            shell.run_cell(cell, store_history=False)
            captured = capsys.readouterr()
            said[name] = captured.out + captured.err
        with world.refusing():
            shell.run_cell("%%dify --new\nhi", store_history=False)
            captured = capsys.readouterr()
            said["refused"] = captured.out + captured.err
        with pytest.raises(DifyError):
            world.dify.files.download({"url": f"/f?sign={SECRETS[0]}"})
    assert {name for name, text in said.items() if any(one in text for one in SECRETS)} == set()
    assert sum("sign=-" in text and "app-***" in text for text in said.values()) > 12
    ours = [one.getMessage() for one in caplog.records if one.name.startswith(("dify_notebook", "httpx", "httpcore"))]
    assert [one for one in ours if any(secret in one for secret in SECRETS)] == []
    assert any("HTTP Request" in one and "sign=-" in one for one in ours)


def test_a_long_text_fills_no_terminal(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Long in every place at once; of what is to be read a whole answer is as long as it is."""
    said: dict[str, int] = {}
    with world_of({place: "x" * 300_000 for place in PLACES if place not in (*ALONE, *WHOLE)}) as world:
        shell.user_ns["dify"] = world.dify
        shell.run_cell("%dify use dify")
        for name, cell in CELLS.items():
            capsys.readouterr()
            shell.run_cell(cell, store_history=False)
            captured = capsys.readouterr()
            said[name] = len(captured.out + captured.err)
    assert {name: size for name, size in said.items() if size > TEXT / 2} == {}


LINES = ("%%dify -i ", "%%dify -i city=", "%%dify -c ", "%dify use ", "%dify ")


def completions(shell: Any, line: str) -> list[str]:
    """What the Tab key offers behind that line."""
    context = SimpleNamespace(full_text=line, cursor_line=0, cursor_position=len(line))
    return [one.text for one in shell.dify_magics._matcher(context)["completions"]]


def test_a_harmless_name_is_offered_and_a_harmful_one_is_not(shell: Any) -> None:
    for text, count in (("town", 1), ("to\x1bwn", 0), ("town\n", 0), ("t" * 1_000, 0)):
        with world_of({"input name": text}) as world:
            shell.user_ns["dify"] = world.dify
            shell.run_cell("%dify use dify\n%dify apps")
            assert len(completions(shell, "%%dify -i t")) == count


def test_a_user_and_a_profile_are_shown_harmless(
    shell: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Files and arguments may have been made by somebody else."""
    monkeypatch.setenv("DIFY_NOTEBOOK_CONFIG_DIR", str(tmp_path))
    words = json.dumps(PROBE).replace("\x7f", "\\u007f")[1:-1]
    (tmp_path / "profiles.toml").write_text(
        f'[profiles.evil]\nbase_url = "http://127.0.0.1:9/{words}"\nuser = "{words}"\nkey = "keyring"\n'
    )
    with world_of({}) as world:
        user = PROBE.replace("\r", "")
        shell.user_ns["dify"] = world.dify.as_user(user)
        for cell in ("%dify use dify", "dify", "%dify", "%dify apps", "%dify conversations", "%dify use evil", "%dify forget evil"):
            shell.run_cell(cell)
    captured = capsys.readouterr()
    assert captured.out.count("gnp.exe") >= 4
    assert obeyed(captured.out + captured.err) == []


def test_a_dry_run_shows_what_the_user_wrote_harmless_and_bounded(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with world_of({}) as world:
        shell.user_ns.update(dify=world.dify, text=PROBE, many={"city": "x" * 3_000_000})
        shell.run_cell("%dify use dify")
        capsys.readouterr()
        shell.run_cell("%%dify --dry-run -i city={{text}}\n{{ text }}")
        said = capsys.readouterr().out
        assert said.count("gnp.exe") == 2
        assert obeyed(said) == []
        shell.run_cell("%%dify --dry-run --inputs many\nhi")
        assert TEXT < len(capsys.readouterr().out) <= DRY_RUN + 1


def test_an_answer_is_printed_whole_wherever_its_pieces_are_cut() -> None:
    whole = visible(PROBE)
    for cut in range(len(PROBE) + 1):
        stream = views.TextStream("en")
        turn = Turn(answer=PROBE[:cut])
        out = stream.feed(turn) + stream.feed(Turn(answer=PROBE))
        out += stream.end(Turn(answer=PROBE, status="succeeded", end="message_end"))
        assert whole in out
        assert obeyed(out) == []


def test_a_warning_of_a_list_is_harmless() -> None:
    with pytest.warns(PagingWarning) as caught:
        warn_of_paging("net.paging_stuck", what=PROBE)
    assert obeyed(str(caught[0].message)) == []
    assert len(str(caught[0].message).splitlines()) == 1


def test_tables_stay_as_they_came() -> None:
    with world_of({"answer": PROBE}) as world:
        assert world.turn.answer == PROBE
        assert world.history.messages["answer"].tolist() == [PROBE]
        assert world.dify.messages.list(CONVERSATION).to_frame()["answer"].tolist() == [PROBE]
