"""`python -m dify_notebook.local`: run the embedded server until Ctrl+C."""

from __future__ import annotations

import argparse
import sys

from ..errors import DifyError
from ..i18n import t
from . import serve


def main(arguments: list[str] | None = None) -> int:
    """Serve; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dify_notebook.local", description=t("local.cli.about"))
    parser.add_argument("--port", type=int, default=0, help=t("local.cli.port"))
    parser.add_argument("--data-dir", default=None, help=t("local.cli.data_dir"))
    parser.add_argument("--pace", type=float, default=1.0, help=t("local.cli.pace"))
    given = parser.parse_args(arguments)
    if not 0 <= given.port <= 65535 or not 0 <= given.pace <= 100:
        parser.error(t("local.cli.range"))
    try:
        server = serve(port=given.port, data_dir=given.data_dir, pace=given.pace)
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
