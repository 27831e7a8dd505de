"""Text from elsewhere stays text, whatever it says and wherever it stands."""



from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import msgspec
import pytest
from unit.views_hostile import HOSTILE, hostile_run, hostile_turn

from dify_notebook import views
from dify_notebook.turn.state import Status, Turn
from dify_notebook.views.block import Block
from dify_notebook.views.html import ATTRIBUTES, TAGS, VOID, serialize

ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
PAIR = "<b>&\"'"
Maker = Callable[[str, Status], Turn]
MAKERS: list[Maker] = [hostile_turn, hostile_run]


class Reader(HTMLParser):
    """Collects what a page would make of the text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.problems.append(f"<{tag}>")
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.problems.append(f"<{tag}> says an attribute twice")
        for name, value in attrs:
            value = value or ""
            if name not in ATTRIBUTES or name.startswith("on"):
                self.problems.append(f"<{tag} {name}>")
            if name == "href" and not value.startswith(("http://", "https://", "mailto:")):
                self.problems.append(f"href={value!r}")
            if name == "src" and not re.match(
                r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]*$", value
            ):
                self.problems.append(f"src={value[:60]!r}")
            if name == "style" and re.search(r"url\(|expression|position|@|\\|<", value):
                self.problems.append(f"style={value!r}")
            if name == "class" and not re.fullmatch(r"[a-z0-9_ -]*", value):
                self.problems.append(f"class={value!r}")
        if tag == "a" and dict(attrs).get("rel") != "noopener noreferrer":
            self.problems.append("a link without rel")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes nothing")

    def handle_comment(self, data: str) -> None:
        self.problems.append("a comment")

    def handle_decl(self, decl: str) -> None:
        self.problems.append("a declaration")

    def handle_pi(self, data: str) -> None:
        self.problems.append("an instruction")


def problems(html: str) -> list[str]:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader.problems + reader.open


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("status", ["failed", "running"])
@pytest.mark.parametrize("make", MAKERS)
def test_no_form_of_html_lets_it_out(make: Maker, text: str, status: Status) -> None:
    turn = make(text, status)
    saved = views.html(turn, "en")
    live = serialize(views.TurnView("zh-Hans").blocks(turn, 3.0))
    assert problems(saved) == []
    assert problems(live) == []
    assert "signed.example" not in saved + live
    assert not ODD.search(saved.replace("\n", ""))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("make", MAKERS)
def test_plain_text_moves_no_cursor(make: Maker, text: str) -> None:
    turn = make(text, "failed")
    stream = views.TextStream("en")
    told = stream.feed(make(text, "running"), 2.0) + stream.end(turn)
    for shown in (views.text(turn, "en"), told, views.markdown(turn, "en")):
        assert not ODD.search(shown.replace("\n", ""))
        assert "signed.example" not in shown
        shown.encode("utf-8")


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("make", MAKERS)
def test_markdown_of_it_is_harmless_where_html_is_on(make: Maker, text: str) -> None:
    """A frontend may render our markdown with raw HTML switched on and images loaded."""
    from markdown_it import MarkdownIt

    rendered = (
        MarkdownIt("commonmark", {"html": True})
        .enable("table")
        .render(views.markdown(make(text, "failed"), "en"))
    )
    allowed = {"p", "em", "strong", "code", "pre", "ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td", "hr",
               "blockquote", "br", "h1", "h2", "h3"}  # fmt: skip
    tags = set(re.findall(r"<([a-zA-Z][a-zA-Z0-9]*)", rendered))
    assert tags <= allowed
    assert all(link.startswith(("http", "mailto:")) for link in re.findall(r'href="([^"]*)"', rendered))
    assert not re.search(r"<[^>]*\son\w+=", rendered)


def test_fields_cannot_leave_their_place_in_markdown() -> None:
    """A stroke in a title makes no column, a fence in an observation ends nothing."""
    turn = hostile_turn("a | b\n```\n# c")
    forms = tuple(msgspec.structs.replace(form, content="") for form in turn.forms)  # may have headings of its own
    turn = msgspec.structs.replace(turn, forms=forms)
    from markdown_it import MarkdownIt

    html = MarkdownIt("commonmark").enable("table").render(views.markdown(turn, "en"))
    assert "<h1>" not in html  # the answer's own stands in its fence
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    assert rows
    assert all(len(re.findall(r"<t[dh]", row)) == 5 for row in rows)


@pytest.mark.parametrize(
    "block",
    [
        Block("k", "script", {}),
        Block("k", "div", {"onclick": "x"}),
        Block("k", "div", {"id": "x"}),
        Block("k", "a", {"href": "javascript:x"}),
        Block("k", "a", {"href": " https://x"}),
        Block("k", "img", {"src": "https://x/y.png"}),
        Block("k", "img", {"src": "data:image/svg+xml;base64,AAAA"}),
        Block("k", "div", {"style": "background:url(https://x)"}),
        Block("k", "div", {"style": "}</style><script>"}),
        Block("k", "p", {}, "html", (Block("c", "p", {}),)),
    ],
    ids=lambda block: f"{block.tag} {block.attrs}",
)
def test_the_builder_refuses_what_is_not_on_its_lists(block: Block) -> None:
    """Only a mistake of ours can ask for these, so it is an error and no silent repair."""
    with pytest.raises(ValueError, match=r"not|has html"):
        serialize(block)


def test_the_builder_escapes_values_and_merges_styles() -> None:
    leaf = Block(
        "k",
        "div",
        {"class": "dn-bar x", "style": "width:3%", "title": PAIR},
        '<span class="dn-cap" style="top:1px">x</span>',
    )
    html = serialize(leaf, lambda classes: "color:#123;" if "dn-" in classes else "")
    assert html == (
        '<div title="&lt;b&gt;&amp;&quot;&#39;" style="color:#123;width:3%"><span style="color:#123;top:1px">x</span></div>'
    )
