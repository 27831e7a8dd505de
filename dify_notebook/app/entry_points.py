"""Entry points (cell, Python, panel), and the message of each for a value that does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import msgspec

from ..errors import InputError
from ..i18n import t
from ..redact import redact
from .invalid import InvalidInput

P = ParamSpec("P")
T = TypeVar("T")


class EntryPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One way to ask: which sentences of the catalogue it has for a value that does not fit."""

    sentences: str
    """Prefix of their keys, which end in the reason."""
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
    keys={**{f"unfit.{why}": "net.bad_input" for why in NO_JSON}, "unfit.missing": "net.input.no_value"},
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


def as_input_error(entry_point: EntryPoint, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """What the work returns.

    Raises:
        InputError: the work raised `InvalidInput`; the message is the entry point's.
    """
    try:
        return work(*args, **kwargs)
    except InvalidInput as invalid:
        problem = invalid
    raise _input_error(problem, entry_point)


def suggestion(word: str, names: list[str] | tuple[str, ...]) -> str:
    """` Did you mean …?` in the user's language, or nothing when nothing comes close."""
    from difflib import get_close_matches  # only a mistake needs it

    close = get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return t("magic.did_you_mean", name=close[0]) if close else ""


def _input_error(invalid: InvalidInput, entry_point: EntryPoint) -> InputError:
    reason, values = invalid.reason, {**invalid.values}
    name = _label_of(invalid.control, invalid.name) if entry_point.labels else invalid.name
    where, detail, default_key = entry_point.place + name, "", f"{entry_point.sentences}.{reason}"
    if reason == "unknown":
        detail = "" if values["known"] else "none"
        values |= {"suggestion": suggestion(name, values["known"]), "known": ", ".join(values["known"]) or "–"}
    elif reason == "missing":
        values |= _missing(values["controls"], entry_point)
    elif reason == "ignored":
        values["names"] = ", ".join(values["names"])
    elif reason == "select":
        values["suggestion"] = suggestion(values["text"], values["options"])
        values |= {"text": values["text"][:80], "options": ", ".join(values["options"])}
    elif reason == "half":
        default_key = "net.half_character"
    elif reason == "unfit":
        unfit, detail = values["unfit"], values["unfit"].reason
        where, default_key = where + unfit.path, f"magic.value.{detail}"
        values = {"type": type(unfit.value).__name__, "limit": 0, "length": "", **unfit.values}
    key = entry_point.keys.get(f"{reason}.{detail}") or entry_point.keys.get(reason, default_key)
    message = t(key, **{"name": name, "where": where, "source": where, **values})
    if reason == "ignored":  # the code has a hint of its own
        return InputError(redact(message), code="inputs")
    return InputError(redact(message), code="input", hint=t(entry_point.hints.get(reason, entry_point.hint), name=name))


def _missing(controls: list[Mapping[str, Any]], entry_point: EntryPoint) -> dict[str, str]:
    names = [str(control["variable"]) for control in controls]
    labels = [_label_of(control, name) for control, name in zip(controls, names, strict=True)]
    both = [name if label == name else f"{name} ({label})" for name, label in zip(names, labels, strict=True)]
    shown, example = labels if entry_point.labels else names, [f"-i {name}=…" for name in names]
    return {"names": ", ".join(shown), "wanted": ", ".join(both), "example": " ".join(example)}


def _label_of(control: Mapping[str, Any], name: str) -> str:
    return str(control.get("label") or name)
