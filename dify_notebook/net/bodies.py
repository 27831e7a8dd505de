"""Bodies, decoded as they come and never larger than asked for.

httpx inflates each chunk from the network in one go, and 64 kB of gzip can hold 64 MB, twice packed
64 GB. Here a body comes in pieces, so whoever counts them can leave after any.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing

import httpx

from ..i18n import t

#: Bytes of a piece, at most, where a body is compressed.
PIECE = 262_144
#: How often a body may be packed: a gateway may pack again what the server had packed.
_LAYERS = 2


async def pieces(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """A body as it comes, decoded. Raises httpx's errors."""
    import asyncio

    try:
        whole = response.content
    except httpx.ResponseNotRead:
        pass
    else:  # a transport that gives answers whole
        yield whole
        return
    layers = _layers(response)
    async for raw in response.aiter_raw():
        if not layers:
            yield raw
            continue
        for number, piece in enumerate(_inflated(layers, raw)):
            if number:
                await asyncio.sleep(0)  # a long one must not keep the loop from others
            yield piece


async def read(response: httpx.Response, most: int) -> tuple[bytes, bool]:
    """The first `most` bytes of a body, decoded, and whether they are all of it. Raises httpx's errors."""
    async with aclosing(pieces(response)) as parts:
        return await joined(parts, most)


async def joined(parts: AsyncIterator[bytes], most: int) -> tuple[bytes, bool]:
    """As `read`, of a body that somebody reads already."""
    found = bytearray()
    async for part in parts:
        found += part
        if len(found) > most:
            return bytes(found[:most]), False
    return bytes(found), True


class _Layer:
    """One compression of a body."""

    def __init__(self, name: str) -> None:
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS if name == "deflate" else zlib.MAX_WBITS | 16)
        self._head: bytes | None = b"" if name == "deflate" else None  # until it is known whether that is zlib's

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._head is not None:
            data = self._head + data
            if len(data) < 2:
                self._head = data
                return
            self._head = None
            if data[0] & 15 != zlib.DEFLATED or int.from_bytes(data[:2], "big") % 31:
                self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)  # some send deflate without zlib's head
        while not self._zlib.eof:
            problem = ""
            try:
                piece = self._zlib.decompress(data, PIECE)
            except zlib.error as raised:
                problem = str(raised)
            if problem:
                raise httpx.DecodingError(problem)
            if piece:
                yield piece
            data = self._zlib.unconsumed_tail
            if not data and len(piece) < PIECE:  # a full piece may have left some inside
                return


def _layers(response: httpx.Response) -> list[_Layer]:
    """What a body must go through, in this order."""
    found: list[_Layer] = []
    for told in response.headers.get_list("content-encoding", split_commas=True):
        name = told.strip().lower()
        if name in ("gzip", "x-gzip", "deflate"):
            found.insert(0, _Layer(name))
        elif name in ("br", "zstd"):
            raise httpx.DecodingError(t("net.encoding", name=name))
        if len(found) > _LAYERS:
            raise httpx.DecodingError(t("net.encoding", name=f"gzip × {len(found)}"))
    return found


def _inflated(layers: Sequence[_Layer], data: bytes) -> Iterator[bytes]:
    if not layers:
        yield data
        return
    for piece in layers[0].feed(data):
        yield from _inflated(layers[1:], piece)
