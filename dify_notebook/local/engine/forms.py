"""The input form of an app, and what of a request's `inputs` fits it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

from ...wire.kinds import FILE_CONTROLS, TEXT_CONTROLS, ControlKind
from ..api_error import invalid

if TYPE_CHECKING:
    from ..store.store import Row


@dataclass(frozen=True)
class FileRules:
    """Which files a question to an app, or a field of its form, may bring."""

    types: tuple[str, ...] = ("document",)
    extensions: tuple[str, ...] = ()
    """With their dot, in lower case."""
    limit: int = 3
    methods: tuple[str, ...] = ("local_file",)
    """How files may come; with `remote_url` the server fetches what its allow-list has."""


@dataclass(frozen=True)
class Control:
    """One field of an input form."""

    kind: ControlKind
    variable: str
    label: str
    required: bool = False
    max_length: int = 48
    """Characters of a text, files of a list."""
    options: tuple[str, ...] = ()
    """Choices, for a select."""
    default: Any = None
    """Taken where nothing is given."""
    files: FileRules | None = None
    """Which files it takes, for file and file-list."""

    @property
    def file_rules(self) -> FileRules:
        """Which files it takes; one for a file."""
        rules = self.files or FileRules()
        limit = self.max_length if self.kind == "file-list" else 1
        return FileRules(rules.types, rules.extensions, limit, rules.methods)

    def as_parameter(self, *, flow: bool = True) -> dict[str, Any]:
        """Its entry in `user_input_form`; those of chat and agent apps have a default and no type."""
        parameter: dict[str, Any] = {"variable": self.variable, "label": self.label, "required": self.required}
        if flow:
            parameter["type"] = self.kind
        if self.kind not in ("select", "checkbox", "json_object"):
            parameter["max_length"] = self.max_length
        if flow or self.kind == "select":
            parameter["options"] = list(self.options)
        if self.default is not None or not flow:
            parameter["default"] = "" if self.default is None else self.default
        if self.kind in FILE_CONTROLS:
            rules = self.file_rules
            parameter["allowed_file_types"] = list(rules.types)
            parameter["allowed_file_extensions"] = [extension.upper() for extension in rules.extensions]
            parameter["allowed_file_upload_methods"] = list(rules.methods)
        return {self.kind: parameter}

    def check(self, value: Any) -> Any:
        """The value as the app gets it; None when it was not given.

        Files are only looked at here; whether they exist is looked up later, in the store.

        Raises:
            ApiError: it does not fit (400 invalid_param).
        """
        name = self.variable
        if value is None:
            if self.required:
                raise invalid(f"{name} is required in input form")
            return self.default
        if self.kind in TEXT_CONTROLS:
            return self._text(value)
        if self.kind == "number":
            return self._number(value)
        if self.kind == "checkbox":
            return self._flag(value)
        if self.kind == "json_object":
            if not isinstance(value, dict):
                raise invalid(f"{name} in input form must be a JSON object")
            return value
        if self.kind == "file":
            if not isinstance(value, dict):
                raise invalid(f"{name} in input form must be a file")
            return value
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise invalid(f"{name} in input form must be a list of files")
        if len(value) > self.max_length:
            raise invalid(f"{name} in input form must be less than {self.max_length} files")
        return value

    def _text(self, value: Any) -> str:
        name = self.variable
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
        if isinstance(value, bool) or not isinstance(value, int | float) or not -inf < value < inf:
            raise invalid(f"(type 'number') {self.variable} in input form must be a number")
        return value

    def _flag(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        known = {"true": True, "false": False, "1": True, "0": False}
        text = str(value).strip().lower()
        if isinstance(value, str | int) and text in known:
            return known[text]
        raise invalid(f"(type 'checkbox') {self.variable} in input form must be a boolean")


def check_inputs(form: tuple[Control, ...], inputs: dict[str, Any]) -> dict[str, Any]:
    """Every variable of the form with its value or None; what the form does not know is left out.

    Raises:
        ApiError: a value is missing or does not fit (400 invalid_param).
    """
    return {control.variable: control.check(inputs.get(control.variable)) for control in form}


def as_input(reference: Row, row: Row, sign_url: Callable[[str], str]) -> dict[str, Any]:
    """A file that is an input, as Dify tells and keeps it."""
    url = reference.get("url") or sign_url(row["id"])
    return {
        "dify_model_identity": "__dify__file__",
        "id": None,
        "tenant_id": row["end_user"],
        "type": reference["type"],
        "transfer_method": reference["transfer_method"],
        "remote_url": url,
        "related_id": row["id"],
        "filename": row["name"],
        "extension": f".{row['extension']}" if row["extension"] else "",
        "mime_type": row["mime_type"],
        "size": row["size"],
        "url": url,
    }
