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
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ..tape import Tape
    from .engine.declare.apps import Source
    from .engine.functions import tool
    from .engine.speech import Speech
    from .options import Dialect
    from .server import LocalServer, Server
    from .simulate.seeding import Seeded

__all__ = ["dump", "ensure", "seed", "serve", "tool"]


def __getattr__(name: str) -> object:
    # The decorator comes when it is first asked for: `import dify_notebook` stays cheap.
    if name == "tool":
        from .engine.functions import tool

        return tool
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def serve(
    port: int = 0,
    data_dir: str | os.PathLike[str] | None = None,
    pace: float = 1.0,
    *,
    host: str = "127.0.0.1",
    ping_interval: float = 10.0,
    dialect: Dialect = "1.16",
    apps: Source | Iterable[Source] = (),
    model_url: str | None = None,
    model: str | None = None,
    faults: bool | str | Iterable[str] = False,
    play: Tape | str | os.PathLike[str] | list[Tape | str | os.PathLike[str]] | None = None,
    speed: float = 1.0,
    allow: str | Iterable[str] = (),
    cors: str | Iterable[str] = (),
    speech: Speech | None = None,
) -> LocalServer:
    """Start a server in a thread of this process; leave its `with` block, or `close()` it, to end it.

    Args:
        port: on 127.0.0.1; 0 takes the port this directory had last, else any free one.
        data_dir: where keys, conversations and files lie; None is this user's own directory.
        pace: factor on the pauses that make an answer watchable; 0 leaves them out. The work itself
            and the times of nodes are not touched by it.
        host: the address to listen at. Any but loopback lets other machines in; a warning says so.
        ping_interval: seconds between the pings of a stream.
        dialect: which Dify it answers as: `"1.16"`, or an older one, `"1.12"` or `"0.15"`.
        apps: apps of your own, beside guide, toolbox, pipeline and tally: .toml or .py files, or dicts of that form.
        model_url: OpenAI-compatible endpoint that answers for them, such as `http://127.0.0.1:8080/v1`.
            Its key is read from DIFY_NOTEBOOK_MODEL_KEY or OPENAI_API_KEY.
        model: the model's name there, or a `.gguf` file (with the extra `llm`).
        faults: True obeys the header `X-Dify-Fault`; a text such as `"drop=200"` (or several) makes
            every question go wrong in that way. See `dify_notebook.local.faults`.
        play: a recorded tape, its file, or a list of them: every question gets them, in turn.
        speed: factor on the time of what is played; 10 is ten times as fast, 0 leaves out its pauses.
        allow: one or several origins such as `http://127.0.0.1:8080`, for `remote_url` and http-request nodes.
        cors: origins of web pages that may read answers; `"*"` lets all of them.
        speech: what speaks and hears for apps with sound; None takes `espeak-ng` where it is installed.

    Returns:
        The running server: `base_url`, `api_key(app)`, `faults`, `close()`.

    Raises:
        LocalServerError: another process (or this one) already serves this directory, the
            port is taken, or the directory, a tape or a fault cannot be used.
        DeclarationError: an app cannot be used as it is declared.
    """
    from .engine.declare.apps import resolve
    from .engine.models.choice import Wanted
    from .options import Options, read_tapes
    from .server.process import serve as start
    from .store.directory import LocalServerError

    try:
        tapes = read_tapes(play)
    except (OSError, ValueError) as error:
        raise LocalServerError(str(error)) from None
    options = Options(
        port=port,
        host=host,
        pace=pace,
        ping_interval=ping_interval,
        dialect=dialect,
        apps=resolve(apps, Wanted(url=model_url, name=model)),
        faults=faults if isinstance(faults, bool) else _texts(faults),
        play=tapes,
        speed=speed,
        allow=_texts(allow),
        cors=tuple(origin.rstrip("/") for origin in _texts(cors)),
        speech=speech,
    )
    return start(data_dir, options)


def _texts(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def ensure(data_dir: str | os.PathLike[str] | None = None) -> Server:
    """The running server of this data directory: another process's, or one started here.

    Cheap enough to be called before each use: it asks the server whether it is alive and
    really ours, and takes over when the process that ran it has ended.

    Args:
        data_dir: where it keeps its things; None is this user's own directory, or one that lasts until Python ends
            where that cannot be written.

    Returns:
        A `LocalServer` where this process runs it, else a `Server`, whose `close()` does nothing.

    Raises:
        LocalServerError: the directory cannot be used, or its owner does not answer.
    """
    from .server.process import ensure as find

    return find(data_dir)


def seed(
    data_dir: str | os.PathLike[str] | None = None,
    *,
    conversations: int = 3000,
    seed: int = 1,
    until: date | str | None = None,
    days: int = 183,
) -> Seeded:
    """Give an embedded server a past: months of conversations of many users, to try things on.

    The answers are those of guide, toolbox and pipeline, and a fifth as many runs are tally's; who asks when, how long
    it takes, what fails and what people say of it is made up, with a pattern to find in it. It goes before what the
    directory has. Some seconds for 3,000 conversations; the same arguments give the same history, in the same version
    of dify_notebook.

    Args:
        data_dir: where the server keeps its things; None is this user's own directory. A server of this
            process may be running there.
        conversations: how many, with about two messages each; 1 to 200,000.
        seed: another number is another history.
        until: the first day (UTC) after it, as a date or `"2026-10-01"`, which is also what None is.
        days: how long it lasts, 14 to 3660.

    Returns:
        What was written: numbers of conversations, messages, feedbacks and runs, the users, and the times (UTC)
        between.

    Raises:
        SeedError: the directory has messages from before `until`, or an argument cannot be.
        LocalServerError: another process serves the directory, or it cannot be used.
    """
    from .simulate.seeding import fill

    return fill(data_dir, conversations=conversations, seed=seed, until=until, days=days)


def dump(
    directory: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    *,
    app: str = "guide",
    safe_for_spreadsheets: bool = False,
) -> dict[str, Path]:
    """Write what an embedded server keeps of an app as CSV files with the columns of Dify's database.

    They hold tokens, prices and latencies, which the API tells only since Dify 1.16; `History.from_export(directory)`
    reads them, as it reads those of a real server.

    Args:
        directory: where to; made if need be. Files of the same names are replaced.
        data_dir: where the server keeps its things; None is this user's own directory. A server of this
            process may be running there.
        safe_for_spreadsheets: for Excel, LibreOffice or Google Sheets: a quote goes before texts that they would
            calculate (those that begin with `=`, `+`, `-`, `@`, a tab or a line break). Such files are for looking
            at; read back, they have these quotes.

    Returns:
        The files by table: messages, conversations, end_users, message_feedbacks, message_agent_thoughts,
        message_files, message_annotations, human_input_forms, workflow_runs, workflow_app_logs,
        execution_extra_contents.

    Raises:
        DumpError: the app has no conversations there, or the files cannot be written.
        LocalServerError: another process serves the directory, or it cannot be used.
    """
    from .simulate.dumping import write

    return write(directory, data_dir, app, safe_for_spreadsheets=safe_for_spreadsheets)
