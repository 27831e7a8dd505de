"""The messages between kernel and browser of a chat panel are described once."""

from __future__ import annotations

import runpy
from pathlib import Path

import msgspec
import pytest

from dify_notebook.panel.commands import Ask, Copy, Hello, Rate, ReadOn, Stop, Submit, Upload, read
from dify_notebook.panel.messages import Heard, Problem, Queued, Reply, SetQueue

JS = Path(__file__).parents[2] / "js"


def test_typescript_is_up_to_date() -> None:
    generator = runpy.run_path(str(JS / "protocol.py"))
    written = (JS / "src" / "panel" / "protocol.gen.ts").read_text(encoding="utf-8")
    assert written == generator["panel_source"](), "run: python js/protocol.py"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"kind": "do", "id": 7, "what": "hello", "lang": ["zh"], "have": 0}, Hello(id=7, lang=["zh"], have=0)),
        ({"kind": "do", "id": 7, "what": "stop"}, Stop(id=7)),
        ({"kind": "do", "id": 7, "what": "stop", "later": True}, Stop(id=7)),
        (
            {"kind": "do", "id": 7, "what": "ask", "query": "q", "inputs": {"a": 1}, "files": []},
            Ask(id=7, query="q", inputs={"a": 1}, files=[]),
        ),
        ({"kind": "do", "id": 7, "what": "copy", "key": "a", "as": "cell"}, Copy(id=7, key="a", as_="cell")),
        (
            {"kind": "do", "id": 7, "what": "rate", "key": "a", "rating": None, "comment": None},
            Rate(id=7, key="a", rating=None, comment=None),
        ),
        (
            {"kind": "do", "id": 7, "what": "submit", "key": "a", "form": "p", "action": "0", "inputs": {"0": "x", "1": ["u"]}},
            Submit(id=7, key="a", form="p", action="0", inputs={"0": "x", "1": ["u"]}),
        ),
        ({"kind": "do", "id": 7, "what": "submit", "key": "a", "form": "p", "action": "0", "inputs": {"0": {}}}, None),
        ({"kind": "do", "id": 7, "what": "read_on", "key": "a"}, ReadOn(id=7, key="a")),
        (
            {"kind": "do", "id": 7, "what": "upload", "upload": "u", "name": "n", "type": "t", "size": 1, "field": None},
            Upload(id=7, upload="u", name="n", type="t", size=1, field=None, form=None),
        ),
        ({"kind": "do", "id": 7, "what": "rate", "key": "a", "rating": "great", "comment": None}, None),
        ({"kind": "do", "what": "stop"}, None),
        ({"kind": "do", "id": "7", "what": "stop"}, None),
        ({"kind": "do", "id": 7, "what": "dance"}, None),
        ({"id": 7}, None),
        ("stop", None),
        (None, None),
    ],
)
def test_what_the_browser_sends(content: object, expected: object) -> None:
    assert read(content) == expected


def test_what_the_kernel_sends() -> None:
    """Every message says its kind and number; nothing that is null is left out."""
    assert msgspec.to_builtins(Heard(n=3, id=7)) == {"kind": "heard", "n": 3, "id": 7}
    assert msgspec.to_builtins(SetQueue(n=4, value=[Queued("1", "q")])) == {
        "kind": "state",
        "part": "queue",
        "n": 4,
        "value": [{"id": "1", "query": "q"}],
    }
    reply = msgspec.to_builtins(Reply(n=5, id=7, ok=False, error=Problem("no")))
    assert reply == {
        "kind": "reply",
        "n": 5,
        "id": 7,
        "ok": False,
        "value": None,
        "error": {"message": "no", "hint": None},
    }
