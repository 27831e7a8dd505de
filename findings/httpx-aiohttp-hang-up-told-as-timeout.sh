#!/usr/bin/env bash
# httpx-aiohttp 0.2.0 (httpx 0.28.1, aiohttp 3.14.5): a server that hangs up without an answer is told as a timeout
# of connecting, and what it was asked is asked a second time.
#
# Expected: as with httpx's own transport, one request and httpx.RemoteProtocolError. httpx's list of exceptions keeps
# ConnectTimeout for time that ran out while connecting, and its page on transports retries nothing unless
# `retries=` is given. httpx-aiohttp's "How it works" says that a transport does nothing but send and leaves all else
# to httpx, and its "Compatibility" names neither.
# Seen: after a few milliseconds and with no timeout set, httpx.ConnectTimeout("Server disconnected"): the table of
# errors maps aiohttp.ClientConnectionError, which covers connections that broke later, to ConnectTimeout. And GET,
# PUT and DELETE arrive twice, since aiohttp's session sends idempotent requests again after a disconnect, on a new
# connection too (RFC 9110, 9.2.2 permits it). POST arrives once.
#
# Who meets it: users of transport="aiohttp" whose gateway or worker drops connections, as one does that is restarted.
# They are told to look at firewalls and timeouts; who repeats calls "that never connected" repeats one that arrived;
# a deletion that was done before the server hung up is asked for again, and may be answered with 404.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check httpx==0.28.1 httpx-aiohttp==0.2.0 aiohttp==3.14.5
env/bin/python -I - <<'END'
import asyncio
from importlib.metadata import version

import httpx
from httpx_aiohttp import HttpxAiohttpClient

METHODS = ("GET", "PUT", "DELETE", "POST")
asked = []


async def hang_up(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    asked.append(head.split()[0].decode())
    writer.close()


async def main():
    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    seen = {}
    for kind in (httpx.AsyncClient, HttpxAiohttpClient):
        for method in METHODS:
            asked.clear()
            async with kind(trust_env=False, timeout=None) as client:
                try:
                    await client.request(method, address)
                except httpx.TransportError as problem:
                    seen[kind.__name__, method] = (type(problem).__name__, len(asked))
                    print(f"{kind.__name__:18} {method:6} asked {len(asked)} times: {problem!r}")
    server.close()
    return seen


print(*(f"{name} {version(name)}" for name in ("httpx", "httpx-aiohttp", "aiohttp")), sep=", ")
seen = asyncio.run(main())
assert seen == {
    **{("AsyncClient", method): ("RemoteProtocolError", 1) for method in METHODS},
    **{("HttpxAiohttpClient", method): ("ConnectTimeout", 1 if method == "POST" else 2) for method in METHODS},
}, "httpx-aiohttp or aiohttp has changed"
END
