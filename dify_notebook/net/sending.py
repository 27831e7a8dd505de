"""Sending: how a call becomes an answer, or an error of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from ..errors import DifyError, InputError, RateLimitError, ServerError
from ..i18n import t
from .bodies import read

if TYPE_CHECKING:
    from ..config import Settings
    from ..wire.calls import Call
    from .bounds import Bounds
    from .learning import Learned
    from .transport import LoopPools

T = TypeVar("T")


class Sending:
    """What of a client sends; the other half is what users call."""

    _settings: Settings
    _pools: LoopPools
    _bounds: Bounds
    _retry_seconds: float
    _known: Learned

    async def _open(
        self,
        call: Call[Any],
        *,
        accept: str = "application/json",
        aside: bool = False,
        owner: object | None = None,
        **content: Any,
    ) -> httpx.Response:
        """Send a call and give the response with its body unread. Raises httpx's errors, and where there is no place.

        Args:
            aside, owner: see `LoopPool.send`.
        """
        from ..wire.calls import encoded

        kind = {}
        if call.body is not None and not content:
            content, kind = {"content": encoded(call.body)}, {"Content-Type": "application/json"}
        hall = await self._pools.hall()

        def build(client: httpx.AsyncClient) -> httpx.Request:
            try:
                return client.build_request(
                    call.method,
                    self._settings.base_url + call.path,
                    params=dict(call.params) or None,
                    headers={"Accept": accept, **kind},
                    **content,
                )
            except httpx.InvalidURL as raised:  # of 64 kB and more, say
                problem = str(raised)
            raise InputError(t("net.no_address", attempted=call.attempted[:200], problem=problem), code="address")

        response = await hall.send(build, aside=aside, owner=owner)
        self._pools.answered = True
        version = response.headers.get("x-version")
        if version and version != self._known.app.version:
            self._known.tell(version=version)
        if response.status_code < 300:
            hall.gate.went_well()
        elif response.status_code == 429:
            hall.gate.too_many()
        return response

    async def _get(self, url: str, **options: Any) -> httpx.Response:
        """The response of another address than the API's, without the key and unread."""
        hall = await self._pools.hall()
        return await hall.send(lambda client: client.build_request("GET", url), away=True, **options)

    async def _refusal(self, response: httpx.Response, call: Call[Any]) -> DifyError:
        """The error that an answer means whose body is unread and is not what was asked for."""
        body, whole = await read(response, self._bounds.error)
        return await self._error_of(response, self._settings.api_key.taken_out_of(body), call, whole=whole)

    async def _error_of(
        self, response: httpx.Response, body: bytes, call: Call[Any], *, whole: bool = True
    ) -> DifyError:
        """The error that an answer means. Too many at once is a 400 too: then fewer go from now on."""
        from .bounds import spoken
        from .responses import error_of

        error = error_of(response, body, call)
        if not whole:
            error.message += " " + t("net.error_cut", limit=spoken(self._bounds.error))
            error.args = (error.message,)
        if isinstance(error, RateLimitError) and response.status_code != 429:
            (await self._pools.hall()).gate.too_many()
        return error

    async def _send(self, call: Call[T], *, taken: Callable[[int], None] | None = None, **content: Any) -> T:
        """Send a call and read its answer as the call says.

        Args:
            taken: hears how many bytes came, before they are read; may raise.

        Raises:
            DifyError: the server refused it, could not be reached, or is no Dify.
        """
        import msgspec

        from ..wire import models

        body, response = await self._fetch(call, **content)
        if taken is not None:
            taken(len(body))
        problem = ""
        try:
            if not body and call.method == "GET":  # nothing is an answer to an order, not to a question
                raise ValueError(t("net.empty_answer", status=response.status_code))
            # `result` is the class that T stands for
            return models.decode(call.result, body)  # type: ignore[no-any-return]
        except (msgspec.DecodeError, msgspec.ValidationError, ValueError) as raised:
            problem = str(raised)
        raise ServerError(
            t("net.unreadable", problem=problem),
            code="unreadable",
            status=response.status_code,
            attempted=call.attempted,
        )

    async def _fetch(self, call: Call[Any], **content: Any) -> tuple[bytes, httpx.Response]:
        """Body and response of a call; idempotent ones are repeated as `retry` says."""
        from .retry import UNHEARD_SECONDS, RetryBudget
        from .transport import UNREACHED, as_error

        patience = RetryBudget(self._retry_seconds if call.idempotent else 0.0)
        while True:
            error, wait = None, None
            try:
                response = await self._open(call, **content)
                try:
                    body, error = await self._answer(response, call)
                finally:
                    await response.aclose()
                wait = patience.after_status(response.status_code, response.headers.get("retry-after"))
            except (httpx.HTTPError, OSError) as raised:
                error = as_error(raised, call.attempted, self._settings.host)
                if isinstance(raised, UNREACHED) and not self._pools.answered:
                    patience.shorten(UNHEARD_SECONDS)
                wait = patience.after_failure()
            if error is None:
                return body, response
            if wait is None:
                break
            await patience.rest(wait)
        raise error  # here, and not where it was caught: no frame of httpx hangs on it

    async def _answer(self, response: httpx.Response, call: Call[Any]) -> tuple[bytes, DifyError | None]:
        """The body of an answer, or the error that it is."""
        from .responses import is_stream, kind_of, refused, too_large

        if response.status_code >= 300:
            return b"", await self._refusal(response, call)
        # Some servers and gateways stream an answer whatever was asked for.
        streamed = is_stream(response) and call.path == "/chat-messages"
        as_told = "json" in kind_of(response) or streamed
        most = self._bounds.body if as_told else self._bounds.error
        body, whole = await read(response, most)
        body = self._settings.api_key.taken_out_of(body)
        if body and not as_told:
            return body, await self._error_of(response, body, call, whole=whole)
        return body, refused(body, call) if whole else too_large(most, response.status_code, call.attempted)

    @asynccontextmanager
    async def _streamed(self, call: Call[Any], *, owner: object | None = None) -> AsyncIterator[httpx.Response]:
        """The response of a call whose body is no JSON, unread; errors as for `_send`.

        Args:
            owner: of an answer that stays open as long as others read it, see `LoopPool.send`.
        """
        from .transport import as_error

        error: DifyError | None = None
        try:
            response = await self._open(call, accept="*/*", owner=owner)
        except (httpx.HTTPError, OSError) as raised:
            error = as_error(raised, call.attempted, self._settings.host)
        if error is not None:
            raise error
        try:
            if response.status_code >= 300:
                error = await self._refusal(response, call)
            else:
                yield response
        except httpx.HTTPError as raised:
            error = as_error(raised, call.attempted, self._settings.host)
        finally:
            await response.aclose()
        if error is not None:
            raise error
