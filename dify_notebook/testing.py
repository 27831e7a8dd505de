"""A Dify for your tests: a pytest plugin over the embedded server.

One line in a `conftest.py` gives the fixtures:

```python
pytest_plugins = ["dify_notebook.testing"]
```

- `dify_server`: a server for the whole test session, with a directory of its own and without
  pauses. It obeys the header `X-Dify-Fault`, and `dify_server.faults.once("drop=200")` spoils the
  next answer. Override `dify_server_options` to serve your own apps, play a tape, or change the pace.
- `dify_client`: a `Dify` for its guide app with a user of its own for each test.

```python
def test_my_bot_survives_a_lost_connection(dify_server):
    dify_server.faults.once("drop=200")
    bot = MyBot(base_url=dify_server.base_url, api_key=dify_server.api_key("guide"))
    assert bot.ask("hi") == "Sorry, I lost the connection."
```
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .local.server.process import LocalServer
    from .net.sync import Dify

__all__ = ["dify_client", "dify_server", "dify_server_options"]


@pytest.fixture(scope="session")
def dify_server_options() -> dict[str, Any]:
    """What `dify_server` gives to `local.serve()`; override it to add or change something."""
    return {}


@pytest.fixture(scope="session")
def dify_server(tmp_path_factory: pytest.TempPathFactory, dify_server_options: dict[str, Any]) -> Iterator[LocalServer]:
    """A running embedded server, ended with the session.

    Faults that a test asked for and did not use are the next test's: ask for no more than it uses.
    """
    from . import local

    options = {
        "data_dir": tmp_path_factory.mktemp("dify_notebook"),
        "pace": 0,
        "faults": True,
        **dify_server_options,
    }
    with local.serve(**options) as server:
        yield server


@pytest.fixture
def dify_client(dify_server: LocalServer) -> Iterator[Dify]:
    """A client for the guide app, with a user that no other test has."""
    from .net.sync import Dify

    with Dify(dify_server.api_key("guide"), dify_server.base_url, user=f"test-{uuid.uuid4()}") as client:
        yield client
