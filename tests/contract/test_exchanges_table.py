"""Every recorded exchange, served over a socket, gives the value or the error that a person reads in it.

One server answers what was recorded; the client asks as its users do. A list goes on to a
second page exactly where the recording says that there is more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from contract import expected_outcomes as eo
from contract.exchanges import load_exchanges, operation
from contract.expected_exchanges import EXPECTED
from contract.streams import Recording
from support.raw_server import Connection, RawServer, Request

from dify_notebook import Dify
from dify_notebook import errors as er
from dify_notebook.net.files import download_name
from dify_notebook.turn.convert import as_citation

UUID = "5c1f5fb1-8ad5-4f0c-b4d7-4b8f6b1b9f22"
TOKEN = re.compile("FormTokenFormToken[0-9]{4}")
"""Those of the forms, as they stand in the recordings."""


def resumed(dify: Dify) -> Any:
    with dify.chat.resume(UUID) as stream:
        stream.read()
    return stream.turn


ASK: dict[str, Callable[[Dify], Any]] = {
    "conversations.list": lambda d: d.conversations.list().to_list(),
    "conversations.rename": lambda d: d.conversations.rename(UUID, "the name asked for"),
    "conversations.delete": lambda d: d.conversations.delete(UUID),
    "conversations.variables": lambda d: d.conversations.variables(UUID).to_list(),
    "conversations.set_variable": lambda d: d.conversations.set_variable(UUID, UUID, 1),
    "messages.list": lambda d: d.messages.list(UUID).to_list()[::-1],  # the wire's order: oldest first
    "messages.suggested": lambda d: d.messages.suggested(UUID),
    "messages.feedback": lambda d: d.messages.feedback(UUID, "like"),
    "chat.stop": lambda d: d.chat.stop(UUID),
    "files.upload": lambda d: d.files.upload(b"x", name="x.txt"),
    "files.download": lambda d: d.files.download(UUID),
    "audio.to_text": lambda d: d.audio.to_text(b"x", name="x.wav"),
    "audio.from_text": lambda d: d.audio.from_text("x"),
    "app.info": lambda d: d.app.info(),
    "app.parameters": lambda d: d.app.parameters(),
    "app.meta": lambda d: d.app.meta(),
    "app.site": lambda d: d.app.site(),
    "app.feedbacks": lambda d: d.app.feedbacks().to_list(),
    "annotations.list": lambda d: d.annotations.list().to_list(),
    "annotations.create": lambda d: d.annotations.create("q", "a"),
    "annotations.update": lambda d: d.annotations.update(UUID, "q", "a"),
    "annotations.delete": lambda d: d.annotations.delete(UUID),
    "annotations.enable_reply": lambda d: d.annotations.enable_reply(
        embedding_provider_name="p", embedding_model_name="m"
    ),
    "annotations.disable_reply": lambda d: d.annotations.disable_reply(),
    "annotations.reply_status": lambda d: d.annotations.reply_status("enable", UUID),
    "end_users.get": lambda d: d.end_users.get(UUID),
    "forms.get": lambda d: d.forms.get("FormTokenFormToken0001"),
    "forms.submit": lambda d: d.forms.submit("FormTokenFormToken0001", action="approve", inputs={"note": "n"}),
    "chat.resume": resumed,
    "chat.send": lambda d: d.chat.send("x", response_mode="blocking"),
    "workflows.run": lambda d: d.workflows.run(response_mode="blocking", workflow_id=None),
    "workflows.stop": lambda d: d.workflows.stop(UUID),
    "workflows.logs": lambda d: d.workflows.logs().to_list(),
    "completion.send": lambda d: d.completion.send(response_mode="blocking"),
    "completion.stop": lambda d: d.completion.stop(UUID),
}


def ask(name: str, dify: Dify, recording: Recording) -> Any:
    """Ask as the recording was asked, where the answer says about what it is; else about anything."""
    if name == "workflows.get":
        return dify.workflows.get(recording.request.path.rpartition("/")[2])
    return ASK[name](dify)


class Replay:
    """Answers the first request with the recording, and further ones with an empty page."""

    def __init__(self) -> None:
        self.recording: Recording | None = None
        self.asked = 0

    def __call__(self, request: Request, connection: Connection) -> None:
        assert self.recording is not None
        self.asked += 1
        if self.asked > 1:
            connection.reply("200 OK", {"data": [], "has_more": False})
            return
        kind = self.recording.header("content-type") or ""
        disposition = self.recording.header("content-disposition")
        extra = f"Content-Disposition: {disposition}\r\n" if disposition else ""
        connection.reply(f"{self.recording.status} X", self.recording.body, kind, extra)


@pytest.fixture(scope="module")
def replay() -> Iterator[tuple[Replay, Dify]]:
    script = Replay()
    server = RawServer(script)
    try:
        yield script, Dify("app-x", server.url, "golden-user", retry=0)
    finally:
        server.close()


def ends(items: list[Any]) -> str:
    return f"{items[0].id[:4]} {items[-1].id[:4]}" if items else ""


def told(time: datetime | None) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else ""


def known(inputs: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (inputs or {}).items() if value is not None}


def conversations(items: list[Any], more: bool) -> eo.Conversations:
    first = items[0] if items else None
    return eo.Conversations(
        len(items),
        ends(items),
        more,
        told(first.created_at) if first else "",
        told(first.updated_at) if first else "",
        {place: item.name for place, item in enumerate(items) if item.name != eo.TITLE},
        known(first.inputs) if first else {},
        (first.introduction or "") if first else "",
    )


def size(file: dict[str, Any]) -> str:
    return "-" if file.get("size") in (None, -1) else str(file["size"])


def rating(message: Any) -> str:
    return {"like": "+", "dislike": "-"}.get((message.feedback or {}).get("rating", ""), ".")


def messages(items: list[Any], more: bool) -> eo.Messages:
    thoughts = [thought for item in items for thought in item.agent_thoughts or ()]
    files = [file for item in items for file in item.message_files or ()]
    ratings = "".join(map(rating, items))
    return eo.Messages(
        len(items),
        ends(items),
        more,
        told(items[0].created_at) if items else "",
        items[0].query if items else "",
        tuple(len(item.answer) for item in items),
        {place: item.error or "" for place, item in enumerate(items) if item.status not in ("normal", "paused")},
        ratings if ratings.strip(".") else "",
        tuple(thought.get("tool") or "" for thought in thoughts),
        tuple(len(thought.get("thought") or "") for thought in thoughts),
        tuple(f"{file['type']} {file.get('transfer_method')} {size(file)}" for file in files),
        tuple(f"{c.document_name} {c.score}" for item in items for c in map(as_citation, item.retriever_resources or ())),
        tuple(place for place, item in enumerate(items) if item.status == "paused"),
    )


def counts(items: list[Any], more: bool) -> eo.MessageCounts:
    return eo.MessageCounts(
        len(items),
        ends(items),
        more,
        sum(not item.answer for item in items),
        sum(item.status == "error" for item in items),
        sum(len(item.agent_thoughts or ()) for item in items),
        sum(len(item.message_files or ()) for item in items),
        sum(len(item.retriever_resources or ()) for item in items),
        "".join(map(rating, items)).replace(".", ""),
    )


def run_detail(run: Any) -> eo.RunDetail:
    given = {name: value for name, value in run.inputs.items() if value is not None and not name.startswith("sys.")}
    return eo.RunDetail(
        run.id[:4],
        run.status,
        told(run.created_at),
        run.total_steps,
        run.total_tokens,
        {name: eo.brief(value) for name, value in given.items()},
        None if run.outputs is None else {name: eo.brief(value) for name, value in run.outputs.items()},
        (run.error or "").partition("\n")[0][:40],
        told(run.finished_at),
    )


STATUSES = {"succeeded": "s", "failed": "f", "stopped": "x", "running": "r", "partial-succeeded": "p"}


def logs(items: list[Any], more: bool, total: int) -> eo.Logs:
    runs = [item.workflow_run for item in items]
    return eo.Logs(
        len(items),
        ends(items),
        "".join(STATUSES[run.status] for run in runs),
        sum(run.total_tokens for run in runs),
        told(items[0].created_at) if items else "",
        more,
        " ".join(sorted({item.created_by_end_user["session_id"] for item in items})) or eo.Logs(0).users,
        sum(run.exceptions_count or 0 for run in runs),
        total,
    )


def form(found: Any) -> eo.Form:
    fields = [
        f"{field.name}:{field.type}" + (f"={field.default}" if field.default is not None else "")
        + ("/" + ",".join(field.options) if field.options else "")
        for field in found.fields
    ]  # fmt: skip
    actions = [f"{action.id}/{action.style}" for action in found.actions]
    return eo.Form(found.content, " ".join(fields), " ".join(actions), told(found.expires_at))


def check(expected: eo.Outcome, found: Any, script: Replay) -> None:
    """Compare what came out with what the table says."""
    recording, more = script.recording, script.asked > 1
    assert recording is not None
    match expected:
        case eo.Done():
            assert found in (None, True)
        case eo.Conversations():
            assert conversations(found, more) == expected
        case eo.Conversation():
            assert found.id.startswith(expected.id)
            if "result" not in found.extra:
                assert (found.name, told(found.created_at), told(found.updated_at), found.introduction or "") == (
                    expected.name, expected.created, expected.updated, expected.introduction,
                )  # fmt: skip
                assert known(found.inputs) == expected.inputs
        case eo.Messages():
            seen = messages(found, more)
            assert all(seen.failed[place].startswith(start) for place, start in expected.failed.items())
            assert seen.failed.keys() == expected.failed.keys()
            names = ("count", "ids", "more", "created", "query", "lengths", "ratings", "tools", "thoughts", "paused")
            for name in names:
                assert getattr(seen, name) == getattr(expected, name), name
            assert len(seen.files) >= len(expected.files)
            assert len(seen.citations) == len(expected.citations)
        case eo.MessageCounts():
            assert counts(found, more) == expected
        case eo.Suggested():
            assert tuple(found) == expected.questions
        case eo.Variables():
            assert {item.name: (item.value_type, item.parsed) for item in found} == expected.values
            assert more == expected.more
            assert told(found[0].created_at if found else None) == expected.created
            assert told(found[0].updated_at if found else None) == expected.updated
        case eo.Variable():
            assert found.id.endswith(expected.id)
            assert (found.name, found.value_type, found.parsed) == (expected.name, expected.type, expected.value)
            assert told(found.updated_at) == expected.updated
        case eo.Upload():
            assert found.id.startswith(expected.id)
            assert (found.name, found.size, found.extension, found.mime_type, told(found.created_at)) == (
                expected.name, expected.size, expected.extension, expected.mime_type, expected.created,
            )  # fmt: skip
            assert str(found.created_by).startswith(expected.created_by)
            assert bool(found.extra.get("source_url")) == expected.source_url
        case eo.Content():
            assert len(found) == expected.length
            assert found.startswith(expected.starts)
            if expected.name:
                assert download_name(recording.header("content-disposition"), "x") == expected.name
        case eo.Text():
            assert found == expected.text
        case eo.Info():
            assert (found.name, found.description, found.mode, found.author_name) == (
                expected.name, expected.description, expected.mode, expected.author,
            )  # fmt: skip
        case eo.Meta():
            assert {tool: urlsplit(icon).path for tool, icon in found.tool_icons.items()} == expected.icons
        case eo.Site():
            assert (found.title, found.icon, found.default_language) == (
                expected.title, expected.icon, expected.language,
            )  # fmt: skip
            assert (found.extra["icon_background"], found.extra["show_workflow_steps"]) == (
                expected.icon_background, expected.workflow_steps,
            )  # fmt: skip
        case eo.Parameters():
            assert found.opening_statement == expected.opening
            assert tuple(found.suggested_questions or ()) == expected.suggested
            assert [f"{c['variable']}:{c['type']}" for c in found.controls] == [
                word.partition("/")[0].rstrip("!") for word in expected.form.split()
            ]
            assert {word for word, part in PARTS.items() if (getattr(found, part) or {}).get("enabled")} == (
                set(expected.on.split()) - {"images"}
            )
            assert ((found.file_upload or {}).get("image") or {}).get("enabled", False) == ("images" in expected.on.split())
            assert (found.text_to_speech or {}).get("voice") == expected.voice
        case eo.Feedbacks():
            assert (len(found), ends(found)) == (expected.count, expected.ids)
            assert not found or (found[0].rating, found[0].content, told(found[0].created_at)) == (
                expected.rating, expected.content, expected.created,
            )  # fmt: skip
        case eo.RunDetail():
            assert run_detail(found) == expected
        case eo.Logs():
            assert logs(found, more, expected.total) == expected
        case eo.Ran():
            assert (found.workflow_run_id[:4], found.status, found.outputs) == (
                expected.id, expected.status, expected.outputs,
            )  # fmt: skip
        case eo.Annotations():
            assert (len(found), ends(found), more) == (expected.count, expected.ids, expected.more)
            assert tuple(item.question for item in found) == expected.questions
            assert told(found[0].created_at if found else None) == expected.created
        case eo.Annotation():
            assert found.id.startswith(expected.id)
            assert (found.question, found.answer, found.hit_count, told(found.created_at)) == (
                expected.question, expected.answer, expected.hits, expected.created,
            )  # fmt: skip
        case eo.Form():
            assert form(found) == expected
            assert found.token is not None
            assert not TOKEN.search(repr(found))
        case eo.Job():
            assert found.job_id.startswith(expected.id)
            assert found.job_status == expected.status
            assert (found.error_msg or "").startswith(expected.error)
        case _:
            raise AssertionError(f"nothing is written down for {type(expected).__name__}")


PARTS = {
    "suggest": "suggested_questions_after_answer", "speech": "speech_to_text", "tts": "text_to_speech",
    "citations": "retriever_resource", "annotations": "annotation_reply", "files": "file_upload",
}  # fmt: skip
"""What `Parameters.on` says of an app, and where it stands."""


ASKED = [case for case in sorted(EXPECTED) if operation(load_exchanges()[case].request) is not None]


@pytest.mark.parametrize("case", ASKED)
def test_exchange(case: str, replay: tuple[Replay, Dify]) -> None:
    script, dify = replay
    recording, row = load_exchanges()[case], EXPECTED[case]
    script.recording, script.asked = recording, 0
    name = operation(recording.request)
    assert name is not None
    if isinstance(row.outcome, eo.Refused):
        with pytest.raises(er.APIError) as caught:
            ask(name, dify, recording)
        error = caught.value
        assert (type(error).__name__, error.status) == (row.outcome.kind, row.outcome.status)
        if row.outcome.code is not None:
            assert error.code == row.outcome.code
            assert error.message.startswith(row.outcome.said)
        assert error.attempted.split()[0] == recording.request.method
        assert not TOKEN.search(f"{error}{error!r}{vars(error)}")
    else:
        check(row.outcome, ask(name, dify, recording), script)


REFUSED = [case for case in ASKED if EXPECTED[case].refuses]


@pytest.mark.parametrize("case", REFUSED)
def test_values_that_the_documents_rule_out_are_not_sent(case: str, replay: tuple[Replay, Dify]) -> None:
    script, dify = replay
    request = load_exchanges()[case].request
    script.asked = 0
    query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query, keep_blank_values=True).items()}
    body = json.loads(request.body) if request.body else {}
    limit: Any = query.get("limit", "20")
    limit = int(limit) if limit.lstrip("-").isdigit() else limit
    sort: Any = query.get("sort_by", "-updated_at")
    ask: dict[str, Callable[[], Any]] = {
        "conversations.list": lambda: dify.conversations.list(page_size=limit, sort_by=sort).to_list(),
        "messages.list": lambda: dify.messages.list(UUID, page_size=limit).to_list(),
        "conversations.variables": lambda: dify.conversations.variables(UUID, page_size=limit).to_list(),
        "annotations.list": lambda: dify.annotations.list(page_size=limit).to_list(),
        "app.feedbacks": lambda: dify.app.feedbacks(page_size=limit).to_list(),
        "conversations.rename": lambda: dify.conversations.rename(
            UUID, body.get("name"), auto_generate=body.get("auto_generate", False)
        ),
        "chat.stop": lambda: dify.chat.stop(UUID, user=body.get("user")),
        "messages.feedback": lambda: dify.messages.feedback(UUID, body.get("rating")),
        "workflows.logs": lambda: dify.workflows.logs(
            page_size=limit, status=query.get("status")  # type: ignore[arg-type]
        ).to_list(),
        "audio.from_text": lambda: dify.audio.from_text(body.get("text"), message_id=body.get("message_id")),
    }
    with pytest.raises(er.InputError):
        ask[operation(request) or ""]()
    assert script.asked == 0
