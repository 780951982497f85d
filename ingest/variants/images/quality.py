"""Variants that spoil a picture: blur, noise, compression, few pixels."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageFilter

from ingest.variants.base import SEED, ImageItem, Inapplicable, Variant, by_pillow
from vdb.errors import InputError
from vdb.settings import Parameter

if TYPE_CHECKING:
    from numpy.typing import NDArray

_JPEG_SIDE: Final = 65_500  # of the format, as libjpeg has it
_WHITE: Final = 255


def blur(item: ImageItem, _rng: np.random.Generator, sigma: float) -> Image.Image:
    """Blur with a Gaussian of ``sigma`` shorter sides, as Pillow comes near it with three box blurs.

    Beyond the border the picture goes on with its outermost pixels.
    """
    return item.image.filter(ImageFilter.GaussianBlur(sigma * min(item.image.size)))


def noise(item: ImageItem, rng: np.random.Generator, sigma: float) -> Image.Image:
    """Add Gaussian noise, drawn for each pixel and channel, and clip to 8 bits.

    The grain is one pixel of the file, so a model that scales a large photo down averages some of it away.
    """
    drawn = rng.standard_normal((item.image.height, item.image.width, 3), dtype=np.float32)
    drawn *= np.float32(sigma * _WHITE)
    drawn += np.asarray(item.image)
    return Image.fromarray(_to_8_bits(drawn))


def _to_8_bits(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    np.rint(values, out=values)
    return values.clip(0, _WHITE, out=values).astype(np.uint8)


def jpeg(item: ImageItem, _rng: np.random.Generator, quality: int) -> Image.Image:
    """Write as JPEG (colours at half resolution) and read again.

    Raises
    ------
    InputError
        A side is longer than the format allows.
    """
    if max(item.image.size) > _JPEG_SIDE:
        raise InputError(
            f"a JPEG has at most {_JPEG_SIDE} pixels a side, the image has {max(item.image.size)}"
        )
    file = io.BytesIO()
    item.image.save(file, "JPEG", quality=quality, subsampling="4:2:0")
    with Image.open(file) as read:
        read.load()
        return read.convert("RGB")


def low_resolution(item: ImageItem, _rng: np.random.Generator, pixels: int) -> Image.Image:
    """Average to ``pixels`` along the shorter side, as many as fit along the other, and enlarge smoothly again.

    Raises
    ------
    Inapplicable
        It has no more pixels than that.
    """
    image = item.image
    shorter = min(image.size)
    if shorter <= pixels:
        raise Inapplicable(f"its shorter side has no more than {pixels} pixels")
    few = tuple(max(1, round(side * pixels / shorter)) for side in image.size)
    small = image.resize((few[0], few[1]), Image.Resampling.BOX)
    return small.resize(image.size, Image.Resampling.BICUBIC)


VARIANTS = (
    Variant(
        "blur",
        "image",
        "appearance",
        "Out of focus: a Gaussian blur.",
        blur,
        {"sigma": Parameter(0.01, "in shorter sides of the image", low=0, high=1)},
        libraries=by_pillow,
    ),
    Variant(
        "noise",
        "image",
        "appearance",
        "Gaussian noise on every pixel.",
        noise,
        {"sigma": Parameter(0.15, "spread; 1 is from black to white", low=0, high=1), "seed": SEED},
    ),
    Variant(
        "jpeg",
        "image",
        "appearance",
        "Strong JPEG compression.",
        jpeg,
        {"quality": Parameter(8, "JPEG quality, 100 the best", low=1, high=100)},
        libraries=by_pillow,
    ),
    Variant(
        "low-resolution",
        "image",
        "appearance",
        "Few pixels, enlarged again.",
        low_resolution,
        {"pixels": Parameter(32, "pixels left along the shorter side", low=1, high=4096)},
        libraries=by_pillow,
    ),
)
"""The variants of picture quality."""
