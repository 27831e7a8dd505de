"""What a sweep asks for, as the user wrote it, and how it is read: which texts are columns, templates or themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

import msgspec

from ...app.file_references import is_url, remote
from ...app.files import holds_file
from ...app.namespace import normalized_name
from ...app.template import Placeholder, Template, TemplateError
from ...app.values import Unserializable, is_missing, to_builtins
from ...errors import InputError
from ...i18n import t
from ...paths import expand
from ...printable import one_line
from .identity import canonical, repeatable
from .rows import Table, no_column

Script = str | Sequence[str]
"""One question, or a list of turns."""
ROW = "row"
"""How a template may call the row: `{{ row.question }}`."""
_BRACES = re.compile(r"\{\{([^{}]*)\}\}")
_LETTERS = re.compile(r"[\W_]+")
_CLOSE = 0.8
"""How alike a text and a column's name are where one is taken for a slip of the other, of 1."""
_SHORTEST, _LONGEST = 4, 80
"""Letters of what may be such a slip."""


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: prompts, inputs and files over a table, so many times, in an order."""

    query: Script | Mapping[str, Script] | None = None
    """A text with `{{ column }}`; a list of them is a script of turns; a dict names several. None: inputs alone."""
    inputs: Mapping[str, Any] | None = None
    """By name: a list varies, a column's name is that column, a text with braces is filled, all else is itself."""
    files: Any = None
    """As for `chat.send`, or the name of a column."""
    over: Any = None
    """A DataFrame of pandas or polars, or a list of dicts; None is one question."""
    id: str | None = None
    """The column that labels the rows."""
    cluster: str | None = None
    """The column that says which rows belong together."""
    repeats: int = 1
    seed: int = 0


class Column(msgspec.Struct, frozen=True):
    """A value that is the cell of a column."""

    name: str


class Itself(msgspec.Struct, frozen=True):
    """A value that is the same in all rows."""

    value: Any


Written = Column | Template | Itself


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """A design as it was read for one table."""

    prompts: dict[str | None, tuple[Template, ...]]
    """By name, None for the only one; without a turn where there is no query."""
    inputs: dict[str, Written]
    varied: dict[str, tuple[Itself | Template, ...]]
    values: dict[str, tuple[Any, ...]]
    """The same as the user wrote them."""
    files: Written

    def roles(self) -> tuple[frozenset[str], frozenset[str]]:
        """The columns whose cells are values or files themselves, and those that stand in texts; some are both."""
        inputs: list[Written] = [*self.inputs.values(), self.files]
        inputs += [value for values in self.varied.values() for value in values]
        alone = [each for each in inputs if isinstance(each, Column) or (isinstance(each, Template) and each.alone)]
        texts: list[Written] = [text for turns in self.prompts.values() for text in turns]
        texts += [each for each in inputs if each not in alone]
        return _names(alone), _names(texts)

    def columns(self) -> tuple[str, ...]:
        """Those that are used, by name."""
        return tuple(sorted(frozenset.union(*self.roles())))


def _names(written: Sequence[Written]) -> frozenset[str]:
    return frozenset(name for each in written for name in columns_of(each))


def columns_of(written: Written) -> tuple[str, ...]:
    """The columns that a value is made of."""
    if isinstance(written, Column):
        return (written.name,)
    return tuple(each.name for each in written.placeholders) if isinstance(written, Template) else ()


def filled(text: Template, row: Mapping[str, Any]) -> str:
    """The text in that row.

    Raises:
        TemplateError: it cannot be filled.
        InputError: a cell that stands in it is missing.
    """
    for name in columns_of(text):
        if is_missing(row[name]):
            _refuse("sweep.cases.missing_cell", "query", name=one_line(name), value=one_line(repr(row[name])))
    return text.fill(row)


def value_of(written: Written, row: Mapping[str, Any]) -> Any:
    """The value in that row, in its own type; None where it is not given.

    Raises:
        InputError: a text cannot be filled.
    """
    if isinstance(written, Itself):
        return written.value
    if isinstance(written, Template) and written.alone is None:
        return filled(written, row)
    value = row[written.name] if isinstance(written, Column) else written.value(row)
    if holds_file(value):
        return repeatable(value)
    return None if is_missing(value) else value


def read(design: Design, table: Table) -> Layout:
    """The design's texts as what they mean over this table.

    Raises:
        InputError: something cannot be meant so; the message names it.
    """
    for name in ("id", "cluster"):
        column = getattr(design, name)
        if column is not None:
            table.check_column(column, name)
    for name, least in (("repeats", 1), ("seed", None)):
        number = getattr(design, name)
        if type(number) is not int or (least is not None and number < least):
            _refuse("sweep.cases.number", name, name=name, value=one_line(repr(number)))
    if design.inputs is not None and not isinstance(design.inputs, Mapping):
        _refuse("sweep.cases.inputs", "inputs", type=type(design.inputs).__name__)
    inputs: dict[str, Written] = {}
    varied: dict[str, tuple[Itself | Template, ...]] = {}
    values: dict[str, tuple[Any, ...]] = {}
    for name, value in (design.inputs or {}).items():
        if not isinstance(name, str):
            _refuse("sweep.cases.inputs", "inputs", type=type(name).__name__)
        place = f"inputs[{name!r}]"
        if isinstance(value, list | tuple):
            values[name] = tuple(value)
            varied[name] = _varied(value, table, place)
        else:
            inputs[name] = _input(value, table, place)
    return Layout(
        prompts=_prompts(design.query, table), inputs=inputs, varied=varied, values=values,
        files=_files(design.files, table),
    )  # fmt: skip


def read_used(design: Design, table: Table) -> Layout:
    """As `read`; a table of which nothing would be asked is refused too.

    Raises:
        InputError: as for `read`, or no column is named.
    """
    layout = read(design, table)
    names = [one_line(name, 40) for name in table.columns if name not in (design.id, design.cluster)][:20]
    if names and not layout.columns():
        said, hint = t("sweep.cases.same", columns=", ".join(names)), t("sweep.cases.same_hint", name=names[0])
        raise InputError(said, code="query", hint=hint)
    return layout


def _prompts(query: Any, table: Table) -> dict[str | None, tuple[Template, ...]]:
    if query is None:
        return {None: ()}
    if not isinstance(query, Mapping):
        return {None: _script(query, table, "query")}
    if not query:
        _refuse("sweep.cases.no_prompt", "query")
    prompts: dict[str | None, tuple[Template, ...]] = {}
    texts: dict[tuple[str, ...], str] = {}
    for name, script in query.items():
        if not isinstance(name, str) or not name.strip():
            _refuse("sweep.cases.prompt_name", "query", name=one_line(repr(name)))
        prompts[name] = _script(script, table, f"query[{name!r}]")
        same = texts.setdefault(tuple(turn.text for turn in prompts[name]), name)
        if same != name:
            _refuse("sweep.cases.same_prompt", "query", one=one_line(same), other=one_line(name))
    return prompts


def _script(script: Any, table: Table, place: str) -> tuple[Template, ...]:
    if isinstance(script, str):
        if script in table.columns:
            meant = script if script.isidentifier() else f'row["{script}"]'
            _refuse("sweep.cases.query_slip", "query", place=place, value=one_line(script), meant=one_line(meant))
        return (_template(script, table, place),)
    if not isinstance(script, list | tuple) or not script:
        _refuse("sweep.cases.query", "query", place=place, type=type(script).__name__)
    for number, turn in enumerate(script, 1):
        if not isinstance(turn, str):
            _refuse("sweep.cases.query", "query", place=f"{place}, {number}", type=type(turn).__name__)
    return tuple(_template(turn, table, f"{place}, {number}") for number, turn in enumerate(script, 1))


def _template(text: str, table: Table, place: str) -> Template:
    """The text, its placeholders called by the columns that they mean."""
    names = {normalized_name(column): column for column in table.columns}
    names |= {column: column for column in table.columns}  # a name as it is written comes before one that is alike

    def column_of(placeholder: Placeholder) -> Placeholder:
        steps = placeholder.steps
        named = str(steps[0][1]) if placeholder.name == ROW and steps else None
        if named is not None and (name := names.get(named, names.get(normalized_name(named)))) is not None:
            return Placeholder(placeholder.source, name, steps[1:], placeholder.offset)
        if (name := names.get(placeholder.name)) is not None:
            return Placeholder(placeholder.source, name, steps, placeholder.offset)
        unknown = str(steps[0][1]) if placeholder.name == ROW and steps else placeholder.name
        raise no_column(unknown, table, place)

    try:
        return Template(text, label=place).renamed(column_of)
    except TemplateError:
        inside = {found.strip() for found in _BRACES.findall(text)}
        meant = next((name for name in table.columns if name in inside and not name.isidentifier()), None)
        if meant is None:
            raise
    _refuse("sweep.cases.quoted", "query", place=place, name=one_line(meant))


def _varied(values: Sequence[Any], table: Table, place: str) -> tuple[Itself | Template, ...]:
    if not values:
        _refuse("sweep.cases.no_value", "inputs", place=place)
    made: list[Itself | Template] = []
    for position, value in enumerate(values):
        if any(_equal(other, value) for other in values[:position]):
            _refuse("sweep.cases.same_value", "inputs", place=place, value=one_line(repr(value), 80))
        made.append(_text_or_itself(value, table, place))
    return tuple(made)


def _equal(one: Any, other: Any) -> bool:
    """Whether two values are sent alike."""
    if type(one) is not type(other):
        return False
    spelled = []
    for value in (one, other):
        try:
            spelled.append(canonical(to_builtins(value)))
        except (Unserializable, ValueError):
            return bool(one == other) if holds_file(one) else one is other
    return spelled[0] == spelled[1]


def _input(value: Any, table: Table, place: str) -> Written:
    if isinstance(value, str):
        if value in table.columns:
            return Column(value)
        written = _text_or_itself(value, table, place)
        meant = _slip(value, table) if isinstance(written, Itself) else None
        if meant is not None:
            _refuse("sweep.cases.slip", "inputs", place=place, value=one_line(value), name=one_line(meant))
        return written
    return _text_or_itself(value, table, place)


def _text_or_itself(value: Any, table: Table, place: str) -> Itself | Template:
    if isinstance(value, str):
        text = _template(str.__str__(value), table, place)
        return text if text.placeholders else Itself(text.fill({}))
    return Itself(repeatable(value) if holds_file(value) else value)


def _slip(text: str, table: Table) -> str | None:
    """The column that somebody may have meant who wrote this: alike but for case, signs, or a letter or two."""
    plain = {_LETTERS.sub("", column.casefold()): column for column in table.columns}
    word = _LETTERS.sub("", text.casefold())
    if word in plain:
        return plain[word]
    close = get_close_matches(word, plain, n=1, cutoff=_CLOSE) if _SHORTEST <= len(word) <= _LONGEST else []
    return plain[close[0]] if close else None


def _files(files: Any, table: Table) -> Written:
    if files is None:
        return Itself(None)
    if isinstance(files, str):
        if files not in table.columns:
            raise no_column(files, table, "files")
        return Column(files)
    if not isinstance(files, list | tuple):
        _refuse("sweep.cases.files", "files", type=type(files).__name__)
    # Texts are typed here by the user, as for `chat.send`; those of a table are never paths.
    return Itself([_named(file) for file in files])


def _named(file: Any) -> Any:
    if isinstance(file, str):
        return remote(file) if is_url(file) else repeatable(expand(file))
    return repeatable(file)


def _refuse(key: str, code: str, /, **values: object) -> NoReturn:
    raise InputError(t(key, **values), code=code, hint=t("magic.value.hint"))
