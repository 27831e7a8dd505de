#!/usr/bin/env bash
# cmark-gfm (cmarkgfm 2025.10.22), markdown-it-py 4.3.0 and nbconvert 7.17.2 (mistune 3.4.0): `&amp;` in an address
# that stands by itself is three different links to three readers of markdown.
#
# Expected: one link. CommonMark 0.31.2 (2.5) recognises character references everywhere but in code, URLs included;
# for `<address>` its editor confirmed that (commonmark/commonmark-spec#723), and commonmark.js, which differed, was
# corrected in September 2026 (commonmark/commonmark.js#311). GFM (6.9) adds for bare addresses only that a reference at
# the end is left out of the link.
# Seen: bare, cmark-gfm and markdown-it keep the reference as text, so reader and server get `&amp;` in letters, while
# nbconvert decodes it. In angle brackets cmark-gfm decodes, markdown-it does not. At the end cmark-gfm leaves the
# reference out, as GFM says, the others take it in without its semicolon. Alike to all are `[text](address)` and a
# plain `&`, and an address whose colon is written `&#58;` is a link to none.
#
# Who meets it: who exports answers as markdown, where models write addresses as they stand in HTML, or who escapes
# addresses: a link that works on GitHub asks for another page in the exported notebook, or the other way round.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check cmarkgfm==2025.10.22 markdown-it-py==4.3.0 \
    linkify-it-py==2.2.0 nbconvert==7.17.2 mistune==3.4.0
env/bin/python -I - <<'END'
from html.parser import HTMLParser
from importlib.metadata import version

from cmarkgfm import github_flavored_markdown_to_html
from markdown_it import MarkdownIt
from nbconvert.filters import markdown2html

READERS = {
    "cmark-gfm": github_flavored_markdown_to_html,
    "markdown-it": MarkdownIt("gfm-like").render,
    "nbconvert": markdown2html,
}
KEPT, PLAIN = "https://x.example/?a=1&amp;b=2", "https://x.example/?a=1&b=2"
CASES = {
    KEPT: (KEPT, KEPT, PLAIN),
    f"<{KEPT}>": (PLAIN, KEPT, PLAIN),
    "https://x.example/?a=1&amp;": ("https://x.example/?a=1", *["https://x.example/?a=1&amp"] * 2),
    f"[text]({KEPT})": (PLAIN, PLAIN, PLAIN),
    PLAIN: (PLAIN, PLAIN, PLAIN),
    "https&#58;//x.example/?a=1&amp;b=2": (None, None, None),
}


class Link(HTMLParser):
    """Where the link of a page leads, with HTML's own references decoded."""

    href = None

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.href = dict(attrs)["href"]


def target(html):
    link = Link()
    link.feed(html)
    return link.href


print(*(f"{name} {version(name)}" for name in ("cmarkgfm", "markdown-it-py", "linkify-it-py", "nbconvert", "mistune")))
for markdown, expected in CASES.items():
    seen = tuple(target(render(f"See {markdown} there.")) for render in READERS.values())
    print(markdown, *(f"    {reader:11} {href}" for reader, href in zip(READERS, seen)), sep="\n")
    assert seen == expected, "a reader has changed"
END
