"""How an error is told where no event of Dify's tells it: in Dify's bodies, by gateways, by model servers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORDS = (
    "message", "msg", "error", "detail", "errors", "errmsg", "error_msg", "error_message", "error_description",
    "title",
)
"""Where the words stand, the best first: Dify's and OpenAI's, gateways', FastAPI's, OAuth's, RFC 9457's."""
_SIGNS = frozenset(_WORDS[2:-1]) | {"code", "status", "success"}
"""What tells an error from any other object with a message."""
_CODES = ("code", "errcode", "error_code")
_DEEPEST = 4
"""How far inside each other words are looked for."""
_WELL = frozenset({"", "0", "ok", "success", "succeeded", "true"})


def refusal(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """The `code`, `message` and `status` of an error; None for an object that is none, or says that all is well."""
    inner = next((found[name] for name in ("error", "detail") if isinstance(found.get(name), dict)), None)
    told = {**found, **inner} if inner is not None else dict(found)
    message = next(filter(None, (_words(told.get(name)) for name in _WORDS)), "")
    if not message or not _SIGNS & found.keys() or (inner is None and _is_well(told)):
        return None
    code = next((told[name] for name in _CODES if told.get(name)), None)
    return {"code": code, "message": message, "status": told.get("status")}


def _words(value: Any, depth: int = _DEEPEST) -> str:
    """What a text says, or several things that are wrong: `body.query: Field required; …`."""
    if isinstance(value, str):
        return value.strip()
    if depth and isinstance(value, dict):
        words = next(filter(None, (_words(value.get(name), depth - 1) for name in _WORDS)), "")
        place = value.get("loc")
        where = ".".join(map(str, place)) if isinstance(place, list) and words else ""
        return f"{where}: {words}" if where else words
    if depth and isinstance(value, list):
        return "; ".join(filter(None, (_words(one, depth - 1) for one in value)))
    return ""


def _is_well(told: Mapping[str, Any]) -> bool:
    """Whether its own signs say that nothing is wrong, as heartbeats and acknowledgements of gateways do."""
    if told.get("success") is True or told.get("error") is False:
        return True
    signs = [told[name] for name in ("code", "errcode", "status") if name in told]
    wrong = any(_words(told.get(name)) for name in _WORDS[2:])
    return bool(signs) and not wrong and all(_good(one) for one in signs)


def _good(sign: Any) -> bool:
    text = str(sign).strip().lower()
    return sign is None or text in _WELL or (text.isdigit() and 200 <= int(text[:9]) < 300)
