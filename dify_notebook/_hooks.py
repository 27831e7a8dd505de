"""The few calls that go upward: a Turn that displays itself or becomes a frame.

`turn/` knows nothing of views, frames or errors. What users expect to hang on a
Turn is reached from here, late, so that the arrows between rooms stay straight.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .console import fitting
from .printable import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .frames.plots import TurnPlots
    from .turn.state import Turn


class TurnHooks:
    """Mixin without fields: display and conversion of a `Turn`."""

    __slots__ = ()

    def __repr__(self: Turn) -> str:  # type: ignore[misc]  # `Turn` alone has this mixin; the same below
        text = shown(self.answer, 120)
        return f"<Turn {self.status} {text if len(text) <= 60 else text[:57] + '...'!r}>"

    def __str__(self: Turn) -> str:  # type: ignore[misc]
        """The answer as it may be printed; `answer` is what came."""
        return shown(self.answer)

    def _repr_mimebundle_(self: Turn, include: Any = None, exclude: Any = None) -> dict[str, str]:  # type: ignore[misc]
        from .views import bundle

        return _printed(bundle(self))

    def raise_for_status(self: Turn) -> Turn:  # type: ignore[misc]
        """Return the turn itself, or raise the `DifyError` that its failure means.

        Raises:
            DifyError: the stream ended in an error, or before it was complete.
        """
        from .errors import raise_for_turn

        raise_for_turn(self)
        return self

    def nodes_frame(self: Turn) -> Any:  # type: ignore[misc]
        """The workflow nodes as a pandas DataFrame (table `nodes` of `frames.SCHEMA`)."""
        from . import frames

        return frames.nodes(self)

    def thoughts_frame(self: Turn) -> Any:  # type: ignore[misc]
        """The agent's tool calls as a pandas DataFrame (table `thoughts` of `frames.SCHEMA`)."""
        from . import frames

        return frames.thoughts(self)

    def events_frame(self: Turn) -> Any:  # type: ignore[misc]
        """The events of the stream as a pandas DataFrame (table `events` of `frames.SCHEMA`)."""
        from . import frames

        return frames.events(self)

    @property
    def plot(self: Turn) -> TurnPlots:  # type: ignore[misc]
        """Charts (extra `plot`): `turn.plot.timeline()`."""
        from .frames.plots import TurnPlots

        return TurnPlots(self)


def transcript(turns: Sequence[Turn], title: str, about: str) -> dict[str, str]:
    """A conversation as html, markdown and text, by mime type."""
    from .views.transcript import bundle

    return _printed(bundle(turns, title, about))


def _printed(bundle: dict[str, str]) -> dict[str, str]:
    """The bundle, its text as a terminal's IPython may print it: it prints what is displayed as it is."""
    return bundle | {"text/plain": fitting(bundle["text/plain"], sys.stdout)}


def items_frame(table: str, items: Any, **of: Any) -> Any:
    """What a list of the client gave, as a table."""
    from . import frames

    return getattr(frames, table)(items, **of)


def history(dify: Any, *asked: Any, **options: Any) -> Any:
    """`AsyncDify.history`."""
    from .frames import fetch

    return fetch.history(dify, *asked, **options)


def update(dify: Any, *asked: Any, **options: Any) -> Any:
    """`AsyncDify.update`."""
    from .frames import fetch

    return fetch.update(dify, *asked, **options)


def find_users(dify: Any) -> Any:
    """`AsyncDify.find_users`."""
    from .frames import fetch

    return fetch.find_users(dify)


def local_settings(app: str, user: str | None) -> Any:
    """Settings for an app of the embedded server, which is started when needed."""
    from . import local
    from .config import Secret, Settings, check_user, stored_user, tidied

    server = local.ensure()
    import os

    name = user if user is not None else tidied(os.environ, "DIFY_USER", quoted=False) or stored_user()
    return Settings(
        base_url=server.base_url,
        api_key=Secret(server.api_key(app)),
        user=check_user(name),
        origin="local",
        app=app,
    )


def turns_frame(turns: Sequence[Turn]) -> Any:
    """A table of turns, one a row; pandas comes with it.

    Raises:
        ImportError: pandas is not installed.
    """
    return import_module(".frames", __package__).turns(turns)
