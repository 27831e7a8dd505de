#!/usr/bin/env bash
# uvicorn 0.54.0 (h11 0.16.0; pytest 9.2.0): a server that was told `access_log=False` writes its access log again as
# soon as anything in the process gives the logger `uvicorn.access` a handler, be it another server or a test.
#
# Expected: a setting of that server, for as long as it runs ("Disable access log only, without changing log level", as
# uvicorn's settings have it). Another server has a Config of its own.
# Seen: Config takes the handlers from a logger that all servers of the process share, and each new connection asks
# that logger whether it has any. So a second server with the default brings the first one's log back, and is itself
# silenced by a third; the last Config counts for all. So does logging.config.dictConfig of an app, which is imported
# after its Config was made; caura-ai/caura#1041 tells of a deployment. And pytest gives its handlers to loggers that
# do not propagate (pytest-dev/pytest#14375, from 9.1 on; 9.0.3 does not), for every test, also one without caplog:
# the lines stand in the report of a test that fails. A connection from before keeps its answer as long as it lives.
#
# Who meets it: who switched the log off since paths hold tokens or signed links, and starts a second server in the
# same notebook, or tests it in CI, whose reports are public. What lasts is a protocol of its own for the one server
# (`http=` takes a class, whose `access_log` is False), or, for all of them, a filter on the logger.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check uvicorn==0.54.0 h11==0.16.0 pytest==9.2.0
cat >served.py <<'END'
import http.client
import socket
import threading
import time
from contextlib import contextmanager

import uvicorn


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@contextmanager
def serving(app="served:app", **options):
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, **{"http": "h11", "lifespan": "off", **options}))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def connect(port):
    return http.client.HTTPConnection("127.0.0.1", port, timeout=30)


def get(connection, path):
    connection.request("GET", path)
    connection.getresponse().read()
END
cat >configured.py <<'END'
import logging.config

from served import app as app

console = {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}
logging.config.dictConfig({
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": console},
    "loggers": {"uvicorn": {"handlers": ["console"]}, "uvicorn.access": {"handlers": ["console"]}},
})
END
cat >test_served.py <<'END'
import pytest
from served import connect, get, serving


@pytest.fixture(scope="session")
def port():
    with serving(access_log=False) as port:
        yield port


def test_that_fails(port):
    get(connect(port), "/tested?token=of-a-user")
    assert "the page" == "another page"
END
cat >programs.py <<'END'
import contextlib
import io
import logging
import sys
from importlib.metadata import version

from served import connect, get, serving
from uvicorn.protocols.http.h11_impl import H11Protocol


class Silent(H11Protocol):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.access_log = False


written = io.StringIO()
sys.stdout, console = written, sys.stdout
with serving(access_log=False) as first:
    kept = connect(first)
    get(kept, "/alone")
    with serving() as second:
        get(connect(second), "/second")
        get(connect(first), "/first-again")
        get(kept, "/kept")
        with serving(access_log=False):
            get(connect(second), "/second-silenced")
with serving("configured:app", access_log=False) as port:
    get(connect(port), "/configured")
with serving(http=Silent) as silent, serving() as port:
    get(connect(silent), "/silent")
    get(connect(port), "/beside-it")
logging.getLogger("uvicorn.access").addFilter(lambda record: False)
with serving() as port:
    get(connect(port), "/filtered")
sys.stdout = console
seen = [line.split('"GET ')[1].split()[0] for line in written.getvalue().splitlines() if '"GET ' in line]
print("uvicorn", version("uvicorn"), "writes", *seen)
assert "/beside-it" in seen and not {"/silent", "/filtered"} & set(seen), "the cures are none"
assert seen == ["/second", "/first-again", "/configured", "/beside-it"], "uvicorn has changed"
END
env/bin/python programs.py 2>errors
for pytest in 9.2.0 9.0.3; do
  env/bin/pip install --quiet --disable-pip-version-check pytest==$pytest
  env/bin/python -m pytest -q -p no:cacheprovider test_served.py >report-$pytest && exit 1
  echo "pytest $pytest: $(grep "token=of-a-user HTTP" report-$pytest || echo nothing)"
done
grep -q "1 failed" report-9.0.3
grep -q "uvicorn.access.*token=of-a-user HTTP" report-9.2.0 || { echo "pytest or uvicorn has changed"; exit 1; }
if grep -q "token=of-a-user HTTP" report-9.0.3; then echo "pytest 9.0.3 captures it too"; exit 1; fi
