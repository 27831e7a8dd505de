"""Conversations, messages, feedback and variables."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from ...api_error import ApiError, invalid, not_found
from ...engine.human_forms import human_input
from ...engine.titles import title
from ...responses import empty_reply, reply
from ...store import serializers
from ...store.conversations import Conversations
from ...store.store import DEFAULT_USER, NotFound, Row
from ...store.variables import Variables
from ...threads import in_thread
from ..context import app_of, chat_app_of, context_of, signer_of
from ..payloads import (
    json_body,
    new_name,
    query_limit,
    query_sort,
    query_uuid,
    rating,
    required_conversation,
    user_of,
)

_MISSING = {
    "conversation": "Conversation Not Exists.",
    "last_conversation": "Last Conversation Not Exists.",
    "first_message": "First Message Not Exists.",
    "message": "Message Not Exists.",
}


def _missing(error: NotFound) -> ApiError:
    return not_found(_MISSING[error.what])


def _page(limit: int, more: bool, data: list[dict[str, object]]) -> Response:
    return reply({"limit": limit, "has_more": more, "data": data})


async def _asker(request: Request, *, default: str | None = DEFAULT_USER) -> tuple[str, str]:
    """App and end user of a GET request, whose user stands in the query string. Dify makes one of every name that
    asks; here asking leaves nothing behind, and who is not known has nothing to see."""
    app = chat_app_of(request)
    user = user_of(request.query_params, default=default)
    return app.name, await context_of(request).store.known_user(app.name, user)


async def conversations(request: Request) -> Response:
    """GET /conversations."""
    chat_app_of(request)
    model = "ConversationListQuery"
    last = query_uuid(request, "last_id", model)
    limit, sort = query_limit(request, model), query_sort(request)
    app, user = await _asker(request)
    stored = Conversations(context_of(request).store)
    try:
        rows, more = await stored.page(app, user, sort_by=sort, last_id=last, limit=limit)
    except NotFound as error:
        raise _missing(error) from None
    return _page(limit, more, [serializers.conversation(row) for row in rows])


async def messages(request: Request) -> Response:
    """GET /messages."""
    chat_app_of(request)
    conversation = required_conversation(request)
    first = query_uuid(request, "first_id", "MessageListQuery")
    limit = query_limit(request, "MessageListQuery")
    app, user = await _asker(request)
    if conversation is None:
        return _page(limit, False, [])
    context = context_of(request)
    signer, stored = signer_of(request), Conversations(context.store)
    try:
        rows, more = await stored.messages(app, user, conversation, first_id=first, limit=limit)
    except NotFound as error:
        raise _missing(error) from None
    return _page(limit, more, [_message(row, signer.url, context.pauses.token) for row in rows])


def _message(row: Row, sign_url: serializers.SignURL, token: Callable[[str], str]) -> dict[str, object]:
    """A message with the forms that its run asked, where it did."""
    listed = serializers.message(row, sign_url)
    if row["forms"]:
        listed["extra_contents"] = [human_input(form, row["workflow_run"], token) for form in row["forms"]]
    return listed


async def suggested(request: Request) -> Response:
    """GET /messages/{message}/suggested."""
    app, context = chat_app_of(request), context_of(request)
    name, user = await _asker(request, default=None)
    try:
        row = await Conversations(context.store).message(name, user, str(request.path_params["message"]))
    except NotFound as error:
        raise _missing(error) from None
    if not app.suggests:
        raise ApiError(400, "bad_request", "Suggested Questions Is Disabled.")
    return reply({"result": "success", "data": await in_thread(app.suggest, row)})


async def feedback(request: Request) -> Response:
    """POST /messages/{message}/feedbacks."""
    app, store = app_of(request), context_of(request).store
    body = await json_body(request)
    session = user_of(body)
    rated, content = rating(body)
    user = await store.known_user(app.name, session)
    try:
        done = await Conversations(store).rate(app.name, user, str(request.path_params["message"]), rated, content)
    except NotFound as error:
        raise _missing(error) from None
    if not done:
        raise invalid("rating cannot be None when feedback not exists")
    return reply({"result": "success"})


async def rename(request: Request) -> Response:
    """POST /conversations/{conversation}/name."""
    app, context = chat_app_of(request), context_of(request)
    store = context.store
    body = await json_body(request)
    user = await store.known_user(app.name, user_of(body, default=DEFAULT_USER))
    name = new_name(body, older=context.options.older)
    key, stored = str(request.path_params["conversation"]), Conversations(store)
    try:
        if name is None:
            rows, _ = await stored.messages(app.name, user, key, first_id=None, limit=100)
            name = title(rows[0]["query"]) if rows else "…"
        row = await stored.rename(app.name, user, key, name)
    except NotFound as error:
        raise _missing(error) from None
    return reply(serializers.conversation(row))


async def delete(request: Request) -> Response:
    """DELETE /conversations/{conversation}: 404 for what is not this user's, as the documents say."""
    app, store = chat_app_of(request), context_of(request).store
    body = await json_body(request)
    user = await store.known_user(app.name, user_of(body, default=DEFAULT_USER))
    try:
        await Conversations(store).delete(app.name, user, str(request.path_params["conversation"]))
    except NotFound as error:
        raise _missing(error) from None
    return empty_reply()


async def variables(request: Request) -> Response:
    """GET /conversations/{conversation}/variables."""
    chat_app_of(request)
    model = "ConversationVariablesQuery"
    last, limit = query_uuid(request, "last_id", model), query_limit(request, model)
    app, user = await _asker(request)
    try:
        stored = Variables(context_of(request).store)
        rows = await stored.of(app, user, str(request.path_params["conversation"]))
    except NotFound as error:
        raise _missing(error) from None
    name = request.query_params.get("variable_name")
    if name:
        rows = [row for row in rows if row["name"] == name]
    if last:
        positions = [at for at, row in enumerate(rows) if row["id"] == last]
        if not positions:
            raise not_found("Last Conversation Variable Not Exists.")
        rows = rows[positions[0] + 1 :]
    return _page(limit, len(rows) > limit, [serializers.variable(row) for row in rows[:limit]])


async def set_variable(request: Request) -> Response:
    """PUT /conversations/{conversation}/variables/{variable}."""
    app, store = chat_app_of(request), context_of(request).store
    body = await json_body(request)
    user = await store.known_user(app.name, user_of(body, default=DEFAULT_USER))
    if "value" not in body:
        raise invalid("value is required")
    conversation, key = str(request.path_params["conversation"]), str(request.path_params["variable"])
    stored = Variables(store)

    async def find() -> Row:
        for row in await stored.of(app.name, user, conversation):
            if row["id"] == key:
                return row
        raise not_found("Conversation Variable Not Exists.")

    try:
        row = await find()
        if not serializers.fits(body["value"], row["value_type"]):
            actual = serializers.type_of(body["value"])
            message = f"Type mismatch: variable '{row['name']}' expects {row['value_type']}, but got {actual} type"
            raise ApiError(400, "bad_request", message)
        await stored.set(conversation, key, body["value"])
        return reply(serializers.variable(await find()))
    except NotFound as error:
        raise _missing(error) from None
