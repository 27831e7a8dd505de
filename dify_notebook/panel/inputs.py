"""Says in the panel's words what does not fit the app's form; the law itself is `app.form`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import msgspec

from ..app import form as law
from ..app.files import FileInput, Picked
from ..app.misfit import Misfit
from ..app.origin import Origin, Value
from ..errors import InputError
from ..i18n import Language, t


def fit(
    form: Sequence[Mapping[str, Any]], given: Mapping[str, Value], uploaded: Picked, lang: Language | None = None
) -> law.Fitted:
    """The inputs as they will be sent, each in the type that its control wants: see `app.form.fit`.

    A field that is left empty has the form's default.

    Args:
        form: controls as `Parameters.controls` gives them.
        given: by variable; files of the form are ids of uploads.
        uploaded: from an upload's id to the uploaded file; raises InputError for an unknown one.

    Raises:
        InputError: a value does not fit, is unknown, or a required one is missing.
    """
    filled = dict(given)
    for name, control in law.controls_of(form).items():
        if name not in given or _blank(given[name].value):
            default = control.get("default")
            filled[name] = Value(None if _blank(default) else default, Origin.SERVER)
    try:
        fitted = law.fit(form, filled, picked=uploaded)
    except Misfit as misfit:
        problem = misfit
    else:
        inputs = {name: _sent(value) for name, value in fitted.inputs.items()}
        return msgspec.structs.replace(fitted, inputs=inputs)
    _refuse(problem, lang)


def values(inputs: Mapping[str, Any] | None, origin: Origin) -> dict[str, Value]:
    """Inputs that are all of one origin."""
    return {name: Value(value, origin) for name, value in (inputs or {}).items() if value is not None}


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | tuple) and not value)


def _sent(value: Any) -> Any:
    """The files as the client takes them."""
    if not isinstance(value, FileInput):
        return value
    return list(value.sources) if value.many else value.sources[0]


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
        values = {"type": type(values["unfit"].value).__name__}
    key = {"one_file": "files", "kind": "path", "variable": "path"}.get(reason, reason)
    raise InputError(
        t(f"panel.input.{key}", lang, **{"name": name, **values}), code="input", hint=t("panel.input.hint", lang)
    )
