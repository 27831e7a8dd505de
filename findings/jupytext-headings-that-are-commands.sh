#!/usr/bin/env bash
# jupytext 1.19.6: in a notebook that is kept as a .py file (py:percent) a markdown heading such as `# Why?` or `# cat
# and dog` is plain text after the next load.
#
# Expected: a markdown cell comes back as it was. jupytext is there for round trips and warns only of what formats
# cannot hold; that magics are commented out is told of code. The .py file is right: it has `# # cat and dog` below `#
# %% [markdown]`.
# Seen: on reading, markdown cells too are searched for commented magics, and what looks like one loses a `#`: a line of
# one word with a question mark, or that begins with cat, cd, cp, mv, rm, mkdir, copy, echo, ls, ren, with `%name`, `!`
# or `?`. `## ls -l` becomes a heading of the first rank. py:light, md and Rmd are all right, and comments of code cells
# come back. A cell that begins with `%%` loses that line in every format: it is taken for a magic and put into the
# cell's metadata.
#
# Who meets it: who pairs notebooks with scripts to have them in git, and keeps questions or answers of a model in
# markdown cells. `jupytext --test` tells of it. The cure is `--opt comment_magics=false` where that suits, or py:light
# or md.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check jupytext==1.19.6 nbformat==5.11.1
env/bin/python -I - <<'END'
import jupytext
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

KERNEL = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python"}}
HEADINGS = {
    "# Why?": "Why?",
    "# Why not?": None,
    "# cat and dog": "cat and dog",
    "# Cat and dog": None,
    "# copy\n\nThat is how.": "copy\n\nThat is how.",
    "One\n\n## ls -l\n\ntwo": "One\n\n# ls -l\n\ntwo",
    "# !important": "!important",
    "# %who tells names": "%who tells names",
    "# list of files": None,
}
FORMATS = ("py:percent", "py:light", "md", "Rmd")


def back(cell, form, metadata=KERNEL):
    text = jupytext.writes(new_notebook(cells=[cell], metadata=metadata), form)
    return [(cell.cell_type, cell.source) for cell in jupytext.reads(text, form).cells], text


print("jupytext", jupytext.__version__)
for heading, broken in HEADINGS.items():
    for form in FORMATS:
        seen, text = back(new_markdown_cell(heading), form)
        expected = heading if broken is None or form != "py:percent" else broken
        if seen != [("markdown", heading)]:
            print(f"{form} {heading!r} -> {seen}")
        assert seen == [("markdown", expected)], "jupytext has changed"
        if form == "py:percent":
            written = "\n".join(f"# {line}".rstrip() for line in heading.split("\n"))
            assert text.endswith(f"# %% [markdown]\n{written}\n"), "the file is other than before"
        assert back(new_code_cell(heading), form)[0] == [("code", heading)], "code is changed too"
kept = KERNEL | {"jupytext": {"comment_magics": False}}
cured = [back(new_markdown_cell(heading), "py:percent", kept)[0][0][1] == heading for heading in HEADINGS]
print("with comment_magics=false:", cured)
assert all(cured), "there is no cure"
percent = {form: back(new_markdown_cell("%% of all\n\nare alike"), form)[0][0][1] for form in FORMATS}
print("'%% of all\\n\\nare alike' ->", percent)
assert set(percent.values()) == {"\nare alike"}, "what begins with %% has changed"
END
