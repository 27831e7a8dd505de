"""`%dify connect` and `%dify forget`: asks for server and key, tries them, keeps the key outside the notebook."""

from __future__ import annotations

import getpass
import sys

import msgspec
from IPython.core.error import StdinNotImplementedError

from .. import credentials
from ..address import hide_key
from ..config import CLOUD, Secret, check_key, clean_base_url, resolve
from ..console import fitting
from ..errors import ConfigError, NotFoundError
from ..i18n import t
from ..net.client import AsyncDify
from ..net.portal import portal
from ..printable import one_line
from ..private import config_dir
from ..profiles import Profile, check_name, delete, profiles, save
from .state import State, kind_of_app


def connect(name: str, state: State) -> str:
    """Ask for a server and its key, try them, store them and choose the profile; the text to print.

    Raises:
        ConfigError: nobody can be asked, or what was typed cannot be right.
        DifyError: the server refused it; nothing is stored then.
    """
    check_name(name)
    existing = profiles().get(name)
    base_url, key = _ask(name, existing.base_url if existing else CLOUD)
    profile = Profile(
        name=name,
        base_url=clean_base_url(base_url),
        user=existing.user if existing else None,
        headers=existing.headers if existing and clean_base_url(existing.base_url) == clean_base_url(base_url) else {},
    )
    app = check_connection(profile, key)
    storage = _choose_key_storage()
    profile = msgspec.structs.replace(profile, key=storage)
    account = credentials.account(name, profile.base_url)
    try:
        credentials.store(account, key, storage)
        save(profile)
    except OSError as problem:
        raise _not_saved(problem) from None
    if existing and (credentials.account(name, clean_base_url(existing.base_url)), existing.key) != (account, storage):
        old = credentials.account(name, clean_base_url(existing.base_url))
        if existing.key != "memory" and not existing.key.startswith("env:"):
            credentials.remove(old, existing.key)
            if storage == "memory":
                credentials.store(account, key, storage)
    state.choice = name
    return t("magic.connect.done", name=one_line(name), app=one_line(app), place=describe_key_storage(storage))


def forget(name: str, state: State) -> str:
    """Delete the profile and its key; the text to print.

    Raises:
        ConfigError: there is no such profile.
    """
    try:
        profile = delete(name)
        removed = credentials.remove(credentials.account(name, clean_base_url(profile.base_url)), profile.key)
    except OSError as problem:
        raise _not_saved(problem) from None
    if state.choice == name:
        state.choice = None
    return t("magic.forget.done" if removed else "magic.forget.key_left", name=name)


def _not_saved(problem: OSError) -> ConfigError:
    message = t("net.profile.not_kept", directory=config_dir(), problem=problem.strerror or problem)
    return ConfigError(message, code="profile", hint=t("net.profile.not_kept.hint"))


def describe_key_storage(storage: str) -> str:
    """Where a key is stored, in words."""
    if storage.startswith("env:"):
        return t("magic.place.variable", name=one_line(storage[4:]))
    return t(f"magic.place.{storage}", directory=credentials.keys_dir())


def check_connection(profile: Profile, key: Secret) -> str:
    """Ask the server what app the key opens; its name, and what it is.

    Raises:
        DifyError: the key is refused, or no Dify answers.
    """
    settings = resolve(key, profile.base_url, profile.user)
    assert settings is not None  # a key was given
    settings = msgspec.structs.replace(settings, headers=tuple(profile.headers.items()))
    return portal().call(_check_app(AsyncDify.from_settings(settings, retry=0)))


async def _check_app(dify: AsyncDify) -> str:
    mode = None
    try:
        try:
            mode = await dify.app.mode()
        except NotFoundError as error:
            if error.code != "not_json":  # else no such route: a gateway that lets the rest pass will show it
                raise
        await dify.app.parameters()
    finally:
        await dify.aclose()
    name = dify.app_info.name if dify.app_info is not None else ""
    kind = kind_of_app(mode) if mode else ""
    return " · ".join(part for part in (name, kind) if part) or dify.settings.host


def _ask(name: str, default: str) -> tuple[str, Secret]:
    try:
        typed = hide_key(input(_prompt("magic.connect.ask_url", default=one_line(default))).strip() or default)
        base_url = clean_base_url(typed)  # tells a mistake before the key is asked for
        return base_url, check_key(Secret(getpass.getpass(_prompt("magic.connect.ask_key")).strip()))
    except (StdinNotImplementedError, EOFError):
        pass
    raise ConfigError(t("magic.connect.nobody", name=name), code="connect", hint=t("magic.connect.nobody_hint"))


def _prompt(key: str, **values: object) -> str:
    """The question as this terminal can show it."""
    return fitting(t(key, **values) + " ", sys.stdout)


def _choose_key_storage() -> credentials.Storage:
    """Where the key is stored: a keyring without asking, a file when the user agrees, else memory."""
    if credentials.keyring_answers():
        return "keyring"
    try:
        answer = input(_prompt("magic.connect.ask_file", directory=credentials.keys_dir())).strip().lower()
    except (StdinNotImplementedError, EOFError):
        return "memory"
    return "memory" if answer.startswith(("n", "否", "不")) else "file"
