"""Markdown for others: whoever renders it, nothing that a model or a server wrote is more than text, code or a link."""

from __future__ import annotations

import json
import random
import re

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from support.linear import MOST, growth
from support.readers import READERS, live, shown
from unit.test_views_markdown import DOCUMENTS, PIECES, bare, whole
from unit.views_hostile import hostile_turn

from dify_notebook import transcript, views
from dify_notebook.panel.saved import Transcript
from dify_notebook.panel.state import Item, PanelState
from dify_notebook.turn.state import Turn
from dify_notebook.views.canonical import canonical
from dify_notebook.views.guard import as_title, escaped

TAG = "<i-probe data-x>"

PLACES = {
    "prose": f"a {TAG} b",
    "a line's beginning": f"{TAG}\n{TAG}",
    "a bare address": f"https://x.example/{TAG} and www.x.example/{TAG}",
    "two bare addresses": "https://x.example/<i-probe data-x=https://y.example/>",
    "an address behind a letter": "see:https://x.example/`<i-probe data-x>`",
    "an address in angles": "<https://x.example/<i-probe data-x>>",
    "a link's text": f"[{TAG}](https://x.example)",
    "a link's title": f'[a](https://x.example "{TAG}")',
    "a link's target": f"[a](<https://x.example/{TAG}>)",
    "a broken link's title": f'[a](https://x.example "`) `{TAG}`',
    "a definition's title": f"[a]\n\n[a]: https://x.example '{TAG}'",
    "a definition's label": f"[{TAG}]\n\n[{TAG}]: https://x.example",
    "a table": f"| {TAG} | `{TAG}` |\n|---|---|\n| a `b | {TAG} ` |",
    "a span over cells": "| a | b |\n|---|---|\n| `a | b` `<i-probe data-x>` |",
    "a span": f"use `{TAG}` here",
    "a span over lines": f"use `a\n{TAG}` here",
    "a span between prices": f"costs $5, `x$ {TAG}` is it",
    "a span that a link cuts": f"[a `](https://x.example)` {TAG} `",
    "a span that emphasis cuts": f"*a `b* {TAG}` c_ `_{TAG}`",
    "stray marks": f"` `` {TAG} ``` x",
    "a fence": f"```html\n{TAG}\n```",
    "a fence that another would close": f"````\n```\n{TAG}\n````",
    "a fence in a list": f"- a\n  - b\n    ```\n    {TAG}\n    ```\n    c",
    "a fence in a deep quotation": f"{'> ' * 9}```\n{'> ' * 9}{TAG}\n",
    "a fence that is none": f"``` a`b\n{TAG}\n```\n{TAG}\n```",
    "a fence left open": f"~~~\n{TAG}",
    "a diagram": f"```mermaid\ngraph TD; A[{TAG}]\n```",
    "code by its indentation": f"    {TAG}\n\n- a\n\n\t\t{TAG}\n",
    "a lazy line": f"- a\n> b\n    {TAG}",
    "a formula": f"$a{TAG}b$ and $${TAG}$$ and \\({TAG}\\) and \\\\({TAG}\\\\)",
    "a formula of lines": f"$$\n{TAG}\n\n- [a](javascript:void(0))\n$$\n\n\\[\n{TAG}\n\\]",
    "a formula that never ends": f"it costs $$\n\n```\n$$\n{TAG}\n```",
    "an environment that ends in code": f"\\begin{{a}}\n\n```\n\\end{{a}}\n{TAG}\n```",
    "a comment and its like": f"<!-- {TAG} --> <?x {TAG} ?> <!X {TAG}> <![CDATA[{TAG}]]>",
    "a block of html": f"<div>\n{TAG}\n\n</div>\n<script>\n{TAG}\n</script>\n<pre>\n{TAG}",
    "character references": "&lt;i-probe data-x&gt; &#60;i-probe data-x&#62;",
    "a footnote": f"a[^1]\n\n[^1]: {TAG}\n",
    "a heading": f"# {TAG} #\n\n{TAG}\n===",
    "a definition list": f"term\n: {TAG}",
    "another line end": f"```\nx\u2028```\u2028{TAG}\n```",
    "a backslash": f"\\{TAG} \\\\{TAG} \\`{TAG}\\`",
    "an image": f"![{TAG}](https://x.example/i.png) [![a](x:y)](https://x.example) ![b](attachment:c) ![d][e]\n\n[e]: x:y",
    "a link that runs": "[a](javascript:void(0)) [b]( <javascript:void(0)>) [c][d] <javascript:void(0)> [e](&#106;avascript:void(0))"
    "\n\n[d]: javascript:void(0)\n[f\ng]: javascript:void(0)\n\n[f g] [h](data:text/plain,x) [i](/j)",
}  # fmt: skip


def exports(text: str) -> dict[str, str]:
    """Every place where a turn is written as markdown."""
    turn = hostile_turn(text)
    item = Item(key="k", query=text, turn=turn)
    told = Turn(query=text, answer=text, status="succeeded")
    book = json.loads(transcript.as_notebook([turn, told], text))
    cells = ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "markdown"]
    return {
        "answer": canonical(text),
        "turn": views.markdown(turn, "en"),
        "conversation": transcript.as_markdown([turn, told], text, text, lang="en"),
        "panel": Transcript().bundle(PanelState(items=(item,), name=text, conversation_id="c"), "en")["text/markdown"],
        **{f"cell {at}": cell for at, cell in enumerate(cells)},
    }


@pytest.mark.parametrize("text", PLACES.values(), ids=PLACES)
def test_no_reader_finds_an_element_in_any_export(text: str) -> None:
    for export, markdown in exports(text).items():
        for name, render in READERS.items():
            assert live(render(markdown)) == [], f"{export} by {name}: {markdown}"


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "place", ["prose", "a bare address", "a span", "a fence", "a fence in a list", "a table", "a heading", "a backslash"]
)
def test_it_stays_readable_as_it_was_written(place: str, reader: str) -> None:
    html = READERS[reader](canonical(PLACES[place]))
    assert TAG in shown(html)
    assert "&lt;" not in shown(html)


TABLE = ("| a | b |", "|---|---|", "| 1 | 2 |")


@pytest.mark.parametrize("reader", [name for name in READERS if "CommonMark" not in name])
@pytest.mark.parametrize(
    "text",
    [
        "\n".join(TABLE),
        "| a | b\n|---|---\n| 1 | 2",
        "| a | b |\n|---|---|\n1 | 2 | 3",
        "- x\n\n" + "\n".join(f"  {line}" for line in TABLE) + "\n- y",
        "1. x\n   - y\n" + "\n".join(f"     {line}" for line in TABLE),
        "- " + "\n  ".join(TABLE),
        "\n".join(f"> {line}" for line in TABLE),
        "> - x\n>\n" + "\n".join(f">   {line}" for line in TABLE),
    ],
)
def test_a_table_is_one_to_every_reader_wherever_it_stood(text: str, reader: str) -> None:
    html = READERS[reader](canonical(text))
    (table,) = BeautifulSoup(html, "html.parser").find_all("table")
    assert [cell.get_text().strip() for cell in table.find_all(["th", "td"])] == ["a", "b", "1", "2"]
    assert "|" not in shown(html)


@pytest.mark.parametrize("reader", READERS)
def test_fields_and_titles_are_seen_as_they_are(reader: str) -> None:
    for text in ("a_b*c* [x](https://y.example/`z`) <b> & $5 | #1 ~~c~~ \\d", "1. one", "- x", "www.x.example/<b>"):
        for kept in (escaped(text), as_title(text)):
            assert shown(READERS[reader](kept)).strip() == text


PARTS = [
    TAG, "<i-probe data-x=\"`\">", "</i-probe>", "x", "two words ", " ", "\n", "\n", "\n\n", "    ", "\t", "- ", "1. ", "> ", "# ",
    "```", "```\n", "````\n", "~~~\n", "`", "`", "``", "*", "**", "_", "~~", "$", "$$", "\\[", "\\]", "\\\\[", "\\(", "\\begin{a}",
    "\\end{a}", "\\", "[", "]", "(", ")", "[a](https://x.y/ \"", "\")", "](javascript:void(0))", "[r]: javascript:void(0)\n", "[r]",
    "[r]: https://x.y/z 'q'\n", "![i](x:y)", "![", "https://x.y/", "www.x.y/", "<https://x.y/", ">", "|", "| a | b |\n|---|---|\n",
    "\n---\n", "&lt;", "&", "<!--", "-->", "<![CDATA[", "<div>\n", "<pre>", "[^1]: ", ": ", "<javascript:void(0)>", "\u2028", '"', "'",
    "`<i-probe>`", "`` ` ``", "$x$", "```mermaid\n", "\n  - ", "\n   ```\n", "\n> ",
]  # fmt: skip


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=24).map("".join))
def test_no_reader_finds_an_element_in_made_up_answers(text: str) -> None:
    markdown = canonical(text)
    for form in (markdown, views.transcript.quoted(markdown)):
        for name, render in READERS.items():
            assert live(render(form)) == [], f"{name}: {form!r}"


def understood(text: str) -> str:
    return bare(whole(text))


@pytest.mark.parametrize("text", [text for _, text in DOCUMENTS], ids=[name for name, _ in DOCUMENTS])
def test_what_is_written_means_what_was_read(text: str) -> None:
    assert understood(canonical(text)) == understood(text)
    assert canonical(canonical(text)) == canonical(text)


@pytest.mark.parametrize("seed", range(20))
def test_made_up_answers_keep_their_meaning(seed: int) -> None:
    """But for what is written otherwise on purpose: runs of tildes, code with a bracket's end, formulas left open."""
    rng = random.Random(seed)
    pieces = [piece for piece in PIECES if piece != "  \n" and not re.search(r"[~`\[]|\$\$|\\\(", piece)]
    for _ in range(20):
        text = "".join(rng.choice([*pieces, "`code` ", "[a](http://x.y) "]) for _ in range(rng.randint(1, 25)))
        assert understood(canonical(text)) == understood(text), repr(text)


def test_code_out_of_a_list_leaves_the_list_as_it_was() -> None:
    text = "1. one\n2. two\n   ```html\n   <b>\n   ```\n   more\n3. three"
    assert canonical(text) == "1. one\n2. two\n\n```html\n<b>\n```\n\nmore\n\n3. three"
    assert canonical("1. one\n   ```py\n   a = 1\n   ```\n2. two") == "1. one\n   ```py\n   a = 1\n   ```\n2. two"


def test_common_answers_stay_as_they_are() -> None:
    text = (
        "# A title\n\nSome *words* with `Vec<T>` and `snake_case`, 3 < 4 and $x^2$, costs $5.\n\n- one\n- [two](https://x.example)\n\n"
        "```html\n<b>bold</b>\n```\n\n| a | b |\n| --- | --: |\n| 1 | `x` |\n\n> quoted\n\nhttps://x.example/a_b?c=1"
    )
    assert canonical(text) == text


@pytest.mark.parametrize(
    "piece",
    ["https://", "\\( `\\) ", "\\begin{a}", "$a ", "`", "`a `b` ", "<b>", "](", "[a]: http://x.y\n", "a\n\n", "- a\n", "# #", "<https://"],
)
def test_the_cost_grows_as_the_answer(piece: str) -> None:
    assert growth(lambda count: piece * count, canonical, 20_000 // len(piece)) <= MOST
