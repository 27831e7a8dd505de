"""The messages between kernel and browser are described once."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import msgspec
import pytest

from dify_notebook.live.protocol import (
    Close,
    Heard,
    Hello,
    Labels,
    Open,
    Packed,
    Patch,
    Stop,
    pack,
    read,
    unpack,
)

JS = Path(__file__).parents[2] / "js"


def test_typescript_is_up_to_date() -> None:
    generator = runpy.run_path(str(JS / "protocol.py"))
    written = (JS / "src" / "protocol.gen.ts").read_text(encoding="utf-8")
    assert written == generator["source"](), "run: python js/protocol.py"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"kind": "hello", "view": None, "seq": 0}, Hello(None, 0)),
        ({"kind": "hello", "view": 3, "seq": 7}, Hello(3, 7)),
        ({"kind": "stop", "view": 3}, Stop(3)),
        ({"kind": "stop"}, None),
        ({"kind": "stop", "view": "3"}, None),
        ({"kind": "dance", "view": 3}, None),
        ("stop", None),
        (None, None),
    ],
)
def test_what_the_browser_sends(content: object, expected: object) -> None:
    assert read(content) == expected


def test_a_long_patch_travels_packed_and_comes_out_the_same() -> None:
    short, long = (
        Patch(1, 2, [["tail", "", 0, "字"]]),
        Patch(1, 2, [["tail", "", 0, "字😀" * 2000]], base=1, say="x"),
    )
    assert pack(short) is short
    packed = pack(long)
    assert isinstance(packed, Packed)
    assert len(packed.packed) < 500
    assert unpack(packed) == long
    assert unpack(short) is short


def test_the_browser_reads_what_is_packed_here() -> None:
    """js/test/hub.test.ts unpacks the same file."""
    content = json.loads((JS / "test" / "fixtures" / "packed.json").read_text(encoding="utf-8"))
    message = Patch(1, 7, [["set", "", ["r", "p", {}, "字😀" * 800]]], base=0)
    assert unpack(Packed(**content)) == message


def test_what_the_kernel_sends() -> None:
    """The browser tells these apart by `kind`, and patches by having none."""
    assert msgspec.to_builtins(Patch(1, 2, [])) == {"view": 1, "seq": 2, "ops": []}
    assert msgspec.to_builtins(Patch(1, 2, [], base=0, say="x")) == {
        "view": 1,
        "seq": 2,
        "ops": [],
        "base": 0,
        "say": "x",
    }
    assert msgspec.to_builtins(Close(1)) == {"view": 1, "kind": "close"}
    assert msgspec.to_builtins(Heard(1)) == {"view": 1, "kind": "heard"}
    labels = Labels("a", "b", "c", "d", "e")
    assert msgspec.to_builtins(Open(1, True, labels)) == {
        "view": 1,
        "blocking": True,
        "labels": {"stop": "a", "stopping": "b", "queued": "c", "interrupt": "d", "confirm": "e"},
        "kind": "open",
    }
