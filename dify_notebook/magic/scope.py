"""The namespace of the code that calls a magic: `{{ name }}` means what Python would mean by it there.

IPython hands a magic the notebook's variables only. For `run_cell_magic` in a function that is not enough: the
frame of whoever wrote the call is found, and its variables are read without running any of its code.
"""

from __future__ import annotations

import dis
import inspect
import linecache
import os
import sys
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any

import IPython

from ..app.namespace import Namespace

_MAGIC_CALLS = {"run_cell_magic", "run_line_magic", "magic"}
"""How a magic is called from code."""
_PASSING_ON = tuple(
    os.path.normcase(os.path.dirname(file)) + os.sep
    for file in (os.__file__, IPython.__file__, os.path.dirname(__file__))
)
"""Where the code lies that passes calls on: the standard library, IPython, this package."""
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def calling_frame(frame: FrameType | None) -> FrameType | None:
    """From a magic's own frame the one of the code that called it, in which its author wrote.

    Frames of IPython, of this package and of the standard library only pass calls on; those of installed packages
    do where they do not call the magic by its name. None where nobody else is on the stack, as on a new thread.
    """
    while frame is not None and _passes_on(frame.f_code):
        frame = frame.f_back
    return frame


def visible_namespace(frame: FrameType | None, notebook: dict[str, Any]) -> dict[str, Any]:
    """The variables that code in this frame sees: its own, its enclosing functions', its module's, the notebook's.

    Enclosing functions are looked through whether or not the inner one uses the variable. Where such a function has
    returned and its variable was not kept, the name is unbound: what is further out is not taken in its place.

    Args:
        notebook: the notebook's variables. They are given back themselves to code of the notebook's own level.
    """
    if frame is None or (frame.f_globals is notebook and frame.f_locals is notebook):
        return notebook
    outside = {**notebook, **frame.f_globals}
    namespace, code = Namespace(outside, notebook), frame.f_code
    stacks = _call_stacks(frame) if "<locals>" in code.co_qualname else []
    for enclosing in _enclosing(code, frame, stacks):
        namespace.expose_globals(_global_names(enclosing), outside)
        namespace.add_function(_local_names(enclosing), _values(enclosing, stacks), enclosing.co_name)
    namespace.expose_globals(_global_names(code), outside)
    if _is_function(code):
        namespace.add_function((*_local_names(code), *code.co_freevars), frame.f_locals, code.co_name)
    else:
        namespace.add_function(tuple(frame.f_locals), frame.f_locals, code.co_name)
    return namespace


def _passes_on(code: CodeType) -> bool:
    file = os.path.normcase(code.co_filename)
    if any(part in file for part in _INSTALLED) and not file.startswith(_PASSING_ON[1:]):
        return not _MAGIC_CALLS.intersection(code.co_names)
    return file.startswith((*_PASSING_ON, "<frozen ", "<decorator-gen"))


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _call_stacks(frame: FrameType) -> list[list[FrameType]]:
    """The frames in which this one may lie: those of its thread, then those of all threads.

    A lambda that runs in a pool of threads lies in the function that waits for it on another one.
    """
    all_frames = [other for top in sys._current_frames().values() for other in _frames(top)]
    return [list(_frames(frame.f_back)), all_frames]


def _is_function(code: CodeType) -> bool:
    """Whether it has variables of its own, as no module and no class body has."""
    return bool(code.co_flags & inspect.CO_OPTIMIZED)


def _local_names(code: CodeType) -> tuple[str, ...]:
    # The iterator of a comprehension is called .0
    return tuple(name for name in (*code.co_varnames, *code.co_cellvars) if name.isidentifier())


def _global_names(code: CodeType) -> set[str]:
    """The names by which the code means something outside of all functions, declared so or found nowhere else."""
    if not _is_function(code):
        return set()
    instructions = dis.get_instructions(code)
    return {str(each.argval) for each in instructions if each.opname.endswith("_GLOBAL")}


def _enclosing(code: CodeType, frame: FrameType, stacks: list[list[FrameType]]) -> list[CodeType]:
    """The functions around the code, outermost first; none where neither the stacks nor its source tell."""
    if not stacks:
        return []
    codes = dict.fromkeys(each.f_code for stack in stacks for each in stack)
    running = [each for each in codes if each.co_filename == code.co_filename]
    outermost = [each for each in running if "<locals>" not in each.co_qualname]
    nested = [each for each in running if "<locals>" in each.co_qualname]
    for root in (*outermost, _compiled(code.co_filename, frame.f_globals), *reversed(nested)):
        path = _nesting(root, code) if root is not None else None
        if path is not None:
            return [each for each in path if _is_function(each)]
    return []


def _nesting(root: CodeType, code: CodeType) -> list[CodeType] | None:
    """What leads from a code down to one in it: itself first, the code left out."""
    paths = [[root]]
    while paths:
        path = paths.pop()
        for inner in path[-1].co_consts:
            if isinstance(inner, CodeType):
                if _same_code(inner, code):
                    return path
                paths.append([*path, inner])
    return None


def _same_code(code: CodeType, other: CodeType) -> bool:
    """Whether two codes come from the same lines of a source, which may have been compiled twice."""
    return code is other or (
        (code.co_qualname, code.co_firstlineno, code.co_filename, code.co_varnames, code.co_freevars)
        == (other.co_qualname, other.co_firstlineno, other.co_filename, other.co_varnames, other.co_freevars)
    )  # fmt: skip


def _compiled(file: str, module: dict[str, Any]) -> CodeType | None:
    """The source of that file or cell, compiled and not run; None where it is not at hand."""
    source = "".join(linecache.getlines(file, module))
    try:
        return compile(source, file, "exec", PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True) if source else None
    except (SyntaxError, ValueError):  # the file has been changed since
        return None


def _values(code: CodeType, stacks: list[list[FrameType]]) -> dict[str, Any]:
    """The variables of a function's calls that are under way; of several, those on which all agree."""
    values: dict[str, Any] = {}
    per_stack = ([frame.f_locals for frame in stack if _same_code(frame.f_code, code)] for stack in stacks)
    calls: list[Any] = next(filter(None, per_stack), [])
    for name in _local_names(code):
        candidates = [variables[name] for variables in calls if name in variables]
        if candidates and len(candidates) == len(calls) and all(value is candidates[0] for value in candidates):
            values[name] = candidates[0]
    return values
