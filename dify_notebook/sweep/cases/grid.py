"""Every case of a design, in the order in which they are asked: questions by variants by repeats."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import msgspec

from ...app.entry_points import PYTHON, as_input_error
from ...app.files import holds_file
from ...app.invalid import InvalidInput, Unserializable
from ...app.known import KnownApp
from ...app.origin import Origin, Value
from ...app.template import Template
from ...app.text_input import text_candidates
from ...errors import InputError
from ...i18n import t
from ...net.app_cache import learn
from ...printable import one_line
from ...wire.calls import check_text
from ..case import Case, Message, Target, Variant
from .design import Design as Design
from .design import Itself, Layout, Written, columns_of, filled, read, value_of
from .identity import FileHashes, case_id, cell, digest, files, inputs_hash, message_hash, sources
from .rows import Table, table

SWEEP = msgspec.structs.replace(
    PYTHON, keys={**PYTHON.keys, "unknown": "sweep.cases.unknown_input", "missing": "sweep.cases.missing_input"}
)
"""Python's sentences, and those for a sweep's several apps."""
MOST = 1_000_000
"""Cases of one sweep."""


class App(NamedTuple):
    """A target, and what its server has told of it."""

    target: Target
    known: KnownApp


class Arm(NamedTuple):
    """A variant of one app, with all that its messages are made of."""

    app: App
    variant: Variant
    prompt: str | None
    inputs: dict[str, Written]
    columns: tuple[str, ...]
    """Those that decide the inputs."""
    text_input: str | None
    """The input that the query goes into, of an app without conversations."""


class Sent(NamedTuple):
    """What one variant sends of one question."""

    content: str
    """Its hash."""
    messages: tuple[Message, ...]


class Block:
    """One question: the rows that ask it, and what each variant sends."""

    def __init__(self, question: str, sent: list[Sent], cluster: Hashable) -> None:
        self.question, self.sent, self.cluster = question, sent, cluster
        self.labels: list[Hashable] = []


async def cases(design: Design, targets: Mapping[str, Target]) -> list[Case]:
    """All cases in the order in which they are asked.

    Each app's form is asked for, once; nothing else is sent. Whole questions come one after another, shuffled by the
    seed; of a question all variants of its first repeat, in an order of their own, then those of the next: wherever
    a sweep stops, whole questions have been asked of all variants.

    Two cases may have one id, where two variants or questions send an app the same: it is asked once (`distinct`).

    Raises:
        InputError: a column, a value or a file cannot be meant or sent; the message names the row by its label.
        DifyError: an app's server cannot be reached, or refuses its key.
    """
    rows = table(design.over)
    _check_size(design, read(design, rows), rows, len(targets))  # what is wrong by itself, before any server is asked
    known = await asyncio.gather(*(learn(target.client, "mode", "parameters") for target in targets.values()))
    apps = [App(target, app) for target, app in zip(targets.values(), known, strict=True)]
    stopped = threading.Event()
    try:
        return await asyncio.to_thread(arrange, design, apps, stopped)
    finally:
        stopped.set()


def distinct(cases: Sequence[Case]) -> list[Case]:
    """The cases without those whose id an earlier one has: what has to be asked."""
    found: dict[str, Case] = {}
    for case in cases:
        found.setdefault(case.id, case)
    return list(found.values())


def arrange(design: Design, apps: Sequence[App], stopped: threading.Event | None = None) -> list[Case]:
    """What `cases` gives, of apps whose forms are known.

    Raises:
        InputError: as for `cases`.
    """
    builder = _Builder(design, apps)
    return ordered(builder.blocks(stopped or threading.Event()), builder.arms, design.repeats, design.seed)


def ordered(blocks: Sequence[Block], arms: Sequence[Arm], repeats: int, seed: int) -> list[Case]:
    """Cases in the order in which they are asked; it does not depend on the table's own order."""
    blocks = sorted(blocks, key=lambda block: block.question)
    random.Random(seed).shuffle(blocks)
    numbers = list(range(len(arms)))
    found: list[Case] = []
    for block in blocks:
        labels = tuple(block.labels)
        within = random.Random(f"{seed} {block.question}")
        for repeat in range(repeats):
            within.shuffle(numbers)
            for number in numbers:
                arm, sent = arms[number], block.sent[number]
                found.append(
                    Case(
                        id=case_id(arm.app.target.identity, sent.content, repeat),
                        question=block.question,
                        variant=arm.variant,
                        repeat=repeat,
                        messages=sent.messages,
                        labels=labels,
                        cluster=block.cluster,
                    )
                )
        numbers.sort()  # what follows does not depend on the blocks before
    return found


class _Builder:
    """Makes the blocks of a design. What is equal is made once and shared: inputs, queries, variants."""

    def __init__(self, design: Design, apps: Sequence[App]) -> None:
        self.design, self.table = design, table(design.over)
        self.layout = read(design, self.table)
        _check_size(design, self.layout, self.table, len(apps))
        self.hashes = FileHashes()
        self._file_columns = frozenset(columns_of(self.layout.files))
        self._value_columns, self._text_columns = self.layout.roles()
        self.arms = [arm for app in apps for arm in _arms(app, self.layout, apps)]
        self._fitted: dict[tuple[Any, ...], tuple[dict[str, Any], bytes]] = {}
        self._shared: dict[bytes, tuple[dict[str, Any], bytes]] = {}
        if not self._file_columns:  # what is the same in all rows is looked at before the first
            for source in as_input_error(SWEEP, sources, value_of(self.layout.files, {})):
                self.hashes.of(source)
        for arm in self.arms:
            if not arm.columns and arm.text_input is None:
                self._inputs(arm, {}, {}, None)

    def blocks(self, stopped: threading.Event) -> list[Block]:
        """The questions in the table's order, each with the labels of all rows that ask it.

        Raises:
            InputError: as for `cases`.
        """
        names = self.layout.columns()
        columns = [self.table.cells(name) for name in names]
        labels = self.table.labels(self.design.id)
        clusters = self.table.clusters(self.design.cluster) if self.design.cluster is not None else None
        by_cells: dict[str, Block] = {}
        by_content: dict[str, Block] = {}
        rows: Iterator[tuple[Any, ...]] = zip(*columns, strict=True) if columns else itertools.repeat((), len(labels))
        for position, (label, cells) in enumerate(zip(labels, rows, strict=True)):
            if stopped.is_set():
                break
            row = dict(zip(names, cells, strict=True))
            try:
                spelled = self._spelled(row)
                question = digest("question", *spelled.values())
                block = by_cells.get(question)
                if block is None:
                    sent = self._row(row, spelled)
                    content = digest("block", *(each.content.encode() for each in sent))
                    block = by_content.get(content)
                    if block is None:
                        cluster = clusters[position] if clusters is not None else None
                        block = by_content[content] = Block(question, sent, cluster)
                    # Other cells that come to the same: the block is called by the least, whatever the rows' order.
                    block.question = min(block.question, question)
                    by_cells[question] = block
                block.labels.append(label)
                continue
            except InputError as raised:
                problem = raised
            if self.design.over is None:
                raise problem
            message = t("sweep.cases.row", row=one_line(str(label), 80), problem=problem.message)
            raise InputError(message, code=problem.code, hint=problem.hint)
        return list(by_content.values())

    def _spelled(self, row: Mapping[str, Any]) -> dict[str, bytes]:
        """The used cells, by column, as they count: a file by its bytes, but by its name where it stands in a text."""
        spelled: dict[str, bytes] = {}
        for name, value in row.items():
            if name not in self._file_columns and not holds_file(value):
                spelled[name] = as_input_error(SWEEP, self._named, name, cell, value)
                continue
            parts = []
            if name in self._value_columns:
                parts.append(as_input_error(SWEEP, self._named, name, files, value, self.hashes))
            if name in self._text_columns:
                parts.append(as_input_error(SWEEP, self._named, name, cell, value))
            spelled[name] = b"".join(parts)
        return spelled

    def _named(self, name: str, spell: Callable[..., bytes], *args: Any) -> bytes:
        try:
            return spell(*args)
        except Unserializable as unfit:
            raise InvalidInput("unfit", name, unfit=unfit) from None
        except InvalidInput as invalid:
            raise InvalidInput(invalid.reason, name, **invalid.values) from None

    def _row(self, row: Mapping[str, Any], spelled: Mapping[str, bytes]) -> list[Sent]:
        """What each variant sends; variants that send the same share it."""
        attached = as_input_error(SWEEP, sources, value_of(self.layout.files, row))
        queries = {name: _queries(turns, row) for name, turns in self.layout.prompts.items()}
        made: dict[tuple[str | None, bool, int], Sent] = {}
        sent: list[Sent] = []
        for arm in self.arms:
            asked: list[str | None] = [*queries[arm.prompt]]
            text = asked[0] if arm.text_input is not None else None
            inputs, counted = self._inputs(arm, row, spelled, text)
            key = (arm.prompt, arm.text_input is None, id(inputs))
            if key not in made:
                if arm.text_input is not None or not asked:
                    asked = [None]
                hashes = [message_hash(query, counted, attached, self.hashes) for query in asked]
                messages = tuple(Message(query=query, inputs=inputs, files=attached) for query in asked)
                made[key] = Sent(digest("content", *hashes), messages)
            sent.append(made[key])
        return sent

    def _inputs(
        self, arm: Arm, row: Mapping[str, Any], spelled: Mapping[str, bytes], text: str | None
    ) -> tuple[dict[str, Any], bytes]:
        """Inputs as the app's form wants them, and as they count."""
        key = (id(arm), text, *(spelled[name] for name in arm.columns))
        found = self._fitted.get(key)
        if found is not None:
            return found
        values = {name: value_of(written, row) for name, written in arm.inputs.items()}
        given = {
            name: Value(value, Origin.PYTHON)
            for name, value in values.items()
            if value is not None or isinstance(arm.inputs[name], Itself)
        }
        if text is not None and arm.text_input is not None:
            given[arm.text_input] = Value(text, Origin.PYTHON)
        inputs = as_input_error(SWEEP, _fit, arm.app, given)
        counted = inputs_hash(inputs, self.hashes)
        found = self._shared.setdefault(counted, (inputs, counted))
        if not arm.columns and text is None:
            self._fitted[key] = found
        return found


def _check_size(design: Design, layout: Layout, rows: Table, apps: int) -> None:
    variants = apps * len(layout.prompts) * math.prod(len(values) for values in layout.varied.values())
    count = rows.count * variants * design.repeats
    if count > MOST:
        numbers = {"rows": rows.count, "variants": variants, "repeats": design.repeats, "count": count, "most": MOST}
        message = t("sweep.cases.too_many", **{name: f"{number:,}" for name, number in numbers.items()})
        raise InputError(message, code="over", hint=t("magic.value.hint"))


def _fit(app: App, given: Mapping[str, Value]) -> dict[str, Any]:
    try:
        return app.known.fit(given).inputs
    except InvalidInput as invalid:
        invalid.values["app"] = one_line(app.target.name)
        raise


def _queries(turns: Sequence[Template], row: Mapping[str, Any]) -> list[str]:
    queries = []
    for number, template in enumerate(turns, 1):
        query = filled(template, row)
        check_text("query", query)
        if not query.strip():
            key = "sweep.cases.empty_query" if len(turns) == 1 else "sweep.cases.empty_turn"
            raise InputError(t(key, turn=number), code="query", hint=t("magic.value.hint"))
        queries.append(query)
    return queries


def _taken(app: App, inputs: dict[str, Written], apps: Sequence[App]) -> dict[str, Written]:
    """The inputs that go to an app: of those that its form does not have, none that are in another app's."""
    if not app.known.whole:
        return inputs
    others = [other.known for other in apps if other is not app]
    elsewhere = {name for name in inputs for other in others if not other.whole or name in other.controls}
    return {name: value for name, value in inputs.items() if name in app.known.controls or name not in elsewhere}


def _arms(app: App, layout: Layout, apps: Sequence[App]) -> Iterator[Arm]:
    name = app.target.name
    varied = list(layout.varied)
    for prompt, turns in layout.prompts.items():
        text_input = None
        if app.known.takes.conversations:
            if not turns:
                _refuse("sweep.cases.needs_query", app=name)
        elif turns:
            text_input = _text_input(app, layout, len(turns))
        for chosen in itertools.product(*(range(len(values)) for values in layout.varied.values())):
            values = {each: layout.values[each][at] for each, at in zip(varied, chosen, strict=True)}
            written = {each: layout.varied[each][at] for each, at in zip(varied, chosen, strict=True)}
            inputs = _taken(app, {**layout.inputs, **written}, apps)
            columns = tuple(sorted({column for each in inputs.values() for column in columns_of(each)}))
            yield Arm(app, Variant(target=name, prompt=prompt, inputs=values), prompt, inputs, columns, text_input)


def _text_input(app: App, layout: Layout, turns: int) -> str:
    """The input that is the text of an app without conversations."""
    if turns > 1:
        _refuse("sweep.cases.one_turn", app=app.target.name)
    names = text_candidates(app.known)
    if len(names) != 1:
        key = "sweep.cases.which_text" if names else "sweep.cases.no_text" if app.known.whole else "sweep.cases.no_form"
        _refuse(key, app=app.target.name, names=", ".join(one_line(name) for name in names))
    if names[0] in layout.inputs or names[0] in layout.varied:
        _refuse("sweep.cases.text_twice", app=app.target.name, name=one_line(names[0]))
    return names[0]


def _refuse(key: str, /, *, app: str, **values: object) -> NoReturn:
    raise InputError(t(key, app=one_line(app), **values), code="query", hint=t("magic.value.hint"))
