"""Keys and addresses as people paste them: understood, or refused with what is wrong and where it stands."""

from __future__ import annotations

import getpass
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dify_notebook import AsyncDify, Dify, credentials
from dify_notebook.address import clean_base_url, clean_key
from dify_notebook.config import CLOUD, Secret, Settings, check_key, resolve
from dify_notebook.errors import ConfigError
from dify_notebook.magic import connect
from dify_notebook.profiles import Profile, save

KEY = "app-canary0123456789"
OTHER_KEY = "dataset-canary0123456789"
URL = "https://dify.example.com/v1"

WRAPPED = [
    "{}", ' "{}" ', "'{}'", "`{}`", "“{}”", "‘{}’", "„{}“", "«{}»", "「{}」", "＂{}＂", "<{}>", "({})", "（{}）。", '"{}', "{}'", "“'{}'”", "\ufeff{}",
    "{}\r", "\n{}\r\n", "\u3000{}\u00a0", "\u200b{}\u200b", "\u2066{}\u2069", "{},", "{};", '"{}",', "{}  # the team's",
    "'{}' # it's ours",
]  # fmt: skip
ASSIGNED = ["export {}={}", '{}="{}"', "{} = '{}'", "set {}={}", '$env:{} = "{}"', "{}: {}", '"{}": "{}",', "export {}={} # ours"]

UNDERSTOOD = [
    "https://dify.example.com", "https://dify.example.com/", "https://dify.example.com/v1/", "HTTPS://dify.example.com/V1",
    "https://dify.example.com/v1/chat-messages", "https://dify.example.com/v1/info?user=x", "https://dify.example.com/v1/v1",
    "https://dify.example.com/v1/conversations/c-1/name#top", "https://dify.example.com/chat-messages", "https://dify.example.com:/v1",
    "https://dify.example.com//v1//", "https//dify.example.com", "https:/dify.example.com/v1", "https:dify.example.com/v1",
    "https;//dify.example.com", "https：//dify.example.com／v1", "https:\\\\dify.example.com\\v1", "https://dify。example。com",
    "https://https://dify.example.com/v1", "http://https://dify.example.com/v1", "ｈｔｔｐｓ：／／ｄｉｆｙ．example.com",
]  # fmt: skip
OTHERS = [
    ("http://127.0.0.1:5001/", "http://127.0.0.1:5001/v1"), ("localhost:8080", "http://localhost:8080/v1"),
    ("127.0.0.1:5001/v1", "http://127.0.0.1:5001/v1"), ("[::1]:5001", "http://[::1]:5001/v1"), ("//localhost/v1", "http://localhost/v1"),
    ("http//127.0.0.1", "http://127.0.0.1/v1"), ("http://[2001:db8::1]:80/v1", "http://[2001:db8::1]:80/v1"),
    ("http://host：8080/v1", "http://host:8080/v1"), ("http://my_dify:5001", "http://my_dify:5001/v1"),
    ("https://例え.jp", "https://例え.jp/v1"), ("https://bücher.example/dify", "https://bücher.example/dify/v1"),
    ("https://gw.example.com/v1/dify", "https://gw.example.com/v1/dify/v1"), ("https://gw.example.com/chat/production", "https://gw.example.com/chat/production/v1"),
    ("https://gw.example.com/app/v1", "https://gw.example.com/app/v1"), ("https://gw.example.com/v1/x/v1/info", "https://gw.example.com/v1/x/v1"),
]  # fmt: skip
APP = "12345678-1234-1234-1234-123456789012"
REFUSED = [
    ("dify.corp.example/v1", "without https:// or http:// before it. Write https://dify.corp.example"), ("dify:5001", "https://dify:5001"),
    ("u:secret@dify.example.com", "Write https://dify.example.com"), ("192.168.1.20", "https://192.168.1.20"),
    ("ftp://dify.example.com", r"\(ftp://\) is no address"), ("file:///etc/hosts", r"\(file://\)"), ("", "is no address"), ("https://", "is no address"),
    ("dify", "is no address"), ("my server", "is no address"), ("https://a..b", "is no address"), ("https://[::1", "is no address"),
    ("http://[v1.x]", "is no address"), ("https://☃.net", "is no address"), ("https://xn--zzzzzz.test", "is no address"),
    ("https://" + "a." * 1_000, "is no address"), ("https://h\ud800.example", "is no address"),
    ("http://dify:70000", "port of dify"), ("http://dify:0/v1", "port of dify"), ("http://dify:80x", "port of dify"), ("http://[::1]:99999", "port of ::1"),
    ("http://::1:5001", "brackets"), ("2001:db8::1", "brackets"),
    ("https://u:secret@dify.example.com/v1", "password"), ("https://dify.example.com/v1?k=secret", "a query"), (URL + "#/", "fragment"),
    (f"https://dify.example.com/app/{APP}/overview", f"web page of Dify at dify.example.com.*mostly it is {URL}"),
    (f"https://dify.example.com/app/{APP}", "web page"), (f"https://dify.example.com/base/app/{APP}/workflow", "web page"),
    ("https://dify.example.com/chat/AbCdEf1234567890", "web page"), ("http://10.0.0.5:3000/chatbot/k3x9Qq71aZ2m", "http://10.0.0.5:3000/v1"),
    ("https://dify.example.com/apps", "web page"), ("https://dify.example.com/signin", "web page"), ("https://dify.example.com/explore/apps", "web page"),
    ("https://udify.app/chat/k3x9Qq71aZ2m", f"mostly it is {CLOUD}"), ("https://cloud.dify.ai/apps", f"mostly it is {CLOUD}"),
    (KEY, "holds a key where the address"), (f"Bearer {KEY}", "holds a key"), (f"'{OTHER_KEY}'", "holds a key"), (f"DIFY_API_KEY={KEY}", "holds a key"),
    ("https://<your-host>/v1", "is no address"), ("https://{host}/v1", "is no address"), ("https:///v1", "is no address"),
    (b"https://h", "base_url is a text, not a bytes"), (5, "not a int"),
]  # fmt: skip


@pytest.mark.parametrize("around", WRAPPED)
def test_what_stands_around_a_paste_is_not_meant(around: str) -> None:
    assert clean_base_url(around.format(URL)) == URL
    assert check_key(Secret(around.format(KEY))).reveal() == KEY


@pytest.mark.parametrize("line", ASSIGNED)
def test_a_line_that_sets_a_variable_is_its_value(line: str) -> None:
    assert clean_base_url(line.format("DIFY_BASE_URL", URL)) == URL
    assert clean_key(line.format("DIFY_API_KEY", KEY)) == KEY


@pytest.mark.parametrize("text", UNDERSTOOD)
def test_addresses_that_mean_the_same_server(text: str) -> None:
    assert clean_base_url(text) == URL


@pytest.mark.parametrize(("text", "clean"), OTHERS)
def test_addresses_of_other_servers(text: str, clean: str) -> None:
    assert clean_base_url(text) == clean
    assert clean_base_url(clean) == clean


@pytest.mark.parametrize(("text", "says"), REFUSED)
def test_what_is_no_address_is_said(text: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        clean_base_url(text)
    assert caught.value.code == "base_url"
    assert not any(word in str(caught.value) for word in ("secret", "canary"))


@given(st.text(max_size=40) | st.builds("{}{}".format, st.sampled_from(["https://", "http//", "localhost:", "[::1]", "v1/"]), st.text(max_size=30)))
def test_any_text_is_an_address_or_a_config_error(text: str) -> None:
    try:
        clean = clean_base_url(text)
    except ConfigError:
        return
    assert clean.startswith(("http://", "https://"))
    assert clean.endswith("/v1")
    assert clean_base_url(clean) == clean


KEYS = [
    (f"Bearer {KEY}", KEY), (f"bearer  '{KEY}'", KEY), (f"Authorization: Bearer {KEY}", KEY), (f"-H 'Authorization: Bearer {KEY}'", KEY),
    (f"{KEY[:9]}\u200b{KEY[9:]}", KEY), ("sk-abc==", "sk-abc=="), ("a=b:c", "a=b:c"), ("bearer-of-news", "bearer-of-news"),
]  # fmt: skip
NO_KEYS = [
    (OTHER_KEY, "knowledge base"), (f'"{OTHER_KEY}"', "knowledge base"), (URL, "holds an address where the key"), (f"'{URL}'", "an address"),
    ("http//dify", "an address"), ("", "without a key"), ("''", "without a key"), ("app x", "blanks"), ("app-\n2", "blanks"), ("app-ключ", "ASCII"),
    (f"app–{KEY[4:]}", "ASCII"), (f"{KEY}\x00", "ASCII"), (f"{KEY[:8]}••••", "ASCII"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "key"), KEYS)
def test_keys_with_what_was_copied_along(text: str, key: str) -> None:
    assert check_key(Secret(text)).reveal() == key


@pytest.mark.parametrize(("text", "says"), NO_KEYS)
def test_what_is_no_key_is_said_and_not_shown(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        resolve(text, URL, environ={})
    assert caught.value.code == "api_key"
    assert "canary" not in str(caught.value)
    assert "dify.example" not in str(caught.value)


# -- the places that they come from


def of(settings: Settings | None) -> tuple[str, str]:
    assert settings is not None
    return settings.api_key.reveal(), settings.base_url


def from_environment(key: str, url: str) -> tuple[str, str]:
    return of(resolve(environ={"DIFY_API_KEY": key, "DIFY_BASE_URL": url, "DIFY_USER": "me"}))


def from_arguments(key: str, url: str) -> tuple[str, str]:
    return of(Dify(key, url, "me").settings)


def from_async_arguments(key: str, url: str) -> tuple[str, str]:
    return of(AsyncDify(key, url, "me").settings)


def from_profile(key: str, url: str) -> tuple[str, str]:
    save(Profile(name="support", base_url=url, key="env:SUPPORT_KEY"))
    return of(resolve(profile="support", user="me", environ={"SUPPORT_KEY": key}))


def from_kept_profile(key: str, url: str) -> tuple[str, str]:
    save(Profile(name="support", base_url=url, key="file"))
    credentials.store(credentials.account("support", URL), Secret(key), "file")
    return of(resolve(user="me", environ={"DIFY_PROFILE": '"support"'}))


def from_connect(key: str, url: str) -> tuple[str, str]:
    said = [url, key]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.input", lambda _: said.pop(0))
        patch.setattr(getpass, "getpass", lambda _: said.pop(0))
        address, typed = connect._ask("support", CLOUD)
    return typed.reveal(), address


PLACES = [from_environment, from_arguments, from_async_arguments, from_profile, from_kept_profile, from_connect]
placeholders = pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)


@placeholders
@pytest.mark.parametrize("around", ["{}", '"{}"', "“{}”\r\n", "\ufeff'{}' # ours"])
def test_every_place_understands_a_paste(place: Callable[[str, str], tuple[str, str]], around: str) -> None:
    assert place(around.format(KEY), around.format(URL)) == (KEY, URL)


SAID = {
    "from_environment": ("DIFY_API_KEY", "DIFY_BASE_URL"), "from_arguments": ("api_key", "base_url"),
    "from_async_arguments": ("api_key", "base_url"), "from_profile": ("the profile support", "the profile support"),
    "from_kept_profile": ("the profile support", "the profile support"), "from_connect": ("api_key", "base_url"),
}  # fmt: skip


@placeholders
@pytest.mark.parametrize(
    ("key", "url", "wrong", "says"),
    [(URL, KEY, None, "where"), (OTHER_KEY, URL, 0, "knowledge base"), (KEY, "dify.example.com", 1, "without https"), (KEY, KEY, 1, "holds a key")],
)
def test_every_place_says_what_is_wrong_and_where(
    place: Callable[[str, str], tuple[str, str]], key: str, url: str, wrong: int | None, says: str
) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        place(key, url)
    if wrong is not None:
        assert str(caught.value).partition(": ")[2].startswith(SAID[place.__name__][wrong])
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("door", [Dify, AsyncDify, resolve])
@pytest.mark.parametrize(("key", "url"), [(URL, KEY), (OTHER_KEY, URL), (KEY, KEY), (f"{KEY} {KEY}", URL)], ids="abcd")  # pytest puts ids into the environment
def test_a_traceback_with_arguments_shows_no_key(door: Callable[..., object], key: str, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        door(key, url, "me")
    inside = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__) if "dify_notebook" in frame.f_code.co_filename]
    inside = [frame for frame in inside if "/tests/" not in frame.f_code.co_filename.replace("\\", "/")]
    assert inside
    assert not any("canary" in repr(value) for frame in inside for value in frame.f_locals.values())


@pytest.mark.parametrize("mark", ["", "\ufeff", "export "])
def test_names_as_files_of_variables_leave_them(mark: str) -> None:
    env = {f"{mark}DIFY_API_KEY": f'"{KEY}"\r', "DIFY_BASE_URL": f"'{URL}'\r", "DIFY_USER": "me\r"}
    found = resolve(environ=env)
    assert found is not None
    assert (*of(found), found.user) == (KEY, URL, "me")


def test_quotes_around_nothing_are_nothing() -> None:
    assert resolve(environ={"DIFY_API_KEY": '""', "DIFY_BASE_URL": "''", "DIFY_PROFILE": '""'}) is None


@pytest.mark.parametrize("key", [5, b"app-x", ["app-x"]])
def test_a_key_is_a_text(key: Any) -> None:
    with pytest.raises(ConfigError, match=rf"api_key is a text, not a {type(key).__name__}"):
        Dify(key, URL)
