"""Keys lie in a keyring that answers, in a private file, or in memory; and show themselves nowhere."""

from __future__ import annotations

import os
import stat
import sys
import threading
import traceback
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dify_notebook import credentials
from dify_notebook.config import Secret
from dify_notebook.errors import ConfigError

KEY = "app-canaryQx7Tn2Vb9Kd4"
HERE = credentials.account("support", "https://a.example.com/v1")
ELSEWHERE = credentials.account("support", "https://b.example.com/v1")


class Backend:
    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, name: str) -> str | None:
        return self.kept.get((service, name))

    def set_password(self, service: str, name: str, value: str) -> None:
        self.kept[service, name] = value

    def delete_password(self, service: str, name: str) -> None:
        del self.kept[service, name]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    def put(backend: object) -> None:
        module = ModuleType("keyring")
        module.get_keyring = lambda: backend  # type: ignore[attr-defined]  # an empty module, filled here
        monkeypatch.setitem(sys.modules, "keyring", module)

    return put


def named(module: str, name: str) -> object:
    return type(name, (Backend,), {"__module__": module})()


def test_a_keyring_that_answers_keeps_a_key_by_profile_and_server(use: Any) -> None:
    use(Backend())
    assert credentials.keyring_answers()
    credentials.store(HERE, Secret(KEY), "keyring")
    assert credentials.load(HERE, "keyring", {}) == Secret(KEY)
    assert credentials.load(ELSEWHERE, "keyring", {}) is None
    assert credentials.remove(HERE, "keyring")
    assert credentials.load(HERE, "keyring", {}) is None


@pytest.mark.parametrize(
    ("module", "name"),
    [("keyring.backends.null", "Keyring"), ("keyring.backends.fail", "Keyring"), ("keyrings.alt.file", "PlaintextKeyring")],
)
def test_keyrings_that_keep_nothing_or_keep_it_readable_are_refused(use: Any, module: str, name: str) -> None:
    use(named(module, name))
    assert not credentials.keyring_answers()
    use(SimpleNamespace(backends=[Backend(), named(module, name)], get_password=lambda *_: None))
    assert not credentials.keyring_answers()


def test_with_the_real_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the fakes above are taken for: `keyring` itself, with a backend in memory and with its own two."""
    keyring = pytest.importorskip("keyring")
    from keyring.backend import KeyringBackend
    from keyring.backends import chainer, fail, null

    class Held(Backend, KeyringBackend):
        priority = 1

        def __init__(self) -> None:
            Backend.__init__(self)

    usual = keyring.get_keyring()
    held = Held()
    try:
        for refused in (null.Keyring(), fail.Keyring()):
            keyring.set_keyring(refused)
            assert not credentials.keyring_answers()
        monkeypatch.setattr(chainer.ChainerBackend, "backends", [held])
        for good in (held, chainer.ChainerBackend()):
            keyring.set_keyring(good)
            assert credentials.keyring_answers()
            credentials.store(HERE, Secret(KEY), "keyring")
            assert held.kept == {(credentials.SERVICE, HERE): KEY}
            assert credentials.load(HERE, "keyring", {}) == Secret(KEY)
            assert credentials.load(ELSEWHERE, "keyring", {}) is None
            assert credentials.remove(HERE, "keyring")
            assert held.kept == {}
    finally:
        keyring.set_keyring(usual)


def test_a_missing_keyring_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert not credentials.keyring_answers()


def test_a_keyring_that_does_not_answer_is_left_alone(use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "KEYRING_SECONDS", 0.05)
    release = threading.Event()
    use(SimpleNamespace(get_password=lambda *_: release.wait(10)))
    try:
        assert not credentials.keyring_answers()
        with pytest.raises(ConfigError, match="does not answer"):
            credentials.load(HERE, "keyring", {})
        assert not credentials.remove(HERE, "keyring")
    finally:
        release.set()


def test_a_failing_keyring_does_not_show_the_key(use: Any) -> None:
    def fail(service: str, name: str, value: str) -> None:
        raise RuntimeError(f"cannot keep {value}")

    use(SimpleNamespace(set_password=fail))
    with pytest.raises(ConfigError) as caught:
        credentials.store(HERE, Secret(KEY), "keyring")
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert KEY not in shown
    assert caught.value.__context__ is None


def test_the_file_is_private(tmp_path: Any) -> None:
    credentials.store(HERE, Secret(KEY), "file")
    path = credentials.key_path(HERE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert "support" not in path.name
    assert credentials.load(HERE, "file", {}) == Secret(KEY)
    assert credentials.load(ELSEWHERE, "file", {}) is None
    os.chmod(path, 0o644)
    with pytest.warns(UserWarning, match="others could read"):
        assert credentials.load(HERE, "file", {}) == Secret(KEY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    credentials.remove(HERE, "file")
    assert not path.exists()


def test_memory_and_variables() -> None:
    credentials.store(HERE, Secret(KEY), "memory")
    assert credentials.load(HERE, "memory", {}) == Secret(KEY)
    assert KEY not in repr(credentials._memory)
    credentials.remove(HERE, "memory")
    assert credentials.load(HERE, "memory", {}) is None
    assert credentials.load(HERE, "env:K", {"K": KEY}) == Secret(KEY)
    assert credentials.load(HERE, "env:K", {}) is None
