"""The variant that keeps how much of each spatial frequency there is, and nothing of where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy import fft

from ingest.variants.base import SEED, ImageItem, Variant

if TYPE_CHECKING:
    from numpy.typing import NDArray


def scrambled(channels: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.float64]:
    """Add a random phase to every spatial frequency.

    The phase is that of white noise, the same for all channels, so that it is uniform, odd as the phase of a real
    image must be, and leaves the channels' phases to each other, and with them the colours' correlation, alone. The
    amplitude spectrum of each channel is kept, its mean with it.

    Parameters
    ----------
    channels : (c, h, w) array
    rng : numpy.random.Generator

    Returns
    -------
    (c, h, w) array of float64
        Values may leave the range they had.
    """
    size = channels.shape[1:]
    turn = fft.rfft2(rng.standard_normal(size))
    turn /= np.abs(turn)
    turn[0, 0] = 1  # the mean has no phase to turn but its sign
    spectrum = fft.rfft2(channels.astype(np.float64))
    outcome: NDArray[np.float64] = fft.irfft2(spectrum * turn, size)
    return outcome


def phase_scramble(item: ImageItem, rng: np.random.Generator) -> Image.Image:
    """Give every spatial frequency a random phase, the same in red, green and blue; rounded and clipped to 8 bits.

    Clipping is the one thing that alters the amplitudes: values beyond black and white are cut off. On 100 photos of
    COCO's val2017 those were 7 % of the values in the median, 23 % at most, and the spread of the values fell by 6 %
    in the median. The picture counts as periodic, so that a step between opposite borders is in the spectrum too.
    """
    channels = scrambled(np.asarray(item.image).transpose(2, 0, 1), rng)
    np.rint(channels, out=channels)
    channels.clip(0, 255, out=channels)
    return Image.fromarray(np.ascontiguousarray(channels.transpose(1, 2, 0), dtype=np.uint8))


VARIANTS = (
    Variant(
        "phase-scramble",
        "image",
        "semantic",
        "The amplitude spectrum kept, the phases random.",
        phase_scramble,
        {"seed": SEED},
        libraries=lambda _: ("scipy",),
    ),
)
"""The variant of phase."""
