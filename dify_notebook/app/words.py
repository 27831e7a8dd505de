"""What does not fit, in the words of the door that it came through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import msgspec

from ..errors import InputError
from ..i18n import t
from ..redact import redact
from .misfit import Misfit

P = ParamSpec("P")
T = TypeVar("T")


class EntryPoint(msgspec.Struct, frozen=True, kw_only=True):
    """How one way to ask says it."""

    sentences: str
    """Where its sentences are: their keys end in the reason."""
    hint: str = "magic.value.hint"
    keys: Mapping[str, str] = {}
    """Sentences with another key, by reason, or by reason and what about it: `unfit.precision`."""
    hints: Mapping[str, str] = {}
    """Other hints, by reason."""
    place: str = ""
    """What stands before the input's name where the sentence says the place."""
    labels: bool = False
    """Whether inputs are called by their labels, as in a form that people see."""


NO_JSON = ("bytes", "iterator", "callable", "secret", "unsupported", "too_long")
"""What keeps a value from being JSON by its type alone."""
CELL = EntryPoint(
    sentences="magic.input",
    place="-i ",
    keys={"unknown.none": "magic.input.none", "ignored": "magic.inputs_ignored"},
)
PYTHON = EntryPoint(
    sentences="net.input",
    keys={f"unfit.{why}": "net.bad_input" for why in NO_JSON},
    hints=dict.fromkeys(("path", "kind"), "net.input.file.hint"),
)
PANEL = EntryPoint(
    sentences="panel.input",
    hint="panel.input.hint",
    keys={
        "one_file": "panel.input.files",
        "kind": "panel.input.path",
        "variable": "panel.input.path",
        "ignored": "panel.inputs_ignored",
        "unfit": "panel.input.unfit",
        "unfit.precision": "magic.value.precision",  # not the type's fault
    },
    labels=True,
)


def in_words(door: EntryPoint, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """What the work gives.

    Raises:
        InputError: the work raised `Misfit`, in the door's words.
    """
    try:
        return work(*args, **kwargs)
    except Misfit as misfit:
        problem = misfit
    raise _refusal(problem, door)


def suggestion(wrong: str, known: list[str] | tuple[str, ...]) -> str:
    """` Did you mean …?` in the user's language, or nothing when nothing comes close."""
    from difflib import get_close_matches  # only a mistake needs it

    close = get_close_matches(wrong.lower(), known, n=1, cutoff=0.6)
    return t("magic.did_you_mean", name=close[0]) if close else ""


def _refusal(misfit: Misfit, door: EntryPoint) -> InputError:
    reason, values = misfit.reason, {**misfit.values}
    name = _called(misfit.control, misfit.name) if door.labels else misfit.name
    where, about, usual = door.place + name, "", f"{door.sentences}.{reason}"
    if reason == "unknown":
        about = "" if values["known"] else "none"
        values |= {"suggestion": suggestion(name, values["known"]), "known": ", ".join(values["known"]) or "–"}
    elif reason == "missing":
        values = _missing(values["controls"], door)
    elif reason == "ignored":
        values["names"] = ", ".join(values["names"])
    elif reason == "select":
        values["suggestion"] = suggestion(values["text"], values["options"])
        values |= {"text": values["text"][:80], "options": ", ".join(values["options"])}
    elif reason == "half":
        usual = "net.half_character"
    elif reason == "unfit":
        unfit, about = values["unfit"], values["unfit"].reason
        where, usual = where + unfit.path, f"magic.value.{about}"
        values = {"type": type(unfit.value).__name__, "limit": 0, "length": "", **unfit.values}
    key = door.keys.get(f"{reason}.{about}") or door.keys.get(reason, usual)
    told = t(key, **{"name": name, "where": where, "source": where, **values})
    if reason == "ignored":  # the code has a hint of its own
        return InputError(redact(told), code="inputs")
    return InputError(redact(told), code="input", hint=t(door.hints.get(reason, door.hint), name=name))


def _missing(controls: list[Mapping[str, Any]], door: EntryPoint) -> dict[str, str]:
    names = [str(control["variable"]) for control in controls]
    labels = [_called(control, name) for control, name in zip(controls, names, strict=True)]
    both = [name if label == name else f"{name} ({label})" for name, label in zip(names, labels, strict=True)]
    shown, example = labels if door.labels else names, [f"-i {name}=…" for name in names]
    return {"names": ", ".join(shown), "wanted": ", ".join(both), "example": " ".join(example)}


def _called(control: Mapping[str, Any], name: str) -> str:
    return str(control.get("label") or name)
