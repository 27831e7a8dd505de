#!/usr/bin/env bash
# nbconvert 7.17.2 (mistune 3.4.0): two dollars at the start of a line turn the next code block inside out.
#
# Expected: block structure comes first (CommonMark 0.31.2, 3.1 and 4.5): a fence opens code, code is literal, and no
# `$$` of a paragraph reaches across a blank line into it. cmark-gfm reads it so.
# Seen: nbconvert's MathBlockParser tries display math before all other rules, over any number of lines. A line that
# begins with `$$` or `\begin{name}`, in prose and not as a formula, pairs with the next `$$` or `\end{name}`, even if
# that stands in a fenced block. So the block's opening fence and code become a paragraph, and its closing fence opens
# a new block, which swallows the prose behind it. Within a line of prose `$$` does no harm.
#
# Who meets it: whoever exports a notebook with answers about shells (`$$` is the shell's number) or about TeX with
# `jupyter nbconvert --to html`. JupyterLab may show the same cell another way.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check nbconvert==7.17.2 mistune==3.4.0 cmarkgfm==2025.10.22
env/bin/python -I - <<'END'
import re
from importlib.metadata import version

from cmarkgfm import github_flavored_markdown_to_html
from nbconvert.filters import markdown2html

FENCE = "```"
TEX = "\\begin{align}\na\n\\end{align}\n"
CASES = {
    "begins a line": f"$$ is the number of the shell:\n\n{FENCE}\necho $$\n{FENCE}\n\nThat is *all*.\n",
    "within a line": f"The shell's number is $$ as in\n\n{FENCE}\necho $$\n{FENCE}\n\nThat is *all*.\n",
    "environment": f"\\begin{{align}} opens it:\n\n{FENCE}\n{TEX}{FENCE}\n\nThat is *all*.\n",
}


def code(html):
    """What stands in blocks of code."""
    return re.findall(r"<pre[^>]*><code[^>]*>(.*?)</code></pre>", html, re.DOTALL)


print(*(f"{name} {version(name)}" for name in ("nbconvert", "mistune", "cmarkgfm")), sep=", ")
seen = {}
for case, markdown in CASES.items():
    for reader, render in (("cmark-gfm", github_flavored_markdown_to_html), ("nbconvert", markdown2html)):
        html = render(markdown)
        seen[case, reader] = (code(html), "<em>all</em>" in html)
        print(f"{case:13} {reader:9} code: {seen[case, reader][0]}, emphasis behind it: {seen[case, reader][1]}")
swallowed = (["\nThat is *all*.\n"], False)
shell, tex = (["echo $$\n"], True), ([TEX], True)
assert seen == {
    ("begins a line", "cmark-gfm"): shell,
    ("begins a line", "nbconvert"): swallowed,
    ("within a line", "cmark-gfm"): shell,
    ("within a line", "nbconvert"): shell,
    ("environment", "cmark-gfm"): tex,
    ("environment", "nbconvert"): swallowed,
}, "nbconvert or mistune has changed"
END
