"""The redactor: a table of what is taken out and what stays, and laws that hold for every text."""

from __future__ import annotations

import base64

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.linear import MOST, growth

from dify_notebook.errors import DifyError
from dify_notebook.frames.texts import clean
from dify_notebook.redact import has_key, header, is_key, redact, without_key, without_login, without_query
from dify_notebook.tape.line import line_of

LETTERS = "abcdefghijklmnopqrst"
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2ln"
BASIC = base64.b64encode(b"user:pass").decode()

#: kind, before, after
TABLE = [
    ("dify", "/files/x?timestamp=1&nonce=ab&sign=cd%3D", "/files/x?timestamp=1&nonce=-&sign=-"),
    ("upper case", "/files/x?SIGN=cd&Token=ef", "/files/x?SIGN=-&Token=-"),
    ("html", "a?x=1&amp;sign=cd&#38;token=ef&#x26;sig=gh", "a?x=1&amp;sign=-&#38;token=-&#x26;sig=-"),
    ("json", r'"a?x=1\u0026sign=cd\u0026token=ef"', r'"a?x=1\u0026sign=-\u0026token=-"'),
    ("json, all escaped", r'"http:\/\/a\u003fsign\u003dab\/cd\u003d\u003d"', r'"http:\/\/a\u003fsign\u003d-"'),
    ("json in json", r'"{\"u\": \"a?x=1\\u0026sign=cd\"}"', r'"{\"u\": \"a?x=1\\u0026sign=-\"}"'),
    ("semicolon", "a?x=1;sig=cd", "a?x=1;sig=-"),
    ("semicolon in code", "a;token=x", "a;token=-"),
    ("fragment", "a#token=cd", "a#token=-"),
    ("aws", "s3?X-Amz-Algorithm=AWS4&X-Amz-Credential=AK/1/us&X-Amz-Security-Token=t%2F&X-Amz-Signature=0f",
     "s3?X-Amz-Algorithm=-&X-Amz-Credential=-&X-Amz-Security-Token=-&X-Amz-Signature=-"),
    ("aws 2", "s3?AWSAccessKeyId=AK&Signature=a%2Bb=&Expires=9", "s3?AWSAccessKeyId=-&Signature=-&Expires=9"),
    ("a query by itself", '"X-Amz-Signature=0f&x-goog-signature=1"', '"X-Amz-Signature=-&x-goog-signature=-"'),
    ("google", "g?x-goog-credential=a@b.iam/2&X-Goog-Signature=0f", "g?x-goog-credential=-&X-Goog-Signature=-"),
    ("aliyun", "o?OSSAccessKeyId=LT&Signature=a%3D&x-oss-process=x&x-oss-signature=1&security-token=2",
     "o?OSSAccessKeyId=-&Signature=-&x-oss-process=-&x-oss-signature=-&security-token=-"),
    ("tencent", "c?q-sign-algorithm=sha1&q-ak=AK&q-signature=0f", "c?q-sign-algorithm=sha1&q-ak=-&q-signature=-"),
    ("azure", "b?sv=2024-01-01&se=2030&sp=r&sig=ab%2Bc%3D", "b?sv=2024-01-01&se=2030&sp=r&sig=-"),
    ("access token", "a?access_token=ab&api_key=cd&credential=ef", "a?access_token=-&api_key=-&credential=-"),
    ("an address in an address", "r?to=http%3A%2F%2Fh%2Ff%3Fsign%3Dab%26x%3D1&y=2",
     "r?to=http%3A%2F%2Fh%2Ff%3Fsign%3D-%26x%3D1&y=2"),
    ("a damaged character", "a?sign=ab\ufffdcd&x=1", "a?sign=-&x=1"),
    ("the end of a sentence", "See http://h/a?sign=cd. And (http://h/b?sign=ef).",
     "See http://h/a?sign=-. And (http://h/b?sign=-)."),
    ("chinese behind", "见 http://h/a?sign=cd，好", "见 http://h/a?sign=-，好"),
    ("markdown", "[a](http://h/a?sign=cd) **http://h/b?sign=ef**", "[a](http://h/a?sign=-) **http://h/b?sign=-**"),
    ("bearer", f"Authorization: Bearer {LETTERS}", "Authorization: Bearer ***"),
    ("bearer in json", f'{{"authorization": "bearer {LETTERS}"}}', '{"authorization": "bearer ***"}'),
    ("bearer in a list", f"[(b'Authorization', b'Bearer {LETTERS}')]", "[(b'Authorization', b'Bearer ***')]"),
    ("bearer by itself", f"curl -H 'x: Bearer {JWT}'", "curl -H 'x: Bearer ***'"),
    ("basic", "Authorization: Basic dTpw", "Authorization: Basic ***"),
    ("basic by itself", f"sent Basic {BASIC}", "sent Basic ***"),
    ("key", f"app-{LETTERS}. dataset-{LETTERS}", "app-***. dataset-***"),
    ("key, upper case", f"APP-{LETTERS.upper()}", "APP-***"),
    ("key of 16", f"app-{LETTERS[:16]}", "app-***"),
    ("key behind an escape", rf"is:\napp-{LETTERS} \u0020app-{LETTERS} %20app-{LETTERS}",
     r"is:\napp-*** \u0020app-*** %20app-***"),
    ("model key", f"sk-{LETTERS}", "sk-***"),
    ("model key with parts", f"sk-proj-1_{LETTERS}-x", "sk-***"),
]  # fmt: skip

#: What looks a little like a secret, and is none.
PLAIN = [
    "connect(design=5, token=count)",
    "sign=5; token = x; a; token=x",
    "?assign=5&design=6&max_tokens=7&csrf=8&redesign_token_count=9",
    "?token={token}&sign=$SIGN&sig=<sig>&token=",
    "https://h/search?q=sign&page=2#token",
    "basic arithmetic, Basic JavaScript, Basic authentication and BASIC PROGRAMMING",
    "bearer certificates; the bearer of good tidings; Bearer {api_key}; Bearer YOUR_API_KEY",
    "Authorization: Bearer YOUR_API_KEY, 'Authorization': 'Bearer your-token', \"Authorization: Bearer DIFY_API_KEY\"",
    "Send Authorization: Bearer token. Or: authorization = bearer access_token",
    "app-store web-app-abc my-app-1234567890 webapp-abcdefghijklmnopqrst",
    "sk-learn-compatible-estimators-and-more task-abcdefghijklmnopqrstuvwxyz",
    f"app-{LETTERS[:15]} sk-{LETTERS[:19]}",
    "X-Amz-Date: 2024; x-amz-meta and x-goog-like",
]


@pytest.mark.parametrize(("before", "after"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_lets_in_is_taken_out(before: str, after: str) -> None:
    assert redact(before) == after
    assert redact(before.encode()) == after.encode()
    assert redact(after) == after


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text
    assert redact(text.encode()) == text.encode()


def test_a_byte_that_is_no_text_hides_nothing() -> None:
    assert redact(b"\xff a?sign=ab\xfecd&x=1 \xff") == b"\xff a?sign=-&x=1 \xff"
    frame = b'{"event": "message\xff", "url": "a?sign=SECRET&token=SECRET"}'
    assert base64.b64encode(b"SECRET")[:7] not in line_of(0.0, ("", frame))
    assert base64.b64encode(redact(frame)) in line_of(0.0, ("", frame))


def test_all_rooms_use_it() -> None:
    secret = f"a?sig=SECRET and app-{LETTERS}"
    for told in (clean(secret), DifyError(secret).message, str(DifyError(secret)),
                 str(DifyError("x", attempted=secret)), repr(DifyError(secret))):  # fmt: skip
        assert told is not None
        assert "a?sig=- and app-***" in told
    assert (has_key(secret), has_key("a?sig=SECRET")) == (True, False)


def test_our_own_key_is_taken_out_however_it_looks() -> None:
    for key, said in (("my-secret", "no *** here"), ("EMPTY", "no EMPTY here"), (None, "no key here")):
        text = f"no {key or 'key'} here"
        assert without_key(text, key) == said
        assert without_key(text.encode() + b"\xff", key) == said.encode() + b"\xff"


def test_parts_of_addresses_and_headers_that_are_never_shown() -> None:
    assert [without_login(place) for place in ("h:1", "me@h", "me:p@ss@h:1", "")] == ["h:1", "h", "h:1", ""]
    assert without_query("ftp://me:pw@h/x?sign=1#y") is None
    assert without_query("ftp://me:pw@h/x?sign=1#y", schemes=None) == "ftp://h/x"
    assert [header(name, "v") for name in ("Authorization", "COOKIE", "x-api-key", "Accept")] == ["***"] * 3 + ["v"]
    assert [is_key(text) for text in ("app-12_45-78", "dataset-12345678", "app-1234567", "see app-12345678")] == [
        True, True, False, False,
    ]  # fmt: skip


#: What every pattern needs one of.
PIECES = ("=", "%3d", "%3D", "u003d", "u003D", "basic", "bearer", "app-", "dataset-", "sk-")


@given(st.text())
@settings(max_examples=300)
def test_text_without_any_piece_is_not_changed(text: str) -> None:
    if not any(piece.lower() in text.lower() for piece in PIECES):
        assert redact(text) == text


#: Parameters that are nobody's secret, in text of letters, signs and spaces.
HARMLESS = st.lists(
    st.tuples(
        st.sampled_from(["?", "&", "&amp;", ";", "#", " ", "(", ", ", "\\u0026", '"', "%26"]),
        st.from_regex(r"[a-z_]{1,12}", fullmatch=True).filter(lambda name: redact(f"?{name}=1") != f"?{name}=-"),
        st.text(st.characters(codec="utf-8", exclude_characters="?&;#%\\ABCDabcd="), max_size=12),
    )
)


@given(HARMLESS)
@settings(max_examples=300)
def test_parameters_of_other_names_are_not_changed(parameters: list[tuple[str, str, str]]) -> None:
    text = "".join(f"{before}{name}={value}" for before, name, value in parameters)
    assert redact(text) == text
    assert redact(text.encode()) == text.encode()


PARTS = st.lists(
    st.sampled_from(
        ["?", "&", ";", "#", "\\u0026", "%26", "%3f", "%3D", "=", "sign", "Sig", "token", "X-Amz-A", "x-goog-b", "-", ".",
         "*", "!", "\\/", "\\n", " ", '"', "Authorization: ", "Basic ", "bearer ", BASIC, "app-", "sk-", LETTERS, "1", "é",
         "\ufffd"]
    ),
    max_size=12,
)  # fmt: skip


@given(PARTS)
@settings(max_examples=1_000)
@example(["?", "sign", "=", "*", ".", "-"])
def test_done_twice_it_changes_nothing_more(parts: list[str]) -> None:
    once = redact("".join(parts))
    assert redact(once) == once
    assert redact("".join(parts).encode()) == once.encode()


@given(st.binary())
def test_bytes_without_any_piece_are_not_changed(data: bytes) -> None:
    if not any(piece.encode() in data.lower() for piece in map(str.lower, PIECES)):
        assert redact(data) == data


GROWING = ["?sign=", "?sign=!", "?sign=a", "x-amz-", "x-amz-a=", "%3fsign%3d%2", "authorization ", "authorization: ",
           "basic ", "basic abcd", "basic/", "bearer ", "bearer A", "app-", "app-a", "sk-", "sk-a", "sk-_", "\\", "\\u0026",
           "a", "=", "!", "&", "-", "authorization:basic "]  # fmt: skip


@pytest.mark.parametrize("piece", GROWING)
@pytest.mark.parametrize("head", ["", "?sign=", "bearer ", "basic ", "sk-", "authorization"])
def test_the_cost_grows_with_the_text_alone(head: str, piece: str) -> None:
    assert growth(lambda times: head + piece * times, redact, 16_000) <= MOST
