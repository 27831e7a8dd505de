"""Key and server come from one source; the key shows itself nowhere."""

from __future__ import annotations

import copy
import pickle
import stat
from pathlib import Path

import pytest

from dify_notebook.config import (
    CLOUD,
    Secret,
    clean_base_url,
    is_loopback,
    resolve,
    stored_user,
)  # fmt: skip
from dify_notebook.errors import ConfigError, InputError
from dify_notebook.private import data_dir

KEY = "app-canary0123456789"


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("https://dify.example.com", "https://dify.example.com/v1"),
        ("https://dify.example.com/", "https://dify.example.com/v1"),
        ("https://dify.example.com/v1/", "https://dify.example.com/v1"),
        (" http://127.0.0.1:5001/v1 ", "http://127.0.0.1:5001/v1"),
        ("https://example.com/dify/v1", "https://example.com/dify/v1"),
        ("http://[::1]:80", "http://[::1]:80/v1"),
    ],
)
def test_base_urls(given: str, clean: str) -> None:
    assert clean_base_url(given) == clean


@pytest.mark.parametrize(
    "given", ["dify.example.com", "ftp://x", "", "https://", "https://u:p@h/v1", "https://h/v1?k=1", "http://h:x/v1"]
)
def test_what_is_no_base_url(given: str) -> None:
    with pytest.raises(ConfigError) as caught:
        clean_base_url(given)
    assert "u:p" not in str(caught.value)


def test_arguments_come_before_the_environment_and_are_never_mixed() -> None:
    env = {"DIFY_API_KEY": "app-env", "DIFY_BASE_URL": "https://env.example.com", "DIFY_USER": "eve"}
    found = resolve("app-arg", environ=env)
    assert found is not None
    assert (found.base_url, found.api_key, found.source) == (CLOUD, Secret("app-arg"), "arguments")
    found = resolve(environ=env)
    assert found is not None
    assert found.origin == found.source, "its name of 0.1.0"
    assert (found.base_url, found.user, found.source) == ("https://env.example.com/v1", "eve", "environment")


def test_a_key_alone_means_the_cloud_and_nothing_means_nothing() -> None:
    found = resolve(environ={"DIFY_API_KEY": "app-env"})
    assert found is not None
    assert found.base_url == CLOUD
    assert resolve(environ={}) is None


def test_a_server_alone_is_an_error() -> None:
    with pytest.raises(ConfigError, match="DIFY_API_KEY"):
        resolve(environ={"DIFY_BASE_URL": "https://env.example.com"})
    with pytest.raises(ConfigError, match="api_key"):
        resolve(None, "https://x.example.com", environ={"DIFY_API_KEY": "app-env"})


@pytest.mark.parametrize("key", ["app x", "app-\n2", "app-ключ"])
def test_a_key_that_was_copied_badly(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(key, environ={})
    assert key not in str(caught.value)


def test_plain_http_to_elsewhere_is_warned_about() -> None:
    with pytest.warns(UserWarning, match="unencrypted"):
        resolve(KEY, "http://dify.example.com", environ={})


@pytest.mark.parametrize("user", ["", "u" * 256])
def test_users_that_the_api_does_not_take(user: str) -> None:
    with pytest.raises(InputError):
        resolve(KEY, user=user, environ={})


def test_the_made_up_user_stays_and_is_not_the_login_name() -> None:
    import getpass

    name = stored_user()
    assert name.startswith("notebook-")
    assert getpass.getuser() not in name.removeprefix("notebook-")
    assert stored_user() == name
    assert (data_dir() / "user").read_text().strip() == name


def test_a_new_data_directory_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFY_NOTEBOOK_DATA_DIR", str(tmp_path / "new"))
    assert stat.S_IMODE(data_dir().stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("localhost", True), ("::1", True), ("a.localhost", True),
     ("10.0.0.1", False), ("localhost.example.com", False), ("", False), (None, False)],
)  # fmt: skip
def test_loopback(host: str | None, local: bool) -> None:
    assert is_loopback(host) is local


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret(KEY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>20}", f"{secret}", repr([secret]), repr(vars)]
    assert not any(KEY in text for text in shown)
    assert secret.reveal() == KEY
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert copy.deepcopy(secret) is secret
    found = resolve(KEY, environ={})
    assert KEY not in repr(found)
    with pytest.raises(TypeError):
        pickle.dumps(found)
