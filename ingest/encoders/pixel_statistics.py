"""Pixel statistics: what an image says without any model, as a space like any other; the control of the vision side.

It answers to the name ``pixel-statistics``. An image is shrunk to 64 x 64 RGB pixels with values in [0, 1], and its
layers, all at depth 0, are:

- ``colour moments`` (12): mean, standard deviation and skewness of each channel, correlation of each two of them;
- ``colour histogram`` (64): square roots of the shares of pixels in 4 x 4 x 4 bins of red, green and blue;
- ``thumbnail`` (192): means over 8 x 8 fields;
- ``edges`` (128): in 4 x 4 fields, the sum of gradient magnitudes of the grey image by 8 orientations (histograms of
  oriented gradients: Dalal and Triggs, CVPR 2005, without their block normalisation).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ingest.encoders.base import Prepared
from ingest.encoders.identity import versions_of
from ingest.encoders.load import PIXEL_STATISTICS as NAME
from vdb.errors import InputError, ModelError, NotFoundError
from vdb.recipe import Layer, Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ingest.encoders.base import EncoderOptions, Target

    Pixels = NDArray[np.float64]

_SIDE = 64
_BINS = 4
_THUMBNAIL = 8
_FIELDS = 4
_ORIENTATIONS = 8
_FLAT = 1e-12
"""A standard deviation below it is that of one colour: skewness and correlation are then 0."""

_LAYERS = (
    Layer("colour moments", 12, 0.0),
    Layer("colour histogram", _BINS**3, 0.0),
    Layer("thumbnail", 3 * _THUMBNAIL**2, 0.0),
    Layer("edges", _FIELDS**2 * _ORIENTATIONS, 0.0),
)


class PixelStatistics:
    """The encoder; implements :class:`ingest.encoders.base.Encoder`."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe

    @property
    def recipe(self) -> Recipe:
        """What decides the numbers."""
        return self._recipe

    def prepare(self, item: Any) -> Prepared:  # noqa: ANN401 - the protocol's signature
        """Compute the statistics of one RGB image. Thread-safe.

        Raises
        ------
        InputError
            It is not an RGB ``PIL.Image.Image``.
        """
        if not isinstance(item, Image.Image) or item.mode != "RGB":
            got = f"mode {item.mode}" if isinstance(item, Image.Image) else type(item).__name__
            raise InputError(f"{NAME}: takes an RGB image, not {got}")
        small = item.resize((_SIDE, _SIDE), Image.Resampling.BOX)
        return Prepared(statistics(np.asarray(small, dtype=np.float64) / 255))

    def encode(self, batch: Sequence[Prepared]) -> NDArray[np.floating]:
        """Put statistics together: see :meth:`ingest.encoders.base.Encoder.encode`."""
        width = sum(layer.width for layer in _LAYERS)
        out = np.empty((len(batch), width), dtype=self._recipe.stored_dtype)
        for row, item in zip(out, batch, strict=True):
            row[:] = item.data
        return out


def statistics(pixels: Pixels) -> Pixels:
    """Compute the statistics of one image.

    Parameters
    ----------
    pixels : (64, 64, 3) float64 array
        In [0, 1].

    Returns
    -------
    (396,) float64 array
        The layers side by side.
    """
    return np.concatenate(
        [_moments(pixels), _histogram(pixels), _fields(pixels, _THUMBNAIL), _edges(pixels)]
    )


def _moments(pixels: Pixels) -> Pixels:
    flat = pixels.reshape(-1, 3)
    mean, spread = flat.mean(axis=0), flat.std(axis=0)
    standard = np.where(spread > _FLAT, (flat - mean) / np.maximum(spread, _FLAT), 0.0)
    skewness = (standard**3).mean(axis=0)
    correlation = standard.T @ standard / len(flat)
    return np.concatenate([mean, spread, skewness, correlation[np.triu_indices(3, 1)]])


def _histogram(pixels: Pixels) -> Pixels:
    bins = np.minimum((pixels * _BINS).astype(np.int64), _BINS - 1).reshape(-1, 3)
    places = bins @ np.array([_BINS**2, _BINS, 1])
    share: Pixels = np.bincount(places, minlength=_BINS**3) / len(places)
    return np.sqrt(share)


def _fields(values: Pixels, side: int) -> Pixels:
    """Average over side x side fields, channel by channel."""
    step = len(values) // side
    means: Pixels = values.reshape(side, step, side, step, -1).mean(axis=(1, 3))
    return means.reshape(-1)


def _edges(pixels: Pixels) -> Pixels:
    down, across = np.gradient(pixels.mean(axis=2))
    size = np.hypot(down, across)
    turn = np.arctan2(down, across) % np.pi  # an edge has no sign
    which = np.minimum((turn / np.pi * _ORIENTATIONS).astype(np.int64), _ORIENTATIONS - 1)
    parts = size[..., None] * (which[..., None] == np.arange(_ORIENTATIONS))
    return _fields(parts, _FIELDS)


def load(target: Target, options: EncoderOptions) -> PixelStatistics:
    """Make the encoder.

    Raises
    ------
    NotFoundError
        The prefix was given with another name.
    ModelError
        Something was asked of it that only a model has.
    """
    if target.location != NAME:
        raise NotFoundError.named("model without weights", target.location, [NAME])
    if options.random_init is not None:
        raise ModelError(f"{NAME}: has no weights to draw; leave --random-init out")
    if options.pooling is not None:
        raise ModelError(f"{NAME}: has no tokens to pool; leave --pool out")
    recipe = Recipe(
        model=NAME,
        library="vdb",
        source=NAME,
        revision="1",
        weights="none",
        modality="image",
        pooling="none",
        dtype="float64",
        stored_dtype=options.stored_dtype,
        layers=_LAYERS,
        preprocessing={"resize": [_SIDE, _SIDE], "interpolation": "box"},
        versions=versions_of(("numpy", "pillow")),
        parameters=0,
    )
    return PixelStatistics(recipe)
