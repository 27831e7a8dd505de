"""`%dify connect`, `use`, `apps`, `forget`, `conversations` and `doctor`, against a scripted server."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from support.raw_server import Connection, Request, serving

from dify_notebook import config, profiles
from dify_notebook.errors import DifyError
from dify_notebook.i18n import sentences, set_language
from dify_notebook.magic.doctor import describe_finding
from dify_notebook.magic.line import run_line
from dify_notebook.magic.state import State
from dify_notebook.net import doctor as net_doctor
from dify_notebook.private import config_dir
from dify_notebook.transcript import as_markdown, as_notebook
from dify_notebook.turn.state import Turn

KEY = "app-canaryQx7Tn2Vb9Kd4"
ID = "11111111-aaaa-4aaa-8aaa-000000000001"
FINE: dict[str, tuple[str, Any]] = {
    "/v1/info": ("200 OK", {"name": "Support", "mode": "advanced-chat"}),
    "/v1/parameters": ("200 OK", {"user_input_form": []}),
    "/v1/conversations": (
        "200 OK",
        {"data": [{"id": ID, "name": "one\n\x1b[31mtwo", "updated_at": 1700000000}], "has_more": False},
    ),
    "/v1/messages": (
        "200 OK",
        {
            "data": [{"id": "m1", "conversation_id": ID, "query": "q\n```\n# fake", "answer": "# A\n</div>"}],
            "has_more": False,
        },
    ),
}


def server(extra: str = "", **changed: tuple[str, Any]) -> Any:
    def script(request: Request, connection: Connection) -> None:
        path = request.path.partition("?")[0]
        found = changed.get(path.rpartition("/")[2]) or FINE.get(path)
        if found is None:
            connection.reply("404 NOT FOUND", b"<html>no</html>", "text/html")
        elif isinstance(found[1], bytes):
            connection.reply(found[0], found[1], "text/html", extra)
        else:
            connection.reply(found[0], found[1], "application/json", extra)

    return serving(script)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []

    def give(prompt: str = "") -> str:
        if not said:
            raise EOFError
        return said.pop(0)

    monkeypatch.setattr("builtins.input", give)
    monkeypatch.setattr(getpass, "getpass", give)
    return said


def test_connect_use_apps_forget(answers: list[str]) -> None:
    state = State()
    with server() as at:
        answers += [at.url.removesuffix("/v1"), KEY, "y"]
        said = run_line("connect support", state, {})
        assert "Connected support (Support · a chatflow)" in said
        assert "only you can read" in said
        assert "from the profile support" in said
        assert profiles.find("support").base_url == at.url
        run_line("use guide", state, {})
        assert "from the profile support" in run_line("use support", state, {})
        listed = run_line("apps", state, {})
        assert f"support   {at.url}" in listed
        assert state.app_session("support", None, {}).settings.api_key == config.Secret(KEY)
        assert "gone" in run_line("forget support", state, {})
        assert at.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert state.choice is None
    assert profiles.profiles() == {}
    kept = [path for path in config_dir().rglob("*") if path.is_file()]
    assert not any(KEY in path.read_text() for path in kept)
    assert KEY not in said + listed


def test_without_a_keyring_the_key_may_stay_in_memory(answers: list[str]) -> None:
    with server() as at:
        answers += [at.url, KEY, "n"]
        assert "memory only" in run_line("connect support", State(), {})
    files = [path for path in config_dir().rglob("*") if path.is_file()]
    assert [path.name for path in files] == ["profiles.toml"]
    assert KEY not in files[0].read_text()


def test_where_nobody_can_be_asked_the_variables_are_named(answers: list[str]) -> None:
    with pytest.raises(DifyError, match="DIFY_API_KEY and DIFY_BASE_URL"):
        run_line("connect support", State(), {})


REFUSED = [
    ({"info": ("401 UNAUTHORIZED", {"code": "unauthorized", "message": "Access token is invalid"})}, "API key"),
    ({"parameters": ("400 BAD REQUEST", {"code": "app_unavailable", "message": "no"})}, "not published"),
    ({"info": ("200 OK", b"<html>")}, "no Dify"),
]


@pytest.mark.parametrize(("changed", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_what_does_not_work_is_not_stored(answers: list[str], changed: dict[str, Any], says: str) -> None:
    with server(**changed) as at:
        answers += [at.url, KEY, "y"]
        with pytest.raises(DifyError, match=says) as caught:
            run_line("connect support", State(), {})
    assert profiles.profiles() == {}
    assert KEY not in str(caught.value)


def connected(monkeypatch: pytest.MonkeyPatch, url: str) -> State:
    monkeypatch.setenv("DIFY_API_KEY", KEY)
    monkeypatch.setenv("DIFY_BASE_URL", url)
    return State()


SICK = [
    ({"info": ("401 UNAUTHORIZED", {"code": "unauthorized", "message": "bad"})}, "key is refused"),
    ({"info": ("403 FORBIDDEN", {"code": "forbidden", "message": "off"})}, "API is switched off"),
    ({"parameters": ("400 BAD REQUEST", {"code": "app_unavailable", "message": "x"})}, "not published"),
    ({"info": ("502 BAD GATEWAY", b"<html>")}, "answers 502"),
    ({"info": ("200 OK", b"<html>")}, "no Dify API"),
]


@pytest.mark.parametrize(("mode", "kind"), [("workflow", "a workflow app"), ("completion", "a text completion app")])
def test_an_app_that_is_run_is_not_run_to_try_it(mode: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = ("200 OK", {"data": [], "has_more": False})
    with server(info=("200 OK", {"name": "F", "mode": mode}), logs=logs) as at:
        said = run_line("doctor --stream", connected(monkeypatch, at.url), {})
    assert f"The app F ({kind}) can be asked." in said
    assert "It was not run to try it" in said
    assert "Nothing wrong was found." in said
    assert not any(request.method == "POST" for request in at.requests)


FORM = [
    {"paragraph": {"variable": "text", "label": "Text", "required": True}},
    {"select": {"variable": "lang", "label": "Language", "required": True, "options": ["de", "fr\x1b[31m"]}},
]


def test_connect_tells_what_a_workflow_app_asks_for(answers: list[str]) -> None:
    state, flow = State(), ("200 OK", {"name": "Translator", "mode": "workflow"})
    with server(info=flow, parameters=("200 OK", {"user_input_form": FORM})) as at:
        answers += [at.url, KEY, "n"]
        said = run_line("connect translator", state, {})
    assert "Connected translator (Translator · a workflow app)" in said
    assert "    -i text=…  paragraph · required · the cell's text\n" in said
    assert "    Ask it: %%dify translator -i lang=…, and below that line what goes into text\n" in said
    assert "\x1b" not in said
    assert "none: a workflow app holds none" in said


NO_RUN = "00000000-0000-0000-0000-000000000000"


def test_connect_finds_what_dify_0_15_does_not_tell(answers: list[str]) -> None:
    refused = ("400 BAD REQUEST", {"code": "not_chat_app", "message": "no"})
    old: Any = {"info": ("200 OK", {"name": "Old"}), "conversations": refused}
    run = {NO_RUN: ("200 OK", {"id": None})}
    for found, kind in ((run, "a workflow app"), ({}, "a text completion app")):
        state = State()
        wrong = {NO_RUN: ("400 BAD REQUEST", {"code": "not_workflow_app", "message": "no"})}
        with server(**old, **(found or wrong)) as at:
            answers += [at.url, KEY, "n"]
            assert f"Connected old (Old · {kind})" in run_line("connect old", state, {})


@pytest.mark.parametrize("lang", ["en", "zh-Hans"])
@pytest.mark.parametrize(("changed", "says"), SICK, ids=[says for _, says in SICK])
def test_the_doctor_tells_which_mistake_it_is(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], says: str, lang: Any
) -> None:
    with server(**changed) as at:
        state = connected(monkeypatch, at.url)
        set_language(lang)
        try:
            said = run_line("doctor", state, {})
        finally:
            set_language(None)
    assert said.count("✗") == 1
    assert KEY not in said
    if lang == "en":
        assert says in said


def test_the_doctor_finds_the_right_path(monkeypatch: pytest.MonkeyPatch) -> None:
    with server() as at:
        said = run_line("doctor", connected(monkeypatch, at.url.removesuffix("/v1") + "/app"), {})
        assert f"it lies at {at.url}" in said


def test_the_doctor_on_clock_and_user(monkeypatch: pytest.MonkeyPatch) -> None:
    date = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    gone = ("404 NOT FOUND", {"code": "not_found", "message": "Conversation Not Exists."})
    with server(f"Date: {date}\r\n", messages=gone) as at:
        state = connected(monkeypatch, at.url)
        state.app_session(None, None, {}).session.conversation_id = ID
        said = run_line("doctor", state, {})
    assert "ahead of the server" in said
    assert f"has no conversation {ID}" in said
    assert said.endswith("2 found.")


def test_the_doctor_without_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with server() as at:
        url = at.url
    assert "cannot be reached" in run_line("doctor", connected(monkeypatch, url), {})


@pytest.mark.parametrize(
    ("first", "total", "count", "kind"),
    [(5.0, 5.02, 60, "buffered"), (1.2, 4.0, 60, "stream"), (0.1, 0.12, 60, "stream"), (5.0, 5.0, 3, "stream_short")],
)
def test_a_stream_that_is_held_back(first: float, total: float, count: int, kind: str) -> None:
    assert net_doctor.judge(first, total, count).kind == kind
    describe_finding(net_doctor.judge(first, total, count))


def test_the_doctor_measures_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net_doctor, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(net_doctor, "PIECE_SECONDS", 60.0)

    def script(request: Request, connection: Connection) -> None:
        path = request.path.partition("?")[0]
        if path == "/v1/chat-messages":
            connection.head()
            for _ in range(30):
                connection.event(event="message", answer="x", conversation_id=ID, message_id="m", task_id="t")
            connection.event(event="message_end", conversation_id=ID, message_id="m", task_id="t")
            connection.end()
        elif request.method == "DELETE":
            connection.reply("200 OK", {"result": "success"})
        else:
            connection.reply(FINE[path][0], FINE[path][1])

    with serving(script) as at:
        said = run_line("doctor --stream", connected(monkeypatch, at.url), {})
        assert "31 events at once" in said
        assert at.requests[-1].method == "DELETE"


def test_conversations_are_listed_continued_and_exported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with server() as at:
        state = connected(monkeypatch, at.url)
        listed = run_line("conversations", state, {})
        assert ID in listed
        assert "\x1b" not in listed
        assert "one ␛[31mtwo" in listed
        assert ID in run_line("conversations 1", state, {})
        assert state.app_session(None, None, {}).session.conversation_id == ID
        with pytest.raises(DifyError, match="no conversation number 2"):
            run_line("conversations 2", state, {})
        for name in ("c.md", "c.ipynb"):
            assert "1 turns" in run_line(f"conversations 1 --export {name}", state, {})
            with pytest.raises(DifyError, match="nothing is overwritten"):
                run_line(f"conversations 1 --export {name}", state, {})
        with pytest.raises(DifyError, match="must end in"):
            run_line("conversations 1 --export c.py", state, {})


def test_texts_cannot_break_out_of_an_export() -> None:
    import nbformat

    hostile = "# fake\n\n```\n%%bash\nrm\n\u2028## Question 9\r## Question 8\n<script>x</script>"
    turns = [Turn(query=hostile, answer=hostile, status="succeeded", complete=True)]
    lines = [line for line in as_markdown(turns, "t <b>\n# x").splitlines() if line.startswith("#")]
    assert len(lines) == 3
    assert lines[0] == "# t &lt;b&gt; \\# x"
    book = nbformat.reads(as_notebook(turns, "t"), as_version=4)
    nbformat.validate(book)
    codes = [cell.source for cell in book.cells if cell.cell_type == "code"]
    assert codes == ["%load_ext dify_notebook", f"%%dify --no-vars\n{hostile}"]
    assert json.loads(as_notebook([], "t"))["nbformat_minor"] == 5


def test_every_finding_has_its_sentences() -> None:
    for lang in ("en", "zh-Hans"):
        known = sentences(lang)
        assert all(f"{key}.do" in known for key in known if key.startswith("magic.doctor.buff") and not key.endswith(".do"))


def test_a_profile_that_cannot_be_kept_is_told_with_its_place(
    answers: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DIFY_NOTEBOOK_CONFIG_DIR", str(tmp_path / "file" / "config"))
    assert profiles.profiles() == {}
    with server() as at:
        answers += [at.url, KEY, "y"]
        with pytest.raises(DifyError, match="cannot be kept in") as raised:
            run_line("connect support", State(), {})
    assert "DIFY_NOTEBOOK_CONFIG_DIR" in str(raised.value)
