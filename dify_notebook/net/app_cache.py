"""What a client has learned of its app, and asking for what it does not know yet."""

from __future__ import annotations

import asyncio
import copy
import threading
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ..app.known import KnownApp
from ..errors import APIError, AuthenticationError, ConfigError, ConnectError, DifyError
from ..logs import logger
from ..wire import calls

if TYPE_CHECKING:
    from .client import AsyncDify

log = logger()

Part = Literal["parameters", "info", "mode", "site", "meta"]
"""What a server can be asked about its app."""
LEARN_SECONDS = 10.0
"""How long a question with inputs waits for the app's form; then the server itself checks them."""
_FATAL = (AuthenticationError, ConfigError, ConnectError)


class AppCache:
    """What the server said once and is not asked again; shared with the client's other users."""

    def __init__(self) -> None:
        self.app = KnownApp()
        self.checks_files = False
        """Whether files are checked before they are sent: somebody asked for the app's rules, not a question alone."""
        self.no_form = False
        """Whether the form was asked for in vain, and would be again: no question asks for it any more."""
        self.pending: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}
        """Which question asks for the form just now, in each running loop."""
        self._lock = threading.Lock()

    def update(self, **facts: Any) -> None:
        """Keep what the server said; any thread may."""
        with self._lock:
            self.app = msgspec.structs.replace(self.app, **facts)


async def learn(dify: AsyncDify, *parts: Part, again: bool = False, unavailable: set[Part] | None = None) -> KnownApp:
    """Ask for these, all at once, as far as they are not known. Gives all that is known.

    Args:
        again: ask for them whatever is known: the app may have changed.
        unavailable: what whoever asks has asked for in vain and does not ask for again; what it is now joins it.

    Raises:
        AuthenticationError, ConfigError, ConnectError: asking a question would fail in the same way.
    """
    cache, failed = dify._cache, set() if unavailable is None else unavailable
    missing = [part for part in parts if again or (getattr(cache.app, part) is None and part not in failed)]
    if "mode" in missing and "info" in missing:
        missing.remove("info")  # asked for the mode, the server tells that too
    answers = await asyncio.gather(*(getattr(dify.app, part)() for part in missing), return_exceptions=True)
    for part, answer in zip(missing, answers, strict=True):
        if isinstance(answer, DifyError) and not isinstance(answer, _FATAL):
            failed.add(part)  # older servers and some gateways know less
            cache.no_form |= _is_permanent(answer) and part == "parameters"
        elif isinstance(answer, BaseException):
            raise answer
    cache.checks_files |= "parameters" in parts and cache.app.parameters is not None
    return cache.app


async def learn_form(dify: AsyncDify, user: str | None, limit: float | None = None) -> KnownApp:
    """Ask for the app's form before a question, unless it is known or was asked for in vain. Gives all that is known.

    Questions that begin together wait for one answer. It raises nothing: what is wrong with the server the question
    itself will tell.

    Args:
        limit: seconds that the whole turn may take. No more than a quarter of them goes by here, so that there is
            time for the question; the form may still come for a later one.
    """
    cache = dify._cache
    if cache.app.parameters is None and not cache.no_form:
        loop = asyncio.get_running_loop()
        task = cache.pending.get(loop)
        if task is None:
            task = cache.pending[loop] = loop.create_task(_fetch_form(dify, user))
            task.add_done_callback(lambda _: cache.pending.pop(loop, None))
        await asyncio.wait([task], timeout=None if limit is None else limit / 4)
    return cache.app


async def _fetch_form(dify: AsyncDify, user: str | None) -> None:
    unrepeated = copy.copy(dify)
    unrepeated._retry_seconds = 0.0
    try:
        request = unrepeated._send(calls.app_parameters(user=user or dify.user))
        dify._cache.update(parameters=await asyncio.wait_for(request, LEARN_SECONDS))
    except (DifyError, TimeoutError) as error:
        if _is_permanent(error):  # else the next question may ask again
            dify._cache.no_form = True


def _is_permanent(problem: Exception) -> bool:
    log.info("something about the app is not known: %s", getattr(problem, "code", "") or type(problem).__name__)
    status = problem.status if isinstance(problem, APIError) else None
    return isinstance(problem, TimeoutError) or (status is not None and status != 429 and status < 500)
