"""How long a panel lives: as long as a page shows it or a name holds it.

ipywidgets holds every widget that has a comm for as long as the kernel runs: in its registry, and through the comm,
which the kernel's comm manager holds. So a panel has no comm before it is shown, and from then on both know it weakly;
what holds it is the table here, while a page has a view of it. The browser half of ipywidgets counts the views itself
(the trait `_view_count`). A frontend that does not count holds every panel that was shown.

What a panel leaves when it goes (its thread, its comm, its layout) is ended on a thread of its own: memory is cleared
at any moment and on any thread, and nothing that waits, locks or sends belongs there.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ParamSpec

from ipywidgets.widgets import widget as registry

if TYPE_CHECKING:
    from .widget import ChatPanel

P = ParamSpec("P")
GRACE = 1.0
"""Seconds after the last view has gone: a cell that is moved loses its view and gets another."""

_shown: dict[int, ChatPanel] = {}
"""Those that a page shows, by identity."""
_gone: SimpleQueue[Cleanup] = SimpleQueue()  # may be put into from a finalizer, as nothing else
_starting = threading.Lock()
_reaper: threading.Thread | None = None


def weak_callback(method: Callable[P, object]) -> Callable[P, None]:
    """Calls the method as long as its object lives, and does not hold it."""
    reference = weakref.WeakMethod(method)

    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        live_method = reference()
        if live_method is not None:
            live_method(*args, **kwargs)

    return call


class Cleanup:
    """What is to be ended when a panel has gone."""

    def __init__(self, stop: Callable[[], object]) -> None:
        self._stop = stop
        self.comm: Any = None
        self.layout: Any = None

    def end(self) -> None:
        """End it; what has ended already stays as it is."""
        self._stop()
        if self.comm is not None:
            registry._instances.pop(self.comm.comm_id, None)
            self.comm.close()
            self.layout.close()


def clean_up_after(panel: ChatPanel, stop: Callable[[], object]) -> Cleanup:
    """When the panel goes, by whatever way, call `stop` and end what else it leaves."""
    global _reaper
    with _starting:
        if _reaper is None or not _reaper.is_alive():  # the first panel, or a fork
            _reaper = threading.Thread(target=_reap, name="dify_notebook panels' end", daemon=True)
            _reaper.start()
    cleanup = Cleanup(stop)
    weakref.finalize(panel, _gone.put, cleanup).atexit = False
    return cleanup


def _reap() -> None:
    while True:
        _gone.get().end()


def hold_comm_weakly(panel: ChatPanel, cleanup: Cleanup) -> None:
    """The panel has a comm from now on: let neither that nor the registry hold it."""
    cleanup.comm, cleanup.layout = panel.comm, panel.layout
    panel.comm.on_msg(weak_callback(panel._handle_msg))
    registry._instances[panel.comm.comm_id] = weakref.proxy(panel)


def hold(panel: ChatPanel) -> None:
    """A page shows it."""
    _shown[id(panel)] = panel


def release(panel: ChatPanel) -> None:
    """No page shows it any more."""
    _shown.pop(id(panel), None)


def views_changed(panel: ChatPanel, count: int | None) -> None:
    """The browsers have that many views of it; None where they do not say."""
    if count is None or count > 0:
        hold(panel)
        return

    def later() -> None:
        if not panel._view_count:
            release(panel)

    timer = threading.Timer(GRACE, later)
    timer.daemon = True
    timer.start()
