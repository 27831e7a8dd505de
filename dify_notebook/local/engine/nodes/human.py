"""human-input: the run waits until a person has answered a form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ....wire.kinds import FieldKind
from ...store.paused import TIMEOUT
from ..forms import FileRules
from ..graph.node import Names, NodeContext, NodeType
from ..graph.result import NodePaused, NodeRunResult
from ..human_forms import action_title, rendered
from ..template import Selector, Template, shown

Style = Literal["primary", "default", "accent", "ghost"]
STYLES: tuple[Style, ...] = ("primary", "default", "accent", "ghost")


@dataclass(frozen=True)
class Field:
    """What a form asks for."""

    name: str
    type: FieldKind
    default: str | Selector | None = None
    """What stands in it before anybody writes: a text, or the value of a variable."""
    options: tuple[str, ...] = ()
    """Of a select."""
    files: FileRules | None = None
    """Which files it takes, for file and file-list."""

    def as_input(self) -> dict[str, Any]:
        """As `inputs` of a form tell it."""
        row: dict[str, Any] = {"output_variable_name": self.name, "type": self.type}
        if self.type == "select":
            row["option_source"] = {"type": "constant", "selector": [], "value": list(self.options)}
        elif self.files is not None:
            row["allowed_file_types"] = list(self.files.types)
            row["allowed_file_extensions"] = list(self.files.extensions)
            row["allowed_file_upload_methods"] = list(self.files.methods)
            if self.type == "file-list":
                row["number_limits"] = self.files.limit
        elif self.default is None:
            row["default"] = None
        elif isinstance(self.default, str):
            row["default"] = {"type": "constant", "selector": [], "value": self.default}
        else:
            row["default"] = {"type": "variable", "selector": list(self.default), "value": ""}
        return row


@dataclass(frozen=True)
class Action:
    """A way to answer: a button, whose id is the handle of the edges that are followed."""

    id: str
    title: str
    style: Style = "default"

    def as_button(self) -> dict[str, str]:
        return {"id": self.id, "title": self.title, "button_style": self.style}


@dataclass(frozen=True)
class HumanInput(NodeType):
    """human-input: a form, and what was answered."""

    content: Template
    """What is asked, as markdown; a field's place in it (`{{#$output.NAME#}}`) is a fixed text."""
    fields: tuple[Field, ...]
    actions: tuple[Action, ...]
    timeout: float
    """Seconds until nobody can answer any more."""
    branches = True

    async def run(self, context: NodeContext) -> NodeRunResult:
        resumption = context.run.resumption
        answer = None if resumption is None else resumption.answers.get(context.node_id)
        if answer is None:
            raise NodePaused(self._definition(context), self.timeout)
        values = answer["inputs"]
        if answer["action"] == TIMEOUT:
            return NodeRunResult({"__action_id": ""}, edge_source_handle=TIMEOUT)
        outputs = {
            **values,
            "__action_id": answer["action"],
            "__action_value": action_title(answer["definition"], answer["action"]),
            "__rendered_content": rendered(answer["definition"], values),
        }
        inputs = {name: {"value_type": _value_type(value), "value": value} for name, value in values.items()}
        return NodeRunResult(outputs, inputs, edge_source_handle=answer["action"])

    def _definition(self, context: NodeContext) -> dict[str, Any]:
        resolved = {
            field.name: shown(context.pool.get(field.default))
            for field in self.fields
            if isinstance(field.default, tuple)
        }
        return {
            "form_content": context.render(self.content),
            "inputs": [field.as_input() for field in self.fields],
            "actions": [action.as_button() for action in self.actions],
            "display_in_ui": True,
            "resolved_default_values": resolved,
        }

    def needs(self) -> Iterable[Selector]:
        yield from self.content.needs()
        yield from (field.default for field in self.fields if isinstance(field.default, tuple))

    def outputs(self) -> Names:
        names = {field.name for field in self.fields}
        return frozenset(names | {"__action_id", "__action_value", "__rendered_content"})

    def handles(self) -> Iterable[str]:
        return [*(action.id for action in self.actions), "timeout"]


def _value_type(value: Any) -> str:
    return "array[file]" if isinstance(value, list) else "file" if isinstance(value, dict) else "string"
