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

Part = Literal["parameters", "info", "site", "meta"]
"""What a server can be asked about its app."""
LEARN_SECONDS = 10.0
"""How long a question with inputs waits for the app's form; then the server itself checks them."""
_AS_A_QUESTION = (AuthenticationError, ConfigError, ConnectError)


class Learned:
    """What the server said once and is not asked again; shared with the client's other users."""

    def __init__(self) -> None:
        self.app = KnownApp()
        self.checks_files = False
        """Whether files are checked before they are sent: somebody asked for the app's rules, not a question alone."""
        self.formless = False
        """Whether the form was asked for in vain, and would be again: no question asks for it any more."""
        self.asking: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}
        """Which question asks for the form just now, in each running loop."""
        self._lock = threading.Lock()

    def tell(self, **told: Any) -> None:
        """Keep what the server said; any thread may."""
        with self._lock:
            self.app = msgspec.structs.replace(self.app, **told)


async def learn(dify: AsyncDify, *parts: Part, again: bool = False, untold: set[Part] | None = None) -> KnownApp:
    """Ask for these, all at once, as far as they are not known. Gives all that is known.

    Args:
        again: ask for them whatever is known: the app may have changed.
        untold: what whoever asks has asked for in vain and does not ask for again; what it is now joins it.

    Raises:
        AuthenticationError, ConfigError, ConnectError: asking a question would fail in the same way.
    """
    known, vain = dify._known, set() if untold is None else untold
    wanted = [one for one in parts if again or (getattr(known.app, one) is None and one not in vain)]
    told = await asyncio.gather(*(getattr(dify.app, one)() for one in wanted), return_exceptions=True)
    for part, answer in zip(wanted, told, strict=True):
        if isinstance(answer, DifyError) and not isinstance(answer, _AS_A_QUESTION):
            vain.add(part)  # older servers and some gateways know less
            known.formless |= _lasting(answer) and part == "parameters"
        elif isinstance(answer, BaseException):
            raise answer
    known.checks_files |= "parameters" in parts and known.app.parameters is not None
    return known.app


async def learn_form(dify: AsyncDify, user: str | None, limit: float | None = None) -> KnownApp:
    """Ask for the app's form before a question, unless it is known or was asked for in vain. Gives all that is known.

    Questions that begin together wait for one answer. It raises nothing: what is wrong with the server the question
    itself will tell.

    Args:
        limit: seconds that the whole turn may take. No more than a quarter of them goes by here, so that there is
            time for the question; the form may still come for a later one.
    """
    known = dify._known
    if known.app.parameters is None and not known.formless:
        loop = asyncio.get_running_loop()
        asking = known.asking.get(loop)
        if asking is None:
            asking = known.asking[loop] = loop.create_task(_ask_once(dify, user))
            asking.add_done_callback(lambda _: known.asking.pop(loop, None))
        await asyncio.wait([asking], timeout=None if limit is None else limit / 4)
    return known.app


async def _ask_once(dify: AsyncDify, user: str | None) -> None:
    once = copy.copy(dify)
    once._retry_seconds = 0.0
    try:
        form = once._send(calls.app_parameters(user=user or dify.user))
        dify._known.tell(parameters=await asyncio.wait_for(form, LEARN_SECONDS))
    except (DifyError, TimeoutError) as error:
        if _lasting(error):  # else the next question may ask again
            dify._known.formless = True


def _lasting(why: Exception) -> bool:
    log.info("something about the app is not known: %s", getattr(why, "code", "") or type(why).__name__)
    status = why.status if isinstance(why, APIError) else None
    return isinstance(why, TimeoutError) or (status is not None and status != 429 and status < 500)
