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
CHUNK = 262_144
#: How often a body may be packed: a gateway may pack again what the server had packed.
_MAX_LAYERS = 2


async def iter_decoded(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """A body as it comes, decoded. Raises httpx's errors."""
    import asyncio

    try:
        content = response.content
    except httpx.ResponseNotRead:
        pass
    else:  # a transport that gives answers whole
        yield content
        return
    decoders = _decoders_of(response)
    async for raw in response.aiter_raw():
        if not decoders:
            yield raw
            continue
        for number, piece in enumerate(_decode(decoders, raw)):
            if number:
                await asyncio.sleep(0)  # a long one must not keep the loop from others
            yield piece


async def read(response: httpx.Response, limit: int) -> tuple[bytes, bool]:
    """The first `limit` bytes of a body, decoded, and whether they are all of it. Raises httpx's errors."""
    async with aclosing(iter_decoded(response)) as parts:
        return await read_chunks(parts, limit)


async def read_chunks(parts: AsyncIterator[bytes], limit: int) -> tuple[bytes, bool]:
    """As `read`, of a body that somebody reads already."""
    body = bytearray()
    async for part in parts:
        body += part
        if len(body) > limit:
            return bytes(body[:limit]), False
    return bytes(body), True


class _Decoder:
    """One compression of a body."""

    def __init__(self, name: str) -> None:
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS if name == "deflate" else zlib.MAX_WBITS | 16)
        self._header: bytes | None = b"" if name == "deflate" else None  # until it is known whether that is zlib's

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._header is not None:
            data = self._header + data
            if len(data) < 2:
                self._header = data
                return
            self._header = None
            if data[0] & 15 != zlib.DEFLATED or int.from_bytes(data[:2], "big") % 31:
                self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)  # some send deflate without zlib's head
        while not self._zlib.eof:
            problem = ""
            try:
                piece = self._zlib.decompress(data, CHUNK)
            except zlib.error as raised:
                problem = str(raised)
            if problem:
                raise httpx.DecodingError(problem)
            if piece:
                yield piece
            data = self._zlib.unconsumed_tail
            if not data and len(piece) < CHUNK:  # a full piece may have left some inside
                return


def _decoders_of(response: httpx.Response) -> list[_Decoder]:
    """What a body must go through, in this order."""
    decoders: list[_Decoder] = []
    for encoding in response.headers.get_list("content-encoding", split_commas=True):
        name = encoding.strip().lower()
        if name in ("gzip", "x-gzip", "deflate"):
            decoders.insert(0, _Decoder(name))
        elif name in ("br", "zstd"):
            raise httpx.DecodingError(t("net.encoding", name=name))
        if len(decoders) > _MAX_LAYERS:
            raise httpx.DecodingError(t("net.encoding", name=f"gzip × {len(decoders)}"))
    return decoders


def _decode(decoders: Sequence[_Decoder], data: bytes) -> Iterator[bytes]:
    if not decoders:
        yield data
        return
    for piece in decoders[0].feed(data):
        yield from _decode(decoders[1:], piece)
