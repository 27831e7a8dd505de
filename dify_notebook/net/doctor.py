"""Finds out which of the usual mistakes it is: key, address, app, user, certificate, clock, or a proxy."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
import msgspec

from ..app.modes import takes
from ..errors import AuthenticationError, ConfigError, DifyError
from ..wire import calls
from ..wire.loose import loads
from .bodies import read
from .client import AsyncDify
from .responses import error_of
from .retry import http_date
from .transport import as_error

CLOCK_SECONDS = 120.0
"""Clocks that differ by less do no harm: signed links of files live for minutes."""
FEW_EVENTS = 20
PIECE_SECONDS = 0.1
WAIT_SECONDS = 1.0
"""An answer of at least `FEW_EVENTS` events, all within `PIECE_SECONDS` after a wait of `WAIT_SECONDS`,
was held back: no model writes so fast after having been so slow."""

QUESTION = "Count from 1 to 60 in words, one number a line."


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    kind: str
    """Names the sentence `magic.doctor.<kind>`, and for what is wrong `magic.doctor.<kind>.do`."""
    state: Literal["ok", "wrong", "unknown"]
    values: Mapping[str, object] = {}


async def examine(dify: AsyncDify, conversation_id: str | None = None, *, stream: bool = False) -> list[Finding]:
    """Look at server, key, app, clock and user, in this order, as far as one gets.

    Args:
        conversation_id: one that this user should have.
        stream: ask one short question too, to see whether its answer comes in pieces. It costs
            what a question costs; its conversation is deleted afterwards. Workflow and completion apps are never run:
            what their inputs would do is theirs alone.
    """
    findings: list[Finding] = []
    host = dify.settings.host
    call = calls.app_info()
    error: DifyError | None = None
    try:
        response = await dify._open(call)
        try:
            body = dify.settings.api_key.taken_out_of((await read(response, dify.bounds.error))[0])
        finally:
            await response.aclose()
    except ConfigError as raised:  # a variable of the environment: its message names it
        return [Finding("environment", "wrong", {"problem": raised.message})]
    except (httpx.HTTPError, OSError) as raised:
        error = as_error(raised, call.attempted, host)
    if error is not None:
        kind = {"tls": "tls", "timeout": "timeout", "proxy": "proxy"}.get(error.code, "unreachable")
        return [Finding(kind, "wrong", {"host": host, "problem": error.message})]
    findings.append(Finding("reached", "ok", {"host": host}))
    findings += clock(response.headers.get("date"), datetime.now(UTC))
    is_json = "json" in response.headers.get("content-type", "")
    if response.is_redirect or not is_json:
        if response.status_code in (502, 503, 504):
            return [*findings, Finding("down", "wrong", {"host": host, "status": response.status_code})]
        return [*findings, await _address(dify)]
    mode, name = None, ""
    if response.status_code >= 300:
        refused = error_of(response, body, call)
        if isinstance(refused, AuthenticationError) or response.status_code >= 500:
            return [*findings, _refusal(refused)]
    else:
        try:
            data = loads(body)
            mode, name = data.get("mode"), str(data.get("name") or "")
        except (ValueError, AttributeError, RecursionError):
            return [*findings, Finding("not_dify", "wrong", {"url": dify.base_url})]
    findings.append(Finding("key", "ok"))
    try:
        await dify._send(calls.app_parameters(user=dify.user))
        mode = mode or await dify.app.mode()
        lists = takes(mode).lists
        if lists == "conversations":
            await dify._send(calls.list_conversations(user=dify.user, limit=1))
        elif lists == "runs":
            await dify._send(calls.workflow_logs({}, limit=1))
    except DifyError as raised:
        return [*findings, _refusal(raised)]
    findings.append(Finding("app", "ok", {"app": name or host, "mode": mode or "chat"}))
    if not takes(mode).conversations:
        return [*findings, Finding("not_run", "unknown")]
    findings.append(await _user(dify, conversation_id))
    findings.append(await _streaming(dify) if stream else Finding("stream_not_tried", "unknown"))
    return findings


def clock(date: str | None, now: datetime) -> list[Finding]:
    """What the server's Date header says of this machine's clock."""
    server_time = http_date(date)
    if server_time is None:
        return [Finding("clock_unknown", "unknown")]
    ahead = (now - server_time).total_seconds()
    if abs(ahead) <= CLOCK_SECONDS:
        return [Finding("clock", "ok")]
    return [Finding("clock_ahead" if ahead > 0 else "clock_behind", "wrong", {"seconds": round(abs(ahead))})]


def _refusal(error: DifyError) -> Finding:
    values = {"status": error.status, "code": error.code, "message": " ".join(error.message.split())[:300]}
    message = error.message.lower()
    if error.status == 401:
        kind = "key"
    elif error.status == 403:
        kind = "api_off"
    elif error.code == "app_unavailable" or "not published" in message:
        kind = "unpublished"
    elif error.code in ("not_json", "unreadable", "redirect"):
        kind = "partly"
    elif error.status is None:
        kind = "lost"
    else:
        kind = "refused"
    return Finding(kind, "wrong", values)


async def _address(dify: AsyncDify) -> Finding:
    """Something answers, and it is no Dify: look whether the API lies at the root of the same origin."""
    parts = urlsplit(dify.base_url)
    better = f"{parts.scheme}://{parts.netloc}/v1"
    if better != dify.base_url:
        try:
            pool = await dify._pools.current()
            headers = {"Accept": "application/json"}
            response = await pool.send(lambda client: client.build_request("GET", better + "/info", headers=headers))
            await response.aclose()
            if "json" in response.headers.get("content-type", ""):
                return Finding("path", "wrong", {"url": dify.base_url, "better": better})
        except (httpx.HTTPError, OSError):
            return Finding("not_dify", "wrong", {"url": dify.base_url})
    return Finding("not_dify", "wrong", {"url": dify.base_url})


async def _user(dify: AsyncDify, conversation_id: str | None) -> Finding:
    values: dict[str, Any] = {"user": dify.user, "id": conversation_id}
    if conversation_id is None:
        return Finding("user_not_tried", "unknown", values)
    try:
        await dify._send(calls.list_messages(conversation_id, user=dify.user, limit=1))
    except DifyError as error:
        return Finding("user", "wrong", values) if error.status == 404 else _refusal(error)
    return Finding("user", "ok", values)


async def _streaming(dify: AsyncDify) -> Finding:
    started = time.monotonic()
    times: list[float] = []
    conversation = None
    try:
        async with dify.chat.stream(QUESTION, auto_generate_name=False, timeout=120.0) as stream:
            async for _ in stream:
                times.append(time.monotonic() - started)
        turn = stream.turn
        conversation = turn.conversation_id
        problem = turn.error.message if turn.error else ""
    except DifyError as error:
        problem = error.message
    finally:
        if conversation:
            try:
                await dify.conversations.delete(conversation)
            except DifyError:
                times.append(times[-1])  # it stays in the list, which harms nothing
    if problem or not times:
        return Finding("stream_failed", "wrong", {"message": " ".join(problem.split())[:300]})
    return judge(times[0], times[-1], len(times))


def judge(first: float, total: float, count: int) -> Finding:
    """What the times of an answer's events say: seconds to the first, seconds to the last, how many."""
    values = {"first": f"{first:.1f}", "total": f"{total:.1f}", "count": count}
    if count < FEW_EVENTS:
        return Finding("stream_short", "unknown", values)
    if total - first > PIECE_SECONDS or first < WAIT_SECONDS:
        return Finding("stream", "ok", values)
    return Finding("buffered", "wrong", values)
