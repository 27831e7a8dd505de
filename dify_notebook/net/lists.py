"""Conversations and their messages."""

from __future__ import annotations

import builtins
from typing import Any, Literal

from ..wire import calls, models
from ..wire.calls import SortBy
from .pages import AsyncPages
from .resource import Resource


class AsyncConversations(Resource):
    """The user's conversations: `list`, `rename`, `delete`, `variables`, `set_variable`."""

    def list(
        self, *, sort_by: SortBy = "-updated_at", page_size: int = 100, user: str | None = None
    ) -> AsyncPages[models.Conversation]:
        """The user's conversations, by default the last used first.

        Args:
            sort_by: created_at, -created_at, updated_at or -updated_at.
            page_size: how many to fetch at once, 1 to 100.
        """
        dify, name = self._dify, self._dify.user_or(user)
        calls.list_conversations(user=name, limit=page_size, sort_by=sort_by)  # tells mistakes now

        async def fetch(last: models.Conversation | None) -> Any:
            page = await dify._send(
                calls.list_conversations(
                    user=name, limit=page_size, sort_by=sort_by, last_id=last.id if last else None
                )
            )
            return page.data, page.has_more, page.data[-1] if page.data else last

        return AsyncPages(fetch)

    async def rename(
        self,
        conversation_id: str,
        name: str | None = None,
        *,
        auto_generate: bool = False,
        user: str | None = None,
    ) -> models.Conversation:
        """Give a conversation another name, or let the server find one.

        Some servers answer with the conversation, some only that it went well: then `name` is
        what was asked for.

        Raises:
            InputError: neither a name nor `auto_generate`.
        """
        call = calls.rename_conversation(
            conversation_id, name=name, auto_generate=auto_generate, user=self._dify.user_or(user)
        )
        found = await self._dify._send(call)
        return found if found.id else models.Conversation(id=conversation_id, name=name or "", extra=found.extra)

    async def delete(self, conversation_id: str, *, user: str | None = None) -> None:
        """Delete a conversation for good.

        Dify 1.12 says yes to any id, and deletes another user's conversation too.
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
        """The conversation variables of a chatflow (Dify 1.x).

        Args:
            variable_name: that one alone. Dify 1.12 fails on its own filter, so it is done here.
        """
        dify, who = self._dify, self._dify.user_or(user)
        calls.list_variables(conversation_id, user=who, limit=page_size)

        async def fetch(last: models.ConversationVariable | None) -> Any:
            page = await dify._send(
                calls.list_variables(conversation_id, user=who, limit=page_size, last_id=last.id if last else None)
            )
            items = [item for item in page.data if variable_name in (None, item.name)]
            return items, page.has_more and bool(page.data), page.data[-1] if page.data else last

        return AsyncPages(fetch)

    async def set_variable(
        self, conversation_id: str, variable_id: str, value: Any, *, user: str | None = None
    ) -> models.ConversationVariable:
        """Set a conversation variable; the value's type must be the variable's."""
        call = calls.set_variable(conversation_id, variable_id, value=value, user=self._dify.user_or(user))
        return await self._dify._send(call)


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
        """The messages of a conversation, by default the newest first.

        Dify pages by whole seconds: messages of the same second at a page's edge are lost by
        the server itself. Pages of 100, the largest, make that rare. `order="asc"` has to
        read everything before it gives the first.
        """
        calls.one_of("order", order, ("asc", "desc"))
        dify, name = self._dify, self._dify.user_or(user)
        calls.list_messages(conversation_id, user=name, limit=page_size)

        async def fetch(last: models.StoredMessage | None) -> Any:
            page = await dify._send(
                calls.list_messages(
                    conversation_id, user=name, limit=page_size, first_id=last.id if last else None
                )
            )
            # A page is the newest that are left, oldest first within the page.
            return page.data[::-1], page.has_more, page.data[0] if page.data else last

        if order == "desc":
            return AsyncPages(fetch)

        async def fetch_all(last: models.StoredMessage | None) -> Any:
            everything = await AsyncPages(fetch).to_list()
            return everything[::-1], False, None

        return AsyncPages(fetch_all)

    async def suggested(self, message_id: str, *, user: str | None = None) -> builtins.list[str]:
        """Questions that could come next, where the app suggests some."""
        found = await self._dify._send(calls.suggested_questions(message_id, user=self._dify.user_or(user)))
        return found.data

    async def feedback(
        self,
        message_id: str,
        rating: Literal["like", "dislike"] | None,
        *,
        content: str | None = None,
        user: str | None = None,
    ) -> None:
        """Rate an answer; None takes the rating back.

        Args:
            content: a comment. The server keeps it, and shows it in `app.feedbacks` alone.
        """
        await self._dify._send(
            calls.message_feedback(message_id, rating=rating, content=content, user=self._dify.user_or(user))
        )
