"""A cell before it is sent: where it asks, with which inputs and files; and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.cells import CITY, FIRST, KEY, SECOND, THIRD, Notebook, Server, client

from dify_notebook.app.namespace import Namespace
from dify_notebook.errors import AuthenticationError, ConfigError, DifyError, InputError
from dify_notebook.magic import cell as cells
from dify_notebook.magic.line import recording_notice, run_line
from dify_notebook.magic.parse import parse_line
from dify_notebook.magic.state import State
from dify_notebook.profiles import Profile, save
from dify_notebook.tape import run_store
from dify_notebook.turn.state import Turn


def test_text_and_inputs_are_filled() -> None:
    book = Notebook(Server(form=CITY), town="Lyon", n=2)
    question = book.prepare("-i 'city={{ town }}'", "How many? {{ n }}\n")
    assert (question.query, question.inputs, question.conversation_id) == (
        "How many? 2",
        {"city": "Lyon"},
        None,
    )
    assert book.prepare("-i city:=town.upper()").inputs == {"city": "LYON"}
    plain = book.prepare("--no-vars -i 'city={{ x }}'", "{{ y }}")
    assert (plain.query, plain.inputs) == ("{{ y }}", {"city": "{{ x }}"})


def test_inputs_from_a_dict_with_i_on_top() -> None:
    form: list[dict[str, Any]] = [*CITY, {"text-input": {"variable": "tone"}}]
    book = Notebook(Server(form=form), d={"a": {"city": "Lyon", "tone": "x"}}, no=1)
    assert book.prepare("""--inputs 'd["a"]' -i tone=y""").inputs == {"city": "Lyon", "tone": "y"}
    with pytest.raises(InputError, match="no is a int"):
        book.prepare("--inputs no")


def test_expression_that_fails_names_itself() -> None:
    with pytest.raises(InputError, match=r"-i city:=1/0.*ZeroDivisionError"):
        Notebook(Server(form=CITY)).prepare("-i city:=1/0")


@pytest.mark.parametrize(
    ("body", "query"),
    [("\n\n  a\n b \n\n", "  a\n b"), ("\r\n \r\n\ta\r\nb\r\n", "\ta\r\nb"), ("    a", "    a"), ("a\n\n\nb", "a\n\n\nb")],
)
def test_blank_lines_around_a_question_are_left_out(body: str, query: str) -> None:
    assert Notebook().prepare("", body).query == query


def test_empty_question_is_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        Notebook().prepare("", "  \n")


def test_later_turns_take_the_inputs_along() -> None:
    """Dify 1.12 wants a required variable again on every turn."""
    book = Notebook(Server(form=CITY))
    book.ran(book.prepare("-i city=Lyon"), FIRST)
    later = book.prepare("")
    assert (later.conversation_id, later.inputs) == (FIRST, {"city": "Lyon"})
    assert book.prepare("-i city=Nice").inputs == {"city": "Nice"}
    with pytest.raises(InputError, match=r"needs city \(City\)"):
        book.prepare("--new")


def test_inputs_that_the_server_would_ignore_are_refused() -> None:
    book = Notebook(Server("0.15.3", form=CITY))
    book.ran(book.prepare("-i city=Lyon"), FIRST)
    assert book.prepare("-i city=Lyon").conversation_id == FIRST, "the same inputs change nothing"
    assert book.prepare("").inputs == {"city": "Lyon"}
    with pytest.raises(InputError, match=r"0\.15\.3.*city.*--new"):
        book.prepare("-i city=Nice")
    assert book.prepare("--new -i city=Nice").inputs == {"city": "Nice"}


def test_modes_and_new() -> None:
    book = Notebook()
    book.ran(book.prepare(""), FIRST)
    assert book.prepare("").conversation_id == FIRST
    assert book.prepare("--new").conversation_id is None
    book.state.mode = "fresh"
    assert book.prepare("").conversation_id is None
    assert book.prepare(f"-c {SECOND}").conversation_id == SECOND


def test_in_a_terminal_a_reworded_question_is_asked_from_where_the_newest_was() -> None:
    """Lines of a terminal have no ids: the one with other words stands in the place of the last."""
    book = Notebook(terminal=True)
    assert book.prepare("--again", "one").conversation_id is None, "never run: as without it"
    book.ran(book.prepare("", "one"), FIRST)
    reworded = book.prepare("--again", "one, differently")
    assert (reworded.conversation_id, reworded.steps) == (None, ()), "it began a conversation, so it begins one"
    book.ran(reworded, SECOND)
    book.ran(book.prepare("", "two"), SECOND)
    second = book.prepare("--again", "two, differently")
    assert [step.query for step in second.steps] == ["one, differently"]
    assert book.prepare("", "two").decision.why == "no_id", "without --again it is appended"
    other = book.state.app_session("c", "berta", book.names)
    assert other.held.last_place(cells.cell_key("--again", "x", None, terminal=True)) is None, "nobody else's newest"
    assert book.app_session.held.last_place(cells.cell_key("--again", "x", None)) is None, "a notebook's cell is itself"


def test_cell_is_recognised_by_its_id_whatever_its_text() -> None:
    key = cells.cell_key("", "one", "id-1")
    assert key == cells.cell_key("--again", "two", "id-1")
    assert key != cells.cell_key("", "one", "id-2")
    keys = {cells.cell_key(line, "one", None) for line in ("", "--again", "--append")}
    assert len(keys) == 1, "these say where it is asked, and not what"


def test_conversation_by_prefix_turn_or_id() -> None:
    turn = Turn(conversation_id=THIRD)
    book = Notebook(answer=turn, lost=Turn(status="failed"))
    assert book.prepare("-c answer").conversation_id == THIRD
    assert "/conversations" not in book.server.asked
    assert book.prepare("-c 2222").conversation_id == THIRD
    assert book.app_session.conversations[FIRST].inputs == {"city": "Lyon"}
    with pytest.raises(InputError, match="more than one"):
        book.prepare("-c 1111")
    second = book.prepare("-c 11111111-b")
    assert (second.conversation_id, second.inputs) == (SECOND, {})
    with pytest.raises(InputError, match="begins with 777"):
        book.prepare("-c 777")
    with pytest.raises(InputError, match="lost belongs to no conversation"):
        book.prepare("-c lost")
    unlisted = "33333333-dddd-4ddd-8ddd-000000000004"
    assert book.prepare(f"-c {unlisted}").conversation_id == unlisted


def test_state_belongs_to_server_app_and_user() -> None:
    book = Notebook()
    book.ran(book.prepare(""), FIRST)
    assert book.prepare("--user ben").conversation_id is None
    assert book.app_session.settings.user == "ben"
    assert book.app_session.client.conversations._dify is book.app_session.client
    assert book.prepare("").conversation_id == FIRST
    book.names["other"] = client(book.server)
    assert book.prepare("other").conversation_id == FIRST, "another variable, the same server, app and user"


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a.png", "[c].txt"):
        (tmp_path / name).write_bytes(b"12345")
    (tmp_path / "dir").mkdir()
    book = Notebook(name=Path("a.png"))
    question = book.prepare("-f *.png -f [c].txt -f https://example.org/x.pdf -f '{{ name }}'")
    remote = {"type": "document", "transfer_method": "remote_url", "url": "https://example.org/x.pdf"}
    assert question.files == [Path("a.png"), Path("b.png"), Path("[c].txt"), remote, Path("a.png")]
    for wrong, says in (("no.png", "no file no.png"), ("dir", "is a directory"), ("*.gif", "no file")):
        with pytest.raises(InputError, match=says):
            book.prepare(f"-f {wrong}")


def test_dry_run_shows_what_would_be_sent_and_no_key(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"12345")
    form: list[dict[str, Any]] = [*CITY, {"file": {"variable": "doc"}}]
    book = Notebook(Server(form=form))
    question = book.prepare(f"-i city=Lyon -f {path} -i doc={path} -f https://example.org/x.pdf?sign=1")
    shown = cells.describe_request(question, book.app_session, 30.0)
    promise = "(given after uploading a.png, 5 bytes)"
    image = {"type": "image", "transfer_method": "local_file", "upload_file_id": promise}
    remote = {"type": "document", "transfer_method": "remote_url", "url": "https://example.org/x.pdf?sign=1"}
    assert shown == {
        "method": "POST",
        "url": "http://127.0.0.1:9/v1/chat-messages",
        "json": {
            "query": "hi",
            "inputs": {"city": "Lyon", "doc": image},
            "response_mode": "streaming",
            "user": "anna",
            "conversation_id": "",
            "auto_generate_name": True,
            "files": [image, remote],
        },
        "timeout": 30.0,
    }
    assert KEY not in json.dumps(shown)
    assert "/files/upload" not in book.server.asked


def test_file_inputs_are_uploaded_and_sent_again_by_their_id(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"1")
    form = [
        {"file": {"variable": "one"}},
        {"file-list": {"variable": "many"}},
        {"text-input": {"variable": "t"}},
    ]
    book = Notebook(Server(form=form), folder=tmp_path)
    question = book.prepare("-i 'one={{ folder }}/a.png' -i 'many={{ folder }}/*.png' -i t=x")
    sent = cells.upload_inputs(question, book.app_session)
    image = {"type": "image", "transfer_method": "local_file"}
    assert sent == {
        "one": {**image, "upload_file_id": "file-1"},
        "many": [{**image, "upload_file_id": "file-2"}, {**image, "upload_file_id": "file-3"}],
        "t": "x",
    }
    assert book.server.uploads == ["a.png", "a.png", "b.png"]
    book.app_session.session.conversation_id = FIRST
    book.app_session.remember(FIRST, sent)
    assert cells.upload_inputs(book.prepare(""), book.app_session) == sent
    assert len(book.server.uploads) == 3
    with pytest.raises(InputError, match="one takes one file"):
        book.prepare("-i 'one={{ folder }}/*.png'")


IMAGES: dict[str, Any] = {"allowed_file_types": ["image"], "number_limits": 1}
PICTURE: list[dict[str, Any]] = [
    {"file": {"variable": "picture", "allowed_file_types": ["image"]}},
    {"file-list": {"variable": "papers", "allowed_file_types": ["document"], "max_length": 2}},
]
# What the app takes beside a question, the line, and what of it is refused (None: nothing is).
FILES_TAKEN = [
    ("each_by_its_own_rules", IMAGES, "-i picture=a.png -i papers=*.pdf -f b.png", None),
    ("an_input_by_its_own", {"allowed_file_types": ["document"]}, "-i picture=a.png", None),
    ("an_input_that_questions_would_take", IMAGES, "-i papers=a.png", ["a.png", "papers", "document"]),
    ("beside_the_question", IMAGES, "-f a.pdf", ["a.pdf", "image"]),
    ("too_many", IMAGES, "-f a.png -f b.png", ["2", "1"]),
    ("too_many_for_an_input", IMAGES, "-i papers=* ", ["papers", "4", "2"]),
    ("too_large", IMAGES, "-f large.png", ["large.png", "1.5"]),
    ("too_large_for_an_input", IMAGES, "-i picture=large.png", ["large.png", "1.5"]),
    ("nothing_is_told", {}, "-f a.pdf -f a.png", None),
]


@pytest.mark.parametrize(("taken", "line", "says"), [pytest.param(*c[1:], id=c[0]) for c in FILES_TAKEN])
def test_files_are_refused_before_anything_is_sent(
    taken: dict[str, Any], line: str, says: list[str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dry run and a real one refuse the same files, and the real one before the first upload."""
    for name in ("a.png", "b.png", "a.pdf", "b.pdf"):
        (tmp_path / name).write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    if "large" in line:
        (tmp_path / "large.png").write_bytes(bytes(3 * 512 * 1024))
    server = Server(form=PICTURE)
    server.parameters = {"file_upload": taken, "system_parameters": {"image_file_size_limit": 1}}
    book = Notebook(server)
    if says is None:
        question = book.prepare(line)
        assert cells.describe_request(question, book.app_session, None)["json"]["query"] == "hi"
        asked = [part for part in line.split() if part.startswith(("picture=", "papers="))]
        assert set(cells.upload_inputs(question, book.app_session)) == {part.partition("=")[0] for part in asked}
        return
    with pytest.raises(InputError) as caught:
        book.prepare(line)
    assert all(words in caught.value.message for words in says), caught.value.message
    assert server.uploads == []


def test_form_that_is_not_told_lets_the_question_go() -> None:
    server = Server()
    server.refuse["/parameters"] = (404, "not_found")
    assert Notebook(server).prepare("-i x=1").inputs == {"x": "1"}


def test_of_a_form_that_is_read_in_part_only_what_is_given_is_sent(tmp_path: Path) -> None:
    """A path that was typed for a control that could be read is a file; what is not known is not refused."""
    (tmp_path / "a.png").write_bytes(b"1")
    form: list[Any] = [{"file": {"variable": "doc"}}, {"text-input": {"variable": "city", "required": True, "default": "x"}}, "odd"]
    book = Notebook(Server(form=form))
    question = book.prepare(f"-i doc={tmp_path / 'a.png'} -i other=~/x")
    assert question.inputs["other"] == "~/x"
    assert cells.upload_inputs(question, book.app_session)["doc"]["upload_file_id"] == "file-1"
    assert set(question.inputs) == {"doc", "other"}


def test_wrong_key_is_told_before_the_question() -> None:
    server = Server()
    server.refuse["/parameters"] = (401, "unauthorized")
    with pytest.raises(AuthenticationError):
        Notebook(server).prepare("")


def test_names_that_are_no_app() -> None:
    book = Notebook(number=1)
    with pytest.raises(InputError, match="Did you mean guide"):
        book.prepare("guid")
    with pytest.raises(InputError, match="number is a int"):
        book.prepare("number")


def test_a_profile_can_be_asked_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever it is called, and whatever else has that name but a client."""
    monkeypatch.setenv("DIFY_NOTEBOOK_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("TEST_KEY", KEY)
    for name in ("support-eu", "客服", "v1.2_b"):
        save(Profile(name=name, base_url="http://127.0.0.1:9/v1", key="env:TEST_KEY"))
        asked = parse_line(f"{name} --new").profile
        for names in ({}, {name: "a text"}):
            assert State().app_session(asked, "anna", names).settings.profile == name


def test_environment_that_is_unclear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFY_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(ConfigError):
        State().app_session(None, None, {})


def test_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFY_API_KEY", KEY)
    monkeypatch.setenv("DIFY_BASE_URL", "http://127.0.0.1:9")
    book = Notebook()
    state, names = book.state, book.names
    told = run_line("", state, names)
    assert "http://127.0.0.1:9/v1" in told
    assert "DIFY_API_KEY" in told
    assert KEY not in told
    used = run_line("use c", state, names)
    assert "anna" in used
    book.app_session = state.app_session(None, None, names)
    book.app_session.session.conversation_id = FIRST
    assert FIRST in run_line("", state, names)
    assert "new conversation" in run_line("new", state, names)
    assert book.app_session.session.conversation_id is None
    explained = run_line("mode", state, names).splitlines()
    assert [line[:4] for line in explained[:4]] == ["* co", "  fr", "  re", "  ap"], "the one in force is marked"
    assert run_line("mode 'fresh'", state, names).startswith("fresh")
    assert state.mode == "fresh"
    apps = run_line("apps", state, names)
    assert "Support" in apps
    assert "toolbox" in apps
    assert "--timeout" in run_line("help", state, names)


def test_runs_are_switched(monkeypatch: pytest.MonkeyPatch) -> None:
    state = State()
    assert "Runs are not kept" in run_line("runs off", state, {})
    assert not run_store().enabled
    assert "off" in run_line("runs on", state, {})
    assert run_store().enabled
    assert "0 kept" in run_line("runs", state, {})
    (run_store().directory / "20260101T000000-x.tape.gz").write_bytes(b"12")
    assert "20260101T000000-x" in run_line("runs list", state, {})


def test_recording_is_said_before_the_first_run() -> None:
    assert "runs off" in (recording_notice() or "")
    run_line("runs off", State(), {})
    assert recording_notice() is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("nwe", "Did you mean new"),
        ("what is this", "cell of its own"),
        ("mode sometimes", "continue, fresh, replay or append"),
        ("mode 'fresh", "The ' on the %dify line is not closed"),
        ("use", "takes one name"),
        ("use nobody", "no app or client variable nobody"),
        ("use doctor", "%dify doctor is a line with one percent sign"),
        ("new conversation", "nothing more"),
        ("runs delete", "list, on or off"),
        ("connect", "one profile"),
        ("forget nobody", "no profile nobody"),
        ("doctor support", "nothing more than --stream.* %dify use NAME"),
        ("conversations old", "a number"),
        ("app-" + "Ab1" * 8, "no app-\\*\\*\\*"),
    ],
)
def test_lines_that_are_refused(line: str, says: str) -> None:
    with pytest.raises(DifyError, match=says) as caught:
        run_line(line, State(), {})
    assert "Ab1Ab1" not in str(caught.value)


def test_what_was_chosen_is_the_notebooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function's variable that happens to be called like the chosen client is not asked in its place."""
    book = Notebook()
    run_line("use c", book.state, book.names)
    within = Namespace({"c": 3, "d": client(book.server, "ben")}, book.names)
    assert book.state.app_session(None, None, within).settings.user == "anna"
    assert book.state.app_session("d", None, within).settings.user == "ben"
    with pytest.raises(InputError, match="c is a int"):
        book.state.app_session("c", None, within)


def test_names_of_a_function_come_first() -> None:
    """All that a line and a text can name is what the function sees; without a value it is an error that says so."""
    lost = Namespace({"town": "elsewhere", "city": "no"}, {})
    lost.add_function(("city",), {}, "ask")
    turn = Turn(conversation_id=FIRST)
    near = Namespace({"city": "elsewhere", "given": {}, "before": None}, {})
    near.add_function(("city", "given", "before"), {"city": "Lyon", "given": {"city": "Nice"}, "before": turn}, "ask")
    book = Notebook(Server(form=CITY))
    book.names = Namespace({**book.names, **near}, book.names)
    assert book.prepare("-i city:=city.upper()", "In {{ city }}?").query == "In Lyon?"
    assert book.prepare("""-i "city:=[city + n for n in 'b'][0]\"""").inputs == {"city": "Lyonb"}
    assert book.prepare("--inputs given -c before").conversation_id == FIRST
    client_of = book.names["c"]
    for line, body in (("", "{{ city }}"), ("-i city:=city", "x"), ("--inputs city", "x"), ("-f '{{ city }}'", "x")):
        book.names = lost
        lost["c"] = client_of
        with pytest.raises(InputError, match="city is a variable of the function ask and has no value here"):
            book.prepare(line, body)


def test_an_agent_of_the_new_kind_is_asked_like_any_other() -> None:
    server = Server()
    server.mode = "agent"
    assert Notebook(server).prepare("", "hello").query == "hello"
