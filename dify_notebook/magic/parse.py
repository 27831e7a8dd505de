"""Reads the line of `%%dify` into its arguments. Pure: no shell, no files, no network."""

from __future__ import annotations

import ast
import keyword
import math
import re
from typing import Any, NoReturn

import msgspec

from ..app.entry_points import suggestion
from ..app.namespace import normalized_name
from ..errors import InputError
from ..i18n import t
from .beside_line import MAX_REPEATS, OF_ONE_CONVERSATION, is_beside, name_and_version, repeats_of
from .objects import read_json
from .split import Word, split
from .typography import DASHES, FULLWIDTH, stray_quote


class LineError(InputError):
    """The line of a magic cannot be read."""


class Assignment(msgspec.Struct, frozen=True):
    """One `-i NAME=TEXT` or `-i NAME:=EXPRESSION`."""

    name: str
    text: str
    expression: bool = False


class Arguments(msgspec.Struct, frozen=True, kw_only=True):
    """What stands on a `%%dify` line. An option that was not given is None, False or empty."""

    profile: str | None = None
    inputs: tuple[Assignment, ...] = ()
    inputs_from: str | dict[str, Any] | None = None
    """What `--inputs` names: a notebook variable as written, which may have attributes and indexes; or the
    JSON object that stands there, which is data and never a path or an expression."""
    as_inputs: bool = False
    """Whether the cell is the inputs, as JSON or TOML."""
    text: str | None = None
    """The input that the cell's text goes into, in an app without conversations."""
    files: tuple[str, ...] = ()
    workflow_id: str | None = None
    conversation: str | None = None
    new: bool = False
    again: bool = False
    append: bool = False
    once: bool = False
    user: str | None = None
    out: str | None = None
    no_vars: bool = False
    dry_run: bool = False
    quiet: bool = False
    timeout: float | None = None
    """Seconds in total, more than 0; of a line that asks several times, of each answer."""
    apps: tuple[str, ...] = ()
    """Of a line that asks side by side: every app as written, perhaps with `@` and a version; empty takes the
    chosen one. `profile` is None then."""
    repeats: int | None = None
    """How often each is asked, from 1."""
    over: str | None = None
    """What `--over` names: a notebook variable that holds a table, as written."""
    budget: str | None = None
    """The most that all of it may cost, as written."""

    @property
    def beside(self) -> bool:
        """Whether the line asks several times, each in a conversation of its own."""
        return bool(self.apps) or (self.repeats, self.over, self.budget) != (None, None, None)


class Option(msgspec.Struct, frozen=True):
    """One option of the line: how it is written and what it takes."""

    field: str
    names: tuple[str, ...]
    value: str = ""
    """What its value is called in help, such as `NAME=TEXT`; empty for a switch."""
    multiple: bool = False

    @property
    def is_flag(self) -> bool:
        return not self.value


OPTIONS = (
    Option("inputs", ("-i", "--input"), "NAME=TEXT", multiple=True),
    Option("inputs_from", ("--inputs",), "DICT_OR_JSON"),
    Option("as_inputs", ("--as-inputs",)),
    Option("text", ("--text",), "NAME"),
    Option("files", ("-f", "--file"), "PATH_OR_URL", multiple=True),
    Option("workflow_id", ("--workflow-id",), "ID"),
    Option("conversation", ("-c", "--conversation"), "ID"),
    Option("new", ("--new",)),
    Option("again", ("--again",)),
    Option("append", ("--append",)),
    Option("once", ("--once",)),
    Option("user", ("--user",), "USER"),
    Option("out", ("-o", "--out"), "NAME"),
    Option("no_vars", ("--no-vars",)),
    Option("dry_run", ("--dry-run",)),
    Option("quiet", ("--quiet",)),
    Option("timeout", ("--timeout",), "SECONDS"),
    Option("repeats", ("--repeat",), "N"),
    Option("over", ("--over",), "TABLE"),
    Option("budget", ("--budget",), "AMOUNT"),
)
BY_NAME = {name: option for option in OPTIONS for name in option.names}

# Pairs that contradict each other, and the sentence that says how.
_CONFLICTS = (
    ("new", "conversation", "magic.line.new_and_conversation"),
    ("new", "again", "magic.line.new_and_again"),
    ("again", "conversation", "magic.line.again_and_conversation"),
    ("append", "new", "magic.line.append_and_new"),
    ("append", "again", "magic.line.append_and_again"),
    ("dry_run", "quiet", "magic.line.dry_run_and_quiet"),
    ("as_inputs", "inputs_from", "magic.line.as_inputs_and_inputs"),
    ("as_inputs", "text", "magic.line.as_inputs_and_text"),
)
INPUT_NAME = re.compile(r"[^\W\d][\w.-]*")
"""How an input may be called behind `-i`."""
_INPUT = re.compile(r"(?P<name>[^\W\d][\w.-]*)(?P<operator>:?=)(?P<text>.*)", re.DOTALL)


def parse_line(line: str) -> Arguments:
    """The arguments that stand on the line.

    >>> parse_line("guide -i city=Paris -o answer").out
    'answer'

    Raises:
        LineError: something on it is not known, lacks its value or contradicts another.
    """
    words = split(line)
    for word in words:
        if word.quote:
            _refuse("magic.line.quote", quote=word.quote, column=word.start + 1)
    if words and words[-1].text == "\\":
        _refuse("magic.line.continued")
    if (stray := stray_quote(line, words)) is not None:
        _refuse("magic.line.typographic", quote=line[stray], column=stray + 1)
    closed = max((word.start for word in words if "}}" in word.text), default=0)
    for word in words:
        if word.start < closed and _ends_in_braces(word.text):
            _refuse("magic.line.braces", text=word.text)
    fields: dict[str, Any] = {}
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if not _looks_like_option(word, line):
            _profile(word, fields)
            continue
        option, name, value = _option(word.text)
        if option.is_flag:
            if value is not None:
                _refuse("magic.line.no_value", option=name)
            fields[option.field] = True
            continue
        if value is None:
            if index == len(words) or _is_known(words[index].text):
                _refuse("magic.line.missing_value", option=name, value=option.value)
            value = words[index].text
            index += 1
        _put(fields, option, name, value)
    for option_name, other_name, key in _CONFLICTS:
        if fields.get(option_name) and fields.get(other_name):
            _refuse(key)
    _settle_apps(fields)
    values: dict[str, Any] = {field: tuple(v) if isinstance(v, list) else v for field, v in fields.items()}
    return Arguments(**values)


def _ends_in_braces(text: str) -> bool:
    """Whether a word ends within `{{ … }}`."""
    return "{{" in text and "}}" not in text.rpartition("{{")[2]


def _looks_like_option(word: Word, line: str) -> bool:
    # A quoted word is a value whatever it begins with.
    return len(word.text) > 1 and word.text.startswith("-") and line[word.start] == "-"


def _is_known(text: str) -> bool:
    return text.partition("=")[0] in BY_NAME


def _option(text: str) -> tuple[Option, str, str | None]:
    """The option of a word, how it was written, and the value joined to it, if any."""
    name, equals, value = text.partition("=")
    if text.startswith("--"):
        if name in BY_NAME:
            return BY_NAME[name], name, value if equals else None
    elif text[:2] in BY_NAME:
        return BY_NAME[text[:2]], text[:2], text[2:].removeprefix("=") or None if len(text) > 2 else None
    known = [option_name for option_name in BY_NAME if option_name.startswith("--")]
    short = name if name.startswith("--") else "-" + name
    _refuse(
        "magic.line.unknown",
        option=name,
        suggestion=suggestion(short, known),
        known=", ".join(option.names[-1] for option in OPTIONS),
    )


def _profile(word: Word, fields: dict[str, Any]) -> None:
    if word.text[0:1] in DASHES and len(word.text) > 1:
        _refuse("magic.line.dash", text=word.text, dash=word.text[0], meant=_intended_option(word.text))
    if name_and_version(word.text) is None:
        _refuse("magic.line.profile", text=word.text)
    if word.text in fields.setdefault("apps", []):
        _refuse("magic.line.app_twice", name=word.text)
    fields["apps"].append(word.text)


def _settle_apps(fields: dict[str, Any]) -> None:
    """Of one app its name and its version; of a line that asks side by side all of them, and what contradicts that."""
    if is_beside(fields):
        for option in OPTIONS:
            if option.field in OF_ONE_CONVERSATION and fields.get(option.field):
                _refuse("magic.line.beside_conversation", option=option.names[-1])
        if fields.get("workflow_id") and fields.get("apps"):
            _refuse("magic.line.beside_version", name=fields["apps"][0], id=fields["workflow_id"])
        return
    for text in fields.pop("apps", ()):
        fields["profile"], version = name_and_version(text) or (text, None)
        if version is not None and fields.get("workflow_id"):
            _refuse("magic.line.version_twice", name=text, id=fields["workflow_id"])
        if version is not None:
            fields["workflow_id"] = version


def _intended_option(text: str) -> str:
    """The option that begins with hyphens where a text has another dash."""
    name = text.lstrip("-" + DASHES)
    return f"--{name}" if f"--{name.partition('=')[0]}" in BY_NAME else f"-{name}"


def _put(fields: dict[str, Any], option: Option, name: str, value: str) -> None:
    if option.field == "inputs":
        assignment = _assignment(value)
        if any(other.name == assignment.name for other in fields.get("inputs", ())):
            _refuse("magic.line.input_twice", name=assignment.name)
        fields.setdefault("inputs", []).append(assignment)
        return
    if not value.strip():
        _refuse("magic.line.missing_value", option=name, value=option.value)
    if option.multiple:
        fields.setdefault(option.field, []).append(value)
        return
    if option.field in fields:
        _refuse("magic.line.twice", option=name)
    if option.field == "inputs_from" and value.lstrip().startswith("{"):
        fields["inputs_from"] = _json(value)
        return
    if option.field == "timeout":
        fields["timeout"] = _seconds(value)
        return
    if option.field == "repeats":
        fields["repeats"] = repeats_of(value) or _refuse("magic.line.repeat", text=value, most=MAX_REPEATS)
        return
    if option.field == "out":
        value = normalized_name(value)
        if not value.isidentifier() or keyword.iskeyword(value):
            _refuse("magic.line.out", name=value)
    fields[option.field] = value


def _assignment(text: str) -> Assignment:
    match = _INPUT.fullmatch(text)
    if match is None and (meant := _INPUT.fullmatch(text.translate(FULLWIDTH))) is not None:
        character = text[meant.end("name")]
        _refuse("magic.line.wide", sign=character, name=meant["name"], meant=meant["operator"])
    if match is None:
        _refuse("magic.line.input", text=text)
    name, value, expression = match["name"], match["text"], match["operator"] == ":="
    if expression:
        try:
            ast.parse(value.strip(), mode="eval")
        except (SyntaxError, ValueError) as error:
            problem = error.msg if isinstance(error, SyntaxError) else str(error)
            _refuse("magic.line.expression", name=name, text=value, problem=problem)
    return Assignment(name, value.strip() if expression else value, expression)


def _json(text: str) -> dict[str, Any]:
    problem = ""
    try:
        return read_json(text)
    except (ValueError, RecursionError) as error:
        problem = str(error)
    _refuse("magic.line.inputs_json", problem=problem)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (0 < seconds < math.inf):
        _refuse("magic.line.timeout", text=text)
    return seconds


def _refuse(key: str, /, **values: object) -> NoReturn:
    raise LineError(t(key, **values), code="magic_line", hint=t("magic.line.hint"))
