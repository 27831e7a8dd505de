"""Two published clients that others wrote hold a conversation with the embedded server.

Each is installed in an environment of its own, at a fixed version, so that nothing of this project's
is in its way. Where they cannot be installed the tests are skipped, and fail with CI=true.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dify_notebook import local
from dify_notebook.local.server.process import LocalServer

pytestmark = pytest.mark.slow

PYTHON = """
import json, sys
from dify_client import Client, models
url, key = sys.argv[1:]
client = Client(api_key=key, api_base=url)
told, conversation = [], ""
for query in ("How do I stop a running cell?", "and in Chinese?"):
    asked = models.ChatRequest(
        query=query, inputs={}, user="visitor", response_mode=models.ResponseMode.STREAMING,
        conversation_id=conversation,
    )
    answer, events = "", []
    for event in client.chat_messages(asked, timeout=20.0):
        events.append(str(event.event))
        if hasattr(event, "answer"):
            answer += event.answer
            conversation, message = event.conversation_id, event.message_id
    told.append({"answer": answer, "last": events[-1], "conversation": conversation})
liked = client.feedback_messages(message, models.FeedbackRequest(rating="like", user="visitor"))
more = client.suggest_messages(message, models.ChatSuggestRequest(user="visitor"))
print(json.dumps({"told": told, "liked": liked.result, "suggested": more.data}))
"""
NODE = """
import { ChatClient } from "dify-client";
const [url, key] = process.argv.slice(2);
const client = new ChatClient(key, url);
const told = [];
let conversation = null;
for (const query of ["How do I stop a running cell?", "and in Chinese?"]) {
  const response = await client.createChatMessage({}, query, "visitor-js", true, conversation);
  let body = "";
  for await (const piece of response.data) body += piece;
  const events = body.split("\\n\\n").filter((part) => part.startsWith("data: ")).map((part) => JSON.parse(part.slice(6)));
  conversation = events[0].conversation_id;
  const answer = events.filter((event) => event.event === "message").map((event) => event.answer).join("");
  told.push({ answer, last: events.at(-1).event, conversation });
}
const messages = (await client.getConversationMessages("visitor-js", conversation)).data;
await client.renameConversation(conversation, "by node", "visitor-js", false);
const listed = (await client.getConversations("visitor-js")).data;
console.log(JSON.stringify({ told, stored: messages.data.map((one) => one.answer), names: listed.data.map((one) => one.name) }));
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with local.serve(data_dir=tmp_path_factory.mktemp("clients"), pace=0) as running:
        yield running


def install(command: list[str], where: Path) -> None:
    """Run an installer; without what it needs the test is skipped."""
    try:
        done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=240)
        problem = done.stderr if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    if problem:
        reason = f"{command[0]} could not install: {problem[-300:]}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def held(answer: str) -> dict[str, Any]:
    """What a client printed, with the conversation that both must have held."""
    found: dict[str, Any] = json.loads(answer.splitlines()[-1])
    first, second = found["told"]
    assert "Interrupt" in first["answer"]
    assert any("\u4e00" <= sign <= "\u9fff" for sign in second["answer"]), "the second turn knew the first"
    assert first["conversation"] == second["conversation"]
    assert first["last"].endswith("message_end")
    return found


def test_a_python_client(server: LocalServer, tmp_path: Path) -> None:
    install([sys.executable, "-m", "venv", str(tmp_path / "env")], tmp_path)
    python = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    install([str(python), "-m", "pip", "install", "-q", "dify-client-python==1.0.3"], tmp_path)
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(
        [str(python), "-c", PYTHON, server.base_url, server.api_key("guide")],
        capture_output=True, text=True, timeout=120, cwd=tmp_path, env=clean,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = held(done.stdout)
    assert found["liked"] == "success"
    assert found["suggested"]


@pytest.mark.node
def test_a_javascript_client(server: LocalServer, tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"private": true, "type": "module"}')
    (tmp_path / "talk.mjs").write_text(NODE)
    install(["npm", "install", "--no-audit", "--no-fund", "dify-client@2.3.2"], tmp_path)
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(
        ["node", "talk.mjs", server.base_url, server.api_key("guide")],
        capture_output=True, text=True, timeout=120, cwd=tmp_path, env=clean,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = held(done.stdout)
    assert found["stored"] == [one["answer"] for one in found["told"]]
    assert found["names"] == ["by node"]
