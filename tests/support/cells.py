"""Cells before they are sent: a notebook's state, and a server that answers what is asked before a question."""

from __future__ import annotations

import re
from typing import Any

import httpx

from dify_notebook.magic import cell as cells
from dify_notebook.magic.held import Origin
from dify_notebook.magic.parse import parse_line
from dify_notebook.magic.state import State
from dify_notebook.net.client import AsyncDify

KEY = "app-" + "k3Y" * 8
FIRST = "11111111-aaaa-4aaa-8aaa-000000000001"
SECOND = "11111111-bbbb-4bbb-8bbb-000000000002"
THIRD = "22222222-cccc-4ccc-8ccc-000000000003"


class Server:
    """Answers what a cell asks before its question."""

    def __init__(self, version: str = "1.12.1", form: list[dict[str, Any]] | None = None) -> None:
        self.version, self.form = version, form if form is not None else []
        self.parameters: dict[str, Any] = {}
        self.refuse: dict[str, tuple[int, str]] = {}
        self.mode = "chat"
        self.asked: list[str] = []
        self.uploads: list[str] = []
        self.messages: dict[str, list[dict[str, Any]]] = {}
        """What it keeps, by conversation, oldest first."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v1")
        self.asked.append(path)
        headers = {"X-Version": self.version}
        if path in self.refuse:
            status, code = self.refuse[path]
            return httpx.Response(status, json={"code": code, "message": "no"}, headers=headers)
        if path == "/files/upload":
            name = re.search(rb'filename="([^"]*)"', request.read())
            self.uploads.append(name[1].decode() if name else "")
            uploaded = {"id": f"file-{len(self.uploads)}", "name": self.uploads[-1], "mime_type": "image/png"}
            return httpx.Response(201, json=uploaded, headers=headers)
        if path == "/messages":
            kept = self.messages.get(request.url.params["conversation_id"], [])
            return httpx.Response(200, json={"data": kept, "has_more": False}, headers=headers)
        answers: dict[str, Any] = {
            "/parameters": {"user_input_form": self.form, **self.parameters},
            "/info": {"name": "Support", "description": "Answers.", "mode": self.mode},
            "/conversations": {
                "data": [
                    {"id": FIRST, "name": "one", "inputs": {"city": "Lyon", "doc": None}},
                    {
                        "id": SECOND,
                        "name": "two",
                        "inputs": {"doc": {"dify_model_identity": "__dify__file__"}},
                    },
                    {"id": THIRD, "name": "three", "inputs": {}},
                ],
                "has_more": False,
            },
        }
        return httpx.Response(200, json=answers[path], headers=headers)


def client(server: Server, user: str = "anna") -> AsyncDify:
    return AsyncDify(KEY, "http://127.0.0.1:9/v1", user, transport=httpx.MockTransport(server))


CITY: list[dict[str, Any]] = [{"text-input": {"variable": "city", "label": "City", "required": True, "max_length": 12}}]


class Notebook:
    """A state with one remote client, `c`, and the variables of a notebook."""

    def __init__(self, server: Server | None = None, terminal: bool = False, **names: Any) -> None:
        self.server = server or Server()
        self.terminal = terminal
        self.state = State()
        self.names: dict[str, Any] = {"c": client(self.server), **names}

    def prepare(self, line: str, body: str = "hi", cell_id: str | None = None) -> cells.Request:
        arguments = parse_line(line)
        self.app_session = self.state.app_session(arguments.profile or "c", arguments.user, self.names)
        self.key = cells.cell_key(line, body, cell_id, terminal=self.terminal)
        origin: Origin = "cell" if cell_id else "no_id"
        return cells.build_request(arguments, body, self.app_session, self.state, self.names, self.key, origin)

    def ran(self, question: cells.Request, conversation: str) -> None:
        """What the magic remembers once the answer is there."""
        kept = self.server.messages.setdefault(conversation, [])
        id, began = f"m{len(kept)}", question.conversation_id is None
        message = {"id": id, "query": question.query, "inputs": dict(question.inputs), "answer": "Yes."}
        kept.append({**message, "conversation_id": conversation})
        self.app_session.held.add(self.key, conversation, id, began=began, workflow_id=question.workflow_id)
        self.app_session.session.conversation_id = conversation
        self.app_session.remember(conversation, question.inputs)
