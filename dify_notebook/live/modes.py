"""How a turn is shown where the code runs: widget, html, text, or off."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from IPython.core.getipython import get_ipython

from ..errors import ConfigError
from ..i18n import Language, is_language, t
from ..printable import one_line
from ..turn.state import Turn
from .fallback import FallbackView, OnSubmit, StateView, View
from .outputs import CellOutput, Placeholder, captured, output_widget
from .plain import EndView, HtmlView, TextView

if TYPE_CHECKING:
    from .columns import Answers

F = TypeVar("F", bound=Callable[[], Any])

Mode = Literal["widget", "html", "text", "off"]
MODES: tuple[Mode, ...] = ("widget", "html", "text", "off")


def mode_from_environment() -> Mode | None:
    """What `DIFY_NOTEBOOK_LIVE` asks for; None where it says nothing.

    Raises:
        ConfigError: it is none of widget, html, text and off.
    """
    value = os.environ.get("DIFY_NOTEBOOK_LIVE", "").strip()
    for mode in MODES:
        if value.lower() == mode:
            return mode
    if value:
        raise _unknown_value("DIFY_NOTEBOOK_LIVE", value, MODES)
    return None


def check_environment() -> None:
    """See that the variables about showing hold what they may, before there is something to show.

    Raises:
        ConfigError: `DIFY_NOTEBOOK_LIVE` or `DIFY_NOTEBOOK_LANG` holds something else.
    """
    mode_from_environment()
    value = os.environ.get("DIFY_NOTEBOOK_LANG", "")
    if not is_language(value):
        raise _unknown_value("DIFY_NOTEBOOK_LANG", value, ("en", "zh-Hans"))


def _unknown_value(name: str, value: str, known: Sequence[str]) -> ConfigError:
    text = t("live.unknown_value", name=name, value=one_line(value, 80), known=", ".join(known))
    return ConfigError(text, code="environment", hint=t("live.unknown_value_hint", name=name))


def choose_mode() -> Mode:
    """The best that works here: `DIFY_NOTEBOOK_LIVE`, else what the frontend allows.

    Raises:
        ConfigError: as `mode_from_environment`.
    """
    mode = mode_from_environment() or _best_mode()
    # What collects displays keeps each update as one more: there only the last form should go.
    return "off" if mode in ("widget", "html") and captured() else mode


def _best_mode() -> Mode:
    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return "text"
    try:
        return "widget" if find_spec("anywidget") else "html"
    except ValueError:  # something else goes by that name
        return "html"


def open_columns(
    lang: Language | None = None,
    on_stop: Callable[[], object] | None = None,
    mode: Mode | None = None,
    *,
    blocking: bool = True,
) -> FallbackView[Answers]:
    """A view of several answers beside each other, of the kind that fits here, not yet shown.

    It is given a `views.columns.Page` each time, and at the end that or a `views.answer_table.Table`. Whatever breaks
    in it, it raises nothing. `on_stop` and `blocking` as in `LiveColumns`.

    Raises:
        ConfigError: as `mode_from_environment`; not where `mode` is given.
    """
    from .columns import EndColumns, HtmlColumns, LiveColumns, TextColumns

    mode = mode or choose_mode()
    inside = output_widget() is not None

    def live() -> StateView[Answers]:
        return LiveColumns(lang, on_stop, blocking)

    def html() -> StateView[Answers]:
        return HtmlColumns(lang, Placeholder() if inside else CellOutput())

    def text() -> StateView[Answers]:
        return TextColumns(lang)

    def at_end() -> StateView[Answers]:
        return EndColumns(lang)

    return FallbackView(*_in_order(mode, inside, live, html, text, at_end), lang)


def _in_order(mode: Mode, inside: bool, live: F, html: F, text: F, at_end: F) -> tuple[list[F], list[F]]:
    """The views to begin with, and those that show an end where the first could not, the best first.

    Args:
        inside: whether an `ipywidgets.Output` takes what is displayed, which takes no widget of ours.
    """
    factories: dict[Mode, list[F]] = {
        "widget": [html, at_end] if inside else [live, html, text],
        "html": [html, at_end] if inside else [html, text],
        "text": [text],
        "off": [at_end],
    }
    return factories[mode], [text] if mode == "text" else [at_end, text]


def open_view(
    lang: Language | None = None,
    on_stop: Callable[[], object] | None = None,
    mode: Mode | None = None,
    *,
    blocking: bool = True,
    on_submit: OnSubmit | None = None,
) -> FallbackView[Turn]:
    """A view of the kind that fits here, not yet shown. Whatever breaks in it, it raises nothing.

    `on_stop`, `on_submit` and `blocking` as in `LiveView`; only the widget has a Stop button and forms that can be
    filled in.

    Raises:
        ConfigError: as `mode_from_environment`; not where `mode` is given.
    """
    mode = mode or choose_mode()
    inside = output_widget() is not None

    def live() -> View:
        from .view import LiveView

        return LiveView(lang, on_stop, blocking, on_submit=on_submit)

    def html() -> View:
        return HtmlView(lang, Placeholder() if inside else CellOutput())

    def text() -> View:
        return TextView(lang)

    def at_end() -> View:
        return EndView(lang)

    return FallbackView(*_in_order(mode, inside, live, html, text, at_end), lang)
