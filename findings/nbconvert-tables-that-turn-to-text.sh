#!/usr/bin/env bash
# nbconvert 7.17.2 (mistune 3.4.0): a table that notebooks show as a table is a line of text with bars in the exported
# page, if one of its rows has a cell less or more than its head, or if it stands in a list.
#
# Expected: rows "may vary in the number of cells": what lacks is empty, what is too much is ignored (GitHub Flavored
# Markdown, 4.10). A table is a block like others, also in a list or a quotation, and needs no bar at the ends of its
# lines, which each line may do as it likes. A bar in code is written `\|` and shown without the backslash. So it is in
# JupyterLab, on GitHub, and with markdown-it.
# Seen: one short row, wherever, and no row of the table is one: all its lines run together in one paragraph. So do those
# in lists and quotations, as nbconvert switches on mistune's tables and not its `table_in_list` and `table_in_quote`.
# Rows without bars at their ends drop out of a table that has them; without the last bar alone there is one column more,
# which is empty; in code the backslash stays. The rows were met by thomas-villani/all2md#152, the bars are
# lepture/mistune#305, closed. The cure is to write tables out in full, outside lists, before they are exported.
#
# Who meets it: whoever exports a notebook whose markdown a model wrote. Models drop the last cell of a row and put
# tables beneath points of a list. The notebook looked right, the page that was sent does not.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check nbconvert==7.17.2 mistune==3.4.0 markdown-it-py==4.3.0
env/bin/python -I - <<'END'
import re
from importlib.metadata import version

from markdown_it import MarkdownIt
from nbconvert import HTMLExporter
from nbformat.v4 import new_markdown_cell, new_notebook

HEAD = "| a | b |\n|---|---|\n"
WHOLE = [["a", "b"], ["1", "2"]]
CASES = {
    "whole": (HEAD + "| 1 | 2 |\n", WHOLE, WHOLE),
    "a cell less": (HEAD + "| 1 |\n| 3 | 4 |\n", [["a", "b"], ["1", ""], ["3", "4"]], []),
    "a cell more": (HEAD + "| 1 | 2 | 3 |\n", WHOLE, []),
    "in a list": ("- x\n\n  | a | b |\n  |---|---|\n  | 1 | 2 |\n", WHOLE, []),
    "quoted": ("> | a | b |\n> |---|---|\n> | 1 | 2 |\n", WHOLE, []),
    "a row without bars": (HEAD + "1 | 2\n", WHOLE, WHOLE[:1]),
    "no last bars": ("| a | b\n|---|---\n| 1 | 2\n", WHOLE, [["", "a", "b"], ["", "1", "2"]]),
    "a bar in code": (HEAD + "| `1\\|3` | 2 |\n", [["a", "b"], ["1|3", "2"]], [["a", "b"], ["1\\|3", "2"]]),
}


def rows(html):
    """The cells of all tables, row by row."""
    return [
        [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]
        for row in re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    ]


def exported(text):
    page, _ = HTMLExporter(template_name="basic").from_notebook_node(new_notebook(cells=[new_markdown_cell(text)]))
    return rows(page)


markdown_it = MarkdownIt("commonmark").enable("table")
print(*(f"{name} {version(name)}" for name in ("nbconvert", "mistune", "markdown-it-py")), sep=", ")
for name, (text, meant, seen) in CASES.items():
    page = exported(text)
    print(f"{name:20} {page}")
    assert rows(markdown_it.render(text)) == meant, "markdown-it has changed"
    assert page == seen, "nbconvert or mistune has changed"
END
