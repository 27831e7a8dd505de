"""How a call becomes an answer, or an error of ours: what both clients stand on."""

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
    from ..wire.models import Model
    from .app_cache import AppCache
    from .bounds import Bounds
    from .transport import LoopPools

M = TypeVar("M", bound="Model")


class BaseClient:
    """The half of a client that sends; the other half is what users call."""

    _settings: Settings
    _pools: LoopPools
    _bounds: Bounds
    _retry_seconds: float
    _cache: AppCache

    async def _open(
        self,
        call: Call[Any],
        *,
        accept: str = "application/json",
        bypass: bool = False,
        owner: object | None = None,
        **content: Any,
    ) -> httpx.Response:
        """Send a call and give the response with its body unread. Raises httpx's errors, and where it gets no permit.

        Args:
            bypass, owner: see `LoopPool.send`.
        """
        from ..wire.calls import encoded

        content_type = {}
        if call.body is not None and not content:
            content, content_type = {"content": encoded(call.body)}, {"Content-Type": "application/json"}
        pool = await self._pools.current()

        def build(client: httpx.AsyncClient) -> httpx.Request:
            try:
                return client.build_request(
                    call.method,
                    self._settings.base_url + call.path,
                    params=dict(call.params) or None,
                    headers={"Accept": accept, **content_type},
                    **content,
                )
            except httpx.InvalidURL as raised:  # of 64 kB and more, say
                problem = str(raised)
            raise InputError(t("net.no_address", attempted=call.attempted[:200], problem=problem), code="address")

        response = await pool.send(build, bypass=bypass, owner=owner)
        self._pools.answered = True
        version = response.headers.get("x-version")
        if version and version != self._cache.app.version:
            self._cache.update(version=version)
        if response.status_code < 300:
            pool.limiter.succeeded()
        elif response.status_code == 429:
            pool.limiter.back_off()
        return response

    async def _get(self, url: str, **options: Any) -> httpx.Response:
        """The response of another address than the API's, without the key and unread."""
        pool = await self._pools.current()
        return await pool.send(lambda client: client.build_request("GET", url), external=True, **options)

    async def _read_error(self, response: httpx.Response, call: Call[Any]) -> DifyError:
        """The error that an answer means whose body is unread and is not what was asked for."""
        body, complete = await read(response, self._bounds.error)
        return await self._error_of(response, self._without_secrets(body, call), call, complete=complete)

    def _without_secrets(self, body: bytes, call: Call[Any]) -> bytes:
        """What a server says, which may repeat what it was sent."""
        body = self._settings.api_key.taken_out_of(body)
        return body if call.secret is None else call.secret.taken_out_of(body)

    def _harmless(self, error: DifyError, call: Call[Any]) -> DifyError:
        """The error without what the call was made with: also a header may repeat it, or a word of a lower layer's."""
        for secret in (self._settings.api_key, call.secret):
            if secret is not None:
                error.message = secret.taken_out_of_text(error.message)
                error.code = secret.taken_out_of_text(error.code)
                error.request_id = error.request_id and secret.taken_out_of_text(error.request_id)
        error.args = (error.message,)
        return error

    async def _error_of(
        self, response: httpx.Response, body: bytes, call: Call[Any], *, complete: bool = True
    ) -> DifyError:
        """The error that an answer means. Too many at once is a 400 too: then fewer go from now on."""
        from .bounds import size_text
        from .responses import error_of
        from .retry import seconds_of
        from .ways import wrong_route

        error = error_of(response, body, call)
        error.hint = wrong_route(error, call, self._cache.app.mode) or error.hint
        if not complete:
            error.message += " " + t("net.error_cut", limit=size_text(self._bounds.error))
        self._harmless(error, call)
        if isinstance(error, RateLimitError):
            error.retry_after = seconds_of(response.headers.get("retry-after"))
            if response.status_code != 429:
                (await self._pools.current()).limiter.back_off()
        return error

    async def _send(self, call: Call[M], *, on_size: Callable[[int], None] | None = None, **content: Any) -> M:
        """Send a call and read its answer as the call says.

        Args:
            on_size: hears how many bytes came, before they are read; may raise.

        Raises:
            DifyError: the server refused it, could not be reached, or is no Dify.
        """
        import msgspec

        from ..wire import models

        body, response = await self._fetch(call, **content)
        if on_size is not None:
            on_size(len(body))
        problem = ""
        try:
            if not body and call.method == "GET":  # nothing is an answer to an order, not to a question
                raise ValueError(t("net.empty_answer", status=response.status_code))
            return models.decode(call.result, body)
        except (msgspec.DecodeError, msgspec.ValidationError, ValueError) as raised:
            problem = str(raised)
        body = b""  # a verbose traceback shows it, with the tokens of forms
        raise ServerError(
            t("net.unreadable", problem=problem),
            code="unreadable",
            status=response.status_code,
            attempted=call.attempted,
        )

    async def _fetch(self, call: Call[Any], **content: Any) -> tuple[bytes, httpx.Response]:
        """Body and response of a call; idempotent ones are repeated as `retry` says."""
        from asyncio import CancelledError

        from .exceptions import bare

        try:
            return await self._fetched(call, **content)
        except BaseException as raised:
            # An address stands in the frames of httpx, what was read in those below.
            if call.secret is None and not isinstance(raised, CancelledError):
                raise
            problem = raised
        raise bare(problem)

    async def _fetched(self, call: Call[Any], **content: Any) -> tuple[bytes, httpx.Response]:
        from .retry import UNREACHED_SECONDS, RetryBudget
        from .transport import UNREACHED, as_error

        budget = RetryBudget(self._retry_seconds if call.idempotent else 0.0)
        while True:
            error, wait = None, None
            try:
                response = await self._open(call, **content)
                try:
                    body, error = await self._read_answer(response, call)
                finally:
                    await response.aclose()
                wait = budget.after_status(response.status_code, response.headers.get("retry-after"))
            except (httpx.HTTPError, OSError) as raised:
                error = self._harmless(as_error(raised, call.attempted, self._settings.host), call)
                if isinstance(raised, UNREACHED) and not self._pools.answered:
                    budget.shorten(UNREACHED_SECONDS)
                wait = budget.after_failure()
            if error is None:
                return body, response
            if wait is None:
                break
            await budget.wait(wait)
        raise error  # here, and not where it was caught: no frame of httpx hangs on it

    async def _read_answer(self, response: httpx.Response, call: Call[Any]) -> tuple[bytes, DifyError | None]:
        """The body of an answer, or the error that it is."""
        from .responses import content_type_of, error_in_body, is_event_stream, too_large

        if response.status_code >= 300:
            return b"", await self._read_error(response, call)
        # Some servers and gateways stream an answer whatever was asked for.
        streamed = is_event_stream(response) and call.asks
        expected = "json" in content_type_of(response) or streamed
        limit = self._bounds.body if expected else self._bounds.error
        body, complete = await read(response, limit)
        body = self._without_secrets(body, call)
        if body and not expected:
            return body, await self._error_of(response, body, call, complete=complete)
        if complete and (error := error_in_body(body, call)) is not None:
            return body, self._harmless(error, call)
        return body, None if complete else too_large(limit, response.status_code, call.attempted)

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
            error = self._harmless(as_error(raised, call.attempted, self._settings.host), call)
        if error is not None:
            raise error
        try:
            if response.status_code >= 300:
                error = await self._read_error(response, call)
            else:
                yield response
        except httpx.HTTPError as raised:
            error = self._harmless(as_error(raised, call.attempted, self._settings.host), call)
        finally:
            await response.aclose()
        if error is not None:
            raise error
