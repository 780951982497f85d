"""Flip, upside-down, rotation and crop: where each pixel comes from."""

from __future__ import annotations

import math
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

SIDES = st.integers(1, 60)


def item_of(pixels: NDArray[np.uint8], name: str = "one") -> ImageItem:
    return ImageItem(name, Image.fromarray(pixels))


def random_pixels(width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng([width, height]).integers(0, 256, (height, width, 3), np.uint8)


def places(width: int, height: int) -> NDArray[np.uint8]:
    """Draw a picture whose red tells x and whose green tells y, of pixel centres, in steps of two levels."""
    y, x = np.mgrid[:height, :width] + 0.5
    return np.stack([2 * x, 2 * y, np.zeros_like(x)], 2).astype(np.uint8)


@settings(deadline=None)
@given(width=SIDES, height=SIDES)
def test_flip_and_upside_down_are_exact_and_undo_themselves(width: int, height: int) -> None:
    pixels = random_pixels(width, height)
    for name, wanted in (("horizontal-flip", pixels[:, ::-1]), ("upside-down", pixels[::-1, ::-1])):
        once = choose(name).apply(item_of(pixels))
        assert np.array_equal(once, wanted)
        assert np.array_equal(choose(name).apply(ImageItem("one", once)), pixels)


@pytest.mark.parametrize(("width", "height"), [(100, 100), (120, 80), (45, 117)])
@pytest.mark.parametrize("degrees", [-30, -10, 3, 10, 45])
def test_rotation_shows_the_turned_and_enlarged_place(
    width: int, height: int, degrees: int
) -> None:
    got = np.asarray(choose(f"rotation:degrees={degrees}").apply(item_of(places(width, height))))
    angle = math.radians(degrees)
    zoom = math.cos(angle) + abs(math.sin(angle)) * max(width / height, height / width)
    y, x = np.mgrid[:height, :width] + 0.5
    right, up = (x - width / 2) / zoom, (height / 2 - y) / zoom  # as on paper: y upwards
    # what is seen at a place stood, before an anticlockwise turn, at the place turned back clockwise
    source_x = width / 2 + right * math.cos(angle) + up * math.sin(angle)
    source_y = height / 2 - (-right * math.sin(angle) + up * math.cos(angle))
    off = np.stack([got[:, :, 0] - 2 * source_x, got[:, :, 1] - 2 * source_y])
    assert np.abs(off).max() <= 2  # levels, two a pixel: at a border half a pixel is made up


@settings(max_examples=50, deadline=None)
@given(width=SIDES, height=SIDES, degrees=st.integers(-45, 45))
def test_rotation_leaves_no_corner_empty(width: int, height: int, degrees: int) -> None:
    white = np.full((height, width, 3), 255, np.uint8)
    assert np.array_equal(choose(f"rotation:degrees={degrees}").apply(item_of(white)), white)


def test_rotation_by_nothing_is_the_image() -> None:
    pixels = random_pixels(37, 23)
    assert np.array_equal(choose("rotation:degrees=0").apply(item_of(pixels)), pixels)


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.95])
def test_crop_shows_a_part_of_that_area_inside_the_image(keep: float) -> None:
    width, height = 120, 90
    item = places(width, height)
    corners = []
    for number in range(200):
        got = np.asarray(choose(f"crop:keep={keep}").apply(item_of(item, str(number)))) / 2
        inner = got[10:-10, 10:-10]  # away from borders, where bicubic has less to go by
        steps_x, steps_y = np.diff(inner[:, :, 0], axis=1).mean(), np.diff(inner[:, :, 1], axis=0)
        assert steps_x == pytest.approx(math.sqrt(keep), rel=0.02)  # source pixels a pixel
        assert steps_y.mean() == pytest.approx(math.sqrt(keep), rel=0.02)
        corners.append((got[0, 0, 0], got[0, 0, 1], got[-1, -1, 0], got[-1, -1, 1]))
    left, top, right, bottom = np.array(corners).T
    side = math.sqrt(keep)
    for low, high, length in ((left, right, width), (top, bottom, height)):
        assert low.min() >= 0
        assert high.max() <= length
        room = length * (1 - side)
        # uniform over the room: the mean is its middle, within 4 standard errors and half a pixel
        error = 4 * room / math.sqrt(12 * len(low)) + 1
        assert low.mean() - side / 2 == pytest.approx(room / 2, abs=error)


def test_crop_of_everything_is_the_image() -> None:
    pixels = random_pixels(41, 29)
    assert np.array_equal(choose("crop:keep=1").apply(item_of(pixels)), pixels)
