"""What a sweep asks: cases, each one question or script for one variant, as often as it is repeated. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from ..net.client import AsyncDify


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """An app that is asked, perhaps one published version of it."""

    name: str
    """How the user calls it: v1, support."""
    client: AsyncDify
    """As the sweep's own user."""
    workflow_id: str | None = None
    """The published version that is pinned; None asks the newest."""
    identity: str = ""
    """A hash of the server, the app's key and the version, see `apps`; no key can be read out of it."""


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One of the ways that a question is asked: an app, a prompt and inputs that are varied."""

    target: str
    """Name of the `Target`."""
    prompt: str | None = None
    """Name of the prompt; None where there is only one."""
    inputs: Mapping[str, Any] = {}
    """Those that are varied, by name, as the user gave them."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of a case as it is sent: inputs are fitted to the app's form, files are not uploaded yet."""

    query: str | None
    """None for apps that take inputs only."""
    inputs: dict[str, Any]
    """Files are `app.files.FileInput`."""
    files: tuple[Any, ...] = ()


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One question, or script of several turns, for one variant, for the n-th time."""

    id: str
    """Hash of all that decides the answer: the app's identity, the messages, the bytes of files, and the repeat."""
    question: str
    """Hash of what is asked whatever the variant and the repeat: the block that is compared."""
    variant: Variant
    repeat: int
    """From 0."""
    messages: tuple[Message, ...]
    """One for each turn."""
    labels: tuple[Hashable, ...] = ()
    """Of the table's rows that ask it: the column `id=`, else the index."""
    cluster: Hashable = None
    """The value of the column `cluster=` in the first of these rows."""
