"""The block that views are made of: one element of a drawn turn."""

from __future__ import annotations

import msgspec


class Block(msgspec.Struct, frozen=True):
    """One element with safe content; a tree of these is a whole view.

    A block has html or children, never both. Children that are closed keep their
    identity from frame to frame, so that a comparison can pass over them.
    """

    key: str
    """Unique within its parent, stable while the thing stays the same thing."""
    tag: str
    """Name of the element: div, p, pre, li, tr, details, summary, span ..."""
    attrs: dict[str, str] = {}
    """Attributes, values not yet escaped: class, style, open, title, role, aria-*, href ..."""
    html: str = ""
    """Safe inner HTML of a leaf."""
    children: tuple[Block, ...] = ()
