"""A name on a magic's line or in its text means what Python would mean by it where the call stands."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.shells import Shell, shell

from dify_notebook.app.namespace import Namespace


@pytest.fixture
def book(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    with shell(monkeypatch, tmp_path) as made:
        made.run("city, town = 'notebook', 'of the notebook'")
        yield made


ASK = "get_ipython().run_cell_magic('seen', '', 'x')"
UNBOUND = object()

# What stands in a cell, with ASK where the magic is called, and what `city` means there.
PLACES = {
    "the cell itself": ("ASK", "notebook"),
    "a loop": ("for city in ['a loop']:\n    ASK", "a loop"),
    "an argument": ("def f(city):\n    ASK\nf('an argument')", "an argument"),
    "a default": ("def f(city='a default'):\n    ASK\nf()", "a default"),
    "a keyword": ("def f(*, city):\n    ASK\nf(city='a keyword')", "a keyword"),
    "an assignment": ("def f():\n    city = 'assigned'\n    ASK\nf()", "assigned"),
    "another function's": ("def g():\n    ASK\ndef f(city):\n    g()\nf('of f')", "notebook"),
    "declared global": ("def f():\n    global city\n    city = 'declared'\n    ASK\nf()", "declared"),
    "deleted": ("def f(city):\n    del city\n    ASK\nf('gone')", UNBOUND),
    "not assigned yet": ("def f():\n    ASK\n    city = 'too late'\nf()", UNBOUND),
    "a line magic": ("def f(city):\n    get_ipython().run_line_magic('seen', '')\nf('of the line')", "of the line"),
    "the method at hand": ("ask = get_ipython().run_cell_magic\ndef f(city):\n    ask('seen', '', 'x')\nf('at hand')", "at hand"),
    "partial": (
        "from functools import partial\nask = partial(get_ipython().run_cell_magic, 'seen', '')\n"
        "def f(city):\n    ask('x')\nf('bound')",
        "bound",
    ),
    "map": ("def f(city):\n    list(map(lambda n: ASK, [1]))\nf('around map')", "around map"),
    "a closure that uses it": ("def f(city):\n    def g():\n        city\n        ASK\n    return g\nf('kept')()", "kept"),
    "a closure that does not": ("def f(city):\n    def g():\n        ASK\n    g()\nf('around')", "around"),
    "two functions around": (
        "def f(city):\n    def g():\n        def h():\n            ASK\n        h()\n    g()\nf('far around')",
        "far around",
    ),
    "a function that has returned": ("def f(city):\n    def g():\n        ASK\n    return g\nf('lost')()", UNBOUND),
    "one between that has returned": (
        "def f(city):\n    def g():\n        def h():\n            ASK\n        return h\n    g()()\nf('around both')",
        "around both",
    ),
    "global within": ("def f(city):\n    def g():\n        global city\n        city\n        ASK\n    g()\nf('no')", "notebook"),
    "global between": (
        "def f(city):\n    def g():\n        global city\n        city\n        def h():\n            ASK\n"
        "        h()\n    g()\nf('no')",
        "notebook",
    ),
    "nonlocal": (
        "def f():\n    city = 1\n    def g():\n        nonlocal city\n        city = 'set within'\n        ASK\n    g()\nf()",
        "set within",
    ),
    "nonlocal that was deleted": ("def f(city):\n    def g():\n        nonlocal city\n        del city\n        ASK\n    g()\nf(1)", UNBOUND),
    "two calls that differ": (
        "def f(city, g=None):\n    def h():\n        ASK\n    (g or (lambda: f('second', h)))()\nf('first')",
        UNBOUND,
    ),
    "a lambda": ("(lambda city: ASK)('of the lambda')", "of the lambda"),
    "a comprehension": ("[ASK for city in ['each']]", "each"),
    "a comprehension in a function": ("def f(city):\n    [ASK for n in [1]]\nf('beside n')", "beside n"),
    "a generator expression": ("list(ASK for city in ['each'])", "each"),
    "a generator": ("def f(city):\n    yield ASK\nlist(f('between yields'))", "between yields"),
    "a class": ("class A:\n    city = 'of the class'\n    ASK", "of the class"),
    "a class in a function": ("def f(city):\n    class A:\n        ASK\nf('around the class')", "around the class"),
    "a method": ("class A:\n    city = 'no'\n    def m(self):\n        ASK\nA().m()", "notebook"),
    "a method's argument": ("class A:\n    def m(self, city):\n        ASK\nA().m('given')", "given"),
    "a method in a function": ("def f(city):\n    class A:\n        city = 'no'\n        def m(self):\n            ASK\n    A().m()\nf('yes')", "yes"),
    "async": ("async def f(city):\n    ASK\nawait f('awaited')", "awaited"),
    "async within": ("async def f(city):\n    async def g():\n        ASK\n    await g()\nawait f('awaited around')", "awaited around"),
    "a task": ("import asyncio\nasync def f(city):\n    ASK\nawait asyncio.gather(f('of the task'))", "of the task"),
    "a top-level await": ("import asyncio\nawait asyncio.sleep(0)\nASK", "notebook"),
    "a decorated function": (
        "import functools\ndef d(f):\n    @functools.wraps(f)\n    def w(*a):\n        return f(*a)\n    return w\n"
        "@d\ndef f(city):\n    ASK\nf('decorated')",
        "decorated",
    ),
    "a context of the standard library": (
        "import contextlib\ndef f(city):\n    with contextlib.ExitStack() as s:\n"
        "        s.callback(get_ipython().run_cell_magic, 'seen', '', 'x')\nf('around the stack')",
        "around the stack",
    ),
    "a pool of threads": (
        "from concurrent.futures import ThreadPoolExecutor\ndef f(city):\n    with ThreadPoolExecutor() as pool:\n"
        "        list(pool.map(lambda n: ASK, [1, 2]))\nf('around the pool')",
        "around the pool",
    ),
    "a function that runs on two threads": (
        "import threading\nfrom concurrent.futures import ThreadPoolExecutor\nboth = threading.Barrier(2, timeout=30)\n"
        "def f(city, asks):\n    def g():\n        both.wait()\n        if asks:\n            ASK\n        both.wait()\n    g()\n"
        "with ThreadPoolExecutor(2) as pool:\n    list(pool.map(f, ['first', 'second'], [True, False]))",
        "first",
    ),
    "a thread of its own": (
        "import threading\nt = threading.Thread(target=get_ipython().run_cell_magic, args=('seen', '', 'x'))\n"
        "t.start()\nt.join()",
        "notebook",
    ),
    "exec": ("def f(city):\n    exec(\"ASK\")\nf('executed')", "executed"),
    "exec with variables of its own": ("exec(\"ASK\", {'get_ipython': get_ipython, 'city': 'its own'})", "its own"),
    "exec with two sets": ("exec(\"ASK\", {'get_ipython': get_ipython, 'city': 'no'}, {'city': 'inner'})", "inner"),
    "eval": ("def f(city):\n    eval(\"ASK\")\nf('evaluated')", "evaluated"),
    "another cell": ("def f(city):\n    get_ipython().run_cell('%%seen\\nx')\nf('no')", "notebook"),
    "a timed cell": ("%%time\nASK", "notebook"),
    "a timed cell in a function": (
        "def f(city):\n    get_ipython().run_cell_magic('time', '', \"ASK\")\nf('no')",
        "notebook",
    ),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_name_means_what_python_means(place: str, book: Shell) -> None:
    cell, meant = PLACES[place]
    book.run(cell.replace("ASK", ASK))
    names = book.names[-1]
    if meant is UNBOUND:
        assert isinstance(names, Namespace)
        assert ("city" in names, "city" in names.unbound) == (False, True)
    else:
        assert names["city"] == meant
    assert names["town"] == "of the notebook", "what no function has is the notebook's"


def test_a_cell_has_the_notebooks_variables_themselves(book: Shell) -> None:
    book.run("%%seen\nx")
    assert book.names[-1] is book.shell.user_ns


def test_a_module_comes_before_the_notebook(book: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its functions' variables, then its own, then the notebook's; also where it is an installed package."""
    source = f"""
        from IPython import get_ipython
        city = "of the module"
        {ASK}
        def ask(district):
            {ASK}
        def repeat(call, *given):
            city = "of the package that passes it on"
            return call(*given)
    """
    for place, name in ((tmp_path, "streets"), (tmp_path / "site-packages", "installed_streets")):
        place.mkdir(exist_ok=True)
        (place / f"{name}.py").write_text(textwrap.dedent(source))
        monkeypatch.syspath_prepend(place)
        book.run(f"import {name}\n{name}.ask('north')")
        top, within = book.names[-2:]
        assert (top["city"], "district" in top) == ("of the module", False)
        assert (within["city"], within["district"], within["town"]) == ("of the module", "north", "of the notebook")
    book.run("def f(city):\n    installed_streets.repeat(run, 'seen', '', 'x')\nf('handed on')")
    assert book.names[-1]["city"] == "handed on"


def test_nothing_of_the_callers_is_changed(book: Shell) -> None:
    book.run(f"def f(city):\n    n = 1\n    {ASK}\n    return sorted(locals())\nkept = f('x')")
    book.names[-1]["city"] = book.names[-1]["added"] = "elsewhere"
    assert book.shell.user_ns["kept"] == ["city", "n"]
    assert (book.shell.user_ns["city"], book.shell.user_ns.get("added")) == ("notebook", None)
