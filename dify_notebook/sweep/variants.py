"""Variants as keys of dicts, and in words. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from ..printable import one_line
from .case import Case, Variant

VariantKey = tuple[str, str | None, tuple[tuple[str, str], ...]]
"""The target's name, the prompt's, and each varied input with its value as text."""


def variant_key(variant: Variant) -> VariantKey:
    """What tells a variant from the others; a `Variant` holds values that cannot be hashed."""
    if not variant.inputs:
        return variant.target, variant.prompt, ()
    inputs = tuple(sorted((name, _text(value)) for name, value in variant.inputs.items()))
    return variant.target, variant.prompt, inputs


def _text(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{type(value).__name__} {hashlib.sha256(value).hexdigest()}"
    return f"{type(value).__name__} {value!r}"


def by_variant(cases: Iterable[Case]) -> dict[VariantKey, list[Case]]:
    """Cases by their variant, the variants in the order in which the target's names and values sort."""
    groups: dict[VariantKey, list[Case]] = {}
    keys: dict[int, VariantKey] = {}  # cases share their Variant
    for case in cases:
        key = keys.get(id(case.variant))
        if key is None:
            key = keys[id(case.variant)] = variant_key(case.variant)
        groups.setdefault(key, []).append(case)
    return dict(sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or "", item[0][2])))


def name_of(variant: Variant, *, limit: int = 60) -> str:
    """A variant for people, harmless and on one line: v1 · short · tone=formal."""
    parts = [one_line(variant.target, limit)]
    if variant.prompt is not None:
        parts.append(one_line(variant.prompt, limit))
    parts += [one_line(f"{name}={shown_value(value)}", limit) for name, value in variant.inputs.items()]
    return " \u00b7 ".join(parts)


def shown_value(value: Any) -> str:
    """A varied value as a cell or a heading has it: a text as it is, what is no text as JSON or by its name."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value):,} bytes"
    if isinstance(value, Mapping | list | tuple):
        return repr(value)
    return str(value)
