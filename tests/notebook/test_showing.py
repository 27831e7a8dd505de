"""Real shells that cannot show everything: the answer is kept, and what can be shown is."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from support.kernels import Kernel, kernel, kernel_environment
from support.notebooks import execute
from support.raw_server import RawServer
from support.scripted_app import KEY, ScriptedApp, scripted

from dify_notebook.live.outputs import WIDGET

ENCODINGS = ["utf-8", "gbk", "cp1252", "latin-1", "ascii"]
TERMINAL = """
import contextlib, io, json, os, sys
from IPython.terminal.interactiveshell import TerminalInteractiveShell
import dify_notebook

shell = TerminalInteractiveShell.instance(colors="NoColor")
out, told = os.fdopen(os.dup(1), "w"), {}

def narrow(encoding):
    return io.TextIOWrapper(io.BytesIO(), encoding)

def left():
    reader, writer = os.pipe()
    os.close(reader)
    return open(writer, "w", buffering=1)

class Raising(io.StringIO):
    def write(self, text):
        raise OSError(5, "Input/output error")

def closed():
    stream = narrow("utf-8")
    stream.close()
    return stream

places = {name: (lambda name=name: narrow(name)) for name in ENCODINGS}
places |= {"none": lambda: None, "closed": closed, "left": left, "raising": Raising, "text": io.StringIO}
cells = {
    "load": "%load_ext dify_notebook",
    "ask": "get_ipython().run_cell_magic('dify', '-o a --new', 'Is 1 → 2 · “é”?')",
    "fail": "get_ipython().run_cell_magic('dify', '-o b --new', 'fail → now')",
    "line": "%dify", "apps": "%dify apps", "help": "%dify help", "dry": "%%dify --dry-run\\nIs 1 → 2?",
    "wrong": "%dify → what", "again": "%%dify --again\\nhello", "look": "display(a)", "quiet": "%%dify --quiet\\nhello",
}
def run(name, got):
    try:
        result = shell.run_cell(cells[name], store_history=True)
    except BaseException as problem:  # what IPython itself could not print
        got["failed"][name] = f"escaped: {type(problem).__name__}"
        return
    problem = result.error_before_exec or result.error_in_exec
    if problem is not None:
        got["failed"][name] = type(problem).__name__
    if name == "ask":
        got["out"] = shell.user_ns["_oh"].get(result.execution_count) is shell.user_ns["a"]

with contextlib.redirect_stdout(io.StringIO()):
    shell.run_cell(cells["load"])
for place, make in places.items():
    shell.user_ns.update(a=None, b=None)
    dify_notebook.last = None
    got = told[place] = {"failed": {}, "out": None}
    sys.stdout = stream = make()
    if stream is None:  # there IPython itself runs no cell
        shell.run_cell_magic("dify", "-o a --new", "Is 1 → 2 · “é”?")
    for name in cells if stream is not None else ():
        run(name, got)
        if name == "ask":
            got["last"] = dify_notebook.last is shell.user_ns["a"] is not None
    got["answer"] = shell.user_ns["a"] and shell.user_ns["a"].answer
    sys.stdout = sys.__stdout__
    if isinstance(stream, io.TextIOWrapper) and place in ENCODINGS:
        got["printed"] = stream.buffer.getvalue().decode(place)
    elif place == "text":
        got["printed"] = stream.getvalue()
out.write(json.dumps(told))
out.flush()
os._exit(0)
"""


@pytest.fixture(scope="module")
def app() -> Iterator[tuple[ScriptedApp, RawServer]]:
    app, server = scripted()
    try:
        yield app, server
    finally:
        app.released.set()
        server.close()


@pytest.fixture(scope="module")
def terminal(app: tuple[ScriptedApp, RawServer], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What became of the same cells in terminals of all kinds."""
    directory = tmp_path_factory.mktemp("terminal")
    script = directory / "cells.py"
    script.write_text(f"ENCODINGS = {ENCODINGS!r}\n{TERMINAL}", encoding="utf-8")
    env = kernel_environment(directory, DIFY_API_KEY=KEY, DIFY_BASE_URL=app[1].url, DIFY_USER="anna")
    done = subprocess.run([sys.executable, str(script)], env=env, capture_output=True, timeout=120, cwd=directory)
    assert done.returncode == 0, done.stderr.decode()
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


BROKEN = ["none", "closed", "left", "raising"]


@pytest.mark.parametrize("place", [*ENCODINGS, "text", *BROKEN])
def test_a_terminal_never_costs_the_answer(place: str, terminal: dict[str, Any]) -> None:
    got = terminal[place]
    assert got["answer"] == "You said: **Is 1 → 2 · “é”?**"
    if place != "none":
        assert (got["last"], got["out"]) == (True, True)
    if place in BROKEN:  # there IPython itself raises when it is to print
        for name in ("ask", "line", "apps", "help", "dry", "again", "quiet"):
            assert name not in got["failed"]
    else:
        assert got["failed"] == {"fail": "TurnFailed", "wrong": "InputError"}
        printed = got["printed"]
        assert "You said: **Is 1 " in printed
        assert "No tokens." in printed
        assert "%dify" in printed
        assert ("→" in printed) == (place in ("utf-8", "gbk", "text"))


AWAITS = """
import signal, sys
from IPython.terminal.interactiveshell import TerminalInteractiveShell
shell = TerminalInteractiveShell.instance(colors="NoColor")
signal.signal(signal.SIGINT, signal.default_int_handler)  # a process that was started in the background ignores it
shell.run_cell("from dify_notebook import AsyncDify; dify = AsyncDify()")
shell.run_cell(sys.argv[1])
print(repr(sys.last_value.turn.answer))
shell.run_cell("print((await dify.chat.send('hello')).answer)")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there a process cannot be sent an Interrupt alone")
@pytest.mark.parametrize(
    "code",
    [
        "await dify.chat.send('slow one')",
        "async with dify.chat.stream('slow one') as stream:\n    async for _ in stream: pass",
    ],
)
def test_interrupt_of_an_await_in_a_terminal_stops_the_answer_and_is_told_once(
    code: str, app: tuple[ScriptedApp, RawServer], tmp_path: Path
) -> None:
    script, stops, partials = tmp_path / "cells.py", len(app[0].stops), app[0].partials
    script.write_text(AWAITS, encoding="utf-8")
    env = kernel_environment(tmp_path, DIFY_API_KEY=KEY, DIFY_BASE_URL=app[1].url, DIFY_USER="anna")
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen([sys.executable, str(script), code], env=env, cwd=tmp_path, **pipes) as child:
        while app[0].partials == partials and child.poll() is None:
            time.sleep(0.01)
        time.sleep(0.3)  # so that its loop sleeps
        child.send_signal(signal.SIGINT)
        told = child.communicate(timeout=60)[0].splitlines()
    assert [line.partition(":")[0] for line in told] == ["KeyboardInterrupt", "'partial answer'", "You said"]
    assert len(app[0].stops) == stops + 1


def test_a_mistyped_mode_is_told_before_anything_is_sent(
    app: tuple[ScriptedApp, RawServer], tmp_path: Path
) -> None:
    with kernel(tmp_path, DIFY_API_KEY=KEY, DIFY_BASE_URL=app[1].url, DIFY_NOTEBOOK_LIVE="wdiget") as running:
        running.run("%load_ext dify_notebook")
        before = len(app[1].requests)
        told = running.run("%%dify\nhello")
        assert len(app[1].requests) == before
        assert "'wdiget'" in told.traceback
        assert "widget, html, text, off" in told.traceback
        assert len(told.traceback.splitlines()) == 2
        assert "ConfigError" in running.run("from dify_notebook import ChatPanel\nChatPanel()").traceback
        running.run("import os; os.environ['DIFY_NOTEBOOK_LIVE'] = 'html'")
        assert running.run("%%dify\nhello").error is None


@pytest.fixture(scope="module")
def shell(app: tuple[ScriptedApp, RawServer], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    environment = {"DIFY_API_KEY": KEY, "DIFY_BASE_URL": app[1].url, "DIFY_USER": "anna"}
    with kernel(tmp_path_factory.mktemp("kernel"), **environment) as running:
        running.run("%load_ext dify_notebook\nimport comm, contextlib, io, sys, dify_notebook, IPython.display")
        yield running


BREAK = {
    "a comm that does not open": (
        "import comm.base_comm as base\nkept = comm.create_comm\ndef fails(*a, **k): raise RuntimeError('no comm')\n"
        "comm.create_comm = fails\nfrom dify_notebook import live; live.close()",
        "comm.create_comm = kept",
    ),
    "no anywidget": (
        "held = {name: sys.modules.pop(name) for name in list(sys.modules) if 'anywidget' in name}\n"
        "mine = sys.modules.pop('dify_notebook.live.widget', None)\nsys.modules['anywidget'] = None",
        "sys.modules.update(held)\nif mine: sys.modules['dify_notebook.live.widget'] = mine",
    ),
    "a publisher that raises": (
        "pub = get_ipython().display_pub\nkept = pub.publish\ndef fails(*a, **k): raise RuntimeError('no display')\n"
        "pub.publish = fails",
        "pub.publish = kept",
    ),
}


@pytest.mark.parametrize("name", BREAK)
def test_a_broken_frontend_never_costs_the_answer(name: str, shell: Kernel) -> None:
    breaks, mends = BREAK[name]
    assert shell.run(breaks).error is None
    try:
        outputs = shell.run(f"%%dify -o a --new\nhello {name}")
    finally:
        assert shell.run(mends).error is None
    assert outputs.error is None, outputs.traceback
    assert f"hello {name}" in outputs.streams["stdout"] + str(outputs.displays)
    assert shell.value("(a.answer, a is dify_notebook.last)") == f"('You said: **hello {name}**', True)"
    assert shell.run("%%dify\nhello").streams["stderr"] == ""


def test_a_panel_in_a_frontend_without_widgets_shows_its_conversation(shell: Kernel) -> None:
    breaks, mends = BREAK["a comm that does not open"]
    shell.run(f"from dify_notebook import ChatPanel\nimport os; os.environ['DIFY_NOTEBOOK_LIVE'] = 'widget'\n{breaks}")
    try:
        outputs = shell.run("panel = ChatPanel()\npanel.ask('hello').result()\npanel")
    finally:
        assert shell.run(f"{mends}\ndel os.environ['DIFY_NOTEBOOK_LIVE']").error is None
    assert outputs.error is None, outputs.traceback
    assert ["You said: **hello**" in one["text/plain"] for one in outputs.displays] == [True]


def test_out_holds_the_turn_of_a_cell_that_asks_in_code(shell: Kernel) -> None:
    asks = "get_ipython().run_cell_magic('dify', '', 'hello')"
    shell.run(f"{asks}\nnumber = get_ipython().displayhook.prompt_count\nx = 5")
    assert shell.value("(Out[number] is dify_notebook.last, _ is dify_notebook.last)") == "(True, True)"
    shell.run(f"number = get_ipython().displayhook.prompt_count\n{asks}\n1 + 1")
    assert shell.value("(Out[number], _, __ is dify_notebook.last)") == "(2, 2, True)"


CAPTURES = {
    "capture": "%%capture kept\n%%dify\nhello",
    "capture_output": "from IPython.utils.capture import capture_output\nwith capture_output() as kept:\n"
    "    get_ipython().run_cell_magic('dify', '', 'hello')",
}


@pytest.mark.parametrize("mode", ["", "widget", "html", "text", "off"])
@pytest.mark.parametrize("name", CAPTURES)
def test_what_is_captured_holds_the_answer_once(name: str, mode: str, shell: Kernel) -> None:
    shell.run(f"import os; os.environ['DIFY_NOTEBOOK_LIVE'] = {mode!r}")
    try:
        assert shell.run(CAPTURES[name]).error is None
    finally:
        shell.run("del os.environ['DIFY_NOTEBOOK_LIVE']")
    told = "(kept.stdout + ''.join(o.data['text/plain'] for o in kept.outputs)).count('You said')"
    assert shell.value(told) == "1"


def test_a_redirected_stdout_holds_what_is_printed_there(shell: Kernel) -> None:
    shell.run(
        "os.environ['DIFY_NOTEBOOK_LIVE'] = 'text'\nkept = io.StringIO()\nwith contextlib.redirect_stdout(kept):\n"
        "    get_ipython().run_cell_magic('dify', '', 'hello')\ndel os.environ['DIFY_NOTEBOOK_LIVE']"
    )
    assert shell.value("kept.getvalue().count('You said: **hello**')") == "1"


INSIDE = """%load_ext dify_notebook
import ipywidgets as w
ask = lambda text: get_ipython().run_cell_magic('dify', '', text)
out, other = w.Output(), w.Output()
display(w.Tab([out, other]))"""


@pytest.mark.parametrize("mode", ["", "widget", "html", "text", "off"])
def test_an_output_widget_holds_the_answer_in_the_end(
    mode: str, app: tuple[ScriptedApp, RawServer], tmp_path: Path
) -> None:
    cells = [
        INSIDE,
        "with out:\n    print('before')\n    ask('hello')\n    print('behind')",
        "@other.capture()\ndef asks():\n    ask('fail now')\nasks()",
        "@w.interact(n=[1, 2])\ndef shows(n):\n    ask(f'number {n}')",
        "%%dify\nhello outside",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    config = {"DIFY_NOTEBOOK_CONFIG_DIR": str(tmp_path / "c"), "DIFY_NOTEBOOK_DATA_DIR": str(tmp_path / "d")}
    asked = {"DIFY_API_KEY": KEY, "DIFY_BASE_URL": app[1].url, "DIFY_NOTEBOOK_LANG": "en", "DIFY_NOTEBOOK_LIVE": mode}
    execute(book, tmp_path, **config, **asked)
    state = book.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    held = [
        [one.get("text", "") or "".join(one.get("traceback", ())) or one["data"]["text/plain"] for one in found]
        for model in state.values()
        if model["model_name"] == "OutputModel" and (found := model["state"]["outputs"])
    ]
    assert len(held) == 3
    for texts, answer in zip(held, ["You said: **hello**", "partial answer", "You said: **number 1**"], strict=True):
        assert "".join(texts).count(answer) == 1
        assert "streaming" not in "".join(texts)
    whole = "".join(held[0])
    assert whole.index("before") < whole.index("You said") < whole.index("behind")
    assert "No tokens." in "".join(held[1])
    if mode in ("", "widget", "html"):
        assert "You said" not in json.dumps([model for model in state.values() if model["model_name"] == "HTMLModel"])
        assert [WIDGET in output.get("data", {}) for output in book.cells[-1].outputs] == [False]
    assert "hello outside" in json.dumps(book.cells[-1].outputs)


def test_a_panel_in_an_output_widget_leaves_its_conversation_there(
    app: tuple[ScriptedApp, RawServer], tmp_path: Path
) -> None:
    cells = [
        "import ipywidgets as w, time\nfrom dify_notebook import ChatPanel\nout = w.Output()\ndisplay(out)",
        "panel = ChatPanel()\nwith out:\n    print('before')\n    display(panel)\n    print('behind')",
        "for text in ('one', 'two'):\n    panel.ask(f'hello {text}').result()",
        "import time\nfor _ in range(100):\n    if 'hello two' in str(out.outputs): break\n    time.sleep(0.05)",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    config = {"DIFY_NOTEBOOK_CONFIG_DIR": str(tmp_path / "c"), "DIFY_NOTEBOOK_DATA_DIR": str(tmp_path / "d")}
    execute(book, tmp_path, **config, DIFY_API_KEY=KEY, DIFY_BASE_URL=app[1].url, DIFY_NOTEBOOK_LANG="en")
    state = book.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    [held] = [model["state"]["outputs"] for model in state.values() if model["model_name"] == "OutputModel"]
    assert [one["output_type"] for one in held] == ["stream", "display_data", "stream"]
    assert held[1]["data"]["text/plain"].count("You said: **hello") == 2
