"""What a paused run asks a person: the form, its fields and actions, and what was answered.

`Form.data` is what the server told; fields and actions are read off it when they are looked at. Dify 1.14 and newer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import msgspec

from ..errors import InputError
from ..i18n import t
from ..printable import one_line
from ..secret import Secret
from ..wire.form_tokens import without_secrets
from .value import Value

FormStatus = Literal["waiting", "filled", "timeout"]
FIELDS, ACTIONS, OPTIONS = 100, 20, 500
"""Fields, actions and options of a choice that are taken of a form, at most."""


class FormField(Value, frozen=True):
    """A value that a form asks for (one of its `inputs`)."""

    name: str
    """`output_variable_name`: the key in `inputs` of a submission."""
    type: str = "paragraph"
    """paragraph, text-input, select, file or file-list."""
    default: Any = None
    """What stands in it before anybody writes: the constant, or what the run made of a variable."""
    options: tuple[str, ...] = ()
    """Of a select."""
    required: bool = True
    """Whether a submission without it is refused; Dify asks for all of them."""


class FormAction(Value, frozen=True):
    """A way to answer a form: a button."""

    id: str
    """The `action` of a submission."""
    title: str = ""
    style: str = "default"
    """`button_style`: primary, default, accent or ghost."""


class FormLink(Protocol):
    """What a form of a client's turn is submitted through."""

    def submit(self, form: Form, action: str, inputs: Mapping[str, Any]) -> Any: ...


class Form(Value, frozen=True):
    """A question that a paused chatflow asks a person (`human_input_required`).

    >>> Form(id="1", data={"form_content": "May I?", "actions": [{"id": "yes", "title": "Yes"}]}).actions[0].title
    'Yes'
    """

    id: str
    data: Any = None
    """The event's `data`, as told but for the token: the form's content, inputs and actions."""
    status: FormStatus = "waiting"
    workflow_run_id: str | None = None
    """The run that waits."""
    user: str | None = None
    """Who asked the question; who answers may be another."""
    action: str | None = None
    """Id of the action that was chosen; None where nobody has answered, or it was not told."""
    inputs: Mapping[str, Any] | None = None
    """What was submitted, by field; None likewise."""
    content: str = ""
    """What is asked, as markdown; `{{#$output.NAME#}}` stands for a field, and for its value once it is answered."""
    token: Secret | None = None
    """With it anybody can submit: it is not shown, stored or pickled."""
    link: Any = None
    """What `submit` goes through (`FormLink`); None where the turn was read, not asked."""

    def __post_init__(self) -> None:
        token = self._reported("form_token")
        if isinstance(token, str):  # pickles of earlier versions have it there
            msgspec.structs.force_setattr(self, "data", {**self.data, "form_token": None})
            msgspec.structs.force_setattr(self, "token", self.token or Secret(token))

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "token": None, "link": None}

    def __eq__(self, other: object) -> bool:
        return self._state() == other._state() if isinstance(other, Form) else NotImplemented

    def __hash__(self) -> int:
        return hash((Form, self.id, self.status))

    def __repr__(self) -> str:
        names = (("actions", [action.id for action in self.actions]), ("fields", [field.name for field in self.fields]))
        known = "".join(f" {name}={one_line(', '.join(ids), 200)}" for name, ids in names if ids)
        return f"<Form {self.status} {one_line(self.title or self.id, 80)!r}{known}>"

    def _reported(self, name: str) -> Any:
        return self.data.get(name) if isinstance(self.data, dict) else None

    @property
    def title(self) -> str:
        """The node's title."""
        return _text(self._reported("node_title"))

    @property
    def node_id(self) -> str:
        """The node that asks."""
        return _text(self._reported("node_id"))

    @property
    def fields(self) -> tuple[FormField, ...]:
        """What it asks for, in order; of two with one name the first."""
        resolved = self._reported("resolved_default_values")
        defaults = resolved if isinstance(resolved, dict) else {}
        fields: dict[str, FormField] = {}
        for item in _dicts(self._reported("inputs"), FIELDS):
            name = _text(item.get("output_variable_name"))
            if name and name not in fields:
                fields[name] = _field(name, item, defaults)
        return tuple(fields.values())

    @property
    def actions(self) -> tuple[FormAction, ...]:
        """How it can be answered, in order."""
        reported = self._reported("actions") or self._reported("user_actions")
        return tuple(
            FormAction(
                id=_text(item.get("id")),
                title=_text(item.get("title")) or _text(item.get("id")),
                style=_text(item.get("button_style")) or "default",
            )
            for item in _dicts(reported, ACTIONS)
            if _text(item.get("id"))
        )

    @property
    def expires_at(self) -> datetime | None:
        """Until when it can be answered, aware, in UTC; None where that was not told."""
        time = self._reported("expiration_time")
        if not isinstance(time, (int, float)) or isinstance(time, bool):
            return None
        try:
            return datetime.fromtimestamp(time, UTC)
        except (OverflowError, OSError, ValueError):
            return None

    def check(self, action: str, inputs: Mapping[str, Any] | None) -> dict[str, Any]:
        """What is submitted: the inputs, with the defaults of fields that were left out.

        Raises:
            InputError: there is no such action or field, an option is none of the choice's, or a value is missing.
        """
        title = one_line(self.title or self.id, 80)
        actions = [item.id for item in self.actions]
        if actions and action not in actions:
            raise InputError(
                t("forms.no_action", form=title, value=repr(action), allowed=", ".join(actions)), code="action"
            )
        if inputs is not None and not isinstance(inputs, Mapping):
            raise InputError(t("net.bad_inputs", kind=type(inputs).__name__), code="form_inputs")
        given = dict(inputs or {})
        fields = {field.name: field for field in self.fields}
        if unknown := [name for name in given if name not in fields]:
            known = ", ".join(fields) or t("forms.nothing")
            raise InputError(
                t("forms.no_field", form=title, name=one_line(str(unknown[0]), 80), known=known), code="form_inputs"
            )
        for name, field in fields.items():
            if name not in given and field.default is not None:
                given[name] = field.default
            if name not in given:
                if field.required:
                    raise InputError(t("forms.missing", form=title, name=one_line(name, 80)), code="form_inputs")
            elif field.options and given[name] not in field.options:
                allowed = ", ".join(one_line(option, 80) for option in field.options[:20])
                raise InputError(
                    t("forms.no_option", form=title, name=one_line(name, 80), value=repr(given[name]), allowed=allowed),
                    code="form_inputs",
                )
        return given

    def submit(self, *, action: str, inputs: Mapping[str, Any] | None = None) -> Any:
        """Answer it, and go on with the run: `turn = turn.forms[0].submit(action="approve", inputs={"note": "ok"})`.

        Args:
            action: the id of one of `actions`.
            inputs: a value for each of `fields`; one that is left out has its default.

        Returns:
            The `Turn` as it is at the run's end, or at its next pause. Of a turn of `AsyncDify` it is awaited.

        Raises:
            InputError: it does not fit the form, the form waits no more, or this turn was read and not asked: then
                `dify.forms.submit(form, …)` does it. Nothing was sent.
            DifyError: the server refused it: it was submitted before, say, or has expired.
        """
        if self.status != "waiting":
            raise no_more(self.status)
        if self.link is None:
            raise InputError(t("forms.no_client"), code="form")
        return self.link.submit(self, action, self.check(action, inputs))


def no_more(status: FormStatus) -> InputError:
    """Why a form is not submitted that waits no more."""
    return InputError(t("forms.timeout" if status == "timeout" else "forms.answered"), code="form_closed")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _dicts(value: object, limit: int) -> list[dict[str, Any]]:
    return [item for item in value[:limit] if isinstance(item, dict)] if isinstance(value, list) else []


def _field(name: str, item: Mapping[str, Any], resolved: Mapping[str, Any]) -> FormField:
    default = item.get("default")
    value = default.get("value") if isinstance(default, dict) and default.get("type") == "constant" else None
    source = item.get("option_source")
    values = source.get("value") if isinstance(source, dict) else None
    offered = values[:OPTIONS] if isinstance(values, list) else ()
    options = tuple(option for option in offered if isinstance(option, str))
    return FormField(
        name=name,
        type=_text(item.get("type")) or "paragraph",
        default=resolved.get(name, value or None),
        options=options,
        required=item.get("required") is not False,
    )


def as_form(data: Mapping[str, Any], **known: Any) -> Form:
    """The form that an event, a pause's reason or a stored message tells; its token is kept apart."""
    fields = {name: without_secrets(value) for name, value in data.items() if name not in ("form_token", "TYPE")}
    token = data.get("form_token")
    key = _text(data.get("form_id")) or _text(data.get("id")) or _text(data.get("node_id"))
    return Form(
        id=key,
        data=fields,
        token=Secret(token) if isinstance(token, str) and token else token if isinstance(token, Secret) else None,
        content=_text(data.get("form_content")),
        **known,
    )


def answered(form: Form, outputs: object) -> Form:
    """The form after its node has ended: with what was chosen and submitted, where the node's outputs tell it."""
    reported = outputs if isinstance(outputs, dict) else {}
    return msgspec.structs.replace(
        form,
        status="filled",
        token=None,
        action=_text(reported.get("__action_id")) or form.action,
        inputs={field.name: reported[field.name] for field in form.fields if field.name in reported} or form.inputs,
        content=_text(reported.get("__rendered_content")) or form.content,
    )


def closed(form: Form, data: Mapping[str, Any]) -> Form:
    """The form as the server's history tells that it was closed: `status`, `action`, `inputs` and `content`."""
    inputs = data.get("inputs")
    return msgspec.structs.replace(
        form,
        status="filled" if data.get("status") == "filled" else "timeout",
        token=None,
        action=_text(data.get("action")) or form.action,
        inputs=inputs if isinstance(inputs, dict) and inputs else form.inputs,
        content=_text(data.get("content")) or form.content,
    )
