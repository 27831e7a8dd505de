"""What all values of a turn have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from ..printable import BoundedRepr
from ..redact import redact
from ..wire.form_tokens import without_secrets

V = TypeVar("V", bound="Value")


class _Stable:
    """Mixin: hashed by what can be, and pickled by the names of its fields, without what signs or opens an address.

    Two are equal that differ in nothing but that, so that what comes out of a pickle is equal to what went in.
    A pickle of an earlier version, which knows the fields by their order, is read as well: new fields come last.
    """

    __slots__ = ()
    __struct_fields__: tuple[str, ...]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        pairs = ((getattr(self, name), getattr(other, name)) for name in self.__struct_fields__)
        return all(one is two or one == two or _is_kept_alike(one, two) for one, two in pairs)

    def __ne__(self, other: object) -> bool:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __hash__(self) -> int:
        """Equal values have equal hashes, also those that hold what has none (inputs and outputs are dicts)."""
        values = (getattr(self, name) for name in self.__struct_fields__)
        plain = (redact(value) if isinstance(value, str) else value for value in values)
        return hash((type(self), *(value for value in plain if isinstance(value, (str, int, float)))))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[type, dict[str, Any]]]:
        return restored, (type(self), self._state())

    def _state(self) -> dict[str, Any]:
        fields = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return {name: without_secrets(value) if type(value) in _JSON else value for name, value in fields}


_JSON = (str, dict, list)
"""Of these a pickle keeps what is left without secrets; `Values` see to that themselves."""


def _is_kept_alike(one: Any, two: Any) -> bool:
    """Whether that of two fields which a pickle keeps is the same."""
    if not (isinstance(one, _JSON) and isinstance(two, _JSON)):
        return False
    return bool(without_secrets(one) == without_secrets(two))


class Value(_Stable, BoundedRepr, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all values here: frozen, compared by content."""


def restored(kind: type[V], fields: dict[str, Any]) -> V:
    """A value of a pickle; fields that this version does not know are left out."""
    return kind(**{name: fields[name] for name in kind.__struct_fields__ if name in fields})
