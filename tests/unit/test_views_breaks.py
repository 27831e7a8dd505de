"""`<br>` is a line break, the one element of HTML that answers mean; all else of it stays text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.linear import MOST, growth
from support.readers import READERS, live
from unit.test_views_markdown import whole

from dify_notebook.views.canonical import canonical
from dify_notebook.views.markdown import MarkdownRenderer
from dify_notebook.views.terminal import TerminalText, terminal_text

SPELLED = ["<br>", "<br/>", "<br />", "<BR>", "<Br  />", "</br>"]
NOT_BREAKS = ["<br onclick=x>", "<br class='a'>", "<brx>", "&lt;br&gt;", "\\<br>", "<hr>", "<sub>2</sub>", "<img src=x onerror=y>"]
PLACES = {
    "a cell": "| a | b |\n|---|---|\n| x{}y | z |",
    "a head": "| x{}y | b |\n|---|---|\n| 1 | 2 |",
    "an item": "- x{}y\n- z",
    "a paragraph": "x{}y",
    "a heading": "## x{}y",
    "a quotation": "> x{}y",
    "bold": "**x{}y**",
    "a link": "[x{}y](https://x.example)",
}


@pytest.mark.parametrize("spelled", SPELLED)
@pytest.mark.parametrize("place", PLACES)
def test_it_is_a_break_everywhere_but_in_code(place: str, spelled: str) -> None:
    html = whole(PLACES[place].format(spelled))
    assert html.count("<br>") == 1
    assert "&lt;" not in html


@pytest.mark.parametrize("other", NOT_BREAKS)
@pytest.mark.parametrize("place", PLACES)
def test_other_html_stays_text(place: str, other: str) -> None:
    html = whole(PLACES[place].format(other))
    assert "<br>" not in html
    assert "&lt;" in html
    for reader in READERS.values():
        assert live(reader(canonical(PLACES[place].format(other)))) == []
    assert terminal_text(PLACES[place].format(other)) == PLACES[place].format(other)


@pytest.mark.parametrize("code", ["`<br>`", "```\n<br>\n```", "    <br>"])
def test_in_code_it_is_what_was_written(code: str) -> None:
    assert "<br>" not in whole(code)
    assert "&lt;br&gt;" in whole(code)
    assert "<br>" in canonical(code)
    assert "<br>" in terminal_text(code) or code.startswith("    ")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("place", [place for place in PLACES if place not in ("a heading", "a link")])
def test_other_readers_break_there_too(place: str, reader: str) -> None:
    if place in ("a cell", "a head") and reader.endswith("CommonMark"):
        return  # it knows no tables
    text = PLACES[place].format("<br>")
    html = READERS[reader](canonical(text))
    assert len(re.findall(r"x<br ?/?>\s*y", html)) == 1
    assert canonical(canonical(text)) == canonical(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a<br>b", "a\\\nb"),
        ("a<br>\nb", "a\\\nb"),
        ("a<br><br />b", "a\\\n\\\nb"),
        ("a<br>- b<br>1. c<br>---", "a\\\n\\- b\\\n1\\. c\\\n\\---"),
        ("a<br>", "a"),
        ("a<br><br> ", "a"),
        ("# a<br>b", "# a b"),
        ("| a<br> |\n|---|", "| a |\n| --- |"),
        ("- a<br>b", "- a\\\n  b"),
    ],
)
def test_what_is_written_for_others(text: str, written: str) -> None:
    assert canonical(text) == written
    for reader in READERS.values():
        assert "&lt;br" not in reader(written)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a<br>b", "a\nb"),
        ("a<br/>  b<BR>", "a\nb"),
        ("a<br>\nb", "a\nb"),
        ("a<br><br>b", "a\n\nb"),
        ("| a<br>b<br> | c |", "| a b | c |"),
        ("> | a<br>b |", "> | a b |"),
        ("`<br>` <br> c", "`<br>` \nc"),
        ("```\na<br>b\n```\nc<br>d", "```\na<br>b\n```\nc\nd"),
        ("- ~~~~\n  <br>\n~~~\n<br>\n~~~~~\nc<br>d", "- ~~~~\n  <br>\n~~~\n<br>\n~~~~~\nc\nd"),
        ("a <b> <br x> <b", "a <b> <br x> <b"),
    ],
)
def test_what_a_terminal_shows(text: str, told: str) -> None:
    assert terminal_text(text) == told


PARTS = ["a", " ", "\n", "\r\n", "<", "b", "br", ">", "<br>", "<br />", "`", "\\", "```\n", "| ", "~~~", "> ", "data:", "image/png", ";base64,"] + [
    "QUJD" * 30, "=", ")", "![a](", "d", "\ufdd0\ue001", "\x1b",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=16), st.data())
def test_a_terminal_shows_the_same_however_it_comes(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    reading, told = TerminalText(), ""
    for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        told += reading.take(text[begin:end])
    assert told + reading.take("", last=True) == terminal_text(text)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=10).map("".join))
def test_every_beginning_is_as_the_whole(text: str) -> None:
    renderer = MarkdownRenderer()
    for end in range(1, len(text) + 1):
        assert renderer.update(text[:end]) == MarkdownRenderer().update(text[:end]), text[:end]


@pytest.mark.parametrize("piece", ["<br>", "<br", "a<br>\n", "| <br>", "`<br>", "<br />x "])
def test_the_cost_grows_as_the_text(piece: str) -> None:
    def work(text: str) -> None:
        whole(text)
        canonical(text)
        terminal_text(text)

    assert growth(lambda count: piece * count, work, 6_000 // len(piece)) <= MOST
