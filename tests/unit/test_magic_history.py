"""`%dify history`: one line from nothing to tables, and again for what is new."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dify_notebook import Dify, History, local
from dify_notebook.errors import InputError
from dify_notebook.magic.history import HistoryArguments, parse_history_line
from dify_notebook.magic.line import run_line
from dify_notebook.magic.state import State


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    path = tmp_path_factory.mktemp("seeded")
    told = local.seed(path, conversations=80)
    with local.serve(data_dir=path, pace=0) as server:
        yield server, told


@pytest.fixture
def names(seeded: tuple[Any, Any]) -> dict[str, Any]:
    server, told = seeded
    return {"dify": Dify(base_url=server.base_url, api_key=server.api_key("guide"), user=told.users[0])}


def say(line: str, names: dict[str, Any], state: State | None = None) -> str:
    """What the line prints; what it leaves in variables goes into the names, as the shell does it."""
    state = state or State()
    state.choice = "dify"
    said = run_line(line, state, names)
    names.update(state.results)
    return said


def test_it_leaves_the_history_in_a_variable(names: dict[str, Any]) -> None:
    said = say("history", names)
    found = names["history"]
    assert isinstance(found, History)
    assert len(found.messages) > 0
    assert f"history: messages {len(found.messages)}, conversations {len(found.conversations)}, users 1." in said
    assert "one user at a time" in said, "whose conversations these are not"
    assert "history.plot.activity()" in said


def test_again_it_fetches_what_is_new(names: dict[str, Any]) -> None:
    say("history logs", names)
    before = names["logs"]
    turn = names["dify"].chat.send("What is dify_notebook?")
    say("history logs", names)
    assert len(names["logs"].messages) == len(before.messages) + 1
    assert turn.message_id in set(names["logs"].messages["message_id"])


def test_users_and_dates(names: dict[str, Any], seeded: tuple[Any, Any]) -> None:
    users = seeded[1].users[:2]
    said = say(f"history logs --users {','.join(users)} --since=2026-06-01 --until 2026-09-01", names)
    times = names["logs"].messages["created_at"]
    assert "users 2." in said
    assert set(names["logs"].messages["user"]) <= set(users)
    assert times.dt.month.between(5, 9).all()
    assert "2026-0" in said


def test_everyone_who_can_be_found(names: dict[str, Any]) -> None:
    say("history logs --users all", names)
    assert set(names["logs"].users) >= {names["dify"].user}


def test_another_variable_is_not_overwritten(names: dict[str, Any]) -> None:
    names["history"] = [1, 2]
    with pytest.raises(InputError, match=r"holds something else \(list\); name another: %dify history logs"):
        say("history", names)
    assert names["history"] == [1, 2]
    say("history history", names)
    assert isinstance(names["history"], History), "named, it is meant"


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("a b", "a and b both stand"),
        ("9x", "9x cannot be a variable"),
        ("class", "class cannot be a variable"),
        ("--since", "--since needs a value"),
        ("--since --until 2026-01-01", "--since needs a value"),
        ("--users= x", "--users needs a value"),
        ("--since 2026-01-01 --since 2026-01-02", "given twice"),
        ("--sinse 2026-01-01", "no option --sinse. Did you mean --since"),
        ("--since someday", "since is"),
    ],
)
def test_what_cannot_be_meant(rest: str, said: str, names: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=said):
        say(f"history {rest}", names)
    assert "history" not in names


def test_the_line_is_read() -> None:
    assert parse_history_line([]) == HistoryArguments()
    assert parse_history_line(["logs", "--users=all"]) == HistoryArguments(name="logs", named=True, users=())
    assert not parse_history_line(["--users", "all"]).is_default
    assert parse_history_line(["logs"]).is_default


def test_a_key_on_the_line_is_not_said_again(names: dict[str, Any]) -> None:
    key = "app-canaryQx7Tn2Vb9Kd4wE3z"
    with pytest.raises(InputError) as caught:
        say(f"history {key}", names)
    assert key not in str(caught.value)
