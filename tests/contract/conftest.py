"""An embedded server of each dialect, and a user of each of its apps whom no other test has."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from local_helpers import Client, passages_read_once

from dify_notebook import local
from dify_notebook.local.options import DIALECTS, Dialect
from dify_notebook.local.server.process import LocalServer


@pytest.fixture(scope="package", autouse=True)
def quick_pipeline() -> Iterator[None]:
    """Nobody looks at how long the pipeline takes for an item."""
    with passages_read_once():
        yield


@pytest.fixture(scope="module", params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Each version of Dify that the server looks like, one after another."""
    found: Dialect = request.param
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, dialect: Dialect) -> Iterator[LocalServer]:
    with local.serve(data_dir=tmp_path_factory.mktemp("local"), pace=0, dialect=dialect) as running:
        yield running


@pytest.fixture
def guide(server: LocalServer) -> Iterator[Client]:
    with Client(server, "guide", f"user-{uuid.uuid4()}") as client:
        yield client


@pytest.fixture
def toolbox(server: LocalServer) -> Iterator[Client]:
    with Client(server, "toolbox", f"user-{uuid.uuid4()}") as client:
        yield client


@pytest.fixture
def pipeline(server: LocalServer) -> Iterator[Client]:
    with Client(server, "pipeline", f"user-{uuid.uuid4()}") as client:
        yield client
