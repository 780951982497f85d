"""OpenCV is an extra: part of the recipe where it is used, asked for in one line where it is not there."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pytest
from PIL import Image

from ingest.variants import choose
from ingest.variants.base import ImageItem, Segment
from ingest.variants.images import fills
from vdb.errors import InputError

NAMES = ("things-only", "stuff-only", "object-removed")


@pytest.mark.parametrize("name", NAMES)
def test_the_version_of_opencv_is_part_of_the_recipe_only_where_it_inpaints(name: str) -> None:
    there = {"opencv-python-headless": version("opencv-python-headless")}
    assert choose(f"{name}:fill=inpaint").definition()["libraries"] == there
    assert choose(name).definition()["libraries"] == {}
    assert choose(f"{name}:fill=blur").definition()["libraries"] == {"pillow": version("pillow")}


@pytest.mark.parametrize("name", NAMES)
def test_without_opencv_inpainting_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(package: str) -> None:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(fills, "distribution", absent)
    monkeypatch.setitem(sys.modules, "cv2", None)
    left = np.arange(64).reshape(8, 8) % 8 < 4
    segments = (Segment("dog", True, False, left), Segment("sky", False, False, ~left))
    item = ImageItem("one", Image.new("RGB", (8, 8), "red"), segments)
    with pytest.raises(InputError, match=r'install it with: pip install "vdb\[inpaint\]"'):
        choose(f"{name}:fill=inpaint").definition()  # before anything is run
    with pytest.raises(InputError, match=r'install it with: pip install "vdb\[inpaint\]"'):
        choose(f"{name}:fill=inpaint").apply(item)
    assert choose(name).apply(item).size == (8, 8)
