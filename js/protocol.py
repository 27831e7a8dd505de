"""Writes src/protocol.gen.ts from dify_notebook/live/protocol.py: python js/protocol.py"""

from __future__ import annotations

import typing
from pathlib import Path

import msgspec

from dify_notebook.live import protocol

TARGET = Path(__file__).parent / "src" / "protocol.gen.ts"

HEAD = """\
// Written by js/protocol.py from dify_notebook/live/protocol.py; do not edit.

export type Attrs = Record<string, string>;
/** key, tag, attributes, and either inner HTML or children. */
export type Block = [key: string, tag: string, attrs: Attrs, body: string | Block[]];
/** See dify_notebook/views/diff.py. */
export type Op =
  | ["set", string, Block]
  | ["attrs", string, Attrs]
  | ["tail", string, number, string]
  | ["cut", string, number]
  | ["push", string, Block[]];
"""


def type_of(kind: msgspec.inspect.Type) -> str:
    """The TypeScript form of the few types that messages use."""
    match kind:
        case msgspec.inspect.IntType():
            return "number"
        case msgspec.inspect.StrType():
            return "string"
        case msgspec.inspect.BoolType():
            return "boolean"
        case msgspec.inspect.NoneType():
            return "null"
        case msgspec.inspect.LiteralType(values=values):
            return " | ".join(f'"{value}"' for value in values)
        case msgspec.inspect.ListType():
            return "Op[]"
        case msgspec.inspect.StructType(cls=cls):
            return cls.__name__
        case msgspec.inspect.UnionType(types=types):
            return " | ".join(type_of(each) for each in types)
    raise TypeError(f"no TypeScript for {kind}")


def interface(cls: type[msgspec.Struct]) -> str:
    """The struct as an interface; what it may leave out is optional."""
    described = msgspec.inspect.type_info(cls)
    assert isinstance(described, msgspec.inspect.StructType)
    lines = [f"export interface {cls.__name__} {{"]
    if described.tag_field:
        lines.append(f'  {described.tag_field}: "{described.tag}";')
    for field in described.fields:
        optional = not field.required and cls.__struct_config__.omit_defaults
        name, kind = field.encode_name, type_of(field.type)
        if optional:
            kind = kind.removesuffix(" | null")
        lines.append(f"  {name}{'?' if optional else ''}: {kind};")
    return "\n".join([*lines, "}"])


def source() -> str:
    """The whole file."""
    kernel, browser = typing.get_args(protocol.FromKernel), typing.get_args(protocol.FromBrowser)
    parts = [HEAD, *(interface(cls) + "\n" for cls in (protocol.Labels, *kernel, *browser))]
    for name, members in (("FromKernel", kernel), ("FromBrowser", browser)):
        parts.append(f"export type {name} = {' | '.join(cls.__name__ for cls in members)};\n")
    return "\n".join(parts)


if __name__ == "__main__":
    TARGET.write_text(source(), encoding="utf-8")
