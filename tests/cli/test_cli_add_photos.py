"""``vdb add coco`` and ``vdb add flickr8k`` as a person meets them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

import vdb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., Any]

COCO = ("add", "coco", "--images", "photos", "--db", "study")
CAPTIONS, INSTANCES = ("--captions", "captions.json"), ("--instances", "instances.json")
PANOPTIC = ("--panoptic", "panoptic.json", "--panoptic-masks", "masks")
FLICKR8K = ("add", "flickr8k", "--images", "photos", "--captions", "tokens.txt", "--db", "study")


@pytest.fixture(autouse=True)
def _files(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "masks").mkdir()
    for name, colour in (("a", "red"), ("b", "blue")):
        Image.new("RGB", (8, 6), colour).save(tmp_path / f"photos/{name}.png")
    listed = [
        {"id": at, "file_name": f"{name}.png", "height": 6, "width": 8}
        for at, name in enumerate("abc")
    ]
    square = [[0, 0, 3, 0, 3, 3, 0, 3]]
    drawn = [
        {"id": 10 + at, "image_id": at, "category_id": 1, "segmentation": square}
        for at in (0, 1, 2)
    ]
    category = {"id": 1, "name": "cup", "isthing": 1}
    panoptic = {
        "image_id": 0,
        "file_name": "a.png",
        "segments_info": [{"id": 255, "category_id": 1}],
    }
    documents: dict[str, Any] = {
        "captions": {
            "images": listed[:2],
            "annotations": [{"id": 1, "image_id": 0, "caption": "Red."}],
        },
        "instances": {"images": listed, "categories": [category], "annotations": drawn},
        "panoptic": {"images": listed, "categories": [category], "annotations": [panoptic]},
    }
    for name, document in documents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    Image.new("RGB", (8, 6), "red").save(tmp_path / "masks/a.png")
    (tmp_path / "tokens.txt").write_text("a.png#0\tRed .\nb.png#0\tBlue .\n")
    (tmp_path / "experts.txt").write_text("a.png\ta.png#0\t4\t4\t4\nb.png\ta.png#0\t1\t1\t2\n")


def test_captions_and_all_masks_at_once_and_again(vdb_command: Command) -> None:
    answer = vdb_command(*COCO, *CAPTIONS, *INSTANCES, *PANOPTIC)
    assert answer.code == 0
    assert answer.err.splitlines() == [
        "instances.json: 1 instance masks of 1 images that are not in the data set were left out",
        "images: 2 added",
        "captions: 1 added",
        "pairs: 1 added",
        "segments: 3 added",
    ]
    again = vdb_command(*COCO, *CAPTIONS, *INSTANCES, *PANOPTIC)
    assert again.err.splitlines()[-1] == "segments: 0 added, 3 there already"


def test_masks_after_the_captions_and_without_them(vdb_command: Command) -> None:
    vdb_command(*COCO, *CAPTIONS)
    lines = vdb_command(*COCO, *PANOPTIC).err.splitlines()
    assert lines == ["images: 0 added, 2 there already", "segments: 1 added"]
    lines = vdb_command(*COCO, *CAPTIONS, *INSTANCES).err.splitlines()
    assert lines[1:] == [
        "images: 0 added, 2 there already",
        "captions: 0 added, 1 there already",
        "pairs: 0 added, 1 there already",
        "segments: 2 added",
    ]
    kinds = vdb.open("study").read("segments").collect()["segmentation"]
    assert sorted(kinds) == ["instances", "instances", "panoptic"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (COCO, "give at least one of --captions, --instances, --panoptic"),
        ((*COCO, *PANOPTIC[:2]), "--panoptic and --panoptic-masks go together"),
        ((*COCO, *PANOPTIC[2:]), "give at least one"),
        ((*COCO, *CAPTIONS, *PANOPTIC[2:]), "--panoptic and --panoptic-masks go together"),
        ((*COCO, "--instance", "instances.json"), "--instances"),
        ((*FLICKR8K, "--judgments", "experts.txt"), "--judgements"),
        (FLICKR8K[:4], "Missing option '--captions'"),
    ],
)
def test_wrong_usage_says_what_is_meant(
    vdb_command: Command, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    answer = vdb_command(*arguments)
    assert answer.code == 2
    assert said in answer.err
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*COCO, "--instances", "instance.json"), "instance.json: there is no such file"),
        ((*COCO, *PANOPTIC[:3], "mask"), "mask is not a folder"),
        ((*COCO, "--panoptic", "x.json", *PANOPTIC[2:]), "x.json: there is no such file"),
        ((*COCO, "--captions", "instances.json"), "captions file?"),
        ((*COCO, "--instances", "captions.json"), "is this a COCO instances file?"),
        ((*FLICKR8K, "--judgements", "expert.txt"), "expert.txt: there is no such file"),
        ((*FLICKR8K, "--split", "tokens.txt"), "tokens.txt:1: no caption is of 'a.png#0"),
        ((*FLICKR8K, "--judgements", "tokens.txt"), "is this ExpertAnnotations.txt?"),
    ],
)
def test_a_wrong_file_is_one_line_and_leaves_no_store(
    vdb_command: Command, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    answer = vdb_command(*arguments)
    assert answer.code == 1
    assert said in answer.error
    assert not (tmp_path / "study").exists()


def test_a_mistake_in_the_masks_adds_no_photo_either(vdb_command: Command, tmp_path: Path) -> None:
    Image.new("RGB", (8, 6), "blue").save(tmp_path / "masks/a.png")
    assert "pixels of segment 16711680" in vdb_command(*COCO, *CAPTIONS, *PANOPTIC).error
    assert not (tmp_path / "study").exists()


def test_flickr8k_with_judgements_and_a_split(vdb_command: Command, tmp_path: Path) -> None:
    judgements = ("--judgements", "experts.txt")
    assert vdb_command(*FLICKR8K, *judgements).err.splitlines() == [
        "images: 2 added",
        "captions: 2 added",
        "pairs: 2 added",
        "trials: 1 added",
    ]
    (trial,) = vdb.open("study").read("trials").collect().to_dicts()
    assert trial["candidate_0" if trial["label"] else "candidate_1"] == "a.png"
    (tmp_path / "split.txt").write_text("b.png\n")
    answer = vdb_command(*FLICKR8K, *judgements, "--split", "split.txt", "--prefix", "s/")
    assert answer.err.splitlines() == [
        "2 judgements are of images or captions that were not kept, and left out",
        "images: 1 added",
        "captions: 1 added",
        "pairs: 1 added",
    ]
