#!/usr/bin/env bash
# httpx 0.28.1 (httpcore 1.0.9, anyio 4.16.0): why a connection failed is told by httpx.Client and not by
# httpx.AsyncClient, whose chain of causes does not reach the system's error either.
#
# Expected: the same words from both, which share their API; or at least a chain of `__cause__` that ends at the
# OSError, since httpx raises its errors `from` those below, and anyio raises "All connection attempts failed" `from`
# the attempt, or from a group of them.
# Seen: Client says "[Errno 111] Connection refused". AsyncClient says "All connection attempts failed" for a refused
# port as for a network that cannot be reached, also where the address is one number and there was one
# attempt. With both, httpcore's pool raises again `from None`, so that `__cause__` ends at httpcore.ConnectError; with
# Client that one's argument is the system's error, with AsyncClient anyio's, which has no errno. Names that are not
# known are told alike by both. The error with the number is the cause of `__cause__.args[0]`, or found by way of
# `__context__`; of several attempts it is a group.
#
# Who meets it: who moves from Client to AsyncClient and tells users, or decides about trying again, by "refused",
# "unreachable" or errno: an absent server and an absent network are one now.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check httpx==0.28.1 httpcore==1.0.9 anyio==4.16.0
env/bin/python -I - <<'END'
import asyncio
import errno
import socket
from importlib.metadata import version

import httpx

free = socket.socket()
free.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
port = free.getsockname()[1]
several = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{last}", port)) for last in (1, 2)]
resolve = socket.getaddrinfo


def resolved(host, *others, **more):
    name = host.decode() if isinstance(host, bytes) else host
    if name == "unknown.example":
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return several if name == "several.example" else resolve(host, *others, **more)


socket.getaddrinfo = resolved


def with_client(address):
    with httpx.Client(trust_env=False) as client:
        client.get(address)


async def with_async_client(address):
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(address)


def numbers(error):
    """The errno of an error, or those of a group's errors."""
    if isinstance(error, BaseExceptionGroup):
        return [number for one in error.exceptions for number in numbers(one)]
    return [error.errno]


CLIENTS = {"Client": with_client, "AsyncClient": lambda address: asyncio.run(with_async_client(address))}
seen = {}
print(*(f"{name} {version(name)}" for name in ("httpx", "httpcore", "anyio")), sep=", ")
for host in ("127.0.0.1", "several.example", "unknown.example"):
    for kind, get in CLIENTS.items():
        try:
            get(f"http://{host}:{port}/")
        except httpx.ConnectError as error:
            chain = [error]
            while chain[-1].__cause__ is not None:
                chain.append(chain[-1].__cause__)
            inner = chain[-1].args[0]
            below = None if inner.__cause__ is None else numbers(inner.__cause__)
            reached = any(isinstance(one, OSError) for one in chain)
            seen[kind, host] = (inner.errno, below)
            print(f"{kind:11} {host:15} {error}")
            print(f"    OSError in the causes: {reached}; argument's errno: {inner.errno}, below it: {below}")
            assert not reached and len(chain) == 2, "the causes reach further"
            assert (str(error) == "All connection attempts failed") == (inner.errno is None), "other words"
refused = errno.ECONNREFUSED
assert seen == {
    ("Client", "127.0.0.1"): (refused, None),
    ("Client", "several.example"): (refused, None),
    ("Client", "unknown.example"): (socket.EAI_NONAME, None),
    ("AsyncClient", "127.0.0.1"): (None, [refused]),
    ("AsyncClient", "several.example"): (None, [refused, refused]),
    ("AsyncClient", "unknown.example"): (socket.EAI_NONAME, None),
}, "httpx, httpcore or anyio has changed"
END
