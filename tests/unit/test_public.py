"""The public names, what importing them costs, and which way the arrows between rooms point."""

from __future__ import annotations

import ast
import inspect
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from typing import NamedTuple, TypeGuard

import pytest

import dify_notebook

PACKAGE = Path(dify_notebook.__file__).parent
PUBLIC = [
    "AsyncDify",
    "Bounds",
    "ChatPanel",
    "Dify",
    "DifyError",
    "History",
    "Session",
    "Sweep",
    "Tape",
    "Turn",
    "__version__",
    "frames",
    "last",
    "load_ipython_extension",
    "local",
    "run",
    "unload_ipython_extension",
]

# -- names -----------------------------------------------------------------------------


def test_all_is_what_it_is_meant_to_be() -> None:
    """A name that is published stays: adding or dropping one is a decision, made here."""
    assert dify_notebook.__all__ == PUBLIC


def test_every_public_name_can_be_touched_and_is_listed() -> None:
    listed = dir(dify_notebook)
    assert [name for name in PUBLIC if name not in listed] == []
    for name in PUBLIC:
        getattr(dify_notebook, name)


def test_the_names_of_the_embedded_server_that_annotations_need_stand_in_one_module() -> None:
    """They come when they are first asked for; what is raised is what is caught."""
    from dify_notebook.errors import DifyError
    from dify_notebook.local import faults, server, tool

    assert server.__all__ == ["LocalServer", "LocalServerError", "Server"]
    assert issubclass(server.LocalServer, server.Server)
    assert issubclass(server.LocalServerError, DifyError)
    assert faults.parse("drop=200, duplicate") == {"drop": 200.0, "duplicate": 1.0}
    assert callable(tool)
    with pytest.raises(AttributeError, match="LocalServe"):
        _ = server.LocalServe
    loaded = loaded_by("from dify_notebook import local\nfrom dify_notebook.local import faults, server")
    assert loaded.isdisjoint({*HEAVY, "sqlite3", "dify_notebook.local.server.process"})


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("directory:LocalServerError", "store.directory:LocalServerError"),
        ("dumping:DumpError", "simulate.dumping:DumpError"),
        ("seeding:SeedError", "simulate.seeding:SeedError"),
        ("seeding:Seeded", "simulate.seeding:Seeded"),
        ("table:DeclarationError", "engine.declare.reader:DeclarationError"),
        ("faults:FaultBox", "faults:FaultPlan"),
    ],
)
def test_what_the_embedded_server_raises_and_returns_has_its_earlier_place(then: str, now: str) -> None:
    """Programs catch it by that name, and pickles open."""
    value = resolve_name(f"dify_notebook.local.{now}")
    module, _, name = then.partition(":")
    assert resolve_name(f"dify_notebook.local.{then}") is value
    assert pickle.loads(f"cdify_notebook.local.{module}\n{name}\n.".encode()) is value


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Difi"):
        _ = dify_notebook.Difi


def test_every_public_thing_says_what_it_is() -> None:
    """Classes, functions and modules, and each public member of the classes."""
    silent = []
    for name in PUBLIC:
        thing = getattr(dify_notebook, name)
        if name == "__version__" or thing is None:
            continue
        if not inspect.getdoc(thing):
            silent.append(name)
        if inspect.isclass(thing):
            for member, value in vars(thing).items():
                says = callable(value) or isinstance(value, property | classmethod | staticmethod)
                if not member.startswith("_") and says and not inspect.getdoc(value):
                    silent.append(f"{name}.{member}")
    assert silent == []


# -- what importing loads --------------------------------------------------------------

LATE = {
    "asyncio", "concurrent.futures", "msgspec", "nest_asyncio2", "sqlite3", "tomllib",
    *(f"dify_notebook.{name}" for name in (
        "address", "app", "config", "credentials", "data_uri", "profiles", "redact", "tape", "turn", "wire",
        "net.bounds", "net.chat", "net.limiter", "net.interrupting", "net.pages", "net.responses", "net.stream", "net.thread", "net.transport",
        "net.certificates", "net.uploads",
    )),
}  # fmt: skip
"""What comes with the first client, or with its first call."""
HEAVY = ("httpx", "anywidget", "IPython", "pandas", "starlette", "uvicorn", "markdown_it", "pygments")


def loaded_by(code: str) -> set[str]:
    """The names in `sys.modules` after that code, in a fresh process."""
    script = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import dify_notebook").isdisjoint({*HEAVY, "msgspec", "asyncio", "nest_asyncio2"})


def test_the_clients_load_httpx_and_nothing_of_the_notebook_or_the_server() -> None:
    # httpx itself loads pygments for its command line, where the environment has it.
    loaded = loaded_by("from dify_notebook import AsyncDify, Dify") - loaded_by("import httpx")
    assert {"dify_notebook.net.client", "dify_notebook.net.sync"} <= loaded
    assert loaded & {*HEAVY, *LATE} == set()


def test_what_comes_late_is_there() -> None:
    """A name of a module that is gone would never be loaded."""
    assert [name for name in LATE if find_spec(name) is None] == []


def test_registering_a_function_loads_no_server() -> None:
    assert loaded_by("from dify_notebook import local\nlocal.tool").isdisjoint(HEAVY)


def test_a_server_that_asks_nobody_loads_no_httpx() -> None:
    code = """
import tempfile
from dify_notebook import local
with tempfile.TemporaryDirectory() as directory:
    local.serve(data_dir=directory).close()
"""
    loaded = loaded_by(code)
    assert "dify_notebook.local.engine.transport" in loaded
    assert loaded.isdisjoint({"httpx", "httpcore"})


def test_loading_the_extension_waits_with_the_widget_and_the_server() -> None:
    """`%load_ext` is the first thing that is felt; the widget and the server come with the first cell."""
    code = """
from IPython.core.interactiveshell import InteractiveShell
InteractiveShell.instance().run_line_magic('load_ext', 'dify_notebook')
"""
    assert loaded_by(code).isdisjoint({"anywidget", "starlette", "uvicorn", "pandas", "nest_asyncio2"})


# -- arrows ----------------------------------------------------------------------------

BASE = {
    "address", "errors", "config", "console", "secret", "paths", "private", "profiles", "redact", "regular", "data_uri", "i18n",
    "printable", "logs", "error_bodies", "_version",
}  # fmt: skip
DATA = BASE | {"wire", "turn", "tape"}
ASKING = DATA | {"net", "session"}

ARROWS: dict[str, set[str]] = {
    "_version": set(),
    "i18n": set(),
    "printable": {"data_uri", "redact"},
    "data_uri": set(),
    "redact": set(),
    "regular": set(),
    "logs": {"printable", "redact"},
    "console": {"logs"},
    "errors": {"i18n", "printable", "redact", "error_bodies"},
    "error_bodies": set(),
    "secret": {"redact"},
    "address": {"errors", "i18n", "redact", "secret"},
    "paths": {"errors", "i18n"},
    "private": {"errors", "i18n", "logs", "paths"},
    "profiles": {"errors", "i18n", "secret", "private", "redact"},
    "credentials": {"console", "errors", "i18n", "printable", "secret", "private"},
    "config": {
        "address", "console", "errors", "i18n", "logs", "paths", "printable", "private", "secret", "profiles",
        "credentials",
    },  # fmt: skip
    "aio": {"errors", "i18n"},
    "wire": BASE,
    "turn": BASE | {"wire"},
    "tape": BASE | {"wire", "turn"},
    "app": DATA,
    "net": DATA | {"app"},
    "session": DATA | {"app", "net"},
    "spreadsheets": set(),
    "frames": ASKING | {"app", "spreadsheets"},
    "views": {"wire", "turn", "i18n", "data_uri", "printable", "redact", "error_bodies"},
    "transcript": {"turn", "i18n", "views", "app", "profiles"},
    "live": ASKING | {"views"},
    "sweep": ASKING | {"app", "views", "frames"},
    "magic": ASKING | {"app", "live", "views", "credentials", "transcript", "sweep"},
    "panel": ASKING | {"app", "live", "views", "transcript"},
    "local": {
        "wire", "errors", "tape", "i18n", "paths", "printable", "private", "redact", "logs", "console",
        "spreadsheets",
    },  # fmt: skip
    "testing": {"local", "net"},
}
"""Room -> the rooms that it may import."""

EXCEPTIONS: dict[tuple[str, str], str] = {
    ("turn", "views"): "a Turn displays itself",
    ("turn", "frames"): "a Turn becomes tables and charts",
    ("net", "frames"): "dify.history(), and a list's to_frame()",
    ("net", "sweep"): "dify.map()",
    ("net", "local"): "Dify.local() starts the embedded server",
    ("frames", "views"): "a conversation out of a history displays itself",
    ("panel", "frames"): "panel.to_frame() becomes a table",
    ("magic", "__init__"): "`dify_notebook.last` is set there",
}
"""Single arrows beside the table, each with its reason: for imports inside functions alone."""

OWNERS: dict[str, set[str]] = {
    "httpx": {"net", "local"},  # to a Dify server; and from the embedded one to models and what nodes fetch
    "anywidget": {"live", "panel"},
    "ipywidgets": {"live", "panel"},
    "traitlets": {"live", "panel"},
    "IPython": {"magic", "live", "panel"},
    "pandas": {"frames", "sweep"},
    "polars": {"frames"},
    "pyarrow": {"frames"},
    "numpy": {"frames"},
    "altair": {"frames"},
    "filelock": {"frames", "sweep"},
    "PIL": {"frames"},
    "vl_convert": {"frames"},
    "nest_asyncio2": {"aio"},
    "starlette": {"local"},
    "uvicorn": {"local"},
    "sqlite3": {"local"},
    "markdown_it": {"views"},
    "mdit_py_plugins": {"views"},
    "pygments": {"views"},
}
"""A library -> the only rooms that may import it."""

FREE = {"__init__"}
"""The front door leads into every room."""

WORDS = {"api_error", "faults", "text", "threads", "tokens"}
EARLIER = {"directory": "store", "dumping": "simulate", "seeding": "simulate", "table": "engine"}
"""Where earlier versions had what is raised and returned -> the room that has it."""
LOCAL: dict[str, set[str]] = {
    **dict.fromkeys(sorted(WORDS), set()),
    **{name: {room} for name, room in EARLIER.items()},
    "responses": {"api_error"},
    "store": WORDS,
    "engine": WORDS | {"store"},
    "options": WORDS | {"engine"},
    "apps": WORDS | {"store", "engine"},
    "simulate": WORDS | {"responses", "store", "engine", "apps"},
    "server": WORDS | {"responses", "store", "engine", "options", "apps", "simulate"},
    "__init__": WORDS | {"store", "engine", "options", "simulate", "server"},
    "__main__": {"__init__", "options", "server"},
}
"""Room of the embedded server -> the rooms beside it that it may import, also in functions."""
LOCAL_TOP = 15
"""Files beside the rooms, at most."""

PURE = {"wire", "turn", "views"}
IMPURE = {
    "asyncio", "concurrent", "http", "io", "locale", "logging", "multiprocessing", "os", "pathlib",
    "random", "secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess",
    "tempfile", "threading", "time", "uuid",
}  # fmt: skip


class Import(NamedTuple):
    """One import statement's target, as a dotted name."""

    room: str
    place: str
    name: str
    late: bool = False
    """Whether it stands in a function, so that importing the module does not run it."""


def is_type_checking(node: ast.AST) -> TypeGuard[ast.If]:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def walk(node: ast.AST, late: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Every node that can run, and whether it stands in a function; what is for type checkers is not an arrow."""
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child):
            for other in child.orelse:
                yield from walk(other, late)
            continue
        yield child, late
        yield from walk(child, late or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))


def imports_of(source: str, path: Path) -> Iterator[Import]:
    """The imports of a module that lies at that path inside the package."""
    room = path.parts[0].removesuffix(".py")
    package = ["dify_notebook", *path.parts[:-1]]
    for node, late in walk(ast.parse(source)):
        place = f"{path}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            yield from (Import(room, place, alias.name, late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (Import(room, place, f"{module}.{alias.name}", late) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                name = first.value.lstrip(".")
                level = len(first.value) - len(name)
                yield Import(room, place, ".".join([*package[: len(package) - level + 1], name] if level else [name]), late)


def wrong(found: Import, used: set[tuple[str, str]]) -> str | None:
    """What is wrong with an import, or None. Exceptions that it needs are added to `used`."""
    parts = found.name.split(".")
    top = parts[0]
    if top == "dify_notebook":
        names = {path.stem for path in PACKAGE.iterdir()} - {"__pycache__"}
        target = parts[1] if len(parts) > 1 and parts[1] in names else "__init__"
        arrow = (found.room, target)
        if found.room in FREE or found.room == target or target in ARROWS.get(found.room, set()):
            return None
        if arrow not in EXCEPTIONS:
            return f"{found.place}: {found.room} imports {target}"
        used.add(arrow)
        return None if found.late else f"{found.place}: {found.room} imports {target}, which only a function may"
    if top in OWNERS and found.room not in OWNERS[top]:
        return f"{found.place}: {found.room} imports {top}"
    if found.room in PURE and top in IMPURE:
        return f"{found.place}: {found.room} is pure and imports {top}"
    return None


def all_imports() -> Iterator[Import]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield from imports_of(path.read_text(encoding="utf-8"), path.relative_to(PACKAGE))


def test_every_room_stands_in_the_table() -> None:
    rooms = {
        path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert rooms - {*ARROWS, *FREE} == set()


def test_the_arrows_go_round_in_no_circle() -> None:
    assert {*TopologicalSorter(ARROWS).static_order()} == {*ARROWS}
    assert [arrow for arrow in EXCEPTIONS if arrow[1] in ARROWS.get(arrow[0], set())] == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    """What importing runs alone; `graphlib` tells the circle."""
    files = {path.relative_to(PACKAGE.parent): path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
    modules = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in files}
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        for found in imports_of(files[path], path.relative_to("dify_notebook")):
            target = found.name if found.name in modules else found.name.rpartition(".")[0]
            if not found.late and target in modules and target != module:
                graph.setdefault(module, set()).add(target)
    TopologicalSorter(graph).prepare()


def wrong_in_local(found: Import) -> str | None:
    """What is wrong with an import between two rooms of the embedded server, or None."""
    path = Path(found.place.rpartition(":")[0])
    if path.parts[0] != "local" or not f"{found.name}.".startswith("dify_notebook.local."):
        return None
    room, parts = path.parts[1].removesuffix(".py"), found.name.split(".")
    target = parts[2] if len(parts) > 2 and parts[2] in LOCAL else "__init__"
    if room == target or target in LOCAL.get(room, set()):
        return None
    return f"{found.place}: {room} imports {target}"


def test_the_rooms_of_the_embedded_server_follow_theirs() -> None:
    assert {*TopologicalSorter(LOCAL).static_order()} == {*LOCAL}
    top = [path for path in (PACKAGE / "local").iterdir() if path.suffix == ".py"]
    assert len(top) <= LOCAL_TOP
    rooms = {path.parent.name for path in (PACKAGE / "local").glob("*/__init__.py")}
    assert {path.stem for path in top} | rooms == {*LOCAL}
    assert [problem for found in all_imports() if (problem := wrong_in_local(found))] == []


def test_imports_follow_the_arrows() -> None:
    used: set[tuple[str, str]] = set()
    assert [problem for found in all_imports() if (problem := wrong(found, used))] == []
    assert set(EXCEPTIONS) - used == set(), "exceptions that nobody needs any more"


@pytest.mark.parametrize(
    ("path", "source", "told"),
    [
        ("turn/x.py", "from ..net import client", "turn imports net"),
        ("wire/x.py", "def f():\n    import httpx", "wire imports httpx"),
        ("views/x.py", "if True:\n    from time import perf_counter", "views is pure and imports time"),
        ("local/x.py", "from ..net.client import AsyncDify", "local imports net"),
        ("net/x.py", "import dify_notebook.session", "net imports session"),
        ("magic/x.py", "import nest_asyncio2", "magic imports nest_asyncio2"),
        ("session.py", "from . import live", "session imports live"),
        ("tape.py", "from importlib import import_module\nimport_module('httpx')", "tape imports httpx"),
        ("turn/x.py", "def f():\n    import_module('..net', __package__)", "turn imports net"),
        ("turn/x.py", "from .. import frames", "turn imports frames, which only a function may"),
        ("turn/x.py", "def f():\n    from .. import magic", "turn imports magic"),
    ],
)
def test_the_guard_sees_a_wrong_arrow(path: str, source: str, told: str) -> None:
    problems = [problem for found in imports_of(source, Path(path)) if (problem := wrong(found, set()))]
    assert [problem.partition(": ")[2] for problem in problems] == [told]


@pytest.mark.parametrize(
    ("path", "source", "told"),
    [
        ("local/engine/x.py", "from ..server.process import ensure", "engine imports server"),
        ("local/engine/tools/x.py", "def f():\n    from ...apps import catalog", "engine imports apps"),
        ("local/store/x.py", "from ..engine.app import App", "store imports engine"),
        ("local/simulate/x.py", "from .. import server", "simulate imports server"),
        ("local/text.py", "from .threads import in_thread", "text imports threads"),
        ("local/apps/x.py", "from dify_notebook import local", "apps imports __init__"),
    ],
)
def test_the_guard_sees_a_wrong_arrow_between_rooms_of_the_server(path: str, source: str, told: str) -> None:
    problems = [problem for found in imports_of(source, Path(path)) if (problem := wrong_in_local(found))]
    assert [problem.partition(": ")[2] for problem in problems] == [told]


def test_a_function_may_import_what_is_listed() -> None:
    source = "class Turn:\n    def f(self):\n        from .. import frames"
    assert [wrong(found, set()) for found in imports_of(source, Path("turn/x.py"))] == [None]


def test_what_is_for_type_checkers_is_no_arrow() -> None:
    source = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .turn.state import Turn"
    assert [wrong(found, set()) for found in imports_of(source, Path("errors.py"))] == [None]
