"""That a value does not fit, without a message: each entry point has its own (`entry_points.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class InvalidInput(Exception):
    """A value that the app's form does not take.

    Attributes:
        reason: what is wrong; the last part of the sentence's key.
        name: of the input; "" where it concerns several.
        control: the control of the form; empty where there is none.
        values: what the sentence may tell.
    """

    def __init__(self, reason: str, name: str = "", control: Mapping[str, Any] | None = None, /, **values: Any) -> None:
        super().__init__(reason)
        self.reason, self.name, self.control, self.values = reason, name, control or {}, values


class Unserializable(Exception):
    """A value that cannot become text.

    Attributes:
        reason: last part of the sentence's key, such as `unsupported` or `too_long`.
        path: where inside the value it is, such as `["rows"][3]`; empty for the value itself.
    """

    def __init__(self, reason: str, value: object, path: str = "", /, **values: object) -> None:
        super().__init__(reason)
        self.reason, self.value, self.path, self.values = reason, value, path, values
