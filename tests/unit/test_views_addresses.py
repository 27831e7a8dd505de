"""Bare addresses are links that end where the text goes on, and lead where they say."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup
from support.linear import MOST, growth
from support.readers import READERS
from unit.test_views_markdown import whole

from dify_notebook.views.canonical import canonical
from dify_notebook.views.markdown import MarkdownRenderer

LINKS = {
    "见 https://x.example/a。后": ["https://x.example/a"],
    "见https://x.example/a，https://x.example/b；完": ["https://x.example/a", "https://x.example/b"],
    "（https://x.example/a）「https://x.example/b」《https://x.example/c》“https://x.example/d”": [
        f"https://x.example/{name}" for name in "abcd"
    ],
    "https://x.example/a：https://x.example/b！https://x.example/c？https://x.example/d、": [
        f"https://x.example/{name}" for name in "abcd"
    ],
    "打开https://x.example/a然后登录": ["https://x.example/a"],
    "https://x.exampleです": ["https://x.example"],
    "https://x.example/docs를 보세요": ["https://x.example/docs"],
    "https://例子.中国/路径，后": ["https://例子.中国/路径"],
    "https://x.example/é/Ж?q=ü#ß.": ["https://x.example/é/Ж?q=ü#ß"],
    "see https://x.example/a_b_c*d, or (https://x.example/a_(b)).": ["https://x.example/a_b_c*d", "https://x.example/a_(b)"],
    "https://x.example/?a=1&b=2&lt; and HTTP://X.EXAMPLE/;": ["https://x.example/?a=1&b=2", "HTTP://X.EXAMPLE/"],
    'a "https://x.example/a" and `b` https://x.example/b`c`': ["https://x.example/a", "https://x.example/b"],
    "www.x.example/a, awww.x.example www.": ["www.x.example/a"],
    "**https://x.example/a** _https://x.example/b_ ~~https://x.example/c~~": [f"https://x.example/{name}" for name in "abc"],
    "http://localhost:8888/lab?a=1, http://127.0.0.1:5001": ["http://localhost:8888/lab?a=1", "http://127.0.0.1:5001"],
    "https://x.example/?f[a]=1 https://x.example/a[b](https://x.example/c)": [
        "https://x.example/?f[a]=1", "https://x.example/a", "b",
    ],
    "| https://x.example/a。 | https://x.example/b |\n|---|---|": ["https://x.example/a", "https://x.example/b"],
    "# https://x.example/a。后": ["https://x.example/a"],
    "[https://x.example/a](https://x.example/b)": ["https://x.example/a"],
    "<https://x.example/a>": ["https://x.example/a"],
    "in code `https://x.example/a` and\n\n    https://x.example/b\n\n```\nhttps://x.example/c\n```": [],
    "\\https\\://x.example ftp://x.example file:///a javascript://x.example/%0aalert(1) a://https": [],
    "https://user:word@x.example/ https://x.example@y.example/ https://a_b.example https:// www..a": [],
    "https://x.example/a\u3000后 https://x.example/b\u00a0和": ["https://x.example/a", "https://x.example/b"],
    "https://x.example/a<br>后 https://x.example/b|{c}": ["https://x.example/a", "https://x.example/b"],
    "https://x.example/__init__.py；https://x.example/*a*/~~b~~/?c=1；完": [
        "https://x.example/__init__.py", "https://x.example/*a*/~~b~~/?c=1",
    ],
    "someone@x.example xhttps://x.example/a": [],
    "https://x.example/" + "a" * 3_000: [],
}  # fmt: skip
"""Text -> what is shown as a link."""


@pytest.mark.parametrize(("text", "wanted"), LINKS.items(), ids=[text[:40] for text in LINKS])
def test_an_address_is_a_link_up_to_its_end(text: str, wanted: list[str]) -> None:
    found = BeautifulSoup(whole(text), "html.parser").find_all("a")
    assert [one.get_text() for one in found] == wanted
    for one in found:
        href = str(one["href"])
        assert href.lower().startswith(("http://", "https://"))
        assert one["title"] == href  # where it goes is to be seen
        assert (one["target"], one["rel"]) == ("_blank", ["noopener", "noreferrer"])
    assert BeautifulSoup(whole(text), "html.parser").get_text().count("example") == text.count("example") - text.count("](h")


def test_where_it_leads() -> None:
    assert 'href="https://xn--fsqu00a.xn--fiqs8s/%E8%B7%AF"' in whole("https://例子.中国/路")
    assert 'href="http://www.x.example"' in whole("www.x.example")
    assert 'href="https://x.example/?a=1&amp;b=2"' in whole("https://x.example/?a=1&amp;b=2")


@pytest.mark.parametrize("reader", [name for name in READERS if not name.endswith("CommonMark")])
@pytest.mark.parametrize("text", [text for text in LINKS if re.search("[。，；；：）」”然で를后]", text)])
def test_readers_that_link_see_the_same_end(text: str, reader: str) -> None:
    found = [one.get_text() for one in BeautifulSoup(READERS[reader](canonical(text)), "html.parser").select("a:not(.anchor-link)")]
    assert found == LINKS[text]


@pytest.mark.parametrize("reader", READERS)
def test_marks_in_an_address_are_of_the_address(reader: str) -> None:
    text = "see https://x.example/__init__.py, https://x.example/*a* and www.x.example/~~b~~?c=1\u00a0e"
    page = BeautifulSoup(READERS[reader](canonical(text)), "html.parser")
    assert page.get_text().strip() == text
    assert len(page.select("a:not(.anchor-link)")) == 3


@pytest.mark.parametrize("text", LINKS, ids=[text[:40] for text in LINKS])
def test_every_beginning_is_as_the_whole(text: str) -> None:
    renderer = MarkdownRenderer()
    for end in range(1, min(len(text), 200) + 1):
        assert renderer.update(text[:end]) == MarkdownRenderer().update(text[:end]), text[:end]


@pytest.mark.parametrize(
    "piece",
    ["https://x.y/", "https://x.y/。", "www.a_", "https://x.y/$**", "https://x.y/?", "www.a.", "https://x[", "x@www.a:", "https://x.y/;"],
)
@pytest.mark.parametrize("end", ["", "@", "。"])
def test_the_cost_grows_as_the_text(piece: str, end: str) -> None:
    def work(text: str) -> None:
        whole(text)
        canonical(text)

    assert growth(lambda count: piece * count + end, work, 4_000 // len(piece)) <= MOST
