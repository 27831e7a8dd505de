"""A form as a browser shows it, and what comes back of it. Pure; for a cell and for the panel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, get_args

from ..i18n import Language, t
from ..printable import glyphs, one_line
from ..turn.forms import Form
from ..turn.forms import FormField as Field
from ..views.diff import to_wire
from ..views.form_place import form_place
from ..views.forms import PLACE
from ..views.markdown import MarkdownRenderer
from .protocol import FormAction, FormField, FormLabels, FormPart, FormState

Status = Literal["waiting", "sending", "done", "expired"]
Style = Literal["primary", "default", "accent", "ghost"]
Control = Literal["area", "line", "choice", "file"]

CONTROLS: dict[str, Control] = {
    "paragraph": "area",
    "file": "file",
    "file-list": "file",
}
"""By the types of Dify 1.16; any other is written in a line."""
STYLES: dict[str, Style] = {style: style for style in get_args(Style)}
CONTENT, VALUE, NAME = 50_000, 100_000, 200
"""Characters that are shown of a form's text, of a value, and of a name, at most."""


def form_state(
    form: Form, lang: Language, *, now: float, status: Status | None = None, error: str = "", uploads: bool = False
) -> FormState:
    """The form as it is told to a browser, without its token and its ids.

    Args:
        now: seconds since the epoch.
        status: what is known beyond the form: that its answer is on its way.
        error: why an answer was refused, in the reader's words.
        uploads: whether the browser can send files.
    """
    expires = form.expires_at
    left = None if expires is None else expires.timestamp() - now
    waiting: Status = "expired" if form.status == "timeout" or (left is not None and left <= 0) else "waiting"
    return FormState(
        place=form_place(form),
        status="done" if form.status == "filled" else status or waiting,
        title=one_line(form.title, NAME) or t("live.form.untitled", lang),
        parts=_parts(form, lang, uploads),
        actions=[
            FormAction(str(index), one_line(action.title, NAME), STYLES.get(action.style, "default"))
            for index, action in enumerate(form.actions)
        ],
        left=left,
        labels=_labels(lang),
        error=error,
    )


def form_answer(form: Form, action: str, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """What was chosen and typed, under the names that the server gave: an action's id, and values by field.

    What stands as the form had it is left out, so that the default itself counts, which need not be a text.
    A file that is given as a text is none.

    Raises:
        ValueError: the form has no such button, field or option.
    """
    try:
        chosen = form.actions[_index(action)]
        given: dict[str, Any] = {}
        for key, value in inputs.items():
            field = form.fields[_index(key)]
            control = _control(field)
            as_it_stood = field.default is not None and value == _value(field)
            if as_it_stood or (control == "file" and isinstance(value, str)):
                continue
            given[field.name] = field.options[_index(value)] if control == "choice" else value
    except IndexError:
        raise ValueError("the form has no such button, field or option") from None
    return chosen.id, given


def _index(name: object) -> int:
    """A number that the browser was given as a name.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(name, str) and name.isascii() and name.isdecimal() and len(name) < 6:
        return int(name)
    raise ValueError("the form has no such button, field or option")


def _parts(form: Form, lang: Language, uploads: bool) -> list[FormPart]:
    """What it says, cut where its fields stand; those that stand nowhere come at the end."""
    fields = {field.name: _field(str(index), field, lang, uploads) for index, field in enumerate(form.fields)}
    pieces = PLACE.split(form.content[:CONTENT])
    parts: list[FormPart] = []
    text = pieces[0]
    for name, after in zip(pieces[1::2], pieces[2::2], strict=True):
        field = fields.pop(name, None)
        if field is None:  # unknown, or shown already
            text += after
            continue
        parts.append(FormPart(_blocks(text), field))
        text = after
    parts += [FormPart(_blocks(text))] if text.strip() else []
    return parts + [FormPart([], field) for field in fields.values()]


def _blocks(text: str) -> list[Any]:
    return [to_wire(block) for block in MarkdownRenderer().update(text, ended=True)]


def _field(name: str, field: Field, lang: Language, uploads: bool) -> FormField:
    control = _control(field)
    label = one_line(field.name, NAME)
    return FormField(
        name=name,
        control=control,
        label=label,
        value=_value(field),
        options=[one_line(option, NAME) or t("live.form.empty", lang) for option in field.options],
        required=field.required,
        note=t("live.form.file", lang, name=label) if control == "file" and not uploads else "",
        many=field.type == "file-list",
    )


def _control(field: Field) -> Control:
    if field.options:
        return "choice"
    lines = isinstance(field.default, str) and "\n" in field.default
    return CONTROLS.get(field.type, "area" if lines else "line")


def _value(field: Field) -> str:
    """What stands in the field before anybody writes: of a choice the option's number."""
    default = field.default
    if default is None:
        return ""
    if _control(field) == "choice":
        return str(field.options.index(default)) if default in field.options else ""
    if _control(field) == "file":
        files = default if isinstance(default, list) else [default]
        names = [file.get("filename") or file.get("name") for file in files if isinstance(file, dict)]
        return one_line(", ".join(name for name in names if isinstance(name, str)), NAME)
    text = default if isinstance(default, str) else json.dumps(default, ensure_ascii=False, default=str)
    return glyphs(text[:VALUE].replace("\r\n", "\n"))


def _labels(lang: Language) -> FormLabels:
    names = ("required", "choose", "missing", "expires", "expired", "sending", "silent", "gone")
    return FormLabels(lang=lang, **{name: t(f"live.form.{name}", lang, name="{name}", time="{time}") for name in names})
