"""How an error is told where no event of Dify's tells it: in Dify's bodies, by gateways, by model servers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MESSAGE_FIELDS = (
    "message", "msg", "error", "detail", "errors", "errmsg", "error_msg", "error_message", "error_description",
    "title",
)
"""Where the words stand, the best first: Dify's and OpenAI's, gateways', FastAPI's, OAuth's, RFC 9457's."""
_ERROR_FIELDS = frozenset(_MESSAGE_FIELDS[2:-1]) | {"code", "status", "success"}
"""What tells an error from any other object with a message."""
_CODE_FIELDS = ("code", "errcode", "error_code")
_MAX_MESSAGE = 100_000
"""Characters of a message in which JSON is looked for."""
_MAX_DEPTH = 4
"""How far inside each other words are looked for."""
_SUCCESS = frozenset({"", "0", "ok", "success", "succeeded", "true"})


def error_of(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The `code`, `message` and `status` of an error; None for an object that is none, or says that all is well."""
    inner = next((body[name] for name in ("error", "detail") if isinstance(body.get(name), dict)), None)
    fields = {**body, **inner} if inner is not None else dict(body)
    message = next(filter(None, (_words(fields.get(name)) for name in _MESSAGE_FIELDS)), "")
    if not message or not _ERROR_FIELDS & body.keys() or (inner is None and _is_success(fields)):
        return None
    code = next((fields[name] for name in _CODE_FIELDS if fields.get(name)), None)
    return {"code": code, "message": message, "status": fields.get("status")}


def readable(message: str) -> str:
    """The words of a message that is JSON, as Dify passes on what a model's plugin raised; any other as it is."""
    import msgspec

    start = message.find("{")
    head = message[: max(start, 0)].rstrip()
    if start < 0 or len(message) > _MAX_MESSAGE or (head and not head.endswith("PluginInvokeError:")):
        return message
    try:
        value = msgspec.json.decode(message[start:])
    except (ValueError, RecursionError):
        return message
    return (isinstance(value, dict) and _words(value)) or message


def _words(value: Any, depth: int = _MAX_DEPTH) -> str:
    """What a text says, or several things that are wrong: `body.query: Field required; …`."""
    if isinstance(value, str):
        return value.strip()
    if depth and isinstance(value, dict):
        words = next(filter(None, (_words(value.get(name), depth - 1) for name in _MESSAGE_FIELDS)), "")
        location = value.get("loc")
        where = ".".join(map(str, location)) if isinstance(location, list) and words else ""
        return f"{where}: {words}" if where else words
    if depth and isinstance(value, list):
        return "; ".join(filter(None, (_words(item, depth - 1) for item in value)))
    return ""


def _is_success(fields: Mapping[str, Any]) -> bool:
    """Whether its own signs say that nothing is wrong, as heartbeats and acknowledgements of gateways do."""
    if fields.get("success") is True or fields.get("error") is False:
        return True
    values = [fields[name] for name in ("code", "errcode", "status") if name in fields]
    has_words = any(_words(fields.get(name)) for name in _MESSAGE_FIELDS[2:])
    return bool(values) and not has_words and all(_means_success(value) for value in values)


def _means_success(value: Any) -> bool:
    text = str(value).strip().lower()
    return value is None or text in _SUCCESS or (text.isdigit() and 200 <= int(text[:9]) < 300)
