"""Conversations and their messages."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from ..errors import EndlessList
from ..wire import calls, models
from ..wire.calls import Call, SortBy
from .pages import AsyncPages, Page, PageBudget, by_time, warn_of_paging
from .resource import Resource

if TYPE_CHECKING:
    from .client import AsyncDify

#: Orders in which what is used or made meanwhile comes to the front.
_FRONT_GROWS = ("-updated_at", "-created_at")


class AsyncConversations(Resource):
    """The user's conversations: `list`, `rename`, `delete`, `variables`, `set_variable`."""

    def list(
        self, *, sort_by: SortBy = "-updated_at", page_size: int = 100, user: str | None = None
    ) -> AsyncPages[models.Conversation]:
        """The user's conversations, by default the last used first.

        What shares a second with the end of a page is not lost: see `messages.list`. With a list
        that is sorted by the newest first, the front is read again at the end, for what was used
        meanwhile; it then comes last.

        Args:
            sort_by: created_at, -created_at, updated_at or -updated_at.
        """
        dify, name = self._dify, self._dify.user_or(user)
        calls.list_conversations(user=name, limit=page_size, sort_by=sort_by)  # tells mistakes now

        field, budget = sort_by.lstrip("-"), PageBudget(dify.bounds.pages)

        async def fetch(last_id: str | None) -> Page[models.Conversation]:
            if last_id is None:
                budget.reset()
            call = calls.list_conversations(user=name, limit=page_size, sort_by=sort_by, last_id=last_id)
            page = await dify._send(call, on_size=budget)
            return page.data, page.has_more

        def time_of(item: models.Conversation) -> datetime | None:
            return item.updated_at if field == "updated_at" else item.created_at

        return by_time(
            fetch,
            time_of,
            what="conversations.list",
            page_size=page_size,
            max_items=dify.bounds.items,
            moving=sort_by in _FRONT_GROWS,
            table="conversations",
            of={"user": name},
        )

    async def rename(
        self,
        conversation_id: str,
        name: str | None = None,
        *,
        auto_generate: bool = False,
        user: str | None = None,
    ) -> models.Conversation:
        """Give a conversation another name, or let the server find one.

        Args:
            name: at most 255 characters; None with `auto_generate`.
            auto_generate: let the server's model name it.

        Returns:
            The conversation as the server tells it. Some only say that it went well: then it has `conversation_id`
            and the `name` that was asked for.

        Raises:
            InputError: neither a name nor `auto_generate`, or a longer name.
            NotFoundError: this user has no such conversation.
        """
        call = calls.rename_conversation(
            conversation_id, name=name, auto_generate=auto_generate, user=self._dify.user_or(user)
        )
        conversation = await self._dify._send(call)
        if conversation.id:
            return conversation
        return models.Conversation(id=conversation_id, name=name or "", extra=conversation.extra)

    async def delete(self, conversation_id: str, *, user: str | None = None) -> None:
        """Delete the conversation `conversation_id` for good.

        Dify 1.12 says yes to any id, and deletes another user's conversation too.

        Raises:
            NotFoundError: this user has no such conversation, as Dify 0.15 and 1.16 say.
        """
        await self._dify._send(calls.delete_conversation(conversation_id, user=self._dify.user_or(user)))

    def variables(
        self,
        conversation_id: str,
        *,
        variable_name: str | None = None,
        page_size: int = 100,
        user: str | None = None,
    ) -> AsyncPages[models.ConversationVariable]:
        """The variables of the chatflow's conversation `conversation_id` (Dify 1.x), as the server orders them.

        Args:
            variable_name: that one alone. Dify 1.12 and 1.16 fail on their own filter, so it is done here.

        Raises:
            NotFoundError: when it is read: this user has no such conversation.
        """
        dify, name = self._dify, self._dify.user_or(user)
        calls.list_variables(conversation_id, user=name, limit=page_size)

        async def walk() -> AsyncIterator[builtins.list[models.ConversationVariable]]:
            last_id, count = None, 0
            cursors: set[str] = set()
            budget = PageBudget(dify.bounds.pages)
            while True:
                call = calls.list_variables(conversation_id, user=name, limit=page_size, last_id=last_id)
                page = await dify._send(call, on_size=budget)
                if last_id is not None and not page.data:
                    # They were all made at once, and the server pages by that time.
                    warn_of_paging("net.paging_one_page", what="conversations.variables", count=count)
                count += len(page.data)
                yield page.data
                if not page.has_more or not page.data or page.data[-1].id in cursors:
                    return
                last_id = page.data[-1].id
                cursors.add(last_id)

        return AsyncPages(
            walk,
            max_items=dify.bounds.items,
            keep=lambda item: variable_name in (None, item.name),
            table="variables",
            of={"conversation_id": conversation_id, "user": name},
        )

    async def set_variable(
        self, conversation_id: str, variable_id: str, value: Any, *, user: str | None = None
    ) -> models.ConversationVariable:
        """Set the variable `variable_id` of the conversation `conversation_id` (Dify 1.x).

        Args:
            value: of the variable's type, as JSON has it.

        Returns:
            The variable as it is now.

        Raises:
            NotFoundError: this user has no such conversation, or it no such variable.
            APIError: the value is of another type.
        """
        call = calls.set_variable(conversation_id, variable_id, value=value, user=self._dify.user_or(user))
        return await self._dify._send(call)


def message_pages(
    dify: AsyncDify,
    conversation_id: str,
    *,
    user: str,
    page_size: int = 100,
    call: Callable[..., Call[models.MessagePage]] = calls.list_messages,
) -> AsyncPages[models.StoredMessage]:
    """The messages of a conversation, newest first; see `AsyncMessages.list`.

    Args:
        call: `calls.list_message_rows` reads them for tables alone.
    """
    budget = PageBudget(dify.bounds.pages)

    async def fetch(first_id: str | None) -> Page[models.StoredMessage]:
        if first_id is None:
            budget.reset()
        page = await dify._send(call(conversation_id, user=user, limit=page_size, first_id=first_id), on_size=budget)
        # A page is the newest that are left, oldest first within the page.
        return page.data[::-1], page.has_more

    return by_time(
        fetch,
        lambda item: item.created_at,
        what="messages.list",
        page_size=page_size,
        max_items=dify.bounds.items,
        table="messages",
        of={"user": user},
    )


class AsyncMessages(Resource):
    """The messages of a conversation: `list`, `suggested`, `feedback`."""

    def list(
        self,
        conversation_id: str,
        *,
        order: Literal["asc", "desc"] = "desc",
        page_size: int = 100,
        user: str | None = None,
    ) -> AsyncPages[models.StoredMessage]:
        """The messages of the conversation `conversation_id`, by default the newest first.

        Dify pages by whole seconds and would lose messages of the same second at a page's edge;
        so the last second of a page is read again with the next one. Only where a whole page lies
        within one second nothing helps: a `PagingWarning` says so.

        Args:
            order: "desc", or "asc", which has to read everything before it gives the first.

        Raises:
            NotFoundError: when it is read: this user has no such conversation.
        """
        calls.one_of("order", order, ("asc", "desc"))
        dify, name = self._dify, self._dify.user_or(user)
        calls.list_messages(conversation_id, user=name, limit=page_size)
        newest_first = message_pages(dify, conversation_id, user=name, page_size=page_size)
        if order == "desc":
            return newest_first

        async def oldest_first() -> AsyncIterator[Sequence[models.StoredMessage]]:
            try:
                messages = await newest_first.to_list()
            except EndlessList as problem:
                yield problem.items[::-1]
                raise
            yield messages[::-1]

        return AsyncPages(oldest_first, max_items=dify.bounds.items, table="messages", of={"user": name})

    async def suggested(self, message_id: str, *, user: str | None = None) -> builtins.list[str]:
        """Questions that could come after the message `message_id`; none where the app finds none.

        Raises:
            APIError: the app's settings suggest no questions.
            NotFoundError: there is no such message for this user.
        """
        suggestions = await self._dify._send(calls.suggested_questions(message_id, user=self._dify.user_or(user)))
        return suggestions.data

    async def feedback(
        self,
        message_id: str,
        rating: Literal["like", "dislike"] | None,
        *,
        content: str | None = None,
        user: str | None = None,
    ) -> None:
        """Rate the answer of the message `message_id`.

        Args:
            rating: "like" or "dislike"; None takes the rating back.
            content: a comment. The server keeps it, and shows it in `app.feedbacks` alone.

        Raises:
            NotFoundError: there is no such message for this user.
            APIError: there was no rating to take back.
        """
        await self._dify._send(
            calls.message_feedback(message_id, rating=rating, content=content, user=self._dify.user_or(user))
        )
