"""A path means one thing, wherever it is given: home directories, relative forms, quotes, and what is no path."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dify_notebook import Dify, History, Tape, local
from dify_notebook.errors import ConfigError, InputError
from dify_notebook.local.store.directory import LocalServerError, default_directory
from dify_notebook.paths import expand, of_variable, unquoted
from dify_notebook.private import config_dir, data_dir
from dify_notebook.tape import RunStore, run_store


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory, and another one where Python is."""
    place = tmp_path / "home"
    (tmp_path / "here").mkdir()
    place.mkdir()
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("USERPROFILE", str(place))
    monkeypatch.chdir(tmp_path / "here")
    for name in ("DIFY_NOTEBOOK_DATA_DIR", "DIFY_NOTEBOOK_CONFIG_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return place


# What a variable says, with {home}, and where that is, from there.
VARIABLE = [
    ("{home}/data", "data"), ("{home}/data/", "data"), ("~/data", "data"), ("~/data/", "data"), (" ~/data ", "data"),
    ('"~/data"', "data"), ("'{home}/my data'", "my data"), ("$HOME/data", "data"), ("${HOME}/data", "data"),
    ("~/团队/data", "团队/data"), ("~/a$HOME b", "a$HOME b"), ("~", "."), ("relative-{n}/data", "../here/relative-{n}/data"),
]  # fmt: skip
USES: list[tuple[str, Callable[[], Path]]] = [
    ("DIFY_NOTEBOOK_DATA_DIR", data_dir),
    ("DIFY_NOTEBOOK_DATA_DIR", lambda: default_directory().parent),
    ("DIFY_NOTEBOOK_DATA_DIR", lambda: run_store().directory.parent),
    ("DIFY_NOTEBOOK_CONFIG_DIR", config_dir),
    ("XDG_DATA_HOME", data_dir),
    ("XDG_CONFIG_HOME", config_dir),
]


@pytest.mark.skipif(os.name == "nt", reason="XDG is of Linux")
@pytest.mark.parametrize(
    ("use", "value", "place"),
    [
        (use, value, place)
        for use, (name, _) in enumerate(USES)
        for value, place in VARIABLE
        if not (name.startswith("XDG") and value.startswith("relative"))  # which the XDG specification has ignored
    ],
)
def test_a_variable_names_one_directory_for_everybody(
    use: int, value: str, place: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, find = USES[use]
    if name.startswith("XDG"):
        place += "/dify_notebook"
    told = {"home": home, "n": home.parent.name}
    monkeypatch.setenv(name, value.format(**told) if "{" in value and "$" not in value else value)
    wanted = Path(os.path.normpath(home / place.format(**told)))
    assert find() == wanted
    monkeypatch.chdir(home.parent)
    assert find() == wanted, "it does not move with Python"
    assert not (home.parent / "here" / "~").exists()


@pytest.mark.parametrize("value", ["~nobody-of-that-name/data", "$NO_SUCH_VARIABLE_HERE/data"])
def test_a_variable_that_means_nothing_is_named(value: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, find in ((USES[0]), (USES[3])):
        monkeypatch.setenv(name, value)
        with pytest.raises(ConfigError, match=name) as raised:
            find()
        assert value in str(raised.value)


def test_an_empty_variable_says_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("", "  ", '""'):
        monkeypatch.setenv("DIFY_NOTEBOOK_DATA_DIR", value)
        assert of_variable("DIFY_NOTEBOOK_DATA_DIR") is None


def tape() -> Tape:
    made = Tape()
    made.append(0.5, ("", b'{"event":"message","answer":"hi"}'))
    return made


@pytest.mark.parametrize("form", ["~/{}", "{home}/{}", "../home/{}", "~/{}/"])
def test_a_path_that_is_given_is_expanded_everywhere(form: str, home: Path) -> None:
    def at(name: str) -> str:
        return form.replace("{home}", str(home)).replace("{}", name)

    tape().save(at("a.tape").rstrip("/"))
    assert (home / "a.tape").is_file()
    assert len(Tape.load(at("a.tape").rstrip("/")).events) == 1
    with local.serve(data_dir=at("server"), pace=0) as server:
        assert server.data_dir == home / "server"
        dify = Dify(server.api_key("toolbox"), server.base_url, "u")
        dify.history(to=at("fetched"))
        assert (home / "fetched").is_dir()
        (home / "down").mkdir()
        sent = dify.files.upload(b"a,b\n1,2\n", name="x.csv")
        dify.chat.send("What is in it?", files=[sent])
        assert Path(str(dify.files.download(sent.id, to=at("down")))).resolve().is_relative_to(home / "down")
    fetched = History.read(at("fetched"))
    fetched.to_parquet(at("written"))
    os.chdir(home)
    assert len(History.read("written").conversations) == len(fetched.conversations) == 0
    assert RunStore(Path("~") / "runs").directory == home / "runs"


@pytest.mark.parametrize("path", ["", " ", "~nobody-of-that-name/x", "a\0b"])
def test_what_is_no_path_is_refused_by_name_everywhere(path: str, home: Path) -> None:
    uses: list[Callable[[], object]] = [
        lambda: expand(path),
        lambda: tape().save(path),
        lambda: Tape.load(path),
        lambda: History.read(path),
        lambda: History.from_export(path),
        lambda: Dify("app-x", "http://127.0.0.1:9/v1", "u").files.download("x", to=path),
        lambda: local.dump(path, home / "server"),
    ]
    for number, use in enumerate(uses):
        with pytest.raises(InputError, match="no path|no home directory") as raised:
            use()
        assert repr(path) in str(raised.value), number
    with pytest.raises(LocalServerError, match="no path|no home directory"):
        local.serve(data_dir=path)


@pytest.mark.parametrize(
    ("value", "meant"), [("a", "a"), (' "a" ', "a"), ("'a b'", "a b"), ('"a', '"a'), ("", ""), ('"', '"'), ("\"a'", "\"a'")]
)
def test_quotes_around_a_value_are_not_its_own(value: str, meant: str) -> None:
    assert unquoted(value) == meant


def test_a_path_object_and_a_text_are_the_same(home: Path) -> None:
    given: list[Any] = ["~/x", Path("~/x"), Path("~") / "x"]
    assert {expand(one) for one in given} == {home / "x"}
    with pytest.raises(TypeError, match="to is bytes"):
        expand(os.fsencode("x"), argument="to")  # type: ignore[arg-type]
