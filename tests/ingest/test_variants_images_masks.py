"""Things, stuff, removed objects and silhouettes: what is kept, what fills, and when there is nothing to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from ingest.variants import Inapplicable, choose
from ingest.variants.base import ImageItem, Segment
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

HEIGHT, WIDTH = 40, 50
FILLS = ("mean", "blur", "inpaint")
PIXELS = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def box(top: int, left: int, bottom: int, right: int) -> NDArray[np.bool_]:
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[top:bottom, left:right] = True
    return mask


DOG, CAT, PUPPY = box(5, 5, 15, 20), box(20, 30, 24, 34), box(30, 5, 33, 9)
FLOCK = box(0, 25, 20, 50)  # larger than any dog, but a crowd
VOID = box(38, 0, 40, 50)
GRASS = ~(DOG | CAT | PUPPY | FLOCK | VOID)


def thing(category: str, mask: NDArray[np.bool_], *, crowd: bool = False) -> Segment:
    return Segment(category, is_thing=True, is_crowd=crowd, mask=mask)


def stuff(category: str, mask: NDArray[np.bool_]) -> Segment:
    return Segment(category, is_thing=False, is_crowd=False, mask=mask)


SCENE = (
    thing("puppy dog", PUPPY),
    thing("dog", DOG),
    thing("cat", CAT),
    thing("sheep", FLOCK, crowd=True),
    stuff("grass", GRASS),
)


def altered(written: str, segments: Sequence[Segment] = SCENE) -> NDArray[np.uint8]:
    item = ImageItem("one", Image.fromarray(PIXELS), tuple(segments))
    return np.asarray(choose(written).apply(item))


def reason(written: str, segments: Sequence[Segment]) -> str:
    with pytest.raises(Inapplicable) as caught:
        altered(written, segments)
    return str(caught.value)


CASES = [
    ("things-only", GRASS | VOID),
    ("stuff-only", ~GRASS),
    ("object-removed", DOG),
    ("object-removed:which=all", DOG | CAT | PUPPY | FLOCK),
    ("object-removed:which=cat", CAT),
    ("object-removed:which=puppy dog", PUPPY),
    ("object-removed:which=sheep", FLOCK),
]


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize(("written", "removed"), CASES)
def test_what_is_kept_stays_bit_for_bit_and_the_rest_is_filled(
    written: str, removed: NDArray[np.bool_], fill: str
) -> None:
    outcome = altered(f"{written}:fill={fill}")
    assert np.array_equal(outcome[~removed], PIXELS[~removed])
    assert (outcome[removed] != PIXELS[removed]).any(1).mean() > 0.9


@pytest.mark.parametrize(("written", "removed"), CASES)
def test_the_mean_fill_is_the_mean_of_the_kept_pixels(
    written: str, removed: NDArray[np.bool_]
) -> None:
    wanted = np.rint(PIXELS[~removed].mean(0))
    assert np.array_equal(np.unique(altered(written)[removed], axis=0), [wanted])


@pytest.mark.parametrize("fill", ["mean", "inpaint"])
def test_mean_and_inpaint_hold_nothing_of_what_was_removed(fill: str) -> None:
    item = [ImageItem("one", Image.fromarray(pixels), SCENE) for pixels in (PIXELS, PIXELS.copy())]
    other = PIXELS.copy()
    other[DOG] = 255 - other[DOG]
    item[1] = ImageItem("one", Image.fromarray(other), SCENE)
    one, two = (np.asarray(choose(f"object-removed:fill={fill}").apply(i)) for i in item)
    assert np.array_equal(one, two)


def test_the_blur_fill_is_the_whole_image_blurred_by_a_tenth_of_its_shorter_side() -> None:
    pixels = np.zeros((60, 240, 3), np.uint8)
    pixels[:, 120:] = 255
    removed = np.zeros((60, 240), np.bool_)
    removed[20:40, 60:180] = True
    item = ImageItem("one", Image.fromarray(pixels), (thing("dog", removed),))
    outcome = np.asarray(choose("object-removed:fill=blur").apply(item))
    wanted = ndimage.gaussian_filter(pixels.astype(float), (6, 6, 0), mode="nearest")
    assert np.abs(outcome[removed] - wanted[removed]).max() < 0.03 * 255


def test_inpainting_an_even_ground_restores_it_however_deep_the_hole() -> None:
    plain = np.full((240, 320, 3), (90, 140, 60), np.uint8)
    hole = np.zeros((240, 320), np.bool_)
    hole[30:210, 40:280] = True
    painted = np.where(hole[:, :, None], np.uint8(255), plain)
    item = ImageItem("one", Image.fromarray(painted), (thing("dog", hole),))
    assert np.array_equal(choose("object-removed:fill=inpaint").apply(item), plain)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), fill=st.sampled_from(FILLS))
def test_things_and_stuff_part_an_image_that_is_covered_once(
    data: st.DataObject, fill: str
) -> None:
    height, width = data.draw(st.integers(1, 24)), data.draw(st.integers(2, 24))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    labels = rng.integers(0, 4, (height, width))
    labels.flat[:2] = 0, 1  # a thing and stuff at least
    segments = tuple(
        Segment(str(k), is_thing=k % 2 == 0, is_crowd=False, mask=labels == k) for k in range(4)
    )
    pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
    item = ImageItem("one", Image.fromarray(pixels), segments)
    things = np.asarray(choose(f"things-only:fill={fill}").apply(item))
    stuffs = np.asarray(choose(f"stuff-only:fill={fill}").apply(item))
    even = (labels % 2 == 0)[:, :, None]
    assert np.array_equal(np.where(even, things, stuffs), pixels)


def test_the_first_of_equally_large_things_goes() -> None:
    twins = [thing("cat", CAT), thing("dog", box(0, 0, 4, 4)), stuff("grass", GRASS)]
    assert np.array_equal(altered("object-removed", twins), altered("object-removed:which=cat"))


def test_a_margin_widens_the_removed_in_every_direction() -> None:
    wide = box(16, 26, 28, 38)
    changed = (altered("object-removed:which=cat:margin=0.1") != PIXELS).any(2)  # 4 of 40 pixels
    assert not changed[~wide].any()
    assert changed[wide].mean() > 0.95
    assert (altered("stuff-only:margin=0.1") != PIXELS).any(2)[wide].mean() > 0.95


def test_silhouettes_are_black_on_white() -> None:
    things = DOG | CAT | PUPPY | FLOCK
    assert np.array_equal(altered("silhouette"), np.where(things, 0, 255)[:, :, None].repeat(3, 2))


EVERYWHERE, NOWHERE = box(0, 0, HEIGHT, WIDTH), box(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("written", "segments", "wanted"),
    [
        ("things-only", [stuff("grass", GRASS)], "no things"),
        ("things-only", [thing("dog", NOWHERE)], "no things"),
        ("things-only", [thing("dog", EVERYWHERE)], "nothing to remove"),
        ("stuff-only", [thing("dog", DOG)], "no masks of stuff (panoptic masks have them"),
        ("stuff-only", [stuff("sky", EVERYWHERE)], "nothing to remove"),
        ("object-removed", [stuff("grass", GRASS)], "no things"),
        ("object-removed", [thing("dog", NOWHERE)], "no things"),
        ("object-removed", [thing("sheep", FLOCK, crowd=True)], "no things (crowds aside)"),
        ("object-removed", [thing("dog", EVERYWHERE)], "nothing is left to fill from"),
        ("object-removed:margin=1", [thing("dog", DOG)], "nothing is left to fill from"),
        ("object-removed:which=all", [stuff("grass", GRASS)], "no things"),
        ("object-removed:which=horse", SCENE, "no thing of category 'horse'"),
        ("object-removed:which=grass", SCENE, "no thing of category 'grass'"),
        ("silhouette", [stuff("grass", GRASS)], "no things"),
        ("silhouette", [thing("dog", EVERYWHERE)], "no shape to see"),
    ],
)
def test_what_cannot_be_altered_says_why(
    written: str, segments: Sequence[Segment], wanted: str
) -> None:
    assert wanted in reason(written, segments)


@pytest.mark.parametrize("word", ["all", "largest"])
def test_a_category_that_is_called_like_a_choice_is_refused(word: str) -> None:
    there = [*SCENE, thing(word, VOID)]
    with pytest.raises(InputError, match=rf"^it has a thing of a category called '{word}', .*name"):
        altered(f"object-removed:which={word}", there)
    assert np.array_equal(
        altered("object-removed:which=cat", there), altered("object-removed:which=cat")
    )


def test_masks_may_lie_in_memory_by_columns() -> None:
    turned = [
        Segment(one.category, one.is_thing, one.is_crowd, np.asfortranarray(one.mask))
        for one in SCENE
    ]
    for written in ("things-only", "object-removed:which=all:margin=0.05", "silhouette"):
        assert np.array_equal(altered(written, turned), altered(written))
