"""`Dify` mirrors `AsyncDify`: the same names, the same signatures."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from support import sync_client

from dify_notebook import AsyncDify, Bounds, Dify, Session, errors, local
from dify_notebook.net.background import Run
from dify_notebook.net.sync import Chat, Stream

GROUPS = ["chat", "conversations", "messages", "files", "audio", "app", "annotations", "end_users"]


def public(thing: object) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in dir(thing) if not name.startswith("_")}


@pytest.mark.parametrize("group", GROUPS)
def test_groups_have_the_same_calls_with_the_same_signatures(group: str) -> None:
    plain, other = Dify("app-x", "http://127.0.0.1:9"), AsyncDify("app-x", "http://127.0.0.1:9")
    mine, theirs = public(getattr(plain, group)), public(getattr(other, group))
    assert mine.keys() == theirs.keys()
    for name, call in mine.items():
        assert list(inspect.signature(call).parameters.values()) == list(
            inspect.signature(theirs[name]).parameters.values()
        ), name
        assert call.__doc__


def test_the_plain_client_is_what_the_async_classes_make() -> None:
    """Compared as syntax, since how ruff breaks lines is its version's matter."""
    written = (sync_client.NET / "sync.py").read_text(encoding="utf-8")
    made = sync_client.source()
    assert ast.dump(ast.parse(written)) == ast.dump(ast.parse(made)), "run: python tests/support/sync_client.py"


def test_the_plain_client_does_not_speak_of_awaiting() -> None:
    tree = ast.parse((sync_client.NET / "sync.py").read_text(encoding="utf-8"))
    told = [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    assert [doc for doc in told if "await" in doc or "async" in doc.lower()] == []


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("async def f(self) -> AsyncIterator[bytes]:", "f gives AsyncIterator[bytes]"),
        ("def f(self) -> AsyncIterator[bytes]:", "f gives AsyncIterator[bytes]"),
        ("def f(self) -> Awaitable[int]:", "f gives Awaitable[int]"),
        ("def f(self) -> ChatStream | None:", "f gives ChatStream | None"),
        ("def f(self) -> list[AsyncPages[models.Feedback]]:", "f gives list["),
        ('def f(self) -> "AsyncPages[models.Feedback]":', "f gives 'AsyncPages"),
        ("def f(self) -> AsyncApp:", "f gives AsyncApp"),
        ("async def f(self) -> AsyncPages[models.Feedback]:", "only when it is awaited"),
        ("async def f(self, *of: int) -> int:", "f"),
        ("async def f(self):", "f"),
        ("@classmethod\n    def f(cls) -> list[str]:", "makes a client"),
        ("@overload\n    async def f(self) -> int:", "overload"),
    ],
)
def test_what_has_no_plain_face_is_refused(head: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silently a plain method would give what must be awaited."""
    monkeypatch.setattr(sync_client, "NET", tmp_path)
    (tmp_path / "x.py").write_text(f'class AsyncX:\n    """X."""\n\n    {head}\n        """F."""\n        ...\n')
    with pytest.raises(AssertionError, match=re.escape(said)):
        sync_client.group(sync_client.Module("x"), "AsyncX", "x")


def test_a_method_without_a_docstring_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_client, "NET", tmp_path)
    (tmp_path / "x.py").write_text('class AsyncX:\n    """X."""\n\n    async def f(self) -> int:\n        return 1\n')
    with pytest.raises(AssertionError, match="f has no docstring"):
        sync_client.group(sync_client.Module("x"), "AsyncX", "x")


def test_constructors_take_the_same() -> None:
    assert inspect.signature(Dify) == inspect.signature(AsyncDify)
    assert inspect.signature(Dify.local).parameters == inspect.signature(AsyncDify.local).parameters


def test_clients_have_the_same_attributes() -> None:
    plain, other = Dify("app-x", "http://127.0.0.1:9"), AsyncDify("app-x", "http://127.0.0.1:9")
    assert set(public(plain)) - {"close", "wrap", "as_async"} == set(public(other)) - {"aclose", "at_most"}


def test_a_stream_comes_from_the_module_of_the_client() -> None:
    """For strict type checkers as well, who look at this line."""
    chat: Chat = Dify("app-x", "http://127.0.0.1:9").chat
    stream: Stream = chat.stream("hi")
    assert isinstance(stream, Stream)


def test_a_repr_tells_where_and_who() -> None:
    assert repr(Dify("app-x", "http://127.0.0.1:9", "me")) == "<Dify http://127.0.0.1:9/v1 user='me'>"


def told(name: str, doc: str) -> bool:
    """Whether a docstring says what a parameter is: under `Args`, or by its name in the text."""
    return f"`{name}`" in doc or re.search(rf"^ +(\w+, )*{name}(, \w+)*: ", doc, re.MULTILINE) is not None


PUBLIC: list[type] = [Dify, *(type(getattr(Dify("app-x", "http://127.0.0.1:9"), group)) for group in GROUPS), Session, Run]


@pytest.mark.parametrize("kind", PUBLIC, ids=lambda kind: kind.__name__)
def test_every_parameter_is_told(kind: type) -> None:
    """In the docstring of the call; `user` and `page_size`, which mean the same in all of them, in that of the client."""
    everywhere = Dify.__doc__ or ""
    for name, call in vars(kind).items():
        if inspect.isfunction(call) and not name.startswith("_"):
            doc = call.__doc__ or ""
            if "as for `history`" in doc:
                doc += Dify.history.__doc__ or ""
            parameters = [each for each in inspect.signature(call).parameters if each != "self"]
            missing = [each for each in parameters if not told(each, doc) and not (each in ("user", "page_size") and told(each, everywhere))]
            assert missing == [], name


@pytest.mark.parametrize("kind", [Bounds, *PUBLIC], ids=lambda kind: kind.__name__)
def test_every_error_that_is_named_exists(kind: type) -> None:
    docs = [kind.__doc__ or "", *(inspect.getdoc(member) or "" for member in vars(kind).values() if callable(member))]
    listed = [names for doc in docs for names in re.findall(r"^ +((?:[A-Z]\w+, )*[A-Z]\w+): ", doc.partition("Raises:")[2], re.MULTILINE)]
    for name in {name for names in listed for name in names.split(", ")}:
        error = getattr(errors, name, None) or getattr(builtins, name, None) or getattr(local, name, None)
        assert isinstance(error, type), name
        assert issubclass(error, Exception), name
