"""The pictures of variants: what stands where, and that the one in the documentation is up to date."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest.variants import VARIANTS, choose
from ingest.variants import sheet as sheets
from ingest.variants.sheet import before_after, contact_sheet, specimen, variant_sheet

DOCUMENTED = Path(__file__).parents[2] / "docs" / "images" / "variants.png"


def holds(sheet: Image.Image, picture: Image.Image) -> bool:
    """Tell whether a picture stands somewhere on a sheet, pixel for pixel."""
    whole, part = (np.asarray(image) @ np.array([1, 256, 65536]) for image in (sheet, picture))
    high, wide = part.shape
    down, across = whole.shape[0] - high + 1, whole.shape[1] - wide + 1
    places = np.ones((down, across), np.bool_)
    for y, x in np.random.default_rng(0).integers(0, part.shape, (40, 2)):  # a few pixels first
        places &= whole[y : y + down, x : x + across] == part[y, x]
    return any(
        np.array_equal(whole[y : y + high, x : x + wide], part) for y, x in np.argwhere(places)
    )


def test_every_image_variant_is_on_the_documented_sheet() -> None:
    with Image.open(DOCUMENTED) as file:
        documented = file.convert("RGB")
    item = specimen()
    for name, variant in VARIANTS.items():
        if variant.modality == "image":
            assert holds(documented, choose(name).apply(item)), name
    assert holds(documented, item.image)


def test_the_documented_sheet_is_drawn_again_the_same() -> None:
    with Image.open(DOCUMENTED) as file:
        assert np.array_equal(file, variant_sheet())


def test_the_command_writes_the_sheet(tmp_path: Path) -> None:
    file = tmp_path / "variants.png"
    subprocess.run([sys.executable, "-m", sheets.__name__, str(file)], check=True)
    with Image.open(file) as written, Image.open(DOCUMENTED) as documented:
        assert np.array_equal(written, documented)


@pytest.mark.parametrize(("count", "columns"), [(1, 5), (5, 2), (6, 3), (7, 100)])
def test_a_contact_sheet_holds_every_picture_once(count: int, columns: int) -> None:
    rng = np.random.default_rng(0)
    pictures = [
        Image.fromarray(rng.integers(0, 256, (20 + k, 40 - k, 3), np.uint8)) for k in range(count)
    ]
    cells = [(f"number {k}", picture) for k, picture in enumerate(pictures)]
    sheet = contact_sheet(cells, columns)
    assert sheet.mode == "RGB"
    assert all(holds(sheet, picture) for picture in pictures)
    across = min(columns, count)
    assert sheet.width > 40 * across
    assert sheet.width < (40 + 30) * across


def test_captions_are_seen_and_stay_inside_their_cell() -> None:
    white = Image.new("RGB", (60, 60), "white")
    cells = [("", white), ("", white)]
    bare = np.asarray(contact_sheet(cells))
    for caption in ("blur", "a caption that is far too long for its cell", "<b>\n\tÅngström 犬"):
        ink = np.argwhere((np.asarray(contact_sheet([(caption, white), cells[1]])) != bare).any(2))
        assert len(ink)
        assert ink[:, 0].min() > 60  # below the picture
        assert ink[:, 1].max() < 60 + 2 * 14  # and in its column


def test_an_empty_sheet_is_a_sheet() -> None:
    assert contact_sheet([]).mode == "RGB"


def test_before_and_after_stand_side_by_side_at_one_size() -> None:
    rng = np.random.default_rng(0)
    one, two = (Image.fromarray(rng.integers(0, 256, (30, 50, 3), np.uint8)) for _ in range(2))
    enlarged = [image.resize((450, 270), Image.Resampling.NEAREST) for image in (one, two)]
    drawn = before_after(one, two, "blur of img-1")
    assert all(holds(drawn, image) for image in enlarged)
    assert not np.array_equal(drawn, before_after(one, two, "another title"))


@pytest.mark.parametrize("size", [(4000, 30), (3, 2000), (1, 1), (640, 480)])
def test_any_size_can_be_shown(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, "red")
    drawn = before_after(image, image, "x" * 500)
    assert max(drawn.size) < 1100
