#!/usr/bin/env bash
# jupytext 1.19.6: a notebook kept as R Markdown (.Rmd) comes back with other cells where the text below a cell magic
# shows code between fences.
#
# Expected: the cell as it was. In .md a cell that holds a fence is put between longer ones (jupytext/jupytext#726 of
# 2021, for #712), as CommonMark has it, and the same is what knitr reads.
# Seen: for .Rmd the fence stays at three backticks. If they stand in a string of Python nothing happens, since the
# reader follows quotes; text of `%%name` has none, or has an apostrophe. So the code cell ends at the fence of the
# question, the code becomes markdown, and what follows, with the next markdown cells of the notebook, is one cell with
# it. Lines of the question keep the `# ` that was put before them as text of a magic. With `~~~` for fences all is
# well, and so is .md, md:myst, py:percent and py:light.
#
# Who meets it: who pairs notebooks with .Rmd and asks a model about code in `%%name` cells: after the next load the
# half question is what runs. `jupytext --test --to Rmd` tells of it.
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
FENCE = "```"
CELLS = {
    f"%%ask\nSay:\n\n{FENCE}\nx = 1\n{FENCE}\n\nWhy?": [
        ("code", "%%ask\nSay:\n"),
        ("markdown", f"x = 1\n{FENCE}\n\n# Why?\n{FENCE}\n\nThe end."),
    ],
    f"%%ask\nIt's\n{FENCE}python\nx = 1\n{FENCE}\nWhy?": [
        ("code", f"%%ask\nIt's\n{FENCE}python\nx = 1"),
        ("markdown", f"# Why?\n{FENCE}\n\nThe end."),
    ],
    "%%ask\nSay:\n~~~\nx = 1\n~~~\nWhy?": None,
    f"text = '''\n{FENCE}\nx = 1\n{FENCE}\n'''": None,
}
print("jupytext", jupytext.__version__)
for source, broken in CELLS.items():
    cells = [new_code_cell(source), new_markdown_cell("The end.")]
    whole = [(cell.cell_type, cell.source) for cell in cells]
    for form in ("Rmd", "md", "md:myst", "py:percent", "py:light"):
        text = jupytext.writes(new_notebook(cells=cells, metadata=KERNEL), form)
        seen = [(cell.cell_type, cell.source) for cell in jupytext.reads(text, form).cells]
        if seen != whole:
            print(f"{form}: {whole}\n  -> {seen}")
        assert seen == (whole if broken is None or form != "Rmd" else broken), "jupytext has changed"
END
