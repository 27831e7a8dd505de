"""PNGs with a transparent ground, of two that were drawn on white and on black."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

_HEAD = b"\x89PNG\r\n\x1a\n"


def transparent(on_white: bytes, on_black: bytes) -> bytes:
    """The picture that looks like the one on white and like the other on black.

    What shines through a pixel is what the two differ by: white minus black is 255 where there is nothing.
    """
    white, black = (pixels(png)[..., :3].astype("int32") for png in (on_white, on_black))
    alpha = 255 - np.clip(np.rint((white - black).mean(axis=2)), 0, 255).astype("int32")
    seen = np.maximum(alpha, 1)[..., None]
    colour = np.clip((black * 255 + seen // 2) // seen, 0, 255)
    whole = np.concatenate([colour, alpha[..., None]], axis=2)
    whole[alpha == 0] = 0
    return packed(whole.astype("uint8"))


def pixels(png: bytes) -> Any:
    """The pixels of an 8-bit RGBA picture: rows, columns, 4.

    Raises:
        ValueError: it is another kind of picture.
    """
    at, body, size = 8, b"", (0, 0)
    while at < len(png):
        length, kind = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8]
        data = png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            size = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
            if data[8:] != b"\x08\x06\x00\x00\x00":
                raise ValueError(f"not an 8-bit RGBA picture: {data[8:]!r}")
        elif kind == b"IDAT":
            body += data
        at += length + 12
    width, height = size
    lines = np.frombuffer(zlib.decompress(body), "uint8").reshape(height, 1 + 4 * width)
    made = np.empty((height, width, 4), "uint8")
    above = np.zeros((width, 4), "uint8")
    for row, line in enumerate(lines):
        made[row] = above = _unfiltered(int(line[0]), line[1:].reshape(width, 4), above)
    return made


def _unfiltered(kind: int, told: Any, above: Any) -> Any:
    """A line of pixels from what PNG tells of it: the differences to its neighbours."""
    if kind == 0:
        return told
    if kind == 1:
        return np.cumsum(told, axis=0, dtype="uint8")
    if kind == 2:
        return told + above
    if kind not in (3, 4):
        raise ValueError(f"PNG has no filter {kind}")
    line, left, corner = [], [0] * 4, [0] * 4
    for pixel, over in zip(told.tolist(), above.tolist(), strict=True):
        near = _means(left, over) if kind == 3 else list(map(_nearest, left, over, corner))
        left = [(value + by) & 255 for value, by in zip(pixel, near, strict=True)]
        corner = over
        line.append(left)
    return np.array(line, "uint8").reshape(-1, 4)


def _means(left: list[int], above: list[int]) -> list[int]:
    return [(one + other) // 2 for one, other in zip(left, above, strict=True)]


def _nearest(left: int, above: int, corner: int) -> int:
    """Paeth's: the neighbour that is nearest to left + above - corner."""
    guess = left + above - corner
    return min((left, above, corner), key=lambda value: abs(guess - value))


def packed(pixels: Any) -> bytes:
    """Pixels as a PNG, packed well: a third of what the drawing library writes."""
    height, width, _ = pixels.shape
    lines = np.zeros((height, 1 + 4 * width), "uint8")
    lines[:, 0] = 1
    differences = pixels.copy()
    differences[:, 1:] -= pixels[:, :-1]
    lines[:, 1:] = differences.reshape(height, -1)
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x06\x00\x00\x00"
    body = zlib.compress(lines.tobytes(), 9)
    return _HEAD + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
