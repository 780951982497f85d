"""Grayscale, hue, brightness, contrast and posterise against closed forms."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ingest.variants import choose
from ingest.variants.base import ImageItem

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = np.arange(256)
RAMP = LEVELS.astype(np.uint8).reshape(16, 16, 1).repeat(3, 2)
COLOURS = np.random.default_rng(5).integers(0, 256, (60, 50, 3), np.uint8)


def altered(written: str, pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    outcome = choose(written).apply(ImageItem("one", Image.fromarray(pixels)))
    return np.asarray(outcome).astype(np.int64)


def test_grayscale_is_the_luma_of_bt601_in_three_equal_channels() -> None:
    grey = altered("grayscale", COLOURS)
    assert (grey == grey[:, :, :1]).all()
    luma = COLOURS @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey[:, :, 0] - luma).max() <= 0.5 + 1e-2  # weights of 16 bits, then rounded
    assert np.array_equal(altered("grayscale", RAMP), RAMP)


@settings(max_examples=30, deadline=None)
@given(degrees=st.integers(0, 360))
def test_hue_keeps_the_value_and_leaves_greys_alone(degrees: int) -> None:
    turned = altered(f"hue:degrees={degrees}", COLOURS)
    assert np.array_equal(turned.max(2), COLOURS.max(2))
    assert np.abs(turned.min(2) - COLOURS.min(2).astype(int)).max() <= 2  # saturation, in 8 bits
    assert np.array_equal(altered(f"hue:degrees={degrees}", RAMP), RAMP)


@pytest.mark.parametrize("degrees", [30, 90, 180, 300])
def test_hue_turns_by_the_angle_on_the_colour_wheel(degrees: int) -> None:
    turned = altered(f"hue:degrees={degrees}", COLOURS).reshape(-1, 3)
    for before, after in zip(COLOURS.reshape(-1, 3)[:500] / 255, turned[:500], strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*before)
        wanted = colorsys.hsv_to_rgb((hue + degrees / 360) % 1, saturation, value)
        # a hue of 8 bits is off by up to a step each way: 6 / 256 of the full range
        assert np.abs(np.array(wanted) * 255 - after).max() <= 2 * 6


def test_opposite_hues_swap_red_and_cyan() -> None:
    red = np.full((2, 3, 3), (255, 0, 0), np.uint8)
    assert np.abs(altered("hue", red)[0, 0] - (0, 255, 255)).max() <= 6


@settings(max_examples=30, deadline=None)
@given(factor=st.floats(0, 4))
def test_brightness_multiplies(factor: float) -> None:
    wanted = np.minimum(np.rint(factor * LEVELS), 255)
    assert np.array_equal(altered(f"brightness:factor={factor}", RAMP)[:, :, 1].ravel(), wanted)


def test_brightness_treats_each_channel_alike() -> None:
    assert np.array_equal(altered("brightness", COLOURS), np.rint(COLOURS * 0.5))


@settings(max_examples=30, deadline=None)
@given(factor=st.floats(0, 4))
def test_contrast_multiplies_distances_from_the_mean_luma(factor: float) -> None:
    wanted = np.clip(np.rint(127.5 + factor * (LEVELS - 127.5)), 0, 255)
    assert np.array_equal(altered(f"contrast:factor={factor}", RAMP)[:, :, 2].ravel(), wanted)


def test_contrast_keeps_the_mean_luma_and_lessens_the_spread() -> None:
    luma = altered("grayscale", COLOURS).mean()
    weaker = altered("contrast", COLOURS)
    assert abs(altered("grayscale", weaker.astype(np.uint8)).mean() - luma) < 0.5
    assert weaker.std() == pytest.approx(0.4 * COLOURS.std(), rel=0.02)


@pytest.mark.parametrize("bits", range(1, 8))
def test_posterise_leaves_even_levels_from_black_to_white(bits: int) -> None:
    shades = altered(f"posterise:bits={bits}", RAMP)[:, :, 0].ravel()
    assert np.unique(shades).tolist() == np.rint(np.linspace(0, 255, 2**bits)).tolist()
    assert (np.diff(shades) >= 0).all()
    assert np.bincount(shades)[np.unique(shades)].tolist() == [2 ** (8 - bits)] * 2**bits
