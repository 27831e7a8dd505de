"""What a run asks a person, as all views show it: what it says, its fields and actions, and how it is answered."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ..i18n import moment
from ..printable import one_line, shown
from ..turn.forms import Form, FormField
from ..turn.state import Turn
from . import facts, limits
from .block import Block
from .canonical import canonical
from .form_place import form_place
from .guard import escaped, fenced
from .html import element, escape
from .markdown import MarkdownRenderer
from .terminal import terminal_text
from .words import Words, pretty

PLACE = re.compile(r"\{\{#\$output\.([^#{}]{1,200})#\}\}")
"""Where a field stands in what a form says."""
_SYMBOLS = {"waiting": "paused", "filled": "succeeded", "timeout": "incomplete"}


def went_on(turn: Turn, words: Words) -> str:
    """That the run paused and went on later; "" where it did not."""
    done = {form.status for form in turn.forms} - {"waiting"}
    return words("went_on.filled" if "filled" in done else "went_on.timeout") if done else ""


def heading(form: Form, words: Words) -> str:
    """Who asks, and whether the form waits; the action that was chosen."""
    title = one_line(form.title, 80)
    if form.status == "filled" and form.action:
        chosen = next((action.title for action in form.actions if action.id == form.action), form.action)
        state = words("form.chosen", action=one_line(chosen, 80))
    else:
        state = words(f"form.{form.status}")
    return f"{title} \u00b7 {state}" if title else state


def content(form: Form, mark: Callable[[str], str]) -> str:
    """What it says, as markdown: in the place of each field its name, or what was written there; "" for nothing.

    Args:
        mark: makes a name or a value harmless, for the text that it is put into.
    """
    names = {field.name for field in form.fields}
    given = form.inputs or {}

    def put(match: re.Match[str]) -> str:
        name = match[1]
        if name in given:
            return mark(value_text(given[name]))
        return mark(f"[{one_line(name, 80)}]") if name in names else match[0]

    text = form.content[: limits.FORM_TEXT]
    return PLACE.sub(put, text) + (" \u2026" if len(form.content) > limits.FORM_TEXT else "")


def value_text(value: Any) -> str:
    """A value in one line; of files their names."""
    if isinstance(value, list):
        return one_line(", ".join(value_text(item) for item in value[: limits.OPTIONS]), 400)
    if isinstance(value, dict) and isinstance(name := value.get("filename") or value.get("name"), str):
        return one_line(name, 200)
    return one_line(pretty(value), 400)


def field_text(field: FormField, words: Words) -> str:
    """What a field takes: its kind, the options, what stands in it."""
    parts = [words.known(f"form.kind.{field.type}", field.type)]
    if field.options:
        options = ", ".join(one_line(option, 80) for option in field.options[: limits.OPTIONS])
        more = len(field.options) - limits.OPTIONS
        parts.append(words("form.options", options=f"{options} +{more}" if more > 0 else options))
    if field.default is not None:
        parts.append(words("form.default", value=value_text(field.default)))
    elif field.required:
        parts.append(words("form.required"))
    return " \u00b7 ".join(parts)


def until(form: Form, words: Words) -> str:
    """Until when it can be answered, on this machine's clock; "" where that is not known."""
    return words("form.until", time=moment(form.expires_at)) if form.expires_at else ""


def notes(form: Form, words: Words) -> list[str]:
    """Until when a form waits, and where it can be found again: in a notebook alone."""
    in_notebook = hasattr(form.link, "variable")
    return [text for text in (until(form, words), words("form.resume") if in_notebook else "") if text]


def python(form: Form, index: int) -> str:
    """The lines of Python that answer the form, to be copied."""
    action = form.actions[0].id if form.actions else ""
    given = {}
    for field in form.fields:
        if field.default is None and field.required:
            value = field.options[0] if field.options else "\u2026"
            given[field.name] = 'open("\u2026", "rb")' if field.type in ("file", "file-list") else repr(value)
    files = {field.name for field in form.fields if field.type == "file-list"}
    inputs = ", ".join(f"{name!r}: {f'[{text}]' if name in files else text}" for name, text in given.items())
    arguments = f"action={action!r}" + (f", inputs={{{inputs}}}" if inputs else "")
    variable = getattr(form.link, "variable", None)
    # Where no name holds its turn any more, one that did may hold that of another run.
    if variable == "" and form.workflow_run_id:
        return one_line(f"%dify resume {form.workflow_run_id}", 200)
    if form.link is None:
        line = f"dify.forms.submit(turn.forms[{index}], {arguments})"
    else:
        line = f"{variable or 'turn'}.forms[{index}].submit({arguments})"
    # What is no plain letter here is a server's; shown as it would harm nobody, it need not run.
    line = one_line(line, 2_000)
    return f"import dify_notebook\n{line}" if variable == LAST else line


LAST = "dify_notebook.last"
"""What always holds the last turn of a cell."""


def _rows(form: Form, words: Words) -> list[tuple[str, list[tuple[str, str]]]]:
    """The lists below a waiting form: a label, and names with what is to be said of each."""
    fields = [(one_line(field.name, 80), field_text(field, words)) for field in form.fields]
    actions = [(one_line(action.id, 80), one_line(action.title, 80)) for action in form.actions]
    return [(words(key), rows) for key, rows in (("form.fields", fields), ("form.actions", actions)) if rows]


def _submitted(form: Form, words: Words) -> list[tuple[str, list[tuple[str, str]]]]:
    """What was submitted, where the form's own text does not show it."""
    given = form.inputs or {}
    placed = set(PLACE.findall(_source(form)[: limits.FORM_TEXT]))
    missing = [name for name in given if name not in placed]
    rows = [(one_line(name, 80), value_text(given[name])) for name in missing]
    return [(words("form.submitted"), rows)] if rows else []


def _source(form: Form) -> str:
    source = form.data.get("form_content") if isinstance(form.data, dict) else None
    return source if isinstance(source, str) else form.content


def _lists(form: Form, words: Words) -> list[tuple[str, list[tuple[str, str]]]]:
    return _rows(form, words) if form.status == "waiting" else _submitted(form, words)


# --- blocks


def blocks(turn: Turn, words: Words, memo: Any) -> list[Block]:
    """The forms of a turn, in order. That of a waiting one is also the place where it can be filled in."""
    out = []
    for index, form in enumerate(turn.forms[: limits.FORMS]):
        variable = getattr(form.link, "variable", None)
        values = (form, form.link is None, variable, words.lang)
        out.append(memo.get(("form", index), values, _block, form, index, words))
    if hidden := words.omitted(len(turn.forms), limits.FORMS, "turn.forms"):
        out.append(Block("rest", "div", {"class": "dn-note-cut"}, escape(hidden)))
    return out


def _block(form: Form, index: int, words: Words) -> Block:
    from .parts import span, status_symbol

    sign = status_symbol(_SYMBOLS[form.status])
    body = [Block("head", "div", {}, f"{sign} {span('dn-name', heading(form, words))}")]
    if text := content(form, escaped):
        children = tuple(MarkdownRenderer().update(text, ended=True))
        body.append(Block("content", "div", {"class": "dn-answer"}, "", children))
    for label, rows in _lists(form, words):
        items = "".join(_item(name, detail) for name, detail in rows)
        body.append(Block(f"label-{len(body)}", "div", {"class": "dn-field"}, escape(label)))
        body.append(Block(f"list-{len(body)}", "div", {}, element("ul", {"class": "dn-list"}, items)))
    if form.status == "waiting":
        body.append(Block("how", "div", {"class": "dn-field"}, escape(words("form.how"))))
        body.append(Block("python", "pre", {"class": "dn-val"}, escape(python(form, index))))
        if said := " ".join(notes(form, words)):
            body.append(Block("until", "div", {"class": "dn-quiet"}, escape(said)))
    place = f" {form_place(form)}" if form.status == "waiting" else ""
    return Block(str(index), "section", {"class": f"dn-form{place}"}, "", tuple(body))


def _item(name: str, detail: str) -> str:
    strong = element("strong", {}, escape(name))
    return element("li", {"class": "dn-li"}, strong + escape(f" \u00b7 {detail}" if detail else ""))


# --- text


def lines(form: Form, index: int, words: Words) -> list[str]:
    """One form for a terminal."""
    sign = facts.STATUS_SYMBOLS[_SYMBOLS[form.status]]
    out = [f"{sign} {heading(form, words)}"]
    if text := content(form, lambda value: value):
        out += ["", _indented(shown(terminal_text(text)).strip("\n")), ""]
    for label, rows in _lists(form, words):
        out.append(f"    {label}{words.colon.rstrip()}")
        out += [f"      {name}" + (f" \u00b7 {detail}" if detail else "") for name, detail in rows]
    if form.status == "waiting":
        out.append(f"    {words('form.how')}{words.colon.rstrip()}")
        out += [f"      {line}" for line in python(form, index).split("\n")]
        out += [f"    {text}" for text in notes(form, words)]
    return out if out[-1] else out[:-1]


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else line for line in text.split("\n"))


def text(turn: Turn, words: Words) -> list[str]:
    """All forms of a turn for a terminal."""
    out: list[str] = []
    for index, form in enumerate(turn.forms[: limits.FORMS]):
        out += ([""] if out else []) + lines(form, index, words)
    hidden = words.omitted(len(turn.forms), limits.FORMS, "turn.forms")
    return [*out, hidden] if hidden else out


# --- markdown


def document(turn: Turn, words: Words) -> list[str]:
    """The forms of a turn as parts of a markdown document."""
    out = []
    for index, form in enumerate(turn.forms[: limits.FORMS]):
        sign = facts.STATUS_SYMBOLS[_SYMBOLS[form.status]]
        out.append(f"{sign} **{escaped(heading(form, words))}**")
        if detail := content(form, escaped):
            out.append(canonical(detail).strip("\n"))
        for label, rows in _lists(form, words):
            items = [f"- {escaped(name)}" + (f" \u00b7 {escaped(what)}" if what else "") for name, what in rows]
            out.append(f"**{escaped(label)}**\n\n" + "\n".join(items))
        if form.status == "waiting":
            out.append(f"**{escaped(words('form.how'))}**\n\n{fenced(python(form, index), 'python')}")
            out.append(escaped(" ".join(notes(form, words))))
    if hidden := words.omitted(len(turn.forms), limits.FORMS, "turn.forms"):
        out.append(escaped(hidden))
    return out
