"""A panel lives as long as a page shows it or a name holds it."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import ipywidgets
import pytest
from support.panels import SECONDS, Wire, show, wired
from support.raw_server import Connection, Request, serving

from dify_notebook import ChatPanel, Dify, Session
from dify_notebook.panel import lifetime
from dify_notebook.panel.output import PanelOutput


def nothing(request: Request, connection: Connection) -> None:
    """A server that knows nothing."""
    connection.reply("404 Not Found", {"code": "not_found", "message": "no"})


def until(happened: Callable[[], bool]) -> bool:
    """Wait for it, collecting meanwhile."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        gc.collect()
        if happened():
            return True
        time.sleep(0.05)
    return False


def living(panel: weakref.ref[ChatPanel]) -> ChatPanel:
    """The panel, which is not to be gone."""
    found = panel()
    assert found is not None
    return found


def alive(panels: list[weakref.ref[ChatPanel]]) -> int:
    return sum(one() is not None for one in panels)


def drawing() -> int:
    return sum(thread.name == "dify_notebook panel" for thread in threading.enumerate())


def views(panel: ChatPanel, count: int) -> None:
    """What a browser says when it has so many views of the panel."""
    content = {"data": {"method": "update", "state": {"_view_count": count}, "buffer_paths": []}}
    panel.comm.handle_msg({"content": content, "buffers": []})


def placed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells without a kernel: whatever is shown stands in one."""
    monkeypatch.setattr(PanelOutput, "shown", property(lambda output: True))


@pytest.mark.parametrize("shared", [False, True], ids=["a session each", "one session"])
def test_panels_that_nobody_shows_or_names_are_gone(shared: bool) -> None:
    before = drawing()
    with serving(nothing) as server, wired():
        client = Dify("app-x", server.url, "u")
        session = Session(client)
        panels = [weakref.ref(ChatPanel(session if shared else client)) for _ in range(50)]
        named = ChatPanel(session)
        assert Wire.opened == []  # a panel that is not shown says nothing to any browser
        gc.collect()
        assert until(lambda: alive(panels) == 0)
        assert until(lambda: drawing() == before + 1)  # and their threads end
        assert named.session is session
        named.close()


def test_panels_whose_outputs_were_cleared_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifetime, "GRACE", 0.01)
    placed(monkeypatch)
    before, widgets = drawing(), len(ipywidgets.widgets.widget._instances)
    with serving(nothing) as server, wired():
        session = Session(Dify("app-x", server.url, "u"))
        panels = []
        for number in range(50):
            panel = ChatPanel(session)
            panel.model_id  # noqa: B018 - as whoever shows it asks for it
            panel._ipython_display_()
            views(panel, 1)
            if number % 2:
                views(panel, 2)  # a second view of the output
                views(panel, 1)
            panels.append(weakref.ref(panel))
        del panel
        gc.collect()
        assert alive(panels) == 50  # they are on a page, without a name
        named = panels[0]()
        for one in panels:
            views(living(one), 0)
        assert until(lambda: alive(panels) == 1)
        assert until(lambda: drawing() == before + 1)
        assert named is not None
        named._ipython_display_()  # it can be shown again, and a page that is loaded again finds it
        assert named.model_id in ipywidgets.Widget.get_manager_state()["state"]
        box = ipywidgets.VBox([named])
        assert box.get_state()["children"] == [f"IPY_MODEL_{named.model_id}"]
        box.layout.close()
        box.close()
        browser = show(named)
        views(named, 1)
        assert browser.texts
        del named, browser, box
        Wire.browsers.clear()
        gc.collect()
        assert alive(panels) == 1
        views(living(panels[0]), 0)
        assert until(lambda: alive(panels) == 0)
        assert until(lambda: len(ipywidgets.widgets.widget._instances) == widgets)  # nor do their layouts stay


def test_a_panel_that_moves_on_its_page_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifetime, "GRACE", 0.2)
    placed(monkeypatch)
    with serving(nothing) as server, wired():
        panel = ChatPanel(Dify("app-x", server.url, "u"))
        panel._ipython_display_()
        panel.open()
        views(panel, 1)
        views(panel, 0)  # its view is taken away, and comes back elsewhere
        views(panel, 1)
        reference = weakref.ref(panel)
        del panel
        time.sleep(0.5)
        gc.collect()
        living(reference).close()
        assert until(lambda: reference() is None)


def test_a_browser_is_answered_by_a_panel_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    placed(monkeypatch)
    with serving(nothing) as server, wired():

        def made() -> tuple[Any, weakref.ref[ChatPanel]]:
            panel = ChatPanel(Dify("app-x", server.url, "u"))
            panel._ipython_display_()
            panel.open()
            views(panel, 1)
            return panel.comm, weakref.ref(panel)

        wire, reference = made()
        gc.collect()
        sent: list[dict[str, Any]] = []
        monkeypatch.setattr(type(wire), "publish_msg", lambda self, kind, data=None, **_: sent.append(data))
        content = {"kind": "do", "id": 7, "what": "hello", "lang": ["en"]}
        wire.handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})
        assert until(lambda: any(data["content"].get("kind") == "reply" for data in sent if "content" in data))
        living(reference).close()
