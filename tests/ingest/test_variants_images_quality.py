"""Blur, noise, JPEG and low resolution against what they are defined to be."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from ingest.variants import Inapplicable, choose
from ingest.variants.base import ImageItem
from vdb.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def altered(written: str, pixels: NDArray[np.uint8], name: str = "one") -> NDArray[np.float64]:
    outcome = choose(written).apply(ImageItem(name, Image.fromarray(pixels)))
    return np.asarray(outcome).astype(np.float64)


def picture(width: int, height: int) -> NDArray[np.uint8]:
    """Draw smooth colours with a hard edge."""
    y, x = np.mgrid[:height, :width]
    planes = (x * 255 / width, y * 255 / height, 255 * (x > y))
    return np.stack(planes, 2).astype(np.uint8)


@pytest.mark.parametrize(("width", "height"), [(200, 150), (150, 200), (201, 333)])
def test_blur_is_a_gaussian_of_a_share_of_the_shorter_side(width: int, height: int) -> None:
    pixels = picture(width, height)
    sigma = 0.02 * min(width, height)
    wanted = ndimage.gaussian_filter(pixels.astype(float), (sigma, sigma, 0), mode="nearest")
    got = altered("blur:sigma=0.02", pixels)
    off = np.abs(got - wanted)
    edge = math.ceil(
        3 * sigma
    )  # nearer to the border each of the three boxes goes on in its own way
    assert off[edge:-edge, edge:-edge].max() < 0.03 * 255  # three boxes are not quite a Gaussian
    assert off.mean() < 1


def test_blur_looks_alike_at_every_size() -> None:
    small = picture(120, 90)
    large = small.repeat(3, 0).repeat(3, 1)
    shrunk = altered("blur:sigma=0.03", large).reshape(90, 3, 120, 3, 3).mean((1, 3))
    assert np.abs(shrunk - altered("blur:sigma=0.03", small)).mean() < 1.5


def test_noise_has_the_spread_asked_for_and_no_mean() -> None:
    grey = np.full((200, 300, 3), 128, np.uint8)
    added = altered("noise:sigma=0.1", grey) - 128
    assert added.std() == pytest.approx(25.5, rel=0.02)
    assert abs(added.mean()) < 4 * 25.5 / added.size**0.5
    channels = np.corrcoef(added.reshape(-1, 3).T) - np.eye(3)
    assert np.abs(channels).max() < 4 / 60_000**0.5  # drawn for each channel alone


def test_noise_is_clipped_and_never_wraps_around() -> None:
    assert altered("noise:sigma=0.1", np.full((40, 40, 3), 255, np.uint8)).min() > 100
    assert altered("noise:sigma=0.1", np.zeros((40, 40, 3), np.uint8)).max() < 155


def test_noise_of_nothing_is_the_image() -> None:
    pixels = picture(31, 17)
    assert np.array_equal(altered("noise:sigma=0", pixels), pixels)


def test_jpeg_is_what_a_file_of_that_quality_holds() -> None:
    pixels = picture(123, 77)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=20, subsampling=2)
    assert np.array_equal(altered("jpeg:quality=20", pixels), np.asarray(Image.open(file)))


def test_worse_jpeg_is_further_from_the_original() -> None:
    pixels = picture(123, 77)
    errors = [np.abs(altered(f"jpeg:quality={q}", pixels) - pixels).mean() for q in (5, 30, 95)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 3


def test_what_jpeg_cannot_hold_is_a_failure_that_says_so() -> None:
    with pytest.raises(InputError, match="at most 65500 pixels a side, the image has 65501"):
        choose("jpeg").apply(ImageItem("one", Image.new("RGB", (65_501, 1))))


@settings(max_examples=30, deadline=None)
@given(pixels=st.integers(1, 12), across=st.integers(1, 4), times=st.integers(2, 5))
def test_low_resolution_averages_where_sizes_divide(pixels: int, across: int, times: int) -> None:
    width, height = pixels * across * times, pixels * times
    image = picture(width, height)
    few = image.reshape(pixels, times, pixels * across, times, 3).mean((1, 3))
    wanted = Image.fromarray(np.floor(few + 0.5).astype(np.uint8))
    wanted = wanted.resize((width, height), Image.Resampling.BICUBIC)
    got = altered(f"low-resolution:pixels={pixels}", image)
    assert np.abs(got - np.asarray(wanted)).max() <= 2  # the average is rounded once a direction


def test_low_resolution_of_few_pixels_is_not_made() -> None:
    with pytest.raises(Inapplicable, match="no more than 32 pixels"):
        altered("low-resolution", picture(32, 900))
    assert altered("low-resolution", picture(33, 900)).shape == (900, 33, 3)
