"""Files among the inputs that a server keeps: which it takes again, and which it only tells of. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_file(value: Any) -> bool:
    """Whether it is a file, or a list with files, as Dify names or keeps them."""
    items = value if isinstance(value, list | tuple) else (value,)
    return any(_is_stored_form(item) or is_reference(item) for item in items)


def is_reference(value: Any) -> bool:
    """Whether a question may name a file so: an upload by its id, or an address that the server fetches."""
    if not isinstance(value, Mapping) or _is_stored_form(value):
        return False
    for method, where in (("local_file", "upload_file_id"), ("remote_url", "url")):
        if value.get("transfer_method") == method:
            return isinstance(value.get(where), str) and bool(value[where])
    return False


def _is_stored_form(value: Any) -> bool:
    """Files of a stored conversation come back in a form of the server's own, which it does not take."""
    return isinstance(value, Mapping) and "dify_model_identity" in value
