"""The variant that takes the whole apart and keeps its parts: patches in another order."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ingest.variants.base import SEED, ImageItem, Inapplicable, Variant
from vdb.settings import Parameter


def patch_shuffle(item: ImageItem, rng: np.random.Generator, grid: int) -> Image.Image:
    """Cut into patches and lay them out by a uniform permutation (a patch may come to lie where it was).

    There are ``grid`` patches along the shorter side and, along the longer one, as many as make them nearest to
    square. All are of one size, as many whole pixels as go in; where a side does not divide, what is left over, less
    than a pixel a patch, stays in place as a border, half of it on either side.

    Raises
    ------
    Inapplicable
        The shorter side has fewer pixels than patches.
    """
    pixels = np.array(item.image)
    height, width, _ = pixels.shape
    shorter = min(height, width)
    if shorter < grid:
        raise Inapplicable(f"its shorter side has fewer than {grid} pixels, one for each patch")
    rows, columns = round(grid * height / shorter), round(grid * width / shorter)
    high, wide = height // rows, width // columns
    top, left = (height - rows * high) // 2, (width - columns * wide) // 2
    inside = pixels[top : top + rows * high, left : left + columns * wide]
    patches = inside.reshape(rows, high, columns, wide, 3).swapaxes(1, 2)
    order = rng.permutation(rows * columns)
    moved = patches.reshape(-1, high, wide, 3)[order].reshape(patches.shape)
    inside[:] = moved.swapaxes(1, 2).reshape(inside.shape)
    return Image.fromarray(pixels)


VARIANTS = (
    Variant(
        "patch-shuffle",
        "image",
        "semantic",
        "Cut into patches that change places.",
        patch_shuffle,
        {"grid": Parameter(7, "patches along the shorter side", low=2, high=1024), "seed": SEED},
    ),
)
"""The variant of patches."""
