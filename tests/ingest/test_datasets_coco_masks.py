"""COCO's files of masks: what becomes a segment, what is left out and told, where each mistake is said to be."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as oracle

import vdb
from ingest.datasets import Batch, coco
from vdb import items
from vdb.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

# pycocotools.mask.decode's own, of NumPy 2's protocol.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Document = dict[str, Any]

HEIGHT, WIDTH = 6, 8
IMAGES = [
    {"id": number, "file_name": f"{number}.png", "height": HEIGHT, "width": WIDTH}
    for number in (7, 8, 9)
]


@dataclass
class Folder:
    """Two photos (7 and 8; 9 is listed only) and the files that tell of them."""

    path: Path
    captions: Document
    instances: Document
    panoptic: Document
    pictures: dict[int, list[list[int]]]

    def read(self, *kinds: str, **options: str) -> Batch:
        for kind in ("captions", "instances", "panoptic"):
            (self.path / f"{kind}.json").write_text(json.dumps(getattr(self, kind), indent=1))
        for image, ids in self.pictures.items():
            pixels = np.array(ids, dtype=np.uint32)
            rgb = np.stack([pixels & 255, pixels >> 8 & 255, pixels >> 16], axis=-1)
            Image.fromarray(rgb.astype(np.uint8)).save(self.path / "masks" / f"{image}.png")
        given: dict[str, Any] = {f"{kind}_file": self.path / f"{kind}.json" for kind in kinds}
        if "panoptic" in kinds:
            given["panoptic_masks"] = self.path / "masks"
        (batch,) = coco(self.path / "photos", **given, **options)
        return batch

    def refused(self, *kinds: str) -> str:
        with pytest.raises(InputError) as caught:
            self.read(*kinds)
        assert "\n" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "photos").mkdir()
    (tmp_path / "masks").mkdir()
    for number in (7, 8):
        Image.new("RGB", (WIDTH, HEIGHT), (number, 0, 0)).save(tmp_path / f"photos/{number}.png")
    captions = {
        "images": copy.deepcopy(IMAGES[:2]),
        "annotations": [{"id": 70, "image_id": 7, "caption": "A seven."}],
    }
    shared = {"category_id": 1, "iscrowd": 0}
    crowd = {"counts": [0, 6, 42], "size": [HEIGHT, WIDTH]}
    dense = oracle.encode(np.asfortranarray(np.eye(HEIGHT, WIDTH, dtype=np.uint8)))
    compressed = {"counts": dense["counts"].decode(), "size": [HEIGHT, WIDTH]}
    instances = {
        "images": copy.deepcopy(IMAGES),
        "categories": [{"id": 1, "name": "cup"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {**shared, "id": 1, "image_id": 7, "segmentation": [[2, 1, 5, 1, 5, 3, 2, 3]]},
            {"category_id": 2, "iscrowd": 1, "id": 2, "image_id": 7, "segmentation": crowd},
            {**shared, "id": 3, "image_id": 8, "segmentation": compressed},
            {**shared, "id": 4, "image_id": 9, "segmentation": [[0, 0, 3, 0, 3, 3]]},
        ],
    }
    categories = [{"id": 1, "name": "cup", "isthing": 1}, {"id": 9, "name": "sky", "isthing": 0}]
    panoptic = {
        "images": copy.deepcopy(IMAGES),
        "categories": categories,
        "annotations": [
            {
                "image_id": number,
                "file_name": f"{number}.png",
                "segments_info": [{**shared, "id": 5}, {"id": 65793, "category_id": 9}],
            }
            for number in (7, 9)
        ],
    }
    picture = np.zeros((HEIGHT, WIDTH), dtype=int)
    picture[1:3, 2:5] = 5
    picture[4:] = 65793
    return Folder(tmp_path, captions, instances, panoptic, {7: picture.tolist()})


def pixels(batch: Batch, segment_id: str) -> list[list[int]]:
    row = batch.segments.filter(segment_id=segment_id).row(0, named=True)
    rle = {"size": [row["height"], row["width"]], "counts": row["counts"].encode()}
    made: list[list[int]] = oracle.decode(rle).tolist()
    return made


def test_polygons_and_both_run_lengths_become_segments(folder: Folder) -> None:
    batch = folder.read("captions", "instances", name="mine", prefix="v/")
    rows = batch.segments.select(
        "image_id", "segment_id", "segmentation", "category", "is_thing", "is_crowd", "dataset"
    ).rows()
    assert rows == [
        ("v/7", "instances:1", "instances", "cup", True, False, "mine"),
        ("v/7", "instances:2", "instances", "dog", True, True, "mine"),
        ("v/8", "instances:3", "instances", "cup", True, False, "mine"),
    ]
    assert batch.segments["source"][1] == "instances.json annotations[1]"
    rectangle = np.zeros((HEIGHT, WIDTH), dtype=int)
    rectangle[1:3, 2:5] = 1
    assert pixels(batch, "instances:1") == rectangle.tolist()
    column = np.zeros((HEIGHT, WIDTH), dtype=int)
    column[:, 0] = 1
    assert pixels(batch, "instances:2") == column.tolist()
    assert pixels(batch, "instances:3") == np.eye(HEIGHT, WIDTH, dtype=int).tolist()


def test_a_panoptic_picture_becomes_a_segment_for_each_id(folder: Folder) -> None:
    batch = folder.read("captions", "panoptic")
    rows = batch.segments.select("segment_id", "category", "is_thing", "is_crowd", "source").rows()
    assert rows == [
        ("panoptic:5", "cup", True, False, "panoptic.json annotations[0].segments_info[0]"),
        ("panoptic:65793", "sky", False, False, "panoptic.json annotations[0].segments_info[1]"),
    ]
    picture = np.array(folder.pictures[7])
    assert pixels(batch, "panoptic:5") == (picture == 5).astype(int).tolist()
    assert pixels(batch, "panoptic:65793") == (picture == 65793).astype(int).tolist()


def test_masks_of_other_photos_are_left_out_and_counted(folder: Folder) -> None:
    notices = folder.read("captions", "instances", "panoptic").notices
    assert notices == (
        "instances.json: 1 instance masks of 1 images that are not in the data set were left out",
        "panoptic.json: 2 panoptic masks of 1 images that are not in the data set were left out",
    )


def test_without_captions_the_photos_at_hand_are_the_data_set(folder: Folder) -> None:
    batch = folder.read("instances")
    assert batch.images["image_id"].to_list() == ["7", "8"]
    assert batch.segments.height == 3
    assert not batch.captions.height


def test_masks_can_be_added_later(folder: Folder) -> None:
    db = vdb.open(folder.path / "study", create=True)
    items.add(db, folder.read("captions").tables())
    later = items.add(db, folder.read("instances").tables())
    assert (later.added["segments"], later.unchanged["images"]) == (3, 2)
    both = items.add(db, folder.read("captions", "instances", "panoptic").tables())
    assert (both.added["segments"], both.unchanged["segments"]) == (2, 3)
    assert db.read("segments").collect().height == 5


def test_masks_that_cover_nothing_are_left_out_and_counted(folder: Folder) -> None:
    annotations = folder.instances["annotations"]
    annotations[0]["segmentation"] = [[1, 1, 2, 2]]
    annotations[2]["segmentation"] = []
    folder.panoptic["annotations"][0]["segments_info"].append({"id": 6, "category_id": 1})
    batch = folder.read("instances", "panoptic")
    assert batch.segments.height == 1 + 2
    assert (
        "2 masks that cover no pixel were left out, the first: instances.json:"
        in (batch.notices[1])
    )
    assert batch.notices[1].endswith("annotations[0]")
    assert "1 masks that cover no pixel" in batch.notices[3]
    assert batch.notices[3].endswith("annotations[0].segments_info[2]")


def test_a_sliver_beside_a_polygon_is_told(folder: Folder) -> None:
    annotation = folder.instances["annotations"][0]
    annotation["segmentation"].append([1, 1, 2, 2])
    batch = folder.read("captions", "instances")
    assert batch.segments.height == 3
    assert "1 masks have polygons of fewer than 3 points" in batch.notices[1]


def test_all_masks_of_other_photos_is_a_mistake(folder: Folder) -> None:
    for image in folder.captions["images"]:
        image["id"] += 100
    folder.captions["annotations"] = []
    assert "instances.json: none of its 3 images" in folder.refused("captions", "instances")
    for number in (7, 8):
        (folder.path / f"photos/{number}.png").unlink()
    assert "none of the 3 photos listed is in" in folder.refused("instances")


def test_a_turned_photo_has_the_size_it_is_decoded_to(folder: Folder) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (HEIGHT, WIDTH)).save(folder.path / "photos/7.png", exif=exif)
    assert folder.read("captions", "instances").segments.height == 3


def test_the_same_mask_twice_is_one(folder: Folder) -> None:
    annotations = folder.instances["annotations"]
    annotations.append(copy.deepcopy(annotations[0]))
    assert folder.read("instances").segments.height == 3
    annotations[4]["category_id"] = 2
    message = folder.refused("instances")
    assert "annotations[4].id is that of another mask too" in message
    assert "annotations[0]" in message


def line_of(document: Document, mark: str) -> int:
    """Find the line on which the outermost entry that holds ``mark`` begins."""
    lines = json.dumps(document, indent=1).split("\n")
    line = next(i for i, text in enumerate(lines) if mark in text)
    while lines[line] != "  {":
        line -= 1
    return line + 1


@pytest.mark.parametrize(
    ("section", "field", "value", "complaint"),
    [
        ("annotations", "segmentation", [[0, 0, 3, 0, 3]], "segmentation[0] has 5 numbers"),
        ("annotations", "segmentation", [0, 0, 3, 0, 3, 3], "segmentation[0] must be an array"),
        ("annotations", "segmentation", "x", "is text; it must be an array or an object"),
        ("annotations", "segmentation", {"size": [6, 8]}, "segmentation.counts is missing"),
        ("annotations", "segmentation", {"size": [8, 6], "counts": [48]}, "size is [8, 6]; the"),
        ("annotations", "segmentation", {"size": [6, 8], "counts": [9]}, "counts adds up to 9"),
        ("annotations", "iscrowd", 2, "iscrowd is 2; it must be 0 or 1"),
        ("annotations", "category_id", 3, "is '3', which no entry of categories has"),
        ("annotations", "image_id", 70, "'70', which no entry of images has"),
        ("annotations", "id", "", "an empty id"),
        ("images", "height", 0, "height is 0, which no image has"),
        ("images", "width", "8", "width is text"),
        ("images", "width", 9, "is said to be 9 x 6, but"),
        ("images", "file_name", "../captions.json", "lies outside"),
        ("categories", "name", "", "an empty id"),
        ("categories", "id", None, "is null"),
    ],
)
def test_a_mistake_in_instances_names_entry_and_line(
    folder: Folder, section: str, field: str, value: object, complaint: str
) -> None:
    folder.instances[section][0][field] = value
    folder.instances[section][0]["mark"] = "HERE"
    message = folder.refused("instances")
    line = line_of(folder.instances, '"HERE"')
    assert message.startswith(f"instances.json:{line}: {section}[0]")
    assert complaint in message


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"segments_info": {}}, "annotations[0].segments_info is an object"),
        ({"segments_info": [{"id": 5}]}, "segments_info[0].category_id is missing"),
        ({"segments_info": [{"id": "5", "category_id": 1}]}, "segments_info[0].id is text"),
        ({"segments_info": [{"id": 5, "category_id": 1}]}, "pixels of segment 65793, which is not"),
        ({"segments_info": []}, "segment 5, which is not in segments_info (nor are 1 others)"),
        ({"file_name": "8.png"}, "8.png cannot be read: No such file"),
        ({"file_name": "../photos/7.png"}, "lies outside"),
    ],
)
def test_a_mistake_in_panoptic_names_entry_and_line(
    folder: Folder, change: Document, complaint: str
) -> None:
    folder.panoptic["annotations"][0].update(change, mark="HERE")
    message = folder.refused("panoptic")
    line = line_of(folder.panoptic, '"HERE"')
    assert message.startswith(f"panoptic.json:{line}: annotations[0].")
    assert complaint in message


def test_a_panoptic_category_says_whether_it_is_a_thing(folder: Folder) -> None:
    del folder.panoptic["categories"][1]["isthing"]
    assert "categories[1].isthing is missing; is this a COCO panoptic" in folder.refused("panoptic")


@pytest.mark.parametrize(
    ("picture", "complaint"),
    [
        (Image.new("L", (WIDTH, HEIGHT)), "is PNG L; it must be a PNG of RGB"),
        (Image.new("RGBA", (WIDTH, HEIGHT)), "is PNG RGBA"),
        (Image.new("RGB", (HEIGHT, WIDTH)), "has 6 x 8 pixels, but its image 8 x 6"),
        (b"", "cannot be read"),
        (b"<html>", "cannot be read"),
    ],
)
def test_a_picture_that_is_none_is_named(
    folder: Folder, picture: Image.Image | bytes, complaint: str
) -> None:
    folder.pictures = {}
    path = folder.path / "masks/7.png"
    path.write_bytes(picture) if isinstance(picture, bytes) else picture.save(path)
    message = folder.refused("panoptic")
    assert "panoptic.json:" in message
    assert "annotations[0].file_name" in message
    assert complaint in message


def test_a_photo_that_cannot_be_measured_is_named(folder: Folder) -> None:
    (folder.path / "photos/8.png").write_bytes(b"<html>")
    message = folder.refused("captions", "instances")
    assert "images[1]" in message
    assert "8.png: not an image" in message


def test_nothing_to_add_and_half_a_panoptic_are_refused(folder: Folder) -> None:
    assert "nothing to add" in folder.refused()
    with pytest.raises(InputError, match="go together"):
        next(coco(folder.path / "photos", panoptic_file=folder.path / "panoptic.json"))
