"""Writes `Dify` from `AsyncDify`: python tests/support/sync_client.py

dify_notebook/net/sync.py gets a class for each class of calls, a method for each of its public methods, with the same
signature and docstring. What a method gives says how it is called: see `RETURNS`. What is written by hand is
dify_notebook/net/sync_base.py.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).parents[2]
NET = ROOT / "dify_notebook" / "net"

HEAD = '''\
"""`Dify`: the same as `AsyncDify` for code that does not await.

Every call runs on the portal's loop, in a thread of its own, so it works inside a
notebook whose kernel has a running loop. There is no second implementation of anything.

Written by tests/support/sync_client.py from the async classes; do not edit.
"""
'''
CLIENT = '''\
    """One app of one Dify server, for plain calls.

    dify = Dify(api_key="app-...", base_url="https://dify.example.com")
    print(dify.chat.send("hi").answer)

'''
"""How the docstring of `Dify` begins; arguments and errors are those of `AsyncDify`."""

RETURNS = {
    "AsyncPages": ("Pages", "return Pages({})"),
    "AsyncGenerator": ("Iterator", "return iterate({})"),
    "ChatStream": ("Stream", "return Stream({})"),
    "Collecting": ("History", "return {}.now()"),
    "MapRun": ("pd.DataFrame", "return {}.now()"),
    "AsyncDify": ("Dify", "return Dify.wrap({})"),
}
"""What a method gives without being awaited -> what the plain one gives, and how it is made of the call."""

AWAITED = re.compile(r"\b(Async\w+|AbstractAsync\w+|Awaitable|Coroutine|ChatStream|Collecting|MapRun|Self)\b")
"""What no plain method may give."""

REWORDED = {
    "async with ": "with ",
    "await ": "",
    "AsyncDify": "Dify",
    "What is awaited has `.history`, too: what has come so far, after an interruption as well.": (
        "An Interrupt ends it early, and what has come is given back; the notes say so."
    ),
    "What is awaited has `.frame`, too: what has come so far, after an interruption as well.": (
        "An Interrupt ends it early, and what has come is given back; the other rows say so in `error`."
    ),
}
"""What docstrings of plain methods say instead."""

EXTRA_IMPORTS = {
    "AsyncDify": "from .client import AsyncDify",
    "Iterator": "from collections.abc import Iterator",
    "pd": "import pandas as pd",
    "portal": "from .portal import portal",
    **{name: f"from .sync_base import {name}" for name in ("Client", "Group", "Pages", "iterate")},
    "Stream": "from .sync_base import Stream as Stream",
}
"""Imports that the async modules do not have. For type checkers, too, `sync` is where a plain stream comes from."""

Method = ast.FunctionDef | ast.AsyncFunctionDef


class Module:
    """A module of async classes.

    Attributes:
        imports: the statement that gives a name, wherever it stands.
    """

    def __init__(self, name: str) -> None:
        self.text = (NET / f"{name}.py").read_text(encoding="utf-8")
        self._lines = self.text.splitlines()
        tree = ast.parse(self.text)
        self.classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        self.imports = {given: statement for node in ast.walk(tree) for given, statement in imported(node)}

    def written(self, node: ast.stmt) -> str:
        """The lines where it stands, indented as they are."""
        return "\n".join(self._lines[node.lineno - 1 : node.end_lineno])

    def header(self, method: Method, returns: str) -> str:
        """The lines before the body, with another return type."""
        first = min(each.lineno for each in [method, *method.decorator_list])
        head = "\n".join(self._lines[first - 1 : method.body[0].lineno - 1])
        return f"{head.rpartition('->')[0].replace('async def ', 'def ')}-> {returns}:"

    def docstring(self, node: Method | ast.ClassDef) -> str:
        """The docstring as it is written, in the words of who does not await."""
        text = self.written(node.body[0])
        for phrase, plain in REWORDED.items():
            text = text.replace(phrase, plain)
        return text


def imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Names that an import statement gives, each with a statement for it alone."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            statement = ast.Import([alias])
            bound = statement if isinstance(node, ast.Import) else ast.ImportFrom(node.module, [alias], node.level)
            yield alias.asname or alias.name, ast.unparse(bound)


def returned_type(method: Method) -> str:
    """The type that calling it gives, or awaiting what it gives; without parameters."""
    kind = method.returns.value if isinstance(method.returns, ast.Subscript) else method.returns
    return "" if kind is None else ast.unparse(kind)


def plain_type(method: Method) -> str:
    """What the plain method says that it returns."""
    returns, kind = method.returns, returned_type(method)
    assert returns is not None, method.name
    annotation = ast.unparse(returns)
    if kind in RETURNS:
        annotation = RETURNS[kind][0]
        if isinstance(returns, ast.Subscript):
            items = returns.slice.elts[0] if isinstance(returns.slice, ast.Tuple) else returns.slice
            annotation += f"[{ast.unparse(items)}]"
    assert not AWAITED.search(annotation), f"{method.name} gives {annotation}, which has no plain face"
    return annotation


def arguments(method: Method) -> str:
    """What the method was given, to be handed on."""
    signature = method.args
    assert signature.vararg is None, method.name
    parts = [arg.arg for arg in [*signature.posonlyargs, *signature.args][1:]]
    parts += [f"{arg.arg}={arg.arg}" for arg in signature.kwonlyargs]
    parts += [f"**{signature.kwarg.arg}"] if signature.kwarg else []
    return ", ".join(parts)


def plain(module: Module, method: Method, of: str) -> str:
    """The method that calls the same of the async object `of`."""
    assert ast.get_docstring(method), f"{method.name} has no docstring"
    kind = returned_type(method)
    awaited = isinstance(method, ast.AsyncFunctionDef) and kind in RETURNS.keys() - {"AsyncGenerator"}
    assert not awaited, f"{method.name} gives {kind} only when it is awaited"
    decorators = [ast.unparse(each) for each in method.decorator_list]
    call = f"{of}.{method.name}" + ("" if decorators == ["property"] else f"({arguments(method)})")
    if decorators == ["classmethod"]:
        assert (of, kind) == ("self.as_async", "AsyncDify"), f"{method.name}: a classmethod makes a client"
        body = f"return cls.wrap(AsyncDify.{method.name}({arguments(method)}))"
    elif kind in RETURNS:
        body = RETURNS[kind][1].format(call)
    elif isinstance(method, ast.AsyncFunctionDef):
        body = f"{'' if kind == 'None' else 'return '}portal().call({call})"
    else:
        body = f"return {call}"
    return f"{module.header(method, plain_type(method))}\n{module.docstring(method)}\n        {body}\n"


def is_call(node: ast.stmt) -> TypeGuard[Method]:
    """Whether it is something that users call; what is entered with `async with` has no plain form.

    `Client.close`, which `with` needs, is written by hand.
    """
    if not isinstance(node, Method) or node.name.startswith("_") or node.name == "aclose":
        return False
    decorators = {ast.unparse(each) for each in node.decorator_list}
    assert decorators <= {"property", "classmethod", "asynccontextmanager"}, f"{node.name}: {decorators}"
    return "asynccontextmanager" not in decorators


def group(module: Module, name: str, attribute: str) -> str:
    """The plain class of a group of calls."""
    kind = module.classes[name]
    calls = [plain(module, node, f"self._dify.{attribute}") for node in kind.body if is_call(node)]
    return "\n".join([f"class {name.removeprefix('Async')}(Group):\n{module.docstring(kind)}\n", *calls])


def client(module: Module, groups: dict[str, str]) -> str:
    """`Dify`. It is made of an `AsyncDify`, whose keys are hidden first: a traceback shows what a frame holds."""
    kind = module.classes["AsyncDify"]
    doc = module.docstring(kind)
    init = next(node for node in kind.body if isinstance(node, Method) and node.name == "__init__")
    hidden = max(at for at, node in enumerate(init.body, 1) if "hide" in module.written(node))
    parts = [
        "class Dify(Client):",
        CLIENT + doc[doc.index("    Args:") :] + "\n",
        module.header(init, "None"),
        *(module.written(node) for node in init.body[:hidden]),
        f"        self._start(AsyncDify({arguments(init)}))\n",
        "    def _start(self, dify: AsyncDify) -> None:",
        "        super()._start(dify)",
        *(f"        self.{attribute} = {name.removeprefix('Async')}(dify)" for attribute, name in groups.items()),
        "",
        *(plain(module, node, "self.as_async") for node in kind.body if is_call(node)),
    ]
    return "\n".join(parts)


def groups_of(module: Module) -> dict[str, str]:
    """The groups of calls by attribute: `self.chat = AsyncChat(self)`."""
    groups = {}
    for node in ast.walk(module.classes["AsyncDify"]):
        match node:
            case ast.Assign(targets=[ast.Attribute(attr=attribute)], value=ast.Call(func=ast.Name(id=name))):
                if name in module.imports and name.startswith("Async"):
                    groups[attribute] = name
    return groups


def imports(body: str, modules: list[Module]) -> str:
    """The imports that the classes need, those of annotations for type checkers alone; ruff takes out hidden names."""
    known = {name: statement for module in modules for name, statement in module.imports.items()} | EXTRA_IMPORTS
    tree = ast.parse(body)
    typed = [getattr(node, name, None) for node in ast.walk(tree) for name in ("annotation", "returns")]
    annotations = {id(node) for each in typed if each is not None for node in ast.walk(each)}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in known]
    run = {known[name.id] for name in names if id(name) not in annotations}
    checked = {known[name.id] for name in names} - run
    lines = ["from __future__ import annotations", "from typing import TYPE_CHECKING", *sorted(run)]
    return "\n".join([*lines, "if TYPE_CHECKING:", *(f"    {statement}" for statement in sorted(checked))])


def source() -> str:
    """The file, in ruff's form."""
    asynchronous = Module("client")
    groups = groups_of(asynchronous)
    homes = {name: Module(asynchronous.imports[name].split()[1].removeprefix(".")) for name in groups.values()}
    modules = [asynchronous, *homes.values()]
    unused = [phrase for phrase in REWORDED if not any(phrase in module.text for module in modules)]
    assert not unused, "no docstring says that"
    classes = [group(homes[name], name, attribute) for attribute, name in groups.items()]
    body = "\n\n".join([client(asynchronous, groups), *classes])
    text = f"{HEAD}\n{imports(body, modules)}\n\n\n{body}"
    for command in (["check", "--select", "I,F401", "--fix", "--quiet"], ["format"]):
        run = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(NET / "sync.py"), "-"]
        result = subprocess.run(
            run, input=text, capture_output=True, text=True, encoding="utf-8", cwd=ROOT, check=False
        )
        if result.returncode:
            raise SystemExit(f"{' '.join(command)}: {result.stderr or result.stdout}")
        text = result.stdout
    return text


if __name__ == "__main__":
    (NET / "sync.py").write_text(source(), encoding="utf-8")
