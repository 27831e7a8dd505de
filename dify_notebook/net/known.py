"""What a server said once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from ..wire import models


class Known:
    """What the server said once and is not asked again; shared with the client's other users."""

    server_version: str | None = None
    app_info: models.AppInfo | None = None
    parameters: models.Parameters | None = None
    """What `app.parameters` said, when somebody asked for it: files are checked against it."""
    form: models.Parameters | None = None
    """The same, asked for by a question with inputs."""
    no_form: bool = False
    """Whether the server was asked for it in vain."""

    def __init__(self) -> None:
        self.asking: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}
        """Who asks for the form just now, in each running loop."""
