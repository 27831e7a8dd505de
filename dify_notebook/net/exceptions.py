"""What the libraries below raise where an httpx error should be, as the httpx error that it means."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx


def bare(problem: BaseException) -> BaseException:
    """An exception without the frames that it came through: a verbose traceback shows what they hold.

    That is what a server said, with the tokens of forms, and addresses with these.
    """
    problem.__cause__ = problem.__context__ = None
    return problem.with_traceback(None)


@contextmanager
def mapped_to_httpx(request: httpx.Request | None = None) -> Iterator[None]:
    """Within this, what fails on the way fails as an httpx error that says what it is.

    httpx-aiohttp calls most of aiohttp's errors `ConnectTimeout`, those too of a connection that broke after the
    question had arrived, and does not translate all of them. httpx itself looks at the address of a redirect that it
    does not follow, and raises a ValueError (idna's) or InvalidURL for it.
    """
    message, kind = "", httpx.RemoteProtocolError
    try:
        yield
        return
    except httpx.ConnectTimeout as problem:
        meant = _httpx_error_of(problem.__cause__)
        if meant is httpx.ConnectTimeout:
            raise
        cause = problem.__cause__
        # What aiohttp adds to the system's words says "ssl" of every address.
        message = str(getattr(cause, "os_error", "") or problem) or type(cause).__name__
        if not isinstance(getattr(cause, "message", ""), str):  # a head that came in part, with all its fields
            message = type(cause).__name__
        kind = meant
    except _untranslated_errors() as problem:
        message = str(problem) or type(problem).__name__
    raise kind(message, request=request)


def _httpx_error_of(cause: BaseException | None) -> Any:
    """The httpx error of what aiohttp raised."""
    aiohttp = sys.modules.get("aiohttp")
    if aiohttp is None or not isinstance(cause, aiohttp.ClientError):
        return httpx.ConnectTimeout
    if isinstance(cause, aiohttp.ClientConnectorError):
        return httpx.ConnectError
    if isinstance(cause, TimeoutError):
        connecting = isinstance(cause, getattr(aiohttp, "ConnectionTimeoutError", aiohttp.ServerTimeoutError))
        return httpx.ConnectTimeout if connecting else httpx.ReadTimeout
    return httpx.RemoteProtocolError


def _untranslated_errors() -> tuple[type[Exception], ...]:
    aiohttp = sys.modules.get("aiohttp")
    return (httpx.InvalidURL, ValueError, *((aiohttp.ClientError,) if aiohttp else ()))
