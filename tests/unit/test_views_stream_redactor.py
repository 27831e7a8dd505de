"""A text that grows loses its secrets wherever its pieces are cut, and nothing else; what is done costs nothing again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.linear import MOST, growth

from dify_notebook.redact import redact
from dify_notebook.views.stream_redactor import StreamRedactor

PARTS = st.lists(
    st.sampled_from(
        ["see ", "http://h/x", "?a=1", "&sign=", "c2lnbmVk", "%3D", " ", "\n", "app-", "abcdefghijklmnop", "basic ", "clearer ",
         "Authorization: Bearer ", "x=1; ", "字", "*", "."]
    ),
    max_size=14,
)  # fmt: skip


@settings(max_examples=300)
@given(PARTS, st.data())
def test_pieces_make_what_the_whole_is(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    growing, out = StreamRedactor(), ""
    for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        out += growing.take(text[begin:end], last=end == len(text))
    assert out == "\n".join(redact(line) for line in text.split("\n"))


@settings(max_examples=200)
@given(PARTS.map(lambda parts: "".join(parts).replace("\n", "")), st.integers(0, 1_500), st.sampled_from([" many words", "字"]))
def test_a_line_at_any_length_is_redacted(line: str, before: int, filling: str) -> None:
    line = filling * (before // len(filling)) + " " + line + filling * 50
    growing, said = StreamRedactor(), ""
    for end in range(0, len(line) + 40, 40):
        said = growing.line(line[:end])
    assert said == redact(line)


def test_text_without_secrets_is_not_held() -> None:
    growing = StreamRedactor()
    assert [growing.take(piece) for piece in ("What ", "is ", "a=1", "?")] == ["What ", "is ", "a=1", "?"]
    assert growing.take(" app-") == ""
    assert growing.take("store\n") == " app-store\n"


@pytest.mark.parametrize("piece", ["words and more ", "字" * 15, "a?sign=b c ", "basic thinking "])
def test_what_is_done_costs_nothing_again(piece: str) -> None:
    def work(line: str) -> None:
        growing = StreamRedactor()
        for end in range(0, len(line), 30):
            growing.line(line[:end])

    assert growth(lambda size: piece * (size // len(piece)), work, 20_000) <= MOST
