#!/usr/bin/env bash
# nbconvert 7.16.0 to 7.16.4 with mistune from 3.1.0 (3.4.0): no notebook that has a markdown cell can be exported to
# HTML.
#
# Expected: nbconvert 7.16 asks for `mistune<4,>=2.0.3`, and mistune 3.1.0 is a minor release, so that a resolver may
# put the two together and both work; `pip check` finds nothing.
# Seen: AttributeError for any text, headings or not: 'MathBlockParser' object has no attribute 'parse_axt_heading'.
# nbconvert had taken over a misspelt name of mistune ("axt" for "atx"), and mistune 3.1.0 mended the spelling. It was
# reported as jupyter/nbconvert#2198 and 7.16.5 is mended, but the versions before it keep their metadata, and what
# keeps nbconvert down, such as a lock file or `--resolution lowest-direct`, lets mistune rise.
#
# Who meets it: who tests with the lowest version of nbconvert that is allowed, or has an old nbconvert pinned and
# renews all else. The honest floor is `nbconvert>=7.16.5`.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >seen.py <<'END'
import sys
from importlib.metadata import requires, version

from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

CELLS = {
    "code": new_code_cell("1 + 1"),
    "markdown": new_markdown_cell("plain text"),
    "empty markdown": new_markdown_cell(),
}
seen = {}
for kind, cell in CELLS.items():
    try:
        page, _ = HTMLExporter().from_notebook_node(new_notebook(cells=[cell]))
        seen[kind] = "exported" if "jp-Cell" in page else "empty page"
    except AttributeError as problem:
        seen[kind] = str(problem).partition(". Did you mean")[0]
print("nbconvert", version("nbconvert"), "mistune", version("mistune"), seen)
assert "mistune<4,>=2.0.3" in requires("nbconvert"), "nbconvert asks for another mistune"
broken = "'MathBlockParser' object has no attribute 'parse_axt_heading'" if sys.argv[1] == "broken" else "exported"
assert seen == {"code": "exported", "markdown": broken, "empty markdown": broken}, "the pair has changed"
END
python3 -m venv env
while read -r nbconvert mistune expected; do
    env/bin/pip install --quiet --disable-pip-version-check "nbconvert==$nbconvert" "mistune==$mistune"
    env/bin/pip check
    env/bin/python -I -W ignore seen.py "$expected"
done <<'END'
7.16.0 3.4.0 broken
7.16.4 3.4.0 broken
7.16.4 3.1.0 broken
7.16.4 3.0.2 whole
7.16.5 3.4.0 whole
END
