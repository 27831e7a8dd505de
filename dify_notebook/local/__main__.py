"""`python -m dify_notebook.local`: run the embedded server until Ctrl+C.

`seed` gives it a past, `dump` writes out what an app has.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator

from ..console import say
from ..errors import DifyError
from ..i18n import t
from .options import add_arguments, from_arguments
from .server.process import serve


def main(argv: list[str] | None = None) -> int:
    """Serve, or do what the first word says; gives the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        if argv[:1] == ["seed"]:
            _seed(argv[1:])
        elif argv[:1] == ["dump"]:
            _dump(argv[1:])
        else:
            _serve(argv)
    except DifyError as error:
        say(str(error), "stderr")
        return 1
    return 0


def _serve(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m dify_notebook.local", description=t("local.cli.about"))
    add_arguments(parser)
    arguments = parser.parse_args(argv)
    try:
        options = from_arguments(arguments)
    except DifyError:  # a TapeError is a ValueError too
        raise
    except (OSError, ValueError) as error:
        parser.error(str(error))
    with serve(arguments.data_dir, options) as server, _interrupted_by_term():
        try:
            say(t("local.cli.serving", url=server.base_url))
            for app in server.apps:
                say(f"  {app:<10} {server.api_key(app)}")
            say(t("local.cli.keys", path=server.directory.keys))
            say(t("local.cli.stop"))
            while server.alive:
                server.join(0.5)
        except KeyboardInterrupt:
            say("")


@contextlib.contextmanager
def _interrupted_by_term() -> Iterator[None]:
    """Let SIGTERM, by which process managers end their own, do as Ctrl+C does: what is being said is kept and told."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _seed(argv: list[str]) -> None:
    from . import seed

    parser = argparse.ArgumentParser(prog="python -m dify_notebook.local seed", description=t("local.seed.about"))
    parser.add_argument("--data-dir", default=None, help=t("local.cli.data_dir"))
    parser.add_argument("--conversations", type=int, default=3000, metavar="N", help=t("local.seed.conversations_help"))
    parser.add_argument("--seed", type=int, default=1, metavar="N", help=t("local.seed.seed_help"))
    parser.add_argument("--until", default=None, metavar="DATE", help=t("local.seed.until_help"))
    parser.add_argument("--days", type=int, default=183, metavar="N", help=t("local.seed.days_help"))
    arguments = parser.parse_args(argv)
    done = seed(
        arguments.data_dir,
        conversations=arguments.conversations,
        seed=arguments.seed,
        until=arguments.until,
        days=arguments.days,
    )
    say(str(done))


def _dump(argv: list[str]) -> None:
    from . import dump

    parser = argparse.ArgumentParser(prog="python -m dify_notebook.local dump", description=t("local.dump.about"))
    parser.add_argument("directory", help=t("local.dump.directory"))
    parser.add_argument("--data-dir", default=None, help=t("local.cli.data_dir"))
    parser.add_argument("--app", default="guide", help=t("local.dump.app"))
    parser.add_argument("--safe-for-spreadsheets", action="store_true", help=t("local.dump.spreadsheets"))
    arguments = parser.parse_args(argv)
    written = dump(
        arguments.directory,
        arguments.data_dir,
        app=arguments.app,
        safe_for_spreadsheets=arguments.safe_for_spreadsheets,
    )
    for path in written.values():
        say(t("local.dump.done", path=path))


if __name__ == "__main__":
    sys.exit(main())
