"""What must never reach the browser: keys, tracebacks, and a model's text as anything but text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from browser.panel_page import WIRE, Opener, Panel, desk, expect, open_panel

from dify_notebook.live.protocol import Packed, Patch, unpack
from dify_notebook.views.block import Block
from dify_notebook.views.diff import apply

__all__ = ["desk", "open_panel"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]


def patches(panel: Panel) -> Iterator[Patch]:
    """Every patch of a view that came, unpacked."""
    for message in panel.wire("received"):
        if message["kind"] != "comm_msg":
            continue
        content = json.loads(message["content"])["data"].get("content") or {}
        if content.get("kind") == "patch":
            patch = content["patch"]
            yield unpack(msgspec.convert(patch, Packed)) if "packed" in patch else msgspec.convert(patch, Patch)


def everything(panel: Panel) -> str:
    """All that was heard from kernels, packed patches unpacked, and all that is on the page."""
    heard = [message["content"] + message.get("all", "") for message in panel.wire("received")]
    told = [msgspec.json.encode(patch).decode() for patch in patches(panel)]
    page = panel.page.evaluate(
        """() => {
            const texts = [document.documentElement.outerHTML];
            for (const el of document.querySelectorAll('*')) if (el.shadowRoot) texts.push(el.shadowRoot.innerHTML);
            return texts.join('\\n');
        }"""
    )
    return "\n".join([*heard, *told, page])


def test_no_key_no_traceback_and_no_text_of_the_model_but_as_text(open_panel: Opener) -> None:
    panel = open_panel("desk", script=WIRE, user="<b>reader</b>")
    answers: list[Any] = []
    panel.page.on("response", lambda response: answers.append(response))
    asked: list[str] = []
    panel.page.on("request", lambda request: asked.append(request.url))

    turn = panel.talk("hostile <script>window.pwned=5</script> <img src=x onerror=window.pwned=6>")
    body = panel.body(turn)
    expect(body).to_contain_text("<img src=x onerror=")
    expect(body).to_contain_text("<script>window.pwned=2</script>")
    assert body.locator("img, script, style, form, iframe").count() == 0
    assert body.locator("strong").all_inner_texts() == ["bold"], "markdown is drawn, html is not"
    links = body.locator("a").evaluate_all("all => all.map(a => a.getAttribute('href') ?? '')")
    assert not [link for link in links if not re.match(r"https?://|mailto:", link)], links
    for link in body.get_by_text("click", exact=False).all():
        link.click(force=True)

    # Errors of every kind: of the server, of the connection, of our own code.
    for at, fault in enumerate(("500", "error=2", "502"), 1):
        panel.world.server.faults.once(fault)
        panel.ask(f"fault {fault}")
        expect(panel.button("Try again", panel.turns.nth(at))).to_be_visible()
    panel.python("setattr(type(panel), 'broken', 1) or panel._controller.client.conversations.__class__"
                 ".__setattr__(panel._controller.client, 'conversations', None)")  # fmt: skip
    panel.root.get_by_role("searchbox", name="Search conversations").fill("x")
    expect(panel.notices.last).to_contain_text("The panel failed: AttributeError.")

    panel.nb.save()
    expect(panel.turns).to_have_count(4)
    told = [each.text() for each in answers if each.request.method in ("GET", "PUT") and "/api/contents" in each.url]
    assert told, "the notebook was read or saved"
    seen = everything(panel) + "\n".join(told)
    assert len(seen) > 20_000
    for app in ("desk", "plain", "form", "agent", "aloud", "guide"):
        assert panel.world.server.api_key(app) not in seen
    found = re.search(r"app-[A-Za-z0-9]{16,}", seen)
    assert found is None, seen[max(0, found.start() - 700) : found.end() + 200]
    at = seen.find("Traceback (most recent call last)")
    assert at < 0, seen[max(0, at - 500) : at + 300]
    assert 'File "/' not in seen
    assert panel.page.evaluate("window.pwned") is None
    assert not [url for url in asked if "127.0.0.1:9/" in url], "no picture is fetched because a model says so"

    # In the blocks themselves: the model's signs are escaped where they are html.
    def htmls(block: Block) -> Iterator[str]:
        yield block.html
        for child in block.children:
            yield from htmls(child)

    views: dict[int, Any] = {}
    drawn = 0
    for patch in patches(panel):
        views[patch.view] = root = apply(views.get(patch.view), patch.ops)
        for html in htmls(root):
            drawn += "&lt;script" in html
            assert "<script" not in html
            assert "<img" not in html
            assert not [tag for tag in re.findall(r"<[^>]*>", html) if "javascript:" in tag], "only ever as a text"
    assert drawn, "the hostile answer was among them"
