"""The 300 real COCO photos with all their masks, counted in the JSON files by a few lines of their own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as oracle

import vdb
from ingest.datasets import Batch, coco
from vdb import items

pytestmark = [
    pytest.mark.real,
    # pycocotools.mask.decode's own, of NumPy 2's protocol.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def folder() -> Path:
    if "VDB_REAL_DATA" not in os.environ:
        pytest.skip("VDB_REAL_DATA is not set")
    return Path(os.environ["VDB_REAL_DATA"]) / "coco"


@pytest.fixture(scope="module")
def batch(folder: Path) -> Batch:
    (made,) = coco(
        folder / "images",
        folder / "captions_300.json",
        instances_file=folder / "instances_79.json",
        panoptic_file=folder / "panoptic_val2017.json",
        panoptic_masks=folder / "panoptic_val2017",
    )
    return made


def test_every_mask_goes_in(folder: Path, batch: Batch, tmp_path: Path) -> None:
    instances = json.loads((folder / "instances_79.json").read_text())["annotations"]
    panoptic = json.loads((folder / "panoptic_val2017.json").read_text())["annotations"]
    segments = sum(len(one["segments_info"]) for one in panoptic)
    added = items.add(vdb.open(tmp_path / "study", create=True), batch.tables()).added
    assert added["segments"] == len(instances) + segments
    assert (added["images"], added["captions"]) == (300, 1501)
    drawn = batch.segments.filter(segmentation="instances")
    assert drawn.height == len(instances)
    assert drawn["is_crowd"].sum() == sum(one["iscrowd"] for one in instances)
    assert batch.segments.filter(segmentation="panoptic")["image_id"].n_unique() == 100
    assert not batch.notices


def test_panoptic_areas_and_boxes_are_those_that_the_file_says(folder: Path, batch: Batch) -> None:
    document = json.loads((folder / "panoptic_val2017.json").read_text())
    said = {
        (str(one["image_id"]), f"panoptic:{segment['id']}"): segment
        for one in document["annotations"]
        for segment in one["segments_info"]
    }
    things = {category["id"]: bool(category["isthing"]) for category in document["categories"]}
    rows = batch.segments.filter(segmentation="panoptic").to_dicts()
    assert len(rows) == len(said)
    for row in rows:
        segment = said[row["image_id"], row["segment_id"]]
        rle = {"size": [row["height"], row["width"]], "counts": row["counts"].encode()}
        assert int(oracle.area(rle)) == segment["area"]
        assert oracle.toBbox(rle).tolist() == segment["bbox"]
        assert row["is_thing"] == things[segment["category_id"]]


def test_the_masks_of_a_photo_give_its_picture_back(folder: Path, batch: Batch) -> None:
    rows = batch.segments.filter(segmentation="panoptic", image_id="139").to_dicts()
    with Image.open(folder / "panoptic_val2017/000000000139.png") as picture:
        rgb = np.asarray(picture, dtype=np.int64)
    made = np.zeros(rgb.shape[:2], dtype=np.int64)
    for row in rows:
        rle = {"size": list(made.shape), "counts": row["counts"].encode()}
        made += oracle.decode(rle).astype(np.int64) * int(
            row["segment_id"].removeprefix("panoptic:")
        )
    assert (made == rgb @ [1, 256, 65536]).all()


def test_instance_areas_are_those_that_the_file_says(folder: Path, batch: Batch) -> None:
    """The file's area of a polygon is that of its pixels to within the rounding of its coordinates."""
    document = json.loads((folder / "instances_79.json").read_text())
    said = {f"instances:{one['id']}": one for one in document["annotations"]}
    for row in batch.segments.filter(segmentation="instances").to_dicts():
        one = said[row["segment_id"]]
        rle = {"size": [row["height"], row["width"]], "counts": row["counts"].encode()}
        area = int(oracle.area(rle))
        if isinstance(one["segmentation"], dict):
            assert area == sum(one["segmentation"]["counts"][1::2])
        else:
            drawn = oracle.frPyObjects(one["segmentation"], row["height"], row["width"])
            assert area == int(oracle.area(oracle.merge(drawn)))
