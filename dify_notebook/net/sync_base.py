"""What the plain client has of its own: lists, streams and `with`. `sync.py`, which is generated, builds on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from .portal import portal

if TYPE_CHECKING:
    import pandas as pd

    from ..turn.state import Turn
    from ..wire.events import Event
    from .client import AsyncDify
    from .pages import AsyncPages, Item
    from .stream import ChatStream

M = TypeVar("M", bound="Item")
P = TypeVar("P")


class Client:
    """The plain face of an async client."""

    def _start(self, dify: AsyncDify) -> None:
        self.as_async = dify
        """The async client behind this one."""

    @classmethod
    def wrap(cls, dify: AsyncDify) -> Self:
        """The plain face of an async client."""
        plain = cls.__new__(cls)
        plain._start(dify)
        return plain

    def __repr__(self) -> str:
        if "as_async" not in vars(self):  # a traceback may show one that did not come to be
            return "<Dify>"
        return repr(self.as_async).replace("AsyncDify", "Dify", 1)

    def __deepcopy__(self, memo: object) -> Self:
        """Itself: connections are not copied."""
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. The client stays usable."""
        portal().call(self.as_async.aclose())


class Group:
    """A group of calls of one client."""

    def __init__(self, dify: AsyncDify) -> None:
        self._dify = dify


class Pages(Generic[M]):
    """A list that fetches its pages as it is read: `for item in ...`. Nothing comes twice.

    Reading it raises what `AsyncPages` names: an `EndlessList` beyond `Bounds.items` or `Bounds.pages`.
    """

    def __init__(self, pages: AsyncPages[M]) -> None:
        self._pages = pages

    def __iter__(self) -> Iterator[M]:
        return iterate(aiter(self._pages))

    def to_list(self, limit: int | None = None) -> list[M]:
        """Everything, or the first `limit` items.

        Raises:
            EndlessList: there are more than `Bounds.items` and no `limit`, or they are larger than
                `Bounds.pages`; `.items` has those that came.
        """
        return portal().call(self._pages.to_list(limit))

    def to_frame(self, limit: int | None = None) -> pd.DataFrame:
        """Everything, or the first `limit` items, as a pandas DataFrame: a row each, with the columns of
        `frames.SCHEMA`. Raises as `to_list`."""
        return portal().call(self._pages.to_frame(limit))


def iterate(items: AsyncIterator[P]) -> Iterator[P]:
    """What an async iterator gives, one crossing to the portal for each."""
    exhausted: Any = object()

    async def next_item() -> Any:
        return await anext(items, exhausted)

    while (item := portal().call(next_item())) is not exhausted:
        yield item


class Stream:
    """The events of one answer, in order; a context manager and an iterator. See `ChatStream`.

    Entering it raises `DifyError` where the server refuses the question or cannot be reached; `.turn` of the error
    is then the failed turn. Reading raises nothing for what the stream says.
    """

    def __init__(self, stream: ChatStream) -> None:
        self._stream = stream

    @property
    def turn(self) -> Turn:
        """The turn as it is now; its tape is attached once it has ended."""
        return self._stream.turn

    @property
    def task_id(self) -> str | None:
        """Dify's id of the running task, known with the first event."""
        return self._stream.task_id

    def __enter__(self) -> Stream:
        portal().call(self._stream.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        portal().call(self._stream.__aexit__(kind, problem, trace))
        if isinstance(problem, KeyboardInterrupt):
            from .interrupting import attach_turn

            attach_turn(self._stream.turn, problem)

    def __iter__(self) -> Iterator[Event]:
        events = self._stream.__aiter__()

        async def next_batch() -> list[Event]:
            """The next event and those that have come with it: one crossing for a burst."""
            batch: list[Event] = []
            async for event in events:
                batch.append(event)
                if len(batch) >= 64 or not self._stream.more_at_hand:
                    break
            return batch

        while batch := portal().call(next_batch()):
            yield from batch

    def read(self) -> Turn:
        """Read to the end and give the turn. Raises nothing for what the stream says."""
        return portal().call(self._stream.read())

    def stop(self) -> bool:
        """Ask the server to stop; whether it confirmed. See `ChatStream.stop`."""
        return portal().call(self._stream.stop())
