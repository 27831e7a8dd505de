"""Says in the words of a cell what does not fit the app's form; the law itself is `app.form`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ..app import form as law
from ..app.files import sources_of
from ..app.misfit import Misfit
from ..app.origin import Value
from ..errors import InputError
from ..i18n import t
from .parse import suggestion


def fit(form: Sequence[Mapping[str, Any]] | None, given: Mapping[str, Value], *, whole: bool = True) -> law.Fitted:
    """The inputs as they will be sent: see `app.form.fit`.

    Raises:
        InputError: a variable is not in the form, does not fit, or is missing.
    """
    try:
        return law.fit(form, given, whole=whole)
    except Misfit as misfit:
        problem = misfit
    _refuse(problem, f"-i {problem.name}")


def files_of(value: Value, where: str) -> tuple[Any, ...]:
    """The files that an option of the line names.

    Raises:
        InputError: a variable's text stands where a path is asked for, or it is no file.
    """
    try:
        return sources_of(value)
    except Misfit as misfit:
        problem = misfit
    _refuse(problem, where)


def _refuse(misfit: Misfit, where: str) -> NoReturn:
    key, values = f"magic.input.{misfit.reason}", misfit.values
    if misfit.reason == "unknown":
        known = values["known"]
        key = key if known else "magic.input.none"
        values = {"known": ", ".join(known), "suggestion": suggestion(misfit.name, known)}
    elif misfit.reason == "missing":
        names = [str(control["variable"]) for control in values["controls"]]
        example = " ".join(f"-i {name}=…" for name in names)
        values = {"wanted": ", ".join(_describe(control) for control in values["controls"]), "example": example}
    elif misfit.reason == "select":
        text, options = values["text"], values["options"]
        values = {"text": text[:80], "options": ", ".join(options), "suggestion": suggestion(text, options)}
    elif misfit.reason == "unfit":
        unfit = values["unfit"]
        key = f"magic.value.{unfit.reason}"
        values = {"type": type(unfit.value).__name__, "limit": 0, "length": "", **unfit.values}
        where += unfit.path
    told = t(key, **{"name": misfit.name, "where": where, "source": where, **values})
    raise InputError(told, code="input", hint=t("magic.value.hint"))


def _describe(control: Mapping[str, Any]) -> str:
    name, label = str(control["variable"]), control.get("label")
    return f"{name} ({label})" if label and label != name else name
