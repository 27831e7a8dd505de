"""From one tree of blocks to the next: what to send, and what heals after a loss.

A view is sent as numbered patches. `Differ.patch` gives the operations from the
tree before to this one, and remembers for each place when it last changed, so that
`Differ.repair(base)` can give operations that turn *every* state from `base` to now
into the present one: whoever lost a few patches needs no question and no answer.

Operations are lists, as they travel in JSON:

    ["set", path, block]         replace the block there, or append it as its parent's last child
    ["attrs", path, attrs]       all attributes
    ["tail", path, keep, text]   html = html[:keep] + text
    ["cut", path, n]             keep the first n children
    ["push", path, [block, ...]] append children

A path is the keys from the root's child down, joined by "/"; the root's is "". In a
key, "~" is written "~0" and "/" is written "~1". A block travels as [key, tag, attrs,
body], where body is the inner HTML, or the list of children if there are any.

`keep` counts UTF-16 code units, since that is what a string in the browser is made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from operator import is_not
from typing import Any

import msgspec

from .block import Block

Op = list[Any]
"""One operation, ready for JSON."""
Wire = list[Any]
"""A block as it travels: [key, tag, attrs, body]."""

MAX_PREFIXES = 128
"""How many changes of one leaf are remembered apart; older ones are merged."""


def step(key: str) -> str:
    """The key as a piece of a path.

    Raises:
        ValueError: the key is empty; only the root's path may be.
    """
    if not key:
        raise ValueError("the key of a block is empty")
    return key.replace("~", "~0").replace("/", "~1") if "~" in key or "/" in key else key


def units(text: str) -> int:
    """Length in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def common_prefix(a: str, b: str) -> int:
    """Number of characters that both texts begin with.

    >>> common_prefix("gold", "good")
    2
    """
    if b.startswith(a):
        return len(a)
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        # What lies below `low` is known to be equal: compare only what is not.
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def to_wire(block: Block) -> Wire:
    """The block as it travels, with all below it."""
    body: Any = [to_wire(child) for child in block.children] if block.children else block.html
    return [block.key, block.tag, block.attrs, body]


def from_wire(wire: Wire) -> Block:
    """The block that `to_wire` made this of."""
    key, tag, attrs, body = wire
    if isinstance(body, str):
        return Block(key=key, tag=tag, attrs=attrs, html=body)
    return Block(key=key, tag=tag, attrs=attrs, children=tuple(from_wire(child) for child in body))


class _Mark:
    """The state of one path: its block, and the `seq` at which it last changed in which way.

    Marks below a block are made only when something below it changes, so a closed
    block costs one mark however much it holds.
    """

    __slots__ = (
        "attrs_at", "block", "body", "children", "children_at", "prefixes", "present_since", "replaced_at",
        "touched_at",
    )  # fmt: skip

    def __init__(self, block: Block, seq: int) -> None:
        self.present_since = seq
        """Since when a block of this key stands here."""
        self.reset(block, seq)

    def reset(self, block: Block, seq: int) -> None:
        """The block was replaced as a whole."""
        self.block = block
        self.replaced_at = seq
        self.attrs_at = seq
        self.children_at = seq
        """When children were last appended or taken away."""
        self.touched_at = seq
        """When anything here or below was last touched."""
        self.body = "html" if block.html else "list" if block.children else ""
        """What the body is or was; going from one to the other replaces the block."""
        self.prefixes: list[tuple[int, int, int]] = []
        """(seq, characters, UTF-16 units) of the unchanged prefix at each change of the
        html; both counts increase along the list, since a later smaller one hides the
        larger ones before it."""
        self.children: list[_Mark] | None = None

    def expand(self) -> list[_Mark]:
        """The marks of the children, made now if nothing below had changed before."""
        if self.children is None:
            self.children = [_Mark(child, self.replaced_at) for child in self.block.children]
        return self.children

    def record_prefix(self, seq: int, characters: int, code_units: int) -> None:
        """The html changed after this prefix."""
        prefixes = self.prefixes
        while prefixes and prefixes[-1][1] >= characters:
            prefixes.pop()
        prefixes.append((seq, characters, code_units))
        if len(prefixes) > MAX_PREFIXES:
            # Two old changes become one, with the later number and the shorter prefix.
            _, shorter, its_units = prefixes[0]
            prefixes[0:2] = [(prefixes[1][0], shorter, its_units)]

    def prefix_since(self, base: int) -> tuple[int, int]:
        """(characters, UTF-16 units) that no change after `base` touched."""
        for seq, characters, code_units in self.prefixes:
            if seq > base:
                return characters, code_units
        return len(self.block.html), units(self.block.html)


class Differ:
    """Holds the last tree, and the number of the state that it is.

    >>> differ = Differ()
    >>> differ.patch(Block(key="r", tag="div", html="a"))
    [['set', '', ['r', 'div', {}, 'a']]]
    >>> differ.patch(Block(key="r", tag="div", html="ab"))
    [['tail', '', 1, 'b']]
    >>> differ.seq, differ.repair(1)
    (2, [['tail', '', 1, 'b']])
    """

    def __init__(self) -> None:
        self._top: _Mark | None = None
        self.state: tuple[int, Block | None] = (0, None)
        """Number and root of the last tree, together, for readers on other threads."""

    @property
    def seq(self) -> int:
        """Number of the present state; 0 before the first tree."""
        return self.state[0]

    @property
    def root(self) -> Block | None:
        return self.state[1]

    def patch(self, root: Block) -> list[Op] | None:
        """Operations from the last tree to this one, which becomes state `seq`; None if nothing changed.

        Children that are the same object as before are passed over; apart from that
        walk the cost is that of what changed.
        """
        seq = self.seq + 1
        ops: list[Op] = []
        top, self._top = self._top, None
        # An Interrupt in here leaves marks half changed: they are then dropped, and the next is whole.
        if top is None:
            top = _Mark(root, seq)
            ops.append(["set", "", to_wire(root)])
        else:
            _compare(top, root, "", seq, ops)
        self._top = top
        if not ops:
            return None
        self.state = (seq, root)
        return ops

    def repair(self, base: int) -> list[Op]:
        """Operations that turn each state from `base` to `seq` into the present one.

        Empty when nothing changed after `base`. With base 0, or from before the root
        was last replaced, it is the whole tree.

        Raises:
            ValueError: there is no tree yet.
        """
        if self._top is None:
            raise ValueError("nothing was drawn yet")
        ops: list[Op] = []
        _repair(self._top, "", base, ops)
        return ops


def _compare(mark: _Mark, new: Block, path: str, seq: int, ops: list[Op]) -> bool:
    """Append the operations for one path; return whether there were any."""
    old = mark.block
    if old is new:
        return False
    if not path and old.key != new.key:
        mark.reset(new, seq)
        ops.append(["set", path, to_wire(new)])
        return True
    body = "html" if new.html else "list" if new.children else mark.body
    if old.tag != new.tag or (mark.body and body != mark.body):
        mark.reset(new, seq)
        ops.append(["set", path, to_wire(new)])
        return True
    touched = False
    if old.attrs != new.attrs:
        ops.append(["attrs", path, new.attrs])
        mark.attrs_at = seq
        touched = True
    if old.html != new.html:
        characters = common_prefix(old.html, new.html)
        code_units = units(new.html[:characters])
        ops.append(["tail", path, code_units, new.html[characters:]])
        mark.record_prefix(seq, characters, code_units)
        touched = True
    elif old.children is not new.children and _compare_children(mark, new, path, seq, ops):
        touched = True
    mark.block = new
    mark.body = body
    if touched:
        mark.touched_at = seq
    return touched


def _compare_children(mark: _Mark, new: Block, path: str, seq: int, ops: list[Op]) -> bool:
    old_children, new_children = mark.block.children, new.children
    marks = mark.expand()
    touched = False
    same = min(len(old_children), len(new_children))
    # The walk past what is the same object runs inside itertools: thousands of closed blocks cost little.
    for index in compress(range(same), map(is_not, old_children, new_children)):
        child = new_children[index]
        if old_children[index].key != child.key:
            same = index
            break
        below = f"{path}/{step(child.key)}" if path else step(child.key)
        touched |= _compare(marks[index], child, below, seq, ops)
    if same < len(old_children):
        ops.append(["cut", path, same])
        del marks[same:]
        mark.children_at = seq
        touched = True
    if same < len(new_children):
        appended = new_children[same:]
        ops.append(["push", path, [to_wire(child) for child in appended]])
        marks.extend(_Mark(child, seq) for child in appended)
        mark.children_at = seq
        touched = True
    return touched


def _repair(mark: _Mark, path: str, base: int, ops: list[Op]) -> None:
    """Append the operations that turn every state of this path since `base` into the present one."""
    if mark.touched_at <= base:
        return
    block = mark.block
    if mark.replaced_at > base:
        ops.append(["set", path, to_wire(block)])
        return
    if mark.attrs_at > base:
        ops.append(["attrs", path, block.attrs])
    if mark.prefixes and mark.prefixes[-1][0] > base:
        characters, code_units = mark.prefix_since(base)
        ops.append(["tail", path, code_units, block.html[characters:]])
    if mark.children is None:
        return
    stayed = 0
    for child in mark.children:
        if child.present_since > base:
            break  # those behind it are not older: what follows a cut is new
        if child.touched_at > base:
            below = f"{path}/{step(child.block.key)}" if path else step(child.block.key)
            _repair(child, below, base, ops)
        stayed += 1
    if mark.children_at > base:
        ops.append(["cut", path, stayed])
        if stayed < len(block.children):
            ops.append(["push", path, [to_wire(child) for child in block.children[stayed:]]])


def apply(root: Block | None, ops: Sequence[Op]) -> Block:
    """The tree after the operations: what the browser must come to as well.

    Raises:
        LookupError: a path leads nowhere; the operations do not belong to this tree.
        ValueError: there is no tree, and the operations do not begin with one.
    """
    for op in ops:
        path = [piece.replace("~1", "/").replace("~0", "~") for piece in op[1].split("/")] if op[1] else []
        root = _edit(root, path, op)
    if root is None:
        raise ValueError("no tree and no operation that makes one")
    return root


def _edit(block: Block | None, path: list[str], op: Op) -> Block:
    if not path:
        return _change(block, op)
    if block is None:
        raise LookupError(f"nothing at {op[1]!r}")
    children = list(block.children)
    for index, child in enumerate(children):
        if child.key == path[0]:
            children[index] = _edit(child, path[1:], op)
            break
    else:
        if op[0] != "set" or len(path) > 1:
            raise LookupError(f"nothing at {op[1]!r}")
        children.append(from_wire(op[2]))
    return msgspec.structs.replace(block, html="", children=tuple(children))


def _change(block: Block | None, op: Op) -> Block:
    name = op[0]
    if name == "set":
        return from_wire(op[2])
    if block is None:
        raise LookupError(f"nothing at {op[1]!r}")
    if name == "attrs":
        return msgspec.structs.replace(block, attrs=op[2])
    if name == "tail":
        prefix = block.html.encode("utf-16-le", "surrogatepass")[: 2 * op[2]].decode(
            "utf-16-le", "surrogatepass"
        )
        return msgspec.structs.replace(block, html=prefix + op[3], children=())
    if name == "cut":
        return msgspec.structs.replace(block, html="", children=block.children[: op[2]])
    if name == "push":
        pushed = tuple(from_wire(child) for child in op[2])
        return msgspec.structs.replace(block, html="", children=block.children + pushed)
    raise LookupError(f"no operation is called {name!r}")
