"""Variants that change colours alone: every pixel stays where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from ingest.variants.base import ImageItem, Variant, by_pillow
from vdb.settings import Parameter

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS: Final = np.arange(256)
"""Every value a pixel can have."""


def grayscale(item: ImageItem, _rng: np.random.Generator) -> Image.Image:
    """Keep the luma of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, in all three channels."""
    return item.image.convert("L").convert("RGB")


def hue(item: ImageItem, _rng: np.random.Generator, degrees: float) -> Image.Image:
    """Turn every hue by an angle on the HSV wheel; greys have none and stay.

    The largest channel of each pixel (its HSV value) is kept exactly. Hue and saturation go through 8 bits,
    steps of 1.4 degrees and of 1/255.
    """
    hues, saturation, value = item.image.convert("HSV").split()
    turned = hues.point(((LEVELS + round(degrees * 256 / 360)) % 256).tolist())
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")


def brightness(item: ImageItem, _rng: np.random.Generator, factor: float) -> Image.Image:
    """Multiply every value by ``factor``, clipped at white."""
    return _mapped(item.image, factor * LEVELS)


def contrast(item: ImageItem, _rng: np.random.Generator, factor: float) -> Image.Image:
    """Multiply every value's distance from the image's mean luma by ``factor``, clipped at black and white."""
    mean = LEVELS @ item.image.convert("L").histogram() / (item.image.width * item.image.height)
    return _mapped(item.image, mean + factor * (LEVELS - mean))


def posterise(item: ImageItem, _rng: np.random.Generator, bits: int) -> Image.Image:
    """Leave ``2 ** bits`` levels to each channel: the upper bits, spread evenly from 0 to 255.

    Black stays black and white stays white.
    """
    return _mapped(item.image, (LEVELS >> (8 - bits)) * 255 / (2**bits - 1))


def _mapped(image: Image.Image, values: NDArray[np.floating]) -> Image.Image:
    """Send each level of each channel to ``values[level]``, rounded and clipped to 8 bits."""
    return image.point(np.rint(values).clip(0, 255).astype(int).tolist() * 3)


VARIANTS = (
    Variant(
        "grayscale",
        "image",
        "appearance",
        "No colour: the luma alone.",
        grayscale,
        libraries=by_pillow,
    ),
    Variant(
        "hue",
        "image",
        "appearance",
        "Every hue turned on the colour wheel.",
        hue,
        {"degrees": Parameter(180.0, "angle of the turn, in degrees", low=0, high=360)},
        libraries=by_pillow,
    ),
    Variant(
        "brightness",
        "image",
        "appearance",
        "Darker, or brighter with a factor above 1.",
        brightness,
        {"factor": Parameter(0.5, "what every value is multiplied by", low=0, high=10)},
    ),
    Variant(
        "contrast",
        "image",
        "appearance",
        "Paler about the mean luma, or starker with a factor above 1.",
        contrast,
        {"factor": Parameter(0.4, "what every distance from the mean is multiplied by", 0, 10)},
        libraries=by_pillow,
    ),
    Variant(
        "posterise",
        "image",
        "appearance",
        "Few levels a channel.",
        posterise,
        {"bits": Parameter(2, "bits a channel keeps", low=1, high=7)},
    ),
)
"""The variants of colour."""
