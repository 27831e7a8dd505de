"""Which apps a sweep asks, by which names, and what makes each of them the one that it is."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from dify_notebook import AsyncDify, Dify, local
from dify_notebook.config import Settings
from dify_notebook.errors import AuthenticationError, ConnectError, InputError, RateLimitError, ServerError
from dify_notebook.local.options import DIALECTS
from dify_notebook.local.server.process import LocalServer
from dify_notebook.profiles import Profile, save
from dify_notebook.secret import Secret
from dify_notebook.sweep.case import Target
from dify_notebook.sweep.cases.apps import app_identity, fingerprint, targets
from dify_notebook.sweep.cases.grid import Design, cases

T = TypeVar("T")
SALT = "salt"
VERSION = str(uuid.UUID(int=7))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with local.serve(data_dir=tmp_path_factory.mktemp("sweep"), pace=0) as running:
        yield running


@pytest.fixture
def client(server: LocalServer) -> Callable[[str], AsyncDify]:
    return lambda app: AsyncDify(server.api_key(app), server.base_url, "somebody")


def found(apps: Any) -> dict[str, Target]:
    return asyncio.run(targets(apps, salt=SALT, user="sweep-1"))


def refused(apps: Any) -> str:
    with pytest.raises(InputError) as refusal:
        found(apps)
    return refusal.value.message


def of(address: str = "https://dify.example.com", key: str = "app-one", **more: Any) -> AsyncDify:
    return AsyncDify(key, address, **more)


# -- names -----------------------------------------------------------------------------


def test_clients_become_ones_of_the_sweeps_user(client: Callable[[str], AsyncDify]) -> None:
    guide = client("guide")
    made = found({"v1": guide, "v2": Dify.wrap(client("toolbox"))})
    assert [(name, each.name, each.client.user) for name, each in made.items()] == [("v1", "v1", "sweep-1"), ("v2", "v2", "sweep-1")]
    assert isinstance(made["v2"].client, AsyncDify)
    assert guide.user == "somebody"


def test_one_client_has_a_name_of_its_own(client: Callable[[str], AsyncDify]) -> None:
    assert list(found(client("guide"))) == ["app"]


def test_a_profile_and_its_versions(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    save(Profile(name="support", base_url=server.base_url, key="env:SUPPORT_KEY"))
    monkeypatch.setenv("SUPPORT_KEY", server.api_key("pipeline"))
    name = f"support@{VERSION}"
    made = found(["support", name])
    assert [(each, target.workflow_id) for each, target in made.items()] == [("support", None), (name, VERSION)]
    assert made["support"].identity != made[name].identity
    (other,) = found({"old": (made["support"].client, VERSION)}).values()
    assert (other.name, other.identity) == ("old", made[name].identity)


def test_the_embedded_apps_by_name(monkeypatch: pytest.MonkeyPatch, client: Callable[[str], AsyncDify]) -> None:
    asked = []

    def local_app(app: str) -> AsyncDify:
        asked.append(app)
        return client(app)

    monkeypatch.setattr(AsyncDify, "local", local_app)
    assert list(found(["local", "tally"])) == ["local", "tally"]
    assert list(found("pipeline")) == ["pipeline"]
    assert asked == ["guide", "tally", "pipeline"]


@pytest.mark.parametrize(
    ("apps", "parts"),
    [
        ("suport", ["no app suport", "support", "guide"]),
        ([], ["no app to ask"]),
        ({}, ["no app to ask"]),
        (3, ["int"]),
        (None, ["NoneType"]),
        ({"a": 3}, ["int"]),
        ({3: "guide"}, ["int"]),
        ({" ": "guide"}, ["text"]),
        ([3], ["int"]),
        (["guide", "guide"], ["guide is named twice"]),
        ("support@", ["support@", "version"]),
        ("support@ ", ["version"]),
        ({"a": (3, VERSION)}, ["int"]),
    ],
    ids=repr,
)
def test_what_is_no_app_is_refused(apps: Any, parts: list[str], monkeypatch: pytest.MonkeyPatch, server: LocalServer) -> None:
    save(Profile(name="support", base_url=server.base_url, key="env:SUPPORT_KEY"))
    monkeypatch.setenv("SUPPORT_KEY", server.api_key("pipeline"))
    message = refused(apps)
    assert [part for part in parts if part not in message] == [], message


def test_a_version_of_an_app_that_has_none_is_refused(client: Callable[[str], AsyncDify]) -> None:
    assert "a: only chatflows and workflows" in refused({"a": (client("guide"), VERSION)})
    assert "version" in refused({"a": (client("pipeline"), 3)})


def test_one_app_by_two_names_is_refused(client: Callable[[str], AsyncDify]) -> None:
    assert "a and b are the same app" in refused({"a": client("guide"), "b": client("guide")})


# -- identity --------------------------------------------------------------------------


def test_server_key_version_and_salt_decide_and_nothing_else_does() -> None:
    plain = app_identity(of(), None, SALT)
    assert app_identity(of(user="other"), None, SALT) == plain
    assert app_identity(of("https://DIFY.example.com/v1/"), None, SALT) == plain
    others = [
        app_identity(of(key="app-two"), None, SALT),
        app_identity(of("https://other.example.com"), None, SALT),
        app_identity(of("https://dify.example.com:8443"), None, SALT),
        app_identity(of(), VERSION, SALT),
        app_identity(of(), None, "other"),
    ]
    assert len({plain, *others}) == 6


def test_the_port_of_a_loopback_address_does_not_count() -> None:
    one, other = (app_identity(of(f"http://127.0.0.1:{port}"), None, SALT) for port in (5001, 5002))
    assert one == other == app_identity(of("http://localhost:80"), None, SALT)


def test_the_embedded_servers_own_apps_go_by_their_names() -> None:
    def own(app: str, key: str, port: int) -> AsyncDify:
        address = f"http://127.0.0.1:{port}/v1"
        return AsyncDify.from_settings(Settings(base_url=address, api_key=Secret(key), user="u", source="local", app=app))

    assert app_identity(own("guide", "app-1", 1), None, SALT) == app_identity(own("guide", "app-2", 2), None, "other")
    assert app_identity(own("guide", "app-1", 1), None, SALT) != app_identity(own("tally", "app-1", 1), None, SALT)


def test_no_key_is_in_an_identity() -> None:
    assert "app-one" not in app_identity(of(), None, SALT)
    assert "app-one" not in repr(Target(name="a", client=of(), identity=app_identity(of(), None, SALT)))


# -- what an app is at the moment -------------------------------------------------------


def fingerprints(client: AsyncDify, *changes: Callable[[], Any]) -> list[str]:
    async def all_of() -> list[str]:
        made = [await fingerprint(client)]
        for change in changes:
            change()
            made.append(await fingerprint(client))
        return made

    return asyncio.run(all_of())


def test_a_fingerprint_stays_while_the_app_does(client: Callable[[str], AsyncDify]) -> None:
    first, second = fingerprints(client("pipeline"), lambda: None)
    assert first == second
    assert fingerprints(client("guide"))[0] != first


class Told:
    """What a server tells of its app, changeable."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {
            "/v1/parameters": (200, {"opening_statement": "Hi", "user_input_form": []}),
            "/v1/info": (200, {"name": "a", "mode": "chat"}),
            "/v1/meta": (200, {"tool_icons": {}}),
        }

    def client(self) -> AsyncDify:
        def answer(request: httpx.Request) -> httpx.Response:
            status, body = self.answers[request.url.path]
            return httpx.Response(status, json=body)

        return AsyncDify("app-one", "https://dify.example.com", retry=0, transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v1/parameters", {"opening_statement": "Hello", "user_input_form": []}),
        ("/v1/parameters", {"opening_statement": "Hi", "user_input_form": [], "new_of_a_server": 1}),
        ("/v1/parameters", {"opening_statement": "Hi", "user_input_form": [{"paragraph": {"variable": "x"}}]}),
        ("/v1/info", {"name": "b", "mode": "chat"}),
        ("/v1/meta", {"tool_icons": {"clock": "https://example.com/clock.png"}}),
    ],
    ids=repr,
)
def test_what_changes_is_seen(path: str, answer: Any) -> None:
    said = Told()
    first, second = fingerprints(said.client(), lambda: said.answers.update({path: (200, answer)}))
    assert first != second


def test_what_a_server_does_not_have_is_untold_and_a_busy_one_is_no_change() -> None:
    said = Told()
    said.answers["/v1/meta"] = (404, {"code": "not_found", "message": "no", "status": 404})
    first, second = fingerprints(said.client(), lambda: None)
    assert first == second
    for status, kind in ((503, ServerError), (429, RateLimitError), (401, AuthenticationError)):
        said.answers["/v1/meta"] = (status, {"code": "x", "message": "no", "status": status})
        with pytest.raises(kind):
            fingerprints(said.client())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_server_tells_enough_for_one(dialect: Any, tmp_path: Path) -> None:
    with local.serve(data_dir=tmp_path, pace=0, dialect=dialect) as running:
        for app in ("guide", "tally"):
            first, second = fingerprints(AsyncDify(running.api_key(app), running.base_url), lambda: None)
            assert first == second


def test_a_server_that_is_gone_has_none(tmp_path: Path) -> None:
    with local.serve(data_dir=tmp_path, pace=0) as running:
        client = AsyncDify(running.api_key("guide"), running.base_url, retry=0)
    with pytest.raises(ConnectError):
        fingerprints(client)


# -- cases of real apps ------------------------------------------------------------------


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def test_inputs_are_fitted_to_what_each_app_asks_for(client: Callable[[str], AsyncDify]) -> None:
    async def both() -> list[Any]:
        apps = await targets({"tally": client("tally")}, salt=SALT, user="sweep-1")
        return await cases(Design(query="{{ body }}", inputs={"classes": "kinds"}, over=[{"body": "a,b\n1,2\n", "kinds": "x=1"}]), apps)

    (case,) = run(both())
    (message,) = case.messages
    assert message.query is None
    assert message.inputs == {"text": "a,b\n1,2\n", "classes": "x=1"}


def test_what_is_wrong_in_itself_is_said_before_any_server_is_asked() -> None:
    nowhere = {"a": Target(name="a", client=of("http://127.0.0.1:9"), identity="a")}
    with pytest.raises(InputError, match="twon"):
        run(cases(Design(query="{{ twon }}", over=[{"town": "Lyon"}]), nowhere))
