"""What the Tab key offers on a `%%dify` or `%dify` line, and for names inside `{{ }}`.

The decision is pure (`offers`); `Matcher` hands it to IPython. Nothing here asks a server:
inputs and conversations are offered when they are known already.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from ..printable import is_plain
from .parse import BY_NAME, INPUT_NAME, OPTIONS
from .split import Word, split

APPS = ("guide", "toolbox", "pipeline", "local")
SUBCOMMANDS: Mapping[str, tuple[str, ...]] = {
    "apps": (),
    "connect": (),
    "conversations": ("--export",),
    "doctor": ("--stream",),
    "forget": (),
    "help": (),
    "history": ("--since", "--until", "--users"),
    "mode": ("continue", "fresh"),
    "new": (),
    "runs": ("list", "off", "on"),
    "use": APPS,
}
"""What `%dify` does, and the fixed words that may follow."""

_CELL = re.compile(r"\A\s*%%dify(?=\s)[ \t]*")
_LINE = re.compile(r"\A\s*%dify(?=\s)[ \t]*")
_NAME_IN_BRACES = re.compile(r"(?<!\\)\{\{\s*([^\W\d]\w*)?\Z")


class Known(msgspec.Struct, frozen=True):
    """What can be offered without asking anybody."""

    clients: tuple[str, ...] = ()
    """Notebook variables that are clients."""
    names: tuple[str, ...] = ()
    """Notebook variables of every kind."""
    dicts: tuple[str, ...] = ()
    """Those that hold a mapping."""
    turns: tuple[str, ...] = ()
    """Those that hold a turn."""
    histories: tuple[str, ...] = ()
    """Those that hold a history."""
    conversations: tuple[str, ...] = ()
    """Ids that were used in this kernel."""
    inputs: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The app's variables, each with the options of a select."""
    profiles: tuple[str, ...] = ()
    """Names of profiles."""


class Offers(msgspec.Struct, frozen=True):
    """What may stand in place of `fragment`, the last piece of the text before the cursor."""

    fragment: str
    texts: tuple[str, ...]


def offers(before: str, known: Known, paths: Callable[[str], list[str]] | None = None) -> Offers | None:
    """The completions for a cell's text before the cursor, or None where it is not ours.

    What cannot be typed on a line as it stands, or is longer than a line should be, is not offered: names come
    from servers and file systems too.

    >>> offers("%%dify --ti", Known()).texts
    ('--timeout',)
    """
    found = _all_offers(before, known, paths)
    return found and Offers(found.fragment, tuple(text for text in found.texts if is_plain(text)))


def _all_offers(before: str, known: Known, paths: Callable[[str], list[str]] | None) -> Offers | None:
    if (cell := _CELL.match(before)) is not None:
        if "\n" not in before:
            return _cell_line(before[cell.end() :], known, paths or _paths)
        braces = _NAME_IN_BRACES.search(before)
        return _starting(braces[1] or "", known.names) if braces else None
    current = before.rpartition("\n")[2]
    if (line := _LINE.match(current)) is not None:
        return _line(current[line.end() :], known)
    return None


def _starting(fragment: str, words: Iterable[str]) -> Offers:
    return Offers(fragment, tuple(word for word in words if word.startswith(fragment)))


def _cell_line(rest: str, known: Known, paths: Callable[[str], list[str]]) -> Offers | None:
    braces = _NAME_IN_BRACES.search(rest)
    if braces:
        return _starting(braces[1] or "", known.names)
    words = split(rest)
    open_word = words[-1] if words and (words[-1].end == len(rest) and not rest[-1:].isspace()) else None
    if words and words[-1].quote:
        open_word = words[-1]
    done = words[:-1] if open_word else words
    option, value = _option_at(done, open_word)
    if option is None:
        if value.startswith("-"):
            written = {word.text.partition("=")[0] for word in done}
            used = {BY_NAME[name].field for name in written if name in BY_NAME}
            free = [o for o in OPTIONS if o.many or o.field not in used]
            return _starting(value, [o.names[-1] for o in free])
        return _starting(value, (*known.profiles, *APPS, *known.clients)) if not _has_profile(done) else None
    return _value(option, value, known, paths, open_word, rest)


def _option_at(done: list[Word], open_word: Word | None) -> tuple[str | None, str]:
    """The field whose value is being typed (None: an option or a profile), and its text so far."""
    text = open_word.text if open_word else ""
    if done and (option := BY_NAME.get(done[-1].text)) is not None and not option.switch:
        return option.field, text
    name, equals, value = text.partition("=")
    if equals and name.startswith("--") and (option := BY_NAME.get(name)) is not None and not option.switch:
        return option.field, value
    return None, text


def _has_profile(done: list[Word]) -> bool:
    takes = False
    for word in done:
        option = BY_NAME.get(word.text.partition("=")[0])
        if not takes and option is None and not word.text.startswith("-"):
            return True
        takes = option is not None and not option.switch and "=" not in word.text
    return False


def _value(
    field: str,
    value: str,
    known: Known,
    paths: Callable[[str], list[str]],
    word: Word | None,
    rest: str,
) -> Offers | None:
    if field == "inputs":
        name, equals, text = value.partition("=")
        if not equals:
            return _starting(name, [f"{variable}=" for variable, _ in known.inputs if INPUT_NAME.fullmatch(variable)])
        return None if name.endswith(":") else _told(text, dict(known.inputs).get(name, ()), word)
    if field == "inputs_from":
        return _starting(value, known.dicts)
    if field == "conversation":
        ids = [id for id in known.conversations if not id.startswith("-")]
        return _told(value, (*known.turns, *ids), word)
    if field == "files":
        return _file(value, paths, word.quote if word else "")
    if field == "out":
        return _starting(value, dict.fromkeys(("answer", *known.turns)))
    return None


def _told(value: str, texts: Iterable[str], word: Word | None) -> Offers:
    """Texts of a server's as they stand on the line: in one word, which fills in no variable and is no code."""
    quote = word.quote if word else ""
    found = [text for text in texts if text.strip() and text.startswith(value) and "{{" not in text]
    if quote:
        return Offers(value, tuple(text for text in found if quote not in text and "\\" not in text))
    written = ((_protected(text, "\\"), text) for text in found)
    return Offers(_protected(value, "\\"), tuple(one for one, text in written if _is_read_as(one, text)))


def _is_read_as(written: str, text: str) -> bool:
    """Whether the line says that text; one that begins as a path of Windows protects nothing with its backslashes."""
    return [word.text for word in split(f"{written} tone={written}")] == [text, f"tone={text}"]


def _protected(text: str, also: str = "") -> str:
    """The text with a backslash before what would end its word."""
    return "".join(f"\\{one}" if one.isspace() or one in "'\"" or one == also else one for one in text)


def _file(value: str, paths: Callable[[str], list[str]], quote: str) -> Offers:
    # Only the last part of the path is replaced: what stands before it may be quoted or protected.
    fragment = re.split(r"[/\\]", value)[-1]
    head = value[: len(value) - len(fragment)]
    found = []
    for path in paths(value):
        name = path[len(head) :]
        if quote not in name or not quote:
            found.append(name if quote else _protected(name))
    typed = fragment if quote else _protected(fragment)
    return Offers(typed, tuple(found))


def _paths(start: str) -> list[str]:
    """Paths that begin so, directories with a separator at the end; hidden ones when asked for."""
    expanded = os.path.expanduser(start)
    found = []
    for path in sorted(glob.glob(glob.escape(expanded) + "*"))[:200]:
        path += os.sep if os.path.isdir(path) else ""
        found.append(start + path[len(expanded) :])
    return found


def _line(rest: str, known: Known) -> Offers | None:
    words = rest.split()
    typing = "" if not rest or rest[-1].isspace() else words.pop()
    if not words:
        return _starting(typing, SUBCOMMANDS)
    if words[0] == "history":
        return _history(typing, words[1:], known)
    if len(words) == 1 and words[0] in SUBCOMMANDS:
        more = {
            "use": (*known.profiles, *known.clients),
            "connect": known.profiles,
            "forget": known.profiles,
        }.get(words[0], ())
        return _starting(typing, (*SUBCOMMANDS[words[0]], *more))
    return None


def _history(typing: str, done: list[str], known: Known) -> Offers:
    """A variable first, then options in any order, each once; after --users the word for everyone."""
    options = SUBCOMMANDS["history"]
    if done and done[-1] in options:
        return _starting(typing, ("all",) if done[-1] == "--users" else ())
    free = [option for option in options if option not in done]
    return _starting(typing, (*(() if done else known.histories), *free))


class Matcher:
    """Answers IPython's completer; `known` is called when there is something of ours to complete."""

    matcher_identifier = "dify_notebook"
    matcher_priority = 0.0
    matcher_api_version = 2

    def __init__(self, known: Callable[[], Known]) -> None:
        self._known = known
        self.__qualname__ = type(self).__qualname__  # IPython names a matcher by it

    def __call__(self, context: Any) -> dict[str, Any]:
        from IPython.core.completer import SimpleCompletion

        lines = context.full_text.split("\n")[: context.cursor_line + 1]
        before = "\n".join([*lines[:-1], lines[-1][: context.cursor_position]])
        found = None
        if "%dify" in before:
            found = offers(before, self._known())
        if found is None or not found.texts:
            return {"completions": []}
        return {
            "completions": [SimpleCompletion(text=text, type="dify") for text in found.texts],
            "matched_fragment": found.fragment,
            "ordered": True,
            "suppress": True,
        }


def known_from(
    namespace: Mapping[str, Any],
    conversations: Iterable[str],
    controls: Iterable[Mapping[str, Any]],
    profiles: Iterable[str] = (),
) -> Known:
    """What the notebook's variables and the app session's memory have to offer."""
    from ..app.controls import options_of
    from ..turn.state import Turn

    plain = {
        name: value
        for name, value in dict(namespace).items()
        if not name.startswith("_") and name not in ("In", "Out", "exit", "quit", "get_ipython", "open")
    }
    return Known(
        clients=tuple(name for name, value in plain.items() if is_client(value)),
        names=tuple(plain),
        dicts=tuple(name for name, value in plain.items() if isinstance(value, Mapping)),
        turns=tuple(name for name, value in plain.items() if isinstance(value, Turn)),
        histories=tuple(
            name for name, value in plain.items() if type(value).__module__ == "dify_notebook.frames.history"
        ),
        conversations=tuple(conversations),
        profiles=tuple(profiles),
        inputs=tuple((str(control.get("variable")), tuple(options_of(control))) for control in controls),
    )


def is_client(value: object) -> bool:
    """Whether a variable holds a `Dify` or `AsyncDify`, without importing them for the question."""
    return any(
        kind.__name__ in ("Dify", "AsyncDify") and kind.__module__.startswith("dify_notebook.")
        for kind in type(value).__mro__
    )
