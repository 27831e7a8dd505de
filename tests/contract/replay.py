"""A recorded request, asked again of the embedded server, and what differs in the answer."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
from contract.replay_forms import NAMES as ASKING
from contract.replay_forms import Asked, Asking
from contract.streams import Recording
from local_helpers import NOWHERE, Client

from dify_notebook.local.server.process import LocalServer

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
PIXEL = b"\x89PNG\r\n\x1a\n\x00"
AUTH = {
    "no-auth": None, "no-bearer": "KEY", "basic-scheme": "Basic KEY", "empty-bearer": "Bearer",
    "lowercase-bearer-ok": "bearer KEY", "bad-key": "Bearer app-nope", "dataset-key-like": "Bearer dataset-nope",
}  # fmt: skip
SETTINGS = {"score_threshold": 1, "embedding_provider_name": "p", "embedding_model_name": "m"}
STOPPED = ("Stopped by user.", "Aborted: User requested stop")
FREE = {
    # What stands in them is the app's, not the server's.
    "inputs", "outputs", "process_data", "tool_labels", "tool_icons", "execution_metadata", "extras",
    "user_input_form", "file_upload", "sensitive_word_avoidance", "doc_metadata", "answer",
}  # fmt: skip
NOT_THERE = (
    "bogus", "unknown", "after-delete", "delete-again", "other-user", "malformed", "update-missing", "before-use",
)  # fmt: skip
VARIABLES = {"array": "items", "no": "topic", "number": "count", "object": "obj", "string": "topic"}
"""Where the name of a case tells a variable by its type."""


def app_of(case: str, names: Sequence[str]) -> str:
    """The app that was asked; where a name tells none it was plain-chat."""
    what = case.partition("__")[2]
    for prefix in ("", "list-", "seed-", "continue-after-error-", "lost-one-", "wrong-mode-"):
        for name in sorted(names, key=len, reverse=True):
            if what.startswith(prefix + name):
                return name
    return "chatflow" if what.startswith("workflow-id") else "plain-chat"


class Stage:
    """A server with all the apps, and the things that requests name: made when first needed."""

    def __init__(
        self, server: LocalServer, picture: str, names: Sequence[str], inputs: Mapping[str, Mapping[str, str]]
    ) -> None:
        """Args:
        names: of the apps.
        inputs: that a question to an app brings.
        """
        self.server = server
        self.names = names
        self._inputs = inputs
        self.picture = picture
        """An address with a picture that the server may fetch."""
        self.http = httpx.Client(timeout=20, trust_env=False)
        self._clients: dict[tuple[str, str], Client] = {}
        self._made: dict[tuple[str, ...], str] = {}

    def client(self, app: str, user: str) -> Client:
        if (app, user) not in self._clients:
            self._clients[app, user] = Client(self.server, app, user)
        return self._clients[app, user]

    def close(self) -> None:
        """End all connections."""
        self.http.close()
        for client in self._clients.values():
            client.http.close()

    def ask(self, app: str, user: str, **more: Any) -> dict[str, Any]:
        """Something asked: its conversation, message and task."""
        inputs = dict(self._inputs.get(app, {}))
        query = "SPEAK what is 6*7" if app == "agent-chat" else "hi"
        http = self.client(app, user).http
        body = {"query": query, "inputs": inputs, "user": user, "response_mode": "streaming", **more}
        answer = http.post("/chat-messages", json=body)
        assert answer.status_code == 200, (app, answer.text)
        return next(json.loads(line[6:]) for line in answer.text.split("\n\n") if line.startswith("data: "))

    def upload(self, app: str, user: str, *, text: bool = False) -> str:
        file = ("note.txt", b"hello text", "text/plain") if text else ("dot.png", PIXEL, "image/png")
        http = self.client(app, user).http
        answer = http.post("/files/upload", files={"file": file}, data={"user": user})
        return str(answer.json()["id"])

    def conversation(self, app: str, user: str, *, fresh: bool = False) -> str:
        if fresh:
            return str(self.ask(app, user)["conversation_id"])
        key = ("conversation", app, user)
        if key not in self._made:
            self._made[key] = self.ask(app, user)["conversation_id"]
            self.ask(app, user, conversation_id=self._made[key])
        return self._made[key]

    def message(self, app: str, user: str, *, newest: bool = False) -> str:
        conversation = self.conversation(app, user)
        http = self.client(app, user).http
        found = http.get("/messages", params={"conversation_id": conversation, "user": user}).json()["data"]
        return str(found[-1 if newest else 0]["id"])

    def rated(self, app: str, user: str, *, rated: bool) -> str:
        """A message of its own, with a feedback or without."""
        message = str(self.ask(app, user)["message_id"])
        if rated:
            client = self.client(app, user)
            client.post(f"/messages/{message}/feedbacks", {"user": user, "rating": "like"})
        return message

    def annotation(self, app: str) -> str:
        http = self.client(app, "any").http
        made = http.post("/apps/annotations", json={"question": "What is Dify?", "answer": "A"})
        return str(made.json()["id"])

    @contextlib.contextmanager
    def scene(self, replay: Replay) -> Iterator[None]:
        """What was so on the recorded server at that moment."""
        app, what = replay.app, replay.told.case
        client = self.client(app, "scene")
        if "annotation-hit" in what or "annotation-enabled" in what:
            query = {"question": "What is the meaning of life?", "answer": "42"}
            client.post("/apps/annotations", query)
            client.post("/apps/annotation-reply/enable", {**SETTINGS, "score_threshold": 0.9})
        busy = client.stream("LONG") if "limited-second" in what else iter(())
        first = next(busy, None)
        try:
            yield
        finally:
            if first is not None and isinstance(busy, Generator):
                client.post(f"/chat-messages/{first['task_id']}/stop", {"user": client.user})
                assert list(busy)[-1]["event"] == "message_end"
            if "annotation" in what:
                client.post("/apps/annotation-reply/disable", SETTINGS)

    def job(self, app: str, action: str) -> str:
        http = self.client(app, "any").http
        return str(http.post(f"/apps/annotation-reply/{action}", json=SETTINGS).json()["job_id"])

    def variable(self, app: str, user: str, name: str) -> str:
        conversation = self.conversation(app, user)
        http = self.client(app, user).http
        rows = http.get(f"/conversations/{conversation}/variables", params={"user": user}).json()["data"]
        return next((row["id"] for row in rows if row["name"] == name), NOWHERE)


class Replay:
    """One recorded exchange, asked again."""

    def __init__(self, stage: Stage, told: Recording) -> None:
        self.stage = stage
        self.told = told
        self.what = told.case.partition("__")[2]
        self.app = app_of(told.case, stage.names)
        name = told.case.partition("/")[2].replace("delete__", "delete-")
        self.there = not any(word in name for word in NOT_THERE) or "last_id-bogus" in name
        if name.startswith("files-preview") or "-file-" in name:
            self.there = not any(word in name for word in ("bogus", "unknown", "before-use"))
        if name.startswith("delete-") and name.endswith(("again", "-other")):
            self.there = False
        body = told.request.json
        query = dict(parse_qsl(urlsplit(told.request.path).query))
        user = (body.get("user") if isinstance(body, dict) else None) or query.get("user")
        # Without a user the one of the server's own is meant.
        self.user = str(user) if user else "golden-user"
        self._asked: Asked | None = None
        """The run that the request is about, where it asks a person or is followed."""

    def differences(self) -> list[str]:
        """What is not as recorded: status, kind of body, code, fields and types, order of events."""
        asks = self.app in ASKING and ("conversation_id" in self.told.request.path or "second" in self.what)
        with contextlib.ExitStack() as stack:
            followed = self.told.case.partition("/")[2].startswith(("human-input__", "workflow-events__"))
            if ASKING[0] in self.stage.names and (asks or followed):
                self._asked = stack.enter_context(Asking(self.stage.server, self.app, self.what).run())
            return list(compare(self.told, self._send()))

    def _send(self) -> httpx.Response:
        told = self.told.request
        parts = urlsplit(told.path)
        path = self._path(parts.path)
        query = [(name, self._named(name, value)) for name, value in parse_qsl(parts.query, keep_blank_values=True)]
        headers = {} if told.method == "GET" else {"Content-Type": self._kind(told.body)}
        body = told.body
        if body is None and "11MB" in self.what:
            # Its bytes were not kept; their number is what counts.
            headers["Content-Type"] = "multipart/form-data; boundary=b"
            head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="big.png"\r\n'
            body = head + b"Content-Type: image/png\r\n\r\n" + bytes(11 * 2**20) + b"\r\n--b--\r\n"
        if isinstance(told.json, dict) and "invalid.json" not in self.what:
            body = json.dumps(self._body(told.json)).encode()
        key = "app-gone" if "deleted-app" in self.told.case else self.stage.server.api_key(self.app)
        auth = AUTH.get(self.what.removeprefix("err-"), "Bearer KEY") if "auth" in self.told.case or "bad-key" in self.what else "Bearer KEY"
        if auth is not None:
            headers["Authorization"] = auth.replace("KEY", key)
        url = self.stage.server.url + path + (f"?{urlencode(query)}" if query else "")
        if "no-content-type" in self.what or "no-body" in self.what:
            headers.pop("Content-Type", None)
        with self.stage.scene(self):
            return self.stage.http.request(told.method, url, content=body, headers=headers)

    def _kind(self, body: bytes | None) -> str:
        if body and body.startswith(b"--"):
            return "multipart/form-data; boundary=" + body[2 : body.index(b"\r\n")].decode()
        return "application/x-www-form-urlencoded" if self.what.endswith(("form-encoded", "chat-form")) else "application/json"

    def _path(self, path: str) -> str:
        parts = path.split("/")
        for at in range(2, len(parts)):
            if self._asked is not None and parts[at - 1] == "human_input":
                parts[at] = self._asked.tokens[0]
            elif UUID.fullmatch(parts[at]) and parts[at] != NOWHERE:
                parts[at] = self._thing(parts, at)
        return "/".join(parts)

    def _thing(self, parts: list[str], at: int) -> str:
        before, stage, app = parts[at - 1], self.stage, self.app
        if self._asked is not None and "unknown" not in self.what:
            return self._asked.run
        if not self.there:
            return str(uuid.uuid4())
        match before:
            case "conversations":
                return stage.conversation(app, self.user, fresh=self.told.request.method == "DELETE")
            case "variables":
                put = re.search(r"put-(\w+)", self.what)
                name = put[1] if put else "counter"
                return stage.variable(app, self.user, VARIABLES.get(name, name))
            case "messages":
                if any(word in self.what for word in ("null", "missing-rating", "no-rating")):
                    return stage.rated(app, self.user, rated=self.what.endswith("-null"))
                return stage.message(app, self.user)
            case "annotations":
                return stage.annotation(app)
            case "status":
                return stage.job(app, parts[at - 2])
            case "files":
                text = self.told.body == b"hello text"
                file = stage.upload(app, self.user, text=text)
                kind = "document" if text else "image"
                used = [{"type": kind, "transfer_method": "local_file", "upload_file_id": file}]
                stage.ask(app, self.user, files=used)
                return file
            case _:
                return parts[at]

    def _named(self, name: str, value: Any) -> Any:
        if not isinstance(value, str) or not UUID.fullmatch(value) or value == NOWHERE:
            return value
        if self._asked is not None and name == "conversation_id":
            return self._asked.conversation
        if not self.there:
            return str(uuid.uuid4())
        lists = "/messages" in self.told.request.path
        match name:
            case "conversation_id":
                return self.stage.conversation(self.app, self.user)
            case "message_id":
                return self.stage.message(self.app, self.user)
            case "first_id":
                return self.stage.message(self.app, self.user, newest=True)
            case "last_id" if not lists:
                return self.stage.conversation(self.app, self.user)
            case "upload_file_id":
                return self.stage.upload(self.app, self.user)
            case _:
                return value

    def _body(self, body: dict[str, Any]) -> dict[str, Any]:
        made = {name: self._named(name, value) for name, value in body.items()}
        for name in ("files",):
            if isinstance(body.get(name), list):
                made[name] = [self._file(one) for one in body[name]]
        if isinstance(body.get("inputs"), dict):
            made["inputs"] = {name: self._input(value) for name, value in body["inputs"].items()}
        return made

    def _input(self, told: Any) -> Any:
        if isinstance(told, list):
            return [self._input(one) for one in told]
        return self._file(told) if isinstance(told, dict) and "transfer_method" in told else told

    def _file(self, told: Any) -> Any:
        if not isinstance(told, dict):
            return told
        made = {name: self._named(name, value) for name, value in told.items()}
        if str(made.get("url", "")).endswith("/x.png") and "unreachable" not in self.what:
            made["url"] = self.stage.picture
        return made


def compare(told: Recording, answer: httpx.Response) -> Iterator[str]:
    """Differences, each as a line."""
    if told.status != answer.status_code:
        yield f"status {told.status} -> {answer.status_code} {answer.text[:120]!r}"
        return
    kinds = [told.header("content-type"), answer.headers.get("content-type")]
    if kinds[0] != kinds[1]:
        yield f"content-type {kinds[0]} -> {kinds[1]}"
        return
    kind = (kinds[0] or "").partition(";")[0]
    if kind == "text/event-stream":
        yield from compare_streams(told.body, answer.content, whole=told.whole)
    elif kind == "application/json" and told.body.strip():
        yield from compare_values(json.loads(told.body), json.loads(answer.content))


def compare_values(told: Any, answer: Any) -> Iterator[str]:
    if isinstance(told, dict) and isinstance(answer, dict) and told.get("code") != answer.get("code"):
        yield f"code {told.get('code')} -> {answer.get('code')}"
    yield from differ(shape(told), shape(answer), "")


def compare_streams(told: bytes, answer: bytes, *, whole: bool) -> Iterator[str]:
    first, second = events(told), events(answer)
    order = [steps(first), steps(second)]
    if not whole:  # the recorder went away
        order = [[step for step in one if step != "and text"] for one in order]
        order = [one[: min(map(len, order))] for one in order]
    if any(at_once(one) or stopped_inside(one) for one in (first, second)):  # what came first, or how far, is chance
        order = [sorted(set(one)) for one in order]
    if order[0] != order[1]:
        yield f"order {order[0]} -> {order[1]}"
    kinds = {kind(event) for event in first} & {kind(event) for event in second}
    for name in sorted(kinds):
        shapes = [merged([shape(one) for one in some if kind(one) == name]) for some in (first, second)]
        yield from differ(shapes[0], shapes[1], name)


def at_once(told: list[dict[str, Any]]) -> bool:
    """Whether several nodes ran at the same time."""
    running: set[str] = set()
    for event in told:
        if event["event"] == "node_started":
            running.add(event["data"]["id"])
        elif event["event"] == "node_finished":
            running.discard(event["data"]["id"])
        if len(running) > 1:
            return True
    return False


def stopped_inside(told: list[dict[str, Any]]) -> bool:
    """Whether a run was stopped in a round."""
    names = {event["event"] for event in told}
    return "iteration_started" in names and told[-1].get("data", {}).get("error") in STOPPED


def events(body: bytes) -> list[dict[str, Any]]:
    found = []
    for part in body.split(b"\n\n"):
        if part.startswith(b"data: "):
            try:
                found.append(json.loads(part[6:]))
            except ValueError:
                continue  # the last of a stream that was cut off
    return found


def kind(event: dict[str, Any]) -> str:
    # Dify 1.12 says text as message_file where an old-style chat has a file: a bug of its own.
    text = event["event"] == "message_file" and "answer" in event
    return "message" if text else str(event["event"])


def steps(told: list[dict[str, Any]]) -> list[str]:
    """The order of events. Repeats count once; in a workflow text may come before or after the end of
    the node that says it, so there only whether there is any counts."""
    flow = any(event["event"] == "workflow_started" for event in told)
    found: list[str] = []
    said = False
    for event in told:
        name = kind(event)
        if flow and name == "message":
            said = True
            continue
        if name.startswith("node_"):
            name += ":" + event["data"]["node_type"]
        if not (found and found[-1] == name):
            found.append(name)
    return [*found, "and text"] if said else found


def shape(value: Any) -> Any:
    """The form of a value: names and types."""
    if isinstance(value, dict):
        return {name: None if name in FREE else shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [merged([shape(one) for one in value])]
    if value is None:
        return None
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "string"


def merged(shapes: list[Any]) -> Any:
    """One form of several; what one does not know, another tells."""
    known = [one for one in shapes if one is not None]
    if known and all(isinstance(one, dict) for one in known):
        names = dict.fromkeys(name for one in known for name in one)
        return {name: merged([one.get(name) for one in known]) for name in names}
    return known[0] if known else None


def differ(told: Any, answer: Any, where: str) -> Iterator[str]:
    if told is None or answer is None:
        return
    if isinstance(told, dict) and isinstance(answer, dict):
        for name in told.keys() - answer.keys():
            yield f"{where}.{name} is missing"
        for name in answer.keys() - told.keys():
            yield f"{where}.{name} is new"
        for name in told.keys() & answer.keys():
            yield from differ(told[name], answer[name], f"{where}.{name}")
    elif isinstance(told, list) and isinstance(answer, list):
        yield from differ(told[0], answer[0], f"{where}[]")
    elif told != answer:
        yield f"{where} is {answer}, was {told}"
