"""The markdown of a growing answer: right at every beginning, and only what is open is made again."""



from __future__ import annotations

import importlib
import json
import random
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from markdown_it import MarkdownIt
from support.linear import MOST, growth

from dify_notebook.views import code as codes
from dify_notebook.views import references
from dify_notebook.views.block import Block
from dify_notebook.views.diff import Differ
from dify_notebook.views.html import serialize
from dify_notebook.views.markdown import MarkdownRenderer

growing = importlib.import_module("dify_notebook.views.markdown")  # `views.markdown` itself is a function


def whole(text: str) -> str:
    return "".join(serialize(block) for block in MarkdownRenderer().update(text))


def bare(html: str) -> str:
    """Without what only looks: classes, link targets, wrappers; blanks do not count."""
    html = re.sub(r' (class|target|rel|title|style)="[^"]*"', "", html)
    html = re.sub(r"</?(div|span)>", "", html)
    return re.sub(r"\s+", "", html).replace("/>", ">").replace("&#39;", "'").replace("&quot;", '"')


DOCUMENTS = [
    ("tight list turns loose", "- a\n- b\n  - c\n\n- d\n\nend"),
    ("loose inner list in a tight one", "- a\n  - b\n\n    c\n- d"),
    ("blank line at the end of a tight list", "- a\n- b\n\n\ntext"),
    ("setext heading late", "one\ntwo\n---\nthree\n===\n"),
    ("setext or list or text", "para\n-\n\npara\n-x\n\npara\n- x"),
    ("table late", "before\na | b\n--- | ---\n1 | 2\n| 3 |\n\nafter"),
    ("table that is none", "a | b\n--- | --- | ---\n"),
    ("table with code and stroke", "| a | b |\n|:-|-:|\n| `x\\|y` | **z** |\n"),
    ("definition late", "see [a] and [b][a]\n\n- [a]\n\n[a]: http://x.y/z 'title'\n\n[a]"),
    ("definition over lines", "[a]:\n  http://x.y\n  'tit\n  le'\n\n[a]"),
    ("definition twice, the first wins", "[a]\n\n[a]: http://first.y\n\n[a]: http://second.y\n"),
    ("definitions in a row", "[a]: http://x.y\n[b]: http://z.y 'q'\n[c]:\nhttp://w.y\n[d]: no thing\n[a] [b] [c]\n[e]: http://v.y"),
    ("a bracket in a title", "[a]: http://x.y\n'tit\n[le]'\n[a]"),
    ("a bracket for an address", "[a]:\n[b]\n[c]: http://x.y\n[c]"),
    ("a table behind definitions", "[a]: http://x.y\n[a] | b\n--- | ---\n1 | 2"),
    ("a heading behind definitions", "[a]: http://x.y\n[b]: http://x.y\n===\n[a]"),
    ("definition in a quote", "> [a]: http://x.y\n\n[a]"),
    ("lazy line", "> quoted\nlazy\n\n> a\n    lazy too\n- x\ny\n"),
    ("fence in a list", "1. a\n   ```py\n   def f():\n       return 1\n   ```\n2. b"),
    ("fence in a fence", "````md\n```py\nx = 1\n```\n````\nafter"),
    ("fence never closed", "text\n```js\nlet a = '<b>';\n"),
    ("tildes", "~~~\n```\n~~~\n~~struck~~"),
    ("html blocks", "<div>\n*x*\n</div>\n\n<script>alert(1)</script>\n"),
    ("open emphasis", "an **open and *another\n\nnext* one**"),
    ("CRLF and CR", "# a\r\n\r\n- b\r\n- c\r\rd\re\r\n"),
    ("tabs", "\tcode\n\n-\titem\n\n\tinner\n\n>\t\tquoted code"),
    ("中文", "**中文**和`代码`。\n\n1. 第一。第二！\n2. 完。\n\n| 表 | 值 |\n|--|--|\n| 一 | 二 |"),
    ("emoji", "👩‍👩‍👧 *family* 🎉\n\n- 🎉"),
    ("math", "$$\na^2\n$$\n\n$x$ and $$y$$ and \\(z\\) and \\[w\\], not $5 and $10\n\n\\[\nq\n\\]\n"),
    ("tasks", "- [ ] open\n- [x] done\n- [y] text\n"),
    ("hard breaks", "a  \nb\\\nc\n"),
    ("headings", "# a #\n## b\n####### no\n#no\n#"),
    ("rules", "***\n- - -\n___\n* * *\n"),
    ("starts", "3. c\n4. d\n\n5) e\n10. f\n"),
    ("quote in list in quote", "> - > a\n>   > b\n> - c\n\n1. > x\n\n   y"),
    ("empty items", "-\n- a\n-\n\n  b\n"),
]

PIECES = ["a", "b c", "- ", "* ", "1. ", "> ", ">", "# ", "\n", "\n", "\n\n", "\r\n", "\r", "    ", "  ", "\t", "```\n", "```py\n", "~~~", "---", "===", "***", "*x*", "**", "_", "`", "[a]", "[a]: http://x.y\n", "[b][a]", "[c]: http"] + [
    "| a | b |\n", "|---|---|\n", "| 1 |\n", "a | b\n", "\\", "&amp;", "  \n", "+ ", "[ ] ", "foo\nbar", "<http://x.y>",
    "~~z~~", "。", "好", "😀", "$$", "\\[", "$x$", "\\(", "\\)", "word. ", "word! word. ", "def f(): return 'x'\n",
    "some words for a longer text. " * 3,
]  # fmt: skip


@pytest.fixture(params=["as it is", "tiny pieces"])
def sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The law holds wherever pieces are cut; tiny ones make every text one of many pieces."""
    if request.param == "tiny pieces":
        monkeypatch.setattr(growing, "MIN_PIECE", 8)
        monkeypatch.setattr(growing, "MAX_PIECE", 60)
        monkeypatch.setattr(codes, "MIN_CHUNK", 6)
        monkeypatch.setattr(codes, "MAX_CHUNK", 14)


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("text", [text for _, text in DOCUMENTS], ids=[name for name, _ in DOCUMENTS])
def test_every_beginning_is_what_rendering_it_at_once_gives(text: str) -> None:
    """The law of the renderer: the steps in which a text came leave no trace."""
    renderer = MarkdownRenderer()
    for end in range(1, len(text) + 1):
        assert renderer.update(text[:end]) == MarkdownRenderer().update(text[:end]), repr(text[:end])


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("seed", range(40))
def test_every_beginning_of_made_up_texts(seed: int) -> None:
    """The same for texts that nobody would write."""
    rng = random.Random(seed)
    text = "".join(rng.choice(PIECES) for _ in range(rng.randint(5, 45)))
    renderer = MarkdownRenderer()
    end = 0
    while end < len(text):
        end += 1 if rng.random() < 0.7 else rng.randint(1, 9)
        assert renderer.update(text[:end]) == MarkdownRenderer().update(text[:end]), repr(text[:end])


@pytest.mark.parametrize("seed", range(60))
def test_the_structure_is_commonmark(seed: int) -> None:
    """Another parser sees the same blocks. (Left out: definitions, which the two read differently, and writing without blanks.)"""
    rng = random.Random(1000 + seed)
    oracle = (
        MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"]).disable("html_block")
    )
    pieces = [
        piece for piece in PIECES if not set(piece) & set("$[]\\\r。好") and piece != "~~~" and "|" not in piece
    ]
    for _ in range(15):
        text = "".join(rng.choice(pieces) for _ in range(rng.randint(1, 25)))
        assert bare(whole(text)) == bare(oracle.render(text)), repr(text)


def test_closed_blocks_are_the_same_objects() -> None:
    """What is closed is passed over by comparing identities: it must not be made again."""
    text = "# Title\n\npara *one*\n\n- a\n- b\n- c\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\n```py\nx = 1\n```\n\nend"
    renderer = MarkdownRenderer()
    closed: dict[str, Block] = {}
    for end in range(len(text) + 1):
        blocks = renderer.update(text[:end])
        for block in blocks[:-2]:
            assert closed.setdefault(block.key, block) is block
    assert len(closed) == 4


def children(block: Block, *keys: str) -> tuple[Block, ...]:
    for key in keys:
        block = next(child for child in block.children if child.key == key)
    return block.children


@pytest.mark.parametrize(
    ("start", "unit", "find"),
    [
        ("", "- item *one* and more\n", lambda block: block.children),
        ("| a | b |\n|---|---|\n", "| one *two* | three |\n", lambda block: children(block, "table", "body")),
        ("```py\n", "value = compute('text')\n", lambda block: children(block, "code")),
        ("", "A sentence with **weight** and more of it. ", lambda block: block.children),
    ],
    ids=["list", "table", "fence", "paragraph"],
)
def test_inside_the_open_block_only_the_last_piece_is_new(
    start: str, unit: str, find: Callable[[Block], tuple[Block, ...]]
) -> None:
    """One block of any length costs as much per update as a short one."""
    renderer = MarkdownRenderer()
    text = start + unit * 400
    before = find(renderer.update(text)[0])
    after = find(renderer.update(text + unit[:10])[0])
    same = sum(a is b for a, b in zip(before, after, strict=False))
    assert len(after) >= 8
    assert same >= len(before) - 2
    assert all(len(block.html) < 12_000 for block in after)


def test_time_grows_with_the_text_not_with_its_square() -> None:
    """A paragraph without a single line end was the worst case: twice the text, not four times the time."""
    unit = "Some **words** with `code`, a [link](https://a.b) and more of them here, so many. "

    def work(text: str) -> None:
        renderer = MarkdownRenderer()
        for end in range(0, len(text), 60):
            renderer.update(text[:end])

    assert growth(lambda times: unit * times, work, 50) <= MOST


def test_a_text_that_does_not_go_on_starts_afresh() -> None:
    renderer = MarkdownRenderer()
    renderer.update("first *text*")
    assert renderer.update("second") == MarkdownRenderer().update("second")
    assert renderer.update("") == ()


def test_very_deep_nesting_is_text() -> None:
    """Ten thousand quote signs must not end in a RecursionError."""
    for text in (">" * 10_000 + " x", "- " * 10_000 + "x", "[" * 5_000, "*" * 5_000 + "a", "![" * 3_000):
        assert whole(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("costs $5 and $10", "costs $5 and $10"),
        ("US$5 or 10$ more", "US$5 or 10$ more"),
        ("$HOME and $PATH", "$HOME and $PATH"),
        ("it is $20,000 in $ terms", "it is $20,000 in $ terms"),
        ("energy $E = mc^2$ here", "energy \\(E = mc^2\\) here"),
        ("$x$", "\\(x\\)"),
        ("\\(a+b\\)", "\\(a+b\\)"),
        ("so $$a<b$$", "so \\[a&lt;b\\]"),
        ("`$x$`", "$x$"),
        ("\\$x$ y$", "$x$ y$"),
    ],
)
def test_dollars(text: str, expected: str) -> None:
    """Prices stay prices; formulas are TeX between signs that MathJax knows."""
    html = whole(text)
    assert re.sub(r"<[^>]+>", "", html) == expected
    assert ("mathjax_process" in html) == ("\\(" in expected or "\\[" in expected)


@pytest.mark.parametrize(
    "tex", [r"\href{javascript:alert(1)}{x}", r"\def\x{y}", r"\require{html}", r"\class{a}{b}"]
)
def test_formulas_that_reach_further_stay_code(tex: str) -> None:
    assert "mathjax_process" not in whole(f"$${tex}$$ and \\({tex}\\)\n\n\\[\n{tex}\n\\]\n")


@pytest.mark.parametrize(
    "text",
    [
        "[x]()",
        "![x]()",
        "[![x]()]()",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](java&#115;cript:alert(1))",
        "[x](data:text/html;base64,AAAA)",
        "[x](vbscript:x)",
        "[x](file:///etc/passwd)",
        "[x](relative/path)",
        "[x](//host/path)",
        "[x](#commandlink)",
        "[x]\n\n[x]: javascript:alert(1)",
        "<javascript:alert(1)>",
        "![x](data:image/svg+xml;base64,AAAA)",
    ],
)
def test_links_lead_to_the_web_or_nowhere(text: str) -> None:
    html = whole(text)
    assert "href" not in html
    assert "src" not in html


def test_links_say_where_they_go() -> None:
    html = whole('[here](https://a.example/b "a title") <mail@a.example> ![pic](http://a.example/p.png)')
    assert html.count('target="_blank" rel="noopener noreferrer"') == 3
    assert 'title="https://a.example/b — a title"' in html
    assert 'href="mailto:mail@a.example"' in html
    assert "<img" not in html
    assert "pic (http://a.example/p.png)" in html


def test_code_is_coloured_when_its_fence_is_closed() -> None:
    assert "dn-hk" not in whole("```python\ndef f(): pass\n")
    assert '<span class="dn-hk">def</span>' in whole("```python\ndef f(): pass\n```")
    assert "dn-hk" not in whole("```nosuchlanguage\ndef f(): pass\n```")
    assert "onload" not in whole('```"onload="x\ndef\n```')


def test_control_characters_become_visible() -> None:
    html = whole("a\x00b\x1b[31mc\u202ed \x85 \ud800")
    assert "a␀b␛[31mc⟨U+202E⟩d \ufffd \ufffd" in html
    html.encode("utf-8")


OPEN = {
    "words without an end": ("", "word "),
    "one word": ("", "x"),
    "中文 without a stop": ("", "中文"),
    "a bracket left open": ("[", "word "),
    "emphasis left open": ("**", "word "),
    "code left open": ("`", "word "),
    "a formula left open": ("\\(", "x + "),
    "lines": ("", "word\n"),
    "an item": ("- ", "word "),
    "a quotation": ("> ", "word "),
    "a heading": ("# ", "word "),
    "a cell": ("| a |\n|---|\n| ", "word "),
    "code by its indentation": ("    ", "word "),
    "a definition": ("[a]: ", "x"),
    "definitions": ("", "[a]: http://x.y\n"),
}


def grown(name: str, size: int) -> list[str]:
    """The beginnings of a text as they come."""
    begin, piece = OPEN[name]
    text = (begin + piece * size)[:size]
    return [text[:end] for end in range(40, size + 1, 40)]


@pytest.mark.parametrize("name", OPEN)
def test_an_open_block_of_any_length_costs_what_its_end_costs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted: the characters that are rendered, those whose definitions are looked for, and the bytes that travel."""
    seen = 0

    def counting(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(text: str, *rest: Any) -> Any:
            nonlocal seen
            seen += min(len(text), references.MAX_ADDRESS) if function is definitions else len(text)
            return function(text, *rest)

        return call

    definitions = references.definitions
    monkeypatch.setattr(growing, "render", counting(growing.render))
    monkeypatch.setattr(growing, "escape", counting(growing.escape))
    monkeypatch.setattr(growing, "definitions", counting(definitions))
    costs = []
    for size in (8_000, 16_000):
        seen = sent = 0
        renderer, differ = MarkdownRenderer(), Differ()
        for text in grown(name, size):
            ops = differ.patch(Block("answer", "div", {}, "", renderer.update(text)))
            sent += len(json.dumps(ops)) if ops else 0
        costs.append((seen, sent))
    (seen_once, sent_once), (seen_twice, sent_twice) = costs
    assert seen_twice <= MOST * seen_once
    assert sent_twice <= MOST * sent_once


@pytest.mark.parametrize("name", ["a definition", "definitions", "a heading", "a cell"])
def test_reading_an_open_line_takes_time_as_it_grows(name: str) -> None:
    def work(texts: list[str]) -> None:
        renderer = MarkdownRenderer()
        for text in texts:
            renderer.update(text)

    assert growth(partial(grown, name), work, 5_000) <= MOST


def test_a_long_text_without_ends_is_cut_by_looking_no_further() -> None:
    assert growth(lambda words: "word " * words, lambda text: MarkdownRenderer().update(text), 50_000) <= MOST
