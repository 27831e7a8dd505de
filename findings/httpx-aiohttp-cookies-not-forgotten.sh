#!/usr/bin/env bash
# httpx-aiohttp 0.2.0 (httpx 0.28.1, aiohttp 3.14.5): cookies live in two jars, and the client shows only one.
#
# Expected: a client's cookies are those of `client.cookies` (httpx's compatibility guide, "Cookies"), so that after
# `client.cookies.clear()` none is sent. httpx-aiohttp's "How it works" asks that all but sending be switched off
# beneath httpx, and its "Compatibility" names no difference of cookies.
# Seen: the transport makes an aiohttp.ClientSession with its usual CookieJar, which keeps each Set-Cookie by itself
# and adds it to later requests; of `client.cookies` it knows nothing. On an IP address all seems well, since aiohttp's
# jar takes no cookies of such hosts unless `unsafe=True` (aiohttp's client reference, "CookieJar"): a test against
# 127.0.0.1 proves nothing. LiteLLM met the same with a transport of its own (BerriAI/litellm#36149).
#
# Who meets it: users of transport="aiohttp" behind a gateway that hands out session cookies, who want to be somebody
# else, or nobody, in the next call of the same client. The cure is a transport of one's own:
# AiohttpTransport(client=lambda: aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check httpx==0.28.1 httpx-aiohttp==0.2.0 aiohttp==3.14.5
env/bin/python -I - <<'END'
import asyncio
from importlib.metadata import version

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport, HttpxAiohttpClient

cookies = []


async def answer(reader, writer):
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    cookies.append(next((line[8:] for line in lines if line.lower().startswith("cookie: ")), None))
    writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: seat=4\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


async def second_request(client, address, *, clear):
    """The Cookie that arrives with a client's second request."""
    async with client:
        await client.get(address)
        if clear:
            client.cookies.clear()
        await client.get(address)
        return cookies[-1]


def without_a_jar():
    session = lambda: aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
    return httpx.AsyncClient(transport=AiohttpTransport(client=session))


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    seen = {}
    for name, make in (("httpx", httpx.AsyncClient), ("aiohttp", HttpxAiohttpClient), ("no jar", without_a_jar)):
        for host in ("localhost", "127.0.0.1"):
            for clear in (False, True):
                seen[name, host, clear] = await second_request(make(), f"http://{host}:{port}/", clear=clear)
                print(f"{name:8} {host:10} {'cleared' if clear else 'kept':8} then sent: {seen[name, host, clear]}")
    server.close()
    return seen


print(*(f"{name} {version(name)}" for name in ("httpx", "httpx-aiohttp", "aiohttp")), sep=", ")
seen = asyncio.run(main())
after_clearing = {key[:2] for key, sent in seen.items() if sent is not None and key[2]}
assert after_clearing == {("aiohttp", "localhost")}, "httpx-aiohttp has changed"
assert all(sent == "seat=4" for key, sent in seen.items() if not key[2]), "other cookies than before"
END
