"""kill -9 at random moments: what was answered is there, what was not is told as half an answer.

`KILL_ROUNDS=50` does it fifty times; a few are enough for every day.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from local_helpers import Client

from dify_notebook import local

ROUNDS = int(os.environ.get("KILL_ROUNDS", "4"))
SERVE = """
import sys
from dify_notebook import local
server = local.serve(data_dir=sys.argv[1], pace=0.15)
print(json.dumps({"url": server.base_url, "keys": {app: server.api_key(app) for app in server.apps}}), flush=True)
sys.stdin.read()
"""
QUESTIONS = {
    "guide": "How do I send a file with a question?",
    "toolbox": "What is 17% of 2,340, and what time is it in Tokyo?",
    "pipeline": "alpha, beta, gamma, delta",
}


class Asker(threading.Thread):
    """Asks one app again and again until the server dies; remembers what it heard."""

    def __init__(self, url: str, key: str, app: str, number: int) -> None:
        super().__init__(daemon=True)
        self.app = app
        self.user = f"asker-{number}"
        self.whole: dict[str, tuple[str, str]] = {}
        """Message -> its conversation and answer, of those whose last event came."""
        self.cut: dict[str, tuple[str, str]] = {}
        """The same of those whose last event never came."""
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=20, trust_env=False)

    def run(self) -> None:
        conversation = ""
        try:
            while True:
                conversation = self.ask(conversation)
        except httpx.HTTPError:
            return  # the server is dead, as it should be
        finally:
            self.http.close()

    def ask(self, conversation: str) -> str:
        body = {
            "query": QUESTIONS[self.app], "inputs": {}, "user": self.user, "response_mode": "streaming",
            "conversation_id": conversation,
        }  # fmt: skip
        with self.http.stream("POST", "/chat-messages", json=body) as response:
            assert response.status_code == 200
            answer = message = ""
            for line in response.iter_lines():
                if not line.startswith("data: "):
                    continue
                event = json.loads(line[6:])
                message, conversation = event["message_id"], event["conversation_id"]
                if event["event"] in ("message", "agent_message"):
                    answer += event["answer"]
                self.cut[message] = (conversation, answer)
                if event["event"] == "message_end":
                    self.whole[message] = self.cut.pop(message)
        return conversation


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
@pytest.mark.slow
def test_kill_at_random_moments(tmp_path: Path) -> None:
    chance = random.Random(20261121)
    root = str(Path(local.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "PYTHONWARNINGS": "ignore"}
    whole = cut = 0
    for _ in range(ROUNDS):
        process = subprocess.Popen(
            [sys.executable, "-c", "import json\n" + SERVE, str(tmp_path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdin is not None
        told = json.loads(process.stdout.readline())
        askers = [
            Asker(told["url"], told["keys"][app], app, number) for number, app in enumerate([*QUESTIONS, *QUESTIONS])
        ]
        for asker in askers:
            asker.start()
        # The moment is the test: anywhere in the first answers.
        threading.Event().wait(chance.uniform(0.05, 2.0))
        process.kill()
        process.wait(10)
        process.stdin.close()
        process.stdout.close()
        for asker in askers:
            asker.join(20)
            assert not asker.is_alive()
        with local.serve(data_dir=tmp_path, pace=0) as server:
            for asker in askers:
                client = Client(server, asker.app, asker.user)
                for message, (conversation, answer) in asker.whole.items():
                    row = of(client, conversation, message)
                    assert (row["status"], row["error"]) == ("normal", None)
                    assert row["answer"].strip() == answer.strip()
                    whole += 1
                for message, (conversation, heard) in asker.cut.items():
                    row = of(client, conversation, message)
                    # Committed just before its last event, or told as what it is.
                    assert row["status"] in ("error", "normal")
                    if row["status"] == "error":
                        assert heard.startswith(row["answer"]) or row["answer"].startswith(heard)
                    cut += 1
        database = sqlite3.connect(tmp_path / "store.sqlite3")
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT COUNT(*) FROM messages WHERE state = 'running'").fetchone() == (0,)
        database.close()
    print(f"\n{ROUNDS} kills: {whole} whole answers kept, {cut} half ones told as such")
    assert whole + cut > 0


def of(client: Client, conversation: str, message: str) -> dict[str, Any]:
    found = [row for row in client.messages(conversation) if row["id"] == message]
    assert found, "an answered request was lost"
    return found[0]
