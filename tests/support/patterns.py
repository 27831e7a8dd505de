"""Every regular expression of the package, how it is used, and texts made to slow it down."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import types
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from re import _parser  # type: ignore[attr-defined]  # what `re` itself parses with
from types import ModuleType
from typing import Any

from support.linear import MOST, cost, growth

import dify_notebook

SCANS = {"search", "sub", "subn", "split", "findall", "finditer"}
ONCE = {"match", "fullmatch"}
ENOUGH = 8_192
"""Characters of the longest text; what takes less than `FLOOR` for that many is no danger."""
FLOOR = 0.004
"""Seconds of CPU."""


@dataclass(frozen=True)
class Found:
    """A pattern, where it stands, and whether it is tried at every place of a text."""

    place: str
    pattern: re.Pattern[Any]
    methods: frozenset[str]


# -- finding them ----------------------------------------------------------------------


def modules() -> Iterator[ModuleType]:
    """All of the package that can be imported here; what needs an extra keeps its import inside functions."""
    yield dify_notebook
    for info in pkgutil.walk_packages(dify_notebook.__path__, "dify_notebook."):
        if not info.name.endswith("__main__"):
            yield importlib.import_module(info.name)


def everything() -> list[Found]:
    """Patterns in globals and classes, and those in calls such as `re.sub("…", …)`."""
    loaded = [module for module in modules() if module.__file__]
    trees = {module.__name__: ast.parse(Path(str(module.__file__)).read_text("utf-8")) for module in loaded}
    uses = {name: _uses(tree) for name, tree in trees.items()}
    found: dict[tuple[Any, int, frozenset[str]], Found] = {}
    for module in loaded:
        here = [*_held(module), *_called(module, trees[module.__name__])]
        for name, pattern, methods in here:
            # One that is not used by its name is handed around: anything may be done with it.
            near = uses[module.__name__].get(name, set()) if name.startswith("_") else set()
            known = methods or frozenset(near.union(*(one.get("." + name, ()) for one in uses.values())) or SCANS)
            one = Found(f"{module.__name__}.{name}", pattern, known)
            found.setdefault((pattern.pattern, pattern.flags, known), one)
    return list(found.values())


def _uses(tree: ast.Module) -> dict[str, set[str]]:
    """Methods that are called on names; on attributes (`clock.TIME`, or a name that was imported) after a dot."""
    found: dict[str, set[str]] = defaultdict(set)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in SCANS | ONCE:
            if isinstance(node.value, ast.Name):
                found[node.value.id].add(node.attr)
                if not node.value.id.startswith("_"):
                    found["." + node.value.id].add(node.attr)
            elif isinstance(node.value, ast.Attribute):
                found["." + node.value.attr].add(node.attr)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):  # a short name for one, or for one of several
            kept = {name.id for name in ast.walk(node.value) if isinstance(name, ast.Name)}
            for name in {part.id for target in node.targets for part in ast.walk(target) if isinstance(part, ast.Name)}:
                for one in kept:
                    found[one] |= found.get(name, set())
    return found


def _held(module: ModuleType) -> Iterator[tuple[str, re.Pattern[Any], frozenset[str]]]:
    seen: set[int] = set()

    def inside(name: str, value: Any, deep: int) -> Iterator[tuple[str, re.Pattern[Any], frozenset[str]]]:
        if isinstance(value, re.Pattern):
            yield name, value, frozenset()
        elif deep and id(value) not in seen:
            seen.add(id(value))
            parts: Iterable[Any] = ()
            if isinstance(value, dict):
                parts = [*value.keys(), *value.values()]
            elif isinstance(value, list | tuple | set | frozenset):
                parts = value
            elif isinstance(value, type) and value.__module__ == module.__name__:
                parts = list(vars(value).values())
            for part in parts:
                yield from inside(name, part, deep - 1)

    for name, value in vars(module).items():
        yield from inside(name, value, 3)


class Unreadable(AssertionError):
    """A pattern that is put together where no test can see it."""


def _called(module: ModuleType, tree: ast.Module) -> Iterator[tuple[str, re.Pattern[Any], frozenset[str]]]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        owner, method = node.func.value, node.func.attr
        if not (isinstance(owner, ast.Name) and owner.id == "re" and method in SCANS | ONCE | {"compile"}):
            continue
        place = f"{module.__name__}:{node.lineno}"
        try:
            said = eval(compile(ast.Expression(node.args[0]), place, "eval"), LOCALS | vars(module))
        except NameError as error:
            if method == "compile":
                continue  # a global made in a loop or by a function: found among the globals
            raise Unreadable(f"{place}: {error}; make the pattern a constant of the module") from error
        flags = 0
        for one in (*node.args[1:], *(word.value for word in node.keywords if word.arg == "flags")):
            told = ast.unparse(one)
            if re.fullmatch(r"re\.[A-Z]+(?: \| re\.[A-Z]+)*", told):
                flags |= eval(told, {"re": re})
        methods = frozenset() if method == "compile" else frozenset({method})
        if methods:
            pattern = said if isinstance(said, re.Pattern) else re.compile(said, flags)
            yield f"line {node.lineno}", pattern, methods


LOCALS: dict[str, Any] = {
    "known": types.SimpleNamespace(id="a1"),
    "first": ("tokyo", "Asia/Tokyo"),
    "edge": r"(?<![a-z])",
    "name": "tokyo",
    "end": r"(?![a-z])",
}
"""Values for the names in patterns that only their function knows, such as an escaped word."""


# -- texts -----------------------------------------------------------------------------

GENERIC = ("a", "1", " ", "\n", "<", "[(", ",1", "`", "|", "\\", "é", "一", "-", ".", "a ", "1 ", "{{", '"', "'", "&x")
TAILS = ("", "\x00", "!\n")


def texts(pattern: re.Pattern[Any]) -> list[tuple[str, str, str]]:
    """(start, what is repeated, end): out of the pattern's own parts, and some that stop many."""
    tree = _parser.parse(pattern.pattern, pattern.flags)
    units: dict[tuple[str, str], None] = {}
    for lead, body in _repeated(tree, ""):
        units[(lead, body)] = None
        units[("", lead + body)] = None
        if lead:
            units[("", lead)] = None
            units[("", lead[-1])] = None
    for unit in GENERIC:
        units[("", unit)] = None
    found = [(lead, unit, tail) for lead, unit in units if unit for tail in TAILS]
    return found[:MOST_TEXTS]


MOST_TEXTS = 400


def _repeated(tree: Any, lead: str) -> Iterator[tuple[str, str]]:
    """What may stand any number of times, with a text that leads there."""
    for op, value in tree:
        name = str(op)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            least, most, inner = value
            if int(most) > 8:
                for body in _samples(inner):
                    yield lead, body
            yield from _repeated(inner, lead)
        elif name == "SUBPATTERN":
            yield from _repeated(value[3], lead)
        elif name == "BRANCH":
            for way in value[1]:
                yield from _repeated(way, lead)
        elif name in ("ASSERT", "ASSERT_NOT"):
            yield from _repeated(value[1], lead)
        elif name == "ATOMIC_GROUP":
            yield from _repeated(value, lead)
        lead = (lead + _samples([(op, value)])[0])[-40:]


def _samples(tree: Any) -> list[str]:
    """A few texts that fit."""
    made = [""]
    for op, value in tree:
        name, here = str(op), [""]
        if name == "LITERAL":
            here = [chr(value)]
        elif name == "NOT_LITERAL":
            here = [next(sign for sign in "a1 " if ord(sign) != value)]
        elif name == "ANY":
            here = ["a"]
        elif name == "IN":
            here = _signs(value)
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            here = [one * max(int(value[0]), 1) for one in _samples(value[2])]
            if int(value[0]) == 0:
                here = [*here, ""]
        elif name == "SUBPATTERN":
            here = _samples(value[3])
        elif name == "ATOMIC_GROUP":
            here = _samples(value)
        elif name == "BRANCH":
            here = [one for way in value[1][:12] for one in _samples(way)[:2]]
        made = [(one + other) for one in made for other in here[:24]][:24]
    return made


_CATEGORIES = {"CATEGORY_DIGIT": "1", "CATEGORY_WORD": "a1_", "CATEGORY_SPACE": " \n", "CATEGORY_NOT_SPACE": "a-",
               "CATEGORY_NOT_WORD": "- ", "CATEGORY_NOT_DIGIT": "a"}  # fmt: skip


def _signs(parts: Any) -> list[str]:
    found: list[str] = []
    negated = bool(parts) and str(parts[0][0]) == "NEGATE"
    for op, value in parts:
        name = str(op)
        if name == "LITERAL":
            found.append(chr(value))
        elif name == "RANGE":
            found += [chr(value[0]), chr(value[1])]
        elif name == "CATEGORY":
            found += list(_CATEGORIES.get(str(value), "a"))
    if not negated:
        return found[:12]
    no = set(found)
    return [sign for sign in "a1 [<(\"'{`*-\n" if sign not in no][:6] or ["é"]


# -- measuring -------------------------------------------------------------------------


def calls(found: Found) -> list[Callable[[Any], object]]:
    """What the package does with it."""
    pattern = found.pattern
    made: list[Callable[[Any], object]] = []
    if found.methods & SCANS:
        made.append(lambda text: pattern.sub(lambda match: match[0], text))
    if "match" in found.methods:
        made.append(pattern.match)
    if "fullmatch" in found.methods:
        made.append(pattern.fullmatch)
    return made


def made(lead: str, unit: str, tail: str, length: int, kind: type) -> Any:
    text = lead + unit * max(length // len(unit), 1) + tail
    return text.encode("utf-8", "replace") if kind is bytes else text


def grows(call: Callable[[Any], object], kind: type, text: tuple[str, str, str]) -> tuple[int, float] | None:
    """Length and growth where a call grows faster than its text; else None.

    It goes up by doubling, so that one that grows by powers is seen before it holds up the test.
    """
    length = 16
    while cost(call, made(*text, length, kind)) < FLOOR:
        length *= 2
        if length > ENOUGH:
            return None
    # From here each size costs something that can be measured, and one that grows by powers costs too much.
    doubled = cost(call, made(*text, 2 * length, kind))
    if doubled > 100 * FLOOR:
        return length, doubled / FLOOR
    found = growth(lambda size: made(*text, size, kind), call, length, tries=6)
    return (length, found) if found > MOST else None
