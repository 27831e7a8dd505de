#!/usr/bin/env bash
# IPython 9.18.1: whether `%%capture name` keeps what another cell magic printed is decided by reading that magic's text
# as Python.
#
# Expected: the name holds the output of the cell, as %%capture's help says, in whatever language the text below
# `%%bash` or `%%name` is. The help speaks of no semicolons.
# Seen: the inner magic runs and its output is taken off the screen; only then Python's tokenizer reads the text. If the
# last sign is `;`, nothing is bound, and a variable that had the name before is deleted, without a word. If a bracket
# or `"""` stays open, tokenize.TokenError is raised. A text whose second line is less indented than its first ends in
# IndentationError. In these two cases the name keeps what an earlier cell caught. So it is since the semicolon at the
# end of Python cells was to hide results (ipython/ipython#13940); #14195 told the same of magics' own results.
#
# Who meets it: whoever catches the answer of a question in prose, of a shell command or of SQL, which ends in `;` as a
# rule. The call is paid for and its output is nowhere, or the output of the call before is taken for it. The cure is
# `with capture_output() as name:` (IPython.utils.capture) around `run_cell_magic`, which never looks at the text.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check ipython==9.18.1
export IPYTHONDIR=$work/ipython
env/bin/python -I - <<'END'
import IPython
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

EARLIER = "of an earlier cell"
CASES = {
    "prose": ("%%ask\nWhat is this?\n", "caught", None),
    "brackets that close": ("%%ask\n(What) is this?\n", "caught", None),
    "semicolon inside": ("%%ask\nsecond; third\n", "caught", None),
    "semicolon at the end": ("%%ask\nfirst;\nsecond;\n", "deleted", None),
    "and a remark": ("%%ask\nselect 1;  # all\n", "deleted", None),
    "shell, semicolon": ("%%sh\necho said;\n", "deleted", None),
    "shell, none": ("%%sh\necho said\n", "caught", None),
    "open bracket": ("%%ask\nWhat is f(\n", EARLIER, "TokenError"),
    "open quotes": ('%%ask\n"""\n', EARLIER, "TokenError"),
    "less indented": ("%%ask\n    first\n  second\n", EARLIER, "IndentationError"),
}
shell = InteractiveShell.instance()
shell.history_manager.enabled = False
asked = []


def ask(line, cell):
    asked.append(cell)
    print("said")


shell.register_magic_function(ask, "cell", "ask")
print("IPython", IPython.__version__)
for case, (text, expected, problem) in CASES.items():
    shell.user_ns["name"] = EARLIER
    asked.clear()
    with capture_output() as around:
        result = shell.run_cell(f"%%capture name\n{text}")
    name = shell.user_ns.get("name", "deleted")
    seen = name if isinstance(name, str) else {"said\n": "caught"}[name.stdout]
    raised = None if result.error_in_exec is None else type(result.error_in_exec).__name__
    print(f"{case:20} name: {seen}{f', {raised}' if raised else ''}")
    assert (seen, raised) == (expected, problem), "IPython has changed"
    assert "said" not in around.stdout.splitlines(), "the output is shown"
    assert text.startswith("%%sh") or len(asked) == 1, "the inner magic did not run once"
END
