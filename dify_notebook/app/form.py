"""Fits inputs to what the app asks for (the form of `/parameters`): one law for every door. Pure.

The server ignores inputs that it does not know. Here nothing is dropped in silence: what of the user's
would not arrive is refused before sending, and what of the server's is not sent back is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..wire.kinds import FILE_CONTROLS
from . import stored
from .controls import fitted, free, is_required
from .controls import options_of as options_of
from .files import Picked
from .misfit import Misfit
from .origin import Origin, Value


class Fitted(msgspec.Struct, frozen=True):
    """Inputs in the types that the form wants."""

    inputs: dict[str, Any]
    """Files that the user gave are `FileInput`."""
    dropped: tuple[str, ...] = ()
    """Inputs of the server's whose files it does not take in the form in which it told them."""


def controls_of(form: Sequence[Mapping[str, Any]] | None) -> dict[str, Mapping[str, Any]]:
    """The controls of a form by variable."""
    return {str(control["variable"]): control for control in form or () if control.get("variable")}


def fit(
    form: Sequence[Mapping[str, Any]] | None,
    given: Mapping[str, Value],
    *,
    whole: bool = True,
    picked: Picked | None = None,
) -> Fitted:
    """The inputs as they will be sent.

    Args:
        form: controls with `type`, `variable`, `required`, `max_length`, `options`, `default`; None when
            the app's form is not known.
        given: by variable. One that says nothing (see `controls`) is left out.
        whole: whether those are all the controls that count: an input that is none of them is refused, and a
            required one that is not given at all is missing, if it has no default. Else only what is given
            now or was sent from here is sent.
        picked: finds the upload that the panel's form names.

    Raises:
        Misfit: a value is not in the form, does not fit, or is missing.
    """
    whole = whole and form is not None
    controls = controls_of(form)
    inputs: dict[str, Any] = {}
    for name, value in given.items():
        if name in controls:
            continue
        if whole:
            raise Misfit("unknown", name, known=list(controls))
        if value.origin is not Origin.SERVER:
            inputs[name] = free(name, value)
    dropped: list[str] = []
    missing: list[str] = []
    for name, control in controls.items():
        needed = is_required(control) and (whole or name in given)
        found = given.get(name, Value(None, Origin.SERVER))
        sent = fitted(name, control, found, picked)
        if sent is None and needed and control.get("default") not in (None, ""):
            found = Value(control["default"], Origin.SERVER)
            sent = fitted(name, control, found, picked)
        if sent is not None:
            inputs[name] = sent
            continue
        takes_files = control.get("type") in FILE_CONTROLS
        if not found.origin.own and (stored.is_file(found.value) or (takes_files and found.value)):
            dropped.append(name)
        if needed:
            missing.append(name)
    if missing:
        raise Misfit("missing", controls=[controls[name] for name in missing])
    return Fitted(inputs, tuple(dropped))
