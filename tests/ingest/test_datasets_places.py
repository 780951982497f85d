"""Where a mistake stands is looked for when there is one: a good data set, however large, has no place looked up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from ingest.datasets import coco
from ingest.datasets.coco import sections
from ingest.datasets.json_text import line_of_element
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ENTRIES = 2000
KINDS = (
    "coco",
    "flickr8k",
    "manifest-jsonl",
    "trials-jsonl",
    "things-main",
    "concepts",
    "webdataset",
    "hf",
    "pickapic",
)


@pytest.fixture
def looked_up() -> Iterator[list[int]]:
    """The entries whose lines are looked for; each look reads the text again up to there."""
    found: list[int] = []

    def counting(text: str, key: str, index: int) -> int:
        found.append(index)
        return line_of_element(text, key, index)

    with patch.object(sections, "line_of_element", counting):
        yield found


@pytest.mark.parametrize("kind", KINDS)
def test_no_place_is_looked_up_in_a_good_data_set(
    kind: str, small: Any, adding: Any, tmp_path: Path, looked_up: list[int]
) -> None:
    adding.check(small.SMALL[kind](tmp_path).arguments)
    assert looked_up == []


@pytest.fixture
def many(small: Any, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Write COCO's three files of thousands of photos, all of one picture; ``change`` may spoil the instances."""

    def write(change: Callable[[dict[str, Any]], None] = lambda _: None) -> dict[str, Any]:
        small.SMALL["coco"](tmp_path)
        files = {}
        for kind in ("captions", "instances", "panoptic"):
            document = small.coco_json(kind)
            photo, annotation = document["images"][0], document["annotations"][0]
            document["images"] = [photo | {"id": i} for i in range(ENTRIES)]
            document["annotations"] = [
                annotation | {"id": i, "image_id": i} for i in range(ENTRIES)
            ]
            if kind == "instances":
                change(document)
            files[f"{kind}_file"] = tmp_path / f"{kind}.json"
            files[f"{kind}_file"].write_text(json.dumps(document))
        return {**files, "images_dir": tmp_path / "photos", "panoptic_masks": tmp_path / "masks"}

    return write


@pytest.mark.parametrize("with_captions", [True, False])
def test_nor_in_thousands_of_photos_with_masks(
    many: Callable[..., dict[str, Any]], looked_up: list[int], *, with_captions: bool
) -> None:
    given = many()
    if not with_captions:
        del given["captions_file"]
    (batch,) = coco(**given)
    assert batch.images.height == ENTRIES
    assert batch.segments.height == 3 * ENTRIES  # one instance, a dog and a lawn
    assert looked_up == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda entry: entry.update(height=7),
            r"instances\.json:1: images\[1500\].*said to be 8 x 7",
        ),
        (lambda entry: entry.update(file_name="bare.png"), r"said to be 8 x 6, but .*has 9 x 7"),
    ],
)
def test_one_place_is_looked_up_for_a_mistake(
    many: Callable[..., dict[str, Any]],
    small: Any,
    looked_up: list[int],
    spoil: Callable[[dict[str, Any]], None],
    message: str,
) -> None:
    given = many(lambda document: spoil(document["images"][1500]))
    small.put(given["images_dir"] / "bare.png", small.photo(1, 7, 9))
    del given["captions_file"], given["panoptic_file"], given["panoptic_masks"]
    with pytest.raises(InputError, match=message):
        list(coco(**given))
    assert looked_up == [1500]
