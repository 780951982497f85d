"""Variants of real photos, with their panoptic masks."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from PIL import Image

from ingest.images import decode
from ingest.variants import VARIANTS, Inapplicable, choose
from ingest.variants.base import ImageItem, Segment
from ingest.variants.images.phase import scrambled

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytestmark = pytest.mark.real

PHOTOS = 6


class Photo(NamedTuple):
    """A photo, and which of its pixels are things, stuff and neither."""

    item: ImageItem
    things: NDArray[np.bool_]
    stuff: NDArray[np.bool_]


@pytest.fixture(scope="module")
def photos() -> list[Photo]:
    if "VDB_REAL_DATA" not in os.environ:
        pytest.skip("VDB_REAL_DATA is not set")
    folder = Path(os.environ["VDB_REAL_DATA"]) / "coco"
    document = json.loads((folder / "panoptic_val2017.json").read_text())
    files = {image["id"]: image["file_name"] for image in document["images"]}
    categories = {one["id"]: one for one in document["categories"]}
    found = []
    for annotation in document["annotations"]:
        image = decode((folder / "images" / files[annotation["image_id"]]).read_bytes())
        with Image.open(folder / "panoptic_val2017" / annotation["file_name"]) as png:
            labels = np.asarray(png.convert("RGB")) @ np.array([1, 256, 65536])
        segments: list[Segment] = []
        covered: dict[int, list[int]] = {0: [], 1: []}
        for one in annotation["segments_info"]:
            name, is_thing = (categories[one["category_id"]][key] for key in ("name", "isthing"))
            segments.append(
                Segment(name, bool(is_thing), bool(one["iscrowd"]), labels == one["id"])
            )
            covered[is_thing].append(one["id"])
        if covered[0] and covered[1]:
            item = ImageItem(str(annotation["image_id"]), image, tuple(segments))
            found.append(Photo(item, np.isin(labels, covered[1]), np.isin(labels, covered[0])))
        if len(found) == PHOTOS:
            break
    return found


@pytest.mark.parametrize("fill", ["mean", "blur", "inpaint"])
def test_things_and_stuff_of_photos(photos: list[Photo], fill: str) -> None:
    assert len(photos) == PHOTOS
    for item, things, stuff in photos:
        pixels = np.asarray(item.image)
        without_stuff = np.asarray(choose(f"things-only:fill={fill}").apply(item))
        without_things = np.asarray(choose(f"stuff-only:fill={fill}").apply(item))
        assert np.array_equal(without_stuff[things], pixels[things])
        assert np.array_equal(without_things[stuff], pixels[stuff])
        assert (without_stuff[~things] != pixels[~things]).any(1).mean() > 0.9
        assert (without_things[~stuff] != pixels[~stuff]).any(1).mean() > 0.9


def test_each_category_of_things_can_be_removed_and_no_other(photos: list[Photo]) -> None:
    for item, _, _ in photos:
        pixels = np.asarray(item.image)
        for name in {segment.category for segment in item.segments if segment.is_thing}:
            mask = np.logical_or.reduce([s.mask for s in item.segments if s.category == name])
            outcome = np.asarray(choose(f"object-removed:which={name}").apply(item))
            assert np.array_equal(outcome[~mask], pixels[~mask])
            assert (outcome[mask] == np.rint(pixels[~mask].mean(0))).all()
        with pytest.raises(Inapplicable, match="no thing of category 'unicorn'"):
            choose("object-removed:which=unicorn").apply(item)


def test_photos_stay_recognisable_under_appearance(photos: list[Photo]) -> None:
    """What is called appearance-only leaves the coarse layout of light where pixels stay in place."""
    moved = {"rotation", "horizontal-flip", "upside-down", "crop", "hue"}
    for item, _, _ in photos:
        before = coarse(item.image)
        for name, variant in VARIANTS.items():
            if variant.modality == "image" and variant.kind == "appearance" and name not in moved:
                after = coarse(choose(name).apply(item))
                assert np.corrcoef(before, after)[0, 1] > 0.9, name


def coarse(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image.convert("L").resize((16, 16), Image.Resampling.BOX)).ravel() / 255


def test_scrambled_photos_keep_their_spectrum(photos: list[Photo]) -> None:
    for item, _, _ in photos:
        before = np.asarray(item.image).transpose(2, 0, 1).astype(float)
        after = scrambled(before, np.random.default_rng(0))
        amplitudes = [np.abs(np.fft.fft2(image)) for image in (before, after)]
        assert np.abs(amplitudes[0] - amplitudes[1]).max() < 1e-12 * amplitudes[0].max()
        flat = np.asarray(choose("phase-scramble").apply(item)).transpose(2, 0, 1)
        assert abs(np.corrcoef(before.ravel(), flat.ravel())[0, 1]) < 0.6  # nothing is where it was
