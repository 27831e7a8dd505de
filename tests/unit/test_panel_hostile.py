"""No key, no traceback and no unescaped text of a model ever reaches the browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from support.panels import Browser, show, wired
from support.raw_server import Connection, Request, serving

from dify_notebook import ChatPanel, Dify

KEY = "app-canaryQx7Tn2Vb9Kd4Ws6Zr"
EVIL = "<img src=x onerror=alert(1)> [x](javascript:alert(1)) <script>alert(2)</script>"
SIGNED = "http://127.0.0.1:1/files/f?timestamp=1&nonce=NONCESECRET&sign=SIGNSECRET"


class Hostile:
    """Repeats the key and says evil things wherever it can."""

    def __init__(self) -> None:
        self.behaviour = "answer"

    def __call__(self, request: Request, connection: Connection) -> None:
        path = request.path.partition("?")[0]
        shown = request.headers.get("authorization", "")
        if path.endswith("/info"):
            connection.reply("200 OK", {"name": EVIL, "mode": "advanced-chat", "description": f"{EVIL} {shown}"})
        elif path.endswith("/parameters"):
            form = [{"text-input": {"variable": "v", "label": EVIL, "default": shown, "max_length": 900}}]
            texts = {"opening_statement": f"{EVIL} {shown}", "suggested_questions": [EVIL, shown]}
            connection.reply("200 OK", {"user_input_form": form, **texts})
        elif path.endswith("/conversations"):
            data = [{"id": "c", "name": f"{EVIL} {shown}", "created_at": 1, "inputs": {"v": EVIL}}]
            connection.reply("200 OK", {"data": data, "has_more": False})
        elif path.endswith("/chat-messages"):
            self.answer(connection, shown)
        elif path.endswith("/feedbacks"):
            connection.reply("500 Error", {"code": "internal", "message": f"Traceback {shown}", "status": 500})
        else:
            connection.reply("404 NOT FOUND", {"code": "not_found", "message": f"{EVIL} {shown}", "status": 404})

    def answer(self, connection: Connection, shown: str) -> None:
        ids: dict[str, Any] = {"task_id": "t", "message_id": "m", "conversation_id": "c"}
        if self.behaviour == "refuse":
            connection.reply("400 BAD", {"code": "invalid_param", "message": f"{EVIL} {shown}", "status": 400})
            return
        connection.head()
        run = {"workflow_run_id": "w", **ids}
        connection.event(event="workflow_started", data={"id": "w", "inputs": {"u": SIGNED}}, **run)
        node = {"id": "n1", "node_id": "n", "node_type": "llm", "title": EVIL, "inputs": {"file": SIGNED, "t": EVIL}}
        connection.event(event="node_started", data=node, **run)
        ended = {**node, "status": "succeeded", "outputs": {"text": f"{EVIL} {shown}"}, "elapsed_time": 0.1}
        connection.event(event="node_finished", data=ended, **run)
        connection.event(event="message_file", id="f", type="image", belongs_to="assistant", url=SIGNED, **{
            "conversation_id": "c"
        })  # fmt: skip
        connection.event(event="message", answer=f"{EVIL} {shown}", **ids)
        if self.behaviour == "error":
            connection.event(event="error", code="x", status=400, message=f"{EVIL} {shown}", **ids)
        else:
            connection.event(event="message_end", metadata={}, **ids)
        connection.end()


@pytest.fixture
def hostile() -> Hostile:
    return Hostile()


@pytest.fixture
def page(hostile: Hostile) -> Iterator[Browser]:
    with wired(), serving(hostile) as server:
        shown = show(ChatPanel(Dify(KEY, server.url, "u")))
        shown.until(lambda: "app" in shown.parts, "the app")
        yield shown
        shown.panel.close()


def blocks(tree: Any) -> Iterator[str]:
    """Every piece of HTML among the blocks of a message."""
    if isinstance(tree, list):
        if len(tree) == 4 and isinstance(tree[1], str) and isinstance(tree[2], dict) and isinstance(tree[3], str):
            yield tree[3]
        for one in tree:
            yield from blocks(one)


@pytest.mark.parametrize("behaviour", ["answer", "error", "refuse"])
def test_what_a_server_says_is_harmless(page: Browser, hostile: Hostile, behaviour: str) -> None:
    hostile.behaviour = behaviour
    page.ask(f"say it {EVIL}")
    page.ended(1)
    page.until(lambda: page.parts["conversations"]["items"], "the list")
    page.send("rate", key=page.turns[0]["key"], rating="like", comment=None)
    page.send("variables")
    page.send("open", conversation="c")
    if page.turns and page.turns[0]["nodes"]:
        page.send("node", key=page.turns[0]["key"], node="n1")
    page.until(lambda: all(number in page.replies for number in page.heard), "all replies")
    everything = page.everything
    assert KEY not in everything
    assert "Traceback (most" not in everything
    assert "NONCESECRET" not in everything
    assert "SIGNSECRET" not in everything
    html = [page.html()] if page.turns else []
    html += list(blocks(page.parts["app"]["opening"]))
    for _, root in page.views.values():
        from dify_notebook.views.html import serialize

        html.append(serialize(root))
    assert html
    for text in html:
        assert not re.search(r"<(script|img src=x)|onerror=.*?>|href=\"javascript", re.sub(r"&lt;.*?&gt;", "", text))


def test_a_mistake_of_ours_is_told_without_its_words(page: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError(f"secret words {KEY}")

    monkeypatch.setitem(page.panel._handlers._methods, type_of("variables"), broken)
    message = page.refused("variables")
    assert "RuntimeError" in message
    assert "secret words" not in page.everything
    assert KEY not in page.everything


def type_of(what: str) -> type:
    from dify_notebook.panel import commands as c

    return type(c.read({"kind": "do", "id": 1, "what": what}))


def test_the_key_is_in_no_repr_and_no_trait(page: Browser) -> None:
    panel = page.panel
    question = panel.ask("x", inputs={"v": "y"})
    question.result(10)
    controller = panel._controller
    reprs = [repr(panel), repr(question), repr(panel.get_state()), repr(controller.state), str(vars(controller))]
    assert KEY not in "".join(reprs)
    synced = {name for name in panel.keys if not name.startswith("_")}
    assert synced == {"css", "layout", "tabbable", "tooltip"}
