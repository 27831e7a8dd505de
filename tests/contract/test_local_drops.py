"""Runs of the embedded server whose connection is lost at each of their events, followed: the uncut turn, or a warning.

Among texts one place is like the next: of these every fifth is cut.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from contract import human_apps
from local_helpers import passages_read_once

from dify_notebook import AsyncDify, Turn, local
from dify_notebook.local.engine.run import Run
from dify_notebook.local.server.process import LocalServer

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

QUESTIONS = {
    "list": "streaming, conversations",
    "question": "How do I set a timeout?",
    "中文": "会话、文件",
    "approval": "approve: a new lamp",
}
WHEN = ("at once", "held", "over")
"""What the run does when its connection is lost: goes on, waits until it is followed, or ends before it is."""


class Proxy(httpx.AsyncHTTPTransport):
    """Loses a connection of the next stream.

    Args:
        server: what lies behind it.
        path: the end of the path of the streams that it cuts.
        when: what the run does then, one of `WHEN`.
    """

    def __init__(self, server: LocalServer, path: str, when: str) -> None:
        super().__init__()
        self._server, self._path, self._when = server, path, when
        self.cut: int | None = None
        """So many events that stream has; None all of them."""
        self.kinds: list[str] = []
        """What it had."""
        self.held = False
        """Whether runs do nothing until somebody follows."""
        self._lost = False

    def lose(self) -> None:
        """The connection breaks."""
        self._lost, self.held = True, self._when == "held"
        raise httpx.ReadError("lost")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        follows = request.url.path.endswith("/events")
        if follows and self._lost and self._when == "over":
            while self._server._runs.of_workflow(request.url.path.split("/")[-2]) is not None:
                await asyncio.sleep(0.002)
        response = await super().handle_async_request(request)
        if follows:
            self._lost = self.held = False
        if request.url.path.endswith(self._path):
            assert isinstance(response.stream, httpx.AsyncByteStream)
            response.stream, self.cut, self.kinds = _Cut(self, response.stream, self.cut), None, []
        return response


class _Cut(httpx.AsyncByteStream):
    def __init__(self, proxy: Proxy, inner: httpx.AsyncByteStream, cut: int | None) -> None:
        self._proxy, self._inner, self._cut = proxy, inner, cut

    async def __aiter__(self) -> AsyncIterator[bytes]:
        rest = b""
        async for chunk in self._inner:
            rest += chunk
            while b"\n\n" in rest:
                block, rest = rest.split(b"\n\n", 1)
                if block.startswith(b"data:"):
                    if len(self._proxy.kinds) == self._cut:
                        self._proxy.lose()
                    self._proxy.kinds.append(json.loads(block.removeprefix(b"data:"))["event"])
                yield block + b"\n\n"

    async def aclose(self) -> None:
        await self._inner.aclose()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    where: Path = tmp_path_factory.mktemp("drops") / "data"
    with passages_read_once(), local.serve(data_dir=where, pace=0, faults=True, apps=[human_apps.brancha()]) as made:
        yield made


@pytest.fixture(params=WHEN)
def when(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def proxy_of(server: LocalServer, path: str, when: str, patch: pytest.MonkeyPatch) -> Proxy:
    proxy, pause = Proxy(server, path, when), Run.pause

    async def wait(run: Run, seconds: float) -> None:
        while proxy.held:
            await asyncio.sleep(0.002)
        await pause(run, seconds)

    patch.setattr(Run, "pause", wait)
    return proxy


def places(kinds: list[str]) -> list[int]:
    """How many events come before a connection is lost."""
    texts = [kinds[at - 1] == kinds[at] == "message" for at in range(1, len(kinds))]
    return [at for at, among in enumerate(texts, start=1) if not among or at % 5 == 0]


def essence(turn: Turn) -> dict[str, Any]:
    """What does not depend on when and where it was read."""
    return {
        "status": turn.status,
        "answer": turn.answer,
        "replaced": turn.replaced,
        "tokens": turn.usage and (turn.usage.prompt_tokens, turn.usage.completion_tokens, turn.usage.total_price),
        "forms": [(form.title, form.status, form.action, form.inputs, form.content) for form in turn.forms],
    }


def nodes(turn: Turn) -> list[Any]:
    found = turn.nodes or ()
    ids = {node.id: node.node_id for node in found}
    return [(node.node_id, node.kind, node.status, node.round, ids.get(node.parent or "")) for node in found]


def check(turn: Turn, whole: Turn, where: object) -> None:
    codes = {warning.code for warning in turn.warnings}
    assert essence(turn) == essence(whole), (where, codes)
    assert turn.complete, (where, codes)
    if nodes(turn) != nodes(whole):
        assert "nodes" in codes, where
        assert {node[0] for node in nodes(turn)} <= {node[0] for node in nodes(whole)}, where
        assert len(nodes(turn)) <= len(nodes(whole)), where
    assert codes <= {"followed", "nodes"}, where
    assert turn.tape is not None
    again = turn.tape.replay()
    assert (essence(again), nodes(again)) == (essence(turn), nodes(turn)), where


def dify(server: LocalServer, proxy: Proxy | None = None, app: str = "pipeline") -> AsyncDify:
    return AsyncDify(server.api_key(app), server.base_url, user="me", transport=proxy)


async def told(client: AsyncDify, question: str) -> Turn:
    async with client.chat.stream(question) as stream:
        return await stream.read()


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_question_is_cut_at_each_event(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, question: str, when: str
) -> None:
    proxy = proxy_of(server, "/chat-messages", when, monkeypatch)
    async with dify(server, proxy) as client:
        whole = await told(client, QUESTIONS[question])
        assert whole.status == ("paused" if question == "approval" else "succeeded")
        for cut in places(proxy.kinds):
            proxy.cut = cut
            turn = await told(client, QUESTIONS[question])
            assert len(proxy.kinds) == cut
            check(turn, whole, (question, when, cut))


@pytest.mark.parametrize("action", ["approve", "reject"])
async def test_a_run_that_goes_on_is_cut_at_each_event(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, action: str, when: str
) -> None:
    proxy = proxy_of(server, "/events", when, monkeypatch)
    async with dify(server, proxy) as client:

        async def answered(cut: int | None) -> Turn:
            turn = await told(client, QUESTIONS["approval"])
            choices = next(field.options for field in turn.forms[0].fields if field.name == "when")
            proxy.cut, proxy.held = cut, True
            inputs = {"note": "a <b> note", "when": choices[0]}
            gone_on: Turn = await turn.forms[0].submit(action=action, inputs=inputs)
            return gone_on

        whole = await answered(None)
        assert (whole.status, whole.forms[0].status) == ("succeeded", "filled")
        assert [node[2] for node in nodes(whole)] == ["succeeded"] * 4
        for cut in places(proxy.kinds):
            check(await answered(cut), whole, (action, when, cut))


@pytest.mark.parametrize("lost", [0, 1], ids=["first", "second"])
async def test_each_of_two_forms_at_once(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, lost: int, when: str
) -> None:
    proxy = proxy_of(server, "/events", when, monkeypatch)
    async with dify(server, proxy, "brancha") as client:

        async def answered(cut: int | None) -> tuple[Turn, list[str]]:
            turn, kinds = await told(client, "go"), list[str]()
            for number in (0, 1):
                proxy.cut, proxy.held = cut if number == lost else None, True
                waiting = next(form for form in turn.forms if form.status == "waiting")
                turn = await waiting.submit(action="approve")
                kinds = proxy.kinds if number == lost else kinds
            return turn, kinds

        whole, kinds = await answered(None)
        assert (whole.status, whole.answer, [form.inputs for form in whole.forms]) == ("succeeded", "LR", [{}, {}])
        for cut in places(kinds):
            turn, _ = await answered(cut)
            check(turn, whole, (lost, when, cut))


@pytest.mark.parametrize("question", QUESTIONS)
async def test_the_server_itself_closes_the_connection(server: LocalServer, question: str) -> None:
    async with dify(server) as client:
        whole = await told(client, QUESTIONS[question])
        assert whole.tape is not None
        size = sum(len(data or b"") for _, (_, data) in whole.tape.entries)
        faults = [f"drop={bytes_}" for bytes_ in range(1_000, size, size // 12)]
        if question == "中文":
            faults += [f"cut={events}" for events in range(1, 9)]
        for fault in faults:
            server.faults.once(fault)
            turn = await told(client, QUESTIONS[question])
            check(turn, whole, (question, fault))
            assert "followed" in {warning.code for warning in turn.warnings}
