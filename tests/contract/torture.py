"""What a splitter of server-sent events has to survive: bytes in, frames out.

A frame is (event name, data): the data lines of a block, joined by LF, as bytes. The name is
empty where the block gives none. A block that names an event and has no data line (Dify's
ping) is a frame with data None; a block with neither is nothing.

`rest` is what was begun and not ended: the data lines of the block that never saw its blank
line, each as `data: ...`, and after them the line that was cut off, joined by LF. The standard
throws these away; a reader that was cut off wants to say what it lost.

The law that all of them are for: the frames are the same wherever the bytes are cut.
"""


from __future__ import annotations

from dataclasses import dataclass

Frame = tuple[str, bytes | None]

PING: Frame = ("ping", None)


@dataclass(frozen=True)
class Torture:
    """Some bytes, and the frames that are in them."""

    id: str
    data: bytes
    frames: list[Frame]
    rest: bytes = b""


def d(*datas: bytes) -> list[Frame]:
    """Frames without a name."""
    return [("", data) for data in datas]


T = Torture
BOM = b"\xef\xbb\xbf"

LINE_ENDS = [
    T("lf", b"data: a\n\ndata: b\n\n", d(b"a", b"b")),
    T("crlf", b"data: a\r\n\r\ndata: b\r\n\r\n", d(b"a", b"b")),
    T("cr", b"data: a\r\rdata: b\r\r", d(b"a", b"b")),
    T("mixed-in-one-block", b"data: a\ndata: b\rdata: c\r\ndata: e\r\n\r\n", d(b"a\nb\nc\ne")),
    T("lf-then-crlf", b"data: a\n\r\ndata: b\n\r\n", d(b"a", b"b")),
    T("crlf-then-lf", b"data: a\r\n\ndata: b\r\n\n", d(b"a", b"b")),
    T("cr-then-lf-is-one-end", b"data: a\r\ndata: b\r\n\r\n", d(b"a\nb")),
    T("lf-then-cr-is-two-ends", b"data: a\n\rdata: b\n\r", d(b"a", b"b")),
    T("cr-crlf", b"data: a\r\r\ndata: b\r\r\n", d(b"a", b"b")),
    T("ends-with-cr", b"data: a\n\ndata: b\r\r", d(b"a", b"b")),
    T("ends-with-one-cr", b"data: a\r", [], rest=b"data: a"),
    T("blank-lines-galore", b"\n\n\r\n\r\r\n\n" + b"data: a" + b"\n" * 20 + b"data: b\n\n" + b"\r\n" * 9, d(b"a", b"b")),
    T("nothing", b"", []),
    T("only-blank-lines", b"\n\n\n\r\n\r", []),
]

FIELDS = [
    T("no-space-after-colon", b"data:a\n\n", d(b"a")),
    T("one-space-is-taken-away", b"data:  a\n\n", d(b" a")),
    T("a-tab-stays", b"data:\ta\n\n", d(b"\ta")),
    T("blanks-at-the-end-stay", b"data: a  \n\n", d(b"a  ")),
    T("multi-line", b"data: a\ndata: b\ndata: c\n\n", d(b"a\nb\nc")),
    T("multi-line-with-empty-lines", b"data: a\ndata:\ndata:\ndata: b\n\n", d(b"a\n\n\nb")),
    T("multi-line-json", b'data: {"a":\ndata:  1}\n\n', d(b'{"a":\n 1}')),
    T("empty-data", b"data:\n\n", d(b"")),
    T("empty-data-with-space", b"data: \n\n", d(b"")),
    T("two-empty-data-lines", b"data:\ndata:\n\n", d(b"\n")),
    T("field-without-colon", b"data\n\n", d(b"")),
    T("two-fields-without-colon", b"data\ndata\n\n", d(b"\n")),
    T("unknown-field", b"dat: x\ndatum: y\nfoo\ndata: a\n\n", d(b"a")),
    T("upper-case-is-another-field", b"Data: x\nDATA: y\ndata: a\n\n", d(b"a")),
    T("blank-before-the-name-is-another-field", b" data: x\ndata: a\n\n", d(b"a")),
    T("blank-before-the-colon-is-another-field", b"data : x\ndata: a\n\n", d(b"a")),
    T("colons-in-data", b"data: a: b::c\n\n", d(b"a: b::c")),
    T("data-starts-with-colon", b"data::a\n\n", d(b":a")),
    T("comment", b": hello\n\ndata: a\n\n", d(b"a")),
    T("comment-inside-a-block", b"data: a\n: data: x\n:\ndata: b\n\n", d(b"a\nb")),
    T("comments-only", b":\n\n:\n:keep-alive\n\n", []),
    T("id-and-retry", b"id: 7\nretry: 3000\ndata: a\n\nid\nretry: soon\ndata: b\n\n", d(b"a", b"b")),
    T("id-with-nul", b"id: 1\x002\ndata: a\n\n", d(b"a")),
    T("id-only", b"id: 7\n\nretry: 10\n\ndata: a\n\n", d(b"a")),
]

EVENTS = [
    T("ping-is-thirteen-bytes", b"event: ping\n\n", [PING]),
    T("ping-crlf", b"event: ping\r\n\r\n", [PING]),
    T("ping-without-space", b"event:ping\n\n", [PING]),
    T("ping-before-and-between", b"event: ping\n\ndata: a\n\nevent: ping\n\nevent: ping\n\ndata: b\n\n",
      [PING, ("", b"a"), PING, PING, ("", b"b")]),
    T("ping-with-data", b"event: ping\ndata: {}\n\n", [("ping", b"{}")]),
    T("ping-with-empty-data", b"event: ping\ndata\n\n", [("ping", b"")]),
    T("ping-with-comment", b": beat\nevent: ping\n\n", [PING]),
    T("event-after-data", b"data: a\nevent: message\n\n", [("message", b"a")]),
    T("event-twice-the-last-counts", b"event: one\nevent: two\ndata: a\n\n", [("two", b"a")]),
    T("event-emptied-again", b"event: one\nevent:\ndata: a\n\n", d(b"a")),
    T("event-without-colon", b"event\ndata: a\n\n", d(b"a")),
    T("event-does-not-reach-the-next-block", b"event: ping\n\ndata: a\n\nevent: x\ndata: b\n\ndata: c\n\n",
      [PING, ("", b"a"), ("x", b"b"), ("", b"c")]),
    T("event-in-chinese", "event: 事件\ndata: 数据\n\n".encode(), [("事件", "数据".encode())]),
]

BYTES = [
    T("bom", BOM + b"data: a\n\n", d(b"a")),
    T("bom-before-a-blank-line", BOM + b"\ndata: a\n\n", d(b"a")),
    T("bom-before-a-comment", BOM + b": hi\ndata: a\n\n", d(b"a")),
    T("only-one-bom-is-taken-away", BOM + BOM + b"data: x\n\ndata: a\n\n", d(b"a")),
    T("bom-later-is-part-of-the-name", b"data: a\n\n" + BOM + b"data: x\n\ndata: b\n\n", d(b"a", b"b")),
    T("bom-in-data-stays", b"data: " + BOM + b"a\n\n", d(BOM + b"a")),
    T("bom-cut-off", b"\xef\xbb", [], rest=b"\xef\xbb"),
    T("line-separators-are-characters", "data: a\u2028b\u2029c\u0085e\n\n".encode(), d("a\u2028b\u2029c\u0085e".encode())),
    T("vt-ff-and-separators-are-characters", b"data: a\x0bb\x0cc\x1ce\x1df\x1eg\n\n", d(b"a\x0bb\x0cc\x1ce\x1df\x1eg")),
    T("nul", b"data: a\x00b\n\nda\x00ta: x\n\ndata: \x00\n\n", d(b"a\x00b", b"\x00")),
    T("utf-8", "data: naïve 你好 🎉 👩‍👩‍👧 مرحبا\n\n".encode(), d("naïve 你好 🎉 👩‍👩‍👧 مرحبا".encode())),
    T("utf-8-with-line-end-bytes-inside", "data: \u0a0d \u0d0a \u010a 上下\n\n".encode(), d("\u0a0d \u0d0a \u010a 上下".encode())),
    T("no-utf-8", b"data: \xff\xfe\xe4\xbd\n\ndata: \x80\n\n", d(b"\xff\xfe\xe4\xbd", b"\x80")),
    T("surrogate-bytes", b"data: \xed\xa0\xbd\xed\xb8\x80\n\n", d(b"\xed\xa0\xbd\xed\xb8\x80")),
    T("latin-1", "data: café\n\n".encode("latin-1"), d("café".encode("latin-1"))),
    T("escapes-are-not-line-ends", b'data: {"a":"x\\n\\ny\\r\\n\\r\\nz"}\n\n', d(b'{"a":"x\\n\\ny\\r\\n\\r\\nz"}')),
    T("html-instead", b"<html>\r\n<h1>502 Bad Gateway</h1>\r\n</html>\r\n", []),
    T("done-marker-of-others", b"data: [DONE]\n\n", d(b"[DONE]")),
]

UNFINISHED = [
    T("cut-in-the-value", b'data: a\n\ndata: {"event":"mess', d(b"a"), rest=b'data: {"event":"mess'),
    T("cut-in-the-name", b"data: a\n\nda", d(b"a"), rest=b"da"),
    T("cut-after-the-line-end", b"data: a\n\ndata: b\n", d(b"a"), rest=b"data: b"),
    T("cut-after-crlf", b"data: a\r\n\r\ndata: b\r\n", d(b"a"), rest=b"data: b"),
    T("cut-in-the-second-line", b"data: a\n\ndata: b\ndata: c", d(b"a"), rest=b"data: b\ndata: c"),
    T("cut-in-a-character", "data: a\n\ndata: 你".encode()[:-1], d(b"a"), rest="data: 你".encode()[:-1]),
    T("cut-in-a-ping", b"data: a\n\nevent: pi", d(b"a"), rest=b"event: pi"),
    T("cut-after-the-line-of-a-ping", b"data: a\n\nevent: ping\n", d(b"a")),
    T("cut-in-a-comment", b"data: a\n\n: kee", d(b"a"), rest=b": kee"),
]


def _large() -> list[Torture]:
    """Events of more than a megabyte: one line, many lines, and small ones around."""
    size = 1_200_000
    text = ("0123456789 你好 " * (size // 18 + 1)).encode()[: size - 1] + b"z"
    lines = [b"%07d" % number for number in range(150_000)]
    return [
        T("one-line-of-1.2-MB", b"data: a\n\ndata: " + text + b"\n\ndata: b\n\n", d(b"a", text, b"b")),
        T(
            "150,000-lines-in-one-event",
            b"".join(b"data: " + line + b"\n" for line in lines) + b"\ndata: b\n\n",
            d(b"\n".join(lines), b"b"),
        ),
        T("50,000-events", b"data: x\n\n" * 50_000, d(b"x") * 50_000),
        T("100,000-blank-lines", b"\r\n" * 100_000 + b"data: a\n\n", d(b"a")),
    ]


SMALL = [*LINE_ENDS, *FIELDS, *EVENTS, *BYTES, *UNFINISHED]
"""To be cut at every byte, and fed byte by byte."""

LARGE = _large()
"""To be fed whole and in chunks of some sizes: splitting must stay linear in the bytes."""

CHUNKED: list[tuple[str, list[bytes], list[Frame]]] = [
    ("cr-at-the-end-lf-in-the-next", [b"data: a\r", b"\n\r", b"\ndata: b\r", b"\n\r\n"], d(b"a", b"b")),
    ("cr-cr-at-the-end-lf-in-the-next", [b"data: a\r\r", b"\ndata: b\n\n"], d(b"a", b"b")),
    ("cr-cr-at-the-end-data-in-the-next", [b"data: a\r\r", b"data: b\n\n"], d(b"a", b"b")),
    ("empty-chunk-between-cr-and-lf", [b"data: a\r", b"", b"\ndata: b\r\n", b"", b"\r\n"], d(b"a\nb")),
    ("empty-chunks", [b"", b"data: ", b"", b"a\n", b"", b"\n", b""], d(b"a")),
    ("bom-in-pieces", [b"\xef", b"\xbb", b"\xbf", b"data: a\n\n"], d(b"a")),
    ("character-in-pieces", [b"data: \xe4", b"\xbd", b"\xa0\n\n"], d("你".encode())),
    ("blank-line-in-pieces", [b"data: a\n", b"\n", b"data: b", b"\n", b"\n"], d(b"a", b"b")),
    ("field-name-in-pieces", [b"da", b"ta", b":", b" ", b"a", b"\n\n"], d(b"a")),
    ("second-space-in-the-next", [b"data:", b" ", b" a\n\n"], d(b" a")),
    ("whole-event-after-an-open-block", [b"data: a\n", b"data: b\n\n", b"data: c\n\n"], d(b"a\nb", b"c")),
    ("whole-event-after-an-event-line", [b"event: x\n", b"data: a\n\n"], [("x", b"a")]),
    ("whole-event-after-a-comment", [b": x", b"data: a\n\n", b"data: b\n\n"], d(b"b")),
    ("whole-event-after-a-cut-name", [b"data: a\n\n", b"x", b"data: b\n\n", b"data: c\n\n"], d(b"a", b"c")),
    ("lf-after-cr-then-whole-event", [b"data: a\r\n\r", b"\n", b"data: b\n\n"], d(b"a", b"b")),
    ("lone-lf-after-a-frame-that-ended-in-cr", [b"data: a\r\r", b"\n", b"\n", b"data: b\n\n"], d(b"a", b"b")),
    ("several-events-at-once", [b"data: a\n\n", b"data: b\n\ndata: c\n\n", b"data: e\n\n"], d(b"a", b"b", b"c", b"e")),
    ("nul-chunks", [b"data: \x00", b"\x00\n\n"], d(b"\x00\x00")),
]
"""(id, chunks, frames): cuts in places that are worth a name."""
