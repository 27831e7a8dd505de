"""The commands of `%dify …`: the chosen app, the conversation, the tapes, help. Each returns the text to print."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from ..app.controls import is_required, options_of
from ..app.entry_points import suggestion
from ..app.modes import takes
from ..app.text_input import text_candidates
from ..config import resolve
from ..errors import DifyError, InputError
from ..i18n import t
from ..printable import one_line
from ..profiles import LOCAL_APPS, RESERVED, profiles
from ..redact import redact
from ..tape import run_store
from .complete import SUBCOMMANDS
from .connect import connect, describe_key_storage, forget
from .conversations import conversations
from .doctor import doctor
from .held import MODES
from .help import help_text, width
from .history import history
from .resume import find
from .split import split
from .state import AppSession, State, kind_of_app


def run_line(line: str, state: State, namespace: Mapping[str, Any]) -> str:
    """Run the command of the line; the text to print.

    Raises:
        DifyError: it cannot be read, or what it asks for failed.
    """
    parsed = split(line)
    if parsed and parsed[-1].quote:
        _refuse("magic.line.open", quote=parsed[-1].quote)
    words = [word.text for word in parsed]
    if not words:
        return status(state, namespace)
    name, args = words[0], words[1:]
    if name in ("-h", "--help"):
        name = "help"
    command = _COMMANDS.get(name)
    if command is None:
        _refuse(
            "magic.line.command",
            name=name,
            suggestion=suggestion(name, list(SUBCOMMANDS)),
            known=", ".join(SUBCOMMANDS),
        )
    return command(args, state, namespace)


def status(state: State, namespace: Mapping[str, Any]) -> str:
    """Where am I: app, server, user, conversation, and how to connect elsewhere."""
    app_session = state.app_session(None, None, namespace)
    return _describe(app_session, state) + "\n" + t("magic.status.connect")


def _describe(app_session: AppSession, state: State) -> str:
    rows = [("app", _app(app_session)), ("server", _server(app_session)), ("user", one_line(app_session.settings.user))]
    if takes(_mode_of(app_session)).conversations:
        rows += [("conversation", _conversation(app_session)), ("mode", t(f"magic.mode.{state.mode}"))]
    else:
        rows.append(("conversation", t("magic.status.no_conversations", kind=kind_of_app(app_session.mode))))
    labels = [t(f"magic.status.{key}") for key, _ in rows]
    widest = max(width(label) for label in labels)
    padded = [label + " " * (widest - width(label)) for label in labels]
    return "\n".join(f"{label}  {text}" for label, (_, text) in zip(padded, rows, strict=True))


def _mode_of(app_session: AppSession, *, ask: bool = False) -> str | None:
    """What the app is, as far as it is known; of the embedded server, or where a server is asked anyway, it is."""
    if app_session.mode is None and (ask or app_session.settings.source == "local"):
        app_session.session.call(app_session.session.learn("mode"))
    return app_session.mode


def _app(app_session: AppSession) -> str:
    if app_session.settings.source == "local":
        return f"{app_session.label} · {t(f'magic.app.{app_session.label}')}"
    return app_session.name


def _server(app_session: AppSession) -> str:
    source_text = t(f"magic.origin.{app_session.settings.source}", profile=one_line(app_session.settings.profile or ""))
    return f"{one_line(app_session.settings.base_url)} · {source_text}"


def _conversation(app_session: AppSession) -> str:
    id = app_session.session.conversation_id
    if id is None:
        # Of an app that was not asked yet nobody knows whether it holds any.
        return t("magic.status.no_conversation" if app_session.mode is not None else "magic.status.not_asked")
    number = app_session.session.turn_number(id)
    text = one_line(id)
    return text if number is None else t("magic.status.turns", id=text, count=number - 1)


def _use(args: list[str], state: State, namespace: Mapping[str, Any]) -> str:
    if len(args) != 1:
        _refuse("magic.line.use", known=", ".join([*profiles(), *RESERVED]))
    app_session = state.app_session(args[0], None, namespace)
    state.choice = args[0]
    return _describe(app_session, state)


def _new(args: list[str], state: State, namespace: Mapping[str, Any]) -> str:
    _refuse_arguments("new", args)
    _holding_conversations("new", state, namespace).session.new()
    return t("magic.new")


def _mode(args: list[str], state: State, namespace: Mapping[str, Any]) -> str:
    if not args:
        rows = [f"{'*' if mode == state.mode else ' '} {t(f'magic.mode.{mode}')}" for mode in MODES]
        return "\n".join([*rows, t("magic.mode.no_id")])
    chosen = next((mode for mode in MODES if args == [mode]), None)
    if chosen is None:
        _refuse("magic.line.mode", text=" ".join(args))
    state.mode = chosen
    return t(f"magic.mode.{state.mode}")


def _apps(args: list[str], state: State, namespace: Mapping[str, Any]) -> str:
    _refuse_arguments("apps", args)
    lines = []
    if resolve() is not None or state.choice is not None:
        app_session = state.app_session(None, None, namespace)
        app_session.session.call(app_session.session.learn())
        lines += [_remote(app_session), ""]
    stored = profiles()
    if stored:
        lines.append(t("magic.apps.profiles"))
        lines += [
            f"    {one_line(name):<9} {one_line(profile.base_url)} · {describe_key_storage(profile.key)}"
            for name, profile in stored.items()
        ]
        lines.append("")
    lines.append(t("magic.apps.local"))
    lines += [f"    {app:<9} {t(f'magic.app.{app}')}" for app in LOCAL_APPS]
    return "\n".join([*lines, t("magic.apps.use")])


def _remote(app_session: AppSession) -> str:
    info = app_session.client.app_info
    lines = [f"{_app(app_session)} · {_server(app_session)}"]
    if info and info.description:
        lines.append("    " + one_line(info.description, 1_000))
    return "\n".join([*lines, *_how_to_ask(app_session)])


def _how_to_ask(app_session: AppSession) -> list[str]:
    """What the app is, its inputs, and what is to be written in a cell."""
    app = app_session.session.app
    lines = [f"    {kind_of_app(app_session.mode)}"] if app_session.mode else []
    texts = () if app.takes.conversations else text_candidates(app)
    needed = []
    for name, control in app.controls.items():
        is_text = len(texts) == 1 and name in texts
        if is_required(control) and not is_text:
            needed.append(f"-i {one_line(name)}=…")
        parts = (
            one_line(str(control.get("type"))),
            t("magic.apps.required") if is_required(control) else "",
            one_line(", ".join(options_of(control)), 1_000),
            t("magic.apps.text") if is_text else "",
        )
        lines.append(f"    -i {one_line(name)}=…  " + " · ".join(fact for fact in parts if fact))
    if not app.takes.conversations:
        label = () if app_session.label == "environment" else (one_line(app_session.label),)
        below = "one" if len(texts) == 1 else "several" if texts else "none"
        cell = " ".join(["%%dify", *label, *(["--text", "NAME"] if below == "several" else []), *needed])
        lines.append("    " + t(f"magic.apps.ask.{below}", cell=cell, names=one_line(", ".join(texts), 400)))
    return lines


def _holding_conversations(name: str, state: State, namespace: Mapping[str, Any]) -> AppSession:
    """The chosen app, of which `%dify name` wants that it holds conversations."""
    app_session = state.app_session(None, None, namespace)
    if not takes(_mode_of(app_session, ask=name == "conversations")).conversations:
        _refuse("magic.line.no_conversations", option=f"%dify {name}", app=app_session.named_with_kind)
    return app_session


def _resume(args: list[str], state: State, namespace: Mapping[str, Any]) -> str:
    if len(args) > 1:
        _refuse("magic.line.nothing_more", name="resume", text=" ".join(args[1:]))
    chosen = state.app_session(None, None, namespace)
    found = find(chosen, args[0] if args else None, namespace, state)
    state.resumption = found
    return t("magic.resume.nothing", app=one_line(chosen.label, 80)) if found is None else ""


def _runs(args: list[str], state: State, namespace: Mapping[str, Any]) -> str:
    store = run_store()
    action = args[0] if args else "list"
    if len(args) > 1 or action not in SUBCOMMANDS["runs"]:
        _refuse("magic.line.runs", text=" ".join(args))
    if action in ("on", "off"):
        try:
            store.enabled = action == "on"
        except OSError as problem:
            raise InputError(t("tape.not_switched", problem=problem, what=action), code="runs") from None
    setting = t("magic.runs.on" if store.enabled else "magic.runs.off", directory=_with_tilde(store.directory))
    if action != "list":
        return setting
    paths = store.paths()
    newest = [f"    {one_line(path.name)}  {path.stat().st_size:,} B" for path in reversed(paths[-10:])]
    return "\n".join([setting, t("magic.runs.count", count=len(paths)), *newest])


def recording_notice() -> str | None:
    """The notice before the first run is recorded on this machine; None once there are tapes, or with recording off."""
    try:
        store = run_store()
        if store.directory.exists() or not store.enabled:
            return None
    except (OSError, DifyError):  # what is wrong is said when something is asked
        return None
    return t("magic.runs.on", directory=_with_tilde(store.directory))


def _with_tilde(path: Path) -> str:
    """The path with the home directory as ~: it often carries the login name."""
    home = os.path.expanduser("~")  # itself, for an account that has none
    return str(Path("~") / path.relative_to(home)) if path.is_relative_to(home) else str(path)


def _connect(args: list[str], state: State, namespace: Mapping[str, Any]) -> str:
    if len(args) != 1:
        _refuse("magic.line.one_name", name="connect")
    text = connect(args[0], state)
    app_session = state.app_session(None, None, {})
    app_session.session.call(app_session.session.learn())
    return "\n".join([text, *_how_to_ask(app_session), _describe(app_session, state)])


def _forget(args: list[str], state: State, namespace: Mapping[str, Any]) -> str:
    if len(args) != 1:
        _refuse("magic.line.one_name", name="forget")
    return forget(args[0], state)


def _doctor(args: list[str], state: State, namespace: Mapping[str, Any]) -> str:
    if args not in ([], ["--stream"]):
        _refuse("magic.line.doctor", text=" ".join(args))
    return doctor(state.app_session(None, None, namespace), stream=bool(args))


def _conversations(args: list[str], state: State, namespace: Mapping[str, Any]) -> str:
    if args and (not args[0].isdecimal() or len(args) not in (1, 3) or args[1:2] not in ([], ["--export"])):
        _refuse("magic.line.conversations", text=" ".join(args))
    app_session = _holding_conversations("conversations", state, namespace)
    return conversations(app_session, int(args[0]) if args else None, args[2] if len(args) == 3 else None)


def _history(args: list[str], state: State, namespace: Mapping[str, Any]) -> str:
    name, result, text = history([redact(word) for word in args], state.app_session(None, None, namespace), namespace)
    state.results[name] = result
    return text


def _help(args: list[str], state: State, namespace: Mapping[str, Any]) -> str:
    return help_text()


def _refuse_arguments(name: str, args: list[str]) -> None:
    if args:
        _refuse("magic.line.nothing_more", name=name, text=" ".join(args))


def _refuse(key: str, /, **values: object) -> NoReturn:
    raise InputError(t(key, **values), code="magic_line", hint=t("magic.line.hint_line"))


_COMMANDS: dict[str, Callable[[list[str], State, Mapping[str, Any]], str]] = {
    "apps": _apps,
    "connect": _connect,
    "conversations": _conversations,
    "doctor": _doctor,
    "forget": _forget,
    "help": _help,
    "history": _history,
    "mode": _mode,
    "new": _new,
    "resume": _resume,
    "runs": _runs,
    "use": _use,
}
