"""Patches and repairs of trees of blocks: whatever is lost, the picture comes right."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dify_notebook.views.block import Block
from dify_notebook.views.diff import MAX_PREFIXES, Differ, apply, common_prefix, from_wire, step, to_wire, units

FIXTURE = Path(__file__).parents[2] / "js" / "test" / "fixtures" / "patches.json"


def leaf(key: str, html: str, **attrs: str) -> Block:
    return Block(key=key, tag="p", attrs=attrs, html=html)


def box(key: str, *children: Block, tag: str = "div", **attrs: str) -> Block:
    return Block(key=key, tag=tag, attrs=attrs, children=children)


texts = st.text(alphabet="ab<é字😀👩", max_size=6)
attributes = st.dictionaries(
    st.sampled_from(["class", "title", "open"]), st.sampled_from(["", "x", "y"]), max_size=2
)
keys = st.sampled_from(["a", "b", "c", "a/b", "~", "~1"])
tags = st.sampled_from(["div", "p", "li"])


def trees(depth: int = 3) -> st.SearchStrategy[Block]:
    """Small trees over few keys and texts, so that two of them have much in common."""
    leaves = st.builds(Block, key=keys, tag=tags, attrs=attributes, html=texts)
    if not depth:
        return leaves
    children = st.lists(trees(depth - 1), max_size=4, unique_by=lambda b: b.key).map(tuple)
    return st.one_of(leaves, st.builds(Block, key=keys, tag=tags, attrs=attributes, children=children))


@settings(max_examples=300, deadline=None)
@given(st.lists(trees(), min_size=2, max_size=6))
def test_patches_give_each_tree_and_repairs_give_the_last_from_every_state(sequence: list[Block]) -> None:
    """apply(diff(a, b), a) == b, and repair(b) is valid on every state from b to now."""
    differ = Differ()
    states: list[Block | None] = [None]
    for tree in sequence:
        ops = differ.patch(tree)
        if ops is None:
            assert tree == states[-1]
        else:
            states.append(apply(states[-1], msgspec.json.decode(msgspec.json.encode(ops))))
            assert states[-1] == tree
        assert differ.seq == len(states) - 1
    for base in range(len(states)):
        ops = differ.repair(base)
        assert bool(ops) == (base < differ.seq)
        for state in states[base:]:
            assert (apply(state, ops) if ops else state) == sequence[-1]


def grow(random_: random.Random, frames: int) -> list[Block]:
    """A stream as views make it: closed blocks keep their identity, the last one grows and is rewritten."""
    closed: list[Block] = []
    text = ""
    seen: list[Block] = []
    for frame in range(frames):
        roll = random_.random()
        if roll < 0.1 and text:
            closed.append(leaf(f"b{len(closed)}", text))
            text = ""
        elif roll < 0.15:
            text = text[: random_.randrange(len(text) + 1)] + "<b>回</b>"  # an open construct is read anew
        elif roll < 0.17 and closed:
            del closed[random_.randrange(len(closed)) :]  # the text was replaced
        text += random_.choice(["a ", "字", "😀", "<i>x</i>", "…"])
        open_block = leaf(f"b{len(closed)}", text)
        nodes = tuple(leaf(f"n{i}", f"{min(frame, 10 * i)} ms") for i in range(frame // 20))
        header = leaf("header", f"{frame // 5} s", **{"class": "run"})
        state = {"class": "dn", "data": str(frame // 9)}
        seen.append(box("r", header, box("timeline", *nodes), box("answer", *closed, open_block), **state))
    return seen


@pytest.mark.parametrize("seed", range(8))
def test_repair_is_valid_on_every_state_of_a_growing_stream(seed: int) -> None:
    random_ = random.Random(seed)
    differ = Differ()
    states: list[Block | None] = [None]
    for tree in grow(random_, 200):
        ops = differ.patch(tree)
        if ops is not None:
            states.append(apply(states[-1], ops))
            assert states[-1] == tree
        base = max(0, differ.seq - random_.randrange(40))
        repair = differ.repair(base)
        for state in states[base:]:
            assert (apply(state, repair) if repair else state) == tree


def test_repair_of_a_growing_leaf_sends_what_is_new_since_the_base_only() -> None:
    """Otherwise one paragraph of 45 kB would travel whole with every repair."""
    differ = Differ()
    for length in range(1, 401):
        differ.patch(box("r", leaf("p", "x" * length)))
    assert differ.repair(390) == [["tail", "p", 390, "x" * 10]]
    differ.patch(box("r", leaf("p", "x" * 300 + "y")))
    assert differ.repair(395) == [["tail", "p", 300, "y"]]


def test_old_changes_of_a_leaf_are_merged_and_stay_valid() -> None:
    differ = Differ()
    states: list[Block | None] = [None]
    for length in range(1, 2 * MAX_PREFIXES):
        ops = differ.patch(box("r", leaf("p", "x" * length)))
        assert ops
        states.append(apply(states[-1], ops))
    for base in range(1, len(states)):
        repair = differ.repair(base)
        assert all((apply(s, repair) if repair else s) == states[-1] for s in states[base:])


def test_same_objects_are_not_looked_into() -> None:
    """A closed block costs an identity check, whatever it holds."""

    class Watched(tuple[Block, ...]):
        looked = 0

        def __iter__(self) -> Any:
            Watched.looked += 1
            return super().__iter__()

    closed = Block(key="c", tag="div", children=Watched((leaf("a", "1"),)))
    differ = Differ()
    differ.patch(box("r", closed, leaf("p", "1")))
    Watched.looked = 0
    assert differ.patch(box("r", closed, leaf("p", "12"))) == [["tail", "p", 1, "2"]]
    assert Watched.looked == 0


def test_nothing_changed_is_none_and_keeps_the_number() -> None:
    differ = Differ()
    differ.patch(box("r", leaf("a", "1")))
    assert differ.patch(box("r", leaf("a", "1"))) is None
    assert differ.seq == 1
    assert differ.repair(1) == []


def test_an_interrupted_patch_is_followed_by_a_whole_tree() -> None:
    """Interrupt may come anywhere; what was compared before it was never sent."""

    class Interrupting(Block, frozen=True):
        def __getattribute__(self, name: str) -> Any:
            if name == "html":
                raise KeyboardInterrupt
            return super().__getattribute__(name)

    differ = Differ()
    differ.patch(box("r", leaf("a", "1"), leaf("b", "1")))
    with pytest.raises(KeyboardInterrupt):
        differ.patch(box("r", leaf("a", "2"), Interrupting(key="b", tag="p")))
    tree = box("r", leaf("a", "2"), leaf("b", "1"))
    whole = [["set", "", to_wire(tree)]]
    assert differ.patch(tree) == whole
    assert differ.repair(1) == whole
    assert differ.seq == 2


def test_repair_before_the_first_tree_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing was drawn"):
        Differ().repair(0)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("", "", 0),
        ("a", "", 0),
        ("abc", "abd", 2),
        ("abc", "abcd", 3),
        ("abcd", "abc", 3),
        ("😀a", "😀b", 1),
        ("x", "y", 0),
    ],
)
def test_common_prefix(a: str, b: str, expected: int) -> None:
    assert common_prefix(a, b) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("", 0), ("ab", 2), ("é字", 2), ("😀", 2), ("a😀b", 4), ("👩\u200d👩", 5)]
)
def test_units_are_those_of_a_string_in_the_browser(text: str, expected: int) -> None:
    assert units(text) == expected


def test_keep_counts_utf16_units() -> None:
    differ = Differ()
    differ.patch(leaf("r", "😀😀"))
    assert differ.patch(leaf("r", "😀😀!")) == [["tail", "", 4, "!"]]


def test_a_path_may_hold_any_key() -> None:
    differ = Differ()
    differ.patch(box("r", box("a/b~c", leaf("x", "1"))))
    assert differ.patch(box("r", box("a/b~c", leaf("x", "2")))) == [["tail", "a~1b~0c/x", 0, "2"]]
    with pytest.raises(ValueError, match="empty"):
        step("")


def test_what_does_not_fit_is_refused() -> None:
    tree = box("r", leaf("a", "1"))
    with pytest.raises(LookupError):
        apply(tree, [["tail", "b", 0, "x"]])
    with pytest.raises(LookupError):
        apply(None, [["attrs", "", {}]])
    with pytest.raises(ValueError, match="no tree"):
        apply(None, [])


def test_a_block_comes_back_from_its_form_on_the_wire() -> None:
    tree = box("r", leaf("a", "1", title="é"), box("b"), tag="section")
    assert from_wire(json.loads(json.dumps(to_wire(tree)))) == tree


def cases() -> list[dict[str, Any]]:
    """Trees and operations that both readers, here and in the browser, must agree on."""
    random_ = random.Random(11)
    found: list[dict[str, Any]] = []

    def add(name: str, *trees_: Block) -> None:
        differ = Differ()
        before: Block | None = None
        for tree in trees_[:-1]:
            differ.patch(tree)
            before = tree
        base = differ.seq
        ops = differ.patch(trees_[-1]) or []
        found.append(
            {
                "name": name,
                "before": to_wire(before) if before else None,
                "ops": ops,
                "repair": differ.repair(max(0, base - 3)),
                "after": to_wire(trees_[-1]),
            }
        )

    add("first tree", box("r", leaf("a", "1")))
    add("text grows", box("r", leaf("a", "1")), box("r", leaf("a", "12")))
    add(
        "text grows after an emoji",
        box("r", leaf("a", "😀👩\u200d👩")),
        box("r", leaf("a", "😀👩\u200d👩字")),
    )
    add("text changes after an emoji", leaf("r", "a😀b"), leaf("r", "a😀c"))
    add("half of an emoji differs", leaf("r", "😀"), leaf("r", "😁"))
    add("text becomes children", box("r", leaf("a", "1")), box("r", box("a", leaf("x", "1"))))
    add("children become text", box("r", box("a", leaf("x", "1"))), box("r", leaf("a", "1")))
    add("empty slot fills", box("r", box("a"), box("b")), box("r", box("a", leaf("x", "1")), box("b")))
    add("slot empties", box("r", box("a", leaf("x", "1")), box("b")), box("r", box("a"), box("b")))
    add(
        "attributes come and go",
        leaf("r", "", **{"class": "x", "open": ""}),
        leaf("r", "", **{"title": '<&">'}),
    )
    add("tag changes", box("r", leaf("a", "1")), box("r", Block(key="a", tag="pre", html="1")))
    add("keys with slashes", box("r", box("a/b~", leaf("~1", "1"))), box("r", box("a/b~", leaf("~1", "12"))))
    add(
        "a row in the middle",
        box("r", leaf("a", "1"), leaf("c", "3")),
        box("r", leaf("a", "1"), leaf("b", "2"), leaf("c", "3")),
    )
    stream = grow(random_, 120)
    for index in (1, 30, 60, 90, 119):
        add(f"stream at {index}", *stream[max(0, index - 5) : index + 1])
    return found


def test_fixture_for_the_browser_is_up_to_date() -> None:
    """One file, two readers. Written anew by: python tests/unit/test_views_diff.py"""
    assert json.loads(FIXTURE.read_text(encoding="utf-8")) == json.loads(json.dumps(cases()))


@pytest.mark.parametrize(
    "case", json.loads(FIXTURE.read_text(encoding="utf-8")), ids=lambda case: str(case["name"])
)
def test_fixture_holds_here(case: dict[str, Any]) -> None:
    before = case["before"] and from_wire(case["before"])
    assert (apply(before, case["ops"]) if case["ops"] else before) == from_wire(case["after"])
    assert (apply(before, case["repair"]) if case["repair"] else before) == from_wire(case["after"])


if __name__ == "__main__":
    FIXTURE.write_text(json.dumps(cases(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
