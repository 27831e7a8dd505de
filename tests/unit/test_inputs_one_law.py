"""One table of values: a cell, a panel and Python send the same of each, or refuse it with the same code."""

from __future__ import annotations

import json
import uuid
from collections import UserString
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from itertools import product
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from support.panels import Browser
from support.provenance import App, World, counted

from dify_notebook import AsyncDify, Session, run
from dify_notebook.app.controls import TEXTS
from dify_notebook.app.entry_points import CELL, PANEL, PYTHON, EntryPoint, as_input_error
from dify_notebook.app.files import FileInput, Pattern
from dify_notebook.app.known import KnownApp
from dify_notebook.app.origin import Filled, Origin, Value
from dify_notebook.errors import InputError
from dify_notebook.turn.state import Turn
from dify_notebook.wire.kinds import CONTROLS as CONTROLS_TOLD
from dify_notebook.wire.models import Parameters

CONTROLS: list[tuple[str, str, dict[str, Any]]] = [
    ("text-input", "must", {"required": True}),
    ("text-input", "text", {"max_length": 12}),
    ("paragraph", "long", {}),
    ("select", "tone", {"options": ["formal", "casual", "1"]}),
    ("number", "age", {"max_length": 3}),
    ("checkbox", "ok", {}),
    ("json_object", "data", {}),
    ("json", "more", {}),
    ("file", "doc", {}),
    ("file-list", "docs", {"max_length": 2}),
    ("external_data_tool", "tool", {"required": True}),
    ("api", "hook", {}),
    ("number", "full", {"required": True, "default": "5"}),
    ("colour", "later", {}),
]
FORM = [
    {kind: {"variable": name, "label": name.title(), "required": False, **more}} for kind, name, more in CONTROLS
]


class Colour(Enum):
    RED = "formal"


class Word(str, Enum):  # noqa: UP042  (the older way, which prints itself otherwise)
    YES = "yes"


class Level(IntEnum):
    HIGH = 3


class Loud(str):
    def __str__(self) -> str:
        return "LOUD"


@dataclass
class Point:
    x: int
    y: Decimal


class Left(NamedTuple):
    """Nothing of it is sent."""


LEFT, REFUSED = Left(), "input"
ID = uuid.UUID("12345678-1234-5678-1234-567812345678")
ADDRESS = "https://h.example/a.pdf"
NAMED = {"type": "document", "transfer_method": "remote_url", "url": ADDRESS}
UPLOAD = {"type": "document", "transfer_method": "local_file", "upload_file_id": "up-9"}
NANOSECOND = np.datetime64("2024-01-31T09:00:00.000000001")
FRAME = pd.DataFrame({"a": [1, None], "b": ["x", "y"]})
NUMBERS_AS_TEXT = [("42", 42), (" 3.5 ", 3.5), ("3.0", 3.0), ("-0", 0), ("1e3", 1000), ("+7", 7), ("１２", 12), ("007", 7)]
NO_NUMBERS = ["many", "nan", "inf", "1,5", "1 000", "0x10", "½", "1e999999", "9" * 400, "3.14159265358979323846"]
YES: list[Any] = ["yes", " Yes ", "TRUE", "y", "on", "1", "是", 1, 1.0, True, np.bool_(True), np.int64(1), Word.YES]
NO: list[Any] = ["no", "False", "n", "off", "0", "否", 0, 0.0, False, np.bool_(False), Decimal(0)]

NEITHER: list[Any] = ["maybe", 2, -1, [True], {}, 0.5, float("nan"), "10", date(2024, 1, 1)]

TEXT: list[tuple[Any, Any]] = [
    ("Lyon", "Lyon"), ("", ""), (" a ", " a "), ("x" * 12, "x" * 12), ("x" * 13, REFUSED), (7, "7"), (True, "true"),
    (3.0, "3.0"), ([1, "à"], '[1, "à"]'), ((1, 2), "[1, 2]"), ({2, 1}, "[1, 2]"), ({"k": 1}, '{"k": 1}'),
    (None, LEFT), (float("nan"), REFUSED), (pd.NA, REFUSED), (pd.NaT, REFUSED), (np.datetime64("NaT"), REFUSED),
    (np.ma.masked, REFUSED), (float("inf"), REFUSED), (Decimal("Infinity"), REFUSED), (Decimal("sNaN"), REFUSED),
    (Decimal("10.50"), "10.50"), (date(2024, 1, 31), "2024-01-31"), (time(9, 5), "09:05:00"), (Colour.RED, "formal"),
    (Word.YES, "yes"), (Level.HIGH, "3"), (np.str_("é"), "é"), (Loud("soft"), "soft"), (np.int64(3), "3"),
    (np.float64(0.1), "0.1"), (timedelta(hours=1), "PT3600S"), (np.timedelta64(2, "s"), "PT2S"), (Fraction(1, 3), "1/3"),
    (PurePosixPath("a/b"), "a/b"), (np.datetime64("2024-01"), "2024-01"), (Turn(answer="hi"), "hi"), (Turn(), REFUSED),
    (b"x", REFUSED), (object(), REFUSED), (print, REFUSED), (iter([1]), REFUSED), ("half \ud83d", REFUSED),
    ("\ud83d\ude00", "😀"), (["\ud83d"], REFUSED), (10**5000, REFUSED), (np.array([1, 2]), "[1, 2]"),
]  # fmt: skip
LONG: list[tuple[Any, Any]] = [
    ([1, None], "[1, null]"), ([{"a": float("nan")}], REFUSED), ([Decimal("1.10")], '["1.10"]'),
    (datetime(2024, 1, 31, 9, tzinfo=UTC), "2024-01-31T09:00:00+00:00"), (ID, str(ID)), (FRAME, "a,b\n1.0,x\n,y\n"),
    (pd.Timestamp("2024-01-31 09:00:00.000000001", tz="UTC"), "2024-01-31T09:00:00.000000001+00:00"), (FRAME["b"], "b\nx\ny\n"),
    (pd.Timedelta(1, "ns"), "P0DT0H0M0.000000001S"), (pd.Timedelta(2, "s"), "PT2S"), (pd.Period("2024-01", "M"), "2024-01"),
    (np.array(["2024-01-31"], dtype="M8[ns]"), '["2024-01-31T00:00:00.000000000"]'), (np.array([None], dtype="M8[ns]"), REFUSED),
    (np.array("2024-01-31", dtype="M8[ns]"), "2024-01-31T00:00:00.000000000"), (np.timedelta64(-1500, "ns"), "-PT0.0000015S"),
    (np.array([2, 3], dtype="m8[ns]"), '["PT0.000000002S", "PT0.000000003S"]'), (np.timedelta64(5, "Y"), "P5Y"),
    (np.array([(1, "2024-01-31")], dtype=[("n", "i4"), ("t", "M8[ns]")]), '[{"n": 1, "t": "2024-01-31T00:00:00.000000000"}]'),
    (np.array([(1, "a")], dtype=[("n", "i4"), ("w", "U1")])[0], '{"n": 1, "w": "a"}'), (UserString("soft"), "soft"),
    (pd.array([1, 2]), "[1, 2]"), (pd.array([1, None]), REFUSED), (pd.arrays.SparseArray([0, 1]), "[0, 1]"),
    (np.longdouble("1.5"), "1.5"), (Point(1, Decimal("2.50")), '{"x": 1, "y": "2.50"}'), ("x" * 5_000, "x" * 5_000),
    (Decimal("0.1234567890123456789"), "0.1234567890123456789"), (MappingProxyType({"k": (1,)}), '{"k": [1]}'),
    (np.array([NANOSECOND]), '["2024-01-31T09:00:00.000000001"]'), (np.array(NANOSECOND), "2024-01-31T09:00:00.000000001"),
    (np.array([(1, NANOSECOND)], dtype="i4,M8[ns]"), '[{"f0": 1, "f1": "2024-01-31T09:00:00.000000001"}]'),
    (np.array([[1500]], "m8[ns]"), '[["PT0.0000015S"]]'), (np.array([3_600_000_000_000], "m8[ns]"), '["PT3600S"]'),
    (np.timedelta64(-1, "ns"), "-PT0.000000001S"), (np.timedelta64(5, "M"), "P5M"), (np.array(["NaT"], "M8[ns]"), REFUSED),
    (np.array([float("nan")]), REFUSED), (pd.array([1, None]), REFUSED), (np.ma.array([1, 2], mask=[False, True]), REFUSED),
]  # fmt: skip
NUMBER: list[tuple[Any, Any]] = [
    *NUMBERS_AS_TEXT, *[(text, REFUSED) for text in NO_NUMBERS],
    (3, 3), (3.5, 3.5), (np.int64(3), 3), (np.float32(0.5), 0.5), (np.array(4), 4), (Level.HIGH, 3), (10**30, 10**30),
    (Decimal("3"), 3), (Decimal("0.10"), 0.1), (Decimal("1E+3"), 1000), (Decimal("12345678901234567.89"), REFUSED),
    (np.longdouble("1.5"), 1.5), (Decimal("12345678901234567890.0"), 12345678901234567890), (Decimal("1E-400"), REFUSED),
    (True, REFUSED), (np.bool_(True), REFUSED), ([1], REFUSED), ({}, REFUSED), (date(2024, 1, 1), REFUSED), (1j, REFUSED),
    (None, LEFT), ("", LEFT), ("  ", LEFT), (float("nan"), REFUSED), (pd.NA, REFUSED), (float("inf"), REFUSED), (10**400, REFUSED),
]  # fmt: skip
DATA: list[tuple[Any, Any]] = [
    ({"k": [1]}, {"k": [1]}), ('{"k": [1]}', {"k": [1]}), ({"k": (1,)}, {"k": [1]}), ({1: "a"}, {"1": "a"}), ({}, {}),
    ({"n": np.int64(1), "d": Decimal("1.10")}, {"n": 1, "d": 1.1}), (Point(1, Decimal(2)), {"x": 1, "y": 2}),
    ({"t": datetime(2024, 1, 31), "e": Colour.RED, "u": ID}, {"t": "2024-01-31T00:00:00", "e": "formal", "u": str(ID)}),
    ({"none": None}, {"none": None}), ({"nan": float("nan")}, REFUSED), ({"d": Decimal("12345678901234567.89")}, REFUSED),
    ({1: "a", "1": "b"}, REFUSED), ('{"n": NaN}', REFUSED), ("{", REFUSED), ("[1]", REFUSED), ([1], REFUSED), (7, REFUSED),
    ("", LEFT), (None, LEFT), ({"b": b"x"}, REFUSED),
]  # fmt: skip
FILES: list[tuple[str, Any, Any]] = [
    ("doc", ADDRESS, NAMED), ("doc", UPLOAD, UPLOAD), ("doc", [UPLOAD], UPLOAD), ("doc", "a.pdf", REFUSED), ("doc", 7, REFUSED),
    ("doc", [UPLOAD, UPLOAD], REFUSED), ("doc", "", LEFT), ("doc", [], LEFT), ("doc", None, LEFT), ("docs", [], LEFT),
    ("docs", [ADDRESS, UPLOAD], [NAMED, UPLOAD]), ("docs", UPLOAD, [UPLOAD]), ("docs", [UPLOAD] * 3, REFUSED),
    ("docs", ["a.pdf"], REFUSED), ("docs", {"a.pdf"}, REFUSED),
]  # fmt: skip
OTHER: list[tuple[str, Any, Any]] = [
    ("tone", "formal", "formal"), ("tone", Colour.RED, "formal"), ("tone", 1, "1"), ("tone", np.int8(1), "1"),
    ("tone", "formel", REFUSED), ("tone", ["formal"], REFUSED), ("tone", True, REFUSED), ("tone", "", LEFT), ("tone", None, LEFT),
    ("must", "", ""), ("must", None, REFUSED), ("must", float("nan"), REFUSED),
    ("full", None, 5), ("full", "", 5), ("full", "6", 6), ("full", "six", REFUSED),
    ("tool", "", ""), ("tool", None, LEFT),
    ("later", 7, 7), ("later", [1, {"k": Decimal("0.5")}], [1, {"k": 0.5}]), ("later", "x", "x"), ("later", {1, 2}, [1, 2]),
    ("later", float("nan"), REFUSED), ("later", [float("nan")], REFUSED), ("later", b"x", {**UPLOAD, "type": "custom"}),
]  # fmt: skip
TABLE: list[tuple[str, Any, Any]] = [
    *(("text", value, sent) for value, sent in TEXT),
    *(("long", value, sent) for value, sent in LONG),
    *(("age", value, sent) for value, sent in NUMBER),
    *(("ok", value, True) for value in YES),
    *(("ok", value, False) for value in NO),
    *(("ok", value, REFUSED) for value in NEITHER),
    *(("ok", value, LEFT) for value in ("", " ", None)),
    *(("data", value, sent) for value, sent in DATA),
    *FILES,
    *OTHER,
]


class Doors:
    """The ways to give inputs to one app; each gives the code of what it was refused with, or ""."""

    def __init__(self, world: World, page: Browser) -> None:
        self.world, self.page = world, page
        self.waits = AsyncDify(world.dify.settings.api_key, world.server.url, "me")

    def expression(self, inputs: dict[str, Any]) -> str:
        words = " ".join(f"-i {name}:=its_{name}" for name in inputs)
        return self.world.cell(f"--new {words}", **{f"its_{name}": one for name, one in inputs.items()}).partition(":")[0]

    def variable(self, inputs: dict[str, Any]) -> str:
        return self.world.cell("--new --inputs d", d=inputs).partition(":")[0]

    def panel(self, inputs: dict[str, Any]) -> str:
        self.page.panel.new()
        return code_of(lambda: self.page.panel.ask("hi", inputs=inputs).result(20))

    def form(self, inputs: dict[str, Any]) -> str:
        self.page.panel.new()
        reply, _ = self.page.reply(self.page.send("ask", query="hi", inputs=inputs, files=[]))
        if reply["ok"]:
            self.page.until(lambda: not self.page.parts["status"]["running"], "the end")
        return "" if reply["ok"] else REFUSED

    def python(self, inputs: dict[str, Any]) -> str:
        return code_of(lambda: self.world.dify.chat.send("hi", inputs=inputs))

    def session(self, inputs: dict[str, Any]) -> str:
        return code_of(lambda: Session(self.world.dify).ask("hi", inputs=inputs).raise_for_status())

    def waited(self, inputs: dict[str, Any]) -> str:
        return code_of(lambda: run(self.waits.chat.send("hi", inputs=inputs, response_mode="blocking")))


def code_of(work: Callable[[], object]) -> str:
    try:
        work()
    except InputError as error:
        return error.code
    return ""


@pytest.fixture(scope="module")
def doors() -> Iterator[Doors]:
    app = App("text-input")
    app.form = FORM
    with pytest.MonkeyPatch.context() as patch, counted(app) as world, world.panel(patch, known=True) as page:
        found = Doors(world, page)
        yield found
        run(found.waits.aclose())


def cases() -> Iterator[Any]:
    """Each row through each door; a browser sends JSON, and names files by its uploads."""
    for number, (name, value, sent) in enumerate(TABLE):
        for door in ("expression", "variable", "panel", "form", "python", "session", "waited"):
            if door != "form" or (native(value) and name not in ("doc", "docs")):
                yield pytest.param(door, name, value, sent, id=f"{name}-{number}-{door}")


def native(value: Any) -> bool:
    """Whether a browser could send it."""
    if type(value) not in (str, int, float, bool, list, dict) or value is None:
        return False
    try:
        json.dumps(value, allow_nan=False).encode()
        json.dumps(value, ensure_ascii=False).encode()
    except (TypeError, ValueError):
        return False
    return bool(json.loads(json.dumps(value)) == value)


@pytest.mark.parametrize(("door", "name", "value", "sent"), list(cases()))
def test_every_door_sends_the_same(doors: Doors, door: str, name: str, value: Any, sent: Any) -> None:
    asked = doors.world.app.questions
    asked.clear()
    refused = getattr(doors, door)({"must": "m", name: value})
    if sent is REFUSED:
        assert (refused, asked) == (REFUSED, [])
        return
    assert refused == ""
    [question] = asked
    found = question["inputs"].get(name, LEFT)
    if isinstance(found, dict) and found.get("upload_file_id", "").startswith("up-"):
        found["upload_file_id"] = "up-9"
    assert (found, type(found)) == (sent, type(sent))


# -- who wrote a value

TYPED = Value("a{{ n }}.pdf", Origin.TEMPLATE, ("a", Filled("n", 1), ".pdf"))
"""What stands on a line with a whole number in it, which a path may have."""
TOLD = Value("a.pdf", Origin.TEMPLATE, (Filled("t", "a.pdf"),))
"""A text of a variable, which is never one."""


def file(*sources: Any, many: bool) -> FileInput:
    return FileInput(sources, many, 2 if many else 1)


def of_text(name: str) -> list[tuple[str, Origin, Any, Any]]:
    """A text is one whoever wrote it, and what is none becomes one."""
    return [(name, origin, value, sent) for origin in Origin for value, sent in (("a", "a"), (7, "7"), ("", ""), (None, LEFT))]


def of_data(name: str) -> list[tuple[str, Origin, Any, Any]]:
    rows: list[tuple[Any, Any]] = [({"k": (1,)}, {"k": [1]}), ('{"k": 1}', {"k": 1}), ("", LEFT), ("[1]", REFUSED)]
    return [(name, origin, value, sent) for origin in Origin for value, sent in rows]


def of_files(name: str, many: bool) -> list[tuple[str, Origin, Any, Any]]:
    """Only the user's own words name a file of this machine."""
    named = [UPLOAD] if many else UPLOAD
    path = Path("a.pdf")
    rows: list[tuple[Origin, Any, Any]] = [
        (Origin.LINE, "a.pdf", file(Pattern("a.pdf"), many=many)), (Origin.LINE, ADDRESS, [NAMED] if many else NAMED),
        (Origin.TEMPLATE, TYPED, file(Pattern("a1.pdf"), many=many)), (Origin.TEMPLATE, TOLD, REFUSED),
        (Origin.PYTHON, path, file(path, many=many)), (Origin.PYTHON, "a.pdf", REFUSED), (Origin.PYTHON, UPLOAD, named),
        (Origin.FORM, "up-9", named), (Origin.FORM, "", LEFT), (Origin.FORM, [], LEFT),
        (Origin.EARLIER, "a.pdf", LEFT), (Origin.EARLIER, named, named),
        (Origin.SERVER, "a.pdf", LEFT), (Origin.SERVER, named, named),
    ]  # fmt: skip
    return [(name, *row) for row in rows]


ORIGINS: list[tuple[str, Origin, Any, Any]] = [
    *(row for kind, name, _ in CONTROLS if kind in TEXTS and name not in ("text", "tone") for row in of_text(name) if name != "must" or row[2] is not None),
    *of_data("data"), *of_data("more"), *of_files("doc", False), *of_files("docs", True),
    *(("age", origin, value, sent) for origin in Origin for value, sent in (("3", 3), (3.5, 3.5), ("", LEFT), ("x", REFUSED))),
    *(("ok", origin, value, sent) for origin in Origin for value, sent in (("yes", True), (False, False), ("", LEFT), ("x", REFUSED))),
    *(("tone", origin, value, sent) for origin in Origin for value, sent in (("formal", "formal"), (1, "1"), ("x", REFUSED))),
    *(("tone", origin, "", REFUSED if origin is Origin.LINE else LEFT) for origin in Origin),
    *(("later", origin, value, value) for origin in Origin for value in ("x", 7, [1, {"k": 0.5}])),
]  # fmt: skip


def test_the_table_has_every_kind_of_control_from_every_origin() -> None:
    kinds = {name: kind for kind, name, _ in CONTROLS}
    known = {*TEXTS, *CONTROLS_TOLD, "json", "colour"}
    assert {(kinds[name], origin) for name, origin, *_ in ORIGINS} == set(product(known, Origin))
    assert {kinds[name] for name, *_ in TABLE} >= known - {"json", "api"}, "those are told as their likes"


WAYS: dict[Origin, tuple[EntryPoint, ...]] = {
    Origin.LINE: (CELL,), Origin.TEMPLATE: (CELL,), Origin.PYTHON: (CELL, PANEL, PYTHON), Origin.FORM: (PANEL,),
    Origin.EARLIER: (CELL, PANEL), Origin.SERVER: (CELL, PANEL),
}  # fmt: skip
"""Through which doors a value of each origin comes."""


@pytest.mark.parametrize(("door", "name", "origin", "value", "sent"), [(door, *row) for row in ORIGINS for door in WAYS[row[1]]])
def test_who_wrote_a_value_says_what_becomes_of_it_and_no_door(door: EntryPoint, name: str, origin: Origin, value: Any, sent: Any) -> None:
    session = Session(AsyncDify("app-x", "http://127.0.0.1:9", "me"))
    session.app = KnownApp(parameters=Parameters(user_input_form=FORM))
    asked = {"must": Value("m", origin), name: value if isinstance(value, Value) else Value(value, origin)}
    given, before = (asked, {}) if origin.own else ({}, asked)

    def fit() -> dict[str, Any]:
        if door is PYTHON:  # the client's own, which leaves to the server whether all is there
            return as_input_error(door, session.app.fit, given, whole=False).inputs
        return session.fit(door, given, before, picked=lambda id: {**UPLOAD, "upload_file_id": id}).inputs

    if sent is REFUSED:
        with pytest.raises(InputError) as caught:
            fit()
        assert caught.value.code == REFUSED
        return
    found = fit().get(name, LEFT)
    assert (found, type(found)) == (sent, type(sent))
