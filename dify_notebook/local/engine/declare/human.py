"""human-input nodes out of a declaration."""

from __future__ import annotations

from collections.abc import Callable

from ....wire.kinds import FIELD_KINDS, FILE_CONTROLS, FILE_KINDS
from ..forms import FileRules
from ..human_forms import OUTPUT
from ..nodes.human import STYLES, Action, Field, HumanInput
from ..template import Part, Template
from .reader import TableReader, hint
from .scope import Scope, selector_of, template

DAY = 86_400.0
LONGEST = 365 * DAY
MAX_FIELDS, MAX_ACTIONS = 100, 20

Branch = Callable[[str, TableReader], None]
"""Takes a handle and the table whose `next` says where it leads."""


def human_of(table: TableReader, scope: Scope, branch: Branch) -> HumanInput:
    """Raises: DeclarationError."""
    fields = _fields(table, scope)
    actions = _actions(table, branch)
    content = _content(table, scope, [field.name for field in fields])
    return HumanInput(content, fields, actions, table.number("timeout", 3 * DAY, 0.05, LONGEST))


def _fields(table: TableReader, scope: Scope) -> tuple[Field, ...]:
    fields: dict[str, Field] = {}
    for entry in table.tables("inputs", named="name"):
        field = _field(entry, scope)
        if field.name in fields:
            entry.fail("local.declare.twice", "name", id=field.name)
        fields[field.name] = field
        entry.done()
    if len(fields) > MAX_FIELDS:
        table.fail("local.declare.many", "inputs", most=MAX_FIELDS)
    return tuple(fields.values())


def _field(entry: TableReader, scope: Scope) -> Field:
    name = _identifier(entry, "name")
    kind = entry.choice("type", FIELD_KINDS, "paragraph")
    if kind in FILE_CONTROLS:
        rules = FileRules(
            entry.choices("allowed_file_types", FILE_KINDS, ("document",)),
            tuple("." + extension.lower().lstrip(".") for extension in entry.texts("allowed_file_extensions")),
            entry.integer("limit", 3, 1, 10) if kind == "file-list" else 1,
            entry.choices("allowed_file_upload_methods", ("local_file", "remote_url"), ("local_file",)),
        )
        return Field(name, kind, files=rules)
    if kind == "select":
        options = entry.texts("options", None)
        if not options:
            entry.fail("local.declare.missing", "options")
        return Field(name, kind, options=options)
    source = selector_of(entry, "from", scope, entry.text("from")) if entry.has("from") else None
    default = entry.text("default") if entry.has("default") else None
    if source is not None and default is not None:
        entry.fail("local.declare.one_value")
    return Field(name, kind, source or default)


def _actions(table: TableReader, branch: Branch) -> tuple[Action, ...]:
    actions = []
    for entry in table.tables("actions", named="id"):
        name = _identifier(entry, "id")
        actions.append(Action(name, entry.word("title", name), entry.choice("style", STYLES, "default")))
        branch(name, entry)
        entry.done()
    if not actions:
        table.fail("local.declare.missing", "actions")
    if len(actions) > MAX_ACTIONS:
        table.fail("local.declare.many", "actions", most=MAX_ACTIONS)
    return tuple(actions)


def _identifier(entry: TableReader, key: str) -> str:
    """A name that no output of our own has."""
    name = entry.word(key)
    if not name.isidentifier() or not name.isascii() or name.startswith("__"):
        entry.fail("local.declare.name", key, name=name)
    return name


def _content(table: TableReader, scope: Scope, names: list[str]) -> Template:
    """The form's content: templates, and between them the places of fields, which stay as they are."""
    text = table.text("form_content")
    parts: list[Part] = []
    end = 0
    for place in OUTPUT.finditer(text):
        if place[1] not in names:
            known, meant = ", ".join(names) or "–", hint(place[1], names)
            table.fail("local.declare.no_field", "form_content", name=place[1], known=known, hint=meant)
        parts += [*template(table, "form_content", scope, text[end : place.start()]).parts, place[0]]
        end = place.end()
    parts += template(table, "form_content", scope, text[end:]).parts
    return Template(tuple(parts))
