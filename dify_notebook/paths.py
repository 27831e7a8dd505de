"""What a path that a user wrote means: the one place where `~`, variables and relative forms are expanded."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import ConfigError, InputError
from .i18n import t

_absolute: dict[tuple[str, str], Path] = {}
"""What a relative variable meant when it was first asked for: a later `os.chdir` moves no directory of ours."""


def expand(path: str | os.PathLike[str], *, argument: str = "path") -> Path:
    """The path that somebody gave to a function: `~` and `~user` are home directories, all else stays as it is.

    Args:
        argument: how the message names it.

    Raises:
        InputError: it is empty, holds a NUL, or its `~` is nobody's home.
    """
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"{argument} is {type(path).__name__}; a text or a path is wanted")
    if not text.strip() or "\0" in text:
        raise InputError(t("paths.none", argument=argument, value=repr(text)), code="no_path")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        pass
    raise InputError(t("paths.no_home", argument=argument, value=repr(text)), code="no_path")


def unquoted(value: str) -> str:
    """A variable's value without white space around it, and without the quotes that `set` and env files leave there.

    >>> unquoted(' "~/data" ')
    '~/data'
    """
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1].strip()
    return value


def of_variable(name: str) -> Path | None:
    """The path in an environment variable, absolute; None where it says nothing.

    Quotes around it are left out, `~`, `~user` and `$VAR` at its beginning are expanded, as no shell may have done it.
    A relative one counts from the directory where Python was when it was first asked for.

    Raises:
        ConfigError: it is no path, or its `~` is nobody's home.
    """
    text = unquoted(os.environ.get(name, ""))
    if text.startswith(("$", "%")):  # further on it may be a letter of a name
        text = os.path.expandvars(text)
        if text.startswith("$"):
            raise ConfigError(t("paths.no_variable", argument=name, value=repr(text)), code="no_path")
    return settled(text, name) if text else None


def settled(path: str | os.PathLike[str], name: str) -> Path:
    """A directory of ours, absolute: `name` is the variable or the place that it comes from.

    Raises:
        ConfigError: it is no path, or its `~` is nobody's home.
    """
    problem = ""
    try:
        expanded = expand(path, argument=name)
        if expanded.is_absolute():
            return expanded
        return _absolute.setdefault((name, str(expanded)), expanded.absolute())
    except (InputError, OSError) as raised:
        problem = raised.message if isinstance(raised, InputError) else str(raised)
    raise ConfigError(problem, code="no_path")


def user_directory(kind: str) -> Path:
    """This user's directory of ours, which need not exist: `DIFY_NOTEBOOK_DATA_DIR` or `DIFY_NOTEBOOK_CONFIG_DIR`,
    else the system's own place for it (`XDG_DATA_HOME`, `XDG_CONFIG_HOME` on Linux).

    Args:
        kind: `data` or `config`.

    Raises:
        ConfigError: the variable is no path, or this account has no home directory.
    """
    chosen = of_variable(f"DIFY_NOTEBOOK_{kind.upper()}_DIR")
    if chosen is not None:
        return chosen
    xdg = f"XDG_{kind.upper()}_HOME"
    value = os.environ.get(xdg, "")
    # platformdirs takes it as it stands
    if os.name == "posix" and (value[:1] in ("~", "$") or unquoted(value) != value):
        chosen = of_variable(xdg)
        if chosen is not None:
            return chosen / "dify_notebook"
    import platformdirs

    find = platformdirs.user_data_path if kind == "data" else platformdirs.user_config_path
    return settled(find("dify_notebook", appauthor=False), xdg)
