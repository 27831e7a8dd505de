"""A key that does not show itself."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import NoReturn


class Secret:
    """A key that does not show itself: not in a repr, a format, a log or a pickle.

    >>> Secret("app-123")
    Secret(...)
    >>> f"{Secret('app-123')}"
    '***'
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself. Only `net` calls this, at the moment of sending."""
        return self._value

    def taken_out_of(self, data: bytes) -> bytes:
        """Bytes of a server that may repeat the key (an error page with the request's headers, say) without it."""
        from .redact import without_key

        return without_key(data, self._value)

    def taken_out_of_text(self, text: str) -> str:
        """The same of a text, in which the key may be spelled as addresses, JSON or HTML spell it."""
        from .redact import without_spelled_key

        return without_spelled_key(text, self._value)

    def __repr__(self) -> str:
        return "Secret(...)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not pickled: the key would lie in a file; make the client where it is used")

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    @classmethod
    def hide_all(cls, headers: Mapping[str, str | Secret] | None) -> dict[str, str | Secret]:
        """Headers with their values wrapped, as `hide` does with a key; what is no text stays, to be refused."""
        return {name: cls(value) if isinstance(value, str) else value for name, value in (headers or {}).items()}

    @classmethod
    def hide(cls, key: str | Secret | None) -> Secret | None:
        """The key wrapped. Done first wherever one is passed in: verbose tracebacks show arguments."""
        return cls(key.strip()) if isinstance(key, str) else key  # what is no text stays, to be refused
