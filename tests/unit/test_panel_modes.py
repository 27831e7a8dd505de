"""The panel takes every kind of app that holds conversations, and asks it for nothing that it does not have."""

from __future__ import annotations

import pytest
from support.asking_app import KEY, asking
from support.panels import show, wired

from dify_notebook import ChatPanel, Dify
from dify_notebook.wire.kinds import CHAT_MODES, CHATFLOW, ChatMode


@pytest.mark.parametrize("mode", CHAT_MODES)
def test_every_app_that_chats_is_taken(mode: ChatMode) -> None:
    app, server = asking()
    app.mode = mode
    with wired():
        page = show(ChatPanel(Dify(KEY, server.url, user="anna")))
        page.until(lambda: "app" in page.parts, "the app")
        assert page.parts["app"]["mode"] == mode
        assert "Hello." in str(page.parts["app"]["opening"])
        page.ask("hello there")
        page.ended(1)
        assert page.turns[0]["status"] == "succeeded"
        assert "You said: hello there" in page.html()
        if mode != CHATFLOW:
            page.do("variables")
            assert page.parts["variables"] is None
            assert not [request.path for request in server.requests if "variables" in request.path]
        page.panel.close()
    assert page.failures == []
    assert [request.json["response_mode"] for request in server.requests if request.path == "/v1/chat-messages"] == [
        "streaming"
    ]
    app.released.set()
    server.close()
    assert not server.errors
