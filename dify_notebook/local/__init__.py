"""A Dify-compatible server on this machine: real answers without a key, an account or a network.

```python
from dify_notebook import local

with local.serve(data_dir="demo-data") as server:      # a server of your own
    print(server.base_url, server.api_key("guide"))

server = local.ensure()                                # the one of this user, started when there is none
```

Importing this module is cheap; Starlette, uvicorn and SQLite come with the first server.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .server import LocalServer, Server

__all__ = ["ensure", "serve"]


def serve(
    port: int = 0,
    data_dir: str | os.PathLike[str] | None = None,
    pace: float = 1.0,
    *,
    ping_interval: float = 10.0,
) -> LocalServer:
    """Start a server in a thread of this process; leave its `with` block, or `close()` it, to end it.

    Args:
        port: on 127.0.0.1; 0 takes the port this directory had last, else any free one.
        data_dir: where keys, conversations and files lie; None is this user's own directory.
        pace: factor on the pauses that make an answer watchable; 0 leaves them out. The work itself
            and the times of nodes are not touched by it.
        ping_interval: seconds between the pings of a stream.

    Raises:
        LocalServerError: another process (or this one) already serves this directory, the
            port is taken, or the directory cannot be used.
    """
    from .server import serve as start

    return start(port=port, data_dir=data_dir, pace=pace, ping_interval=ping_interval)


def ensure(data_dir: str | os.PathLike[str] | None = None) -> Server:
    """The running server of this data directory: another process's, or one started here.

    Cheap enough to be called before each use: it asks the server whether it is alive and
    really ours, and takes over when the process that ran it has ended.

    Raises:
        LocalServerError: the directory cannot be used, or its owner does not answer.
    """
    from .server import ensure as find

    return find(data_dir)
