"""A connection of the server's."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class Connection(H11Protocol):
    """Without an access log: paths may hold a form's token.

    uvicorn's own `access_log=False` takes the handlers from a logger that is shared by all servers of a process: one
    of the user's would go silent, and any handler that somebody adds later would bring this log back.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access_log = False
