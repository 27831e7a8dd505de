"""The one live widget of a kernel: what carries the messages of every cell's view.

One, because an executed notebook keeps the state of every widget there ever was, each
with its whole bundle. Its traits hold the bundle and the styles, which are the same for
everyone; what a user asks, gets or is called travels in messages only, and is not kept.

Import this module late: anywidget takes a while to load.
"""

from __future__ import annotations

import threading
from importlib.resources import files
from typing import Any, Protocol

import anywidget
import msgspec
import traitlets

from .. import views
from .protocol import Close, FromKernel, Heard, Hello, Stop, Submit, read

CLOSED_KEPT = 4
"""How many ended views can still answer a browser that missed their end."""
WAITING_KEPT = 100
"""How many views with a form can be answered in the browser; the oldest can be answered from Python then."""


class WidgetView(Protocol):
    """A view as the widget knows it. Called on any thread, so it sets, sends and returns."""

    number: int

    def stop_requested(self) -> None: ...

    def form_submitted(self, submit: Submit) -> None: ...

    def snapshot(self) -> list[FromKernel]:
        """What brings a browser that knows nothing to the present picture."""
        ...

    def resend_end(self) -> None:
        """Send once more what ends the view."""
        ...


class LiveWidget(anywidget.AnyWidget):
    """Carries messages between views and the browser; `LiveWidget.current()` is the kernel's."""

    _esm = files(__package__).joinpath("static/live.js").read_text(encoding="utf-8")
    css = traitlets.Unicode().tag(sync=True)

    _current: LiveWidget | None = None
    _lock = threading.Lock()

    def __init__(self) -> None:
        self._open: dict[int, WidgetView] = {}
        self._waiting: dict[int, WidgetView] = {}
        self._closed: dict[int, WidgetView] = {}
        super().__init__(css=views.css())
        self.on_msg(self._on_message)

    @classmethod
    def current(cls) -> LiveWidget:
        """The widget of this kernel, made when first asked for, or when the last one was closed."""
        with cls._lock:
            if cls._current is None or cls._current.comm is None:
                cls._current = cls()
            return cls._current

    @classmethod
    def shutdown(cls) -> None:
        """Close the widget, if there is one; the next view makes another."""
        with cls._lock:
            widget, cls._current = cls._current, None
        if widget is not None:
            widget.layout.close()  # a widget of its own, which ipywidgets made for ours
            widget.close()

    @property
    def mime(self) -> dict[str, Any]:
        """The content of application/vnd.jupyter.widget-view+json."""
        return {"version_major": 2, "version_minor": 0, "model_id": self.model_id}

    def open_view(self, view: WidgetView) -> None:
        """From now on the browser's messages about this view reach it."""
        self._open[view.number] = view
        self._waiting.pop(view.number, None)

    def keep_waiting(self, view: WidgetView) -> None:
        """The view has ended for now; its forms can be answered."""
        self._waiting[view.number] = view
        self._open.pop(view.number, None)
        while len(self._waiting) > WAITING_KEPT:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            self.send_message(Close(oldest))

    def close_view(self, view: WidgetView) -> None:
        """The view has ended; it is kept for a while, for a browser that missed the end."""
        self._closed[view.number] = view
        self._open.pop(view.number, None)
        self._waiting.pop(view.number, None)
        while len(self._closed) > CLOSED_KEPT:
            del self._closed[next(iter(self._closed))]

    def send_message(self, message: FromKernel) -> None:
        """Send a message to every browser that shows this notebook; any thread may."""
        self.send(msgspec.to_builtins(message))

    def _on_message(self, _: object, content: object, __: object) -> None:
        """Handle a message from a browser, on whatever thread the kernel reads them."""
        message = read(content)
        if isinstance(message, Stop):
            if view := self._open.get(message.view):
                view.stop_requested()
                self.send_message(Heard(message.view))
            else:
                self.send_message(Close(message.view))
        elif isinstance(message, Submit):
            if asking := self._open.get(message.view) or self._waiting.get(message.view):
                asking.form_submitted(message)
            else:
                self.send_message(Close(message.view))
        elif isinstance(message, Hello):
            self._on_hello(message)

    def _on_hello(self, hello: Hello) -> None:
        if hello.view is None:
            # For an output that outlived the page: what runs, else the last that ran; and every form.
            running = list(self._open.values())
            for view in [*(running or list(self._closed.values())[-1:]), *list(self._waiting.values())]:
                for reply in view.snapshot():
                    self.send_message(reply)
        elif running_view := self._open.get(hello.view):
            for reply in running_view.snapshot():
                self.send_message(reply)
        elif waiting_view := self._waiting.get(hello.view):
            if hello.seq:  # it still shows the view, and should have replaced it
                waiting_view.resend_end()
            else:
                for reply in waiting_view.snapshot():
                    self.send_message(reply)
        elif ended_view := self._closed.get(hello.view):
            ended_view.resend_end()
        else:
            self.send_message(Close(hello.view))
