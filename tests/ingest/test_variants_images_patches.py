"""Shuffled patches and scrambled phases: what stays the same although nothing is where it was."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ingest.variants import Inapplicable, choose
from ingest.variants.base import ImageItem, rng_of
from ingest.variants.images.phase import scrambled

if TYPE_CHECKING:
    from numpy.typing import NDArray


def random_pixels(width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng([width, height]).integers(0, 256, (height, width, 3), np.uint8)


def altered(written: str, pixels: NDArray[np.uint8], name: str = "one") -> NDArray[np.uint8]:
    return np.asarray(choose(written).apply(ImageItem(name, Image.fromarray(pixels))))


def patches(pixels: NDArray[np.uint8], high: int, wide: int) -> list[bytes]:
    height, width, _ = pixels.shape
    return [
        pixels[top : top + high, left : left + wide].tobytes()
        for top in range(0, height, high)
        for left in range(0, width, wide)
    ]


@settings(max_examples=60, deadline=None)
@given(
    grid=st.integers(2, 9), more=st.integers(0, 6), side=st.integers(1, 7), upright=st.booleans()
)
def test_patches_are_the_same_in_another_order_where_sizes_divide(
    grid: int, more: int, side: int, upright: bool
) -> None:
    width, height = (grid + more) * side, grid * side
    if upright:
        width, height = height, width
    pixels = random_pixels(width, height)
    shuffled = altered(f"patch-shuffle:grid={grid}", pixels)
    assert sorted(patches(shuffled, side, side)) == sorted(patches(pixels, side, side))


@settings(max_examples=60, deadline=None)
@given(grid=st.integers(2, 9), width=st.integers(9, 70), height=st.integers(9, 70))
def test_no_pixel_is_lost_and_what_is_left_over_stays(grid: int, width: int, height: int) -> None:
    pixels = random_pixels(width, height)
    shuffled = altered(f"patch-shuffle:grid={grid}", pixels)
    assert np.array_equal(
        np.sort(pixels.reshape(-1, 3).view("V3"), 0), np.sort(shuffled.reshape(-1, 3).view("V3"), 0)
    )
    rows, columns = (round(grid * side / min(width, height)) for side in (height, width))
    assert min(rows, columns) == grid
    top, left = height % rows // 2, width % columns // 2
    bottom, right = height - (height % rows - top), width - (width % columns - left)
    border = np.ones((height, width), np.bool_)
    border[top:bottom, left:right] = False
    assert np.array_equal(shuffled[border], pixels[border])


def test_every_order_of_the_patches_is_equally_likely() -> None:
    pixels = np.arange(4, dtype=np.uint8).reshape(2, 2, 1).repeat(3, 2)
    draws = 2400
    orders = Counter(
        altered("patch-shuffle:grid=2", pixels, str(number))[:, :, 0].tobytes()
        for number in range(draws)
    )
    expected = draws / 24
    assert len(orders) == 24
    chi_squared = sum((count - expected) ** 2 / expected for count in orders.values())
    assert chi_squared < 23 + 5 * (2 * 23) ** 0.5  # 23 degrees of freedom, five spreads above


def test_too_few_pixels_for_the_patches_is_said() -> None:
    with pytest.raises(Inapplicable, match="fewer than 7 pixels"):
        altered("patch-shuffle", random_pixels(100, 6))
    assert altered("patch-shuffle", random_pixels(100, 7)).shape == (7, 100, 3)


@settings(max_examples=60, deadline=None)
@given(width=st.integers(1, 33), height=st.integers(1, 33))
def test_phase_scramble_keeps_amplitudes_means_and_the_channels_phases_to_each_other(
    width: int, height: int
) -> None:
    before = random_pixels(width, height).transpose(2, 0, 1)
    after = scrambled(before, np.random.default_rng(1))
    one, two = np.fft.fft2(before), np.fft.fft2(after)
    scale = before.size * 255
    assert np.abs(np.abs(one) - np.abs(two)).max() < 1e-12 * scale
    assert np.abs(before.mean((1, 2)) - after.mean((1, 2))).max() < 1e-9
    # cross spectra: with the amplitudes they say that one phase was added to all three
    assert np.abs(one[0] * one[1].conj() - two[0] * two[1].conj()).max() < 1e-12 * scale**2
    assert np.abs(one[0] * one[2].conj() - two[0] * two[2].conj()).max() < 1e-12 * scale**2


def test_the_phases_added_are_uniform() -> None:
    flat = np.zeros((1, 64, 64))
    flat[0, 0, 0] = 1  # every frequency with phase 0
    phases = np.angle(np.fft.fft2(scrambled(flat, np.random.default_rng(2))[0]))[1:32, 1:]
    counts, _ = np.histogram(phases, 8, (-np.pi, np.pi))
    expected = phases.size / 8
    assert ((counts - expected) ** 2 / expected).sum() < 7 + 5 * 14**0.5


def test_phase_scramble_is_the_scrambled_image_rounded_and_clipped() -> None:
    ground = np.full((50, 60, 3), 128, np.uint8)
    ground += random_pixels(60, 50) // 16  # little contrast: nothing is clipped
    got = altered("phase-scramble", ground).astype(float)
    amplitudes = [np.abs(np.fft.fft2(image, axes=(0, 1))) for image in (ground, got)]
    rounding = 6 * (ground.shape[0] * ground.shape[1] / 12) ** 0.5  # six spreads of rounding noise
    assert np.abs(amplitudes[0] - amplitudes[1]).max() < rounding
    assert np.abs(got - ground).max() > 5


def test_values_beyond_black_and_white_are_cut_off_and_do_not_wrap_around() -> None:
    pixels = np.where(np.arange(64)[:, None, None] < 6, 255, 0) + np.zeros((64, 48, 3), int)
    values = scrambled(pixels.transpose(2, 0, 1), rng_of("phase-scramble", 0, "one"))
    assert values.min() < -1  # there is something to cut off
    wanted = np.rint(values).clip(0, 255).transpose(1, 2, 0)
    assert np.array_equal(altered("phase-scramble", pixels.astype(np.uint8)), wanted)


def test_a_grey_image_stays_grey() -> None:
    grey = random_pixels(31, 22)[:, :, :1].repeat(3, 2)
    got = altered("phase-scramble", grey)
    assert (got == got[:, :, :1]).all()
