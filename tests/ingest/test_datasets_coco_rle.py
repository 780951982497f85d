"""Masks from polygons, run lengths and pictures of ids, against pycocotools."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as oracle

from ingest.datasets.masks import from_counts, from_ids, from_polygons
from vdb.errors import InputError

# pycocotools.mask.decode's own, of NumPy 2's protocol.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Pixels = NDArray[np.uint8]

pictures = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda size: st.lists(
        st.integers(0, 3), min_size=size[0] * size[1], max_size=size[0] * size[1]
    ).map(lambda ids: np.array(ids, dtype=np.uint32).reshape(size))
)


def encoded(pixels: Pixels) -> str:
    return str(oracle.encode(np.asfortranarray(pixels, dtype=np.uint8))["counts"].decode())


def decoded(counts: str, height: int, width: int) -> Pixels:
    made: Pixels = oracle.decode({"size": [height, width], "counts": counts.encode()})
    return made


def runs_of(pixels: Pixels) -> list[int]:
    """Count runs one pixel at a time, column by column, outside first."""
    runs, now = [0], 0
    for pixel in pixels.T.ravel().tolist():
        if pixel != now:
            runs.append(0)
            now = pixel
        runs[-1] += 1
    return runs


@settings(deadline=None)
@given(pictures)
def test_a_picture_of_ids_becomes_a_mask_for_each(picture: NDArray[np.uint32]) -> None:
    expected = {int(s): encoded(picture == s) for s in np.unique(picture) if s}
    assert from_ids(picture) == expected


def test_ids_of_three_bytes_are_kept_apart() -> None:
    picture = np.array([[256, 1, 65536], [65536 + 256 + 1, 0, 0xFFFFFF]], dtype=np.uint32)
    made = from_ids(picture)
    assert set(made) == {1, 256, 65536, 65793, 0xFFFFFF}
    assert decoded(made[65793], 2, 3).tolist() == [[0, 0, 0], [1, 0, 0]]


@settings(deadline=None)
@given(pictures)
def test_run_lengths_plain_and_compressed_are_the_same_mask(picture: NDArray[np.uint32]) -> None:
    pixels = (picture == 1).astype(np.uint8)
    height, width = pixels.shape
    expected = encoded(pixels) if pixels.any() else ""
    assert from_counts(runs_of(pixels), height, width) == expected
    assert from_counts(encoded(pixels), height, width) == expected


def test_long_runs_survive_compression() -> None:
    pixels = np.zeros((3000, 2000), dtype=np.uint8)
    pixels[1500:2999, 3:1999:7] = 1
    assert from_counts(encoded(pixels), 3000, 2000) == encoded(pixels)


@pytest.mark.parametrize(
    ("counts", "complaint"),
    [
        ([5, 4], "adds up to 9 pixels; the image has 4 x 3 = 12"),
        ([5, -2, 9], "a run of -2 pixels"),
        ([12.0], "array of whole numbers"),
        ([True, 11], "array of whole numbers"),
        (["12"], "array of whole numbers"),
        (None, "array of whole numbers"),
        ({}, "array of whole numbers"),
        ("~~", "no run-length encoding"),
        ("é", "no run-length encoding"),
        ("\0", "no run-length encoding"),
        ("oooooooooooo", "no run-length encoding"),
        ("P", "cut short"),
        ("", "adds up to 0 pixels"),
        ("94", "adds up to 13 pixels"),
        ([2**40], "adds up to"),
    ],
)
def test_what_is_no_run_lengths_of_the_image_never_reaches_c(
    counts: object, complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        from_counts(counts, 3, 4)


@settings(deadline=None)
@given(st.text(max_size=12))
def test_any_text_is_a_mask_or_an_error(text: str) -> None:
    try:
        counts = from_counts(text, 4, 4)
    except InputError:
        return
    if counts:
        assert decoded(counts, 4, 4).any()
        assert from_counts(counts, 4, 4) == counts


def test_a_rectangle_covers_its_pixels() -> None:
    counts, few = from_polygons([[2, 1, 5, 1, 5, 3, 2, 3]], 6, 8)
    expected = np.zeros((6, 8), dtype=np.uint8)
    expected[1:3, 2:5] = 1
    assert few == 0
    assert decoded(counts, 6, 8).tolist() == expected.tolist()


def test_several_polygons_are_one_mask() -> None:
    one, other = [0, 0, 3, 0, 3, 3, 0, 3], [2, 2, 6, 2, 6, 5, 2, 5]
    counts, _ = from_polygons([one, other], 6, 8)
    apart = [decoded(from_polygons([polygon], 6, 8)[0], 6, 8) for polygon in (one, other)]
    assert decoded(counts, 6, 8).tolist() == (apart[0] | apart[1]).tolist()
    assert apart[0].sum() + apart[1].sum() > decoded(counts, 6, 8).sum()


def test_what_lies_outside_is_cut_off() -> None:
    counts, _ = from_polygons([[-4, -3, 2, -3, 2, 2, -4, 2]], 6, 8)
    expected = np.zeros((6, 8), dtype=np.uint8)
    expected[:2, :2] = 1
    assert decoded(counts, 6, 8).tolist() == expected.tolist()
    assert from_polygons([[-4, -3, -2, -3, -2, -1, -4, -1]], 6, 8) == ("", 0)


def test_fewer_than_three_points_cover_nothing_and_are_counted() -> None:
    assert from_polygons([], 6, 8) == ("", 0)
    assert from_polygons([[], [1, 1], [1, 1, 4, 4]], 6, 8) == ("", 3)
    whole = [0, 0, 3, 0, 3, 3]
    assert from_polygons([[1, 1, 4, 4], whole], 6, 8) == (from_polygons([whole], 6, 8)[0], 1)


@pytest.mark.parametrize(
    ("polygon", "complaint"),
    [
        ([0, 0, 3, 0, 3], r"\[0\] has 5 numbers"),
        ([0, 0, "3", 0, 3, 3], "must be an array of numbers"),
        ([0, 0, True, 0, 3, 3], "must be an array of numbers"),
        ([0, 0, None, 0, 3, 3], "must be an array of numbers"),
        (5, "must be an array of numbers"),
        ([0, 0, float("nan"), 0, 3, 3], "goes to nan"),
        ([0, 0, float("inf"), 0, 3, 3], "goes to inf"),
        ([0, 0, 1e9, 0, 3, 3], r"goes to 1000000000\.0, further"),
        ([0, 0, 3, -7, 3, 3], "goes to -7, further"),
        ([0, 0, 10**400, 0, 3, 3], "goes to 1000"),
    ],
)
def test_what_is_no_polygon_never_reaches_c(polygon: object, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        from_polygons([polygon], 6, 8)


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.floats(-16, 32), st.floats(-12, 24)), min_size=3, max_size=6).map(
            lambda points: [value for point in points for value in point]
        ),
        min_size=1,
        max_size=3,
    )
)
def test_polygons_are_drawn_as_pycocotools_draws_them(polygons: list[list[float]]) -> None:
    counts, few = from_polygons(polygons, 12, 16)
    drawn = oracle.merge(oracle.frPyObjects(polygons, 12, 16))
    assert few == 0
    assert counts.encode() == (drawn["counts"] if oracle.area(drawn) else b"")
