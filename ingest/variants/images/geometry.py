"""Variants that move the whole picture: mirrored, turned, cropped."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image

from ingest.variants.base import SEED, ImageItem, Variant, by_pillow
from vdb.settings import Parameter

if TYPE_CHECKING:
    import numpy as np


def horizontal_flip(item: ImageItem, _rng: np.random.Generator) -> Image.Image:
    """Mirror left and right."""
    return item.image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def upside_down(item: ImageItem, _rng: np.random.Generator) -> Image.Image:
    """Turn by 180 degrees: as a photo held the wrong way up, not mirrored."""
    return item.image.transpose(Image.Transpose.ROTATE_180)


def rotation(item: ImageItem, _rng: np.random.Generator, degrees: float) -> Image.Image:
    """Turn about the centre, enlarged by what it takes to leave no corner empty (bilinear).

    No pixel is made up; what lies near the border is lost instead. A w x h image turned by t is enlarged by
    ``cos t + max(w / h, h / w) sin t``: at 10 degrees 1.16 times if square, 1.22 times at 4:3.
    """
    width, height = item.image.size
    angle = math.radians(degrees)
    zoom = math.cos(angle) + abs(math.sin(angle)) * max(width / height, height / width)
    cos, sin = math.cos(angle) / zoom, math.sin(angle) / zoom
    x, y = width / 2, height / 2
    # From a point of the outcome to the point it shows: about the centre, y counted downwards.
    source = (cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y)
    return item.image.transform(
        item.image.size, Image.Transform.AFFINE, source, Image.Resampling.BILINEAR
    )


def crop(item: ImageItem, rng: np.random.Generator, keep: float) -> Image.Image:
    """Keep a part of the picture, anywhere, of the same shape, enlarged to the same size (bicubic).

    ``keep`` is the share of the area; the place is uniform over all that fit, between pixels too. The style stays,
    as does most of what there is to see.
    """
    width, height = item.image.size
    side = math.sqrt(keep)
    left, top = rng.random(2) * (1 - side) * (width, height)
    box = (left, top, min(left + side * width, width), min(top + side * height, height))
    return item.image.resize(item.image.size, Image.Resampling.BICUBIC, box)


VARIANTS = (
    Variant(
        "rotation",
        "image",
        "appearance",
        "Turned by a few degrees, without empty corners.",
        rotation,
        {"degrees": Parameter(10.0, "anticlockwise, in degrees", low=-45, high=45)},
        libraries=by_pillow,
    ),
    Variant("horizontal-flip", "image", "appearance", "Mirrored left and right.", horizontal_flip),
    Variant("upside-down", "image", "appearance", "Turned by 180 degrees.", upside_down),
    Variant(
        "crop",
        "image",
        "appearance",
        "A random part that keeps most of the picture.",
        crop,
        {"keep": Parameter(0.7, "share of the area that is kept", low=0.01, high=1), "seed": SEED},
        libraries=by_pillow,
    ),
)
"""The variants of the whole picture's place."""
