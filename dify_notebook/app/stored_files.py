"""Files that a server keeps: how another question names them, and which values are some. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ..errors import InputError
from ..i18n import t
from ..turn.convert import as_file
from ..turn.state import MessageFile
from .file_references import is_url, remote

_METHODS = {"local_file": "upload_file_id", "remote_url": "url", "tool_file": "tool_file_id"}
"""How a question may name a file, and under which name it says which one (Dify 0.15 and newer)."""
_KEPT = re.compile(r"/files/(tools/)?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b")
"""In an address of the server's own: what a tool made, or what was uploaded."""


def is_file(value: Any) -> bool:
    """Whether it is a file, or a list with files, as Dify names or keeps them."""
    items = value if isinstance(value, list | tuple) else (value,)
    return any(is_kept(item) or is_reference(item) for item in items)


def is_reference(value: Any) -> bool:
    """Whether a question may name a file so: an upload or a tool's file by its id, or an address to be fetched."""
    if not isinstance(value, Mapping) or is_kept(value):
        return False
    where = value.get(_METHODS.get(str(value.get("transfer_method")), ""))
    return isinstance(where, str) and bool(where)


def is_kept(value: Any) -> bool:
    """Whether it is a file as a turn or a server tells of it, in a form that no question takes."""
    return isinstance(value, MessageFile) or (isinstance(value, Mapping) and "dify_model_identity" in value)


def reference(value: Any) -> dict[str, object] | None:
    """How a question names a kept file again; None where the server does not tell enough of it.

    An upload's own id stands where its address leads, and what a turn has as the `id` may be the message's name for it.
    """
    file = value if isinstance(value, MessageFile) else as_file(value)
    kind, url = file.type or "custom", file.url or ""
    if file.transfer_method == "remote_url":
        return {**remote(url), "type": kind} if is_url(url) else None
    place = _KEPT.search(_path(url))
    method = file.transfer_method or ("tool_file" if place and place[1] else "local_file")
    id = file.upload_file_id or (place[2] if place else file.id if file.transfer_method else None)
    return {"type": kind, "transfer_method": method, _METHODS[method]: id} if id and method in _METHODS else None


def again(item: Any) -> Any:
    """A kept file as a question names it; all else as it is.

    Raises:
        InputError: the server does not tell enough of that file.
    """
    if not is_kept(item):
        return item
    named = reference(item)
    if named is None:
        file = item if isinstance(item, MessageFile) else as_file(item)
        raise InputError(t("net.file_again", name=file.name or file.type or "?"), code="file")
    return named


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:  # no address at all
        return ""
