"""Inputs that are written down as an object: JSON, or TOML. Pure."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any, NoReturn

from ..errors import InputError
from ..i18n import t
from ..wire.loose import check_depth

_TOML_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)\Z")


class NoObject(ValueError):
    """JSON that holds something else than an object."""


def object_of(body: str, first_line: int = 2) -> dict[str, Any]:
    """The inputs that a cell holds, as a JSON object or else as TOML; an empty one holds none.

    >>> object_of('text = "hi"\\nn = 3') == object_of('{"text": "hi", "n": 3}')
    True

    Args:
        first_line: number of the body's first line in the cell, for the places that errors name.

    Raises:
        InputError: it is neither; the message says where each ends to be it.
    """
    if not body.strip():
        return {}
    problems = {}
    for kind, read in (("json", read_json), ("toml", tomllib.loads)):
        try:
            return check_depth(read(body))  # type: ignore[no-any-return]
        except NoObject as error:  # ["a"] is a heading in TOML
            problems = {"json": str(error), "toml": t("magic.as_inputs.json")}
            break
        except RecursionError:
            problems[kind] = t("magic.as_inputs.deep")
        except ValueError as error:
            problems[kind] = _where(error, body, first_line)
    raise InputError(t("magic.as_inputs.neither", **problems), code="inputs", hint=t("magic.as_inputs.hint"))


def read_json(text: str) -> dict[str, Any]:
    """A JSON object, each name of which stands there once.

    Raises:
        ValueError, RecursionError: it is none.
    """
    value = check_depth(json.loads(text, parse_constant=_reject_constant, object_pairs_hook=_once))
    if not isinstance(value, dict):
        raise NoObject(t("magic.as_inputs.no_object", type=type(value).__name__))
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(t("magic.as_inputs.twice", name=next(name for name in names if names.count(name) > 1)))
    return made


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _where(error: ValueError, body: str, first_line: int) -> str:
    """What is wrong, and in which line of the cell."""
    message = str(error)
    if isinstance(error, json.JSONDecodeError):
        line, column, message = error.lineno, error.colno, error.msg
    elif (place := _TOML_PLACE.search(message)) is not None:
        line, column, message = int(place[1]), int(place[2]), message[: place.start()]
    else:
        return message
    return t("magic.as_inputs.at", problem=message, line=line + first_line - 1, column=column)
