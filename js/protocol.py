"""Writes the messages' TypeScript forms from their Python ones: python js/protocol.py

src/protocol.gen.ts from dify_notebook/live/protocol.py, and
src/panel/protocol.gen.ts from messages.py and commands.py in dify_notebook/panel.
"""

from __future__ import annotations

import typing
from pathlib import Path

import msgspec

from dify_notebook.live import protocol as live
from dify_notebook.panel import commands, messages

SOURCES = Path(__file__).parent / "src"

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
PANEL_HEAD = """\
// Written by js/protocol.py from dify_notebook/panel/messages.py and commands.py; do not edit.
// Contents (files, sound) travel as buffers beside a message.
import type { Block, FormState, Packed, Patch } from "../protocol.gen";
"""
ELSEWHERE = {
    live.Patch,
    live.Packed,
    live.FormField,
    live.FormPart,
    live.FormAction,
    live.FormLabels,
    live.FormState,
}
"""What the panel's file imports."""


def type_of(kind: msgspec.inspect.Type, ops: bool = False) -> str:
    """The TypeScript form of the few types that messages use; a list of anything holds operations if `ops`."""
    match kind:
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            return "number"
        case msgspec.inspect.StrType():
            return "string"
        case msgspec.inspect.BoolType():
            return "boolean"
        case msgspec.inspect.NoneType():
            return "null"
        case msgspec.inspect.AnyType():
            return "unknown"
        case msgspec.inspect.Metadata(extra_json_schema={"title": title}):
            return str(title)
        case msgspec.inspect.LiteralType(values=values):
            return " | ".join(f'"{value}"' for value in values)
        case msgspec.inspect.ListType(item_type=msgspec.inspect.AnyType()) if ops:
            return "Op[]"
        case msgspec.inspect.ListType(item_type=item):
            return f"{type_of(item)}[]"
        case msgspec.inspect.DictType(key_type=key, value_type=value):
            return f"Record<{type_of(key)}, {type_of(value)}>"
        case msgspec.inspect.StructType(cls=cls):
            return cls.__name__
        case msgspec.inspect.UnionType(types=types):
            return " | ".join(type_of(each) for each in types)
    raise TypeError(f"no TypeScript for {kind}")


def interface(cls: type[msgspec.Struct], ops: bool = False) -> str:
    """The struct as an interface; what it may leave out is optional."""
    described = msgspec.inspect.type_info(cls)
    assert isinstance(described, msgspec.inspect.StructType)
    lines = [f"export interface {cls.__name__} {{"]
    if described.tag_field:
        lines.append(f'  {described.tag_field}: "{described.tag}";')
    for field in described.fields:
        optional = not field.required and cls.__struct_config__.omit_defaults
        name, kind = field.encode_name, type_of(field.type, ops)
        if optional:
            kind = kind.removesuffix(" | null")
        lines.append(f"  {name}{'?' if optional else ''}: {kind};")
    return "\n".join([*lines, "}"])


def structs_in(kind: msgspec.inspect.Type) -> typing.Iterator[type[msgspec.Struct]]:
    """Every struct that the type is made of, parts before wholes."""
    match kind:
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            for field in fields:
                yield from structs_in(field.type)
            yield cls
        case msgspec.inspect.ListType(item_type=inner) | msgspec.inspect.DictType(value_type=inner):
            yield from structs_in(inner)
        case msgspec.inspect.UnionType(types=types):
            for each in types:
                yield from structs_in(each)


def union(name: str, members: typing.Iterable[type[msgspec.Struct]]) -> str:
    """A type that is one of these."""
    return f"export type {name} = {' | '.join(cls.__name__ for cls in members)};\n"


def source() -> str:
    """The live view's file."""
    kernel, browser = typing.get_args(live.FromKernel), typing.get_args(live.FromBrowser)
    every = dict.fromkeys(
        each for cls in (*kernel, *browser) for each in structs_in(msgspec.inspect.type_info(cls))
    )
    parts = [HEAD, *(interface(cls, ops=cls is live.Patch) + "\n" for cls in every)]
    for name, members in (("FromKernel", kernel), ("FromBrowser", browser)):
        parts.append(union(name, members))
    return "\n".join(parts)


def panel_source() -> str:
    """The panel's file."""
    unions = {name: typing.get_args(getattr(messages, name)) for name in ("SetState", "FromKernel")}
    unions |= {name: typing.get_args(getattr(commands, name)) for name in ("ReplyValue", "FromBrowser")}
    every = dict.fromkeys(
        each
        for members in unions.values()
        for cls in members
        for each in structs_in(msgspec.inspect.type_info(cls))
        if each not in ELSEWHERE
    )
    parts = [PANEL_HEAD, *(interface(cls) + "\n" for cls in every)]
    parts += [union(name, members) for name, members in unions.items()]
    return "\n".join(parts)


if __name__ == "__main__":
    (SOURCES / "protocol.gen.ts").write_text(source(), encoding="utf-8")
    (SOURCES / "panel").mkdir(exist_ok=True)
    (SOURCES / "panel" / "protocol.gen.ts").write_text(panel_source(), encoding="utf-8")
