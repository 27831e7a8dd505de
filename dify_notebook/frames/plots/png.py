"""PNGs with a transparent ground, of two that were drawn on white and on black."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image


def transparent(on_white: bytes, on_black: bytes) -> bytes:
    """The picture that looks like the one on white and like the other on black.

    What shines through a pixel is what the two differ by: white minus black is 255 where there is nothing.
    """
    white, black = (np.asarray(Image.open(BytesIO(png)).convert("RGB"), "int32") for png in (on_white, on_black))
    alpha = 255 - np.clip(np.rint((white - black).mean(axis=2)), 0, 255).astype("int32")
    divisor = np.maximum(alpha, 1)[..., None]
    colour = np.clip((black * 255 + divisor // 2) // divisor, 0, 255)
    rgba = np.concatenate([colour, alpha[..., None]], axis=2)
    rgba[alpha == 0] = 0
    buffer = BytesIO()
    Image.fromarray(rgba.astype("uint8")).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
