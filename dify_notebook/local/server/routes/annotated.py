"""Annotations, and whether they answer."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ...api_error import invalid, not_found
from ...responses import empty_reply, reply
from ...store import serializers
from ...store.annotations import Annotations
from ...store.store import NotFound
from ..context import app_of, context_of
from ..payloads import annotation_pair, annotation_settings, json_body, query_number


def _of(request: Request) -> Annotations:
    return Annotations(context_of(request).store)


async def page(request: Request) -> Response:
    """GET /apps/annotations. Numbers that make no sense are read as the nearest that does, as Dify does."""
    app = app_of(request)
    number, limit = query_number(request, "page", 1), query_number(request, "limit", 20)
    keyword = request.query_params.get("keyword", "")
    size = min(max(limit, 1), 100)
    rows, total = await _of(request).page(app.name, keyword=keyword, page=max(number, 1), limit=size)
    more = max(number, 1) * size < total
    data = [serializers.annotation(row) for row in rows]
    return reply({"data": data, "has_more": more, "limit": limit, "total": total, "page": number})


async def create(request: Request) -> Response:
    """POST /apps/annotations."""
    app = app_of(request)
    question, answer = annotation_pair(await json_body(request))
    return reply(serializers.annotation(await _of(request).create(app.name, question, answer)), 201)


async def update(request: Request) -> Response:
    """PUT /apps/annotations/{annotation}."""
    app = app_of(request)
    question, answer = annotation_pair(await json_body(request))
    key = str(request.path_params["annotation"])
    try:
        return reply(serializers.annotation(await _of(request).update(app.name, key, question, answer)))
    except NotFound:
        raise not_found("Annotation not found") from None


async def delete(request: Request) -> Response:
    """DELETE /apps/annotations/{annotation}."""
    app = app_of(request)
    try:
        await _of(request).delete(app.name, str(request.path_params["annotation"]))
    except NotFound:
        raise not_found("Annotation not found") from None
    return empty_reply()


async def switch(request: Request) -> Response:
    """POST /apps/annotation-reply/{action}."""
    app, action = app_of(request), request.path_params["action"]
    if action not in ("enable", "disable"):
        raise invalid("action is enable or disable")
    threshold, provider, model = annotation_settings(await json_body(request))
    job = await _of(request).switch(app.name, action, threshold=threshold, provider=provider, model=model)
    return reply({"job_id": job, "job_status": "waiting"})


async def status(request: Request) -> Response:
    """GET /apps/annotation-reply/{action}/status/{job}. There is nothing to wait for here."""
    app, action = app_of(request), request.path_params["action"]
    job = str(request.path_params["job"])
    if not await _of(request).has_job(app.name, action, job):
        raise invalid("The job does not exist.")
    return reply({"job_id": job, "job_status": "completed", "error_msg": ""})
