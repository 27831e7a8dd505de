"""What the Tab key offers on a `%%dify` or `%dify` line, and for names inside `{{ }}`.

The decision is pure (`complete`); `Matcher` hands it to IPython. Nothing here asks a server:
inputs and conversations are offered when they are known already.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import msgspec

from ..printable import is_plain
from ..profiles import RESERVED
from .held import MODES
from .parse import BY_NAME, INPUT_NAME, OPTIONS
from .split import Word, split

SUBCOMMANDS: Mapping[str, tuple[str, ...]] = {
    "apps": (),
    "connect": (),
    "conversations": ("--export",),
    "doctor": ("--stream",),
    "forget": (),
    "help": (),
    "history": ("--details", "--since", "--until", "--users"),
    "mode": MODES,
    "new": (),
    "resume": (),
    "runs": ("list", "off", "on"),
    "use": RESERVED,
}
"""What `%dify` does, and the fixed words that may follow."""
_FLAGS = ("--details",)
"""Those of `%dify history` that take no value."""

_CELL = re.compile(r"\A\s*%%dify(?=\s)[ \t]*")
_LINE = re.compile(r"\A\s*%dify(?=\s)[ \t]*")
_NAME_IN_BRACES = re.compile(r"(?<!\\)\{\{\s*([^\W\d]\w*)?\Z")
_COLUMN_IN_BRACES = re.compile(r"(?<!\\)\{\{\s*row\s*\.\s*([^\W\d]\w*)?\Z")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_UNITS = ("USD", "CNY", "tokens", "calls")
"""What a budget is often given in."""


class Candidates(msgspec.Struct, frozen=True):
    """What can be completed without a request to the server."""

    clients: tuple[str, ...] = ()
    """Notebook variables that are clients."""
    names: tuple[str, ...] = ()
    """Notebook variables of every kind."""
    dicts: tuple[str, ...] = ()
    """Those that hold a mapping, or a row of a table."""
    turns: tuple[str, ...] = ()
    """Those that hold a turn."""
    histories: tuple[str, ...] = ()
    """Those that hold a history."""
    conversations: tuple[str, ...] = ()
    """Ids that were used in this kernel."""
    inputs: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The app's variables, each with the options of a select."""
    texts: tuple[str, ...] = ()
    """Those of its variables that the cell's text may go into."""
    profiles: tuple[str, ...] = ()
    """Names of profiles."""
    tables: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Notebook variables that hold a table, each with its columns."""


class Completions(msgspec.Struct, frozen=True):
    """What may replace `fragment`, the end of the text before the cursor."""

    fragment: str
    texts: tuple[str, ...]


def complete(typed: str, candidates: Candidates, paths: Callable[[str], list[str]] | None = None) -> Completions | None:
    """The completions for a cell's text before the cursor, or None where it is not ours.

    What cannot be typed on a line as it stands, or is longer than a line should be, is not offered: names come
    from servers and file systems too.

    >>> complete("%%dify --ti", Candidates()).texts
    ('--timeout',)
    """
    found = _complete(typed, candidates, paths)
    return found and Completions(found.fragment, tuple(text for text in found.texts if is_plain(text)))


def _complete(typed: str, candidates: Candidates, paths: Callable[[str], list[str]] | None) -> Completions | None:
    if (cell := _CELL.match(typed)) is not None:
        if "\n" not in typed:
            return _cell_line(typed[cell.end() :], candidates, paths or _paths)
        return _in_braces(typed, typed[cell.end() :].partition("\n")[0], candidates)
    current = typed.rpartition("\n")[2]
    if (line := _LINE.match(current)) is not None:
        return _line(current[line.end() :], candidates)
    return None


def _with_prefix(fragment: str, texts: Iterable[str]) -> Completions:
    return Completions(fragment, tuple(text for text in texts if text.startswith(fragment)))


def _in_braces(typed: str, line: str, candidates: Candidates) -> Completions | None:
    """A name inside of `{{ }}`; of a line with `--over` also `row` and its columns."""
    words = [word.text for word in split(line)]
    over = next((words[i + 1] for i, word in enumerate(words[:-1]) if word == "--over"), None)
    over = over or next((word.partition("=")[2] for word in words if word.startswith("--over=")), None)
    if over is not None and (column := _COLUMN_IN_BRACES.search(typed)) is not None:
        return _with_prefix(column[1] or "", [c for c in dict(candidates.tables).get(over, ()) if c.isidentifier()])
    braces = _NAME_IN_BRACES.search(typed)
    names = candidates.names if over is None else dict.fromkeys(("row", *candidates.names))
    return _with_prefix(braces[1] or "", names) if braces else None


def _cell_line(line: str, candidates: Candidates, paths: Callable[[str], list[str]]) -> Completions | None:
    braces = _in_braces(line, line, candidates)
    if braces:
        return braces
    words = split(line)
    open_word = words[-1] if words and (words[-1].end == len(line) and not line[-1:].isspace()) else None
    if words and words[-1].quote:
        open_word = words[-1]
    complete_words = words[:-1] if open_word else words
    option, value = _option_at(complete_words, open_word)
    if option is None:
        if value.startswith("-"):
            written = {word.text.partition("=")[0] for word in complete_words}
            used = {BY_NAME[name].field for name in written if name in BY_NAME}
            free = [o for o in OPTIONS if o.multiple or o.field not in used]
            return _with_prefix(value, [o.names[-1] for o in free])
        named = _names(complete_words)
        known = (*candidates.profiles, *RESERVED, *candidates.clients)
        return _with_prefix(value, [name for name in known if name not in named])
    return _value(option, value, candidates, paths, open_word)


def _option_at(complete_words: list[Word], open_word: Word | None) -> tuple[str | None, str]:
    """The field whose value is being typed (None: an option or a profile), and its text so far."""
    text = open_word.text if open_word else ""
    if complete_words and (option := BY_NAME.get(complete_words[-1].text)) is not None and not option.is_flag:
        return option.field, text
    name, equals, value = text.partition("=")
    if equals and name.startswith("--") and (option := BY_NAME.get(name)) is not None and not option.is_flag:
        return option.field, value
    return None, text


def _names(complete_words: list[Word]) -> set[str]:
    """The apps that the line names already."""
    takes_value, names = False, set()
    for word in complete_words:
        option = BY_NAME.get(word.text.partition("=")[0])
        if not takes_value and option is None and not word.text.startswith("-"):
            names.add(word.text)
        takes_value = option is not None and not option.is_flag and "=" not in word.text
    return names


def _value(
    field: str,
    value: str,
    candidates: Candidates,
    paths: Callable[[str], list[str]],
    word: Word | None,
) -> Completions | None:
    if field == "inputs":
        name, equals, text = value.partition("=")
        if not equals:
            variables = [variable for variable, _ in candidates.inputs if INPUT_NAME.fullmatch(variable)]
            return _with_prefix(name, [f"{variable}=" for variable in variables])
        return None if name.endswith(":") else _quoted(text, dict(candidates.inputs).get(name, ()), word)
    if field == "text":
        return _with_prefix(value, candidates.texts)
    if field == "inputs_from":
        return _with_prefix(value, candidates.dicts)
    if field == "conversation":
        ids = [id for id in candidates.conversations if not id.startswith("-")]
        return _quoted(value, (*candidates.turns, *ids), word)
    if field == "files":
        return _file(value, paths, word.quote if word else "")
    if field == "over":
        return _with_prefix(value, [name for name, _ in candidates.tables])
    if field == "repeats":
        return _with_prefix(value, ("2", "3", "5", "10"))
    if field == "budget" and (number := _NUMBER.match(value)) is not None:
        return _with_prefix(value, [number[0] + unit for unit in _UNITS])
    if field == "out":
        return _with_prefix(value, dict.fromkeys(("answer", *candidates.turns)))
    return None


def _quoted(value: str, texts: Iterable[str], word: Word | None) -> Completions:
    """Completions of a server's texts, quoted as one word of the line; without those that a template would fill in."""
    quote = word.quote if word else ""
    fitting = [text for text in texts if text.strip() and text.startswith(value) and "{{" not in text]
    if quote:
        return Completions(value, tuple(text for text in fitting if quote not in text and "\\" not in text))
    written = ((_escaped(text, "\\"), text) for text in fitting)
    return Completions(_escaped(value, "\\"), tuple(escaped for escaped, text in written if _parses_as(escaped, text)))


def _parses_as(written: str, text: str) -> bool:
    """Whether a word of the line is read as that text; backslashes protect nothing in a path of Windows."""
    return [word.text for word in split(f"{written} tone={written}")] == [text, f"tone={text}"]


def _escaped(text: str, also: str = "") -> str:
    """The text with a backslash before what would end its word."""
    special = f"'\"{also}"
    return "".join(f"\\{each}" if each.isspace() or each in special else each for each in text)


def _file(value: str, paths: Callable[[str], list[str]], quote: str) -> Completions:
    # Only the last part of the path is replaced: what stands before it may be quoted or protected.
    fragment = re.split(r"[/\\]", value)[-1]
    head = value[: len(value) - len(fragment)]
    names = []
    for path in paths(value):
        name = path[len(head) :]
        if quote not in name or not quote:
            names.append(name if quote else _escaped(name))
    typed = fragment if quote else _escaped(fragment)
    return Completions(typed, tuple(names))


def _paths(start: str) -> list[str]:
    """Paths that begin so, directories with a separator at the end; hidden ones when asked for."""
    expanded = os.path.expanduser(start)
    paths = []
    for path in sorted(glob.glob(glob.escape(expanded) + "*"))[:200]:
        path += os.sep if os.path.isdir(path) else ""
        paths.append(start + path[len(expanded) :])
    return paths


def _line(line: str, candidates: Candidates) -> Completions | None:
    words = line.split()
    typing = "" if not line or line[-1].isspace() else words.pop()
    if not words:
        return _with_prefix(typing, SUBCOMMANDS)
    if words[0] == "history":
        return _history(typing, words[1:], candidates)
    if len(words) == 1 and words[0] in SUBCOMMANDS:
        more = {
            "use": (*candidates.profiles, *candidates.clients),
            "connect": candidates.profiles,
            "forget": candidates.profiles,
            "resume": candidates.turns,
        }.get(words[0], ())
        return _with_prefix(typing, (*SUBCOMMANDS[words[0]], *more))
    return None


def _history(typing: str, words: list[str], candidates: Candidates) -> Completions:
    """A variable first, then options in any order, each once; after --users the word for everyone."""
    options = SUBCOMMANDS["history"]
    if words and words[-1] in options and words[-1] not in _FLAGS:
        return _with_prefix(typing, ("all",) if words[-1] == "--users" else ())
    free = [option for option in options if option not in words]
    return _with_prefix(typing, (*(() if words else candidates.histories), *free))


class Matcher:
    """Answers IPython's completer; `known` is called when there is something of ours to complete."""

    matcher_identifier = "dify_notebook"
    matcher_priority = 0.0
    matcher_api_version = 2

    def __init__(self, candidates: Callable[[], Candidates]) -> None:
        self._candidates = candidates
        self.__qualname__ = type(self).__qualname__  # IPython names a matcher by it

    def __call__(self, context: Any) -> dict[str, Any]:
        from IPython.core.completer import SimpleCompletion

        lines = context.full_text.split("\n")[: context.cursor_line + 1]
        typed = "\n".join([*lines[:-1], lines[-1][: context.cursor_position]])
        completions = None
        if "%dify" in typed:
            completions = complete(typed, self._candidates())
        if completions is None or not completions.texts:
            return {"completions": []}
        return {
            "completions": [SimpleCompletion(text=text, type="dify") for text in completions.texts],
            "matched_fragment": completions.fragment,
            "ordered": True,
            "suppress": True,
        }


def candidates_from(
    namespace: Mapping[str, Any],
    conversations: Iterable[str],
    controls: Collection[Mapping[str, Any]],
    profiles: Iterable[str] = (),
) -> Candidates:
    """What the notebook's variables and the app session's memory have to offer."""
    from ..app.controls import options_of
    from ..app.tables import columns_of, is_row, is_rows
    from ..turn.state import Turn
    from ..wire.kinds import FILE_CONTROLS

    variables = {
        name: value
        for name, value in dict(namespace).items()
        if not name.startswith("_") and name not in ("In", "Out", "exit", "quit", "get_ipython", "open")
    }
    return Candidates(
        clients=tuple(name for name, value in variables.items() if is_client(value)),
        names=tuple(variables),
        dicts=tuple(name for name, value in variables.items() if isinstance(value, Mapping) or is_row(value)),
        turns=tuple(name for name, value in variables.items() if isinstance(value, Turn)),
        histories=tuple(
            name for name, value in variables.items() if type(value).__module__ == "dify_notebook.frames.history"
        ),
        conversations=tuple(conversations),
        profiles=tuple(profiles),
        tables=tuple((name, columns_of(value)) for name, value in variables.items() if is_rows(value)),
        inputs=tuple((str(control.get("variable")), tuple(options_of(control))) for control in controls),
        texts=tuple(str(control.get("variable")) for control in controls if control.get("type") not in FILE_CONTROLS),
    )


def is_client(value: object) -> bool:
    """Whether a variable holds a `Dify` or `AsyncDify`, without importing them for the question."""
    return any(
        kind.__name__ in ("Dify", "AsyncDify") and kind.__module__.startswith("dify_notebook.")
        for kind in type(value).__mro__
    )
