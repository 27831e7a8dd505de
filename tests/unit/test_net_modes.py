"""What the client knows of an app's mode, and what it says to who asks in another mode's way."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from contract.exchanges import load_exchanges
from support.raw_server import Connection, Request, Script, serving

from dify_notebook import AsyncDify
from dify_notebook.errors import APIError, DifyError, InputError, NotFoundError
from dify_notebook.i18n import set_language, t
from dify_notebook.net.app_cache import learn
from dify_notebook.net.doctor import examine
from dify_notebook.net.pages import REPEATED, PagingWarning

pytestmark = pytest.mark.anyio

WRONG = ("400 BAD REQUEST", {"code": "not_chat_app", "message": "Please check", "status": 400})
NO_FLOW = ("400 BAD REQUEST", {"code": "not_workflow_app", "message": "Please check", "status": 400})
UNAVAILABLE = ("400 BAD REQUEST", {"code": "app_unavailable", "message": "App unavailable", "status": 400})
NO_LIST = ("200 OK", {"data": [], "has_more": False})
NULLS = ("200 OK", {"id": None, "status": None, "outputs": None})
Answers = dict[str, tuple[str, Any]]
OLD: dict[str, Answers] = {
    "": {"/conversations": NO_LIST},
    "workflow": {"/conversations": WRONG, "/workflows/run": NULLS},
    "completion": {"/conversations": WRONG, "/workflows/run": NO_FLOW},
}
"""What Dify 0.15 answers to keys of each mode, as recorded."""


def answering(asked: list[str], answers: Answers, version: str = "1.12.1") -> Script:
    def script(request: Request, connection: Connection) -> None:
        path = urlsplit(request.path).path.removeprefix("/v1")
        asked.append(path)
        found = max((start for start in answers if path.startswith(start)), key=len, default=None)
        status, data = answers[found] if found else ("404 NOT FOUND", b"<!doctype html>")
        kind = "text/html" if isinstance(data, bytes) else "application/json"
        connection.reply(status, data, kind, f"X-Version: {version}\r\n")

    return script


def test_the_answers_of_dify_0_15_are_those_recorded() -> None:
    recorded = load_exchanges()
    assert b'"not_chat_app"' in recorded["0.15.3/conversations__completion-app"].body
    assert b'"not_chat_app"' in recorded["0.15.3/messages__wrong-mode-workflow"].body
    assert recorded["0.15.3/workflows-run-detail__bogus"].body.startswith(b'{"id": null')
    for case in ("completion", "plain-chat"):
        assert b'"not_workflow_app"' in recorded[f"0.15.3/workflows-run-detail__wrong-mode-{case}"].body
    assert b'"mode"' not in recorded["0.15.3/info__wf-llm"].body


@pytest.mark.parametrize("mode", OLD)
async def test_dify_0_15_is_asked_no_more_than_needed(mode: str) -> None:
    asked: list[str] = []
    with serving(answering(asked, {"/info": ("200 OK", {"name": "x"}), **OLD[mode]}, "0.15.3")) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            assert (await learn(dify, "mode", "info")).mode == mode
            assert (await learn(dify, "mode", "info")).mode == mode
            assert len(asked) == (3 if mode else 2), "what was found is remembered"
            for one in (dify, dify.as_user("other")):
                assert await one.app.mode() == (mode or None)
            assert asked[3 if mode else 2 :] == ["/info", "/info"], "also by other users; nothing is tried again"


async def test_newer_servers_tell_it() -> None:
    asked: list[str] = []
    with serving(answering(asked, {"/info": ("200 OK", {"name": "x", "mode": "workflow"})})) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            assert (await learn(dify, "mode", "info")).mode == "workflow"
    assert asked == ["/info"]


@pytest.mark.parametrize("at", ["/conversations", "/workflows/run"])
@pytest.mark.parametrize(
    "refusal",
    [
        ("401 UNAUTHORIZED", {"code": "unauthorized", "message": "no"}),
        ("403 FORBIDDEN", {"code": "forbidden", "message": "no"}),
        ("404 NOT FOUND", {"code": "not_found", "message": "no"}),
        ("404 NOT FOUND", b"<html>"),
        ("429 TOO MANY", {"code": "too_many_requests", "message": "no"}),
        ("500 ERROR", {"code": "unknown", "message": "no"}),
        ("200 OK", b"<html>"),
    ],
)
async def test_no_other_refusal_is_taken_for_a_mode(at: str, refusal: tuple[str, Any]) -> None:
    answers = {"/info": ("200 OK", {"name": "x"}), **OLD["completion"], at: refusal}
    with serving(answering([], answers, "0.15.3")) as raw:
        async with AsyncDify("app-x", raw.url, "me", retry=0) as dify:
            with pytest.raises(DifyError):
                await dify.app.mode()
            assert dify._cache.app.mode is None


HINTS = [
    ("chat", None, WRONG, "hint.not_chat_app"),
    ("chat", "workflow", WRONG, "hint.key_of.workflow"),
    ("chat", "completion", WRONG, "hint.key_of.completion"),
    ("chat", None, UNAVAILABLE, "hint.app_unavailable"),
    ("chat", "chat", UNAVAILABLE, "hint.app_unavailable"),
    ("workflows", None, NO_FLOW, "hint.not_workflow_app"),
    ("workflows", "advanced-chat", NO_FLOW, "hint.key_of.chat"),
    ("workflows", "completion", NO_FLOW, "hint.key_of.completion"),
    ("workflows", "workflow", UNAVAILABLE, "hint.app_unavailable"),
    ("completion", None, UNAVAILABLE, "hint.not_completion_app"),
    ("completion", "agent-chat", UNAVAILABLE, "hint.key_of.chat"),
    ("completion", "workflow", UNAVAILABLE, "hint.key_of.workflow"),
    ("completion", "completion", UNAVAILABLE, "hint.app_unavailable"),
]


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(("asking", "mode", "refusal", "hint"), HINTS)
async def test_a_key_of_another_kind_is_told_which_call_it_needs(
    asking: str, mode: str | None, refusal: tuple[str, Any], hint: str, streaming: bool, language: Any
) -> None:
    set_language(language)
    try:
        with serving(answering([], {"/": refusal})) as raw:
            async with AsyncDify("app-x", raw.url, "me", retry=0) as dify:
                dify._cache.update(mode=mode)
                how: Any = "streaming" if streaming else "blocking"
                ask: Any = {
                    "chat": lambda: dify.chat.send("hi", response_mode=how),
                    "workflows": lambda: dify.workflows.run(response_mode=how),
                    "completion": lambda: dify.completion.send(response_mode=how),
                }[asking]
                with pytest.raises(APIError) as caught:
                    await ask()
        assert caught.value.hint == t(hint)
    finally:
        set_language(None)


@pytest.mark.parametrize("how", ["streaming", "blocking"])
async def test_a_server_without_versions_by_id_is_named(how: Any) -> None:
    """Dify 0.15 answers with a page."""
    with serving(answering([], {}, "0.15.3")) as raw:
        async with AsyncDify("app-x", raw.url, "me", retry=0) as dify:
            with pytest.raises(NotFoundError) as caught:
                await dify.workflows.run(workflow_id="35b68397", response_mode=how)
            assert caught.value.hint == t("hint.absent", servers="Dify 0.15")
            assert caught.value.attempted == "POST /workflows/35b68397/run"
            with pytest.raises(NotFoundError) as caught:
                await dify.workflows.run(response_mode=how)
            assert caught.value.hint == t("hint.404")


async def test_a_run_that_is_not_there_is_not_found() -> None:
    with serving(answering([], {"/workflows/run": NULLS})) as raw:
        async with AsyncDify("app-x", raw.url, "me", retry=0) as dify:
            with pytest.raises(NotFoundError, match=t("net.no_run")) as caught:
                await dify.workflows.get("00000000-0000-4000-8000-000000000000")
    assert caught.value.hint == t("hint.unknown_run")


# -- the log of runs -----------------------------------------------------------------------


def paged(queries: list[dict[str, list[str]]], version: str) -> Script:
    def script(request: Request, connection: Connection) -> None:
        query = parse_qs(urlsplit(request.path).query, keep_blank_values=True)
        queries.append(query)
        number, size = int(query["page"][0]), int(query["limit"][0])
        names = [f"l{index}" for index in range(5)][(number - 1) * size : number * size]
        data = [{"id": name, "workflow_run": {"id": f"r{name}", "status": "partial-succeeded"}} for name in names]
        page = {"page": number, "limit": size, "total": 5, "has_more": number * size < 5, "data": data}
        connection.reply("200 OK", page, extra=f"X-Version: {version}\r\n")

    return script


async def test_the_log_pages_by_itself_and_says_times_with_their_zone() -> None:
    queries: list[dict[str, list[str]]] = []
    with serving(paged(queries, "1.12.1")) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            logs = dify.workflows.logs(
                page_size=2,
                keyword="",
                created_at__before="2030-01-01T00:00:00+08:00",
                created_at__after=datetime(2026, 1, 31, 12, tzinfo=UTC),
            )
            lines = [line async for line in logs]
    assert [line.id for line in lines] == ["l0", "l1", "l2", "l3", "l4"]
    assert {line.workflow_run.status for line in lines if line.workflow_run} == {"partial-succeeded"}
    assert [query["page"] for query in queries] == [["1"], ["2"], ["3"]]
    assert queries[0]["created_at__before"] == ["2030-01-01T00:00:00+08:00"]
    assert queries[0]["created_at__after"] == ["2026-01-31T12:00:00+00:00"]
    assert queries[0]["keyword"] == [""]
    assert "status" not in queries[0]


LOCAL = datetime(2026, 1, 31, 12).astimezone()
MIDNIGHT = datetime(2026, 1, 31).astimezone()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (datetime(2026, 1, 31, 12), LOCAL),
        ("2026-01-31 12:00", LOCAL),
        (pd.Timestamp(2026, 1, 31, 12), LOCAL),
        (pd.Timestamp("2026-01-31T12:00+08:00"), datetime.fromisoformat("2026-01-31T12:00+08:00")),
        (date(2026, 1, 31), MIDNIGHT),
        ("2026-01-31", MIDNIGHT),
    ],
)
async def test_a_time_is_said_as_the_one_it_is(given: Any, said: datetime) -> None:
    queries: list[dict[str, list[str]]] = []
    with serving(paged(queries, "1.12.1")) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            await dify.workflows.logs(created_at__after=given).to_list()
    assert queries[0]["created_at__after"] == [said.isoformat()]


async def read_while_runs_arrive(arriving: int, *, repeats: bool = False) -> tuple[list[str], list[str]]:
    """What is read of a log of seven runs, two a page, while so many arrive between two pages; and all that it asked."""
    log = [f"l{number}" for number in range(7)]
    asked: list[str] = []

    def script(request: Request, connection: Connection) -> None:
        number = 1 if repeats else int(parse_qs(urlsplit(request.path).query)["page"][0])
        page = log[2 * number - 2 : 2 * number]
        asked.append(request.path)
        connection.reply("200 OK", {"data": [{"id": id} for id in page], "has_more": 2 * number < len(log)})
        if len(asked) < 4:
            log[:0] = [f"new {len(asked)} {number}" for number in range(arriving)]

    with serving(script) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            return [line.id async for line in dify.workflows.logs(page_size=2)], asked


@pytest.mark.parametrize("arriving", range(8))
async def test_no_run_is_lost_or_repeated_where_others_arrive_between_pages(arriving: int) -> None:
    lines, _ = await read_while_runs_arrive(arriving)
    assert [line for line in lines if line[0] == "l"] == [f"l{number}" for number in range(7)]
    assert len(set(lines)) == len(lines)


async def test_a_server_that_gives_a_page_again_and_again_is_left_and_said_so() -> None:
    with pytest.warns(PagingWarning, match="workflows.logs"):
        lines, asked = await read_while_runs_arrive(0, repeats=True)
    assert (lines, len(asked)) == (["l0", "l1"], 1 + REPEATED)


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "running"}, {"status": ""}, {"created_at__before": "yesterday"}, {"created_at__after": 1700000000},
        {"created_at__before": pd.NaT}, {"page_size": 0}, {"page_size": 101}, {"keyword": 3},
    ],
)  # fmt: skip
async def test_what_the_log_cannot_be_asked_is_not_sent(wrong: Any) -> None:
    asked: list[str] = []
    with serving(answering(asked, {})) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            with pytest.raises(InputError):
                dify.workflows.logs(**wrong)
    assert asked == []


async def test_filters_that_dify_0_15_leaves_out_in_silence_are_refused() -> None:
    with serving(paged([], "0.15.3")) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            assert len(await dify.workflows.logs(keyword="x", status="failed").to_list()) == 5
            with pytest.raises(InputError, match="created_by_account"):
                await dify.workflows.logs(created_by_account="a@b.c").to_list()


# -- completions ---------------------------------------------------------------------------


async def test_a_completion_sends_no_query_is_rated_and_read_aloud() -> None:
    bodies: list[tuple[str, Any]] = []

    def script(request: Request, connection: Connection) -> None:
        bodies.append((urlsplit(request.path).path, request.json if request.body else None))
        if request.path.endswith("/completion-messages"):
            connection.head()
            connection.event(event="message", task_id="t", message_id="m", answer="Hallo", created_at=1)
            connection.event(event="message_end", task_id="t", message_id="m", metadata={"usage": {"total_tokens": 3}})
            connection.end()
        elif request.path.endswith("/text-to-audio"):
            connection.reply("200 OK", b"ID3", "audio/mpeg")
        elif request.path.startswith("/v1/parameters"):
            connection.reply("200 OK", {"user_input_form": [{"paragraph": {"variable": "query", "required": True}}]})
        else:
            connection.reply("200 OK", {"result": "success"})

    with serving(script) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            turn = await dify.completion.send({"query": "Hello"})
            assert turn.message_id is not None
            await dify.messages.feedback(turn.message_id, "like")
            assert await dify.audio.from_text(message_id=turn.message_id) == b"ID3"
    assert (turn.answer, turn.app_mode, turn.conversation_id, turn.query) == ("Hallo", "completion", None, None)
    sent = dict(bodies)
    assert sent["/v1/completion-messages"] == {
        "inputs": {"query": "Hello"}, "response_mode": "streaming", "user": "me",
    }  # fmt: skip
    assert sent["/v1/messages/m/feedbacks"]["rating"] == "like"
    assert sent["/v1/text-to-audio"]["message_id"] == "m"


@pytest.mark.parametrize(("mode", "route"), [("workflows", "workflows/tasks"), ("completion", "completion-messages")])
async def test_a_task_is_stopped_by_its_modes_route(mode: str, route: str) -> None:
    asked: list[str] = []
    with serving(answering(asked, {"/": ("200 OK", {"result": "success"})})) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            assert await getattr(dify, mode).stop("task 1")
    assert asked == [f"/{route}/task%201/stop"]


# -- the doctor ----------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.15.3", "1.12.1"])
@pytest.mark.parametrize("mode", ["workflow", "completion"])
async def test_the_doctor_runs_nothing(mode: str, version: str) -> None:
    asked: list[str] = []
    info = {"name": "Tally"} if version == "0.15.3" else {"name": "Tally", "mode": mode}
    answers: Answers = {
        "/info": ("200 OK", info), "/parameters": ("200 OK", {"user_input_form": []}), "/workflows/logs": NO_LIST,
        **OLD[mode],
    }  # fmt: skip
    with serving(answering(asked, answers, version)) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            found = await examine(dify, stream=True)
    assert [(one.kind, one.state) for one in found if one.kind not in ("clock", "clock_unknown")] == [
        ("reached", "ok"), ("key", "ok"), ("app", "ok"), ("not_run", "unknown"),
    ]  # fmt: skip
    assert found[-2].values == {"app": "Tally", "mode": mode}
    assert not [path for path in asked if path in ("/workflows/run", "/completion-messages", "/chat-messages")]


async def test_the_doctor_names_an_unpublished_workflow() -> None:
    answers: Answers = {"/info": ("200 OK", {"name": "x", "mode": "workflow"}), "/parameters": UNAVAILABLE}
    with serving(answering([], answers)) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            found = await examine(dify)
    assert (found[-1].kind, found[-1].state) == ("unpublished", "wrong")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('{"a": "\\u4f60", "n": 1}', {"a": "你", "n": 1}), ("{}", {}), (None, None), ({"a": 1}, {"a": 1}),
        ("no JSON", "no JSON"), ('{"a": ' * 5_000, '{"a": ' * 5_000), ("[" * 5_000 + "]" * 5_000, "[" * 5_000 + "]" * 5_000),
        ("", ""),
    ],
)  # fmt: skip
async def test_what_a_run_took_and_gave_is_read_of_its_text(text: Any, read: Any) -> None:
    kept = {"id": "r", "status": "succeeded", "inputs": text, "outputs": text, "created_at": "Sat, 21 Nov 2026 10:25:02 -0000"}
    with serving(answering([], {"/workflows/run": ("200 OK", kept)})) as raw:
        async with AsyncDify("app-x", raw.url, "me") as dify:
            run = await dify.workflows.get("r")
    assert (run.inputs, run.outputs) == (read, read)
    assert run.created_at == datetime(2026, 11, 21, 10, 25, 2, tzinfo=UTC)
