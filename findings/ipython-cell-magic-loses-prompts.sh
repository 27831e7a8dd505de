#!/usr/bin/env bash
# IPython 9.18.1: a cell magic does not get the text of its cell: `>>>` is taken out of it wherever a line begins so.
#
# Expected: what follows `%%name` reaches the magic as it stands, whatever language it is in; prompts are stripped from
# Python that is pasted. ipython/ipython#8791 (%%writefile without its `>>>`) was called a bug, and #9144 of 2016 made
# the stripping stop in cells that begin with `%%`.
# Seen: the transformers that came with IPython 7 (inputtransformer2) know no such stop: prompts go before the magic is
# recognised. 9.9.0 strips only where a prompt stands in one of the first two lines. Since 9.10 (#15110, for pasted
# doctests) one line with `>>>`, indented or not, is enough anywhere but between triple quotes that begin a line, and
# then all such lines lose `>>>` or `...`, the blank behind and the indentation before. `In [1]: ` counts as before.
# A hook for `pre_run_cell` finds the text as typed in `info.raw_cell`.
#
# Who meets it: whoever asks a model in a cell about a doctest, a merge conflict or a quoted mail. The question arrives
# without the very signs that it is about. `%%dify` asks what stands in `raw_cell` where that is the cell which runs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export IPYTHONDIR=$work/ipython
cat >seen.py <<'END'
import IPython
from IPython.core.interactiveshell import InteractiveShell

CELLS = {
    "doctest": ("Why\n\n    >>> for n in a:\n    ...     print(n)\n", "Why\n\nfor n in a:\n    print(n)\n"),
    "conflict": ("Merge:\n\n=======\nb\n>>>>>>> topic\n", "Merge:\n\n=======\nb\n>>>> topic\n"),
    "mail": ("> one\n>> two\n>>> three\n", "> one\n>> two\nthree\n"),
    "dots": ("Go on:\n\n... and so on\n", None),
    "triple": ("Mind:\n'''\n>>> a\n'''\n", None),
    "prompt, 2nd line": ("In [1]: a\n", "a\n"),
    "prompt, 3rd line": ("See\nIn [1]: a\n", None),
}
got, typed = [], []
shell = InteractiveShell.instance()
shell.history_manager.enabled = False
shell.register_magic_function(lambda line, cell: got.append(cell), "cell", "ask")
shell.events.register("pre_run_cell", lambda info: typed.append(info.raw_cell))
print("IPython", IPython.__version__)
for name, (text, without) in CELLS.items():
    shell.run_cell(f"%%ask\n{text}")
    print(f"{name:17} {text!r}{'' if got[-1] == text else f' -> {got[-1]!r}'}")
    old = IPython.__version__ == "9.9.0" and not name.endswith("2nd line")
    assert got[-1] == (text if old or without is None else without), "IPython has changed"
    assert typed[-1] == f"%%ask\n{text}", "raw_cell has changed"
END
for pinned in ipython==9.9.0 ipython==9.18.1; do
    python3 -m venv "$pinned"
    "$pinned/bin/pip" install --quiet --disable-pip-version-check "$pinned"
    "$pinned/bin/python" -I seen.py
done
