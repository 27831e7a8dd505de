#!/usr/bin/env bash
# Starlette 1.10.0 (anyio 4.16.0, uvicorn 0.54.0): when a client hangs up, an `await` in the `finally` of a streamed
# answer never comes back, while `background` runs as after a whole answer.
#
# Expected: as with asyncio's own cancelling: a task gets one CancelledError, and what it awaits then, in `finally` or
# `except`, is finished ("Task Cancellation" in Python's documentation). Starlette's page on background tasks has them
# run once the response has been sent.
# Seen: StreamingResponse iterates in a task group of anyio and cancels its scope at http.disconnect. A scope cancels
# again at every await, also when the first error was caught, so whatever stores the half answer is begun and dropped
# without a message. With `asyncio.shield` it goes on by itself, but the generator does not wait for it, and
# `background` may run before it. The same generator in a bare ASGI app that cancels a task cleans up. A like case is
# agno-agi/agno#7318, open. The cure is `with anyio.CancelScope(shield=True):` around the cleaning up.
#
# Who meets it: whoever streams a model's answer and stores, logs or settles in `finally` what has come so far. All is
# well in tests that read to the end; of those who close the tab nothing is stored.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check starlette==1.10.0 anyio==4.16.0 uvicorn==0.54.0 h11==0.16.0
env/bin/python -I - <<'END'
import asyncio
import socket
from importlib.metadata import version

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import StreamingResponse
from starlette.routing import Route

events = []


async def store():
    events.append("begun")
    for _ in range(5):
        await asyncio.sleep(0)
    events.append("stored")


async def once():
    await store()


async def again():
    try:
        await store()
    except asyncio.CancelledError:
        await store()


async def shielded_by_asyncio():
    await asyncio.shield(store())


async def shielded_by_anyio():
    with anyio.CancelScope(shield=True):
        await store()


async def answer(clean_up):
    yield b"half"
    try:
        await asyncio.sleep(60)
    finally:
        await clean_up()
        events.append("waited for")


def end():
    events.append("background")


class Bare:
    """The same answer, its task cancelled as asyncio does it."""

    async def __call__(self, scope, receive, send):
        async def write():
            async for piece in answer(once):
                await send({"type": "http.response.body", "body": piece, "more_body": True})

        await send({"type": "http.response.start", "status": 200, "headers": []})
        writing = asyncio.create_task(write())
        while (await receive())["type"] != "http.disconnect":
            pass
        writing.cancel()
        await asyncio.wait([writing])
        end()


def streamed(clean_up):
    async def endpoint(request):
        return StreamingResponse(answer(clean_up), background=BackgroundTask(end))

    return Route(f"/{clean_up.__name__}", endpoint)


WAYS = [once, again, shielded_by_asyncio, shielded_by_anyio]
app = Starlette(routes=[Route("/bare", Bare()), *map(streamed, WAYS)])


async def main():
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http="h11", lifespan="off", log_level="critical"))
    serving = asyncio.create_task(server.serve([listening]))
    seen = {}
    for name in ("bare", *(way.__name__ for way in WAYS)):
        events.clear()
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(f"GET /{name} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await reader.readuntil(b"half")
        writer.close()
        async with asyncio.timeout(30):
            while "background" not in events:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        seen[name] = set(events)
        print(f"{name:20}", *events, sep="  ")
    server.should_exit = True
    await serving
    return seen


print(*(f"{name} {version(name)}" for name in ("starlette", "anyio", "uvicorn")), sep=", ")
seen = asyncio.run(main())
whole = {"begun", "stored", "waited for", "background"}
assert seen["bare"] == seen["shielded_by_anyio"] == whole, "the cure is none"
assert seen["once"] == seen["again"] == {"begun", "background"}, "Starlette or anyio has changed"
assert seen["shielded_by_asyncio"] == {"begun", "stored", "background"}, "Starlette or anyio has changed"
END
