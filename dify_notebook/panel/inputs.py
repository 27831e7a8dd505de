"""Says in the panel's words what does not fit the app's form; the law itself is `app.form`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import msgspec

from ..app import form as law
from ..app.controls import TEXTS, fitted
from ..app.files import FileInput, Picked
from ..app.misfit import Misfit
from ..app.origin import Origin, Value
from ..errors import InputError
from ..i18n import Language, t


def fit(
    form: Sequence[Mapping[str, Any]] | None,
    given: Mapping[str, Value],
    uploaded: Picked,
    lang: Language | None = None,
    *,
    whole: bool = True,
) -> law.Fitted:
    """The inputs as they will be sent, each in the type that its control wants: see `app.form.fit`.

    A field that is not given has the form's default.

    Args:
        form: controls as `Parameters.controls` gives them; None while they are not known.
        given: by variable; files of the form are ids of uploads.
        whole: whether all of the form could be read.
        uploaded: from an upload's id to the uploaded file; raises InputError for an unknown one.

    Raises:
        InputError: a value does not fit, is unknown, or a required one is missing.
    """
    filled = dict(given)
    for name, control in law.controls_of(form).items():
        if name not in given and control.get("default") not in ("", []):
            filled[name] = Value(control.get("default"), Origin.SERVER)
    try:
        found = law.fit(form, filled, picked=uploaded, whole=whole)
    except Misfit as misfit:
        problem = misfit
    else:
        inputs = {name: one.given if isinstance(one, FileInput) else one for name, one in found.inputs.items()}
        return msgspec.structs.replace(found, inputs=inputs)
    _refuse(problem, lang)


def in_field(control: Mapping[str, Any], value: Any) -> Any:
    """A value as a field of the form has it: what is no text becomes the text that would be sent."""
    if control.get("type") not in (*TEXTS, "checkbox"):
        return value
    try:
        sent = fitted(str(control.get("variable")), control, Value(value, Origin.SERVER))
    except Misfit:  # asking will tell
        return value
    return value if sent is None else sent


def values(inputs: Mapping[str, Any] | None, origin: Origin) -> dict[str, Value]:
    """Inputs that are all of one origin."""
    return {name: Value(value, origin) for name, value in (inputs or {}).items() if origin.own or value is not None}


def _refuse(misfit: Misfit, lang: Language | None) -> NoReturn:
    reason, values = misfit.reason, misfit.values
    name = str(misfit.control.get("label") or misfit.name)
    if reason == "unknown":
        values = {"known": ", ".join(values["known"]) or "–"}
    elif reason == "missing":
        names = [str(control.get("label") or control["variable"]) for control in values["controls"]]
        values = {"names": ", ".join(names)}
    elif reason == "select":
        values = {"options": ", ".join(values["options"])}
    elif reason == "unfit":
        unfit = values["unfit"]
        if unfit.reason == "precision":  # not the type's fault
            told = t("magic.value.precision", lang, **{"source": name + unfit.path, **unfit.values})
            raise InputError(told, code="input", hint=t("panel.input.hint", lang))
        values = {"type": type(unfit.value).__name__}
    key = {"one_file": "files", "kind": "path", "variable": "path"}.get(reason, reason)
    raise InputError(
        t(f"panel.input.{key}", lang, **{"name": name, **values}), code="input", hint=t("panel.input.hint", lang)
    )
