"""`python -m dify_notebook.local`: run the embedded server until Ctrl+C."""

from __future__ import annotations

import argparse
import sys

from ..errors import DifyError
from ..i18n import t
from .options import add_arguments, from_arguments
from .server import serve


def main(arguments: list[str] | None = None) -> int:
    """Serve; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dify_notebook.local", description=t("local.cli.about"))
    add_arguments(parser)
    given = parser.parse_args(arguments)
    try:
        options = from_arguments(given)
    except DifyError as error:
        print(error, file=sys.stderr)
        return 1
    except (OSError, ValueError) as error:
        parser.error(str(error))
    try:
        server = serve(given.data_dir, options)
    except DifyError as error:
        print(error, file=sys.stderr)
        return 1
    with server:
        print(t("local.cli.serving", url=server.base_url))
        for app in server.apps:
            print(f"  {app:<10} {server.api_key(app)}")
        print(t("local.cli.keys", path=server.directory.keys))
        print(t("local.cli.stop"), flush=True)
        try:
            while server.alive:
                server.join(0.5)
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
