"""Profiles: what the file may say, which source comes first, and that sources are never mixed."""

from __future__ import annotations

import stat
from typing import Any

import httpx
import pytest

from dify_notebook import AsyncDify, Dify, credentials
from dify_notebook.config import CLOUD, Secret, resolve
from dify_notebook.errors import ConfigError
from dify_notebook.local.apps.catalog import APPS
from dify_notebook.private import config_dir
from dify_notebook.profiles import LOCAL_APPS, Profile, delete, find, profiles, profiles_path, save

KEY = "app-canaryQx7Tn2Vb9Kd4"
URL = "https://support.example.com/v1"


def make(name: str = "support", key: str = KEY, **more: Any) -> Profile:
    profile = Profile(name=name, base_url=URL, key="file", **more)
    save(profile)
    credentials.store(credentials.account(name, URL), Secret(key), "file")
    return profile


def test_a_profile_comes_back_as_it_was_saved_and_others_stay() -> None:
    odd = make("téam.1", user='a "b"\n\x7f\\', headers={"X-Gate way": Secret("v=1")})
    other = make("other")
    assert profiles() == {"téam.1": odd, "other": other}
    assert delete("téam.1") == odd
    assert profiles() == {"other": other}


def test_what_people_add_to_the_file_stays() -> None:
    config_dir().mkdir(parents=True, exist_ok=True)
    profiles_path().write_text('theme = "dark"\nn = [1, true, {a = 1.5}]\n[x.y]\nd = 2026-01-02\n[profiles]\n')
    make()
    import tomllib

    data = tomllib.loads(profiles_path().read_text())
    assert (data["theme"], data["n"], str(data["x"]["y"]["d"])) == ("dark", [1, True, {"a": 1.5}], "2026-01-02")
    assert list(data["profiles"]) == ["support"]


def test_the_file_may_come_from_any_editor() -> None:
    config_dir().mkdir(parents=True, exist_ok=True)
    profiles_path().write_bytes(f'\ufeff[profiles.support]\r\nbase_url = "{URL}"\r\n'.encode())
    assert find("support").base_url == URL


def test_the_file_is_private_and_holds_no_key() -> None:
    make()
    assert stat.S_IMODE(profiles_path().stat().st_mode) == 0o600
    assert KEY not in profiles_path().read_text()
    assert {path.name for path in config_dir().iterdir()} == {"keys", profiles_path().name}


def test_sources_by_precedence_and_never_mixed() -> None:
    make("support", user="anna")
    make("sales", key="app-sales")
    env = {"DIFY_PROFILE": "sales", "DIFY_API_KEY": "app-env", "DIFY_BASE_URL": "https://e.example.com", "DIFY_USER": "eve"}

    def found(*args: str, **more: str) -> tuple[str, str, str, str]:
        settings = resolve(*args, environ=env, **more)
        assert settings is not None
        return settings.base_url, settings.api_key.reveal(), settings.user, settings.source

    assert found("app-arg", profile="support") == (CLOUD, "app-arg", "eve", "arguments")
    assert found(profile="support") == (URL, KEY, "anna", "profile")
    assert found(profile="support", user="bob") == (URL, KEY, "bob", "profile")
    assert found() == (URL, "app-sales", "eve", "profile_variable")
    env["DIFY_PROFILE"] = ""
    assert found() == ("https://e.example.com/v1", "app-env", "eve", "environment")
    with pytest.raises(ConfigError, match="api_key"):
        resolve(None, "https://x.example.com", profile="support", environ=env)


def test_a_profile_whose_address_was_changed_does_not_take_its_key_along() -> None:
    make()
    text = profiles_path().read_text().replace("support.example.com", "evil.example.com")
    profiles_path().write_text(text)
    with pytest.raises(ConfigError, match="connect support"):
        resolve(profile="support", environ={})


def test_a_key_may_come_from_a_variable() -> None:
    save(Profile(name="ci", base_url=URL, key="env:CI_KEY"))
    settings = resolve(profile="ci", environ={"CI_KEY": KEY})
    assert settings is not None
    assert settings.api_key == Secret(KEY)
    with pytest.raises(ConfigError, match="env:CI_KEY"):
        resolve(profile="ci", environ={"DIFY_API_KEY": "app-other"})


def test_the_name_of_an_embedded_app_says_how_that_is_used() -> None:
    with pytest.raises(ConfigError, match="%dify use pipeline"):
        save(Profile(name="pipeline", base_url=URL))


@pytest.mark.parametrize("name", ["guide", "local", "", "-x", "a b", "a/b", "x" * 65])
def test_names_that_no_profile_has(name: str) -> None:
    with pytest.raises(ConfigError):
        save(Profile(name=name, base_url=URL))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("profiles = 1", "cannot be read"),
        ("[profiles.a", "cannot be read"),
        ("[profiles.a]", "base_url"),
        (f'[profiles.a]\nbase_url = "{URL}"\nkey = "elsewhere"', "key"),
        (f'[profiles.a]\nbase_url = "{URL}"\nuser = 3', "user"),
        (f'[profiles.a]\nbase_url = "{URL}"\napi_key = "{KEY}"', "holds a key"),
        (f'[profiles.a]\nbase_url = "{URL}"\nkey = "{KEY}"', "holds a key"),
        (f'[profiles.a]\nbase_url = "{URL}"\n[profiles.a.headers]\nAuthorization = "Bearer {KEY}"', "holds a key"),
    ],
)
def test_files_that_are_refused(text: str, says: str) -> None:
    config_dir().mkdir(parents=True)
    profiles_path().write_text(text)
    with pytest.raises(ConfigError, match=says) as caught:
        find("a")
    assert KEY not in str(caught.value)


def test_an_unknown_profile_names_the_known_ones() -> None:
    make()
    with pytest.raises(ConfigError, match="known: support"):
        Dify(profile="suport")
    assert "sk-" not in str(pytest.raises(ConfigError, find, KEY).value)
    assert KEY not in str(pytest.raises(ConfigError, find, KEY).value)


def test_the_embedded_server_serves_what_no_profile_is_called() -> None:
    """It is named here too, since whoever asks a real server need not load the embedded one."""
    assert tuple(APPS) == LOCAL_APPS


def test_headers_of_a_profile_travel_and_hide(monkeypatch: pytest.MonkeyPatch) -> None:
    make(headers={"X-Gate": Secret("gate-canary")})
    seen: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200, json={"name": "Support"})

    monkeypatch.setenv("DIFY_PROFILE", "support")
    dify = Dify(transport=httpx.MockTransport(answer))
    dify.app.info()
    assert seen[0]["x-gate"] == "gate-canary"
    assert seen[0]["authorization"] == f"Bearer {KEY}"
    shown = repr(dify.settings) + repr(vars(dify.as_async._pools)) + repr(profiles())
    assert "gate-canary" not in shown
    assert KEY not in shown
    assert AsyncDify(profile="support").settings.profile == "support"
