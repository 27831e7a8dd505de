"""Which files an app takes, as its `/parameters` say, and the check before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..i18n import t
from ..wire.kinds import FILE_CONTROLS, size_limit
from ..wire.models import Parameters
from .file_references import kind_of, mime_of

#: A limit in MB that is as good as none.
_UNLIMITED = 1e9


def check_size(name: str, mime_type: str | None, size: int | None, parameters: Parameters) -> None:
    """Refuse what is larger than the server says that it takes. Limits are in MB of 1024 x 1024 bytes.

    Raises:
        InputError: it is too large.
    """
    kind = kind_of(name, mime_type or mime_of(name))
    limit = limit_of(kind, parameters)
    if size is None or limit is None:
        return
    if size > limit * 1024 * 1024:
        megabytes = f"{size / 1024 / 1024:.1f}"
        raise InputError(t("net.file_size", name=name, size=megabytes, limit=limit, kind=kind), code="file_too_large")


def limit_of(kind: str, parameters: Parameters) -> int | float | None:
    """The largest file of this kind in MB, as the server tells; None where it does not."""
    for setting in (parameters.system_parameters, (parameters.file_upload or {}).get("fileUploadConfig")):
        if setting and isinstance(setting, Mapping):
            limit = setting.get(size_limit(kind))
            is_limit = isinstance(limit, int | float) and not isinstance(limit, bool) and 0 <= limit < _UNLIMITED
            return limit if is_limit else None
    return None


def listed(value: Any) -> list[Any]:
    """A list of the server's; empty where it tells something else in its place."""
    return value if isinstance(value, list) else []


def allowed_kinds(rules: Mapping[str, Any] | None) -> tuple[frozenset[str], frozenset[str]] | None:
    """(kinds, endings of custom files) that a place takes; None where it says nothing."""
    if not rules:
        return None
    types = rules.get("allowed_file_types")
    if not isinstance(types, list) or not types:
        image = rules.get("image")
        if isinstance(image, Mapping) and image.get("enabled"):
            types = ["image"]
        else:
            return None
    endings = listed(rules.get("allowed_file_extensions"))
    return frozenset(map(str, types)), frozenset("." + str(ending).lower().lstrip(".") for ending in endings)


def check_kind(name: str, mime_type: str | None, rules: Mapping[str, Any] | None, where: str) -> None:
    """Refuse a file of a type that this place does not take.

    Raises:
        InputError: the type is another.
    """
    allowed = allowed_kinds(rules)
    if allowed is None:
        return
    kinds, endings = allowed
    kind = kind_of(name, mime_type or mime_of(name))
    custom = "custom" in kinds and (not endings or Path(name).suffix.lower() in endings)
    if custom or (kind in kinds and kind != "custom"):
        return
    shown = ", ".join(sorted(kinds) + sorted(endings if "custom" in kinds else ()))
    raise InputError(t("net.file_type", name=name, kind=kind, place=where, allowed=shown), code="file_type")


def check_count(count: int, limit: Any, where: str) -> None:
    """Refuse more files than a place takes.

    Raises:
        InputError: there are too many.
    """
    if isinstance(limit, int) and not isinstance(limit, bool) and 0 < limit < count:
        raise InputError(t("net.file_count", count=count, place=where, limit=limit), code="file_count")


def check_anywhere(name: str, mime_type: str | None, parameters: Parameters) -> None:
    """Refuse a type that neither questions nor any input of the app take.

    Raises:
        InputError: nothing takes it.
    """
    places: Sequence[Mapping[str, Any] | None] = [
        parameters.file_upload, *(control for control in parameters.controls if is_file(control)),
    ]  # fmt: skip
    rules = [rule for rule in places if rule]
    if not rules or any(allowed_kinds(rule) is None for rule in rules):
        return
    problem: InputError | None = None
    for rule in rules:
        try:
            return check_kind(name, mime_type, rule, t("net.place_files"))
        except InputError as raised:
            problem = raised
    if problem is not None:
        raise problem


def is_file(control: Mapping[str, Any]) -> bool:
    """Whether an input of the form is a file or a list of files."""
    return control.get("type") in FILE_CONTROLS
