"""The one redactor: text and bytes without what would let a stranger in.

What `redact` takes out, in any case of letters (what must not depend on how a secret looks is taken out by the
functions below it):

- the values of parameters that sign or open an address, by their whole names and behind `?`, `&`, `&amp;`,
  `;`, `#`, JSON's escapes of these, and all of it percent-encoded: `sign`, `sig` (Azure SAS), `signature`
  (Dify, Aliyun, AWS 2), `nonce` (Dify), `token`, `credential`, `access_token`, `api_key` and the like;
- the names that are nobody's variable (`X-Amz-…`, `X-Goog-…`, `X-Oss-…`, `q-signature`) wherever they stand before `=`;
- what follows `Basic` or `Bearer` in an Authorization header, and without the header's name where it is plainly
  a credential: base64 of `user:password`, or no word of a language;
- keys: `app-` and `dataset-` with 16 letters or digits and more, `sk-` with 20 and more;
- the token of a form, with which anybody may answer it (Dify's `form_token`): in JSON, where null stands then, and
  in the path of a request.

All else stays as it is: `connect(design=5, token=count)` is code, `basic arithmetic` prose, `?token={token}`
a template. A semicolon counts as a delimiter, so `a;token=x` loses its x, and `a; token=x` does not.

The patterns are matched in one pass each with no quantifier inside another, so the cost grows with the text alone.
Pure: no I/O.
"""

from __future__ import annotations

import binascii
import html
import json
import re
from collections.abc import Callable, Collection
from typing import overload
from urllib.parse import unquote, urlsplit

_WORDS = (
    "sign", "sig", "signature", "nonce", "token", "credential", "credentials",
    "q-signature", "q-ak", "ossaccesskeyid", "awsaccesskeyid", "googleaccessid",
    *(f"{kind}{joint}token" for kind in ("access", "auth", "id", "refresh", "security", "session") for joint in "_-"),
    *("accesstoken", "authtoken", "apikey", "api_key", "api-key"),
)  # fmt: skip
_NAMES = (
    "|".join(_WORDS)
    + "|x-(?:amz|goog|oss)-[a-z0-9-]{1,60}|x-[a-z]{1,20}-(?:signature|credential|(?:security-)?token)"
)
_UNMISTAKABLE = "x-(?:amz|goog|oss)-[a-z0-9-]{1,60}|x-[a-z]{1,20}-signature|q-signature"

# The last two: a damaged character, and a byte that is no UTF-8.
_INSIDE = r"%*+\-./0-9:=@A-Z_a-z~!" + "\ufffd\udc80-\udcff"
_BEHIND = "!*.:"  # at a value's end these are the sentence's, or markdown's
_ESCAPED = r"\\/|\\u00(?:2b|2f|3d|25)"

_QUERY = re.compile(
    rf"((?:(?:[?&;#]|\\u00(?:26|3f|3b|23))(?:{_NAMES})|(?<![\w-])(?:{_UNMISTAKABLE}))(?:=|\\u003d))"
    rf"((?:[{_INSIDE}]|{_ESCAPED})++)",
    re.IGNORECASE,
)
_ENCODED = re.compile(
    rf"(%(?:3f|26|3b|23)(?:{_NAMES})%3d)((?:(?!%(?:26|23|3b))[{_INSIDE}])++)", re.IGNORECASE
)
# What documents write in the place of a credential.
_PLACEHOLDER = r"(?:your[a-z_-]*+|(?:[a-z]{1,20}_)?api_?key|(?:access_)?token)(?![A-Za-z0-9_~+/=-]|\.\w)"
_HEADER = re.compile(
    rf"(authorization[\\\"'\s]*[:=,][\\\"'\sb]*(?:basic|bearer)\s+)(?!{_PLACEHOLDER})[A-Za-z0-9._~+/=-]{{4,}}",
    re.IGNORECASE,
)
_BASIC = re.compile(r"\b(basic\s+)([A-Za-z0-9+/]{4,}={0,2})(?![A-Za-z0-9+/=])", re.IGNORECASE)
_BEARER = re.compile(
    r"\b((?i:bearer)\s+)(?=[A-Za-z._~+/=-]{0,80}[0-9]|[A-Za-z][a-z]{0,80}[A-Z][A-Za-z._~+/=-]{14}|[A-Za-z]{20})"
    r"[A-Za-z0-9._~+/=-]{8,}"
)
# Behind no letter and no digit, unless these are the end of an escape of JSON's or of an address.
_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt])|(?<=\\u[0-9a-f]{4})|(?<=%[0-9a-f]{2}))"
_KEY = re.compile(_START + r"(app|dataset)-[A-Za-z0-9]{16,}", re.IGNORECASE)
_MODEL_KEY = re.compile(
    _START + r"(?<![-_])(sk)-(?:[A-Za-z0-9]{20}|(?=[A-Za-z_-]{0,80}[0-9])[A-Za-z0-9_-]{20})[A-Za-z0-9_-]*",
    re.IGNORECASE,
)


@overload
def redact(data: str) -> str: ...
@overload
def redact(data: bytes) -> bytes: ...
def redact(data: str | bytes) -> str | bytes:
    """The same without signatures, credentials and keys; done twice it changes nothing more.

    Bytes may be anything: those that are no UTF-8 stay what they are.

    >>> redact("see /files/x?timestamp=1&nonce=ab&sign=cd%3D.")
    'see /files/x?timestamp=1&nonce=-&sign=-.'
    >>> redact(b"connect(design=5, token=count) with app-abcdefghijklmnop")
    b'connect(design=5, token=count) with app-***'
    """
    if isinstance(data, bytes):
        return _redacted(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    return _redacted(data)


def may_hold_a_secret(text: str) -> bool:
    """Whether `redact` has to look closer: a cheap answer for many texts joined, of which few hold any."""
    lowered = text.lower()
    return any(may(text, lowered) for may, _ in _STEPS)


def _redacted(text: str) -> str:
    lowered = text.lower()
    for may, patterns in _STEPS:
        if may(text, lowered):
            for pattern, instead in patterns:
                text = pattern.sub(instead, text)
    return text


# Whether a pattern may match, asked of the text and of the same in lower case; one character is found the fastest.


def _may_ask(text: str, lowered: str) -> bool:
    named = "=" in text and ("x-" in lowered or any(before.endswith(_WORDS) for before in lowered.split("=")[:-1]))
    return named or ("\\" in text and "u003d" in lowered)


def _may_ask_encoded(text: str, lowered: str) -> bool:
    return "%" in text and "%3d" in lowered


def _may_authorize(text: str, lowered: str) -> bool:
    return "earer" in lowered or "asic" in lowered  # without the b they are found in half the time


def _may_open(text: str, lowered: str) -> bool:
    return "-" in text and ("app-" in lowered or "dataset-" in lowered or "sk-" in lowered)


def _value(match: re.Match[str]) -> str:
    value = match[2]
    secret = value.rstrip(_BEHIND)
    return match[1] + "-" * bool(secret) + value[len(secret) :]


def _basic(match: re.Match[str]) -> str:
    """RFC 7617: the credential is base64 of a user, a colon and a password."""
    try:
        login = binascii.a2b_base64(match[2]).decode()
    except ValueError:  # no base64, or of no text
        return match[0]
    return match[1] + "***" if ":" in login and login.isprintable() else match[0]


# JSON may write each letter as an escape. What is no text is no token either, and does not stay: a list's end is found
# by who reads the JSON (`without_form_tokens`).
_FORM_NAME = "".join(rf"(?:{letter}|\\u00{ord(letter):02x})" for letter in "form_token")
_FORM = re.compile(
    rf'("{_FORM_NAME}"\s*:\s*)(?:"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|-?[0-9][0-9.e+-]*+|true|false)', re.IGNORECASE
)
_FORM_OF_PARTS = re.compile(rf'("{_FORM_NAME}"\s*:\s*)[\[{{].*+', re.IGNORECASE | re.DOTALL)
# JSON as a text of JSON, whose value may hold escapes that are one backslash longer.
_QUOTED_FORM = re.compile(r'(form_token(\\++)"\s*:\s*)\2"(?:[^"\\]|\\++[^"\\])*+(?:\\*"|\\*\Z)')
_SLASH = r"(?:\\?/|%(?:25)?2f|\\u002f)"
_FORM_PATH = re.compile(rf"(form{_SLASH}human_input{_SLASH}++)[A-Za-z0-9_.%~-]+", re.IGNORECASE)
# The page of a form, for whoever has its address.
_FORM_PAGE = re.compile(rf"(/form{_SLASH})[A-Za-z0-9]{{22}}(?![A-Za-z0-9_-])", re.IGNORECASE)
# As Python, HTML, a query and logs write it.
_QUOTE = r"(?:\\*['\"]|&quot;|&\#(?:34|39|x2[27]);|%2[27])"
_FORM_VALUE = re.compile(
    rf"(form_?token{_QUOTE}?\s*(?:[:=>]|%3[ad])[\s\[]*{_QUOTE}?)[A-Za-z0-9][A-Za-z0-9_-]{{15,}}", re.IGNORECASE
)


def _may_hold_a_form(text: str, lowered: str) -> bool:
    named = "form_token" in lowered or "formtoken" in lowered or "human_input" in lowered or "/form" in lowered
    return named or ("\\u00" in text and _FORM.search(text) is not None)


Pattern = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]
_FORM_STEPS: tuple[Pattern, ...] = (
    (_FORM, r"\1null"),
    (_QUOTED_FORM, r"\1null"),
    (_FORM_PATH, r"\1***"),
    (_FORM_PAGE, r"\1***"),
    (_FORM_VALUE, r"\1***"),
)
_STEPS: tuple[tuple[Callable[[str, str], bool], tuple[Pattern, ...]], ...] = (
    (_may_ask, ((_QUERY, _value),)),
    (_may_ask_encoded, ((_ENCODED, _value),)),
    (_may_authorize, ((_HEADER, r"\1***"), (_BASIC, _basic), (_BEARER, r"\1***"))),
    (_may_open, ((_KEY, r"\1-***"), (_MODEL_KEY, r"\1-***"))),
    (_may_hold_a_form, _FORM_STEPS),
)
"""In this order: whether a pattern may match, and each with what stands there instead."""


def has_key(text: str) -> bool:
    """Whether a literal key of Dify (`app-…`, `dataset-…`) stands in the text."""
    return _KEY.search(text) is not None


def is_key(text: str) -> bool:
    """Whether a text may be meant as a key of Dify's, and nothing else: also one that was cut or has other letters."""
    return _MEANT_AS_KEY.fullmatch(text) is not None


_MEANT_AS_KEY = re.compile(r"(?:app|dataset)-[A-Za-z0-9_-]{8,}")


@overload
def without_key(data: str, key: str | None) -> str: ...
@overload
def without_key(data: bytes, key: str | None) -> bytes: ...
def without_key(data: str | bytes, key: str | None) -> str | bytes:
    """What another side says without our own key, which some repeat; one below 8 characters is a placeholder.

    >>> without_key("no account for EMPTY nor my-secret", "my-secret")
    'no account for EMPTY nor ***'
    """
    if key is None or len(key) < 8:
        return data
    if isinstance(data, str):
        return data.replace(key, "***")
    own = key.encode()
    return data.replace(own, b"***") if own in data else data


def without_spelled_key(text: str, key: str) -> str:
    """`without_key` of a text that may spell the key in another way; then the text is spelled plainly too.

    >>> without_spelled_key("no form %61%62cdefgh", "abcdefgh")
    'no form ***'
    """
    for _ in range(_SPELLED_TWICE):
        for plainly in (unquote, html.unescape, _unescaped):
            plain = plainly(text)
            if plain != text and len(key) >= 8 and key in plain:
                text = plain
    return without_key(text, key)


_SPELLED_TWICE = 2
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([/\"\\]))")


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else match[2], text)


def without_form_tokens(data: bytes) -> bytes:
    """JSON of a server with null for each token of a form.

    >>> without_form_tokens(b'{"form_id": "1", "form_token": "abc"}')
    b'{"form_id": "1", "form_token": null}'
    """
    if not has_form_token(data):
        return data
    text = data.decode("utf-8", "surrogateescape")
    for pattern in (_FORM, _QUOTED_FORM):
        text = pattern.sub(r"\1null", text)
    if _FORM_OF_PARTS.search(text):
        text = _without_parts(text)
    return text.encode("utf-8", "surrogateescape")


def has_form_token(data: bytes) -> bool:
    """Whether JSON may hold a form's token: its name stands in it, or may be spelled in escapes."""
    return b"form_token" in data or (b"\\u00" in data and _NAMED.search(data) is not None)


_NAMED = re.compile(_FORM_NAME.encode(), re.IGNORECASE)


def _without_parts(text: str) -> str:
    """JSON with null for each token that is a list or an object; of what is no JSON nothing stays from there on."""

    def without(pairs: list[tuple[str, object]]) -> dict[str, object]:
        return {name: None if name == "form_token" else value for name, value in pairs}

    try:
        return json.dumps(json.loads(text, object_pairs_hook=without), ensure_ascii=False)
    except (ValueError, RecursionError):
        return _FORM_OF_PARTS.sub(r"\1null", text)


def without_login(netloc: str) -> str:
    """Host and port of an address, without the user and the password before them.

    >>> without_login("me:pw@host:8")
    'host:8'
    """
    return netloc.rpartition("@")[2]


def without_query(url: str | None, schemes: Collection[str] | None = ("http", "https", "")) -> str | None:
    """An address without its query, its fragment, and user and password.

    Args:
        schemes: those that it may have; None: any.

    Returns:
        None for what is no such address, such as data.

    >>> without_query("https://me:pw@host:8/a.png?sign=1")
    'https://host:8/a.png'
    """
    if not url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if schemes is not None and parts.scheme not in schemes:
        return None
    netloc = without_login(parts.netloc)
    return f"{parts.scheme}://{netloc}{parts.path}" if netloc else parts.path or None


def header(name: str, value: str) -> str:
    """The value of a header as it may be shown."""
    return "***" if name.lower() in _SECRET_HEADERS else value


_SECRET_HEADERS = ("authorization", "cookie", "x-api-key", "api-key", "proxy-authorization")
