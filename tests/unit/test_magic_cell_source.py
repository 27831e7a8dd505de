"""A question is sent as it stands in the cell, whatever IPython makes of the cell before a magic sees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.shells import Shell, shell


@pytest.fixture
def book(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    with shell(monkeypatch, tmp_path) as made:
        yield made


BODIES = {
    "Python's prompts": "Why?\n\n>>> for n in a:\n...     print(n)\n1\n",
    "indented prompts": "Why?\n\n    >>> a\n    1\n",
    "prompts at once": ">>> a\n>>> b\n",
    "only dots": "... and so on\n... and on",
    "a merge conflict": "<<<<<<< ours\na\n=======\nb\n>>>>>>> topic\n",
    "a quoted mail": "> one\n>> two\n>>> three\n",
    "IPython's prompts": "In [1]: a\n   ...: b\nOut[1]: 2\n",
    "magics": "%timeit f()\n%%bash\nls",
    "another question": "%%seen\nhow does this cell work?",
    "commands": "!ls -l\n!!ls\nfiles = !ls\n",
    "help": "print?\n??f\nwhat is this?",
    "indented": "    four blanks\n  two\n\ttab\n",
    "blank lines around": "\n\nhi\n\n\n",
    "lines of blanks": "a\n   \n\t\nb",
    "ends of lines": "one\r\ntwo\r\n",
    "other ends": "one\x0btwo\x0cthree\x1cfour\x85five\u2028six\u2029seven",
    "unusual blanks": "a\u00a0b\u3000c\u200bd\ufeffe",
    "quotes and backslashes": "\\n \\\\ ' \" ''' \"\"\" \\",
    "braces and dollars": "{a} {{ b }} $c ${d} \\{{",
    "no end of line": "hi",
    "a comment": "# heading\nhi",
    "an unclosed bracket": "f(\n",
}


@pytest.mark.parametrize("kind", BODIES)
def test_the_question_is_what_stands_in_the_cell(kind: str, book: Shell) -> None:
    body = BODIES[kind]
    for front in ("", "\n\n", "   \n"):
        book.run(f"{front}%%seen -i x=1 \n{body}")
        assert book.texts[-1] == ("-i x=1", body), front


@pytest.mark.parametrize("front", ["%%capture kept\n", "%%time\n\n", "%%time\n%%capture kept\n", "%%prun -q\n"])
def test_magics_in_front_take_nothing_either(front: str, book: Shell) -> None:
    for kind in ("prompts at once", "Python's prompts", "only dots", "a merge conflict", "a quoted mail", "help"):
        book.run(f"{front}%%seen -o y\n{BODIES[kind]}")
        assert book.texts[-1] == ("-o y", BODIES[kind]), kind


def test_the_line_ends_where_the_cell_does(book: Shell) -> None:
    line = "-i x=a\x0cb\u2028c\x85d"
    book.run(f"%%seen {line}\nhi")
    assert book.texts[-1] == (line, "hi")


def test_a_cell_that_is_indented_as_a_whole_loses_that_much(book: Shell) -> None:
    book.run("    %%seen\n    >>> a\n      two more\n\n    b")
    assert book.texts[-1] == ("", ">>> a\n  two more\n\nb")


# Cells, and what the magic in them is handed: where code calls it, and where its own line was pasted with a prompt.
HANDED = {
    "a call": ("get_ipython().run_cell_magic('seen', 'a', '>>> b\\nc')", ("a", ">>> b\nc")),
    "a call in a cell that looks like one": (
        "text = '''\n%%seen\nno\n'''\nget_ipython().run_cell_magic('seen', '', '>>> b')",
        ("", ">>> b"),
    ),
    "a cell in a cell": ("get_ipython().run_cell('%%seen a\\n>>> b\\n... c')", ("a", ">>> b\n... c")),
    "a transcript": ("In [3]: %%seen a\n   ...: b\n   ...: c\n", ("a", "b\nc\n")),
    "a transcript of Python": (">>> %%seen a\n... b\n", ("a", "b\n")),
}


@pytest.mark.parametrize("kind", HANDED)
def test_code_and_transcripts_mean_what_is_handed(kind: str, book: Shell) -> None:
    cell, handed = HANDED[kind]
    book.run(cell)
    assert book.texts[-1] == handed


def test_calls_in_a_cell_of_the_magic_keep_their_own_text(book: Shell) -> None:
    """Of a cell that has ended nothing is taken, and of one that runs only what IPython made this call of."""
    book.run("%%seen\n>>> typed")
    book.run("get_ipython().run_cell_magic('seen', '', 'typed\\n')")
    assert book.texts == [("", ">>> typed"), ("", "typed\n")]
    book.shell.register_magic_function(
        lambda line, cell: book.shell.run_cell_magic("seen", line, "another"), "cell", "again"
    )
    book.run("%%again\n>>> typed")
    assert book.texts[-1] == ("", "another")


def test_nothing_is_heard_any_longer(book: Shell) -> None:
    book.typed.unregister()
    book.typed.unregister()
    book.run("%%seen\n>>> a\n")
    assert book.texts[-1][0] == ""
    assert not any("Typed" in repr(one) for held in book.shell.events.callbacks.values() for one in held)


def test_cells_that_failed_leave_nothing(book: Shell) -> None:
    for cell in ("1/0", "def", "%no_such_magic", "%%no_such\nx", "raise KeyboardInterrupt", ""):
        book.shell.run_cell(cell)
        assert book.typed._running.cells == ()
    book.shell.run_cell("get_ipython().run_cell('1/0')\nraise KeyboardInterrupt")
    assert book.typed._running.cells == ()


def test_a_cell_whose_end_was_not_told_is_forgotten(book: Shell) -> None:
    book.shell.events.unregister("post_run_cell", book.typed._listeners["post_run_cell"])
    book.run("%%seen\n>>> mistyped")
    book.run("%%capture kept\n%%seen\nmistyped")
    assert book.texts[-1] == ("", "mistyped")
    book.run("get_ipython().run_cell_magic('seen', '', 'mistyped\\n')")
    assert book.texts[-1] == ("", "mistyped\n")


def test_cells_on_two_threads_are_told_apart(book: Shell) -> None:
    def other() -> None:
        book.shell.run_cell("%%seen\n>>> other")

    book.shell.user_ns["other"] = other
    book.run(
        "import threading\nthread = threading.Thread(target=other)\nthread.start()\nthread.join()\n"
        "get_ipython().run_cell_magic('seen', '', 'other\\n')"
    )
    assert book.texts == [("", ">>> other"), ("", "other\n")]


def test_a_question_of_magics_is_looked_at_once(book: Shell) -> None:
    """However many lines begin as the magic does, a call from code costs a few looks at the cell."""
    looked: list[int] = []
    transform = book.shell.transform_cell
    book.shell.events.register("pre_run_cell", lambda info: looked.clear())

    def look(text: str) -> str:
        looked.append(len(text))
        return str(transform(text))

    book.shell.transform_cell = look
    book.shell.register_magic_function(
        lambda line, cell: book.shell.run_cell_magic("seen", line, "another"), "cell", "again"
    )
    counts = []
    for size in (200, 400):
        book.run("%%again\n" + "%%seen\n" * size)
        counts.append(len(looked))
        assert book.texts[-1] == ("", "another")
    assert counts[0] == counts[1] > 0


def test_a_cell_of_the_line_alone_runs(book: Shell) -> None:
    for cell in ("%%seen a", "%%seen a\n", "\n  %%seen a\n", "%%seen a\n\n"):
        book.run(cell)
    assert [line for line, _ in book.texts] == ["a"] * 4
    assert [body.strip() for _, body in book.texts] == [""] * 4
    book.run("%%capture kept\n%%seen b")
    assert book.texts[-1] == ("b", "")


def test_in_a_terminal_more_may_follow_the_line(book: Shell) -> None:
    check = book.shell.input_transformer_manager.check_complete
    assert check("%%seen a")[0] == "incomplete"
    assert check("%%seen a\n\n")[0] == "complete"


def test_the_empty_line_is_for_our_magic_alone_and_goes_with_it(book: Shell) -> None:
    transform = book.shell.transform_cell
    assert "'seen', 'a', '\\n'" in transform("%%seen a")
    assert "'\\n'" not in transform("%%seenby a")
    assert transform("seen = 1") == "seen = 1\n"
    book.typed.unregister()
    assert "'\\n'" not in transform("%%seen a")
    book.typed.unregister()
