"""What is known of one app, and the one law of what its inputs may be: the same from every entry point. Pure.

The server ignores inputs that it does not know. Here nothing is dropped in silence: what of the user's
would not arrive is refused before sending, and what of the server's is not sent back is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..wire import calls
from ..wire.kinds import FILE_CONTROLS
from ..wire.models import AppInfo, AppMeta, Parameters, Site
from . import stored_files
from .controls import fitted, free, is_required
from .files import FileInput, Picked
from .invalid import InvalidInput, Unserializable
from .modes import Takes, takes
from .origin import Origin, Value
from .surrogates import join_surrogates
from .values import to_text


class Fitted(msgspec.Struct, frozen=True):
    """Inputs in the types that the form wants."""

    inputs: dict[str, Any]
    """Files that the user gave are `FileInput`."""
    dropped: tuple[str, ...] = ()
    """Inputs of the server's whose files it does not take in the form in which it told them."""

    @property
    def given(self) -> dict[str, Any]:
        """The inputs as the client takes them."""
        return {name: value.given if isinstance(value, FileInput) else value for name, value in self.inputs.items()}


class KnownApp(msgspec.Struct, frozen=True, kw_only=True):
    """What a server has told of one of its apps; None is what it has not told, or not yet."""

    parameters: Parameters | None = None
    info: AppInfo | None = None
    site: Site | None = None
    meta: AppMeta | None = None
    version: str | None = None
    """Of the server: `X-Version` of its answers."""
    mode: str | None = None
    """As /info tells it; where that does not (Dify 0.15), what was found: "" for one that holds conversations."""
    currency: str | None = None
    """What the price of its latest answer was in; None where none told a price yet."""

    @property
    def old(self) -> bool | None:
        """Whether the server is a Dify 0.x, which keeps the first turn's inputs whatever is sent later."""
        return None if self.version is None else self.version.startswith("0.")

    @property
    def takes(self) -> Takes:
        """What it is asked with, by its mode."""
        return takes(self.mode)

    @property
    def controls(self) -> dict[str, Mapping[str, Any]]:
        """The controls of its form by variable: `type`, `variable`, `required`, `max_length`, `options`, `default`."""
        controls = self.parameters.controls if self.parameters is not None else ()
        return {str(control["variable"]): control for control in controls if control.get("variable")}

    @property
    def whole(self) -> bool:
        """Whether those are all the inputs that it asks for."""
        return self.parameters is not None and self.parameters.form_known

    def fit(
        self,
        given: Mapping[str, Value],
        before: Mapping[str, Value] | None = None,
        *,
        later: bool = False,
        whole: bool = True,
        filled: bool = False,
        picked: Picked | None = None,
    ) -> Fitted:
        """The inputs as they will be sent.

        While it is not known what the app asks for, all that is given now or was sent from here is sent.

        Args:
            given: with this question, by variable. One that says nothing (see `controls`) is left out.
            before: those of the conversation, which count where none is given; of them only what the app asks for.
            later: whether the conversation has begun, so that a Dify 0.x would ignore other inputs than before.
            whole: whether an input that the form does not have is refused, and a required one that is not given at
                all is missing, if it has no default. Else that is for the server to say.
            filled: whether a control that is not given has its default, as in a form that people see.
            picked: finds the upload that the panel's form names.

        Raises:
            InvalidInput: a value is not in the form, does not fit, would be ignored, or is missing.
        """
        controls, whole = self.controls, whole and self.whole
        earlier = {name: value for name, value in (before or {}).items() if not whole or name in controls}
        values, nothing = {**earlier, **given}, Value(None, Origin.SERVER)
        inputs, dropped, missing = self._free(values, whole), [], []
        for name, control in controls.items():
            default = Value(control.get("default"), Origin.SERVER)
            value = values.get(name, default if filled and default.value not in ("", []) else nothing)
            converted = fitted(name, control, value, picked)
            needed = is_required(control) and (whole or name in values)
            if converted is None and needed and default.value not in (None, ""):
                value, converted = default, fitted(name, control, default, picked)
            if converted is not None:
                inputs[name] = join_surrogates(converted, name)
                continue
            takes_files = control.get("type") in FILE_CONTROLS
            if not value.origin.own and (stored_files.is_file(value.value) or (takes_files and value.value)):
                dropped.append(name)
            if needed:
                missing.append(control)
        if missing:
            raise InvalidInput("missing", controls=missing)
        if later and self.old:
            ignored = [name for name in given if inputs.get(name) != earlier.get(name, nothing).value]
            if ignored:
                raise InvalidInput("ignored", names=ignored, version=self.version)
        return Fitted(inputs, tuple(dropped))

    def _free(self, values: Mapping[str, Value], whole: bool) -> dict[str, Any]:
        """Those that the form does not have."""
        controls = self.controls
        others = {name: value for name, value in values.items() if name not in controls}
        if whole and others:
            raise InvalidInput("unknown", next(iter(others)), known=list(controls))
        own = {name: value for name, value in others.items() if value.origin is not Origin.SERVER}
        return {name: join_surrogates(free(name, value), name) for name, value in own.items()}


def check(inputs: Mapping[str, Any]) -> None:
    """Tell at once what of Python's values no app takes, before its form is asked for: no text says it, and no JSON.

    Raises:
        InputError: a name is no text.
        InvalidInput: there is such a value.
    """
    for name, value in inputs.items():
        calls.check_text("inputs", name)
        try:
            join_surrogates(free(name, Value(value, Origin.PYTHON)), name)
        except InvalidInput as invalid:
            if invalid.reason == "half":
                raise
            try:
                text = to_text(value, strict=True)
            except Unserializable:
                raise invalid from None
            join_surrogates(text, name)
