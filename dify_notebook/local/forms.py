"""The input form of an app, and what of a request's `inputs` fits it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from .replies import invalid

Kind = Literal["text-input", "paragraph", "select", "number"]


@dataclass(frozen=True)
class Control:
    """One field of an input form."""

    kind: Kind
    variable: str
    label: str
    required: bool = False
    max_length: int = 48
    """Characters, for texts."""
    options: tuple[str, ...] = ()
    """Choices, for a select."""

    def as_parameter(self) -> dict[str, Any]:
        """Its entry in `user_input_form`."""
        told: dict[str, Any] = {
            "variable": self.variable,
            "label": self.label,
            "type": self.kind,
            "required": self.required,
        }
        if self.kind != "select":
            told["max_length"] = self.max_length
        told["options"] = list(self.options)
        return {self.kind: told}

    def check(self, value: Any) -> Any:
        """The value as the app gets it; None when it was not given.

        Raises:
            ApiError: it does not fit (400 invalid_param).
        """
        name = self.variable
        if value is None:
            if self.required:
                raise invalid(f"{name} is required in input form")
            return None
        if self.kind == "number":
            return self._number(value)
        if not isinstance(value, str):
            raise invalid(f"(type '{self.kind}') {name} in input form must be a string")
        if self.kind == "select":
            if value not in self.options:
                raise invalid(f"{name} in input form must be one of the following: {list(self.options)}")
        elif len(value) > self.max_length:
            raise invalid(f"{name} in input form must be less than {self.max_length} characters")
        return value

    def _number(self, value: Any) -> int | float | None:
        if value == "" and not self.required:
            return None
        if isinstance(value, str):
            try:
                value = float(value) if "." in value or "e" in value.lower() else int(value)
            except ValueError:
                raise invalid(f"{self.variable} in input form must be a valid number") from None
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            raise invalid(f"(type 'number') {self.variable} in input form must be a number")
        return value


def check_inputs(form: tuple[Control, ...], inputs: dict[str, Any]) -> dict[str, Any]:
    """Every variable of the form with its value or None; what the form does not know is left out.

    Raises:
        ApiError: a value is missing or does not fit (400 invalid_param).
    """
    return {control.variable: control.check(inputs.get(control.variable)) for control in form}
