"""The panel in real kernels: what runs, what is saved, and that nothing of anyone lies in widget state."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
import pytest
from browser.conftest import KERNELS
from browser.harness import overlay
from nbformat.v4 import new_code_cell, new_notebook
from support import notebooks
from support.kernels import Kernel, Outputs, kernel

import dify_notebook
from dify_notebook import local
from dify_notebook.local.server.process import LocalServer

WIDGET = "application/vnd.jupyter.widget-view+json"
QUERY = "How do I stop a running answer?"
USER = "canary-user-of-the-panel"
OPEN = f"""
import os
from dify_notebook import ChatPanel, Dify
panel = ChatPanel(Dify(os.environ["TEST_KEY"], os.environ["TEST_URL"], user="{USER}"))
panel
"""
SECONDS = 30.0
PATCHES = 10
"""That the page sees while the kernel is busy."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with local.serve(data_dir=tmp_path_factory.mktemp("server"), pace=1) as running:
        yield running


@pytest.fixture
def started(tmp_path: Path, server: LocalServer) -> Iterator[Callable[..., Kernel]]:
    """Starts kernels in which TEST_KEY and TEST_URL lead to the server."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        key, url = server.api_key("guide"), server.base_url
        yield lambda **more: stack.enter_context(kernel(tmp_path, TEST_KEY=key, TEST_URL=url, **more))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, server: LocalServer) -> Iterator[Kernel]:
    """One for tests that leave nothing behind but a panel's name."""
    key, url, directory = server.api_key("guide"), server.base_url, tmp_path_factory.mktemp("shared")
    with kernel(directory, TEST_KEY=key, TEST_URL=url, DIFY_NOTEBOOK_LIVE="widget") as running:
        yield running


class Page:
    """A frontend's half of the panel's comm."""

    def __init__(self, running: Kernel, shown: Outputs) -> None:
        self.kernel = running
        self.comm = next(display[WIDGET]["model_id"] for display in shown.displays if WIDGET in display)
        self.seen: list[dict[str, Any]] = []

    def send(self, what: str, **arguments: Any) -> None:
        content = {"kind": "do", "id": len(self.seen) + 1000, "what": what, **arguments}
        self._say({"method": "custom", "content": content})

    def views(self, count: int) -> None:
        """What a browser's half of ipywidgets says when it has so many views of the panel."""
        self._say({"method": "update", "state": {"_view_count": count}, "buffer_paths": []})

    def _say(self, data: dict[str, Any]) -> None:
        message = self.kernel.client.session.msg("comm_msg", {"comm_id": self.comm, "data": data})
        self.kernel.client.shell_channel.send(message)

    def until(self, happened: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read messages until one is it."""
        end = time.monotonic() + SECONDS
        while True:
            message = self.kernel.client.get_iopub_msg(timeout=max(0.1, end - time.monotonic()))
            if message["msg_type"] == "comm_msg" and message["content"]["comm_id"] == self.comm:
                content: dict[str, Any] | None = message["content"]["data"].get("content")
                if content is not None:
                    self.seen.append(content)
                    if happened(content):
                        return content


def ended(content: dict[str, Any]) -> bool:
    return bool(content["kind"] == "turn" and content["item"]["status"] == "succeeded")


def test_the_panel_talks_over_a_real_kernel_s_comm(shared: Kernel) -> None:
    running = shared
    shown = running.run(OPEN)
    assert shown.error is None, shown.traceback
    assert [WIDGET in display for display in shown.displays] == [True, False]
    page = Page(running, shown)
    page.send("hello", lang=["en"], have=0)
    page.until(lambda content: content["kind"] == "reply")
    page.send("ask", query=QUERY, inputs={}, files=[])
    turn = page.until(ended)["item"]
    assert turn["query"] == QUERY
    assert running.value("panel.turn.status") == "'succeeded'"
    rated = running.run("panel.rate('like')")
    assert rated.error is None, rated.traceback
    assert running.value("panel.ratings[panel.turn.message_id].rating") == "'like'"


NAMELESS = f"""
import gc, os, time, weakref
from IPython.display import display
from dify_notebook import ChatPanel, Dify
made = []
def show(seen):
    panel = ChatPanel(Dify(os.environ["TEST_KEY"], os.environ["TEST_URL"], user="{USER}"))
    made.append(weakref.ref(panel))
    if seen:
        display(panel)
def alive():
    gc.collect()
    return sum(one() is not None for one in made)
def down_to(number):
    end = time.monotonic() + 60
    while alive() > number and time.monotonic() < end:
        time.sleep(0.1)
    return alive()
"""


def test_a_panel_lives_as_long_as_the_page_shows_it(started: Callable[..., Kernel]) -> None:
    running = started(DIFY_NOTEBOOK_LIVE="widget")
    running.run(NAMELESS)
    running.run("for _ in range(50): show(seen=False)")
    assert running.value("down_to(0)") == "0"
    pages = [Page(running, running.run("show(seen=True)")) for _ in range(3)]
    assert running.value("alive()") == "3"
    for page in pages:
        page.views(1)
    pages[0].send("hello", lang=["en"], have=0)
    pages[0].until(lambda content: content["kind"] == "reply")
    pages[0].send("ask", query=QUERY, inputs={}, files=[])
    pages[0].until(ended)
    assert running.value("alive()") == "3"
    pages[1].views(0)  # its output was cleared
    pages[2].views(0)
    assert running.value("down_to(1)") == "1"
    pages[0].views(0)
    assert running.value("down_to(0)") == "0"
    assert running.value("len(__import__('comm').get_comm_manager().comms)") == "0"  # nor does a layout stay


BUSY = """
import os, time
question, end = panel.ask({query!r}), time.monotonic() + {seconds}
while not os.path.exists({enough!r}) and time.monotonic() < end:
    if question.done:
        question = panel.ask({query!r})
print(len(question.result({seconds}).answer))
"""


@pytest.mark.parametrize("version", KERNELS)
def test_an_answer_goes_on_while_another_cell_works(
    started: Callable[..., Kernel], version: str, tmp_path: Path
) -> None:
    """The kernel's own thread is blocked until the page has seen it drawn; what draws and sends is not."""
    path = {} if version == metadata.version("ipykernel") else {"PYTHONPATH": before(overlay(version))}
    running = started(DIFY_NOTEBOOK_LIVE="widget", **path)
    assert running.value("__import__('ipykernel').__version__") == repr(version)
    running.run(OPEN)
    enough = tmp_path / "enough"
    patches = 0

    def watch(_: Outputs, message: dict[str, Any]) -> None:
        nonlocal patches
        content = message["content"].get("data", {}) if message["msg_type"] == "comm_msg" else {}
        if isinstance(content, dict) and (content.get("content") or {}).get("kind") == "patch":
            patches += 1
            if patches == PATCHES:
                enough.touch()

    # Messages of the panel's thread carry no cell's id: they are read beside the cell's own.
    done = run_watched(running, BUSY.format(query=QUERY, seconds=2 * SECONDS, enough=str(enough)), watch)
    assert patches >= PATCHES, "nothing was drawn while the cell worked"
    assert int(done.streams["stdout"].split()[-1]) > 100


def before(directory: Path) -> str:
    """PYTHONPATH with a directory before the checkout."""
    return os.pathsep.join((str(directory), str(Path(dify_notebook.__file__).parents[1])))


def run_watched(running: Kernel, code: str, watch: Callable[[Outputs, dict[str, Any]], None]) -> Outputs:
    """Run a cell, seeing every message that the kernel sends meanwhile, whosever it is."""
    outputs = Outputs()
    sent = running.client.execute(code, allow_stdin=False)
    while True:
        message = running.client.get_iopub_msg(timeout=SECONDS)
        watch(outputs, message)
        if message["parent_header"].get("msg_id") == sent:
            running._take(message, outputs)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                running.reply_to(sent)
                return outputs


def executed(folder: Path, server: LocalServer, **environment: str) -> Any:
    cells = [OPEN, f"panel.ask({QUERY!r}).result().status", "panel.turns[0].message_id is not None"]
    book = new_notebook(cells=[new_code_cell(cell.strip("\n")) for cell in cells])
    return notebooks.execute(
        book,
        folder,
        TEST_KEY=server.api_key("guide"),
        TEST_URL=server.base_url,
        DIFY_NOTEBOOK_DATA_DIR=str(folder / "data"),
        DIFY_NOTEBOOK_LANG="en",
        **environment,
    )


def test_an_executed_notebook_keeps_the_conversation_and_no_widget(tmp_path: Path, server: LocalServer) -> None:
    from nbconvert import HTMLExporter, MarkdownExporter

    book = executed(tmp_path, server)
    [kept] = notebooks.outputs(book.cells[0])
    assert set(kept) == {"text/html", "text/markdown", "text/plain"}
    for form in kept.values():
        assert QUERY in form
    assert "widgets" not in book.metadata
    html, _ = HTMLExporter().from_notebook_node(book)
    markdown, _ = MarkdownExporter().from_notebook_node(book)
    for text in (html, markdown):
        assert "From the documentation" in text
        assert text.count(QUERY) >= 2, "the cell and the transcript"
    saved = json.dumps(book)
    assert server.api_key("guide") not in saved
    assert USER not in saved.replace(json.dumps(OPEN.strip())[1:-1], "")


def test_widget_state_holds_nothing_of_anyone(tmp_path: Path, server: LocalServer) -> None:
    """Also where a widget is made: nbclient saves every trait."""
    book = executed(tmp_path, server, DIFY_NOTEBOOK_LIVE="widget")
    first, second = notebooks.outputs(book.cells[0])
    assert WIDGET in first
    assert WIDGET not in second
    assert "From the documentation" in second["text/markdown"]
    state = json.dumps(book.metadata["widgets"])
    for private in (server.api_key("guide"), USER, QUERY, "From the documentation", server.base_url):
        assert private not in state
    traits = {
        name
        for widget in book.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"].values()
        for name in widget["state"]
        if not name.startswith("_") and widget["model_name"] == "AnyModel"
    }
    assert traits == {"css", "layout", "tabbable", "tooltip"}


def test_a_closed_panel_leaves_its_conversation(shared: Kernel) -> None:
    running = shared
    shown = running.run(OPEN)
    running.run(f"panel.ask({QUERY!r}).result()")
    running.run("panel.close()")
    assert [WIDGET in display for display in shown.displays] == [False, False]
    assert "Run this cell again" in shown.displays[0]["text/plain"]
    assert QUERY in shown.displays[1]["text/plain"]
    assert running.value("len(panel.session.turns)") == "1"
    assert running.run("panel.close()").error is None


def test_in_a_terminal_it_is_text(tmp_path: Path, server: LocalServer) -> None:
    import subprocess
    import sys

    from support.kernels import kernel_environment

    made = OPEN.strip().removesuffix("panel")
    code = f"{made}panel.ask('hi').result()\nfrom IPython.display import display\ndisplay(panel)"
    env = kernel_environment(tmp_path, TEST_KEY=server.api_key("guide"), TEST_URL=server.base_url)
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--colors=nocolor", "-c", code],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "You: hi" in done.stdout, done.stdout + done.stderr


def test_the_example_notebook_runs_and_is_stored_without_outputs(tmp_path: Path) -> None:
    path = Path(dify_notebook.__file__).parents[1] / "notebooks" / "panel.ipynb"
    book = nbformat.read(path, 4)
    assert all(not cell.get("outputs") for cell in book.cells)
    data = tmp_path / "data"
    with local.serve(data_dir=data / "local", pace=0):
        notebooks.execute(book, tmp_path, DIFY_NOTEBOOK_DATA_DIR=str(data), DIFY_NOTEBOOK_LANG="en")
    cells = {cell.id: cell for cell in book.cells}
    assert "Python asks too" not in str(cells["panel-01"].outputs)
    assert "2 turns" in notebooks.outputs(cells["panel-01"])[0]["text/plain"]
    assert "like" in str(cells["panel-06"].outputs)
    assert "And how do I stop one?" in str(cells["panel-08"].outputs)
